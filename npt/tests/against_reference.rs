//! The walker against a second, naive one ([`reference`]), over tables nobody would build: random
//! entries in a small memory, so that tables are shared between levels and dimensions, point at
//! themselves and outside, and have bits that must not be set.

mod reference;

use std::cell::Cell;
use std::collections::BTreeMap;

use npt::{
    Access, AddressSpace, Cr3, Dimension, Direct, Ept, Eptp, Failure, Gpa, GuestPaging, Gva, Hpa,
    Nested, NestedCache, NestedCr3, Npt, NptMode, Outside, PageSize, PagingMode, PhysMemory,
    PhysWidth, Reason, Rights, SecondDimension, Slot, Slots, Trail, Translation, Walker,
};
use proptest::prelude::*;
use reference::{Found, GuestSpec, NestedSpec};
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

/// A stream of numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("sound by construction")]
    }
}

/// Memory of random tables that is never built: a qword is a function of seed and address. Pages
/// with an even number hold nested tables, the others the guest's.
#[derive(Clone, Copy, Debug)]
struct Tables {
    seed: u64,
    pages: u64,
    /// One entry in that many has something odd; 0 for never.
    odd: u64,
    guest: Kind,
    nested: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    X86,
    X86Bits32,
    /// As `X86`, and the first 32 bytes of a page are mostly good for a top table.
    Pae,
    Ept,
}

impl Tables {
    fn at(&self, at: u64) -> Option<u64> {
        if !at.is_multiple_of(8) || at >= self.pages * 4096 {
            return None;
        }
        let mut random = Random(self.seed ^ at.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let nested = (at >> 12).is_multiple_of(2);
        let kind = if nested { self.nested } else { self.guest };
        Some(match kind {
            Kind::Ept => self.ept(&mut random),
            Kind::Pae if at % 4096 < 32 && !random.one_in(8) => {
                let entry = self.page(&mut random, false) | 1;
                self.flip(&mut random, entry, 63)
            }
            Kind::X86 | Kind::Pae => self.x86(&mut random, 63, nested),
            Kind::X86Bits32 => {
                let low = self.x86(&mut random, 31, nested) % (1 << 32);
                low | self.x86(&mut random, 31, nested) << 32
            }
        })
    }

    /// Some page of the memory, of either kind, or for a large page its start.
    fn page(&self, random: &mut Random, large: bool) -> u64 {
        if large { 0 } else { random.below(self.pages) << 12 }
    }

    fn flip(&self, random: &mut Random, entry: u64, top: u64) -> u64 {
        if self.odd != 0 && random.one_in(self.odd) {
            entry ^ 1 << random.below(top + 1)
        } else {
            entry
        }
    }

    fn x86(&self, random: &mut Random, top: u64, nested: bool) -> u64 {
        let large = random.one_in(6);
        let mut entry = self.page(random, large) | 1;
        if !(large || random.one_in(40)) || nested {
            // Mostly all permissions, or a deep walk would never be a user's or a writer's.
            entry |= 6;
        }
        entry |= u64::from(large) << 7;
        if !nested && random.one_in(16) {
            // In another GiB: what a walk knows of the nested tables there is not true here.
            entry |= (1 + random.below(3)) << 30;
        }
        if large && random.one_in(4) {
            // PAT, or address bits that a large page must not have.
            entry |= 1 << (12 + random.below(18));
        }
        self.flip(random, entry, top)
    }

    fn ept(&self, random: &mut Random) -> u64 {
        let large = random.one_in(6);
        let mut entry = self.page(random, large) | 0x407 | u64::from(large) << 7;
        if random.one_in(40) {
            entry &= !random.below(8);
        }
        if large {
            entry |= random.pick(&[0, 1, 4, 5, 6]) << 3;
        }
        self.flip(random, entry, 63)
    }
}

impl PhysMemory for Tables {
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        self.at(at.0)
    }
    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        for (n, byte) in (at.0..).zip(into) {
            let word = self.at(n / 8 * 8).ok_or(Outside)?.to_le_bytes();
            *byte = word[usize::try_from(n % 8).expect("sound by construction")];
        }
        Ok(())
    }
    fn write(&self, _at: Hpa, _from: &[u8]) -> Result<(), Outside> {
        Err(Outside)
    }
    fn writable(&self, _at: Hpa, _len: usize) -> bool {
        false
    }
}

/// A random machine: CPU, second dimension, tables.
#[derive(Clone, Debug)]
struct Machine {
    tables: Tables,
    guest: GuestSpec,
    nested: NestedSpec,
}

const MODES: [PagingMode; 5] =
    [PagingMode::Off, PagingMode::Bits32, PagingMode::Pae, PagingMode::Level4, PagingMode::Level5];
const NPT_MODES: [NptMode; 4] = [NptMode::Bits32, NptMode::Pae, NptMode::Level4, NptMode::Level5];

fn slots(random: &mut Random) -> Vec<Slot> {
    let mut gpa = 0;
    let mut slots = Vec::new();
    for _ in 0..random.below(5) {
        gpa += random.below(3) << 12;
        let len = (1 + random.below(8)) << 12;
        let hpa = Hpa(random.below(16) << 12);
        slots.push(Slot { gpa: Gpa(gpa), len, hpa, writable: !random.one_in(4) });
        gpa += len;
    }
    slots
}

fn nested_spec(random: &mut Random, pages: u64) -> NestedSpec {
    let width = random.pick(&[52, 46, 40, 36]);
    let root = (random.below(pages) / 2 * 2) << 12;
    match random.below(4) {
        0 => NestedSpec::Direct,
        1 => NestedSpec::Slots(slots(random)),
        2 => NestedSpec::Ept {
            root,
            levels: random.pick(&[4, 5]),
            width,
            mode_based: random.one_in(2),
            execute_only: random.one_in(2),
            gib1: !random.one_in(4),
        },
        _ => NestedSpec::Npt { root, mode: random.pick(&NPT_MODES), width, nx: random.one_in(2) },
    }
}

fn machine(random: &mut Random) -> Machine {
    let pages = random.pick(&[2, 6, 16, 64]);
    let nested = nested_spec(random, pages);
    let mode = random.pick(&MODES);
    let kind = match nested {
        NestedSpec::Ept { .. } => Kind::Ept,
        NestedSpec::Npt { mode: NptMode::Bits32, .. } => Kind::X86Bits32,
        NestedSpec::Npt { mode: NptMode::Pae, .. } => Kind::Pae,
        _ => Kind::X86,
    };
    let guest = match mode {
        PagingMode::Bits32 => Kind::X86Bits32,
        PagingMode::Pae => Kind::Pae,
        _ => Kind::X86,
    };
    let odd = random.pick(&[0, 4, 16, 64]);
    let tables = Tables { seed: random.next(), pages, odd, guest, nested: kind };
    let guest = GuestSpec {
        mode,
        cr3: (random.below(pages) | 1) << 12
            | if random.one_in(4) { random.below(4096) } else { random.below(32) }
            | random.below(2) << 61,
        width: random.pick(&[52, 46, 40, 36]),
        nx: !random.one_in(3),
        pse: !random.one_in(3),
        gib1: !random.one_in(3),
    };
    Machine { tables, guest, nested }
}

fn gva(random: &mut Random, mode: PagingMode) -> u64 {
    let any = random.next();
    if random.one_in(10) {
        return any;
    }
    let sign = |bits: u32| {
        let signed = i64::from_ne_bytes(any.to_ne_bytes());
        u64::from_ne_bytes((signed >> (64 - bits)).to_ne_bytes())
    };
    match mode {
        // Low addresses, or nothing would lie in memory.
        PagingMode::Off => any % 0x2_0000,
        PagingMode::Bits32 | PagingMode::Pae => any % (1 << 32),
        PagingMode::Level4 => sign(48),
        PagingMode::Level5 => sign(57),
    }
}

fn paging(guest: &GuestSpec) -> GuestPaging {
    let mut cr0 = Cr0Flags::PROTECTED_MODE_ENABLE;
    let mut cr4 = Cr4Flags::empty();
    let mut efer = EferFlags::empty();
    cr0.set(Cr0Flags::PAGING, guest.mode != PagingMode::Off);
    let long = matches!(guest.mode, PagingMode::Level4 | PagingMode::Level5);
    cr4.set(Cr4Flags::PHYSICAL_ADDRESS_EXTENSION, long || guest.mode == PagingMode::Pae);
    cr4.set(Cr4Flags::L5_PAGING, guest.mode == PagingMode::Level5);
    cr4.set(Cr4Flags::PAGE_SIZE_EXTENSION, guest.pse);
    efer.set(EferFlags::LONG_MODE_ACTIVE, long);
    efer.set(EferFlags::NO_EXECUTE_ENABLE, guest.nx);
    let width = PhysWidth::new(guest.width).expect("sound by construction");
    let paging = GuestPaging::from_registers(cr0, Cr3(guest.cr3), cr4, efer, width);
    assert_eq!(paging.mode(), guest.mode);
    if guest.gib1 { paging } else { paging.without_gib1() }
}

fn second(spec: &NestedSpec) -> Nested<'_> {
    match *spec {
        NestedSpec::Direct => Nested::Direct,
        NestedSpec::Slots(ref slots) => {
            Nested::Slots(Slots::new(slots).expect("sound by construction"))
        }
        NestedSpec::Ept { root, levels, width, mode_based, execute_only, gib1 } => {
            let eptp = Eptp(root | u64::from(levels - 1) << 3 | 6);
            let mut ept = Ept::decode(eptp, PhysWidth::new(width).expect("sound by construction"))
                .expect("sound by construction");
            if mode_based {
                ept = ept.with_mode_based_execute();
            }
            if !execute_only {
                ept = ept.without_execute_only();
            }
            if !gib1 {
                ept = ept.without_gib1();
            }
            Nested::Ept(ept)
        }
        NestedSpec::Npt { root, mode, width, nx } => {
            let npt = Npt::new(
                NestedCr3(root),
                mode,
                PhysWidth::new(width).expect("sound by construction"),
            );
            Nested::Npt(if nx { npt } else { npt.without_no_execute() })
        }
    }
}

fn plain(found: Translation) -> Found {
    let has = |right| found.rights.contains(right);
    Found {
        gpa: found.gpa.0,
        hpa: found.hpa.0,
        guest_page: found.guest_page,
        nested_page: found.nested_page,
        run: found.run,
        rights: [has(Rights::READ), has(Rights::WRITE), has(Rights::EXECUTE), has(Rights::USER)],
    }
}

const ACCESSES: [Access; 3] = [Access::Read, Access::Write, Access::Execute];

/// One address in every way, walked and cached, against the reference.
fn compare(machine: &Machine, gva: u64, cache: &NestedCache, tally: &mut Tally) {
    let Machine { tables, guest, nested } = machine;
    let (paging, second) = (paging(guest), second(nested));
    let memory = |at| tables.at(at);
    for access in ACCESSES {
        for user in [false, true] {
            let expected = reference::translate(&memory, guest, nested, gva, access, user);
            let space = AddressSpace::new(tables, paging, second);
            let space = if user { space.as_user() } else { space };
            let walked = space.translate(Gva(gva), access).map(plain);
            assert_eq!(walked, expected, "{machine:?} {gva:#x} {access:?} user {user}");
            for _ in 0..2 {
                let cached = space.with_cache(cache).translate(Gva(gva), access).map(plain);
                assert_eq!(cached, expected, "cached: {machine:?} {gva:#x} {access:?}");
            }
            tally.count(machine, &expected);
        }
    }
}

/// What the random machines brought up.
#[derive(Default)]
struct Tally(BTreeMap<String, u32>);

impl Tally {
    fn count(&mut self, machine: &Machine, outcome: &Result<Found, Failure>) {
        let nested = match machine.nested {
            NestedSpec::Direct => "direct".to_owned(),
            NestedSpec::Slots(_) => "slots".to_owned(),
            NestedSpec::Ept { levels, .. } => format!("EPT {levels}"),
            NestedSpec::Npt { mode, .. } => format!("NPT {mode:?}"),
        };
        let what = match outcome {
            Ok(_) => format!("{:?} over {nested}", machine.guest.mode),
            Err(Failure { dimension: Dimension::Guest, reason, .. }) => format!("guest {reason}"),
            Err(Failure { dimension: Dimension::Nested { .. }, reason, .. }) => {
                format!("nested {reason}")
            }
        };
        *self.0.entry(what).or_default() += 1;
    }
}

fn run(seed: u64, addresses: usize, tally: &mut Tally) {
    let mut random = Random(seed);
    let machine = machine(&mut random);
    let cache = NestedCache::new();
    for _ in 0..addresses {
        compare(&machine, gva(&mut random, machine.guest.mode), &cache, tally);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    /// Whatever the tables, both walkers say the same: page, size, rights, or where and why not.
    #[test]
    fn agrees_with_the_reference(seed in any::<u64>()) {
        run(seed, 8, &mut Tally::default());
    }

    /// A walk reads no more than the levels allow, whatever knots the tables form; one that fails is
    /// done twice, the second time for the reason.
    #[test]
    fn reads_are_bounded(seed in any::<u64>()) {
        let mut random = Random(seed);
        let machine = machine(&mut random);
        let steps = Steps(Cell::new(0));
        let second = second(&machine.nested);
        let gva = Gva(gva(&mut random, machine.guest.mode));
        let walker = Walker::new(&machine.tables, &second);
        let found = walker.translate(&paging(&machine.guest), gva, Access::Read, false, &mut &steps);
        let walks = if found.is_ok() { 1 } else { 2 };
        prop_assert!(steps.0.get() <= walks * npt::TRAIL_TWO);
    }

    /// Reads through the tables give what the translated addresses hold, byte for byte, and fail
    /// with the first byte that fails alone.
    #[test]
    fn ranges_are_read_as_their_bytes(seed in any::<u64>(), len in 0..9000_usize) {
        let mut random = Random(seed);
        let machine = machine(&mut random);
        let space = AddressSpace::new(&machine.tables, paging(&machine.guest), second(&machine.nested));
        let gva = gva(&mut random, machine.guest.mode);
        prop_assume!(gva.checked_add(len as u64).is_some());
        let single = |at: u64| {
            let found = space.translate(Gva(at), Access::Read)?;
            let mut byte = [0];
            let read = machine.tables.read(found.hpa, &mut byte).map(|()| byte[0]);
            Ok(read.ok())
        };
        let mut got = vec![0xa5; len];
        match space.read(Gva(gva), &mut got) {
            Ok(()) => {
                for (at, byte) in (gva..).zip(&got) {
                    prop_assert_eq!(single(at), Ok(Some(*byte)));
                }
            }
            Err(failure) => {
                prop_assert!(got.iter().all(|&byte| byte == 0));
                prop_assert!(failure.gva.0 >= gva && failure.gva.0 - gva < len as u64);
                if failure.reason != Reason::OutsideMemory {
                    prop_assert_eq!(single(failure.gva.0), Err(failure));
                }
                prop_assert!(failure.gva.0 == gva || single(failure.gva.0 - 1).is_ok());
            }
        }
    }
}

struct Steps(Cell<usize>);

impl Trail for &Steps {
    fn saw(&mut self, _at: Hpa, _value: u64) {
        self.0.set(self.0.get() + 1);
    }
}

/// The random machines are worth something: every mode succeeds over every second dimension, and
/// every failure there is comes up.
#[test]
fn random_machines_reach_every_outcome() {
    let mut tally = Tally::default();
    for seed in 0..20_000 {
        run(seed, 2, &mut tally);
    }
    let seen = |what: &str| tally.0.keys().any(|key| key == what);
    let mut missing = Vec::new();
    for mode in MODES {
        for nested in [
            "direct",
            "slots",
            "EPT 4",
            "EPT 5",
            "NPT Bits32",
            "NPT Pae",
            "NPT Level4",
            "NPT Level5",
        ] {
            missing.push(format!("{mode:?} over {nested}"));
        }
    }
    for reason in [
        Reason::NonCanonical,
        Reason::NotPresent,
        Reason::Reserved,
        Reason::Supervisor,
        Reason::Permission(Access::Write),
        Reason::Permission(Access::Execute),
    ] {
        missing.push(format!("guest {reason}"));
    }
    for reason in [
        Reason::NotPresent,
        Reason::Reserved,
        Reason::Misconfigured,
        Reason::Supervisor,
        Reason::TooWide,
        Reason::OutsideMemory,
        Reason::Permission(Access::Read),
        Reason::Permission(Access::Write),
        Reason::Permission(Access::Execute),
    ] {
        missing.push(format!("nested {reason}"));
    }
    missing.retain(|what| !seen(what));
    assert!(missing.is_empty(), "never seen: {missing:?}, of {:?}", tally.0);
}

/// The reference and the walker are not one: a machine whose guest tables a reader may use although
/// its nested tables forbid writing.
#[test]
fn a_passive_reader_needs_no_write_permission_on_tables() {
    let mut page = vec![0_u64; 512 * 8];
    // Guest: tables in pages 1 to 4, data in page 5. EPT: tables in page 0, 6, 7 and page 0 again.
    for (at, value) in [(0x1000, 0x2007), (0x2000, 0x3007), (0x3000, 0x4007), (0x4000, 0x5007)] {
        page[at / 8] = value;
    }
    page[0] = 0x6007;
    page[0x6000 / 8] = 0x7007;
    page[0x7000 / 8] = 0xb5;
    let memory: Vec<_> = page.into_iter().map(std::sync::atomic::AtomicU64::new).collect();
    let memory = npt::Words::new(Hpa(0), &memory);
    let ept = Ept::decode(Eptp(0x5e), PhysWidth::MAX).expect("sound by construction");
    let space = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1000)), ept);
    let found = space.translate(Gva(8), Access::Read).expect("sound by construction");
    assert_eq!((found.hpa, found.nested_page), (Hpa(0x5008), Some(PageSize::Mib2)));
    assert!(!found.rights.contains(Rights::WRITE));
    let failure = space.translate(Gva(8), Access::Write).unwrap_err();
    assert_eq!((failure.level, failure.reason), (2, Reason::Permission(Access::Write)));
    let direct = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1000)), Direct);
    assert!(direct.translate(Gva(8), Access::Write).is_ok());
    assert_ne!(ept.identity(), Direct.identity());
}
