//! Probes of the host itself.
#![forbid(unsafe_code)]

mod clock;
pub mod host_link;
mod identity;
pub mod interval;
#[cfg(target_os = "linux")]
pub mod linux;

pub use host_link::HostLink;
