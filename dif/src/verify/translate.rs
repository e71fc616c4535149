//! Translation of a checked DIFO into decoded code.
//!
//! Runs after every rule has been checked. It still reports a rule where it meets what the rules
//! exclude, so that an omission up there is a refusal and never wrong code.

use crate::{plan, runs};

use super::{
    Code, Decoded, Difo, Instr, Op, R, Shape, Vec, VerifiedDifo, VerifyError, Yields, broken, kind,
    subr, test, var,
};

pub(super) fn translate(difo: &Difo, string_base: u32) -> Result<VerifiedDifo, VerifyError> {
    let mut text = Vec::with_capacity(difo.text.len());
    for (at, word) in difo.text.iter().enumerate() {
        text.push(in_place(decode(Instr(*word), at, difo, string_base)?));
    }
    let shape = shape(&text, &difo.integers);
    let test = test::find(&text, &difo.integers);
    let plan = plan::find(&text, &difo.integers);
    fuse(&mut text);
    let runs = runs::find(&mut text, &difo.integers);
    let is = |code: Code| text.iter().any(|i| i.code == code);
    let uses_tuple = is(Code::PushRef) || is(Code::PushString) || is(Code::PushValue);
    let is_destructive = difo.text.iter().any(|word| {
        Instr(*word).op() == Some(Op::Call) && subr::is_destructive(Instr(*word).wide())
    });
    Ok(VerifiedDifo {
        text: text.into_boxed_slice(),
        integers: difo.integers.clone().into_boxed_slice(),
        runs,
        ret: difo.ret,
        shape,
        test,
        plan,
        uses_tuple,
        is_destructive,
    })
}

/// The decoded form of an opcode whose fields are taken over as they are.
const fn plain(op: Op) -> Option<Code> {
    Some(match op {
        Op::Or => Code::Or,
        Op::Xor => Code::Xor,
        Op::And => Code::And,
        Op::Sll => Code::Sll,
        Op::Srl => Code::Srl,
        Op::Sra => Code::Sra,
        Op::Sub => Code::Sub,
        Op::Add => Code::Add,
        Op::Mul => Code::Mul,
        Op::Sdiv => Code::Sdiv,
        Op::Udiv => Code::Udiv,
        Op::Srem => Code::Srem,
        Op::Urem => Code::Urem,
        Op::Not => Code::Not,
        Op::Mov => Code::Mov,
        Op::Cmp => Code::Cmp,
        Op::Tst => Code::Tst,
        Op::Scmp => Code::Scmp,
        Op::Ldub | Op::Rldub => Code::Ld8,
        Op::Lduh | Op::Rlduh => Code::Ld16,
        Op::Lduw | Op::Rlduw => Code::Ld32,
        Op::Ldx | Op::Rldx => Code::Ld64,
        Op::Ldsb | Op::Rldsb => Code::LdS8,
        Op::Ldsh | Op::Rldsh => Code::LdS16,
        Op::Ldsw | Op::Rldsw => Code::LdS32,
        Op::Uldub => Code::Uld8,
        Op::Ulduh => Code::Uld16,
        Op::Ulduw => Code::Uld32,
        Op::Uldx => Code::Uld64,
        Op::Uldsb => Code::UldS8,
        Op::Uldsh => Code::UldS16,
        Op::Uldsw => Code::UldS32,
        Op::Stb => Code::St8,
        Op::Sth => Code::St16,
        Op::Stw => Code::St32,
        Op::Stx => Code::St64,
        Op::Ret => Code::Ret,
        Op::Nop => Code::Nop,
        Op::Popts => Code::Pop,
        Op::Flushts => Code::Flush,
        Op::Allocs => Code::Allocs,
        Op::Copys => Code::Copys,
        _ => return None,
    })
}

/// The decoded form of a branch.
const fn branch(op: Op) -> Option<Code> {
    Some(match op {
        Op::Ba => Code::Ba,
        Op::Be => Code::Be,
        Op::Bne => Code::Bne,
        Op::Bg => Code::Bg,
        Op::Bgu => Code::Bgu,
        Op::Bge => Code::Bge,
        Op::Bgeu => Code::Bgeu,
        Op::Bl => Code::Bl,
        Op::Blu => Code::Blu,
        Op::Ble => Code::Ble,
        Op::Bleu => Code::Bleu,
        _ => return None,
    })
}

/// The decoded form of an opcode with a 16-bit operand and a register.
const fn wide(op: Op, id: u16) -> Option<Code> {
    Some(match op {
        Op::Ldgs if id < var::OTHER_UBASE => Code::LdBuiltin,
        Op::Ldgs => Code::LdGlobal,
        Op::Stgs => Code::StGlobal,
        Op::Ldts => Code::LdThread,
        Op::Stts => Code::StThread,
        Op::Ldls => Code::LdLocal,
        Op::Stls => Code::StLocal,
        Op::Ldgaa => Code::LdGlobalAssoc,
        Op::Stgaa => Code::StGlobalAssoc,
        Op::Ldtaa => Code::LdThreadAssoc,
        Op::Sttaa => Code::StThreadAssoc,
        Op::Call => Code::Call,
        _ => return None,
    })
}

fn register(number: u8, at: usize) -> Result<R, VerifyError> {
    R::from_number(number).ok_or(broken(3, at, "there is no such register"))
}

fn decode(word: Instr, at: usize, difo: &Difo, string_base: u32) -> Result<Decoded, VerifyError> {
    let op = word.op().ok_or(broken(2, at, "there is no such opcode"))?;
    if let Some(code) = plain(op) {
        let (r1, r2) = (register(word.r1(), at)?, register(word.r2(), at)?);
        return Ok(Decoded { code, r1, r2, rd: register(word.rd(), at)?, imm: 0 });
    }
    if let Some(code) = branch(op) {
        return Ok(Decoded { code, r1: R::R0, r2: R::R0, rd: R::R0, imm: word.label() });
    }
    let rd = register(word.rd(), at)?;
    let middle = u32::from(word.wide());
    let one = |code, imm| Decoded { code, r1: R::R0, r2: R::R0, rd, imm };
    if let Some(code) = wide(op, word.wide()) {
        return Ok(one(code, middle));
    }
    if let Some((_, yields)) = op.as_update() {
        let code = match yields {
            Yields::After => Code::UpdateAfter,
            Yields::Before => Code::UpdateBefore,
        };
        return Ok(one(code, (u32::from(op.number() & 0x0f) << 16) | middle));
    }
    match op {
        Op::Setx => Ok(setx(word, difo, rd)),
        Op::Sets => {
            let offset = string_base.checked_add(middle);
            let offset = offset.ok_or(broken(9, at, "string constants reach 4 GiB"))?;
            Ok(one(Code::SetString, offset))
        }
        Op::Ldga => Ok(Decoded {
            code: Code::LdBuiltinArray,
            r1: register(word.r2(), at)?,
            r2: R::R0,
            rd,
            imm: u32::from(word.r1()),
        }),
        Op::Pushtr | Op::Pushtv => {
            let code = match (op, word.r1()) {
                (Op::Pushtv, _) => Code::PushValue,
                (_, kind::STRING) => Code::PushString,
                _ => Code::PushRef,
            };
            Ok(Decoded { code, r1: register(word.r2(), at)?, r2: R::R0, rd, imm: 0 })
        }
        _ => Err(broken(16, at, "the instruction cannot be executed")),
    }
}

fn setx(word: Instr, difo: &Difo, rd: R) -> Decoded {
    let value = difo.integers.get(usize::from(word.wide())).copied().unwrap_or_default();
    let (code, imm) = match i32::try_from(value.cast_signed()) {
        Ok(small) => (Code::SetImm, small.cast_unsigned()),
        Err(_) => (Code::SetTable, u32::from(word.wide())),
    };
    Decoded { code, r1: R::R0, r2: R::R0, rd, imm }
}

/// What the DIFO comes to: two instructions, the second returning what the first set.
fn shape(text: &[Decoded], integers: &[u64]) -> Shape {
    let [first, second] = text else {
        return match text {
            [only] if only.code == Code::Ret => Shape::Constant(0),
            _ => Shape::General,
        };
    };
    if first.code == Code::Ret {
        return Shape::Constant(0);
    }
    if second.code != Code::Ret || first.rd != second.rd || first.rd == R::R0 {
        return Shape::General;
    }
    let id = u16::try_from(first.imm).unwrap_or_default();
    let table = usize::try_from(first.imm).ok().and_then(|at| integers.get(at)).copied();
    match (first.code, table) {
        (Code::SetImm, _) => Shape::Constant(first.constant()),
        (Code::SetTable, Some(value)) => Shape::Constant(value),
        (Code::SetString, _) => Shape::Constant(first.string_address()),
        (Code::Mov, _) => Shape::Constant(0), // every register starts at zero
        (Code::LdBuiltin, _) => Shape::Builtin(id),
        (Code::LdGlobal, _) => Shape::Global(id),
        (Code::LdThread, _) => Shape::Thread(id),
        _ => Shape::General,
    }
}

/// The shorter form of arithmetic whose result goes where its first operand was.
fn in_place(i: Decoded) -> Decoded {
    let code = match i.code {
        Code::Or => Code::Or2,
        Code::Xor => Code::Xor2,
        Code::And => Code::And2,
        Code::Sll => Code::Sll2,
        Code::Srl => Code::Srl2,
        Code::Sra => Code::Sra2,
        Code::Sub => Code::Sub2,
        Code::Add => Code::Add2,
        Code::Mul => Code::Mul2,
        _ => return i,
    };
    if i.r1 == i.rd { Decoded { code, ..i } } else { i }
}

/// Lets the first of a pair do the work of both. The second stays: a branch may land on it.
fn fuse(text: &mut [Decoded]) {
    for at in 1..text.len() {
        let (Some(first), Some(second)) = (text.get(at - 1).copied(), text.get(at).copied()) else {
            return;
        };
        let fused = match first.code {
            Code::SetImm => with_constant(second, first),
            Code::Cmp => compare_and_branch(second.code).map(|code| (code, first, second)),
            Code::Tst => test_and_branch(second.code).map(|code| (code, first, second)),
            _ => None,
        };
        if let (Some((code, fields, imm)), Some(slot)) = (fused, text.get_mut(at - 1)) {
            *slot = Decoded { code, imm: imm.imm, ..fields };
        }
    }
}

/// `setx n, r2; op r1, r2, rd` with `r1` another register: the constant still lands in `r2`.
fn with_constant(second: Decoded, first: Decoded) -> Option<(Code, Decoded, Decoded)> {
    if second.r2 != first.rd || second.r1 == first.rd {
        return None;
    }
    let code = match second.code {
        Code::Or2 => Code::OrI2,
        Code::Xor2 => Code::XorI2,
        Code::And2 => Code::AndI2,
        Code::Sll2 => Code::SllI2,
        Code::Srl2 => Code::SrlI2,
        Code::Sra2 => Code::SraI2,
        Code::Sub2 => Code::SubI2,
        Code::Add2 => Code::AddI2,
        Code::Mul2 => Code::MulI2,
        Code::Cmp => Code::CmpI,
        Code::Or => Code::OrI,
        Code::Xor => Code::XorI,
        Code::And => Code::AndI,
        Code::Sll => Code::SllI,
        Code::Srl => Code::SrlI,
        Code::Sra => Code::SraI,
        Code::Sub => Code::SubI,
        Code::Add => Code::AddI,
        Code::Mul => Code::MulI,
        Code::Sdiv => Code::SdivI,
        Code::Udiv => Code::UdivI,
        Code::Srem => Code::SremI,
        Code::Urem => Code::UremI,
        _ => return None,
    };
    Some((code, second, first))
}

const fn compare_and_branch(branch: Code) -> Option<Code> {
    Some(match branch {
        Code::Be => Code::CmpBe,
        Code::Bne => Code::CmpBne,
        Code::Bg => Code::CmpBg,
        Code::Bgu => Code::CmpBgu,
        Code::Bge => Code::CmpBge,
        Code::Bgeu => Code::CmpBgeu,
        Code::Bl => Code::CmpBl,
        Code::Blu => Code::CmpBlu,
        Code::Ble => Code::CmpBle,
        Code::Bleu => Code::CmpBleu,
        _ => return None,
    })
}

const fn test_and_branch(branch: Code) -> Option<Code> {
    Some(match branch {
        Code::Be => Code::TstBe,
        Code::Bne => Code::TstBne,
        _ => return None,
    })
}
