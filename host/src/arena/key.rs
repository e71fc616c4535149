//! Keys of aggregations and dynamic variables: runs of 64-bit words, hashed and compared as such.
//!
//! ```text
//!  shape   low half: bit i is set if element i is by reference; high half: number of elements
//!  element by value: one word          by reference: bytes, then the bytes padded with zeros
//! ```
//! A string's bytes end before its NUL, so short strings make short keys.

use alloc::{boxed::Box, vec, vec::Vec};

use crate::num::{cut, high32, join, low32, u64_of, us64};

/// A key under construction, in the slot's private memory.
#[derive(Debug, Default)]
pub struct KeyBuf {
    words: Box<[u64]>,
    len: usize,
    shape: u32,
    elements: u32,
}

/// The key does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl KeyBuf {
    /// Room for a key of `words` words.
    #[must_use]
    pub fn new(words: usize) -> Self {
        Self { words: vec![0; words.max(4)].into_boxed_slice(), len: 0, shape: 0, elements: 0 }
    }

    /// Starts a new key with some words of the caller's and the shape behind them.
    #[inline]
    pub fn start(&mut self, head: &[u64]) {
        self.shape = 0;
        self.elements = 0;
        self.len = head.len() + 1;
        for (to, from) in self.words.iter_mut().zip(head) {
            *to = *from;
        }
    }

    /// Adds an element by value, cut to `bytes` bytes.
    ///
    /// # Errors
    /// [`TooLong`].
    #[inline]
    pub fn scalar(&mut self, value: u64, bytes: u32) -> Result<(), TooLong> {
        *self.words.get_mut(self.len).ok_or(TooLong)? = cut(value, bytes);
        self.len += 1;
        self.elements += 1;
        Ok(())
    }

    /// Adds an element by reference.
    ///
    /// # Errors
    /// [`TooLong`].
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let end = self.len + 1 + bytes.len().div_ceil(8);
        let place = self.words.get_mut(self.len..end).ok_or(TooLong)?;
        let (first, rest) = place.split_first_mut().ok_or(TooLong)?;
        *first = u64_of(bytes.len());
        let (whole, part) = bytes.as_chunks::<8>();
        let mut to = rest.iter_mut();
        for (from, to) in whole.iter().zip(&mut to) {
            *to = u64::from_le_bytes(*from);
        }
        if let Some(last) = to.next() {
            *last = part.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        self.shape |= 1_u32.checked_shl(self.elements).unwrap_or(0);
        self.elements += 1;
        self.len = end;
        Ok(())
    }

    /// Ends the key: its words and their hash. `head` is how many words [`KeyBuf::start`] was
    /// given.
    #[inline]
    pub fn finish(&mut self, head: usize) -> (&[u64], u64) {
        if let Some(shape) = self.words.get_mut(head) {
            *shape = join(self.elements, self.shape);
        }
        let words = self.words.get(..self.len).unwrap_or_default();
        (words, hash(words))
    }
}

/// Hashes a key: a multiplication a word, and a last mixing that brings the high bits down.
#[inline]
pub(crate) fn hash(words: &[u64]) -> u64 {
    hash_end(words.iter().fold(0, |h, w| hash_step(h, *w)))
}

/// An odd number without a pattern: the golden ratio's fraction.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Takes a word into a hash that began with 0.
#[inline(always)]
pub(crate) const fn hash_step(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(ODD)
}

/// The hash of the words taken in.
#[inline(always)]
pub(crate) const fn hash_end(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(ODD);
    mixed ^ (mixed >> 29)
}

/// An element of a key, read back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPart {
    /// By value, zero-extended.
    Scalar(u64),
    /// By reference; a string without its NUL.
    Bytes(Vec<u8>),
}

/// Takes a key apart, shape first; `None` if it makes no sense.
#[must_use]
pub fn parts(words: &[u64]) -> Option<Vec<KeyPart>> {
    let (shape, mut rest) = words.split_first()?;
    let (count, by_ref) = (high32(*shape), low32(*shape));
    let mut out = Vec::new();
    for element in 0..count {
        let (first, more) = rest.split_first()?;
        if by_ref.checked_shr(element).unwrap_or(0) & 1 == 0 {
            out.push(KeyPart::Scalar(*first));
            rest = more;
            continue;
        }
        let len = us64(*first);
        let (body, more) = more.split_at_checked(len.div_ceil(8))?;
        let mut bytes: Vec<u8> = body.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(len);
        out.push(KeyPart::Bytes(bytes));
        rest = more;
    }
    rest.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = KeyPart> {
        prop_oneof![
            any::<u64>().prop_map(KeyPart::Scalar),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(KeyPart::Bytes),
        ]
    }

    fn build(key: &[KeyPart]) -> Vec<u64> {
        let mut buf = KeyBuf::new(400);
        buf.start(&[]);
        for part in key {
            match part {
                KeyPart::Scalar(value) => buf.scalar(*value, 8).unwrap(),
                KeyPart::Bytes(bytes) => buf.put(bytes).unwrap(),
            }
        }
        buf.finish(0).0.to_vec()
    }

    proptest! {
        /// A key reads back as what was put in, and different keys have different words.
        #[test]
        fn keys_round_trip(
            a in proptest::collection::vec(part(), 0..8),
            b in proptest::collection::vec(part(), 0..8),
        ) {
            prop_assert_eq!(parts(&build(&a)).unwrap(), a.clone());
            prop_assert_eq!(build(&a) == build(&b), a == b);
        }

        /// Words that are no key are refused.
        #[test]
        fn rubbish_is_refused(words in proptest::collection::vec(any::<u64>(), 0..8)) {
            if let Some(found) = parts(&words) {
                prop_assert!(found.len() <= words.len());
            }
        }
    }

    /// A key too long for its room is refused and the buffer can be used again.
    #[test]
    fn too_long_is_refused() {
        let mut buf = KeyBuf::new(4);
        buf.start(&[]);
        assert_eq!(buf.put(&[1; 100]), Err(TooLong));
        buf.start(&[9]);
        assert_eq!(buf.scalar(0x1_ff, 1), Ok(()));
        assert_eq!(buf.finish(1).0, [9, 1 << 32, 0xff]);
    }
}
