//! Where `timestamp` comes from.

/// A clock that never goes back and is the same on all CPUs and in all processes of the host.
///
/// # Context
/// The firing path calls it once a fire.
pub trait Clock {
    /// Nanoseconds since some fixed moment; greater than 1.
    fn now(&self) -> u64;
}

/// `CLOCK_MONOTONIC`.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

#[cfg(feature = "std")]
impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> u64 {
        clock_ns(nix::time::ClockId::CLOCK_MONOTONIC).max(2)
    }
}

/// Nanoseconds since the epoch minus [`Monotonic`]'s: what turns a `timestamp` into a
/// `walltimestamp`. The consumer measures it once a session, so that all machines agree.
#[cfg(feature = "std")]
#[must_use]
pub fn wall_offset() -> u64 {
    clock_ns(nix::time::ClockId::CLOCK_REALTIME).wrapping_sub(Monotonic.now())
}

#[cfg(feature = "std")]
#[inline]
fn clock_ns(id: nix::time::ClockId) -> u64 {
    nix::time::clock_gettime(id).map_or(0, |t| {
        t.tv_sec()
            .cast_unsigned()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(t.tv_nsec().cast_unsigned())
    })
}
