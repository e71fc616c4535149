//! Which probes anyone has enabled: one bit a probe, never moved and never freed, so that a fire of
//! a probe that nobody wants is over after one load, without entering its slot.

use alloc::{boxed::Box, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::sessions::MAX_PROBE;
use crate::{ids::ProbeId, num::us};

/// A bit for each of the probes 0 to [`MAX_PROBE`]: 512 KiB.
#[derive(Debug)]
pub(crate) struct Marks {
    words: Box<[AtomicU64]>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self { words: (0..=MAX_PROBE / 64).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether the probe is marked.
    ///
    /// # Context
    /// The firing path. Orders nothing: a fire that is let through looks into the table, and one
    /// that is not comes before the enabling.
    #[inline(always)]
    pub(crate) fn has(&self, probe: ProbeId) -> bool {
        let word = self.words.get(us(probe.0 / 64));
        word.is_some_and(|word| (word.load(Relaxed) >> (probe.0 % 64)) & 1 == 1)
    }

    /// Marks probes. One thread at a time changes marks.
    pub(crate) fn set(&self, probes: &[ProbeId]) {
        for probe in probes {
            if let Some(word) = self.words.get(us(probe.0 / 64)) {
                word.fetch_or(1 << (probe.0 % 64), Relaxed);
            }
        }
    }

    /// Takes the marks off those of `old` that are not in `new`; both are in order.
    pub(crate) fn clear(&self, old: &[ProbeId], new: &[ProbeId]) {
        for probe in old.iter().filter(|probe| new.binary_search(probe).is_err()) {
            if let Some(word) = self.words.get(us(probe.0 / 64)) {
                word.fetch_and(!(1 << (probe.0 % 64)), Relaxed);
            }
        }
    }
}

/// Probes in order, as [`Marks::clear`] wants them.
pub(crate) type Marked = Vec<ProbeId>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks come and go one by one, the last probe's too; there is none beyond it.
    #[test]
    fn marks_come_and_go() {
        let marks = Marks::new();
        let all = [0, 1, 63, 64, MAX_PROBE].map(ProbeId);
        marks.set(&all);
        assert!(all.iter().all(|probe| marks.has(*probe)));
        assert!(!marks.has(ProbeId(2)) && !marks.has(ProbeId(u32::MAX)));
        marks.clear(&all, &[ProbeId(63)]);
        let left: Vec<_> = all.iter().filter(|probe| marks.has(**probe)).collect();
        assert_eq!(left, [&ProbeId(63)]);
    }
}
