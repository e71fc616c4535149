//! Nothing is left behind, nothing is lost without a word: a killed tracer, CPUs that come and go,
//! a session too large for the kernel, functions by the hundred, all system calls at once.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ebpf::sys::{Object, objects};
use nix::sys::signal::Signal;
use xtask::programs;

use crate::scripts::{copy, number};
use crate::{Test, dtrace, run_dir, traced};

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_killed_tracer_leaves_nothing_in_the_kernel", killed),
    ("cpus_that_go_and_come_are_traced", cpus),
    ("a_session_too_large_for_the_kernel_is_one_line", too_large),
    ("a_kernel_without_memory_for_maps_is_one_line", no_memory),
    ("functions_are_probed_where_the_kernel_can", functions),
    ("sums_of_all_system_calls_agree", stress),
];

/// Everything that BPF has in the kernel now.
fn in_kernel() -> Result<BTreeSet<(Object, u32)>> {
    let mut all = BTreeSet::new();
    for kind in [Object::Program, Object::Map, Object::Types, Object::Link] {
        all.extend(objects(kind)?.into_iter().map(|number| (kind, number)));
    }
    Ok(all)
}

fn killed() -> Result<()> {
    let before = in_kernel()?;
    let script = "BEGIN { printf(\"ready\\n\"); } syscall:::entry { @ = count(); } \
                  profile-97 { @p = count(); } sched:::on-cpu { @s = count(); }";
    let tracer = dtrace(&["-qn", script])?;
    tracer.wait_out("ready")?;
    let made: BTreeSet<_> = in_kernel()?.difference(&before).copied().collect();
    for kind in [Object::Program, Object::Map, Object::Types, Object::Link] {
        ensure!(made.iter().any(|(one, _)| *one == kind), "no {kind:?} is in the kernel: {made:?}");
    }
    tracer.signal(Signal::SIGKILL)?;
    ensure!(!tracer.finish()?.status.success());
    // The kernel frees them once no CPU can be in a program.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let left: Vec<_> = in_kernel()?.intersection(&made).copied().collect();
        if left.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "left in the kernel: {left:?}");
        std::thread::yield_now();
    }
}

/// Turns a CPU on or off; `false` if this machine cannot.
fn switch(cpu: u32, on: bool) -> bool {
    fs::write(format!("/sys/devices/system/cpu/cpu{cpu}/online"), if on { "1" } else { "0" })
        .is_ok()
}

/// While a profile runs, CPU 1 goes and comes back: it is sampled again, and nothing is counted
/// twice or lost meanwhile.
fn cpus() -> Result<()> {
    const WRITES: u32 = 20_000;
    if !switch(1, false) {
        println!("no CPU can be taken from this machine: its kernel says no");
        return Ok(());
    }
    ensure!(switch(1, true), "CPU 1 does not come back");
    let script = r#"BEGIN { printf("ready\n"); }
        profile-97 /cpu == 1 && !gone/ { printf("seen on 1\n"); gone = 1; }
        profile-97 /cpu == 1 && back/ { printf("seen again\n"); back = 0; }
        syscall::getpgid:entry /pid == $1/ { back = 1; }
        syscall::write:entry /execname == "dd"/ { n++; @ = count(); }
        END { printf("n %d\n", n); printa("count %@d\n", @); }"#;
    let own = std::process::id().to_string();
    let tracer = dtrace(&["-qn", script, &own])?;
    tracer.wait_out("seen on 1")?;
    ensure!(switch(1, false), "CPU 1 does not go");
    let line = copy(WRITES);
    let words: Vec<&str> = line.split(' ').collect();
    let (program, arguments) = words.split_first().context("a command")?;
    ensure!(Command::new(program).args(arguments).status()?.success());
    ensure!(switch(1, true), "CPU 1 does not come back");
    ensure!(Command::new(program).args(arguments).status()?.success());
    nix::unistd::getpgid(None)?;
    tracer.wait_out("seen again")?;
    let finished = tracer.interrupt()?.success()?;
    let (n, count) = (number(&finished.out, &["n"])?, number(&finished.out, &["count"])?);
    // A call that comes while the profile fires on its CPU is lost, and said.
    let told: u64 = finished
        .err
        .lines()
        .filter(|line| line.contains("fired while another did"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    let expected = u64::from(WRITES) * 2;
    ensure!(
        n == count && n <= expected && n + told >= expected,
        "{}{}",
        finished.out,
        finished.err
    );
    Ok(())
}

/// All of the arena is the kernel's memory: what cannot be had is said, and how to mend it.
fn too_large() -> Result<()> {
    let finished =
        dtrace(&["-b", "4g", "-x", "bufresize=manual", "-n", "syscall::read:entry { trace(1); }"])?
            .finish()?;
    ensure!(finished.status.code() == Some(1), "{}{}", finished.out, finished.err);
    let last = finished.err.lines().last().unwrap_or_default();
    ensure!(last.starts_with("dtrace: ") && last.contains("bufsize"), "{}", finished.err);
    Ok(())
}

/// A cgroup that has 64 MiB: the kernel charges maps to it. `D` is `dtrace`.
const POOR: &str = r#"
    for g in /sys/fs/cgroup /tmp/ht-cgroup; do
        [ -e $g/cgroup.controllers ] && break
        mkdir -p $g && mount -t cgroup2 none $g && break
    done
    echo +memory > $g/cgroup.subtree_control || { echo NO-CGROUP; exit 0; }
    mkdir -p $g/ht-poor && echo 64M > $g/ht-poor/memory.max || { echo NO-CGROUP; exit 0; }
    (echo 0 > $g/ht-poor/cgroup.procs; exec "$D" -b 60m -x bufresize=manual -qn 'syscall::read:entry { trace(1); } tick-1s { exit(0); }')
    echo "status $?"
    rmdir $g/ht-poor"#;

/// A kernel that cannot give a map its memory says so, and we say what would help.
fn no_memory() -> Result<()> {
    let output = Command::new("sh")
        .args(["-c", POOR])
        .env("D", programs::path("dtrace"))
        .env("HYPERTRACE_DIR", run_dir()?)
        .output()?;
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    if out.contains("NO-CGROUP") {
        println!("no cgroup limits memory here: {}", err.trim());
        return Ok(());
    }
    ensure!(out.contains("status 1"), "{out}{err}");
    let line = err.lines().find(|line| line.contains("no memory for the session's"));
    ensure!(line.is_some_and(|line| line.contains("lower bufsize")), "{out}{err}");
    Ok(())
}

/// Whether this kernel has kprobes.
fn has_kprobes() -> bool {
    fs::exists("/sys/bus/event_source/devices/kprobe/type").unwrap_or(false)
}

fn functions() -> Result<()> {
    if !has_kprobes() {
        // Then there is no fbt, and asking for it says so.
        let finished = dtrace(&["-n", "fbt::vfs_read:entry"])?.finish()?;
        ensure!(finished.err.contains("does not match any probes"), "{}", finished.err);
        return Ok(());
    }
    let script = "fbt::vfs_write:entry /pid == $target/ { self->n = (int)args[2]; @in = sum(args[2]); } \
                  fbt::vfs_write:return /self->n/ { @out = sum((int)arg1); self->n = 0; } \
                  fbt::vfs_write:entry /pid == $target/ { @[stack(2)] = count(); } \
                  END { printa(\"in %@d\\n\", @in); printa(\"out %@d\\n\", @out); printa(@); }";
    let finished = traced(&["-qn", script, "-c", &copy(5_000)])?;
    ensure!(number(&finished.out, &["in"])? == 5_000, "{}", finished.out);
    ensure!(number(&finished.out, &["out"])? == 5_000, "{}", finished.out);
    ensure!(finished.out.contains("vmlinux`ksys_write+"), "{}", finished.out);
    // A star's hundreds of functions share one program.
    let script = "fbt::vfs_*: /pid == $target/ { @[probefunc, probename] = count(); }";
    let finished = traced(&["-n", script, "-c", &copy(1_000)])?;
    ensure!(number(&finished.out, &["vfs_write", "entry"])? == 1_000, "{}", finished.out);
    ensure!(number(&finished.out, &["vfs_write", "return"])? == 1_000, "{}", finished.out);
    Ok(())
}

/// How long the stress test runs: `HYPERTRACE_STRESS=60s` makes it a minute.
fn duration() -> String {
    std::env::var("HYPERTRACE_STRESS").unwrap_or_else(|_| "3s".to_owned())
}

/// Every system call of the machine, on all CPUs, in one global, in one aggregation and in one by
/// call: three ways to the same number.
fn stress() -> Result<()> {
    let length = duration();
    let script = format!(
        r#"BEGIN {{ printf("ready\n"); }}
        syscall:::entry {{ n++; @all = count(); @[probefunc] = count(); }}
        profile-997 {{ p++; @clock = count(); }}
        tick-{length} {{ exit(0); }}
        END {{ printf("n %d\np %d\n", n, p); printa("all %@d\n", @all); printa("clock %@d\n", @clock); printa("by %@d\n", @); }}"#
    );
    let tracer = dtrace(&["-x", "aggsize=4m", "-qn", &script])?;
    tracer.wait_out("ready")?;
    let busy = || Command::new("dd").args(["if=/dev/zero", "of=/dev/null", "bs=1"]).spawn();
    let mut children = [busy()?, busy()?];
    let finished = tracer.finish();
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    let finished = finished?.success()?;
    let calls = number(&finished.out, &["n"])?;
    let each =
        finished.out.lines().filter_map(|line| line.strip_prefix("by ")?.parse::<u64>().ok());
    ensure!(calls == number(&finished.out, &["all"])?, "{}{}", finished.out, finished.err);
    ensure!(calls == each.sum::<u64>(), "{}{}", finished.out, finished.err);
    let samples = number(&finished.out, &["p"])?;
    ensure!(samples == number(&finished.out, &["clock"])?, "{}{}", finished.out, finished.err);
    ensure!(calls > 10_000 && samples > 100, "{}", finished.out);
    println!("{length}: {calls} calls, {samples} samples; {}", finished.err.trim());
    Ok(())
}
