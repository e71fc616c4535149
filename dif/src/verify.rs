//! The verifier: what a loader asks of a DIFO before it runs.
//!
//! No loader trusts the compiler. A DIFO that passes cannot loop, leave its text, name a register
//! or table entry that is not there, or touch a variable in a way its table does not announce.
//! Addresses are not its concern: every load and store is checked when it runs.
//!
//! # Rules
//! Tests carry the rule's number in their names.
//!
//! | rule | what is asked |
//! | --- | --- |
//! | 1 | the text has 1 to 65,536 instructions |
//! | 2 | every opcode is known |
//! | 3 | every register's number is below 8 |
//! | 4 | `%r0` is never a destination, a store's address or an update's operand |
//! | 5 | fields an instruction does not use are zero |
//! | 6 | branches go forward and stay inside the text |
//! | 7 | the last instruction is `ret` |
//! | 8 | `setx` names an entry of the integer table, which has at most 65,536 |
//! | 9 | `sets` names an offset in the string table |
//! | 10 | the string table is empty or ends in NUL, and has at most 1 MiB |
//! | 11 | `ldga` names a known built-in array |
//! | 12 | variable numbers: loads of globals name a known built-in or one of the script's (from `0x500`); everything else one of the script's |
//! | 13 | a variable of the script is in the variable table with the instruction's scope and kind |
//! | 14 | subroutine numbers are known |
//! | 15 | `pushtr` pushes a C value or a string, `pushtv` a C value |
//! | 16 | nothing that only a linker may see (`xlate`, `xlarg`) and nothing no DTrace ever implemented (`ldta`) |
//! | 17 | updates are of scalar globals kept by value in 1, 2, 4 or 8 bytes |
//! | 18 | the result's type is sane: known kind and flags, strings by reference, 0, 1, 2, 4 or 8 bytes if by value |
//! | 19 | the variable table is sane: as rule 18 for every type, no by-reference variable over 16 KiB, no clause-local array, built-ins known, no number twice in a scope |
//!
//! Rules 1 to 10, 12, 14, 15 and 18 are FreeBSD's; the rest are stricter.

use alloc::{collections::BTreeMap, vec::Vec};

use thiserror::Error;

use crate::{
    decode::{Code, Decoded, R, Shape, VerifiedDifo},
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{kind, subr, tf, var},
    opcode::{Format, Instr, Op, REGISTERS, Reg, Yields},
};

mod test;
mod translate;

/// The most instructions a DIFO may have.
pub const MAX_TEXT: usize = 65_536;
/// The most integer constants a DIFO may have.
pub const MAX_INTEGERS: usize = 65_536;
/// The most bytes of strings a DIFO may have.
pub const MAX_STRINGS: usize = 1 << 20;
/// The most variables a DIFO may refer to.
pub const MAX_VARS: usize = 65_536;
/// The most bytes a by-reference variable may have, `dtrace_statvar_maxsize`.
pub const MAX_BY_REF: u32 = 16 * 1024;

/// Why a DIFO is refused: the rule it breaks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("rule {rule}: {what} (instruction {at})")]
pub struct VerifyError {
    /// The rule's number, as in the table above.
    pub rule: u8,
    /// The instruction's place, or the variable's in its table (rule 19), else 0.
    pub at: usize,
    /// What is wrong, in words.
    pub what: &'static str,
}

const fn broken(rule: u8, at: usize, what: &'static str) -> VerifyError {
    VerifyError { rule, at, what }
}

/// Checks a DIFO and makes it ready to run. Its string constants lie at `string_base` in the
/// program's string constants ([`crate::env::Region::Strings`]).
///
/// # Errors
/// The first rule that is broken.
pub fn verify(difo: &Difo, string_base: u32) -> Result<VerifiedDifo, VerifyError> {
    check_tables(difo)?;
    let vars = VarTable::new(&difo.vars)?;
    let checker = Checker { difo, vars };
    for at in 0..difo.text.len() {
        checker.instruction(at)?;
    }
    translate::translate(difo, string_base)
}

/// Rules 1, 7, 8 (size), 10, 18: what can be said without looking at instructions.
fn check_tables(difo: &Difo) -> Result<(), VerifyError> {
    if difo.text.is_empty() || difo.text.len() > MAX_TEXT {
        return Err(broken(1, 0, "the text has no instruction, or more than 65,536"));
    }
    let last = difo.text.len() - 1;
    if difo.text.last().map(|word| Instr(*word).op()) != Some(Some(Op::Ret)) {
        return Err(broken(7, last, "the last instruction is not ret"));
    }
    if difo.integers.len() > MAX_INTEGERS {
        return Err(broken(8, 0, "the integer table has more than 65,536 entries"));
    }
    if difo.strings.len() > MAX_STRINGS {
        return Err(broken(10, 0, "the string table is larger than 1 MiB"));
    }
    if difo.strings.last().is_some_and(|last| *last != 0) {
        return Err(broken(10, 0, "the string table does not end in NUL"));
    }
    check_type(difo.ret).map_err(|what| broken(18, last, what))
}

/// Rule 18's test of a type, shared with rule 19.
fn check_type(ty: DifType) -> Result<(), &'static str> {
    if ty.kind != kind::CTF && ty.kind != kind::STRING {
        return Err("a type is neither a C type nor a string");
    }
    if ty.flags & !(tf::BYREF | tf::BYUREF) != 0 {
        return Err("a type has unknown flags");
    }
    if ty.is_string() && !ty.is_by_ref() {
        return Err("a string is not by reference");
    }
    if !ty.is_by_ref() && !matches!(ty.size, 0 | 1 | 2 | 4 | 8) {
        return Err("a by-value type has not 0, 1, 2, 4 or 8 bytes");
    }
    Ok(())
}

/// The variable table, checked (rule 19) and searchable.
struct VarTable<'a> {
    by_id: BTreeMap<(u8, u32), &'a DifVar>,
}

const fn scope_number(scope: Scope) -> u8 {
    match scope {
        Scope::Global => 0,
        Scope::Thread => 1,
        Scope::Local => 2,
    }
}

impl<'a> VarTable<'a> {
    fn new(vars: &'a [DifVar]) -> Result<Self, VerifyError> {
        if vars.len() > MAX_VARS {
            return Err(broken(19, 0, "the variable table has more than 65,536 entries"));
        }
        let mut by_id = BTreeMap::new();
        for (at, entry) in vars.iter().enumerate() {
            check_var(entry).map_err(|what| broken(19, at, what))?;
            if by_id.insert((scope_number(entry.scope), entry.id), entry).is_some() {
                return Err(broken(19, at, "a variable stands twice in its table"));
            }
        }
        Ok(Self { by_id })
    }

    fn find(&self, scope: Scope, id: u16) -> Option<&'a DifVar> {
        self.by_id.get(&(scope_number(scope), u32::from(id))).copied()
    }
}

fn check_var(entry: &DifVar) -> Result<(), &'static str> {
    let Ok(id) = u16::try_from(entry.id) else {
        return Err("a variable's number is above 65,535");
    };
    if id < var::OTHER_UBASE {
        return match var::name(id) {
            Some(_) if entry.scope == Scope::Global => Ok(()),
            Some(_) => Err("a built-in variable is not global"),
            None => Err("there is no such built-in variable"),
        };
    }
    if entry.is_array && entry.scope == Scope::Local {
        return Err("a clause-local variable is an array");
    }
    if entry.ty.is_by_ref() && entry.ty.size > MAX_BY_REF {
        return Err("a by-reference variable has more than 16 KiB");
    }
    check_type(entry.ty)
}

struct Checker<'a> {
    difo: &'a Difo,
    vars: VarTable<'a>,
}

impl Checker<'_> {
    /// Rules 2 to 6, 8, 9 and 11 to 17 on one instruction.
    fn instruction(&self, at: usize) -> Result<(), VerifyError> {
        let word = Instr(self.difo.text.get(at).copied().unwrap_or_default());
        let Some(op) = word.op() else {
            return Err(broken(2, at, "there is no such opcode"));
        };
        let format = op.format();
        check_registers(format, word, at)?;
        match format {
            Format::Branch => self.branch(word, at),
            Format::Integer => self.integer(word, at),
            Format::String => self.string(word, at),
            Format::ArrayLoad => array_load(op, word, at),
            Format::VarLoad | Format::VarStore => self.variable(op, word, at),
            Format::Update => self.update(word, at),
            Format::Call if !subr::exists(word.wide()) => {
                Err(broken(14, at, "there is no such subroutine"))
            }
            Format::Push => push(op, word, at),
            Format::Translator => {
                Err(broken(16, at, "a translator's reference was left unresolved"))
            }
            _ => Ok(()),
        }
    }

    fn branch(&self, word: Instr, at: usize) -> Result<(), VerifyError> {
        let target = usize::try_from(word.label()).unwrap_or(usize::MAX);
        if target >= self.difo.text.len() {
            return Err(broken(6, at, "a branch leaves the text"));
        }
        if target <= at {
            return Err(broken(6, at, "a branch goes back"));
        }
        Ok(())
    }

    fn integer(&self, word: Instr, at: usize) -> Result<(), VerifyError> {
        if usize::from(word.wide()) >= self.difo.integers.len() {
            return Err(broken(8, at, "setx names no entry of the integer table"));
        }
        Ok(())
    }

    fn string(&self, word: Instr, at: usize) -> Result<(), VerifyError> {
        if usize::from(word.wide()) >= self.difo.strings.len() {
            return Err(broken(9, at, "sets names no place in the string table"));
        }
        Ok(())
    }

    fn variable(&self, op: Op, word: Instr, at: usize) -> Result<(), VerifyError> {
        let id = word.wide();
        let (scope, is_array) = access(op);
        if id < var::OTHER_UBASE {
            return match op {
                Op::Ldgs if id >= var::OTHER_MIN && var::name(id).is_some() => Ok(()),
                Op::Ldgs => Err(broken(12, at, "there is no such built-in variable")),
                _ => Err(broken(12, at, "the variable is not one of the script's")),
            };
        }
        match self.vars.find(scope, id) {
            None => Err(broken(13, at, "the variable is not in the variable table")),
            Some(entry) if entry.is_array != is_array => {
                Err(broken(13, at, "an array is used as a scalar, or a scalar as an array"))
            }
            Some(_) => Ok(()),
        }
    }

    fn update(&self, word: Instr, at: usize) -> Result<(), VerifyError> {
        if word.wide() < var::OTHER_UBASE {
            return Err(broken(12, at, "the variable is not one of the script's"));
        }
        let Some(entry) = self.vars.find(Scope::Global, word.wide()) else {
            return Err(broken(13, at, "the variable is not in the variable table"));
        };
        let by_value = !entry.ty.is_by_ref() && matches!(entry.ty.size, 1 | 2 | 4 | 8);
        if entry.is_array || !by_value {
            return Err(broken(17, at, "an update is of something else than a scalar integer"));
        }
        Ok(())
    }
}

/// The scope and kind of variable a load or store is for.
const fn access(op: Op) -> (Scope, bool) {
    match op {
        Op::Ldgaa | Op::Stgaa => (Scope::Global, true),
        Op::Ldtaa | Op::Sttaa => (Scope::Thread, true),
        Op::Ldts | Op::Stts => (Scope::Thread, false),
        Op::Ldls | Op::Stls => (Scope::Local, false),
        _ => (Scope::Global, false),
    }
}

fn array_load(op: Op, word: Instr, at: usize) -> Result<(), VerifyError> {
    if op == Op::Ldta {
        return Err(broken(16, at, "there are no thread-local built-in arrays"));
    }
    if var::name(u16::from(word.r1())).is_none() {
        return Err(broken(11, at, "there is no such built-in array"));
    }
    Ok(())
}

fn push(op: Op, word: Instr, at: usize) -> Result<(), VerifyError> {
    match (op, word.r1()) {
        (_, kind::CTF) | (Op::Pushtr, kind::STRING) => Ok(()),
        _ => Err(broken(15, at, "a push names no type it can push")),
    }
}

/// Rules 3, 4 and 5: which of the three low bytes are registers, which are written, which are to
/// be zero.
fn check_registers(format: Format, word: Instr, at: usize) -> Result<(), VerifyError> {
    let (r1, r2, rd) = (word.r1(), word.r2(), word.rd());
    let (read, written, zero): (&[u8], Option<u8>, &[u8]) = match format {
        Format::Binary | Format::Copy => (&[r1, r2], Some(rd), &[]),
        Format::Unary | Format::Load | Format::Store => (&[r1], Some(rd), &[r2]),
        Format::Compare => (&[r1, r2], None, &[rd]),
        Format::Test => (&[r1], None, &[r2, rd]),
        Format::Branch => (&[], None, &[]),
        Format::Return => (&[rd], None, &[r1, r2]),
        Format::Bare => (&[], None, &[r1, r2, rd]),
        Format::ArrayLoad => (&[r2], Some(rd), &[]),
        Format::VarStore => (&[rd], None, &[]),
        Format::Push => (&[r2, rd], None, &[]),
        Format::Integer
        | Format::String
        | Format::VarLoad
        | Format::Update
        | Format::Call
        | Format::Translator => (&[], Some(rd), &[]),
    };
    let is_register = |r: &u8| usize::from(*r) < REGISTERS;
    if !read.iter().chain(written.iter()).all(is_register) {
        return Err(broken(3, at, "there is no such register"));
    }
    if written == Some(Reg::R0.0) {
        return Err(broken(4, at, "%r0 is written"));
    }
    if zero.iter().any(|field| *field != 0) {
        return Err(broken(5, at, "an unused field is not zero"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
