//! `cargo xtask freebsd manual`: docs/*.1.md as manual pages, in mdoc, for the port.
//!
//! The text stands in docs alone. What Markdown it may use is what those pages use: headings,
//! paragraphs, indented code, tables of two or three columns (they become lists of tags), and in a
//! line `code`, *emphasis* and links.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{deps, paths, run};

/// Pages: the file in docs, and the name under which the port installs its program: FreeBSD has a
/// dtrace(1) of its own.
const PAGES: &[(&str, &str)] = &[("dtrace.1.md", "hdtrace"), ("hypertrace.1.md", "hypertrace")];

/// Writes the pages, or says which is not what docs give; either way mandoc(1) has to like them.
///
/// # Errors
/// If one cannot be made or differs.
pub(crate) fn run(check: bool) -> Result<()> {
    deps::ensure_packages(&["mandoc"])?;
    for (source, program) in PAGES {
        let text = fs::read_to_string(paths::root().join("docs").join(source))?;
        let page = page(&text, program).with_context(|| (*source).to_owned())?;
        let file = paths::root().join("packaging/freebsd/port/files").join(format!("{program}.1"));
        if check {
            let found = fs::read_to_string(&file).unwrap_or_default();
            let stale = "is not what docs give: run `cargo xtask freebsd manual`";
            ensure!(found == page, "{} {stale}", file.display());
        } else {
            fs::write(&file, page)?;
        }
        run::output(Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&file))?;
        println!("{} is docs/{source}", file.display());
    }
    Ok(())
}

/// What is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    None,
    Paragraph,
    Code,
    Table,
}

struct Page {
    out: String,
    block: Block,
    /// The paragraph so far.
    words: String,
    /// Nothing has come since the heading.
    fresh: bool,
}

/// A page's mdoc.
fn page(text: &str, program: &str) -> Result<String> {
    let mut lines = text.lines();
    let title = lines.next().and_then(|line| line.strip_prefix("# ")).context("no title")?;
    let (name, about) = title.split_once("(1): ").context("the title is no `name(1): about`")?;
    let mut page =
        Page { out: String::new(), block: Block::None, words: String::new(), fresh: true };
    let head = [
        ".\\\" SPDX-License-Identifier: BSD-2-Clause".to_owned(),
        ".\\\" Made from docs by `cargo xtask freebsd manual`: change it there.".to_owned(),
        ".Dd November 21, 2026".to_owned(),
        format!(".Dt {} 1", program.to_uppercase()),
        ".Os".to_owned(),
        ".Sh NAME".to_owned(),
        format!(".Nm {program}"),
        format!(".Nd {about}"),
    ];
    head.iter().for_each(|line| page.line(line));
    if program != name {
        page.line(".Sh INSTALLATION");
        page.text(&format!(
            "The port installs HyperTrace's {name} as {program}, beside FreeBSD's own \
             {name}(1). Below it has the name that it has elsewhere."
        ));
    }
    lines.for_each(|line| page.take(line));
    page.end();
    Ok(page.out)
}

impl Page {
    fn line(&mut self, line: &str) {
        // A String takes everything.
        let _ = writeln!(self.out, "{line}");
    }

    fn take(&mut self, line: &str) {
        if let Some(title) = line.strip_prefix("## ") {
            self.end();
            self.line(&format!(".Sh {}", inline(&title.to_uppercase())));
            self.fresh = true;
        } else if let Some(title) = line.strip_prefix("### ") {
            self.end();
            self.line(&format!(".Ss {}", inline(title)));
            self.fresh = true;
        } else if let Some(code) = line.strip_prefix("    ") {
            self.begin(Block::Code, Some(".Bd -literal -offset indent"));
            self.line(&guarded(&escaped(code)));
        } else if line.starts_with('|') {
            self.row(line);
        } else if line.trim().is_empty() {
            // Blank lines inside code are not used by the pages.
            self.end();
        } else {
            self.begin(Block::Paragraph, None);
            self.words.push_str(line.trim());
            self.words.push(' ');
        }
    }

    fn row(&mut self, line: &str) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let first = self.block != Block::Table;
        self.begin(Block::Table, Some(".Bl -tag -width indent"));
        if first || cells.iter().all(|cell| cell.trim_matches(['-', '|', ' ']).is_empty()) {
            return;
        }
        let (Some(term), rest) = (cells.first(), cells.get(1..).unwrap_or_default()) else {
            return;
        };
        self.line(&format!(".It {}", inline(term)));
        let rest: Vec<&str> = rest.iter().copied().filter(|cell| !cell.is_empty()).collect();
        self.text(&rest.join("; "));
    }

    /// Begins a block, unless the last line was in one of its kind.
    fn begin(&mut self, block: Block, opening: Option<&str>) {
        if self.block == block {
            return;
        }
        self.end();
        if block == Block::Paragraph && !self.fresh {
            self.line(".Pp");
        }
        self.fresh = false;
        self.block = block;
        if let Some(opening) = opening {
            self.line(opening);
        }
    }

    fn end(&mut self) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None => {}
            Block::Paragraph => {
                let words = std::mem::take(&mut self.words);
                self.text(words.trim());
            }
            Block::Code => self.line(".Ed"),
            Block::Table => self.line(".El"),
        }
    }

    /// Text, a sentence a line at least, as mdoc wants it.
    fn text(&mut self, text: &str) {
        let text = inline(text);
        let mut line = String::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && line.len() + word.len() >= 78 {
                self.line(&guarded(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            if word.trim_end_matches("\\fR").ends_with(['.', ':', ';']) && word.ends_with('.') {
                self.line(&guarded(&line));
                line.clear();
            }
        }
        if !line.is_empty() {
            self.line(&guarded(&line));
        }
    }
}

/// A line that begins as a request does not.
fn guarded(line: &str) -> String {
    let request = line.starts_with(['.', '\'']);
    format!("{}{line}", if request { "\\&" } else { "" })
}

/// Text without what roff would take for its own.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            c if c.is_ascii() => out.push(c),
            // A String takes everything.
            c => drop(write!(out, "\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

/// A line's code in bold, its emphasis in italics, of its links the text.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "\\fB{}\\fR", escaped(part));
            continue;
        }
        let mut rest = part;
        while let Some((before, linked)) = rest.split_once('[') {
            let Some((name, after)) = linked.split_once("](") else { break };
            out.push_str(&emphasis(&format!("{before}{name}")));
            rest = after.split_once(')').map_or("", |(_, after)| after);
        }
        out.push_str(&emphasis(rest));
    }
    out
}

/// `*so*` in italics; a star alone is a star.
fn emphasis(text: &str) -> String {
    let parts: Vec<&str> = text.split('*').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let part = |(index, part): (usize, &&str)| match index % 2 {
        1 => format!("\\fI{}\\fR", escaped(part)),
        _ => escaped(part),
    };
    parts.iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::{inline, page};

    #[test]
    fn a_page_has_its_parts() {
        let text = "# x(1): does x\n\n## Synopsis\n\n    x -n '.y'\n\n## Options\n\nOne *two*. Three\n\
                    `-a\\b`.\n\n| option | meaning |\n| --- | --- |\n| `-q` | quiet |\n";
        let made = page(text, "x").expect("a page");
        let body = made.split_once(".Nd does x\n").expect("a head").1;
        let lines = [
            ".Sh SYNOPSIS",
            ".Bd -literal -offset indent",
            "x -n '.y'",
            ".Ed",
            ".Sh OPTIONS",
            "One \\fItwo\\fR.",
            "Three \\fB-a\\eb\\fR.",
            ".Bl -tag -width indent",
            ".It \\fB-q\\fR",
            "quiet",
            ".El",
        ];
        assert_eq!(body.lines().collect::<Vec<_>>(), lines);
        assert!(page("no title", "x").is_err());
    }

    #[test]
    fn links_are_their_text_and_other_characters_escapes() {
        assert_eq!(inline("see [the guide](guide.md), 200 µs"), "see the guide, 200 \\[u00B5]s");
        assert_eq!(inline("`*` and 2 * 3"), "\\fB*\\fR and 2 * 3");
    }
}
