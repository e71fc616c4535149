//! QEMU's plugin interface, with QEMU's own names and types.
//!
//! Written by hand from the documentation of `qemu-plugin.h`, for QEMU 7.2 (interface version 1)
//! and newer. What changed between the versions, as far as this plugin is concerned:
//!
//! | version | QEMU | change |
//! | --- | --- | --- |
//! | 1 | 7.2 – 8.2 | the address of RAM in `qemu_plugin_hwaddr_phys_addr` is an offset into QEMU's RAM blocks up to 8.1, a guest-physical address from 8.2 on |
//! | 2 | 9.0 | `qemu_plugin_n_vcpus` is gone |
//! | 3 | 9.1 | `qemu_plugin_insn_data` copies into the caller's buffer; before, it returned a pointer |
//! | 4 | 9.2 | `qemu_plugin_read_memory_vaddr` is new |
//! | 5 | 10.1 | `qemu_plugin_write_memory_vaddr` is new |
//! | 6 | 10.2 | `qemu_plugin_set_pc` is new |
//! | 7 | 11.0 | callbacks lose the plugin's id and gain user data |
#![expect(non_camel_case_types, reason = "these are QEMU's names")]

use std::ffi::{c_char, c_int, c_uint, c_void};

/// A plugin's number.
pub(crate) type qemu_plugin_id_t = u64;

/// What a memory access was like.
pub(crate) type qemu_plugin_meminfo_t = u32;

/// A block of guest code under translation.
#[repr(C)]
pub(crate) struct qemu_plugin_tb {
    _opaque: [u8; 0],
}

/// One instruction of a block.
#[repr(C)]
pub(crate) struct qemu_plugin_insn {
    _opaque: [u8; 0],
}

/// Where a memory access went.
#[repr(C)]
pub(crate) struct qemu_plugin_hwaddr {
    _opaque: [u8; 0],
}

/// `info.version`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct qemu_info_version {
    /// The oldest interface this QEMU serves.
    pub(crate) min: c_int,
    /// Its own.
    pub(crate) cur: c_int,
}

/// `info.system`; meaningful if `info.system_emulation`. In C it is the only member of a union.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct qemu_info_system {
    /// vCPUs at the start.
    pub(crate) smp_vcpus: c_int,
    /// vCPUs there can ever be.
    pub(crate) max_vcpus: c_int,
}

/// What a plugin is told at its start.
#[repr(C)]
pub(crate) struct qemu_info_t {
    /// `x86_64`, …
    pub(crate) target_name: *const c_char,
    /// The interface.
    pub(crate) version: qemu_info_version,
    /// A whole machine, no `qemu-user`.
    pub(crate) system_emulation: bool,
    /// See there.
    pub(crate) system: qemu_info_system,
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(qemu_info_t, version) == 8);
    assert!(offset_of!(qemu_info_t, system_emulation) == 16);
    assert!(offset_of!(qemu_info_t, system) == 20);
    assert!(size_of::<qemu_info_t>() == 32);
};

/// `QEMU_PLUGIN_CB_NO_REGS`: the callback wants no registers.
pub(crate) const QEMU_PLUGIN_CB_NO_REGS: c_uint = 0;

/// `QEMU_PLUGIN_MEM_W`: call for stores.
pub(crate) const QEMU_PLUGIN_MEM_W: c_uint = 2;

/// Called when a block is translated: `(id, tb)`, from version 7 on maybe `(tb, userdata)`.
pub(crate) type tb_trans_cb = unsafe extern "C" fn(usize, usize);

/// Called when a vCPU comes: `(id, vcpu_index)`, from version 7 on `(vcpu_index, userdata)`.
pub(crate) type vcpu_init_cb = unsafe extern "C" fn(usize, usize);

/// Called when QEMU ends: `(id, userdata)`, from version 7 on maybe `(userdata)`.
pub(crate) type atexit_cb = unsafe extern "C" fn(usize, usize);

/// Called after a store: `(vcpu_index, info, vaddr, userdata)`.
pub(crate) type vcpu_mem_cb = unsafe extern "C" fn(c_uint, qemu_plugin_meminfo_t, u64, *mut c_void);

/// `qemu_plugin_register_vcpu_tb_trans_cb`. Up to version 6 the user data is not read.
pub(crate) type register_vcpu_tb_trans_cb =
    unsafe extern "C" fn(qemu_plugin_id_t, tb_trans_cb, *mut c_void);
/// `qemu_plugin_register_vcpu_init_cb`. Up to version 6 the user data is not read.
pub(crate) type register_vcpu_init_cb =
    unsafe extern "C" fn(qemu_plugin_id_t, vcpu_init_cb, *mut c_void);
/// `qemu_plugin_register_atexit_cb`.
pub(crate) type register_atexit_cb = unsafe extern "C" fn(qemu_plugin_id_t, atexit_cb, *mut c_void);
/// `qemu_plugin_register_vcpu_mem_cb`.
pub(crate) type register_vcpu_mem_cb =
    unsafe extern "C" fn(*mut qemu_plugin_insn, vcpu_mem_cb, c_uint, c_uint, *mut c_void);
/// `qemu_plugin_tb_n_insns`.
pub(crate) type tb_n_insns = unsafe extern "C" fn(*const qemu_plugin_tb) -> usize;
/// `qemu_plugin_tb_get_insn`.
pub(crate) type tb_get_insn =
    unsafe extern "C" fn(*const qemu_plugin_tb, usize) -> *mut qemu_plugin_insn;
/// `qemu_plugin_insn_size`.
pub(crate) type insn_size = unsafe extern "C" fn(*const qemu_plugin_insn) -> usize;
/// `qemu_plugin_insn_data` before version 3.
pub(crate) type insn_data_pointer = unsafe extern "C" fn(*const qemu_plugin_insn) -> *const c_void;
/// `qemu_plugin_insn_data` from version 3 on.
pub(crate) type insn_data_copy =
    unsafe extern "C" fn(*const qemu_plugin_insn, *mut c_void, usize) -> usize;
/// `qemu_plugin_get_hwaddr`.
pub(crate) type get_hwaddr =
    unsafe extern "C" fn(qemu_plugin_meminfo_t, u64) -> *const qemu_plugin_hwaddr;
/// `qemu_plugin_hwaddr_is_io`.
pub(crate) type hwaddr_is_io = unsafe extern "C" fn(*const qemu_plugin_hwaddr) -> bool;
/// `qemu_plugin_hwaddr_phys_addr`.
pub(crate) type hwaddr_phys_addr = unsafe extern "C" fn(*const qemu_plugin_hwaddr) -> u64;
/// `qemu_plugin_insn_vaddr`.
pub(crate) type insn_vaddr = unsafe extern "C" fn(*const qemu_plugin_insn) -> u64;
/// `qemu_plugin_insn_haddr`: where QEMU has mapped the instruction's first byte; null if that is no
/// RAM.
pub(crate) type insn_haddr = unsafe extern "C" fn(*const qemu_plugin_insn) -> *const c_void;
/// Called before an instruction is executed: `(vcpu_index, userdata)`.
pub(crate) type vcpu_udata_cb = unsafe extern "C" fn(c_uint, *mut c_void);
/// `qemu_plugin_register_vcpu_insn_exec_cb`.
pub(crate) type register_vcpu_insn_exec_cb =
    unsafe extern "C" fn(*mut qemu_plugin_insn, vcpu_udata_cb, c_uint, *mut c_void);
/// Called when a reset is done: `(id)`.
pub(crate) type simple_cb = unsafe extern "C" fn(qemu_plugin_id_t);
/// `qemu_plugin_reset`: drops every translation and every callback while all vCPUs stand still,
/// then calls back.
pub(crate) type reset = unsafe extern "C" fn(qemu_plugin_id_t, simple_cb);
