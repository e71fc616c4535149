//! BTF, the BPF Type Format: the types of a Linux kernel and its modules.
//!
//! ```text
//! +--------+---------------------------------+----------------------+
//! | header | types: one record after another | strings, NUL-ended   |
//! +--------+---------------------------------+----------------------+
//! ```
//! A kernel's BTF has some 100,000 types in 4 MiB. One pass over it notes where every record
//! starts; everything else is read when it is asked for. There is no index of names: a script asks
//! for few, and a scan over the records costs less than building one.
//!
//! A module's BTF is *split*: its type numbers and string offsets go on where those of the kernel
//! image end.
//!
//! BTF is also what all other formats are made into (`super::prepare`), so that one reader serves all.
//!
//! The bytes are a guest's: every offset and count is checked, and nothing is trusted to end.

mod write;

use std::{borrow::Cow, ops::Range, rc::Rc};

pub(crate) use write::BtfWriter;
pub use write::TooLarge;

/// `BTF_KIND_*` of `linux/btf.h`, those with a use here.
pub(super) mod kind {
    pub(in crate::types) const INT: u8 = 1;
    pub(in crate::types) const PTR: u8 = 2;
    pub(in crate::types) const ARRAY: u8 = 3;
    pub(in crate::types) const STRUCT: u8 = 4;
    pub(in crate::types) const UNION: u8 = 5;
    pub(in crate::types) const ENUM: u8 = 6;
    pub(in crate::types) const FWD: u8 = 7;
    pub(in crate::types) const TYPEDEF: u8 = 8;
    pub(in crate::types) const VOLATILE: u8 = 9;
    pub(in crate::types) const CONST: u8 = 10;
    pub(in crate::types) const RESTRICT: u8 = 11;
    pub(in crate::types) const FUNC: u8 = 12;
    pub(in crate::types) const FUNC_PROTO: u8 = 13;
    pub(in crate::types) const VAR: u8 = 14;
    pub(in crate::types) const DATASEC: u8 = 15;
    pub(in crate::types) const FLOAT: u8 = 16;
    pub(in crate::types) const DECL_TAG: u8 = 17;
    pub(in crate::types) const TYPE_TAG: u8 = 18;
    pub(in crate::types) const ENUM64: u8 = 19;
}

/// Bytes of a record before what its kind adds, `struct btf_type`.
const RECORD: usize = 12;
/// Bytes of the header's first version, `struct btf_header`.
const HEADER: usize = 24;
const MAGIC: u16 = 0xeb9f;

/// Why a container is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// It is shorter than its header, or a section lies outside.
    #[error("the container is cut short")]
    Truncated,
    /// It is not BTF, or BTF of a big-endian machine.
    #[error("not little-endian BTF (magic {0:#06x})")]
    Magic(u16),
    /// A version other than 1.
    #[error("BTF version {0} (known: 1)")]
    Version(u8),
    /// A record of an unknown kind: where the next one starts cannot be known.
    #[error("type {id} is of the unknown kind {kind}")]
    Kind {
        /// The type's number.
        id: u32,
        /// Its kind.
        kind: u8,
    },
}

/// One container.
#[derive(Debug)]
pub struct Btf<'a> {
    bytes: Cow<'a, [u8]>,
    types: Range<usize>,
    strings: Range<usize>,
    offsets: Vec<u32>,
    base: Option<Rc<Btf<'a>>>,
    first_id: u32,
    first_string: u32,
}

/// A record's fixed part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    pub(super) kind: u8,
    pub(super) flag: bool,
    /// Bytes of the type, or the type it refers to.
    pub(super) size_or_type: u32,
    /// What the kind adds.
    pub(super) tail: &'a [u8],
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug)]
pub(super) struct BtfMember<'a> {
    pub(super) name: &'a str,
    pub(super) ty: u32,
    pub(super) bit_offset: u32,
    /// 0: not a bit-field.
    pub(super) bit_width: u32,
}

impl<'a> Btf<'a> {
    /// Notes where every type starts. `base` is the kernel image's container if this one is split.
    ///
    /// # Errors
    /// [`BtfError`] if the bytes are no BTF that can be walked to its end.
    pub fn parse(
        bytes: impl Into<Cow<'a, [u8]>>,
        base: Option<Rc<Self>>,
    ) -> Result<Self, BtfError> {
        let bytes = bytes.into();
        let header = bytes.get(..HEADER).ok_or(BtfError::Truncated)?;
        let magic = u16::from_le_bytes([header[0], header[1]]);
        if magic != MAGIC {
            return Err(BtfError::Magic(magic));
        }
        if header[2] != 1 {
            return Err(BtfError::Version(header[2]));
        }
        let start = word(header, 4).ok_or(BtfError::Truncated)?;
        let section = |at: usize| -> Option<Range<usize>> {
            let offset = start.checked_add(word(header, at)?)? as usize;
            let range = offset..offset.checked_add(word(header, at + 4)? as usize)?;
            bytes.get(range.clone()).map(|_| range)
        };
        let types = section(8).ok_or(BtfError::Truncated)?;
        let strings = section(16).ok_or(BtfError::Truncated)?;
        let first_id = base.as_ref().map_or(1, |base| base.end_id());
        let first_string = base.as_ref().map_or(0, |base| base.end_string());
        let records = bytes.get(types.clone()).unwrap_or_default();
        let offsets = record_offsets(records, first_id)?;
        Ok(Self { bytes, types, strings, offsets, base, first_id, first_string })
    }

    fn types(&self) -> &[u8] {
        self.bytes.get(self.types.clone()).unwrap_or_default()
    }

    fn strings(&self) -> &[u8] {
        self.bytes.get(self.strings.clone()).unwrap_or_default()
    }

    /// One past the last type's number.
    #[must_use]
    pub fn end_id(&self) -> u32 {
        self.first_id.saturating_add(u32::try_from(self.offsets.len()).unwrap_or(u32::MAX))
    }

    fn end_string(&self) -> u32 {
        let own = u32::try_from(self.strings().len()).unwrap_or(u32::MAX);
        self.first_string.saturating_add(own)
    }

    /// The first type's number: 1, or that after the image's last for a split container.
    #[must_use]
    pub fn first_id(&self) -> u32 {
        self.first_id
    }

    fn string(&self, offset: u32) -> &str {
        if offset < self.first_string {
            return self.base.as_ref().map_or("", |base| base.string(offset));
        }
        let rest = self.strings().get((offset - self.first_string) as usize..).unwrap_or_default();
        let text = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or("")
    }

    /// A type's record; `None` for 0 (`void`) and for numbers that no type has.
    pub(super) fn record(&self, id: u32) -> Option<Record<'_>> {
        if id < self.first_id {
            return self.base.as_ref()?.record(id);
        }
        let offset = *self.offsets.get((id - self.first_id) as usize)? as usize;
        let record = self.types().get(offset..)?;
        let info = word(record, 4)?;
        let (kind, count) = split_info(info);
        let tail = record.get(RECORD..RECORD + tail_size(kind, count)?)?;
        Some(Record {
            name: self.string(word(record, 0)?),
            kind,
            flag: info >> 31 != 0,
            size_or_type: word(record, 8)?,
            tail,
        })
    }

    /// The first type of one of `kinds` with that name, this container's own only.
    pub(super) fn find(&self, kinds: &[u8], name: &str) -> Option<u32> {
        self.own(kinds).find(|(_, at)| self.is_named(*at, name)).map(|(id, _)| id)
    }

    /// Compares without looking for the end of every name.
    fn is_named(&self, offset: u32, name: &str) -> bool {
        if offset < self.first_string {
            return self.string(offset) == name;
        }
        let at = (offset - self.first_string) as usize;
        let text = self.strings().get(at..).unwrap_or_default();
        text.starts_with(name.as_bytes()) && text.get(name.len()) == Some(&0)
    }

    /// Number and name of this container's own types of some kinds.
    fn own(&self, kinds: &[u8]) -> impl Iterator<Item = (u32, u32)> {
        let types = self.types();
        let ids = self.first_id..self.end_id();
        ids.zip(&self.offsets).filter_map(move |(id, offset)| {
            let record = types.get(*offset as usize..)?;
            let kind = split_info(word(record, 4)?).0;
            kinds.contains(&kind).then_some(())?;
            Some((id, word(record, 0)?))
        })
    }

    /// The members of a struct or union record.
    pub(super) fn members(&self, record: &Record<'_>) -> Vec<BtfMember<'_>> {
        let entry = |at: &[u8]| {
            let raw = word(at, 8)?;
            let (bit_offset, bit_width) =
                if record.flag { (raw & 0x00ff_ffff, raw >> 24) } else { (raw, 0) };
            Some(BtfMember {
                name: self.string(word(at, 0)?),
                ty: word(at, 4)?,
                bit_offset,
                bit_width,
            })
        };
        record.tail.chunks_exact(12).filter_map(entry).collect()
    }

    /// The names and values of an enumeration's record.
    pub(super) fn enumerators(&self, record: &Record<'_>) -> Vec<(&str, i64)> {
        let wide = record.kind == kind::ENUM64;
        let entry = |at: &[u8]| {
            let low = word(at, 4)?;
            let value = match (wide, record.flag) {
                (true, _) => ((u64::from(word(at, 8)?) << 32) | u64::from(low)).cast_signed(),
                (false, true) => i64::from(low.cast_signed()),
                (false, false) => i64::from(low),
            };
            Some((self.string(word(at, 0)?), value))
        };
        record.tail.chunks_exact(if wide { 12 } else { 8 }).filter_map(entry).collect()
    }

    /// The enumeration that has an enumerator of that name, with its value.
    pub(super) fn find_enumerator(&self, name: &str) -> Option<(u32, i64)> {
        self.own(&[kind::ENUM, kind::ENUM64]).find_map(|(id, _)| {
            let record = self.record(id)?;
            let found = self.enumerators(&record).into_iter().find(|(known, _)| *known == name)?;
            Some((id, found.1))
        })
    }
}

/// A little-endian 32-bit word.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// Kind and count of an info word.
fn split_info(info: u32) -> (u8, u32) {
    let [_, _, _, top] = info.to_le_bytes();
    (top & 0x1f, info & 0xffff)
}

/// How many bytes a kind adds to its record.
fn tail_size(kind: u8, count: u32) -> Option<usize> {
    let count = count as usize;
    Some(match kind {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => count * 12,
        kind::ENUM | kind::FUNC_PROTO => count * 8,
        kind::PTR
        | kind::FWD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNC
        | kind::FLOAT
        | kind::TYPE_TAG => 0,
        _ => return None,
    })
}

fn record_offsets(types: &[u8], first_id: u32) -> Result<Vec<u32>, BtfError> {
    let mut offsets = Vec::with_capacity(types.len() / 24);
    let mut at = 0;
    while at < types.len() {
        let info = word(types, at + 4).ok_or(BtfError::Truncated)?;
        let (kind, count) = split_info(info);
        let id = first_id.saturating_add(u32::try_from(offsets.len()).unwrap_or(u32::MAX));
        let tail = tail_size(kind, count).ok_or(BtfError::Kind { id, kind })?;
        offsets.push(u32::try_from(at).map_err(|_| BtfError::Truncated)?);
        at += RECORD + tail;
    }
    if at == types.len() { Ok(offsets) } else { Err(BtfError::Truncated) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{write::BtfWriter as BtfBuilder, *};

    fn sample() -> Vec<u8> {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, 1);
        b.compound(kind::STRUCT, "pair", 8, &[("a", int, 0, 0), ("b", int, 32, 3)]);
        b.enumeration("color", &[("RED", 1), ("LESS", 0xffff_ffff)]);
        b.enumeration64("wide", &[("HUGE", 1 << 40)]);
        b.finish().unwrap()
    }

    /// What was written comes back: names, members with bit-fields, signed and 64-bit values.
    #[test]
    fn records_are_read_back() {
        let bytes = sample();
        let btf = Btf::parse(&*bytes, None).unwrap();
        assert_eq!(btf.end_id(), 5);
        let pair = btf.record(btf.find(&[kind::STRUCT], "pair").unwrap()).unwrap();
        let members = btf.members(&pair);
        assert_eq!((members[1].name, members[1].bit_offset, members[1].bit_width), ("b", 32, 3));
        assert_eq!(btf.find_enumerator("LESS"), Some((3, -1)));
        assert_eq!(btf.find_enumerator("HUGE"), Some((4, 1 << 40)));
        assert_eq!(btf.find(&[kind::UNION], "pair"), None);
        assert!(btf.record(0).is_none() && btf.record(99).is_none());
    }

    /// A module's types are numbered after the image's, and refer to them.
    #[test]
    fn split_containers_continue_their_base() {
        let bytes = sample();
        let base = Rc::new(Btf::parse(&*bytes, None).unwrap());
        let mut b = BtfBuilder::new();
        b.reference(kind::PTR, "", 1);
        // A split container's string offsets start where the base's end; only unnamed types here.
        let split_bytes = b.finish().unwrap();
        let split = Btf::parse(split_bytes, Some(base)).unwrap();
        assert_eq!(split.first_id(), 5);
        assert_eq!(split.record(5).unwrap().size_or_type, 1);
        assert_eq!(split.record(1).unwrap().name, "int");
    }

    proptest! {
        /// Hostile bytes are refused or read, but never panic or run on.
        #[test]
        fn damaged_containers_do_no_harm(at in 0_usize..200, value: u8, cut in 0_usize..200) {
            let mut bytes = sample();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(bytes.len().saturating_sub(cut / 8));
            if let Ok(btf) = Btf::parse(&*bytes, None) {
                for id in 0..btf.end_id() + 2 {
                    if let Some(record) = btf.record(id) {
                        let _ = (btf.members(&record), btf.enumerators(&record));
                    }
                }
                let _ = (btf.find(&[kind::INT], "int"), btf.find_enumerator("RED"));
            }
        }
    }
}
