//! The engine: what a process that fires probes has of the tracing core.
//!
//! ```text
//!  Engine ── slots (guards) ───────────────────────────────┐
//!    │                                                     │ fire(slot, probe, context)
//!    ├─ sessions ── arena, private memory a slot, program  ▼
//!    └─ rows: probe ──▶ entries: (session, program, ECBs, names)
//! ```
//! One engine is one machine in one process: a VM in its monitor, the host in the consumer. A
//! probe's entries are immutable. Changing them means making others, swapping the probe's pointer,
//! and freeing the old ones after every slot has left the fire it was in; until then they wait on a
//! list that the next change (or [`Engine::reclaim`]) looks at. So nobody waits for a fire, and a
//! fire waits for nobody.

#![cfg_attr(
    not(feature = "std"),
    expect(dead_code, reason = "sessions, which use it, need std; a kernel brings its own")
)]

mod code;
pub mod demand;
mod env;
mod expr;
mod fire;
mod plain;
mod private;
mod quick;
#[cfg(feature = "std")]
mod rows;
pub mod solo;
mod state;

pub use code::LoadError;

/// A program bound to an arena's layout: what an engine that does not interpret translates.
pub mod plan {
    pub use super::code::{AggStep, DifoId, EcbCode, Loaded, Step};
}
pub use fire::{ERROR_EPID, ErrorRecord};
pub use state::{Reaction, SCRATCH};

#[cfg(test)]
mod tests;

#[cfg(feature = "std")]
mod sessions;
#[cfg(feature = "std")]
pub use sessions::{
    BareFire, Begun, Enabled, Engine, EngineError, Fire, MAX_PROBE, NoNames, ProbeNames, SessionId,
};
