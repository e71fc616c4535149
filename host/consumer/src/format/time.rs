//! `%Y` and `%T`: nanoseconds since 1970 as local time.

/// A broken-down local time.
struct Local {
    year: i64,
    month: usize,
    day: i32,
    weekday: usize,
    /// From 0.
    yearday: i32,
    hour: i32,
    minute: i32,
    second: i32,
    zone: String,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// `%Y`: `1973 Dec  3 17:20:00`.
pub(super) fn calendar(nanoseconds: u64) -> String {
    let t = local(nanoseconds);
    let month = MONTHS.get(t.month).unwrap_or(&"???");
    format!("{:4} {month} {:2} {:02}:{:02}:{:02}", t.year, t.day, t.hour, t.minute, t.second)
}

/// `%T`: `Mon, 03 Dec 1973 17:20:00 UTC`, as mail and feeds want it.
pub(super) fn rfc822(nanoseconds: u64) -> String {
    let t = local(nanoseconds);
    let month = MONTHS.get(t.month).unwrap_or(&"???");
    let day = DAYS.get(t.weekday).unwrap_or(&"???");
    let (hour, minute, second) = (t.hour, t.minute, t.second);
    let year = week_year(&t);
    format!("{day}, {:02} {month} {year} {hour:02}:{minute:02}:{second:02} {}", t.day, t.zone)
}

/// The year that the week belongs to: what dtrace(1) prints here (strftime's `%G`).
fn week_year(t: &Local) -> i64 {
    // The week belongs to the year in which its Thursday lies.
    let weekday = i64::try_from(t.weekday).unwrap_or(0);
    let thursday = i64::from(t.yearday) + 3 - (weekday + 6) % 7;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match thursday {
        ..0 => t.year - 1,
        day if day >= if leap(t.year) { 366 } else { 365 } => t.year + 1,
        _ => t.year,
    }
}

fn local(nanoseconds: u64) -> Local {
    let tm = libc_time::localtime(i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(0));
    Local {
        year: i64::from(tm.fields.tm_year) + 1900,
        month: usize::try_from(tm.fields.tm_mon).unwrap_or(usize::MAX),
        day: tm.fields.tm_mday,
        weekday: usize::try_from(tm.fields.tm_wday).unwrap_or(usize::MAX),
        yearday: tm.fields.tm_yday,
        hour: tm.fields.tm_hour,
        minute: tm.fields.tm_min,
        second: tm.fields.tm_sec,
        zone: tm.zone,
    }
}

/// The one call that needs C: the time zone's rules are libc's.
#[expect(unsafe_code, reason = "localtime_r has no safe wrapper")]
mod libc_time {
    use std::{ffi::CStr, mem::MaybeUninit};

    pub(super) struct Broken {
        pub(super) fields: libc::tm,
        pub(super) zone: String,
    }

    /// Seconds since 1970 in local time; 1970 itself if the year does not fit.
    pub(super) fn localtime(seconds: i64) -> Broken {
        let mut tm = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both pointers are to live, aligned objects of the right types for the call.
        let _ = unsafe { libc::localtime_r(&raw const seconds, tm.as_mut_ptr()) };
        // SAFETY: `libc::tm` holds integers and a pointer, for which all zeroes are valid, and
        // localtime_r only writes valid values.
        let fields = unsafe { tm.assume_init() };
        let zone = if fields.tm_zone.is_null() {
            String::from("UTC")
        } else {
            // SAFETY: localtime_r points tm_zone to a NUL-terminated string that outlives us.
            let zone = unsafe { CStr::from_ptr(fields.tm_zone) };
            zone.to_string_lossy().into_owned()
        };
        Broken { fields, zone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layouts have fixed columns. 2 January 1970 is far enough from the epoch that every
    /// time zone shows 1970 and January.
    #[test]
    fn layouts_are_fixed() {
        let text = calendar(36 * 3600 * 1_000_000_000);
        assert_eq!(text.len(), "1970 Jan  2 12:00:00".len());
        assert!(text.starts_with("1970 Jan  ") && text.ends_with(":00"), "{text}");
        let mail = rfc822(36 * 3600 * 1_000_000_000);
        let year = |year, weekday, yearday| {
            let zone = String::new();
            let (month, day, hour, minute, second) = (0, 1, 0, 0, 0);
            week_year(&Local { year, month, day, weekday, yearday, hour, minute, second, zone })
        };
        // 1 January 2021 was a Friday, 31 December 2024 a Tuesday, 1 January 2024 a Monday.
        assert_eq!([year(2021, 5, 0), year(2024, 2, 365), year(2024, 1, 0)], [2020, 2025, 2024]);
        assert!(mail.contains(" Jan 1970 ") && mail[3..].starts_with(", 0"), "{mail}");
    }
}
