//! What every shim shares: the part of HyperTrace that sits in a VM monitor's process.
//!
//! ```text
//!   vCPU threads                                     control thread
//!   doorbell ─▶ Shim::handle ─┬─ FIRE ─▶ host::Engine ◀─ Open, Load, Enable ─┐
//!                             │                                              │
//!                             ├─ POLL ◀── plan: wanted − told ◀── sessions   ├─ sockets of
//!                             │                                              │  consumers
//!                             └─ HELLO, PROBES, … ─▶ tables ─▶ GetProbes, … ─┘
//! ```
//! A monitor's own crate knows how a doorbell arrives and how guest memory is mapped, and nothing
//! else: it makes a [`memory::GuestRam`] and calls the dispatcher with the page's address.
#![deny(unsafe_code)]

mod fire;
mod guest;
pub mod memory;
pub mod name;
mod nested;
mod page;
pub mod plan;
#[expect(unsafe_code, reason = "guest RAM is memory that somebody else maps and writes")]
mod region;
pub mod server;
mod session;
pub mod shim;
pub mod stats;
pub mod symbols;
pub mod tables;
#[cfg(all(target_os = "linux", any(test, feature = "testing")))]
pub mod testing;

pub use shim::{Shim, Vcpu};
