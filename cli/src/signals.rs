//! Signals that end tracing, as bytes in a pipe.
//!
//! They are blocked in every thread but one, which waits for them and writes a byte for each. A
//! handler would run in the middle of anything; Linux's signalfd would do without the thread, but
//! FreeBSD has none, and this is the same code on both.

use std::io::{self, PipeReader, Write, pipe};
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal};

/// Catches SIGINT, SIGTERM, SIGUSR1 and SIGHUP from now on. The pipe does not block. To be called
/// before there are other threads: they inherit what is blocked.
///
/// # Errors
/// If the system has no pipe or thread to give.
pub(crate) fn caught() -> io::Result<PipeReader> {
    let set: SigSet =
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGHUP].into_iter().collect();
    set.thread_block()?;
    let (reader, mut writer) = pipe()?;
    let flags = OFlag::from_bits_retain(fcntl(&reader, FcntlArg::F_GETFL)?);
    fcntl(&reader, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    // Ends when nobody reads any more, or with the process.
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || while set.wait().is_ok() && writer.write_all(&[1]).is_ok() {})?;
    Ok(reader)
}
