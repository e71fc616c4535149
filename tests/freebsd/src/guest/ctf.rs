//! Types for the stand-in kernel: a CTF container as FreeBSD's linker hands it out.
//!
//! ```text
//!  head | objects' types | functions' types | types | names
//!         in the order of the symbol table    numbered from 1
//! ```
//! What `ctfconvert` would have written of the few functions and of the variable that tests use; of
//! all others it says that nothing is known. The contents are not compressed, but the head says they
//! are: the linker unpacks a container and leaves its head alone. Numbers are FreeBSD's
//! sys/ctf.h: versions 2 and 3 differ in how wide a type's number is, and with it in the packing of
//! kinds and counts.

/// Kinds of types (`CTF_K_*`).
const INTEGER: u32 = 1;
const POINTER: u32 = 3;
const ARRAY: u32 = 4;
const FUNCTION: u32 = 5;
const STRUCT: u32 = 6;

/// Encodings of integers (`CTF_INT_*`).
const SIGNED: u32 = 1;
const CHAR: u32 = 2;

/// `STT_OBJECT`, `STT_FUNC`.
const OBJECT_SYMBOL: u8 = 1;
const FUNCTION_SYMBOL: u8 = 2;

/// Numbers of the types below, in the order in which they are written.
const INT: u32 = 1;
const CHARACTER: u32 = 2;
const STRING: u32 = 3;
const TEXT: u32 = 4;
const ITEM: u32 = 5;
const ITEM_POINTER: u32 = 6;

/// The result and the arguments of a function, if tests use it.
fn function(name: &str) -> Option<(u32, &'static [u32])> {
    match name {
        "standin_item_take" => Some((INT, &[ITEM_POINTER, INT])),
        "standin_lookup" => Some((INT, &[STRING, INT])),
        _ => None,
    }
}

/// A variable's type, 0 if it is not known.
fn object(name: &str) -> u32 {
    if name == "standin_items_taken" { INT } else { 0 }
}

/// Bytes in the making.
struct Writer {
    /// Version 3, else 2.
    wide: bool,
    types: Vec<u8>,
    names: Vec<u8>,
}

impl Writer {
    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.names.len()).unwrap_or(0);
        self.names.extend(name.bytes());
        self.names.push(0);
        at
    }

    /// A number as wide as this version's types' are.
    fn number(&self, value: u32) -> Vec<u8> {
        let [a, b, c, d] = value.to_le_bytes();
        if self.wide { vec![a, b, c, d] } else { vec![a, b] }
    }

    fn info(&self, kind: u32, count: u32) -> Vec<u8> {
        self.number(if self.wide {
            kind << 26 | 1 << 25 | count
        } else {
            kind << 11 | 1 << 10 | count
        })
    }

    /// A type's head; `size` is a type's number where the kind refers to one.
    fn head(&mut self, name: &str, kind: u32, count: u32, size: u32) {
        let name = self.name(name);
        let rest = [self.info(kind, count), self.number(size)].concat();
        self.types.extend(name.to_le_bytes());
        self.types.extend(rest);
    }

    fn integer(&mut self, name: &str, size: u32, encoding: u32) {
        self.head(name, INTEGER, 0, size);
        self.types.extend((encoding << 24 | (size * 8)).to_le_bytes());
    }

    fn array(&mut self, element: u32, index: u32, count: u32) {
        self.head("", ARRAY, 0, 0);
        let types = [self.number(element), self.number(index)].concat();
        self.types.extend(types);
        self.types.extend(count.to_le_bytes());
    }

    /// Members by name, type and offset in bits.
    fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) {
        self.head(name, STRUCT, u32::try_from(members.len()).unwrap_or(0), size);
        for &(name, ty, offset) in members {
            let name = self.name(name);
            let rest = [self.number(ty), self.number(offset)].concat();
            self.types.extend(name.to_le_bytes());
            self.types.extend(rest);
        }
    }
}

/// The stand-in kernel's container, of CTF's version 2 or 3, for its symbol table.
#[must_use]
pub fn kernel(version: u8, symtab: &[u8], strtab: &[u8]) -> Vec<u8> {
    let mut w = Writer { wide: version == 3, types: Vec::new(), names: vec![0] };
    w.integer("int", 4, SIGNED);
    w.integer("char", 1, SIGNED | CHAR);
    w.head("", POINTER, 0, CHARACTER);
    w.array(CHARACTER, INT, 12);
    // As in kernel-standin/probes.c, which asserts the offsets.
    let members = [("number", INT, 0), ("text", TEXT, 32), ("next", ITEM_POINTER, 128)];
    w.structure("standin_item", 24, &members);
    w.head("", POINTER, 0, ITEM);
    let (mut objects, mut functions) = (Vec::new(), Vec::new());
    for (kind, name) in symbols(symtab, strtab) {
        match (kind, function(name)) {
            (OBJECT_SYMBOL, _) => objects.extend(w.number(object(name))),
            (FUNCTION_SYMBOL, None) => functions.extend(w.number(0)),
            (FUNCTION_SYMBOL, Some((result, arguments))) => {
                let count = u32::try_from(arguments.len()).unwrap_or(0);
                functions.extend(w.info(FUNCTION, count));
                functions.extend(w.number(result));
                arguments.iter().for_each(|ty| functions.extend(w.number(*ty)));
            }
            _ => {}
        }
    }
    // Types begin at a multiple of four.
    while (objects.len() + functions.len()) % 4 != 0 {
        functions.push(0);
    }
    let sections: [&[u8]; 5] = [&[], &objects, &functions, &w.types, &w.names];
    let mut words = vec![0_u32, 0];
    let mut at = 0;
    for section in sections {
        words.push(u32::try_from(at).unwrap_or(u32::MAX));
        at += section.len();
    }
    words.push(u32::try_from(w.names.len()).unwrap_or(u32::MAX));
    // CTF_MAGIC, and CTF_F_COMPRESS.
    let mut out = vec![0xf1, 0xcf, version, 1];
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    out.extend(sections.concat());
    out
}

/// Kinds and names of the symbols that `ctfconvert` looks at: those defined, with a name.
fn symbols<'a>(symtab: &'a [u8], strtab: &'a [u8]) -> impl Iterator<Item = (u8, &'a str)> {
    symtab.chunks_exact(24).filter_map(|entry| {
        let &[a, b, c, d, info, _, section_low, section_high, ..] = entry else { return None };
        let at = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let rest = strtab.get(at..)?;
        let name = rest.split(|byte| *byte == 0).next()?;
        let name = std::str::from_utf8(name).ok()?;
        let defined = [section_low, section_high] != [0, 0];
        (defined && !name.is_empty()).then_some((info & 15, name))
    })
}
