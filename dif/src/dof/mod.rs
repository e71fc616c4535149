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
//! # Rules
//! What the reader refuses, by number ([`ReadError`]):
//!
//! | rule | |
//! | --- | --- |
//! | 1 | The file has at most 64 MiB. |
//! | 2 | It starts with DOF's magic number; the header, the table of section headers and `filesz` bytes are there; `loadsz` is not beyond `filesz`. |
//! | 3 | The header's fields say little-endian, DOF version 1 or 2, a known DIF version, no more registers than there are, no flags, and headers of the known sizes. |
//! | 4 | A section of a loadable type is flagged loadable. |
//! | 5 | There are no relocation sections: they are for a linker of object files. |
//! | 6 | A section's data lies within the file. |
//! | 7 | Its alignment is a power of two, and its data is aligned so. |
//! | 8 | A string table ends in NUL. |
//! | 9 | A table's entry size is at least the entry's, and divides the section's size. |
//! | 10 | A section is as long as the fields that are read of it. |
//! | 11 | A link leads to a section that is loaded and of the type wanted, where one is needed. |
//! | 12 | A text's offset lies in its string table. |
//! | 13 | A DIFO has instructions, and each of its tables at most once. |
//! | 14 | A variable is a scalar or an array, global, thread-local or clause-local. |
//! | 15 | An action's kind has 16 bits. |
//! | 16 | An option is one that FreeBSD numbers. |
//! | 17 | There is at most one added section, of version 1, and what it counts is there. |
//! | 18 | Texts that are referred to again and again do not expand to many times the file. |
//!
//! What actions, tuples and instructions may be is the program's own and the verifier's to say
//! (`Program::verify`).
//!
//! A file without the added section (FreeBSD's own) is read too: targets are empty, clauses are numbered as they
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
    #[error("rule 1: the file is larger than {MAX_FILE} bytes")]
    TooLarge,
    /// Too short, or a wrong magic number.
    #[error("rule 2: this is no DOF file")]
    NotDof,
    /// A header field that is not supported.
    #[error("rule 3: unsupported {field} {value} in the header")]
    Unsupported {
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: u64,
    },
    /// A section that breaks a rule.
    #[error("rule {rule}: section {section}: {what}")]
    Section {
        /// The rule's number.
        rule: u8,
        /// Its place in the table of headers.
        section: usize,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// The added section counts other clauses, actions or expressions than the file has.
    #[error("rule 17: the added section does not fit the others")]
    Counts,
    /// The file's sections refer to each other so often that the program would be much larger
    /// than the file.
    #[error("rule 18: the file expands to an unreasonable size")]
    Expands,
}

const fn bad(section: usize, rule: rule::Rule) -> ReadError {
    ReadError::Section { rule: rule.0, section, what: rule.1 }
}

impl ReadError {
    /// The number of the rule that is broken.
    #[must_use]
    pub const fn rule(&self) -> u8 {
        match self {
            Self::TooLarge => 1,
            Self::NotDof => 2,
            Self::Unsupported { .. } => 3,
            Self::Section { rule, .. } => *rule,
            Self::Counts => 17,
            Self::Expands => 18,
        }
    }
}

/// Rules about sections: number, and what is wrong.
mod rule {
    #[derive(Clone, Copy)]
    pub(super) struct Rule(pub(super) u8, pub(super) &'static str);

    pub(super) const NOT_FLAGGED: Rule = Rule(4, "its type is loadable but it is not flagged so");
    pub(super) const RELOCATIONS: Rule = Rule(5, "relocations are not supported");
    pub(super) const OUTSIDE: Rule = Rule(6, "its data lies outside the file");
    pub(super) const UNALIGNED: Rule = Rule(7, "its data is not aligned");
    pub(super) const UNTERMINATED: Rule = Rule(8, "the string table does not end in NUL");
    pub(super) const ENTRY_SIZE: Rule = Rule(9, "the entry size does not fit");
    pub(super) const SHORT: Rule = Rule(10, "the section is too short");
    pub(super) const LINK: Rule =
        Rule(11, "it links to a section that is not there or of another type");
    pub(super) const NO_PROBE: Rule = Rule(11, "it names no probe");
    pub(super) const NO_STRINGS: Rule = Rule(11, "it names no string table");
    pub(super) const TEXT: Rule = Rule(12, "a text is not in its table");
    pub(super) const OWN_STRINGS: Rule = Rule(12, "its string table is too short");
    pub(super) const FOREIGN_PART: Rule = Rule(13, "it links to a section no expression has");
    pub(super) const TWICE: Rule = Rule(13, "it links to two sections of one type");
    pub(super) const NO_CODE: Rule = Rule(13, "it has no instructions");
    pub(super) const VARIABLE_KIND: Rule = Rule(14, "a variable is neither array nor scalar");
    pub(super) const VARIABLE_SCOPE: Rule = Rule(14, "a variable has an unknown scope");
    pub(super) const ACTION: Rule = Rule(15, "an unknown action");
    pub(super) const OPTION: Rule = Rule(16, "an unknown option");
    pub(super) const TWO_OF_OURS: Rule = Rule(17, "there are two of this type");
    pub(super) const OUR_VERSION: Rule = Rule(17, "it has an unknown version");
}

#[cfg(test)]
mod tests;
