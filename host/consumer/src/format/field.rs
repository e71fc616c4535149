//! What stands between `%` and the conversion letter, and C's rules for laying a value out by it.

use dlang::format::{Conversion, Count};

/// Widest field and longest precision that are honoured: a width may come from traced data
/// (`%*d`), and a guest shall not make us print a gigabyte of blanks.
pub const MAX_WIDTH: usize = 64 << 10;

/// Flags, width and precision of one conversion, with `*` resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// `-`: left-justified.
    pub left: bool,
    /// `+`: sign always.
    pub plus: bool,
    /// A space where a plus sign would be.
    pub space: bool,
    /// `#`: alternate form.
    pub alternate: bool,
    /// `0`: padded with zeroes.
    pub zero: bool,
    /// `'`: thousands are grouped as the locale says; dtrace(1) runs in C's, which groups nothing.
    pub group: bool,
    /// At least so many columns.
    pub width: usize,
    /// Digits, or at most so many bytes of a string. DTrace takes 0 as none.
    pub precision: Option<usize>,
}

impl Field {
    /// The field of a conversion. `star` yields the argument that a `*` stands for.
    #[must_use]
    pub fn new(conversion: &Conversion, mut star: impl FnMut(usize) -> i64) -> Self {
        let mut count = |wanted: Option<Count>| match wanted {
            None => 0,
            Some(Count::Fixed(n)) => i64::from(n),
            Some(Count::Arg(index)) => star(index),
        };
        let (width, precision) = (count(conversion.width), count(conversion.precision));
        Self {
            left: conversion.left || width < 0,
            plus: conversion.plus,
            space: conversion.space,
            alternate: conversion.alternate,
            zero: conversion.zero,
            group: conversion.group,
            width: clamp(width.unsigned_abs()),
            precision: u64::try_from(precision).ok().filter(|&p| p > 0).map(clamp),
        }
    }

    /// A field of a width, right-justified.
    #[must_use]
    pub fn right(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// A field of a width, left-justified.
    #[must_use]
    pub fn left(width: usize) -> Self {
        Self { width, left: true, ..Self::default() }
    }

    /// `%s`: bytes as they are, cut to the precision, padded to the width.
    pub fn text(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        let bytes = self.precision.and_then(|p| bytes.get(..p)).unwrap_or(bytes);
        self.pad(out, b"", bytes, false);
    }

    /// `%d`, `%i` of a signed value.
    pub fn signed(&self, out: &mut Vec<u8>, value: i64) {
        let sign: &[u8] = match value {
            ..0 => b"-",
            _ if self.plus => b"+",
            _ if self.space => b" ",
            _ => b"",
        };
        self.number(out, sign, itoa::Buffer::new().format(value.unsigned_abs()).as_bytes());
    }

    /// `%u`, or `%d` of an unsigned value.
    pub fn unsigned(&self, out: &mut Vec<u8>, value: u64) {
        self.number(out, b"", itoa::Buffer::new().format(value).as_bytes());
    }

    /// `%x`, `%X`.
    pub fn hexadecimal(&self, out: &mut Vec<u8>, value: u64, upper: bool) {
        let digits = if upper { format!("{value:X}") } else { format!("{value:x}") };
        let prefix: &[u8] = match (self.alternate && value != 0, upper) {
            (true, false) => b"0x",
            (true, true) => b"0X",
            (false, _) => b"",
        };
        self.number(out, prefix, digits.as_bytes());
    }

    /// `%o`.
    pub fn octal(&self, out: &mut Vec<u8>, value: u64) {
        let mut digits = format!("{value:o}");
        if self.alternate && value != 0 {
            digits.insert(0, '0');
        }
        self.number(out, b"", digits.as_bytes());
    }

    /// Already formatted text of a number whose sign, if any, comes first.
    pub(crate) fn real(&self, out: &mut Vec<u8>, text: &str) {
        let (sign, digits): (&[u8], &str) = match text.strip_prefix('-') {
            Some(rest) => (b"-", rest),
            None if self.plus => (b"+", text),
            None if self.space => (b" ", text),
            None => (b"", text),
        };
        self.pad(out, sign, digits.as_bytes(), self.zero);
    }

    /// An integer: a precision asks for leading zeroes and switches `0` off.
    fn number(&self, out: &mut Vec<u8>, prefix: &[u8], digits: &[u8]) {
        match self.precision {
            Some(precision) if precision > digits.len() => {
                let mut padded = vec![b'0'; precision - digits.len()];
                padded.extend_from_slice(digits);
                self.pad(out, prefix, &padded, false);
            }
            Some(_) => self.pad(out, prefix, digits, false),
            None => self.pad(out, prefix, digits, self.zero),
        }
    }

    fn pad(&self, out: &mut Vec<u8>, prefix: &[u8], body: &[u8], zero: bool) {
        let missing = self.width.saturating_sub(prefix.len() + body.len());
        if !self.left && !zero {
            out.resize(out.len() + missing, b' ');
        }
        out.extend_from_slice(prefix);
        if !self.left && zero {
            out.resize(out.len() + missing, b'0');
        }
        out.extend_from_slice(body);
        if self.left {
            out.resize(out.len() + missing, b' ');
        }
    }
}

fn clamp(count: u64) -> usize {
    usize::try_from(count).unwrap_or(MAX_WIDTH).min(MAX_WIDTH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(print: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Sign, zero padding, precision and justification follow C's printf.
    #[test]
    fn integers_are_laid_out_as_in_c() {
        let zero5 = Field { zero: true, ..Field::right(5) };
        assert_eq!(with(|o| zero5.signed(o, -42)), "-0042");
        assert_eq!(with(|o| Field::left(5).signed(o, 42)), "42   ");
        let precise = Field { precision: Some(4), zero: true, ..Field::right(7) };
        assert_eq!(with(|o| precise.signed(o, -42)), "  -0042");
        let plus = Field { plus: true, space: true, ..Field::default() };
        assert_eq!(with(|o| plus.signed(o, 0)), "+0");
        assert_eq!(with(|o| Field::default().signed(o, i64::MIN)), "-9223372036854775808");
    }

    /// `#` marks hexadecimal and octal, but never a zero, and goes before the padding zeroes.
    #[test]
    fn alternate_forms_are_marked() {
        let alternate = Field { alternate: true, ..Field::default() };
        assert_eq!(with(|o| alternate.hexadecimal(o, 0xbeef, false)), "0xbeef");
        assert_eq!(with(|o| alternate.hexadecimal(o, 0xbeef, true)), "0XBEEF");
        assert_eq!(with(|o| alternate.hexadecimal(o, 0, false)), "0");
        assert_eq!(with(|o| alternate.octal(o, 8)), "010");
        let padded = Field { alternate: true, zero: true, ..Field::right(8) };
        assert_eq!(with(|o| padded.hexadecimal(o, 0xff, false)), "0x0000ff");
    }

    /// Grouping is asked for in vain: the C locale has none.
    #[test]
    fn thousands_are_not_grouped_in_the_c_locale() {
        let group = Field { group: true, ..Field::default() };
        assert_eq!(with(|o| group.signed(o, -1_234_567)), "-1234567");
    }

    /// A precision cuts a string; a width pads it.
    #[test]
    fn strings_are_cut_and_padded() {
        let field = Field { precision: Some(3), ..Field::right(5) };
        assert_eq!(with(|o| field.text(o, b"abcdef")), "  abc");
        assert_eq!(with(|o| Field::left(4).text(o, b"ab")), "ab  ");
    }

    proptest! {
        /// A field is at least as wide as asked for, and the digits read back as the value.
        #[test]
        fn a_field_holds_its_value(value: i64, width in 0_usize..40, left: bool) {
            let text = with(|o| Field { width, left, ..Field::default() }.signed(o, value));
            prop_assert!(text.len() >= width);
            prop_assert_eq!(text.trim().parse::<i64>().unwrap(), value);
        }
    }
}
