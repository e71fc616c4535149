//! A session's maps and programs in the kernel.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
};

use dif::program::Program;
use host::{
    arena::{config::ArenaConfig, layout::Layout, map::ArenaMap},
    engine::plan::Loaded,
    ids::{MachineId, SlotId},
};

use nix::errno::Errno;

use crate::{
    asm::{self, Map},
    btf,
    error::{Error, MAX_ARENA},
    program,
    site::{Fired, KernelFacts, Kind, Select, Site},
    sys::{self, AttachType, ProgType, ProgramText},
    world::World,
};

/// Makes an arena in a BPF map, where the kernel's programs, this process and others meet. All of
/// its memory is taken at once.
///
/// # Errors
/// [`Error::ArenaTooLarge`], [`Error::System`] without the privilege or the memory,
/// [`Error::Arena`].
pub fn create_arena(config: ArenaConfig) -> Result<ArenaMap, Error> {
    let layout = Layout::new(config.clone()).map_err(host::arena::map::ArenaError::Config)?;
    let too_large = Error::ArenaTooLarge { have: layout.total };
    if layout.total > MAX_ARENA {
        return Err(too_large);
    }
    let size = u32::try_from(layout.total).map_err(|_| too_large)?;
    let map = sys::array_map("arena", size, true).map_err(|errno| match errno {
        Errno::ENOMEM => Error::NoMemory { have: layout.total },
        errno => Error::System { what: "making the arena's BPF map", errno },
    })?;
    Ok(ArenaMap::adopt(map, config)?)
}

/// Who fires.
#[derive(Clone, Debug)]
pub struct Host {
    /// The host's number in the session.
    pub machine: MachineId,
    /// Its name: `vmname`.
    pub vmname: String,
    /// The slot of CPU 0; CPU n has the n-th behind it.
    pub slot0: SlotId,
    /// How many CPUs there can be.
    pub cpus: u32,
    /// Where things lie in its kernel.
    pub facts: KernelFacts,
}

/// A session's part in the kernel. What it loaded is gone when the descriptors are closed.
#[derive(Debug)]
pub struct Session {
    world: Arc<World>,
    errors: Option<Fired>,
    arena: OwnedFd,
    private: OwnedFd,
}

impl Session {
    /// Takes a verified program into an arena of [`create_arena`]. `errors` are the clauses of
    /// `dtrace:::ERROR`.
    ///
    /// # Errors
    /// [`Error::Load`], [`Error::System`].
    pub fn open(
        arena: &ArenaMap,
        host: &Host,
        program: &Program,
        errors: Option<Fired>,
    ) -> Result<Self, Error> {
        let layout = arena.layout().clone();
        if layout.total > MAX_ARENA {
            return Err(Error::ArenaTooLarge { have: layout.total });
        }
        let loaded = Loaded::bind(program, &layout)?;
        let world = Arc::new(World::new(
            layout,
            program,
            loaded,
            (host.machine, &host.vmname),
            (host.slot0, host.cpus),
            host.facts,
        ));
        let system = |what| move |errno| Error::System { what, errno };
        let size = world.private.size.saturating_mul(host.cpus.max(1));
        let private = sys::array_map("private", size, false)
            .map_err(system("making the BPF map of private memory"))?;
        let arena = arena.fd().try_clone_to_owned().map_err(|error| Error::System {
            what: "keeping the arena's descriptor",
            errno: Errno::from_raw(error.raw_os_error().unwrap_or_default()),
        })?;
        Ok(Self { world, errors, arena, private })
    }

    /// Translates and loads a site's program; it runs when it is attached.
    ///
    /// # Errors
    /// [`Error::Refused`] with what cannot be translated; [`Error::Verifier`] with the kernel's
    /// log.
    pub fn program(&self, site: &Site) -> Result<OwnedFd, Error> {
        let probe = name_of(site);
        let translated = program::translate(&self.world, site, self.errors.as_ref())
            .map_err(|refused| Error::Refused { probe: probe.clone(), refused })?;
        let system = |what| move |errno| Error::System { what, errno };
        let data = sys::constant_map("constants", &translated.data)
            .map_err(system("making the BPF map of constants"))?;
        let maps = BTreeMap::from([
            (Map::Arena, self.arena.as_raw_fd()),
            (Map::Private, self.private.as_raw_fd()),
            (Map::Data, data.as_raw_fd()),
        ]);
        let live = asm::live(&translated.functions);
        let linked =
            asm::link(&live, &maps).map_err(|error| Error::Link { probe: probe.clone(), error })?;
        let (types, numbers) = btf::of_functions(&live);
        let btf = sys::load_btf(&types).map_err(system("loading type information"))?;
        let functions: Vec<[u32; 2]> =
            linked.starts.iter().zip(numbers).map(|(start, number)| [*start, number]).collect();
        let (kind, attach, attach_btf_id) = program_type(site.kind);
        sys::load_program(&ProgramText {
            kind,
            attach,
            attach_btf_id,
            name: "hypertrace",
            code: &linked.code,
            btf: btf.as_fd(),
            functions: &functions,
        })
        .map_err(|(errno, log)| Error::Verifier { probe, errno, log })
    }
}

fn program_type(kind: Kind) -> (ProgType, AttachType, u32) {
    match kind {
        Kind::RawTracepoint => (ProgType::RawTracepoint, AttachType::None, 0),
        Kind::BtfTracepoint { btf_id } => (ProgType::Tracing, AttachType::TraceRawTp, btf_id),
        Kind::FunctionEntry { btf_id } => (ProgType::Tracing, AttachType::TraceFentry, btf_id),
        Kind::FunctionReturn { btf_id } => (ProgType::Tracing, AttachType::TraceFexit, btf_id),
        Kind::PerfEvent => (ProgType::PerfEvent, AttachType::None, 0),
        Kind::Probe => (ProgType::Kprobe, AttachType::None, 0),
        Kind::ManyUprobes => (ProgType::Kprobe, AttachType::TraceUprobeMulti, 0),
    }
}

/// The probe's name, or the first one's and how many there are.
fn name_of(site: &Site) -> String {
    let (first, others) = match &site.select {
        Select::One(fired) => (Some(fired), 0),
        Select::ByKey { probes, .. } => {
            (probes.first().map(|(_, fired)| fired), probes.len().saturating_sub(1))
        }
    };
    let name = first.map_or_else(|| "no probe".to_owned(), |fired| fired.names.join(":"));
    if others == 0 { name } else { format!("{name} (and {others} more)") }
}
