//! Reading a session: machines, arenas, and what a user sees of them.
#![deny(unsafe_code)]

pub mod aggregation;
pub mod btf;
pub mod discover;
pub mod format;
pub mod glob;
pub mod link;
pub mod machine;
pub mod options;
pub mod probes;
pub mod shim;
pub mod symbols;
pub mod world;
