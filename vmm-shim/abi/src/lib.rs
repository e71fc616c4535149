//! The hypercall descriptor and its calls: the one description of what guest and host say to each
//! other, from which the C header of the guest modules is made.
//!
//! ```text
//!  guest kernel module                              VM monitor's process
//!  fills a 4096-byte page          doorbell         finds the page in guest memory
//!  ┌────────┬──────────────┐  ───────────────────▶  Descriptor::parse ─▶ Request
//!  │ Header │ body by call │                        acts, writes reply and status
//!  └────────┴──────────────┘  ◀───────────────────  returns on the same vCPU thread
//! ```
//!
//! The guest is not trusted: whatever comes from it goes through [`Descriptor::parse`] and the
//! bounded iterators [`probe_entries`] and [`symbol_entries`], none of which panics, allocates or
//! runs longer than its input.
//!
//! Every struct and enum is written once, in the macros of [`mod@layout`], which give the Rust
//! type, const assertions on each offset, and the table that `cargo xtask header` prints as
//! `guest-kmod/include/hypertrace_abi.h`. A parser of C (cbindgen) was not used: it would have to
//! read this file's macros, and it knows no static assertions.
//!
//! All integers are little-endian; the ABI exists on little-endian machines only.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("the hypercall ABI is defined on little-endian machines only");

mod calls;
mod descriptor;
mod entries;
mod fire;
pub mod layout;
pub mod standard;
mod text;
mod values;

pub use calls::{
    Command, Fire, FireReply, Hello, HelloReply, Jails, MAX_COMMANDS, MAX_STACK, MAX_STACK_NESTED,
    Nested, Poll, PollReply, Probes, ProbesGone, Symbols, Types,
};
pub use descriptor::{BODY_SIZE, Body, Descriptor, Header, PAGE_SIZE, Request};
pub use entries::{
    EntryError, MAX_FUNCTION, MAX_NAME, MAX_SYMBOL, MAX_TYPES, ProbeEntries, ProbeEntry, ProbeHead,
    SymbolEntries, SymbolEntry, SymbolHead, probe_entries, symbol_entries,
};
pub use fire::{
    Behind, FIRE_PROBE, FIRE_WORD, Place, check_fire, head_place, is_plain_fire, nested_word, place,
};
pub use text::text;
pub use values::{
    AbiVersion, Action, BatchFlags, Call, Context, Features, HostFlags, Level, NestedKind, Op, Os,
    PollFlags, ProbeKind, Status, TypeFormat,
};

/// The instruction that makes a call on QEMU's TCG: `mov [rdi + 0x48545243], rsi`.
///
/// Its displacement spells the magic, so that no compiler emits these bytes by chance, and the
/// effective address is the descriptor's `doorbell` field.
pub const DOORBELL: [u8; 7] = [0x48, 0x89, 0xb7, 0x43, 0x52, 0x54, 0x48];

/// The displacement in [`DOORBELL`]: `rdi` is the effective address less this.
pub const DOORBELL_DISPLACEMENT: u32 = 0x4854_5243;

/// Offset of the field that the doorbell stores to, from the descriptor's start.
pub const DOORBELL_OFFSET: usize = core::mem::offset_of!(Header, doorbell);

/// The I/O port whose `out` is the doorbell on bhyve: 32 bits, the descriptor's page frame number
/// (its guest-physical address over 4096).
///
/// Nothing bhyve emulates lies there: its devices' fixed ports end below 0xd00, and the BARs it
/// gives out begin at 0x2000.
pub const DOORBELL_PORT: u16 = 0x0d48;

/// First word of every descriptor: `HTRC` in memory order.
pub const MAGIC: u32 = 0x4352_5448;

/// What the guest writes into `status` before it rings, to see whether anybody answers.
pub const STATUS_UNANSWERED: u32 = 0xffff_ffff;

/// The most bytes one PROBES or SYMBOLS batch may hold.
pub const MAX_BATCH_BYTES: u64 = 4 << 20;

/// The most bytes one container of types may hold.
pub const MAX_TYPES_BYTES: u64 = 64 << 20;

/// The most probes a guest may have over all its batches.
pub const MAX_PROBES: u32 = 1 << 20;

/// The most symbols a guest may have over all its batches.
pub const MAX_SYMBOLS: u32 = 4 << 20;

const _: () = {
    assert!(DOORBELL_OFFSET == 16);
    let [_, _, _, a, b, c, d] = DOORBELL;
    assert!(u32::from_le_bytes([a, b, c, d]) == DOORBELL_DISPLACEMENT);
};
