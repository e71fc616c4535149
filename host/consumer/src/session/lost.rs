//! Fires that a guest had to leave out before they reached its monitor.
//!
//! A guest leaves out what fires while its descriptor is in use, and counts it; the count comes
//! with its polls. It runs on as long as the guest's module is loaded, so a session tells what was
//! added since its own first look.

/// What one guest has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// How many were lost when the session last spoke of it, or first looked.
    told: Option<u64>,
    /// The last answer.
    total: u64,
    /// Asked, and not answered yet.
    pub(super) awaited: bool,
}

impl Lost {
    /// An answer came.
    pub(super) fn answer(&mut self, total: u64) {
        self.awaited = false;
        // A module that was loaded again has begun anew.
        if self.told.is_none_or(|told| told > total) {
            self.told = Some(if self.told.is_none() { total } else { 0 });
        }
        self.total = total;
    }

    /// How many to tell of now; 0 if none.
    pub(super) fn news(&mut self) -> u64 {
        let Some(told) = &mut self.told else { return 0 };
        self.total.saturating_sub(std::mem::replace(told, self.total))
    }
}

/// The line for what a guest has lost, without `dtrace: `.
pub(super) fn line(count: u64, guest: &str, tag: bool) -> String {
    let tag = if tag { "[DTRACEDROP_GUEST] " } else { "" };
    let plural = if count > 1 { "s" } else { "" };
    format!("{tag}{count} drop{plural} inside {guest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a guest lost before the session is not the session's; each loss is told once, and a
    /// reloaded module's count starts at nothing.
    #[test]
    fn losses_are_told_once() {
        let mut lost = Lost::default();
        assert_eq!(lost.news(), 0);
        lost.answer(100);
        assert_eq!(lost.news(), 0);
        lost.answer(103);
        assert_eq!((lost.news(), lost.news()), (3, 0));
        lost.answer(2);
        assert_eq!(lost.news(), 2);
    }

    /// The line is of dtrace(1)'s kind, and names the guest.
    #[test]
    fn the_guest_is_named() {
        assert_eq!(line(1, "vm-web-0", false), "1 drop inside vm-web-0");
        assert_eq!(line(7, "vm-web-0", true), "[DTRACEDROP_GUEST] 7 drops inside vm-web-0");
    }
}
