//! Golden scripts: `tests/golden/*.d` through the real `dtrace`, against what they must print.
//!
//! A script's name says what it expects, and that is asserted before any text:
//!
//! | name | expects |
//! | --- | --- |
//! | `tst.*.d` | status 0 |
//! | `err.D_TAG.*.d` | refused with that tag, status 1 |
//! | `drp.KIND.*.d` | drops of that kind reported, status 0 |
//!
//! `NAME.out` is standard output to the byte, `NAME.err` standard error; without them, nobody looks.
//! Lines at the script's start set the run up: `/* args: … */` gives the script arguments,
//! `/* options: … */` gives `dtrace` options, `/* status: 3 */` says what a `tst` exits with.
//! `HYPERTRACE_BLESS=1 cargo test -p cli --test golden` writes these files anew: look at the
//! difference before you keep it.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
};

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut all: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "d"))
        .collect();
    all.sort();
    all
}

/// What a line `/* key: value */` at the script's start says.
fn directive(script: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(script).unwrap();
    let said = |line: &str| {
        let inner = line.strip_prefix("/* ")?.strip_suffix(" */")?;
        Some(inner.strip_prefix(key)?.strip_prefix(": ")?.to_owned())
    };
    text.lines().take_while(|line| line.starts_with("/* ")).find_map(said)
}

fn run(script: &Path) -> Output {
    let mut command = dtrace(script);
    command.arg("-s").arg(script.file_name().unwrap()).args(words(script, "args"));
    command.output().unwrap()
}

/// What the name promises; `Err` says how it was broken.
fn check_name(script: &Path, output: &Output) -> Result<(), String> {
    let name = script.file_name().unwrap().to_str().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    let fields: Vec<&str> = name.split('.').collect();
    let wanted = directive(script, "status").map_or(0, |status| status.parse().unwrap());
    match fields[..] {
        ["tst", ..] if status == Some(wanted) => Ok(()),
        ["err", tag, ..] if status == Some(1) && err.contains(&format!("[{tag}]")) => Ok(()),
        ["drp", kind, ..] => {
            let words = match kind {
                "PRINCIPAL" => " drop",
                "AGGREGATION" => " aggregation drop",
                "DYNAMIC" => " dynamic variable drop",
                "SPEC" => " speculative drop",
                "SPECUNAVAIL" => "(no speculative buffer available)",
                "DBLERROR" => " in ERROR probe enabling",
                _ => return Err(format!("unknown kind of drops {kind}")),
            };
            let dropped = err.contains(words) && status == Some(0);
            dropped.then_some(()).ok_or_else(|| format!("no {words:?} (status {status:?}):\n{err}"))
        }
        _ => Err(format!("status {status:?}, not what the name says:\n{err}")),
    }
}

fn check_output(script: &Path, output: &Output) -> Result<(), String> {
    check_stream(script, "d.out", &output.stdout)?;
    check_stream(script, "d.err", &output.stderr)
}

fn check_stream(script: &Path, extension: &str, got: &[u8]) -> Result<(), String> {
    let golden = script.with_extension(extension);
    if std::env::var_os("HYPERTRACE_BLESS").is_some() {
        let is_test = script.file_name().unwrap().to_str().unwrap().starts_with("tst.");
        if golden.exists() || is_test && extension == "d.out" {
            fs::write(&golden, got).unwrap();
        }
        return Ok(());
    }
    let Ok(expected) = fs::read(&golden) else { return Ok(()) };
    if expected == got {
        return Ok(());
    }
    let (expected, got) = (String::from_utf8_lossy(&expected), String::from_utf8_lossy(got));
    Err(format!("expected:\n{expected}\ngot:\n{got}"))
}

/// The words of a directive.
fn words(script: &Path, key: &str) -> Vec<String> {
    let text = directive(script, key).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// `dtrace` where the scripts are.
fn dtrace(script: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
    command.current_dir(script.parent().unwrap()).env("TZ", "UTC");
    command.args(["-x", "errtags"]).args(words(script, "options"));
    command
}

/// A script that was saved (`-e -o`), loaded and run (`-Y`) prints what it prints when it is run
/// at once.
#[test]
fn saved_scripts_print_the_same() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved");
    fs::create_dir_all(&dir).unwrap();
    let failures = each(|script| {
        let name = script.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("tst.") {
            return None;
        }
        let object = dir.join(&name).with_extension("o");
        let mut save = dtrace(script);
        save.args(["-e", "-o"]).arg(&object).arg("-s").arg(&name).args(words(script, "args"));
        let saved = save.output().unwrap();
        if !saved.status.success() {
            return Some(format!("{name}: {}", String::from_utf8_lossy(&saved.stderr)));
        }
        let ran = dtrace(script).arg("-Y").arg(&object).output().unwrap();
        let checked =
            check_name(script, &ran).and_then(|()| check_stream(script, "d.out", &ran.stdout));
        checked.err().map(|why| format!("{name}: {why}"))
    });
    fs::remove_dir_all(&dir).unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What is wrong with which script. Several run at a time: each is a process of its own.
fn each(check: impl Fn(&Path) -> Option<String> + Sync) -> Vec<String> {
    let scripts = scripts();
    assert!(!scripts.is_empty());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let next = AtomicUsize::new(0);
    let work = || {
        let take = || scripts.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(take).filter_map(|script| check(script)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn check(script: &Path) -> Option<String> {
    let output = run(script);
    let checked = check_name(script, &output).and_then(|()| check_output(script, &output));
    let name = script.file_name().unwrap().to_string_lossy();
    checked.err().map(|why| format!("{name}: {why}"))
}

/// Every script does what its name says and prints what its golden file holds.
#[test]
fn scripts_print_what_they_should() {
    let failures = each(check);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
