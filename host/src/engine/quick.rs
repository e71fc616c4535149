//! ECBs that cannot fault: all of their expressions are formulas, and they record numbers or feed
//! aggregations. Most of a script's hot clauses are such; the predicate, what is recorded and what
//! is done are resolved when the program is loaded, and the record is written where it will lie.
//!
//! Since nothing can fail there is no action number to remember, no result to unpack and no copy
//! of a record to throw away. What an ECB of this kind does is what [`super::fire`] would do with
//! it, step by step in the same order; the tests of `host` compare both.

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
    fire::count_full,
    state::{OutState, SlotView},
};
use crate::{
    arena::ring::tag,
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
    fast: FastAgg,
    value: Option<Expr>,
    weight: Option<Expr>,
}

/// An ECB that cannot fault.
#[derive(Clone, Debug)]
pub(crate) struct Quick {
    /// What must not be 0.
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
                Step::Aggregate(agg) => Op::Feed(Box::new(feed(agg, sure)?)),
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
                    feed.fast.key.iter().any(|(leaf, _)| needs_begin(*leaf))
                        || feed.value.iter().chain(&feed.weight).any(begins)
                }
            });
        let (words, size) = (us(code.size / 8), tag(Epid(0), code.size));
        let mut ops = ops.into_iter();
        let (first, rest) = (ops.next(), ops.collect());
        Some(Arc::new(Self { predicate, first, rest, words, size, needs_begin }))
    }

    /// Whether clause-local variables and `execname` must begin anew before it runs.
    #[inline(always)]
    pub(crate) const fn needs_begin(&self) -> bool {
        self.needs_begin
    }

    /// Runs it: predicate, steps, record.
    ///
    /// # Context
    /// The firing path. The slot is in a fire and may fire.
    #[inline(always)]
    pub(crate) fn run<C: FireContext, K: Clock>(
        &self,
        env: &mut FireEnv<'_, C, K>,
        out: &mut OutState,
    ) {
        if let Some(predicate) = &self.predicate
            && env.surely(predicate) == 0
        {
            return;
        }
        if self.words == 0 {
            self.steps(env, &[]);
            return;
        }
        let view: &SlotView<'_> = env.view;
        let place = match out.ring.reserve(view.slot, view.ring, view.policy, self.words) {
            Ok(place) => place,
            Err(_) => return self.run_without_room(env),
        };
        self.steps(env, place);
        if let [tag, time, ..] = place {
            tag.store(self.size | u64::from(env.epid.0), Relaxed);
            time.store(env.time(), Relaxed);
        }
        out.ring.publish(view.slot, self.words);
    }

    /// The record is lost; what the clause does besides is done.
    #[cold]
    fn run_without_room<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>) {
        env.aside(|env| self.steps_aside(env));
        count_full(env.view);
    }

    #[inline(never)]
    fn steps_aside<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>) {
        self.steps(env, &[]);
    }

    #[inline(always)]
    fn steps<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, place: &[AtomicU64]) {
        if let Some(first) = &self.first {
            first.run(env, place);
        }
        if !self.rest.is_empty() {
            env.aside(|env| self.run_rest(env, place));
        }
    }

    #[inline(never)]
    fn run_rest<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, place: &[AtomicU64]) {
        for op in &self.rest {
            op.run(env, place);
        }
    }
}

impl Op {
    #[inline(always)]
    fn run<C: FireContext, K: Clock>(&self, env: &mut FireEnv<'_, C, K>, place: &[AtomicU64]) {
        match self {
            Self::Do(expr) => {
                env.surely_here(expr);
            }
            Self::Put(put) => {
                let value = (env.surely(&put.value) & put.mask) << (put.shift & 63);
                if let Some(word) = place.get(put.word) {
                    let before = if put.fresh { 0 } else { word.load(Relaxed) };
                    word.store(before | value, Relaxed);
                }
            }
            Self::Feed(feed) => {
                let (value, weight) = (feed.value.as_ref(), feed.weight.as_ref());
                let fed = |env: &mut FireEnv<'_, C, K>| {
                    let weight = weight.map_or(1, |expr| env.surely_aside(expr));
                    Ok::<_, Infallible>((value.map_or(1, |expr| env.surely(expr)), weight))
                };
                let Ok(()) = env.feed(&feed.fast, fed);
            }
        }
    }
}

fn feed(agg: &AggStep, sure: impl Fn(u32) -> Option<Expr>) -> Option<Feed> {
    let fast = agg.fast.clone()?;
    let number = |difo: Option<u32>| match difo {
        Some(difo) => sure(difo).map(Some),
        None => Some(None),
    };
    Some(Feed { fast, value: number(agg.value)?, weight: number(agg.weight)? })
}

/// Whether a leaf is in the memory that begins anew with each firing.
const fn needs_begin(leaf: Leaf) -> bool {
    matches!(leaf, Leaf::Local(_) | Leaf::Builtin(var::EXECNAME))
}
