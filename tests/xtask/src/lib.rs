//! What the task runner does, as a library, so that end-to-end tests boot guests with the same code.
#![forbid(unsafe_code)]

pub mod bench;
mod bench_host;
pub mod demo;
pub mod deps;
pub mod freebsd;
pub mod fuzz;
pub mod header;
pub mod kmod;
pub mod paths;
pub mod programs;
mod run;
pub mod test;
pub mod vm;
