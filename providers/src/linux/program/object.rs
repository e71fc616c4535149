//! The objects that are mapped in a process, and what their ELF files say.

use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
};

use consumer::glob;
use goblin::elf::{
    Elf,
    program_header::{PF_X, PT_LOAD},
    sym::STT_FUNC,
};

/// Larger files are not read.
const LARGEST: u64 = 1 << 30;

/// A file with code that a process has mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    /// Its last name, which is the probes' module.
    pub(super) name: String,
    /// Where it is reached from here, whatever the process's root is.
    pub(super) path: PathBuf,
    /// It is the program itself.
    pub(super) is_program: bool,
}

/// The objects of a process, the program itself first; none if there is no such process, or it is
/// not ours to look at.
pub(super) fn mapped(pid: u32) -> Vec<Mapped> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let mut all: Vec<Mapped> = Vec::new();
    for (range, file) in executable(&maps) {
        let path = match file.strip_suffix(" (deleted)") {
            // The kernel keeps a way to it.
            Some(_) => PathBuf::from(format!("/proc/{pid}/map_files/{range}")),
            None => PathBuf::from(format!("/proc/{pid}/root{file}")),
        };
        let plain = file.trim_end_matches(" (deleted)");
        let name = plain.rsplit('/').next().unwrap_or(plain).to_owned();
        let known = all.iter().any(|one| one.name == name);
        if !known {
            all.push(Mapped { name, path, is_program: program.as_os_str() == file });
        }
    }
    all.sort_by_key(|one| !one.is_program);
    all
}

/// Address ranges and files of the executable mappings of `/proc/pid/maps`.
fn executable(maps: &str) -> impl Iterator<Item = (&str, &str)> {
    maps.lines().filter_map(|line| {
        let mut words = line.splitn(6, ' ');
        let range = words.next()?;
        let rights = words.next()?;
        let file = words.nth(3)?.trim_start();
        (rights.contains('x') && file.starts_with('/')).then_some((range, file))
    })
}

impl Mapped {
    /// Whether a description's module means it: its name, for the program `a.out` as well, for a
    /// library also its name without its version, or without `.so` and what follows.
    pub(super) fn is_called(&self, module: &str) -> bool {
        let rest = self.name.strip_prefix(module).unwrap_or_default();
        glob::matches(module, &self.name)
            || (self.is_program && module == "a.out")
            || (!module.is_empty() && rest.starts_with(".so"))
            || (module.ends_with(".so") && rest.starts_with('.'))
    }

    /// The file's bytes.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path).ok()?;
        let known = file.metadata().ok()?.len();
        (known <= LARGEST).then_some(())?;
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// A function of an object's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Function {
    pub(super) name: String,
    /// Where the object says that it lies.
    pub(super) address: u64,
    /// Bytes; 0 if it does not say.
    pub(super) size: u64,
}

/// An ELF file.
pub(super) struct Object<'a> {
    pub(super) elf: Elf<'a>,
    pub(super) bytes: &'a [u8],
}

impl<'a> Object<'a> {
    /// `None` if it is no ELF file of x86-64.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let elf = Elf::parse(bytes).ok()?;
        let ours = elf.is_64 && elf.header.e_machine == goblin::elf::header::EM_X86_64;
        ours.then_some(Self { elf, bytes })
    }

    /// Where in the file the bytes of an address lie; for code, only if they are executable.
    pub(super) fn offset(&self, address: u64, code: bool) -> Option<u64> {
        let mut loaded = self.elf.program_headers.iter().filter(|part| part.p_type == PT_LOAD);
        let part = loaded.find(|part| {
            let inside = address.checked_sub(part.p_vaddr).is_some_and(|at| at < part.p_memsz);
            inside && (!code || part.p_flags & PF_X != 0)
        })?;
        (address - part.p_vaddr).checked_add(part.p_offset)
    }

    /// All functions, each name and address once, in the order of names.
    pub(super) fn functions(&self) -> Vec<Function> {
        let tables = [(&self.elf.syms, &self.elf.strtab), (&self.elf.dynsyms, &self.elf.dynstrtab)];
        let mut all: Vec<Function> = Vec::new();
        for (symbols, names) in tables {
            let ours = symbols.iter().filter(|it| it.st_type() == STT_FUNC && it.st_shndx != 0);
            all.extend(ours.filter_map(|it| {
                // A symbol's version is no part of its name.
                let name = names.get_at(it.st_name)?.split('@').next()?;
                let known = !name.is_empty();
                known.then(|| Function {
                    name: name.into(),
                    address: it.st_value,
                    size: it.st_size,
                })
            }));
        }
        all.sort_unstable();
        all.dedup_by(|b, a| a.name == b.name && a.address == b.address);
        all
    }

    /// A function's machine code.
    pub(super) fn code(&self, function: &Function) -> Option<&'a [u8]> {
        let start = usize::try_from(self.offset(function.address, true)?).ok()?;
        let size = usize::try_from(function.size).ok()?;
        self.bytes.get(start..start.checked_add(size)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only mappings of files that can be executed count.
    #[test]
    fn executable_mappings_are_objects() {
        let maps = "55d0-55d1 r--p 00000000 fe:00 12 /usr/bin/cat
55d1-55d2 r-xp 00001000 fe:00 12                         /usr/bin/cat
7f00-7f01 r-xp 00000000 fe:00 13                         /usr/lib/a lib.so (deleted)
7f02-7f03 r-xp 00000000 00:00 0                          [vdso]
7f04-7f05 rwxp 00000000 00:00 0 
nonsense
";
        let found: Vec<_> = executable(maps).collect();
        let expected =
            [("55d1-55d2", "/usr/bin/cat"), ("7f00-7f01", "/usr/lib/a lib.so (deleted)")];
        assert_eq!(found, expected);
    }

    /// What is no ELF file, or one cut short anywhere, is none; never a panic.
    #[test]
    fn broken_files_have_nothing() {
        assert!(Object::parse(b"#!/bin/sh\n").is_none());
        let file = fs::read("/proc/self/exe").unwrap();
        for end in [0, 1, 63, 64, 100, 1000, 5000] {
            if let Some(object) = Object::parse(&file[..end]) {
                let functions = object.functions();
                assert!(functions.iter().all(|one| object.code(one).is_none()));
            }
        }
    }
}
