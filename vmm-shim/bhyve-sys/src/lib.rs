//! bhyve's user ABI: what `machine/vmm.h` and `machine/vmm_dev.h` say, one module a release, and
//! the functions of libvmmapi that stand in no header we may have.
//!
//! ```text
//!  FreeBSD's headers ──bindgen──▶ v14/bindings.rs, v15/bindings.rs   structs, exits, ioctls
//!  (PyPI's ziglang)               written by `cargo xtask freebsd bindings`, checked in
//!  FreeBSD's sources ──by hand──▶ vmmapi                             prototypes
//! ```
//! Names are the kernel's own. The bindings assert the size, alignment and every field's offset of
//! every struct and union when they are compiled, for whichever target.
//!
//! The releases differ: 15.0 put the code segment's base and size behind `vm_inout_str`, and NUMA
//! domains behind `vm_memseg`. What both have at the same place is asserted below, so that one
//! library serves both.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "bindgen writes them around its assertions"
)]

macro_rules! release {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[expect(
            missing_docs,
            non_camel_case_types,
            non_snake_case,
            non_upper_case_globals,
            clippy::pedantic,
            clippy::all,
            clippy::undocumented_unsafe_blocks,
            clippy::multiple_unsafe_ops_per_block,
            clippy::ptr_as_ptr,
            clippy::cast_lossless,
            unused_qualifications,
            reason = "made from C headers, with their names"
        )]
        pub mod $name {
            include!(concat!(stringify!($name), "/bindings.rs"));
        }
    };
}

release! {
    /// FreeBSD 14.x, from the headers in ziglang 0.15.2.
    v14
}
release! {
    /// FreeBSD 15.0, from the headers in ziglang 0.17.0.
    v15
}

pub mod vmmapi;

/// What a library for both releases may use of either.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(v14::vm_run, vm_exit) == offset_of!(v15::vm_run, vm_exit));
    assert!(size_of::<v14::vm_run>() == size_of::<v15::vm_run>());
    assert!(offset_of!(v14::vm_exit, exitcode) == offset_of!(v15::vm_exit, exitcode));
    assert!(offset_of!(v14::vm_exit, u) == offset_of!(v15::vm_exit, u));
    assert!(offset_of!(v14::vm_inout, port) == offset_of!(v15::vm_inout, port));
    assert!(offset_of!(v14::vm_inout, eax) == offset_of!(v15::vm_inout, eax));
    assert!(v14::vm_exitcode_VM_EXITCODE_INOUT == v15::vm_exitcode_VM_EXITCODE_INOUT);
    assert!(v14::VM_RUN == v15::VM_RUN);
};
