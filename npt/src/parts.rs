//! Writes over several pages, decided whole before the first byte is written.

use crate::addr::Hpa;
use crate::memory::{Outside, PhysMemory};

/// The most pages that one write may touch: what it holds on its stack to be able to refuse before the
/// first byte is written.
pub const MAX_WRITE_PAGES: usize = 64;

/// Where the bytes of one write go.
pub(crate) struct Parts {
    parts: [(Hpa, usize); MAX_WRITE_PAGES],
    count: usize,
}

impl Parts {
    pub(crate) const fn new() -> Self {
        Self { parts: [(Hpa(0), 0); MAX_WRITE_PAGES], count: 0 }
    }

    /// The next `len` bytes go to `at`. `None` if there are too many parts.
    pub(crate) fn push(&mut self, at: Hpa, len: usize) -> Option<()> {
        *self.parts.get_mut(self.count)? = (at, len);
        self.count += 1;
        Some(())
    }

    /// Writes all parts, which together are as long as `from`. They were found writable a moment ago;
    /// if their owner has changed its mind since, it is [`Outside`].
    pub(crate) fn write<M: PhysMemory + ?Sized>(
        &self,
        memory: &M,
        from: &[u8],
    ) -> Result<(), Outside> {
        let mut rest = from;
        for &(at, len) in self.parts.iter().take(self.count) {
            let (now, later) = rest.split_at_checked(len).ok_or(Outside)?;
            memory.write(at, now)?;
            rest = later;
        }
        Ok(())
    }
}
