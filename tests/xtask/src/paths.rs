//! Where things lie.

use std::path::{Path, PathBuf};

/// The top of the source tree.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Cargo's target directory.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Images, built modules and logs of guests.
#[must_use]
pub fn vm() -> PathBuf {
    target().join("vm")
}

/// The run directory: control sockets of machines, and what `vm up` remembers.
#[must_use]
pub fn run() -> PathBuf {
    std::env::var_os("HYPERTRACE_DIR")
        .map_or_else(|| PathBuf::from("/run/hypertrace"), PathBuf::from)
}
