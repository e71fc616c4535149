//! A machine of plain vectors: the smallest whole [`Env`], for tests and fuzzers (feature `mock`).
//!
//! Scratch is all there is of the arena. Machine memory comes in pages of 4 KiB, zeros where
//! nothing was put. Whatever only a real machine can do is recorded and answered with a number.

use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

use crate::env::{AtomicOp, Env, Fault, FaultKind, Region, Scope, TracerAddr, TupleElement};

/// Where the mock's kernel memory starts.
pub const KERNEL: u64 = 0xffff_8000_0000_0000;
/// Where the mock's process memory starts.
pub const USER: u64 = 0x40_0000;
/// Where the memory of the mock's own guest starts.
pub const NESTED: u64 = 0xffff_9000_0000_0000;

/// The machine.
#[derive(Clone, Debug)]
pub struct Mock {
    /// The arena is nothing but scratch.
    pub scratch: Vec<u8>,
    /// How much scratch is taken.
    pub top: usize,
    /// The program's string constants.
    pub strings: Vec<u8>,
    /// What the fire brought.
    pub fire: Vec<u8>,
    /// Kernel memory from [`KERNEL`].
    pub kernel: Vec<u8>,
    /// The process's memory from [`USER`].
    pub user: Vec<u8>,
    /// The memory of the machine's own guest from [`NESTED`].
    pub nested: Vec<u8>,
    /// The session's `strsize`.
    pub strsize: usize,
    /// Scalars by scope (0 global, 1 thread-local, 2 clause-local) and number.
    pub vars: BTreeMap<(u8, u16), u64>,
    /// Elements of associative arrays by scope, number and key.
    pub assoc: BTreeMap<(u8, u16, Vec<Vec<u8>>), u64>,
    /// Where `strtok` goes on.
    pub strtok: u64,
    /// Calls that reached [`Env::subroutine`].
    pub calls: Vec<(u16, Vec<u64>)>,
}

impl Default for Mock {
    fn default() -> Self {
        Self::new()
    }
}

impl Mock {
    /// A machine with 4 KiB of scratch, a `strsize` of 256 and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scratch: vec![0xaa; 4096],
            top: 0,
            strings: Vec::new(),
            fire: Vec::new(),
            kernel: Vec::new(),
            user: Vec::new(),
            nested: Vec::new(),
            strsize: 256,
            vars: BTreeMap::new(),
            assoc: BTreeMap::new(),
            strtok: 0,
            calls: Vec::new(),
        }
    }

    fn region(&self, addr: u64) -> Option<(&[u8], usize)> {
        let decoded = TracerAddr::from_raw(addr)?;
        let memory = match decoded.region {
            Region::Arena => self.scratch.get(..self.top)?,
            Region::Strings => self.strings.as_slice(),
            Region::Fire => self.fire.as_slice(),
        };
        Some((memory, usize::try_from(decoded.offset).ok()?))
    }

    /// The string a register points to, or what reading it ran into.
    pub fn text(&mut self, addr: u64) -> String {
        let mut buffer = [0; 1024];
        match crate::string::read(self, addr, &mut buffer) {
            Ok(len) => String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned(),
            Err(fault) => alloc::format!("{fault:?}"),
        }
    }

    /// Appends a string constant and returns its address.
    pub fn constant(&mut self, text: &str) -> u64 {
        let offset = long(self.strings.len());
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        TracerAddr { region: Region::Strings, offset }.to_raw()
    }

    fn key(&mut self, key: &[TupleElement]) -> Result<Vec<Vec<u8>>, Fault> {
        key.iter().map(|element| self.key_part(element)).collect()
    }

    fn key_part(&mut self, element: &TupleElement) -> Result<Vec<u8>, Fault> {
        if element.size == 0 {
            return Ok(element.value.to_le_bytes().to_vec());
        }
        let limit = usize::try_from(element.size).unwrap_or(usize::MAX);
        if limit > 1 << 20 {
            return Err(Fault::at(FaultKind::BadAddr, element.value));
        }
        let mut bytes = vec![0; limit];
        if element.is_string {
            let len = crate::string::length(self, element.value, limit)?;
            bytes.truncate(len);
        }
        self.read(element.value, &mut bytes)?;
        Ok(bytes)
    }
}

fn long(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Machine memory comes in pages: what the test put there, then zeros to the page's end.
fn machine(memory: &[u8], base: u64, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
    let refused = Fault::at(FaultKind::BadAddr, addr);
    let start = addr.checked_sub(base).and_then(|at| usize::try_from(at).ok()).ok_or(refused)?;
    let end = start.checked_add(buf.len()).ok_or(refused)?;
    if end > memory.len().next_multiple_of(4096) {
        return Err(refused);
    }
    for (at, byte) in (start..end).zip(buf) {
        *byte = memory.get(at).copied().unwrap_or(0);
    }
    Ok(())
}

fn scope_key(scope: Scope) -> u8 {
    match scope {
        Scope::Global => 0,
        Scope::Thread => 1,
        Scope::Local => 2,
    }
}

impl Env for Mock {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        if TracerAddr::from_raw(addr).is_some() {
            let bytes = self.tracer(addr, buf.len());
            buf.copy_from_slice(bytes.ok_or(Fault::at(FaultKind::BadAddr, addr))?);
            return Ok(());
        }
        machine(&self.kernel, KERNEL, addr, buf)
    }

    fn read_user(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        machine(&self.user, USER, addr, buf)
    }

    fn read_nested(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        machine(&self.nested, NESTED, addr, buf)
    }

    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let to = self.scratch_mut(addr, bytes.len());
        to.ok_or(Fault::at(FaultKind::BadAddr, addr))?.copy_from_slice(bytes);
        Ok(())
    }

    fn may_store(&mut self, addr: u64, len: usize) -> bool {
        self.scratch_mut(addr, len).is_some()
    }

    fn tracer(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let (memory, at) = self.region(addr)?;
        memory.get(at..at.checked_add(len)?)
    }

    fn tracer_prefix(&self, addr: u64, max: usize) -> Option<&[u8]> {
        let (memory, at) = self.region(addr)?;
        let rest = memory.get(at..).filter(|rest| !rest.is_empty())?;
        rest.get(..max.min(rest.len()))
    }

    fn scratch_mut(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let decoded = TracerAddr::from_raw(addr).filter(|a| a.region == Region::Arena)?;
        let at = usize::try_from(decoded.offset).ok()?;
        self.scratch.get_mut(..self.top)?.get_mut(at..at.checked_add(len)?)
    }

    fn alloca(&mut self, size: u64, align: u64) -> Result<u64, Fault> {
        let align = usize::try_from(align).unwrap_or(1).max(1);
        let start = self.top.next_multiple_of(align);
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let end = end.filter(|end| *end <= self.scratch.len());
        self.top = end.ok_or(Fault::at(FaultKind::NoScratch, size))?;
        Ok(TracerAddr { region: Region::Arena, offset: long(start) }.to_raw())
    }

    fn scratch_mark(&self) -> u64 {
        long(self.top)
    }

    fn scratch_release(&mut self, mark: u64) {
        self.top = usize::try_from(mark).map_or(self.top, |mark| mark.min(self.top));
    }

    fn strtok_state(&mut self) -> &mut u64 {
        &mut self.strtok
    }

    fn strsize(&self) -> usize {
        self.strsize
    }

    fn builtin(&mut self, var: u16, index: u64) -> Result<u64, Fault> {
        Ok((u64::from(var) << 32) | (index & 0xffff))
    }

    fn var_get(&mut self, scope: Scope, id: u16) -> Result<u64, Fault> {
        Ok(self.vars.get(&(scope_key(scope), id)).copied().unwrap_or(0))
    }

    fn var_set(&mut self, scope: Scope, id: u16, value: u64) -> Result<(), Fault> {
        self.vars.insert((scope_key(scope), id), value);
        Ok(())
    }

    fn var_update(&mut self, id: u16, op: AtomicOp, operand: u64) -> Result<(u64, u64), Fault> {
        let old = self.var_get(Scope::Global, id)?;
        let new = op.apply(old, operand)?;
        self.var_set(Scope::Global, id, new)?;
        Ok((old, new))
    }

    fn assoc_get(&mut self, scope: Scope, id: u16, key: &[TupleElement]) -> Result<u64, Fault> {
        let key = self.key(key)?;
        Ok(self.assoc.get(&(scope_key(scope), id, key)).copied().unwrap_or(0))
    }

    fn assoc_set(
        &mut self,
        scope: Scope,
        id: u16,
        key: &[TupleElement],
        value: u64,
    ) -> Result<(), Fault> {
        let key = self.key(key)?;
        self.assoc.insert((scope_key(scope), id, key), value);
        Ok(())
    }

    fn subroutine(&mut self, subr: u16, args: &[TupleElement]) -> Result<u64, Fault> {
        self.calls.push((subr, args.iter().map(|element| element.value).collect()));
        Ok(u64::from(subr) + 1000)
    }
}
