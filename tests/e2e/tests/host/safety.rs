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
    ("a_probe_in_our_own_programs_helper_is_left_out_and_told", recursion),
    ("interrupts_that_cannot_be_masked_are_traced", unmaskable),
    ("a_full_buffer_loses_what_it_says", full),
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
    let told = nested(&finished.err);
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
    ensure!(
        last.starts_with("dtrace: ") && last.contains("Cannot allocate memory"),
        "{}",
        finished.err
    );
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

/// How many times a probe fired while another did on its CPU, by what `dtrace` said.
fn nested(err: &str) -> u64 {
    let told = err.lines().filter(|line| line.contains("fired while another did"));
    told.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

/// Whether the kernel has a tracepoint.
fn has_tracepoint(name: &str) -> Result<bool> {
    let listed = dtrace(&["-ln", &format!("sdt:::{name}")])?.finish()?;
    Ok(listed.out.contains(name))
}

/// A clause's copyinstr() of memory that is not there faults inside the kernel, which is a probe,
/// too: that one finds its CPU busy. It is counted, and nothing hangs or is lost otherwise.
fn recursion() -> Result<()> {
    const CALLS: u64 = 100;
    if !has_tracepoint("page_fault_kernel")? {
        println!("this kernel has no tracepoint for its page faults");
        return Ok(());
    }
    let script = r#"BEGIN { printf("ready\n"); }
        sdt:::page_fault_kernel { @faults = count(); }
        syscall::getpgid:entry /pid == $1/ { n++; s = copyinstr(4096); never++; }
        ERROR { errors++; }
        END { printf("n %d\nerrors %d\nnever %d\n", n, errors, never); }"#;
    let own = std::process::id().to_string();
    let tracer = dtrace(&["-qn", script, &own])?;
    tracer.wait_out("ready")?;
    for _ in 0..CALLS {
        nix::unistd::getpgid(None)?;
    }
    let finished = tracer.interrupt()?.success()?;
    let (n, errors) = (number(&finished.out, &["n"])?, number(&finished.out, &["errors"])?);
    ensure!(n == CALLS && errors == CALLS, "{}{}", finished.out, finished.err);
    ensure!(number(&finished.out, &["never"])? == 0, "{}", finished.out);
    ensure!(nested(&finished.err) >= CALLS, "{}{}", finished.out, finished.err);
    Ok(())
}

/// Probes fire in an NMI, also in one that comes while another probe fires, as the kernel sends
/// them to have every CPU show what it does (sysrq's `l`).
fn unmaskable() -> Result<()> {
    if !has_tracepoint("nmi_handler")? || fs::write("/proc/sysrq-trigger", "l").is_err() {
        println!("no NMI can be asked for here");
        return Ok(());
    }
    let script = r#"BEGIN { printf("ready\n"); }
        sdt:::nmi_handler { nmis++; @nmi = count(); }
        sdt:::nmi_handler /!seen/ { printf("nmi\n"); seen = 1; }
        syscall:::entry { n++; @all = count(); }
        END { printf("n %d\nnmis %d\n", n, nmis); printa("all %@d\n", @all); printa("nmi-count %@d\n", @nmi); }"#;
    let tracer = dtrace(&["-qn", script])?;
    tracer.wait_out("ready")?;
    let mut busy = Command::new("dd").args(["if=/dev/zero", "of=/dev/null", "bs=1"]).spawn()?;
    for _ in 0..50 {
        fs::write("/proc/sysrq-trigger", "l")?;
    }
    tracer.wait_out("nmi\n")?;
    busy.kill()?;
    busy.wait()?;
    let finished = tracer.interrupt()?.success()?;
    let is = |what: &str| number(&finished.out, &[what]);
    ensure!(is("n")? == is("all")?, "{}{}", finished.out, finished.err);
    ensure!(is("nmis")? == is("nmi-count")? && is("nmis")? > 0, "{}{}", finished.out, finished.err);
    println!("{} NMIs, {} fires inside others", is("nmis")?, nested(&finished.err));
    Ok(())
}

/// What was printed and what was said to be lost are together what happened.
fn full() -> Result<()> {
    const CALLS: u32 = 20_000;
    let script =
        r#"syscall::write:entry /pid == $target && arg0 == 1/ { printf("write %s\n", execname); }"#;
    let arguments = ["-b", "4k", "-x", "bufresize=manual", "-qn", script, "-c", &copy(CALLS)];
    let finished = dtrace(&arguments)?.finish()?.success()?;
    let printed = finished.out.lines().filter(|line| *line == "write dd").count();
    let lost: usize = finished
        .err
        .lines()
        .filter(|line| line.contains("drops on CPU") || line.contains("drop on CPU"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
        .sum();
    ensure!(lost > 0, "nothing was lost: {}", finished.err);
    ensure!(printed + lost == usize::try_from(CALLS)?, "{printed} and {lost}: {}", finished.err);
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
