//! Scripts made to be too much: each is compiled or refused, in time and memory that grow with its
//! length and no faster.

use dlang::{CompileOptions, Compiler, macros::Macros, source::Origin, world::Bare};

/// Compiles; an error is rendered, as its user would see it.
fn compile_with(script: &str, options: CompileOptions) -> Result<usize, String> {
    let mut compiler = Compiler::new(options);
    let added = compiler.add_script(Origin::File("big.d".into()), script);
    let compiled = added.and_then(|_| compiler.compile(&Bare));
    match compiled {
        Ok(compiled) => {
            compiled.program.verify().expect("what is compiled verifies");
            Ok(compiled.program.ecbs.len())
        }
        Err(error) => Err(compiler.render(&error, true)),
    }
}

fn compile(script: &str) -> Result<usize, String> {
    compile_with(script, CompileOptions::default())
}

/// A literal of any length is no integer, and says so without being printed whole.
#[test]
fn enormous_literals_are_refused() {
    for literal in ["9".repeat(1 << 20), format!("0x{}", "f".repeat(1 << 20))] {
        let error = compile(&format!("BEGIN {{ trace({literal}); }}")).expect_err("no integer");
        assert!(error.contains("D_INT_OFLOW"), "{}", &error[..200]);
    }
}

/// Strings are as long as a program's string table can be, and no longer.
#[test]
fn long_strings_are_compiled_or_refused() {
    assert_eq!(compile(&format!("BEGIN {{ trace(\"{}\"); }}", "x".repeat(60_000))), Ok(1));
    assert!(compile(&format!("BEGIN {{ trace(\"{}\"); }}", "x".repeat(1 << 20))).is_err());
    let _ = compile(&format!("BEGIN {{ printf(\"{}\"); }}", "%d".repeat(100_000)));
}

/// An argument of a script is as long as the shell allows.
#[test]
fn huge_macro_arguments_are_compiled_or_refused() {
    let long = "a".repeat(1 << 20);
    for script in ["BEGIN { trace($$1); }", "BEGIN { trace($1); }", "$1 { }", "BEGIN /$1/ { }"] {
        let macros = Macros::new().with_args([long.as_str()]);
        let options = CompileOptions { macros, ..CompileOptions::default() };
        let _ = compile_with(script, options);
    }
}

/// Variables are as many as DIF has numbers for; inlines, enumerators, types and members by the ten
/// thousand are compiled.
#[test]
fn many_declarations_are_compiled_or_refused() {
    let many = |one: &dyn Fn(u32) -> String| (0..10_000).map(one).collect::<String>();
    let clause = "BEGIN { trace(x7); }";
    let variables: String = (0..70_000).map(|n| format!("int x{n};\n")).collect();
    let error =
        compile(&format!("{variables}{clause}")).expect_err("more variables than DIF has numbers");
    assert!(error.contains("D_ID_OFLOW"), "{error}");
    for script in [
        format!("{}{clause}", many(&|n| format!("inline int x{n} = {n};\n"))),
        format!("enum all {{ {} }};{clause}", many(&|n| format!("x{n},"))),
        format!("int x7; {}{clause}", many(&|n| format!("typedef int t{n};\n"))),
        format!("int x7; struct s {{ {} }}; {clause}", many(&|n| format!("int m{n};"))),
    ] {
        if let Err(error) = compile(&script) {
            panic!("{}: {}", &script[..60], &error[..error.len().min(300)]);
        }
    }
}

/// Clauses by the ten thousand, and one clause with as many statements.
#[test]
fn many_clauses_and_statements_are_compiled() {
    let clauses: String = (0..10_000).map(|n| format!("BEGIN {{ x{n} = {n}; }}\n")).collect();
    assert_eq!(compile(&clauses), Ok(10_000));
    let statements: String = (0..10_000).map(|n| format!("trace({n});")).collect();
    assert_eq!(compile(&format!("BEGIN {{ {statements} }}")), Ok(1));
}
