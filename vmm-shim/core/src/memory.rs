//! A guest's physical memory, as the monitor's process sees it.
//!
//! The monitor's RAM is mapped a second time, once, and stays mapped: a fire must not have to ask
//! where memory is. Few regions are expected (below and above the hole for PCI under 4 GiB), so
//! they are tried in turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use npt::{Hpa, Outside, PhysMemory};
use vm_memory::{
    Address, Bytes, GuestMemoryMmap, GuestMemoryRegion, GuestRegionMmap, MmapRegion,
    VolatileMemory, VolatileSlice,
};

/// A guest's RAM by guest-physical address. To the `npt` crate this is memory addressed by [`Hpa`]
/// with `npt::Direct` as the second dimension: guest-physical addresses are its last ones.
#[derive(Debug)]
pub struct GuestRam {
    parts: Vec<Part>,
}

/// One region.
#[derive(Debug)]
struct Part {
    base: u64,
    len: u64,
    region: Arc<GuestRegionMmap>,
}

impl GuestRam {
    /// Takes mapped regions.
    ///
    /// # Errors
    /// None at all, or two that overlap.
    pub fn new(regions: Vec<GuestRegionMmap>) -> Result<Self, vm_memory::Error> {
        let mut regions: Vec<_> = regions.into_iter().map(Arc::new).collect();
        regions.sort_by_key(|region| region.start_addr());
        // The map of vm-memory is made for its checks: sorted, not empty, no overlap.
        GuestMemoryMmap::from_arc_regions(regions.clone())?;
        let part = |region: Arc<GuestRegionMmap>| Part {
            base: region.start_addr().raw_value(),
            len: region.len(),
            region,
        };
        Ok(Self { parts: regions.into_iter().map(part).collect() })
    }

    /// Bytes of all regions.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// `len` bytes at `at`, if they all lie in one region.
    #[inline]
    fn slice(&self, at: u64, len: usize) -> Result<VolatileSlice<'_>, Outside> {
        for part in &self.parts {
            // Below the region this wraps to something no region is long enough for.
            let offset = at.wrapping_sub(part.base);
            if offset < part.len {
                let offset = usize::try_from(offset).map_err(|_| Outside)?;
                let map: &MmapRegion = &part.region;
                return map.get_slice(offset, len).map_err(|_| Outside);
            }
        }
        Err(Outside)
    }
}

impl PhysMemory for GuestRam {
    #[inline]
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        let slice = self.slice(at.0, 8).ok()?;
        slice.load::<u64>(0, Ordering::Acquire).ok().map(u64::from_le)
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
    use vm_memory::GuestAddress;

    fn ram(ranges: &[(u64, usize)]) -> Result<GuestRam, vm_memory::Error> {
        let region = |&(base, len): &(u64, usize)| {
            GuestRegionMmap::from_range(GuestAddress(base), len, None).expect("maps")
        };
        GuestRam::new(ranges.iter().map(region).collect())
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

    /// Regions on top of one another are a mistake of the caller.
    #[test]
    fn overlapping_regions_are_refused() {
        assert!(ram(&[(0, 0x2000), (0x1000, 0x1000)]).is_err());
        assert!(ram(&[]).is_err());
    }
}
