//! What the module harness loads beside the guest module, for each release: a kernel of stand-ins,
//! and small modules that come and go.

use anyhow::Result;

use super::zig::{V14, V15};
use super::{ensure_clang, kept, module};
use crate::paths;

/// As the guest module is compiled; and no call may become another one: the compiler would make
/// memset of a loop in memset, and a jump of a call that a stack is read through.
const CFLAGS: &[&str] = &["-DKDTRACE_HOOKS", "-fno-builtin", "-fno-optimize-sibling-calls"];

/// Builds the objects.
///
/// # Errors
/// If one cannot be built.
pub(crate) fn run() -> Result<()> {
    ensure_clang()?;
    let flags: Vec<String> = CFLAGS.iter().map(|&flag| flag.to_owned()).collect();
    let here = paths::root().join("tests/freebsd");
    for release in [V14, V15] {
        let place = kept().join("standin").join(release.module);
        for (folder, object) in [
            ("kernel-standin", "kernel.ko"),
            ("kernel-extra", "extra.ko"),
            ("kernel-extra32", "extra32.ko"),
        ] {
            module::build(release, &here.join(folder), &place.join(object), &flags)?;
        }
    }
    Ok(())
}
