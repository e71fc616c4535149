//! Which compiler has a standard library for a target that is not this machine's.
//!
//! rustup's, if rustup can fetch it. Where only Debian's packages are to be had, its security
//! archive has a newer compiler with the standard library's sources (`rustc-web`, `rust-web-src`),
//! from which cargo builds what is needed; it gets a target directory of its own.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kept;
use crate::{deps, paths, run};

/// A compiler that can build for the target asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The one that builds everything else.
    Rustup,
    /// Debian's.
    Debian,
}

impl Compiler {
    /// One with the target's standard library.
    ///
    /// # Errors
    /// If there is none, with what apt says.
    pub(crate) fn for_target(target: &str) -> Result<Self> {
        let mut list = Command::new("rustup");
        let installed = run::output(list.args(["target", "list", "--installed"]));
        if installed.is_ok_and(|list| list.lines().any(|line| line == target)) {
            return Ok(Self::Rustup);
        }
        Self::rustup_or_debian(&["target", "add", target])
    }

    /// One with the standard library's sources.
    ///
    /// # Errors
    /// As [`Compiler::for_target`].
    pub(crate) fn with_sources() -> Result<Self> {
        Self::rustup_or_debian(&["component", "add", "rust-src"])
    }

    fn rustup_or_debian(words: &[&str]) -> Result<Self> {
        if run::output(Command::new("rustup").args(words)).is_ok() {
            return Ok(Self::Rustup);
        }
        deps::ensure_packages(&["rustc-web", "rust-web-src"])
            .context("rustup has it not, and Debian's rustc-web neither")?;
        Ok(Self::Debian)
    }

    /// Has cargo use this compiler; `parts` of the standard library are built if they have to be.
    pub(crate) fn prepare(self, command: &mut Command, parts: &str) {
        if self == Self::Rustup {
            return;
        }
        command
            .arg(format!("-Zbuild-std={parts}"))
            .arg("--target-dir")
            .arg(self.target_dir())
            .env("RUSTC", "/usr/bin/rustc")
            // A stable compiler takes unstable flags with this.
            .env("RUSTC_BOOTSTRAP", "1");
    }

    /// Where cargo leaves what this compiler made.
    pub(crate) fn target_dir(self) -> PathBuf {
        match self {
            Self::Rustup => paths::target(),
            Self::Debian => kept().join("debian"),
        }
    }
}
