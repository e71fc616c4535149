//! D: from script to DIF program.
//!
//! See `docs/architecture.md`. The compiler knows no arenas and no VMs: what it needs of a machine
//! comes through [`World`].

use dif::program::{ProbeDesc, Program};

pub mod ast;
pub mod error;
mod errtag;
mod preprocess;
pub mod source;
pub mod world;
pub use error::{Error, ErrorTag};
pub use world::World;

/// The machine-independent outcome of compiling for one world.
#[derive(Debug)]
pub struct Compiled {
    /// The program for that world; ECBs whose description matches nothing there are left out.
    pub program: Program,
    /// For each of `program.ecbs`: the probe description's number in script order, so that the
    /// consumer can tell which descriptions matched nowhere.
    pub descriptions: Vec<(usize, ProbeDesc)>,
}
