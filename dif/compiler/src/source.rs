//! Source texts and places in them.
//!
//! One compilation may read several texts: the D library, scripts (`-s`), probe specifiers from the
//! command line (`-n`, `-P`, …). A [`SourceMap`] holds them all, and a [`Span`] says which text and
//! which bytes of it a node came from, so that an error in a library's inline can be shown where it
//! stands. Texts are bytes, not UTF-8: D strings carry whatever the script's file holds.

use core::fmt;

/// What a specifier on the command line starts with: which field its last part names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecKind {
    /// `-P`: provider.
    Provider,
    /// `-m`: module.
    Module,
    /// `-f`: function.
    Function,
    /// `-n`: name.
    Name,
    /// `-i`: a probe's number.
    Id,
}

/// Where a text came from; decides how errors in it are worded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A script file, with the name that the user gave (`-s`).
    File(String),
    /// A probe specifier of the command line.
    Specifier(SpecKind),
    /// A part of the D library, with the name of its file.
    Library(String),
}

/// Number of a text in its [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

/// A run of bytes in one text. `start == end` marks a place between two bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; `self` alone if they are in different texts.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        let (start, end) = (self.start.min(other.start), self.end.max(other.end));
        Span { source: self.source, start, end }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.source.0, self.start, self.end)
    }
}

/// A place as a person counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Another file's name, if a `# line "file"` marker of the preprocessor said so.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

/// From byte `start` on, lines count from `line` in `file`: what a `# line "file"` marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineMarker {
    pub(crate) start: u32,
    pub(crate) line: u32,
    pub(crate) file: Option<String>,
}

/// One text.
#[derive(Clone, Debug)]
pub struct Source {
    origin: Origin,
    text: Vec<u8>,
    line_starts: Vec<u32>,
    markers: Vec<LineMarker>,
}

/// A text is larger than [`Source::MAX_BYTES`], or there are too many texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program's text is too large (at most {} MiB)", Source::MAX_BYTES >> 20)]
pub struct TooLarge;

impl Source {
    /// The largest text that is taken.
    pub const MAX_BYTES: usize = 16 << 20;

    fn new(origin: Origin, text: Vec<u8>) -> Result<Source, TooLarge> {
        if text.len() > Source::MAX_BYTES {
            return Err(TooLarge);
        }
        let newlines = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
        let line_starts =
            core::iter::once(0).chain(newlines.map(|(at, _)| offset(at) + 1)).collect();
        let markers = crate::preprocess::line_markers(&text);
        Ok(Source { origin, text, line_starts, markers })
    }

    /// Where the text came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where byte `at` is, the preprocessor's line markers heeded.
    #[must_use]
    pub fn locate(&self, at: u32) -> Location {
        let index = self.line_starts.partition_point(|&start| start <= at).saturating_sub(1);
        let start = self.line_starts.get(index).copied().unwrap_or(0);
        let column = at.saturating_sub(start) + 1;
        let before = self.markers.partition_point(|marker| marker.start <= at);
        let Some(marker) = before.checked_sub(1).and_then(|index| self.markers.get(index)) else {
            return Location { file: None, line: offset(index) + 1, column };
        };
        let marked = self.line_starts.partition_point(|&start| start <= marker.start) - 1;
        let line = marker.line.saturating_add(offset(index.saturating_sub(marked)));
        Location { file: marker.file.clone(), line, column }
    }

    /// The bytes of the line that byte `at` is on, without the newline.
    #[must_use]
    pub fn line_text(&self, at: u32) -> &[u8] {
        let index = self.line_starts.partition_point(|&start| start <= at).saturating_sub(1);
        let start = self.line_starts.get(index).map_or(0, |&start| start as usize);
        let rest = self.text.get(start..).unwrap_or_default();
        rest.split(|&byte| byte == b'\n').next().unwrap_or_default()
    }
}

/// All texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// No texts yet.
    #[must_use]
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Takes a text in.
    ///
    /// # Errors
    /// [`TooLarge`] if it has more than [`Source::MAX_BYTES`] or 65,535 texts are there already.
    pub fn add(&mut self, origin: Origin, text: impl Into<Vec<u8>>) -> Result<SourceId, TooLarge> {
        let id = u16::try_from(self.sources.len()).map_err(|_| TooLarge)?;
        self.sources.push(Source::new(origin, text.into())?);
        Ok(SourceId(id))
    }

    /// A text by its number.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(usize::from(id.0))
    }

    /// The bytes of a span; empty if there is no such text.
    #[must_use]
    pub fn snippet(&self, span: Span) -> &[u8] {
        let text = self.get(span.source).map_or(&[][..], Source::text);
        text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// A byte count as an offset. Texts are at most [`Source::MAX_BYTES`], so nothing is lost.
pub(crate) fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(Origin::File("x.d".into()), text.into()).unwrap()
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = source("ab\ncd\n");
        let at = |at| (source.locate(at).line, source.locate(at).column);
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (1, 3));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(6), (3, 1));
        assert_eq!(source.line_text(4), b"cd");
    }

    #[test]
    fn line_markers_renumber_what_follows() {
        let source = source("x\n# 40 \"inc.h\"\ny\nz\n# 3 \"x.d\" 2\nw\n");
        let line = |at| source.locate(at).line;
        assert_eq!(source.locate(0), Location { file: None, line: 1, column: 1 });
        assert_eq!(source.locate(15).file.as_deref(), Some("inc.h"));
        assert_eq!((line(15), line(17)), (40, 41));
        let last = offset(source.text().len()) - 2;
        assert_eq!((source.locate(last).file.as_deref(), line(last)), (Some("x.d"), 3));
    }

    #[test]
    fn spans_join_within_one_text_only() {
        let span = |source, start, end| Span { source: SourceId(source), start, end };
        assert_eq!(span(0, 4, 6).to(span(0, 1, 5)), span(0, 1, 6));
        assert_eq!(span(0, 4, 6).to(span(1, 1, 5)), span(0, 4, 6));
    }

    #[test]
    fn a_text_beyond_the_limit_is_refused() {
        let big = vec![b' '; Source::MAX_BYTES + 1];
        assert!(SourceMap::new().add(Origin::File("x".into()), big).is_err());
    }
}
