//! The programs of one command line, as a session wants them compiled.

use std::{cell::RefCell, collections::BTreeMap, fs, rc::Rc};

use consumer::{
    options::{From as SetFrom, Options},
    session::{ScriptCompiler, printer::system_words},
};
use dif::program::ProbeDesc;
use dlang::{
    Compiled, Error, ErrorTag, World,
    ast::{Item, Pragma, PragmaKind},
    compiler::{CompileOptions, Compiler},
    macros::Macros,
    parser::unknown_id,
    source::{Origin, SourceId, Span, SpecKind},
    stability::Report,
    world::{ArgTypes, Bare},
};

use crate::{
    cpp,
    invocation::{Invocation, ProgramArgument, ProgramKind},
};

/// The compiler's part of a command line's options.
#[derive(Clone, Debug, Default)]
pub struct ScriptOptions {
    /// `-E`.
    pub guests: bool,
    /// `-C`, `-x cpp`.
    pub preprocess: bool,
    /// What cpp is given.
    pub cpp_arguments: Vec<String>,
    /// `-x defaultargs`.
    pub default_args: bool,
    /// `-x empty`.
    pub allow_empty: bool,
    /// `-x errtags`.
    pub errtags: bool,
    /// `$target`: the command's or the grabbed process.
    pub target: Option<u32>,
    /// The preprocessor: `-x cpppath`.
    pub cpp: Option<String>,
    /// The program is to be saved.
    pub linkable: bool,
    /// `-v`: say how stable what the scripts use is.
    pub verbose: bool,
    /// All options of the command line, which scripts may add to.
    pub session: Options,
}

/// A script cannot be used; the text is what to say, after `dtrace: ` where it is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(pub String);

/// One program of the command line.
#[derive(Clone, Debug)]
pub struct Script {
    /// As it was given: cut before the first predicate or action.
    pub name: String,
    /// `script` or `description`.
    pub what: &'static str,
    /// Which of the descriptions are its.
    pub descriptions: std::ops::Range<usize>,
}

/// How stable one description and its clause are, on all kernels that they were compiled for.
#[derive(Clone, Debug)]
pub struct DescriptionReport {
    /// The description.
    pub desc: ProbeDesc,
    /// Its attributes and its clause's.
    pub report: Report,
    /// The types of its probes' arguments, on the first of the kernels.
    pub types: ArgTypes,
}

/// By the description's number.
pub type Reports = Rc<RefCell<BTreeMap<usize, DescriptionReport>>>;

/// All programs of a command line.
#[derive(Debug)]
pub struct Scripts {
    compiler: Compiler,
    errtags: bool,
    options: Options,
    scripts: Vec<Script>,
    ids: Vec<SourceId>,
    descriptions: Vec<ProbeDesc>,
    places: Vec<Span>,
    reports: Reports,
}

impl Scripts {
    /// Reads all programs and checks their syntax.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn new(invocation: &Invocation, options: &ScriptOptions) -> Result<Self, ScriptError> {
        let texts = invocation.programs.iter().map(|program| text_of(program, options));
        let texts: Vec<Vec<u8>> = texts.collect::<Result<_, _>>()?;
        let asks = |name: &str| texts.iter().any(|text| has_option(text, name));
        let mut options = options.clone();
        // These two decide how a text is read, so they cannot wait until it is.
        options.default_args |= asks("defaultargs");
        options.allow_empty |= asks("empty");
        let options = &options;
        let macros = macros(invocation, options);
        let compile = CompileOptions {
            with_target: options.guests,
            macros,
            allow_empty: options.allow_empty,
            classic: false,
            linkable: options.linkable,
            stability: options.verbose,
            least: None,
            cpu: None,
        };
        let mut all = Self {
            compiler: Compiler::new(compile),
            errtags: options.errtags,
            options: options.session.clone(),
            scripts: Vec::new(),
            ids: Vec::new(),
            descriptions: Vec::new(),
            places: Vec::new(),
            reports: Reports::default(),
        };
        all.limit_stability();
        let libraries = libraries(&options.session)?;
        all.compiler.add_libraries(libraries).map_err(|error| all.rendered(&error))?;
        for (program, text) in invocation.programs.iter().zip(texts) {
            all.add(program, text)?;
        }
        all.compiler.set_cpu(all.options.cpu);
        Ok(all)
    }

    /// The programs in order.
    #[must_use]
    pub fn scripts(&self) -> &[Script] {
        &self.scripts
    }

    fn rendered(&self, error: &Error) -> ScriptError {
        ScriptError(self.compiler.render(error, self.errtags))
    }

    fn add(&mut self, program: &ProgramArgument, text: Vec<u8>) -> Result<(), ScriptError> {
        let origin = match spec_kind(program.kind) {
            Some(kind) => Origin::Specifier(kind),
            None => Origin::File(program.text.clone()),
        };
        let id = self.compiler.add_script(origin, text).map_err(|error| self.rendered(&error))?;
        self.ids.push(id);
        let first = self.descriptions.len();
        self.take_descriptions(id)?;
        if !self.has("argref") {
            self.compiler.check_arguments(id).map_err(|error| self.rendered(&error))?;
        }
        let is_script = program.kind == ProgramKind::Script;
        let cut = if is_script { None } else { program.text.find(['{', '/', ';']) };
        self.scripts.push(Script {
            name: program.text.get(..cut.unwrap_or(program.text.len())).unwrap_or("").to_owned(),
            what: if is_script { "script" } else { "description" },
            descriptions: first..self.descriptions.len(),
        });
        Ok(())
    }

    /// Notes the probe descriptions of a text, in order, and sets the options that it sets.
    fn take_descriptions(&mut self, id: SourceId) -> Result<(), ScriptError> {
        for item in self.compiler.items(id).iter() {
            match item {
                Item::Clause(clause) => {
                    self.descriptions.extend(clause.probes.iter().map(|spec| spec.desc.clone()));
                    self.places.extend(clause.probes.iter().map(|spec| spec.span));
                }
                Item::Pragma(pragma) => self.pragma(pragma)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets an option that a script sets.
    fn pragma(&mut self, pragma: &Pragma) -> Result<(), ScriptError> {
        let PragmaKind::Option { name, value } = &pragma.kind else { return Ok(()) };
        self.options.set(name, value.as_deref(), SetFrom::Program).map_err(|error| {
            let to = value.as_ref().map_or_else(String::new, |value| format!(" to '{value}'"));
            let message = format!("failed to set option '{name}'{to}: {error}");
            self.rendered(&Error::new(ErrorTag::PragmaOptset, pragma.span, message))
        })?;
        self.errtags |= name == "errtags";
        self.limit_stability();
        Ok(())
    }

    /// The clauses without `if` and `else`: `-d`.
    #[must_use]
    pub fn desugared(&self) -> String {
        self.compiler.desugared()
    }

    /// Sets the compiler's limit as the options have it: the last one counts.
    fn limit_stability(&mut self) {
        let limits = self.options.compiler.iter().filter(|(name, _)| name == "amin");
        let limit = limits.rev().find_map(|(_, value)| value.as_ref()?.parse().ok());
        limit.into_iter().for_each(|least| self.compiler.set_least(least));
    }

    /// Whether any clause has a predicate or does anything.
    #[must_use]
    pub fn have_actions(&self) -> bool {
        let acts = |item: &Item| match item {
            Item::Clause(clause) => {
                let body = clause.body.as_ref();
                clause.predicate.is_some() || body.is_some_and(|body| !body.statements.is_empty())
            }
            _ => false,
        };
        self.ids.iter().any(|id| self.compiler.items(*id).iter().any(acts))
    }

    /// What is known of the stability of what the scripts use, now and whenever they are compiled.
    #[must_use]
    pub fn reports(&self) -> Reports {
        Rc::clone(&self.reports)
    }

    /// A C header for the probes that the scripts declare. `name`: the file's.
    ///
    /// # Errors
    /// What is wrong in the scripts, in words.
    pub fn header(&mut self, name: &str) -> Result<String, String> {
        let providers = self.compiler.providers(&Bare);
        let providers = providers.map_err(|error| self.rendered(&error).0)?;
        Ok(dlang::header::generate(&providers, name))
    }

    /// Whether descriptions may match nothing: `-x zdefs`, or a script's own wish.
    #[must_use]
    pub fn zdefs(&self) -> bool {
        self.has("zdefs")
    }

    /// Whether an option of the compiler was set.
    fn has(&self, option: &str) -> bool {
        self.options.compiler.iter().any(|(name, _)| name == option)
    }

    /// Why a description that matches no probe is refused.
    fn missing(&self, description: usize) -> Error {
        let desc = self.descriptions.get(description).cloned().unwrap_or_default();
        let (tag, message) = if desc.id == 0 {
            let zero =
                || format!("probe description {} does not match any probes", described(&desc));
            no_process(&desc.provider).unwrap_or_else(|| (ErrorTag::PdescZero, zero()))
        } else {
            (ErrorTag::PdescInval, unknown_id(desc.id))
        };
        let span = self.places.get(description).copied().unwrap_or_default();
        Error::new(tag, span, message)
    }
}

impl ScriptCompiler for Scripts {
    fn descriptions(&self) -> &[ProbeDesc] {
        &self.descriptions
    }

    fn compile(&mut self, world: &dyn World) -> Result<Compiled, String> {
        let compiled = self.compiler.compile(world);
        let compiled = compiled.map_err(|error| self.compiler.render(&error, self.errtags))?;
        let mut reports = self.reports.borrow_mut();
        for one in &compiled.stability {
            let desc = self.descriptions.get(one.description).cloned().unwrap_or_default();
            let types = world.arg_types(&desc);
            let known = reports.entry(one.description).or_insert(DescriptionReport {
                desc,
                report: *one,
                types,
            });
            known.report.probe = known.report.probe.min(one.probe);
            known.report.args = known.report.args.min(one.args);
            known.report.statements = known.report.statements.min(one.statements);
        }
        Ok(compiled)
    }

    fn no_match(&self, description: usize) -> String {
        let error = self.missing(description);
        self.compiler.render(&error, self.errtags)
    }

    fn set_missing(&mut self, description: usize) {
        let error = self.missing(description);
        self.compiler.set_missing(description, error);
    }
}

/// `provider:module:function:name`, with the target in front if there is one.
#[must_use]
pub fn described(desc: &ProbeDesc) -> String {
    let ProbeDesc { target, provider, module, function, name, .. } = desc;
    let target = if target.is_empty() { String::new() } else { format!("{target}:") };
    format!("{target}{provider}:{module}:{function}:{name}")
}

/// Why a provider that is named for a process (`pid123`) cannot have any probes, if it is the
/// process's fault.
fn no_process(provider: &str) -> Option<(ErrorTag, String)> {
    let name = provider.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = provider.strip_prefix(name).filter(|digits| !digits.is_empty())?;
    if name.is_empty() {
        return Some((ErrorTag::ProcBadprov, format!("'{provider}' is not a valid provider")));
    }
    let pid = digits.parse::<i32>().ok().filter(|pid| *pid > 0);
    let Some(pid) = pid else {
        let message = format!("'{provider}' does not contain a valid pid");
        return Some((ErrorTag::ProcBadpid, message));
    };
    let there = fs::metadata(format!("/proc/{pid}")).is_ok();
    (!there).then(|| (ErrorTag::ProcGrab, format!("failed to grab process {pid}")))
}

/// The files of `-L`'s folders that end in `.d`, by name within a folder.
fn libraries(options: &Options) -> Result<Vec<(String, Vec<u8>)>, ScriptError> {
    let folders = options.compiler.iter().filter(|(name, _)| name == "libdir");
    let mut all = Vec::new();
    for folder in folders.filter_map(|(_, folder)| folder.as_deref()) {
        // As with dtrace(1), a folder that is not there has no libraries.
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|ext| ext == "d")).collect();
        paths.sort();
        for path in paths {
            let text = fs::read(&path).map_err(|error| {
                let why = system_words(&error);
                ScriptError(format!("failed to open library {}: {why}", path.display()))
            })?;
            all.push((path.display().to_string(), text));
        }
    }
    Ok(all)
}

const fn spec_kind(kind: ProgramKind) -> Option<SpecKind> {
    Some(match kind {
        ProgramKind::Provider => SpecKind::Provider,
        ProgramKind::Module => SpecKind::Module,
        ProgramKind::Function => SpecKind::Function,
        ProgramKind::Name => SpecKind::Name,
        ProgramKind::Id => SpecKind::Id,
        ProgramKind::Script => return None,
    })
}

/// `$0` and the arguments, and what a script may ask about this process.
fn macros(invocation: &Invocation, options: &ScriptOptions) -> Macros {
    let is_script = |program: &&ProgramArgument| program.kind == ProgramKind::Script;
    let name = invocation.programs.iter().find(is_script).map(|program| program.text.clone());
    let own = || std::env::args().next().unwrap_or_else(|| "dtrace".to_owned());
    let args =
        std::iter::once(name.unwrap_or_else(own)).chain(invocation.arguments.iter().cloned());
    let mut macros = Macros::new().with_args(args);
    macros.set_default_args(options.default_args);
    let own = [
        ("pid", i64::from(nix::unistd::getpid().as_raw())),
        ("ppid", i64::from(nix::unistd::getppid().as_raw())),
        ("pgid", i64::from(nix::unistd::getpgrp().as_raw())),
        ("uid", i64::from(nix::unistd::getuid().as_raw())),
        ("euid", i64::from(nix::unistd::geteuid().as_raw())),
        ("gid", i64::from(nix::unistd::getgid().as_raw())),
        ("egid", i64::from(nix::unistd::getegid().as_raw())),
        ("projid", 0),
        ("taskid", 0),
    ];
    own.into_iter().for_each(|(name, value)| macros.set(name, value));
    let sid = nix::unistd::getsid(None).map_or(0, |pid| i64::from(pid.as_raw()));
    macros.set("sid", sid);
    options.target.into_iter().for_each(|pid| macros.set("target", i64::from(pid)));
    macros
}

/// A program's text.
fn text_of(program: &ProgramArgument, options: &ScriptOptions) -> Result<Vec<u8>, ScriptError> {
    match program.kind {
        ProgramKind::Script => read_script(&program.text, options),
        _ => Ok(program.text.clone().into_bytes()),
    }
}

/// Whether a text sets an option by `#pragma D option`.
fn has_option(text: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().any(|line| {
        let words: Vec<&str> = match line.trim_start().strip_prefix('#') {
            Some(rest) => rest.split_ascii_whitespace().collect(),
            None => return false,
        };
        words == ["pragma", "D", "option", name]
    })
}

/// A script's text, run through cpp if that is asked for.
fn read_script(name: &str, options: &ScriptOptions) -> Result<Vec<u8>, ScriptError> {
    let text = fs::read(name).map_err(|error| {
        ScriptError(format!("dtrace: failed to open {name}: {}", system_words(&error)))
    })?;
    if !options.preprocess {
        return Ok(text);
    }
    cpp::run(name, &text, options.cpp.as_deref(), &options.cpp_arguments)
        .map_err(|error| ScriptError(format!("dtrace: failed to compile script {name}: {error}")))
}
