//! Strings, character constants and numbers.

use crate::{
    ast::{IntForm, IntLit},
    error::{Error, ErrorTag},
    source::Span,
};

/// The length of a quoted text that `text` starts with, both quotes included; `None` if it is not
/// closed on its line.
pub(crate) fn quoted_length(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'\n' => return None,
            b'\\' if text.get(at + 1).is_some_and(|&next| next != b'\n') => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Reads C's escapes. The backslash of any other escape stays, `\\'` with it, as in dtrace(1).
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match escape(rest) {
            Some((value, used)) => {
                out.push(value);
                rest = &rest[used..];
            }
            None => out.push(b'\\'),
        }
    }
    out
}

/// One escape, without its backslash: the byte it stands for and how many bytes it takes. The low
/// byte is what counts of a number that is too large.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let simple = match *text.first()? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        quoted @ (b'"' | b'\\') => quoted,
        b'0'..=b'7' => return Some(number(text, 8, 3)),
        // Any number of digits, none of them is a zero.
        b'x' => {
            let (value, count) = number(&text[1..], 16, usize::MAX);
            return Some((value, count + 1));
        }
        _ => return None,
    };
    Some((simple, 1))
}

/// The low byte of the number that the first digits make, and how many digits they are.
fn number(text: &[u8], base: u8, most: usize) -> (u8, usize) {
    let digit = |&byte: &u8| char::from(byte).to_digit(u32::from(base))?.try_into().ok();
    let digits = text.iter().take(most).map_while(digit);
    digits.fold((0, 0), |(value, count), digit: u8| {
        (value.wrapping_mul(base).wrapping_add(digit), count + 1)
    })
}

/// A character constant's value: its bytes in order, the last in the lowest place. `inner` is what
/// stands between the quotes.
pub(crate) fn char_constant(inner: &[u8], span: Span) -> Result<IntLit, Error> {
    let bytes = unescape(inner);
    if bytes.is_empty() {
        return Err(Error::new(ErrorTag::ChrNull, span, "empty character constant"));
    }
    if bytes.len() > size_of::<u64>() {
        return Err(Error::new(ErrorTag::ChrOflow, span, "character constant is too long"));
    }
    let value = bytes.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte));
    Ok(IntLit { value, negative: false, form: IntForm::Char, unsigned: false, longs: 0 })
}

/// How much of `text` a number takes, and whether it is an integer or a floating-point constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberShape {
    /// So many bytes of digits with their prefix, then so many of suffix.
    Int(usize, usize),
    /// So many bytes of what D refuses.
    Float(usize),
}

/// Finds the extent of a number. `text` starts with a digit, or with a dot and a digit. What takes
/// more of the text wins, as a tie goes to the integer.
pub(crate) fn number_shape(text: &[u8]) -> NumberShape {
    let run = |from: usize, accept: fn(&u8) -> bool| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| accept(byte)).count()
    };
    let one = |at: usize, of: &[u8]| usize::from(text.get(at).is_some_and(|b| of.contains(b)));
    let hex = text.starts_with(b"0x") || text.starts_with(b"0X");
    let hex_digits = if hex { run(2, u8::is_ascii_hexdigit) } else { 0 };
    let whole = run(0, u8::is_ascii_digit);
    let digits = if hex_digits > 0 { 2 + hex_digits } else { whole };
    let mut suffix = one(digits, b"uU");
    suffix += one(digits + suffix, b"lL");
    suffix += one(digits + suffix, b"lL");
    let mut float = whole;
    float += one(float, b".");
    float += run(float, u8::is_ascii_digit);
    let signed = float + 1 + one(float + 1, b"+-");
    if one(float, b"eE") == 1 && run(signed, u8::is_ascii_digit) > 0 {
        float = signed + run(signed, u8::is_ascii_digit);
    }
    float += one(float, b"fFlL");
    if float > digits + suffix {
        NumberShape::Float(float)
    } else {
        NumberShape::Int(digits, suffix)
    }
}

/// What kept digits from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// More than 64 bits.
    Overflow,
    /// A digit that the base has not.
    Digit(char),
}

/// Reads the digits of an integer, with `0x` or `0` before them for base 16 or 8.
pub(crate) fn integer(digits: &str) -> Result<(u64, IntForm), NumberFault> {
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (form, base, digits) = match hex {
        Some(rest) => (IntForm::Hex, 16, rest),
        None if digits.starts_with('0') => (IntForm::Octal, 8, digits),
        None => (IntForm::Decimal, 10, digits),
    };
    let mut value = 0u64;
    for c in digits.chars() {
        let digit = c.to_digit(base).ok_or(NumberFault::Digit(c))?;
        let shifted = value.checked_mul(u64::from(base));
        let next = shifted.and_then(|value| value.checked_add(u64::from(digit)));
        value = next.ok_or(NumberFault::Overflow)?;
    }
    Ok((value, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_c() {
        assert_eq!(unescape(br#"a\n\t\\\"\x41\101\0z"#), b"a\n\t\\\"AA\0z");
        assert_eq!(unescape(b"\\"), b"\\");
        assert_eq!(unescape(b"\\xZ"), b"\0Z");
        assert_eq!(unescape(b"\\x4142!"), b"B!");
        assert_eq!(unescape(b"\\777"), [0xff]);
    }

    #[test]
    fn any_other_escape_keeps_its_backslash() {
        assert_eq!(unescape(br"\q\'"), br"\q\'");
    }

    #[test]
    fn character_constants_pack_up_to_eight_bytes() {
        let value = |text: &str| {
            char_constant(text.as_bytes(), Span::default()).map(|lit| lit.value).map_err(|e| e.tag)
        };
        assert_eq!(value("a"), Ok(0x61));
        assert_eq!(value("ab"), Ok(0x6162));
        assert_eq!(value("abcdefgh"), Ok(0x6162_6364_6566_6768));
        assert_eq!(value("abcdefghi"), Err(ErrorTag::ChrOflow));
        assert_eq!(value(""), Err(ErrorTag::ChrNull));
    }

    #[test]
    fn numbers_end_where_the_longer_reading_ends() {
        use NumberShape::{Float, Int};
        for (text, shape) in [
            ("12;", Int(2, 0)),
            ("0x1fULL ", Int(4, 3)),
            ("10l", Int(2, 1)),
            ("0x", Int(1, 0)),
            ("1.5", Float(3)),
            ("1e9", Float(3)),
            ("1e", Int(1, 0)),
            ("1f", Float(2)),
            (".5", Float(2)),
        ] {
            assert_eq!(number_shape(text.as_bytes()), shape, "{text}");
        }
    }

    #[test]
    fn integers_are_read_in_their_base() {
        assert_eq!(integer("18446744073709551615"), Ok((u64::MAX, IntForm::Decimal)));
        assert_eq!(integer("18446744073709551616"), Err(NumberFault::Overflow));
        assert_eq!(integer("0xff"), Ok((255, IntForm::Hex)));
        assert_eq!(integer("017"), Ok((15, IntForm::Octal)));
        assert_eq!(integer("08"), Err(NumberFault::Digit('8')));
    }

    #[test]
    fn a_quoted_text_ends_at_its_quote_or_not_at_all() {
        assert_eq!(quoted_length(b"\"a\\\"b\" c", b'"'), Some(6));
        assert_eq!(quoted_length(b"\"a\nb\"", b'"'), None);
        assert_eq!(quoted_length(b"\"a", b'"'), None);
    }
}
