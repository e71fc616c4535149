//! Byte order, Internet addresses, and universally unique identifiers.

use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use super::{arg, new_string};
use crate::env::{Env, Fault, FaultKind, TupleElement};

type Args<'a> = &'a [TupleElement];

/// `htons`, `ntohs`: the traced machines are little-endian.
pub(super) fn swap16(args: Args) -> Result<u64, Fault> {
    let [a, b, ..] = arg(args, 0)?.to_le_bytes();
    Ok(u64::from(u16::from_be_bytes([a, b])))
}

/// `htonl`, `ntohl`.
pub(super) fn swap32(args: Args) -> Result<u64, Fault> {
    let [a, b, c, d, ..] = arg(args, 0)?.to_le_bytes();
    Ok(u64::from(u32::from_be_bytes([a, b, c, d])))
}

/// `htonll`, `ntohll`.
pub(super) fn swap64(args: Args) -> Result<u64, Fault> {
    Ok(arg(args, 0)?.swap_bytes())
}

/// `AF_INET`, the same everywhere.
const INET: u64 = 2;
/// `AF_INET6` of Linux, of illumos and of FreeBSD.
const INET6: [u64; 3] = [10, 26, 28];

/// `inet_ntop(family, address)`.
pub(super) fn inet_ntop<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    match arg(args, 0)? {
        INET => v4(env, arg(args, 1)?),
        family if INET6.contains(&family) => v6(env, arg(args, 1)?, false),
        family => Err(Fault::at(FaultKind::IllOp, family)),
    }
}

/// `inet_ntoa(address)`: a pointer to four bytes.
pub(super) fn inet_ntoa<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    v4(env, arg(args, 0)?)
}

/// `inet_ntoa6(address)`: a pointer to sixteen bytes.
pub(super) fn inet_ntoa6<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    v6(env, arg(args, 0)?, true)
}

fn v4<E: Env + ?Sized>(env: &mut E, addr: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 4];
    env.read(addr, &mut bytes)?;
    print(env, Ipv4Addr::from(bytes))
}

/// An IPv6 address; `inet_ntoa6()` writes one that holds an IPv4 address as that alone.
fn v6<E: Env + ?Sized>(env: &mut E, addr: u64, alone: bool) -> Result<u64, Fault> {
    let mut bytes = [0; 16];
    env.read(addr, &mut bytes)?;
    match embedded(bytes) {
        Some(v4) if alone => print(env, v4),
        v4 => print(env, V6 { bytes, v4 }),
    }
}

/// The IPv4 address in a mapped or compatible one; `::` and `::1` are none.
fn embedded(bytes: [u8; 16]) -> Option<Ipv4Addr> {
    let address = Ipv6Addr::from(bytes);
    let own = address.is_unspecified() || address.is_loopback();
    address.to_ipv4().filter(|_| !own)
}

/// An IPv6 address as DTrace's kernels write it: as RFC 5952 says, but that a single group of zeros
/// is left out too, unless it is the last; and that of two runs which are the longest the later one is
/// if the byte behind it is zero.
struct V6 {
    bytes: [u8; 16],
    v4: Option<Ipv4Addr>,
}

impl V6 {
    /// The groups that `::` stands for.
    fn left_out(&self) -> Range<usize> {
        let (mut best, mut longest, mut start) = (0..0, 1, None);
        for (at, byte) in self.bytes.iter().enumerate() {
            match start {
                None if *byte == 0 && at % 2 == 0 => start = Some(at),
                Some(from) if *byte != 0 || at == 15 => {
                    start = None;
                    if at - from > longest {
                        let end = if *byte == 0 { 16 } else { at - at % 2 };
                        longest = end - from;
                        best = from / 2..end / 2;
                    }
                }
                _ => {}
            }
        }
        best
    }
}

impl fmt::Display for V6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = if self.v4.is_some() { 6 } else { 8 };
        // A run that goes on into an embedded address is written in full.
        let left_out = Some(self.left_out()).filter(|run| run.end <= groups).unwrap_or_default();
        let mut colon = false;
        for (at, group) in self.bytes.chunks_exact(2).enumerate().take(groups) {
            if at == left_out.start && !left_out.is_empty() {
                f.write_str("::")?;
                colon = false;
            }
            if left_out.contains(&at) {
                continue;
            }
            if colon {
                f.write_str(":")?;
            }
            let number = group.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
            write!(f, "{number:x}")?;
            colon = true;
        }
        match self.v4 {
            Some(v4) => write!(f, "{}{v4}", if colon { ":" } else { "" }),
            None => Ok(()),
        }
    }
}

/// `uuidstr(address)`: the sixteen bytes of a `struct uuid`, whose first three members are numbers in
/// the machine's byte order, in the form of RFC 9562.
pub(super) fn uuidstr<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    let mut bytes = [0; 16];
    env.read(arg(args, 0)?, &mut bytes)?;
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let low = u32::from_le_bytes([a, b, c, d]);
    let (mid, high) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let [i, j, k, l, m, n, o, p] = rest;
    let sequence = u16::from_be_bytes([i, j]);
    let node = u64::from_be_bytes([0, 0, k, l, m, n, o, p]);
    print(env, format_args!("{low:08x}-{mid:04x}-{high:04x}-{sequence:04x}-{node:012x}"))
}

/// Text of at most 63 bytes: the longest IPv6 address has 45.
struct Line {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn print<E: Env + ?Sized>(env: &mut E, what: impl fmt::Display) -> Result<u64, Fault> {
    let mut line = Line { bytes: [0; 64], len: 0 };
    write!(line, "{what}").map_err(|_| Fault::at(FaultKind::IllOp, 0))?;
    new_string(env, line.bytes.get(..line.len).unwrap_or_default())
}
