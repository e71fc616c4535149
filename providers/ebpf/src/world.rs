//! What all functions of a session's programs know: where everything lies.

use std::{collections::BTreeMap, sync::Arc};

use dif::{
    env::{Region, Scope, TracerAddr},
    program::Program,
};
use host::{
    arena::{
        config::{VarKind, scope_raw},
        layout::{Layout, VarPlace},
    },
    engine::{
        SCRATCH,
        plan::{AggStep, Loaded, Step},
    },
    ids::{MachineId, SlotId},
};

use crate::site::KernelFacts;

/// Offsets of the words in a slot's private memory.
pub(crate) mod field {
    /// 1 while a fire runs on the CPU.
    pub(crate) const BUSY: i16 = 0;
    /// The fire's timestamp.
    pub(crate) const NOW: i16 = 8;
    /// A fault's kind and 1; 0: none.
    pub(crate) const FAULT: i16 = 16;
    /// Its address or value.
    pub(crate) const FAULT_VALUE: i16 = 24;
    /// Bytes from the DIFO's start.
    pub(crate) const FAULT_OFFSET: i16 = 32;
    /// The action's place, from 1.
    pub(crate) const FAULT_ACTION: i16 = 40;
    /// Bytes ever written to the ring.
    pub(crate) const HEAD: i16 = 48;
    /// Their place in it.
    pub(crate) const AT: i16 = 56;
    /// `bufpolicy=fill`: something did not fit.
    pub(crate) const CLOSED: i16 = 64;
    /// Scratch in use.
    pub(crate) const TOP: i16 = 72;
    /// What `strtok()` goes on with.
    pub(crate) const STRTOK: i16 = 80;
    /// State of `rand()`.
    pub(crate) const RANDOM: i16 = 88;
    /// Depth of the tuple stack.
    pub(crate) const DEPTH: i16 = 96;
    /// The ECB's EPID.
    pub(crate) const EPID: i16 = 104;
    /// Where the constants of the fired probe lie.
    pub(crate) const ENTRY: i16 = 112;
    /// Words of the key that is being made.
    pub(crate) const KEY_LEN: i16 = 120;
    /// What the ring's words become when the record is published.
    pub(crate) const NEXT_AT: i16 = 128;
    pub(crate) const NEXT_HEAD: i16 = 136;
    /// Where the ECB's record goes; 0: to the principal buffer.
    pub(crate) const SPECULATION: i16 = 144;
    /// The slot's number among the host's.
    pub(crate) const NUMBER: i16 = 152;
    /// The thread whose fire it is.
    pub(crate) const THREAD: i16 = 160;
    /// Bytes that the record's strings do not need.
    pub(crate) const SPARED: i16 = 240;
    /// `errno`.
    pub(crate) const ERRNO: i16 = 168;
    /// Frames of the kernel's stack.
    pub(crate) const FRAMES: i16 = 176;
    /// Frames of the process's stack.
    pub(crate) const USER_FRAMES: i16 = 184;
    /// 1 if EXECNAME is filled.
    pub(crate) const HAS_EXECNAME: i16 = 192;
    /// Words for a routine's own use.
    pub(crate) const SPARE: [i16; 4] = [208, 216, 224, 232];
    /// `arg0` … `arg9`.
    pub(crate) const ARGS: i16 = 256;
    /// The same for ERROR clauses: six words.
    pub(crate) const ERROR_ARGS: i16 = 336;
    /// `execname` with its NUL, 64 bytes.
    pub(crate) const EXECNAME: i16 = 384;
    /// Eight elements: value, size, 1 if a string.
    pub(crate) const TUPLE: i16 = 448;
    /// Program counters of the kernel's stack.
    pub(crate) const STACK: i16 = 1024;
    /// Program counters of the process's stack.
    pub(crate) const USER_STACK: i16 = 2048;
    /// The first byte of what has no fixed size.
    pub(crate) const END: u32 = 3072;
}

/// Frames that a stack may have: `PERF_MAX_STACK_DEPTH`.
pub(crate) const MAX_FRAMES: u32 = 127;
/// Bytes of `execname`'s room.
pub(crate) const EXECNAME_ROOM: u32 = 64;

/// Private memories in region `Fire`, numbered as the interpreting engine does.
pub(crate) mod part {
    pub(crate) const SCRATCH: u64 = 0;
    pub(crate) const LOCALS: u64 = 1;
    pub(crate) const EXECNAME: u64 = 2;
    pub(crate) const VMNAME: u64 = 3;
    pub(crate) const NAMES: u64 = 4;
    pub(crate) const ZONENAME: u64 = 8;
}

/// A run of bytes: offset, length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// A slot's private memory: the words of [`field`], then buffers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Private {
    /// Keys under construction.
    pub(crate) key: Run,
    /// Where an aggregation's key waits while a dynamic variable's is made.
    pub(crate) aside: Run,
    /// A by-reference value on its way.
    pub(crate) value: Run,
    /// Another string beside it.
    pub(crate) other: Run,
    /// The record that is being made.
    pub(crate) record: Run,
    /// Clause-locals.
    pub(crate) locals: Run,
    /// Scratch.
    pub(crate) scratch: Run,
    /// All of it.
    pub(crate) size: u32,
}

/// A session as its programs see it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) program: Program,
    pub(crate) loaded: Arc<Loaded>,
    /// Where each DIFO's strings begin among all.
    pub(crate) string_bases: Vec<u64>,
    pub(crate) private: Private,
    pub(crate) machine: MachineId,
    pub(crate) vmname: Vec<u8>,
    /// The slot of CPU 0, and how many CPUs there are.
    pub(crate) slot0: SlotId,
    pub(crate) cpus: u32,
    pub(crate) facts: KernelFacts,
}

impl World {
    pub(crate) fn new(
        layout: Layout,
        program: &Program,
        loaded: Arc<Loaded>,
        who: (MachineId, &str),
        slots: (SlotId, u32),
        facts: KernelFacts,
    ) -> Self {
        let mut base = 0;
        let string_bases = program
            .difos
            .iter()
            .map(|difo| {
                base += difo.strings.len() as u64;
                base - difo.strings.len() as u64
            })
            .collect();
        let private = private(&layout, &loaded);
        let vmname = who.1.bytes().filter(|byte| *byte != 0).take(255).chain([0]).collect();
        Self {
            layout,
            program: program.clone(),
            loaded,
            string_bases,
            private,
            machine: who.0,
            vmname,
            slot0: slots.0,
            cpus: slots.1,
            facts,
        }
    }

    pub(crate) fn strsize(&self) -> u32 {
        self.layout.config().strsize
    }

    /// Where the host's first slot lies in the arena.
    pub(crate) fn slots_at(&self) -> u64 {
        self.layout.slots.offset + self.layout.slot.stride * u64::from(self.slot0.0)
    }

    /// A variable of the script.
    pub(crate) fn var(&self, scope: Scope, id: u16) -> Option<&VarPlace> {
        self.layout.var(scope, id)
    }

    /// The first words of a dynamic variable's key that do not depend on the fire.
    pub(crate) fn key_variable(scope: Scope, id: u16) -> u64 {
        (u64::from(scope_raw(scope)) + 1) << 32 | u64::from(id)
    }

    /// Words of the longest key that any routine handles.
    pub(crate) fn key_words(&self) -> u32 {
        self.private.key.len / 8
    }
}

/// The address of a byte in private memory.
pub(crate) fn fire_address(part: u64, offset: u64) -> u64 {
    TracerAddr { region: Region::Fire, offset: (part << 32) | offset }.to_raw()
}

/// The address of a byte in the arena.
pub(crate) fn arena_address(offset: u64) -> u64 {
    TracerAddr { region: Region::Arena, offset }.to_raw()
}

fn private(layout: &Layout, loaded: &Loaded) -> Private {
    let steps = || loaded.ecbs.iter().flat_map(|ecb| ecb.steps.iter().map(|(_, step)| step));
    let keys = steps().filter_map(|step| match step {
        Step::Aggregate(agg) => Some(agg_key_words(agg)),
        _ => None,
    });
    let dynamic = layout.dynvars.key_words;
    let key = keys.max().unwrap_or(0).max(dynamic).max(8) * 8;
    let values = layout.all_vars().map(|place| match place.spec.kind {
        VarKind::Scalar => 0,
        VarKind::Bytes | VarKind::String => place.spec.size,
    });
    let parts = steps().flat_map(|step| match step {
        Step::Aggregate(agg) => agg.key.iter().map(step_size).collect(),
        other => vec![step_size(other)],
    });
    let value = values.chain(parts).max().unwrap_or(0).max(layout.config().strsize + 1);
    let record = loaded.ecbs.iter().map(|ecb| ecb.size).max().unwrap_or(0).max(64);
    let mut at = field::END;
    let mut take = |len: u32| {
        // Room for a few bytes more than is used, so that whole words can be read and written.
        let run = Run { at, len };
        at = (at + len + 16).next_multiple_of(8);
        run
    };
    let (key, aside) = (take(key), take(key));
    let (value, other) = (take(value), take(layout.config().strsize + 1));
    let record = take(record);
    let locals = take(u32::try_from(layout.locals).unwrap_or(u32::MAX));
    let scratch = take(u32::try_from(SCRATCH).unwrap_or(u32::MAX));
    // The verifier adds the highest place of a copy to its greatest length: as much room again
    // lies behind scratch, which nobody uses.
    let size = (scratch.at + 2 * scratch.len + value.len + 64).next_multiple_of(64);
    Private { key, aside, value, other, record, locals, scratch, size }
}

/// The most words a key of an aggregation takes: its shape, then its elements.
pub(crate) fn agg_key_words(agg: &AggStep) -> u32 {
    1 + agg.key.iter().map(|step| 1 + step_size(step).div_ceil(8)).sum::<u32>()
}

/// Bytes of a step's datum.
pub(crate) fn step_size(step: &Step) -> u32 {
    match step {
        Step::Value { size, .. }
        | Step::String { size, .. }
        | Step::Bytes { size, .. }
        | Step::UserStack { size, .. }
        | Step::Immstack { size, .. } => *size,
        Step::User { .. } => 16,
        Step::Stack { frames, .. } => frames * 8,
        _ => 8,
    }
}

/// Names for maps of `BTreeMap` keys that are a DIFO in or out of an ERROR clause.
pub(crate) type DifoKey = (u32, bool);

/// Functions that have been made, by what they are made for.
pub(crate) type Made<K> = BTreeMap<K, crate::asm::FnId>;
