//! A descriptor's page as it lies in the guest's RAM.
//!
//! The guest's other vCPUs may write it at any time, so it is never seen as bytes that stay: each
//! read is one atomic load of one aligned word, and whoever checks a word goes on with the value
//! that was checked.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use hypercall::{PAGE_SIZE, Place};

/// Words of a page.
pub(crate) const WORDS: usize = PAGE_SIZE / 8;

/// A descriptor's page.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a>(&'a [AtomicU64; WORDS]);

impl<'a> Page<'a> {
    /// A page of guest RAM.
    #[inline(always)]
    pub(crate) const fn new(words: &'a [AtomicU64; WORDS]) -> Self {
        Self(words)
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
