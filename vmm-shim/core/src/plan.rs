//! What a guest shall instrument, what it has instrumented, and the commands from one to the other.
//!
//! ```text
//!            want()                 reply()                   acknowledge()
//!  sessions ───────▶ wanted ──diff──▶ commands in flight ───────────────────▶ done
//!                      ▲                │        │ not acknowledged: the same again
//!                      └── told ◀───────┘        └─────────▶ reply()
//! ```
//! `told` is what the guest will have once it has carried out every command it was sent. There is
//! no queue of commands: each reply is the first part of the difference between `told` and
//! `wanted`, so a session that ends while its enabling is under way costs nothing but what was
//! already sent. At most one reply is in flight, and it is repeated until it is acknowledged.

use hypercall::{Command, Context, Op};

/// Commands in one reply: what the body of a descriptor holds, less one for luck of round numbers.
pub const MAX_COMMANDS_IN_REPLY: usize = 250;

/// What a probe's fires must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// Which parts.
    pub context: Context,
    /// Frames of the kernel stack.
    pub frames: u32,
}

/// Probes with consecutive ids and one [`Carry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    /// One past the last.
    end: u32,
    carry: Carry,
}

/// A set of probes, each with what it must carry: sorted, disjoint runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeSet(Vec<Run>);

impl ProbeSet {
    /// Collects probes. Of one id given several times the last counts.
    pub fn collect(probes: impl IntoIterator<Item = (u32, Carry)>) -> Self {
        let mut all: Vec<_> = probes.into_iter().filter(|(id, _)| *id != u32::MAX).collect();
        all.sort_by_key(|(id, _)| *id);
        let mut set = Self::default();
        for (index, &(id, carry)) in all.iter().enumerate() {
            if all.get(index + 1).is_none_or(|(next, _)| *next != id) {
                set.push(id, id + 1, carry);
            }
        }
        set
    }

    /// How many probes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.end - run.first)).sum()
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a run behind the last one.
    fn push(&mut self, first: u32, end: u32, carry: Carry) {
        if first >= end {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.end == first && last.carry == carry => last.end = end,
            _ => self.0.push(Run { first, end, carry }),
        }
    }

    /// Calls `visit(first, end, ours, theirs)` for every stretch on which both sets are constant
    /// and at least one has probes, in order, until it returns false.
    fn sweep(
        &self,
        other: &Self,
        mut visit: impl FnMut(u32, u32, Option<Carry>, Option<Carry>) -> bool,
    ) {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut at = 0;
        loop {
            while a.next_if(|run| run.end <= at).is_some() {}
            while b.next_if(|run| run.end <= at).is_some() {}
            let fronts = [a.peek().copied(), b.peek().copied()];
            let edges = fronts.iter().flatten();
            let Some(start) = edges.clone().map(|run| run.first.max(at)).min() else { return };
            let edge = |run: &&Run| if run.first > start { run.first } else { run.end };
            let Some(end) = edges.map(edge).min() else { return };
            let [ours, theirs] =
                fronts.map(|run| run.filter(|run| run.first <= start).map(|run| run.carry));
            if !visit(start, end, ours, theirs) {
                return;
            }
            at = end;
        }
    }

    /// The first `most` commands that lead from this set to `wanted`, and whether more would
    /// follow.
    #[must_use]
    pub fn commands_to(&self, wanted: &Self, most: usize) -> (Vec<Command>, bool) {
        let mut commands: Vec<Command> = Vec::new();
        let mut more = false;
        self.sweep(wanted, |first, end, have, want| {
            let (op, carry) = match (have, want) {
                (have, want) if have == want => return true,
                (_, Some(want)) => (Op::Enable, want),
                (_, None) => (Op::Disable, Carry { context: Context::empty(), frames: 0 }),
            };
            let command = command(op, first, end, carry);
            let full = commands.len() == most;
            match commands.last_mut() {
                Some(last) if joins(last, &command) => last.nprobes += command.nprobes,
                _ if full => more = true,
                _ => commands.push(command),
            }
            !more
        });
        (commands, more)
    }

    /// The set after `commands`, which are sorted as [`ProbeSet::commands_to`] gives them.
    fn after(&self, commands: &[Command]) -> Self {
        let mut changed = Self::default();
        let mut gone = Self::default();
        for c in commands {
            let to = if c.op == Op::Enable.raw() { &mut changed } else { &mut gone };
            let context = Context::from_bits_truncate(c.context);
            to.push(
                c.first_probe,
                c.first_probe.saturating_add(c.nprobes),
                Carry { context, frames: c.arg },
            );
        }
        self.without(&gone).with(&changed)
    }

    /// This set and `other`'s probes, which win.
    fn with(&self, other: &Self) -> Self {
        let mut set = Self::default();
        self.sweep(other, |first, end, ours, theirs| {
            if let Some(carry) = theirs.or(ours) {
                set.push(first, end, carry);
            }
            true
        });
        set
    }

    /// This set less `other`'s probes.
    fn without(&self, other: &Self) -> Self {
        let mut set = Self::default();
        self.sweep(other, |first, end, ours, theirs| {
            if let (Some(carry), None) = (ours, theirs) {
                set.push(first, end, carry);
            }
            true
        });
        set
    }

    /// Those of this set's probes that `other` has too.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let mut set = Self::default();
        self.sweep(other, |first, end, ours, theirs| {
            if let (Some(carry), Some(_)) = (ours, theirs) {
                set.push(first, end, carry);
            }
            true
        });
        set
    }

    /// Adds probes from `first` to below `end`, all behind the last one there is, that carry
    /// nothing.
    pub fn extend(&mut self, first: u32, end: u32) {
        self.push(first, end, Carry { context: Context::empty(), frames: 0 });
    }

    /// Removes a run of probes.
    pub fn remove(&mut self, first: u32, count: u32) {
        let mut gone = Self::default();
        let carry = Carry { context: Context::empty(), frames: 0 };
        gone.push(first, first.saturating_add(count), carry);
        *self = self.without(&gone);
    }
}

/// A command for a run of probes.
fn command(op: Op, first: u32, end: u32, carry: Carry) -> Command {
    Command {
        first_probe: first,
        nprobes: end - first,
        op: op.raw(),
        context: carry.context.bits(),
        arg: carry.frames,
    }
}

/// Whether `next` only prolongs `last`.
fn joins(last: &Command, next: &Command) -> bool {
    last.first_probe + last.nprobes == next.first_probe
        && (last.op, last.context, last.arg) == (next.op, next.context, next.arg)
}

/// The commands a guest was sent and has not yet acknowledged.
#[derive(Debug)]
struct Flight {
    seq: u32,
    commands: Vec<Command>,
    more: bool,
}

/// One answer to POLL.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// To be acknowledged; that of the last commands if there are none now.
    pub seq: u32,
    /// What to do.
    pub commands: &'a [Command],
    /// Poll again at once.
    pub more: bool,
}

/// The state of the talk with one guest about its probes.
#[derive(Debug, Default)]
pub struct Planner {
    told: ProbeSet,
    wanted: ProbeSet,
    flight: Option<Flight>,
    seq: u32,
    generation: u64,
    failed: u64,
}

impl Planner {
    /// Sets what is wanted from now on. `generation` goes up with every change.
    pub fn want(&mut self, generation: u64, wanted: ProbeSet) {
        self.generation = generation;
        self.wanted = wanted;
    }

    /// The generation last given to [`Planner::want`].
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes the guest's acknowledgement. One of anything but the commands in flight is ignored:
    /// they will be sent again.
    pub fn acknowledge(&mut self, ack: u32, failed: u32) {
        if let Some(flight) = self.flight.take_if(|flight| flight.seq == ack) {
            let sent: u64 = flight.commands.iter().map(|c| u64::from(c.nprobes)).sum();
            self.failed += u64::from(failed).min(sent);
        }
    }

    /// What to answer now.
    pub fn reply(&mut self) -> Reply<'_> {
        if self.flight.is_none() && self.told != self.wanted {
            let (commands, more) = self.told.commands_to(&self.wanted, MAX_COMMANDS_IN_REPLY);
            self.told = self.told.after(&commands);
            self.seq = self.seq.checked_add(1).unwrap_or(1);
            self.flight = Some(Flight { seq: self.seq, commands, more });
        }
        match &self.flight {
            Some(flight) => {
                Reply { seq: flight.seq, commands: &flight.commands, more: flight.more }
            }
            None => Reply { seq: self.seq, commands: &[], more: false },
        }
    }

    /// Whether the guest has acknowledged everything that is wanted.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.flight.is_none() && self.told == self.wanted
    }

    /// How many probes the guest could not instrument, in total.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// How many probes the guest has instrumented or is about to.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told.len()
    }

    /// The guest says that these probes are no more.
    pub fn gone(&mut self, first: u32, count: u32) {
        self.told.remove(first, count);
        self.wanted.remove(first, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PLAIN: Carry = Carry { context: Context::IDS, frames: 0 };
    const STACK: Carry = Carry { context: Context::KSTACK, frames: 20 };

    /// A guest that carries commands out.
    fn carry_out(have: &mut BTreeMap<u32, Carry>, commands: &[Command]) {
        for c in commands {
            for id in c.first_probe..c.first_probe + c.nprobes {
                if c.op == Op::Enable.raw() {
                    let context = Context::from_bits(c.context).expect("known bits");
                    have.insert(id, Carry { context, frames: c.arg });
                } else {
                    assert!(have.remove(&id).is_some(), "disabled probe {id} was not enabled");
                }
            }
        }
    }

    /// Neighbours become one command; another carry begins a new one.
    #[test]
    fn ids_are_sent_as_ranges() {
        let want = ProbeSet::collect((1..=1000).map(|id| (id, PLAIN)).chain([(1001, STACK)]));
        let (commands, more) = ProbeSet::default().commands_to(&want, 250);
        assert!(!more);
        assert_eq!(
            commands,
            [command(Op::Enable, 1, 1001, PLAIN), command(Op::Enable, 1001, 1002, STACK)]
        );
    }

    /// An unacknowledged reply is repeated, and a wrong acknowledgement changes nothing.
    #[test]
    fn lost_commands_are_sent_again() {
        let mut plan = Planner::default();
        plan.want(1, ProbeSet::collect([(7, PLAIN)]));
        let first = plan.reply().seq;
        plan.acknowledge(0, 0);
        assert_eq!(plan.reply().seq, first);
        assert_eq!(plan.reply().commands.len(), 1);
        assert!(!plan.settled());
        plan.acknowledge(first, 1);
        assert!(plan.settled());
        assert_eq!(plan.failed(), 1);
        assert_eq!(plan.reply(), Reply { seq: first, commands: &[], more: false });
    }

    /// A guest cannot claim that more probes failed than it was told to enable.
    #[test]
    fn failures_are_bounded_by_what_was_sent() {
        let mut plan = Planner::default();
        plan.want(1, ProbeSet::collect([(7, PLAIN), (9, PLAIN)]));
        let seq = plan.reply().seq;
        plan.acknowledge(seq, u32::MAX);
        assert_eq!(plan.failed(), 2);
    }

    /// A reply holds 250 commands at most and says that more wait.
    #[test]
    fn many_ranges_take_several_replies() {
        let mut plan = Planner::default();
        plan.want(1, ProbeSet::collect((1..=600).map(|n| (2 * n, PLAIN))));
        let mut sizes = Vec::new();
        while !plan.settled() {
            let reply = plan.reply();
            let (seq, n, more) = (reply.seq, reply.commands.len(), reply.more);
            sizes.push((n, more));
            plan.acknowledge(seq, 0);
        }
        assert_eq!(sizes, [(250, true), (250, true), (100, false)]);
    }

    fn any_set() -> impl Strategy<Value = BTreeMap<u32, Carry>> {
        let carry = prop_oneof![Just(PLAIN), Just(STACK)];
        proptest::collection::btree_map(1_u32..400, carry, 0..200)
    }

    proptest! {
        /// Whatever is wanted, changed midway, unloaded or lost, the guest ends up with exactly
        /// that, and is never told to disable what it does not have.
        #[test]
        fn guest_ends_with_what_is_wanted(
            wants in proptest::collection::vec((any_set(), any::<bool>()), 1..5),
            unload in (1_u32..400, 0_u32..50),
        ) {
            let mut plan = Planner::default();
            let mut guest = BTreeMap::new();
            let mut done = 0;
            for (generation, (want, lose)) in (1..).zip(&wants) {
                plan.want(generation, ProbeSet::collect(want.iter().map(|(id, c)| (*id, *c))));
                let reply = plan.reply();
                let (seq, commands) = (reply.seq, reply.commands.to_vec());
                if !lose && seq != done {
                    carry_out(&mut guest, &commands);
                    done = seq;
                    plan.acknowledge(seq, 0);
                }
            }
            while !plan.settled() {
                let reply = plan.reply();
                let (seq, commands) = (reply.seq, reply.commands.to_vec());
                carry_out(&mut guest, &commands);
                plan.acknowledge(seq, 0);
            }
            let last = &wants[wants.len() - 1].0;
            prop_assert_eq!(&guest, last);
            plan.gone(unload.0, unload.1);
            guest.retain(|id, _| !(unload.0..unload.0 + unload.1).contains(id));
            prop_assert_eq!(plan.told(), u64::try_from(guest.len()).expect("few"));
        }
    }
}
