//! Aggregating functions: how a value is kept, fed and merged.
//!
//! A value is a run of 64-bit words; everything wraps at 64 bits, as in classic DTrace.
//!
//! | function | words |
//! | --- | --- |
//! | count, sum, min, max | the number |
//! | avg | count, total |
//! | stddev | count, total, sum of squares (low, high) |
//! | quantize | 127 buckets |
//! | lquantize | the argument, underflow, levels, overflow |
//! | llquantize | the argument, buckets from underflow to overflow |
//!
//! `lquantize()` compares as 32-bit signed numbers, as classic DTrace does; `min`, `max`, `avg`,
//! `quantize` and `llquantize` as 64-bit signed ones.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dif::number::agg::{
    AVG, COUNT, LLQUANTIZE, LQUANTIZE, Llquantize, Lquantize, MAX, MIN, QUANTIZE, QUANTIZE_BUCKETS,
    QUANTIZE_ZERO_BUCKET, STDDEV, SUM,
};

use crate::num::{low32, u32_of, us, us64};

/// An aggregating function with its argument unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggFunc {
    /// `count()`.
    Count,
    /// `sum()`.
    Sum,
    /// `min()`.
    Min,
    /// `max()`.
    Max,
    /// `avg()`.
    Avg,
    /// `stddev()`.
    Stddev,
    /// `quantize()`.
    Quantize,
    /// `lquantize()`.
    Lquantize(Lquantize),
    /// `llquantize()`.
    Llquantize(Llquantize),
}

/// Words that a value of an action's kind and argument takes; `None` if they are senseless.
#[must_use]
pub fn value_words(kind: u16, arg: u64) -> Option<u32> {
    AggFunc::new(kind, arg).map(AggFunc::words)
}

impl AggFunc {
    /// The function of an action; `None` if there is none of that kind or its argument makes no
    /// buckets (a step or level of 0, powers that do not divide, …).
    #[must_use]
    pub fn new(kind: u16, arg: u64) -> Option<Self> {
        Some(match kind {
            COUNT => Self::Count,
            SUM => Self::Sum,
            MIN => Self::Min,
            MAX => Self::Max,
            AVG => Self::Avg,
            STDDEV => Self::Stddev,
            QUANTIZE => Self::Quantize,
            LQUANTIZE => {
                let bounds = Lquantize::from_arg(arg);
                (bounds.step != 0 && bounds.levels != 0).then_some(Self::Lquantize(bounds))?
            }
            LLQUANTIZE => {
                let bounds = Llquantize::from_arg(arg);
                is_sane(bounds).then_some(Self::Llquantize(bounds))?
            }
            _ => return None,
        })
    }

    /// Its `DTRACEAGG_*` number.
    #[must_use]
    pub const fn kind(self) -> u16 {
        match self {
            Self::Count => COUNT,
            Self::Sum => SUM,
            Self::Min => MIN,
            Self::Max => MAX,
            Self::Avg => AVG,
            Self::Stddev => STDDEV,
            Self::Quantize => QUANTIZE,
            Self::Lquantize(_) => LQUANTIZE,
            Self::Llquantize(_) => LLQUANTIZE,
        }
    }

    /// Words of a value.
    #[must_use]
    pub fn words(self) -> u32 {
        match self {
            Self::Count | Self::Sum | Self::Min | Self::Max => 1,
            Self::Avg => 2,
            Self::Stddev => 4,
            Self::Quantize => u32_of(QUANTIZE_BUCKETS),
            Self::Lquantize(bounds) => 3 + u32::from(bounds.levels),
            Self::Llquantize(bounds) => u32_of(llquantize_bucket(bounds, i64::MAX)) + 2,
        }
    }

    /// What the first word of a fresh value is; the others are 0.
    #[must_use]
    pub const fn initial(self) -> u64 {
        match self {
            Self::Min => i64::MAX.cast_unsigned(),
            Self::Max => i64::MIN.cast_unsigned(),
            Self::Lquantize(bounds) => bounds.to_arg(),
            Self::Llquantize(bounds) => bounds.to_arg(),
            _ => 0,
        }
    }

    /// Feeds one value; `weight` is 1 but for the quantizing functions' second argument.
    ///
    /// # Context
    /// The firing path. The words have one writer, so a load and a store make an update.
    #[inline(always)]
    pub fn feed(&self, words: &[AtomicU64], value: u64, weight: u64) {
        // Before the others: most are this.
        if matches!(self, Self::Count) {
            return add(words, 0, 1);
        }
        match self {
            Self::Count => {}
            Self::Sum => add(words, 0, value),
            Self::Quantize => add(words, quantize_bucket(value.cast_signed()), weight),
            Self::Min | Self::Max => self.feed_extreme(words, value),
            Self::Avg => feed_avg(words, value),
            Self::Stddev => feed_stddev(words, value),
            Self::Lquantize(bounds) => feed_lquantize(words, *bounds, value, weight),
            Self::Llquantize(bounds) => feed_llquantize(words, *bounds, value, weight),
        }
    }

    #[inline(never)]
    fn feed_extreme(&self, words: &[AtomicU64], value: u64) {
        let Some(word) = words.first() else { return };
        let (old, new) = (word.load(Relaxed).cast_signed(), value.cast_signed());
        if if *self == Self::Min { new < old } else { new > old } {
            word.store(value, Relaxed);
        }
    }

    /// Merges another slot's value into one.
    pub fn merge(self, into: &mut [u64], from: &[u64]) {
        match (self, into) {
            (Self::Min, [a, ..]) => {
                let b = from.first().map_or(i64::MAX, |b| b.cast_signed());
                *a = a.cast_signed().min(b).cast_unsigned();
            }
            (Self::Max, [a, ..]) => {
                let b = from.first().map_or(i64::MIN, |b| b.cast_signed());
                *a = a.cast_signed().max(b).cast_unsigned();
            }
            (Self::Stddev, [count, total, low, high]) => {
                if let [c, t, l, h] = from {
                    *count = count.wrapping_add(*c);
                    *total = total.wrapping_add(*t);
                    (*low, *high) = add_wide((*low, *high), (*l, *h));
                }
            }
            (Self::Lquantize(_) | Self::Llquantize(_), into) => {
                for (a, b) in into.iter_mut().zip(from).skip(1) {
                    *a = a.wrapping_add(*b);
                }
            }
            (_, into) => {
                for (a, b) in into.iter_mut().zip(from) {
                    *a = a.wrapping_add(*b);
                }
            }
        }
    }
}

#[inline]
fn add(words: &[AtomicU64], at: usize, value: u64) {
    if let Some(word) = words.get(at) {
        word.store(word.load(Relaxed).wrapping_add(value), Relaxed);
    }
}

#[inline(never)]
fn feed_avg(words: &[AtomicU64], value: u64) {
    add(words, 0, 1);
    add(words, 1, value);
}

#[inline(never)]
fn feed_lquantize(words: &[AtomicU64], bounds: Lquantize, value: u64, weight: u64) {
    add(words, 1 + lquantize_bucket(bounds, value), weight);
}

#[inline(never)]
fn feed_llquantize(words: &[AtomicU64], bounds: Llquantize, value: u64, weight: u64) {
    add(words, 1 + llquantize_bucket(bounds, value.cast_signed()), weight);
}

#[inline(never)]
fn feed_stddev(words: &[AtomicU64], value: u64) {
    add(words, 0, 1);
    add(words, 1, value);
    let magnitude = u128::from(value.cast_signed().unsigned_abs());
    let square = magnitude * magnitude;
    if let [_, _, low, high, ..] = words {
        let sum = add_wide((low.load(Relaxed), high.load(Relaxed)), split(square));
        low.store(sum.0, Relaxed);
        high.store(sum.1, Relaxed);
    }
}

fn add_wide(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    let wide = |(low, high): (u64, u64)| (u128::from(high) << 64) | u128::from(low);
    split(wide(a).wrapping_add(wide(b)))
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
const fn split(wide: u128) -> (u64, u64) {
    (wide as u64, (wide >> 64) as u64)
}

/// The bucket of `quantize()`: powers of two to both sides of zero.
#[inline]
#[must_use]
pub fn quantize_bucket(value: i64) -> usize {
    match value.unsigned_abs().checked_ilog2() {
        None => QUANTIZE_ZERO_BUCKET,
        Some(log) if value < 0 => (QUANTIZE_ZERO_BUCKET - 1).saturating_sub(us(log)),
        Some(log) => QUANTIZE_ZERO_BUCKET + 1 + us(log),
    }
}

/// The least value (by magnitude) of a bucket of `quantize()`, `DTRACE_QUANTIZE_BUCKETVAL`.
#[must_use]
pub fn quantize_bound(bucket: usize) -> i64 {
    let zero = QUANTIZE_ZERO_BUCKET;
    if bucket < zero {
        -(1_i64 << (zero - 1 - bucket).min(62))
    } else if bucket == zero {
        0
    } else {
        1_i64 << (bucket - zero - 1).min(62)
    }
}

/// The bucket of `lquantize()`, 0 the underflow.
#[inline]
#[must_use]
pub fn lquantize_bucket(bounds: Lquantize, value: u64) -> usize {
    let value = i64::from(low32(value).cast_signed());
    let base = i64::from(bounds.base);
    if value < base || bounds.step == 0 {
        return 0;
    }
    let level = ((value - base) / i64::from(bounds.step)).cast_unsigned();
    us64(level.min(u64::from(bounds.levels))) + 1
}

/// Whether the steps of an `llquantize()` divide its powers evenly, as the kernel demands.
fn is_sane(bounds: Llquantize) -> bool {
    let Llquantize { factor, low, high, steps } = bounds;
    if factor < 2 || low >= high || high > 63 || steps < factor {
        return false;
    }
    let (factor, steps) = (u64::from(factor), u64::from(steps));
    let mut power = factor;
    while power < steps {
        power *= factor;
    }
    power.is_multiple_of(steps) && steps.is_multiple_of(factor)
}

/// The bucket of `llquantize()`, 0 the underflow: orders of magnitude from `low` to `high`, each
/// cut into `steps` (or fewer, where an order has not so many numbers).
#[must_use]
pub fn llquantize_bucket(bounds: Llquantize, value: i64) -> usize {
    let factor = i64::from(bounds.factor);
    let steps = i64::from(bounds.steps);
    let mut below = (0..bounds.low).fold(1_i64, |power, _| power.saturating_mul(factor));
    if value < below {
        return 0;
    }
    let mut bucket = 1_i64;
    let mut power = below.saturating_mul(factor);
    for _ in bounds.low..=bounds.high {
        let buckets = power.min(steps);
        let next = power.checked_mul(factor);
        // Where the next order does not fit 64 bits, this one takes all that is above it.
        let value = if next.is_none() { power - 1 } else { value };
        if value < power {
            let offset = (value - below).max(0) / (power / buckets).max(1);
            return us64((bucket + offset).cast_unsigned());
        }
        bucket += buckets - buckets / factor;
        below = power;
        power = next.unwrap_or(i64::MAX);
    }
    us64(bucket.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `dtrace_aggregate_quantize`, in the words of its documentation: the last bucket whose bound
    /// a value reaches, going away from zero.
    fn naive_quantize(value: i64) -> usize {
        if value < 0 {
            (0..QUANTIZE_ZERO_BUCKET).find(|b| value <= quantize_bound(*b)).unwrap()
        } else {
            (QUANTIZE_ZERO_BUCKET..QUANTIZE_BUCKETS)
                .rev()
                .find(|b| value >= quantize_bound(*b))
                .unwrap()
        }
    }

    fn edge() -> impl Strategy<Value = i64> {
        let near = (0_u32..64, -1_i64..=1)
            .prop_map(|(bit, off)| (1_u64 << bit).cast_signed().wrapping_add(off));
        prop_oneof![any::<i64>(), near.clone(), near.prop_map(i64::wrapping_neg)]
    }

    proptest! {
        /// The bucket from the logarithm is the bucket a search finds.
        #[test]
        fn quantize_agrees_with_search(value in edge()) {
            prop_assert_eq!(quantize_bucket(value), naive_quantize(value));
        }

        /// Bounds of `lquantize()`: underflow, levels of `step`, overflow; 32-bit comparison.
        #[test]
        fn lquantize_agrees_with_search(
            value in any::<i32>(), base in any::<i32>(), step in 1_u16.., levels in 1_u16..,
        ) {
            let bounds = Lquantize { base, levels, step };
            let reached = (0..=i64::from(levels))
                .take_while(|l| i64::from(value) >= i64::from(base) + l * i64::from(step))
                .count();
            let value = i64::from(value).cast_unsigned();
            prop_assert_eq!(lquantize_bucket(bounds, value), reached);
            prop_assert_eq!(lquantize_bucket(bounds, value ^ (7 << 40)), reached);
        }

        /// Feeding in two places and merging gives what feeding in one place gives.
        #[test]
        fn merging_is_feeding(
            left in proptest::collection::vec(edge(), 0..20),
            right in proptest::collection::vec(edge(), 0..20),
            kind in 0_usize..9,
        ) {
            let func = all()[kind];
            let feed = |values: &[i64]| {
                let words: Vec<AtomicU64> =
                    (0..func.words()).map(|_| AtomicU64::new(0)).collect();
                words[0].store(func.initial(), Relaxed);
                for value in values {
                    func.feed(&words, value.cast_unsigned(), 3);
                }
                words.iter().map(|w| w.load(Relaxed)).collect::<Vec<_>>()
            };
            let mut merged = feed(&left);
            func.merge(&mut merged, &feed(&right));
            let together: Vec<i64> = left.iter().chain(&right).copied().collect();
            prop_assert_eq!(merged, feed(&together));
        }
    }

    fn all() -> [AggFunc; 9] {
        let ll = Llquantize { factor: 10, low: 0, high: 6, steps: 20 };
        let l = Lquantize { base: -5, levels: 10, step: 3 };
        [
            AggFunc::Count,
            AggFunc::Sum,
            AggFunc::Min,
            AggFunc::Max,
            AggFunc::Avg,
            AggFunc::Stddev,
            AggFunc::Quantize,
            AggFunc::Lquantize(l),
            AggFunc::Llquantize(ll),
        ]
    }

    /// Factor 10, orders 0 to 2, 10 steps: ones in steps of 1, tens in steps of 10, hundreds in
    /// steps of 100, then overflow.
    #[test]
    fn llquantize_orders() {
        let bounds = Llquantize { factor: 10, low: 0, high: 2, steps: 10 };
        let bucket = |value| llquantize_bucket(bounds, value);
        assert_eq!(bucket(0), 0);
        assert_eq!([1, 2, 9].map(bucket), [1, 2, 9]);
        assert_eq!([10, 19, 20, 99].map(bucket), [10, 10, 11, 18]);
        assert_eq!([100, 199, 999].map(bucket), [19, 19, 27]);
        assert_eq!([1000, i64::MAX].map(bucket), [28, 28]);
        assert_eq!(AggFunc::Llquantize(bounds).words(), 30);
    }

    /// Arguments that make no buckets are refused before they divide by zero.
    #[test]
    fn senseless_arguments_are_refused() {
        let l = |levels, step| Lquantize { base: 0, levels, step }.to_arg();
        assert!(AggFunc::new(LQUANTIZE, l(0, 1)).is_none());
        assert!(AggFunc::new(LQUANTIZE, l(1, 0)).is_none());
        let ll = |factor, low, high, steps| Llquantize { factor, low, high, steps }.to_arg();
        assert!(AggFunc::new(LLQUANTIZE, ll(1, 0, 1, 1)).is_none());
        assert!(AggFunc::new(LLQUANTIZE, ll(10, 3, 3, 10)).is_none());
        assert!(AggFunc::new(LLQUANTIZE, ll(10, 0, 3, 15)).is_none());
        assert!(AggFunc::new(LLQUANTIZE, ll(2, 0, 63, 65535)).is_none());
        assert!(AggFunc::new(LLQUANTIZE, ll(10, 0, 6, 20)).is_some());
        assert!(AggFunc::new(0x70a, 0).is_none());
    }

    proptest! {
        /// No argument the check lets through makes a bucket outside its value.
        #[test]
        fn buckets_fit(arg in any::<u64>(), small in any::<[u8; 4]>(), value in edge()) {
            let [f, low, high, s] = small.map(u16::from);
            let near = Llquantize { factor: f % 20, low: low % 8, high: high % 66, steps: s }.to_arg();
            for func in [AggFunc::new(LQUANTIZE, arg), AggFunc::new(LLQUANTIZE, arg), AggFunc::new(LLQUANTIZE, near)] {
                let Some(func) = func else { continue };
                let bucket = match func {
                    AggFunc::Lquantize(b) => lquantize_bucket(b, value.cast_unsigned()),
                    AggFunc::Llquantize(b) => llquantize_bucket(b, value),
                    _ => 0,
                };
                prop_assert!(bucket + 1 < us(func.words()), "{:?} {}", func, bucket);
            }
        }
    }
}
