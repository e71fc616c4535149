//! `dtrace -h`: the header compiles, as C and without DTrace's own headers.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn header(dir: &Path, script: &str, more: &[&str]) -> Output {
    fs::write(dir.join("shop.d"), script).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
    command.current_dir(dir).args(["-x", "errtags", "-h", "-s", "shop.d"]).args(more);
    command.output().unwrap()
}

const PROVIDER: &str = "typedef struct basket { int n; } basket_t;\n\
    provider shop { probe item__sold(int, char *, basket_t *); probe closed(); };\n";

/// Names as dtrace(1) makes them: `__` is a dash in a probe's name and one underscore in a macro's.
#[test]
fn macros_have_the_probes_names() {
    let dir = dir("header-names");
    let output = header(&dir, PROVIDER, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(dir.join("shop.h")).unwrap();
    for line in [
        "#define\tSHOP_ITEM_SOLD(arg0, arg1, arg2) \\",
        "\t__dtrace_shop___item__sold(arg0, arg1, arg2)",
        "#define\tSHOP_ITEM_SOLD_ENABLED() \\",
        "#define\tSHOP_CLOSED() \\",
        "extern void __dtrace_shop___item__sold(int, char *, basket_t *);",
        "extern void __dtrace_shop___closed(void);",
        "#define\tSHOP_ITEM_SOLD_ENABLED() (0)",
    ] {
        assert!(text.lines().any(|known| known == line), "no {line:?} in\n{text}");
    }
}

/// A program that uses the header compiles with and without probes.
#[test]
fn the_header_compiles() {
    let dir = dir("header-compiles");
    assert!(header(&dir, PROVIDER, &["-o", "out.h"]).status.success());
    let program = "typedef struct basket { int n; } basket_t;\n#include \"out.h\"\n\
        int main(void) { basket_t b = { 0 }; if (SHOP_ITEM_SOLD_ENABLED()) { \
        SHOP_ITEM_SOLD(1, \"tea\", &b); } SHOP_CLOSED(); return b.n; }\n";
    fs::write(dir.join("main.c"), program).unwrap();
    for flags in [&["-fsyntax-only"][..], &["-fsyntax-only", "-D_DTRACE_VERSION=1"]] {
        let mut gcc = Command::new("gcc");
        gcc.current_dir(&dir).args(["-Wall", "-Werror"]).args(flags).arg("main.c");
        let Ok(output) = gcc.output() else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Without a declaration the header is an empty one, in the working directory whatever the script's.
#[test]
fn a_header_without_probes() {
    let dir = dir("header-empty");
    fs::create_dir_all(dir.join("lib")).unwrap();
    fs::write(dir.join("lib/none.d"), "typedef int a_t;").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
    let output = command.current_dir(&dir).args(["-h", "-s", "lib/none.d"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(dir.join("none.h")).unwrap();
    assert!(text.contains("#ifndef\t_NONE_H\n") && !text.contains("_DTRACE_VERSION"), "{text}");
}

/// A wrong declaration is refused with dtrace's tag.
#[test]
fn wrong_declarations_are_refused() {
    let dir = dir("header-refused");
    for (script, tag) in [
        ("provider shop { probe a(int); probe a(int); };", "[D_PROV_PRDUP]"),
        ("provider shop9 { probe a(int); };", "[D_PROV_BADNAME]"),
        ("provider shop { probe a(int x) : (int y); };", "[D_DECL_PROTO_FORM]"),
    ] {
        let output = header(&dir, script, &[]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(tag), "{text}");
    }
}
