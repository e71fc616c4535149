//! Subroutines on strings, as `dif::subr` has them.
//!
//! A string is first read into private memory, which bounds it by `strsize`; the loops then go
//! over bytes there, at most `strsize` of them. What looks at a byte is a routine of its own
//! ([`Text::Forward`], [`Text::Backward`], [`Text::Match`]), so that the verifier never meets a
//! loop in a loop.

use dif::env::FaultKind;

use crate::{
    asm::{
        Alu, Byte, Double, Function, If, Label, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Reg,
    },
    error::Refused,
    module::{Module, fail, private},
    routine::Routine,
    world::field,
};

/// A routine on strings; its arguments, unless said otherwise, are on the tuple stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Text {
    /// `(buffer, start, length, byte and 256 if it is to differ)`: the first place from `start`;
    /// `length` if there is none.
    Forward,
    /// `(buffer, length, byte and 256 if it is to differ)`: the last place, or all ones.
    Backward,
    /// `(place in the value buffer, length)`: whether the other buffer's bytes lie there.
    Match,
    /// `(offset in private memory, length)`: a new string in scratch.
    New,
    /// `(index of an argument, buffer)`: reads a string argument; its length.
    Fetch,
    Strlen,
    Strjoin,
    Strchr,
    Strrchr,
    Strstr,
    Index,
    Rindex,
    Substr,
    Upper,
    Lower,
    Basename,
    Dirname,
    Lltostr,
    Strtoll,
    Strtok,
}

/// The longest strings that byte loops are made for: the verifier follows each step.
const MAX_STRSIZE: u32 = 4096;

impl Text {
    pub(super) fn make(self, m: &mut Module) -> Result<Function, Refused> {
        if m.world.strsize() > MAX_STRSIZE {
            let why = format!("strsize is above {MAX_STRSIZE}, more than the kernel would verify");
            return Err(Refused::new(format!("{self:?}()").to_lowercase(), why));
        }
        match self {
            Self::Forward => Ok(forward(m)),
            Self::Backward => Ok(backward(m)),
            Self::Match => Ok(matches(m)),
            Self::New => Ok(super::scratch::new_string(m)),
            Self::Fetch => fetch(m),
            Self::Strlen => strlen(m),
            Self::Strjoin => strjoin(m),
            Self::Strchr | Self::Strrchr => character(m, self),
            Self::Strstr | Self::Index => find(m, self),
            Self::Rindex => rindex(m),
            Self::Substr => substr(m),
            Self::Upper | Self::Lower => case(m, self),
            Self::Basename => basename(m),
            Self::Dirname => dirname(m),
            Self::Lltostr => lltostr(m),
            Self::Strtoll => strtoll(m),
            Self::Strtok => strtok(m),
        }
    }
}

/// The flag of a scan for a byte that differs.
const DIFFERS: i64 = 256;
const SLASH: i64 = b'/' as i64;

fn value_at(m: &Module) -> i64 {
    i64::from(m.world.private.value.at)
}

fn other_at(m: &Module) -> i64 {
    i64::from(m.world.private.other.at)
}

/// A register becomes the value of an argument.
fn argument(f: &mut Function, to: Reg, index: i16) {
    f.load(Double, to, R9, field::TUPLE + index * 24);
}

/// Ends the routine if one that it called has faulted. Spoils R1.
fn check(f: &mut Function) {
    let good = f.label();
    f.load(Double, R1, R9, field::FAULT);
    f.branch(If::Eq, R1, 0, good);
    f.answer(0);
    f.bind(good);
}

/// R0 becomes the length of a string argument, which is read into a buffer.
fn read_argument(f: &mut Function, m: &mut Module, index: i16, buffer: i64) -> Result<(), Refused> {
    m.call(f, Routine::Text(Text::Fetch), &[i64::from(index).into(), buffer.into()])?;
    check(f);
    Ok(())
}

/// `(index of an argument, buffer)`.
fn fetch(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("fetch", 3);
    let bad = f.label();
    let strsize = m.world.strsize() + 1;
    m.enter(&mut f);
    f.branch(If::Gt, R2, 7, bad);
    f.alu(Alu::Mul, R2, 24);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, R2);
    f.load(Double, R2, R1, field::TUPLE);
    m.call(&mut f, Routine::ReadString, &[R2.into(), R3.into(), strsize.into()])?;
    f.exit();
    f.bind(bad);
    f.answer(0);
    Ok(f)
}

/// R1 becomes the address of the byte at `at` of the buffer whose offset is in `buffer`; jumps to
/// `bad` if it is none.
fn byte_place(f: &mut Function, m: &Module, buffer: Reg, at: Reg, bad: Label) {
    f.branch(If::Gt, at, m.world.strsize(), bad);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, buffer);
    f.alu(Alu::Add, R1, at);
}

/// Goes to `bad` unless a register is the offset of a buffer for a string.
fn buffer_bound(f: &mut Function, m: &Module, buffer: Reg, bad: Label) {
    let last = i64::from(m.world.private.size) - i64::from(m.world.strsize()) - 32;
    f.branch(If::Gt, buffer, last, bad);
}

/// `(buffer, start, length, byte and flag)`: see [`Text::Forward`].
fn forward(m: &Module) -> Function {
    let mut f = Function::new("forward", 5);
    let (again, none, found, next, differs) =
        (f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    buffer_bound(&mut f, m, R2, none);
    f.mov(R6, 0);
    f.mov(R7, R5);
    f.alu(Alu::And, R7, 255);
    f.bind(again);
    f.branch(If::Ge, R3, R4, none);
    byte_place(&mut f, m, R2, R3, none);
    f.load(Byte, R1, R1, 0);
    f.branch(If::Ge, R5, DIFFERS, differs);
    f.branch(If::Eq, R1, R7, found);
    f.jump(next);
    f.bind(differs);
    f.branch(If::Ne, R1, R7, found);
    f.bind(next);
    f.alu(Alu::Add, R3, 1);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Le, R6, m.world.strsize(), again);
    f.bind(none);
    f.answer(R4);
    f.bind(found);
    f.answer(R3);
    f
}

/// `(buffer, length, byte and flag)`: see [`Text::Backward`].
fn backward(m: &Module) -> Function {
    let mut f = Function::new("backward", 4);
    let (again, none, found, next, differs) =
        (f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    buffer_bound(&mut f, m, R2, none);
    f.mov(R6, 0);
    f.mov(R7, R4);
    f.alu(Alu::And, R7, 255);
    f.bind(again);
    f.branch(If::Eq, R3, 0, none);
    f.alu(Alu::Sub, R3, 1);
    byte_place(&mut f, m, R2, R3, none);
    f.load(Byte, R1, R1, 0);
    f.branch(If::Ge, R4, DIFFERS, differs);
    f.branch(If::Eq, R1, R7, found);
    f.jump(next);
    f.bind(differs);
    f.branch(If::Ne, R1, R7, found);
    f.bind(next);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Le, R6, m.world.strsize(), again);
    f.bind(none);
    f.answer(-1);
    f.bind(found);
    f.answer(R3);
    f
}

/// `(place in the value buffer, length)`: see [`Text::Match`].
fn matches(m: &Module) -> Function {
    let mut f = Function::new("match", 3);
    let (again, differ, same) = (f.label(), f.label(), f.label());
    let strsize = m.world.strsize();
    m.enter(&mut f);
    private(&mut f, R7, m.world.private.other.at);
    f.mov(R6, 0);
    f.bind(again);
    f.branch(If::Ge, R6, R3, same);
    f.branch(If::Gt, R2, strsize, differ);
    private(&mut f, R1, m.world.private.value.at);
    f.alu(Alu::Add, R1, R2);
    f.load(Byte, R4, R1, 0);
    f.load(Byte, R5, R7, 0);
    f.branch(If::Ne, R4, R5, differ);
    f.alu(Alu::Add, R2, 1);
    f.alu(Alu::Add, R7, 1);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Le, R6, strsize, again);
    f.bind(differ);
    f.answer(0);
    f.bind(same);
    f.answer(1);
    f
}

/// `(a, b)`: see [`Routine::Compare`].
pub(super) fn compare(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("compare", 3);
    let strsize = m.world.strsize();
    if strsize > MAX_STRSIZE {
        let why = format!("strsize is above {MAX_STRSIZE}, more than the kernel would verify");
        return Err(Refused::new("a comparison of strings", why));
    }
    let (again, differ, same) = (f.label(), f.label(), f.label());
    m.enter(&mut f);
    f.branch(If::Eq, R2, R3, same);
    f.mov(R7, R3);
    // NULL, what an unset string variable holds, compares as the empty string.
    let size = strsize + 1;
    for (from, buffer) in [(R2, m.world.private.value.at), (R7, m.world.private.other.at)] {
        let (null, done) = (f.label(), f.label());
        f.branch(If::Eq, from, 0, null);
        m.call(&mut f, Routine::ReadString, &[from.into(), buffer.into(), size.into()])?;
        check(&mut f);
        f.jump(done);
        f.bind(null);
        private(&mut f, R1, buffer);
        f.store(Byte, R1, 0, 0);
        f.bind(done);
    }
    private(&mut f, R2, m.world.private.value.at);
    private(&mut f, R3, m.world.private.other.at);
    f.mov(R6, 0);
    f.bind(again);
    f.load(Byte, R4, R2, 0);
    f.load(Byte, R5, R3, 0);
    f.branch(If::Ne, R4, R5, differ);
    f.branch(If::Eq, R4, 0, same);
    f.alu(Alu::Add, R2, 1);
    f.alu(Alu::Add, R3, 1);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Le, R6, strsize, again);
    f.bind(same);
    f.answer(0);
    f.bind(differ);
    let less = f.label();
    f.branch(If::Lt, R4, R5, less);
    f.answer(1);
    f.bind(less);
    f.answer(-1);
    Ok(f)
}

fn strlen(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("strlen", 1);
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.exit();
    Ok(f)
}

/// Both strings, one behind the other in the value buffer; what does not fit into `strsize` is a
/// fault.
fn strjoin(m: &mut Module) -> Result<Function, Refused> {
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

/// `strchr(s, c)`, `strrchr(s, c)`.
fn character(m: &mut Module, which: Text) -> Result<Function, Refused> {
    let mut f = Function::new("strchr", 1);
    let (end, found, none) = (f.label(), f.label(), f.label());
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.mov(R6, R0);
    argument(&mut f, R5, 1);
    f.alu(Alu::And, R5, 255);
    f.branch(If::Eq, R5, 0, end);
    if which == Text::Strchr {
        let arguments = [value_at(m).into(), 0.into(), R6.into(), R5.into()];
        m.call(&mut f, Routine::Text(Text::Forward), &arguments)?;
    } else {
        f.mov(R7, R5);
        let arguments = [value_at(m).into(), R6.into(), R7.into()];
        m.call(&mut f, Routine::Text(Text::Backward), &arguments)?;
    }
    f.branch(If::Ge, R0, R6, none);
    f.jump(found);
    f.bind(end);
    f.branch(If::Ge, R6, m.world.strsize(), none);
    f.mov(R0, R6);
    f.bind(found);
    argument(&mut f, R1, 0);
    f.alu(Alu::Add, R0, R1);
    f.exit();
    f.bind(none);
    f.answer(0);
    Ok(f)
}

/// The two strings of `strstr`, `index`, `rindex` into the two buffers: R6 and R7 become their
/// lengths, R8 how far the second can begin in the first; jumps to `none` if it is longer.
fn both(f: &mut Function, m: &mut Module, none: Label) -> Result<(), Refused> {
    read_argument(f, m, 0, value_at(m))?;
    f.mov(R6, R0);
    read_argument(f, m, 1, other_at(m))?;
    f.mov(R7, R0);
    f.branch(If::Gt, R7, R6, none);
    f.mov(R8, R6);
    f.alu(Alu::Sub, R8, R7);
    Ok(())
}

/// `strstr(s, part)`, `index(s, part[, start])`.
fn find(m: &mut Module, which: Text) -> Result<Function, Refused> {
    let mut f = Function::new(if which == Text::Index { "index" } else { "strstr" }, 1);
    let (again, none, found, begin) = (f.label(), f.label(), f.label(), f.label());
    let (at, steps) = (f.slot(), f.slot());
    m.enter(&mut f);
    both(&mut f, m, none)?;
    f.mov(R1, 0);
    if which == Text::Index {
        // A start before the string is the string's start; an empty part is found at the end.
        let (positive, within) = (f.label(), f.label());
        f.load(Double, R2, R9, field::DEPTH);
        f.branch(If::Lt, R2, 3, begin);
        argument(&mut f, R1, 2);
        f.branch(If::Sge, R1, 0, positive);
        f.mov(R1, 0);
        f.bind(positive);
        f.branch(If::Ne, R7, 0, within);
        f.branch(If::Le, R1, R6, within);
        f.mov(R1, R6);
        f.bind(within);
    }
    f.bind(begin);
    f.store(Double, R10, at, R1);
    f.store(Double, R10, steps, 0);
    f.bind(again);
    f.load(Double, R2, R10, at);
    f.branch(If::Gt, R2, R8, none);
    m.call(&mut f, Routine::Text(Text::Match), &[R2.into(), R7.into()])?;
    f.branch(If::Ne, R0, 0, found);
    f.load(Double, R2, R10, at);
    f.alu(Alu::Add, R2, 1);
    f.store(Double, R10, at, R2);
    f.load(Double, R1, R10, steps);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R10, steps, R1);
    f.branch(If::Le, R1, m.world.strsize(), again);
    f.bind(none);
    f.answer(if which == Text::Index { -1 } else { 0 });
    f.bind(found);
    f.load(Double, R0, R10, at);
    if which == Text::Strstr {
        argument(&mut f, R1, 0);
        f.alu(Alu::Add, R0, R1);
    }
    f.exit();
    Ok(f)
}

/// `rindex(s, part[, start])`.
fn rindex(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("rindex", 1);
    let (again, none, found, begin) = (f.label(), f.label(), f.label(), f.label());
    let (at, steps) = (f.slot(), f.slot());
    m.enter(&mut f);
    both(&mut f, m, none)?;
    let positive = f.label();
    f.mov(R1, R8);
    f.load(Double, R2, R9, field::DEPTH);
    f.branch(If::Lt, R2, 3, begin);
    argument(&mut f, R2, 2);
    f.branch(If::Sge, R2, 0, positive);
    // Nothing starts before the string, but an empty part is found at its start.
    f.branch(If::Ne, R7, 0, none);
    f.mov(R2, 0);
    f.bind(positive);
    f.branch(If::Ge, R2, R8, begin);
    f.mov(R1, R2);
    f.bind(begin);
    f.store(Double, R10, at, R1);
    f.store(Double, R10, steps, 0);
    f.bind(again);
    f.load(Double, R2, R10, at);
    m.call(&mut f, Routine::Text(Text::Match), &[R2.into(), R7.into()])?;
    f.branch(If::Ne, R0, 0, found);
    f.load(Double, R2, R10, at);
    f.branch(If::Eq, R2, 0, none);
    f.alu(Alu::Sub, R2, 1);
    f.store(Double, R10, at, R2);
    f.load(Double, R1, R10, steps);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R10, steps, R1);
    f.branch(If::Le, R1, m.world.strsize(), again);
    f.bind(none);
    f.answer(-1);
    f.bind(found);
    f.load(Double, R0, R10, at);
    f.exit();
    Ok(f)
}

/// `substr(s, index[, length])`: Perl's rules, as in `dif::subr::text::substr_range`.
fn substr(m: &mut Module) -> Result<Function, Refused> {
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
fn case(m: &mut Module, which: Text) -> Result<Function, Refused> {
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

/// Calls [`Text::Backward`] over the first bytes of the value buffer.
fn last(f: &mut Function, m: &mut Module, len: Reg, what: i64) -> Result<(), Refused> {
    let arguments = [value_at(m).into(), len.into(), what.into()];
    m.call(f, Routine::Text(Text::Backward), &arguments)
}

/// A new string of one byte.
fn single(f: &mut Function, m: &mut Module, byte: u8) -> Result<(), Refused> {
    private(f, R1, m.world.private.value.at);
    f.store(Byte, R1, 0, i64::from(byte));
    m.call(f, Routine::Text(Text::New), &[value_at(m).into(), 1.into()])?;
    f.exit();
    Ok(())
}

fn basename(m: &mut Module) -> Result<Function, Refused> {
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

fn dirname(m: &mut Module) -> Result<Function, Refused> {
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

/// R8 becomes the base: the second argument, 2 to 36, or 10; else a fault.
fn base(f: &mut Function) {
    let (done, bad) = (f.label(), f.label());
    f.mov(R8, 10);
    f.load(Double, R1, R9, field::DEPTH);
    f.branch(If::Lt, R1, 2, done);
    argument(f, R2, 1);
    f.mov(R8, R2);
    f.alu(Alu::Lsh, R8, 32);
    f.alu(Alu::Arsh, R8, 32);
    f.branch(If::Lt, R8, 2, bad);
    f.branch(If::Le, R8, 36, done);
    f.bind(bad);
    fail(f, FaultKind::IllOp, R2);
    f.bind(done);
}

/// Digits are written from the end of this many bytes.
const DIGITS: i64 = 72;

/// `lltostr(n[, base])`.
fn lltostr(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("lltostr", 1);
    let (again, letter, put, end, hex, no_hex, zero, no_zero, minus, done) = (
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
        f.label(),
    );
    m.enter(&mut f);
    base(&mut f);
    // R6: what is left; R7: where the text begins.
    argument(&mut f, R6, 0);
    let positive = f.label();
    f.branch(If::Ne, R8, 10, positive);
    f.branch(If::Sge, R6, 0, positive);
    f.neg(R6);
    f.bind(positive);
    f.mov(R7, DIGITS);
    f.mov(R4, 0);
    f.bind(again);
    f.branch(If::Eq, R6, 0, end);
    f.mov(R2, R6);
    f.alu(Alu::Mod, R2, R8);
    f.alu(Alu::Div, R6, R8);
    f.branch(If::Ge, R2, 10, letter);
    f.alu(Alu::Add, R2, i64::from(b'0'));
    f.jump(put);
    f.bind(letter);
    f.alu(Alu::Add, R2, i64::from(b'a') - 10);
    f.bind(put);
    put_before(&mut f, m, R2);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Lt, R4, 64, again);
    f.bind(end);
    forget(&mut f);
    argument(&mut f, R5, 0);
    f.branch(If::Ne, R8, 16, no_hex);
    f.branch(If::Ne, R5, 0, hex);
    put_before(&mut f, m, i64::from(b'0'));
    f.bind(hex);
    put_before(&mut f, m, i64::from(b'x'));
    f.jump(zero);
    f.bind(no_hex);
    f.branch(If::Eq, R8, 8, zero);
    f.branch(If::Ne, R5, 0, no_zero);
    f.bind(zero);
    put_before(&mut f, m, i64::from(b'0'));
    f.bind(no_zero);
    f.branch(If::Ne, R8, 10, done);
    f.branch(If::Sge, R5, 0, done);
    f.bind(minus);
    put_before(&mut f, m, i64::from(b'-'));
    f.bind(done);
    f.mov(R3, DIGITS);
    f.alu(Alu::Sub, R3, R7);
    f.alu(Alu::Add, R7, value_at(m));
    m.call(&mut f, Routine::Text(Text::New), &[R7.into(), R3.into()])?;
    f.exit();
    Ok(f)
}

/// Writes a byte of the value buffer before R7, which becomes its place. Spoils R1.
fn put_before(f: &mut Function, m: &Module, byte: impl Into<crate::asm::Src>) {
    let inside = f.label();
    f.alu(Alu::Sub, R7, 1);
    f.branch(If::Le, R7, DIGITS, inside);
    f.mov(R7, 0);
    f.bind(inside);
    private(f, R1, m.world.private.value.at);
    f.alu(Alu::Add, R1, R7);
    f.store(Byte, R1, 0, byte);
}

/// R7 becomes a number that the verifier knows nothing of, so that a loop behind another is not
/// followed anew for every way out of the first.
fn forget(f: &mut Function) {
    f.store(Double, R9, field::SPARE[3], R7);
    f.load(Double, R7, R9, field::SPARE[3]);
}

/// R1 becomes the byte of the value buffer at R7, 0 beyond `strsize`.
fn byte_at(f: &mut Function, m: &Module) {
    let (inside, done) = (f.label(), f.label());
    f.branch(If::Le, R7, m.world.strsize(), inside);
    f.mov(R1, 0);
    f.jump(done);
    f.bind(inside);
    private(f, R1, m.world.private.value.at);
    f.alu(Alu::Add, R1, R7);
    f.load(Byte, R1, R1, 0);
    f.bind(done);
}

/// R1 becomes the value of the digit in R1, or 36 and more. Spoils R2.
fn digit(f: &mut Function) {
    let (letter, none, done) = (f.label(), f.label(), f.label());
    f.mov(R2, R1);
    f.alu(Alu::Sub, R2, i64::from(b'0'));
    f.branch(If::Gt, R2, 9, letter);
    f.mov(R1, R2);
    f.jump(done);
    f.bind(letter);
    f.alu(Alu::Or, R1, 0x20);
    f.alu(Alu::Sub, R1, i64::from(b'a'));
    f.branch(If::Gt, R1, 25, none);
    f.alu(Alu::Add, R1, 10);
    f.jump(done);
    f.bind(none);
    f.mov(R1, 99);
    f.bind(done);
}

/// `strtoll(s[, base])`: blanks, a sign, `0x` in base 16, digits.
fn strtoll(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("strtoll", 1);
    let strsize = m.world.strsize();
    let negative = f.slot();
    let (blanks, no_blank, next, sign, unsigned, digits, again, end) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    base(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.store(Double, R10, negative, 0);
    f.mov(R7, 0);
    f.bind(blanks);
    byte_at(&mut f, m);
    f.branch(If::Eq, R1, i64::from(b' '), next);
    f.branch(If::Ne, R1, i64::from(b'\t'), no_blank);
    f.bind(next);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Le, R7, strsize, blanks);
    f.bind(no_blank);
    forget(&mut f);
    f.branch(If::Eq, R1, i64::from(b'+'), sign);
    f.branch(If::Ne, R1, i64::from(b'-'), unsigned);
    f.store(Double, R10, negative, 1);
    f.bind(sign);
    f.alu(Alu::Add, R7, 1);
    f.bind(unsigned);
    // 0x counts only before a hexadecimal digit.
    f.branch(If::Ne, R8, 16, digits);
    byte_at(&mut f, m);
    f.branch(If::Ne, R1, i64::from(b'0'), digits);
    f.alu(Alu::Add, R7, 1);
    byte_at(&mut f, m);
    let no_prefix = f.label();
    f.alu(Alu::Or, R1, 0x20);
    f.branch(If::Ne, R1, i64::from(b'x'), no_prefix);
    f.alu(Alu::Add, R7, 1);
    byte_at(&mut f, m);
    digit(&mut f);
    f.branch(If::Lt, R1, 16, digits);
    f.alu(Alu::Sub, R7, 1);
    f.bind(no_prefix);
    f.alu(Alu::Sub, R7, 1);
    f.bind(digits);
    f.mov(R6, 0);
    f.mov(R4, 0);
    f.bind(again);
    byte_at(&mut f, m);
    digit(&mut f);
    // The digit is the second operand: older verifiers know the outcome of a comparison with a
    // constant only there, and would go on behind the string's end.
    f.branch(If::Le, R8, R1, end);
    f.alu(Alu::Mul, R6, R8);
    f.alu(Alu::Add, R6, R1);
    f.alu(Alu::Add, R7, 1);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Le, R4, strsize, again);
    f.bind(end);
    let positive = f.label();
    f.load(Double, R1, R10, negative);
    f.branch(If::Eq, R1, 0, positive);
    f.neg(R6);
    f.bind(positive);
    f.answer(R6);
    Ok(f)
}

/// The set of separators: 256 bits in private memory behind the tuple stack.
const SET: i16 = field::TUPLE + 8 * 24;

/// R0 becomes whether the byte in R1 is in the set. Spoils R1 and R2.
fn in_set(f: &mut Function) {
    f.mov(R2, R1);
    f.alu(Alu::Rsh, R2, 6);
    f.alu(Alu::And, R2, 3);
    f.alu(Alu::Lsh, R2, 3);
    f.mov(R0, R9);
    f.alu(Alu::Add, R0, R2);
    f.load(Double, R0, R0, SET);
    f.alu(Alu::And, R1, 63);
    f.alu(Alu::Rsh, R0, R1);
    f.alu(Alu::And, R0, 1);
}

/// `strtok(s, separators)`.
fn strtok(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("strtok", 1);
    let strsize = m.world.strsize();
    let address = f.slot();
    // In memory of the map, where the verifier forgets what each way out of a loop taught it.
    let len = field::SPARE[2];
    let (given, none, gone) = (f.label(), f.label(), f.label());
    m.enter(&mut f);
    argument(&mut f, R1, 0);
    f.branch(If::Ne, R1, 0, given);
    f.load(Double, R1, R9, field::STRTOK);
    f.bind(given);
    f.branch(If::Eq, R1, 0, none);
    f.store(Double, R10, address, R1);
    read_argument(&mut f, m, 1, value_at(m))?;
    // The set.
    for at in 0..4 {
        f.store(Double, R9, SET + at * 8, 0);
    }
    let (again, end) = (f.label(), f.label());
    f.mov(R7, 0);
    f.bind(again);
    byte_at(&mut f, m);
    f.branch(If::Eq, R1, 0, end);
    f.mov(R2, R1);
    f.alu(Alu::Rsh, R2, 6);
    f.alu(Alu::And, R2, 3);
    f.alu(Alu::Lsh, R2, 3);
    f.mov(R3, R9);
    f.alu(Alu::Add, R3, R2);
    f.mov(R4, 1);
    f.alu(Alu::And, R1, 63);
    f.alu(Alu::Lsh, R4, R1);
    f.load(Double, R5, R3, SET);
    f.alu(Alu::Or, R5, R4);
    f.store(Double, R3, SET, R5);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Le, R7, strsize, again);
    f.bind(end);
    // The string.
    forget(&mut f);
    f.load(Double, R2, R10, address);
    let size = strsize + 1;
    m.call(&mut f, Routine::ReadString, &[R2.into(), value_at(m).into(), size.into()])?;
    check(&mut f);
    f.store(Double, R9, len, R0);
    // R6: where the token begins; R7: where it ends.
    let (skip, token, scan, ended) = (f.label(), f.label(), f.label(), f.label());
    f.mov(R7, 0);
    f.bind(skip);
    f.load(Double, R3, R9, len);
    f.branch(If::Ge, R7, R3, gone);
    byte_at(&mut f, m);
    in_set(&mut f);
    f.branch(If::Eq, R0, 0, token);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Le, R7, strsize, skip);
    f.bind(gone);
    f.store(Double, R9, field::STRTOK, 0);
    f.bind(none);
    f.answer(0);
    f.bind(token);
    forget(&mut f);
    f.mov(R6, R7);
    f.mov(R4, 0);
    f.bind(scan);
    f.load(Double, R3, R9, len);
    f.branch(If::Ge, R7, R3, ended);
    f.branch(If::Gt, R7, strsize, ended);
    byte_at(&mut f, m);
    in_set(&mut f);
    f.branch(If::Ne, R0, 0, ended);
    f.alu(Alu::Add, R7, 1);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Le, R4, strsize, scan);
    f.bind(ended);
    // What follows the separator is next; at the string's end nothing is.
    let (more, last) = (f.label(), f.label());
    f.mov(R1, 0);
    f.load(Double, R3, R9, len);
    f.branch(If::Lt, R7, R3, more);
    f.jump(last);
    f.bind(more);
    f.load(Double, R1, R10, address);
    f.alu(Alu::Add, R1, R7);
    f.alu(Alu::Add, R1, 1);
    f.bind(last);
    f.store(Double, R9, field::STRTOK, R1);
    f.mov(R3, R7);
    f.alu(Alu::Sub, R3, R6);
    f.alu(Alu::Add, R6, value_at(m));
    m.call(&mut f, Routine::Text(Text::New), &[R6.into(), R3.into()])?;
    f.exit();
    Ok(f)
}
