//! From checked nodes to DIF.
//!
//! DIF has eight registers, of which `%r0` is zero; there is no stack to spill to, so an expression
//! that needs an eighth is refused (`D_NOREG`). Values are computed into the lowest free register,
//! left operand first. Branches go forward only, for DIF has no loops.
//!
//! # The tuple stack
//! Arguments of a subroutine and keys of an array are pushed on a stack of which there is one. So
//! arguments that themselves call something are computed first and wait in registers; the others
//! are computed just before they are pushed, and need one register between them.

mod logic;
mod place;

use dif::{
    build::{BuildError, DifoBuilder},
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{self, subr},
    opcode::{self, Op, REGISTERS, Reg},
};

use crate::{
    error::{Error, ErrorTag},
    link,
    sema::{
        Checked,
        node::{Access, Key, Kind, Node, Place},
    },
    source::Span,
};

/// A DIFO that computes a node and returns it as `ret`.
pub(crate) fn compile(node: &Node, ret: DifType) -> Checked<Difo> {
    let mut cg = Codegen::new(node.span);
    let result = cg.value(node)?;
    cg.emit(opcode::ret(result));
    cg.builder.finish(ret).map_err(|error| too_large(error, node.span))
}

/// A DIFO that returns a constant.
pub(crate) fn constant(value: u64, ret: DifType, span: Span) -> Checked<Difo> {
    compile(&Node::constant(crate::types::TypeId::ULONG, value, span), ret)
}

fn too_large(error: BuildError, span: Span) -> Error {
    Error::new(ErrorTag::Unknown, span, format!("the expression is too large: {error}"))
}

/// How many elements the tuple stack holds.
const TUPLE: usize = opcode::TUPLE_REGISTERS;

struct Codegen {
    builder: DifoBuilder,
    /// One bit a register that is free.
    free: u8,
    /// The expression's place, for errors without a better one.
    span: Span,
}

impl Codegen {
    fn new(span: Span) -> Self {
        // Every register but %r0.
        Self { builder: DifoBuilder::new(), free: u8::MAX << 1, span }
    }

    fn emit(&mut self, word: u32) {
        self.builder.emit(word);
    }

    fn take(&mut self, span: Span) -> Checked<Reg> {
        let lowest = self.free.trailing_zeros();
        let number = u8::try_from(lowest).ok().filter(|number| usize::from(*number) < REGISTERS);
        let Some(number) = number else {
            let message = "insufficient registers to generate code: split the expression";
            return Err(Error::new(ErrorTag::Noreg, span, message));
        };
        self.free &= !(1 << number);
        Ok(Reg(number))
    }

    fn give(&mut self, reg: Reg) {
        if reg != Reg::R0 {
            self.free |= 1 << reg.0;
        }
    }

    /// Takes a register known to be free.
    fn retake(&mut self, reg: Reg) {
        self.free &= !(1 << reg.0);
    }

    fn integer(&mut self, value: u64, reg: Reg) -> Checked<()> {
        // What looks like a mark in an integer table is one.
        let is_mark = link::is_mark(value);
        let given = if is_mark { !value } else { value };
        self.builder.integer(given, reg).map_err(|error| too_large(error, self.span))?;
        if is_mark {
            self.emit(opcode::unary(Op::Not, reg, reg));
        }
        Ok(())
    }

    /// Computes a node into a register, which the caller gives back.
    fn value(&mut self, node: &Node) -> Checked<Reg> {
        match &node.kind {
            Kind::Const(value) => {
                let reg = self.take(node.span)?;
                self.integer(*value, reg)?;
                Ok(reg)
            }
            Kind::Linked(mark) => {
                let reg = self.take(node.span)?;
                let set = self.builder.integer(*mark, reg);
                set.map_err(|error| too_large(error, self.span))?;
                Ok(reg)
            }
            Kind::Str(text) => self.string(text, node.span),
            Kind::Builtin(id) => self.builtin(*id, node.span),
            Kind::BuiltinArray(id, index) => self.builtin_array(*id, index),
            Kind::Load(place) => self.load(place, node.span),
            Kind::BitField { from, shift, width, signed } => {
                let reg = self.value(from)?;
                self.bits(reg, *shift, *width, *signed)
            }
            Kind::Object { addr, .. } | Kind::Recast(addr) => self.value(addr),
            Kind::Binary(op, left, right) => self.binary(*op, left, right),
            Kind::Complement(operand) => {
                let reg = self.value(operand)?;
                self.emit(opcode::unary(Op::Not, reg, reg));
                Ok(reg)
            }
            Kind::Compare(..) | Kind::Not(_) | Kind::And(..) | Kind::Or(..) => self.truth(node),
            Kind::Xor(left, right) => self.exclusive(left, right),
            Kind::Conditional(test, then, otherwise) => self.conditional(test, then, otherwise),
            Kind::Comma(left, right) => {
                let dropped = self.value(left)?;
                self.give(dropped);
                self.value(right)
            }
            Kind::Extend { size, signed, of } => {
                let reg = self.value(of)?;
                self.bits(reg, 0, size * 8, *signed)
            }
            Kind::Store(place, value) => self.store(place, value),
            Kind::Update { var, op, yields, operand } => {
                let reg = self.value(operand)?;
                self.builder.var(var.entry(true, true));
                self.emit(opcode::variable(Op::update(*op, *yields), var.id, reg));
                if var.extend { self.bits(reg, 0, var.dif.size * 8, true) } else { Ok(reg) }
            }
            Kind::Modify { place, op, yields, operand, cut } => {
                self.modify(place, *op, *yields, operand, *cut)
            }
            Kind::Call(number, args) => self.call(*number, args, node.span),
            Kind::Translated => {
                let message = "expression cannot evaluate to result of a translator or aggregation";
                Err(Error::new(ErrorTag::CgDyn, node.span, message))
            }
            Kind::Uncomputable(what) => {
                let message = format!("{what} may not be called from within a D expression");
                Err(Error::new(ErrorTag::CgExpr, node.span, message))
            }
        }
    }

    fn string(&mut self, text: &[u8], span: Span) -> Checked<Reg> {
        // D strings end at a NUL, as C's do.
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let reg = self.take(span)?;
        self.builder.string(text, reg).map_err(|error| too_large(error, span))?;
        Ok(reg)
    }

    fn builtin(&mut self, id: u16, span: Span) -> Checked<Reg> {
        let reg = self.take(span)?;
        self.builder.var(builtin_entry(id, false));
        self.emit(opcode::variable(Op::Ldgs, id, reg));
        Ok(reg)
    }

    fn builtin_array(&mut self, id: u8, index: &Node) -> Checked<Reg> {
        let reg = self.value(index)?;
        self.builder.var(builtin_entry(u16::from(id), true));
        self.emit(opcode::array_load(Op::Ldga, id, reg, reg));
        Ok(reg)
    }

    fn binary(&mut self, op: Op, left: &Node, right: &Node) -> Checked<Reg> {
        let a = self.value(left)?;
        let b = self.value(right)?;
        self.emit(opcode::binary(op, a, b, a));
        self.give(b);
        Ok(a)
    }

    /// Bits `shift..shift + width` of a register, extended, in the same register.
    fn bits(&mut self, reg: Reg, shift: u32, width: u32, signed: bool) -> Checked<Reg> {
        if width >= 64 {
            return Ok(reg);
        }
        let amount = self.take(self.span)?;
        if signed {
            self.shift(Op::Sll, reg, amount, 64_u32.saturating_sub(width + shift))?;
            self.shift(Op::Sra, reg, amount, 64 - width)?;
        } else {
            self.shift(Op::Srl, reg, amount, shift)?;
            self.integer((1 << width) - 1, amount)?;
            self.emit(opcode::binary(Op::And, reg, amount, reg));
        }
        self.give(amount);
        Ok(reg)
    }

    fn shift(&mut self, op: Op, reg: Reg, amount: Reg, by: u32) -> Checked<()> {
        if by > 0 {
            self.integer(u64::from(by), amount)?;
            self.emit(opcode::binary(op, reg, amount, reg));
        }
        Ok(())
    }

    fn call(&mut self, number: u16, args: &[Key], span: Span) -> Checked<Reg> {
        self.push_all(args, subr::name(number).unwrap_or("call"), span)?;
        let reg = self.take(span)?;
        self.emit(opcode::call(number, reg));
        Ok(reg)
    }

    /// Fills the tuple stack, as the module's story tells.
    fn push_all(&mut self, keys: &[Key], what: &str, span: Span) -> Checked<()> {
        if keys.len() > TUPLE {
            let message = format!("{what} has {} keys; at most {TUPLE} are possible", keys.len());
            return Err(Error::new(ErrorTag::Noreg, span, message));
        }
        let mut early = Vec::new();
        for key in keys {
            early.push(if key.node.uses_tuple() { Some(self.value(&key.node)?) } else { None });
        }
        self.emit(opcode::bare(Op::Flushts));
        for (key, early) in keys.iter().zip(early) {
            let reg = match early {
                Some(reg) => reg,
                None => self.value(&key.node)?,
            };
            self.push(key.ty, reg)?;
            self.give(reg);
        }
        Ok(())
    }

    fn push(&mut self, ty: DifType, reg: Reg) -> Checked<()> {
        if !ty.is_by_ref() {
            self.emit(opcode::push(Op::Pushtv, number::kind::CTF, Reg::R0, reg));
            return Ok(());
        }
        if ty.size == 0 {
            self.emit(opcode::push(Op::Pushtr, ty.kind, Reg::R0, reg));
            return Ok(());
        }
        let size = self.take(self.span)?;
        self.integer(u64::from(ty.size), size)?;
        self.emit(opcode::push(Op::Pushtr, ty.kind, size, reg));
        self.give(size);
        Ok(())
    }
}

/// A built-in variable's entry in the variable table: machines learn from it what a fire must bring.
fn builtin_entry(id: u16, is_array: bool) -> DifVar {
    DifVar {
        name: number::var::name(id).unwrap_or_default().to_owned(),
        id: u32::from(id),
        is_array,
        scope: Scope::Global,
        is_read: true,
        is_written: false,
        ty: DifType::integer(8),
    }
}

/// The instruction of an access.
fn load_op(access: Access) -> Op {
    match (access.user, access.size, access.signed) {
        (false, 1, true) => Op::Ldsb,
        (false, 2, true) => Op::Ldsh,
        (false, 4, true) => Op::Ldsw,
        (false, 1, false) => Op::Ldub,
        (false, 2, false) => Op::Lduh,
        (false, 4, false) => Op::Lduw,
        (false, ..) => Op::Ldx,
        (true, 1, true) => Op::Uldsb,
        (true, 2, true) => Op::Uldsh,
        (true, 4, true) => Op::Uldsw,
        (true, 1, false) => Op::Uldub,
        (true, 2, false) => Op::Ulduh,
        (true, 4, false) => Op::Ulduw,
        (true, ..) => Op::Uldx,
    }
}

/// Where [`Codegen::load`] and its like read a variable from.
fn scalar_load(scope: Scope) -> Op {
    match scope {
        Scope::Global => Op::Ldgs,
        Scope::Thread => Op::Ldts,
        Scope::Local => Op::Ldls,
    }
}

impl Codegen {
    fn load(&mut self, place: &Place, span: Span) -> Checked<Reg> {
        match place {
            Place::Var(var) => {
                let reg = self.take(span)?;
                self.builder.var(var.entry(true, false));
                self.emit(opcode::variable(scalar_load(var.scope), var.id, reg));
                if var.scope == Scope::Thread && var.is_object() {
                    return self.fault_in(var, reg, (Op::Ldts, Op::Stts));
                }
                if var.extend { self.bits(reg, 0, var.dif.size * 8, true) } else { Ok(reg) }
            }
            Place::Assoc(var, keys) => {
                self.push_all(keys, &var.name, span)?;
                self.load_element(var, span)
            }
            Place::Memory(addr, access) => {
                let reg = self.value(addr)?;
                self.emit(opcode::load(load_op(*access), reg, reg));
                Ok(reg)
            }
            Place::Bits { addr, access, shift, width, signed } => {
                let reg = self.value(addr)?;
                self.emit(opcode::load(load_op(*access), reg, reg));
                self.bits(reg, *shift, *width, *signed)
            }
            Place::Object(addr, _) => self.value(addr),
        }
    }
}
