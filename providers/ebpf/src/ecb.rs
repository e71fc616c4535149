//! A clause on one probe as a function: `(slot's number, EPID)`.
//!
//! Predicate, actions into a record in private memory, then the record goes to the ring. A fault
//! ends the clause: it is told to the consumer and fires the session's ERROR clauses.

use dif::number::{act, agg, var};
use host::{
    arena::{aggfunc::AggFunc, header::DropKind},
    engine::plan::{AggStep, EcbCode, Step},
};

use crate::{
    asm::{
        Alu, Double, FnId, Function, Helper, If, Label, Map, R0, R1, R2, R3, R6, R7, R8, R9, R10,
        Size, Word,
    },
    difo,
    error::Refused,
    module::{Module, private},
    routine::{
        Routine, ring,
        spec::{self, Spec},
    },
    world::{EXECNAME_ROOM, field},
};

/// Words of a record that are copied one by one; longer ones are copied by a helper.
const SHORT: u32 = 32;

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

    fn aggregate(&mut self, agg: &AggStep, action: u32) -> Result<(), Refused> {
        let (varid, weight, value) = (self.kept(0), self.kept(1), self.kept(2));
        match agg.varid {
            Ok(id) => self.f.mov(R0, id),
            Err(difo) => {
                self.eval(difo, action)?;
                self.f.alu(Alu::Lsh, R0, 32);
                self.f.alu(Alu::Rsh, R0, 32);
            }
        }
        self.f.store(Double, R10, varid, R0);
        let elements = u32::try_from(agg.key.len()).unwrap_or(u32::MAX);
        // The actions before an aggregation's are its key's, and then its weight's.
        let before = elements + u32::from(agg.weight.is_some());
        self.f.store(Double, R9, field::KEY_LEN, 1);
        let mut shape = 0_u32;
        for (element, part) in (0_u32..).zip(&agg.key) {
            let own = action.saturating_sub(before - element);
            if let Some(difo) = computed(part) {
                self.eval_beside_key(difo, own)?;
            }
            let by_reference = self.key_part(part, own)?;
            shape |= u32::from(by_reference).checked_shl(element).unwrap_or(0);
        }
        for (place, difo, own) in
            [(weight, agg.weight, action.saturating_sub(1)), (value, agg.value, action)]
        {
            match difo {
                Some(difo) => self.eval_beside_key(difo, own)?,
                None => self.f.mov(R0, 1),
            }
            self.f.store(Double, R10, place, R0);
        }
        let key = self.m.world.private.key.at;
        private(&mut self.f, R1, key);
        self.f.store(Double, R1, 0, (i64::from(elements) << 32) | i64::from(shape));
        self.feed(agg, varid, weight, value)
    }

    /// The frame's place of an aggregation's n-th number; aggregations share them.
    fn kept(&mut self, index: usize) -> i16 {
        while self.kept.len() <= index {
            let slot = self.f.slot();
            self.kept.push(slot);
        }
        self.kept.get(index).copied().unwrap_or_default()
    }

    /// R0 becomes an expression's value while an aggregation's key is being made: what a dynamic
    /// variable's key would overwrite is put aside.
    fn eval_beside_key(&mut self, number: u32, action: u32) -> Result<(), Refused> {
        if !difo::has_dynamic(self.m, number) {
            return self.eval(number, action);
        }
        let (key, aside) = (self.m.world.private.key, self.m.world.private.aside);
        let (len, value) = (self.kept(3), self.kept(4));
        self.f.load(Double, R1, R9, field::KEY_LEN);
        self.f.store(Double, R10, len, R1);
        self.copy_private(aside.at, key.at, key.len);
        self.eval(number, action)?;
        self.f.store(Double, R10, value, R0);
        self.copy_private(key.at, aside.at, key.len);
        self.f.load(Double, R1, R10, len);
        self.f.store(Double, R9, field::KEY_LEN, R1);
        self.f.load(Double, R0, R10, value);
        Ok(())
    }

    /// Copies private memory; spoils R0 to R5.
    fn copy_private(&mut self, to: u32, from: u32, len: u32) {
        private(&mut self.f, R1, to);
        self.f.mov(R2, len);
        private(&mut self.f, R3, from);
        self.f.helper(Helper::ProbeReadKernel);
    }

    /// Adds an element, whose value is in R0, to the key; whether it is by reference.
    fn key_part(&mut self, part: &Step, action: u32) -> Result<bool, Refused> {
        match part {
            Step::Value { size, .. } => {
                if *size < 8 {
                    let spare = 64 - i64::from(*size) * 8;
                    self.f.alu(Alu::Lsh, R0, spare);
                    self.f.alu(Alu::Rsh, R0, spare);
                }
                self.key_word()?;
                return Ok(false);
            }
            Step::String { difo, size, .. } => {
                let is_name = difo::builtin(self.m, *difo) == Some(var::EXECNAME);
                if is_name && *size >= EXECNAME_ROOM {
                    self.key_execname();
                    return Ok(true);
                }
                self.m.call(&mut self.f, Routine::KeyString, &[R0.into(), (*size).into()])?;
            }
            Step::Bytes { size, user, .. } => {
                let routine = if *user { Routine::KeyUserBytes } else { Routine::KeyBytes };
                self.m.call(&mut self.f, routine, &[R0.into(), (*size).into()])?;
            }
            Step::User { .. } => {
                self.f.mov(R6, R0);
                self.pid()?;
                self.f.mov(R7, R0);
                self.f.mov(R0, 16);
                self.key_word()?;
                self.f.mov(R0, R7);
                self.key_word()?;
                self.f.mov(R0, R6);
                self.key_word()?;
                return Ok(true);
            }
            Step::UserStack { frames, size, .. } => {
                let words = size.div_ceil(8);
                self.f.mov(R0, *size);
                self.key_word()?;
                self.pid()?;
                self.key_room(words);
                self.user_stack(*frames, words * 8);
                self.f.load(Double, R1, R9, field::KEY_LEN);
                self.f.alu(Alu::Add, R1, words);
                self.f.store(Double, R9, field::KEY_LEN, R1);
                return Ok(true);
            }
            Step::Stack { frames, .. } => {
                self.f.mov(R0, frames * 8);
                self.key_word()?;
                self.key_room(*frames);
                self.stack_words(*frames);
                self.f.load(Double, R1, R9, field::KEY_LEN);
                self.f.alu(Alu::Add, R1, *frames);
                self.f.store(Double, R9, field::KEY_LEN, R1);
                return Ok(true);
            }
            other => return Err(refused_step(other)),
        }
        self.unlocated();
        self.check(action);
        Ok(true)
    }

    /// R1 becomes the address of the key's next word, which has `words` behind it; the clause
    /// ends if not, which cannot happen, since the buffer is as long as the longest key.
    fn key_room(&mut self, words: u32) {
        let last = self.m.world.key_words().saturating_sub(words);
        self.f.load(Double, R2, R9, field::KEY_LEN);
        self.f.branch(If::Gt, R2, last, self.end);
        self.f.alu(Alu::Lsh, R2, 3);
        private(&mut self.f, R1, self.m.world.private.key.at);
        self.f.alu(Alu::Add, R1, R2);
    }

    /// Appends R0 to the key.
    fn key_word(&mut self) -> Result<(), Refused> {
        self.key_room(1);
        self.f.store(Double, R1, 0, R0);
        self.f.load(Double, R2, R9, field::KEY_LEN);
        self.f.alu(Alu::Add, R2, 1);
        self.f.store(Double, R9, field::KEY_LEN, R2);
        Ok(())
    }

    /// Appends `execname`, which lies in private memory padded with zeros, as the kernel's helper
    /// fills it: its length is had from its words without looking at every byte.
    fn key_execname(&mut self) {
        let f = &mut self.f;
        let (short, measured) = (f.label(), f.label());
        f.load(Double, R7, R9, field::EXECNAME);
        f.load(Double, R6, R9, field::EXECNAME + 8);
        // R0: the length; R3: the word that has its end.
        f.mov(R0, 0);
        f.mov(R3, R7);
        f.branch(If::Eq, R6, 0, short);
        f.mov(R0, 8);
        f.mov(R3, R6);
        f.bind(short);
        // The number of bytes up to the last that is not 0, by halves.
        for bits in [32, 16, 8] {
            let low = f.label();
            f.mov(R2, R3);
            f.alu(Alu::Rsh, R2, bits);
            f.branch(If::Eq, R2, 0, low);
            f.alu(Alu::Add, R0, bits / 8);
            f.mov(R3, R2);
            f.bind(low);
        }
        f.branch(If::Eq, R3, 0, measured);
        f.alu(Alu::Add, R0, 1);
        f.bind(measured);
        self.key_room(3);
        let f = &mut self.f;
        f.store(Double, R1, 0, R0);
        f.store(Double, R1, 8, R7);
        f.store(Double, R1, 16, R6);
        f.alu(Alu::Add, R0, 15);
        f.alu(Alu::Rsh, R0, 3);
        f.load(Double, R2, R9, field::KEY_LEN);
        f.alu(Alu::Add, R2, R0);
        f.store(Double, R9, field::KEY_LEN, R2);
    }

    /// Feeds the value under the key that has been made.
    fn feed(&mut self, agg: &AggStep, varid: i16, weight: i16, value: i16) -> Result<(), Refused> {
        let find = self.m.routine(Routine::AggFind)?;
        let (full, done) = (self.f.label(), self.f.label());
        let f = &mut self.f;
        f.load(Double, R3, R10, varid);
        f.mov(R0, i64::from(agg.func.kind()) << 32);
        f.alu(Alu::Or, R3, R0);
        f.load(Double, crate::asm::R4, R9, field::EPID);
        f.mov(R0, i64::from(agg.values) << 32);
        f.alu(Alu::Or, crate::asm::R4, R0);
        f.mov(crate::asm::R5, agg.func.initial().cast_signed());
        f.load(Double, R2, R9, field::KEY_LEN);
        f.load(Double, R1, R9, field::NUMBER);
        f.call(find);
        let last = self.m.world.layout.slot.stride - u64::from(agg.values) * 8;
        f.branch(If::Gt, R0, last.cast_signed(), full);
        f.mov(R7, R8);
        f.alu(Alu::Add, R7, R0);
        self.feed_value(agg.func, weight, value)?;
        let f = &mut self.f;
        f.jump(done);
        f.bind(full);
        ring::count(f, DropKind::Aggregation);
        f.bind(done);
        Ok(())
    }

    /// R7 is the address of the value.
    fn feed_value(&mut self, func: AggFunc, weight: i16, value: i16) -> Result<(), Refused> {
        let f = &mut self.f;
        match func {
            AggFunc::Count => add(f, 0, 1),
            AggFunc::Sum => {
                f.load(Double, R2, R10, value);
                add(f, 0, R2);
            }
            AggFunc::Min | AggFunc::Max => {
                let keep = f.label();
                let cond = if func == AggFunc::Min { If::Sge } else { If::Sle };
                f.load(Double, R2, R10, value);
                f.load(Double, R1, R7, 0);
                f.branch(cond, R2, R1, keep);
                f.store(Double, R7, 0, R2);
                f.bind(keep);
            }
            AggFunc::Avg => {
                add(f, 0, 1);
                f.load(Double, R2, R10, value);
                add(f, 8, R2);
            }
            AggFunc::Stddev => {
                add(f, 0, 1);
                f.load(Double, R2, R10, value);
                add(f, 8, R2);
                add_square(f);
            }
            AggFunc::Quantize => {
                f.load(Double, R2, R10, value);
                quantize_bucket(f);
                bump(f, weight, i64::from(func.words()), 0);
            }
            AggFunc::Lquantize(bounds) => {
                f.load(Double, R2, R10, value);
                lquantize_bucket(f, bounds);
                bump(f, weight, i64::from(bounds.levels) + 2, 8);
            }
            AggFunc::Llquantize(bounds) => {
                f.load(Double, R2, R10, value);
                llquantize_bucket(f, bounds);
                bump(f, weight, i64::from(func.words()) - 1, 8);
            }
        }
        Ok(())
    }
}

/// Adds to the value's word at `at`. Spoils R1.
fn add(f: &mut Function, at: i16, what: impl Into<crate::asm::Src>) {
    f.load(Double, R1, R7, at);
    f.alu(Alu::Add, R1, what);
    f.store(Double, R7, at, R1);
}

/// Adds the weight to the bucket in R0, of `count` buckets that begin at `at`.
fn bump(f: &mut Function, weight: i16, count: i64, at: i16) {
    let inside = f.label();
    f.branch(If::Lt, R0, count, inside);
    f.mov(R0, count - 1);
    f.bind(inside);
    f.alu(Alu::Lsh, R0, 3);
    f.alu(Alu::Add, R7, R0);
    f.load(Double, R2, R10, weight);
    add(f, at, R2);
}

/// Adds the square of R2 (signed) to the 128 bits at the value's third word. Spoils R0 to R6.
fn add_square(f: &mut Function) {
    use crate::asm::{R4, R5};
    let positive = f.label();
    f.branch(If::Sge, R2, 0, positive);
    f.neg(R2);
    f.bind(positive);
    // (h·2^32 + l)² = h²·2^64 + 2·h·l·2^32 + l²
    f.mov(R3, R2);
    f.alu(Alu::Rsh, R3, 32);
    f.alu(Alu::Lsh, R2, 32);
    f.alu(Alu::Rsh, R2, 32);
    f.mov(R4, R3);
    f.alu(Alu::Mul, R4, R2);
    f.alu(Alu::Mul, R2, R2);
    f.alu(Alu::Mul, R3, R3);
    // 2·h·l reaches 2^65: its upper part counts 2^64 a unit of 2^32.
    f.mov(R5, R4);
    f.alu(Alu::Rsh, R5, 31);
    f.alu(Alu::Add, R3, R5);
    f.alu(Alu::Lsh, R4, 33);
    f.alu(Alu::Add, R2, R4);
    let no_carry = f.label();
    f.branch(If::Ge, R2, R4, no_carry);
    f.alu(Alu::Add, R3, 1);
    f.bind(no_carry);
    f.load(Double, R1, R7, 16);
    f.alu(Alu::Add, R1, R2);
    f.store(Double, R7, 16, R1);
    let no_carry = f.label();
    f.branch(If::Ge, R1, R2, no_carry);
    f.alu(Alu::Add, R3, 1);
    f.bind(no_carry);
    add(f, 24, R3);
}

/// R0 becomes the bucket of `quantize()` of R2. Spoils R1 to R3.
fn quantize_bucket(f: &mut Function) {
    let zero = i64::try_from(agg::QUANTIZE_ZERO_BUCKET).unwrap_or(63);
    let (positive, done, small, out) = (f.label(), f.label(), f.label(), f.label());
    f.mov(R0, zero);
    f.branch(If::Eq, R2, 0, out);
    f.mov(R3, R2);
    f.branch(If::Sge, R2, 0, small);
    f.neg(R2);
    f.bind(small);
    // R0: the logarithm of R2, by halves.
    f.mov(R0, 0);
    for bits in [32, 16, 8, 4, 2, 1] {
        let low = f.label();
        f.mov(R1, R2);
        f.alu(Alu::Rsh, R1, bits);
        f.branch(If::Eq, R1, 0, low);
        f.alu(Alu::Add, R0, bits);
        f.mov(R2, R1);
        f.bind(low);
    }
    f.branch(If::Sge, R3, 0, positive);
    // max(0, zero - 1 - log)
    f.mov(R1, zero - 1);
    f.branch(If::Le, R0, zero - 1, done);
    f.mov(R0, zero - 1);
    f.bind(done);
    f.alu(Alu::Sub, R1, R0);
    f.mov(R0, R1);
    f.jump(out);
    f.bind(positive);
    f.alu(Alu::Add, R0, zero + 1);
    f.bind(out);
}

/// R0 becomes the bucket of `lquantize()` of R2: a comparison of 32-bit numbers. Spoils R2.
fn lquantize_bucket(f: &mut Function, bounds: agg::Lquantize) {
    let done = f.label();
    let base = i64::from(bounds.base);
    f.alu(Alu::Lsh, R2, 32);
    f.alu(Alu::Arsh, R2, 32);
    f.mov(R0, 0);
    f.branch(If::Slt, R2, base, done);
    f.mov(R0, R2);
    f.alu(Alu::Sub, R0, base);
    f.alu(Alu::Div, R0, i64::from(bounds.step));
    let inside = f.label();
    f.branch(If::Le, R0, i64::from(bounds.levels), inside);
    f.mov(R0, i64::from(bounds.levels));
    f.bind(inside);
    f.alu(Alu::Add, R0, 1);
    f.bind(done);
}

/// R0 becomes the bucket of `llquantize()` of R2: the loop over the orders of magnitude of
/// `host::arena::aggfunc::llquantize_bucket` laid out, its numbers being constants. Spoils R1 to
/// R3.
fn llquantize_bucket(f: &mut Function, bounds: agg::Llquantize) {
    let (factor, steps) = (i64::from(bounds.factor), i64::from(bounds.steps));
    let done = f.label();
    let mut below = (0..bounds.low).fold(1_i64, |power, _| power.saturating_mul(factor));
    let mut bucket = 1_i64;
    let mut power = below.saturating_mul(factor);
    f.mov(R3, R2);
    f.mov(R2, 0);
    compare(f, If::Slt, below, done);
    for _ in bounds.low..=bounds.high {
        let buckets = power.min(steps);
        let next = power.checked_mul(factor);
        let above = f.label();
        if next.is_some() {
            compare(f, If::Sge, power, above);
        } else {
            let inside = f.label();
            compare(f, If::Slt, power, inside);
            f.mov(R3, power - 1);
            f.bind(inside);
        }
        f.mov(R2, R3);
        f.mov(R1, below);
        f.alu(Alu::Sub, R2, R1);
        f.mov(R1, (power / buckets).max(1));
        f.alu(Alu::Div, R2, R1);
        f.alu(Alu::Add, R2, bucket);
        f.jump(done);
        f.bind(above);
        bucket += buckets - buckets / factor;
        below = power;
        power = next.unwrap_or(i64::MAX);
    }
    f.mov(R2, bucket);
    f.bind(done);
    f.mov(R0, R2);
}

/// Jumps if R3 compares with a constant. Spoils R1.
fn compare(f: &mut Function, cond: If, with: i64, to: Label) {
    f.mov(R1, with);
    f.branch(cond, R3, R1, to);
}

fn is_speculative(step: &Step) -> bool {
    matches!(step, Step::Speculate(_) | Step::EndSpeculation { .. })
}

fn refused_step(step: &Step) -> Refused {
    let (what, why) = match step {
        Step::Immstack { .. } => ("immstack()", "kernel programs have no symbols; use stack()"),
        Step::Speculate(_) | Step::EndSpeculation { .. } => ("a speculation", "not translated yet"),
        Step::React { kind: act::RAISE, .. } => ("raise()", "not translated yet"),
        Step::React { .. } => ("a destructive action", "kernel programs cannot do that"),
        Step::Bytes { .. } => ("a datum in the process's memory", "not translated yet"),
        _ => ("an action", "kernel programs cannot do that"),
    };
    Refused::new(what, why)
}
