//! Any guest: a run of steps, each a byte that says which, a byte with a length, and so many bytes.
//! A step makes a call with these bytes as body or as the whole descriptor, or writes them into the
//! data area or the page tables. Whatever came before, a good guest is served afterwards.
#![no_main]

use hypercall::{Call, Descriptor};
use libfuzzer_sys::fuzz_target;
use npt::{Hpa, PhysMemory};
use shim::testing::{CR3, FakeGuest};
use zerocopy::IntoBytes;

/// Does one step.
fn step(guest: &mut FakeGuest, kind: u8, bytes: &[u8]) {
    let place = u64::from(kind & 0x1f) * 0x100;
    match kind >> 5 {
        0 | 1 => {
            let mut d = guest.descriptor(Call::Goodbye, &[0_u8; 0]);
            d.header.call = u16::from(kind & 0xf);
            d.header.length = 400;
            d.body.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
            guest.ring(usize::from(kind >> 4) & 1, &d);
        }
        2 => {
            let mut d: Descriptor = guest.fire_descriptor(1, &[], &[]);
            d.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
            guest.ring(0, &d);
        }
        3 => {
            let _ = guest.fire(0, u32::from(kind & 0x1f), &[FakeGuest::user_address(place)], &[]);
        }
        4 | 5 => {
            let _ = guest.put(place, bytes);
        }
        6 => {
            let _ = guest.ram().write(Hpa(CR3 + place * 2), bytes);
        }
        _ => {
            let _ = guest.poll(&[]);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(mut guest) = FakeGuest::new("fuzz", 2) else { return };
    guest.hello();
    guest.some_probes(4);
    let Ok(_arena) = guest.trace_everything(4) else { return };
    let mut rest = input;
    while let [kind, length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        step(&mut guest, *kind, bytes);
        rest = tail;
    }
    // On a machine whose tables the run has not spoilt, all begins anew.
    guest.rebuild_tables();
    assert_eq!(guest.hello(), 0);
    assert_eq!(guest.some_probes(4), 0);
    assert_eq!(guest.poll(&[]), Ok(0));
    assert_eq!(guest.fire(1, 1, &[], &[]), 0);
});
