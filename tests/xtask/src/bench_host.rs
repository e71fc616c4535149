//! `cargo xtask bench --host`: what tracing this machine's own kernel costs, beside bpftrace.
//!
//! A loop of read(2), write(2) and getppid(2) runs alone, under `dtrace` and under `bpftrace`, in
//! turn and several times, since the machine's speed wanders; the medians are shown. The tracer's
//! own CPU time is what `/proc` says of it, and what was lost is what it says itself, or, for one
//! line a call, how many lines are missing.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::vm::image;
use crate::{deps, paths, programs, run};

/// Rounds of the loop, of three calls each.
const ROUNDS: u64 = 300_000;

/// How often everything is measured.
const REPEATS: usize = 5;

/// How long a tracer may take to start or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// One question, put to both.
struct Case {
    name: &'static str,
    dtrace: &'static str,
    bpftrace: &'static str,
    /// It prints a line a call.
    prints: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "@[execname] = count()",
        dtrace: "syscall::read:entry, syscall::write:entry, syscall::getppid:entry { @[execname] = count(); }",
        bpftrace: "tracepoint:syscalls:sys_enter_read, tracepoint:syscalls:sys_enter_write, \
                   tracepoint:syscalls:sys_enter_getppid { @[comm] = count(); }",
        prints: false,
    },
    Case {
        name: "latency, quantize",
        dtrace: "syscall::read:entry, syscall::write:entry, syscall::getppid:entry { self->t = timestamp; } \
                 syscall::read:return, syscall::write:return, syscall::getppid:return /self->t/ \
                 { @[execname] = quantize(timestamp - self->t); self->t = 0; }",
        bpftrace: "tracepoint:syscalls:sys_enter_read, tracepoint:syscalls:sys_enter_write, \
                   tracepoint:syscalls:sys_enter_getppid { @t[tid] = nsecs; } \
                   tracepoint:syscalls:sys_exit_read, tracepoint:syscalls:sys_exit_write, \
                   tracepoint:syscalls:sys_exit_getppid /@t[tid]/ \
                   { @[comm] = hist(nsecs - @t[tid]); delete(@t[tid]); }",
        prints: false,
    },
    Case {
        name: "printf a call",
        dtrace: "syscall::read:entry, syscall::write:entry, syscall::getppid:entry /execname == \"workload\"/ \
                 { printf(\"%d %s\\n\", pid, execname); }",
        bpftrace: "tracepoint:syscalls:sys_enter_read, tracepoint:syscalls:sys_enter_write, \
                   tracepoint:syscalls:sys_enter_getppid /comm == \"workload\"/ \
                   { printf(\"%d %s\\n\", pid, comm); }",
        prints: true,
    },
];

/// What one run of one tracer showed.
#[derive(Clone, Copy, Default)]
struct Run {
    /// Nanoseconds a call.
    call: f64,
    /// The tracer's CPU time, in seconds.
    cpu: f64,
    /// Lines that are missing, in parts of those there should be.
    lost: f64,
}

/// Measures and prints one table.
///
/// # Errors
/// If something cannot be built, installed or run.
pub(crate) fn run() -> Result<()> {
    deps::ensure_packages(&["bpftrace"])?;
    programs::build()?;
    let dir = paths::vm().join("bench-host");
    fs::create_dir_all(&dir)?;
    let workload = dir.join("workload");
    image::compile("workload", &workload, &["-O2"])?;
    println!(
        "ns a call of read, write, getppid in turn; median of {REPEATS} runs of {} calls",
        3 * ROUNDS
    );
    println!(
        "{:<24} {:>9} | {:>9} {:>9} | {:>9} {:>9} | {:>9} {:>9}",
        "", "untraced", "dtrace", "bpftrace", "cpu s", "cpu s", "lost %", "lost %"
    );
    for case in CASES {
        let (mut alone, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..REPEATS {
            alone.push(Run { call: work(&workload)?, ..Run::default() });
            let script = format!("BEGIN {{ printf(\"ready\\n\"); }} {}", case.dtrace);
            let mut command = Command::new(programs::path("dtrace"));
            command.args(["-qn", &script]).env("HYPERTRACE_DIR", &dir);
            ours.push(traced(&mut command, &dir, &workload, case.prints)?);
            let script = format!("BEGIN {{ printf(\"ready\\n\"); }} {}", case.bpftrace);
            // bpftrace finds no system calls unless tracefs is mounted; it need not stay so.
            let mounted = "mount -t tracefs tracefs /sys/kernel/tracing; exec bpftrace -e \"$0\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", mounted, &script]);
            theirs.push(traced(&mut command, &dir, &workload, case.prints)?);
        }
        let [ours_call, theirs_call] = [&ours, &theirs].map(|runs| median(runs, |run| run.call));
        let [ours_cpu, theirs_cpu] = [&ours, &theirs].map(|runs| median(runs, |run| run.cpu));
        let [ours_lost, theirs_lost] = [&ours, &theirs].map(|runs| median(runs, |run| run.lost));
        println!(
            "{:<24} {:>9.1} | {ours_call:>9.1} {theirs_call:>9.1} | {ours_cpu:>9.2} {theirs_cpu:>9.2} | {:>9.1} {:>9.1}",
            case.name,
            median(&alone, |run| run.call),
            100.0 * ours_lost,
            100.0 * theirs_lost,
        );
    }
    Ok(())
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs the loop once; nanoseconds a call.
fn work(workload: &Path) -> Result<f64> {
    let text = run::output(Command::new(workload).args(["calls", &ROUNDS.to_string()]))?;
    Ok(text.trim().parse()?)
}

/// Runs the loop under a tracer that says `ready` on its standard output.
fn traced(command: &mut Command, dir: &Path, workload: &Path, prints: bool) -> Result<Run> {
    let out = dir.join("out");
    let tracer = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(dir.join("err"))?);
    let mut tracer = Stopped(tracer.spawn().context("cannot start the tracer")?);
    wait_ready(&out, &mut tracer.0)?;
    let before = cpu_time(tracer.0.id())?;
    let call = work(workload)?;
    // What is on its way is the tracer's work, too.
    let mut cpu = cpu_time(tracer.0.id())? - before;
    let settled = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(1500));
        let now = cpu_time(tracer.0.id())? - before;
        if now - cpu < 0.1 || settled.elapsed() > LIMIT {
            break;
        }
        cpu = now;
    }
    kill(Pid::from_raw(i32::try_from(tracer.0.id())?), Signal::SIGINT)?;
    tracer.0.wait()?;
    let lost = if prints { missing(&out)? } else { 0.0 };
    Ok(Run { call, cpu, lost })
}

/// Kills the tracer if the measurement fails.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It has ended already when all went well.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn wait_ready(out: &Path, tracer: &mut Child) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if fs::read_to_string(out)?.contains("ready") {
            return Ok(());
        }
        let gone = tracer.try_wait()?.is_some();
        let err = out.with_file_name("err");
        ensure!(!gone && Instant::now() < deadline, "the tracer: {}", fs::read_to_string(err)?);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Seconds of CPU a process has used, user and system.
fn cpu_time(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat")))?;
    let fields = stat.rsplit_once(')').context("no name in stat")?.1;
    let ticks: f64 = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    let hertz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok(ticks / f64::from(i32::try_from(hertz)?))
}

/// Which part of the lines is not there.
fn missing(out: &Path) -> Result<f64> {
    let mut found = 0_u32;
    for line in BufReader::new(File::open(out)?).lines() {
        if line?.ends_with(" workload") {
            found += 1;
        }
    }
    let expected = f64::from(u32::try_from(3 * ROUNDS)?);
    Ok((expected - f64::from(found).min(expected)) / expected)
}
