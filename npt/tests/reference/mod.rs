//! A second walker, slow and plain, to hold the real one against.
//!
//! Written from the manuals' tables, one function a paging mode, no shared geometry, no shared
//! constants: what both get wrong alike they must have got wrong twice.

use npt::{
    Access, Dimension, During, Failure, Gpa, Gva, NptMode, PageSize, PagingMode, Reason, Slot,
};

/// Memory as a function: the qword at a multiple of 8, or nothing.
pub(crate) type Memory<'a> = &'a dyn Fn(u64) -> Option<u64>;

/// A guest CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestSpec {
    pub(crate) mode: PagingMode,
    pub(crate) cr3: u64,
    pub(crate) width: u8,
    pub(crate) nx: bool,
    pub(crate) pse: bool,
    pub(crate) gib1: bool,
}

/// A second dimension.
#[derive(Clone, Debug)]
pub(crate) enum NestedSpec {
    Direct,
    Slots(Vec<Slot>),
    Ept { root: u64, levels: u8, width: u8, mode_based: bool, execute_only: bool, gib1: bool },
    Npt { root: u64, mode: NptMode, width: u8, nx: bool },
}

/// A translation, as the walker should report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) gpa: u64,
    pub(crate) hpa: u64,
    pub(crate) guest_page: Option<PageSize>,
    pub(crate) nested_page: Option<PageSize>,
    pub(crate) run: u64,
    /// read, write, execute, user
    pub(crate) rights: [bool; 4],
}

/// One dimension's outcome: address, page, rights.
type Step = (u64, PageSize, [bool; 4]);

fn bit(value: u64, n: u32) -> bool {
    (value >> n) % 2 == 1
}

fn any_bit(value: u64, low: u32, high: u32) -> bool {
    (low..=high).any(|n| bit(value, n))
}

fn size_of(page: PageSize) -> u64 {
    match page {
        PageSize::Kib4 => 0x1000,
        PageSize::Mib2 => 0x20_0000,
        PageSize::Mib4 => 0x40_0000,
        PageSize::Gib1 => 0x4000_0000,
    }
}

/// What one x86 tree of tables is like for the CPU that walks it.
#[derive(Clone, Copy)]
struct X86 {
    width: u32,
    nx: bool,
    pse: bool,
    gib1: bool,
    /// Bit 8 is reserved at levels 4 and 5.
    amd: bool,
}

type ReadEntry<'a, E> = &'a mut dyn FnMut(u64, u8) -> Result<u64, E>;
type Fail<'a, E> = &'a dyn Fn(u8, Reason) -> E;

/// Which right is missing, from the top down.
fn forbidden(rights: &[(u8, [bool; 4])], access: Access, user: bool) -> Option<(u8, Reason)> {
    for (level, [_, write, execute, for_user]) in rights {
        if user && !for_user {
            return Some((*level, Reason::Supervisor));
        }
        match access {
            Access::Write if !write => return Some((*level, Reason::Permission(access))),
            Access::Execute if !execute => return Some((*level, Reason::Permission(access))),
            _ => {}
        }
    }
    None
}

fn all(rights: &[(u8, [bool; 4])]) -> [bool; 4] {
    let mut sum = [true; 4];
    for (_, one) in rights {
        for i in 0..4 {
            sum[i] = sum[i] && one[i];
        }
    }
    sum
}

/// 4-level and 5-level paging.
fn long<E>(
    cpu: X86,
    levels: u8,
    root: u64,
    address: u64,
    (access, user): (Access, bool),
    read: ReadEntry<'_, E>,
    fail: Fail<'_, E>,
) -> Result<Step, E> {
    let mut table = root;
    let mut rights = Vec::new();
    for level in (1..=levels).rev() {
        let index = (address >> (12 + 9 * u32::from(level - 1))) % 512;
        let entry = read(table + 8 * index, level)?;
        if !bit(entry, 0) {
            return Err(fail(level, Reason::NotPresent));
        }
        let mut reserved = bit(entry, 63) && !cpu.nx;
        if cpu.width < 52 {
            reserved |= any_bit(entry, cpu.width, 51);
        }
        let page = match level {
            1 => Some(PageSize::Kib4),
            2 if bit(entry, 7) => Some(PageSize::Mib2),
            3 if bit(entry, 7) => Some(PageSize::Gib1),
            _ => None,
        };
        reserved |= level >= 4 && (bit(entry, 7) || (cpu.amd && bit(entry, 8)));
        reserved |= page == Some(PageSize::Mib2) && any_bit(entry, 13, 20);
        reserved |= page == Some(PageSize::Gib1) && (any_bit(entry, 13, 29) || !cpu.gib1);
        if reserved {
            return Err(fail(level, Reason::Reserved));
        }
        rights.push((level, [true, bit(entry, 1), !bit(entry, 63), bit(entry, 2)]));
        table = entry % (1 << 52) / 4096 * 4096;
        if let Some(page) = page {
            if let Some((level, reason)) = forbidden(&rights, access, user) {
                return Err(fail(level, reason));
            }
            let size = size_of(page);
            return Ok((table / size * size + address % size, page, all(&rights)));
        }
    }
    unreachable!("level 1 maps a page")
}

/// PAE paging.
fn pae<E>(
    cpu: X86,
    root: u64,
    address: u64,
    (access, user): (Access, bool),
    read: ReadEntry<'_, E>,
    fail: Fail<'_, E>,
) -> Result<Step, E> {
    let top = read(root + 8 * (address >> 30), 3)?;
    if !bit(top, 0) {
        return Err(fail(3, Reason::NotPresent));
    }
    if any_bit(top, 1, 2) || any_bit(top, 5, 8) || any_bit(top, cpu.width, 63) {
        return Err(fail(3, Reason::Reserved));
    }
    let mut rights = vec![(3, [true; 4])];
    let mut table = top % (1 << 52) / 4096 * 4096;
    for level in [2_u8, 1] {
        let index = (address >> if level == 2 { 21 } else { 12 }) % 512;
        let entry = read(table + 8 * index, level)?;
        if !bit(entry, 0) {
            return Err(fail(level, Reason::NotPresent));
        }
        let large = level == 2 && bit(entry, 7);
        if any_bit(entry, cpu.width, 62)
            || (bit(entry, 63) && !cpu.nx)
            || (large && any_bit(entry, 13, 20))
        {
            return Err(fail(level, Reason::Reserved));
        }
        rights.push((level, [true, bit(entry, 1), !bit(entry, 63), bit(entry, 2)]));
        table = entry % (1 << 52) / 4096 * 4096;
        if level == 1 || large {
            if let Some((level, reason)) = forbidden(&rights, access, user) {
                return Err(fail(level, reason));
            }
            let page = if large { PageSize::Mib2 } else { PageSize::Kib4 };
            let size = size_of(page);
            return Ok((table / size * size + address % size, page, all(&rights)));
        }
    }
    unreachable!("level 1 maps a page")
}

/// 32-bit paging.
fn bits32<E>(
    cpu: X86,
    root: u64,
    address: u64,
    (access, user): (Access, bool),
    read: ReadEntry<'_, E>,
    fail: Fail<'_, E>,
) -> Result<Step, E> {
    let directory = read(root + 4 * (address >> 22), 2)?;
    if !bit(directory, 0) {
        return Err(fail(2, Reason::NotPresent));
    }
    let mut rights = vec![(2, [true, bit(directory, 1), true, bit(directory, 2)])];
    if bit(directory, 7) && cpu.pse {
        let physical = cpu.width.min(40);
        // Bits 20:13 are address bits 39:32; bit 21 is none of them.
        if bit(directory, 21) || (13..=20).any(|n| bit(directory, n) && n + 19 >= physical) {
            return Err(fail(2, Reason::Reserved));
        }
        if let Some((level, reason)) = forbidden(&rights, access, user) {
            return Err(fail(level, reason));
        }
        let high = (directory >> 13) % 256;
        let low = (directory >> 22) << 22;
        let page = high * (1 << 32) + low + address % 0x40_0000;
        return Ok((page, PageSize::Mib4, all(&rights)));
    }
    let entry = read(directory / 4096 * 4096 + 4 * ((address >> 12) % 1024), 1)?;
    if !bit(entry, 0) {
        return Err(fail(1, Reason::NotPresent));
    }
    rights.push((1, [true, bit(entry, 1), true, bit(entry, 2)]));
    if let Some((level, reason)) = forbidden(&rights, access, user) {
        return Err(fail(level, reason));
    }
    Ok((entry / 4096 * 4096 + address % 4096, PageSize::Kib4, all(&rights)))
}

/// A 32-bit entry out of qwords.
fn dword(memory: Memory<'_>, at: u64) -> Option<u64> {
    let qword = memory(at / 8 * 8)?;
    Some(if at % 8 == 4 { qword >> 32 } else { qword % (1 << 32) })
}

/// Extended page tables.
fn ept(memory: Memory<'_>, spec: &NestedSpec, gpa: u64, wanted: (Access, bool)) -> Nested {
    let &NestedSpec::Ept { root, levels, width, mode_based, execute_only, gib1 } = spec else {
        unreachable!("asked for EPT")
    };
    let (access, user) = wanted;
    if gpa >> (if levels == 5 { 57 } else { 48 }) != 0 {
        return Err((0, Reason::TooWide));
    }
    let mut table = root;
    let mut rights: Vec<(u8, [bool; 4])> = Vec::new();
    for level in (1..=levels).rev() {
        let index = (gpa >> (12 + 9 * u32::from(level - 1))) % 512;
        let entry = memory(table + 8 * index).ok_or((level, Reason::OutsideMemory))?;
        let (r, w, x, xu) = (bit(entry, 0), bit(entry, 1), bit(entry, 2), bit(entry, 10));
        let page = match level {
            1 => Some(PageSize::Kib4),
            2 if bit(entry, 7) => Some(PageSize::Mib2),
            3 if bit(entry, 7) => Some(PageSize::Gib1),
            _ => None,
        };
        if !(r || w || x || (mode_based && xu)) {
            return Err((level, Reason::NotPresent));
        }
        let mut bad = w && !r;
        bad |= !r && !execute_only;
        bad |= width < 52 && any_bit(entry, u32::from(width), 51);
        bad |= page.is_some() && [2, 3, 7].contains(&((entry / 8) % 8));
        bad |= page == Some(PageSize::Mib2) && any_bit(entry, 12, 20);
        bad |= page == Some(PageSize::Gib1) && (any_bit(entry, 12, 29) || !gib1);
        bad |= page.is_none() && any_bit(entry, 3, 6);
        bad |= level >= 4 && bit(entry, 7);
        if bad {
            return Err((level, Reason::Misconfigured));
        }
        let execute = if mode_based && user { xu } else { x };
        rights.push((level, [r, w, execute, false]));
        table = entry % (1 << 52) / 4096 * 4096;
        if let Some(page) = page {
            for (level, [r, w, x, _]) in &rights {
                let may = match access {
                    Access::Read => r,
                    Access::Write => w,
                    Access::Execute => x,
                };
                if !may {
                    return Err((*level, Reason::Permission(access)));
                }
            }
            let size = size_of(page);
            let run = size - gpa % size;
            return Ok((table / size * size + gpa % size, Some(page), run, all(&rights)));
        }
    }
    unreachable!("level 1 maps a page")
}

type Nested = Result<(u64, Option<PageSize>, u64, [bool; 4]), (u8, Reason)>;

fn npt(memory: Memory<'_>, spec: &NestedSpec, gpa: u64, access: Access) -> Nested {
    let &NestedSpec::Npt { root, mode, width, nx } = spec else { unreachable!("asked for NPT") };
    let cpu = X86 { width: u32::from(width), nx, pse: true, gib1: true, amd: true };
    let limit = match mode {
        NptMode::Bits32 | NptMode::Pae => 32,
        NptMode::Level4 => 48,
        NptMode::Level5 => 57,
    };
    if gpa >> limit != 0 {
        return Err((0, Reason::TooWide));
    }
    let missing = |level| (level, Reason::OutsideMemory);
    let fail = |level, reason| (level, reason);
    let how = (access, true);
    let mut qword = |at, level| memory(at).ok_or(missing(level));
    let mut half = |at, level| dword(memory, at).ok_or(missing(level));
    let (hpa, page, mut rights) = match mode {
        NptMode::Bits32 => bits32(cpu, root, gpa, how, &mut half, &fail),
        NptMode::Pae => pae(cpu, root, gpa, how, &mut qword, &fail),
        NptMode::Level4 => long(cpu, 4, root, gpa, how, &mut qword, &fail),
        NptMode::Level5 => long(cpu, 5, root, gpa, how, &mut qword, &fail),
    }?;
    rights[3] = false;
    Ok((hpa, Some(page), size_of(page) - gpa % size_of(page), rights))
}

/// The second dimension.
pub(crate) fn nested(
    memory: Memory<'_>,
    spec: &NestedSpec,
    gpa: u64,
    wanted: (Access, bool),
) -> Nested {
    let (access, _) = wanted;
    match spec {
        NestedSpec::Direct => Ok((gpa, None, 1 << 52, [true, true, true, false])),
        NestedSpec::Slots(slots) => {
            for slot in slots {
                if gpa >= slot.gpa.0 && gpa < slot.gpa.0 + slot.len {
                    if access == Access::Write && !slot.writable {
                        return Err((0, Reason::Permission(access)));
                    }
                    let into = gpa - slot.gpa.0;
                    let rights = [true, slot.writable, true, false];
                    return Ok((slot.hpa.0 + into, None, slot.len - into, rights));
                }
            }
            Err((0, Reason::OutsideMemory))
        }
        NestedSpec::Ept { .. } => ept(memory, spec, gpa, wanted),
        NestedSpec::Npt { .. } => npt(memory, spec, gpa, access),
    }
}

fn canonical(mode: PagingMode, gva: u64) -> bool {
    let signed = i64::from_ne_bytes(gva.to_ne_bytes());
    match mode {
        PagingMode::Off | PagingMode::Bits32 | PagingMode::Pae => gva < 1 << 32,
        PagingMode::Level4 => (signed << 16) >> 16 == signed,
        PagingMode::Level5 => (signed << 7) >> 7 == signed,
    }
}

/// Both dimensions.
pub(crate) fn translate(
    memory: Memory<'_>,
    guest: &GuestSpec,
    second: &NestedSpec,
    gva: u64,
    access: Access,
    user: bool,
) -> Result<Found, Failure> {
    let fail =
        |level, reason| Failure { gva: Gva(gva), dimension: Dimension::Guest, level, reason };
    if !canonical(guest.mode, gva) {
        return Err(fail(0, Reason::NonCanonical));
    }
    let beyond = |gpa, during| {
        move |(level, reason)| Failure {
            gva: Gva(gva),
            dimension: Dimension::Nested { gpa: Gpa(gpa), during },
            level,
            reason,
        }
    };
    let mut table = |at: u64, level| {
        let during = During::Table { level };
        let (hpa, ..) =
            nested(memory, second, at, (Access::Read, false)).map_err(beyond(at, during))?;
        let entry = match guest.mode {
            PagingMode::Bits32 => dword(memory, hpa),
            _ => memory(hpa),
        };
        entry.ok_or((0, Reason::OutsideMemory)).map_err(beyond(at, during))
    };
    let &GuestSpec { nx, pse, gib1, .. } = guest;
    let cpu = X86 { width: u32::from(guest.width), nx, pse, gib1, amd: false };
    let how = (access, user);
    let page = guest.cr3 % (1 << 52) / 4096 * 4096;
    let stage = match guest.mode {
        PagingMode::Off => None,
        PagingMode::Bits32 => Some(bits32(cpu, page % (1 << 32), gva, how, &mut table, &fail)?),
        PagingMode::Pae => {
            Some(pae(cpu, guest.cr3 % (1 << 32) / 32 * 32, gva, how, &mut table, &fail)?)
        }
        PagingMode::Level4 => Some(long(cpu, 4, page, gva, how, &mut table, &fail)?),
        PagingMode::Level5 => Some(long(cpu, 5, page, gva, how, &mut table, &fail)?),
    };
    let (gpa, guest_page, rights) = match stage {
        Some((gpa, page, rights)) => (gpa, Some(page), rights),
        None => (gva, None, [true; 4]),
    };
    let (hpa, nested_page, nested_run, nested_rights) =
        nested(memory, second, gpa, (access, rights[3])).map_err(beyond(gpa, During::Page))?;
    let guest_run = match guest_page {
        Some(page) => size_of(page) - gva % size_of(page),
        None => (1 << 32) - gva,
    };
    let mut both = rights;
    for i in 0..3 {
        both[i] = rights[i] && nested_rights[i];
    }
    let run = guest_run.min(nested_run);
    Ok(Found { gpa, hpa, guest_page, nested_page, run, rights: both })
}
