//! The shared structs of an arena.
//!
//! Every field is an atomic: another process may write it at any time. Words that two parties
//! write often lie in cache lines of their own. The asserts below pin every offset; whoever writes
//! an engine in another language copies them from here.

use core::{
    mem::{align_of, offset_of, size_of},
    sync::atomic::{AtomicI32, AtomicU32, AtomicU64},
};

/// `HYPTRACE`, little-endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"HYPTRACE");
/// Version of the layout.
pub const VERSION: u32 = 1;

/// The arena's head.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Header {
    /// [`MAGIC`], written last by the maker.
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Number of slots.
    pub nslots: AtomicU32,
    /// Bytes of the whole arena.
    pub total: AtomicU64,
    /// Bytes of a principal buffer.
    pub bufsize: AtomicU64,
    /// Bytes of an aggregation buffer.
    pub aggsize: AtomicU64,
    /// Bytes for dynamic variables.
    pub dynvarsize: AtomicU64,
    /// Bytes of a speculation buffer.
    pub specsize: AtomicU64,
    /// [`crate::arena::config::BufPolicy`].
    pub bufpolicy: AtomicU32,
    /// `strsize`.
    pub strsize: AtomicU32,
    /// Number of speculations.
    pub nspec: AtomicU32,
    /// Entries of the variable table.
    pub nvars: AtomicU32,
    /// Frames of `stack()`.
    pub stackframes: AtomicU32,
    /// Frames of `ustack()`.
    pub ustackframes: AtomicU32,
    /// Frames of `jstack()`.
    pub jstackframes: AtomicU32,
    /// String bytes of `jstack()`.
    pub jstackstrsize: AtomicU32,
    /// 1 if destructive actions are allowed.
    pub destructive: AtomicU32,
    /// Words of the longest key.
    pub key_words: AtomicU32,
    /// `walltimestamp` minus `timestamp`.
    pub wall_offset: AtomicU64,
    reserved0: [AtomicU64; 3],

    /// [`crate::arena::activity::Activity`].
    pub activity: AtomicU32,
    /// What `exit()` was given.
    pub exit_status: AtomicI32,
    /// The consumer's clock, each time it comes by.
    pub heartbeat: AtomicU64,
    /// Fires that found faults, drops of kinds without a slot.
    pub errors: AtomicU64,
    reserved1: [AtomicU64; 5],

    /// Head of the free chunks: tag in the high half, chunk number in the low (0: none).
    pub dyn_free: AtomicU64,
    /// Chunks up to this number have been in use; those above never were.
    pub dyn_fresh: AtomicU64,
    reserved2: [AtomicU64; 6],

    /// 1 if a dynamic variable was deleted since the cleaner came by.
    pub dyn_dirty: AtomicU32,
    /// How many chunks the cleaner has unlinked and not freed yet.
    pub dyn_rinsing: AtomicU32,
    reserved3: [AtomicU64; 7],
}

const _: () = {
    assert!(size_of::<Header>() == 320);
    assert!(align_of::<Header>() == 64);
    assert!(offset_of!(Header, magic) == 0);
    assert!(offset_of!(Header, version) == 8);
    assert!(offset_of!(Header, nslots) == 12);
    assert!(offset_of!(Header, total) == 16);
    assert!(offset_of!(Header, bufsize) == 24);
    assert!(offset_of!(Header, aggsize) == 32);
    assert!(offset_of!(Header, dynvarsize) == 40);
    assert!(offset_of!(Header, specsize) == 48);
    assert!(offset_of!(Header, bufpolicy) == 56);
    assert!(offset_of!(Header, strsize) == 60);
    assert!(offset_of!(Header, nspec) == 64);
    assert!(offset_of!(Header, nvars) == 68);
    assert!(offset_of!(Header, stackframes) == 72);
    assert!(offset_of!(Header, ustackframes) == 76);
    assert!(offset_of!(Header, jstackframes) == 80);
    assert!(offset_of!(Header, jstackstrsize) == 84);
    assert!(offset_of!(Header, destructive) == 88);
    assert!(offset_of!(Header, key_words) == 92);
    assert!(offset_of!(Header, wall_offset) == 96);
    assert!(offset_of!(Header, activity) == 128);
    assert!(offset_of!(Header, exit_status) == 132);
    assert!(offset_of!(Header, heartbeat) == 136);
    assert!(offset_of!(Header, errors) == 144);
    assert!(offset_of!(Header, dyn_free) == 192);
    assert!(offset_of!(Header, dyn_fresh) == 200);
    assert!(offset_of!(Header, dyn_dirty) == 256);
    assert!(offset_of!(Header, dyn_rinsing) == 260);
};

/// Bytes of one entry of the variable table: `id` u16, scope u8, flags u8 (bit 0 array, bits 2:1
/// kind), `size` u32.
pub const VAR_ENTRY: u64 = 8;

/// A slot's head.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct SlotHeader {
    /// 0 outside a fire; [`TIMELESS`] until the fire needs the time; [`STARTING`] while the clock is
    /// read; then the fire's timestamp.
    pub in_fire: AtomicU64,
    /// Fires that have ended.
    pub fires: AtomicU64,
    reserved0: [AtomicU64; 6],

    /// Bytes ever written to the principal buffer, gaps at its end included.
    pub head: AtomicU64,
    /// Bytes used of the two aggregation buffers' entries.
    pub agg_used: [AtomicU64; 2],
    /// Bytes used of the speculation buffers lie in the buffers themselves.
    reserved1: [AtomicU64; 5],

    /// Bytes ever read from the principal buffer; written by the reader (`ring`: by the writer).
    pub tail: AtomicU64,
    /// Which aggregation buffer the slot fills; written by the reader.
    pub agg_active: AtomicU32,
    reserved2: AtomicU32,
    reserved3: [AtomicU64; 6],

    /// Counters by [`DropKind`].
    pub drops: [AtomicU64; DROP_KINDS],
}

/// `in_fire` of a slot in a fire that has not asked for the time: whatever it records will be
/// younger than the moment at which this is read.
pub const TIMELESS: u64 = u64::MAX;

/// `in_fire` of a slot that is about to read its clock: older than any timestamp.
pub const STARTING: u64 = 1;

const _: () = {
    assert!(size_of::<SlotHeader>() == 320);
    assert!(align_of::<SlotHeader>() == 64);
    assert!(offset_of!(SlotHeader, in_fire) == 0);
    assert!(offset_of!(SlotHeader, fires) == 8);
    assert!(offset_of!(SlotHeader, head) == 64);
    assert!(offset_of!(SlotHeader, agg_used) == 72);
    assert!(offset_of!(SlotHeader, tail) == 128);
    assert!(offset_of!(SlotHeader, agg_active) == 136);
    assert!(offset_of!(SlotHeader, drops) == 192);
};

/// Room for counters in a slot.
pub const DROP_KINDS: usize = 16;

/// What a slot can lose: its index in [`SlotHeader::drops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropKind {
    /// A record did not fit in the principal buffer (`DTRACEDROP_PRINCIPAL`).
    Principal = 0,
    /// A key did not fit in the aggregation buffer (`DTRACEDROP_AGGREGATION`).
    Aggregation = 1,
    /// No chunk for a dynamic variable (`DTRACEDROP_DYNAMIC`).
    Dynamic = 2,
    /// None, but chunks wait to be unlinked (`DTRACEDROP_DYNDIRTY`).
    DynDirty = 3,
    /// None, but chunks are being freed (`DTRACEDROP_DYNRINSE`).
    DynRinse = 4,
    /// No room in a speculation buffer (`DTRACEDROP_SPEC`).
    Spec = 5,
    /// No speculation was free (`DTRACEDROP_SPECUNAVAIL`).
    SpecUnavailable = 6,
    /// No speculation was free, but one is being committed or discarded (`DTRACEDROP_SPECBUSY`).
    SpecBusy = 7,
    /// A stack's strings did not fit (`DTRACEDROP_STKSTROVERFLOW`).
    StackString = 8,
    /// A fault inside an ERROR clause (`DTRACEDROP_DBLERROR`).
    DoubleError = 9,
    /// A fault: the clause was left.
    Error = 10,
    /// `bufpolicy=fill`: the buffer was full and stays closed.
    Filled = 11,
    /// A probe fired while another fired on the same CPU: in an interrupt, or in what the fire
    /// itself called.
    Nested = 12,
}

impl DropKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Principal,
        Self::Aggregation,
        Self::Dynamic,
        Self::DynDirty,
        Self::DynRinse,
        Self::Spec,
        Self::SpecUnavailable,
        Self::SpecBusy,
        Self::StackString,
        Self::DoubleError,
        Self::Error,
        Self::Filled,
        Self::Nested,
    ];

    /// Its index.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl SlotHeader {
    /// Counts one loss. Only the slot's own thread calls it, so a load and a store do.
    ///
    /// # Context
    /// The firing path.
    #[inline]
    pub fn count(&self, kind: DropKind) {
        use core::sync::atomic::Ordering::Relaxed;
        if let Some(counter) = self.drops.get(kind.index()) {
            counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }
}
