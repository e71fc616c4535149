//! An expression of DIF as a function: `(slot's number)`, answers the value.
//!
//! DIF's registers and condition codes are words of the frame, so that no path through a
//! function differs from another in what the verifier knows. Branches of DIF only go forward, and
//! so do those of the translation.

use dif::{
    decode::Shape,
    difo::Difo,
    env::{AtomicOp, FaultKind, Scope},
    number::{subr, var},
    opcode::{Format, Instr, Op, Yields},
};
use host::arena::config::VarKind;

use crate::{
    asm::{
        Alu, Atomic, Double, FnId, Function, Helper, If, Label, Map, R0, R1, R2, R3, R4, R6, R7,
        R8, R9, R10, Reg, Size,
    },
    error::Refused,
    module::{Module, private},
    routine::{Routine, dynamic, memory, spec::Spec, text::Text},
    world::{World, arena_address, field, fire_address, part},
};

/// Tries to win a race for a scalar global before the update is given up as a fault.
const MAX_TRIES: u32 = 256;

/// A DIFO while it is translated.
struct Body<'a> {
    m: &'a mut Module,
    f: Function,
    difo: Difo,
    /// Which of the program's.
    number: u32,
    /// In an ERROR clause.
    error: bool,
    /// Where DIF's registers lie in the frame; R0 is always 0.
    regs: [Option<i16>; 8],
    left: i16,
    right: i16,
    /// A label for each instruction.
    labels: Vec<Label>,
    /// Out-of-line ends: label, what is stored, the instruction's place.
    faults: Vec<(Label, Option<FaultKind>, usize)>,
}

/// The function of a DIFO, made if it is not there yet.
pub(crate) fn function(m: &mut Module, number: u32, error: bool) -> Result<FnId, Refused> {
    if let Some(known) = m.difos.get(&(number, error)) {
        return Ok(*known);
    }
    let id = m.reserve();
    m.difos.insert((number, error), id);
    let function = translate(m, number, error)?;
    m.fill(id, function);
    Ok(id)
}

/// What a DIFO always returns.
pub(crate) fn constant(m: &Module, number: u32) -> Option<u64> {
    match m.world.loaded.verified.difos.get(number as usize)?.shape() {
        Shape::Constant(value) => Some(value),
        _ => None,
    }
}

/// Whether a DIFO works with dynamic variables.
pub(crate) fn has_dynamic(m: &Module, number: u32) -> bool {
    use Op::{Ldgaa, Ldtaa, Ldts, Stgaa, Sttaa, Stts};
    m.world.program.difos.get(number as usize).is_some_and(|difo| {
        let ops = difo.text.iter().map(|word| Instr(*word).op());
        ops.flatten().any(|op| matches!(op, Ldgaa | Ldtaa | Ldts | Stgaa | Sttaa | Stts))
    })
}

/// The built-in variable that a DIFO returns, if it does nothing else.
pub(crate) fn builtin(m: &Module, number: u32) -> Option<u16> {
    match m.world.loaded.verified.difos.get(number as usize)?.shape() {
        Shape::Builtin(id) => Some(id),
        _ => None,
    }
}

fn translate(m: &mut Module, number: u32, error: bool) -> Result<Function, Refused> {
    let missing = || Refused::new("an expression", "the program does not have it");
    let difo = m.world.program.difos.get(number as usize).ok_or_else(missing)?.clone();
    let name = format!("difo_{number}{}", if error { "_error" } else { "" });
    let mut f = Function::new(&name, 1);
    let mut regs = [None; 8];
    let used = registers(&difo);
    for (reg, used) in regs.iter_mut().zip(used).skip(1) {
        *reg = used.then(|| f.slot());
    }
    let (left, right) = (f.slot(), f.slot());
    let labels = difo.text.iter().map(|_| f.label()).collect();
    m.enter(&mut f);
    for slot in regs.iter().flatten() {
        f.store(Double, R10, *slot, 0);
    }
    f.store(Double, R10, left, 0);
    f.store(Double, R10, right, 0);
    if difo.text.iter().any(|word| is_tuple(Instr(*word))) {
        f.store(Double, R9, field::DEPTH, 0);
    }
    let mut body =
        Body { m, f, difo, number, error, regs, left, right, labels, faults: Vec::new() };
    body.all()?;
    Ok(body.f)
}

fn is_tuple(word: Instr) -> bool {
    matches!(
        word.op(),
        Some(
            Op::Pushtr
                | Op::Pushtv
                | Op::Popts
                | Op::Flushts
                | Op::Call
                | Op::Ldgaa
                | Op::Stgaa
                | Op::Ldtaa
                | Op::Sttaa
        )
    )
}

/// Which registers a DIFO names.
fn registers(difo: &Difo) -> [bool; 8] {
    let mut used = [false; 8];
    for word in difo.text.iter().map(|word| Instr(*word)) {
        let Some(op) = word.op() else { continue };
        let (r1, r2, rd) = (word.r1(), word.r2(), word.rd());
        let named: &[u8] = match op.format() {
            Format::Binary | Format::Copy => &[r1, r2, rd],
            Format::Unary | Format::Load | Format::Store => &[r1, rd],
            Format::Compare => &[r1, r2],
            Format::Test => &[r1],
            Format::Branch | Format::Bare => &[],
            Format::ArrayLoad | Format::Push => &[r2, rd],
            _ => &[rd],
        };
        for reg in named {
            if let Some(place) = used.get_mut(usize::from(*reg)) {
                *place = true;
            }
        }
    }
    used
}

impl Body<'_> {
    fn all(&mut self) -> Result<(), Refused> {
        for pc in 0..self.difo.text.len() {
            let word = self.difo.text.get(pc).copied().map_or(Instr(0), Instr);
            if let Some(label) = self.labels.get(pc).copied() {
                self.f.bind(label);
            }
            self.one(word, pc)?;
        }
        // A verified DIFO ends with its ret; the function must end for the kernel, too.
        self.f.answer(0);
        for (label, kind, pc) in core::mem::take(&mut self.faults) {
            self.f.bind(label);
            if let Some(kind) = kind {
                self.f.store(Double, R9, field::FAULT_VALUE, R2);
                self.f.store(Double, R9, field::FAULT, i64::from(kind as u32) + 1);
            }
            let offset = i64::try_from(pc * 4).unwrap_or(i64::MAX);
            self.f.store(Double, R9, field::FAULT_OFFSET, offset);
            self.f.answer(0);
        }
        Ok(())
    }

    fn get(&mut self, to: Reg, reg: u8) {
        match self.regs.get(usize::from(reg)).copied().flatten() {
            Some(slot) => self.f.load(Double, to, R10, slot),
            None => self.f.mov(to, 0),
        }
    }

    fn put(&mut self, reg: u8, from: Reg) {
        if let Some(slot) = self.regs.get(usize::from(reg)).copied().flatten() {
            self.f.store(Double, R10, slot, from);
        }
    }

    /// A label where a fault of this kind with the value in R2 ends the function.
    fn fault(&mut self, kind: FaultKind, pc: usize) -> Label {
        let label = self.f.label();
        self.faults.push((label, Some(kind), pc));
        label
    }

    /// Ends the function if the routine that was called has faulted. Spoils R1.
    fn check(&mut self, pc: usize) {
        let label = self.f.label();
        self.faults.push((label, None, pc));
        self.f.load(Double, R1, R9, field::FAULT);
        self.f.branch(If::Ne, R1, 0, label);
    }

    fn refused(&self, construct: &str, why: &str) -> Refused {
        Refused::new(construct, why)
    }

    fn one(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        let Some(op) = word.op() else {
            return Err(self.refused("an unknown instruction", "the program is damaged"));
        };
        let (r1, r2, rd) = (word.r1(), word.r2(), word.rd());
        match op.format() {
            Format::Binary => self.binary(op, word, pc),
            Format::Unary if op == Op::Allocs => self.allocs(word, pc)?,
            Format::Unary => {
                self.get(R1, r1);
                if op == Op::Not {
                    self.f.alu(Alu::Xor, R1, -1);
                }
                self.put(rd, R1);
            }
            Format::Compare if op == Op::Scmp => self.scmp(word, pc)?,
            Format::Compare => {
                self.get(R1, r1);
                self.get(R2, r2);
                self.f.store(Double, R10, self.left, R1);
                self.f.store(Double, R10, self.right, R2);
            }
            Format::Test => {
                let zero = self.f.label();
                self.get(R1, r1);
                self.f.branch(If::Eq, R1, 0, zero);
                self.f.mov(R1, 1);
                self.f.bind(zero);
                self.f.store(Double, R10, self.left, R1);
                self.f.store(Double, R10, self.right, 0);
            }
            Format::Branch => self.branch(op, word),
            Format::Load => self.load(op, word, pc)?,
            Format::Store => {
                let width = match op {
                    Op::Stb => 1,
                    Op::Sth => 2,
                    Op::Stw => 4,
                    _ => 8_i64,
                };
                self.get(R2, rd);
                self.get(R3, r1);
                self.m.call(&mut self.f, Routine::Store, &[R2.into(), R3.into(), width.into()])?;
                self.check(pc);
            }
            Format::Copy => self.copys(word, pc)?,
            Format::Return => {
                self.get(R0, rd);
                self.f.exit();
            }
            Format::Bare => match op {
                Op::Popts => {
                    let empty = self.f.label();
                    self.f.load(Double, R1, R9, field::DEPTH);
                    self.f.branch(If::Eq, R1, 0, empty);
                    self.f.alu(Alu::Sub, R1, 1);
                    self.f.store(Double, R9, field::DEPTH, R1);
                    self.f.bind(empty);
                }
                Op::Flushts => self.f.store(Double, R9, field::DEPTH, 0),
                _ => {}
            },
            Format::Integer => {
                let value = self.difo.integers.get(usize::from(word.wide())).copied();
                self.f.mov(R1, value.unwrap_or(0).cast_signed());
                self.put(rd, R1);
            }
            Format::String => {
                let base = self.m.world.string_bases.get(self.number as usize).copied();
                let offset = base.unwrap_or(0) + u64::from(word.wide());
                let address =
                    dif::env::TracerAddr { region: dif::env::Region::Strings, offset }.to_raw();
                self.f.mov(R1, address.cast_signed());
                self.put(rd, R1);
            }
            Format::ArrayLoad => self.array(op, word, pc)?,
            Format::VarLoad => self.var_load(op, word, pc)?,
            Format::VarStore => self.var_store(op, word, pc)?,
            Format::Update => self.update(op, word, pc)?,
            Format::Call => self.call(word, pc)?,
            Format::Push => self.push(op, word, pc),
            Format::Translator => {
                return Err(self.refused("a translator", "it was not resolved"));
            }
        }
        Ok(())
    }

    fn binary(&mut self, op: Op, word: Instr, pc: usize) {
        self.get(R1, word.r1());
        self.get(R2, word.r2());
        let f = &mut self.f;
        match op {
            Op::Or => f.alu(Alu::Or, R1, R2),
            Op::Xor => f.alu(Alu::Xor, R1, R2),
            Op::And => f.alu(Alu::And, R1, R2),
            Op::Sub => f.alu(Alu::Sub, R1, R2),
            Op::Add => f.alu(Alu::Add, R1, R2),
            Op::Mul => f.alu(Alu::Mul, R1, R2),
            Op::Sll => shift(f, Alu::Lsh),
            Op::Srl => shift(f, Alu::Rsh),
            Op::Sra => shift(f, Alu::Arsh),
            Op::Sdiv => self.divide(AtomicOp::Sdiv, pc),
            Op::Udiv => self.divide(AtomicOp::Udiv, pc),
            Op::Srem => self.divide(AtomicOp::Srem, pc),
            _ => self.divide(AtomicOp::Urem, pc),
        }
        self.put(word.rd(), R1);
    }

    /// R1 by R2; a fault if that is 0.
    fn divide(&mut self, op: AtomicOp, pc: usize) {
        let zero = self.fault(FaultKind::DivZero, pc);
        self.f.branch(If::Eq, R2, 0, zero);
        divide(&mut self.f, op);
    }

    fn branch(&mut self, op: Op, word: Instr) {
        let Some(target) = self.labels.get(word.label() as usize).copied() else { return };
        let cond = match op {
            Op::Be => If::Eq,
            Op::Bne => If::Ne,
            Op::Bg => If::Sgt,
            Op::Bgu => If::Gt,
            Op::Bge => If::Sge,
            Op::Bgeu => If::Ge,
            Op::Bl => If::Slt,
            Op::Blu => If::Lt,
            Op::Ble => If::Sle,
            Op::Bleu => If::Le,
            _ => {
                self.f.jump(target);
                return;
            }
        };
        self.f.load(Double, R1, R10, self.left);
        self.f.load(Double, R2, R10, self.right);
        self.f.branch(cond, R1, R2, target);
    }

    fn load(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
        let (width, signed, user): (u32, bool, bool) = match op {
            Op::Ldub | Op::Rldub => (1, false, false),
            Op::Lduh | Op::Rlduh => (2, false, false),
            Op::Lduw | Op::Rlduw => (4, false, false),
            Op::Ldx | Op::Rldx => (8, false, false),
            Op::Ldsb | Op::Rldsb => (1, true, false),
            Op::Ldsh | Op::Rldsh => (2, true, false),
            Op::Ldsw | Op::Rldsw => (4, true, false),
            Op::Uldub => (1, false, true),
            Op::Ulduh => (2, false, true),
            Op::Ulduw => (4, false, true),
            Op::Uldx => (8, false, true),
            Op::Uldsb => (1, true, true),
            Op::Uldsh => (2, true, true),
            _ => (4, true, true),
        };
        let bad = self.fault(FaultKind::BadAddr, pc);
        let (machine, done) = (self.f.label(), self.f.label());
        let value = self.f.momentary(0);
        self.get(R6, word.r1());
        memory::unless_tracer(&mut self.f, R6, machine);
        self.f.mov(R2, R6);
        if user {
            self.f.jump(bad);
        } else {
            self.m.call(&mut self.f, Routine::Load, &[R2.into(), width.into()])?;
            self.check(pc);
            self.f.jump(done);
        }
        self.f.bind(machine);
        self.f.mov(R1, R10);
        self.f.alu(Alu::Add, R1, i64::from(value));
        self.f.mov(R2, width);
        self.f.mov(R3, R6);
        self.f.helper(if user { Helper::ProbeReadUser } else { Helper::ProbeReadKernel });
        self.f.mov(R2, R6);
        self.f.branch(If::Ne, R0, 0, bad);
        self.f.load(Size::of(width), R0, R10, value);
        self.f.bind(done);
        if signed {
            let spare = 64 - i64::from(width) * 8;
            self.f.alu(Alu::Lsh, R0, spare);
            self.f.alu(Alu::Arsh, R0, spare);
        }
        self.put(word.rd(), R0);
        Ok(())
    }

    fn array(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
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

    fn var_load(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
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
    fn local(&mut self, to: Reg, offset: u64) {
        let at = u64::from(self.m.world.private.locals.at) + offset;
        private(&mut self.f, to, u32::try_from(at).unwrap_or(0));
    }

    fn place(&self, scope: Scope, id: u16) -> Result<host::arena::layout::VarPlace, Refused> {
        let missing = || self.refused("a variable", "the arena does not have it");
        self.m.world.var(scope, id).copied().ok_or_else(missing)
    }

    fn var_store(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
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

    fn update(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
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
    fn push(&mut self, op: Op, word: Instr, pc: usize) {
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

    /// R0 becomes a built-in variable.
    fn builtin(&mut self, id: u16, _pc: usize) -> Result<(), Refused> {
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
            var::CALLER => {
                f.load(Double, R0, R9, field::STACK + 8);
                let deep = f.label();
                f.load(Double, R1, R9, field::FRAMES);
                f.branch(If::Gt, R1, 1, deep);
                f.mov(R0, 0);
                f.bind(deep);
            }
            var::STACKDEPTH => f.load(Double, R0, R9, field::FRAMES),
            _ => {
                let name = var::name(id).unwrap_or("a built-in variable");
                return Err(self.refused(name, "the host's programs do not have it"));
            }
        }
        Ok(())
    }

    /// Copies a by-reference value to a global or clause-local variable; 0 makes it NULL.
    fn set_bytes(
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
    fn variable(&mut self, to: Reg, global: bool, offset: u64) {
        if global {
            self.f.map(to, Map::Arena, offset);
        } else {
            self.local(to, offset);
        }
    }

    /// Reads a by-reference value into the value buffer; R0 becomes how many bytes are to be
    /// kept: a string's with its NUL.
    fn fetch(&mut self, from: Reg, kind: VarKind, size: u32, pc: usize) -> Result<(), Refused> {
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
    fn dynamic_key(&mut self, op: Op, id: u16, pc: usize) -> Result<(), Refused> {
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

    fn dynamic_load(&mut self, op: Op, id: u16, pc: usize) -> Result<(), Refused> {
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

    fn dynamic_store(&mut self, op: Op, word: Instr, pc: usize) -> Result<(), Refused> {
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

    fn scmp(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.get(R3, word.r2());
        self.m.call(&mut self.f, Routine::Compare, &[R2.into(), R3.into()])?;
        self.check(pc);
        self.f.store(Double, R10, self.left, R0);
        self.f.store(Double, R10, self.right, 0);
        Ok(())
    }

    fn allocs(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.m.call(&mut self.f, Routine::Zeroed, &[R2.into()])?;
        self.check(pc);
        self.put(word.rd(), R0);
        Ok(())
    }

    fn copys(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.get(R3, word.rd());
        self.get(R4, word.r2());
        self.m.call(&mut self.f, Routine::Copy, &[R2.into(), R3.into(), R4.into()])?;
        self.check(pc);
        Ok(())
    }

    /// An argument of a subroutine.
    fn argument(&mut self, to: Reg, index: i16) {
        self.f.load(Double, to, R9, field::TUPLE + index * 24);
    }

    fn call(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        let number = word.wide();
        let Some((least, text)) = subroutine(number) else {
            let name = subr::name(number).unwrap_or("a subroutine");
            let why = "the host's programs do not have this subroutine";
            return Err(self.refused(&format!("{name}()"), why));
        };
        if least > 0 {
            let few = self.fault(FaultKind::IllOp, pc);
            self.f.mov(R2, 0);
            self.f.load(Double, R1, R9, field::DEPTH);
            self.f.branch(If::Lt, R1, least, few);
        }
        match (number, text) {
            (_, Some(text)) => self.m.call(&mut self.f, Routine::Text(text), &[])?,
            (subr::HTONS | subr::NTOHS, _) => self.swap(16),
            (subr::HTONL | subr::NTOHL, _) => self.swap(32),
            (subr::HTONLL | subr::NTOHLL, _) => self.swap(64),
            (subr::RAND, _) => self.rand(),
            (subr::SPECULATION, _) => {
                self.m.call(&mut self.f, Routine::Spec(Spec::Acquire), &[])?;
            }
            (subr::ALLOCA, _) => {
                self.argument(R2, 0);
                self.m.call(&mut self.f, Routine::Zeroed, &[R2.into()])?;
            }
            (subr::COPYINSTR, _) => {
                let all = self.f.label();
                self.argument(R2, 0);
                self.f.mov(R3, -1);
                self.f.load(Double, R1, R9, field::DEPTH);
                self.f.branch(If::Lt, R1, 2, all);
                self.argument(R3, 1);
                self.f.bind(all);
                self.m.call(&mut self.f, Routine::CopyUserString, &[R2.into(), R3.into()])?;
            }
            (subr::COPYIN, _) => {
                let fresh = self.f.momentary(2);
                self.argument(R2, 1);
                self.m.call(&mut self.f, Routine::Zeroed, &[R2.into()])?;
                self.check(pc);
                self.f.store(Double, R10, fresh, R0);
                self.argument(R2, 0);
                self.argument(R4, 1);
                self.f.mov(R3, R0);
                self.copy(Routine::CopyUser)?;
                self.check(pc);
                self.f.load(Double, R0, R10, fresh);
            }
            (subr::COPYINTO, _) => {
                self.argument(R2, 0);
                self.argument(R3, 2);
                self.argument(R4, 1);
                self.copy(Routine::CopyUser)?;
            }
            _ => {
                self.argument(R2, 0);
                self.argument(R3, 1);
                self.argument(R4, 2);
                self.copy(Routine::Copy)?;
            }
        }
        self.check(pc);
        self.put(word.rd(), R0);
        Ok(())
    }

    fn copy(&mut self, routine: Routine) -> Result<(), Refused> {
        self.m.call(&mut self.f, routine, &[R2.into(), R3.into(), R4.into()])
    }

    fn swap(&mut self, bits: i32) {
        self.argument(R0, 0);
        self.f.swap(R0, bits);
    }

    /// `rand()`: the generator of the interpreting engine, with a state of each slot's own.
    fn rand(&mut self) {
        let seeded = self.f.label();
        self.f.load(Double, R1, R9, field::RANDOM);
        self.f.branch(If::Ne, R1, 0, seeded);
        self.f.load(Double, R1, R9, field::NOW);
        self.f.alu(Alu::Or, R1, 1);
        self.f.bind(seeded);
        for (op, by) in [(Alu::Lsh, 13), (Alu::Rsh, 7), (Alu::Lsh, 17)] {
            self.f.mov(R2, R1);
            self.f.alu(op, R2, by);
            self.f.alu(Alu::Xor, R1, R2);
        }
        self.f.store(Double, R9, field::RANDOM, R1);
        self.f.mov(R0, 0x2545_f491_4f6c_dd1d_i64);
        self.f.alu(Alu::Mul, R0, R1);
    }
}

/// How many arguments a subroutine takes at least, and the routine if it is one on texts; `None`
/// if it cannot be translated.
const fn subroutine(number: u16) -> Option<(i64, Option<Text>)> {
    Some(match number {
        subr::STRLEN => (1, Some(Text::Strlen)),
        subr::STRJOIN => (2, Some(Text::Strjoin)),
        subr::STRCHR => (2, Some(Text::Strchr)),
        subr::STRRCHR => (2, Some(Text::Strrchr)),
        subr::STRSTR => (2, Some(Text::Strstr)),
        subr::STRTOK => (2, Some(Text::Strtok)),
        subr::INDEX => (2, Some(Text::Index)),
        subr::RINDEX => (2, Some(Text::Rindex)),
        subr::SUBSTR => (2, Some(Text::Substr)),
        subr::TOUPPER => (1, Some(Text::Upper)),
        subr::TOLOWER => (1, Some(Text::Lower)),
        subr::LLTOSTR => (1, Some(Text::Lltostr)),
        subr::STRTOLL => (1, Some(Text::Strtoll)),
        subr::BASENAME => (1, Some(Text::Basename)),
        subr::DIRNAME => (1, Some(Text::Dirname)),
        subr::RAND | subr::SPECULATION => (0, None),
        subr::COPYIN => (2, None),
        subr::COPYINTO | subr::BCOPY => (3, None),
        subr::COPYINSTR
        | subr::ALLOCA
        | subr::HTONS
        | subr::HTONL
        | subr::HTONLL
        | subr::NTOHS
        | subr::NTOHL
        | subr::NTOHLL => (1, None),
        _ => return None,
    })
}

/// R1 shifted by the low six bits of R2.
fn shift(f: &mut Function, op: Alu) {
    f.alu(Alu::And, R2, 63);
    f.alu(op, R1, R2);
}

/// R1 by R2, which is not 0: signed division by way of magnitudes, since older kernels have only
/// the unsigned one. Spoils R3, R4.
fn divide(f: &mut Function, op: AtomicOp) {
    let alu = if matches!(op, AtomicOp::Sdiv | AtomicOp::Udiv) { Alu::Div } else { Alu::Mod };
    if matches!(op, AtomicOp::Udiv | AtomicOp::Urem) {
        f.alu(alu, R1, R2);
        return;
    }
    // The result's sign: both operands' for a quotient, the dividend's for a remainder.
    f.mov(R3, R1);
    if op == AtomicOp::Sdiv {
        f.alu(Alu::Xor, R3, R2);
    }
    for reg in [R1, R2] {
        let positive = f.label();
        f.branch(If::Sge, reg, 0, positive);
        f.neg(reg);
        f.bind(positive);
    }
    f.alu(alu, R1, R2);
    let positive = f.label();
    f.branch(If::Sge, R3, 0, positive);
    f.neg(R1);
    f.bind(positive);
}

/// [`AtomicOp::apply_sized`]: R1 becomes the new value of a cell that holds R1, by the operand in
/// R7 (not 0 for a division). Spoils R2 to R4.
fn apply_sized(f: &mut Function, op: AtomicOp, size: u32) {
    let spare = 64_i64.saturating_sub(i64::from(size) * 8);
    let cut = spare > 0 && spare < 64;
    if cut {
        let signed = matches!(op, AtomicOp::Sdiv | AtomicOp::Srem | AtomicOp::Sra);
        f.alu(Alu::Lsh, R1, spare);
        f.alu(if signed { Alu::Arsh } else { Alu::Rsh }, R1, spare);
    }
    f.mov(R2, R7);
    match op {
        AtomicOp::Add => f.alu(Alu::Add, R1, R2),
        AtomicOp::Sub => f.alu(Alu::Sub, R1, R2),
        AtomicOp::Mul => f.alu(Alu::Mul, R1, R2),
        AtomicOp::And => f.alu(Alu::And, R1, R2),
        AtomicOp::Or => f.alu(Alu::Or, R1, R2),
        AtomicOp::Xor => f.alu(Alu::Xor, R1, R2),
        AtomicOp::Shl => shift(f, Alu::Lsh),
        AtomicOp::Sra => shift(f, Alu::Arsh),
        AtomicOp::Srl => shift(f, Alu::Rsh),
        AtomicOp::Sdiv | AtomicOp::Udiv | AtomicOp::Srem | AtomicOp::Urem => divide(f, op),
    }
    if cut {
        f.alu(Alu::Lsh, R1, spare);
        f.alu(Alu::Rsh, R1, spare);
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
