//! Where everything lies in an arena: computed from its configuration, never stored.

use alloc::{collections::BTreeMap, vec::Vec};
use core::mem::size_of;

use dif::env::Scope;

use super::{
    config::{ArenaConfig, ConfigError, KEY_HEAD_WORDS, MIN_AGGREGATION, VarSpec, scope_raw},
    header::{Header, SlotHeader, VAR_ENTRY},
};
use crate::num::{round_up, u32_of, u64_of, us64};

/// A run of bytes in the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Bytes from the arena's start.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// Dynamic variables: buckets and chunks.
///
/// A chunk is `next` (chunk number), `state`, `hash`, a key length, the key's words and the
/// value's; see [`super::dynvar`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DynLayout {
    /// One word a bucket; a power of two.
    pub buckets: Area,
    /// The chunks.
    pub chunks: Area,
    /// How many chunks; numbers go from 1.
    pub nchunks: u32,
    /// Bytes of one chunk.
    pub chunk: u32,
    /// Words a key may have.
    pub key_words: u32,
    /// Words a value may have.
    pub value_words: u32,
}

/// Words of a chunk before its key.
pub const CHUNK_HEAD_WORDS: u32 = 4;

/// Where a slot's parts lie, from the slot's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLayout {
    /// The principal buffer.
    pub buffer: Area,
    /// The aggregation buffers.
    pub aggs: [Area; 2],
    /// Buckets of 4 bytes at the start of an aggregation buffer; a power of two.
    pub agg_buckets: u32,
    /// All speculation buffers, one behind the other.
    pub specs: Area,
    /// Bytes from one slot to the next.
    pub stride: u64,
}

/// A variable and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarPlace {
    /// What it is.
    pub spec: VarSpec,
    /// A global's offset in the arena, a clause-local's in the slot's private memory, 0 for a
    /// dynamic one. By-reference values have a word before them: 1 if they were ever set.
    pub offset: u64,
}

/// A whole arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    config: ArenaConfig,
    /// The variable table.
    pub vars: Area,
    /// Cells of globals.
    pub globals: Area,
    /// States of speculations, one word each.
    pub spec_states: Area,
    /// Dynamic variables.
    pub dynvars: DynLayout,
    /// All slots.
    pub slots: Area,
    /// One slot.
    pub slot: SlotLayout,
    /// Bytes of the whole arena.
    pub total: u64,
    /// Bytes of a slot's clause-local variables, in private memory.
    pub locals: u64,
    places: BTreeMap<(u8, u16), VarPlace>,
}

const PAGE: u64 = 4096;

impl Layout {
    /// Computes the layout.
    ///
    /// # Errors
    /// [`ConfigError`] if a number is outside its range.
    pub fn new(config: ArenaConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let vars = after(u64_of(size_of::<Header>()), u64_of(config.vars.len()) * VAR_ENTRY, 64);
        let (places, globals_len, locals) = place_variables(&config, end(vars, 64));
        let globals = after(end(vars, 64), globals_len, 64);
        let spec_states = after(end(globals, 64), u64::from(config.nspec) * 8, 64);
        let dynvars = dyn_layout(&config, end(spec_states, 64))?;
        let slot = slot_layout(&config);
        let slots = after(
            end(dynvars.chunks, PAGE),
            slot.stride.saturating_mul(u64::from(config.nslots)),
            PAGE,
        );
        let total = end(slots, PAGE);
        Ok(Self { config, vars, globals, spec_states, dynvars, slots, slot, total, locals, places })
    }

    /// What it was computed from.
    #[must_use]
    pub fn config(&self) -> &ArenaConfig {
        &self.config
    }

    /// Where a variable of the script is.
    #[must_use]
    pub fn var(&self, scope: Scope, id: u16) -> Option<&VarPlace> {
        self.places.get(&(scope_raw(scope), id))
    }

    /// Every variable of the script.
    pub fn all_vars(&self) -> impl Iterator<Item = &VarPlace> {
        self.places.values()
    }

    /// Where a slot starts; `None` if there is no such slot.
    #[must_use]
    pub fn slot_offset(&self, slot: u32) -> Option<u64> {
        (slot < self.config.nslots).then(|| self.slots.offset + self.slot.stride * u64::from(slot))
    }

    /// Bytes of the whole arena as `usize`.
    #[must_use]
    pub fn len(&self) -> usize {
        us64(self.total)
    }

    /// Never: there is at least the header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

fn after(offset: u64, len: u64, align: u64) -> Area {
    Area { offset: round_up(offset, align), len }
}

fn end(area: Area, align: u64) -> u64 {
    round_up(area.offset.saturating_add(area.len), align)
}

type Places = BTreeMap<(u8, u16), VarPlace>;

/// Gives every variable its place: (places, bytes of globals, bytes of clause-locals).
fn place_variables(config: &ArenaConfig, globals: u64) -> (Places, u64, u64) {
    let mut places = BTreeMap::new();
    let (mut in_globals, mut in_locals) = (0, 0);
    let mut specs: Vec<&VarSpec> = config.vars.iter().collect();
    specs.sort_by_key(|spec| (scope_raw(spec.scope), spec.id));
    for spec in specs {
        let flag = u64::from(!matches!(spec.kind, super::config::VarKind::Scalar));
        let bytes = (u64::from(spec.value_words()) + flag) * 8;
        let offset = match (spec.is_dynamic(), spec.scope) {
            (true, _) => 0,
            (false, Scope::Local) => {
                in_locals += bytes;
                in_locals - bytes
            }
            (false, _) => {
                in_globals += bytes;
                globals + in_globals - bytes
            }
        };
        places.insert((scope_raw(spec.scope), spec.id), VarPlace { spec: *spec, offset });
    }
    (places, in_globals, in_locals)
}

fn dyn_layout(config: &ArenaConfig, start: u64) -> Result<DynLayout, ConfigError> {
    let values = config.vars.iter().filter(|spec| spec.is_dynamic()).map(VarSpec::value_words);
    let Some(value_words) = values.max() else {
        let none = Area { offset: start, len: 0 };
        return Ok(DynLayout { buckets: none, chunks: none, ..DynLayout::default() });
    };
    let key_words = config.key_words + KEY_HEAD_WORDS;
    let chunk = (CHUNK_HEAD_WORDS + key_words + value_words) * 8;
    // A bucket (8 bytes) for each chunk, rounded down to a power of two.
    let nchunks = config.dynvarsize / (u64::from(chunk) + 8);
    let nchunks = u32_of(us64(nchunks)).min(1 << 30);
    if nchunks == 0 {
        let need = u64::from(chunk) + 8;
        return Err(ConfigError::DynvarTooSmall { have: config.dynvarsize, need });
    }
    let nbuckets = 1_u64 << nchunks.ilog2();
    let buckets = after(start, nbuckets * 8, 64);
    let chunks = after(end(buckets, 64), u64::from(nchunks) * u64::from(chunk), 64);
    Ok(DynLayout { buckets, chunks, nchunks, chunk, key_words, value_words })
}

fn slot_layout(config: &ArenaConfig) -> SlotLayout {
    let buffer = after(u64_of(size_of::<SlotHeader>()), config.bufsize & !7, 64);
    let aggsize = (config.aggsize & !7).max(MIN_AGGREGATION);
    let first = after(end(buffer, 64), aggsize, 64);
    let second = after(end(first, 64), aggsize, 64);
    let specs =
        after(end(second, 64), config.spec_bytes().saturating_mul(u64::from(config.nspec)), 64);
    // One bucket for 64 bytes of entries, so that a full table's chains have two or so.
    let agg_buckets = 1_u32 << u32_of(us64(config.aggsize / 64)).clamp(16, 1 << 24).ilog2();
    SlotLayout { buffer, aggs: [first, second], agg_buckets, specs, stride: end(specs, PAGE) }
}
