//! `CLOCK_MONOTONIC` by the CPU's time stamp counter.
//!
//! Asking the kernel's vDSO costs as much as the rest of an empty clause's fire. A *line* turns the
//! counter into time: `ns + (counter − from) × rate`. It is good for [`REACH`] counts, some
//! milliseconds; whoever comes later asks the kernel and draws the next line. So an idle process
//! keeps no time, and a busy one asks the kernel a few hundred times a second.
//!
//! ```text
//!  ns │            ┌ ceiling: no line before went beyond
//!     │          ╱·
//!     │       ╱ ·  ╲ the next line begins at the kernel's time or, if the last one ran ahead,
//!     │    ╱   ·     where that ended, and is less steep: it never goes back
//!     │ ╱     ·
//!     └──┬─────┬──── counter
//!       from   from + REACH
//! ```
//! # How far it is from the kernel's clock
//! A line's start is ahead by the time between two looks at the counter ([`SPREAD`]), its rate off by
//! how much the kernel changed its own within the last second. NTP's discipline changes it by 500
//! parts in a million at most: 8 µs and 4 µs at 1 GHz, and less above. [`BOUND`] has room
//! for both. While an administrator slews the clock faster than that (`adjtimex` with another
//! tick), lines are up to a tenth of their reach away, until the rate is found anew a moment later;
//! then records of two processes may be printed out of order by so much. Within a process the time
//! does not go back even then.
//!
//! # Who may use it
//! Only where the kernel itself keeps time by this counter (its current clock source is `tsc`): it
//! has found out that the counter goes at one rate, in all states of power, and alike on all CPUs,
//! and watches that it stays so. If what the kernel says does not fit the lines again and again, they
//! are given up for good.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use std::sync::Mutex;

/// Counts that a line is good for: 8 ms at 1 GHz, 3 ms at 3 GHz.
const REACH: u64 = 1 << 23;

/// The most counts between two looks at the counter with a look at the kernel's clock between.
const SPREAD: u64 = 1 << 13;

/// The least nanoseconds between two samples that tell the rate, and the most that are waited for
/// before the older one is let go.
const BASE: [u64; 2] = [20_000_000, 500_000_000];

/// How far the time may be from the kernel's, in nanoseconds.
pub(super) const BOUND: u64 = 15_000;

/// So many surprises end it.
const MOST_SURPRISES: u32 = 32;

/// The line. `from` is 0 while there is none or it is being changed, and never twice the same.
struct Line {
    from: AtomicU64,
    ns: AtomicU64,
    /// Nanoseconds a count, in parts of 2^32.
    rate: AtomicU64,
    /// Where the line begins, told before it is changed: no line before went beyond.
    floor: AtomicU64,
}

static LINE: Line = Line {
    from: AtomicU64::new(0),
    ns: AtomicU64::new(0),
    rate: AtomicU64::new(0),
    floor: AtomicU64::new(0),
};

static RULER: Mutex<Ruler> = Mutex::new(Ruler::new());

/// Reads the counter, not before what comes before in the program.
#[inline(always)]
fn count() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 has the instruction (SSE2).
    unsafe { _mm_lfence() };
    // SAFETY: Linux lets every process read the counter; one that asked not to (`prctl`) is killed
    // by it, which is no matter of memory.
    unsafe { _rdtsc() }
}

/// Lets processes of kernels that trust the counter use it from now on.
pub(super) fn prepare() {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let trusted = std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc");
    if let Ok(mut ruler) = RULER.lock() {
        ruler.trusted |= trusted;
    }
}

/// See [`super::Monotonic::tolerate_slow_looks`].
pub(super) fn tolerate_slow_looks() {
    if let Ok(mut ruler) = RULER.lock() {
        ruler.spread = REACH / 4;
    }
}

/// The time; `kernel` reads `CLOCK_MONOTONIC`.
///
/// # Context
/// The firing path: waits for nobody.
#[inline(always)]
pub(super) fn now(kernel: fn() -> u64) -> u64 {
    match by_line() {
        Some(ns) => ns,
        None => now_slowly(kernel),
    }
}

/// The time by the line, if there is one that reaches so far.
#[inline(always)]
pub(super) fn by_line() -> Option<u64> {
    let from = LINE.from.load(Acquire);
    let since = count().wrapping_sub(from);
    if since >= REACH {
        return None;
    }
    let ns = at(since, LINE.ns.load(Relaxed), LINE.rate.load(Relaxed));
    fence(Acquire);
    (LINE.from.load(Relaxed) == from).then_some(ns)
}

/// Where a line is so many counts from its start.
#[inline(always)]
const fn at(since: u64, ns: u64, rate: u64) -> u64 {
    ns.wrapping_add(since.wrapping_mul(rate) >> 32)
}

/// There is no line for now: asks the kernel, and draws the next one if nobody else does.
#[cold]
#[inline(never)]
fn now_slowly(kernel: fn() -> u64) -> u64 {
    match RULER.try_lock() {
        // Somebody may have drawn it before this thread came.
        Ok(mut ruler) if ruler.trusted => by_line().unwrap_or_else(|| ruler.draw(kernel)),
        _ => by_line().unwrap_or_else(|| kernel().max(floor())),
    }
}

/// The latest time that anybody can have been told by a line before the one that is to come.
fn floor() -> u64 {
    let from = LINE.from.load(Acquire);
    let end = at(REACH, LINE.ns.load(Relaxed), LINE.rate.load(Relaxed));
    fence(Acquire);
    let whole = from != 0 && LINE.from.load(Relaxed) == from;
    // What one that was drawn just now has told was told after this thread began to ask.
    if whole && count().wrapping_sub(from) >= REACH { end } else { LINE.floor.load(Relaxed) }
}

/// Draws lines.
#[derive(Debug)]
struct Ruler {
    trusted: bool,
    /// Two samples, the counter's and the kernel's: what the rate is measured from, and what it
    /// will be measured from next.
    base: Option<[(u64, u64); 2]>,
    rate: Option<u64>,
    /// Where the last line ended: nobody was told a later time.
    ceiling: u64,
    surprises: u32,
    /// See [`SPREAD`].
    spread: u64,
}

impl Ruler {
    const fn new() -> Self {
        let (base, rate) = (None, None);
        Self { trusted: false, base, rate, ceiling: 0, surprises: 0, spread: SPREAD }
    }

    /// Samples both clocks and draws a line from there, if the rate is known.
    fn draw(&mut self, kernel: fn() -> u64) -> u64 {
        let before = count();
        let time = kernel();
        let spread = count().wrapping_sub(before);
        // Never behind what somebody was told.
        let start = time.max(self.ceiling);
        if spread > self.spread {
            // This thread had to wait in between: the next one that comes tries again.
            return start;
        }
        // The earlier of the two looks: a line that began between them could be behind what
        // another thread was told by the kernel meanwhile.
        self.measure((before, time));
        if let Some(rate) = self.rate
            && count().wrapping_sub(before) <= 2 * self.spread
        {
            self.publish(before, start, slower(rate, start - time));
        }
        start
    }

    fn publish(&mut self, from: u64, start: u64, rate: u64) {
        LINE.floor.store(start, Relaxed);
        LINE.from.store(0, Release);
        fence(Release);
        LINE.ns.store(start, Relaxed);
        LINE.rate.store(rate, Relaxed);
        self.ceiling = at(REACH, start, rate);
        LINE.from.store(from, Release);
    }

    /// Takes a sample into account.
    fn measure(&mut self, sample: (u64, u64)) {
        let Some([old, next]) = self.base else {
            self.base = Some([sample, sample]);
            return;
        };
        if let Some(rate) = rate_of(old, sample) {
            if self.rate.is_some_and(|before| before.abs_diff(rate) > before / 500) {
                return self.surprise(sample);
            }
            self.rate = Some(rate);
        }
        let since = |other: (u64, u64)| sample.1.saturating_sub(other.1);
        if since(old) > BASE[1] {
            self.base = Some([next, sample]);
        } else if next == old && since(old) > BASE[1] / 2 {
            self.base = Some([old, sample]);
        }
    }

    /// The counter and the kernel's clock are not what they were: a suspended machine that woke
    /// up, a migrated one, a clock that is slewed.
    fn surprise(&mut self, sample: (u64, u64)) {
        self.base = Some([sample, sample]);
        self.rate = None;
        self.surprises += 1;
        self.trusted = self.surprises < MOST_SURPRISES;
    }
}

/// Nanoseconds a count between two samples, in parts of 2^32; `None` if they are too near, or the
/// counter went back or so slowly that a line's reach would overflow.
fn rate_of(from: (u64, u64), to: (u64, u64)) -> Option<u64> {
    let (counts, ns) = (to.0.checked_sub(from.0)?, to.1.checked_sub(from.1)?);
    if ns < BASE[0] {
        return None;
    }
    let rate = (u128::from(ns) << 32).checked_div(u128::from(counts))?;
    u64::try_from(rate).ok().filter(|rate| *rate > 0 && *rate <= u64::MAX / REACH)
}

/// The rate of a line that begins so many nanoseconds ahead, so that it meets the kernel's clock
/// at its end, or comes nearer by as much as is reasonable.
fn slower(rate: u64, ahead: u64) -> u64 {
    let reach = u128::from(at(REACH, 0, rate)) + 1;
    let less = u128::from(rate) * u128::from(ahead) / reach;
    rate - u64::try_from(less).unwrap_or(u64::MAX).min(rate / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A line that begins ahead of the kernel's clock is never steeper than one that does not,
        /// goes on all the same, and does not end farther ahead than it began.
        #[test]
        fn lines_that_are_ahead_wait(rate in 1_u64..1 << 34, ahead in 0_u64..1 << 40) {
            let slow = slower(rate, ahead);
            prop_assert!(slow <= rate && slow >= rate - rate / 1024);
            prop_assert!(at(REACH, ahead, slow) <= at(REACH, 0, rate) + ahead);
        }

        /// Whatever samples come, from counters that jump and clocks that stand, measuring ends
        /// and gives no rate that a line's reach would overflow with.
        #[test]
        fn senseless_samples_are_survived(
            samples in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..50),
        ) {
            let mut ruler = Ruler { trusted: true, ..Ruler::new() };
            for sample in samples {
                ruler.measure(sample);
                prop_assert!(ruler.rate.is_none_or(|rate| rate.checked_mul(REACH).is_some()));
            }
        }
    }

    /// A steady counter's rate is found; one that changes is a surprise, and too many of them end
    /// it.
    #[test]
    fn rates_are_measured_and_mistrusted() {
        let mut ruler = Ruler { trusted: true, ..Ruler::new() };
        // 2.5 GHz: 0.4 ns a count.
        for ms in 0..2000_u64 {
            ruler.measure((ms * 2_500_000, ms * 1_000_000));
        }
        let rate = ruler.rate.unwrap();
        assert!(rate.abs_diff((2 << 32) / 5) < 10, "{rate}");
        assert_eq!(ruler.surprises, 0);
        // The machine was stopped for a while, and its counter went on.
        ruler.measure((9_000 * 2_500_000, 2_000 * 1_000_000));
        assert_eq!((ruler.rate, ruler.surprises), (None, 1));
        for surprise in 0..100_u64 {
            ruler.measure((surprise << 40, surprise * 1_000_000_000));
            ruler.measure((
                surprise << 40 | 1 << (surprise % 30),
                surprise * 1_000_000_000 + BASE[0],
            ));
        }
        assert!(!ruler.trusted);
    }
}
