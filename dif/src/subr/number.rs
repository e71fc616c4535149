//! Numbers to text and back.

use super::{arg, int, new_string, scratch_back};
use crate::{
    env::{Env, Fault, FaultKind, TupleElement},
    string::Text,
};

type Args<'a> = &'a [TupleElement];

/// An optional base: 2 to 36, or 10.
fn base(args: Args) -> Result<u64, Fault> {
    let Some(given) = args.get(1) else {
        return Ok(10);
    };
    let refused = Fault::at(FaultKind::IllOp, given.value);
    u64::try_from(int(given.value)).ok().filter(|base| (2..=36).contains(base)).ok_or(refused)
}

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Room for 64 binary digits, and `0x` before 16 hexadecimal ones.
const ROOM: usize = 65;

/// Writes text from its end.
struct Backwards {
    bytes: [u8; ROOM],
    start: usize,
}

impl Backwards {
    fn put(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.start) {
            *place = byte;
        }
    }
}

/// `lltostr(n[, base])`: signed in base 10; with `0x` in base 16 and `0` in base 8.
pub(super) fn lltostr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (value, base) = (arg(args, 0)?, base(args)?);
    let signed = base == 10 && value.cast_signed() < 0;
    let mut rest = if signed { value.wrapping_neg() } else { value };
    let mut text = Backwards { bytes: [0; ROOM], start: ROOM };
    while rest != 0 {
        let digit = usize::try_from(rest % base).unwrap_or(0);
        text.put(DIGITS.get(digit).copied().unwrap_or(b'0'));
        rest /= base;
    }
    if value == 0 && base == 16 {
        text.put(b'0');
    }
    if base == 16 {
        text.put(b'x');
    }
    if value == 0 || base == 8 || base == 16 {
        text.put(b'0');
    }
    if signed {
        text.put(b'-');
    }
    new_string(env, text.bytes.get(text.start..).unwrap_or_default())
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(36).map(u64::from)
}

/// Reads a number: blanks, a sign, `0x` in base 16, then digits up to the first byte that is
/// none. Wraps on overflow.
fn parse(text: &[u8], base: u64) -> u64 {
    let text = text.trim_ascii_start_blank();
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = match text {
        [b'0', b'x' | b'X', rest @ ..]
            if base == 16 && rest.first().is_some_and(u8::is_ascii_hexdigit) =>
        {
            rest
        }
        _ => text,
    };
    let value = digits
        .iter()
        .map_while(|byte| digit(*byte).filter(|digit| *digit < base))
        .fold(0_u64, |value, digit| value.wrapping_mul(base).wrapping_add(digit));
    if negative { value.wrapping_neg() } else { value }
}

trait Blanks {
    fn trim_ascii_start_blank(&self) -> &Self;
}

impl Blanks for [u8] {
    /// Without leading blanks and tabs (but with line ends, which are not blanks to DTrace).
    fn trim_ascii_start_blank(&self) -> &Self {
        let start = self.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
        self.get(start.unwrap_or(self.len())..).unwrap_or_default()
    }
}

/// `strtoll(s[, base])`.
pub(super) fn strtoll<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (addr, base) = (arg(args, 0)?, base(args)?);
    scratch_back(env, |env| {
        let text = Text::fetch(env, addr)?;
        Ok(parse(text.bytes(env)?, base))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `strtoll` stops at a bad digit and wraps, and takes `0x` only where it is a prefix.
    #[test]
    fn numbers_are_read_as_dtrace_reads_them() {
        assert_eq!(parse(b"  \t42abc", 10), 42);
        assert_eq!(parse(b"-7", 10), (-7_i64).cast_unsigned());
        assert_eq!(parse(b"0x1F", 16), 31);
        assert_eq!(parse(b"0x", 16), 0);
        assert_eq!(parse(b"0x10", 10), 0);
        assert_eq!(parse(b"zz", 36), 35 * 36 + 35);
        assert_eq!(parse(b"18446744073709551617", 10), 1);
        assert_eq!(parse(b"", 10), 0);
        assert_eq!(parse(b"- 1", 10), 0);
    }
}
