//! What the C preprocessor leaves behind.
//!
//! `-C` runs the system's `cpp` over a script before it comes here. Its output tells by *line
//! markers*, `# 12 "file.h" 1 3` or `#line 12 "file.h"`, which line of which file follows. They are
//! read once, when a text is taken in, and only renumber what errors say; the lexer skips them.

use crate::source::{LineMarker, offset};

/// All line markers of a text, in order.
pub(crate) fn line_markers(text: &[u8]) -> Vec<LineMarker> {
    let mut markers = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if let Some((number, file)) = line_marker(line) {
            markers.push(LineMarker { start: offset(at), line: number, file });
        }
    }
    markers
}

/// Reads one line as a line marker: the number of the next line, and the file if it names one.
pub(crate) fn line_marker(line: &[u8]) -> Option<(u32, Option<String>)> {
    let rest = line.trim_ascii().strip_prefix(b"#")?.trim_ascii_start();
    let rest = match rest.strip_prefix(b"line") {
        Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => rest.trim_ascii_start(),
        _ => rest,
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    let number = core::str::from_utf8(number).ok()?.parse().ok()?;
    let rest = rest.trim_ascii_start();
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        return rest.is_empty().then_some((number, None));
    };
    let length = quoted.iter().position(|&byte| byte == b'"')?;
    // cpp reads the script from its standard input: that name means the script itself.
    let file = quoted.get(..length).filter(|name| *name != b"<stdin>");
    Some((number, file.map(|name| String::from_utf8_lossy(name).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::line_marker;

    #[test]
    fn both_spellings_of_a_marker_are_read() {
        assert_eq!(line_marker(b"# 7 \"a.h\" 1 3\n"), Some((7, Some("a.h".into()))));
        assert_eq!(line_marker(b"  #line 9 \"b.d\"\n"), Some((9, Some("b.d".into()))));
        assert_eq!(line_marker(b"#line 9\n"), Some((9, None)));
        assert_eq!(line_marker(b"# 2 \"<stdin>\" 2\n"), Some((2, None)));
    }

    #[test]
    fn other_control_lines_are_not_markers() {
        for line in ["#pragma D option quiet", "#!/usr/sbin/dtrace -s", "#line", "#line9x", "x # 1"]
        {
            assert_eq!(line_marker(line.as_bytes()), None, "{line}");
        }
    }
}
