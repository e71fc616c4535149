//! Subroutines that move bytes.

use super::{arg, size};
use crate::{
    env::{Env, Fault, FaultKind, TupleElement},
    string::{self, Space},
};

type Args<'a> = &'a [TupleElement];

/// The length of a copy to scratch at `to`; a fault if not all of it is scratch.
fn writable<E: Env + ?Sized>(env: &mut E, to: u64, len: u64) -> Result<usize, Fault> {
    let refused = Fault::at(FaultKind::BadAddr, to);
    let len = usize::try_from(len).map_err(|_| refused)?;
    if len > 0 {
        env.scratch_mut(to, len).ok_or(refused)?;
    }
    Ok(len)
}

/// Scratch for `size` bytes, and for one more behind them.
///
/// Scripts rely on that byte: `stringof(copyin(arg1, arg2))` looks for a NUL there, and others put
/// one there themselves. Classic DTrace lets them, since it checks against scratch as a whole.
fn terminated<E: Env + ?Sized>(env: &mut E, size: u64) -> Result<u64, Fault> {
    env.alloca(size.saturating_add(1), 8)
}

/// `copyin(address, size)`: bytes of the process, in scratch, a NUL behind them; `nested_copyin`
/// those of the machine's own guest.
pub(super) fn copyin<E: Env + ?Sized>(env: &mut E, space: Space, args: Args) -> Result<u64, Fault> {
    let (from, wanted) = (arg(args, 0)?, arg(args, 1)?);
    let to = terminated(env, wanted)?;
    let len = writable(env, to, wanted)?;
    string::copy_bytes(env, space, from, to, len)?;
    env.store(string::offset(to, len), &[0])?;
    Ok(to)
}

/// `copyinstr(address[, max])`: a string of the process, in scratch; `nested_copyinstr` one of the
/// machine's own guest.
pub(super) fn copyinstr<E: Env + ?Sized>(
    env: &mut E,
    space: Space,
    args: Args,
) -> Result<u64, Fault> {
    let from = arg(args, 0)?;
    let limit = args.get(1).and_then(|max| usize::try_from(max.value).ok()).unwrap_or(usize::MAX);
    // A limit counts the NUL, as `strsize` does.
    let room = limit.min(env.strsize()).max(1);
    let mark = env.scratch_mark();
    let to = env.alloca(size(room), 1)?;
    let len = string::copy(env, space, from, to, room - 1)?;
    env.store(string::offset(to, len), &[0])?;
    // Keeps what the string needs and gives back the rest.
    env.scratch_release(mark);
    env.alloca(size(len + 1), 1)
}

/// `copyinto(address, size, to)`: bytes of the process, to scratch that is already there.
pub(super) fn copyinto<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (from, wanted, to) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    let len = writable(env, to, wanted)?;
    string::copy_bytes(env, Space::User, from, to, len)?;
    Ok(0)
}

/// `alloca(size)`.
pub(super) fn alloca<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    zeroed(env, arg(args, 0)?)
}

/// Scratch that is all zeroes, a NUL behind it too: what `alloca()` and `allocs` give.
///
/// # Errors
/// [`FaultKind::NoScratch`].
pub(crate) fn zeroed<E: Env + ?Sized>(env: &mut E, size: u64) -> Result<u64, Fault> {
    let to = terminated(env, size)?;
    let len = usize::try_from(size).map_or(0, |size| size.saturating_add(1));
    env.scratch_mut(to, len).unwrap_or_default().fill(0);
    Ok(to)
}

/// `bcopy(from, to, size)`: to scratch.
pub(super) fn bcopy<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (from, to, wanted) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    let len = writable(env, to, wanted)?;
    string::copy_bytes(env, Space::Kernel, from, to, len)?;
    Ok(0)
}

/// `memref(address, size)`: both, in scratch, for `printm()`.
pub(super) fn memref<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let to = env.alloca(16, 8)?;
    env.store(to, &arg(args, 0)?.to_le_bytes())?;
    env.store(string::offset(to, 8), &arg(args, 1)?.to_le_bytes())?;
    Ok(to)
}

/// `memstr(address, separator, size)`: `size` bytes as a string, every NUL replaced by the
/// separator but the last byte, which ends it.
pub(super) fn memstr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (from, separator, wanted) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    if wanted == 0 {
        return Err(Fault::at(FaultKind::IllOp, 0));
    }
    let to = env.alloca(wanted, 1)?;
    let len = writable(env, to, wanted)?;
    string::copy_bytes(env, Space::Kernel, from, to, len)?;
    let bytes = env.scratch_mut(to, len).ok_or(Fault::at(FaultKind::BadAddr, to))?;
    if let Some((last, rest)) = bytes.split_last_mut() {
        *last = 0;
        let [separator, ..] = separator.to_le_bytes();
        rest.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = separator);
    }
    Ok(to)
}
