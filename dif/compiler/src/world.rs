//! What the compiler asks of a machine (or of several that run the same kernel).

use dif::program::ProbeDesc;

/// The type of one `args[n]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgType {
    /// The C type that the probe delivers, as C text (`struct bio *`).
    pub native: String,
    /// The type a translator makes of it (`bufinfo_t *`), if the provider says so.
    pub translated: Option<String>,
    /// Which `argN` it is taken from.
    pub mapping: u8,
}

/// The argument types of the probes that a description matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgTypes {
    /// The probes have no typed arguments.
    Untyped,
    /// All matching probes agree.
    Typed(Vec<ArgType>),
    /// They differ: `args[]` cannot be used (`D_ARGS_MULTI`).
    Differ,
}

/// A kernel symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its address on the machine.
    pub address: u64,
    /// Bytes; 0 if unknown.
    pub size: u64,
    /// The module it is in.
    pub module: String,
}

/// Which C type container to read (see [`crate::types`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeFormat {
    /// BPF Type Format: the first container stands alone, all others are split upon it.
    Btf,
    /// BPF Type Format that refers to no other container, wherever it stands.
    BtfAlone,
    /// Compact C Type Format, version 2 or 3.
    Ctf,
}

/// One module's types, as the machine published them: foreign bytes, not trusted.
#[derive(Clone, Debug)]
pub struct TypeContainer<'a> {
    /// `vmlinux`/`kernel` for the kernel image.
    pub module: &'a str,
    /// How `bytes` are encoded.
    pub format: TypeFormat,
    /// The container.
    pub bytes: &'a [u8],
}

/// An operating system: which part of the D library is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Os {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
}

/// One kernel image, as the compiler sees it.
pub trait World {
    /// The kernel's type containers, the image's own first. Empty if the machine has none: then
    /// only C's base types and the D library's are known.
    fn types(&self) -> Vec<TypeContainer<'_>>;

    /// Looks a symbol up, in one module if `module` is given.
    fn symbol(&self, module: Option<&str>, name: &str) -> Option<Symbol>;

    /// How many probes of this world's machines a description matches.
    fn matches(&self, desc: &ProbeDesc) -> usize;

    /// The argument types of the probes that a description matches.
    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes;

    /// Bytes of a pointer: 8.
    fn pointer_size(&self) -> u8 {
        8
    }

    /// What it runs. Linux, unless the world says otherwise.
    fn os(&self) -> Os {
        Os::Linux
    }

    /// A name for error messages (`vm-web-0`, `Linux-6.1.0`).
    fn name(&self) -> &str;
}

/// A machine of whose kernel nothing is known, and on which every description matches one probe
/// without arguments: declarations mean the same there as anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare;

impl World for Bare {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        Vec::new()
    }

    fn symbol(&self, _: Option<&str>, _: &str) -> Option<Symbol> {
        None
    }

    fn matches(&self, _: &ProbeDesc) -> usize {
        1
    }

    fn arg_types(&self, _: &ProbeDesc) -> ArgTypes {
        ArgTypes::Untyped
    }

    fn name(&self) -> &str {
        "the program"
    }
}
