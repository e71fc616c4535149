//! No text makes the front end panic, loop or overflow its stack.

use dlang::{
    macros::Macros,
    parser::{self, ParseOptions},
    source::{Origin, SourceMap, SpecKind},
};
use proptest::prelude::*;

/// Parses a text in every way there is; what comes out does not matter.
fn feed(text: &[u8]) {
    let mut macros = Macros::new().with_args(["x", "1", "name", "\"text\""]);
    macros.set("target", 1);
    let is_type = |name: &str| name.len().is_multiple_of(2);
    for with_target in [false, true] {
        for origin in [Origin::File("x.d".into()), Origin::Specifier(SpecKind::Function)] {
            let mut sources = SourceMap::new();
            let id = sources.add(origin, text).expect("a small text");
            let options =
                ParseOptions { with_target, is_type: &is_type, ..ParseOptions::new(&macros) };
            match parser::parse(&sources, id, &options) {
                Ok(program) => drop(dlang::unparse::program(&program)),
                Err(error) => drop(error.render(&sources, id, true)),
            }
            let _ = parser::parse_expr(&sources, id, &options);
        }
    }
    let _ = parser::parse_type(&String::from_utf8_lossy(text));
}

const WORDS: &[&str] = &[
    "BEGIN",
    "syscall:::entry",
    "/",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    "?",
    ":",
    "=",
    "+=",
    "*",
    "&",
    "-",
    "--",
    "++",
    "->",
    ".",
    "...",
    "!",
    "~",
    "<",
    ">",
    "<<=",
    "&&",
    "^^",
    "||",
    "@",
    "@a",
    "$1",
    "$$2",
    "$target",
    "$",
    "x",
    "foo_t",
    "m`s",
    "`",
    "self",
    "this",
    "self->",
    "1",
    "0x",
    "09",
    "1.5",
    "'a'",
    "''",
    "\"s\"",
    "\"",
    "'",
    "if",
    "else",
    "int",
    "unsigned",
    "struct",
    "enum",
    "typedef",
    "inline",
    "translator",
    "provider",
    "probe",
    "xlate",
    "sizeof",
    "offsetof",
    "stringof",
    "string",
    "const",
    "/*",
    "*/",
    "//",
    "\n",
    "\n#pragma D option quiet\n",
    "\n#if\n",
    "\n# 3 \"f\"\n",
    "\\",
    "\u{e9}",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        feed(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        feed(words.join(" ").as_bytes());
        feed(words.concat().as_bytes());
    }

    #[test]
    fn a_good_program_cut_and_spliced(from in 0usize..600, to in 0usize..600, word in prop::sample::select(WORDS)) {
        let text: &str = "typedef struct s { int a : 3; struct { int b; } c, *d; } s_t; s_t *g;\n\
            inline int f[int x] = x + 1; enum e { A = 1, B };\n\
            translator p_t < struct q *Q > { m = *(s_t *)Q->n; };\n\
            provider pr { probe go(int, s_t *) : (int); };\n\
            #pragma D option quiet\n\
            syscall::read:entry, io:::start /pid == $target && (x / 2) > 'ab'/ {\n\
            self->t[1, \"k\"] = timestamp; if (self->t) { @a[execname] = quantize(arg0); } else\n\
            printf(\"%d\\n\", xlate <p_t *>(arg0)->m + sizeof (s_t) + offsetof(s_t, a)); }\n";
        let (from, to) = (from.min(text.len()), to.min(text.len()));
        feed([&text[..from.min(to)], word, &text[from.max(to)..]].concat().as_bytes());
    }
}
