//! Instructions that compute, compare, branch and load.

use dif::{
    env::{AtomicOp, FaultKind},
    opcode::{Instr, Op},
};

use super::Body;
use crate::{
    asm::{Alu, Double, Function, Helper, If, R0, R1, R2, R3, R6, R7, R10, Size},
    error::Refused,
    routine::{Routine, memory},
};

impl Body<'_> {
    pub(super) fn binary(&mut self, op: Op, word: Instr, pc: usize) {
        self.get(R1, word.r1());
        self.get(R2, word.r2());
        let f = &mut self.f;
        match op {
            Op::Or => f.alu(Alu::Or, R1, R2),
            Op::Xor => f.alu(Alu::Xor, R1, R2),
            Op::And => f.alu(Alu::And, R1, R2),
            Op::Sub => f.alu(Alu::Sub, R1, R2),
            Op::Add => f.alu(Alu::Add, R1, R2),
            Op::Mul => f.alu(Alu::Mul, R1, R2),
            Op::Sll => shift(f, Alu::Lsh),
            Op::Srl => shift(f, Alu::Rsh),
            Op::Sra => shift(f, Alu::Arsh),
            Op::Sdiv => self.divide(AtomicOp::Sdiv, pc),
            Op::Udiv => self.divide(AtomicOp::Udiv, pc),
            Op::Srem => self.divide(AtomicOp::Srem, pc),
            _ => self.divide(AtomicOp::Urem, pc),
        }
        self.put(word.rd(), R1);
    }

    /// R1 by R2; a fault if that is 0.
    pub(super) fn divide(&mut self, op: AtomicOp, pc: usize) {
        let zero = self.fault(FaultKind::DivZero, pc);
        self.f.branch(If::Eq, R2, 0, zero);
        divide(&mut self.f, op);
    }

    pub(super) fn branch(&mut self, op: Op, word: Instr) {
        let Some(target) = self.labels.get(word.label() as usize).copied() else { return };
        let cond = match op {
            Op::Be => If::Eq,
            Op::Bne => If::Ne,
            Op::Bg => If::Sgt,
            Op::Bgu => If::Gt,
            Op::Bge => If::Sge,
            Op::Bgeu => If::Ge,
            Op::Bl => If::Slt,
            Op::Blu => If::Lt,
            Op::Ble => If::Sle,
            Op::Bleu => If::Le,
            _ => {
                self.f.jump(target);
                return;
            }
        };
        self.f.load(Double, R1, R10, self.left);
        self.f.load(Double, R2, R10, self.right);
        self.f.branch(cond, R1, R2, target);
    }

    pub(super) fn load(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let (width, signed, user): (u32, bool, bool) = match op {
            Op::Ldub | Op::Rldub => (1, false, false),
            Op::Lduh | Op::Rlduh => (2, false, false),
            Op::Lduw | Op::Rlduw => (4, false, false),
            Op::Ldx | Op::Rldx => (8, false, false),
            Op::Ldsb | Op::Rldsb => (1, true, false),
            Op::Ldsh | Op::Rldsh => (2, true, false),
            Op::Ldsw | Op::Rldsw => (4, true, false),
            Op::Uldub => (1, false, true),
            Op::Ulduh => (2, false, true),
            Op::Ulduw => (4, false, true),
            Op::Uldx => (8, false, true),
            Op::Uldsb => (1, true, true),
            Op::Uldsh => (2, true, true),
            _ => (4, true, true),
        };
        let bad = self.fault(FaultKind::BadAddr, pc);
        let (machine, done) = (self.f.label(), self.f.label());
        let value = self.f.momentary(0);
        self.get(R6, word.r1());
        memory::unless_tracer(&mut self.f, R6, machine);
        self.f.mov(R2, R6);
        if user {
            self.f.jump(bad);
        } else {
            self.m.call(&mut self.f, Routine::Load, &[R2.into(), width.into()])?;
            self.check(pc);
            self.f.jump(done);
        }
        self.f.bind(machine);
        self.f.mov(R1, R10);
        self.f.alu(Alu::Add, R1, i64::from(value));
        self.f.mov(R2, width);
        self.f.mov(R3, R6);
        self.f.helper(if user { Helper::ProbeReadUser } else { Helper::ProbeReadKernel });
        self.f.mov(R2, R6);
        self.f.branch(If::Ne, R0, 0, bad);
        self.f.load(Size::of(width), R0, R10, value);
        self.f.bind(done);
        if signed {
            let spare = 64 - i64::from(width) * 8;
            self.f.alu(Alu::Lsh, R0, spare);
            self.f.alu(Alu::Arsh, R0, spare);
        }
        self.put(word.rd(), R0);
        Ok(())
    }
}

/// R1 shifted by the low six bits of R2.
fn shift(f: &mut Function, op: Alu) {
    f.alu(Alu::And, R2, 63);
    f.alu(op, R1, R2);
}

/// R1 by R2, which is not 0: signed division by way of magnitudes, since older kernels have only
/// the unsigned one. Spoils R3, R4.
fn divide(f: &mut Function, op: AtomicOp) {
    let alu = if matches!(op, AtomicOp::Sdiv | AtomicOp::Udiv) { Alu::Div } else { Alu::Mod };
    if matches!(op, AtomicOp::Udiv | AtomicOp::Urem) {
        f.alu(alu, R1, R2);
        return;
    }
    // The result's sign: both operands' for a quotient, the dividend's for a remainder.
    f.mov(R3, R1);
    if op == AtomicOp::Sdiv {
        f.alu(Alu::Xor, R3, R2);
    }
    for reg in [R1, R2] {
        let positive = f.label();
        f.branch(If::Sge, reg, 0, positive);
        f.neg(reg);
        f.bind(positive);
    }
    f.alu(alu, R1, R2);
    let positive = f.label();
    f.branch(If::Sge, R3, 0, positive);
    f.neg(R1);
    f.bind(positive);
}

/// [`AtomicOp::apply_sized`]: R1 becomes the new value of a cell that holds R1, by the operand in
/// R7 (not 0 for a division). Spoils R2 to R4.
pub(super) fn apply_sized(f: &mut Function, op: AtomicOp, size: u32) {
    let spare = 64_i64.saturating_sub(i64::from(size) * 8);
    let cut = spare > 0 && spare < 64;
    if cut {
        let signed = matches!(op, AtomicOp::Sdiv | AtomicOp::Srem | AtomicOp::Sra);
        f.alu(Alu::Lsh, R1, spare);
        f.alu(if signed { Alu::Arsh } else { Alu::Rsh }, R1, spare);
    }
    f.mov(R2, R7);
    match op {
        AtomicOp::Add => f.alu(Alu::Add, R1, R2),
        AtomicOp::Sub => f.alu(Alu::Sub, R1, R2),
        AtomicOp::Mul => f.alu(Alu::Mul, R1, R2),
        AtomicOp::And => f.alu(Alu::And, R1, R2),
        AtomicOp::Or => f.alu(Alu::Or, R1, R2),
        AtomicOp::Xor => f.alu(Alu::Xor, R1, R2),
        AtomicOp::Shl => shift(f, Alu::Lsh),
        AtomicOp::Sra => shift(f, Alu::Arsh),
        AtomicOp::Srl => shift(f, Alu::Rsh),
        AtomicOp::Sdiv | AtomicOp::Udiv | AtomicOp::Srem | AtomicOp::Urem => divide(f, op),
    }
    if cut {
        f.alu(Alu::Lsh, R1, spare);
        f.alu(Alu::Rsh, R1, spare);
    }
}
