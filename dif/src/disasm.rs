//! The disassembler: a DIFO as `dtrace -S` lists it.
//!
//! ```text
//! DIFO returns D type (integer) (size 4)
//! OFF OPCODE      INSTRUCTION
//! 00: 25000001    setx DT_INTEGER[0], %r1         ! 0x1
//! 01: 23000001    ret  %r1
//! ```
//!
//! [`listing`] is for people; [`source`] is what [`crate::asm`] takes, tables included.

use alloc::{format, string::String};
use core::fmt::{self, Write};

use crate::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{kind, subr, tf, var},
    opcode::{Format, Instr},
};

/// `CTF_K_*` by name, at their numbers.
pub(crate) const CTF_KINDS: [&str; 14] = [
    "unknown", "integer", "float", "pointer", "array", "function", "struct", "union", "enum",
    "forward", "typedef", "volatile", "const", "restrict",
];

/// What `sizeof (string)` is.
const STRING_SIZE: u32 = 256;

/// The bytes of a string, so that quotes, controls and what is not ASCII can be read back.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A type as `dtrace -S` writes it. Strings without a size of their own have D's.
pub(crate) struct TypeName(pub(crate) DifType);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DifType { kind, ckind, flags, size } = self.0;
        match kind {
            kind::CTF => write!(f, "D type")?,
            kind::STRING => write!(f, "string")?,
            other => write!(f, "kind {other}")?,
        }
        match CTF_KINDS.get(usize::from(ckind)) {
            Some(name) => write!(f, " ({name})")?,
            None => write!(f, " ({ckind})")?,
        }
        if flags & tf::BYUREF != 0 {
            write!(f, " by user ref")?;
        } else if flags & tf::BYREF != 0 {
            write!(f, " by ref")?;
        }
        let size = if kind == kind::STRING && size == 0 { STRING_SIZE } else { size };
        write!(f, " (size {size})")
    }
}

/// A DIFO as `dtrace -S` lists it, without an address in the first line.
#[must_use]
pub fn listing(difo: &Difo) -> String {
    let mut out = format!("DIFO returns {}\n", TypeName(difo.ret));
    out.push_str("OFF OPCODE      INSTRUCTION\n");
    for (at, word) in difo.text.iter().enumerate() {
        let (text, note) = instruction(Instr(*word), difo);
        // Writing to a string cannot fail.
        let _ = write!(out, "{at:02}: {word:08x}    ");
        let _ = match note {
            Some(note) => writeln!(out, "{text}\t\t! {note}"),
            None => writeln!(out, "{text}"),
        };
    }
    if !difo.vars.is_empty() {
        out.push_str("\nNAME             ID   KND SCP FLAG TYPE\n");
        for entry in &difo.vars {
            let _ = writeln!(out, "{}", Variable(entry));
        }
    }
    out
}

/// A DIFO as assembler source: [`crate::asm::assemble`] makes the same DIFO from it.
#[must_use]
pub fn source(difo: &Difo) -> String {
    let mut out = format!(".returns {}\n", RawType(difo.ret));
    for integer in &difo.integers {
        let _ = writeln!(out, ".integer {integer:#x}");
    }
    if !difo.strings.is_empty() {
        let _ = writeln!(out, ".strings {}", Quoted(&difo.strings));
    }
    for entry in &difo.vars {
        let flags = u8::from(entry.is_read) | u8::from(entry.is_written) << 1;
        let _ = writeln!(
            out,
            ".var {} {:#x} {} {} {flags} {}",
            Quoted(entry.name.as_bytes()),
            entry.id,
            kind_name(entry),
            scope_name(entry.scope),
            RawType(entry.ty)
        );
    }
    for word in &difo.text {
        let _ = writeln!(out, "    {}", instruction(Instr(*word), difo).0);
    }
    out
}

/// A type in numbers: kind, C kind, flags, size.
struct RawType(DifType);

impl fmt::Display for RawType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DifType { kind, ckind, flags, size } = self.0;
        write!(f, "{kind} {ckind} {flags} {size}")
    }
}

const fn kind_name(entry: &DifVar) -> &'static str {
    if entry.is_array { "arr" } else { "scl" }
}

pub(crate) const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "glb",
        Scope::Thread => "tls",
        Scope::Local => "loc",
    }
}

struct Variable<'a>(&'a DifVar);

impl fmt::Display for Variable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.0;
        let flags = match (entry.is_read, entry.is_written) {
            (true, true) => "r/w",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "",
        };
        let (kind, scope) = (kind_name(entry), scope_name(entry.scope));
        let ty = TypeName(entry.ty);
        write!(f, "{:<16} {:<4} {kind:<3} {scope:<3} {flags:<4} {ty}", entry.name, entry.id)
    }
}

/// One instruction, and what its operand stands for.
fn instruction(word: Instr, difo: &Difo) -> (String, Option<String>) {
    let Some(op) = word.op() else {
        return (format!(".word {:#010x}", word.0), None);
    };
    let (name, r1, r2, rd, wide) = (op.mnemonic(), word.r1(), word.r2(), word.rd(), word.wide());
    match op.format() {
        Format::Binary | Format::Copy => (format!("{name:<4} %r{r1}, %r{r2}, %r{rd}"), None),
        Format::Unary => (format!("{name:<4} %r{r1}, %r{rd}"), None),
        Format::Compare => (format!("{name:<4} %r{r1}, %r{r2}"), None),
        Format::Test => (format!("{name:<4} %r{r1}"), None),
        Format::Branch => (format!("{name:<4} {}", word.label()), None),
        Format::Load => (format!("{name:<4} [%r{r1}], %r{rd}"), None),
        Format::Store => (format!("{name:<4} %r{r1}, [%r{rd}]"), None),
        Format::Return => (format!("{name:<4} %r{rd}"), None),
        Format::Bare => (String::from(name), None),
        Format::Integer => {
            let value = difo.integers.get(usize::from(wide));
            let note = value.map(|value| format!("{value:#x}"));
            (format!("{name:<4} DT_INTEGER[{wide}], %r{rd}"), note)
        }
        Format::String => {
            let note = string_at(difo, wide).map(|text| format!("{}", Quoted(text)));
            (format!("{name:<4} DT_STRING[{wide}], %r{rd}"), note)
        }
        Format::ArrayLoad => {
            let note = var::name(u16::from(r1)).map(|name| format!("DT_VAR({r1}) = \"{name}\""));
            (format!("{name:<4} DT_VAR({r1}), %r{r2}, %r{rd}"), note)
        }
        Format::VarLoad | Format::Update => {
            (format!("{name:<4} DT_VAR({wide}), %r{rd}"), variable_note(difo, wide))
        }
        Format::VarStore => {
            (format!("{name:<4} %r{rd}, DT_VAR({wide})"), variable_note(difo, wide))
        }
        Format::Call => {
            (format!("{name:<4} DIF_SUBR({wide}), %r{rd}"), subr::name(wide).map(String::from))
        }
        Format::Push => {
            let note = match r1 {
                kind::CTF => Some(format!("DT_TYPE({r1}) = D type")),
                kind::STRING => Some(format!("DT_TYPE({r1}) = string")),
                _ => None,
            };
            (format!("{name} DT_TYPE({r1}), %r{r2}, %r{rd}"), note)
        }
        Format::Translator => (format!("{name} DT_XLREF[{wide}], %r{rd}"), None),
    }
}

fn string_at(difo: &Difo, at: u16) -> Option<&[u8]> {
    let rest = difo.strings.get(usize::from(at)..)?;
    rest.get(..crate::string::find_nul(rest)?)
}

fn variable_note(difo: &Difo, id: u16) -> Option<String> {
    let known = difo.vars.iter().find(|entry| entry.id == u32::from(id));
    let name = known.map(|entry| entry.name.as_str()).or_else(|| var::name(id))?;
    Some(format!("DT_VAR({id}) = \"{name}\""))
}
