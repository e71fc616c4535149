//! The seam between DIF and whoever runs it.
//!
//! The interpreter owns registers, the tuple stack, control flow and the subroutines' arithmetic.
//! Everything that has a place, variables and memory, belongs to the environment: the tracing
//! core in production, plain vectors in tests and fuzzers.
//!
//! # Addresses
//! A register holds either an address of the traced machine (any 64-bit value the machine could
//! form) or an address of the tracer's own memory. The latter carry [`TRACER_TAG`] in their top
//! 16 bits: `0x4854` is non-canonical with four and with five levels of page tables, so no
//! machine can form one that translates, and no tracer address is ever given to a page walk.
//!
//! ```text
//!  63      48 47  44 43                     0
//! +----------+------+------------------------+
//! |  0x4854  |region|        offset          |
//! +----------+------+------------------------+
//! ```
//! Region 0 is the arena (offset from its start: globals, dynamic variables, scratch), region 1
//! the program's string constants (all DIFOs' tables one behind the other, as
//! `VerifiedProgram::strings` lays them out, so that an address stays good after its DIFO
//! returned), region 2 what the fire itself brought (execname, …).

/// The top 16 bits of every tracer address.
pub const TRACER_TAG: u64 = 0x4854;

/// A region of tracer memory, bits 47:44 of a tracer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Region {
    /// The session's arena.
    Arena = 0,
    /// The program's string constants.
    Strings = 1,
    /// Data the fire brought along, valid until it returns.
    Fire = 2,
}

/// An address in tracer memory, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracerAddr {
    /// Which region.
    pub region: Region,
    /// Bytes from the region's start; below 2^44.
    pub offset: u64,
}

impl TracerAddr {
    /// The register value for this address.
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        (TRACER_TAG << 48) | ((self.region as u64) << 44) | (self.offset & ((1 << 44) - 1))
    }

    /// Decodes a register value; `None` if it is an address of the traced machine. A tag with an
    /// unknown region is not `None` but unreadable: it decodes to an offset no region has.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw >> 48 != TRACER_TAG {
            return None;
        }
        let offset = raw & ((1 << 44) - 1);
        Some(match (raw >> 44) & 0xf {
            0 => Self { region: Region::Arena, offset },
            1 => Self { region: Region::Strings, offset },
            2 => Self { region: Region::Fire, offset },
            _ => Self { region: Region::Fire, offset: (1 << 44) - 1 },
        })
    }
}

/// Why a DIFO stopped: `DTRACEFLT_*` of `sys/dtrace.h`, with the address where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind, as the ERROR probe's `arg4`.
    pub kind: FaultKind,
    /// The offending address or value, as the ERROR probe's `arg5`; 0 if there is none.
    pub value: u64,
}

impl Fault {
    /// A fault at an address.
    #[must_use]
    pub const fn at(kind: FaultKind, value: u64) -> Self {
        Self { kind, value }
    }
}

/// `DTRACEFLT_*`, `sys/dtrace.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FaultKind {
    /// `DTRACEFLT_UNKNOWN`.
    Unknown = 0,
    /// `DTRACEFLT_BADADDR`: an address that cannot be read.
    BadAddr = 1,
    /// `DTRACEFLT_BADALIGN`: a misaligned access where alignment is asked for.
    BadAlign = 2,
    /// `DTRACEFLT_ILLOP`: an illegal operation.
    IllOp = 3,
    /// `DTRACEFLT_DIVZERO`: division by zero.
    DivZero = 4,
    /// `DTRACEFLT_NOSCRATCH`: scratch space exhausted.
    NoScratch = 5,
    /// `DTRACEFLT_KPRIV`: kernel memory the session may not read.
    KPriv = 6,
    /// `DTRACEFLT_UPRIV`: user memory the session may not read.
    UPriv = 7,
    /// `DTRACEFLT_TUPOFLOW`: the tuple stack overflowed.
    TupleOverflow = 8,
    /// `DTRACEFLT_BADSTACK`: a bad stack.
    BadStack = 9,
}

/// The scope of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `DIFV_SCOPE_GLOBAL`.
    Global,
    /// `DIFV_SCOPE_THREAD`: `self->`.
    Thread,
    /// `DIFV_SCOPE_LOCAL`: `this->`.
    Local,
}

/// One element of a key: a scalar, or bytes in tracer or machine memory. Filled by the
/// interpreter's tuple stack (`pushtv`, `pushtr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleElement {
    /// The value, or the address of the bytes.
    pub value: u64,
    /// Bytes at `value`, for a string the most it can have; 0 for a scalar (`DIF_OP_PUSHTV`).
    pub size: u64,
    /// The bytes are a string: only those up to the NUL are compared.
    pub is_string: bool,
}

/// An arithmetic read-modify-write on a scalar global, so that `n++` on many CPUs loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomicOp {
    /// `+=`.
    Add,
    /// `-=`.
    Sub,
    /// `*=`.
    Mul,
    /// `/=`, signed.
    Sdiv,
    /// `/=`, unsigned.
    Udiv,
    /// `%=`, signed.
    Srem,
    /// `%=`, unsigned.
    Urem,
    /// `&=`.
    And,
    /// `|=`.
    Or,
    /// `^=`.
    Xor,
    /// `<<=`.
    Shl,
    /// `>>=`, signed.
    Sra,
    /// `>>=`, unsigned.
    Srl,
}

impl AtomicOp {
    /// Every operation, in the order of [`AtomicOp::index`].
    pub const ALL: [Self; 13] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Sdiv,
        Self::Udiv,
        Self::Srem,
        Self::Urem,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Shl,
        Self::Sra,
        Self::Srl,
    ];

    /// Its place in [`AtomicOp::ALL`]: the low four bits of its opcodes.
    #[must_use]
    pub const fn index(self) -> u8 {
        self as u8
    }

    /// The operation at a place.
    #[must_use]
    pub const fn from_index(index: u8) -> Option<Self> {
        // `usize::from` is not const; a plain match would repeat the table.
        let mut at = 0;
        while at < Self::ALL.len() {
            if Self::ALL[at].index() == index {
                return Some(Self::ALL[at]);
            }
            at += 1;
        }
        None
    }

    /// As [`AtomicOp::apply`], for a variable of `size` bytes (1, 2, 4 or 8) whose cell may hold
    /// anything above them: signed operations take the old value's sign from its own size, all
    /// others take it without one, and the result is cut to the size.
    ///
    /// # Errors
    /// [`FaultKind::DivZero`].
    pub const fn apply_sized(self, old: u64, operand: u64, size: u32) -> Result<u64, Fault> {
        let spare = 64_u32.saturating_sub(size.saturating_mul(8));
        if spare == 0 || spare == 64 {
            return self.apply(old, operand);
        }
        let old = match self {
            Self::Sdiv | Self::Srem | Self::Sra => {
                ((old << spare).cast_signed() >> spare).cast_unsigned()
            }
            _ => old << spare >> spare,
        };
        match self.apply(old, operand) {
            Ok(new) => Ok(new << spare >> spare),
            Err(fault) => Err(fault),
        }
    }

    /// What the operation computes, in 64 bits. Shifts take the low six bits of the operand, as
    /// the interpreter's do.
    ///
    /// # Errors
    /// [`FaultKind::DivZero`].
    pub const fn apply(self, old: u64, operand: u64) -> Result<u64, Fault> {
        if operand == 0 && matches!(self, Self::Sdiv | Self::Udiv | Self::Srem | Self::Urem) {
            return Err(Fault::at(FaultKind::DivZero, 0));
        }
        let (signed, by) = (old.cast_signed(), operand.cast_signed());
        let shift = (operand & 63).to_le_bytes()[0];
        Ok(match self {
            Self::Add => old.wrapping_add(operand),
            Self::Sub => old.wrapping_sub(operand),
            Self::Mul => old.wrapping_mul(operand),
            Self::Sdiv => signed.wrapping_div(by).cast_unsigned(),
            Self::Udiv => old / operand,
            Self::Srem => signed.wrapping_rem(by).cast_unsigned(),
            Self::Urem => old % operand,
            Self::And => old & operand,
            Self::Or => old | operand,
            Self::Xor => old ^ operand,
            Self::Shl => old << shift,
            Self::Sra => (signed >> shift).cast_unsigned(),
            Self::Srl => old >> shift,
        })
    }
}

/// What the interpreter asks of its surroundings.
///
/// # Context
/// Every method can be reached from the firing path: none may allocate, block or loop without a
/// bound. Variable ids are those of the DIFO's variable table, verified against it.
pub trait Env {
    /// Reads `buf.len()` bytes at `addr` (tracer or machine kernel address), all or nothing.
    ///
    /// # Errors
    /// [`FaultKind::BadAddr`] if any byte cannot be read.
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;

    /// Reads an unsigned little-endian integer of `width` (1, 2, 4 or 8) bytes.
    ///
    /// # Errors
    /// As [`Env::read`].
    fn load(&mut self, addr: u64, width: usize) -> Result<u64, Fault> {
        let mut bytes = [0_u8; 8];
        let part = bytes.get_mut(..width).ok_or(Fault::at(FaultKind::IllOp, addr))?;
        self.read(addr, part)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// As [`Env::read`], from the address space of the traced process (`copyin`, `uld*`).
    ///
    /// # Errors
    /// As [`Env::read`].
    fn read_user(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;

    /// As [`Env::read`], from the address space of the guest that the machine itself runs on this
    /// CPU (`nested_copyin`). A machine without guests, which is most, has none to read from.
    ///
    /// # Errors
    /// As [`Env::read`].
    fn read_nested(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let _ = buf;
        Err(Fault::at(FaultKind::BadAddr, addr))
    }

    /// Writes bytes to tracer memory (scratch or a by-reference variable's own storage).
    ///
    /// # Errors
    /// [`FaultKind::BadAddr`] if `addr` is not writable tracer memory.
    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault>;

    /// Whether [`Env::store`] takes all of `addr..addr + len`.
    fn may_store(&mut self, addr: u64, len: usize) -> bool;

    /// Tracer memory as it lies, if `addr..addr + len` is readable tracer memory: lets string
    /// subroutines run over it without a copy.
    fn tracer(&self, addr: u64, len: usize) -> Option<&[u8]>;

    /// As [`Env::tracer`], but as much of `addr..addr + max` as lies in readable tracer memory:
    /// what a search for a string's end runs over. `None` if not even the first byte is.
    fn tracer_prefix(&self, addr: u64, max: usize) -> Option<&[u8]>;

    /// Writable scratch as it lies.
    fn scratch_mut(&mut self, addr: u64, len: usize) -> Option<&mut [u8]>;

    /// Takes `size` bytes of scratch, aligned to `align` (a power of two), and returns their
    /// tracer address. Scratch lives until the clause ends.
    ///
    /// # Errors
    /// [`FaultKind::NoScratch`].
    fn alloca(&mut self, size: u64, align: u64) -> Result<u64, Fault>;

    /// Where the next scratch will be taken from: an opaque mark for [`Env::scratch_release`].
    fn scratch_mark(&self) -> u64;

    /// Gives back all scratch taken since the mark (what a subroutine needed only for itself).
    fn scratch_release(&mut self, mark: u64);

    /// What `strtok(NULL, …)` goes on with: the address of the rest of the string, 0 if there is
    /// none. One a firing, kept over its clauses, 0 when the firing starts.
    fn strtok_state(&mut self) -> &mut u64;

    /// The session's `strsize`.
    fn strsize(&self) -> usize;

    /// A built-in variable (`DIF_VAR_*`); `index` is the subscript of `args[]`, `uregs[]`, ….
    /// String variables return a tracer address.
    ///
    /// # Errors
    /// [`FaultKind::IllOp`] if the machine has no such variable, or what reading it ran into.
    fn builtin(&mut self, var: u16, index: u64) -> Result<u64, Fault>;

    /// The value of a scalar variable, or the address of a by-reference one. A global or
    /// clause-local of that kind has its memory, of zeros, from the start; its address is 0 only
    /// after 0 was stored. A thread-local's is 0 until something is stored.
    ///
    /// # Errors
    /// What the storage ran into.
    fn var_get(&mut self, scope: Scope, id: u16) -> Result<u64, Fault>;

    /// Stores a scalar, or copies a by-reference value from `value` (0 makes it NULL).
    ///
    /// # Errors
    /// What copying ran into.
    fn var_set(&mut self, scope: Scope, id: u16, value: u64) -> Result<(), Fault>;

    /// `scope` must be `Global`: applies `op` to a scalar global in one indivisible step, with
    /// the result cut to the variable's size, and returns the value before and after.
    ///
    /// # Errors
    /// [`FaultKind::DivZero`].
    fn var_update(&mut self, id: u16, op: AtomicOp, operand: u64) -> Result<(u64, u64), Fault>;

    /// As [`Env::var_get`] for an element of an associative array (thread-local if `scope` is
    /// `Thread`).
    ///
    /// # Errors
    /// What reading the key ran into.
    fn assoc_get(&mut self, scope: Scope, id: u16, key: &[TupleElement]) -> Result<u64, Fault>;

    /// As [`Env::var_set`] for an element of an associative array; zero frees it.
    ///
    /// # Errors
    /// What reading the key or value ran into.
    fn assoc_set(
        &mut self,
        scope: Scope,
        id: u16,
        key: &[TupleElement],
        value: u64,
    ) -> Result<(), Fault>;

    /// A subroutine only the environment can do (`rand`, `speculation`, `progenyof`, `copyout`,
    /// `getmajor`, `mutex_owned`, `rw_iswriter`, …), by its `DIF_SUBR_*` number.
    ///
    /// # Errors
    /// [`FaultKind::IllOp`] if the machine has none.
    fn subroutine(&mut self, subr: u16, args: &[TupleElement]) -> Result<u64, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `int` of -1 is `0xffff_ffff` in its cell: halved, shifted and counted down, it stays an
    /// `int`, and an `unsigned int` stays unsigned.
    #[test]
    fn updates_keep_to_the_variables_size() {
        let minus_one = 0xffff_ffff;
        for (op, old, operand, new) in [
            (AtomicOp::Sdiv, minus_one, 2, 0),
            (AtomicOp::Sra, minus_one, 1, minus_one),
            (AtomicOp::Srem, minus_one - 4, 3, 0xffff_fffe),
            (AtomicOp::Udiv, minus_one, 2, 0x7fff_ffff),
            (AtomicOp::Srl, minus_one, 1, 0x7fff_ffff),
            (AtomicOp::Udiv, u64::MAX, 2, 0x7fff_ffff),
            (AtomicOp::Add, minus_one, 1, 0),
            (AtomicOp::Sub, 0, 1, minus_one),
        ] {
            assert_eq!(op.apply_sized(old, operand, 4), Ok(new), "{op:?}");
        }
        assert_eq!(AtomicOp::Sub.apply_sized(0, 1, 8), Ok(u64::MAX));
        assert_eq!(AtomicOp::Sdiv.apply_sized(0x80, 1, 1), Ok(0x80));
        assert!(AtomicOp::Udiv.apply_sized(1, 0, 4).is_err());
    }

    /// A tracer address comes back; an unknown region leads nowhere, not to machine memory.
    #[test]
    fn tracer_addresses_come_back() {
        for region in [Region::Arena, Region::Strings, Region::Fire] {
            let addr = TracerAddr { region, offset: 0xabc_1234_5678 };
            assert_eq!(TracerAddr::from_raw(addr.to_raw()), Some(addr));
        }
        assert_eq!(TracerAddr::from_raw(0xffff_8000_0000_0000), None);
        let unknown = TracerAddr::from_raw((TRACER_TAG << 48) | (7 << 44));
        assert_eq!(unknown.map(|addr| addr.offset), Some((1 << 44) - 1));
    }
}
