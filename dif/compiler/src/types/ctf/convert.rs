//! From CTF's records to BTF's, one for one.

use std::collections::HashMap;

use super::{Ctf, CtfError, Record, Version, kind, number};
use crate::types::btf::{self, BtfWriter, word};

/// A symbol of the object file that a container was made for, in the order of its symbol table,
/// those left out that ctfconvert(1) leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtfSymbol {
    /// Its name.
    pub name: String,
    /// A function; otherwise an object.
    pub is_function: bool,
}

/// What a record becomes depends on what its neighbours are.
struct Converter<'c> {
    ctf: &'c Ctf<'c>,
    out: BtfWriter,
    /// Added to the container's own string offsets.
    string_base: u32,
    /// Added to the container's own numbers.
    number_base: u32,
    /// Types named `void` with no bytes, which BTF calls 0.
    voids: Vec<bool>,
    /// The last number at which a name is to be found; others of the name come before it.
    roots: HashMap<(u8, u32), u32>,
}

impl Ctf<'_> {
    /// The same types as BTF: split BTF upon `parent`'s if it has one. With `symbols`, types of
    /// objects and functions become `VAR` and `FUNC` records behind the types.
    ///
    /// # Errors
    /// [`CtfError`], the first thing that is wrong in the records.
    pub fn to_btf(
        &self,
        parent: Option<&Ctf<'_>>,
        symbols: &[CtfSymbol],
    ) -> Result<Vec<u8>, CtfError> {
        let (number_base, string_base) = match self.parent() {
            None => (0, 0),
            Some(name) => self.bases(name, parent)?,
        };
        let mut converter = Converter {
            ctf: self,
            out: BtfWriter::with_strings(self.section(&self.strings)),
            string_base,
            number_base,
            voids: Vec::new(),
            roots: HashMap::new(),
        };
        converter.survey()?;
        for (id, record) in (1..).zip(self.records()) {
            converter.record(id, &record?)?;
        }
        converter.symbols(symbols);
        Ok(converter.out.finish()?)
    }

    /// How many types and bytes of strings the parent has, if it is the right one.
    fn bases(&self, name: &str, parent: Option<&Ctf<'_>>) -> Result<(u32, u32), CtfError> {
        let missing = || CtfError::NoParent { parent: name.to_owned() };
        let parent = parent.filter(|parent| parent.parent().is_none()).ok_or_else(missing)?;
        let label = self.string(self.parent_label);
        if !label.is_empty() && !parent.has_label(label) {
            return Err(CtfError::Label { parent: name.to_owned(), label: label.to_owned() });
        }
        let count = parent.records().take_while(Result::is_ok).count();
        let strings = parent.strings.len();
        u32::try_from(count).ok().zip(u32::try_from(strings).ok()).ok_or(CtfError::TooLarge)
    }
}

impl Converter<'_> {
    /// Finds what is `void`, and which names are found where.
    fn survey(&mut self) -> Result<(), CtfError> {
        for (id, record) in (1_u32..).zip(self.ctf.records()) {
            let record = record?;
            let is_void = record.kind == kind::INTEGER
                && record.size == 0
                && self.ctf.string(record.name) == "void";
            self.voids.push(is_void);
            if record.is_root {
                self.roots.insert((record.kind, record.name), id);
            }
        }
        Ok(())
    }

    /// A type's number in BTF.
    fn target(&self, number: u32) -> u32 {
        let child = self.ctf.version.child();
        if self.ctf.parent().is_some() && number < child {
            return number;
        }
        let own = number & (child - 1);
        let at = (own as usize).checked_sub(1);
        match at.and_then(|at| self.voids.get(at)) {
            Some(false) => own.saturating_add(self.number_base),
            _ => 0,
        }
    }

    fn text(&self, name: u32) -> u32 {
        let there = name >> 31 == 0 && (name as usize) < self.ctf.strings.len();
        if there && name != 0 { name.saturating_add(self.string_base) } else { 0 }
    }

    /// The place of a text that the container did not have.
    fn new_text(&mut self, text: &str) -> u32 {
        self.out.text(text).saturating_add(self.string_base)
    }

    /// A type that is not to be found by its name has none if it stands before one that is.
    fn name(&self, id: u32, record: &Record<'_>) -> u32 {
        let hidden = !record.is_root
            && self.roots.get(&(record.kind, record.name)).is_some_and(|root| *root > id);
        if hidden { 0 } else { self.text(record.name) }
    }

    fn record(&mut self, id: u32, record: &Record<'_>) -> Result<(), CtfError> {
        let name = self.name(id, record);
        let size = u32::try_from(record.size).map_err(|_| CtfError::Huge { id })?;
        let target = self.target(record.target);
        let reference = match record.kind {
            kind::INTEGER if self.voids.get(id as usize - 1) == Some(&true) => btf::kind::TYPEDEF,
            kind::INTEGER => return self.integer(name, size, record),
            kind::FLOAT => {
                self.out.record(name, btf::kind::FLOAT, false, 0, size);
                return Ok(());
            }
            kind::ARRAY => return self.array(record),
            kind::FUNCTION => return self.function(record),
            kind::STRUCT => return self.compound(id, btf::kind::STRUCT, name, size, record),
            kind::UNION => return self.compound(id, btf::kind::UNION, name, size, record),
            kind::ENUM => return self.enumeration(name, size, record),
            kind::FORWARD => return self.forward(name, record),
            kind::POINTER => btf::kind::PTR,
            kind::TYPEDEF => btf::kind::TYPEDEF,
            kind::VOLATILE => btf::kind::VOLATILE,
            kind::CONST => btf::kind::CONST,
            kind::RESTRICT => btf::kind::RESTRICT,
            // A number that is given to nothing.
            _ => btf::kind::FWD,
        };
        let target = if record.kind == kind::INTEGER { 0 } else { target };
        self.out.record(name, reference, false, 0, target);
        Ok(())
    }

    /// The encoding's flags (signed, character, boolean) are BTF's; a width is kept to 8 bits
    /// there.
    fn integer(&mut self, name: u32, size: u32, record: &Record<'_>) -> Result<(), CtfError> {
        let data = word(record.tail, 0).ok_or(CtfError::Truncated)?;
        let bits = (data & 0xffff).min(0xff);
        self.out.record(name, btf::kind::INT, false, 0, size);
        self.out.words(&[(data & 0x07ff_0000) | bits]);
        Ok(())
    }

    fn array(&mut self, record: &Record<'_>) -> Result<(), CtfError> {
        let version = self.ctf.version;
        let field = |at| number(record.tail, at, version).ok_or(CtfError::Truncated);
        let (element, index) = (field(0)?, field(version.width())?);
        let count = word(record.tail, 2 * version.width()).ok_or(CtfError::Truncated)?;
        let (element, index) = (self.target(element), self.target(index));
        self.out.array(element, index, count);
        Ok(())
    }

    /// A last parameter of type 0 stands for `…`, as in BTF.
    fn function(&mut self, record: &Record<'_>) -> Result<(), CtfError> {
        let version = self.ctf.version;
        let result = self.target(record.target);
        self.out.record(0, btf::kind::FUNC_PROTO, false, record.count, result);
        for at in 0..record.count {
            let parameter = number(record.tail, at * version.width(), version);
            let parameter = self.target(parameter.ok_or(CtfError::Truncated)?);
            self.out.words(&[0, parameter]);
        }
        Ok(())
    }

    /// Bit-fields are members of narrow integer types, as in BTF's older form.
    fn compound(
        &mut self,
        id: u32,
        kind: u8,
        name: u32,
        size: u32,
        record: &Record<'_>,
    ) -> Result<(), CtfError> {
        self.out.record(name, kind, false, record.count, size);
        let version = self.ctf.version;
        let each = super::member_size(version, record.size);
        for member in record.tail.chunks_exact(each) {
            let (name, ty, offset) =
                read_member(member, version, each).ok_or(CtfError::Truncated)?;
            let offset = u32::try_from(offset).map_err(|_| CtfError::Huge { id })?;
            let (name, ty) = (self.text(name), self.target(ty));
            self.out.words(&[name, ty, offset]);
        }
        Ok(())
    }

    fn enumeration(&mut self, name: u32, size: u32, record: &Record<'_>) -> Result<(), CtfError> {
        let values = || record.tail.chunks_exact(8).filter_map(|e| word(e, 0).zip(word(e, 4)));
        let signed = values().any(|(_, value)| value.cast_signed() < 0);
        self.out.record(name, btf::kind::ENUM, signed, record.count, size);
        for (name, value) in values() {
            let name = self.text(name);
            self.out.words(&[name, value]);
        }
        Ok(())
    }

    /// BTF has forward declarations of structs and unions; an enumeration's is one without values.
    fn forward(&mut self, name: u32, record: &Record<'_>) -> Result<(), CtfError> {
        if record.target == u32::from(kind::ENUM) {
            self.out.record(name, btf::kind::ENUM, false, 0, 4);
        } else {
            let is_union = record.target == u32::from(kind::UNION);
            self.out.record(name, btf::kind::FWD, is_union, 0, 0);
        }
        Ok(())
    }

    /// Objects and functions, as far as both the sections and the symbols go.
    fn symbols(&mut self, symbols: &[CtfSymbol]) {
        let ctf = self.ctf;
        let mut objects = Words { rest: ctf.section(&ctf.objects), version: ctf.version };
        let mut functions = Words { rest: ctf.section(&ctf.functions), version: ctf.version };
        for symbol in symbols {
            if symbol.is_function {
                let Some(info) = functions.next() else { continue };
                let (kind, _, count) = ctf.version.split(info);
                if (kind, count) != (kind::UNKNOWN, 0) {
                    self.function_symbol(&symbol.name, count, &mut functions);
                }
            } else if let Some(ty) = objects.next().filter(|ty| *ty != 0) {
                let (name, ty) = (self.new_text(&symbol.name), self.target(ty));
                self.out.record(name, btf::kind::VAR, false, 0, ty);
                self.out.words(&[1]);
            }
        }
    }

    fn function_symbol(&mut self, name: &str, count: usize, words: &mut Words<'_>) {
        let result = self.target(words.next().unwrap_or(0));
        let parameters: Vec<u32> = words.take(count).map(|ty| self.target(ty)).collect();
        let proto = self.out.record(0, btf::kind::FUNC_PROTO, false, parameters.len(), result);
        for parameter in parameters {
            self.out.words(&[0, parameter]);
        }
        let name = self.new_text(name);
        let proto = proto.saturating_add(self.number_base);
        self.out.record(name, btf::kind::FUNC, false, 0, proto);
    }
}

/// Name, type and offset in bits.
fn read_member(member: &[u8], version: Version, size: usize) -> Option<(u32, u32, u64)> {
    let name = word(member, 0)?;
    let ty = number(member, 4, version)?;
    let offset = match (size, version) {
        (16, _) => (u64::from(word(member, 8)?) << 32) | u64::from(word(member, 12)?),
        (_, Version::V2) => u64::from(number(member, 6, version)?),
        (_, Version::V3) => u64::from(word(member, 8)?),
    };
    Some((name, ty, offset))
}

/// Numbers of types in a row.
struct Words<'a> {
    rest: &'a [u8],
    version: Version,
}

impl Iterator for Words<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let word = number(self.rest, 0, self.version)?;
        self.rest = self.rest.get(self.version.width()..).unwrap_or_default();
        Some(word)
    }
}
