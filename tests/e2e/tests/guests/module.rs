//! The guest module among its kernel's other modules: loaded and unloaded under tracing, and
//! tracing modules that are.

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;

use crate::Test;

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("module_is_loaded_anew_again_and_again_while_others_are_traced", reload),
    ("probes_of_a_module_come_and_go_with_it", come_and_go),
    ("all_sdt_and_all_syscall_probes_at_once_under_load", whole_providers),
];

/// How often the module goes and comes; each time it announces its whole kernel.
const RELOADS: usize = 4;

fn reload(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    let script = r#"BEGIN { printf("ready\n"); }
        vm-web-0:syscall:::entry { @[vmname] = count(); }
        vm-web-0:proc:::exec { printf("%s\n", stringof(args[0])); }
        vm-spare-0:proc:::exec { r++; }"#;
    let tracer = cluster.dtrace(&["-qEn", script])?;
    tracer.wait_out("ready\n")?;
    for _ in 0..RELOADS {
        guest.run("rmmod hypertrace && insmod /lib/modules/hypertrace.ko && workload execs 1")?;
    }
    tracer.wait_out("/opt/ht/hello\n")?;
    let finished = tracer.interrupt()?.success()?;
    ensure!(finished.out.contains("vm-web-0"), "vm-web-0 is lost:\n{}", finished.out);
    let again = cluster.dtrace(&["-qEn", r#"vm-spare-0:proc:::exec { printf("exec\n"); }"#])?;
    again.wait_out("exec\n")?;
    again.interrupt()?.success()?;
    cluster.keep_spare(guest)
}

/// The list of a guest's probes of the module that comes and goes.
fn listed(cluster: &Cluster) -> Result<String> {
    let finished = cluster.dtrace(&["-lEn", "vm-spare-0:fbt:irqbypass::"])?.finish()?;
    Ok(finished.out)
}

fn come_and_go(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    ensure!(!listed(cluster)?.contains("irq_bypass_register_consumer"), "it is there already");
    guest.run("insmod /lib/modules/irqbypass.ko")?;
    let mut tries = 0;
    // The module's thread is woken at once, but announces in its own time.
    while !listed(cluster)?.contains("irq_bypass_register_consumer") {
        tries += 1;
        ensure!(tries < 50, "its probes do not come:\n{}", guest.console());
    }
    let script = r#"BEGIN { printf("ready\n"); }
        vm-spare-0:fbt:irqbypass::entry { @ = count(); } vm-spare-0:proc:::exec { n++; }
        vm-spare-0:proc:::exec /n > 10/ { printf("goes on\n"); n = 0; }"#;
    let tracer = cluster.dtrace(&["-qEn", script])?;
    tracer.wait_out("ready\n")?;
    let functions = "grep -c irqbypass /sys/kernel/tracing/enabled_functions";
    let (_, count) = guest.try_run(functions)?;
    ensure!(count.trim() != "0", "nothing of irqbypass is instrumented");
    guest.run("rmmod irqbypass")?;
    let (_, count) = guest.try_run(functions)?;
    ensure!(count.trim() == "0", "{count} functions of a module that is gone");
    tracer.wait_out("goes on\n")?;
    tracer.interrupt()?.success()?;
    ensure!(!listed(cluster)?.contains("irq_bypass_register_consumer"), "its probes stay");
    guest.run("insmod /lib/modules/irqbypass.ko && rmmod irqbypass")?;
    cluster.keep_spare(guest)
}

fn whole_providers(cluster: &mut Cluster) -> Result<()> {
    let mut guest = cluster.take_spare()?;
    for provider in ["sdt", "syscall"] {
        let wanted = if provider == "sdt" { "sched_switch" } else { "return" };
        let script = format!(
            r#"BEGIN {{ printf("ready\n"); }} vm-spare-0:{provider}::: {{ @[probename] = count(); }}
            vm-spare-0:{provider}:::{wanted} /!seen/ {{ seen = 1; printf("traced\n"); }}"#
        );
        let tracer = cluster.dtrace(&["-qEn", &script])?;
        tracer.wait_out("ready\n")?;
        // A busy guest may take longer to instrument all that than dtrace waits.
        tracer.wait_out("traced\n")?;
        guest.run("workload reads 500; workload execs 5; sync")?;
        let finished = tracer.interrupt()?.success()?;
        ensure!(finished.out.contains(wanted), "no {wanted}:\n{}", finished.out);
        guest.run("workload reads 100")?;
    }
    cluster.keep_spare(guest)
}
