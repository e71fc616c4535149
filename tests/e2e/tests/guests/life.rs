//! Who may come, go and die while a script runs.

use anyhow::{Result, bail, ensure};
use e2e::cluster::Cluster;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use xtask::vm::guest::Guest;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("interrupt_leaves_no_guest_instrumented", interrupt_restores),
    ("killed_dtrace_leaves_no_guest_instrumented", killed_dtrace),
    ("guest_started_after_the_script_is_traced", late_guest),
    ("killed_guest_leaves_the_others_traced", killed_guest),
    ("two_sessions_at_once_see_their_own", two_sessions),
    ("many_probes_come_and_go_under_load", many_probes),
    ("module_unloads_under_trace", module_unload),
    ("vcpu_goes_offline_and_comes_back_under_trace", cpu_hotplug),
    ("wrong_scripts_are_refused_with_the_usual_words", refusals),
];

/// Everything by which instrumentation shows in a guest.
const TRACES: &str = "cat /sys/kernel/tracing/enabled_functions | wc -l; \
                      cat /sys/kernel/debug/kprobes/list | wc -l; \
                      cat /sys/kernel/tracing/events/enable 2>/dev/null | head -1";

/// Bytes of a few functions and tracepoint keys as the guest has them now.
fn instrumentation(guest: &mut Guest) -> Result<String> {
    guest.run(TRACES)
}

/// Waits until a guest is as it was; a poll is 20 ms, but the machine may be busy, and ten thousand
/// functions take their time.
fn until_restored(guest: &mut Guest, before: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(100);
    loop {
        let now = instrumentation(guest)?;
        if now == before {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{} stays instrumented:\n{now}\nbefore:\n{before}", guest.name());
        }
    }
}

/// How often ten thousand probes are enabled and disabled.
const ROUNDS: usize = 3;

const BUSY: &str = r#"BEGIN { printf("ready\n"); }
    vm-*:fbt::vfs_*:entry, vm-*:fbt::vfs_*:return, vm-*:syscall:::entry, vm-*:sdt:::sched_switch { @[vmname, probefunc] = count(); }"#;

fn interrupt_restores(cluster: &mut Cluster) -> Result<()> {
    let before = instrumentation(cluster.guest("vm-web-0")?)?;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", BUSY])?;
    tracer.wait_out("ready\n")?;
    let during = instrumentation(cluster.guest("vm-web-0")?)?;
    ensure!(during != before, "the guest is not instrumented at all:\n{during}");
    tracer.interrupt()?.success()?;
    until_restored(cluster.guest("vm-web-0")?, &before)
}

fn killed_dtrace(cluster: &mut Cluster) -> Result<()> {
    let before = instrumentation(cluster.guest("vm-web-1")?)?;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", BUSY])?;
    tracer.wait_out("ready\n")?;
    tracer.signal(Signal::SIGKILL)?;
    tracer.finish()?;
    until_restored(cluster.guest("vm-web-1")?, &before)
}

fn killed_guest(cluster: &mut Cluster) -> Result<()> {
    let mut mortal = cluster.take_spare()?;
    let script = r#"vm-*:syscall:::entry { @[vmname] = count(); }
        vm-spare-0:proc:::exec { printf("mortal lives\n"); }
        vm-web-0:proc:::exec /gone/ { printf("web-0 goes on\n"); }
        tick-100ms { gone = 1; }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("mortal lives\n")?;
    mortal.kill()?;
    tracer.wait_for("a line about the guest's end", |_, err| err.contains("vm-spare-0"))?;
    tracer.wait_out("web-0 goes on\n")?;
    let finished = tracer.interrupt()?.success()?;
    for name in ["vm-spare-0", "vm-web-0", "vm-web-1", "vm-db-0"] {
        let row = finished.out.lines().find(|line| line.trim_start().starts_with(name));
        ensure!(row.is_some(), "{name}'s counts are lost:\n{}", finished.out);
    }
    Ok(())
}

fn late_guest(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); } vm-*:proc:::exec { printf("%s %s\n", vmname, stringof(args[0])); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    // The first that needs the spare guest: it is not up yet.
    let late = cluster.take_spare()?;
    tracer.wait_out("vm-spare-0 /opt/ht/hello\n")?;
    tracer.interrupt()?.success()?;
    cluster.keep_spare(late)
}

fn two_sessions(cluster: &mut Cluster) -> Result<()> {
    let execs = cluster.dtrace(&[
        "-x",
        "quiet",
        "-En",
        r#"vm-web-0:proc:::exec { printf("exec %s\n", stringof(args[0])); }"#,
    ])?;
    let calls = cluster.dtrace(&[
        "-x",
        "quiet",
        "-En",
        r#"vm-web-0:syscall::write:entry { printf("write by %s\n", execname); }"#,
    ])?;
    execs.wait_out("exec /opt/ht/hello\n")?;
    calls.wait_out("write by workload\n")?;
    let execs = execs.interrupt()?.success()?;
    ensure!(!execs.out.contains("write by"), "the other session's output:\n{}", execs.out);
    // The first session's end must not take the second one's probes away.
    let seen = calls.wait_for("more writes", {
        let marker = std::cell::Cell::new(0);
        move |out, _| {
            if marker.get() == 0 {
                marker.set(out.len());
            }
            out.len() > marker.get() + 100
        }
    });
    seen?;
    calls.interrupt()?.success()?;
    Ok(())
}

/// In QEMU's default mode, a thread a vCPU, where a stale translation of a breakpoint hung the guest;
/// see docs/decisions/stale-translations.md.
fn many_probes(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    let before = instrumentation(&mut guest)?;
    for _ in 0..ROUNDS {
        let script =
            r#"vm-spare-0:fbt::[a-h]*:entry { @ = count(); } BEGIN { printf("ready\n"); }"#;
        let tracer = cluster.dtrace(&["-En", script])?;
        tracer.wait_out("ready\n")?;
        guest.run("workload reads 100")?;
        let finished = tracer.interrupt()?.success()?;
        let matched: u64 = finished
            .err
            .split("matched ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        ensure!(matched >= 10_000, "only {matched} probes matched:\n{}", finished.err);
        until_restored(&mut guest, &before)?;
    }
    cluster.keep_spare(guest)
}

fn module_unload(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    let script = r#"vm-spare-0:syscall:::entry { @ = count(); } vm-spare-0:proc:::exec { printf("exec\n"); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("exec\n")?;
    guest.run("rmmod hypertrace")?;
    guest.run("workload reads 1000; workload execs 3")?;
    tracer.interrupt()?.success()?;
    guest.run("insmod /lib/modules/hypertrace.ko")?;
    let again = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    again.wait_out("exec\n")?;
    again.interrupt()?.success()?;
    cluster.keep_spare(guest)
}

fn cpu_hotplug(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    let script = r#"BEGIN { printf("ready\n"); } vm-spare-0:syscall:::entry { @[cpu] = count(); }
        vm-spare-0:fbt::vfs_*:entry { @calls = count(); } vm-spare-0:proc:::exec { printf("exec\n"); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    for _ in 0..3 {
        guest.run("echo 0 > /sys/devices/system/cpu/cpu1/online && workload reads 500")?;
        guest.run("echo 1 > /sys/devices/system/cpu/cpu1/online && workload reads 500")?;
    }
    tracer.wait_out("exec\n")?;
    tracer.interrupt()?.success()?;
    cluster.keep_spare(guest)
}

fn refusals(cluster: &mut Cluster) -> Result<()> {
    for (arguments, code, words) in [
        (&["-En", "vm-nobody:syscall:::entry"][..], 1, "does not match any probes"),
        (&["-n", "vm-web-0:syscall::read:entry"][..], 1, "-E"),
        (
            &["-En", "vm-web-0:fbt::vfs_read:entry { trace(curthread->no_such_member); }"][..],
            1,
            "no_such_member",
        ),
        (
            &["-En", "vm-web-0:syscall::read:entry { trace(undefined_thing); }"][..],
            1,
            "undefined_thing",
        ),
    ] {
        let finished = cluster.dtrace(arguments)?.finish()?;
        ensure!(finished.status.code() == Some(code), "{arguments:?}: {}", finished.status);
        ensure!(finished.err.contains(words), "{arguments:?}:\n{}", finished.err);
    }
    Ok(())
}
