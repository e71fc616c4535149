//! D: from script to DIF program.
//!
//! See `docs/architecture.md`. The compiler knows no arenas and no VMs: what it needs of a machine
//! comes through [`World`].

pub mod ast;
pub mod compiled;
pub mod error;
mod errtag;
pub mod format;
mod preprocess;
pub mod source;
pub mod world;
pub use compiled::Compiled;
pub use error::{Error, ErrorTag};
pub use world::World;
