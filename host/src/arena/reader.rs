//! The consumer's side of an arena: records in the order of time, aggregations, drops, cleaning.
//!
//! Nothing here waits for a slot. A slot that stays in a fire (its process is stopped or slow) is
//! looked at again in the next pass; one whose process is gone is [`Reader::retire`]d and counts as
//! outside.
//!
//! Every call's work is bounded by the arena's size, whatever other processes write into it.

use core::{
    cmp::Reverse,
    ops::Range,
    sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use std::{
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    activity::Activity,
    agg::{AggTable, RawAgg},
    aggfunc::AggFunc,
    dynvar::{Cleaner, DynVars},
    header::{DROP_KINDS, DropKind, STARTING, SlotHeader},
    map::ArenaMap,
    ring::{Peek, RawRecord, RingReader},
    spec::{Pending, SpecBuffer, Specs},
};
use crate::{
    ecb::MAX_RECORD,
    ids::{Epid, SlotId},
    num::{us, us64},
};

/// How long a fire may last before the reader stops waiting for its records.
pub const STALLED_NS: u64 = 1_000_000_000;
/// How often a slot that is just starting a fire is looked at again.
const SPINS: u32 = 1000;
/// The most keys that aggregations may have together.
pub const MAX_KEYS: usize = 1 << 22;

/// One aggregation key's merged value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggValue {
    /// The function.
    pub func: AggFunc,
    /// Whose ECB tells what the key's elements are.
    pub epid: Epid,
    /// Its words, see [`super::aggfunc`].
    pub values: Vec<u64>,
}

/// Keys (shape first, see [`super::key::parts`]) with their values.
pub type AggMap = HashMap<Vec<u64>, AggValue>;

/// What one look at all slots finds lost, by kind.
pub type Drops = Vec<(SlotId, DropKind, u64)>;

/// What the reader met that should not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies {
    /// Rings that made no sense and were emptied.
    pub corrupt_rings: u64,
    /// Aggregation entries that made no sense, or came when there were [`MAX_KEYS`].
    pub lost_keys: u64,
    /// Fires that lasted too long to wait for.
    pub stalled: u64,
}

/// A fire that a slot was seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    slot: u32,
    fires: u64,
}

#[derive(Debug, Default)]
struct SlotState {
    ring: RingReader,
    retired: bool,
    /// The aggregation buffer that the slot fills.
    active: u32,
    /// The other one is full and waits until the slot has left this fire.
    flipped: Option<Seen>,
    drops: [u64; DROP_KINDS],
    /// The fire it was last seen in, and since when.
    since: Option<(u64, u64)>,
}

/// Reads one arena. There must be only one reader of an arena.
#[derive(Debug)]
pub struct Reader {
    arena: Arc<ArenaMap>,
    slots: Vec<SlotState>,
    aggs: BTreeMap<u32, AggMap>,
    nkeys: usize,
    cleaner: Cleaner,
    rinsing: Vec<Seen>,
    ending: BTreeMap<u64, Vec<Seen>>,
    committed: VecDeque<(SlotId, RawRecord)>,
    last: u64,
    anomalies: Anomalies,
}

impl Reader {
    /// Reads an arena from its start.
    #[must_use]
    pub fn new(arena: Arc<ArenaMap>) -> Self {
        let count = arena.layout().config().nslots;
        Self {
            slots: (0..count).map(|_| SlotState::default()).collect(),
            arena,
            aggs: BTreeMap::new(),
            nkeys: 0,
            cleaner: Cleaner::default(),
            rinsing: Vec::new(),
            ending: BTreeMap::new(),
            committed: VecDeque::new(),
            last: 0,
            anomalies: Anomalies::default(),
        }
    }

    /// The arena.
    #[must_use]
    pub fn arena(&self) -> &Arc<ArenaMap> {
        &self.arena
    }

    /// What was met that should not be.
    #[must_use]
    pub fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// The process that used these slots is gone: nobody is in a fire there any more.
    pub fn retire(&mut self, slots: Range<u32>) {
        for slot in slots {
            if let Some(state) = self.slots.get_mut(us(slot)) {
                state.retired = true;
            }
        }
    }

    /// Another process uses these slots from now on.
    pub fn revive(&mut self, slots: Range<u32>) {
        for slot in slots {
            if let Some(header) = self.arena.slot(slot) {
                header.in_fire.store(0, SeqCst);
            }
            if let Some(state) = self.slots.get_mut(us(slot)) {
                state.retired = false;
            }
        }
    }

    /// The time before which no more records will come: `now`, or the start of the oldest fire
    /// that runs.
    pub fn watermark(&mut self, now: u64) -> u64 {
        let mut mark = now;
        for (number, state) in (0_u32..).zip(&mut self.slots) {
            let Some(header) = self.arena.slot(number).filter(|_| !state.retired) else { continue };
            let mut started = header.in_fire.load(SeqCst);
            let mut spins = 0;
            while started == STARTING && spins < SPINS {
                core::hint::spin_loop();
                started = header.in_fire.load(SeqCst);
                spins += 1;
            }
            if started == 0 {
                state.since = None;
                continue;
            }
            let fires = header.fires.load(Relaxed);
            let since = match state.since {
                Some((which, since)) if which == fires => since,
                _ => now,
            };
            state.since = Some((fires, since));
            if now.saturating_sub(since) > STALLED_NS {
                self.anomalies.stalled += 1;
                continue;
            }
            mark = mark.min(if started == STARTING { self.last } else { started });
        }
        self.last = self.last.max(mark);
        mark
    }

    /// Hands out, in the order of time over all slots, every record older than the watermark at
    /// `now`.
    pub fn drain(&mut self, now: u64, each: &mut dyn FnMut(SlotId, RawRecord)) {
        let mark = self.watermark(now);
        self.drain_until(mark, each);
    }

    /// Hands out every record there is: for the end of a session, when nobody fires any more.
    pub fn drain_all(&mut self, each: &mut dyn FnMut(SlotId, RawRecord)) {
        self.drain_until(u64::MAX, each);
    }

    fn drain_until(&mut self, mark: u64, each: &mut dyn FnMut(SlotId, RawRecord)) {
        let mut heap = BinaryHeap::new();
        let mut budgets = vec![us64(self.arena.layout().slot.buffer.len); self.slots.len()];
        for slot in 0..crate::num::u32_of(self.slots.len()) {
            if let Some(time) = self.peek(slot).filter(|time| *time < mark) {
                heap.push(Reverse((time, slot)));
            }
        }
        while let Some(Reverse((mut time, slot))) = heap.pop() {
            // As long as no other slot has an older one, the next comes from the same.
            let others = heap.peek().map_or((u64::MAX, u32::MAX), |Reverse(oldest)| *oldest);
            loop {
                self.emit_committed(time, each);
                let Some(record) = self.take(slot) else { break };
                let Some(budget) = budgets.get_mut(us(slot)) else { break };
                // A ring's worth a pass: a writer that never stops cannot hold the reader.
                *budget = budget.saturating_sub(record.bytes.len());
                let more = *budget > 0;
                each(SlotId(slot), record);
                match self.peek(slot).filter(|next| more && *next < mark) {
                    Some(next) if (next, slot) < others => time = next,
                    Some(next) => {
                        heap.push(Reverse((next, slot)));
                        break;
                    }
                    None => break,
                }
            }
        }
        self.emit_committed(mark, each);
    }

    /// Hands out what committed speculations have left from before `mark`.
    fn emit_committed(&mut self, mark: u64, each: &mut dyn FnMut(SlotId, RawRecord)) {
        while self.committed.front().is_some_and(|(_, record)| record.timestamp < mark) {
            if let Some((slot, record)) = self.committed.pop_front() {
                each(slot, record);
            }
        }
    }

    fn peek(&mut self, slot: u32) -> Option<u64> {
        let (header, buffer) = ring(&self.arena, slot)?;
        let policy = self.arena.layout().config().bufpolicy;
        match self.slots.get_mut(us(slot))?.ring.peek(header, buffer, policy) {
            Peek::Record(time) => Some(time),
            Peek::Empty => None,
            Peek::Corrupt => {
                self.anomalies.corrupt_rings += 1;
                None
            }
        }
    }

    fn take(&mut self, slot: u32) -> Option<RawRecord> {
        let (header, buffer) = ring(&self.arena, slot)?;
        let policy = self.arena.layout().config().bufpolicy;
        self.slots.get_mut(us(slot))?.ring.take(header, buffer, policy)
    }

    /// Takes what the slots have aggregated since the last snapshot. A slot that does not leave
    /// its fire keeps its part until a later one.
    pub fn snapshot(&mut self) {
        for slot in 0..crate::num::u32_of(self.slots.len()) {
            self.flip(slot);
        }
        for slot in 0..crate::num::u32_of(self.slots.len()) {
            self.collect(slot, SPINS);
        }
    }

    /// Takes everything that is aggregated: for the end of a session, when nobody fires any more.
    pub fn snapshot_all(&mut self) {
        self.snapshot();
        for slot in 0..crate::num::u32_of(self.slots.len()) {
            for which in 0..2 {
                self.merge_table(slot, which);
            }
        }
    }

    /// Makes the slot fill its other buffer.
    fn flip(&mut self, slot: u32) {
        let Some(header) = self.arena.slot(slot) else { return };
        let Some(state) = self.slots.get_mut(us(slot)) else { return };
        let used = header.agg_used.get(us(state.active)).map_or(0, |used| used.load(Acquire));
        if state.flipped.is_some() || used == 0 {
            return;
        }
        state.active ^= 1;
        header.agg_active.store(state.active, SeqCst);
        state.flipped = Some(Seen { slot, fires: header.fires.load(SeqCst) });
    }

    /// Merges the buffer that the slot does not fill, if it has left the fire it was in.
    fn collect(&mut self, slot: u32, spins: u32) {
        let Some(state) = self.slots.get(us(slot)) else { return };
        let Some(seen) = state.flipped else { return };
        let other = state.active ^ 1;
        let left = (0..spins).any(|_| {
            core::hint::spin_loop();
            self.has_left(seen)
        });
        if !left {
            return;
        }
        self.merge_table(slot, other);
        if let Some(state) = self.slots.get_mut(us(slot)) {
            state.flipped = None;
        }
    }

    fn merge_table(&mut self, slot: u32, which: u32) {
        let arena = Arc::clone(&self.arena);
        let (Some(at), Some(header)) = (arena.layout().slot_offset(slot), arena.slot(slot)) else {
            return;
        };
        if let Some(table) = AggTable::new(arena.mem(), arena.layout(), at, header, which) {
            table.take(|entry| self.merge(entry));
        }
    }

    fn merge(&mut self, entry: RawAgg) {
        let map = self.aggs.entry(entry.varid).or_default();
        match map.get_mut(&entry.key) {
            Some(value) if value.func == entry.func => {
                entry.func.merge(&mut value.values, &entry.values);
            }
            None if self.nkeys < MAX_KEYS => {
                self.nkeys += 1;
                let RawAgg { func, epid, key, values, .. } = entry;
                map.insert(key, AggValue { func, epid, values });
            }
            _ => self.anomalies.lost_keys += 1,
        }
    }

    /// The aggregations as of the last snapshot, by variable id.
    #[must_use]
    pub fn aggregations(&self) -> &BTreeMap<u32, AggMap> {
        &self.aggs
    }

    /// Changes an aggregation (`clear()`, `trunc()`); does nothing if it was never fed.
    pub fn edit(&mut self, varid: u32, change: impl FnOnce(&mut AggMap)) {
        if let Some(map) = self.aggs.get_mut(&varid) {
            let before = map.len();
            change(map);
            self.nkeys = (self.nkeys + map.len()).saturating_sub(before);
        }
    }

    /// What was lost since the last call.
    pub fn drops(&mut self) -> Drops {
        let mut drops = Drops::new();
        for (number, state) in (0_u32..).zip(&mut self.slots) {
            let Some(header) = self.arena.slot(number) else { continue };
            for kind in DropKind::ALL {
                let counter = header.drops.get(kind.index()).zip(state.drops.get_mut(kind.index()));
                let Some((counter, last)) = counter else { continue };
                let now = counter.load(Relaxed);
                if now != *last {
                    drops.push((SlotId(number), kind, now.wrapping_sub(*last)));
                    *last = now;
                }
            }
        }
        drops
    }

    /// The cleaner (`cleanrate`): frees deleted dynamic variables, ends speculations that several
    /// slots wrote to. Their records count from `now` on.
    pub fn clean(&mut self, now: u64) {
        let arena = Arc::clone(&self.arena);
        if let Some(vars) = DynVars::new(arena.mem(), &arena.layout().dynvars)
            && self.have_left(&self.rinsing)
        {
            let unlinked = self.cleaner.round(&vars);
            self.rinsing = if unlinked > 0 { self.in_fire() } else { Vec::new() };
        }
        let Some(specs) = Specs::new(arena.mem(), arena.layout()) else { return };
        for (id, how) in specs.pending() {
            let seen = match self.ending.remove(&id) {
                Some(seen) => seen,
                None => self.in_fire(),
            };
            if self.have_left(&seen) {
                self.end_speculation(id, how, now);
                specs.release(id);
            } else {
                self.ending.insert(id, seen);
            }
        }
    }

    /// Collects or forgets a speculation's records in all slots.
    fn end_speculation(&mut self, id: u64, how: Pending, now: u64) {
        let layout = self.arena.layout();
        let mut records = Vec::new();
        let mut bytes = vec![0; us(MAX_RECORD)];
        for slot in 0..layout.config().nslots {
            let Some(at) = layout.slot_offset(slot) else { continue };
            let touched = self.arena.slot(slot).is_some_and(|it| it.fires.load(Relaxed) > 0);
            let buffer = SpecBuffer::new(self.arena.mem(), layout, at, id).filter(|_| touched);
            let Some(buffer) = buffer else { continue };
            let mut at = 0;
            while let Some(len) = buffer.get(at, &mut bytes) {
                let record = bytes.get(..len).unwrap_or_default();
                if how == Pending::Commit {
                    records.extend(raw_record(record).map(|raw| (SlotId(slot), raw)));
                }
                at += len;
            }
            buffer.clear();
        }
        records.sort_by_key(|(_, record)| record.timestamp);
        for (slot, mut record) in records {
            record.timestamp = now;
            self.committed.push_back((slot, record));
        }
    }

    /// The slots that are in a fire now.
    fn in_fire(&self) -> Vec<Seen> {
        (0_u32..)
            .zip(&self.slots)
            .filter(|(_, state)| !state.retired)
            .filter_map(|(slot, _)| {
                let header = self.arena.slot(slot)?;
                let fires = header.fires.load(SeqCst);
                (header.in_fire.load(SeqCst) != 0).then_some(Seen { slot, fires })
            })
            .collect()
    }

    fn have_left(&self, seen: &[Seen]) -> bool {
        seen.iter().all(|one| self.has_left(*one))
    }

    /// Whether the slot has left the fire it was seen in.
    fn has_left(&self, seen: Seen) -> bool {
        let retired = self.slots.get(us(seen.slot)).is_none_or(|state| state.retired);
        retired
            || self.arena.slot(seen.slot).is_none_or(|header| {
                header.in_fire.load(SeqCst) == 0 || header.fires.load(Acquire) != seen.fires
            })
    }

    /// What the session is doing.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity::load(&self.arena.header().activity)
    }

    /// Takes the session from one state to another; `false` if it was not in `from`.
    pub fn step(&self, from: Activity, to: Activity) -> bool {
        Activity::step(&self.arena.header().activity, from, to)
    }

    /// Whether no slot but the consumer's is in a fire: after COOLDOWN was set, END may fire.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.in_fire().iter().all(|seen| seen.slot == 0)
    }

    /// What `exit()` was given last.
    #[must_use]
    pub fn exit_status(&self) -> i32 {
        self.arena.header().exit_status.load(Acquire)
    }

    /// Says that the consumer lives.
    pub fn beat(&self, now: u64) {
        self.arena.header().heartbeat.store(now, Release);
    }
}

fn ring(arena: &ArenaMap, slot: u32) -> Option<(&SlotHeader, &[core::sync::atomic::AtomicU64])> {
    let layout = arena.layout();
    let area = layout.slot.buffer;
    let words = arena.mem().words(us64(layout.slot_offset(slot)? + area.offset), us64(area.len))?;
    Some((arena.slot(slot)?, words))
}

fn raw_record(bytes: &[u8]) -> Option<RawRecord> {
    let epid = Epid(u32::from_le_bytes(*bytes.first_chunk()?));
    let timestamp = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    Some(RawRecord { epid, timestamp, bytes: bytes.to_vec() })
}
