//! The run-time: routines that clauses call, each a function of its own in the program.
//!
//! Their first argument is the slot's number among the host's; they find the slot's private
//! memory (R9) and part of the arena (R8) by it. A routine that faults says so in the private
//! memory ([`field::FAULT`]) and returns 0; whoever calls it looks there.
//!
//! Nothing from memory is believed: every offset is compared with a constant before it is added
//! to a pointer, which is also what the kernel's verifier wants to see. Loops have a constant
//! bound, counted in a register.

use dif::env::Scope;

use crate::{asm::Function, error::Refused, module::Module};

mod agg;
pub(crate) mod dynamic;
mod fault;
pub(crate) mod memory;
pub(crate) mod ring;
mod scratch;
pub(crate) mod spec;
pub(crate) mod text;

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
    /// `(words)`: where the value of the dynamic variable with the key in the key buffer lies in
    /// the arena; 0 if it has none.
    DynGet,
    /// `(words, bytes)`: stores so many bytes of the value buffer under the key.
    DynSet,
    /// `(words)`: deletes what is under the key.
    DynDelete,
    /// Parts of those.
    DynKeyEqual,
    DynSearch,
    DynRevive,
    DynAllocate,
    DynTake,
    DynFree,
    DynDrop,
    /// `(variable)`: makes the key of a global associative array's element from the tuple stack;
    /// its words.
    KeyTuple,
    /// The same for a thread-local array.
    KeyThreadTuple,
    /// `(size, alignment)`: takes scratch; its address.
    Alloca,
    /// `(size)`: takes scratch and fills it with zeroes; its address.
    Zeroed,
    /// `(from, to, size)`: copies bytes to scratch.
    Copy,
    /// `(from, to, size)`: copies bytes of the process to scratch.
    CopyUser,
    /// `(from, size)`: copies a string of the process to fresh scratch; its address.
    CopyUserString,
    /// `(a, b)`: compares two strings: -1, 0 or 1.
    Compare,
    /// A subroutine of D on strings or numbers, its arguments on the tuple stack.
    Text(text::Text),
    /// `(id)`, speculations: see `spec`.
    Spec(spec::Spec),
}

impl Routine {
    /// Makes the routine.
    pub(crate) fn make(self, m: &mut Module) -> Result<Function, Refused> {
        match self {
            Self::Reserve => Ok(ring::reserve(m)),
            Self::AggFind => agg::find(m),
            Self::KeyEqual => Ok(agg::key_equal(m)),
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
            Self::DynGet => dynamic::get(m),
            Self::DynSet => dynamic::set(m),
            Self::DynDelete => dynamic::delete(m),
            Self::DynKeyEqual => Ok(dynamic::key_equal(m)),
            Self::DynSearch => dynamic::search(m),
            Self::DynRevive => Ok(dynamic::revive(m)),
            Self::DynAllocate => dynamic::allocate(m),
            Self::DynTake => Ok(dynamic::take(m)),
            Self::DynFree => Ok(dynamic::free(m)),
            Self::DynDrop => Ok(dynamic::drop_one(m)),
            Self::KeyTuple => dynamic::key_tuple(m, Scope::Global),
            Self::KeyThreadTuple => dynamic::key_tuple(m, Scope::Thread),
            Self::Alloca => Ok(scratch::alloca(m)),
            Self::Zeroed => scratch::zeroed(m),
            Self::Copy => scratch::copy(m, false),
            Self::CopyUser => scratch::copy(m, true),
            Self::CopyUserString => Ok(scratch::copy_user_string(m)),
            Self::Compare => text::compare(m),
            Self::Text(text) => text.make(m),
            Self::Spec(spec) => spec.make(m),
        }
    }
}
