//! Nothing is lost and nothing counted twice: what a script counted equals what guests know.

use anyhow::{Context as _, Result, ensure};
use e2e::cluster::Cluster;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("increments_of_one_global_from_all_guests_lose_none", increments),
    ("execs_are_counted_exactly", execs),
    ("system_call_arguments_and_results_are_the_real_ones", arguments),
];

/// How many calls each guest makes.
const CALLS: u64 = 20_000;

fn increments(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-*:syscall::getppid:entry /execname == "workload"/ { n++; @ = count(); }
        END { printf("n=%d\n", n); printa("count=%@d\n", @); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    cluster.run_in_all(&format!("workload getppids {CALLS} & workload getppids {CALLS}; wait"))?;
    let finished = tracer.interrupt()?.success()?;
    let total = CALLS * 2 * u64::try_from(cluster.guests.len())?;
    for wanted in [format!("n={total}\n"), format!("count={total}\n")] {
        ensure!(finished.out.contains(&wanted), "wanted {wanted}:\n{}", finished.out);
    }
    ensure!(!finished.err.contains("drop"), "drops:\n{}", finished.err);
    Ok(())
}

fn execs(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-*:proc:::exec-success /ppid == $1/ { @ = count(); }"#;
    let guest = cluster.guest("vm-web-1")?;
    // The shell that will fork the program becomes it, so its pid is known before.
    guest.run("rm -f /tmp/go /tmp/pid; (sh -c 'echo $$ > /tmp/pid; while [ ! -e /tmp/go ]; do usleep 10000; done; exec workload execs 150'; touch /tmp/ended) > /dev/null 2>&1 &")?;
    let pid = guest
        .run("rm -f /tmp/ended; while [ ! -s /tmp/pid ]; do usleep 10000; done; cat /tmp/pid")?;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script, pid.trim()])?;
    tracer.wait_out("ready\n")?;
    let guest = cluster.guest("vm-web-1")?;
    guest.run("touch /tmp/go; while [ ! -e /tmp/ended ]; do usleep 10000; done")?;
    let finished = tracer.interrupt()?.success()?;
    let count: u64 = finished
        .out
        .split_whitespace()
        .last()
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("no count:\n{}", finished.out))?;
    ensure!(count == 150, "150 programs were executed, {count} seen");
    Ok(())
}

fn arguments(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        vm-db-0:syscall::write:entry /pid == $1/ { printf("<%d %d>\n", arg0, arg2); }
        vm-db-0:syscall::write:return /pid == $1/ { printf("=%d\n", arg1); }"#;
    let guest = cluster.guest("vm-db-0")?;
    guest.run("rm -f /tmp/go /tmp/pid; sh -c 'echo $$ > /tmp/pid; while [ ! -e /tmp/go ]; do usleep 10000; done; echo twelve-bytes > /tmp/out' > /dev/null 2>&1 &")?;
    let pid = guest.run("while [ ! -s /tmp/pid ]; do usleep 10000; done; cat /tmp/pid")?;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script, pid.trim()])?;
    tracer.wait_out("ready\n")?;
    cluster.guest("vm-db-0")?.run("touch /tmp/go")?;
    tracer.wait_out("<1 13>\n=13\n")?;
    tracer.interrupt()?.success()?;
    Ok(())
}
