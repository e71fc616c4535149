//! What the compiler says when it refuses a program.
//!
//! The first line is dtrace(1)'s, word for word, so that scripts which look for it keep working;
//! below it come the line of source and a caret, which dtrace(1) never had:
//!
//! ```text
//! dtrace: failed to compile script io.d: line 3: syntax error near ";"
//!     3 |   @[execname = count();
//!       |                       ^
//! ```

use core::fmt::Write as _;

pub use crate::errtag::ErrorTag;
use crate::source::{Origin, SourceMap, Span};

/// In what part of a clause the error was found. dtrace(1) says it where it cannot give a line,
/// that is for probe specifiers of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `in predicate: `
    Predicate,
    /// `in action list: `
    ActionList,
}

impl Region {
    fn name(self) -> &'static str {
        match self {
            Region::Predicate => "predicate",
            Region::ActionList => "action list",
        }
    }
}

/// A refused program: why, where, and in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Why.
    pub tag: ErrorTag,
    /// Where; `None` for what has no place in a text, such as an unused macro argument.
    pub span: Option<Span>,
    /// In which part of a clause, if in one.
    pub region: Option<Region>,
    /// In words, without a trailing period or newline.
    pub message: String,
}

impl Error {
    /// An error at a place.
    pub fn new(tag: ErrorTag, span: Span, message: impl Into<String>) -> Error {
        Error { tag, span: Some(span), region: None, message: message.into() }
    }

    /// An error without a place.
    pub fn unplaced(tag: ErrorTag, message: impl Into<String>) -> Error {
        Error { tag, span: None, region: None, message: message.into() }
    }

    /// The same error, said to be in `region` unless a region is known already.
    #[must_use]
    pub fn in_region(mut self, region: Region) -> Error {
        self.region.get_or_insert(region);
        self
    }

    /// The error as dtrace(1) words it, from `dtrace: ` on, without a trailing newline; then the
    /// line of source with a caret, if the place is known. `program` is the text whose compilation
    /// failed: it decides the first words. With `errtags`, the tag is shown.
    #[must_use]
    pub fn render(
        &self,
        sources: &SourceMap,
        program: crate::source::SourceId,
        errtags: bool,
    ) -> String {
        let mut out = String::from("dtrace: ");
        match sources.get(program).map(|source| (source.origin(), source.text())) {
            Some((Origin::File(name) | Origin::Library(name), _)) => {
                let _ = write!(out, "failed to compile script {name}: ");
            }
            Some((Origin::Specifier(_), text)) => {
                let _ = write!(out, "invalid probe specifier {}: ", String::from_utf8_lossy(text));
            }
            None => {}
        }
        if errtags {
            let _ = write!(out, "[{}] ", self.tag);
        }
        out.push_str(&self.place(sources, program));
        out.push_str(&self.message);
        out.push_str(&self.excerpt(sources));
        out
    }

    /// `line 3: `, `"io.h", line 3: ` or `in predicate: `, as dtrace(1) does it.
    fn place(&self, sources: &SourceMap, program: crate::source::SourceId) -> String {
        let region = self.region.map(|region| format!("in {}: ", region.name()));
        let found = self.span.and_then(|span| Some((span, sources.get(span.source)?)));
        let Some((span, source)) = found else { return region.unwrap_or_default() };
        let location = source.locate(span.start);
        let own = match source.origin() {
            Origin::Specifier(_) => return region.unwrap_or_default(),
            Origin::File(name) | Origin::Library(name) => name,
        };
        let file = location.file.as_ref().filter(|file| *file != own);
        match file.or((span.source != program).then_some(own)) {
            Some(file) => format!("\"{file}\", line {}: ", location.line),
            None => format!("line {}: ", location.line),
        }
    }

    /// The line of source and the caret, each after a newline; nothing without a place.
    fn excerpt(&self, sources: &SourceMap) -> String {
        let found = self.span.and_then(|span| Some((span, sources.get(span.source)?)));
        let Some((span, source)) = found else { return String::new() };
        let location = source.locate(span.start);
        let line = source.line_text(span.start);
        let before = (location.column as usize - 1).min(line.len());
        let wide = ((span.end.max(span.start + 1) - span.start) as usize).min(line.len() - before);
        if line.len() > Error::MAX_EXCERPT {
            return String::new();
        }
        let number = format!("{:>5}", location.line);
        let lead: String = String::from_utf8_lossy(&line[..before])
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let text: String = String::from_utf8_lossy(line)
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        let under = String::from_utf8_lossy(&line[before..before + wide]).chars().count().max(1);
        format!("\n{number} | {text}\n      | {lead}{}", "^".repeat(under))
    }

    /// A line of source longer than this many bytes is not shown.
    const MAX_EXCERPT: usize = 400;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SpecKind;

    fn rendered(origin: Origin, text: &str, error: Error, errtags: bool) -> String {
        let mut sources = SourceMap::new();
        let id = sources.add(origin, text).unwrap();
        error.render(&sources, id, errtags)
    }

    fn error(start: u32, end: u32) -> Error {
        let span = Span { start, end, ..Span::default() };
        Error::new(ErrorTag::Syntax, span, "syntax error near \"}\"")
    }

    #[test]
    fn a_script_is_named_with_its_line_and_a_caret() {
        let out =
            rendered(Origin::File("io.d".into()), "BEGIN\n{\n\tx = }\n", error(13, 14), false);
        assert_eq!(
            out,
            "dtrace: failed to compile script io.d: line 3: syntax error near \"}\"\n    \
             3 | \tx = }\n      | \t    ^"
        );
    }

    #[test]
    fn a_specifier_is_quoted_whole_with_the_region() {
        let origin = Origin::Specifier(SpecKind::Name);
        let error = error(6, 7).in_region(Region::ActionList);
        let out = rendered(origin, "BEGIN{}", error, true);
        let first = out.lines().next().unwrap();
        assert_eq!(
            first,
            "dtrace: invalid probe specifier BEGIN{}: [D_SYNTAX] in action list: syntax error \
             near \"}\""
        );
    }

    #[test]
    fn an_included_file_is_named() {
        let text = "# 9 \"a.h\"\nx }\n";
        let out = rendered(Origin::File("io.d".into()), text, error(12, 13), false);
        let first = out.lines().next().unwrap();
        assert!(first.contains(": \"a.h\", line 9: syntax error"), "{first}");
    }

    #[test]
    fn a_place_at_the_end_of_the_text_can_be_shown() {
        let out = rendered(Origin::File("io.d".into()), "BEGIN {", error(7, 7), false);
        assert!(out.ends_with("    1 | BEGIN {\n      |        ^"), "{out}");
    }
}
