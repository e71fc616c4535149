//! D: from script to DIF program.
//!
//! See `docs/architecture.md`. The compiler knows no arenas and no VMs: what it needs of a machine
//! comes through [`World`].

pub mod ast;
mod clause;
mod codegen;
pub mod compiled;
pub mod compiler;
mod declare;
pub mod dlib;
pub mod error;
mod errtag;
#[cfg(test)]
mod evaluated;
pub mod format;
pub mod header;
mod lexer;
pub mod link;
pub mod macros;
pub mod parser;
mod pragma;
mod preprocess;
pub mod print;
pub mod printf;
pub mod pspec;
pub mod saved;
mod sema;
pub mod source;
pub mod stability;
pub mod sugar;
#[cfg(test)]
mod testworld;
mod token;
pub mod types;
pub mod unparse;
pub mod world;
pub use compiled::Compiled;
pub use compiler::{CompileOptions, Compiler};
pub use error::{Error, ErrorTag};
pub use world::World;
