//! Probes of the host itself.
#![forbid(unsafe_code)]

mod clock;
mod cpus;
pub mod host_link;
mod identity;
pub mod interval;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "linux")]
pub mod user;

pub use host_link::HostLink;
