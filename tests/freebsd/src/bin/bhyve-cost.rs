//! What the shim costs, in instructions, counted by callgrind in two runs of different length.
//!
//! `cargo run --release -p freebsd-harness --bin bhyve-cost`, with `dtrace` and the shim built in
//! release before. Threads hand exits over by condition variables, as many instructions with and
//! without the shim; so the same exits are counted both ways, and the difference is the shim's.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use freebsd_harness::exit::Exit;
use freebsd_harness::machine::{Config, Machine};
use freebsd_harness::trace::Trace;
use hypercall::Status;
use npt::{Hpa, PhysMemory};
use shim::shim::POLL_INTERVAL_MS;
use shim::testing::FakeGuest;
use zerocopy::IntoBytes;

const SHORT: u64 = 2_000;
const LONG: u64 = 42_000;

/// An exit, and what is traced meanwhile.
struct Case {
    what: &'static str,
    /// A fire of this probe, or another exit.
    probe: Option<u32>,
    script: Option<&'static str>,
    preload: bool,
}

fn main() -> Result<()> {
    let case = |what, probe, script, preload| Case { what, probe, script, preload };
    let other = per_exit(&case("bhyve alone", None, None, false))?;
    let cases = [
        case("an exit that is not ours", None, None, true),
        case("a fire of a probe nobody wants", Some(2), None, true),
        case(
            "a fire with a false predicate",
            Some(2),
            Some("sdt:fake:fn:probe1 /arg0 == 9/ { n++; } sdt:fake:fn:probe2 { exit(0); }"),
            true,
        ),
        case(
            "a fire of an empty clause",
            Some(2),
            Some("sdt:fake:fn:probe1 { } sdt:fake:fn:probe2 { exit(0); }"),
            true,
        ),
    ];
    for case in cases {
        let more = per_exit(&case)?.saturating_sub(other);
        println!("{:<34} {more:>6} instructions more than bhyve alone", case.what);
    }
    Ok(())
}

fn per_exit(case: &Case) -> Result<u64> {
    Ok((count(case, LONG)?.saturating_sub(count(case, SHORT)?)) / (LONG - SHORT))
}

/// Instructions of a whole run with so many exits.
fn count(case: &Case, exits: u64) -> Result<u64> {
    let log = std::env::temp_dir().join(format!("bhyve-cost-{}", std::process::id()));
    let words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let mut wrapper: Vec<String> = words.map(str::to_owned).into();
    wrapper.push(format!("--log-file={}", log.display()));
    let config = Config { preload: case.preload, wrapper, ..Config::new("cost") };
    let machine = Machine::start(&config)?;
    machine.add_memory()?;
    machine.run_without_sandbox()?;
    let mut exit = Exit::port(0x3f8, 1, 0, 0);
    let mut trace = None;
    if case.preload {
        let mut guest = machine.guest()?;
        ensure!(guest.hello() == Status::Ok.raw() && guest.some_probes(10) == Status::Ok.raw());
        if let Some(script) = case.script {
            let mut tracer = Trace::start(&machine.dir, script)?;
            while guest.enabled().len() != 2 {
                guest.poll(&[]).ok().context("POLL")?;
                // As rarely as a real guest: POLLs are counted too, and not always as many.
                std::thread::sleep(Duration::from_millis(u64::from(POLL_INTERVAL_MS)));
            }
            guest.poll(&[]).ok().context("POLL")?;
            tracer.wait_ready()?;
            trace = Some(tracer);
        }
        if let Some(probe) = case.probe {
            let fire = guest.fire_descriptor(probe, &[1], &[]);
            let page = FakeGuest::page(0);
            ensure!(machine.ram()?.write(Hpa(page.0), fire.as_bytes()).is_ok());
            exit = Exit::doorbell(u32::try_from(page.0 >> 12)?);
        }
    }
    machine.exits(0, exits, &exit)?;
    ensure!(machine.finish()?.success());
    drop(trace);
    let text = std::fs::read_to_string(&log)?;
    let line = text.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    number.with_context(|| format!("callgrind counted nothing:\n{text}"))
}
