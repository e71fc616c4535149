//! Any text as a D script, for a machine without types and with symbols, probes and arguments of
//! every kind: refused with an error that can be shown, or compiled to a program that verifies and
//! is the same after a way through DOF.
#![no_main]

use dif::{dof, program::ProbeDesc};
use dlang::{
    CompileOptions, Compiler, World,
    macros::Macros,
    source::Origin,
    world::{ArgType, ArgTypes, Symbol, TypeContainer},
};
use libfuzzer_sys::fuzz_target;

/// Everything is there, whatever its name.
struct Anything;

impl World for Anything {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        Vec::new()
    }

    fn symbol(&self, _: Option<&str>, name: &str) -> Option<Symbol> {
        let found = Symbol { address: 0xffff_ffff_8100_0000, size: 8, module: "vmlinux".into() };
        name.len().is_multiple_of(2).then_some(found)
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        desc.function.len() % 3
    }

    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes {
        let arg = |native: &str| ArgType { native: native.into(), translated: None, mapping: 0 };
        match desc.name.len() % 3 {
            0 => ArgTypes::Untyped,
            1 => ArgTypes::Differ,
            _ => ArgTypes::Typed(vec![arg("int"), arg("char *"), arg("struct nothing *")]),
        }
    }

    fn name(&self) -> &str {
        "anything"
    }
}

fuzz_target!(|text: &[u8]| {
    for with_target in [false, true] {
        let mut macros = Macros::new().with_args(["x", "1", "\"text\""]);
        macros.set("target", 1);
        let options = CompileOptions { with_target, macros, ..CompileOptions::default() };
        let mut compiler = Compiler::new(options);
        let added = compiler.add_script(Origin::File("fuzz.d".into()), text);
        match added.and_then(|_| compiler.compile(&Anything)) {
            Err(error) => assert!(!compiler.render(&error, true).is_empty()),
            Ok(made) => {
                made.program.verify().expect("the compiler's own program verifies");
                let bytes = dof::write(&made.program).expect("it is written");
                assert_eq!(dof::read(&bytes).as_ref(), Ok(&made.program));
            }
        }
    }
});
