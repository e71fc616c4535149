//! QEMU's plugin interface with Rust's types: the only module that calls into QEMU.
//!
//! The functions are looked up in the process at run time, not linked: so one plugin serves every
//! version of the interface, says in words what a QEMU lacks, and its tests run without QEMU.

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::sys;

/// The bytes that make an instruction a doorbell.
const DOORBELL: [u8; 7] = hypercall::DOORBELL;

/// The breakpoint instruction, `int3`.
pub(crate) const BREAKPOINT: u8 = 0xcc;

/// From this version on `qemu_plugin_insn_data` copies.
const COPIES_SINCE: i32 = 3;

/// Looks a symbol up in everything the process has loaded.
fn lookup(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: `name` is a NUL-terminated string; RTLD_DEFAULT is a valid handle.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Whether the process exports this symbol.
pub(crate) fn exported(name: &CStr) -> bool {
    lookup(name).is_some()
}

/// The QEMU around us lacks a function.
#[derive(Debug, thiserror::Error)]
#[error("this QEMU does not export {}; is it older than 7.2 or built without plugins?", name.to_string_lossy())]
pub(crate) struct Missing {
    name: CString,
}

/// How `qemu_plugin_insn_data` is called.
#[derive(Clone, Copy)]
enum InsnData {
    /// It returns a pointer to the bytes.
    Pointer(sys::insn_data_pointer),
    /// It copies them.
    Copy(sys::insn_data_copy),
}

/// QEMU's functions.
pub(crate) struct Api {
    register_tb_trans: sys::register_vcpu_tb_trans_cb,
    register_vcpu_init: sys::register_vcpu_init_cb,
    register_atexit: sys::register_atexit_cb,
    register_mem: sys::register_vcpu_mem_cb,
    register_exec: sys::register_vcpu_insn_exec_cb,
    reset: sys::reset,
    tb_n_insns: sys::tb_n_insns,
    tb_get_insn: sys::tb_get_insn,
    insn_size: sys::insn_size,
    insn_data: InsnData,
    insn_vaddr: sys::insn_vaddr,
    insn_haddr: sys::insn_haddr,
    get_hwaddr: sys::get_hwaddr,
    hwaddr_is_io: sys::hwaddr_is_io,
    hwaddr_phys_addr: sys::hwaddr_phys_addr,
}

static API: OnceLock<Api> = OnceLock::new();

/// A function by its name, as the type that `sys` gives it.
macro_rules! function {
    ($name:literal as $type:ty) => {{
        let name: &CStr = $name;
        let found = lookup(name).ok_or_else(|| Missing { name: name.to_owned() })?;
        // SAFETY: QEMU documents the function of this name with this signature for the versions
        // that `sys` lists; pointers to functions and to data have one size on x86-64.
        unsafe { std::mem::transmute::<*mut c_void, $type>(found) }
    }};
}

impl Api {
    /// The functions of a QEMU with this interface version, looked up once.
    ///
    /// # Errors
    /// The first one that is missing.
    pub(crate) fn load(version: i32) -> Result<&'static Self, Missing> {
        if let Some(api) = API.get() {
            return Ok(api);
        }
        let api = Self {
            register_tb_trans: function!(
                c"qemu_plugin_register_vcpu_tb_trans_cb" as sys::register_vcpu_tb_trans_cb
            ),
            register_vcpu_init: function!(
                c"qemu_plugin_register_vcpu_init_cb" as sys::register_vcpu_init_cb
            ),
            register_atexit: function!(
                c"qemu_plugin_register_atexit_cb" as sys::register_atexit_cb
            ),
            register_mem: function!(
                c"qemu_plugin_register_vcpu_mem_cb" as sys::register_vcpu_mem_cb
            ),
            register_exec: function!(
                c"qemu_plugin_register_vcpu_insn_exec_cb" as sys::register_vcpu_insn_exec_cb
            ),
            reset: function!(c"qemu_plugin_reset" as sys::reset),
            tb_n_insns: function!(c"qemu_plugin_tb_n_insns" as sys::tb_n_insns),
            tb_get_insn: function!(c"qemu_plugin_tb_get_insn" as sys::tb_get_insn),
            insn_size: function!(c"qemu_plugin_insn_size" as sys::insn_size),
            insn_data: if version < COPIES_SINCE {
                InsnData::Pointer(function!(c"qemu_plugin_insn_data" as sys::insn_data_pointer))
            } else {
                InsnData::Copy(function!(c"qemu_plugin_insn_data" as sys::insn_data_copy))
            },
            insn_vaddr: function!(c"qemu_plugin_insn_vaddr" as sys::insn_vaddr),
            insn_haddr: function!(c"qemu_plugin_insn_haddr" as sys::insn_haddr),
            get_hwaddr: function!(c"qemu_plugin_get_hwaddr" as sys::get_hwaddr),
            hwaddr_is_io: function!(c"qemu_plugin_hwaddr_is_io" as sys::hwaddr_is_io),
            hwaddr_phys_addr: function!(c"qemu_plugin_hwaddr_phys_addr" as sys::hwaddr_phys_addr),
        };
        Ok(API.get_or_init(|| api))
    }

    /// The functions, once they were loaded.
    #[inline]
    pub(crate) fn get() -> Option<&'static Self> {
        API.get()
    }

    /// Asks for `callback` on every translated block.
    pub(crate) fn on_translation(&self, id: sys::qemu_plugin_id_t, callback: sys::tb_trans_cb) {
        // SAFETY: called while QEMU installs the plugin `id`, as it asks for.
        unsafe { (self.register_tb_trans)(id, callback, std::ptr::null_mut()) }
    }

    /// Asks for `callback` when a vCPU comes.
    pub(crate) fn on_vcpu(&self, id: sys::qemu_plugin_id_t, callback: sys::vcpu_init_cb) {
        // SAFETY: as in `on_translation`.
        unsafe { (self.register_vcpu_init)(id, callback, std::ptr::null_mut()) }
    }

    /// Asks for `callback` when QEMU ends.
    pub(crate) fn on_exit(&self, id: sys::qemu_plugin_id_t, callback: sys::atexit_cb) {
        // SAFETY: as in `on_translation`.
        unsafe { (self.register_atexit)(id, callback, std::ptr::null_mut()) }
    }

    /// Drops every translation, and with them every callback, as soon as all vCPUs stand still;
    /// `then` has to ask for the callbacks again.
    ///
    /// # Context
    /// A vCPU's thread, in a callback. Asked for again before it was done, QEMU ignores it.
    pub(crate) fn flush(&self, id: sys::qemu_plugin_id_t, then: sys::simple_cb) {
        // SAFETY: the plugin `id` is ours and is not being uninstalled: we never ask for that.
        unsafe { (self.reset)(id, then) }
    }

    /// Where the store that is being reported went, if that is RAM.
    ///
    /// # Context
    /// On the firing path; only inside a callback for that store.
    #[inline]
    pub(crate) fn ram_address(&self, info: sys::qemu_plugin_meminfo_t, vaddr: u64) -> Option<u64> {
        // SAFETY: inside the callback that QEMU handed `info` and `vaddr` to.
        let place = unsafe { (self.get_hwaddr)(info, vaddr) };
        if place.is_null() {
            return None;
        }
        // SAFETY: `place` is not null and valid until the callback returns.
        let is_io = unsafe { (self.hwaddr_is_io)(place) };
        // SAFETY: as above.
        (!is_io).then(|| unsafe { (self.hwaddr_phys_addr)(place) })
    }
}

/// A block under translation, valid during the callback that got it.
pub(crate) struct Block<'a> {
    api: &'static Api,
    tb: *const sys::qemu_plugin_tb,
    during: PhantomData<&'a ()>,
}

impl Block<'_> {
    /// The block of a translation callback's arguments: `(id, tb)`, or `(tb, userdata)` where the
    /// user data, as we registered it, is null. An id is a random number, a block never null.
    ///
    /// # Safety
    /// `a` and `b` are the arguments of a translation callback that runs now.
    pub(crate) unsafe fn from_callback(api: &'static Api, a: usize, b: usize) -> Option<Self> {
        let address = if b == 0 { a } else { b };
        let tb = std::ptr::with_exposed_provenance::<sys::qemu_plugin_tb>(address);
        (!tb.is_null()).then_some(Self { api, tb, during: PhantomData })
    }

    /// The block's instructions.
    fn insns(&self) -> impl Iterator<Item = Insn<'_>> {
        // SAFETY: the block is valid during the callback we are in.
        let count = unsafe { (self.api.tb_n_insns)(self.tb) };
        (0..count).filter_map(|index| {
            // SAFETY: as above, and `index` is below the count.
            let insn = unsafe { (self.api.tb_get_insn)(self.tb, index) };
            (!insn.is_null()).then_some(Insn { api: self.api, insn, during: PhantomData })
        })
    }

    /// Asks for `callback` after the store of every doorbell in the block.
    pub(crate) fn watch_doorbells(&self, callback: sys::vcpu_mem_cb) {
        for insn in self.insns().filter(|insn| insn.is(&DOORBELL)) {
            let (flags, rw) = (sys::QEMU_PLUGIN_CB_NO_REGS, sys::QEMU_PLUGIN_MEM_W);
            // SAFETY: the instruction is one of the block's.
            unsafe {
                (self.api.register_mem)(insn.insn, callback, flags, rw, std::ptr::null_mut());
            }
        }
    }

    /// Asks for `callback` before every breakpoint of the guest's kernel in the block, with the
    /// address at which QEMU has the instruction's byte as its user data.
    pub(crate) fn watch_breakpoints(&self, callback: sys::vcpu_udata_cb) {
        for insn in self.insns().filter(|insn| insn.is(&[BREAKPOINT])) {
            let insn = insn.insn;
            // SAFETY: the instruction is one of the block's.
            let vaddr = unsafe { (self.api.insn_vaddr)(insn) };
            // SAFETY: as above.
            let byte = unsafe { (self.api.insn_haddr)(insn) };
            if vaddr >> 63 != 0 && !byte.is_null() {
                let flags = sys::QEMU_PLUGIN_CB_NO_REGS;
                // SAFETY: as above.
                unsafe { (self.api.register_exec)(insn, callback, flags, byte.cast_mut()) }
            }
        }
    }
}

/// An instruction of a block, valid as long as that.
struct Insn<'a> {
    api: &'static Api,
    insn: *mut sys::qemu_plugin_insn,
    during: PhantomData<&'a ()>,
}

impl Insn<'_> {
    /// Whether these are the instruction's bytes. The length is looked at first: most instructions
    /// have another one.
    fn is<const N: usize>(&self, wanted: &[u8; N]) -> bool {
        // SAFETY: the instruction is one of a block that is valid now.
        let size = unsafe { (self.api.insn_size)(self.insn) };
        if size != N {
            return false;
        }
        let mut bytes = [0; N];
        match self.api.insn_data {
            InsnData::Copy(copy) => {
                let to = bytes.as_mut_ptr().cast();
                // SAFETY: `to` has room for as many bytes as it is said to have.
                let copied = unsafe { copy(self.insn, to, N) };
                copied == N && bytes == *wanted
            }
            InsnData::Pointer(data) => {
                // SAFETY: as for `insn_size`.
                let from = unsafe { data(self.insn) };
                if from.is_null() {
                    return false;
                }
                // SAFETY: QEMU keeps `insn_size` bytes there while it translates the block.
                bytes = unsafe { from.cast::<[u8; N]>().read_unaligned() };
                bytes == *wanted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside QEMU the first missing function is named, not crashed into.
    #[test]
    fn missing_functions_are_named() {
        let message = Api::load(1).err().expect("no QEMU here").to_string();
        assert!(message.contains("qemu_plugin_register_vcpu_tb_trans_cb"), "{message}");
    }
}
