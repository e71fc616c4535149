//! The one VM of this process: found, started, rung, ended.

use std::ffi::CStr;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use bhyve_sys::vmmapi::{HIGHMEM_BASE, Vcpu as Handle, Vmctx};
use npt::Gpa;
use shim::memory::{GuestRam, Region};
use shim::name::VmName;
use shim::server::{Server, run_dir};
use shim::{Shim, Vcpu};

use crate::next::Vmmapi;

/// bhyve's VM, once it opened a vCPU.
static CONTEXT: AtomicPtr<Vmctx> = AtomicPtr::new(std::ptr::null_mut());

static VM: OnceLock<Vm> = OnceLock::new();

/// Everything a doorbell needs.
pub(crate) struct Vm {
    api: &'static Vmmapi,
    shim: Arc<Shim>,
    /// Each is its vCPU's thread's own; nobody ever waits for one.
    vcpus: Box<[Mutex<Vcpu>]>,
    server: Mutex<Option<Server>>,
}

/// Writes a line on stderr; before there is a shim that does it with the VM's name.
pub(crate) fn complain(line: &dyn std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "hypertrace: {line}"));
}

/// Runs `work` without ever unwinding into bhyve.
fn contained(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        // What panicked may panic again; this must not.
        drop(catch_unwind(AssertUnwindSafe(|| {
            if let Some(vm) = VM.get() {
                vm.shim.turn_off("an internal error, see above; the guest runs on untraced");
            }
        })));
    }
}

/// Keeps the VM that a vCPU was opened of. bhyve has one.
pub(crate) fn note(context: *mut Vmctx) {
    CONTEXT.store(context, Ordering::Release);
}

/// Starts the shim, once, if the VM is known. What fails is said, and the VM runs untraced.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    let context = CONTEXT.load(Ordering::Acquire);
    if context.is_null() {
        return;
    }
    STARTED.call_once(|| {
        contained(|| {
            if let Err(reason) = Vm::start(context) {
                complain(&format!("this VM is not traced: {reason}"));
            }
        });
    });
}

/// As [`start`], for a bhyve without a sandbox: with the first `vm_run`.
#[inline]
pub(crate) fn start_if_late() {
    if VM.get().is_none() {
        start();
    }
}

/// A doorbell was rung by a vCPU. Without a shim nothing happens, and the guest sees that in its
/// descriptor's status.
///
/// # Context
/// The firing path, on the vCPU's thread.
#[inline]
pub(crate) fn doorbell(vcpu: *mut Handle, page: Gpa) {
    let Some(vm) = VM.get() else { return };
    contained(|| vm.handle(vcpu, page));
}

extern "C" fn stop() {
    let Some(vm) = VM.get() else { return };
    contained(|| {
        vm.shim.goodbye("the VM ended");
        drop(vm.server.lock().unwrap_or_else(PoisonError::into_inner).take());
    });
}

impl Vm {
    /// Asks libvmmapi who the VM is, maps its RAM and opens the control socket.
    fn start(context: *mut Vmctx) -> Result<(), String> {
        let api = Vmmapi::get().map_err(|e| e.to_string())?;
        let name = name(api, context)?;
        let count = vcpus(api, context)?;
        let shim = Shim::new(name, count).map_err(|e| e.to_string())?;
        let cells = (0..count).filter_map(|index| shim.vcpu(index)).map(Mutex::new).collect();
        let vm = VM.get_or_init(|| Self { api, shim, vcpus: cells, server: Mutex::new(None) });
        vm.attach_memory();
        let server = Server::start(Arc::clone(&vm.shim), &run_dir()).map_err(|e| e.to_string())?;
        *vm.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        // SAFETY: a function without arguments that does not unwind. If it cannot be called at
        // the end, consumers see the connection closed a moment later.
        let _ = unsafe { libc::atexit(stop) };
        Ok(())
    }

    /// Gives the shim the guest's RAM, if libvmmapi has mapped it by now. Tried again with the
    /// next doorbell if not.
    #[cold]
    fn attach_memory(&self) {
        let context = CONTEXT.load(Ordering::Acquire);
        let regions = regions(self.api, context);
        if regions.is_empty() {
            return;
        }
        match GuestRam::new(regions) {
            Ok(ram) => self.shim.attach_memory(ram),
            Err(error) => self.shim.turn_off(&error.to_string()),
        }
    }

    #[inline]
    fn handle(&self, vcpu: *mut Handle, page: Gpa) {
        if self.shim.memory().is_none() {
            self.attach_memory();
        }
        // SAFETY: bhyve's own handle, with which it has just called vm_run.
        let index = unsafe { (self.api.vcpu_id)(vcpu) };
        let Some(cell) = usize::try_from(index).ok().and_then(|at| self.vcpus.get(at)) else {
            return;
        };
        // It is free: bhyve runs a vCPU on one thread. Were it not, the call would be lost, and
        // the guest's status would say so.
        let Ok(mut state) = cell.try_lock() else { return };
        self.shim.handle(&mut state, page);
    }
}

/// The VM's name, as bhyve was told.
fn name(api: &Vmmapi, context: *mut Vmctx) -> Result<VmName, String> {
    // SAFETY: a VM that bhyve has open.
    let name = unsafe { (api.vm_get_name)(context) };
    if name.is_null() {
        return Err("libvmmapi gives it no name".into());
    }
    // SAFETY: libvmmapi keeps the name, NUL-terminated, as long as the VM is open.
    let name = unsafe { CStr::from_ptr(name) };
    VmName::new(&name.to_string_lossy()).map_err(|e| e.to_string())
}

/// How many vCPUs the VM has.
fn vcpus(api: &Vmmapi, context: *mut Vmctx) -> Result<u32, String> {
    let [mut sockets, mut cores, mut threads, mut most] = [0_u16; 4];
    // SAFETY: a VM that bhyve has open, and places for four numbers.
    let failed = unsafe {
        (api.vm_get_topology)(context, &mut sockets, &mut cores, &mut threads, &mut most)
    };
    let count = [sockets, cores, threads]
        .into_iter()
        .try_fold(1_u32, |product, n| product.checked_mul(u32::from(n)));
    match count {
        Some(count) if failed == 0 => Ok(count),
        _ => Err(format!("its topology is unknown: {}", std::io::Error::last_os_error())),
    }
}

/// RAM below and above the hole for devices, where libvmmapi has it mapped. Memory of devices (a
/// frame buffer, a boot ROM) is no RAM: a descriptor there is refused.
fn regions(api: &Vmmapi, context: *mut Vmctx) -> Vec<Region> {
    let halves = [(0, api.vm_get_lowmem_size), (HIGHMEM_BASE, api.vm_get_highmem_size)];
    let region = |(base, size): (u64, bhyve_sys::vmmapi::VmGetMemSize)| {
        // SAFETY: a VM that bhyve has open.
        let len = unsafe { size(context) };
        if len == 0 {
            return None;
        }
        // SAFETY: as above.
        let host = unsafe { (api.vm_map_gpa)(context, base, len) };
        let host = std::ptr::NonNull::new(host)?;
        // SAFETY: libvmmapi says that these bytes are the guest's RAM; it never unmaps them, and
        // what else points there are bhyve's devices, in C.
        Some(unsafe { Region::from_raw(base, host.as_ptr().cast(), len) })
    };
    halves.into_iter().filter_map(region).collect()
}
