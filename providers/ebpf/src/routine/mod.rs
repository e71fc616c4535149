//! The run-time: routines that clauses call, each a function of its own in the program.
//!
//! Their first argument is the slot's number among the host's; they find the slot's private
//! memory (R9) and part of the arena (R8) by it. A routine that faults says so in the private
//! memory ([`field::FAULT`]) and returns 0; whoever calls it looks there.
//!
//! Nothing from memory is believed: every offset is compared with a constant before it is added
//! to a pointer, which is also what the kernel's verifier wants to see. Loops have a constant
//! bound, counted in a register.

use crate::{asm::Function, error::Refused, module::Module};

mod agg;
mod fault;
pub(crate) mod memory;
pub(crate) mod ring;

/// A routine, by name; in brackets its arguments behind the slot's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Routine {
    /// `(bytes)`: makes room in the ring; its place in it, or all ones if there is none.
    Reserve,
    /// `(words, kind and variable, values and epid, initial)`: finds or makes the value under the
    /// key in the key buffer; its bytes from the slot's start, or all ones.
    AggFind,
    /// `(offset, words)`: whether the key buffer's words lie in the arena there.
    KeyEqual,
    /// `(address)`: where tracer or kernel memory lies; how many bytes follow is in a spare word.
    Resolve,
    /// `(address, offset, size)`: reads a string into private memory; its length.
    ReadString,
    /// `(address, offset, size)`: reads bytes into private memory.
    ReadBytes,
    /// `(address, size)`: adds a string to the key.
    KeyString,
    /// `(address, size)`: adds bytes to the key.
    KeyBytes,
    /// `(address, size)`: adds bytes of the process to the key.
    KeyUserBytes,
    /// `(address, width)`: an integer in tracer memory or the kernel's.
    Load,
    /// `(address, value, width)`: stores to tracer memory.
    Store,
    /// `()`: fills `execname`; its address.
    Execname,
    /// `()`: counts the fault and tells the consumer.
    Fault,
    /// `(words)`: the hash of the key in the key buffer.
    Hash,
}

impl Routine {
    /// Makes the routine.
    pub(crate) fn make(self, m: &mut Module) -> Result<Function, Refused> {
        match self {
            Self::Reserve => Ok(ring::reserve(m)),
            Self::AggFind => agg::find(m),
            Self::KeyEqual => Ok(agg::key_equal(m)),
            Self::Hash => Ok(agg::hash(m)),
            Self::Resolve => Ok(memory::resolve(m)),
            Self::ReadString => memory::read_string(m),
            Self::ReadBytes => memory::read_bytes(m),
            Self::KeyString => memory::key_string(m),
            Self::KeyBytes => memory::key_bytes(m, false),
            Self::KeyUserBytes => memory::key_bytes(m, true),
            Self::Load => memory::load(m),
            Self::Store => memory::store(m),
            Self::Execname => memory::execname(m),
            Self::Fault => fault::fault(m),
        }
    }
}
