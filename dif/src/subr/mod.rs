//! D's subroutines, `DIF_SUBR_*`: one function each, called with what is on the tuple stack.
//!
//! What needs the machine (`rand`, `progenyof`, locks, device numbers, destructive copies) is
//! handed to [`Env::subroutine`]. Everything else is here and only reads and writes memory through
//! the environment.
//!
//! # Context
//! Firing path. A string subroutine looks at no more than `strsize` bytes of each string; a copy
//! is bounded by the scratch it goes to. Scratch that a subroutine needs for itself is given back
//! before it returns; results stay until the clause ends.

use crate::{
    env::{Env, Fault, FaultKind, TupleElement},
    number::subr,
    string::Space,
};

mod json;
mod memory;
mod net;
mod number;
mod path;
mod text;

pub(crate) use memory::zeroed;

/// Calls a subroutine. Arguments beyond those it takes are ignored, as in classic DTrace.
pub(crate) fn call<E: Env + ?Sized>(
    env: &mut E,
    number: u16,
    args: &[TupleElement],
) -> Result<u64, Fault> {
    match number {
        subr::COPYIN => memory::copyin(env, Space::User, args),
        subr::COPYINSTR => memory::copyinstr(env, Space::User, args),
        subr::NESTED_COPYIN => memory::copyin(env, Space::Nested, args),
        subr::NESTED_COPYINSTR => memory::copyinstr(env, Space::Nested, args),
        subr::COPYINTO => memory::copyinto(env, args),
        subr::ALLOCA => memory::alloca(env, args),
        subr::BCOPY => memory::bcopy(env, args),
        subr::MEMREF => memory::memref(env, args),
        subr::MEMSTR => memory::memstr(env, args),
        subr::STRLEN => text::strlen(env, args),
        subr::STRJOIN => text::strjoin(env, args),
        subr::STRCHR => text::strchr(env, args),
        subr::STRRCHR => text::strrchr(env, args),
        subr::STRSTR => text::strstr(env, args),
        subr::STRTOK => text::strtok(env, args),
        subr::SUBSTR => text::substr(env, args),
        subr::INDEX => text::index(env, args),
        subr::RINDEX => text::rindex(env, args),
        subr::TOUPPER => text::toupper(env, args),
        subr::TOLOWER => text::tolower(env, args),
        subr::LLTOSTR => number::lltostr(env, args),
        subr::STRTOLL => number::strtoll(env, args),
        subr::BASENAME => path::basename(env, args),
        subr::DIRNAME => path::dirname(env, args),
        subr::CLEANPATH => path::cleanpath(env, args),
        subr::HTONS | subr::NTOHS => net::swap16(args),
        subr::HTONL | subr::NTOHL => net::swap32(args),
        subr::HTONLL | subr::NTOHLL => net::swap64(args),
        subr::INET_NTOP => net::inet_ntop(env, args),
        subr::INET_NTOA => net::inet_ntoa(env, args),
        subr::INET_NTOA6 => net::inet_ntoa6(env, args),
        subr::UUIDSTR => net::uuidstr(env, args),
        subr::JSON => json::json(env, args),
        _ => env.subroutine(number, args),
    }
}

/// An argument's value; a missing one is an illegal operation.
fn arg(args: &[TupleElement], at: usize) -> Result<u64, Fault> {
    args.get(at).map(|element| element.value).ok_or(Fault::at(FaultKind::IllOp, 0))
}

/// The low 32 bits as the signed `int` that D passes for subscripts and bases.
const fn int(value: u64) -> i64 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    widen(i32::from_le_bytes([a, b, c, d]))
}

const fn widen(value: i32) -> i64 {
    value as i64
}

fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Puts a string into scratch, terminated.
fn new_string<E: Env + ?Sized>(env: &mut E, text: &[u8]) -> Result<u64, Fault> {
    let to = env.alloca(size(text.len() + 1), 1)?;
    env.store(to, text)?;
    env.store(crate::string::offset(to, text.len()), &[0])?;
    Ok(to)
}

/// Puts `len` bytes of tracer memory into scratch as a string, terminated.
fn new_substring<E: Env + ?Sized>(env: &mut E, from: u64, len: usize) -> Result<u64, Fault> {
    let to = env.alloca(size(len + 1), 1)?;
    crate::string::copy_bytes(env, Space::Kernel, from, to, len)?;
    env.store(crate::string::offset(to, len), &[0])?;
    Ok(to)
}

/// Runs something that takes scratch only for itself.
fn scratch_back<E: Env + ?Sized, T>(
    env: &mut E,
    work: impl FnOnce(&mut E) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mark = env.scratch_mark();
    let result = work(env);
    env.scratch_release(mark);
    result
}

#[cfg(test)]
mod tests;
