//! A clause on one probe as a function: `(slot's number, EPID)`.
//!
//! Predicate, actions into a record in private memory, then the record goes to the ring. A fault
//! ends the clause: it is told to the consumer and fires the session's ERROR clauses.

mod aggregate;
mod function;

use dif::number::act;
use host::{
    arena::header::DropKind,
    engine::plan::{EcbCode, Step},
};

use crate::{
    asm::{
        Alu, Double, FnId, Function, Helper, If, Label, Map, R0, R1, R2, R3, R6, R7, R9, R10, Size,
        Word,
    },
    difo,
    error::Refused,
    module::{Module, private},
    routine::{
        Routine, ring,
        spec::{self, Spec},
    },
    world::field,
};

/// Words of a record that are copied one by one; longer ones are copied by a helper.
const SHORT: u32 = 32;

/// The signal that stops a process, on x86 as on most.
const SIGSTOP: i64 = 19;

struct Clause<'a> {
    m: &'a mut Module,
    f: Function,
    error: bool,
    /// Where a fault of each action is handled: the action's place, from 1.
    faults: Vec<(Label, u32)>,
    /// Where the clause ends without a record.
    end: Label,
    /// Bytes of the record that its strings may not need; 0 if it is not packed.
    packs: u32,
    /// Places of the frame for what an aggregation has computed.
    kept: Vec<i16>,
}

/// The expression of a key's element; a stack has none.
fn computed(part: &Step) -> Option<u32> {
    match part {
        Step::Value { difo, .. }
        | Step::String { difo, .. }
        | Step::Bytes { difo, .. }
        | Step::User { difo, .. } => Some(*difo),
        _ => None,
    }
}

/// The function of an ECB, made if it is not there yet.
pub(crate) fn function(m: &mut Module, number: u32, error: bool) -> Result<FnId, Refused> {
    if let Some(known) = m.ecbs.get(&(number, error)) {
        return Ok(*known);
    }
    let id = m.reserve();
    m.ecbs.insert((number, error), id);
    let missing = || Refused::new("a clause", "the program does not have it");
    let code = m.world.loaded.ecbs.get(number as usize).ok_or_else(missing)?.clone();
    let name = format!("clause_{number}{}", if error { "_error" } else { "" });
    let mut f = Function::new(&name, 2);
    let end = f.label();
    let mut clause = Clause { m, f, error, faults: Vec::new(), end, packs: 0, kept: Vec::new() };
    clause.packs = clause.packed(&code);
    clause.all(&code)?;
    let f = clause.f;
    m.fill(id, f);
    Ok(id)
}

impl Clause<'_> {
    fn all(&mut self, code: &EcbCode) -> Result<(), Refused> {
        self.m.enter_arena(&mut self.f);
        self.f.store(Double, R9, field::EPID, R2);
        if code.steps.iter().any(|(_, step)| is_speculative(step)) {
            self.f.store(Double, R9, field::SPECULATION, 0);
        }
        if let Some(predicate) = code.predicate {
            self.eval(predicate, 0)?;
            self.f.branch(If::Eq, R0, 0, self.end);
        }
        if self.packs > 0 {
            self.f.store(Double, R9, field::SPARED, 0);
        }
        for (action, step) in &code.steps {
            self.step(step, action + 1)?;
        }
        if code.size > 0 {
            if code.steps.iter().any(|(_, step)| matches!(step, Step::Speculate(_))) {
                self.keep_aside(code.size);
            }
            self.publish(code.size)?;
        }
        self.f.bind(self.end);
        self.f.answer(0);
        self.faulted()
    }

    /// How many bytes of the record its strings may not need, if it can be packed: a record that
    /// may go to a speculation cannot, nor one whose longest place the verifier could think outside
    /// the arena.
    fn packed(&self, code: &EcbCode) -> u32 {
        let spare = |step: &Step| match step {
            Step::String { size, .. } => size.next_multiple_of(8).saturating_sub(8),
            _ => 0,
        };
        let spare: u32 = code.steps.iter().map(|(_, step)| spare(step)).sum();
        let layout = &self.m.world.layout;
        let (buffer, last) = (layout.slot.buffer, u64::from(self.m.world.cpus.max(1)) - 1);
        let end = self.m.world.slots_at() + last * layout.slot.stride + buffer.offset + buffer.len;
        let speculates = code.steps.iter().any(|(_, step)| matches!(step, Step::Speculate(_)));
        let fits = end + u64::from(spare) <= layout.total;
        if fits && !speculates { spare } else { 0 }
    }

    /// What happens after a fault.
    fn faulted(&mut self) -> Result<(), Refused> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let common = self.f.label();
        for (label, action) in core::mem::take(&mut self.faults) {
            self.f.bind(label);
            self.f.store(Double, R9, field::FAULT_ACTION, i64::from(action));
            self.f.jump(common);
        }
        self.f.bind(common);
        if self.error {
            ring::count(&mut self.f, DropKind::DoubleError);
            self.f.store(Double, R9, field::FAULT, 0);
            self.f.answer(0);
            return Ok(());
        }
        self.m.call(&mut self.f, Routine::Fault, &[])?;
        if let Some((entry, ecbs)) = self.m.errors.clone() {
            let (before, epid) = (self.f.slot(), self.f.slot());
            self.f.load(Double, R1, R9, field::ENTRY);
            self.f.store(Double, R10, before, R1);
            self.f.load(Double, R1, R9, field::EPID);
            self.f.store(Double, R10, epid, R1);
            self.f.store(Double, R9, field::ENTRY, i64::from(entry));
            for (number, epid) in ecbs {
                let id = function(self.m, number, true)?;
                self.f.load(Double, R1, R9, field::NUMBER);
                self.f.mov(R2, epid);
                self.f.call(id);
            }
            self.f.load(Double, R1, R10, before);
            self.f.store(Double, R9, field::ENTRY, R1);
        }
        self.f.answer(0);
        Ok(())
    }

    /// R0 becomes an expression's value; a fault in it is the given action's.
    fn eval(&mut self, number: u32, action: u32) -> Result<(), Refused> {
        if let Some(value) = difo::constant(self.m, number) {
            self.f.mov(R0, value.cast_signed());
            return Ok(());
        }
        let id = difo::function(self.m, number, self.error)?;
        self.f.load(Double, R1, R9, field::NUMBER);
        self.f.call(id);
        self.check(action);
        Ok(())
    }

    /// Goes to the handling of a fault if there was one. Spoils R1.
    fn check(&mut self, action: u32) {
        let label = self.f.label();
        self.faults.push((label, action));
        self.f.load(Double, R1, R9, field::FAULT);
        self.f.branch(If::Ne, R1, 0, label);
    }

    /// A register becomes the address of the record's byte.
    fn record(&mut self, to: crate::asm::Reg, at: u32) {
        let record = self.m.world.private.record.at;
        private(&mut self.f, to, record + at);
    }

    fn step(&mut self, step: &Step, action: u32) -> Result<(), Refused> {
        let record = self.m.world.private.record.at;
        match step {
            Step::Eval(difo) => self.eval(*difo, action)?,
            Step::Value { difo, at, size } => {
                self.eval(*difo, action)?;
                self.record(R1, *at);
                self.f.store(Size::of(*size), R1, 0, R0);
            }
            Step::String { difo, at, size } => {
                self.eval(*difo, action)?;
                self.string(record + at, *size)?;
                self.unlocated();
                self.check(action);
                if self.packs > 0 {
                    self.spare(*size);
                }
            }
            Step::Bytes { difo, at, size, user: false } => {
                self.eval(*difo, action)?;
                let place = i64::from(record + at);
                let arguments = [R0.into(), place.into(), (*size).into()];
                self.m.call(&mut self.f, Routine::ReadBytes, &arguments)?;
                self.unlocated();
                self.check(action);
            }
            Step::User { difo, at } => {
                self.eval(*difo, action)?;
                self.f.mov(R6, R0);
                self.pid()?;
                self.record(R1, *at);
                self.f.store(Double, R1, 0, R0);
                self.f.store(Double, R1, 8, R6);
            }
            Step::Stack { at, frames } => {
                self.record(R1, *at);
                self.stack_words(*frames);
            }
            Step::UserStack { at, frames, size } => {
                self.pid()?;
                self.record(R1, *at);
                self.user_stack(*frames, *size);
            }
            Step::Exit { difo, at } => {
                self.eval(*difo, action)?;
                self.record(R1, *at);
                self.f.store(Word, R1, 0, R0);
                self.exit();
            }
            Step::Aggregate(agg) => self.aggregate(agg, action)?,
            Step::Speculate(difo) => {
                self.eval(*difo, action)?;
                self.f.branch(If::Eq, R0, 0, self.end);
                self.f.mov(R6, R0);
                self.m.call(&mut self.f, Routine::Spec(Spec::Begin), &[R6.into()])?;
                self.f.branch(If::Eq, R0, 0, self.end);
                self.f.store(Double, R9, field::SPECULATION, R6);
            }
            Step::EndSpeculation { difo, commit } => {
                self.eval(*difo, action)?;
                let routine = if *commit { Spec::Commit } else { Spec::Discard };
                self.m.call(&mut self.f, Routine::Spec(routine), &[R0.into()])?;
            }
            Step::React { kind: act::RAISE, difo: Some(difo) } => {
                self.eval(*difo, action)?;
                self.f.mov(R1, R0);
                self.f.helper(Helper::SendSignal);
            }
            Step::React { kind: act::STOP, .. } => {
                self.f.mov(R1, SIGSTOP);
                self.f.helper(Helper::SendSignal);
            }
            other => return Err(refused_step(other)),
        }
        Ok(())
    }

    /// Reads the string at R0 into the record; R0 becomes its length.
    fn string(&mut self, place: u32, size: u32) -> Result<(), Refused> {
        let place = if self.packs > 0 {
            self.f.load(Double, R1, R9, field::SPARED);
            self.f.mov(R6, place);
            self.f.alu(Alu::Sub, R6, R1);
            R6.into()
        } else {
            i64::from(place).into()
        };
        self.m.call(&mut self.f, Routine::ReadString, &[R0.into(), place, size.into()])
    }

    /// What follows the NUL of a string of R0 bytes, up to the next multiple of 8, is not needed.
    fn spare(&mut self, size: u32) {
        self.f.alu(Alu::Add, R0, 8);
        self.f.alu(Alu::And, R0, -8);
        self.f.mov(R1, size.next_multiple_of(8));
        self.f.alu(Alu::Sub, R1, R0);
        self.f.load(Double, R2, R9, field::SPARED);
        self.f.alu(Alu::Add, R2, R1);
        self.f.store(Double, R9, field::SPARED, R2);
    }

    /// A fault that comes when a result is used has no place in the expression.
    fn unlocated(&mut self) {
        self.f.store(Double, R9, field::FAULT_OFFSET, -1);
    }

    /// R0 becomes the process's number.
    fn pid(&mut self) -> Result<(), Refused> {
        if self.m.foreign_thread {
            let why = "the kernel does not say (BTF) where it keeps that";
            let tgid = self.m.world.facts.task_tgid.ok_or_else(|| Refused::new("pid", why))?;
            self.f.load(Double, R0, R9, field::THREAD);
            difo::kernel_load(&mut self.f, tgid, 4, false);
        } else {
            self.f.helper(Helper::GetCurrentPidTgid);
            self.f.alu(Alu::Rsh, R0, 32);
        }
        Ok(())
    }

    /// The process's number in R0 and its program counters to the `size` bytes at R1, zeros behind
    /// the last.
    fn user_stack(&mut self, frames: u32, size: u32) {
        let have = frames.min(crate::world::MAX_FRAMES);
        self.f.store(Double, R1, 0, R0);
        self.f.mov(R6, R1);
        self.f.alu(Alu::Add, R1, 8);
        self.f.mov(R2, have * 8);
        self.f.mov(R3, R9);
        self.f.alu(Alu::Add, R3, i64::from(field::USER_STACK));
        self.f.helper(Helper::ProbeReadKernel);
        let rest = size.saturating_sub(8 + have * 8);
        if rest > 0 {
            self.f.mov(R1, R6);
            self.f.alu(Alu::Add, R1, 8 + have * 8);
            self.f.mov(R2, rest);
            self.f.mov(R3, 0);
            self.f.helper(Helper::ProbeReadKernel);
        }
    }

    /// Copies the kernel's program counters to R1, zeros behind the last.
    fn stack_words(&mut self, frames: u32) {
        // What was not filled is zero: the entry sees to that.
        let have = frames.min(crate::world::MAX_FRAMES);
        self.f.mov(R6, R1);
        self.f.mov(R2, have * 8);
        self.f.mov(R3, R9);
        self.f.alu(Alu::Add, R3, i64::from(field::STACK));
        self.f.helper(Helper::ProbeReadKernel);
        if frames > have {
            self.f.mov(R1, R6);
            self.f.alu(Alu::Add, R1, have * 8);
            self.f.mov(R2, (frames - have) * 8);
            self.f.mov(R3, 0);
            self.f.helper(Helper::ProbeReadKernel);
        }
    }

    /// Whoever calls `exit()` first stops all machines; the status is the last one's.
    fn exit(&mut self) {
        // Offsets of the header's `activity` and `exit_status`; R0 is the status.
        self.f.map(R6, Map::Arena, 0);
        self.f.store(Word, R6, 132, R0);
        for from in [2, 1] {
            self.f.mov(R0, from);
            self.f.mov(R1, 3);
            self.f.atomic32(crate::asm::Atomic::CompareExchange, R6, 128, R1);
        }
    }

    /// Puts the record into the speculation's buffer, if there is one, and ends the clause.
    fn keep_aside(&mut self, size: u32) {
        let plain = self.f.label();
        self.f.load(Double, R1, R9, field::SPECULATION);
        self.f.branch(If::Eq, R1, 0, plain);
        self.record(R1, 0);
        self.f.load(Double, R2, R9, field::EPID);
        self.f.mov(R3, i64::from(size) << 32);
        self.f.alu(Alu::Or, R2, R3);
        self.f.store(Double, R1, 0, R2);
        self.f.load(Double, R2, R9, field::NOW);
        self.f.store(Double, R1, 8, R2);
        spec::keep(&mut self.f, self.m, size, self.end);
        self.f.bind(plain);
    }

    /// Copies the record to the ring and publishes it.
    fn publish(&mut self, size: u32) -> Result<(), Refused> {
        let end = self.end;
        if self.packs > 0 {
            return self.publish_packed(size);
        }
        self.m.call(&mut self.f, Routine::Reserve, &[size.into()])?;
        ring::reserved(&mut self.f, self.m, size, end);
        self.f.load(Double, R2, R9, field::EPID);
        self.f.mov(R3, i64::from(size) << 32);
        self.f.alu(Alu::Or, R2, R3);
        self.f.store(Double, R1, 0, R2);
        self.f.load(Double, R2, R9, field::NOW);
        self.f.store(Double, R1, 8, R2);
        let body = size - 16;
        self.record(R3, 16);
        if body / 8 <= SHORT {
            for at in (0..body).step_by(8) {
                let off = i16::try_from(at).unwrap_or(0);
                self.f.load(Double, R2, R3, off);
                self.f.store(Double, R1, off + 16, R2);
            }
        } else {
            self.f.alu(Alu::Add, R1, 16);
            self.f.mov(R2, body);
            self.f.helper(Helper::ProbeReadKernel);
        }
        ring::publish(&mut self.f);
        Ok(())
    }

    /// The same for a record whose strings take no more than they need.
    fn publish_packed(&mut self, size: u32) -> Result<(), Refused> {
        let (end, least) = (self.end, size - self.packs);
        self.f.load(Double, R1, R9, field::SPARED);
        self.f.branch(If::Gt, R1, self.packs, end);
        self.f.mov(R6, size);
        self.f.alu(Alu::Sub, R6, R1);
        self.m.call(&mut self.f, Routine::Reserve, &[R6.into()])?;
        ring::reserved(&mut self.f, self.m, least, end);
        self.f.mov(R7, R1);
        self.f.mov(R3, R6);
        self.f.alu(Alu::Lsh, R3, 32);
        self.f.load(Double, R2, R9, field::EPID);
        self.f.alu(Alu::Or, R2, R3);
        self.f.store(Double, R7, 0, R2);
        self.f.load(Double, R2, R9, field::NOW);
        self.f.store(Double, R7, 8, R2);
        self.f.alu(Alu::Add, R1, 16);
        self.f.mov(R2, R6);
        self.f.alu(Alu::Sub, R2, 16);
        self.record(R3, 16);
        self.f.helper(Helper::ProbeReadKernel);
        ring::publish(&mut self.f);
        Ok(())
    }
}

fn is_speculative(step: &Step) -> bool {
    matches!(step, Step::Speculate(_) | Step::EndSpeculation { .. })
}

fn refused_step(step: &Step) -> Refused {
    let (what, why) = match step {
        Step::Immstack { .. } => ("immstack()", "kernel programs have no symbols; use stack()"),
        Step::React { kind: act::CHILL, .. } => ("chill()", "kernel programs cannot wait"),
        Step::React { kind: act::PANIC, .. } => ("panic()", "kernel programs cannot do that"),
        Step::React { kind: act::BREAKPOINT, .. } => {
            ("breakpoint()", "kernel programs cannot do that")
        }
        Step::Bytes { .. } => ("a datum in the process's memory", "not translated yet"),
        _ => ("an action", "kernel programs cannot do that"),
    };
    Refused::new(what, why)
}
