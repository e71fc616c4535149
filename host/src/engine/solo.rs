//! The firing path on its own: one session, one slot, one probe, no process around it.
//!
//! This is what a kernel that takes a guest's hypercall itself would run (docs/decisions/
//! kernel-road.md): it needs memory, a clock and an allocator at the start, and nothing of `std`.
//! Which thread fires, and when an arena may go, is the caller's to know; [`super::Engine`] knows
//! it for processes.

use alloc::{sync::Arc, vec::Vec};

use super::{
    code::{LoadError, Loaded},
    env::Target,
    fire::fire,
    state::{Group, Names, Places, Reaction, SessionCore, SlotState, SlotView},
};
use crate::{
    arena::{
        config::{ArenaConfig, ConfigError},
        layout::Layout,
        mem::Mem,
    },
    clock::Clock,
    context::FireContext,
    ids::{Enabling, MachineId},
    num::us,
};

/// One probe of one machine, as one slot fires it.
#[derive(Debug)]
pub struct Solo<'m> {
    target: Target,
    state: SlotState<'m>,
}

/// Who fires, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The machine's number in the session.
    pub machine: MachineId,
    /// Its name.
    pub vmname: &'a str,
    /// The slot's number in the arena.
    pub slot: u32,
    /// The probe's names: provider, module, function, name.
    pub names: [&'a str; 4],
}

/// Why there is nothing to fire.
#[derive(Debug, thiserror::Error)]
pub enum SoloError {
    /// The configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The program is refused.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The memory has no such slot, or is too small.
    #[error("the arena has no slot {0}")]
    Slot(u32),
    /// An enabling names an ECB that the program does not have.
    #[error("the program has no ECB {0}")]
    NoEcb(u32),
}

impl<'m> Solo<'m> {
    /// Verifies and binds a program for a slot of an arena of this configuration.
    ///
    /// # Errors
    /// [`SoloError`].
    pub fn new(
        mem: Mem<'m>,
        config: ArenaConfig,
        place: &Place<'_>,
        dof: &[u8],
        enablings: &[Enabling],
    ) -> Result<Self, SoloError> {
        let layout = Layout::new(config)?;
        let program = Loaded::new(dof, &layout)?;
        let mut ecbs = Vec::with_capacity(enablings.len());
        for it in enablings {
            if us(it.ecb) >= program.ecbs.len() {
                return Err(SoloError::NoEcb(it.ecb));
            }
            ecbs.push((it.ecb, it.epid));
        }
        let id = enablings.first().map_or(0, |it| it.id);
        let view = SlotView::new(mem, &layout, place.slot).ok_or(SoloError::Slot(place.slot))?;
        let state = SlotState::new(&layout, view, u64::from(place.slot) + 1);
        let vmname = place.vmname.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        let places = Places::new(&layout);
        let core = Arc::new(SessionCore { layout, places, machine: place.machine, vmname });
        let group = Arc::new(Group { names: Names::new(place.names), id, ecbs });
        let target = Target { core, program, group, errors: Arc::default() };
        Ok(Self { target, state })
    }

    /// Fires.
    ///
    /// # Context
    /// The firing path.
    pub fn fire<C: FireContext, K: Clock>(&mut self, ctx: &C, clock: &K) -> Reaction {
        let Self { target, state } = self;
        fire(target, state, ctx, clock);
        core::mem::take(&mut state.reaction)
    }
}
