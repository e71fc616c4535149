//! A guest's physical memory, seen through nested tables, as memory.
//!
//! ```text
//!  AddressSpace(inner guest) -> Npt/Ept of the outer guest -> Behind(Ept of the host) -> host memory
//! ```
//! The tables that an outer guest keeps for its inner guest lie in the outer guest's physical memory.
//! Where that is the monitor's memory nothing more is needed. Where it is itself behind nested
//! tables, `Behind` is the memory, and so any depth of nesting is one two-dimensional walk over
//! another.

use crate::addr::{Gpa, Hpa};
use crate::failure::Access;
use crate::memory::{Outside, PhysMemory};
use crate::nested::{SecondDimension, Wanted};
use crate::parts::Parts;

/// Memory addressed by the guest physical addresses (as [`Hpa`]) of the guest behind `nested`.
#[derive(Debug)]
pub struct Behind<'a, M: ?Sized, N> {
    memory: &'a M,
    nested: N,
}

// By hand: deriving would ask the memory, which is only borrowed, to be `Copy`.
impl<M: ?Sized, N: Copy> Copy for Behind<'_, M, N> {}

impl<M: ?Sized, N: Copy> Clone for Behind<'_, M, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, M: PhysMemory + ?Sized, N: SecondDimension> Behind<'a, M, N> {
    /// The physical memory of the guest whose second dimension over `memory` is `nested`.
    #[must_use]
    pub const fn new(memory: &'a M, nested: N) -> Self {
        Self { memory, nested }
    }

    /// Where `at` lies, and how many of `len` bytes lie together there.
    fn run(&self, at: Hpa, len: usize, access: Access) -> Result<(Hpa, usize), Outside> {
        let wanted = Wanted { access, user: false };
        let page = self.nested.find(self.memory, Gpa(at.0), wanted, &mut ()).ok_or(Outside)?;
        Ok((page.hpa, usize::try_from(page.run).unwrap_or(usize::MAX).min(len)))
    }

    fn parts(&self, at: Hpa, len: usize) -> Result<Parts, Outside> {
        let mut parts = Parts::new();
        let (mut at, mut rest) = (at, len);
        while rest != 0 {
            let (hpa, n) = self.run(at, rest, Access::Write)?;
            if !self.memory.writable(hpa, n) {
                return Err(Outside);
            }
            parts.push(hpa, n).ok_or(Outside)?;
            rest -= n;
            at = next(at, n, rest)?;
        }
        Ok(parts)
    }
}

/// `n` bytes on, unless bytes are left and it wraps.
fn next(at: Hpa, n: usize, left: usize) -> Result<Hpa, Outside> {
    let on = u64::try_from(n).ok().and_then(|n| at.checked_add(n));
    on.or((left == 0).then_some(Hpa(0))).ok_or(Outside)
}

impl<M: PhysMemory + ?Sized, N: SecondDimension> PhysMemory for Behind<'_, M, N> {
    #[inline]
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        let hpa = self.nested.find_table(self.memory, Gpa(at.0), &mut ())?;
        self.memory.read_u64(hpa)
    }

    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        let (mut at, mut rest) = (at, into);
        while !rest.is_empty() {
            let (hpa, n) = self.run(at, rest.len(), Access::Read)?;
            let (now, later) = rest.split_at_mut(n);
            self.memory.read(hpa, now)?;
            rest = later;
            at = next(at, n, rest.len())?;
        }
        Ok(())
    }

    fn write(&self, at: Hpa, from: &[u8]) -> Result<(), Outside> {
        self.parts(at, from.len())?.write(self.memory, from)
    }

    fn writable(&self, at: Hpa, len: usize) -> bool {
        self.parts(at, len).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::addr::{Cr3, Eptp, Gva, NestedCr3, PhysWidth};
    use crate::guest::GuestPaging;
    use crate::memory::Words;
    use crate::space::AddressSpace;
    use crate::tables::{Ept, Npt, NptMode};

    /// Host memory of 64 pages. The host's EPT maps the outer guest's page n to page n + 16; the
    /// outer guest's NPT maps the inner guest's page n to its page n + 8; the inner guest maps
    /// virtual page 0 to its page 7 and virtual page 1 to its page 9, which is read-only in the EPT.
    fn host() -> Vec<AtomicU64> {
        let words: Vec<AtomicU64> = (0..64 * 512).map(|_| AtomicU64::new(0)).collect();
        let set = |at: usize, value: u64| words[at / 8].store(value, Ordering::Relaxed);
        for page in 1..4 {
            set(page << 12, ((page as u64 + 1) << 12) | 7);
            set((16 + page) << 12, ((page as u64 + 1) << 12) | 7);
        }
        for page in 0..32 {
            let rights = if page == 17 { 0x35 } else { 0x37 };
            set((4 << 12) + page * 8, ((page as u64 + 16) << 12) | rights);
            set((20 << 12) + page * 8, ((page as u64 + 8) << 12) | 7);
        }
        let inner = |page: usize| (page + 8 + 16) << 12;
        for page in 1..4 {
            set(inner(page), ((page as u64 + 1) << 12) | 7);
        }
        set(inner(4), 0x7007);
        set(inner(4) + 8, 0x9007);
        set(inner(7) + 0xff8, 0x1111_1111_1111_1111);
        set(inner(9), 0x2222_2222_2222_2222);
        words
    }

    #[test]
    fn a_guest_in_a_guest_is_an_address_space_over_memory_behind_tables() {
        let words = host();
        let memory = Words::new(Hpa(0), &words);
        let ept = Ept::decode(Eptp(0x1000 | 0x1e), PhysWidth::MAX).unwrap();
        let outer = Behind::new(&memory, ept);
        let npt = Npt::new(NestedCr3(0x1000), NptMode::Level4, PhysWidth::MAX);
        let inner = AddressSpace::new(&outer, GuestPaging::level4(Cr3(0x1000)), npt);
        let mut bytes = [0; 16];
        inner.read(Gva(0xff8), &mut bytes).unwrap();
        assert_eq!(bytes, *b"\x11\x11\x11\x11\x11\x11\x11\x11\"\"\"\"\"\"\"\"");
        assert!(inner.write(Gva(0xff8), &bytes).is_err(), "the host's tables forbid it");
        assert_eq!(inner.read_u64(Gva(0xff8)), Ok(0x1111_1111_1111_1111));
        inner.write(Gva(0xff8), b"abcdefgh").unwrap();
        assert_eq!(inner.read_u64(Gva(0xff8)), Ok(u64::from_le_bytes(*b"abcdefgh")));
        assert!(!outer.writable(Hpa(17 << 12), 1) && outer.writable(Hpa(16 << 12), 0x1000));
        assert_eq!(outer.read(Hpa(u64::MAX), &mut [0; 2]), Err(Outside));
    }
}
