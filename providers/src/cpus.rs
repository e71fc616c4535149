//! CPUs as Linux lists them: `0-3,8,10-11`.

/// The most CPUs of one machine.
const MOST: u32 = 1023;

/// The CPUs of a list; what is not a list is none.
#[must_use]
pub(crate) fn list(text: &str) -> Vec<u32> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?.min(MOST))
    });
    ranges.flatten().collect()
}

/// How many CPUs there may ever be, so that each has a slot when it comes.
#[must_use]
pub(crate) fn possible() -> u32 {
    let listed = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let most = list(&listed).last().map(|last| last + 1);
    most.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_cpus() {
        assert_eq!(list("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(list("0\n"), [0]);
        assert!(list("").is_empty() && list("x-y").is_empty());
        assert_eq!(list("0-4294967295").len(), 1024);
        assert!(possible() >= 1);
    }
}
