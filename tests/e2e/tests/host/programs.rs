//! Probes of user programs: functions at entry, return and any instruction, and declared ones.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use xtask::vm::image;

use crate::scripts::{copy, number};
use crate::{Test, dtrace, inside, run_dir, traced};

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("functions_of_a_command_fire_at_entry_and_return", functions),
    ("functions_of_a_library_fire", library),
    ("every_instruction_of_a_function_fires", instructions),
    ("a_running_process_is_probed_and_goes_on", running),
    ("declared_probes_fire_with_their_arguments", declared),
    ("what_a_process_does_not_have_is_not_matched", nothing),
];

/// Where the guest that plays the host has it.
pub(crate) const INSIDE: &str = "/ht/probed";

/// The program that is probed.
pub(crate) fn probed() -> Result<PathBuf> {
    if std::env::var_os(inside::MARK).is_some() {
        return Ok(INSIDE.into());
    }
    let path = run_dir()?.join("probed");
    image::compile("probed", &path, &["-O2"])?;
    Ok(path)
}

fn functions() -> Result<()> {
    let script = "pid$target:a.out:weigh:entry { @in = count(); @first = sum(arg0); @seventh = sum(arg6); } \
        pid$target:a.out:weigh:return { @out = count(); @result = sum(arg1); } \
        END { printa(\"in %@d\\n\", @in); printa(\"first %@d\\n\", @first); printa(\"seventh %@d\\n\", @seventh); \
              printa(\"out %@d\\n\", @out); printa(\"result %@d\\n\", @result); }";
    let command = format!("{} 1000", probed()?.display());
    let finished = traced(&["-qn", script, "-c", &command])?;
    let sum = 999 * 1000 / 2;
    for (what, expected) in [
        ("in", 1000),
        ("out", 1000),
        ("first", sum),
        ("seventh", 7 * 1000),
        ("result", sum + 14 * 1000),
    ] {
        ensure!(number(&finished.out, &[what])? == expected, "{what}: {}", finished.out);
    }
    ensure!(finished.out.contains(&format!("seen 0 sum {}", sum + 14_000)), "{}", finished.out);
    Ok(())
}

/// A library's function, in a script with the system call that it makes.
fn library() -> Result<()> {
    let script = "pid$target:libc:write:entry { self->in = 1; @[probemod, probefunc] = count(); } \
        syscall::write:entry /self->in/ { @call = count(); self->in = 0; } \
        END { printa(\"%s %s %@d\\n\", @); printa(\"call %@d\\n\", @call); }";
    // By its path: busybox's shell has one of its own, without a library.
    let command = format!("/usr/bin/{}", copy(2_000));
    let finished = traced(&["-qn", script, "-c", &command])?;
    ensure!(number(&finished.out, &["libc.so.6", "write"])? == 2_000, "{}", finished.out);
    ensure!(number(&finished.out, &["call"])? == 2_000, "{}", finished.out);
    Ok(())
}

/// Offsets are instructions: each fires as often as the function runs, and the program still does
/// what it did.
fn instructions() -> Result<()> {
    let script =
        "pid$target:a.out:weigh: { @[probename] = count(); } END { printa(\"%s %@d\\n\", @); }";
    let command = format!("{} 100", probed()?.display());
    let finished = traced(&["-qn", script, "-c", &command])?;
    let lines: Vec<_> = finished.out.lines().filter(|line| line.ends_with(" 100")).collect();
    ensure!(lines.len() > 5 && lines.contains(&"0 100"), "{}", finished.out);
    ensure!(lines.contains(&"entry 100") && lines.contains(&"return 100"), "{}", finished.out);
    ensure!(finished.out.contains("seen 0 sum 6350"), "{}", finished.out);
    Ok(())
}

fn running() -> Result<()> {
    let mut child = Command::new(probed()?)
        .args(["wait", "500"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let script = r#"BEGIN { printf("ready\n"); } pid$target:a.out:weigh:entry { @n = count(); } END { printa("n %@d\n", @n); }"#;
    let tracer = dtrace(&["-qn", script, "-p", &child.id().to_string()])?;
    tracer.wait_out("ready")?;
    child.stdin.take().context("no standard input")?.write_all(b"x")?;
    let output = child.wait_with_output()?;
    // With its process, the session ends.
    let finished = tracer.finish()?.success()?;
    ensure!(number(&finished.out, &["n"])? == 500, "{}{}", finished.out, finished.err);
    ensure!(output.stdout.starts_with(b"seen 0 sum "), "{output:?}");
    Ok(())
}

/// Registers, memory and constants; the counter by which the program sees that it is traced.
fn declared() -> Result<()> {
    let script = "shop$target:::order-done { @n = count(); @number = sum((int)arg0); @price = sum(arg1); \
        @constant = sum((int)arg2); @weight = sum(arg3); @[probefunc] = count(); } \
        END { printa(\"n %@d\\n\", @n); printa(\"number %@d\\n\", @number); printa(\"price %@d\\n\", @price); \
        printa(\"constant %@d\\n\", @constant); printa(\"weight %@d\\n\", @weight); printa(\"in %s %@d\\n\", @); }";
    let command = format!("{} 100", probed()?.display());
    let finished = traced(&["-qn", script, "-c", &command])?;
    for line in
        ["n 100", "number -4950", "price 104950", "constant -300", "weight 6350", "in main 100"]
    {
        ensure!(finished.out.lines().any(|found| found == line), "{line}: {}", finished.out);
    }
    ensure!(finished.out.contains("seen 100 sum 6350"), "{}", finished.out);
    Ok(())
}

fn nothing() -> Result<()> {
    let command = format!("{} 1", probed()?.display());
    for wanted in [
        "pid$target:a.out:no_such_function:entry",
        "pid$target:no-such-library::entry",
        "shop$target:::no-such",
        "pid$target:a.out:weigh:1000",
    ] {
        let finished = dtrace(&["-n", wanted, "-c", &command])?.finish()?;
        ensure!(!finished.status.success(), "{wanted}: {}", finished.out);
        ensure!(finished.err.contains("does not match any probes"), "{wanted}: {}", finished.err);
    }
    Ok(())
}
