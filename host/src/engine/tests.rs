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
        self.reader.drain(u64::MAX - 1, &mut |_, record| out.push(record.clone()));
        out
    }

    /// The datum of one action of a record.
    fn datum<'r>(&self, record: &'r RawRecord, action: u32) -> &'r [u8] {
        let config = self.reader.arena().layout().config();
        let layout = EcbLayout::of(&self.program, record.epid.0 - 1, config).unwrap();
        assert_eq!(record.bytes.len(), layout.size as usize);
        let it = layout.records.iter().find(|it| it.action == action).unwrap();
        let bytes = &record.bytes[it.offset as usize..(it.offset + it.size) as usize];
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

/// Records hold what actions computed, at the places `EcbLayout` says, in the order of time over
/// slots.
#[test]
fn records_arrive_in_order_of_time() {
    let mut b = Builder::new();
    let actions = vec![
        b.action(act::DIFEXPR, &trace("arg0")),
        b.action(act::DIFEXPR, &int32("ldgs uid, %r1\nret %r1")),
        b.action(act::DIFEXPR, &string("ldgs execname, %r1\nret %r1")),
        b.action(act::DIFEXPR, &trace("timestamp")),
    ];
    b.ecb("", actions);
    let mut s = plain(b);
    for at in 0..6_u32 {
        let mut ctx = Machine::new();
        ctx.args[0] = u64::from(at);
        s.fire(at % 2, &ctx);
    }
    let records = s.records();
    assert_eq!(records.len(), 6);
    for (at, record) in (0..).zip(&records) {
        assert_eq!(s.number(record, 0), at);
        assert_eq!(s.number(record, 1), 1000);
        assert_eq!(s.datum(record, 2), b"cat");
        assert_eq!(s.number(record, 3), record.timestamp);
    }
    assert!(records.is_sorted_by_key(|r| r.timestamp));
    assert!(s.records().is_empty());
}

/// An empty clause makes a bare record, a clause of only assignments makes none.
#[test]
fn which_clauses_make_records() {
    let mut b = Builder::new();
    b.ecb("", vec![]);
    let assign = b.action(act::DIFEXPR, &void("ldgs arg0, %r1\nret %r1"));
    b.ecb("", vec![assign]);
    let printf = b.action(act::PRINTF, "");
    b.ecb("", vec![printf]);
    let exit = b.action(act::EXIT, &int32("setx 3, %r1\nret %r1"));
    b.ecb("", vec![exit]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let found: Vec<(u32, usize)> = s.records().iter().map(|r| (r.epid.0, r.bytes.len())).collect();
    let bare = RECORD_HEADER as usize;
    assert_eq!(found, [(1, bare), (3, bare), (4, bare + 8)]);
}

/// A predicate that is zero stops its own ECB only.
#[test]
fn predicates_guard_one_ecb() {
    let mut b = Builder::new();
    b.ecb(&int("setx 0, %r1\nret %r1"), vec![]);
    b.ecb(&trace("arg0"), vec![]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    assert_eq!(s.records().iter().map(|r| r.epid.0).collect::<Vec<_>>(), [2]);
}

/// The built-ins deliver what the context and the enabling say.
#[test]
fn builtins_have_their_values() {
    let ints = [
        ("pid", 70),
        ("tid", 71),
        ("ppid", 1),
        ("gid", 100),
        ("cpu", 0),
        ("errno", -2_i64),
        ("vtimestamp", 42),
        ("id", 900),
        ("epid", 1),
        ("caller", 0x2020),
        ("stackdepth", 3),
        ("curthread", 0xffff_9000_0000_0047_u64.cast_signed()),
        ("arg9", 14),
    ];
    let texts = [
        ("vmname", "vm-web-0"),
        ("probeprov", "fbt"),
        ("probemod", "kernel"),
        ("probefunc", "vfs_read"),
        ("probename", "entry"),
    ];
    let mut b = Builder::new();
    let mut actions: Vec<Action> =
        ints.iter().map(|(name, _)| b.action(act::DIFEXPR, &trace(name))).collect();
    for (name, _) in texts {
        let text = string(&format!("ldgs {name}, %r1\nret %r1"));
        actions.push(b.action(act::DIFEXPR, &text));
    }
    b.ecb("", actions);
    let mut s = plain(b);
    s.fire(1, &Machine::new());
    let record = s.records().remove(0);
    for (at, (name, want)) in (0..).zip(ints) {
        assert_eq!(s.number(&record, at).cast_signed(), want, "{name}");
    }
    for (at, (name, want)) in (u32::try_from(ints.len()).unwrap()..).zip(texts) {
        assert_eq!(s.datum(&record, at), want.as_bytes(), "{name}");
    }
}

/// A fault leaves its own clause only, tells what and where, and fires ERROR with it; a fault in
/// ERROR is counted and goes no further.
#[test]
fn faults_fire_error_once() {
    let mut b = Builder::new();
    let bad = b.action(act::DIFEXPR, &int("setx 0x10, %r1\nldx [%r1], %r2\nret %r2"));
    b.ecb("", vec![bad.clone()]);
    b.ecb("", vec![]);
    let args: Vec<Action> = ["arg1", "arg2", "arg3", "arg4", "arg5"]
        .iter()
        .map(|name| b.action(act::DIFEXPR, &trace(name)))
        .collect();
    b.ecb("", args);
    b.ecb("", vec![bad]);
    let mut s = Session::new(b, 2, |_| {});
    s.fire(0, &Machine::new());
    let records = s.records();
    let epids: Vec<Epid> = records.iter().map(|r| r.epid).collect();
    assert_eq!(epids, [ERROR_EPID, Epid(3), Epid(2)]);
    let error = ErrorRecord::from_record(&records[0].bytes).unwrap();
    let want =
        ErrorRecord { epid: Epid(1), action: 1, offset: 4, kind: 1, value: 0x10, why: 0x10 ^ 7 };
    assert_eq!(error, want);
    let args: Vec<u64> = (0..5).map(|at| s.number(&records[1], at)).collect();
    assert_eq!(args, [1, 1, 4, 1, 0x10]);
    assert_eq!(s.drops(), [(DropKind::DoubleError, 1), (DropKind::Error, 1)]);
}

const N: &str = r#".var "n" 0x500 scl glb 3 0 1 0 4"#;
const TS: &str = r#".var "ts" 0x501 scl tls 3 0 1 0 8"#;
const A: &str = r#".var "a" 0x502 arr glb 3 0 1 0 8"#;
const L: &str = r#".var "l" 0x503 scl loc 3 0 1 0 8"#;
const S: &str = r#".var "s" 0x504 scl glb 3 1 0 1 0"#;

/// `n++` is atomic, cut to the variable's size, and yields the value before.
#[test]
fn updates_are_cut_to_the_variables_size() {
    let mut b = Builder::new();
    let text = int(&format!("{N}\nldgs arg0, %r1\nupd.add n, %r1\nldgs n, %r2\nret %r2"));
    let actions = vec![b.action(act::DIFEXPR, &text)];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    for (add, want) in [(0xffff_ffff_u64, 0xffff_ffff), (2, 1), (1 << 32, 1)] {
        ctx.args[0] = add;
        s.fire(0, &ctx);
        let record = s.records().remove(0);
        assert_eq!(s.number(&record, 0), want);
    }
}

/// Thread-locals belong to a thread of a machine; zero frees them.
#[test]
fn thread_locals_are_per_thread() {
    let mut b = Builder::new();
    let set = void(&format!("{TS}\nldgs arg0, %r1\nstts %r1, ts\nret %r1"));
    let set = b.action(act::DIFEXPR, &set);
    b.ecb(&int("ldgs arg1, %r1\nret %r1"), vec![set]);
    let get = b.action(act::DIFEXPR, &int(&format!("{TS}\nldts ts, %r1\nret %r1")));
    b.ecb("", vec![get]);
    let mut s = plain(b);
    let at = |s: &mut Session, tid, set, value| {
        let mut ctx = Machine::new();
        (ctx.tid, ctx.args[0], ctx.args[1]) = (tid, value, u64::from(set));
        s.fire(0, &ctx);
        let record = s.records().remove(0);
        s.number(&record, 0)
    };
    assert_eq!(at(&mut s, 1, true, 11), 11);
    assert_eq!(at(&mut s, 2, true, 22), 22);
    assert_eq!(at(&mut s, 1, false, 0), 11);
    assert_eq!(at(&mut s, 1, true, 0), 0);
    assert_eq!(at(&mut s, 2, false, 0), 22);
    assert_eq!(at(&mut s, 3, false, 0), 0);
}

/// Associative arrays take scalars and strings, the latter by content, wherever they lie.
#[test]
fn arrays_compare_strings_by_content() {
    let key = |from: &str| {
        format!("{A}\n{from}\nflushts\npushtr 1, %r0, %r1\nldgs uid, %r3\npushtv 0, %r0, %r3\n")
    };
    let mut b = Builder::new();
    let set = format!("{}ldgs arg0, %r2\nstgaa %r2, a\nret %r2", key("ldgs execname, %r1"));
    let set = b.action(act::DIFEXPR, &void(&set));
    let same =
        b.action(act::DIFEXPR, &int(&format!("{}ldgaa a, %r2\nret %r2", key("sets \"cat\", %r1"))));
    let other = b
        .action(act::DIFEXPR, &int(&format!("{}ldgaa a, %r2\nret %r2", key("sets \"cats\", %r1"))));
    b.ecb("", vec![set, same, other]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let record = s.records().remove(0);
    assert_eq!((s.number(&record, 1), s.number(&record, 2)), (5, 0));
    assert_eq!(s.drops(), []);
}

/// Clause-locals last from clause to clause of one firing and begin at zero in the next.
#[test]
fn clause_locals_last_one_firing() {
    let mut b = Builder::new();
    let body = format!("{L}\nldls l, %r1\nldgs arg0, %r2\nadd %r1, %r2, %r1\nstls %r1, l\nret %r1");
    for _ in 0..2 {
        let action = b.action(act::DIFEXPR, &int(&body));
        b.ecb("", vec![action]);
    }
    let mut s = plain(b);
    for _ in 0..2 {
        s.fire(0, &Machine::new());
        let values: Vec<u64> = s.records().iter().map(|r| s.number(r, 0)).collect();
        assert_eq!(values, [5, 10]);
    }
}

/// Strings from guest memory end at their NUL, even just before memory that cannot be read, and a
/// string global keeps its own copy.
#[test]
fn strings_are_copied_whole() {
    let mut b = Builder::new();
    let body =
        |tail: &str| string(&format!("{S}\nldgs arg0, %r1\nstgs %r1, s\nldgs s, %r2\n{tail}"));
    let actions = vec![b.action(act::DIFEXPR, &body("ret %r2"))];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    ctx.args[0] = Machine::BASE;
    s.fire(0, &ctx);
    let record = s.records().remove(0);
    assert_eq!(s.datum(&record, 0), b"/bin/x");
    ctx.args[0] = Machine::BASE + 4090;
    s.fire(0, &ctx);
    assert_eq!(s.records().len(), 1, "an unterminated string at the end of memory is a fault");
    assert_eq!(s.drops(), [(DropKind::Error, 1)]);
    ctx.args[0] = 0;
    s.fire(0, &ctx);
    let found: Vec<Epid> = s.records().iter().map(|r| r.epid).collect();
    assert_eq!(found, [ERROR_EPID], "a null string cannot be recorded");
}

/// Aggregations merge over slots; keys are the tuple's values, an immediate stack included.
#[test]
fn aggregations_merge_over_slots() {
    let mut b = Builder::new();
    let name = string("ldgs execname, %r1\nret %r1");
    let actions = b.agg(agg::COUNT, &[&name, "immstack"], "", 0);
    b.ecb("", actions);
    let mut s = plain(b);
    let mut cat = Machine::new();
    for slot in [0, 1, 0] {
        s.fire(slot, &cat);
    }
    cat.name = "ls";
    s.fire(1, &cat);
    s.reader.snapshot();
    let read = |s: &Session| {
        let mut all: Vec<(Vec<KeyPart>, u64)> = s.reader.aggregations()[&1]
            .iter()
            .map(|(key, value)| (parts(key).unwrap(), value.values[0]))
            .collect();
        all.sort();
        all
    };
    let stack = KeyPart::Bytes(b"f1010+0x1\nf2020+0x1\nf3030+0x1\n".to_vec());
    let key = |name: &str| vec![KeyPart::Bytes(name.into()), stack.clone()];
    assert_eq!(read(&s), [(key("cat"), 3), (key("ls"), 1)]);
    s.fire(0, &cat);
    s.reader.snapshot();
    assert_eq!(read(&s), [(key("cat"), 3), (key("ls"), 2)]);
    assert!(s.records().is_empty());
}

/// `quantize(x, weight)`: the weight is an expression that records nothing, last in the tuple.
#[test]
fn weights_come_last_in_the_tuple() {
    let mut b = Builder::new();
    let weight = void("ldgs arg1, %r1\nret %r1");
    let actions = b.agg(agg::QUANTIZE, &[&trace("arg2"), &weight], &trace("arg0"), 0);
    b.ecb("", actions);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    s.reader.snapshot();
    let map = &s.reader.aggregations()[&1];
    let (key, value) = map.iter().next().unwrap();
    assert_eq!(parts(key).unwrap(), [KeyPart::Scalar(7)]);
    assert_eq!(value.values[crate::arena::aggfunc::quantize_bucket(5)], 6);
    assert_eq!(value.values.iter().sum::<u64>(), 6);
}

/// `exit()` stops everything after it, on this slot and the others, and keeps its status.
#[test]
fn exit_stops_all_slots() {
    let mut b = Builder::new();
    let exit = b.action(act::EXIT, &int32("setx 3, %r1\nret %r1"));
    b.ecb("", vec![exit]);
    b.ecb("", vec![]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    s.fire(1, &Machine::new());
    let records = s.records();
    assert_eq!(records.iter().map(|r| r.epid.0).collect::<Vec<_>>(), [1]);
    assert_eq!(s.number(&records[0], 0), 3);
    assert_eq!((s.reader.exit_status(), s.reader.activity()), (3, Activity::Draining));
}

/// Records that do not fit are counted, under each policy in its way.
#[test]
fn full_buffers_count_drops() {
    for (policy, first) in [(BufPolicy::Switch, 0), (BufPolicy::Fill, 0), (BufPolicy::Ring, 44)] {
        let mut b = Builder::new();
        let actions = vec![b.action(act::DIFEXPR, &trace("arg0"))];
        b.ecb("", actions);
        let mut s = Session::new(b, 0, |config| {
            (config.bufsize, config.bufpolicy) = (4096, policy);
        });
        let mut ctx = Machine::new();
        for at in 0..214 {
            ctx.args[0] = at;
            s.fire(0, &ctx);
        }
        let values: Vec<u64> = s.records().iter().map(|r| s.number(r, 0)).collect();
        assert!(values.len() == 170 && values.windows(2).all(|w| w[0] + 1 == w[1]), "{policy:?}");
        assert_eq!(values[0], first, "{policy:?}");
        let dropped: u64 =
            s.drops().iter().filter(|d| d.0 == DropKind::Principal).map(|d| d.1).sum();
        assert_eq!(dropped, if policy == BufPolicy::Ring { 0 } else { 44 });
    }
}

/// A committed speculation's records come out, a discarded one's do not, and none is free while
/// one is taken.
#[test]
fn speculations_commit_and_discard() {
    let mut b = Builder::new();
    let taken = r#".var "id" 0x500 scl glb 3 0 1 0 8"#;
    let take = b.action(
        act::DIFEXPR,
        &void(&format!("{taken}\ncall speculation, %r1\nstgs %r1, id\nret %r1")),
    );
    let is = |value| {
        int(&format!(
            "ldgs arg0, %r1\nsetx {value}, %r2\nxor %r1, %r2, %r1\ntst %r1\nbe yes\nsetx 0, %r1\nret %r1\nyes:\nsetx 1, %r1\nret %r1"
        ))
    };
    let id = int(&format!("{taken}\nldgs id, %r1\nret %r1"));
    b.ecb(&is(0), vec![take]);
    let (speculate, what) = (b.action(act::SPECULATE, &id), b.action(act::DIFEXPR, &trace("arg1")));
    b.ecb(&is(1), vec![speculate, what]);
    let commit = b.action(act::COMMIT, &id);
    b.ecb(&is(2), vec![commit]);
    let discard = b.action(act::DISCARD, &id);
    b.ecb(&is(3), vec![discard]);
    let mut s = plain(b);
    let fire = |s: &Session, slot, what, arg1| {
        let mut ctx = Machine::new();
        (ctx.args[0], ctx.args[1]) = (what, arg1);
        s.fire(slot, &ctx);
    };
    let values =
        |s: &mut Session| -> Vec<u64> { s.records().iter().map(|r| s.number(r, 1)).collect() };
    // One slot: its own commit brings them at once.
    for (what, arg) in [(0, 0), (1, 10), (1, 11)] {
        fire(&s, 0, what, arg);
    }
    assert_eq!(values(&mut s), []);
    fire(&s, 0, 2, 0);
    assert_eq!(values(&mut s), [10, 11]);
    // Discarded: gone.
    for (what, arg) in [(0, 0), (1, 20), (3, 0), (2, 0)] {
        fire(&s, 0, what, arg);
    }
    assert_eq!(values(&mut s), []);
    // Two slots: the consumer collects them.
    for (slot, what, arg) in [(0, 0, 0), (0, 1, 30), (1, 1, 31), (0, 1, 32), (1, 2, 0)] {
        fire(&s, slot, what, arg);
    }
    assert_eq!(values(&mut s), []);
    fire(&s, 0, 0, 0);
    assert_eq!(s.drops(), [(DropKind::SpecBusy, 1)]);
    s.reader.clean(5000);
    assert_eq!(values(&mut s), [30, 31, 32]);
    // Free again; a second one is not.
    fire(&s, 0, 0, 0);
    fire(&s, 0, 0, 0);
    assert_eq!(s.drops(), [(DropKind::SpecUnavailable, 1)]);
}

/// What a probe's fires must carry follows from its ECBs, and ends with the session.
#[test]
fn demands_follow_the_program() {
    let mut b = Builder::new();
    let name = string("ldgs execname, %r1\nret %r1");
    let stack = Action { arg: 7, ..b.action(act::STACK, "") };
    let name = b.action(act::DIFEXPR, &name);
    b.ecb(&trace("arg0"), vec![name, stack]);
    let pid = b.action(act::DIFEXPR, &trace("pid"));
    b.ecb("", vec![pid]);
    let s = Session::new(b, 1, |_| {});
    let carry = demand::Carry::IDS | demand::Carry::EXECNAME | demand::Carry::KSTACK;
    assert_eq!(s.engine.wanted(), [(ProbeId(1), demand::Demand { carry, frames: 7 })]);
    s.engine.close(s.id);
    assert_eq!(s.engine.wanted(), []);
    assert_eq!(s.engine.sessions(), 0);
}

/// Programs that do not fit the arena, or want what they may not, are refused by name.
#[test]
fn unfitting_programs_are_refused() {
    let s = plain(Builder::new());
    let load = |b: Builder| s.engine.load(s.id, &dif::dof::write(&b.program).unwrap());
    let mut b = Builder::new();
    let action = b.action(act::DIFEXPR, &int(&format!("{N}\nldgs n, %r1\nret %r1")));
    b.ecb("", vec![action]);
    assert!(matches!(load(b), Err(EngineError::Load(LoadError::Variable { id: 0x500 }))));
    let mut b = Builder::new();
    let panic = b.action(act::PANIC, "");
    b.ecb("", vec![panic]);
    assert!(matches!(load(b), Err(EngineError::Load(LoadError::Destructive { ecb: 0 }))));
    let mut b = Builder::new();
    let chill = b.action(act::CHILL, &trace("arg0"));
    b.ecb("", vec![chill]);
    assert!(load(b).is_err());
    assert!(matches!(s.engine.load(s.id, b"rubbish"), Err(EngineError::Load(LoadError::Dof(_)))));
    let none = Enabling { probe: ProbeId(1), ecb: 9, epid: Epid(1), id: 1 };
    assert!(matches!(
        s.engine.enable(s.id, &[none], &NoNames),
        Err(EngineError::NoEcb { at: 0, ecb: 9 })
    ));
    assert!(matches!(s.engine.load(SessionId(99), b""), Err(EngineError::NoSession)));
}

/// A string variable has its memory from the start: it reads as the empty string until NULL is
/// stored, and its address is that of real memory; `DifType::STRING` agrees on sizes.
#[test]
fn unset_strings_are_empty_and_null_is_null() {
    let mut b = Builder::new();
    let text = b.action(act::DIFEXPR, &string(&format!("{S}\nldgs s, %r1\nret %r1")));
    let null = b.action(act::DIFEXPR, &void(&format!("{S}\nstgs %r0, s\nret %r0")));
    let addr = b.action(act::DIFEXPR, &int(&format!("{S}\nldgs s, %r1\nret %r1")));
    b.ecb("", vec![text, null, addr]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let record = s.records().remove(0);
    assert_eq!(s.datum(&record, 0), b"");
    assert_eq!(s.number(&record, 1), 0);
    assert_eq!(s.program.difos[0].vars[0].ty, DifType::STRING);
}

/// A kernel's way of firing leaves what the engine's leaves: one record of each, alike but for the
/// slot and the time.
#[test]
fn solo_fires_as_the_engine_does() {
    let mut builder = Builder::new();
    let action = builder.action(act::DIFEXPR, &trace("arg1"));
    builder.ecb("", vec![action]);
    let mut session = Session::new(builder, 0, |_| {});
    let arena = session.reader.arena().map_again().unwrap();
    let place = solo::Place {
        machine: MachineId(1),
        vmname: "vm-web-0",
        slot: 2,
        names: ["fbt", "kernel", "vfs_read", "entry"],
    };
    let dof = dif::dof::write(&session.program).unwrap();
    let enabling = Enabling { probe: ProbeId(1), ecb: 0, epid: Epid(1), id: 900 };
    let config = arena.layout().config().clone();
    let mut solo = solo::Solo::new(arena.mem(), config.clone(), &place, &dof, &[enabling]).unwrap();
    session.fire(0, &Machine::new());
    assert_eq!(solo.fire(&Machine::new(), &Ticks::default()), Reaction::Nothing);
    let records = session.records();
    let values: Vec<u64> = records.iter().map(|record| session.number(record, 0)).collect();
    assert_eq!(values, [6, 6]);
    let wrong = Enabling { ecb: 1, ..enabling };
    let refused = solo::Solo::new(arena.mem(), config, &place, &dof, &[wrong]);
    assert!(matches!(refused, Err(solo::SoloError::NoEcb(1))));
}

/// A builder's session that may destroy.
fn destructive(builder: Builder) -> Session {
    Session::new(builder, 0, |config| config.destructive = true)
}

/// What a clause wants of the platform comes back with the fire.
#[test]
fn reactions_come_back() {
    for (kind, text, wanted) in [
        (act::STOP, String::new(), Reaction::Stop),
        (act::RAISE, trace("arg0"), Reaction::Raise(5)),
        (act::PANIC, String::new(), Reaction::Panic),
        (act::BREAKPOINT, String::new(), Reaction::Breakpoint),
        (act::CHILL, trace("arg1"), Reaction::Chill(6)),
    ] {
        let mut b = Builder::new();
        let action = b.action(kind, &text);
        b.ecb("", vec![action]);
        let s = destructive(b);
        let got = s.engine.fire(LocalSlot(0), ProbeId(1), &Machine::new());
        assert_eq!(got, wanted);
    }
}

/// A slot spins half a second in each second at most; more is an illegal operation.
#[test]
fn chill_has_a_limit() {
    let mut b = Builder::new();
    let action = b.action(act::CHILL, &trace("arg0"));
    b.ecb("", vec![action]);
    let mut s = destructive(b);
    let mut ctx = Machine::new();
    ctx.args[0] = 300_000_000;
    let fire = || s.engine.fire(LocalSlot(0), ProbeId(1), &ctx);
    assert_eq!(fire(), Reaction::Chill(300_000_000));
    assert_eq!(fire(), Reaction::Nothing);
    assert_eq!(s.drops(), [(DropKind::Error, 1)]);
}

/// `copyout()` writes its bytes, `copyoutstr()` up to the NUL.
#[test]
fn copyout_writes_user_memory() {
    for (number, size, wanted) in [("copyout", 3, "/bi"), ("copyoutstr", 99, "/bin/x\0")] {
        let mut b = Builder::new();
        let push = |value: u64| format!("setx {value:#x}, %r1\npushtv DT_TYPE(0), %r0, %r1\n");
        let args = [Machine::BASE, 0x7000, size].map(push).concat();
        let text = format!("{args}call {number}, %r1\nret %r1");
        let action = b.action(act::DIFEXPR, &void(&text));
        b.ecb("", vec![action]);
        let mut s = destructive(b);
        let ctx = Machine::new();
        s.fire(0, &ctx);
        assert_eq!(s.drops(), []);
        assert_eq!(*ctx.written.borrow(), [(0x7000, wanted.as_bytes().to_vec())]);
    }
}

/// A machine whose owner permits nothing refuses a destructive clause and no other.
#[test]
fn unpermitted_clauses_are_refused() {
    struct Strict;
    impl ProbeNames for Strict {
        fn names(&self, _: ProbeId) -> Option<[&str; 4]> {
            None
        }
        fn permits_destructive(&self) -> bool {
            false
        }
    }
    let mut b = Builder::new();
    b.ecb("", vec![]);
    let action = b.action(act::STOP, "");
    b.ecb("", vec![action]);
    let s = destructive(b);
    let enabling = |ecb| Enabling { probe: ProbeId(1), ecb, epid: Epid(ecb + 1), id: 1 };
    assert!(s.engine.enable(s.id, &[enabling(0)], &Strict).is_ok());
    assert!(matches!(
        s.engine.enable(s.id, &[enabling(0), enabling(1)], &Strict),
        Err(EngineError::NotPermitted { ecb: 1 })
    ));
}
