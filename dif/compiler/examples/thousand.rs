//! How long a script of a thousand clauses takes to compile, from text to DOF: run it with
//! `cargo run --release -p dlang --example thousand`.

use std::{fmt::Write as _, time::Instant};

use dif::dof;
use dlang::{CompileOptions, Compiler, source::Origin, world::Bare};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    for at in 0..1000 {
        writeln!(
            text,
            "syscall::f{at}:entry /pid != {at} && execname == \"x\"/ {{ self->t{at} = timestamp; \
             a[{at}, execname] += 0 * (a[{at}, execname] = arg0); @c[probefunc, pid] = count(); \
             @q = quantize(arg{} / ({at} + 1)); printf(\"%s %d %d\\n\", probefunc, arg0, \
             timestamp - self->t{at}); }}",
            at % 10
        )?;
    }
    for _ in 0..5 {
        let began = Instant::now();
        let mut compiler = Compiler::new(CompileOptions::default());
        let added = compiler.add_script(Origin::File("thousand.d".into()), text.as_str());
        let compiled = added.and_then(|_| compiler.compile(&Bare))?;
        let bytes = dof::write(&compiled.program)?;
        println!(
            "{} clauses, {} bytes of DOF: {:.0?}",
            compiled.program.ecbs.len(),
            bytes.len(),
            began.elapsed()
        );
    }
    Ok(())
}
