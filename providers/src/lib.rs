//! Probes of the host itself.

pub mod interval;
