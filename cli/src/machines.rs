//! The machines of a command: the host, and with `-E` all VMs there are.

use std::time::Duration;

use consumer::{
    discover::Watcher,
    link::{LinkError, MachineLink},
    machine::{Machine, Numbers},
};
use dif::program::ProbeDesc;
use host::ids::MachineId;
use providers::{HostLink, Missing};

/// What a command found.
pub struct Found {
    /// Machines that can be traced, the host first.
    pub machines: Vec<Machine>,
    /// Numbers of probes given out.
    pub numbers: Numbers,
    /// VMs whose guest has not said HELLO.
    pub waiting: Vec<Box<dyn MachineLink>>,
    /// Finds further VMs.
    pub watcher: Option<Watcher>,
    /// What keeps the host's kernel from being traced wholly.
    pub missing: Vec<Missing>,
}

/// How long VMs may take to answer, and guests to announce their probes, before a command begins
/// without them.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Finds the machines. A VM that does not answer is left out, with a message; a session takes it in
/// when it does.
///
/// # Errors
/// If not even the host can be used.
pub fn find(guests: bool, message: &mut dyn FnMut(String)) -> Result<Found, LinkError> {
    let mut numbers = Numbers::default();
    let host = HostLink::new();
    let missing = host.missing();
    let host: Box<dyn MachineLink> = Box::new(host);
    let host = Machine::fetch(MachineId(0), host, &[], &mut numbers, message)?;
    let mut found =
        Found { machines: vec![host], numbers, waiting: Vec::new(), watcher: None, missing };
    if !guests {
        return Ok(found);
    }
    let mut watcher = Watcher::new(host::control::run_dir());
    let settled = watcher.settle(PATIENCE);
    for name in settled.silent {
        message(format!("{name}: its monitor does not answer; it is left out until it does"));
    }
    for (id, link) in (1..).zip(settled.links) {
        let link: Box<dyn MachineLink> = Box::new(link);
        if !link.info().ready {
            found.waiting.push(link);
            continue;
        }
        let name = link.info().vmname.clone();
        let id = MachineId(id);
        match Machine::fetch(id, link, &found.machines, &mut found.numbers, message) {
            Ok(machine) => found.machines.push(machine),
            Err(error) => message(format!("{name}: {error}")),
        }
    }
    found.watcher = Some(watcher);
    Ok(found)
}

/// Whether a description may mean a probe of the host's kernel, and not only the session's own.
#[must_use]
pub fn concerns_kernel(desc: &ProbeDesc) -> bool {
    let own = matches!(desc.provider.as_str(), "dtrace" | "profile");
    let named = matches!(desc.name.as_str(), "BEGIN" | "END" | "ERROR");
    let timed = desc.name.starts_with("tick-");
    let here = desc.target.is_empty() || consumer::glob::matches(&desc.target, "host");
    here && !own && !named && !timed
}

/// Whether a description asks for what is missing: of a provider, by (the beginning of) its name.
#[must_use]
pub fn concerns(missing: &Missing, desc: &ProbeDesc) -> bool {
    let by_name = |provider: &str| {
        desc.provider.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && consumer::glob::matches(&desc.provider, provider)
    };
    concerns_kernel(desc) && missing.provider.is_none_or(by_name)
}
