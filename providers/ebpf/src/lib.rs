//! D in the kernel: a program's clauses, translated to eBPF, that work on the session's arena.
//!
//! ```text
//!  Program (DIF) ──bind──▶ plan ──┐
//!  Site: hook, probes, sources ───┼─ translate ─▶ functions ─ link ─▶ bpf(2) ─▶ descriptor
//!  arena's layout ────────────────┘
//! ```
//! A program consists of functions: [`program`] is the entry, [`ecb`] the clauses, [`difo`] the
//! expressions, [`routine`] the run-time. All but the entry take numbers and return one, so the
//! kernel's verifier looks at each by itself, once, however often it is called.
//!
//! Three maps of one element: the arena, which the consumer and the VM monitors map as well; the
//! slots' private memory (scratch, clause-locals, the record under construction); and constants.

mod asm;
mod btf;
mod difo;
mod ecb;
mod error;
mod module;
mod program;
mod routine;
mod session;
pub mod site;
pub mod sys;
mod world;

pub use error::{Error, MAX_ARENA, Refused};
pub use session::{Host, Session, create_arena};
