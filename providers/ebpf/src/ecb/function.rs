//! Aggregating functions, a value at a time.

use dif::number::agg;

use crate::asm::{Alu, Double, Function, If, Label, R0, R1, R2, R3, R7, R10};

/// Adds to the value's word at `at`. Spoils R1.
pub(super) fn add(f: &mut Function, at: i16, what: impl Into<crate::asm::Src>) {
    f.load(Double, R1, R7, at);
    f.alu(Alu::Add, R1, what);
    f.store(Double, R7, at, R1);
}

/// Adds the weight to the bucket in R0, of `count` buckets that begin at `at`.
pub(super) fn bump(f: &mut Function, weight: i16, count: i64, at: i16) {
    let inside = f.label();
    f.branch(If::Lt, R0, count, inside);
    f.mov(R0, count - 1);
    f.bind(inside);
    f.alu(Alu::Lsh, R0, 3);
    f.alu(Alu::Add, R7, R0);
    f.load(Double, R2, R10, weight);
    add(f, at, R2);
}

/// Adds the square of R2 (signed) to the 128 bits at the value's third word. Spoils R0 to R6.
pub(super) fn add_square(f: &mut Function) {
    use crate::asm::{R4, R5};
    let positive = f.label();
    f.branch(If::Sge, R2, 0, positive);
    f.neg(R2);
    f.bind(positive);
    // (h·2^32 + l)² = h²·2^64 + 2·h·l·2^32 + l²
    f.mov(R3, R2);
    f.alu(Alu::Rsh, R3, 32);
    f.alu(Alu::Lsh, R2, 32);
    f.alu(Alu::Rsh, R2, 32);
    f.mov(R4, R3);
    f.alu(Alu::Mul, R4, R2);
    f.alu(Alu::Mul, R2, R2);
    f.alu(Alu::Mul, R3, R3);
    // 2·h·l reaches 2^65: its upper part counts 2^64 a unit of 2^32.
    f.mov(R5, R4);
    f.alu(Alu::Rsh, R5, 31);
    f.alu(Alu::Add, R3, R5);
    f.alu(Alu::Lsh, R4, 33);
    f.alu(Alu::Add, R2, R4);
    let no_carry = f.label();
    f.branch(If::Ge, R2, R4, no_carry);
    f.alu(Alu::Add, R3, 1);
    f.bind(no_carry);
    f.load(Double, R1, R7, 16);
    f.alu(Alu::Add, R1, R2);
    f.store(Double, R7, 16, R1);
    let no_carry = f.label();
    f.branch(If::Ge, R1, R2, no_carry);
    f.alu(Alu::Add, R3, 1);
    f.bind(no_carry);
    add(f, 24, R3);
}

/// R0 becomes the bucket of `quantize()` of R2. Spoils R1 to R3.
pub(super) fn quantize_bucket(f: &mut Function) {
    let zero = i64::try_from(agg::QUANTIZE_ZERO_BUCKET).unwrap_or(63);
    let (positive, done, small, out) = (f.label(), f.label(), f.label(), f.label());
    f.mov(R0, zero);
    f.branch(If::Eq, R2, 0, out);
    f.mov(R3, R2);
    f.branch(If::Sge, R2, 0, small);
    f.neg(R2);
    f.bind(small);
    // R0: the logarithm of R2, by halves.
    f.mov(R0, 0);
    for bits in [32, 16, 8, 4, 2, 1] {
        let low = f.label();
        f.mov(R1, R2);
        f.alu(Alu::Rsh, R1, bits);
        f.branch(If::Eq, R1, 0, low);
        f.alu(Alu::Add, R0, bits);
        f.mov(R2, R1);
        f.bind(low);
    }
    f.branch(If::Sge, R3, 0, positive);
    // max(0, zero - 1 - log)
    f.mov(R1, zero - 1);
    f.branch(If::Le, R0, zero - 1, done);
    f.mov(R0, zero - 1);
    f.bind(done);
    f.alu(Alu::Sub, R1, R0);
    f.mov(R0, R1);
    f.jump(out);
    f.bind(positive);
    f.alu(Alu::Add, R0, zero + 1);
    f.bind(out);
}

/// R0 becomes the bucket of `lquantize()` of R2: a comparison of 32-bit numbers. Spoils R2.
pub(super) fn lquantize_bucket(f: &mut Function, bounds: agg::Lquantize) {
    let done = f.label();
    let base = i64::from(bounds.base);
    f.alu(Alu::Lsh, R2, 32);
    f.alu(Alu::Arsh, R2, 32);
    f.mov(R0, 0);
    f.branch(If::Slt, R2, base, done);
    f.mov(R0, R2);
    f.alu(Alu::Sub, R0, base);
    f.alu(Alu::Div, R0, i64::from(bounds.step));
    let inside = f.label();
    f.branch(If::Le, R0, i64::from(bounds.levels), inside);
    f.mov(R0, i64::from(bounds.levels));
    f.bind(inside);
    f.alu(Alu::Add, R0, 1);
    f.bind(done);
}

/// R0 becomes the bucket of `llquantize()` of R2: the loop over the orders of magnitude of
/// `host::arena::aggfunc::llquantize_bucket` laid out, its numbers being constants. Spoils R1 to
/// R3.
pub(super) fn llquantize_bucket(f: &mut Function, bounds: agg::Llquantize) {
    let (factor, steps) = (i64::from(bounds.factor), i64::from(bounds.steps));
    let done = f.label();
    let mut below = (0..bounds.low).fold(1_i64, |power, _| power.saturating_mul(factor));
    let mut bucket = 1_i64;
    let mut power = below.saturating_mul(factor);
    f.mov(R3, R2);
    f.mov(R2, 0);
    compare(f, If::Slt, below, done);
    for _ in bounds.low..=bounds.high {
        let buckets = power.min(steps);
        let next = power.checked_mul(factor);
        let above = f.label();
        if next.is_some() {
            compare(f, If::Sge, power, above);
        } else {
            let inside = f.label();
            compare(f, If::Slt, power, inside);
            f.mov(R3, power - 1);
            f.bind(inside);
        }
        f.mov(R2, R3);
        f.mov(R1, below);
        f.alu(Alu::Sub, R2, R1);
        f.mov(R1, (power / buckets).max(1));
        f.alu(Alu::Div, R2, R1);
        f.alu(Alu::Add, R2, bucket);
        f.jump(done);
        f.bind(above);
        bucket += buckets - buckets / factor;
        below = power;
        power = next.unwrap_or(i64::MAX);
    }
    f.mov(R2, bucket);
    f.bind(done);
    f.mov(R0, R2);
}

/// Jumps if R3 compares with a constant. Spoils R1.
pub(super) fn compare(f: &mut Function, cond: If, with: i64, to: Label) {
    f.mov(R1, with);
    f.branch(cond, R3, R1, to);
}
