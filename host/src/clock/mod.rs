//! Where `timestamp` comes from.

#[cfg(all(feature = "std", target_os = "linux", target_arch = "x86_64"))]
mod counter;

/// A clock that never goes back and is the same on all CPUs and in all processes of the host.
///
/// # Context
/// The firing path calls it once a fire.
pub trait Clock {
    /// Nanoseconds since some fixed moment; greater than 1.
    fn now(&self) -> u64;

    /// The same, if a few instructions in place can tell.
    fn quick(&self) -> Option<u64> {
        Some(self.now())
    }
}

/// `CLOCK_MONOTONIC`, by the CPU's counter where the kernel keeps time by it, too: never farther
/// than 15 µs from what the kernel says (`clock::counter` tells why), and never going back within a
/// process.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

#[cfg(feature = "std")]
impl Monotonic {
    /// Finds out whether the counter can be used. Until it was called, the kernel is asked.
    pub fn prepare() {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        counter::prepare();
    }

    /// For a program that runs in an emulator, where a look at the kernel's clock takes so long that
    /// the counter would never be used: it is used all the same. The time may be wrong by as long as
    /// a look takes, so this is for counting instructions and for nothing else.
    pub fn tolerate_slow_looks() {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        counter::tolerate_slow_looks();
    }

    /// A moment so far back that no fire that begins from now on, in whatever process, has an
    /// earlier time.
    #[must_use]
    pub fn settled(self) -> u64 {
        self.now().saturating_sub(2 * BOUND).max(2)
    }

    /// Returns when no process's clock is before this moment any more, some 30 µs later: what any of
    /// them times afterwards is younger than what this one timed before.
    pub fn pass(self) {
        let moment = self.now();
        while self.settled() < moment {
            std::thread::yield_now();
        }
    }
}

/// How far [`Monotonic`] may be from the kernel's clock, in nanoseconds.
#[cfg(all(feature = "std", target_os = "linux", target_arch = "x86_64"))]
const BOUND: u64 = counter::BOUND;
/// It is the kernel's clock.
#[cfg(all(feature = "std", not(all(target_os = "linux", target_arch = "x86_64"))))]
const BOUND: u64 = 0;

#[cfg(feature = "std")]
impl Clock for Monotonic {
    #[inline(always)]
    fn now(&self) -> u64 {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        return counter::now(kernel);
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        kernel()
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[inline(always)]
    fn quick(&self) -> Option<u64> {
        counter::by_line()
    }
}

/// `CLOCK_MONOTONIC` as the kernel says.
#[cfg(feature = "std")]
fn kernel() -> u64 {
    clock_ns(nix::time::ClockId::CLOCK_MONOTONIC).max(2)
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::thread;

    /// The time is between two looks at the kernel's clock, but for the bound, and does not go back
    /// from one thread to another.
    #[test]
    fn agrees_with_the_kernel_and_does_not_go_back() {
        Monotonic::prepare();
        let latest = AtomicU64::new(0);
        let watch = || {
            let end = kernel() + 300_000_000;
            loop {
                let floor = latest.load(SeqCst);
                let before = kernel();
                let now = Monotonic.now();
                let after = kernel();
                assert!(now >= floor, "{now} after {floor}");
                assert!(now + BOUND >= before && now <= after + BOUND, "{before} {now} {after}");
                latest.fetch_max(now, SeqCst);
                if now > end {
                    break;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(watch);
            }
        });
    }
}
