//! The plainest clauses: those that look at nothing but what a fire brings along, and neither need
//! an environment for it nor can fault.
//!
//! * [`Gate`]: a predicate that compares one such number with a constant, as in `/pid == 1234/`. Where
//!   it is false, the fire is over before it has touched the session's memory.
//! * [`Record`]: one such number is recorded, as in `trace(arg0)`.
//! * [`Feed`]: an aggregation without a key is fed one, as in `@ = quantize(arg2)` or `@ = count()`.

use core::sync::atomic::Ordering::Relaxed;

use dif::{interval::Interval, number::var};

use super::{
    expr::{Expr, Leaf},
    fire::{count_full, count_unfed},
    state::SlotView,
};
use crate::{
    arena::{
        agg::AggTarget,
        header::SlotHeader,
        ring::{RingWriter, tag},
    },
    context::FireContext,
    ecb::RECORD_HEADER,
    ids::Epid,
    num::us,
};

/// A number that a fire brings along, or one that is known before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Arg(u8),
    Constant(u64),
    Identity(Identity),
}

/// Who fires, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Identity {
    Pid,
    Tid,
    Ppid,
    Uid,
    Gid,
    Cpu,
}

impl Number {
    /// What one is when it is `1`.
    pub(crate) const ONE: Self = Self::Constant(1);

    /// The number that an expression comes to, if it is that plain.
    pub(crate) fn new(leaf: &Leaf) -> Option<Self> {
        Some(match *leaf {
            Leaf::Arg(index) => Self::Arg(index),
            Leaf::Constant(value) => Self::Constant(value),
            Leaf::Pid => Self::Identity(Identity::Pid),
            Leaf::Tid => Self::Identity(Identity::Tid),
            Leaf::Builtin(var::PPID) => Self::Identity(Identity::Ppid),
            Leaf::Builtin(var::UID) => Self::Identity(Identity::Uid),
            Leaf::Builtin(var::GID) => Self::Identity(Identity::Gid),
            Leaf::Builtin(var::CPU) => Self::Identity(Identity::Cpu),
            _ => return None,
        })
    }

    #[inline(always)]
    fn of<C: FireContext>(self, ctx: &C) -> u64 {
        match self {
            Self::Arg(index) => ctx.arg(us(u32::from(index))),
            Self::Constant(value) => value,
            Self::Identity(which) => which.of(ctx),
        }
    }
}

impl Identity {
    /// Out of line: arguments are asked for more often.
    #[inline(never)]
    fn of<C: FireContext>(self, ctx: &C) -> u64 {
        u64::from(match self {
            Self::Pid => ctx.pid(),
            Self::Tid => ctx.tid(),
            Self::Ppid => ctx.ppid(),
            Self::Uid => ctx.uid(),
            Self::Gid => ctx.gid(),
            Self::Cpu => ctx.cpu(),
        })
    }
}

/// A predicate that is answered at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    number: Number,
    /// The numbers that it lets in.
    open: Interval,
}

impl Gate {
    /// The gate that an ECB's predicate comes to, if it is that plain.
    pub(crate) fn new(predicate: &Expr) -> Option<Self> {
        let (leaf, open) = match predicate {
            Expr::Leaf(leaf) => (leaf, Interval::TRUE),
            Expr::Test(leaf, test) => (leaf, test.truth()),
            _ => return None,
        };
        Some(Self { number: Number::new(leaf)?, open })
    }

    /// Whether a fire is let in.
    #[inline(always)]
    pub(crate) fn lets_in<C: FireContext>(&self, ctx: &C) -> bool {
        self.open.contains(self.number.of(ctx))
    }
}

/// Words of a record of one number.
const WORDS: usize = 3;

/// A clause that records one number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) number: Number,
    /// The bits of it that are recorded.
    pub(crate) mask: u64,
}

impl Record {
    /// Bytes of such a record, header included.
    pub(crate) const SIZE: u32 = RECORD_HEADER + 8;

    /// Writes the record of a fire at that time.
    ///
    /// # Context
    /// The firing path. The slot is in a fire since then, and may fire.
    #[inline(always)]
    pub(crate) fn run<C: FireContext>(
        &self,
        (view, slot, ring): (&SlotView<'_>, &SlotHeader, &mut RingWriter),
        ctx: &C,
        (epid, now): (Epid, u64),
    ) {
        let Ok(place) = ring.reserve(slot, view.ring, view.policy, WORDS) else {
            return count_full(view);
        };
        if let [head, time, word, ..] = place {
            head.store(tag(epid, Self::SIZE), Relaxed);
            time.store(now, Relaxed);
            word.store(self.number.of(ctx) & self.mask, Relaxed);
        }
        ring.publish(slot, WORDS);
    }
}

/// A clause that feeds one aggregation without a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    pub(crate) number: Number,
    /// The epid is filled in.
    pub(crate) target: AggTarget,
    pub(crate) identity: u64,
}

impl Feed {
    /// Feeds it.
    ///
    /// # Context
    /// As [`Record::run`].
    #[inline(always)]
    pub(crate) fn run<C: FireContext>(&self, view: &SlotView<'_>, ctx: &C) {
        let fed = (self.number.of(ctx), 1);
        let who = (self.identity, self.target.epid);
        if view.active().feed_keyless(who, &self.target, fed).is_err() {
            count_unfed(view);
        }
    }
}

const _: () = assert!(us(Record::SIZE) == WORDS * 8);
