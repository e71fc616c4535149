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
    env::{Env, Fault},
    interp::{self, DifFault},
    number::act,
    string,
};

use super::{
    code::{AggStep, DifoId, EcbCode, Loaded, Step},
    env::FireEnv,
    state::{EnvState, Group, OutState, Reaction, Shared, SlotState},
};
use crate::{
    arena::{
        activity::Activity,
        agg::{AggTable, AggTarget},
        header::{DropKind, STARTING},
        ring::tag,
        spec::{End, SpecBuffer, Specs},
    },
    clock::Clock,
    context::FireContext,
    ecb::RECORD_HEADER,
    ids::Epid,
    num::{cut, join, low32, u64_of, us, us64},
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

    fn to_words(self, timestamp: u64) -> [u64; 5] {
        [
            tag(ERROR_EPID, 40),
            timestamp,
            join(self.action, self.epid.0),
            join(self.kind, self.offset),
            self.value,
        ]
    }
}

/// One probe in one session.
pub(crate) struct Probe<'a> {
    pub(crate) shared: Shared<'a>,
    pub(crate) program: &'a Loaded,
    pub(crate) group: &'a Group,
    /// The session's ERROR clauses on this machine.
    pub(crate) errors: &'a Group,
}

impl Probe<'_> {
    /// Fires. The clock is read after the slot has said that it is in a fire, so that the consumer
    /// never hands out a younger record before this fire's.
    #[inline]
    pub(crate) fn fire<C: FireContext, K: Clock>(&self, state: &mut SlotState, ctx: &C, clock: &K) {
        let (slot, header) = (self.shared.slot, self.shared.header);
        let consumer = self.shared.number == 0;
        slot.in_fire.swap(STARTING, SeqCst);
        let now = clock.now();
        slot.in_fire.store(now, Release);
        state.begin();
        for (ecb, epid) in &self.group.ecbs {
            if !Activity::load(&header.activity).may_fire(consumer) {
                break;
            }
            if let Some(code) = self.program.ecbs.get(us(*ecb)) {
                self.run(code, *epid, state, ctx, now);
            }
            if state.env.strtok == 0 {
                state.env.top = 0;
            }
        }
        slot.fires.store(slot.fires.load(Relaxed).wrapping_add(1), Relaxed);
        slot.in_fire.store(0, Release);
    }

    /// Runs one ECB and, if it faults, the ERROR clauses.
    #[inline]
    fn run<C: FireContext>(
        &self,
        code: &EcbCode,
        epid: Epid,
        state: &mut SlotState,
        ctx: &C,
        now: u64,
    ) {
        let outcome = {
            let SlotState { env, out, reaction } = state;
            let mut ecb = self.ecb(self.group, env, out, reaction, ctx, (now, epid, None));
            ecb.run(code)
        };
        if let Err(error) = outcome {
            self.fault(error, state, ctx, now);
        }
    }

    /// Counts a fault, tells the consumer, fires ERROR.
    #[cold]
    fn fault<C: FireContext>(&self, error: ErrorRecord, state: &mut SlotState, ctx: &C, now: u64) {
        let slot = self.shared.slot;
        slot.count(DropKind::Error);
        let mut bytes = [0_u8; ErrorRecord::SIZE];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(error.to_words(now)) {
            *to = word.to_le_bytes();
        }
        push(&self.shared, &mut state.out, Source::Given(&bytes));
        let args = [
            0,
            u64::from(error.epid.0),
            u64::from(error.action),
            u64::from(error.offset),
            u64::from(error.kind),
            error.value,
        ];
        for (ecb, epid) in &self.errors.ecbs {
            let Some(code) = self.program.ecbs.get(us(*ecb)) else { continue };
            let SlotState { env, out, reaction } = &mut *state;
            let about = (now, *epid, Some(args));
            if self.ecb(self.errors, env, out, reaction, ctx, about).run(code).is_err() {
                slot.count(DropKind::DoubleError);
            }
        }
    }

    #[inline]
    fn ecb<'e, C: FireContext>(
        &'e self,
        group: &'e Group,
        env: &'e mut EnvState,
        out: &'e mut OutState,
        reaction: &'e mut Reaction,
        ctx: &'e C,
        (now, epid, error): (u64, Epid, Option<[u64; 6]>),
    ) -> Ecb<'e, C> {
        let (shared, program) = (&self.shared, self.program);
        let env = FireEnv { shared, program, group, ctx, state: env, now, epid, error };
        Ecb { env, out, reaction, speculation: 0 }
    }
}

/// One ECB while it runs.
struct Ecb<'e, C> {
    env: FireEnv<'e, C>,
    out: &'e mut OutState,
    reaction: &'e mut Reaction,
    /// Where the record goes; 0: to the principal buffer.
    speculation: u64,
}

/// Whether the ECB goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    /// `speculate()` of an id that is not active: nothing else happens, and nothing is recorded.
    Skip,
}

impl<C: FireContext> Ecb<'_, C> {
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
                Err(fault) => return Err(self.error(action + 1, fault)),
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
                self.put(*at, value.to_le_bytes().get(..us(*size)).unwrap_or_default());
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

    /// Whoever calls `exit()` first stops all machines; the status is the last one's.
    fn exit(&self, status: i32) {
        let header = self.env.shared.header;
        header.exit_status.store(status, Release);
        if !Activity::step(&header.activity, Activity::Active, Activity::Draining) {
            Activity::step(&header.activity, Activity::Warmup, Activity::Draining);
        }
    }

    fn speculate(&mut self, difo: DifoId) -> Result<Flow, DifFault> {
        let id = self.eval(difo)?;
        let shared = self.env.shared;
        let specs = Specs::new(shared.mem, &shared.core.layout);
        if id == 0 || !specs.is_some_and(|specs| specs.begin(id, shared.number)) {
            return Ok(Flow::Skip);
        }
        self.speculation = id;
        Ok(Flow::Next)
    }

    fn end_speculation(&mut self, id: u64, commit: bool) {
        let shared = self.env.shared;
        let layout = &shared.core.layout;
        let Some(specs) = Specs::new(shared.mem, layout) else { return };
        if specs.end(id, shared.number, commit) != End::Own {
            return;
        }
        if let Some(buffer) = SpecBuffer::new(shared.mem, layout, shared.slot_at, id) {
            if commit {
                self.commit(&buffer);
            }
            buffer.clear();
        }
        specs.release(id);
    }

    /// Copies a speculation's records to the principal buffer; they count from now on, so that
    /// the order of the slot's records stays that of time.
    fn commit(&mut self, buffer: &SpecBuffer<'_>) {
        let mut record = core::mem::take(&mut self.out.record);
        let mut at = 0;
        while let Some(len) = buffer.get(at, &mut record) {
            if let Some(time) = record.get_mut(8..16) {
                time.copy_from_slice(&self.env.now.to_le_bytes());
            }
            let bytes = record.get(..len).unwrap_or_default();
            push(self.env.shared, self.out, Source::Given(bytes));
            at += len;
        }
        self.out.record = record;
    }

    fn react(&mut self, kind: u16, difo: Option<DifoId>) -> Result<(), DifFault> {
        let value = match difo {
            Some(difo) => self.eval(difo)?,
            None => 0,
        };
        *self.reaction = match kind {
            act::STOP => Reaction::Stop,
            act::RAISE => Reaction::Raise(low32(value).cast_signed()),
            act::BREAKPOINT => Reaction::Breakpoint,
            act::PANIC => Reaction::Panic,
            _ => return Ok(()),
        };
        Ok(())
    }

    /// Writes the header and puts the record where it belongs.
    #[inline]
    fn publish(&mut self, size: u32) {
        self.put(0, &tag(self.env.epid, size).to_le_bytes());
        self.put(8, &self.env.now.to_le_bytes());
        let shared = self.env.shared;
        if self.speculation == 0 {
            push(shared, self.out, Source::Made(us(size)));
            return;
        }
        let layout = &shared.core.layout;
        let buffer = SpecBuffer::new(shared.mem, layout, shared.slot_at, self.speculation);
        let record = self.out.record.get(..us(size)).unwrap_or_default();
        if buffer.is_none_or(|buffer| buffer.push(record).is_err()) {
            shared.slot.count(DropKind::Spec);
        }
    }

    #[inline]
    fn aggregate(&mut self, agg: &AggStep) -> Result<(), DifFault> {
        let varid = low32(self.eval(agg.varid)?);
        self.out.key.start(&[]);
        for part in &agg.key {
            self.key_part(part)?;
        }
        let weight = match agg.weight {
            Some(difo) => self.eval(difo)?,
            None => 1,
        };
        let value = match agg.value {
            Some(difo) => self.eval(difo)?,
            None => 1,
        };
        let shared = self.env.shared;
        let which = shared.slot.agg_active.load(Acquire) & 1;
        let layout = &shared.core.layout;
        let table = AggTable::new(shared.mem, layout, shared.slot_at, shared.slot, which);
        let target = AggTarget { varid, func: agg.func, values: agg.values, epid: self.env.epid };
        let (key, hash) = self.out.key.finish(0);
        if table.is_none_or(|table| table.feed(&target, key, hash, value, weight).is_err()) {
            shared.slot.count(DropKind::Aggregation);
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

/// Which bytes are pushed.
enum Source<'a> {
    /// The first bytes of the record buffer.
    Made(usize),
    /// These.
    Given(&'a [u8]),
}

#[inline]
fn push(shared: &Shared<'_>, out: &mut OutState, source: Source<'_>) {
    let area = shared.core.layout.slot.buffer;
    let OutState { record, ring, .. } = out;
    let bytes = match source {
        Source::Made(len) => record.get(..len).unwrap_or_default(),
        Source::Given(bytes) => bytes,
    };
    let buffer = shared.mem.words(us64(shared.slot_at + area.offset), us64(area.len));
    let policy = shared.core.layout.config().bufpolicy;
    let done = buffer.is_some_and(|words| ring.push(shared.slot, words, policy, bytes).is_ok());
    if !done {
        shared.slot.count(DropKind::Principal);
        if policy == crate::arena::config::BufPolicy::Fill {
            shared.slot.count(DropKind::Filled);
        }
    }
}

const _: () = assert!(RECORD_HEADER == 16 && u64_of(ErrorRecord::SIZE) == 40);
