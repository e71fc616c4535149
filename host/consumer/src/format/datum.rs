//! One datum of a record or of a key: decoding it, and the way `trace()` and default aggregation
//! output show it.

use dlang::compiled::ValueKind;

use super::{
    Context, Field, stack,
    user::{self, Part},
};

/// A datum: what it is, and its bytes as the engine recorded them.
#[derive(Clone, Copy, Debug)]
pub struct Datum<'a> {
    /// What it is.
    pub kind: &'a ValueKind,
    /// Its bytes, little-endian.
    pub bytes: &'a [u8],
}

impl<'a> Datum<'a> {
    /// The integer it holds, sign- or zero-extended; 0 if it holds none.
    #[must_use]
    pub fn integer(&self) -> i64 {
        self.unsigned().map_or(0, |raw| {
            let signed = matches!(self.kind, ValueKind::Integer { signed: true });
            extend(raw, self.bytes.len(), signed)
        })
    }

    /// The integer it holds as a signed one of its size; 0 if it holds none.
    #[must_use]
    pub fn signed(&self) -> i64 {
        self.unsigned().map_or(0, |raw| extend(raw, self.bytes.len(), true))
    }

    /// The integer it holds, zero-extended; `None` if it is no integer of 1, 2, 4 or 8 bytes.
    #[must_use]
    pub fn unsigned(&self) -> Option<u64> {
        let mut word = [0_u8; 8];
        if !matches!(self.bytes.len(), 1 | 2 | 4 | 8) {
            return None;
        }
        word.get_mut(..self.bytes.len())?.copy_from_slice(self.bytes);
        Some(u64::from_le_bytes(word))
    }

    /// Its bytes up to the first NUL.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        let end = self.bytes.iter().position(|&b| b == 0).unwrap_or(self.bytes.len());
        self.bytes.get(..end).unwrap_or_default()
    }

    /// Its 64-bit words; a trailing part word is left out.
    pub fn words(&self) -> impl Iterator<Item = u64> + 'a {
        self.bytes.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(u64::from_le_bytes)
    }
}

/// Where a datum is shown: `trace()` and keys differ in the width of strings, and only `trace()`
/// knows quiet mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A `trace()` row.
    Row,
    /// A `trace()` in quiet mode.
    QuietRow,
    /// An element of an aggregation's key.
    Key,
    /// An element of a key whose aggregations are printed one to a line (`aggpack`, `agghist`).
    PackedKey,
}

impl Place {
    /// Columns of a string.
    const fn text_width(self) -> usize {
        match self {
            Self::Row | Self::QuietRow => 33,
            Self::Key => 50,
            Self::PackedKey => 16,
        }
    }
}

/// Prints a datum in its default layout. What is no stack and no symbol goes by its size alone, as
/// in dtrace(1): 1, 2, 4 and 8 bytes are an integer, all else is text if it looks like text.
pub fn print(out: &mut Vec<u8>, context: &Context<'_>, datum: &Datum<'_>, place: Place) {
    match datum.kind {
        ValueKind::Stack { .. } => stack::print(out, context, datum, None),
        ValueKind::UserStack { frames, strsize } => {
            let frames = user::frames(datum.bytes, *frames, *strsize);
            user::stack(out, context, datum.bytes, frames, None);
        }
        ValueKind::UserSymbol => user::print(out, context, datum.bytes, Part::Symbol),
        ValueKind::UserModule => user::print(out, context, datum.bytes, Part::Object),
        ValueKind::UserAddress => user::print(out, context, datum.bytes, Part::Address),
        ValueKind::StackText => stack::lines(out, context, datum.text()),
        ValueKind::Symbol => padded_symbol(out, &context.symbol_name(word(datum))),
        ValueKind::Module => padded_symbol(out, &context.module_name(word(datum))),
        ValueKind::String => plain(out, context, &whole_string(context, datum, place), place),
        ValueKind::CharArray
        | ValueKind::Integer { .. }
        | ValueKind::Pointer
        | ValueKind::Bytes => plain(out, context, datum.bytes, place),
    }
}

/// A string with the zeroes that fill its room: keys are kept without them, and in a record
/// anything may stand behind the NUL.
fn whole_string(context: &Context<'_>, datum: &Datum<'_>, place: Place) -> Vec<u8> {
    let size = match place {
        Place::Key | Place::PackedKey => context.strsize.max(datum.text().len()),
        Place::Row | Place::QuietRow => datum.bytes.len(),
    };
    let mut whole = datum.text().to_vec();
    whole.resize(size, 0);
    whole
}

/// The columns that an element of a packed key takes, the blank before it included.
#[must_use]
pub fn packed_width(size: usize) -> usize {
    match size {
        1 => 4,
        2 => 6,
        4 => 9,
        _ => 17,
    }
}

fn plain(out: &mut Vec<u8>, context: &Context<'_>, data: &[u8], place: Place) {
    match default_integer(data) {
        Some((value, width)) => integer(out, value, width, place),
        None => bytes(out, context, data, place),
    }
}

fn word(datum: &Datum<'_>) -> u64 {
    datum.words().next().unwrap_or(0)
}

fn padded_symbol(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"  ");
    Field::left(50).text(out, name.as_bytes());
}

/// The value as dtrace(1) shows an untyped integer (8 and 4 bytes signed, 2 and 1 unsigned), with
/// the width of its column.
fn default_integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let datum = Datum { kind: &ValueKind::Pointer, bytes };
    let raw = datum.unsigned()?;
    Some(match bytes.len() {
        1 => (extend(raw, 1, false), 3),
        2 => (extend(raw, 2, false), 5),
        4 => (extend(raw, 4, true), 8),
        _ => (extend(raw, 8, true), 16),
    })
}

fn integer(out: &mut Vec<u8>, value: i64, width: usize, place: Place) {
    if place == Place::QuietRow {
        return Field::default().signed(out, value);
    }
    out.push(b' ');
    Field::right(width).signed(out, value);
}

/// Untyped bytes: text if all of them are, or if only zeroes follow the text; else a dump. Text
/// that fills its room is padded even in quiet mode, and an empty string is a dump of zeroes:
/// dtrace(1) has it so.
fn bytes(out: &mut Vec<u8>, context: &Context<'_>, bytes: &[u8], place: Place) {
    if bytes.is_empty() {
        return;
    }
    let end = bytes.iter().position(|&b| !is_text(b)).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    let is_string = !text.is_empty() && rest.iter().all(|&b| b == 0);
    match (is_string && !context.rawbytes, rest.is_empty(), place) {
        (false, ..) => dump(out, bytes),
        (true, false, Place::QuietRow) => out.extend_from_slice(text),
        (true, false, Place::PackedKey) => {
            out.push(b' ');
            Field::right(place.text_width()).text(out, text);
        }
        (true, ..) => {
            out.extend_from_slice(b"  ");
            Field::left(place.text_width()).text(out, text);
        }
    }
}

/// What isprint(3) and isspace(3) hold for, and the bell and the backspace.
fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t'..=b'\r' | 0x07 | 0x08)
}

/// `tracemem()`: offsets, hexadecimal, text; it starts on a line of its own.
pub fn dump(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    out.extend_from_slice(b"\n           ");
    for digit in b"0123456789abcdef" {
        out.extend_from_slice(&[b' ', b' ', *digit]);
    }
    out.extend_from_slice(b"  0123456789abcdef\n");
    for (row, chunk) in bytes.chunks(16).enumerate() {
        out.extend_from_slice(format!("     {:5x}:", row * 16).as_bytes());
        for byte in chunk {
            out.extend_from_slice(format!(" {byte:02x}").as_bytes());
        }
        out.resize(out.len() + 3 * (16 - chunk.len()) + 2, b' ');
        out.extend(chunk.iter().map(|&b| if (b' '..=b'~').contains(&b) { b } else { b'.' }));
        out.push(b'\n');
    }
}

/// As much of a dump as a computed size asks for: all of it if that is 0 or more than there is.
#[must_use]
pub fn start_of(bytes: &[u8], size: Option<u64>) -> &[u8] {
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size != 0);
    size.and_then(|size| bytes.get(..size)).unwrap_or(bytes)
}

/// What `printm()` recorded: a length, and so many bytes.
#[must_use]
pub fn counted(bytes: &[u8]) -> &[u8] {
    let Some((length, rest)) = bytes.split_first_chunk() else { return &[] };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    rest.get(..length).unwrap_or(rest)
}

/// Sign- or zero-extends the low `size` bytes of `raw`.
fn extend(raw: u64, size: usize, signed: bool) -> i64 {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    match (size, signed) {
        (1, true) => i64::from(i8::from_le_bytes([a])),
        (2, true) => i64::from(i16::from_le_bytes([a, b])),
        (4, true) => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => raw.cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;

    fn shown(kind: ValueKind, bytes: &[u8], place: Place) -> String {
        let mut out = Vec::new();
        print(&mut out, &context(), &Datum { kind: &kind, bytes }, place);
        String::from_utf8(out).unwrap()
    }

    const INT: ValueKind = ValueKind::Integer { signed: true };

    /// `trace()` gives every size its column, and quiet mode takes all blanks away.
    #[test]
    fn traced_integers_have_a_column_by_size() {
        assert_eq!(shown(INT, &[7], Place::Row), "   7");
        assert_eq!(shown(INT, &[7, 0], Place::Row), "     7");
        assert_eq!(shown(INT, &7_u32.to_le_bytes(), Place::Row), "        7");
        assert_eq!(shown(INT, &7_u64.to_le_bytes(), Place::Row), "                7");
        assert_eq!(shown(INT, &7_u64.to_le_bytes(), Place::QuietRow), "7");
        assert_eq!(shown(INT, &(-1_i64).to_le_bytes(), Place::QuietRow), "-1");
    }

    /// Strings are left-justified behind two blanks: 33 columns in a row, 50 in a key.
    #[test]
    fn strings_are_left_justified() {
        assert_eq!(shown(ValueKind::String, b"sh\0junk", Place::Row), format!("  {:33}", "sh"));
        assert_eq!(shown(ValueKind::String, b"sh\0", Place::Key), format!("  {:50}", "sh"));
        assert_eq!(shown(ValueKind::String, b"sh\0", Place::QuietRow), "sh");
        assert_eq!(shown(ValueKind::String, b"sh\0", Place::PackedKey), format!(" {:>16}", "sh"));
        // Text without a NUL is padded in quiet mode too.
        assert_eq!(shown(ValueKind::Bytes, b"abc", Place::QuietRow), format!("  {:33}", "abc"));
    }

    /// What is no text is dumped, and an empty string is none: in a key, with all its room.
    #[test]
    fn strings_that_are_no_text_are_dumped() {
        let dumped = shown(ValueKind::String, b"\0junk\0\0\0\0\0\0\0\0\0\0\0", Place::QuietRow);
        assert!(dumped.ends_with(
            "         0: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................\n"
        ));
        assert_eq!(shown(ValueKind::String, b"", Place::Key).lines().count(), 2 + 256 / 16);
        assert!(shown(ValueKind::String, b"\x01x\0", Place::Row).contains(" 01 78 00 "));
    }

    /// Arrays of a size that an integer may have are shown as one.
    #[test]
    fn size_decides_what_an_integer_is() {
        assert_eq!(shown(ValueKind::CharArray, b"ab\0\0", Place::QuietRow), "25185");
    }

    /// A stack that was resolved when the probe fired looks like any stack, a frame a line.
    #[test]
    fn resolved_stacks_are_stacks() {
        let printed = shown(ValueKind::StackText, b"a+0x1\nb+0x2\n\0\0", Place::Key);
        assert_eq!(printed, "\n              a+0x1\n              b+0x2\n");
    }

    /// Bytes that are no text are dumped with offsets and a text column.
    #[test]
    fn bytes_are_dumped() {
        let dumped = shown(ValueKind::Bytes, b"AB\x01 0123456789abcdefg", Place::Row);
        let expected = "
             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef
         0: 41 42 01 20 30 31 32 33 34 35 36 37 38 39 61 62  AB. 0123456789ab
        10: 63 64 65 66 67                                   cdefg
";
        assert_eq!(dumped, expected);
        assert_eq!(shown(ValueKind::Bytes, b"abc\0\0", Place::QuietRow), "abc");
    }

    /// Signed types are sign-extended by `printf`, whatever their size.
    #[test]
    fn integers_are_extended_by_type() {
        let datum = |kind, bytes| Datum { kind, bytes }.integer();
        assert_eq!(datum(&INT, &[0xff]), -1);
        assert_eq!(datum(&ValueKind::Integer { signed: false }, &[0xff]), 255);
        assert_eq!(datum(&INT, &[0xfe, 0xff, 0xff, 0xff]), -2);
        assert_eq!(datum(&INT, &[1, 2, 3]), 0);
    }
}
