//! Any bytes as a guest: its control registers, its nested root, its memory. Reads, writes and
//! strings through every mode and second dimension must end, stay inside that memory, be all or
//! nothing, and come out of a cache as they come out of a walk.
#![no_main]

use std::sync::atomic::{AtomicU64, Ordering};

use libfuzzer_sys::fuzz_target;
use npt::{
    Access, AddressSpace, Cr3, Ept, Eptp, GuestCache, GuestPaging, Gva, Hpa, Nested, NestedCache,
    NestedCr3, Npt, NptMode, PhysWidth, SecondDimension, Words,
};
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

/// Takes numbers off the input's front.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn word(&mut self) -> u64 {
        let (now, later) = self.0.split_at(self.0.len().min(8));
        self.0 = later;
        let mut bytes = [0; 8];
        bytes[..now.len()].copy_from_slice(now);
        u64::from_le_bytes(bytes)
    }
}

fn second(kind: u64, root: u64, width: PhysWidth) -> Nested<'static> {
    let npt = |mode| Nested::Npt(Npt::new(NestedCr3(root), mode, width));
    match kind % 6 {
        0 => Nested::Direct,
        1 => match Ept::decode(Eptp(root), width) {
            Ok(ept) if kind & 64 != 0 => Nested::Ept(ept.with_mode_based_execute()),
            Ok(ept) => Nested::Ept(ept),
            Err(_) => Nested::Direct,
        },
        2 => npt(NptMode::Bits32),
        3 => npt(NptMode::Pae),
        4 => npt(NptMode::Level4),
        _ => npt(NptMode::Level5),
    }
}

fn exercise<N: SecondDimension + Copy>(
    words: &[AtomicU64],
    paging: GuestPaging,
    nested: N,
    gva: Gva,
) {
    let memory = Words::new(Hpa(0), words);
    let space = AddressSpace::new(&memory, paging, nested);
    let (small, large) = (GuestCache::new(), NestedCache::new());
    for access in [Access::Read, Access::Write, Access::Execute] {
        let walked = space.translate(gva, access);
        for _ in 0..2 {
            assert_eq!(space.with_cache(&small).translate(gva, access), walked);
            assert_eq!(space.with_cache(&large).translate(gva, access), walked);
            small.begin_fire();
            large.begin_fire();
        }
        if let Ok(found) = walked {
            assert!(found.run > 0);
        }
    }
    let mut bytes = [0xa5; 5000];
    let mut settled = [0xa5; 5000];
    for space in [space, space.as_user()] {
        let read = space.read(gva, &mut bytes);
        assert_eq!(space.read_settled(gva, &mut settled), read);
        assert_eq!(settled, bytes);
        if read.is_err() {
            assert!(bytes.iter().all(|&byte| byte == 0));
        }
    }
    if let Ok(text) = space.read_c_string(gva, &mut bytes) {
        assert!(bytes[..text.len].iter().all(|&byte| byte != 0));
        assert!(bytes[text.len..].iter().all(|&byte| byte == 0));
    }
    let before: Vec<u64> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    if space.write(gva, &[0x5a; 5000]).is_err() {
        assert!(words.iter().zip(before).all(|(word, old)| word.load(Ordering::Relaxed) == old));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (kind, registers) = (input.word(), input.word());
    let width = PhysWidth::new(32 + (kind >> 8) as u8 % 21).expect("32 to 52");
    let paging = GuestPaging::from_registers(
        Cr0Flags::from_bits_retain(registers & 0xffff_ffff),
        Cr3(input.word()),
        Cr4Flags::from_bits_retain(registers >> 32),
        EferFlags::from_bits_retain(input.word()),
        width,
    );
    let nested = second(kind, input.word(), width);
    let gva = Gva(input.word());
    // The rest is memory; short inputs repeat, so that few bytes make many tables.
    let rest: Vec<u64> = input.0.chunks_exact(8).map(|eight| Input(eight).word()).collect();
    let words: Vec<AtomicU64> =
        rest.iter().cycle().take(8 * 512).copied().map(AtomicU64::new).collect();
    exercise(&words, paging, nested, gva);
});
