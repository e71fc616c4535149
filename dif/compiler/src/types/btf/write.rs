//! Writes BTF: what other formats are made into, and what tests read.
//!
//! Types are numbered from 1, or from where a base ends, in the order in which they are added. A
//! record may refer to one that is added later; nothing is checked here, since readers check
//! everything.

use std::collections::HashMap;

use super::{HEADER, MAGIC, kind};

/// What does not fit into BTF: more than 65,535 members, or 4 GiB of types or strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a type has more members than BTF can hold, or all types together reach 4 GiB")]
pub struct TooLarge;

/// A container in the making.
#[derive(Debug, Default)]
pub(crate) struct BtfWriter {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where texts lie that were written before.
    known: HashMap<Box<str>, u32>,
    count: u32,
    overflow: bool,
}

impl BtfWriter {
    /// An empty container.
    pub(crate) fn new() -> Self {
        Self { strings: vec![0], ..Self::default() }
    }

    /// A container whose strings are there already, for writers that know their offsets.
    pub(crate) fn with_strings(strings: &[u8]) -> Self {
        Self { strings: strings.to_vec(), ..Self::default() }
    }

    /// The offset of a text; one text has one place.
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = u32::try_from(self.strings.len()).unwrap_or_else(|_| self.fail());
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.known.insert(text.into(), at);
        at
    }

    fn fail(&mut self) -> u32 {
        self.overflow = true;
        0
    }

    /// Adds a record's fixed part, the name by its offset. Returns the type's number, counted
    /// from 1.
    pub(crate) fn record(
        &mut self,
        name: u32,
        kind: u8,
        flag: bool,
        vlen: usize,
        size_or_type: u32,
    ) -> u32 {
        let vlen = u16::try_from(vlen).map_or_else(|_| self.fail(), u32::from);
        let info = (u32::from(kind) << 24) | (u32::from(flag) << 31) | vlen;
        self.words(&[name, info, size_or_type]);
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// Adds words to the record that was added last.
    pub(crate) fn words(&mut self, words: &[u32]) {
        for word in words {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// An integer. `encoding`: 1 signed, 2 char, 4 bool.
    pub(crate) fn int(&mut self, name: &str, size: u32, encoding: u32) -> u32 {
        let name = self.text(name);
        let id = self.record(name, kind::INT, false, 0, size);
        self.words(&[(encoding << 24) | size.saturating_mul(8).min(0xff)]);
        id
    }

    /// What only refers to another type: pointers, typedefs, qualifiers, functions.
    pub(crate) fn reference(&mut self, kind: u8, name: &str, target: u32) -> u32 {
        let name = self.text(name);
        self.record(name, kind, false, 0, target)
    }

    /// An array of `count` elements.
    pub(crate) fn array(&mut self, element: u32, index: u32, count: u32) -> u32 {
        let id = self.record(0, kind::ARRAY, false, 0, 0);
        self.words(&[element, index, count]);
        id
    }

    /// A struct or union. Members: name, type, offset in bits (below 2²⁴), width in bits or 0.
    pub(crate) fn compound(
        &mut self,
        kind: u8,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32, u32)],
    ) -> u32 {
        let names: Vec<u32> = members.iter().map(|member| self.text(member.0)).collect();
        let name = self.text(name);
        let id = self.record(name, kind, true, members.len(), size);
        for (name, (_, ty, offset, width)) in names.into_iter().zip(members) {
            self.words(&[name, *ty, (width << 24) | offset]);
        }
        id
    }

    /// The container.
    pub(crate) fn finish(self) -> Result<Vec<u8>, TooLarge> {
        let header = u32::try_from(HEADER).map_err(|_| TooLarge)?;
        let types = u32::try_from(self.types.len()).map_err(|_| TooLarge)?;
        let strings = u32::try_from(self.strings.len()).map_err(|_| TooLarge)?;
        // Readers reckon from the file's start.
        let all = header.checked_add(types).and_then(|sum| sum.checked_add(strings));
        if self.overflow || all.is_none() {
            return Err(TooLarge);
        }
        let mut out = Vec::from(MAGIC.to_le_bytes());
        out.extend_from_slice(&[1, 0]);
        for word in [header, 0, types, types, strings] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.types);
        out.extend_from_slice(&self.strings);
        Ok(out)
    }
}

/// Forms that only tests write.
#[cfg(test)]
impl BtfWriter {
    pub(crate) fn enumeration(&mut self, name: &str, values: &[(&str, u32)]) -> u32 {
        let names: Vec<u32> = values.iter().map(|value| self.text(value.0)).collect();
        let name = self.text(name);
        let id = self.record(name, kind::ENUM, true, values.len(), 4);
        for (name, (_, value)) in names.into_iter().zip(values) {
            self.words(&[name, *value]);
        }
        id
    }

    pub(crate) fn enumeration64(&mut self, name: &str, values: &[(&str, u64)]) -> u32 {
        let names: Vec<u32> = values.iter().map(|value| self.text(value.0)).collect();
        let name = self.text(name);
        let id = self.record(name, kind::ENUM64, false, values.len(), 8);
        for (name, (_, value)) in names.into_iter().zip(values) {
            let low = u32::try_from(value & 0xffff_ffff).unwrap();
            self.words(&[name, low, u32::try_from(value >> 32).unwrap()]);
        }
        id
    }

    pub(crate) fn variable(&mut self, name: &str, ty: u32) -> u32 {
        let name = self.text(name);
        let id = self.record(name, kind::VAR, false, 0, ty);
        self.words(&[1]);
        id
    }
}
