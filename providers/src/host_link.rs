//! The host as a machine, in this process.
//!
//! ```text
//!  session's thread ── slot 0 ── BEGIN, END, tick-N (one at a time: a lock)
//!  clock thread ────── slot 0 ── tick-N
//!  a thread a CPU ──── slot 1+n ── profile-N
//! ```
//! Probes of the profile provider exist as soon as somebody asks for them. They fire in threads of
//! the consumer, so `pid` and `execname` are the consumer's own: they are clocks, not profiles of
//! the host. The host's other providers come with its kernel's.

use std::sync::Arc;

use consumer::{
    link::{LinkError, LinkEvent, MachineLink, SlotRange, TypeBlob},
    probes::{self, ProbeTable},
    symbols::SymbolTable,
};
use dif::program::ProbeDesc;
use host::{
    arena::map::ArenaMap,
    control::MachineInfo,
    engine::{Engine, ProbeNames, SessionId},
    ids::{Enabling, LocalSlot, MachineId, ProbeId, SlotId},
};
use hypercall::{ProbeEntry, ProbeKind};

use crate::{
    clock::{Clocks, Fired},
    identity::Identity,
    interval::{TimedProbe, timed_probe},
};

/// The probes that are always there, from number 1.
const FIXED: [&str; 3] = ["BEGIN", "END", "ERROR"];

/// The most timed probes of one session.
const MAX_TIMED: usize = 256;

/// A timed probe that somebody asked for.
#[derive(Clone, Debug)]
struct Timed {
    name: String,
    probe: TimedProbe,
}

/// The host.
#[derive(Debug)]
pub struct HostLink {
    info: MachineInfo,
    engine: Arc<Engine>,
    timed: Vec<Timed>,
    session: Option<SessionId>,
    enabled: Vec<ProbeId>,
    clocks: Option<Clocks>,
    serial: Arc<std::sync::Mutex<()>>,
}

impl HostLink {
    /// The host, without a session.
    #[must_use]
    pub fn new() -> Self {
        let cpus = cpus();
        let info = info(cpus);
        Self {
            engine: Arc::new(Engine::new(info.ncpu, &info.vmname)),
            info,
            timed: Vec::new(),
            session: None,
            enabled: Vec::new(),
            clocks: None,
            serial: Arc::default(),
        }
    }

    /// The timed probe with a number of the host's.
    fn timed(&self, probe: ProbeId) -> Option<&Timed> {
        let index = usize::try_from(probe.0).ok()?.checked_sub(FIXED.len() + 1)?;
        self.timed.get(index)
    }

    fn session(&self) -> Result<SessionId, LinkError> {
        self.session.ok_or_else(|| LinkError::Refused("the host has no session".to_owned()))
    }
}

impl Default for HostLink {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HostLink {
    fn drop(&mut self) {
        self.activate(false);
        self.engine.close_all();
    }
}

/// Online CPUs.
fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

fn info(cpus: u32) -> MachineInfo {
    let uname = nix::sys::utsname::uname().ok();
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let os = match text(uname.as_ref().map(|u| u.sysname())).as_str() {
        "Linux" => 1,
        "FreeBSD" => 2,
        _ => 0,
    };
    MachineInfo {
        vmname: "host".to_owned(),
        hostname: text(uname.as_ref().map(|u| u.nodename())),
        os,
        release: text(uname.as_ref().map(|u| u.release())),
        kernel_version: text(uname.as_ref().map(|u| u.version())),
        // Slot 0 for the session's own thread, and one a CPU.
        ncpu: cpus + 1,
        ready: true,
        ..MachineInfo::default()
    }
}

/// The names that built-in variables like `probename` show.
struct Names<'a>(&'a [Timed]);

impl ProbeNames for Names<'_> {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        if probe == ProbeId::ERROR {
            return Some(["dtrace", "", "", "ERROR"]);
        }
        let index = usize::try_from(probe.0).ok()?.checked_sub(1)?;
        match FIXED.get(index) {
            Some(name) => Some(["dtrace", "", "", name]),
            None => Some(["profile", "", "", &self.0.get(index - FIXED.len())?.name]),
        }
    }
}

impl MachineLink for HostLink {
    fn info(&self) -> &MachineInfo {
        &self.info
    }

    fn probes(&mut self) -> Result<ProbeTable, LinkError> {
        let fixed = FIXED.iter().map(|name| ("dtrace", *name, ProbeKind::Other));
        let timed =
            self.timed.iter().map(|timed| ("profile", timed.name.as_str(), ProbeKind::Tick));
        let mut blob = Vec::new();
        let mut count = 0;
        for (provider, name, kind) in fixed.chain(timed) {
            let entry = ProbeEntry {
                kind,
                nargs: 0,
                address: 0,
                provider,
                module: "",
                function: "",
                name,
                args: "",
            };
            if !probes::append(&mut blob, &entry) {
                return Err(LinkError::Refused(format!("{name}: too long a name")));
            }
            count += 1;
        }
        Ok(ProbeTable::parse(blob, count)?)
    }

    fn symbols(&mut self) -> Result<SymbolTable, LinkError> {
        Ok(SymbolTable::default())
    }

    fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError> {
        Ok(Vec::new())
    }

    fn provide(&mut self, desc: &ProbeDesc) -> bool {
        let ours = consumer::glob::matches(&desc.provider, "profile");
        let plain = desc.module.is_empty() && desc.function.is_empty();
        let known = self.timed.iter().any(|timed| timed.name == desc.name);
        if !ours || !plain || known || self.timed.len() >= MAX_TIMED {
            return false;
        }
        let probe = timed_probe(&desc.name);
        self.timed.extend(probe.map(|probe| Timed { name: desc.name.clone(), probe }));
        probe.is_some()
    }

    fn open(
        &mut self,
        arena: &ArenaMap,
        machine: MachineId,
        slots: SlotRange,
    ) -> Result<(), LinkError> {
        let refused = |error: &dyn std::fmt::Display| LinkError::Refused(error.to_string());
        let arena = arena.map_again().map_err(|error| refused(&error))?;
        let opened = self.engine.open_mapped(arena, machine, SlotId(slots.base), slots.count);
        self.session = Some(opened.map_err(|error| refused(&error))?);
        Ok(())
    }

    fn load(&mut self, _generation: u64, dof: &[u8]) -> Result<(), LinkError> {
        let loaded = self.engine.load(self.session()?, dof);
        loaded.map(drop).map_err(|error| LinkError::Refused(error.to_string()))
    }

    fn enable(&mut self, enablings: &[Enabling]) -> Result<Option<u32>, LinkError> {
        let names = Names(&self.timed);
        self.engine
            .enable(self.session()?, enablings, &names)
            .map_err(|error| LinkError::Refused(error.to_string()))?;
        self.enabled = enablings.iter().map(|enabling| enabling.probe).collect();
        self.enabled.sort_unstable();
        self.enabled.dedup();
        Ok(None)
    }

    fn fire(&mut self, probe: ProbeId) {
        let _serial = self.serial.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = self.engine.fire(LocalSlot(0), probe, &Identity::of_this_thread());
    }

    fn activate(&mut self, on: bool) {
        self.clocks = None;
        if !on {
            return;
        }
        let due: Vec<Fired> = self
            .enabled
            .iter()
            .filter_map(|id| Some(Fired { id: *id, probe: self.timed(*id)?.probe }))
            .collect();
        if !due.is_empty() {
            let (engine, serial) = (Arc::clone(&self.engine), Arc::clone(&self.serial));
            self.clocks = Some(Clocks::start(&engine, &serial, &due, self.info.ncpu - 1));
        }
    }

    fn event(&mut self) -> Option<LinkEvent> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desc(name: &str) -> ProbeDesc {
        ProbeDesc { name: name.into(), ..ProbeDesc::default() }
    }

    /// BEGIN, END and ERROR are always there; a timed probe from the moment it is asked for.
    #[test]
    fn timed_probes_come_on_demand() {
        let mut link = HostLink::new();
        assert_eq!(link.probes().unwrap().len(), 3);
        assert!(link.provide(&desc("tick-5s")));
        assert!(!link.provide(&desc("tick-5s")));
        assert!(!link.provide(&desc("profile-1us")));
        assert!(!link.provide(&desc("read")));
        let table = link.probes().unwrap();
        assert_eq!(table.get(1).unwrap().name, "BEGIN");
        assert_eq!(table.get(4).unwrap().name, "tick-5s");
    }

    /// What a script reads in probename is the probe's name.
    #[test]
    fn built_in_names_are_known() {
        let mut link = HostLink::new();
        link.provide(&desc("profile-97"));
        let names = Names(&link.timed);
        assert_eq!(names.names(ProbeId(2)), Some(["dtrace", "", "", "END"]));
        assert_eq!(names.names(ProbeId(4)), Some(["profile", "", "", "profile-97"]));
        assert_eq!(names.names(ProbeId(5)), None);
    }
}
