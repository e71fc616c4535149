//! The examples of the documentation, run: what stands in `docs/` works.
//!
//! In `docs/d-language.md` a block marked `d` is a script, and the block marked `text` behind it what
//! `dtrace -q -s` prints of it, to the byte but for the empty line at the end. In `docs/dtrace.1.md` the
//! command lines below *Examples* are compiled, wherever their machines are.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

/// The blocks of a document that are marked with one of the words, with their marks.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(mark) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let body = body.map(|line| format!("{line}\n")).collect();
        found.push((mark, body));
    }
    found
}

fn script(number: usize, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("example-{number}.d"));
    fs::write(&path, text).unwrap();
    path
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every script of the D reference prints what stands below it.
#[test]
fn examples_of_the_reference_print_what_they_show() {
    let text = document("d-language.md");
    let blocks = blocks(&text);
    assert!(blocks.len() >= 20, "the reference has examples");
    for (number, pair) in blocks.chunks(2).enumerate() {
        let [("d", text), ("text", expected)] = pair else {
            panic!("a script and what it prints: {pair:?}");
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
        let output = command.arg("-qs").arg(script(number, text)).output().unwrap();
        assert!(output.status.success(), "{text}{}", said(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.strip_suffix('\n'), Some(expected.as_str()), "{text}");
    }
}

/// Every command line of the manual page compiles.
#[test]
fn examples_of_the_manual_compile() {
    let text = document("dtrace.1.md");
    let (_, examples) = text.split_once("## Examples\n").unwrap();
    let (examples, _) = examples.split_once("\n## ").unwrap();
    let lines: Vec<&str> = examples.lines().filter(|line| line.starts_with("    ")).collect();
    assert!(lines.len() >= 5);
    for line in lines {
        // Compiled alone (-e), though no guest may be there (-Z).
        let shell = format!("dtrace() {{ \"$DTRACE\" -Z -e \"$@\"; }}\n{line}");
        let mut command = Command::new("/bin/sh");
        command.env("DTRACE", env!("CARGO_BIN_EXE_dtrace")).args(["-c", &shell]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}\n{}", said(&output));
    }
}
