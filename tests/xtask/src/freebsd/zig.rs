//! FreeBSD's headers, and a linker, from the Zig distribution that PyPI has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kept;
use crate::{deps, run};

/// A release of FreeBSD, and the release of ziglang that carries its headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    /// Of FreeBSD, as its target is named.
    pub(crate) name: &'static str,
    /// Of FreeBSD, as a module's name.
    pub(crate) module: &'static str,
    /// `__FreeBSD_version`, which Zig takes out of the headers.
    pub(crate) version: &'static str,
    ziglang: &'static str,
}

/// FreeBSD 14.x.
pub(crate) const V14: Release =
    Release { name: "14.3", module: "v14", version: "1403000", ziglang: "0.15.2" };

/// FreeBSD 15.0.
pub(crate) const V15: Release =
    Release { name: "15.0", module: "v15", version: "1500068", ziglang: "0.17.0" };

impl Release {
    /// The directory that holds `x86_64-freebsd-none` and `generic-freebsd`.
    ///
    /// # Errors
    /// If PyPI cannot be reached.
    pub(crate) fn headers(self) -> Result<PathBuf> {
        let place = kept().join("headers").join(self.ziglang);
        let headers = place.join("ziglang/lib/libc/include");
        if !headers.exists() {
            let wheel = wheel(self.ziglang)?;
            let partial = place.with_extension("partial");
            fs::create_dir_all(&partial)?;
            run::output(
                Command::new("unzip")
                    .args(["-q", "-o"])
                    .arg(&wheel)
                    .args(["ziglang/lib/libc/include/x86_64-freebsd-none/*"])
                    .args(["ziglang/lib/libc/include/generic-freebsd/*", "-d"])
                    .arg(&partial),
            )?;
            fs::rename(&partial, &place)?;
        }
        Ok(headers)
    }
}

/// Fetches a ziglang wheel, once.
fn wheel(version: &str) -> Result<PathBuf> {
    deps::ensure_packages(&["unzip"])?;
    let place = kept().join("wheels").join(version);
    if !place.exists() {
        let partial = place.with_extension("partial");
        let wanted = format!("ziglang=={version}");
        let words = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"];
        run::output(Command::new("python3").args(words).arg("-d").arg(&partial).arg(&wanted))
            .context("ziglang from PyPI")?;
        fs::rename(&partial, &place)?;
    }
    let mut files = fs::read_dir(&place)?;
    Ok(files.next().context("pip left no wheel")??.path())
}

/// A linker for FreeBSD 14: `zig cc`, without the libraries that Rust's libc crate names and no
/// program here uses, since Zig has no stand-ins for them.
///
/// # Errors
/// If PyPI cannot be reached.
pub(crate) fn linker() -> Result<PathBuf> {
    let place = kept().join("zig").join(V14.ziglang);
    if !place.exists() {
        let wheel = wheel(V14.ziglang)?;
        let partial = place.with_extension("partial");
        fs::create_dir_all(&partial)?;
        run::output(Command::new("unzip").args(["-q", "-o"]).arg(&wheel).arg("-d").arg(&partial))?;
        fs::rename(&partial, &place)?;
    }
    let zig = place.join("ziglang/zig");
    fs::set_permissions(&zig, fs::Permissions::from_mode(0o755))?;
    let script = kept().join("cc");
    let text = format!(
        "#!/bin/bash\nwords=()\nfor word in \"$@\"; do case \"$word\" in\n\
         -lkvm|-lmemstat|-lprocstat|-ldevstat) ;;\n*) words+=(\"$word\");;\nesac; done\n\
         exec {} cc -target x86_64-freebsd.14.0-none \"${{words[@]}}\"\n",
        zig.display()
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}
