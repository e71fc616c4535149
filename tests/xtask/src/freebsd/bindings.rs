//! `cargo xtask freebsd bindings`: bhyve-sys from FreeBSD's headers, written or compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::zig::{Release, V14, V15};
use super::{cargo_program, ensure_clang, kept};
use crate::{paths, run};

/// Writes the bindings of both releases, or says which are not what the headers give.
///
/// # Errors
/// If something cannot be fetched or built; with `check`, if a file differs.
pub(crate) fn run(check: bool) -> Result<()> {
    ensure_clang()?;
    let generator = generator()?;
    for release in [V14, V15] {
        let text = generate(&generator, release)?;
        let file =
            paths::root().join("vmm-shim/bhyve-sys/src").join(release.module).join("bindings.rs");
        if !check {
            fs::write(&file, text)?;
            continue;
        }
        let found = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        if found != text {
            bail!(
                "{} is not what the headers give: run `cargo xtask freebsd bindings`",
                file.display()
            );
        }
        println!("{} is what FreeBSD's headers give", file.display());
    }
    Ok(())
}

/// Builds bhyve-sys-gen; its own workspace has its own target directory.
fn generator() -> Result<PathBuf> {
    let manifest = paths::root().join("vmm-shim/bhyve-sys/gen/Cargo.toml");
    let target = kept().join("gen");
    run::output(
        Command::new(cargo_program())
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("release/bhyve-sys-gen"))
}

fn generate(generator: &Path, release: Release) -> Result<String> {
    let scratch = kept().join("scratch");
    fs::create_dir_all(&scratch)?;
    let llvm = Path::new("/usr/lib/llvm-14");
    run::output(
        Command::new(generator)
            .current_dir(paths::root())
            .env("LIBCLANG_PATH", llvm.join("lib"))
            .arg(release.headers()?)
            .arg(release.version)
            .arg(llvm.join("lib/clang/14.0.6/include"))
            .arg(&scratch),
    )
}
