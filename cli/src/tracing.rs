//! `dtrace`: from a parsed command line to an exit status.

use std::{
    io::{self, BufWriter, Write},
    os::fd::AsFd,
    path::Path,
    process::{Child, Command},
};

use consumer::{
    options::{From, Options},
    session::{
        ScriptCompiler, Session, SessionError, Setup,
        printer::{Printer, RecordError, system_words},
        processes::Processes,
        run::Outside,
        sink::{Sink, append_to},
    },
    world::KernelWorld,
};
use dif::program::ProbeDesc;
use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, waitpid},
    unistd::{AccessFlags, access},
};

use crate::{
    invocation::{Invocation, Mode, OptionArgument, VictimArgument},
    list::{Listing, list},
    machines::{self, Found},
    report,
    saving::{self, SavedProgram},
    scripts::{Reports, Script, ScriptOptions, Scripts},
    signals,
};

/// Bytes of output that are written at once, or less when there is no more for now.
const OUTPUT_ROOM: usize = 64 << 10;

/// What a shell says of a program that SIGPIPE has ended: nobody reads the output any more.
const UNREAD: i32 = 128 + 13;

/// Says something on standard error, as dtrace(1) does. Nobody may be reading there any more
/// (`2>&1 | head`): that is no reason to die before the guests are let go.
pub(crate) fn complain(text: &str) {
    let start = if text.starts_with("dtrace: ") { "" } else { "dtrace: " };
    let _heard = writeln!(io::stderr(), "{start}{text}");
}

/// A failure with its text said already or still to say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub(crate) String);

impl std::convert::From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self(error.to_string())
    }
}

impl std::convert::From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(format!("failed to write to <stdout>: {}", system_words(&error)))
    }
}

/// Carries a command line out. Returns the status to exit with.
#[must_use]
pub fn main(invocation: &Invocation) -> u8 {
    match carry_out(invocation) {
        Ok(status) => status.to_le_bytes().first().copied().unwrap_or(1),
        Err(Failure(text)) => {
            complain(&text);
            1
        }
    }
}

fn carry_out(invocation: &Invocation) -> Result<i32, Failure> {
    if invocation.mode == Mode::Version {
        println!("dtrace: Sun D 1.13");
        return Ok(0);
    }
    let mut options = Options { print_all: invocation.print_all, ..Options::default() };
    for OptionArgument { given, name, value } in &invocation.options {
        options
            .set(name, value.as_deref(), From::CommandLine)
            .map_err(|error| Failure(format!("failed to set {given}: {error}")))?;
    }
    let mut compiler = script_options(invocation, &options)?;
    if invocation.mode == Mode::Relink {
        return saving::relink(invocation, &options).map(|()| 0);
    }
    let processes = processes(invocation, &options)?;
    if invocation.programs.is_empty() && invocation.saved.is_none() {
        match invocation.mode {
            Mode::Trace => return Err(Failure("no probes specified".to_owned())),
            Mode::Compile => return Ok(0),
            _ => {}
        }
    }
    compiler.target = processes.target();
    if let Some(file) = &invocation.saved {
        let program = SavedProgram::open(file, invocation.guests, &options)?.into_program();
        #[cfg(target_os = "linux")]
        start_programs(program.compiler.descriptions(), false, &processes)?;
        return trace(invocation, options, program, processes);
    }
    compiler.linkable = invocation.mode == Mode::Compile && invocation.output.is_some();
    compiler.allow_empty |= invocation.mode == Mode::Header;
    let scripts = Scripts::new(invocation, &compiler).map_err(|error| Failure(error.to_string()));
    if let (true, Ok(scripts)) = (invocation.desugar, &scripts) {
        io::stdout().write_all(scripts.desugared().as_bytes())?;
    }
    if let (true, Ok(scripts)) = (options.compiler.iter().any(|(name, _)| name == "tree"), &scripts)
    {
        let _heard = io::stderr().write_all(scripts.desugared().as_bytes());
    }
    #[cfg(target_os = "linux")]
    if let Ok(scripts) = &scripts {
        let text = scripts.desugared();
        let names = USER_NAMES.iter().any(|name| text.contains(name));
        start_programs(scripts.descriptions(), names, &processes)?;
    }
    scripts.and_then(|scripts| match invocation.mode {
        Mode::List => list_probes(invocation, &options, scripts),
        Mode::Header => header(invocation, scripts).map(|()| 0),
        Mode::Compile if compiler.linkable => {
            saving::save(invocation, &options, scripts).map(|()| 0)
        }
        _ => trace(invocation, options, scripts.into(), processes),
    })
}

/// Options that only concern compiling.
fn script_options(invocation: &Invocation, options: &Options) -> Result<ScriptOptions, Failure> {
    let mut out = ScriptOptions {
        guests: invocation.guests,
        preprocess: invocation.preprocess,
        cpp_arguments: invocation.cpp_arguments.clone(),
        session: options.clone(),
        verbose: invocation.verbose,
        ..ScriptOptions::default()
    };
    for (name, value) in &options.compiler {
        let value = value.clone().unwrap_or_default();
        match name.as_str() {
            "defaultargs" => out.default_args = true,
            "empty" => out.allow_empty = true,
            "errtags" => out.errtags = true,
            "cpp" => out.preprocess = true,
            "cpphdrs" => out.cpp_arguments.push("-H".to_owned()),
            "define" => out.cpp_arguments.push(format!("-D{value}")),
            "undef" => out.cpp_arguments.push(format!("-U{value}")),
            "incdir" => out.cpp_arguments.push(format!("-I{value}")),
            "cpppath" => out.cpp = Some(value),
            // The tree of the pass that takes `if` away; other passes have none to show.
            "tree" if value.parse() == Ok(8) => {}
            "tree" => {
                let text = "failed to set -x tree: 8 is the only tree that can be shown, the clauses \
                            once if and else are taken away";
                return Err(Failure(text.to_owned()));
            }
            // What they ask for is how it is anyway, or others see to it. The preprocessor
            // conforms to ISO C, and version 1.13 of D is a superset of those before it.
            "amin" | "libdir" | "pspec" | "nolibs" | "zdefs" | "knodefs" | "unodefs" | "argref"
            | "verbose" | "setenv" | "unsetenv" | "stdc" | "version" | "debuginfo" => {}
            _ => {
                return Err(Failure(format!("failed to set -x {name}: nobody acts on it")));
            }
        }
    }
    Ok(out)
}

/// What is to be traced: scripts, or a saved program.
pub(crate) struct Program {
    /// Makes programs for kernels.
    pub(crate) compiler: Box<dyn ScriptCompiler>,
    /// By name, as they were given.
    pub(crate) scripts: Vec<Script>,
    /// Whether descriptions may match nothing.
    pub(crate) zdefs: bool,
    /// What `-v` says.
    pub(crate) reports: Reports,
}

impl std::convert::From<Scripts> for Program {
    fn from(all: Scripts) -> Self {
        let (scripts, zdefs) = (all.scripts().to_vec(), all.zdefs());
        let reports = all.reports();
        Self { compiler: Box::new(all), scripts, zdefs, reports }
    }
}

pub(crate) fn find(invocation: &Invocation) -> Result<Found, Failure> {
    machines::find(invocation.guests, &mut |text| complain(&text))
        .map_err(|error| Failure(format!("failed to initialize dtrace: {error}")))
}

fn output(invocation: &Invocation) -> Result<Box<dyn Write>, Failure> {
    match &invocation.output {
        None => Ok(Box::new(BufWriter::with_capacity(OUTPUT_ROOM, io::stdout()))),
        Some(name) => append_to(name).map_err(|error| {
            Failure(format!("failed to open output file '{name}': {}", system_words(&error)))
        }),
    }
}

/// Says what keeps the host from having what descriptions (none: all) ask for.
fn say_missing(found: &Found, descriptions: Option<&[ProbeDesc]>) {
    for missing in &found.missing {
        let concerns = |all: &[ProbeDesc]| all.iter().any(|desc| machines::concerns(missing, desc));
        if descriptions.map_or(missing.provider.is_none(), concerns) {
            complain(&format!("host: {}", missing.line));
        }
    }
}

fn list_probes(
    invocation: &Invocation,
    options: &Options,
    mut scripts: Scripts,
) -> Result<i32, Failure> {
    let mut found = find(invocation)?;
    check_listed(options, &mut scripts, &mut found)?;
    let descriptions = (!invocation.programs.is_empty()).then(|| scripts.descriptions());
    say_missing(&found, descriptions);
    let mut out = output(invocation)?;
    let listing = Listing {
        descriptions,
        guests: invocation.guests,
        verbose: invocation.verbose,
        resolvers: options.resolvers,
    };
    let listed = list(&mut out, &listing, &mut found.machines, &mut found.numbers)
        .and_then(|unmatched| out.flush().map(|()| unmatched));
    match listed {
        Ok(unmatched) => {
            for desc in unmatched {
                complain(&format!("failed to match {desc}: No probe matches description"));
            }
            Ok(0)
        }
        // Whoever read the list has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(UNREAD),
        Err(error) => Err(error.into()),
    }
}

/// What is wrong in the programs is said before their probes are listed; that a description matches
/// nothing is no error, unless it is a number.
fn check_listed(
    options: &Options,
    scripts: &mut Scripts,
    found: &mut Found,
) -> Result<(), Failure> {
    let descriptions = scripts.descriptions().to_vec();
    let numbered = descriptions.iter().enumerate().filter(|(_, desc)| desc.id != 0);
    for (at, desc) in numbered {
        let mut machines = found.machines.iter();
        if !machines.any(|machine| machine.matching(desc, options.resolvers).next().is_some()) {
            return Err(Failure(scripts.no_match(at)));
        }
    }
    if !scripts.have_actions() {
        return Ok(());
    }
    for machine in &mut found.machines {
        for desc in &descriptions {
            // A probe that cannot be made on demand is one that does not match.
            let _ = machine.provide(desc, &mut found.numbers);
        }
    }
    for machine in &found.machines {
        let world = KernelWorld::new(vec![machine], options.resolvers);
        scripts.compile(&world).map_err(Failure)?;
    }
    Ok(())
}

/// `-h`: the header goes to `-o`'s file, or to one with the script's name in the working directory
/// (`lib/shop.d`: `shop.h`).
fn header(invocation: &Invocation, mut scripts: Scripts) -> Result<(), Failure> {
    let script = invocation.programs.first().map_or("", |program| program.text.as_str());
    let here = || {
        let name = Path::new(script).with_extension("h");
        name.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    let name = invocation.output.clone().unwrap_or_else(here);
    let text = scripts.header(&name).map_err(Failure)?;
    std::fs::write(&name, text).map_err(|error| {
        Failure(format!("failed to open header file '{name}': {}", system_words(&error)))
    })
}

/// Starts the commands of `-c`, each stopped before its first instruction, and grabs the
/// processes of `-p`.
fn processes(invocation: &Invocation, options: &Options) -> Result<Processes, Failure> {
    let mut all = Processes::default();
    for victim in &invocation.victims {
        match victim {
            VictimArgument::Command(line) => all.add_command(start_command(line, options)?),
            VictimArgument::Pid(text) => {
                // As strtol(3) reads it: blanks and a sign may stand in front.
                let pid = text.trim_start().parse::<i64>();
                let pid = pid.map_err(|_| Failure(format!("invalid pid: {text}")))?;
                all.grab(pid).map_err(|error| Failure(error.to_string()))?;
            }
        }
    }
    Ok(all)
}

fn start_command(line: &str, options: &Options) -> Result<Child, Failure> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let name = words.first().copied().unwrap_or("");
    let failed = |errno: Errno| Failure(format!("failed to execute {name}: {}", errno.desc()));
    find_program(name).map_err(failed)?;
    // The shell stops itself and then becomes the command, with the number that $target has.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).args(words);
    for (option, value) in &options.compiler {
        let value = value.as_deref().unwrap_or_default();
        match (option.as_str(), value.split_once('=')) {
            ("setenv", Some((name, value))) => drop(command.env(name, value)),
            ("setenv", None) => drop(command.env(value, "")),
            ("unsetenv", _) => drop(command.env_remove(value)),
            _ => {}
        }
    }
    let started = |error: &io::Error| {
        failed(error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
    };
    let child = command.spawn().map_err(|error| started(&error))?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    waitpid(pid, Some(WaitPidFlag::WUNTRACED)).map_err(failed)?;
    Ok(child)
}

/// Whether a command can be executed, as execvp(3) looks for it.
fn find_program(name: &str) -> Result<(), Errno> {
    let is_program = |path: &Path| {
        access(path, AccessFlags::X_OK)?;
        if path.is_dir() { Err(Errno::EACCES) } else { Ok(()) }
    };
    if name.contains('/') {
        return is_program(Path::new(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = std::env::split_paths(&path).any(|dir| is_program(&dir.join(name)).is_ok());
    if found && !name.is_empty() { Ok(()) } else { Err(Errno::ENOENT) }
}

fn trace(
    invocation: &Invocation,
    options: Options,
    program: Program,
    processes: Processes,
) -> Result<i32, Failure> {
    let found = find(invocation)?;
    say_missing(&found, Some(program.compiler.descriptions()));
    let Program { compiler, scripts: programs, zdefs, reports } = program;
    let printer =
        Printer::new(Sink::new(output(invocation)?), Box::new(|text: &str| complain(text)));
    let setup = Setup {
        options,
        machines: found.machines,
        numbers: found.numbers,
        waiting: found.waiting,
        watcher: found.watcher,
        compiler,
        printer,
        allow_no_match: invocation.allow_no_match || zdefs,
    };
    let mut session = Session::prepare(setup)?;
    if invocation.disassemble || session.wants("verbose") {
        disassemble(&session, invocation.guests);
    }
    let compiles = invocation.mode == Mode::Compile;
    let mut total = 0;
    for program in &programs {
        if compiles {
            report_stability(invocation, program, &reports)?;
            continue;
        }
        let matches = session.matches().get(program.descriptions.clone()).unwrap_or_default();
        let matched: usize = matches.iter().sum();
        total += matched;
        if !session.options().quiet {
            let plural = if matched == 1 { "" } else { "s" };
            let (what, name) = (program.what, &program.name);
            complain(&format!("{what} '{name}' matched {matched} probe{plural}"));
        }
        report_stability(invocation, program, &reports)?;
    }
    if compiles {
        return Ok(0);
    }
    if total == 0 && !invocation.allow_no_match && !zdefs {
        return Err(SessionError::NothingMatched.into());
    }
    let signals = signals::caught()
        .map_err(|error| Failure(format!("failed to wait for signals: {error}")))?;
    session.start().map_err(|error| brief(&error, invocation.verbose))?;
    for line in session.clamped_rates() {
        complain(&line);
    }
    if session.options().destructive && !session.options().quiet {
        complain("allowing destructive actions");
    }
    let outside = Outside { signals: Some(signals.as_fd()), processes };
    match session.run(outside) {
        Err(SessionError::Output(RecordError::Write { unread: true, .. })) => Ok(UNREAD),
        Err(SessionError::Output(RecordError::Write { words, .. })) => {
            let file = invocation.output.as_deref().unwrap_or("<stdout>");
            Err(Failure(format!("failed to write to {file}: {words}")))
        }
        ended => ended.map_err(Into::into),
    }
}

/// `-v`: how stable what one program uses is; with `-e` each of its descriptions too.
fn report_stability(
    invocation: &Invocation,
    program: &Script,
    reports: &Reports,
) -> Result<(), Failure> {
    if !invocation.verbose {
        return Ok(());
    }
    let all = reports.borrow();
    let known: Vec<_> = all.range(program.descriptions.clone()).map(|(_, one)| one).collect();
    let mut out = output(invocation)?;
    report::program(&mut out, program, &known)?;
    if invocation.mode == Mode::Compile {
        known.iter().try_for_each(|one| report::description(&mut out, one))?;
    } else {
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

#[cfg(target_os = "linux")]
/// Actions that print the names of a process's addresses.
const USER_NAMES: [&str; 6] = ["ustack(", "jstack(", "usym(", "uaddr(", "ufunc(", "umod("];

/// Probes of a command's own code need the command to be itself, with its libraries in place. So
/// does naming its addresses: it may have ended when they are printed.
#[cfg(target_os = "linux")]
fn start_programs(
    descriptions: &[ProbeDesc],
    names_user_code: bool,
    processes: &Processes,
) -> Result<(), Failure> {
    let asked = |pid: u32| {
        let mut theirs =
            descriptions.iter().filter_map(|desc| providers::linux::program::split(&desc.provider));
        theirs.any(|(_, theirs)| theirs == pid)
    };
    for pid in processes.commands().filter(|pid| names_user_code || asked(*pid)) {
        providers::linux::program::entry::run_to_entry(pid)
            .map_err(|error| Failure(format!("failed to start pid {pid}: {error}")))?;
    }
    Ok(())
}

/// `-S`: every program's objects, on standard error as in dtrace(1); with guests, each program after
/// the machine that it is for.
fn disassemble(session: &Session, guests: bool) {
    for (world, program) in session.programs() {
        if guests {
            let _heard = writeln!(io::stderr(), "\n{world}:");
        }
        for difo in &program.difos {
            let address = std::ptr::from_ref(difo).addr();
            let listing =
                dif::disasm::listing(difo).replacen("DIFO", &format!("DIFO 0x{address:x}"), 1);
            let _heard = write!(io::stderr(), "\n{listing}");
        }
    }
}

/// A failure without the lines below its first, which are for `-v`: a kernel's own log.
fn brief(error: &SessionError, verbose: bool) -> Failure {
    let text = error.to_string();
    let end = if verbose { text.len() } else { text.find('\n').unwrap_or(text.len()) };
    Failure(text.get(..end).unwrap_or_default().to_owned())
}
