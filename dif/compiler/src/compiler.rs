//! The compiler as its users see it.
//!
//! ```text
//!  Compiler::new(options)
//!      .add_script(origin, text)     scripts and specifiers; syntax is checked at once
//!      .compile(&world) ──▶ Compiled     once a world
//! ```
//! A script is parsed once, and again for a world that answers differently where the parser must know
//! whether a name is a type's; it is checked and generated against the world's types. Variables and
//! aggregations are numbered by one registry, so that all worlds' programs work on the same cells.
//!
//! A clause whose description matches nothing in a world makes no ECB there. It is still checked,
//! and errors in it forgotten: a variable it writes may be read by a clause that does match, and
//! must have its type by then.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use dif::program::{OptionSetting, Program};

use crate::{
    ast::{
        BinaryOp, Clause, Expr, ExprKind, Ident, IntLit, Item, Pragma, PragmaKind, Provider,
        VarScope,
    },
    clause,
    compiled::{Aggregation, Compiled, Statement, StatementKind},
    dlib,
    error::{Error, ErrorTag},
    link::{Needs, Recorder},
    macros::Macros,
    parser::{self, ParseOptions},
    sema::{
        Checked, Cx, fail,
        registry::{Registry, is_number},
    },
    source::{Origin, Source, SourceId, SourceMap, Span},
    stability::{Attributes, Report, Stabilities},
    sugar,
    types::Types,
    world::{Os, World},
};

/// How scripts are compiled.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// `-E`: probe descriptions may have five fields, the target leading.
    pub with_target: bool,
    /// Macro variables and the script's arguments.
    pub macros: Macros,
    /// `-x empty`: a script without clauses and declarations is no error.
    pub allow_empty: bool,
    /// No instructions but FreeBSD's, for its kernel: `++` of a global may lose one.
    pub classic: bool,
    /// The program shall be linked for other kernels: what it takes from this one's types is noted
    /// ([`Compiled::needs`]).
    pub linkable: bool,
    /// Say how stable descriptions and clauses are ([`Compiled::stability`]).
    pub stability: bool,
    /// `-x amin=`: nothing may be less stable.
    pub least: Option<Attributes>,
    /// `-x cpu=`: clauses of all but `dtrace`'s own probes and `tick-N` are for this CPU alone.
    pub cpu: Option<u32>,
}

/// What a script holds, shared by all who read it.
type Items = Arc<[Item]>;

/// Compiles scripts for any number of worlds.
#[derive(Debug)]
pub struct Compiler {
    options: CompileOptions,
    sources: SourceMap,
    scripts: Vec<Script>,
    /// The D library, read once an operating system.
    libraries: Vec<(Os, Items)>,
    /// `-L`: libraries of the user's own, in the order in which they need each other.
    own_libraries: Vec<Items>,
    registry: Registry,
    /// [`Compiler::set_missing`].
    missing: Option<(usize, Error)>,
}

/// A script as it was read when it was added.
#[derive(Debug)]
struct Script {
    id: SourceId,
    items: Items,
    /// The names that the parser asked about, and what it was told: a type's name or not.
    asked: HashMap<String, bool>,
}

impl Compiler {
    /// A compiler without any text yet.
    #[must_use]
    pub fn new(options: CompileOptions) -> Self {
        Self {
            options,
            sources: SourceMap::new(),
            scripts: Vec::new(),
            libraries: Vec::new(),
            own_libraries: Vec::new(),
            registry: Registry::default(),
            missing: None,
        }
    }

    /// Takes in a script or a specifier of the command line and checks its syntax.
    ///
    /// # Errors
    /// The first error in its syntax. The text stays known, so that [`Compiler::render`] can show
    /// where, but is not compiled.
    pub fn add_script(
        &mut self,
        origin: Origin,
        text: impl Into<Vec<u8>>,
    ) -> Result<SourceId, Error> {
        let id = self.add(origin, text)?;
        self.options.macros.begin_text();
        let asked = RefCell::new(HashMap::new());
        let is_type = |name: &str| {
            let answer = is_likely_type(name);
            asked.borrow_mut().entry(name.to_owned()).or_insert(answer);
            answer
        };
        let items = self.parse(id, &is_type)?.items.into();
        self.scripts.push(Script { id, items, asked: asked.into_inner() });
        Ok(id)
    }

    /// Takes in libraries of the user's own (`-L`), each with the name by which others depend on it:
    /// they are read before all scripts, those first that others depend on. Clauses in them mean
    /// nothing.
    ///
    /// # Errors
    /// The first error in their syntax; `D_PRAGMA_DEPEND` if they depend on each other in a circle.
    pub fn add_libraries(&mut self, files: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let mut read = Vec::new();
        for (name, text) in files {
            let id = self.add(Origin::Library(name.clone()), text)?;
            let items: Items = self.parse_library(id)?;
            read.push((name.rsplit('/').next().unwrap_or(&name).to_owned(), items));
        }
        let known: HashSet<String> = read.iter().map(|(name, _)| name.clone()).collect();
        let mut done = HashSet::new();
        while !read.is_empty() {
            let ready = read.iter().position(|(_, items)| {
                needed_libraries(items).all(|name| done.contains(name) || !known.contains(name))
            });
            let Some(at) = ready else {
                let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!("libraries depend on each other: {}", names.join(", "));
                return Err(Error::unplaced(ErrorTag::PragmaDepend, message));
            };
            let (name, items) = read.remove(at);
            // One that needs what is not there is left out, and with it what needs it.
            if needed_libraries(&items).all(|name| done.contains(name)) {
                self.own_libraries.push(items);
                done.insert(name);
            }
        }
        Ok(())
    }

    fn parse_library(&self, id: SourceId) -> Result<Items, Error> {
        let options = ParseOptions {
            macros: &self.options.macros,
            with_target: false,
            allow_empty: true,
            is_type: &is_likely_type,
        };
        parser::parse(&self.sources, id, &options).map(|program| program.items.into())
    }

    /// What a script holds, as it was read when it was added.
    #[must_use]
    pub fn items(&self, id: SourceId) -> Items {
        let script = self.scripts.iter().find(|script| script.id == id);
        script.map_or_else(Arc::default, |script| Arc::clone(&script.items))
    }

    fn add(&mut self, origin: Origin, text: impl Into<Vec<u8>>) -> Result<SourceId, Error> {
        self.sources
            .add(origin, text)
            .map_err(|error| Error::unplaced(ErrorTag::Unknown, error.to_string()))
    }

    /// Nothing may be less stable than this from here on: `#pragma D option amin`.
    pub fn set_least(&mut self, least: Attributes) {
        self.options.least = Some(least);
    }

    /// Clauses are for one CPU alone: `-x cpu=`.
    pub fn set_cpu(&mut self, cpu: Option<u32>) {
        self.options.cpu = cpu;
    }

    /// Whether the script that was taken in last, this one, uses the last argument.
    ///
    /// # Errors
    /// `D_MACRO_UNUSED`.
    pub fn check_arguments(&self, id: SourceId) -> Result<(), Error> {
        let end = self.sources.get(id).map_or(0, |source| source.text().len());
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        self.options.macros.check_last_used(Span { source: id, start: end, end })
    }

    /// A description that matches nothing on any machine, counted over all scripts, and what to say
    /// of it. Compiling ends there, unless there is an error before it.
    pub fn set_missing(&mut self, description: usize, error: Error) {
        self.missing = Some((description, error));
    }

    /// All texts, for errors' places.
    #[must_use]
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// An error as dtrace(1) words it, with the line it is in.
    #[must_use]
    pub fn render(&self, error: &Error, errtags: bool) -> String {
        let place = error.span.map(|span| span.source);
        let in_library = |id: &SourceId| {
            let origin = self.sources.get(*id).map(Source::origin);
            matches!(origin, Some(Origin::Library(_)))
        };
        let latest = self.scripts.last().map(|script| script.id).unwrap_or_default();
        let program = place.filter(|id| !in_library(id)).unwrap_or(latest);
        error.render(&self.sources, program, errtags)
    }

    fn parse(
        &self,
        id: SourceId,
        is_type: &dyn Fn(&str) -> bool,
    ) -> Result<crate::ast::Program, Error> {
        let options = ParseOptions {
            macros: &self.options.macros,
            with_target: self.options.with_target,
            allow_empty: self.options.allow_empty,
            is_type,
        };
        parser::parse(&self.sources, id, &options)
    }

    /// Generates the program for one world.
    ///
    /// # Errors
    /// The first error, as `libdtrace` tags it.
    pub fn compile(&mut self, world: &dyn World) -> Result<Compiled, Error> {
        let library = self.library(world.os())?;
        let (script, types) = self.parse_all(world)?;
        let mut cx = Cx::new(world, types, &mut self.registry);
        cx.classic = self.options.classic;
        cx.has_target = self.options.macros.has_target();
        let mut unit = Unit {
            with_targets: self.options.with_target,
            wants_stability: self.options.stability || self.options.least.is_some(),
            cpu: self.options.cpu,
            missing: self.missing.clone(),
            ..Unit::default()
        };
        unit.stabilities.least = self.options.least;
        for item in library.iter() {
            // What this world lacks types for is missed when a script uses it.
            let _ = unit.item(&mut cx, &self.sources, item);
        }
        let clause = |item: &&Item| matches!(item, Item::Clause(_));
        for items in &self.own_libraries {
            for item in items.iter().filter(|item| !clause(item)) {
                let made =
                    match item {
                        Item::Pragma(Pragma {
                            kind: PragmaKind::DependsOn { class, .. }, ..
                        }) if class == "library" => Ok(()),
                        _ => unit.item(&mut cx, &self.sources, item),
                    };
                match made {
                    // A library for what this world has not.
                    Err(error) if error.tag == ErrorTag::PragmaDepend => break,
                    made => made?,
                }
            }
        }
        cx.end_library();
        cx.types.recorder = self.options.linkable.then(Recorder::default);
        for items in &script {
            for item in items.iter() {
                unit.item(&mut cx, &self.sources, item)?;
            }
            if !self.options.allow_empty {
                refuse_declarations_alone(items)?;
            }
        }
        unit.check_pending(&mut cx)?;
        let recorder = cx.types.recorder.take();
        let Unit { mut program, mut statements, descriptions, stability, .. } = unit;
        widen_keys(&mut program, &mut statements, self.registry.aggregations());
        let needs = recorder.map_or_else(|| Ok(Needs::default()), |r| r.finish(&mut program));
        let needs = needs.map_err(|what| {
            let message =
                format!("the program cannot be linked for other kernels: it needs {what}");
            Error::unplaced(ErrorTag::Unsupported, message)
        })?;
        Ok(Compiled {
            program,
            descriptions,
            statements,
            aggregations: self.registry.aggregations().to_vec(),
            variables: self.registry.variables(),
            stability,
            needs,
        })
    }

    /// The scripts' clauses once `if` and `else` are taken away, as `dtrace -d` shows them.
    #[must_use]
    pub fn desugared(&self) -> String {
        let items = self.scripts.iter().flat_map(|script| script.items.iter());
        let clauses = items.filter_map(|item| match item {
            Item::Clause(clause) => Some(sugar::clauses(clause)),
            _ => None,
        });
        clauses.collect()
    }

    /// The declarations of programs' own probes in the scripts, checked.
    ///
    /// # Errors
    /// The first error in a script, declarations' errors first.
    pub fn providers(&mut self, world: &dyn World) -> Result<Vec<Provider>, Error> {
        self.compile(world)?;
        let items = self.scripts.iter().flat_map(|script| script.items.iter());
        let providers = items.filter_map(|item| match item {
            Item::Provider(provider) => Some(provider.clone()),
            _ => None,
        });
        Ok(providers.collect())
    }

    /// The D library for an operating system.
    fn library(&mut self, os: Os) -> Result<Items, Error> {
        if let Some((_, items)) = self.libraries.iter().find(|(known, _)| *known == os) {
            return Ok(Arc::clone(items));
        }
        let programs = dlib::parse(&mut self.sources, os)?;
        let items: Arc<[Item]> = programs.into_iter().flat_map(|program| program.items).collect();
        self.libraries.push((os, Arc::clone(&items)));
        Ok(items)
    }

    /// The scripts, read with the world's type names known.
    fn parse_all<'w>(&self, world: &'w dyn World) -> Result<(Vec<Items>, Types<'w>), Error> {
        let types = RefCell::new(Types::new(world));
        let is_type = |name: &str| {
            let plain = name.rsplit('`').next().unwrap_or(name);
            types.borrow_mut().typedef(plain).is_some() || is_likely_type(name)
        };
        let mut items = Vec::new();
        for script in &self.scripts {
            let same = script.asked.iter().all(|(name, answer)| is_type(name) == *answer);
            items.push(if same {
                Arc::clone(&script.items)
            } else {
                self.parse(script.id, &is_type)?.items.into()
            });
        }
        Ok((items, types.into_inner()))
    }
}

/// A script that only declares is as empty as one without any text.
fn refuse_declarations_alone(items: &[Item]) -> Checked<()> {
    let declares = |item: &Item| matches!(item, Item::Declaration(_) | Item::Pragma(_));
    match items.iter().rfind(|item| matches!(item, Item::Declaration(_))) {
        Some(last) if items.iter().all(declares) => {
            Err(Error::new(ErrorTag::Empty, last.span(), parser::EMPTY))
        }
        _ => Ok(()),
    }
}

/// Makes integer elements of an aggregation's key as wide in every statement as in the widest.
fn widen_keys(program: &mut Program, statements: &mut [Statement], all: &[Aggregation]) {
    for statement in statements {
        let StatementKind::Aggregate(id) = &statement.kind else { continue };
        let Some(known) = all.iter().find(|known| known.id == *id) else { continue };
        let ecb = statement.ecb.0;
        let actions = usize::try_from(ecb).ok().and_then(|ecb| program.ecbs.get(ecb));
        for (arg, key) in statement.args.iter_mut().zip(&known.keys) {
            if !is_number(&key.kind) || arg.size == key.size {
                continue;
            }
            arg.size = key.size;
            arg.kind = key.kind.clone();
            let action = actions.and_then(|ecb| ecb.actions.get(arg.action));
            let difo = action.and_then(|action| usize::try_from(action.difo?.0).ok());
            if let Some(difo) = difo.and_then(|difo| program.difos.get_mut(difo)) {
                difo.ret.size = key.size;
            }
        }
    }
}

/// The names of the libraries that one depends on.
fn needed_libraries(items: &[Item]) -> impl Iterator<Item = &str> {
    items.iter().filter_map(|item| match item {
        Item::Pragma(Pragma { kind: PragmaKind::DependsOn { class, name }, .. }) => {
            (class == "library").then_some(name.as_str())
        }
        _ => None,
    })
}

/// A clause for one CPU alone, unless its probes fire in `dtrace` itself.
fn on_cpu(clause: &Clause, desc: &dif::program::ProbeDesc, cpu: u32) -> Option<Clause> {
    let own = ["BEGIN", "END", "ERROR"].contains(&desc.name.as_str());
    if own || desc.name.starts_with("tick-") {
        return None;
    }
    let span = clause.span;
    let name = Ident { name: "cpu".to_owned(), span };
    let here = Expr::new(ExprKind::Var { scope: VarScope::Global, name }, span);
    let wanted = Expr::new(ExprKind::Int(IntLit::plain(cpu.into())), span);
    let both = |op, left, right| {
        let (left, right) = (Box::new(left), Box::new(right));
        Expr::new(ExprKind::Binary { op, left, right }, span)
    };
    let test = both(BinaryOp::Eq, here, wanted);
    let predicate = match clause.predicate.clone() {
        Some(predicate) => both(BinaryOp::And, test, predicate),
        None => test,
    };
    Some(Clause { predicate: Some(predicate), ..clause.clone() })
}

/// Names that are a type's wherever the place leaves it open and nothing more is known.
fn is_likely_type(name: &str) -> bool {
    name.ends_with("_t")
}

/// A program in the making.
#[derive(Default)]
struct Unit {
    program: Program,
    statements: Vec<Statement>,
    descriptions: Vec<(usize, dif::program::ProbeDesc)>,
    clauses: u32,
    specifiers: usize,
    /// Names that pragmas speak of.
    pending: Vec<(String, Span)>,
    /// Descriptions may name targets.
    with_targets: bool,
    /// Somebody asks how stable things are, or has set a limit.
    wants_stability: bool,
    /// [`CompileOptions::cpu`].
    cpu: Option<u32>,
    /// [`Compiler::set_missing`].
    missing: Option<(usize, Error)>,
    stabilities: Stabilities,
    stability: Vec<Report>,
}

impl Unit {
    fn item(&mut self, cx: &mut Cx<'_, '_>, sources: &SourceMap, item: &Item) -> Checked<()> {
        match item {
            Item::Declaration(declaration) => cx.declaration(declaration),
            Item::Inline(inline) => {
                cx.define_inline(inline)?;
                if self.wants_stability {
                    self.stabilities.inline(cx, inline);
                }
                Ok(())
            }
            Item::Translator(translator) => cx.define_translator(translator),
            Item::Provider(provider) => cx.define_provider(provider),
            Item::Clause(clause) => {
                let made = self.clause(cx, sources, clause);
                cx.in_clause = false;
                made
            }
            Item::Pragma(pragma) => self.pragma(cx, pragma),
        }
    }

    /// `attributes` and `binding` are for what the script itself defines, here or later.
    fn pragma(&mut self, cx: &mut Cx<'_, '_>, pragma: &Pragma) -> Checked<()> {
        let name = match &pragma.kind {
            PragmaKind::Option { name, value } => {
                let option = OptionSetting { name: name.clone(), value: value.clone() };
                self.program.options.push(option);
                return Ok(());
            }
            PragmaKind::DependsOn { class, .. } if class == "library" => {
                let message = "main program may not explicitly depend on a library";
                return fail(ErrorTag::PragmaDepend, pragma.span, message);
            }
            PragmaKind::DependsOn { class, name } => {
                return self.depends_on(cx, class, name, pragma.span);
            }
            PragmaKind::Attributes { subject, .. } => {
                self.stabilities.pragma(pragma)?;
                match &subject[..] {
                    [name] => name,
                    _ => return Ok(()),
                }
            }
            PragmaKind::Binding { name, .. } => name,
        };
        if cx.is_foreign(name) {
            let message =
                format!("#pragma cannot modify {name}: it is defined outside the program");
            return fail(ErrorTag::PragmaScope, pragma.span, message);
        }
        self.pending.push((name.clone(), pragma.span));
        Ok(())
    }

    /// What a script says it cannot do without must be there. With targets that is no error: one
    /// machine may have what another lacks.
    fn depends_on(&self, cx: &Cx<'_, '_>, class: &str, name: &str, span: Span) -> Checked<()> {
        let found = match class {
            // Makes its probes as they are asked for: there may be none now.
            "provider" if name == "profile" => true,
            "provider" => {
                let provider = name.to_owned();
                cx.world.matches(&dif::program::ProbeDesc { provider, ..Default::default() }) > 0
            }
            _ => {
                let kernel = ["kernel", "vmlinux"];
                let same = |module: &str| {
                    module == name || kernel.contains(&module) && kernel.contains(&name)
                };
                cx.world.types().iter().any(|container| same(container.module))
            }
        };
        if found || self.with_targets {
            return Ok(());
        }
        fail(ErrorTag::PragmaDepend, span, format!("program requires {class} {name}"))
    }

    /// Every pragma must have found what it speaks of.
    fn check_pending(&self, cx: &mut Cx<'_, '_>) -> Checked<()> {
        for (name, span) in &self.pending {
            if !cx.is_defined(name) {
                let message = format!("unused #pragma for {name}");
                return fail(ErrorTag::PragmaUnused, *span, message);
            }
        }
        Ok(())
    }

    fn clause(&mut self, cx: &mut Cx<'_, '_>, sources: &SourceMap, clause: &Clause) -> Checked<()> {
        let number = self.clauses;
        self.clauses += 1;
        for spec in &clause.probes {
            let specifier = self.specifiers;
            self.specifiers += 1;
            if let Some((_, error)) = self.missing.as_ref().filter(|(at, _)| *at == specifier) {
                return Err(error.clone());
            }
            cx.begin(&spec.desc);
            if let Some(recorder) = &mut cx.types.recorder {
                recorder.begin_clause();
            }
            let first = self.program.ecbs.len();
            let matched = cx.world.matches(&spec.desc) > 0;
            let limited = self.cpu.and_then(|cpu| on_cpu(clause, &spec.desc, cpu));
            let ecbs = match clause::compile(cx, limited.as_ref().unwrap_or(clause)) {
                Ok(ecbs) => ecbs,
                Err(error) if matched => return Err(error),
                Err(_) => Vec::new(),
            };
            let ecbs = if matched { ecbs } else { Vec::new() };
            if matched && self.wants_stability {
                let (parts, probe, statements) = self.stabilities.clause(cx, clause, &spec.desc)?;
                let (description, args) = (specifier, parts.args);
                self.stability.push(Report { description, probe, args, statements });
            }
            let line = |span: Span| {
                sources.get(span.source).map_or(0, |source| source.locate(span.start).line)
            };
            for ecb in ecbs {
                ecb.install(&mut self.program, &mut self.statements, &spec.desc, number, line);
                self.descriptions.push((specifier, spec.desc.clone()));
            }
            if let Some(recorder) = &mut cx.types.recorder {
                recorder.end_clause(first..self.program.ecbs.len());
            }
        }
        Ok(())
    }
}
