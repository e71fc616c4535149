//! Any bytes as a kernel's type containers (a byte that says which format and where the second
//! container begins, then both): read, or refused with a warning; then a script that walks through
//! whatever types they have compiles or is refused, and no size, offset or chain of references makes
//! the compiler panic or run on.
#![no_main]

use dif::program::ProbeDesc;
use dlang::{
    CompileOptions, Compiler, World,
    source::Origin,
    world::{ArgType, ArgTypes, Symbol, TypeContainer, TypeFormat},
};
use libfuzzer_sys::fuzz_target;

/// Names that the seeds' types have, so that what they say is looked at.
const SCRIPT: &str = "BEGIN { trace(sizeof (struct a)); } \
    fbt:::entry { this->p = (struct a *)arg0; trace(this->p->b); trace(this->p->c[1]); \
    trace(args[0]->d); trace((int)`jiffies); trace((e_t)arg1); trace(*args[1]); }";

struct Foreign<'a> {
    containers: Vec<TypeContainer<'a>>,
}

impl World for Foreign<'_> {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        self.containers.clone()
    }

    fn symbol(&self, _: Option<&str>, _: &str) -> Option<Symbol> {
        Some(Symbol { address: 0xffff_ffff_8100_0000, size: 8, module: "vmlinux".into() })
    }

    fn matches(&self, _: &ProbeDesc) -> usize {
        1
    }

    fn arg_types(&self, _: &ProbeDesc) -> ArgTypes {
        let arg = |native: &str| ArgType { native: native.into(), translated: None, mapping: 0 };
        ArgTypes::Typed(vec![arg("struct a *"), arg("e_t *")])
    }

    fn name(&self) -> &str {
        "foreign"
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let format = if kind & 0x80 == 0 { TypeFormat::Btf } else { TypeFormat::Ctf };
    let (first, second) = bytes.split_at(bytes.len().min(usize::from(kind & 0x7f) * 16));
    let container = |module, bytes| TypeContainer { module, format, bytes };
    let containers = if second.is_empty() || kind & 0x7f == 0 {
        vec![container("vmlinux", bytes)]
    } else {
        vec![container("vmlinux", first), container("ext4", second)]
    };
    for line in [SCRIPT, "fbt:::entry { print(*args[0]); }"] {
        let world = Foreign { containers: containers.clone() };
        let mut compiler = Compiler::new(CompileOptions::default());
        if compiler.add_script(Origin::File("types.d".into()), line).is_err() {
            continue;
        }
        if let Err(error) = compiler.compile(&world) {
            assert!(!compiler.render(&error, true).is_empty());
        }
    }
});
