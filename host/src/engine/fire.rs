//! `dtrace_probe()`: runs a probe's ECBs in one session.
//!
//! For each ECB: activity, predicate, actions into a private record, publish. A fault ends its ECB
//! only: it is counted, told to the consumer ([`ErrorRecord`]) and fires the session's ERROR
//! clauses; a fault in one of those is counted and nothing else.
//!
//! # Context
//! All of this is the firing path; see the crate's rule.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Relaxed, Release, SeqCst};

use dif::{
    env::{Env, Fault, FaultKind},
    interp::DifFault,
    number::{act, var},
    string,
};

use super::{
    code::{AggStep, DifoId, EcbCode, Step},
    env::{FireEnv, Target},
    expr::{Expr, Leaf},
    plain::{Feed, Record},
    quick::{Quick, Shape},
    state::{EXECNAME, Group, OutState, Reaction, SlotState, SlotView},
};
use crate::{
    arena::{
        activity::Activity,
        agg::AggTarget,
        config::BufPolicy,
        header::{DropKind, STARTING, SlotHeader, TIMELESS},
        ring::{RingWriter, tag},
        spec::{End, SpecBuffer},
    },
    clock::Clock,
    context::FireContext,
    ecb::{RECORD_HEADER, spared},
    ids::Epid,
    num::{cut, join, low16, low32, u32_of, u64_of, us, us64},
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
    /// Bytes from the DIFO's start; all ones if it was outside.
    pub offset: u32,
    /// `DTRACEFLT_*`.
    pub kind: u32,
    /// The offending address or value.
    pub value: u64,
    /// What the machine said of it ([`FireContext::why`]), or 0.
    pub why: u64,
}

impl ErrorRecord {
    /// Bytes of the record, header included.
    pub const SIZE: usize = 48;

    /// Reads one back; `bytes` is a whole record.
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let double = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            epid: Epid(word(16)?),
            action: word(20)?,
            offset: word(24)?,
            kind: word(28)?,
            value: double(32)?,
            why: double(40)?,
        })
    }

    /// The record's head and body.
    fn to_words(self, timestamp: u64) -> ([u64; 2], [u64; 4]) {
        let place = join(self.action, self.epid.0);
        let body = [place, join(self.kind, self.offset), self.value, self.why];
        ([tag(ERROR_EPID, 48), timestamp], body)
    }
}

/// Fires a probe in one session. The slot is in a fire without a time until an ECB records or a
/// script asks.
#[inline(never)]
pub(crate) fn fire<C: FireContext, K: Clock>(
    target: &Target,
    slot_state: &mut SlotState<'_>,
    ctx: &C,
    clock: &K,
) {
    let SlotState { view, env: state, out, reaction } = slot_state;
    let view = &*view;
    view.slot.in_fire.swap(TIMELESS, SeqCst);
    let mut env = FireEnv { target, view, ctx, clock, state, now: 0, epid: Epid(0), error: None };
    env.state.begin();
    for (number, epid) in &target.group.ecbs {
        if !view.may_fire() {
            break;
        }
        let Some(code) = target.program.ecbs.get(us(*number)) else { continue };
        env.epid = *epid;
        match &code.quick {
            Some(quick) => run_quick(&mut env, out, quick),
            None => run(&mut env, out, reaction, code),
        }
    }
    leave(view.slot);
}

/// As [`fire_bare`], if that needs neither the kernel's clock nor a look at the reader; tells whether
/// it is done. What it leaves undone has left nothing behind. (A reference is passed so that the number is
/// read when it is written: until then it would need a register, and there is none left.)
#[inline(always)]
pub(crate) fn try_bare<K: Clock>(slot_state: &mut SlotState<'_>, epid: &Epid, clock: &K) -> bool {
    let SlotState { view, out, .. } = slot_state;
    let (view, slot) = (&*view, view.slot);
    slot.in_fire.swap(STARTING, SeqCst);
    if !view.is_active() {
        return false;
    }
    let Some(now) = clock.quick() else { return false };
    slot.in_fire.store(now, Release);
    let done = out.ring.try_push(slot, view.ring, [tag(*epid, RECORD_HEADER), now]);
    if done {
        leave(slot);
    }
    done
}

/// As [`fire`] for a group of one empty clause: the time is wanted for sure, and nothing else.
#[inline(always)]
pub(crate) fn fire_bare<K: Clock>(slot_state: &mut SlotState<'_>, epid: Epid, clock: &K) {
    let SlotState { view, out, .. } = slot_state;
    let (view, slot) = (&*view, view.slot);
    slot.in_fire.swap(STARTING, SeqCst);
    if view.may_fire() {
        let now = clock.now();
        slot.in_fire.store(now, Release);
        push(view, &mut out.ring, [tag(epid, RECORD_HEADER), now], &[]);
    }
    leave(slot);
}

/// As [`fire`] for a group of one clause that records one number.
#[inline(always)]
pub(crate) fn fire_record<C: FireContext, K: Clock>(
    record: &Record,
    epid: Epid,
    slot_state: &mut SlotState<'_>,
    ctx: &C,
    clock: &K,
) {
    let SlotState { view, out, .. } = slot_state;
    let (view, slot) = (&*view, view.slot);
    slot.in_fire.swap(STARTING, SeqCst);
    if view.may_fire() {
        let now = clock.now();
        slot.in_fire.store(now, Release);
        record.run((view, slot, &mut out.ring), ctx, (epid, now));
    }
    leave(slot);
}

/// As [`fire`] for a group of one clause that feeds one aggregation without a key.
#[inline(always)]
pub(crate) fn fire_feed<C: FireContext>(feed: &Feed, slot_state: &mut SlotState<'_>, ctx: &C) {
    let view = &slot_state.view;
    let slot = view.slot;
    slot.in_fire.swap(TIMELESS, SeqCst);
    if view.may_fire() {
        feed.run(view, ctx);
    }
    leave(slot);
}

/// As [`fire`] for a group of one ECB that has the short way and whose gate has let the fire in.
/// `shape` is a constant wherever this becomes code: the ECB's own.
#[inline(always)]
pub(crate) fn fire_quick<C: FireContext, K: Clock>(
    shape: Shape,
    target: &Target,
    (quick, epid): (&Quick, Epid),
    slot_state: &mut SlotState<'_>,
    ctx: &C,
    clock: &K,
) {
    let SlotState { view, env: state, out, .. } = slot_state;
    let (view, slot) = (&*view, view.slot);
    // What asks for the time says so with the first word that it says.
    let timed = match shape {
        Shape::Timed => true,
        Shape::Any => quick.is_timed(),
        _ => false,
    };
    slot.in_fire.swap(if timed { STARTING } else { TIMELESS }, SeqCst);
    if view.may_fire() {
        let mut now = 0;
        if timed {
            now = clock.now();
            slot.in_fire.store(now, Release);
        }
        let mut env = FireEnv { target, view, ctx, clock, state, now, epid, error: None };
        if shape == Shape::Any && quick.needs_begin() {
            env.state.begin();
        }
        quick.run(shape, &mut env, out);
    }
    leave(slot);
}

/// One of several ECBs, if its gate lets the fire in.
#[inline(never)]
fn run_quick<C: FireContext, K: Clock>(
    env: &mut FireEnv<'_, C, K>,
    out: &mut OutState,
    quick: &Quick,
) {
    if quick.gate().is_none_or(|gate| gate.lets_in(env.ctx)) {
        quick.run(Shape::Any, env, out);
    }
}

/// Runs one ECB, with its fault if it has one.
#[inline(never)]
fn run<C: FireContext, K: Clock>(
    env: &mut FireEnv<'_, C, K>,
    out: &mut OutState,
    reaction: &mut Reaction,
    code: &EcbCode,
) {
    let errors = &env.target.errors;
    let mut ecb = Ecb { env, out, reaction, speculation: 0, before: 0, spared: 0 };
    if let Err(error) = ecb.run(code) {
        ecb.fault(error, errors);
    }
    // What needs the interpreter may have taken scratch.
    if ecb.env.state.strtok == 0 {
        ecb.env.state.top = 0;
    }
}

/// The slot's fire is over.
#[inline(always)]
fn leave(slot: &SlotHeader) {
    slot.fires.store(slot.fires.load(Relaxed).wrapping_add(1), Relaxed);
    slot.in_fire.store(0, Release);
}

/// One ECB while it runs.
struct Ecb<'e, 'f, C, K> {
    env: &'e mut FireEnv<'f, C, K>,
    out: &'e mut OutState,
    reaction: &'e mut Reaction,
    /// Where the record goes; 0: to the principal buffer.
    speculation: u64,
    /// A fault's action lies so many before its aggregation: it is an element of the key.
    before: u32,
    /// Bytes that the strings so far did not need: the next begins so much sooner.
    spared: u32,
}

/// Whether the ECB goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    /// `speculate()` of an id that is not active: nothing else happens, and nothing is recorded.
    Skip,
}

impl<C: FireContext, K: Clock> Ecb<'_, '_, C, K> {
    /// Counts a fault, tells the consumer, fires the ERROR clauses.
    #[cold]
    #[inline(never)]
    fn fault(&mut self, error: ErrorRecord, errors: &Arc<Group>) {
        let view = self.env.view;
        view.slot.count(DropKind::Error);
        let (head, body) = error.to_words(self.env.time());
        let mut bytes = [0_u8; ErrorRecord::SIZE - 16];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(body) {
            *to = word.to_le_bytes();
        }
        push(view, &mut self.out.ring, head, &bytes);
        let args = [
            0,
            u64::from(error.epid.0),
            u64::from(error.action),
            // -1 stays -1.
            i64::from(error.offset.cast_signed()).cast_unsigned(),
            u64::from(error.kind),
            error.value,
        ];
        if errors.ecbs.is_empty() {
            return;
        }
        let FireEnv { target, ctx, clock, now, .. } = *self.env;
        // Counted references, and not the last: nothing is freed here.
        let target = &Target {
            core: Arc::clone(&target.core),
            program: Arc::clone(&target.program),
            group: Arc::clone(errors),
            errors: Arc::clone(errors),
        };
        for (number, epid) in &errors.ecbs {
            let Some(code) = target.program.ecbs.get(us(*number)) else { continue };
            let state = &mut *self.env.state;
            let (epid, error) = (*epid, Some(&args));
            let env = &mut FireEnv { target, view, ctx, clock, state, now, epid, error };
            let (out, reaction) = (&mut *self.out, &mut *self.reaction);
            if (Ecb { env, out, reaction, speculation: 0, before: 0, spared: 0 })
                .run_outlined(code)
                .is_err()
            {
                view.slot.count(DropKind::DoubleError);
            }
        }
    }

    #[inline(never)]
    fn run_outlined(&mut self, code: &EcbCode) -> Result<(), ErrorRecord> {
        self.run(code)
    }

    #[inline(always)]
    fn run(&mut self, code: &EcbCode) -> Result<(), ErrorRecord> {
        self.speculation = 0;
        self.spared = 0;
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
            self.publish(code.size - self.spared);
        }
        Ok(())
    }

    #[inline(always)]
    fn eval(&mut self, difo: DifoId) -> Result<u64, DifFault> {
        self.env.eval(difo)
    }

    #[cold]
    fn error(&self, action: u32, fault: DifFault) -> ErrorRecord {
        let (kind, value) = (fault.fault.kind as u32, fault.fault.value);
        let why = match fault.fault.kind {
            FaultKind::BadAddr => self.env.ctx.why(value),
            _ => 0,
        };
        ErrorRecord { epid: self.env.epid, action, offset: fault.offset, kind, value, why }
    }

    #[inline(always)]
    fn step(&mut self, step: &Step) -> Result<Flow, DifFault> {
        match step {
            Step::Eval(difo) => {
                self.eval(*difo)?;
            }
            Step::Value { difo, at, size } => {
                let value = self.eval(*difo)?;
                self.put_value(*at, *size, value);
            }
            Step::String { difo, at, size } => self.string(*difo, *at, *size)?,
            Step::Aggregate(agg) => self.aggregate(agg)?,
            _ => return self.other_step(step),
        }
        Ok(Flow::Next)
    }

    /// Records a string behind what the ones before took.
    #[inline(never)]
    fn string(&mut self, difo: DifoId, at: u32, size: u32) -> Result<(), DifFault> {
        let addr = self.eval(difo)?;
        let at = at - self.spared;
        let place = self.out.record.get_mut(us(at)..us(at + size)).unwrap_or_default();
        let len = string::read(self.env, addr, place).map_err(unlocated)?;
        self.spared += spared(len + 1, us(size));
        Ok(())
    }

    /// The steps that do more than one thing, or little that is worth a short way.
    #[inline(never)]
    fn other_step(&mut self, step: &Step) -> Result<Flow, DifFault> {
        match step {
            Step::Eval(_) | Step::Value { .. } | Step::String { .. } | Step::Aggregate(_) => {}
            Step::Bytes { difo, at, size, user } => {
                let addr = self.env.eval_outlined(*difo)?;
                let place = self.out.record.get_mut(us(*at)..us(*at + *size)).unwrap_or_default();
                read_bytes(self.env, addr, place, *user).map_err(unlocated)?;
            }
            Step::User { difo, at } => {
                let value = self.env.eval_outlined(*difo)?;
                self.put(*at, &u64::from(self.env.ctx.pid()).to_le_bytes());
                self.put(*at + 8, &value.to_le_bytes());
            }
            Step::Memref { difo, at, size } => {
                let addr = self.eval(*difo)?;
                let place = self.out.record.get_mut(us(*at)..us(*at + *size)).unwrap_or_default();
                memref(self.env, addr, place).map_err(unlocated)?;
            }
            Step::UserStack { at, frames, size } => {
                let place = self.out.record.get_mut(us(*at)..us(*at + *size)).unwrap_or_default();
                user_stack(self.env.ctx, place, *frames);
            }
            Step::Stack { at, frames } => {
                let place = self.out.record.get_mut(us(*at)..us(*at + *frames * 8));
                stack(self.env.ctx, place.unwrap_or_default());
            }
            Step::Immstack { at, size, frames } => {
                let at = *at - self.spared;
                let place = self.out.record.get_mut(us(at)..us(at + *size)).unwrap_or_default();
                let len = immstack(self.env.ctx, *frames, place);
                self.spared += spared(len + 1, us(*size));
            }
            Step::Exit { difo, at } => {
                let status = self.env.eval_outlined(*difo)?;
                self.put(*at, &low32(status).to_le_bytes());
                self.exit(low32(status).cast_signed());
            }
            Step::Speculate(difo) => return self.speculate(*difo),
            Step::EndSpeculation { difo, commit } => {
                let id = self.env.eval_outlined(*difo)?;
                self.end_speculation(id, *commit);
            }
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
        let id = self.env.eval_outlined(difo)?;
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
        let layout = &self.env.target.core.layout;
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
                let head = [u64::from_le_bytes(*head), self.env.time()];
                let body = body.get(8..).unwrap_or_default();
                push(self.env.view, &mut self.out.ring, head, body);
            }
            at += len;
        }
    }

    fn react(&mut self, kind: u16, difo: Option<DifoId>) -> Result<(), DifFault> {
        let value = match difo {
            Some(difo) => self.env.eval_outlined(difo)?,
            None => 0,
        };
        let reaction = match kind {
            act::STOP => Reaction::Stop,
            act::RAISE => Reaction::Raise(u64::from(low32(value))),
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
        let head = [tag(self.env.epid, size), self.env.time()];
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
        let (view, layout) = (self.env.view, &self.env.target.core.layout);
        let buffer = SpecBuffer::new(view.mem, layout, view.slot_at, self.speculation);
        let record = self.out.record.get(..us(size)).unwrap_or_default();
        if buffer.is_none_or(|buffer| buffer.push(record).is_err()) {
            view.slot.count(DropKind::Spec);
        }
    }

    #[inline(always)]
    fn aggregate(&mut self, agg: &AggStep) -> Result<(), DifFault> {
        let Some(fast) = &agg.fast else { return self.aggregate_slowly(agg) };
        let before = &mut self.before;
        self.env.feed(fast, |env| {
            let weight = match agg.weight {
                Some(difo) => env.eval_outlined(difo).inspect_err(|_| *before = 1)?,
                None => 1,
            };
            Ok((agg.value.map_or(Ok(1), |difo| env.eval_outlined(difo))?, weight))
        })
    }

    #[inline(always)]
    fn agg_target(&self, agg: &AggStep, varid: u32) -> AggTarget {
        AggTarget { varid, func: agg.func, values: agg.values, epid: self.env.epid }
    }

    /// Any key.
    #[inline(never)]
    fn aggregate_slowly(&mut self, agg: &AggStep) -> Result<(), DifFault> {
        let varid = match agg.varid {
            Ok(varid) => varid,
            Err(difo) => low32(self.env.eval_outlined(difo)?),
        };
        self.out.key.start(&[]);
        let weights = u32::from(agg.weight.is_some());
        for (place, part) in (0..).zip(&agg.key) {
            let left = u32_of(agg.key.len()) - place;
            self.key_part(part).inspect_err(|_| self.before = left + weights)?;
        }
        let weight = match agg.weight {
            Some(difo) => self.env.eval_outlined(difo).inspect_err(|_| self.before = 1)?,
            None => 1,
        };
        let value = agg.value.map_or(Ok(1), |difo| self.env.eval_outlined(difo))?;
        let target = self.agg_target(agg, varid);
        let (key, hash) = self.out.key.finish(0);
        let view = self.env.view;
        if view.active().feed(&target, key, hash, value, weight).is_err() {
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
                let value = self.env.eval_outlined(*difo)?;
                self.out.key.scalar(cut(value, *size), 8)
            }
            Step::String { difo, size, .. } if self.is_execname(*difo) => {
                let name = self.env.ctx.execname();
                let most = EXECNAME.min(us(*size)).saturating_sub(1);
                self.out.key.put(name.get(..most).unwrap_or(name))
            }
            Step::String { difo, size, .. } => {
                let addr = self.env.eval_outlined(*difo)?;
                return self.key_string(addr, us(*size));
            }
            Step::Bytes { difo, size, user, .. } => {
                let addr = self.env.eval_outlined(*difo)?;
                let place = self.out.part.get_mut(..us(*size)).unwrap_or_default();
                read_bytes(self.env, addr, place, *user).map_err(unlocated)?;
                self.out.key.put(place)
            }
            Step::User { difo, .. } => {
                let value = self.env.eval_outlined(*difo)?;
                let pid = u64::from(self.env.ctx.pid()).to_le_bytes();
                let mut pair = [0; 16];
                for (to, from) in pair.iter_mut().zip(pid.iter().chain(&value.to_le_bytes())) {
                    *to = *from;
                }
                self.out.key.put(&pair)
            }
            Step::UserStack { frames, size, .. } => {
                let place = self.out.part.get_mut(..us(*size)).unwrap_or_default();
                user_stack(self.env.ctx, place, *frames);
                self.out.key.put(place)
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

    fn is_execname(&self, difo: DifoId) -> bool {
        matches!(self.env.target.program.expr(difo), Some(Expr::Leaf(Leaf::Builtin(var::EXECNAME))))
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
        let len = string::read(self.env, addr, place).map_err(unlocated)?;
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

/// A fault that happened when a DIFO's result was used, not inside it: its offset is -1.
fn unlocated(fault: Fault) -> DifFault {
    DifFault { fault, offset: u32::MAX }
}

fn read_bytes<C: FireContext, K: Clock>(
    env: &mut FireEnv<'_, C, K>,
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

/// The process id, then its program counters, zeros behind the last.
fn user_stack<C: FireContext>(ctx: &C, place: &mut [u8], frames: u32) {
    place.fill(0);
    let Some((head, rest)) = place.split_first_chunk_mut() else { return };
    *head = u64::from(ctx.pid()).to_le_bytes();
    let mut found = [0_u64; USER_FRAMES];
    let count = ctx.user_stack(found.get_mut(..us(frames).min(USER_FRAMES)).unwrap_or_default());
    for (word, pc) in rest.as_chunks_mut().0.iter_mut().zip(found).take(count.min(us(frames))) {
        *word = pc.to_le_bytes();
    }
}

/// A stack of the process has at most so many frames.
const USER_FRAMES: usize = 256;

/// What `memref()` made is two words: an address, and how many bytes lie there.
fn memref<C: FireContext, K: Clock>(
    env: &mut FireEnv<'_, C, K>,
    addr: u64,
    place: &mut [u8],
) -> Result<(), Fault> {
    let from = env.load(addr, 8)?;
    let length = env.load(addr.wrapping_add(8), 8)?;
    let Some((head, rest)) = place.split_first_chunk_mut() else { return Ok(()) };
    let length = us64(length).min(rest.len());
    *head = u64_of(length).to_le_bytes();
    rest.fill(0);
    env.read(from, rest.get_mut(..length).unwrap_or_default())
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
        count_full(view);
    }
}

/// A key did not fit.
#[cold]
#[inline(never)]
pub(crate) fn count_unfed(view: &SlotView<'_>) {
    view.slot.count(DropKind::Aggregation);
}

/// A record did not fit.
#[cold]
#[inline(never)]
pub(crate) fn count_full(view: &SlotView<'_>) {
    view.slot.count(DropKind::Principal);
    if view.policy == BufPolicy::Fill {
        view.slot.count(DropKind::Filled);
    }
}

const _: () = assert!(RECORD_HEADER == 16 && u64_of(ErrorRecord::SIZE) == 48);
