//! Stores, and load-operation-store.

use dif::{
    env::Scope,
    opcode::{self, Op, Reg, Yields},
};

use super::{Codegen, load_op};
use crate::{
    sema::{
        Checked,
        node::{Access, Node, Place, VarRef},
    },
    source::Span,
};

impl Codegen {
    /// The element whose key is on the tuple stack.
    pub(super) fn load_element(&mut self, var: &VarRef, span: Span) -> Checked<Reg> {
        let reg = self.take(span)?;
        self.builder.var(var.entry(true, false));
        let op = if var.scope == Scope::Thread { Op::Ldtaa } else { Op::Ldgaa };
        self.emit(opcode::variable(op, var.id, reg));
        if var.is_object() {
            let store = if var.scope == Scope::Thread { Op::Sttaa } else { Op::Stgaa };
            return self.fault_in(var, reg, (op, store));
        }
        if var.extend { self.bits(reg, 0, var.dif.size * 8, true) } else { Ok(reg) }
    }

    /// A dynamic variable that is a structure, union or array is memory to load or store through,
    /// so it has to be there: where the load gave 0, zeroes are stored, and it is loaded again.
    /// What is on the tuple stack serves all three.
    pub(super) fn fault_in(
        &mut self,
        var: &VarRef,
        reg: Reg,
        (load, store): (Op, Op),
    ) -> Checked<Reg> {
        let there = self.builder.label();
        self.emit(opcode::tst(reg));
        self.builder.branch(Op::Bne, there);
        self.integer(u64::from(var.dif.size), reg)?;
        self.emit(opcode::unary(Op::Allocs, reg, reg));
        self.builder.var(var.entry(true, true));
        self.emit(opcode::variable(store, var.id, reg));
        self.emit(opcode::variable(load, var.id, reg));
        self.builder.place(there);
        Ok(reg)
    }

    fn store_element(&mut self, var: &VarRef, reg: Reg) {
        self.builder.var(var.entry(false, true));
        let op = if var.scope == Scope::Thread { Op::Sttaa } else { Op::Stgaa };
        self.emit(opcode::variable(op, var.id, reg));
    }

    fn store_scalar(&mut self, var: &VarRef, reg: Reg) {
        self.builder.var(var.entry(false, true));
        let op = match var.scope {
            Scope::Global => Op::Stgs,
            Scope::Thread => Op::Stts,
            Scope::Local => Op::Stls,
        };
        self.emit(opcode::variable(op, var.id, reg));
    }

    fn store_memory(&mut self, access: Access, value: Reg, addr: Reg) {
        let op = match access.size {
            1 => Op::Stb,
            2 => Op::Sth,
            4 => Op::Stw,
            _ => Op::Stx,
        };
        self.emit(opcode::store(op, value, addr));
    }

    pub(super) fn store(&mut self, place: &Place, value: &Node) -> Checked<Reg> {
        let reg = self.value(value)?;
        match place {
            Place::Var(var) => self.store_scalar(var, reg),
            Place::Assoc(var, keys) => {
                self.push_all(keys, &var.name, value.span)?;
                self.store_element(var, reg);
            }
            Place::Memory(addr, access) => {
                let addr = self.value(addr)?;
                self.store_memory(*access, reg, addr);
                self.give(addr);
            }
            Place::Bits { addr, access, shift, width, signed } => {
                let addr = self.value(addr)?;
                self.store_bits(*access, (*shift, *width), reg, addr, value.span)?;
                self.give(addr);
                return self.bits(reg, 0, *width, *signed);
            }
            Place::Object(addr, size) => {
                let addr = self.value(addr)?;
                let length = self.take(value.span)?;
                self.integer(u64::from(*size), length)?;
                self.emit(opcode::binary(Op::Copys, reg, length, addr));
                self.give(length);
                self.give(addr);
            }
        }
        Ok(reg)
    }

    /// Puts the low bits of a register into an integer in memory; its other bits stay.
    fn store_bits(
        &mut self,
        access: Access,
        (shift, width): (u32, u32),
        value: Reg,
        addr: Reg,
        span: Span,
    ) -> Checked<()> {
        let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
        let old = self.take(span)?;
        let part = self.take(span)?;
        self.emit(opcode::load(load_op(access), addr, old));
        self.integer(!(mask << shift), part)?;
        self.emit(opcode::binary(Op::And, old, part, old));
        self.integer(mask, part)?;
        self.emit(opcode::binary(Op::And, value, part, part));
        if shift > 0 {
            let amount = self.take(span)?;
            self.integer(u64::from(shift), amount)?;
            self.emit(opcode::binary(Op::Sll, part, amount, part));
            self.give(amount);
        }
        self.emit(opcode::binary(Op::Or, old, part, old));
        self.store_memory(access, old, addr);
        self.give(part);
        self.give(old);
        Ok(())
    }

    /// The operand is computed first, so that an array's key stays on the tuple stack between the
    /// load and the store and is computed once.
    pub(super) fn modify(
        &mut self,
        place: &Place,
        op: Op,
        yields: Yields,
        operand: &Node,
        cut: Option<(u32, bool)>,
    ) -> Checked<Reg> {
        let operand_reg = self.value(operand)?;
        let (old, addr) = match place {
            Place::Memory(addr, access) => {
                let addr = self.value(addr)?;
                let old = self.take(operand.span)?;
                self.emit(opcode::load(load_op(*access), addr, old));
                (old, addr)
            }
            _ => (self.load(place, operand.span)?, Reg::R0),
        };
        let (new, kept) = match yields {
            Yields::After => (old, old),
            Yields::Before => (operand_reg, old),
        };
        self.emit(opcode::binary(op, old, operand_reg, new));
        if let Some((size, signed)) = cut {
            self.bits(new, 0, size * 8, signed)?;
        }
        match place {
            Place::Var(var) => self.store_scalar(var, new),
            Place::Assoc(var, _) => self.store_element(var, new),
            Place::Memory(_, access) => self.store_memory(*access, new, addr),
            // The checks make a load and a store of these.
            Place::Bits { .. } | Place::Object(..) => {}
        }
        self.give(addr);
        self.give(operand_reg);
        Ok(kept)
    }
}
