//! DOF, the DTrace Object Format: how a program travels.
//!
//! ```text
//! +----------+-------------------+------------------+----------------------+
//! | header   | section headers   | loadable data    | not loadable: ours   |
//! | 64 bytes | 32 bytes each     |                  |                      |
//! +----------+-------------------+------------------+----------------------+
//! |<------------------- loadsz -------------------->|
//! |<------------------------------- filesz ------------------------------->|
//! ```
//!
//! Sections refer to one another by their place in the table of headers. A DIFO is a `DIFOHDR`
//! section with its result's type and the numbers of its other sections (`DIF`, `INTTAB`,
//! `STRTAB`, `VARTAB`); a clause is an `ECBDESC` with the numbers of its `PROBEDESC`, its
//! predicate's `DIFOHDR` and its `ACTDESC`. Layouts and numbers are those of FreeBSD's
//! `sys/dtrace.h`, so its kernel and tools read what they know.
//!
//! # The added section
//! DOF has no place for a probe's target, a clause's number, option texts, or an action's
//! argument beside its format. They stand in one section of type [`SECT_HYPERTRACE`], which is not
//! loadable: other readers pass over it. All integers little-endian:
//!
//! | part | entries |
//! | --- | --- |
//! | head | version (1), number of ECBs, of actions, of DIFOs, of options, bytes of text: u32 each |
//! | one an ECB, in section order | target (offset in the text), clause: u32 each |
//! | one an action, ECB by ECB | format (offset, or none), 0: u32 each; argument: u64 |
//! | one a DIFO, in section order | bytes of its string table that are its own (variables' names follow): u32 |
//! | one an option | name, value (or none): offsets, u32 each |
//! | text | NUL-terminated strings |
//!
//! A file without it (FreeBSD's own) is read too: targets are empty, clauses are numbered as they
//! stand, options come from `OPTDESC`.

use alloc::string::String;

use thiserror::Error;

mod option;
mod read;
mod write;

pub use read::{other_section, read};
pub use write::{write, write_with};

/// The type of the section with what is ours: `0x4854` for "HT", then its own number.
pub const SECT_HYPERTRACE: u32 = 0x4854_0001;

/// The type of the section with what a program needs of a kernel's types, for those who link it for
/// another ([`write_with`], [`other_section`]). It is not loadable, and what is in it is theirs to say.
pub const SECT_LINK: u32 = 0x4854_0002;

/// The largest file that is read.
pub const MAX_FILE: usize = 64 << 20;

const HEADER: usize = 64;
const SECTION: usize = 32;
/// Both again, as the header says them.
const HEADER_SIZE: u32 = 64;
const SECTION_SIZE: u32 = 32;
const PROBE_DESC: usize = 24;
const ECB_DESC: usize = 24;
const ACT_DESC: usize = 32;
const OPT_DESC: usize = 16;
const DIF_TYPE: usize = 8;
const VARIABLE: usize = 20;

const MAGIC: [u8; 4] = [0x7f, b'D', b'O', b'F'];
const MODEL_LP64: u8 = 2;
const ENCODE_LSB: u8 = 1;
const VERSION: u8 = 2;
/// No section, no string: `DOF_SECIDX_NONE`, `DOF_STRIDX_NONE`.
const NONE: u32 = u32::MAX;
/// `DOF_SECF_LOAD`.
const LOAD: u32 = 1;

/// `DOF_SECT_*`, those that a program has.
mod sect {
    pub(super) const ECBDESC: u32 = 3;
    pub(super) const PROBEDESC: u32 = 4;
    pub(super) const ACTDESC: u32 = 5;
    pub(super) const DIFOHDR: u32 = 6;
    pub(super) const DIF: u32 = 7;
    pub(super) const STRTAB: u32 = 8;
    pub(super) const VARTAB: u32 = 9;
    pub(super) const RELTAB: u32 = 10;
    pub(super) const TYPTAB: u32 = 11;
    pub(super) const URELHDR: u32 = 12;
    pub(super) const KRELHDR: u32 = 13;
    pub(super) const OPTDESC: u32 = 14;
    pub(super) const INTTAB: u32 = 19;
    pub(super) const PRENOFFS: u32 = 26;

    /// `DOF_SEC_ISLOADABLE`.
    pub(super) const fn is_loadable(number: u32) -> bool {
        matches!(number, ECBDESC..=19 | 21..=PRENOFFS)
    }
}

/// Why a program cannot be written as DOF.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// A text with a NUL inside has no place in a string table.
    #[error("the text {text:?} contains a NUL")]
    NulInText {
        /// The text.
        text: String,
    },
    /// A DIFO's string table does not end in NUL.
    #[error("expression {difo}: its string table does not end in NUL")]
    Unterminated {
        /// The DIFO's place.
        difo: usize,
    },
    /// An index names a DIFO that is not there.
    #[error("clause {ecb} refers to expression {difo}, which the program does not have")]
    NoSuchDifo {
        /// The ECB's place.
        ecb: usize,
        /// The number it names.
        difo: u32,
    },
    /// The file would be larger than [`MAX_FILE`].
    #[error("the program needs more than {MAX_FILE} bytes")]
    TooLarge,
}

/// Why bytes are not DOF, or not DOF that can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Larger than [`MAX_FILE`].
    #[error("the file is larger than {MAX_FILE} bytes")]
    TooLarge,
    /// Too short, or a wrong magic number.
    #[error("this is no DOF file")]
    NotDof,
    /// A header field that is not supported.
    #[error("unsupported {field} {value} in the header")]
    Unsupported {
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: u64,
    },
    /// A section that breaks a rule.
    #[error("section {section}: {what}")]
    Section {
        /// Its place in the table of headers.
        section: usize,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// The file's sections refer to each other so often that the program would be much larger
    /// than the file.
    #[error("the file expands to an unreasonable size")]
    Expands,
}

const fn bad(section: usize, what: &'static str) -> ReadError {
    ReadError::Section { section, what }
}

#[cfg(test)]
mod tests;
