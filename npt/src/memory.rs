//! What the walker needs from whoever owns the memory.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::addr::Hpa;

/// The bytes asked for are not (all) in memory, or may not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("outside memory")]
pub struct Outside;

/// Physical memory behind the last dimension.
///
/// # Contract
/// Every range is checked whole, first byte and last; nothing outside the memory is ever touched,
/// whatever the address: addresses come from a guest's tables and are arbitrary. The memory may
/// change at any time under the reader (the guest runs), so an implementation reads through
/// volatile or atomic accesses and never holds a reference into it.
///
/// # Context
/// Called on the firing path: no allocation, no blocking.
pub trait PhysMemory {
    /// The 8 bytes at `at`, little-endian, in *one* atomic load, so that a page-table entry which
    /// is changed at this moment is seen old or new and never torn. `None` if they are not all in
    /// memory or `at` is not a multiple of 8.
    fn read_u64(&self, at: Hpa) -> Option<u64>;

    /// Copies `into.len()` bytes from `at`. The range may be of any length and alignment.
    ///
    /// # Errors
    /// [`Outside`] if a byte of it is not in memory; `into` is then unspecified.
    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside>;

    /// Copies `from` to `at`.
    ///
    /// # Errors
    /// [`Outside`] if a byte of it is not in memory or may not be written; nothing is written then.
    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside>;

    /// Whether [`PhysMemory::write`] of `len` bytes at `at` would succeed now.
    fn writable(&self, at: Hpa, len: usize) -> bool;
}

impl<M: PhysMemory + ?Sized> PhysMemory for &M {
    #[inline]
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        (**self).read_u64(at)
    }
    #[inline]
    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        (**self).read(at, into)
    }
    #[inline]
    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside> {
        (**self).write(at, from)
    }
    #[inline]
    fn writable(&self, at: Hpa, len: usize) -> bool {
        (**self).writable(at, len)
    }
}

/// Memory made of atomic words: for tests, fuzzers and benchmarks, where tables are built by hand
/// and threads race on them.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    base: Hpa,
    words: &'a [AtomicU64],
}

impl<'a> Words<'a> {
    /// `words` as the memory that starts at `base`, which is rounded down to a multiple of 8.
    #[must_use]
    pub const fn new(base: Hpa, words: &'a [AtomicU64]) -> Self {
        Self { base: Hpa(base.0 & !7), words }
    }

    /// The word in which the byte at `at` lies.
    #[inline]
    fn word(&self, at: Hpa) -> Option<&'a AtomicU64> {
        let index = usize::try_from(at.offset_from(self.base)? / 8).ok()?;
        self.words.get(index)
    }

    fn holds(&self, at: Hpa, len: usize) -> bool {
        let Some(last) = len.checked_sub(1) else { return true };
        let last = u64::try_from(last).ok().and_then(|n| at.checked_add(n));
        self.word(at).is_some() && last.and_then(|at| self.word(at)).is_some()
    }
}

/// The byte of a word at `at`.
const fn lane(at: Hpa) -> usize {
    match at.0 & 7 {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 3,
        4 => 4,
        5 => 5,
        6 => 6,
        _ => 7,
    }
}

impl PhysMemory for Words<'_> {
    #[inline]
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        if at.0 & 7 != 0 {
            return None;
        }
        // x86 keeps the order of a guest's stores; acquire keeps the reader's side of it.
        self.word(at).map(|word| u64::from_le(word.load(Ordering::Acquire)))
    }

    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        if let Ok(qword) = <&mut [u8; 8]>::try_from(&mut *into)
            && let Some(value) = self.read_u64(at)
        {
            *qword = value.to_le_bytes();
            return Ok(());
        }
        if !self.holds(at, into.len()) {
            return Err(Outside);
        }
        let (mut at, mut rest) = (at, into);
        while !rest.is_empty() {
            let word = self.word(at).ok_or(Outside)?.load(Ordering::Acquire).to_ne_bytes();
            let part = word.get(lane(at)..).ok_or(Outside)?;
            let n = part.len().min(rest.len());
            let (now, later) = rest.split_at_mut(n);
            now.copy_from_slice(part.get(..n).ok_or(Outside)?);
            rest = later;
            at = Hpa((at.0 & !7).wrapping_add(8));
        }
        Ok(())
    }

    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside> {
        if !self.holds(at, from.len()) {
            return Err(Outside);
        }
        let (mut at, mut rest) = (at, from);
        while !rest.is_empty() {
            let word = self.word(at).ok_or(Outside)?;
            let start = lane(at);
            let (now, later) = rest.split_at(rest.len().min(8 - start));
            let set = |old: u64| {
                let mut bytes = old.to_ne_bytes();
                bytes.get_mut(start..start + now.len())?.copy_from_slice(now);
                Some(u64::from_ne_bytes(bytes))
            };
            word.fetch_update(Ordering::AcqRel, Ordering::Acquire, set).map_err(|_| Outside)?;
            rest = later;
            at = Hpa((at.0 & !7).wrapping_add(8));
        }
        Ok(())
    }

    fn writable(&self, at: Hpa, len: usize) -> bool {
        self.holds(at, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> [AtomicU64; 4] {
        [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908, 0, 0].map(AtomicU64::new)
    }

    #[test]
    fn unaligned_ranges_read_and_write_exactly_their_bytes() {
        let words = words();
        let memory = Words::new(Hpa(0x1000), &words);
        let mut got = [0; 7];
        memory.read(Hpa(0x1003), &mut got).unwrap();
        assert_eq!(got, [3, 4, 5, 6, 7, 8, 9]);
        memory.write(Hpa(0x1006), &[0xaa; 3]).unwrap();
        assert_eq!(memory.read_u64(Hpa(0x1000)), Some(0xaaaa_0504_0302_0100));
        assert_eq!(memory.read_u64(Hpa(0x1008)), Some(0x0f0e_0d0c_0b0a_09aa));
    }

    #[test]
    fn a_range_that_leaves_memory_is_refused_whole() {
        let words = words();
        let memory = Words::new(Hpa(0x1000), &words);
        assert_eq!(memory.read(Hpa(0x0fff), &mut [0; 4]), Err(Outside));
        assert_eq!(memory.read(Hpa(0x101e), &mut [0; 3]), Err(Outside));
        assert_eq!(memory.read(Hpa(u64::MAX), &mut [0; 3]), Err(Outside));
        assert_eq!(memory.write(Hpa(0x101e), &[1; 3]), Err(Outside));
        assert_eq!(memory.read_u64(Hpa(0x1018)), Some(0));
        assert_eq!(memory.read_u64(Hpa(0x1001)), None);
        assert_eq!(memory.read_u64(Hpa(0x1020)), None);
        assert!(!memory.writable(Hpa(0x1000), 33));
        assert!(memory.writable(Hpa(0x1000), 32));
    }
}
