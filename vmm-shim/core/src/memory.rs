//! A guest's physical memory, as the monitor's process sees it.
//!
//! The monitor's RAM is mapped a second time, once, and stays mapped: a fire must not have to ask
//! where memory is. Few regions are expected (below and above the hole for PCI under 4 GiB), so
//! they are tried in turn.

use std::sync::atomic::{AtomicU64, Ordering};

use npt::{Hpa, Outside, PhysMemory};
use vm_memory::{VolatileMemory, VolatileSlice};

pub use crate::region::Region;

use crate::page::Page;

/// A guest's RAM by guest-physical address. To the `npt` crate this is memory addressed by [`Hpa`]
/// with `npt::Direct` as the second dimension: guest-physical addresses are its last ones.
#[derive(Debug)]
pub struct GuestRam {
    /// The lowest.
    first: Part,
    rest: Vec<Part>,
}

/// One region, with what is asked of it at every access beside it.
#[derive(Debug)]
struct Part {
    base: u64,
    len: u64,
    region: Region,
}

/// Why regions are no guest's RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRegions {
    /// There is none.
    #[error("the guest has no RAM")]
    None,
    /// It leaves the address space.
    #[error("the region of {len:#x} bytes at {base:#x} ends beyond all addresses")]
    TooFar {
        /// Its first address.
        base: u64,
        /// Its bytes.
        len: u64,
    },
    /// Two of them share addresses.
    #[error("the region at {second:#x} begins inside the one at {first:#x}")]
    Overlap {
        /// The lower one.
        first: u64,
        /// The higher one.
        second: u64,
    },
}

impl Part {
    #[inline(always)]
    fn slice(&self, at: u64, len: usize) -> Option<VolatileSlice<'_>> {
        // Below the region this wraps to something no region is long enough for.
        let offset = usize::try_from(at.wrapping_sub(self.base)).ok()?;
        self.region.bytes().get_slice(offset, len).ok()
    }

    #[inline(always)]
    fn word(&self, at: u64) -> Option<&AtomicU64> {
        self.region.word(at.wrapping_sub(self.base))
    }

    #[inline(always)]
    fn page(&self, at: u64) -> Option<Page<'_>> {
        self.region.page(at.wrapping_sub(self.base))
    }
}

impl GuestRam {
    /// Takes regions, in any order.
    ///
    /// # Errors
    /// [`BadRegions`].
    pub fn new<R: Into<Region>>(regions: impl IntoIterator<Item = R>) -> Result<Self, BadRegions> {
        let part = |region: Region| Part { base: region.base(), len: region.len(), region };
        let mut parts: Vec<_> = regions.into_iter().map(Into::into).map(part).collect();
        parts.sort_by_key(|part| part.base);
        let mut before: Option<(u64, u64)> = None;
        for &Part { base, len, .. } in &parts {
            let end = base.checked_add(len).ok_or(BadRegions::TooFar { base, len })?;
            if let Some((first, _)) = before.filter(|&(_, end)| end > base) {
                return Err(BadRegions::Overlap { first, second: base });
            }
            before = Some((base, end));
        }
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or(BadRegions::None)?;
        Ok(Self { first, rest: parts.collect() })
    }

    /// Bytes of all regions.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.rest.iter().map(|part| part.len).sum::<u64>() + self.first.len
    }

    /// The descriptor at `at`, if all of it lies in one region.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub(crate) fn page(&self, at: Hpa) -> Option<Page<'_>> {
        // A kernel's own pages mostly lie below the hole: the first region, without a loop.
        self.first.page(at.0).or_else(|| self.rest.iter().find_map(|part| part.page(at.0)))
    }

    /// `len` bytes at `at`, if they all lie in one region.
    #[inline]
    fn slice(&self, at: u64, len: usize) -> Result<VolatileSlice<'_>, Outside> {
        if let Some(found) = self.first.slice(at, len) {
            return Ok(found);
        }
        self.rest.iter().find_map(|part| part.slice(at, len)).ok_or(Outside)
    }
}

impl PhysMemory for GuestRam {
    #[inline]
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        // As of pages: the first region, without a loop.
        let word = match self.first.word(at.0) {
            Some(word) => word,
            None => self.rest.iter().find_map(|part| part.word(at.0))?,
        };
        Some(u64::from_le(word.load(Ordering::Acquire)))
    }

    #[inline]
    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        if into.is_empty() {
            return Ok(());
        }
        self.slice(at.0, into.len())?.copy_to(into);
        Ok(())
    }

    #[inline]
    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside> {
        if from.is_empty() {
            return Ok(());
        }
        self.slice(at.0, from.len())?.copy_from(from);
        Ok(())
    }

    #[inline]
    fn writable(&self, at: Hpa, len: usize) -> bool {
        len == 0 || self.slice(at.0, len).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::{GuestAddress, GuestRegionMmap};

    fn ram(ranges: &[(u64, usize)]) -> Result<GuestRam, BadRegions> {
        GuestRam::new(ranges.iter().map(|&(base, len)| {
            GuestRegionMmap::<()>::from_range(GuestAddress(base), len, None).expect("maps")
        }))
    }

    /// A range that leaves a region is refused whole, whichever end it leaves by, and the hole is
    /// no memory.
    #[test]
    fn only_ranges_inside_a_region_are_memory() {
        let ram = ram(&[(1 << 32, 0x2000), (0, 0x1000)]).expect("no overlap");
        assert_eq!(ram.size(), 0x3000);
        ram.write(Hpa((1 << 32) + 0x1ffc), b"abcd").expect("inside");
        let mut got = [0; 4];
        ram.read(Hpa((1 << 32) + 0x1ffc), &mut got).expect("inside");
        assert_eq!(&got, b"abcd");
        assert_eq!(ram.read(Hpa((1 << 32) + 0x1ffd), &mut got), Err(Outside));
        assert_eq!(ram.read(Hpa((1 << 32) - 1), &mut got), Err(Outside));
        assert_eq!(ram.read(Hpa(0xffd), &mut got), Err(Outside));
        assert_eq!(ram.read(Hpa(u64::MAX), &mut got), Err(Outside));
        assert_eq!(ram.write(Hpa(0x1000), b"x"), Err(Outside));
        assert_eq!(ram.read_u64(Hpa(0xff8)), Some(0));
        assert_eq!(ram.read_u64(Hpa(0xffc)), None);
        assert_eq!(ram.read_u64(Hpa(4)), None);
        assert!(ram.writable(Hpa(0), 0x1000) && !ram.writable(Hpa(1), 0x1000));
    }

    /// Regions on top of one another are a mistake of the caller; side by side they are not.
    #[test]
    fn overlapping_regions_are_refused() {
        let overlap = BadRegions::Overlap { first: 0, second: 0x1000 };
        assert_eq!(ram(&[(0x1000, 0x1000), (0, 0x2000)]).err(), Some(overlap));
        assert_eq!(ram(&[]).err(), Some(BadRegions::None));
        assert!(ram(&[(0x1000, 0x1000), (0, 0x1000)]).is_ok());
    }
}
