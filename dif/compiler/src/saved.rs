//! Programs saved in files: an ELF object with one section, `.SUNW_dof`.
//!
//! ```text
//!  ELF object ── .SUNW_dof ── DOF ─┬─ the program, as any reader of DOF knows it
//!                                  ├─ targets, clauses, options      (dif::dof::SECT_HYPERTRACE)
//!                                  └─ how to print, what to link     (dif::dof::SECT_LINK)
//! ```
//! The numbers in the program are those of the kernel it was compiled for, so whoever knows DOF
//! and no links has a program for that kernel. [`Saved::link`] makes one for another.
//!
//! A file is foreign: it is checked when it is read, and its program is verified by whoever loads
//! it, as every program is.

use std::collections::HashMap;

use dif::{
    difo::DifType,
    dof::{self, SECT_LINK},
    env::Scope,
    program::{EcbIndex, ProbeDesc, Program},
};
use object::{
    Architecture, BinaryFormat, Endianness, SectionFlags, SectionKind,
    write::{Object, StreamingBuffer},
};
use serde::{Deserialize, Serialize};

use crate::{
    compiled::{Aggregation, Compiled, KeyInfo, Statement, Variable},
    link::{LinkError, Linker, Needs},
    world::{ArgTypes, Os, World},
};

#[cfg(test)]
mod tests;

/// The form of [`SECT_LINK`]'s content that is written and read.
const VERSION: u32 = 1;

/// `SHT_SUNW_dof`
const SHT_SUNW_DOF: u32 = 0x6fff_fff4;
/// The section's name.
const SECTION: &str = ".SUNW_dof";

/// A program that can be saved, or was.
#[derive(Debug)]
pub struct Saved {
    /// The system whose library it was compiled with.
    pub os: Os,
    /// Probe descriptions have a target.
    pub with_target: bool,
    /// All probe descriptions, in script order.
    pub descriptions: Vec<ProbeDesc>,
    /// The program.
    pub compiled: Compiled,
}

/// Why a file cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It is no ELF object with DOF.
    #[error("it is no saved program: {0}")]
    NotSaved(String),
    /// Its DOF is wrong.
    #[error(transparent)]
    Read(#[from] dof::ReadError),
    /// The DOF has no part for linking and printing: another program made it.
    #[error("it was not saved by -e -o: what a consumer needs to print is missing")]
    NotOurs,
    /// A version that is not known.
    #[error("it was saved by another version (form {0}, known: {VERSION})")]
    Version(u32),
    /// What it says does not fit together.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot be written.
    #[error("it cannot be written: {0}")]
    Write(String),
}

/// [`SECT_LINK`]'s content.
#[derive(Serialize, Deserialize)]
struct Body {
    freebsd: bool,
    with_target: bool,
    /// Target, provider, module, function, name; number.
    descriptions: Vec<([String; 5], u32)>,
    /// Each ECB's description.
    ecbs: Vec<u32>,
    statements: Vec<Statement>,
    aggregations: Vec<Aggregation>,
    variables: Vec<SavedVariable>,
    needs: Needs,
}

#[derive(Serialize, Deserialize)]
struct SavedVariable {
    name: String,
    id: u16,
    scope: u8,
    is_array: bool,
    ty: ([u8; 3], u32),
    keys: Vec<KeyInfo>,
}

impl SavedVariable {
    fn new(variable: &Variable) -> Self {
        let Variable { name, id, scope, is_array, ty, keys } = variable.clone();
        let scope = match scope {
            Scope::Global => 0,
            Scope::Thread => 1,
            Scope::Local => 2,
        };
        let ty = ([ty.kind, ty.ckind, ty.flags], ty.size);
        Self { name, id, scope, is_array, ty, keys }
    }

    fn variable(self) -> Result<Variable, SavedError> {
        let Self { name, id, scope, is_array, ty: ([kind, ckind, flags], size), keys } = self;
        let scope = match scope {
            0 => Scope::Global,
            1 => Scope::Thread,
            2 => Scope::Local,
            _ => return Err(SavedError::Damaged("a variable has an unknown scope")),
        };
        Ok(Variable { name, id, scope, is_array, ty: DifType { kind, ckind, flags, size }, keys })
    }
}

impl Saved {
    /// The ELF object.
    ///
    /// # Errors
    /// [`SavedError::Write`].
    pub fn write(&self) -> Result<Vec<u8>, SavedError> {
        let fail = |error: String| SavedError::Write(error);
        let body = self.body()?;
        let mut link = VERSION.to_le_bytes().to_vec();
        link.extend(postcard::to_stdvec(&body).map_err(|error| fail(error.to_string()))?);
        let dof = dof::write_with(&self.compiled.program, &[(SECT_LINK, &link)]);
        let dof = dof.map_err(|error| fail(error.to_string()))?;
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let section =
            object.add_section(Vec::new(), SECTION.into(), SectionKind::Elf(SHT_SUNW_DOF));
        object.section_mut(section).flags =
            SectionFlags::Elf { sh_flags: u64::from(object::elf::SHF_ALLOC) };
        object.append_section_data(section, &dof, 8);
        let mut out = Vec::new();
        let mut buffer = StreamingBuffer::new(&mut out);
        object.emit(&mut buffer).map_err(|error| fail(error.to_string()))?;
        buffer.result().map_err(|error| fail(error.to_string()))?;
        Ok(out)
    }

    fn body(&self) -> Result<Body, SavedError> {
        let text = |desc: &ProbeDesc| {
            let ProbeDesc { target, provider, module, function, name, id } = desc.clone();
            ([target, provider, module, function, name], id)
        };
        let number = |(number, _): &(usize, ProbeDesc)| u32::try_from(*number);
        let ecbs: Result<Vec<u32>, _> = self.compiled.descriptions.iter().map(number).collect();
        Ok(Body {
            freebsd: self.os == Os::FreeBsd,
            with_target: self.with_target,
            descriptions: self.descriptions.iter().map(text).collect(),
            ecbs: ecbs.map_err(|error| SavedError::Write(error.to_string()))?,
            statements: self.compiled.statements.clone(),
            aggregations: self.compiled.aggregations.clone(),
            variables: self.compiled.variables.iter().map(SavedVariable::new).collect(),
            needs: self.compiled.needs.clone(),
        })
    }

    /// Reads an ELF object.
    ///
    /// # Errors
    /// [`SavedError`], the first thing that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, SavedError> {
        let dof = elf_section(bytes)?;
        let program = dof::read(dof)?;
        let link = dof::other_section(dof, SECT_LINK)?.ok_or(SavedError::NotOurs)?;
        let (version, body) = link.split_first_chunk::<4>().ok_or(SavedError::NotOurs)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(SavedError::Version(version));
        }
        let body: Body = postcard::from_bytes(body)
            .map_err(|_| SavedError::Damaged("the part for linking cannot be read"))?;
        check(&program, &body)?;
        let descriptions: Vec<ProbeDesc> = body
            .descriptions
            .into_iter()
            .map(|([target, provider, module, function, name], id)| ProbeDesc {
                target,
                provider,
                module,
                function,
                name,
                id,
            })
            .collect();
        let of_ecb = |number: &u32| {
            let number = *number as usize;
            Some((number, descriptions.get(number)?.clone()))
        };
        let of_ecbs: Option<Vec<_>> = body.ecbs.iter().map(of_ecb).collect();
        let variables = body.variables.into_iter().map(SavedVariable::variable);
        let compiled = Compiled {
            program,
            descriptions: of_ecbs
                .ok_or(SavedError::Damaged("a clause has no probe description"))?,
            statements: body.statements,
            aggregations: body.aggregations,
            variables: variables.collect::<Result<_, _>>()?,
            stability: Vec::new(),
            needs: body.needs,
        };
        let os = if body.freebsd { Os::FreeBsd } else { Os::Linux };
        Ok(Self { os, with_target: body.with_target, descriptions, compiled })
    }

    /// The program for another world: clauses that match nothing there are left out, the others'
    /// numbers put right.
    ///
    /// # Errors
    /// [`LinkError`], the first thing that is not there or is too different.
    pub fn link(&self, world: &dyn World) -> Result<Compiled, LinkError> {
        let compiled = &self.compiled;
        let kept: Vec<usize> = compiled
            .descriptions
            .iter()
            .enumerate()
            .filter(|(_, (_, desc))| world.matches(desc) > 0)
            .map(|(ecb, _)| ecb)
            .collect();
        let places: HashMap<usize, usize> = kept.iter().copied().zip(0..).collect();
        let mut program = Program {
            difos: compiled.program.difos.clone(),
            ecbs: kept.iter().filter_map(|ecb| compiled.program.ecbs.get(*ecb).cloned()).collect(),
            options: compiled.program.options.clone(),
        };
        self.put_right(&mut program, &places, world)?;
        let renumber = |statement: &Statement| {
            let place = *places.get(&(statement.ecb.0 as usize))?;
            let ecb = EcbIndex(u32::try_from(place).ok()?);
            Some(Statement { ecb, ..statement.clone() })
        };
        Ok(Compiled {
            program,
            descriptions: kept
                .iter()
                .filter_map(|ecb| compiled.descriptions.get(*ecb).cloned())
                .collect(),
            statements: compiled.statements.iter().filter_map(renumber).collect(),
            aggregations: compiled.aggregations.clone(),
            variables: compiled.variables.clone(),
            stability: compiled.stability.clone(),
            needs: compiled.needs.clone(),
        })
    }

    /// The program with another kernel's numbers, every clause kept.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn relink(mut self, world: &dyn World) -> Result<Self, LinkError> {
        let every = (0..self.compiled.program.ecbs.len()).map(|ecb| (ecb, ecb)).collect();
        let mut program = std::mem::take(&mut self.compiled.program);
        self.put_right(&mut program, &every, world)?;
        self.compiled.program = program;
        Ok(self)
    }

    /// Checks what must be as it was and puts in the numbers of a world, as far as the ECBs in
    /// `places` need them.
    fn put_right(
        &self,
        program: &mut Program,
        places: &HashMap<usize, usize>,
        world: &dyn World,
    ) -> Result<(), LinkError> {
        let Needs { wanted, relocations, checks } = &self.compiled.needs;
        let used = used_difos(program);
        if checks.is_empty() && relocations.is_empty() || places.is_empty() {
            return Ok(());
        }
        let mut linker = Linker::new(world);
        for (ecb, check) in checks {
            let ecb = ecb.map(|ecb| ecb as usize);
            if ecb.is_some_and(|ecb| !places.contains_key(&ecb)) {
                continue;
            }
            let desc = ecb.and_then(|ecb| self.compiled.descriptions.get(ecb));
            let arguments = || desc.map_or(ArgTypes::Untyped, |(_, desc)| world.arg_types(desc));
            linker.check(check, arguments)?;
        }
        for relocation in relocations.iter().filter(|r| used.contains(&r.difo)) {
            let difo = program.difos.get_mut(relocation.difo as usize);
            let place = difo.and_then(|difo| difo.integers.get_mut(relocation.integer as usize));
            if let (Some(place), Some(wanted)) = (place, wanted.get(relocation.wanted as usize)) {
                *place = linker.value(wanted)?;
            }
        }
        Ok(())
    }
}

fn used_difos(program: &Program) -> std::collections::HashSet<u32> {
    let of_ecb = |ecb: &dif::program::EcbDesc| {
        let actions = ecb.actions.iter().filter_map(|action| action.difo);
        ecb.predicate.into_iter().chain(actions).map(|difo| difo.0).collect::<Vec<_>>()
    };
    program.ecbs.iter().flat_map(of_ecb).collect()
}

/// The DOF in an ELF object.
fn elf_section(bytes: &[u8]) -> Result<&[u8], SavedError> {
    let not = |why: &str| SavedError::NotSaved(why.to_owned());
    let elf = goblin::elf::Elf::parse(bytes).map_err(|error| not(&error.to_string()))?;
    let is_dof = |header: &&goblin::elf::SectionHeader| {
        elf.shdr_strtab.get_at(header.sh_name) == Some(SECTION)
    };
    let header = elf.section_headers.iter().find(is_dof);
    let header = header.ok_or_else(|| not("it has no section .SUNW_dof"))?;
    let range = header.file_range().ok_or_else(|| not("its section .SUNW_dof is empty"))?;
    bytes.get(range).ok_or_else(|| not("its section .SUNW_dof is cut short"))
}

/// Whether what the body says of the program is so: a reader follows these numbers.
fn check(program: &Program, body: &Body) -> Result<(), SavedError> {
    let damaged = |what| Err(SavedError::Damaged(what));
    if body.ecbs.len() != program.ecbs.len() {
        return damaged("there are more clauses than descriptions, or fewer");
    }
    if !body.statements.is_sorted_by_key(|statement| statement.ecb) {
        return damaged("its statements are not in order");
    }
    for statement in &body.statements {
        let Some(ecb) = program.ecbs.get(statement.ecb.0 as usize) else {
            return damaged("a statement has no clause");
        };
        let end = statement.first_action.checked_add(statement.nactions);
        let known = |action: usize| action < ecb.actions.len();
        if end.is_none_or(|end| end > ecb.actions.len())
            || !statement.args.iter().all(|arg| known(arg.action))
        {
            return damaged("a statement has actions that its clause does not have");
        }
    }
    for relocation in &body.needs.relocations {
        let difo = program.difos.get(relocation.difo as usize);
        let there = difo.is_some_and(|difo| (relocation.integer as usize) < difo.integers.len());
        if !there || relocation.wanted as usize >= body.needs.wanted.len() {
            return damaged("a relocation is for a number that is not there");
        }
    }
    Ok(())
}
