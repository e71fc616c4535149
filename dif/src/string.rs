//! Strings in tracer and machine memory, a block at a time.
//!
//! A D string ends at its NUL or at the session's `strsize`, whichever comes first. Tracer memory
//! is searched where it lies. Machine memory is read in blocks that end at a multiple of
//! [`BLOCK`], so that no block crosses a page: a string that ends just before an unmapped page
//! can be read.

use crate::env::{Env, Fault, FaultKind};

#[cfg(feature = "alloc")]
mod work;

#[cfg(feature = "alloc")]
pub(crate) use work::{Space, Text, compare, copy, copy_bytes};

/// Bytes fetched from machine memory at once.
pub const BLOCK: usize = 256;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Bytes searched at once.
const STRIDE: usize = 64;

/// Where the first NUL is.
#[must_use]
pub fn find_nul(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut rest = bytes;
    while let Some((stride, behind)) = rest.split_first_chunk::<STRIDE>() {
        if has_nul(stride) {
            return find_nul_in_words(stride).map(|offset| at + offset);
        }
        at += STRIDE;
        rest = behind;
    }
    // Of a long text's end once more a whole stride: what was searched before has none.
    match bytes.last_chunk::<STRIDE>() {
        Some(last) if !has_nul(last) => None,
        _ => find_nul_in_words(rest).map(|offset| at + offset),
    }
}

/// Without an early exit the compiler turns this into a few vector instructions.
#[inline(always)]
fn has_nul(stride: &[u8; STRIDE]) -> bool {
    stride.iter().fold(false, |found, byte| found | (*byte == 0))
}

/// As [`find_nul`], eight bytes at a time: a byte is zero where subtracting one borrows.
fn find_nul_in_words(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let zeros = word.wrapping_sub(ONES) & !word & HIGHS;
        if zeros != 0 {
            return usize::try_from(zeros.trailing_zeros() / 8).ok().map(|offset| at + offset);
        }
        at += 8;
    }
    rest.iter().position(|byte| *byte == 0).map(|offset| at + offset)
}

/// How much to read at `addr` so that the block ends where a block ends.
fn block_at(addr: u64, wanted: usize) -> usize {
    let [low, ..] = addr.to_le_bytes(); // addr modulo BLOCK, which is 256
    wanted.min(BLOCK - usize::from(low))
}

pub(crate) fn offset(addr: u64, by: usize) -> u64 {
    addr.wrapping_add(u64::try_from(by).unwrap_or(u64::MAX))
}

/// The length of the string at `addr`, without its NUL, at most `limit`.
///
/// # Errors
/// [`FaultKind::BadAddr`] if it runs into memory that cannot be read.
///
/// # Context
/// Firing path: at most `limit` bytes are read.
pub fn length<E: Env + ?Sized>(env: &mut E, addr: u64, limit: usize) -> Result<usize, Fault> {
    if let Some(bytes) = env.tracer_prefix(addr, limit) {
        return match find_nul(bytes) {
            Some(found) => Ok(found),
            None if bytes.len() >= limit => Ok(limit),
            None => Err(Fault::at(FaultKind::BadAddr, offset(addr, bytes.len()))),
        };
    }
    let mut buffer = [0_u8; BLOCK];
    let mut done = 0;
    while done < limit {
        let at = offset(addr, done);
        let block = buffer.get_mut(..block_at(at, limit - done)).unwrap_or_default();
        env.read(at, block)?;
        if let Some(found) = find_nul(block) {
            return Ok(done + found);
        }
        done += block.len();
    }
    Ok(limit)
}

/// Copies the string at `addr` into `dst` and terminates it; returns its length. A string that
/// does not fit is cut.
///
/// # Errors
/// [`FaultKind::BadAddr`] if it runs into memory that cannot be read.
///
/// # Context
/// Firing path: what an engine records a string with.
pub fn read<E: Env + ?Sized>(env: &mut E, addr: u64, dst: &mut [u8]) -> Result<usize, Fault> {
    let Some(limit) = dst.len().checked_sub(1) else {
        return Ok(0);
    };
    if let Some(bytes) = env.tracer_prefix(addr, limit) {
        let found = find_nul(bytes);
        if found.is_none() && bytes.len() < limit {
            return Err(Fault::at(FaultKind::BadAddr, offset(addr, bytes.len())));
        }
        let len = found.unwrap_or(limit);
        if let (Some(to), Some(from)) = (dst.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        terminate(dst, len);
        return Ok(len);
    }
    let mut done = 0;
    while done < limit {
        let at = offset(addr, done);
        let end = done + block_at(at, limit - done);
        let block = dst.get_mut(done..end).unwrap_or_default();
        env.read(at, block)?;
        if let Some(found) = find_nul(block) {
            return Ok(done + found); // the NUL came along
        }
        done = end;
    }
    terminate(dst, limit);
    Ok(limit)
}

fn terminate(dst: &mut [u8], len: usize) {
    if let Some(nul) = dst.get_mut(len) {
        *nul = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The chunked search finds what a byte-by-byte search finds, at any length.
        #[test]
        fn find_nul_agrees_with_a_plain_search(bytes in proptest::collection::vec(
            prop_oneof![8 => 1_u8..=255, 1 => Just(0_u8), 2 => Just(0x80_u8)], 0..200)) {
            prop_assert_eq!(find_nul(&bytes), bytes.iter().position(|byte| *byte == 0));
        }
    }

    /// No block reaches over a 256-byte boundary, so none reaches over a page's end.
    #[test]
    fn blocks_end_where_pages_can() {
        assert_eq!(block_at(0x1000, 1000), 256);
        assert_eq!(block_at(0x10ff, 1000), 1);
        assert_eq!(block_at(0x1080, 5), 5);
    }
}
