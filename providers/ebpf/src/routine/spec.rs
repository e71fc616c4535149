//! Speculations, as `host::arena::spec` has them.

use host::arena::header::DropKind;

use crate::{
    asm::{
        Alu, Atomic, Double, Function, Helper, If, Label, Map, R0, R1, R2, R3, R6, R7, R8, R9, R10,
        Word,
    },
    error::Refused,
    module::{Module, private},
    routine::{Routine, ring},
    world::field,
};

/// A routine on speculations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Spec {
    /// `()`: the id of one that is free; 0 if there is none, which is counted.
    Acquire,
    /// `(id)`: whether the slot may write to it.
    Begin,
    /// `(id)`: the slot's own becomes free, with its records handed out.
    Commit,
    /// `(id)`: the slot's own becomes free, its records are forgotten.
    Discard,
    /// `(offset in the slot, epid and size)`: hands out one record.
    Out,
}

const INACTIVE: i64 = 0;
const ACTIVE: i64 = 1;
const ONE: i64 = 2;
const MANY: i64 = 3;
const COMMITTING: i64 = 4;
const DISCARDING: i64 = 5;

const MAX_TRIES: u32 = 16;
/// The most speculations a loop is made for.
const MAX_SPECULATIONS: u32 = 256;
/// The most records of one speculation that one commit hands out.
const MAX_RECORDS: u32 = 1024;

impl Spec {
    pub(super) fn make(self, m: &mut Module) -> Result<Function, Refused> {
        if m.world.layout.config().nspec > MAX_SPECULATIONS {
            let why = format!("nspec is above {MAX_SPECULATIONS}");
            return Err(Refused::new("a speculation", why));
        }
        match self {
            Self::Acquire => Ok(acquire(m)),
            Self::Begin => Ok(begin(m)),
            Self::Commit => end(m, true),
            Self::Discard => end(m, false),
            Self::Out => out(m),
        }
    }
}

/// R6 becomes the address of the state of the speculation in R2; jumps to `none` if there is
/// none.
fn state(f: &mut Function, m: &Module, none: Label) {
    f.alu(Alu::Sub, R2, 1);
    f.branch(If::Ge, R2, m.world.layout.config().nspec, none);
    f.alu(Alu::Lsh, R2, 3);
    f.map(R6, Map::Arena, m.world.layout.spec_states.offset);
    f.alu(Alu::Add, R6, R2);
}

fn acquire(m: &Module) -> Function {
    let mut f = Function::new("spec_acquire", 1);
    let nspec = m.world.layout.config().nspec;
    let (again, next, won, busy, none, done) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter_arena(&mut f);
    if nspec > 0 {
        f.map(R6, Map::Arena, m.world.layout.spec_states.offset);
        f.mov(R7, 0);
        f.mov(R3, 0);
        f.bind(again);
        let taken = f.label();
        f.load(Double, R1, R6, 0);
        f.branch(If::Ne, R1, INACTIVE, taken);
        f.mov(R0, INACTIVE);
        f.mov(R1, ACTIVE);
        f.atomic(Atomic::CompareExchange, R6, 0, R1);
        f.branch(If::Eq, R0, INACTIVE, won);
        f.mov(R1, R0);
        f.bind(taken);
        f.alu(Alu::Lsh, R1, 32);
        f.alu(Alu::Rsh, R1, 32);
        f.branch(If::Eq, R1, COMMITTING, busy);
        f.branch(If::Ne, R1, DISCARDING, next);
        f.bind(busy);
        f.mov(R3, 1);
        f.bind(next);
        f.alu(Alu::Add, R6, 8);
        f.alu(Alu::Add, R7, 1);
        f.branch(If::Lt, R7, nspec, again);
        f.branch(If::Eq, R3, 0, none);
        ring::count(&mut f, DropKind::SpecBusy);
        f.jump(done);
        f.bind(won);
        f.alu(Alu::Add, R7, 1);
        f.answer(R7);
    }
    f.bind(none);
    ring::count(&mut f, DropKind::SpecUnavailable);
    f.bind(done);
    f.answer(0);
    f
}

/// R7 becomes the slot's number in the session.
fn slot_number(f: &mut Function, m: &Module) {
    f.load(Double, R7, R9, field::NUMBER);
    f.alu(Alu::Add, R7, m.world.slot0.0);
}

fn begin(m: &Module) -> Function {
    let mut f = Function::new("spec_begin", 2);
    let (again, active, one, swap, yes, none) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    let now = f.slot();
    m.enter(&mut f);
    state(&mut f, m, none);
    slot_number(&mut f, m);
    f.mov(R8, 0);
    f.bind(again);
    f.load(Double, R0, R6, 0);
    f.store(Double, R10, now, R0);
    f.load(Word, R2, R10, now);
    f.branch(If::Eq, R2, ACTIVE, active);
    f.branch(If::Eq, R2, ONE, one);
    f.branch(If::Eq, R2, MANY, yes);
    f.jump(none);
    f.bind(active);
    f.mov(R1, R7);
    f.alu(Alu::Lsh, R1, 32);
    f.alu(Alu::Or, R1, ONE);
    f.jump(swap);
    f.bind(one);
    f.mov(R1, R0);
    f.alu(Alu::Rsh, R1, 32);
    f.branch(If::Eq, R1, R7, yes);
    f.mov(R1, MANY);
    f.bind(swap);
    f.atomic(Atomic::CompareExchange, R6, 0, R1);
    f.load(Double, R1, R10, now);
    f.branch(If::Eq, R0, R1, yes);
    f.alu(Alu::Add, R8, 1);
    f.branch(If::Lt, R8, MAX_TRIES, again);
    f.bind(none);
    f.answer(0);
    f.bind(yes);
    f.answer(1);
    f
}

/// Where a speculation's buffer lies in the slot, and its bytes.
fn buffer(m: &Module) -> (i64, i64) {
    let size = m.world.layout.config().spec_bytes();
    (m.world.layout.slot.specs.offset.cast_signed(), size.cast_signed())
}

fn end(m: &mut Module, commit: bool) -> Result<Function, Refused> {
    let name = if commit { "spec_commit" } else { "spec_discard" };
    let mut f = Function::new(name, 2);
    let nspec = i64::from(m.world.layout.config().nspec);
    let (again, own, many, swap, won, none) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    let (now, mine, id, at, records) = (f.slot(), f.slot(), f.slot(), f.slot(), f.slot());
    let ending = if commit { COMMITTING } else { DISCARDING };
    m.enter_arena(&mut f);
    f.store(Double, R10, id, R2);
    state(&mut f, m, none);
    slot_number(&mut f, m);
    f.store(Double, R10, records, 0);
    f.bind(again);
    f.load(Double, R0, R6, 0);
    f.store(Double, R10, now, R0);
    f.load(Word, R2, R10, now);
    f.branch(If::Eq, R2, ACTIVE, own);
    f.branch(If::Eq, R2, MANY, many);
    f.branch(If::Ne, R2, ONE, none);
    f.mov(R1, R0);
    f.alu(Alu::Rsh, R1, 32);
    f.branch(If::Eq, R1, R7, own);
    f.bind(many);
    f.mov(R1, ending);
    f.store(Double, R10, mine, 0);
    f.jump(swap);
    f.bind(own);
    // Marked so that nobody, the consumer included, touches it.
    f.mov(R1, R7);
    f.alu(Alu::Add, R1, 1);
    f.alu(Alu::Lsh, R1, 32);
    f.alu(Alu::Or, R1, ending);
    f.store(Double, R10, mine, 1);
    f.bind(swap);
    f.atomic(Atomic::CompareExchange, R6, 0, R1);
    f.load(Double, R1, R10, now);
    f.branch(If::Eq, R0, R1, won);
    f.load(Double, R1, R10, records);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R10, records, R1);
    f.branch(If::Lt, R1, MAX_TRIES, again);
    f.bind(none);
    f.answer(0);
    f.bind(won);
    f.load(Double, R1, R10, mine);
    f.branch(If::Eq, R1, 0, none);
    // R7: the buffer's offset in the slot.
    let (specs, size) = buffer(m);
    f.load(Double, R7, R10, id);
    f.alu(Alu::Sub, R7, 1);
    f.branch(If::Ge, R7, nspec, none);
    f.alu(Alu::Mul, R7, size);
    f.alu(Alu::Add, R7, specs);
    if commit {
        hand_out(&mut f, m, (at, records), size)?;
    }
    f.alu(Alu::Add, R8, R7);
    f.store(Double, R8, 0, 0);
    f.store(Double, R6, 0, INACTIVE);
    f.answer(0);
    Ok(f)
}

/// Hands out every record of the buffer at R7 in the slot at R8.
fn hand_out(f: &mut Function, m: &mut Module, slots: (i16, i16), size: i64) -> Result<(), Refused> {
    let (at, records) = slots;
    let (again, end) = (f.label(), f.label());
    let last = size - 16;
    f.store(Double, R10, at, 0);
    f.store(Double, R10, records, 0);
    f.bind(again);
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R7);
    f.load(Double, R2, R1, 0);
    f.load(Double, R3, R10, at);
    f.branch(If::Ge, R3, R2, end);
    f.branch(If::Gt, R3, last, end);
    f.alu(Alu::Add, R1, R3);
    f.load(Word, R2, R1, 12);
    f.branch(If::Lt, R2, 16, end);
    f.branch(If::Gt, R2, size, end);
    f.load(Double, R1, R1, 8);
    f.alu(Alu::Add, R2, R3);
    f.store(Double, R10, at, R2);
    f.alu(Alu::Add, R3, 8);
    f.alu(Alu::Add, R3, R7);
    m.call(f, Routine::Spec(Spec::Out), &[R3.into(), R1.into()])?;
    f.load(Double, R1, R10, records);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R10, records, R1);
    f.branch(If::Lt, R1, MAX_RECORDS, again);
    f.bind(end);
    Ok(())
}

/// `(offset in the slot, epid and size)`: copies a record to the ring; it counts from now on, so
/// that the order of the slot's records stays that of time.
fn out(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("spec_out", 3);
    let none = f.label();
    let most = i64::from(m.world.private.record.len);
    let (head, from) = (f.slot(), f.slot());
    m.enter_arena(&mut f);
    f.store(Double, R10, head, R3);
    f.store(Double, R10, from, R2);
    f.mov(R6, R3);
    f.alu(Alu::Rsh, R6, 32);
    f.alu(Alu::Add, R6, 7);
    f.alu(Alu::And, R6, -8);
    f.branch(If::Gt, R6, most, none);
    f.branch(If::Lt, R6, 16, none);
    m.call(&mut f, Routine::Reserve, &[R6.into()])?;
    // What lies behind the ring belongs to the slot, too: the verifier is content with that.
    ring::reserved(&mut f, m, 16, none);
    f.load(Double, R2, R10, head);
    f.store(Double, R1, 0, R2);
    f.load(Double, R2, R9, field::NOW);
    f.store(Double, R1, 8, R2);
    f.load(Double, R3, R10, from);
    f.branch(If::Gt, R3, (m.world.layout.slot.stride).cast_signed() - 16, none);
    f.alu(Alu::Add, R3, R8);
    f.alu(Alu::Add, R3, 16);
    f.alu(Alu::Add, R1, 16);
    f.mov(R2, R6);
    f.alu(Alu::Sub, R2, 16);
    f.helper(Helper::ProbeReadKernel);
    ring::publish(&mut f);
    f.bind(none);
    f.answer(0);
    Ok(f)
}

/// Puts the record of `size` bytes in private memory aside, into the buffer of the speculation
/// that is going on; R8 and R9 are the slot's. Jumps to `end` afterwards. The size is a constant
/// so that the verifier sees each record's own bound.
pub(crate) fn keep(f: &mut Function, m: &Module, size: u32, end: Label) {
    let full = f.label();
    let nspec = i64::from(m.world.layout.config().nspec);
    let (specs, room) = buffer(m);
    let last = room - 8 - i64::from(size);
    if last < 0 {
        ring::count(f, DropKind::Spec);
        f.jump(end);
        return;
    }
    f.load(Double, R7, R9, field::SPECULATION);
    f.alu(Alu::Sub, R7, 1);
    f.branch(If::Ge, R7, nspec, end);
    f.alu(Alu::Mul, R7, room);
    f.alu(Alu::Add, R7, specs);
    f.alu(Alu::Add, R7, R8);
    f.load(Double, R6, R7, 0);
    f.branch(If::Gt, R6, last, full);
    f.mov(R1, R7);
    f.alu(Alu::Add, R1, R6);
    f.alu(Alu::Add, R1, 8);
    f.mov(R2, size);
    private(f, R3, m.world.private.record.at);
    f.helper(Helper::ProbeReadKernel);
    f.alu(Alu::Add, R6, size);
    f.store(Double, R7, 0, R6);
    f.jump(end);
    f.bind(full);
    ring::count(f, DropKind::Spec);
    f.jump(end);
}
