//! `cargo xtask freebsd`: what can be built and checked for FreeBSD on a Linux machine.
//!
//! Nothing here runs FreeBSD. Headers come from the Zig distribution on PyPI, the Rust standard
//! library for the target from rustup; both are kept under `target/freebsd`.

mod bindings;
mod compiler;
mod guest;
mod kernel;
mod lengths;
mod manual;
mod module;
mod standin;
mod zig;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use self::compiler::Compiler;
use crate::{deps, paths, programs, run};

/// What Rust calls the system.
pub(crate) const TARGET: &str = "x86_64-unknown-freebsd";

/// Packages of the workspace that are Linux's alone, and why they are left out of the check: the
/// QEMU plugin and the host's eBPF need Linux's kernel, the others are tests and tasks run here.
const LINUX_ONLY: &[&str] =
    &["bench", "e2e", "ebpf", "freebsd-harness", "hypertrace-qemu", "xtask"];

/// Programs and libraries that are linked for FreeBSD.
const LINKED: &[&str] = &["cli", "hypertrace-bhyve"];

/// Arguments of `cargo xtask freebsd`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do for FreeBSD.
#[derive(Subcommand)]
enum Verb {
    /// Writes vmm-shim/bhyve-sys's bindings from FreeBSD's headers.
    Bindings {
        /// Only says whether the checked-in bindings are what the headers give.
        #[arg(long)]
        check: bool,
    },
    /// Links `dtrace`, `hypertrace` and the bhyve shim for FreeBSD 14 with zig.
    Build,
    /// Everything that tells whether the FreeBSD parts are right: bindings, the workspace's check
    /// for the target, the guest module and the kernel module, the harness.
    Check,
    /// Builds the guest module for every release, against its headers.
    Guest,
    /// Builds the guest module and runs both harnesses: all of it on Linux.
    Harness,
    /// Builds the firing path for FreeBSD's kernel and links it into one module.
    Kernel,
    /// Boots a guest under QEMU, records its doorbells and makes them again in the bhyve harness.
    Replay,
    /// Writes the port's manual pages from docs.
    Manual {
        /// Only says whether they are what docs give.
        #[arg(long)]
        check: bool,
    },
}

/// Carries `cargo xtask freebsd` out.
///
/// # Errors
/// If something cannot be fetched or built, or differs from what is checked in.
pub fn run(args: &Args) -> Result<()> {
    match args.verb {
        Verb::Bindings { check } => bindings::run(check),
        Verb::Build => build(),
        Verb::Check => {
            check()?;
            harness()?;
            replay()
        }
        Verb::Harness => harness(),
        Verb::Replay => replay(),
        Verb::Guest => guest::run(),
        Verb::Kernel => kernel::run(),
        Verb::Manual { check } => manual::run(check),
    }
}

/// What the compilers say, the cheapest first.
fn check() -> Result<()> {
    manual::run(true)?;
    bindings::run(true)?;
    guest::run()?;
    workspace()?;
    kernel::run()
}

/// What `cargo xtask test` runs of all this before it boots guests: the bhyve harness is among the
/// workspace's tests. What needs FreeBSD's headers is left out, with the reason said, where they
/// cannot be fetched.
///
/// # Errors
/// If something else cannot be fetched, something cannot be built, or a test fails.
pub(crate) fn test() -> Result<()> {
    manual::run(true)?;
    workspace()?;
    for release in [zig::V14, zig::V15] {
        if let Err(reason) = release.headers() {
            println!(
                "skipped: bindings, guest module, module harness, kernel module: no headers of \
                 FreeBSD {}: {reason:#}",
                release.name
            );
            return Ok(());
        }
    }
    bindings::run(true)?;
    kernel::run()?;
    module_harness()
}

/// Both harnesses: the shim in a stand-in bhyve, and the guest module in a stand-in kernel.
fn harness() -> Result<()> {
    harness_test(&["--test=bhyve"])?;
    module_harness()
}

/// The guest module in a stand-in kernel.
fn module_harness() -> Result<()> {
    guest::run()?;
    standin::run()?;
    harness_test(&["--test=module", "--", "--include-ignored"])
}

/// A real guest's doorbells, recorded under QEMU and made again in the bhyve harness.
///
/// # Errors
/// If something cannot be fetched or built, or no guest can be booted.
pub(crate) fn replay() -> Result<()> {
    deps::ensure()?;
    programs::build()?;
    harness_test(&["--test=replay", "--", "--ignored"])
}

/// Tests that run `dtrace` and the bhyve shim. The whole workspace chosen, as everywhere: another
/// choice means other features of the same crates, and building them again.
fn harness_test(words: &[&str]) -> Result<()> {
    cargo(&["build", "--workspace", "--bin=dtrace"])?;
    cargo(&[&["test", "--workspace"], words].concat())
}

/// `cargo check` of everything a FreeBSD user gets.
///
/// # Errors
/// If the target's standard library cannot be had, or something does not compile.
pub(crate) fn workspace() -> Result<()> {
    let compiler = Compiler::for_target(TARGET)?;
    let mut command = Command::new(cargo_program());
    command.current_dir(paths::root()).args(["check", "--workspace", "--target", TARGET]);
    LINUX_ONLY.iter().for_each(|package| {
        command.args(["--exclude", package]);
    });
    compiler.prepare(&mut command, "std,panic_abort");
    shown(&mut command)
}

/// The full link. It may be skipped: without a linker for FreeBSD there is nothing to find out.
fn build() -> Result<()> {
    let found = Compiler::for_target(TARGET).and_then(|found| Ok((found, zig::linker()?)));
    let (compiler, linker) = match found {
        Ok(found) => found,
        Err(reason) => {
            println!("skipped: no linker or standard library for {TARGET}: {reason:#}");
            return Ok(());
        }
    };
    let mut command = Command::new(cargo_program());
    command
        .current_dir(paths::root())
        .args(["build", "--release", "--target", TARGET])
        .env("CARGO_TARGET_X86_64_UNKNOWN_FREEBSD_LINKER", linker);
    LINKED.iter().for_each(|package| {
        command.args(["--package", package]);
    });
    compiler.prepare(&mut command, "std,panic_abort");
    shown(&mut command)?;
    let out = compiler.target_dir().join(TARGET).join("release");
    for name in ["dtrace", "hypertrace", "libhypertrace_bhyve.so"] {
        println!("{}", describe(&out.join(name))?);
    }
    Ok(())
}

/// What FreeBSD's dynamic linker would see: programs name it, and all need its libc.
fn describe(path: &Path) -> Result<String> {
    let seen = run::output(Command::new("readelf").args(["-dlW"]).arg(path))?;
    let needed: Vec<&str> =
        seen.lines().filter_map(|line| line.split("library: ").nth(1)).collect();
    let library = path.extension().is_some_and(|extension| extension == "so");
    let linker = seen.contains("interpreter: /libexec/ld-elf.so.1]");
    if !needed.contains(&"[libc.so.7]") || !(library || linker) {
        bail!("{} is not for FreeBSD: needs {}", path.display(), needed.join(" "));
    }
    Ok(format!("{}: needs {}", path.display(), needed.join(" ")))
}

/// Where fetched and built things for FreeBSD are.
fn kept() -> PathBuf {
    paths::target().join("freebsd")
}

/// Runs cargo in the source tree with its output shown.
fn cargo(words: &[&str]) -> Result<()> {
    shown(Command::new(cargo_program()).current_dir(paths::root()).args(words))
}

fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn shown(command: &mut Command) -> Result<()> {
    println!("$ {command:?}");
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

/// Debian's packages for C of FreeBSD.
fn ensure_clang() -> Result<()> {
    deps::ensure_packages(&["clang-14", "libclang1-14", "lld-14"])
}
