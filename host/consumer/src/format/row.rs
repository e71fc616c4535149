//! The rows of a session that is not quiet: heading, CPU, probe, and what the clause printed.

use super::Field;

/// The heading, once, before the first row.
pub fn heading(out: &mut Vec<u8>) {
    out.extend_from_slice(b"CPU     ID                    FUNCTION:NAME\n");
}

/// The start of a row: CPU, the probe's number, `function:name`.
pub fn start(out: &mut Vec<u8>, cpu: u32, id: u32, function: &str, name: &str) {
    Field::right(3).unsigned(out, u64::from(cpu));
    out.push(b' ');
    Field::right(6).unsigned(out, u64::from(id));
    out.push(b' ');
    Field::right(32).text(out, format!("{function}:{name}").as_bytes());
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heading and rows line up as dtrace(1) has them.
    #[test]
    fn rows_line_up_with_the_heading() {
        let mut out = Vec::new();
        heading(&mut out);
        start(&mut out, 1, 1234, "vfs_read", "entry");
        let text = String::from_utf8(out).unwrap();
        let expected = "CPU     ID                    FUNCTION:NAME\n  \
                        1   1234                   vfs_read:entry ";
        assert_eq!(text, expected);
    }
}
