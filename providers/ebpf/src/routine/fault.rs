//! Faults: counted, and told to the consumer.

use host::{
    arena::header::DropKind,
    engine::{ERROR_EPID, ErrorRecord},
};

use crate::{
    asm::{Alu, Double, Function, R1, R2, R9, Word},
    error::Refused,
    module::Module,
    routine::{Routine, ring},
    world::field,
};

/// `()`: see [`Routine::Fault`]. What it says also becomes the ERROR clauses' arguments.
pub(super) fn fault(m: &mut Module) -> Result<Function, Refused> {
    let mut f = Function::new("fault", 1);
    m.enter_arena(&mut f);
    ring::count(&mut f, DropKind::Error);
    let size = u32::try_from(ErrorRecord::SIZE).unwrap_or(u32::MAX);
    m.call(&mut f, Routine::Reserve, &[size.into()])?;
    let none = f.label();
    ring::reserved(&mut f, m, size, none);
    let tag = i64::from(size) << 32 | i64::from(ERROR_EPID.0);
    f.store(Double, R1, 0, tag);
    f.load(Double, R2, R9, field::NOW);
    f.store(Double, R1, 8, R2);
    f.load(Double, R2, R9, field::FAULT);
    f.alu(Alu::Sub, R2, 1);
    f.store(Word, R1, 28, R2);
    let words = [(16, field::EPID), (20, field::FAULT_ACTION), (24, field::FAULT_OFFSET)];
    for (at, from) in words {
        f.load(Word, R2, R9, from);
        f.store(Word, R1, at, R2);
    }
    f.load(Double, R2, R9, field::FAULT_VALUE);
    f.store(Double, R1, 32, R2);
    // The kernel says no more of an address than that.
    f.store(Double, R1, 40, 0);
    ring::publish(&mut f);
    f.bind(none);
    let arguments =
        [field::EPID, field::FAULT_ACTION, field::FAULT_OFFSET, field::FAULT, field::FAULT_VALUE];
    f.store(Double, R9, field::ERROR_ARGS, 0);
    for (at, from) in (field::ERROR_ARGS + 8..).step_by(8).zip(arguments) {
        f.load(Double, R2, R9, from);
        if from == field::FAULT {
            f.alu(Alu::Sub, R2, 1);
        }
        f.store(Double, R9, at, R2);
    }
    f.store(Double, R9, field::FAULT, 0);
    f.answer(0);
    Ok(f)
}
