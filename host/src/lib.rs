//! The tracing core: arenas, enablings, `dtrace_probe()`.
//!
//! ```text
//!   control (std)            engine                         arena
//!   messages, fds   ──▶  sessions, programs,   ──▶   one block of shared memory
//!                        the fire path (no_std)      a session, offsets only
//!                                                          ▲
//!                                   arena::reader (the consumer's side)
//! ```
//!
//! # The rule of the firing path
//! Everything that [`engine::Engine::fire`] can reach allocates nothing, takes no lock, makes no
//! system call but reading the clock, and has a bound on every loop. It may run on a vCPU's thread
//! while the guest waits. Modules that keep this rule are compiled without `std`; `# Context`
//! sections elsewhere refer to it as *the firing path*.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

pub mod arena;
#[cfg(all(feature = "std", target_os = "freebsd"))]
mod capsicum;
pub mod clock;
pub mod context;
#[cfg(feature = "std")]
pub mod control;
pub mod ecb;
pub mod engine;
pub mod ids;
mod num;
