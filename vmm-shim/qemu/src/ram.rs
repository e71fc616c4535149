//! Finding the guest's RAM in our own process, and mapping it once more.
//!
//! With `memory-backend-memfd` or `memory-backend-file` and `share=on` the guest's RAM is a file
//! that QEMU holds open and has mapped shared. `/proc/self/maps` says which file that is,
//! `/proc/self/fd` which descriptor it has; we map that file a second time, by guest-physical
//! address. A mapping of our own stays valid whatever QEMU does with its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use npt::Gpa;
use shim::memory::GuestRam;
use vm_memory::{FileOffset, GuestAddress, GuestRegionMmap, MmapRegion};

use crate::cmdline::{BadLayout, Layout};

/// What makes a mapping a guest's RAM: QEMU names memfds after the backend's type, and files that
/// it makes in a directory given as `mem-path` begin like this.
const MEMFD: &str = "/memfd:memory-backend-memfd";
const MADE_FILE: &str = "/qemu_back_mem.";

/// Where RAM above the hole begins.
const HIGH: u64 = 1 << 32;

/// Why RAM is not accessible.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RamError {
    /// There is no shared RAM.
    #[error(
        "guest RAM is not shared: start QEMU with -object \
         memory-backend-memfd,id=htmem,size=<as -m>,share=on -machine memory-backend=htmem"
    )]
    NotShared,
    /// Two candidates of one size.
    #[error("two shared memory backends of {0} bytes: which one is the guest's RAM?")]
    Ambiguous(u64),
    /// QEMU does not hold the file open.
    #[error("the file of the guest's RAM ({0}) is not among QEMU's descriptors")]
    NoDescriptor(String),
    /// Where RAM lies is not known.
    #[error(transparent)]
    Layout(#[from] BadLayout),
    /// `/proc` could not be read.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The mapping failed.
    #[error("guest RAM cannot be mapped: {0}")]
    Map(String),
}

fn io(what: &'static str) -> impl Fn(io::Error) -> RamError {
    move |source| RamError::Io { what, source }
}

/// A file that is mapped shared, as `/proc/self/maps` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backing {
    device: (u64, u64),
    inode: u64,
    path: String,
    /// Bytes mapped; QEMU may have split the mapping.
    size: u64,
    windows: Vec<Window>,
}

/// A part of a file that QEMU has mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    start: u64,
    len: u64,
    offset: u64,
}

/// Where QEMU has mapped the guest's RAM.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    windows: Vec<Window>,
    below: u64,
}

impl Windows {
    /// The guest-physical address of the byte that QEMU has at `host`; `None` if that is not RAM.
    pub(crate) fn physical(&self, host: u64) -> Option<Gpa> {
        let window = self.windows.iter().find(|w| host.wrapping_sub(w.start) < w.len)?;
        let at = host - window.start + window.offset;
        Some(Gpa(if at < self.below { at } else { at - self.below + HIGH }))
    }
}

/// The guest's RAM, and how many bytes of it lie below 4 GiB.
pub(crate) struct Ram {
    /// By guest-physical address.
    pub(crate) memory: GuestRam,
    /// Bytes from 0 on.
    pub(crate) below: u64,
    /// Bytes in all.
    pub(crate) size: u64,
    /// QEMU's own mapping of it.
    pub(crate) windows: Windows,
}

/// Finds and maps the RAM of the QEMU we are in.
///
/// # Errors
/// [`RamError`]; [`RamError::NotShared`] also while QEMU has not allocated it yet.
pub(crate) fn map() -> Result<Ram, RamError> {
    let args = own_arguments()?;
    let layout = Layout::read(args.iter().map(String::as_str))?;
    let maps = fs::read_to_string("/proc/self/maps").map_err(io("/proc/self/maps"))?;
    let backing = choose(shared_files(&maps, &mem_paths(&args)))?;
    let file = open(&backing)?;
    let below = layout.below_4g(backing.size);
    let mut regions = vec![region(&file, 0, 0, below)?];
    if backing.size > below {
        regions.push(region(&file, below, HIGH, backing.size - below)?);
    }
    let memory = GuestRam::new(regions).map_err(|e| RamError::Map(e.to_string()))?;
    let windows = Windows { windows: backing.windows, below };
    Ok(Ram { memory, below, size: backing.size, windows })
}

/// Whether the command line promises shared RAM; for an error before the guest starts.
///
/// # Errors
/// [`RamError::NotShared`], and what the command line says that we cannot follow.
pub(crate) fn check_arguments() -> Result<(), RamError> {
    let args = own_arguments()?;
    Layout::read(args.iter().map(String::as_str))?;
    if promises_shared(&args) { Ok(()) } else { Err(RamError::NotShared) }
}

/// Looks for a shared memory backend, in QEMU's own syntax or in JSON.
fn promises_shared(args: &[String]) -> bool {
    args.iter().any(|arg| {
        let dense: String = arg.split_whitespace().collect();
        let says = |words: &[&str]| words.iter().any(|word| dense.contains(word));
        // A memfd is shared unless it says otherwise, a file the other way round.
        let off = says(&["share=off", "share=no", "share=false", "\"share\":false"]);
        let on = says(&["share=on", "share=yes", "share=true", "\"share\":true"]);
        (says(&["memory-backend-memfd"]) && !off) || (says(&["memory-backend-file"]) && on)
    })
}

/// Our process's arguments.
fn own_arguments() -> Result<Vec<String>, RamError> {
    let bytes = fs::read("/proc/self/cmdline").map_err(io("/proc/self/cmdline"))?;
    let text = |arg: &[u8]| String::from_utf8_lossy(arg).into_owned();
    Ok(bytes.split(|&b| b == 0).map(text).collect())
}

/// Files that the command line names as a guest's memory.
fn mem_paths(args: &[String]) -> Vec<String> {
    let options = args.iter().flat_map(|arg| arg.split(','));
    options.filter_map(|option| option.strip_prefix("mem-path=")).map(str::to_owned).collect()
}

/// Every shared, writable mapping that may be a guest's RAM, one an inode.
fn shared_files(maps: &str, mem_paths: &[String]) -> Vec<Backing> {
    let mut found: Vec<Backing> = Vec::new();
    for one in maps.lines().filter_map(mapping) {
        let path = one.path.trim_end_matches(" (deleted)");
        let wanted = path == MEMFD
            || path.contains(MADE_FILE)
            || mem_paths.iter().any(|wanted| wanted == path);
        if !wanted {
            continue;
        }
        match found.iter_mut().find(|b| (b.device, b.inode) == (one.device, one.inode)) {
            Some(known) => {
                known.size += one.size;
                known.windows.extend(one.windows);
            }
            None => found.push(one),
        }
    }
    found
}

/// One line of `/proc/self/maps`, if the mapping is shared and writable.
fn mapping(line: &str) -> Option<Backing> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let start = hex(start)?;
    let size = hex(end)?.checked_sub(start)?;
    if !matches!(fields.next()?.as_bytes(), [b'r', b'w', _, b's']) {
        return None;
    }
    let offset = hex(fields.next()?)?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let path = fields.next()?.trim_start().to_owned();
    let windows = vec![Window { start, len: size, offset }];
    Some(Backing { device: (hex(major)?, hex(minor)?), inode, path, size, windows })
}

/// The machine's RAM is the largest: other backends are for devices.
fn choose(mut found: Vec<Backing>) -> Result<Backing, RamError> {
    found.sort_by_key(|backing| backing.size);
    let largest = found.pop().ok_or(RamError::NotShared)?;
    match found.last() {
        Some(next) if next.size == largest.size => Err(RamError::Ambiguous(largest.size)),
        _ => Ok(largest),
    }
}

/// Opens a mapped file anew, through the descriptor that QEMU has of it.
fn open(backing: &Backing) -> Result<File, RamError> {
    let entries = fs::read_dir("/proc/self/fd").map_err(io("/proc/self/fd"))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(status) = fs::metadata(&path) else { continue };
        let device = (nix::sys::stat::major(status.dev()), nix::sys::stat::minor(status.dev()));
        if status.ino() == backing.inode && device == backing.device {
            return reopen(&path);
        }
    }
    Err(RamError::NoDescriptor(backing.path.clone()))
}

fn reopen(path: &Path) -> Result<File, RamError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(io("opening the guest's RAM"))
}

/// Maps `len` bytes at `offset` of the file as the RAM at `at`.
fn region(file: &File, offset: u64, at: u64, len: u64) -> Result<GuestRegionMmap, RamError> {
    let failed = |e: &dyn std::fmt::Display| RamError::Map(e.to_string());
    let file = file.try_clone().map_err(|e| failed(&e))?;
    let len = usize::try_from(len).map_err(|e| failed(&e))?;
    let map = MmapRegion::from_file(FileOffset::new(file, offset), len).map_err(|e| failed(&e))?;
    GuestRegionMmap::new(map, GuestAddress(at)).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55f0c8a00000-55f0c8b00000 r-xp 00000000 08:01 1234 /usr/bin/qemu-system-x86_64
7f1000000000-7f1008000000 rw-s 00000000 00:01 77 /memfd:memory-backend-memfd (deleted)
7f1008000000-7f1010000000 rw-s 08000000 00:01 77 /memfd:memory-backend-memfd (deleted)
7f2000000000-7f2000100000 rw-s 00000000 00:01 78 /memfd:memory-backend-memfd (deleted)
7f3000000000-7f3000100000 rw-p 00000000 00:00 0
7f4000000000-7f5000000000 rw-s 00000000 00:01 99 /memfd:hypertrace-arena (deleted)
7f6000000000-7f6020000000 rw-s 00000000 00:1b 5 /dev/shm/guest ram
";

    /// Split mappings of one file count together; memory that is no backend is left alone.
    #[test]
    fn ram_is_the_largest_backend() {
        let chosen = choose(shared_files(MAPS, &[])).expect("one is largest");
        assert_eq!((chosen.inode, chosen.size), (77, 0x1000_0000));
        assert_eq!(chosen.device, (0, 1));
        let named = choose(shared_files(MAPS, &["/dev/shm/guest ram".to_owned()]));
        assert_eq!(named.expect("named").inode, 5);
    }

    /// A byte of a split mapping is found where the guest has it, also above the hole.
    #[test]
    fn qemus_addresses_lead_to_the_guests() {
        let backing = choose(shared_files(MAPS, &[])).expect("one is largest");
        let windows = Windows { windows: backing.windows, below: 0xc00_0000 };
        assert_eq!(windows.physical(0x7f10_0000_1234), Some(Gpa(0x1234)));
        assert_eq!(windows.physical(0x7f10_0800_0000), Some(Gpa(0x800_0000)));
        assert_eq!(windows.physical(0x7f10_0c00_0005), Some(Gpa(HIGH + 5)));
        assert_eq!(windows.physical(0x7f10_1000_0000), None);
        assert_eq!(windows.physical(0x7f0f_ffff_ffff), None);
    }

    /// Neither private RAM nor a choice by chance passes.
    #[test]
    fn private_and_ambiguous_ram_are_refused() {
        let private = MAPS.replace("rw-s", "rw-p");
        assert!(matches!(choose(shared_files(&private, &[])), Err(RamError::NotShared)));
        let twice = format!(
            "{MAPS}7f8000000000-7f8010000000 rw-s 0 00:01 80 /memfd:memory-backend-memfd (deleted)"
        );
        assert!(matches!(choose(shared_files(&twice, &[])), Err(RamError::Ambiguous(0x1000_0000))));
    }

    /// The promise is found however the option is written.
    #[test]
    fn shared_backends_are_recognised() {
        let args = |text: &str| vec!["qemu".to_owned(), text.to_owned()];
        assert!(promises_shared(&args("memory-backend-memfd,id=m,size=1G,share=on")));
        assert!(promises_shared(&args(
            r#"{"qom-type": "memory-backend-file", "share": true, "id": "m"}"#
        )));
        assert!(promises_shared(&args("memory-backend-memfd,id=m,size=1G")));
        assert!(!promises_shared(&args("memory-backend-memfd,id=m,size=1G,share=off")));
        assert!(!promises_shared(&args("memory-backend-file,id=m,mem-path=/dev/shm/x")));
        assert!(!promises_shared(&args("memory-backend-ram,id=m,size=1G,share=on")));
    }
}
