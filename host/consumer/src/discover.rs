//! Finding machines: one socket a VM in the run directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    link::{LinkError, MachineLink},
    shim::ShimLink,
};

/// How often a socket that does not answer is tried again before it is left alone.
const TRIES: u32 = 20;

/// Watches the run directory. A socket is created before somebody listens on it, so one that
/// refuses is tried again a few times.
#[derive(Debug)]
pub struct Watcher {
    dir: PathBuf,
    /// Sockets that somebody in this session is connected to.
    known: BTreeSet<OsString>,
    /// Sockets that did not answer, and how often.
    silent: BTreeMap<OsString, u32>,
}

impl Watcher {
    /// Watches a directory, which need not exist yet.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, known: BTreeSet::new(), silent: BTreeMap::new() }
    }

    /// Connects to every machine that was not there before, in order of name.
    pub fn arrivals(&mut self) -> Vec<ShimLink> {
        let names = sockets(&self.dir);
        self.known.retain(|name| names.contains(name));
        self.silent.retain(|name, _| names.contains(name));
        let mut found = Vec::new();
        for name in names {
            let tried = self.silent.get(&name).copied().unwrap_or(0);
            if self.known.contains(&name) || tried >= TRIES {
                continue;
            }
            match ShimLink::connect(&self.dir.join(&name)) {
                Ok(link) => {
                    self.silent.remove(&name);
                    self.known.insert(name);
                    found.push(link);
                }
                // One that listens and says nothing is not asked again.
                Err(LinkError::Timeout(_)) => drop(self.silent.insert(name, TRIES)),
                Err(_) => drop(self.silent.insert(name, tried + 1)),
            }
        }
        found
    }

    /// A machine's monitor is gone: if its socket comes back, it is another machine.
    pub fn forget(&mut self, vmname: &str) {
        self.known.remove(&OsString::from(format!("{vmname}.sock")));
    }
}

/// Connects to one machine by name.
///
/// # Errors
/// [`LinkError`]; a name that is none is [`LinkError::Refused`].
pub fn connect(dir: &Path, vmname: &str) -> Result<ShimLink, LinkError> {
    let path = host::control::socket_path(dir, vmname)
        .ok_or_else(|| LinkError::Refused(format!("{vmname}: not a machine's name")))?;
    ShimLink::connect(&path)
}

/// All machines there are now, in order of name; those that do not answer are left out.
#[must_use]
pub fn all(dir: &Path) -> Vec<ShimLink> {
    let mut links = Watcher::new(dir.to_owned()).arrivals();
    links.sort_by(|a, b| a.info().vmname.cmp(&b.info().vmname));
    links
}

fn sockets(dir: &Path) -> BTreeSet<OsString> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "sock"))
        .collect()
}
