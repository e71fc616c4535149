//! What a session is doing: `dtrace_activity_t`.
//!
//! ```text
//!  INACTIVE ──start──▶ WARMUP ──BEGIN has run──▶ ACTIVE ──stop──▶ COOLDOWN ──END has run──▶ STOPPED
//!                        │                         │                 ▲
//!                        └────exit()──▶ DRAINING ◀─┘                 │
//!                                          └──────consumer───────────┘
//! ```
//! Every arrow is a compare-and-swap of one word in the arena's header. `exit()` turns WARMUP or
//! ACTIVE into DRAINING at once: no ECB runs from then on, on any machine, until the consumer sees
//! it, sets COOLDOWN and fires END. In WARMUP and COOLDOWN only the consumer's own slot fires, so
//! that BEGIN is the first and END the last thing that is traced.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire},
};

/// A session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Activity {
    /// Not started.
    Inactive = 0,
    /// BEGIN runs; other slots do not fire yet.
    Warmup = 1,
    /// All slots fire.
    Active = 2,
    /// `exit()` was called: nobody fires.
    Draining = 3,
    /// END runs; other slots do not fire any more.
    Cooldown = 4,
    /// Over.
    Stopped = 5,
}

impl Activity {
    /// Reads the state; a senseless number is [`Activity::Stopped`].
    #[inline]
    #[must_use]
    pub fn load(word: &AtomicU32) -> Self {
        match word.load(Acquire) {
            0 => Self::Inactive,
            1 => Self::Warmup,
            2 => Self::Active,
            3 => Self::Draining,
            4 => Self::Cooldown,
            _ => Self::Stopped,
        }
    }

    /// Goes from one state to another; `false` if the session was not in `from`.
    pub fn step(word: &AtomicU32, from: Self, to: Self) -> bool {
        word.compare_exchange(from as u32, to as u32, AcqRel, Acquire).is_ok()
    }

    /// Whether a slot may run ECBs now; slot 0 is the consumer's.
    #[inline]
    #[must_use]
    pub const fn may_fire(self, consumer: bool) -> bool {
        match self {
            Self::Active => true,
            Self::Warmup | Self::Cooldown => consumer,
            Self::Inactive | Self::Draining | Self::Stopped => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the consumer's slot runs while BEGIN and END do; after `exit()` nobody does.
    #[test]
    fn who_may_fire() {
        let may = |state: Activity| (state.may_fire(true), state.may_fire(false));
        assert_eq!(may(Activity::Warmup), (true, false));
        assert_eq!(may(Activity::Active), (true, true));
        assert_eq!(may(Activity::Draining), (false, false));
        assert_eq!(may(Activity::Cooldown), (true, false));
        assert_eq!(may(Activity::Stopped), (false, false));
        assert_eq!(Activity::load(&AtomicU32::new(99)), Activity::Stopped);
    }

    /// Two that call `exit()` at once cannot both win, and a late one cannot undo COOLDOWN.
    #[test]
    fn steps_are_exclusive() {
        let word = AtomicU32::new(Activity::Active as u32);
        assert!(Activity::step(&word, Activity::Active, Activity::Draining));
        assert!(!Activity::step(&word, Activity::Active, Activity::Draining));
        assert!(Activity::step(&word, Activity::Draining, Activity::Cooldown));
        assert!(!Activity::step(&word, Activity::Warmup, Activity::Draining));
    }
}
