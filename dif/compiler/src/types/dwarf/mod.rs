//! DWARF 2 to 5: the types of a kernel or a program with debugging information, where nothing more
//! compact is to be had.
//!
//! ```text
//!  unit a.c        unit b.c        unit c.c
//!  struct file ─┐  struct file ─┐  struct file      the same type, as often as it was included
//!               └───────────────┴──────▶ one record of BTF
//! ```
//! Every unit repeats the types of the headers it includes, so a kernel's gigabyte holds perhaps
//! 100,000 types. They are made into BTF ([`to_btf`]) unit by unit: a named type is written where
//! it is met first and recognised by its tag, name, size and line afterwards; pointers,
//! qualifiers and arrays by what they refer to. What has no name belongs to what it is part of.
//!
//! Records refer to each other by numbers that are given out when a type is first referred to.
//! What was given a number waits in a queue and is written in that order.
//!
//! Two structs of one name that differ in size or line are two types; the one met first is found
//! by name. Types by signature (`-fdebug-types-section`) and in other files (`-gsplit-dwarf`) are not
//! read.

mod convert;
mod names;

use super::btf::TooLarge;

/// The most types of one file.
pub const MAX_TYPES: u32 = 4 << 20;

/// The sections that hold types, without compression and with relocations applied.
#[derive(Clone, Copy, Debug, Default)]
pub struct DwarfSections<'a> {
    /// `.debug_info`
    pub info: &'a [u8],
    /// `.debug_abbrev`
    pub abbrev: &'a [u8],
    /// `.debug_str`
    pub str: &'a [u8],
    /// `.debug_line_str`
    pub line_str: &'a [u8],
    /// `.debug_str_offsets`
    pub str_offsets: &'a [u8],
}

/// Why no types could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DwarfError {
    /// It cannot be decoded.
    #[error("the debugging information is malformed: {0}")]
    Malformed(gimli::Error),
    /// More than [`MAX_TYPES`] types, or entries that contain each other in a way no compiler
    /// writes.
    #[error("the debugging information has too many types")]
    TooMany,
    /// There is nothing in it but references to other files.
    #[error("the types lie in other files (-gsplit-dwarf), which are not read")]
    Split,
    /// More than BTF can hold.
    #[error(transparent)]
    Btf(#[from] TooLarge),
}

impl From<gimli::Error> for DwarfError {
    fn from(error: gimli::Error) -> Self {
        Self::Malformed(error)
    }
}

pub use convert::to_btf;
