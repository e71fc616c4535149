//! Sessions and their enablings: the part of the engine that may allocate and lock.

use core::{
    borrow::Borrow,
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};
use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    string::String,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dif::program::Program;
use thiserror::Error;

use super::{
    code::{LoadError, Loaded, ecb_count},
    demand::Demand,
    env::Target,
    fire::{fire, fire_bare, fire_feed, fire_quick, fire_record, try_bare},
    plain::{Feed, Gate, Record},
    private::{Guards, PerSlot, SlotGuard},
    quick::{Quick, Shape},
    rows::{Retiring, Row, Rows},
    state::{Group, Names, Places, Reaction, SessionCore, SlotState, SlotView},
};
use crate::{
    arena::map::{ArenaError, ArenaMap},
    clock::{Clock, Monotonic},
    context::FireContext,
    ids::{Enabling, Epid, LocalSlot, MachineId, ProbeId, SlotId},
    num::us,
};

/// Names a session in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Why the engine does not do what it is asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The arena cannot be mapped.
    #[error(transparent)]
    Arena(#[from] ArenaError),
    /// The program cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No such session.
    #[error("there is no such session")]
    NoSession,
    /// The arena has not the slots that were given.
    #[error("slots {base}..{base}+{slots} are not in an arena of {have}")]
    Slots {
        /// The first.
        base: u32,
        /// How many.
        slots: u32,
        /// How many the arena has.
        have: u32,
    },
    /// An enabling names an ECB that the program does not have.
    #[error("enabling {at}: the program has no clause {ecb}")]
    NoEcb {
        /// The enabling's place.
        at: usize,
        /// The ECB.
        ecb: u32,
    },
    /// An enabling names a probe beyond what the engine takes.
    #[error("enabling {at}: there is no probe {probe}")]
    NoProbe {
        /// The enabling's place.
        at: usize,
        /// The probe.
        probe: u32,
    },
    /// A clause would change the machine, and its owner does not permit that.
    #[error(
        "clause {ecb} is destructive (stop, raise, copyout, chill, breakpoint, panic), which this \
         machine does not permit; a guest does when its module is loaded with destructive=1"
    )]
    NotPermitted {
        /// The ECB.
        ecb: u32,
    },
    /// Nothing was loaded yet.
    #[error("no program was loaded")]
    NoProgram,
}

/// The highest probe number an engine takes.
pub const MAX_PROBE: u32 = 1 << 22;

/// Where an engine asks for the names of its probes when they are enabled.
pub trait ProbeNames {
    /// Provider, module, function, name; `None` if there is no such probe.
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]>;
    /// Whether whoever owns the machine lets scripts change it; asked for clauses that would.
    fn permits_destructive(&self) -> bool {
        true
    }
}

/// Probes without names: `probeprov` and its like are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl ProbeNames for NoNames {
    fn names(&self, _probe: ProbeId) -> Option<[&str; 4]> {
        None
    }
}

/// An open session.
#[derive(Debug)]
struct Session {
    core: Arc<SessionCore>,
    /// Looks into `arena`, and so goes before it.
    private: PerSlot<SlotState<'static>>,
    _arena: ArenaMap,
}

/// A session with what it has loaded and enabled.
#[derive(Debug)]
struct Open {
    session: Arc<Session>,
    program: Option<Arc<Loaded>>,
    groups: BTreeMap<ProbeId, Arc<Group>>,
    errors: Arc<Group>,
    /// What `groups` were made of: a program loaded later counts from the next `enable` on.
    enabled: Option<Arc<Loaded>>,
}

/// One probe's ECBs in one session, as fires find them.
#[derive(Debug)]
struct Entry {
    way: Way,
    session: Arc<Session>,
    target: Target,
    /// The same probe's in another session.
    next: Option<Box<Entry>>,
}

/// A probe that somebody wanted a moment ago.
#[derive(Debug)]
pub struct Enabled<'e>(Row<'e, Entry>);

/// What came of the beginning of a fire.
#[derive(Debug)]
pub enum Begun<'e> {
    /// Nobody wants it any more.
    Nothing,
    /// The slot was in a fire already, or is none of the engine's: see [`Engine::collide`].
    Refused,
    /// All that is to run is one empty clause, which looks at nothing: see [`Engine::try_bare`].
    Bare(BareFire<'e>),
    /// There is something to run: see [`Engine::run`].
    Fire(Fire<'e>),
}

/// A fire of an empty clause.
#[derive(Debug)]
pub struct BareFire<'e> {
    guard: SlotGuard<'e>,
    bare: &'e Bare,
}

/// An empty clause, alone on its probe.
#[derive(Debug)]
struct Bare {
    epid: Epid,
    session: Arc<Session>,
}

/// A fire that has begun, and what it is to run.
#[derive(Debug)]
pub struct Fire<'e> {
    guard: SlotGuard<'e>,
    entry: &'e Entry,
}

/// How an entry is fired. A gate alone may stand before the short way, and all but `All` have
/// nothing else on this probe.
#[derive(Debug)]
#[repr(u8)]
enum Way {
    /// An empty clause.
    Bare(Bare),
    /// A clause that records one number.
    Record(Record, Epid),
    /// A clause that feeds one aggregation without a key.
    Feed(Feed),
    /// One ECB with the short way, by its shape.
    Keyed(QuickWay),
    Do(QuickWay),
    Timed(QuickWay),
    Any(QuickWay),
    /// One ECB with the short way, if the gate lets the fire in.
    Gated(Gate, QuickWay),
    /// Whatever it is.
    All,
}

/// An ECB that has the short way.
#[derive(Debug)]
struct QuickWay {
    epid: Epid,
    ecb: Arc<Quick>,
}

impl Way {
    fn of(program: &Loaded, group: &Group, session: &Arc<Session>) -> Self {
        let [(ecb, epid)] = group.ecbs.as_slice() else { return Self::All };
        let Some(code) = program.ecbs.get(us(*ecb)) else { return Self::All };
        if code.is_bare() {
            return Self::Bare(Bare { epid: *epid, session: Arc::clone(session) });
        }
        let Some(quick) = &code.quick else { return Self::All };
        let way = QuickWay { epid: *epid, ecb: Arc::clone(quick) };
        if let Some(gate) = quick.gate() {
            Self::Gated(*gate, way)
        } else if let Some(record) = quick.as_record() {
            Self::Record(record, *epid)
        } else if let Some(feed) = quick.as_feed(*epid) {
            Self::Feed(feed)
        } else {
            match quick.shape() {
                Shape::Keyed => Self::Keyed(way),
                Shape::Do => Self::Do(way),
                Shape::Timed => Self::Timed(way),
                Shape::Any => Self::Any(way),
            }
        }
    }
}

/// Entries that were replaced, and the fires that may still look at them.
#[derive(Debug)]
struct Retired {
    /// Freed by being dropped.
    _entries: Vec<Retiring<Entry>>,
    seen: Vec<(usize, u64)>,
}

#[derive(Debug, Default)]
struct Control {
    sessions: BTreeMap<SessionId, Open>,
    next: u64,
    /// The probes that have entries, in order.
    enabled: Vec<ProbeId>,
    retired: Vec<Retired>,
}

/// One machine's engine in one process.
#[derive(Debug)]
pub struct Engine<K: Clock = Monotonic> {
    guards: Guards,
    rows: Rows<Entry>,
    control: Mutex<Control>,
    generation: AtomicU64,
    collisions: AtomicU64,
    vmname: String,
    clock: K,
}

impl Engine<Monotonic> {
    /// An engine of `slots` slots for the machine called `vmname`.
    #[must_use]
    pub fn new(slots: u32, vmname: &str) -> Self {
        Monotonic::prepare();
        Self::with_clock(slots, vmname, Monotonic)
    }
}

impl<K: Clock> Engine<K> {
    /// As [`Engine::new`] with a clock of the caller's.
    #[must_use]
    pub fn with_clock(slots: u32, vmname: &str, clock: K) -> Self {
        Self {
            guards: Guards::new(slots),
            rows: Rows::new(),
            control: Mutex::default(),
            generation: AtomicU64::new(0),
            collisions: AtomicU64::new(0),
            vmname: vmname.into(),
            clock,
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // What a panicking thread may have left half done is a list of sessions at worst.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session on an arena whose descriptor came from the consumer. The engine's slot `n`
    /// is the session's slot `base + n`, for the first `slots` of them.
    ///
    /// # Errors
    /// [`EngineError::Arena`], [`EngineError::Slots`].
    pub fn open(
        &self,
        arena: OwnedFd,
        machine: MachineId,
        base: SlotId,
        slots: u32,
    ) -> Result<SessionId, EngineError> {
        self.open_mapped(ArenaMap::open(arena)?, machine, base, slots)
    }

    /// As [`Engine::open`] on an arena that is mapped already.
    ///
    /// # Errors
    /// [`EngineError::Slots`].
    pub fn open_mapped(
        &self,
        arena: ArenaMap,
        machine: MachineId,
        base: SlotId,
        slots: u32,
    ) -> Result<SessionId, EngineError> {
        let have = arena.layout().config().nslots;
        if base.0.checked_add(slots).is_none_or(|end| end > have) {
            return Err(EngineError::Slots { base: base.0, slots, have });
        }
        let vmname = self.vmname.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        let core = SessionCore {
            layout: arena.layout().clone(),
            places: Places::new(arena.layout()),
            machine,
            vmname,
        };
        let count = us(slots).min(self.guards.len());
        // SAFETY: the views made of it live in the session, beside the mapping and dropped before
        // it; a fire borrows them from the session only for as long as it lasts.
        let mem = unsafe { arena.mem().extend::<'static>() };
        let mut states = Vec::with_capacity(count);
        for number in (base.0..).take(count) {
            let view = SlotView::new(mem, arena.layout(), number).ok_or(EngineError::Slots {
                base: base.0,
                slots,
                have,
            })?;
            let seed = (self.clock.now() ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            states.push(SlotState::new(arena.layout(), view, seed));
        }
        let private = PerSlot::new(states);
        let mut control = self.control();
        control.next += 1;
        let id = SessionId(control.next);
        let open = Open {
            session: Arc::new(Session { core: Arc::new(core), private, _arena: arena }),
            program: None,
            groups: BTreeMap::new(),
            errors: Arc::default(),
            enabled: None,
        };
        control.sessions.insert(id, open);
        Ok(id)
    }

    /// Reads, verifies and loads a program; it counts from the next [`Engine::enable`] on. Returns
    /// how many ECBs it has.
    ///
    /// # Errors
    /// [`EngineError::Load`], [`EngineError::NoSession`]; the former program stays then.
    pub fn load(&self, session: SessionId, dof: &[u8]) -> Result<u32, EngineError> {
        self.load_with(session, |core| Loaded::new(dof, &core.layout))
    }

    /// As [`Engine::load`] of a program that never was bytes.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_program(&self, session: SessionId, program: &Program) -> Result<u32, EngineError> {
        self.load_with(session, |core| Loaded::bind(program, &core.layout))
    }

    fn load_with(
        &self,
        session: SessionId,
        make: impl FnOnce(&SessionCore) -> Result<Arc<Loaded>, LoadError>,
    ) -> Result<u32, EngineError> {
        let target = {
            let control = self.control();
            Arc::clone(&control.sessions.get(&session).ok_or(EngineError::NoSession)?.session)
        };
        let loaded = make(&target.core)?;
        let count = ecb_count(&loaded);
        let mut control = self.control();
        let open = control.sessions.get_mut(&session).ok_or(EngineError::NoSession)?;
        open.program = Some(loaded);
        Ok(count)
    }

    /// Replaces a session's enablings, a probe's ECBs all at once; ECBs of one probe run in the
    /// order given. The probes' names are asked for here.
    ///
    /// # Errors
    /// [`EngineError`]; the former enablings stay then.
    pub fn enable(
        &self,
        session: SessionId,
        enablings: &[Enabling],
        names: &dyn ProbeNames,
    ) -> Result<(), EngineError> {
        let mut control = self.control();
        let open = control.sessions.get_mut(&session).ok_or(EngineError::NoSession)?;
        let program = open.program.clone().ok_or(EngineError::NoProgram)?;
        let mut groups: BTreeMap<ProbeId, Group> = BTreeMap::new();
        for (at, it) in enablings.iter().enumerate() {
            let Some(code) = program.ecbs.get(us(it.ecb)) else {
                return Err(EngineError::NoEcb { at, ecb: it.ecb });
            };
            if code.destructive && !names.permits_destructive() {
                return Err(EngineError::NotPermitted { ecb: it.ecb });
            }
            if it.probe.0 > MAX_PROBE {
                return Err(EngineError::NoProbe { at, probe: it.probe.0 });
            }
            let group = groups.entry(it.probe).or_insert_with(|| Group {
                names: group_names(it.probe, names),
                id: it.id,
                ecbs: Vec::new(),
            });
            group.ecbs.push((it.ecb, it.epid));
        }
        open.errors = Arc::new(groups.remove(&ProbeId::ERROR).unwrap_or_default());
        open.groups = groups.into_iter().map(|(probe, group)| (probe, Arc::new(group))).collect();
        open.enabled = Some(program);
        self.publish(&mut control);
        Ok(())
    }

    /// Ends a session. Its arena is unmapped when the last fire that may see it is over.
    pub fn close(&self, session: SessionId) {
        let mut control = self.control();
        if control.sessions.remove(&session).is_some() {
            self.publish(&mut control);
        }
    }

    /// Closes every session.
    pub fn close_all(&self) {
        let mut control = self.control();
        control.sessions.clear();
        self.publish(&mut control);
    }

    /// Frees what replaced entries left, as far as no fire looks at it any more.
    pub fn reclaim(&self) {
        let mut control = self.control();
        control.retired.retain(|old| !self.guards.have_left(&old.seen));
    }

    /// Makes the entries anew and puts them in.
    fn publish(&self, control: &mut Control) {
        let mut entries = build(control);
        let gone = control.enabled.iter().filter(|probe| !entries.contains_key(probe));
        let gone: Vec<ProbeId> = gone.copied().collect();
        control.enabled = entries.keys().copied().collect();
        let mut old = Vec::new();
        for probe in gone.iter().chain(&control.enabled) {
            // SAFETY: what is taken out waits in `control.retired`, or is dropped below, until
            // every slot that is in a fire now has left it.
            old.extend(unsafe { self.rows.replace(*probe, entries.remove(probe)) });
        }
        let seen = self.guards.in_fire();
        control.retired.retain(|old| !self.guards.have_left(&old.seen));
        if !seen.is_empty() {
            control.retired.push(Retired { _entries: old, seen });
        }
        self.generation.fetch_add(1, AcqRel);
    }

    /// Every probe that a session wants, and what its fires must carry, ordered by probe.
    #[must_use]
    pub fn wanted(&self) -> Vec<(ProbeId, Demand)> {
        let control = self.control();
        let mut wanted: BTreeMap<ProbeId, Demand> = BTreeMap::new();
        for open in control.sessions.values() {
            let Some(program) = &open.enabled else { continue };
            let errors = demand_of(program, &open.errors);
            for (probe, group) in &open.groups {
                let demand = wanted.entry(*probe).or_default();
                demand.add(demand_of(program, group));
                demand.add(errors);
            }
        }
        wanted.into_iter().collect()
    }

    /// Changes whenever [`Engine::wanted`] may have.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.control().sessions.len()
    }

    /// Fires refused because their slot was in a fire already, or is none of the engine's.
    #[must_use]
    pub fn collisions(&self) -> u64 {
        self.collisions.load(Relaxed)
    }

    /// The probe, if a fire of it may find an ECB. Lets a platform leave a fire out before it has
    /// gathered what a fire needs; a fire that comes while the answer changes may be left out.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    #[must_use]
    pub fn enabled(&self, probe: ProbeId) -> Option<Enabled<'_>> {
        self.rows.find(probe).map(Enabled)
    }

    /// Fires a probe on a slot: runs its ECBs in every session.
    ///
    /// # Context
    /// This is the firing path; see the crate's rule. A slot has one fire at a time: another that
    /// comes meanwhile is counted and refused.
    #[inline]
    pub fn fire<C: FireContext>(&self, slot: LocalSlot, probe: ProbeId, ctx: &C) -> Reaction {
        let Some(probe) = self.enabled(probe) else { return Reaction::Nothing };
        match self.begin(slot, probe) {
            Begun::Nothing => Reaction::Nothing,
            Begun::Refused => {
                self.collide();
                Reaction::Nothing
            }
            Begun::Bare(fire) => {
                self.run_bare(fire);
                Reaction::Nothing
            }
            Begun::Fire(fire) => self.run::<C, &C>(fire, || ctx),
        }
    }

    /// Begins a fire.
    ///
    /// # Context
    /// The firing path. It calls nothing: a function that goes on with a call in tail position needs
    /// no stack for it.
    #[inline(always)]
    pub fn begin<'e>(&'e self, slot: LocalSlot, probe: Enabled<'e>) -> Begun<'e> {
        let Some(guard) = self.guards.enter(slot) else { return Begun::Refused };
        // SAFETY: this thread is in the slot until the guard is dropped, here or by whoever goes on.
        match unsafe { probe.0.get() } {
            Some(Entry { way: Way::Bare(bare), .. }) => Begun::Bare(BareFire { guard, bare }),
            Some(entry) => Begun::Fire(Fire { guard, entry }),
            None => Begun::Nothing,
        }
    }

    /// Fires, if that is a matter of a few instructions; [`Engine::run_bare`] is for when it is not.
    ///
    /// # Errors
    /// The fire, of which nothing was done.
    ///
    /// # Context
    /// The firing path. It calls nothing.
    #[inline(always)]
    pub fn try_bare<'e>(&self, mut fire: BareFire<'e>) -> Result<(), BareFire<'e>> {
        let Some(state) = fire.bare.session.private.get(&mut fire.guard) else { return Ok(()) };
        if try_bare(state, &fire.bare.epid, &self.clock) { Ok(()) } else { Err(fire) }
    }

    /// Fires an empty clause.
    ///
    /// # Context
    /// The firing path.
    #[inline(always)]
    pub fn run_bare(&self, mut fire: BareFire<'_>) {
        if let Some(state) = fire.bare.session.private.get(&mut fire.guard) {
            fire_bare(state, fire.bare.epid, &self.clock);
        }
    }

    /// Goes on with a fire. The context is made when it is needed.
    ///
    /// # Context
    /// As [`Engine::fire`].
    #[inline(always)]
    pub fn run<C: FireContext, B: Borrow<C>>(
        &self,
        fire: Fire<'_>,
        make: impl FnOnce() -> B,
    ) -> Reaction {
        let Fire { mut guard, entry } = fire;
        match &entry.way {
            Way::Bare(bare) => {
                self.run_bare(BareFire { guard, bare });
                Reaction::Nothing
            }
            Way::Record(record, epid) => {
                if let Some(state) = entry.session.private.get(&mut guard) {
                    fire_record(record, *epid, state, make().borrow(), &self.clock);
                }
                Reaction::Nothing
            }
            Way::Feed(feed) => {
                if let Some(state) = entry.session.private.get(&mut guard) {
                    fire_feed(feed, state, make().borrow());
                }
                Reaction::Nothing
            }
            Way::Keyed(way) => entry.quick(Shape::Keyed, way, guard, make().borrow(), &self.clock),
            Way::Do(way) => entry.quick(Shape::Do, way, guard, make().borrow(), &self.clock),
            Way::Timed(way) => entry.quick(Shape::Timed, way, guard, make().borrow(), &self.clock),
            Way::Any(way) => entry.quick(Shape::Any, way, guard, make().borrow(), &self.clock),
            Way::Gated(gate, way) => {
                let ctx = make();
                if gate.lets_in(ctx.borrow()) {
                    entry.gated(way, guard, ctx.borrow(), &self.clock);
                }
                Reaction::Nothing
            }
            Way::All => entry.fire_all(guard, make().borrow(), &self.clock),
        }
    }

    /// Counts a fire that [`Engine::begin`] refused.
    #[cold]
    #[inline(never)]
    pub fn collide(&self) {
        self.collisions.fetch_add(1, Relaxed);
    }
}

impl<K: Clock> Drop for Engine<K> {
    fn drop(&mut self) {
        let control = self.control.get_mut().unwrap_or_else(PoisonError::into_inner);
        // With the engine borrowed mutably no fire runs.
        drop(self.rows.clear(&control.enabled));
    }
}

impl Entry {
    /// Fires the one ECB; `shape` is a constant wherever this becomes code.
    #[inline(always)]
    fn quick<C: FireContext, K: Clock>(
        &self,
        shape: Shape,
        way: &QuickWay,
        mut guard: SlotGuard<'_>,
        ctx: &C,
        clock: &K,
    ) -> Reaction {
        if let Some(state) = self.session.private.get(&mut guard) {
            fire_quick(shape, &self.target, (&way.ecb, way.epid), state, ctx, clock);
        }
        Reaction::Nothing
    }

    /// Fires the one ECB behind its gate, whatever its shape.
    #[inline(never)]
    fn gated<C: FireContext, K: Clock>(
        &self,
        way: &QuickWay,
        guard: SlotGuard<'_>,
        ctx: &C,
        clock: &K,
    ) {
        let _ = match way.ecb.shape() {
            Shape::Keyed => self.quick(Shape::Keyed, way, guard, ctx, clock),
            _ => self.quick(Shape::Any, way, guard, ctx, clock),
        };
    }

    /// Fires in this session and in all behind it.
    #[inline(never)]
    fn fire_all<C: FireContext, K: Clock>(
        &self,
        mut guard: SlotGuard<'_>,
        ctx: &C,
        clock: &K,
    ) -> Reaction {
        let mut reaction = Reaction::Nothing;
        let mut rest = Some(self);
        while let Some(entry) = rest {
            if let Some(state) = entry.session.private.get(&mut guard) {
                fire(&entry.target, state, ctx, clock);
                reaction = reaction.then(core::mem::take(&mut state.reaction));
            }
            rest = entry.next.as_deref();
        }
        reaction
    }
}

fn group_names(probe: ProbeId, names: &dyn ProbeNames) -> Names {
    let error = ["dtrace", "", "", "ERROR"];
    let parts = if probe == ProbeId::ERROR { Some(error) } else { names.names(probe) };
    Names::new(parts.unwrap_or_default())
}

fn demand_of(program: &Loaded, group: &Group) -> Demand {
    let mut demand = Demand::default();
    for (ecb, _) in &group.ecbs {
        if let Some(code) = program.ecbs.get(us(*ecb)) {
            demand.add(code.demand);
        }
    }
    demand
}

/// Every enabled probe's first entry.
fn build(control: &Control) -> BTreeMap<ProbeId, Box<Entry>> {
    let mut first: BTreeMap<ProbeId, Box<Entry>> = BTreeMap::new();
    // The last one first, since each goes before those that are there.
    for open in control.sessions.values().rev() {
        let Some(program) = &open.enabled else { continue };
        for (probe, group) in &open.groups {
            let next = first.remove(probe);
            let way =
                if next.is_some() { Way::All } else { Way::of(program, group, &open.session) };
            let target = Target {
                core: Arc::clone(&open.session.core),
                program: Arc::clone(program),
                group: Arc::clone(group),
                errors: Arc::clone(&open.errors),
            };
            let session = Arc::clone(&open.session);
            first.insert(*probe, Box::new(Entry { way, session, target, next }));
        }
    }
    first
}
