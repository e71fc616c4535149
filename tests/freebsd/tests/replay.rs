//! What a real guest did under QEMU, done again in bhyve: the same script prints the same.
//!
//! The test needs what `cargo xtask freebsd replay` builds, and is run by that.

use std::fs;

use freebsd_harness::machine::{Config, Machine, Release};
use freebsd_harness::recording::{self, Doorbell, Replay};
use freebsd_harness::trace::Trace;
use hypercall::{Call, Status};
use xtask::paths;
use xtask::vm::guest::{Guest, GuestConfig};
use xtask::vm::image::Image;

/// The guest's name under QEMU, and the machine's in bhyve: scripts print it.
const NAME: &str = "replayed";

/// Bytes of RAM below the hole and above 4 GiB: the real guest has its RAM in two segments too, and
/// the upper one is small enough to be used up.
const LOW: u64 = 232 << 20;
const HIGH: u64 = 24 << 20;

/// What only the guest's own memory can answer: strings of processes, pointers that are followed
/// through the kernel's types, stacks in its symbols. All of it is of one process after the other,
/// so that the order is the same in both.
const SCRIPT: &str = r#"
replayed:syscall::openat:entry /execname == "workload"/ { self->path = arg1; }
replayed:syscall::openat:return /self->path/ {
    printf("%s, pid %d of %s: %s is %d\n", execname, pid,
        ((struct task_struct *)curthread)->real_parent->comm, copyinstr(self->path), (int)arg1);
    self->path = 0;
}
replayed:fbt:vmlinux:vfs_open:entry /execname == "workload"/ {
    @[vmname, stringof(((struct path *)arg0)->dentry->d_name.name)] = count();
    @stacks[stack(6)] = count();
}
replayed:fbt:vmlinux:do_filp_open:return /execname == "workload"/ { @returns[arg1 != 0] = count(); }
replayed:proc:::exec /execname == "sh"/ { @execs[stringof(args[0])] = count(); }
replayed:proc:::exec /stringof(args[0]) == "/opt/ht/hello"/ { exit(0); }
"#;

/// Boots a guest with the recorder beside the shim, traces it, and returns what was printed.
fn record(log: &std::path::Path) -> String {
    let image = Image::build().expect("an image");
    let recorder = recording::recorder().expect("compiles");
    let plugin = format!("{},log={}", recorder.display(), log.display());
    let below = format!("max-ram-below-4g={LOW}");
    let words = ["-machine", &below, "-plugin", &plugin];
    let config = GuestConfig {
        workload: false,
        arguments: words.map(str::to_owned).into(),
        run_dir: paths::vm().join("replay"),
        ..GuestConfig::new(NAME)
    };
    let run_dir = config.run_dir.clone();
    let mut guest = Guest::boot(&image, config).expect("boots");
    let mut trace = Trace::start(&run_dir, SCRIPT).expect("dtrace runs");
    trace.wait_ready().expect("BEGIN");
    for file in ["/proc/version", "/init", "/lib/modules/order"] {
        guest.run(&format!("workload open {file}")).expect("opens");
    }
    guest.run("/opt/ht/hello").expect("says hello");
    trace.finish().expect("ends")
}

/// The recording in a stand-in bhyve of that release, under the same script.
fn replay(release: Release, doorbells: &[Doorbell]) -> String {
    let config = Config { release, low: LOW, high: HIGH, ..Config::new(NAME) };
    let machine = Machine::boot(&config).expect("runs");
    let mut replay = Replay::new(&machine).expect("RAM");
    let is_fire = |doorbell: &&Doorbell| doorbell.call() == Some(Call::Fire);
    let first = doorbells.iter().position(|doorbell| is_fire(&doorbell)).expect("a fire");
    let (before, after) = doorbells.split_at(first);
    for doorbell in before {
        let status = replay.ring(doorbell).expect("the machine runs");
        assert_eq!(status, Status::Ok.raw(), "{:?}", doorbell.call());
    }
    let poll = before.iter().rev().find(|doorbell| doorbell.call() == Some(Call::Poll));
    let mut trace = Trace::start(&machine.dir, SCRIPT).expect("dtrace runs");
    replay.poll_until_enabled(poll.expect("a guest that polls")).expect("enables");
    trace.wait_ready().expect("BEGIN");
    for doorbell in after {
        let status = replay.ring(doorbell).expect("the machine runs");
        assert_eq!(status, Status::Ok.raw(), "{:?}", doorbell.call());
    }
    let output = trace.finish().expect("ends");
    assert!(machine.finish().expect("ends").success());
    output
}

/// bhyve's shim, given the descriptors and the memory that QEMU's shim had, gives the script what
/// that gave it, to the byte.
#[test]
#[ignore = "boots a guest: `cargo xtask freebsd replay`"]
fn a_real_guest_is_traced_in_bhyve_as_it_was_in_qemu() {
    let log = std::env::temp_dir().join(format!("ht-replay-{}", std::process::id()));
    let recorded = record(&log);
    let doorbells = recording::read(&log).expect("a log");
    fs::remove_file(&log).expect("removed");
    assert_eq!(doorbells.first().and_then(Doorbell::call), Some(Call::Hello));
    let fires = doorbells.iter().filter(|doorbell| doorbell.call() == Some(Call::Fire)).count();
    let (pages, high) = recording::pages(&doorbells);
    println!("{} doorbells, {fires} fires, {pages} pages, {high} above 4 GiB", doorbells.len());
    println!("{recorded}");
    assert!(high > 0 && high < pages, "{high} of {pages} pages above 4 GiB");
    for line in ["/proc/version is 3", "/lib/modules/order is 3", "vmlinux`do_filp_open+"] {
        assert!(recorded.contains(line), "{line}: {recorded}");
    }
    for release in [Release::V14, Release::V15] {
        assert_eq!(replay(release, &doorbells), recorded, "{release:?}");
    }
}
