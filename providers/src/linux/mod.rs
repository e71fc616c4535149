//! The Linux kernel's own probes.

pub mod site;
