//! The kernel linker's work: a relocatable object becomes code at an address.
//!
//! As `link_elf_obj` of FreeBSD does it for amd64: allocated sections are laid out one behind the
//! other, `__start_`/`__stop_` of a linker set are its section's ends, every other undefined symbol
//! is the kernel's, a weak one may be missing, and relocations are those five that
//! `elf_reloc_internal` knows. Two things more are done here: an overflow is an error, and a symbol
//! of this process (far above 2 GiB) is reached through a jump beside the object.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use goblin::elf::header::{EM_X86_64, ET_REL};
use goblin::elf::reloc::{R_X86_64_32S, R_X86_64_64, R_X86_64_NONE, R_X86_64_PC32, R_X86_64_PLT32};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHN_ABS, SHN_COMMON, SHT_FINI_ARRAY, SHT_INIT_ARRAY, SHT_NOBITS,
    SHT_PROGBITS, SHT_SYMTAB,
};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, Sym};
use goblin::elf::{Elf, SectionHeader};

/// `SHT_X86_64_UNWIND`: unwind tables, which FreeBSD loads as it loads data.
const SHT_UNWIND: u32 = 0x7000_0001;

/// Bytes of a jump to a far function.
const STUB: u64 = 16;

/// An object, laid out at an address.
#[derive(Debug)]
pub struct Image {
    /// Where it begins.
    pub base: u64,
    /// Its bytes, relocated.
    pub bytes: Vec<u8>,
    /// Its symbols, by name: those that other objects may use.
    pub globals: BTreeMap<String, u64>,
    /// Its linker sets: first and last address, by the set's name without `set_`.
    pub sets: BTreeMap<String, (u64, u64)>,
    /// Its symbol table, addresses relocated, as `Elf64_Sym`s.
    pub symtab: Vec<u8>,
    /// The names of it.
    pub strtab: Vec<u8>,
    /// Its section of types, if it has one.
    pub ctf: Vec<u8>,
    /// Where its code lies.
    pub code: Vec<std::ops::Range<u64>>,
}

/// What a symbol that is undefined in an object stands for.
pub trait Kernel {
    /// Its address, if there is such a symbol.
    fn find(&self, name: &str) -> Option<u64>;
}

impl<F: Fn(&str) -> Option<u64>> Kernel for F {
    fn find(&self, name: &str) -> Option<u64> {
        self(name)
    }
}

/// An object being laid out.
struct Layout<'a> {
    elf: Elf<'a>,
    file: &'a [u8],
    /// Offset of each section in the image.
    at: BTreeMap<usize, u64>,
    end: u64,
}

/// Bytes that an object needs, jumps included.
///
/// # Errors
/// If it is no relocatable object for amd64.
pub fn size(file: &[u8]) -> Result<u64> {
    let layout = Layout::new(file)?;
    Ok(layout.end + layout.stubs())
}

/// Lays an object out at `base` and relocates it.
///
/// # Errors
/// If it is malformed, has a relocation that FreeBSD's kernel does not know, one that does not fit,
/// or symbols that nobody has: then all of them are named.
pub fn load(file: &[u8], base: u64, kernel: &dyn Kernel) -> Result<Image> {
    let layout = Layout::new(file)?;
    let sets = layout.sets(base);
    let mut bytes = layout.contents()?;
    let mut stubs = layout.end;
    bytes.resize(usize::try_from(layout.end + layout.stubs())?, 0);
    let mut far = |address: u64, bytes: &mut [u8]| -> Result<u64> {
        let stub = stubs;
        stubs += STUB;
        // movabs $address, %r11; jmp *%r11: the one register a call may lose and no argument is in.
        let jump = [&[0x49, 0xbb][..], &address.to_le_bytes(), &[0x41, 0xff, 0xe3]].concat();
        place(bytes, stub, &jump)?;
        Ok(base + stub)
    };
    let mut missing = Vec::new();
    let mut values = Vec::new();
    let used = layout.used()?;
    for (index, symbol) in layout.elf.syms.iter().enumerate() {
        let name = layout.name(&symbol);
        let value = match symbol.st_shndx {
            0 if !used.contains(&index) => Some(0),
            0 => match set_end(name, &sets).or_else(|| kernel.find(name)) {
                Some(address) if address >> 31 != 0 => Some(far(address, &mut bytes)?),
                None if symbol.st_bind() == STB_WEAK => Some(0),
                found => found,
            },
            section => layout.value(section, &symbol, base)?,
        };
        if value.is_none() {
            missing.push(name.to_owned());
        }
        values.push(value.unwrap_or(0));
    }
    ensure!(missing.is_empty(), "symbols that nobody has: {}", missing.join(" "));
    layout.relocate(base, &values, &mut bytes)?;
    layout.image(base, bytes, &values, sets)
}

/// The address that `__start_set_x` or `__stop_set_x` is.
fn set_end(name: &str, sets: &BTreeMap<String, (u64, u64)>) -> Option<u64> {
    if let Some(set) = name.strip_prefix("__start_set_") {
        return sets.get(set).map(|ends| ends.0);
    }
    sets.get(name.strip_prefix("__stop_set_")?).map(|ends| ends.1)
}

impl<'a> Layout<'a> {
    fn new(file: &'a [u8]) -> Result<Self> {
        let elf = Elf::parse(file).context("no ELF")?;
        ensure!(
            elf.header.e_type == ET_REL && elf.header.e_machine == EM_X86_64 && elf.is_64,
            "no relocatable object for amd64"
        );
        let mut at = BTreeMap::new();
        let mut end = 0_u64;
        for (index, section) in elf.section_headers.iter().enumerate() {
            if !loaded(section) {
                continue;
            }
            let align = section.sh_addralign.max(1);
            ensure!(align.is_power_of_two() && align <= 4096, "a section aligned to {align}");
            let start = end.checked_next_multiple_of(align).context("too many bytes")?;
            ensure!(section.sh_size < 64 << 20, "a section of {} bytes", section.sh_size);
            end = start + section.sh_size;
            at.insert(index, start);
        }
        let end = end.next_multiple_of(STUB);
        Ok(Self { elf, file, at, end })
    }

    /// Bytes for jumps to whatever is undefined.
    fn stubs(&self) -> u64 {
        self.elf.syms.iter().filter(|symbol| symbol.st_shndx == 0).count() as u64 * STUB
    }

    fn name(&self, symbol: &Sym) -> &str {
        self.elf.strtab.get_at(symbol.st_name).unwrap_or("?")
    }

    fn section_name(&self, section: &SectionHeader) -> &str {
        self.elf.shdr_strtab.get_at(section.sh_name).unwrap_or("?")
    }

    fn sections(&self) -> impl Iterator<Item = (&SectionHeader, u64)> {
        self.at.iter().filter_map(|(&index, &at)| Some((self.elf.section_headers.get(index)?, at)))
    }

    fn sets(&self, base: u64) -> BTreeMap<String, (u64, u64)> {
        self.sections()
            .filter_map(|(section, at)| {
                let name = self.section_name(section).strip_prefix("set_")?;
                Some((name.to_owned(), (base + at, base + at + section.sh_size)))
            })
            .collect()
    }

    /// A defined symbol's address; `None` for what does not exist in a kernel.
    fn value(&self, section: usize, symbol: &Sym, base: u64) -> Result<Option<u64>> {
        if section == usize::try_from(SHN_ABS)? {
            return Ok(Some(symbol.st_value));
        }
        if section == usize::try_from(SHN_COMMON)? {
            return Ok(None);
        }
        // Symbols of sections that are not loaded (debug information) are nobody's to use.
        Ok(Some(self.at.get(&section).map_or(0, |at| base + at + symbol.st_value)))
    }

    fn bytes_of(&self, section: &SectionHeader) -> Result<&'a [u8]> {
        section
            .file_range()
            .and_then(|range| self.file.get(range))
            .context("a section outside the file")
    }

    fn contents(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.end)?];
        for (section, at) in self.sections() {
            if section.sh_type != SHT_NOBITS {
                place(&mut bytes, at, self.bytes_of(section)?)?;
            }
        }
        Ok(bytes)
    }

    /// Symbols that loaded sections refer to: nobody looks for any other, as in the kernel.
    fn used(&self) -> Result<BTreeSet<usize>> {
        let mut used = BTreeSet::new();
        for (section, relocations) in &self.elf.shdr_relocs {
            let header = self.elf.section_headers.get(*section).context("no such section")?;
            if self.at.contains_key(&usize::try_from(header.sh_info)?) {
                used.extend(relocations.iter().map(|relocation| relocation.r_sym));
            }
        }
        Ok(used)
    }

    fn relocate(&self, base: u64, values: &[u64], bytes: &mut [u8]) -> Result<()> {
        for (section, relocations) in &self.elf.shdr_relocs {
            let header = self.elf.section_headers.get(*section).context("no such section")?;
            let Some(&at) = self.at.get(&usize::try_from(header.sh_info)?) else { continue };
            for relocation in relocations {
                let symbol = values.get(relocation.r_sym).context("no such symbol")?;
                let addend = relocation.r_addend.context("a relocation without addend")?;
                let value = symbol.wrapping_add_signed(addend);
                let offset = at.checked_add(relocation.r_offset).context("too far")?;
                let pc = base + offset;
                match relocation.r_type {
                    R_X86_64_NONE => {}
                    R_X86_64_64 => place(bytes, offset, &value.to_le_bytes())?,
                    R_X86_64_PC32 | R_X86_64_PLT32 => {
                        place(bytes, offset, &short(value.wrapping_sub(pc))?)?;
                    }
                    R_X86_64_32S => place(bytes, offset, &short(value)?)?,
                    other => bail!("FreeBSD's kernel does not know relocation {other}"),
                }
            }
        }
        Ok(())
    }

    fn image(
        &self,
        base: u64,
        bytes: Vec<u8>,
        values: &[u64],
        sets: BTreeMap<String, (u64, u64)>,
    ) -> Result<Image> {
        let defined = self.elf.syms.iter().zip(values).filter(|(symbol, _)| symbol.st_shndx != 0);
        let globals = defined
            .filter(|(symbol, _)| symbol.st_bind() != STB_LOCAL)
            .map(|(symbol, &value)| (self.name(&symbol).to_owned(), value))
            .collect();
        let table = self.elf.section_headers.iter().find(|section| section.sh_type == SHT_SYMTAB);
        let table = table.context("no symbol table")?;
        let mut symtab = self.bytes_of(table)?.to_vec();
        for (entry, value) in symtab.chunks_exact_mut(24).zip(values) {
            // st_value of an Elf64_Sym.
            place(entry, 8, &value.to_le_bytes())?;
        }
        let names = self.elf.section_headers.get(usize::try_from(table.sh_link)?);
        let strtab = self.bytes_of(names.context("no names")?)?.to_vec();
        let is_ctf = |section: &&SectionHeader| self.section_name(section) == ".SUNW_ctf";
        let ctf = self.elf.section_headers.iter().find(is_ctf);
        let ctf = ctf.map_or(Ok(&[][..]), |section| self.bytes_of(section))?.to_vec();
        let code = self.sections().filter(|(s, _)| s.sh_flags & u64::from(SHF_EXECINSTR) != 0);
        let code = code.map(|(s, at)| base + at..base + at + s.sh_size).collect();
        Ok(Image { base, bytes, globals, sets, symtab, strtab, ctf, code })
    }
}

/// Whether FreeBSD's kernel loads such a section.
fn loaded(section: &SectionHeader) -> bool {
    let types = [SHT_PROGBITS, SHT_NOBITS, SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_UNWIND];
    section.sh_flags & u64::from(SHF_ALLOC) != 0
        && section.sh_size > 0
        && types.contains(&section.sh_type)
}

/// An address or a distance as 32 bits with a sign.
fn short(value: u64) -> Result<[u8; 4]> {
    let short = i32::try_from(value.cast_signed());
    Ok(short.ok().with_context(|| format!("{value:#x} does not fit 32 bits"))?.to_le_bytes())
}

fn place(bytes: &mut [u8], at: u64, what: &[u8]) -> Result<()> {
    let at = usize::try_from(at)?;
    let end = at.checked_add(what.len()).context("too far")?;
    bytes.get_mut(at..end).context("outside the object")?.copy_from_slice(what);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    /// Compiles C as a kernel module is, with this machine's own compiler.
    fn object(name: &str, source: &str) -> Vec<u8> {
        let dir = std::env::temp_dir().join(format!("ht-kld-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let (from, to) = (dir.join("a.c"), dir.join("a.o"));
        fs::write(&from, source).expect("written");
        let flags = "-O2 -c -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -fno-common";
        let status =
            Command::new("gcc").args(flags.split(' ')).arg(&from).arg("-o").arg(&to).status();
        assert!(status.expect("gcc runs").success());
        let bytes = fs::read(&to).expect("an object");
        fs::remove_dir_all(&dir).expect("removed");
        bytes
    }

    const MODULE: &str = r#"
        extern int kernels(int);
        extern int optional(int) __attribute__((weak));
        static int here = 5;
        int *pointer = &here;
        static void *const one __attribute__((section("set_things"), used)) = &here;
        extern void *__start_set_things[], *__stop_set_things[];
        long things(void) { return __stop_set_things - __start_set_things; }
        int call(int n) { return kernels(n) + *pointer + (optional ? 1 : 0); }
    "#;

    /// Data, calls, sets and weak symbols are bound, and the code runs: at an address below 2 GiB,
    /// calling a function of this process, which lies above.
    #[test]
    fn an_object_runs_where_it_is_loaded() {
        extern "C" fn kernels(n: i32) -> i32 {
            n * 2
        }
        let file = object("runs", MODULE);
        let len = usize::try_from(size(&file).expect("an object")).expect("small");
        // SAFETY: memory of our own, below 2 GiB.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED);
        let address = (kernels as extern "C" fn(i32) -> i32 as usize) as u64;
        let kernel = |name: &str| (name == "kernels").then_some(address);
        let image = load(&file, at.addr() as u64, &kernel).expect("loads");
        assert!(image.bytes.len() <= len);
        // SAFETY: as long as the mapping at most, and nobody else's.
        unsafe {
            std::ptr::copy_nonoverlapping(image.bytes.as_ptr(), at.cast(), image.bytes.len())
        };
        let function = |name: &str| {
            let address = usize::try_from(*image.globals.get(name).expect("a global")).expect("64");
            std::ptr::with_exposed_provenance::<()>(address)
        };
        // SAFETY: that function of the object, of that type.
        let call: extern "C" fn(i32) -> i32 = unsafe { std::mem::transmute(function("call")) };
        // SAFETY: as above.
        let things: extern "C" fn() -> i64 = unsafe { std::mem::transmute(function("things")) };
        assert_eq!((call(21), things()), (47, 1));
        let set = image.sets.get("things").expect("a set");
        assert_eq!(set.1 - set.0, 8);
    }

    /// Whatever the kernel's linker would refuse is refused with a reason that names it.
    #[test]
    fn what_the_kernel_could_not_load_is_refused() {
        let why = |file: &[u8], base: u64| {
            load(file, base, &|_: &str| None).err().map(|error| format!("{error:#}"))
        };
        let file = object("missing", MODULE);
        assert_eq!(why(&file, 0x1000_0000).as_deref(), Some("symbols that nobody has: kernels"));
        let file = object("far", "int x = 1; int *at(void) { return &x; }");
        let far = why(&file, 0x9000_0000).expect("refused");
        assert!(far.contains("does not fit 32 bits"), "{far}");
        let file = object("common", "int x __attribute__((common));");
        assert_eq!(why(&file, 0x1000_0000).as_deref(), Some("symbols that nobody has: x"));
        assert!(why(b"\x7fELF", 0).expect("refused").contains("no ELF"));
        let program = fs::read("/proc/self/exe").expect("this program");
        assert!(why(&program, 0).expect("refused").contains("no relocatable object"));
    }

    /// An object cut short at any byte is refused or loaded, but never read beyond its end.
    #[test]
    fn an_object_cut_short_is_no_harm() {
        let file = object("short", MODULE);
        let kernel = |_: &str| Some(0x1234_u64);
        for end in (0..file.len()).step_by(7) {
            drop(load(file.get(..end).expect("shorter"), 0x1000_0000, &kernel));
        }
        assert!(load(&file, 0x1000_0000, &kernel).is_ok());
    }
}
