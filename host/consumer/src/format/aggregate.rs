//! Aggregations in their default layout, and the numbers that their raw words stand for.

use dlang::compiled::{AggFunction, ValueKind};

use super::{
    Context, Datum, Field, Place, datum, normalized,
    quantize::{self, Packing},
};

/// The value of one aggregation under one key.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// What it computes.
    pub function: AggFunction,
    /// The engine's words: one for count, sum, min and max; count and sum for avg; count, sum
    /// and the 128-bit sum of squares (low word first) for stddev; the buckets of a distribution.
    pub words: &'a [i64],
    /// `normalize()`'s factor; 1 if none.
    pub normal: u64,
}

impl Value<'_> {
    /// The value as one number; `None` if it is a distribution.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        let word = |index: usize| self.words.get(index).copied().unwrap_or(0);
        match self.function {
            AggFunction::Count | AggFunction::Sum | AggFunction::Min | AggFunction::Max => {
                Some(normalized(word(0), self.normal))
            }
            AggFunction::Avg => {
                Some(normalized(word(1), self.normal).checked_div(word(0)).unwrap_or(0))
            }
            AggFunction::Stddev => Some(stddev([word(0), word(1), word(2), word(3)], self.normal)),
            AggFunction::Quantize
            | AggFunction::Lquantize { .. }
            | AggFunction::Llquantize { .. } => None,
        }
    }

    /// Draws a distribution; nothing if the words are none.
    pub fn draw(&self, out: &mut Vec<u8>, context: &Context<'_>) {
        if !quantize::print(out, self, context.drawing) {
            out.extend_from_slice(b" (unreadable distribution)");
        }
    }

    fn print(&self, out: &mut Vec<u8>, context: &Context<'_>) {
        match self.number() {
            Some(number) => {
                out.push(b' ');
                Field::right(16).signed(out, number);
            }
            None => self.draw(out, context),
        }
    }
}

/// How many words a function's value has.
#[must_use]
pub fn words_of(function: AggFunction) -> usize {
    match function {
        AggFunction::Count | AggFunction::Sum | AggFunction::Min | AggFunction::Max => 1,
        AggFunction::Avg => 2,
        AggFunction::Stddev => 4,
        AggFunction::Quantize => dif::number::agg::QUANTIZE_BUCKETS,
        AggFunction::Lquantize { levels, .. } => usize::from(levels) + 2,
        AggFunction::Llquantize { factor, low, high, steps } => {
            log_buckets(factor, low, high, steps)
        }
    }
}

/// Buckets of `llquantize()`: one below, one above, and `steps` (less what would be steps below
/// one) in each order of magnitude.
fn log_buckets(factor: u16, low: u16, high: u16, steps: u16) -> usize {
    let (factor, steps) = (i128::from(factor), i128::from(steps));
    let Some(mut value) = factor.checked_pow(u32::from(low)) else { return 2 };
    let mut buckets = 2_i128;
    for _ in low..=high {
        let Some(next) = value.checked_mul(factor) else { break };
        let step = if steps > 0 && next > steps { next / steps } else { 1 };
        buckets += (next - value) / step;
        value = next;
    }
    usize::try_from(buckets).unwrap_or(2)
}

/// The standard deviation of what was added, rounded down.
fn stddev([count, sum, low, high]: [i64; 4], normal: u64) -> i64 {
    let (Ok(count), true) = (u128::try_from(count), normal > 0) else { return 0 };
    if count == 0 {
        return 0;
    }
    let squares = (u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned());
    let normal = u128::from(normal);
    let mean = u128::from(sum.unsigned_abs()) / normal / count;
    let mean_of_squares = squares / normal.saturating_mul(normal) / count;
    let variance = mean_of_squares.saturating_sub(mean.saturating_mul(mean));
    i64::try_from(variance.isqrt()).unwrap_or(i64::MAX)
}

/// One line of default output: the key's elements, then the values.
pub fn print<'a>(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    key: impl Iterator<Item = Datum<'a>>,
    values: &[Value<'_>],
) {
    for element in key {
        datum::print(out, context, &element, Place::Key);
    }
    for value in values {
        value.print(out, context);
    }
    out.push(b'\n');
}

/// A line of an aggregation whose keys are drawn below one heading.
pub fn print_packed(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    packing: &Packing,
    key: &[Datum<'_>],
    value: &Value<'_>,
) {
    for element in key {
        datum::print(out, context, element, Place::PackedKey);
    }
    packing.value(out, value);
}

/// The columns that a key takes where keys are drawn below one heading.
#[must_use]
pub fn packed_width(context: &Context<'_>, key: &[Datum<'_>]) -> usize {
    let width = |element: &Datum<'_>| match element.kind {
        ValueKind::String => datum::packed_width(context.strsize),
        _ => datum::packed_width(element.bytes.len()),
    };
    key.iter().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;

    fn value(function: AggFunction, words: &[i64]) -> Value<'_> {
        Value { function, words, normal: 1 }
    }

    /// Keys take their columns, the value sixteen.
    #[test]
    fn keys_and_values_stand_in_columns() {
        let int = ValueKind::Integer { signed: true };
        let pid = 12_u32.to_le_bytes();
        let key = [
            Datum { kind: &ValueKind::String, bytes: b"sh\0\0" },
            Datum { kind: &int, bytes: &pid },
        ];
        let mut out = Vec::new();
        print(&mut out, &context(), key.into_iter(), &[value(AggFunction::Count, &[3])]);
        let expected = format!("  {:<50} {:>8} {:>16}\n", "sh", 12, 3);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    /// An average is of what was added; of nothing it is 0.
    #[test]
    fn averages_divide() {
        assert_eq!(value(AggFunction::Avg, &[4, -10]).number(), Some(-2));
        assert_eq!(value(AggFunction::Avg, &[0, 0]).number(), Some(0));
    }

    /// The deviation of 2, 4, 4, 4, 5, 5, 7, 9 is 2.
    #[test]
    fn deviations_are_of_the_population() {
        assert_eq!(value(AggFunction::Stddev, &[8, 40, 232, 0]).number(), Some(2));
        assert_eq!(value(AggFunction::Stddev, &[0, 0, 0, 0]).number(), Some(0));
    }

    /// The number of words is the one that the picture wants.
    #[test]
    fn words_fit_the_picture() {
        for (factor, low, high, steps) in [(10, 0, 1, 10), (10, 0, 6, 20), (2, 3, 20, 2)] {
            let function = AggFunction::Llquantize { factor, low, high, steps };
            let words = words_of(function);
            assert!(quantize::log_bounds(function, words).is_some(), "{function:?} {words}");
        }
    }
}
