//! `print()`: a value by its type, in the layout of dtrace(1).
//!
//! ```text
//! int 0x2a                    struct pair {               struct pair [2] [
//!                                 int a = 0x1                 struct pair {
//! string "text"                   char [4] b = [ "xyz" ]          int a = 0x1
//!                                 enum way w = UP             },
//! int [3] [ 0x1, 0x2, 0x3 ]   }                               …
//! ```
//!
//! Whatever is no struct ends its line itself; a struct's or union's last brace does not, so that a
//! row's own newline ends it. Members are found by the tree that the compiler made of the type; a
//! member that lies outside the record, whatever the reason, reads as zeroes.

use dlang::print::{PrintMember, PrintType};

use super::Context;

/// Columns of one level.
const INDENT: usize = 4;

/// Prints a value.
pub fn print(out: &mut Vec<u8>, context: &Context<'_>, ty: &PrintType, bytes: &[u8]) {
    let mut printing = Printing { context, bytes, depth: 0, nest: 0 };
    printing.member(out, "", Place { ty, bit_offset: 0, bit_width: 0 }, 0);
    printing.braces(out, 0);
}

/// A value's place in the bytes.
#[derive(Clone, Copy)]
struct Place<'a> {
    ty: &'a PrintType,
    bit_offset: usize,
    /// 0: no bit-field.
    bit_width: usize,
}

impl<'a> Place<'a> {
    fn of(member: &'a PrintMember, base: usize) -> Self {
        let bits = |bits: u32| usize::try_from(bits).unwrap_or(usize::MAX);
        Self {
            ty: &member.ty,
            bit_offset: base.saturating_add(bits(member.bit_offset)),
            bit_width: bits(member.bit_width),
        }
    }
}

/// How deep the value is that was printed last: braces are closed when the next one begins.
struct Printing<'a> {
    context: &'a Context<'a>,
    bytes: &'a [u8],
    depth: usize,
    /// The depth of the array that this is an element of.
    nest: usize,
}

impl Printing<'_> {
    /// Closes structs down to a depth; no newline follows the last brace.
    fn braces(&self, out: &mut Vec<u8>, depth: usize) {
        for closed in (depth + 1..=self.depth).rev() {
            out.resize(out.len() + (closed + self.nest - 1) * INDENT, b' ');
            out.push(b'}');
            if closed > depth + 1 {
                out.push(b'\n');
            }
        }
    }

    fn indent(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + (self.depth + self.nest) * INDENT, b' ');
    }

    /// A value with its type and name, and for structs and unions its members.
    fn member(&mut self, out: &mut Vec<u8>, name: &str, place: Place<'_>, depth: usize) {
        self.braces(out, depth);
        if depth < self.depth {
            out.push(b'\n');
        }
        self.depth = depth;
        let is_compound = matches!(place.ty, PrintType::Compound { .. });
        let is_element = self.nest != 0 && depth == 0;
        // Simple elements stand in one line, without their type.
        let is_brief = is_element && !is_compound;
        if !is_brief {
            if is_element {
                out.push(b'\n');
            }
            self.indent(out);
            declaration(out, name, place);
        }
        self.value(out, place);
        if !is_brief {
            out.push(b'\n');
        }
        if let PrintType::Compound { members, .. } = place.ty {
            for member in members {
                let at = Place::of(member, place.bit_offset);
                self.member(out, &member.name, at, depth + 1);
            }
        }
    }

    fn value(&self, out: &mut Vec<u8>, place: Place<'_>) {
        let hex = |value: u64| if value == 0 { "0".to_owned() } else { format!("{value:#x}") };
        let text = match place.ty {
            PrintType::Integer { is_char: true, signed: true, size: 1, .. }
                if place.bit_width == 0 =>
            {
                let [byte, ..] = self.bits(place, 8).to_le_bytes();
                character(byte)
            }
            PrintType::Integer { size, .. } => hex(self.bits(place, bits_of(*size))),
            PrintType::Enum { size, values, .. } => {
                enumerator(values, self.bits(place, bits_of(*size)), *size)
            }
            PrintType::Pointer { is_function, .. } => {
                let address = self.bits(place, 64);
                match self.context.symbols.lookup(address) {
                    Some(symbol) if *is_function => format!("{}`{}", symbol.module, symbol.name),
                    _ => hex(address),
                }
            }
            PrintType::Float { size, .. } => floating(self.bits(place, bits_of(*size)), *size),
            PrintType::Text => return self.text(out, place),
            PrintType::Array { .. } => return self.array(out, place),
            PrintType::Compound { .. } => "{".into(),
            PrintType::Opaque { .. } => "<forward decl>".into(),
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// The bits of a value, `width` of them if it is no bit-field; at most 64.
    fn bits(&self, place: Place<'_>, width: usize) -> u64 {
        let width = if place.bit_width == 0 { width } else { place.bit_width }.min(64);
        let mut wide = [0_u8; 16];
        let from = self.bytes.get(place.bit_offset / 8..).unwrap_or_default();
        for (to, from) in wide.iter_mut().take(9).zip(from) {
            *to = *from;
        }
        let value = u128::from_le_bytes(wide) >> (place.bit_offset % 8);
        u64::try_from(value & ((1 << width) - 1)).unwrap_or(0)
    }

    /// A D string: an array of characters as long as the record has room.
    fn text(&self, out: &mut Vec<u8>, place: Place<'_>) {
        self.elements(out, place, &CHARACTER, 1, usize::MAX);
    }

    fn array(&self, out: &mut Vec<u8>, place: Place<'_>) {
        if let PrintType::Array { element, size, count, .. } = place.ty {
            let words = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            self.elements(out, place, element, words(*size), words(*count));
        }
    }

    fn elements(
        &self,
        out: &mut Vec<u8>,
        place: Place<'_>,
        element: &PrintType,
        size: usize,
        count: usize,
    ) {
        let bytes = self.bytes.get(place.bit_offset / 8..).unwrap_or_default();
        let count = count.min(bytes.len().checked_div(size).unwrap_or(0));
        let text = is_character(element).then(|| text_of(bytes.get(..count)?)).flatten();
        if let (Some(text), 0) = (text, self.depth) {
            return quoted(out, text);
        }
        out.extend_from_slice(b"[ ");
        let is_compound = matches!(element, PrintType::Compound { .. });
        match text {
            Some(text) => quoted(out, text),
            None => self.each(out, element, bytes.chunks_exact(size.max(1)).take(count)),
        }
        if is_compound {
            self.indent(out);
        } else {
            out.push(b' ');
        }
        out.push(b']');
    }

    fn each<'b>(
        &self,
        out: &mut Vec<u8>,
        element: &PrintType,
        all: impl ExactSizeIterator<Item = &'b [u8]>,
    ) {
        let last = all.len().saturating_sub(1);
        for (index, bytes) in all.enumerate() {
            let nest = self.nest + self.depth + 1;
            let mut one = Printing { context: self.context, bytes, depth: 0, nest };
            one.member(out, "", Place { ty: element, bit_offset: 0, bit_width: 0 }, 0);
            one.braces(out, 0);
            if index != last {
                out.extend_from_slice(b", ");
            } else if matches!(element, PrintType::Compound { .. }) {
                out.push(b'\n');
            }
        }
    }
}

/// What a D string is made of.
static CHARACTER: PrintType =
    PrintType::Integer { name: String::new(), size: 1, signed: true, is_char: true };

fn bits_of(size: u32) -> usize {
    usize::try_from(size).unwrap_or(8).saturating_mul(8)
}

/// `type name :bits = `, or `type ` for what has no name.
fn declaration(out: &mut Vec<u8>, name: &str, place: Place<'_>) {
    let ty = place.ty.name();
    out.extend_from_slice(ty.as_bytes());
    if !name.is_empty() {
        if !ty.ends_with(['*', ' ']) {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
        if place.bit_width != 0 && matches!(place.ty, PrintType::Integer { .. }) {
            out.extend_from_slice(format!(" :{}", place.bit_width).as_bytes());
        }
        out.extend_from_slice(b" =");
    }
    out.push(b' ');
}

fn is_character(ty: &PrintType) -> bool {
    matches!(ty, PrintType::Integer { is_char: true, signed: true, size: 1, .. })
}

/// The text of an array of characters, if it is text: printable characters and then a NUL.
fn text_of(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte))?;
    let (text, rest) = bytes.split_at_checked(end)?;
    (rest.first() == Some(&0)).then_some(text)
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn character(byte: u8) -> String {
    match byte {
        b' '..=b'~' => format!("'{}'", char::from(byte)),
        0 => "'\\0'".into(),
        // As a signed character is widened, and then shown unsigned.
        0x80.. => format!("'\\{:o}'", i32::from(byte.cast_signed())),
        _ => format!("'\\{byte:03o}'"),
    }
}

/// An enumerator's name, or the number if there is none.
fn enumerator(values: &[(String, i64)], raw: u64, size: u32) -> String {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    let value = match size {
        4 => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => raw.cast_signed(),
    };
    let named = values.iter().find(|(_, known)| *known == value);
    named.map_or_else(|| value.to_string(), |(name, _)| name.clone())
}

/// C's `%+.7e`.
fn floating(raw: u64, size: u32) -> String {
    let value = match size {
        4 => u32::try_from(raw).map_or(f64::NAN, |raw| f64::from(f32::from_bits(raw))),
        8 => f64::from_bits(raw),
        _ => return "<unknown encoding>".into(),
    };
    if value.is_nan() {
        return "+nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+inf".into() } else { "-inf".into() };
    }
    let text = format!("{value:+.7e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;

    fn int(name: &str, size: u32) -> PrintType {
        PrintType::Integer { name: name.into(), size, signed: true, is_char: name == "char" }
    }

    fn member(name: &str, bit_offset: u32, bit_width: u32, ty: PrintType) -> PrintMember {
        PrintMember { name: name.into(), bit_offset, bit_width, ty }
    }

    fn array(name: &str, element: PrintType, size: u32, count: u32) -> PrintType {
        PrintType::Array { name: name.into(), element: Box::new(element), size, count }
    }

    fn pair() -> PrintType {
        let chars = array("char [4]", int("char", 1), 1, 4);
        PrintType::Compound {
            name: "struct pair".into(),
            size: 8,
            members: vec![member("a", 0, 0, int("int", 4)), member("b", 32, 0, chars)],
        }
    }

    fn shown(ty: &PrintType, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        print(&mut out, &context(), ty, bytes);
        String::from_utf8(out).unwrap()
    }

    /// Scalars: integers in hexadecimal, characters, enumerators, text; each ends its line.
    #[test]
    fn scalars_stand_behind_their_type() {
        assert_eq!(shown(&int("int", 4), &(-1_i32).to_le_bytes()), "int 0xffffffff\n");
        assert_eq!(shown(&int("long", 8), &[0; 8]), "long 0\n");
        assert_eq!(shown(&int("char", 1), b"A"), "char 'A'\n");
        assert_eq!(shown(&int("char", 1), b"\n"), "char '\\012'\n");
        assert_eq!(shown(&PrintType::Text, b"sh\0\0"), "string \"sh\"\n");
        assert_eq!(shown(&PrintType::Text, b"\0\0"), "string \"\"\n");
        let way = PrintType::Enum {
            name: "enum way".into(),
            size: 4,
            values: vec![("DOWN".into(), -1), ("UP".into(), 1)],
        };
        assert_eq!(shown(&way, &(-1_i32).to_le_bytes()), "enum way DOWN\n");
        assert_eq!(shown(&way, &7_i32.to_le_bytes()), "enum way 7\n");
        let double = PrintType::Float { name: "double".into(), size: 8 };
        assert_eq!(shown(&double, &(-1250.0_f64).to_le_bytes()), "double -1.2500000e+03\n");
    }

    /// A pointer to a function is named, any other is a number.
    #[test]
    fn functions_are_named() {
        let pointer =
            |name: &str, is_function| PrintType::Pointer { name: name.into(), is_function };
        let address = 0x1000_u64.to_le_bytes();
        assert_eq!(shown(&pointer("void (*)()", true), &address), "void (*)() kernel`vfs_read\n");
        assert_eq!(shown(&pointer("void *", false), &address), "void * 0x1000\n");
        assert_eq!(shown(&pointer("void (*)()", true), &[0; 8]), "void (*)() 0\n");
    }

    /// A struct's last brace leaves the line open.
    #[test]
    fn structs_have_a_line_a_member() {
        let bytes = b"\x01\0\0\0xyz\0";
        let expected = "struct pair {\n    int a = 0x1\n    char [4] b = [ \"xyz\" ]\n}";
        assert_eq!(shown(&pair(), bytes), expected);
        let outer = PrintType::Compound {
            name: "struct outer".into(),
            size: 12,
            members: vec![member("in", 0, 0, pair()), member("z", 64, 0, int("int", 4))],
        };
        let expected = "struct outer {\n    struct pair in = {\n        int a = 0x1\n        \
                        char [4] b = [ 'x', 'y', 'z', 'w' ]\n    }\n    int z = 0\n}";
        assert_eq!(shown(&outer, b"\x01\0\0\0xyzw\0\0\0\0"), expected);
    }

    /// Bit-fields say their width; what lies outside the record is zero.
    #[test]
    fn bit_fields_say_their_width() {
        let bits = PrintType::Compound {
            name: "struct ".into(),
            size: 4,
            members: vec![
                member("low", 0, 3, int("int", 4)),
                member("high", 3, 7, int("int", 4)),
                member("gone", 64, 0, int("int", 4)),
            ],
        };
        let expected = "struct  {\n    int low :3 = 0x5\n    int high :7 = 0x41\n    \
                        int gone = 0\n}";
        assert_eq!(shown(&bits, &(0b1_000_001_101_u32).to_le_bytes()), expected);
    }

    /// Arrays: simple elements in a line, structs one below the other, text as text.
    #[test]
    fn arrays_are_in_brackets() {
        let ints = array("int [2]", int("int", 4), 4, 2);
        assert_eq!(shown(&ints, &[1, 0, 0, 0, 2, 0, 0, 0]), "int [2] [ 0x1, 0x2 ]\n");
        let words = array("char [2][3]", array("char [3]", int("char", 1), 1, 3), 3, 2);
        assert_eq!(shown(&words, b"ab\0c\0\0"), "char [2][3] [ \"ab\", \"c\" ]\n");
        let pairs = array("struct pair [2]", pair(), 8, 2);
        let expected = "struct pair [2] [ \n    struct pair {\n        int a = 0x1\n        \
                        char [4] b = [ \"xyz\" ]\n    }, \n    struct pair {\n        int a = 0\n        \
                        char [4] b = [ \"\" ]\n    }\n]\n";
        assert_eq!(shown(&pairs, b"\x01\0\0\0xyz\0\0\0\0\0\0\0\0\0"), expected);
    }
}
