//! Aggregations, as `host::arena::agg` has them.

use crate::{
    asm::{Alu, Double, Function, Helper, If, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Word},
    error::Refused,
    module::{Module, private},
    routine::{
        Routine,
        ring::{SLOT_AGG_ACTIVE, SLOT_AGG_USED},
    },
    world::field,
};

/// The longest chain that is followed; a key behind it gets a second entry, which the consumer
/// adds to the first.
const MAX_CHAIN: u32 = 64;
/// Words of an entry before its key.
const HEAD: u32 = 4;
const ODD: i64 = 0x9e37_79b9_7f4a_7c15_u64.cast_signed();

/// R7 becomes the hash of the R6 words in the key buffer; R6 is at most the buffer's words.
/// Spoils R0 to R5.
pub(super) fn emit_hash(f: &mut Function, m: &Module) {
    let (again, end, good) = (f.label(), f.label(), f.label());
    f.store(Double, R9, field::SPARE[2], R6);
    private(f, R3, m.world.private.key.at);
    f.mov(R7, 0);
    f.mov(R1, ODD);
    f.mov(R4, 0);
    f.bind(again);
    f.branch(If::Ge, R4, R6, end);
    f.load(Double, R5, R3, 0);
    f.rotate_left(R7, 23, R2);
    f.alu(Alu::Xor, R7, R5);
    f.alu(Alu::Mul, R7, R1);
    f.alu(Alu::Add, R3, 8);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Lt, R4, m.world.key_words(), again);
    f.bind(end);
    f.mov(R2, R7);
    f.alu(Alu::Rsh, R2, 32);
    f.alu(Alu::Xor, R7, R2);
    f.alu(Alu::Mul, R7, R1);
    f.mov(R2, R7);
    f.alu(Alu::Rsh, R2, 29);
    f.alu(Alu::Xor, R7, R2);
    // Each way out of the loop taught the verifier another bound of R6: it is to forget them, or
    // it would follow what comes behind once for each.
    f.load(Double, R6, R9, field::SPARE[2]);
    f.branch(If::Le, R6, m.world.key_words(), good);
    f.mov(R6, 0);
    f.bind(good);
}

/// `(offset from the slot's start, words)`: see [`Routine::KeyEqual`].
pub(super) fn key_equal(m: &Module) -> Function {
    let mut f = Function::new("key_equal", 3);
    let last = (m.world.layout.slot.stride - 8).cast_signed();
    m.enter_arena(&mut f);
    equal_loop(&mut f, m, last);
    f
}

/// Compares the R3 words at R8 + R2 (which may be up to `last`) with the key buffer, and returns.
pub(super) fn equal_loop(f: &mut Function, m: &Module, last: i64) {
    let (again, differ, same) = (f.label(), f.label(), f.label());
    private(f, R6, m.world.private.key.at);
    f.mov(R4, 0);
    f.bind(again);
    f.branch(If::Ge, R4, R3, same);
    f.branch(If::Gt, R2, last, differ);
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R2);
    f.load(Double, R1, R1, 0);
    f.load(Double, R5, R6, 0);
    f.branch(If::Ne, R1, R5, differ);
    f.alu(Alu::Add, R2, 8);
    f.alu(Alu::Add, R6, 8);
    f.alu(Alu::Add, R4, 1);
    f.branch(If::Lt, R4, m.world.key_words(), again);
    f.bind(same);
    f.answer(1);
    f.bind(differ);
    f.answer(0);
}

/// The shape of a slot's aggregation buffers.
struct Table {
    /// Offsets from the slot's start.
    first: i64,
    second: i64,
    /// Bytes of the buckets.
    buckets: i64,
    mask: i64,
    /// Words of entries.
    words: i64,
}

fn table(m: &Module) -> Table {
    let slot = &m.world.layout.slot;
    let [first, second] = slot.aggs;
    let buckets = i64::from(slot.agg_buckets) * 4;
    Table {
        first: first.offset.cast_signed(),
        second: second.offset.cast_signed(),
        buckets,
        mask: i64::from(slot.agg_buckets) - 1,
        words: (first.len.cast_signed() - buckets) / 8,
    }
}

/// The frame of [`find`].
struct Frame {
    words: i16,
    identity: i16,
    info: i16,
    initial: i16,
    hash: i16,
    bucket: i16,
    first: i16,
    /// Bytes from the slot's start to the table's entries.
    entries: i16,
    which: i16,
}

/// `(words, kind and variable, values and epid, initial)`: see [`Routine::AggFind`].
pub(super) fn find(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("agg_find", 5);
    let equal = m.routine(Routine::KeyEqual)?;
    let t = table(m);
    let s = Frame {
        words: f.slot(),
        identity: f.slot(),
        info: f.slot(),
        initial: f.slot(),
        hash: f.slot(),
        bucket: f.slot(),
        first: f.slot(),
        entries: f.slot(),
        which: f.slot(),
    };
    let none = f.label();
    m.enter_arena(&mut f);
    f.branch(If::Gt, R2, m.world.key_words(), none);
    f.mov(R6, R2);
    f.store(Double, R10, s.info, R4);
    f.store(Double, R10, s.initial, R5);
    // identity: kind and key words in the high half, the variable in the low.
    f.mov(R0, R2);
    f.alu(Alu::Lsh, R0, 48);
    f.alu(Alu::Or, R3, R0);
    f.store(Double, R10, s.identity, R3);
    emit_hash(&mut f, m);
    f.store(Double, R10, s.words, R6);
    f.load(Double, R1, R10, s.identity);
    f.alu(Alu::Lsh, R1, 32);
    f.alu(Alu::Rsh, R1, 28);
    f.alu(Alu::Xor, R7, R1);
    f.store(Double, R10, s.hash, R7);
    choose_table(&mut f, &s, &t);
    chain(&mut f, &s, &t, equal);
    insert(&mut f, m, &s, &t, none);
    f.bind(none);
    f.answer(-1);
    Ok(f)
}

/// R8 becomes the entries of the active table, R7 the first of the chain (its word and 1).
fn choose_table(f: &mut Function, s: &Frame, t: &Table) {
    f.load(Word, R1, R8, SLOT_AGG_ACTIVE);
    f.alu(Alu::And, R1, 1);
    f.mov(R2, R1);
    f.alu(Alu::Lsh, R2, 3);
    f.alu(Alu::Add, R2, R8);
    f.store(Double, R10, s.which, R2);
    f.alu(Alu::Mul, R1, t.second - t.first);
    f.alu(Alu::Add, R1, t.first);
    f.alu(Alu::Add, R8, R1);
    f.alu(Alu::Add, R1, t.buckets);
    f.store(Double, R10, s.entries, R1);
    f.alu(Alu::And, R7, t.mask);
    f.alu(Alu::Lsh, R7, 2);
    f.mov(R2, R8);
    f.alu(Alu::Add, R2, R7);
    f.store(Double, R10, s.bucket, R2);
    f.load(Word, R7, R2, 0);
    f.store(Double, R10, s.first, R7);
    f.alu(Alu::Add, R8, t.buckets);
}

/// Follows the chain; returns from the routine if the key is found.
fn chain(f: &mut Function, s: &Frame, t: &Table, equal: crate::asm::FnId) {
    let (again, next, end) = (f.label(), f.label(), f.label());
    f.mov(R6, 0);
    f.bind(again);
    f.branch(If::Eq, R7, 0, end);
    f.alu(Alu::Sub, R7, 1);
    f.branch(If::Gt, R7, t.words - i64::from(HEAD), end);
    f.alu(Alu::Lsh, R7, 3);
    f.mov(R2, R8);
    f.alu(Alu::Add, R2, R7);
    f.load(Word, R5, R2, 0);
    f.load(Double, R3, R2, 8);
    f.load(Double, R4, R10, s.hash);
    f.branch(If::Ne, R3, R4, next);
    f.load(Double, R3, R2, 16);
    f.load(Double, R4, R10, s.identity);
    f.branch(If::Ne, R3, R4, next);
    // Its key: R7 becomes the key's offset from the slot's start, R5 is needed afterwards.
    let following = f.slot();
    f.store(Double, R10, following, R5);
    f.load(Double, R2, R10, s.entries);
    f.alu(Alu::Add, R7, R2);
    f.alu(Alu::Add, R7, i64::from(HEAD) * 8);
    f.mov(R2, R7);
    f.load(Double, R3, R10, s.words);
    f.load(Double, R1, R9, field::NUMBER);
    f.call(equal);
    f.load(Double, R5, R10, following);
    f.branch(If::Eq, R0, 0, next);
    f.load(Double, R1, R10, s.words);
    f.alu(Alu::Lsh, R1, 3);
    f.alu(Alu::Add, R7, R1);
    f.answer(R7);
    f.bind(next);
    f.mov(R7, R5);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Lt, R6, MAX_CHAIN, again);
    f.bind(end);
}

/// Appends an entry and returns the place of its value; jumps to `none` if there is no room.
fn insert(f: &mut Function, m: &Module, s: &Frame, t: &Table, none: crate::asm::Label) {
    let key_words = i64::from(m.world.key_words());
    let values = max_values(m);
    // So near the end a longest entry would not fit, and the verifier wants one bound for all.
    let last = t.words - i64::from(HEAD) - key_words - values;
    if last < 0 {
        f.jump(none);
        return;
    }
    f.load(Double, R1, R10, s.which);
    f.load(Double, R7, R1, SLOT_AGG_USED);
    f.alu(Alu::Rsh, R7, 3);
    f.branch(If::Gt, R7, last, none);
    // total = HEAD + words + values
    f.load(Double, R6, R10, s.words);
    f.load(Double, R2, R10, s.info);
    f.alu(Alu::Rsh, R2, 32);
    f.branch(If::Gt, R2, values, none);
    let count = f.slot();
    f.store(Double, R10, count, R2);
    f.mov(R3, R6);
    f.alu(Alu::Add, R3, R2);
    f.alu(Alu::Add, R3, HEAD);
    let total = f.slot();
    f.store(Double, R10, total, R3);
    // The entry's head.
    f.mov(R1, R7);
    f.alu(Alu::Lsh, R1, 3);
    f.mov(R4, R8);
    f.alu(Alu::Add, R4, R1);
    let entry = f.slot();
    f.store(Double, R10, entry, R4);
    f.alu(Alu::Lsh, R3, 32);
    f.load(Double, R1, R10, s.first);
    f.alu(Alu::Or, R3, R1);
    f.store(Double, R4, 0, R3);
    for (at, slot) in [(8, s.hash), (16, s.identity), (24, s.info)] {
        f.load(Double, R1, R10, slot);
        f.store(Double, R4, at, R1);
    }
    // The key.
    f.mov(R1, R4);
    f.alu(Alu::Add, R1, i64::from(HEAD) * 8);
    f.mov(R2, R6);
    f.alu(Alu::Lsh, R2, 3);
    private(f, R3, m.world.private.key.at);
    f.helper(Helper::ProbeReadKernel);
    // The value: reading from address 0 fails and leaves zeros, as the helper promises.
    f.alu(Alu::Lsh, R6, 3);
    let single = f.label();
    f.load(Double, R2, R10, count);
    f.branch(If::Le, R2, 1, single);
    f.branch(If::Gt, R2, values, none);
    f.alu(Alu::Lsh, R2, 3);
    f.load(Double, R1, R10, entry);
    f.alu(Alu::Add, R1, R6);
    f.alu(Alu::Add, R1, i64::from(HEAD) * 8);
    f.mov(R3, 0);
    f.helper(Helper::ProbeReadKernel);
    f.bind(single);
    f.load(Double, R1, R10, entry);
    f.alu(Alu::Add, R1, R6);
    f.load(Double, R2, R10, s.initial);
    f.store(Double, R1, i16::try_from(HEAD * 8).unwrap_or(0), R2);
    // Linked in: used, then the bucket.
    f.load(Double, R2, R10, total);
    f.alu(Alu::Add, R2, R7);
    f.alu(Alu::Lsh, R2, 3);
    f.load(Double, R1, R10, s.which);
    f.store(Double, R1, SLOT_AGG_USED, R2);
    f.mov(R2, R7);
    f.alu(Alu::Add, R2, 1);
    f.load(Double, R1, R10, s.bucket);
    f.store(Word, R1, 0, R2);
    // Where the value lies.
    f.alu(Alu::Lsh, R7, 3);
    f.alu(Alu::Add, R7, R6);
    f.load(Double, R1, R10, s.entries);
    f.alu(Alu::Add, R7, R1);
    f.alu(Alu::Add, R7, i64::from(HEAD) * 8);
    f.answer(R7);
}

/// Words of the largest value of the session's aggregations.
fn max_values(m: &Module) -> i64 {
    let steps = m.world.loaded.ecbs.iter().flat_map(|ecb| &ecb.steps);
    let values = steps.filter_map(|(_, step)| match step {
        host::engine::plan::Step::Aggregate(agg) => Some(i64::from(agg.values)),
        _ => None,
    });
    values.max().unwrap_or(1)
}
