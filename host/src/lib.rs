//! The tracing core: arenas, enablings, `dtrace_probe()`.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

pub mod context;
pub mod ids;
