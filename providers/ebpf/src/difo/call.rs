//! Subroutines, and the instructions that work on strings and scratch memory.

use dif::{env::FaultKind, number::subr, opcode::Instr};

use super::Body;
use crate::{
    asm::{Alu, Double, If, R0, R1, R2, R3, R4, R9, R10, Reg},
    error::Refused,
    routine::{Routine, spec::Spec, text::Text},
    world::field,
};

impl Body<'_> {
    pub(super) fn scmp(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.get(R3, word.r2());
        self.m.call(&mut self.f, Routine::Compare, &[R2.into(), R3.into()])?;
        self.check(pc);
        self.f.store(Double, R10, self.left, R0);
        self.f.store(Double, R10, self.right, 0);
        Ok(())
    }

    pub(super) fn allocs(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.m.call(&mut self.f, Routine::Zeroed, &[R2.into()])?;
        self.check(pc);
        self.put(word.rd(), R0);
        Ok(())
    }

    pub(super) fn copys(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
        self.get(R2, word.r1());
        self.get(R3, word.rd());
        self.get(R4, word.r2());
        self.m.call(&mut self.f, Routine::Copy, &[R2.into(), R3.into(), R4.into()])?;
        self.check(pc);
        Ok(())
    }

    /// An argument of a subroutine.
    pub(super) fn argument(&mut self, to: Reg, index: i16) {
        self.f.load(Double, to, R9, field::TUPLE + index * 24);
    }

    pub(super) fn call(&mut self, word: Instr, pc: usize) -> Result<(), Refused> {
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

    pub(super) fn copy(&mut self, routine: Routine) -> Result<(), Refused> {
        self.m.call(&mut self.f, routine, &[R2.into(), R3.into(), R4.into()])
    }

    pub(super) fn swap(&mut self, bits: i32) {
        self.argument(R0, 0);
        self.f.swap(R0, bits);
    }

    /// `rand()`: the generator of the interpreting engine, with a state of each slot's own.
    pub(super) fn rand(&mut self) {
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
        subr::MEMSTR => (3, Some(Text::Memstr)),
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
