//! User stacks of guests: raw addresses, followed through the process's page tables.

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::cluster::Cluster;
use xtask::paths;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] =
    &[("user_stacks_are_right_wherever_a_probe_fires", user_stacks)];

/// The functions of tests/guests/frames.c, from the innermost.
const CHAIN: [&str; 4] = ["inner", "middle", "outer", "main"];

/// Start and end of a function of the program.
fn function(symbols: &str, name: &str) -> Result<(u64, u64)> {
    for line in symbols.lines() {
        if let [start, size, _, found] = line.split_whitespace().collect::<Vec<_>>().as_slice()
            && *found == name
        {
            let start = u64::from_str_radix(start, 16)?;
            return Ok((start, start + u64::from_str_radix(size, 16)?));
        }
    }
    bail!("frames has no {name}")
}

fn user_stacks(cluster: &mut Cluster) -> Result<()> {
    let program = paths::vm().join("image").join(&cluster.image.release).join("root/bin/frames");
    let nm = Command::new("nm").arg("-S").arg(program).output()?;
    let symbols = String::from_utf8(nm.stdout)?;
    let chain: Vec<_> = CHAIN.iter().map(|name| function(&symbols, name)).collect::<Result<_>>()?;
    for (what, probe) in [
        ("call", "syscall::getppid:entry"),
        ("call", "syscall::getppid:return"),
        ("call", "fbt::*_sys_getppid:entry"),
        ("call", "fbt::*_sys_getppid:return"),
        ("spin", "profile:::profile-97"),
    ] {
        let script = format!(
            r#"BEGIN {{ printf("ready\n"); }}
            vm-web-1:{probe} /execname == "frames" && !done++/ {{ printf("stack\n"); ustack(8); printf("end\n"); }}"#
        );
        let guest = cluster.guest("vm-web-1")?;
        guest.run(&format!("frames {what} > /dev/null 2>&1 & echo $! > /tmp/frames"))?;
        let tracer = cluster.dtrace(&["-qEn", &script])?;
        tracer.wait_out("end\n").with_context(|| probe.to_owned())?;
        let out = tracer.interrupt()?.success()?.out;
        cluster.guest("vm-web-1")?.run("kill -9 $(cat /tmp/frames)")?;
        let stack: Vec<u64> = out.lines().filter_map(address).collect();
        for (at, ((start, end), name)) in chain.iter().zip(CHAIN).enumerate() {
            let pc = stack.get(at).copied().unwrap_or(0);
            // A return address may be the function's end if the call is its last instruction.
            ensure!(pc > *start && pc <= *end, "{probe}: frame {at} is not in {name}:\n{out}");
        }
    }
    Ok(())
}

/// The address that a line of a user stack shows.
fn address(line: &str) -> Option<u64> {
    let text = line.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.rsplit("`0x").next())?;
    u64::from_str_radix(digits, 16).ok().filter(|_| text.contains("0x"))
}
