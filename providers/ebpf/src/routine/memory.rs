//! Memory: what an address of DIF is, reading and writing it.
//!
//! The tracer's own memories are read with the same helper as the kernel's, by their kernel
//! addresses: the helper copes with anything that cannot be read, and copies strings.

use dif::env::{FaultKind, TRACER_TAG};

use crate::{
    asm::{
        Alu, Double, Function, Helper, If, Label, Map, R0, R1, R2, R3, R4, R5, R6, R7, R9, R10,
        Reg, Size, Word,
    },
    error::Refused,
    module::{Module, fail, private},
    routine::Routine,
    world::{EXECNAME_ROOM, field, fire_address, part},
};

/// How many bytes follow the resolved address: a spare word.
pub(crate) const FOLLOWING: i16 = field::SPARE[0];
/// Where a pointer is put to become a number.
const NUMBER: i16 = field::SPARE[1];

/// Jumps to `machine` if the address in a register is not the tracer's. Spoils R0.
pub(crate) fn unless_tracer(f: &mut Function, address: Reg, machine: Label) {
    f.mov(R0, address);
    f.alu(Alu::Rsh, R0, 48);
    f.branch(If::Ne, R0, TRACER_TAG.cast_signed(), machine);
}

/// A map's address as a number: through memory, since the verifier tells pointers from numbers.
fn map_number(f: &mut Function, dst: Reg, map: Map, offset: u64) {
    f.map(dst, map, offset);
    f.store(Double, R9, NUMBER, dst);
    f.load(Double, dst, R9, NUMBER);
}

/// Answers `base + R3` with `limit - R3` bytes behind it, or goes to `bad`.
fn within(f: &mut Function, base: (Map, u64), limit: u64, bad: Label) {
    f.branch(If::Ge, R3, limit.cast_signed(), bad);
    f.mov(R1, limit.cast_signed());
    f.alu(Alu::Sub, R1, R3);
    f.store(Double, R9, FOLLOWING, R1);
    map_number(f, R0, base.0, base.1);
    f.alu(Alu::Add, R0, R3);
    f.exit();
}

/// `(address)`: see [`Routine::Resolve`].
pub(super) fn resolve(m: &Module) -> Function {
    let mut f = Function::new("resolve", 2);
    m.enter(&mut f);
    f.mov(R6, R2);
    let (machine, bad, strings, fire) = (f.label(), f.label(), f.label(), f.label());
    unless_tracer(&mut f, R6, machine);
    // R2: the region; R3: the offset.
    f.mov(R2, R6);
    f.alu(Alu::Rsh, R2, 44);
    f.alu(Alu::And, R2, 15);
    f.mov(R3, R6);
    f.alu(Alu::Lsh, R3, 20);
    f.alu(Alu::Rsh, R3, 20);
    f.branch(If::Eq, R2, 1, strings);
    f.branch(If::Eq, R2, 2, fire);
    f.branch(If::Ne, R2, 0, bad);
    within(&mut f, (Map::Arena, 0), m.world.layout.total, bad);
    f.bind(strings);
    let s = m.data.strings;
    within(&mut f, (Map::Data, u64::from(s.at)), u64::from(s.len), bad);
    f.bind(fire);
    resolve_fire(&mut f, m, bad);
    f.bind(bad);
    f.store(Double, R9, FOLLOWING, 0);
    f.answer(0);
    f.bind(machine);
    f.store(Double, R9, FOLLOWING, -1);
    f.answer(R6);
    f
}

/// Region `Fire`: R3 has the part in its high half.
fn resolve_fire(f: &mut Function, m: &Module, bad: Label) {
    let p = &m.world.private;
    f.mov(R2, R3);
    f.alu(Alu::Rsh, R2, 32);
    f.alu(Alu::Lsh, R3, 32);
    f.alu(Alu::Rsh, R3, 32);
    let own = |f: &mut Function, at: u32, limit: Option<u32>| {
        match limit {
            Some(limit) => f.mov(R1, limit),
            None => f.load(Double, R1, R9, field::TOP),
        }
        f.branch(If::Ge, R3, R1, bad);
        f.alu(Alu::Sub, R1, R3);
        f.store(Double, R9, FOLLOWING, R1);
        private(f, R0, at);
        f.store(Double, R9, NUMBER, R0);
        f.load(Double, R0, R9, NUMBER);
        f.alu(Alu::Add, R0, R3);
        f.exit();
    };
    let when = |f: &mut Function, part: u64| {
        let next = f.label();
        f.branch(If::Ne, R2, part.cast_signed(), next);
        next
    };
    let next = when(f, part::SCRATCH);
    own(f, p.scratch.at, None);
    f.bind(next);
    let next = when(f, part::LOCALS);
    own(f, p.locals.at, Some(p.locals.len));
    f.bind(next);
    let next = when(f, part::EXECNAME);
    own(f, u32::try_from(field::EXECNAME).unwrap_or(0), Some(EXECNAME_ROOM));
    f.bind(next);
    for (part, run) in [(part::VMNAME, m.data.vmname), (part::ZONENAME, m.data.zonename)] {
        let next = when(f, part);
        within(f, (Map::Data, u64::from(run.at)), u64::from(run.len), bad);
        f.bind(next);
    }
    // The four names of the probe: offset and length lie in its constants.
    f.alu(Alu::Sub, R2, part::NAMES.cast_signed());
    f.branch(If::Gt, R2, 3, bad);
    f.alu(Alu::Lsh, R2, 3);
    f.load(Double, R4, R9, field::ENTRY);
    f.branch(If::Gt, R4, m.data.size.saturating_sub(64), bad);
    f.alu(Alu::Add, R4, R2);
    f.map(R5, Map::Data, 0);
    f.alu(Alu::Add, R5, R4);
    f.load(Word, R4, R5, 8);
    f.load(Word, R1, R5, 12);
    f.branch(If::Ge, R3, R1, bad);
    f.alu(Alu::Sub, R1, R3);
    f.store(Double, R9, FOLLOWING, R1);
    map_number(f, R0, Map::Data, 0);
    f.alu(Alu::Add, R0, R4);
    f.alu(Alu::Add, R0, R3);
    f.exit();
}

/// The largest value that may be read into private memory at once, and the last place for it.
pub(super) fn value_bounds(m: &Module) -> (i64, i64) {
    let p = &m.world.private;
    let most = i64::from(p.value.len);
    (most, i64::from(p.size) - most - 16)
}

/// `(address, offset, size)`: see [`Routine::ReadString`].
pub(super) fn read_string(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("read_string", 4);
    let resolve = m.routine(Routine::Resolve)?;
    let (most, last) = value_bounds(m);
    let (address, given) = (f.slot(), f.slot());
    let (bad, whole) = (f.label(), f.label());
    m.enter(&mut f);
    f.store(Double, R10, address, R2);
    f.branch(If::Gt, R3, last, bad);
    f.branch(If::Gt, R4, most, bad);
    f.branch(If::Eq, R4, 0, bad);
    f.mov(R6, R3);
    f.mov(R7, R4);
    f.call(resolve);
    f.branch(If::Eq, R0, 0, bad);
    // No more than lies there; the helper's size counts a NUL.
    f.store(Double, R10, given, R7);
    f.load(Double, R1, R9, FOLLOWING);
    f.branch(If::Ge, R1, R7, whole);
    f.mov(R7, R1);
    f.alu(Alu::Add, R7, 1);
    f.branch(If::Gt, R7, most, bad);
    f.bind(whole);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, R6);
    f.mov(R2, R7);
    f.mov(R3, R0);
    f.helper(Helper::ProbeReadKernelStr);
    f.branch(If::Slt, R0, 1, bad);
    // Cut short by the region's end and not by the string's: that is a fault at the end.
    let ended = f.label();
    f.branch(If::Ne, R0, R7, ended);
    f.load(Double, R3, R10, given);
    f.branch(If::Eq, R7, R3, ended);
    f.mov(R3, R9);
    f.alu(Alu::Add, R3, R6);
    f.load(Double, R2, R10, address);
    f.alu(Alu::Add, R2, R7);
    f.alu(Alu::Sub, R2, 1);
    fail(&mut f, FaultKind::BadAddr, R2);
    f.bind(ended);
    f.alu(Alu::Sub, R0, 1);
    f.exit();
    f.bind(bad);
    f.load(Double, R2, R10, address);
    fail(&mut f, FaultKind::BadAddr, R2);
    Ok(f)
}

/// `(address, offset, size)`: see [`Routine::ReadBytes`].
pub(super) fn read_bytes(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("read_bytes", 4);
    let resolve = m.routine(Routine::Resolve)?;
    let (most, last) = value_bounds(m);
    let address = f.slot();
    let bad = f.label();
    m.enter(&mut f);
    f.store(Double, R10, address, R2);
    f.branch(If::Gt, R3, last, bad);
    f.branch(If::Gt, R4, most, bad);
    f.mov(R6, R3);
    f.mov(R7, R4);
    f.call(resolve);
    f.load(Double, R1, R9, FOLLOWING);
    f.branch(If::Lt, R1, R7, bad);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, R6);
    f.mov(R2, R7);
    f.mov(R3, R0);
    f.helper(Helper::ProbeReadKernel);
    f.branch(If::Ne, R0, 0, bad);
    f.answer(0);
    f.bind(bad);
    f.load(Double, R2, R10, address);
    fail(&mut f, FaultKind::BadAddr, R2);
    Ok(f)
}

/// R6 becomes the offset of the key's next word in private memory, if a word and the bytes in
/// `size` fit behind it. Spoils R5.
fn room_in_key(f: &mut Function, m: &Module, size: Reg, full: Label) {
    f.mov(R5, size);
    f.alu(Alu::Add, R5, 7 + 8);
    f.alu(Alu::Rsh, R5, 3);
    f.load(Double, R6, R9, field::KEY_LEN);
    f.branch(If::Gt, R6, m.world.key_words(), full);
    f.alu(Alu::Add, R5, R6);
    f.branch(If::Gt, R5, m.world.key_words(), full);
    f.alu(Alu::Lsh, R6, 3);
    f.alu(Alu::Add, R6, m.world.private.key.at);
}

/// Ends an element of the key: R0 bytes lie behind the word at offset R6, which becomes their
/// length; the last word is padded with zeros. At most `most` bytes.
fn end_element(f: &mut Function, most: i64) {
    let (padded, bad) = (f.label(), f.label());
    f.branch(If::Gt, R0, most, bad);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, R6);
    f.store(Double, R1, 0, R0);
    f.mov(R2, R0);
    f.alu(Alu::And, R2, 7);
    f.branch(If::Eq, R2, 0, padded);
    f.alu(Alu::Lsh, R2, 3);
    f.mov(R3, 1);
    f.alu(Alu::Lsh, R3, R2);
    f.alu(Alu::Sub, R3, 1);
    f.mov(R2, R0);
    f.alu(Alu::And, R2, -8);
    f.alu(Alu::Add, R1, R2);
    f.load(Double, R2, R1, 8);
    f.alu(Alu::And, R2, R3);
    f.store(Double, R1, 8, R2);
    f.bind(padded);
    f.alu(Alu::Add, R0, 15);
    f.alu(Alu::Rsh, R0, 3);
    f.load(Double, R1, R9, field::KEY_LEN);
    f.alu(Alu::Add, R1, R0);
    f.store(Double, R9, field::KEY_LEN, R1);
    f.bind(bad);
}

/// `(address, size)`: see [`Routine::KeyString`].
pub(super) fn key_string(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("key_string", 3);
    let read = m.routine(Routine::ReadString)?;
    let (most, _) = value_bounds(m);
    let full = f.label();
    m.enter(&mut f);
    f.mov(R4, R3);
    f.branch(If::Gt, R4, most, full);
    // In the worst case the string takes all of its size.
    room_in_key(&mut f, m, R4, full);
    f.mov(R3, R6);
    f.alu(Alu::Add, R3, 8);
    f.call(read);
    f.load(Double, R1, R9, field::FAULT);
    let fault = f.label();
    f.branch(If::Ne, R1, 0, fault);
    end_element(&mut f, most);
    f.bind(fault);
    f.answer(0);
    f.bind(full);
    too_long(&mut f);
    Ok(f)
}

/// The key does not fit: it becomes one that nothing has.
fn too_long(f: &mut Function) {
    f.store(Double, R9, field::KEY_LEN, 1 << 30);
    f.answer(0);
}

/// `(address, size)`: see [`Routine::KeyBytes`].
pub(super) fn key_bytes(m: &mut Module, user: bool) -> Result<Function, Refused> {
    let name = if user { "key_user_bytes" } else { "key_bytes" };
    let mut f = Function::new(name, 3);
    let read = m.routine(Routine::ReadBytes)?;
    let (most, _) = value_bounds(m);
    let full = f.label();
    m.enter(&mut f);
    f.mov(R7, R3);
    f.branch(If::Gt, R7, most, full);
    room_in_key(&mut f, m, R7, full);
    let (bad, fault) = (f.label(), f.label());
    if user {
        let address = f.slot();
        f.store(Double, R10, address, R2);
        f.mov(R3, R2);
        unless_user(&mut f, R3, bad);
        f.mov(R1, R9);
        f.alu(Alu::Add, R1, R6);
        f.alu(Alu::Add, R1, 8);
        f.mov(R2, R7);
        f.helper(Helper::ProbeReadUser);
        let good = f.label();
        f.branch(If::Eq, R0, 0, good);
        f.bind(bad);
        f.load(Double, R2, R10, address);
        fail(&mut f, FaultKind::BadAddr, R2);
        f.bind(good);
    } else {
        f.mov(R3, R6);
        f.alu(Alu::Add, R3, 8);
        f.mov(R4, R7);
        f.call(read);
        f.load(Double, R1, R9, field::FAULT);
        f.branch(If::Ne, R1, 0, fault);
        f.bind(bad);
    }
    f.mov(R0, R7);
    end_element(&mut f, most);
    f.bind(fault);
    f.answer(0);
    f.bind(full);
    too_long(&mut f);
    Ok(f)
}

/// Jumps to `bad` if an address is the tracer's: no process has it. Spoils R0.
pub(super) fn unless_user(f: &mut Function, address: Reg, bad: Label) {
    let machine = f.label();
    unless_tracer(f, address, machine);
    f.jump(bad);
    f.bind(machine);
}

/// `(address, width)`: see [`Routine::Load`].
pub(super) fn load(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("load", 3);
    let resolve = m.routine(Routine::Resolve)?;
    let value = f.slot();
    let bad = f.label();
    m.enter(&mut f);
    f.mov(R6, R2);
    f.mov(R7, R3);
    f.store(Double, R10, value, 0);
    f.branch(If::Gt, R7, 8, bad);
    f.call(resolve);
    f.load(Double, R1, R9, FOLLOWING);
    f.branch(If::Lt, R1, R7, bad);
    f.mov(R1, R10);
    f.alu(Alu::Add, R1, i64::from(value));
    f.mov(R2, R7);
    f.mov(R3, R0);
    f.helper(Helper::ProbeReadKernel);
    f.branch(If::Ne, R0, 0, bad);
    f.load(Double, R0, R10, value);
    f.exit();
    f.bind(bad);
    fail(&mut f, FaultKind::BadAddr, R6);
    Ok(f)
}

/// Goes on behind with R1 a pointer to `most` writable bytes, if R3 is the offset of at least R7
/// (at most `most`) of them; else to `bad`. What can be written: globals, values of dynamic
/// variables, scratch in use, clause-locals.
pub(crate) fn writable(f: &mut Function, m: &Module, most: i64, bad: Label) {
    let (fire, good, chunks) = (f.label(), f.label(), f.label());
    // R6: the address; R2: region; R3: offset.
    f.mov(R2, R6);
    f.alu(Alu::Rsh, R2, 44);
    f.alu(Alu::And, R2, 15);
    f.mov(R3, R6);
    f.alu(Alu::Lsh, R3, 20);
    f.alu(Alu::Rsh, R3, 20);
    f.branch(If::Eq, R2, 2, fire);
    f.branch(If::Ne, R2, 0, bad);
    // Arena: globals …
    let globals = m.world.layout.globals;
    f.branch(If::Gt, R3, (m.world.layout.total.cast_signed()) - most, bad);
    f.mov(R4, R3);
    f.alu(Alu::Add, R4, R7);
    f.branch(If::Lt, R3, globals.offset.cast_signed(), bad);
    f.branch(If::Gt, R4, (globals.offset + globals.len).cast_signed(), chunks);
    f.map(R1, Map::Arena, 0);
    f.alu(Alu::Add, R1, R3);
    f.jump(good);
    // … or the value of a dynamic variable's chunk.
    f.bind(chunks);
    let d = &m.world.layout.dynvars;
    if d.nchunks == 0 {
        f.jump(bad);
    } else {
        let value = i64::from(host::arena::layout::CHUNK_HEAD_WORDS + d.key_words) * 8;
        f.branch(If::Lt, R3, d.chunks.offset.cast_signed(), bad);
        f.branch(If::Gt, R4, (d.chunks.offset + d.chunks.len).cast_signed(), bad);
        f.mov(R4, R3);
        f.alu(Alu::Sub, R4, d.chunks.offset.cast_signed());
        f.alu(Alu::Mod, R4, d.chunk);
        f.branch(If::Lt, R4, value, bad);
        f.alu(Alu::Add, R4, R7);
        f.branch(If::Gt, R4, d.chunk, bad);
        f.map(R1, Map::Arena, 0);
        f.alu(Alu::Add, R1, R3);
        f.jump(good);
    }
    f.bind(fire);
    let p = &m.world.private;
    let locals = f.label();
    f.mov(R2, R3);
    f.alu(Alu::Rsh, R2, 32);
    f.alu(Alu::Lsh, R3, 32);
    f.alu(Alu::Rsh, R3, 32);
    f.mov(R4, R3);
    f.alu(Alu::Add, R4, R7);
    f.branch(If::Ne, R2, 0, locals);
    f.load(Double, R2, R9, field::TOP);
    f.branch(If::Gt, R4, R2, bad);
    f.branch(If::Gt, R3, i64::from(p.scratch.len + 16) - most, bad);
    private(f, R1, p.scratch.at);
    f.alu(Alu::Add, R1, R3);
    f.jump(good);
    f.bind(locals);
    f.branch(If::Ne, R2, 1, bad);
    f.branch(If::Gt, R4, p.locals.len, bad);
    f.branch(If::Gt, R3, i64::from(p.locals.len + 16) - most, bad);
    private(f, R1, p.locals.at);
    f.alu(Alu::Add, R1, R3);
    f.bind(good);
}

/// `(address, value, width)`: see [`Routine::Store`].
pub(super) fn store(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("store", 4);
    let value = f.slot();
    let bad = f.label();
    m.enter(&mut f);
    f.mov(R6, R2);
    f.mov(R7, R4);
    f.store(Double, R10, value, R3);
    f.branch(If::Gt, R7, 8, bad);
    let machine = bad;
    unless_tracer(&mut f, R6, machine);
    writable(&mut f, m, 8, bad);
    f.load(Double, R2, R10, value);
    for (width, size) in [(1, Size::Byte), (2, Size::Half), (4, Word), (8, Double)] {
        let next = f.label();
        f.branch(If::Ne, R7, width, next);
        f.store(size, R1, 0, R2);
        f.answer(0);
        f.bind(next);
    }
    f.bind(bad);
    fail(&mut f, FaultKind::BadAddr, R6);
    Ok(f)
}

/// `()`: see [`Routine::Execname`].
pub(super) fn execname(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("execname", 1);
    let done = f.label();
    m.enter(&mut f);
    f.load(Double, R1, R9, field::HAS_EXECNAME);
    f.branch(If::Ne, R1, 0, done);
    f.mov(R1, R9);
    f.alu(Alu::Add, R1, i64::from(field::EXECNAME));
    f.mov(R2, 16);
    if m.foreign_thread {
        let Some(comm) = m.world.facts.task_comm else {
            let why = "the kernel's types do not say where a thread's name lies";
            return Err(Refused::new("execname", why));
        };
        f.load(Double, R3, R9, field::THREAD);
        f.alu(Alu::Add, R3, comm);
        f.helper(Helper::ProbeReadKernel);
        f.store(Size::Byte, R9, field::EXECNAME + 15, 0);
    } else {
        f.helper(Helper::GetCurrentComm);
    }
    f.store(Double, R9, field::HAS_EXECNAME, 1);
    f.bind(done);
    f.answer(fire_address(part::EXECNAME, 0));
    Ok(f)
}
