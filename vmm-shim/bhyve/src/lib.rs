//! The shim for bhyve: a library that is preloaded into an unmodified bhyve(8).
//!
//! ```text
//!  LD_PRELOAD=/usr/local/lib/libhypertrace_bhyve.so bhyve … NAME
//! ```
//! Only two things are bhyve's own here: how a doorbell arrives (an exit of `vm_run` of libvmmapi,
//! for an `out` to [`hypercall::DOORBELL_PORT`]) and where guest memory is (libvmmapi has it mapped
//! already). Everything else is the `shim` crate's.
//!
//! ```text
//!  bhyve(8)                 entry                          vm
//!  vm_vcpu_open ──────────▶ vm_vcpu_open: which VM          │
//!  cap_enter ─────────────▶ cap_enter ───────────────────▶ Vm::start: name, vCPUs, RAM,
//!                             └▶ the real one               control socket and its thread
//!  vm_run ────────────────▶ vm_run
//!                             ├▶ the real one ◀──┐
//!                             │  exit::doorbell? │ yes: Vm::doorbell ─▶ shim::Shim::handle
//!  any other exit ◀───────────┘ no               └───┘
//! ```
//! # The sandbox
//! bhyve enters Capsicum's capability mode before it runs the guest: from then on no path can be
//! opened, no address connected to. So the control socket is bound just before, by the wrapper of
//! `cap_enter`, and afterwards only descriptors are used: connections are accepted from the
//! listening socket, arenas and programs come over them, and tables go out as anonymous shared
//! memory. A bhyve built without Capsicum starts the shim with its first `vm_run`.
//!
//! # What bhyve never notices
//! An exit that is not the doorbell's goes back to bhyve as the kernel wrote it; nothing in it is
//! changed. If there is no shim (a name that cannot be used, no run directory), it says so once on
//! stderr and the VM runs on untraced.

mod entry;
mod exit;
mod next;
mod vm;
