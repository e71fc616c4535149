//! `cargo xtask bench`: what a fire costs, case by case, beside the classic engine and our goals.
//!
//! Instructions are counted by callgrind in two runs of different length, so that start-up falls
//! out; they repeat. Nanoseconds are criterion's medians and are for orientation: these machines
//! are noisy. With `--guest`, a real guest under TCG measures what tracing costs its own loop.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::vm::guest::{Guest, GuestConfig};
use crate::vm::image::Image;
use crate::{bench_host, deps, paths, programs, run};

/// Rounds of the two counted runs: in the short one the clock finds out how fast the counter goes.
const SHORT: u64 = 20_000;
const LONG: u64 = 40_000;

/// System calls of one measurement in a guest.
const CALLS: u64 = 200_000;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Counts instructions only; criterion's part takes some minutes.
    #[arg(long)]
    counts_only: bool,
    /// Measures a getppid loop in a guest as well.
    #[arg(long)]
    guest: bool,
    /// Measures nothing but tracing of this machine's own kernel, beside bpftrace, which is
    /// installed if it is not there.
    #[arg(long)]
    host: bool,
    /// Only cases whose name contains this.
    filter: Option<String>,
}

/// Runs the benchmarks and prints one table.
///
/// # Errors
/// If something cannot be built or measured.
pub fn run(args: &Args) -> Result<()> {
    if args.host {
        return bench_host::run();
    }
    deps::ensure()?;
    cargo(&["build", "--release", "--package", "bench"])?;
    if !args.counts_only {
        let mut words = vec!["bench", "--package", "bench", "--bench", "fire", "--"];
        words.extend(args.filter.as_deref());
        cargo(&words)?;
    }
    println!(
        "{:<18} {:>8} {:>8} {:>8} {:>9}",
        "a fire of", "counted", "goal", "classic", "median ns"
    );
    for line in run::output(&mut Command::new(programs::path("bench")))?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [case, goal, classic] = words.as_slice() else { bail!("the cases' list has {line}") };
        if args.filter.as_ref().is_some_and(|filter| !case.contains(filter.as_str())) {
            continue;
        }
        let instructions = per_round(case)?;
        let median = if args.counts_only { None } else { median(case) };
        let median = median.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1}"));
        println!("{case:<18} {instructions:>8} {goal:>8} {classic:>8} {median:>9}");
    }
    for (case, goal) in [("dif-registers", "8"), ("dif-constants", "8"), ("dif-branches", "-")] {
        if args.filter.as_ref().is_none_or(|filter| case.contains(filter.as_str())) {
            let counted = per_thousand(case)?;
            let (whole, part) = (counted / 1000, counted % 1000);
            let counted = format!("{whole}.{part:03}");
            println!("{case:<18} {counted:>8} {goal:>8} {:>8} {:>9}", 30, "-");
        }
    }
    if args.guest { guest() } else { Ok(()) }
}

/// Instructions of a thousand DIF instructions, which is what a round of these cases is.
fn per_thousand(case: &str) -> Result<u64> {
    let [long, short] = [LONG, SHORT].map(|rounds| counted(&[], case, rounds));
    Ok((long?.saturating_sub(short?)) / (LONG - SHORT))
}

fn cargo(words: &[&str]) -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run::output(Command::new(program).current_dir(paths::root()).args(words))
}

/// Instructions of one round.
fn per_round(case: &str) -> Result<u64> {
    Ok((count(case, LONG)?.saturating_sub(count(case, SHORT)?)) / (LONG - SHORT))
}

/// Instructions of a whole run, from the shim's entry point to its return each time: neither the
/// guest's part, filling its descriptor, nor the loop.
fn count(case: &str, rounds: u64) -> Result<u64> {
    let mut toggles = vec![format!("--toggle-collect={ENTRY}")];
    toggles.extend(keeps_time_by_counter().then(|| format!("--toggle-collect={REDRAW}")));
    counted(&toggles, case, rounds)
}

/// Instructions between these toggles; of all the program, if there is none.
fn counted(toggles: &[String], case: &str, rounds: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(toggles)
        .arg(programs::path("bench"))
        .args([case, &rounds.to_string()])
        .output()
        .context("cannot run valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bench {} failed:\n{text}", case);
    let line = text.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    number.with_context(|| format!("callgrind counted nothing:\n{text}"))
}

/// Where counting begins and ends.
const ENTRY: &str = "shim::shim::Shim::handle";

/// Where it is interrupted: the clock looks at the kernel's some hundred times a second, and in
/// callgrind, which is slow, that would be every few fires.
const REDRAW: &str = "host::clock::counter::now_slowly";

/// Whether that is seldom: elsewhere it is every fire's.
fn keeps_time_by_counter() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc")
}

/// Criterion's median in nanoseconds.
fn median(case: &str) -> Option<f64> {
    let file: PathBuf =
        paths::target().join("criterion/fire").join(case).join("new/estimates.json");
    let text = std::fs::read_to_string(file).ok()?;
    let after = text.split("\"median\":").nth(1)?.split("\"point_estimate\":").nth(1)?;
    after.split([',', '}']).next()?.trim().parse().ok()
}

/// Nanoseconds of `getppid` in a guest: without the module, with it, and traced.
fn guest() -> Result<()> {
    programs::build()?;
    let image = Image::build()?;
    let run_dir = paths::vm().join("bench");
    let config = GuestConfig {
        run_dir: run_dir.clone(),
        workload: false,
        module: false,
        ..GuestConfig::new("vm-bench")
    };
    let mut guest = Guest::boot(&image, config)?;
    println!("\nns a getppid() in a guest under TCG, median of 5 loops of {CALLS}");
    println!("  {:<34} {:>8.1}", "no module", loops(&mut guest)?);
    guest.run("insmod /lib/modules/hypertrace.ko")?;
    println!("  {:<34} {:>8.1}", "module loaded, not traced", loops(&mut guest)?);
    for (what, script) in [
        ("traced, @ = count()", "vm-bench:syscall::getppid:entry { @ = count(); }"),
        (
            "traced, @[execname] = count()",
            "vm-bench:syscall::getppid:entry { @[execname] = count(); }",
        ),
        (
            "entry and return, quantize",
            "vm-bench:syscall::getppid:entry { self->t = timestamp; } vm-bench:syscall::getppid:return /self->t/ { @ = quantize(timestamp - self->t); self->t = 0; }",
        ),
        ("fbt entry, @ = count()", "vm-bench:fbt::*_sys_getppid:entry { @ = count(); }"),
        ("another system call traced", "vm-bench:syscall::sync:entry { @ = count(); }"),
    ] {
        let mut child = Command::new(programs::path("dtrace"))
            .args(["-qEn", &format!("BEGIN {{ printf(\"ready\\n\"); }} {script}")])
            .env("HYPERTRACE_DIR", &run_dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        output.read_line(&mut String::new())?;
        let time = loops(&mut guest)?;
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
        output.read_to_string(&mut String::new())?;
        child.wait()?;
        println!("  {what:<34} {time:>8.1}");
    }
    guest.run("rmmod hypertrace")?;
    println!("  {:<34} {:>8.1}", "module unloaded", loops(&mut guest)?);
    Ok(())
}

/// The median of five loops, in nanoseconds a call.
fn loops(guest: &mut Guest) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(guest.run(&format!("workload getppids {CALLS}"))?.trim().parse::<f64>()?);
    }
    times.sort_by(f64::total_cmp);
    times.get(2).copied().context("five runs")
}
