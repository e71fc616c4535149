//! What a fire must carry for the ECBs that run at it: the machine's side fills only that.

use bitflags::bitflags;
use dif::{
    number::{act, subr, var},
    program::Action,
};

use crate::{arena::config::ArenaConfig, num::low32};

bitflags! {
    /// Context bits, numbered as in the hypercall ABI's POLL.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Carry: u16 {
        /// Process and thread ids, uid, gid.
        const IDS = 1;
        /// `execname`.
        const EXECNAME = 2;
        /// The kernel's stack.
        const KSTACK = 4;
        /// User registers.
        const UREGS = 8;
        /// `vtimestamp`.
        const VTIMESTAMP = 16;
        /// The machine's own guest on this CPU.
        const NESTED = 32;
    }
}

/// What the fires of a probe must carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Demand {
    /// Which parts.
    pub carry: Carry,
    /// Frames of the kernel stack.
    pub frames: u32,
}

/// Frames for `stackdepth`, which wants to count them all; more do not fit a descriptor.
const ALL_FRAMES: u32 = 475;

impl Demand {
    /// Adds what somebody else wants.
    pub fn add(&mut self, other: Self) {
        self.carry |= other.carry;
        self.frames = self.frames.max(other.frames);
    }

    fn stack(frames: u32) -> Self {
        Self { carry: Carry::KSTACK, frames: frames.min(ALL_FRAMES) }
    }
}

/// What a built-in variable needs.
pub(crate) fn of_builtin(id: u16) -> Demand {
    let carry = match id {
        var::PID | var::TID | var::PPID | var::UID | var::GID | var::JID => Carry::IDS,
        var::EXECNAME => Carry::EXECNAME,
        var::VTIMESTAMP => Carry::VTIMESTAMP,
        var::UCALLER | var::USTACKDEPTH => Carry::UREGS,
        var::CALLER => return Demand::stack(2),
        var::STACKDEPTH => return Demand::stack(ALL_FRAMES),
        _ => Carry::empty(),
    };
    Demand { carry, frames: 0 }
}

/// What a subroutine needs.
pub(crate) fn of_subroutine(number: u16) -> Demand {
    let carry = match number {
        subr::NESTED_COPYIN | subr::NESTED_COPYINSTR => Carry::NESTED,
        _ => Carry::empty(),
    };
    Demand { carry, frames: 0 }
}

/// What an action needs beside its expression.
pub(crate) fn of_action(action: &Action, config: &ArenaConfig) -> Demand {
    match action.kind {
        act::STACK | act::IMMSTACK if action.arg == 0 => Demand::stack(config.stackframes),
        act::STACK | act::IMMSTACK => Demand::stack(low32(action.arg)),
        act::USYM | act::UMOD | act::UADDR => Demand { carry: Carry::IDS, frames: 0 },
        act::USTACK | act::JSTACK => Demand { carry: Carry::IDS | Carry::UREGS, frames: 0 },
        _ => Demand::default(),
    }
}
