//! DWARF against the compiler that wrote it: sizes, offsets and widths of a C program's types are
//! what the program itself says they are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use dlang::{
    World,
    types::{
        Type, TypeId, Types,
        file::{TypeFileError, types_of_file},
        parse_c_type,
    },
    world::{ArgTypes, Symbol, TypeContainer, TypeFormat},
};

struct Program(Vec<u8>);

impl World for Program {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        vec![TypeContainer { module: "vmlinux", format: TypeFormat::BtfAlone, bytes: &self.0 }]
    }
    fn symbol(&self, _: Option<&str>, _: &str) -> Option<Symbol> {
        None
    }
    fn matches(&self, _: &dif::program::ProbeDesc) -> usize {
        0
    }
    fn arg_types(&self, _: &dif::program::ProbeDesc) -> ArgTypes {
        ArgTypes::Untyped
    }
    fn name(&self) -> &str {
        "program"
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dwarf")
}

/// Compiles the program; `None` where there is no gcc, or none that knows the flags.
fn build(name: &str, flags: &[&str]) -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let out = dir.join(name);
    let sources = ["program.c", "other.c"].map(|file| sources().join(file));
    let inputs = if flags.contains(&"-c") { &sources[..1] } else { &sources[..] };
    let made = Command::new("gcc").args(flags).args(inputs).arg("-o").arg(&out).output().ok()?;
    made.status.success().then_some(out)
}

fn facts(program: &Path) -> Vec<String> {
    let output = Command::new(program).output().expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    text.lines().map(str::to_owned).collect()
}

fn named(types: &mut Types<'_>, name: &str) -> TypeId {
    parse_c_type(types, name).unwrap_or_else(|| panic!("{name} is not known"))
}

/// One of the program's lines, as the types have it.
fn fact(types: &mut Types<'_>, ty: &str, member: &str) -> String {
    let id = named(types, ty);
    if member == "-" {
        return format!("{ty} - 0 {}", types.size(id).unwrap_or(0));
    }
    let Type::Compound(compound) = types.resolve(id) else { panic!("{ty} is no struct") };
    let field = types.member(&compound, member).unwrap_or_else(|| panic!("{ty} has no {member}"));
    let size = types.size(field.ty).unwrap_or(0);
    match field.bit_width {
        0 => format!("{ty} {member} {} {size}", field.bit_offset),
        width => format!("{ty} {member} {} :{width}", field.bit_offset),
    }
}

fn check(types: &mut Types<'_>, facts: &[String]) {
    assert!(facts.len() > 25, "the program said little: {facts:?}");
    for line in facts {
        let words: Vec<&str> = line.split(' ').collect();
        let [keyword, tag, member, ..] = words[..] else { panic!("{line}") };
        assert_eq!(&fact(types, &format!("{keyword} {tag}"), member), line);
    }
}

/// Every version of DWARF, linked and not, compressed and not, gives what `offsetof` and `sizeof`
/// give.
#[test]
fn offsets_and_sizes_are_the_compilers() {
    let Some(plain) = build("plain", &["-g"]) else { return };
    let facts = facts(&plain);
    let variants: [(&str, &[&str]); 7] = [
        ("plain", &["-g"]),
        ("v5", &["-gdwarf-5"]),
        ("v4", &["-gdwarf-4"]),
        ("v3", &["-gdwarf-3", "-gstrict-dwarf"]),
        ("v2", &["-gdwarf-2", "-gstrict-dwarf"]),
        ("zlib", &["-g", "-gz=zlib"]),
        ("object.o", &["-g", "-c"]),
    ];
    let mut read = 0;
    for (name, flags) in variants {
        let Some(file) = build(&format!("dwarf-{name}"), flags) else { continue };
        let bytes = std::fs::read(file).expect("it was written");
        let btf = types_of_file(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let world = Program(btf);
        let mut types = Types::new(&world);
        check(&mut types, &facts);
        assert_eq!(types.warnings(), [""; 0], "{name}");
        read += 1;
    }
    assert!(read >= 3, "gcc made only {read} variants");
}

/// Names of types, constness, arrays, functions, enumerators and variables come with them; a
/// declaration finds its definition in another unit, and what two units have in common is there
/// once.
#[test]
fn types_keep_their_shape() {
    let Some(file) = build("shape", &["-g"]) else { return };
    let bytes = std::fs::read(file).expect("it was written");
    let world = Program(types_of_file(&bytes).expect("types"));
    let mut types = Types::new(&world);
    let outer = named(&mut types, "struct outer");
    let Type::Compound(outer) = types.resolve(outer) else { panic!("no struct") };
    let mut name_of = |member: &str| {
        let field = types.member(&outer, member).expect(member);
        types.name(field.ty)
    };
    assert_eq!(name_of("array"), "struct inner [3][2]");
    // Which of the two comes first is the compiler's choice.
    let text = name_of("text").replace("volatile const", "const volatile");
    assert_eq!(text, "const volatile char *restrict");
    assert_eq!(name_of("callback"), "callback_t");
    assert_eq!(name_of("later"), "struct later *");
    assert_eq!(name_of("tail"), "unsigned char [0]");
    let later = named(&mut types, "struct later");
    assert_eq!(types.size(later), Some(16));
    for (name, value) in
        [("BLUE", 70_000), ("MINUS", -5), ("WIDE", 0x1_0000_0000), ("TOP", -1), ("GREEN", 200)]
    {
        assert_eq!(types.enumerator(name).expect(name).1, value);
    }
    let packed = types.kernel_variable(None, "a_packed").expect("a variable");
    assert_eq!(types.name(packed), "struct packed");
    let pointer = types.kernel_variable(None, "pointer_to_array").expect("a variable");
    assert_eq!(types.name(pointer), "int (*)[7]");
    let same = named(&mut types, "struct same");
    assert_eq!(types.size(same), Some(4));
}

/// What holds no types says so, and why.
#[test]
fn files_without_types_are_refused() {
    assert_eq!(types_of_file(b"#!/bin/sh\n"), Err(TypeFileError::Format));
    assert!(matches!(types_of_file(b"\x7fELF"), Err(TypeFileError::Elf(_))));
    let Some(file) = build("stripped", &["-s"]) else { return };
    let bytes = std::fs::read(file).expect("it was written");
    assert_eq!(types_of_file(&bytes), Err(TypeFileError::NoTypes));
}

/// Damage anywhere in the debugging information is an error or other types, never a panic, and
/// ends.
#[test]
fn damaged_files_do_no_harm() {
    let Some(file) = build("damaged", &["-g", "-c"]) else { return };
    let good = std::fs::read(file).expect("it was written");
    let mut state = 1_u64;
    for _ in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(state >> 33).expect("31 bits") % bytes.len();
            bytes[at] = state.to_le_bytes()[1];
        }
        if let Ok(btf) = types_of_file(&bytes) {
            let world = Program(btf);
            let mut types = Types::new(&world);
            if let Some(id) = parse_c_type(&mut types, "struct outer") {
                let _ = (types.size(id), types.name(id));
            }
        }
    }
}
