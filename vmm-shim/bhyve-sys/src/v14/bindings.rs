// Written by `cargo xtask freebsd bindings`; not to be changed by hand.

#[repr(C)]
#[derive(Copy, Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct __BindgenBitfieldUnit<Storage> {
    storage: Storage,
}
impl<Storage> __BindgenBitfieldUnit<Storage> {
    #[inline]
    pub const fn new(storage: Storage) -> Self {
        Self { storage }
    }
}
impl<Storage> __BindgenBitfieldUnit<Storage>
where
    Storage: AsRef<[u8]> + AsMut<[u8]>,
{
    #[inline]
    fn extract_bit(byte: u8, index: usize) -> bool {
        let bit_index = if cfg!(target_endian = "big") { 7 - (index % 8) } else { index % 8 };
        let mask = 1 << bit_index;
        byte & mask == mask
    }
    #[inline]
    pub fn get_bit(&self, index: usize) -> bool {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = self.storage.as_ref()[byte_index];
        Self::extract_bit(byte, index)
    }
    #[inline]
    pub unsafe fn raw_get_bit(this: *const Self, index: usize) -> bool {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            *(core::ptr::addr_of!((*this).storage) as *const u8).offset(byte_index as isize)
        };
        Self::extract_bit(byte, index)
    }
    #[inline]
    fn change_bit(byte: u8, index: usize, val: bool) -> u8 {
        let bit_index = if cfg!(target_endian = "big") { 7 - (index % 8) } else { index % 8 };
        let mask = 1 << bit_index;
        if val {
            byte | mask
        } else {
            byte & !mask
        }
    }
    #[inline]
    pub fn set_bit(&mut self, index: usize, val: bool) {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = &mut self.storage.as_mut()[byte_index];
        *byte = Self::change_bit(*byte, index, val);
    }
    #[inline]
    pub unsafe fn raw_set_bit(this: *mut Self, index: usize, val: bool) {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            (core::ptr::addr_of_mut!((*this).storage) as *mut u8).offset(byte_index as isize)
        };
        unsafe { *byte = Self::change_bit(*byte, index, val) };
    }
    #[inline]
    pub fn get(&self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!((bit_offset + (bit_width as usize)) / 8 <= self.storage.as_ref().len());
        let mut val = 0;
        for i in 0..(bit_width as usize) {
            if self.get_bit(i + bit_offset) {
                let index =
                    if cfg!(target_endian = "big") { bit_width as usize - 1 - i } else { i };
                val |= 1 << index;
            }
        }
        val
    }
    #[inline]
    pub unsafe fn raw_get(this: *const Self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!((bit_offset + (bit_width as usize)) / 8 <= core::mem::size_of::<Storage>());
        let mut val = 0;
        for i in 0..(bit_width as usize) {
            if unsafe { Self::raw_get_bit(this, i + bit_offset) } {
                let index =
                    if cfg!(target_endian = "big") { bit_width as usize - 1 - i } else { i };
                val |= 1 << index;
            }
        }
        val
    }
    #[inline]
    pub fn set(&mut self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!((bit_offset + (bit_width as usize)) / 8 <= self.storage.as_ref().len());
        for i in 0..(bit_width as usize) {
            let mask = 1 << i;
            let val_bit_is_set = val & mask == mask;
            let index = if cfg!(target_endian = "big") { bit_width as usize - 1 - i } else { i };
            self.set_bit(index + bit_offset, val_bit_is_set);
        }
    }
    #[inline]
    pub unsafe fn raw_set(this: *mut Self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!((bit_offset + (bit_width as usize)) / 8 <= core::mem::size_of::<Storage>());
        for i in 0..(bit_width as usize) {
            let mask = 1 << i;
            let val_bit_is_set = val & mask == mask;
            let index = if cfg!(target_endian = "big") { bit_width as usize - 1 - i } else { i };
            unsafe { Self::raw_set_bit(this, index + bit_offset, val_bit_is_set) };
        }
    }
}
pub const VM_INTINFO_DEL_ERRCODE: u32 = 2048;
pub const VM_INTINFO_RSVD: u32 = 2147479552;
pub const VM_INTINFO_VALID: u32 = 2147483648;
pub const VM_INTINFO_TYPE: u32 = 1792;
pub const VM_INTINFO_HWINTR: u32 = 0;
pub const VM_INTINFO_NMI: u32 = 512;
pub const VM_INTINFO_HWEXCEPTION: u32 = 768;
pub const VM_INTINFO_SWINTR: u32 = 1024;
pub const VM_MAX_PREFIXLEN: u32 = 10;
pub const VM_MAX_SUFFIXLEN: u32 = 15;
pub const VM_MIN_NAMELEN: u32 = 6;
pub const VM_MAX_NAMELEN: u32 = 229;
pub const VIE_INST_SIZE: u32 = 15;
pub const VM_MEMMAP_F_WIRED: u32 = 1;
pub const VM_MEMMAP_F_IOMMU: u32 = 2;
pub const MAX_VM_STATS: u32 = 64;
pub const VM_ACTIVE_CPUS: u32 = 0;
pub const VM_SUSPENDED_CPUS: u32 = 1;
pub const VM_DEBUG_CPUS: u32 = 2;
pub const VM_RUN: u32 = 2149611009;
pub const VM_SUSPEND: u32 = 2147776004;
pub const VM_REINIT: u32 = 536901125;
pub const VM_ALLOC_MEMSEG_FBSD12: u32 = 2152756750;
pub const VM_ALLOC_MEMSEG: u32 = 2149611022;
pub const VM_GET_MEMSEG_FBSD12: u32 = 3226498575;
pub const VM_GET_MEMSEG: u32 = 3223352847;
pub const VM_MMAP_MEMSEG: u32 = 2150135312;
pub const VM_MMAP_GETNEXT: u32 = 3223877137;
pub const VM_MUNMAP_MEMSEG: u32 = 2148562451;
pub const VM_SET_REGISTER: u32 = 2148562452;
pub const VM_GET_REGISTER: u32 = 3222304277;
pub const VM_SET_SEGMENT_DESCRIPTOR: u32 = 2149086742;
pub const VM_GET_SEGMENT_DESCRIPTOR: u32 = 3222828567;
pub const VM_SET_REGISTER_SET: u32 = 2149086744;
pub const VM_GET_REGISTER_SET: u32 = 3222828569;
pub const VM_SET_KERNEMU_DEV: u32 = 2149086747;
pub const VM_GET_KERNEMU_DEV: u32 = 3222828570;
pub const VM_INJECT_EXCEPTION: u32 = 2148824606;
pub const VM_LAPIC_IRQ: u32 = 2148038175;
pub const VM_LAPIC_LOCAL_IRQ: u32 = 2148038181;
pub const VM_LAPIC_MSI: u32 = 2148562468;
pub const VM_IOAPIC_ASSERT_IRQ: u32 = 2147776033;
pub const VM_IOAPIC_DEASSERT_IRQ: u32 = 2147776034;
pub const VM_IOAPIC_PULSE_IRQ: u32 = 2147776035;
pub const VM_IOAPIC_PINCOUNT: u32 = 1074034214;
pub const VM_ISA_ASSERT_IRQ: u32 = 2148038224;
pub const VM_ISA_DEASSERT_IRQ: u32 = 2148038225;
pub const VM_ISA_PULSE_IRQ: u32 = 2148038226;
pub const VM_ISA_SET_IRQ_TRIGGER: u32 = 2148038227;
pub const VM_SET_CAPABILITY: u32 = 2148562434;
pub const VM_GET_CAPABILITY: u32 = 3222304259;
pub const VM_BIND_PPTDEV: u32 = 2148300328;
pub const VM_UNBIND_PPTDEV: u32 = 2148300329;
pub const VM_MAP_PPTDEV_MMIO: u32 = 2150135338;
pub const VM_PPTDEV_MSI: u32 = 2150135339;
pub const VM_PPTDEV_MSIX: u32 = 2150659628;
pub const VM_PPTDEV_DISABLE_MSIX: u32 = 2148300333;
pub const VM_UNMAP_PPTDEV_MMIO: u32 = 2150135342;
pub const VM_INJECT_NMI: u32 = 2147776032;
pub const VM_STATS: u32 = 3256907314;
pub const VM_STAT_DESC: u32 = 3229906483;
pub const VM_SET_X2APIC_STATE: u32 = 2148038204;
pub const VM_GET_X2APIC_STATE: u32 = 3221780029;
pub const VM_GET_HPET_CAPABILITIES: u32 = 1074034238;
pub const VM_SET_TOPOLOGY: u32 = 2148038207;
pub const VM_GET_TOPOLOGY: u32 = 1074296384;
pub const VM_GET_GPA_PMAP: u32 = 3224401420;
pub const VM_GLA2GPA: u32 = 3224925709;
pub const VM_GLA2GPA_NOFAULT: u32 = 3224925714;
pub const VM_ACTIVATE_CPU: u32 = 2147776090;
pub const VM_GET_CPUS: u32 = 2148562523;
pub const VM_SUSPEND_CPU: u32 = 2147776092;
pub const VM_RESUME_CPU: u32 = 2147776093;
pub const VM_SET_INTINFO: u32 = 2149086749;
pub const VM_GET_INTINFO: u32 = 3222828572;
pub const VM_RTC_WRITE: u32 = 2148038245;
pub const VM_RTC_READ: u32 = 3221780068;
pub const VM_RTC_SETTIME: u32 = 2148038246;
pub const VM_RTC_GETTIME: u32 = 1074296423;
pub const VM_RESTART_INSTRUCTION: u32 = 2147776039;
pub const VM_RESTORE_TIME: u32 = 3221517939;
pub type __int64_t = ::std::os::raw::c_long;
pub type __uint64_t = ::std::os::raw::c_ulong;
pub type __time_t = __int64_t;
pub type __vm_paddr_t = __uint64_t;
pub type __suseconds_t = ::std::os::raw::c_long;
pub type suseconds_t = __suseconds_t;
pub type time_t = __time_t;
pub type vm_ooffset_t = __uint64_t;
pub type vm_paddr_t = __vm_paddr_t;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct timeval {
    pub tv_sec: time_t,
    pub tv_usec: suseconds_t,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of timeval"][::std::mem::size_of::<timeval>() - 16usize];
    ["Alignment of timeval"][::std::mem::align_of::<timeval>() - 8usize];
    ["Offset of field: timeval::tv_sec"][::std::mem::offset_of!(timeval, tv_sec) - 0usize];
    ["Offset of field: timeval::tv_usec"][::std::mem::offset_of!(timeval, tv_usec) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct _cpuset {
    pub __bits: [::std::os::raw::c_long; 16usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of _cpuset"][::std::mem::size_of::<_cpuset>() - 128usize];
    ["Alignment of _cpuset"][::std::mem::align_of::<_cpuset>() - 8usize];
    ["Offset of field: _cpuset::__bits"][::std::mem::offset_of!(_cpuset, __bits) - 0usize];
};
pub type cpuset_t = _cpuset;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vcpu {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_snapshot_meta {
    _unused: [u8; 0],
}
pub const vm_suspend_how_VM_SUSPEND_NONE: vm_suspend_how = 0;
pub const vm_suspend_how_VM_SUSPEND_RESET: vm_suspend_how = 1;
pub const vm_suspend_how_VM_SUSPEND_POWEROFF: vm_suspend_how = 2;
pub const vm_suspend_how_VM_SUSPEND_HALT: vm_suspend_how = 3;
pub const vm_suspend_how_VM_SUSPEND_TRIPLEFAULT: vm_suspend_how = 4;
pub const vm_suspend_how_VM_SUSPEND_LAST: vm_suspend_how = 5;
pub type vm_suspend_how = ::std::os::raw::c_uint;
pub const vm_reg_name_VM_REG_GUEST_RAX: vm_reg_name = 0;
pub const vm_reg_name_VM_REG_GUEST_RBX: vm_reg_name = 1;
pub const vm_reg_name_VM_REG_GUEST_RCX: vm_reg_name = 2;
pub const vm_reg_name_VM_REG_GUEST_RDX: vm_reg_name = 3;
pub const vm_reg_name_VM_REG_GUEST_RSI: vm_reg_name = 4;
pub const vm_reg_name_VM_REG_GUEST_RDI: vm_reg_name = 5;
pub const vm_reg_name_VM_REG_GUEST_RBP: vm_reg_name = 6;
pub const vm_reg_name_VM_REG_GUEST_R8: vm_reg_name = 7;
pub const vm_reg_name_VM_REG_GUEST_R9: vm_reg_name = 8;
pub const vm_reg_name_VM_REG_GUEST_R10: vm_reg_name = 9;
pub const vm_reg_name_VM_REG_GUEST_R11: vm_reg_name = 10;
pub const vm_reg_name_VM_REG_GUEST_R12: vm_reg_name = 11;
pub const vm_reg_name_VM_REG_GUEST_R13: vm_reg_name = 12;
pub const vm_reg_name_VM_REG_GUEST_R14: vm_reg_name = 13;
pub const vm_reg_name_VM_REG_GUEST_R15: vm_reg_name = 14;
pub const vm_reg_name_VM_REG_GUEST_CR0: vm_reg_name = 15;
pub const vm_reg_name_VM_REG_GUEST_CR3: vm_reg_name = 16;
pub const vm_reg_name_VM_REG_GUEST_CR4: vm_reg_name = 17;
pub const vm_reg_name_VM_REG_GUEST_DR7: vm_reg_name = 18;
pub const vm_reg_name_VM_REG_GUEST_RSP: vm_reg_name = 19;
pub const vm_reg_name_VM_REG_GUEST_RIP: vm_reg_name = 20;
pub const vm_reg_name_VM_REG_GUEST_RFLAGS: vm_reg_name = 21;
pub const vm_reg_name_VM_REG_GUEST_ES: vm_reg_name = 22;
pub const vm_reg_name_VM_REG_GUEST_CS: vm_reg_name = 23;
pub const vm_reg_name_VM_REG_GUEST_SS: vm_reg_name = 24;
pub const vm_reg_name_VM_REG_GUEST_DS: vm_reg_name = 25;
pub const vm_reg_name_VM_REG_GUEST_FS: vm_reg_name = 26;
pub const vm_reg_name_VM_REG_GUEST_GS: vm_reg_name = 27;
pub const vm_reg_name_VM_REG_GUEST_LDTR: vm_reg_name = 28;
pub const vm_reg_name_VM_REG_GUEST_TR: vm_reg_name = 29;
pub const vm_reg_name_VM_REG_GUEST_IDTR: vm_reg_name = 30;
pub const vm_reg_name_VM_REG_GUEST_GDTR: vm_reg_name = 31;
pub const vm_reg_name_VM_REG_GUEST_EFER: vm_reg_name = 32;
pub const vm_reg_name_VM_REG_GUEST_CR2: vm_reg_name = 33;
pub const vm_reg_name_VM_REG_GUEST_PDPTE0: vm_reg_name = 34;
pub const vm_reg_name_VM_REG_GUEST_PDPTE1: vm_reg_name = 35;
pub const vm_reg_name_VM_REG_GUEST_PDPTE2: vm_reg_name = 36;
pub const vm_reg_name_VM_REG_GUEST_PDPTE3: vm_reg_name = 37;
pub const vm_reg_name_VM_REG_GUEST_INTR_SHADOW: vm_reg_name = 38;
pub const vm_reg_name_VM_REG_GUEST_DR0: vm_reg_name = 39;
pub const vm_reg_name_VM_REG_GUEST_DR1: vm_reg_name = 40;
pub const vm_reg_name_VM_REG_GUEST_DR2: vm_reg_name = 41;
pub const vm_reg_name_VM_REG_GUEST_DR3: vm_reg_name = 42;
pub const vm_reg_name_VM_REG_GUEST_DR6: vm_reg_name = 43;
pub const vm_reg_name_VM_REG_GUEST_ENTRY_INST_LENGTH: vm_reg_name = 44;
pub const vm_reg_name_VM_REG_GUEST_FS_BASE: vm_reg_name = 45;
pub const vm_reg_name_VM_REG_GUEST_GS_BASE: vm_reg_name = 46;
pub const vm_reg_name_VM_REG_GUEST_KGS_BASE: vm_reg_name = 47;
pub const vm_reg_name_VM_REG_GUEST_TPR: vm_reg_name = 48;
pub const vm_reg_name_VM_REG_LAST: vm_reg_name = 49;
pub type vm_reg_name = ::std::os::raw::c_uint;
pub const x2apic_state_X2APIC_DISABLED: x2apic_state = 0;
pub const x2apic_state_X2APIC_ENABLED: x2apic_state = 1;
pub const x2apic_state_X2APIC_STATE_LAST: x2apic_state = 2;
pub type x2apic_state = ::std::os::raw::c_uint;
pub const vm_cap_type_VM_CAP_HALT_EXIT: vm_cap_type = 0;
pub const vm_cap_type_VM_CAP_MTRAP_EXIT: vm_cap_type = 1;
pub const vm_cap_type_VM_CAP_PAUSE_EXIT: vm_cap_type = 2;
pub const vm_cap_type_VM_CAP_UNRESTRICTED_GUEST: vm_cap_type = 3;
pub const vm_cap_type_VM_CAP_ENABLE_INVPCID: vm_cap_type = 4;
pub const vm_cap_type_VM_CAP_BPT_EXIT: vm_cap_type = 5;
pub const vm_cap_type_VM_CAP_RDPID: vm_cap_type = 6;
pub const vm_cap_type_VM_CAP_RDTSCP: vm_cap_type = 7;
pub const vm_cap_type_VM_CAP_IPI_EXIT: vm_cap_type = 8;
pub const vm_cap_type_VM_CAP_MASK_HWINTR: vm_cap_type = 9;
pub const vm_cap_type_VM_CAP_RFLAGS_TF: vm_cap_type = 10;
pub const vm_cap_type_VM_CAP_MAX: vm_cap_type = 11;
pub type vm_cap_type = ::std::os::raw::c_uint;
pub const vm_intr_trigger_EDGE_TRIGGER: vm_intr_trigger = 0;
pub const vm_intr_trigger_LEVEL_TRIGGER: vm_intr_trigger = 1;
pub type vm_intr_trigger = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct seg_desc {
    pub base: u64,
    pub limit: u32,
    pub access: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of seg_desc"][::std::mem::size_of::<seg_desc>() - 16usize];
    ["Alignment of seg_desc"][::std::mem::align_of::<seg_desc>() - 8usize];
    ["Offset of field: seg_desc::base"][::std::mem::offset_of!(seg_desc, base) - 0usize];
    ["Offset of field: seg_desc::limit"][::std::mem::offset_of!(seg_desc, limit) - 8usize];
    ["Offset of field: seg_desc::access"][::std::mem::offset_of!(seg_desc, access) - 12usize];
};
pub const vm_cpu_mode_CPU_MODE_REAL: vm_cpu_mode = 0;
pub const vm_cpu_mode_CPU_MODE_PROTECTED: vm_cpu_mode = 1;
pub const vm_cpu_mode_CPU_MODE_COMPATIBILITY: vm_cpu_mode = 2;
pub const vm_cpu_mode_CPU_MODE_64BIT: vm_cpu_mode = 3;
pub type vm_cpu_mode = ::std::os::raw::c_uint;
pub const vm_paging_mode_PAGING_MODE_FLAT: vm_paging_mode = 0;
pub const vm_paging_mode_PAGING_MODE_32: vm_paging_mode = 1;
pub const vm_paging_mode_PAGING_MODE_PAE: vm_paging_mode = 2;
pub const vm_paging_mode_PAGING_MODE_64: vm_paging_mode = 3;
pub const vm_paging_mode_PAGING_MODE_64_LA57: vm_paging_mode = 4;
pub type vm_paging_mode = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_guest_paging {
    pub cr3: u64,
    pub cpl: ::std::os::raw::c_int,
    pub cpu_mode: vm_cpu_mode,
    pub paging_mode: vm_paging_mode,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_guest_paging"][::std::mem::size_of::<vm_guest_paging>() - 24usize];
    ["Alignment of vm_guest_paging"][::std::mem::align_of::<vm_guest_paging>() - 8usize];
    ["Offset of field: vm_guest_paging::cr3"]
        [::std::mem::offset_of!(vm_guest_paging, cr3) - 0usize];
    ["Offset of field: vm_guest_paging::cpl"]
        [::std::mem::offset_of!(vm_guest_paging, cpl) - 8usize];
    ["Offset of field: vm_guest_paging::cpu_mode"]
        [::std::mem::offset_of!(vm_guest_paging, cpu_mode) - 12usize];
    ["Offset of field: vm_guest_paging::paging_mode"]
        [::std::mem::offset_of!(vm_guest_paging, paging_mode) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vie_op {
    pub op_byte: u8,
    pub op_type: u8,
    pub op_flags: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vie_op"][::std::mem::size_of::<vie_op>() - 4usize];
    ["Alignment of vie_op"][::std::mem::align_of::<vie_op>() - 2usize];
    ["Offset of field: vie_op::op_byte"][::std::mem::offset_of!(vie_op, op_byte) - 0usize];
    ["Offset of field: vie_op::op_type"][::std::mem::offset_of!(vie_op, op_type) - 1usize];
    ["Offset of field: vie_op::op_flags"][::std::mem::offset_of!(vie_op, op_flags) - 2usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vie {
    pub inst: [u8; 15usize],
    pub num_valid: u8,
    pub num_processed: u8,
    pub _bitfield_align_1: [u8; 0],
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 5usize]>,
    pub disp_bytes: u8,
    pub imm_bytes: u8,
    pub scale: u8,
    pub _bitfield_align_2: [u8; 0],
    pub _bitfield_2: __BindgenBitfieldUnit<[u8; 1usize]>,
    pub _sparebytes: [u8; 2usize],
    pub base_register: ::std::os::raw::c_int,
    pub index_register: ::std::os::raw::c_int,
    pub segment_register: ::std::os::raw::c_int,
    pub displacement: i64,
    pub immediate: i64,
    pub decoded: u8,
    pub _sparebyte: u8,
    pub op: vie_op,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vie"][::std::mem::size_of::<vie>() - 64usize];
    ["Alignment of vie"][::std::mem::align_of::<vie>() - 8usize];
    ["Offset of field: vie::inst"][::std::mem::offset_of!(vie, inst) - 0usize];
    ["Offset of field: vie::num_valid"][::std::mem::offset_of!(vie, num_valid) - 15usize];
    ["Offset of field: vie::num_processed"][::std::mem::offset_of!(vie, num_processed) - 16usize];
    ["Offset of field: vie::disp_bytes"][::std::mem::offset_of!(vie, disp_bytes) - 22usize];
    ["Offset of field: vie::imm_bytes"][::std::mem::offset_of!(vie, imm_bytes) - 23usize];
    ["Offset of field: vie::scale"][::std::mem::offset_of!(vie, scale) - 24usize];
    ["Offset of field: vie::_sparebytes"][::std::mem::offset_of!(vie, _sparebytes) - 26usize];
    ["Offset of field: vie::base_register"][::std::mem::offset_of!(vie, base_register) - 28usize];
    ["Offset of field: vie::index_register"][::std::mem::offset_of!(vie, index_register) - 32usize];
    ["Offset of field: vie::segment_register"]
        [::std::mem::offset_of!(vie, segment_register) - 36usize];
    ["Offset of field: vie::displacement"][::std::mem::offset_of!(vie, displacement) - 40usize];
    ["Offset of field: vie::immediate"][::std::mem::offset_of!(vie, immediate) - 48usize];
    ["Offset of field: vie::decoded"][::std::mem::offset_of!(vie, decoded) - 56usize];
    ["Offset of field: vie::_sparebyte"][::std::mem::offset_of!(vie, _sparebyte) - 57usize];
    ["Offset of field: vie::op"][::std::mem::offset_of!(vie, op) - 58usize];
};
impl vie {
    #[inline]
    pub fn addrsize(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(0usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_addrsize(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(0usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn addrsize_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                0usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_addrsize_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                0usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn opsize(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(4usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_opsize(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(4usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn opsize_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                4usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_opsize_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                4usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rex_w(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(8usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_rex_w(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(8usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rex_w_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                8usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rex_w_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                8usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rex_r(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(9usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_rex_r(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(9usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rex_r_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                9usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rex_r_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                9usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rex_x(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(10usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_rex_x(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(10usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rex_x_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                10usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rex_x_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                10usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rex_b(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(11usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_rex_b(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(11usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rex_b_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                11usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rex_b_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                11usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rex_present(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(12usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_rex_present(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(12usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rex_present_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                12usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rex_present_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                12usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn repz_present(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(13usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_repz_present(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(13usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn repz_present_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                13usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_repz_present_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                13usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn repnz_present(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(14usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_repnz_present(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(14usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn repnz_present_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                14usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_repnz_present_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                14usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn opsize_override(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(15usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_opsize_override(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(15usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn opsize_override_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                15usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_opsize_override_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                15usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn addrsize_override(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(16usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_addrsize_override(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(16usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn addrsize_override_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                16usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_addrsize_override_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                16usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn segment_override(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(17usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_segment_override(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(17usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn segment_override_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                17usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_segment_override_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                17usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn mod_(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(18usize, 2u8) as u8) }
    }
    #[inline]
    pub fn set_mod(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(18usize, 2u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn mod__raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                18usize,
                2u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_mod_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                18usize,
                2u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn reg(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(20usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_reg(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(20usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn reg_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                20usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_reg_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                20usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rm(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(24usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_rm(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(24usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rm_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                24usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_rm_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                24usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn ss(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(28usize, 2u8) as u8) }
    }
    #[inline]
    pub fn set_ss(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(28usize, 2u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn ss_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                28usize,
                2u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_ss_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                28usize,
                2u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn vex_present(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(30usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_vex_present(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(30usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn vex_present_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                30usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_vex_present_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                30usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn vex_l(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(31usize, 1u8) as u8) }
    }
    #[inline]
    pub fn set_vex_l(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(31usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn vex_l_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                31usize,
                1u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_vex_l_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                31usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn index(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(32usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_index(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(32usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn index_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                32usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_index_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                32usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn base(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(36usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_base(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_1.set(36usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn base_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 5usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                36usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_base_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 5usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                36usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn new_bitfield_1(
        addrsize: u8,
        opsize: u8,
        rex_w: u8,
        rex_r: u8,
        rex_x: u8,
        rex_b: u8,
        rex_present: u8,
        repz_present: u8,
        repnz_present: u8,
        opsize_override: u8,
        addrsize_override: u8,
        segment_override: u8,
        mod_: u8,
        reg: u8,
        rm: u8,
        ss: u8,
        vex_present: u8,
        vex_l: u8,
        index: u8,
        base: u8,
    ) -> __BindgenBitfieldUnit<[u8; 5usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 5usize]> = Default::default();
        __bindgen_bitfield_unit.set(0usize, 4u8, {
            let addrsize: u8 = unsafe { ::std::mem::transmute(addrsize) };
            addrsize as u64
        });
        __bindgen_bitfield_unit.set(4usize, 4u8, {
            let opsize: u8 = unsafe { ::std::mem::transmute(opsize) };
            opsize as u64
        });
        __bindgen_bitfield_unit.set(8usize, 1u8, {
            let rex_w: u8 = unsafe { ::std::mem::transmute(rex_w) };
            rex_w as u64
        });
        __bindgen_bitfield_unit.set(9usize, 1u8, {
            let rex_r: u8 = unsafe { ::std::mem::transmute(rex_r) };
            rex_r as u64
        });
        __bindgen_bitfield_unit.set(10usize, 1u8, {
            let rex_x: u8 = unsafe { ::std::mem::transmute(rex_x) };
            rex_x as u64
        });
        __bindgen_bitfield_unit.set(11usize, 1u8, {
            let rex_b: u8 = unsafe { ::std::mem::transmute(rex_b) };
            rex_b as u64
        });
        __bindgen_bitfield_unit.set(12usize, 1u8, {
            let rex_present: u8 = unsafe { ::std::mem::transmute(rex_present) };
            rex_present as u64
        });
        __bindgen_bitfield_unit.set(13usize, 1u8, {
            let repz_present: u8 = unsafe { ::std::mem::transmute(repz_present) };
            repz_present as u64
        });
        __bindgen_bitfield_unit.set(14usize, 1u8, {
            let repnz_present: u8 = unsafe { ::std::mem::transmute(repnz_present) };
            repnz_present as u64
        });
        __bindgen_bitfield_unit.set(15usize, 1u8, {
            let opsize_override: u8 = unsafe { ::std::mem::transmute(opsize_override) };
            opsize_override as u64
        });
        __bindgen_bitfield_unit.set(16usize, 1u8, {
            let addrsize_override: u8 = unsafe { ::std::mem::transmute(addrsize_override) };
            addrsize_override as u64
        });
        __bindgen_bitfield_unit.set(17usize, 1u8, {
            let segment_override: u8 = unsafe { ::std::mem::transmute(segment_override) };
            segment_override as u64
        });
        __bindgen_bitfield_unit.set(18usize, 2u8, {
            let mod_: u8 = unsafe { ::std::mem::transmute(mod_) };
            mod_ as u64
        });
        __bindgen_bitfield_unit.set(20usize, 4u8, {
            let reg: u8 = unsafe { ::std::mem::transmute(reg) };
            reg as u64
        });
        __bindgen_bitfield_unit.set(24usize, 4u8, {
            let rm: u8 = unsafe { ::std::mem::transmute(rm) };
            rm as u64
        });
        __bindgen_bitfield_unit.set(28usize, 2u8, {
            let ss: u8 = unsafe { ::std::mem::transmute(ss) };
            ss as u64
        });
        __bindgen_bitfield_unit.set(30usize, 1u8, {
            let vex_present: u8 = unsafe { ::std::mem::transmute(vex_present) };
            vex_present as u64
        });
        __bindgen_bitfield_unit.set(31usize, 1u8, {
            let vex_l: u8 = unsafe { ::std::mem::transmute(vex_l) };
            vex_l as u64
        });
        __bindgen_bitfield_unit.set(32usize, 4u8, {
            let index: u8 = unsafe { ::std::mem::transmute(index) };
            index as u64
        });
        __bindgen_bitfield_unit.set(36usize, 4u8, {
            let base: u8 = unsafe { ::std::mem::transmute(base) };
            base as u64
        });
        __bindgen_bitfield_unit
    }
    #[inline]
    pub fn vex_reg(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_2.get(0usize, 4u8) as u8) }
    }
    #[inline]
    pub fn set_vex_reg(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_2.set(0usize, 4u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn vex_reg_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_2),
                0usize,
                4u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_vex_reg_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_2),
                0usize,
                4u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn vex_pp(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_2.get(4usize, 2u8) as u8) }
    }
    #[inline]
    pub fn set_vex_pp(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_2.set(4usize, 2u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn vex_pp_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_2),
                4usize,
                2u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set_vex_pp_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_2),
                4usize,
                2u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn _sparebits(&self) -> u8 {
        unsafe { ::std::mem::transmute(self._bitfield_2.get(6usize, 2u8) as u8) }
    }
    #[inline]
    pub fn set__sparebits(&mut self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            self._bitfield_2.set(6usize, 2u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn _sparebits_raw(this: *const Self) -> u8 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_2),
                6usize,
                2u8,
            ) as u8)
        }
    }
    #[inline]
    pub unsafe fn set__sparebits_raw(this: *mut Self, val: u8) {
        unsafe {
            let val: u8 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_2),
                6usize,
                2u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn new_bitfield_2(
        vex_reg: u8,
        vex_pp: u8,
        _sparebits: u8,
    ) -> __BindgenBitfieldUnit<[u8; 1usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 1usize]> = Default::default();
        __bindgen_bitfield_unit.set(0usize, 4u8, {
            let vex_reg: u8 = unsafe { ::std::mem::transmute(vex_reg) };
            vex_reg as u64
        });
        __bindgen_bitfield_unit.set(4usize, 2u8, {
            let vex_pp: u8 = unsafe { ::std::mem::transmute(vex_pp) };
            vex_pp as u64
        });
        __bindgen_bitfield_unit.set(6usize, 2u8, {
            let _sparebits: u8 = unsafe { ::std::mem::transmute(_sparebits) };
            _sparebits as u64
        });
        __bindgen_bitfield_unit
    }
}
pub const vm_exitcode_VM_EXITCODE_INOUT: vm_exitcode = 0;
pub const vm_exitcode_VM_EXITCODE_VMX: vm_exitcode = 1;
pub const vm_exitcode_VM_EXITCODE_BOGUS: vm_exitcode = 2;
pub const vm_exitcode_VM_EXITCODE_RDMSR: vm_exitcode = 3;
pub const vm_exitcode_VM_EXITCODE_WRMSR: vm_exitcode = 4;
pub const vm_exitcode_VM_EXITCODE_HLT: vm_exitcode = 5;
pub const vm_exitcode_VM_EXITCODE_MTRAP: vm_exitcode = 6;
pub const vm_exitcode_VM_EXITCODE_PAUSE: vm_exitcode = 7;
pub const vm_exitcode_VM_EXITCODE_PAGING: vm_exitcode = 8;
pub const vm_exitcode_VM_EXITCODE_INST_EMUL: vm_exitcode = 9;
pub const vm_exitcode_VM_EXITCODE_SPINUP_AP: vm_exitcode = 10;
pub const vm_exitcode_VM_EXITCODE_DEPRECATED1: vm_exitcode = 11;
pub const vm_exitcode_VM_EXITCODE_RENDEZVOUS: vm_exitcode = 12;
pub const vm_exitcode_VM_EXITCODE_IOAPIC_EOI: vm_exitcode = 13;
pub const vm_exitcode_VM_EXITCODE_SUSPENDED: vm_exitcode = 14;
pub const vm_exitcode_VM_EXITCODE_INOUT_STR: vm_exitcode = 15;
pub const vm_exitcode_VM_EXITCODE_TASK_SWITCH: vm_exitcode = 16;
pub const vm_exitcode_VM_EXITCODE_MONITOR: vm_exitcode = 17;
pub const vm_exitcode_VM_EXITCODE_MWAIT: vm_exitcode = 18;
pub const vm_exitcode_VM_EXITCODE_SVM: vm_exitcode = 19;
pub const vm_exitcode_VM_EXITCODE_REQIDLE: vm_exitcode = 20;
pub const vm_exitcode_VM_EXITCODE_DEBUG: vm_exitcode = 21;
pub const vm_exitcode_VM_EXITCODE_VMINSN: vm_exitcode = 22;
pub const vm_exitcode_VM_EXITCODE_BPT: vm_exitcode = 23;
pub const vm_exitcode_VM_EXITCODE_IPI: vm_exitcode = 24;
pub const vm_exitcode_VM_EXITCODE_DB: vm_exitcode = 25;
pub const vm_exitcode_VM_EXITCODE_MAX: vm_exitcode = 26;
pub type vm_exitcode = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_inout {
    pub _bitfield_align_1: [u8; 0],
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 1usize]>,
    pub port: u16,
    pub eax: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_inout"][::std::mem::size_of::<vm_inout>() - 8usize];
    ["Alignment of vm_inout"][::std::mem::align_of::<vm_inout>() - 4usize];
    ["Offset of field: vm_inout::port"][::std::mem::offset_of!(vm_inout, port) - 2usize];
    ["Offset of field: vm_inout::eax"][::std::mem::offset_of!(vm_inout, eax) - 4usize];
};
impl vm_inout {
    #[inline]
    pub fn bytes(&self) -> u16 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(0usize, 3u8) as u16) }
    }
    #[inline]
    pub fn set_bytes(&mut self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            self._bitfield_1.set(0usize, 3u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn bytes_raw(this: *const Self) -> u16 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                0usize,
                3u8,
            ) as u16)
        }
    }
    #[inline]
    pub unsafe fn set_bytes_raw(this: *mut Self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                0usize,
                3u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn in_(&self) -> u16 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(3usize, 1u8) as u16) }
    }
    #[inline]
    pub fn set_in(&mut self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            self._bitfield_1.set(3usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn in__raw(this: *const Self) -> u16 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                3usize,
                1u8,
            ) as u16)
        }
    }
    #[inline]
    pub unsafe fn set_in_raw(this: *mut Self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                3usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn string(&self) -> u16 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(4usize, 1u8) as u16) }
    }
    #[inline]
    pub fn set_string(&mut self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            self._bitfield_1.set(4usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn string_raw(this: *const Self) -> u16 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                4usize,
                1u8,
            ) as u16)
        }
    }
    #[inline]
    pub unsafe fn set_string_raw(this: *mut Self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                4usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn rep(&self) -> u16 {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(5usize, 1u8) as u16) }
    }
    #[inline]
    pub fn set_rep(&mut self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            self._bitfield_1.set(5usize, 1u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn rep_raw(this: *const Self) -> u16 {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                5usize,
                1u8,
            ) as u16)
        }
    }
    #[inline]
    pub unsafe fn set_rep_raw(this: *mut Self, val: u16) {
        unsafe {
            let val: u16 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                5usize,
                1u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn new_bitfield_1(
        bytes: u16,
        in_: u16,
        string: u16,
        rep: u16,
    ) -> __BindgenBitfieldUnit<[u8; 1usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 1usize]> = Default::default();
        __bindgen_bitfield_unit.set(0usize, 3u8, {
            let bytes: u16 = unsafe { ::std::mem::transmute(bytes) };
            bytes as u64
        });
        __bindgen_bitfield_unit.set(3usize, 1u8, {
            let in_: u16 = unsafe { ::std::mem::transmute(in_) };
            in_ as u64
        });
        __bindgen_bitfield_unit.set(4usize, 1u8, {
            let string: u16 = unsafe { ::std::mem::transmute(string) };
            string as u64
        });
        __bindgen_bitfield_unit.set(5usize, 1u8, {
            let rep: u16 = unsafe { ::std::mem::transmute(rep) };
            rep as u64
        });
        __bindgen_bitfield_unit
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_inout_str {
    pub inout: vm_inout,
    pub paging: vm_guest_paging,
    pub rflags: u64,
    pub cr0: u64,
    pub index: u64,
    pub count: u64,
    pub addrsize: ::std::os::raw::c_int,
    pub seg_name: vm_reg_name,
    pub seg_desc: seg_desc,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_inout_str"][::std::mem::size_of::<vm_inout_str>() - 88usize];
    ["Alignment of vm_inout_str"][::std::mem::align_of::<vm_inout_str>() - 8usize];
    ["Offset of field: vm_inout_str::inout"][::std::mem::offset_of!(vm_inout_str, inout) - 0usize];
    ["Offset of field: vm_inout_str::paging"]
        [::std::mem::offset_of!(vm_inout_str, paging) - 8usize];
    ["Offset of field: vm_inout_str::rflags"]
        [::std::mem::offset_of!(vm_inout_str, rflags) - 32usize];
    ["Offset of field: vm_inout_str::cr0"][::std::mem::offset_of!(vm_inout_str, cr0) - 40usize];
    ["Offset of field: vm_inout_str::index"][::std::mem::offset_of!(vm_inout_str, index) - 48usize];
    ["Offset of field: vm_inout_str::count"][::std::mem::offset_of!(vm_inout_str, count) - 56usize];
    ["Offset of field: vm_inout_str::addrsize"]
        [::std::mem::offset_of!(vm_inout_str, addrsize) - 64usize];
    ["Offset of field: vm_inout_str::seg_name"]
        [::std::mem::offset_of!(vm_inout_str, seg_name) - 68usize];
    ["Offset of field: vm_inout_str::seg_desc"]
        [::std::mem::offset_of!(vm_inout_str, seg_desc) - 72usize];
};
pub const task_switch_reason_TSR_CALL: task_switch_reason = 0;
pub const task_switch_reason_TSR_IRET: task_switch_reason = 1;
pub const task_switch_reason_TSR_JMP: task_switch_reason = 2;
pub const task_switch_reason_TSR_IDT_GATE: task_switch_reason = 3;
pub type task_switch_reason = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_task_switch {
    pub tsssel: u16,
    pub ext: ::std::os::raw::c_int,
    pub errcode: u32,
    pub errcode_valid: ::std::os::raw::c_int,
    pub reason: task_switch_reason,
    pub paging: vm_guest_paging,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_task_switch"][::std::mem::size_of::<vm_task_switch>() - 48usize];
    ["Alignment of vm_task_switch"][::std::mem::align_of::<vm_task_switch>() - 8usize];
    ["Offset of field: vm_task_switch::tsssel"]
        [::std::mem::offset_of!(vm_task_switch, tsssel) - 0usize];
    ["Offset of field: vm_task_switch::ext"][::std::mem::offset_of!(vm_task_switch, ext) - 4usize];
    ["Offset of field: vm_task_switch::errcode"]
        [::std::mem::offset_of!(vm_task_switch, errcode) - 8usize];
    ["Offset of field: vm_task_switch::errcode_valid"]
        [::std::mem::offset_of!(vm_task_switch, errcode_valid) - 12usize];
    ["Offset of field: vm_task_switch::reason"]
        [::std::mem::offset_of!(vm_task_switch, reason) - 16usize];
    ["Offset of field: vm_task_switch::paging"]
        [::std::mem::offset_of!(vm_task_switch, paging) - 24usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct vm_exit {
    pub exitcode: vm_exitcode,
    pub inst_length: ::std::os::raw::c_int,
    pub rip: u64,
    pub u: vm_exit__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union vm_exit__bindgen_ty_1 {
    pub inout: vm_inout,
    pub inout_str: vm_inout_str,
    pub paging: vm_exit__bindgen_ty_1__bindgen_ty_1,
    pub inst_emul: vm_exit__bindgen_ty_1__bindgen_ty_2,
    pub vmx: vm_exit__bindgen_ty_1__bindgen_ty_3,
    pub svm: vm_exit__bindgen_ty_1__bindgen_ty_4,
    pub bpt: vm_exit__bindgen_ty_1__bindgen_ty_5,
    pub dbg: vm_exit__bindgen_ty_1__bindgen_ty_6,
    pub msr: vm_exit__bindgen_ty_1__bindgen_ty_7,
    pub spinup_ap: vm_exit__bindgen_ty_1__bindgen_ty_8,
    pub hlt: vm_exit__bindgen_ty_1__bindgen_ty_9,
    pub ioapic_eoi: vm_exit__bindgen_ty_1__bindgen_ty_10,
    pub suspended: vm_exit__bindgen_ty_1__bindgen_ty_11,
    pub ipi: vm_exit__bindgen_ty_1__bindgen_ty_12,
    pub task_switch: vm_task_switch,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_1 {
    pub gpa: u64,
    pub fault_type: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_1"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_1>() - 16usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_1"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_1>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_1::gpa"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_1, gpa) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_1::fault_type"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_1, fault_type) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_2 {
    pub gpa: u64,
    pub gla: u64,
    pub cs_base: u64,
    pub cs_d: ::std::os::raw::c_int,
    pub paging: vm_guest_paging,
    pub vie: vie,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_2"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_2>() - 120usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_2"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_2>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::gpa"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, gpa) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::gla"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, gla) - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::cs_base"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, cs_base) - 16usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::cs_d"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, cs_d) - 24usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::paging"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, paging) - 32usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_2::vie"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_2, vie) - 56usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_3 {
    pub status: ::std::os::raw::c_int,
    pub exit_reason: u32,
    pub exit_qualification: u64,
    pub inst_type: ::std::os::raw::c_int,
    pub inst_error: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_3"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_3>() - 24usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_3"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_3>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_3::status"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_3, status) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_3::exit_reason"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_3, exit_reason) - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_3::exit_qualification"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_3, exit_qualification) - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_3::inst_type"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_3, inst_type) - 16usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_3::inst_error"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_3, inst_error) - 20usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_4 {
    pub exitcode: u64,
    pub exitinfo1: u64,
    pub exitinfo2: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_4"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_4>() - 24usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_4"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_4>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_4::exitcode"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_4, exitcode) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_4::exitinfo1"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_4, exitinfo1) - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_4::exitinfo2"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_4, exitinfo2) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_5 {
    pub inst_length: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_5"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_5>() - 4usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_5"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_5>() - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_5::inst_length"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_5, inst_length) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_6 {
    pub trace_trap: ::std::os::raw::c_int,
    pub pushf_intercept: ::std::os::raw::c_int,
    pub tf_shadow_val: ::std::os::raw::c_int,
    pub paging: vm_guest_paging,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_6"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_6>() - 40usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_6"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_6>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_6::trace_trap"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_6, trace_trap) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_6::pushf_intercept"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_6, pushf_intercept) - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_6::tf_shadow_val"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_6, tf_shadow_val) - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_6::paging"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_6, paging) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_7 {
    pub code: u32,
    pub wval: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_7"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_7>() - 16usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_7"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_7>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_7::code"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_7, code) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_7::wval"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_7, wval) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_8 {
    pub vcpu: ::std::os::raw::c_int,
    pub rip: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_8"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_8>() - 16usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_8"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_8>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_8::vcpu"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_8, vcpu) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_8::rip"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_8, rip) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_9 {
    pub rflags: u64,
    pub intr_status: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_9"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_9>() - 16usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_9"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_9>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_9::rflags"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_9, rflags) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_9::intr_status"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_9, intr_status) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_10 {
    pub vector: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_10"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_10>() - 4usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_10"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_10>() - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_10::vector"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_10, vector) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_11 {
    pub how: vm_suspend_how,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_11"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_11>() - 4usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_11"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_11>() - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_11::how"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_11, how) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exit__bindgen_ty_1__bindgen_ty_12 {
    pub mode: u32,
    pub vector: u8,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1__bindgen_ty_12"]
        [::std::mem::size_of::<vm_exit__bindgen_ty_1__bindgen_ty_12>() - 8usize];
    ["Alignment of vm_exit__bindgen_ty_1__bindgen_ty_12"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1__bindgen_ty_12>() - 4usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_12::mode"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_12, mode) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1__bindgen_ty_12::vector"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1__bindgen_ty_12, vector) - 4usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit__bindgen_ty_1"][::std::mem::size_of::<vm_exit__bindgen_ty_1>() - 120usize];
    ["Alignment of vm_exit__bindgen_ty_1"]
        [::std::mem::align_of::<vm_exit__bindgen_ty_1>() - 8usize];
    ["Offset of field: vm_exit__bindgen_ty_1::inout"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, inout) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::inout_str"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, inout_str) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::paging"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, paging) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::inst_emul"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, inst_emul) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::vmx"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, vmx) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::svm"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, svm) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::bpt"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, bpt) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::dbg"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, dbg) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::msr"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, msr) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::spinup_ap"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, spinup_ap) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::hlt"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, hlt) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::ioapic_eoi"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, ioapic_eoi) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::suspended"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, suspended) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::ipi"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, ipi) - 0usize];
    ["Offset of field: vm_exit__bindgen_ty_1::task_switch"]
        [::std::mem::offset_of!(vm_exit__bindgen_ty_1, task_switch) - 0usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exit"][::std::mem::size_of::<vm_exit>() - 136usize];
    ["Alignment of vm_exit"][::std::mem::align_of::<vm_exit>() - 8usize];
    ["Offset of field: vm_exit::exitcode"][::std::mem::offset_of!(vm_exit, exitcode) - 0usize];
    ["Offset of field: vm_exit::inst_length"]
        [::std::mem::offset_of!(vm_exit, inst_length) - 4usize];
    ["Offset of field: vm_exit::rip"][::std::mem::offset_of!(vm_exit, rip) - 8usize];
    ["Offset of field: vm_exit::u"][::std::mem::offset_of!(vm_exit, u) - 16usize];
};
unsafe extern "C" {
    pub fn vm_inject_fault(
        vcpu: *mut vcpu,
        vector: ::std::os::raw::c_int,
        errcode_valid: ::std::os::raw::c_int,
        errcode: ::std::os::raw::c_int,
    );
}
unsafe extern "C" {
    pub fn vm_inject_pf(vcpu: *mut vcpu, error_code: ::std::os::raw::c_int, cr2: u64);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_memmap {
    pub gpa: vm_paddr_t,
    pub segid: ::std::os::raw::c_int,
    pub segoff: vm_ooffset_t,
    pub len: usize,
    pub prot: ::std::os::raw::c_int,
    pub flags: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_memmap"][::std::mem::size_of::<vm_memmap>() - 40usize];
    ["Alignment of vm_memmap"][::std::mem::align_of::<vm_memmap>() - 8usize];
    ["Offset of field: vm_memmap::gpa"][::std::mem::offset_of!(vm_memmap, gpa) - 0usize];
    ["Offset of field: vm_memmap::segid"][::std::mem::offset_of!(vm_memmap, segid) - 8usize];
    ["Offset of field: vm_memmap::segoff"][::std::mem::offset_of!(vm_memmap, segoff) - 16usize];
    ["Offset of field: vm_memmap::len"][::std::mem::offset_of!(vm_memmap, len) - 24usize];
    ["Offset of field: vm_memmap::prot"][::std::mem::offset_of!(vm_memmap, prot) - 32usize];
    ["Offset of field: vm_memmap::flags"][::std::mem::offset_of!(vm_memmap, flags) - 36usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_munmap {
    pub gpa: vm_paddr_t,
    pub len: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_munmap"][::std::mem::size_of::<vm_munmap>() - 16usize];
    ["Alignment of vm_munmap"][::std::mem::align_of::<vm_munmap>() - 8usize];
    ["Offset of field: vm_munmap::gpa"][::std::mem::offset_of!(vm_munmap, gpa) - 0usize];
    ["Offset of field: vm_munmap::len"][::std::mem::offset_of!(vm_munmap, len) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_memseg {
    pub segid: ::std::os::raw::c_int,
    pub len: usize,
    pub name: [::std::os::raw::c_char; 16usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_memseg"][::std::mem::size_of::<vm_memseg>() - 32usize];
    ["Alignment of vm_memseg"][::std::mem::align_of::<vm_memseg>() - 8usize];
    ["Offset of field: vm_memseg::segid"][::std::mem::offset_of!(vm_memseg, segid) - 0usize];
    ["Offset of field: vm_memseg::len"][::std::mem::offset_of!(vm_memseg, len) - 8usize];
    ["Offset of field: vm_memseg::name"][::std::mem::offset_of!(vm_memseg, name) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_memseg_fbsd12 {
    pub segid: ::std::os::raw::c_int,
    pub len: usize,
    pub name: [::std::os::raw::c_char; 64usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_memseg_fbsd12"][::std::mem::size_of::<vm_memseg_fbsd12>() - 80usize];
    ["Alignment of vm_memseg_fbsd12"][::std::mem::align_of::<vm_memseg_fbsd12>() - 8usize];
    ["Offset of field: vm_memseg_fbsd12::segid"]
        [::std::mem::offset_of!(vm_memseg_fbsd12, segid) - 0usize];
    ["Offset of field: vm_memseg_fbsd12::len"]
        [::std::mem::offset_of!(vm_memseg_fbsd12, len) - 8usize];
    ["Offset of field: vm_memseg_fbsd12::name"]
        [::std::mem::offset_of!(vm_memseg_fbsd12, name) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_register {
    pub cpuid: ::std::os::raw::c_int,
    pub regnum: ::std::os::raw::c_int,
    pub regval: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_register"][::std::mem::size_of::<vm_register>() - 16usize];
    ["Alignment of vm_register"][::std::mem::align_of::<vm_register>() - 8usize];
    ["Offset of field: vm_register::cpuid"][::std::mem::offset_of!(vm_register, cpuid) - 0usize];
    ["Offset of field: vm_register::regnum"][::std::mem::offset_of!(vm_register, regnum) - 4usize];
    ["Offset of field: vm_register::regval"][::std::mem::offset_of!(vm_register, regval) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_seg_desc {
    pub cpuid: ::std::os::raw::c_int,
    pub regnum: ::std::os::raw::c_int,
    pub desc: seg_desc,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_seg_desc"][::std::mem::size_of::<vm_seg_desc>() - 24usize];
    ["Alignment of vm_seg_desc"][::std::mem::align_of::<vm_seg_desc>() - 8usize];
    ["Offset of field: vm_seg_desc::cpuid"][::std::mem::offset_of!(vm_seg_desc, cpuid) - 0usize];
    ["Offset of field: vm_seg_desc::regnum"][::std::mem::offset_of!(vm_seg_desc, regnum) - 4usize];
    ["Offset of field: vm_seg_desc::desc"][::std::mem::offset_of!(vm_seg_desc, desc) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_register_set {
    pub cpuid: ::std::os::raw::c_int,
    pub count: ::std::os::raw::c_uint,
    pub regnums: *const ::std::os::raw::c_int,
    pub regvals: *mut u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_register_set"][::std::mem::size_of::<vm_register_set>() - 24usize];
    ["Alignment of vm_register_set"][::std::mem::align_of::<vm_register_set>() - 8usize];
    ["Offset of field: vm_register_set::cpuid"]
        [::std::mem::offset_of!(vm_register_set, cpuid) - 0usize];
    ["Offset of field: vm_register_set::count"]
        [::std::mem::offset_of!(vm_register_set, count) - 4usize];
    ["Offset of field: vm_register_set::regnums"]
        [::std::mem::offset_of!(vm_register_set, regnums) - 8usize];
    ["Offset of field: vm_register_set::regvals"]
        [::std::mem::offset_of!(vm_register_set, regvals) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_run {
    pub cpuid: ::std::os::raw::c_int,
    pub cpuset: *mut cpuset_t,
    pub cpusetsize: usize,
    pub vm_exit: *mut vm_exit,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_run"][::std::mem::size_of::<vm_run>() - 32usize];
    ["Alignment of vm_run"][::std::mem::align_of::<vm_run>() - 8usize];
    ["Offset of field: vm_run::cpuid"][::std::mem::offset_of!(vm_run, cpuid) - 0usize];
    ["Offset of field: vm_run::cpuset"][::std::mem::offset_of!(vm_run, cpuset) - 8usize];
    ["Offset of field: vm_run::cpusetsize"][::std::mem::offset_of!(vm_run, cpusetsize) - 16usize];
    ["Offset of field: vm_run::vm_exit"][::std::mem::offset_of!(vm_run, vm_exit) - 24usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_exception {
    pub cpuid: ::std::os::raw::c_int,
    pub vector: ::std::os::raw::c_int,
    pub error_code: u32,
    pub error_code_valid: ::std::os::raw::c_int,
    pub restart_instruction: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_exception"][::std::mem::size_of::<vm_exception>() - 20usize];
    ["Alignment of vm_exception"][::std::mem::align_of::<vm_exception>() - 4usize];
    ["Offset of field: vm_exception::cpuid"][::std::mem::offset_of!(vm_exception, cpuid) - 0usize];
    ["Offset of field: vm_exception::vector"]
        [::std::mem::offset_of!(vm_exception, vector) - 4usize];
    ["Offset of field: vm_exception::error_code"]
        [::std::mem::offset_of!(vm_exception, error_code) - 8usize];
    ["Offset of field: vm_exception::error_code_valid"]
        [::std::mem::offset_of!(vm_exception, error_code_valid) - 12usize];
    ["Offset of field: vm_exception::restart_instruction"]
        [::std::mem::offset_of!(vm_exception, restart_instruction) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_lapic_msi {
    pub msg: u64,
    pub addr: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_lapic_msi"][::std::mem::size_of::<vm_lapic_msi>() - 16usize];
    ["Alignment of vm_lapic_msi"][::std::mem::align_of::<vm_lapic_msi>() - 8usize];
    ["Offset of field: vm_lapic_msi::msg"][::std::mem::offset_of!(vm_lapic_msi, msg) - 0usize];
    ["Offset of field: vm_lapic_msi::addr"][::std::mem::offset_of!(vm_lapic_msi, addr) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_lapic_irq {
    pub cpuid: ::std::os::raw::c_int,
    pub vector: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_lapic_irq"][::std::mem::size_of::<vm_lapic_irq>() - 8usize];
    ["Alignment of vm_lapic_irq"][::std::mem::align_of::<vm_lapic_irq>() - 4usize];
    ["Offset of field: vm_lapic_irq::cpuid"][::std::mem::offset_of!(vm_lapic_irq, cpuid) - 0usize];
    ["Offset of field: vm_lapic_irq::vector"]
        [::std::mem::offset_of!(vm_lapic_irq, vector) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_ioapic_irq {
    pub irq: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_ioapic_irq"][::std::mem::size_of::<vm_ioapic_irq>() - 4usize];
    ["Alignment of vm_ioapic_irq"][::std::mem::align_of::<vm_ioapic_irq>() - 4usize];
    ["Offset of field: vm_ioapic_irq::irq"][::std::mem::offset_of!(vm_ioapic_irq, irq) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_isa_irq {
    pub atpic_irq: ::std::os::raw::c_int,
    pub ioapic_irq: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_isa_irq"][::std::mem::size_of::<vm_isa_irq>() - 8usize];
    ["Alignment of vm_isa_irq"][::std::mem::align_of::<vm_isa_irq>() - 4usize];
    ["Offset of field: vm_isa_irq::atpic_irq"]
        [::std::mem::offset_of!(vm_isa_irq, atpic_irq) - 0usize];
    ["Offset of field: vm_isa_irq::ioapic_irq"]
        [::std::mem::offset_of!(vm_isa_irq, ioapic_irq) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_isa_irq_trigger {
    pub atpic_irq: ::std::os::raw::c_int,
    pub trigger: vm_intr_trigger,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_isa_irq_trigger"][::std::mem::size_of::<vm_isa_irq_trigger>() - 8usize];
    ["Alignment of vm_isa_irq_trigger"][::std::mem::align_of::<vm_isa_irq_trigger>() - 4usize];
    ["Offset of field: vm_isa_irq_trigger::atpic_irq"]
        [::std::mem::offset_of!(vm_isa_irq_trigger, atpic_irq) - 0usize];
    ["Offset of field: vm_isa_irq_trigger::trigger"]
        [::std::mem::offset_of!(vm_isa_irq_trigger, trigger) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_capability {
    pub cpuid: ::std::os::raw::c_int,
    pub captype: vm_cap_type,
    pub capval: ::std::os::raw::c_int,
    pub allcpus: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_capability"][::std::mem::size_of::<vm_capability>() - 16usize];
    ["Alignment of vm_capability"][::std::mem::align_of::<vm_capability>() - 4usize];
    ["Offset of field: vm_capability::cpuid"]
        [::std::mem::offset_of!(vm_capability, cpuid) - 0usize];
    ["Offset of field: vm_capability::captype"]
        [::std::mem::offset_of!(vm_capability, captype) - 4usize];
    ["Offset of field: vm_capability::capval"]
        [::std::mem::offset_of!(vm_capability, capval) - 8usize];
    ["Offset of field: vm_capability::allcpus"]
        [::std::mem::offset_of!(vm_capability, allcpus) - 12usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_pptdev {
    pub bus: ::std::os::raw::c_int,
    pub slot: ::std::os::raw::c_int,
    pub func: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_pptdev"][::std::mem::size_of::<vm_pptdev>() - 12usize];
    ["Alignment of vm_pptdev"][::std::mem::align_of::<vm_pptdev>() - 4usize];
    ["Offset of field: vm_pptdev::bus"][::std::mem::offset_of!(vm_pptdev, bus) - 0usize];
    ["Offset of field: vm_pptdev::slot"][::std::mem::offset_of!(vm_pptdev, slot) - 4usize];
    ["Offset of field: vm_pptdev::func"][::std::mem::offset_of!(vm_pptdev, func) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_pptdev_mmio {
    pub bus: ::std::os::raw::c_int,
    pub slot: ::std::os::raw::c_int,
    pub func: ::std::os::raw::c_int,
    pub gpa: vm_paddr_t,
    pub hpa: vm_paddr_t,
    pub len: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_pptdev_mmio"][::std::mem::size_of::<vm_pptdev_mmio>() - 40usize];
    ["Alignment of vm_pptdev_mmio"][::std::mem::align_of::<vm_pptdev_mmio>() - 8usize];
    ["Offset of field: vm_pptdev_mmio::bus"][::std::mem::offset_of!(vm_pptdev_mmio, bus) - 0usize];
    ["Offset of field: vm_pptdev_mmio::slot"]
        [::std::mem::offset_of!(vm_pptdev_mmio, slot) - 4usize];
    ["Offset of field: vm_pptdev_mmio::func"]
        [::std::mem::offset_of!(vm_pptdev_mmio, func) - 8usize];
    ["Offset of field: vm_pptdev_mmio::gpa"][::std::mem::offset_of!(vm_pptdev_mmio, gpa) - 16usize];
    ["Offset of field: vm_pptdev_mmio::hpa"][::std::mem::offset_of!(vm_pptdev_mmio, hpa) - 24usize];
    ["Offset of field: vm_pptdev_mmio::len"][::std::mem::offset_of!(vm_pptdev_mmio, len) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_pptdev_msi {
    pub vcpu: ::std::os::raw::c_int,
    pub bus: ::std::os::raw::c_int,
    pub slot: ::std::os::raw::c_int,
    pub func: ::std::os::raw::c_int,
    pub numvec: ::std::os::raw::c_int,
    pub msg: u64,
    pub addr: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_pptdev_msi"][::std::mem::size_of::<vm_pptdev_msi>() - 40usize];
    ["Alignment of vm_pptdev_msi"][::std::mem::align_of::<vm_pptdev_msi>() - 8usize];
    ["Offset of field: vm_pptdev_msi::vcpu"][::std::mem::offset_of!(vm_pptdev_msi, vcpu) - 0usize];
    ["Offset of field: vm_pptdev_msi::bus"][::std::mem::offset_of!(vm_pptdev_msi, bus) - 4usize];
    ["Offset of field: vm_pptdev_msi::slot"][::std::mem::offset_of!(vm_pptdev_msi, slot) - 8usize];
    ["Offset of field: vm_pptdev_msi::func"][::std::mem::offset_of!(vm_pptdev_msi, func) - 12usize];
    ["Offset of field: vm_pptdev_msi::numvec"]
        [::std::mem::offset_of!(vm_pptdev_msi, numvec) - 16usize];
    ["Offset of field: vm_pptdev_msi::msg"][::std::mem::offset_of!(vm_pptdev_msi, msg) - 24usize];
    ["Offset of field: vm_pptdev_msi::addr"][::std::mem::offset_of!(vm_pptdev_msi, addr) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_pptdev_msix {
    pub vcpu: ::std::os::raw::c_int,
    pub bus: ::std::os::raw::c_int,
    pub slot: ::std::os::raw::c_int,
    pub func: ::std::os::raw::c_int,
    pub idx: ::std::os::raw::c_int,
    pub msg: u64,
    pub vector_control: u32,
    pub addr: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_pptdev_msix"][::std::mem::size_of::<vm_pptdev_msix>() - 48usize];
    ["Alignment of vm_pptdev_msix"][::std::mem::align_of::<vm_pptdev_msix>() - 8usize];
    ["Offset of field: vm_pptdev_msix::vcpu"]
        [::std::mem::offset_of!(vm_pptdev_msix, vcpu) - 0usize];
    ["Offset of field: vm_pptdev_msix::bus"][::std::mem::offset_of!(vm_pptdev_msix, bus) - 4usize];
    ["Offset of field: vm_pptdev_msix::slot"]
        [::std::mem::offset_of!(vm_pptdev_msix, slot) - 8usize];
    ["Offset of field: vm_pptdev_msix::func"]
        [::std::mem::offset_of!(vm_pptdev_msix, func) - 12usize];
    ["Offset of field: vm_pptdev_msix::idx"][::std::mem::offset_of!(vm_pptdev_msix, idx) - 16usize];
    ["Offset of field: vm_pptdev_msix::msg"][::std::mem::offset_of!(vm_pptdev_msix, msg) - 24usize];
    ["Offset of field: vm_pptdev_msix::vector_control"]
        [::std::mem::offset_of!(vm_pptdev_msix, vector_control) - 32usize];
    ["Offset of field: vm_pptdev_msix::addr"]
        [::std::mem::offset_of!(vm_pptdev_msix, addr) - 40usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_nmi {
    pub cpuid: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_nmi"][::std::mem::size_of::<vm_nmi>() - 4usize];
    ["Alignment of vm_nmi"][::std::mem::align_of::<vm_nmi>() - 4usize];
    ["Offset of field: vm_nmi::cpuid"][::std::mem::offset_of!(vm_nmi, cpuid) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_stats {
    pub cpuid: ::std::os::raw::c_int,
    pub index: ::std::os::raw::c_int,
    pub num_entries: ::std::os::raw::c_int,
    pub tv: timeval,
    pub statbuf: [u64; 64usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_stats"][::std::mem::size_of::<vm_stats>() - 544usize];
    ["Alignment of vm_stats"][::std::mem::align_of::<vm_stats>() - 8usize];
    ["Offset of field: vm_stats::cpuid"][::std::mem::offset_of!(vm_stats, cpuid) - 0usize];
    ["Offset of field: vm_stats::index"][::std::mem::offset_of!(vm_stats, index) - 4usize];
    ["Offset of field: vm_stats::num_entries"]
        [::std::mem::offset_of!(vm_stats, num_entries) - 8usize];
    ["Offset of field: vm_stats::tv"][::std::mem::offset_of!(vm_stats, tv) - 16usize];
    ["Offset of field: vm_stats::statbuf"][::std::mem::offset_of!(vm_stats, statbuf) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_stat_desc {
    pub index: ::std::os::raw::c_int,
    pub desc: [::std::os::raw::c_char; 128usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_stat_desc"][::std::mem::size_of::<vm_stat_desc>() - 132usize];
    ["Alignment of vm_stat_desc"][::std::mem::align_of::<vm_stat_desc>() - 4usize];
    ["Offset of field: vm_stat_desc::index"][::std::mem::offset_of!(vm_stat_desc, index) - 0usize];
    ["Offset of field: vm_stat_desc::desc"][::std::mem::offset_of!(vm_stat_desc, desc) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_x2apic {
    pub cpuid: ::std::os::raw::c_int,
    pub state: x2apic_state,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_x2apic"][::std::mem::size_of::<vm_x2apic>() - 8usize];
    ["Alignment of vm_x2apic"][::std::mem::align_of::<vm_x2apic>() - 4usize];
    ["Offset of field: vm_x2apic::cpuid"][::std::mem::offset_of!(vm_x2apic, cpuid) - 0usize];
    ["Offset of field: vm_x2apic::state"][::std::mem::offset_of!(vm_x2apic, state) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_gpa_pte {
    pub gpa: u64,
    pub pte: [u64; 4usize],
    pub ptenum: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_gpa_pte"][::std::mem::size_of::<vm_gpa_pte>() - 48usize];
    ["Alignment of vm_gpa_pte"][::std::mem::align_of::<vm_gpa_pte>() - 8usize];
    ["Offset of field: vm_gpa_pte::gpa"][::std::mem::offset_of!(vm_gpa_pte, gpa) - 0usize];
    ["Offset of field: vm_gpa_pte::pte"][::std::mem::offset_of!(vm_gpa_pte, pte) - 8usize];
    ["Offset of field: vm_gpa_pte::ptenum"][::std::mem::offset_of!(vm_gpa_pte, ptenum) - 40usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_hpet_cap {
    pub capabilities: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_hpet_cap"][::std::mem::size_of::<vm_hpet_cap>() - 4usize];
    ["Alignment of vm_hpet_cap"][::std::mem::align_of::<vm_hpet_cap>() - 4usize];
    ["Offset of field: vm_hpet_cap::capabilities"]
        [::std::mem::offset_of!(vm_hpet_cap, capabilities) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_suspend {
    pub how: vm_suspend_how,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_suspend"][::std::mem::size_of::<vm_suspend>() - 4usize];
    ["Alignment of vm_suspend"][::std::mem::align_of::<vm_suspend>() - 4usize];
    ["Offset of field: vm_suspend::how"][::std::mem::offset_of!(vm_suspend, how) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_gla2gpa {
    pub vcpuid: ::std::os::raw::c_int,
    pub prot: ::std::os::raw::c_int,
    pub gla: u64,
    pub paging: vm_guest_paging,
    pub fault: ::std::os::raw::c_int,
    pub gpa: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_gla2gpa"][::std::mem::size_of::<vm_gla2gpa>() - 56usize];
    ["Alignment of vm_gla2gpa"][::std::mem::align_of::<vm_gla2gpa>() - 8usize];
    ["Offset of field: vm_gla2gpa::vcpuid"][::std::mem::offset_of!(vm_gla2gpa, vcpuid) - 0usize];
    ["Offset of field: vm_gla2gpa::prot"][::std::mem::offset_of!(vm_gla2gpa, prot) - 4usize];
    ["Offset of field: vm_gla2gpa::gla"][::std::mem::offset_of!(vm_gla2gpa, gla) - 8usize];
    ["Offset of field: vm_gla2gpa::paging"][::std::mem::offset_of!(vm_gla2gpa, paging) - 16usize];
    ["Offset of field: vm_gla2gpa::fault"][::std::mem::offset_of!(vm_gla2gpa, fault) - 40usize];
    ["Offset of field: vm_gla2gpa::gpa"][::std::mem::offset_of!(vm_gla2gpa, gpa) - 48usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_activate_cpu {
    pub vcpuid: ::std::os::raw::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_activate_cpu"][::std::mem::size_of::<vm_activate_cpu>() - 4usize];
    ["Alignment of vm_activate_cpu"][::std::mem::align_of::<vm_activate_cpu>() - 4usize];
    ["Offset of field: vm_activate_cpu::vcpuid"]
        [::std::mem::offset_of!(vm_activate_cpu, vcpuid) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_cpuset {
    pub which: ::std::os::raw::c_int,
    pub cpusetsize: ::std::os::raw::c_int,
    pub cpus: *mut cpuset_t,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_cpuset"][::std::mem::size_of::<vm_cpuset>() - 16usize];
    ["Alignment of vm_cpuset"][::std::mem::align_of::<vm_cpuset>() - 8usize];
    ["Offset of field: vm_cpuset::which"][::std::mem::offset_of!(vm_cpuset, which) - 0usize];
    ["Offset of field: vm_cpuset::cpusetsize"]
        [::std::mem::offset_of!(vm_cpuset, cpusetsize) - 4usize];
    ["Offset of field: vm_cpuset::cpus"][::std::mem::offset_of!(vm_cpuset, cpus) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_intinfo {
    pub vcpuid: ::std::os::raw::c_int,
    pub info1: u64,
    pub info2: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_intinfo"][::std::mem::size_of::<vm_intinfo>() - 24usize];
    ["Alignment of vm_intinfo"][::std::mem::align_of::<vm_intinfo>() - 8usize];
    ["Offset of field: vm_intinfo::vcpuid"][::std::mem::offset_of!(vm_intinfo, vcpuid) - 0usize];
    ["Offset of field: vm_intinfo::info1"][::std::mem::offset_of!(vm_intinfo, info1) - 8usize];
    ["Offset of field: vm_intinfo::info2"][::std::mem::offset_of!(vm_intinfo, info2) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_rtc_time {
    pub secs: time_t,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_rtc_time"][::std::mem::size_of::<vm_rtc_time>() - 8usize];
    ["Alignment of vm_rtc_time"][::std::mem::align_of::<vm_rtc_time>() - 8usize];
    ["Offset of field: vm_rtc_time::secs"][::std::mem::offset_of!(vm_rtc_time, secs) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_rtc_data {
    pub offset: ::std::os::raw::c_int,
    pub value: u8,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_rtc_data"][::std::mem::size_of::<vm_rtc_data>() - 8usize];
    ["Alignment of vm_rtc_data"][::std::mem::align_of::<vm_rtc_data>() - 4usize];
    ["Offset of field: vm_rtc_data::offset"][::std::mem::offset_of!(vm_rtc_data, offset) - 0usize];
    ["Offset of field: vm_rtc_data::value"][::std::mem::offset_of!(vm_rtc_data, value) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_cpu_topology {
    pub sockets: u16,
    pub cores: u16,
    pub threads: u16,
    pub maxcpus: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_cpu_topology"][::std::mem::size_of::<vm_cpu_topology>() - 8usize];
    ["Alignment of vm_cpu_topology"][::std::mem::align_of::<vm_cpu_topology>() - 2usize];
    ["Offset of field: vm_cpu_topology::sockets"]
        [::std::mem::offset_of!(vm_cpu_topology, sockets) - 0usize];
    ["Offset of field: vm_cpu_topology::cores"]
        [::std::mem::offset_of!(vm_cpu_topology, cores) - 2usize];
    ["Offset of field: vm_cpu_topology::threads"]
        [::std::mem::offset_of!(vm_cpu_topology, threads) - 4usize];
    ["Offset of field: vm_cpu_topology::maxcpus"]
        [::std::mem::offset_of!(vm_cpu_topology, maxcpus) - 6usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct vm_readwrite_kernemu_device {
    pub vcpuid: ::std::os::raw::c_int,
    pub _bitfield_align_1: [u32; 0],
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 4usize]>,
    pub gpa: u64,
    pub value: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vm_readwrite_kernemu_device"]
        [::std::mem::size_of::<vm_readwrite_kernemu_device>() - 24usize];
    ["Alignment of vm_readwrite_kernemu_device"]
        [::std::mem::align_of::<vm_readwrite_kernemu_device>() - 8usize];
    ["Offset of field: vm_readwrite_kernemu_device::vcpuid"]
        [::std::mem::offset_of!(vm_readwrite_kernemu_device, vcpuid) - 0usize];
    ["Offset of field: vm_readwrite_kernemu_device::gpa"]
        [::std::mem::offset_of!(vm_readwrite_kernemu_device, gpa) - 8usize];
    ["Offset of field: vm_readwrite_kernemu_device::value"]
        [::std::mem::offset_of!(vm_readwrite_kernemu_device, value) - 16usize];
};
impl vm_readwrite_kernemu_device {
    #[inline]
    pub fn access_width(&self) -> ::std::os::raw::c_uint {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(0usize, 3u8) as u32) }
    }
    #[inline]
    pub fn set_access_width(&mut self, val: ::std::os::raw::c_uint) {
        unsafe {
            let val: u32 = ::std::mem::transmute(val);
            self._bitfield_1.set(0usize, 3u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn access_width_raw(this: *const Self) -> ::std::os::raw::c_uint {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 4usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                0usize,
                3u8,
            ) as u32)
        }
    }
    #[inline]
    pub unsafe fn set_access_width_raw(this: *mut Self, val: ::std::os::raw::c_uint) {
        unsafe {
            let val: u32 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 4usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                0usize,
                3u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn _unused(&self) -> ::std::os::raw::c_uint {
        unsafe { ::std::mem::transmute(self._bitfield_1.get(3usize, 29u8) as u32) }
    }
    #[inline]
    pub fn set__unused(&mut self, val: ::std::os::raw::c_uint) {
        unsafe {
            let val: u32 = ::std::mem::transmute(val);
            self._bitfield_1.set(3usize, 29u8, val as u64)
        }
    }
    #[inline]
    pub unsafe fn _unused_raw(this: *const Self) -> ::std::os::raw::c_uint {
        unsafe {
            ::std::mem::transmute(<__BindgenBitfieldUnit<[u8; 4usize]>>::raw_get(
                ::std::ptr::addr_of!((*this)._bitfield_1),
                3usize,
                29u8,
            ) as u32)
        }
    }
    #[inline]
    pub unsafe fn set__unused_raw(this: *mut Self, val: ::std::os::raw::c_uint) {
        unsafe {
            let val: u32 = ::std::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 4usize]>>::raw_set(
                ::std::ptr::addr_of_mut!((*this)._bitfield_1),
                3usize,
                29u8,
                val as u64,
            )
        }
    }
    #[inline]
    pub fn new_bitfield_1(
        access_width: ::std::os::raw::c_uint,
        _unused: ::std::os::raw::c_uint,
    ) -> __BindgenBitfieldUnit<[u8; 4usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 4usize]> = Default::default();
        __bindgen_bitfield_unit.set(0usize, 3u8, {
            let access_width: u32 = unsafe { ::std::mem::transmute(access_width) };
            access_width as u64
        });
        __bindgen_bitfield_unit.set(3usize, 29u8, {
            let _unused: u32 = unsafe { ::std::mem::transmute(_unused) };
            _unused as u64
        });
        __bindgen_bitfield_unit
    }
}
pub const IOCNUM_ABIVERS: _bindgen_ty_1 = 0;
pub const IOCNUM_RUN: _bindgen_ty_1 = 1;
pub const IOCNUM_SET_CAPABILITY: _bindgen_ty_1 = 2;
pub const IOCNUM_GET_CAPABILITY: _bindgen_ty_1 = 3;
pub const IOCNUM_SUSPEND: _bindgen_ty_1 = 4;
pub const IOCNUM_REINIT: _bindgen_ty_1 = 5;
pub const IOCNUM_MAP_MEMORY: _bindgen_ty_1 = 10;
pub const IOCNUM_GET_MEMORY_SEG: _bindgen_ty_1 = 11;
pub const IOCNUM_GET_GPA_PMAP: _bindgen_ty_1 = 12;
pub const IOCNUM_GLA2GPA: _bindgen_ty_1 = 13;
pub const IOCNUM_ALLOC_MEMSEG: _bindgen_ty_1 = 14;
pub const IOCNUM_GET_MEMSEG: _bindgen_ty_1 = 15;
pub const IOCNUM_MMAP_MEMSEG: _bindgen_ty_1 = 16;
pub const IOCNUM_MMAP_GETNEXT: _bindgen_ty_1 = 17;
pub const IOCNUM_GLA2GPA_NOFAULT: _bindgen_ty_1 = 18;
pub const IOCNUM_MUNMAP_MEMSEG: _bindgen_ty_1 = 19;
pub const IOCNUM_SET_REGISTER: _bindgen_ty_1 = 20;
pub const IOCNUM_GET_REGISTER: _bindgen_ty_1 = 21;
pub const IOCNUM_SET_SEGMENT_DESCRIPTOR: _bindgen_ty_1 = 22;
pub const IOCNUM_GET_SEGMENT_DESCRIPTOR: _bindgen_ty_1 = 23;
pub const IOCNUM_SET_REGISTER_SET: _bindgen_ty_1 = 24;
pub const IOCNUM_GET_REGISTER_SET: _bindgen_ty_1 = 25;
pub const IOCNUM_GET_KERNEMU_DEV: _bindgen_ty_1 = 26;
pub const IOCNUM_SET_KERNEMU_DEV: _bindgen_ty_1 = 27;
pub const IOCNUM_GET_INTINFO: _bindgen_ty_1 = 28;
pub const IOCNUM_SET_INTINFO: _bindgen_ty_1 = 29;
pub const IOCNUM_INJECT_EXCEPTION: _bindgen_ty_1 = 30;
pub const IOCNUM_LAPIC_IRQ: _bindgen_ty_1 = 31;
pub const IOCNUM_INJECT_NMI: _bindgen_ty_1 = 32;
pub const IOCNUM_IOAPIC_ASSERT_IRQ: _bindgen_ty_1 = 33;
pub const IOCNUM_IOAPIC_DEASSERT_IRQ: _bindgen_ty_1 = 34;
pub const IOCNUM_IOAPIC_PULSE_IRQ: _bindgen_ty_1 = 35;
pub const IOCNUM_LAPIC_MSI: _bindgen_ty_1 = 36;
pub const IOCNUM_LAPIC_LOCAL_IRQ: _bindgen_ty_1 = 37;
pub const IOCNUM_IOAPIC_PINCOUNT: _bindgen_ty_1 = 38;
pub const IOCNUM_RESTART_INSTRUCTION: _bindgen_ty_1 = 39;
pub const IOCNUM_BIND_PPTDEV: _bindgen_ty_1 = 40;
pub const IOCNUM_UNBIND_PPTDEV: _bindgen_ty_1 = 41;
pub const IOCNUM_MAP_PPTDEV_MMIO: _bindgen_ty_1 = 42;
pub const IOCNUM_PPTDEV_MSI: _bindgen_ty_1 = 43;
pub const IOCNUM_PPTDEV_MSIX: _bindgen_ty_1 = 44;
pub const IOCNUM_PPTDEV_DISABLE_MSIX: _bindgen_ty_1 = 45;
pub const IOCNUM_UNMAP_PPTDEV_MMIO: _bindgen_ty_1 = 46;
pub const IOCNUM_VM_STATS: _bindgen_ty_1 = 50;
pub const IOCNUM_VM_STAT_DESC: _bindgen_ty_1 = 51;
pub const IOCNUM_SET_X2APIC_STATE: _bindgen_ty_1 = 60;
pub const IOCNUM_GET_X2APIC_STATE: _bindgen_ty_1 = 61;
pub const IOCNUM_GET_HPET_CAPABILITIES: _bindgen_ty_1 = 62;
pub const IOCNUM_SET_TOPOLOGY: _bindgen_ty_1 = 63;
pub const IOCNUM_GET_TOPOLOGY: _bindgen_ty_1 = 64;
pub const IOCNUM_ISA_ASSERT_IRQ: _bindgen_ty_1 = 80;
pub const IOCNUM_ISA_DEASSERT_IRQ: _bindgen_ty_1 = 81;
pub const IOCNUM_ISA_PULSE_IRQ: _bindgen_ty_1 = 82;
pub const IOCNUM_ISA_SET_IRQ_TRIGGER: _bindgen_ty_1 = 83;
pub const IOCNUM_ACTIVATE_CPU: _bindgen_ty_1 = 90;
pub const IOCNUM_GET_CPUSET: _bindgen_ty_1 = 91;
pub const IOCNUM_SUSPEND_CPU: _bindgen_ty_1 = 92;
pub const IOCNUM_RESUME_CPU: _bindgen_ty_1 = 93;
pub const IOCNUM_RTC_READ: _bindgen_ty_1 = 100;
pub const IOCNUM_RTC_WRITE: _bindgen_ty_1 = 101;
pub const IOCNUM_RTC_SETTIME: _bindgen_ty_1 = 102;
pub const IOCNUM_RTC_GETTIME: _bindgen_ty_1 = 103;
pub const IOCNUM_SNAPSHOT_REQ: _bindgen_ty_1 = 113;
pub const IOCNUM_RESTORE_TIME: _bindgen_ty_1 = 115;
pub type _bindgen_ty_1 = ::std::os::raw::c_uint;
