//! What the end-to-end tests share: guests, and a `dtrace` whose output can be waited for.
#![forbid(unsafe_code)]

pub mod cluster;
pub mod restricted;
pub mod tracer;
