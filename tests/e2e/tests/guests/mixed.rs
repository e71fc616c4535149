//! The host in the same script as the guests: one global, one aggregation, one output.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::cluster::{Cluster, NAMES};

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("writes_of_host_and_guests_are_counted_in_one_global", writes),
    ("execs_of_the_host_are_shown_between_the_guests", execs),
    ("sums_over_host_and_guests_agree_under_load", stress),
];

/// The host's own busy program; ends when dropped.
struct Busy(Child);

impl Busy {
    fn start() -> Result<Self> {
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none"]);
        Ok(Self(command.stderr(Stdio::null()).spawn()?))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It cannot have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The numbers behind a machine's name in lines `word name number`.
fn of_machine(out: &str, word: &str, name: &str) -> Result<u64> {
    let start = format!("{word} {name} ");
    let line = out.lines().find_map(|line| line.strip_prefix(&start));
    Ok(line.with_context(|| format!("no {start:?} in\n{out}"))?.trim().parse()?)
}

/// The number in the line that starts with a word.
fn of_all(out: &str, word: &str) -> Result<u64> {
    let line = out.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {word} in\n{out}"))?.trim().parse()?)
}

fn machines() -> impl Iterator<Item = &'static str> {
    std::iter::once("host").chain(NAMES)
}

/// The script as the project promises it, with a count beside each sum.
fn writes(cluster: &mut Cluster) -> Result<()> {
    const COUNT: u32 = 50_000;
    let script = r#"BEGIN { printf("ready\n"); }
        host:syscall::write:entry, vm-*:syscall::write:entry { n++; @[vmname] = sum(arg2); @c[vmname] = count(); }
        END { printf("%d writes on all machines\n", n); printa("sum %s %@d\n", @); printa("count %s %@d\n", @c); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    let copy = ["if=/dev/zero", "of=/dev/null", "bs=1", "status=none", &format!("count={COUNT}")];
    let children: Vec<Child> =
        (0..2).map(|_| Command::new("dd").args(copy).spawn()).collect::<Result<_, _>>()?;
    cluster.run_in_all("dd if=/dev/zero of=/dev/null bs=1 count=3000 2>/dev/null")?;
    for mut child in children {
        ensure!(child.wait()?.success());
    }
    let finished = tracer.interrupt()?.success()?;
    let total = finished
        .out
        .lines()
        .find_map(|line| line.strip_suffix(" writes on all machines")?.parse::<u64>().ok())
        .with_context(|| format!("no total:\n{}", finished.out))?;
    let counts = machines()
        .map(|name| of_machine(&finished.out, "count", name))
        .collect::<Result<Vec<_>>>()?;
    ensure!(total == counts.iter().sum::<u64>(), "{}{}", finished.out, finished.err);
    ensure!(
        of_machine(&finished.out, "count", "host")? >= u64::from(2 * COUNT),
        "{}",
        finished.out
    );
    for name in machines() {
        let (sum, count) =
            (of_machine(&finished.out, "sum", name)?, of_machine(&finished.out, "count", name)?);
        ensure!(count >= 3000 && sum >= 3000, "{name}:\n{}", finished.out);
    }
    ensure!(!finished.err.contains("drop"), "drops:\n{}", finished.err);
    Ok(())
}

fn execs(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        *:proc:::exec { printf("%s: user = %u, gid = %u: %s\n", vmname, uid, gid, stringof(args[0])); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    tracer.wait_out("vm-db-0: user = 1000, gid = 1000: /opt/ht/hello\n")?;
    ensure!(Command::new("/usr/bin/true").status()?.success());
    let ours = "host: user = 0, gid = 0: /usr/bin/true\n";
    tracer.wait_for("guests before and after the host", |out, _| {
        let Some((before, after)) = out.split_once(ours) else { return false };
        NAMES.iter().any(|name| before.contains(&format!("{name}: ")))
            && NAMES.iter().all(|name| after.contains(&format!("{name}: ")))
    })?;
    tracer.interrupt()?.success()?;
    Ok(())
}

/// How long the stress test runs: `HYPERTRACE_STRESS=60s` makes it a minute.
fn duration() -> String {
    std::env::var("HYPERTRACE_STRESS").unwrap_or_else(|_| "3s".to_owned())
}

/// Every system call of every machine, while they have work: three ways to the same number. What
/// is lost is said.
fn stress(cluster: &mut Cluster) -> Result<()> {
    let length = duration();
    let script = format!(
        r#"BEGIN {{ printf("ready\n"); }}
        *:syscall:::entry {{ n++; @all = count(); @m[vmname] = count(); @f[vmname, probefunc] = count(); }}
        tick-{length} {{ exit(0); }}
        END {{ printf("n %d\n", n); printa("all %@d\n", @all); printa("machine %s %@d\n", @m);
            printa("call %s %s %@d\n", @f); }}"#
    );
    let tracer = cluster.dtrace(&["-x", "quiet", "-x", "aggsize=4m", "-En", &script])?;
    tracer.wait_out("ready\n")?;
    let busy = Busy::start()?;
    let finished = tracer.finish_within(std::time::Duration::from_secs(180));
    drop(busy);
    let finished = finished?.success()?;
    let out = &finished.out;
    let total = of_all(out, "n")?;
    ensure!(total == of_all(out, "all")?, "{out}{}", finished.err);
    let mut sum = 0;
    for name in machines() {
        let count = of_machine(out, "machine", name)?;
        let start = format!("call {name} ");
        let calls = out.lines().filter_map(|line| {
            line.strip_prefix(&start)?.split_whitespace().last()?.parse::<u64>().ok()
        });
        ensure!(count > 0 && count == calls.sum::<u64>(), "{name}:\n{out}{}", finished.err);
        sum += count;
    }
    ensure!(total == sum, "{total} and {sum}:\n{out}{}", finished.err);
    println!("{length}: {total} system calls on {} machines", machines().count());
    machines().try_for_each(|name| -> Result<()> {
        println!("  {name:<10} {}", of_machine(out, "machine", name)?);
        Ok(())
    })?;
    println!("  told: {:?}", finished.err.trim());
    Ok(())
}
