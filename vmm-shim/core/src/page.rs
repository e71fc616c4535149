//! A descriptor's page as it lies in the guest's RAM.
//!
//! The guest's other vCPUs may write it at any time, so it is never seen as bytes that stay: each
//! read is one atomic load of one aligned word, and whoever checks a word goes on with the value
//! that was checked.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use hypercall::{PAGE_SIZE, Place};
use vm_memory::{VolatileMemory, VolatileSlice};

/// Words of a page.
const WORDS: usize = PAGE_SIZE / 8;

/// A descriptor's page.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a>(&'a [AtomicU64; WORDS]);

impl<'a> Page<'a> {
    /// The page at an offset of mapped memory; `None` if it is not all there, or does not begin
    /// with a word.
    #[inline(always)]
    pub(crate) fn new(memory: &'a VolatileSlice<'a>, offset: usize) -> Option<Self> {
        words(memory.get_slice(offset, PAGE_SIZE).ok()?).map(Self)
    }

    /// Reads a word; 0 beyond the page.
    #[inline(always)]
    pub(crate) fn word(self, at: usize) -> u64 {
        self.0.get(at).map_or(0, |word| u64::from_le(word.load(Relaxed)))
    }

    /// Reads the word a field lies in, the field in its low bits.
    #[inline(always)]
    pub(crate) fn field(self, place: Place) -> u64 {
        self.word(place.word) >> place.shift
    }

    /// Writes a word; nothing beyond the page.
    #[inline(always)]
    pub(crate) fn set(self, at: usize, value: u64) {
        if let Some(word) = self.0.get(at) {
            word.store(value.to_le(), Relaxed);
        }
    }
}

/// Mapped memory as words. vm-memory hands out one word at a time and checks each; a fire reads
/// many of one page, and a page is checked as a whole.
#[expect(unsafe_code, reason = "vm-memory has no array of atomics")]
#[inline(always)]
fn words(memory: VolatileSlice<'_>) -> Option<&[AtomicU64; WORDS]> {
    let start = memory.ptr_guard().as_ptr().cast::<[AtomicU64; WORDS]>();
    if memory.len() != PAGE_SIZE || !start.is_aligned() {
        return None;
    }
    // SAFETY: `start` is aligned, and what vm-memory's slice covers, these 4096 bytes, is mapped,
    // readable and writable for the slice's lifetime. Guest memory may change at any time, which atomics allow,
    // and any bytes are words.
    Some(unsafe { &*start })
}
