//! Stacks: one line a frame, `` module`function+0xoffset ``.

use dlang::compiled::ValueKind;

use super::{Context, Datum, Field};

/// Columns before a frame unless `stackindent` says otherwise.
pub const INDENT: usize = 14;

/// Prints a stack: a newline, then a line for each frame up to the first that is 0.
///
/// `conversion` is `%k`'s field: right-justified frames are padded to its width, and a
/// left-justified field gives the indentation instead, as in dtrace(1).
pub fn print(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    datum: &Datum<'_>,
    conversion: Option<&Field>,
) {
    let (indent, field) = match conversion {
        None => (context.stack_indent, Field::default()),
        Some(field) if field.left => (field.width, Field { width: 0, ..*field }),
        Some(field) => (0, *field),
    };
    out.push(b'\n');
    let frames = match datum.kind {
        ValueKind::Stack { frames } if *frames > 0 => {
            usize::try_from(*frames).unwrap_or(usize::MAX)
        }
        _ => usize::MAX,
    };
    for pc in datum.words().take(frames).take_while(|&pc| pc != 0) {
        out.resize(out.len() + indent, b' ');
        field.text(out, context.address(pc).as_bytes());
        out.push(b'\n');
    }
}

/// Prints a stack that is text already, a frame a line: what `immstack()` records.
pub fn lines(out: &mut Vec<u8>, context: &Context<'_>, text: &[u8]) {
    out.push(b'\n');
    for frame in text.split(|&b| b == b'\n').filter(|frame| !frame.is_empty()) {
        out.resize(out.len() + context.stack_indent, b' ');
        out.extend_from_slice(frame);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;

    fn printed(conversion: Option<Field>, frames: &[u64]) -> String {
        let bytes: Vec<u8> = frames.iter().flat_map(|pc| pc.to_le_bytes()).collect();
        let kind = ValueKind::Stack { frames: 20 };
        let mut out = Vec::new();
        let datum = Datum { kind: &kind, bytes: &bytes };
        print(&mut out, &context(), &datum, conversion.as_ref());
        String::from_utf8(out).unwrap()
    }

    /// Frames are named module`function+0xoffset; an unknown address stays hexadecimal; a zero
    /// ends the stack.
    #[test]
    fn frames_are_named() {
        let expected = "\n              kernel`vfs_read+0x10\n              ext4`ext4_sync\n              \
                        0x10\n";
        assert_eq!(printed(None, &[0x1010, 0x9000, 0x10, 0, 0x1010]), expected);
    }

    /// `%-4k` indents by four columns, `%24k` justifies to the right.
    #[test]
    fn conversion_flags_move_frames() {
        assert_eq!(printed(Some(Field::left(4)), &[0x1000]), "\n    kernel`vfs_read\n");
        assert_eq!(printed(Some(Field::right(18)), &[0x1000]), "\n   kernel`vfs_read\n");
    }
}
