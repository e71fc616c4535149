//! The FreeBSD guest module's own object code, loaded and run: from HELLO to a script's output.
//!
//! The tests need objects that `cargo xtask freebsd harness` builds, and runs them then.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use freebsd_harness::guest::ram::SIZE;
use freebsd_harness::machine::Release;
use freebsd_harness::process::{Guest, MODULE};
use freebsd_harness::trace::Trace;
use hypercall::MAGIC;

const RELEASES: [Release; 2] = [Release::V14, Release::V15];

/// A guest of that release, named for its test.
fn traced(release: Release, name: &str) -> Guest {
    Guest::traced(release, &format!("{name}-{release:?}")).expect("the module loads")
}

/// A script that has enabled its probes.
fn script(guest: &Guest, script: &str) -> Trace {
    let mut trace = Trace::start(&guest.dir, script).expect("dtrace runs");
    trace.wait_ready().expect("BEGIN");
    trace
}

/// Lines without the blanks that align them.
fn lines(output: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    output.lines().map(words).filter(|line| !line.is_empty()).collect()
}

/// HELLO says who the guest is; unloading says GOODBYE, leaks nothing and leaves no thread in the
/// module, whose memory is taken away; and all of it again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_module_comes_and_goes() {
    for release in RELEASES {
        let mut guest = traced(release, "comes");
        for round in 0..3 {
            let info = guest.ready().expect("ready");
            assert_eq!((info.os, info.ncpu), (2, 2));
            assert_eq!(info.hostname, "standin.example");
            assert_eq!(info.release, "STANDIN-RELEASE");
            guest.unload_at_last(MODULE).expect("unloads");
            guest.gone().expect("GOODBYE");
            assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0, "round {round}");
            assert_eq!(guest.load(MODULE).expect("answers"), 0, "round {round}");
        }
        assert_eq!(guest.passed().expect("answers"), 0, "bhyve sees no doorbell");
        assert!(guest.finish().expect("ends").success());
    }
}

/// SDT: the arguments, the process and its jail, its string at a user address, and the stack, in
/// symbols.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn static_probes_fire_with_their_context() {
    for release in RELEASES {
        let mut guest = traced(release, "sdt");
        let name = format!("sdt-{release:?}");
        let text = format!(
            r#"{name}:io:::start {{ @[execname, uid, gid, jid, jailname, arg0, copyinstr(arg2)] = count(); }}
               {name}:io:::start /arg0 == 7/ {{ @s[stack(4)] = count(); }}
               {name}:vfs::lookup:done {{ @six[arg5] = sum(arg4); }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_work", &[1, 80]).expect("works"), 80);
        let output = lines(&trace.finish().expect("ends"));
        for fd in 0..8 {
            let line = format!("worker 80 81 3 web {fd} /etc/nothing 10");
            assert!(output.contains(&line), "{line}: {output:#?}");
        }
        assert!(output.contains(&"5 320".to_owned()), "{output:#?}");
        let stack = ["standin_read", "sys_standin_read", "syscall_", "worker"];
        let at = output.iter().position(|line| line.starts_with("kernel`standin_read+0x"));
        let at = at.unwrap_or_else(|| panic!("no stack: {output:#?}"));
        for (line, function) in output.iter().skip(at).zip(stack) {
            assert!(line.starts_with(&format!("kernel`{function}+0x")), "{output:#?}");
        }
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// System calls, with their arguments, results and errors.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn system_calls_fire() {
    for release in RELEASES {
        let mut guest = traced(release, "syscall");
        let name = format!("syscall-{release:?}");
        let text = format!(
            r#"{name}:syscall::read:entry {{ @["entry", arg0, copyinstr(arg1)] = count(); self->n = arg2; }}
               {name}:syscall::read:return /self->n/ {{ @r[arg0, errno] = count(); self->n = 0; }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_work", &[1, 16]).expect("works"), 16);
        let output = lines(&trace.finish().expect("ends"));
        for fd in 0..8 {
            let line = format!("entry {fd} /etc/nothing 2");
            assert!(output.contains(&line), "{line}: {output:#?}");
        }
        // ENOENT but for descriptor 7, of which so many bytes are read as were asked for.
        for line in ["-1 2 14", "107 0 1", "115 0 1"] {
            assert!(output.contains(&line.to_owned()), "{line}: {output:#?}");
        }
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// fbt: entries with arguments, returns with values and offsets, on both CPUs; and every function
/// of the kernel at once, among them those that interrupts run.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn functions_fire() {
    for release in RELEASES {
        let mut guest = traced(release, "fbt");
        let name = format!("fbt-{release:?}");
        let text = format!(
            r#"{name}:fbt:kernel:standin_lookup:entry {{ @e[copyinstr(arg0), arg1] = count(); }}
               {name}:fbt:kernel:standin_lookup:return {{ @r[arg1, arg0 > 0] = count(); }}
               {name}:fbt:kernel:standin_tail:return {{ @t = sum(arg1); }}
               {name}:proc:::exit /arg0 == 0/ {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_work", &[2, 80]).expect("works"), 160);
        // One that does nothing is the last: a global that two CPUs count up may miss one.
        guest.call("ht_work", &[1, 0]).expect("works");
        let output = lines(&trace.finish().expect("ends"));
        for flags in 0..8 {
            let line = format!("/etc/nothing {flags} 20");
            assert!(output.contains(&line), "{line}: {output:#?}");
        }
        // Both processes: the sum of 3n + 1 for n below 80.
        for line in ["2 1 140", "0 1 20", "19120"] {
            assert!(output.contains(&line.to_owned()), "{line}: {output:#?}");
        }
        let text = format!(
            r#"{name}:fbt::: {{ n++; @[probefunc] = count(); }} {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        guest.call("ht_work", &[1, 200]).expect("works");
        let output = lines(&trace.finish().expect("ends"));
        // Entry and return of each.
        for line in ["standin_lookup 400", "standin_read 400", "standin_leaf 400"] {
            assert!(output.contains(&line.to_owned()), "{line}: {output:#?}");
        }
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
        guest.call("ht_work", &[2, 80]).expect("works");
    }
}

/// profile and tick fire in the timer's interrupt, on every CPU, in whatever is interrupted.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn timers_fire_in_interrupts() {
    for release in RELEASES {
        let mut guest = traced(release, "profile");
        let name = format!("profile-{release:?}");
        let text = format!(
            r#"{name}:profile:::profile-97 {{ @[cpu] = count(); }}
               {name}:profile:::profile-97 /execname == "worker"/ {{ seen++; @s[stack(3)] = count(); }}
               {name}:io:::start {{ n++; }}
               {name}:profile:::tick-10ms {{ ticks++; }}
               {name}:profile:::tick-10ms /ticks > 20 && seen > 5 && n > 100/ {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_busy", &[2]).expect("works"), 0);
        let output = lines(&trace.finish().expect("ends"));
        assert!(output.iter().any(|line| line.starts_with("kernel`")), "{output:#?}");
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// raise() reaches the process whose thread fired, by the module's own thread; without the kernel's
/// word the guest is not traced by such a script.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn destructive_actions_need_the_kernels_word() {
    for release in RELEASES {
        let name = format!("act-{release:?}");
        let text =
            format!("\n#pragma D option destructive\n{name}:io:::start {{ raise(16); exit(0); }}");
        let mut guest = traced(release, "act");
        let refused = script(&guest, &text);
        guest.call("ht_work", &[1, 8]).expect("works");
        drop(refused);
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_signals", &[16]).expect("answers"), 0);
        assert_eq!(guest.call("ht_permit", &[1]).expect("answers"), 1);
        assert_eq!(guest.load(MODULE).expect("answers"), 0);
        guest.ready().expect("HELLO");
        let trace = script(&guest, &text);
        // A process that is still there when the module's thread comes to send it.
        guest.call("ht_busy", &[1]).expect("works");
        trace.finish().expect("ends");
        while guest.call("ht_signals", &[16]).expect("answers") == 0 {}
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// Descriptors that are overwritten while they are used, as by a guest that is broken: the shim
/// refuses them, the machine runs on, and once they are whole again the module is known again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn malformed_descriptors_harm_nobody() {
    let mut guest = traced(Release::V15, "malformed");
    let ram = File::from(guest.memory().try_clone_to_owned().expect("a descriptor"));
    let mut bytes = vec![0; usize::try_from(SIZE).expect("64 bits")];
    ram.read_exact_at(&mut bytes, 0).expect("RAM");
    let is_page = |page: &[u8]| page.starts_with(&MAGIC.to_le_bytes());
    let pages = bytes.chunks(4096).zip((0_u64..).step_by(4096)).filter(|(page, _)| is_page(page));
    let pages: Vec<u64> = pages.map(|(_, at)| at).collect();
    // The module's own, and one a CPU and level.
    assert_eq!(pages.len(), 7);
    let trace = script(&guest, "malformed-V15:io:::start { @ = count(); }");
    guest.call("ht_busy", &[2]).expect("works");
    for at in (0..64).chain([64, 68, 288, 292]) {
        for value in [0, 0x7f, 0xff] {
            for page in &pages {
                ram.write_all_at(&[value], page + at).expect("RAM");
            }
        }
    }
    let before = guest.call("ht_work_done", &[]).expect("the guest runs");
    while guest.call("ht_work_done", &[]).expect("the guest runs") < before + 100 {}
    drop(trace);
    for page in &pages {
        let at = usize::try_from(*page).expect("64 bits");
        let head = bytes.get(at..at + 64).expect("a page");
        ram.write_all_at(head, *page).expect("RAM");
    }
    guest.ready().expect("known again");
    guest.unload_at_last(MODULE).expect("unloads");
    assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
}

/// Unloaded while both CPUs fire: nothing runs in memory that is gone, and what was counted stays.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_module_may_go_while_its_probes_fire() {
    for release in RELEASES {
        let mut guest = traced(release, "goes");
        let name = format!("goes-{release:?}");
        let text = format!(
            r#"{name}:io:::start {{ @ = count(); n++; }} {name}:io:::start /n > 2000/ {{ exit(0); }}"#
        );
        assert_eq!(guest.call("ht_busy", &[3]).expect("works"), 0);
        for _ in 0..3 {
            let trace = script(&guest, &text);
            let counted: u64 = lines(&trace.finish().expect("ends")).concat().parse().expect("n");
            assert!(counted > 2000);
            let trace = script(&guest, &format!("{name}:io:::start {{ @ = count(); }}"));
            guest.unload_at_last(MODULE).expect("unloads");
            guest.gone().expect("GOODBYE");
            let before = guest.call("ht_work_done", &[]).expect("answers");
            while guest.call("ht_work_done", &[]).expect("answers") < before + 1000 {}
            drop(trace);
            assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
            assert_eq!(guest.load(MODULE).expect("answers"), 0);
            guest.ready().expect("HELLO");
        }
    }
}

/// Threads and processes that end as soon as they have fired.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn threads_may_vanish() {
    for release in RELEASES {
        let mut guest = traced(release, "vanish");
        let name = format!("vanish-{release:?}");
        let text = format!(
            r#"{name}:proc:::exec {{ self->t = timestamp; @ = count(); }}
               {name}:proc:::exit /self->t/ {{ self->t = 0; @e = count(); }}
               {name}:proc:::exit /arg0 == 0/ {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_work_vanishing", &[50]).expect("works"), 50);
        guest.call("ht_work", &[1, 0]).expect("works");
        assert_eq!(lines(&trace.finish().expect("ends")), ["51", "51"]);
        guest.unload_at_last(MODULE).expect("unloads");
    }
}

/// A machine that is killed while it fires: the script prints what it has.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_machine_that_is_killed_takes_nothing_along() {
    let mut guest = traced(Release::V15, "killed");
    let text = r#"killed-V15:io:::start { @[execname] = count(); n++; }
                  tick-10ms /n > 100/ { printf("seen\n"); exit(0); }"#;
    let mut trace = script(&guest, text);
    assert_eq!(guest.call("ht_busy", &[2]).expect("works"), 0);
    trace.wait_for("seen\n").expect("fires");
    guest.kill().expect("runs");
    let output = lines(&trace.finish().expect("ends"));
    assert!(output.iter().any(|line| line.starts_with("worker ")), "{output:#?}");
}

/// A module that comes has its probes announced, and fires; before it goes they are taken back.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn other_modules_come_and_go() {
    for release in RELEASES {
        let mut guest = traced(release, "others");
        let name = format!("others-{release:?}");
        assert_eq!(guest.load("extra").expect("answers"), 0);
        // The module's own thread announces it.
        let text = format!("{name}:extra:::loaded {{ printf(\"%d\\n\", arg0); exit(0); }}");
        let trace = loop {
            let mut trace = Trace::start(&guest.dir, &text).expect("dtrace runs");
            if trace.wait_ready().is_ok() {
                break trace;
            }
        };
        // MOD_UNLOAD is 1; it still fires, since the file's probes are taken back only then.
        guest.unload_at_last("extra").expect("unloads");
        drop(trace);
        assert_eq!(guest.load("extra").expect("answers"), 0);
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.unload("extra").expect("answers"), 0);
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// QEMU's doorbell is chosen where CPUID does not say bhyve: a store into the page, to the byte that
/// the plugin looks for; the port is nobody's there.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_store_rings_where_bhyve_is_not() {
    for release in RELEASES {
        let name = format!("store-{release:?}");
        let variables = [("STANDIN_VENDOR", "TCGTCGTCGTCG")];
        let mut guest = Guest::traced_with(release, &name, &variables).expect("the module loads");
        let text =
            format!("{name}:io:::start {{ @ = count(); }} {name}:proc:::exit {{ exit(0); }}");
        let trace = script(&guest, &text);
        guest.call("ht_work", &[1, 50]).expect("works");
        assert_eq!(lines(&trace.finish().expect("ends")), ["50"]);
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.passed().expect("answers"), 0);
    }
}

/// A thread's own time stands while it sleeps, and goes on while it runs.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_threads_time_stands_while_it_sleeps() {
    for release in RELEASES {
        let mut guest = traced(release, "vtime");
        let name = format!("vtime-{release:?}");
        let text = format!(
            r#"{name}:nap:::start {{ self->t = timestamp; self->v = vtimestamp; }}
               {name}:nap:::done /self->t/ {{
                   this->t = timestamp - self->t;
                   this->v = vtimestamp - self->v;
                   @less[arg0] = sum(2 * this->v < this->t);
                   @back[arg0] = sum(vtimestamp < self->v);
                   self->t = 0;
               }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        guest.call("ht_work_naps", &[20, 20]).expect("works");
        let output = lines(&trace.finish().expect("ends"));
        let [awake, asleep, back @ ..] = output.as_slice() else { panic!("{output:#?}") };
        let of = |line: &String, key: &str| line.strip_prefix(key).and_then(|n| n.parse().ok());
        // This machine may take the process's CPU away at any time, which the thread cannot know;
        // but not each time.
        assert!(of(awake, "1 ").is_some_and(|n: u64| n < 10), "{output:#?}");
        assert!(of(asleep, "0 ").is_some_and(|n: u64| n > 10), "{output:#?}");
        assert!(back.iter().all(|line| line.ends_with(" 0")), "{output:#?}");
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// Types from the kernel's CTF, of either version: arguments, members, pointers that are followed,
/// variables; and names that an ifunc resolves, which lie at one place with their functions'.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn types_come_from_the_kernels_ctf() {
    for (release, version) in RELEASES.into_iter().flat_map(|r| [(r, "2"), (r, "3")]) {
        let name = format!("ctf{version}-{release:?}");
        let variables = [("STANDIN_TYPES", version)];
        let mut guest = Guest::traced_with(release, &name, &variables).expect("the module loads");
        let text = format!(
            r#"{name}:fbt:kernel:standin_item_take:entry {{
                   @[stringof(args[0]->text), stringof(args[0]->next->text), args[0]->number + args[0]->next->number] = sum(args[1]);
                   @size = max(sizeof (struct standin_item));
               }}
               {name}:fbt:kernel:standin_item_take:return {{ @taken = sum(args[1]); @all = max(`standin_items_taken); }}
               {name}:fbt:kernel:standin_first*: {{ @f[probefunc, probename] = sum(arg1); }}
               {name}:fbt:kernel:standin_second*: {{ @s[probefunc, probename] = sum(arg1); }}
               {name}:fbt:kernel:standin_lookup:entry {{ @p[copyinstr((uintptr_t)args[0])] = sum(args[1]); }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        guest.call("ht_work", &[1, 8]).expect("works");
        let output = lines(&trace.finish().expect("ends"));
        // The sum of all n below 8 is 28.
        for line in ["first second 3 28", "24", "28", "68", "/etc/nothing 28"] {
            assert!(output.contains(&line.to_owned()), "{version}: {line}: {output:#?}");
        }
        for (first, second) in [("", ""), ("_plain", "_plain")] {
            let first = format!("standin_first{first} return {}", 28 * 5 + 8 * 2);
            let second = format!("standin_second{second} return {}", 28 * 7 + 8 * 3);
            assert!(output.contains(&first), "{first}: {output:#?}");
            assert!(output.contains(&second), "{second}: {output:#?}");
        }
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// System calls of other ABIs: 32-bit FreeBSD's are the kernel's own, Linux's come and go with their
/// module.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn system_calls_of_other_abis_fire() {
    for release in RELEASES {
        let mut guest = traced(release, "abi");
        let name = format!("abi-{release:?}");
        let text = format!(
            r#"{name}:syscall:freebsd32::entry {{ @[probefunc, arg0, copyinstr(arg1)] = count(); }}
               {name}:syscall:freebsd32::return {{ @r[probefunc, errno] = count(); }}
               {name}:syscall:freebsd:: {{ @native = count(); }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = script(&guest, &text);
        assert_eq!(guest.call("ht_work_abi", &[8, 0]).expect("works"), 8);
        let output = lines(&trace.finish().expect("ends"));
        for line in [
            "freebsd32_read 0 /etc/nothing 1",
            "freebsd32_read 7 /etc/nothing 1",
            "freebsd32_read 2 7",
            "freebsd32_read 0 1",
        ] {
            assert!(output.contains(&line.to_owned()), "{line}: {output:#?}");
        }
        assert!(output.iter().all(|line| line.contains("freebsd32")), "{output:#?}");
        assert_eq!(guest.load("extra").expect("answers"), 0);
        let text = format!(
            r#"{name}:syscall:linux:linux_getpid:return {{ @[probefunc, arg0 == pid] = count(); }}
               {name}:proc:::exit {{ exit(0); }}"#
        );
        let trace = loop {
            let mut trace = Trace::start(&guest.dir, &text).expect("dtrace runs");
            if trace.wait_ready().is_ok() {
                break trace;
            }
        };
        assert_eq!(guest.call("ht_work_abi", &[5, 1]).expect("works"), 13);
        assert_eq!(lines(&trace.finish().expect("ends")), ["linux_getpid 1 5"]);
        guest.unload_at_last("extra").expect("unloads");
        guest.unload_at_last(MODULE).expect("unloads");
        assert_eq!(guest.call("ht_leaked", &[]).expect("answers"), 0);
    }
}

/// RAM that comes after the module was loaded: what it said before was lost, and it says it again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn memory_may_come_late() {
    for release in RELEASES {
        let name = format!("late-{release:?}");
        let mut guest = Guest::boot_with(release, &name, &[("STANDIN_LATE", "1")]).expect("boots");
        assert_eq!(guest.load(MODULE).expect("answers"), 0);
        guest.call("ht_work", &[1, 10]).expect("works");
        guest.add_memory().expect("comes");
        guest.ready().expect("HELLO at last");
        let text =
            format!("{name}:io:::start {{ @ = count(); }} {name}:proc:::exit {{ exit(0); }}");
        let trace = script(&guest, &text);
        guest.call("ht_work", &[1, 10]).expect("works");
        assert_eq!(lines(&trace.finish().expect("ends")), ["10"]);
        guest.unload_at_last(MODULE).expect("unloads");
    }
}

/// A machine that stands still wherever it was, mid-fire too, and goes on: nothing is lost, and
/// meanwhile the script does not wait for it.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_suspended_machine_goes_on() {
    for release in RELEASES {
        let mut guest = traced(release, "suspended");
        let name = format!("suspended-{release:?}");
        let text = format!(
            r#"{name}:io:::start {{ n++; @ = count(); }}
               tick-10ms {{ ticks++; }}
               tick-10ms /n > 500 && !said/ {{ said = 1; printf("fires\n"); ticks = 0; }}
               tick-10ms /said == 1 && ticks == 30/ {{ said = 2; printf("stands\n"); before = n; }}
               tick-10ms /said == 2 && n > before + 500/ {{ printf("goes on\n"); exit(0); }}"#
        );
        let mut trace = script(&guest, &text);
        assert_eq!(guest.call("ht_busy", &[2]).expect("works"), 0);
        trace.wait_for("fires\n").expect("fires");
        guest.suspend(true).expect("stops");
        trace.wait_for("stands\n").expect("the host's own probes fire");
        guest.suspend(false).expect("goes on");
        trace.wait_for("goes on\n").expect("fires again");
        trace.finish().expect("ends");
        guest.unload_at_last(MODULE).expect("unloads");
    }
}
