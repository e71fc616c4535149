//! The values of options: sizes, rates, switches, as libdtrace reads them.

use std::time::Duration;

use super::OptionError;

/// A number as strtoull(3) reads it with base 0, and what follows it.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let unsigned = text.trim_start();
    let (negative, rest) = match unsigned.as_bytes().first() {
        Some(b'-') => (true, unsigned.get(1..)?),
        Some(b'+') => (false, unsigned.get(1..)?),
        _ => (false, unsigned),
    };
    let (radix, digits) = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(|c: char| c.is_ascii_hexdigit()) => (16, hex),
        _ if rest.starts_with('0') => (8, rest),
        _ => (10, rest),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, after) = digits.split_at_checked(end)?;
    if digits.is_empty() {
        // Nothing to read: zero, and the whole text is left.
        return Some((0, text));
    }
    let number = u64::from_str_radix(digits, radix).ok()?;
    Some((if negative { number.wrapping_neg() } else { number }, after))
}

/// Option values are signed 64-bit integers and never negative.
fn fits(number: u64) -> Result<u64, OptionError> {
    i64::try_from(number).map(|_| number).map_err(|_| OptionError::Value)
}

/// A number that is all of the value.
fn whole(text: &str) -> Result<u64, OptionError> {
    match leading_number(text) {
        Some((number, "")) => fits(number),
        _ => Err(OptionError::Value),
    }
}

/// What atoi(3) makes of a value.
pub(super) fn atoi(text: &str) -> i32 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || at == 0 && matches!(c, '+' | '-')))
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A switch or a number: `None` is unset. A bare option is 0, which counts as set; an empty value
/// unsets; words do what they say.
///
/// # Errors
/// [`OptionError::Value`].
pub fn run_time(value: Option<&str>) -> Result<Option<u64>, OptionError> {
    const PAIRS: [(&str, &str); 6] = [
        ("yes", "no"),
        ("enable", "disable"),
        ("enabled", "disabled"),
        ("true", "false"),
        ("on", "off"),
        ("set", "unset"),
    ];
    let Some(value) = value else { return Ok(Some(0)) };
    if value.is_empty() {
        return Ok(None);
    }
    for (yes, no) in PAIRS {
        if value.eq_ignore_ascii_case(yes) {
            return Ok(Some(1));
        }
        if value.eq_ignore_ascii_case(no) {
            return Ok(None);
        }
    }
    whole(value).map(Some)
}

/// A size: a number and `k`, `m`, `g` or `t`; 0 if there is no value.
///
/// # Errors
/// [`OptionError::Value`].
pub fn size(value: Option<&str>) -> Result<u64, OptionError> {
    let value = value.unwrap_or("");
    let scales = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
    let last = value.chars().last().map(|c| c.to_ascii_lowercase());
    let shift = scales.iter().find(|(letter, _)| Some(*letter) == last).map_or(0, |(_, n)| *n);
    if shift == 0 {
        return whole(value);
    }
    let digits = value.get(..value.len() - 1).filter(|digits| !digits.is_empty());
    let number = whole(digits.ok_or(OptionError::Value)?)?;
    number.checked_mul(1 << shift).ok_or(OptionError::Value).and_then(fits)
}

/// A rate: a number and a unit of time, or `hz`; a bare number is nanoseconds. Zero stands for
/// as fast as can be.
///
/// # Errors
/// [`OptionError::Value`].
pub fn rate(value: Option<&str>) -> Result<Duration, OptionError> {
    let (count, unit) = leading_number(value.unwrap_or("")).ok_or(OptionError::Value)?;
    let count = fits(count)?;
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "ns" | "nsec" => 1,
        "us" | "usec" => 1_000,
        "ms" | "msec" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" | "hour" => 3_600_000_000_000,
        "d" | "day" => 86_400_000_000_000,
        "hz" => return Ok(Duration::from_nanos(1_000_000_000_u64.checked_div(count).unwrap_or(0))),
        _ => return Err(OptionError::Value),
    };
    let nanoseconds = count.checked_mul(scale).ok_or(OptionError::Value)?;
    fits(nanoseconds).map(Duration::from_nanos)
}

/// The versions of D that a script may ask for.
const VERSIONS: [(u32, u32, u32); 20] = [
    (1, 0, 0),
    (1, 1, 0),
    (1, 2, 0),
    (1, 2, 1),
    (1, 2, 2),
    (1, 3, 0),
    (1, 4, 0),
    (1, 4, 1),
    (1, 5, 0),
    (1, 6, 0),
    (1, 6, 1),
    (1, 6, 2),
    (1, 6, 3),
    (1, 7, 0),
    (1, 7, 1),
    (1, 8, 0),
    (1, 8, 1),
    (1, 9, 0),
    (1, 9, 1),
    (1, 13, 0),
];

/// A version as `major.minor` or `major.minor.micro`, and whether D knows it. From 1.9 on every
/// minor version is known up to ours.
///
/// # Errors
/// [`OptionError::VersionInvalid`], [`OptionError::VersionUndefined`].
pub(super) fn version(text: &str) -> Result<(u32, u32, u32), OptionError> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |at: usize, most: u32| match parts.get(at) {
        None if at == 2 => Ok(0),
        Some(part) if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse().ok().filter(|n| *n <= most).ok_or(OptionError::VersionInvalid)
        }
        _ => Err(OptionError::VersionInvalid),
    };
    if parts.len() > 3 {
        return Err(OptionError::VersionInvalid);
    }
    let version = (number(0, 0xff)?, number(1, 0xfff)?, number(2, 0xfff)?);
    let known = VERSIONS.contains(&version) || matches!(version, (1, 9..=13, 0) | (1, 12, 1));
    known.then_some(version).ok_or(OptionError::VersionUndefined)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes take dtrace(1)'s suffixes, in either case, and nothing else.
    #[test]
    fn sizes_take_suffixes() {
        for (text, expected) in [
            ("512", 512),
            ("4k", 4096),
            ("16M", 16 << 20),
            ("1g", 1 << 30),
            ("1t", 1 << 40),
            ("0x10k", 16 << 10),
            ("010", 8),
            (" +7", 7),
            ("", 0),
        ] {
            assert_eq!(size(Some(text)), Ok(expected), "{text}");
        }
        assert_eq!(size(None), Ok(0));
        for bad in ["k", "4kb", "-1", "4x", "99999999t", "18446744073709551616"] {
            assert_eq!(size(Some(bad)), Err(OptionError::Value), "{bad}");
        }
    }

    /// Rates take units of time and frequencies.
    #[test]
    fn rates_take_units() {
        for (text, nanoseconds) in [
            ("5", 5),
            ("10ms", 10_000_000),
            ("2SEC", 2_000_000_000),
            ("1hz", 1_000_000_000),
            ("100Hz", 10_000_000),
            ("0hz", 0),
            ("1m", 60_000_000_000),
            ("1d", 86_400_000_000_000),
        ] {
            assert_eq!(rate(Some(text)), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for bad in ["ns x", "5parsec", "5 s", "-1ns", "999999999d"] {
            assert_eq!(rate(Some(bad)), Err(OptionError::Value), "{bad}");
        }
    }

    /// A bare switch sets, an empty value unsets, words do what they say, numbers count.
    #[test]
    fn switches_take_words() {
        for (value, expected) in [
            (None, Some(0)),
            (Some(""), None),
            (Some("off"), None),
            (Some("YES"), Some(1)),
            (Some("17"), Some(17)),
            (Some("0"), Some(0)),
        ] {
            assert_eq!(run_time(value), Ok(expected), "{value:?}");
        }
        for bad in ["maybe", "3x", "-1"] {
            assert_eq!(run_time(Some(bad)), Err(OptionError::Value), "{bad}");
        }
    }

    /// Versions are known or not, or are none.
    #[test]
    fn versions_are_known_or_not() {
        assert_eq!(version("1.2.2"), Ok((1, 2, 2)));
        assert_eq!(version("1.13"), Ok((1, 13, 0)));
        assert_eq!(version("9.9"), Err(OptionError::VersionUndefined));
        for bad in ["1", "1.x", "1.2.3.4", "1.", "256.0"] {
            assert_eq!(version(bad), Err(OptionError::VersionInvalid), "{bad}");
        }
    }
}
