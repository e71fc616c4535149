//! From the address QEMU reports for a store to a guest-physical one.
//!
//! Before 8.2 QEMU gives the offset of the byte in its RAM blocks, later the guest-physical
//! address. For RAM below the hole under 4 GiB both are the same number (the machine's RAM is the
//! first block, since its backend is made before anything else has memory). Above, they differ, and
//! version 1 of the interface covers both kinds of QEMU. There the guest's own page tables decide,
//! once: the descriptor's CR3 must translate the address the guest stored to into the page we
//! think it is.

use std::sync::atomic::{AtomicU8, Ordering};

use hypercall::{Header, MAGIC};
use npt::{Access, AddressSpace, Cr3, Direct, Gpa, GuestPaging, Gva, Hpa, PhysMemory};
use shim::memory::GuestRam;
use zerocopy::{FromBytes, IntoBytes};

/// Where RAM above the hole begins.
const HIGH: u64 = 1 << 32;

/// From this version of the interface on addresses are guest-physical.
const PHYSICAL_SINCE: i32 = 2;

/// What QEMU's addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Guest-physical.
    Physical,
    /// Offsets in RAM.
    Offset,
}

/// Turns QEMU's addresses into guest-physical ones.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// RAM below the hole.
    below: u64,
    /// RAM in all.
    size: u64,
    /// 0 not known yet, 1 physical, 2 offsets.
    kind: AtomicU8,
}

impl Addresses {
    /// For a QEMU with this version of the interface.
    pub(crate) const fn new(version: i32, below: u64, size: u64) -> Self {
        let kind = if version >= PHYSICAL_SINCE { 1 } else { 0 };
        Self { below, size, kind: AtomicU8::new(kind) }
    }

    /// The page in which the byte at `address` lies, to which the guest stored at `gva`; `None` if
    /// that is no RAM, or cannot be made out.
    ///
    /// # Context
    /// On the firing path.
    #[inline]
    pub(crate) fn page(&self, memory: &GuestRam, address: u64, gva: u64) -> Option<Gpa> {
        if address < self.below {
            return Some(Gpa(address & !0xfff));
        }
        let kind = match self.kind.load(Ordering::Relaxed) {
            1 => Kind::Physical,
            2 => Kind::Offset,
            _ => self.decide(memory, address, gva)?,
        };
        self.candidate(kind, address)
    }

    /// The page if addresses were of that kind.
    const fn candidate(&self, kind: Kind, address: u64) -> Option<Gpa> {
        let gpa = match kind {
            Kind::Physical if address >= HIGH && address - HIGH < self.size - self.below => address,
            Kind::Offset if address >= self.below && address < self.size => {
                address - self.below + HIGH
            }
            _ => return None,
        };
        Some(Gpa(gpa & !0xfff))
    }

    /// Finds out what addresses are, and keeps it.
    #[cold]
    fn decide(&self, memory: &GuestRam, address: u64, gva: u64) -> Option<Kind> {
        for (kind, number) in [(Kind::Physical, 1), (Kind::Offset, 2)] {
            let fits = self
                .candidate(kind, address)
                .is_some_and(|page| is_mapped_there(memory, page, gva));
            if fits {
                self.kind.store(number, Ordering::Relaxed);
                return Some(kind);
            }
        }
        None
    }
}

/// Whether the descriptor in `page` has page tables that map `gva` to it.
fn is_mapped_there(memory: &GuestRam, page: Gpa, gva: u64) -> bool {
    let mut bytes = Header::ZERO;
    if memory.read(Hpa(page.0), bytes.as_mut_bytes()).is_err() {
        return false;
    }
    let Ok(header) = Header::ref_from_bytes(bytes.as_bytes()) else { return false };
    if header.magic != MAGIC {
        return false;
    }
    let cr3 = Cr3(header.cr3);
    [GuestPaging::level4(cr3), GuestPaging::level5(cr3)].into_iter().any(|paging| {
        let space = AddressSpace::new(memory, paging, Direct);
        let found = space.translate(Gva(gva), Access::Write);
        found.is_ok_and(|found| found.gpa.0 & !0xfff == page.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::{GuestAddress, GuestRegionMmap};

    const BELOW: u64 = 1 << 20;
    const SIZE: u64 = 2 << 20;
    const GVA: u64 = 0xffff_8000_0000_0010;

    /// 1 MiB below the hole, 1 MiB above, tables in low memory that map `GVA` to `page`, and a
    /// descriptor there.
    fn memory(page: u64) -> GuestRam {
        let region =
            |base| GuestRegionMmap::from_range(GuestAddress(base), 1 << 20, None).expect("maps");
        let ram = GuestRam::new(vec![region(0), region(HIGH)]).expect("apart");
        let set = |at: u64, value: u64| ram.write(Hpa(at), &value.to_le_bytes()).expect("RAM");
        set(0x1000 + 256 * 8, 0x2003);
        set(0x2000, 0x3003);
        set(0x3000, 0x4003);
        set(0x4000, page | 3);
        let mut header = Header::ZERO;
        header.magic = MAGIC;
        header.cr3 = 0x1000;
        ram.write(Hpa(page), header.as_bytes()).expect("RAM");
        ram
    }

    /// Below the hole nothing has to be decided, and nothing is.
    #[test]
    fn low_addresses_are_what_they_are() {
        let memory = memory(0x8000);
        let addresses = Addresses::new(1, BELOW, SIZE);
        assert_eq!(addresses.page(&memory, 0x8010, GVA), Some(Gpa(0x8000)));
        assert_eq!(addresses.kind.load(Ordering::Relaxed), 0);
    }

    /// The guest's page tables tell an offset from a physical address.
    #[test]
    fn page_tables_decide_above_the_hole() {
        let memory = memory(HIGH + 0x5000);
        let old = Addresses::new(1, BELOW, SIZE);
        assert_eq!(old.page(&memory, BELOW + 0x5010, GVA), Some(Gpa(HIGH + 0x5000)));
        assert_eq!(old.kind.load(Ordering::Relaxed), 2);
        let new = Addresses::new(1, BELOW, SIZE);
        assert_eq!(new.page(&memory, HIGH + 0x5010, GVA), Some(Gpa(HIGH + 0x5000)));
        assert_eq!(new.kind.load(Ordering::Relaxed), 1);
    }

    /// What is no RAM under the kind that is known is nothing.
    #[test]
    fn addresses_outside_ram_are_refused() {
        let memory = memory(HIGH + 0x5000);
        let addresses = Addresses::new(3, BELOW, SIZE);
        assert_eq!(addresses.page(&memory, BELOW + 0x5010, GVA), None);
        assert_eq!(addresses.page(&memory, u64::MAX, GVA), None);
        let undecided = Addresses::new(1, BELOW, SIZE);
        assert_eq!(undecided.page(&memory, HIGH + 0x6010, GVA), None);
        assert_eq!(undecided.kind.load(Ordering::Relaxed), 0);
    }
}
