//! The principal buffer, as `host::arena::ring` has it.

use host::arena::{config::BufPolicy, header::DropKind};

use crate::{
    asm::{Alu, Double, Function, If, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Reg, Word},
    module::Module,
    world::field,
};

/// Where the words of a slot's head lie, from the slot's start: `host::arena::header`.
pub(crate) const SLOT_IN_FIRE: i16 = 0;
pub(crate) const SLOT_FIRES: i16 = 8;
pub(crate) const SLOT_HEAD: i16 = 64;
pub(crate) const SLOT_AGG_USED: i16 = 72;
pub(crate) const SLOT_TAIL: i16 = 128;
pub(crate) const SLOT_AGG_ACTIVE: i16 = 136;
const SLOT_DROPS: i16 = 192;

/// Where a kind's counter lies, from the slot's start.
pub(crate) fn drop_counter(kind: DropKind) -> i16 {
    SLOT_DROPS + 8 * i16::from(kind as u8)
}

/// Counts a loss; R8 is the slot. Spoils R1.
pub(crate) fn count(f: &mut Function, kind: DropKind) {
    let at = drop_counter(kind);
    f.load(Double, R1, R8, at);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R8, at, R1);
}

/// The most old records that one new one pushes out of a ring; more go all at once.
const MAX_EVICTED: u32 = 512;

/// `(bytes)`: makes room; see [`super::Routine::Reserve`].
pub(super) fn reserve(m: &mut Module) -> Function {
    let mut f = Function::new("reserve", 2);
    let size = (m.world.layout.slot.buffer.len & !7).cast_signed();
    let (end, needed) = (f.slot(), f.slot());
    m.enter_arena(&mut f);
    f.mov(R6, R2);
    f.load(Double, R7, R9, field::AT);
    f.mov(R1, R7);
    f.alu(Alu::Add, R1, R6);
    f.mov(R2, R6);
    let here = f.label();
    f.branch(If::Le, R1, size, here);
    f.mov(R2, size);
    f.alu(Alu::Sub, R2, R7);
    f.alu(Alu::Add, R2, R6);
    f.mov(R1, R6);
    f.bind(here);
    f.store(Double, R10, end, R1);
    f.store(Double, R10, needed, R2);
    let (no_room, take) = (f.label(), f.label());
    f.load(Double, R3, R9, field::HEAD);
    f.load(Double, R4, R8, SLOT_TAIL);
    f.alu(Alu::Sub, R3, R4);
    f.branch(If::Gt, R3, size, no_room);
    f.alu(Alu::Add, R3, R2);
    f.branch(If::Gt, R3, size, no_room);
    f.load(Double, R3, R9, field::CLOSED);
    f.branch(If::Ne, R3, 0, no_room);

    f.bind(take);
    let whole = f.label();
    f.load(Double, R2, R10, needed);
    f.branch(If::Eq, R2, R6, whole);
    leave_gap(&mut f, m, size);
    f.bind(whole);
    f.load(Double, R1, R10, end);
    let inside = f.label();
    f.branch(If::Lt, R1, size, inside);
    f.mov(R1, 0);
    f.bind(inside);
    f.store(Double, R9, field::NEXT_AT, R1);
    f.load(Double, R1, R9, field::HEAD);
    f.load(Double, R2, R10, needed);
    f.alu(Alu::Add, R1, R2);
    f.store(Double, R9, field::NEXT_HEAD, R1);
    f.answer(R7);

    f.bind(no_room);
    match m.world.layout.config().bufpolicy {
        BufPolicy::Switch => count(&mut f, DropKind::Principal),
        BufPolicy::Fill => {
            f.store(Double, R9, field::CLOSED, 1);
            count(&mut f, DropKind::Principal);
            count(&mut f, DropKind::Filled);
        }
        BufPolicy::Ring => {
            f.load(Double, R2, R10, needed);
            let never = f.label();
            f.branch(If::Gt, R2, size, never);
            evict(&mut f, m, needed, size);
            f.jump(take);
            f.bind(never);
            count(&mut f, DropKind::Principal);
        }
    }
    f.answer(-1);
    f
}

/// A pointer to the ring's byte at `at`, which is checked to have a word behind it; jumps to
/// `else_` if not. The ring's offset in the slot is left to the access.
fn place(f: &mut Function, dst: Reg, at: Reg, size: i64, else_: crate::asm::Label) {
    f.branch(If::Gt, at, size - 8, else_);
    f.mov(dst, R8);
    f.alu(Alu::Add, dst, at);
}

fn ring_at(m: &Module) -> i16 {
    // The ring follows the slot's head, which is a few hundred bytes.
    i16::try_from(m.world.layout.slot.buffer.offset).unwrap_or(i16::MAX)
}

/// Fills what is left at the end with a record of epid 0; R7 is the place, and becomes 0.
fn leave_gap(f: &mut Function, m: &Module, size: i64) {
    let none = f.label();
    f.mov(R1, size);
    f.alu(Alu::Sub, R1, R7);
    f.alu(Alu::Lsh, R1, 32);
    place(f, R2, R7, size, none);
    f.store(Double, R2, ring_at(m), R1);
    f.bind(none);
    f.mov(R7, 0);
}

/// `bufpolicy=ring`: moves the tail over old records until there is room.
fn evict(f: &mut Function, m: &Module, needed: i16, size: i64) {
    let (again, enough, all, next) = (f.label(), f.label(), f.label(), f.label());
    f.load(Double, R5, R8, SLOT_TAIL);
    f.mov(R4, 0);
    f.bind(again);
    // Enough, if size - (head - tail) >= needed.
    f.load(Double, R1, R9, field::HEAD);
    f.alu(Alu::Sub, R1, R5);
    f.branch(If::Gt, R1, size, all);
    f.mov(R2, size);
    f.alu(Alu::Sub, R2, R1);
    f.load(Double, R3, R10, needed);
    f.branch(If::Ge, R2, R3, enough);
    // The record at the tail: its length must make sense.
    f.mov(R2, R5);
    f.alu(Alu::Mod, R2, size);
    f.alu(Alu::And, R2, -8);
    place(f, R3, R2, size, all);
    f.load(Word, R3, R3, ring_at(m) + 4);
    f.branch(If::Lt, R3, 8, all);
    f.branch(If::Gt, R3, R1, all);
    f.mov(R1, R3);
    f.alu(Alu::And, R1, 7);
    f.branch(If::Ne, R1, 0, all);
    f.alu(Alu::Add, R5, R3);
    f.jump(next);
    f.bind(next);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Lt, R4, MAX_EVICTED, again);
    f.bind(all);
    f.load(Double, R5, R9, field::HEAD);
    f.bind(enough);
    f.store(Double, R8, SLOT_TAIL, R5);
}

/// Publishes what was reserved; R8 and R9 are the slot's. Spoils R1.
pub(crate) fn publish(f: &mut Function) {
    f.load(Double, R1, R9, field::NEXT_AT);
    f.store(Double, R9, field::AT, R1);
    f.load(Double, R1, R9, field::NEXT_HEAD);
    f.store(Double, R9, field::HEAD, R1);
    f.store(Double, R8, SLOT_HEAD, R1);
}

/// After [`super::Routine::Reserve`]: R1 becomes the place of a record of `bytes` in the ring, or
/// `none` is jumped to. Spoils R0.
pub(crate) fn reserved(f: &mut Function, m: &Module, bytes: u32, none: crate::asm::Label) {
    let buffer = m.world.layout.slot.buffer;
    let last = ((buffer.len & !7).saturating_sub(u64::from(bytes))).cast_signed();
    f.branch(If::Gt, R0, last, none);
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R0);
    f.alu(Alu::Add, R1, buffer.offset.cast_signed());
}

const _: () = {
    use core::mem::offset_of;
    use host::arena::header::SlotHeader;
    assert!(offset_of!(SlotHeader, in_fire) == SLOT_IN_FIRE.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, fires) == SLOT_FIRES.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, head) == SLOT_HEAD.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, agg_used) == SLOT_AGG_USED.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, tail) == SLOT_TAIL.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, agg_active) == SLOT_AGG_ACTIVE.cast_unsigned() as usize);
    assert!(offset_of!(SlotHeader, drops) == SLOT_DROPS.cast_unsigned() as usize);
};
