//! Verified code: what the interpreter runs.
//!
//! The verifier translates a DIFO's words once into decoded instructions of eight bytes. It
//! keeps one for each word, so that a place in the one is a place in the other; faults name the
//! word. Two tricks make the loop short:
//!
//! * A register's number is an enum of eight, so that indexing the register file needs no bounds
//!   check.
//! * A word that only feeds its successor (`setx` before arithmetic, `cmp` before a branch) is
//!   *fused* with it: the first decoded instruction does the work of both and skips the second.
//!   The second is decoded as usual, too: a branch may land on it.

use alloc::boxed::Box;

use crate::{
    difo::DifType,
    env::{Region, Scope, TracerAddr},
    interval::Interval,
    plan::{Leaf, Plan},
    runs::Run,
};

/// A register's number, known to be one of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum R {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
}

impl R {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::R0,
            1 => Self::R1,
            2 => Self::R2,
            3 => Self::R3,
            4 => Self::R4,
            5 => Self::R5,
            6 => Self::R6,
            7 => Self::R7,
            _ => return None,
        })
    }
}

/// What one decoded instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Or,
    Xor,
    And,
    Sll,
    Srl,
    Sra,
    Sub,
    Add,
    Mul,
    Sdiv,
    Udiv,
    Srem,
    Urem,
    /// The thirteen above with `imm` for the second operand, fused with the `setx` to `r2`.
    OrI,
    XorI,
    AndI,
    SllI,
    SrlI,
    SraI,
    SubI,
    AddI,
    MulI,
    SdivI,
    UdivI,
    SremI,
    UremI,
    /// Those with `rd` the same as `r1`, which is all that compilers make of `a op b`.
    Or2,
    Xor2,
    And2,
    Sll2,
    Srl2,
    Sra2,
    Sub2,
    Add2,
    Mul2,
    OrI2,
    XorI2,
    AndI2,
    SllI2,
    SrlI2,
    SraI2,
    SubI2,
    AddI2,
    MulI2,
    Not,
    Mov,
    Cmp,
    /// `cmp` with a constant: fused with the `setx` to `r2`.
    CmpI,
    Tst,
    Scmp,
    Ba,
    Be,
    Bne,
    Bg,
    Bgu,
    Bge,
    Bgeu,
    Bl,
    Blu,
    Ble,
    Bleu,
    /// `cmp` and the branch behind it.
    CmpBe,
    CmpBne,
    CmpBg,
    CmpBgu,
    CmpBge,
    CmpBgeu,
    CmpBl,
    CmpBlu,
    CmpBle,
    CmpBleu,
    /// `tst` and the branch behind it.
    TstBe,
    TstBne,
    Ld8,
    Ld16,
    Ld32,
    Ld64,
    LdS8,
    LdS16,
    LdS32,
    Uld8,
    Uld16,
    Uld32,
    Uld64,
    UldS8,
    UldS16,
    UldS32,
    St8,
    St16,
    St32,
    St64,
    Ret,
    Nop,
    /// A constant that fits `imm`, sign-extended.
    SetImm,
    /// A constant in the table at `imm`.
    SetTable,
    /// The address of the string constant at `imm`.
    SetString,
    /// A built-in array's element: variable `imm`, subscript `r1`.
    LdBuiltinArray,
    /// A built-in variable `imm`.
    LdBuiltin,
    LdGlobal,
    LdThread,
    LdLocal,
    StGlobal,
    StThread,
    StLocal,
    LdGlobalAssoc,
    LdThreadAssoc,
    StGlobalAssoc,
    StThreadAssoc,
    /// Subroutine `imm`.
    Call,
    /// Push a C value by reference: `rd` with the size in `r1`.
    PushRef,
    /// Push a string: `rd` with the most it can have in `r1`.
    PushString,
    /// Push `rd`.
    PushValue,
    Pop,
    Flush,
    Allocs,
    Copys,
    /// Update global `imm` with operation `r1`, `r2` for [`crate::env::AtomicOp::from_index`].
    UpdateAfter,
    UpdateBefore,
    /// Run `imm`: this instruction and some that follow.
    Run,
}

/// One instruction, ready to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Decoded {
    pub(crate) code: Code,
    pub(crate) r1: R,
    pub(crate) r2: R,
    pub(crate) rd: R,
    pub(crate) imm: u32,
}

const _: () = assert!(size_of::<Decoded>() == 8);

impl Decoded {
    /// `imm` as the signed constant it stands for.
    pub(crate) const fn constant(self) -> u64 {
        let signed = self.imm.cast_signed();
        widen(signed).cast_unsigned()
    }

    /// The address of the string constant that `imm` stands for.
    pub(crate) const fn string_address(self) -> u64 {
        let [a, b, c, d] = self.imm.to_le_bytes();
        let offset = u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0]);
        TracerAddr { region: Region::Strings, offset }.to_raw()
    }
}

const fn widen(value: i32) -> i64 {
    value as i64
}

/// What a whole DIFO comes to, where that is simple: lets a caller do without the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It always returns this value.
    Constant(u64),
    /// It returns this built-in variable.
    Builtin(u16),
    /// It returns this scalar (or by-reference) global of the script.
    Global(u16),
    /// It returns this thread-local scalar (or by-reference) variable.
    Thread(u16),
    /// It has to be run.
    General,
}

/// Where a [`Test`] gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Builtin(u16),
    Global(u16),
    Thread(u16),
}

/// A DIFO that compares one variable with a constant: what most predicates are. The interpreter
/// answers it without its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    pub(crate) source: Source,
    /// The values of the variable with which the branch is taken.
    pub(crate) branch: Interval,
    /// The result if the branch is taken, and if not.
    pub(crate) taken: u64,
    pub(crate) otherwise: u64,
}

impl Test {
    /// The variable.
    #[must_use]
    pub const fn leaf(&self) -> Leaf {
        match self.source {
            Source::Builtin(id) => Leaf::Builtin(id),
            Source::Global(id) => Leaf::Variable(Scope::Global, id),
            Source::Thread(id) => Leaf::Variable(Scope::Thread, id),
        }
    }

    /// The answer for a value of the variable.
    #[inline]
    #[must_use]
    pub const fn answer(&self, value: u64) -> u64 {
        if self.branch.contains(value) { self.taken } else { self.otherwise }
    }

    /// The values of the variable of which the answer is true.
    #[must_use]
    pub const fn truth(&self) -> Interval {
        match (self.taken != 0, self.otherwise != 0) {
            (true, true) => Interval::ALL,
            (true, false) => self.branch,
            (false, true) => self.branch.others(),
            (false, false) => Interval::ALL.others(),
        }
    }
}

/// A DIFO that has passed the verifier: only [`crate::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDifo {
    pub(crate) text: Box<[Decoded]>,
    pub(crate) integers: Box<[u64]>,
    pub(crate) runs: Box<[Run]>,
    pub(crate) ret: DifType,
    pub(crate) shape: Shape,
    /// Set where the shape is [`Shape::General`] and the DIFO is a mere test.
    pub(crate) test: Option<Test>,
    /// The formula that it comes to, if it is that simple.
    pub(crate) plan: Option<Plan>,
    /// Whether anything is ever pushed on the tuple stack.
    pub(crate) uses_tuple: bool,
    /// Whether it calls a destructive subroutine.
    pub(crate) is_destructive: bool,
}

impl VerifiedDifo {
    /// What it returns.
    #[must_use]
    pub fn ret(&self) -> DifType {
        self.ret
    }

    /// What it comes to.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The comparison of one variable with a constant that it comes to, if it is no more.
    #[must_use]
    pub fn test(&self) -> Option<&Test> {
        self.test.as_ref()
    }

    /// The formula that it comes to, if it is that simple.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Whether it calls a subroutine that changes the traced machine (`-w` is needed).
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.is_destructive
    }

    /// How many instructions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Never: a verified DIFO has at least its `ret`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
