//! Numbers to strings and back.

use dif::env::FaultKind;

use super::{Text, argument, read_argument, value_at};
use crate::{
    asm::{Alu, Byte, Double, Function, If, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10},
    error::Refused,
    module::{Module, fail, private},
    routine::Routine,
    world::field,
};

/// Digits are written from the end of this many bytes.
const DIGITS: i64 = 72;

/// R8 becomes the base: the second argument, 2 to 36, or 10; else a fault.
pub(super) fn base(f: &mut Function) {
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

/// `lltostr(n[, base])`.
pub(super) fn lltostr(m: &mut Module) -> Result<Function, Refused> {
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
pub(super) fn put_before(f: &mut Function, m: &Module, byte: impl Into<crate::asm::Src>) {
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
pub(super) fn forget(f: &mut Function) {
    f.store(Double, R9, field::SPARE[3], R7);
    f.load(Double, R7, R9, field::SPARE[3]);
}

/// R1 becomes the byte of the value buffer at R7, 0 beyond `strsize`.
pub(super) fn byte_at(f: &mut Function, m: &Module) {
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
pub(super) fn digit(f: &mut Function) {
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
pub(super) fn strtoll(m: &mut Module) -> Result<Function, Refused> {
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
