//! The FreeBSD guest module's own object code, loaded and run: from HELLO to a script's output.
//!
//! The tests need objects that `cargo xtask freebsd harness` builds, and runs them then.

mod actions;
mod faults;
mod lifecycle;
mod providers;
mod trial;
