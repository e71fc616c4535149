//! What makes a string of others: joined, cut, in other letters, a part of a path.

use dif::env::FaultKind;

use super::{DIFFERS, SLASH, Text, argument, check, read_argument, value_at};
use crate::{
    asm::{Alu, Byte, Double, Function, If, R0, R1, R2, R3, R4, R6, R7, R8, R9, Reg},
    error::Refused,
    module::{Module, fail, private},
    routine::Routine,
    world::field,
};

/// Both strings, one behind the other in the value buffer; what does not fit into `strsize` is a
/// fault.
pub(super) fn strjoin(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("strjoin", 1);
    let strsize = m.world.strsize();
    let (joined, long, full) = (f.label(), f.label(), f.label());
    let b = m.world.private;
    m.enter(&mut f);
    // The result takes `strsize` of scratch while it is made.
    f.load(Double, R1, R9, field::TOP);
    f.alu(Alu::Add, R1, strsize);
    f.branch(If::Gt, R1, b.scratch.len, full);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.mov(R6, R0);
    f.branch(If::Ge, R6, strsize, long);
    f.mov(R4, strsize + 1);
    f.alu(Alu::Sub, R4, R6);
    f.mov(R3, R6);
    f.alu(Alu::Add, R3, value_at(m));
    argument(&mut f, R2, 1);
    m.call(&mut f, Routine::ReadString, &[R2.into(), R3.into(), R4.into()])?;
    check(&mut f);
    f.alu(Alu::Add, R6, R0);
    f.branch(If::Ge, R6, strsize, long);
    f.bind(joined);
    m.call(&mut f, Routine::Text(Text::New), &[value_at(m).into(), R6.into()])?;
    f.exit();
    f.bind(long);
    f.bind(full);
    f.mov(R2, strsize);
    fail(&mut f, FaultKind::NoScratch, R2);
    Ok(f)
}

/// `substr(s, index[, length])`: Perl's rules, as in `dif::subr::text::substr_range`.
pub(super) fn substr(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("substr", 1);
    let (given, from_start, after, some, take) =
        (f.label(), f.label(), f.label(), f.label(), f.label());
    let (empty, whole) = (f.label(), f.label());
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    // R6: the length; R7: the start; R8: the count.
    f.mov(R6, R0);
    argument(&mut f, R7, 1);
    f.mov(R8, m.world.strsize());
    f.load(Double, R1, R9, field::DEPTH);
    f.branch(If::Lt, R1, 3, given);
    argument(&mut f, R8, 2);
    f.bind(given);
    f.branch(If::Sge, R7, 0, from_start);
    f.alu(Alu::Add, R7, R6);
    f.branch(If::Sge, R7, 0, from_start);
    f.branch(If::Sle, R8, 0, from_start);
    // The part before the string counts as taken.
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R7);
    f.branch(If::Sle, R1, 0, from_start);
    f.mov(R8, R1);
    f.mov(R7, 0);
    f.bind(from_start);
    f.branch(If::Sge, R7, R6, empty);
    f.branch(If::Slt, R7, 0, empty);
    f.mov(R1, R6);
    f.alu(Alu::Sub, R1, R7);
    f.branch(If::Sge, R8, 0, some);
    f.alu(Alu::Add, R8, R1);
    f.branch(If::Slt, R8, 0, after);
    f.jump(take);
    f.bind(after);
    f.mov(R8, 0);
    f.jump(take);
    f.bind(some);
    f.branch(If::Sle, R8, R1, take);
    f.mov(R8, R1);
    f.jump(take);
    f.bind(empty);
    f.mov(R7, R6);
    f.mov(R8, 0);
    f.bind(take);
    f.bind(whole);
    f.alu(Alu::Add, R7, value_at(m));
    m.call(&mut f, Routine::Text(Text::New), &[R7.into(), R8.into()])?;
    f.exit();
    Ok(f)
}

/// `toupper(s)`, `tolower(s)`.
pub(super) fn case(m: &mut Module, which: Text) -> Result<Function, Refused> {
    let mut f = Function::new(if which == Text::Upper { "toupper" } else { "tolower" }, 1);
    let (again, other, end) = (f.label(), f.label(), f.label());
    let first = i64::from(if which == Text::Upper { b'a' } else { b'A' });
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.mov(R6, R0);
    private(&mut f, R2, m.world.private.value.at);
    f.mov(R7, 0);
    f.bind(again);
    f.branch(If::Ge, R7, R6, end);
    f.load(Byte, R1, R2, 0);
    f.mov(R3, R1);
    f.alu(Alu::Sub, R3, first);
    f.branch(If::Gt, R3, 25, other);
    f.alu(Alu::Xor, R1, 0x20);
    f.store(Byte, R2, 0, R1);
    f.bind(other);
    f.alu(Alu::Add, R2, 1);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Le, R7, m.world.strsize(), again);
    f.bind(end);
    m.call(&mut f, Routine::Text(Text::New), &[value_at(m).into(), R6.into()])?;
    f.exit();
    Ok(f)
}

/// `memstr(address, separator, size)`: as in `dif::subr::memory`, but of no more than a string holds.
pub(super) fn memstr(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("memstr", 1);
    let (again, other, end, bad, full) = (f.label(), f.label(), f.label(), f.label(), f.label());
    let strsize = m.world.strsize();
    m.enter(&mut f);
    argument(&mut f, R6, 2);
    f.branch(If::Eq, R6, 0, bad);
    f.branch(If::Gt, R6, strsize, full);
    argument(&mut f, R2, 0);
    m.call(&mut f, Routine::ReadBytes, &[R2.into(), value_at(m).into(), R6.into()])?;
    check(&mut f);
    argument(&mut f, R8, 1);
    // The last byte ends the string, whatever it was.
    f.alu(Alu::Sub, R6, 1);
    private(&mut f, R2, m.world.private.value.at);
    f.mov(R7, 0);
    f.bind(again);
    f.branch(If::Ge, R7, R6, end);
    f.load(Byte, R1, R2, 0);
    f.branch(If::Ne, R1, 0, other);
    f.store(Byte, R2, 0, R8);
    f.bind(other);
    f.alu(Alu::Add, R2, 1);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Le, R7, strsize, again);
    f.bind(end);
    m.call(&mut f, Routine::Text(Text::New), &[value_at(m).into(), R6.into()])?;
    f.exit();
    f.bind(bad);
    f.mov(R2, 0);
    fail(&mut f, FaultKind::IllOp, R2);
    f.bind(full);
    fail(&mut f, FaultKind::NoScratch, R6);
    Ok(f)
}

/// Calls [`Text::Backward`] over the first bytes of the value buffer.
pub(super) fn last(f: &mut Function, m: &mut Module, len: Reg, what: i64) -> Result<(), Refused> {
    let arguments = [value_at(m).into(), len.into(), what.into()];
    m.call(f, Routine::Text(Text::Backward), &arguments)
}

/// A new string of one byte.
pub(super) fn single(f: &mut Function, m: &mut Module, byte: u8) -> Result<(), Refused> {
    private(f, R1, m.world.private.value.at);
    f.store(Byte, R1, 0, i64::from(byte));
    m.call(f, Routine::Text(Text::New), &[value_at(m).into(), 1.into()])?;
    f.exit();
    Ok(())
}

pub(super) fn basename(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("basename", 1);
    let (empty, slashes, whole) = (f.label(), f.label(), f.label());
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.branch(If::Eq, R0, 0, empty);
    f.mov(R6, R0);
    last(&mut f, m, R6, SLASH | DIFFERS)?;
    f.branch(If::Ge, R0, R6, slashes);
    f.mov(R6, R0);
    f.alu(Alu::Add, R6, 1);
    last(&mut f, m, R6, SLASH)?;
    f.mov(R7, R0);
    f.alu(Alu::Add, R7, 1);
    f.bind(whole);
    f.alu(Alu::Sub, R6, R7);
    f.alu(Alu::Add, R7, value_at(m));
    m.call(&mut f, Routine::Text(Text::New), &[R7.into(), R6.into()])?;
    f.exit();
    f.bind(slashes);
    single(&mut f, m, b'/')?;
    f.bind(empty);
    single(&mut f, m, b'.')?;
    Ok(f)
}

pub(super) fn dirname(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dirname", 1);
    let (none, slashes, some) = (f.label(), f.label(), f.label());
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.branch(If::Eq, R0, 0, none);
    f.mov(R6, R0);
    last(&mut f, m, R6, SLASH | DIFFERS)?;
    f.branch(If::Ge, R0, R6, slashes);
    f.mov(R7, R0);
    last(&mut f, m, R7, SLASH)?;
    f.branch(If::Ge, R0, R7, none);
    // The slashes before the base do not count; the root's does.
    f.mov(R6, R0);
    last(&mut f, m, R6, SLASH | DIFFERS)?;
    f.mov(R7, 1);
    f.branch(If::Ge, R0, R6, some);
    f.mov(R7, R0);
    f.alu(Alu::Add, R7, 1);
    f.bind(some);
    m.call(&mut f, Routine::Text(Text::New), &[value_at(m).into(), R7.into()])?;
    f.exit();
    f.bind(slashes);
    single(&mut f, m, b'/')?;
    f.bind(none);
    single(&mut f, m, b'.')?;
    Ok(f)
}
