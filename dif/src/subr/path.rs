//! Paths.

use super::{arg, new_string, new_substring, scratch_back, size};
use crate::{
    env::{Env, Fault, FaultKind, TupleElement},
    string::{self, Space, Text},
};

type Args<'a> = &'a [TupleElement];

/// The range of `basename`; `None` for an empty path.
fn base_range(path: &[u8]) -> Option<(usize, usize)> {
    if path.is_empty() {
        return None;
    }
    let Some(last) = path.iter().rposition(|byte| *byte != b'/') else {
        return Some((0, 1)); // slashes only
    };
    let end = last + 1;
    let head = path.get(..end).unwrap_or_default();
    let start = head.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    Some((start, end - start))
}

/// The range of `dirname`; `None` for a path without a directory.
fn dir_range(path: &[u8]) -> Option<(usize, usize)> {
    let last = match path.iter().rposition(|byte| *byte != b'/') {
        Some(last) => last,
        None if path.is_empty() => return None,
        None => return Some((0, 1)), // slashes only
    };
    let slash = path.get(..last)?.iter().rposition(|byte| *byte == b'/')?;
    let head = path.get(..slash)?;
    // The slashes before the base do not count; the root's does.
    Some((0, head.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1)))
}

fn part<E: Env + ?Sized>(
    env: &mut E,
    args: Args,
    range: fn(&[u8]) -> Option<(usize, usize)>,
) -> Result<u64, Fault> {
    let addr = arg(args, 0)?;
    let found = scratch_back(env, |env| {
        let text = Text::fetch(env, addr)?;
        Ok(range(text.bytes(env)?))
    })?;
    match found {
        Some((start, len)) => new_substring(env, string::offset(addr, start), len),
        None => new_string(env, b"."),
    }
}

/// `basename(path)`: in scratch; `.` for an empty path.
pub(super) fn basename<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    part(env, args, base_range)
}

/// `dirname(path)`: in scratch; `.` where there is no directory.
pub(super) fn dirname<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    part(env, args, dir_range)
}

/// Cleans a path in place and returns its new length: `//` and `/./` become `/`, `/x/../`
/// becomes `/`. A last `/.` stays and a last `/..` leaves a slash, as in classic DTrace.
fn clean(path: &mut [u8]) -> usize {
    let len = path.len();
    let (mut from, mut to) = (0, 0);
    while from < len {
        let at = |offset: usize| path.get(from + offset).copied();
        let skip = match (at(0), at(1), at(2), at(3)) {
            (Some(b'/'), Some(b'/'), ..) => 1,
            (Some(b'/'), Some(b'.'), Some(b'/'), _) => 2,
            (Some(b'/'), Some(b'.'), Some(b'.'), Some(b'/') | None) => {
                let kept = path.get(..to).unwrap_or_default();
                to = kept.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                if from + 3 == len {
                    put(path, &mut to, b'/');
                }
                3
            }
            (Some(byte), ..) => {
                put(path, &mut to, byte);
                1
            }
            (None, ..) => break,
        };
        from += skip;
    }
    to
}

fn put(path: &mut [u8], to: &mut usize, byte: u8) {
    if let Some(place) = path.get_mut(*to) {
        *place = byte;
    }
    *to += 1;
}

/// `cleanpath(path)`: in scratch.
pub(super) fn cleanpath<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let addr = arg(args, 0)?;
    let limit = env.strsize();
    let mark = env.scratch_mark();
    // One byte more than the string may have, for the NUL.
    let to = env.alloca(size(limit + 1), 1)?;
    let len = string::copy(env, Space::Kernel, addr, to, limit)?;
    let bytes = env.scratch_mut(to, len + 1).ok_or(Fault::at(FaultKind::BadAddr, to))?;
    let cleaned = clean(bytes.get_mut(..len).unwrap_or_default());
    if let Some(nul) = bytes.get_mut(cleaned) {
        *nul = 0;
    }
    // Keeps what the string needs and gives back the rest.
    env.scratch_release(mark);
    env.alloca(size(cleaned + 1), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(path: &str, range: fn(&[u8]) -> Option<(usize, usize)>) -> &str {
        range(path.as_bytes()).map_or(".", |(start, len)| &path[start..start + len])
    }

    /// `basename` as in basename(3).
    #[test]
    fn basename_is_the_last_component() {
        for (path, base) in [
            ("/usr/bin/ls", "ls"),
            ("ls", "ls"),
            ("/usr/bin/", "bin"),
            ("/usr//", "usr"),
            ("/", "/"),
            ("///", "/"),
            ("", "."),
        ] {
            assert_eq!(cut(path, base_range), base, "{path}");
        }
    }

    /// `dirname` as in dirname(3).
    #[test]
    fn dirname_is_what_precedes_it() {
        for (path, dir) in [
            ("/usr/bin/ls", "/usr/bin"),
            ("/usr/bin/", "/usr"),
            ("/usr", "/"),
            ("//usr", "/"),
            ("/usr//bin", "/usr"),
            ("ls", "."),
            ("ls/", "."),
            ("/", "/"),
            ("", "."),
        ] {
            assert_eq!(cut(path, dir_range), dir, "{path}");
        }
    }

    /// `cleanpath` as classic DTrace cleans, its odd ends included.
    #[test]
    fn cleanpath_takes_detours_out() {
        for (path, clean_path) in [
            ("/usr//bin", "/usr/bin"),
            ("/usr/./bin", "/usr/bin"),
            ("/usr/lib/../bin", "/usr/bin"),
            ("/a/b/../../c", "/c"),
            ("/../a", "/a"),
            ("/foo/..", "/"),
            ("/foo/bar/..", "/foo/"),
            ("/foo/.", "/foo/."),
            ("/foo//", "/foo/"),
            ("/..foo/.bar", "/..foo/.bar"),
            ("../a", "../a"),
            ("a/../b", "/b"),
            ("/././x", "/x"),
            ("", ""),
        ] {
            let mut bytes = path.as_bytes().to_vec();
            let len = clean(&mut bytes);
            assert_eq!(core::str::from_utf8(&bytes[..len]).unwrap(), clean_path, "{path}");
        }
    }
}
