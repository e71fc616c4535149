//! Addresses, each kind a type of its own, so that no two kinds mix unnoticed.
//!
//! ```text
//!  Gva --guest's page tables--> Gpa --second dimension--> Hpa --PhysMemory--> bytes
//! ```
//! `Hpa` is "physical" as seen by whoever answers [`PhysMemory`](crate::PhysMemory): real host
//! memory for a host's EPT, the monitor's guest memory where the monitor's slots are the second
//! dimension, and the outer guest's memory where the inner guest is nested.

use core::fmt;
use x86_64::{PhysAddr, VirtAddr};

macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $short:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The address `bytes` further on; `None` if that wraps.
            #[inline]
            #[must_use]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The address `bytes` back; `None` if that wraps.
            #[inline]
            #[must_use]
            pub const fn checked_sub(self, bytes: u64) -> Option<Self> {
                match self.0.checked_sub(bytes) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// Bytes from `base` up to this address; `None` if `base` is higher.
            #[inline]
            #[must_use]
            pub const fn offset_from(self, base: Self) -> Option<u64> {
                self.0.checked_sub(base.0)
            }

            /// Where the address lies within a page of that size, in bytes.
            #[inline]
            #[must_use]
            pub const fn offset_in(self, page: PageSize) -> u64 {
                self.0 & (page.bytes() - 1)
            }

            /// The start of the page of that size in which the address lies.
            #[inline]
            #[must_use]
            pub const fn page_start(self, page: PageSize) -> Self {
                Self(self.0 & !(page.bytes() - 1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($short, " {:#x}"), self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }
    };
}

address! {
    /// A guest virtual (linear) address.
    Gva, "gva"
}
address! {
    /// A guest physical address.
    Gpa, "gpa"
}
address! {
    /// An address in the memory behind the last dimension; see the module's text.
    Hpa, "hpa"
}

impl From<VirtAddr> for Gva {
    fn from(address: VirtAddr) -> Self {
        Self(address.as_u64())
    }
}

impl From<PhysAddr> for Gpa {
    fn from(address: PhysAddr) -> Self {
        Self(address.as_u64())
    }
}

impl From<PhysAddr> for Hpa {
    fn from(address: PhysAddr) -> Self {
        Self(address.as_u64())
    }
}

/// The value of a guest's CR3 register: the root of its page tables and, around it, bits that do
/// not concern a walk (PCID, PWT, PCD, LAM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Cr3(pub u64);

/// The value of the EPT pointer in a VMCS; [`Ept::decode`](crate::Ept::decode) checks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Eptp(pub u64);

/// The value of N_CR3 in a VMCB: the root of AMD's nested page tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct NestedCr3(pub u64);

/// How many bytes one entry of a page table maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageSize {
    /// 4 KiB.
    Kib4,
    /// 2 MiB.
    Mib2,
    /// 4 MiB: 32-bit paging only.
    Mib4,
    /// 1 GiB.
    Gib1,
}

impl PageSize {
    /// The size's logarithm to base 2.
    #[inline]
    #[must_use]
    pub const fn shift(self) -> u32 {
        match self {
            Self::Kib4 => 12,
            Self::Mib2 => 21,
            Self::Mib4 => 22,
            Self::Gib1 => 30,
        }
    }

    /// The size in bytes.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.shift()
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kib4 => "4 KiB",
            Self::Mib2 => "2 MiB",
            Self::Mib4 => "4 MiB",
            Self::Gib1 => "1 GiB",
        })
    }
}

/// MAXPHYADDR: how many bits a physical address has (CPUID leaf `0x8000_0008`). Higher address
/// bits in a table entry are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysWidth(u8);

impl PhysWidth {
    /// The architecture's limit, 52 bits: no address bit is reserved. Right for a reader that
    /// does not know the CPU and would rather read than refuse.
    pub const MAX: Self = Self(52);

    /// A width of 32 to 52 bits; `None` outside.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= 32 && bits <= 52 { Some(Self(bits)) } else { None }
    }

    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The address bits from this width up to bit 51.
    pub(crate) const fn reserved(self) -> u64 {
        ((1 << 52) - 1) & !((1 << self.0) - 1)
    }
}

impl Default for PhysWidth {
    fn default() -> Self {
        Self::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_refuses_to_wrap() {
        assert_eq!(Gva(u64::MAX).checked_add(1), None);
        assert_eq!(Gpa(0).checked_sub(1), None);
        assert_eq!(Hpa(0x2000).offset_from(Hpa(0x3000)), None);
        assert_eq!(Hpa(0x3000).offset_from(Hpa(0x2ff0)), Some(0x10));
    }

    #[test]
    fn a_page_is_start_plus_offset() {
        let at = Gpa(0x1234_5678_9abc);
        for page in [PageSize::Kib4, PageSize::Mib2, PageSize::Mib4, PageSize::Gib1] {
            assert_eq!(at.page_start(page).checked_add(at.offset_in(page)), Some(at));
            assert_eq!(at.page_start(page).0 % page.bytes(), 0);
        }
    }

    #[test]
    fn width_names_the_reserved_bits() {
        assert_eq!(PhysWidth::MAX.reserved(), 0);
        assert_eq!(PhysWidth::new(40).map(PhysWidth::reserved), Some(0x000f_ff00_0000_0000));
        assert_eq!(PhysWidth::new(31), None);
        assert_eq!(PhysWidth::new(53), None);
    }
}
