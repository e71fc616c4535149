//! Session options: `-x name=value`, `#pragma D option`, `setopt()`.
//!
//! Values follow dtrace(1): sizes take `k`, `m`, `g`, `t`; rates take a unit of time or `hz`;
//! switches take nothing, `yes`/`no`, `on`/`off`, `true`/`false` and so on.

use std::time::Duration;

use crate::{aggregation::SortOrder, format::stack};

/// What happens when a principal buffer is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BufPolicy {
    /// New records are dropped until the consumer has read.
    #[default]
    Switch,
    /// The first full buffer ends tracing.
    Fill,
    /// New records replace the oldest; everything is printed at the end.
    Ring,
}

/// A session's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `quiet`: only what is traced is printed.
    pub quiet: bool,
    /// `destructive`: `-w`.
    pub destructive: bool,
    /// `bufsize`: bytes of a principal buffer.
    pub bufsize: u64,
    /// `bufpolicy`.
    pub bufpolicy: BufPolicy,
    /// `aggsize`: bytes of an aggregation buffer.
    pub aggsize: u64,
    /// `dynvarsize`: bytes of dynamic variables.
    pub dynvarsize: u64,
    /// `strsize`: bytes of a string.
    pub strsize: u64,
    /// `stackframes`: frames of `stack()`.
    pub stackframes: u64,
    /// `nspec`: speculations at a time.
    pub nspec: u64,
    /// `specsize`: bytes of a speculation buffer.
    pub specsize: u64,
    /// `switchrate`: how often buffers are read.
    pub switchrate: Duration,
    /// `aggrate`: how often aggregations are read.
    pub aggrate: Duration,
    /// `statusrate`: how often drops are looked for.
    pub statusrate: Duration,
    /// `cleanrate`: how often freed dynamic variables are collected.
    pub cleanrate: Duration,
    /// `aggsortkey`, `aggsortrev`, `aggsortkeypos`, `aggsortpos`.
    pub sort: SortOrder,
    /// `aggzoom`.
    pub zoom: bool,
    /// `rawbytes`: byte arrays are always dumped.
    pub rawbytes: bool,
    /// `stackindent`: columns before a frame.
    pub stack_indent: u64,
    /// `resolvers`: what targets are matched with.
    pub resolvers: Resolvers,
    /// Options that the compiler knows (`defaultargs`, `define`, …), for whoever calls it.
    pub compiler: Vec<(String, Option<String>)>,
}

/// Which names of a machine a target is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolvers {
    /// The name its monitor gave it.
    pub vmname: bool,
    /// The name it calls itself.
    pub hostname: bool,
    /// `FreeBSD-14.1`, `Linux-6.1.0-56-cloud-amd64`.
    pub version: bool,
}

impl Default for Options {
    fn default() -> Self {
        let mebi = 1 << 20;
        Self {
            quiet: false,
            destructive: false,
            bufsize: 4 * mebi,
            bufpolicy: BufPolicy::Switch,
            aggsize: 4 * mebi,
            dynvarsize: mebi,
            strsize: 256,
            stackframes: 20,
            nspec: 1,
            specsize: 32 << 10,
            switchrate: Duration::from_secs(1),
            aggrate: Duration::from_secs(1),
            statusrate: Duration::from_secs(1),
            cleanrate: Duration::from_millis(10),
            sort: SortOrder::default(),
            zoom: false,
            rawbytes: false,
            stack_indent: stack::INDENT as u64,
            resolvers: Resolvers { vmname: true, hostname: true, version: true },
            compiler: Vec::new(),
        }
    }
}

/// Why an option was not taken; the words are libdtrace's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error("Invalid option name")]
    Name,
    /// The option does not take that value.
    #[error("Invalid value for specified option")]
    Value,
    /// The option cannot change while tracing.
    #[error("Operation illegal when tracing is active")]
    Active,
    /// Known to dtrace(1) but not done here yet.
    #[error("option {0} is not supported yet")]
    Unsupported(String),
}

/// Options that only the compiler reads; their values are checked there.
const COMPILER: &[&str] = &[
    "argref",
    "cpp",
    "cpphdrs",
    "cpppath",
    "defaultargs",
    "define",
    "empty",
    "errtags",
    "incdir",
    "knodefs",
    "libdir",
    "nolibs",
    "pspec",
    "stdc",
    "undef",
    "unodefs",
    "version",
    "zdefs",
];

/// Options of dtrace(1) that need work that is not done.
const UNSUPPORTED: &[&str] = &[
    "agghist",
    "aggpack",
    "aggpercpu",
    "amin",
    "core",
    "ctypes",
    "debug",
    "droptags",
    "dtypes",
    "encoding",
    "evaltime",
    "flowindent",
    "grabanon",
    "iregs",
    "jstackframes",
    "jstackstrsize",
    "kdefs",
    "late",
    "lazyload",
    "ldpath",
    "linkmode",
    "linktype",
    "oformat",
    "pgmax",
    "preallocate",
    "setenv",
    "strip",
    "syslibdir",
    "temporal",
    "tree",
    "tregs",
    "udefs",
    "unsetenv",
    "ustackframes",
    "verbose",
];

impl Options {
    /// Sets an option, as `-x name=value` does before tracing.
    ///
    /// # Errors
    /// [`OptionError`].
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), OptionError> {
        if self.set_dynamic(name, value)? || self.set_fixed(name, value)? {
            return Ok(());
        }
        if COMPILER.contains(&name) {
            self.compiler.push((name.to_owned(), value.map(str::to_owned)));
            return Ok(());
        }
        if UNSUPPORTED.contains(&name) {
            return Err(OptionError::Unsupported(name.to_owned()));
        }
        Err(OptionError::Name)
    }

    /// Sets an option while tracing, as `setopt()` does.
    ///
    /// # Errors
    /// [`OptionError`]; [`OptionError::Active`] for options that shape the arena.
    pub fn set_active(&mut self, name: &str, value: Option<&str>) -> Result<(), OptionError> {
        if self.set_dynamic(name, value)? {
            return Ok(());
        }
        let mut scratch = self.clone();
        if scratch.set_fixed(name, value)? {
            Err(OptionError::Active)
        } else {
            Err(OptionError::Name)
        }
    }

    /// Options that may change while tracing; `false` if it is none of them.
    fn set_dynamic(&mut self, name: &str, value: Option<&str>) -> Result<bool, OptionError> {
        match name {
            "quiet" => self.quiet = switch(value)?,
            "switchrate" => self.switchrate = rate(value)?,
            "aggrate" => self.aggrate = rate(value)?,
            "aggsortkey" => self.sort.by_key = switch(value)?,
            "aggsortrev" => self.sort.reverse = switch(value)?,
            "aggsortkeypos" => self.sort.key_position = position(value)?,
            "aggsortpos" => self.sort.position = position(value)?,
            "aggzoom" => self.zoom = switch(value)?,
            "rawbytes" => self.rawbytes = switch(value)?,
            "stackindent" => self.stack_indent = number(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Options that shape the session; `false` if it is none of them.
    fn set_fixed(&mut self, name: &str, value: Option<&str>) -> Result<bool, OptionError> {
        match name {
            "bufsize" => self.bufsize = size(value)?,
            "bufpolicy" => self.bufpolicy = policy(value)?,
            "bufresize" => resize(value)?,
            "aggsize" => self.aggsize = size(value)?,
            "dynvarsize" => self.dynvarsize = size(value)?,
            "strsize" => self.strsize = size(value)?,
            "specsize" => self.specsize = size(value)?,
            "nspec" => self.nspec = number(value)?,
            "stackframes" => self.stackframes = number(value)?,
            "statusrate" => self.statusrate = rate(value)?,
            "cleanrate" => self.cleanrate = rate(value)?,
            "destructive" => self.destructive = switch(value)?,
            "cpu" => return Err(OptionError::Unsupported(name.to_owned())),
            "resolvers" => self.resolvers = resolvers(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A switch: bare or empty is set or unset, words as below, any number but none is set.
fn switch(value: Option<&str>) -> Result<bool, OptionError> {
    const PAIRS: [(&str, &str); 6] = [
        ("yes", "no"),
        ("enable", "disable"),
        ("enabled", "disabled"),
        ("true", "false"),
        ("on", "off"),
        ("set", "unset"),
    ];
    let Some(value) = value else { return Ok(true) };
    if value.is_empty() {
        return Ok(false);
    }
    for (yes, no) in PAIRS {
        if value.eq_ignore_ascii_case(yes) {
            return Ok(true);
        }
        if value.eq_ignore_ascii_case(no) {
            return Ok(false);
        }
    }
    number(Some(value)).map(|_| true)
}

/// A number as C writes it.
fn number(value: Option<&str>) -> Result<u64, OptionError> {
    let value = value.ok_or(OptionError::Value)?;
    let (digits, radix) = match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if value.len() > 1 && value.starts_with('0') => (value, 8),
        None => (value, 10),
    };
    if digits.starts_with('+') {
        return Err(OptionError::Value);
    }
    u64::from_str_radix(digits, radix)
        .ok()
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or(OptionError::Value)
}

fn position(value: Option<&str>) -> Result<usize, OptionError> {
    number(value).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// A size: a number and `k`, `m`, `g` or `t`.
///
/// # Errors
/// [`OptionError::Value`].
pub fn size(value: Option<&str>) -> Result<u64, OptionError> {
    let value = value.ok_or(OptionError::Value)?;
    let scales = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
    let last = value.chars().last().map(|c| c.to_ascii_lowercase());
    let shift = scales.iter().find(|(letter, _)| Some(*letter) == last).map_or(0, |(_, n)| *n);
    let digits = if shift > 0 { value.get(..value.len() - 1).unwrap_or("") } else { value };
    number(Some(digits))?
        .checked_mul(1 << shift)
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or(OptionError::Value)
}

/// A rate: a number and a unit of time, or `hz`; a bare number is nanoseconds. Zero stands for
/// as fast as can be.
///
/// # Errors
/// [`OptionError::Value`].
pub fn rate(value: Option<&str>) -> Result<Duration, OptionError> {
    let value = value.ok_or(OptionError::Value)?;
    let digits = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
    let unit_at = value
        .char_indices()
        .find(|&(at, c)| c.is_ascii_alphabetic() && !(at == 1 && value.starts_with("0x")))
        .map_or(digits, |(at, _)| at);
    let (digits, unit) = value.split_at_checked(unit_at).ok_or(OptionError::Value)?;
    let count = number(Some(digits))?;
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
    count.checked_mul(scale).map(Duration::from_nanos).ok_or(OptionError::Value)
}

fn policy(value: Option<&str>) -> Result<BufPolicy, OptionError> {
    match value {
        Some("switch") => Ok(BufPolicy::Switch),
        Some("fill") => Ok(BufPolicy::Fill),
        Some("ring") => Ok(BufPolicy::Ring),
        _ => Err(OptionError::Value),
    }
}

/// Buffers are never enlarged or shrunk behind the user's back, so both values mean the same.
fn resize(value: Option<&str>) -> Result<(), OptionError> {
    matches!(value, Some("auto" | "manual")).then_some(()).ok_or(OptionError::Value)
}

fn resolvers(value: Option<&str>) -> Result<Resolvers, OptionError> {
    let mut chosen = Resolvers { vmname: false, hostname: false, version: false };
    for name in value.ok_or(OptionError::Value)?.split(',') {
        match name {
            "vmname" => chosen.vmname = true,
            "hostname" => chosen.hostname = true,
            "version" => chosen.version = true,
            _ => return Err(OptionError::Value),
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: Option<&str>) -> Result<Options, OptionError> {
        let mut options = Options::default();
        options.set(name, value).map(|()| options)
    }

    /// Sizes take dtrace(1)'s suffixes, in either case, and nothing else.
    #[test]
    fn sizes_take_suffixes() {
        for (text, expected) in
            [("512", 512), ("4k", 4096), ("16M", 16 << 20), ("1g", 1 << 30), ("1t", 1 << 40)]
        {
            assert_eq!(set("bufsize", Some(text)).unwrap().bufsize, expected, "{text}");
        }
        assert_eq!(size(Some("0x10k")), Ok(16 << 10));
        for bad in ["", "k", "4kb", "-1", "4x", "99999999t"] {
            assert_eq!(size(Some(bad)), Err(OptionError::Value), "{bad}");
        }
    }

    /// Rates take units of time and frequencies.
    #[test]
    fn rates_take_units() {
        for (text, nanoseconds) in [
            ("5", 5),
            ("10ms", 10_000_000),
            ("2sec", 2_000_000_000),
            ("1hz", 1_000_000_000),
            ("100hz", 10_000_000),
            ("1m", 60_000_000_000),
            ("1d", 86_400_000_000_000),
        ] {
            assert_eq!(rate(Some(text)), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for bad in ["", "ms", "5parsec", "5 s"] {
            assert_eq!(rate(Some(bad)), Err(OptionError::Value), "{bad}");
        }
    }

    /// A bare switch sets, an empty value unsets, words do what they say.
    #[test]
    fn switches_take_words() {
        for (value, expected) in [
            (None, true),
            (Some(""), false),
            (Some("off"), false),
            (Some("YES"), true),
            (Some("1"), true),
        ] {
            assert_eq!(set("quiet", value).unwrap().quiet, expected, "{value:?}");
        }
        assert_eq!(set("quiet", Some("maybe")), Err(OptionError::Value));
    }

    /// Unknown options, wrong values and what cannot change while tracing are told apart.
    #[test]
    fn refusals_say_why() {
        assert_eq!(set("nosuch", None), Err(OptionError::Name));
        assert_eq!(set("bufpolicy", Some("none")), Err(OptionError::Value));
        assert_eq!(set("agghist", None), Err(OptionError::Unsupported("agghist".into())));
        let mut options = Options::default();
        assert_eq!(options.set_active("bufsize", Some("1k")), Err(OptionError::Active));
        assert_eq!(options.set_active("nosuch", Some("1k")), Err(OptionError::Name));
        assert_eq!(options.set_active("switchrate", Some("5hz")), Ok(()));
        assert_eq!(options.switchrate, Duration::from_millis(200));
    }

    /// Resolvers narrow what a target is matched with.
    #[test]
    fn resolvers_narrow() {
        let chosen = set("resolvers", Some("vmname,version")).unwrap().resolvers;
        assert_eq!(chosen, Resolvers { vmname: true, hostname: false, version: true });
        assert_eq!(set("resolvers", Some("dns")), Err(OptionError::Value));
    }
}
