//! Programs against a world with typed probes: `programs/err.D_TAG.*.d` is refused with that tag,
//! `programs/tst.*.d` compiles to a program that survives DOF and the verifier; and what statements
//! and expressions of these programs make when they are thrown together is refused or sound.
//!
//! The world has no types but D's, and these probes: `plain` (untyped arguments), `typed` (`int`,
//! `struct point *`), `translated` (`struct point *` as `gadget_t *`), `differ` (arguments that
//! differ from probe to probe); and none of `absent`.

use std::path::{Path, PathBuf};

use dif::{dof, program::ProbeDesc};
use dlang::{
    CompileOptions, Compiler, World,
    source::Origin,
    world::{ArgType, ArgTypes, Symbol, TypeContainer},
};
use proptest::prelude::*;

struct Gadgets;

fn argument(native: &str, translated: Option<&str>, mapping: u8) -> ArgType {
    ArgType { native: native.into(), translated: translated.map(Into::into), mapping }
}

impl World for Gadgets {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        Vec::new()
    }

    fn symbol(&self, _module: Option<&str>, name: &str) -> Option<Symbol> {
        let address = 0xffff_ffff_8100_0000;
        (name == "gadget_count").then(|| Symbol { address, size: 4, module: "kernel".into() })
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        usize::from(desc.provider != "absent")
    }

    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes {
        match desc.provider.as_str() {
            "typed" => {
                ArgTypes::Typed(vec![argument("int", None, 0), argument("struct point *", None, 1)])
            }
            "translated" => {
                ArgTypes::Typed(vec![argument("struct point *", Some("gadget_t *"), 0)])
            }
            "differ" => ArgTypes::Differ,
            _ => ArgTypes::Untyped,
        }
    }

    fn name(&self) -> &str {
        "gadgets"
    }
}

/// The tag and text of the error, or how many ECBs the program has. A program must be sound.
fn outcome(name: &str, text: &[u8]) -> Result<usize, (String, String)> {
    let mut compiler = Compiler::new(CompileOptions::default());
    let added = compiler.add_script(Origin::File(name.to_owned()), text);
    let compiled = added.and_then(|_| compiler.compile(&Gadgets));
    let compiled =
        compiled.map_err(|error| (error.tag.name().to_owned(), compiler.render(&error, true)))?;
    let program = compiled.program;
    program.verify().expect("every compiled program is sound");
    let bytes = dof::write(&program).expect("every program can be written");
    let again = dof::read(&bytes).expect("what was written can be read");
    assert_eq!(again.ecbs.len(), program.ecbs.len());
    again.verify().expect("and is still sound");
    Ok(program.ecbs.len())
}

fn files(prefix: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let entries = std::fs::read_dir(&folder).expect("the programs");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a folder entry").path())
        .filter_map(|path| Some((path.clone(), path.file_name()?.to_str()?.to_owned())))
        .filter(|(_, name)| name.starts_with(prefix))
        .collect();
    files.sort();
    files
}

#[test]
fn errors_have_the_tags_of_their_files() {
    let mut wrong = Vec::new();
    let files = files("err.");
    assert!(files.len() > 100);
    for (path, name) in files {
        let expected = name.split('.').nth(1).unwrap();
        match outcome(&name, &std::fs::read(&path).unwrap()) {
            Err((tag, _)) if tag == expected => {}
            Err((_, message)) => wrong.push(format!("{name}\n{message}")),
            Ok(_) => wrong.push(format!("{name}\ncompiles")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn good_programs_compile_and_verify() {
    let mut wrong = Vec::new();
    let files = files("tst.");
    assert!(files.len() > 20);
    for (path, name) in files {
        match outcome(&name, &std::fs::read(&path).unwrap()) {
            Ok(ecbs) => assert!(ecbs > 0, "{name}"),
            Err((_, message)) => wrong.push(message),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// The statements of all programs' one-clause bodies, and all that stands before such clauses.
fn scraps() -> (Vec<String>, Vec<String>) {
    let (mut heads, mut statements) = (vec![String::new()], Vec::new());
    for (path, _) in files("") {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
        if let Some((head, rest)) = text.split_once("plain:::go\n{\n")
            && let Some((body, _)) = rest.split_once("\n}")
        {
            heads.push(head.to_owned());
            statements.extend(body.split(';').map(|statement| statement.trim().to_owned()));
        }
    }
    (heads, statements)
}

const ATOMS: &[&str] = &[
    "arg0",
    "pid",
    "1",
    "-1",
    "'a'",
    "\"s\"",
    "execname",
    "x",
    "self->y",
    "this->z",
    "a[1]",
    "a[pid]",
    "(struct point *)arg0",
    "((struct point *)arg0)->x",
    "(char)arg1",
    "args[0]",
    "strlen(execname)",
    "curthread",
    "`gadget_count",
    "&`gadget_count",
    "sizeof (int)",
    "(uint8_t)arg2",
    "timestamp",
    "*(int *)arg0",
    "stringof(arg0)",
    "strjoin(\"a\", \"b\")",
    "((struct point *)arg0)->name",
    "((struct point *)arg0)->flag",
    "(string)arg0",
];

const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "<<", ">>", "<", "<=", "==", "!=", "&", "|", "^", "&&", "||", "^^",
    ",", "=", "+=", "? 1 :", "+ (", "- ~", "* -", "== !",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn statements_thrown_together(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let (heads, statements) = scraps();
        let head = picks[0].get(&heads);
        let body: Vec<_> = picks[1..].iter().map(|pick| pick.get(&statements).as_str()).collect();
        let (predicate, body) = (body.first().copied().unwrap_or("1"), body.join("; "));
        let plain = format!("{head}\ntyped:::go {{ {body} }}");
        let _ = outcome("x.d", plain.as_bytes());
        let split = format!("plain:::go / {predicate} / {{ if (arg0) {{ {body} }} }}");
        let _ = outcome("x.d", split.as_bytes());
    }

    #[test]
    fn expressions_thrown_together(
        picks in prop::collection::vec(
            (prop::sample::select(ATOMS), prop::sample::select(OPERATORS)),
            1..10,
        ),
    ) {
        let mut text: String =
            picks.iter().map(|(atom, operator)| format!("{atom} {operator} ")).collect();
        text.push('1');
        text.push_str(&")".repeat(text.matches("+ (").count()));
        let head = "struct point { int x; unsigned int flag : 1; char name[8]; };";
        let set = "x = 1; self->y = 1; this->z = 1; a[1] = 1;";
        let traced = format!("{head} typed:::go {{ {set} trace({text}); }}");
        let _ = outcome("x.d", traced.as_bytes());
        let _ = outcome("x.d", format!("{head} typed:::go {{ {text} }}").as_bytes());
    }
}

/// Trees as deep as the parser makes them, and inlines within inlines, fit an ordinary stack.
#[test]
fn deep_programs_do_not_overflow_the_stack() {
    let deep = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(380), close.repeat(380))
    };
    let mut chain = String::from("inline int i0 = arg0;\n");
    for at in 1..60 {
        let value = deep("!", &format!("i{}", at - 1), "");
        chain.push_str(&format!("inline int i{at} = {value};\n"));
    }
    let mut nested = String::from("struct s0 { int x; };\n");
    for at in 1..500 {
        nested.push_str(&format!("struct s{at} {{ struct s{} m; }};\n", at - 1));
    }
    for text in [
        format!("plain:::go {{ trace({}); }}", deep("!", "arg0", "")),
        format!("plain:::go {{ trace({}); }}", deep("- ", "arg0", "")),
        format!("plain:::go {{ trace({}); }}", deep("(1 + ", "arg0", ")")),
        format!("plain:::go {{ trace({}); }}", deep("", "arg0", " + 1")),
        format!("plain:::go {{ trace({}); }}", deep("(arg0 && ", "arg1", ")")),
        format!("plain:::go {{ trace({}); }}", deep("arg0 ? 1 : ", "arg1", "")),
        format!("plain:::go {{ {} }}", deep("if (arg0) { ", "trace(1);", " }")),
        format!("plain:::go {{ {} x = 1; }}", deep("if (arg0) x = 2; else ", "x = 3;", "")),
        format!("plain:::go {{ {}; }}", deep("x = ", "1", "")),
        format!("plain:::go {{ trace({}); }}", deep("strlen(", "execname", ")")),
        format!("int {}p; plain:::go {{ trace(sizeof (p)); }}", "*".repeat(380)),
        format!("int p{}; plain:::go {{ trace(1); }}", "[1]".repeat(380)),
        format!("{} int x; {} plain:::go {{ }}", "struct { ".repeat(190), "} m; ".repeat(190)),
        format!("{chain} plain:::go {{ trace(i59); }}"),
        format!("{nested} plain:::go {{ trace(sizeof (struct s499)); }}"),
    ] {
        if let Err((tag, message)) = outcome("x.d", text.as_bytes()) {
            let expected = ["D_NOREG", "D_DECL_SCOPE", "D_SYNTAX", "D_PROTO_ARG", "D_UNKNOWN"];
            assert!(
                expected.contains(&tag.as_str()),
                "{tag}\n{}",
                &message[..message.len().min(300)]
            );
        }
    }
}
