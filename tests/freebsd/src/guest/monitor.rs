//! bhyve's part: the VM, its RAM, a thread a vCPU in `vm_run`, and exits for it.
//!
//! libvmmapi is the stand-in that the bhyve harness has too; both it and the shim are preloaded, so
//! `vm_run` and `cap_enter` are found as bhyve finds them: the shim's first.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use bhyve_sys::v15::vm_run as Run;
use bhyve_sys::vmmapi::{Vcpu, VmMapGpa, VmRun, VmVcpuOpen, Vmctx};

use crate::exit::{Exit, SIZE};

/// The stand-in's `standin_exit`.
type StandinExit = unsafe extern "C" fn(*mut Vmctx, c_int, *const c_void, c_int);

/// libvmmapi's `vm_setup_memory`.
type SetupMemory = unsafe extern "C" fn(*mut Vmctx, usize, c_int) -> c_int;

struct Monitor {
    context: usize,
    exit: StandinExit,
    setup_memory: SetupMemory,
    map_gpa: VmMapGpa,
    ram: usize,
}

static MONITOR: OnceLock<Monitor> = OnceLock::new();

/// Exits that bhyve's loop saw.
static PASSED: AtomicU64 = AtomicU64::new(0);

fn find(name: &CStr) -> Result<NonNull<c_void>> {
    // SAFETY: a NUL-terminated name.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    NonNull::new(address).with_context(|| format!("{name:?} is not preloaded"))
}

macro_rules! function {
    ($name:literal as $type:ty) => {{
        let address = find($name)?;
        // SAFETY: the type is the function's, from bhyve-sys or from standin/vmm_abi.h.
        unsafe { std::mem::transmute::<NonNull<c_void>, $type>(address) }
    }};
}

/// Opens the VM, gives it so many bytes of RAM (later, by [`add_memory`], if `late`), enters the
/// sandbox and runs the vCPUs.
///
/// # Errors
/// If something is not preloaded or fails.
pub fn start(name: &str, vcpus: u32, ram: u64, late: bool) -> Result<()> {
    let open = function!(c"vm_open" as unsafe extern "C" fn(*const i8) -> *mut Vmctx);
    let set_topology = function!(
        c"vm_set_topology" as unsafe extern "C" fn(*mut Vmctx, u16, u16, u16, u16) -> c_int
    );
    let setup_memory = function!(c"vm_setup_memory" as SetupMemory);
    let map_gpa = function!(c"vm_map_gpa" as VmMapGpa);
    let vcpu_open = function!(c"vm_vcpu_open" as VmVcpuOpen);
    let cap_enter = function!(c"cap_enter" as unsafe extern "C" fn() -> c_int);
    let run = function!(c"vm_run" as VmRun);
    let exit = function!(c"standin_exit" as StandinExit);
    let name = CString::new(name)?;
    // SAFETY: a name; the stand-in copies it.
    let context = unsafe { open(name.as_ptr()) };
    ensure!(!context.is_null(), "vm_open");
    // SAFETY: the VM just opened.
    let failed = unsafe { set_topology(context, 1, u16::try_from(vcpus)?, 1, 0) };
    ensure!(failed == 0, "vm_set_topology");
    let numbers = 0..c_int::try_from(vcpus)?;
    // SAFETY: as above.
    let handles: Vec<usize> =
        numbers.map(|n| unsafe { vcpu_open(context, n) }.expose_provenance()).collect();
    let ram = usize::try_from(ram)?;
    let monitor =
        Monitor { context: context.expose_provenance(), exit, setup_memory, map_gpa, ram };
    ensure!(MONITOR.set(monitor).is_ok(), "two VMs");
    if !late {
        add_memory()?;
    }
    // glibc looks into /sys for the number of CPUs when it needs a second arena; one is enough.
    // SAFETY: changes a setting of the allocator.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    // SAFETY: it has no arguments.
    let failed = unsafe { cap_enter() };
    ensure!(failed == 0, "the sandbox");
    for handle in handles {
        std::thread::spawn(move || vm_loop(run, handle));
    }
    Ok(())
}

/// The VM's RAM comes; returns 0.
///
/// # Errors
/// If libvmmapi refuses.
pub fn add_memory() -> Result<u64> {
    let monitor = MONITOR.get().context("no VM")?;
    let context = std::ptr::with_exposed_provenance_mut(monitor.context);
    // SAFETY: the VM that was opened.
    let failed = unsafe { (monitor.setup_memory)(context, monitor.ram, 1) };
    ensure!(failed == 0, "vm_setup_memory");
    Ok(0)
}

/// The page in which a vCPU's thread ends, where bhyve has it mapped; 0 if there is none.
static TRAP: AtomicUsize = AtomicUsize::new(0);

/// Bytes of a page.
const PAGE: usize = 4096;

/// The next vCPU that looks at this page of guest memory ends there, in the middle of a fire; its
/// guest's CPU stands still from then on. Returns 0.
///
/// # Errors
/// If there is no such page.
pub fn trap(gpa: u64) -> Result<u64> {
    let monitor = MONITOR.get().context("no VM")?;
    let context = std::ptr::with_exposed_provenance_mut(monitor.context);
    // SAFETY: the VM that was opened.
    let page = unsafe { (monitor.map_gpa)(context, gpa, PAGE) };
    ensure!(!page.is_null(), "no RAM at {gpa:#x}");
    TRAP.store(page.expose_provenance(), Ordering::SeqCst);
    // SAFETY: a page of bhyve's mapping; whoever touches it comes to `end_in_trap`.
    let failed = unsafe { libc::mprotect(page.cast(), PAGE, libc::PROT_NONE) };
    ensure!(failed == 0, "mprotect: {}", std::io::Error::last_os_error());
    Ok(0)
}

/// Ends this thread if it stands in the trap, which is open again for all others.
///
/// # Context
/// In a signal handler.
pub fn end_in_trap(address: usize) {
    let page = TRAP.load(Ordering::SeqCst);
    if page == 0 || !(page..page + PAGE).contains(&address) {
        return;
    }
    let at = std::ptr::with_exposed_provenance_mut(page);
    // SAFETY: the page that `trap` took away.
    unsafe { libc::mprotect(at, PAGE, libc::PROT_READ | libc::PROT_WRITE) };
    TRAP.store(0, Ordering::SeqCst);
    // SAFETY: ends this thread alone; what it had is nobody's any more.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// bhyve's vm_loop: an exit that comes here is nobody's, and the guest runs on.
fn vm_loop(run: VmRun, handle: usize) {
    let vcpu: *mut Vcpu = std::ptr::with_exposed_provenance_mut(handle);
    let mut exit = Exit([0; SIZE]);
    // SAFETY: integers and pointers, for which zero is a value.
    let mut argument: Run = unsafe { std::mem::zeroed() };
    argument.vm_exit = (&raw mut exit).cast();
    // SAFETY: a vCPU that was opened, and an argument with a place for an exit.
    while unsafe { run(vcpu, &raw mut argument) } == 0 {
        PASSED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A vCPU exits; returns when it runs again.
///
/// # Context
/// On the guest's thread, in a signal handler.
pub fn exit(cpu: u32, exit: &Exit) {
    let (Some(monitor), Ok(cpu)) = (MONITOR.get(), c_int::try_from(cpu)) else { return };
    let context = std::ptr::with_exposed_provenance_mut(monitor.context);
    // SAFETY: the VM, one of its vCPUs, and a whole exit.
    unsafe { (monitor.exit)(context, cpu, exit.0.as_ptr().cast(), 0) };
}

/// How many exits bhyve saw.
#[must_use]
pub fn passed() -> u64 {
    PASSED.load(Ordering::Relaxed)
}
