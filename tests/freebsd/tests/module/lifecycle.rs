//! The module and others come and go; who the guest is; how it rings.

use freebsd_harness::process::MODULE;

use crate::trial::{Setup, booted_on_both, lines, on_both, to_the_end_on_both};

/// HELLO says who the guest is; unloading says GOODBYE, leaks nothing and leaves no thread in the
/// module, whose memory is taken away; and all of it again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_module_comes_and_goes() {
    on_both(Setup::new("comes"), |vm| {
        for _ in 0..3 {
            let info = vm.ready().expect("ready");
            assert_eq!((info.os, info.ncpu), (2, 2));
            assert_eq!(info.hostname, "standin.example");
            assert_eq!(info.release, "STANDIN-RELEASE");
            vm.unload_module();
            vm.gone().expect("GOODBYE");
            vm.load_module();
        }
        assert_eq!(vm.passed().expect("answers"), 0, "bhyve sees no doorbell");
    });
}

/// bhyve ends as ever with a guest whose module is loaded.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn bhyve_ends_as_ever() {
    to_the_end_on_both(Setup::new("ends"), |vm| assert!(vm.ends_well()));
}

/// Unloaded while both CPUs fire: nothing runs in memory that is gone, and what was counted stays.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_module_may_go_while_its_probes_fire() {
    on_both(Setup::new("goes"), |vm| {
        vm.kernel("ht_busy", &[3]);
        for _ in 0..3 {
            let text = "vm:io:::start { @ = count(); n++; } vm:io:::start /n > 2000/ { exit(0); }";
            let counted: u64 = lines(vm.script(text)).concat().parse().expect("a number");
            assert!(counted > 2000);
            let trace = vm.script("vm:io:::start { @ = count(); }");
            vm.unload_at_last(MODULE).expect("unloads");
            vm.gone().expect("GOODBYE");
            vm.wait_for_work(1000);
            drop(trace);
            assert_eq!(vm.kernel("ht_leaked", &[]), 0);
            vm.load_module();
        }
    });
}

/// A module that comes has its probes announced, and fires; before it goes they are taken back.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn other_modules_come_and_go() {
    on_both(Setup::new("others"), |vm| {
        assert_eq!(vm.load("extra").expect("answers"), 0);
        // The module's own thread announces it.
        let trace = vm.script_at_last(r#"vm:extra:::loaded { printf("%d\n", arg0); exit(0); }"#);
        // MOD_UNLOAD is 1; it still fires, since the file's probes are taken back only then.
        vm.unload_at_last("extra").expect("unloads");
        drop(trace);
        assert_eq!(vm.load("extra").expect("answers"), 0);
        vm.unload_at_last(MODULE).expect("unloads");
        assert_eq!(vm.unload("extra").expect("answers"), 0);
        vm.load_module();
    });
}

/// QEMU's doorbell is chosen where CPUID does not say bhyve: a store into the page, to the byte that
/// the plugin looks for; the port is nobody's there.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_store_rings_where_bhyve_is_not() {
    let variables = &[("STANDIN_VENDOR", "TCGTCGTCGTCG")];
    on_both(Setup { variables, ..Setup::new("store") }, |vm| {
        let text = "vm:io:::start { @ = count(); } vm:proc:::exit { exit(0); }";
        assert_eq!(vm.traced(text, "ht_work", &[1, 50]), ["50"]);
        assert_eq!(vm.passed().expect("answers"), 0);
    });
}

/// RAM that comes after the module was loaded: what it said before was lost, and it says it again.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn memory_may_come_late() {
    let variables = &[("STANDIN_LATE", "1")];
    booted_on_both(Setup { variables, ..Setup::new("late") }, |vm| {
        assert_eq!(vm.load(MODULE).expect("answers"), 0);
        vm.kernel("ht_work", &[1, 10]);
        vm.add_memory().expect("comes");
        vm.ready().expect("HELLO at last");
        let text = "vm:io:::start { @ = count(); } vm:proc:::exit { exit(0); }";
        assert_eq!(vm.traced(text, "ht_work", &[1, 10]), ["10"]);
    });
}
