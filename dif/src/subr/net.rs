//! Byte order and Internet addresses.

use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

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
        family if INET6.contains(&family) => v6(env, arg(args, 1)?),
        family => Err(Fault::at(FaultKind::IllOp, family)),
    }
}

/// `inet_ntoa(address)`: a pointer to four bytes.
pub(super) fn inet_ntoa<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    v4(env, arg(args, 0)?)
}

/// `inet_ntoa6(address)`: a pointer to sixteen bytes.
pub(super) fn inet_ntoa6<E: Env + ?Sized>(env: &mut E, args: Args) -> Result<u64, Fault> {
    v6(env, arg(args, 0)?)
}

fn v4<E: Env + ?Sized>(env: &mut E, addr: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 4];
    env.read(addr, &mut bytes)?;
    print(env, Ipv4Addr::from(bytes))
}

/// In the form of RFC 5952, but with the last 32 bits of mapped and compatible addresses in
/// decimal, as `inet_ntop(3)` writes them.
fn v6<E: Env + ?Sized>(env: &mut E, addr: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 16];
    env.read(addr, &mut bytes)?;
    print(env, Ipv6Addr::from(bytes))
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
