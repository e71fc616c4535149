//! What a platform brings to a fire.

use dif::env::{Fault, FaultKind};

/// One fire of one probe, as the platform (a guest's descriptor, a host thread) knows it.
///
/// # Context
/// All methods run on the firing path: no allocation, no blocking, bounded loops.
pub trait FireContext {
    /// `arg0` … `arg9`; 0 beyond what the probe has.
    fn arg(&self, index: usize) -> u64;
    /// Process id.
    fn pid(&self) -> u32;
    /// Thread id.
    fn tid(&self) -> u32;
    /// Parent's process id.
    fn ppid(&self) -> u32;
    /// Real user id.
    fn uid(&self) -> u32;
    /// Real group id.
    fn gid(&self) -> u32;
    /// The current process's jail; `None` on machines without jails.
    fn jail(&self) -> Option<Jail> {
        None
    }
    /// CPU number in the machine.
    fn cpu(&self) -> u32;
    /// The last system call's error.
    fn errno(&self) -> i32;
    /// The thread's structure in the machine's kernel (`curthread`).
    fn thread(&self) -> u64;
    /// Nanoseconds the thread has run.
    fn vtimestamp(&self) -> u64;
    /// The command's name, without the NUL.
    fn execname(&self) -> &[u8];
    /// The program counter of the probe site (`caller` and stacks start here).
    fn ip(&self) -> u64;
    /// The kernel stack, program counters from the innermost.
    fn kernel_stack(&self) -> KernelStack<'_>;
    /// Reads machine kernel memory, all or nothing.
    ///
    /// # Errors
    /// [`dif::env::FaultKind::BadAddr`] with the first address that cannot be read.
    fn read_kernel(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;
    /// Reads memory of the current process, all or nothing.
    ///
    /// # Errors
    /// As [`FireContext::read_kernel`].
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;
    /// Reads memory of the machine's own guest whose vCPU is loaded on this CPU, in that guest's
    /// current address space, kernel's and user's alike, all or nothing. Only machines that are
    /// hypervisors have such guests, and only fires that carry the vCPU (`Carry::NESTED`) find it.
    ///
    /// # Errors
    /// As [`FireContext::read_kernel`]; with `addr` itself if there is no such guest.
    fn read_nested(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let _ = buf;
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    /// Fills `frames` with the current process's program counters, from the innermost, and returns
    /// how many; none on machines that do not walk user stacks.
    fn user_stack(&self, frames: &mut [u64]) -> usize {
        let _ = frames;
        0
    }
    /// Writes memory of the current process, all or nothing where its first page decides: only
    /// pages that the process itself could write to, and only on machines whose owner permits it.
    /// Machines that cannot be written to have none.
    ///
    /// # Errors
    /// As [`FireContext::read_kernel`].
    fn write_user(&self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let _ = bytes;
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    /// More about why `addr`, which a read or write just refused, cannot be reached: a word that
    /// goes into the fault's record as it is, 0 if there is nothing to say. Guests give
    /// `npt::Failure::pack`.
    fn why(&self, addr: u64) -> u64 {
        let _ = addr;
        0
    }
    /// Writes `function+0xoffset` (or the bare address in hexadecimal) of a kernel address into
    /// `out` and returns how many bytes that took; for `immstack()`.
    fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize;
}

/// A jail of FreeBSD's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jail {
    /// Its number; 0 for what is in no jail.
    pub id: u32,
    /// Where its name lies in the machine's kernel memory, NUL-terminated.
    pub name: u64,
}

/// A kernel stack as it lies in a descriptor: unaligned little-endian words.
#[derive(Clone, Copy, Debug)]
pub struct KernelStack<'a> {
    bytes: &'a [u8],
}

impl<'a> KernelStack<'a> {
    /// Words of 8 bytes; a trailing part word is ignored.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many frames.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() / 8
    }

    /// No frame at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A frame's program counter, 0 beyond the last.
    #[must_use]
    pub fn frame(&self, index: usize) -> u64 {
        index
            .checked_mul(8)
            .and_then(|at| self.bytes.get(at..at.checked_add(8)?))
            .and_then(|b| b.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }
}
