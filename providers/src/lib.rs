//! Probes of the host itself.
#![forbid(unsafe_code)]

mod clock;
pub mod host_link;
mod identity;
pub mod interval;

pub use host_link::HostLink;
