//! What page tables look like, as constant data: one walker ([`crate::walk`]) reads it for guest
//! tables, EPT and NPT alike.
//!
//! Sources: Intel SDM volume 3, chapter "Paging" (tables of the formats of CR3 and of paging
//! structure entries for 32-bit, PAE, 4-level and 5-level paging) and chapter "VMX support for
//! address translation", section "The extended page table mechanism"; AMD APM volume 2, chapters
//! "Page translation and protection" and "Secure virtual machine", section "Nested paging".
//!
//! A format says where its bits are; reserved bits that hang on the CPU (its physical width,
//! EFER.NXE, 1 GiB pages) are in [`Rules`], worked out once and not on every walk.

use x86_64::structures::paging::PageTableFlags;

use crate::addr::{PageSize, PhysWidth};
use crate::failure::{Access, Reason};

/// One level of a tree of tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// As the manuals count: 5 the highest, 1 the last.
    pub(crate) number: u8,
    /// The lowest address bit of the index into a table of this level.
    pub(crate) shift: u32,
    /// Bits of the index.
    pub(crate) bits: u32,
    /// The page that an entry maps, if entries here may map one.
    pub(crate) page: Option<PageSize>,
    /// Bits that must be zero in an entry that refers to a table.
    pub(crate) reserved_table: u64,
    /// Bits that must be zero in an entry that maps a page.
    pub(crate) reserved_page: u64,
    /// Permission bits that entries here do not have, and so do not take away.
    pub(crate) implied: u64,
}

impl Level {
    /// A level whose entries only refer to tables.
    const fn table(number: u8, shift: u32, bits: u32, reserved: u64) -> Self {
        Self {
            number,
            shift,
            bits,
            page: None,
            reserved_table: reserved,
            reserved_page: 0,
            implied: 0,
        }
    }

    /// A level whose entries refer to tables or, with bit 7 set, map a page.
    const fn either(number: u8, page: PageSize, bits: u32, table: u64, leaf: u64) -> Self {
        Self {
            number,
            shift: page.shift(),
            bits,
            page: Some(page),
            reserved_table: table,
            reserved_page: leaf,
            implied: 0,
        }
    }

    /// Level 1: every entry maps a page.
    const fn last(bits: u32, reserved: u64) -> Self {
        Self::either(1, PageSize::Kib4, bits, 0, reserved)
    }

    /// The entry's offset in its table, in bytes.
    #[inline(always)]
    pub(crate) const fn offset(&self, address: u64, entry_bytes: u64) -> u64 {
        ((address >> self.shift) & ((1 << self.bits) - 1)) * entry_bytes
    }
}

/// What a walk must know of the CPU that owns the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    /// Reserved in every entry.
    pub(crate) reserved: u64,
    /// Reserved, besides, in entries that map 1 GiB or 4 MiB.
    pub(crate) reserved_large: u64,
    /// 32-bit paging: there are large pages (CR4.PSE).
    pub(crate) large: bool,
    /// EPT: mode-based execute control is on.
    pub(crate) mode_based_execute: bool,
    /// EPT: execute-only pages are possible.
    pub(crate) execute_only: bool,
}

/// One format of tables.
pub(crate) trait Format {
    /// From the root down; the last one has number 1 and maps a page.
    const LEVELS: &'static [Level];
    /// 8, or 4 in 32-bit paging.
    const ENTRY_BYTES: u64 = 8;
    /// The address bits of an entry.
    const ADDRESS: u64 = ADDRESS;
    /// Permission bits that forbid when set.
    const INVERTED: u64 = 0;

    /// What the manuals call an entry with a reserved bit set.
    const MALFORMED: Reason = Reason::Reserved;

    /// Whether an entry with bit 0 clear stops the walk. In x86 tables it is not present; in EPT bit
    /// 0 is read, and there may be execute-only pages.
    #[inline(always)]
    fn without_bit0(_entry: u64, _rules: &Rules) -> Option<Reason> {
        Some(Reason::NotPresent)
    }

    /// The bit that makes an entry above level 1 map a page; 0 if there are no large pages.
    #[inline(always)]
    fn large(_rules: &Rules) -> u64 {
        x86::LARGE
    }

    /// Whether no processor accepts the entry as one that maps a page, apart from reserved bits.
    #[inline(always)]
    fn bad_page(_entry: u64) -> bool {
        false
    }

    /// The first address of the page that `entry` maps.
    #[inline(always)]
    fn frame(entry: u64, page: PageSize) -> u64 {
        entry & Self::ADDRESS & !(page.bytes() - 1)
    }
}

/// Bits `low` to `high`, both included.
pub(crate) const fn bits(high: u32, low: u32) -> u64 {
    (u64::MAX >> (63 - high)) & (u64::MAX << low)
}

/// Bits 51:12, the address in an 8-byte entry.
pub(crate) const ADDRESS: u64 = bits(51, 12);

/// Bit 0: present in x86 tables, read in EPT.
pub(crate) const BIT0: u64 = PageTableFlags::PRESENT.bits();

/// x86 entries' bits, by the names of the `x86_64` crate.
pub(crate) mod x86 {
    use super::{Access, PageTableFlags};

    pub(crate) const WRITE: u64 = PageTableFlags::WRITABLE.bits();
    pub(crate) const USER: u64 = PageTableFlags::USER_ACCESSIBLE.bits();
    pub(crate) const LARGE: u64 = PageTableFlags::HUGE_PAGE.bits();
    pub(crate) const NO_EXECUTE: u64 = PageTableFlags::NO_EXECUTE.bits();

    /// The permission bits (no-execute turned round) that an access needs at every level.
    #[inline(always)]
    pub(crate) const fn required(access: Access, user: bool) -> u64 {
        let user = if user { USER } else { 0 };
        user | match access {
            Access::Read => 0,
            Access::Write => WRITE,
            Access::Execute => NO_EXECUTE,
        }
    }
}

/// EPT entries' bits.
pub(crate) mod ept {
    use super::{Access, Reason, Rules};

    pub(crate) const READ: u64 = 1 << 0;
    pub(crate) const WRITE: u64 = 1 << 1;
    pub(crate) const EXECUTE: u64 = 1 << 2;
    /// With mode-based execute control: execution of user-mode linear addresses.
    pub(crate) const EXECUTE_USER: u64 = 1 << 10;

    /// An entry that does not permit reading: not present, or misconfigured because it permits
    /// writing or the CPU has no execute-only pages.
    #[cold]
    pub(crate) fn unreadable(entry: u64, rules: &Rules) -> Option<Reason> {
        let user = if rules.mode_based_execute { EXECUTE_USER } else { 0 };
        if entry & (WRITE | EXECUTE | user) == 0 {
            Some(Reason::NotPresent)
        } else if entry & WRITE != 0 || !rules.execute_only {
            Some(Reason::Misconfigured)
        } else {
            None
        }
    }

    /// Memory types 2, 3 and 7 do not exist; one bit for each that does: UC 0, WC 1, WT 4, WP 5,
    /// WB 6.
    #[inline(always)]
    pub(crate) const fn bad_memory_type(entry: u64) -> bool {
        (0b0111_0011_u32 >> ((entry >> 3) & 7)) & 1 == 0
    }

    /// The permission bits an access needs at every level.
    #[inline(always)]
    pub(crate) const fn required(access: Access, execute: u64) -> u64 {
        match access {
            Access::Read => READ,
            Access::Write => WRITE,
            Access::Execute => execute,
        }
    }
}

// Bit 12 of a large leaf is PAT; from there up to the page's size must be zero.
const LONG1: Level = Level::last(9, 0);
const LONG2: Level = Level::either(2, PageSize::Mib2, 9, 0, bits(20, 13));
const LONG3: Level = Level::either(3, PageSize::Gib1, 9, 0, bits(29, 13));
const LONG4: Level = Level::table(4, 39, 9, x86::LARGE);
const LONG5: Level = Level::table(5, 48, 9, x86::LARGE);

/// 4-level paging.
pub(crate) enum Long4 {}
impl Format for Long4 {
    const LEVELS: &'static [Level] = &[LONG4, LONG3, LONG2, LONG1];
    const INVERTED: u64 = x86::NO_EXECUTE;
}

/// 5-level paging.
pub(crate) enum Long5 {}
impl Format for Long5 {
    const LEVELS: &'static [Level] = &[LONG5, LONG4, LONG3, LONG2, LONG1];
    const INVERTED: u64 = x86::NO_EXECUTE;
}

/// AMD's processors reserve bit 8 of the entries above the page-directory pointers', where Intel's
/// ignore it. Nested tables in these formats are AMD's. Whose processor a guest has, nobody tells
/// us, so its own tables are read as Intel's would be: no guest that runs on AMD's has the bit set.
const AMD_GLOBAL: u64 = PageTableFlags::GLOBAL.bits();
const NPT4: Level = Level::table(4, 39, 9, x86::LARGE | AMD_GLOBAL);
const NPT5: Level = Level::table(5, 48, 9, x86::LARGE | AMD_GLOBAL);

/// Nested tables of a host with 4-level paging.
pub(crate) enum Npt4 {}
impl Format for Npt4 {
    const LEVELS: &'static [Level] = &[NPT4, LONG3, LONG2, LONG1];
    const INVERTED: u64 = x86::NO_EXECUTE;
}

/// Nested tables of a host with 5-level paging.
pub(crate) enum Npt5 {}
impl Format for Npt5 {
    const LEVELS: &'static [Level] = &[NPT5, NPT4, LONG3, LONG2, LONG1];
    const INVERTED: u64 = x86::NO_EXECUTE;
}

/// PAE paging. Bits 62:52 are reserved, not ignored; the four top entries carry no permissions
/// and have reserved bits of their own (63, 8:5, 2:1).
pub(crate) enum Pae {}
impl Format for Pae {
    const LEVELS: &'static [Level] = &[
        Level {
            implied: x86::WRITE | x86::USER | x86::NO_EXECUTE,
            ..Level::table(3, 30, 2, bits(63, 63) | bits(62, 52) | bits(8, 5) | bits(2, 1))
        },
        Level::either(2, PageSize::Mib2, 9, bits(62, 52), bits(62, 52) | bits(20, 13)),
        Level::last(9, bits(62, 52)),
    ];
    const INVERTED: u64 = x86::NO_EXECUTE;
}

/// 32-bit paging. A 4 MiB page has physical address bits 39:32 in bits 20:13 (PSE-36); there is
/// no no-execute bit, so nothing forbids execution.
pub(crate) enum Bits32 {}
impl Format for Bits32 {
    const LEVELS: &'static [Level] = &[
        Level { implied: x86::NO_EXECUTE, ..Level::either(2, PageSize::Mib4, 10, 0, bits(21, 21)) },
        Level { implied: x86::NO_EXECUTE, ..Level::last(10, 0) },
    ];
    const ENTRY_BYTES: u64 = 4;
    const ADDRESS: u64 = bits(31, 12);

    #[inline(always)]
    fn large(rules: &Rules) -> u64 {
        if rules.large { x86::LARGE } else { 0 }
    }

    #[inline(always)]
    fn frame(entry: u64, page: PageSize) -> u64 {
        match page {
            PageSize::Mib4 => (entry & bits(31, 22)) | ((entry & bits(20, 13)) << 19),
            _ => entry & Self::ADDRESS,
        }
    }
}

/// Bits 20:13 of an entry for a 4 MiB page that are reserved: PSE-36 has address bits 39:32 there
/// at most, and those the CPU lacks must be zero.
pub(crate) const fn pse36_reserved(width: PhysWidth) -> u64 {
    let top = if width.bits() < 40 { width.bits() } else { 40 };
    bits(20, 13) & !((1 << (top - 19)) - 1)
}

const EPT1: Level = Level::last(9, 0);
const EPT2: Level = Level::either(2, PageSize::Mib2, 9, bits(6, 3), bits(20, 12));
const EPT3: Level = Level::either(3, PageSize::Gib1, 9, bits(6, 3), bits(29, 12));
const EPT4: Level = Level::table(4, 39, 9, bits(7, 3));
const EPT5: Level = Level::table(5, 48, 9, bits(7, 3));

/// EPT with a walk of four levels.
pub(crate) enum Ept4 {}
impl Format for Ept4 {
    const LEVELS: &'static [Level] = &[EPT4, EPT3, EPT2, EPT1];
    const MALFORMED: Reason = Reason::Misconfigured;

    #[inline(always)]
    fn without_bit0(entry: u64, rules: &Rules) -> Option<Reason> {
        ept::unreadable(entry, rules)
    }

    #[inline(always)]
    fn bad_page(entry: u64) -> bool {
        ept::bad_memory_type(entry)
    }
}

/// EPT with a walk of five levels.
pub(crate) enum Ept5 {}
impl Format for Ept5 {
    const LEVELS: &'static [Level] = &[EPT5, EPT4, EPT3, EPT2, EPT1];
    const MALFORMED: Reason = Reason::Misconfigured;

    #[inline(always)]
    fn without_bit0(entry: u64, rules: &Rules) -> Option<Reason> {
        ept::unreadable(entry, rules)
    }

    #[inline(always)]
    fn bad_page(entry: u64) -> bool {
        ept::bad_memory_type(entry)
    }
}

/// The walker relies on this: levels count down to 1 without a gap, each indexes the bits just
/// above the next, and the last maps pages of 4 KiB.
const fn sound<F: Format>() -> bool {
    let levels = F::LEVELS;
    let mut i = 0;
    while i + 1 < levels.len() {
        let (upper, lower) = (&levels[i], &levels[i + 1]);
        if upper.number != lower.number + 1 || upper.shift != lower.shift + lower.bits {
            return false;
        }
        i += 1;
    }
    levels[i].number == 1 && levels[i].shift == 12 && levels[i].page.is_some()
}
const _: () = assert!(sound::<Long4>() && sound::<Long5>() && sound::<Pae>() && sound::<Bits32>());
const _: () = assert!(sound::<Ept4>() && sound::<Ept5>() && sound::<Npt4>() && sound::<Npt5>());
