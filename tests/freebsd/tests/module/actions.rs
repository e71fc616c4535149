//! Destructive actions: what a script asks of the guest, if its kernel permits it.

use crate::trial::{Setup, Trial, lines, on_both, to_the_end_on_both};

/// A guest that permits them.
fn permitting(name: &str) -> Setup<'_> {
    Setup { destructive: true, ..Setup::new(name) }
}

/// A script that may have them.
fn destructive(text: &str) -> String {
    format!("\n#pragma D option destructive\n{text}")
}

/// FreeBSD's numbers.
const SIGSTOP: u64 = 17;
const SIGURG: u64 = 16;

/// Lets a process fire that is still there when the module's thread comes to send a signal, and
/// waits for that.
fn is_signalled(vm: &mut Trial, action: &str, signal: u64) {
    let trace = vm.script(&destructive(&format!("vm:io:::start {{ {action}; exit(0); }}")));
    vm.kernel("ht_busy", &[1]);
    trace.finish().expect("ends");
    while vm.kernel("ht_signals", &[signal]) == 0 {}
}

/// raise() reaches the process whose thread fired, by the module's own thread.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn raise_sends_a_signal() {
    on_both(permitting("raise"), |vm| is_signalled(vm, "raise(16)", SIGURG));
}

/// stop() does as raise() of SIGSTOP.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn stop_stops_the_process() {
    on_both(permitting("stop"), |vm| is_signalled(vm, "stop()", SIGSTOP));
}

/// Without the kernel's word the guest is not traced by such a script, and nothing is sent.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn the_kernel_has_to_permit_it() {
    on_both(Setup::new("permit"), |vm| {
        for action in ["raise(16)", "stop()", "chill(1)", "breakpoint()", "panic()"] {
            let text = destructive(&format!("vm:io:::start {{ {action}; exit(0); }}"));
            let refused = vm.script(&text);
            vm.kernel("ht_work", &[1, 8]);
            drop(refused);
        }
        assert_eq!(vm.kernel("ht_debugger", &[]), 0);
        vm.unload_module();
        assert_eq!(vm.kernel("ht_signals", &[SIGURG]), 0);
        assert_eq!(vm.kernel("ht_signals", &[SIGSTOP]), 0);
        vm.load_module();
    });
}

/// breakpoint() enters the kernel's debugger, once a fire, and the guest goes on from there.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn breakpoint_enters_the_debugger() {
    on_both(permitting("breakpoint"), |vm| {
        let text = "vm:io:::start { breakpoint(); @ = count(); } vm:proc:::exit { exit(0); }";
        assert_eq!(vm.traced(&destructive(text), "ht_work", &[1, 5]), ["5"]);
        assert_eq!(vm.kernel("ht_debugger", &[]), 5);
    });
}

/// chill() holds the CPU where it fired for as long as the script says, and no other.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn chill_holds_the_cpu() {
    on_both(permitting("chill"), |vm| {
        let text = r#"
            vm:io:::start /!fired/ { fired = 1; self->t = timestamp; chill(50000000); }
            vm:vfs::lookup:done /self->t/ { @[timestamp - self->t >= 50000000] = count(); self->t = 0; }
            vm:proc:::exit { exit(0); }"#;
        assert_eq!(vm.traced(&destructive(text), "ht_work", &[1, 8]), ["1 1"]);
    });
}

/// panic() is the guest's end and says why; what was recorded before is told.
#[test]
#[ignore = "needs `cargo xtask freebsd harness`"]
fn panic_ends_the_guest() {
    to_the_end_on_both(permitting("panic"), |vm| {
        let text = r#"
            vm:io:::start { n++; @[execname] = count(); panic(); }
            tick-10ms /n/ { exit(0); }"#;
        let trace = vm.script(&destructive(text));
        assert_eq!(vm.panics_in_work(), "hypertrace: panic() of a D script");
        assert_eq!(lines(trace), ["worker 1"]);
    });
}
