//! What records and aggregations look like: dtrace(1)'s layout, to the column.
//!
//! Everything here turns decoded data into bytes (D strings need not be UTF-8) and knows neither
//! arenas nor machines: a [`Context`] answers for symbols and options. Data came through memory
//! that others can write, so nothing is indexed without a check, and a value that does not fit
//! its declared kind is shown as what it is, never trusted.

pub mod aggregate;
pub mod datum;
mod escape;
mod field;
pub mod printf;
pub mod quantize;
pub mod row;
pub mod stack;
pub mod structured;
mod time;
pub mod typed;
pub mod user;

pub use datum::{Datum, Place};
pub use field::{Field, MAX_WIDTH};
use host::ids::MachineId;

/// Names addresses of the machine on which a probe fired.
pub trait Symbolizer {
    /// The module, name and start of the symbol that covers an address.
    fn lookup(&self, address: u64) -> Option<SymbolName>;
}

/// A symbol, as found for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolName {
    /// `kernel`, `ext4`, ….
    pub module: String,
    /// The function's or datum's name.
    pub name: String,
    /// Where it starts.
    pub start: u64,
}

/// Knows no symbol: all addresses stay numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSymbols;

impl Symbolizer for NoSymbols {
    fn lookup(&self, _address: u64) -> Option<SymbolName> {
        None
    }
}

/// What formatting needs to know beside the data.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The machine's symbols.
    pub symbols: &'a dyn Symbolizer,
    /// The symbols of user programs on all machines.
    pub users: &'a dyn user::UserSymbolizer,
    /// The machine on which the probe fired.
    pub machine: MachineId,
    /// `stackindent`.
    pub stack_indent: usize,
    /// `strsize`.
    pub strsize: usize,
    /// `rawbytes`: byte arrays are always dumped.
    pub rawbytes: bool,
    /// How aggregations are drawn.
    pub drawing: Drawing,
}

/// How aggregations are drawn: the `agg*` options that change pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    /// `aggzoom`: the fullest bar takes nearly all of its room.
    pub zoom: bool,
    /// `agghist`: counts and sums are drawn as bars.
    pub hist: bool,
    /// `aggpack`: distributions are drawn in one line.
    pub pack: bool,
    /// `encoding`: `Some(true)` for UTF-8, `Some(false)` for ASCII, `None` if not asked for.
    pub utf8: Option<bool>,
}

impl Context<'_> {
    /// `` module`function+0xoffset ``, or the bare address in hexadecimal.
    #[must_use]
    pub fn address(&self, address: u64) -> String {
        match self.symbols.lookup(address) {
            Some(symbol) if address > symbol.start => {
                format!("{}`{}+{:#x}", symbol.module, symbol.name, address - symbol.start)
            }
            Some(symbol) => format!("{}`{}", symbol.module, symbol.name),
            None => format!("{address:#x}"),
        }
    }

    /// `` module`function `` without the offset.
    #[must_use]
    pub fn symbol_name(&self, address: u64) -> String {
        match self.symbols.lookup(address) {
            Some(symbol) => format!("{}`{}", symbol.module, symbol.name),
            None => format!("{address:#x}"),
        }
    }

    /// The module alone.
    #[must_use]
    pub fn module_name(&self, address: u64) -> String {
        self.symbols.lookup(address).map_or_else(|| format!("{address:#x}"), |s| s.module)
    }
}

/// A value divided by `normalize()`'s factor.
#[must_use]
pub fn normalized(value: i64, normal: u64) -> i64 {
    i128::from(value)
        .checked_div(i128::from(normal))
        .and_then(|quotient| i64::try_from(quotient).ok())
        .unwrap_or(value)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    struct TwoSymbols;

    impl Symbolizer for TwoSymbols {
        fn lookup(&self, address: u64) -> Option<SymbolName> {
            let (module, name, start) = match address {
                0x1000..0x2000 => ("kernel", "vfs_read", 0x1000),
                0x9000..0xa000 => ("ext4", "ext4_sync", 0x9000),
                _ => return None,
            };
            Some(SymbolName { module: module.into(), name: name.into(), start })
        }
    }

    /// A context with two known functions.
    pub(crate) fn context() -> Context<'static> {
        Context {
            symbols: &TwoSymbols,
            users: &user::NoProcesses,
            machine: MachineId(0),
            stack_indent: stack::INDENT,
            strsize: 256,
            rawbytes: false,
            drawing: Drawing::default(),
        }
    }

    /// Normalising divides with sign, and a factor of 0 changes nothing.
    #[test]
    fn normalising_keeps_the_sign() {
        assert_eq!(normalized(-10, 3), -3);
        assert_eq!(normalized(7, 0), 7);
        assert_eq!(normalized(i64::MIN, 1), i64::MIN);
    }
}
