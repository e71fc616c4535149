//! The shim for QEMU: a TCG plugin for stock QEMU 7.2 and newer.
//!
//! ```text
//!  qemu-system-x86_64 … \
//!    -object memory-backend-memfd,id=htmem,size=<as -m>,share=on \
//!    -machine memory-backend=htmem \
//!    -plugin /path/to/libhypertrace_qemu.so,name=NAME
//! ```
//! Only two things are QEMU's own here: how a doorbell arrives (a callback on the one instruction
//! whose bytes are [`hypercall::DOORBELL`]) and where guest memory is. Everything else is the
//! `shim` crate's.
//!
//! ```text
//!  load      version::choose        before QEMU looks at the plugin's version
//!  install   plugin::install        arguments, vCPUs, callbacks
//!  vCPU 0    plugin::start          RAM is mapped, the control socket opens
//!  translate Block::watch_doorbells
//!  store     Plugin::doorbell ────▶ shim::Shim::handle
//!  exit      plugin::stop           the control socket closes
//! ```
//! A callback that panics would unwind into QEMU, so every one catches, says so, and turns the shim
//! off; QEMU and its guest go on.

mod address;
mod api;
mod arguments;
mod cmdline;
mod plugin;
mod ram;
mod sys;
mod version;
