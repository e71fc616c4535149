//! A program that was saved is, when it is linked for another kernel, the program that would have
//! been compiled for that kernel.

use super::*;
use crate::{
    CompileOptions, Compiler, source::Origin, testworld::TestWorld, types::BtfBuilder,
    world::ArgType,
};

/// A kernel whose structs have `pad` more bytes before their members, and whose `state` has
/// `state` bytes.
fn kernel(pad: u32, state: u32) -> TestWorld {
    let mut b = BtfBuilder::new();
    let uint = b.int("unsigned int", 4, 0);
    let wide = b.int("state type", state, 0);
    let character = b.int("char", 1, 1);
    let at = |bits: u32| bits + pad * 8;
    let kuid = b.compound(4, "", 4, &[("val", uint, 0, 0)]);
    let kuid_t = b.reference(8, "kuid_t", kuid);
    let cred = b.compound(4, "cred", 16 + pad, &[("uid", kuid_t, at(64), 0)]);
    let cred_p = b.reference(2, "", cred);
    let comm = b.array(character, uint, 16);
    let point = b.compound(4, "", 8, &[("x", uint, 0, 0), ("y", uint, 32, 0)]);
    let inner = b.compound(5, "", 8, &[("cred", cred_p, 0, 0)]);
    b.compound(
        4,
        "task_struct",
        96 + pad,
        &[
            ("", inner, at(64), 0),
            ("comm", comm, at(128), 0),
            ("flag", uint, at(259), 5),
            ("state", wide, at(320), 0),
            ("first", uint, at(0), 0),
            ("point", point, at(384), 0),
        ],
    );
    b.enumeration("color", &[("RED", 7 + pad)]);
    b.variable("init_task", 10);
    let mut world = TestWorld::with_btf(b.finish().unwrap());
    world.symbols.insert("jiffies".into(), 0xffff_ffff_8100_0000 + u64::from(pad));
    world.args =
        vec![ArgType { native: "struct task_struct *".into(), translated: None, mapping: 0 }];
    world
}

fn compile(script: &str, world: &TestWorld) -> Saved {
    let options = CompileOptions { linkable: true, ..CompileOptions::default() };
    let mut compiler = Compiler::new(options);
    compiler.add_script(Origin::File("s.d".into()), script).unwrap();
    let compiled =
        compiler.compile(world).unwrap_or_else(|e| panic!("{}", compiler.render(&e, true)));
    let descriptions = compiled.descriptions.iter().map(|(_, desc)| desc.clone()).collect();
    Saved { os: Os::Linux, with_target: false, descriptions, compiled }
}

/// Through a file, to another kernel.
fn linked(script: &str, from: &TestWorld, to: &TestWorld) -> Result<Compiled, LinkError> {
    let saved = compile(script, from);
    let bytes = saved.write().unwrap();
    let read = Saved::read(&bytes).unwrap();
    assert_eq!(read.compiled.program, saved.compiled.program);
    assert_eq!(read.compiled.statements, saved.compiled.statements);
    assert_eq!(read.compiled.variables, saved.compiled.variables);
    read.link(to)
}

/// Offsets of members (at 0 too, through pointers, unnamed unions, and types without names), sizes,
/// enumerators and symbols are the other kernel's.
#[test]
fn linking_is_compiling_for_the_other_kernel() {
    const T: &str = "((struct task_struct *)arg0)";
    let scripts = [
        format!("fbt:::entry {{ trace({T}->cred->uid.val); }}"),
        format!("fbt:::entry {{ trace({T}->first); trace(stringof({T}->comm)); }}"),
        format!("fbt:::entry /{T}->flag > 2/ {{ @[{T}->state] = sum({T}->point.y); }}"),
        "fbt:::entry { trace(sizeof (struct task_struct)); trace(RED); }".to_owned(),
        "fbt:::entry { trace(&`jiffies); trace(*(int *)&`jiffies); }".to_owned(),
        "fbt:::entry { trace(offsetof(struct task_struct, comm)); }".to_owned(),
        "fbt:::entry { self->t = args[0]; trace(self->t->first); }".to_owned(),
        "fbt:::entry { if (args[0]->first) { trace(1); } else { trace(args[0]->state); } }"
            .to_owned(),
        "BEGIN { x = 1; @[\"a\"] = quantize(x); printf(\"%d\", 0x48544c4b00000000 + x); }"
            .to_owned(),
    ];
    for script in &scripts {
        for (from, to) in [(0, 8), (8, 0), (0, 0), (16, 256)] {
            let (from, to) = (kernel(from, 8), kernel(to, 8));
            let got = linked(script, &from, &to).unwrap_or_else(|e| panic!("{script}: {e}"));
            let wanted = compile(script, &to).compiled;
            assert_eq!(got.program, wanted.program, "{script}");
            assert_eq!(got.statements, wanted.statements, "{script}");
            assert_eq!(got.descriptions, wanted.descriptions, "{script}");
            got.program.verify().unwrap();
        }
    }
}

/// What no number can make up for is refused, by name, and only where it matters.
#[test]
fn what_is_too_different_is_refused() {
    const T: &str = "((struct task_struct *)arg0)";
    let (from, to) = (kernel(0, 8), kernel(8, 4));
    let error = |script: &str| linked(script, &from, &to).unwrap_err().to_string();
    let text = error(&format!("fbt:::entry {{ trace({T}->state); }}"));
    assert_eq!(
        text,
        "struct task_struct.state is an unsigned integer of 4 bytes on test, and was an unsigned \
         integer of 8 bytes where the program was compiled: compile it for test"
    );
    let text = error(&format!("fbt:::entry {{ trace(*{T}); }}"));
    assert!(text.starts_with("struct task_struct is 104 bytes large on test"), "{text}");
    linked(&format!("fbt:::entry {{ trace({T}->first); }}"), &from, &to).unwrap();
    let untyped = TestWorld::default();
    let text = linked(&format!("fbt:::entry {{ trace({T}->first); }}"), &from, &untyped);
    assert_eq!(text.unwrap_err().to_string(), "struct task_struct.first is not known on test");
    linked("BEGIN { trace(1); }", &from, &untyped).unwrap();
}

/// A clause that matches nothing on a machine is left out there, and asks nothing of it.
#[test]
fn clauses_of_other_machines_are_left_out() {
    let script = "BEGIN { trace(1); } fbt:::entry { trace(args[0]->first); } END { trace(2); }";
    let host = TestWorld { absent: vec!["fbt".into()], ..TestWorld::default() };
    let got = linked(script, &kernel(0, 8), &host).unwrap();
    assert_eq!(got.program.ecbs.len(), 2);
    assert_eq!(got.statements.len(), 2);
    assert_eq!(got.statements[1].ecb, EcbIndex(1));
    assert_eq!(got.descriptions.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 2]);
}

/// A damaged file is refused or is another program, and never a panic; its program can be looked
/// at and linked.
#[test]
fn damaged_files_do_no_harm() {
    let world = kernel(0, 8);
    let saved = compile("fbt:::entry { trace(args[0]->first); @[RED] = count(); }", &world);
    let good = saved.write().unwrap();
    for at in 0..good.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if let Ok(read) = Saved::read(&bytes) {
                let _ = read.link(&world).map(|linked| linked.program.verify());
            }
        }
    }
    assert!(matches!(Saved::read(b"no"), Err(SavedError::NotSaved(_))));
    assert!(Saved::read(&good[..good.len() / 2]).is_err());
}
