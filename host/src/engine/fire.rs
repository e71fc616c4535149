//! `dtrace_probe()`: runs a probe's ECBs in one session.
//!
//! For each ECB: activity, predicate, actions into a private record, publish. A fault ends its ECB
//! only: it is counted, told to the consumer ([`ErrorRecord`]) and fires the session's ERROR
//! clauses; a fault in one of those is counted and nothing else.
//!
//! # Context
//! All of this is the firing path; see the crate's rule.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use dif::{
    env::{Env, Fault, FaultKind},
    interp::{self, DifFault},
    number::act,
    string,
};

use super::{
    code::{AggStep, DifoId, EcbCode, Loaded, Step},
    env::FireEnv,
    state::{Group, OutState, Reaction, SessionCore, SlotState, SlotView},
};
use crate::{
    arena::{
        activity::Activity,
        agg::AggTarget,
        config::BufPolicy,
        header::{DropKind, STARTING, SlotHeader},
        ring::{RingWriter, tag},
        spec::{End, SpecBuffer},
    },
    clock::Clock,
    context::FireContext,
    ecb::RECORD_HEADER,
    ids::Epid,
    num::{cut, join, low16, low32, u32_of, u64_of, us},
};

/// The epid of [`ErrorRecord`]s; the consumer gives it to no ECB.
pub const ERROR_EPID: Epid = Epid(u32::MAX);

/// What the engine tells the consumer of a fault: a record of [`ERROR_EPID`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRecord {
    /// Whose clause was left.
    pub epid: Epid,
    /// The action's place in its ECB, from 1; 0 for the predicate.
    pub action: u32,
    /// Bytes from the DIFO's start.
    pub offset: u32,
    /// `DTRACEFLT_*`.
    pub kind: u32,
    /// The offending address or value.
    pub value: u64,
}

impl ErrorRecord {
    /// Bytes of the record, header included.
    pub const SIZE: usize = 40;

    /// Reads one back; `bytes` is a whole record.
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let value = u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?);
        Some(Self {
            epid: Epid(word(16)?),
            action: word(20)?,
            offset: word(24)?,
            kind: word(28)?,
            value,
        })
    }

    /// The record's head and body.
    fn to_words(self, timestamp: u64) -> ([u64; 2], [u64; 3]) {
        let body = [join(self.action, self.epid.0), join(self.kind, self.offset), self.value];
        ([tag(ERROR_EPID, 40), timestamp], body)
    }
}

/// One probe in one session.
pub(crate) struct Probe<'a> {
    pub(crate) core: &'a SessionCore,
    pub(crate) program: &'a Loaded,
    pub(crate) group: &'a Group,
    /// The session's ERROR clauses on this machine.
    pub(crate) errors: &'a Group,
}

impl Probe<'_> {
    /// Fires. The clock is read after the slot has said that it is in a fire, so that the consumer
    /// never hands out a younger record before this fire's.
    #[inline]
    pub(crate) fn fire<C: FireContext, K: Clock>(
        &self,
        state: &mut SlotState<'_>,
        ctx: &C,
        clock: &K,
    ) {
        let SlotState { view, env, out, reaction } = state;
        let view = &*view;
        let slot = view.slot;
        slot.in_fire.swap(STARTING, SeqCst);
        let now = clock.now();
        slot.in_fire.store(now, Release);
        env.begin();
        let Self { core, program, group, .. } = *self;
        if let ([(number, epid)], true) = (&*group.ecbs, view.may_fire()) {
            let code = program.ecbs.get(us(*number));
            if code.is_some_and(EcbCode::is_bare) {
                push(view, &mut out.ring, [tag(*epid, RECORD_HEADER), now], &[]);
                leave(slot);
                return;
            }
        }
        let env = FireEnv {
            core,
            view,
            program,
            group,
            ctx,
            state: env,
            now,
            epid: Epid(0),
            error: None,
        };
        let mut ecb = Ecb { env, out, reaction, speculation: 0, before: 0 };
        for (number, epid) in &group.ecbs {
            if !view.may_fire() {
                break;
            }
            let Some(code) = program.ecbs.get(us(*number)) else { continue };
            ecb.env.epid = *epid;
            ecb.speculation = 0;
            if let Err(error) = ecb.run(code) {
                ecb.fault(error, self.errors);
            }
            if ecb.env.state.strtok == 0 {
                ecb.env.state.top = 0;
            }
        }
        leave(slot);
    }
}

/// The slot's fire is over.
#[inline]
fn leave(slot: &SlotHeader) {
    slot.fires.store(slot.fires.load(Relaxed).wrapping_add(1), Relaxed);
    slot.in_fire.store(0, Release);
}

/// One ECB while it runs.
struct Ecb<'e, C> {
    env: FireEnv<'e, C>,
    out: &'e mut OutState,
    reaction: &'e mut Reaction,
    /// Where the record goes; 0: to the principal buffer.
    speculation: u64,
    /// A fault's action lies so many before its aggregation: it is an element of the key.
    before: u32,
}

/// Whether the ECB goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    /// `speculate()` of an id that is not active: nothing else happens, and nothing is recorded.
    Skip,
}

impl<'e, C: FireContext> Ecb<'e, C> {
    /// Counts a fault, tells the consumer, fires the ERROR clauses.
    #[cold]
    #[inline(never)]
    fn fault(&mut self, error: ErrorRecord, errors: &'e Group) {
        let view = self.env.view;
        view.slot.count(DropKind::Error);
        let (head, body) = error.to_words(self.env.now);
        let mut bytes = [0_u8; ErrorRecord::SIZE - 16];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(body) {
            *to = word.to_le_bytes();
        }
        push(view, &mut self.out.ring, head, &bytes);
        let args = [
            0,
            u64::from(error.epid.0),
            u64::from(error.action),
            u64::from(error.offset),
            u64::from(error.kind),
            error.value,
        ];
        let FireEnv { core, program, ctx, now, .. } = self.env;
        for (number, epid) in &errors.ecbs {
            let Some(code) = program.ecbs.get(us(*number)) else { continue };
            let state = &mut *self.env.state;
            let (epid, error) = (*epid, Some(&args));
            let env = FireEnv { core, view, program, group: errors, ctx, state, now, epid, error };
            let (out, reaction) = (&mut *self.out, &mut *self.reaction);
            if (Ecb { env, out, reaction, speculation: 0, before: 0 }).run(code).is_err() {
                view.slot.count(DropKind::DoubleError);
            }
        }
    }

    #[inline]
    fn run(&mut self, code: &EcbCode) -> Result<(), ErrorRecord> {
        if let Some(predicate) = code.predicate {
            let holds = self.eval(predicate).map_err(|fault| self.error(0, fault))?;
            if holds == 0 {
                return Ok(());
            }
        }
        for (action, step) in &code.steps {
            match self.step(step) {
                Ok(Flow::Next) => {}
                Ok(Flow::Skip) => return Ok(()),
                Err(fault) => {
                    let before = core::mem::take(&mut self.before);
                    return Err(self.error(action + 1 - before, fault));
                }
            }
        }
        if code.size > 0 {
            self.publish(code.size);
        }
        Ok(())
    }

    #[inline]
    fn eval(&mut self, difo: DifoId) -> Result<u64, DifFault> {
        match self.env.program.difo(difo) {
            Some(difo) => interp::run(difo, &mut self.env),
            None => Ok(0),
        }
    }

    fn error(&self, action: u32, fault: DifFault) -> ErrorRecord {
        let (kind, value) = (fault.fault.kind as u32, fault.fault.value);
        ErrorRecord { epid: self.env.epid, action, offset: fault.offset, kind, value }
    }

    #[inline]
    fn step(&mut self, step: &Step) -> Result<Flow, DifFault> {
        match step {
            Step::Eval(difo) => {
                self.eval(*difo)?;
            }
            Step::Value { difo, at, size } => {
                let value = self.eval(*difo)?;
                self.put_value(*at, *size, value);
            }
            Step::String { difo, at, size } => {
                let addr = self.eval(*difo)?;
                let place = self.out.record.get_mut(us(*at)..us(*at + *size)).unwrap_or_default();
                string::read(&mut self.env, addr, place).map_err(unlocated)?;
            }
            Step::Bytes { difo, at, size, user } => {
                let addr = self.eval(*difo)?;
                let place = self.out.record.get_mut(us(*at)..us(*at + *size)).unwrap_or_default();
                read_bytes(&mut self.env, addr, place, *user).map_err(unlocated)?;
            }
            Step::User { difo, at } => {
                let value = self.eval(*difo)?;
                self.put(*at, &u64::from(self.env.ctx.pid()).to_le_bytes());
                self.put(*at + 8, &value.to_le_bytes());
            }
            Step::Stack { at, frames } => {
                let place = self.out.record.get_mut(us(*at)..us(*at + *frames * 8));
                stack(self.env.ctx, place.unwrap_or_default());
            }
            Step::Immstack { at, size, frames } => {
                let place = self.out.record.get_mut(us(*at)..us(*at + *size));
                immstack(self.env.ctx, *frames, place.unwrap_or_default());
            }
            Step::Exit { difo, at } => {
                let status = self.eval(*difo)?;
                self.put(*at, &low32(status).to_le_bytes());
                self.exit(low32(status).cast_signed());
            }
            Step::Speculate(difo) => return self.speculate(*difo),
            Step::EndSpeculation { difo, commit } => {
                let id = self.eval(*difo)?;
                self.end_speculation(id, *commit);
            }
            Step::Aggregate(agg) => self.aggregate(agg)?,
            Step::React { kind, difo } => self.react(*kind, *difo)?,
        }
        Ok(Flow::Next)
    }

    #[inline]
    fn put(&mut self, at: u32, bytes: &[u8]) {
        let start = us(at);
        if let Some(place) = self.out.record.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Writes the low `size` bytes of a value; a store each for the sizes that occur.
    #[inline]
    fn put_value(&mut self, at: u32, size: u32, value: u64) {
        let Some(place) = self.out.record.get_mut(us(at)..) else { return };
        match size {
            8 => store(place, value.to_le_bytes()),
            4 => store(place, low32(value).to_le_bytes()),
            2 => store(place, low16(value).to_le_bytes()),
            _ => store(place, [value.to_le_bytes()[0]]),
        }
    }

    /// Whoever calls `exit()` first stops all machines; the status is the last one's.
    fn exit(&self, status: i32) {
        let header = self.env.view.header;
        header.exit_status.store(status, Release);
        if !Activity::step(&header.activity, Activity::Active, Activity::Draining) {
            Activity::step(&header.activity, Activity::Warmup, Activity::Draining);
        }
    }

    fn speculate(&mut self, difo: DifoId) -> Result<Flow, DifFault> {
        let id = self.eval(difo)?;
        let view = self.env.view;
        if id == 0 || !view.specs.begin(id, view.number) {
            return Ok(Flow::Skip);
        }
        self.speculation = id;
        Ok(Flow::Next)
    }

    fn end_speculation(&mut self, id: u64, commit: bool) {
        let view = self.env.view;
        if view.specs.end(id, view.number, commit) != End::Own {
            return;
        }
        let layout = &self.env.core.layout;
        if let Some(buffer) = SpecBuffer::new(view.mem, layout, view.slot_at, id) {
            if commit {
                self.commit(&buffer);
            }
            buffer.clear();
        }
        view.specs.release(id);
    }

    /// Copies a speculation's records to the principal buffer; they count from now on, so that
    /// the order of the slot's records stays that of time.
    fn commit(&mut self, buffer: &SpecBuffer<'_>) {
        let mut at = 0;
        while let Some(len) = buffer.get(at, &mut self.out.record) {
            let bytes = self.out.record.get(..len).unwrap_or_default();
            if let Some((head, body)) = bytes.split_first_chunk() {
                let head = [u64::from_le_bytes(*head), self.env.now];
                let body = body.get(8..).unwrap_or_default();
                push(self.env.view, &mut self.out.ring, head, body);
            }
            at += len;
        }
    }

    fn react(&mut self, kind: u16, difo: Option<DifoId>) -> Result<(), DifFault> {
        let value = match difo {
            Some(difo) => self.eval(difo)?,
            None => 0,
        };
        let reaction = match kind {
            act::STOP => Reaction::Stop,
            act::RAISE => Reaction::Raise(low32(value).cast_signed()),
            act::BREAKPOINT => Reaction::Breakpoint,
            act::PANIC => Reaction::Panic,
            act::CHILL if self.env.state.may_chill(self.env.now, value) => Reaction::Chill(value),
            act::CHILL => return Err(unlocated(Fault { kind: FaultKind::IllOp, value: 0 })),
            _ => return Ok(()),
        };
        *self.reaction = self.reaction.then(reaction);
        Ok(())
    }

    /// Puts the record where it belongs.
    #[inline]
    fn publish(&mut self, size: u32) {
        let head = [tag(self.env.epid, size), self.env.now];
        if self.speculation == 0 {
            let body = self.out.record.get(us(RECORD_HEADER)..us(size)).unwrap_or_default();
            push(self.env.view, &mut self.out.ring, head, body);
        } else {
            self.keep_aside(head, size);
        }
    }

    /// Puts the record into the speculation's buffer.
    #[cold]
    fn keep_aside(&mut self, head: [u64; 2], size: u32) {
        self.put(0, &head[0].to_le_bytes());
        self.put(8, &head[1].to_le_bytes());
        let (view, layout) = (self.env.view, &self.env.core.layout);
        let buffer = SpecBuffer::new(view.mem, layout, view.slot_at, self.speculation);
        let record = self.out.record.get(..us(size)).unwrap_or_default();
        if buffer.is_none_or(|buffer| buffer.push(record).is_err()) {
            view.slot.count(DropKind::Spec);
        }
    }

    #[inline]
    fn aggregate(&mut self, agg: &AggStep) -> Result<(), DifFault> {
        let varid = match agg.varid {
            Ok(varid) => varid,
            Err(difo) => low32(self.eval(difo)?),
        };
        self.out.key.start(&[]);
        let weights = u32::from(agg.weight.is_some());
        for (place, part) in (0..).zip(&agg.key) {
            let left = u32_of(agg.key.len()) - place;
            self.key_part(part).inspect_err(|_| self.before = left + weights)?;
        }
        let weight = match agg.weight {
            Some(difo) => self.eval(difo).inspect_err(|_| self.before = 1)?,
            None => 1,
        };
        let value = match agg.value {
            Some(difo) => self.eval(difo)?,
            None => 1,
        };
        let view = self.env.view;
        let [first, second] = &view.aggs;
        let table = if view.slot.agg_active.load(Acquire) & 1 == 0 { first } else { second };
        let target = AggTarget { varid, func: agg.func, values: agg.values, epid: self.env.epid };
        let (key, hash) = self.out.key.finish(0);
        if table.feed(&target, key, hash, value, weight).is_err() {
            view.slot.count(DropKind::Aggregation);
        }
        Ok(())
    }

    /// Adds an element to the key. The buffer holds the longest key that a program may have, so
    /// what does not fit cannot occur.
    #[inline]
    fn key_part(&mut self, part: &Step) -> Result<(), DifFault> {
        let _fits = match part {
            Step::Value { difo, size, .. } => {
                let value = self.eval(*difo)?;
                self.out.key.scalar(cut(value, *size), 8)
            }
            Step::String { difo, size, .. } => {
                let addr = self.eval(*difo)?;
                return self.key_string(addr, us(*size));
            }
            Step::Bytes { difo, size, user, .. } => {
                let addr = self.eval(*difo)?;
                let place = self.out.part.get_mut(..us(*size)).unwrap_or_default();
                read_bytes(&mut self.env, addr, place, *user).map_err(unlocated)?;
                self.out.key.put(place)
            }
            Step::User { difo, .. } => {
                let value = self.eval(*difo)?;
                let pid = u64::from(self.env.ctx.pid()).to_le_bytes();
                let mut pair = [0; 16];
                for (to, from) in pair.iter_mut().zip(pid.iter().chain(&value.to_le_bytes())) {
                    *to = *from;
                }
                self.out.key.put(&pair)
            }
            Step::Stack { frames, .. } => {
                let place = self.out.part.get_mut(..us(*frames) * 8).unwrap_or_default();
                stack(self.env.ctx, place);
                self.out.key.put(place)
            }
            Step::Immstack { frames, size, .. } => {
                let place = self.out.part.get_mut(..us(*size)).unwrap_or_default();
                let len = immstack(self.env.ctx, *frames, place);
                self.out.key.put(place.get(..len).unwrap_or_default())
            }
            _ => Ok(()),
        };
        Ok(())
    }

    /// Adds a string: from private memory as it lies, else by a copy.
    #[inline]
    fn key_string(&mut self, addr: u64, size: usize) -> Result<(), DifFault> {
        if let Some(text) = self.env.tracer_prefix(addr, size.saturating_sub(1))
            && let Some(len) = string::find_nul(text)
        {
            let _fits = self.out.key.put(text.get(..len).unwrap_or_default());
            return Ok(());
        }
        let place = self.out.part.get_mut(..size).unwrap_or_default();
        let len = string::read(&mut self.env, addr, place).map_err(unlocated)?;
        let _fits = self.out.key.put(place.get(..len).unwrap_or_default());
        Ok(())
    }
}

#[inline]
fn store<const N: usize>(place: &mut [u8], bytes: [u8; N]) {
    if let Some(place) = place.first_chunk_mut() {
        *place = bytes;
    }
}

/// A fault that happened when a DIFO's result was used, not inside it.
fn unlocated(fault: Fault) -> DifFault {
    DifFault { fault, offset: 0 }
}

fn read_bytes<C: FireContext>(
    env: &mut FireEnv<'_, C>,
    addr: u64,
    place: &mut [u8],
    user: bool,
) -> Result<(), Fault> {
    if user { env.read_user(addr, place) } else { env.read(addr, place) }
}

/// The kernel's program counters, zeros behind the last.
fn stack<C: FireContext>(ctx: &C, place: &mut [u8]) {
    let frames = ctx.kernel_stack();
    for (at, word) in place.as_chunks_mut().0.iter_mut().enumerate() {
        *word = frames.frame(at).to_le_bytes();
    }
}

/// The kernel's stack as text, a line a frame, with a NUL; returns its length without that.
fn immstack<C: FireContext>(ctx: &C, frames: u32, place: &mut [u8]) -> usize {
    let stack = ctx.kernel_stack();
    let mut at = 0;
    for index in 0..us(frames).min(stack.len()) {
        // Room for the newline and the NUL stays.
        let end = (at + us(crate::ecb::IMMSTACK_LINE) - 1).min(place.len().saturating_sub(2));
        let Some(line) = place.get_mut(at..end) else { break };
        let room = line.len();
        at += ctx.symbolize(stack.frame(index), line).min(room);
        if let Some(newline) = place.get_mut(at) {
            *newline = b'\n';
            at += 1;
        }
    }
    if let Some(nul) = place.get_mut(at) {
        *nul = 0;
    }
    at
}

/// Counts what does not fit. Part of its callers: a call would cost as much as a short record.
#[inline(always)]
fn push(view: &SlotView<'_>, ring: &mut RingWriter, head: [u64; 2], body: &[u8]) {
    if ring.push(view.slot, view.ring, view.policy, head, body).is_err() {
        view.slot.count(DropKind::Principal);
        if view.policy == BufPolicy::Fill {
            view.slot.count(DropKind::Filled);
        }
    }
}

const _: () = assert!(RECORD_HEADER == 16 && u64_of(ErrorRecord::SIZE) == 40);
