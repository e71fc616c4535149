//! Aggregations: two hash tables a slot, one being filled, the other being read.
//!
//! ```text
//!  buffer: │ buckets (u32: entry's word number + 1) │ entry │ entry │ …        │ free │
//!  entry:  next, words │ hash │ variable, function, key words │ epid, value words │ key │ value
//! ```
//! Only the slot's thread writes the table that is active. The consumer flips `agg_active`, and
//! once the slot has left the fire it was in, the other table is the consumer's alone: it merges
//! and empties it.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use super::{
    aggfunc::AggFunc,
    header::SlotHeader,
    key::{hash, hash_end, hash_step},
    layout::{Area, Layout},
    mem::Mem,
};
use crate::{
    ids::Epid,
    num::{high32, join, low16, low32, u32_of, u64_of, us, us64},
};

/// Words of an entry before its key.
const HEAD: usize = 4;
/// The longest chain that is followed.
const MAX_CHAIN: u32 = 1 << 16;
/// The most words of a key.
pub const MAX_KEY_WORDS: usize = 0xffff;

/// One aggregation buffer, mapped.
#[derive(Clone, Copy, Debug)]
pub struct AggTable<'a> {
    buckets: &'a [AtomicU32],
    words: &'a [AtomicU64],
    used: &'a AtomicU64,
}

/// The table has no room for a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggFull;

/// Which value is fed: what stays the same at every fire.
#[derive(Clone, Copy, Debug)]
pub struct AggTarget {
    /// The aggregation variable's id.
    pub varid: u32,
    /// Its function.
    pub func: AggFunc,
    /// Words of its value.
    pub values: u32,
    /// Who feeds it.
    pub epid: Epid,
}

impl AggTarget {
    /// What tells its entries from others with the same key.
    pub(crate) fn identity(&self, key_words: usize) -> u64 {
        let kind = u32::from(self.func.kind()) | (u32_of(key_words) << 16);
        join(kind, self.varid)
    }
}

impl<'a> AggTable<'a> {
    /// One of a slot's two buffers; `slot_at` is the slot's offset in the arena.
    #[inline]
    #[must_use]
    pub fn new(
        mem: Mem<'a>,
        layout: &Layout,
        slot_at: u64,
        slot: &'a SlotHeader,
        which: u32,
    ) -> Option<Self> {
        let area: Area = *layout.slot.aggs.get(us(which))?;
        let start = us64(slot_at + area.offset);
        let buckets = us(layout.slot.agg_buckets);
        Some(Self {
            buckets: mem.slice(start, buckets)?,
            words: mem.words(start + buckets * 4, us64(area.len) - buckets * 4)?,
            used: slot.agg_used.get(us(which))?,
        })
    }

    /// Feeds a value under a key (shape first) whose hash is given.
    ///
    /// # Errors
    /// [`AggFull`] if the key is new and there is no room.
    ///
    /// # Context
    /// The firing path; bounded by the longest chain.
    #[inline]
    pub fn feed(
        &self,
        target: &AggTarget,
        key: &[u64],
        hash: u64,
        value: u64,
        weight: u64,
    ) -> Result<(), AggFull> {
        let identity = target.identity(key.len());
        self.feed_as((identity, target.epid), target, key, hash, (value, weight))
    }

    /// As [`AggTable::feed`] with the target's identity for a key of this length, and the epid that
    /// counts instead of the target's.
    ///
    /// # Errors
    /// As [`AggTable::feed`].
    ///
    /// # Context
    /// The firing path; bounded by the longest chain.
    #[inline(always)]
    pub(crate) fn feed_as(
        &self,
        (identity, epid): (u64, Epid),
        target: &AggTarget,
        key: &[u64],
        hash: u64,
        (value, weight): (u64, u64),
    ) -> Result<(), AggFull> {
        let hash = hash ^ (u64::from(target.varid) << 4);
        let mask = self.buckets.len().wrapping_sub(1);
        let bucket = self.buckets.get(us64(hash) & mask).ok_or(AggFull)?;
        let first = bucket.load(Relaxed);
        let mut at = first;
        let mut steps = 0;
        while at != 0 && steps < MAX_CHAIN {
            let Some([next, h, id, _, rest @ ..]) = self.words.get(us(at) - 1..) else { break };
            if h.load(Relaxed) == hash
                && id.load(Relaxed) == identity
                && let Some((have, values)) = rest.split_at_checked(key.len())
                && have.iter().zip(key).all(|(a, b)| a.load(Relaxed) == *b)
            {
                let values = values.get(..us(target.values)).unwrap_or(values);
                target.func.feed(values, value, weight);
                return Ok(());
            }
            at = low32(next.load(Relaxed));
            steps += 1;
        }
        let target = AggTarget { epid, ..*target };
        self.feed_new(&target, key, (hash, identity), bucket, (value, weight))
    }

    /// As [`AggTable::feed_as`] of the empty key, which its identity alone tells from others.
    ///
    /// # Errors
    /// As [`AggTable::feed`].
    ///
    /// # Context
    /// The firing path; bounded by the longest chain.
    #[inline(always)]
    pub(crate) fn feed_keyless(
        &self,
        (identity, epid): (u64, Epid),
        target: &AggTarget,
        (value, weight): (u64, u64),
    ) -> Result<(), AggFull> {
        const HASH: u64 = hash_end(hash_step(0, 0));
        let hash = HASH ^ (u64::from(target.varid) << 4);
        let mask = self.buckets.len().wrapping_sub(1);
        let bucket = self.buckets.get(us64(hash) & mask).ok_or(AggFull)?;
        let at = us(bucket.load(Relaxed)).wrapping_sub(1);
        if let Some([_, _, id, _, _, values @ ..]) = self.words.get(at..)
            && id.load(Relaxed) == identity
        {
            target.func.feed(values, value, weight);
            return Ok(());
        }
        self.feed_chained((identity, epid), target, (value, weight))
    }

    /// Another entry has the bucket, or none.
    #[cold]
    #[inline(never)]
    fn feed_chained(
        &self,
        who: (u64, Epid),
        target: &AggTarget,
        fed: (u64, u64),
    ) -> Result<(), AggFull> {
        let (key, hash) = empty_key();
        self.feed_as(who, target, &key, hash, fed)
    }

    /// Feeds a key that is not there yet.
    #[cold]
    #[inline(never)]
    fn feed_new(
        &self,
        target: &AggTarget,
        key: &[u64],
        (hash, identity): (u64, u64),
        bucket: &AtomicU32,
        (value, weight): (u64, u64),
    ) -> Result<(), AggFull> {
        let first = bucket.load(Relaxed);
        let values = self.insert(target, key, hash, identity, first)?;
        target.func.feed(values.0, value, weight);
        bucket.store(values.1, Relaxed);
        Ok(())
    }

    /// Appends an entry; returns its value and its number.
    fn insert(
        &self,
        target: &AggTarget,
        key: &[u64],
        hash: u64,
        identity: u64,
        next: u32,
    ) -> Result<(&'a [AtomicU64], u32), AggFull> {
        let total = HEAD + key.len() + us(target.values);
        let start = us64(self.used.load(Relaxed) / 8);
        let end = start.checked_add(total).ok_or(AggFull)?;
        let [w0, w1, w2, w3, rest @ ..] = self.words.get(start..end).ok_or(AggFull)? else {
            return Err(AggFull);
        };
        w0.store(join(u32_of(total), next), Relaxed);
        w1.store(hash, Relaxed);
        w2.store(identity, Relaxed);
        w3.store(join(target.values, target.epid.0), Relaxed);
        let (place, values) = rest.split_at_checked(key.len()).ok_or(AggFull)?;
        for (to, from) in place.iter().zip(key) {
            to.store(*from, Relaxed);
        }
        for (at, word) in values.iter().enumerate() {
            word.store(if at == 0 { target.func.initial() } else { 0 }, Relaxed);
        }
        self.used.store(u64_of(end * 8), Release);
        Ok((values, u32_of(start + 1)))
    }

    /// Calls `each` for every entry, then empties the table. For the consumer, of the table that
    /// is not active.
    pub fn take(&self, mut each: impl FnMut(RawAgg)) {
        if self.is_empty() {
            return;
        }
        let used = us64(self.used.load(Relaxed) / 8).min(self.words.len());
        let mut at = 0;
        while at < used {
            let Some((entry, total)) = self.entry(at, used) else { break };
            each(entry);
            at += total;
        }
        for bucket in self.buckets {
            bucket.store(0, Relaxed);
        }
        self.used.store(0, Release);
    }

    /// Whether nothing was fed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.load(Relaxed) == 0
    }

    /// Reads the entry at a word; `None` if it makes no sense.
    fn entry(&self, at: usize, used: usize) -> Option<(RawAgg, usize)> {
        let word = |i: usize| self.words.get(at + i).map(|w| w.load(Relaxed));
        let total = us(high32(word(0)?));
        let identity = word(2)?;
        let last = word(3)?;
        let (key_words, values) = (us(high32(identity) >> 16), us(high32(last)));
        if total != HEAD + key_words + values || values == 0 || total > used - at {
            return None;
        }
        let load = |from: usize, len: usize| {
            let run = self.words.get(from..from + len)?;
            Some(run.iter().map(|w| w.load(Relaxed)).collect::<Vec<_>>())
        };
        let kind = low16(identity >> 32);
        let values = load(at + HEAD + key_words, values)?;
        let func = AggFunc::new(kind, *values.first()?)?;
        if us(func.words()) != values.len() {
            return None;
        }
        let key = load(at + HEAD, key_words)?;
        let entry = RawAgg { varid: low32(identity), func, epid: Epid(low32(last)), key, values };
        Some((entry, total))
    }
}

/// One key's value in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAgg {
    /// The aggregation variable's id.
    pub varid: u32,
    /// Its function.
    pub func: AggFunc,
    /// The first to feed it: its ECB says what the key's elements are.
    pub epid: Epid,
    /// The key, shape first: see [`super::key::parts`].
    pub key: Vec<u64>,
    /// The value.
    pub values: Vec<u64>,
}

/// The hash of an empty key: of all aggregations without one.
#[must_use]
pub fn empty_key() -> ([u64; 1], u64) {
    ([0], hash(&[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{config::ArenaConfig, map::ArenaMap};
    use dif::number::agg;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn arena() -> ArenaMap {
        ArenaMap::create(ArenaConfig { aggsize: 4096, ..ArenaConfig::default() }).unwrap()
    }

    fn table(arena: &ArenaMap) -> AggTable<'_> {
        let at = arena.layout().slot_offset(0).unwrap();
        AggTable::new(arena.mem(), arena.layout(), at, arena.slot(0).unwrap(), 0).unwrap()
    }

    fn target(varid: u32) -> AggTarget {
        let func = AggFunc::new(agg::SUM, 0).unwrap();
        AggTarget { varid, func, values: func.words(), epid: Epid(3) }
    }

    proptest! {
        /// The table is a map from (variable, key) to a sum; a full one refuses new keys only.
        #[test]
        fn behaves_like_a_map(
            ops in proptest::collection::vec((0_u32..3, 0_u64..40, any::<u64>()), 0..300),
        ) {
            let arena = arena();
            let table = table(&arena);
            let mut model: HashMap<(u32, u64), u64> = HashMap::new();
            for (varid, k, value) in ops {
                let key = [1 << 32, k];
                let fed = table.feed(&target(varid), &key, hash(&key), value, 1).is_ok();
                if fed {
                    let sum = model.entry((varid, k)).or_default();
                    *sum = sum.wrapping_add(value);
                } else {
                    prop_assert!(!model.contains_key(&(varid, k)) && model.len() > 30);
                }
            }
            let mut found = HashMap::new();
            table.take(|e| {
                found.insert((e.varid, e.key[1]), e.values[0]);
            });
            prop_assert_eq!(found, model);
            prop_assert!(table.is_empty());
            table.take(|_| panic!("emptied"));
        }

        /// A corrupted table ends the walk; it does not crash, hang or go outside.
        #[test]
        fn corruption_is_survived(
            edits in proptest::collection::vec((0_usize..512, any::<u64>(), 0_u32..64), 1..40),
            used in any::<Option<u64>>(),
        ) {
            let arena = arena();
            let at = us64(arena.layout().slot_offset(0).unwrap() + arena.layout().slot.aggs[0].offset);
            let table = table(&arena);
            for k in 0..30 {
                let key = [1 << 32, k];
                prop_assert!(table.feed(&target(1), &key, hash(&key), 1, 1).is_ok());
            }
            let words = arena.mem().words(at, 4096).unwrap();
            for (at, value, shift) in edits {
                words[at].store(value >> shift, Relaxed);
            }
            if let Some(used) = used {
                table.used.store(used, Relaxed);
            }
            for k in 0..60 {
                let key = [1 << 32, k];
                let _fits = table.feed(&target(1), &key, hash(&key), 1, 1);
            }
            table.take(|_| {});
        }
    }
}
