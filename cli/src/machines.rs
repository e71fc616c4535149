//! The machines of a command: the host, and with `-E` all VMs there are.

use consumer::{
    discover::Watcher,
    link::{LinkError, MachineLink},
    machine::{Machine, Numbers},
};
use host::ids::MachineId;
use providers::HostLink;

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
}

/// Finds the machines. A VM that does not answer is left out, with a message.
///
/// # Errors
/// If not even the host can be used.
pub fn find(guests: bool, message: &mut dyn FnMut(String)) -> Result<Found, LinkError> {
    let mut numbers = Numbers::default();
    let host: Box<dyn MachineLink> = Box::new(HostLink::new());
    let host = Machine::fetch(MachineId(0), host, &[], &mut numbers, message)?;
    let mut found = Found { machines: vec![host], numbers, waiting: Vec::new(), watcher: None };
    if !guests {
        return Ok(found);
    }
    let mut watcher = Watcher::new(host::control::run_dir());
    for (id, link) in (1..).zip(watcher.arrivals()) {
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
