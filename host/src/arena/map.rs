//! Making an arena, and mapping one that another process made.

use core::{
    ptr::NonNull,
    sync::atomic::{
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};
use std::{
    fs::File,
    num::NonZeroUsize,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

use dif::env::Scope;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, munmap},
    },
    unistd::ftruncate,
};
use thiserror::Error;

use super::{
    config::{ArenaConfig, BufPolicy, ConfigError, MAX_VARS, VarKind, VarSpec, scope_raw},
    header::{Header, MAGIC, SlotHeader, VERSION},
    layout::Layout,
    mem::Mem,
};
use crate::num::{high32, join, low16, low32, u64_of, us, us64};

/// Why there is no arena.
#[derive(Debug, Error)]
pub enum ArenaError {
    /// The configuration is impossible, or the header of a foreign arena is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A system call failed.
    #[error("arena: {what}: {errno}")]
    System {
        /// Which step.
        what: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// The descriptor's memory could shrink under us, which would kill the process.
    #[error("arena: its memory is not sealed against shrinking and growing")]
    NotSealed,
    /// It is not as large as its header says, or not even as large as a header.
    #[error("arena: it has {have} bytes where {want} were expected")]
    Size {
        /// What it has.
        have: u64,
        /// What it should have.
        want: u64,
    },
    /// It does not start with the magic number.
    #[error("arena: this is none")]
    Magic,
    /// Another version.
    #[error("arena: version {found}, and this is version {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// An entry of its variable table, or another coded field, is senseless.
    #[error("arena: {what} has no meaning")]
    Senseless {
        /// Which.
        what: &'static str,
    },
}

fn system(what: &'static str) -> impl Fn(Errno) -> ArenaError {
    move |errno| ArenaError::System { what, errno }
}

/// A mapped arena, and the private copy of its layout.
#[derive(Debug)]
pub struct ArenaMap {
    base: NonNull<u8>,
    len: usize,
    layout: Layout,
    fd: OwnedFd,
}

// SAFETY: the mapping is reached through `Mem` only, which uses atomics.
unsafe impl Send for ArenaMap {}
// SAFETY: the mapping is reached through `Mem` only, which uses atomics.
unsafe impl Sync for ArenaMap {}

impl ArenaMap {
    /// Makes an arena in a sealed memfd. It is sparse: memory is taken as it is written.
    ///
    /// # Errors
    /// [`ArenaError::Config`], [`ArenaError::System`].
    pub fn create(config: ArenaConfig) -> Result<Self, ArenaError> {
        let layout = Layout::new(config)?;
        let fd =
            memfd_create("hypertrace-arena", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
                .map_err(system("memfd"))?;
        let size = i64::try_from(layout.total)
            .map_err(|_| ArenaError::System { what: "size", errno: Errno::EFBIG })?;
        ftruncate(&fd, size).map_err(system("size"))?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(seals)).map_err(system("seal"))?;
        let base = map(fd.as_fd(), layout.len())?;
        let arena = Self { base, len: layout.len(), layout, fd };
        write_config(arena.mem(), &arena.layout);
        Ok(arena)
    }

    /// Makes an arena in memory that the kernel's programs work on, too: a fresh BPF array map
    /// of one element of at least the layout's bytes.
    ///
    /// # Errors
    /// [`ArenaError::Config`], [`ArenaError::System`], [`ArenaError::Size`] if it is too small,
    /// [`ArenaError::NotSealed`] if it is no such map.
    pub fn adopt(fd: OwnedFd, config: ArenaConfig) -> Result<Self, ArenaError> {
        let layout = Layout::new(config)?;
        let have = bpf_map_size(fd.as_fd()).ok_or(ArenaError::NotSealed)?;
        if have < layout.total {
            return Err(ArenaError::Size { have, want: layout.total });
        }
        let base = map(fd.as_fd(), layout.len())?;
        let arena = Self { base, len: layout.len(), layout, fd };
        write_config(arena.mem(), &arena.layout);
        Ok(arena)
    }

    /// Maps an arena that another process made, and checks it: a sealed memfd, or a BPF array
    /// map, which cannot change its size.
    ///
    /// # Errors
    /// Every [`ArenaError`].
    pub fn open(fd: OwnedFd) -> Result<Self, ArenaError> {
        let seals = fcntl(&fd, FcntlArg::F_GET_SEALS).unwrap_or(0);
        let wanted = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        if !SealFlag::from_bits_retain(seals).contains(wanted) {
            // Only now: a monitor in a sandbox may not look at /proc, and gets memfds.
            let have = bpf_map_size(fd.as_fd()).ok_or(ArenaError::NotSealed)?;
            return Self::check(fd, have);
        }
        let file = File::from(fd);
        let have = file
            .metadata()
            .map_err(|e| ArenaError::System { what: "stat", errno: errno_of(&e) })?
            .size();
        Self::check(file.into(), have)
    }

    /// Maps memory that is known to keep its size, and checks that it is an arena.
    fn check(fd: OwnedFd, have: u64) -> Result<Self, ArenaError> {
        if have < u64_of(size_of::<Header>()) {
            return Err(ArenaError::Size { have, want: u64_of(size_of::<Header>()) });
        }
        // Whole pages: a memfd of an arena has no part page, and `Mem` wants a multiple of 8.
        if !have.is_multiple_of(4096) || usize::try_from(have).is_err() {
            return Err(ArenaError::Size { have, want: have & !4095 });
        }
        let len = us64(have);
        let base = map(fd.as_fd(), len)?;
        let unchecked = Unmap { base, len };
        // SAFETY: just mapped, page-aligned, readable and writable, sealed against shrinking, and
        // `unchecked` keeps it mapped while `mem` is used.
        let mem = unsafe { Mem::new(base, len) };
        let layout = Layout::new(read_config(mem)?)?;
        if layout.total != have {
            return Err(ArenaError::Size { have, want: layout.total });
        }
        core::mem::forget(unchecked);
        Ok(Self { base, len, layout, fd })
    }

    /// Maps the same arena once more, as another process would.
    ///
    /// # Errors
    /// As [`ArenaMap::open`].
    pub fn map_again(&self) -> Result<Self, ArenaError> {
        let fd = self
            .fd
            .try_clone()
            .map_err(|e| ArenaError::System { what: "dup", errno: errno_of(&e) })?;
        Self::open(fd)
    }

    /// The memory.
    #[inline]
    #[must_use]
    pub fn mem(&self) -> Mem<'_> {
        // SAFETY: mapped in `create` or `open`, page-aligned, sealed against shrinking, unmapped
        // only by `drop`, which needs the borrow to have ended.
        unsafe { Mem::new(self.base, self.len) }
    }

    /// The layout, computed once and never read again.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The descriptor, to be sent to other processes.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The arena's head.
    ///
    /// # Panics
    /// Never: a mapping is at least as large as a header.
    #[inline]
    #[must_use]
    pub fn header(&self) -> &Header {
        let header = self.mem().get(0);
        header.expect("create and open check that the mapping holds a header")
    }

    /// A slot's head; `None` if there is no such slot.
    #[must_use]
    pub fn slot(&self, slot: u32) -> Option<&SlotHeader> {
        self.mem().get(us64(self.layout.slot_offset(slot)?))
    }
}

impl Drop for ArenaMap {
    fn drop(&mut self) {
        drop(Unmap { base: self.base, len: self.len });
    }
}

/// A mapping that goes when it is dropped.
struct Unmap {
    base: NonNull<u8>,
    len: usize,
}

impl Drop for Unmap {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, and nobody borrows it any more. Unmapping
        // what is mapped cannot fail.
        let _unmapped = unsafe { munmap(self.base.cast(), self.len) };
    }
}

/// Sparse shared memory. FreeBSD reserves no swap for a mapping and has no flag to say so.
#[cfg(target_os = "linux")]
const SHARED: MapFlags = MapFlags::MAP_SHARED.union(MapFlags::MAP_NORESERVE);
#[cfg(not(target_os = "linux"))]
const SHARED: MapFlags = MapFlags::MAP_SHARED;

fn map(fd: BorrowedFd<'_>, len: usize) -> Result<NonNull<u8>, ArenaError> {
    let len =
        NonZeroUsize::new(len).ok_or(ArenaError::System { what: "map", errno: Errno::EINVAL })?;
    // SAFETY: a new shared mapping at an address the kernel chooses touches no existing memory.
    let base =
        unsafe { mmap(None, len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, SHARED, fd, 0) };
    base.map(NonNull::cast).map_err(system("map"))
}

/// Bytes of the element of a BPF array map that can be mapped; `None` if the descriptor is
/// something else. The kernel's own description of the descriptor is asked, which needs no
/// privilege, so that a VM monitor can do it.
fn bpf_map_size(fd: BorrowedFd<'_>) -> Option<u64> {
    let number = fd.as_raw_fd();
    let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    if !matches!(target.to_str()?, "anon_inode:bpf-map" | "anon_inode:[bpf-map]") {
        return None;
    }
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":"))?;
        let value = value.trim();
        match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        }
    };
    const ARRAY: u64 = 2; // BPF_MAP_TYPE_ARRAY
    const MMAPABLE: u64 = 1 << 10; // BPF_F_MMAPABLE
    let good = field("map_type")? == ARRAY
        && field("max_entries")? == 1
        && field("map_flags")? & MMAPABLE != 0;
    good.then_some(field("value_size")?)
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// Fills a fresh arena's header and variable table; the magic number comes last.
fn write_config(mem: Mem<'_>, layout: &Layout) {
    let Some(header) = mem.get::<Header>(0) else { return };
    let config = layout.config();
    header.version.store(VERSION, Relaxed);
    header.total.store(layout.total, Relaxed);
    header.nslots.store(config.nslots, Relaxed);
    header.bufsize.store(config.bufsize, Relaxed);
    header.aggsize.store(config.aggsize, Relaxed);
    header.dynvarsize.store(config.dynvarsize, Relaxed);
    header.specsize.store(config.specsize, Relaxed);
    header.bufpolicy.store(config.bufpolicy as u32, Relaxed);
    header.strsize.store(config.strsize, Relaxed);
    header.nspec.store(config.nspec, Relaxed);
    header.nvars.store(crate::num::u32_of(config.vars.len()), Relaxed);
    header.stackframes.store(config.stackframes, Relaxed);
    header.ustackframes.store(config.ustackframes, Relaxed);
    header.jstackframes.store(config.jstackframes, Relaxed);
    header.jstackstrsize.store(config.jstackstrsize, Relaxed);
    header.destructive.store(u32::from(config.destructive), Relaxed);
    header.key_words.store(config.key_words, Relaxed);
    header.wall_offset.store(config.wall_offset, Relaxed);
    let table = mem.words(us64(layout.vars.offset), us64(layout.vars.len)).unwrap_or_default();
    for (word, spec) in table.iter().zip(&config.vars) {
        word.store(var_entry(spec), Relaxed);
    }
    fence(Release);
    header.magic.store(MAGIC, Release);
}

/// Reads a foreign header and variable table once.
fn read_config(mem: Mem<'_>) -> Result<ArenaConfig, ArenaError> {
    let header = mem.get::<Header>(0).ok_or(ArenaError::Magic)?;
    if header.magic.load(Acquire) != MAGIC {
        return Err(ArenaError::Magic);
    }
    let found = header.version.load(Relaxed);
    if found != VERSION {
        return Err(ArenaError::Version { found });
    }
    let nvars = header.nvars.load(Relaxed).min(MAX_VARS);
    Ok(ArenaConfig {
        nslots: header.nslots.load(Relaxed),
        bufsize: header.bufsize.load(Relaxed),
        bufpolicy: BufPolicy::from_raw(header.bufpolicy.load(Relaxed))
            .ok_or(ArenaError::Senseless { what: "bufpolicy" })?,
        aggsize: header.aggsize.load(Relaxed),
        dynvarsize: header.dynvarsize.load(Relaxed),
        strsize: header.strsize.load(Relaxed),
        nspec: header.nspec.load(Relaxed),
        specsize: header.specsize.load(Relaxed),
        stackframes: header.stackframes.load(Relaxed),
        ustackframes: header.ustackframes.load(Relaxed),
        jstackframes: header.jstackframes.load(Relaxed),
        jstackstrsize: header.jstackstrsize.load(Relaxed),
        destructive: header.destructive.load(Relaxed) == 1,
        wall_offset: header.wall_offset.load(Relaxed),
        key_words: header.key_words.load(Relaxed),
        vars: mem
            .words(size_of::<Header>(), us(nvars) * 8)
            .ok_or(ArenaError::Senseless { what: "the variable table" })?
            .iter()
            .map(|word| read_var(word.load(Relaxed)))
            .collect::<Option<_>>()
            .ok_or(ArenaError::Senseless { what: "a variable" })?,
    })
}

fn var_entry(spec: &VarSpec) -> u64 {
    let kind = match spec.kind {
        VarKind::Scalar => 0,
        VarKind::Bytes => 1,
        VarKind::String => 2,
    };
    let flags = u32::from(spec.is_array) | (kind << 1);
    let low = u32::from(spec.id) | (u32::from(scope_raw(spec.scope)) << 16) | (flags << 24);
    join(spec.size, low)
}

fn read_var(word: u64) -> Option<VarSpec> {
    let [_, _, scope, flags] = low32(word).to_le_bytes();
    let scope = match scope {
        0 => Scope::Global,
        1 => Scope::Thread,
        2 => Scope::Local,
        _ => return None,
    };
    let kind = match flags >> 1 {
        0 => VarKind::Scalar,
        1 => VarKind::Bytes,
        2 => VarKind::String,
        _ => return None,
    };
    Some(VarSpec { scope, id: low16(word), is_array: flags & 1 == 1, kind, size: high32(word) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config() -> ArenaConfig {
        let var = |scope, id, is_array, kind, size| VarSpec { scope, id, is_array, kind, size };
        ArenaConfig {
            nslots: 3,
            vars: vec![
                var(Scope::Global, 0x500, false, VarKind::Scalar, 4),
                var(Scope::Global, 0x501, true, VarKind::String, 256),
                var(Scope::Thread, 0x500, false, VarKind::Bytes, 24),
                var(Scope::Local, 0x502, false, VarKind::String, 100),
            ],
            ..ArenaConfig::default()
        }
    }

    /// Whoever maps an arena computes the layout its maker computed.
    #[test]
    fn both_ends_agree_on_the_layout() {
        let made = ArenaMap::create(config()).unwrap();
        let mapped = made.map_again().unwrap();
        assert_eq!(made.layout(), mapped.layout());
        made.header().heartbeat.store(77, Relaxed);
        assert_eq!(mapped.header().heartbeat.load(Relaxed), 77);
        assert!(made.slot(2).is_some() && made.slot(3).is_none());
    }

    /// Unused slots cost no memory, so a session can keep room for machines that come later.
    #[test]
    fn unused_slots_cost_nothing() {
        let made = ArenaMap::create(ArenaConfig { nslots: 64, ..config() }).unwrap();
        assert!(made.layout().total > 64 * (12 << 20));
        let blocks = File::from(made.fd.try_clone().unwrap()).metadata().unwrap().blocks();
        assert!(blocks * 512 < 64 << 10, "{blocks} blocks");
    }

    /// Memory that its owner could truncate under us is refused: touching it would be fatal.
    #[test]
    fn unsealed_memory_is_refused() {
        let fd = memfd_create("x", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        ftruncate(&fd, 1 << 20).unwrap();
        assert!(matches!(ArenaMap::open(fd), Err(ArenaError::NotSealed)));
        let file = std::env::temp_dir();
        let plain = File::open(file).unwrap();
        assert!(matches!(ArenaMap::open(plain.into()), Err(ArenaError::NotSealed)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        /// A header with any corruption is an error or yields a layout of exactly the mapped size.
        #[test]
        fn corrupted_headers_are_errors(
            edits in proptest::collection::vec((0_usize..64, any::<u64>(), 0_u32..64), 1..4),
        ) {
            let made = ArenaMap::create(config()).unwrap();
            let words = made.mem().words(0, 512).unwrap();
            for (at, value, shift) in edits {
                words[at].store(value >> shift, Relaxed);
            }
            if let Ok(mapped) = made.map_again() {
                prop_assert_eq!(mapped.layout().total, made.layout().total);
            }
        }
    }
}
