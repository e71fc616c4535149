//! Reading a session: machines, arenas, and what a user sees of them.
#![deny(unsafe_code)]

pub mod aggregation;
pub mod format;
pub mod glob;
pub mod options;
