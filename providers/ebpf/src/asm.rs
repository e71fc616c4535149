//! An assembler for eBPF: functions made of instructions, labels, calls and references to maps.
//!
//! A [`Function`] is written with registers and labels; [`link`] lays functions one behind the
//! other and turns calls, labels and map references into what the kernel's verifier reads.
//! Numbers are those of `linux/bpf.h` and of the kernel's `standardization/instruction-set.rst`.

use std::collections::BTreeMap;

/// A register. R1 to R5 carry arguments and are lost in a call, R6 to R9 survive it, R10 is the
/// frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}
pub(crate) use Reg::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10};

/// Bytes of one memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Size {
    Word = 0x00,
    Half = 0x08,
    Byte = 0x10,
    Double = 0x18,
}
pub(crate) use Size::{Byte, Double, Half, Word};

impl Size {
    /// The access of a number of bytes.
    pub(crate) const fn of(bytes: u32) -> Self {
        match bytes {
            1 => Byte,
            2 => Half,
            4 => Word,
            _ => Double,
        }
    }
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alu {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    Lsh = 0x60,
    Rsh = 0x70,
    Mod = 0x90,
    Xor = 0xa0,
    Arsh = 0xc0,
}

/// When to jump: unsigned unless the name begins with S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum If {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Ne = 0x50,
    Sgt = 0x60,
    Sge = 0x70,
    Lt = 0xa0,
    Le = 0xb0,
    Slt = 0xc0,
    Sle = 0xd0,
}

/// A second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Src {
    /// A register.
    Reg(Reg),
    /// A constant.
    Imm(i64),
}

impl From<Reg> for Src {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i64> for Src {
    fn from(value: i64) -> Self {
        Self::Imm(value)
    }
}

impl From<u64> for Src {
    fn from(value: u64) -> Self {
        Self::Imm(value.cast_signed())
    }
}

impl From<i32> for Src {
    fn from(value: i32) -> Self {
        Self::Imm(i64::from(value))
    }
}

impl From<u32> for Src {
    fn from(value: u32) -> Self {
        Self::Imm(i64::from(value))
    }
}

/// The maps a program works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Map {
    /// The session's arena.
    Arena,
    /// Private memory of the slots.
    Private,
    /// Constants: strings, names, tables.
    Data,
}

/// Atomic read-modify-write of 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Atomic {
    /// Add and fetch what was there.
    FetchAdd = 0x01,
    /// Swap.
    Exchange = 0xe1,
    /// Compare R0 with what is there, put the source there if equal, fetch what was there to R0.
    CompareExchange = 0xf1,
}

/// Helper functions of the kernel, by their numbers in `enum bpf_func_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Helper {
    KtimeGetNs = 5,
    GetSmpProcessorId = 8,
    GetCurrentPidTgid = 14,
    GetCurrentUidGid = 15,
    GetCurrentComm = 16,
    GetCurrentTask = 35,
    GetStack = 67,
    SendSignal = 109,
    ProbeReadUser = 112,
    ProbeReadKernel = 113,
    ProbeReadUserStr = 114,
    ProbeReadKernelStr = 115,
    GetAttachCookie = 174,
}

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A function of the program that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FnId(pub(crate) usize);

/// One instruction: opcode, registers, offset, immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Insn {
    code: u8,
    dst: Reg,
    src: u8,
    off: i16,
    imm: i32,
}

impl Insn {
    fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.off.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        [self.code, (self.dst as u8) | (self.src << 4), o0, o1, i0, i1, i2, i3]
    }
}

const LD_IMM64: u8 = 0x18;
const PSEUDO_MAP_VALUE: u8 = 2;
const PSEUDO_CALL: u8 = 1;

/// Why functions do not become a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A jump is longer than an instruction can say.
    #[error("a clause becomes {insns} instructions, more than a jump can pass over")]
    TooFar {
        /// Instructions of the function.
        insns: usize,
    },
    /// More than the kernel takes.
    #[error("the program has {insns} instructions; the kernel takes 1000000")]
    TooLong {
        /// Instructions of the program.
        insns: usize,
    },
}

/// A function that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Its name in the kernel's logs.
    pub(crate) name: String,
    /// How many arguments it takes.
    pub(crate) arguments: u8,
    insns: Vec<Insn>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    calls: Vec<(usize, FnId)>,
    maps: Vec<(usize, Map)>,
    stack: i16,
    momentary: Vec<i16>,
}

impl Function {
    pub(crate) fn new(name: &str, arguments: u8) -> Self {
        Self {
            name: name.to_owned(),
            arguments,
            insns: Vec::new(),
            labels: Vec::new(),
            jumps: Vec::new(),
            calls: Vec::new(),
            maps: Vec::new(),
            stack: 0,
            momentary: Vec::new(),
        }
    }

    fn push(&mut self, code: u8, dst: Reg, src: u8, off: i16, imm: i32) {
        self.insns.push(Insn { code, dst, src, off, imm });
    }

    /// Room for 8 bytes in the frame: its offset from R10.
    pub(crate) fn slot(&mut self) -> i16 {
        self.stack -= 8;
        self.stack
    }

    /// One of the rooms in the frame that instructions of DIF use one after the other: what is in
    /// it is lost with the next. Chains of calls have 512 bytes together.
    pub(crate) fn momentary(&mut self, index: usize) -> i16 {
        while self.momentary.len() <= index {
            let slot = self.slot();
            self.momentary.push(slot);
        }
        self.momentary.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    pub(crate) fn bind(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.insns.len());
        }
    }

    /// A label that is here.
    pub(crate) fn here(&mut self) -> Label {
        let label = self.label();
        self.bind(label);
        label
    }

    pub(crate) fn mov(&mut self, dst: Reg, src: impl Into<Src>) {
        match src.into() {
            Src::Reg(src) if src == dst => {}
            Src::Imm(value) => match i32::try_from(value) {
                Ok(imm) => self.push(0xb7, dst, 0, 0, imm),
                Err(_) => self.imm64(dst, 0, value),
            },
            Src::Reg(src) => self.push(0xbf, dst, src as u8, 0, 0),
        }
    }

    fn imm64(&mut self, dst: Reg, src: u8, value: i64) {
        let bytes = value.to_le_bytes();
        let [a, b, c, d, e, f, g, h] = bytes;
        self.push(LD_IMM64, dst, src, 0, i32::from_le_bytes([a, b, c, d]));
        self.push(0, R0, 0, 0, i32::from_le_bytes([e, f, g, h]));
    }

    /// The address of a byte of a map's value.
    pub(crate) fn map(&mut self, dst: Reg, map: Map, offset: u64) {
        self.maps.push((self.insns.len(), map));
        let [a, b, c, d, ..] = offset.to_le_bytes();
        self.push(LD_IMM64, dst, PSEUDO_MAP_VALUE, 0, 0);
        self.push(0, R0, 0, 0, i32::from_le_bytes([a, b, c, d]));
    }

    /// `dst = dst op src`. A constant that does not fit an instruction goes by way of R0 or, if
    /// that is `dst`, R5.
    pub(crate) fn alu(&mut self, op: Alu, dst: Reg, src: impl Into<Src>) {
        match src.into() {
            Src::Reg(src) => self.push(0x0f | op as u8, dst, src as u8, 0, 0),
            Src::Imm(value) => match i32::try_from(value) {
                Ok(imm) => self.push(0x07 | op as u8, dst, 0, 0, imm),
                Err(_) => {
                    let spare = if dst == R0 { R5 } else { R0 };
                    self.mov(spare, value);
                    self.push(0x0f | op as u8, dst, spare as u8, 0, 0);
                }
            },
        }
    }

    /// `dst = -dst`.
    pub(crate) fn neg(&mut self, dst: Reg) {
        self.push(0x87, dst, 0, 0, 0);
    }

    /// Turns the low 2, 4 or 8 bytes round (and cuts the rest off).
    pub(crate) fn swap(&mut self, dst: Reg, bits: i32) {
        self.push(0xdc, dst, 0, 0, bits);
    }

    /// `dst = rotate_left(dst, by)`, with the help of another register.
    pub(crate) fn rotate_left(&mut self, dst: Reg, by: i32, spare: Reg) {
        self.mov(spare, dst);
        self.alu(Alu::Lsh, dst, by);
        self.alu(Alu::Rsh, spare, 64 - by);
        self.alu(Alu::Or, dst, spare);
    }

    pub(crate) fn load(&mut self, size: Size, dst: Reg, base: Reg, off: i16) {
        self.push(0x61 | size as u8, dst, base as u8, off, 0);
    }

    /// Stores a register, or a constant that fits 32 bits (others go by way of R0).
    pub(crate) fn store(&mut self, size: Size, base: Reg, off: i16, src: impl Into<Src>) {
        match src.into() {
            Src::Reg(src) => self.push(0x63 | size as u8, base, src as u8, off, 0),
            Src::Imm(value) => match i32::try_from(value) {
                Ok(imm) => self.push(0x62 | size as u8, base, 0, off, imm),
                Err(_) => {
                    self.mov(R0, value);
                    self.push(0x63 | size as u8, base, R0 as u8, off, 0);
                }
            },
        }
    }

    /// An atomic operation on 8 bytes.
    pub(crate) fn atomic(&mut self, op: Atomic, base: Reg, off: i16, src: Reg) {
        self.push(0xdb, base, src as u8, off, op as i32);
    }

    /// The same on 4 bytes.
    pub(crate) fn atomic32(&mut self, op: Atomic, base: Reg, off: i16, src: Reg) {
        self.push(0xc3, base, src as u8, off, op as i32);
    }

    pub(crate) fn jump(&mut self, to: Label) {
        self.jumps.push((self.insns.len(), to));
        self.push(0x05, R0, 0, 0, 0);
    }

    /// Jumps if `left cond right`. A constant that does not fit goes by way of R0 (R5 if `left`
    /// is R0).
    pub(crate) fn branch(&mut self, cond: If, left: Reg, right: impl Into<Src>, to: Label) {
        let (code, src, imm) = match right.into() {
            Src::Reg(right) => (0x0d, right as u8, 0),
            Src::Imm(value) => match i32::try_from(value) {
                Ok(imm) => (0x05, 0, imm),
                Err(_) => {
                    let spare = if left == R0 { R5 } else { R0 };
                    self.mov(spare, value);
                    (0x0d, spare as u8, 0)
                }
            },
        };
        self.jumps.push((self.insns.len(), to));
        self.push(code | cond as u8, left, src, 0, imm);
    }

    pub(crate) fn call(&mut self, function: FnId) {
        self.calls.push((self.insns.len(), function));
        self.push(0x85, R0, PSEUDO_CALL, 0, 0);
    }

    pub(crate) fn helper(&mut self, helper: Helper) {
        self.push(0x85, R0, 0, 0, helper as i32);
    }

    pub(crate) fn exit(&mut self) {
        self.push(0x95, R0, 0, 0, 0);
    }

    /// `return value`.
    pub(crate) fn answer(&mut self, value: impl Into<Src>) {
        self.mov(R0, value);
        self.exit();
    }
}

impl Function {
    /// Leaves out what no path reaches, which the kernel's verifier refuses.
    fn pruned(&self) -> Self {
        let reached = self.reached();
        let mut places = Vec::with_capacity(self.insns.len() + 1);
        let mut kept = 0;
        for keep in &reached {
            places.push(kept);
            kept += usize::from(*keep);
        }
        places.push(kept);
        let place = |at: usize| places.get(at).copied().unwrap_or(kept);
        let is_kept = |at: usize| reached.get(at).copied().unwrap_or(false);
        let mut out = Self::new(&self.name, self.arguments);
        out.insns =
            self.insns.iter().zip(&reached).filter(|(_, kept)| **kept).map(|(i, _)| *i).collect();
        out.labels = self.labels.iter().map(|at| at.map(place)).collect();
        fn moved<T: Copy>(
            from: &[(usize, T)],
            is_kept: impl Fn(usize) -> bool,
            place: impl Fn(usize) -> usize,
        ) -> Vec<(usize, T)> {
            from.iter().filter(|(at, _)| is_kept(*at)).map(|(at, to)| (place(*at), *to)).collect()
        }
        out.jumps = moved(&self.jumps, is_kept, place);
        out.calls = moved(&self.calls, is_kept, place);
        out.maps = moved(&self.maps, is_kept, place);
        out
    }

    /// Which instructions a path from the first one reaches.
    fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.insns.len()];
        let targets: BTreeMap<usize, usize> = self
            .jumps
            .iter()
            .filter_map(|(at, label)| Some((*at, self.labels.get(label.0).copied()??)))
            .collect();
        let mut work = vec![0];
        while let Some(mut at) = work.pop() {
            while let (Some(insn), Some(seen)) = (self.insns.get(at), reached.get_mut(at)) {
                if core::mem::replace(seen, true) {
                    break;
                }
                if let Some(target) = targets.get(&at) {
                    work.push(*target);
                }
                // An exit, or a jump always taken: nothing falls through.
                if matches!(insn.code, 0x95 | 0x05) {
                    break;
                }
                at += 1;
            }
        }
        reached
    }
}

/// The functions that the first one reaches, without what no path reaches in them. The kernel
/// refuses both.
pub(crate) fn live(functions: &[Function]) -> Vec<Function> {
    let mut pruned: Vec<Function> = functions.iter().map(Function::pruned).collect();
    let mut places: Vec<Option<usize>> = vec![None; pruned.len()];
    let mut work = vec![0];
    while let Some(at) = work.pop() {
        if let (Some(function), Some(place @ None)) = (pruned.get(at), places.get_mut(at)) {
            *place = Some(0);
            work.extend(function.calls.iter().map(|(_, callee)| callee.0));
        }
    }
    for (number, place) in places.iter_mut().flatten().enumerate() {
        *place = number;
    }
    for (_, callee) in pruned.iter_mut().flat_map(|function| &mut function.calls) {
        callee.0 = places.get(callee.0).copied().flatten().unwrap_or(0);
    }
    pruned.into_iter().zip(places).filter_map(|(f, place)| place.map(|_| f)).collect()
}

/// A linked program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Linked {
    /// Instructions, 8 bytes each.
    pub(crate) code: Vec<u8>,
    /// Where each function starts, in instructions.
    pub(crate) starts: Vec<u32>,
}

/// Lays functions of [`live`] one behind the other. `maps` gives the descriptor of every map.
pub(crate) fn link(functions: &[Function], maps: &BTreeMap<Map, i32>) -> Result<Linked, LinkError> {
    let mut starts = Vec::with_capacity(functions.len());
    let mut total = 0_usize;
    for function in functions {
        starts.push(total);
        total += function.insns.len();
    }
    if total > 1_000_000 {
        return Err(LinkError::TooLong { insns: total });
    }
    let mut code = Vec::with_capacity(total * 8);
    for (function, start) in functions.iter().zip(&starts) {
        for insn in resolve(function, *start, &starts, maps)? {
            code.extend_from_slice(&insn.to_bytes());
        }
    }
    let starts = starts.into_iter().map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
    Ok(Linked { code, starts })
}

fn resolve(
    function: &Function,
    start: usize,
    starts: &[usize],
    maps: &BTreeMap<Map, i32>,
) -> Result<Vec<Insn>, LinkError> {
    let mut insns = function.insns.clone();
    let too_far = LinkError::TooFar { insns: insns.len() };
    let distance = |from: usize, to: usize| {
        let (from, to) = (i32::try_from(from).ok()?, i32::try_from(to).ok()?);
        Some(to - from - 1)
    };
    for (at, label) in &function.jumps {
        let to = function.labels.get(label.0).copied().flatten().ok_or(too_far)?;
        let off = distance(*at, to).and_then(|off| i16::try_from(off).ok()).ok_or(too_far)?;
        if let Some(insn) = insns.get_mut(*at) {
            insn.off = off;
        }
    }
    for (at, callee) in &function.calls {
        let to = starts.get(callee.0).copied().ok_or(too_far)?;
        if let Some(insn) = insns.get_mut(*at) {
            insn.imm = distance(start + *at, to).ok_or(too_far)?;
        }
    }
    for (at, map) in &function.maps {
        if let Some(insn) = insns.get_mut(*at) {
            insn.imm = maps.get(map).copied().unwrap_or(-1);
        }
    }
    Ok(insns)
}
