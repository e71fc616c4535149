//! Round trips, exact bytes, and hostile files.

use alloc::{string::String, vec, vec::Vec};
use proptest::prelude::*;

use super::*;
use crate::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::{act, agg},
    opcode::{Op, Reg, ret, setx, variable},
    program::{Action, DifoIndex, EcbDesc, OptionSetting, ProbeDesc, Program},
};

fn text() -> impl Strategy<Value = String> {
    "[a-z*:%é -]{0,12}"
}

fn dif_type() -> impl Strategy<Value = DifType> {
    (0_u8..2, 0_u8..14, 0_u8..4, any::<u32>()).prop_map(|(kind, ckind, flags, size)| DifType {
        kind,
        ckind,
        flags,
        size,
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Global), Just(Scope::Thread), Just(Scope::Local)]
}

prop_compose! {
    fn var()(
        name in text(), id: u32, is_array: bool, scope in scope(),
        is_read: bool, is_written: bool, ty in dif_type()
    ) -> DifVar {
        DifVar { name, id, is_array, scope, is_read, is_written, ty }
    }
}

fn string_table() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..20).prop_map(|mut bytes| {
        if !bytes.is_empty() {
            bytes.push(0);
        }
        bytes
    })
}

prop_compose! {
    fn difo()(
        text in proptest::collection::vec(any::<u32>(), 0..8),
        integers in proptest::collection::vec(any::<u64>(), 0..4),
        strings in string_table(),
        vars in proptest::collection::vec(var(), 0..4),
        ret in dif_type()
    ) -> Difo {
        Difo { text, integers, strings, vars, ret }
    }
}

prop_compose! {
    fn action()(
        kind in prop_oneof![Just(act::DIFEXPR), Just(act::PRINTF), Just(agg::COUNT), any::<u16>()],
        difo in proptest::option::of(0_u32..3), ntuple: u32, arg: u64, uarg: u64,
        format in proptest::option::of(text())
    ) -> Action {
        Action { kind, difo: difo.map(DifoIndex), ntuple, arg, format, uarg }
    }
}

prop_compose! {
    fn ecb()(
        fields in proptest::collection::vec(text(), 5), id: u32,
        predicate in proptest::option::of(0_u32..3),
        actions in proptest::collection::vec(action(), 0..4), clause: u32
    ) -> EcbDesc {
        let mut fields = fields.into_iter();
        let mut next = || fields.next().unwrap();
        let probe = ProbeDesc {
            target: next(), provider: next(), module: next(), function: next(), name: next(), id,
        };
        EcbDesc { probe, predicate: predicate.map(DifoIndex), actions, clause }
    }
}

prop_compose! {
    fn option()(
        name in prop_oneof![Just(String::from("bufsize")), text()],
        value in proptest::option::of(prop_oneof![Just(String::from("4m")), text()])
    ) -> OptionSetting {
        OptionSetting { name, value }
    }
}

prop_compose! {
    fn program()(
        difos in proptest::collection::vec(difo(), 3),
        ecbs in proptest::collection::vec(ecb(), 0..4),
        options in proptest::collection::vec(option(), 0..4)
    ) -> Program {
        Program { difos, ecbs, options }
    }
}

proptest! {
    /// Whatever is written is read back, to the last field.
    #[test]
    fn programs_come_back(program in program()) {
        let bytes = write(&program).unwrap();
        prop_assert_eq!(read(&bytes).unwrap(), program.clone());
        prop_assert_eq!(write(&read(&bytes).unwrap()).unwrap(), bytes);
    }

    /// A damaged file is an error or another program, never a panic.
    #[test]
    fn damage_is_survived(
        program in program(), damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = write(&program).unwrap();
        for (at, value) in damage {
            let len = bytes.len();
            bytes[usize::from(at) % len] = value;
        }
        if let Ok(program) = read(&bytes) {
            let _ = program.verify();
        }
    }

    /// A cut file is an error.
    #[test]
    fn cut_files_are_refused(program in program(), at: u16) {
        let bytes = write(&program).unwrap();
        prop_assert!(read(&bytes[..usize::from(at) % bytes.len()]).is_err());
    }

    /// Noise behind a good header is survived.
    #[test]
    fn noise_is_survived(noise in proptest::collection::vec(any::<u8>(), 0..400), sections in 0_u8..12) {
        let mut bytes = write(&Program::default()).unwrap()[..HEADER].to_vec();
        bytes.extend_from_slice(&noise);
        bytes[28] = sections;
        let len = bytes.len().to_le_bytes();
        bytes[40..48].copy_from_slice(&len);
        bytes[48..56].copy_from_slice(&len);
        let _ = read(&bytes);
    }
}

fn small() -> Program {
    let difo = Difo {
        text: vec![setx(0, Reg(1)), variable(Op::Stgs, 0x500, Reg(1)), ret(Reg(1))],
        integers: vec![7],
        strings: vec![],
        vars: vec![DifVar {
            name: "x".into(),
            id: 0x500,
            is_array: false,
            scope: Scope::Global,
            is_read: false,
            is_written: true,
            ty: DifType::integer(8),
        }],
        ret: DifType::integer(8),
    };
    let probe = ProbeDesc {
        target: "vm-*".into(),
        provider: "dtrace".into(),
        name: "BEGIN".into(),
        ..ProbeDesc::default()
    };
    let action = Action {
        kind: act::DIFEXPR,
        difo: Some(DifoIndex(0)),
        ntuple: 0,
        arg: 0,
        format: None,
        uarg: 9,
    };
    let ecb = EcbDesc { probe, predicate: None, actions: vec![action], clause: 4 };
    Program {
        difos: vec![difo],
        ecbs: vec![ecb],
        options: vec![OptionSetting { name: "quiet".into(), value: None }],
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Where the section `number`'s header is.
const fn section_header(number: usize) -> usize {
    HEADER + number * SECTION
}

/// The bytes are those that FreeBSD's structures describe.
#[test]
fn the_layout_is_freebsds() {
    let bytes = write(&small()).unwrap();
    assert_eq!(&bytes[..16], b"\x7fDOF\x02\x01\x02\x02\x08\x08\0\0\0\0\0\0");
    assert_eq!((word(&bytes, 20), word(&bytes, 24), word(&bytes, 32)), (64, 32, 64));
    let kinds: Vec<u32> =
        (0..word(&bytes, 28) as usize).map(|n| word(&bytes, section_header(n))).collect();
    assert_eq!(kinds, [7, 19, 8, 9, 6, 8, 4, 5, 3, 14, SECT_HYPERTRACE]);
    let data = |number: usize| {
        let header = section_header(number);
        let (at, len) = (word(&bytes, header + 16) as usize, word(&bytes, header + 24) as usize);
        bytes[at..at + len].to_vec()
    };
    assert_eq!(data(0), [1, 0, 0, 0x25, 1, 0, 5, 0x2a, 1, 0, 0, 0x23]);
    assert_eq!(data(1), 7_u64.to_le_bytes());
    assert_eq!(data(2), b"x\0");
    // dtrace_difv: name, id, kind scalar, scope global, flags MOD, type
    assert_eq!(data(3), [0, 0, 0, 0, 0, 5, 0, 0, 1, 0, 2, 0, 0, 1, 0, 0, 8, 0, 0, 0]);
    // dof_difohdr: type, then links to DIF, INTTAB, STRTAB, VARTAB
    assert_eq!(data(4), [0, 1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(data(5), b"\0dtrace\0BEGIN\0");
    // dof_probedesc: string table, provider, module, function, name, id
    assert_eq!(data(6)[..8], [5, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(data(6)[16..], [8, 0, 0, 0, 0, 0, 0, 0]);
    // dof_actdesc: difo, no string table, kind, ntuple, arg, uarg
    assert_eq!(data(7)[..12], [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    assert_eq!(data(7)[24], 9);
    // dof_ecbdesc: probe, no predicate, actions, pad, uarg
    assert_eq!(data(8)[..12], [6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0]);
    // dof_optdesc: quiet, no string table, 1
    assert_eq!(data(9), [12, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]);
}

/// Ours is flagged not loadable and lies behind the loadable part; all else is loadable.
#[test]
fn other_readers_pass_over_the_added_section() {
    let bytes = write(&small()).unwrap();
    let loadable = word(&bytes, 40);
    for number in 0..word(&bytes, 28) as usize {
        let header = section_header(number);
        let (kind, flags) = (word(&bytes, header), word(&bytes, header + 8));
        let end = word(&bytes, header + 16) + word(&bytes, header + 24);
        assert_eq!(flags, u32::from(kind != SECT_HYPERTRACE));
        assert_eq!(end <= loadable, kind != SECT_HYPERTRACE);
        assert_eq!(word(&bytes, header + 16) % word(&bytes, header + 4), 0);
    }
}

/// A file of FreeBSD's own has no added section: targets are empty, clauses count up, options
/// come from `OPTDESC`, and a variable's name stays in the string table.
#[test]
fn files_without_the_added_section_are_read() {
    let mut bytes = write(&small()).unwrap();
    let last = section_header(word(&bytes, 28) as usize - 1);
    bytes[last..last + 4].copy_from_slice(&1_u32.to_le_bytes()); // comments
    let program = read(&bytes).unwrap();
    assert_eq!(program.ecbs[0].probe.target, "");
    assert_eq!(program.ecbs[0].clause, 0);
    assert_eq!(program.difos[0].strings, b"x\0");
    let quiet = OptionSetting { name: "quiet".into(), value: Some("1".into()) };
    assert_eq!(program.options, [quiet]);
}

/// The same, for the format of a printf: DOF has its place where others have their argument.
#[test]
fn formats_are_read_from_dof() {
    let mut program = small();
    program.ecbs[0].actions[0].kind = act::PRINTF;
    program.ecbs[0].actions[0].format = Some("%d\n".into());
    let mut bytes = write(&program).unwrap();
    let last = section_header(word(&bytes, 28) as usize - 1);
    bytes[last..last + 4].copy_from_slice(&1_u32.to_le_bytes());
    assert_eq!(read(&bytes).unwrap().ecbs[0].actions[0].format.as_deref(), Some("%d\n"));
}

/// Headers that promise what cannot be read are refused by the field's name.
#[test]
fn unsupported_headers_are_refused() {
    let good = write(&small()).unwrap();
    for (at, value, field) in [
        (5, 2, "byte order"),
        (6, 3, "DOF version"),
        (7, 0, "DIF version"),
        (8, 9, "number of registers"),
        (9, 9, "number of tuple registers"),
        (16, 1, "flags"),
        (20, 65, "header size"),
        (24, 33, "section header size"),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        match read(&bytes) {
            Err(ReadError::Unsupported { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(read(b"\x7fELF"), Err(ReadError::NotDof));
    assert_eq!(read(&vec![0; MAX_FILE + 1]), Err(ReadError::TooLarge));
}

/// Many clauses that share one long list of actions would make a small file a huge program.
#[test]
fn expansion_is_bounded() {
    let mut program = small();
    let ecb = program.ecbs[0].clone();
    program.ecbs = vec![ecb; 3000];
    program.ecbs[0].actions = vec![program.ecbs[1].actions[0].clone(); 30_000];
    let mut bytes = write(&program).unwrap();
    let last = section_header(word(&bytes, 28) as usize - 1);
    bytes[last..last + 4].copy_from_slice(&1_u32.to_le_bytes());
    let mut shared = None;
    for number in 0..word(&bytes, 28) as usize {
        let header = section_header(number);
        if word(&bytes, header) == sect::ECBDESC {
            let actions = word(&bytes, header + 16) as usize + 8;
            let first = *shared.get_or_insert(word(&bytes, actions));
            bytes[actions..actions + 4].copy_from_slice(&first.to_le_bytes());
        }
    }
    assert_eq!(read(&bytes), Err(ReadError::Expands));
}

/// What has no place in DOF is refused when writing.
#[test]
fn unwritable_programs_are_refused() {
    let mut program = small();
    program.difos[0].strings = vec![1];
    assert_eq!(write(&program), Err(WriteError::Unterminated { difo: 0 }));
    let mut program = small();
    program.ecbs[0].predicate = Some(DifoIndex(1));
    assert_eq!(write(&program), Err(WriteError::NoSuchDifo { ecb: 0, difo: 1 }));
    let mut program = small();
    program.ecbs[0].probe.target = "a\0".into();
    assert!(matches!(write(&program), Err(WriteError::NulInText { .. })));
}

/// Patches a word of a section's header, or with `data` of its content.
fn patched(section: usize, data: bool, at: usize, value: u32) -> Vec<u8> {
    let mut bytes = write(&small()).unwrap();
    let header = section_header(section);
    let place = if data { word(&bytes, header + 16) as usize + at } else { header + at };
    bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// The rule that a reader says is broken.
fn broken_rule(bytes: &[u8]) -> u8 {
    read(bytes).map(|_| 0).unwrap_or_else(|error| error.rule())
}

/// Every rule about sections, broken one at a time, is refused by its number.
#[test]
fn every_rule_is_refused_by_its_number() {
    const HEADER_WORD: bool = false;
    const DATA_WORD: bool = true;
    for (rule, section, data, at, value) in [
        (4, 0, HEADER_WORD, 8, 0),             // DIF not flagged loadable
        (5, 9, HEADER_WORD, 0, sect::URELHDR), // options become relocations
        (6, 0, HEADER_WORD, 16, 0x00ff_fff0),  // DIF beyond the end
        (6, 0, HEADER_WORD, 24, 0x7fff_ffff),  // and longer than the file
        (7, 0, HEADER_WORD, 4, 3),             // not a power of two
        (7, 8, HEADER_WORD, 4, 1 << 30),       // and not aligned so
        (8, 2, DATA_WORD, 1, 0x0101_0101),     // "x" without its NUL
        (9, 0, HEADER_WORD, 12, 5),            // instructions of five bytes
        (10, 6, HEADER_WORD, 24, 8),           // half a probe description
        (11, 8, DATA_WORD, 0, 99),             // a clause's probe that is not there
        (11, 8, DATA_WORD, 0, 0),              // or is code
        (11, 8, DATA_WORD, 0, NONE),           // or none at all
        (12, 6, DATA_WORD, 4, 99),             // a provider outside the table
        (12, 3, DATA_WORD, 0, 99),             // a variable's name
        (13, 4, DATA_WORD, 8, 5),              // a DIFO of two string tables, and no code
        (13, 4, DATA_WORD, 8, 6),              // a probe description as a part
        (14, 3, DATA_WORD, 8, 0x0002_0007),    // neither scalar nor array
        (14, 3, DATA_WORD, 8, 0x0002_0901),    // of no scope
        (15, 7, DATA_WORD, 8, 0x1_0000),       // an action's kind of 17 bits
        (17, 10, DATA_WORD, 0, 2),             // the added section, version 2
        (17, 10, DATA_WORD, 4, 0),             // that counts no clauses
    ] {
        let got = broken_rule(&patched(section, data, at, value));
        assert_eq!(got, rule, "section {section}, byte {at} = {value:#x}");
    }
    let mut bytes = patched(9, true, 0, 9999);
    let ours = section_header(10);
    bytes[ours..ours + 4].copy_from_slice(&1_u32.to_le_bytes());
    assert_eq!(broken_rule(&bytes), 16, "an option that nobody numbers");
    assert_eq!(broken_rule(&write(&small()).unwrap()), 0);
}

/// A section that only its writer knows comes back, is not loadable, and changes nothing else.
#[test]
fn sections_of_others_come_back() {
    let plain = read(&write(&small()).unwrap()).unwrap();
    let bytes = write_with(&small(), &[(SECT_LINK, b"anything")]).unwrap();
    assert_eq!(read(&bytes).unwrap(), plain);
    assert_eq!(other_section(&bytes, SECT_LINK).unwrap(), Some(&b"anything"[..]));
    assert_eq!(other_section(&write(&small()).unwrap(), SECT_LINK).unwrap(), None);
    let last = section_header(word(&bytes, 28) as usize - 1);
    assert_eq!(word(&bytes, last + 8), 0, "not loadable");
    assert!(word(&bytes, last + 16) >= word(&bytes, 40), "behind what is");
}
