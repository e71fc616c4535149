//! Destructive actions: carried out where the guest permits them, refused where it does not.

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;
use xtask::vm::guest::{Guest, GuestConfig};

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("destructive_clauses_are_refused_by_guests_that_do_not_permit_them", refused),
    ("destructive_actions_change_a_guest_that_permits_them", permitted),
];

fn refused(cluster: &mut Cluster) -> Result<()> {
    let script = r#"vm-web-0:syscall::getppid:entry /execname == "victim"/ { raise(9); }"#;
    let tracer = cluster.dtrace(&["-w", "-qEn", script])?;
    tracer.wait_for("a refusal that names the guest and the way out", |_, err| {
        err.contains("vm-web-0: not traced") && err.contains("destructive=1")
    })?;
    // Nobody raises anything: the victim is ended by `timeout`, with SIGTERM.
    let (status, _) = cluster.guest("vm-web-0")?.try_run("timeout 1 /opt/ht/victim")?;
    ensure!(status == 143 || status == 124, "the victim ended with {status}");
    tracer.interrupt()?;
    Ok(())
}

fn permitted(cluster: &mut Cluster) -> Result<()> {
    // Nothing else may write: what is changed is the first write that comes.
    let config = GuestConfig { destructive: true, workload: false, ..cluster.config("vm-harm-0") };
    let mut guest = Guest::boot(&cluster.image, config)?;
    killed(cluster, &mut guest)?;
    stopped(cluster, &mut guest)?;
    changed(cluster, &mut guest)?;
    chilled(cluster, &mut guest)?;
    ensure!(!guest.console().contains("BUG"), "{}", guest.console());
    Ok(())
}

/// `raise()` kills a process where it makes a system call.
fn killed(cluster: &Cluster, guest: &mut Guest) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-harm-0:syscall::getppid:entry /execname == "victim"/ { raise(9); }"#;
    let tracer = cluster.dtrace(&["-w", "-qEn", script])?;
    tracer.wait_out("ready\n")?;
    let (status, _) = guest.try_run("/opt/ht/victim")?;
    ensure!(status == 128 + 9, "the victim ended with {status}");
    tracer.interrupt()?.success()?;
    Ok(())
}

/// `stop()` stops it; it goes on when it is told to.
fn stopped(cluster: &Cluster, guest: &mut Guest) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-harm-0:syscall::getppid:entry /execname == "victim" && !done++/ { stop(); printf("stopped %d\n", pid); }"#;
    let tracer = cluster.dtrace(&["-w", "-qEn", script])?;
    tracer.wait_out("ready\n")?;
    guest.run("/opt/ht/victim > /dev/null 2>&1 & echo $! > /tmp/victim")?;
    tracer.wait_out("stopped ")?;
    let wait = "while ! grep -q 'State:.T' /proc/$(cat /tmp/victim)/status; do usleep 10000; done";
    guest.run(wait)?;
    guest.run("kill -CONT $(cat /tmp/victim)")?;
    guest.run("while grep -q 'State:.T' /proc/$(cat /tmp/victim)/status; do usleep 10000; done")?;
    guest.run("kill -9 $(cat /tmp/victim)")?;
    tracer.interrupt()?.success()?;
    Ok(())
}

/// `copyoutstr()` and `copyout()` change the process's memory, which it then prints.
fn changed(cluster: &Cluster, guest: &mut Guest) -> Result<()> {
    for (action, said) in [
        (r#"copyoutstr("changed!", arg1, 9);"#, "changed!"),
        (
            r#"this->word = (int *)alloca(4); *this->word = 0x64636261; copyout(this->word, arg1 + 4, 4);"#,
            "origabcd",
        ),
    ] {
        let script = format!(
            r#"BEGIN {{ printf("ready\n"); }}
            vm-harm-0:syscall::write:entry /execname == "workload" && !done++/ {{ {action} }}"#
        );
        let tracer = cluster.dtrace(&["-w", "-qEn", &script])?;
        tracer.wait_out("ready\n")?;
        let text = guest.run("workload say")?;
        let finished = tracer.interrupt()?.success()?;
        ensure!(text.trim() == said, "said {text}, wanted {said}:\n{}", finished.err);
    }
    Ok(())
}

/// `chill()` holds the CPU for as long as it says: a call that is chilled takes that much longer.
fn chilled(cluster: &Cluster, guest: &mut Guest) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-harm-0:syscall::getppid:entry /execname == "workload"/ { chill(2000000); }"#;
    let tracer = cluster.dtrace(&["-w", "-qEn", script])?;
    tracer.wait_out("ready\n")?;
    let ns: f64 = guest.run("workload getppids 20")?.trim().parse()?;
    ensure!(ns >= 2_000_000.0, "a chilled call took {ns} ns");
    tracer.interrupt()?.success()?;
    Ok(())
}
