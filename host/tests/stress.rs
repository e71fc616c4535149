//! Many writers on one arena: threads with mappings of their own, and processes that are killed
//! in the middle of what they do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    os::fd::AsFd,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use dif::{
    asm::assemble,
    env::{Fault, FaultKind},
    number::{act, agg},
    program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program},
};
use host::{
    arena::{
        activity::Activity, config::ArenaConfig, header::DropKind, map::ArenaMap, reader::Reader,
    },
    clock::{Clock, Monotonic},
    context::{FireContext, KernelStack},
    engine::{Engine, NoNames, SessionId},
    ids::{Enabling, Epid, LocalSlot, MachineId, ProbeId, SlotId},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{ForkResult, fork},
};

/// A thread of a machine that has nothing but its number and one argument.
struct Thread {
    tid: u32,
    arg: u64,
}

impl FireContext for Thread {
    fn arg(&self, _index: usize) -> u64 {
        self.arg
    }
    fn pid(&self) -> u32 {
        1
    }
    fn tid(&self) -> u32 {
        self.tid
    }
    fn ppid(&self) -> u32 {
        0
    }
    fn uid(&self) -> u32 {
        0
    }
    fn gid(&self) -> u32 {
        0
    }
    fn cpu(&self) -> u32 {
        0
    }
    fn errno(&self) -> i32 {
        0
    }
    fn thread(&self) -> u64 {
        u64::from(self.tid)
    }
    fn vtimestamp(&self) -> u64 {
        0
    }
    fn execname(&self) -> &[u8] {
        b"stress"
    }
    fn ip(&self) -> u64 {
        0
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(&[])
    }
    fn read_kernel(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    fn read_user(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    fn symbolize(&self, _addr: u64, _out: &mut [u8]) -> usize {
        0
    }
}

const N: &str = r#".var "n" 0x500 scl glb 3 0 1 0 8"#;
const TS: &str = r#".var "ts" 0x501 scl tls 3 0 1 0 8"#;
const A: &str = r#".var "a" 0x502 arr glb 3 0 1 0 8"#;

fn action(program: &mut Program, kind: u16, size: u32, text: &str) -> Action {
    let difo = (!text.is_empty()).then(|| {
        let text = format!(".returns 0 1 0 {size}\n{text}");
        program.difos.push(assemble(&text).unwrap_or_else(|e| panic!("{e}: {text}")));
        DifoIndex(u32::try_from(program.difos.len() - 1).unwrap())
    });
    Action { kind, difo, ntuple: 0, arg: 0, format: None, uarg: 0 }
}

fn ecb(program: &mut Program, actions: Vec<Action>) {
    program.ecbs.push(EcbDesc { probe: ProbeDesc::default(), predicate: None, actions, clause: 0 });
}

/// `{ n++; a[arg0 % 64] = arg0; @[arg0] = count(); } { trace(arg0) } { self->ts = arg0;
/// trace(self->ts); self->ts = 0 }`
fn program() -> Program {
    let mut p = Program::default();
    let up = action(&mut p, act::DIFEXPR, 0, &format!("{N}\nsetx 1, %r1\nupd.add n, %r1\nret %r1"));
    let store = action(
        &mut p,
        act::DIFEXPR,
        0,
        &format!(
            "{A}\nflushts\nldgs arg0, %r1\nsetx 63, %r2\nand %r1, %r2, %r2\npushtv 0, %r0, %r2\n\
             stgaa %r1, a\nret %r1"
        ),
    );
    let varid = action(&mut p, act::DIFEXPR, 4, "setx 1, %r1\nret %r1");
    let key = action(&mut p, act::DIFEXPR, 8, "ldgs arg0, %r1\nret %r1");
    let count = Action { ntuple: 2, ..action(&mut p, agg::COUNT, 8, "") };
    ecb(&mut p, vec![up, store, varid, key, count]);
    let trace = action(&mut p, act::DIFEXPR, 8, "ldgs arg0, %r1\nret %r1");
    ecb(&mut p, vec![trace]);
    let set =
        action(&mut p, act::DIFEXPR, 0, &format!("{TS}\nldgs arg0, %r1\nstts %r1, ts\nret %r1"));
    let get = action(&mut p, act::DIFEXPR, 8, &format!("{TS}\nldts ts, %r1\nret %r1"));
    let clear = action(&mut p, act::DIFEXPR, 0, &format!("{TS}\nstts %r0, ts\nret %r0"));
    ecb(&mut p, vec![set, get, clear]);
    p
}

fn arena(slots: u32) -> Arc<ArenaMap> {
    let mut config = ArenaConfig { nslots: slots, ..ArenaConfig::default() };
    config.add_program(&program()).unwrap();
    Arc::new(ArenaMap::create(config).unwrap())
}

fn join(engine: &Engine, arena: &ArenaMap, machine: u32, base: u32, slots: u32) -> SessionId {
    let mapped = arena.map_again().unwrap();
    let id = engine.open_mapped(mapped, MachineId(machine), SlotId(base), slots).unwrap();
    engine.load_program(id, &program()).unwrap();
    let enablings =
        [0, 1, 2].map(|ecb| Enabling { probe: ProbeId(1), ecb, epid: Epid(ecb + 1), id: 1 });
    engine.enable(id, &enablings, &NoNames).unwrap();
    id
}

/// What the reader has seen of a session.
#[derive(Default)]
struct Seen {
    traced: HashMap<u32, Vec<u64>>,
    last: u64,
    disorder: u64,
    locals: u64,
}

impl Seen {
    fn record(&mut self, slot: SlotId, record: &host::arena::ring::RawRecord) {
        self.disorder += u64::from(record.timestamp < self.last);
        self.last = record.timestamp;
        let value = u64::from_le_bytes(record.bytes[16..24].try_into().unwrap());
        match record.epid.0 {
            2 => self.traced.entry(slot.0).or_default().push(value),
            3 => self.locals += u64::from(value != 0),
            other => panic!("epid {other}"),
        }
    }
}

fn n(arena: &ArenaMap) -> u64 {
    let place = arena.layout().var(dif::env::Scope::Global, 0x500).unwrap();
    let mut bytes = [0; 8];
    assert!(arena.mem().read(usize::try_from(place.offset).unwrap(), &mut bytes));
    u64::from_le_bytes(bytes)
}

/// Four threads in two engines with mappings of their own, a consumer that drains, snapshots and
/// cleans all the while: nothing is lost, nothing comes twice, everything comes in order.
#[test]
fn threads_lose_nothing() {
    const FIRES: u64 = 30_000;
    let arena = arena(5);
    let engines: Vec<Arc<Engine>> = (0..2).map(|_| Arc::new(Engine::new(2, "vm"))).collect();
    for (machine, engine) in (0_u32..).zip(&engines) {
        join(engine, &arena, machine + 1, machine * 2 + 1, 2);
    }
    let mut reader = Reader::new(Arc::clone(&arena));
    assert!(reader.step(Activity::Inactive, Activity::Active));
    let mut threads = Vec::new();
    for (number, engine) in engines.iter().enumerate() {
        for slot in 0..2 {
            let engine = Arc::clone(engine);
            // Both machines have the same thread numbers: their locals are still their own.
            threads.push(thread::spawn(move || {
                for at in 1..=FIRES {
                    // The ring is finite; slow down rather than drop.
                    let arg = at * 4 + u64::from(slot) + number as u64 * 2;
                    engine.fire(LocalSlot(slot), ProbeId(1), &Thread { tid: 7 + slot, arg });
                    if at % 256 == 0 {
                        thread::yield_now();
                    }
                }
            }));
        }
    }
    let mut seen = Seen::default();
    while threads.iter().any(|thread| !thread.is_finished()) {
        reader.drain(Monotonic.settled(), &mut |slot, record| seen.record(slot, &record));
        reader.snapshot();
        reader.clean(Monotonic.now());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    reader.drain_all(&mut |slot, record| seen.record(slot, &record));
    reader.snapshot_all();

    assert_eq!(n(&arena), 4 * FIRES);
    assert_eq!(seen.disorder, 0);
    let drops: HashMap<DropKind, u64> =
        reader.drops().into_iter().fold(HashMap::new(), |mut all, (_, kind, count)| {
            *all.entry(kind).or_default() += count;
            all
        });
    let dropped = drops.get(&DropKind::Principal).copied().unwrap_or(0);
    let traced: u64 = seen.traced.values().map(|values| values.len() as u64).sum();
    assert_eq!(traced + seen.locals + dropped, 8 * FIRES);
    assert!(seen.traced.values().all(|values| values.is_sorted()));
    let map = &reader.aggregations()[&1];
    let counted: u64 = map.values().map(|value| value.values[0]).sum();
    let lost = drops.get(&DropKind::Aggregation).copied().unwrap_or(0);
    assert_eq!(counted + lost, 4 * FIRES);
    assert!(map.values().all(|value| value.values[0] == 1));
    assert_eq!(reader.anomalies(), host::arena::reader::Anomalies::default());
}

/// Sessions that come and go while probes fire: every fire sees a whole table, and an arena is
/// unmapped only when nobody looks at it.
#[test]
fn sessions_come_and_go_under_fire() {
    let engine = Arc::new(Engine::new(2, "vm"));
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|slot| {
            let (engine, stop) = (Arc::clone(&engine), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(SeqCst) {
                    engine.fire(LocalSlot(slot), ProbeId(1), &Thread { tid: slot, arg: 5 });
                }
            })
        })
        .collect();
    for round in 0..60 {
        let arena = arena(3);
        let id = join(&engine, &arena, 1, 1, 2);
        let mut reader = Reader::new(Arc::clone(&arena));
        assert!(reader.step(Activity::Inactive, Activity::Active));
        while n(&arena) < 20 {
            thread::yield_now();
        }
        engine.close(id);
        reader.retire(0..0);
        reader.drain(Monotonic.settled(), &mut |_, record| assert!(record.epid.0 <= 3));
        assert_eq!(engine.sessions(), 0, "round {round}");
    }
    stop.store(true, SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    engine.reclaim();
}

/// Processes that fire are killed at random moments: the consumer and those that live go on, what
/// was recorded arrives whole, and memory that the dead used is used again.
#[test]
fn killed_processes_harm_nobody() {
    const ROUNDS: u32 = 40;
    let arena = arena(ROUNDS + 2);
    let engine = Engine::new(1, "survivor");
    join(&engine, &arena, 99, ROUNDS + 1, 1);
    let mut reader = Reader::new(Arc::clone(&arena));
    assert!(reader.step(Activity::Inactive, Activity::Active));
    let mut seen = Seen::default();
    let mut at = 0;
    for round in 1..=ROUNDS {
        let before = n(&arena);
        // SAFETY: the child runs no other thread's code and leaves by being killed or by `_exit`.
        let child = match unsafe { fork() }.unwrap() {
            ForkResult::Child => child(&arena, round),
            ForkResult::Parent { child } => child,
        };
        // Some hundred fires in, at a moment nobody chose.
        while n(&arena) < before + 200 + u64::from(round) * 37 {
            at += 1;
            engine.fire(LocalSlot(0), ProbeId(1), &Thread { tid: 1, arg: at });
            reader.drain(Monotonic.settled(), &mut |slot, record| seen.record(slot, &record));
            reader.clean(Monotonic.now());
        }
        kill(child, Signal::SIGKILL).unwrap();
        waitpid(child, None).unwrap();
        reader.retire(round..round + 1);
        reader.snapshot();
    }
    reader.drain_all(&mut |slot, record| seen.record(slot, &record));
    reader.snapshot_all();
    assert_eq!(seen.traced[&(ROUNDS + 1)], (1..=at).collect::<Vec<_>>());
    let own = seen.traced.iter().filter(|(slot, _)| **slot <= ROUNDS);
    for (slot, values) in own {
        assert!(values.is_sorted() && values.len() > 1, "slot {slot}");
    }
    let counted: u64 = reader.aggregations()[&1].values().map(|value| value.values[0]).sum();
    let lost: u64 =
        reader.drops().iter().filter(|d| d.1 == DropKind::Aggregation).map(|d| d.2).sum();
    // A killed process may have counted `n` and not come to the aggregation.
    assert!(n(&arena) - counted - lost <= u64::from(ROUNDS));
    assert_eq!(seen.disorder, 0);
}

/// Fires until it is killed.
fn child(arena: &ArenaMap, round: u32) -> ! {
    let engine = Engine::new(1, "victim");
    let Ok(fd) = arena.fd().as_fd().try_clone_to_owned() else { process::abort() };
    let Ok(id) = engine.open(fd, MachineId(round), SlotId(round), 1) else { process::abort() };
    if engine.load_program(id, &program()).is_err() {
        process::abort();
    }
    let enablings =
        [0, 1, 2].map(|ecb| Enabling { probe: ProbeId(1), ecb, epid: Epid(ecb + 1), id: 1 });
    if engine.enable(id, &enablings, &NoNames).is_err() {
        process::abort();
    }
    for arg in 1.. {
        engine.fire(LocalSlot(0), ProbeId(1), &Thread { tid: round, arg });
    }
    process::abort()
}
