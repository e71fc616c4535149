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
}

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
        let Self { gva, dimension, level, reason } = *self;
        write!(f, "{gva}: ")?;
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
