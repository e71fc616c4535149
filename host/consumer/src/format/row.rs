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

/// What a probe does to the flow of control, as `flowindent` sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Nothing.
    #[default]
    None,
    /// It enters a function.
    Entry,
    /// It leaves one.
    Return,
}

impl Flow {
    /// By a probe's name: `entry` and `return`, alone or after a hyphen.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let is = |what: &str| {
            name.strip_suffix(what).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
        };
        if is("entry") {
            Self::Entry
        } else if is("return") {
            Self::Return
        } else {
            Self::None
        }
    }

    /// The arrow: system calls have their own.
    const fn arrow(self, syscall: bool) -> &'static str {
        match (self, syscall) {
            (Self::None, _) => "| ",
            (Self::Entry, false) => " -> ",
            (Self::Entry, true) => " => ",
            (Self::Return, false) => " <- ",
            (Self::Return, true) => " <= ",
        }
    }
}

/// The heading with `flowindent`.
pub fn flow_heading(out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:>3} {:<41}\n", "CPU", "FUNCTION").as_bytes());
}

/// The start of a row with `flowindent`: CPU, then function by depth; `function:name` where the
/// probe is neither entry nor return.
pub fn flow_start(
    out: &mut Vec<u8>,
    cpu: u32,
    (flow, indent): (Flow, usize),
    [provider, function, name]: [&str; 3],
) {
    let arrow = flow.arrow(provider == "syscall");
    let indent = " ".repeat(indent);
    let what = match flow {
        Flow::None => format!("{indent}{arrow}{function}:{name}"),
        Flow::Entry | Flow::Return => format!("{indent}{arrow}{function}"),
    };
    out.extend_from_slice(format!("{cpu:>3} {what:<41} ").as_bytes());
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

    /// Arrows by kind, the name only where there is no arrow, two columns a level.
    #[test]
    fn flow_rows_are_indented() {
        let mut out = Vec::new();
        flow_heading(&mut out);
        let entry = Flow::of("entry");
        flow_start(&mut out, 0, (entry, 0), ["syscall", "read", "entry"]);
        out.push(b'\n');
        flow_start(&mut out, 0, (Flow::of("start"), 2), ["io", "", "start"]);
        out.push(b'\n');
        flow_start(&mut out, 1, (Flow::of("my-return"), 2), ["fbt", "f", "my-return"]);
        let expected = format!(
            "CPU {:41}\n  0 {:41} \n  0 {:41} \n  1 {:41} ",
            "FUNCTION", " => read", "  | :start", "   <- f"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!([Flow::of("carpentry"), Flow::of("returned")], [Flow::None; 2]);
    }
}
