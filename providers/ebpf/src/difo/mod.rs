//! An expression of DIF as a function: `(slot's number)`, answers the value.
//!
//! DIF's registers and condition codes are words of the frame, so that no path through a
//! function differs from another in what the verifier knows. Branches of DIF only go forward, and
//! so do those of the translation.

mod call;
mod context;
mod operate;
mod variable;

use dif::{
    decode::Shape,
    difo::Difo,
    env::FaultKind,
    opcode::{Format, Instr, Op},
};

use crate::{
    asm::{Alu, Double, FnId, Function, If, Label, R0, R1, R2, R3, R9, R10, Reg},
    error::Refused,
    module::Module,
    routine::Routine,
    world::field,
};

pub(crate) use context::{entry, kernel_load, thread, user_load};

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
}
