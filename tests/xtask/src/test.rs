//! `cargo xtask test`: all tests, in the order in which a failure is cheapest to find.
//!
//! Format and lints, then unit, property and golden tests, then what is for FreeBSD, then every fuzz
//! target for some seconds, then the end-to-end tests on real guests. Its exit status is the tests'
//! own.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::vm::image::Image;
use crate::{deps, freebsd, fuzz, paths, programs};

/// How long each fuzz target runs here; `cargo xtask fuzz` runs them longer.
const FUZZ_SECONDS: u32 = 5;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Leaves out the tests that boot guests.
    #[arg(long)]
    no_guests: bool,
    /// Leaves out format and lints.
    #[arg(long)]
    no_lints: bool,
    /// Leaves out what is for FreeBSD but the bhyve harness: it fetches headers from PyPI and a
    /// standard library, and takes minutes.
    #[arg(long)]
    no_freebsd: bool,
    /// The stress tests count every system call for a minute, not for seconds.
    #[arg(long)]
    stress: bool,
    /// The host's end-to-end tests once more in a guest that plays the host, with another kernel:
    /// that takes minutes.
    #[arg(long)]
    host_in_guest: bool,
    /// Only end-to-end tests whose name contains this.
    filter: Option<String>,
}

/// Runs the tests.
///
/// # Errors
/// If a package is missing and cannot be installed, or anything fails.
pub fn run(args: &Args) -> Result<()> {
    deps::ensure()?;
    if args.filter.is_none() {
        if !args.no_lints {
            cargo(&["fmt", "--all", "--check"])?;
            cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
        }
        cargo(&["check", "--package", "host", "--no-default-features"])?;
        cargo(&["test", "--workspace", "--exclude", "e2e"])?;
        if !args.no_freebsd {
            freebsd::test()?;
        }
        fuzz::every(FUZZ_SECONDS, &|_| true)?;
    }
    if args.no_guests {
        return Ok(());
    }
    println!("building programs, guest module and image for the end-to-end tests");
    programs::build()?;
    Image::build()?;
    if !args.no_freebsd && args.filter.is_none() {
        freebsd::replay()?;
    }
    // The whole workspace chosen, as above: another choice means other features of the same crates,
    // and building them again.
    let mut words = vec!["test", "--workspace"];
    words.extend(["--test=guests", "--test=host", "--test=nested", "--", "--test-threads=1"]);
    words.extend(args.filter.as_deref());
    let length = if args.stress { "60s" } else { "3s" };
    let mut variables = vec![("HYPERTRACE_STRESS", length)];
    if args.host_in_guest {
        variables.push(("HYPERTRACE_HOST_IN_GUEST", "1"));
    }
    cargo_with(&words, &variables)
}

/// Runs cargo with its output shown.
fn cargo(words: &[&str]) -> Result<()> {
    cargo_with(words, &[])
}

/// The same with variables in its environment.
fn cargo_with(words: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    println!("$ cargo {}", words.join(" "));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .current_dir(paths::root())
        .args(words)
        .envs(variables.iter().copied())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed", words.join(" "));
    }
    Ok(())
}
