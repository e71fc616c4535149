//! Shared memory as slices of atomics: the one place where an arena's address is dereferenced.
//!
//! Another process may change any byte at any time, so there is never a `&[u8]` of it, only
//! `&[AtomicU64]` and references to structs of atomics; bytes are copied word by word. Everything
//! here is checked against the mapping's length and is safe to call with any offset.

use core::{
    marker::PhantomData,
    mem::{align_of, size_of},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::header::{Header, SlotHeader};

/// Structs that consist of atomics only, so that shared memory may hold them.
///
/// # Safety
/// Every bit pattern is a value, every field is an atomic, and the alignment is at most 64.
pub unsafe trait Shared {}

// SAFETY: fields are atomic integers, alignment 64.
unsafe impl Shared for Header {}
// SAFETY: fields are atomic integers, alignment 64.
unsafe impl Shared for SlotHeader {}
// SAFETY: an atomic integer.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an atomic integer.
unsafe impl Shared for AtomicU32 {}

/// A mapped block of shared memory, borrowed from whoever keeps it mapped.
#[derive(Clone, Copy, Debug)]
pub struct Mem<'a> {
    base: NonNull<u8>,
    len: usize,
    mapped: PhantomData<&'a [AtomicU64]>,
}

// SAFETY: all access goes through atomics.
unsafe impl Send for Mem<'_> {}
// SAFETY: all access goes through atomics.
unsafe impl Sync for Mem<'_> {}

impl<'a> Mem<'a> {
    /// Wraps a mapping.
    ///
    /// # Safety
    /// `base` is aligned to 64 bytes, and `base..base + len` stays readable and writable for `'a`
    /// and is accessed through atomics only.
    #[must_use]
    pub const unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, mapped: PhantomData }
    }

    /// The same memory for as long as the caller sees to it.
    ///
    /// # Safety
    /// Whatever is reached through the result is used only while the mapping exists.
    #[must_use]
    pub const unsafe fn extend<'b>(self) -> Mem<'b> {
        Mem { base: self.base, len: self.len, mapped: PhantomData }
    }

    /// Bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// A struct at an offset; `None` if it is out of bounds or misaligned.
    #[inline]
    #[must_use]
    pub fn get<T: Shared>(self, offset: usize) -> Option<&'a T> {
        self.slice(offset, 1)?.first()
    }

    /// A run of structs at an offset; `None` if it is out of bounds or misaligned.
    #[inline]
    #[must_use]
    pub fn slice<T: Shared>(self, offset: usize, count: usize) -> Option<&'a [T]> {
        let bytes = count.checked_mul(size_of::<T>())?;
        if !offset.is_multiple_of(align_of::<T>()) || offset.checked_add(bytes)? > self.len {
            return None;
        }
        // SAFETY: `offset` is within the mapping.
        let at = unsafe { self.base.add(offset) }.cast::<T>();
        // SAFETY: the run is within the mapping (checked), aligned (the base is aligned to 64, the
        // offset to `T`), `T: Shared` accepts any bytes and changes only through atomics, and the
        // mapping lives for `'a`.
        Some(unsafe { core::slice::from_raw_parts(at.as_ptr(), count) })
    }

    /// The words of an area; `None` if it is out of bounds or misaligned.
    #[inline]
    #[must_use]
    pub fn words(self, offset: usize, bytes: usize) -> Option<&'a [AtomicU64]> {
        self.slice(offset, bytes / 8)
    }

    /// Copies bytes out, all or nothing.
    #[inline]
    #[must_use]
    pub fn read(self, offset: usize, buf: &mut [u8]) -> bool {
        if offset.checked_add(buf.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        let skip = offset % 8;
        let Some(words) = self.covering(offset - skip, skip + buf.len()) else { return false };
        if skip == 0 {
            load_bytes(words, buf);
        } else {
            load_unaligned(words, skip, buf);
        }
        true
    }

    /// Copies bytes in, all or nothing. Bytes beside them keep their values even if another
    /// process writes them meanwhile only at word granularity: parts of one word belong to one
    /// writer.
    #[inline]
    #[must_use]
    pub fn write(self, offset: usize, bytes: &[u8]) -> bool {
        if offset.checked_add(bytes.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        let skip = offset % 8;
        let Some(words) = self.covering(offset - skip, skip + bytes.len()) else { return false };
        let (head, body) = bytes.split_at(bytes.len().min((8 - skip) % 8));
        let words = if head.is_empty() {
            words
        } else {
            if let Some(word) = words.first() {
                patch(word, skip, head);
            }
            words.get(1..).unwrap_or_default()
        };
        store_bytes(words, body);
        true
    }

    /// The words that hold `bytes` bytes from an aligned offset. Every arena's length is a
    /// multiple of 8, so the last one is whole.
    #[inline]
    fn covering(self, offset: usize, bytes: usize) -> Option<&'a [AtomicU64]> {
        self.slice(offset, bytes.div_ceil(8))
    }
}

/// Copies the words' first `buf.len()` bytes.
#[inline]
pub(crate) fn load_bytes(words: &[AtomicU64], buf: &mut [u8]) {
    let (whole, rest) = buf.as_chunks_mut::<8>();
    let mut from = words.iter();
    for (place, word) in whole.iter_mut().zip(&mut from) {
        *place = word.load(Relaxed).to_le_bytes();
    }
    if let (false, Some(word)) = (rest.is_empty(), from.next()) {
        let bytes = word.load(Relaxed).to_le_bytes();
        let len = rest.len();
        rest.copy_from_slice(bytes.get(..len).unwrap_or_default());
    }
}

fn load_unaligned(words: &[AtomicU64], skip: usize, buf: &mut [u8]) {
    for (at, byte) in buf.iter_mut().enumerate() {
        let at = at + skip;
        let word = words.get(at / 8).map_or(0, |word| word.load(Relaxed));
        *byte = word.to_le_bytes().get(at % 8).copied().unwrap_or_default();
    }
}

/// Stores bytes into words; a last part word keeps its other bytes.
#[inline]
pub(crate) fn store_bytes(words: &[AtomicU64], bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut to = words.iter();
    for (chunk, word) in whole.iter().zip(&mut to) {
        word.store(u64::from_le_bytes(*chunk), Relaxed);
    }
    if let (false, Some(word)) = (rest.is_empty(), to.next()) {
        patch(word, 0, rest);
    }
}

/// Replaces some bytes of a word.
fn patch(word: &AtomicU64, skip: usize, bytes: &[u8]) {
    let mut whole = word.load(Relaxed).to_le_bytes();
    for (place, byte) in whole.iter_mut().skip(skip).zip(bytes) {
        *place = *byte;
    }
    word.store(u64::from_le_bytes(whole), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[repr(align(64))]
    struct Block {
        words: [AtomicU64; 16],
    }

    fn block() -> Block {
        Block { words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    fn mem(block: &Block) -> Mem<'_> {
        // SAFETY: the block is 128 bytes of atomics, aligned to 64, borrowed for the result.
        unsafe { Mem::new(NonNull::from(&block.words).cast(), 128) }
    }

    proptest! {
        /// Reads and writes at any offset behave like those of a plain byte vector, and what does
        /// not fit is refused whole.
        #[test]
        fn behaves_like_a_byte_vector(
            ops in proptest::collection::vec((0_usize..140, proptest::collection::vec(any::<u8>(), 0..40)), 1..20),
        ) {
            let block = block();
            let mem = mem(&block);
            let mut model = vec![0_u8; 128];
            for (offset, bytes) in ops {
                let fits = offset + bytes.len() <= 128;
                prop_assert_eq!(mem.write(offset, &bytes), fits);
                if fits {
                    model[offset..offset + bytes.len()].copy_from_slice(&bytes);
                }
                let mut out = vec![0; bytes.len()];
                prop_assert_eq!(mem.read(offset, &mut out), fits);
                if fits {
                    prop_assert_eq!(&out, &bytes);
                }
            }
            let mut all = vec![0; 128];
            prop_assert!(mem.read(0, &mut all));
            prop_assert_eq!(all, model);
        }
    }

    /// Offsets that would overflow are out of bounds, not a crash.
    #[test]
    fn huge_offsets_are_out_of_bounds() {
        let block = block();
        let mem = mem(&block);
        assert!(mem.words(usize::MAX & !7, 16).is_none());
        assert!(mem.slice::<AtomicU64>(0, usize::MAX).is_none());
        assert!(!mem.read(usize::MAX, &mut [0; 2]));
        assert!(mem.get::<AtomicU64>(4).is_none());
    }
}
