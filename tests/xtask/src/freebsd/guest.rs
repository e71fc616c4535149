//! `cargo xtask freebsd guest`: the FreeBSD guest module, for each release that is supported.
//!
//! On FreeBSD its Makefile builds it; here it is the same sources against the release's headers.
//! Every kernel symbol it needs stands in `guest-kmod/freebsd/IMPORTS`, which the build holds
//! against the object: a misspelt name would be found by kldload alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::zig::{Release, V14, V15};
use super::{ensure_clang, kept, lengths, module};
use crate::{paths, run};

/// How the guest's sources are compiled beyond what every module is: with the warnings of FreeBSD's
/// kern.mk and more. The hooks that DTrace uses are in the headers only with KDTRACE_HOOKS, which a
/// module's build does not define by itself.
const CFLAGS: &[&str] = &[
    "-DKDTRACE_HOOKS",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-sign-compare",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wpointer-arith",
    "-Wcast-qual",
    "-Wundef",
    "-Wshadow",
];

/// Sources that are on the firing path from end to end. They call nothing of the kernel, since
/// whatever they called could be traced and fire in turn.
const FIRING: &[&str] = &["fire", "stack"];

/// Builds the modules and looks at them.
///
/// # Errors
/// If one cannot be built, or a kernel could not load it.
pub(crate) fn run() -> Result<()> {
    ensure_clang()?;
    lengths::run()?;
    let here = paths::root().join("guest-kmod/freebsd");
    let list = here.join("IMPORTS");
    let text = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    let imports = Imports::parse(&text);
    imports.compare_lookups(&here)?;
    for release in [V14, V15] {
        let built = build(release, &here)?;
        module::look_at(&built, &imports.linked)?;
        firing_path(&built)?;
        let open = module::undefined(&built)?;
        let spare: Vec<_> =
            imports.linked.iter().filter(|name| !open.iter().any(|open| open == *name)).collect();
        ensure!(spare.is_empty(), "IMPORTS names what the module does not need: {spare:?}");
    }
    Ok(())
}

/// Compiles and links the module for one release.
fn build(release: Release, here: &Path) -> Result<PathBuf> {
    let place = kept().join("guest").join(release.module);
    fs::create_dir_all(&place)?;
    let mut flags: Vec<String> = CFLAGS.iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("-I{}", paths::root().join("guest-kmod/include").display()));
    flags.push(format!("-I{}", syscall_types(release, here, &place)?.display()));
    module::build(release, here, &place.join("hypertrace_guest.ko"), &flags)
}

/// Whether the firing path's objects need nothing but each other.
fn firing_path(built: &Path) -> Result<()> {
    for name in FIRING {
        let open = module::undefined(&module::objects(built).join(name).with_extension("o"))?;
        let foreign: Vec<_> = open.iter().filter(|name| !is_ours(name)).collect();
        ensure!(foreign.is_empty(), "{name}.c, on the firing path, needs {foreign:?}");
    }
    Ok(())
}

/// Ours, or the bounds of a linker set that a header declares and nobody uses.
fn is_ours(name: &str) -> bool {
    ["ht_", "__start_set_", "__stop_set_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Writes the types of the release's system calls and returns where the header is.
fn syscall_types(release: Release, here: &Path, place: &Path) -> Result<PathBuf> {
    let text = run::output(
        Command::new("awk")
            .arg("-f")
            .arg(here.join("syscall_types.awk"))
            .arg(release.headers()?.join("generic-freebsd/sys/sysproto.h")),
    )?;
    fs::write(place.join("hypertrace_syscalls.h"), text)?;
    Ok(place.to_owned())
}

/// What the module needs of the kernel: `name` is linked, `?name` looked up at load, and may be
/// missing; `#` begins a comment.
struct Imports<'a> {
    linked: Vec<&'a str>,
    looked_up: BTreeSet<&'a str>,
}

impl<'a> Imports<'a> {
    fn parse(text: &'a str) -> Self {
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        Self {
            linked: lines().filter(|line| !line.starts_with(['#', '?'])).collect(),
            looked_up: lines().filter_map(|line| line.strip_prefix('?')).collect(),
        }
    }

    /// Whether the names that are looked up are those of the list.
    fn compare_lookups(&self, here: &Path) -> Result<()> {
        let kernel = fs::read_to_string(here.join("kernel.c"))?;
        let syscall = fs::read_to_string(here.join("syscall.c"))?;
        let found: BTreeSet<&str> = kernel
            .lines()
            .filter_map(|line| line.trim().strip_prefix("FIND("))
            .filter_map(|line| line.split(',').next())
            .chain(syscall.split("ht_lookup(file, \"").skip(1).filter_map(|s| s.split('"').next()))
            .collect();
        ensure!(
            found == self.looked_up,
            "IMPORTS and the sources differ in what is looked up: {:?}",
            found.symmetric_difference(&self.looked_up).collect::<Vec<_>>()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Imports;

    #[test]
    fn imports_are_told_apart() {
        let imports = Imports::parse("# comment\n\nprintf\n ?sdt_probe_func\nwakeup\n");
        assert_eq!(imports.linked, ["printf", "wakeup"]);
        assert_eq!(imports.looked_up.into_iter().collect::<Vec<_>>(), ["sdt_probe_func"]);
    }
}
