//! Names of addresses in user programs.
//!
//! A process may be gone when its stack is printed, so what is mapped where is remembered when the
//! process is first heard of. A process number is used again, and execve(2) makes another program
//! of a process: what is remembered is thrown away when the process is not the one it was.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _, path::Path};

use blazesym::{
    Pid,
    symbolize::{
        Input, Symbolized, Symbolizer, cache,
        source::{Process, Source},
    },
};
use consumer::link::UserFrame;

/// The most processes that are remembered; then all are forgotten and heard of anew.
const MOST: usize = 4096;

/// Which program a process runs: when it started, and the file it was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    started: u64,
    file: (u64, u64),
}

impl Identity {
    /// A running process's; `None` if it is gone, or a kernel thread.
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
        Some(Self { started: started(&stat)?, file: (file.dev(), file.ino()) })
    }
}

/// When a process started, in ticks since boot: the 22nd field of `/proc/pid/stat`, whose second
/// is a name in parentheses that may hold anything.
fn started(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Names addresses of processes.
#[derive(Debug, Default)]
pub struct UserSymbols {
    symbolizer: Option<Symbolizer>,
    known: HashMap<u32, Identity>,
}

impl UserSymbols {
    /// ELF symbols only: what DWARF adds (lines, inlined functions) is not printed, and slow.
    fn symbolizer(&mut self) -> &mut Symbolizer {
        self.symbolizer.get_or_insert_with(|| {
            Symbolizer::builder().enable_code_info(false).enable_inlined_fns(false).build()
        })
    }

    /// Remembers what lies where in a process, unless that is known.
    pub fn note(&mut self, pid: u32) {
        match Identity::of(pid) {
            Some(now) if self.known.get(&pid) != Some(&now) => self.remember(pid, now),
            _ => {}
        }
    }

    fn remember(&mut self, pid: u32, identity: Identity) {
        if self.known.len() >= MOST {
            self.known.clear();
            self.symbolizer = None;
        }
        let mut process = cache::Process::new(Pid::from(pid));
        process.cache_vmas = true;
        // A process that goes meanwhile is not remembered.
        if self.symbolizer().cache(&cache::Cache::Process(process)).is_ok() {
            self.known.insert(pid, identity);
        }
    }

    /// Names addresses of a process; `None` for those that nothing is known of.
    pub fn resolve(&mut self, pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
        self.note(pid);
        let alive = Identity::of(pid);
        let mut frames = self.look_up(pid, addresses, alive.is_some());
        // Libraries may have been loaded since.
        if let Some(now) = alive.filter(|_| frames.contains(&None)) {
            self.remember(pid, now);
            frames = self.look_up(pid, addresses, true);
        }
        frames
    }

    fn look_up(&mut self, pid: u32, addresses: &[u64], alive: bool) -> Vec<Option<UserFrame>> {
        let none = || vec![None; addresses.len()];
        if !self.known.contains_key(&pid) {
            return none();
        }
        let mut process = Process::new(Pid::from(pid));
        process.debug_syms = false;
        process.map_files = alive;
        let found =
            self.symbolizer().symbolize(&Source::Process(process), Input::AbsAddr(addresses));
        let Ok(found) = found else { return none() };
        let mut frames: Vec<_> = found.iter().map(frame).collect();
        frames.resize(addresses.len(), None);
        frames
    }
}

fn frame(found: &Symbolized<'_>) -> Option<UserFrame> {
    let symbol = found.as_sym()?;
    let object = symbol.module.as_deref().and_then(|path| Path::new(path).file_name());
    Some(UserFrame {
        object: object.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        symbol: symbol.name.to_string(),
        offset: u64::try_from(symbol.offset).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        process::{Command, Stdio},
    };

    use super::*;

    #[inline(never)]
    extern "C" fn a_function_to_find() -> u32 {
        std::hint::black_box(7)
    }

    fn address_of_function() -> u64 {
        (a_function_to_find as extern "C" fn() -> u32) as usize as u64
    }

    /// A function of this very program is found by its address.
    #[test]
    fn a_live_process_has_names() {
        assert_eq!(a_function_to_find(), 7);
        let mut users = UserSymbols::default();
        let at = address_of_function();
        let found = users.resolve(std::process::id(), &[at + 1, 0]);
        let frame = found[0].as_ref().expect("its own function");
        assert!(frame.symbol.contains("a_function_to_find"), "{frame:?}");
        assert_eq!(frame.offset, 1);
        assert!(frame.object.starts_with("providers-"), "{frame:?}");
        assert_eq!(found[1], None);
    }

    /// A process that was heard of while it lived keeps its names; one that was not has none.
    #[test]
    fn a_process_that_has_gone_keeps_its_names() {
        let mut users = UserSymbols::default();
        let mut child =
            Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        // spawn() returns while execve is still mapping: cat runs when it has answered.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let line = maps.lines().find(|line| line.contains("r-xp") && line.contains("ld-"));
        let start = line.and_then(|line| line.split_once('-')).map(|(start, _)| start).unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let addresses: Vec<u64> = (0..64).map(|step| start + 0x1000 + step * 0x100).collect();
        users.note(pid);
        drop(child.stdin.take());
        child.wait().unwrap();
        let found = users.resolve(pid, &addresses);
        let mut named = found.iter().flatten();
        assert!(named.all(|frame| frame.object.starts_with("ld-")), "{found:?}");
        assert!(found.iter().flatten().count() > 0, "{found:?}");
        let mut fresh = UserSymbols::default();
        assert!(fresh.resolve(pid, &addresses).iter().all(Option::is_none));
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 99 1";
        assert_eq!(started(stat), Some(777));
        assert_eq!(started(""), None);
    }
}
