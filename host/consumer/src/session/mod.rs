//! A running session: from compiled programs and machines to output.
//!
//! ```text
//!  prepare   provide probes ─▶ match descriptions ─▶ compile once a world ─▶ arena
//!  start     open, load, enable on every machine; wait for their word
//!            WARMUP: BEGIN ─▶ ACTIVE
//!  run       switchrate: records    aggrate: aggregations    statusrate: drops
//!            machines come and go
//!  finish    COOLDOWN: END ─▶ STOPPED; nothing enabled anywhere; the rest is printed
//! ```

pub mod enabled;
pub mod fault;
mod flow;
mod lost;
mod objects;
pub mod printer;
pub mod processes;
mod programs;
pub mod run;
pub mod sink;
mod sizes;

use std::{sync::Arc, time::Duration};

use dif::program::ProbeDesc;
use dlang::{Compiled, World};
use host::{
    arena::{
        config::{ArenaConfig, ConfigError},
        map::{ArenaError, ArenaMap},
        reader::Reader,
    },
    ecb::EcbError,
    ids::{MachineId, ProbeId},
};

use crate::{
    aggregation::Aggregations,
    debuginfo::{TypeFileError, TypeFiles},
    discover::Watcher,
    link::{LinkError, MachineLink},
    machine::{Machine, Numbers},
    options::{From, Options},
};
use enabled::Enabled;
use printer::{Printer, RecordError};
use programs::Programs;

/// How long a machine may take to instrument what was enabled before tracing starts without it.
pub const ENABLE_PATIENCE: Duration = Duration::from_secs(5);

/// Compiles the session's scripts: for each kernel, as often as there are kernels.
pub trait ScriptCompiler {
    /// All probe descriptions of the scripts, in one row.
    fn descriptions(&self) -> &[ProbeDesc];

    /// The program for one world.
    ///
    /// # Errors
    /// What to say to the user, complete but for a trailing newline.
    fn compile(&mut self, world: &dyn World) -> Result<Compiled, String>;

    /// What to say of a description that matches no probe anywhere.
    fn no_match(&self, description: usize) -> String;

    /// A description matches no probe anywhere, which is an error: compiling fails with it, or with
    /// one that comes before it. Whoever cannot tell which is first need not.
    fn set_missing(&mut self, _description: usize) {}
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A script does not compile; the text is complete.
    #[error("{0}")]
    Compile(String),
    /// No probe at all was matched.
    #[error("no probes matched")]
    NothingMatched,
    /// Destructive actions without `-w`.
    #[error("could not enable tracing: Destructive actions not allowed")]
    Destructive,
    /// An option's value makes no arena.
    #[error("could not enable tracing: {0}")]
    Config(#[from] ConfigError),
    /// The arena cannot be made.
    #[error("could not enable tracing: {0}")]
    Arena(#[from] ArenaError),
    /// A buffer that is needed has less than a word.
    #[error("could not enable tracing: Enabling exceeds size of buffer")]
    TooSmall,
    /// What END records is more than the principal buffer holds.
    #[error("could not enable tracing: END enablings exceed size of principal buffer")]
    NoRoomForEnd,
    /// Buffers do not fit into memory, and `bufresize=manual` forbids to make them smaller.
    #[error("could not enable tracing: Cannot allocate memory")]
    Memory,
    /// A clause has no layout.
    #[error("could not enable tracing: {0}")]
    Layout(#[from] EcbError),
    /// A program cannot be written as DOF.
    #[error("could not enable tracing: {0}")]
    Dof(String),
    /// The host itself did not do what was asked.
    #[error("could not enable tracing: {0}")]
    Host(LinkError),
    /// Output failed.
    #[error("{0}")]
    Output(#[from] RecordError),
    /// A file of types cannot be read.
    #[error("{0}")]
    TypeFile(#[from] TypeFileError),
    /// Waiting failed.
    #[error("failed to wait: {0}")]
    Wait(nix::errno::Errno),
    /// An option of a script's pragma is wrong.
    #[error("failed to set option '{name}': {error}")]
    Option {
        /// Its name.
        name: String,
        /// Why.
        error: crate::options::OptionError,
    },
}

/// What a session is made of.
pub struct Setup {
    /// Its options.
    pub options: Options,
    /// The machines there are, the host first.
    pub machines: Vec<Machine>,
    /// Numbers of probes given out so far.
    pub numbers: Numbers,
    /// Machines that are there but not ready.
    pub waiting: Vec<Box<dyn MachineLink>>,
    /// Where further machines appear, with `-E`.
    pub watcher: Option<Watcher>,
    /// The scripts.
    pub compiler: Box<dyn ScriptCompiler>,
    /// Where output goes.
    pub printer: Printer,
    /// `-Z`: descriptions that match nothing are no error.
    pub allow_no_match: bool,
}

/// A session.
pub struct Session {
    options: Options,
    machines: Vec<Machine>,
    numbers: Numbers,
    waiting: Vec<Box<dyn MachineLink>>,
    watcher: Option<Watcher>,
    compiler: Box<dyn ScriptCompiler>,
    type_files: TypeFiles,
    printer: Printer,
    programs: Programs,
    enabled: Enabled,
    aggregations: Aggregations,
    config: ArenaConfig,
    live: Option<Live>,
    matches: Vec<usize>,
    flow: flow::FlowState,
}

/// What exists once tracing is set up.
struct Live {
    arena: Arc<ArenaMap>,
    reader: Reader,
    states: Vec<run::MachineState>,
    next_slot: u32,
    next_machine: u32,
    corrupt: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("machines", &self.machines).finish_non_exhaustive()
    }
}

impl Session {
    /// Matches descriptions and compiles the scripts for every kernel. Nothing is enabled yet.
    ///
    /// # Errors
    /// [`SessionError::Compile`], [`SessionError::Option`].
    pub fn prepare(setup: Setup) -> Result<Self, SessionError> {
        let Setup { mut options, mut machines, mut numbers, .. } = setup;
        let descriptions = setup.compiler.descriptions().to_vec();
        let mut type_files = TypeFiles::new(&options);
        for machine in &mut machines {
            type_files.apply(machine, options.resolvers)?;
            for desc in &descriptions {
                machine.provide(desc, &mut numbers).map_err(SessionError::Host)?;
            }
        }
        let matches = count_matches(&descriptions, &machines, &options);
        // A probe that is named by its number must be there, whatever else may be missing.
        let must = |desc: &ProbeDesc| !setup.allow_no_match || desc.id != 0;
        let mut all = matches.iter().zip(&descriptions);
        let missing = all.position(|(&found, desc)| found == 0 && must(desc));
        let mut compiler = setup.compiler;
        missing.into_iter().for_each(|missing| compiler.set_missing(missing));
        let mut programs = Programs::default();
        programs.compile(compiler.as_mut(), &machines, &options)?;
        if let Some(missing) = missing {
            return Err(SessionError::Compile(compiler.no_match(missing)));
        }
        for option in programs.options() {
            options
                .set(&option.name, option.value.as_deref(), From::Program)
                .map_err(|error| SessionError::Option { name: option.name.clone(), error })?;
        }
        let mut printer = setup.printer;
        for machine in &machines {
            printer.add_machine(machine.id, std::rc::Rc::clone(&machine.symbols));
        }
        let mut session = Self {
            options,
            machines,
            numbers,
            waiting: setup.waiting,
            watcher: setup.watcher,
            compiler,
            type_files,
            printer,
            programs,
            enabled: Enabled::default(),
            aggregations: Aggregations::default(),
            config: ArenaConfig::default(),
            live: None,
            matches,
            flow: flow::FlowState::default(),
        };
        session.define_aggregations();
        Ok(session)
    }

    /// How many probes each description matched, over all machines.
    #[must_use]
    pub fn matches(&self) -> &[usize] {
        &self.matches
    }

    /// The session's options, the scripts' own included.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Brings rates into their bounds; returns what to say of those that changed.
    pub fn clamped_rates(&mut self) -> Vec<String> {
        self.options.clamp_rates()
    }

    /// Whether a compile-time option without a value was set.
    #[must_use]
    pub fn wants(&self, option: &str) -> bool {
        self.options.compiler.iter().any(|(name, _)| name == option)
    }

    /// The programs by the machine they were compiled for (its name), one a kernel.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &dif::program::Program)> {
        self.programs.all().map(|(name, compiled)| (name, &compiled.program))
    }

    /// The printer, for what is to be said before and after tracing.
    pub const fn printer(&mut self) -> &mut Printer {
        &mut self.printer
    }

    fn define_aggregations(&mut self) {
        let defined: Vec<_> =
            self.programs.all().flat_map(|(_, compiled)| compiled.aggregations.clone()).collect();
        defined.iter().for_each(|aggregation| self.aggregations.define(aggregation));
    }

    /// Makes the arena and enables everything on every machine.
    ///
    /// # Errors
    /// [`SessionError`]; a guest that fails is reported and left out.
    pub fn start(&mut self) -> Result<(), SessionError> {
        if !self.options.destructive && self.programs.is_destructive() {
            return Err(SessionError::Destructive);
        }
        let kernel = self.host_works_in_kernel();
        self.size_arena(kernel)?;
        let config = self.config.clone();
        let alone = self.machines.len() == 1;
        let arena = match self.machines.first_mut().filter(|_| kernel) {
            None => ArenaMap::create(config)?,
            Some(host) => match host.link.kernel_arena(config.clone()) {
                Ok(arena) => arena,
                Err(error) if alone => return Err(SessionError::Host(error)),
                // The guests need no more than memory.
                Err(error) => {
                    self.printer.message(&format!("host: its kernel is not traced: {error}"));
                    ArenaMap::create(config)?
                }
            },
        };
        let arena = Arc::new(arena);
        let reader = Reader::new(Arc::clone(&arena));
        let next_machine = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        self.live = Some(Live {
            arena,
            reader,
            states: Vec::new(),
            next_slot: 0,
            next_machine,
            corrupt: 0,
        });
        for index in 0..self.machines.len() {
            self.attach(index)?;
        }
        self.wait_enabled();
        Ok(())
    }

    /// Whether the host's kernel will work on the arena.
    fn host_works_in_kernel(&self) -> bool {
        let Some(host) = self.machines.first().filter(|machine| machine.is_host()) else {
            return false;
        };
        self.compiler.descriptions().iter().any(|desc| {
            let matching = host.matching(desc, self.options.resolvers);
            let probes: Vec<_> = matching.map(|(local, _)| ProbeId(local)).collect();
            host.link.works_in_kernel(&probes)
        })
    }
}

/// How many probes each description matches. A session has one ERROR, however many machines
/// could fire it.
fn count_matches(
    descriptions: &[ProbeDesc],
    machines: &[Machine],
    options: &Options,
) -> Vec<usize> {
    let resolvers = options.resolvers;
    let one = |desc: &ProbeDesc| {
        if machines.iter().any(|machine| machine.matches_error(desc, resolvers)) {
            return 1;
        }
        machines.iter().map(|machine| machine.matching(desc, resolvers).count()).sum()
    };
    descriptions.iter().map(one).collect()
}

/// A machine's place among a session's.
fn index_of(machines: &[Machine], id: MachineId) -> Option<usize> {
    machines.iter().position(|machine| machine.id == id)
}
