//! The pictures of `quantize()`, `lquantize()` and `llquantize()`.
//!
//! ```text
//!            value  ------------- Distribution ------------- count
//!                1 |                                         0
//!                2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           3
//!                4 |@@@@@@@@@@                               1
//!                8 |                                         0
//! ```
//! A bar is as long as its bucket's share of the sum of all (absolute) counts, of 40 columns;
//! with `aggzoom` the fullest bucket takes 95 % of them. If all counts are negative, bars grow
//! from the right; if there are both signs, from the middle. All arithmetic is exact.

use dif::number::agg::{QUANTIZE_BUCKETS, QUANTIZE_ZERO_BUCKET};
use dlang::compiled::AggFunction;

use super::Field;

/// Columns of the longest bar.
const BAR: usize = 40;

/// How bars are scaled and counts divided.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// `aggzoom`.
    pub zoom: bool,
    /// `normalize()`'s factor; 1 if none.
    pub normal: u64,
}

/// One line of a picture.
struct Row {
    label: String,
    count: i64,
}

/// Draws the picture of a distribution: a newline, the header, a line a bucket. Buckets outside
/// those that hold something are left out, but for one on either side. `false` if `buckets` is
/// not as long as `function` needs, or `function` has no buckets.
#[must_use]
pub fn print(out: &mut Vec<u8>, function: AggFunction, buckets: &[i64], style: Style) -> bool {
    let Some(rows) = rows(function, buckets) else { return false };
    out.extend_from_slice(
        b"\n           value  ------------- Distribution ------------- count    \n",
    );
    let scale = Scale::new(rows.iter().map(|row| row.count), style.zoom);
    for row in &rows {
        Field::right(16).text(out, row.label.as_bytes());
        out.push(b' ');
        scale.bar(out, row.count, style.normal);
    }
    true
}

fn rows(function: AggFunction, buckets: &[i64]) -> Option<Vec<Row>> {
    let labels: Box<dyn Fn(usize) -> String> = match function {
        AggFunction::Quantize if buckets.len() == QUANTIZE_BUCKETS => {
            Box::new(|bucket| bucket_value(bucket).to_string())
        }
        AggFunction::Lquantize { base, levels, step }
            if buckets.len() == usize::from(levels) + 2 =>
        {
            Box::new(move |bucket| linear_label(base, levels, step, bucket))
        }
        AggFunction::Llquantize { .. } => {
            let labels = log_labels(function, buckets.len())?;
            Box::new(move |bucket| labels.get(bucket).cloned().unwrap_or_default())
        }
        _ => return None,
    };
    let (first, last) = shown(function, buckets);
    let count = |bucket: usize| buckets.get(bucket).copied().unwrap_or(0);
    Some((first..=last).map(|b| Row { label: labels(b), count: count(b) }).collect())
}

/// First and last bucket to show.
fn shown(function: AggFunction, buckets: &[i64]) -> (usize, usize) {
    let top = buckets.len().saturating_sub(1);
    // dtrace(1) does not look into the last bucket of quantize() here.
    let searched = if function == AggFunction::Quantize { top } else { buckets.len() };
    match buckets.iter().take(searched).position(|&count| count != 0) {
        Some(first) => {
            let last = buckets.iter().rposition(|&count| count != 0).unwrap_or(first);
            (first.saturating_sub(1), (last + 1).min(top))
        }
        None => match function {
            AggFunction::Quantize => (QUANTIZE_ZERO_BUCKET - 1, QUANTIZE_ZERO_BUCKET + 1),
            AggFunction::Lquantize { .. } => (0, 2.min(top)),
            _ => (0, 1.min(top)),
        },
    }
}

/// The smallest magnitude that falls into a bucket of `quantize()`, with its sign.
#[must_use]
pub fn bucket_value(bucket: usize) -> i64 {
    let shift = |distance: usize| u32::try_from(distance).ok().and_then(|d| 1_i64.checked_shl(d));
    match bucket.checked_sub(QUANTIZE_ZERO_BUCKET) {
        Some(0) => 0,
        Some(above) => shift(above - 1).unwrap_or(i64::MAX),
        None => -shift(QUANTIZE_ZERO_BUCKET - 1 - bucket).unwrap_or(i64::MAX),
    }
}

fn linear_label(base: i32, levels: u16, step: u16, bucket: usize) -> String {
    let levels = usize::from(levels);
    let value = |steps: usize| {
        i64::from(base) + i64::from(step) * i64::try_from(steps).unwrap_or(i64::MAX >> 17)
    };
    match bucket {
        0 => format!("< {base}"),
        _ if bucket == levels + 1 => format!(">= {}", value(levels)),
        _ => value(bucket - 1).to_string(),
    }
}

/// The lower bounds of `llquantize()`'s buckets between the first ("less than the first bound")
/// and the last ("from this bound on"); one value more than there are buckets between them.
/// `None` if the parameters make no sense or do not make `wanted` buckets.
#[must_use]
pub fn log_bounds(function: AggFunction, wanted: usize) -> Option<Vec<i64>> {
    let AggFunction::Llquantize { factor, low, high, steps } = function else { return None };
    if factor < 2 || low >= high || steps == 0 || factor > steps {
        return None;
    }
    let (factor, steps) = (i128::from(factor), i128::from(steps));
    let fits = |value: i128| i64::try_from(value).ok();
    let mut value = factor.checked_pow(u32::from(low))?;
    let mut bounds = Vec::new();
    for _ in low..=high {
        let next = value.checked_mul(factor)?;
        let step = if next > steps { next / steps } else { 1 };
        while value < next {
            bounds.push(fits(value)?);
            if bounds.len() > wanted {
                return None;
            }
            value += step;
        }
        value = next;
    }
    bounds.push(fits(value)?);
    (bounds.len() + 1 == wanted).then_some(bounds)
}

fn log_labels(function: AggFunction, wanted: usize) -> Option<Vec<String>> {
    let bounds = log_bounds(function, wanted)?;
    let mut labels = vec![format!("< {}", bounds.first()?)];
    labels.extend(bounds.iter().map(i64::to_string));
    let last = labels.last_mut()?;
    *last = format!(">= {last}");
    Some(labels)
}

/// What a full bar stands for: `total / unit`, as a fraction, so that zooming stays exact.
struct Scale {
    total: u128,
    unit: u128,
    positive: bool,
    negative: bool,
}

impl Scale {
    fn new(counts: impl Iterator<Item = i64> + Clone, zoom: bool) -> Self {
        let sizes = counts.clone().map(|count| u128::from(count.unsigned_abs()));
        // The fullest bucket is to take 95 % of the bar: total = max / 0.95.
        let (total, unit) =
            if zoom { (sizes.max().unwrap_or(0) * 100, 95) } else { (sizes.sum(), 1) };
        Self {
            total,
            unit,
            positive: counts.clone().any(|count| count > 0),
            negative: counts.clone().any(|count| count < 0),
        }
    }

    /// Columns of a bar, rounded, of `full`.
    fn depth(&self, count: i64, full: usize) -> usize {
        if self.total == 0 {
            return 0;
        }
        let twice = 2 * u128::from(count.unsigned_abs()) * self.unit * (full as u128);
        let depth = (twice + self.total) / (2 * self.total);
        usize::try_from(depth).unwrap_or(full).min(full)
    }

    fn bar(&self, out: &mut Vec<u8>, count: i64, normal: u64) {
        let repeat =
            |out: &mut Vec<u8>, byte: u8, times: usize| out.resize(out.len() + times, byte);
        let half = BAR / 2;
        match (self.negative, self.positive) {
            (false, _) => {
                let depth = self.depth(count, BAR);
                out.push(b'|');
                repeat(out, b'@', depth);
                repeat(out, b' ', BAR - depth);
            }
            (true, false) => {
                let depth = self.depth(count, BAR);
                repeat(out, b' ', BAR - depth);
                repeat(out, b'@', depth);
                out.push(b'|');
            }
            (true, true) => {
                let depth = self.depth(count, half);
                let (left, right) = if count > 0 { (0, depth) } else { (depth, 0) };
                repeat(out, b' ', half - left);
                repeat(out, b'@', left);
                out.push(b'|');
                repeat(out, b'@', right);
                repeat(out, b' ', half - right);
            }
        }
        out.push(b' ');
        Field::left(9).signed(out, super::normalized(count, normal));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(function: AggFunction, buckets: &[i64], style: Style) -> String {
        let mut out = Vec::new();
        assert!(print(&mut out, function, buckets, style));
        String::from_utf8(out).unwrap()
    }

    const PLAIN: Style = Style { zoom: false, normal: 1 };

    fn quantized(counts: &[(usize, i64)]) -> Vec<i64> {
        let mut buckets = vec![0; QUANTIZE_BUCKETS];
        for &(bucket, count) in counts {
            buckets[bucket] = count;
        }
        buckets
    }

    /// Columns, bar lengths and the empty buckets on either side are dtrace(1)'s.
    #[test]
    fn quantize_is_drawn_to_the_column() {
        let expected = concat!(
            "\n",
            "           value  ------------- Distribution ------------- count    \n",
            "               1 |                                         0        \n",
            "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           3        \n",
            "               4 |@@@@@@@@@@                               1        \n",
            "               8 |                                         0        \n",
        );
        assert_eq!(
            picture(AggFunction::Quantize, &quantized(&[(65, 3), (66, 1)]), PLAIN),
            expected
        );
    }

    /// Negative weights draw bars to the left; both signs move the axis to the middle.
    #[test]
    fn negative_weights_turn_the_bars() {
        let negative = picture(AggFunction::Quantize, &quantized(&[(64, -1)]), PLAIN);
        let rows: Vec<&str> = negative.lines().skip(2).collect();
        assert_eq!(rows[1], format!("               1 {}| -1       ", "@".repeat(40)));
        assert_eq!(rows[0], format!("               0 {}| 0        ", " ".repeat(40)));
        let both = picture(AggFunction::Quantize, &quantized(&[(64, -1), (65, 1)]), PLAIN);
        let rows: Vec<&str> = both.lines().skip(2).collect();
        let (ten, twenty) = ("@".repeat(10), " ".repeat(20));
        assert_eq!(rows[1], format!("               1 {}{ten}|{twenty} -1       ", " ".repeat(10)));
        assert_eq!(rows[2], format!("               2 {twenty}|{ten}{} 1        ", " ".repeat(10)));
    }

    /// A cleared distribution shows the buckets around zero.
    #[test]
    fn an_empty_distribution_shows_zero() {
        let empty = picture(AggFunction::Quantize, &quantized(&[]), PLAIN);
        let labels: Vec<&str> = empty.lines().skip(2).map(|l| l[..16].trim()).collect();
        assert_eq!(labels, ["-1", "0", "1"]);
    }

    /// The outer buckets of `lquantize()` say what lies beyond them; counts are normalised.
    #[test]
    fn lquantize_names_its_ends() {
        let function = AggFunction::Lquantize { base: -10, levels: 3, step: 10 };
        let drawn = picture(function, &[2, 0, 0, 4, 2], Style { zoom: false, normal: 2 });
        let rows: Vec<(&str, &str)> =
            drawn.lines().skip(2).map(|l| (l[..16].trim(), l[58..].trim())).collect();
        let expected = [("< -10", "1"), ("-10", "0"), ("0", "0"), ("10", "2"), (">= 20", "1")];
        assert_eq!(rows, expected);
    }

    /// `llquantize(x, 10, 0, 1, 10)`: steps of one below ten, of ten below a hundred.
    #[test]
    fn llquantize_has_steps_in_each_order() {
        let function = AggFunction::Llquantize { factor: 10, low: 0, high: 1, steps: 10 };
        let bounds = log_bounds(function, 20).unwrap();
        assert_eq!(bounds, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        let mut buckets = vec![0; 20];
        buckets[19] = 5;
        let drawn = picture(function, &buckets, PLAIN);
        assert!(drawn.ends_with(&format!("          >= 100 |{} 5        \n", "@".repeat(40))));
        assert!(log_bounds(function, 19).is_none());
        let huge = AggFunction::Llquantize { factor: 10, low: 0, high: 60, steps: 10 };
        assert!(log_bounds(huge, 1000).is_none());
    }

    /// With `aggzoom` the fullest bucket takes 95 % of the bar.
    #[test]
    fn zoom_fills_the_bar() {
        let many = quantized(&[(64, 1), (65, 1), (66, 1), (67, 1)]);
        let drawn = picture(AggFunction::Quantize, &many, Style { zoom: true, normal: 1 });
        assert!(drawn.contains(&format!("|{}   1", "@".repeat(38))));
    }

    /// Buckets of a wrong number are refused, not guessed at.
    #[test]
    fn a_wrong_number_of_buckets_is_refused() {
        let mut out = Vec::new();
        assert!(!print(&mut out, AggFunction::Quantize, &[1, 2, 3], PLAIN));
        assert!(!print(&mut out, AggFunction::Count, &[1], PLAIN));
        assert!(out.is_empty());
    }
}
