//! The names of the profile provider's probes, and what interval each means.
//!
//! `profile-N` fires on every CPU, `tick-N` on one. A bare N, or `hz`, is a rate a second; the
//! other suffixes are intervals. Probes exist as soon as somebody asks for them, but none fires
//! more often than every 200 µs: `profile-1us` does not exist.
//! Source: the documentation of the profile provider, dtrace_profile(4).

use std::time::Duration;

/// The shortest interval.
const SHORTEST: Duration = Duration::from_micros(200);

/// Where a timed probe fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimedKind {
    /// `profile-N`: on every CPU.
    Profile,
    /// `tick-N`: on one CPU.
    Tick,
}

/// A timed probe: where and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimedProbe {
    /// On every CPU or on one.
    pub kind: TimedKind,
    /// The time from one fire to the next.
    pub interval: Duration,
}

/// Suffixes and the nanoseconds of one unit.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("nsec", 1),
    ("us", 1_000),
    ("usec", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("hour", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("day", 86_400_000_000_000),
];

/// The probe a name means; `None` if there is no such probe.
#[must_use]
pub fn timed_probe(name: &str) -> Option<TimedProbe> {
    let (kind, rest) = name
        .strip_prefix("profile-")
        .map(|rest| (TimedKind::Profile, rest))
        .or_else(|| Some((TimedKind::Tick, name.strip_prefix("tick-")?)))?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, suffix) = rest.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let nanoseconds = if suffix.is_empty() || suffix.eq_ignore_ascii_case("hz") {
        1_000_000_000 / number
    } else {
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(suffix))?.1;
        number.checked_mul(unit)?
    };
    let interval = Duration::from_nanos(nanoseconds);
    (interval >= SHORTEST).then_some(TimedProbe { kind, interval })
}

#[cfg(test)]
mod tests {
    use super::{TimedKind, TimedProbe, timed_probe};
    use std::time::Duration;

    fn tick(interval: Duration) -> Option<TimedProbe> {
        Some(TimedProbe { kind: TimedKind::Tick, interval })
    }

    #[test]
    fn a_bare_number_is_a_rate() {
        assert_eq!(timed_probe("tick-4"), tick(Duration::from_millis(250)));
        assert_eq!(timed_probe("tick-4hz"), timed_probe("tick-4"));
        let profile = timed_probe("profile-97").unwrap();
        assert_eq!(profile.kind, TimedKind::Profile);
        assert_eq!(profile.interval.as_nanos(), 10_309_278);
    }

    #[test]
    fn suffixes_are_intervals() {
        assert_eq!(timed_probe("tick-5s"), tick(Duration::from_secs(5)));
        assert_eq!(timed_probe("tick-5sec"), tick(Duration::from_secs(5)));
        assert_eq!(timed_probe("tick-10ms"), tick(Duration::from_millis(10)));
        assert_eq!(timed_probe("tick-1d"), tick(Duration::from_secs(86_400)));
    }

    #[test]
    fn nothing_fires_more_often_than_every_200_microseconds() {
        assert_eq!(timed_probe("profile-1us"), None);
        assert_eq!(timed_probe("profile-5001"), None);
        assert_eq!(timed_probe("tick-199us"), None);
        assert_eq!(timed_probe("tick-200us"), tick(Duration::from_micros(200)));
        assert!(timed_probe("profile-5000").is_some());
    }

    #[test]
    fn other_names_are_no_timed_probes() {
        for name in [
            "tick-",
            "tick-0",
            "tick-5x",
            "tick-s",
            "tick",
            "profile-99999999999999999999",
            "tick-213504d7d",
            "profile-18446744073709551615d",
        ] {
            assert_eq!(timed_probe(name), None, "{name}");
        }
    }
}
