//! Memory that only the thread that uses a slot may touch, and the guard that proves it does.
//!
//! [`Guards::enter`] lets one thread into a slot and marks the slot as being in a fire; whoever
//! replaces what fires look at (tables, sessions) frees the old after every slot has been seen
//! outside the fire it was in ([`Guards::in_fire`]).

use alloc::{boxed::Box, vec::Vec};
use core::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
    },
};

use crate::{ids::LocalSlot, num::us};

/// One slot's, in a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Word {
    /// Odd while a fire runs.
    fires: AtomicU64,
    /// The slot's number.
    index: usize,
}

/// The guards of all of an engine's slots.
#[derive(Debug)]
pub(crate) struct Guards {
    words: Box<[Word]>,
}

/// Proof that this thread alone uses a slot, until it is dropped.
#[derive(Debug)]
pub(crate) struct SlotGuard<'e> {
    word: &'e Word,
}

impl Guards {
    pub(crate) fn new(slots: u32) -> Self {
        let word = |slot| Word { fires: AtomicU64::new(0), index: us(slot) };
        Self { words: (0..slots).map(word).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// Enters a slot; `None` if there is no such slot or someone is in it.
    ///
    /// # Context
    /// The firing path. What is read after it cannot be freed before the guard is dropped: the
    /// marking is sequentially consistent with the swap that takes the old table out.
    #[inline(always)]
    pub(crate) fn enter(&self, slot: LocalSlot) -> Option<SlotGuard<'_>> {
        let word = self.words.get(us(slot.0))?;
        let taken = word.fires.fetch_or(1, SeqCst) & 1 == 1;
        if taken { None } else { Some(SlotGuard { word }) }
    }

    /// Which slots are in a fire now, and in which.
    pub(crate) fn in_fire(&self) -> Vec<(usize, u64)> {
        let all = self.words.iter().map(|word| word.fires.load(SeqCst)).enumerate();
        all.filter(|(_, sequence)| sequence & 1 == 1).collect()
    }

    /// Whether all these slots have left the fire they were in.
    pub(crate) fn have_left(&self, seen: &[(usize, u64)]) -> bool {
        let left = |(at, was): &(usize, u64)| {
            self.words.get(*at).is_none_or(|word| word.fires.load(Acquire) != *was)
        };
        seen.iter().all(left)
    }
}

impl Drop for SlotGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Nobody else changes it while it is odd.
        let fires = &self.word.fires;
        fires.store(fires.load(Relaxed).wrapping_add(1), Release);
    }
}

/// One `T` a slot of one engine. Each lies in memory of its own: to find it is a load instead of a
/// multiplication.
#[derive(Debug)]
pub(crate) struct PerSlot<T> {
    cells: Box<[Box<UnsafeCell<T>>]>,
}

// SAFETY: a cell is reached only through the guard of its slot, which one thread has at a time.
unsafe impl<T: Send> Sync for PerSlot<T> {}

impl<T> PerSlot<T> {
    /// The values of slots 0, 1, …; slots beyond have none.
    pub(crate) fn new(values: Vec<T>) -> Self {
        Self { cells: values.into_iter().map(|value| Box::new(UnsafeCell::new(value))).collect() }
    }

    /// The slot's own. Guards and cells must be of one engine: an engine makes both and hands out
    /// neither.
    #[inline(always)]
    pub(crate) fn get<'g>(&'g self, guard: &'g mut SlotGuard<'_>) -> Option<&'g mut T> {
        let index = guard.word.index;
        if index >= self.cells.len() {
            return None;
        }
        let cell = &self.cells[index];
        // SAFETY: the guard is the only one of its slot in this engine and is borrowed mutably for
        // as long as the result lives.
        Some(unsafe { &mut *cell.get() })
    }
}
