//! One machine, three walkers: what the benchmarks compare.
//!
//! The machine has 64 MiB of 4 KiB pages at a kernel-like virtual address, guest tables, and two
//! EPTs that map all of it, one by 4 KiB entries and one by 2 MiB entries. Everyone walks the same
//! bytes, and [`Machine::new`] makes sure that everyone arrives at the same place.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use memflow::architecture::x86::x64;
use memflow::prelude::v1::{
    Address, CachedVirtualTranslate, DirectTranslate, MappedPhysicalMemory, MemoryMap,
    VirtualTranslate2,
};
use npt::{
    Access, AddressSpace, Cr3, Direct, Ept, Eptp, GuestCache, GuestPaging, Gva, Hpa, NestedCache,
    PhysWidth, Words,
};

const DATA: u64 = 64 << 20;
const GUEST_TABLES: u64 = DATA;
const SMALL_EPT: u64 = DATA + (1 << 20);
const LARGE_EPT: u64 = DATA + (2 << 20);
const END: u64 = DATA + (4 << 20);
const BASE: u64 = 0xffff_8880_0000_0000;
/// How many addresses a case goes through, again and again; a power of two.
const ADDRESSES: usize = 4096;

#[repr(C)]
struct PlainMemory {
    words: *const u64,
    bytes: u64,
}

unsafe extern "C" {
    fn plain_walk(memory: *const PlainMemory, root: u64, gva: u64, gpa: *mut u64) -> i32;
    fn plain_walk_two(
        memory: *const PlainMemory,
        root: u64,
        ept: u64,
        gva: u64,
        hpa: *mut u64,
    ) -> i32;
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// A plain C walk of the guest's tables.
    PlainOne,
    /// npt's walk of the guest's tables.
    WalkOne,
    /// memflow's walk of the guest's tables.
    MemflowWalk,
    /// npt's cache, each lookup checked against the tables.
    CheckedOne,
    /// npt's cache within one fire.
    HitOne,
    /// memflow's cache.
    MemflowHit,
    /// A plain C walk of both dimensions, 4 KiB nested pages (24 words).
    PlainTwo,
    /// npt's walk of both dimensions, 4 KiB nested pages (24 words).
    WalkTwo,
    /// npt's walk of both dimensions, 2 MiB nested pages (19 words).
    WalkTwoLarge,
    /// npt's cache, two-dimensional, each lookup checked against both tables.
    CheckedTwo,
    /// npt's cache, two-dimensional, within one fire.
    HitTwo,
    /// Reading 8 bytes through the guest's tables, walked.
    ReadOne,
    /// Reading 8 bytes, cache hit within one fire.
    ReadOneHit,
}

impl Case {
    /// All, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::PlainOne,
        Self::WalkOne,
        Self::MemflowWalk,
        Self::CheckedOne,
        Self::HitOne,
        Self::MemflowHit,
        Self::PlainTwo,
        Self::WalkTwo,
        Self::WalkTwoLarge,
        Self::CheckedTwo,
        Self::HitTwo,
        Self::ReadOne,
        Self::ReadOneHit,
    ];

    /// The name on the command line and in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlainOne => "1-D walk, C",
            Self::WalkOne => "1-D walk, npt",
            Self::MemflowWalk => "1-D walk, memflow",
            Self::CheckedOne => "1-D cache checked, npt",
            Self::HitOne => "1-D cache hit, npt",
            Self::MemflowHit => "1-D cache hit, memflow",
            Self::PlainTwo => "2-D walk 4 KiB, C",
            Self::WalkTwo => "2-D walk 4 KiB, npt",
            Self::WalkTwoLarge => "2-D walk 2 MiB, npt",
            Self::CheckedTwo => "2-D cache checked, npt",
            Self::HitTwo => "2-D cache hit, npt",
            Self::ReadOne => "1-D read u64 walked, npt",
            Self::ReadOneHit => "1-D read u64 cached, npt",
        }
    }
}

/// The machine and its addresses.
pub struct Machine {
    words: Box<[AtomicU64]>,
    /// Over all pages, in no order.
    spread: Vec<u64>,
    /// Over few pages, as a script's pointers are.
    near: Vec<u64>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Builds it, and checks that all walkers agree on every address.
    #[must_use]
    pub fn new() -> Self {
        let words = (0..END / 8).map(|_| AtomicU64::new(0)).collect();
        let mut machine = Self { words, spread: Vec::new(), near: Vec::new() };
        // Guest pages lie in scattered order, as after a while they do.
        let place = |page: u64| page.wrapping_mul(0x9e5) % (DATA >> 12) << 12 | 0x63;
        machine.tables(GUEST_TABLES, BASE, DATA >> 12, 12, 0x63, &place);
        machine.tables(SMALL_EPT, 0, END >> 12, 12, 7, &|page| page << 12 | 0x37);
        machine.tables(LARGE_EPT, 0, END >> 21, 21, 7, &|page| page << 21 | 0xb7);
        let mut random = 0x853c_49e6_748f_ea9b_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        machine.spread = (0..ADDRESSES).map(|_| BASE + next() % (DATA / 8) * 8).collect();
        let pages: Vec<u64> = (0..16).map(|n| BASE + (n * 3) % 64 * 4096).collect();
        machine.near =
            (0..ADDRESSES).map(|_| pages[next() as usize % 16] + next() % 512 * 8).collect();
        machine.agree();
        machine
    }

    fn set(&self, at: u64, value: u64) {
        self.words[usize::try_from(at / 8).expect("fits")].store(value, Ordering::Relaxed);
    }

    fn get(&self, at: u64) -> u64 {
        self.words[usize::try_from(at / 8).expect("fits")].load(Ordering::Relaxed)
    }

    /// Tables from `root` on that map `count` pages of `1 << shift` bytes at `base`.
    fn tables(
        &self,
        root: u64,
        base: u64,
        count: u64,
        shift: u32,
        flags: u64,
        leaf: &dyn Fn(u64) -> u64,
    ) {
        let mut free = root + 4096;
        for page in 0..count {
            let address = base + (page << shift);
            let mut table = root;
            for level in [39, 30, 21, 12] {
                let at = table + ((address >> level) & 511) * 8;
                if level == shift {
                    self.set(at, leaf(page));
                    break;
                }
                if self.get(at) == 0 {
                    self.set(at, free | flags);
                    free += 4096;
                }
                table = self.get(at) & 0x000f_ffff_ffff_f000;
            }
        }
    }

    fn memory(&self) -> Words<'_> {
        Words::new(Hpa(0), &self.words)
    }

    fn paging(&self) -> GuestPaging {
        GuestPaging::level4(Cr3(GUEST_TABLES))
    }

    fn ept(root: u64) -> Ept {
        let width = PhysWidth::new(46).expect("a width");
        Ept::decode(Eptp(root | 0x1e), width).expect("an EPT pointer")
    }

    fn bytes(&self) -> &'static [u8] {
        // SAFETY: the benchmark's machine is leaked by every caller (`Machine::run` needs it only
        // while it runs, the process ends with it), nobody writes to it after `new`, and an
        // `AtomicU64` is eight initialised bytes.
        unsafe {
            std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.words.len() * 8)
        }
    }

    /// Runs `rounds` translations of a case and returns a sum that depends on all of them.
    pub fn run(&self, case: Case, rounds: u64) -> u64 {
        match case {
            Case::PlainOne => self.each(&self.spread, rounds, |gva| self.plain(gva)),
            Case::PlainTwo => self.each(&self.spread, rounds, |gva| self.plain_two(gva)),
            Case::MemflowWalk | Case::MemflowHit => self.memflow(case, rounds),
            _ => self.npt(case, rounds),
        }
    }

    #[inline(always)]
    fn each(&self, addresses: &[u64], rounds: u64, mut one: impl FnMut(u64) -> u64) -> u64 {
        let mut sum = 0_u64;
        for round in 0..rounds {
            let gva = addresses[round as usize % ADDRESSES];
            sum = sum.wrapping_add(one(black_box(gva)));
        }
        sum
    }

    fn plain_memory(&self) -> PlainMemory {
        PlainMemory { words: self.words.as_ptr().cast(), bytes: END }
    }

    #[inline(always)]
    fn plain(&self, gva: u64) -> u64 {
        let mut gpa = 0;
        // SAFETY: the C function reads within `bytes` of `words` and writes `gpa`.
        let found = unsafe { plain_walk(&self.plain_memory(), GUEST_TABLES, gva, &mut gpa) };
        assert_eq!(found, 1);
        gpa
    }

    #[inline(always)]
    fn plain_two(&self, gva: u64) -> u64 {
        let mut hpa = 0;
        // SAFETY: as above.
        let found =
            unsafe { plain_walk_two(&self.plain_memory(), GUEST_TABLES, SMALL_EPT, gva, &mut hpa) };
        assert_eq!(found, 1);
        hpa
    }

    fn npt(&self, case: Case, rounds: u64) -> u64 {
        let memory = self.memory();
        let one = AddressSpace::new(&memory, self.paging(), Direct);
        let small = AddressSpace::new(&memory, self.paging(), Self::ept(SMALL_EPT));
        let large = AddressSpace::new(&memory, self.paging(), Self::ept(LARGE_EPT));
        let (cache, nested) = (GuestCache::new(), NestedCache::new());
        let (hit, nested_hit) = (one.with_cache(&cache), small.with_cache(&nested));
        let read = Access::Read;
        let hpa = |found: Result<npt::Translation, npt::Failure>| found.map_or(0, |t| t.hpa.0);
        match case {
            Case::WalkOne => {
                self.each(&self.spread, rounds, |gva| hpa(one.translate(Gva(gva), read)))
            }
            Case::CheckedOne => self.each(&self.near, rounds, |gva| {
                cache.begin_fire();
                hpa(hit.translate(Gva(gva), read))
            }),
            Case::HitOne => self.each(&self.near, rounds, |gva| hpa(hit.translate(Gva(gva), read))),
            Case::WalkTwo => {
                self.each(&self.spread, rounds, |gva| hpa(small.translate(Gva(gva), read)))
            }
            Case::WalkTwoLarge => {
                self.each(&self.spread, rounds, |gva| hpa(large.translate(Gva(gva), read)))
            }
            Case::CheckedTwo => self.each(&self.near, rounds, |gva| {
                nested.begin_fire();
                hpa(nested_hit.translate(Gva(gva), read))
            }),
            Case::HitTwo => {
                self.each(&self.near, rounds, |gva| hpa(nested_hit.translate(Gva(gva), read)))
            }
            Case::ReadOne => {
                self.each(&self.spread, rounds, |gva| one.read_u64(Gva(gva)).unwrap_or(1))
            }
            Case::ReadOneHit => {
                self.each(&self.near, rounds, |gva| hit.read_u64(Gva(gva)).unwrap_or(1))
            }
            Case::PlainOne | Case::PlainTwo | Case::MemflowWalk | Case::MemflowHit => {
                unreachable!("not npt's")
            }
        }
    }

    fn memflow(&self, case: Case, rounds: u64) -> u64 {
        let mut map = MemoryMap::new();
        map.push(Address::from(0_u64), self.bytes());
        let mut memory = MappedPhysicalMemory::with_info(map);
        let translator = x64::new_translator(Address::from(GUEST_TABLES));
        let mut direct = DirectTranslate::with_capacity(1 << 20);
        if case == Case::MemflowWalk {
            return self.each(&self.spread, rounds, |gva| {
                let found = direct.virt_to_phys(&mut memory, &translator, Address::from(gva));
                found.map_or(0, |at| at.address().to_umem())
            });
        }
        let built = CachedVirtualTranslate::builder(direct).arch(x64::ARCH).build();
        let mut cached = built.expect("memflow's cache");
        self.each(&self.near, rounds, |gva| {
            let found = cached.virt_to_phys(&mut memory, &translator, Address::from(gva));
            found.map_or(0, |at| at.address().to_umem())
        })
    }

    /// All cases over the same addresses arrive at the same sum.
    fn agree(&self) {
        let rounds = ADDRESSES as u64;
        let spread = self.run(Case::PlainOne, rounds);
        for case in
            [Case::WalkOne, Case::MemflowWalk, Case::PlainTwo, Case::WalkTwo, Case::WalkTwoLarge]
        {
            assert_eq!(self.run(case, rounds), spread, "{case:?}");
        }
        let near = self.run(Case::MemflowHit, rounds);
        for case in [Case::CheckedOne, Case::HitOne, Case::CheckedTwo, Case::HitTwo] {
            assert_eq!(self.run(case, rounds), near, "{case:?}");
        }
    }
}
