//! Dynamic variables: thread-locals and elements of associative arrays.
//!
//! ```text
//!  bucket: │ version │ chunk │ ──▶ chunk ──next──▶ chunk ──▶ 0
//!  chunk:  │ next │ state │ hash │ key words │ key … │ value … │
//! ```
//! Chunks are all of one size and numbered from 1. A new chunk is filled in private and put at its
//! bucket's head by one compare-and-swap; every insertion changes the bucket's version, so whoever
//! loses the race looks again and finds the winner's chunk: one key never gets two.
//!
//! # States
//! ```text
//!           obtain                 delete            cleaner        cleaner
//!  FREE ─────────────▶ LIVE ◀──────────────▶ DEAD ───────────▶ OLD ─────────▶ GONE ──▶ FREE
//!                        ▲      obtain        (logically        │   unlinked
//!                        └──────────────────── deleted) ◀───────┘
//! ```
//! Deleting marks a chunk DEAD and leaves it where it is; storing to the same key again makes it
//! LIVE in place, which is what a thread-local that is set at every entry and cleared at every
//! return does: it never leaves its chain. What stays DEAD for two rounds of the cleaner is
//! unlinked, and freed once every slot has left the fire it was in, since a fire may still be
//! reading it.
//!
//! Races between stores to one key are the script's own: the last one wins, and a by-reference
//! value may be a mixture, as in classic DTrace.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use super::{
    header::{DropKind, Header},
    layout::{CHUNK_HEAD_WORDS, DynLayout},
    mem::Mem,
};
use crate::num::{high32, join, low32, u64_of, us, us64};

const FREE: u64 = 0;
const LIVE: u64 = 1;
const DEAD: u64 = 2;
const OLD: u64 = 3;
const GONE: u64 = 4;

/// The longest chain that is followed, and the most tries to win a race.
const MAX_CHAIN: u32 = 4096;
const MAX_TRIES: u32 = 64;

/// All dynamic variables of an arena.
#[derive(Clone, Copy, Debug)]
pub struct DynVars<'a> {
    header: &'a Header,
    buckets: &'a [AtomicU64],
    chunks: &'a [AtomicU64],
    layout: DynLayout,
}

/// A chunk, its parts told apart.
#[derive(Clone, Copy, Debug)]
struct Chunk<'a> {
    number: u32,
    next: &'a AtomicU64,
    state: &'a AtomicU64,
    hash: &'a AtomicU64,
    key_words: &'a AtomicU64,
    body: &'a [AtomicU64],
}

/// A variable's value, and where it is for by-reference access.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Its words, as many as the longest value of the session has.
    pub words: &'a [AtomicU64],
    /// Its offset in the arena.
    pub offset: u64,
}

/// Where a variable lies: no other takes its place before the fire is over that has found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found(u32);

impl Found {
    /// Nowhere.
    pub(crate) const NONE: Self = Self(0);
}

impl<'a> DynVars<'a> {
    /// The dynamic variables of a mapped arena; `None` if the session has none.
    #[inline]
    #[must_use]
    pub fn new(mem: Mem<'a>, layout: &DynLayout) -> Option<Self> {
        if layout.nchunks == 0 {
            return None;
        }
        Some(Self {
            header: mem.get(0)?,
            buckets: mem.words(us64(layout.buckets.offset), us64(layout.buckets.len))?,
            chunks: mem.words(us64(layout.chunks.offset), us64(layout.chunks.len))?,
            layout: *layout,
        })
    }

    #[inline(always)]
    fn chunk(&self, number: u32) -> Option<Chunk<'a>> {
        let words = us(self.layout.chunk / 8);
        let start = us(number.checked_sub(1)?).checked_mul(words)?;
        let [next, state, hash, key_words, body @ ..] =
            self.chunks.get(start..start.checked_add(words)?)?
        else {
            return None;
        };
        Some(Chunk { number, next, state, hash, key_words, body })
    }

    #[inline(always)]
    fn bucket(&self, hash: u64) -> Option<&'a AtomicU64> {
        self.buckets.get(us64(hash) & self.buckets.len().wrapping_sub(1))
    }

    /// Looks a key up from a chain's start, the dead included.
    #[inline(always)]
    fn search(&self, first: u32, key: &[u64], hash: u64) -> Option<Chunk<'a>> {
        let mut at = first;
        for _ in 0..MAX_CHAIN {
            let chunk = self.chunk(at)?;
            if chunk.hash.load(Relaxed) == hash && chunk.has(key) {
                return Some(chunk);
            }
            at = low32(chunk.next.load(Acquire));
        }
        None
    }

    #[inline(always)]
    fn value(&self, chunk: &Chunk<'a>) -> Value<'a> {
        let words = chunk.body.get(us(self.layout.key_words)..).unwrap_or_default();
        let start = u64::from(chunk.number - 1) * u64::from(self.layout.chunk);
        let before = u64::from(CHUNK_HEAD_WORDS + self.layout.key_words) * 8;
        Value { words, offset: self.layout.chunks.offset + start + before }
    }

    /// A variable's value, if it has one.
    ///
    /// # Context
    /// The firing path; bounded by the longest chain.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &[u64], hash: u64) -> Option<Value<'a>> {
        let first = low32(self.bucket(hash)?.load(Acquire));
        let chunk = self.search(first, key, hash)?;
        (chunk.state.load(Acquire) == LIVE).then(|| self.value(&chunk))
    }

    /// A number, 0 if there is none.
    ///
    /// # Context
    /// As [`DynVars::get`].
    #[inline(always)]
    #[must_use]
    pub fn number(&self, key: &[u64], hash: u64) -> u64 {
        self.find_number(key, hash).0
    }

    /// A number and where it lies, which holds until the fire is over; 0 and none if there is none.
    ///
    /// # Context
    /// As [`DynVars::get`].
    #[inline(always)]
    pub(crate) fn find_number(&self, key: &[u64], hash: u64) -> (u64, Found) {
        let first = self.bucket(hash).map_or(0, |bucket| low32(bucket.load(Acquire)));
        match self.search(first, key, hash) {
            Some(chunk) if chunk.state.load(Acquire) == LIVE => {
                let word = chunk.body.get(us(self.layout.key_words));
                (word.map_or(0, |word| word.load(Relaxed)), Found(chunk.number))
            }
            _ => (0, Found::NONE),
        }
    }

    /// The number that was found there earlier in this fire, if it is still there.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub(crate) fn number_at(&self, found: Found) -> Option<u64> {
        let chunk = self.chunk(found.0)?;
        let word = chunk.body.get(us(self.layout.key_words))?;
        (chunk.state.load(Acquire) == LIVE).then(|| word.load(Relaxed))
    }

    /// Deletes the variable that was found there earlier in this fire; `false` if it is not there
    /// any more.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub(crate) fn delete_at(&self, found: Found) -> bool {
        self.chunk(found.0).is_some_and(|chunk| self.kill(&chunk))
    }

    /// Stores a variable's value, making the variable if need be: `store` writes the words.
    ///
    /// # Errors
    /// The kind of drop to count if there is no room.
    ///
    /// # Context
    /// The firing path; bounded.
    #[inline]
    pub fn set(
        &self,
        key: &[u64],
        hash: u64,
        mut store: impl FnMut(&[AtomicU64]),
    ) -> Result<(), DropKind> {
        let bucket = self.bucket(hash).ok_or(DropKind::Dynamic)?;
        let mut fresh: Option<Chunk<'a>> = None;
        for _ in 0..MAX_TRIES {
            let head = bucket.load(Acquire);
            // A chunk that the cleaner has just taken counts as absent: a new one goes before it.
            if let Some(chunk) = self.search(low32(head), key, hash)
                && self.revive(&chunk, &mut store)
            {
                if let Some(unused) = fresh {
                    self.free(&unused);
                }
                return Ok(());
            }
            let chunk = match fresh {
                Some(chunk) => chunk,
                None => self.allocate(key, hash, &mut store)?,
            };
            chunk.next.store(u64::from(low32(head)), Relaxed);
            let new = join(high32(head).wrapping_add(1), chunk.number);
            if bucket.compare_exchange(head, new, AcqRel, Acquire).is_ok() {
                return Ok(());
            }
            fresh = Some(chunk);
        }
        if let Some(unused) = fresh {
            self.free(&unused);
        }
        Err(DropKind::Dynamic)
    }

    /// As [`DynVars::set`] for a number, with a short way where the variable is there already.
    ///
    /// # Errors
    /// As [`DynVars::set`].
    ///
    /// # Context
    /// The firing path; bounded.
    #[inline(always)]
    pub fn set_number(&self, key: &[u64], hash: u64, number: u64) -> Result<(), DropKind> {
        let first = self.bucket(hash).map_or(0, |bucket| low32(bucket.load(Acquire)));
        if let Some(chunk) = self.search(first, key, hash)
            && let Some(word) = chunk.body.get(us(self.layout.key_words))
        {
            let state = chunk.state.load(Acquire);
            if state == LIVE || state == DEAD {
                // The value comes first: whoever sees LIVE sees it.
                word.store(number, Relaxed);
            }
            let is_live = state == LIVE
                || state == DEAD
                    && chunk.state.compare_exchange(DEAD, LIVE, AcqRel, Acquire).is_ok();
            if is_live {
                return Ok(());
            }
        }
        self.set_number_slowly(key, hash, number)
    }

    #[inline(never)]
    fn set_number_slowly(&self, key: &[u64], hash: u64, number: u64) -> Result<(), DropKind> {
        self.set(key, hash, |words| {
            if let Some(word) = words.first() {
                word.store(number, Relaxed);
            }
        })
    }

    /// Stores to a chunk that is linked; `false` if the cleaner has it.
    #[inline]
    fn revive(&self, chunk: &Chunk<'a>, store: &mut impl FnMut(&[AtomicU64])) -> bool {
        let value = self.value(chunk).words;
        for _ in 0..4 {
            match chunk.state.load(Acquire) {
                LIVE => {
                    store(value);
                    return true;
                }
                state @ (DEAD | OLD) => {
                    // The value comes first: whoever sees LIVE sees it.
                    store(value);
                    if chunk.state.compare_exchange(state, LIVE, AcqRel, Acquire).is_ok() {
                        return true;
                    }
                }
                _ => return false,
            }
        }
        false
    }

    /// Deletes a variable, if it is there.
    ///
    /// # Context
    /// The firing path; bounded.
    #[inline(always)]
    pub fn delete(&self, key: &[u64], hash: u64) {
        let Some(bucket) = self.bucket(hash) else { return };
        if let Some(chunk) = self.search(low32(bucket.load(Acquire)), key, hash) {
            self.kill(&chunk);
        }
    }

    /// Makes a living chunk a dead one; `false` if it is not alive.
    #[inline(always)]
    fn kill(&self, chunk: &Chunk<'_>) -> bool {
        let killed = chunk.state.compare_exchange(LIVE, DEAD, AcqRel, Relaxed).is_ok();
        if killed && self.header.dyn_dirty.load(Relaxed) == 0 {
            self.header.dyn_dirty.store(1, Relaxed);
        }
        killed
    }

    /// Takes a free chunk and fills it; nobody else sees it yet.
    fn allocate(
        &self,
        key: &[u64],
        hash: u64,
        store: &mut impl FnMut(&[AtomicU64]),
    ) -> Result<Chunk<'a>, DropKind> {
        let chunk = if key.len() <= us(self.layout.key_words) { self.take_free() } else { None };
        let Some(chunk) = chunk else { return Err(self.why_none()) };
        chunk.hash.store(hash, Relaxed);
        chunk.key_words.store(u64_of(key.len()), Relaxed);
        for (to, from) in chunk.body.iter().zip(key) {
            to.store(*from, Relaxed);
        }
        let value = self.value(&chunk).words;
        for word in value {
            word.store(0, Relaxed);
        }
        store(value);
        chunk.state.store(LIVE, Release);
        Ok(chunk)
    }

    /// A chunk from the free list, else one that was never used.
    fn take_free(&self) -> Option<Chunk<'a>> {
        for _ in 0..MAX_TRIES {
            let head = self.header.dyn_free.load(Acquire);
            let Some(chunk) = self.chunk(low32(head)) else { break };
            // If someone takes the chunk and its next changes, the tag has changed, too.
            let next = low32(chunk.next.load(Relaxed));
            let new = join(high32(head).wrapping_add(1), next);
            if self.header.dyn_free.compare_exchange(head, new, AcqRel, Acquire).is_ok() {
                return (chunk.state.load(Relaxed) == FREE).then_some(chunk);
            }
        }
        let nchunks = u64::from(self.layout.nchunks);
        if self.header.dyn_fresh.load(Relaxed) >= nchunks {
            return None;
        }
        let number = self.header.dyn_fresh.fetch_add(1, Relaxed);
        if number < nchunks { self.chunk(low32(number + 1)) } else { None }
    }

    /// Gives a chunk back that nobody else can reach.
    fn free(&self, chunk: &Chunk<'a>) {
        chunk.state.store(FREE, Relaxed);
        for _ in 0..MAX_TRIES {
            let head = self.header.dyn_free.load(Acquire);
            chunk.next.store(u64::from(low32(head)), Relaxed);
            let new = join(high32(head).wrapping_add(1), chunk.number);
            if self.header.dyn_free.compare_exchange(head, new, AcqRel, Acquire).is_ok() {
                return;
            }
        }
        // Lost until the session ends; 64 lost races in a row do not happen by chance.
    }

    /// Which kind of drop it is that there is no chunk, as classic DTrace tells them apart.
    fn why_none(&self) -> DropKind {
        if self.header.dyn_rinsing.load(Relaxed) > 0 {
            DropKind::DynRinse
        } else if self.header.dyn_dirty.load(Relaxed) > 0 {
            DropKind::DynDirty
        } else {
            DropKind::Dynamic
        }
    }
}

impl Chunk<'_> {
    #[inline(always)]
    fn has(&self, key: &[u64]) -> bool {
        self.key_words.load(Relaxed) == u64_of(key.len())
            && self
                .body
                .split_at_checked(key.len())
                .is_some_and(|(have, _)| have.iter().zip(key).all(|(a, b)| a.load(Relaxed) == *b))
    }
}

/// The consumer's cleaner: unlinks what has been dead for two rounds and frees it when no fire can
/// be looking at it any more.
#[derive(Debug, Default)]
pub struct Cleaner {
    /// Chunks unlinked in the round that waits for its fires to end.
    rinsing: Vec<u32>,
}

impl Cleaner {
    /// A round: frees what was unlinked in the round before (the caller has seen every slot leave
    /// the fire it was in since) and unlinks what is to go. Returns how many are unlinked; if it
    /// is not 0, the caller watches the slots before the next round.
    pub fn round(&mut self, vars: &DynVars<'_>) -> usize {
        for number in self.rinsing.drain(..) {
            if let Some(chunk) = vars.chunk(number) {
                vars.free(&chunk);
            }
        }
        if vars.header.dyn_dirty.swap(0, AcqRel) != 0 {
            let fresh = vars.header.dyn_fresh.load(Acquire).min(u64::from(vars.layout.nchunks));
            let mut left = fresh;
            for bucket in vars.buckets {
                left = left.saturating_sub(self.sweep(vars, bucket));
                if left == 0 {
                    break;
                }
            }
        }
        vars.header.dyn_rinsing.store(crate::num::u32_of(self.rinsing.len()), Relaxed);
        self.rinsing.len()
    }

    /// Goes over one chain; returns how many chunks it had.
    fn sweep(&mut self, vars: &DynVars<'_>, bucket: &AtomicU64) -> u64 {
        let mut previous: Option<Chunk<'_>> = None;
        let mut at = low32(bucket.load(Acquire));
        let mut seen = 0;
        while let Some(chunk) = vars.chunk(at) {
            seen += 1;
            if seen > u64::from(MAX_CHAIN) {
                break;
            }
            let next = low32(chunk.next.load(Acquire));
            match chunk.state.load(Acquire) {
                DEAD => {
                    let aged = chunk.state.compare_exchange(DEAD, OLD, AcqRel, Relaxed);
                    vars.header.dyn_dirty.fetch_or(u32::from(aged.is_ok()), Relaxed);
                }
                OLD if chunk.state.compare_exchange(OLD, GONE, AcqRel, Relaxed).is_ok() => {
                    if unlink(vars, bucket, previous.as_ref(), &chunk, next) {
                        self.rinsing.push(at);
                        at = next;
                        continue;
                    }
                    // An insertion came between; take it back and try in the next round.
                    chunk.state.store(OLD, Release);
                    vars.header.dyn_dirty.store(1, Relaxed);
                }
                _ => {}
            }
            previous = Some(chunk);
            at = next;
        }
        seen
    }
}

/// Takes a chunk out of its chain. Only the cleaner changes a linked chunk's `next`.
fn unlink(
    vars: &DynVars<'_>,
    bucket: &AtomicU64,
    previous: Option<&Chunk<'_>>,
    chunk: &Chunk<'_>,
    next: u32,
) -> bool {
    let head = bucket.load(Acquire);
    if low32(head) == chunk.number {
        let new = join(high32(head).wrapping_add(1), next);
        return bucket.compare_exchange(head, new, AcqRel, Acquire).is_ok();
    }
    let before = match previous {
        Some(previous) => Some(*previous),
        // New chunks came before it since the sweep began: find its predecessor.
        None => {
            let mut at = low32(head);
            let mut found = None;
            for _ in 0..MAX_CHAIN {
                let Some(candidate) = vars.chunk(at) else { break };
                at = low32(candidate.next.load(Acquire));
                if at == chunk.number {
                    found = Some(candidate);
                    break;
                }
            }
            found
        }
    };
    let Some(before) = before else { return false };
    if low32(before.next.load(Relaxed)) != chunk.number {
        return false;
    }
    before.next.store(u64::from(next), Release);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{
        config::{ArenaConfig, VarKind, VarSpec},
        key::hash,
        map::ArenaMap,
    };
    use dif::env::Scope;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn arena(size: u64) -> ArenaMap {
        let array = VarSpec {
            scope: Scope::Global,
            id: 0x500,
            is_array: true,
            kind: VarKind::Scalar,
            size: 8,
        };
        let vars = vec![array];
        ArenaMap::create(ArenaConfig { dynvarsize: size, vars, ..ArenaConfig::default() }).unwrap()
    }

    fn dynvars(arena: &ArenaMap) -> DynVars<'_> {
        DynVars::new(arena.mem(), &arena.layout().dynvars).unwrap()
    }

    fn set(vars: &DynVars<'_>, key: u64, value: u64) -> Result<(), DropKind> {
        vars.set(&[7, key], hash(&[7, key]), |words| words[0].store(value, Relaxed))
    }

    fn get(vars: &DynVars<'_>, key: u64) -> Option<u64> {
        vars.get(&[7, key], hash(&[7, key])).map(|value| value.words[0].load(Relaxed))
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u64, u64),
        Get(u64),
        Delete(u64),
        Clean,
    }

    fn op() -> impl Strategy<Value = Op> {
        let key = 0_u64..60;
        prop_oneof![
            4 => (key.clone(), any::<u64>()).prop_map(|(k, v)| Op::Set(k, v)),
            2 => key.clone().prop_map(Op::Get),
            3 => key.prop_map(Op::Delete),
            1 => Just(Op::Clean),
        ]
    }

    proptest! {
        /// Dynamic variables are a map, cleaned at any time; without room only new keys are
        /// refused, and cleaning makes room again.
        #[test]
        fn behave_like_a_map(ops in proptest::collection::vec(op(), 0..400)) {
            let arena = arena(4096);
            let vars = dynvars(&arena);
            let mut cleaner = Cleaner::default();
            let mut model: HashMap<u64, u64> = HashMap::new();
            let room = us(arena.layout().dynvars.nchunks);
            prop_assert!(room > 20 && room < 60);
            for op in ops {
                match op {
                    Op::Set(key, value) => match set(&vars, key, value) {
                        Ok(()) => {
                            model.insert(key, value);
                        }
                        Err(_) => prop_assert!(!model.contains_key(&key)),
                    },
                    Op::Get(key) => prop_assert_eq!(get(&vars, key), model.get(&key).copied()),
                    Op::Delete(key) => {
                        vars.delete(&[7, key], hash(&[7, key]));
                        model.remove(&key);
                    }
                    Op::Clean => {
                        cleaner.round(&vars);
                    }
                }
            }
            for key in 0..60 {
                prop_assert_eq!(get(&vars, key), model.get(&key).copied());
            }
            for key in 0..60 {
                vars.delete(&[7, key], hash(&[7, key]));
            }
            for _ in 0..4 {
                cleaner.round(&vars);
            }
            let fitting = (100..200).filter(|key| set(&vars, *key, 1).is_ok()).count();
            prop_assert_eq!(fitting, room);
        }

        /// Chains and free lists full of rubbish end every operation; nothing is touched outside.
        #[test]
        fn corruption_is_survived(
            edits in proptest::collection::vec((0_usize..700, any::<u64>(), 0_u32..64), 1..60),
            free in any::<u64>(), fresh in any::<u64>(),
        ) {
            let arena = arena(4096);
            let vars = dynvars(&arena);
            let mut cleaner = Cleaner::default();
            for key in 0..20 {
                prop_assert!(set(&vars, key, 1).is_ok());
            }
            vars.delete(&[7, 3], hash(&[7, 3]));
            let all: Vec<&AtomicU64> = vars.buckets.iter().chain(vars.chunks).collect();
            for (at, value, shift) in edits {
                all[at % all.len()].store(value >> shift, Relaxed);
            }
            arena.header().dyn_free.store(free, Relaxed);
            arena.header().dyn_fresh.store(fresh, Relaxed);
            for key in 0..60 {
                let _fits = set(&vars, key, 2);
                let _found = get(&vars, key);
                vars.delete(&[7, key], hash(&[7, key]));
                cleaner.round(&vars);
            }
        }
    }

    /// A variable that is set and cleared over and over stays in its chunk and needs no cleaner.
    #[test]
    fn set_and_clear_stay_in_place() {
        let arena = arena(4096);
        let vars = dynvars(&arena);
        for round in 1..10_000 {
            assert_eq!(set(&vars, 1, round), Ok(()));
            assert_eq!(get(&vars, 1), Some(round));
            vars.delete(&[7, 1], hash(&[7, 1]));
            assert_eq!(get(&vars, 1), None);
        }
        assert_eq!(arena.header().dyn_fresh.load(Relaxed), 1);
    }

    /// Without room the kind of drop tells whether cleaning would help.
    #[test]
    fn drops_are_told_apart() {
        let arena = arena(2048);
        let vars = dynvars(&arena);
        let room = u64::from(arena.layout().dynvars.nchunks);
        for key in 0..room {
            assert_eq!(set(&vars, key, 1), Ok(()));
        }
        assert_eq!(set(&vars, 1000, 1), Err(DropKind::Dynamic));
        vars.delete(&[7, 0], hash(&[7, 0]));
        assert_eq!(set(&vars, 1000, 1), Err(DropKind::DynDirty));
        let mut cleaner = Cleaner::default();
        cleaner.round(&vars);
        assert_eq!(cleaner.round(&vars), 1);
        assert_eq!(set(&vars, 1000, 1), Err(DropKind::DynRinse));
        cleaner.round(&vars);
        assert_eq!(set(&vars, 1000, 1), Ok(()));
    }
}
