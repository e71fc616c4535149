//! Fixed-size strings of the wire.

/// The bytes of a NUL-terminated string in a fixed field; all of the field if nothing ends it.
#[must_use]
pub fn text(field: &[u8]) -> &[u8] {
    match field.iter().position(|&b| b == 0) {
        Some(end) => field.get(..end).unwrap_or(field),
        None => field,
    }
}

/// The bytes as a string if they are printable ASCII.
pub(crate) fn printable(bytes: &[u8]) -> Option<&str> {
    if !bytes.iter().all(|&b| (0x20..0x7f).contains(&b)) {
        return None;
    }
    core::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field without a NUL is read whole, not past its end.
    #[test]
    fn text_stops_at_nul_or_at_the_end() {
        assert_eq!(text(b"web\0junk"), b"web");
        assert_eq!(text(b"web"), b"web");
        assert_eq!(text(b"\0"), b"");
    }

    /// What would disturb a terminal is not a name.
    #[test]
    fn control_bytes_are_refused() {
        assert_eq!(printable(b"vfs_read"), Some("vfs_read"));
        assert_eq!(printable(b"\x1b[2J"), None);
        assert_eq!(printable(b"\xff"), None);
    }
}
