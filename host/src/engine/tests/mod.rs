//! The engine end to end in one process: assembled programs, a made-up machine, the reader.

use core::cell::{Cell, RefCell};
use std::sync::Arc;

use dif::{
    asm::assemble,
    difo::DifType,
    env::{Fault, FaultKind},
    number::{act, agg},
    program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program},
};

use super::*;
use crate::{
    arena::{
        activity::Activity,
        config::{ArenaConfig, BufPolicy},
        header::DropKind,
        key::{KeyPart, parts},
        map::ArenaMap,
        reader::Reader,
        ring::RawRecord,
    },
    clock::Clock,
    context::{FireContext, KernelStack},
    ecb::{EcbLayout, RECORD_HEADER},
    ids::{Enabling, Epid, LocalSlot, MachineId, ProbeId, SlotId},
};

mod aggregations;
mod destructive;
mod faults;
mod plain;
mod records;
mod solo;
mod speculations;
mod values;

// Variables of the programs.
const A: &str = r#".var "a" 0x502 arr glb 3 0 1 0 8"#;
const L: &str = r#".var "l" 0x503 scl loc 3 0 1 0 8"#;
const N: &str = r#".var "n" 0x500 scl glb 3 0 1 0 4"#;
const S: &str = r#".var "s" 0x504 scl glb 3 1 0 1 0"#;
const TS: &str = r#".var "ts" 0x501 scl tls 3 0 1 0 8"#;

/// A clock that ticks by one at each look.
#[derive(Debug, Default)]
pub(crate) struct Ticks(Cell<u64>);

impl Clock for Ticks {
    fn now(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get() + 1000
    }
}

/// A machine with one page of kernel memory at [`Machine::BASE`].
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) args: [u64; 10],
    pub(crate) tid: u32,
    pub(crate) name: &'static str,
    stack: Vec<u8>,
    memory: Vec<u8>,
    written: RefCell<Vec<(u64, Vec<u8>)>>,
}

impl Machine {
    const BASE: u64 = 0xffff_8000_0000_0000;

    pub(crate) fn new() -> Self {
        let stack = [0x1010_u64, 0x2020, 0x3030].iter().flat_map(|pc| pc.to_le_bytes()).collect();
        let mut memory = vec![0; 4096];
        memory[..6].copy_from_slice(b"/bin/x");
        memory[4090..].copy_from_slice(b"at end");
        Self {
            args: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
            tid: 71,
            name: "cat",
            stack,
            memory,
            written: RefCell::default(),
        }
    }
}

impl FireContext for Machine {
    fn arg(&self, index: usize) -> u64 {
        self.args[index]
    }
    fn pid(&self) -> u32 {
        70
    }
    fn tid(&self) -> u32 {
        self.tid
    }
    fn ppid(&self) -> u32 {
        1
    }
    fn uid(&self) -> u32 {
        1000
    }
    fn gid(&self) -> u32 {
        100
    }
    fn cpu(&self) -> u32 {
        0
    }
    fn errno(&self) -> i32 {
        -2
    }
    fn thread(&self) -> u64 {
        0xffff_9000_0000_0000 | u64::from(self.tid)
    }
    fn vtimestamp(&self) -> u64 {
        42
    }
    fn execname(&self) -> &[u8] {
        self.name.as_bytes()
    }
    fn ip(&self) -> u64 {
        0x1010
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(&self.stack)
    }
    fn read_kernel(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::at(FaultKind::BadAddr, addr);
        let start = usize::try_from(addr.checked_sub(Self::BASE).ok_or(fault)?).unwrap();
        let end = start.checked_add(buf.len()).ok_or(fault)?;
        buf.copy_from_slice(self.memory.get(start..end).ok_or(fault)?);
        Ok(())
    }
    fn why(&self, addr: u64) -> u64 {
        addr ^ 7
    }
    fn read_user(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    fn user_stack(&self, frames: &mut [u64]) -> usize {
        frames[..3].copy_from_slice(&[0x4001, 0x4002, 0x4003]);
        3
    }
    fn write_user(&self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.written.borrow_mut().push((addr, bytes.to_vec()));
        Ok(())
    }
    fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize {
        let text = format!("f{addr:x}+0x1");
        out[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    }
}

struct Builder {
    program: Program,
}

impl Builder {
    fn new() -> Self {
        Self { program: Program::default() }
    }

    fn difo(&mut self, text: &str) -> DifoIndex {
        let difo = assemble(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        self.program.difos.push(difo);
        DifoIndex(u32::try_from(self.program.difos.len() - 1).unwrap())
    }

    fn action(&mut self, kind: u16, text: &str) -> Action {
        let difo = (!text.is_empty()).then(|| self.difo(text));
        Action { kind, difo, ntuple: 0, arg: 0, format: None, uarg: 0 }
    }

    fn agg(&mut self, kind: u16, keys: &[&str], value: &str, arg: u64) -> Vec<Action> {
        let mut actions = vec![self.action(act::DIFEXPR, &int("setx 1, %r1\nret %r1"))];
        for key in keys {
            let kind = if *key == "immstack" { act::IMMSTACK } else { act::DIFEXPR };
            actions.push(self.action(kind, if *key == "immstack" { "" } else { key }));
        }
        let ntuple = u32::try_from(actions.len()).unwrap();
        actions.push(Action { ntuple, arg, ..self.action(kind, value) });
        actions
    }

    fn ecb(&mut self, predicate: &str, actions: Vec<Action>) {
        let predicate = (!predicate.is_empty()).then(|| self.difo(predicate));
        let clause = u32::try_from(self.program.ecbs.len()).unwrap();
        let probe = ProbeDesc::default();
        self.program.ecbs.push(EcbDesc { probe, predicate, actions, clause });
    }
}

fn int(body: &str) -> String {
    format!(".returns 0 1 0 8\n{body}\n")
}

fn int32(body: &str) -> String {
    format!(".returns 0 1 0 4\n{body}\n")
}

fn void(body: &str) -> String {
    format!(".returns 0 1 0 0\n{body}\n")
}

fn string(body: &str) -> String {
    format!(".returns 1 0 1 0\n{body}\n")
}

fn trace(text: &str) -> String {
    int(&format!("ldgs {text}, %r1\nret %r1"))
}

/// A session of one machine with `slots` slots, one probe (1) with all ECBs but the last
/// `errors`, which are ERROR's.
pub(crate) struct Session {
    pub(crate) engine: Engine<Ticks>,
    pub(crate) id: SessionId,
    pub(crate) reader: Reader,
    program: Program,
}

struct Probes;

impl ProbeNames for Probes {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        (probe == ProbeId(1)).then_some(["fbt", "kernel", "vfs_read", "entry"])
    }
}

impl Session {
    fn new(builder: Builder, errors: usize, change: impl FnOnce(&mut ArenaConfig)) -> Self {
        let mut config = ArenaConfig {
            nslots: 3,
            bufsize: 64 << 10,
            aggsize: 64 << 10,
            dynvarsize: 64 << 10,
            ..ArenaConfig::default()
        };
        change(&mut config);
        config.add_program(&builder.program).unwrap();
        let arena = ArenaMap::create(config).unwrap();
        let engine = Engine::with_clock(2, "vm-web-0", Ticks::default());
        let mapped = arena.map_again().unwrap();
        let id = engine.open_mapped(mapped, MachineId(1), SlotId(1), 2).unwrap();
        let dof = dif::dof::write(&builder.program).unwrap();
        engine.load(id, &dof).unwrap();
        let count = builder.program.ecbs.len();
        let enablings: Vec<Enabling> = (0..count)
            .map(|ecb| {
                let probe = if ecb + errors < count { ProbeId(1) } else { ProbeId::ERROR };
                let ecb = u32::try_from(ecb).unwrap();
                Enabling { probe, ecb, epid: Epid(ecb + 1), id: 900 }
            })
            .collect();
        engine.enable(id, &enablings, &Probes).unwrap();
        let session =
            Self { engine, id, reader: Reader::new(Arc::new(arena)), program: builder.program };
        assert!(session.reader.step(Activity::Inactive, Activity::Active));
        session
    }

    fn fire(&self, slot: u32, ctx: &Machine) {
        self.engine.fire(LocalSlot(slot), ProbeId(1), ctx);
    }

    fn records(&mut self) -> Vec<RawRecord> {
        let mut out = Vec::new();
        self.reader.drain(u64::MAX - 1, &mut |_, record| out.push(record));
        out
    }

    /// The datum of one action of a record.
    fn datum<'r>(&self, record: &'r RawRecord, action: u32) -> &'r [u8] {
        let config = self.reader.arena().layout().config();
        let layout = EcbLayout::of(&self.program, record.epid.0 - 1, config).unwrap();
        assert!(record.bytes.len() <= layout.size as usize);
        let it = layout.records.iter().find(|it| it.action == action).unwrap();
        let bytes = layout.datum(&record.bytes, action).unwrap();
        if it.is_string { bytes.split(|b| *b == 0).next().unwrap() } else { bytes }
    }

    fn number(&self, record: &RawRecord, action: u32) -> u64 {
        let mut bytes = [0; 8];
        let datum = self.datum(record, action);
        bytes[..datum.len()].copy_from_slice(datum);
        u64::from_le_bytes(bytes)
    }

    fn drops(&mut self) -> Vec<(DropKind, u64)> {
        self.reader.drops().into_iter().map(|(_, kind, count)| (kind, count)).collect()
    }
}

fn plain(builder: Builder) -> Session {
    Session::new(builder, 0, |_| {})
}
