//! Runs a script through the verifier, the engine and an arena, and says what a consumer sees.

use std::{collections::BTreeMap, sync::Arc};

use dif::{
    env::{Fault, FaultKind},
    program::Program,
};
use host::{
    arena::{
        activity::Activity,
        config::ArenaConfig,
        key::{self, KeyPart},
        map::ArenaMap,
        reader::Reader,
        ring::RawRecord,
    },
    context::{FireContext, KernelStack},
    ecb::EcbLayout,
    engine::{ERROR_EPID, Engine, ErrorRecord, NoNames},
    ids::{Enabling, Epid, LocalSlot, MachineId, ProbeId, SlotId},
};

use crate::{
    lower::lower,
    reference::{Aggregations, Event, STRSIZE, Value, memory},
    script::{Firing, Script},
};

/// Where the machine's kernel memory starts.
pub(crate) const KERNEL: u64 = 0xffff_8880_0000_0000;
/// Where the process's memory starts.
pub(crate) const USER: u64 = 0x7f00_0000_0000;

/// The machine at one firing.
struct Machine<'a>(&'a Firing);

fn read(base: u64, user: bool, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
    let memory = memory(user);
    let start = usize::try_from(addr.wrapping_sub(base)).unwrap();
    let part = start.checked_add(buf.len()).and_then(|end| memory.get(start..end));
    let part = part.ok_or(Fault::at(FaultKind::BadAddr, addr))?;
    buf.copy_from_slice(part);
    Ok(())
}

impl FireContext for Machine<'_> {
    fn arg(&self, index: usize) -> u64 {
        self.0.args[index]
    }
    fn pid(&self) -> u32 {
        11
    }
    fn tid(&self) -> u32 {
        self.0.tid
    }
    fn ppid(&self) -> u32 {
        12
    }
    fn uid(&self) -> u32 {
        13
    }
    fn gid(&self) -> u32 {
        14
    }
    fn cpu(&self) -> u32 {
        3
    }
    fn errno(&self) -> i32 {
        0
    }
    fn thread(&self) -> u64 {
        u64::from(self.0.tid)
    }
    fn vtimestamp(&self) -> u64 {
        0
    }
    fn execname(&self) -> &[u8] {
        b"model"
    }
    fn ip(&self) -> u64 {
        0
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(&[])
    }
    fn read_kernel(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        read(KERNEL, false, addr, buf)
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        read(USER, true, addr, buf)
    }
    fn symbolize(&self, _addr: u64, _out: &mut [u8]) -> usize {
        0
    }
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) aggregations: Aggregations,
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

fn text(bytes: &[u8]) -> Value {
    let len = bytes.iter().position(|byte| *byte == 0).expect("a recorded text is terminated");
    Value::Text(Some(bytes[..len].to_vec()))
}

fn event(record: &RawRecord, layouts: &[EcbLayout]) -> Event {
    if record.epid == ERROR_EPID {
        let error = ErrorRecord::from_record(&record.bytes).unwrap();
        return Event::Fault { clause: error.epid.0, action: error.action, kind: error.kind };
    }
    let clause = record.epid.0;
    let layout = &layouts[usize::try_from(clause - 1).unwrap()];
    let values = layout.records.iter().map(|desc| {
        let datum = layout.datum(&record.bytes, desc.action).expect("the record holds it");
        if desc.is_string { text(datum) } else { Value::Number(number(datum)) }
    });
    Event::Record { clause, values: values.collect() }
}

fn part(part: KeyPart) -> Value {
    match part {
        KeyPart::Scalar(value) => Value::Number(value),
        KeyPart::Bytes(bytes) => Value::Text(Some(bytes)),
    }
}

fn aggregations(reader: &mut Reader) -> Aggregations {
    reader.snapshot_all();
    let mut all = BTreeMap::new();
    for (id, map) in reader.aggregations() {
        for (words, value) in map {
            let key = key::parts(words).unwrap().into_iter().map(part).collect();
            all.insert((*id, key), value.values.clone());
        }
    }
    all
}

fn session(program: &Program) -> (Engine, Reader, Vec<EcbLayout>) {
    let strsize = u32::try_from(STRSIZE).unwrap();
    let mut config = ArenaConfig {
        nslots: 2,
        strsize,
        bufsize: 64 << 10,
        aggsize: 64 << 10,
        dynvarsize: 64 << 10,
        ..ArenaConfig::default()
    };
    config.add_program(program).unwrap();
    let ecbs = 0..u32::try_from(program.ecbs.len()).unwrap();
    let layouts = ecbs.clone().map(|ecb| EcbLayout::of(program, ecb, &config).unwrap()).collect();
    let arena = Arc::new(ArenaMap::create(config).unwrap());
    let engine = Engine::new(1, "model");
    let mapped = arena.map_again().unwrap();
    let id = engine.open_mapped(mapped, MachineId(1), SlotId(1), 1).unwrap();
    engine.load_program(id, program).unwrap();
    let enablings: Vec<Enabling> =
        ecbs.map(|ecb| Enabling { probe: ProbeId(1), ecb, epid: Epid(ecb + 1), id: 1 }).collect();
    engine.enable(id, &enablings, &NoNames).unwrap();
    let reader = Reader::new(arena);
    assert!(reader.step(Activity::Inactive, Activity::Active));
    (engine, reader, layouts)
}

/// Fires the script's clauses, one after the other, once for each firing.
pub(crate) fn run(script: &Script, firings: &[Firing]) -> Outcome {
    let program = lower(script);
    let (engine, mut reader, layouts) = session(&program);
    let mut outcome = Outcome::default();
    for firing in firings {
        engine.fire(LocalSlot(0), ProbeId(1), &Machine(firing));
        reader.drain_all(&mut |_, record| outcome.events.push(event(&record, &layouts)));
    }
    outcome.aggregations = aggregations(&mut reader);
    // Faults are counted as such; nothing else may have been lost.
    let lost: Vec<_> = reader
        .drops()
        .into_iter()
        .filter(|(_, kind, count)| *count > 0 && *kind != host::arena::header::DropKind::Error)
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    outcome
}
