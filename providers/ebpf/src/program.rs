//! A site's program: what runs before and after the clauses.
//!
//! ```text
//!  fire(context): which CPU, which slot ── busy? ── counted, and gone
//!       which probe (key) ── its numbers into private memory ── its clauses ── slot left
//! ```
//! A program may be interrupted by another of the same session on its CPU (an interrupt's
//! tracepoint, a clock's NMI, a preempted uprobe): the one that comes second finds the slot busy,
//! counts a drop and goes.

use std::{collections::BTreeMap, sync::Arc};

use dif::{
    number::var,
    opcode::{Instr, Op as Dif},
};
use host::{arena::header::DropKind, engine::plan::Step};

use crate::{
    asm::{
        Alu, Atomic, Double, Function, Helper, If, Label, Map, R0, R1, R2, R3, R6, R7, R8, R9, R10,
        Word,
    },
    difo, ecb,
    error::Refused,
    module::{DataPlan, Module, private},
    routine::ring::{SLOT_FIRES, SLOT_IN_FIRE, drop_counter},
    site::{Fired, Op, Select, Site, Source, Value},
    world::{MAX_FRAMES, Run, World, field},
};

/// What a probe's constants begin with: the number, a spare word, four names' places.
const ENTRY_HEAD: u32 = 40;
/// The least room of an entry: routines read so much without looking.
const ENTRY_LEAST: u32 = 72;

/// A translated program.
pub(crate) struct Translated {
    pub(crate) functions: Vec<Function>,
    /// The constants' map.
    pub(crate) data: Vec<u8>,
}

/// What clauses ask of a fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Needs {
    /// Bit n: `argn`.
    args: u16,
    errno: bool,
    /// Frames of the kernel's stack.
    frames: u32,
    /// Frames of the process's stack.
    user_frames: u32,
    scratch: bool,
}

/// Probes that share a way: the same clauses and the same sources.
struct Group {
    ecbs: Vec<u32>,
    source: Source,
    needs: Needs,
}

/// Constants under construction.
struct Data {
    bytes: Vec<u8>,
    plan: DataPlan,
}

impl Data {
    fn put(&mut self, bytes: &[u8]) -> Run {
        let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        Run { at, len: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    fn name(&mut self, text: &str) -> Run {
        let clean = text.split('\0').next().unwrap_or_default();
        let bytes: Vec<u8> = clean.bytes().chain([0]).collect();
        self.put(&bytes)
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    /// A probe's constants: see [`ENTRY_HEAD`]; then the group's number (in the spare word) and
    /// EPIDs.
    fn entry(&mut self, fired: &Fired, group: u32) -> u32 {
        let names = [0, 1, 2, 3].map(|at: usize| {
            let name = fired.names.get(at).cloned().unwrap_or_default();
            self.name(&name)
        });
        self.align();
        let mut words = vec![fired.id, group];
        words.extend(names.iter().flat_map(|run| [run.at, run.len]));
        words.extend(fired.ecbs.iter().map(|(_, epid)| epid.0));
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let run = self.put(&bytes);
        let least = run.at + ENTRY_LEAST.max(run.len);
        self.bytes.resize(least as usize, 0);
        run.at
    }
}

/// Translates a site's program.
pub(crate) fn translate(
    world: &Arc<World>,
    site: &Site,
    errors: Option<&Fired>,
) -> Result<Translated, Refused> {
    let probes: Vec<(Option<u32>, &Fired)> = match &site.select {
        Select::One(fired) => vec![(None, fired)],
        Select::ByKey { probes, .. } => probes.iter().map(|(k, f)| (Some(*k), f)).collect(),
    };
    let (groups, members) = group(world, &probes, errors);
    let mut data = Data { bytes: Vec::new(), plan: DataPlan::default() };
    data.plan.strings = data.put(&world.loaded.verified.strings);
    data.plan.vmname = data.put(&world.vmname);
    data.plan.zonename = data.put(b"global\0");
    data.align();
    let error_entry = errors.map(|fired| data.entry(fired, 0));
    let entries: Vec<u32> =
        probes.iter().zip(&members).map(|((_, fired), group)| data.entry(fired, *group)).collect();
    let table = key_table(&mut data, &probes, &entries);
    data.bytes.resize(data.bytes.len() + 64, 0);
    data.plan.size = u32::try_from(data.bytes.len()).unwrap_or(u32::MAX);

    let mut m = Module::new(world, data.plan.clone());
    m.foreign_thread = probes.iter().any(|(_, fired)| fired.source.thread.is_some());
    m.errors = errors.zip(error_entry).map(|(fired, entry)| {
        (entry, fired.ecbs.iter().map(|(ecb, epid)| (*ecb, epid.0)).collect())
    });
    let main = Main { m: &mut m, f: Function::new("fire", 1), free: Vec::new() };
    let f = main.make(site, &groups, table, entries.first().copied().unwrap_or(0))?;
    m.fill(crate::asm::FnId(0), f);
    Ok(Translated { functions: m.functions, data: data.bytes })
}

/// For each key its probe's constants and 1; where the table lies.
fn key_table(data: &mut Data, probes: &[(Option<u32>, &Fired)], entries: &[u32]) -> Run {
    let most = probes.iter().filter_map(|(key, _)| *key).max();
    let Some(most) = most else { return Run::default() };
    let mut table = vec![0_u32; most as usize + 1];
    for ((key, _), entry) in probes.iter().zip(entries) {
        if let Some(place) = key.and_then(|key| table.get_mut(key as usize)) {
            *place = entry + 1;
        }
    }
    let bytes: Vec<u8> = table.iter().flat_map(|word| word.to_le_bytes()).collect();
    let run = data.put(&bytes);
    data.align();
    run
}

/// Finds the groups, and each probe's.
fn group(
    world: &World,
    probes: &[(Option<u32>, &Fired)],
    errors: Option<&Fired>,
) -> (Vec<Group>, Vec<u32>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
    let mut members = Vec::new();
    let of_errors = errors.map(ecbs_of).unwrap_or_default();
    for (_, fired) in probes {
        let ecbs = ecbs_of(fired);
        let needs = needs(world, &ecbs, &of_errors);
        let mut source = fired.source.clone();
        for (at, value) in source.args.iter_mut().enumerate() {
            if needs.args >> at & 1 == 0 {
                *value = Value::Const(0);
            }
        }
        while source.args.last() == Some(&Value::Const(0)) {
            source.args.pop();
        }
        if !needs.errno {
            source.errno = None;
        }
        let same = known.entry(ecbs.clone()).or_default();
        let found = same
            .iter()
            .copied()
            .find(|at| groups.get(*at as usize).is_some_and(|group| group.source == source));
        let number = found.unwrap_or_else(|| {
            let number = u32::try_from(groups.len()).unwrap_or(u32::MAX);
            groups.push(Group { ecbs, source, needs });
            same.push(number);
            number
        });
        members.push(number);
    }
    (groups, members)
}

fn ecbs_of(fired: &Fired) -> Vec<u32> {
    fired.ecbs.iter().map(|(ecb, _)| *ecb).collect()
}

/// What some clauses ask of a fire; ERROR clauses may ask for everything but arguments.
fn needs(world: &World, ecbs: &[u32], errors: &[u32]) -> Needs {
    let mut needs = Needs::default();
    for (ecb, is_error) in
        ecbs.iter().map(|ecb| (*ecb, false)).chain(errors.iter().map(|ecb| (*ecb, true)))
    {
        let Some(desc) = world.program.ecbs.get(ecb as usize) else { continue };
        if let Some(code) = world.loaded.ecbs.get(ecb as usize) {
            needs.frames = needs.frames.max(code.demand.frames.min(MAX_FRAMES));
            let user = code.steps.iter().map(|(_, step)| user_frames(step)).max();
            needs.user_frames = needs.user_frames.max(user.unwrap_or(0));
        }
        let difos = desc.predicate.into_iter().chain(desc.actions.iter().filter_map(|a| a.difo));
        for index in difos {
            let Some(difo) = world.program.difos.get(index.0 as usize) else { continue };
            for word in difo.text.iter().map(|word| Instr(*word)) {
                match (word.op(), word.wide()) {
                    (Some(Dif::Ldga), _) if !is_error => needs.args = 0x3ff,
                    (Some(Dif::Ldgs), id @ var::ARG0..=var::ARG9) if !is_error => {
                        needs.args |= 1 << (id - var::ARG0);
                    }
                    (Some(Dif::Ldgs), var::ERRNO) => needs.errno = true,
                    (Some(Dif::Ldgs), var::UCALLER) => {
                        needs.user_frames = needs.user_frames.max(2);
                    }
                    (Some(Dif::Ldgs), var::USTACKDEPTH) => needs.user_frames = MAX_FRAMES,
                    (Some(Dif::Call | Dif::Allocs), _) => needs.scratch = true,
                    _ => {}
                }
            }
        }
    }
    needs
}

/// `BPF_F_USER_STACK`.
const USER_STACK_FLAG: i64 = 1 << 8;

/// Frames of the process's stack that a step records.
fn user_frames(step: &Step) -> u32 {
    match step {
        Step::UserStack { frames, .. } => (*frames).min(MAX_FRAMES),
        Step::Aggregate(agg) => agg.key.iter().map(user_frames).max().unwrap_or(0),
        _ => 0,
    }
}

struct Main<'a> {
    m: &'a mut Module,
    f: Function,
    /// Places of the frame that hold nothing any more.
    free: Vec<i16>,
}

impl Main<'_> {
    fn make(
        mut self,
        site: &Site,
        groups: &[Group],
        table: Run,
        only: u32,
    ) -> Result<Function, Refused> {
        let gone = self.f.label();
        let leave = self.f.label();
        self.begin(gone);
        match &site.select {
            Select::One(_) => {
                self.f.store(Double, R9, field::ENTRY, i64::from(only));
                if let Some(group) = groups.first() {
                    self.group(group, leave)?;
                }
            }
            Select::ByKey { key, .. } => self.choose(key, table, groups, leave)?,
        }
        self.f.bind(leave);
        self.f.load(Double, R1, R8, SLOT_FIRES);
        self.f.alu(Alu::Add, R1, 1);
        self.f.store(Double, R8, SLOT_FIRES, R1);
        self.f.store(Double, R8, SLOT_IN_FIRE, 0);
        self.f.store(Double, R9, field::BUSY, 0);
        self.f.bind(gone);
        self.f.answer(0);
        Ok(self.f)
    }

    /// Finds the slot and enters it: R6 the context, R8 and R9 the slot's memories.
    fn begin(&mut self, gone: Label) {
        let world = Arc::clone(&self.m.world);
        let f = &mut self.f;
        let enter = f.label();
        f.mov(R6, R1);
        f.helper(Helper::GetSmpProcessorId);
        f.branch(If::Ge, R0, world.cpus, gone);
        f.mov(R1, R0);
        f.mov(R7, R0);
        f.alu(Alu::Mul, R1, world.private.size);
        f.map(R9, Map::Private, 0);
        f.alu(Alu::Add, R9, R1);
        f.mov(R1, R0);
        f.alu(Alu::Mul, R1, world.layout.slot.stride.cast_signed());
        f.map(R8, Map::Arena, world.slots_at());
        f.alu(Alu::Add, R8, R1);
        f.mov(R1, 1);
        f.atomic(Atomic::Exchange, R9, field::BUSY, R1);
        f.branch(If::Eq, R1, 0, enter);
        f.mov(R1, 1);
        f.atomic(Atomic::FetchAdd, R8, drop_counter(DropKind::Nested), R1);
        f.jump(gone);
        f.bind(enter);
        f.store(Double, R9, field::NUMBER, R7);
        f.mov(R1, host::arena::header::STARTING.cast_signed());
        f.atomic(Atomic::Exchange, R8, SLOT_IN_FIRE, R1);
        f.helper(Helper::KtimeGetNs);
        f.store(Double, R8, SLOT_IN_FIRE, R0);
        f.store(Double, R9, field::NOW, R0);
        for word in [field::FAULT, field::TOP, field::STRTOK, field::HAS_EXECNAME] {
            f.store(Double, R9, word, 0);
        }
        self.clear_locals();
    }

    /// Clause-locals begin anew with each firing.
    fn clear_locals(&mut self) {
        let locals = self.m.world.private.locals;
        let f = &mut self.f;
        if locals.len <= 256 {
            for at in (0..locals.len).step_by(8) {
                private(f, R1, locals.at + at);
                f.store(Double, R1, 0, 0);
            }
        } else {
            // A read of address 0 fails and leaves zeros.
            private(f, R1, locals.at);
            f.mov(R2, locals.len);
            f.mov(R3, 0);
            f.helper(Helper::ProbeReadKernel);
        }
    }

    /// Looks the key up and runs the probe's group.
    fn choose(
        &mut self,
        key: &Value,
        table: Run,
        groups: &[Group],
        leave: Label,
    ) -> Result<(), Refused> {
        self.value(key);
        let f = &mut self.f;
        let count = table.len / 4;
        f.branch(If::Ge, R0, count, leave);
        f.alu(Alu::Lsh, R0, 2);
        f.map(R1, Map::Data, u64::from(table.at));
        f.alu(Alu::Add, R1, R0);
        f.load(Word, R1, R1, 0);
        f.branch(If::Eq, R1, 0, leave);
        f.alu(Alu::Sub, R1, 1);
        f.store(Double, R9, field::ENTRY, R1);
        if let [only] = groups {
            return self.group(only, leave);
        }
        difo::entry(f, self.m);
        f.load(Word, R7, R1, 4);
        for (number, group) in (0_i64..).zip(groups) {
            let next = self.f.label();
            self.f.branch(If::Ne, R7, number, next);
            self.group(group, leave)?;
            self.f.jump(leave);
            self.f.bind(next);
        }
        Ok(())
    }

    /// Runs a group's clauses.
    fn group(&mut self, group: &Group, leave: Label) -> Result<(), Refused> {
        if let Some(guard) = &group.source.guard {
            self.value(guard);
            self.f.branch(If::Eq, R0, 0, leave);
        }
        for (at, place) in (0..10).zip((field::ARGS..).step_by(8)) {
            if group.needs.args >> at & 1 == 0 {
                continue;
            }
            match group.source.args.get(at) {
                Some(value) => self.value(value),
                None => self.f.mov(R0, 0),
            }
            self.f.store(Double, R9, place, R0);
        }
        if self.m.foreign_thread {
            self.value(group.source.thread.as_ref().unwrap_or(&Value::Current));
            self.f.store(Double, R9, field::THREAD, R0);
        }
        if group.needs.errno {
            match &group.source.errno {
                Some(errno) => self.value(errno),
                None => self.f.mov(R0, 0),
            }
            self.f.store(Double, R9, field::ERRNO, R0);
        }
        if group.needs.frames > 0 {
            self.stack(group.needs.frames, field::STACK, 0);
            self.f.store(Double, R9, field::FRAMES, R1);
        }
        if group.needs.user_frames > 0 {
            self.stack(group.needs.user_frames, field::USER_STACK, USER_STACK_FLAG);
            self.f.store(Double, R9, field::USER_FRAMES, R1);
        }
        for (at, ecb) in (0_u32..).zip(&group.ecbs) {
            self.may_fire(leave);
            let id = ecb::function(self.m, *ecb, false)?;
            difo::entry(&mut self.f, self.m);
            let off = i16::try_from(ENTRY_HEAD + at * 4);
            let off = off.map_err(|_| Refused::new("a probe", "it has too many clauses"))?;
            if off < 64 {
                self.f.load(Word, R2, R1, off);
            } else {
                self.far_epid(off);
            }
            self.f.load(Double, R1, R9, field::NUMBER);
            self.f.call(id);
            if group.needs.scratch {
                let kept = self.f.label();
                self.f.load(Double, R1, R9, field::STRTOK);
                self.f.branch(If::Ne, R1, 0, kept);
                self.f.store(Double, R9, field::TOP, 0);
                self.f.bind(kept);
            }
        }
        Ok(())
    }

    /// R2 becomes the EPID at an offset of the entry in R0 that lies beyond what is always there.
    fn far_epid(&mut self, off: i16) {
        let (good, read) = (self.f.label(), self.f.label());
        let last = i64::from(self.m.data.size) - i64::from(off) - 4;
        self.f.branch(If::Le, R0, last, good);
        self.f.mov(R2, 0);
        self.f.jump(read);
        self.f.bind(good);
        self.f.map(R1, Map::Data, 0);
        self.f.alu(Alu::Add, R1, R0);
        self.f.load(Word, R2, R1, off);
        self.f.bind(read);
    }

    /// Goes on only while the session is active: the header's word at 128.
    fn may_fire(&mut self, leave: Label) {
        self.f.map(R1, Map::Arena, 128);
        self.f.load(Word, R1, R1, 0);
        self.f.branch(If::Ne, R1, 2, leave);
    }

    /// The kernel's or the process's stack into private memory, zeros behind it; R1 becomes the
    /// number of frames.
    fn stack(&mut self, frames: u32, at: i16, flags: i64) {
        let f = &mut self.f;
        let none = f.label();
        f.mov(R1, R9);
        f.alu(Alu::Add, R1, i64::from(at));
        f.mov(R2, MAX_FRAMES * 8);
        f.mov(R3, 0);
        f.helper(Helper::ProbeReadKernel);
        f.mov(R1, R6);
        f.mov(R2, R9);
        f.alu(Alu::Add, R2, i64::from(at));
        f.mov(R3, frames * 8);
        f.mov(crate::asm::R4, flags);
        f.helper(Helper::GetStack);
        f.mov(R1, 0);
        f.branch(If::Slt, R0, 0, none);
        f.mov(R1, R0);
        f.alu(Alu::Rsh, R1, 3);
        f.bind(none);
    }

    /// R0 becomes a value. Spoils R1 to R5 and R7.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Const(value) => self.f.mov(R0, value.cast_signed()),
            Value::Word(at) => self.f.load(Double, R0, R6, i16::from(*at) * 8),
            Value::Current => self.f.helper(Helper::GetCurrentTask),
            Value::Cookie => {
                self.f.mov(R1, R6);
                self.f.helper(Helper::GetAttachCookie);
            }
            Value::Load { base, offset, width, signed } => {
                self.value(base);
                difo::kernel_load(&mut self.f, *offset, u32::from(*width), *signed);
            }
            Value::UserLoad { base, width, signed } => {
                self.value(base);
                difo::user_load(&mut self.f, u32::from(*width), *signed);
            }
            Value::Op(op, left, right) => {
                // Places of the frame are used again: the kernel gives all functions of a call's
                // chain 512 bytes together.
                self.value(left);
                let slot = self.free.pop().unwrap_or_else(|| self.f.slot());
                self.f.store(Double, R10, slot, R0);
                self.value(right);
                self.f.load(Double, R1, R10, slot);
                self.free.push(slot);
                self.op(*op);
            }
        }
    }

    /// R0 becomes R1 op R0.
    fn op(&mut self, op: Op) {
        let f = &mut self.f;
        let alu = match op {
            Op::Add => Alu::Add,
            Op::Sub => Alu::Sub,
            Op::Mul => Alu::Mul,
            Op::And => Alu::And,
            Op::Or => Alu::Or,
            Op::Shl => Alu::Lsh,
            Op::Shr => Alu::Rsh,
            Op::Eq | Op::Ne | Op::Ge => {
                let cond = match op {
                    Op::Eq => If::Eq,
                    Op::Ne => If::Ne,
                    _ => If::Ge,
                };
                let holds = f.label();
                f.mov(R2, R0);
                f.mov(R0, 1);
                f.branch(cond, R1, R2, holds);
                f.mov(R0, 0);
                f.bind(holds);
                return;
            }
        };
        if matches!(op, Op::Shl | Op::Shr) {
            f.alu(Alu::And, R0, 63);
        }
        f.alu(alu, R1, R0);
        f.mov(R0, R1);
    }
}
