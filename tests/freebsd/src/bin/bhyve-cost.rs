//! What the shim costs, in instructions, counted by stepping through a vCPU's thread.
//!
//! `cargo run --release -p freebsd-harness --bin bhyve-cost`, with `dtrace` and the shim built in
//! release before. Of each kind of exit: how many instructions the thread executes between the real
//! `vm_run`'s return and its next call that it would not without the shim; and of fires that
//! evaluate D, how many of them come before the first that does.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use freebsd_harness::exit::Exit;
use freebsd_harness::machine::{Config, Machine};
use freebsd_harness::steps::Stepped;
use freebsd_harness::trace::Trace;
use hypercall::Status;
use npt::{Hpa, PhysMemory};
use shim::testing::FakeGuest;
use zerocopy::IntoBytes;

/// Rounds that are counted of each kind, after as many that are not: names are bound, caches filled.
const ROUNDS: usize = 20;

/// What evaluates D: the interpreter, and the ways around it that the engine takes for short
/// expressions, whose files also call the former.
const EVALUATION: [&str; 3] =
    ["/dif/src/interp", "/host/src/engine/expr.rs", "/host/src/engine/plain.rs"];

/// An exit, and what is traced meanwhile.
struct Case {
    what: &'static str,
    /// A fire of probe 1, or another exit.
    fires: bool,
    script: Option<&'static str>,
}

fn main() -> Result<()> {
    let case = |what, fires, script| Case { what, fires, script };
    let cases = [
        case("an exit that is not ours", false, None),
        case("a fire of a probe nobody wants", true, None),
        case("a fire of an empty clause", true, Some("{ }")),
        case("a false predicate, arg0 == 9", true, Some("/arg0 == 9/ { n++; }")),
        case("a false predicate, interpreted", true, Some("/strlen(execname) == 99/ { n++; }")),
    ];
    println!("{:<34} {:>8} {:>18}", "instructions of the shim", "in all", "before the first D");
    for case in cases {
        let (all, before) = count(&case)?;
        let before = before.map_or_else(|| "-".to_owned(), |n| n.to_string());
        println!("{:<34} {all:>8} {before:>18}", case.what);
    }
    Ok(())
}

/// Instructions of the middle one of many rounds, and how many of them came before evaluation.
fn count(case: &Case) -> Result<(usize, Option<usize>)> {
    let machine = Machine::start(&Config::new("cost"))?;
    machine.add_memory()?;
    machine.run_without_sandbox()?;
    let mut guest = machine.guest()?;
    ensure!(guest.hello() == Status::Ok.raw() && guest.some_probes(10) == Status::Ok.raw());
    let trace = case.script.map(|clause| traced(&machine, &mut guest, clause)).transpose()?;
    let mut exit = Exit::port(0x3f8, 1, 0, 0);
    if case.fires {
        let fire = guest.fire_descriptor(2, &[1], &[]);
        let page = FakeGuest::page(0);
        ensure!(machine.ram()?.write(Hpa(page.0), fire.as_bytes()).is_ok());
        exit = Exit::doorbell(u32::try_from(page.0 >> 12)?);
    }
    let Round { addresses, functions } = round(&machine, &exit)?;
    drop(trace);
    ensure!(machine.finish()?.success());
    let first_in = |file: &&str| {
        let within = |at: &u64| {
            functions.get(at).is_some_and(|places| places.iter().any(|place| place.contains(*file)))
        };
        addresses.iter().position(within)
    };
    Ok((addresses.len(), EVALUATION.iter().find_map(first_in)))
}

/// `dtrace` with this clause for the probe.
fn traced(machine: &Machine, guest: &mut FakeGuest, clause: &str) -> Result<Trace> {
    let script = format!("sdt:fake:fn:probe1 {clause}");
    let mut trace = Trace::start(&machine.dir, &script)?;
    while guest.enabled().len() != 1 {
        guest.poll(&[]).ok().context("POLL")?;
    }
    guest.poll(&[]).ok().context("POLL")?;
    trace.wait_ready()?;
    Ok(trace)
}

/// What the thread executed in a round, and which functions that lies in.
struct Round {
    addresses: Vec<u64>,
    functions: BTreeMap<u64, Vec<String>>,
}

/// A round of middle length.
fn round(machine: &Machine, exit: &Exit) -> Result<Round> {
    let all = 2 * ROUNDS;
    std::thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        // Who has stopped a thread steps it.
        let stepper = scope.spawn(move || {
            let stepped = Stepped::stop(machine.process(), "vcpu 0");
            ready.send(stepped.is_ok()).context("nobody waits")?;
            let stepped = stepped?;
            let mut rounds = stepped.rounds(all)?.split_off(ROUNDS);
            rounds.sort_by_key(Vec::len);
            let addresses = rounds.swap_remove(ROUNDS / 2);
            let functions = stepped.functions(&addresses)?;
            Ok(Round { addresses, functions })
        });
        if is_ready.recv()? {
            // One more: a round ends with the call of vm_run after it.
            machine.exits(0, all as u64 + 1, exit)?;
        }
        stepper.join().map_err(|_| anyhow::anyhow!("the stepper panicked"))?
    })
}
