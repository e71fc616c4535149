//! How long a script of many declarations takes to compile, kind by kind, and how that grows: run
//! it with `cargo run --release -p dlang --example declarations`. Times of a kind that double with
//! the number are linear; those that grow fourfold are not.

use std::time::{Duration, Instant};

use dlang::{CompileOptions, Compiler, source::Origin, world::Bare};

fn compile(text: &str) -> Result<Duration, dlang::Error> {
    let began = Instant::now();
    let mut compiler = Compiler::new(CompileOptions::default());
    compiler.add_script(Origin::File("many.d".into()), text)?;
    compiler.compile(&Bare)?;
    Ok(began.elapsed())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    type Kind = (&'static str, fn(u32) -> String, fn(String) -> String);
    let kinds: [Kind; 8] = [
        ("inline", |n| format!("inline int x{n} = {n};\n"), |all| all),
        ("typedef", |n| format!("typedef int t{n};\n"), |all| all),
        ("struct", |n| format!("struct s{n} {{ int a; char b; }};\n"), |all| all),
        ("variable", |n| format!("int v{};\n", n % 60_000), |all| all),
        (
            "translator",
            |n| {
                format!(
                    "struct o{n} {{ int a; }}; translator struct o{n} < int *I > {{ a = *I; }};\n"
                )
            },
            |all| all,
        ),
        ("member", |n| format!("int m{n};"), |all| format!("struct s {{ {all} }};")),
        ("enumerator", |n| format!("x{n},"), |all| format!("enum e {{ {all} }};")),
        ("clause", |n| format!("BEGIN {{ x{} = {n}; }}\n", n % 60_000), |all| all),
    ];
    for (name, one, whole) in kinds {
        print!("{name:>12}");
        for count in [25_000, 50_000, 100_000] {
            let text = whole((0..count).map(one).collect()) + "BEGIN { }\n";
            print!("  {count}: {:.2?}", compile(&text)?);
        }
        println!();
    }
    Ok(())
}
