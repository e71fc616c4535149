//! Subroutines on strings.

use super::{arg, new_substring, scratch_back, size};
use crate::{
    env::{Env, Fault, FaultKind, TupleElement},
    string::{self, Space, Text},
};

type Args<'a> = &'a [TupleElement];

/// `strlen(s)`.
pub(super) fn strlen<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let limit = env.strsize();
    string::length(env, arg(args, 0)?, limit).map(size)
}

/// `strjoin(a, b)`: both, in scratch; what does not fit into `strsize` is a fault, as in classic
/// DTrace.
pub(super) fn strjoin<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (a, b) = (arg(args, 0)?, arg(args, 1)?);
    let limit = env.strsize();
    let mark = env.scratch_mark();
    let to = env.alloca(size(limit), 1)?;
    // Scratch that nobody had taken is no string because it is taken now.
    if let Some(stale) = [a, b].into_iter().find(|from| from.wrapping_sub(to) < size(limit)) {
        return Err(Fault::at(FaultKind::BadAddr, stale));
    }
    let first = string::copy(env, Space::Kernel, a, to, limit)?;
    let refused = Fault::at(FaultKind::NoScratch, size(limit));
    if first == limit {
        return Err(refused);
    }
    let second = string::copy(env, Space::Kernel, b, string::offset(to, first), limit - first)?;
    let len = first + second;
    if len == limit {
        return Err(refused);
    }
    env.store(string::offset(to, len), &[0])?;
    // Keeps what the string needs and gives back the rest.
    env.scratch_release(mark);
    env.alloca(size(len + 1), 1)
}

/// The address of what `find` finds in the string, or 0.
fn locate<E: Env + ?Sized>(
    env: &mut E,
    addr: u64,
    find: impl FnOnce(&[u8]) -> Option<usize>,
) -> Result<u64, Fault> {
    scratch_back(env, |env| {
        let text = Text::fetch(env, addr)?;
        Ok(find(text.bytes(env)?).map_or(0, |at| string::offset(text.addr, at)))
    })
}

const fn char(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// `strchr(s, c)`: where `c` first is; the end of the string for NUL, if that is within
/// `strsize`.
pub(super) fn strchr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (wanted, limit) = (char(arg(args, 1)?), env.strsize());
    locate(env, arg(args, 0)?, |bytes| match wanted {
        0 => Some(bytes.len()).filter(|end| *end < limit),
        _ => bytes.iter().position(|byte| *byte == wanted),
    })
}

/// `strrchr(s, c)`: where `c` last is; the end of the string for NUL, if that is within
/// `strsize`.
pub(super) fn strrchr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (wanted, limit) = (char(arg(args, 1)?), env.strsize());
    locate(env, arg(args, 0)?, |bytes| match wanted {
        0 => Some(bytes.len()).filter(|end| *end < limit),
        _ => bytes.iter().rposition(|byte| *byte == wanted),
    })
}

/// Two strings side by side.
fn both<E: Env + ?Sized, T>(
    env: &mut E,
    args: Args,
    work: impl FnOnce(&Text, &[u8], &[u8]) -> T,
) -> Result<T, Fault> {
    let (a, b) = (arg(args, 0)?, arg(args, 1)?);
    scratch_back(env, |env| {
        let (a, b) = (Text::fetch(env, a)?, Text::fetch(env, b)?);
        Ok(work(&a, a.bytes(env)?, b.bytes(env)?))
    })
}

/// The first place at or after `start` where `part` stands.
///
/// A match of `part` ends within `text`; its first byte is searched for, then the rest compared:
/// at most `strsize` squared byte comparisons, and in practice one pass.
fn find_from(text: &[u8], part: &[u8], start: usize) -> Option<usize> {
    let last = text.len().checked_sub(part.len())?;
    let Some(first) = part.first() else {
        return (start <= last).then_some(start);
    };
    (start..=last)
        .find(|at| text.get(*at) == Some(first) && text.get(*at..*at + part.len()) == Some(part))
}

/// The last place at or before `start` where `part` stands.
fn find_back(text: &[u8], part: &[u8], start: usize) -> Option<usize> {
    let last = text.len().checked_sub(part.len())?;
    (0..=last.min(start)).rev().find(|at| text.get(*at..*at + part.len()) == Some(part))
}

/// `strstr(s, part)`: where `part` first stands, or 0.
pub(super) fn strstr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    both(env, args, |text, bytes, part| {
        find_from(bytes, part, 0).map_or(0, |at| string::offset(text.addr, at))
    })
}

const NOT_FOUND: u64 = u64::MAX; // -1

/// `index(s, part[, start])`: the subscript of `part`, or -1.
pub(super) fn index<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let start = args.get(2).map_or(0, |start| start.value.cast_signed());
    both(env, args, |_, bytes, part| {
        // A start before the string is the string's start; one behind it finds nothing, except
        // that an empty part is found at the end.
        let start = usize::try_from(start).unwrap_or(0);
        let start = if part.is_empty() { start.min(bytes.len()) } else { start };
        find_from(bytes, part, start).map_or(NOT_FOUND, size)
    })
}

/// `rindex(s, part[, start])`: the subscript of the last `part` at or before `start`, or -1.
pub(super) fn rindex<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let start = args.get(2).map(|start| start.value.cast_signed());
    both(env, args, |_, bytes, part| {
        let start = match start {
            None => usize::MAX,
            // Nothing starts before the string, but an empty part is found at its start.
            Some(start) => match usize::try_from(start) {
                Ok(start) => start,
                Err(_) if part.is_empty() => 0,
                Err(_) => return NOT_FOUND,
            },
        };
        find_back(bytes, part, start).map_or(NOT_FOUND, size)
    })
}

/// Which part of `len` bytes `substr(s, index, length)` is; without a length, `limit` stands for it.
/// Negative subscripts count from the end; a negative length leaves that many bytes out at the end
/// (Perl's rules, as in DTrace).
fn substr_range(len: usize, index: i64, wanted: Option<i64>, limit: usize) -> (usize, usize) {
    let long = |len| i64::try_from(len).unwrap_or(i64::MAX);
    let total = long(len);
    let mut start = index;
    let mut count = wanted.unwrap_or(long(limit));
    if index < 0 {
        start = index + total;
        if start < 0 && count > 0 && start + count > 0 {
            // The part before the string counts as taken.
            count += start;
            start = 0;
        }
    }
    if start >= total || start < 0 {
        return (len, 0);
    }
    let rest = total - start;
    let count = if count < 0 { rest + count } else { count.min(rest) };
    let to_usize = |n: i64| usize::try_from(n).unwrap_or(0);
    (to_usize(start), to_usize(count))
}

/// `substr(s, index[, length])`: a part of a string, in scratch.
pub(super) fn substr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (addr, index) = (arg(args, 0)?, arg(args, 1)?.cast_signed());
    let wanted = args.get(2).map(|len| len.value.cast_signed());
    let limit = env.strsize();
    let len = string::length(env, addr, limit)?;
    let (start, count) = substr_range(len, index, wanted, limit);
    new_substring(env, string::offset(addr, start), count)
}

/// A set of bytes.
struct Bytes([u64; 4]);

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        let mut set = [0; 4];
        for byte in bytes {
            if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        Self(set)
    }

    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }
}

/// `strtok(s, separators)`: the next token, in scratch, or 0. `s` of 0 goes on with the string of
/// the call before.
pub(super) fn strtok<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let (given, separators) = (arg(args, 0)?, arg(args, 1)?);
    let addr = if given == 0 { *env.strtok_state() } else { given };
    if addr == 0 {
        return Ok(0);
    }
    let mark = env.scratch_mark();
    let set = Text::fetch(env, separators)?;
    let set = Bytes::of(set.bytes(env)?);
    let text = Text::fetch(env, addr)?;
    let bytes = text.bytes(env)?;
    let start = bytes.iter().position(|byte| !set.has(*byte));
    let Some(start) = start else {
        env.scratch_release(mark);
        *env.strtok_state() = 0;
        return Ok(0);
    };
    let rest = bytes.get(start..).unwrap_or_default();
    let len = rest.iter().position(|byte| set.has(*byte)).unwrap_or(rest.len());
    let end = start + len;
    // What follows the separator is next; at the string's end nothing is.
    *env.strtok_state() = if end < text.len { string::offset(text.addr, end + 1) } else { 0 };
    env.scratch_release(mark);
    new_substring(env, string::offset(text.addr, start), len)
}

fn mapped<E: Env + ?Sized>(env: &mut E, args: Args, map: fn(&mut [u8])) -> Result<u64, Fault> {
    let addr = arg(args, 0)?;
    let limit = env.strsize();
    let len = string::length(env, addr, limit)?;
    let to = new_substring(env, addr, len)?;
    if let Some(bytes) = env.scratch_mut(to, len) {
        map(bytes);
    }
    Ok(to)
}

/// `toupper(s)`: in scratch.
pub(super) fn toupper<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    mapped(env, args, |bytes| bytes.make_ascii_uppercase())
}

/// `tolower(s)`: in scratch.
pub(super) fn tolower<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    mapped(env, args, |bytes| bytes.make_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Perl's rules for every sign of subscript and length.
    #[test]
    fn substr_takes_the_part_perl_would() {
        let part = |index, len| {
            let (start, count) = substr_range(6, index, len, 256);
            (start, count)
        };
        assert_eq!(part(0, None), (0, 6));
        assert_eq!(part(2, None), (2, 4));
        assert_eq!(part(2, Some(3)), (2, 3));
        assert_eq!(part(2, Some(100)), (2, 4));
        assert_eq!(part(-2, None), (4, 2));
        assert_eq!(part(-2, Some(1)), (4, 1));
        assert_eq!(part(1, Some(-2)), (1, 3));
        assert_eq!(part(-8, Some(4)), (0, 2));
        assert_eq!(part(-8, Some(2)), (6, 0));
        assert_eq!(part(-8, None), (0, 6));
        assert_eq!(part(-300, None), (6, 0));
        assert_eq!(part(6, Some(1)), (6, 0));
        assert_eq!(part(0, Some(-7)), (0, 0));
        assert_eq!(part(i64::MIN, Some(i64::MIN)), (6, 0));
        assert_eq!(part(i64::MIN, Some(i64::MAX)), (0, 5));
        assert_eq!(part(i64::MAX, None), (6, 0));
    }
}
