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
//!
//! `aggpack` and `agghist` draw all keys of an aggregation below one heading, see [`Packing`].

use dif::number::agg::{QUANTIZE_BUCKETS, QUANTIZE_ZERO_BUCKET};
use dlang::compiled::AggFunction;

use super::{Drawing, Field, aggregate::Value};

/// Columns of the longest bar.
const BAR: usize = 40;

/// One line of a picture.
struct Row {
    label: String,
    count: i64,
}

/// Draws the picture of a distribution: a newline, the header, a line a bucket. Buckets outside
/// those that hold something are left out, but for one on either side. `false` if the value's
/// words are not as many as its function needs, or the function has no buckets.
#[must_use]
pub fn print(out: &mut Vec<u8>, value: &Value<'_>, drawing: Drawing) -> bool {
    let Some(rows) = rows(value.function, value.words) else { return false };
    heading(out, 16, "value");
    let scale = Scale::new(rows.iter().map(|row| row.count), drawing);
    for row in &rows {
        Field::right(16).text(out, row.label.as_bytes());
        out.push(b' ');
        scale.bar(out, row.count, value.normal);
    }
    true
}

/// The buckets that a picture would show: what begins each line, and its count after
/// `normalize()`. `None` as with [`print`].
#[must_use]
pub fn buckets(value: &Value<'_>) -> Option<Vec<(String, i64)>> {
    let rows = rows(value.function, value.words)?.into_iter();
    Some(rows.map(|row| (row.label, super::normalized(row.count, value.normal))).collect())
}

/// The line above a picture, on a line of its own.
fn heading(out: &mut Vec<u8>, width: usize, what: &str) {
    let distribution = "------------- Distribution -------------";
    out.extend_from_slice(format!("\n{what:>width$}  {distribution} {:<9}\n", "count").as_bytes());
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    total: u128,
    unit: u128,
    positive: bool,
    negative: bool,
    utf8: bool,
}

impl Scale {
    fn new(counts: impl Iterator<Item = i64> + Clone, drawing: Drawing) -> Self {
        let sizes = counts.clone().map(|count| u128::from(count.unsigned_abs()));
        // The fullest bucket is to take 95 % of the bar: total = max / 0.95.
        let (total, unit) =
            if drawing.zoom { (sizes.max().unwrap_or(0) * 100, 95) } else { (sizes.sum(), 1) };
        Self {
            total,
            unit,
            positive: counts.clone().any(|count| count > 0),
            negative: counts.clone().any(|count| count < 0),
            utf8: drawing.utf8 == Some(true),
        }
    }

    /// For `agghist`, where dtrace(1) keeps the zoomed total as an integer: cut off after it was
    /// multiplied with the `double` 1 / 0.95, which is a little less than that.
    fn of_whole(counts: impl Iterator<Item = i64> + Clone, drawing: Drawing) -> Self {
        const FACTOR: u128 = 4_740_631_186_705_785;
        let scale = Self::new(counts, drawing);
        if !drawing.zoom {
            return scale;
        }
        let largest = scale.total / 100;
        Self { total: (largest * FACTOR) >> 52, unit: 1, ..scale }
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

    pub(super) fn bar(&self, out: &mut Vec<u8>, count: i64, normal: u64) {
        let repeat =
            |out: &mut Vec<u8>, byte: u8, times: usize| out.resize(out.len() + times, byte);
        let half = BAR / 2;
        match (self.negative, self.positive) {
            (false, true) if self.utf8 => self.smooth(out, count),
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

    /// A bar of Unicode's block elements, to an eighth of a column.
    fn smooth(&self, out: &mut Vec<u8>, count: i64) {
        let eighths = u128::from(count.unsigned_abs()) * self.unit * (8 * BAR as u128);
        let eighths = usize::try_from(eighths.checked_div(self.total).unwrap_or(0));
        let eighths = eighths.unwrap_or(8 * BAR).min(8 * BAR);
        let (whole, part) = (eighths / 8, eighths % 8);
        let mut bar = String::from("|");
        bar.extend(std::iter::repeat_n('\u{2588}', whole));
        let partial = ['\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}'];
        if let Some(part) = part.checked_sub(1) {
            bar.push(partial.get(part).copied().unwrap_or('\u{2589}'));
        }
        bar.extend(std::iter::repeat_n(' ', BAR - whole - usize::from(part > 0)));
        out.extend_from_slice(bar.as_bytes());
    }

    /// One bucket of a packed distribution.
    fn cell(&self, out: &mut Vec<u8>, count: i64, utf8: bool) {
        const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let pick = |from: &[char]| from.get(self.depth(count, from.len() - 1)).copied();
        let cell = match count {
            0 => Some(' '),
            ..0 => pick(&['v', 'v', 'v', 'v', 'V', 'V']),
            _ if utf8 => pick(&LEVELS),
            _ => pick(&['_', '_', 'x', 'x', 'x', 'x', 'X', 'X']),
        };
        let mut buffer = [0; 4];
        out.extend_from_slice(cell.unwrap_or(' ').encode_utf8(&mut buffer).as_bytes());
    }
}

/// How all keys of one aggregation are drawn below one heading: `agghist` and `aggpack`.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    kind: PackingKind,
    drawing: Drawing,
}

#[derive(Clone, Copy, Debug)]
enum PackingKind {
    /// A bar a key.
    Bars(Scale),
    /// A distribution a line, from one bucket of `quantize()` to another.
    Powers(usize, usize),
    /// The same of `lquantize()`, always all buckets.
    Linear,
}

impl Packing {
    /// How to draw an aggregation with these values; `None` if every key is drawn for itself.
    #[must_use]
    pub fn of(values: &[Value<'_>], drawing: Drawing) -> Option<Self> {
        let function = values.first()?.function;
        let numbers = values.iter().map(|value| Value { normal: 1, ..*value }.number());
        let kind = match function {
            AggFunction::Count | AggFunction::Sum | AggFunction::Avg | AggFunction::Stddev
                if drawing.hist =>
            {
                let numbers = numbers.map(|number| number.unwrap_or(0));
                PackingKind::Bars(Scale::of_whole(numbers, drawing))
            }
            AggFunction::Quantize if drawing.pack => {
                let filled = |value: &Value<'_>| {
                    let filled = |count: &i64| *count != 0;
                    let first = value.words.iter().position(filled);
                    let last = value.words.iter().rposition(filled);
                    (first.unwrap_or(QUANTIZE_ZERO_BUCKET), last.unwrap_or(QUANTIZE_ZERO_BUCKET))
                };
                let (first, last) = values
                    .iter()
                    .map(filled)
                    .reduce(|(a, b), (first, last)| (a.min(first), b.max(last)))?;
                let first = match first {
                    0 | QUANTIZE_ZERO_BUCKET => first,
                    _ => first - 1,
                };
                PackingKind::Powers(first, (last + 1).min(QUANTIZE_BUCKETS - 1))
            }
            AggFunction::Lquantize { .. } if drawing.pack => PackingKind::Linear,
            _ => return None,
        };
        Some(Self { kind, drawing })
    }

    /// The heading over keys of a width.
    pub fn heading(&self, out: &mut Vec<u8>, key_width: usize, words: usize) {
        let (least, most, buckets) = match self.kind {
            PackingKind::Bars(_) if key_width == 0 => return heading(out, 16, "value"),
            PackingKind::Bars(_) => return heading(out, key_width, "key"),
            PackingKind::Powers(first, last) => {
                (digits(bucket_value(first)), digits(bucket_value(last)), last + 1 - first)
            }
            PackingKind::Linear => (7, 8, words),
        };
        let key = if key_width > 0 { "key" } else { "" };
        let dashes = "-".repeat(buckets);
        let (min, max) = ("min", "max");
        out.extend_from_slice(
            format!("\n{key:>key_width$} {min:>least$} .{dashes}. {max:<most$} | count\n")
                .as_bytes(),
        );
    }

    /// One key's value, to the end of its line.
    pub fn value(&self, out: &mut Vec<u8>, value: &Value<'_>) {
        match self.kind {
            PackingKind::Bars(scale) => {
                let count = Value { normal: 1, ..*value }.number().unwrap_or(0);
                out.push(b' ');
                scale.bar(out, count, value.normal);
            }
            PackingKind::Powers(first, last) => {
                let (low, high) = (bucket_value(first), bucket_value(last));
                out.extend_from_slice(format!(" {low:>0$} :", digits(low)).as_bytes());
                let sum = self.cells(out, value.words.get(first..=last).unwrap_or_default());
                out.extend_from_slice(format!(": {high:<0$} | {sum}\n", digits(high)).as_bytes());
            }
            PackingKind::Linear => {
                let AggFunction::Lquantize { base, levels, step } = value.function else { return };
                let label = |bucket| linear_label(base, levels, step, bucket);
                out.extend_from_slice(format!("{:>8} :", label(0)).as_bytes());
                let sum = self.cells(out, value.words);
                let end = label(usize::from(levels) + 1);
                out.extend_from_slice(format!(": {end:<8} | {sum}\n").as_bytes());
            }
        }
    }

    /// Draws buckets side by side and returns their sum.
    fn cells(&self, out: &mut Vec<u8>, counts: &[i64]) -> i128 {
        let scale = Scale::new(counts.iter().copied(), self.drawing);
        let utf8 = self.drawing.utf8.unwrap_or(true);
        counts.iter().for_each(|count| scale.cell(out, *count, utf8));
        counts.iter().map(|count| i128::from(*count)).sum()
    }
}

/// The columns that dtrace(1) gives a number of a packed heading: at least four, and one too few
/// for powers of ten.
fn digits(value: i64) -> usize {
    let (size, sign) = (value.unsigned_abs(), usize::from(value < 0));
    let mut digits = 1 + sign;
    let mut bound = 10_u64;
    while size > bound {
        digits += 1;
        match bound.checked_mul(10).filter(|next| i64::try_from(*next).is_ok()) {
            Some(next) => bound = next,
            None => break,
        }
    }
    digits.max(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Drawing = Drawing { zoom: false, hist: false, pack: false, utf8: None };

    fn normalized(function: AggFunction, words: &[i64], normal: u64, drawing: Drawing) -> String {
        let mut out = Vec::new();
        assert!(print(&mut out, &Value { function, words, normal }, drawing));
        String::from_utf8(out).unwrap()
    }

    fn picture(function: AggFunction, buckets: &[i64], drawing: Drawing) -> String {
        normalized(function, buckets, 1, drawing)
    }

    /// What `aggpack` or `agghist` draws for these values, below keys of four bytes.
    fn packed(function: AggFunction, values: &[&[i64]], drawing: Drawing) -> String {
        let values: Vec<Value<'_>> =
            values.iter().map(|words| Value { function, words, normal: 1 }).collect();
        let packing = Packing::of(&values, drawing).unwrap();
        let mut out = Vec::new();
        packing.heading(&mut out, 9, values[0].words.len());
        values.iter().for_each(|value| packing.value(&mut out, value));
        String::from_utf8(out).unwrap()
    }

    /// `agghist` shares a bar's full length among all keys.
    #[test]
    fn counts_are_drawn_as_bars() {
        let hist = Drawing { hist: true, ..PLAIN };
        let bar = |at: usize, count: i64| format!(" |{:<40} {count:<9}\n", "@".repeat(at));
        let heading = "\n      key  ------------- Distribution ------------- count    \n";
        let expected = format!("{heading}{}{}", bar(10, 1), bar(30, 3));
        assert_eq!(packed(AggFunction::Count, &[&[1], &[3]], hist), expected);
        // Zoomed, the largest takes 38 of 40 columns, if its total is no small integer.
        let zoomed = packed(AggFunction::Sum, &[&[95], &[19]], Drawing { zoom: true, ..hist });
        assert_eq!(zoomed, format!("{heading}{}{}", bar(38, 95), bar(8, 19)));
    }

    /// `aggpack` draws a distribution a line, all over the same buckets.
    #[test]
    fn distributions_are_packed() {
        let ascii = Drawing { pack: true, utf8: Some(false), ..PLAIN };
        let (a, b) = (quantized(&[(64, 1), (66, 3)]), quantized(&[(65, 1)]));
        let expected =
            concat!("\n      key  min .-----. max  | count\n", "    0 :_x  X : 8    | 4\n",);
        let drawn = packed(AggFunction::Quantize, &[&a, &b], ascii);
        let rows: Vec<&str> = drawn.lines().collect();
        assert_eq!(rows[1], expected.lines().nth(1).unwrap());
        assert_eq!(rows[2], "    0 : x x :    8 | 4".replace(":    8", ": 8   "));
        assert_eq!(rows[3], "    0 :  X  : 8    | 1");
        let function = AggFunction::Lquantize { base: 0, levels: 2, step: 10 };
        let linear = packed(function, &[&[0, 1, 0, 0]], Drawing { utf8: None, ..ascii });
        assert_eq!(
            linear,
            "\n      key     min .----. max      | count\n     < 0 : █  : >= 20    | 1\n"
        );
    }

    /// With `encoding=utf8` bars are drawn to an eighth of a column.
    #[test]
    fn bars_can_be_smooth() {
        let utf8 = Drawing { utf8: Some(true), ..PLAIN };
        let drawn = picture(AggFunction::Quantize, &quantized(&[(64, 1), (65, 2)]), utf8);
        let bar = format!("|{}▎{} 1  ", "█".repeat(13), " ".repeat(26));
        assert!(drawn.contains(&bar), "{drawn}");
    }

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
        let drawn = normalized(function, &[2, 0, 0, 4, 2], 2, PLAIN);
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
        let drawn = picture(AggFunction::Quantize, &many, Drawing { zoom: true, ..PLAIN });
        assert!(drawn.contains(&format!("|{}   1", "@".repeat(38))));
    }

    /// Buckets of a wrong number are refused, not guessed at.
    #[test]
    fn a_wrong_number_of_buckets_is_refused() {
        let mut out = Vec::new();
        let value = |function, words| Value { function, words, normal: 1 };
        assert!(!print(&mut out, &value(AggFunction::Quantize, &[1, 2, 3]), PLAIN));
        assert!(!print(&mut out, &value(AggFunction::Count, &[1]), PLAIN));
        assert!(out.is_empty());
    }
}
