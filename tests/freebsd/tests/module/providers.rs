//! Every provider, with what its fires tell.

use crate::trial::{Setup, assert_lines, lines, on_both};

/// SDT: the arguments, the process and its jail, its string at a user address, and the stack, in
/// symbols.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn static_probes_fire_with_their_context() {
    on_both(Setup::new("sdt"), |vm| {
        let text = r#"
            vm:io:::start { @[execname, uid, gid, jid, jailname, arg0, copyinstr(arg2)] = count(); }
            vm:io:::start /arg0 == 7/ { @s[stack(4)] = count(); }
            vm:vfs::lookup:done { @six[arg5] = sum(arg4); }
            vm:proc:::exit { exit(0); }"#;
        let output = vm.traced(text, "ht_work", &[1, 80]);
        assert_lines(&output, (0..8).map(|fd| format!("worker 80 81 3 web {fd} /etc/nothing 10")));
        assert_lines(&output, ["5 320"]);
        let stack = ["standin_read", "sys_standin_read", "syscall_", "worker"];
        let at = output.iter().position(|line| line.starts_with("kernel`standin_read+0x"));
        let at = at.unwrap_or_else(|| panic!("no stack: {output:#?}"));
        for (line, function) in output.iter().skip(at).zip(stack) {
            assert!(line.starts_with(&format!("kernel`{function}+0x")), "{output:#?}");
        }
    });
}

/// System calls, with their arguments, results and errors.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn system_calls_fire() {
    on_both(Setup::new("syscall"), |vm| {
        let text = r#"
            vm:syscall::read:entry { @["entry", arg0, copyinstr(arg1)] = count(); self->n = arg2; }
            vm:syscall::read:return /self->n/ { @r[arg0, errno] = count(); self->n = 0; }
            vm:proc:::exit { exit(0); }"#;
        let output = vm.traced(text, "ht_work", &[1, 16]);
        assert_lines(&output, (0..8).map(|fd| format!("entry {fd} /etc/nothing 2")));
        // ENOENT but for descriptor 7, of which so many bytes are read as were asked for.
        assert_lines(&output, ["-1 2 14", "107 0 1", "115 0 1"]);
    });
}

/// System calls of processes of 32 bits are the kernel's own.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn system_calls_of_32_bits_fire() {
    on_both(Setup::new("narrow"), |vm| {
        let text = r#"
            vm:syscall:freebsd32::entry { @[probefunc, arg0, copyinstr(arg1)] = count(); }
            vm:syscall:freebsd32::return { @r[probefunc, errno] = count(); }
            vm:syscall:freebsd:: { @native = count(); }
            vm:proc:::exit { exit(0); }"#;
        let output = vm.traced(text, "ht_work_abi", &[8, 0]);
        assert_lines(
            &output,
            [
                "freebsd32_read 0 /etc/nothing 1",
                "freebsd32_read 7 /etc/nothing 1",
                "freebsd32_read 2 7",
                "freebsd32_read 0 1",
            ],
        );
        assert!(output.iter().all(|line| line.contains("freebsd32")), "{output:#?}");
    });
}

/// Linux's system calls come and go with their modules, one for 64 bits and one for 32.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn system_calls_of_linux_fire() {
    on_both(Setup::new("linux"), |vm| {
        for module in ["extra", "extra32"] {
            assert_eq!(vm.load(module).expect("answers"), 0);
        }
        let calls = [("linux", "linux_getpid", 64, 0), ("linux32", "linux_getppid", 32, 1)];
        for (module, function, bits, more) in calls {
            let trace = vm.script_at_last(&format!(
                r#"vm:syscall:{module}:{function}:return {{ @[probefunc, arg0 - pid] = count(); }}
                   vm:syscall:linux*:: {{ @all = count(); }}
                   vm:proc:::exit {{ exit(0); }}"#
            ));
            let before = vm.kernel("ht_work_done", &[]);
            assert_eq!(vm.kernel("ht_work_abi", &[5, bits]), before + 5);
            // Entry and return of each, and none of the other module's.
            let mut output = lines(trace);
            output.sort_unstable();
            assert_eq!(output, ["10".to_owned(), format!("{function} {more} 5")]);
        }
        for module in ["extra", "extra32"] {
            vm.unload_at_last(module).expect("unloads");
        }
    });
}

/// fbt: entries with arguments, returns with values and offsets, on both CPUs.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn functions_fire() {
    on_both(Setup::new("fbt"), |vm| {
        let trace = vm.script(
            r#"vm:fbt:kernel:standin_lookup:entry { @e[copyinstr(arg0), arg1] = count(); }
               vm:fbt:kernel:standin_lookup:return { @r[arg1, arg0 > 0] = count(); }
               vm:fbt:kernel:standin_tail:return { @t = sum(arg1); }
               vm:proc:::exit /arg0 == 0/ { exit(0); }"#,
        );
        assert_eq!(vm.kernel("ht_work", &[2, 80]), 160);
        // One that does nothing is the last: a global that two CPUs count up may miss one.
        vm.kernel("ht_work", &[1, 0]);
        let output = lines(trace);
        assert_lines(&output, (0..8).map(|flags| format!("/etc/nothing {flags} 20")));
        // Both processes: the sum of 3n + 1 for n below 80.
        assert_lines(&output, ["2 1 140", "0 1 20", "19120"]);
    });
}

/// Every function of the kernel at once, among them those that interrupts run; and once they are
/// restored the kernel is as it was.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn all_functions_fire_at_once() {
    on_both(Setup::new("all"), |vm| {
        let text = "vm:fbt::: { n++; @[probefunc] = count(); } vm:proc:::exit { exit(0); }";
        let output = vm.traced(text, "ht_work", &[1, 200]);
        // Entry and return of each.
        assert_lines(&output, ["standin_lookup 400", "standin_read 400", "standin_leaf 400"]);
        vm.unload_module();
        vm.kernel("ht_work", &[2, 80]);
        vm.load_module();
    });
}

/// profile and tick fire in the timer's interrupt, on every CPU, in whatever is interrupted.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn timers_fire_in_interrupts() {
    on_both(Setup::new("profile"), |vm| {
        let text = r#"
            vm:profile:::profile-97 { @[cpu] = count(); }
            vm:profile:::profile-97 /execname == "worker"/ { seen++; @s[stack(3)] = count(); }
            vm:io:::start { n++; }
            vm:profile:::tick-10ms { ticks++; }
            vm:profile:::tick-10ms /ticks > 20 && seen > 5 && n > 100/ { exit(0); }"#;
        let output = vm.traced(text, "ht_busy", &[2]);
        assert!(output.iter().any(|line| line.starts_with("kernel`")), "{output:#?}");
    });
}

/// A thread's own time stands while it sleeps, and goes on while it runs.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_threads_time_stands_while_it_sleeps() {
    on_both(Setup::new("vtime"), |vm| {
        let text = r#"
            vm:nap:::start { self->t = timestamp; self->v = vtimestamp; }
            vm:nap:::done /self->t/ {
                this->t = timestamp - self->t;
                this->v = vtimestamp - self->v;
                @less[arg0] = sum(2 * this->v < this->t);
                @back[arg0] = sum(vtimestamp < self->v);
                self->t = 0;
            }
            vm:proc:::exit { exit(0); }"#;
        let output = vm.traced(text, "ht_work_naps", &[20, 20]);
        let [awake, asleep, back @ ..] = output.as_slice() else { panic!("{output:#?}") };
        let of = |line: &String, key: &str| line.strip_prefix(key).and_then(|n| n.parse().ok());
        // This machine may take the process's CPU away at any time, which the thread cannot know;
        // but not each time.
        assert!(of(awake, "1 ").is_some_and(|n: u64| n < 10), "{output:#?}");
        assert!(of(asleep, "0 ").is_some_and(|n: u64| n > 10), "{output:#?}");
        assert!(back.iter().all(|line| line.ends_with(" 0")), "{output:#?}");
    });
}

/// Types from the kernel's CTF, of either version: arguments, members, pointers that are followed,
/// variables; and names that an ifunc resolves, which lie at one place with their functions'.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn types_come_from_the_kernels_ctf() {
    for version in ["2", "3"] {
        let variables = &[("STANDIN_TYPES", version)];
        let name = format!("ctf{version}");
        on_both(Setup { variables, ..Setup::new(&name) }, |vm| {
            let text = r#"
                vm:fbt:kernel:standin_item_take:entry {
                    @[stringof(args[0]->text), stringof(args[0]->next->text), args[0]->number + args[0]->next->number] = sum(args[1]);
                    @size = max(sizeof (struct standin_item));
                }
                vm:fbt:kernel:standin_item_take:return { @taken = sum(args[1]); @all = max(`standin_items_taken); }
                vm:fbt:kernel:standin_first*: { @f[probefunc, probename] = sum(arg1); }
                vm:fbt:kernel:standin_second*: { @s[probefunc, probename] = sum(arg1); }
                vm:fbt:kernel:standin_lookup:entry { @p[copyinstr((uintptr_t)args[0])] = sum(args[1]); }
                vm:proc:::exit { exit(0); }"#;
            let output = vm.traced(text, "ht_work", &[1, 8]);
            // The sum of all n below 8 is 28.
            assert_lines(&output, ["first second 3 28", "24", "28", "68", "/etc/nothing 28"]);
            for end in ["", "_plain"] {
                let first = format!("standin_first{end} return {}", 28 * 5 + 8 * 2);
                let second = format!("standin_second{end} return {}", 28 * 7 + 8 * 3);
                assert_lines(&output, [first, second]);
            }
        });
    }
}
