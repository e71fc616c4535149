//! The instruction set: opcodes, their operands, and the words they are packed into.
//!
//! An instruction is 32 bits. The top byte is the opcode; the other three hold registers, a
//! 16-bit table index with a register, or a 24-bit branch target:
//!
//! ```text
//!  31     24 23     16 15      8 7       0
//! +---------+---------+---------+---------+
//! | opcode  |   r1    |   r2    |   rd    |  or r1, r2, rd
//! | opcode  |  index / variable |   rd    |  setx, ldgs, call, …
//! | opcode  |           label             |  ba, be, …
//! | opcode  |  type   |   r2    |   rs    |  pushtr, pushtv
//! +---------+---------+---------+---------+
//! ```
//!
//! Numbers 1 to 79 are FreeBSD's (`sys/dtrace.h`). CADETS HyperTrace took 80 to 84 for its linker;
//! none of those travels here. Our own start at [`EXTENSION_BASE`], far from both.
//!
//! # Extensions
//! Classic DIF computes `n++` as load, add, store, and two CPUs that do it at once lose one. The
//! *update* instructions are one step: `op var, r` takes the operand from `r`, applies it to the
//! scalar global `var`, and leaves in `r` the value after it (opcodes `0xc0 +`
//! [`AtomicOp::index`]) or before it (`0xd0 +` the same; what postfix `n++` needs).

use core::fmt;

use crate::env::AtomicOp;

/// Integer registers of the virtual machine, `DIF_DIR_NREGS`.
pub const REGISTERS: usize = 8;
/// Tuple registers (how deep `pushtr`/`pushtv` go), `DIF_DTR_NREGS`.
pub const TUPLE_REGISTERS: usize = 8;
/// The version of the instruction set, `DIF_VERSION`.
pub const DIF_VERSION: u8 = 2;
/// The first opcode that is ours and not FreeBSD's.
pub const EXTENSION_BASE: u8 = 0xc0;
/// The highest label a branch can name.
pub const LABEL_MAX: u32 = 0x00ff_ffff;

/// An integer register's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(pub u8);

impl Reg {
    /// Always zero; never written.
    pub const R0: Self = Self(0);
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%r{}", self.0)
    }
}

/// Which operands an opcode has, and how they lie in the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `op r1, r2, rd`
    Binary,
    /// `op r1, rd`
    Unary,
    /// `op r1, r2`
    Compare,
    /// `op r1`
    Test,
    /// `op label`
    Branch,
    /// `op [r1], rd`
    Load,
    /// `op r1, [rd]`
    Store,
    /// `op r1, r2, rd`, where `rd` is read: copy `r2` bytes from `r1` to `rd`.
    Copy,
    /// `op rd`, where `rd` is read.
    Return,
    /// No operands.
    Bare,
    /// `op index, rd`, an index into the integer table.
    Integer,
    /// `op index, rd`, an offset into the string table.
    String,
    /// `op var, ri, rd`, an element of a built-in array.
    ArrayLoad,
    /// `op var, rd`
    VarLoad,
    /// `op var, rs`
    VarStore,
    /// `op var, r`, read and written: an update in one step.
    Update,
    /// `op subroutine, rd`
    Call,
    /// `op type, r2, rs`: push `rs` with the size in `r2` (`pushtr`) or as it is (`pushtv`).
    Push,
    /// `op index, rd`, a translator reference that only a linker can resolve.
    Translator,
}

macro_rules! opcodes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $mnemonic:literal $format:ident,)*) => {
        /// An opcode, `DIF_OP_*`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Op {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Op {
            /// Every opcode, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The opcode of a number.
            #[must_use]
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// How the assembler spells it.
            #[must_use]
            pub const fn mnemonic(self) -> &'static str {
                match self {
                    $(Self::$variant => $mnemonic,)*
                }
            }

            /// Its operands.
            #[must_use]
            pub const fn format(self) -> Format {
                match self {
                    $(Self::$variant => Format::$format,)*
                }
            }
        }
    };
}

opcodes! {
    /// Bitwise or.
    Or = 1 "or" Binary,
    /// Bitwise exclusive or.
    Xor = 2 "xor" Binary,
    /// Bitwise and.
    And = 3 "and" Binary,
    /// Shift left.
    Sll = 4 "sll" Binary,
    /// Shift right, filling with zeros.
    Srl = 5 "srl" Binary,
    /// `r1 - r2`.
    Sub = 6 "sub" Binary,
    /// `r1 + r2`.
    Add = 7 "add" Binary,
    /// `r1 * r2`, the low 64 bits.
    Mul = 8 "mul" Binary,
    /// Signed division.
    Sdiv = 9 "sdiv" Binary,
    /// Unsigned division.
    Udiv = 10 "udiv" Binary,
    /// Signed remainder.
    Srem = 11 "srem" Binary,
    /// Unsigned remainder.
    Urem = 12 "urem" Binary,
    /// Bitwise complement.
    Not = 13 "not" Unary,
    /// Copy a register.
    Mov = 14 "mov" Unary,
    /// Set the condition codes from `r1 - r2`.
    Cmp = 15 "cmp" Compare,
    /// Set the condition codes from `r1`.
    Tst = 16 "tst" Test,
    /// Branch always.
    Ba = 17 "ba" Branch,
    /// Branch if equal.
    Be = 18 "be" Branch,
    /// Branch if not equal.
    Bne = 19 "bne" Branch,
    /// Branch if greater, signed.
    Bg = 20 "bg" Branch,
    /// Branch if greater, unsigned.
    Bgu = 21 "bgu" Branch,
    /// Branch if greater or equal, signed.
    Bge = 22 "bge" Branch,
    /// Branch if greater or equal, unsigned.
    Bgeu = 23 "bgeu" Branch,
    /// Branch if less, signed.
    Bl = 24 "bl" Branch,
    /// Branch if less, unsigned.
    Blu = 25 "blu" Branch,
    /// Branch if less or equal, signed.
    Ble = 26 "ble" Branch,
    /// Branch if less or equal, unsigned.
    Bleu = 27 "bleu" Branch,
    /// Load a signed byte.
    Ldsb = 28 "ldsb" Load,
    /// Load a signed 16-bit integer.
    Ldsh = 29 "ldsh" Load,
    /// Load a signed 32-bit integer.
    Ldsw = 30 "ldsw" Load,
    /// Load an unsigned byte.
    Ldub = 31 "ldub" Load,
    /// Load an unsigned 16-bit integer.
    Lduh = 32 "lduh" Load,
    /// Load an unsigned 32-bit integer.
    Lduw = 33 "lduw" Load,
    /// Load a 64-bit integer.
    Ldx = 34 "ldx" Load,
    /// Return a register's value.
    Ret = 35 "ret" Return,
    /// Do nothing.
    Nop = 36 "nop" Bare,
    /// Load an integer constant.
    Setx = 37 "setx" Integer,
    /// Load a string constant's address.
    Sets = 38 "sets" String,
    /// Set the condition codes by comparing two strings.
    Scmp = 39 "scmp" Compare,
    /// Load an element of a built-in array.
    Ldga = 40 "ldga" ArrayLoad,
    /// Load a global.
    Ldgs = 41 "ldgs" VarLoad,
    /// Store a global.
    Stgs = 42 "stgs" VarStore,
    /// Load an element of a thread-local array.
    Ldta = 43 "ldta" ArrayLoad,
    /// Load a thread-local.
    Ldts = 44 "ldts" VarLoad,
    /// Store a thread-local.
    Stts = 45 "stts" VarStore,
    /// Shift right, filling with the sign.
    Sra = 46 "sra" Binary,
    /// Call a subroutine on the tuple stack.
    Call = 47 "call" Call,
    /// Push a reference on the tuple stack.
    Pushtr = 48 "pushtr" Push,
    /// Push a value on the tuple stack.
    Pushtv = 49 "pushtv" Push,
    /// Pop one element off the tuple stack.
    Popts = 50 "popts" Bare,
    /// Empty the tuple stack.
    Flushts = 51 "flushts" Bare,
    /// Load an element of a global associative array.
    Ldgaa = 52 "ldgaa" VarLoad,
    /// Load an element of a thread-local associative array.
    Ldtaa = 53 "ldtaa" VarLoad,
    /// Store an element of a global associative array.
    Stgaa = 54 "stgaa" VarStore,
    /// Store an element of a thread-local associative array.
    Sttaa = 55 "sttaa" VarStore,
    /// Load a clause-local.
    Ldls = 56 "ldls" VarLoad,
    /// Store a clause-local.
    Stls = 57 "stls" VarStore,
    /// Allocate scratch.
    Allocs = 58 "allocs" Unary,
    /// Copy bytes to scratch.
    Copys = 59 "copys" Copy,
    /// Store a byte to scratch.
    Stb = 60 "stb" Store,
    /// Store 16 bits to scratch.
    Sth = 61 "sth" Store,
    /// Store 32 bits to scratch.
    Stw = 62 "stw" Store,
    /// Store 64 bits to scratch.
    Stx = 63 "stx" Store,
    /// Load a signed byte of the process.
    Uldsb = 64 "uldsb" Load,
    /// Load a signed 16-bit integer of the process.
    Uldsh = 65 "uldsh" Load,
    /// Load a signed 32-bit integer of the process.
    Uldsw = 66 "uldsw" Load,
    /// Load an unsigned byte of the process.
    Uldub = 67 "uldub" Load,
    /// Load an unsigned 16-bit integer of the process.
    Ulduh = 68 "ulduh" Load,
    /// Load an unsigned 32-bit integer of the process.
    Ulduw = 69 "ulduw" Load,
    /// Load a 64-bit integer of the process.
    Uldx = 70 "uldx" Load,
    /// Load a signed byte where the session has been granted it.
    Rldsb = 71 "rldsb" Load,
    /// Load a signed 16-bit integer where the session has been granted it.
    Rldsh = 72 "rldsh" Load,
    /// Load a signed 32-bit integer where the session has been granted it.
    Rldsw = 73 "rldsw" Load,
    /// Load an unsigned byte where the session has been granted it.
    Rldub = 74 "rldub" Load,
    /// Load an unsigned 16-bit integer where the session has been granted it.
    Rlduh = 75 "rlduh" Load,
    /// Load an unsigned 32-bit integer where the session has been granted it.
    Rlduw = 76 "rlduw" Load,
    /// Load a 64-bit integer where the session has been granted it.
    Rldx = 77 "rldx" Load,
    /// A translator's member: resolved before loading, never executed.
    Xlate = 78 "xlate" Translator,
    /// A translator's argument: resolved before loading, never executed.
    Xlarg = 79 "xlarg" Translator,
    /// Extension: `var += r`, value after.
    UpdAdd = 0xc0 "upd.add" Update,
    /// Extension: `var -= r`, value after.
    UpdSub = 0xc1 "upd.sub" Update,
    /// Extension: `var *= r`, value after.
    UpdMul = 0xc2 "upd.mul" Update,
    /// Extension: `var /= r` signed, value after.
    UpdSdiv = 0xc3 "upd.sdiv" Update,
    /// Extension: `var /= r` unsigned, value after.
    UpdUdiv = 0xc4 "upd.udiv" Update,
    /// Extension: `var %= r` signed, value after.
    UpdSrem = 0xc5 "upd.srem" Update,
    /// Extension: `var %= r` unsigned, value after.
    UpdUrem = 0xc6 "upd.urem" Update,
    /// Extension: `var &= r`, value after.
    UpdAnd = 0xc7 "upd.and" Update,
    /// Extension: `var |= r`, value after.
    UpdOr = 0xc8 "upd.or" Update,
    /// Extension: `var ^= r`, value after.
    UpdXor = 0xc9 "upd.xor" Update,
    /// Extension: `var <<= r`, value after.
    UpdSll = 0xca "upd.sll" Update,
    /// Extension: `var >>= r` signed, value after.
    UpdSra = 0xcb "upd.sra" Update,
    /// Extension: `var >>= r` unsigned, value after.
    UpdSrl = 0xcc "upd.srl" Update,
    /// Extension: `var += r`, value before.
    FetAdd = 0xd0 "fet.add" Update,
    /// Extension: `var -= r`, value before.
    FetSub = 0xd1 "fet.sub" Update,
    /// Extension: `var *= r`, value before.
    FetMul = 0xd2 "fet.mul" Update,
    /// Extension: `var /= r` signed, value before.
    FetSdiv = 0xd3 "fet.sdiv" Update,
    /// Extension: `var /= r` unsigned, value before.
    FetUdiv = 0xd4 "fet.udiv" Update,
    /// Extension: `var %= r` signed, value before.
    FetSrem = 0xd5 "fet.srem" Update,
    /// Extension: `var %= r` unsigned, value before.
    FetUrem = 0xd6 "fet.urem" Update,
    /// Extension: `var &= r`, value before.
    FetAnd = 0xd7 "fet.and" Update,
    /// Extension: `var |= r`, value before.
    FetOr = 0xd8 "fet.or" Update,
    /// Extension: `var ^= r`, value before.
    FetXor = 0xd9 "fet.xor" Update,
    /// Extension: `var <<= r`, value before.
    FetSll = 0xda "fet.sll" Update,
    /// Extension: `var >>= r` signed, value before.
    FetSra = 0xdb "fet.sra" Update,
    /// Extension: `var >>= r` unsigned, value before.
    FetSrl = 0xdc "fet.srl" Update,
}

/// Which of its two values an update leaves in the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// The value after the update: `++n`, `n += x`.
    After,
    /// The value before the update: `n++`.
    Before,
}

impl Op {
    /// The opcode's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The update opcode for an operation.
    #[must_use]
    pub const fn update(op: AtomicOp, yields: Yields) -> Self {
        let base = match yields {
            Yields::After => 0xc0,
            Yields::Before => 0xd0,
        };
        match Self::from_u8(base + op.index()) {
            Some(found) => found,
            None => Self::Nop, // every AtomicOp has both opcodes; a test walks them all
        }
    }

    /// What an update opcode does; `None` for every other opcode.
    #[must_use]
    pub const fn as_update(self) -> Option<(AtomicOp, Yields)> {
        let yields = match self.number() & 0xf0 {
            0xc0 => Yields::After,
            0xd0 => Yields::Before,
            _ => return None,
        };
        match AtomicOp::from_index(self.number() & 0x0f) {
            Some(op) => Some((op, yields)),
            None => None,
        }
    }

    /// An opcode the assembler can spell.
    #[must_use]
    pub fn from_mnemonic(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|op| op.mnemonic() == name)
    }
}

/// One instruction word with its fields named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instr(pub u32);

impl Instr {
    const fn bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// The opcode's number, known or not.
    #[must_use]
    pub const fn opcode(self) -> u8 {
        self.bytes()[0]
    }

    /// The opcode, if there is such a one.
    #[must_use]
    pub const fn op(self) -> Option<Op> {
        Op::from_u8(self.opcode())
    }

    /// The first register, or the array variable of `ldga`, or the type of `pushtr`.
    #[must_use]
    pub const fn r1(self) -> u8 {
        self.bytes()[1]
    }

    /// The second register.
    #[must_use]
    pub const fn r2(self) -> u8 {
        self.bytes()[2]
    }

    /// The destination (or stored) register.
    #[must_use]
    pub const fn rd(self) -> u8 {
        self.bytes()[3]
    }

    /// The 16 bits in the middle: a variable, an index, a string offset or a subroutine.
    #[must_use]
    pub const fn wide(self) -> u16 {
        u16::from_be_bytes([self.bytes()[1], self.bytes()[2]])
    }

    /// A branch's target.
    #[must_use]
    pub const fn label(self) -> u32 {
        self.0 & LABEL_MAX
    }
}

const fn pack(op: Op, r1: u8, r2: u8, rd: u8) -> u32 {
    u32::from_be_bytes([op.number(), r1, r2, rd])
}

const fn pack_wide(op: Op, wide: u16, rd: Reg) -> u32 {
    let [high, low] = wide.to_be_bytes();
    pack(op, high, low, rd.0)
}

/// `op r1, r2, rd`: arithmetic, and `copys`.
#[must_use]
pub const fn binary(op: Op, r1: Reg, r2: Reg, rd: Reg) -> u32 {
    pack(op, r1.0, r2.0, rd.0)
}

/// `op r1, rd`: `not`, `mov`, `allocs`.
#[must_use]
pub const fn unary(op: Op, r1: Reg, rd: Reg) -> u32 {
    pack(op, r1.0, 0, rd.0)
}

/// `cmp r1, r2` or `scmp r1, r2`.
#[must_use]
pub const fn compare(op: Op, r1: Reg, r2: Reg) -> u32 {
    pack(op, r1.0, r2.0, 0)
}

/// `tst r1`.
#[must_use]
pub const fn tst(r1: Reg) -> u32 {
    pack(Op::Tst, r1.0, 0, 0)
}

/// A branch; labels above [`LABEL_MAX`] are cut, so check before.
#[must_use]
pub const fn branch(op: Op, label: u32) -> u32 {
    pack(op, 0, 0, 0) | (label & LABEL_MAX)
}

/// `op [r1], rd`: `ld*`, `uld*`, `rld*`.
#[must_use]
pub const fn load(op: Op, r1: Reg, rd: Reg) -> u32 {
    pack(op, r1.0, 0, rd.0)
}

/// `op r1, [rd]`: `stb` … `stx`.
#[must_use]
pub const fn store(op: Op, r1: Reg, rd: Reg) -> u32 {
    pack(op, r1.0, 0, rd.0)
}

/// `setx index, rd`.
#[must_use]
pub const fn setx(index: u16, rd: Reg) -> u32 {
    pack_wide(Op::Setx, index, rd)
}

/// `sets offset, rd`.
#[must_use]
pub const fn sets(offset: u16, rd: Reg) -> u32 {
    pack_wide(Op::Sets, offset, rd)
}

/// `ret rd`.
#[must_use]
pub const fn ret(rd: Reg) -> u32 {
    pack(Op::Ret, 0, 0, rd.0)
}

/// An opcode without operands: `nop`, `popts`, `flushts`.
#[must_use]
pub const fn bare(op: Op) -> u32 {
    pack(op, 0, 0, 0)
}

/// `ldga var, ri, rd` or `ldta var, ri, rd`.
#[must_use]
pub const fn array_load(op: Op, var: u8, index: Reg, rd: Reg) -> u32 {
    pack(op, var, index.0, rd.0)
}

/// `op var, r`: loads and stores of variables, and updates.
#[must_use]
pub const fn variable(op: Op, var: u16, r: Reg) -> u32 {
    pack_wide(op, var, r)
}

/// `call subroutine, rd`.
#[must_use]
pub const fn call(subr: u16, rd: Reg) -> u32 {
    pack_wide(Op::Call, subr, rd)
}

/// `pushtr type, r2, rs` or `pushtv type, r2, rs`: `size` is the register with the size in bytes.
#[must_use]
pub const fn push(op: Op, kind: u8, size: Reg, value: Reg) -> u32 {
    pack(op, kind, size.0, value.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are an ABI: spot checks against `sys/dtrace.h`, one from every run.
    #[test]
    fn numbers_are_those_of_freebsd() {
        assert_eq!(Op::Or.number(), 1);
        assert_eq!(Op::Bleu.number(), 27);
        assert_eq!(Op::Ldx.number(), 34);
        assert_eq!(Op::Sra.number(), 46);
        assert_eq!(Op::Flushts.number(), 51);
        assert_eq!(Op::Stx.number(), 63);
        assert_eq!(Op::Uldx.number(), 70);
        assert_eq!(Op::Xlarg.number(), 79);
        assert_eq!(setx(0, Reg(1)), 0x2500_0001);
        assert_eq!(ret(Reg(1)), 0x2300_0001);
        assert_eq!(variable(Op::Ldgs, 0x118, Reg(1)), 0x2901_1801);
    }

    /// FreeBSD's range has no holes, so that no number is read as nothing by mistake.
    #[test]
    fn freebsds_range_is_complete() {
        for number in 1..=79 {
            assert_eq!(Op::from_u8(number).map(Op::number), Some(number));
        }
        assert_eq!(Op::from_u8(0), None);
        assert_eq!(Op::from_u8(80), None);
    }

    /// Both update opcodes of every operation name that operation again.
    #[test]
    fn updates_map_both_ways() {
        for op in AtomicOp::ALL {
            for yields in [Yields::After, Yields::Before] {
                assert_eq!(Op::update(op, yields).as_update(), Some((op, yields)));
            }
        }
        assert_eq!(Op::Add.as_update(), None);
    }

    /// Mnemonics are unique, or the assembler would pick the wrong one.
    #[test]
    fn mnemonics_map_both_ways() {
        for &op in Op::ALL {
            assert_eq!(Op::from_mnemonic(op.mnemonic()), Some(op));
        }
    }

    /// What is packed comes out of the same fields.
    #[test]
    fn fields_come_back() {
        let i = Instr(binary(Op::Add, Reg(1), Reg(2), Reg(3)));
        assert_eq!((i.op(), i.r1(), i.r2(), i.rd()), (Some(Op::Add), 1, 2, 3));
        let i = Instr(variable(Op::Stgs, 0x0501, Reg(7)));
        assert_eq!((i.wide(), i.rd()), (0x0501, 7));
        assert_eq!(Instr(branch(Op::Ba, 0x0012_3456)).label(), 0x0012_3456);
    }
}
