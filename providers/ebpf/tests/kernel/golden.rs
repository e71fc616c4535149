//! Every script of the golden suites on a host probe: what is translated, the kernel takes; what is
//! not, is known here with its reason.

use std::{fs, path::Path};

use dlang::{CompileOptions, Compiler, macros::Macros, source::Origin, world::Bare};
use ebpf::Error;
use host::engine::LoadError;

use crate::rig::{Rig, without_bpf};

/// Scripts that have something which no program in the kernel can do, and what that is.
const REFUSED: &[(&str, &str)] = &[
    // Where a process's parent lies is in the kernel's types, and these tests give none.
    ("tst.builtins.d", "ppid"),
    ("tst.fault-subroutine-nulls.d", "cleanpath()"),
    ("tst.inet.d", "inet_ntoa()"),
    ("tst.json.d", "json()"),
    ("tst.paths.d", "cleanpath()"),
    ("tst.tracemem-printm.d", "an action"),
    ("tst.uuidstr.d", "uuidstr()"),
    // Names are made where the fire is, and a kernel's program has none to look at.
    ("tst.stack.d", "immstack()"),
];

/// Folders of scripts, from the workspace's top.
const SUITES: &[&str] = &["tests/golden", "dif/compiler/tests/programs"];

/// A script's name and its arguments, from its line `/* args: … */`.
fn arguments(name: &str, text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("/* args: ")?.strip_suffix(" */"));
    let words = line.unwrap_or_default().split_whitespace();
    std::iter::once(name).chain(words).map(str::to_owned).collect()
}

/// The scripts that are to be compiled: name and text.
fn scripts() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = Vec::new();
    for suite in SUITES {
        for entry in fs::read_dir(top.join(suite)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let plain = path.extension().is_some_and(|ext| ext == "d");
            if !plain || name.starts_with("err.") {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            // These sessions may not destroy anything.
            if !text.starts_with("/* options: -w") {
                all.push((name, text));
            }
        }
    }
    all.sort();
    all
}

/// A script's clauses, whatever their probes, on one system call's entry.
#[test]
fn the_kernel_takes_every_golden_script() {
    if without_bpf() {
        return;
    }
    let (mut loaded, mut wrong) = (0, Vec::new());
    for (name, text) in scripts() {
        let mut macros = Macros::new().with_args(arguments(&name, &text));
        macros.set("target", 1);
        let options = CompileOptions { macros, ..CompileOptions::default() };
        let mut compiler = Compiler::new(options);
        let origin = Origin::File(name.clone());
        let done = compiler.add_script(origin, text.as_bytes());
        // Scripts for machines with types or symbols of their own are none for this one.
        let Ok(compiled) = done.and_then(|_| compiler.compile(&Bare)) else { continue };
        let known = REFUSED.iter().find(|(script, _)| *script == name).map(|(_, what)| *what);
        match (Rig::try_new(&compiled.program, &|_| {}), known) {
            (Ok(_), None) => loaded += 1,
            (Err(Error::Refused { refused, .. }), Some(what)) if refused.construct == what => {}
            (Ok(_), Some(what)) => wrong.push(format!("{name}: {what} is not refused any more")),
            // Nobody takes a destructive script without -w.
            (Err(Error::Load(LoadError::Destructive { .. })), None) => {}
            (Err(error), _) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{loaded} were taken, but\n{}", wrong.join("\n"));
    assert!(loaded > 50, "only {loaded} scripts");
}
