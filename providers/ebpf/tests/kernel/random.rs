//! Random DIF in both engines.
//!
//! Instructions are thrown together as they come: most programs fault somewhere, and then the
//! fault, its place and its address must be the same. Left out is what has no one right answer
//! (clocks, addresses of kernel structures, random numbers).

use dif::{
    difo::{DifType, DifVar, Difo},
    env::{Region, Scope, TracerAddr},
    number::{act, kind, subr, var},
    opcode::{self, Format, Op, Reg},
    program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program},
};
use host::arena::{config::ArenaConfig, layout::Layout};
use proptest::prelude::*;

use crate::rig::{Rig, without_bpf};

const STRINGS: &[u8] = b"\0/usr/lib/../bin//ls\0a.b[1] 42\0\0 -17x\0Mixed Case\0\0\0\0";

const SUBROUTINES: &[u16] = &[
    subr::STRLEN,
    subr::STRJOIN,
    subr::STRCHR,
    subr::STRRCHR,
    subr::STRSTR,
    subr::STRTOK,
    subr::INDEX,
    subr::RINDEX,
    subr::SUBSTR,
    subr::TOUPPER,
    subr::TOLOWER,
    subr::LLTOSTR,
    subr::STRTOLL,
    subr::BASENAME,
    subr::DIRNAME,
    subr::HTONS,
    subr::HTONL,
    subr::NTOHLL,
    subr::ALLOCA,
    subr::BCOPY,
    subr::COPYIN,
    subr::COPYINSTR,
];

const BUILTINS: &[u16] = &[
    var::ARG0,
    var::ARG1,
    var::ARG9,
    var::PID,
    var::UID,
    var::EXECNAME,
    var::PROBEFUNC,
    var::PROBENAME,
    var::VMNAME,
    var::EPID,
    var::ID,
    var::ERRNO,
    var::IPL,
    var::ZONENAME,
];

/// Every opcode that is translated, some of them more often.
const OPS: &[Op] = &[
    Op::Or,
    Op::Xor,
    Op::And,
    Op::Sll,
    Op::Srl,
    Op::Sra,
    Op::Sub,
    Op::Add,
    Op::Mul,
    Op::Sdiv,
    Op::Udiv,
    Op::Srem,
    Op::Urem,
    Op::Not,
    Op::Mov,
    Op::Cmp,
    Op::Cmp,
    Op::Tst,
    Op::Scmp,
    Op::Ba,
    Op::Be,
    Op::Bne,
    Op::Bg,
    Op::Bgu,
    Op::Bge,
    Op::Bgeu,
    Op::Bl,
    Op::Blu,
    Op::Ble,
    Op::Bleu,
    Op::Ldsb,
    Op::Ldsh,
    Op::Ldsw,
    Op::Ldub,
    Op::Lduh,
    Op::Lduw,
    Op::Ldx,
    Op::Nop,
    Op::Setx,
    Op::Setx,
    Op::Setx,
    Op::Sets,
    Op::Sets,
    Op::Ldga,
    Op::Ldgs,
    Op::Ldgs,
    Op::Stgs,
    Op::Ldts,
    Op::Stts,
    Op::Pushtr,
    Op::Pushtv,
    Op::Pushtv,
    Op::Popts,
    Op::Flushts,
    Op::Ldgaa,
    Op::Ldtaa,
    Op::Stgaa,
    Op::Sttaa,
    Op::Ldls,
    Op::Stls,
    Op::Allocs,
    Op::Stb,
    Op::Sth,
    Op::Stw,
    Op::Stx,
    Op::Uldub,
    Op::Uldx,
    Op::Call,
    Op::Call,
    Op::UpdAdd,
    Op::UpdSub,
    Op::UpdMul,
    Op::UpdSdiv,
    Op::UpdUrem,
    Op::FetAdd,
    Op::FetXor,
    Op::FetSra,
    Op::FetSll,
    Op::FetSrem,
];

/// What can be computed without memory.
const PURE: &[Op] = &[
    Op::Or,
    Op::Xor,
    Op::And,
    Op::Sll,
    Op::Srl,
    Op::Sra,
    Op::Sub,
    Op::Add,
    Op::Mul,
    Op::Not,
    Op::Mov,
    Op::Cmp,
    Op::Cmp,
    Op::Tst,
    Op::Be,
    Op::Bne,
    Op::Bg,
    Op::Bgu,
    Op::Bge,
    Op::Bgeu,
    Op::Bl,
    Op::Blu,
    Op::Ble,
    Op::Bleu,
    Op::Setx,
    Op::Setx,
    Op::Ldga,
    Op::Ldgs,
    Op::Sdiv,
    Op::Srem,
    Op::Udiv,
    Op::Urem,
    Op::UpdAdd,
    Op::FetMul,
    Op::Ldls,
    Op::Stls,
    Op::Stgs,
];

fn variables() -> Vec<DifVar> {
    let entry = |id, scope, is_array, ty| DifVar {
        name: "v".into(),
        id,
        is_array,
        scope,
        is_read: true,
        is_written: true,
        ty,
    };
    let int = DifType::integer(8);
    vec![
        entry(0x500, Scope::Global, false, int),
        entry(0x502, Scope::Global, false, DifType::STRING),
        entry(0x503, Scope::Global, false, DifType::integer(2)),
        entry(0x500, Scope::Thread, false, int),
        entry(0x502, Scope::Thread, false, DifType::STRING),
        entry(0x500, Scope::Local, false, int),
        entry(0x502, Scope::Local, false, DifType::STRING),
        entry(0x501, Scope::Global, true, int),
        entry(0x501, Scope::Thread, true, int),
    ]
}

/// Where the globals lie, for addresses that lead there.
fn globals() -> u64 {
    let cpus = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF).unwrap().unwrap();
    let nslots = u32::try_from(cpus).unwrap() + 1;
    let mut config = ArenaConfig { nslots, ..ArenaConfig::default() };
    config.add_program(&program(vec![difo(vec![opcode::ret(Reg(0))], vec![])])).unwrap();
    Layout::new(config).unwrap().globals.offset
}

/// Addresses and numbers that lead somewhere.
fn constant() -> impl Strategy<Value = u64> {
    let tracer = |region, offset| TracerAddr { region, offset }.to_raw();
    let base = globals();
    let len = u64::try_from(STRINGS.len()).unwrap();
    prop_oneof![
        4 => 0_u64..40,
        1 => any::<u64>(),
        4 => (0..len).prop_map(move |at| tracer(Region::Strings, at)),
        2 => (0_u64..32).prop_map(move |at| tracer(Region::Arena, base + at)),
        // Clause-locals; scratch is reached through what `alloca()` and others return.
        1 => (0_u64..16).prop_map(move |at| tracer(Region::Fire, (1 << 32) | at)),
        1 => Just(u64::MAX),
        1 => Just(i64::MIN.cast_unsigned()),
    ]
}

/// An instruction that passes the verifier at place `at` of `len`.
fn word(op: Op, at: usize, len: usize, noise: u32) -> u32 {
    let [a, b, c, d] = noise.to_le_bytes();
    let (r1, r2, rd) = (Reg(a & 3), Reg(b & 3), Reg((c & 3).max(1)));
    let pick = |list: &[u16]| list[usize::from(d) % list.len()];
    match op.format() {
        Format::Binary | Format::Copy => opcode::binary(op, r1, r2, rd),
        Format::Unary => opcode::unary(op, r1, rd),
        Format::Compare => opcode::compare(op, r1, r2),
        Format::Test => opcode::tst(r1),
        Format::Branch => {
            let left = u32::try_from(len - at - 1).unwrap();
            let here = u32::try_from(at).unwrap();
            opcode::branch(op, here + 1 + noise % left.min(5))
        }
        Format::Load => opcode::load(op, r1, rd),
        Format::Store => opcode::store(op, r1, rd),
        Format::Return => opcode::ret(rd),
        Format::Bare | Format::Translator => opcode::bare(op),
        Format::Integer => opcode::setx(u16::from(d & 7), rd),
        Format::String => opcode::sets(u16::from(d) % 40, rd),
        Format::ArrayLoad => opcode::array_load(op, 0, r1, rd),
        Format::Update => opcode::variable(op, if d & 1 == 0 { 0x500 } else { 0x503 }, rd),
        Format::VarLoad | Format::VarStore => {
            let id = match op {
                Op::Ldgaa | Op::Stgaa | Op::Ldtaa | Op::Sttaa => 0x501,
                Op::Ldgs if d > 100 => pick(BUILTINS),
                Op::Ldgs | Op::Stgs if d > 70 => 0x503,
                _ if d & 1 == 0 => 0x502,
                _ => 0x500,
            };
            opcode::variable(op, id, rd)
        }
        Format::Call => opcode::call(pick(SUBROUTINES), rd),
        // A string of the session's size: a size out of a register would be another's address.
        Format::Push if op == Op::Pushtr => opcode::push(op, kind::STRING, Reg(0), rd),
        Format::Push => opcode::push(op, kind::CTF, Reg(0), rd),
    }
}

fn difo(text: Vec<u32>, integers: Vec<u64>) -> Difo {
    let (strings, vars) = (STRINGS.to_vec(), variables());
    Difo { text, integers, strings, vars, ret: DifType::integer(8) }
}

/// A DIFO that passes the verifier, made of the given opcodes.
fn valid(ops: &'static [Op], most: usize) -> impl Strategy<Value = Difo> {
    let instructions =
        proptest::collection::vec((proptest::sample::select(ops), any::<u32>()), 1..most);
    (instructions, proptest::collection::vec(constant(), 8)).prop_map(|(instructions, integers)| {
        let len = instructions.len() + 1;
        let numbered = instructions.into_iter().enumerate();
        let mut text: Vec<u32> =
            numbered.map(|(at, (op, noise))| word(op, at, len, noise)).collect();
        text.push(opcode::ret(Reg(1)));
        difo(text, integers)
    })
}

/// Each DIFO traced by a clause of its own.
fn program(difos: Vec<Difo>) -> Program {
    let ecbs = (0..difos.len())
        .map(|at| EcbDesc {
            probe: ProbeDesc::default(),
            predicate: None,
            actions: vec![Action {
                kind: act::DIFEXPR,
                difo: Some(DifoIndex(u32::try_from(at).unwrap())),
                ntuple: 0,
                arg: 0,
                format: None,
                uarg: 0,
            }],
            clause: 0,
        })
        .collect();
    Program { difos, ecbs, options: vec![] }
}

fn agree(difos: Vec<Difo>, fires: &[[u64; 10]]) {
    let rig = Rig::with(&program(difos), &|config| config.strsize = 64);
    for args in fires {
        rig.fire(*args);
    }
    rig.agree();
}

/// A program a case goes through the kernel's verifier, so there are few unless asked for.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(12), max_shrink_iters: 40, ..ProptestConfig::default() }
}

/// A copy to where nobody may write faults in both alike, whatever its size and source. (Random code has
/// none: the kernel's programs copy to scratch only, the interpreter to variables' storage too.)
#[test]
fn copies_that_fault_agree() {
    let copy = |size| {
        let text = vec![
            opcode::setx(0, Reg(1)),
            opcode::binary(Op::Copys, Reg(0), Reg(1), Reg(2)),
            opcode::ret(Reg(1)),
        ];
        difo(text, vec![size; 8])
    };
    if !without_bpf() {
        agree([1, 64, 1 << 20, 1 << 61].map(copy).into(), &[[0; 10]]);
    }
}

proptest! {
    #![proptest_config(config())]

    /// Arithmetic, comparisons, branches, scalars.
    #[test]
    fn pure_code_agrees(
        difos in proptest::collection::vec(valid(PURE, 40), 1..12),
        fires in proptest::collection::vec(any::<[u64; 10]>(), 1..4),
    ) {
        if !without_bpf() {
            agree(difos, &fires);
        }
    }

    /// Everything else, faults included.
    #[test]
    fn all_code_agrees(
        difos in proptest::collection::vec(valid(OPS, 24), 1..8),
        fires in proptest::collection::vec(any::<[u64; 10]>(), 1..4),
    ) {
        if !without_bpf() {
            agree(difos, &fires);
        }
    }
}
