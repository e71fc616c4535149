//! The one walker: from a root down a tree of tables, by constant geometry.
//!
//! It holds no state and touches memory only through the [`Entries`] it is given, once a level, so a
//! walk is bounded by the number of levels however the tables are knotted (an entry that points
//! at its own table is just another table). Each entry is read exactly once and everything is
//! decided on that copy: a guest that changes it at this moment gives the old or the new entry.

use crate::addr::{Hpa, PageSize};
use crate::failure::Reason;
use crate::geometry::{BIT0, Format, Level, Rules};

/// Where a walk arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// The translated address.
    pub(crate) address: u64,
    /// The page it lies in.
    pub(crate) page: PageSize,
    /// The permission bits all levels agree on, no-execute turned round.
    pub(crate) granted: u64,
}

/// What a walk that stops early has to say.
///
/// Every walk is first done for [`Unexplained`], which is nothing at all: telling reasons apart on
/// the way costs more than the walk. Only if there is no translation is it done again for
/// [`Stop`], to say why. If the guest changed its tables in between, the second walk may succeed;
/// then its answer counts, as if the first had come a moment later.
pub(crate) trait Verdict {
    /// An entry of this level is at fault.
    fn entry(level: u8, reason: Reason) -> Self;
    /// Not all levels grant what is required; `rights` by level number.
    fn denied(rights: [u64; MAX_LEVELS + 1], required: u64) -> Self;
}

/// There is no translation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unexplained;

impl Verdict for Unexplained {
    #[inline(always)]
    fn entry(_level: u8, _reason: Reason) -> Self {
        Self
    }

    #[inline(always)]
    fn denied(_rights: [u64; MAX_LEVELS + 1], _required: u64) -> Self {
        Self
    }
}

/// Why there is no translation. Errors of reading entries are passed on as `E`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop<E> {
    /// An entry of this level is at fault.
    Entry(u8, Reason),
    /// The access needs permission bits (second field) that the entry of this level lacks.
    Denied(u8, u64),
    /// An entry could not be read.
    Read(E),
}

impl<E> Verdict for Stop<E> {
    #[cold]
    fn entry(level: u8, reason: Reason) -> Self {
        Self::Entry(level, reason)
    }

    /// The topmost level that lacks what is required, and what it lacks.
    #[cold]
    fn denied(rights: [u64; MAX_LEVELS + 1], required: u64) -> Self {
        for level in [5_u8, 4, 3, 2, 1] {
            let lacking = required & !rights[usize::from(level)];
            if lacking != 0 {
                return Self::Denied(level, lacking);
            }
        }
        Self::Denied(0, required)
    }
}

/// Gets to see every qword that decided a translation; see [`crate::cache`].
pub trait Trail {
    /// `value` was found at `at`.
    fn saw(&mut self, at: Hpa, value: u64);

    /// What this translation already knows of the nested tables above `address`.
    #[inline(always)]
    fn shortcut(&self, _address: u64) -> Option<Shortcut> {
        None
    }

    /// The nested tables above an address were walked.
    #[inline(always)]
    fn keep(&mut self, _shortcut: Shortcut) {}
}

/// The table of level 2 for one GiB of addresses, and what the levels above it grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortcut {
    gib: u64,
    table: u64,
    granted: u64,
}

/// Within one translation, remembers the nested tables' upper levels.
///
/// A two-dimensional walk asks the nested tables up to six times, nearly always within one GiB,
/// whose upper entries are then the same words. They are read once, as a processor's
/// paging-structure caches do; the memory ends with the translation.
#[derive(Debug)]
pub(crate) struct Remembering<'a, T> {
    trail: &'a mut T,
    shortcut: Option<Shortcut>,
}

impl<'a, T: Trail> Remembering<'a, T> {
    /// Nothing is remembered yet.
    #[inline(always)]
    pub(crate) fn new(trail: &'a mut T) -> Self {
        Self { trail, shortcut: None }
    }
}

impl<T: Trail> Trail for Remembering<'_, T> {
    #[inline(always)]
    fn saw(&mut self, at: Hpa, value: u64) {
        self.trail.saw(at, value);
    }

    #[inline(always)]
    fn shortcut(&self, address: u64) -> Option<Shortcut> {
        self.shortcut.filter(|known| known.gib == address >> GIB)
    }

    #[inline(always)]
    fn keep(&mut self, shortcut: Shortcut) {
        self.shortcut = Some(shortcut);
    }
}

/// A GiB's bits.
const GIB: u32 = PageSize::Gib1.shift();

/// Nobody keeps the trail.
impl Trail for () {
    #[inline(always)]
    fn saw(&mut self, _at: Hpa, _value: u64) {}
}

/// The most levels a format has.
const MAX_LEVELS: usize = 5;

/// What one entry leads to.
enum Step {
    Table(u64),
    Page(PageSize),
}

/// Judges one entry of a level known when this is compiled.
#[inline(always)]
fn step<F: Format>(level: &'static Level, entry: u64, rules: &Rules) -> Result<Step, Reason> {
    if entry & BIT0 == 0
        && let Some(reason) = F::without_bit0(entry, rules)
    {
        return Err(reason);
    }
    let page = match level.page {
        Some(size) if level.number == 1 || entry & F::large(rules) != 0 => Some(size),
        _ => None,
    };
    let reserved = match page {
        Some(PageSize::Gib1 | PageSize::Mib4) => {
            rules.reserved | rules.reserved_large | level.reserved_page
        }
        Some(_) => rules.reserved | level.reserved_page,
        None => rules.reserved | level.reserved_table,
    };
    if entry & reserved != 0 || (page.is_some() && F::bad_page(entry)) {
        return Err(F::MALFORMED);
    }
    Ok(match page {
        Some(page) => Step::Page(page),
        None => Step::Table(entry & F::ADDRESS),
    })
}

/// Where entries come from: memory, or memory behind a second dimension. (A trait and not a closure,
/// because the walker must be one piece of code with it.)
pub(crate) trait Entries {
    /// What is said if there is no translation.
    type Error: Verdict;

    /// Reads the entry at `at`, in a table of that level.
    fn entry(&mut self, at: u64, level: u8) -> Result<u64, Self::Error>;

    /// As [`Trail::shortcut`].
    #[inline(always)]
    fn shortcut(&self, _address: u64) -> Option<Shortcut> {
        None
    }

    /// As [`Trail::keep`].
    #[inline(always)]
    fn keep(&mut self, _shortcut: Shortcut) {}
}

/// Walks `address` from the table at `root` (aligned to its size).
///
/// Not-present and malformed entries stop the walk where they are; missing permissions are found
/// once the page is, as on the processor, and name the topmost entry that lacks one.
#[inline(always)]
pub(crate) fn walk<F: Format, R: Entries>(
    root: u64,
    address: u64,
    rules: &Rules,
    required: u64,
    mut entries: R,
) -> Result<Leaf, R::Error> {
    let begin = entries.shortcut(address);
    let (mut table, mut granted) = begin.map_or((root, u64::MAX), |at| (at.table, at.granted));
    // The rights of each level, by number, for the one who asks which of them forbids.
    let mut rights = [u64::MAX; MAX_LEVELS + 1];
    // Written out, so that a level's geometry is constants in the code and not loads.
    macro_rules! level {
        ($depth:literal) => {
            if let Some(level) = const { level_at::<F>($depth) }
                && (level.number <= 2 || begin.is_none())
            {
                let at = table | level.offset(address, F::ENTRY_BYTES);
                let entry = entries.entry(at, level.number)?;
                let next = step::<F>(level, entry, rules);
                let right = (entry ^ F::INVERTED) | level.implied;
                rights[level.number as usize] = right;
                granted &= right;
                match next {
                    Ok(Step::Table(next)) => {
                        table = next;
                        if level.number == 3 {
                            entries.keep(Shortcut { gib: address >> GIB, table, granted });
                        }
                    }
                    Ok(Step::Page(page)) => {
                        if required & !granted != 0 {
                            return Err(R::Error::denied(rights, required));
                        }
                        let offset = address & (page.bytes() - 1);
                        return Ok(Leaf { address: F::frame(entry, page) | offset, page, granted });
                    }
                    Err(reason) => return Err(R::Error::entry(level.number, reason)),
                }
            }
        };
    }
    level!(0);
    level!(1);
    level!(2);
    level!(3);
    level!(4);
    // `geometry::sound` holds for every format: its last level always maps a page.
    let _ = table;
    Err(R::Error::entry(0, F::MALFORMED))
}

/// The level so far below the root, if the format goes that deep.
const fn level_at<F: Format>(depth: usize) -> Option<&'static Level> {
    if depth < F::LEVELS.len() { Some(&F::LEVELS[depth]) } else { None }
}
