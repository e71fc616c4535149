//! Options as `OPTDESC` has them: numbers for names, 64 bits for values.
//!
//! The names and texts of a script's options stand in the added section, whole. Those that
//! FreeBSD's kernel knows are written a second time in its own form.

use alloc::{format, string::String};

use crate::program::OptionSetting;

/// Names at their `DTRACEOPT_*` numbers.
const NAMES: [&str; 32] = [
    "bufsize",
    "bufpolicy",
    "dynvarsize",
    "aggsize",
    "specsize",
    "nspec",
    "strsize",
    "cleanrate",
    "cpu",
    "bufresize",
    "grabanon",
    "flowindent",
    "quiet",
    "stackframes",
    "ustackframes",
    "aggrate",
    "switchrate",
    "statusrate",
    "destructive",
    "stackindent",
    "rawbytes",
    "jstackframes",
    "jstackstrsize",
    "aggsortkey",
    "aggsortrev",
    "aggsortpos",
    "aggsortkeypos",
    "temporal",
    "agghist",
    "aggpack",
    "aggzoom",
    "zone",
];

/// Options whose values are words, at their numbers.
fn word(name: &str, value: &str) -> Option<u64> {
    let words: &[&str] = match name {
        "bufpolicy" => &["ring", "fill", "switch"],
        "bufresize" => &["auto", "manual"],
        _ => return None,
    };
    words.iter().position(|known| *known == value).and_then(|at| u64::try_from(at).ok())
}

/// `4m` and its like.
fn size(value: &str) -> Option<u64> {
    let (digits, shift) = match value.as_bytes().last()? {
        b'k' | b'K' => (value.get(..value.len() - 1)?, 10),
        b'm' | b'M' => (value.get(..value.len() - 1)?, 20),
        b'g' | b'G' => (value.get(..value.len() - 1)?, 30),
        b't' | b'T' => (value.get(..value.len() - 1)?, 40),
        _ => (value, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `DTRACEOPT_*` and value, where the kernel knows the option and the value is a plain one.
pub(super) fn number(option: &OptionSetting) -> Option<(u32, u64)> {
    let at = NAMES.iter().position(|name| *name == option.name)?;
    let value = match &option.value {
        None => 1,
        Some(text) => word(&option.name, text).or_else(|| size(text))?,
    };
    Some((u32::try_from(at).ok()?, value))
}

/// The option of a number, for files that have nothing else.
pub(super) fn setting(number: u32, value: u64) -> Option<OptionSetting> {
    let name = NAMES.get(usize::try_from(number).ok()?)?;
    Some(OptionSetting { name: String::from(*name), value: Some(format!("{value}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: Option<&str>) -> Option<(u32, u64)> {
        number(&OptionSetting { name: name.into(), value: value.map(String::from) })
    }

    /// Sizes, words and bare names get the kernel's numbers; rates and unknown names do not.
    #[test]
    fn options_get_the_kernels_numbers() {
        assert_eq!(of("bufsize", Some("4m")), Some((0, 4 << 20)));
        assert_eq!(of("bufpolicy", Some("fill")), Some((1, 1)));
        assert_eq!(of("quiet", None), Some((12, 1)));
        assert_eq!(of("zone", Some("7")), Some((31, 7)));
        assert_eq!(of("switchrate", Some("10hz")), None);
        assert_eq!(of("bufsize", Some("99999999999t")), None);
        assert_eq!(of("resolvers", Some("vmname")), None);
        assert_eq!(setting(6, 512).map(|option| option.name), Some("strsize".into()));
        assert_eq!(setting(32, 0), None);
    }
}
