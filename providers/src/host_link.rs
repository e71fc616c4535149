//! The host as a machine, in this process.
//!
//! ```text
//!  session's thread ── slot 0 ── BEGIN, END, tick-N (one at a time: a lock)
//!  clock thread ────── slot 0 ── tick-N
//!  the kernel's CPU n ─ slot 1+n ── all other probes: programs in the kernel
//! ```
//! Probes of the profile provider exist as soon as somebody asks for them. Where programs cannot
//! be run in the kernel, `profile-N` fires in a thread a CPU of the consumer, so that `pid` and
//! `execname` are the consumer's own: a clock, not a profile of the host.

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
    cpus,
    identity::Identity,
    interval::{TimedKind, TimedProbe, timed_probe},
    react::{beyond, react},
};
#[cfg(target_os = "linux")]
use crate::{
    linux::{
        catalog::{KernelProbe, Source},
        hook::Place,
        program::{self, Provided},
        side::KernelSide,
        sites,
    },
    user::UserSymbols,
};
#[cfg(target_os = "linux")]
use consumer::link::UserFrame;
#[cfg(target_os = "linux")]
use host::arena::config::ArenaConfig;

/// The session's own probes, from number 1. The kernel's come next, and then those that somebody
/// asked for.
const FIXED: [&str; 3] = ["BEGIN", "END", "ERROR"];

/// The most timed probes of one session.
const MAX_TIMED: usize = 256;

/// A probe that exists because somebody asked for it.
#[derive(Clone, Debug)]
enum Asked {
    Timed(Timed),
    /// Of a user program.
    #[cfg(target_os = "linux")]
    Program(KernelProbe),
}

/// A timed probe.
#[derive(Clone, Debug)]
struct Timed {
    name: String,
    probe: TimedProbe,
}

/// The kernel of a system whose own probes are not reached.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    #[derive(Debug)]
    pub(super) struct KernelProbe {
        pub(super) provider: std::borrow::Cow<'static, str>,
        pub(super) module: String,
        pub(super) function: String,
        pub(super) name: String,
        pub(super) args: String,
        pub(super) kind: hypercall::ProbeKind,
        pub(super) nargs: u8,
    }
}
#[cfg(not(target_os = "linux"))]
use elsewhere::KernelProbe;

/// What a probe of the host's is.
#[derive(Clone, Copy, Debug)]
enum Known<'a> {
    /// The session's own.
    Fixed(&'static str),
    Kernel(&'a KernelProbe),
    Timed(&'a Timed),
}

#[cfg(target_os = "linux")]
impl Asked {
    /// What tells a program's probe from all others: two functions may have one name.
    fn place(&self) -> Option<(&str, &str, &str, &str, &Source)> {
        match self {
            Self::Timed(_) => None,
            Self::Program(it) => {
                Some((&it.provider, &it.module, &it.function, &it.name, &it.source))
            }
        }
    }
}

impl<'a> Known<'a> {
    const fn of(asked: &'a Asked) -> Self {
        match asked {
            Asked::Timed(timed) => Self::Timed(timed),
            #[cfg(target_os = "linux")]
            Asked::Program(probe) => Self::Kernel(probe),
        }
    }
}

/// The host's probes.
#[derive(Debug)]
struct Table {
    #[cfg(target_os = "linux")]
    kernel: KernelSide,
    /// How many probes of programs were too many.
    #[cfg(target_os = "linux")]
    left_out: u32,
    asked: Vec<Asked>,
}

impl Table {
    #[cfg(target_os = "linux")]
    fn kernel(&self) -> &[KernelProbe] {
        self.kernel.probes()
    }

    #[cfg(not(target_os = "linux"))]
    fn kernel(&self) -> &[KernelProbe] {
        &[]
    }

    /// The probe with a number of the host's.
    fn get(&self, probe: ProbeId) -> Option<Known<'_>> {
        let index = usize::try_from(probe.0).ok()?.checked_sub(1)?;
        if let Some(name) = FIXED.get(index) {
            return Some(Known::Fixed(name));
        }
        let index = index - FIXED.len();
        match self.kernel().get(index) {
            Some(probe) => Some(Known::Kernel(probe)),
            None => self.asked.get(index - self.kernel().len()).map(Known::of),
        }
    }

    /// Whether a probe fires in the kernel.
    fn in_kernel(&self, probe: ProbeId) -> bool {
        match self.get(probe) {
            Some(Known::Kernel(_)) => true,
            #[cfg(target_os = "linux")]
            Some(Known::Timed(timed)) => {
                timed.probe.kind == TimedKind::Profile && self.kernel.is_usable()
            }
            _ => false,
        }
    }

    /// Where a probe fires in the kernel.
    #[cfg(target_os = "linux")]
    fn places(&self, probe: ProbeId) -> Vec<Place> {
        match self.get(probe) {
            Some(Known::Kernel(probe)) => self.kernel.places(probe),
            Some(Known::Timed(timed)) if self.in_kernel(probe) => {
                vec![crate::linux::standard::clock(timed.probe.interval)]
            }
            _ => Vec::new(),
        }
    }

    /// Makes a timed probe, unless it is there; whether one was made.
    fn provide_clock(&mut self, desc: &ProbeDesc) -> bool {
        let plain = desc.module.is_empty() && desc.function.is_empty();
        let timed = || {
            self.asked.iter().filter_map(|asked| match Known::of(asked) {
                Known::Timed(timed) => Some(timed),
                _ => None,
            })
        };
        let known = timed().any(|timed| timed.name == desc.name);
        if !plain || known || timed().count() >= MAX_TIMED {
            return false;
        }
        let probe = timed_probe(&desc.name);
        let made = probe.map(|probe| Asked::Timed(Timed { name: desc.name.clone(), probe }));
        self.asked.extend(made);
        probe.is_some()
    }

    /// Makes probes of a user program, those that are not there; whether any was made.
    #[cfg(target_os = "linux")]
    fn provide_program(&mut self, desc: &ProbeDesc) -> bool {
        use std::collections::HashSet;
        if !self.kernel.is_usable() {
            return false;
        }
        let Provided { probes, left_out } = program::provide(desc);
        self.left_out = self.left_out.saturating_add(left_out);
        let known: HashSet<_> = self.asked.iter().filter_map(Asked::place).collect();
        let new: Vec<Asked> = probes
            .into_iter()
            .map(Asked::Program)
            .filter(|probe| probe.place().is_some_and(|place| !known.contains(&place)))
            .collect();
        let any = !new.is_empty();
        drop(known);
        self.asked.extend(new);
        any
    }

    fn entry(&self, probe: Known<'_>, blob: &mut Vec<u8>) -> bool {
        let mut entry = ProbeEntry {
            kind: ProbeKind::Other,
            nargs: 0,
            address: 0,
            provider: "dtrace",
            module: "",
            function: "",
            name: "",
            args: "",
        };
        match probe {
            Known::Fixed(name) => probes::append(blob, &ProbeEntry { name, ..entry }),
            Known::Kernel(probe) => {
                let KernelProbe { provider, module, function, name, args, kind, nargs, .. } = probe;
                entry = ProbeEntry { kind: *kind, nargs: *nargs, provider, name, args, ..entry };
                probes::append(blob, &ProbeEntry { module, function, ..entry })
            }
            Known::Timed(timed) => {
                let kind = match timed.probe.kind {
                    TimedKind::Tick => ProbeKind::Tick,
                    TimedKind::Profile => ProbeKind::Profile,
                };
                let name = &timed.name;
                probes::append(blob, &ProbeEntry { kind, provider: "profile", name, ..entry })
            }
        }
    }
}

impl ProbeNames for Table {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        if probe == ProbeId::ERROR {
            return Some(["dtrace", "", "", "ERROR"]);
        }
        Some(match self.get(probe)? {
            Known::Fixed(name) => ["dtrace", "", "", name],
            Known::Kernel(one) => [&one.provider, &one.module, &one.function, &one.name],
            Known::Timed(timed) => ["profile", "", "", &timed.name],
        })
    }
}

/// The host.
#[derive(Debug)]
pub struct HostLink {
    info: MachineInfo,
    engine: Arc<Engine>,
    table: Table,
    session: Option<SessionId>,
    enabled: Vec<ProbeId>,
    /// For each clause what no thread of ours can do.
    beyond: Vec<Option<&'static str>>,
    clocks: Option<Clocks>,
    serial: Arc<std::sync::Mutex<()>>,
    /// The number of the last enabling of which something could not be carried out.
    #[cfg(target_os = "linux")]
    sequence: u32,
    /// What is to be told of it.
    told: Option<LinkEvent>,
    #[cfg(target_os = "linux")]
    looked: std::time::Instant,
    #[cfg(target_os = "linux")]
    users: UserSymbols,
    /// The session's arena is none that the kernel could work on.
    #[cfg(target_os = "linux")]
    no_kernel: bool,
}

impl HostLink {
    /// The host, without a session.
    #[must_use]
    pub fn new() -> Self {
        let info = info(cpus::possible());
        let table = Table {
            #[cfg(target_os = "linux")]
            kernel: KernelSide::discover(),
            #[cfg(target_os = "linux")]
            left_out: 0,
            asked: Vec::new(),
        };
        Self {
            engine: Arc::new(Engine::new(info.ncpu, &info.vmname)),
            info,
            table,
            session: None,
            enabled: Vec::new(),
            beyond: Vec::new(),
            clocks: None,
            serial: Arc::default(),
            #[cfg(target_os = "linux")]
            sequence: 0,
            told: None,
            #[cfg(target_os = "linux")]
            looked: std::time::Instant::now(),
            #[cfg(target_os = "linux")]
            users: UserSymbols::default(),
            #[cfg(target_os = "linux")]
            no_kernel: false,
        }
    }

    /// What keeps the host's kernel from being traced wholly: a line each, that says what is
    /// missing and what it costs.
    #[must_use]
    pub fn missing(&self) -> Vec<crate::Missing> {
        #[cfg(target_os = "linux")]
        return self.table.kernel.missing().to_vec();
        #[cfg(not(target_os = "linux"))]
        {
            let line =
                "probes of this system's kernel are not supported yet: only dtrace and profile";
            vec![crate::Missing { provider: None, line: line.into() }]
        }
    }

    fn session(&self) -> Result<SessionId, LinkError> {
        self.session.ok_or_else(|| LinkError::Refused("the host has no session".to_owned()))
    }

    /// Whether clauses that are to fire in our own threads ask for nothing but what these can do.
    fn check_within_reach(&self, enablings: &[Enabling]) -> Result<(), LinkError> {
        for enabling in enablings {
            let clause = usize::try_from(enabling.ecb).unwrap_or(usize::MAX);
            if let Some(Some(what)) = self.beyond.get(clause) {
                let names = self.table.names(enabling.probe).unwrap_or_default().join(":");
                let why = "it is for guests, not for the host";
                return Err(LinkError::Refused(format!("{names}: {what} cannot run: {why}")));
            }
        }
        Ok(())
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
        #[cfg(target_os = "linux")]
        self.table.kernel.close();
        self.engine.close_all();
    }
}

/// What runs when a clause in the kernel fails.
#[cfg(target_os = "linux")]
fn errors(enablings: &[Enabling], names: &Table) -> Option<ebpf::site::Fired> {
    let errors = enablings.iter().filter(|enabling| enabling.probe == ProbeId::ERROR);
    sites::fired(&errors.copied().collect::<Vec<_>>(), names)
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

impl MachineLink for HostLink {
    fn info(&self) -> &MachineInfo {
        &self.info
    }

    fn probes(&mut self) -> Result<ProbeTable, LinkError> {
        let table = &self.table;
        let fixed = FIXED.iter().map(|name| Known::Fixed(name));
        let kernel = table.kernel().iter().map(Known::Kernel);
        let all = fixed.chain(kernel).chain(table.asked.iter().map(Known::of));
        let (mut blob, mut count) = (Vec::new(), 0);
        for probe in all {
            if !table.entry(probe, &mut blob) {
                return Err(LinkError::Refused(format!("{probe:?}: too long a name")));
            }
            count += 1;
        }
        Ok(ProbeTable::parse(blob, count)?)
    }

    fn symbols(&mut self) -> Result<SymbolTable, LinkError> {
        #[cfg(target_os = "linux")]
        return Ok(self.table.kernel.symbols());
        #[cfg(not(target_os = "linux"))]
        Ok(SymbolTable::default())
    }

    fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError> {
        #[cfg(target_os = "linux")]
        return Ok(self.table.kernel.types());
        #[cfg(not(target_os = "linux"))]
        Ok(Vec::new())
    }

    fn provide(&mut self, desc: &ProbeDesc) -> bool {
        if consumer::glob::matches(&desc.provider, "profile") {
            return self.table.provide_clock(desc);
        }
        #[cfg(target_os = "linux")]
        return self.table.provide_program(desc);
        #[cfg(not(target_os = "linux"))]
        false
    }

    #[cfg(target_os = "linux")]
    fn module_of(&self, desc: &ProbeDesc) -> Option<String> {
        program::module_of(desc)
    }

    fn works_in_kernel(&self, probes: &[ProbeId]) -> bool {
        probes.iter().any(|probe| self.table.in_kernel(*probe))
    }

    #[cfg(target_os = "linux")]
    fn kernel_arena(&mut self, config: ArenaConfig) -> Result<ArenaMap, LinkError> {
        let arena = KernelSide::arena(config);
        self.no_kernel = arena.is_err();
        arena
    }

    fn cpu_of(&self, slot: u32) -> u32 {
        slot.saturating_sub(1)
    }

    fn open(
        &mut self,
        arena: &ArenaMap,
        machine: MachineId,
        slots: SlotRange,
    ) -> Result<(), LinkError> {
        let refused = |error: &dyn std::fmt::Display| LinkError::Refused(error.to_string());
        let again = || arena.map_again().map_err(|error| refused(&error));
        let opened = self.engine.open_mapped(again()?, machine, SlotId(slots.base), slots.count);
        self.session = Some(opened.map_err(|error| refused(&error))?);
        #[cfg(target_os = "linux")]
        {
            let (slot0, ncpu) = (SlotId(slots.base + 1), slots.count.saturating_sub(1));
            self.table.kernel.open(again()?, machine, slot0, ncpu);
        }
        Ok(())
    }

    fn load(&mut self, _generation: u64, dof: &[u8]) -> Result<(), LinkError> {
        let loaded = self.engine.load(self.session()?, dof);
        loaded.map_err(|error| LinkError::Refused(error.to_string()))?;
        self.beyond = beyond(dof).map_err(|error| LinkError::Refused(error.to_string()))?;
        #[cfg(target_os = "linux")]
        self.table.kernel.load(dof)?;
        Ok(())
    }

    fn enable(&mut self, enablings: &[Enabling]) -> Result<Option<u32>, LinkError> {
        let session = self.session()?;
        let mine: Vec<Enabling> = enablings
            .iter()
            .filter(|enabling| !self.table.in_kernel(enabling.probe))
            .copied()
            .collect();
        self.check_within_reach(&mine)?;
        self.engine
            .enable(session, &mine, &self.table)
            .map_err(|error| LinkError::Refused(error.to_string()))?;
        self.enabled = mine.iter().map(|enabling| enabling.probe).collect();
        self.enabled.sort_unstable();
        self.enabled.dedup();
        #[cfg(target_os = "linux")]
        if !self.no_kernel {
            let planned = sites::plan(enablings, &self.table, |probe| self.table.places(probe));
            let errors = errors(enablings, &self.table);
            let failed = self.table.kernel.enable(planned, errors)?;
            let failed = failed.saturating_add(std::mem::take(&mut self.table.left_out));
            if failed > 0 {
                self.sequence += 1;
                self.told = Some(LinkEvent::Enabled { sequence: self.sequence, failed });
                return Ok(Some(self.sequence));
            }
        }
        Ok(None)
    }

    fn fire(&mut self, probe: ProbeId) {
        let _serial = self.serial.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        react(self.engine.fire(LocalSlot(0), probe, &Identity::of_this_thread()));
    }

    fn activate(&mut self, on: bool) {
        self.clocks = None;
        if !on {
            #[cfg(target_os = "linux")]
            self.table.kernel.detach();
            return;
        }
        let timed = |id: &ProbeId| match self.table.get(*id)? {
            Known::Timed(timed) => Some(Fired { id: *id, probe: timed.probe }),
            _ => None,
        };
        let due: Vec<Fired> = self.enabled.iter().filter_map(timed).collect();
        if !due.is_empty() {
            let (engine, serial) = (Arc::clone(&self.engine), Arc::clone(&self.serial));
            self.clocks = Some(Clocks::start(&engine, &serial, &due, self.info.ncpu - 1));
        }
    }

    #[cfg(target_os = "linux")]
    fn note_process(&mut self, pid: u32) {
        self.users.note(pid);
    }

    #[cfg(target_os = "linux")]
    fn resolve_user(&mut self, pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
        self.users.resolve(pid, addresses)
    }

    fn event(&mut self) -> Option<LinkEvent> {
        #[cfg(target_os = "linux")]
        if self.looked.elapsed() >= std::time::Duration::from_secs(1) {
            self.looked = std::time::Instant::now();
            // A CPU that can have no clock is not profiled; the others go on.
            let _followed = self.table.kernel.follow_cpus();
        }
        self.told.take()
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
        let before = link.probes().unwrap().len();
        assert!(link.provide(&desc("tick-5s")));
        assert!(!link.provide(&desc("tick-5s")));
        assert!(!link.provide(&desc("profile-1us")));
        assert!(!link.provide(&desc("read")));
        let table = link.probes().unwrap();
        assert_eq!(table.get(1).unwrap().name, "BEGIN");
        assert_eq!(table.len(), before + 1);
        let last = u32::try_from(table.len()).unwrap();
        assert_eq!(table.get(last).unwrap().name, "tick-5s");
    }

    /// What a script reads in probename is the probe's name.
    #[test]
    fn built_in_names_are_known() {
        let mut link = HostLink::new();
        link.provide(&desc("profile-97"));
        let names = &link.table;
        assert_eq!(names.names(ProbeId(2)), Some(["dtrace", "", "", "END"]));
        let last = u32::try_from(FIXED.len() + names.kernel().len()).unwrap() + 1;
        assert_eq!(names.names(ProbeId(last)), Some(["profile", "", "", "profile-97"]));
        assert_eq!(names.names(ProbeId(last + 1)), None);
    }
}
