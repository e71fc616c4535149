//! Descriptors that can do only what we do with them: `cap_rights_limit` of FreeBSD.
//!
//! A shim keeps two descriptors in the monitor's sandbox: its listening socket, and the run
//! directory, through which it removes the socket's file at the end. Connections that are accepted
//! have the listening socket's rights, so those of both are needed.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// What is done with the listening socket and with a connection: accepting; messages in both
/// directions, with descriptors; waiting for either; not blocking.
pub(crate) const SOCKET: &[u64] =
    &[libc::CAP_ACCEPT, libc::CAP_RECV, libc::CAP_SEND, libc::CAP_EVENT, libc::CAP_FCNTL];

/// What is done with the run directory.
pub(crate) const DIRECTORY: &[u64] = &[libc::CAP_UNLINKAT];

/// Takes all rights from a descriptor but these. A kernel without Capsicum leaves it as it is.
///
/// # Errors
/// What the kernel says.
pub(crate) fn limit(fd: BorrowedFd<'_>, rights: &[u64]) -> Result<(), Errno> {
    // SAFETY: integers, for which zero is a value.
    let mut set: libc::cap_rights_t = unsafe { std::mem::zeroed() };
    let end = 0_u64;
    // SAFETY: a place for the rights, and a list of none that ends with 0.
    unsafe { libc::__cap_rights_init(libc::CAP_RIGHTS_VERSION, &raw mut set, end) };
    for &right in rights {
        // SAFETY: initialised rights, and a list of one that ends with 0.
        unsafe { libc::__cap_rights_set(&raw mut set, right, end) };
    }
    // SAFETY: a descriptor that is open, and valid rights.
    match Errno::result(unsafe { libc::cap_rights_limit(fd.as_raw_fd(), &raw const set) }) {
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}
