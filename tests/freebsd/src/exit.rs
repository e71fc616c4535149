//! Exits as bhyve's kernel part writes them, byte for byte.

use bhyve_sys::v15::{vm_exit, vm_exitcode_VM_EXITCODE_INOUT, vm_inout};

/// Bytes of a `struct vm_exit`; the same in 14.x and 15.0.
pub const SIZE: usize = size_of::<vm_exit>();

const _: () = assert!(SIZE == size_of::<bhyve_sys::v14::vm_exit>());

/// An exit's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub [u8; SIZE]);

/// A `u`'s offset in the exit.
const UNION: usize = std::mem::offset_of!(vm_exit, u);

impl Exit {
    /// An exit of this code whose every other byte is `filler`.
    #[must_use]
    pub fn filled(code: u32, filler: u8) -> Self {
        Self([filler; SIZE]).with(std::mem::offset_of!(vm_exit, exitcode), &code.to_ne_bytes())
    }

    /// An access of `bytes` bytes to an I/O port; `flags` are the bits behind the width: 1 in,
    /// 2 string, 4 repeated.
    #[must_use]
    pub fn port(port: u16, bytes: u8, flags: u8, eax: u32) -> Self {
        Self::filled(vm_exitcode_VM_EXITCODE_INOUT, 0)
            .with(std::mem::offset_of!(vm_exit, inst_length), &1_u32.to_ne_bytes())
            .with(std::mem::offset_of!(vm_exit, rip), &0xffff_ffff_8000_0000_u64.to_ne_bytes())
            .with(UNION, &[bytes | flags << 3])
            .with(UNION + std::mem::offset_of!(vm_inout, port), &port.to_ne_bytes())
            .with(UNION + std::mem::offset_of!(vm_inout, eax), &eax.to_ne_bytes())
    }

    /// The doorbell for the descriptor in the page of this frame number.
    #[must_use]
    pub fn doorbell(frame: u32) -> Self {
        Self::port(hypercall::DOORBELL_PORT, 4, 0, frame)
    }

    /// The exit with some bytes replaced.
    #[must_use]
    pub fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        let places = self.0.iter_mut().skip(at);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
        self
    }
}
