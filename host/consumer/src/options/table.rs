//! The names of compile-time options, what values they take, and which of them still need work.
//!
//! They are checked here, whoever acts on them: the compiler, the command line, or nobody, for
//! those that ask for what is so anyway.

use super::{OptionError, value};

/// What a compile-time option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// No value.
    Nothing,
    /// Whatever there is, or nothing.
    Anything,
    /// Any text.
    Text,
    /// Stability attributes.
    Attributes,
    /// Any text, and not from inside a program.
    CommandText,
    /// No value, and not from inside a program.
    CommandNothing,
    /// One of some words.
    Word(&'static [&'static str]),
    /// One of some words and not from inside a program.
    CommandWord(&'static [&'static str]),
    /// One of some words in either case.
    AnyCase(&'static [&'static str]),
    /// A number of at least this.
    Number(i32),
    /// A size.
    Size,
    /// A version of D.
    Version,
}

/// What becomes of a compile-time option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Whoever compiles acts on it.
    Compiler,
    /// It asks for what is so anyway, or for what has no meaning here.
    Already,
    /// It cannot be had here, and why.
    Refused(&'static str),
    /// These values cannot be had, and why; all others ask for what is so anyway.
    RefusedFor(&'static [&'static str], &'static str),
}

use Done::{Already, Compiler, Refused, RefusedFor};

/// All compile-time options of libdtrace.
const OPTIONS: &[(&str, Takes, Done)] = &[
    // Values are kept for all CPUs together; nothing that dtrace(1) prints tells them apart.
    ("aggpercpu", Takes::Nothing, Already),
    ("amin", Takes::Attributes, Compiler),
    ("argref", Takes::Nothing, Compiler),
    (
        "core",
        Takes::Nothing,
        Refused("whether dtrace may leave a core file is the shell's to say (ulimit -c)"),
    ),
    ("cpp", Takes::Nothing, Compiler),
    ("cpphdrs", Takes::CommandNothing, Compiler),
    ("cpppath", Takes::CommandText, Compiler),
    ("ctfpath", Takes::Text, Refused("-x debuginfo= names a file with types")),
    (
        "ctypes",
        Takes::Text,
        Refused("types that scripts define are kept in no CTF container that could be written"),
    ),
    (
        "debug",
        Takes::Nothing,
        Refused(
            "the compiler has no debugging output; -S shows its code, -d the clauses that it works on",
        ),
    ),
    // Not one of libdtrace's: see `debuginfo`.
    ("debuginfo", Takes::CommandText, Compiler),
    ("defaultargs", Takes::Nothing, Compiler),
    ("define", Takes::CommandText, Compiler),
    ("droptags", Takes::Anything, Compiler),
    (
        "dtypes",
        Takes::Text,
        Refused("types that scripts define are kept in no CTF container that could be written"),
    ),
    ("empty", Takes::Nothing, Compiler),
    ("encoding", Takes::AnyCase(&["ascii", "utf8"]), Compiler),
    ("errtags", Takes::Nothing, Compiler),
    // A command of -c is stopped before its first instruction.
    (
        "evaltime",
        Takes::Word(&["exec", "preinit", "postinit", "main"]),
        RefusedFor(
            &["postinit", "main"],
            "a command of -c is always stopped before its first instruction (exec)",
        ),
    ),
    ("incdir", Takes::CommandText, Compiler),
    // Registers are taken as there is need.
    ("iregs", Takes::Number(1), Already),
    ("kdefs", Takes::Nothing, Already),
    ("knodefs", Takes::Nothing, Compiler),
    ("late", Takes::Word(&["dynamic", "static"]), Already),
    ("lazyload", Takes::Anything, Already),
    ("ldpath", Takes::CommandText, Already),
    ("libdir", Takes::Text, Compiler),
    ("linkmode", Takes::Word(&["kernel", "primary", "dynamic", "static"]), Already),
    (
        "linktype",
        Takes::AnyCase(&["elf", "dof"]),
        RefusedFor(&["dof"], "programs are saved as ELF objects, with the DOF in .SUNW_dof"),
    ),
    ("nolibs", Takes::Nothing, Compiler),
    ("pgmax", Takes::Number(0), Already),
    // The arena's memory is made at once, and taken as it is used.
    ("preallocate", Takes::Size, Already),
    ("pspec", Takes::Nothing, Compiler),
    ("setenv", Takes::CommandText, Compiler),
    ("stdc", Takes::CommandWord(&["a", "c", "s", "t"]), Compiler),
    ("strip", Takes::Nothing, Already),
    ("syslibdir", Takes::Text, Refused("the system's D library is part of dtrace")),
    // 8 is what -d shows; what of the other passes is asked for beside it is not there to be shown.
    ("tree", Takes::Number(1), Compiler),
    ("tregs", Takes::Number(1), Already),
    ("udefs", Takes::Nothing, Already),
    ("undef", Takes::CommandText, Compiler),
    ("unodefs", Takes::Nothing, Compiler),
    ("unsetenv", Takes::CommandText, Compiler),
    ("verbose", Takes::Nothing, Compiler),
    ("version", Takes::Version, Compiler),
    ("zdefs", Takes::Nothing, Compiler),
];

/// Checks a compile-time option: `Ok(None)` if it is none, `Some(true)` if somebody acts on it.
///
/// # Errors
/// [`OptionError`].
pub(super) fn check(
    name: &str,
    value: Option<&str>,
    in_program: bool,
) -> Result<Option<bool>, OptionError> {
    let Some((_, takes, done)) = OPTIONS.iter().find(|(known, ..)| *known == name) else {
        return Ok(None);
    };
    takes.check(value, in_program)?;
    match done {
        Compiler => Ok(Some(true)),
        Already => Ok(Some(false)),
        RefusedFor(values, _) if !values.iter().any(|v| Some(*v) == value) => Ok(Some(false)),
        RefusedFor(_, why) => {
            Err(OptionError::Unsupported(format!("{name}={}", value.unwrap_or_default()), why))
        }
        Refused(why) => Err(OptionError::Unsupported(name.to_owned(), why)),
    }
}

impl Takes {
    fn check(self, value: Option<&str>, in_program: bool) -> Result<(), OptionError> {
        let of = |words: &[&str]| value.is_some_and(|value| words.contains(&value));
        let fits = match self {
            Self::Anything => true,
            Self::Nothing | Self::CommandNothing => value.is_none(),
            Self::Text | Self::CommandText => value.is_some(),
            Self::Word(words) | Self::CommandWord(words) => of(words),
            Self::AnyCase(words) => {
                value.is_some_and(|value| words.iter().any(|w| w.eq_ignore_ascii_case(value)))
            }
            Self::Number(least) => value.is_some_and(|value| value::atoi(value) >= least),
            Self::Attributes => {
                value.is_some_and(|value| value.parse::<dlang::stability::Attributes>().is_ok())
            }
            Self::Size => value.is_some() && value::size(value).is_ok(),
            Self::Version => {
                value::version(value.ok_or(OptionError::Value)?)?;
                true
            }
        };
        let command =
            matches!(self, Self::CommandText | Self::CommandNothing | Self::CommandWord(_));
        match (fits, command && in_program) {
            (false, _) => Err(OptionError::Value),
            (true, true) => Err(OptionError::Context),
            (true, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values are checked for all, also for those on which nobody acts.
    #[test]
    fn values_are_checked() {
        let check = |name, value| check(name, value, false);
        assert_eq!(check("nosuch", None), Ok(None));
        assert_eq!(check("defaultargs", None), Ok(Some(true)));
        assert_eq!(check("defaultargs", Some("1")), Err(OptionError::Value));
        assert_eq!(check("linkmode", Some("static")), Ok(Some(false)));
        assert_eq!(check("linkmode", Some("other")), Err(OptionError::Value));
        assert_eq!(check("linkmode", None), Err(OptionError::Value));
        assert_eq!(check("iregs", Some("4x")), Ok(Some(false)));
        assert_eq!(check("iregs", Some("0")), Err(OptionError::Value));
        assert_eq!(check("amin", Some("stable/PRIVATE/isa")), Ok(Some(true)));
        assert_eq!(check("amin", Some("stable/private")), Err(OptionError::Value));
        assert_eq!(check("encoding", Some("UTF8")), Ok(Some(true)));
        assert_eq!(check("droptags", Some("x")), Ok(Some(true)));
        assert_eq!(check("version", Some("0.1")), Err(OptionError::VersionUndefined));
    }

    /// What cannot be had says so by name and why, also if only some of its values cannot.
    #[test]
    fn what_cannot_be_had_is_named() {
        let named = |name, value| check(name, value, false).unwrap_err().to_string();
        assert_eq!(
            named("syslibdir", Some("/x")),
            "option syslibdir is not supported: the system's D library is part of dtrace"
        );
        assert_eq!(
            named("evaltime", Some("main")),
            "option evaltime=main is not supported: a command of -c is always stopped before its \
             first instruction (exec)"
        );
        assert_eq!(check("evaltime", Some("exec"), false), Ok(Some(false)));
    }

    /// The preprocessor has run when a program's own options are read.
    #[test]
    fn some_belong_to_the_command_line() {
        assert_eq!(check("define", Some("X"), true), Err(OptionError::Context));
        assert_eq!(check("cpphdrs", None, true), Err(OptionError::Context));
        assert_eq!(check("stdc", Some("a"), true), Err(OptionError::Context));
        assert_eq!(check("defaultargs", None, true), Ok(Some(true)));
    }
}
