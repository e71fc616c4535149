//! The assembler.
//!
//! It takes what [`crate::disasm::source`] writes, what `dtrace -S` lists (the columns for place
//! and opcode are passed over), and adds what makes writing by hand bearable:
//!
//! ```text
//! .returns 0 1 0 8            ; kind, C kind, flags, size: numbers of `number::{kind, ctf, tf}`
//! .integer 0x10               ; one entry of the integer table
//! .strings "abc\x00"          ; the string table
//! .var "x" 0x500 scl glb 3 0 1 0 8   ; name, id, scl|arr, glb|tls|loc, 1 read | 2 written, type
//!     setx 42, %r1            ; a constant by value: it is put into the table
//!     sets "text", %r2        ; the same for strings
//!     ldgs pid, %r3           ; variables by name, built-in or announced
//!     cmp  %r1, %r3
//!     be   same               ; labels
//!     call strlen, %r2        ; subroutines by name
//! same:
//!     ret  %r1                ! a comment goes to the line's end
//! ```

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use thiserror::Error;

use crate::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{subr, var},
    opcode::{self, Format, Op, Reg},
};

/// Why a text cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}: `{near}`")]
pub struct AsmError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, in words.
    pub what: &'static str,
    /// The text in question.
    pub near: String,
}

/// What is wrong, before the line is known.
type Wrong = (&'static str, String);

fn wrong(what: &'static str, near: &str) -> Wrong {
    (what, near.to_owned())
}

/// Assembles a DIFO. It is not verified.
///
/// # Errors
/// The first line that is wrong.
pub fn assemble(text: &str) -> Result<Difo, AsmError> {
    let mut assembler = Assembler::new();
    for (at, line) in text.lines().enumerate() {
        assembler.line(line).map_err(|(what, near)| AsmError { line: at + 1, what, near })?;
    }
    assembler.finish()
}

struct Assembler {
    difo: Difo,
    labels: BTreeMap<String, u32>,
    /// Branches to labels: the word, the label, the source line.
    patches: Vec<(usize, Op, String, usize)>,
    lines: usize,
}

impl Assembler {
    fn new() -> Self {
        let difo = Difo {
            text: Vec::new(),
            integers: Vec::new(),
            strings: Vec::new(),
            vars: Vec::new(),
            ret: DifType::integer(8),
        };
        Self { difo, labels: BTreeMap::new(), patches: Vec::new(), lines: 0 }
    }

    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        self.lines += 1;
        let line = strip_listing(without_comment(line).trim());
        if line.is_empty() || line.starts_with("DIFO returns") || line.starts_with("OFF OPCODE") {
            return Ok(());
        }
        if let Some(label) = line.strip_suffix(':') {
            let place = u32::try_from(self.difo.text.len()).unwrap_or(u32::MAX);
            return match self.labels.insert(label.to_owned(), place) {
                None => Ok(()),
                Some(_) => Err(wrong("the label is there already", label)),
            };
        }
        let (head, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match head.strip_prefix('.') {
            Some(directive) => self.directive(directive, rest.trim()),
            None => self.instruction(head, rest.trim()),
        }
    }

    fn directive(&mut self, name: &str, rest: &str) -> Result<(), Wrong> {
        match name {
            "returns" => self.difo.ret = dif_type(&mut rest.split_whitespace(), rest)?,
            "integer" => self.difo.integers.push(number(rest)?),
            "strings" => self.difo.strings = unquote(rest)?,
            "word" => self.difo.text.push(narrow(rest)?),
            "var" => self.variable(rest)?,
            _ => return Err(wrong("there is no such directive", name)),
        }
        Ok(())
    }

    fn variable(&mut self, rest: &str) -> Result<(), Wrong> {
        let (name, fields) = split_quoted(rest)?;
        let mut fields = fields.split_whitespace();
        let mut next = || fields.next().ok_or(wrong("a field is missing", rest));
        let id = narrow(next()?)?;
        let is_array = match next()? {
            "arr" => true,
            "scl" => false,
            other => return Err(wrong("neither arr nor scl", other)),
        };
        let scope = match next()? {
            "glb" => Scope::Global,
            "tls" => Scope::Thread,
            "loc" => Scope::Local,
            other => return Err(wrong("neither glb nor tls nor loc", other)),
        };
        let flags = number(next()?)?;
        let ty = dif_type(&mut fields, rest)?;
        let name = String::from_utf8(name).map_err(|_| wrong("a name is not text", rest))?;
        let (is_read, is_written) = (flags & 1 != 0, flags & 2 != 0);
        self.difo.vars.push(DifVar { name, id, is_array, scope, is_read, is_written, ty });
        Ok(())
    }

    fn instruction(&mut self, name: &str, rest: &str) -> Result<(), Wrong> {
        let op = Op::from_mnemonic(name).ok_or(wrong("there is no such instruction", name))?;
        let operands = split_operands(rest);
        let word = self.encode(op, &operands).map_err(|found| match found {
            Operand::Wrong(wrong) => wrong,
            Operand::Missing => wrong("the operands do not fit the instruction", rest),
        })?;
        self.difo.text.push(word);
        Ok(())
    }

    fn encode(&mut self, op: Op, operands: &[&str]) -> Result<u32, Operand> {
        Ok(match (op.format(), operands) {
            (Format::Binary | Format::Copy, [a, b, c]) => {
                opcode::binary(op, register(a)?, register(b)?, register(c)?)
            }
            (Format::Unary, [a, b]) => opcode::unary(op, register(a)?, register(b)?),
            (Format::Compare, [a, b]) => opcode::compare(op, register(a)?, register(b)?),
            (Format::Test, [a]) => opcode::tst(register(a)?),
            (Format::Branch, [label]) => self.branch(op, label)?,
            (Format::Load, [a, b]) => opcode::load(op, in_brackets(a)?, register(b)?),
            (Format::Store, [a, b]) => opcode::store(op, register(a)?, in_brackets(b)?),
            (Format::Return, [a]) => opcode::ret(register(a)?),
            (Format::Bare, []) => opcode::bare(op),
            (Format::Integer, [value, a]) => opcode::setx(self.integer(value)?, register(a)?),
            (Format::String, [text, a]) => opcode::sets(self.string(text)?, register(a)?),
            (Format::ArrayLoad, [name, a, b]) => {
                let id = self.variable_id(name)?;
                let id = u8::try_from(id).map_err(|_| wrong("not a built-in array", name))?;
                opcode::array_load(op, id, register(a)?, register(b)?)
            }
            (Format::VarLoad | Format::Update, [name, a]) => {
                opcode::variable(op, self.variable_id(name)?, register(a)?)
            }
            (Format::VarStore, [a, name]) => {
                opcode::variable(op, self.variable_id(name)?, register(a)?)
            }
            (Format::Call, [name, a]) => opcode::call(subroutine(name)?, register(a)?),
            (Format::Push, [kind, a, b]) => {
                let number = number(wrapped(kind, "DT_TYPE(", ")").unwrap_or(kind))?;
                let kind = u8::try_from(number).map_err(|_| wrong("not a type", kind))?;
                opcode::push(op, kind, register(a)?, register(b)?)
            }
            (Format::Translator, [index, a]) => {
                let inner = wrapped(index, "DT_XLREF[", "]").unwrap_or(index);
                opcode::variable(op, short(inner)?, register(a)?)
            }
            _ => return Err(Operand::Missing),
        })
    }

    fn branch(&mut self, op: Op, label: &str) -> Result<u32, Wrong> {
        if label.starts_with(|first: char| first.is_ascii_digit()) {
            let target = narrow(label)?;
            if target > opcode::LABEL_MAX {
                return Err(wrong("the target is too far", label));
            }
            return Ok(opcode::branch(op, target));
        }
        self.patches.push((self.difo.text.len(), op, label.to_owned(), self.lines));
        Ok(opcode::branch(op, 0))
    }

    /// `DT_INTEGER[n]`, or a value, which is put into the table.
    fn integer(&mut self, operand: &str) -> Result<u16, Wrong> {
        if let Some(index) = wrapped(operand, "DT_INTEGER[", "]") {
            return short(index);
        }
        let value = number(operand)?;
        let known = self.difo.integers.iter().position(|entry| *entry == value);
        let at = known.unwrap_or_else(|| {
            self.difo.integers.push(value);
            self.difo.integers.len() - 1
        });
        u16::try_from(at).map_err(|_| wrong("too many integers", operand))
    }

    /// `DT_STRING[n]`, or a quoted text, which is put into the table.
    fn string(&mut self, operand: &str) -> Result<u16, Wrong> {
        if let Some(offset) = wrapped(operand, "DT_STRING[", "]") {
            return short(offset);
        }
        let text = unquote(operand)?;
        let at = self.difo.strings.len();
        self.difo.strings.extend_from_slice(&text);
        self.difo.strings.push(0);
        u16::try_from(at).map_err(|_| wrong("too many strings", operand))
    }

    /// `DT_VAR(n)`, or a name.
    fn variable_id(&self, operand: &str) -> Result<u16, Wrong> {
        if let Some(id) = wrapped(operand, "DT_VAR(", ")") {
            return short(id);
        }
        let announced = self.difo.vars.iter().find(|entry| entry.name == operand);
        let id = announced.and_then(|entry| u16::try_from(entry.id).ok());
        id.or_else(|| var::by_name(operand)).ok_or(wrong("there is no such variable", operand))
    }

    fn finish(mut self) -> Result<Difo, AsmError> {
        for (at, op, label, line) in self.patches {
            let place = self.labels.get(&label).copied();
            let place = place.filter(|place| *place <= opcode::LABEL_MAX);
            let Some(place) = place else {
                return Err(AsmError { line, what: "there is no such label", near: label });
            };
            if let Some(word) = self.difo.text.get_mut(at) {
                *word = opcode::branch(op, place);
            }
        }
        Ok(self.difo)
    }
}

/// Why an operand could not be encoded.
enum Operand {
    Wrong(Wrong),
    Missing,
}

impl From<Wrong> for Operand {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// The line up to `!` or `;`, but not inside quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'!' | b';' if !quoted => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    line
}

/// The line without the columns `00: 25000001` of a listing.
fn strip_listing(line: &str) -> &str {
    let stripped = line.split_once(": ").and_then(|(place, rest)| {
        let (word, rest) = rest.trim_start().split_once(char::is_whitespace)?;
        let hex = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let decimal = !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit());
        (hex && decimal).then(|| rest.trim_start())
    });
    stripped.unwrap_or(line)
}

/// Operands between commas that do not stand in quotes.
fn split_operands(rest: &str) -> Vec<&str> {
    let mut operands = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                operands.push(rest.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = rest.get(start..).unwrap_or_default().trim();
    if !last.is_empty() || !operands.is_empty() {
        operands.push(last);
    }
    operands
}

fn wrapped<'a>(operand: &'a str, before: &str, after: &str) -> Option<&'a str> {
    operand.strip_prefix(before)?.strip_suffix(after)
}

fn register(operand: &str) -> Result<Reg, Wrong> {
    let digits = operand.strip_prefix("%r");
    let number = digits.and_then(|digits| digits.parse().ok());
    number.map(Reg).ok_or(wrong("not a register", operand))
}

fn in_brackets(operand: &str) -> Result<Reg, Wrong> {
    register(wrapped(operand, "[", "]").ok_or(wrong("not a register in brackets", operand))?)
}

fn number(text: &str) -> Result<u64, Wrong> {
    let parsed = match (text.strip_prefix("0x"), text.strip_prefix('-')) {
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok(),
        (_, Some(_)) => text.parse::<i64>().ok().map(i64::cast_unsigned),
        _ => text.parse().ok(),
    };
    parsed.ok_or(wrong("not a number", text))
}

fn narrow(text: &str) -> Result<u32, Wrong> {
    u32::try_from(number(text)?).map_err(|_| wrong("the number is too large", text))
}

fn short(text: &str) -> Result<u16, Wrong> {
    u16::try_from(number(text)?).map_err(|_| wrong("the number is too large", text))
}

fn subroutine(operand: &str) -> Result<u16, Wrong> {
    match wrapped(operand, "DIF_SUBR(", ")") {
        Some(digits) => short(digits),
        None => subr::by_name(operand).ok_or(wrong("there is no such subroutine", operand)),
    }
}

fn dif_type<'a>(fields: &mut impl Iterator<Item = &'a str>, near: &str) -> Result<DifType, Wrong> {
    let mut next = || number(fields.next().ok_or(wrong("a type has four numbers", near))?);
    let mut byte = || u8::try_from(next()?).map_err(|_| wrong("a type's number is wrong", near));
    let (kind, ckind, flags) = (byte()?, byte()?, byte()?);
    let size = u32::try_from(next()?).map_err(|_| wrong("a type's size is wrong", near))?;
    Ok(DifType { kind, ckind, flags, size })
}

/// A quoted text at the start, and what follows it.
fn split_quoted(text: &str) -> Result<(Vec<u8>, &str), Wrong> {
    let rest = text.strip_prefix('"').ok_or(wrong("a quote is missing", text))?;
    let mut bytes = Vec::new();
    let mut chars = rest.bytes().enumerate();
    while let Some((at, byte)) = chars.next() {
        match byte {
            b'"' => return Ok((bytes, rest.get(at + 1..).unwrap_or_default())),
            b'\\' => {
                let escape = chars.next().map(|(_, byte)| byte);
                bytes.push(unescape(escape, &mut chars).ok_or(wrong("a bad escape", text))?);
            }
            _ => bytes.push(byte),
        }
    }
    Err(wrong("a quote is missing", text))
}

fn unescape(escape: Option<u8>, rest: &mut impl Iterator<Item = (usize, u8)>) -> Option<u8> {
    let mut hex = || char::from(rest.next()?.1).to_digit(16);
    match escape? {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'x' => u8::try_from(hex()? * 16 + hex()?).ok(),
        same @ (b'"' | b'\'' | b'\\') => Some(same),
        _ => None,
    }
}

fn unquote(text: &str) -> Result<Vec<u8>, Wrong> {
    let (bytes, rest) = split_quoted(text)?;
    if rest.trim().is_empty() { Ok(bytes) } else { Err(wrong("text behind a quote", rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disasm, interp, mock::Mock, verify::verify};
    use proptest::prelude::*;

    /// The words FreeBSD's disassembler prints, and the notes behind them.
    #[test]
    fn a_listing_looks_like_dtraces() {
        let difo = assemble(
            r#"
            .returns 0 1 0 4
            .var "n" 0x500 scl glb 3 0 1 0 8
                setx 1, %r1
                ldgs n, %r2
                ldgs pid, %r3
                sets "hi", %r4
                call strlen, %r4
                pushtv DT_TYPE(0), %r0, %r4
                stgs %r1, n
                ldub [%r4], %r5
                stb %r5, [%r4]
                ret %r1
            "#,
        )
        .unwrap();
        let expected = "\
DIFO returns D type (integer) (size 4)
OFF OPCODE      INSTRUCTION
00: 25000001    setx DT_INTEGER[0], %r1\t\t! 0x1
01: 29050002    ldgs DT_VAR(1280), %r2\t\t! DT_VAR(1280) = \"n\"
02: 29011603    ldgs DT_VAR(278), %r3\t\t! DT_VAR(278) = \"pid\"
03: 26000004    sets DT_STRING[0], %r4\t\t! \"hi\"
04: 2f000c04    call DIF_SUBR(12), %r4\t\t! strlen
05: 31000004    pushtv DT_TYPE(0), %r0, %r4\t\t! DT_TYPE(0) = D type
06: 2a050001    stgs %r1, DT_VAR(1280)\t\t! DT_VAR(1280) = \"n\"
07: 1f040005    ldub [%r4], %r5
08: 3c050004    stb  %r5, [%r4]
09: 23000001    ret  %r1

NAME             ID   KND SCP FLAG TYPE
n                1280 scl glb r/w  D type (integer) (size 8)
";
        assert_eq!(disasm::listing(&difo), expected);
    }

    /// A hand-written program with labels runs.
    #[test]
    fn labels_are_resolved() {
        let difo = assemble(
            "setx 7, %r1\nsetx -7, %r2\ncmp %r1, %r2\nbg  more ; signed\nret %r0\nmore:\nret %r1",
        )
        .unwrap();
        let verified = verify(&difo, 0).unwrap();
        assert_eq!(interp::run(&verified, &mut Mock::new()), Ok(7));
    }

    /// What is wrong is named with its line.
    #[test]
    fn errors_name_the_line() {
        for (text, line, what) in [
            ("nop\nfrobnicate %r1", 2, "there is no such instruction"),
            ("add %r1, %r2", 1, "the operands do not fit the instruction"),
            ("mov %r1, 7", 1, "not a register"),
            ("ba nowhere\nret %r0", 1, "there is no such label"),
            ("a:\na:\nret %r0", 2, "the label is there already"),
            ("ldgs frob, %r1", 1, "there is no such variable"),
            ("call frob, %r1", 1, "there is no such subroutine"),
            ("sets \"open, %r1", 1, "the operands do not fit the instruction"),
            (".strings \"a\\q\"", 1, "a bad escape"),
            ("ldx %r1, %r2", 1, "not a register in brackets"),
            ("ba 0x1000000", 1, "the target is too far"),
        ] {
            let error = assemble(text).unwrap_err();
            assert_eq!((error.line, error.what), (line, what), "{text}");
        }
    }

    fn word() -> impl Strategy<Value = u32> {
        prop_oneof![
            any::<u32>(),
            (proptest::sample::select(Op::ALL), 0_u32..(1 << 24))
                .prop_map(|(op, low)| (u32::from(op.number()) << 24) | low),
        ]
    }

    /// The words whose unused fields are zero: the assembler cannot spell others.
    fn spellable(word: u32) -> u32 {
        let instr = opcode::Instr(word);
        match instr.op().map(Op::format) {
            Some(Format::Unary | Format::Load | Format::Store) => word & 0xffff_00ff,
            Some(Format::Compare) => word & 0xffff_ff00,
            Some(Format::Test) => word & 0xffff_0000,
            Some(Format::Return) => word & 0xff00_00ff,
            Some(Format::Bare) => word & 0xff00_0000,
            _ => word,
        }
    }

    proptest! {
        /// Source and listing assemble to the words they were made from; source to the whole DIFO.
        #[test]
        fn what_is_disassembled_assembles(
            text in proptest::collection::vec(word(), 0..12),
            integers in proptest::collection::vec(any::<u64>(), 0..3),
            strings in proptest::collection::vec(any::<u8>(), 0..12),
            name in r#"[a-z";!,\\ é]{0,6}"#, id: u32, is_array: bool, is_read: bool
        ) {
            let text: Vec<u32> = text.into_iter().map(spellable).collect();
            let ty = DifType::STRING;
            let var = DifVar {
                name, id, is_array, scope: Scope::Thread, is_read, is_written: !is_read, ty,
            };
            let difo = Difo { text, integers, strings, vars: vec![var], ret: ty };
            prop_assert_eq!(assemble(&disasm::source(&difo)).unwrap(), difo.clone());
            let words = disasm::listing(&difo);
            let words = words.split("\nNAME").next().unwrap_or_default();
            prop_assert_eq!(assemble(words).unwrap().text, difo.text);
        }

        /// Nonsense is an error, never a panic.
        #[test]
        fn nonsense_is_survived(text in r#"[a-z.%0-9,"\\!:\[\]() é\n-]{0,80}"#) {
            let _ = assemble(&text);
        }
    }
}
