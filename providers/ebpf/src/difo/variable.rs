//! Variables: built-in arrays, globals, clause-locals, and the dynamic ones with their keys.

use dif::{
    env::{AtomicOp, FaultKind, Scope},
    number::var,
    opcode::{Instr, Op, Yields},
};
use host::arena::config::VarKind;

use super::{Body, operate::apply_sized};
use crate::{
    asm::{Alu, Atomic, Double, Helper, If, Map, R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Reg},
    error::Refused,
    module::private,
    routine::{Routine, dynamic},
    world::{World, arena_address, field, fire_address, part},
};

/// Tries to win a race for a scalar global before the update is given up as a fault.
const MAX_TRIES: u32 = 256;

impl Body<'_> {
    pub(super) fn array(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        if op != Op::Ldga || u16::from(word.r1()) != var::ARGS {
            let name = var::name(u16::from(word.r1())).unwrap_or("an array");
            return Err(self.refused(name, "the host's programs do not have it"));
        }
        let many = self.fault(FaultKind::IllOp, pc);
        self.get(R3, word.r2());
        self.f.mov(R2, i64::from(var::ARGS));
        self.f.branch(If::Ge, R3, 10, many);
        self.f.alu(Alu::Lsh, R3, 3);
        self.f.mov(R1, R9);
        if self.error {
            let beyond = self.f.label();
            let done = self.f.label();
            self.f.branch(If::Ge, R3, 48, beyond);
            self.f.alu(Alu::Add, R1, R3);
            self.f.load(Double, R1, R1, field::ERROR_ARGS);
            self.f.jump(done);
            self.f.bind(beyond);
            self.f.mov(R1, 0);
            self.f.bind(done);
        } else {
            self.f.alu(Alu::Add, R1, R3);
            self.f.load(Double, R1, R1, field::ARGS);
        }
        self.put(word.rd(), R1);
        Ok(())
    }

    pub(super) fn var_load(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let id = word.wide();
        if op == Op::Ldgs && id < var::OTHER_UBASE {
            self.builtin(id, pc)?;
            self.put(word.rd(), R0);
            return Ok(());
        }
        let scope = match op {
            Op::Ldgs | Op::Ldgaa => Scope::Global,
            Op::Ldls => Scope::Local,
            _ => Scope::Thread,
        };
        let place = self.place(scope, id)?;
        let offset = place.offset;
        match (op, place.spec.kind) {
            (Op::Ldgs, VarKind::Scalar) => {
                self.f.map(R1, Map::Arena, offset);
                self.f.load(Double, R0, R1, 0);
            }
            (Op::Ldls, VarKind::Scalar) => {
                self.local(R1, offset);
                self.f.load(Double, R0, R1, 0);
            }
            (Op::Ldgs | Op::Ldls, _) => {
                let (null, done) = (self.f.label(), self.f.label());
                let address = if op == Op::Ldgs {
                    self.f.map(R1, Map::Arena, offset);
                    arena_address(offset + 8)
                } else {
                    self.local(R1, offset);
                    fire_address(part::LOCALS, offset + 8)
                };
                self.f.load(Double, R0, R1, 0);
                self.f.branch(If::Ne, R0, 0, null);
                self.f.mov(R0, address.cast_signed());
                self.f.jump(done);
                self.f.bind(null);
                self.f.mov(R0, 0);
                self.f.bind(done);
            }
            _ => self.dynamic_load(op, id, pc)?,
        }
        self.put(word.rd(), R0);
        Ok(())
    }

    /// A register becomes the address of a clause-local.
    pub(super) fn local(&mut self, to: Reg, offset: u64) {
        let at = u64::from(self.m.world.private.locals.at) + offset;
        private(&mut self.f, to, u32::try_from(at).unwrap_or(0));
    }

    pub(super) fn place(
        &self,
        scope: Scope,
        id: u16,
    ) -> Result<host::arena::layout::VarPlace, Refused> {
        let missing = || self.refused("a variable", "the arena does not have it");
        self.m.world.var(scope, id).copied().ok_or_else(missing)
    }

    pub(super) fn var_store(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let id = word.wide();
        let scope = match op {
            Op::Stgs | Op::Stgaa => Scope::Global,
            Op::Stls => Scope::Local,
            _ => Scope::Thread,
        };
        let place = self.place(scope, id)?;
        match (op, place.spec.kind) {
            (Op::Stgs, VarKind::Scalar) => {
                self.get(R2, word.rd());
                self.f.map(R1, Map::Arena, place.offset);
                self.f.store(Double, R1, 0, R2);
            }
            (Op::Stls, VarKind::Scalar) => {
                self.get(R2, word.rd());
                self.local(R1, place.offset);
                self.f.store(Double, R1, 0, R2);
            }
            (Op::Stgs | Op::Stls, _) => self.set_bytes(&place, word, pc)?,
            _ => self.dynamic_store(op, word, pc)?,
        }
        Ok(())
    }

    pub(super) fn update(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let Some((op, yields)) = op.as_update() else {
            return Err(self.refused("an update", "the program is damaged"));
        };
        let place = self.place(Scope::Global, word.wide())?;
        let size = place.spec.size;
        self.get(R7, word.rd());
        self.f.map(R8, Map::Arena, place.offset);
        if op == AtomicOp::Add && size == 8 {
            self.f.mov(R1, R7);
            self.f.atomic(Atomic::FetchAdd, R8, 0, R1);
            if yields == Yields::After {
                self.f.alu(Alu::Add, R1, R7);
            }
            self.put(word.rd(), R1);
            return Ok(());
        }
        let divides =
            matches!(op, AtomicOp::Sdiv | AtomicOp::Udiv | AtomicOp::Srem | AtomicOp::Urem);
        if divides {
            let zero = self.fault(FaultKind::DivZero, pc);
            self.f.mov(R2, 0);
            self.f.branch(If::Eq, R7, 0, zero);
        }
        let lost = self.fault(FaultKind::Unknown, pc);
        let (old, new) = (self.f.momentary(0), self.f.momentary(1));
        let (again, done) = (self.f.label(), self.f.label());
        self.f.mov(R6, 0);
        self.f.bind(again);
        self.f.load(Double, R1, R8, 0);
        self.f.store(Double, R10, old, R1);
        apply_sized(&mut self.f, op, size);
        self.f.store(Double, R10, new, R1);
        self.f.load(Double, R0, R10, old);
        self.f.atomic(Atomic::CompareExchange, R8, 0, R1);
        self.f.load(Double, R1, R10, old);
        self.f.branch(If::Eq, R0, R1, done);
        self.f.alu(Alu::Add, R6, 1);
        self.f.branch(If::Lt, R6, MAX_TRIES, again);
        self.f.mov(R2, R7);
        self.f.jump(lost);
        self.f.bind(done);
        self.f.load(Double, R1, R10, if yields == Yields::After { new } else { old });
        self.put(word.rd(), R1);
        Ok(())
    }

    /// Pushes on the tuple stack, which lies in private memory.
    pub(super) fn push(&mut self, op: Op, word: Instr, pc: usize) {
        let is_string = op == Op::Pushtr && word.r1() == dif::number::kind::STRING;
        let full = self.fault(FaultKind::TupleOverflow, pc);
        let strsize = self.m.world.strsize();
        self.f.mov(R2, 0);
        self.f.load(Double, R3, R9, field::DEPTH);
        self.f.branch(If::Ge, R3, 8, full);
        self.f.mov(R4, R3);
        self.f.alu(Alu::Mul, R3, 24);
        self.f.mov(R1, R9);
        self.f.alu(Alu::Add, R1, R3);
        self.f.alu(Alu::Add, R4, 1);
        self.f.store(Double, R9, field::DEPTH, R4);
        self.get(R2, word.rd());
        self.f.store(Double, R1, field::TUPLE, R2);
        if op == Op::Pushtr {
            self.get(R2, word.r2());
            if is_string {
                let said = self.f.label();
                self.f.branch(If::Ne, R2, 0, said);
                self.f.mov(R2, strsize);
                self.f.bind(said);
            }
        } else {
            self.f.mov(R2, 0);
        }
        self.f.store(Double, R1, field::TUPLE + 8, R2);
        self.f.store(Double, R1, field::TUPLE + 16, i64::from(is_string));
    }

    /// Copies a by-reference value to a global or clause-local variable; 0 makes it NULL.
    pub(super) fn set_bytes(
        &mut self,
        place: &host::arena::layout::VarPlace,
        word: Instr,
        pc: usize,
    ) -> Result<(), Refused> {
        let global = place.spec.scope == Scope::Global;
        let (null, done) = (self.f.label(), self.f.label());
        self.get(R2, word.rd());
        self.f.branch(If::Eq, R2, 0, null);
        self.fetch(R2, place.spec.kind, place.spec.size, pc)?;
        // R0 bytes of the value buffer.
        self.f.mov(R6, R0);
        self.variable(R1, global, place.offset + 8);
        self.f.mov(R2, R6);
        self.f.branch(If::Gt, R2, place.spec.size, done);
        private(&mut self.f, R3, self.m.world.private.value.at);
        self.f.helper(Helper::ProbeReadKernel);
        self.variable(R1, global, place.offset);
        self.f.store(Double, R1, 0, 0);
        self.f.jump(done);
        self.f.bind(null);
        self.variable(R1, global, place.offset);
        self.f.store(Double, R1, 0, 1);
        self.f.bind(done);
        Ok(())
    }

    /// A register becomes the address of a byte of a global or clause-local.
    pub(super) fn variable(&mut self, to: Reg, global: bool, offset: u64) {
        if global {
            self.f.map(to, Map::Arena, offset);
        } else {
            self.local(to, offset);
        }
    }

    /// Reads a by-reference value into the value buffer; R0 becomes how many bytes are to be
    /// kept: a string's with its NUL.
    pub(super) fn fetch(
        &mut self,
        from: Reg,
        kind: VarKind,
        size: u32,
        pc: usize,
    ) -> Result<(), Refused> {
        let at = i64::from(self.m.world.private.value.at);
        let arguments = [from.into(), at.into(), size.into()];
        if kind == VarKind::String {
            self.m.call(&mut self.f, Routine::ReadString, &arguments)?;
            self.check(pc);
            let whole = self.f.label();
            self.f.alu(Alu::Add, R0, 1);
            self.f.branch(If::Le, R0, size, whole);
            self.f.mov(R0, size);
            self.f.bind(whole);
        } else {
            self.m.call(&mut self.f, Routine::ReadBytes, &arguments)?;
            self.check(pc);
            self.f.mov(R0, size);
        }
        Ok(())
    }

    /// Makes the key of a dynamic variable; R0 becomes its words.
    pub(super) fn dynamic_key(&mut self, op: Op, id: u16, pc: usize) -> Result<(), Refused> {
        let thread = matches!(op, Op::Ldts | Op::Stts | Op::Ldtaa | Op::Sttaa);
        if thread && self.m.foreign_thread && self.m.world.facts.task_pid.is_none() {
            let why = "the kernel does not say (BTF) where it keeps a thread's number";
            return Err(self.refused("a thread-local variable", why));
        }
        if matches!(op, Op::Ldts | Op::Stts) {
            dynamic::thread_key(&mut self.f, self.m, id);
            self.f.mov(R0, 4);
            return Ok(());
        }
        let (scope, routine) = if thread {
            (Scope::Thread, Routine::KeyThreadTuple)
        } else {
            (Scope::Global, Routine::KeyTuple)
        };
        let variable = World::key_variable(scope, id).cast_signed();
        self.m.call(&mut self.f, routine, &[variable.into()])?;
        self.check(pc);
        Ok(())
    }

    pub(super) fn dynamic_load(&mut self, op: Op, id: u16, pc: usize) -> Result<(), Refused> {
        let scope = if matches!(op, Op::Ldgaa) { Scope::Global } else { Scope::Thread };
        let kind = self.place(scope, id)?.spec.kind;
        self.dynamic_key(op, id, pc)?;
        self.m.call(&mut self.f, Routine::DynGet, &[R0.into()])?;
        let unset = self.f.label();
        self.f.branch(If::Eq, R0, 0, unset);
        if kind == VarKind::Scalar {
            let (good, last) = (self.f.label(), self.m.world.layout.total.cast_signed() - 8);
            self.f.branch(If::Le, R0, last, good);
            self.f.mov(R0, 0);
            self.f.bind(good);
            self.f.map(R1, Map::Arena, 0);
            self.f.alu(Alu::Add, R1, R0);
            self.f.load(Double, R0, R1, 0);
        } else {
            self.f.mov(R1, arena_address(0).cast_signed());
            self.f.alu(Alu::Or, R0, R1);
        }
        self.f.bind(unset);
        Ok(())
    }

    pub(super) fn dynamic_store(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let id = word.wide();
        let scope = if matches!(op, Op::Stgaa) { Scope::Global } else { Scope::Thread };
        let spec = self.place(scope, id)?.spec;
        let (delete, done) = (self.f.label(), self.f.label());
        let words = self.f.momentary(2);
        self.dynamic_key(op, id, pc)?;
        self.f.store(Double, R10, words, R0);
        self.get(R2, word.rd());
        self.f.branch(If::Eq, R2, 0, delete);
        if spec.kind == VarKind::Scalar {
            private(&mut self.f, R1, self.m.world.private.value.at);
            self.f.store(Double, R1, 0, R2);
            self.f.mov(R3, 8);
        } else {
            self.fetch(R2, spec.kind, spec.size, pc)?;
            self.f.mov(R3, R0);
        }
        self.f.load(Double, R2, R10, words);
        self.m.call(&mut self.f, Routine::DynSet, &[R2.into(), R3.into()])?;
        self.f.jump(done);
        self.f.bind(delete);
        self.f.load(Double, R2, R10, words);
        self.m.call(&mut self.f, Routine::DynDelete, &[R2.into()])?;
        self.f.bind(done);
        Ok(())
    }
}
