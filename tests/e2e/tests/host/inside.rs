//! The same tests inside a guest that plays the host.
//!
//! Debian's kernel is older than this machine's, and has what this one may lack: kprobes, a verifier
//! of another age, CPUs that can be taken away. The guest has no module of ours and no plugin; what
//! runs in it is `dtrace`, and this very test program.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use xtask::vm::guest::{Guest, GuestConfig};
use xtask::vm::image::Image;
use xtask::{paths, programs};

/// Set in the guest.
pub(crate) const MARK: &str = "HYPERTRACE_INSIDE";

/// What the tests run: the guest's own are busybox, whose names differ.
const COMMANDS: &[&str] = &["cat", "dd", "env", "setpriv", "sleep", "true", "unshare"];

/// A guest whose kernel is locked down says so in one line, and begins and ends a session.
pub(crate) fn locked_down() -> Result<()> {
    let name = "locked-down";
    let programs = [(programs::path("dtrace"), "/ht/dtrace")];
    let image = Image::build()?.with_programs(name, &programs)?;
    let config = GuestConfig {
        module: false,
        workload: false,
        plugin: false,
        run_dir: paths::vm().join("host-e2e"),
        kernel_words: "lockdown=confidentiality".to_owned(),
        ..GuestConfig::new(name)
    };
    let mut guest = Guest::boot(&image, config)?;
    guest.run("mount -t securityfs none /sys/kernel/security || true")?;
    let (status, out) = guest.try_run(
        "/ht/dtrace -Zqn 'BEGIN { printf(\"begun\\n\"); } syscall::read:entry {} tick-10ms { exit(0); }' 2>&1",
    )?;
    let about: Vec<&str> = out.lines().filter(|line| line.contains("host:")).collect();
    ensure!(status == 0 && out.contains("begun"), "{out}\n{}", guest.console());
    let [line] = about.as_slice() else { anyhow::bail!("not one line about it: {out}") };
    ensure!(line.contains("not traced") && line.contains("locked down"), "{line}");
    Ok(())
}

/// Boots the guest, runs all tests in it and shows what they say.
pub(crate) fn suite() -> Result<()> {
    let name = "plays-the-host";
    let mut programs: Vec<(PathBuf, &str)> = vec![
        (programs::path("dtrace"), "/ht/target/release/dtrace"),
        (std::env::current_exe()?, "/ht/tests"),
        (crate::programs::probed()?, crate::programs::INSIDE),
    ];
    let there: Vec<String> = COMMANDS.iter().map(|name| format!("/usr/bin/{name}")).collect();
    programs.extend(there.iter().map(|path| (PathBuf::from(path), path.as_str())));
    let image = Image::build()?.with_programs(name, &programs)?;
    let config = GuestConfig {
        memory: 1024,
        module: false,
        workload: false,
        plugin: false,
        run_dir: paths::vm().join("host-e2e"),
        ..GuestConfig::new(name)
    };
    let mut guest = Guest::boot(&image, config)?;
    let line =
        format!("PATH=/usr/bin:/bin {MARK}=1 CARGO_TARGET_DIR=/ht/target /ht/tests --color never");
    let (status, out) = guest.try_run(&line)?;
    let told = out.lines().find(|line| line.starts_with("test result:"));
    let told = told.with_context(|| format!("the tests in the guest did not end:\n{out}"))?;
    println!("{out}");
    ensure!(status == 0, "in the guest: {told}\n{out}\n{}", guest.console());
    // Tests that were skipped there would prove nothing.
    ensure!(told.contains(" 0 ignored"), "in the guest: {told}\n{out}");
    Ok(())
}
