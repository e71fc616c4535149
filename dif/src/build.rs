//! Puts a DIFO together: interns constants, patches branches, keeps the variable table.
//!
//! The code generator emits instructions in order and places labels where they fall; branches to
//! labels that are not placed yet are patched by [`DifoBuilder::finish`].
//!
//! ```
//! use dif::{build::DifoBuilder, difo::DifType, number::var, opcode::{self, Op, Reg}};
//!
//! // pid == 7
//! let mut b = DifoBuilder::new();
//! let (no, end) = (b.label(), b.label());
//! b.emit(opcode::variable(Op::Ldgs, var::PID, Reg(1)));
//! b.integer(7, Reg(2))?;
//! b.emit(opcode::compare(Op::Cmp, Reg(1), Reg(2)));
//! b.branch(Op::Bne, no);
//! b.integer(1, Reg(1))?;
//! b.branch(Op::Ba, end);
//! b.place(no);
//! b.emit(opcode::unary(Op::Mov, Reg::R0, Reg(1)));
//! b.place(end);
//! b.emit(opcode::ret(Reg(1)));
//! let difo = b.finish(DifType::integer(4))?;
//! assert_eq!(difo.text.len(), 8);
//! # Ok::<(), dif::build::BuildError>(())
//! ```

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    difo::{DifType, DifVar, Difo},
    opcode::{self, LABEL_MAX, Op, Reg},
    verify::MAX_STRINGS,
};

/// A place in the code that branches name before it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// Why a DIFO cannot be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// A `setx` reaches 65,536 constants.
    #[error("more than 65536 integer constants in one expression")]
    TooManyIntegers,
    /// A string constant would begin beyond the first 64 KiB, which is as far as `sets` reaches, or
    /// end beyond [`MAX_STRINGS`].
    #[error("more than 64 KiB of string constants in one expression")]
    TooManyStrings,
    /// A branch reaches 2^24 instructions.
    #[error("more than 16777215 instructions in one expression")]
    TooManyInstructions,
    /// A label is used but was never placed.
    #[error("a branch names a label that was never placed")]
    UnplacedLabel,
    /// A string constant has a NUL inside.
    #[error("a string constant contains a NUL")]
    NulInString,
}

/// A DIFO in the making.
#[derive(Clone, Debug, Default)]
pub struct DifoBuilder {
    text: Vec<u32>,
    integers: Vec<u64>,
    strings: Vec<u8>,
    vars: Vec<DifVar>,
    labels: Vec<Option<usize>>,
    patches: Vec<(usize, Op, Label)>,
}

impl DifoBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        // As in every DTrace string table, offset 0 is the empty string.
        Self { strings: Vec::from([0]), ..Self::default() }
    }

    /// Appends an instruction and returns its place.
    pub fn emit(&mut self, instruction: u32) -> usize {
        self.text.push(instruction);
        self.text.len() - 1
    }

    /// How many instructions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no instruction yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// `setx` of a constant; 0 becomes `mov %r0, rd`.
    ///
    /// # Errors
    /// [`BuildError::TooManyIntegers`].
    pub fn integer(&mut self, value: u64, rd: Reg) -> Result<(), BuildError> {
        if value == 0 {
            self.emit(opcode::unary(Op::Mov, Reg::R0, rd));
            return Ok(());
        }
        let index = self.integers.iter().position(|known| *known == value);
        let index = index.unwrap_or_else(|| {
            self.integers.push(value);
            self.integers.len() - 1
        });
        let index = u16::try_from(index).map_err(|_| BuildError::TooManyIntegers)?;
        self.emit(opcode::setx(index, rd));
        Ok(())
    }

    /// Puts text into the string table, without a terminator, and returns its offset.
    ///
    /// # Errors
    /// [`BuildError::TooManyStrings`], [`BuildError::NulInString`].
    pub fn intern(&mut self, text: &[u8]) -> Result<u16, BuildError> {
        if text.contains(&0) {
            return Err(BuildError::NulInString);
        }
        let offset = match find_string(&self.strings, text) {
            Some(offset) => offset,
            // No verifier would take a larger table.
            None if self.strings.len() + text.len() >= MAX_STRINGS => {
                return Err(BuildError::TooManyStrings);
            }
            None => {
                let offset = self.strings.len();
                self.strings.extend_from_slice(text);
                self.strings.push(0);
                offset
            }
        };
        u16::try_from(offset).map_err(|_| BuildError::TooManyStrings)
    }

    /// `sets` of a string constant.
    ///
    /// # Errors
    /// As [`DifoBuilder::intern`].
    pub fn string(&mut self, text: &[u8], rd: Reg) -> Result<(), BuildError> {
        let offset = self.intern(text)?;
        self.emit(opcode::sets(offset, rd));
        Ok(())
    }

    /// A new label, not placed yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands before the next instruction.
    pub fn place(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.text.len());
        }
    }

    /// A branch to a label.
    pub fn branch(&mut self, op: Op, label: Label) {
        let at = self.emit(opcode::branch(op, 0));
        self.patches.push((at, op, label));
    }

    /// Enters a variable, or adds `is_read` and `is_written` to the one that is there.
    pub fn var(&mut self, var: DifVar) {
        let known = self.vars.iter_mut().find(|known| {
            known.id == var.id && known.scope == var.scope && known.is_array == var.is_array
        });
        match known {
            Some(known) => {
                known.is_read |= var.is_read;
                known.is_written |= var.is_written;
            }
            None => self.vars.push(var),
        }
    }

    /// Patches the branches and hands the DIFO out. It is not verified yet.
    ///
    /// # Errors
    /// [`BuildError::UnplacedLabel`], [`BuildError::TooManyInstructions`].
    pub fn finish(mut self, ret: DifType) -> Result<Difo, BuildError> {
        for (at, op, label) in self.patches {
            let target =
                self.labels.get(label.0).copied().flatten().ok_or(BuildError::UnplacedLabel)?;
            let target = u32::try_from(target)
                .ok()
                .filter(|target| *target <= LABEL_MAX)
                .ok_or(BuildError::TooManyInstructions)?;
            if let Some(word) = self.text.get_mut(at) {
                *word = opcode::branch(op, target);
            }
        }
        // A table that holds nothing but the empty string is no table.
        if self.strings.len() == 1 && !uses_strings(&self.text) {
            self.strings.clear();
        }
        Ok(Difo {
            text: self.text,
            integers: self.integers,
            strings: self.strings,
            vars: self.vars,
            ret,
        })
    }
}

fn uses_strings(text: &[u32]) -> bool {
    text.iter().any(|word| opcode::Instr(*word).op() == Some(Op::Sets))
}

/// Where `text` already stands in a table, as a whole string or the tail of one.
fn find_string(table: &[u8], text: &[u8]) -> Option<usize> {
    let with_nul = text.len() + 1;
    table
        .windows(with_nul)
        .position(|window| window.split_last().is_some_and(|(nul, body)| *nul == 0 && body == text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label may be placed after the branch: the word is patched with the real place.
    #[test]
    fn branches_are_patched() {
        let mut b = DifoBuilder::new();
        let end = b.label();
        b.branch(Op::Ba, end);
        b.emit(opcode::bare(Op::Nop));
        b.place(end);
        b.emit(opcode::ret(Reg(0)));
        let difo = b.finish(DifType::integer(8)).unwrap();
        assert_eq!(difo.text[0], opcode::branch(Op::Ba, 2));
        assert!(difo.strings.is_empty());
    }

    /// A forgotten label is an error, not a branch to 0.
    #[test]
    fn an_unplaced_label_is_refused() {
        let mut b = DifoBuilder::new();
        let end = b.label();
        b.branch(Op::Ba, end);
        assert_eq!(b.finish(DifType::integer(8)), Err(BuildError::UnplacedLabel));
    }

    /// Equal constants share one entry, and a string shares the tail of a longer one.
    #[test]
    fn constants_are_shared() {
        let mut b = DifoBuilder::new();
        for _ in 0..3 {
            b.integer(42, Reg(1)).unwrap();
        }
        let long = b.intern(b"read").unwrap();
        assert_eq!(b.intern(b"read").unwrap(), long);
        assert_eq!(b.intern(b"ad").unwrap(), long + 2);
        assert_eq!(b.intern(b"").unwrap(), 0);
        assert_eq!(b.intern(b"a\0b"), Err(BuildError::NulInString));
        b.string(b"read", Reg(1)).unwrap();
        let difo = b.finish(DifType::STRING).unwrap();
        assert_eq!(difo.integers, [42]);
        assert_eq!(difo.strings, b"\0read\0");
    }
}
