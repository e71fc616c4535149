//! Control lines: `#pragma D …` and the other lines that start with `#`.
//!
//! They may stand anywhere a line starts, also inside a clause, and are not part of the grammar:
//! the lexer hands each one here whole. Line markers (`# 3 "file"`) and `#!` never come here.

use crate::{
    ast::{Pragma, PragmaKind},
    error::{Error, ErrorTag},
    lexer::text::{quoted_length, unescape},
    source::Span,
};

/// Reads a control line; `None` if it says nothing to D. `line` starts with the `#`.
///
/// # Errors
/// `D_PRAGERR` for `#error`, `D_PRAGCTL_INVAL` for a line that D does not know (`#if` without `-C`),
/// `D_PRAGMA_INVAL` and `D_PRAGMA_MALFORM` for a bad pragma, `D_STR_NL` for an open string.
pub(crate) fn parse(line: &[u8], span: Span) -> Result<Option<Pragma>, Error> {
    let line = line.strip_prefix(b"#").unwrap_or(line);
    let words = words(line, span)?;
    let mut words = words.iter().map(String::as_str);
    match words.next() {
        None | Some("ident") => Ok(None),
        Some("line") => Err(malformed_line(span)),
        Some("error") => Err(error_line(words, span)),
        Some("pragma") => match words.next() {
            Some("D") => match &words.collect::<Vec<_>>()[..] {
                // What may stand behind a bare # may stand here too.
                [] | ["ident", ..] => Ok(None),
                ["line", ..] => Err(malformed_line(span)),
                ["error", text @ ..] => Err(error_line(text.iter().copied(), span)),
                ["binding", ..] if !line.contains(&b'"') => {
                    Err(malformed("binding \"version\" identifier", span))
                }
                words => d_pragma(words, span).map(Some),
            },
            Some("error") => Err(error_line(words, span)),
            _ => Ok(None),
        },
        Some(other) => {
            let message = format!("invalid control directive: #{other}");
            Err(Error::new(ErrorTag::PragctlInval, span, message))
        }
    }
}

/// `#error some words`.
fn error_line<'a>(words: impl Iterator<Item = &'a str>, span: Span) -> Error {
    let text = words.collect::<Vec<_>>().join(" ");
    Error::new(ErrorTag::Pragerr, span, format!("#error: {text}"))
}

/// `#line` that is no line marker: the number is missing, or something else stands there.
fn malformed_line(span: Span) -> Error {
    let message = "malformed #line <line> [ [\"file\"] state ]";
    Error::new(ErrorTag::PragmaMalform, span, message)
}

fn malformed(usage: &str, span: Span) -> Error {
    let message = format!("malformed #pragma: expected #pragma D {usage}");
    Error::new(ErrorTag::PragmaMalform, span, message)
}

/// What follows `#pragma D`.
fn d_pragma(words: &[&str], span: Span) -> Result<Pragma, Error> {
    let malformed = |usage: &str| malformed(usage, span);
    let Some((&name, args)) = words.split_first() else {
        return Err(malformed("attributes, binding, depends_on or option"));
    };
    let owned = |text: &str| text.to_owned();
    let kind = match (name, args) {
        ("option", [setting]) => {
            let (name, value) = match setting.split_once('=') {
                Some((name, value)) => (name, Some(owned(value))),
                None => (*setting, None),
            };
            PragmaKind::Option { name: owned(name), value }
        }
        ("option", _) => return Err(malformed("option name[=value]")),
        ("attributes", [attributes, _, ..]) if !is_attributes(attributes) => {
            let message = "invalid attributes specified by #pragma attributes";
            return Err(Error::new(ErrorTag::PragmaInval, span, message));
        }
        ("attributes", [attributes, subject @ ..]) if matches!(subject.len(), 1 | 3) => {
            let subject = subject.iter().copied().map(owned).collect();
            PragmaKind::Attributes { attributes: owned(attributes), subject }
        }
        ("attributes", _) => {
            return Err(malformed("attributes name/data/class identifier"));
        }
        ("binding", [version, _]) if !is_version(version) => {
            let message = "invalid version string specified by #pragma binding";
            return Err(Error::new(ErrorTag::PragmaInval, span, message));
        }
        ("binding", [version, name]) => {
            PragmaKind::Binding { version: owned(version), name: owned(name) }
        }
        ("binding", _) => return Err(malformed("binding \"version\" identifier")),
        ("depends_on", [class @ ("library" | "module" | "provider"), name]) => {
            PragmaKind::DependsOn { class: owned(class), name: owned(name) }
        }
        ("depends_on", [class, _]) => {
            let message = format!("invalid class {class} specified by #pragma depends_on");
            return Err(Error::new(ErrorTag::PragmaInval, span, message));
        }
        ("depends_on", _) => return Err(malformed("depends_on library|module|provider name")),
        (other, _) => {
            let message = format!("invalid D pragma: {other}");
            return Err(Error::new(ErrorTag::PragmaInval, span, message));
        }
    };
    Ok(Pragma { kind, span })
}

/// `name/data/class`, each a word of DTrace's.
fn is_attributes(text: &str) -> bool {
    const STABILITIES: [&str; 8] = [
        "Internal", "Private", "Obsolete", "External", "Unstable", "Evolving", "Stable", "Standard",
    ];
    const CLASSES: [&str; 6] = ["Unknown", "CPU", "Platform", "Group", "ISA", "Common"];
    let known =
        |words: &[&str], text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match text.split('/').collect::<Vec<_>>()[..] {
        [name, data, class] => {
            known(&STABILITIES, name) && known(&STABILITIES, data) && known(&CLASSES, class)
        }
        _ => false,
    }
}

/// `1.2` or `1.2.3`.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    matches!(parts.len(), 2 | 3) && parts.iter().all(|part| part.parse::<u8>().is_ok())
}

/// Splits a control line at blanks. What stands in quotes is not split, its escapes are read.
fn words(line: &[u8], span: Span) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let mut word = Vec::new();
        while let Some(&first) = rest.first().filter(|byte| !byte.is_ascii_whitespace()) {
            if first != b'"' {
                word.push(first);
                rest = &rest[1..];
                continue;
            }
            let Some(length) = quoted_length(rest, b'"') else {
                let message = "newline encountered in string literal";
                return Err(Error::new(ErrorTag::StrNl, span, message));
            };
            word.extend(unescape(&rest[1..length - 1]));
            rest = &rest[length..];
        }
        // No option, name or version can hold one: they end there in DOF.
        if word.contains(&0) {
            let message = "malformed #pragma: a NUL character in it";
            return Err(Error::new(ErrorTag::PragmaMalform, span, message));
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
        rest = rest.trim_ascii_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> Result<Option<PragmaKind>, ErrorTag> {
        let parsed = parse(line.as_bytes(), Span::default());
        parsed.map(|pragma| pragma.map(|pragma| pragma.kind)).map_err(|error| error.tag)
    }

    #[test]
    fn options_come_with_and_without_a_value() {
        let option = |name: &str, value: Option<&str>| PragmaKind::Option {
            name: name.into(),
            value: value.map(Into::into),
        };
        assert_eq!(kind("#pragma D option quiet"), Ok(Some(option("quiet", None))));
        let sized = Ok(Some(option("bufsize", Some("4m"))));
        assert_eq!(kind("#pragma D option bufsize=4m"), sized);
        let spaced = Ok(Some(option("dest", Some("a b"))));
        assert_eq!(kind("#pragma D option dest=\"a b\""), spaced);
        assert_eq!(kind("# pragma D option quiet a"), Err(ErrorTag::PragmaMalform));
    }

    #[test]
    fn other_pragmas_are_read() {
        let attributes = PragmaKind::Attributes {
            attributes: "Stable/Stable/Common".into(),
            subject: vec!["provider".into(), "x".into(), "args".into()],
        };
        let line = "#pragma D attributes Stable/Stable/Common provider x args";
        assert_eq!(kind(line), Ok(Some(attributes)));
        let binding = PragmaKind::Binding { version: "1.0".into(), name: "f".into() };
        assert_eq!(kind("#pragma D binding \"1.0\" f"), Ok(Some(binding)));
        let depends = PragmaKind::DependsOn { class: "module".into(), name: "kernel".into() };
        assert_eq!(kind("#pragma D depends_on module kernel"), Ok(Some(depends)));
    }

    #[test]
    fn bad_control_lines_have_their_tags() {
        for (line, tag) in [
            ("#if 1", ErrorTag::PragctlInval),
            ("#include <x.h>", ErrorTag::PragctlInval),
            ("#error no good", ErrorTag::Pragerr),
            ("#pragma error no good", ErrorTag::Pragerr),
            ("#pragma D nonsense x", ErrorTag::PragmaInval),
            ("#pragma D error no good", ErrorTag::Pragerr),
            ("#pragma D depends_on planet earth", ErrorTag::PragmaInval),
            ("#pragma D binding \"1.0 f", ErrorTag::StrNl),
            ("#pragma D binding 1.0 f", ErrorTag::PragmaMalform),
            ("#line many", ErrorTag::PragmaMalform),
            ("#pragma D option dest\0=a", ErrorTag::PragmaMalform),
            ("#pragma D option dest=\"a\\0b\"", ErrorTag::PragmaMalform),
        ] {
            assert_eq!(kind(line), Err(tag), "{line}");
        }
    }

    #[test]
    fn lines_for_others_are_let_pass() {
        for line in [
            "#",
            "#pragma D",
            "#pragma D ident x",
            "#ident \"%Z%\"",
            "#pragma ident \"x\"",
            "#pragma weak f",
        ] {
            assert_eq!(kind(line), Ok(None), "{line}");
        }
    }
}
