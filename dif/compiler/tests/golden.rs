//! Golden scripts: `err.TAG.what.d` must be refused with that tag, `tst.what.d` must compile to a
//! program that the verifier accepts.

use std::{fs, path::Path};

use dif::program::ProbeDesc;
use dlang::{
    CompileOptions, Compiler, World,
    source::Origin,
    world::{ArgType, ArgTypes, Symbol, TypeContainer},
};

/// A machine without types, on which everything matches but the provider `absent`.
struct Bare;

impl World for Bare {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        Vec::new()
    }

    fn symbol(&self, _: Option<&str>, name: &str) -> Option<Symbol> {
        let module = "vmlinux".to_owned();
        (name == "jiffies").then_some(Symbol { address: 0xffff_ffff_8000_0000, size: 8, module })
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        usize::from(desc.provider != "absent")
    }

    /// `proc` and `typed` have typed arguments, `translated` one that no translator makes, `io`
    /// matches probes that differ; others have none.
    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes {
        let arg = |native: &str, translated: Option<&str>| ArgType {
            native: native.into(),
            translated: translated.map(Into::into),
            mapping: 0,
        };
        match desc.provider.as_str() {
            "proc" => ArgTypes::Typed(vec![arg("char *", None)]),
            "typed" => ArgTypes::Typed(vec![arg("int", None), arg("struct point *", None)]),
            "translated" => ArgTypes::Typed(vec![arg("struct gadget *", Some("gadget_t *"))]),
            "io" => ArgTypes::Differ,
            _ => ArgTypes::Untyped,
        }
    }

    fn name(&self) -> &str {
        "bare"
    }
}

/// The outcome in one word: a tag, or `ok`.
fn outcome(path: &Path) -> Result<String, String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let with_target = path.to_string_lossy().contains(".target.");
    let mut compiler = Compiler::new(CompileOptions { with_target, ..CompileOptions::default() });
    let added = compiler.add_script(Origin::File("golden.d".into()), text);
    match added.and_then(|_| compiler.compile(&Bare)) {
        Ok(made) => {
            made.program.verify().map_err(|error| format!("not verified: {error}"))?;
            Ok("ok".into())
        }
        Err(error) => {
            let shown = compiler.render(&error, true);
            if shown.contains(error.tag.name()) { Ok(error.tag.name().into()) } else { Err(shown) }
        }
    }
}

fn expected(name: &str) -> Option<&str> {
    let mut parts = name.split('.');
    match parts.next()? {
        "tst" => Some("ok"),
        "err" => parts.next(),
        _ => None,
    }
}

#[test]
fn every_golden_script_ends_as_its_name_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(want) = expected(&name) else { continue };
        seen += 1;
        match outcome(&path) {
            Ok(got) if got == want => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} golden scripts were found");
}
