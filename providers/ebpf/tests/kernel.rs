//! Programs in the running kernel. Where it has no BPF for us, the tests say so and pass.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use dif::{
    difo::{DifType, Difo},
    number::{act, agg, var},
    opcode::{self, Op, Reg},
    program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program},
};
use ebpf::{
    Host, Session,
    site::{Fired, KernelFacts, Kind, Select, Site, Source, Value},
    sys,
};
use host::{
    arena::{
        activity::Activity,
        config::ArenaConfig,
        key::{KeyPart, parts},
        map::ArenaMap,
        reader::Reader,
    },
    ids::{Epid, MachineId, SlotId},
};

/// Why there is no BPF here; said once by every test that cannot run.
fn without_bpf() -> bool {
    match sys::array_map("probe", 8, true) {
        Ok(_) => false,
        Err(errno) => {
            eprintln!("skipped: no BPF here: {errno}");
            true
        }
    }
}

fn difo(words: Vec<u32>, integers: Vec<u64>, ret: DifType) -> Difo {
    Difo { text: words, integers, strings: vec![], vars: vec![], ret }
}

fn builtin(id: u16, ret: DifType) -> Difo {
    difo(vec![opcode::variable(Op::Ldgs, id, Reg(1)), opcode::ret(Reg(1))], vec![], ret)
}

fn constant(value: u64) -> Difo {
    difo(vec![opcode::setx(0, Reg(1)), opcode::ret(Reg(1))], vec![value], DifType::integer(4))
}

fn action(kind: u16, difo: Option<u32>, ntuple: u32) -> Action {
    Action { kind, difo: difo.map(DifoIndex), ntuple, arg: 0, format: None, uarg: 0 }
}

fn program(difos: Vec<Difo>, actions: Vec<Action>) -> Program {
    let ecb = EcbDesc { probe: ProbeDesc::default(), predicate: None, actions, clause: 0 };
    Program { difos, ecbs: vec![ecb], options: vec![] }
}

struct Rig {
    arena: ArenaMap,
    program: OwnedFd,
}

fn rig(program: &Program) -> Rig {
    let cpus = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let mut config = ArenaConfig {
        nslots: cpus + 1,
        bufsize: 64 << 10,
        aggsize: 64 << 10,
        dynvarsize: 64 << 10,
        ..ArenaConfig::default()
    };
    config.add_program(program).unwrap();
    let arena = ebpf::create_arena(config).unwrap();
    Activity::step(&arena.header().activity, Activity::Inactive, Activity::Active);
    let host = Host {
        machine: MachineId(0),
        vmname: "host".into(),
        slot0: SlotId(1),
        cpus,
        facts: KernelFacts::default(),
    };
    let session = Session::open(&arena, &host, program, None).unwrap();
    let fired = Fired {
        id: 77,
        names: ["syscall", "", "read", "entry"].map(str::to_owned),
        ecbs: vec![(0, Epid(5))],
        source: Source { args: (0..10).map(Value::Word).collect(), ..Source::default() },
    };
    let site = Site { kind: Kind::RawTracepoint, select: Select::One(fired) };
    let program = match session.program(&site) {
        Ok(program) => program,
        Err(ebpf::Error::Verifier { log, errno, .. }) => {
            let tail: Vec<&str> = log.lines().collect();
            let from = tail.len().saturating_sub(60);
            panic!("{errno}\n{}", tail[from..].join("\n"));
        }
        Err(error) => panic!("{error}"),
    };
    Rig { arena, program }
}

impl Rig {
    fn reader(&self) -> Reader {
        Reader::new(Arc::new(self.arena.map_again().unwrap()))
    }

    fn fire(&self, words: [u64; 12]) {
        sys::test_run(self.program.as_fd(), &words).unwrap();
    }
}

/// `trace(arg1)`: a record with the argument.
#[test]
fn a_record_reaches_the_ring() {
    if without_bpf() {
        return;
    }
    let rig = rig(&program(
        vec![builtin(var::ARG1, DifType::integer(8))],
        vec![action(act::DIFEXPR, Some(0), 0)],
    ));
    rig.fire([1, 42, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut records = Vec::new();
    rig.reader().drain_all(&mut |_, record| records.push(record.clone()));
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.epid, record.bytes.len()), (Epid(5), 24));
    assert_eq!(record.bytes[16..], 42_u64.to_le_bytes());
    assert!(record.timestamp > 1);
}

/// `@[execname] = count()`.
#[test]
fn an_aggregation_counts() {
    if without_bpf() {
        return;
    }
    let rig = rig(&program(
        vec![constant(1), builtin(var::EXECNAME, DifType::STRING)],
        vec![
            action(act::DIFEXPR, Some(0), 0),
            action(act::DIFEXPR, Some(1), 0),
            action(agg::COUNT, None, 2),
        ],
    ));
    for _ in 0..10 {
        rig.fire([0; 12]);
    }
    let mut reader = rig.reader();
    reader.snapshot_all();
    let found = reader.aggregations();
    let values: Vec<_> = found[&1].iter().collect();
    let [(key, value)] = values.as_slice() else { panic!("{values:?}") };
    let mut name = std::fs::read("/proc/thread-self/comm").unwrap();
    name.pop();
    assert_eq!(parts(key).unwrap(), [KeyPart::Bytes(name)]);
    assert_eq!(value.values, [10]);
}
