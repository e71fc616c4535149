//! Aggregating actions: the key in private memory, then the value into its entry.

use dif::number::var;
use host::{
    arena::{aggfunc::AggFunc, header::DropKind},
    engine::plan::{AggStep, Step},
};

use super::{
    Clause, computed,
    function::{add, add_square, bump, llquantize_bucket, lquantize_bucket, quantize_bucket},
    refused_step,
};
use crate::{
    asm::{Alu, Double, Helper, If, R0, R1, R2, R3, R6, R7, R8, R9, R10},
    difo,
    error::Refused,
    module::private,
    routine::{Routine, ring},
    world::{EXECNAME_ROOM, field},
};

impl Clause<'_> {
    pub(super) fn aggregate(&mut self, agg: &AggStep, action: u32) -> Result<(), Refused> {
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
    pub(super) fn kept(&mut self, index: usize) -> i16 {
        while self.kept.len() <= index {
            let slot = self.f.slot();
            self.kept.push(slot);
        }
        self.kept.get(index).copied().unwrap_or_default()
    }

    /// R0 becomes an expression's value while an aggregation's key is being made: what a dynamic
    /// variable's key would overwrite is put aside.
    pub(super) fn eval_beside_key(&mut self, number: u32, action: u32) -> Result<(), Refused> {
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
    pub(super) fn copy_private(&mut self, to: u32, from: u32, len: u32) {
        private(&mut self.f, R1, to);
        self.f.mov(R2, len);
        private(&mut self.f, R3, from);
        self.f.helper(Helper::ProbeReadKernel);
    }

    /// Adds an element, whose value is in R0, to the key; whether it is by reference.
    pub(super) fn key_part(&mut self, part: &Step, action: u32) -> Result<bool, Refused> {
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
    pub(super) fn key_room(&mut self, words: u32) {
        let last = self.m.world.key_words().saturating_sub(words);
        self.f.load(Double, R2, R9, field::KEY_LEN);
        self.f.branch(If::Gt, R2, last, self.end);
        self.f.alu(Alu::Lsh, R2, 3);
        private(&mut self.f, R1, self.m.world.private.key.at);
        self.f.alu(Alu::Add, R1, R2);
    }

    /// Appends R0 to the key.
    pub(super) fn key_word(&mut self) -> Result<(), Refused> {
        self.key_room(1);
        self.f.store(Double, R1, 0, R0);
        self.f.load(Double, R2, R9, field::KEY_LEN);
        self.f.alu(Alu::Add, R2, 1);
        self.f.store(Double, R9, field::KEY_LEN, R2);
        Ok(())
    }

    /// Appends `execname`, which lies in private memory padded with zeros, as the kernel's helper
    /// fills it: its length is had from its words without looking at every byte.
    pub(super) fn key_execname(&mut self) {
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
    pub(super) fn feed(
        &mut self,
        agg: &AggStep,
        varid: i16,
        weight: i16,
        value: i16,
    ) -> Result<(), Refused> {
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
    pub(super) fn feed_value(
        &mut self,
        func: AggFunc,
        weight: i16,
        value: i16,
    ) -> Result<(), Refused> {
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
