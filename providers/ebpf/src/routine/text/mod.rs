//! Subroutines on strings, as `dif::subr` has them.
//!
//! A string is first read into private memory, which bounds it by `strsize`; the loops then go
//! over bytes there, at most `strsize` of them. What looks at a byte is a routine of its own
//! ([`Text::Forward`], [`Text::Backward`], [`Text::Match`]), so that the verifier never meets a
//! loop in a loop.

mod cut;
mod number;
mod search;

use self::{
    cut::{basename, case, dirname, memstr, strjoin, substr},
    number::{lltostr, strtoll},
    search::{character, find, rindex, strlen, strtok},
};
use crate::{
    asm::{Alu, Byte, Double, Function, If, Label, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, Reg},
    error::Refused,
    module::{Module, private},
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
    Memstr,
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
            Self::Memstr => memstr(m),
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
