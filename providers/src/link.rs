//! The host as a machine of a session: this process.
//!
//! ```text
//!  slot 0          the consumer's thread: BEGIN, END      HostLink::fire
//!  slot 1 + cpu    that CPU's thread: tick-N, profile-N   timers
//! ```
//! Its probe table starts with `dtrace:::BEGIN`, `END` and `ERROR`, numbered 1, 2, 3 as everywhere;
//! timed probes are added when a description names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use consumer::link::{LinkError, LinkEvent, MachineLink, SlotRange, TypeBlob};
use consumer::probes::ProbeTable;
use consumer::symbols::SymbolTable;
use dif::program::ProbeDesc;
use host::arena::map::ArenaMap;
use host::control::MachineInfo;
use host::engine::{Engine, ProbeNames, SessionId};
use host::ids::{Enabling, LocalSlot, MachineId, ProbeId};
use hypercall::{Os, ProbeEntry, ProbeKind};

use crate::context::OwnContext;
use crate::interval::{TimedProbe, timed_probe};
use crate::timers::{Timer, Timers};

/// The host's `vmname`.
pub const HOST: &str = "host";

/// `dtrace:::BEGIN`.
pub const BEGIN: ProbeId = ProbeId(1);
/// `dtrace:::END`.
pub const END: ProbeId = ProbeId(2);
/// `dtrace:::ERROR` in the table; an engine knows it as [`ProbeId::ERROR`].
pub const ERROR: ProbeId = ProbeId(3);

/// The most timed probes; each costs an entry in every thread's list.
const MAX_TIMED: usize = 1024;

/// A probe of the host.
#[derive(Clone, Debug)]
struct HostProbe {
    provider: &'static str,
    name: String,
    kind: ProbeKind,
    timed: Option<TimedProbe>,
}

/// The host's probes, by number from 1.
#[derive(Clone, Debug)]
struct HostProbes(Vec<HostProbe>);

impl ProbeNames for HostProbes {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        // The engine asks for ERROR by its own number.
        let probe = if probe == ProbeId::ERROR { ERROR } else { probe };
        let index = usize::try_from(probe.0.checked_sub(1)?).ok()?;
        self.0.get(index).map(|probe| [probe.provider, "", "", probe.name.as_str()])
    }
}

/// The link to this process.
#[derive(Debug)]
pub struct HostLink {
    info: MachineInfo,
    engine: Arc<Engine>,
    probes: HostProbes,
    session: Option<SessionId>,
    timers: Timers,
    own: OwnContext,
}

impl HostLink {
    /// The host, with a thread a CPU for the timed probes.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn new() -> std::io::Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get().min(1024));
        let cpus = u32::try_from(cpus).unwrap_or(1);
        let engine = Arc::new(Engine::new(cpus + 1, HOST));
        let timers = Timers::start(&engine, cpus)?;
        Ok(Self {
            info: host_info(cpus + 1),
            engine,
            probes: HostProbes(first_probes()),
            session: None,
            timers,
            own: OwnContext::of_this_thread(0),
        })
    }

    /// Fires [`BEGIN`] or [`END`] on the calling thread, which must be the session's own.
    pub fn fire(&self, probe: ProbeId) {
        self.engine.fire(LocalSlot(0), probe, &self.own);
    }

    fn session(&self) -> Result<SessionId, LinkError> {
        self.session.ok_or_else(|| LinkError::Refused("the host has no session".to_owned()))
    }
}

impl Drop for HostLink {
    fn drop(&mut self) {
        self.timers.set(Vec::new());
        self.engine.close_all();
    }
}

impl MachineLink for HostLink {
    fn info(&self) -> &MachineInfo {
        &self.info
    }

    fn probes(&mut self) -> Result<ProbeTable, LinkError> {
        let mut blob = Vec::new();
        let mut entry = [0_u8; 256];
        for probe in &self.probes.0 {
            let written = ProbeEntry {
                kind: probe.kind,
                nargs: 0,
                address: 0,
                provider: probe.provider,
                module: "",
                function: "",
                name: &probe.name,
                args: "",
            }
            .write(&mut entry);
            blob.extend(entry.iter().take(written.unwrap_or(0)));
        }
        let count = u32::try_from(self.probes.0.len()).unwrap_or(u32::MAX);
        Ok(ProbeTable::parse(blob, count)?)
    }

    fn symbols(&mut self) -> Result<SymbolTable, LinkError> {
        Ok(SymbolTable::default())
    }

    fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError> {
        Ok(Vec::new())
    }

    fn provide(&mut self, desc: &ProbeDesc) -> bool {
        let profile = desc.provider.is_empty() || desc.provider == "profile";
        let elsewhere = !desc.module.is_empty() || !desc.function.is_empty();
        let known = self.probes.0.iter().any(|probe| probe.name == desc.name);
        let Some(timed) = timed_probe(&desc.name).filter(|_| profile && !elsewhere && !known)
        else {
            return false;
        };
        if self.probes.0.len() >= MAX_TIMED {
            return false;
        }
        let kind = if desc.name.starts_with("tick") { ProbeKind::Tick } else { ProbeKind::Profile };
        let name = desc.name.clone();
        self.probes.0.push(HostProbe { provider: "profile", name, kind, timed: Some(timed) });
        true
    }

    fn open(
        &mut self,
        arena: &ArenaMap,
        machine: MachineId,
        slots: SlotRange,
    ) -> Result<(), LinkError> {
        let arena = arena.map_again().map_err(refused)?;
        let base = host::ids::SlotId(slots.base);
        let session =
            self.engine.open_mapped(arena, machine, base, slots.count).map_err(refused)?;
        self.session = Some(session);
        Ok(())
    }

    fn load(&mut self, _generation: u64, dof: &[u8]) -> Result<(), LinkError> {
        self.engine.load(self.session()?, dof).map_err(refused)?;
        Ok(())
    }

    fn enable(&mut self, enablings: &[Enabling]) -> Result<Option<u32>, LinkError> {
        let as_engine = |it: &Enabling| match it.probe {
            ERROR => Enabling { probe: ProbeId::ERROR, ..*it },
            _ => *it,
        };
        let enablings: Vec<Enabling> = enablings.iter().map(as_engine).collect();
        self.engine.enable(self.session()?, &enablings, &self.probes).map_err(refused)?;
        let mut timers: BTreeMap<u32, Timer> = BTreeMap::new();
        for it in &enablings {
            let index = usize::try_from(it.probe.0).unwrap_or(usize::MAX).wrapping_sub(1);
            if let Some(timed) = self.probes.0.get(index).and_then(|probe| probe.timed) {
                timers.insert(it.probe.0, Timer { probe: it.probe, timed });
            }
        }
        self.timers.set(timers.into_values().collect());
        Ok(None)
    }

    fn event(&mut self) -> Option<LinkEvent> {
        None
    }
}

fn refused(error: impl std::fmt::Display) -> LinkError {
    LinkError::Refused(error.to_string())
}

fn first_probes() -> Vec<HostProbe> {
    ["BEGIN", "END", "ERROR"]
        .map(|name| HostProbe {
            provider: "dtrace",
            name: name.to_owned(),
            kind: ProbeKind::Other,
            timed: None,
        })
        .to_vec()
}

fn host_info(slots: u32) -> MachineInfo {
    let uname = nix::sys::utsname::uname();
    let text = |field: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        uname.as_ref().map(|names| field(names).to_string_lossy().into_owned()).unwrap_or_default()
    };
    MachineInfo {
        vmname: HOST.to_owned(),
        hostname: text(nix::sys::utsname::UtsName::nodename),
        os: Os::Linux.raw(),
        release: text(nix::sys::utsname::UtsName::release),
        kernel_version: text(nix::sys::utsname::UtsName::version),
        module_version: String::new(),
        boot_id: [0; 16],
        ncpu: slots,
        kernel_base: 0,
        ready: true,
        destructive: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, ERROR, HostLink};
    use consumer::link::MachineLink as _;
    use dif::program::ProbeDesc;
    use host::ids::ProbeId;

    fn name(link: &mut HostLink, probe: ProbeId) -> String {
        let table = link.probes().unwrap();
        let probe = table.get(probe.0).unwrap();
        format!("{}:::{}", probe.provider, probe.name)
    }

    #[test]
    fn the_first_three_are_begin_end_and_error() {
        let mut link = HostLink::new().unwrap();
        assert_eq!(name(&mut link, BEGIN), "dtrace:::BEGIN");
        assert_eq!(name(&mut link, END), "dtrace:::END");
        assert_eq!(name(&mut link, ERROR), "dtrace:::ERROR");
    }

    #[test]
    fn a_timed_probe_exists_once_it_is_asked_for() {
        let mut link = HostLink::new().unwrap();
        let desc = |name: &str| ProbeDesc { name: name.to_owned(), ..ProbeDesc::default() };
        assert!(link.provide(&desc("tick-5s")));
        assert!(!link.provide(&desc("tick-5s")), "it is there already");
        assert!(!link.provide(&desc("profile-1us")), "too often");
        assert!(!link.provide(&desc("tick-*")), "no number");
        assert_eq!(name(&mut link, ProbeId(4)), "profile:::tick-5s");
        assert_eq!(link.probes().unwrap().len(), 4);
    }
}
