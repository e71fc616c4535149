//! Any bytes as the ELF object of a saved program: refused, or
//! read; what is read is linked for a machine without types, verified, and saved again.
#![no_main]

use dif::program::ProbeDesc;
use dlang::{
    World,
    saved::Saved,
    world::{ArgTypes, Symbol, TypeContainer},
};
use libfuzzer_sys::fuzz_target;

struct Bare;

impl World for Bare {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        Vec::new()
    }

    fn symbol(&self, _: Option<&str>, name: &str) -> Option<Symbol> {
        let address = u64::try_from(name.len()).ok()?;
        Some(Symbol { address, size: 8, module: "vmlinux".into() })
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        desc.name.len() % 2
    }

    fn arg_types(&self, _: &ProbeDesc) -> ArgTypes {
        ArgTypes::Untyped
    }

    fn name(&self) -> &str {
        "bare"
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(saved) = Saved::read(bytes) else { return };
    if let Ok(linked) = saved.link(&Bare) {
        let _ = linked.program.verify();
    }
    if let Ok(again) = saved.write() {
        let read = Saved::read(&again).expect("what is written can be read");
        assert_eq!(read.compiled.program, saved.compiled.program);
    }
});
