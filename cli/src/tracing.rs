//! `dtrace`: from a parsed command line to an exit status.

use std::{
    io::{self, BufWriter, Write},
    os::fd::AsFd,
    process::{Child, Command},
};

use consumer::{
    options::Options,
    session::{
        Session, SessionError, Setup,
        printer::Printer,
        run::Outside,
        sink::{Sink, append_to},
    },
};
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::{
    invocation::{Invocation, Mode},
    list::{Listing, list},
    machines::{self, Found},
    scripts::{ScriptOptions, Scripts},
    signals,
};

/// Says something on standard error, as dtrace(1) does. Nobody may be reading there any more
/// (`2>&1 | head`): that is no reason to die before the guests are let go.
fn complain(text: &str) {
    let start = if text.starts_with("dtrace: ") { "" } else { "dtrace: " };
    let _heard = writeln!(io::stderr(), "{start}{text}");
}

/// A failure with its text said already or still to say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(format!("failed to write to <stdout>: {error}"))
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
        println!("dtrace: HyperTrace {}, Sun D 1.13", env!("CARGO_PKG_VERSION"));
        return Ok(0);
    }
    let mut options = Options::default();
    for (name, value) in &invocation.options {
        options
            .set(name, value.as_deref())
            .map_err(|error| Failure(format!("failed to set -x {name}: {error}")))?;
    }
    let mut compiler = script_options(invocation, &options)?;
    let children = start_commands(invocation)?;
    compiler.target = children.first().map(Child::id).or_else(|| invocation.pids.first().copied());
    let scripts = Scripts::new(invocation, &compiler).map_err(|error| Failure(error.to_string()));
    scripts.and_then(|scripts| match invocation.mode {
        Mode::List => list_probes(invocation, &options, scripts),
        _ => trace(invocation, options, scripts, children),
    })
}

/// Options that only concern compiling.
fn script_options(invocation: &Invocation, options: &Options) -> Result<ScriptOptions, Failure> {
    let mut out = ScriptOptions {
        guests: invocation.guests,
        preprocess: invocation.preprocess,
        cpp_arguments: invocation.cpp_arguments.clone(),
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
            // What they ask for is how it is anyway.
            "pspec" | "nolibs" | "zdefs" | "knodefs" | "unodefs" | "argref" => {}
            _ => {
                return Err(Failure(format!(
                    "failed to set -x {name}: option {name} is not supported yet"
                )));
            }
        }
    }
    Ok(out)
}

fn find(invocation: &Invocation) -> Result<Found, Failure> {
    machines::find(invocation.guests, &mut |text| complain(&text))
        .map_err(|error| Failure(format!("failed to initialize dtrace: {error}")))
}

fn output(invocation: &Invocation) -> Result<Box<dyn Write>, Failure> {
    match &invocation.output {
        None => Ok(Box::new(BufWriter::new(io::stdout()))),
        Some(name) => append_to(name)
            .map_err(|error| Failure(format!("failed to open output file '{name}': {error}"))),
    }
}

fn list_probes(
    invocation: &Invocation,
    options: &Options,
    scripts: Scripts,
) -> Result<i32, Failure> {
    use consumer::session::ScriptCompiler as _;
    let mut found = find(invocation)?;
    let mut out = output(invocation)?;
    let descriptions = (!invocation.programs.is_empty()).then(|| scripts.descriptions());
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
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Starts the commands of `-c`, each stopped before its first instruction.
fn start_commands(invocation: &Invocation) -> Result<Vec<Child>, Failure> {
    invocation.commands.iter().map(|line| start_command(line)).collect()
}

fn start_command(line: &str) -> Result<Child, Failure> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let failed =
        |error: &dyn std::fmt::Display| Failure(format!("failed to execute {line}: {error}"));
    // The shell stops itself and then becomes the command, with the number that $target has.
    let child = Command::new("/bin/sh")
        .args(["-c", "kill -STOP $$; exec \"$@\"", "sh"])
        .args(words)
        .spawn()
        .map_err(|error| failed(&error))?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    waitpid(pid, Some(WaitPidFlag::WUNTRACED)).map_err(|errno| failed(&errno))?;
    Ok(child)
}

fn trace(
    invocation: &Invocation,
    options: Options,
    scripts: Scripts,
    children: Vec<Child>,
) -> Result<i32, Failure> {
    let found = find(invocation)?;
    let programs = scripts.scripts().to_vec();
    let printer =
        Printer::new(Sink::new(output(invocation)?), Box::new(|text: &str| complain(text)));
    let zdefs = options.compiler.iter().any(|(name, _)| name == "zdefs");
    let setup = Setup {
        options,
        machines: found.machines,
        numbers: found.numbers,
        waiting: found.waiting,
        watcher: found.watcher,
        compiler: Box::new(scripts),
        printer,
        allow_no_match: invocation.allow_no_match || zdefs,
    };
    let mut session = Session::prepare(setup)?;
    if invocation.disassemble {
        disassemble(&session);
    }
    if invocation.verbose {
        complain("-v: stability attributes are not reported yet");
    }
    if invocation.mode == Mode::Compile {
        return Ok(0);
    }
    let mut total = 0;
    for program in &programs {
        let matches = session.matches().get(program.descriptions.clone()).unwrap_or_default();
        let matched: usize = matches.iter().sum();
        total += matched;
        if !session.options().quiet {
            let plural = if matched == 1 { "" } else { "s" };
            let (what, name) = (program.what, &program.name);
            complain(&format!("{what} '{name}' matched {matched} probe{plural}"));
        }
    }
    if total == 0 && !invocation.allow_no_match && !zdefs {
        return Err(SessionError::NothingMatched.into());
    }
    let signals = signals::caught()
        .map_err(|error| Failure(format!("failed to wait for signals: {error}")))?;
    session.start()?;
    if session.options().destructive && !session.options().quiet {
        complain("allowing destructive actions");
    }
    let outside = Outside { signals: Some(signals.as_fd()), children };
    session.run(outside).map_err(Failure::from)
}

/// `-S`: every program's objects, on standard error as in dtrace(1).
fn disassemble(session: &Session) {
    for (world, program) in session.programs() {
        for (number, difo) in program.difos.iter().enumerate() {
            let listing = dif::disasm::listing(difo);
            let _heard = writeln!(io::stderr(), "\n{world}: DIFO {number}\n{listing}");
        }
    }
}
