//! Speculations: records that are kept aside until it is known whether they matter.
//!
//! ```text
//!            speculation()         speculate(), slot s      speculate(), another slot
//!  INACTIVE ───────────────▶ ACTIVE ───────────────▶ ONE(s) ─────────────▶ MANY
//!     ▲                        │ commit(), discard()    │                   │
//!     ├────────────────────────┘                        │                   │
//!     ├──────────────by slot s itself───────────────────┤                   │
//!     │                                                 ▼                   ▼
//!     └──────────────the consumer──────────────── COMMITTING / DISCARDING ◀─┘
//! ```
//! Every slot has a buffer for every speculation. If one slot alone wrote to it, that slot copies
//! its records to its principal buffer when it commits. If several did, the consumer collects them
//! once every slot has left the fire it was in.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use super::{
    header::{DropKind, SlotHeader},
    layout::Layout,
    mem::Mem,
};
use crate::num::{high32, join, low32, u32_of, u64_of, us, us64};

const INACTIVE: u32 = 0;
const ACTIVE: u32 = 1;
const ONE: u32 = 2;
const MANY: u32 = 3;
const COMMITTING: u32 = 4;
const DISCARDING: u32 = 5;

/// Tries to win a race for a speculation's state.
const MAX_TRIES: u32 = 64;

/// All states of an arena's speculations.
#[derive(Clone, Copy, Debug)]
pub struct Specs<'a> {
    states: &'a [AtomicU64],
}

/// What a slot has to do after `commit()` or `discard()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing: the id is not active, or the consumer does the rest.
    Nothing,
    /// The slot alone wrote to it: copy or forget its records, then [`Specs::release`].
    Own,
}

/// What the consumer has to do with a speculation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Hand out its records.
    Commit,
    /// Forget them.
    Discard,
}

impl<'a> Specs<'a> {
    /// The speculations of a mapped arena.
    #[must_use]
    pub fn new(mem: Mem<'a>, layout: &Layout) -> Option<Self> {
        let area = layout.spec_states;
        Some(Self { states: mem.words(us64(area.offset), us64(area.len))? })
    }

    fn state(&self, id: u64) -> Option<&'a AtomicU64> {
        self.states.get(us64(id.checked_sub(1)?))
    }

    /// `speculation()`: the id of one that is free, from 1; 0 if there is none, which is counted.
    ///
    /// # Context
    /// The firing path.
    #[must_use]
    pub fn acquire(&self, slot: &SlotHeader) -> u64 {
        let mut busy = false;
        for (id, state) in (1_u64..).zip(self.states) {
            let now = state.load(Acquire);
            if now == u64::from(INACTIVE)
                && state.compare_exchange(now, u64::from(ACTIVE), AcqRel, Relaxed).is_ok()
            {
                return id;
            }
            busy |= matches!(low32(now), COMMITTING | DISCARDING);
        }
        slot.count(if busy { DropKind::SpecBusy } else { DropKind::SpecUnavailable });
        0
    }

    /// `speculate(id)`: whether this slot may write to it.
    ///
    /// # Context
    /// The firing path.
    #[must_use]
    pub fn begin(&self, id: u64, slot: u32) -> bool {
        let Some(state) = self.state(id) else { return false };
        for _ in 0..MAX_TRIES {
            let now = state.load(Acquire);
            let new = match low32(now) {
                ACTIVE => join(slot, ONE),
                ONE if high32(now) != slot => u64::from(MANY),
                ONE | MANY => return true,
                _ => return false,
            };
            if state.compare_exchange(now, new, AcqRel, Relaxed).is_ok() {
                return true;
            }
        }
        false
    }

    /// `commit(id)` or `discard(id)`.
    ///
    /// # Context
    /// The firing path.
    #[must_use]
    pub fn end(&self, id: u64, slot: u32, commit: bool) -> End {
        let Some(state) = self.state(id) else { return End::Nothing };
        let ending = u64::from(if commit { COMMITTING } else { DISCARDING });
        for _ in 0..MAX_TRIES {
            let now = state.load(Acquire);
            let own = match low32(now) {
                ACTIVE => true,
                ONE => high32(now) == slot,
                MANY => false,
                _ => return End::Nothing,
            };
            // A slot that ends its own marks it so that nobody, the consumer included, touches it.
            let new = if own { join(slot + 1, u32_of(us64(ending))) } else { ending };
            if state.compare_exchange(now, new, AcqRel, Relaxed).is_ok() {
                return if own { End::Own } else { End::Nothing };
            }
        }
        End::Nothing
    }

    /// Makes a speculation free again.
    pub fn release(&self, id: u64) {
        if let Some(state) = self.state(id) {
            state.store(u64::from(INACTIVE), Release);
        }
    }

    /// The speculations that wait for the consumer.
    pub fn pending(&self) -> impl Iterator<Item = (u64, Pending)> + use<'a> {
        (1_u64..).zip(self.states).filter_map(|(id, state)| match state.load(Acquire) {
            now if now == u64::from(COMMITTING) => Some((id, Pending::Commit)),
            now if now == u64::from(DISCARDING) => Some((id, Pending::Discard)),
            _ => None,
        })
    }
}

/// One slot's buffer of one speculation: a word that counts the bytes in use, then records.
#[derive(Clone, Copy, Debug)]
pub struct SpecBuffer<'a> {
    used: &'a AtomicU64,
    words: &'a [AtomicU64],
}

impl<'a> SpecBuffer<'a> {
    /// The buffer of speculation `id` in the slot at `slot_at`.
    #[must_use]
    pub fn new(mem: Mem<'a>, layout: &Layout, slot_at: u64, id: u64) -> Option<Self> {
        let index = id.checked_sub(1).filter(|at| *at < u64::from(layout.config().nspec))?;
        let size = layout.config().spec_bytes();
        let start = slot_at + layout.slot.specs.offset + size * index;
        let (used, words) = mem.words(us64(start), us64(size))?.split_first()?;
        Some(Self { used, words })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`super::ring::Full`].
    ///
    /// # Context
    /// The firing path.
    pub fn push(&self, record: &[u8]) -> Result<(), super::ring::Full> {
        let start = us64(self.used.load(Relaxed));
        let end = start.checked_add(record.len()).ok_or(super::ring::Full)?;
        let place = self.words.get(start / 8..end / 8).ok_or(super::ring::Full)?;
        super::mem::store_bytes(place, record);
        self.used.store(u64_of(end), Release);
        Ok(())
    }

    /// Copies the record at a byte offset into `into`; returns its length, `None` at the end or
    /// if it makes no sense.
    pub fn get(&self, at: usize, into: &mut [u8]) -> Option<usize> {
        let used = us64(self.used.load(Acquire)).min(self.words.len() * 8);
        if at >= used {
            return None;
        }
        let first = self.words.get(at / 8)?.load(Relaxed);
        let len = us(super::ring::untag(first).1);
        let fits =
            len >= us(crate::ecb::RECORD_HEADER) && len.is_multiple_of(8) && len <= used - at;
        if !fits {
            return None;
        }
        super::mem::load_bytes(self.words.get(at / 8..)?, into.get_mut(..len)?);
        Some(len)
    }

    /// Forgets all records.
    pub fn clear(&self) {
        if self.used.load(Relaxed) != 0 {
            self.used.store(0, Release);
        }
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.load(Acquire) == 0
    }
}
