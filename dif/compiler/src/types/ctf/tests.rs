//! Against a writer of our own, that knows the formats and nothing of the reader.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;

use super::{Ctf, CtfError, CtfSymbol};
use crate::{
    types::{Tag, Type, TypeId, Types},
    world::{ArgTypes, Symbol, TypeContainer, TypeFormat, World},
};

/// A CTF file in the making.
struct Writer {
    v3: bool,
    child: bool,
    parent: (u32, u32),
    labels: Vec<u8>,
    objects: Vec<u8>,
    functions: Vec<u8>,
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Writer {
    fn new(v3: bool) -> Self {
        let none = Vec::new;
        Self {
            v3,
            child: false,
            parent: (0, 0),
            labels: none(),
            objects: none(),
            functions: none(),
            types: none(),
            strings: vec![0],
            count: 0,
        }
    }

    fn child_of(mut self, label: &str, name: &str) -> Self {
        self.child = true;
        self.parent = (self.text(label), self.text(name));
        self
    }

    fn label(&mut self, label: &str) {
        let at = self.text(label);
        self.labels.extend(at.to_le_bytes());
        self.labels.extend(self.count.to_le_bytes());
    }

    fn text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend(text.bytes());
        self.strings.push(0);
        at
    }

    /// A type's number, as wide as this version has it.
    fn id(&self, value: u32) -> Vec<u8> {
        if self.v3 {
            value.to_le_bytes().to_vec()
        } else {
            u16::try_from(value).unwrap().to_le_bytes().to_vec()
        }
    }

    fn info(&self, kind: u32, root: bool, vlen: u32) -> u32 {
        if self.v3 {
            kind << 26 | u32::from(root) << 25 | vlen
        } else {
            kind << 11 | u32::from(root) << 10 | vlen
        }
    }

    /// `struct ctf_stype`, or `struct ctf_type` where the size does not fit.
    fn head(&mut self, name: &str, kind: u32, root: bool, vlen: u32, size: u64) -> u32 {
        let name = self.text(name);
        self.types.extend(name.to_le_bytes());
        let info = self.id(self.info(kind, root, vlen));
        self.types.extend(info);
        let largest = if self.v3 { 0xffff_fffe } else { 0xfffe };
        if size <= largest {
            let size = self.id(u32::try_from(size).unwrap());
            self.types.extend(size);
        } else {
            let sentinel = self.id(if self.v3 { u32::MAX } else { 0xffff });
            self.types.extend(sentinel);
            self.types.extend(u32::try_from(size >> 32).unwrap().to_le_bytes());
            self.types.extend(u32::try_from(size & 0xffff_ffff).unwrap().to_le_bytes());
        }
        self.count += 1;
        match (self.child, self.v3) {
            (false, _) => self.count,
            (true, false) => self.count | 0x8000,
            (true, true) => self.count | 0x8000_0000,
        }
    }

    fn int(&mut self, name: &str, size: u64, encoding: u32, offset: u32, bits: u32) -> u32 {
        let id = self.head(name, 1, true, 0, size);
        self.types.extend((encoding << 24 | offset << 16 | bits).to_le_bytes());
        id
    }

    fn float(&mut self, name: &str, size: u64) -> u32 {
        let id = self.head(name, 2, true, 0, size);
        self.types.extend((2_u32 << 24 | 64).to_le_bytes());
        id
    }

    /// Pointer 3, forward 9, typedef 10, volatile 11, const 12, restrict 13.
    fn reference(&mut self, kind: u32, name: &str, target: u32) -> u32 {
        self.head(name, kind, true, 0, u64::from(target))
    }

    fn array(&mut self, element: u32, index: u32, count: u32) -> u32 {
        let id = self.head("", 4, true, 0, 0);
        let words = [self.id(element), self.id(index)].concat();
        self.types.extend(words);
        self.types.extend(count.to_le_bytes());
        id
    }

    fn function(&mut self, result: u32, parameters: &[u32]) -> u32 {
        let vlen = u32::try_from(parameters.len()).unwrap();
        let id = self.head("", 5, true, vlen, u64::from(result));
        for parameter in parameters {
            let parameter = self.id(*parameter);
            self.types.extend(parameter);
        }
        if !self.v3 && parameters.len() % 2 == 1 {
            self.types.extend([0, 0]);
        }
        id
    }

    fn compound(&mut self, kind: u32, name: &str, size: u64, members: &[(&str, u32, u64)]) -> u32 {
        let names: Vec<u32> = members.iter().map(|member| self.text(member.0)).collect();
        let vlen = u32::try_from(members.len()).unwrap();
        let id = self.head(name, kind, true, vlen, size);
        let large = size >= if self.v3 { 536_870_912 } else { 8192 };
        for (name, (_, ty, offset)) in names.into_iter().zip(members) {
            self.types.extend(name.to_le_bytes());
            let ty = self.id(*ty);
            self.types.extend(ty);
            if large {
                if !self.v3 {
                    self.types.extend([0, 0]);
                }
                self.types.extend(u32::try_from(offset >> 32).unwrap().to_le_bytes());
                self.types.extend(u32::try_from(offset & 0xffff_ffff).unwrap().to_le_bytes());
            } else {
                let offset = self.id(u32::try_from(*offset).unwrap());
                self.types.extend(offset);
            }
        }
        id
    }

    fn enumeration(&mut self, name: &str, values: &[(&str, i32)]) -> u32 {
        let names: Vec<u32> = values.iter().map(|value| self.text(value.0)).collect();
        let id = self.head(name, 8, true, u32::try_from(values.len()).unwrap(), 4);
        for (name, (_, value)) in names.into_iter().zip(values) {
            self.types.extend(name.to_le_bytes());
            self.types.extend(value.to_le_bytes());
        }
        id
    }

    fn finish(&self, pack: bool) -> Vec<u8> {
        let mut out = vec![0xf1, 0xcf, if self.v3 { 3 } else { 2 }, u8::from(pack)];
        let sections = [&self.labels, &self.objects, &self.functions, &self.types, &self.strings];
        let mut at = 0_usize;
        let mut words = vec![self.parent.0, self.parent.1];
        for section in sections {
            words.push(u32::try_from(at).unwrap());
            at += section.len();
        }
        words.push(u32::try_from(self.strings.len()).unwrap());
        words.iter().for_each(|word| out.extend(word.to_le_bytes()));
        let body: Vec<u8> = sections.into_iter().flatten().copied().collect();
        if pack {
            let mut encoder = ZlibEncoder::new(out, Compression::fast());
            encoder.write_all(&body).unwrap();
            return encoder.finish().unwrap();
        }
        out.extend(body);
        out
    }
}

/// Machines with CTF containers, the kernel's first.
struct CtfWorld(Vec<(&'static str, Vec<u8>)>);

impl World for CtfWorld {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        let format = TypeFormat::Ctf;
        self.0.iter().map(|(module, bytes)| TypeContainer { module, format, bytes }).collect()
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
        "ctf"
    }
}

fn kernel(v3: bool) -> Writer {
    let mut w = Writer::new(v3);
    let void = w.int("void", 0, 1, 0, 0);
    let int = w.int("int", 4, 1, 0, 32);
    let char_type = w.int("char", 1, 3, 0, 8);
    let uint = w.int("unsigned int", 4, 0, 0, 32);
    let three = w.int("unsigned int", 1, 0, 0, 3);
    let void_p = w.reference(3, "", void);
    let thread_fwd = w.reference(9, "thread", 6);
    let thread_p = w.reference(3, "", thread_fwd);
    let comm = w.array(char_type, uint, 20);
    let state = w.enumeration("state", &[("PRS_NEW", 0), ("PRS_NORMAL", 1), ("PRS_ODD", -2)]);
    let inner = w.compound(7, "", 8, &[("p_next", thread_p, 0), ("p_data", void_p, 0)]);
    w.compound(
        6,
        "proc",
        9000,
        &[("", inner, 0), ("p_comm", comm, 64), ("p_state", state, 256), ("p_flag", three, 290)],
    );
    w.compound(6, "small", 16, &[("a", int, 0), ("b", three, 37), ("c", void_p, 64)]);
    let double = w.float("double", 8);
    let constant = w.reference(12, "", double);
    w.reference(10, "measure_t", constant);
    let callback = w.function(int, &[int, void_p, 0]);
    let callback_p = w.reference(3, "", callback);
    w.reference(10, "callback_t", callback_p);
    w.compound(6, "thread", 8, &[("td_proc", void_p, 0)]);
    w.label("14.1-RELEASE");
    w
}

fn with_types<R>(world: &CtfWorld, look: impl FnOnce(&mut Types<'_>) -> R) -> R {
    let mut types = Types::new(world);
    let result = look(&mut types);
    assert_eq!(types.warnings(), [""; 0]);
    result
}

fn member(types: &mut Types<'_>, tag: &str, name: &str) -> (u32, u32, TypeId) {
    let id = types.tag(Tag::Struct, tag).expect(tag);
    let Type::Compound(compound) = types.resolve(id) else { panic!("{tag} is no struct") };
    let field = types.member(&compound, name).expect(name);
    (field.bit_offset, field.bit_width, field.ty)
}

/// Every kind of type comes back in both versions, packed or not, small structs and large ones.
#[test]
fn a_kernels_types_are_read() {
    for (v3, pack) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = CtfWorld(vec![("kernel", kernel(v3).finish(pack))]);
        with_types(&world, |types| {
            let proc_tag = types.tag(Tag::Struct, "proc").unwrap();
            assert_eq!(types.size(proc_tag), Some(9000));
            let (at, _, ty) = member(types, "proc", "p_comm");
            assert_eq!((at, types.name(ty)), (64, "char [20]".into()));
            assert!(types.is_char_array(ty));
            let (at, width, ty) = member(types, "proc", "p_flag");
            assert_eq!((at, width, types.name(ty)), (290, 3, "unsigned int".into()));
            let (_, _, next) = member(types, "proc", "p_next");
            assert_eq!(types.name(next), "struct thread *");
            let Type::Pointer { target, .. } = types.resolve(next) else { panic!("no pointer") };
            assert_eq!(types.size(target), Some(8), "the declaration finds its definition");
            let (_, _, data) = member(types, "proc", "p_data");
            assert_eq!(types.name(data), "void *");
            assert!(matches!(types.resolve(data), Type::Pointer { target, .. }
                if matches!(types.resolve(target), Type::Void)));
            assert_eq!(member(types, "small", "b").0, 37);
            let (_, value) = types.enumerator("PRS_ODD").unwrap();
            assert_eq!(value, -2);
            let measure = types.typedef("measure_t").unwrap();
            assert!(matches!(types.resolve(measure), Type::Float { size: 8, .. }));
            let callback = types.typedef("callback_t").unwrap();
            assert!(matches!(types.resolve(callback), Type::Pointer { target, .. }
                if matches!(types.resolve(target), Type::Function { .. })));
        });
    }
}

/// FreeBSD's kernel unpacks the container for who asks, but the flag stays set.
#[test]
fn a_container_that_was_unpacked_already_is_read() {
    let mut bytes = kernel(true).finish(false);
    bytes[3] = 1;
    let world = CtfWorld(vec![("kernel", bytes)]);
    with_types(&world, |types| assert_eq!(member(types, "small", "c").0, 64));
}

/// A module that was made against the kernel refers to the kernel's types by number; one that was
/// not has its own.
#[test]
fn modules_refer_to_their_parent() {
    for v3 in [false, true] {
        let mut child = Writer::new(v3).child_of("14.1-RELEASE", "kernel");
        let pointer = child.reference(3, "", 13);
        assert_eq!(pointer & 0x7fff, 1);
        child.compound(6, "softc", 24, &[("sc_small", pointer, 0), ("sc_n", 2, 64)]);
        let mut alone = Writer::new(v3);
        let int = alone.int("int", 4, 1, 0, 32);
        alone.compound(6, "other", 4, &[("n", int, 0)]);
        let world = CtfWorld(vec![
            ("kernel", kernel(v3).finish(true)),
            ("if_x.ko", child.finish(true)),
            ("other.ko", alone.finish(false)),
        ]);
        with_types(&world, |types| {
            let (_, _, small) = member(types, "softc", "sc_small");
            assert_eq!(types.name(small), "struct small *");
            assert_eq!(member(types, "softc", "sc_n").0, 64);
            let (_, _, n) = member(types, "other", "n");
            assert_eq!(types.name(n), "int");
        });
    }
}

/// A module of another build is left out, and why is said; the kernel's types still work.
#[test]
fn a_module_of_another_build_is_refused() {
    let child = |label: &str, parent: &str| {
        let mut child = Writer::new(true).child_of(label, parent);
        child.compound(6, "softc", 4, &[("n", 2, 0)]);
        child.finish(true)
    };
    for (bytes, why) in [
        (child("13.0", "kernel"), "it was made for another build of kernel (label 13.0)"),
        (child("", "genunix"), "it needs the types of genunix, which the machine did not publish"),
    ] {
        let world = CtfWorld(vec![("kernel", kernel(true).finish(true)), ("m.ko", bytes)]);
        let mut types = Types::new(&world);
        assert_eq!(types.warnings(), [format!("the types of m.ko cannot be read: {why}")]);
        assert!(types.tag(Tag::Struct, "softc").is_none());
        assert_eq!(member(&mut types, "small", "c").0, 64);
    }
}

/// Who has the symbols gets the types of objects and functions.
#[test]
fn objects_and_functions_have_types() {
    let symbol = |name: &str, is_function| CtfSymbol { name: name.into(), is_function };
    let symbols =
        [symbol("ticks", false), symbol("gone", true), symbol("run", true), symbol("hz", false)];
    for v3 in [false, true] {
        let mut w = kernel(v3);
        let words = |w: &Writer, all: &[u32]| all.iter().flat_map(|x| w.id(*x)).collect::<Vec<_>>();
        w.objects = words(&w, &[2, 0]);
        let info = w.info(5, true, 2);
        w.functions = words(&w, &[0, info, 2, 2, 6]);
        let bytes = w.finish(true);
        let btf = Ctf::parse(&bytes).unwrap().to_btf(None, &symbols).unwrap();
        let btf = crate::types::Btf::parse(btf, None).unwrap();
        let find = |kind, name| btf.find(&[kind], name).and_then(|id| btf.record(id));
        let ticks = find(crate::types::btf::kind::VAR, "ticks").unwrap();
        assert_eq!(btf.record(ticks.size_or_type).unwrap().name, "int");
        assert!(find(crate::types::btf::kind::VAR, "hz").is_none());
        let run = find(crate::types::btf::kind::FUNC, "run").unwrap();
        let proto = btf.record(run.size_or_type).unwrap();
        assert_eq!((proto.size_or_type, proto.tail.len()), (2, 16));
        assert!(find(crate::types::btf::kind::FUNC, "gone").is_none());
        let container = TypeContainer { module: "kernel", format: TypeFormat::Ctf, bytes: &bytes };
        let of = |module: &str| if module == "kernel" { symbols.to_vec() } else { Vec::new() };
        let (prepared, _) = crate::types::prepare_with(&[container], &of);
        let btf = crate::types::Btf::parse(&*prepared[0].bytes, None).unwrap();
        assert!(btf.find(&[crate::types::btf::kind::FUNC], "run").is_some());
    }
}

/// A name that is not to be found by name does not hide the one that is.
#[test]
fn hidden_types_do_not_stand_before_others() {
    let mut w = Writer::new(true);
    let int = w.int("int", 4, 1, 0, 32);
    let name = w.text("twice");
    for (root, size) in [(false, 4), (true, 8)] {
        let at = w.types.len();
        w.head("", 6, root, 1, size);
        w.types[at..at + 4].copy_from_slice(&name.to_le_bytes());
        w.types.extend(0_u32.to_le_bytes());
        w.types.extend(int.to_le_bytes());
        w.types.extend(0_u32.to_le_bytes());
    }
    let world = CtfWorld(vec![("kernel", w.finish(false))]);
    with_types(&world, |types| {
        let twice = types.tag(Tag::Struct, "twice").unwrap();
        assert_eq!(types.size(twice), Some(8));
    });
}

/// What is wrong is said, and nothing is guessed.
#[test]
fn malformed_containers_are_refused_by_name() {
    let good = kernel(false).finish(false);
    let change = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Ctf::parse(&bytes).and_then(|ctf| ctf.to_btf(None, &[]).map(|_| ())).unwrap_err()
    };
    assert_eq!(change(0, 0), CtfError::Magic(0xcf00));
    assert_eq!(change(2, 4), CtfError::Version(4));
    assert_eq!(change(15, 0xff), CtfError::Order);
    assert_eq!(change(35, 0x7f), CtfError::TooLarge);
    assert_eq!(change(33, 0x7f), CtfError::Truncated);
    let first = 36 + 8;
    assert_eq!(change(first + 5, 0xf8), CtfError::Kind { id: 1, kind: 31 });
    assert_eq!(Ctf::parse(&good[..20]).unwrap_err(), CtfError::Truncated);
    let mut cut = kernel(false).finish(true);
    cut.truncate(60);
    assert_eq!(Ctf::parse(&cut).unwrap_err(), CtfError::Compression);
}

/// A stream that unpacks to more than its header says is no container, and is not unpacked to its
/// end.
#[test]
fn bombs_are_not_unpacked() {
    let mut bytes = kernel(true).finish(false)[..36].to_vec();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    (0..64).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    bytes[3] = 1;
    bytes.extend(encoder.finish().unwrap());
    let size = kernel(true).finish(false).len() - 36;
    let read = Ctf::parse(&bytes);
    assert!(read.is_err() || read.is_ok_and(|ctf| ctf.body.len() < size + (1 << 20)));
}

#[derive(Clone, Debug)]
struct Shape {
    size: u64,
    members: Vec<(usize, u64, Option<u32>)>,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let size =
        prop_oneof![1_u64..100, 8190..8200_u64, 65_530..65_540_u64, 0x2000_0000..0x2000_0002_u64];
    let member = (0_usize..4, 0_u64..8000, proptest::option::of(1_u32..8));
    let shape = (size, proptest::collection::vec(member, 0..6))
        .prop_map(|(size, members)| Shape { size, members });
    proptest::collection::vec(shape, 1..12)
}

proptest! {
    /// Whatever structs are written, both versions say the same of them: sizes, offsets, widths,
    /// and names of types.
    #[test]
    fn structs_come_back(shapes in shapes(), v3: bool, pack: bool) {
        let mut w = Writer::new(v3);
        let bases = [
            w.int("int", 4, 1, 0, 32), w.int("char", 1, 3, 0, 8),
            w.int("long", 8, 1, 0, 64), w.int("short", 2, 1, 0, 16),
        ];
        let narrow: Vec<u32> = (1..8).map(|bits| w.int("int", 1, 1, 0, bits)).collect();
        let names: Vec<String> = (0..6).map(|n| format!("m{n}")).collect();
        for (n, shape) in shapes.iter().enumerate() {
            let members: Vec<_> = shape.members.iter().enumerate().map(|(m, (ty, at, bits))| {
                let ty = bits.map_or(bases[*ty], |bits| narrow[bits as usize - 1]);
                (names[m].as_str(), ty, at * 8 + u64::from(bits.is_some()) * 3)
            }).collect();
            w.compound(6, &format!("s{n}"), shape.size, &members);
        }
        let world = CtfWorld(vec![("kernel", w.finish(pack))]);
        with_types(&world, |types| {
            for (n, shape) in shapes.iter().enumerate() {
                let id = types.tag(Tag::Struct, &format!("s{n}")).unwrap();
                assert_eq!(types.size(id).map(u64::from), Some(shape.size));
                for (m, (ty, at, bits)) in shape.members.iter().enumerate() {
                    let (offset, width, id) = member(types, &format!("s{n}"), &names[m]);
                    let shift = u64::from(bits.is_some()) * 3;
                    assert_eq!(u64::from(offset), at * 8 + shift);
                    assert_eq!(width, bits.unwrap_or(0));
                    let base = ["int", "char", "long", "short"][*ty];
                    assert_eq!(types.name(id), if bits.is_some() { "int" } else { base });
                }
            }
        });
    }

    /// Hostile bytes are refused or read, and never panic or run on.
    #[test]
    fn damaged_containers_do_no_harm(
        v3: bool, pack: bool, at in 0_usize..600, value: u8, cut in 0_usize..64,
    ) {
        let mut bytes = kernel(v3).finish(pack);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        bytes.truncate(bytes.len() - cut / 8);
        let world = CtfWorld(vec![("kernel", bytes)]);
        let mut types = Types::new(&world);
        for name in ["proc", "small", "thread", "nothing"] {
            if let Some(id) = types.tag(Tag::Struct, name) {
                let _ = (types.size(id), types.name(id));
                if let Type::Compound(compound) = types.resolve(id) {
                    for field in &compound.members {
                        let _ = (types.size(field.ty), types.name(field.ty));
                    }
                }
            }
        }
        let _ = (types.typedef("callback_t"), types.enumerator("PRS_NEW"));
    }
}
