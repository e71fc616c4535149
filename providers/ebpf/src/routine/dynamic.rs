//! Dynamic variables, as `host::arena::dynvar` has them: the same chunks in the same chains, with
//! the same compare-and-swaps, so that kernel programs, VM monitors and the consumer's cleaner
//! meet there.

use core::mem::offset_of;

use dif::env::Scope;
use host::arena::{
    header::{DropKind, Header},
    layout::CHUNK_HEAD_WORDS,
};

use crate::{
    asm::{
        Alu, Atomic, Double, Function, Helper, If, Label, Map, R0, R1, R2, R3, R4, R5, R6, R7, R8,
        R9, R10, Reg, Word,
    },
    error::Refused,
    module::{Module, private},
    routine::{Routine, agg::emit_hash, ring},
    world::{World, field},
};

const FREE: i64 = 0;
const LIVE: i64 = 1;
const DEAD: i64 = 2;
const OLD: i64 = 3;

/// The longest chain that is followed, and the most tries to win a race.
const MAX_CHAIN: u32 = 256;
const MAX_TRIES: u32 = 16;

/// Bytes of a chunk's words.
const NEXT: i16 = 0;
const STATE: i16 = 8;
const HASH: i16 = 16;
const KEY_WORDS: i16 = 24;
const HEAD: i64 = CHUNK_HEAD_WORDS as i64 * 8;

/// A routine's frame offset of a field of the arena's header, for [`Function::map`].
const FREE_LIST: u64 = offset_of!(Header, dyn_free) as u64;
const FRESH: u64 = offset_of!(Header, dyn_fresh) as u64;
const DIRTY: u64 = offset_of!(Header, dyn_dirty) as u64;
const RINSING: u64 = offset_of!(Header, dyn_rinsing) as u64;

/// A register becomes the address of the chunk whose number is in it; jumps to `none` if there is
/// none. Spoils R0.
fn chunk(f: &mut Function, m: &Module, reg: Reg, none: Label) {
    let d = &m.world.layout.dynvars;
    f.alu(Alu::Sub, reg, 1);
    f.branch(If::Ge, reg, d.nchunks, none);
    f.alu(Alu::Mul, reg, d.chunk);
    f.map(R0, Map::Arena, d.chunks.offset);
    f.alu(Alu::Add, reg, R0);
}

/// `(chunk's number, words)`: whether the key buffer's words are the chunk's key.
pub(super) fn key_equal(m: &Module) -> Function {
    let mut f = Function::new("dyn_key_equal", 3);
    let none = f.label();
    let last = i64::from(m.world.layout.dynvars.key_words) * 8 - 8;
    m.enter(&mut f);
    f.mov(R8, R2);
    chunk(&mut f, m, R8, none);
    f.alu(Alu::Add, R8, HEAD);
    f.mov(R2, 0);
    super::agg::equal_loop(&mut f, m, last);
    f.bind(none);
    f.answer(0);
    f
}

/// `(first chunk's number, words, hash)`: the number of the chunk with the key buffer's key, the
/// dead included; 0 if there is none.
pub(super) fn search(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dyn_search", 4);
    let equal = m.routine(Routine::DynKeyEqual)?;
    let (again, next, none) = (f.label(), f.label(), f.label());
    let (words, hash, following) = (f.slot(), f.slot(), f.slot());
    m.enter(&mut f);
    f.mov(R7, R2);
    f.store(Double, R10, words, R3);
    f.store(Double, R10, hash, R4);
    f.mov(R6, 0);
    f.bind(again);
    f.mov(R2, R7);
    chunk(&mut f, m, R2, none);
    f.load(Word, R5, R2, NEXT);
    f.load(Double, R3, R2, HASH);
    f.load(Double, R1, R10, hash);
    f.branch(If::Ne, R3, R1, next);
    f.load(Double, R3, R2, KEY_WORDS);
    f.load(Double, R1, R10, words);
    f.branch(If::Ne, R3, R1, next);
    f.store(Double, R10, following, R5);
    f.load(Double, R1, R9, field::NUMBER);
    f.mov(R2, R7);
    f.call(equal);
    f.load(Double, R5, R10, following);
    f.branch(If::Eq, R0, 0, next);
    f.answer(R7);
    f.bind(next);
    f.mov(R7, R5);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Lt, R6, MAX_CHAIN, again);
    f.bind(none);
    f.answer(0);
    Ok(f)
}

/// R7 becomes the hash of the R6 words in the key buffer and R8 the address of its bucket; jumps
/// to `none` if the key is too long. Spoils R0 to R5.
fn bucket(f: &mut Function, m: &Module, none: Label) {
    let d = &m.world.layout.dynvars;
    f.branch(If::Gt, R6, m.world.key_words(), none);
    emit_hash(f, m);
    f.mov(R1, R7);
    f.alu(Alu::And, R1, (d.buckets.len / 8).cast_signed() - 1);
    f.alu(Alu::Lsh, R1, 3);
    f.map(R8, Map::Arena, d.buckets.offset);
    f.alu(Alu::Add, R8, R1);
}

/// R0 becomes the number of the chunk with the key, from the chain's start in R2; R6 words, hash
/// R7.
fn call_search(f: &mut Function, search: crate::asm::FnId) {
    f.load(Double, R1, R9, field::NUMBER);
    f.mov(R3, R6);
    f.mov(R4, R7);
    f.call(search);
}

/// `(words)`: see [`Routine::DynGet`].
pub(super) fn get(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dyn_get", 2);
    let search = m.routine(Routine::DynSearch)?;
    let none = f.label();
    let d = m.world.layout.dynvars;
    m.enter(&mut f);
    f.mov(R6, R2);
    bucket(&mut f, m, none);
    f.load(Word, R2, R8, 0);
    call_search(&mut f, search);
    f.mov(R1, R0);
    f.mov(R6, R0);
    chunk(&mut f, m, R1, none);
    f.load(Double, R2, R1, STATE);
    f.branch(If::Ne, R2, LIVE, none);
    f.alu(Alu::Sub, R6, 1);
    f.alu(Alu::Mul, R6, d.chunk);
    f.alu(Alu::Add, R6, d.chunks.offset.cast_signed() + HEAD + i64::from(d.key_words) * 8);
    f.answer(R6);
    f.bind(none);
    f.answer(0);
    Ok(f)
}

/// Copies the R7 bytes in the value buffer to the chunk at R6. Spoils R0 to R5.
fn store_value(f: &mut Function, m: &Module) {
    let d = &m.world.layout.dynvars;
    let most = i64::from(d.value_words) * 8;
    let at = HEAD + i64::from(d.key_words) * 8;
    let (long, done) = (f.label(), f.label());
    private(f, R3, m.world.private.value.at);
    f.mov(R1, R6);
    f.alu(Alu::Add, R1, at);
    f.branch(If::Ne, R7, 8, long);
    f.load(Double, R2, R3, 0);
    f.store(Double, R1, 0, R2);
    f.jump(done);
    f.bind(long);
    f.branch(If::Gt, R7, most.min(i64::from(m.world.private.value.len)), done);
    f.mov(R2, R7);
    f.helper(Helper::ProbeReadKernel);
    f.bind(done);
}

/// `(chunk's number, bytes)`: stores the value buffer to a chunk that is linked; 0 if the cleaner
/// has it.
pub(super) fn revive(m: &Module) -> Function {
    let mut f = Function::new("dyn_revive", 3);
    let (none, dead, good) = (f.label(), f.label(), f.label());
    let state = f.slot();
    m.enter(&mut f);
    f.mov(R6, R2);
    f.mov(R7, R3);
    chunk(&mut f, m, R6, none);
    f.mov(R8, 0);
    let again = f.here();
    f.load(Double, R1, R6, STATE);
    f.store(Double, R10, state, R1);
    f.branch(If::Eq, R1, DEAD, dead);
    f.branch(If::Eq, R1, OLD, dead);
    f.branch(If::Ne, R1, LIVE, none);
    store_value(&mut f, m);
    f.answer(1);
    f.bind(dead);
    // The value comes first: whoever sees LIVE sees it.
    store_value(&mut f, m);
    f.load(Double, R0, R10, state);
    f.mov(R1, LIVE);
    f.atomic(Atomic::CompareExchange, R6, STATE, R1);
    f.load(Double, R1, R10, state);
    f.branch(If::Eq, R0, R1, good);
    f.alu(Alu::Add, R8, 1);
    f.branch(If::Lt, R8, 4, again);
    f.bind(none);
    f.answer(0);
    f.bind(good);
    f.answer(1);
    f
}

/// `(words, bytes)`: see [`Routine::DynSet`].
pub(super) fn set(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dyn_set", 3);
    let search = m.routine(Routine::DynSearch)?;
    let revive = m.routine(Routine::DynRevive)?;
    let allocate = m.routine(Routine::DynAllocate)?;
    let free = m.routine(Routine::DynFree)?;
    let drop = m.routine(Routine::DynDrop)?;
    let (bytes, fresh, head, tries) = (f.slot(), f.slot(), f.slot(), f.slot());
    let (none, again, absent, link, lost, done) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    f.store(Double, R10, bytes, R3);
    f.store(Double, R10, fresh, 0);
    f.store(Double, R10, tries, 0);
    f.mov(R6, R2);
    bucket(&mut f, m, none);
    f.bind(again);
    f.load(Double, R1, R8, 0);
    f.store(Double, R10, head, R1);
    f.load(Word, R2, R10, head);
    call_search(&mut f, search);
    f.branch(If::Eq, R0, 0, absent);
    f.load(Double, R1, R9, field::NUMBER);
    f.mov(R2, R0);
    f.load(Double, R3, R10, bytes);
    f.call(revive);
    f.branch(If::Ne, R0, 0, done);
    f.bind(absent);
    f.load(Double, R1, R10, fresh);
    f.branch(If::Ne, R1, 0, link);
    f.load(Double, R1, R9, field::NUMBER);
    f.mov(R2, R6);
    f.mov(R3, R7);
    f.load(Double, R4, R10, bytes);
    f.call(allocate);
    let have = f.label();
    f.branch(If::Ne, R0, 0, have);
    f.answer(0);
    f.bind(have);
    f.store(Double, R10, fresh, R0);
    f.bind(link);
    f.load(Double, R4, R10, fresh);
    f.mov(R3, R4);
    chunk(&mut f, m, R3, none);
    f.load(Word, R1, R10, head);
    f.store(Double, R3, NEXT, R1);
    // The bucket's version goes up, the chunk's number takes the low half.
    f.load(Double, R0, R10, head);
    f.mov(R1, R0);
    f.alu(Alu::Rsh, R1, 32);
    f.alu(Alu::Add, R1, 1);
    f.alu(Alu::Lsh, R1, 32);
    f.alu(Alu::Or, R1, R4);
    f.atomic(Atomic::CompareExchange, R8, 0, R1);
    f.load(Double, R1, R10, head);
    let won = f.label();
    f.branch(If::Eq, R0, R1, won);
    f.load(Double, R1, R10, tries);
    f.alu(Alu::Add, R1, 1);
    f.store(Double, R10, tries, R1);
    f.branch(If::Lt, R1, MAX_TRIES, again);
    f.jump(lost);
    f.bind(won);
    f.answer(0);
    f.bind(none);
    f.load(Double, R1, R9, field::NUMBER);
    f.call(drop);
    f.answer(0);
    f.bind(lost);
    f.load(Double, R1, R9, field::NUMBER);
    f.call(drop);
    f.bind(done);
    let unused = f.label();
    f.load(Double, R2, R10, fresh);
    f.branch(If::Eq, R2, 0, unused);
    f.load(Double, R1, R9, field::NUMBER);
    f.call(free);
    f.bind(unused);
    f.answer(0);
    Ok(f)
}

/// `()`: counts that a variable was lost for good.
pub(super) fn drop_one(m: &Module) -> Function {
    let mut f = Function::new("dyn_drop", 1);
    m.enter_arena(&mut f);
    ring::count(&mut f, DropKind::Dynamic);
    f.answer(0);
    f
}

/// `(words, hash, bytes)`: takes a free chunk and fills it; its number, or 0 with the drop
/// counted.
pub(super) fn allocate(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dyn_allocate", 4);
    let take = m.routine(Routine::DynTake)?;
    let d = m.world.layout.dynvars;
    let (words, hash, number) = (f.slot(), f.slot(), f.slot());
    let none = f.label();
    m.enter_arena(&mut f);
    // Before it is kept: older verifiers forget the bound of what lies in the frame.
    f.branch(If::Gt, R2, d.key_words, none);
    f.store(Double, R10, words, R2);
    f.store(Double, R10, hash, R3);
    f.mov(R7, R4);
    f.call(take);
    f.store(Double, R10, number, R0);
    f.mov(R6, R0);
    chunk(&mut f, m, R6, none);
    f.load(Double, R1, R10, hash);
    f.store(Double, R6, HASH, R1);
    f.load(Double, R2, R10, words);
    f.store(Double, R6, KEY_WORDS, R2);
    f.mov(R1, R6);
    f.alu(Alu::Add, R1, HEAD);
    f.alu(Alu::Lsh, R2, 3);
    private(&mut f, R3, m.world.private.key.at);
    f.helper(Helper::ProbeReadKernel);
    let value = HEAD + i64::from(d.key_words) * 8;
    f.mov(R1, R6);
    f.alu(Alu::Add, R1, value);
    if d.value_words == 1 {
        f.store(Double, R1, 0, 0);
    } else {
        // A read of address 0 fails and leaves zeros.
        f.mov(R2, i64::from(d.value_words) * 8);
        f.mov(R3, 0);
        f.helper(Helper::ProbeReadKernel);
    }
    store_value(&mut f, m);
    f.store(Double, R6, STATE, LIVE);
    f.load(Double, R0, R10, number);
    f.exit();
    f.bind(none);
    why_none(&mut f);
    f.answer(0);
    Ok(f)
}

/// Counts the kind of drop that it is, as classic DTrace tells them apart; R8 is the slot.
fn why_none(f: &mut Function) {
    let (dirty, plain, done) = (f.label(), f.label(), f.label());
    f.map(R2, Map::Arena, RINSING);
    f.load(Word, R1, R2, 0);
    f.branch(If::Eq, R1, 0, dirty);
    ring::count(f, DropKind::DynRinse);
    f.jump(done);
    f.bind(dirty);
    f.map(R2, Map::Arena, DIRTY);
    f.load(Word, R1, R2, 0);
    f.branch(If::Eq, R1, 0, plain);
    ring::count(f, DropKind::DynDirty);
    f.jump(done);
    f.bind(plain);
    ring::count(f, DropKind::Dynamic);
    f.bind(done);
}

/// `()`: a chunk from the free list, else one that was never used; 0 if there is none.
pub(super) fn take(m: &Module) -> Function {
    let mut f = Function::new("dyn_take", 1);
    let nchunks = m.world.layout.dynvars.nchunks;
    let (again, fresh, none, won) = (f.label(), f.label(), f.label(), f.label());
    let head = f.slot();
    m.enter(&mut f);
    f.map(R8, Map::Arena, FREE_LIST);
    f.mov(R6, 0);
    f.bind(again);
    f.load(Double, R7, R8, 0);
    f.store(Double, R10, head, R7);
    f.load(Word, R3, R10, head);
    f.mov(R2, R3);
    chunk(&mut f, m, R2, fresh);
    // If someone takes the chunk and its next changes, the tag has changed, too.
    f.load(Word, R4, R2, NEXT);
    f.mov(R0, R7);
    f.alu(Alu::Rsh, R7, 32);
    f.alu(Alu::Add, R7, 1);
    f.alu(Alu::Lsh, R7, 32);
    f.alu(Alu::Or, R7, R4);
    f.atomic(Atomic::CompareExchange, R8, 0, R7);
    f.load(Double, R1, R10, head);
    f.branch(If::Eq, R0, R1, won);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Lt, R6, MAX_TRIES, again);
    f.bind(fresh);
    f.map(R8, Map::Arena, FRESH);
    f.load(Double, R1, R8, 0);
    f.branch(If::Ge, R1, nchunks, none);
    f.mov(R1, 1);
    f.atomic(Atomic::FetchAdd, R8, 0, R1);
    f.branch(If::Ge, R1, nchunks, none);
    f.alu(Alu::Add, R1, 1);
    f.answer(R1);
    f.bind(won);
    f.load(Double, R1, R2, STATE);
    f.branch(If::Ne, R1, FREE, none);
    f.answer(R3);
    f.bind(none);
    f.answer(0);
    f
}

/// `(chunk's number)`: gives a chunk back that nobody else can reach.
pub(super) fn free(m: &Module) -> Function {
    let mut f = Function::new("dyn_free", 2);
    let (again, none) = (f.label(), f.label());
    let head = f.slot();
    m.enter(&mut f);
    f.mov(R7, R2);
    f.mov(R3, R2);
    chunk(&mut f, m, R3, none);
    f.store(Double, R3, STATE, FREE);
    f.map(R8, Map::Arena, FREE_LIST);
    f.mov(R6, 0);
    f.bind(again);
    f.load(Double, R0, R8, 0);
    f.store(Double, R10, head, R0);
    f.load(Word, R1, R10, head);
    f.store(Double, R3, NEXT, R1);
    f.mov(R1, R0);
    f.alu(Alu::Rsh, R1, 32);
    f.alu(Alu::Add, R1, 1);
    f.alu(Alu::Lsh, R1, 32);
    f.alu(Alu::Or, R1, R7);
    f.atomic(Atomic::CompareExchange, R8, 0, R1);
    f.load(Double, R1, R10, head);
    f.branch(If::Eq, R0, R1, none);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Lt, R6, MAX_TRIES, again);
    f.bind(none);
    f.answer(0);
    f
}

/// `(words)`: see [`Routine::DynDelete`].
pub(super) fn delete(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("dyn_delete", 2);
    let search = m.routine(Routine::DynSearch)?;
    let none = f.label();
    m.enter(&mut f);
    f.mov(R6, R2);
    bucket(&mut f, m, none);
    f.load(Word, R2, R8, 0);
    call_search(&mut f, search);
    f.mov(R6, R0);
    chunk(&mut f, m, R6, none);
    f.mov(R0, LIVE);
    f.mov(R1, DEAD);
    f.atomic(Atomic::CompareExchange, R6, STATE, R1);
    f.branch(If::Ne, R0, LIVE, none);
    f.map(R2, Map::Arena, DIRTY);
    f.load(Word, R1, R2, 0);
    f.branch(If::Ne, R1, 0, none);
    f.store(Word, R2, 0, 1);
    f.bind(none);
    f.answer(0);
    Ok(f)
}

/// The first three words of the key of a variable: R1 is spoilt up to R5.
fn key_head(f: &mut Function, m: &Module, scope: Scope, variable: u64) {
    let key = m.world.private.key.at;
    if scope == Scope::Thread {
        crate::difo::thread(f, m);
        private(f, R6, key);
        f.store(Double, R6, 16, R0);
        if m.foreign_thread {
            // Routines for other threads' keys need the kernel's types; the clause has been
            // refused without them.
            crate::difo::kernel_load(f, m.world.facts.task_pid.unwrap_or(0), 4, false);
        } else {
            f.helper(Helper::GetCurrentPidTgid);
            f.alu(Alu::Lsh, R0, 32);
            f.alu(Alu::Rsh, R0, 32);
        }
        f.mov(R1, i64::from(m.world.machine.0) << 32);
        f.alu(Alu::Or, R0, R1);
        f.store(Double, R6, 8, R0);
    } else {
        private(f, R6, key);
        f.store(Double, R6, 8, 0);
        f.store(Double, R6, 16, 0);
    }
    f.mov(R1, variable.cast_signed());
    f.store(Double, R6, 0, R1);
}

/// The key of a thread-local into the key buffer: four words. Spoils R0 to R6.
pub(crate) fn thread_key(f: &mut Function, m: &Module, id: u16) {
    key_head(f, m, Scope::Thread, World::key_variable(Scope::Thread, id));
    f.store(Double, R6, 24, 0);
}

/// `(variable)`: see [`Routine::KeyTuple`].
pub(super) fn key_tuple(m: &mut Module, scope: Scope) -> Result<Function, Refused> {
    let name = if scope == Scope::Thread { "key_thread" } else { "key_global" };
    let mut f = Function::new(name, 2);
    let string = m.routine(Routine::KeyString)?;
    let bytes = m.routine(Routine::KeyBytes)?;
    let (variable, shape) = (f.slot(), f.slot());
    let (again, scalar, plain, next, end, fault) =
        (f.label(), f.label(), f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    f.store(Double, R10, variable, R2);
    f.store(Double, R10, shape, 0);
    key_head(&mut f, m, scope, 0);
    f.load(Double, R1, R10, variable);
    f.store(Double, R6, 0, R1);
    f.store(Double, R9, field::KEY_LEN, 4);
    f.mov(R6, 0);
    f.bind(again);
    f.load(Double, R1, R9, field::DEPTH);
    f.branch(If::Ge, R6, R1, end);
    f.mov(R1, R6);
    f.alu(Alu::Mul, R1, 24);
    f.mov(R7, R9);
    f.alu(Alu::Add, R7, R1);
    f.load(Double, R2, R7, field::TUPLE);
    f.load(Double, R3, R7, field::TUPLE + 8);
    f.load(Double, R4, R7, field::TUPLE + 16);
    f.mov(R5, R3);
    f.alu(Alu::Or, R5, R4);
    f.branch(If::Eq, R5, 0, scalar);
    f.mov(R5, 1);
    f.alu(Alu::Lsh, R5, R6);
    f.load(Double, R1, R10, shape);
    f.alu(Alu::Or, R1, R5);
    f.store(Double, R10, shape, R1);
    f.load(Double, R1, R9, field::NUMBER);
    f.branch(If::Eq, R4, 0, plain);
    f.call(string);
    f.load(Double, R1, R9, field::FAULT);
    f.branch(If::Ne, R1, 0, fault);
    f.jump(next);
    f.bind(plain);
    f.call(bytes);
    f.load(Double, R1, R9, field::FAULT);
    f.branch(If::Ne, R1, 0, fault);
    f.jump(next);
    f.bind(scalar);
    f.load(Double, R1, R9, field::KEY_LEN);
    f.branch(If::Ge, R1, m.world.key_words(), next);
    f.mov(R4, R1);
    f.alu(Alu::Lsh, R1, 3);
    private(&mut f, R3, m.world.private.key.at);
    f.alu(Alu::Add, R3, R1);
    f.store(Double, R3, 0, R2);
    f.alu(Alu::Add, R4, 1);
    f.store(Double, R9, field::KEY_LEN, R4);
    f.bind(next);
    f.alu(Alu::Add, R6, 1);
    f.branch(If::Lt, R6, 8, again);
    f.bind(end);
    private(&mut f, R3, m.world.private.key.at);
    f.load(Double, R1, R9, field::DEPTH);
    f.alu(Alu::Lsh, R1, 32);
    f.load(Double, R2, R10, shape);
    f.alu(Alu::Or, R1, R2);
    f.store(Double, R3, 24, R1);
    f.load(Double, R0, R9, field::KEY_LEN);
    f.exit();
    f.bind(fault);
    f.answer(0);
    Ok(f)
}
