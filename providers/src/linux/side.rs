//! The host's kernel as a session sees it: what it has, and the programs that run in it.

use std::{collections::HashMap, io};

use consumer::{
    link::{LinkError, TypeBlob},
    symbols::SymbolTable,
};
use dif::program::Program;
use ebpf::site::{Fired, Kind};
use host::{
    arena::{config::ArenaConfig, map::ArenaMap},
    ids::{MachineId, SlotId},
};

use crate::Missing;

use super::{
    attach::{Attached, attach},
    catalog::{Catalog, KernelProbe, Sources},
    functions::Functions,
    hook::Place,
    image, privilege,
    sites::Planned,
    syscalls,
    tracefs::Tracefs,
    uprobes,
};

/// Where a session's programs find their things.
#[derive(Debug)]
struct Opened {
    arena: ArenaMap,
    machine: MachineId,
    slot0: SlotId,
    ncpu: u32,
    program: Option<Program>,
}

/// The running kernel.
#[derive(Debug, Default)]
pub struct KernelSide {
    catalog: Catalog,
    types: Vec<TypeBlob>,
    symbols: SymbolTable,
    missing: Vec<Missing>,
    usable: bool,
    opened: Option<Opened>,
    attached: Vec<Attached>,
}

impl KernelSide {
    /// Finds out what the kernel has and what this process may do with it.
    #[must_use]
    pub fn discover() -> Self {
        let mut side = Self::default();
        let kallsyms = image::kallsyms().unwrap_or_default();
        if let Err(line) = privilege::check() {
            side.missing.push(Missing { provider: None, line });
            side.symbols = image::symbol_table(kallsyms);
            return side;
        }
        side.usable = true;
        if image::symbols(&kallsyms).next().is_none() {
            side.lacks(
                "/proc/kallsyms shows no addresses (kptr_restrict)",
                "stack() prints no names",
            );
        }
        match image::types() {
            Ok(types) => side.types = types,
            Err(error) => side.lacks(
                &format!("no BTF ({error})"),
                "only syscall and profile probes, no curthread and no typed args[]",
            ),
        }
        let tracefs = Tracefs::open();
        if let Err(error) = &tracefs {
            side.lacks(&format!("no tracefs ({error})"), "no typed args[] of system calls");
        }
        let functions: HashMap<String, u64> = image::functions(&kallsyms, syscalls::PREFIX);
        let tracefs = tracefs.ok();
        let tracefs = tracefs.as_ref();
        let probed = Functions::discover(&kallsyms, tracefs);
        let types = &side.types;
        let sources = Sources { functions: &functions, types, tracefs, probed: &probed };
        side.catalog = Catalog::new(&sources);
        side.missing.extend(absent(&side.catalog));
        side.symbols = image::symbol_table(kallsyms);
        side
    }

    fn lacks(&mut self, what: &str, cost: &str) {
        self.missing.push(Missing { provider: None, line: format!("{what}: {cost}") });
    }

    /// What is missing on this machine, a line each that says what it costs.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether programs can be run in this kernel.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.usable
    }

    /// The kernel's probes.
    #[must_use]
    pub fn probes(&self) -> &[KernelProbe] {
        &self.catalog.probes
    }

    /// Where a probe fires.
    #[must_use]
    pub fn places(&self, probe: &KernelProbe) -> Vec<Place> {
        probe.places(self.catalog.compat.as_ref())
    }

    /// The kernel's symbols.
    #[must_use]
    pub fn symbols(&self) -> SymbolTable {
        self.symbols.clone()
    }

    /// The kernel's types.
    #[must_use]
    pub fn types(&self) -> Vec<TypeBlob> {
        self.types.clone()
    }

    /// An arena that the kernel's programs can work on.
    ///
    /// # Errors
    /// The kernel has no memory for it, or the configuration is impossible.
    pub fn arena(config: ArenaConfig) -> Result<ArenaMap, LinkError> {
        ebpf::create_arena(config).map_err(|error| LinkError::Refused(error.to_string()))
    }

    /// Joins a session; CPU n fires in slot `slot0` + n.
    pub fn open(&mut self, arena: ArenaMap, machine: MachineId, slot0: SlotId, ncpu: u32) {
        self.close();
        self.opened = Some(Opened { arena, machine, slot0, ncpu, program: None });
    }

    /// Takes the session's program.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(&mut self, dof: &[u8]) -> Result<(), LinkError> {
        let program = dif::dof::read(dof).map_err(|error| LinkError::Refused(error.to_string()))?;
        if let Some(opened) = &mut self.opened {
            opened.program = Some(program);
        }
        Ok(())
    }

    /// Attaches programs, in place of what was attached. `errors` is what a fault fires. Returns
    /// how many functions could not be probed, of several: the kernel keeps some for itself.
    ///
    /// # Errors
    /// [`LinkError::Refused`]: what cannot be translated or attached, and for which probe.
    pub fn enable(
        &mut self,
        planned: Vec<Planned>,
        errors: Option<Fired>,
    ) -> Result<u32, LinkError> {
        self.attached.clear();
        if planned.is_empty() {
            return Ok(0);
        }
        let mut failed = 0;
        let Some(Opened { arena, machine, slot0, ncpu, program: Some(program) }) = &self.opened
        else {
            return Err(LinkError::Refused("the host has no session".to_owned()));
        };
        let host = ebpf::Host {
            machine: *machine,
            vmname: "host".to_owned(),
            slot0: *slot0,
            cpus: *ncpu,
            facts: self.catalog.facts,
        };
        let session = ebpf::Session::open(arena, &host, program, errors)
            .map_err(|error| LinkError::Refused(error.to_string()))?;
        let places = planned.iter().map(|one| one.hooks.len()).sum();
        allow_descriptors(places);
        for Planned { hooks, site, name } in planned {
            // Some errors name the probe themselves.
            let refused = |error: &dyn std::fmt::Display| {
                let text = error.to_string();
                let named = text.starts_with(&format!("{name}: "));
                LinkError::Refused(if named { text } else { format!("{name}: {text}") })
            };
            let program = session.program(&site).map_err(|error| match &error {
                // The kernel's reasons, for whoever asks for them.
                ebpf::Error::Verifier { log, .. } => refused(&format!("{error}\n{log}")),
                _ => refused(&error),
            })?;
            if site.kind == Kind::ManyUprobes {
                let many = uprobes::attach_many(&hooks, &program);
                if let (true, Some(error)) = (many.attached.is_empty(), &many.error) {
                    return Err(refused(&error.desc()));
                }
                failed += many.failed;
                self.attached.extend(many.attached);
                continue;
            }
            let attached: Vec<Result<Attached, io::Error>> =
                hooks.iter().map(|(hook, number)| attach(hook, *number, &program)).collect();
            if attached.iter().all(Result::is_err)
                && let Some(Err(error)) = attached.first()
            {
                return Err(refused(error));
            }
            let refusals = attached.iter().filter(|one| one.is_err()).count();
            failed += u32::try_from(refusals).unwrap_or(u32::MAX);
            self.attached.extend(attached.into_iter().flatten());
        }
        Ok(failed)
    }

    /// Starts clocks on CPUs that have come since.
    ///
    /// # Errors
    /// The kernel's.
    pub fn follow_cpus(&mut self) -> io::Result<()> {
        self.attached.iter_mut().try_for_each(Attached::follow_cpus)
    }

    /// Detaches everything.
    pub fn detach(&mut self) {
        self.attached.clear();
    }

    /// Leaves the session.
    pub fn close(&mut self) {
        self.detach();
        self.opened = None;
    }
}

/// Providers of which this kernel gives nothing, and why.
fn absent(catalog: &Catalog) -> Vec<Missing> {
    let why = [("fbt", "no kprobes in this kernel: no fbt")];
    let has = |provider: &str| catalog.probes.iter().any(|probe| probe.provider == provider);
    let line = |(provider, line): (&'static str, &str)| Missing {
        provider: Some(provider),
        line: line.to_owned(),
    };
    why.into_iter().filter(|(provider, _)| !has(provider)).map(line).collect()
}

/// Every place takes a descriptor, of which a process may usually have 1024 until it asks for as
/// many as it is allowed.
fn allow_descriptors(places: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const PLENTY: usize = 256;
    if places > PLENTY
        && let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // If not, what finds no descriptor is among what could not be instrumented.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
