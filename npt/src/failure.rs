//! Why an address could not be translated, read or written.

use core::fmt;

use crate::addr::{Gpa, Gva};

/// What is to be done with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read data.
    Read,
    /// Write data; as with CR0.WP set, a supervisor too needs a writable page.
    Write,
    /// Fetch instructions.
    Execute,
}

/// The guest access in whose service the second dimension was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum During {
    /// The access itself.
    Page,
    /// Reading the guest's own table of this level.
    Table {
        /// 5 is the highest, 1 the last.
        level: u8,
    },
}

/// Which of the two dimensions failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The guest's own page tables.
    Guest,
    /// EPT, NPT, the monitor's slots, or the memory behind them.
    Nested {
        /// The guest physical address that was to be reached.
        gpa: Gpa,
        /// What for.
        during: During,
    },
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The address's upper bits are not a sign extension (or, in 32-bit modes, not zero).
    NonCanonical,
    /// The entry is not present.
    NotPresent,
    /// The entry has a reserved bit set.
    Reserved,
    /// An EPT entry that no processor accepts.
    Misconfigured,
    /// The entry of this level forbids the access.
    Permission(Access),
    /// The entry of this level is the supervisor's alone, and access was as a user.
    Supervisor,
    /// The guest physical address is wider than the nested tables translate.
    TooWide,
    /// The entry or the data lies outside memory.
    OutsideMemory,
    /// The range runs over the end of the address space.
    Wraps,
    /// The write spans more pages than can be done as a whole.
    TooLong,
    /// The page was another after every try to read it.
    Unsettled,
}

impl Reason {
    /// Every reason, in the order of their numbers in [`Failure::pack`]'s word.
    const ALL: [Self; 13] = [
        Self::NonCanonical,
        Self::NotPresent,
        Self::Reserved,
        Self::Misconfigured,
        Self::Permission(Access::Read),
        Self::Permission(Access::Write),
        Self::Permission(Access::Execute),
        Self::Supervisor,
        Self::TooWide,
        Self::OutsideMemory,
        Self::Wraps,
        Self::TooLong,
        Self::Unsettled,
    ];
}

/// A failed access, with all a user needs to see where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Failure {
    /// The first address that could not be reached.
    pub gva: Gva,
    /// In which dimension.
    pub dimension: Dimension,
    /// The level of the offending entry in that dimension's tables, 5 to 1; 0 if no entry is at
    /// fault.
    pub level: u8,
    /// Why.
    pub reason: Reason,
}

impl Failure {
    /// A failure of the guest's own tables.
    #[inline]
    pub(crate) const fn guest(gva: Gva, level: u8, reason: Reason) -> Self {
        Self { gva, dimension: Dimension::Guest, level, reason }
    }

    /// Where and why in one word, for a record; the address itself goes beside it.
    ///
    /// | bits | what |
    /// | --- | --- |
    /// | 0..4 | the reason's number, from 1 |
    /// | 4..7 | the level |
    /// | 7..10 | second dimension: for which level of the guest's table, 0 for the page itself |
    /// | 10 | the second dimension failed |
    /// | 12..64 | its guest physical address, to 52 bits |
    #[must_use]
    pub fn pack(&self) -> u64 {
        let reason = Reason::ALL.iter().zip(1_u64..).find(|(one, _)| **one == self.reason);
        let word = reason.map_or(0, |(_, number)| number) | u64::from(self.level & 7) << 4;
        match self.dimension {
            Dimension::Guest => word,
            Dimension::Nested { gpa, during } => {
                let table = match during {
                    During::Page => 0,
                    During::Table { level } => u64::from(level & 7),
                };
                word | table << 7 | 1 << 10 | gpa.0 << 12
            }
        }
    }

    /// What [`Failure::pack`] made of a failure at `gva`; `None` for a word that says nothing. Any
    /// word is taken: a record is foreign bytes.
    #[must_use]
    pub fn unpack(gva: Gva, word: u64) -> Option<Self> {
        let bits = |at: u32| u8::try_from(word >> at & 7).unwrap_or(0);
        let number = usize::try_from(word & 15).ok()?.checked_sub(1)?;
        let during = match bits(7) {
            0 => During::Page,
            level => During::Table { level },
        };
        let dimension = match word >> 10 & 1 {
            0 => Dimension::Guest,
            _ => Dimension::Nested { gpa: Gpa(word >> 12), during },
        };
        Some(Self { gva, dimension, level: bits(4), reason: *Reason::ALL.get(number)? })
    }

    /// Where and why, without the address.
    #[must_use]
    pub fn cause(&self) -> impl fmt::Display {
        Cause(*self)
    }
}

/// [`Failure::cause`].
struct Cause(Failure);

/// A failure of the second dimension, before it is known for what the guest was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedFailure {
    /// The level of the offending nested entry; 0 if no entry is at fault.
    pub level: u8,
    /// Why.
    pub reason: Reason,
}

impl NestedFailure {
    /// Adds what the guest walk knows.
    #[inline]
    pub(crate) const fn of(self, gva: Gva, gpa: Gpa, during: During) -> Failure {
        let dimension = Dimension::Nested { gpa, during };
        Failure { gva, dimension, level: self.level, reason: self.reason }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonCanonical => f.write_str("non-canonical address"),
            Self::NotPresent => f.write_str("not present"),
            Self::Reserved => f.write_str("reserved bit set"),
            Self::Misconfigured => f.write_str("misconfigured"),
            Self::Permission(access) => write!(f, "no permission to {access}"),
            Self::Supervisor => f.write_str("supervisor only"),
            Self::TooWide => f.write_str("wider than the tables translate"),
            Self::OutsideMemory => f.write_str("outside memory"),
            Self::Wraps => f.write_str("range wraps"),
            Self::Unsettled => f.write_str("the page moved each time it was read"),
            Self::TooLong => f.write_str("too long to be written as a whole"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.gva, Cause(*self))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { gva: _, dimension, level, reason } = self.0;
        match dimension {
            Dimension::Guest => f.write_str("guest page table")?,
            Dimension::Nested { gpa, during } => {
                match during {
                    During::Page => {}
                    During::Table { level } => write!(f, "guest page table level {level} at ")?,
                }
                write!(f, "{gpa}: second dimension")?;
            }
        }
        if level != 0 {
            write!(f, " level {level}")?;
        }
        write!(f, ": {reason}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failures() -> impl Strategy<Value = Failure> {
        let during =
            prop_oneof![Just(During::Page), (1_u8..=5).prop_map(|level| During::Table { level }),];
        let nested = (0..1_u64 << 52, during)
            .prop_map(|(gpa, during)| Dimension::Nested { gpa: Gpa(gpa), during });
        let dimension = prop_oneof![Just(Dimension::Guest), nested];
        let reason = proptest::sample::select(&Reason::ALL[..]);
        (any::<u64>(), dimension, 0_u8..=5, reason).prop_map(|(gva, dimension, level, reason)| {
            Failure { gva: Gva(gva), dimension, level, reason }
        })
    }

    proptest! {
        /// A failure comes out of a record as it went in.
        #[test]
        fn packing_loses_nothing(failure in failures()) {
            prop_assert_eq!(Failure::unpack(failure.gva, failure.pack()), Some(failure));
        }

        /// Whatever lies in a record, reading it says something or nothing.
        #[test]
        fn any_word_is_read(gva: u64, word: u64) {
            if let Some(failure) = Failure::unpack(Gva(gva), word) {
                prop_assert!(!failure.cause().to_string().is_empty());
            }
        }
    }

    /// Nothing said is no failure.
    #[test]
    fn nothing_is_no_failure() {
        assert_eq!(Failure::unpack(Gva(1), 0), None);
    }
}
