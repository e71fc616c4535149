//! libvmmapi, as far as the shim needs it: types of its functions.
//!
//! The header (`vmmapi.h`) is not among the files that are published for other compilers, so the
//! prototypes are written from FreeBSD's `lib/libvmmapi/vmmapi.h` and `vmmapi.c` as of the vCPU
//! handles of 14.0, and are the same in 15.0. A vCPU is an opaque handle that `vm_vcpu_open` gives
//! out; in 13.x it was a number, and `vm_run` took other arguments: that release is not supported.
//!
//! They are types, not `extern` blocks: a library that is preloaded finds the functions behind it
//! with `dlsym(RTLD_NEXT, …)`, and must not be linked with libvmmapi itself.

use core::ffi::{c_char, c_int, c_void};

/// One VM, opaque.
#[derive(Debug)]
#[repr(C)]
pub struct Vmctx {
    _opaque: [u8; 0],
}

/// One vCPU of a VM, opaque.
#[derive(Debug)]
#[repr(C)]
pub struct Vcpu {
    _opaque: [u8; 0],
}

/// `int vm_run(struct vcpu *vcpu, struct vm_run *vmrun)`: runs the guest until its next exit, which
/// is written to where `vmrun->vm_exit` points. 0, or -1 with `errno`.
pub type VmRun = unsafe extern "C" fn(*mut Vcpu, *mut crate::v15::vm_run) -> c_int;

/// `struct vcpu *vm_vcpu_open(struct vmctx *ctx, int vcpuid)`.
pub type VmVcpuOpen = unsafe extern "C" fn(*mut Vmctx, c_int) -> *mut Vcpu;

/// `int vcpu_id(struct vcpu *vcpu)`.
pub type VcpuId = unsafe extern "C" fn(*mut Vcpu) -> c_int;

/// `const char *vm_get_name(struct vmctx *ctx)`.
pub type VmGetName = unsafe extern "C" fn(*mut Vmctx) -> *const c_char;

/// `int vm_get_topology(struct vmctx *ctx, uint16_t *sockets, uint16_t *cores, uint16_t *threads,
/// uint16_t *maxcpus)`.
pub type VmGetTopology =
    unsafe extern "C" fn(*mut Vmctx, *mut u16, *mut u16, *mut u16, *mut u16) -> c_int;

/// `size_t vm_get_lowmem_size(struct vmctx *ctx)` and `vm_get_highmem_size`: bytes of RAM from 0
/// and from 4 GiB on; 0 before `vm_setup_memory`.
pub type VmGetMemSize = unsafe extern "C" fn(*mut Vmctx) -> usize;

/// `void *vm_map_gpa(struct vmctx *ctx, vm_paddr_t gaddr, size_t len)`: where RAM lies in this
/// process; null if the range leaves it.
pub type VmMapGpa = unsafe extern "C" fn(*mut Vmctx, u64, usize) -> *mut c_void;

/// `int cap_enter(void)`, of libc: the process goes into its sandbox. 0, or -1 with `errno`.
pub type CapEnter = unsafe extern "C" fn() -> c_int;

/// Where RAM above the hole for devices begins.
pub const HIGHMEM_BASE: u64 = 4 << 30;
