//! A FreeBSD guest inside a Linux process: its module's own object code, run.
//!
//! ```text
//!  freebsd-guest (Linux process)                                   shim, preloaded as in bhyve
//!  ┌ low memory: the guest's RAM ───────────────────┐
//!  │ page tables │ kernel.ko │ hypertrace_guest.ko  │ out ─▶ SIGSEGV ─▶ trap ─▶ vm_run returns
//!  │ heap, kernel stacks, struct pcpu, thread, proc │ int3 ▶ SIGTRAP ─▶ the kernel's own vector
//!  └────────────────────────────────────────────────┘ a tick ▶ SIGUSR1 ─▶ an interrupt's vector
//! ```
//! `kernel.ko` is a stand-in kernel in C, compiled with the module's own flags against the same
//! FreeBSD headers, so that structs and inline functions are the real ones; both objects are loaded
//! by [`kld`]. A guest thread is a thread of this process with a kernel stack in the guest's RAM; it
//! runs guest code only while it holds one of the CPUs ([`cpus`]), as `%gs` says. What is privileged
//! raises a signal and is carried out by [`trap`]; page tables are real ones that the shim walks
//! ([`ram`]), though the process itself runs on Linux's.

pub mod cpus;
pub mod ctf;
pub mod host;
pub mod kld;
pub mod monitor;
pub mod ram;
pub mod shell;
pub mod trap;
