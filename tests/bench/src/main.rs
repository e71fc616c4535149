//! `bench CASE ROUNDS`: so many rounds of a case and nothing else, to be counted by callgrind.
//! Without arguments it lists the cases: name, goal, and the classic engine's figure, each or `-`. The
//! cases of arithmetic are not fires and not in the list: each is a DIFO of a thousand instructions.
//!
//! The caller runs it twice with different numbers of rounds; the difference is free of start-up.
#![forbid(unsafe_code)]

use anyhow::{Context as _, Result};
use bench::{ARITHMETIC, CASES, Rig};
use host::clock::Monotonic;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        for case in CASES {
            let or_none =
                |count: Option<u32>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
            println!("{} {} {}", case.name, or_none(case.goal), or_none(case.classic));
        }
        return Ok(());
    };
    let rounds: u64 = words.next().context("usage: bench CASE ROUNDS")?.parse()?;
    if let Some(code) = ARITHMETIC.iter().find(|code| code.name == name) {
        return code.run(rounds);
    }
    // In an emulator that counts instructions a look at the kernel's clock takes long.
    Monotonic::tolerate_slow_looks();
    let case = CASES.iter().find(|case| case.name == name);
    let mut rig = Rig::new(case.with_context(|| format!("no case {name}"))?)?;
    for _ in 0..rounds {
        rig.round();
    }
    rig.check(rounds)
}
