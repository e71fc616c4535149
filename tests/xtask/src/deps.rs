//! Debian packages that building and testing need, installed when they are missing.
//!
//! No version is written down: the cloud kernel is whatever `linux-image-cloud-amd64` depends on
//! today, and the headers are taken for exactly that kernel.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;

use crate::run;

/// The package that always depends on the newest cloud kernel.
const KERNEL: &str = "linux-image-cloud-amd64";

/// Packages whose names do not depend on a version.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "cpio",
    "e2fsprogs",
    "gcc",
    "g++",
    "kmod",
    "libc6-dev",
    "make",
    "pahole",
    "qemu-system-x86",
    "valgrind",
    "zstd",
    KERNEL,
];

/// Arguments of `cargo xtask deps`.
#[derive(clap::Args)]
pub struct Args {
    /// Says what is missing and installs nothing.
    #[arg(long)]
    check: bool,
}

/// Installs what is missing.
///
/// # Errors
/// As [`ensure`]; with `--check`, if something is missing.
pub fn run(args: &Args) -> Result<()> {
    if args.check {
        let missing = missing(PACKAGES);
        if !missing.is_empty() {
            bail!("not installed: {}", missing.join(" "));
        }
        println!("kernel {}", kernel_release()?);
        return Ok(());
    }
    let release = ensure()?;
    println!("all packages are there; kernel {release}");
    Ok(())
}

/// Installs what is missing and returns the release of the kernel that guests run.
///
/// # Errors
/// If this is not Debian, not root, or apt-get fails; the error carries apt's own words.
pub fn ensure() -> Result<String> {
    let lacking = missing(PACKAGES);
    if !lacking.is_empty() {
        install(&lacking)?;
    }
    let release = kernel_release()?;
    let headers = format!("linux-headers-{release}");
    let lacking = missing(&[&headers]);
    if !lacking.is_empty() {
        install(&lacking)?;
    }
    Ok(release)
}

/// Installs those packages that are missing.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_packages(names: &[&str]) -> Result<()> {
    let lacking = missing(names);
    if lacking.is_empty() { Ok(()) } else { install(&lacking) }
}

/// The release of the kernel that the meta package stands for, e.g. `6.1.0-56-cloud-amd64`.
///
/// # Errors
/// If the package is not installed.
pub fn kernel_release() -> Result<String> {
    let format = "-f=${Depends}";
    let depends = run::output(Command::new("dpkg-query").args(["-W", format, KERNEL]))
        .with_context(|| format!("{KERNEL} is not installed: run `cargo xtask deps`"))?;
    depends
        .split([',', ' '])
        .find_map(|word| word.strip_prefix("linux-image-"))
        .map(str::to_owned)
        .with_context(|| format!("{KERNEL} depends on no kernel image: {depends}"))
}

/// Which of the packages are not installed.
fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

/// Whether dpkg has the package configured.
fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    run::output(query.args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// Installs packages, refreshing apt's lists first.
fn install(packages: &[&str]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("missing packages: {}; run this as root to install them", packages.join(" "));
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar.set_message("apt-get update");
    apt(&["update", "-q"])?;
    bar.set_message(format!("installing {}", packages.join(" ")));
    let mut words = vec!["install", "-q", "-y", "--no-install-recommends"];
    words.extend(packages);
    apt(&words)?;
    bar.finish_and_clear();
    Ok(())
}

/// One call of apt-get that asks nothing.
fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    run::output(command.env("DEBIAN_FRONTEND", "noninteractive").args(words))?;
    Ok(())
}
