//! A host that cannot be traced, or only in part, is one line; its guests are traced as ever.

use anyhow::{Result, ensure};
use e2e::cluster::{Cluster, NAMES};
use e2e::restricted;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("guests_are_traced_whatever_the_host_lacks", traced),
    ("guests_are_traced_without_memory_for_the_hosts_maps", no_memory),
];

/// One fire of each guest's ends the script.
const SCRIPT: &str = "*:syscall:::entry { @[vmname] = count(); } \
    vm-web-0:syscall:::entry { a = 1; } vm-web-1:syscall:::entry { b = 1; } vm-db-0:syscall:::entry { c = 1; } \
    *:syscall:::entry /a && b && c/ { exit(0); } END { printa(\"%s:%@d\\n\", @); }";

fn traced(cluster: &mut Cluster) -> Result<()> {
    for one in restricted::ALL {
        let said = one.dtrace(cluster.run_dir(), &["-qEn", SCRIPT])?;
        let [line] = said.host.as_slice() else { anyhow::bail!("{}: {}", one.name, said.err) };
        ensure!(line.contains(one.says), "{}: {line}", one.name);
        for name in NAMES {
            ensure!(
                said.out.contains(&format!("{name}:")),
                "{}: {}{}",
                one.name,
                said.out,
                said.err
            );
        }
    }
    Ok(())
}

/// The kernel refuses the map: the arena is then ordinary memory, and only the host's probes are
/// missing.
fn no_memory(cluster: &mut Cluster) -> Result<()> {
    let arguments = ["-b", "256m", "-x", "bufresize=manual", "-qEn", SCRIPT];
    let finished = cluster.dtrace(&arguments)?.finish()?.success()?;
    let told: Vec<_> = finished.err.lines().filter(|line| line.contains("host:")).collect();
    let [line] = told.as_slice() else { anyhow::bail!("{}", finished.err) };
    ensure!(line.contains("its kernel is not traced") && line.contains("bufsize"), "{line}");
    let guests = finished.out.lines().filter(|line| line.starts_with("vm-")).count();
    ensure!(guests == NAMES.len(), "{}{}", finished.out, finished.err);
    let host = finished.out.lines().find(|line| line.starts_with("host:"));
    ensure!(host.is_none(), "the host fired: {}", finished.out);
    Ok(())
}
