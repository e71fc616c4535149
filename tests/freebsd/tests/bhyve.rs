//! bhyve with the shim preloaded: who gets which exit, and what comes of a guest's calls.

use freebsd_harness::exit::Exit;
use freebsd_harness::machine::{Config, Machine, Outcome, Release};
use freebsd_harness::trace::Trace;
use host::control::{ConsumerEnd, PROTOCOL_VERSION, Reply, Request};
use hypercall::{Call, DOORBELL_PORT, Descriptor, Status};
use npt::{Gpa, Hpa, PhysMemory};
use shim::testing::{DATA, FakeGuest};
use zerocopy::IntoBytes;

const OK: u32 = Status::Ok.raw();

/// The first page above 4 GiB.
const ABOVE: u64 = 4 << 30;

/// A guest that has introduced itself, with ten probes.
fn introduced(machine: &Machine) -> FakeGuest {
    let mut guest = machine.guest().expect("RAM");
    assert_eq!(guest.hello(), OK);
    let text = FakeGuest::kernel_address(0x1000);
    assert_eq!(guest.symbols(&[(text, "vn_read"), (text + 0x100, "kern_readv")]), OK);
    assert_eq!(guest.some_probes(10), OK);
    guest
}

/// Traces the guest: POLLs, as its thread does, until that many probes are enabled, and waits for
/// BEGIN.
fn traced(machine: &Machine, guest: &mut FakeGuest, probes: usize, script: &str) -> Trace {
    let mut trace = Trace::start(&machine.dir, script).expect("dtrace runs");
    let mut polls = 0;
    while guest.enabled().len() != probes {
        guest.poll(&[]).expect("the guest is known");
        polls += 1;
        assert!(polls < 5_000_000, "dtrace enables nothing");
    }
    guest.poll(&[]).expect("the guest is known");
    trace.wait_ready().expect("BEGIN");
    trace
}

/// Everything that is not an `out` of 32 bits to our port comes to bhyve as the kernel wrote it:
/// every kind of exit, every byte of it, from every vCPU.
#[test]
fn other_exits_pass_byte_for_byte() {
    for release in [Release::V14, Release::V15] {
        let name = format!("passes-{release:?}");
        let machine = Machine::boot(&Config { release, ..Config::new(&name) }).expect("runs");
        let kinds = bhyve_sys::v15::vm_exitcode_VM_EXITCODE_MAX;
        for code in 1..kinds {
            for filler in [0, 0x5a, 0xff] {
                let exit = Exit::filled(code, filler);
                let seen = machine.exit(code % 2, &exit).expect("answers");
                assert_eq!(seen, Outcome::Passed(exit), "{release:?} {code}");
            }
        }
        let ports = [
            (DOORBELL_PORT, 4, 1),
            (DOORBELL_PORT, 4, 2),
            (DOORBELL_PORT, 4, 4),
            (DOORBELL_PORT, 2, 0),
            (DOORBELL_PORT, 1, 0),
            (DOORBELL_PORT - 1, 4, 0),
            (DOORBELL_PORT + 4, 4, 0),
            (0x3f8, 1, 0),
        ];
        for (port, bytes, flags) in ports {
            let exit = Exit::port(port, bytes, flags, 8);
            let seen = machine.exit(0, &exit).expect("answers");
            assert_eq!(seen, Outcome::Passed(exit), "{port:#x} {bytes} {flags}");
        }
        assert!(machine.finish().expect("ends").success());
    }
}

/// A script's output is the guest's fires, from both vCPUs, taken inside the sandbox: socket,
/// arena, program and enablings all came after it closed.
#[test]
fn fires_reach_the_script() {
    for release in [Release::V14, Release::V15] {
        let name = format!("fires-{release:?}");
        let machine = Machine::boot(&Config { release, ..Config::new(&name) }).expect("runs");
        let mut guest = introduced(&machine);
        let text = guest.put(0x8000, b"/etc/rc.conf\0").expect("RAM");
        let script = r#"sdt:fake:fn:probe1 { @[vmname, execname, arg0] = count(); s = copyinstr(arg1); }
               sdt:fake:fn:probe2 { printf("%s %d %s\n", s, pid, stringof(arg0)); exit(0); }"#;
        let trace = traced(&machine, &mut guest, 2, script);
        for n in 0..10_u64 {
            let vcpu = usize::from(n % 2 == 1);
            let args = [n % 2, FakeGuest::user_address(0x8000)];
            assert_eq!(guest.fire(vcpu, 2, &args, &[]), OK);
        }
        assert_eq!(guest.fire(0, 3, &[text], &[]), OK);
        let output = trace.finish().expect("ends");
        let lines: Vec<String> =
            output.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "/etc/rc.conf 42 /etc/rc.conf".to_owned(),
            String::new(),
            format!("{name} init 0 5"),
            format!("{name} init 1 5"),
        ];
        assert_eq!(lines, expected);
        assert!(machine.finish().expect("ends").success());
    }
}

/// Polls until the session has let go of every probe.
fn let_go(guest: &mut FakeGuest) {
    let mut polls = 0;
    while !guest.enabled().is_empty() {
        guest.poll(&[]).expect("the guest is known");
        polls += 1;
        assert!(polls < 5_000_000, "dtrace disables nothing");
    }
    guest.poll(&[]).expect("the guest is known");
}

/// Fires that the guest left out while it was traced are told, those before are not; and what is
/// said of a bad address is dtrace(1)'s line with the place in the guest's page tables behind it.
#[test]
fn what_went_wrong_in_the_guest_is_told() {
    let machine = Machine::boot(&Config::new("told")).expect("runs");
    let mut guest = introduced(&machine);
    guest.drops = 5;
    guest.poll(&[]).expect("the guest is known");
    let script = "sdt:fake:fn:probe1 { trace(*(int *)arg0); } sdt:fake:fn:probe2 { exit(0); }";
    let trace = traced(&machine, &mut guest, 2, script);
    let unmapped = 0xffff_c000_0000_0000_u64;
    for bad in [unmapped, 1 << 63] {
        assert_eq!(guest.fire(0, 2, &[bad], &[]), OK);
    }
    guest.drops = 8;
    assert_eq!(guest.fire(0, 3, &[], &[]), OK);
    let_go(&mut guest);
    let (_, messages) = trace.finish_with_messages().expect("ends");
    let faults: Vec<&str> =
        messages.lines().filter_map(|line| line.split_once("): invalid ")).map(|l| l.1).collect();
    let expected = [
        format!("address (0x{unmapped:x}) in action #1 at DIF offset 4 (guest page table level 4: not present)"),
        "address (0x8000000000000000) in action #1 at DIF offset 4 (guest page table: non-canonical address)".to_owned(),
    ];
    assert_eq!(faults, expected, "{messages}");
    assert!(messages.contains("dtrace: 3 drops inside told\n"), "{messages}");
    assert!(machine.finish().expect("ends").success());
}

/// Descriptors above 4 GiB are found; the hole, device memory and addresses beyond all RAM are not.
#[test]
fn descriptors_lie_in_ram_on_either_side_of_the_hole() {
    let machine = Machine::boot(&Config::new("holes")).expect("runs");
    let mut guest = introduced(&machine);
    machine.add_device_memory(0xc000_0000, 0x1000).expect("comes");
    let hello = guest.descriptor(Call::Goodbye, &[0_u8; 0]);
    let ram = machine.ram().expect("maps");
    let status = |page: u64| {
        let mut answered = Descriptor::ZERO;
        ram.read(Hpa(page), answered.as_mut_bytes()).expect("RAM");
        answered.header.status
    };
    for page in [ABOVE, ABOVE + (1 << 20) - 4096] {
        ram.write(Hpa(page), hello.as_bytes()).expect("RAM");
        let frame = u32::try_from(page >> 12).expect("44 bits");
        assert_eq!(machine.exit(1, &Exit::doorbell(frame)).expect("answers"), Outcome::Handled);
    }
    // The first said GOODBYE, and nobody was there to say it again.
    assert_eq!(status(ABOVE), OK);
    assert_eq!(status(ABOVE + (1 << 20) - 4096), Status::NotReady.raw());
    for frame in [0xc_0000, 0x1000, (1 << 20) + 256, u32::MAX] {
        assert_eq!(machine.exit(0, &Exit::doorbell(frame)).expect("answers"), Outcome::Handled);
    }
    assert_eq!(guest.hello(), OK);
}

/// Whatever lies in a descriptor, the VM runs on and the next good call is answered.
#[test]
fn malformed_descriptors_harm_nobody() {
    let machine = Machine::boot(&Config::new("malformed")).expect("runs");
    let mut guest = introduced(&machine);
    let good = guest.fire_descriptor(1, &[1], &[]);
    let mut bytes = good.as_bytes().to_vec();
    // Every byte of the header and of the fixed part, at its extremes.
    for at in 0..320 {
        for value in [0x00, 0x7f, 0xff] {
            let kept = std::mem::replace(bytes.get_mut(at).expect("a page"), value);
            guest.ram().write(Hpa(FakeGuest::page(0).0), &bytes).expect("RAM");
            guest.ring_again(0);
            *bytes.get_mut(at).expect("a page") = kept;
        }
    }
    guest.ram().write(Hpa(FakeGuest::page(0).0), &[0xff; 4096]).expect("RAM");
    guest.ring_again(0);
    guest.rebuild_tables();
    assert_eq!(guest.hello(), OK);
    assert!(machine.finish().expect("ends").success());
}

/// A VM destroyed under its vCPU ends that thread as it would without us; the others fire on, and
/// what was recorded is printed.
#[test]
fn a_vcpu_that_disappears_takes_nothing_along() {
    let mut machine = Machine::boot(&Config::new("gone")).expect("runs");
    let mut guest = introduced(&machine);
    let script = r#"sdt:fake:fn:probe1 { printf("%d\n", arg0); } END { printf("end\n"); }
           sdt:fake:fn:probe2 { exit(0); }"#;
    let trace = traced(&machine, &mut guest, 2, script);
    assert_eq!(guest.fire(1, 2, &[1], &[]), OK);
    assert_eq!(machine.fail(1, 6).expect("answers"), 6, "bhyve sees the error itself");
    assert_eq!(guest.fire(0, 2, &[2], &[]), OK);
    // The process goes too, as if the host had killed it: what was written before counts.
    assert_eq!(guest.fire(0, 3, &[], &[]), OK);
    machine.kill().expect("runs");
    assert_eq!(trace.finish().expect("ends"), "1\n2\nend\n\n");
}

/// A guest whose vCPU 1 is in the middle of a fire: it is about to read the string of `arg1`.
struct Held {
    machine: Machine,
    guest: FakeGuest,
    trace: Trace,
}

/// Bytes of the data area that are trapped, and others.
const TRAPPED: u64 = 0x8000;
const FREE: u64 = 0xa000;

impl Held {
    fn new(name: &str) -> Self {
        let machine = Machine::boot(&Config::new(name)).expect("runs");
        let mut guest = introduced(&machine);
        guest.put(TRAPPED, b"trapped\0").expect("RAM");
        guest.put(FREE, b"free\0").expect("RAM");
        let script = r#"sdt:fake:fn:probe1 { printf("%d %s\n", arg0, copyinstr(arg1)); }
               sdt:fake:fn:probe2 { exit(0); }"#;
        let trace = traced(&machine, &mut guest, 2, script);
        let mut held = Self { machine, guest, trace };
        held.fire(1, TRAPPED);
        held.machine.trap(Gpa(DATA + TRAPPED)).expect("RAM");
        let fire = held.guest.fire_descriptor(2, &[2, FakeGuest::user_address(TRAPPED)], &[]);
        held.guest.write_descriptor(1, &fire);
        let frame = u32::try_from(FakeGuest::page(1).0 >> 12).expect("low");
        held.machine.held_exit(1, &Exit::doorbell(frame)).expect("reads the string");
        // Meanwhile the other goes on.
        held.fire(3, FREE);
        held
    }

    /// vCPU 0 fires.
    fn fire(&mut self, number: u64, string: u64) {
        assert_eq!(self.guest.fire(0, 2, &[number, FakeGuest::user_address(string)], &[]), OK);
    }

    /// Another script comes, sees vCPU 0's fires, and goes.
    fn another_consumer(&mut self) {
        let script = "sdt:fake:fn:probe3 { @[arg0] = count(); } sdt:fake:fn:probe4 { exit(0); }";
        let trace = traced(&self.machine, &mut self.guest, 4, script);
        for _ in 0..3 {
            assert_eq!(self.guest.fire(0, 4, &[7], &[]), OK);
        }
        assert_eq!(self.guest.fire(0, 5, &[], &[]), OK);
        let output = trace.finish().expect("ends");
        assert_eq!(output.split_whitespace().collect::<Vec<_>>(), ["7", "3"]);
    }
}

/// A vCPU's thread that ends in the middle of a fire, between the exit and the answer, as a thread
/// ends that is killed: its record is not told, and nobody waits for it. The other vCPU's fires are,
/// scripts come and go.
#[test]
fn a_vcpu_that_ends_in_a_fire_takes_nothing_along() {
    let mut held = Held::new("ends");
    held.machine.release(1, true).expect("answers");
    held.fire(4, TRAPPED);
    held.another_consumer();
    assert_eq!(held.guest.fire(0, 3, &[], &[]), OK);
    let output = held.trace.finish().expect("ends");
    assert_eq!(output, "1 trapped\n3 free\n4 trapped\n\n");
    assert!(held.machine.finish().expect("ends").success());
}

/// One that stands still there and goes on: scripts come and go meanwhile, and its fire is told in
/// the end.
#[test]
fn a_vcpu_that_stands_still_in_a_fire_goes_on() {
    let mut held = Held::new("stands");
    held.another_consumer();
    held.machine.release(1, false).expect("answers");
    held.fire(4, TRAPPED);
    held.another_consumer();
    assert_eq!(held.guest.fire(0, 3, &[], &[]), OK);
    let output = held.trace.finish().expect("ends");
    let mut lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1 trapped", "2 trapped", "3 free", "4 trapped"]);
    assert!(held.machine.finish().expect("ends").success());
}

/// The whole process killed in the middle of a fire: what was recorded before is told.
#[test]
fn a_process_that_is_killed_in_a_fire_takes_nothing_along() {
    let mut held = Held::new("killed");
    assert_eq!(held.guest.fire(0, 3, &[], &[]), OK);
    held.machine.kill().expect("runs");
    assert_eq!(held.trace.finish().expect("ends"), "1 trapped\n3 free\n\n");
}

/// A transient failure of `vm_run` and a vCPU that stands still for a while (bhyvectl --suspend and
/// the debugger's stops are exits that bhyve sees) change nothing; a VM resumed in a new process
/// has a shim that does not know the guest until it says HELLO again.
#[test]
fn suspended_guests_come_back() {
    let machine = Machine::boot(&Config::new("resumed")).expect("runs");
    let mut guest = introduced(&machine);
    let suspended = Exit::filled(bhyve_sys::v15::vm_exitcode_VM_EXITCODE_SUSPENDED, 3);
    let debug = Exit::filled(bhyve_sys::v15::vm_exitcode_VM_EXITCODE_DEBUG, 0);
    for exit in [suspended, debug] {
        assert_eq!(machine.exit(0, &exit).expect("answers"), Outcome::Passed(exit));
    }
    assert_eq!(guest.poll(&[]), Ok(0));
    // A resumed VM: other process, same memory.
    let mut image = vec![0; usize::try_from(freebsd_harness::machine::LOW).expect("small")];
    machine.ram().expect("maps").read(Hpa(0), &mut image).expect("RAM");
    let cookie = guest.descriptor(Call::Poll, &[0_u8; 16]).header.cookie;
    assert!(machine.finish().expect("ends").success());
    let machine = Machine::boot(&Config::new("resumed")).expect("runs");
    let mut guest = machine.guest().expect("RAM");
    machine.ram().expect("maps").write(Hpa(0), &image).expect("RAM");
    let mut poll = guest.descriptor(Call::Poll, &[0_u8; 16]);
    poll.header.cookie = cookie;
    assert_eq!(guest.ring(0, &poll).header.status, Status::NotReady.raw());
    assert_eq!(guest.hello(), OK);
}

/// RAM that comes only after the sandbox closed is found with the first doorbell.
#[test]
fn memory_may_come_late() {
    let machine = Machine::start(&Config::new("late")).expect("starts");
    machine.enter_sandbox().expect("answers");
    // Nothing is there: the call is lost, the VM is not.
    assert_eq!(machine.exit(0, &Exit::doorbell(8)).expect("answers"), Outcome::Handled);
    machine.add_memory().expect("comes");
    let mut guest = introduced(&machine);
    assert_eq!(guest.poll(&[]), Ok(0));
}

/// A bhyve without a sandbox has no moment before it: the shim starts with the first `vm_run`.
#[test]
fn a_bhyve_without_capsicum_is_traced_too() {
    let machine = Machine::start(&Config::new("no-capsicum")).expect("starts");
    machine.add_memory().expect("comes");
    machine.run_without_sandbox().expect("answers");
    let mut guest = introduced(&machine);
    assert_eq!(guest.poll(&[]), Ok(0));
}

/// The socket is there before the sandbox closes, answers inside it, and goes with the VM.
#[test]
fn the_socket_lives_as_long_as_the_vm() {
    let machine = Machine::boot(&Config::new("socket")).expect("runs");
    let _guest = introduced(&machine);
    let socket = machine.socket();
    let consumer = ConsumerEnd::connect(&socket).expect("somebody listens");
    consumer.send(&Request::Hello { version: PROTOCOL_VERSION }, None).expect("sent");
    let (reply, _) = consumer.receive().expect("an answer");
    assert!(matches!(reply, Reply::Machine(info) if info.vmname == "socket" && info.ready));
    assert!(machine.finish().expect("ends").success());
    assert!(!socket.exists(), "the sandbox leaves a descriptor to remove it by");
}

/// A VM whose name can be no file's runs untraced.
#[test]
fn a_name_that_cannot_be_used_stops_nobody() {
    let machine = Machine::boot(&Config::new("no name")).expect("runs");
    assert_eq!(machine.exit(0, &Exit::doorbell(8)).expect("answers"), Outcome::Handled);
    let exit = Exit::filled(5, 0);
    assert_eq!(machine.exit(0, &exit).expect("answers"), Outcome::Passed(exit));
    assert!(machine.finish().expect("ends").success());
}
