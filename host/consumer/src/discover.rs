//! Finding machines: one socket a VM in the run directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use host::control::MachineInfo;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{
    link::{LinkError, MachineLink},
    shim::{Greeting, ShimLink},
};

/// How often a socket that refuses is tried again before it is left alone.
const TRIES: u32 = 20;

/// How often it is looked whether somebody has begun to listen.
const LOOK: Duration = Duration::from_millis(50);

/// Watches the run directory. A socket is created before somebody listens on it, so one that
/// refuses is tried again a few times. One that listens may take its time to say who it is: nobody
/// waits for it.
#[derive(Debug)]
pub struct Watcher {
    dir: PathBuf,
    /// Sockets that somebody in this session is connected to.
    known: BTreeSet<OsString>,
    /// Sockets that refused, and how often.
    refusing: BTreeMap<OsString, u32>,
    /// Those that have not answered yet.
    asked: BTreeMap<OsString, Greeting>,
}

/// The machines that a command begins with.
#[derive(Debug)]
pub struct Settled {
    /// In order of name.
    pub links: Vec<ShimLink>,
    /// Names of those that did not say who they are.
    pub silent: Vec<String>,
}

impl Watcher {
    /// Watches a directory, which need not exist yet.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir, known: BTreeSet::new(), refusing: BTreeMap::new(), asked: BTreeMap::new() }
    }

    /// Every machine that was not there before and has said who it is, in order of name. Does not
    /// wait.
    pub fn arrivals(&mut self) -> Vec<ShimLink> {
        let names = sockets(&self.dir);
        self.known.retain(|name| names.contains(name));
        self.refusing.retain(|name, _| names.contains(name));
        self.asked.retain(|name, _| names.contains(name));
        for name in names {
            let tried = self.refusing.get(&name).copied().unwrap_or(0);
            if self.known.contains(&name) || self.asked.contains_key(&name) || tried >= TRIES {
                continue;
            }
            match Greeting::send(&self.dir.join(&name)) {
                Ok(greeting) => drop(self.asked.insert(name, greeting)),
                Err(_) => drop(self.refusing.insert(name, tried + 1)),
            }
        }
        self.answers()
    }

    /// Those that have answered by now.
    fn answers(&mut self) -> Vec<ShimLink> {
        let mut found = Vec::new();
        for (name, mut greeting) in std::mem::take(&mut self.asked) {
            match greeting.answer() {
                Ok(true) => {
                    self.refusing.remove(&name);
                    self.known.insert(name);
                    found.push(greeting.into_link());
                }
                Ok(false) => drop(self.asked.insert(name, greeting)),
                Err(_) => *self.refusing.entry(name).or_default() += 1,
            }
        }
        found
    }

    /// As [`Watcher::arrivals`], but waits so long for those that listen to answer, and for guests
    /// that are announcing their probes to have done so.
    pub fn settle(&mut self, patience: Duration) -> Settled {
        let deadline = Instant::now() + patience;
        let mut links = Vec::new();
        loop {
            links.extend(self.arrivals());
            // What they say is who they are; a link that is closed is found out by whoever uses it.
            links.iter_mut().for_each(|link| while link.event().is_some() {});
            let starting = links.iter().filter(|link| is_starting(link.info()));
            let fds = starting.filter_map(ShimLink::wait_fd);
            let fds = fds.chain(self.asked.values().map(Greeting::wait_fd));
            let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if fds.is_empty() || left.is_zero() {
                break;
            }
            let time = PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO);
            // If it fails it is looked again.
            let _ = poll(&mut fds, time);
        }
        links.sort_by(|a, b| a.info().vmname.cmp(&b.info().vmname));
        let name = |file: &OsString| Path::new(file).with_extension("").display().to_string();
        Settled { links, silent: self.asked.keys().map(name).collect() }
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

/// Whether a guest has said HELLO, but not yet what probes it has.
const fn is_starting(info: &MachineInfo) -> bool {
    info.os != 0 && !info.ready
}

fn sockets(dir: &Path) -> BTreeSet<OsString> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "sock"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::control::{Listener, Reply};

    /// A directory of the test's own.
    struct Dir(PathBuf);

    impl Dir {
        fn new(test: &str) -> Self {
            let name = format!("hypertrace-{test}-{}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            fs::create_dir(&dir).expect("a directory");
            Self(dir)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A monitor that is slow to answer is named, does not hold anybody up, and is found when it has
    /// answered.
    #[test]
    fn slow_monitors_are_found_later() {
        let dir = Dir::new("slow");
        let listener = Listener::bind(&dir.0.join("vm-slow.sock")).expect("binds");
        let mut watcher = Watcher::new(dir.0.clone());
        let settled = watcher.settle(Duration::ZERO);
        assert!(settled.links.is_empty());
        assert_eq!(settled.silent, ["vm-slow"]);
        assert!(watcher.arrivals().is_empty());

        let monitor = listener.accept().expect("accepts").expect("the first connection stays");
        assert!(listener.accept().expect("accepts").is_none(), "it is asked once");
        let info = MachineInfo { vmname: "vm-slow".into(), ..MachineInfo::default() };
        monitor.send(&Reply::Machine(info), None).expect("sends");
        let found = watcher.arrivals();
        let names: Vec<_> = found.iter().map(|link| link.info().vmname.as_str()).collect();
        assert_eq!(names, ["vm-slow"]);
        assert!(watcher.arrivals().is_empty(), "it arrives once");
    }

    /// A guest that is announcing its probes is waited for.
    #[test]
    fn starting_guests_are_waited_for() {
        let dir = Dir::new("starting");
        let listener = Listener::bind(&dir.0.join("vm.sock")).expect("binds");
        let monitor = std::thread::spawn(move || {
            let monitor = loop {
                if let Some(monitor) = listener.accept().expect("accepts") {
                    break monitor;
                }
                std::thread::yield_now();
            };
            let starting = MachineInfo { os: 1, ..MachineInfo::default() };
            monitor.send(&Reply::Machine(starting.clone()), None).expect("sends");
            monitor.receive().expect("hello");
            let ready = MachineInfo { ready: true, ..starting };
            monitor.send(&Reply::MachineUp(ready), None).expect("sends");
            (listener, monitor)
        });
        let settled = Watcher::new(dir.0.clone()).settle(Duration::from_secs(600));
        assert!(settled.silent.is_empty());
        assert!(settled.links.iter().all(|link| link.info().ready));
        assert_eq!(settled.links.len(), 1);
        drop(monitor.join().expect("ends"));
    }
}
