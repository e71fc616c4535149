//! The Linux kernel's own probes.
//!
//! ```text
//!  image, tracefs, syscalls ──▶ catalog: which probes there are, and where (standard, hook)
//!                                  │ enabled
//!                                  ▼
//!                               sites ──ebpf──▶ programs ──attach──▶ kernel
//! ```

pub mod attach;
pub mod catalog;
pub mod functions;
pub mod hook;
pub mod image;
pub mod layouts;
pub mod privilege;
pub mod program;
pub mod side;
pub mod sites;
pub mod standard;
pub mod syscalls;
pub mod tracefs;
pub mod uprobes;
