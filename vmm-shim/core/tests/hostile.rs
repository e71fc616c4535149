//! A guest that wants to do harm: whatever lies in its descriptors, its tables and its memory, the
//! shim answers or refuses, and goes on.

use hypercall::{Call, Descriptor, Fire, MAX_STACK, Status};
use npt::{Hpa, PhysMemory};
use proptest::prelude::*;
use shim::testing::{CR3, DATA, FakeGuest, RAM};
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};
use zerocopy::IntoBytes;

const OK: u32 = Status::Ok.raw();

/// A guest that has said HELLO and has some probes, all of them traced with all they carry.
fn guest() -> FakeGuest {
    let mut guest = FakeGuest::new("vm", 2).expect("a fake guest");
    assert_eq!(guest.hello(), OK);
    assert_eq!(guest.some_probes(10), OK);
    // The session has a mapping of its own.
    drop(guest.trace_everything(10).expect("a session"));
    guest
}

/// It still works.
fn assert_alive(guest: &mut FakeGuest) {
    assert_eq!(guest.hello(), OK);
    assert_eq!(guest.some_probes(2), OK);
    assert_eq!(guest.fire(0, 1, &[FakeGuest::kernel_address(0)], &[DATA]), OK);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Random bytes over the header and body of every call.
    #[test]
    fn any_descriptor_is_answered(
        call in 0_u16..12,
        noise in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..40),
        length in prop_oneof![0_u32..5000, any::<u32>()],
        keep in any::<bool>(),
    ) {
        let mut guest = guest();
        let mut d = guest.fire_descriptor(1, &[1, 2, 3], &[4, 5, 6]);
        d.header.call = call;
        d.header.length = length;
        for (at, byte) in noise {
            // Half of the time the head stays good, so that bodies are reached.
            if !keep || at >= 64 {
                d.as_mut_bytes()[at] = byte;
            }
        }
        guest.ring(0, &d);
        assert_alive(&mut guest);
    }

    /// Bodies of small numbers and of limits reach further than noise does.
    #[test]
    fn any_body_is_answered(
        call in 1_u16..9,
        words in proptest::collection::vec(
            prop_oneof![
                Just(0_u64), Just(1), Just(u64::MAX), Just(u64::from(u32::MAX)), 0_u64..5000,
                Just(FakeGuest::kernel_address(0)), Just(FakeGuest::user_address(0)), any::<u64>(),
            ],
            1..16,
        ),
    ) {
        let mut guest = guest();
        let mut d = guest.descriptor(Call::Goodbye, &[0_u8; 0]);
        d.header.call = call;
        d.header.length = 400;
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        d.body.bytes_mut()[..bytes.len()].copy_from_slice(&bytes);
        guest.ring(0, &d);
        assert_alive(&mut guest);
    }

    /// Random bytes where a batch should be.
    #[test]
    fn any_batch_is_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        count in 0_u32..20,
        types in any::<bool>(),
    ) {
        let mut guest = guest();
        let gva = guest.put(0, &bytes).expect("fits");
        let len = bytes.len() as u64;
        let (probes, symbols) = (
            hypercall::Probes { gva, len, count, first_id: 1, flags: 3, reserved: 0 },
            hypercall::Symbols { gva, len, count, flags: 3 },
        );
        if types {
            guest.call(Call::Symbols, &symbols);
        } else {
            guest.call(Call::Probes, &probes);
        }
        assert_alive(&mut guest);
    }

    /// Page tables that point anywhere, themselves included; every pointer the fire has is
    /// followed through them.
    #[test]
    fn any_page_table_is_walked(
        entries in proptest::collection::vec((0_u64..0x6000, any::<u64>(), any::<bool>()), 0..60),
        cr3 in prop_oneof![Just(CR3), any::<u64>(), 0_u64..RAM as u64],
        gva in any::<u64>(),
    ) {
        let mut guest = guest();
        for (at, entry, inside) in entries {
            let entry = if inside { (entry % RAM as u64) | 7 } else { entry };
            guest.ram().write(Hpa(0x1000 + (at & !7)), &entry.to_le_bytes()).expect("RAM");
        }
        let mut d = guest.fire_descriptor(1, &[gva, gva], &[gva]);
        d.header.cr3 = cr3;
        prop_assert_eq!(guest.ring(0, &d).header.status, OK);
        for call in [Call::Probes, Call::Symbols, Call::Types] {
            let mut d = guest.descriptor(call, &[gva, 4096, 1, 3, 0, 0, 0, 0, 0, 0, 0]);
            d.header.cr3 = cr3;
            guest.ring(0, &d);
        }
    }
}

/// Stacks at and beyond their limit.
#[test]
fn stacks_are_bounded() {
    let mut guest = guest();
    let full = vec![DATA; MAX_STACK];
    assert_eq!(guest.fire(0, 1, &[], &full), OK);
    let mut d = guest.fire_descriptor(1, &[], &full);
    let place = 64 + offset_of!(Fire, nstack);
    for frames in [476, 0x2000_0000, u32::MAX] {
        d.as_mut_bytes()[place..place + 4].copy_from_slice(&frames.to_le_bytes());
        assert_eq!(guest.ring(0, &d).header.status, Status::BadLength.raw());
    }
}

/// Another vCPU rewrites the descriptor, its batch and the page tables all the while a call on it
/// is handled.
#[test]
fn another_vcpu_may_write_meanwhile() {
    let mut guest = guest();
    let mut vcpu = guest.take_vcpu().expect("two vCPUs");
    let shim = std::sync::Arc::clone(&guest.shim);
    let batch = guest.fire_descriptor(1, &[0; 10], &[DATA; 400]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ram = shim.memory().expect("attached");
        scope.spawn(|| {
            let mut word = 0x9e37_79b9_7f4a_7c15_u64;
            while !stop.load(Ordering::Relaxed) {
                word = word.rotate_left(7).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
                let page = FakeGuest::page(1).0;
                let at = match word % 4 {
                    0 => page + (word >> 8) % 64,
                    1 => page + (word >> 8) % 4088,
                    2 => CR3 + ((word >> 8) % 0x4000),
                    _ => DATA + (word >> 8) % 4096,
                };
                ram.write(Hpa(at & !7), &word.to_le_bytes()).expect("RAM");
            }
        });
        let mut all = 0_u64;
        for round in 0..20_000_u32 {
            let mut d: Descriptor = batch;
            d.header.call = 1 + u16::try_from(round % 8).expect("small");
            ram.write(Hpa(FakeGuest::page(1).0), d.as_bytes()).expect("RAM");
            shim.handle(&mut vcpu, FakeGuest::page(1));
            all += 1;
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(all, 20_000);
    });
    assert!(shim.totals().refused() > 0);
}

/// Every status has its counter, and a flood of refusals stops nothing.
#[test]
fn refusals_are_counted_by_status() {
    let mut guest = guest();
    let good = guest.fire_descriptor(1, &[], &[]);
    type Spoil = fn(&mut Descriptor);
    let spoilt: [(Status, Spoil); 6] = [
        (Status::BadMagic, |d| d.header.magic = 0),
        (Status::BadVersion, |d| d.header.version = 9),
        (Status::BadCall, |d| d.header.call = 77),
        (Status::BadLength, |d| d.header.length = 4033),
        (Status::BadArgument, |d| d.body.bytes_mut()[offset_of!(Fire, present) + 3] = 0x80),
        (Status::NotReady, |d| d.header.cookie ^= 1),
    ];
    for (status, spoil) in spoilt {
        let mut d = good;
        spoil(&mut d);
        for _ in 0..100 {
            guest.ring(0, &d);
        }
        assert_eq!(guest.shim.totals().refused_with(status), 100, "{status:?}");
    }
    assert_eq!(guest.ring(0, &good).header.status, OK);
    assert_eq!(guest.shim.stats().bad_calls, 600);
}

/// What nobody traces is answered whatever else the descriptor says, but only to the guest itself.
#[test]
fn untraced_probes_are_answered_at_once() {
    let mut guest = guest();
    let mut d = guest.fire_descriptor(11, &[], &[]);
    d.header.level = 4;
    assert_eq!(guest.ring(0, &d).header.status, OK);
    d.header.cookie ^= 1;
    assert_eq!(guest.ring(0, &d).header.status, Status::NotReady.raw());
}

/// Every clause of a traced fire leaves its record or its fault.
#[test]
fn traced_fires_are_recorded() {
    let mut guest = FakeGuest::new("vm", 2).expect("a fake guest");
    assert_eq!(guest.hello(), OK);
    assert_eq!(guest.some_probes(10), OK);
    let arena = std::sync::Arc::new(guest.trace_everything(10).expect("a session"));
    let user = FakeGuest::user_address(0x200);
    assert_eq!(guest.fire(0, 3, &[FakeGuest::kernel_address(0), user], &[DATA, 7]), OK);
    let mut reader = host::arena::reader::Reader::new(arena);
    let mut epids = Vec::new();
    reader.drain_all(&mut |_, record| epids.push(record.epid.0));
    assert_eq!(epids, [1, 2, 3, 4, 5, 6]);
}

/// A doorbell whose page is no RAM touches nothing.
#[test]
fn pages_outside_ram_are_ignored() {
    let mut guest = guest();
    let mut vcpu = guest.take_vcpu().expect("two vCPUs");
    for page in [RAM as u64, !0xfff, 1 << 51] {
        guest.shim.handle(&mut vcpu, npt::Gpa(page));
    }
    assert_eq!(guest.shim.totals().refused_with(Status::BadAddress), 3);
    assert_alive(&mut guest);
}
