//! What the programs `dtrace` and `hypertrace` share: their command lines.
#![forbid(unsafe_code)]

pub mod invocation;
pub mod qemu_args;
