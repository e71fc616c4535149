//! A host that cannot be traced, or only in part, is one line; its guests are traced as ever.

use anyhow::{Result, ensure};
use e2e::cluster::{Cluster, NAMES};
use e2e::restricted;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[("guests_are_traced_whatever_the_host_lacks", traced)];

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
