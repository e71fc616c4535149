//! Counts instructions a translation with callgrind and prints them beside nanoseconds.
//!
//! Each case runs in two processes under callgrind, the second with more rounds; the difference is
//! what the rounds cost, without start and set-up. The nanoseconds are medians of interleaved runs:
//! the machines this is run on slip into slower states for seconds.

use std::process::{Command, ExitCode};
use std::time::Instant;

use bench_npt::{Case, Machine};

const FEW: u64 = 4096;
const MANY: u64 = 3 * 4096;

fn counted(case: usize, rounds: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([case.to_string(), rounds.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stderr).ok()?;
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Medians, in nanoseconds a translation.
fn timed(machine: &Machine) -> Vec<f64> {
    const ROUNDS: u64 = 32 * 4096;
    let mut samples = vec![Vec::new(); Case::ALL.len()];
    for _ in 0..41 {
        for (case, samples) in Case::ALL.into_iter().zip(&mut samples) {
            let start = Instant::now();
            std::hint::black_box(machine.run(case, ROUNDS));
            samples.push(start.elapsed().as_nanos() as f64 / ROUNDS as f64);
        }
    }
    samples
        .into_iter()
        .map(|mut one| {
            one.sort_by(f64::total_cmp);
            one[one.len() / 2]
        })
        .collect()
}

fn main() -> ExitCode {
    let machine = Box::leak(Box::new(Machine::new()));
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    if let [case, rounds] = numbers[..] {
        std::hint::black_box(machine.run(Case::ALL[case as usize], rounds));
        return ExitCode::SUCCESS;
    }
    let times = timed(machine);
    println!("{:28} {:>8} {:>13}", "case", "ns", "instructions");
    for (number, case) in Case::ALL.into_iter().enumerate() {
        let count = counted(number, FEW).zip(counted(number, MANY));
        let Some((few, many)) = count else {
            eprintln!("valgrind did not count {}", case.name());
            return ExitCode::FAILURE;
        };
        let each = (many - few) as f64 / (MANY - FEW) as f64;
        println!("{:28} {:8.1} {each:13.1}", case.name(), times[number]);
    }
    ExitCode::SUCCESS
}
