//! Running other programs: their output is shown only when they fail.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A command line as a person would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs a command and returns its standard output.
///
/// # Errors
/// If it cannot be started or fails; the error carries what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = line(command);
    let result =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    let out = String::from_utf8_lossy(&result.stdout).into_owned();
    if !result.status.success() {
        let err = String::from_utf8_lossy(&result.stderr);
        bail!("`{shown}` failed ({}):\n{out}{err}", result.status);
    }
    Ok(out)
}
