//! What a fire brings along: built-in variables, and what the kernel tells of the thread.

use dif::number::var;

use super::Body;
use crate::{
    asm::{Alu, Double, Function, Helper, If, Map, R0, R1, R2, R3, R9, R10, Size},
    error::Refused,
    module::Module,
    routine::Routine,
    world::{field, fire_address, part},
};

impl Body<'_> {
    /// R0 becomes a built-in variable.
    pub(super) fn builtin(&mut self, id: u16, _pc: usize) -> Result<(), Refused> {
        let f = &mut self.f;
        match id {
            var::ARG0..=var::ARG9 => {
                let index = i16::try_from(id - var::ARG0).unwrap_or(0);
                match (self.error, index) {
                    (true, 6..) => f.mov(R0, 0),
                    (true, _) => f.load(Double, R0, R9, field::ERROR_ARGS + index * 8),
                    (false, _) => f.load(Double, R0, R9, field::ARGS + index * 8),
                }
            }
            var::TIMESTAMP => f.load(Double, R0, R9, field::NOW),
            var::WALLTIMESTAMP => {
                let offset = self.m.world.layout.config().wall_offset;
                f.load(Double, R1, R9, field::NOW);
                f.mov(R0, offset.cast_signed());
                f.alu(Alu::Add, R0, R1);
            }
            var::EPID => f.load(Double, R0, R9, field::EPID),
            var::ID => {
                entry(f, self.m);
                f.load(Size::Word, R0, R1, 0);
            }
            var::PROBEPROV..=var::PROBENAME => {
                let name = part::NAMES + u64::from(id - var::PROBEPROV);
                f.mov(R0, fire_address(name, 0).cast_signed());
            }
            var::VMNAME => f.mov(R0, fire_address(part::VMNAME, 0).cast_signed()),
            var::ZONENAME | var::JAILNAME => {
                f.mov(R0, fire_address(part::ZONENAME, 0).cast_signed());
            }
            var::IPL | var::JID => f.mov(R0, 0),
            var::CPU => f.load(Double, R0, R9, field::NUMBER),
            var::ERRNO => f.load(Double, R0, R9, field::ERRNO),
            var::EXECNAME => self.m.call(f, Routine::Execname, &[])?,
            var::CURTHREAD => thread(f, self.m),
            var::PID | var::TID | var::UID | var::GID | var::PPID | var::VTIMESTAMP => {
                identity(f, self.m, id)?;
            }
            var::CALLER | var::UCALLER => {
                let (stack, frames) = match id {
                    var::CALLER => (field::STACK, field::FRAMES),
                    _ => (field::USER_STACK, field::USER_FRAMES),
                };
                f.load(Double, R0, R9, stack + 8);
                let deep = f.label();
                f.load(Double, R1, R9, frames);
                f.branch(If::Gt, R1, 1, deep);
                f.mov(R0, 0);
                f.bind(deep);
            }
            var::STACKDEPTH => f.load(Double, R0, R9, field::FRAMES),
            var::USTACKDEPTH => f.load(Double, R0, R9, field::USER_FRAMES),
            _ => {
                let name = var::name(id).unwrap_or("a built-in variable");
                return Err(self.refused(name, "the host's programs do not have it"));
            }
        }
        Ok(())
    }
}

/// R1 becomes the address of the fired probe's constants. Spoils R0; answers 0 if they lie
/// nowhere, which does not happen.
pub(crate) fn entry(f: &mut Function, m: &Module) {
    let good = f.label();
    f.load(Double, R0, R9, field::ENTRY);
    f.branch(If::Le, R0, m.data.size.saturating_sub(64), good);
    f.answer(0);
    f.bind(good);
    f.map(R1, Map::Data, 0);
    f.alu(Alu::Add, R1, R0);
}

/// R0 becomes the `task_struct` whose fire it is.
pub(crate) fn thread(f: &mut Function, m: &Module) {
    if m.foreign_thread {
        f.load(Double, R0, R9, field::THREAD);
    } else {
        f.helper(Helper::GetCurrentTask);
    }
}

/// R0 becomes memory of `width` bytes at `offset` from the kernel address in R0; 0 if it cannot
/// be read.
pub(crate) fn kernel_load(f: &mut Function, offset: u32, width: u32, signed: bool) {
    f.alu(Alu::Add, R0, offset);
    load_with(f, Helper::ProbeReadKernel, width, signed);
}

/// R0 becomes the process's memory at R0; 0 if it cannot be read. Spoils R1 to R5.
pub(crate) fn user_load(f: &mut Function, width: u32, signed: bool) {
    load_with(f, Helper::ProbeReadUser, width, signed);
}

fn load_with(f: &mut Function, helper: Helper, width: u32, signed: bool) {
    let value = f.momentary(0);
    f.store(Double, R10, value, 0);
    f.mov(R3, R0);
    f.mov(R1, R10);
    f.alu(Alu::Add, R1, i64::from(value));
    f.mov(R2, width);
    f.helper(helper);
    f.load(Size::of(width), R0, R10, value);
    if signed && width < 8 {
        let spare = 64 - i64::from(width) * 8;
        f.alu(Alu::Lsh, R0, spare);
        f.alu(Alu::Arsh, R0, spare);
    }
}

/// R0 becomes `pid`, `tid`, `uid`, `gid`, `ppid` or `vtimestamp`.
fn identity(f: &mut Function, m: &Module, id: u16) -> Result<(), Refused> {
    let facts = &m.world.facts;
    let need = |fact: Option<u32>| {
        let name = var::name(id).unwrap_or_default();
        fact.ok_or_else(|| Refused::new(name, "the kernel does not say (BTF) where it keeps that"))
    };
    match (id, m.foreign_thread) {
        (var::PID, false) => {
            f.helper(Helper::GetCurrentPidTgid);
            f.alu(Alu::Rsh, R0, 32);
        }
        (var::TID, false) => {
            f.helper(Helper::GetCurrentPidTgid);
            f.alu(Alu::Lsh, R0, 32);
            f.alu(Alu::Rsh, R0, 32);
        }
        (var::UID, false) => {
            f.helper(Helper::GetCurrentUidGid);
            f.alu(Alu::Lsh, R0, 32);
            f.alu(Alu::Rsh, R0, 32);
        }
        (var::GID, false) => {
            f.helper(Helper::GetCurrentUidGid);
            f.alu(Alu::Rsh, R0, 32);
        }
        (var::PID, true) => {
            thread(f, m);
            kernel_load(f, need(facts.task_tgid)?, 4, false);
        }
        (var::TID, true) => {
            thread(f, m);
            kernel_load(f, need(facts.task_pid)?, 4, false);
        }
        (var::UID | var::GID, true) => {
            let of = if id == var::UID { facts.cred_uid } else { facts.cred_gid };
            thread(f, m);
            kernel_load(f, need(facts.task_cred)?, 8, false);
            kernel_load(f, need(of)?, 4, false);
        }
        (var::PPID, _) => {
            thread(f, m);
            kernel_load(f, need(facts.task_real_parent)?, 8, false);
            kernel_load(f, need(facts.task_tgid)?, 4, false);
        }
        _ => {
            thread(f, m);
            kernel_load(f, need(facts.task_runtime)?, 8, false);
        }
    }
    Ok(())
}
