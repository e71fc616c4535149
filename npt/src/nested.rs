//! The second dimension: from guest physical addresses to memory.
//!
//! Four kinds: [`Direct`] and [`Slots`] (the monitor's own memory), [`Ept`](crate::Ept) (Intel)
//! and [`Npt`](crate::Npt) (AMD). Code that knows its kind names it and pays for nothing else;
//! [`Nested`] is any of them, chosen at run time.

use crate::addr::{Gpa, Hpa, PageSize};
use crate::failure::{Access, NestedFailure, Reason};
use crate::memory::PhysMemory;
use crate::tables::{Ept, Npt};
use crate::walk::Trail;

bitflags::bitflags! {
    /// What a translation permits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Rights: u8 {
        /// Reading. Missing only on EPT's execute-only pages.
        const READ = 1;
        /// Writing.
        const WRITE = 2;
        /// Fetching instructions.
        const EXECUTE = 4;
        /// Access in user mode: the guest's own tables say so.
        const USER = 8;
    }
}

/// What is asked of the second dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The access.
    pub access: Access,
    /// The guest's tables map the address for user mode; EPT's mode-based execute control wants
    /// to know.
    pub user: bool,
}

impl Wanted {
    /// Reading a guest's table.
    pub const TABLE: Self = Self { access: Access::Read, user: false };
}

/// The second dimension's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedPage {
    /// Where the byte lies.
    pub hpa: Hpa,
    /// The nested page; `None` if there are no pages.
    pub page: Option<PageSize>,
    /// Bytes from here on that are contiguous in `hpa` too; at least 1.
    pub run: u64,
    /// What the second dimension permits; never [`Rights::USER`].
    pub rights: Rights,
}

/// A second dimension.
pub trait SecondDimension {
    /// Translates one guest physical address, showing `trail` every qword that decided it. `None`
    /// if it cannot be reached; [`SecondDimension::resolve`] says why. An implementation for which
    /// to tell the reason costs more than to have none does this with less.
    #[inline(always)]
    fn find<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Option<NestedPage> {
        self.resolve(memory, gpa, wanted, trail).ok()
    }

    /// [`SecondDimension::find`] for reading one word of a guest's table: most of what a
    /// two-dimensional walk does, so an implementation may do it with less.
    #[inline]
    fn find_table<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        trail: &mut T,
    ) -> Option<Hpa> {
        self.find(memory, gpa, Wanted::TABLE, trail).map(|page| page.hpa)
    }

    /// As [`SecondDimension::find`], with the reason if there is no translation.
    ///
    /// # Errors
    /// At which nested level and why the address cannot be reached.
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, NestedFailure>;

    /// A number that differs for any two second dimensions of page tables that may translate
    /// differently: it keeps apart what a cache holds. Slots have none: they are part of the
    /// memory.
    fn identity(&self) -> u64;
}

/// The memory is addressed by guest physical addresses: its owner knows the monitor's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direct;

impl SecondDimension for Direct {
    #[inline(always)]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        _memory: &M,
        gpa: Gpa,
        _wanted: Wanted,
        _trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        let rights = Rights::READ.union(Rights::WRITE).union(Rights::EXECUTE);
        // 2^52 bytes of physical memory end the run; the guest's page ends it long before.
        Ok(NestedPage { hpa: Hpa(gpa.0), page: None, run: 1 << 52, rights })
    }

    #[inline]
    fn identity(&self) -> u64 {
        0
    }
}

/// One of a monitor's memory slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The first guest physical address, a multiple of 4096.
    pub gpa: Gpa,
    /// Length in bytes, a multiple of 4096, not 0.
    pub len: u64,
    /// Where the slot lies in the memory, a multiple of 4096.
    pub hpa: Hpa,
    /// The guest may write.
    pub writable: bool,
}

/// A table of slots is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotsError {
    /// Not in pages, empty, or over the end of the address space; the slot's index.
    #[error("memory slot {0} is not a range of whole pages")]
    Ragged(usize),
    /// Not in ascending order, or two overlap; the later slot's index.
    #[error("memory slot {0} overlaps or precedes the slot before it")]
    Order(usize),
}

/// The monitor's memory slots as the second dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots<'a> {
    slots: &'a [Slot],
}

impl<'a> Slots<'a> {
    /// Takes slots in ascending order of `gpa`.
    ///
    /// # Errors
    /// [`SlotsError`]: which slot is not in order or not in whole pages.
    pub fn new(slots: &'a [Slot]) -> Result<Self, SlotsError> {
        let mut end = 0;
        for (index, slot) in slots.iter().enumerate() {
            let whole = (slot.gpa.0 | slot.hpa.0 | slot.len) & (PageSize::Kib4.bytes() - 1) == 0;
            let (Some(next), Some(_), true) =
                (slot.gpa.checked_add(slot.len), slot.hpa.checked_add(slot.len), whole)
            else {
                return Err(SlotsError::Ragged(index));
            };
            if slot.len == 0 {
                return Err(SlotsError::Ragged(index));
            }
            if slot.gpa.0 < end {
                return Err(SlotsError::Order(index));
            }
            end = next.0;
        }
        Ok(Self { slots })
    }
}

impl SecondDimension for Slots<'_> {
    #[inline]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        _memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        _trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        let after = self.slots.partition_point(|slot| slot.gpa <= gpa);
        let hole = NestedFailure { level: 0, reason: Reason::OutsideMemory };
        let slot = after.checked_sub(1).and_then(|i| self.slots.get(i)).ok_or(hole)?;
        let offset = gpa.0 - slot.gpa.0;
        if offset >= slot.len {
            return Err(hole);
        }
        if wanted.access == Access::Write && !slot.writable {
            let reason = Reason::Permission(Access::Write);
            return Err(NestedFailure { level: 0, reason });
        }
        let mut rights = Rights::READ | Rights::EXECUTE;
        rights.set(Rights::WRITE, slot.writable);
        let hpa = Hpa(slot.hpa.0 + offset);
        Ok(NestedPage { hpa, page: None, run: slot.len - offset, rights })
    }

    #[inline]
    fn identity(&self) -> u64 {
        0
    }
}

/// Any second dimension, chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested<'a> {
    /// See [`Direct`].
    Direct,
    /// See [`Slots`].
    Slots(Slots<'a>),
    /// Intel's extended page tables.
    Ept(Ept),
    /// AMD's nested page tables.
    Npt(Npt),
}

impl SecondDimension for Nested<'_> {
    #[inline]
    fn find<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Option<NestedPage> {
        match self {
            Self::Direct => Direct.find(memory, gpa, wanted, trail),
            Self::Slots(slots) => slots.find(memory, gpa, wanted, trail),
            Self::Ept(ept) => ept.find(memory, gpa, wanted, trail),
            Self::Npt(npt) => npt.find(memory, gpa, wanted, trail),
        }
    }

    #[inline]
    fn find_table<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        trail: &mut T,
    ) -> Option<Hpa> {
        match self {
            Self::Direct => Direct.find_table(memory, gpa, trail),
            Self::Slots(slots) => slots.find_table(memory, gpa, trail),
            Self::Ept(ept) => ept.find_table(memory, gpa, trail),
            Self::Npt(npt) => npt.find_table(memory, gpa, trail),
        }
    }

    #[inline]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        match self {
            Self::Direct => Direct.resolve(memory, gpa, wanted, trail),
            Self::Slots(slots) => slots.resolve(memory, gpa, wanted, trail),
            Self::Ept(ept) => ept.resolve(memory, gpa, wanted, trail),
            Self::Npt(npt) => npt.resolve(memory, gpa, wanted, trail),
        }
    }

    fn identity(&self) -> u64 {
        match self {
            Self::Direct => Direct.identity(),
            Self::Slots(slots) => slots.identity(),
            Self::Ept(ept) => ept.identity(),
            Self::Npt(npt) => npt.identity(),
        }
    }
}

impl<N: SecondDimension> SecondDimension for &N {
    #[inline]
    fn find<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Option<NestedPage> {
        (**self).find(memory, gpa, wanted, trail)
    }

    #[inline]
    fn find_table<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        trail: &mut T,
    ) -> Option<Hpa> {
        (**self).find_table(memory, gpa, trail)
    }

    #[inline]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        (**self).resolve(memory, gpa, wanted, trail)
    }

    fn identity(&self) -> u64 {
        (**self).identity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Words;

    const SLOTS: [Slot; 2] = [
        Slot { gpa: Gpa(0), len: 0x2000, hpa: Hpa(0x10_0000), writable: true },
        Slot { gpa: Gpa(0x4000), len: 0x1000, hpa: Hpa(0x20_0000), writable: false },
    ];

    fn resolve(gpa: u64, access: Access) -> Result<NestedPage, NestedFailure> {
        let slots = Slots::new(&SLOTS).unwrap();
        slots.resolve(&Words::new(Hpa(0), &[]), Gpa(gpa), Wanted { access, user: false }, &mut ())
    }

    #[test]
    fn a_slot_moves_addresses_and_ends_the_run() {
        let page = resolve(0x1ff8, Access::Write).unwrap();
        assert_eq!((page.hpa, page.run), (Hpa(0x10_1ff8), 8));
        let page = resolve(0x4000, Access::Read).unwrap();
        assert_eq!((page.hpa, page.rights), (Hpa(0x20_0000), Rights::READ | Rights::EXECUTE));
    }

    #[test]
    fn holes_and_read_only_slots_refuse() {
        let hole = Err(NestedFailure { level: 0, reason: Reason::OutsideMemory });
        assert_eq!(resolve(0x2000, Access::Read), hole);
        assert_eq!(resolve(0x5000, Access::Read), hole);
        assert_eq!(resolve(u64::MAX, Access::Read), hole);
        let denied = resolve(0x4000, Access::Write).unwrap_err();
        assert_eq!(denied.reason, Reason::Permission(Access::Write));
    }

    #[test]
    fn unusable_tables_of_slots_are_refused() {
        let mut slots = SLOTS;
        slots[1].gpa = Gpa(0x1000);
        assert_eq!(Slots::new(&slots), Err(SlotsError::Order(1)));
        slots[1] = Slot { len: 0x800, ..SLOTS[1] };
        assert_eq!(Slots::new(&slots), Err(SlotsError::Ragged(1)));
        slots[1] = Slot { gpa: Gpa(u64::MAX << 12), ..SLOTS[1] };
        assert_eq!(Slots::new(&slots), Err(SlotsError::Ragged(1)));
    }
}
