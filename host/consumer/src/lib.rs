//! The consumer: finds machines, sets sessions up on them, reads their arenas and prints what
//! dtrace(1) would print.
//!
//! ```text
//!  discover ─▶ link (shim, providers::HostLink) ─▶ machine: probes, symbols, types
//!                                                     │ world
//!  session ◀── dlang: a program a world ◀─────────────┘
//!     │ arena (host) ─▶ records, aggregations ─▶ format ─▶ text
//! ```
#![deny(unsafe_code)]

pub mod aggregation;
pub mod btf;
pub mod debuginfo;
pub mod discover;
pub mod format;
pub mod glob;
pub mod link;
pub mod machine;
pub mod options;
pub mod probes;
pub mod session;
pub mod shim;
pub mod symbols;
pub mod world;
