//! End-to-end tests: real guests in real QEMU, our module in each, and `dtrace` as a user runs it.
//!
//! The three guests are booted once, the tests run one after the other, and the guests go down
//! when the process ends.
#![forbid(unsafe_code)]

mod exact;
mod frames;
mod harm;
mod life;
mod mixed;
mod module;
mod restricted;
mod scripts;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use e2e::cluster::Cluster;
use libtest_mimic::{Arguments, Trial};

/// One test: it borrows the guests for its time.
type Test = fn(&mut Cluster) -> Result<()>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let tests: Vec<(&str, Test)> = [
        scripts::TESTS,
        exact::TESTS,
        mixed::TESTS,
        life::TESTS,
        module::TESTS,
        harm::TESTS,
        restricted::TESTS,
        frames::TESTS,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    if arguments.list {
        libtest_mimic::run(&arguments, trials(&tests, &Arc::new(Mutex::new(None)))).exit();
    }
    let cluster = match Cluster::boot() {
        Ok(cluster) => Arc::new(Mutex::new(Some(cluster))),
        Err(error) => {
            eprintln!("the guests did not come up: {error:?}");
            return ExitCode::FAILURE;
        }
    };
    let conclusion = libtest_mimic::run(&arguments, trials(&tests, &cluster));
    drop(cluster.lock().unwrap_or_else(PoisonError::into_inner).take());
    conclusion.exit_code()
}

fn trials(tests: &[(&'static str, Test)], cluster: &Arc<Mutex<Option<Cluster>>>) -> Vec<Trial> {
    let trial = |&(name, test): &(&'static str, Test)| {
        let cluster = Arc::clone(cluster);
        Trial::test(name, move || {
            let mut guard = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            let guests = guard.as_mut().ok_or("the guests are down")?;
            test(guests).map_err(|error| format!("{error:#}").into())
        })
    };
    tests.iter().map(trial).collect()
}
