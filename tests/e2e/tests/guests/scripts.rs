//! The scripts that the project promises, word for word, and what they must show.

use anyhow::{Context as _, Result, ensure};
use e2e::cluster::{Cluster, NAMES};

use crate::Test;

/// A path deep in the guest's file tree, executed by its workload.
const LEAF: &str = "/opt/ht/one/two/three/four/five/six/seven/eight/leaf";

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("exec_names_users_and_paths_of_every_guest", exec_names_users_and_paths),
    ("io_stacks_show_the_block_layer_at_the_guests_own_addresses", io_stacks),
    ("os_version_is_a_target", os_version_is_a_target),
    ("read_latency_is_a_distribution", read_latency),
    ("curthread_is_read_through_the_guests_types", curthread),
    ("one_global_counts_over_all_guests", one_global),
    ("standard_probes_of_guests_have_ds_types", standard_types),
    ("listing_names_the_machines", listing),
    ("a_path_is_read_back_exactly", path_read_back),
    ("a_symbol_of_a_guest_resolves_to_its_own_address", stack_symbols),
];

fn exec_names_users_and_paths(cluster: &mut Cluster) -> Result<()> {
    let script = r#"vm-*:proc:::exec { printf("%s: user = %u, gid = %u: %s\n", vmname, uid, gid, stringof(args[0])); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    let wanted: Vec<String> = NAMES
        .iter()
        .flat_map(|name| {
            [
                format!("{name}: user = 1000, gid = 1000: /opt/ht/hello\n"),
                format!("{name}: user = 33, gid = 33: {LEAF}\n"),
                format!("{name}: user = 0, gid = 0: /opt/ht/missing\n"),
            ]
        })
        .collect();
    tracer
        .wait_for("every guest's execs", |out, _| wanted.iter().all(|line| out.contains(line)))?;
    let finished = tracer.interrupt()?.success()?;
    let alien = finished.out.lines().find(|line| {
        !line.is_empty() && !NAMES.iter().any(|name| line.starts_with(&format!("{name}: user = ")))
    });
    ensure!(alien.is_none(), "a line that no guest wrote: {alien:?}");
    Ok(())
}

fn io_stacks(cluster: &mut Cluster) -> Result<()> {
    let script = "vm-*:io:::start { @[vmname, immstack()] = count(); } \
                  vm-*:io:::start { @seen[vmname] = count(); } tick-3s { exit(0); }";
    let finished = cluster.dtrace(&["-x", "quiet", "-En", script])?.finish()?.success()?;
    for name in NAMES {
        ensure!(finished.out.contains(name), "nothing of {name}:\n{}", finished.out);
    }
    let frames: Vec<(&str, u64)> = finished.out.lines().filter_map(frame).collect();
    ensure!(
        frames.iter().any(|(function, _)| function.contains("submit_bio")),
        "no block layer in the stacks:\n{}",
        finished.out
    );
    // The same image runs in every guest, so function sizes are the same; KASLR moves all alike.
    let symbols = Symbols::read(cluster)?;
    for (function, offset) in frames {
        let size = symbols.size(function).with_context(|| format!("{function} is no symbol"))?;
        ensure!(offset < size, "{function}+{offset:#x} lies beyond the function's {size:#x} bytes");
    }
    Ok(())
}

/// `function+0xoffset` of a stack line.
fn frame(line: &str) -> Option<(&str, u64)> {
    let (function, offset) = line.split_whitespace().next()?.split_once("+0x")?;
    Some((function.rsplit('`').next()?, u64::from_str_radix(offset, 16).ok()?))
}

/// The guest's own `/proc/kallsyms`, functions only.
struct Symbols(Vec<(u64, String)>);

impl Symbols {
    fn read(cluster: &mut Cluster) -> Result<Self> {
        let text =
            cluster.guest("vm-web-0")?.run("grep -i ' t ' /proc/kallsyms | sort | cut -c1-96")?;
        let parse = |line: &str| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            Some((address, words.nth(1)?.to_owned()))
        };
        Ok(Self(text.lines().filter_map(parse).collect()))
    }

    /// The largest distance to the next symbol among the functions of that name.
    fn size(&self, name: &str) -> Option<u64> {
        let here = self.0.iter().enumerate().filter(|(_, (_, other))| other == name);
        here.filter_map(|(index, (address, _))| {
            let next = self.0.iter().skip(index).find(|(other, _)| other > address)?;
            Some(next.0 - address)
        })
        .max()
    }
}

fn os_version_is_a_target(cluster: &mut Cluster) -> Result<()> {
    let script = "Linux-6*:syscall:::entry { @[vmname, execname] = count(); } tick-5s { exit(0); }";
    let finished = cluster.dtrace(&["-En", script])?.finish()?.success()?;
    for name in NAMES {
        let row = finished.out.lines().find(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(name) && words.next() == Some("workload")
        });
        let count: u64 = row
            .and_then(|line| line.split_whitespace().last()?.parse().ok())
            .with_context(|| format!("no row for {name}:\n{}", finished.out))?;
        ensure!(count > 0, "{name} made no system call");
    }
    Ok(())
}

fn read_latency(cluster: &mut Cluster) -> Result<()> {
    let script = "vm-web-*:syscall::read:entry { self->ts = timestamp; } \
                  vm-web-*:syscall::read:return /self->ts/ { @[vmname] = quantize(timestamp - self->ts); self->ts = 0; } \
                  tick-3s { exit(0); }";
    let finished = cluster.dtrace(&["-En", script])?.finish()?.success()?;
    for name in ["vm-web-0", "vm-web-1"] {
        let part = finished.out.split(name).nth(1).with_context(|| format!("no {name}"))?;
        ensure!(part.contains("------------- Distribution -------------"), "{}", finished.out);
        let total: u64 = part
            .lines()
            .skip(2)
            .take_while(|line| line.contains('|'))
            .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
            .sum();
        ensure!(total > 0, "an empty distribution for {name}:\n{}", finished.out);
    }
    ensure!(!finished.out.contains("vm-db-0"), "a guest that was not asked:\n{}", finished.out);
    Ok(())
}

fn curthread(cluster: &mut Cluster) -> Result<()> {
    let script = "vm-web-0:fbt::vfs_read:entry { @[stringof(curthread->comm), curthread->cred->uid.val] = count(); } \
                  tick-3s { exit(0); }";
    let finished = cluster.dtrace(&["-En", script])?.finish()?.success()?;
    let row = finished.out.lines().find(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), ["workload", "0", count] if count.parse::<u64>().is_ok_and(|n| n > 0))
    });
    ensure!(row.is_some(), "the workload's reads as root are missing:\n{}", finished.out);
    Ok(())
}

fn one_global(cluster: &mut Cluster) -> Result<()> {
    let script = r#"vm-*:proc:::exec { n++; } vm-*:proc:::exec /n % 100 == 0/ { printf("%d execs over all guests, last on %s", n, vmname); }"#;
    let tracer = cluster.dtrace(&["-En", script])?;
    tracer.wait_out("200 execs over all guests, last on vm-")?;
    let finished = tracer.interrupt()?.success()?;
    ensure!(finished.out.contains("100 execs over all guests, last on vm-"), "{}", finished.out);
    Ok(())
}

/// The same script would do for the host: names, arguments and types are of one table.
fn standard_types(cluster: &mut Cluster) -> Result<()> {
    let script = r#"vm-db-0:io:::start /args[2]->fi_name == "log"/ { @io["start", args[2]->fi_name, args[2]->fi_fs, args[1]->dev_statname, args[0]->b_bcount > 0] = count(); }
        vm-db-0:io:::done { @io["done", args[2]->fi_name, args[2]->fi_fs, args[1]->dev_statname, args[0]->b_bcount > 0] = count(); }
        vm-db-0:proc:::create { @p["create", args[0]->pr_fname] = count(); }
        vm-db-0:proc:::start { @p["start", execname] = count(); }
        vm-db-0:proc:::signal-send, vm-db-0:proc:::signal-discard /args[2] == 17/ { @p["signal", args[1]->pr_fname] = count(); }
        vm-db-0:sched:::off-cpu { @p["off", args[1]->pr_fname] = count(); }
        vm-db-0:sched:::on-cpu { @p["on", execname] = count(); }
        vm-db-0:sched:::sleep { @p["sleep", execname] = count(); }
        vm-db-0:sched:::enqueue /args[2]->cpu_id < 2/ { @p["enqueue", args[1]->pr_fname] = count(); }
        tick-3s { exit(0); }"#;
    let finished = cluster.dtrace(&["-En", script])?.finish()?.success()?;
    let has = |words: &[&str]| {
        finished.out.lines().any(|line| {
            let found: Vec<&str> = line.split_whitespace().collect();
            found.starts_with(words)
        })
    };
    ensure!(has(&["start", "log", "ext4", "vda", "1"]), "{}{}", finished.out, finished.err);
    ensure!(has(&["done"]), "{}{}", finished.out, finished.err);
    for what in ["create", "start", "signal", "off", "on", "sleep", "enqueue"] {
        ensure!(has(&[what, "workload"]), "no {what}:\n{}{}", finished.out, finished.err);
    }
    Ok(())
}

fn listing(cluster: &mut Cluster) -> Result<()> {
    let finished = cluster.dtrace(&["-El", "-n", "vm-*:io:::"])?.finish()?.success()?;
    for name in NAMES {
        for probe in ["start", "done"] {
            let row = finished
                .out
                .lines()
                .find(|line| line.contains(name) && line.split_whitespace().last() == Some(probe));
            ensure!(row.is_some(), "no io:::{probe} of {name}:\n{}", finished.out);
        }
    }
    Ok(())
}

fn path_read_back(cluster: &mut Cluster) -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); } vm-db-0:syscall::open*:entry /execname == "workload"/ { printf("[%s]\n", copyinstr(arg1)); }"#;
    let tracer = cluster.dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready\n")?;
    let deep = format!("/mnt/data/{}", "directory-".repeat(16));
    let guest = cluster.guest("vm-db-0")?;
    guest.run(&format!("mkdir -p {deep}; echo x > {deep}/file; workload open {deep}/file"))?;
    tracer.wait_out(&format!("[{deep}/file]\n"))?;
    tracer.interrupt()?.success()?;
    Ok(())
}

fn stack_symbols(cluster: &mut Cluster) -> Result<()> {
    let script = "vm-web-0:fbt::vfs_read:entry { @[stack(3)] = count(); } tick-2s { exit(0); }";
    let finished = cluster.dtrace(&["-En", script])?.finish()?.success()?;
    let first = finished.out.lines().map(str::trim).find(|line| line.contains('`'));
    let first = first.with_context(|| format!("no stack:\n{}", finished.out))?;
    ensure!(
        finished.out.contains("ksys_read") || finished.out.contains("kernel_read"),
        "vfs_read's callers are missing (first frame {first}):\n{}",
        finished.out
    );
    Ok(())
}
