//! Machines that do not allow everything: one line says what is missing and what it costs, and the
//! rest works.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::programs;

use crate::{Test, run_dir};

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("without_capabilities_one_line_says_so", without_capabilities),
    ("without_types_system_calls_are_traced", without_types),
];

/// Standard output and standard error of a shell's commands, in which `$D` is `dtrace`.
fn shell(wrapper: &[&str], commands: &str) -> Result<(String, String)> {
    let (program, arguments) = wrapper.split_first().context("no command")?;
    let output = Command::new(program)
        .args(arguments)
        .args(["sh", "-c", commands])
        .env("D", programs::path("dtrace"))
        .env("HYPERTRACE_DIR", run_dir()?)
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}

fn without_capabilities() -> Result<()> {
    let bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    let script = r#"exec "$D" -qn 'BEGIN { printf("begun\n"); } syscall::read:entry {} tick-10ms { exit(0); }' -Z"#;
    let (out, err) = shell(&bare, script)?;
    let lines: Vec<&str> = err.lines().filter(|line| line.contains("host:")).collect();
    ensure!(lines.len() == 1, "{err}");
    ensure!(lines.iter().all(|line| line.contains("CAP_BPF")), "{err}");
    ensure!(out.contains("begun"), "{out}{err}");
    Ok(())
}

fn without_types() -> Result<()> {
    let hidden = ["unshare", "--mount"];
    let script = r#"mount -t tmpfs none /sys/kernel/btf && exec "$D" -n 'syscall::write:entry /pid == $target/ { @ = count(); }' -c 'dd if=/dev/zero of=/dev/null bs=1 count=100 status=none'"#;
    let (out, err) = shell(&hidden, script)?;
    ensure!(err.contains("no BTF"), "{err}");
    ensure!(out.lines().any(|line| line.trim() == "100"), "{out}{err}");
    Ok(())
}
