//! Machines that do not allow everything: one line says what is missing and what it costs, and the
//! rest works. What guests have of it is among the guests' tests.

use anyhow::{Result, ensure};
use e2e::restricted::{ALL, Restricted};

use crate::scripts::{copy, number};
use crate::{Test, run_dir};

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("whatever_is_missing_is_one_line_that_says_what_it_costs", one_line),
    ("without_types_or_event_descriptions_system_calls_are_traced", system_calls),
    ("clocks_of_the_session_need_no_kernel", clocks),
];

/// The one line.
fn line<'a>(one: &Restricted, host: &'a [String], err: &str) -> Result<&'a str> {
    let [line] = host else { anyhow::bail!("{}: not one line about it: {err}", one.name) };
    ensure!(line.contains(one.says), "{}: {line}", one.name);
    Ok(line)
}

fn one_line() -> Result<()> {
    for one in ALL {
        let said =
            one.dtrace(&run_dir()?, &["-Zqn", "syscall::read:entry {} BEGIN { exit(0); }"])?;
        let line = line(&one, &said.host, &said.err)?;
        let cost = ["is not traced", "only syscall and profile probes", "no typed args[]"];
        ensure!(cost.iter().any(|cost| line.contains(cost)), "{}: {line}", one.name);
        // A script that asks for nothing of the kernel's hears nothing of it.
        let said = one.dtrace(&run_dir()?, &["-qn", "BEGIN { printf(\"begun\\n\"); exit(0); }"])?;
        ensure!(said.out.contains("begun\n"), "{}: {}{}", one.name, said.out, said.err);
        ensure!(said.host.is_empty(), "{}: {}", one.name, said.err);
    }
    Ok(())
}

fn system_calls() -> Result<()> {
    let script = "syscall::write:entry /pid == $target && arg2 == 1/ { @ = count(); } \
        END { printa(\"n %@d\\n\", @); }";
    for one in ALL.into_iter().filter(|one| one.has_host) {
        let said = one.dtrace(&run_dir()?, &["-qn", script, "-c", &copy(100)])?;
        line(&one, &said.host, &said.err)?;
        ensure!(number(&said.out, &["n"])? == 100, "{}: {}{}", one.name, said.out, said.err);
    }
    Ok(())
}

/// `tick` is the consumer's own clock, and BEGIN and END are its own probes.
fn clocks() -> Result<()> {
    let script =
        "BEGIN { n = 0; } tick-10ms /++n == 3/ { exit(0); } END { printf(\"n %d\\n\", n); }";
    for one in ALL {
        let said = one.dtrace(&run_dir()?, &["-qn", script])?;
        ensure!(number(&said.out, &["n"])? >= 3, "{}: {}{}", one.name, said.out, said.err);
    }
    Ok(())
}
