//! Guest memory by virtual address: guest page tables, nested page tables, and the
//! two-dimensional walk.
//!
//! ```text
//!            CR3                                  EPTP / nCR3 / slots
//!             |                                        |
//!  Gva --> [guest tables] --> Gpa ---------------> [second dimension] --> Hpa --> bytes
//!             |  each entry lies at a Gpa, and so        ^
//!             +------------------------------------------+
//! ```
//! [`AddressSpace`] is the way in. Under it: [`GuestPaging`] says how a vCPU translates,
//! a [`SecondDimension`] where its physical memory is, [`PhysMemory`] holds the bytes.
//!
//! No `std`, no allocation, no state; tables belong to a hostile guest, so every walk is bounded
//! and every address checked by whoever owns the memory. The walk is passive: it sets no accessed
//! and no dirty bit.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod addr;
mod behind;
mod cache;
mod failure;
mod geometry;
mod guest;
mod memory;
mod nested;
mod parts;
mod space;
mod tables;
mod walk;

pub use addr::{Cr3, Eptp, Gpa, Gva, Hpa, NestedCr3, PageSize, PhysWidth};
pub use behind::Behind;
pub use cache::{GuestCache, Lookup, NestedCache, NoCache, TRAIL_ONE, TRAIL_TWO, TranslationCache};
pub use failure::{Access, Dimension, During, Failure, NestedFailure, Reason};
pub use guest::{GuestPaging, PagingMode, Translation, Walker};
pub use memory::{Outside, PhysMemory, Words};
pub use nested::{
    Direct, Nested, NestedPage, Rights, SecondDimension, Slot, Slots, SlotsError, Wanted,
};
pub use parts::MAX_WRITE_PAGES;
pub use space::{AddressSpace, CString};
pub use tables::{Ept, EptpError, Npt, NptMode};
pub use walk::{Shortcut, Trail};
