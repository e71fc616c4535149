//! A machine's kernel symbols: addresses to names for printing, names to addresses for scripts.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use dlang::{types::ctf::CtfSymbol, world::Symbol};
use hypercall::{EntryError, SymbolEntry, symbol_entries};

use crate::format::{SymbolName, Symbolizer};

/// An address this far behind the last symbol that has no size belongs to none.
const LONGEST: u64 = 1 << 20;

/// One symbol: where its texts lie in the blob.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u64,
    size: u64,
    name: (u32, u16),
    module: u16,
    /// In the order in which the machine told them.
    place: u32,
    /// nm's letter.
    kind: u8,
}

/// What the table of a machine's symbols is made by, when it is first asked.
type Maker = Box<dyn FnOnce() -> Table + Send>;

/// A kernel's symbols. Copies share one table.
#[derive(Clone, Debug)]
pub struct SymbolTable {
    table: Arc<LazyLock<Table, Maker>>,
}

impl Default for SymbolTable {
    fn default() -> Self {
        Self::made_by(Table::default)
    }
}

impl SymbolTable {
    fn made_by(make: impl FnOnce() -> Table + Send + 'static) -> Self {
        Self { table: Arc::new(LazyLock::new(Box::new(make))) }
    }

    /// Takes a blob of entries.
    ///
    /// # Errors
    /// The first entry that is malformed.
    pub fn parse(blob: &[u8], count: u32) -> Result<Self, EntryError> {
        let entries = symbol_entries(blob, count).collect::<Result<_, _>>()?;
        let table = Table::new(entries);
        Ok(Self::made_by(move || table))
    }

    /// Takes a text that `read` finds symbols in. It is read when the first is wanted, since most
    /// scripts want none.
    #[must_use]
    pub fn later(text: String, read: fn(&str) -> Vec<SymbolEntry<'_>>) -> Self {
        Self::made_by(move || Table::new(read(&text)))
    }

    /// How many symbols.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.entries.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.entries.is_empty()
    }

    /// A module's functions and objects in the order of its symbol table, in which a guest with CTF
    /// tells them: CTF's types of functions have no names but this order.
    #[must_use]
    pub fn ctf_symbols(&self, module: &str) -> Vec<CtfSymbol> {
        self.table.ctf_symbols(module)
    }

    /// Looks a name up, in one module if one is given.
    #[must_use]
    pub fn find(&self, module: Option<&str>, name: &str) -> Option<Symbol> {
        self.table.find(module, name)
    }
}

/// Symbols sorted by address.
#[derive(Debug, Default)]
struct Table {
    text: String,
    modules: Vec<String>,
    entries: Vec<Entry>,
}

impl Table {
    fn new(all: Vec<SymbolEntry<'_>>) -> Self {
        let mut table = Self::default();
        let mut modules = HashMap::new();
        let mut found: Vec<(u32, SymbolEntry<'_>)> = (0..).zip(all).collect();
        found.retain(|(_, symbol)| !symbol.name.is_empty() && symbol.address != 0);
        // Of several names for one address the global one is shown.
        found.sort_by_key(|(_, s)| (s.address, !s.kind.is_ascii_uppercase(), s.name));
        for (place, symbol) in found {
            let module = *modules.entry(symbol.module).or_insert_with(|| {
                table.modules.push(symbol.module.to_owned());
                u16::try_from(table.modules.len() - 1).unwrap_or(u16::MAX)
            });
            let at = u32::try_from(table.text.len());
            let (Ok(at), Ok(len)) = (at, u16::try_from(symbol.name.len())) else { break };
            table.text.push_str(symbol.name);
            let size = u64::from(symbol.size);
            let (address, name, kind) = (symbol.address, (at, len), symbol.kind);
            table.entries.push(Entry { address, size, name, module, place, kind });
        }
        table
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = usize::try_from(entry.name.0).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::from(entry.name.1));
        self.text.get(start..end).unwrap_or_default()
    }

    fn module(&self, entry: &Entry) -> &str {
        self.modules.get(usize::from(entry.module)).map_or("", String::as_str)
    }

    /// The symbol that covers an address.
    fn covering(&self, address: u64) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.address <= address);
        let start = self.entries.get(after.checked_sub(1)?)?.address;
        let first = self.entries.partition_point(|entry| entry.address < start);
        let entry = self.entries.get(first)?;
        let next = self.entries.get(after).map_or(u64::MAX, |entry| entry.address);
        let reach = if entry.size > 0 { entry.size } else { (next - start).min(LONGEST) };
        (address - start < reach || address == start).then_some(entry)
    }

    fn ctf_symbols(&self, module: &str) -> Vec<CtfSymbol> {
        let counted = |entry: &&Entry| {
            matches!(entry.kind, b'T' | b't' | b'D' | b'd')
                && self.module(entry) == module
                && !matches!(self.name(entry), "_START_" | "_END_")
        };
        let mut found: Vec<&Entry> = self.entries.iter().filter(counted).collect();
        found.sort_by_key(|entry| entry.place);
        let symbol = |entry: &Entry| CtfSymbol {
            name: self.name(entry).to_owned(),
            is_function: entry.kind.eq_ignore_ascii_case(&b't'),
        };
        found.into_iter().map(symbol).collect()
    }

    fn find(&self, module: Option<&str>, name: &str) -> Option<Symbol> {
        let fits = |entry: &&Entry| {
            self.name(entry) == name && module.is_none_or(|module| same(module, self.module(entry)))
        };
        let entry = self.entries.iter().find(fits)?;
        let module = self.module(entry).to_owned();
        Some(Symbol { address: entry.address, size: entry.size, module })
    }
}

/// The kernel image is `vmlinux` to Linux, `kernel` to FreeBSD, and either to users.
fn same(wanted: &str, module: &str) -> bool {
    let image = |name: &str| matches!(name, "vmlinux" | "kernel");
    wanted == module || (image(wanted) && image(module))
}

impl Symbolizer for SymbolTable {
    fn lookup(&self, address: u64) -> Option<SymbolName> {
        let table = &**self.table;
        let entry = table.covering(address)?;
        let (module, name) = (table.module(entry).to_owned(), table.name(entry).to_owned());
        Some(SymbolName { module, name, start: entry.address })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table of symbols: address, size, name, module.
    pub(crate) fn table(symbols: &[(u64, u32, &str, &str)]) -> SymbolTable {
        let mut blob = Vec::new();
        for &(address, size, name, module) in symbols {
            let mut room = [0_u8; 2048];
            let entry = SymbolEntry { kind: b'T', size, address, name, module };
            let len = entry.write(&mut room).unwrap();
            blob.extend_from_slice(&room[..len]);
        }
        SymbolTable::parse(&blob, u32::try_from(symbols.len()).unwrap()).unwrap()
    }

    /// An address is named after the symbol that covers it; sizes end a symbol, and so does the
    /// next one.
    #[test]
    fn addresses_have_names() {
        let table = table(&[
            (0x2000, 0x10, "b", "ext4"),
            (0x1000, 0, "a", "vmlinux"),
            (0x1000, 0, "a_alias", "vmlinux"),
        ]);
        let name = |address| table.lookup(address).map(|s| (s.name, s.module, s.start));
        assert_eq!(name(0x1004), Some(("a".into(), "vmlinux".into(), 0x1000)));
        assert_eq!(name(0x200f), Some(("b".into(), "ext4".into(), 0x2000)));
        assert_eq!(name(0x2010), None);
        assert_eq!(name(0xfff), None);
    }

    /// CTF counts functions and objects of one module in the order they were told, not by address,
    /// and nothing else.
    #[test]
    fn ctf_counts_symbols_as_they_were_told() {
        let symbols = [
            (b'T', 0x3000, "late", "kernel"),
            (b'd', 0x9000, "ticks", "kernel"),
            (b'n', 0x1000, "btext", "kernel"),
            (b'i', 0x2000, "memcpy", "kernel"),
            (b't', 0x5000, "other", "if_em"),
            (b't', 0x1000, "early", "kernel"),
        ];
        let mut blob = Vec::new();
        for (kind, address, name, module) in symbols {
            let mut room = [0_u8; 2048];
            let len = SymbolEntry { kind, size: 8, address, name, module }.write(&mut room);
            blob.extend_from_slice(&room[..len.unwrap()]);
        }
        let table = SymbolTable::parse(&blob, 6).unwrap();
        let symbol = |name: &str, is_function| CtfSymbol { name: name.into(), is_function };
        let wanted = [symbol("late", true), symbol("ticks", false), symbol("early", true)];
        assert_eq!(table.ctf_symbols("kernel"), wanted);
        assert_eq!(table.ctf_symbols("if_em"), [symbol("other", true)]);
    }

    /// Names are found in any module or in one; the kernel image answers to both its names.
    #[test]
    fn names_have_addresses() {
        let table = table(&[(0x1000, 8, "x", "vmlinux"), (0x2000, 8, "x", "ext4")]);
        assert_eq!(table.find(None, "x").unwrap().address, 0x1000);
        assert_eq!(table.find(Some("ext4"), "x").unwrap().address, 0x2000);
        assert_eq!(table.find(Some("kernel"), "x").unwrap().address, 0x1000);
        assert_eq!(table.find(Some("xfs"), "x"), None);
    }
}
