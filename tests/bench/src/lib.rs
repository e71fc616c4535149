//! What a fire costs, through the door a real guest uses.
//!
//! A [`Rig`] is a fake guest (memory, page tables, descriptors, no CPU) before the real shim, with
//! one clause enabled by the real compiler and engine. [`Rig::fire`] is one call of the shim's
//! entry point with a FIRE descriptor. The cases are those that the classic C engine was measured
//! on; `cargo xtask bench` prints them beside its figures and our goals.
#![forbid(unsafe_code)]

mod arithmetic;
mod cases;
mod rig;

pub use arithmetic::{ARITHMETIC, Arithmetic, LENGTH};
pub use cases::{CASES, Case};
pub use rig::Rig;
