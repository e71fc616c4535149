//! DIF objects: instructions with their tables.

use alloc::{string::String, vec::Vec};

use crate::{
    env::Scope,
    number::{ctf, kind, subr, tf},
    opcode::{Instr, Op},
};

/// `dtrace_diftype`: how a DIFO's result or a variable is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifType {
    /// `DIF_TYPE_CTF` (0) or `DIF_TYPE_STRING` (1).
    pub kind: u8,
    /// `CTF_K_*` of the C type, for printing.
    pub ckind: u8,
    /// `DIF_TF_BYREF` (1), `DIF_TF_BYUREF` (2).
    pub flags: u8,
    /// Bytes; 0 for a string means the session's `strsize`.
    pub size: u32,
}

impl DifType {
    /// A D string of the session's `strsize`.
    pub const STRING: Self =
        Self { kind: kind::STRING, ckind: ctf::UNKNOWN, flags: tf::BYREF, size: 0 };

    /// An integer of `size` bytes (1, 2, 4 or 8), by value.
    #[must_use]
    pub const fn integer(size: u32) -> Self {
        Self { kind: kind::CTF, ckind: ctf::INTEGER, flags: 0, size }
    }

    /// A pointer, by value.
    pub const POINTER: Self = Self { kind: kind::CTF, ckind: ctf::POINTER, flags: 0, size: 8 };

    /// A struct, union or array of `size` bytes, by reference.
    #[must_use]
    pub const fn by_ref(ckind: u8, size: u32) -> Self {
        Self { kind: kind::CTF, ckind, flags: tf::BYREF, size }
    }

    /// Whether a register holds its address and not its value.
    #[must_use]
    pub const fn is_by_ref(self) -> bool {
        self.flags & (tf::BYREF | tf::BYUREF) != 0
    }

    /// Whether it is a D string.
    #[must_use]
    pub const fn is_string(self) -> bool {
        self.kind == kind::STRING
    }
}

/// `dtrace_difv`: a variable a DIFO refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifVar {
    /// Its name, for disassembly.
    pub name: String,
    /// Its id: `DIF_VAR_*` for built-ins, from `DIF_VAR_OTHER_UBASE` for the script's own.
    pub id: u32,
    /// `DIFV_KIND_ARRAY` (associative or `args[]`) or `DIFV_KIND_SCALAR`.
    pub is_array: bool,
    /// Its scope.
    pub scope: Scope,
    /// `DIFV_F_REF`.
    pub is_read: bool,
    /// `DIFV_F_MOD`.
    pub is_written: bool,
    /// Its type.
    pub ty: DifType,
}

/// A DIF object, `dtrace_difo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difo {
    /// Instructions.
    pub text: Vec<u32>,
    /// Integer constants.
    pub integers: Vec<u64>,
    /// NUL-terminated strings.
    pub strings: Vec<u8>,
    /// Variables.
    pub vars: Vec<DifVar>,
    /// What the DIFO returns.
    pub ret: DifType,
}

impl Difo {
    /// Whether it calls a subroutine that changes the traced machine (`-w` is needed).
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        let mut words = self.text.iter().map(|word| Instr(*word));
        words.any(|word| word.op() == Some(Op::Call) && subr::is_destructive(word.wide()))
    }
}
