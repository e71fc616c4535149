//! The functions that are found in place of libvmmapi's and libc's.

use std::ffi::c_int;

use bhyve_sys::v15::vm_run as Run;
use bhyve_sys::vmmapi::{Vcpu, Vmctx};

use crate::exit;
use crate::next::{self, Missing};
use crate::vm;

/// What functions of C return when they fail.
const FAILED: c_int = -1;

/// Without the real function nothing can be done but to fail as it would.
#[cold]
fn fail(missing: Missing) -> c_int {
    vm::complain(&missing);
    FAILED
}

/// Runs a vCPU until an exit that is bhyve's: a doorbell is answered here, and the guest runs on.
/// The kernel has put the instruction pointer behind the `out` already, as for every port access,
/// and an `out` changes no register.
///
/// # Safety
/// As libvmmapi's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn vm_run(vcpu: *mut Vcpu, run: *mut Run) -> c_int {
    let real = match next::vm_run() {
        Ok(real) => real,
        Err(missing) => return fail(missing),
    };
    vm::start_if_late();
    loop {
        // SAFETY: the caller's own arguments.
        let status = unsafe { real(vcpu, run) };
        if status != 0 {
            return status;
        }
        // SAFETY: vm_run was called with it, and succeeded.
        let Some(page) = (unsafe { exit::doorbell(run) }) else { return status };
        vm::doorbell(vcpu, page);
    }
}

/// Opens a vCPU, and tells us of the VM.
///
/// # Safety
/// As libvmmapi's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn vm_vcpu_open(context: *mut Vmctx, id: c_int) -> *mut Vcpu {
    match next::vm_vcpu_open() {
        Ok(real) => {
            vm::note(context);
            // SAFETY: the caller's own arguments.
            unsafe { real(context, id) }
        }
        Err(missing) => {
            fail(missing);
            std::ptr::null_mut()
        }
    }
}

/// Enters the sandbox: the last moment at which a socket can be bound.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cap_enter() -> c_int {
    match next::cap_enter() {
        Ok(real) => {
            vm::start();
            // SAFETY: it has no arguments.
            unsafe { real() }
        }
        Err(missing) => fail(missing),
    }
}
