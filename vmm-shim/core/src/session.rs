//! A consumer's session in this VM's engine.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use host::control::{ControlError, read_blob, read_enablings};
use host::engine::demand::Demand;
use host::engine::{EngineError, ProbeNames, SessionId};
use host::ids::{MachineId, ProbeId, SlotId};
use hypercall::Context;

use crate::plan::{Carry, ProbeSet};
use crate::shim::Shim;
use crate::tables::ProbeTable;

/// The most bytes of a program.
const MAX_PROGRAM: u64 = 64 << 20;

/// One session. Dropping it closes it in the engine, however it came to its end.
#[derive(Debug)]
pub(crate) struct Session {
    shim: Arc<Shim>,
    id: SessionId,
    life: u64,
}

/// Why a session cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// There is nobody to trace.
    #[error("no guest has said HELLO yet")]
    NoGuest,
    /// The engine refused it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What came along could not be read.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl Session {
    /// Opens a session on an arena: `place` is the machine's number, its first slot and how many.
    ///
    /// # Errors
    /// [`SessionError`].
    pub(crate) fn open(
        shim: &Arc<Shim>,
        arena: OwnedFd,
        place: (u32, u32, u32),
    ) -> Result<Self, SessionError> {
        let life = {
            let guest = shim.guest();
            if guest.present { guest.life } else { return Err(SessionError::NoGuest) }
        };
        let (machine, base, slots) = place;
        let id = shim.engine().open(arena, MachineId(machine), SlotId(base), slots)?;
        Ok(Self { shim: Arc::clone(shim), id, life })
    }

    /// Which life of the guest the session traces.
    pub(crate) const fn life(&self) -> u64 {
        self.life
    }

    /// Loads the program; returns how many ECBs it has.
    ///
    /// # Errors
    /// [`SessionError`]: the program was read whole and verified before any of it counts.
    pub(crate) fn load(&mut self, fd: OwnedFd) -> Result<u32, SessionError> {
        let dof = read_blob(fd, MAX_PROGRAM)?;
        Ok(self.shim.engine().load(self.id, &dof)?)
    }

    /// Replaces the session's enablings.
    ///
    /// # Errors
    /// [`SessionError`]; the former enablings stay then.
    pub(crate) fn enable(&mut self, fd: OwnedFd, count: u32) -> Result<(), SessionError> {
        let enablings = read_enablings(fd, count)?;
        let guest = self.shim.guest();
        let names = Names { probes: &guest.probes, destructive: guest.info.destructive };
        Ok(self.shim.engine().enable(self.id, &enablings, &names)?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shim.engine().close(self.id);
    }
}

/// What the engine asks about the guest when probes are enabled.
struct Names<'a> {
    probes: &'a ProbeTable,
    destructive: bool,
}

impl ProbeNames for Names<'_> {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        let entry = self.probes.get(probe.0)?;
        Some([entry.provider, entry.module, entry.function, entry.name])
    }
    fn permits_destructive(&self) -> bool {
        self.destructive
    }
}

/// The probes that all sessions of an engine want, and what their fires must carry.
pub(crate) fn wanted(shim: &Shim) -> ProbeSet {
    let carry = |demand: Demand| Carry {
        context: Context::from_bits_truncate(demand.carry.bits()),
        frames: demand.frames,
    };
    let wanted = shim.engine().wanted();
    ProbeSet::collect(wanted.into_iter().map(|(probe, demand)| (probe.0, carry(demand))))
}

// The engine and the ABI number the parts of a context alike.
const _: () = {
    assert!(host::engine::demand::Carry::all().bits() == Context::all().bits());
    assert!(host::engine::demand::Carry::IDS.bits() == Context::IDS.bits());
    assert!(host::engine::demand::Carry::EXECNAME.bits() == Context::EXECNAME.bits());
    assert!(host::engine::demand::Carry::KSTACK.bits() == Context::KSTACK.bits());
    assert!(host::engine::demand::Carry::UREGS.bits() == Context::UREGS.bits());
    assert!(host::engine::demand::Carry::VTIMESTAMP.bits() == Context::VTIMESTAMP.bits());
    assert!(host::engine::demand::Carry::NESTED.bits() == Context::NESTED.bits());
};
