//! Telling the doorbell's exit from all others.

use bhyve_sys::v15::{vm_exit, vm_exitcode_VM_EXITCODE_INOUT, vm_inout, vm_run};
use hypercall::DOORBELL_PORT;
use npt::Gpa;

/// The descriptor's page, if this exit is a doorbell: `out` of 32 bits to our port. A string
/// instruction, another width or an `in` is somebody else's access.
///
/// # Safety
/// `run` is what `vm_run` was called with, and `vm_run` has returned 0: its `vm_exit` points to an
/// exit that the kernel wrote, and no other thread uses it.
///
/// # Context
/// Runs with every exit of the guest.
#[inline]
pub(crate) unsafe fn doorbell(run: *const vm_run) -> Option<Gpa> {
    // SAFETY: a valid argument of vm_run, by the caller's word.
    let exit: *const vm_exit = unsafe { (*run).vm_exit };
    // SAFETY: the kernel wrote an exit there. The release may be 14 or 15: what is read lies at
    // the same place in both, as bhyve-sys asserts.
    let code = unsafe { (*exit).exitcode };
    if code != vm_exitcode_VM_EXITCODE_INOUT {
        return None;
    }
    // SAFETY: within the exit.
    let payload = unsafe { &raw const (*exit).u };
    // SAFETY: with this code the kernel filled this part of the union.
    let inout = unsafe { payload.cast::<vm_inout>().read() };
    let ours = inout.port == DOORBELL_PORT
        && inout.bytes() == 4
        && inout.in_() == 0
        && inout.string() == 0
        && inout.rep() == 0;
    ours.then(|| Gpa(u64::from(inout.eax) << 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(change: impl FnOnce(&mut vm_exit)) -> Option<Gpa> {
        // SAFETY: integers, for which zero is a value.
        let mut exit: vm_exit = unsafe { std::mem::zeroed() };
        exit.exitcode = vm_exitcode_VM_EXITCODE_INOUT;
        // SAFETY: every part of the union is integers.
        let inout = unsafe { &mut exit.u.inout };
        inout.port = DOORBELL_PORT;
        inout.set_bytes(4);
        inout.eax = 0xffff_fffe;
        change(&mut exit);
        // SAFETY: integers and pointers, for which zero is a value.
        let mut run: vm_run = unsafe { std::mem::zeroed() };
        run.vm_exit = &raw mut exit;
        // SAFETY: a run with an exit.
        unsafe { doorbell(&raw const run) }
    }

    /// The frame number is not cut, however high the page.
    #[test]
    fn the_doorbell_is_known_by_port_and_width() {
        assert_eq!(rung(|_| {}), Some(Gpa(0xfff_ffff_e000)));
    }

    /// Whatever differs in one respect is left to bhyve.
    #[test]
    fn other_exits_are_not_ours() {
        fn inout(exit: &mut vm_exit) -> &mut vm_inout {
            // SAFETY: every part of the union is integers.
            unsafe { &mut exit.u.inout }
        }
        assert_eq!(rung(|e| e.exitcode = bhyve_sys::v15::vm_exitcode_VM_EXITCODE_INOUT_STR), None);
        assert_eq!(rung(|e| inout(e).port = DOORBELL_PORT + 1), None);
        assert_eq!(rung(|e| inout(e).set_bytes(2)), None);
        assert_eq!(rung(|e| inout(e).set_in(1)), None);
        assert_eq!(rung(|e| inout(e).set_string(1)), None);
        assert_eq!(rung(|e| inout(e).set_rep(1)), None);
    }
}
