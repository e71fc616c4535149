//! The seam between a session and a machine.
//!
//! [`MachineLink`] is all a session knows of how a machine is reached: [`crate::shim::ShimLink`]
//! talks to a VM monitor's process over a socket, `providers::HostLink` is this process itself.

use std::os::fd::BorrowedFd;

use dif::program::ProbeDesc;
use dlang::world::{TypeContainer, TypeFormat};
use host::{
    arena::{config::ArenaConfig, map::ArenaMap},
    control::{ControlError, MachineInfo},
    ids::{Enabling, MachineId, ProbeId},
};

use crate::{
    probes::{ProbeTable, ProbeTableError},
    symbols::SymbolTable,
};

/// Why a machine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The connection failed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The machine said no.
    #[error("{0}")]
    Refused(String),
    /// The machine's probe table is malformed.
    #[error(transparent)]
    Probes(#[from] ProbeTableError),
    /// Its symbols are malformed.
    #[error("malformed symbol table: {0}")]
    Symbols(hypercall::EntryError),
    /// It answered something else than what was asked.
    #[error("unexpected answer to {0}")]
    Unexpected(&'static str),
    /// It took too long.
    #[error("no answer to {0} in time")]
    Timeout(&'static str),
}

/// One container of C types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeBlob {
    /// `vmlinux`/`kernel` for the image itself.
    pub module: String,
    /// How it is encoded.
    pub format: TypeFormat,
    /// The container.
    pub bytes: Vec<u8>,
}

impl TypeBlob {
    /// The container as the compiler takes it.
    #[must_use]
    pub fn container(&self) -> TypeContainer<'_> {
        TypeContainer { module: &self.module, format: self.format, bytes: &self.bytes }
    }
}

/// An address of a user program, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFrame {
    /// The file it lies in, without its directory (`libc.so.6`).
    pub object: String,
    /// The function.
    pub symbol: String,
    /// Bytes from the function's start.
    pub offset: u64,
}

/// The slots a machine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRange {
    /// The first.
    pub base: u32,
    /// How many.
    pub count: u32,
}

/// What a machine says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The enablings with this number are in effect.
    Enabled {
        /// From [`MachineLink::enable`].
        sequence: u32,
        /// How many probes could not be instrumented.
        failed: u32,
    },
    /// The guest (re)appeared, or is ready now.
    Up(Box<MachineInfo>),
    /// The guest is gone; its monitor is still there.
    Down(String),
    /// The probe table is another one.
    ProbesChanged,
    /// How many fires the guest had to leave out since its module was loaded.
    Losses(u64),
    /// The monitor is gone: the link is of no more use.
    Closed,
}

/// A machine, as a session sees it.
pub trait MachineLink {
    /// Who it is.
    fn info(&self) -> &MachineInfo;

    /// Its probes.
    ///
    /// # Errors
    /// [`LinkError`].
    fn probes(&mut self) -> Result<ProbeTable, LinkError>;

    /// Its kernel's symbols.
    ///
    /// # Errors
    /// [`LinkError`].
    fn symbols(&mut self) -> Result<SymbolTable, LinkError>;

    /// Its kernel's C types.
    ///
    /// # Errors
    /// [`LinkError`].
    fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError>;

    /// Makes probes that exist only when somebody asks for them (`tick-5s`). `true` if the table
    /// has grown.
    fn provide(&mut self, _desc: &ProbeDesc) -> bool {
        false
    }

    /// The module that a description calls by another name than its own (`a.out` for a program).
    fn module_of(&self, _desc: &ProbeDesc) -> Option<String> {
        None
    }

    /// Whether any of these probes fires in the machine's own kernel, which then must be able to
    /// work on the arena ([`MachineLink::kernel_arena`]). Only the host has such probes.
    fn works_in_kernel(&self, _probes: &[ProbeId]) -> bool {
        false
    }

    /// Makes an arena that the machine's own kernel can work on. Its memory is taken at once.
    ///
    /// # Errors
    /// [`LinkError`].
    fn kernel_arena(&mut self, config: ArenaConfig) -> Result<ArenaMap, LinkError> {
        ArenaMap::create(config).map_err(|error| LinkError::Refused(error.to_string()))
    }

    /// The CPU that fires in one of the machine's slots, counted from its first.
    fn cpu_of(&self, slot: u32) -> u32 {
        slot
    }

    /// Joins the session that lives in `arena`.
    ///
    /// # Errors
    /// [`LinkError`].
    fn open(
        &mut self,
        arena: &ArenaMap,
        machine: MachineId,
        slots: SlotRange,
    ) -> Result<(), LinkError>;

    /// Loads the program, as DOF.
    ///
    /// # Errors
    /// [`LinkError::Refused`] if it does not verify, or another error.
    fn load(&mut self, generation: u64, dof: &[u8]) -> Result<(), LinkError>;

    /// Sets what is enabled, in place of what was. Returns the number that
    /// [`LinkEvent::Enabled`] will carry; `None` if it is in effect already.
    ///
    /// # Errors
    /// [`LinkError`].
    fn enable(&mut self, enablings: &[Enabling]) -> Result<Option<u32>, LinkError>;

    /// Fires one of the machine's probes on the session's own thread: BEGIN and END. Only the host
    /// has such probes.
    fn fire(&mut self, _probe: ProbeId) {}

    /// The session starts or stops being active: whoever fires by a clock starts or stops. When
    /// this returns from stopping, nothing of it fires any more.
    fn activate(&mut self, _on: bool) {}

    /// Remembers what lies where in a process, so that its addresses can be named after it has
    /// gone: called when a session's command begins, and when an aggregation's key tells of one.
    fn note_process(&mut self, _pid: u32) {}

    /// Names addresses of a process; `None` for those that are not known. Only the host can.
    fn resolve_user(&mut self, _pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
        vec![None; addresses.len()]
    }

    /// The next event, if there is one. Does not wait.
    fn event(&mut self) -> Option<LinkEvent>;

    /// Asks for [`LinkEvent::Losses`], and says whether it will come.
    fn ask_losses(&mut self) -> bool {
        false
    }

    /// Becomes readable when there may be an event.
    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
