//! The bhyve harness: the library that is preloaded into bhyve, run on Linux.
//!
//! ```text
//!  this process                           stand-in bhyve (C)           libvmmapi.so (C)
//!  test ─ exits, over a pipe ───────────▶ vm_loop, a thread a vCPU ──▶ vm_run ◀─ exits
//!    │                                         ▲    ▲                    │
//!    │                                         │    └─ LD_PRELOAD: libhypertrace_bhyve.so
//!    └─ guest memory, one memfd ───────────────┘
//! ```
//! The stand-ins have FreeBSD's structs, compiled with assertions against `bhyve-sys`, and make
//! bhyve's calls in bhyve's order. The dynamic linker puts the shim between them as on FreeBSD, and
//! it is the same object code as that but for the target. What is not run: FreeBSD's own linker,
//! libc, kernel and Capsicum.

pub mod exit;
pub mod guest;
pub mod machine;
pub mod process;
pub mod recording;
pub mod steps;
pub mod trace;
