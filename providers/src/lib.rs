//! Probes of the host itself.
#![forbid(unsafe_code)]

mod clock;
mod cpus;
pub mod host_link;
mod identity;
pub mod interval;
#[cfg(target_os = "linux")]
pub mod linux;
mod react;
#[cfg(target_os = "linux")]
pub mod user;

pub use host_link::HostLink;

/// Something that this machine does not have or does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The provider that it costs, for whoever asks for that one; `None` if it concerns every
    /// probe of the kernel's.
    pub provider: Option<&'static str>,
    /// What is missing and what it costs, in one line.
    pub line: String,
}
