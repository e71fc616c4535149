//! C for FreeBSD's kernel, compiled on Linux: the flags, and what a module must not have.
//!
//! What is checked is what the kernel's linker and the kernel itself would trip over: unknown
//! relocations, symbols the kernel does not have, and vector registers, which the kernel saves for
//! nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::zig::Release;
use crate::run;

/// Relocations that FreeBSD's `elf_reloc_internal` for amd64 carries out.
const RELOCATIONS: &[&str] = &["R_X86_64_64", "R_X86_64_32S", "R_X86_64_PC32", "R_X86_64_PLT32"];

/// How the kernel's C is compiled (sys/conf/kern.mk, kmod.mk). Frame pointers are what stacks are
/// read by.
const CFLAGS: &[&str] = &[
    "-D_KERNEL",
    "-DKLD_MODULE",
    "-DSMP",
    "-DVIMAGE",
    "-O2",
    "-std=gnu17",
    "-nostdinc",
    "-ffreestanding",
    "-fno-common",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fno-omit-frame-pointer",
    "-mno-omit-leaf-frame-pointer",
    "-mcmodel=kernel",
    "-mno-red-zone",
    "-mno-mmx",
    "-mno-sse",
    "-mno-avx",
    "-msoft-float",
    "-fno-pic",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-Wall",
    "-Werror",
];

/// Compiles one source against a release's headers.
///
/// # Errors
/// If the headers cannot be had, or with the compiler's words.
pub(crate) fn compile(release: Release, from: &Path, to: &Path, more: &[String]) -> Result<()> {
    let headers = release.headers()?;
    let mut command = Command::new("clang-14");
    command
        .arg(format!("--target=x86_64-unknown-freebsd{}", release.name))
        .arg(format!("-D__FreeBSD_version={}", release.version))
        .args(CFLAGS)
        .args(more);
    for folder in ["x86_64-freebsd-none", "generic-freebsd"] {
        command.arg("-isystem").arg(headers.join(folder));
    }
    run::output(command.arg("-c").arg(from).arg("-o").arg(to))?;
    Ok(())
}

/// Where the objects that a module was linked from lie.
pub(crate) fn objects(module: &Path) -> PathBuf {
    module.with_extension("objects")
}

/// Compiles the C files of a folder and links them to the object `to`.
///
/// # Errors
/// If one cannot be built.
pub(crate) fn build(release: Release, from: &Path, to: &Path, flags: &[String]) -> Result<PathBuf> {
    let place = objects(to);
    fs::create_dir_all(&place)?;
    let mut objects = Vec::new();
    for source in sources(from)? {
        let name = source.file_stem().context("a source without a name")?;
        let object = place.join(name).with_extension("o");
        compile(release, &source, &object, flags)?;
        objects.push(object);
    }
    run::output(
        Command::new("ld.lld-14")
            .args(["-m", "elf_x86_64_fbsd", "-r", "--build-id=none"])
            .args(objects)
            .arg("-o")
            .arg(to),
    )?;
    Ok(to.to_path_buf())
}

/// The C files of a folder, in order.
fn sources(here: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(here)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            found.insert(path);
        }
    }
    Ok(found)
}

/// The symbols that a module leaves open.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn undefined(module: &Path) -> Result<Vec<String>> {
    let symbols = run::output(Command::new("readelf").arg("-sW").arg(module))?;
    let open = symbols.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(6);
        (words.next() == Some("UND")).then(|| words.next().map(str::to_owned)).flatten()
    });
    Ok(open.collect())
}

/// Whether FreeBSD's kernel could load a module that may leave `known` symbols open.
///
/// # Errors
/// With what it would refuse.
pub(crate) fn look_at(module: &Path, known: &[&str]) -> Result<()> {
    let open = undefined(module)?;
    let foreign: Vec<&String> =
        open.iter().filter(|name| !known.contains(&name.as_str())).collect();
    ensure!(foreign.is_empty(), "symbols that the kernel does not have: {foreign:?}");
    let relocations = run::output(Command::new("readelf").arg("-rW").arg(module))?;
    let odd = relocations
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .find(|kind| kind.starts_with("R_X86") && !RELOCATIONS.contains(kind));
    if let Some(odd) = odd {
        bail!("FreeBSD's kernel linker does not know {odd}");
    }
    let code = run::output(Command::new("objdump").arg("-d").arg(module))?;
    ensure!(!code.contains("%xmm") && !code.contains("%ymm"), "vector registers in the kernel");
    let size = fs::metadata(module)?.len();
    println!("{}: {size} bytes, {} symbols of the kernel's", module.display(), open.len());
    Ok(())
}
