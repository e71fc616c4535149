//! The functions that stand behind ours: the next of their name in the order of loading.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use bhyve_sys::vmmapi::{
    CapEnter, VcpuId, VmGetMemSize, VmGetName, VmGetTopology, VmMapGpa, VmRun, VmVcpuOpen,
};

/// The functions of libvmmapi that the shim calls itself.
pub(crate) struct Vmmapi {
    pub(crate) vcpu_id: VcpuId,
    pub(crate) vm_get_name: VmGetName,
    pub(crate) vm_get_topology: VmGetTopology,
    pub(crate) vm_get_lowmem_size: VmGetMemSize,
    pub(crate) vm_get_highmem_size: VmGetMemSize,
    pub(crate) vm_map_gpa: VmMapGpa,
}

/// A function that the process does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing: this is no bhyve of FreeBSD 14 or 15, or another libvmmapi")]
pub(crate) struct Missing(pub(crate) &'static str);

/// Looks a function up behind this library.
fn find(name: &'static CStr) -> Result<NonNull<c_void>, Missing> {
    // SAFETY: the name is NUL-terminated, and RTLD_NEXT is meant for a call from a library.
    let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    NonNull::new(address).ok_or(Missing(name.to_str().unwrap_or("a function")))
}

/// Looks a function up as a function pointer.
macro_rules! function {
    ($name:literal as $type:ty) => {{
        let address = find($name)?;
        // SAFETY: the type is the function's, from the sources named beside it in bhyve-sys; both
        // are plain pointers.
        unsafe { std::mem::transmute::<NonNull<c_void>, $type>(address) }
    }};
}

impl Vmmapi {
    /// All of them, looked up once.
    ///
    /// # Errors
    /// [`Missing`], with the first that is not there.
    pub(crate) fn get() -> Result<&'static Self, Missing> {
        static FOUND: OnceLock<Result<Vmmapi, Missing>> = OnceLock::new();
        FOUND.get_or_init(Self::look_up).as_ref().map_err(|missing| *missing)
    }

    fn look_up() -> Result<Self, Missing> {
        Ok(Self {
            vcpu_id: function!(c"vcpu_id" as VcpuId),
            vm_get_name: function!(c"vm_get_name" as VmGetName),
            vm_get_topology: function!(c"vm_get_topology" as VmGetTopology),
            vm_get_lowmem_size: function!(c"vm_get_lowmem_size" as VmGetMemSize),
            vm_get_highmem_size: function!(c"vm_get_highmem_size" as VmGetMemSize),
            vm_map_gpa: function!(c"vm_map_gpa" as VmMapGpa),
        })
    }
}

/// The real `vm_vcpu_open`.
///
/// # Errors
/// [`Missing`].
pub(crate) fn vm_vcpu_open() -> Result<VmVcpuOpen, Missing> {
    Ok(function!(c"vm_vcpu_open" as VmVcpuOpen))
}

/// The real `cap_enter`.
///
/// # Errors
/// [`Missing`].
pub(crate) fn cap_enter() -> Result<CapEnter, Missing> {
    Ok(function!(c"cap_enter" as CapEnter))
}

/// The real `vm_run`, kept: it is asked for with every exit.
///
/// # Errors
/// [`Missing`].
#[inline]
pub(crate) fn vm_run() -> Result<VmRun, Missing> {
    static KEPT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    match NonNull::new(KEPT.load(Ordering::Relaxed)) {
        // SAFETY: what is kept was found under this name.
        Some(kept) => Ok(unsafe { std::mem::transmute::<NonNull<c_void>, VmRun>(kept) }),
        None => look_up_vm_run(&KEPT),
    }
}

#[cold]
fn look_up_vm_run(keep: &AtomicPtr<c_void>) -> Result<VmRun, Missing> {
    keep.store(find(c"vm_run")?.as_ptr(), Ordering::Relaxed);
    Ok(function!(c"vm_run" as VmRun))
}
