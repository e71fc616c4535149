//! What expressions see while a probe fires: [`dif::env::Env`] over an arena, a fire's context and
//! the slot's private memory.
//!
//! # Tracer addresses
//! Region `Arena`: offsets of the arena. Everything can be read; globals and values of dynamic
//! variables can be written. Region `Strings`: the program's constants. Region `Fire`: bits 40:32
//! of the offset say which private memory, bits 31:0 where in it.

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed, Release, SeqCst},
};

use dif::{
    env::{AtomicOp, Env, Fault, FaultKind, Region, Scope, TracerAddr, TupleElement},
    number::{subr, var},
    string,
};

use super::{
    code::Loaded,
    expr::variable_word,
    state::{EXECNAME, EnvState, Group, Place, SessionCore, SlotView},
};
use crate::{
    arena::{
        config::VarKind,
        header::{DropKind, STARTING, SlotHeader},
        key::{KeyBuf, hash},
        layout::CHUNK_HEAD_WORDS,
        mem::store_bytes,
    },
    clock::Clock,
    context::FireContext,
    ids::Epid,
    num::{high32, join, low32, u64_of, us, us64},
};

/// Private memories in region `Fire`.
mod part {
    pub(super) const SCRATCH: u32 = 0;
    pub(super) const LOCALS: u32 = 1;
    pub(super) const EXECNAME: u32 = 2;
    pub(super) const VMNAME: u32 = 3;
    /// Provider, module, function, name.
    pub(super) const NAMES: u32 = 4;
    pub(super) const ZONENAME: u32 = 8;
}

/// What `zonename` is where there are no zones.
const ZONENAME: &[u8] = b"global\0";

/// Tries to win a race for a scalar global before the update is given up as a fault.
const MAX_TRIES: u32 = 1 << 16;

/// Reads the clock, after the slot has said that it is about to: the consumer never hands out a
/// younger record before this fire's.
#[inline(always)]
pub(crate) fn read_clock<K: Clock>(slot: &SlotHeader, clock: &K) -> u64 {
    slot.in_fire.swap(STARTING, SeqCst);
    let now = clock.now();
    slot.in_fire.store(now, Release);
    now
}

/// What a fire of one probe in one session needs that does not change.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) core: Arc<SessionCore>,
    pub(crate) program: Arc<Loaded>,
    pub(crate) group: Arc<Group>,
    /// The session's ERROR clauses on this machine.
    pub(crate) errors: Arc<Group>,
}

/// The environment of one ECB in one fire.
pub(crate) struct FireEnv<'a, C, K> {
    pub(crate) target: &'a Target,
    pub(crate) view: &'a SlotView<'a>,
    pub(crate) ctx: &'a C,
    pub(crate) clock: &'a K,
    pub(crate) state: &'a mut EnvState,
    /// The fire's time; 0 until somebody asks for it.
    pub(crate) now: u64,
    pub(crate) epid: Epid,
    /// The ERROR probe's own arguments.
    pub(crate) error: Option<&'a [u64; 6]>,
}

/// Built-in variables that every machine has and that cannot fault.
pub(crate) const fn is_plain(id: u16) -> bool {
    matches!(
        id,
        var::ARG0..=var::ARG9
            | var::TIMESTAMP
            | var::WALLTIMESTAMP
            | var::PID
            | var::TID
            | var::EXECNAME
            | var::CURTHREAD
            | var::EPID
            | var::ID
            | var::PROBEPROV..=var::PROBENAME
            | var::VMNAME
            | var::CPU
            | var::PPID
            | var::UID
            | var::GID
            | var::ERRNO
            | var::VTIMESTAMP
            | var::CALLER
            | var::STACKDEPTH
            | var::ZONENAME
            | var::JAILNAME
            | var::IPL
            | var::JID
    )
}

fn fire_addr(part: u32, offset: usize) -> u64 {
    TracerAddr { region: Region::Fire, offset: (u64::from(part) << 32) | u64_of(offset) }.to_raw()
}

fn arena_addr(offset: u64) -> u64 {
    TracerAddr { region: Region::Arena, offset }.to_raw()
}

fn bad(addr: u64) -> Fault {
    Fault::at(FaultKind::BadAddr, addr)
}

fn illegal(what: u16) -> Fault {
    Fault::at(FaultKind::IllOp, u64::from(what))
}

impl<C: FireContext, K: Clock> FireEnv<'_, C, K> {
    /// The private memory or constants that a tracer address lies in, from there on.
    #[inline]
    fn private(&self, at: TracerAddr) -> Option<&[u8]> {
        if at.region == Region::Strings {
            return self.target.program.verified.strings.get(us64(at.offset)..);
        }
        let memory: &[u8] = match high32(at.offset) {
            part::SCRATCH => self.state.scratch.get(..self.state.top)?,
            part::LOCALS => &self.state.locals,
            part::EXECNAME => &self.state.execname,
            part::VMNAME => &self.target.core.vmname,
            part::ZONENAME => ZONENAME,
            name => self.target.group.names.parts.get(us(name.checked_sub(part::NAMES)?))?,
        };
        memory.get(us(low32(at.offset))..)
    }

    /// Bytes of the slot's private memory that the script may write: scratch and clause-locals.
    fn own_bytes(&mut self, at: TracerAddr, len: usize) -> Option<&mut [u8]> {
        let memory = match (at.region, high32(at.offset)) {
            (Region::Fire, part::SCRATCH) => self.state.scratch.get_mut(..self.state.top)?,
            (Region::Fire, part::LOCALS) => &mut *self.state.locals,
            _ => return None,
        };
        let start = us(low32(at.offset));
        memory.get_mut(start..start.checked_add(len)?)
    }

    /// Whether the script may write arena bytes: globals, and values of dynamic variables.
    fn is_writable(&self, offset: u64, len: usize) -> bool {
        let layout = &self.target.core.layout;
        let Some(end) = offset.checked_add(u64_of(len)) else { return false };
        let globals = layout.globals;
        if offset >= globals.offset && end <= globals.offset + globals.len {
            return true;
        }
        let dynamic = &layout.dynvars;
        let Some(within) = offset.checked_sub(dynamic.chunks.offset) else { return false };
        if dynamic.chunk == 0 || end > dynamic.chunks.offset + dynamic.chunks.len {
            return false;
        }
        let (chunk, value) =
            (u64::from(dynamic.chunk), u64::from(CHUNK_HEAD_WORDS + dynamic.key_words) * 8);
        within % chunk >= value && within % chunk + u64_of(len) <= chunk
    }

    /// Does something that is out of line with a copy of the environment, so that the one at hand
    /// can live in registers: the address of the copy is all that is given away.
    #[inline(always)]
    pub(crate) fn aside<R>(&mut self, work: impl FnOnce(&mut FireEnv<'_, C, K>) -> R) -> R {
        let FireEnv { target, view, ctx, clock, now, epid, error, .. } = *self;
        let state = &mut *self.state;
        let mut copy = FireEnv { target, view, ctx, clock, state, now, epid, error };
        let result = work(&mut copy);
        self.now = copy.now;
        result
    }

    /// The fire's time: the clock's at the first question.
    #[inline(always)]
    pub(crate) fn time(&mut self) -> u64 {
        if self.now == 0 {
            self.now = read_clock(self.view.slot, self.clock);
        }
        self.now
    }

    /// A built-in variable of [`is_plain`].
    pub(crate) fn plain_builtin(&mut self, id: u16) -> u64 {
        self.builtin(id, 0).unwrap_or(0)
    }

    /// The word of a thread-local's key that says whose it is.
    #[inline(always)]
    pub(crate) fn thread_word(&self) -> u64 {
        join(self.target.core.machine.0, self.ctx.tid())
    }

    /// Stores a clause-local number.
    #[inline(never)]
    pub(crate) fn put_local(&mut self, offset: usize, value: u64) {
        self.put(Scope::Local, offset, &value.to_le_bytes());
    }

    /// The words a key starts with: the variable, and for a thread-local one whose it is.
    #[inline]
    fn key_head(&self, scope: Scope, id: u16) -> [u64; 3] {
        let variable = variable_word(scope, id);
        if scope == Scope::Thread {
            [variable, self.thread_word(), self.ctx.thread()]
        } else {
            [variable, 0, 0]
        }
    }

    /// Builds an associative array's key in the slot's buffer, which it takes; put it back.
    fn key(
        &mut self,
        scope: Scope,
        id: u16,
        key: &[TupleElement],
    ) -> Result<(KeyBuf, bool), Fault> {
        let head = self.key_head(scope, id);
        let mut buf = core::mem::take(&mut self.state.key);
        buf.start(&head);
        let mut fits = true;
        for element in key {
            let added = self.key_part(&mut buf, element);
            match added {
                Ok(done) => fits &= done,
                Err(fault) => {
                    self.state.key = buf;
                    return Err(fault);
                }
            }
        }
        Ok((buf, fits))
    }

    fn key_part(&mut self, buf: &mut KeyBuf, element: &TupleElement) -> Result<bool, Fault> {
        if element.size == 0 && !element.is_string {
            return Ok(buf.scalar(element.value, 8).is_ok());
        }
        let max = if element.size == 0 { self.strsize() } else { us64(element.size) };
        if element.is_string
            && let Some(text) = self.tracer_prefix(element.value, max)
            && let Some(len) = string::find_nul(text)
        {
            return Ok(buf.put(text.get(..len).unwrap_or_default()).is_ok());
        }
        let mut value = core::mem::take(&mut self.state.value);
        let read = self.fetch(element.value, max, element.is_string, &mut value);
        let put = read.map(|len| {
            len.and_then(|len| value.get(..len)).is_some_and(|bytes| buf.put(bytes).is_ok())
        });
        self.state.value = value;
        put
    }

    /// Reads a by-reference value into a buffer: its length (a string's without the NUL), `None`
    /// if it is longer than the buffer.
    fn fetch(
        &mut self,
        addr: u64,
        size: usize,
        is_string: bool,
        into: &mut [u8],
    ) -> Result<Option<usize>, Fault> {
        let Some(place) = into.get_mut(..size) else { return Ok(None) };
        if is_string {
            return string::read(self, addr, place).map(Some);
        }
        self.read(addr, place)?;
        Ok(Some(size))
    }

    /// A dynamic variable's value under a key.
    fn dynamic_get(&self, kind: VarKind, key: &[u64], hash: u64) -> u64 {
        let Some(found) = self.view.dynvars.as_ref().and_then(|vars| vars.get(key, hash)) else {
            return 0;
        };
        match kind {
            VarKind::Scalar => found.words.first().map_or(0, |word| word.load(Relaxed)),
            VarKind::Bytes | VarKind::String => arena_addr(found.offset),
        }
    }

    /// Stores a dynamic variable's value under a key; 0 deletes it.
    fn dynamic_set(
        &mut self,
        place: (VarKind, usize),
        key: &[u64],
        hash: u64,
        value: u64,
    ) -> Result<(), Fault> {
        let (kind, size) = place;
        if value == 0 {
            if let Some(vars) = self.view.dynvars.as_ref() {
                vars.delete(key, hash);
            }
            return Ok(());
        }
        if kind == VarKind::Scalar {
            let outcome = self.view.dynvars.as_ref().map(|vars| {
                vars.set(key, hash, |words| {
                    if let Some(word) = words.first() {
                        word.store(value, Relaxed);
                    }
                })
            });
            self.count_drop(outcome);
            return Ok(());
        }
        let mut bytes = core::mem::take(&mut self.state.value);
        let read = self.fetch(value, size, kind == VarKind::String, &mut bytes);
        if let Ok(Some(len)) = read {
            // A string goes with its NUL, which `fetch` has left behind it.
            let end = if kind == VarKind::String { (len + 1).min(size) } else { len };
            let from = bytes.get(..end).unwrap_or_default();
            let outcome = self
                .view
                .dynvars
                .as_ref()
                .map(|vars| vars.set(key, hash, |words| store_bytes(words, from)));
            self.count_drop(outcome);
        }
        self.state.value = bytes;
        read.map(|_| ())
    }

    fn count_drop(&self, outcome: Option<Result<(), DropKind>>) {
        if let Some(Err(kind)) = outcome {
            self.view.slot.count(kind);
        }
    }

    /// Copies a by-reference value to a global (in the arena) or clause-local variable.
    fn set_bytes(
        &mut self,
        scope: Scope,
        offset: usize,
        size: usize,
        is_string: bool,
        value: u64,
    ) -> Result<(), Fault> {
        if value == 0 {
            self.put(scope, offset, &1_u64.to_le_bytes());
            return Ok(());
        }
        let mut bytes = core::mem::take(&mut self.state.value);
        let read = self.fetch(value, size, is_string, &mut bytes);
        if let Ok(Some(len)) = read {
            let end = if is_string { (len + 1).min(size) } else { len };
            self.put(scope, offset + 8, bytes.get(..end).unwrap_or_default());
            self.put(scope, offset, &[0; 8]);
        }
        self.state.value = bytes;
        read.map(|_| ())
    }

    fn put(&mut self, scope: Scope, offset: usize, bytes: &[u8]) {
        if scope == Scope::Local {
            if let Some(place) = self.state.locals.get_mut(offset..offset + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        } else {
            // Offsets come from the layout; what does not fit it does not exist.
            let _fits = self.view.mem.write(offset, bytes);
        }
    }

    #[inline]
    pub(crate) fn local_word(&self, offset: usize) -> u64 {
        let bytes = self.state.locals.get(offset..).and_then(|rest| rest.first_chunk());
        bytes.copied().map_or(0, u64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn global(&self, offset: usize) -> Option<&AtomicU64> {
        self.view.mem.get(offset)
    }

    fn execname(&mut self) -> u64 {
        if !self.state.has_execname {
            let name = self.ctx.execname();
            let len = name.len().min(EXECNAME - 1);
            self.state.execname = [0; EXECNAME];
            for (to, from) in self.state.execname.iter_mut().zip(name.iter().take(len)) {
                *to = *from;
            }
            self.state.has_execname = true;
        }
        fire_addr(part::EXECNAME, 0)
    }

    fn random(&mut self) -> u64 {
        let mut x = self.state.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.state.random = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    #[inline]
    pub(crate) fn arg(&self, index: usize) -> u64 {
        match self.error {
            Some(args) => args.get(index).copied().unwrap_or(0),
            None => self.ctx.arg(index),
        }
    }

    fn update_bounded(
        cell: &AtomicU64,
        size: u32,
        op: AtomicOp,
        operand: u64,
    ) -> Result<(u64, u64), Fault> {
        let mut old = cell.load(Relaxed);
        for _ in 0..MAX_TRIES {
            let new = op.apply_sized(old, operand, size)?;
            match cell.compare_exchange_weak(old, new, AcqRel, Relaxed) {
                Ok(_) => return Ok((old, new)),
                Err(now) => old = now,
            }
        }
        Err(Fault::at(FaultKind::Unknown, operand))
    }
}

impl<C: FireContext, K: Clock> Env for FireEnv<'_, C, K> {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let Some(at) = TracerAddr::from_raw(addr) else { return self.ctx.read_kernel(addr, buf) };
        if at.region == Region::Arena {
            return if self.view.mem.read(us64(at.offset), buf) { Ok(()) } else { Err(bad(addr)) };
        }
        let from = self.private(at).and_then(|rest| rest.get(..buf.len())).ok_or(bad(addr))?;
        buf.copy_from_slice(from);
        Ok(())
    }

    fn load(&mut self, addr: u64, width: usize) -> Result<u64, Fault> {
        let mut bytes = [0_u8; 8];
        let part = bytes.get_mut(..width).ok_or(Fault::at(FaultKind::IllOp, addr))?;
        self.read(addr, part)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn read_user(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        if TracerAddr::from_raw(addr).is_some() {
            return Err(bad(addr));
        }
        self.ctx.read_user(addr, buf)
    }

    fn read_nested(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        if TracerAddr::from_raw(addr).is_some() {
            return Err(bad(addr));
        }
        self.ctx.read_nested(addr, buf)
    }

    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let at = TracerAddr::from_raw(addr).ok_or(bad(addr))?;
        if at.region == Region::Arena {
            let done = self.is_writable(at.offset, bytes.len())
                && self.view.mem.write(us64(at.offset), bytes);
            return if done { Ok(()) } else { Err(bad(addr)) };
        }
        self.own_bytes(at, bytes.len()).ok_or(bad(addr))?.copy_from_slice(bytes);
        Ok(())
    }

    fn may_store(&mut self, addr: u64, len: usize) -> bool {
        match TracerAddr::from_raw(addr) {
            Some(at) if at.region == Region::Arena => self.is_writable(at.offset, len),
            Some(at) => self.own_bytes(at, len).is_some(),
            None => false,
        }
    }

    fn tracer(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let at = TracerAddr::from_raw(addr)?;
        if at.region == Region::Arena {
            // Shared memory changes under a reference; it is read by copying.
            return None;
        }
        self.private(at)?.get(..len)
    }

    fn tracer_prefix(&self, addr: u64, max: usize) -> Option<&[u8]> {
        let at = TracerAddr::from_raw(addr)?;
        if at.region == Region::Arena {
            return None;
        }
        let rest = self.private(at)?;
        let found = rest.get(..max.min(rest.len()))?;
        if found.is_empty() { None } else { Some(found) }
    }

    fn scratch_mut(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let at = TracerAddr::from_raw(addr)?;
        if at.region != Region::Fire || high32(at.offset) != part::SCRATCH {
            return None;
        }
        let start = us(low32(at.offset));
        self.state.scratch.get_mut(..self.state.top)?.get_mut(start..start.checked_add(len)?)
    }

    fn alloca(&mut self, size: u64, align: u64) -> Result<u64, Fault> {
        let none = Fault::at(FaultKind::NoScratch, size);
        let mask = us64(align).checked_sub(1).ok_or(none)?;
        let start = self.state.top.checked_add(mask).ok_or(none)? & !mask;
        let end = start.checked_add(us64(size)).ok_or(none)?;
        if end > self.state.scratch.len() {
            return Err(none);
        }
        self.state.top = end;
        Ok(fire_addr(part::SCRATCH, start))
    }

    fn scratch_mark(&self) -> u64 {
        u64_of(self.state.top)
    }

    fn scratch_release(&mut self, mark: u64) {
        self.state.top = self.state.top.min(us64(mark));
    }

    fn strtok_state(&mut self) -> &mut u64 {
        &mut self.state.strtok
    }

    fn strsize(&self) -> usize {
        us(self.target.core.layout.config().strsize)
    }

    #[inline]
    fn builtin(&mut self, id: u16, index: u64) -> Result<u64, Fault> {
        Ok(match id {
            var::ARG0..=var::ARG9 => self.arg(usize::from(id - var::ARG0)),
            var::ARGS if index < 10 => self.arg(us64(index)),
            var::ARGS => return Err(illegal(id)),
            var::TIMESTAMP => self.time(),
            var::WALLTIMESTAMP => {
                self.time().wrapping_add(self.target.core.layout.config().wall_offset)
            }
            var::PID => u64::from(self.ctx.pid()),
            var::TID => u64::from(self.ctx.tid()),
            var::EXECNAME => self.execname(),
            var::CURTHREAD => self.ctx.thread(),
            var::EPID => u64::from(self.epid.0),
            var::ID => u64::from(self.target.group.id),
            var::PROBEPROV..=var::PROBENAME => {
                fire_addr(part::NAMES + u32::from(id - var::PROBEPROV), 0)
            }
            var::VMNAME => fire_addr(part::VMNAME, 0),
            var::CPU => u64::from(self.ctx.cpu()),
            _ => return self.rare_builtin(id),
        })
    }

    #[inline]
    fn var_get(&mut self, scope: Scope, id: u16) -> Result<u64, Fault> {
        Ok(match (scope, self.target.core.places.get(scope, id)) {
            (Scope::Global, Place::Scalar { offset, .. }) => {
                self.global(offset).map_or(0, |cell| cell.load(Relaxed))
            }
            (Scope::Local, Place::Scalar { offset, .. }) => self.local_word(offset),
            (Scope::Thread, Place::Dynamic { kind, .. }) => {
                let [a, b, c] = self.key_head(scope, id);
                let key = [a, b, c, 0];
                self.dynamic_get(kind, &key, hash(&key))
            }
            (Scope::Global, Place::Bytes { offset, .. }) => {
                let null = self.global(offset).is_none_or(|flag| flag.load(Relaxed) != 0);
                if null { 0 } else { arena_addr(u64_of(offset + 8)) }
            }
            (Scope::Local, Place::Bytes { offset, .. }) => {
                if self.local_word(offset) == 0 {
                    fire_addr(part::LOCALS, offset + 8)
                } else {
                    0
                }
            }
            _ => return Err(illegal(id)),
        })
    }

    #[inline]
    fn var_set(&mut self, scope: Scope, id: u16, value: u64) -> Result<(), Fault> {
        match (scope, self.target.core.places.get(scope, id)) {
            (Scope::Global, Place::Scalar { offset, .. }) => {
                if let Some(cell) = self.global(offset) {
                    cell.store(value, Relaxed);
                }
                Ok(())
            }
            (Scope::Local, Place::Scalar { offset, .. }) => {
                self.put(scope, offset, &value.to_le_bytes());
                Ok(())
            }
            (Scope::Thread, Place::Dynamic { kind, size }) => {
                let [a, b, c] = self.key_head(scope, id);
                let key = [a, b, c, 0];
                self.dynamic_set((kind, size), &key, hash(&key), value)
            }
            (_, Place::Bytes { offset, size, is_string }) => {
                self.set_bytes(scope, offset, size, is_string, value)
            }
            _ => Err(illegal(id)),
        }
    }

    fn var_update(&mut self, id: u16, op: AtomicOp, operand: u64) -> Result<(u64, u64), Fault> {
        let Place::Scalar { offset, size } = self.target.core.places.get(Scope::Global, id) else {
            return Err(illegal(id));
        };
        let cell = self.global(offset).ok_or(illegal(id))?;
        if op == AtomicOp::Add && size == 8 {
            let old = cell.fetch_add(operand, AcqRel);
            return Ok((old, old.wrapping_add(operand)));
        }
        Self::update_bounded(cell, size, op, operand)
    }

    fn assoc_get(&mut self, scope: Scope, id: u16, key: &[TupleElement]) -> Result<u64, Fault> {
        let Place::Dynamic { kind, .. } = self.target.core.places.get(scope, id) else {
            return Err(illegal(id));
        };
        let (mut buf, fits) = self.key(scope, id, key)?;
        let (words, hash) = buf.finish(3);
        let found = if fits { self.dynamic_get(kind, words, hash) } else { 0 };
        self.state.key = buf;
        Ok(found)
    }

    fn assoc_set(
        &mut self,
        scope: Scope,
        id: u16,
        key: &[TupleElement],
        value: u64,
    ) -> Result<(), Fault> {
        let Place::Dynamic { kind, size } = self.target.core.places.get(scope, id) else {
            return Err(illegal(id));
        };
        let (mut buf, fits) = self.key(scope, id, key)?;
        let (words, hash) = buf.finish(3);
        let outcome = if fits {
            self.dynamic_set((kind, size), words, hash, value)
        } else {
            self.view.slot.count(DropKind::Dynamic);
            Ok(())
        };
        self.state.key = buf;
        outcome
    }

    fn subroutine(&mut self, number: u16, args: &[TupleElement]) -> Result<u64, Fault> {
        match number {
            subr::COPYOUT => self.copyout(args, false),
            subr::COPYOUTSTR => self.copyout(args, true),
            subr::RAND => Ok(self.random()),
            subr::SPECULATION => Ok(self.view.specs.acquire(self.view.slot)),
            _ => Err(illegal(number)),
        }
    }
}

/// Bytes that `copyout()` copies at once.
const COPY: usize = 256;

/// More frames than this `ustackdepth` does not count.
const USER_FRAMES: usize = 256;

/// Memory is there by pages.
const PAGE: usize = 4096;

impl<C: FireContext, K: Clock> FireEnv<'_, C, K> {
    /// `copyout(from, to, size)`; of a string up to its NUL and no more than `size`, as
    /// `copyoutstr(s, to, max)`. Where a page cannot be written the copy ends with a fault.
    #[cold]
    fn copyout(&mut self, args: &[TupleElement], is_string: bool) -> Result<u64, Fault> {
        let [from, to, size] = args else { return Err(illegal(subr::COPYOUT)) };
        let size = us64(size.value);
        if size > super::state::SCRATCH {
            return Err(Fault::at(FaultKind::NoScratch, u64_of(size)));
        }
        let mut done = 0;
        while done < size {
            let mut block = [0; COPY];
            let at = from.value.wrapping_add(u64_of(done));
            // No further than the page: what a string has behind its end may not be there.
            let page = PAGE - us64(at % u64_of(PAGE));
            let len = page.min(size - done).min(COPY);
            let block = block.get_mut(..len).unwrap_or_default();
            let nul = if is_string { self.string_block(at, block)? } else { None };
            if !is_string {
                self.read(at, block)?;
            }
            let len = nul.map_or(len, |nul| nul + 1);
            let bytes = block.get(..len).unwrap_or_default();
            self.ctx.write_user(to.value.wrapping_add(u64_of(done)), bytes)?;
            if nul.is_some() {
                break;
            }
            done += len;
        }
        Ok(0)
    }

    /// Reads a part of a string; where its NUL is, if that is in it.
    fn string_block(&mut self, at: u64, block: &mut [u8]) -> Result<Option<usize>, Fault> {
        if let Some(text) = self.tracer_prefix(at, block.len()) {
            for (to, byte) in block.iter_mut().zip(text) {
                *to = *byte;
            }
        } else {
            self.read(at, block)?;
        }
        Ok(string::find_nul(block))
    }

    /// The process's program counters, and how many; those behind the last are 0.
    #[cold]
    fn user_stack(&self) -> ([u64; USER_FRAMES], usize) {
        let mut frames = [0; USER_FRAMES];
        let count = self.ctx.user_stack(&mut frames);
        (frames, count)
    }

    /// Built-ins that scripts use less often than those of [`Env::builtin`].
    fn rare_builtin(&mut self, id: u16) -> Result<u64, Fault> {
        Ok(match id {
            var::PPID => u64::from(self.ctx.ppid()),
            var::UID => u64::from(self.ctx.uid()),
            var::GID => u64::from(self.ctx.gid()),
            var::ERRNO => i64::from(self.ctx.errno()).cast_unsigned(),
            var::VTIMESTAMP => self.ctx.vtimestamp(),
            var::CALLER => self.ctx.kernel_stack().frame(1),
            var::UCALLER => self.user_stack().0[1],
            var::USTACKDEPTH => u64_of(self.user_stack().1),
            var::STACKDEPTH => u64_of(self.ctx.kernel_stack().len()),
            var::ZONENAME => fire_addr(part::ZONENAME, 0),
            var::JAILNAME => {
                self.ctx.jail().map_or_else(|| fire_addr(part::ZONENAME, 0), |jail| jail.name)
            }
            var::IPL => 0,
            var::JID => self.ctx.jail().map_or(0, |jail| u64::from(jail.id)),
            _ => return Err(illegal(id)),
        })
    }
}
