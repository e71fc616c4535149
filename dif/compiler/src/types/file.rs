//! Types out of a file that the user names: a kernel or a program with debugging information, or a
//! container by itself.
//!
//! | what is found | what is done |
//! | --- | --- |
//! | BTF or CTF by itself | taken |
//! | ELF with `.BTF` | taken |
//! | ELF with `.SUNW_ctf` | made into BTF, objects and functions named by the symbol table |
//! | ELF with `.debug_info` | made into BTF |
//!
//! The most compact is preferred. Sections may be compressed by zlib; relocations of an object file
//! for x86-64 are applied.

use std::{borrow::Cow, io::Read};

use flate2::read::ZlibDecoder;
use goblin::elf::{
    Elf, SectionHeader,
    header::{EM_X86_64, ET_REL},
    section_header::{SHF_COMPRESSED, SHN_ABS, SHN_UNDEF, SHT_NOBITS, SHT_RELA},
    sym::{STT_FUNC, STT_OBJECT},
};

use super::{
    btf::Btf,
    ctf::{Ctf, CtfError, CtfSymbol},
    dwarf::{self, DwarfError, DwarfSections},
};

/// The most bytes that a section may unpack to.
const MAX_SECTION: u64 = 2 << 30;

/// Why a file gives no types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeFileError {
    /// It is neither BTF nor CTF nor ELF.
    #[error("it is neither an ELF file nor BTF nor CTF")]
    Format,
    /// Its ELF structures are malformed.
    #[error("malformed ELF: {0}")]
    Elf(String),
    /// It is for another machine than x86-64.
    #[error("it is not for little-endian 64-bit x86")]
    Machine,
    /// It holds no types.
    #[error("it has no types: no .BTF, .SUNW_ctf or .debug_info section (strip(1) removes them)")]
    NoTypes,
    /// A compressed section cannot be unpacked.
    #[error(
        "section {0} is compressed in a way that is not supported (zlib is; `objcopy --decompress-debug-sections` helps)"
    )]
    Compression(&'static str),
    /// Its BTF cannot be read.
    #[error("its BTF cannot be read: {0}")]
    Btf(#[from] super::BtfError),
    /// Its CTF cannot be read.
    #[error("its CTF cannot be read: {0}")]
    Ctf(#[from] CtfError),
    /// Its DWARF cannot be read.
    #[error("{0}")]
    Dwarf(#[from] DwarfError),
}

/// The types of a file, as BTF that refers to no other container.
///
/// # Errors
/// [`TypeFileError`].
pub fn types_of_file(bytes: &[u8]) -> Result<Vec<u8>, TypeFileError> {
    match bytes {
        [0x9f, 0xeb, ..] => {
            Btf::parse(bytes, None)?;
            Ok(bytes.to_vec())
        }
        [0xf1, 0xcf, ..] => Ok(Ctf::parse(bytes)?.to_btf(None, &[])?),
        [0x7f, b'E', b'L', b'F', ..] => of_elf(bytes),
        _ => Err(TypeFileError::Format),
    }
}

fn of_elf(bytes: &[u8]) -> Result<Vec<u8>, TypeFileError> {
    let elf = Elf::parse(bytes).map_err(|error| TypeFileError::Elf(error.to_string()))?;
    if !(elf.is_64 && elf.little_endian && elf.header.e_machine == EM_X86_64) {
        return Err(TypeFileError::Machine);
    }
    let file = ElfFile { bytes, elf };
    if let Some(btf) = file.section(".BTF")? {
        Btf::parse(&*btf, None)?;
        return Ok(btf.into_owned());
    }
    if let Some(ctf) = file.section(".SUNW_ctf")? {
        return Ok(Ctf::parse(&ctf)?.to_btf(None, &file.ctf_symbols())?);
    }
    let Some(info) = file.section(".debug_info")? else { return Err(TypeFileError::NoTypes) };
    let or_empty = |name| Ok::<_, TypeFileError>(file.section(name)?.unwrap_or_default());
    let (abbrev, str) = (or_empty(".debug_abbrev")?, or_empty(".debug_str")?);
    let (line_str, offsets) = (or_empty(".debug_line_str")?, or_empty(".debug_str_offsets")?);
    Ok(dwarf::to_btf(&DwarfSections {
        info: &info,
        abbrev: &abbrev,
        str: &str,
        line_str: &line_str,
        str_offsets: &offsets,
    })?)
}

struct ElfFile<'a> {
    bytes: &'a [u8],
    elf: Elf<'a>,
}

impl<'a> ElfFile<'a> {
    /// A section's content, unpacked and relocated.
    fn section(&self, name: &'static str) -> Result<Option<Cow<'a, [u8]>>, TypeFileError> {
        let named = |header: &&SectionHeader| {
            self.elf.shdr_strtab.get_at(header.sh_name) == Some(name)
                && header.sh_type != SHT_NOBITS
        };
        let Some(header) = self.elf.section_headers.iter().find(named) else { return Ok(None) };
        let data = header.file_range().and_then(|range| self.bytes.get(range));
        let data = data.ok_or_else(|| TypeFileError::Elf(format!("{name} is cut short")))?;
        let mut data = if header.sh_flags & u64::from(SHF_COMPRESSED) == 0 {
            Cow::Borrowed(data)
        } else {
            Cow::Owned(unpack(data).ok_or(TypeFileError::Compression(name))?)
        };
        if self.elf.header.e_type == ET_REL {
            self.relocate(name, &mut data);
        }
        Ok(Some(data))
    }

    /// Applies a section's relocations: those that debugging information has. What they refer to
    /// is mostly the start of another section, that is 0.
    fn relocate(&self, name: &str, data: &mut Cow<'a, [u8]>) {
        for (index, relocations) in &self.elf.shdr_relocs {
            let header = self.elf.section_headers.get(*index);
            let target = header.filter(|header| header.sh_type == SHT_RELA).and_then(|header| {
                self.elf.section_headers.get(usize::try_from(header.sh_info).ok()?)
            });
            let is_ours = target
                .is_some_and(|target| self.elf.shdr_strtab.get_at(target.sh_name) == Some(name));
            for relocation in relocations.iter().filter(|_| is_ours) {
                // R_X86_64_64 and R_X86_64_32
                let length = match relocation.r_type {
                    1 => 8,
                    10 => 4,
                    _ => continue,
                };
                let symbol = self.elf.syms.get(relocation.r_sym).map_or(0, |sym| sym.st_value);
                let addend = relocation.r_addend.unwrap_or(0).cast_unsigned();
                let value = symbol.wrapping_add(addend).to_le_bytes();
                let place = usize::try_from(relocation.r_offset)
                    .ok()
                    .and_then(|at| data.to_mut().get_mut(at..at.checked_add(length)?));
                if let (Some(place), Some(value)) = (place, value.get(..length)) {
                    place.copy_from_slice(value);
                }
            }
        }
    }

    /// The symbols that CTF's sections of objects and functions count, in their order.
    fn ctf_symbols(&self) -> Vec<CtfSymbol> {
        let mut out = Vec::new();
        for sym in &self.elf.syms {
            let name = self.elf.strtab.get_at(sym.st_name).unwrap_or("");
            let shndx = u32::try_from(sym.st_shndx).unwrap_or(u32::MAX);
            let nowhere = shndx == SHN_UNDEF || (shndx == SHN_ABS && sym.st_value == 0);
            let kind = sym.st_type();
            let counted = matches!(kind, STT_FUNC | STT_OBJECT);
            if counted && !nowhere && !matches!(name, "" | "_START_" | "_END_") {
                out.push(CtfSymbol { name: name.to_owned(), is_function: kind == STT_FUNC });
            }
        }
        out
    }
}

/// Unpacks a section that starts with `Elf64_Chdr`, if zlib (1) packed it.
fn unpack(data: &[u8]) -> Option<Vec<u8>> {
    let (header, packed) = data.split_at_checked(24)?;
    let kind = u32::from_le_bytes(header.get(..4)?.try_into().ok()?);
    let size = u64::from_le_bytes(header.get(8..16)?.try_into().ok()?);
    if kind != 1 || size > MAX_SECTION {
        return None;
    }
    let mut out = Vec::new();
    ZlibDecoder::new(packed).take(size).read_to_end(&mut out).ok()?;
    (u64::try_from(out.len()) == Ok(size)).then_some(out)
}
