//! One run of guest RAM where the monitor's process has it: the only raw pointer of this crate.
//!
//! The guest's vCPUs write the memory while it is read here, so it is never a Rust slice, but a
//! `VolatileSlice` of vm-memory. That type is not for several threads, since it cannot know who
//! else has the pointer; here everybody may.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hypercall::PAGE_SIZE;
use vm_memory::VolatileSlice;

use crate::page::{Page, WORDS};

/// Bytes of guest RAM at a guest-physical address.
#[derive(Clone)]
pub struct Region {
    base: u64,
    len: u64,
    /// How many offsets a whole page can begin at: 0 where it is shorter than a page.
    pages: u64,
    /// The same of a word of 8 bytes.
    words: u64,
    /// Where it is in this process; `bytes` begins there.
    start: NonNull<u8>,
    bytes: VolatileSlice<'static>,
    /// What keeps the memory mapped, if that is ours to do.
    owner: Option<Arc<dyn Send + Sync>>,
}

// SAFETY: the memory is accessed by volatile copies and by atomics, which all threads may do at
// once; it stays mapped as long as the region lives, whichever thread drops it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// The RAM at guest-physical `base` that lies at `host` in this process, `len` bytes long.
    ///
    /// # Safety
    /// `host..host + len` is mapped for reading and writing until the process ends, and no Rust
    /// reference points into it.
    #[must_use]
    pub unsafe fn from_raw(base: u64, host: *mut u8, len: usize) -> Self {
        // SAFETY: by the caller's word.
        let bytes = unsafe { VolatileSlice::new(host, len) };
        let [pages, words] =
            [PAGE_SIZE as u64, 8].map(|size| (len as u64).saturating_sub(size - 1));
        let (start, pages, words) = match NonNull::new(host) {
            Some(start) => (start, pages, words),
            None => (NonNull::dangling(), 0, 0),
        };
        Self { base, len: len as u64, pages, words, start, bytes, owner: None }
    }

    /// Its first guest-physical address.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Its bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The page at an offset; `None` if it is not all there, or does not begin with a word.
    ///
    /// # Context
    /// The firing path. vm-memory hands out one word at a time and checks each; a fire reads many
    /// of one page, and a page is checked as a whole.
    #[inline(always)]
    pub(crate) fn page(&self, offset: u64) -> Option<Page<'_>> {
        if offset >= self.pages {
            return None;
        }
        let offset = usize::try_from(offset).ok()?;
        // SAFETY: the region is longer than this.
        let at = unsafe { self.start.add(offset) }.cast::<[AtomicU64; WORDS]>();
        if !at.is_aligned() {
            return None;
        }
        // SAFETY: `at` is aligned, and the 4096 bytes there are the region's, so they are mapped,
        // readable and writable as long as it lives. Guest memory may change at any time, which
        // atomics allow, and any bytes are words.
        Some(Page::new(unsafe { at.as_ref() }))
    }

    /// The word at an offset; `None` if it is not all there, or is not aligned.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub(crate) fn word(&self, offset: u64) -> Option<&AtomicU64> {
        if offset >= self.words {
            return None;
        }
        let offset = usize::try_from(offset).ok()?;
        // SAFETY: the region is longer than this.
        let at = unsafe { self.start.add(offset) }.cast::<AtomicU64>();
        if !at.is_aligned() {
            return None;
        }
        // SAFETY: as of a page.
        Some(unsafe { at.as_ref() })
    }

    /// The memory, for as long as the region lives.
    #[inline]
    pub(crate) const fn bytes<'a>(&'a self) -> &'a VolatileSlice<'a> {
        &self.bytes
    }
}

#[cfg(target_os = "linux")]
impl From<vm_memory::GuestRegionMmap> for Region {
    /// A mapping of our own.
    fn from(mapped: vm_memory::GuestRegionMmap) -> Self {
        use vm_memory::{Address, GuestMemoryRegion};
        let base = mapped.start_addr().raw_value();
        let mapped = Arc::new(mapped);
        // SAFETY: it is mapped as long as the region that owns it.
        let region = unsafe { Self::from_raw(base, mapped.as_ptr(), mapped.size()) };
        Self { owner: Some(mapped), ..region }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owned = self.owner.is_some();
        let Self { base, len, .. } = self;
        write!(f, "Region({base:#x}, {len:#x} bytes, {})", if owned { "ours" } else { "lent" })
    }
}
