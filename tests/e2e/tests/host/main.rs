//! End-to-end tests on this machine itself: `dtrace` as a user runs it, on the kernel that runs it.
//!
//! Where programs may not be run in the kernel (no privilege, a lockdown), the tests are skipped
//! and the reason is printed.
#![forbid(unsafe_code)]

mod inside;
mod privilege;
mod programs;
mod safety;
mod scripts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use e2e::tracer::{Finished, Tracer};
use libtest_mimic::{Arguments, Trial};
use xtask::paths;

/// One test.
type Test = fn() -> Result<()>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests trace all of the machine, each other included.
    arguments.test_threads = Some(1);
    let skipped = if arguments.list { None } else { unable() };
    if let Some(reason) = &skipped {
        println!("skipped, since this machine cannot be traced: {reason}");
    }
    let tests =
        [scripts::TESTS, programs::TESTS, privilege::TESTS, safety::TESTS].into_iter().flatten();
    let mut trials: Vec<Trial> =
        tests.map(|&(name, test)| trial(name, test).with_ignored_flag(skipped.is_some())).collect();
    // All of these again under TCG takes minutes: when asked for.
    let wanted = std::env::var_os("HYPERTRACE_HOST_IN_GUEST").is_some();
    if wanted && std::env::var_os(inside::MARK).is_none() {
        trials.push(trial("the_same_tests_pass_in_a_guest_that_plays_the_host", inside::suite));
        trials.push(trial("a_kernel_that_is_locked_down_says_so", inside::locked_down));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, test: Test) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

/// Why the tests cannot run here.
fn unable() -> Option<String> {
    let listed = dtrace(&["-ln", "syscall::read:entry"]).and_then(Tracer::finish);
    match listed {
        Ok(finished) if finished.out.contains("read entry") => None,
        Ok(finished) => Some(finished.err),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// A run directory without any VM in it.
fn run_dir() -> Result<PathBuf> {
    let dir = paths::vm().join("host-e2e");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Starts `dtrace`.
fn dtrace(arguments: &[&str]) -> Result<Tracer> {
    Tracer::start(&run_dir()?, arguments)
}

/// Runs `dtrace` to its end, which must be a good one.
fn traced(arguments: &[&str]) -> Result<Finished> {
    let finished = dtrace(arguments)?.finish()?.success()?;
    ensure!(!finished.err.contains("drop"), "something was lost:\n{}", finished.err);
    Ok(finished)
}
