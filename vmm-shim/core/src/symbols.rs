//! The kernel's functions by address, for `immstack()`.
//!
//! ```text
//!  starts  [ a0 | a1 | a2 | … ]   sorted, one an address
//!  names   [ n0 | n1 | n2 | … ]   where each one's name lies in `text`
//!  text    "vfs_read" "ksys_read" …
//! ```
//! Built once when a guest's last SYMBOLS batch is there, then only read. Addresses alone lie in
//! one array, so that a search touches as few cache lines as it can.

use hypercall::{EntryError, symbol_entries};

/// A program counter this far behind the last function's start belongs to no function: where the
/// guest does not say how long its functions are, the last one would else reach to the end of the
/// address space.
const LONGEST_FUNCTION: u64 = 1 << 20;

/// Functions of one kernel, sorted by address.
#[derive(Debug, Default)]
pub struct SymbolTable {
    starts: Vec<u64>,
    names: Vec<Name>,
    text: String,
}

/// Where a function's name lies, and how long the function is.
#[derive(Clone, Copy, Debug)]
struct Name {
    at: u32,
    len: u16,
    size: u32,
}

impl SymbolTable {
    /// Takes the functions out of a checked blob of `SymbolHead` entries.
    ///
    /// # Errors
    /// The first entry that does not parse.
    pub fn build(blob: &[u8], count: u32) -> Result<Self, EntryError> {
        let mut found = Vec::new();
        for entry in symbol_entries(blob, count) {
            let entry = entry?;
            if matches!(entry.kind, b't' | b'T' | b'w' | b'W') && !entry.name.is_empty() {
                found.push(entry);
            }
        }
        // Of several names for one address the global one comes first, then the alphabet decides.
        found.sort_by_key(|e| (e.address, e.kind != b'T', e.name));
        found.dedup_by_key(|e| e.address);
        let mut table = Self::default();
        table.starts.reserve_exact(found.len());
        table.names.reserve_exact(found.len());
        for entry in found {
            let at = u32::try_from(table.text.len());
            let (Ok(at), Ok(len)) = (at, u16::try_from(entry.name.len())) else { break };
            table.text.push_str(entry.name);
            table.starts.push(entry.address);
            table.names.push(Name { at, len, size: entry.size });
        }
        Ok(table)
    }

    /// How many functions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The function that holds `addr`, and the offset in it.
    ///
    /// # Context
    /// On the firing path: no allocation, at most 32 steps.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<(&str, u64)> {
        let index = self.starts.partition_point(|&start| start <= addr).checked_sub(1)?;
        let offset = addr - self.starts.get(index)?;
        let name = self.names.get(index)?;
        let longest = if name.size == 0 { LONGEST_FUNCTION } else { u64::from(name.size) };
        if offset >= longest {
            return None;
        }
        let at = usize::try_from(name.at).ok()?;
        Some((self.text.get(at..at.checked_add(usize::from(name.len))?)?, offset))
    }

    /// Writes `function+0xoffset` (`function` alone at its very start), or `0xaddress` where no
    /// function is known, into `out`, cut at its end; returns how many bytes that took.
    ///
    /// # Context
    /// As [`SymbolTable::find`].
    pub fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize {
        let mut to = Writer { out, at: 0 };
        match self.find(addr) {
            Some((name, offset)) => {
                to.put(name.as_bytes());
                to.put(b"+0x");
                to.hex(offset);
            }
            None => {
                to.put(b"0x");
                to.hex(addr);
            }
        }
        to.at
    }
}

/// Fills a buffer and stops at its end.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let room = self.out.get_mut(self.at..).unwrap_or_default();
        let n = room.len().min(bytes.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), bytes.get(..n)) {
            to.copy_from_slice(from);
            self.at += n;
        }
    }

    fn hex(&mut self, value: u64) {
        let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let nibble = (value >> (place * 4)) & 0xf;
            let digit = char::from_digit(u32::try_from(nibble).unwrap_or(0), 16).unwrap_or('0');
            let mut byte = [0];
            self.put(digit.encode_utf8(&mut byte).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercall::SymbolEntry;
    use proptest::prelude::*;

    fn blob(symbols: &[(u8, u64, u32, &str)]) -> (Vec<u8>, u32) {
        let mut bytes = vec![0; 64 * symbols.len()];
        let mut at = 0;
        for &(kind, address, size, name) in symbols {
            let entry = SymbolEntry { kind, size, address, name, module: "vmlinux" };
            at += entry.write(&mut bytes[at..]).expect("fits");
        }
        bytes.truncate(at);
        (bytes, u32::try_from(symbols.len()).expect("few"))
    }

    fn text(table: &SymbolTable, addr: u64) -> String {
        let mut out = [0; 64];
        let n = table.symbolize(addr, &mut out);
        String::from_utf8(out[..n].to_vec()).expect("ASCII")
    }

    /// Data are no functions, aliases have one name, and an address outside every function stays
    /// a number.
    #[test]
    fn addresses_get_the_name_a_kernel_developer_expects() {
        let (bytes, n) = blob(&[
            (b'T', 0x2000, 0x80, "vfs_read"),
            (b't', 0x1000, 0, "alias_b"),
            (b'T', 0x1000, 0, "do_it"),
            (b'd', 0x1800, 0, "some_data"),
        ]);
        let table = SymbolTable::build(&bytes, n).expect("well-formed");
        assert_eq!(table.len(), 2);
        assert_eq!(text(&table, 0x1000), "do_it+0x0");
        assert_eq!(text(&table, 0x18ff), "do_it+0x8ff");
        assert_eq!(text(&table, 0x207f), "vfs_read+0x7f");
        assert_eq!(text(&table, 0x2080), "0x2080");
        assert_eq!(text(&table, 0x0fff), "0xfff");
        assert_eq!(text(&SymbolTable::default(), u64::MAX), "0xffffffffffffffff");
    }

    /// A short buffer gets the beginning, and nothing behind its end is touched.
    #[test]
    fn output_is_cut_at_the_buffers_end() {
        let (bytes, n) = blob(&[(b'T', 0x2000, 0, "vfs_read")]);
        let table = SymbolTable::build(&bytes, n).expect("well-formed");
        let mut out = [0; 10];
        assert_eq!(table.symbolize(0x2010, &mut out), 10);
        assert_eq!(&out, b"vfs_read+0");
    }

    proptest! {
        /// The search finds what looking at every function in turn would find.
        #[test]
        fn search_agrees_with_a_scan(starts in proptest::collection::btree_set(1_u64..10_000, 0..50), addr in 0_u64..12_000) {
            let symbols: Vec<_> = starts.iter().map(|&a| (b'T', a, 0, "f")).collect();
            let (bytes, n) = blob(&symbols);
            let table = SymbolTable::build(&bytes, n).expect("well-formed");
            let expected = starts.iter().rfind(|&&s| s <= addr).map(|s| addr - s);
            prop_assert_eq!(table.find(addr).map(|(_, offset)| offset), expected);
        }
    }
}
