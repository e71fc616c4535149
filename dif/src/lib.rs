//! DIF, the D Intermediate Format: what a D script is once it is compiled.
//!
//! A script becomes a [`program::Program`]: clauses ([`program::EcbDesc`]) that name probes and
//! carry a predicate and actions, each computed by a DIF object ([`difo::Difo`]). Programs travel
//! as DOF. Whoever loads one verifies it; only a verified DIFO is interpreted.
//!
//! The numbers are those of FreeBSD's `sys/dtrace.h`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod asm;
#[cfg(feature = "alloc")]
pub mod build;
#[cfg(feature = "alloc")]
pub mod decode;
#[cfg(feature = "alloc")]
pub mod difo;
#[cfg(feature = "alloc")]
pub mod disasm;
#[cfg(feature = "alloc")]
pub mod dof;
pub mod env;
#[cfg(feature = "alloc")]
pub mod interp;
#[cfg(feature = "alloc")]
pub mod interval;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
pub mod number;
pub mod opcode;
#[cfg(feature = "alloc")]
pub mod plan;
#[cfg(feature = "alloc")]
pub mod program;
#[cfg(feature = "alloc")]
mod runs;
pub mod string;
#[cfg(feature = "alloc")]
mod subr;
#[cfg(feature = "alloc")]
pub mod verify;

#[cfg(feature = "alloc")]
pub use decode::{Shape, VerifiedDifo};

#[cfg(test)]
mod torture;
