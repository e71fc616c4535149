//! What the interpreter and the subroutines do with strings: copies and comparisons.

use super::{BLOCK, block_at, find_nul, length, offset};
use crate::env::{Env, Fault, FaultKind};

/// Which address space a string is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Tracer memory or the machine's kernel.
    Kernel,
    /// The traced process.
    User,
    /// The guest that the machine runs on this CPU.
    Nested,
}

fn read_from<E: Env + ?Sized>(
    env: &mut E,
    space: Space,
    addr: u64,
    buf: &mut [u8],
) -> Result<(), Fault> {
    match space {
        Space::Kernel => env.read(addr, buf),
        Space::User => env.read_user(addr, buf),
        Space::Nested => env.read_nested(addr, buf),
    }
}

/// Copies the string at `addr` to writable tracer memory at `to`, without its NUL, at most
/// `limit` bytes; returns how many.
pub(crate) fn copy<E: Env + ?Sized>(
    env: &mut E,
    space: Space,
    addr: u64,
    to: u64,
    limit: usize,
) -> Result<usize, Fault> {
    let mut buffer = [0_u8; BLOCK];
    let mut done = 0;
    while done < limit {
        let at = offset(addr, done);
        let (bytes, ended) = if space == Space::Kernel
            && let Some(bytes) = env.tracer_prefix(at, BLOCK.min(limit - done))
        {
            let found = find_nul(bytes);
            let len = found.unwrap_or(bytes.len());
            let part = buffer.get_mut(..len).unwrap_or_default();
            part.copy_from_slice(bytes.get(..len).unwrap_or_default());
            (&*part, found.is_some())
        } else {
            let block = buffer.get_mut(..block_at(at, limit - done)).unwrap_or_default();
            read_from(env, space, at, block)?;
            let found = find_nul(block);
            let len = found.unwrap_or(block.len());
            (block.get(..len).unwrap_or_default(), found.is_some())
        };
        env.store(offset(to, done), bytes)?;
        done += bytes.len();
        if ended {
            break;
        }
    }
    Ok(done)
}

/// Copies `len` bytes to writable tracer memory at `to`. Ranges may overlap.
pub(crate) fn copy_bytes<E: Env + ?Sized>(
    env: &mut E,
    space: Space,
    from: u64,
    to: u64,
    len: usize,
) -> Result<(), Fault> {
    let mut buffer = [0_u8; BLOCK];
    // With the target behind the source, blocks go from the last to the first.
    let backwards = to.wrapping_sub(from) < u64::try_from(len).unwrap_or(u64::MAX);
    let mut done = 0;
    while done < len {
        let size = BLOCK.min(len - done);
        let at = if backwards { len - done - size } else { done };
        let block = buffer.get_mut(..size).unwrap_or_default();
        read_from(env, space, offset(from, at), block)?;
        env.store(offset(to, at), block)?;
        done += size;
    }
    Ok(())
}

/// A string that lies in tracer memory, so that it can be looked at as a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    /// Where it was found.
    pub(crate) addr: u64,
    /// Where it lies in tracer memory: there, or in scratch.
    pub(crate) local: u64,
    /// Bytes without the NUL.
    pub(crate) len: usize,
}

impl Text {
    /// The empty string, anywhere.
    const EMPTY: Self = Self { addr: 0, local: 0, len: 0 };

    /// Fetches the string at `addr`; one in machine memory is copied to scratch first.
    pub(crate) fn fetch<E: Env + ?Sized>(env: &mut E, addr: u64) -> Result<Self, Fault> {
        let limit = env.strsize();
        if env.tracer_prefix(addr, limit).is_some() {
            return Ok(Self { addr, local: addr, len: length(env, addr, limit)? });
        }
        let size = u64::try_from(limit).unwrap_or(u64::MAX);
        let local = env.alloca(size, 1)?;
        // Scratch that nobody had taken is no string because it is taken now.
        if addr.wrapping_sub(local) < size {
            return Err(Fault::at(FaultKind::BadAddr, addr));
        }
        let len = copy(env, Space::Kernel, addr, local, limit)?;
        Ok(Self { addr, local, len })
    }

    pub(crate) fn bytes<'e, E: Env + ?Sized>(&self, env: &'e E) -> Result<&'e [u8], Fault> {
        if self.len == 0 {
            return Ok(&[]);
        }
        env.tracer(self.local, self.len).ok_or(Fault::at(FaultKind::BadAddr, self.local))
    }
}

/// Compares two strings of at most `strsize` bytes, as `strncmp` does. NULL, what an unset string
/// variable holds, compares as the empty string, as in classic DTrace.
pub(crate) fn compare<E: Env + ?Sized>(
    env: &mut E,
    a: u64,
    b: u64,
) -> Result<core::cmp::Ordering, Fault> {
    if a == b {
        return Ok(core::cmp::Ordering::Equal);
    }
    let mark = env.scratch_mark();
    let result = compare_texts(env, a, b);
    env.scratch_release(mark);
    result
}

fn compare_texts<E: Env + ?Sized>(
    env: &mut E,
    a: u64,
    b: u64,
) -> Result<core::cmp::Ordering, Fault> {
    let a = if a == 0 { Text::EMPTY } else { Text::fetch(env, a)? };
    let b = if b == 0 { Text::EMPTY } else { Text::fetch(env, b)? };
    Ok(a.bytes(env)?.cmp(b.bytes(env)?))
}
