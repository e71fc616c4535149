//! The reader. Its input is hostile until proven otherwise: every offset, length, count and link
//! is checked before it is used, and the program it makes is bounded by the file's size.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{
    ACT_DESC, DIF_TYPE, ECB_DESC, ENCODE_LSB, HEADER, HEADER_SIZE, LOAD, MAGIC, MAX_FILE, NONE,
    OPT_DESC, PROBE_DESC, ReadError, SECT_HYPERTRACE, SECTION, SECTION_SIZE, VARIABLE, VERSION,
    bad, option, rule, rule::Rule, sect,
};
use crate::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{act, difv},
    opcode::{DIF_VERSION, REGISTERS, TUPLE_REGISTERS},
    program::{Action, DifoIndex, EcbDesc, OptionSetting, ProbeDesc, Program},
};

/// Reads a program. It is not verified yet: that is [`Program::verify`].
///
/// # Errors
/// The first thing that is wrong.
pub fn read(bytes: &[u8]) -> Result<Program, ReadError> {
    let mut reader = Reader::new(bytes)?;
    let ours = reader.ours()?;
    let difos = reader.difos(&ours)?;
    let ecbs = reader.ecbs(&ours)?;
    let options = match &ours.options {
        Some(options) => options.clone(),
        None => reader.options()?,
    };
    Ok(Program { difos, ecbs, options })
}

/// The content of the first section of a type that is not loadable.
///
/// # Errors
/// [`ReadError`] if the file's header, or that section's place, is wrong.
pub fn other_section(bytes: &[u8], kind: u32) -> Result<Option<&[u8]>, ReadError> {
    if bytes.len() > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    let (headers, file) = check_header(bytes)?;
    let is_wanted =
        |header: &&[u8]| u32_at(header, 0) == Some(kind) && u32_at(header, 8) == Some(0);
    let Some((number, header)) =
        headers.chunks_exact(SECTION).enumerate().find(|(_, h)| is_wanted(h))
    else {
        return Ok(None);
    };
    let long = |at| u64_at(header, at).and_then(|value| usize::try_from(value).ok());
    let (offset, len) = (long(16), long(24));
    let end = offset.zip(len).and_then(|(offset, len)| offset.checked_add(len));
    let data = offset.zip(end).and_then(|(offset, end)| file.get(offset..end));
    data.map(Some).ok_or(bad(number, rule::OUTSIDE))
}

/// A fixed piece of the bytes at `at`.
fn piece<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    piece(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    piece(bytes, at).map(u64::from_le_bytes)
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The string at an offset of a table, without its NUL.
fn string_at(table: &[u8], at: u32) -> Option<&str> {
    let rest = table.get(size(at)..)?;
    let len = crate::string::find_nul(rest)?;
    core::str::from_utf8(rest.get(..len)?).ok()
}

#[derive(Clone, Copy)]
struct Section<'a> {
    number: usize,
    kind: u32,
    loads: bool,
    entry: usize,
    data: &'a [u8],
}

impl<'a> Section<'a> {
    fn bad(&self, rule: Rule) -> ReadError {
        bad(self.number, rule)
    }

    /// The section's entries, each of at least `min` bytes.
    fn entries(&self, min: usize) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, ReadError> {
        if self.entry < min || !self.data.len().is_multiple_of(self.entry) {
            return Err(self.bad(rule::ENTRY_SIZE));
        }
        Ok(self.data.chunks_exact(self.entry))
    }

    fn u32(&self, at: usize) -> Result<u32, ReadError> {
        u32_at(self.data, at).ok_or(self.bad(rule::SHORT))
    }
}

/// What the added section says.
#[derive(Default)]
struct Ours<'a> {
    ecbs: Option<Vec<(String, u32)>>,
    actions: Option<Vec<(Option<&'a str>, u64)>>,
    difos: Option<Vec<u32>>,
    options: Option<Vec<OptionSetting>>,
}

struct Reader<'a> {
    sections: Vec<Section<'a>>,
    /// Bytes that the program may still take.
    budget: usize,
    /// Places of `DIFOHDR` sections, so that a link becomes an index.
    difo_sections: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, ReadError> {
        if bytes.len() > MAX_FILE {
            return Err(ReadError::TooLarge);
        }
        let (headers, bytes) = check_header(bytes)?;
        let mut sections = Vec::new();
        for (number, header) in headers.chunks_exact(SECTION).enumerate() {
            sections.push(section(number, header, bytes)?);
        }
        let difo_sections = sections
            .iter()
            .filter(|section| section.kind == sect::DIFOHDR)
            .map(|section| section.number)
            .collect();
        // Texts that many clauses share are copied to each; a real program stays far below this.
        let budget = bytes.len() * 8 + (16 << 20);
        Ok(Self { sections, budget, difo_sections })
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ReadError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(ReadError::Expands)?;
        Ok(())
    }

    /// The section that `from` links to; `None` for no link.
    fn link(&self, from: &Section, link: u32, kind: u32) -> Result<Option<Section<'a>>, ReadError> {
        if link == NONE {
            return Ok(None);
        }
        let found = self.sections.get(size(link)).copied();
        found
            .filter(|section| section.kind == kind && section.loads)
            .map(Some)
            .ok_or(from.bad(rule::LINK))
    }

    fn of_kind(&self, kind: u32) -> Vec<Section<'a>> {
        self.sections.iter().filter(|section| section.kind == kind).copied().collect()
    }

    /// A `DIFOHDR`'s place among its like.
    fn difo_index(&self, from: &Section, link: u32) -> Result<Option<DifoIndex>, ReadError> {
        let Some(section) = self.link(from, link, sect::DIFOHDR)? else {
            return Ok(None);
        };
        let at = self.difo_sections.binary_search(&section.number).ok();
        let at = at.and_then(|at| u32::try_from(at).ok());
        Ok(at.map(DifoIndex))
    }

    fn text(&mut self, from: &Section, table: &Section, at: u32) -> Result<String, ReadError> {
        let text = string_at(table.data, at).ok_or(from.bad(rule::TEXT))?;
        self.spend(text.len() + size_of::<String>())?;
        Ok(text.to_owned())
    }

    fn difos(&mut self, ours: &Ours) -> Result<Vec<Difo>, ReadError> {
        let headers = self.of_kind(sect::DIFOHDR);
        if ours.difos.as_ref().is_some_and(|known| known.len() != headers.len()) {
            return Err(ReadError::Counts);
        }
        let mut difos = Vec::new();
        for (at, header) in headers.iter().enumerate() {
            let own = ours.difos.as_ref().and_then(|known| known.get(at)).copied();
            difos.push(self.difo(header, own)?);
        }
        Ok(difos)
    }

    fn difo(&mut self, header: &Section, own_strings: Option<u32>) -> Result<Difo, ReadError> {
        let ret = dif_type(header.data, 0).ok_or(header.bad(rule::SHORT))?;
        let mut difo = Difo {
            text: Vec::new(),
            integers: Vec::new(),
            strings: Vec::new(),
            vars: Vec::new(),
            ret,
        };
        let links = header.data.get(DIF_TYPE..).unwrap_or_default();
        let mut parts = [None; 4];
        const KINDS: [u32; 4] = [sect::DIF, sect::INTTAB, sect::STRTAB, sect::VARTAB];
        for link in links.chunks_exact(4) {
            let number = u32_at(link, 0).unwrap_or(NONE);
            let found = self.sections.get(size(number)).filter(|section| section.loads).copied();
            let found = found.ok_or(header.bad(rule::LINK))?;
            if found.kind == sect::TYPTAB {
                continue; // types for the linker, of no use here
            }
            let place = KINDS.iter().position(|kind| *kind == found.kind);
            let place = place.and_then(|at| parts.get_mut(at));
            let place = place.ok_or(header.bad(rule::FOREIGN_PART))?;
            if place.replace(found).is_some() {
                return Err(header.bad(rule::TWICE));
            }
        }
        let [dif, inttab, strtab, vartab] = parts;
        let dif = dif.ok_or(header.bad(rule::NO_CODE))?;
        for part in [Some(dif), inttab, strtab].into_iter().flatten() {
            self.spend(part.data.len())?;
        }
        for word in dif.entries(4)? {
            difo.text.push(u32_at(word, 0).unwrap_or_default());
        }
        if let Some(table) = inttab {
            for word in table.entries(8)? {
                difo.integers.push(u64_at(word, 0).ok_or(table.bad(rule::SHORT))?);
            }
        }
        let strings = strtab.map(|table| table.data).unwrap_or_default();
        if let Some(table) = vartab {
            for entry in table.entries(VARIABLE)? {
                difo.vars.push(self.variable(&table, entry, strings)?);
            }
        }
        difo.strings = own_part(header, strings, own_strings)?.to_vec();
        Ok(difo)
    }

    fn variable(
        &mut self,
        table: &Section,
        entry: &[u8],
        strings: &[u8],
    ) -> Result<DifVar, ReadError> {
        let short = table.bad(rule::SHORT);
        let name = u32_at(entry, 0).ok_or(short)?;
        let [kind, scope, f0, f1] = piece(entry, 8).ok_or(short)?;
        let flags = u16::from_le_bytes([f0, f1]);
        let name = string_at(strings, name).ok_or(table.bad(rule::TEXT))?;
        self.spend(name.len() + size_of::<DifVar>())?;
        Ok(DifVar {
            name: name.to_owned(),
            id: u32_at(entry, 4).ok_or(short)?,
            is_array: match kind {
                difv::KIND_ARRAY => true,
                difv::KIND_SCALAR => false,
                _ => return Err(table.bad(rule::VARIABLE_KIND)),
            },
            scope: match scope {
                difv::SCOPE_GLOBAL => Scope::Global,
                difv::SCOPE_THREAD => Scope::Thread,
                difv::SCOPE_LOCAL => Scope::Local,
                _ => return Err(table.bad(rule::VARIABLE_SCOPE)),
            },
            is_read: flags & difv::F_REF != 0,
            is_written: flags & difv::F_MOD != 0,
            ty: dif_type(entry, 12).ok_or(short)?,
        })
    }

    fn ecbs(&mut self, ours: &Ours) -> Result<Vec<EcbDesc>, ReadError> {
        let headers = self.of_kind(sect::ECBDESC);
        if ours.ecbs.as_ref().is_some_and(|known| known.len() != headers.len()) {
            return Err(ReadError::Counts);
        }
        let mut ecbs = Vec::new();
        let mut seen = 0; // actions, over all ECBs
        for (at, header) in headers.iter().enumerate() {
            let mut ecb = self.ecb(header)?;
            ecb.clause = u32::try_from(at).unwrap_or(u32::MAX);
            if let Some((target, clause)) = ours.ecbs.as_ref().and_then(|known| known.get(at)) {
                self.spend(target.len())?;
                (ecb.probe.target, ecb.clause) = (target.clone(), *clause);
            }
            for action in &mut ecb.actions {
                if let Some(known) = &ours.actions {
                    let (format, arg) = *known.get(seen).ok_or(ReadError::Counts)?;
                    self.spend(format.map_or(0, str::len))?;
                    (action.format, action.arg) = (format.map(ToOwned::to_owned), arg);
                }
                seen += 1;
            }
            ecbs.push(ecb);
        }
        if ours.actions.as_ref().is_some_and(|known| known.len() != seen) {
            return Err(ReadError::Counts);
        }
        Ok(ecbs)
    }

    fn ecb(&mut self, header: &Section) -> Result<EcbDesc, ReadError> {
        if header.data.len() < ECB_DESC {
            return Err(header.bad(rule::SHORT));
        }
        self.spend(size_of::<EcbDesc>())?;
        let probe = self.link(header, header.u32(0)?, sect::PROBEDESC)?;
        let probe = self.probe(&probe.ok_or(header.bad(rule::NO_PROBE))?)?;
        let predicate = self.difo_index(header, header.u32(4)?)?;
        let mut actions = Vec::new();
        if let Some(section) = self.link(header, header.u32(8)?, sect::ACTDESC)? {
            for entry in section.entries(ACT_DESC)? {
                actions.push(self.action(&section, entry)?);
            }
        }
        Ok(EcbDesc { probe, predicate, actions, clause: 0 })
    }

    fn probe(&mut self, section: &Section) -> Result<ProbeDesc, ReadError> {
        if section.data.len() < PROBE_DESC {
            return Err(section.bad(rule::SHORT));
        }
        let table = self.link(section, section.u32(0)?, sect::STRTAB)?;
        let table = table.ok_or(section.bad(rule::NO_STRINGS))?;
        let mut field = |at: usize| -> Result<String, ReadError> {
            let place = section.u32(at)?;
            self.text(section, &table, place)
        };
        Ok(ProbeDesc {
            target: String::new(),
            provider: field(4)?,
            module: field(8)?,
            function: field(12)?,
            name: field(16)?,
            id: section.u32(20)?,
        })
    }

    fn action(&mut self, section: &Section, entry: &[u8]) -> Result<Action, ReadError> {
        self.spend(size_of::<Action>())?;
        let word = |at: usize| u32_at(entry, at).ok_or(section.bad(rule::SHORT));
        let long = |at: usize| u64_at(entry, at).ok_or(section.bad(rule::SHORT));
        let kind = u16::try_from(word(8)?).map_err(|_| section.bad(rule::ACTION))?;
        let mut action = Action {
            kind,
            difo: self.difo_index(section, word(0)?)?,
            ntuple: word(12)?,
            arg: long(16)?,
            format: None,
            uarg: long(24)?,
        };
        let table = self.link(section, word(4)?, sect::STRTAB)?;
        if let (Some(table), true) = (table, act::is_printf_like(kind)) {
            let place = u32::try_from(action.arg).unwrap_or(NONE);
            action.format = Some(self.text(section, &table, place)?);
            action.arg = 0;
        }
        Ok(action)
    }

    fn options(&mut self) -> Result<Vec<OptionSetting>, ReadError> {
        let mut options = Vec::new();
        for section in self.of_kind(sect::OPTDESC) {
            for entry in section.entries(OPT_DESC)? {
                self.spend(64)?;
                let (number, value) = (u32_at(entry, 0), u64_at(entry, 8));
                let setting = number.zip(value).and_then(|(n, v)| option::setting(n, v));
                options.push(setting.ok_or(section.bad(rule::OPTION))?);
            }
        }
        Ok(options)
    }

    /// Reads the added section, if there is one.
    fn ours(&mut self) -> Result<Ours<'a>, ReadError> {
        let found = self.of_kind(SECT_HYPERTRACE);
        let section = match found.as_slice() {
            [] => return Ok(Ours::default()),
            [one] => *one,
            [_, second, ..] => return Err(second.bad(rule::TWO_OF_OURS)),
        };
        if section.u32(0)? != 1 {
            return Err(section.bad(rule::OUR_VERSION));
        }
        let mut rest = section.data.get(24..).unwrap_or_default();
        let mut take = |count: usize, each: usize| -> Result<&'a [u8], ReadError> {
            let len = size(section.u32(count)?).checked_mul(each);
            let split = len.and_then(|len| rest.split_at_checked(len));
            let (part, after) = split.ok_or(section.bad(rule::SHORT))?;
            rest = after;
            Ok(part)
        };
        let (ecbs, actions) = (take(4, 8)?, take(8, 16)?);
        let (difos, options, strings) = (take(12, 4)?, take(16, 8)?, take(20, 1)?);
        let texts = Texts { section, strings };
        Ok(Ours {
            ecbs: Some(self.our_ecbs(&texts, ecbs)?),
            actions: Some(our_actions(&texts, actions)?),
            difos: Some(difos.chunks_exact(4).filter_map(|word| u32_at(word, 0)).collect()),
            options: Some(self.our_options(&texts, options)?),
        })
    }

    fn our_ecbs(&mut self, texts: &Texts, entries: &[u8]) -> Result<Vec<(String, u32)>, ReadError> {
        let mut ecbs = Vec::new();
        for entry in entries.chunks_exact(8) {
            let target = texts.get(u32_at(entry, 0))?.unwrap_or_default();
            self.spend(target.len() + size_of::<(String, u32)>())?;
            ecbs.push((target.to_owned(), u32_at(entry, 4).unwrap_or_default()));
        }
        Ok(ecbs)
    }

    fn our_options(
        &mut self,
        texts: &Texts,
        entries: &[u8],
    ) -> Result<Vec<OptionSetting>, ReadError> {
        let mut options = Vec::new();
        for entry in entries.chunks_exact(8) {
            let name = texts.get(u32_at(entry, 0))?.unwrap_or_default();
            let value = texts.get(u32_at(entry, 4))?;
            self.spend(name.len() + value.map_or(0, str::len) + size_of::<OptionSetting>())?;
            let value = value.map(ToOwned::to_owned);
            options.push(OptionSetting { name: name.to_owned(), value });
        }
        Ok(options)
    }
}

/// The added section's texts.
struct Texts<'a> {
    section: Section<'a>,
    strings: &'a [u8],
}

impl<'a> Texts<'a> {
    fn get(&self, place: Option<u32>) -> Result<Option<&'a str>, ReadError> {
        match place {
            None | Some(NONE) => Ok(None),
            Some(at) => {
                let missing = self.section.bad(rule::TEXT);
                string_at(self.strings, at).map(Some).ok_or(missing)
            }
        }
    }
}

fn our_actions<'a>(
    texts: &Texts<'a>,
    entries: &[u8],
) -> Result<Vec<(Option<&'a str>, u64)>, ReadError> {
    let read = |entry: &[u8]| {
        let format = texts.get(u32_at(entry, 0))?;
        Ok((format, u64_at(entry, 8).unwrap_or_default()))
    };
    entries.chunks_exact(16).map(read).collect()
}

/// The part of a string table that is the DIFO's own.
fn own_part<'a>(
    header: &Section,
    strings: &'a [u8],
    own: Option<u32>,
) -> Result<&'a [u8], ReadError> {
    match own {
        None => Ok(strings),
        Some(len) => strings.get(..size(len)).ok_or(header.bad(rule::OWN_STRINGS)),
    }
}

fn dif_type(bytes: &[u8], at: usize) -> Option<DifType> {
    let [kind, ckind, flags, _] = piece(bytes, at)?;
    Some(DifType { kind, ckind, flags, size: u32_at(bytes, at.checked_add(4)?)? })
}

/// Checks the file's header; returns the section headers and the file without what is behind it.
fn check_header(bytes: &[u8]) -> Result<(&[u8], &[u8]), ReadError> {
    let header = bytes.get(..HEADER).ok_or(ReadError::NotDof)?;
    let ident: [u8; 16] = piece(header, 0).ok_or(ReadError::NotDof)?;
    let [m0, m1, m2, m3, _model, encoding, version, dif, registers, tuple, ..] = ident;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(ReadError::NotDof);
    }
    let within = |value: u8, max: usize| usize::from(value) <= max;
    let word = |at| u32_at(header, at).map(u64::from).unwrap_or_default();
    let long = |at| u64_at(header, at).unwrap_or_default();
    for (field, value, fine) in [
        ("byte order", u64::from(encoding), encoding == ENCODE_LSB),
        ("DOF version", u64::from(version), (1..=VERSION).contains(&version)),
        ("DIF version", u64::from(dif), (1..=DIF_VERSION).contains(&dif)),
        ("number of registers", u64::from(registers), within(registers, REGISTERS)),
        ("number of tuple registers", u64::from(tuple), within(tuple, TUPLE_REGISTERS)),
        ("flags", word(16), word(16) == 0),
        ("header size", word(20), word(20) == u64::from(HEADER_SIZE)),
        ("section header size", word(24), word(24) == u64::from(SECTION_SIZE)),
    ] {
        if !fine {
            return Err(ReadError::Unsupported { field, value });
        }
    }
    let whole = usize::try_from(long(48)).ok().and_then(|len| bytes.get(..len));
    let bytes = whole.ok_or(ReadError::NotDof)?;
    if long(40) > long(48) {
        return Err(ReadError::NotDof);
    }
    let start = usize::try_from(long(32)).ok();
    let len = usize::try_from(word(28)).ok().and_then(|n| n.checked_mul(SECTION));
    let end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
    let headers = start.zip(end).and_then(|(start, end)| bytes.get(start..end));
    Ok((headers.ok_or(ReadError::NotDof)?, bytes))
}

/// Checks one section's header and finds its data.
fn section<'a>(number: usize, header: &[u8], file: &'a [u8]) -> Result<Section<'a>, ReadError> {
    let word = |at| u32_at(header, at).unwrap_or_default();
    let long = |at| u64_at(header, at).and_then(|value| usize::try_from(value).ok());
    let (kind, align, flags) = (word(0), word(4), word(8));
    let loads = flags & LOAD != 0;
    if sect::is_loadable(kind) && !loads {
        return Err(bad(number, rule::NOT_FLAGGED));
    }
    if matches!(kind, sect::RELTAB | sect::URELHDR | sect::KRELHDR) {
        return Err(bad(number, rule::RELOCATIONS));
    }
    // Sections that say nothing here may be anything.
    if !loads && kind != SECT_HYPERTRACE {
        return Ok(Section { number, kind, loads, entry: 0, data: &[] });
    }
    let (offset, len) = (long(16), long(24));
    let end = offset.zip(len).and_then(|(offset, len)| offset.checked_add(len));
    let data = offset.zip(end).and_then(|(offset, end)| file.get(offset..end));
    let data = data.ok_or(bad(number, rule::OUTSIDE))?;
    if !align.is_power_of_two() || !offset.unwrap_or(0).is_multiple_of(size(align)) {
        return Err(bad(number, rule::UNALIGNED));
    }
    if kind == sect::STRTAB && data.last().is_some_and(|last| *last != 0) {
        return Err(bad(number, rule::UNTERMINATED));
    }
    Ok(Section { number, kind, loads, entry: size(word(12)), data })
}
