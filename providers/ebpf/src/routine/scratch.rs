//! Scratch memory, and copies to it.

use dif::env::FaultKind;

use crate::{
    asm::{Alu, Byte, Double, Function, Helper, If, R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Reg},
    error::Refused,
    module::{Module, fail, private},
    routine::{Routine, memory},
    world::{field, fire_address, part},
};

/// `(size, alignment)`: see [`Routine::Alloca`].
pub(super) fn alloca(m: &Module) -> Function {
    let mut f = Function::new("alloca", 3);
    let none = f.label();
    let room = i64::from(m.world.private.scratch.len);
    m.enter(&mut f);
    f.branch(If::Gt, R2, room, none);
    f.load(Double, R1, R9, field::TOP);
    f.alu(Alu::Sub, R3, 1);
    f.alu(Alu::Add, R1, R3);
    f.alu(Alu::Xor, R3, -1);
    f.alu(Alu::And, R1, R3);
    f.mov(R0, R1);
    f.alu(Alu::Add, R1, R2);
    f.branch(If::Gt, R1, room, none);
    f.store(Double, R9, field::TOP, R1);
    f.mov(R1, fire_address(part::SCRATCH, 0).cast_signed());
    f.alu(Alu::Or, R0, R1);
    f.exit();
    f.bind(none);
    fail(&mut f, FaultKind::NoScratch, R2);
    f
}

/// `(size)`: see [`Routine::Zeroed`].
///
/// The kernel fills what it cannot read with zeroes, at any size and without a loop: nothing can be
/// read at address 0. One byte more is taken, so that what is put there ends as a string.
pub(super) fn zeroed(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("zeroed", 2);
    let alloca = m.routine(Routine::Alloca)?;
    let p = m.world.private;
    let (done, most) = (f.label(), f.label());
    m.enter(&mut f);
    f.branch(If::Eq, R2, -1, most);
    f.alu(Alu::Add, R2, 1);
    f.bind(most);
    f.mov(R8, R2);
    f.load(Double, R1, R9, field::NUMBER);
    f.mov(R3, 8);
    f.call(alloca);
    f.mov(R6, R0);
    f.load(Double, R1, R9, field::FAULT);
    f.branch(If::Ne, R1, 0, done);
    scratch_place(&mut f, m, R7, R6, done);
    private(&mut f, R1, p.scratch.at);
    f.alu(Alu::Add, R1, R7);
    f.mov(R2, R8);
    f.mov(R3, 0);
    f.helper(Helper::ProbeReadKernel);
    f.bind(done);
    f.mov(R0, R6);
    f.exit();
    Ok(f)
}

/// `to` becomes the place in scratch of the tracer address in `from`, if R8 bytes there are in
/// use; else jumps to `bad`. Spoils R0 and R1.
fn scratch_place(f: &mut Function, m: &Module, to: Reg, from: Reg, bad: crate::asm::Label) {
    f.mov(R0, from);
    f.alu(Alu::Rsh, R0, 32);
    f.mov(R1, (fire_address(part::SCRATCH, 0) >> 32).cast_signed());
    f.branch(If::Ne, R0, R1, bad);
    f.mov(to, from);
    f.alu(Alu::Lsh, to, 32);
    f.alu(Alu::Rsh, to, 32);
    f.branch(If::Gt, R8, m.world.private.scratch.len, bad);
    f.branch(If::Gt, to, m.world.private.scratch.len, bad);
    f.mov(R0, to);
    f.alu(Alu::Add, R0, R8);
    f.load(Double, R1, R9, field::TOP);
    f.branch(If::Gt, R0, R1, bad);
}

/// `(from, to, size)`: see [`Routine::Copy`] and [`Routine::CopyUser`].
///
/// The verifier wants place and size bounded each by itself, so a copy's target has the room of
/// scratch twice at its disposal in private memory, the second half of which nobody uses.
pub(super) fn copy(m: &mut Module, user: bool) -> Result<Function, Refused> {
    let mut f = Function::new(if user { "copy_user" } else { "copy" }, 4);
    let resolve = m.routine(Routine::Resolve)?;
    let p = m.world.private;
    let (most, _) = memory::value_bounds(m);
    let (bad_source, bad_target, nothing) = (f.label(), f.label(), f.label());
    let from = f.slot();
    m.enter(&mut f);
    f.branch(If::Eq, R4, 0, nothing);
    f.store(Double, R10, from, R2);
    f.mov(R6, R3);
    f.mov(R8, R4);
    scratch_place(&mut f, m, R7, R6, bad_target);
    f.load(Double, R2, R10, from);
    if user {
        memory::unless_user(&mut f, R2, bad_source);
        private(&mut f, R1, p.scratch.at);
        f.alu(Alu::Add, R1, R7);
        f.mov(R3, R2);
        f.mov(R2, R8);
        f.helper(Helper::ProbeReadUser);
        f.branch(If::Ne, R0, 0, bad_source);
    } else {
        let direct = f.label();
        f.load(Double, R1, R9, field::NUMBER);
        f.call(resolve);
        f.load(Double, R1, R9, memory::FOLLOWING);
        f.branch(If::Lt, R1, R8, bad_source);
        // By way of the value buffer, since source and target may overlap.
        f.branch(If::Gt, R8, most, direct);
        private(&mut f, R1, p.value.at);
        f.mov(R2, R8);
        f.mov(R3, R0);
        f.helper(Helper::ProbeReadKernel);
        f.branch(If::Ne, R0, 0, bad_source);
        private(&mut f, R0, p.value.at);
        f.bind(direct);
        private(&mut f, R1, p.scratch.at);
        f.alu(Alu::Add, R1, R7);
        f.mov(R2, R8);
        f.mov(R3, R0);
        f.helper(Helper::ProbeReadKernel);
        f.branch(If::Ne, R0, 0, bad_source);
    }
    f.bind(nothing);
    f.answer(0);
    f.bind(bad_source);
    f.load(Double, R2, R10, from);
    fail(&mut f, FaultKind::BadAddr, R2);
    f.bind(bad_target);
    fail(&mut f, FaultKind::BadAddr, R6);
    Ok(f)
}

/// `(from, limit)`: see [`Routine::CopyUserString`].
pub(super) fn copy_user_string(m: &Module) -> Function {
    let mut f = Function::new("copy_user_string", 3);
    let p = m.world.private;
    let strsize = i64::from(m.world.strsize());
    let (short, some, full, bad) = (f.label(), f.label(), f.label(), f.label());
    m.enter(&mut f);
    f.mov(R6, R2);
    // A limit counts the NUL, as `strsize` does.
    f.mov(R7, R3);
    f.branch(If::Le, R7, strsize, short);
    f.mov(R7, strsize);
    f.bind(short);
    f.branch(If::Ne, R7, 0, some);
    f.mov(R7, 1);
    f.bind(some);
    f.load(Double, R8, R9, field::TOP);
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R7);
    f.branch(If::Gt, R1, p.scratch.len, full);
    f.branch(If::Gt, R8, p.scratch.len, full);
    let one = f.label();
    let done = f.label();
    private(&mut f, R1, p.scratch.at);
    f.alu(Alu::Add, R1, R8);
    f.branch(If::Eq, R7, 1, one);
    memory::unless_user(&mut f, R6, bad);
    f.mov(R2, R7);
    f.mov(R3, R6);
    f.helper(Helper::ProbeReadUserStr);
    f.branch(If::Slt, R0, 1, bad);
    f.jump(done);
    f.bind(one);
    f.store(Byte, R1, 0, 0);
    f.mov(R0, 1);
    f.bind(done);
    f.alu(Alu::Add, R0, R8);
    f.store(Double, R9, field::TOP, R0);
    f.mov(R0, fire_address(part::SCRATCH, 0).cast_signed());
    f.alu(Alu::Or, R0, R8);
    f.exit();
    f.bind(full);
    fail(&mut f, FaultKind::NoScratch, R7);
    f.bind(bad);
    fail(&mut f, FaultKind::BadAddr, R6);
    f
}

/// `(offset in private memory, length)`: a string of so many bytes there, in fresh scratch.
pub(super) fn new_string(m: &Module) -> Function {
    let mut f = Function::new("new_string", 3);
    let p = m.world.private;
    let (most, last) = memory::value_bounds(m);
    let full = f.label();
    m.enter(&mut f);
    f.mov(R6, R2);
    f.mov(R7, R3);
    f.branch(If::Gt, R6, last, full);
    f.branch(If::Ge, R7, most, full);
    f.load(Double, R8, R9, field::TOP);
    f.mov(R1, R8);
    f.alu(Alu::Add, R1, R7);
    f.branch(If::Ge, R1, p.scratch.len, full);
    f.branch(If::Gt, R8, p.scratch.len, full);
    private(&mut f, R1, p.scratch.at);
    f.alu(Alu::Add, R1, R8);
    f.mov(R2, R7);
    f.mov(R3, R9);
    f.alu(Alu::Add, R3, R6);
    f.helper(Helper::ProbeReadKernel);
    private(&mut f, R1, p.scratch.at);
    f.alu(Alu::Add, R1, R8);
    f.alu(Alu::Add, R1, R7);
    f.store(Byte, R1, 0, 0);
    f.alu(Alu::Add, R7, 1);
    f.alu(Alu::Add, R7, R8);
    f.store(Double, R9, field::TOP, R7);
    f.mov(R0, fire_address(part::SCRATCH, 0).cast_signed());
    f.alu(Alu::Or, R0, R8);
    f.exit();
    f.bind(full);
    f.alu(Alu::Add, R7, 1);
    fail(&mut f, FaultKind::NoScratch, R7);
    f
}
