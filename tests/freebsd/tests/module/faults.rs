//! What may go wrong in a guest or with it, and harms nobody else.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use freebsd_harness::guest::ram::SIZE;
use hypercall::MAGIC;

use crate::trial::{Setup, lines, on_both, to_the_end_on_both};

/// Descriptors that are overwritten while they are used, as by a guest that is broken: the shim
/// refuses them, the machine runs on, and once they are whole again the module is known again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn malformed_descriptors_harm_nobody() {
    on_both(Setup::new("malformed"), |vm| {
        let ram = File::from(vm.memory().try_clone_to_owned().expect("a descriptor"));
        let mut bytes = vec![0; usize::try_from(SIZE).expect("64 bits")];
        ram.read_exact_at(&mut bytes, 0).expect("RAM");
        let is_page = |page: &[u8]| page.starts_with(&MAGIC.to_le_bytes());
        let pages = bytes.chunks(4096).zip((0_u64..).step_by(4096));
        let pages: Vec<u64> = pages.filter(|(page, _)| is_page(page)).map(|(_, at)| at).collect();
        // The module's own, and one a CPU and level.
        assert_eq!(pages.len(), 7);
        let trace = vm.script("vm:io:::start { @ = count(); }");
        vm.kernel("ht_busy", &[2]);
        for at in (0..64).chain([64, 68, 288, 292]) {
            for value in [0, 0x7f, 0xff] {
                for page in &pages {
                    ram.write_all_at(&[value], page + at).expect("RAM");
                }
            }
        }
        vm.wait_for_work(100);
        drop(trace);
        for page in &pages {
            let at = usize::try_from(*page).expect("64 bits");
            let head = bytes.get(at..at + 64).expect("a page");
            ram.write_all_at(head, *page).expect("RAM");
        }
        vm.ready().expect("known again");
    });
}

/// Threads and processes that end as soon as they have fired.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn threads_may_vanish() {
    on_both(Setup::new("vanish"), |vm| {
        let trace = vm.script(
            "vm:proc:::exec { self->t = timestamp; @ = count(); }
             vm:proc:::exit /self->t/ { self->t = 0; @e = count(); }
             vm:proc:::exit /arg0 == 0/ { exit(0); }",
        );
        assert_eq!(vm.kernel("ht_work_vanishing", &[50]), 50);
        vm.kernel("ht_work", &[1, 0]);
        assert_eq!(lines(trace), ["51", "51"]);
    });
}

/// A machine that is killed while it fires: the script prints what it has.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_machine_that_is_killed_takes_nothing_along() {
    to_the_end_on_both(Setup::new("killed"), |mut vm| {
        let mut trace = vm.script(
            r#"vm:io:::start { @[execname] = count(); n++; }
               tick-10ms /n > 100/ { printf("seen\n"); exit(0); }"#,
        );
        vm.kernel("ht_busy", &[2]);
        trace.wait_for("seen\n").expect("fires");
        vm.kill().expect("runs");
        let output = lines(trace);
        assert!(output.iter().any(|line| line.starts_with("worker ")), "{output:#?}");
    });
}

/// A CPU whose thread in bhyve ends in the very middle of a fire, while the script reads user memory:
/// the guest's other CPU fires on, for that script and for one that comes after. The sites are patched
/// already: in 15.0 a kernel needs all its CPUs for that.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_cpu_that_ends_in_a_fire_takes_nothing_along() {
    to_the_end_on_both(Setup::new("trapped"), |mut vm| {
        // Once, so that the page of user memory is filled.
        vm.kernel("ht_work", &[1, 8]);
        let patched = vm.script("vm:io:::start, vm:vfs::lookup:done { @ = count(); }");
        let first = vm.script(
            "vm:io:::start { @[copyinstr(arg2)] = count(); n++; }
             vm:io:::start /n > 300/ { exit(0); }",
        );
        vm.trap().expect("answers");
        vm.kernel("ht_busy", &[2]);
        let output = lines(first);
        assert!(output.concat().starts_with("/etc/nothing 3"), "{output:#?}");
        let second = vm.script(
            "vm:vfs::lookup:done { @[cpu] = count(); n++; } vm:vfs::lookup:done /n > 300/ { exit(0); }",
        );
        let output = lines(second);
        assert_eq!(output.len(), 1, "one CPU is left: {output:#?}");
        drop(patched);
        vm.kill().expect("runs");
    });
}

/// A machine that stands still wherever it was, mid-fire too, and goes on: nothing is lost, and
/// meanwhile the script does not wait for it.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn a_suspended_machine_goes_on() {
    on_both(Setup::new("suspended"), |vm| {
        let mut trace = vm.script(
            r#"vm:io:::start { n++; @ = count(); }
               tick-10ms { ticks++; }
               tick-10ms /n > 500 && !said/ { said = 1; printf("fires\n"); ticks = 0; }
               tick-10ms /said == 1 && ticks == 30/ { said = 2; printf("stands\n"); before = n; }
               tick-10ms /said == 2 && n > before + 500/ { printf("goes on\n"); exit(0); }"#,
        );
        vm.kernel("ht_busy", &[2]);
        trace.wait_for("fires\n").expect("fires");
        vm.suspend(true).expect("stops");
        trace.wait_for("stands\n").expect("the host's own probes fire");
        vm.suspend(false).expect("goes on");
        trace.wait_for("goes on\n").expect("fires again");
        trace.finish().expect("ends");
    });
}
