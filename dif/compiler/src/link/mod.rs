//! Programs that fit more than one kernel: what of a program depends on types, and how it is put
//! right for another machine.
//!
//! ```text
//!  compile (linkable)                    saved                       link (another world)
//!  p->pid  ──▶ setx 0 ; add ; lduw       integers[0] is the offset   integers[0] = 2352
//!              integers[0] = 1296        of task_struct.pid          and pid still has 4 bytes
//! ```
//! Two things are noted while a script is compiled. A [`Relocation`] says that an entry of a
//! DIFO's integer table is a number of the kernel's: the offset of a member, the size of a type,
//! an enumerator, a symbol's address. A [`Check`] says what else the compiler learnt from the
//! kernel's types and built into the program (a member is a signed integer of four bytes): if that
//! is different on another machine, the program is refused there, with what differs.
//!
//! Types are named by a [`TypePath`]: a name, and the members to go through to a type that has
//! none.
//!
//! # Marks
//! While code is generated, such a number is a *mark* in the integer table: a value of a range
//! that no other constant is given as ([`is_mark`]). When the program is complete, marks are
//! replaced by the numbers of this world.

mod record;
mod resolve;

pub(crate) use record::Recorder;
pub use resolve::LinkError;
pub(crate) use resolve::Linker;
use serde::{Deserialize, Serialize};

use crate::{print::PrintType, world::ArgType};

/// The upper half of marks.
const MARK: u64 = 0x4854_4c4b;

/// The mark of the number `index` of a program's wanted numbers.
pub(crate) fn mark(index: u32) -> u64 {
    (MARK << 32) | u64::from(index)
}

/// Whether a value looks like a mark.
pub(crate) const fn is_mark(value: u64) -> bool {
    value >> 32 == MARK
}

/// A type by name: `struct task_struct`, or what its member `u` is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TypePath {
    /// A type's name as C writes it.
    pub root: String,
    /// Members to go through; pointers and arrays on the way are followed.
    pub steps: Vec<String>,
    /// How many of it: an array's elements.
    pub times: u32,
}

impl std::fmt::Display for TypePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root)?;
        self.steps.iter().try_for_each(|step| write!(f, ".{step}"))?;
        if self.times == 1 { Ok(()) } else { write!(f, " [{}]", self.times) }
    }
}

/// A number that each kernel has its own of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wanted {
    /// Bytes from a struct's start to a member, or to the integer that holds a bit-field.
    Offset {
        /// The struct or union.
        of: TypePath,
        /// The member.
        member: String,
    },
    /// Bytes of a type.
    Size(TypePath),
    /// The value of an enumerator.
    Enumerator(String),
    /// The address of a symbol.
    Symbol {
        /// The module, if the script names one.
        module: Option<String>,
        /// The symbol.
        name: String,
    },
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offset { of, member } => write!(f, "offsetof({of}, {member})"),
            Self::Size(path) => write!(f, "sizeof({path})"),
            Self::Enumerator(name) => f.write_str(name),
            Self::Symbol { module, name } => {
                write!(f, "{}`{name}", module.as_deref().unwrap_or_default())
            }
        }
    }
}

/// An entry of an integer table that is such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    /// The DIFO's place in the program.
    pub difo: u32,
    /// The entry.
    pub integer: u32,
    /// Which of the wanted numbers.
    pub wanted: u32,
}

/// What must be as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// A type's size in bytes.
    Size(TypePath, u32),
    /// What a type is to code: bytes and sign, whether it is a pointer, an array, a struct.
    Shape(TypePath, String),
    /// A bit-field: bits, and its lowest bit and bytes of the integer that holds it.
    BitField {
        /// The struct or union.
        of: TypePath,
        /// The member.
        member: String,
        /// `[width, shift, bytes]`
        layout: [u32; 3],
    },
    /// The type of a kernel variable, in words.
    Variable {
        /// The module, if the script names one.
        module: Option<String>,
        /// The variable.
        name: String,
        /// Its type.
        ty: String,
    },
    /// A number that the script's meaning depends on: an array's dimension.
    Number(Wanted, u64),
    /// The typed arguments of the probes of the ECB's description.
    Arguments(Vec<SavedArg>),
    /// All that `print()` shows of a type.
    Print(TypePath, PrintType),
}

/// [`ArgType`], saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedArg {
    native: String,
    translated: Option<String>,
    mapping: u8,
}

impl From<&ArgType> for SavedArg {
    fn from(arg: &ArgType) -> Self {
        let ArgType { native, translated, mapping } = arg.clone();
        Self { native, translated, mapping }
    }
}

/// What a program needs of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Numbers, each once.
    pub wanted: Vec<Wanted>,
    /// Where they are used.
    pub relocations: Vec<Relocation>,
    /// What must be as it was, with the ECB that needs it; `None`: all need it.
    pub checks: Vec<(Option<u32>, Check)>,
}
