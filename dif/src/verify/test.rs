//! Finds DIFOs that only compare a variable with a constant.
//!
//! `/pid == 1234/` becomes a load, a constant, `cmp`, a branch, and on either side a constant to
//! return. Each side is followed with what is known of the registers; where it ends in a `ret` of
//! something known, the whole DIFO is a [`Test`].

use super::{Code, Decoded, R};
use crate::{
    decode::{Source, Test},
    interval::Interval,
};

/// What is known of the registers.
type Known = [Option<u64>; 8];

/// How far a side is followed: a constant, a branch over the other side's constant, `ret`.
const STEPS: usize = 8;

pub(super) fn find(text: &[Decoded], integers: &[u64]) -> Option<Test> {
    let (load, rest) = text.split_first()?;
    let id = u16::try_from(load.imm).ok()?;
    let source = match load.code {
        Code::LdBuiltin => Source::Builtin(id),
        Code::LdGlobal => Source::Global(id),
        Code::LdThread => Source::Thread(id),
        _ => return None,
    };
    let mut known: Known = [Some(0); 8];
    set(&mut known, load.rd, None);
    let (constant, at) = match rest {
        [tst, ..] if tst.code == Code::Tst && tst.r1 == load.rd => (None, 2),
        [constant, cmp, ..] if cmp.code == Code::Cmp && cmp.r1 == load.rd => {
            let value = value_of(constant, integers, &known)?;
            if cmp.r2 != constant.rd || constant.rd == load.rd {
                return None;
            }
            set(&mut known, constant.rd, Some(value));
            (Some(value), 3)
        }
        _ => return None,
    };
    let branch = text.get(at)?;
    if !is_conditional(branch.code) {
        return None;
    }
    let taken = follow(text, integers, known, usize::try_from(branch.imm).ok()?)?;
    let otherwise = follow(text, integers, known, at + 1)?;
    let branch = match constant {
        Some(right) => Interval::of_branch(branch.code, right),
        None => Interval::of_branch_on_tst(branch.code),
    };
    Some(Test { source, branch, taken, otherwise })
}

const fn is_conditional(code: Code) -> bool {
    matches!(
        code,
        Code::Be
            | Code::Bne
            | Code::Bg
            | Code::Bgu
            | Code::Bge
            | Code::Bgeu
            | Code::Bl
            | Code::Blu
            | Code::Ble
            | Code::Bleu
    )
}

fn set(known: &mut Known, register: R, value: Option<u64>) {
    known[register as usize] = value;
}

/// What an instruction puts into its register, if that is known.
fn value_of(i: &Decoded, integers: &[u64], known: &Known) -> Option<u64> {
    match i.code {
        Code::SetImm => Some(i.constant()),
        Code::SetTable => integers.get(usize::try_from(i.imm).ok()?).copied(),
        Code::Mov => known[i.r1 as usize],
        _ => None,
    }
}

/// What the code at `at` returns, if it does nothing but move constants and branch.
fn follow(text: &[Decoded], integers: &[u64], mut known: Known, mut at: usize) -> Option<u64> {
    for _ in 0..STEPS {
        let i = text.get(at)?;
        at = match i.code {
            Code::Ret => return known[i.rd as usize],
            Code::Ba => usize::try_from(i.imm).ok()?,
            Code::Nop => at + 1,
            Code::Mov | Code::SetImm | Code::SetTable => {
                let value = value_of(i, integers, &known);
                set(&mut known, i.rd, value);
                at + 1
            }
            _ => return None,
        };
    }
    None
}
