//! The writer.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use super::{
    ACT_DESC, DIF_TYPE, ECB_DESC, ENCODE_LSB, HEADER, HEADER_SIZE, LOAD, MAGIC, MAX_FILE,
    MODEL_LP64, NONE, OPT_DESC, PROBE_DESC, SECT_HYPERTRACE, SECTION, SECTION_SIZE, VARIABLE,
    VERSION, WriteError, option, sect,
};
use crate::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{act, difv},
    opcode::{DIF_VERSION, REGISTERS, TUPLE_REGISTERS},
    program::{Action, DifoIndex, EcbDesc, OptionSetting, Program},
};

/// Writes a program.
///
/// # Errors
/// See [`WriteError`].
pub fn write(program: &Program) -> Result<Vec<u8>, WriteError> {
    write_with(program, &[])
}

/// As [`write()`], with sections that only their writer knows: types and contents. They are not
/// loadable, so readers that do not know them pass over them.
///
/// # Errors
/// See [`WriteError`].
pub fn write_with(program: &Program, others: &[(u32, &[u8])]) -> Result<Vec<u8>, WriteError> {
    let mut file = File::default();
    let mut ours = Ours::default();
    let mut difos = Vec::with_capacity(program.difos.len());
    for (at, difo) in program.difos.iter().enumerate() {
        difos.push(file.difo(at, difo)?);
        ours.difo(difo)?;
    }
    let mut texts = Strings::with_empty();
    let mut ecbs = Vec::with_capacity(program.ecbs.len());
    // The text's section is written last, when all texts are known; its number is needed now.
    let strtab = file.reserve(sect::STRTAB)?;
    for (at, ecb) in program.ecbs.iter().enumerate() {
        let find = |index: DifoIndex| find_difo(&difos, at, index);
        ecbs.push(file.ecb(ecb, strtab, &mut texts, find)?);
        ours.ecb(ecb)?;
    }
    file.options(&program.options)?;
    for option in &program.options {
        ours.option(option)?;
    }
    file.fill(strtab, texts.bytes);
    file.finish(ours.finish()?, others)
}

fn find_difo(difos: &[u32], ecb: usize, index: DifoIndex) -> Result<u32, WriteError> {
    let at = usize::try_from(index.0).ok();
    let found = at.and_then(|at| difos.get(at)).copied();
    found.ok_or(WriteError::NoSuchDifo { ecb, difo: index.0 })
}

fn count(len: usize) -> Result<u32, WriteError> {
    u32::try_from(len).map_err(|_| WriteError::TooLarge)
}

fn long(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Little-endian fields in a row.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn dif_type(&mut self, ty: DifType) -> &mut Self {
        self.0.extend_from_slice(&[ty.kind, ty.ckind, ty.flags, 0]);
        self.u32(ty.size)
    }
}

/// A string table with every text in it once.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    places: BTreeMap<String, u32>,
}

impl Strings {
    /// One whose offset 0 is the empty string.
    fn with_empty() -> Self {
        Self { bytes: Vec::from([0]), places: BTreeMap::from([(String::new(), 0)]) }
    }

    fn place(&mut self, text: &str) -> Result<u32, WriteError> {
        if let Some(place) = self.places.get(text) {
            return Ok(*place);
        }
        if text.contains('\0') {
            return Err(WriteError::NulInText { text: text.to_owned() });
        }
        let place = count(self.bytes.len())?;
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self.places.insert(text.to_owned(), place);
        Ok(place)
    }

    fn place_or_none(&mut self, text: Option<&String>) -> Result<u32, WriteError> {
        text.map_or(Ok(NONE), |text| self.place(text))
    }
}

struct Section {
    kind: u32,
    align: usize,
    entry: usize,
    data: Vec<u8>,
}

#[derive(Default)]
struct File {
    sections: Vec<Section>,
    bytes: usize,
}

impl File {
    fn add(
        &mut self,
        kind: u32,
        align: usize,
        entry: usize,
        data: Vec<u8>,
    ) -> Result<u32, WriteError> {
        self.bytes += data.len() + SECTION;
        if self.bytes > MAX_FILE {
            return Err(WriteError::TooLarge);
        }
        self.sections.push(Section { kind, align, entry, data });
        count(self.sections.len() - 1)
    }

    /// A section whose data comes later.
    fn reserve(&mut self, kind: u32) -> Result<u32, WriteError> {
        self.add(kind, 1, 0, Vec::new())
    }

    fn fill(&mut self, number: u32, data: Vec<u8>) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(section) = self.sections.get_mut(at) {
            section.data = data;
        }
    }

    /// A DIFO's sections; returns the number of its `DIFOHDR`.
    fn difo(&mut self, at: usize, difo: &Difo) -> Result<u32, WriteError> {
        if difo.strings.last().is_some_and(|last| *last != 0) {
            return Err(WriteError::Unterminated { difo: at });
        }
        let mut links = Vec::with_capacity(4);
        let text = difo.text.iter().flat_map(|word| word.to_le_bytes()).collect();
        links.push(self.add(sect::DIF, 4, 4, text)?);
        if !difo.integers.is_empty() {
            let data = difo.integers.iter().flat_map(|word| word.to_le_bytes()).collect();
            links.push(self.add(sect::INTTAB, 8, 8, data)?);
        }
        let (strings, vars) = tables(difo)?;
        if !strings.is_empty() {
            links.push(self.add(sect::STRTAB, 1, 0, strings)?);
        }
        if !difo.vars.is_empty() {
            links.push(self.add(sect::VARTAB, 4, VARIABLE, vars)?);
        }
        let mut header = Fields(Vec::with_capacity(DIF_TYPE + 16));
        header.dif_type(difo.ret);
        for link in links {
            header.u32(link);
        }
        self.add(sect::DIFOHDR, 4, 0, header.0)
    }

    /// A clause's sections; returns the number of its `ECBDESC`.
    fn ecb(
        &mut self,
        ecb: &EcbDesc,
        strtab: u32,
        texts: &mut Strings,
        find: impl Fn(DifoIndex) -> Result<u32, WriteError>,
    ) -> Result<u32, WriteError> {
        let mut probe = Fields(Vec::with_capacity(PROBE_DESC));
        probe.u32(strtab);
        for field in [&ecb.probe.provider, &ecb.probe.module, &ecb.probe.function, &ecb.probe.name]
        {
            probe.u32(texts.place(field)?);
        }
        probe.u32(ecb.probe.id);
        let probe = self.add(sect::PROBEDESC, 4, 0, probe.0)?;
        let predicate = ecb.predicate.map_or(Ok(NONE), &find)?;
        let actions = if ecb.actions.is_empty() {
            NONE
        } else {
            let mut data = Fields(Vec::with_capacity(ecb.actions.len() * ACT_DESC));
            for action in &ecb.actions {
                let difo = action.difo.map_or(Ok(NONE), &find)?;
                self::action(&mut data, action, difo, strtab, texts)?;
            }
            self.add(sect::ACTDESC, 8, ACT_DESC, data.0)?
        };
        let mut data = Fields(Vec::with_capacity(ECB_DESC));
        data.u32(probe).u32(predicate).u32(actions).u32(0).u64(u64::from(ecb.clause));
        self.add(sect::ECBDESC, 8, 0, data.0)
    }

    /// Options in the kernel's form, those that have one.
    fn options(&mut self, options: &[OptionSetting]) -> Result<(), WriteError> {
        let mut data = Fields::default();
        for (number, value) in options.iter().filter_map(option::number) {
            data.u32(number).u32(NONE).u64(value);
        }
        if !data.0.is_empty() {
            self.add(sect::OPTDESC, 8, OPT_DESC, data.0)?;
        }
        Ok(())
    }

    /// Lays everything out: header, section headers, loadable data, then what is not.
    fn finish(mut self, ours: Vec<u8>, others: &[(u32, &[u8])]) -> Result<Vec<u8>, WriteError> {
        self.add(SECT_HYPERTRACE, 8, 0, ours)?;
        for (kind, bytes) in others {
            self.add(*kind, 8, 0, bytes.to_vec())?;
        }
        let mut at = HEADER + self.sections.len() * SECTION;
        let mut loadable = at;
        let mut headers = Fields::default();
        for section in &self.sections {
            at = at.next_multiple_of(section.align);
            let flags = if sect::is_loadable(section.kind) { LOAD } else { 0 };
            headers.u32(section.kind).u32(count(section.align)?).u32(flags);
            headers.u32(count(section.entry)?).u64(long(at)).u64(long(section.data.len()));
            at += section.data.len();
            if flags == LOAD {
                loadable = at; // ours is last, so loadable data is one piece
            }
        }
        if at > MAX_FILE {
            return Err(WriteError::TooLarge);
        }
        let mut out = header(count(self.sections.len())?, long(loadable), long(at)).0;
        out.reserve_exact(at - HEADER);
        out.extend_from_slice(&headers.0);
        for section in &self.sections {
            out.resize(out.len().next_multiple_of(section.align), 0);
            out.extend_from_slice(&section.data);
        }
        Ok(out)
    }
}

fn header(sections: u32, loadable: u64, whole: u64) -> Fields {
    let [r, ..] = long(REGISTERS).to_le_bytes();
    let [t, ..] = long(TUPLE_REGISTERS).to_le_bytes();
    let mut out = Fields(MAGIC.to_vec());
    out.0.extend_from_slice(&[MODEL_LP64, ENCODE_LSB, VERSION, DIF_VERSION, r, t]);
    out.0.extend_from_slice(&[0; 6]);
    out.u32(0).u32(HEADER_SIZE).u32(SECTION_SIZE).u32(sections);
    out.u64(u64::from(HEADER_SIZE)).u64(loadable).u64(whole).u64(0);
    out
}

/// A DIFO's string table, with its variables' names behind its own strings, and the variable
/// table that refers to them.
fn tables(difo: &Difo) -> Result<(Vec<u8>, Vec<u8>), WriteError> {
    let mut strings = Strings { bytes: difo.strings.clone(), places: BTreeMap::new() };
    let mut vars = Fields(Vec::with_capacity(difo.vars.len() * VARIABLE));
    for entry in &difo.vars {
        let name = strings.place(&entry.name)?;
        variable(&mut vars, entry, name);
    }
    Ok((strings.bytes, vars.0))
}

fn variable(out: &mut Fields, entry: &DifVar, name: u32) {
    let kind = if entry.is_array { difv::KIND_ARRAY } else { difv::KIND_SCALAR };
    let scope = match entry.scope {
        Scope::Global => difv::SCOPE_GLOBAL,
        Scope::Thread => difv::SCOPE_THREAD,
        Scope::Local => difv::SCOPE_LOCAL,
    };
    let read = if entry.is_read { difv::F_REF } else { 0 };
    let written = if entry.is_written { difv::F_MOD } else { 0 };
    out.u32(name).u32(entry.id);
    out.0.extend_from_slice(&[kind, scope]);
    out.0.extend_from_slice(&(read | written).to_le_bytes());
    out.dif_type(entry.ty);
}

/// An action. Where the kind has a format, DOF puts the format's place where others have their
/// argument; the argument itself stands in the added section.
fn action(
    out: &mut Fields,
    action: &Action,
    difo: u32,
    strtab: u32,
    texts: &mut Strings,
) -> Result<(), WriteError> {
    let (table, arg) = match &action.format {
        Some(format) if act::is_printf_like(action.kind) => {
            (strtab, u64::from(texts.place(format)?))
        }
        _ => (NONE, action.arg),
    };
    out.u32(difo).u32(table).u32(u32::from(action.kind)).u32(action.ntuple);
    out.u64(arg).u64(action.uarg);
    Ok(())
}

/// The added section in the making.
#[derive(Default)]
struct Ours {
    ecbs: Fields,
    actions: Fields,
    difos: Fields,
    options: Fields,
    strings: Strings,
}

impl Ours {
    fn difo(&mut self, difo: &Difo) -> Result<(), WriteError> {
        self.difos.u32(count(difo.strings.len())?);
        Ok(())
    }

    fn ecb(&mut self, ecb: &EcbDesc) -> Result<(), WriteError> {
        let target = self.strings.place(&ecb.probe.target)?;
        self.ecbs.u32(target).u32(ecb.clause);
        for action in &ecb.actions {
            let format = self.strings.place_or_none(action.format.as_ref())?;
            self.actions.u32(format).u32(0).u64(action.arg);
        }
        Ok(())
    }

    fn option(&mut self, option: &OptionSetting) -> Result<(), WriteError> {
        let name = self.strings.place(&option.name)?;
        let value = self.strings.place_or_none(option.value.as_ref())?;
        self.options.u32(name).u32(value);
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, WriteError> {
        let Self { ecbs, actions, difos, options, strings } = self;
        let mut out = Fields::default();
        out.u32(1);
        out.u32(count(ecbs.0.len() / 8)?).u32(count(actions.0.len() / 16)?);
        out.u32(count(difos.0.len() / 4)?).u32(count(options.0.len() / 8)?);
        out.u32(count(strings.bytes.len())?);
        for part in [ecbs.0, actions.0, difos.0, options.0, strings.bytes] {
            out.0.extend_from_slice(&part);
        }
        Ok(out.0)
    }
}
