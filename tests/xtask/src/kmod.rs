//! The guest kernel module, built out of tree against Debian's headers.
//!
//! kbuild writes beside the sources, so the sources are copied to `target/vm/kmod` first and the
//! tree stays clean.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{deps, paths, run};

/// Arguments of `cargo xtask kmod`.
#[derive(clap::Args)]
pub struct Args {
    /// A kernel release with installed headers, instead of the cloud kernel's.
    #[arg(long)]
    release: Option<String>,
}

/// Builds the module and says where it lies.
///
/// # Errors
/// As [`build`].
pub fn run(args: &Args) -> Result<()> {
    let release = match &args.release {
        Some(release) => release.clone(),
        None => deps::ensure()?,
    };
    println!("{}", build(&release)?.display());
    Ok(())
}

/// Builds `hypertrace.ko` for a kernel release and returns its path.
///
/// # Errors
/// If sources cannot be copied or make fails; the error carries the compiler's words.
pub fn build(release: &str) -> Result<PathBuf> {
    let source = paths::root().join("guest-kmod");
    let place = paths::vm().join("kmod").join(release);
    for folder in ["include", "linux"] {
        copy_changed(&source.join(folder), &place.join(folder))?;
    }
    let module = place.join("linux");
    let headers = format!("/lib/modules/{release}/build");
    run::output(
        Command::new("make")
            .arg("-C")
            .arg(headers)
            .arg(format!("M={}", module.display()))
            .args(["-j2", "modules"]),
    )?;
    Ok(module.join("hypertrace.ko"))
}

/// Copies the files that differ, so that make sees only those as new.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            continue;
        }
        let bytes = fs::read(entry.path())?;
        if fs::read(&copy).ok().as_ref() != Some(&bytes) {
            fs::write(&copy, bytes).with_context(|| format!("writing {}", copy.display()))?;
        }
    }
    Ok(())
}
