//! ECBs that cannot fault: all of their expressions are formulas, and they record numbers or feed
//! aggregations. Most of a script's hot clauses are such; the predicate, what is recorded and what
//! is done are resolved when the program is loaded, and the record is written where it will lie.
//!
//! Since nothing can fail there is no action number to remember, no result to unpack and no copy
//! of a record to throw away. What an ECB of this kind does is what [`super::fire`] would do with
//! it, step by step in the same order; the model test (`host/tests/model`) holds both to one reference.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use dif::number::var;

use super::{
    code::{AggStep, EcbCode, Step},
    env::FireEnv,
    expr::{Expr, FastAgg, Leaf},
    fire::{count_full, count_unfed},
    plain::{self, Gate, Number},
    state::{EXECNAME, OutState, SlotView},
};
use crate::{
    arena::{agg::AggTarget, key::KeyBuf, ring::tag},
    clock::Clock,
    context::FireContext,
    ecb::RECORD_HEADER,
    ids::Epid,
    num::{cut, us},
};

/// One step that cannot fail.
#[derive(Clone, Debug)]
#[repr(u8)]
enum Op {
    /// Compute something for what it does.
    Do(Expr),
    /// Record a number.
    Put(Put),
    /// Feed an aggregation: the value, and how often.
    Feed(Box<Feed>),
}

/// A number in a record.
#[derive(Clone, Debug)]
struct Put {
    value: Expr,
    /// The record's word.
    word: usize,
    /// Bits of the word below it.
    shift: u32,
    /// It is the first of its word: what the ring held there goes.
    fresh: bool,
    /// The bits of the value that are recorded.
    mask: u64,
}

/// What an aggregation is fed.
#[derive(Clone, Debug)]
struct Feed {
    key: Key,
    value: Option<Expr>,
    weight: Option<Expr>,
}

/// What an aggregation's key is made of.
#[derive(Clone, Debug)]
enum Key {
    Numbers(FastAgg),
    /// `execname` is among it.
    Named(Box<[Part]>, AggTarget),
}

/// An element of a [`Key::Named`].
#[derive(Clone, Debug)]
enum Part {
    /// A number, cut to so many bytes.
    Number(Leaf, u32),
    /// `execname`, so many bytes at most.
    Name(usize),
}

/// What an ECB is mostly made of. Each shape has a function of its own, which is short because it
/// does nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    /// It feeds one aggregation with a key.
    Keyed,
    /// It computes something.
    Do,
    /// It computes something and asks for the time.
    Timed,
    /// Anything else: a predicate, several steps.
    Any,
}

/// An ECB that cannot fault.
#[derive(Clone, Debug)]
pub(crate) struct Quick {
    /// What must let the fire in before it begins.
    gate: Option<Gate>,
    /// What must not be 0, if that is no gate.
    predicate: Option<Expr>,
    /// The first step, and those behind it. Most ECBs have one.
    first: Option<Op>,
    rest: Box<[Op]>,
    /// Words of the record, header included; 0: none.
    words: usize,
    /// The high half of the record's first word.
    size: u64,
    /// It looks at what begins anew with each firing.
    needs_begin: bool,
    /// It will ask for the time for sure.
    timed: bool,
    shape: Shape,
}

impl Quick {
    /// The short way of an ECB, if it has one.
    pub(crate) fn new(code: &EcbCode, exprs: &[Expr]) -> Option<Arc<Self>> {
        let sure = |difo: u32| match exprs.get(us(difo)) {
            None | Some(Expr::General) => None,
            Some(expr) => Some(expr.clone()),
        };
        let predicate = match code.predicate {
            Some(difo) => Some(sure(difo)?),
            None => None,
        };
        let gate = predicate.as_ref().and_then(Gate::new);
        let predicate = predicate.filter(|_| gate.is_none());
        let mut ops = Vec::with_capacity(code.steps.len());
        let mut filled = RECORD_HEADER;
        for (_, step) in &code.steps {
            ops.push(match step {
                Step::Eval(difo) => Op::Do(sure(*difo)?),
                Step::Value { difo, at, size } => {
                    let (word, fresh) = (at / 8, at / 8 * 8 >= filled);
                    if fresh && word * 8 != filled {
                        return None;
                    }
                    filled = (word + 1) * 8;
                    let (word, shift, mask) = (us(word), at % 8 * 8, cut(u64::MAX, *size));
                    Op::Put(Put { value: sure(*difo)?, word, shift, fresh, mask })
                }
                Step::Aggregate(agg) => Op::Feed(Box::new(Feed::new(agg, exprs, sure)?)),
                _ => return None,
            });
        }
        // Words that nobody fills would show what the ring held there; none are known to exist.
        if code.size != 0 && filled != code.size {
            return None;
        }
        let begins = |expr: &Expr| expr.any_leaf(&|leaf| needs_begin(*leaf));
        let needs_begin = predicate.iter().any(begins)
            || ops.iter().any(|op| match op {
                Op::Do(expr) | Op::Put(Put { value: expr, .. }) => begins(expr),
                Op::Feed(feed) => {
                    feed.key.any_leaf(&|leaf| needs_begin(*leaf))
                        || feed.value.iter().chain(&feed.weight).any(begins)
                }
            });
        let (words, size) = (us(code.size / 8), tag(Epid(0), code.size));
        let times = |expr: &Expr| expr.any_leaf(&|leaf| matches!(leaf, Leaf::Timestamp));
        let asks = |op: &Op| match op {
            Op::Do(expr) | Op::Put(Put { value: expr, .. }) => times(expr),
            Op::Feed(feed) => feed.value.iter().any(times),
        };
        let timed = predicate.is_none() && (words > 0 || ops.iter().any(asks));
        let shape = match ops.as_slice() {
            _ if predicate.is_some() || needs_begin => Shape::Any,
            [Op::Feed(feed)] if words == 0 && feed.has_key() && !timed => Shape::Keyed,
            [Op::Do(_)] if words == 0 => {
                if timed {
                    Shape::Timed
                } else {
                    Shape::Do
                }
            }
            _ => Shape::Any,
        };
        let mut ops = ops.into_iter();
        let (first, rest) = (ops.next(), ops.collect());
        Some(Arc::new(Self {
            gate,
            predicate,
            first,
            rest,
            words,
            size,
            needs_begin,
            timed,
            shape,
        }))
    }

    /// Whether clause-local variables and `execname` must begin anew before it runs.
    #[inline(always)]
    pub(crate) const fn needs_begin(&self) -> bool {
        self.needs_begin
    }

    /// Whether it asks for the time whatever happens: then the clock is read at once.
    #[inline(always)]
    pub(crate) const fn is_timed(&self) -> bool {
        self.timed
    }

    /// What must let the fire in before [`Quick::run`].
    #[inline(always)]
    pub(crate) const fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// The record of one number that it comes to behind its gate, if it is that plain.
    pub(crate) fn as_record(&self) -> Option<plain::Record> {
        match (&self.first, &*self.rest) {
            (Some(Op::Put(put)), []) if self.is_plain() => put.as_plain(),
            _ => None,
        }
    }

    /// The aggregation without a key that it comes to behind its gate, if it is that plain.
    pub(crate) fn as_feed(&self, epid: Epid) -> Option<plain::Feed> {
        match (&self.first, &*self.rest) {
            (Some(Op::Feed(feed)), []) if self.is_plain() && self.words == 0 => feed.as_plain(epid),
            _ => None,
        }
    }

    /// Whether there is nothing before its first step.
    const fn is_plain(&self) -> bool {
        self.predicate.is_none() && !self.needs_begin
    }

    /// What it is made of.
    #[inline(always)]
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// Runs it: predicate, steps, record. `shape` is a constant wherever this becomes code: its own,
    /// or [`Shape::Any`], which is always right.
    ///
    /// # Context
    /// The firing path. The slot is in a fire and may fire, and the gate has let it in.
    #[inline(always)]
    pub(crate) fn run<C: FireContext, K: Clock>(
        &self,
        shape: Shape,
        env: &mut FireEnv<'_, C, K>,
        out: &mut OutState,
    ) {
        match (shape, &self.first) {
            (Shape::Keyed, Some(Op::Feed(feed))) => feed.run(env, &mut out.key),
            (Shape::Do | Shape::Timed, Some(Op::Do(expr))) => {
                env.surely_here(expr);
            }
            _ => {
                let holds = match &self.predicate {
                    Some(predicate) => env.surely(predicate) != 0,
                    None => true,
                };
                if holds {
                    env.aside(|env| self.run_body(env, out));
                }
            }
        }
    }

    /// Puts the record's header before it and publishes it.
    #[inline(always)]
    fn publish<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        out: &mut OutState,
        place: &[AtomicU64],
    ) {
        if let [tag, time, ..] = place {
            tag.store(self.size | u64::from(env.epid.0), Relaxed);
            time.store(env.time(), Relaxed);
        }
        out.ring.publish(env.view.slot, self.words);
    }

    /// Steps and record.
    #[inline(never)]
    fn run_body<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, out: &mut OutState) {
        if self.words == 0 {
            self.steps(env, &[], &mut out.key);
            return;
        }
        let view: &SlotView<'_> = env.view;
        let place = match out.ring.reserve(view.slot, view.ring, view.policy, self.words) {
            Ok(place) => place,
            Err(_) => return self.run_without_room(env, &mut out.key),
        };
        self.steps(env, place, &mut out.key);
        self.publish(env, out, place);
    }

    /// The record is lost; what the clause does besides is done.
    #[inline(always)]
    fn run_without_room<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        key: &mut KeyBuf,
    ) {
        env.aside(|env| self.steps_aside(env, key));
        count_full(env.view);
    }

    #[cold]
    #[inline(never)]
    fn steps_aside<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, key: &mut KeyBuf) {
        self.steps(env, &[], key);
    }

    #[inline(always)]
    fn steps<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        place: &[AtomicU64],
        key: &mut KeyBuf,
    ) {
        if let Some(first) = &self.first {
            first.run(env, place, key);
        }
        if !self.rest.is_empty() {
            env.aside(|env| self.run_rest(env, place, key));
        }
    }

    #[inline(never)]
    fn run_rest<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        place: &[AtomicU64],
        key: &mut KeyBuf,
    ) {
        for op in &self.rest {
            op.run(env, place, key);
        }
    }
}

impl Op {
    #[inline(always)]
    fn run<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        place: &[AtomicU64],
        key: &mut KeyBuf,
    ) {
        match self {
            Self::Do(expr) => {
                env.surely_here(expr);
            }
            Self::Put(put) => put.run(env, place),
            Self::Feed(feed) => {
                if feed.has_key() {
                    env.aside(|env| feed.run(env, key));
                } else {
                    feed.run_keyless(env);
                }
            }
        }
    }
}

impl Put {
    /// The whole record, if it is one number that the fire brings along.
    fn as_plain(&self) -> Option<plain::Record> {
        match &self.value {
            Expr::Leaf(leaf) if self.fresh => {
                Some(plain::Record { number: Number::new(leaf)?, mask: self.mask })
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn run<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, place: &[AtomicU64]) {
        let value = (env.surely(&self.value) & self.mask) << (self.shift & 63);
        if let Some(word) = place.get(self.word) {
            let before = if self.fresh { 0 } else { word.load(Relaxed) };
            word.store(before | value, Relaxed);
        }
    }
}

impl Feed {
    /// Whether there is a key.
    #[inline(always)]
    fn has_key(&self) -> bool {
        !matches!(&self.key, Key::Numbers(agg) if agg.key.is_empty())
    }

    /// The whole of it, if there is no key and it is fed a number that the fire brings along.
    fn as_plain(&self, epid: Epid) -> Option<plain::Feed> {
        let number = match &self.value {
            None => Number::ONE,
            Some(Expr::Leaf(leaf)) => Number::new(leaf)?,
            Some(_) => return None,
        };
        let Key::Numbers(FastAgg { key, target, identity }) = &self.key else { return None };
        let target = AggTarget { epid, ..*target };
        let plain = key.is_empty() && self.weight.is_none();
        plain.then_some(plain::Feed { number, target, identity: *identity })
    }

    /// What has no key.
    #[inline(always)]
    fn run_keyless<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>) {
        let fed = self.fed(env);
        self.feed_keyless(env, fed);
    }

    #[inline(always)]
    fn feed_keyless<C: FireContext, K: Clock>(&self, env: &FireEnv<'_, C, K>, fed: (u64, u64)) {
        if let Key::Numbers(FastAgg { target, identity, .. }) = &self.key
            && env.view.active().feed_keyless((*identity, env.epid), target, fed).is_err()
        {
            count_unfed(env.view);
        }
    }

    fn new(agg: &AggStep, exprs: &[Expr], sure: impl Fn(u32) -> Option<Expr>) -> Option<Self> {
        let number = |difo: Option<u32>| match difo {
            Some(difo) => sure(difo).map(Some),
            None => Some(None),
        };
        let key = Key::new(agg, exprs)?;
        Some(Self { key, value: number(agg.value)?, weight: number(agg.weight)? })
    }

    /// The value and how often it is fed.
    #[inline(always)]
    fn fed<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>) -> (u64, u64) {
        let weight = match &self.weight {
            Some(expr) => env.surely_aside(expr),
            None => 1,
        };
        let value = match &self.value {
            Some(expr) => env.surely_here(expr),
            None => 1,
        };
        (value, weight)
    }

    #[inline(never)]
    fn run<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, key: &mut KeyBuf) {
        match &self.key {
            Key::Numbers(agg) => {
                let Ok(()) = env.feed(agg, |env| Ok::<_, Infallible>(self.fed(env)));
            }
            Key::Named(parts, target) => self.run_named(parts, target, env, key),
        }
    }

    /// The key goes to the slot's buffer, which holds the longest that a program may have.
    #[inline(always)]
    fn run_named<C: FireContext, K: Clock>(
        &self,
        parts: &[Part],
        target: &AggTarget,
        env: &mut FireEnv<'_, C, K>,
        key: &mut KeyBuf,
    ) {
        key.start(&[]);
        for part in parts {
            let _fits = match part {
                Part::Number(leaf, size) => key.scalar(env.leaf(leaf), *size),
                Part::Name(most) => {
                    let name = env.ctx.execname();
                    key.put(name.get(..*most).unwrap_or(name))
                }
            };
        }
        let (value, weight) = self.fed(env);
        let (words, hash) = key.finish(0);
        let target = AggTarget { epid: env.epid, ..*target };
        if env.view.active().feed(&target, words, hash, value, weight).is_err() {
            count_unfed(env.view);
        }
    }
}

impl Key {
    fn new(agg: &AggStep, exprs: &[Expr]) -> Option<Self> {
        if let Some(fast) = &agg.fast {
            return Some(Self::Numbers(fast.clone()));
        }
        let part = |step: &Step| match step {
            Step::Value { difo, size, .. } => match exprs.get(us(*difo))? {
                Expr::Leaf(leaf) => Some(Part::Number(*leaf, *size)),
                _ => None,
            },
            Step::String { difo, size, .. } => match exprs.get(us(*difo))? {
                Expr::Leaf(Leaf::Builtin(var::EXECNAME)) => {
                    Some(Part::Name(EXECNAME.min(us(*size)).saturating_sub(1)))
                }
                _ => None,
            },
            _ => None,
        };
        let parts = agg.key.iter().map(part).collect::<Option<_>>()?;
        let AggStep { func, values, .. } = *agg;
        Some(Self::Named(parts, AggTarget { varid: agg.varid.ok()?, func, values, epid: Epid(0) }))
    }

    fn any_leaf(&self, such: &impl Fn(&Leaf) -> bool) -> bool {
        match self {
            Self::Numbers(agg) => agg.any_leaf(such),
            Self::Named(parts, _) => {
                parts.iter().any(|part| matches!(part, Part::Number(leaf, _) if such(leaf)))
            }
        }
    }
}

/// Whether a leaf is in the memory that begins anew with each firing.
const fn needs_begin(leaf: Leaf) -> bool {
    matches!(leaf, Leaf::Local(_) | Leaf::Builtin(var::EXECNAME))
}
