//! The principal buffer: a ring with one writer, the slot's thread, and one reader, the consumer.
//!
//! ```text
//!        tail                 head
//!  ┌──────┬────────────────────┬─────────┬──┐
//!  │      │ records not yet    │ free    │▒▒│  ▒ gap: the next record did not fit there
//!  │      │ read               │         │▒▒│
//!  └──────┴────────────────────┴─────────┴──┘
//! ```
//! `head` and `tail` count bytes ever written and read; their places are those modulo the size. A
//! record exists once `head` is past it. It never wraps: a gap is a record of epid 0.
//!
//! The writer keeps its own `head` in private memory and only publishes it, so a corrupted arena
//! cannot lead it outside the buffer. It reads `tail` and believes it only as far as it makes
//! sense, and only when what it knew to be free is used up: most records are written without a look
//! at the reader's cache line.

use alloc::{vec, vec::Vec};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use super::{config::BufPolicy, header::SlotHeader};
use crate::{
    ids::Epid,
    num::{high32, join, low32, u32_of, u64_of, us64},
};

/// The first word of a record: epid, and its bytes with the header.
#[inline]
pub(crate) const fn tag(epid: Epid, size: u32) -> u64 {
    join(size, epid.0)
}

/// Takes a record's first word apart.
#[inline]
pub(crate) const fn untag(word: u64) -> (Epid, u32) {
    (Epid(low32(word)), high32(word))
}

/// The writer's private knowledge of its ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingWriter {
    /// The word of the buffer that is written next; may be the one behind the last.
    at: usize,
    /// The words from `at` up to this one are known to be free.
    limit: usize,
    /// Bytes written before the buffer's first word was written last: together with `at` they are
    /// the bytes ever written.
    base: u64,
    /// `bufpolicy=fill`: something did not fit.
    closed: bool,
}

/// A record did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl RingWriter {
    /// Goes on where the slot's last writer was.
    #[must_use]
    pub fn resume(slot: &SlotHeader, size: usize) -> Self {
        let head = slot.head.load(Relaxed) & !7;
        let at = if size < 8 { 0 } else { us64(head % u64_of(size & !7) / 8) };
        Self { at, limit: 0, base: head.wrapping_sub(u64_of(at) * 8), closed: false }
    }

    /// Bytes ever written.
    #[inline(always)]
    const fn head(&self) -> u64 {
        self.base.wrapping_add(u64_of(self.at) * 8)
    }

    /// Writes a record and publishes it: the header's two words, then `body`, a multiple of 8
    /// bytes.
    ///
    /// # Errors
    /// [`Full`], after which the buffer is as it was.
    ///
    /// # Context
    /// The firing path. `ring` may walk over as many old records as fit into the new one.
    #[inline]
    pub fn push(
        &mut self,
        slot: &SlotHeader,
        buffer: &[AtomicU64],
        policy: BufPolicy,
        head: [u64; 2],
        body: &[u8],
    ) -> Result<(), Full> {
        let words = 2 + body.len() / 8;
        if let [tag, time, rest @ ..] = self.reserve(slot, buffer, policy, words)? {
            tag.store(head[0], Relaxed);
            time.store(head[1], Relaxed);
            store_words(rest, body);
        }
        self.publish(slot, words);
        Ok(())
    }

    /// Writes a record of its header alone and publishes it, if it fits without a look at the reader.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub fn try_push(&mut self, slot: &SlotHeader, buffer: &[AtomicU64], head: [u64; 2]) -> bool {
        let end = self.at + 2;
        if end > self.limit {
            return false;
        }
        let Some([tag, time]) = buffer.get(..end).and_then(<[AtomicU64]>::last_chunk) else {
            return false;
        };
        tag.store(head[0], Relaxed);
        time.store(head[1], Relaxed);
        self.at = end;
        slot.head.store(self.base.wrapping_add(u64_of(end) * 8), Release);
        true
    }

    /// Where the next record of so many words goes, and what is behind that. It exists when it is
    /// written and [`RingWriter::publish`]ed; until then another may be reserved instead.
    ///
    /// # Errors
    /// [`Full`], after which the buffer is as it was.
    ///
    /// # Context
    /// As [`RingWriter::push`].
    #[inline(always)]
    pub fn reserve<'b>(
        &mut self,
        slot: &SlotHeader,
        buffer: &'b [AtomicU64],
        policy: BufPolicy,
        words: usize,
    ) -> Result<&'b [AtomicU64], Full> {
        if self.at + words > self.limit {
            self.find_room(slot, buffer, policy, words)?;
        }
        buffer.get(self.at..).ok_or(Full)
    }

    /// Makes the words reserved last a record.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub fn publish(&mut self, slot: &SlotHeader, words: usize) {
        self.at += words;
        slot.head.store(self.head(), Release);
    }

    /// Looks how far the reader is, goes to the buffer's start if the record does not fit at its
    /// end, and lets old records go if the policy says so.
    #[cold]
    #[inline(never)]
    fn find_room(
        &mut self,
        slot: &SlotHeader,
        buffer: &[AtomicU64],
        policy: BufPolicy,
        words: usize,
    ) -> Result<(), Full> {
        let size = u64_of(buffer.len() * 8);
        let rest = buffer.len().saturating_sub(self.at);
        let gap = if words > rest { rest } else { 0 };
        let needed = u64_of(words.saturating_add(gap)).saturating_mul(8);
        let head = self.head();
        self.limit = 0;
        let mut used = head.wrapping_sub(slot.tail.load(Acquire));
        if needed.saturating_add(used) > size || self.closed {
            self.make_room(slot, buffer, policy, needed)?;
            used = head.wrapping_sub(slot.tail.load(Acquire));
        }
        // Whoever else writes the tail may have moved it meanwhile.
        let free = us64(size.saturating_sub(used) / 8);
        if free < words.saturating_add(gap) {
            return Err(Full);
        }
        if words > rest {
            self.leave_gap(buffer, rest);
        }
        self.limit = self.at.saturating_add(free - gap).min(buffer.len());
        Ok(())
    }

    /// Fills what is left at the end with a record of epid 0.
    fn leave_gap(&mut self, buffer: &[AtomicU64], rest: usize) {
        if let Some(word) = buffer.get(self.at) {
            word.store(tag(Epid(0), u32_of(rest * 8)), Relaxed);
        }
        self.base = self.head().wrapping_add(u64_of(rest) * 8);
        self.at = 0;
    }

    #[cold]
    fn make_room(
        &mut self,
        slot: &SlotHeader,
        buffer: &[AtomicU64],
        policy: BufPolicy,
        needed: u64,
    ) -> Result<(), Full> {
        let size = u64_of(buffer.len() * 8);
        match policy {
            BufPolicy::Ring if needed <= size => {}
            // The reader has emptied it, which it does once, when nobody but END is left.
            BufPolicy::Fill
                if self.closed && slot.tail.load(Relaxed) == self.head() && needed <= size =>
            {
                self.closed = false;
                return Ok(());
            }
            BufPolicy::Fill => {
                self.closed = true;
                return Err(Full);
            }
            _ => return Err(Full),
        }
        let mut tail = slot.tail.load(Relaxed);
        while size.saturating_sub(self.head().wrapping_sub(tail)) < needed {
            tail = match record_at(buffer, self.head(), tail) {
                Some((_, len)) => tail.wrapping_add(u64::from(len)),
                // Senseless: let everything go that is there.
                None => self.head(),
            };
        }
        slot.tail.store(tail, Relaxed);
        // The reader must see the new tail before it can see any of what overwrites the old.
        fence(Release);
        Ok(())
    }
}

/// Stores a record's body, eight words at a time: atomic stores are not made wider by the compiler.
#[inline(always)]
fn store_words(to: &[AtomicU64], body: &[u8]) {
    let from: &[[u8; 8]] = body.as_chunks().0;
    // Of one length, so that the loops below have one end each.
    let Some(to) = to.get(..from.len()) else { return };
    let (to, to_last) = to.as_chunks::<8>();
    let (from, from_last) = from.as_chunks::<8>();
    for (to, from) in to.iter().zip(from) {
        for (word, bytes) in to.iter().zip(from) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
    }
    for (word, bytes) in to_last.iter().zip(from_last) {
        word.store(u64::from_le_bytes(*bytes), Relaxed);
    }
}

/// The epid and size of the record (or gap) at `tail`; `None` if there is none that makes sense.
pub(crate) fn record_at(buffer: &[AtomicU64], head: u64, tail: u64) -> Option<(Epid, u32)> {
    let size = u64_of(buffer.len() * 8);
    let ready = head.wrapping_sub(tail);
    if ready == 0 || ready > size || !tail.is_multiple_of(8) {
        return None;
    }
    let at = tail % size;
    let (epid, len) = untag(buffer.get(us64(at / 8))?.load(Relaxed));
    let least = if epid.0 == 0 { 8 } else { crate::ecb::RECORD_HEADER };
    let fits = u64::from(len) <= ready.min(size - at);
    (len.is_multiple_of(8) && len >= least && fits).then_some((epid, len))
}

/// A record in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Whose.
    pub epid: Epid,
    /// When its probe fired.
    pub timestamp: u64,
    /// The record, header included.
    pub bytes: Vec<u8>,
}

/// The reader's private knowledge of one ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingReader {
    tail: u64,
}

/// What [`RingReader::peek`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Nothing more.
    Empty,
    /// A record of this time.
    Record(u64),
    /// The ring makes no sense; all that was in it is lost.
    Corrupt,
}

impl RingReader {
    /// Looks at the oldest record without taking it.
    pub fn peek(&mut self, slot: &SlotHeader, buffer: &[AtomicU64], policy: BufPolicy) -> Peek {
        let head = slot.head.load(Acquire);
        if policy == BufPolicy::Ring {
            self.follow(slot, head);
        }
        // A gap is followed by a record or by the end.
        for _ in 0..3 {
            if head == self.tail {
                return Peek::Empty;
            }
            match record_at(buffer, head, self.tail) {
                Some((Epid(0), len)) => self.tail = self.tail.wrapping_add(u64::from(len)),
                Some(_) => {
                    let at = us64((self.tail % u64_of(buffer.len() * 8)) / 8) + 1;
                    let time = buffer.get(at).map_or(0, |word| word.load(Relaxed));
                    return Peek::Record(time);
                }
                None => break,
            }
        }
        self.tail = head;
        slot.tail.store(head, Release);
        Peek::Corrupt
    }

    /// Takes the oldest record; `None` if there is none that makes sense, or if the writer
    /// overwrote it meanwhile (`bufpolicy=ring`).
    pub fn take(
        &mut self,
        slot: &SlotHeader,
        buffer: &[AtomicU64],
        policy: BufPolicy,
    ) -> Option<RawRecord> {
        let Peek::Record(_) = self.peek(slot, buffer, policy) else { return None };
        let head = slot.head.load(Acquire);
        let (epid, len) = record_at(buffer, head, self.tail)?;
        let at = us64((self.tail % u64_of(buffer.len() * 8)) / 8);
        let words = buffer.get(at..at + crate::num::us(len) / 8)?;
        let mut bytes = vec![0; crate::num::us(len)];
        super::mem::load_bytes(words, &mut bytes);
        if policy == BufPolicy::Ring {
            fence(Acquire);
            let tail = slot.tail.load(Relaxed);
            if tail.wrapping_sub(self.tail).cast_signed() > 0 {
                self.tail = tail;
                return None;
            }
        }
        self.tail = self.tail.wrapping_add(u64::from(len));
        if policy != BufPolicy::Ring {
            slot.tail.store(self.tail, Release);
        }
        let timestamp = bytes.get(8..16)?.try_into().map(u64::from_le_bytes).ok()?;
        Some(RawRecord { epid, timestamp, bytes })
    }

    /// `bufpolicy=ring`: the writer moves the tail over what it overwrites.
    fn follow(&mut self, slot: &SlotHeader, head: u64) {
        let tail = slot.tail.load(Acquire);
        let ahead = tail.wrapping_sub(self.tail).cast_signed() > 0;
        if ahead && head.wrapping_sub(tail).cast_signed() >= 0 {
            self.tail = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{config::ArenaConfig, map::ArenaMap};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn arena() -> ArenaMap {
        ArenaMap::create(ArenaConfig { bufsize: 4096, ..ArenaConfig::default() }).unwrap()
    }

    fn ring(arena: &ArenaMap) -> (&SlotHeader, &[AtomicU64]) {
        let area = arena.layout().slot.buffer;
        let start = arena.layout().slot_offset(0).unwrap() + area.offset;
        let buffer = arena.mem().words(us64(start), us64(area.len)).unwrap();
        (arena.slot(0).unwrap(), buffer)
    }

    fn record(epid: u32, time: u64, words: usize) -> Vec<u8> {
        let mut out = vec![time; words + 2];
        out[0] = tag(Epid(epid), u32_of((words + 2) * 8));
        out.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn push(
        writer: &mut RingWriter,
        (slot, buffer): (&SlotHeader, &[AtomicU64]),
        policy: BufPolicy,
        record: &[u8],
    ) -> Result<(), Full> {
        let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
        writer.push(slot, buffer, policy, [word(0), word(8)], &record[16..])
    }

    fn time_of(record: &[u8]) -> u64 {
        u64::from_le_bytes(record[8..16].try_into().unwrap())
    }

    proptest! {
        /// Under any mix of writes and reads the ring hands out what was written, in order and
        /// whole; `switch` refuses only what does not fit, `ring` loses only the oldest.
        #[test]
        fn behaves_like_a_queue(
            ops in proptest::collection::vec((any::<bool>(), 0_usize..60), 1..400),
            overwrite in any::<bool>(),
        ) {
            let policy = if overwrite { BufPolicy::Ring } else { BufPolicy::Switch };
            let arena = arena();
            let (slot, buffer) = ring(&arena);
            let mut writer = RingWriter::resume(slot, buffer.len() * 8);
            let mut reader = RingReader::default();
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            let mut used = 0;
            for (time, (write, words)) in (1_u64..).zip(ops) {
                if write {
                    let new = record(7, time, words);
                    if push(&mut writer, (slot, buffer), policy, &new).is_ok() {
                        used += new.len();
                        model.push_back(new);
                    } else {
                        // The gap at the end, and one before it, are shorter than a record.
                        prop_assert!(!overwrite && used + 496 + (words + 2) * 16 > 4096);
                    }
                } else {
                    let got = reader.take(slot, buffer, policy);
                    if overwrite {
                        while model.front().map(|r| time_of(r)) < got.as_ref().map(|r| r.timestamp) {
                            used -= model.pop_front().map_or(0, |r| r.len());
                        }
                    }
                    let want = model.pop_front();
                    used -= want.as_ref().map_or(0, Vec::len);
                    prop_assert_eq!(got.map(|r| r.bytes), want);
                }
            }
        }

        /// Whatever another process writes over a ring's words, the reader comes to an end and the
        /// writer goes on.
        #[test]
        fn corruption_is_survived(
            edits in proptest::collection::vec((0_usize..512, any::<u64>()), 1..30),
            head in any::<Option<u64>>(), tail in any::<Option<u64>>(), overwrite in any::<bool>(),
        ) {
            let policy = if overwrite { BufPolicy::Ring } else { BufPolicy::Switch };
            let arena = arena();
            let (slot, buffer) = ring(&arena);
            let mut writer = RingWriter::resume(slot, buffer.len() * 8);
            for time in 1..60 {
                prop_assert!(push(&mut writer, (slot, buffer), policy, &record(1, time, 5)).is_ok());
            }
            for (at, value) in edits {
                buffer[at].store(value, Relaxed);
            }
            if let Some(head) = head {
                slot.head.store(head, Relaxed);
            }
            if let Some(tail) = tail {
                slot.tail.store(tail, Relaxed);
            }
            let mut reader = RingReader::default();
            let mut steps = 0;
            while reader.peek(slot, buffer, policy) != Peek::Empty && steps < 1000 {
                reader.take(slot, buffer, policy);
                steps += 1;
            }
            prop_assert!(steps < 1000);
            for time in 60..2000 {
                // Refused or not, it must return.
                let _fits = push(&mut writer, (slot, buffer), policy, &record(1, time, 9));
            }
        }
    }

    /// `fill` lets nothing in any more once something did not fit, however small.
    #[test]
    fn fill_stays_closed() {
        let arena = arena();
        let (slot, buffer) = ring(&arena);
        let mut writer = RingWriter::resume(slot, buffer.len() * 8);
        assert!(push(&mut writer, (slot, buffer), BufPolicy::Fill, &record(1, 1, 500)).is_ok());
        assert_eq!(
            push(&mut writer, (slot, buffer), BufPolicy::Fill, &record(1, 2, 50)),
            Err(Full)
        );
        assert_eq!(push(&mut writer, (slot, buffer), BufPolicy::Fill, &record(1, 3, 0)), Err(Full));
        // Emptied by the reader, it takes what END has to say.
        slot.tail.store(slot.head.load(Relaxed), Relaxed);
        assert!(push(&mut writer, (slot, buffer), BufPolicy::Fill, &record(1, 4, 0)).is_ok());
    }

    /// A record longer than the whole buffer is refused under every policy, and does not spin.
    #[test]
    fn too_long_a_record_is_refused() {
        let arena = arena();
        let (slot, buffer) = ring(&arena);
        for policy in [BufPolicy::Switch, BufPolicy::Ring, BufPolicy::Fill] {
            let mut writer = RingWriter::resume(slot, buffer.len() * 8);
            assert_eq!(push(&mut writer, (slot, buffer), policy, &record(1, 1, 600)), Err(Full));
        }
    }
}
