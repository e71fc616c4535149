//! The entries of PROBES and SYMBOLS batches: read from hostile bytes, and written.
//!
//! ```text
//!  ┌─────┬──────┬───────┬─────────┬───────────────────────────────────────┬─────┐
//!  │ len │ kind │ nargs │ address │ provider\0 module\0 function\0 name\0 … │ pad │
//!  └─────┴──────┴───────┴─────────┴───────────────────────────────────────┴─────┘
//! ```
//! An iterator ends with the first fault, so a reader cannot lose its place and go on.

use zerocopy::{FromBytes, IntoBytes};

use crate::layout::abi_struct;
use crate::text::printable;
use crate::values::ProbeKind;

/// Longest provider, module and probe name, without the NUL.
pub const MAX_NAME: usize = 63;
/// Longest function name of a probe, without the NUL.
pub const MAX_FUNCTION: usize = 191;
/// Longest name of a symbol, without the NUL.
pub const MAX_SYMBOL: usize = 511;
/// Longest list of argument types, without the NUL.
pub const MAX_TYPES: usize = 1023;

abi_struct! {
    /// Head of an entry in a PROBES batch. Five NUL-terminated strings follow: provider, module,
    /// function, name, argument types; then zeros up to `len`.
    pub struct ProbeHead[12] {
        /// Bytes of the whole entry, a multiple of 4.
        pub len: u16 = 0,
        /// A `ProbeKind`.
        pub kind: u8 = 2,
        /// How many arguments the probe has.
        pub nargs: u8 = 3,
        /// Address of the function or 0: its low half (entries are aligned to 4 only).
        pub address_low: u32 = 4,
        /// Its high half.
        pub address_high: u32 = 8,
    }
}

abi_struct! {
    /// Head of an entry in a SYMBOLS batch. Two NUL-terminated strings follow: name, module; then
    /// zeros up to `len`.
    pub struct SymbolHead[16] {
        /// Bytes of the whole entry, a multiple of 4.
        pub len: u16 = 0,
        /// nm's letter.
        pub kind: u8 = 2,
        /// Zero.
        pub reserved: u8 = 3,
        /// Bytes of the object, 0 if unknown.
        pub size: u32 = 4,
        /// Its address: the low half.
        pub address_low: u32 = 8,
        /// Its high half.
        pub address_high: u32 = 12,
    }
}

/// Why a batch was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// The batch ends inside an entry at this offset.
    Truncated(usize),
    /// The entry at this offset has a length that is no multiple of 4 or too short.
    BadLength(usize),
    /// The entry at this offset has an unknown kind.
    BadKind(usize),
    /// A string of the entry at this offset has no end, is too long, or is not printable.
    BadString(usize),
    /// All announced entries are read and bytes are left from this offset on.
    Surplus(usize),
}

impl core::fmt::Display for EntryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, at) = match *self {
            Self::Truncated(at) => ("the batch ends inside the entry", at),
            Self::BadLength(at) => ("bad length of the entry", at),
            Self::BadKind(at) => ("unknown kind of the entry", at),
            Self::BadString(at) => ("bad string in the entry", at),
            Self::Surplus(at) => ("bytes behind the last entry", at),
        };
        write!(f, "{what} at offset {at}")
    }
}

impl core::error::Error for EntryError {}

/// One probe as a guest announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeEntry<'a> {
    /// How it instruments.
    pub kind: ProbeKind,
    /// How many arguments it has.
    pub nargs: u8,
    /// Address of its function, or 0.
    pub address: u64,
    /// Provider.
    pub provider: &'a str,
    /// Module.
    pub module: &'a str,
    /// Function.
    pub function: &'a str,
    /// Name.
    pub name: &'a str,
    /// Comma separated argument types; empty if the host shall derive them.
    pub args: &'a str,
}

/// One symbol as a guest announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolEntry<'a> {
    /// nm's letter.
    pub kind: u8,
    /// Bytes of the object, 0 if unknown.
    pub size: u32,
    /// Its address.
    pub address: u64,
    /// Its name.
    pub name: &'a str,
    /// Its module; `vmlinux` or `kernel` for the image itself.
    pub module: &'a str,
}

/// Reads `count` probes from a batch.
#[must_use]
pub const fn probe_entries(batch: &[u8], count: u32) -> ProbeEntries<'_> {
    ProbeEntries(Cursor { batch, at: 0, left: count, done: false })
}

/// Reads `count` symbols from a batch.
#[must_use]
pub const fn symbol_entries(batch: &[u8], count: u32) -> SymbolEntries<'_> {
    SymbolEntries(Cursor { batch, at: 0, left: count, done: false })
}

/// See [`probe_entries`].
#[derive(Clone, Debug)]
pub struct ProbeEntries<'a>(Cursor<'a>);

/// See [`symbol_entries`].
#[derive(Clone, Debug)]
pub struct SymbolEntries<'a>(Cursor<'a>);

impl<'a> Iterator for ProbeEntries<'a> {
    type Item = Result<ProbeEntry<'a>, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step(parse_probe)
    }
}

impl<'a> Iterator for SymbolEntries<'a> {
    type Item = Result<SymbolEntry<'a>, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step(parse_symbol)
    }
}

/// Where in a batch a reader stands.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    batch: &'a [u8],
    at: usize,
    left: u32,
    done: bool,
}

impl<'a> Cursor<'a> {
    /// The next entry through `parse`; after a fault, nothing more.
    fn step<T>(
        &mut self,
        parse: fn(&'a [u8], usize) -> Result<T, EntryError>,
    ) -> Option<Result<T, EntryError>> {
        if self.done {
            return None;
        }
        let item = if self.left == 0 {
            self.done = true;
            (self.at < self.batch.len()).then_some(Err(EntryError::Surplus(self.at)))?
        } else {
            self.entry().and_then(|(entry, at)| parse(entry, at))
        };
        self.done |= item.is_err();
        Some(item)
    }

    /// Cuts the next entry off the batch.
    fn entry(&mut self) -> Result<(&'a [u8], usize), EntryError> {
        let at = self.at;
        let rest = self.batch.get(at..).unwrap_or_default();
        let (len, _) = u16::read_from_prefix(rest).map_err(|_| EntryError::Truncated(at))?;
        if len == 0 || len % 4 != 0 {
            return Err(EntryError::BadLength(at));
        }
        let entry = rest.get(..usize::from(len)).ok_or(EntryError::Truncated(at))?;
        self.at = at + usize::from(len);
        self.left -= 1;
        Ok((entry, at))
    }
}

fn parse_probe(entry: &[u8], at: usize) -> Result<ProbeEntry<'_>, EntryError> {
    let (head, mut rest) =
        ProbeHead::read_from_prefix(entry).map_err(|_| EntryError::BadLength(at))?;
    let kind = ProbeKind::from_raw(head.kind).ok_or(EntryError::BadKind(at))?;
    let mut string = |most| cut(&mut rest, most).ok_or(EntryError::BadString(at));
    Ok(ProbeEntry {
        kind,
        nargs: head.nargs,
        address: join(head.address_low, head.address_high),
        provider: string(MAX_NAME)?,
        module: string(MAX_NAME)?,
        function: string(MAX_FUNCTION)?,
        name: string(MAX_NAME)?,
        args: string(MAX_TYPES)?,
    })
}

fn parse_symbol(entry: &[u8], at: usize) -> Result<SymbolEntry<'_>, EntryError> {
    let (head, mut rest) =
        SymbolHead::read_from_prefix(entry).map_err(|_| EntryError::BadLength(at))?;
    if !head.kind.is_ascii_graphic() {
        return Err(EntryError::BadKind(at));
    }
    let mut string = |most| cut(&mut rest, most).ok_or(EntryError::BadString(at));
    Ok(SymbolEntry {
        kind: head.kind,
        size: head.size,
        address: join(head.address_low, head.address_high),
        name: string(MAX_SYMBOL)?,
        module: string(MAX_NAME)?,
    })
}

/// Cuts a NUL-terminated printable string off `rest`.
fn cut<'a>(rest: &mut &'a [u8], most: usize) -> Option<&'a str> {
    let end = rest.iter().take(most + 1).position(|&b| b == 0)?;
    let (string, tail) = rest.split_at_checked(end)?;
    *rest = tail.get(1..)?;
    printable(string)
}

/// Both halves of an address.
fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The halves of an address: low, high.
fn split(address: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = address.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

impl ProbeEntry<'_> {
    /// Writes the entry as a guest would; returns its bytes, or `None` if `out` is too small or
    /// the entry too long.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let strings = [self.provider, self.module, self.function, self.name, self.args];
        let len = entry_len(size_of::<ProbeHead>(), &strings)?;
        let (address_low, address_high) = split(self.address);
        let (kind, nargs) = (self.kind.raw(), self.nargs);
        let head = ProbeHead { len, kind, nargs, address_low, address_high };
        fill(out, len, head.as_bytes(), &strings)
    }
}

impl SymbolEntry<'_> {
    /// As [`ProbeEntry::write`].
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let strings = [self.name, self.module];
        let len = entry_len(size_of::<SymbolHead>(), &strings)?;
        let (address_low, address_high) = split(self.address);
        let (kind, size) = (self.kind, self.size);
        let head = SymbolHead { len, kind, reserved: 0, size, address_low, address_high };
        fill(out, len, head.as_bytes(), &strings)
    }
}

/// Bytes of an entry with these strings, rounded up to 4.
fn entry_len(head: usize, strings: &[&str]) -> Option<u16> {
    let bytes = strings.iter().fold(head, |sum, s| sum + s.len() + 1);
    u16::try_from(bytes.next_multiple_of(4)).ok()
}

/// Writes head, strings and padding.
fn fill(out: &mut [u8], len: u16, head: &[u8], strings: &[&str]) -> Option<usize> {
    let len = usize::from(len);
    let out = out.get_mut(..len)?;
    out.fill(0);
    let (first, mut rest) = out.split_at_mut_checked(head.len())?;
    first.copy_from_slice(head);
    for string in strings {
        let (place, tail) = rest.split_at_mut_checked(string.len() + 1)?;
        place.get_mut(..string.len())?.copy_from_slice(string.as_bytes());
        rest = tail;
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROBE: ProbeEntry<'static> = ProbeEntry {
        kind: ProbeKind::Proc,
        nargs: 1,
        address: 0xffff_ffff_8123_4567,
        provider: "proc",
        module: "vmlinux",
        function: "bprm_execve",
        name: "exec",
        args: "char *",
    };

    fn batch(count: usize) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let mut at = 0;
        for _ in 0..count {
            at += PROBE.write(&mut bytes[at..]).expect("fits");
        }
        bytes.truncate(at);
        bytes
    }

    /// Entries are multiples of 4 and come back as written.
    #[test]
    fn probes_round_trip() {
        let bytes = batch(3);
        assert_eq!(bytes.len() % 4, 0);
        let read: Vec<_> = probe_entries(&bytes, 3).collect();
        assert_eq!(read, vec![Ok(PROBE); 3]);
    }

    /// Reading stops at the first fault, whichever it is.
    #[test]
    fn faults_end_the_batch() {
        let bytes = batch(2);
        let half = bytes.len() / 2;
        let mut cut = probe_entries(&bytes[..half + 4], 2);
        assert_eq!(cut.next(), Some(Ok(PROBE)));
        assert_eq!(cut.next(), Some(Err(EntryError::Truncated(half))));
        assert_eq!(cut.next(), None);
        let surplus: Vec<_> = probe_entries(&bytes, 1).collect();
        assert_eq!(surplus, vec![Ok(PROBE), Err(EntryError::Surplus(half))]);
        let mut kind = bytes.clone();
        kind[2] = 200;
        assert_eq!(probe_entries(&kind, 2).next(), Some(Err(EntryError::BadKind(0))));
        let mut odd = bytes.clone();
        odd[0] = 13;
        assert_eq!(probe_entries(&odd, 2).next(), Some(Err(EntryError::BadLength(0))));
        let mut escape = bytes;
        escape[12] = 0x1b;
        assert_eq!(probe_entries(&escape, 2).next(), Some(Err(EntryError::BadString(0))));
        assert_eq!(probe_entries(&[4, 0, 1, 1], 1).next(), Some(Err(EntryError::BadLength(0))));
        assert_eq!(probe_entries(&[], 1).next(), Some(Err(EntryError::Truncated(0))));
        assert_eq!(probe_entries(&[], 0).next(), None);
    }

    fn word(most: usize) -> impl Strategy<Value = String> {
        proptest::string::string_regex(&format!("[ -~]{{0,{most}}}")).expect("a valid pattern")
    }

    proptest! {
        /// Any symbol within the limits round-trips.
        #[test]
        fn symbols_round_trip(
            address in any::<u64>(), size in any::<u32>(), kind in 0x21_u8..0x7f,
            name in word(MAX_SYMBOL), module in word(MAX_NAME),
        ) {
            let symbol = SymbolEntry { kind, size, address, name: &name, module: &module };
            let mut bytes = [0; 1024];
            let len = symbol.write(&mut bytes).expect("fits");
            let read: Vec<_> = symbol_entries(&bytes[..len], 1).collect();
            prop_assert_eq!(read, vec![Ok(symbol)]);
        }

        /// No bytes whatever make a reader panic or yield more than was announced.
        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
            len in 0_u8..80, count in 0_u32..40,
        ) {
            if let Some(first) = bytes.first_mut() { *first = len; }
            if let Some(second) = bytes.get_mut(1) { *second = 0; }
            prop_assert!(probe_entries(&bytes, count).count() <= count as usize + 1);
            prop_assert!(symbol_entries(&bytes, count).count() <= count as usize + 1);
        }
    }
}
