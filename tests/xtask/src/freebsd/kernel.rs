//! `cargo xtask freebsd kernel`: the firing path, linked into one module of FreeBSD's kernel.
//!
//! Rust for x86_64-unknown-none with `core` and `alloc` built here, since the prebuilt ones have
//! relocations that FreeBSD's kernel linker does not know; C against FreeBSD 15.0's headers; one
//! relocatable object. What is checked is what that linker and the kernel would trip over: unknown
//! relocations, symbols the kernel does not have, and vector registers, which the kernel saves for
//! nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::compiler::Compiler;
use super::zig::V15;
use super::{cargo_program, ensure_clang, kept};
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

/// Relocations that FreeBSD's `elf_reloc_internal` for amd64 carries out.
const RELOCATIONS: &[&str] = &["R_X86_64_64", "R_X86_64_32S", "R_X86_64_PC32", "R_X86_64_PLT32"];

/// How the kernel's C is compiled (sys/conf/kern.mk, kmod.mk).
const CFLAGS: &[&str] = &[
    "--target=x86_64-unknown-freebsd15.0",
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
    let generated = kept().join("generated");
    fs::create_dir_all(&generated)?;
    let headers = V15.headers()?;
    let object = kept().join("kernel_module.o");
    run::output(
        Command::new("clang-14")
            .args(CFLAGS)
            .arg(format!("-D__FreeBSD_version={}", V15.version))
            .arg("-isystem")
            .arg(headers.join("x86_64-freebsd-none"))
            .arg("-isystem")
            .arg(headers.join("generic-freebsd"))
            .arg("-c")
            .arg(here.join("c/module.c"))
            .arg("-o")
            .arg(&object),
    )?;
    Ok(object)
}

/// Whether FreeBSD's kernel could load the module.
fn look_at(module: &Path) -> Result<()> {
    let tool =
        |program: &str, words: &[&str]| run::output(Command::new(program).args(words).arg(module));
    let symbols = tool("readelf", &["-sW"])?;
    let word = |line: &str, at: usize| line.split_whitespace().nth(at).map(str::to_owned);
    let open: Vec<String> = symbols
        .lines()
        .filter(|line| word(line, 6).as_deref() == Some("UND"))
        .filter_map(|line| word(line, 7))
        .collect();
    let foreign: Vec<&String> =
        open.iter().filter(|name| !KERNELS.contains(&name.as_str())).collect();
    ensure!(foreign.is_empty(), "symbols that the kernel does not have: {foreign:?}");
    ensure!(symbols.contains("ht_kernel_vmcall"), "the firing path was left out");
    let relocations = tool("readelf", &["-rW"])?;
    let odd = relocations
        .lines()
        .filter_map(|line| word(line, 2))
        .find(|kind| kind.starts_with("R_X86") && !RELOCATIONS.contains(&kind.as_str()));
    if let Some(odd) = odd {
        bail!("FreeBSD's kernel linker does not know {odd}");
    }
    let code = tool("objdump", &["-d"])?;
    ensure!(!code.contains("%xmm") && !code.contains("%ymm"), "vector registers in the kernel");
    let size = fs::metadata(module)?.len();
    println!("{}: {size} bytes, needs {}", module.display(), open.join(" "));
    Ok(())
}
