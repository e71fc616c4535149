//! Memory of a guest in a guest, read from the host through both dimensions of page tables.
//!
//! L1 is a real guest with kvm-amd under QEMU's emulation of AMD's nested paging; in it
//! `tests/guests/l2.c` makes L2 with page tables and data of its own. The host knows L1's RAM only:
//! L2's virtual addresses go through L2's tables to L2 physical addresses, through the nested
//! tables that KVM in L1 made to L1 physical addresses, and there lies the data.
#![forbid(unsafe_code)]

mod script;

use std::collections::HashMap;
use std::fs;
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use npt::{
    Access, AddressSpace, Cr3, Dimension, GuestPaging, Gva, NestedCache, NestedCr3, Npt, NptMode,
    PageSize, PhysWidth, Rights,
};
use shim::memory::GuestRam;
use vm_memory::{FileOffset, GuestAddress, GuestRegionMmap};
use xtask::paths;
use xtask::vm::guest::{Guest, GuestConfig};
use xtask::vm::image::Image;

const MEMORY: u32 = 256;
const WORDS: u64 = 512;

/// What `l2` prints.
struct Known {
    cr3: u64,
    base: u64,
    pages: u64,
    large: u64,
    generation: u64,
    text: u64,
    moved: u64,
    root: u64,
    level: u64,
}

impl Known {
    fn parse(text: &str) -> Result<Self> {
        let values: HashMap<&str, &str> =
            text.lines().filter_map(|line| line.trim().split_once('=')).collect();
        let value = |key: &str| -> Result<u64> {
            let text = values.get(key).with_context(|| format!("l2 did not say {key}: {text}"))?;
            Ok(match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16)?,
                None => text.parse()?,
            })
        };
        Ok(Self {
            cr3: value("cr3")?,
            base: value("base")?,
            pages: value("pages")?,
            large: value("large")?,
            generation: value("generation")?,
            text: value("text")?,
            moved: value("moved")?,
            root: value("root")?,
            level: value("level")?,
        })
    }

    fn second(&self) -> Result<Npt> {
        let mode = match self.level {
            4 => NptMode::Level4,
            5 => NptMode::Level5,
            other => bail!("nested tables of {other} levels"),
        };
        Ok(Npt::new(NestedCr3(self.root), mode, PhysWidth::new(40).context("a width")?))
    }

    fn paging(&self) -> GuestPaging {
        GuestPaging::level4(Cr3(self.cr3))
    }

    /// The generation in which a page was last moved: one page after the other is.
    fn generation_of(&self, page: u64) -> u64 {
        let Some(ago) = self.generation.checked_sub(page + 1) else { return 0 };
        page + 1 + ago / self.pages * self.pages
    }
}

/// Boots L1, with its RAM in a file that the host can map.
fn boot() -> Result<(Guest, GuestRam)> {
    let image = Image::build()?;
    let memory = format!("memory-backend-memfd,id=ram,size={MEMORY}M,share=on");
    let arguments = ["-object", &memory, "-machine", "memory-backend=ram"];
    let config = GuestConfig {
        memory: MEMORY,
        module: false,
        workload: false,
        plugin: false,
        // Two levels of paging under QEMU's emulation are tried with four levels each.
        cpu: "max,+svm,+npt,-la57".to_owned(),
        arguments: arguments.map(str::to_owned).to_vec(),
        run_dir: paths::vm().join("nested"),
        ..GuestConfig::new("vm-outer")
    };
    let mut guest = Guest::boot(&image, config)?;
    let ram = ram_of(guest.pid())?;
    load_kvm(&mut guest)?;
    Ok((guest, ram))
}

/// Makes a hypervisor of a guest.
fn load_kvm(guest: &mut Guest) -> Result<()> {
    for module in ["irqbypass", "kvm", "kvm-amd"] {
        let loaded = format!("grep -q '^{} ' /proc/modules", module.replace('-', "_"));
        guest.run(&format!("{loaded} || insmod /lib/modules/{module}.ko"))?;
    }
    Ok(())
}

/// Maps the RAM of a QEMU process: all of it lies below the PCI hole, so offsets are addresses.
fn ram_of(pid: u32) -> Result<GuestRam> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let path = entry?.path();
        let Ok(target) = fs::read_link(&path) else { continue };
        if !target.to_string_lossy().contains("memfd:memory-backend-memfd") {
            continue;
        }
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        let len = usize::try_from(MEMORY)? << 20;
        let file = FileOffset::new(file, 0);
        let region = GuestRegionMmap::from_range(GuestAddress(0), len, Some(file))?;
        return Ok(GuestRam::new(vec![region])?);
    }
    bail!("QEMU has no memfd for its guest's RAM")
}

/// Every word of every page is what L2's maker wrote there.
fn check_all(known: &Known, ram: &GuestRam) -> Result<()> {
    let space = AddressSpace::new(ram, known.paging(), known.second()?);
    let mut bytes = vec![0; usize::try_from(known.pages * WORDS * 8)?];
    space.read(Gva(known.base), &mut bytes)?;
    for (index, word) in (0..).zip(bytes.chunks_exact(8)) {
        let (page, k) = (index / WORDS, index % WORDS);
        let expected = page << 48 | known.generation_of(page) << 16 | k;
        let got = u64::from_le_bytes(word.try_into()?);
        ensure!(got == expected, "page {page} word {k}: {got:#x}, not {expected:#x}");
    }
    let mut large = vec![0; 2 << 20];
    space.read(Gva(known.large), &mut large)?;
    for (k, word) in (0_u64..).zip(large.chunks_exact(8)) {
        let got = u64::from_le_bytes(word.try_into()?);
        ensure!(got == 0xb16 << 48 | k, "large page, word {k}: {got:#x}");
    }
    Ok(())
}

/// Pages, sizes, rights and failures are L2's and KVM's.
fn check_shapes(known: &Known, ram: &GuestRam) -> Result<()> {
    let space = AddressSpace::new(ram, known.paging(), known.second()?);
    let small = space.translate(Gva(known.base), Access::Write)?;
    ensure!(small.guest_page == Some(PageSize::Kib4), "{small:?}");
    ensure!(small.nested_page == Some(PageSize::Kib4), "{small:?}");
    ensure!(small.rights.contains(Rights::READ | Rights::WRITE), "{small:?}");
    let large = space.translate(Gva(known.large), Access::Read)?;
    ensure!(large.guest_page == Some(PageSize::Mib2), "{large:?}");
    let user = space.as_user().translate(Gva(known.base), Access::Read);
    ensure!(user.is_err(), "L2's pages are its supervisor's: {user:?}");
    let hole = space.translate(Gva(known.base + (4 << 30)), Access::Read).err();
    let hole = hole.context("nothing is mapped there")?;
    ensure!(hole.dimension == Dimension::Guest && hole.level == 3, "{hole}");
    Ok(())
}

/// Reads single words while L1 moves the pages, walked and cached: each word belongs to its page and
/// is never older than one that was read before.
fn check_moving(
    known: &Known,
    ram: &GuestRam,
    churn: impl FnOnce() -> Result<String> + Send,
) -> Result<Known> {
    let space = AddressSpace::new(ram, known.paging(), known.second()?);
    let cache = NestedCache::new();
    let cached = space.with_cache(&cache);
    thread::scope(|scope| {
        let guest = scope.spawn(churn);
        let mut newest = vec![0; usize::try_from(known.pages)?];
        let (mut reads, mut missed, mut seen) = (0_u64, 0_u64, 0_u64);
        while !guest.is_finished() {
            for (page, newest) in (0..).zip(newest.iter_mut()) {
                cache.begin_fire();
                let at = Gva(known.base + page * 4096 + reads % WORDS * 8);
                let word =
                    if reads.is_multiple_of(2) { space.read_u64(at) } else { cached.read_u64(at) };
                reads += 1;
                // L1's kernel may take a nested entry away for a moment, by itself.
                let Ok(word) = word else {
                    missed += 1;
                    continue;
                };
                let (owner, generation, k) = (word >> 48, word >> 16 & 0xffff_ffff, word % WORDS);
                ensure!(owner == page && k == (at.0 / 8) % WORDS, "{at}: {word:#x}");
                ensure!(generation >= *newest, "{at}: {generation} after {newest}");
                seen += u64::from(generation > *newest);
                *newest = generation;
            }
        }
        eprintln!("{reads} reads, {missed} while a page was away, {seen} moves seen");
        ensure!(seen > 0, "no page was seen to move");
        ensure!(missed < reads / 10, "{missed} of {reads} reads found no page");
        let text = guest.join().map_err(|_| anyhow::anyhow!("the thread panicked"))??;
        Known::parse(&text)
    })
}

#[test]
fn a_guest_in_a_guest_is_read_through_both_dimensions() -> Result<()> {
    let (mut guest, ram) = boot()?;
    let known = Known::parse(&guest.run("l2 start")?)?;
    check_all(&known, &ram)?;
    check_shapes(&known, &ram)?;
    let known = check_moving(&known, &ram, || guest.run("l2 churn 20000"))?;
    ensure!(known.generation == 20_000);
    check_all(&known, &ram)?;
    guest.run("l2 stop")?;
    Ok(())
}
