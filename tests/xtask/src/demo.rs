//! `cargo xtask demo`: the main job on real guests.
//!
//! Builds everything, boots three guests with a workload, runs two scripts over them for a few
//! seconds each and shows what they print. A guest that does not come up or a script that sees
//! nothing makes the demo fail. The guests are children of this process and die with it.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::vm::guest::{Guest, GuestConfig};
use crate::vm::image::Image;
use crate::{deps, paths, programs};

/// The guests of the demo.
const GUESTS: &[&str] = &["vm-web-0", "vm-web-1", "vm-db-0"];

/// The scripts, as the README shows them.
const SCRIPTS: &[&str] = &[
    r#"vm-*:proc:::exec { printf("%s: user = %u, gid = %u: %s\n", vmname, uid, gid, stringof(args[0])); }"#,
    "vm-*:io:::start { @[vmname, immstack()] = count(); }",
];

/// Lines of one script's output that are shown before the rest is only counted.
const SHOWN: usize = 40;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Args {
    /// How long each script runs, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

/// Runs the demo.
///
/// # Errors
/// If anything cannot be built or booted, or a script fails or sees nothing.
pub fn run(args: &Args) -> Result<()> {
    let run_dir = paths::vm().join("demo");
    let guests = boot(&run_dir)?;
    for script in SCRIPTS {
        trace(script, Duration::from_secs(args.seconds), &run_dir)?;
    }
    drop(guests);
    println!("\nThe guests are down again. `cargo xtask vm up NAME…` starts some that stay.");
    Ok(())
}

fn boot(run_dir: &Path) -> Result<Vec<Guest>> {
    step("installing packages", deps::ensure)?;
    step("building dtrace, hypertrace and the QEMU plugin", programs::build)?;
    let image = step("building the guest module and the image", Image::build)?;
    step("booting three guests", || {
        let config =
            |name: &&str| GuestConfig { run_dir: run_dir.into(), ..GuestConfig::new(name) };
        let mut guests = GUESTS
            .iter()
            .map(|name| Guest::start(&image, config(name)))
            .collect::<Result<Vec<_>>>()?;
        guests.iter_mut().try_for_each(Guest::wait_ready)?;
        Ok(guests)
    })
}

/// Shows a spinner while a step runs, and how long it took.
fn step<T>(what: &'static str, job: impl FnOnce() -> Result<T>) -> Result<T> {
    let bar = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let started = Instant::now();
    let result = job().with_context(|| format!("{what} failed"));
    bar.finish_and_clear();
    if result.is_ok() {
        println!("{what}: {:.1} s", started.elapsed().as_secs_f64());
    }
    result
}

/// Runs one script, interrupts it as a user would with Ctrl-C, and shows what it printed.
fn trace(script: &str, time: Duration, run_dir: &Path) -> Result<()> {
    println!("\n# dtrace -x quiet -En '{script}'");
    let mut child = Command::new(programs::path("dtrace"))
        .args(["-x", "quiet", "-En", script])
        .env("HYPERTRACE_DIR", run_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start dtrace")?;
    let (lines, shown) = channel();
    let stdout = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || forward(BufReader::new(stdout), &lines));
    let mut seen = 0_usize;
    let mut show = |line: &str| {
        seen += usize::from(!line.trim().is_empty());
        if seen <= SHOWN {
            println!("{line}");
        }
    };
    let deadline = Instant::now() + time;
    loop {
        match shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => show(&line),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => bail!("{}", early_end(&mut child)?),
        }
    }
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
    shown.iter().for_each(|line| show(&line));
    if reader.join().is_err() {
        bail!("the thread that reads dtrace's output panicked");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("dtrace ended with {status}");
    }
    if seen == 0 {
        bail!("the script saw nothing");
    }
    if seen > SHOWN {
        println!("… and {} lines more", seen - SHOWN);
    }
    Ok(())
}

fn forward(reader: impl std::io::BufRead, lines: &Sender<String>) {
    for line in reader.lines().map_while(Result::ok) {
        if lines.send(line).is_err() {
            return;
        }
    }
}

fn early_end(child: &mut Child) -> Result<String> {
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut errors)?;
    }
    Ok(format!("dtrace ended early ({}):\n{errors}", child.wait()?))
}
