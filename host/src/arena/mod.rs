//! The arena: one block of shared memory that is a session's whole state.
//!
//! ```text
//!  0        ┌──────────────────────────────┐
//!           │ Header   sizes, activity     │ written once, but for the words that live
//!           │ variable table               │ written once
//!           │ globals                      │ one cell a scalar, room for by-reference values
//!           │ speculation states           │
//!           │ dynamic variables: buckets   │
//!           │                    chunks    │
//!           ├──────────────────────────────┤ page
//!  slot 0   │ SlotHeader                   │
//!           │ principal buffer             │
//!           │ aggregation buffers 0, 1     │
//!           │ speculation buffers          │
//!           ├──────────────────────────────┤ page
//!  slot 1   │ …                            │
//!           └──────────────────────────────┘
//! ```
//!
//! No offset is stored: whoever maps an arena reads the [`config::ArenaConfig`] from it once,
//! checks it, and computes the same [`layout::Layout`] that its maker computed. Every process that
//! maps an arena may write any byte of it at any time, so whatever else is read from it is checked
//! against the private layout before it is used. The memory is sparse: a slot that never fires
//! costs nothing.
//!
//! Scratch space and clause-local variables are not here: no one but the firing thread has any
//! business with them, so they are private memory of its engine.

pub mod activity;
pub mod agg;
pub mod aggfunc;
pub mod config;
pub mod dynvar;
pub mod header;
pub mod key;
pub mod layout;
#[cfg(feature = "std")]
pub mod map;
pub mod mem;
#[cfg(feature = "std")]
pub mod reader;
pub mod ring;
pub mod spec;
