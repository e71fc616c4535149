//! The enablings as fires look them up: one pointer a probe.
//!
//! The row of pointers is never moved and never freed, so a fire of a probe that nobody wants is
//! over after one load, without entering its slot. What a pointer leads to is immutable. Changing
//! it means swapping the pointer and freeing the old value after every slot has left the fire it
//! was in.

use alloc::{boxed::Box, vec::Vec};
use core::{
    ptr,
    sync::atomic::{
        AtomicPtr,
        Ordering::{Relaxed, SeqCst},
    },
};

use super::sessions::MAX_PROBE;
use crate::{ids::ProbeId, num::us};

/// A pointer for each of the probes 0 to [`MAX_PROBE`]: 32 MiB of addresses, of which only the
/// pages in use have memory.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    rows: Box<[AtomicPtr<T>]>,
}

/// Where a probe's value was a moment ago.
#[derive(Debug)]
pub(crate) struct Row<'r, T>(&'r AtomicPtr<T>);

impl<'r, T> Row<'r, T> {
    /// The probe's value.
    ///
    /// # Safety
    /// The thread has entered a slot of the engine before the call ([`super::private::Guards`])
    /// and stays in it for as long as it uses the value.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub(crate) unsafe fn get(self) -> Option<&'r T> {
        let row = self.0.load(SeqCst);
        // SAFETY: it came from `Box::into_raw` in `replace`, whose caller frees it only after
        // every slot that was in a fire when it was taken out has left that fire; by the caller's
        // word this thread was in one before the pointer was loaded.
        unsafe { row.as_ref() }
    }
}

/// A value that was taken out, freed by being dropped.
#[derive(Debug)]
pub(crate) struct Retiring<T> {
    _value: Box<T>,
}

impl<T> Rows<T> {
    pub(crate) fn new() -> Self {
        let rows = Box::new_zeroed_slice(us(MAX_PROBE) + 1);
        // SAFETY: zeros are null pointers.
        let rows = unsafe { rows.assume_init() };
        Self { rows }
    }

    /// Where the probe's value is, if it has one now.
    ///
    /// # Context
    /// The firing path. Orders nothing: a fire that is let through looks again, and one that is
    /// not comes before the enabling.
    #[inline(always)]
    pub(crate) fn find(&self, probe: ProbeId) -> Option<Row<'_, T>> {
        let row = self.rows.get(us(probe.0))?;
        (!row.load(Relaxed).is_null()).then_some(Row(row))
    }

    /// Replaces a probe's value. One thread at a time replaces; a probe beyond [`MAX_PROBE`] has
    /// no value.
    ///
    /// # Safety
    /// What is returned must stay until every slot of the engine has been seen outside the fire it
    /// was in after this call ([`super::private::Guards::in_fire`]).
    pub(crate) unsafe fn replace(
        &self,
        probe: ProbeId,
        value: Option<Box<T>>,
    ) -> Option<Retiring<T>> {
        let row = self.rows.get(us(probe.0))?;
        let new = value.map_or(ptr::null_mut(), Box::into_raw);
        let old = row.swap(new, SeqCst);
        if old.is_null() {
            return None;
        }
        // SAFETY: it came from `Box::into_raw`, and the swap has made this thread its owner.
        Some(Retiring { _value: unsafe { Box::from_raw(old) } })
    }

    /// Takes all values of these probes out, when no fire can run any more.
    pub(crate) fn clear(&mut self, probes: &[ProbeId]) -> Vec<Retiring<T>> {
        // SAFETY: with the rows borrowed mutably nobody is in a fire that looks at them.
        probes.iter().filter_map(|probe| unsafe { self.replace(*probe, None) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::private::Guards, ids::LocalSlot};

    /// Values come and go one by one, the last probe's too; there is none beyond it.
    #[test]
    fn values_come_and_go() {
        let guards = Guards::new(1);
        let mut rows = Rows::new();
        let guard = guards.enter(LocalSlot(0)).unwrap();
        let all = [0, 1, 63, 64, MAX_PROBE].map(ProbeId);
        for probe in all {
            // SAFETY: there was nothing before.
            assert!(unsafe { rows.replace(probe, Some(Box::new(probe.0))) }.is_none());
        }
        // SAFETY: the guard lives, and nothing is freed before it is used.
        let get = |rows: &Rows<u32>, probe| unsafe { rows.find(probe)?.get() }.copied();
        assert!(all.iter().all(|probe| get(&rows, *probe) == Some(probe.0)));
        assert!(rows.find(ProbeId(2)).is_none() && rows.find(ProbeId(u32::MAX)).is_none());
        assert_eq!(get(&rows, ProbeId(MAX_PROBE + 1)), None);
        // SAFETY: nothing looks at the old value.
        assert!(unsafe { rows.replace(ProbeId(63), Some(Box::new(7))) }.is_some());
        assert_eq!(get(&rows, ProbeId(63)), Some(7));
        // SAFETY: as above.
        assert!(unsafe { rows.replace(ProbeId(1), None) }.is_some());
        assert!(rows.find(ProbeId(1)).is_none() && rows.find(ProbeId(0)).is_some());
        drop(guard);
        assert_eq!(rows.clear(&all).len(), 4);
        assert!(all.iter().all(|probe| rows.find(*probe).is_none()));
    }
}
