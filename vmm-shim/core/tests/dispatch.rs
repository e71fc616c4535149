//! A fake guest's life through the dispatcher: what a well-behaved guest may rely on.

use hypercall::{BatchFlags, Call, Context, Op, Status};
use shim::plan::{Carry, ProbeSet};
use shim::testing::{FakeGuest, fake_probe};

const OK: u32 = Status::Ok.raw();

/// Nothing works before HELLO, and everything does after it.
#[test]
fn hello_comes_first() {
    let mut guest = FakeGuest::new("vm", 2).expect("a fake guest");
    assert_eq!(guest.some_probes(3), Status::NotReady.raw());
    assert_eq!(guest.poll(&[]), Err(Status::NotReady.raw()));
    assert_eq!(guest.fire(0, 1, &[], &[]), Status::NotReady.raw());
    assert_eq!(guest.hello(), OK);
    assert_eq!(guest.some_probes(3), OK);
    assert_eq!(guest.symbols(&[(FakeGuest::kernel_address(0), "_text")]), OK);
    assert_eq!(guest.types("vmlinux", b"\x9f\xeb\x01\x00"), OK);
    assert_eq!(guest.poll(&[]), Ok(0));
    assert_eq!(guest.fire(1, 1, &[], &[]), OK);
    assert_eq!(guest.goodbye(), OK);
    assert_eq!(guest.fire(1, 1, &[], &[]), Status::NotReady.raw());
    let totals = guest.shim.totals();
    assert_eq!(totals.calls(Call::Fire), 3);
    assert_eq!(totals.refused_with(Status::NotReady), 4);
    assert_eq!(totals.refused(), 4);
}

/// A cookie of a former life opens nothing in the next one.
#[test]
fn reboot_makes_old_cookies_worthless() {
    let mut guest = FakeGuest::new("vm", 1).expect("a fake guest");
    guest.hello();
    let old = guest.fire_descriptor(1, &[], &[]);
    assert_eq!(guest.ring(0, &old).header.status, OK);
    guest.hello();
    assert_eq!(guest.ring(0, &old).header.status, Status::NotReady.raw());
    assert_eq!(guest.fire(0, 1, &[], &[]), OK);
}

/// A page that is no descriptor stays as it is: the host writes into nothing it was not given.
#[test]
fn foreign_pages_are_left_alone() {
    let mut guest = FakeGuest::new("vm", 1).expect("a fake guest");
    let mut page = guest.fire_descriptor(1, &[1, 2], &[3]);
    page.header.magic ^= 1;
    let after = guest.ring(0, &page);
    assert_eq!(after.header, page.header);
    assert_eq!(after.body.bytes(), page.body.bytes());
    assert_eq!(guest.shim.totals().refused_with(Status::BadMagic), 1);
}

/// The kernel's text has to be where HELLO says, or nobody's pointers could be followed.
#[test]
fn hello_with_senseless_page_tables_is_refused() {
    let mut guest = FakeGuest::new("vm", 1).expect("a fake guest");
    let mut hello = hypercall::Hello::ZERO;
    (hello.os, hello.paging, hello.ncpu) = (1, 4, 1);
    hello.kernel_base = 0xffff_ffff_8100_0000;
    assert_eq!(guest.call(Call::Hello, &hello).0, Status::BadAddress.raw());
    hello.kernel_base = FakeGuest::kernel_address(0);
    hello.paging = 5;
    assert_eq!(guest.call(Call::Hello, &hello).0, Status::BadAddress.raw());
    assert_eq!(guest.shim.totals().refused(), 2);
}

/// A batch that lies partly outside what the guest has mapped is not taken.
#[test]
fn batches_must_be_mapped_whole() {
    let mut guest = FakeGuest::new("vm", 1).expect("a fake guest");
    guest.hello();
    let end = FakeGuest::kernel_address(0) - shim::testing::DATA + (16 << 20);
    let batch =
        hypercall::Probes { gva: end - 8, len: 64, count: 1, first_id: 1, flags: 3, reserved: 0 };
    assert_eq!(guest.call(Call::Probes, &batch).0, Status::BadAddress.raw());
}

/// A table in several batches is complete with the last.
#[test]
fn probe_tables_come_in_batches() {
    let mut guest = FakeGuest::new("vm", 1).expect("a fake guest");
    guest.hello();
    assert_eq!(guest.some_probes(5000), OK);
    assert_eq!(guest.probes(&[fake_probe("late")], BatchFlags::empty()), OK);
    assert_eq!(guest.probes_gone(5001, 1), OK);
    assert_eq!(guest.probes_gone(5002, 1), Status::BadArgument.raw());
}

/// The types of plans are public: what a guest is told for them is what it says.
#[test]
fn plans_speak_the_wire_format() {
    let carry = Carry { context: Context::IDS | Context::KSTACK, frames: 20 };
    let wanted = ProbeSet::collect([(3, carry), (4, carry), (9, carry)]);
    let (commands, more) = ProbeSet::default().commands_to(&wanted, 10);
    assert!(!more);
    assert_eq!(commands.len(), 2);
    assert_eq!((commands[0].first_probe, commands[0].nprobes), (3, 2));
    assert_eq!((commands[0].op, commands[0].arg), (Op::Enable.raw(), 20));
    assert_eq!(commands[0].context, 5);
}
