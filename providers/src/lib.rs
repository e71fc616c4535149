//! Probes of the host itself.
//!
//! Today: `dtrace` (BEGIN, END, ERROR) and `profile` (tick-N, profile-N), fired by the tracer's own
//! threads through the same engine that runs in a VM monitor.
#![forbid(unsafe_code)]

mod context;
pub mod interval;
mod link;
mod timers;

pub use link::{BEGIN, END, ERROR, HOST, HostLink};
