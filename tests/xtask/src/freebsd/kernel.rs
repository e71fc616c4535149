//! `cargo xtask freebsd kernel`: the firing path, linked into one module of FreeBSD's kernel.
//!
//! Rust for x86_64-unknown-none with `core` and `alloc` built here, since the prebuilt ones have
//! relocations that FreeBSD's kernel linker does not know; C against FreeBSD 15.0's headers; one
//! relocatable object. What is checked is what that linker and the kernel would trip over: unknown
//! relocations, symbols the kernel does not have, and vector registers, which the kernel saves for
//! nobody.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::compiler::Compiler;
use super::zig::V15;
use super::{cargo_program, ensure_clang, kept, module};
use crate::{paths, run};

/// The kernel's own symbols that the module may leave open.
const KERNELS: &[&str] = &[
    "M_HYPERTRACE",
    "free",
    "malloc_aligned",
    "malloc_init",
    "malloc_uninit",
    "module_register_init",
    "nanouptime",
    "panic",
];

/// How Rust is compiled for the kernel. Without `-Zplt` calls go through a GOT, which a module has
/// not.
const RUSTFLAGS: &str = "-Crelocation-model=static -Ccode-model=kernel -Zplt=yes \
                         -Cforce-frame-pointers=yes -Zdefault-visibility=hidden";

/// Builds, links and looks at the module.
///
/// # Errors
/// If something cannot be built, or the kernel could not load what was.
pub(crate) fn run() -> Result<()> {
    ensure_clang()?;
    let here = paths::root().join("tests/freebsd/kernel");
    let library = rust(&here)?;
    let object = c(&here)?;
    let module = kept().join("hypertrace_kernel.ko");
    run::output(
        Command::new("ld.lld-14")
            .args(["-m", "elf_x86_64_fbsd", "-r", "--build-id=none", "--gc-sections"])
            .args(["-u", "ht_kernel_entry", "-T"])
            .arg(here.join("c/module.ld"))
            .args([object, library])
            .arg("-o")
            .arg(&module),
    )?;
    look_at(&module)
}

fn rust(here: &Path) -> Result<PathBuf> {
    let compiler = Compiler::with_sources()?;
    let target = kept().join(if compiler == Compiler::Rustup { "kernel" } else { "kernel-debian" });
    let mut command = Command::new(cargo_program());
    command
        .current_dir(here)
        .args(["build", "--release", "--locked", "-Zbuild-std=core,alloc"])
        .args(["--target", "x86_64-unknown-none", "--target-dir"])
        .arg(&target)
        // A stable compiler takes unstable flags with this.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", RUSTFLAGS);
    if compiler == Compiler::Debian {
        command.env("RUSTC", "/usr/bin/rustc");
    }
    run::output(&mut command)?;
    Ok(target.join("x86_64-unknown-none/release/libkernel_road.a"))
}

fn c(here: &Path) -> Result<PathBuf> {
    let object = kept().join("kernel_module.o");
    module::compile(V15, &here.join("c/module.c"), &object, &[])?;
    Ok(object)
}

/// Whether FreeBSD's kernel could load the module.
fn look_at(module: &Path) -> Result<()> {
    let symbols = run::output(Command::new("readelf").arg("-sW").arg(module))?;
    ensure!(symbols.contains("ht_kernel_vmcall"), "the firing path was left out");
    module::look_at(module, KERNELS)
}
