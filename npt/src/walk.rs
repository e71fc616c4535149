//! The one walker: from a root down a tree of tables, by constant geometry.
//!
//! It holds no state and touches memory only through the `read` it is given, once a level, so a
//! walk is bounded by the number of levels however the tables are knotted (an entry that points
//! at its own table is just another table). Each entry is read exactly once and everything is
//! decided on that copy: a guest that changes it at this moment gives the old or the new entry.

use crate::addr::{Hpa, PageSize};
use crate::failure::Reason;
use crate::geometry::{Format, Rules};

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

/// Why a walk stopped early. Errors of `read` are passed on as `E`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop<E> {
    /// An entry of this level is at fault.
    Entry(u8, Reason),
    /// The access needs permission bits (second field) that the entry of this level lacks.
    Denied(u8, u64),
    /// An entry could not be read.
    Read(E),
}

/// Gets to see every qword that decided a translation; see [`crate::cache`].
pub trait Trail {
    /// `value` was found at `at`.
    fn saw(&mut self, at: Hpa, value: u64);
}

/// Nobody keeps the trail.
impl Trail for () {
    #[inline(always)]
    fn saw(&mut self, _at: Hpa, _value: u64) {}
}

/// Walks `address` from the table at `root` (aligned to its size).
///
/// Not-present and malformed entries stop the walk where they are; missing permissions are found
/// once the page is, as on the processor, and name the topmost entry that lacks one.
#[inline(always)]
pub(crate) fn walk<F: Format, E>(
    root: u64,
    address: u64,
    rules: &Rules,
    required: u64,
    mut read: impl FnMut(u64, u8) -> Result<u64, E>,
) -> Result<Leaf, Stop<E>> {
    let mut table = root;
    let mut granted = u64::MAX;
    let mut denied = (0, 0);
    for level in F::LEVELS {
        let at = table | level.offset(address, F::ENTRY_BYTES);
        let entry = read(at, level.number).map_err(Stop::Read)?;
        if entry & rules.present == 0 {
            return Err(Stop::Entry(level.number, Reason::NotPresent));
        }
        let page = match level.page {
            Some(size) if level.number == 1 || entry & rules.large != 0 => Some(size),
            _ => None,
        };
        let reserved = match page {
            Some(PageSize::Gib1 | PageSize::Mib4) => {
                rules.reserved | rules.reserved_large | level.reserved_page
            }
            Some(_) => rules.reserved | level.reserved_page,
            None => rules.reserved | level.reserved_table,
        };
        if entry & reserved != 0 || F::misconfigured(entry, page.is_some(), rules) {
            return Err(Stop::Entry(level.number, F::MALFORMED));
        }
        let rights = (entry ^ F::INVERTED) | level.implied;
        let lacking = required & !rights;
        if lacking != 0 && denied.0 == 0 {
            denied = (level.number, lacking);
        }
        granted &= rights;
        if let Some(page) = page {
            if denied.0 != 0 {
                return Err(Stop::Denied(denied.0, denied.1));
            }
            let offset = address & (page.bytes() - 1);
            return Ok(Leaf { address: F::frame(entry, page) | offset, page, granted });
        }
        table = entry & F::ADDRESS;
    }
    // `geometry::sound` holds for every format: its last level always maps a page.
    Err(Stop::Entry(0, Reason::Misconfigured))
}
