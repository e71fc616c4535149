//! The guest module's instruction lengths, held against objdump's over a whole library.
//!
//! A wrong length would let the module take a byte in the middle of an instruction for a return,
//! and change it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::kept;
use crate::{paths, run};

/// Much of what compilers make; its vector instructions are not known to the module.
const LIBRARY: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// How much the module must know; what it does not are AVX instructions, 2.8 of 100 there.
const LEAST_KNOWN: f64 = 0.97;

/// Compares every instruction of the C library.
///
/// # Errors
/// If a length is wrong, or too many are unknown.
pub(crate) fn run() -> Result<()> {
    let root = paths::root();
    let place = kept().join("guest");
    fs::create_dir_all(&place)?;
    let program = place.join("lengths");
    run::output(
        Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(root.join("tests/freebsd/guest/lengths.c"))
            .arg(root.join("guest-kmod/freebsd/insn.c")),
    )?;
    let listing = run::output(Command::new("objdump").args(["-d", "-w", LIBRARY]))?;
    let wanted: Vec<&str> = listing.lines().filter_map(bytes).collect();
    let found = lengths(&program, &place, &wanted)?;
    ensure!(found.len() == wanted.len(), "lengths of {} from {}", found.len(), wanted.len());
    let mut known = 0_u32;
    for (bytes, &length) in wanted.iter().zip(&found) {
        let right = bytes.split(' ').count();
        ensure!(length == 0 || length == right, "{bytes} has length {length} for the module");
        known += u32::from(length != 0);
    }
    let all = u32::try_from(wanted.len())?;
    ensure!(f64::from(known) > f64::from(all) * LEAST_KNOWN, "{known} of {all} are known");
    println!("instruction lengths: {known} of {all} are known, and right");
    Ok(())
}

/// The bytes of a line of objdump's: `address:<tab>bytes<tab>text`.
fn bytes(line: &str) -> Option<&str> {
    let mut columns = line.split('\t');
    columns.next()?.trim().strip_suffix(':')?;
    let bytes = columns.next()?.trim();
    let text = columns.next()?;
    (!text.contains("(bad)")).then_some(bytes)
}

/// What the module says of each.
fn lengths(program: &Path, place: &Path, wanted: &[&str]) -> Result<Vec<usize>> {
    let mut text = String::new();
    for bytes in wanted {
        writeln!(text, "{}", bytes.replace(' ', ""))?;
    }
    let input = place.join("lengths.in");
    fs::write(&input, text)?;
    let output = run::output(Command::new(program).arg(&input))?;
    output.lines().map(|line| line.parse().context("a length")).collect()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn lines_of_objdump_are_read() {
        assert_eq!(bytes("   26:\tc3\tret"), Some("c3"));
        assert_eq!(bytes("   26:\t48 89 e5             \tmov    %rsp,%rbp"), Some("48 89 e5"));
        assert_eq!(bytes("0000000000026000 <f>:"), None);
        assert_eq!(bytes("   26:\tff ff\t(bad)"), None);
    }
}
