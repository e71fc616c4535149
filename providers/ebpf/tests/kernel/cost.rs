//! What a fire costs, measured on the real thing: a loop of `getppid` without and with a program
//! on `sys_enter`. Not asserted (a shared machine is noisy); run by hand:
//! `cargo test --release -p ebpf --test kernel -- --ignored --nocapture cost`.

use std::{os::fd::AsFd, time::Instant};

use ebpf::sys;

use crate::rig::{Rig, compile, without_bpf};

const CALLS: u32 = 2_000;
const TRIES: u32 = 300;

/// Nanoseconds of one call, the least of some tries so short that most are not interrupted.
fn call() -> f64 {
    (0..TRIES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                let _ = nix::unistd::getppid();
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Prints what each clause adds to a system call, and how long its program takes to load.
#[test]
#[ignore = "a measurement, not a test"]
fn cost() {
    if without_bpf() {
        return;
    }
    let bare = call();
    eprintln!("getppid alone: {bare:.0} ns");
    for (what, text) in [
        ("empty clause", "BEGIN { }"),
        ("false predicate", "BEGIN /arg1 == 12345/ { trace(arg1); }"),
        ("trace(arg1)", "BEGIN { trace(arg1); }"),
        ("@ = count()", "BEGIN { @ = count(); }"),
        ("@[execname] = count()", "BEGIN { @[execname] = count(); }"),
        ("@[pid, arg1] = count()", "BEGIN { @[pid, arg1] = count(); }"),
        ("@ = quantize(arg1)", "BEGIN { @ = quantize(arg1); }"),
        ("self->ts = timestamp", "BEGIN { self->ts = timestamp; }"),
        ("printf(\"%s %d\", execname, pid)", "BEGIN { printf(\"%s %d\", execname, pid); }"),
        ("printf(\"%s\", probefunc)", "BEGIN { printf(\"%s\", probefunc); }"),
    ] {
        let start = Instant::now();
        let rig = Rig::with(&compile(text), &|config| config.bufsize = 32 << 20);
        let load = start.elapsed().as_secs_f64() * 1e3;
        let number = std::os::fd::AsRawFd::as_raw_fd(rig.kernel_program());
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
        let verified = info.lines().find_map(|line| line.strip_prefix("verified_insns:"));
        let verified = verified.unwrap_or("?").trim().to_owned();
        let link = sys::attach_raw(Some("sys_enter"), rig.kernel_program().as_fd()).unwrap();
        let with = call();
        drop(link);
        eprintln!(
            "{what:36} +{:4.0} ns a call; made ready in {load:.1} ms, {verified} instructions verified",
            with - bare
        );
    }
}
