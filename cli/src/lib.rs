//! What the programs `dtrace` and `hypertrace` share: their command lines.
#![forbid(unsafe_code)]

mod cpp;
pub mod invocation;
pub mod list;
pub mod machines;
mod one_cpu;
pub mod qemu_args;
pub mod report;
mod saving;
pub mod scripts;
mod signals;
pub mod status;
pub mod tracing;
