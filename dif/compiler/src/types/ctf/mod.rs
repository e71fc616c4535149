//! CTF, the Compact C Type Format: the types of a FreeBSD kernel and its modules, as `sys/ctf.h`
//! and ctf(5) describe versions 2 and 3.
//!
//! ```text
//! +--------+--------+---------+-----------+-------+---------+
//! | header | labels | objects | functions | types | strings |
//! +--------+--------+---------+-----------+-------+---------+
//!          └ from here on, zlib may have been over it ──────┘
//! ```
//! A container is read in one pass and made into BTF ([`Ctf::to_btf`]), record for record: type
//! numbers and string offsets stay what they are, so that nothing needs to be looked up, and
//! whatever reads BTF reads this too.
//!
//! A module's container may have been *uniquified*: it names a parent, whose types it refers to by
//! the lower half of the numbers. It then becomes split BTF upon the parent's.
//!
//! The sections of objects and functions hold types without names, in the order of the symbols of
//! the object file they were made for. Only who has that file can tell whose they are
//! ([`Ctf::to_btf`]'s `symbols`).
//!
//! The bytes are a guest's: every offset and count is checked, and memory is bounded by
//! [`MAX_UNPACKED`].

mod convert;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, io::Read, ops::Range};

pub use convert::CtfSymbol;
use flate2::read::ZlibDecoder;

use super::btf::word;

const MAGIC: u16 = 0xcff1;
/// Bytes of `ctf_header`.
const HEADER: usize = 36;
/// `CTF_F_COMPRESS`
const COMPRESSED: u8 = 1;

/// The most bytes that a container may unpack to.
pub const MAX_UNPACKED: usize = 256 << 20;

/// `CTF_K_*`
pub(super) mod kind {
    pub(in crate::types) const UNKNOWN: u8 = 0;
    pub(in crate::types) const INTEGER: u8 = 1;
    pub(in crate::types) const FLOAT: u8 = 2;
    pub(in crate::types) const POINTER: u8 = 3;
    pub(in crate::types) const ARRAY: u8 = 4;
    pub(in crate::types) const FUNCTION: u8 = 5;
    pub(in crate::types) const STRUCT: u8 = 6;
    pub(in crate::types) const UNION: u8 = 7;
    pub(in crate::types) const ENUM: u8 = 8;
    pub(in crate::types) const FORWARD: u8 = 9;
    pub(in crate::types) const TYPEDEF: u8 = 10;
    pub(in crate::types) const VOLATILE: u8 = 11;
    pub(in crate::types) const CONST: u8 = 12;
    pub(in crate::types) const RESTRICT: u8 = 13;
}

/// Why a container is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CtfError {
    /// It is shorter than its header, or a section lies outside.
    #[error("the container is cut short")]
    Truncated,
    /// It is not CTF, or CTF of a big-endian machine.
    #[error("not little-endian CTF (magic {0:#06x})")]
    Magic(u16),
    /// A version other than 2 and 3.
    #[error("CTF version {0} (known: 2 and 3)")]
    Version(u8),
    /// The sections do not follow each other.
    #[error("the header's sections overlap")]
    Order,
    /// The compressed part is not zlib's, or unpacks to something else than the header says.
    #[error("the compressed part cannot be unpacked")]
    Compression,
    /// More than [`MAX_UNPACKED`] bytes.
    #[error("the container unpacks to more than {MAX_UNPACKED} bytes")]
    TooLarge,
    /// A record of an unknown kind: where the next one starts cannot be known.
    #[error("type {id} is of the unknown kind {kind}")]
    Kind {
        /// The type's number.
        id: u32,
        /// Its kind.
        kind: u8,
    },
    /// A size or an offset of 4 GiB and more.
    #[error("type {id} is 4 GiB large or more")]
    Huge {
        /// The type's number.
        id: u32,
    },
    /// It was uniquified against a container that is not there.
    #[error("it needs the types of {parent}, which the machine did not publish")]
    NoParent {
        /// The parent's name.
        parent: String,
    },
    /// Its parent has been built anew since.
    #[error("it was made for another build of {parent} (label {label})")]
    Label {
        /// The parent's name.
        parent: String,
        /// The label that the parent lacks.
        label: String,
    },
    /// More members than BTF can hold.
    #[error(transparent)]
    Btf(#[from] super::btf::TooLarge),
}

/// How versions 2 and 3 differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Numbers of types, and sizes below 64 KiB, have 16 bits.
    V2,
    /// They have 32.
    V3,
}

impl Version {
    /// Bytes of a type's number.
    const fn width(self) -> usize {
        match self {
            Self::V2 => 2,
            Self::V3 => 4,
        }
    }

    /// The first number that is a child's own, and the mask of what comes below.
    const fn child(self) -> u32 {
        match self {
            Self::V2 => 0x8000,
            Self::V3 => 0x8000_0000,
        }
    }

    /// The size that says: the real one follows, `CTF_LSIZE_SENT`.
    const fn sentinel(self) -> u32 {
        match self {
            Self::V2 => 0xffff,
            Self::V3 => 0xffff_ffff,
        }
    }

    /// Structs from this size on have members with 64-bit offsets, `CTF_LSTRUCT_THRESH`.
    const fn large_struct(self) -> u64 {
        match self {
            Self::V2 => 8192,
            Self::V3 => 536_870_912,
        }
    }

    /// Kind, whether it is found by name, and count of an info word.
    fn split(self, info: u32) -> (u8, bool, usize) {
        let (kind, root, count) = match self {
            Self::V2 => ((info >> 11) & 0x1f, info & 0x400, info & 0x3ff),
            Self::V3 => ((info >> 26) & 0x3f, info & 0x200_0000, info & 0x1ff_ffff),
        };
        (kind.to_le_bytes()[0], root != 0, count as usize)
    }
}

/// A record.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    /// As in the record: the top bit says it is in another string table.
    name: u32,
    kind: u8,
    is_root: bool,
    count: usize,
    /// The type it refers to; for a forward declaration, the kind of what it declares.
    target: u32,
    size: u64,
    /// What the kind adds.
    tail: &'a [u8],
}

/// A container, unpacked, its header checked.
#[derive(Debug)]
pub struct Ctf<'a> {
    body: Cow<'a, [u8]>,
    version: Version,
    parent_label: u32,
    parent_name: u32,
    labels: Range<usize>,
    objects: Range<usize>,
    functions: Range<usize>,
    types: Range<usize>,
    strings: Range<usize>,
}

impl<'a> Ctf<'a> {
    /// Checks the header and unpacks the rest.
    ///
    /// # Errors
    /// [`CtfError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CtfError> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(CtfError::Truncated)?;
        let magic = u16::from_le_bytes([header[0], header[1]]);
        if magic != MAGIC {
            return Err(CtfError::Magic(magic));
        }
        let version = match header[2] {
            2 => Version::V2,
            3 => Version::V3,
            other => return Err(CtfError::Version(other)),
        };
        let field = |at: usize| word(header, at).ok_or(CtfError::Truncated);
        let offset = |at: usize| field(at).map(|value| value as usize);
        let ends = [offset(12)?, offset(16)?, offset(20)?, offset(24)?, offset(28)?];
        if !ends.is_sorted() {
            return Err(CtfError::Order);
        }
        let [labels, objects, functions, types, strings] = ends;
        let all = strings.checked_add(offset(32)?).ok_or(CtfError::Truncated)?;
        if all > MAX_UNPACKED {
            return Err(CtfError::TooLarge);
        }
        let body =
            if header[3] & COMPRESSED == 0 { Cow::Borrowed(rest) } else { unpack(rest, all)? };
        if body.len() < all {
            return Err(CtfError::Truncated);
        }
        Ok(Self {
            body,
            version,
            parent_label: field(4)?,
            parent_name: field(8)?,
            labels: labels..objects,
            objects: objects..functions,
            functions: functions..types,
            types: types..strings,
            strings: strings..all,
        })
    }

    fn section(&self, range: &Range<usize>) -> &[u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }

    /// A name; empty if it lies in the object file's string table, or nowhere.
    fn string(&self, name: u32) -> &str {
        if name >> 31 != 0 {
            return "";
        }
        let rest = self.section(&self.strings).get(name as usize..).unwrap_or_default();
        let text = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or("")
    }

    /// The module whose types it refers to; `None` if it stands alone.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        Some(self.string(self.parent_name)).filter(|name| !name.is_empty())
    }

    /// Whether one of its labels, which its build gave it, is `label`.
    fn has_label(&self, label: &str) -> bool {
        let labels = self.section(&self.labels).chunks_exact(8);
        labels.filter_map(|entry| word(entry, 0)).any(|name| self.string(name) == label)
    }

    /// Whether all its records can be read.
    pub(super) fn is_whole(&self) -> bool {
        self.records().all(|record| record.is_ok())
    }

    /// The types in order; the first is number 1 (of a child's own).
    fn records(&self) -> Records<'_> {
        Records { rest: self.section(&self.types), version: self.version, next: 1 }
    }
}

/// Unpacks what should be `size` bytes. FreeBSD's kernel unpacks a container when it is asked for
/// it, and leaves the flag as it was: what is no zlib stream and long enough is taken as it is.
fn unpack(packed: &[u8], size: usize) -> Result<Cow<'_, [u8]>, CtfError> {
    let mut out = Vec::new();
    let limit = u64::try_from(size).unwrap_or(u64::MAX);
    match ZlibDecoder::new(packed).take(limit.saturating_add(1)).read_to_end(&mut out) {
        Ok(length) if length == size => Ok(Cow::Owned(out)),
        _ if packed.len() >= size => Ok(Cow::Borrowed(packed)),
        _ => Err(CtfError::Compression),
    }
}

/// Reads one record after another, and ends after the first that cannot be read.
struct Records<'a> {
    rest: &'a [u8],
    version: Version,
    next: u32,
}

impl<'a> Records<'a> {
    fn read(&mut self) -> Result<Record<'a>, CtfError> {
        let cut = CtfError::Truncated;
        let (version, bytes) = (self.version, self.rest);
        let width = version.width();
        let (kind, is_root, count) = version.split(number(bytes, 4, version).ok_or(cut.clone())?);
        let target = number(bytes, 4 + width, version).ok_or(cut.clone())?;
        let short = 4 + 2 * width;
        let (size, fixed) = if target == version.sentinel() && has_size(kind) {
            let (high, low) = (word(bytes, short), word(bytes, short + 4));
            let (high, low) = high.zip(low).ok_or(cut.clone())?;
            ((u64::from(high) << 32) | u64::from(low), short + 8)
        } else {
            (u64::from(target), short)
        };
        let unknown = CtfError::Kind { id: self.next, kind };
        let length = tail_size(version, kind, count, size).ok_or(unknown)?;
        let tail = bytes.get(fixed..fixed + length).ok_or(cut.clone())?;
        let name = word(bytes, 0).ok_or(cut)?;
        self.rest = bytes.get(fixed + length..).unwrap_or_default();
        self.next = self.next.saturating_add(1);
        Ok(Record { name, kind, is_root, count, target, size, tail })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, CtfError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

/// A type's number, or another field of that width.
fn number(bytes: &[u8], at: usize, version: Version) -> Option<u32> {
    match version {
        Version::V2 => {
            let two = bytes.get(at..at.checked_add(2)?)?;
            Some(u32::from(u16::from_le_bytes(two.try_into().ok()?)))
        }
        Version::V3 => word(bytes, at),
    }
}

/// Kinds whose record has a size where others refer to a type.
const fn has_size(kind: u8) -> bool {
    matches!(
        kind,
        kind::INTEGER | kind::FLOAT | kind::ARRAY | kind::STRUCT | kind::UNION | kind::ENUM
    )
}

/// How many bytes a kind adds to its record.
fn tail_size(version: Version, kind: u8, count: usize, size: u64) -> Option<usize> {
    Some(match kind {
        kind::INTEGER | kind::FLOAT => 4,
        kind::ARRAY => 2 * version.width() + 4,
        // Version 2 keeps records on word boundaries.
        kind::FUNCTION => (count * version.width()).next_multiple_of(4),
        kind::STRUCT | kind::UNION => count * member_size(version, size),
        kind::ENUM => count * 8,
        kind::UNKNOWN
        | kind::POINTER
        | kind::FORWARD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT => 0,
        _ => return None,
    })
}

/// Bytes of a member of a struct of `size` bytes.
fn member_size(version: Version, size: u64) -> usize {
    match version {
        _ if size >= version.large_struct() => 16,
        Version::V2 => 8,
        Version::V3 => 12,
    }
}
