//! A FreeBSD guest in a process: `freebsd-guest NAME VCPUS KERNEL [MODULE…]`.
//!
//! Its RAM is the file of descriptor `STANDIN_MEMORY`; the shim and the stand-in libvmmapi are
//! preloaded. Objects are read before the sandbox closes. Then it takes a command a line on its
//! standard input and answers with a line:
//!
//! ```text
//!  load MODULE          ok, or the error that kldload would return
//!  unload MODULE        likewise
//!  call FUNCTION N…     what a function of the kernel returns
//!  passed               how many exits bhyve saw
//!  memory               RAM comes, if STANDIN_LATE kept it away
//!  trap                 the next vCPU that reads user memory for a fire ends there
//! ```
//! A machine that panics says `panic` and why, instead of an answer, and ends.
//!
//! `STANDIN_VENDOR` is what CPUID says of the hypervisor, `STANDIN_TYPES` the version of CTF in which
//! the kernel has types; without them it is bhyve, and there are none.

use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use freebsd_harness::guest::shell::{BHYVE, Options, Shell};
use freebsd_harness::guest::{monitor, ram};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, vcpus, objects @ ..] = words.as_slice() else {
        anyhow::bail!("usage: freebsd-guest NAME VCPUS KERNEL [MODULE…]");
    };
    let vcpus: u32 = vcpus.parse()?;
    ensure!((1..=8).contains(&vcpus), "1 to 8 vCPUs");
    let memory = std::env::var("STANDIN_MEMORY").context("STANDIN_MEMORY")?.parse()?;
    let read = |path: &String| -> Result<(String, Vec<u8>)> {
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str());
        let bytes = std::fs::read(path).with_context(|| path.clone())?;
        Ok((stem.context("no name")?.to_owned(), bytes))
    };
    let objects = objects.iter().map(read).collect::<Result<Vec<_>>>()?;
    let ram = ram::Ram::map(memory)?;
    let variable = |name: &str| std::env::var(name).ok();
    let options = Options {
        vendor: match variable("STANDIN_VENDOR") {
            Some(vendor) => vendor.as_bytes().try_into().context("a vendor has 12 letters")?,
            None => *BHYVE,
        },
        types: variable("STANDIN_TYPES").map(|version| version.parse()).transpose()?,
    };
    monitor::start(name, vcpus, ram::SIZE, variable("STANDIN_LATE").is_some())?;
    let mut shell = Shell::boot(ram, vcpus, &options, objects)?;
    for line in std::io::stdin().lock().lines() {
        let answer = match shell.command(&line?) {
            Ok(answer) => answer,
            Err(error) => format!("error {error:#}"),
        };
        writeln!(std::io::stdout().lock(), "{answer}")?;
    }
    Ok(())
}
