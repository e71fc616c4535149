//! Straight runs of arithmetic.
//!
//! The interpreter's loop takes about eight instructions to get from one operation to the next, and
//! four more to find its registers. A run of operations that neither fault nor branch nor look at
//! anything but registers goes without both: each is a *step*, a function for these very registers,
//! and the run calls one after the other.
//!
//! ```text
//!  setx 3, %r2        ┐
//!  mul  %r1, %r2, %r1 ┘─▶ constant::<MUL, 1, 2>, 3
//!  xor  %r1, %r3, %r1 ──▶ registers::<XOR, 1, 3>
//! ```
//! There is one function for each operation and each pair of registers, made by the compiler. Only
//! the form in which the result goes where the first operand was has steps: compilers make no other.
//! A run replaces its first instruction only; the others stay for branches that lead into its middle.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::{
    decode::{Code, Decoded, R},
    interp::{shift_left, shift_right, shift_right_signed},
    opcode::REGISTERS,
};

/// The least steps that are worth a run.
const LEAST: usize = 5;

type Registers = [u64; REGISTERS];

/// What a step does, with a constant that only some have.
type Step = fn(&mut Registers, u64);

/// A step of a run.
#[derive(Clone, Copy)]
struct Bound {
    step: Step,
    constant: u64,
}

/// Some operations one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    steps: Box<[Bound]>,
    /// The instruction words that it stands for.
    pub(crate) words: usize,
}

impl Run {
    /// Does it.
    ///
    /// # Context
    /// Firing path.
    #[inline]
    pub(crate) fn apply(&self, registers: &mut Registers) {
        let (fours, rest) = self.steps.as_chunks::<4>();
        for [a, b, c, d] in fours {
            (a.step)(registers, a.constant);
            (b.step)(registers, b.constant);
            (c.step)(registers, c.constant);
            (d.step)(registers, d.constant);
        }
        for bound in rest {
            (bound.step)(registers, bound.constant);
        }
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::fn_addr_eq(self.step, other.step) && self.constant == other.constant
    }
}

impl Eq for Bound {}

impl fmt::Debug for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "step({:#x})", self.constant)
    }
}

/// Finds the runs of a DIFO whose instructions are decoded and fused, and puts them in.
pub(crate) fn find(text: &mut [Decoded], integers: &[u64]) -> Box<[Run]> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let run = run_at(text.get(at..).unwrap_or_default(), integers);
        let words = run.words;
        if run.steps.len() >= LEAST
            && let (Some(first), Ok(imm)) = (text.get_mut(at), u32::try_from(runs.len()))
        {
            *first = Decoded { code: Code::Run, imm, ..*first };
            runs.push(run);
        }
        at += words.max(1);
    }
    runs.into_boxed_slice()
}

/// The run that this text begins with.
fn run_at(text: &[Decoded], integers: &[u64]) -> Run {
    let mut steps = Vec::new();
    let mut words = 0;
    while let Some((bound, len)) = text.get(words).and_then(|i| bind(i, integers)) {
        steps.push(bound);
        words += len;
    }
    Run { steps: steps.into_boxed_slice(), words }
}

/// An instruction's step, and the words that it takes.
fn bind(i: &Decoded, integers: &[u64]) -> Option<(Bound, usize)> {
    let (a, b) = (i.r1 as usize, i.r2 as usize);
    if let Some(operation) = operation(i.code, &IN_PLACE) {
        return Some((Bound { step: ON_REGISTERS[operation][a][b], constant: 0 }, 1));
    }
    if let Some(operation) = operation(i.code, &WITH_CONSTANT) {
        return Some((Bound { step: WITH_CONSTANTS[operation][a][b], constant: i.constant() }, 2));
    }
    let constant = match i.code {
        Code::Mov => return Some((Bound { step: MOVES[i.rd as usize][a], constant: 0 }, 1)),
        Code::SetImm => i.constant(),
        Code::SetTable => *integers.get(usize::try_from(i.imm).ok()?)?,
        _ => return None,
    };
    Some((Bound { step: SETS[i.rd as usize], constant }, 1))
}

/// The place of a code in a list of all operations.
fn operation(code: Code, list: &[Code; OPERATIONS]) -> Option<usize> {
    list.iter().position(|known| *known == code)
}

/// How many operations have steps.
const OPERATIONS: usize = 9;

const IN_PLACE: [Code; OPERATIONS] = [
    Code::Or2,
    Code::Xor2,
    Code::And2,
    Code::Sll2,
    Code::Srl2,
    Code::Sra2,
    Code::Sub2,
    Code::Add2,
    Code::Mul2,
];

const WITH_CONSTANT: [Code; OPERATIONS] = [
    Code::OrI2,
    Code::XorI2,
    Code::AndI2,
    Code::SllI2,
    Code::SrlI2,
    Code::SraI2,
    Code::SubI2,
    Code::AddI2,
    Code::MulI2,
];

/// The operations in the order of the lists.
#[inline(always)]
const fn apply(operation: usize, a: u64, b: u64) -> u64 {
    match operation {
        0 => a | b,
        1 => a ^ b,
        2 => a & b,
        3 => shift_left(a, b),
        4 => shift_right(a, b),
        5 => shift_right_signed(a, b),
        6 => a.wrapping_sub(b),
        7 => a.wrapping_add(b),
        _ => a.wrapping_mul(b),
    }
}

/// `op %rA, %rB, %rA`
fn registers<const OP: usize, const A: usize, const B: usize>(regs: &mut Registers, _: u64) {
    regs[A] = apply(OP, regs[A], regs[B]);
}

/// `setx constant, %rB; op %rA, %rB, %rA`
fn constant<const OP: usize, const A: usize, const B: usize>(regs: &mut Registers, value: u64) {
    regs[B] = value;
    regs[A] = apply(OP, regs[A], value);
}

/// `mov %rB, %rA`
fn moved<const OP: usize, const A: usize, const B: usize>(regs: &mut Registers, _: u64) {
    regs[A] = regs[B];
}

/// `setx constant, %rA`
fn set<const A: usize>(regs: &mut Registers, value: u64) {
    regs[A] = value;
}

/// A step for each second register.
macro_rules! row {
    ($step:ident, $op:expr, $a:expr) => {
        [
            $step::<$op, $a, 0> as Step,
            $step::<$op, $a, 1>,
            $step::<$op, $a, 2>,
            $step::<$op, $a, 3>,
            $step::<$op, $a, 4>,
            $step::<$op, $a, 5>,
            $step::<$op, $a, 6>,
            $step::<$op, $a, 7>,
        ]
    };
}

/// A step for each two registers.
macro_rules! square {
    ($step:ident, $op:expr) => {
        [
            row!($step, $op, 0),
            row!($step, $op, 1),
            row!($step, $op, 2),
            row!($step, $op, 3),
            row!($step, $op, 4),
            row!($step, $op, 5),
            row!($step, $op, 6),
            row!($step, $op, 7),
        ]
    };
}

/// A step for each operation and two registers.
macro_rules! cube {
    ($step:ident) => {
        [
            square!($step, 0),
            square!($step, 1),
            square!($step, 2),
            square!($step, 3),
            square!($step, 4),
            square!($step, 5),
            square!($step, 6),
            square!($step, 7),
            square!($step, 8),
        ]
    };
}

type Square = [[Step; REGISTERS]; REGISTERS];

static ON_REGISTERS: [Square; OPERATIONS] = cube!(registers);
static WITH_CONSTANTS: [Square; OPERATIONS] = cube!(constant);
static MOVES: Square = square!(moved, 0);
static SETS: [Step; REGISTERS] =
    [set::<0>, set::<1>, set::<2>, set::<3>, set::<4>, set::<5>, set::<6>, set::<7>];

const _: () = assert!(R::R7 as usize + 1 == REGISTERS);

#[cfg(test)]
mod tests {
    use crate::{
        build::DifoBuilder,
        difo::DifType,
        mock::Mock,
        opcode::{self, Op, Reg},
        verify::verify,
    };
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Line {
        Registers(Op, u8, u8),
        Constant(Op, u8, u8, u64),
        Move(u8, u8),
        Set(u8, u64),
    }

    fn line() -> impl Strategy<Value = Line> {
        let op = prop::sample::select(vec![
            Op::Or,
            Op::Xor,
            Op::And,
            Op::Sll,
            Op::Srl,
            Op::Sra,
            Op::Sub,
            Op::Add,
            Op::Mul,
        ]);
        let value = prop_oneof![1..100_u64, any::<u64>().prop_map(|value| value | 1)];
        (0..4, op, 1..8_u8, 0..8_u8, value).prop_map(|(kind, op, a, b, value)| match kind {
            0 => Line::Registers(op, a, b),
            1 => Line::Constant(op, a, b.max(1), value),
            2 => Line::Move(a, b),
            _ => Line::Set(a, value),
        })
    }

    /// What the specification says of an operation, in Rust's own words.
    fn plainly(op: Op, a: u64, b: u64) -> u64 {
        let distance = u32::try_from(b % 64).unwrap();
        match op {
            Op::Or => a | b,
            Op::Xor => a ^ b,
            Op::And => a & b,
            Op::Sll => a.wrapping_shl(distance),
            Op::Srl => a.wrapping_shr(distance),
            Op::Sra => a.cast_signed().wrapping_shr(distance).cast_unsigned(),
            Op::Sub => a.wrapping_sub(b),
            Op::Add => a.wrapping_add(b),
            _ => a.wrapping_mul(b),
        }
    }

    fn expected(lines: &[Line]) -> u64 {
        let mut regs = [0_u64; 8];
        for line in lines {
            match *line {
                Line::Registers(op, a, b) => {
                    regs[a as usize] = plainly(op, regs[a as usize], regs[b as usize]);
                }
                Line::Constant(op, a, b, value) => {
                    regs[b as usize] = value;
                    regs[a as usize] = plainly(op, regs[a as usize], value);
                }
                Line::Move(a, b) => regs[a as usize] = regs[b as usize],
                Line::Set(a, value) => regs[a as usize] = value,
            }
        }
        regs.iter().fold(0, |all, value| all ^ value)
    }

    fn emit(code: &mut DifoBuilder, line: Line) {
        match line {
            Line::Registers(op, a, b) => {
                code.emit(opcode::binary(op, Reg(a), Reg(b), Reg(a)));
            }
            Line::Constant(op, a, b, value) => {
                code.integer(value, Reg(b)).unwrap();
                code.emit(opcode::binary(op, Reg(a), Reg(b), Reg(a)));
            }
            Line::Move(a, b) => {
                code.emit(opcode::unary(Op::Mov, Reg(b), Reg(a)));
            }
            Line::Set(a, value) => code.integer(value, Reg(a)).unwrap(),
        }
    }

    /// The lines, or those behind a branch over the first `skipped`; and all registers in one.
    fn result(lines: &[Line], skipped: usize) -> (u64, usize) {
        let mut code = DifoBuilder::new();
        let landing = code.label();
        if skipped > 0 {
            code.branch(Op::Ba, landing);
        }
        for (at, line) in lines.iter().enumerate() {
            if at == skipped {
                code.place(landing);
            }
            emit(&mut code, *line);
        }
        for other in 2..8 {
            code.emit(opcode::binary(Op::Xor, Reg(1), Reg(other), Reg(1)));
        }
        code.emit(opcode::ret(Reg(1)));
        let verified = verify(&code.finish(DifType::integer(8)).unwrap(), 0).unwrap();
        (crate::interp::run(&verified, &mut Mock::new()).unwrap(), verified.runs.len())
    }

    proptest! {
        /// A run comes to what its instructions come to one by one, wherever it is entered.
        #[test]
        fn runs_are_their_instructions(
            lines in prop::collection::vec(line(), 1..60),
            skipped in any::<prop::sample::Index>(),
        ) {
            let (got, runs) = result(&lines, 0);
            prop_assert_eq!(got, expected(&lines));
            prop_assert!(runs > 0);
            let skipped = skipped.index(lines.len());
            prop_assert_eq!(result(&lines, skipped).0, expected(&lines[skipped..]));
        }
    }
}
