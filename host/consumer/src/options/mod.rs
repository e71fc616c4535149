//! Session options: `-x name=value`, `#pragma D option`, `setopt()`.
//!
//! Three kinds, as in libdtrace: compile-time options ([`table`]), options that shape a session
//! and are fixed once it runs, and options that `setopt()` may change. Values follow dtrace(1):
//! sizes take `k`, `m`, `g`, `t`; rates take a unit of time or `hz`; switches take nothing,
//! `yes`/`no`, `on`/`off`, `true`/`false` and so on.

mod table;
mod value;

use std::time::Duration;

pub use value::{rate, run_time, size};

use crate::{
    aggregation::SortOrder,
    format::{Drawing, stack, structured::Structure},
};

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
    /// `oformat`: output is for programs.
    pub structure: Option<Structure>,
    /// `-O`: with `oformat`, aggregations that were never printed are printed at the end, too.
    pub print_all: bool,
    /// `flowindent`: rows are indented by entry and return.
    pub flowindent: bool,
    /// `destructive`: `-w`.
    pub destructive: bool,
    /// `droptags`: messages of drops start with the kind's tag.
    pub droptags: bool,
    /// `bufsize`: bytes of a principal buffer.
    pub bufsize: u64,
    /// `bufpolicy`.
    pub bufpolicy: BufPolicy,
    /// `bufresize=manual`: buffers that do not fit into memory are an error and not made smaller.
    pub manual_resize: bool,
    /// `aggsize`: bytes of an aggregation buffer.
    pub aggsize: u64,
    /// `dynvarsize`: bytes of dynamic variables.
    pub dynvarsize: u64,
    /// `strsize`: bytes of a string.
    pub strsize: u64,
    /// `stackframes`: frames of `stack()`.
    pub stackframes: u64,
    /// `ustackframes`: frames of `ustack()`.
    pub ustackframes: u64,
    /// `jstackframes`: frames of `jstack()`.
    pub jstackframes: u64,
    /// `jstackstrsize`: bytes of `jstack()`'s strings; no helper fills them here.
    pub jstackstrsize: u64,
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
    /// `agghist`, `aggpack`, `aggzoom`, `encoding`.
    pub drawing: Drawing,
    /// `rawbytes`: byte arrays are always dumped.
    pub rawbytes: bool,
    /// `stackindent`: columns before a frame.
    pub stack_indent: u64,
    /// `cpu`: the one CPU that is traced, of every machine.
    pub cpu: Option<u32>,
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
            structure: None,
            print_all: false,
            flowindent: false,
            destructive: false,
            droptags: false,
            bufsize: 4 * mebi,
            bufpolicy: BufPolicy::Switch,
            manual_resize: false,
            aggsize: 4 * mebi,
            dynvarsize: mebi,
            strsize: 256,
            stackframes: 20,
            ustackframes: 20,
            jstackframes: 50,
            jstackstrsize: 512,
            nspec: 1,
            specsize: 32 << 10,
            switchrate: Duration::from_secs(1),
            aggrate: Duration::from_secs(1),
            statusrate: Duration::from_secs(1),
            cleanrate: Duration::from_millis(10),
            sort: SortOrder::default(),
            drawing: Drawing::default(),
            rawbytes: false,
            stack_indent: stack::INDENT as u64,
            cpu: None,
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
    /// The option is for the command line alone.
    #[error("Option cannot be used from within a D program")]
    Context,
    /// No version number.
    #[error("Version is not properly formatted or is too large")]
    VersionInvalid,
    /// A version that D never had.
    #[error("Requested version is not supported by compiler")]
    VersionUndefined,
    /// A string size beyond 32 bits.
    #[error("Value too large to be stored in data type")]
    Overflow,
    /// Known to dtrace(1) but not to be had here, and why.
    #[error("option {0} is not supported: {1}")]
    Unsupported(String, &'static str),
}

/// Run-time options that cannot be had here, and why.
const REFUSED: [(&str, &str); 1] =
    [("grabanon", "there is no anonymous tracing whose state could be taken over")];

/// Where an option is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// `-x` and the letters that stand for an option.
    CommandLine,
    /// `#pragma D option`.
    Program,
    /// `setopt()`.
    Action,
}

impl Options {
    /// Sets an option.
    ///
    /// # Errors
    /// [`OptionError`]; [`OptionError::Active`] for options that shape a session, from an action.
    pub fn set(&mut self, name: &str, value: Option<&str>, from: From) -> Result<(), OptionError> {
        match table::check(name, value, from == From::Program)? {
            Some(acts) => {
                if acts {
                    self.set_compiler(name, value);
                }
                return Ok(());
            }
            None if self.set_dynamic(name, value)? => return Ok(()),
            None => {}
        }
        if from == From::Action {
            let known = self.clone().set_fixed(name, value) != Ok(false);
            return Err(if known { OptionError::Active } else { OptionError::Name });
        }
        if self.set_fixed(name, value)? { Ok(()) } else { Err(OptionError::Name) }
    }

    fn set_compiler(&mut self, name: &str, value: Option<&str>) {
        match (name, value) {
            ("droptags", _) => self.droptags = true,
            ("encoding", Some(value)) => {
                self.drawing.utf8 = Some(value.eq_ignore_ascii_case("utf8"));
            }
            _ => self.compiler.push((name.to_owned(), value.map(str::to_owned))),
        }
    }

    /// Options that may change while tracing; `false` if it is none of them.
    fn set_dynamic(&mut self, name: &str, value: Option<&str>) -> Result<bool, OptionError> {
        let switch = || run_time(value).map(|value| value.is_some());
        match name {
            "quiet" => self.quiet = switch()?,
            "flowindent" => self.flowindent = switch()?,
            "switchrate" => self.switchrate = rate(value)?,
            "aggrate" => self.aggrate = rate(value)?,
            "agghist" => self.drawing.hist = switch()?,
            "aggpack" => self.drawing.pack = switch()?,
            "aggzoom" => self.drawing.zoom = switch()?,
            "aggsortkey" => self.sort.by_key = switch()?,
            "aggsortrev" => self.sort.reverse = switch()?,
            "aggsortkeypos" => self.sort.key_position = position(value)?,
            "aggsortpos" => self.sort.position = position(value)?,
            "rawbytes" => self.rawbytes = switch()?,
            "stackindent" => {
                self.stack_indent = run_time(value)?.unwrap_or(stack::INDENT as u64);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Options that shape the session; `false` if it is none of them. A number that is unset is
    /// what it is by default.
    fn set_fixed(&mut self, name: &str, value: Option<&str>) -> Result<bool, OptionError> {
        let switch = || run_time(value).map(|value| value.is_some());
        let number = |default: u64| run_time(value).map(|value| value.unwrap_or(default));
        let default = Self::default();
        match name {
            "oformat" => {
                self.structure =
                    Structure::parse(value.ok_or(OptionError::Value)?).ok_or(OptionError::Value)?;
            }
            "bufsize" => self.bufsize = size(value)?,
            "bufpolicy" => self.bufpolicy = policy(value)?,
            "bufresize" => self.manual_resize = manual(value)?,
            "aggsize" => self.aggsize = size(value)?,
            "dynvarsize" => self.dynvarsize = size(value)?,
            "strsize" => {
                let size = size(value)?;
                u32::try_from(size).map_err(|_| OptionError::Overflow)?;
                // The kernel takes no shorter ones.
                self.strsize = size.max(8);
            }
            "specsize" => self.specsize = size(value)?,
            "jstackstrsize" => self.jstackstrsize = size(value)?,
            "cpu" => {
                let cpu = run_time(value)?.map(u32::try_from).transpose();
                self.cpu = cpu.map_err(|_| OptionError::Value)?;
            }
            "nspec" => self.nspec = number(default.nspec)?,
            "stackframes" => self.stackframes = number(default.stackframes)?,
            "ustackframes" => self.ustackframes = number(default.ustackframes)?,
            "jstackframes" => self.jstackframes = number(default.jstackframes)?,
            "statusrate" => self.statusrate = rate(value)?,
            "cleanrate" => self.cleanrate = rate(value)?,
            "destructive" => self.destructive = switch()?,
            // Records are always printed in the order of time.
            "temporal" => drop(switch()?),
            "resolvers" => self.resolvers = resolvers(value)?,
            _ => {
                let refused = REFUSED.iter().find(|(known, _)| *known == name);
                return refused.map_or(Ok(false), |(_, why)| {
                    Err(OptionError::Unsupported(name.to_owned(), why))
                });
            }
        }
        Ok(true)
    }
}

/// The bounds of `cleanrate` and `statusrate`: what the kernel makes of rates beyond them.
const CLEAN_RATE: (Duration, Duration) = (Duration::from_micros(200), Duration::from_secs(60));
const STATUS_RATE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(10));

impl Options {
    /// Brings rates into their bounds and says so of each that changed.
    pub fn clamp_rates(&mut self) -> Vec<String> {
        let rates = [
            ("cleaning rate", &mut self.cleanrate, CLEAN_RATE),
            ("status rate", &mut self.statusrate, STATUS_RATE),
        ];
        let mut said = Vec::new();
        for (name, rate, (least, most)) in rates {
            let asked = std::mem::replace(rate, (*rate).clamp(least, most));
            if asked != *rate {
                // dtrace(1) calls a longer interval a reduced rate.
                let direction = if *rate > asked { "reduced" } else { "increased" };
                said.push(format!("{name} {direction} to {}", rate_in_words(*rate)));
            }
        }
        said
    }
}

fn rate_in_words(rate: Duration) -> String {
    const SECOND: u128 = 1_000_000_000;
    match rate.as_nanos() {
        nanoseconds @ 1..=SECOND if SECOND.is_multiple_of(nanoseconds) => {
            format!("{} hz", SECOND / nanoseconds)
        }
        nanoseconds if nanoseconds.is_multiple_of(SECOND) => {
            format!("once every {} seconds", nanoseconds / SECOND)
        }
        nanoseconds => format!("once every {nanoseconds} nanoseconds"),
    }
}

fn position(value: Option<&str>) -> Result<usize, OptionError> {
    run_time(value).map(|n| usize::try_from(n.unwrap_or(0)).unwrap_or(usize::MAX))
}

fn policy(value: Option<&str>) -> Result<BufPolicy, OptionError> {
    match value {
        Some("switch") => Ok(BufPolicy::Switch),
        Some("fill") => Ok(BufPolicy::Fill),
        Some("ring") => Ok(BufPolicy::Ring),
        _ => Err(OptionError::Value),
    }
}

fn manual(value: Option<&str>) -> Result<bool, OptionError> {
    match value {
        Some("manual") => Ok(true),
        Some("auto") => Ok(false),
        _ => Err(OptionError::Value),
    }
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
        options.set(name, value, From::CommandLine).map(|()| options)
    }

    /// Every option takes the value that its kind takes.
    #[test]
    fn options_are_set() {
        assert_eq!(set("bufsize", Some("4k")).unwrap().bufsize, 4096);
        assert_eq!(set("aggrate", Some("2hz")).unwrap().aggrate, Duration::from_millis(500));
        assert!(set("quiet", None).unwrap().quiet);
        assert!(!set("quiet", Some("")).unwrap().quiet);
        assert_eq!(set("nspec", Some("3")).unwrap().nspec, 3);
        assert_eq!(set("strsize", Some("4")).unwrap().strsize, 8);
        assert_eq!(set("encoding", Some("ascii")).unwrap().drawing.utf8, Some(false));
        assert_eq!(set("stackindent", Some("")).unwrap().stack_indent, 14);
        assert!(set("droptags", None).unwrap().droptags);
    }

    /// Unknown options, wrong values and what cannot change while tracing are told apart.
    #[test]
    fn refusals_say_why() {
        assert_eq!(set("nosuch", None), Err(OptionError::Name));
        assert_eq!(set("bufpolicy", Some("none")), Err(OptionError::Value));
        assert_eq!(set("strsize", Some("8g")), Err(OptionError::Overflow));
        assert_eq!(set("cpu", Some("x")), Err(OptionError::Value));
        assert_eq!(set("cpu", Some("3")).unwrap().cpu, Some(3));
        let anonymous = set("grabanon", None).unwrap_err().to_string();
        assert!(anonymous.starts_with("option grabanon is not supported: "), "{anonymous}");
        let mut options = Options::default();
        let mut active = |name, value| options.set(name, Some(value), From::Action);
        assert_eq!(active("bufsize", "1k"), Err(OptionError::Active));
        assert_eq!(active("bufsize", "x"), Err(OptionError::Active));
        assert_eq!(active("nosuch", "1k"), Err(OptionError::Name));
        assert_eq!(active("switchrate", "5hz"), Ok(()));
        assert_eq!(active("defaultargs", "1"), Err(OptionError::Value));
        let mut pragma = |name, value| options.set(name, value, From::Program);
        assert_eq!(pragma("define", Some("X=1")), Err(OptionError::Context));
        assert_eq!(pragma("bufsize", Some("1k")), Ok(()));
    }

    /// Rates beyond what the kernel takes are brought there, in dtrace(1)'s words.
    #[test]
    fn rates_are_clamped() {
        let mut options = set("cleanrate", Some("1ns")).unwrap();
        options.set("statusrate", Some("1h"), From::CommandLine).unwrap();
        assert_eq!(
            options.clamp_rates(),
            ["cleaning rate reduced to 5000 hz", "status rate increased to once every 10 seconds"]
        );
        assert!(options.clamp_rates().is_empty());
    }

    /// Resolvers are exactly those named.
    #[test]
    fn resolvers_are_named() {
        let resolvers = set("resolvers", Some("vmname,version")).unwrap().resolvers;
        assert_eq!((resolvers.vmname, resolvers.hostname, resolvers.version), (true, false, true));
        assert_eq!(set("resolvers", Some("ip")), Err(OptionError::Value));
    }
}
