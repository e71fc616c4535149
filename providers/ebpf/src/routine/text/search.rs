//! What looks for something in a string: its end, a character, another string, a separator.

use super::{
    Text, argument, both, check,
    number::{byte_at, forget},
    read_argument, value_at,
};
use crate::{
    asm::{Alu, Double, Function, If, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10},
    error::Refused,
    module::Module,
    routine::Routine,
    world::field,
};

/// The set of separators: 256 bits in private memory behind the tuple stack.
const SET: i16 = field::TUPLE + 8 * 24;

pub(super) fn strlen(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("strlen", 1);
    m.enter(&mut f);
    read_argument(&mut f, m, 0, value_at(m))?;
    f.exit();
    Ok(f)
}

/// `strchr(s, c)`, `strrchr(s, c)`.
pub(super) fn character(m: &mut Module, which: Text) -> Result<Function, Refused> {
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

/// `strstr(s, part)`, `index(s, part[, start])`.
pub(super) fn find(m: &mut Module, which: Text) -> Result<Function, Refused> {
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
pub(super) fn rindex(m: &mut Module) -> Result<Function, Refused> {
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

/// R0 becomes whether the byte in R1 is in the set. Spoils R1 and R2.
pub(super) fn in_set(f: &mut Function) {
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
pub(super) fn strtok(m: &mut Module) -> Result<Function, Refused> {
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
