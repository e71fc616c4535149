//! What a slot keeps in private memory, and what a session is made of as the firing path sees it.

use alloc::{boxed::Box, vec, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering::Acquire};

use dif::{env::Scope, number::var};

use crate::{
    arena::{
        activity::Activity,
        agg::AggTable,
        config::{BufPolicy, MAX_STRSIZE, VarKind, VarSpec},
        dynvar::{DynVars, Found},
        header::{Header, SlotHeader},
        key::KeyBuf,
        layout::Layout,
        mem::Mem,
        ring::RingWriter,
        spec::Specs,
    },
    ecb::MAX_RECORD,
    ids::{Epid, MachineId},
    num::{us, us64},
};

/// Bytes of scratch a slot has: what `alloca()`, `copyin()` and string subroutines use in one
/// firing.
pub const SCRATCH: usize = 256 << 10;

/// What the platform shall do when the fire is over (destructive actions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reaction {
    /// Nothing.
    #[default]
    Nothing,
    /// Stop the current process.
    Stop,
    /// Send the current process a signal: the low 32 bits of what the script says. (Of the same
    /// width as the other number here, a reaction fits two registers.)
    Raise(u64),
    /// Stop in the machine's debugger.
    Breakpoint,
    /// Panic the machine.
    Panic,
    /// Spin for that many nanoseconds.
    Chill(u64),
}

impl Reaction {
    /// What one fire asks for when it asked for this and then for `next`: times to spin add up,
    /// anything else is more than spinning, a panic more than all, and of two others the later
    /// counts.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Chill(a), Self::Chill(b)) => Self::Chill(a.saturating_add(b)),
            (Self::Panic, _) | (_, Self::Nothing) => self,
            (Self::Nothing | Self::Chill(_), next) => next,
            (_, Self::Chill(_)) => self,
            (_, next) => next,
        }
    }
}

/// How long a slot may have been made to spin in [`CHILL_INTERVAL`], in nanoseconds, as in classic
/// DTrace.
const MOST_CHILL: u64 = 500_000_000;

/// See [`MOST_CHILL`].
const CHILL_INTERVAL: u64 = 1_000_000_000;

/// Where a variable of the script is, resolved once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// There is none of this number.
    None,
    /// A scalar at an offset (of the arena or of the slot's clause-locals).
    Scalar { offset: usize, size: u32 },
    /// A by-reference value: a word (1 if it is set), then the bytes.
    Bytes { offset: usize, size: usize, is_string: bool },
    /// Thread-local, or an associative array.
    Dynamic { kind: VarKind, size: usize },
}

/// The script's variables by scope and number.
#[derive(Debug, Default)]
pub(crate) struct Places {
    globals: Vec<Place>,
    threads: Vec<Place>,
    locals: Vec<Place>,
}

impl Places {
    pub(crate) fn new(layout: &Layout) -> Self {
        let mut places = Self::default();
        for it in layout.all_vars() {
            let table = match it.spec.scope {
                Scope::Global => &mut places.globals,
                Scope::Thread => &mut places.threads,
                Scope::Local => &mut places.locals,
            };
            let index = usize::from(it.spec.id.saturating_sub(var::OTHER_UBASE));
            if table.len() <= index {
                table.resize(index + 1, Place::None);
            }
            if let Some(place) = table.get_mut(index) {
                *place = resolve(&it.spec, us64(it.offset));
            }
        }
        places
    }

    #[inline]
    pub(crate) fn get(&self, scope: Scope, id: u16) -> Place {
        let table = match scope {
            Scope::Global => &self.globals,
            Scope::Thread => &self.threads,
            Scope::Local => &self.locals,
        };
        let index = usize::from(id).wrapping_sub(usize::from(var::OTHER_UBASE));
        table.get(index).copied().unwrap_or(Place::None)
    }
}

fn resolve(spec: &VarSpec, offset: usize) -> Place {
    let size = us(spec.size);
    if spec.is_dynamic() {
        return Place::Dynamic { kind: spec.kind, size };
    }
    match spec.kind {
        VarKind::Scalar => Place::Scalar { offset, size: spec.size },
        kind => Place::Bytes { offset, size, is_string: kind == VarKind::String },
    }
}

/// A session as the firing path sees it: nothing here changes while it is open.
#[derive(Debug)]
pub(crate) struct SessionCore {
    pub(crate) layout: Layout,
    pub(crate) places: Places,
    pub(crate) machine: MachineId,
    /// With its NUL.
    pub(crate) vmname: Box<[u8]>,
}

/// A session's memory as one slot sees it, resolved once.
#[derive(Debug)]
pub(crate) struct SlotView<'m> {
    pub(crate) mem: Mem<'m>,
    pub(crate) header: &'m Header,
    pub(crate) slot: &'m SlotHeader,
    /// The slot's offset in the arena.
    pub(crate) slot_at: u64,
    /// The slot's number in the session; 0 is the consumer's.
    pub(crate) number: u32,
    pub(crate) ring: &'m [AtomicU64],
    pub(crate) policy: BufPolicy,
    pub(crate) aggs: [AggTable<'m>; 2],
    pub(crate) dynvars: Option<DynVars<'m>>,
    pub(crate) specs: Specs<'m>,
}

impl<'m> SlotView<'m> {
    /// Whether ECBs may run on this slot now.
    #[inline(always)]
    pub(crate) fn may_fire(&self) -> bool {
        self.is_active() || self.may_fire_alone()
    }

    /// Whether all slots may fire.
    #[inline(always)]
    pub(crate) fn is_active(&self) -> bool {
        self.header.activity.load(Acquire) == Activity::Active as u32
    }

    /// Whether it is the consumer's slot, in a state that lets that one fire.
    #[cold]
    #[inline(never)]
    fn may_fire_alone(&self) -> bool {
        Activity::load(&self.header.activity).may_fire(self.number == 0)
    }

    /// The aggregation buffer that the slot fills now.
    #[inline(always)]
    pub(crate) fn active(&self) -> &AggTable<'m> {
        let [first, second] = &self.aggs;
        if self.slot.agg_active.load(Acquire) & 1 == 0 { first } else { second }
    }

    /// `None` if there is no such slot.
    pub(crate) fn new(mem: Mem<'m>, layout: &Layout, number: u32) -> Option<Self> {
        let slot_at = layout.slot_offset(number)?;
        let slot: &SlotHeader = mem.get(us64(slot_at))?;
        let buffer = layout.slot.buffer;
        let table = |which| AggTable::new(mem, layout, slot_at, slot, which);
        Some(Self {
            mem,
            header: mem.get(0)?,
            slot,
            slot_at,
            number,
            ring: mem.words(us64(slot_at + buffer.offset), us64(buffer.len))?,
            policy: layout.config().bufpolicy,
            aggs: [table(0)?, table(1)?],
            dynvars: DynVars::new(mem, &layout.dynvars),
            specs: Specs::new(mem, layout)?,
        })
    }
}

/// The four strings that name a probe, each with its NUL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) parts: [Box<[u8]>; 4],
}

impl Names {
    pub(crate) fn new(parts: [&str; 4]) -> Self {
        let terminated = |text: &str| {
            let clean = text.split('\0').next().unwrap_or_default();
            clean.bytes().take(us(MAX_STRSIZE) - 1).chain([0]).collect()
        };
        Self { parts: parts.map(terminated) }
    }
}

/// One probe's ECBs in one session.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) names: Names,
    /// The probe's number as users see it.
    pub(crate) id: u32,
    /// ECBs of the program, in the order they run, with their EPIDs.
    pub(crate) ecbs: Vec<(u32, Epid)>,
}

/// What a slot keeps for expressions: private memory in region `Fire`.
#[derive(Debug)]
pub(crate) struct EnvState {
    pub(crate) scratch: Box<[u8]>,
    pub(crate) top: usize,
    pub(crate) locals: Box<[u8]>,
    /// `execname` with its NUL, and whether this fire has copied it.
    pub(crate) execname: [u8; EXECNAME],
    pub(crate) has_execname: bool,
    pub(crate) key: KeyBuf,
    /// One by-reference value on its way.
    pub(crate) value: Box<[u8]>,
    pub(crate) strtok: u64,
    /// The thread-local number that was read last: a predicate's is mostly its clause's, too.
    pub(crate) own: LastOwn,
    pub(crate) random: u64,
    /// When the interval began in which `chill()` was used last, and how much of it.
    pub(crate) chill: (u64, u64),
}

/// A thread-local number that a fire has found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastOwn {
    /// The first word of its key; 0 is no variable's.
    pub(crate) variable: u64,
    /// Which fire of the slot it was.
    pub(crate) fire: u64,
    pub(crate) found: Found,
}

/// Room for `execname` with its NUL.
pub(crate) const EXECNAME: usize = 64;

/// What a slot keeps for records.
#[derive(Debug)]
pub(crate) struct OutState {
    /// The record that is being made.
    pub(crate) record: Box<[u8]>,
    pub(crate) key: KeyBuf,
    /// One by-reference element of a key on its way.
    pub(crate) part: Box<[u8]>,
    pub(crate) ring: RingWriter,
}

/// A slot's private memory in one session. Big buffers are zero pages until they are used.
#[derive(Debug)]
pub(crate) struct SlotState<'m> {
    pub(crate) view: SlotView<'m>,
    pub(crate) env: EnvState,
    pub(crate) out: OutState,
    pub(crate) reaction: Reaction,
}

impl<'m> SlotState<'m> {
    pub(crate) fn new(layout: &Layout, view: SlotView<'m>, seed: u64) -> Self {
        let bytes = |len: usize| vec![0_u8; len].into_boxed_slice();
        let ring = RingWriter::resume(view.slot, view.ring.len() * 8);
        Self {
            view,
            env: EnvState {
                scratch: bytes(SCRATCH),
                top: 0,
                locals: bytes(us64(layout.locals)),
                execname: [0; EXECNAME],
                has_execname: false,
                key: KeyBuf::new(us(layout.dynvars.key_words)),
                value: bytes(us(MAX_STRSIZE)),
                strtok: 0,
                own: LastOwn { variable: 0, fire: 0, found: Found::NONE },
                random: seed | 1,
                chill: (0, 0),
            },
            out: OutState {
                record: bytes(us(MAX_RECORD)),
                key: KeyBuf::new(crate::arena::agg::MAX_KEY_WORDS),
                part: bytes(us(MAX_STRSIZE)),
                ring,
            },
            reaction: Reaction::Nothing,
        }
    }
}

impl EnvState {
    /// Whether the slot may spin for that long now; if so it counts.
    #[cold]
    pub(crate) fn may_chill(&mut self, now: u64, time: u64) -> bool {
        let (since, spent) = self.chill;
        let (since, spent) =
            if now.saturating_sub(since) > CHILL_INTERVAL { (now, 0) } else { (since, spent) };
        let Some(spent) = spent.checked_add(time).filter(|spent| *spent <= MOST_CHILL) else {
            return false;
        };
        self.chill = (since, spent);
        true
    }

    /// Clause-locals, scratch and the state of `strtok()` begin anew with each firing.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if !self.locals.is_empty() {
            self.locals.fill(0);
        }
        self.top = 0;
        self.strtok = 0;
        self.has_execname = false;
    }
}
