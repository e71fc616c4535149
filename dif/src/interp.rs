//! The interpreter.
//!
//! One loop over decoded instructions; registers and condition codes live in locals. The verifier
//! has seen to it that the loop ends (branches only go forward) and that every index fits, so the
//! only checks left are those of memory, division and the tuple stack.
//!
//! Condition codes are kept as the two operands of the last comparison; a branch compares them
//! the way it needs. (Classic DTrace subtracts and looks at the sign, so its signed comparisons
//! are wrong where the subtraction overflows. Ours are right.)
//!
//! # Context
//! Firing path: no allocation, no lock, no loop beyond the text's length; a subroutine's work is
//! bounded by `strsize` or by the scratch it gets.

use crate::{
    decode::{Code, Decoded, Shape, Source, Test, VerifiedDifo},
    env::{AtomicOp, Env, Fault, FaultKind, Scope, TupleElement},
    opcode::{REGISTERS, TUPLE_REGISTERS},
    string::{self, Space},
    subr,
};

/// A fault with the place where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifFault {
    /// What happened.
    pub fault: Fault,
    /// Bytes from the DIFO's start: what the ERROR probe's `arg3` shows.
    pub offset: u32,
}

/// Bytes of an instruction word.
const WORD: usize = 4;

fn located(fault: Fault, pc: usize) -> DifFault {
    DifFault { fault, offset: u32::try_from(pc * WORD).unwrap_or(u32::MAX) }
}

const NOTHING: TupleElement = TupleElement { value: 0, size: 0, is_string: false };

/// Runs a DIFO and returns its result: a value, or the address of a by-reference one.
///
/// # Errors
/// A fault ends the DIFO where it happens.
///
/// # Context
/// Firing path.
pub fn run<E: Env + ?Sized>(difo: &VerifiedDifo, env: &mut E) -> Result<u64, DifFault> {
    match difo.shape {
        Shape::Constant(value) => Ok(value),
        Shape::Builtin(id) => env.builtin(id, 0).map_err(|fault| located(fault, 0)),
        Shape::Global(id) => env.var_get(Scope::Global, id).map_err(|fault| located(fault, 0)),
        Shape::Thread(id) => env.var_get(Scope::Thread, id).map_err(|fault| located(fault, 0)),
        Shape::General if let Some(test) = &difo.test => {
            answer(test, env).map_err(|fault| located(fault, 0))
        }
        // Clearing a tuple stack that no one uses would cost as much as a short DIFO.
        Shape::General if difo.uses_tuple => execute(difo, env, &mut [NOTHING; TUPLE_REGISTERS]),
        Shape::General => execute(difo, env, &mut []),
    }
}

/// A comparison of a variable with a constant, without the loop.
fn answer<E: Env + ?Sized>(test: &Test, env: &mut E) -> Result<u64, Fault> {
    let value = match test.source {
        Source::Builtin(id) => env.builtin(id, 0)?,
        Source::Global(id) => env.var_get(Scope::Global, id)?,
        Source::Thread(id) => env.var_get(Scope::Thread, id)?,
    };
    Ok(test.answer(value))
}

/// Everything the loop works on.
struct Frame<'a> {
    regs: [u64; REGISTERS],
    /// The condition codes: what was compared last.
    left: u64,
    right: u64,
    tuple: &'a mut [TupleElement],
    depth: usize,
}

/// The dispatch table. Arithmetic and control flow are done in place; whatever needs the
/// environment goes to a handler below.
fn execute<E: Env + ?Sized>(
    difo: &VerifiedDifo,
    env: &mut E,
    tuple: &mut [TupleElement],
) -> Result<u64, DifFault> {
    let mut frame = Frame { regs: [0; REGISTERS], left: 0, right: 0, tuple, depth: 0 };
    let mut pc = 0;
    while let Some(i) = difo.text.get(pc) {
        macro_rules! r1 {
            () => {
                frame.regs[i.r1 as usize]
            };
        }
        macro_rules! r2 {
            () => {
                frame.regs[i.r2 as usize]
            };
        }
        macro_rules! rd {
            () => {
                frame.regs[i.rd as usize]
            };
        }
        // op r1, r2, rd
        macro_rules! binary {
            ($operation:expr) => {
                rd!() = $operation(r1!(), r2!())
            };
        }
        // setx imm, r2; op r1, r2, rd
        macro_rules! immediate {
            ($operation:expr) => {{
                let constant = i.constant();
                let result = $operation(r1!(), constant);
                r2!() = constant;
                rd!() = result;
                pc += 1;
            }};
        }
        // The same with rd and r1 one register.
        macro_rules! immediate2 {
            ($operation:expr) => {{
                let constant = i.constant();
                r2!() = constant;
                r1!() = $operation(r1!(), constant);
                pc += 1;
            }};
        }
        macro_rules! or_fault {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(fault) => return Err(located(fault, pc)),
                }
            };
        }
        macro_rules! divide {
            ($op:expr) => {
                rd!() = or_fault!($op.apply(r1!(), r2!()))
            };
        }
        macro_rules! divide_immediate {
            ($op:expr) => {{
                let constant = i.constant();
                r2!() = constant;
                pc += 1; // the fault is the division's, not the setx's
                rd!() = or_fault!($op.apply(r1!(), constant));
            }};
        }
        macro_rules! branch {
            ($condition:expr) => {
                if $condition {
                    pc = target(i);
                    continue;
                }
            };
        }
        macro_rules! compare_branch {
            ($condition:expr) => {{
                (frame.left, frame.right) = (r1!(), r2!());
                if $condition(frame.left, frame.right) {
                    pc = target(i);
                    continue;
                }
                pc += 1;
            }};
        }
        match i.code {
            Code::Or => binary!(|a: u64, b: u64| a | b),
            Code::Xor => binary!(|a: u64, b: u64| a ^ b),
            Code::And => binary!(|a: u64, b: u64| a & b),
            Code::Sll => binary!(shift_left),
            Code::Srl => binary!(shift_right),
            Code::Sra => binary!(shift_right_signed),
            Code::Sub => binary!(u64::wrapping_sub),
            Code::Add => binary!(u64::wrapping_add),
            Code::Mul => binary!(u64::wrapping_mul),
            Code::Sdiv => divide!(AtomicOp::Sdiv),
            Code::Udiv => divide!(AtomicOp::Udiv),
            Code::Srem => divide!(AtomicOp::Srem),
            Code::Urem => divide!(AtomicOp::Urem),
            Code::OrI => immediate!(|a: u64, b: u64| a | b),
            Code::XorI => immediate!(|a: u64, b: u64| a ^ b),
            Code::AndI => immediate!(|a: u64, b: u64| a & b),
            Code::SllI => immediate!(shift_left),
            Code::SrlI => immediate!(shift_right),
            Code::SraI => immediate!(shift_right_signed),
            Code::SubI => immediate!(u64::wrapping_sub),
            Code::AddI => immediate!(u64::wrapping_add),
            Code::MulI => immediate!(u64::wrapping_mul),
            Code::SdivI => divide_immediate!(AtomicOp::Sdiv),
            Code::UdivI => divide_immediate!(AtomicOp::Udiv),
            Code::SremI => divide_immediate!(AtomicOp::Srem),
            Code::UremI => divide_immediate!(AtomicOp::Urem),
            Code::Or2 => r1!() |= r2!(),
            Code::Xor2 => r1!() ^= r2!(),
            Code::And2 => r1!() &= r2!(),
            Code::Sll2 => r1!() = shift_left(r1!(), r2!()),
            Code::Srl2 => r1!() = shift_right(r1!(), r2!()),
            Code::Sra2 => r1!() = shift_right_signed(r1!(), r2!()),
            Code::Sub2 => r1!() = u64::wrapping_sub(r1!(), r2!()),
            Code::Add2 => r1!() = u64::wrapping_add(r1!(), r2!()),
            Code::Mul2 => r1!() = u64::wrapping_mul(r1!(), r2!()),
            Code::OrI2 => immediate2!(|a: u64, b: u64| a | b),
            Code::XorI2 => immediate2!(|a: u64, b: u64| a ^ b),
            Code::AndI2 => immediate2!(|a: u64, b: u64| a & b),
            Code::SllI2 => immediate2!(shift_left),
            Code::SrlI2 => immediate2!(shift_right),
            Code::SraI2 => immediate2!(shift_right_signed),
            Code::SubI2 => immediate2!(u64::wrapping_sub),
            Code::AddI2 => immediate2!(u64::wrapping_add),
            Code::MulI2 => immediate2!(u64::wrapping_mul),
            Code::Not => rd!() = !r1!(),
            Code::Mov => rd!() = r1!(),
            Code::Cmp => (frame.left, frame.right) = (r1!(), r2!()),
            Code::CmpI => {
                let constant = i.constant();
                r2!() = constant;
                (frame.left, frame.right) = (r1!(), constant);
                pc += 1;
            }
            Code::Tst => (frame.left, frame.right) = (u64::from(r1!() != 0), 0),
            Code::Scmp => {
                let order = or_fault!(string::compare(env, r1!(), r2!()));
                (frame.left, frame.right) = (i64::from(order as i8).cast_unsigned(), 0);
            }
            Code::Ba => branch!(true),
            Code::Be => branch!(frame.left == frame.right),
            Code::Bne => branch!(frame.left != frame.right),
            Code::Bg => branch!(frame.left.cast_signed() > frame.right.cast_signed()),
            Code::Bgu => branch!(frame.left > frame.right),
            Code::Bge => branch!(frame.left.cast_signed() >= frame.right.cast_signed()),
            Code::Bgeu => branch!(frame.left >= frame.right),
            Code::Bl => branch!(frame.left.cast_signed() < frame.right.cast_signed()),
            Code::Blu => branch!(frame.left < frame.right),
            Code::Ble => branch!(frame.left.cast_signed() <= frame.right.cast_signed()),
            Code::Bleu => branch!(frame.left <= frame.right),
            Code::CmpBe => compare_branch!(|a, b| a == b),
            Code::CmpBne => compare_branch!(|a, b| a != b),
            Code::CmpBg => compare_branch!(|a: u64, b: u64| a.cast_signed() > b.cast_signed()),
            Code::CmpBgu => compare_branch!(|a, b| a > b),
            Code::CmpBge => compare_branch!(|a: u64, b: u64| a.cast_signed() >= b.cast_signed()),
            Code::CmpBgeu => compare_branch!(|a, b| a >= b),
            Code::CmpBl => compare_branch!(|a: u64, b: u64| a.cast_signed() < b.cast_signed()),
            Code::CmpBlu => compare_branch!(|a, b| a < b),
            Code::CmpBle => compare_branch!(|a: u64, b: u64| a.cast_signed() <= b.cast_signed()),
            Code::CmpBleu => compare_branch!(|a, b| a <= b),
            Code::TstBe => {
                (frame.left, frame.right) = (u64::from(r1!() != 0), 0);
                branch!(frame.left == 0);
                pc += 1;
            }
            Code::TstBne => {
                (frame.left, frame.right) = (u64::from(r1!() != 0), 0);
                branch!(frame.left != 0);
                pc += 1;
            }
            Code::Ld8 => rd!() = or_fault!(env.load(r1!(), 1)),
            Code::Ld16 => rd!() = or_fault!(env.load(r1!(), 2)),
            Code::Ld32 => rd!() = or_fault!(env.load(r1!(), 4)),
            Code::Ld64 => rd!() = or_fault!(env.load(r1!(), 8)),
            Code::LdS8 => rd!() = sign_extend(or_fault!(env.load(r1!(), 1)), 56),
            Code::LdS16 => rd!() = sign_extend(or_fault!(env.load(r1!(), 2)), 48),
            Code::LdS32 => rd!() = sign_extend(or_fault!(env.load(r1!(), 4)), 32),
            Code::Uld8 => rd!() = or_fault!(load_user::<_, 1>(env, r1!())),
            Code::Uld16 => rd!() = or_fault!(load_user::<_, 2>(env, r1!())),
            Code::Uld32 => rd!() = or_fault!(load_user::<_, 4>(env, r1!())),
            Code::Uld64 => rd!() = or_fault!(load_user::<_, 8>(env, r1!())),
            Code::UldS8 => rd!() = sign_extend(or_fault!(load_user::<_, 1>(env, r1!())), 56),
            Code::UldS16 => rd!() = sign_extend(or_fault!(load_user::<_, 2>(env, r1!())), 48),
            Code::UldS32 => rd!() = sign_extend(or_fault!(load_user::<_, 4>(env, r1!())), 32),
            Code::St8 => or_fault!(store::<_, 1>(env, rd!(), r1!())),
            Code::St16 => or_fault!(store::<_, 2>(env, rd!(), r1!())),
            Code::St32 => or_fault!(store::<_, 4>(env, rd!(), r1!())),
            Code::St64 => or_fault!(store::<_, 8>(env, rd!(), r1!())),
            Code::Ret => return Ok(rd!()),
            Code::Nop => {}
            Code::SetImm => rd!() = i.constant(),
            Code::SetTable => {
                rd!() = difo.integers.get(index(i)).copied().unwrap_or_default();
            }
            Code::SetString => rd!() = i.string_address(),
            Code::LdBuiltinArray => rd!() = or_fault!(env.builtin(id(i), r1!())),
            Code::LdBuiltin => rd!() = or_fault!(env.builtin(id(i), 0)),
            Code::LdGlobal => rd!() = or_fault!(env.var_get(Scope::Global, id(i))),
            Code::LdThread => rd!() = or_fault!(env.var_get(Scope::Thread, id(i))),
            Code::LdLocal => rd!() = or_fault!(env.var_get(Scope::Local, id(i))),
            Code::StGlobal => or_fault!(env.var_set(Scope::Global, id(i), rd!())),
            Code::StThread => or_fault!(env.var_set(Scope::Thread, id(i), rd!())),
            Code::StLocal => or_fault!(env.var_set(Scope::Local, id(i), rd!())),
            Code::LdGlobalAssoc => {
                rd!() = or_fault!(env.assoc_get(Scope::Global, id(i), frame.key()));
            }
            Code::LdThreadAssoc => {
                rd!() = or_fault!(env.assoc_get(Scope::Thread, id(i), frame.key()));
            }
            Code::StGlobalAssoc => {
                or_fault!(env.assoc_set(Scope::Global, id(i), frame.key(), rd!()));
            }
            Code::StThreadAssoc => {
                or_fault!(env.assoc_set(Scope::Thread, id(i), frame.key(), rd!()));
            }
            Code::Call => rd!() = or_fault!(subr::call(env, id(i), frame.key())),
            Code::PushRef => or_fault!(frame.push(rd!(), r1!(), false)),
            Code::PushString => {
                let size = string_size(env, r1!());
                or_fault!(frame.push(rd!(), size, true));
            }
            Code::PushValue => or_fault!(frame.push(rd!(), 0, false)),
            Code::Pop => frame.depth = frame.depth.saturating_sub(1),
            Code::Flush => frame.depth = 0,
            Code::Allocs => rd!() = or_fault!(subr::zeroed(env, r1!())),
            Code::Copys => or_fault!(copy(env, r1!(), rd!(), r2!())),
            Code::UpdateAfter => rd!() = or_fault!(update(env, i, rd!())).1,
            Code::UpdateBefore => rd!() = or_fault!(update(env, i, rd!())).0,
            Code::Run => {
                if let Some(run) = difo.runs.get(index(i)) {
                    run.apply(&mut frame.regs);
                    pc += run.words;
                    continue;
                }
            }
        }
        pc += 1;
    }
    // The verifier saw a ret at the end.
    Err(located(Fault::at(FaultKind::IllOp, 0), pc))
}

impl Frame<'_> {
    /// What is on the tuple stack: a key, or a subroutine's arguments.
    fn key(&self) -> &[TupleElement] {
        self.tuple.get(..self.depth).unwrap_or_default()
    }

    fn push(&mut self, value: u64, size: u64, is_string: bool) -> Result<(), Fault> {
        let top = self.tuple.get_mut(self.depth);
        *top.ok_or(Fault::at(FaultKind::TupleOverflow, 0))? =
            TupleElement { value, size, is_string };
        self.depth += 1;
        Ok(())
    }
}

fn index(i: &Decoded) -> usize {
    usize::try_from(i.imm).unwrap_or(usize::MAX)
}

fn target(i: &Decoded) -> usize {
    index(i)
}

/// The variable or subroutine in an instruction: the low half of `imm`.
const fn id(i: &Decoded) -> u16 {
    let [low, high, ..] = i.imm.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// A shift takes the low six bits of its operand, as x86 does.
const fn distance(by: u64) -> u8 {
    (by & 63).to_le_bytes()[0]
}

#[inline]
pub(crate) const fn shift_left(value: u64, by: u64) -> u64 {
    value << distance(by)
}

#[inline]
pub(crate) const fn shift_right(value: u64, by: u64) -> u64 {
    value >> distance(by)
}

#[inline]
pub(crate) const fn shift_right_signed(value: u64, by: u64) -> u64 {
    (value.cast_signed() >> distance(by)).cast_unsigned()
}

/// Makes the value's upper `spare` bits those of its sign.
const fn sign_extend(value: u64, spare: u32) -> u64 {
    ((value << spare).cast_signed() >> spare).cast_unsigned()
}

fn load_user<E: Env + ?Sized, const WIDTH: usize>(env: &mut E, addr: u64) -> Result<u64, Fault> {
    let mut bytes = [0_u8; 8];
    env.read_user(addr, bytes.get_mut(..WIDTH).unwrap_or_default())?;
    Ok(u64::from_le_bytes(bytes))
}

fn store<E: Env + ?Sized, const WIDTH: usize>(
    env: &mut E,
    addr: u64,
    value: u64,
) -> Result<(), Fault> {
    env.store(addr, value.to_le_bytes().get(..WIDTH).unwrap_or_default())
}

/// The most a pushed string can have: what the push says, or the session's `strsize`.
fn string_size<E: Env + ?Sized>(env: &E, said: u64) -> u64 {
    if said == 0 { u64::try_from(env.strsize()).unwrap_or(u64::MAX) } else { said }
}

/// `copys`: as much as the target's scratch can take, which is where the bound comes from.
/// Copies to scratch, or to a variable's own storage: an element of an array of structures.
fn copy<E: Env + ?Sized>(env: &mut E, from: u64, to: u64, size: u64) -> Result<(), Fault> {
    let refused = Fault::at(FaultKind::BadAddr, to);
    let len = usize::try_from(size).map_err(|_| refused)?;
    // Looked at before anything is copied: the target is what bounds the work.
    if len > 0 && !env.may_store(to, len) {
        return Err(refused);
    }
    string::copy_bytes(env, Space::Kernel, from, to, len)
}

fn update<E: Env + ?Sized>(env: &mut E, i: &Decoded, operand: u64) -> Result<(u64, u64), Fault> {
    let [_, _, op, _] = i.imm.to_le_bytes();
    let op = AtomicOp::from_index(op).ok_or(Fault::at(FaultKind::IllOp, 0))?;
    env.var_update(id(i), op, operand)
}

#[cfg(test)]
mod tests;
