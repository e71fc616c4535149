//! DIF objects: instructions with their tables.

use alloc::{string::String, vec::Vec};

use crate::env::Scope;

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
