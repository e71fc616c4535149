//! A guest's `vmcall` handled in FreeBSD's kernel: descriptor, both dimensions of page tables,
//! firing path; no return to user space.
//!
//! ```text
//!  c/module.c: module, malloc(9), clock          this library
//!  (vmm's exit handler would call) ────────────▶ ht_kernel_vmcall(probe, page, eptp)
//!                                                  ├ npt: gpa → hpa by EPT, direct map
//!                                                  ├ hypercall: is it a FIRE?
//!                                                  └ host: Solo::fire, records into the arena
//! ```
//! It is built and linked, and its symbols are looked at; nobody calls it yet. See
//! docs/decisions/kernel-road.md.
#![no_std]

extern crate alloc;

mod memory;
mod runtime;

use alloc::boxed::Box;
use core::ffi::c_void;
use core::ptr::NonNull;

use dif::env::{Fault, FaultKind};
use host::arena::config::ArenaConfig;
use host::arena::mem::Mem;
use host::clock::Clock;
use host::context::{FireContext, KernelStack};
use host::engine::solo::{Place, Solo};
use host::ids::{Enabling, Epid, MachineId, ProbeId};
use hypercall::{Descriptor, Fire, Request, text};
use npt::{
    AddressSpace, Behind, Cr3, Direct, Ept, Eptp, GuestPaging, Gva, Hpa, PhysMemory, PhysWidth,
};
use zerocopy::IntoBytes;

use crate::memory::DirectMap;

unsafe extern "C" {
    /// Nanoseconds of the host's monotonic clock.
    safe fn ht_kernel_now() -> u64;
}

struct KernelClock;

impl Clock for KernelClock {
    fn now(&self) -> u64 {
        ht_kernel_now()
    }
}

/// One probe of one vCPU.
struct KernelProbe {
    solo: Solo<'static>,
    /// The copy of the descriptor.
    page: Box<Descriptor>,
    memory: DirectMap,
    width: PhysWidth,
}

type Guest<'a> = Behind<'a, DirectMap, Ept>;

/// A fire whose descriptor was copied.
struct VmcallFire<'a> {
    fire: &'a Fire,
    stack: &'a [u8],
    cpu: u32,
    cr3: u64,
    memory: &'a Guest<'a>,
}

impl VmcallFire<'_> {
    fn read(&self, cr3: u64, addr: u64, buf: &mut [u8], user: bool) -> Result<(), Fault> {
        let space = AddressSpace::new(self.memory, GuestPaging::level4(Cr3(cr3)), Direct);
        let space = if user { space.as_user() } else { space };
        space.read(Gva(addr), buf).map_err(|e| Fault::at(FaultKind::BadAddr, e.gva.0))
    }
}

impl FireContext for VmcallFire<'_> {
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
        self.read(self.cr3, addr, buf, false)
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let cr3 = if self.fire.user_cr3 == 0 { self.cr3 } else { self.fire.user_cr3 };
        self.read(cr3, addr, buf, true)
    }
    fn symbolize(&self, _addr: u64, _out: &mut [u8]) -> usize {
        0
    }
}

/// What C says of a probe.
#[repr(C)]
pub struct Setup {
    /// The arena, mapped in the kernel, aligned to 64 bytes.
    arena: *mut u8,
    arena_len: usize,
    /// What decides its layout; the rest is as by default.
    nslots: u32,
    slot: u32,
    bufsize: u64,
    aggsize: u64,
    /// The program.
    dof: *const u8,
    dof_len: usize,
    /// The direct map: where physical address 0 is, and how many bytes there are.
    direct_map: *mut u8,
    direct_map_len: usize,
    /// Bits of a physical address.
    phys_bits: u8,
}

/// Makes a probe; null if anything about it is refused.
///
/// # Safety
/// The setup's memory is as it says and outlives the probe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ht_kernel_open(setup: *const Setup) -> *mut c_void {
    // SAFETY: by the caller's word.
    let setup = unsafe { &*setup };
    let Some(base) = NonNull::new(setup.arena) else { return core::ptr::null_mut() };
    // SAFETY: by the caller's word.
    let mem = unsafe { Mem::new(base, setup.arena_len) };
    // SAFETY: by the caller's word.
    let dof = unsafe { core::slice::from_raw_parts(setup.dof, setup.dof_len) };
    // SAFETY: by the caller's word.
    let memory = unsafe { DirectMap::new(setup.direct_map, setup.direct_map_len) };
    let config = ArenaConfig {
        nslots: setup.nslots,
        bufsize: setup.bufsize,
        aggsize: setup.aggsize,
        ..ArenaConfig::default()
    };
    let names = ["vmm", "kernel", "vmcall", "fire"];
    let place = Place { machine: MachineId(1), vmname: "guest", slot: setup.slot, names };
    let enabling = Enabling { probe: ProbeId(1), ecb: 0, epid: Epid(1), id: 1 };
    let (Ok(solo), Some(width)) =
        (Solo::new(mem, config, &place, dof, &[enabling]), PhysWidth::new(setup.phys_bits))
    else {
        return core::ptr::null_mut();
    };
    let probe = KernelProbe { solo, page: Box::new(Descriptor::ZERO), memory, width };
    Box::into_raw(Box::new(probe)).cast()
}

/// A vCPU executed `vmcall` with the frame number of its descriptor. 0 if it was a FIRE.
///
/// # Safety
/// `probe` is from [`ht_kernel_open`], and this thread alone uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ht_kernel_vmcall(probe: *mut c_void, frame: u64, eptp: u64) -> i32 {
    // SAFETY: by the caller's word.
    let probe = unsafe { &mut *probe.cast::<KernelProbe>() };
    let Ok(ept) = Ept::decode(Eptp(eptp), probe.width) else { return 1 };
    let guest = Behind::new(&probe.memory, ept);
    if guest.read(Hpa(frame << 12), probe.page.as_mut_bytes()).is_err() {
        return 2;
    }
    let Ok(Request::Fire { fire, stack, .. }) = probe.page.parse() else { return 3 };
    let (cpu, cr3) = (probe.page.header.cpu, probe.page.header.cr3);
    let context = VmcallFire { fire, stack, cpu, cr3, memory: &guest };
    let _ = probe.solo.fire(&context, &KernelClock);
    0
}

/// Lets a probe go.
///
/// # Safety
/// As [`ht_kernel_vmcall`]; nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ht_kernel_close(probe: *mut c_void) {
    // SAFETY: made by `Box::into_raw`, by the caller's word.
    drop(unsafe { Box::from_raw(probe.cast::<KernelProbe>()) });
}
