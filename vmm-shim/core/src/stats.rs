//! What a shim counts.
//!
//! Each vCPU has counters of its own, written by its thread alone, so that counting costs a fire
//! two plain moves; whoever wants to know adds them up.

use std::sync::atomic::{AtomicU64, Ordering};

use hypercall::{Call, Status};

/// Calls there are, and 0 for what is no call.
const CALLS: usize = Call::Goodbye.raw() as usize + 1;

/// Statuses there are.
const STATUSES: usize = Status::Busy.raw() as usize + 1;

/// One vCPU's counters, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct VcpuCounters {
    calls: [AtomicU64; CALLS],
    answers: [AtomicU64; STATUSES],
}

impl VcpuCounters {
    /// Counts a call that was understood as far as its number.
    ///
    /// # Context
    /// On the firing path.
    #[inline]
    pub(crate) fn call(&self, call: Call) {
        bump(self.calls.get(usize::from(call.raw())));
    }

    /// Counts a refusal.
    ///
    /// # Context
    /// On the firing path.
    #[cold]
    pub(crate) fn refusal(&self, status: Status) {
        bump(usize::try_from(status.raw()).ok().and_then(|at| self.answers.get(at)));
    }
}

/// Adds one. The counter has one writer, so no indivisible addition is needed.
#[inline]
fn bump(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// All vCPUs' counters, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    calls: [u64; CALLS],
    answers: [u64; STATUSES],
}

impl Totals {
    /// Adds counters up.
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a VcpuCounters>) -> Self {
        let mut totals = Self::default();
        for one in all {
            let sums = totals.calls.iter_mut().zip(&one.calls);
            for (sum, counter) in sums.chain(totals.answers.iter_mut().zip(&one.answers)) {
                *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
            }
        }
        totals
    }

    /// Calls of one kind, refused ones included.
    #[must_use]
    pub fn calls(&self, call: Call) -> u64 {
        self.calls.get(usize::from(call.raw())).copied().unwrap_or(0)
    }

    /// Calls refused with one status.
    #[must_use]
    pub fn refused_with(&self, status: Status) -> u64 {
        let at = usize::try_from(status.raw()).ok();
        at.and_then(|at| self.answers.get(at)).copied().unwrap_or(0)
    }

    /// Calls refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.answers.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every call and status has a counter of its own.
    #[test]
    fn nothing_is_counted_as_something_else() {
        let counters = VcpuCounters::default();
        for call in Call::ALL {
            counters.call(*call);
        }
        for status in Status::ALL.iter().filter(|s| **s != Status::Ok) {
            counters.refusal(*status);
        }
        let totals = Totals::of([&counters, &counters]);
        assert!(Call::ALL.iter().all(|call| totals.calls(*call) == 2));
        assert_eq!(totals.refused_with(Status::Ok), 0);
        assert_eq!(totals.refused_with(Status::Busy), 2);
        assert_eq!(totals.refused(), 18);
    }
}
