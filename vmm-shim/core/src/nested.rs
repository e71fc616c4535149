//! A guest that is a hypervisor has guests of its own, whose memory a script may want.
//!
//! ```text
//!  host ── shim: GuestRam, by outer guest-physical address
//!   └─ L1, the traced guest ── its module's FIRE says: root, CR3, CR0, CR4, EFER
//!       └─ L2, the inner guest: virtual ──its CR3──▶ its physical ──root──▶ L1's physical
//! ```
//! The vCPU that L1's module describes is the one loaded on the CPU that fires, at the moment of
//! the fire: nothing is remembered, so there is nothing to go stale. L1's other CPUs run on
//! meanwhile and may take a page from L2 and use it for something else, so each page is looked up
//! once more after it was read ([`AddressSpace::read_settled`]). Both dimensions' tables lie in
//! L1's RAM, where L1 and L2 can write what they like: the walk is bounded, and what it finds is
//! memory of the VM or none.

use hypercall::{Nested, NestedKind};
use npt::{
    AddressSpace, Cr3, Dimension, During, Ept, Eptp, Failure, Gpa, GuestPaging, Gva, NestedCache,
    NestedCr3, Npt, NptMode, PagingMode, PhysWidth, Reason, SecondDimension,
};
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

use crate::memory::GuestRam;

/// A vCPU of the traced guest's own guest.
#[derive(Debug)]
pub(crate) struct InnerGuest<'a> {
    vcpu: &'a Nested,
    cache: &'a NestedCache,
}

impl<'a> InnerGuest<'a> {
    /// The vCPU that a fire brought, with the cache of the outer vCPU that fires, whose
    /// `begin_fire` was called in this fire.
    pub(crate) fn new(vcpu: &'a Nested, cache: &'a NestedCache) -> Self {
        Self { vcpu, cache }
    }

    /// Reads the inner guest's memory at a virtual address of its own, kernel's and user's alike.
    ///
    /// # Context
    /// Firing path: no allocation, no lock, bounded by the length.
    ///
    /// # Errors
    /// The first address that cannot be read, or `gva` if the tables' root is none.
    pub(crate) fn read(
        &self,
        memory: &GuestRam,
        outer: PagingMode,
        gva: Gva,
        buf: &mut [u8],
    ) -> Result<(), Failure> {
        let root = self.vcpu.root;
        let rootless = Failure {
            gva,
            dimension: Dimension::Nested { gpa: Gpa(root), during: During::Page },
            level: 0,
            reason: Reason::Misconfigured,
        };
        match NestedKind::from_raw(self.vcpu.kind) {
            Some(NestedKind::Npt) => {
                // Nested tables have as many levels as those of the hypervisor's own kernel.
                let mode = match outer {
                    PagingMode::Level5 => NptMode::Level5,
                    _ => NptMode::Level4,
                };
                self.through(memory, Npt::new(NestedCr3(root), mode, PhysWidth::MAX), gva, buf)
            }
            Some(NestedKind::Ept) => match Ept::decode(Eptp(root), PhysWidth::MAX) {
                Ok(ept) => self.through(memory, ept, gva, buf),
                Err(_) => Err(rootless),
            },
            None => Err(rootless),
        }
    }

    fn through<N: SecondDimension>(
        &self,
        memory: &GuestRam,
        nested: N,
        gva: Gva,
        buf: &mut [u8],
    ) -> Result<(), Failure> {
        let space = AddressSpace::new(memory, self.paging(), nested).with_cache(self.cache);
        space.read_settled(gva, buf)
    }

    /// How the inner guest's CPU translates now.
    fn paging(&self) -> GuestPaging {
        GuestPaging::from_registers(
            Cr0Flags::from_bits_truncate(self.vcpu.cr0),
            Cr3(self.vcpu.cr3),
            Cr4Flags::from_bits_truncate(self.vcpu.cr4),
            EferFlags::from_bits_truncate(self.vcpu.efer),
            PhysWidth::MAX,
        )
    }
}
