//! The translation cache: right without any hook into the guest.
//!
//! ```text
//!  lookup --tag matches?--no--------------------------------> walk, keep trail and answer
//!             |yes
//!             +-- checked in this fire? --yes---------------> answer
//!             +-- every qword of the trail unchanged? --yes-> mark as checked, answer
//!             +-- no ---------------------------------------> walk, keep trail and answer
//! ```
//! A processor's TLB is kept right by the guest's own invalidations. Nobody tells us of those, so
//! an entry carries the proof of its own validity: the *trail*, the address and value of every
//! qword of every table, guest's and nested, that decided the answer. A walk is a pure function
//! of these; as long as they all still hold their values, a walk now would end where the old one
//! did. Checking is cheaper than walking because its loads do not wait for one another, and
//! because tables that several steps of a two-dimensional walk share are checked once.
//!
//! `docs/decisions/translation-cache.md` argues this at length and names what was rejected.

use core::cell::Cell;

use crate::addr::{Gpa, Gva, Hpa, PageSize};
use crate::failure::{Access, Failure};
use crate::guest::{GuestPaging, Translation, Walker};
use crate::memory::PhysMemory;
use crate::nested::SecondDimension;
use crate::walk::Trail;

/// How an [`AddressSpace`](crate::AddressSpace) finds translations: by walking ([`NoCache`]) or
/// through a [`TranslationCache`].
pub trait Lookup {
    /// Translates one address.
    ///
    /// # Errors
    /// As [`Walker::translate`]. Failures are never cached.
    fn lookup<M: PhysMemory + ?Sized, N: SecondDimension>(
        &self,
        walker: Walker<'_, M, N>,
        paging: &GuestPaging,
        gva: Gva,
        access: Access,
        user: bool,
    ) -> Result<Translation, Failure>;
}

/// Every translation is a walk.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl Lookup for NoCache {
    #[inline(always)]
    fn lookup<M: PhysMemory + ?Sized, N: SecondDimension>(
        &self,
        walker: Walker<'_, M, N>,
        paging: &GuestPaging,
        gva: Gva,
        access: Access,
        user: bool,
    ) -> Result<Translation, Failure> {
        walker.translate(paging, gva, access, user, &mut ())
    }
}

/// The trail of one guest walk without a second dimension of tables: five levels at most.
pub const TRAIL_ONE: usize = 5;
/// The longest trail of a two-dimensional walk: five guest levels and the page itself, five
/// nested levels for each, and the five guest entries.
pub const TRAIL_TWO: usize = 35;

/// For a guest over the monitor's memory: 64 pages, 10 KiB.
pub type GuestCache = TranslationCache<64, TRAIL_ONE>;
/// For a guest behind nested tables: 64 pages, 41 KiB.
pub type NestedCache = TranslationCache<64, TRAIL_TWO>;

/// A slot's cache of translations, direct-mapped: `ENTRIES` pages (a power of two), each with a
/// trail of at most `TRAIL` qwords. Longer trails are not cached.
///
/// # Invalidation
/// * [`begin_fire`](Self::begin_fire), at the start of every fire: entries are then checked
///   against the tables before their first use in the fire. Between two checks of one entry, that
///   is within one fire, the answer is as old as the fire: what the stopped vCPU's own TLB could
///   hold. A user that wants every lookup checked calls it before each.
/// * [`clear`](Self::clear), when the memory itself or the monitor's slots change (hot-plug):
///   neither is part of an entry's proof.
/// * Nothing else. Another CR3, mode, root or kind of second dimension is another tag; changed
///   tables are seen; a page that left memory fails its check.
///
/// # Context
/// One slot's, so one thread's at a time: not `Sync`. No allocation; a lookup reads at most
/// `TRAIL` qwords more than a walk.
#[derive(Debug)]
pub struct TranslationCache<const ENTRIES: usize, const TRAIL: usize> {
    fire: Cell<u64>,
    entries: [Entry<TRAIL>; ENTRIES],
}

/// What an entry is the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag {
    /// The page's number (52 bits), the access and whether as a user.
    page: u64,
    /// The guest's root and how its CPU translates.
    guest: u64,
    /// The second dimension's.
    nested: u64,
}

impl Tag {
    #[inline(always)]
    fn new(paging: &GuestPaging, nested: u64, gva: Gva, access: Access, user: bool) -> Self {
        let access = match access {
            Access::Read => 1,
            Access::Write => 2,
            Access::Execute => 3,
        };
        let page = gva.page_start(PageSize::Kib4).0 | access | u64::from(user) << 2;
        Self { page, guest: paging.identity(), nested }
    }

    /// The access, and whether as a user.
    #[inline]
    const fn asked(self) -> (Access, bool) {
        let access = match self.page & 3 {
            2 => Access::Write,
            3 => Access::Execute,
            _ => Access::Read,
        };
        (access, self.page & 4 != 0)
    }

    /// No access is 0: nothing has this tag.
    const NONE: Self = Self { page: 0, guest: 0, nested: 0 };

    /// The index of the one entry that may hold it.
    #[inline(always)]
    fn index(self, entries: usize) -> usize {
        let mixed = (self.page >> 12) ^ (self.page >> 18) ^ (self.guest >> 12);
        usize::try_from(mixed & 0xffff_ffff).unwrap_or(0) & (entries - 1)
    }
}

#[derive(Debug)]
struct Entry<const TRAIL: usize> {
    tag: Cell<Tag>,
    /// The fire in which the trail was last found unchanged.
    checked: Cell<u64>,
    /// The translation of the first byte of the 4 KiB page.
    answer: Cell<Translation>,
    steps: Cell<usize>,
    trail: [Cell<(Hpa, u64)>; TRAIL],
}

impl<const TRAIL: usize> Entry<TRAIL> {
    const fn new() -> Self {
        let rights = crate::nested::Rights::empty();
        let translation = Translation {
            gpa: Gpa(0),
            hpa: Hpa(0),
            guest_page: None,
            nested_page: None,
            run: 0,
            rights,
        };
        Self {
            tag: Cell::new(Tag::NONE),
            checked: Cell::new(0),
            answer: Cell::new(translation),
            steps: Cell::new(0),
            trail: [const { Cell::new((Hpa(0), 0)) }; TRAIL],
        }
    }

    /// Whether a walk now would read what the walk then read.
    #[inline(always)]
    fn holds<M: PhysMemory + ?Sized>(&self, memory: &M) -> bool {
        // No early end: the loads shall not wait for one another's outcome.
        let mut changed = 0;
        for step in self.trail.iter().take(self.steps.get()) {
            let (at, value) = step.get();
            changed |= memory.read_u64(at).unwrap_or(!value) ^ value;
        }
        changed == 0
    }

    /// The kept answer, moved from the page's first byte to `gva`.
    #[inline(always)]
    fn answer_for(&self, gva: Gva) -> Translation {
        let mut translation = self.answer.get();
        let offset = gva.offset_in(PageSize::Kib4);
        translation.gpa.0 += offset;
        translation.hpa.0 += offset;
        translation.run -= offset;
        translation
    }

    /// Keeps an answer, unless its trail was too long.
    fn keep(&self, tag: Tag, fire: u64, gva: Gva, found: &Translation, seen: &Recorder<TRAIL>) {
        let offset = gva.offset_in(PageSize::Kib4);
        let Some(steps) = seen.steps() else {
            self.tag.set(Tag::NONE);
            return;
        };
        let mut translation = *found;
        translation.gpa.0 -= offset;
        translation.hpa.0 -= offset;
        translation.run += offset;
        for (kept, step) in self.trail.iter().zip(steps) {
            kept.set(*step);
        }
        self.answer.set(translation);
        self.steps.set(steps.len());
        self.checked.set(fire);
        self.tag.set(tag);
    }
}

impl<const ENTRIES: usize, const TRAIL: usize> TranslationCache<ENTRIES, TRAIL> {
    const POWER_OF_TWO: () = assert!(ENTRIES.is_power_of_two());

    /// An empty cache.
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::POWER_OF_TWO;
        Self { fire: Cell::new(1), entries: [const { Entry::new() }; ENTRIES] }
    }

    /// A fire starts: no entry counts as checked any more.
    #[inline]
    pub fn begin_fire(&self) {
        // At a fire a nanosecond this wraps after 584 years.
        self.fire.set(self.fire.get().wrapping_add(1));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for entry in &self.entries {
            entry.tag.set(Tag::NONE);
        }
    }
}

impl<const ENTRIES: usize, const TRAIL: usize> Default for TranslationCache<ENTRIES, TRAIL> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ENTRIES: usize, const TRAIL: usize> Lookup for &TranslationCache<ENTRIES, TRAIL> {
    #[inline]
    fn lookup<M: PhysMemory + ?Sized, N: SecondDimension>(
        &self,
        walker: Walker<'_, M, N>,
        paging: &GuestPaging,
        gva: Gva,
        access: Access,
        user: bool,
    ) -> Result<Translation, Failure> {
        let tag = Tag::new(paging, walker.nested().identity(), gva, access, user);
        let Some(entry) = self.entries.get(tag.index(ENTRIES)) else {
            return walker.translate(paging, gva, access, user, &mut ());
        };
        // Small, so that it becomes part of the caller.
        if entry.tag.get() == tag && entry.checked.get() == self.fire.get() {
            return Ok(entry.answer_for(gva));
        }
        self.check(entry, tag, walker, paging, gva)
    }
}

impl<const ENTRIES: usize, const TRAIL: usize> TranslationCache<ENTRIES, TRAIL> {
    /// The entry's first use in a fire.
    #[inline(never)]
    fn check<M: PhysMemory + ?Sized, N: SecondDimension>(
        &self,
        entry: &Entry<TRAIL>,
        tag: Tag,
        walker: Walker<'_, M, N>,
        paging: &GuestPaging,
        gva: Gva,
    ) -> Result<Translation, Failure> {
        if entry.tag.get() == tag && entry.holds(walker.memory()) {
            entry.checked.set(self.fire.get());
            return Ok(entry.answer_for(gva));
        }
        self.fill(entry, tag, walker, paging, gva)
    }

    /// A walk, whose trail and answer are kept.
    #[inline(never)]
    fn fill<M: PhysMemory + ?Sized, N: SecondDimension>(
        &self,
        entry: &Entry<TRAIL>,
        tag: Tag,
        walker: Walker<'_, M, N>,
        paging: &GuestPaging,
        gva: Gva,
    ) -> Result<Translation, Failure> {
        let mut seen = Recorder::new();
        let (access, user) = tag.asked();
        let found = walker.translate(paging, gva, access, user, &mut seen)?;
        entry.keep(tag, self.fire.get(), gva, &found, &seen);
        Ok(found)
    }
}

/// Keeps a trail, each qword once.
struct Recorder<const TRAIL: usize> {
    steps: [(Hpa, u64); TRAIL],
    len: usize,
    overflowed: bool,
}

impl<const TRAIL: usize> Recorder<TRAIL> {
    #[inline]
    const fn new() -> Self {
        Self { steps: [(Hpa(0), 0); TRAIL], len: 0, overflowed: false }
    }

    fn steps(&self) -> Option<&[(Hpa, u64)]> {
        if self.overflowed { None } else { self.steps.get(..self.len) }
    }
}

impl<const TRAIL: usize> Trail for Recorder<TRAIL> {
    #[inline]
    fn saw(&mut self, at: Hpa, value: u64) {
        // The same place with two values (it changed under the walk) is kept twice: such an entry
        // never passes a check.
        let step = (at, value);
        if self.steps.iter().take(self.len).any(|&known| known == step) {
            return;
        }
        match self.steps.get_mut(self.len) {
            Some(free) => {
                *free = step;
                self.len += 1;
            }
            None => self.overflowed = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::addr::Cr3;
    use crate::memory::Words;
    use crate::nested::Direct;
    use crate::space::AddressSpace;

    /// One-page tables at 0x1000 to 0x4000 that map virtual page 0 to `frame`.
    fn guest(frame: u64) -> Vec<AtomicU64> {
        let words: Vec<AtomicU64> = (0..16 * 512).map(|_| AtomicU64::new(0)).collect();
        for (at, value) in [(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x4000), (0x4000, frame)] {
            words[at / 8].store(value | 7, Ordering::Relaxed);
        }
        for page in 0..16_u64 {
            let word = usize::try_from(page * 512 + 511).unwrap();
            words[word].store(page, Ordering::Relaxed);
        }
        words
    }

    fn read(words: &[AtomicU64], cache: &GuestCache) -> Option<u64> {
        let memory = Words::new(Hpa(0), words);
        let paging = GuestPaging::level4(Cr3(0x1000));
        AddressSpace::new(&memory, paging, Direct).with_cache(cache).read_u64(Gva(0xff8)).ok()
    }

    #[test]
    fn a_remapped_page_is_seen_by_the_next_fire_at_whatever_level() {
        let words = guest(0x8000);
        let cache = GuestCache::new();
        assert_eq!(read(&words, &cache), Some(8));
        words[0x4000 / 8].store(0x9007, Ordering::Relaxed);
        assert_eq!(read(&words, &cache), Some(8), "within a fire as a TLB would have it");
        cache.begin_fire();
        assert_eq!(read(&words, &cache), Some(9));
        words[0x5000 / 8].store(0xa007, Ordering::Relaxed);
        words[0x3000 / 8].store(0x5007, Ordering::Relaxed);
        cache.begin_fire();
        assert_eq!(read(&words, &cache), Some(10));
        words[0x1000 / 8].store(0, Ordering::Relaxed);
        cache.begin_fire();
        assert_eq!(read(&words, &cache), None);
    }

    #[test]
    fn an_unchanged_page_is_found_again_without_a_walk() {
        let words = guest(0x8000);
        let cache = GuestCache::new();
        read(&words, &cache);
        let memory = Counting { inner: Words::new(Hpa(0), &words), reads: Cell::new(0) };
        let space = AddressSpace::new(&memory, GuestPaging::level4(Cr3(0x1000)), Direct);
        let space = space.with_cache(&cache);
        space.translate(Gva(0x123), Access::Read).unwrap();
        assert_eq!(memory.reads.get(), 0);
        cache.begin_fire();
        space.translate(Gva(0x456), Access::Read).unwrap();
        assert_eq!(memory.reads.get(), 4, "one check of the four entries");
    }

    #[test]
    fn other_roots_modes_accesses_and_users_do_not_share_entries() {
        let words = guest(0x8000);
        let cache = GuestCache::new();
        let memory = Words::new(Hpa(0), &words);
        words[0x4000 / 8].store(0x8001, Ordering::Relaxed);
        let at = |cr3| AddressSpace::new(&memory, GuestPaging::level4(Cr3(cr3)), Direct);
        let space = at(0x1000).with_cache(&cache);
        assert!(space.translate(Gva(0), Access::Read).is_ok());
        assert!(space.translate(Gva(0), Access::Write).is_err());
        assert!(space.as_user().translate(Gva(0), Access::Read).is_err());
        assert!(at(0x6000).with_cache(&cache).translate(Gva(0), Access::Read).is_err());
        let five = AddressSpace::new(&memory, GuestPaging::level5(Cr3(0x1000)), Direct);
        let found = five.with_cache(&cache).translate(Gva(0), Access::Read);
        assert_ne!(found.map(|t| t.gpa), Ok(Gpa(0x8000)));
    }

    #[test]
    fn clearing_forgets() {
        let words = guest(0x8000);
        let cache = GuestCache::new();
        read(&words, &cache);
        words[0x4000 / 8].store(0x9007, Ordering::Relaxed);
        cache.clear();
        assert_eq!(read(&words, &cache), Some(9));
    }

    struct Counting<'a> {
        inner: Words<'a>,
        reads: Cell<u32>,
    }

    impl PhysMemory for Counting<'_> {
        fn read_u64(&self, at: Hpa) -> Option<u64> {
            self.reads.set(self.reads.get() + 1);
            self.inner.read_u64(at)
        }
        fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), crate::Outside> {
            self.inner.read(at, into)
        }
        fn write(&self, at: Hpa, from: &[u8]) -> Result<(), crate::Outside> {
            self.inner.write(at, from)
        }
        fn writable(&self, at: Hpa, len: usize) -> bool {
            self.inner.writable(at, len)
        }
    }
}
