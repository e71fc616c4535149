//! Our own programs and the plugin, built in release.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{paths, run};

/// Builds `dtrace`, `hypertrace` and the QEMU plugin.
///
/// # Errors
/// If cargo fails; the error carries the compiler's words.
pub fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["--package", "cli", "--package", "hypertrace-qemu"];
    run::output(
        Command::new(cargo).current_dir(paths::root()).args(["build", "--release"]).args(packages),
    )?;
    Ok(())
}

/// Where [`build`] leaves a program.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    paths::target().join("release").join(name)
}
