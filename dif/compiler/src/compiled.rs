//! What compiling a script for one world yields, and all that a consumer needs to print it.
//!
//! The program ([`Compiled::program`]) says what the engine executes: ECBs with actions. The
//! consumer prints *statements*: one statement of the script makes zero or more actions that lie
//! beside each other in their ECB. A [`Statement`] ties the two together:
//!
//! ```text
//!  D:          @[pid, execname] = sum(arg0);      printf("%d %s\n", pid, execname);
//!  actions:    0 DIFEXPR (aggregation id)         4 PRINTF, format (pid)
//!              1 DIFEXPR (pid)                    5 PRINTF (execname)
//!              2 DIFEXPR (execname)
//!              3 SUM, ntuple 3 (arg0)
//!  statement:  Aggregate, actions 0..4            Printf, actions 4..6, args [4, 5]
//! ```
//!
//! Every action whose DIFO returns something other than void records `difo.ret.size` bytes (a
//! string of size 0: `strsize` bytes). [`ArgInfo::action`] names the action whose datum an
//! argument is, so that the consumer finds its place from the engine's record layout.

use std::ops::Range;

use dif::{
    difo::DifType,
    env::Scope,
    program::{EcbIndex, ProbeDesc, Program},
};

use serde::{Deserialize, Serialize};

use crate::{format::Format, link::Needs, stability::Report};

/// The number of an aggregation, from 1, the same in all worlds; it is the first element of the
/// key of every aggregating action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AggId(pub u32);

/// The outcome of compiling a script for one world.
#[derive(Debug)]
pub struct Compiled {
    /// The program for that world; ECBs whose description matches nothing there are left out.
    pub program: Program,
    /// For each of `program.ecbs`: the probe description's number in script order (all clauses'
    /// descriptions counted in one row from 0), so that the consumer can tell which descriptions
    /// matched nowhere. Several ECBs share a number if the clause has `if` statements.
    pub descriptions: Vec<(usize, ProbeDesc)>,
    /// All statements, ordered by ECB, then by place in the clause. Every ECB has at least one.
    pub statements: Vec<Statement>,
    /// Every aggregation of the script that has been seen so far, ordered by id.
    pub aggregations: Vec<Aggregation>,
    /// Every variable of the script that has been seen so far, ordered by scope and id.
    pub variables: Vec<Variable>,
    /// How stable each description is, and what its clause does; empty unless
    /// [`crate::CompileOptions::stability`] was set.
    pub stability: Vec<Report>,
    /// What must be asked of another kernel before the program fits it; empty unless
    /// [`crate::CompileOptions::linkable`] was set.
    pub needs: Needs,
}

impl Compiled {
    /// The statements of one ECB, in order.
    #[must_use]
    pub fn statements_of(&self, ecb: EcbIndex) -> &[Statement] {
        let start = self.statements.partition_point(|s| s.ecb < ecb);
        let end = self.statements.partition_point(|s| s.ecb <= ecb);
        self.statements.get(start..end).unwrap_or(&[])
    }
}

/// One statement of a clause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The ECB it belongs to.
    #[serde(with = "ecb_index")]
    pub ecb: EcbIndex,
    /// What it does.
    pub kind: StatementKind,
    /// The first of its actions, an index of the ECB's `actions`.
    pub first_action: usize,
    /// How many actions it has; 0 for [`StatementKind::Default`] only.
    pub nactions: usize,
    /// The data it prints or uses, in the order of the script's arguments. For an aggregation:
    /// the key's elements, without the id.
    pub args: Vec<ArgInfo>,
    /// The line of the script, from 1.
    pub line: u32,
}

impl Statement {
    /// Its actions as indices of the ECB's `actions`.
    #[must_use]
    pub fn actions(&self) -> Range<usize> {
        self.first_action..self.first_action + self.nactions
    }
}

/// An ECB's place as a number.
mod ecb_index {
    use dif::program::EcbIndex;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(index: &EcbIndex, to: S) -> Result<S::Ok, S::Error> {
        index.0.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EcbIndex, D::Error> {
        u32::deserialize(from).map(EcbIndex)
    }
}

/// What a statement does. Arguments are in [`Statement::args`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StatementKind {
    /// The clause is empty: a record header and nothing else; it prints a default row.
    Default,
    /// An expression for its side effect: records nothing, prints nothing.
    Expression,
    /// `trace(x)`: one argument, printed by its kind.
    Trace,
    /// `tracemem(addr, size)`: one argument, [`ValueKind::Bytes`], printed as a dump. With a
    /// computed size that is the second: the dump ends there.
    TraceMem,
    /// `print(x)`: one argument, printed by its type.
    Print(crate::print::PrintType),
    /// `printm(size, memref(addr, n))`: one argument, [`ValueKind::Bytes`]: a 64-bit length, then
    /// the bytes.
    PrintMem,
    /// `printf(format, …)`.
    Printf(Format),
    /// `printa([format,] @a, @b …)`: printed by the consumer from its last snapshot. No `args`.
    Printa {
        /// `None`: the aggregation's default layout.
        format: Option<Format>,
        /// In the order given; one may come twice.
        aggregations: Vec<AggId>,
    },
    /// `stack()`: one argument, [`ValueKind::Stack`]; `ustack()`, `jstack()`:
    /// [`ValueKind::UserStack`]; or `immstack()`: [`ValueKind::StackText`].
    Stack,
    /// `sym(x)`, `func(x)`, `mod(x)`: one argument, [`ValueKind::Symbol`] or
    /// [`ValueKind::Module`]; `usym(x)`, `umod(x)`, `uaddr(x)` their like for the process.
    Symbol,
    /// `exit(status)`: one argument.
    Exit,
    /// `@a[key] = f(…)`.
    Aggregate(AggId),
    /// `clear(@a)`.
    Clear(AggId),
    /// `trunc(@a)`, or with one argument `trunc(@a, n)`: negative `n` keeps the smallest.
    Trunc(AggId),
    /// `normalize(@a, factor)`: one argument.
    Normalize(AggId),
    /// `denormalize(@a)`.
    Denormalize(AggId),
    /// `setopt(name, value)`: known when compiled.
    Setopt {
        /// The option.
        name: String,
        /// Its value; `None` for `setopt(name)`.
        value: Option<String>,
    },
    /// `setopt(name, value)` with a name or value that is computed: one or two arguments, strings.
    SetoptComputed,
    /// `ftruncate()`.
    Ftruncate,
    /// `freopen(format, …)`: output goes to that file from here on; the empty name ends it.
    Freopen(Format),
    /// `system(format, …)`.
    System(Format),
    /// `speculate(id)`: records of this clause go to that speculation.
    Speculate,
    /// `commit(id)`.
    Commit,
    /// `discard(id)`.
    Discard,
    /// `stop()`, `raise(n)`, `panic()`, `breakpoint()`, `chill(ns)`: done by the engine.
    Destructive,
}

/// A datum of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgInfo {
    /// The action that records it, an index of the ECB's `actions`.
    pub action: usize,
    /// What it is.
    pub kind: ValueKind,
    /// Bytes in the record; 0: the session's options decide (`strsize`, `stackframes`), see the
    /// engine's record layout.
    pub size: u32,
    /// Its C type, for messages (`struct task_struct *`).
    pub type_name: String,
}

/// What a datum is, as far as printing goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueKind {
    /// An integer (or enum) of 1, 2, 4 or 8 bytes.
    Integer {
        /// Sign-extend it.
        signed: bool,
    },
    /// An address of the machine on which the probe fired, 8 bytes.
    Pointer,
    /// A D string: bytes up to the NUL.
    String,
    /// An array of `char`: printed as text up to the NUL.
    CharArray,
    /// A struct, a union, another array, memory: printed as a dump.
    Bytes,
    /// A kernel stack of up to `frames` program counters, 8 bytes each, ended by 0.
    Stack {
        /// Frames asked for; 0: the session's `stackframes`.
        frames: u32,
    },
    /// A kernel stack that was resolved when the probe fired: lines of `function+0xoffset`, up to
    /// the NUL.
    StackText,
    /// An address to be printed as a kernel function or datum, 8 bytes.
    Symbol,
    /// An address to be printed as its kernel module, 8 bytes.
    Module,
    /// A stack of the process: its id, then up to `frames` program counters ended by 0, 8 bytes
    /// each, then `strsize` bytes that are kept free for a run-time system's own frames.
    UserStack {
        /// Frames asked for; 0: the session's `ustackframes` or `jstackframes`.
        frames: u32,
        /// Bytes of text.
        strsize: u32,
    },
    /// A process id and an address in it, 8 bytes each, to be printed as function or datum.
    UserSymbol,
    /// As [`ValueKind::UserSymbol`], to be printed as the object it is in.
    UserModule,
    /// As [`ValueKind::UserSymbol`], to be printed as symbol and offset.
    UserAddress,
}

/// An aggregation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregation {
    /// Its number.
    pub id: AggId,
    /// Its name without the `@`; `_` for the nameless one.
    pub name: String,
    /// What it computes.
    pub function: AggFunction,
    /// The key's elements.
    pub keys: Vec<KeyInfo>,
}

/// An element of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// What it is.
    pub kind: ValueKind,
    /// Bytes; 0 for a string means the session's `strsize`.
    pub size: u32,
}

/// An aggregating function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AggFunction {
    /// `count()`.
    Count,
    /// `min(x)`.
    Min,
    /// `max(x)`.
    Max,
    /// `avg(x)`.
    Avg,
    /// `sum(x)`.
    Sum,
    /// `stddev(x)`.
    Stddev,
    /// `quantize(x)`.
    Quantize,
    /// `lquantize(x, base, limit, step)`.
    Lquantize {
        /// Lower end of the first bucket.
        base: i32,
        /// Number of steps between base and limit.
        levels: u16,
        /// Width of a bucket.
        step: u16,
    },
    /// `llquantize(x, factor, low, high, steps)`.
    Llquantize {
        /// The logarithm's base.
        factor: u16,
        /// Lowest exponent.
        low: u16,
        /// Highest exponent.
        high: u16,
        /// Linear steps in one order of magnitude.
        steps: u16,
    },
}

impl AggFunction {
    /// `DTRACEAGG_*`, `sys/dtrace.h`.
    #[must_use]
    pub const fn kind(self) -> u16 {
        0x0700
            + match self {
                Self::Count => 1,
                Self::Min => 2,
                Self::Max => 3,
                Self::Avg => 4,
                Self::Sum => 5,
                Self::Stddev => 6,
                Self::Quantize => 7,
                Self::Lquantize { .. } => 8,
                Self::Llquantize { .. } => 9,
            }
    }

    /// The action's argument, as `DTRACE_LQUANTIZE_*` and `DTRACE_LLQUANTIZE_*` lay it out.
    #[must_use]
    pub const fn arg(self) -> u64 {
        match self {
            Self::Lquantize { base, levels, step } => {
                let base = base.cast_unsigned();
                ((step as u64) << 48) | ((levels as u64) << 32) | base as u64
            }
            Self::Llquantize { factor, low, high, steps } => {
                ((factor as u64) << 48)
                    | ((low as u64) << 32)
                    | ((high as u64) << 16)
                    | steps as u64
            }
            _ => 0,
        }
    }

    /// The D name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
            Self::Stddev => "stddev",
            Self::Quantize => "quantize",
            Self::Lquantize { .. } => "lquantize",
            Self::Llquantize { .. } => "llquantize",
        }
    }
}

/// A variable of the script (no built-in ones).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name; names with a leading `%` are the compiler's own.
    pub name: String,
    /// Its number, from `DIF_VAR_OTHER_UBASE`, per scope.
    pub id: u16,
    /// Where it lives.
    pub scope: Scope,
    /// An associative array.
    pub is_array: bool,
    /// The type of its value.
    pub ty: DifType,
    /// The key's elements, if an associative array.
    pub keys: Vec<KeyInfo>,
}
