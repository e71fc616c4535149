//! The D library: what every script may use without having defined it.
//!
//! Constants, structures like `psinfo_t`, the translators that fill them from a kernel's own
//! structures, and inlines such as `curpsinfo`. It is written in D (the `.d` files beside this one)
//! and read like a script. What it defines is looked at only when a script uses it, so a kernel
//! that lacks a structure troubles only scripts that need it.

use crate::{
    ast::Program,
    error::{Error, ErrorTag},
    macros::Macros,
    parser::{self, ParseOptions},
    source::{Origin, SourceMap},
    world::Os,
};

/// One file of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryFile {
    /// Its name, for error messages.
    pub name: &'static str,
    /// For which operating system's machines; `None` for all.
    pub os: Option<Os>,
    /// Its text.
    pub text: &'static str,
}

/// The library, in the order in which it is read.
pub const FILES: &[LibraryFile] = &[
    LibraryFile { name: "common.d", os: None, text: include_str!("common.d") },
    LibraryFile { name: "regs.d", os: None, text: include_str!("regs.d") },
    LibraryFile { name: "linux_errno.d", os: Some(Os::Linux), text: include_str!("linux_errno.d") },
    LibraryFile {
        name: "linux_signal.d",
        os: Some(Os::Linux),
        text: include_str!("linux_signal.d"),
    },
    LibraryFile { name: "linux.d", os: Some(Os::Linux), text: include_str!("linux.d") },
    LibraryFile {
        name: "freebsd_errno.d",
        os: Some(Os::FreeBsd),
        text: include_str!("freebsd_errno.d"),
    },
    LibraryFile {
        name: "freebsd_signal.d",
        os: Some(Os::FreeBsd),
        text: include_str!("freebsd_signal.d"),
    },
    LibraryFile { name: "freebsd.d", os: Some(Os::FreeBsd), text: include_str!("freebsd.d") },
    LibraryFile {
        name: "freebsd_net.d",
        os: Some(Os::FreeBsd),
        text: include_str!("freebsd_net.d"),
    },
];

/// Reads the library for machines of one operating system. Its texts are added to `sources`, so
/// that errors which show up when a script uses it can be placed.
///
/// # Errors
/// Only if `sources` is full: the library itself is sound.
pub fn parse(sources: &mut SourceMap, os: Os) -> Result<Vec<Program>, Error> {
    let macros = Macros::new();
    // Every name that the library has in parentheses and that ends so is a type's.
    let is_type = |name: &str| name.ends_with("_t");
    let options =
        ParseOptions { allow_empty: true, is_type: &is_type, ..ParseOptions::new(&macros) };
    let files = FILES.iter().filter(|file| file.os.is_none_or(|only| only == os));
    files
        .map(|file| {
            let added = sources.add(Origin::Library(file.name.to_owned()), file.text);
            let id =
                added.map_err(|error| Error::unplaced(ErrorTag::Unknown, error.to_string()))?;
            parser::parse(sources, id, &options)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::ast::Item;

    fn items(os: Os) -> Vec<Item> {
        let mut sources = SourceMap::new();
        let programs = parse(&mut sources, os).unwrap_or_else(|error| {
            let id = error.span.map(|span| span.source).unwrap_or_default();
            panic!("{}", error.render(&sources, id, true))
        });
        programs.into_iter().flat_map(|program| program.items).collect()
    }

    #[test]
    fn the_library_is_read_whole() {
        let linux = items(Os::Linux);
        let translators = linux.iter().filter(|item| matches!(item, Item::Translator(_))).count();
        assert_eq!(translators, 10);
        assert!(linux.len() > 200);
        let translators = |os| {
            let is_one = |item: &Item| matches!(item, Item::Translator(_));
            items(os).into_iter().filter(is_one).count()
        };
        assert_eq!(translators(Os::FreeBsd), 20);
    }

    #[test]
    fn no_name_is_defined_twice_and_nothing_traces() {
        for os in [Os::Linux, Os::FreeBsd] {
            let mut names = HashSet::new();
            for item in items(os) {
                match item {
                    Item::Inline(inline) => assert!(names.insert(inline.name.name)),
                    Item::Declaration(_) | Item::Translator(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
