//! A FIRE descriptor as the tracing core sees it.
//!
//! The fixed part and the stack are a copy made when the call arrived; the guest's memory, which
//! its other vCPUs go on writing, is read only where a script follows a pointer.

use dif::env::{Fault, FaultKind};
use host::context::{FireContext, KernelStack};
use hypercall::{Fire, text};
use npt::{AddressSpace, Cr3, Direct, Failure, GuestCache, Gva};

use crate::memory::GuestRam;
use crate::nested::InnerGuest;
use crate::shim::Machine;

/// One fire of a guest's probe.
pub(crate) struct GuestFire<'a> {
    pub(crate) fire: &'a Fire,
    pub(crate) stack: &'a [u8],
    pub(crate) cpu: u32,
    pub(crate) cr3: u64,
    pub(crate) memory: &'a GuestRam,
    pub(crate) machine: &'a Machine,
    /// The vCPU's own; `begin_fire` was called.
    pub(crate) cache: &'a GuestCache,
    /// The guest's own guest on this CPU, if the fire brought one.
    pub(crate) inner: Option<InnerGuest<'a>>,
}

impl<'a> GuestFire<'a> {
    /// The guest's memory under these page tables.
    #[inline]
    fn space(&self, cr3: u64) -> AddressSpace<'a, GuestRam, Direct, &'a GuestCache> {
        let paging = self.machine.paging.with_cr3(Cr3(cr3));
        AddressSpace::new(self.memory, paging, Direct).with_cache(self.cache)
    }
}

/// What a script is told of an address that does not translate.
#[cold]
pub(crate) fn fault(failure: Failure) -> Fault {
    Fault::at(FaultKind::BadAddr, failure.gva.0)
}

impl FireContext for GuestFire<'_> {
    #[inline]
    fn arg(&self, index: usize) -> u64 {
        self.fire.args.get(index).copied().unwrap_or(0)
    }
    fn pid(&self) -> u32 {
        self.fire.pid
    }
    fn tid(&self) -> u32 {
        self.fire.tid
    }
    fn ppid(&self) -> u32 {
        self.fire.ppid
    }
    fn uid(&self) -> u32 {
        self.fire.uid
    }
    fn gid(&self) -> u32 {
        self.fire.gid
    }
    fn cpu(&self) -> u32 {
        self.cpu
    }
    fn errno(&self) -> i32 {
        self.fire.errno
    }
    fn thread(&self) -> u64 {
        self.fire.thread
    }
    fn vtimestamp(&self) -> u64 {
        self.fire.vtimestamp
    }
    fn execname(&self) -> &[u8] {
        text(&self.fire.execname)
    }
    fn ip(&self) -> u64 {
        self.fire.ip
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(self.stack)
    }
    fn read_kernel(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        self.space(self.cr3).read(Gva(addr), buf).map_err(fault)
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let cr3 = if self.fire.user_cr3 == 0 { self.cr3 } else { self.fire.user_cr3 };
        self.space(cr3).as_user().read(Gva(addr), buf).map_err(fault)
    }
    fn read_nested(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let inner = self.inner.as_ref().ok_or(Fault::at(FaultKind::BadAddr, addr))?;
        inner.read(self.memory, self.machine.paging.mode(), Gva(addr), buf)
    }
    fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize {
        self.machine.symbols.symbolize(addr, out)
    }
}
