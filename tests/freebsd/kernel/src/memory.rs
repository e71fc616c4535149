//! The host's memory through the kernel's direct map.

use core::sync::atomic::{AtomicU64, Ordering};

use npt::{Hpa, Outside, PhysMemory};

/// All physical memory, mapped.
pub(crate) struct DirectMap {
    base: *mut u8,
    len: usize,
}

impl DirectMap {
    /// The map that begins at `base`.
    ///
    /// # Safety
    /// `len` bytes are mapped there for as long as this lives. What lies in it may change.
    pub(crate) const unsafe fn new(base: *mut u8, len: usize) -> Self {
        Self { base, len }
    }

    fn place(&self, at: Hpa, len: usize) -> Result<*mut u8, Outside> {
        let start = usize::try_from(at.0).map_err(|_| Outside)?;
        let end = start.checked_add(len).ok_or(Outside)?;
        if end > self.len {
            return Err(Outside);
        }
        Ok(self.base.wrapping_add(start))
    }
}

impl PhysMemory for DirectMap {
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        let place = self.place(at, 8).ok().filter(|place| place.addr() % 8 == 0)?;
        // SAFETY: mapped and aligned; a guest may write it meanwhile, so it is an atomic load.
        let word = unsafe { AtomicU64::from_ptr(place.cast()) };
        Some(u64::from_le(word.load(Ordering::Acquire)))
    }

    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        let mut from = self.place(at, into.len())?;
        for byte in into {
            // SAFETY: mapped; volatile, since a guest may write it meanwhile.
            *byte = unsafe { from.read_volatile() };
            from = from.wrapping_add(1);
        }
        Ok(())
    }

    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside> {
        let mut to = self.place(at, from.len())?;
        for byte in from {
            // SAFETY: as in `read`.
            unsafe { to.write_volatile(*byte) };
            to = to.wrapping_add(1);
        }
        Ok(())
    }

    fn writable(&self, at: Hpa, len: usize) -> bool {
        self.place(at, len).is_ok()
    }
}
