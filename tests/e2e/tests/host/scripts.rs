//! The scripts that the project promises for the host, and what they must show.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{Test, dtrace, run_dir, traced};

/// What this module tests.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("every_call_of_a_command_is_counted_by_name", calls_by_name),
    ("execs_show_users_and_paths", execs),
    ("read_latency_is_a_distribution_of_every_read", read_latency),
    ("profile_shows_kernel_stacks_by_name", profile),
    ("the_paths_a_command_opens_are_read", opens),
    ("one_global_loses_nothing_on_all_cpus", one_global),
    ("records_of_all_calls_come_in_order", records),
    ("errno_is_the_calls_own", errno),
    ("processes_are_born_and_die", births_and_deaths),
    ("threads_come_and_go_on_cpus", scheduler),
    ("transfers_tell_of_their_file_and_device", transfers),
    ("open_files_have_their_whole_path", paths),
    ("tracepoints_have_typed_arguments", tracepoint_types),
    ("processes_get_signals_and_have_a_command_line", signals),
];

/// Exactly so many read(2) and write(2) calls, of one byte each.
pub(crate) fn copy(count: u32) -> String {
    format!("dd if=/dev/zero of=/dev/null bs=1 count={count} status=none")
}

/// The number in the line that starts with these words.
pub(crate) fn number(out: &str, words: &[&str]) -> Result<u64> {
    let line = out.lines().find(|line| {
        let found: Vec<&str> = line.split_whitespace().collect();
        found.len() == words.len() + 1 && found.starts_with(words)
    });
    let line = line.with_context(|| format!("no line {words:?} in\n{out}"))?;
    Ok(line.split_whitespace().last().context("an empty line")?.parse()?)
}

fn calls_by_name() -> Result<()> {
    let script = "syscall:::entry /pid == $target/ { @num[execname, probefunc] = count(); }";
    let finished = traced(&["-n", script, "-c", &copy(20_000)])?;
    // dd reads its own libraries, too.
    ensure!(number(&finished.out, &["dd", "write"])? == 20_000, "{}", finished.out);
    ensure!(number(&finished.out, &["dd", "read"])? >= 20_000, "{}", finished.out);
    ensure!(number(&finished.out, &["dd", "exit_group"])? == 1, "{}", finished.out);
    Ok(())
}

fn execs() -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); } *:proc:::exec { printf("%s: user = %u, gid = %u: %s\n", vmname, uid, gid, stringof(args[0])); }"#;
    let tracer = dtrace(&["-x", "quiet", "-En", script])?;
    tracer.wait_out("ready")?;
    ensure!(Command::new("/usr/bin/env").arg("true").stdout(Stdio::null()).status()?.success());
    tracer.wait_for("both execs", |out, _| {
        out.contains("host: user = 0, gid = 0: /usr/bin/env\n") && out.contains("bin/true\n")
    })?;
    tracer.interrupt()?.success()?;
    Ok(())
}

fn read_latency() -> Result<()> {
    let script = "syscall::read:entry /pid == $target/ { self->ts = timestamp; } \
                  syscall::read:return /self->ts/ \
                  { @[execname] = quantize(timestamp - self->ts); @n = count(); self->ts = 0; }";
    let finished = traced(&["-n", script, "-c", &copy(5_000)])?;
    let bars = finished.out.lines().filter(|line| line.contains('|'));
    let sum: u64 =
        bars.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum();
    let count = finished.out.lines().filter_map(|line| line.trim().parse::<u64>().ok()).next_back();
    ensure!(Some(sum) == count && sum >= 5_000, "{sum} of {count:?}\n{}", finished.out);
    Ok(())
}

fn profile() -> Result<()> {
    let script = "profile-997 /pid == $target/ { @[stack()] = count(); @n = count(); }";
    let finished = traced(&["-n", script, "-c", &copy(400_000)])?;
    let named = finished.out.lines().filter(|line| line.trim().starts_with("vmlinux`")).count();
    ensure!(named >= 3, "no kernel functions in\n{}", finished.out);
    ensure!(finished.out.contains("vmlinux`do_syscall_64+"), "{}", finished.out);
    Ok(())
}

fn opens() -> Result<()> {
    let script =
        r#"syscall::open*:entry /pid == $target/ { printf("%s %s", execname, copyinstr(arg1)); }"#;
    let finished = traced(&["-n", script, "-c", "cat /etc/hostname"])?;
    ensure!(finished.out.contains("cat /etc/hostname"), "{}", finished.out);
    Ok(())
}

fn one_global() -> Result<()> {
    const WRITES: u32 = 100_000;
    let script = r#"BEGIN { printf("ready\n"); }
        syscall::write:entry /execname == "dd"/ { n++; @ = sum(arg2); }
        END { printf("%d writes\n", n); printa("%@d bytes\n", @); }"#;
    let tracer = dtrace(&["-qn", script])?;
    tracer.wait_out("ready")?;
    let line = copy(WRITES);
    let words: Vec<&str> = line.split(' ').collect();
    let (program, arguments) = words.split_first().context("a command")?;
    let children: Vec<_> =
        (0..4).map(|_| Command::new(program).args(arguments).spawn()).collect::<Result<_, _>>()?;
    for mut child in children {
        ensure!(child.wait()?.success());
    }
    let finished = tracer.interrupt()?.success()?;
    let total = 4 * WRITES;
    ensure!(finished.out.contains(&format!("{total} writes\n")), "{}", finished.out);
    ensure!(finished.out.contains(&format!("{total} bytes\n")), "{}", finished.out);
    Ok(())
}

fn records() -> Result<()> {
    let script = r#"syscall::write:entry /pid == $target/ { printf("%d %d\n", timestamp, ++n); }"#;
    let finished = traced(&["-qn", script, "-c", &copy(20_000)])?;
    let lines: Vec<(u64, u64)> = finished
        .out
        .lines()
        .filter_map(|line| {
            let (time, count) = line.split_once(' ')?;
            Some((time.parse().ok()?, count.parse().ok()?))
        })
        .collect();
    ensure!(lines.len() == 20_000, "{} records", lines.len());
    ensure!(lines.is_sorted(), "records out of order");
    Ok(())
}

fn errno() -> Result<()> {
    let script = r#"syscall::openat:return /pid == $target && errno == ENOENT/ { printf("%d %d\n", (int)arg1, errno); }"#;
    let finished = dtrace(&["-qn", script, "-c", "cat /no/such/file"])?.finish()?;
    ensure!(finished.out.contains("-2 2\n"), "{}{}", finished.out, finished.err);
    Ok(())
}

fn births_and_deaths() -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        proc:::create /ppid == $1 || pid == $1/ { created[args[0]->pr_pid] = 1; @created = count(); }
        proc:::exec-success /created[pid]/ { @ran[stringof(args[0])] = count(); }
        proc:::exit /created[pid]/ { @exited[args[0]] = count(); printf("exit of %s\n", execname); }"#;
    let own = std::process::id().to_string();
    let tracer = dtrace(&["-qn", script, &own])?;
    tracer.wait_out("ready")?;
    ensure!(Command::new("/usr/bin/true").status()?.success());
    let mut sleeper = Command::new("/usr/bin/sleep").arg("1000").spawn()?;
    sleeper.kill()?;
    sleeper.wait()?;
    tracer.wait_for("both ends", |out, _| out.matches("exit of").count() >= 2)?;
    let finished = tracer.interrupt()?.success()?;
    ensure!(number(&finished.out, &["/usr/bin/true"])? == 1, "{}", finished.out);
    // 1: it ended by itself; 2: it was killed.
    ensure!(number(&finished.out, &["1"])? == 1, "{}", finished.out);
    ensure!(number(&finished.out, &["2"])? == 1, "{}", finished.out);
    Ok(())
}

fn scheduler() -> Result<()> {
    let script = "sched:::on-cpu /pid == $target/ { self->on = timestamp; @on = count(); } \
                  sched:::off-cpu /self->on/ { @off = count(); self->on = 0; } \
                  sched:::sleep /pid == $target/ { @[\"sleeps\", execname] = count(); }";
    let finished = traced(&["-n", script, "-c", "sleep 0.2"])?;
    ensure!(number(&finished.out, &["sleeps", "sleep"])? >= 1, "{}", finished.out);
    Ok(())
}

fn transfers() -> Result<()> {
    let script = r#"BEGIN { printf("ready\n"); }
        io:::start /args[2]->fi_name == "hypertrace-io-test"/
        { printf("%s/%s on %s: %d, %d\n", args[2]->fi_dirname, args[2]->fi_name, args[2]->fi_fs,
          args[0]->b_bcount > 0, strlen(args[1]->dev_statname) > 2); }"#;
    let tracer = dtrace(&["-qn", script])?;
    tracer.wait_out("ready")?;
    // The guest that plays the host keeps its root in memory, and has a disk there.
    let dir = Path::new("/mnt/data");
    let dir = if dir.is_dir() { dir.to_path_buf() } else { run_dir()? };
    let path = dir.join("hypertrace-io-test");
    let mut file = File::create(&path)?;
    file.write_all(&[1; 1 << 16])?;
    file.sync_all()?;
    // A path within the file system, which may be mounted anywhere above the folder.
    let folder = dir.canonicalize()?.to_string_lossy().into_owned();
    let is_folder =
        |found: &str| found == "/" || (found.starts_with('/') && folder.ends_with(found));
    tracer.wait_for("the transfer", |out, _| {
        out.lines().any(|line| {
            let found = line.split_once("/hypertrace-io-test on ").map(|(dir, _)| dir);
            found.is_some_and(is_folder) && line.ends_with(": 1, 1")
        })
    })?;
    std::fs::remove_file(&path)?;
    tracer.interrupt()?.success()?;
    Ok(())
}

/// Whatever is mounted where: the path is the file's.
fn paths() -> Result<()> {
    let script = r#"syscall::write:entry /pid == $target && arg0 == 1/
        { printf("%s|%s|%s|%s\n", fds[arg0].fi_pathname, fds[arg0].fi_dirname, fds[arg0].fi_name,
          fds[arg0].fi_mount); }"#;
    let dir = run_dir()?.canonicalize()?;
    for file in [dir.join("hypertrace-path-test"), "/dev/null".into()] {
        let command = format!("dd if=/dev/zero of={} bs=1 count=1 status=none", file.display());
        let finished = traced(&["-qn", script, "-c", &command])?;
        let line = finished.out.lines().find(|line| line.contains('|')).unwrap_or_default();
        let parts: Vec<&str> = line.split('|').collect();
        let [path, folder, name, mount] = parts.as_slice() else { anyhow::bail!("{line}") };
        ensure!(Path::new(path) == file, "{line}");
        ensure!(Some(Path::new(folder)) == file.parent(), "{line}");
        ensure!(Some(name.as_ref()) == file.file_name(), "{line}");
        ensure!(file.starts_with(mount), "{line}");
    }
    Ok(())
}

fn tracepoint_types() -> Result<()> {
    let script = r#"sdt:::sched_process_exec /pid == $target/ { printf("%s %d\n", stringof(args[0]->comm), args[0]->tgid == pid); }"#;
    // By its path: some shells are `true` themselves.
    let finished = traced(&["-qn", script, "-c", "/usr/bin/true"])?;
    ensure!(finished.out.contains("true 1\n"), "{}", finished.out);
    Ok(())
}

/// `raise()` and `stop()` act on the process whose probe fires, which `execargs` shows whole.
fn signals() -> Result<()> {
    let asleep = "syscall::clock_nanosleep:entry /pid == $target/";
    let raised = traced(&["-wn", &format!("{asleep} {{ raise(10); }}"), "-c", "sleep 100"])?;
    ensure!(raised.err.contains(" terminated by 10\n"), "{}", raised.err);
    let script =
        format!("{asleep} {{ printf(\"[%s]\", execargs); stop(); }} tick-200ms {{ exit(3); }}");
    let stopped = dtrace(&["-wqn", &script, "-c", "sleep 0.01"])?;
    // Were it not stopped, its end would end the session first, with 0.
    let finished = stopped.finish()?;
    ensure!(finished.out.contains("[sleep 0.01]"), "{}", finished.out);
    ensure!(finished.status.code() == Some(3), "{:?}", finished.status);
    Ok(())
}
