//! A command of `-c`, run up to the point where its own code begins.
//!
//! It has stopped as a shell that will become the command. For probes of the program it must be
//! the program, with its libraries mapped and relocated: that is so at its entry point, to which
//! the loader jumps last. A breakpoint there stops it.

use std::{fs, io, ptr::with_exposed_provenance_mut};

use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// `AT_ENTRY` of the auxiliary vector.
const AT_ENTRY: u64 = 9;
/// The breakpoint instruction.
const BREAKPOINT: i64 = 0xcc;

/// Lets a stopped process run until the program that it becomes is at its entry point, and leaves
/// it stopped there. A process that ends before is left to whoever waits for it.
///
/// # Errors
/// The kernel's, for instance if somebody else traces the process.
pub fn run_to_entry(pid: u32) -> io::Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid).map_err(|_| Errno::ESRCH)?);
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXEC)?;
    kill(pid, Signal::SIGCONT)?;
    let is_exec = |status: &WaitStatus| {
        matches!(status, WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC))
    };
    if !go_on(pid, is_exec)? {
        return Ok(());
    }
    let entry = entry_of(pid)?;
    let place = with_exposed_provenance_mut(usize::try_from(entry).map_err(|_| Errno::EFAULT)?);
    let word = ptrace::read(pid, place)?;
    ptrace::write(pid, place, (word & !0xff) | BREAKPOINT)?;
    ptrace::cont(pid, None)?;
    let is_there = |status: &WaitStatus| {
        matches!(status, WaitStatus::Stopped(_, Signal::SIGTRAP))
            && ptrace::getregs(pid).is_ok_and(|registers| registers.rip == entry + 1)
    };
    if !go_on(pid, is_there)? {
        return Ok(());
    }
    ptrace::write(pid, place, word)?;
    let mut registers = ptrace::getregs(pid)?;
    registers.rip = entry;
    ptrace::setregs(pid, registers)?;
    ptrace::detach(pid, Signal::SIGSTOP)?;
    waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
    Ok(())
}

/// Lets the process go on, with the signals it gets, until it stops for `reason`; `false` if it
/// ended. The process runs already.
fn go_on(pid: Pid, reason: impl Fn(&WaitStatus) -> bool) -> io::Result<bool> {
    loop {
        let status = waitpid(pid, None)?;
        if reason(&status) {
            return Ok(true);
        }
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(false),
            WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal)?,
            // The stop that it was in when it was seized.
            _ => ptrace::cont(pid, None)?,
        }
    }
}

/// Where the program's own code begins, as the kernel told the loader.
fn entry_of(pid: Pid) -> io::Result<u64> {
    let vector = fs::read(format!("/proc/{pid}/auxv"))?;
    let (pairs, _) = vector.as_chunks::<16>();
    let words = pairs.iter().map(|pair| {
        let word = |at: usize| pair.get(at..)?.first_chunk::<8>().copied().map(u64::from_le_bytes);
        (word(0).unwrap_or(0), word(8).unwrap_or(0))
    });
    let mut found = words.filter(|(kind, _)| *kind == AT_ENTRY);
    found.next().map(|(_, entry)| entry).ok_or_else(|| Errno::ENOEXEC.into())
}
