//! Reading and writing guest memory by virtual address.

use core::sync::atomic::{Ordering, fence};

use crate::addr::{Gpa, Gva, Hpa};
use crate::cache::{Lookup, NoCache};
use crate::failure::{Access, During, Failure, Reason};
use crate::guest::{GuestPaging, Translation, Walker, outside};
use crate::memory::PhysMemory;
use crate::nested::{Direct, SecondDimension};
use crate::parts::Parts;

/// How many bytes of a string are copied before they are searched: most names are shorter.
const STRING_PIECE: usize = 64;

/// How often [`AddressSpace::read_settled`] reads a page that moves.
const SETTLE_TRIES: usize = 8;

/// A guest's virtual memory, as one vCPU sees it at one moment.
///
/// Cheap to make and to copy: a fire makes one from the descriptor's CR3.
///
/// # All or nothing
/// A read that fails leaves zeroes, never some of the bytes; a write that fails has written
/// nothing. A guest that changes its tables meanwhile gives each page as it was before or after.
///
/// # Context
/// Firing path: no allocation, no blocking; time is bounded by the length asked for.
#[derive(Debug)]
pub struct AddressSpace<'a, M: ?Sized, N = Direct, C = NoCache> {
    memory: &'a M,
    paging: GuestPaging,
    nested: N,
    user: bool,
    cache: C,
}

// By hand: deriving would ask the memory, which is only borrowed, to be `Copy`.
impl<M: ?Sized, N: Copy, C: Copy> Copy for AddressSpace<'_, M, N, C> {}

impl<M: ?Sized, N: Copy, C: Copy> Clone for AddressSpace<'_, M, N, C> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

/// What [`AddressSpace::read_c_string`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CString {
    /// Bytes before the NUL, or the whole bound.
    pub len: usize,
    /// A NUL ended it; otherwise the bound did, and the guest's string is longer.
    pub terminated: bool,
}

impl<'a, M: PhysMemory + ?Sized, N: SecondDimension> AddressSpace<'a, M, N> {
    /// The virtual memory that `paging` describes, over `nested`, over `memory`.
    #[inline]
    #[must_use]
    pub const fn new(memory: &'a M, paging: GuestPaging, nested: N) -> Self {
        Self { memory, paging, nested, user: false, cache: NoCache }
    }
}

impl<'a, M: PhysMemory + ?Sized, N: SecondDimension, C: Lookup> AddressSpace<'a, M, N, C> {
    /// The same memory through a cache; see there for who must invalidate it when.
    #[inline]
    #[must_use]
    pub fn with_cache<D: Lookup>(self, cache: D) -> AddressSpace<'a, M, N, D> {
        let Self { memory, paging, nested, user, cache: _ } = self;
        AddressSpace { memory, paging, nested, user, cache }
    }

    /// The same memory, but only what user mode may touch: what `copyin` and `copyout` want.
    #[inline]
    #[must_use]
    pub const fn as_user(mut self) -> Self {
        self.user = true;
        self
    }

    /// The paging.
    #[inline]
    #[must_use]
    pub const fn paging(&self) -> &GuestPaging {
        &self.paging
    }

    /// Translates one address.
    ///
    /// # Errors
    /// [`Failure`]: in which dimension, at which level and why not.
    #[inline]
    pub fn translate(&self, gva: Gva, access: Access) -> Result<Translation, Failure> {
        let walker = Walker::new(self.memory, &self.nested);
        self.cache.lookup(walker, &self.paging, gva, access, self.user)
    }

    /// Reads `into.len()` bytes from `gva`.
    ///
    /// # Errors
    /// [`Failure`] for the first address that cannot be read; `into` is zeroed then.
    #[inline]
    pub fn read(&self, gva: Gva, into: &mut [u8]) -> Result<(), Failure> {
        // Nearly every read is of a few bytes in one page.
        if let Ok(page) = self.translate(gva, Access::Read)
            && usize::try_from(page.run).is_ok_and(|run| run >= into.len())
            && self.memory.read(page.hpa, into).is_ok()
        {
            return Ok(());
        }
        self.read_any(gva, into)
    }

    /// Reads over any number of pages, and finds out which of them fails.
    #[cold]
    fn read_any(&self, gva: Gva, into: &mut [u8]) -> Result<(), Failure> {
        let done = self.read_pages(gva, into);
        if done.is_err() {
            into.fill(0);
        }
        done
    }

    fn read_pages(&self, gva: Gva, into: &mut [u8]) -> Result<(), Failure> {
        self.check_range(gva, into.len())?;
        let (mut at, mut rest) = (gva, into);
        while !rest.is_empty() {
            let (page, n) = self.run(at, rest.len(), Access::Read)?;
            let (now, later) = rest.split_at_mut(n);
            self.memory.read(page.hpa, now).map_err(|_| outside(at, page.gpa, During::Page))?;
            rest = later;
            at = advance(at, n);
        }
        Ok(())
    }

    /// As [`AddressSpace::read`], where nothing keeps a page from being taken away and reused
    /// while it is read: each page is translated anew after its bytes were copied, and copied
    /// again if it is another one now.
    ///
    /// A guest's vCPU that stands still in a hypercall holds its own pages: whoever unmaps one
    /// waits for it before the frame is reused. Nobody waits for a hypervisor's vCPU that stands
    /// still before the pages of *its* guest are reused; this is for those.
    ///
    /// # Errors
    /// As [`AddressSpace::read`], and [`Reason::Unsettled`] if a page moved at every one of
    /// a few tries.
    pub fn read_settled(&self, gva: Gva, into: &mut [u8]) -> Result<(), Failure> {
        let done = self.check_range(gva, into.len()).and_then(|()| self.settle(gva, into));
        if done.is_err() {
            into.fill(0);
        }
        done
    }

    fn settle(&self, gva: Gva, into: &mut [u8]) -> Result<(), Failure> {
        let (mut at, mut rest) = (gva, into);
        while !rest.is_empty() {
            let n = self.settle_page(at, rest)?;
            rest = rest.get_mut(n..).unwrap_or_default();
            at = advance(at, n);
        }
        Ok(())
    }

    /// Reads what lies together from `at` on; returns how much that is, at least one byte.
    fn settle_page(&self, at: Gva, into: &mut [u8]) -> Result<usize, Failure> {
        let walker = Walker::new(self.memory, &self.nested);
        let mut page = self.translate(at, Access::Read)?;
        for _ in 0..SETTLE_TRIES {
            let n = usize::try_from(page.run).unwrap_or(usize::MAX).min(into.len());
            let now = into.get_mut(..n).unwrap_or_default();
            self.memory.read(page.hpa, now).map_err(|_| outside(at, page.gpa, During::Page))?;
            // The bytes come before the tables that vouch for them.
            fence(Ordering::Acquire);
            let after = NoCache.lookup(walker, &self.paging, at, Access::Read, self.user)?;
            if after.hpa == page.hpa && after.run == page.run {
                return Ok(n);
            }
            page = after;
        }
        Err(Failure::guest(at, 0, Reason::Unsettled))
    }

    /// Reads an aligned or unaligned little-endian `u64`.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    #[inline]
    pub fn read_u64(&self, gva: Gva) -> Result<u64, Failure> {
        let mut bytes = [0; 8];
        self.read(gva, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads a C string of at most `into.len()` bytes. What follows it in `into` is zeroed. Nothing
    /// behind the NUL is needed: the string may end right before an unmapped page.
    ///
    /// # Errors
    /// [`Failure`] for the first address that cannot be read before a NUL was found; `into` is
    /// zeroed then.
    pub fn read_c_string(&self, gva: Gva, into: &mut [u8]) -> Result<CString, Failure> {
        let found = self.scan(gva, into);
        let kept = found.map_or(0, |string| string.len);
        if let Some(rest) = into.get_mut(kept..) {
            rest.fill(0);
        }
        found
    }

    fn scan(&self, gva: Gva, into: &mut [u8]) -> Result<CString, Failure> {
        let bound = into.len();
        let (mut at, mut rest, mut len) = (gva, into, 0);
        while !rest.is_empty() {
            let (page, in_page) = self.run(at, rest.len(), Access::Read)?;
            let (now, later) = rest.split_at_mut(in_page);
            if let Some(end) = self.scan_run(at, &page, now)? {
                return Ok(CString { len: len + end, terminated: true });
            }
            len += in_page;
            rest = later;
            at = advance(at, in_page);
            if at.0 == 0 && !rest.is_empty() {
                return Err(Failure::guest(gva, 0, Reason::Wraps));
            }
        }
        Ok(CString { len: bound, terminated: false })
    }

    /// Copies one run in short pieces and looks for the NUL in the copy: a guest that changes the
    /// string meanwhile cannot move the end that was found.
    fn scan_run(
        &self,
        gva: Gva,
        page: &Translation,
        into: &mut [u8],
    ) -> Result<Option<usize>, Failure> {
        let mut done = 0;
        for piece in into.chunks_mut(STRING_PIECE) {
            let skip = u64::try_from(done).unwrap_or(u64::MAX);
            let hpa = Hpa(page.hpa.0.wrapping_add(skip));
            let gpa = Gpa(page.gpa.0.wrapping_add(skip));
            let at = advance(gva, done);
            self.memory.read(hpa, piece).map_err(|_| outside(at, gpa, During::Page))?;
            if let Some(end) = piece.iter().position(|&byte| byte == 0) {
                return Ok(Some(done + end));
            }
            done += piece.len();
        }
        Ok(None)
    }

    /// Writes `from` at `gva`, through pages that the guest itself could write and no others. All
    /// pages are translated before the first byte is written; bytes then go to those pages.
    ///
    /// The guest's caches of decoded instructions, where a monitor has any, are not told: this is
    /// for data.
    ///
    /// # Errors
    /// [`Failure`] for the first address that cannot be written, and [`Reason::TooLong`] for more
    /// than [`MAX_WRITE_PAGES`](crate::MAX_WRITE_PAGES) pages; nothing is written then.
    pub fn write(&self, gva: Gva, from: &[u8]) -> Result<(), Failure> {
        self.check_range(gva, from.len())?;
        let mut parts = Parts::new();
        let (mut at, mut rest) = (gva, from.len());
        while rest != 0 {
            let (page, n) = self.run(at, rest, Access::Write)?;
            if !self.memory.writable(page.hpa, n) {
                return Err(outside(at, page.gpa, During::Page));
            }
            if parts.push(page.hpa, n).is_none() {
                return Err(Failure::guest(at, 0, Reason::TooLong));
            }
            rest -= n;
            at = advance(at, n);
        }
        parts.write(self.memory, from).map_err(|_| Failure::guest(gva, 0, Reason::OutsideMemory))
    }

    /// Translates `at` and says how many of `len` bytes lie together there; at least one.
    #[inline]
    fn run(&self, at: Gva, len: usize, access: Access) -> Result<(Translation, usize), Failure> {
        let page = self.translate(at, access)?;
        let run = usize::try_from(page.run).unwrap_or(usize::MAX);
        Ok((page, run.min(len)))
    }

    /// Refuses a range that runs over the end of the 64-bit address space.
    #[inline]
    fn check_range(&self, gva: Gva, len: usize) -> Result<(), Failure> {
        let last = u64::try_from(len.saturating_sub(1)).unwrap_or(u64::MAX);
        match gva.checked_add(last) {
            Some(_) => Ok(()),
            None => Err(Failure::guest(gva, 0, Reason::Wraps)),
        }
    }
}

/// `n` bytes on; the range was checked not to wrap, its end alone may.
#[inline]
fn advance(at: Gva, n: usize) -> Gva {
    Gva(at.0.wrapping_add(u64::try_from(n).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::addr::Cr3;
    use crate::failure::Dimension;
    use crate::memory::Words;

    const P: u64 = 1;
    const W: u64 = 2;
    const U: u64 = 4;

    /// Sixteen pages. Tables in pages 1 to 4; virtual 0x1000.. is pages 8, 9 and 10, of which 9
    /// is the supervisor's and 10 read-only, then nothing.
    fn guest() -> Vec<AtomicU64> {
        let words: Vec<AtomicU64> = (0..16 * 512).map(|_| AtomicU64::new(0)).collect();
        let set = |at: usize, value: u64| words[at / 8].store(value, Ordering::Relaxed);
        set(0x1000, 0x2000 | P | W | U);
        set(0x2000, 0x3000 | P | W | U);
        set(0x3000, 0x4000 | P | W | U);
        set(0x4008, 0x8000 | P | W | U);
        set(0x4010, 0x9000 | P | W);
        set(0x4018, 0xa000 | P | U);
        words
    }

    fn space<'a>(memory: &'a Words<'a>) -> AddressSpace<'a, Words<'a>> {
        AddressSpace::new(memory, GuestPaging::level4(Cr3(0x1018)), Direct)
    }

    #[test]
    fn a_range_over_pages_is_read_as_one() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        memory.write(Hpa(0x8ffe), b"abcd").unwrap();
        let mut got = [0; 4];
        space(&memory).read(Gva(0x1ffe), &mut got).unwrap();
        assert_eq!(&got, b"abcd");
    }

    #[test]
    fn a_failed_read_leaves_zeroes() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        memory.write(Hpa(0xaffc), b"abcd").unwrap();
        let mut got = [0xff; 8];
        let failure = space(&memory).read(Gva(0x3ffc), &mut got).unwrap_err();
        assert_eq!(failure, Failure::guest(Gva(0x4000), 1, Reason::NotPresent));
        assert_eq!(got, [0; 8]);
    }

    #[test]
    fn a_failed_write_writes_nothing() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        let failure = space(&memory).write(Gva(0x2fff), b"xy").unwrap_err();
        let denied = Reason::Permission(Access::Write);
        assert_eq!(failure, Failure::guest(Gva(0x3000), 1, denied));
        assert_eq!(memory.read_u64(Hpa(0x9ff8)), Some(0));
        space(&memory).write(Gva(0x1fff), b"xy").unwrap();
        assert_eq!(memory.read_u64(Hpa(0x8ff8)), Some(u64::from(b'x') << 56));
        assert_eq!(memory.read_u64(Hpa(0x9000)), Some(u64::from(b'y')));
    }

    #[test]
    fn a_user_reaches_user_pages_only() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        let user = space(&memory).as_user();
        assert!(user.read(Gva(0x1000), &mut [0]).is_ok());
        let failure = user.read(Gva(0x2000), &mut [0]).unwrap_err();
        assert_eq!((failure.level, failure.reason), (1, Reason::Supervisor));
    }

    #[test]
    fn a_string_may_end_before_an_unmapped_page_but_not_in_it() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        memory.write(Hpa(0xaff0), b"0123456789abcde\0").unwrap();
        let mut text = [0xff; 32];
        let found = space(&memory).read_c_string(Gva(0x3ff0), &mut text).unwrap();
        assert_eq!(found, CString { len: 15, terminated: true });
        assert_eq!(&text, b"0123456789abcde\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        memory.write(Hpa(0xafff), b"f").unwrap();
        let failure = space(&memory).read_c_string(Gva(0x3ff0), &mut text).unwrap_err();
        assert_eq!(failure.gva, Gva(0x4000));
        assert_eq!(text, [0; 32]);
        let found = space(&memory).read_c_string(Gva(0x3ff0), &mut text[..16]).unwrap();
        assert_eq!(found, CString { len: 16, terminated: false });
    }

    /// Memory whose owner takes virtual page 1 to the frame that it is not in, and reuses the one
    /// that it leaves, each time somebody is about to read bytes; `left` times.
    struct Restless<'a> {
        words: Words<'a>,
        left: core::cell::Cell<u64>,
    }

    impl PhysMemory for Restless<'_> {
        fn read_u64(&self, at: Hpa) -> Option<u64> {
            self.words.read_u64(at)
        }

        fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), crate::Outside> {
            if let Some(left) = self.left.get().checked_sub(1) {
                self.left.set(left);
                let here = self.words.read_u64(Hpa(0x4008)).unwrap() & 0xf000;
                let there = if here == 0x8000 { 0xb000_u64 } else { 0x8000 };
                self.words.write(Hpa(there), &left.to_le_bytes())?;
                self.words.write(Hpa(0x4008), &(there | P | W | U).to_le_bytes())?;
                self.words.write(Hpa(here), b"garbage!")?;
            }
            self.words.read(at, into)
        }

        fn write(&self, at: Hpa, from: &[u8]) -> Result<(), crate::Outside> {
            self.words.write(at, from)
        }

        fn writable(&self, at: Hpa, len: usize) -> bool {
            self.words.writable(at, len)
        }
    }

    #[test]
    fn a_page_reused_while_it_is_read_is_read_again_where_it_is_now() {
        let words = guest();
        for moves in [1, 2, 7] {
            let memory = Restless { words: Words::new(Hpa(0), &words), left: moves.into() };
            let space = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1018)), Direct);
            let mut got = [0xff; 8];
            space.read_settled(Gva(0x1000), &mut got).unwrap();
            assert_eq!(u64::from_le_bytes(got), 0, "the last move's number");
            let memory = Restless { words: Words::new(Hpa(0), &words), left: moves.into() };
            let space = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1018)), Direct);
            space.read(Gva(0x1000), &mut got).unwrap();
            assert_eq!(&got, b"garbage!", "what a plain read would see");
        }
        let memory = Restless { words: Words::new(Hpa(0), &words), left: 8.into() };
        let space = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1018)), Direct);
        let mut got = [0xff; 8];
        let failure = space.read_settled(Gva(0x1000), &mut got).unwrap_err();
        assert_eq!((failure.reason, got), (Reason::Unsettled, [0; 8]));
        let mut got = [0; 4];
        assert!(space.read_settled(Gva(0x1ffe), &mut got).is_ok(), "over a page's end");
        assert_eq!(space.read_settled(Gva(0x3ffe), &mut got).unwrap_err().gva, Gva(0x4000));
    }

    #[test]
    fn ranges_over_the_end_of_everything_are_refused() {
        let words = guest();
        let memory = Words::new(Hpa(0), &words);
        let failure = space(&memory).read(Gva(u64::MAX - 2), &mut [0; 8]).unwrap_err();
        assert_eq!(failure.reason, Reason::Wraps);
        let hole = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x50_0000)), Direct);
        let failure = hole.read(Gva(0), &mut [0]).unwrap_err();
        let dimension =
            Dimension::Nested { gpa: Gpa(0x50_0000), during: During::Table { level: 4 } };
        assert_eq!((failure.dimension, failure.reason), (dimension, Reason::OutsideMemory));
    }
}
