//! `%C` and `%S`: control characters as C escapes.

/// Appends `bytes` with everything unprintable escaped: a letter where C has one, else octal.
pub(super) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0b => out.extend_from_slice(b"\\v"),
            0x0c => out.extend_from_slice(b"\\f"),
            0 => out.extend_from_slice(b"\\0"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal would act on is written as C would write it.
    #[test]
    fn control_characters_are_escaped() {
        let mut out = Vec::new();
        escape(&mut out, b"a\tb\n\x1b[1m\0\xff");
        assert_eq!(out, br"a\tb\n\033[1m\0\377");
    }
}
