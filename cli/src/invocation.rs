//! `dtrace`'s command line, as dtrace(1) reads it.
//!
//! clap splits words into options and their arguments (so `-qn PROG`, `-En PROG` and `-nPROG` all
//! work); what the letters mean, which may be repeated and in what order programs were given is
//! decided here. The result is data: nothing has been opened or run.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// The usage text, on standard error with status 2.
pub const USAGE: &str = "\
Usage: dtrace [-32|-64] [-aACdeEFGhHlOqSvVwZ] [-b bufsz] [-c cmd] [-D name[=def]]
	[-I path] [-L path] [-o output] [-p pid] [-s script] [-U name]
	[-x opt[=val]] [-X a|c|s|t] [--libxo format]

	[-P provider [[ predicate ] action ]]
	[-m [ provider: ] module [[ predicate ] action ]]
	[-f [[ provider: ] module: ] func [[ predicate ] action ]]
	[-n [[[ provider: ] module: ] func: ] name [[ predicate ] action ]]
	[-i probe-id [[ predicate ] action ]] [ args ... ]

	predicate -> '/' D-expression '/'
	   action -> '{' D-statements '}'

	-b  set trace buffer size
	-c  run specified command and exit upon its completion
	-C  run cpp(1) preprocessor on script files
	-d  print the script after syntactic transformations (if and else)
	-D  define symbol when invoking preprocessor
	-e  exit after compiling request but prior to enabling probes
	-E  trace guests as well: probe descriptions have a target as leading,
	    fifth field (vm-*:syscall::read:entry)
	-f  enable or list probes matching the specified function name
	-F  coalesce trace output by function
	-h  generate a header file with definitions for static probes
	-H  print included files when invoking preprocessor
	-i  enable or list probes matching the specified probe id
	-I  add include directory to preprocessor search path
	-l  list probes matching specified criteria
	-L  add library directory to library search path
	-m  enable or list probes matching the specified module name
	-n  enable or list probes matching the specified probe name
	--libxo  structure output for programs: json, xml or html (-x oformat)
	-o  set output file; with -e, save the program there (an ELF object)
	-O  with structured output, print all aggregations upon exiting
	-p  grab specified process-ID and cache its symbol tables
	-P  enable or list probes matching the specified provider name
	-q  set quiet mode (only output explicitly traced data)
	-s  enable or list probes according to the specified D script
	-S  print D compiler intermediate code
	-U  undefine symbol when invoking preprocessor
	-v  set verbose mode (report stability attributes, arguments)
	-V  report DTrace API version
	-w  permit destructive actions
	-x  enable or modify compiler and tracing options (debuginfo=[target:]file
	    takes the types of machines from a file with DWARF, BTF or CTF)
	-X  specify ISO C conformance settings for preprocessor
	-y  link a saved program for the machine that -E and the probes choose,
	    and save it with -o
	-Y  run a program that was saved by -e -o
	-Z  permit probe descriptions that match zero probes
";

/// How a program was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// `-P`: a provider.
    Provider,
    /// `-m`: a module.
    Module,
    /// `-f`: a function.
    Function,
    /// `-n`: a name.
    Name,
    /// `-i`: a probe's number.
    Id,
    /// `-s`: a file.
    Script,
}

/// One program, or one probe description to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramArgument {
    /// Which letter.
    pub kind: ProgramKind,
    /// The D text, or the file's name for [`ProgramKind::Script`].
    pub text: String,
}

/// An option that the command line sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionArgument {
    /// As it was given, for messages: `-x quiet`, `-b 4m`.
    pub given: String,
    /// The option's name.
    pub name: String,
    /// Its value.
    pub value: Option<String>,
}

/// A process to trace. The first decides what `$target` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VictimArgument {
    /// `-c`: a command to start.
    Command(String),
    /// `-p`: the number of a process, as it was given.
    Pid(String),
}

/// What `dtrace` shall do with the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Enable and trace.
    Trace,
    /// `-l`.
    List,
    /// `-e`: compile only; with `-o`, save what was compiled.
    Compile,
    /// `-h`: write a header for the probes that scripts declare.
    Header,
    /// `-y`: link a saved program for another machine, and save it again.
    Relink,
    /// `-V`.
    Version,
}

/// A parsed command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What to do.
    pub mode: Mode,
    /// Programs in the order in which they were given.
    pub programs: Vec<ProgramArgument>,
    /// `$1`, `$2`, …
    pub arguments: Vec<String>,
    /// `-E`: five fields, guests too.
    pub guests: bool,
    /// `-C`: run scripts through cpp.
    pub preprocess: bool,
    /// `-D`, `-U`, `-I`, `-H` as cpp wants them, in order.
    pub cpp_arguments: Vec<String>,
    /// `-x`, and the letters that stand for an option (`-b`, `-q`, `-w`, `-F`, …).
    pub options: Vec<OptionArgument>,
    /// `-d`: show the script once `if` and `else` are taken away.
    pub desugar: bool,
    /// `-S`.
    pub disassemble: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-O`.
    pub print_all: bool,
    /// `-Z`.
    pub allow_no_match: bool,
    /// `-o`.
    pub output: Option<String>,
    /// `-c` and `-p` in the order in which they were given.
    pub victims: Vec<VictimArgument>,
    /// `-Y` or `-y`: the file of a saved program.
    pub saved: Option<String>,
}

/// Why a command line was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// No arguments at all: usage, status 2.
    #[error("{USAGE}")]
    Bare,
    /// A letter that does not exist, or lacks its argument: usage, status 2.
    #[error("dtrace: {0}\n{USAGE}")]
    Usage(String),
    /// Letters that exclude each other: status 2, without the usage.
    #[error("dtrace: {0}")]
    Misuse(String),
    /// A letter whose work is not done yet, or a bad value: status 1.
    #[error("dtrace: {0}")]
    Refused(String),
}

impl InvocationError {
    /// The status `dtrace` exits with.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Bare | Self::Usage(_) | Self::Misuse(_) => 2,
            Self::Refused(_) => 1,
        }
    }
}

/// Letters without an argument.
const FLAGS: &[char] = &[
    'a', 'A', 'B', 'C', 'd', 'e', 'E', 'F', 'G', 'h', 'H', 'l', 'O', 'q', 'S', 'v', 'V', 'w', 'Z',
];

/// Letters with an argument; all may be repeated.
const VALUES: &[char] = &[
    '3', '6', 'b', 'c', 'D', 'f', 'i', 'I', 'L', 'm', 'n', 'o', 'p', 'P', 's', 'U', 'x', 'X', 'y',
    'Y',
];

/// Letters that exist in dtrace(1) or HyperTrace and whose work is still to come.
const LATER: &[(char, &str)] = &[
    ('a', "anonymous tracing"),
    ('A', "anonymous tracing"),
    ('G', "building programs with static probes: nothing on this host could trace them, so that"),
    ('B', "dumping what the buffered-output handler gets"),
];

/// Letters that stand for an option without a value.
const SWITCHES: &[(char, &str)] = &[('q', "quiet"), ('w', "destructive"), ('F', "flowindent")];

/// Letters that name a program.
const PROGRAMS: &[(char, ProgramKind)] = &[
    ('P', ProgramKind::Provider),
    ('m', ProgramKind::Module),
    ('f', ProgramKind::Function),
    ('n', ProgramKind::Name),
    ('i', ProgramKind::Id),
    ('s', ProgramKind::Script),
];

/// Reads a command line, without the program's own name.
///
/// # Errors
/// [`InvocationError`], with the text for standard error and the exit status.
pub fn parse<I>(words: I) -> Result<Invocation, InvocationError>
where
    I: IntoIterator,
    I::Item: Into<std::ffi::OsString> + Clone,
{
    let words: Vec<I::Item> = words.into_iter().collect();
    if words.is_empty() {
        return Err(InvocationError::Bare);
    }
    let matches = command().try_get_matches_from(words).map_err(|error| usage(&error))?;
    data_model(&matches)?;
    let mode = mode(&matches)?;
    if let Some((letter, what)) = LATER.iter().find(|(letter, _)| given(&matches, *letter)) {
        return Err(InvocationError::Refused(format!("-{letter}: {what} is not supported yet")));
    }
    let invocation = Invocation {
        mode,
        programs: programs(&matches),
        arguments: values(&matches, "arguments"),
        guests: flag(&matches, 'E'),
        preprocess: flag(&matches, 'C'),
        cpp_arguments: cpp_arguments(&matches),
        options: options(&matches),
        desugar: flag(&matches, 'd'),
        disassemble: flag(&matches, 'S'),
        verbose: flag(&matches, 'v'),
        print_all: flag(&matches, 'O'),
        allow_no_match: flag(&matches, 'Z'),
        output: values(&matches, "o").pop(),
        victims: victims(&matches),
        saved: saved(&matches)?,
    };
    if invocation.mode == Mode::Header {
        header(&invocation)?;
    }
    Ok(invocation)
}

/// `-h` needs somewhere to write to: `-o`, or the name of its only script.
fn header(invocation: &Invocation) -> Result<(), InvocationError> {
    let misuse = |text: &str| Err(InvocationError::Misuse(text.to_owned()));
    match (&invocation.output, &invocation.programs[..]) {
        (_, []) => misuse("-h requires one or more scripts or enabling options"),
        (None, [_, _, ..]) => {
            misuse("-h requires an output file if multiple scripts are specified")
        }
        (None, [only]) if !only.text.ends_with(".d") => {
            misuse("-h requires an output file if no scripts are specified")
        }
        _ => Ok(()),
    }
}

fn command() -> Command {
    let name = |letter: &char| letter.to_string();
    let flags = FLAGS.iter().map(|c| Arg::new(name(c)).short(*c).action(ArgAction::Count));
    let values = VALUES.iter().map(|c| {
        Arg::new(name(c)).short(*c).action(ArgAction::Append).allow_hyphen_values(true).num_args(1)
    });
    Command::new("dtrace")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(flags)
        .args(values)
        .arg(Arg::new("libxo").long("libxo").action(ArgAction::Append).num_args(1))
        .arg(Arg::new("help").long("help").action(ArgAction::Help))
        .arg(Arg::new("arguments").num_args(0..).action(ArgAction::Append))
        .override_help(USAGE)
}

fn usage(error: &clap::Error) -> InvocationError {
    let word = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.clone(),
        Some(ContextValue::Strings(words)) => words.join(" "),
        _ => String::new(),
    };
    let letter = word.trim_start_matches('-').chars().next().unwrap_or('?');
    InvocationError::Usage(match error.kind() {
        ErrorKind::DisplayHelp => String::new(),
        ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            format!("option requires an argument -- {letter}")
        }
        _ => format!("illegal option -- {letter}"),
    })
}

fn flag(matches: &ArgMatches, letter: char) -> bool {
    matches.get_count(&letter.to_string()) > 0
}

fn given(matches: &ArgMatches, letter: char) -> bool {
    if FLAGS.contains(&letter) {
        flag(matches, letter)
    } else {
        !values(matches, &letter.to_string()).is_empty()
    }
}

fn values(matches: &ArgMatches, id: &str) -> Vec<String> {
    matches.get_many::<String>(id).map(|all| all.cloned().collect()).unwrap_or_default()
}

/// Values of several letters, each with its place on the command line.
fn placed<'a>(
    matches: &'a ArgMatches,
    letters: impl Iterator<Item = char> + 'a,
) -> Vec<(usize, char, String)> {
    let mut all: Vec<_> = letters
        .flat_map(|letter| {
            let id = letter.to_string();
            let places = matches.indices_of(&id).map(Iterator::collect::<Vec<_>>);
            let places = places.unwrap_or_default().into_iter();
            places.zip(values(matches, &id)).map(move |(place, value)| (place, letter, value))
        })
        .collect();
    all.sort();
    all
}

fn mode(matches: &ArgMatches) -> Result<Mode, InvocationError> {
    if "AGhlV".chars().filter(|letter| flag(matches, *letter)).count() > 1 {
        let text = "only one of the [-AGhlV] options can be specified at a time";
        return Err(InvocationError::Misuse(text.to_owned()));
    }
    Ok(match (flag(matches, 'V'), flag(matches, 'l'), flag(matches, 'e')) {
        (true, ..) => Mode::Version,
        _ if given(matches, 'y') => Mode::Relink,
        _ if flag(matches, 'h') => Mode::Header,
        (_, true, _) => Mode::List,
        (_, _, true) => Mode::Compile,
        _ => Mode::Trace,
    })
}

/// `-32` and `-64`: the data model of programs.
fn data_model(matches: &ArgMatches) -> Result<(), InvocationError> {
    for (_, letter, value) in placed(matches, "36".chars()) {
        match (letter, value.as_str()) {
            ('6', "4") => {}
            ('3', "2") => {
                let text = "-32: programs for 32-bit machines are not supported";
                return Err(InvocationError::Refused(text.to_owned()));
            }
            _ => {
                return Err(InvocationError::Usage(format!("illegal option -- {letter}{value}")));
            }
        }
    }
    Ok(())
}

fn programs(matches: &ArgMatches) -> Vec<ProgramArgument> {
    let kind = |letter: char| PROGRAMS.iter().find(|(c, _)| *c == letter).map(|(_, kind)| *kind);
    placed(matches, PROGRAMS.iter().map(|(c, _)| *c))
        .into_iter()
        .filter_map(|(_, letter, text)| Some(ProgramArgument { kind: kind(letter)?, text }))
        .collect()
}

fn cpp_arguments(matches: &ArgMatches) -> Vec<String> {
    let mut words: Vec<String> = placed(matches, "DUI".chars())
        .into_iter()
        .map(|(_, letter, value)| format!("-{letter}{value}"))
        .collect();
    if flag(matches, 'H') {
        words.push("-H".to_owned());
    }
    words
}

/// What `-x` and the letters that stand for an option set, in order: of two that set one option,
/// the last counts.
fn options(matches: &ArgMatches) -> Vec<OptionArgument> {
    let option = |given: String, name: &str, value: Option<&str>| OptionArgument {
        given,
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let flags = SWITCHES.iter().flat_map(|(letter, _)| {
        let places = matches.indices_of(&letter.to_string());
        let places = places.filter(|_| flag(matches, *letter)).map(Iterator::collect::<Vec<_>>);
        places.unwrap_or_default().into_iter().map(|place| (place, *letter, String::new()))
    });
    let mut all = placed(matches, "bLxX".chars());
    all.extend(flags);
    all.sort();
    let of = |(_, letter, text): (usize, char, String)| match (letter, text.split_once('=')) {
        ('b', _) => option(format!("-b {text}"), "bufsize", Some(&text)),
        ('L', _) => option(format!("-L {text}"), "libdir", Some(&text)),
        ('X', _) => option(format!("-X {text}"), "stdc", Some(&text)),
        ('x', Some((name, value))) => option(format!("-x {name}"), name, Some(value)),
        ('x', None) => option(format!("-x {text}"), &text, None),
        _ => {
            let name = SWITCHES.iter().find(|(switch, _)| *switch == letter);
            option(format!("-{letter}"), name.map_or("", |(_, name)| *name), None)
        }
    };
    let structures = values(matches, "libxo").into_iter();
    let structures =
        structures.map(|text| option(format!("--libxo {text}"), "oformat", Some(&text)));
    all.into_iter().map(of).chain(structures).collect()
}

/// The file of `-Y` or `-y`, which takes the place of programs.
fn saved(matches: &ArgMatches) -> Result<Option<String>, InvocationError> {
    let files = placed(matches, "yY".chars());
    let misuse = |text: &str| Err(InvocationError::Misuse(text.to_owned()));
    let Some((_, letter, file)) = files.first() else { return Ok(None) };
    if files.len() > 1 {
        return misuse("only one saved program can be used at a time");
    }
    if !programs(matches).is_empty() || flag(matches, 'l') || flag(matches, 'V') {
        return misuse(&format!("-{letter} takes the place of other programs and of -l and -V"));
    }
    if *letter == 'y' && values(matches, "o").is_empty() {
        return misuse("-y needs -o: the file to save the linked program in");
    }
    Ok(Some(file.clone()))
}

fn victims(matches: &ArgMatches) -> Vec<VictimArgument> {
    let of = |(_, letter, text)| match letter {
        'c' => VictimArgument::Command(text),
        _ => VictimArgument::Pid(text),
    };
    placed(matches, "cp".chars()).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{Invocation, InvocationError, Mode, ProgramKind, parse};

    fn ok(words: &[&str]) -> Invocation {
        parse(words.iter().copied()).unwrap()
    }

    #[test]
    fn letters_group_as_with_getopt() {
        let invocation = ok(&["-x", "quiet", "-En", "vm-*:::x"]);
        assert!(invocation.guests);
        assert_eq!(invocation.options[0].name, "quiet");
        assert_eq!(invocation.programs[0].text, "vm-*:::x");
        assert_eq!(ok(&["-qnBEGIN"]).programs[0].text, "BEGIN");
    }

    #[test]
    fn programs_keep_their_order() {
        let kinds = |words: &[&str]| -> Vec<_> {
            ok(words).programs.into_iter().map(|program| program.kind).collect()
        };
        assert_eq!(
            kinds(&["-n", "a", "-s", "f", "-P", "b"]),
            [ProgramKind::Name, ProgramKind::Script, ProgramKind::Provider]
        );
    }

    #[test]
    fn words_after_the_options_are_the_scripts_arguments() {
        assert_eq!(ok(&["-n", "BEGIN", "7", "x y"]).arguments, ["7", "x y"]);
    }

    #[test]
    fn a_bad_letter_is_a_usage_error_with_status_2() {
        let error = parse(["-j"]).unwrap_err();
        assert_eq!(error.status(), 2);
        assert!(error.to_string().starts_with("dtrace: illegal option -- j\nUsage: dtrace"));
    }

    #[test]
    fn a_letter_without_its_argument_is_a_usage_error() {
        let error = parse(["-n"]).unwrap_err();
        assert!(error.to_string().contains("option requires an argument -- n"), "{error}");
        assert_eq!(error.status(), 2);
    }

    #[test]
    fn letters_whose_work_is_to_come_say_so() {
        let error = parse(["-G", "-n", "BEGIN"]).unwrap_err();
        assert!(
            matches!(&error, InvocationError::Refused(text) if text.contains("not supported yet"))
        );
        assert_eq!(error.status(), 1);
    }

    #[test]
    fn no_words_at_all_are_a_usage_error() {
        let nothing: [&str; 0] = [];
        let error = parse(nothing).unwrap_err();
        assert!(error.status() == 2 && error.to_string().starts_with("Usage: "));
        assert_eq!(ok(&["-l"]).mode, Mode::List);
        assert_eq!(ok(&["-V"]).mode, Mode::Version);
    }

    #[test]
    fn bufsize_and_its_letter_are_one_option() {
        let option = |words: &[&str]| ok(words).options.remove(0);
        let (b, x) = (option(&["-b", "1m", "-nBEGIN"]), option(&["-x", "bufsize=1m", "-nBEGIN"]));
        assert_eq!((&b.name, &b.value), (&x.name, &x.value));
        assert_eq!((b.given.as_str(), x.given.as_str()), ("-b 1m", "-x bufsize"));
    }

    #[test]
    fn options_keep_their_order() {
        let names = |words: &[&str]| -> Vec<(String, Option<String>)> {
            ok(words).options.into_iter().map(|option| (option.name, option.value)).collect()
        };
        let (set, unset) =
            (("quiet".to_owned(), None), ("quiet".to_owned(), Some("off".to_owned())));
        assert_eq!(names(&["-q", "-x", "quiet=off"]), [set.clone(), unset.clone()]);
        assert_eq!(names(&["-xquiet=off", "-qn", "BEGIN"]), [unset, set]);
        assert_eq!(
            names(&["-wFq"]).iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
            ["destructive", "flowindent", "quiet"]
        );
        assert!(names(&["-n", "BEGIN"]).is_empty());
    }

    #[test]
    fn processes_keep_their_order() {
        use super::VictimArgument::{Command, Pid};
        let (pid, command) = (Pid("7".to_owned()), Command("date -u".to_owned()));
        assert_eq!(ok(&["-p", "7", "-c", "date -u"]).victims, [pid, command]);
    }

    #[test]
    fn a_header_needs_a_place() {
        let said = |words: &[&str]| {
            let error = parse(words.iter().copied()).unwrap_err();
            assert_eq!(error.status(), 2);
            error.to_string()
        };
        assert_eq!(said(&["-h"]), "dtrace: -h requires one or more scripts or enabling options");
        assert!(said(&["-h", "-s", "a.d", "-s", "b.d"]).contains("if multiple scripts"));
        assert!(said(&["-h", "-n", "BEGIN"]).contains("if no scripts are specified"));
        assert_eq!(ok(&["-h", "-n", "BEGIN", "-o", "x.h"]).mode, Mode::Header);
        assert_eq!(ok(&["-h", "-s", "a.d"]).mode, Mode::Header);
    }

    #[test]
    fn modes_exclude_each_other() {
        let error = parse(["-l", "-V"]).unwrap_err();
        let text = "dtrace: only one of the [-AGhlV] options can be specified at a time";
        assert_eq!((error.status(), error.to_string().as_str()), (2, text));
        assert_eq!(ok(&["-64", "-n", "BEGIN"]).mode, Mode::Trace);
        assert_eq!(parse(["-65", "-n", "BEGIN"]).unwrap_err().status(), 2);
    }

    #[test]
    fn a_program_may_begin_with_a_dash() {
        assert_eq!(ok(&["-n", "-x"]).programs[0].text, "-x");
    }
}
