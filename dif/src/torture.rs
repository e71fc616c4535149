//! Random programs through the whole way: reader, verifier, interpreter.
//!
//! What the fuzz targets of `tests/fuzz` do without end, these do for a fixed number of cases in
//! every `cargo test`. Two things are asked: nothing panics or hangs, and the interpreter, which
//! fuses instructions and shortens others, computes what a model computes that does neither.

use alloc::vec::Vec;
use proptest::prelude::*;

use crate::{
    asm::assemble,
    difo::{DifType, DifVar, Difo},
    dof,
    env::{Env, Region, Scope, TracerAddr, TupleElement},
    interp::run,
    mock::{KERNEL, Mock, USER},
    number::{act, kind, subr, var},
    opcode::{self, Format, Instr, Op, Reg},
    plan::{Effect, Leaf, Node, Plan},
    program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program},
    verify::verify,
};

/// Addresses and numbers that lead somewhere.
fn constant() -> impl Strategy<Value = u64> {
    let tracer = |region, offset| TracerAddr { region, offset }.to_raw();
    prop_oneof![
        0_u64..300,
        any::<u64>(),
        (0_u64..40).prop_map(move |at| tracer(Region::Strings, at)),
        (0_u64..600).prop_map(move |at| tracer(Region::Arena, at)),
        (0_u64..5000).prop_map(|at| KERNEL + at),
        (0_u64..5000).prop_map(|at| USER + at),
        Just(u64::MAX),
        Just(i64::MIN.cast_unsigned()),
    ]
}

/// An instruction that passes the verifier at place `at` of `len`.
fn word(op: Op, at: usize, len: usize, noise: u32) -> u32 {
    let [a, b, c, d] = noise.to_le_bytes();
    let (r1, r2, rd) = (Reg(a & 7), Reg(b & 7), Reg((c & 7).max(1)));
    match op.format() {
        Format::Binary | Format::Copy => opcode::binary(op, r1, r2, rd),
        Format::Unary => opcode::unary(op, r1, rd),
        Format::Compare => opcode::compare(op, r1, r2),
        Format::Test => opcode::tst(r1),
        Format::Branch => {
            let left = u32::try_from(len - at - 1).unwrap();
            let here = u32::try_from(at).unwrap();
            opcode::branch(op, here + 1 + noise % left)
        }
        Format::Load => opcode::load(op, r1, rd),
        Format::Store => opcode::store(op, r1, rd),
        Format::Return => opcode::ret(rd),
        Format::Bare => opcode::bare(op),
        Format::Integer => opcode::setx(u16::from(d & 7), rd),
        Format::String => opcode::sets(u16::from(d & 31), rd),
        Format::ArrayLoad => opcode::array_load(op, d % 3, r1, rd),
        Format::VarLoad | Format::VarStore | Format::Update => {
            let is_array = matches!(op, Op::Ldgaa | Op::Stgaa | Op::Ldtaa | Op::Sttaa);
            opcode::variable(op, if is_array { 0x501 } else { 0x500 }, rd)
        }
        Format::Call => {
            let number = if subr::exists(u16::from(d)) {
                u16::from(d)
            } else {
                u16::from(d) % (subr::MAX + 1)
            };
            opcode::call(number, rd)
        }
        Format::Push => {
            let kind = if op == Op::Pushtr { d & 1 } else { kind::CTF };
            opcode::push(op, kind, r2, rd)
        }
        Format::Translator => opcode::bare(Op::Nop),
    }
}

fn entry(id: u32, scope: Scope, is_array: bool) -> DifVar {
    let ty = DifType::integer(8);
    DifVar { name: "v".into(), id, is_array, scope, is_read: true, is_written: true, ty }
}

/// DIFOs that pass the verifier, made of the given opcodes.
fn valid(ops: &'static [Op]) -> impl Strategy<Value = Difo> {
    let instructions =
        proptest::collection::vec((proptest::sample::select(ops), any::<u32>()), 1..40);
    let integers = proptest::collection::vec(constant(), 8);
    (instructions, integers).prop_map(|(instructions, integers)| {
        let len = instructions.len() + 1;
        let numbered = instructions.into_iter().enumerate();
        let mut text: Vec<u32> = numbered
            .map(|(at, (op, noise))| match op {
                Op::Ldta => opcode::bare(Op::Nop),
                op => word(op, at, len, noise),
            })
            .collect();
        text.push(opcode::ret(Reg(1)));
        let mut vars: Vec<DifVar> = Vec::new();
        for scope in [Scope::Global, Scope::Thread, Scope::Local] {
            vars.push(entry(0x500, scope, false));
        }
        vars.push(entry(0x501, Scope::Global, true));
        vars.push(entry(0x501, Scope::Thread, true));
        let strings = b"\0/usr/lib/../bin//ls\0a.b[1] 42\0\0\0\0".to_vec();
        Difo { text, integers, strings, vars, ret: DifType::integer(8) }
    })
}

/// Opcodes that may stand in a DIFO with a plan, and those that may end it.
const PLAIN: &[Op] = &[
    Op::Setx,
    Op::Setx,
    Op::Sets,
    Op::Mov,
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Sll,
    Op::Srl,
    Op::Sra,
    Op::Ldgs,
    Op::Ldgs,
    Op::Ldts,
    Op::Ldls,
    Op::Ldgaa,
    Op::Ldtaa,
    Op::Pushtv,
    Op::Pushtv,
    Op::Flushts,
    Op::Nop,
];
const ENDS: &[Op] = &[
    Op::Nop,
    Op::Stgs,
    Op::Stts,
    Op::Stls,
    Op::Stgaa,
    Op::Sttaa,
    Op::UpdAdd,
    Op::FetSub,
    Op::UpdXor,
];

/// Short DIFOs without branches: most have a plan.
fn straight() -> impl Strategy<Value = Difo> {
    let steps = proptest::collection::vec((proptest::sample::select(PLAIN), any::<u32>()), 0..7);
    let integers = proptest::collection::vec(prop_oneof![constant(), 0_u64..64], 8);
    (steps, proptest::sample::select(ENDS), any::<bool>(), integers).prop_map(
        |(steps, end, extend, integers)| {
            // The register that counts is the first, more often than chance would have it.
            let mut text: Vec<u32> = steps
                .into_iter()
                .map(|(op, noise)| {
                    word(op, 0, 1, noise & if noise >> 31 == 0 { !0x60606 } else { !0 })
                })
                .collect();
            if extend {
                text.push(opcode::setx(0, Reg(2)));
                text.push(opcode::binary(Op::Sll, Reg(1), Reg(2), Reg(1)));
                text.push(opcode::binary(Op::Sra, Reg(1), Reg(2), Reg(1)));
            }
            text.push(word(end, 0, 1, 0x1_0000));
            text.push(opcode::ret(Reg(1)));
            let scalar = |scope| entry(0x500, scope, false);
            let vars = [Scope::Global, Scope::Thread, Scope::Local].map(scalar).into_iter();
            let arrays = [Scope::Global, Scope::Thread].map(|scope| entry(0x501, scope, true));
            let vars = vars.chain(arrays).collect();
            let strings = b"\0ab\0".iter().copied().cycle().take(40).collect();
            Difo { text, integers, strings, vars, ret: DifType::integer(8) }
        },
    )
}

/// What a plan comes to, by its definition.
fn evaluate(plan: &Plan, env: &mut Mock) -> u64 {
    fn leaf(leaf: &Leaf, env: &mut Mock) -> u64 {
        match *leaf {
            Leaf::Constant(value) => value,
            Leaf::Builtin(id) => env.builtin(id, 0).unwrap(),
            Leaf::Variable(scope, id) => env.var_get(scope, id).unwrap(),
        }
    }
    fn tuple(key: &[Leaf], env: &mut Mock) -> Vec<TupleElement> {
        let mut element = |it| TupleElement { value: leaf(it, env), size: 0, is_string: false };
        key.iter().map(&mut element).collect()
    }
    let value = match &plan.value {
        Node::Leaf(it) => leaf(it, env),
        Node::Binary(op, a, b) => op.apply(leaf(a, env), leaf(b, env)),
        Node::Element(scope, id, key) => {
            let key = tuple(key, env);
            env.assoc_get(*scope, *id, &key).unwrap()
        }
    };
    let value = ((value << plan.extend).cast_signed() >> plan.extend).cast_unsigned();
    match &plan.effect {
        Effect::None => {}
        Effect::Store(scope, id) => env.var_set(*scope, *id, value).unwrap(),
        Effect::StoreElement(scope, id, key) => {
            let key = tuple(key, env);
            env.assoc_set(*scope, *id, &key, value).unwrap();
        }
        Effect::Update { id, op, before } => {
            let (old, new) = env.var_update(*id, *op, value).unwrap();
            return if *before { old } else { new };
        }
    }
    value
}

fn machine() -> Mock {
    let mut env = Mock::new();
    env.scratch = vec![0; 1024];
    env.strsize = 64;
    env.kernel = b"/etc/passwd\0{\"a\": [1, 2]}\0".iter().copied().cycle().take(4000).collect();
    env.user = env.kernel.clone();
    env
}

/// What pure code computes: every instruction by itself, from the words.
fn model(difo: &Difo) -> Option<u64> {
    let mut regs = [0_u64; 8];
    let (mut left, mut right) = (0_i128, 0_i128);
    let (mut signed_left, mut signed_right) = (0_i64, 0_i64);
    let mut pc = 0;
    loop {
        let i = Instr(difo.text[pc]);
        let (r1, r2) = (regs[usize::from(i.r1()) & 7], regs[usize::from(i.r2()) & 7]);
        let rd = usize::from(i.rd()) & 7;
        let divides = |r2: u64| (r2 != 0).then_some(r2);
        pc += 1;
        let taken = match i.op()? {
            Op::Or => {
                regs[rd] = r1 | r2;
                false
            }
            Op::Xor => {
                regs[rd] = r1 ^ r2;
                false
            }
            Op::And => {
                regs[rd] = r1 & r2;
                false
            }
            Op::Sll => {
                regs[rd] = r1.wrapping_shl(u32::try_from(r2 % 64).ok()?);
                false
            }
            Op::Srl => {
                regs[rd] = r1.wrapping_shr(u32::try_from(r2 % 64).ok()?);
                false
            }
            Op::Sra => {
                let by = u32::try_from(r2 % 64).ok()?;
                regs[rd] = r1.cast_signed().wrapping_shr(by).cast_unsigned();
                false
            }
            Op::Sub => {
                regs[rd] = r1.wrapping_sub(r2);
                false
            }
            Op::Add => {
                regs[rd] = r1.wrapping_add(r2);
                false
            }
            Op::Mul => {
                regs[rd] = r1.wrapping_mul(r2);
                false
            }
            Op::Udiv => {
                regs[rd] = r1 / divides(r2)?;
                false
            }
            Op::Urem => {
                regs[rd] = r1 % divides(r2)?;
                false
            }
            Op::Not => {
                regs[rd] = !r1;
                false
            }
            Op::Mov => {
                regs[rd] = r1;
                false
            }
            Op::Setx => {
                regs[rd] = difo.integers[usize::from(i.wide())];
                false
            }
            Op::Cmp => {
                (left, right) = (i128::from(r1), i128::from(r2));
                (signed_left, signed_right) = (r1.cast_signed(), r2.cast_signed());
                false
            }
            Op::Tst => {
                (left, right) = (i128::from(r1 != 0), 0);
                (signed_left, signed_right) = (i64::from(r1 != 0), 0);
                false
            }
            Op::Ba => true,
            Op::Be => left == right,
            Op::Bne => left != right,
            Op::Bgu => left > right,
            Op::Bgeu => left >= right,
            Op::Blu => left < right,
            Op::Bleu => left <= right,
            Op::Bg => signed_left > signed_right,
            Op::Bge => signed_left >= signed_right,
            Op::Bl => signed_left < signed_right,
            Op::Ble => signed_left <= signed_right,
            Op::Ret => return Some(regs[rd]),
            _ => false,
        };
        if taken {
            pc = usize::try_from(i.label()).ok()?;
        }
    }
}

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
    Op::Udiv,
    Op::Urem,
    Op::Not,
    Op::Mov,
    Op::Setx,
    Op::Setx,
    Op::Setx,
    Op::Cmp,
    Op::Cmp,
    Op::Tst,
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
    Op::Nop,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A plan's formula gives what the interpreter gives, and leaves the variables as it does.
    #[test]
    fn plans_agree_with_the_interpreter(difo in straight(), globals in any::<[u64; 4]>()) {
        let verified = verify(&difo, 0).unwrap();
        let Some(plan) = verified.plan() else { return Ok(()) };
        let mut machines = [machine(), machine()];
        for env in &mut machines {
            for (scope, value) in (0..3).zip(globals) {
                env.vars.insert((scope, 0x500), value);
            }
        }
        let [one, other] = &mut machines;
        let result = run(&verified, one);
        prop_assert_eq!(result, Ok(evaluate(plan, other)));
        prop_assert_eq!(&one.vars, &other.vars);
        prop_assert_eq!(&one.assoc, &other.assoc);
    }

    /// Fusion and shortened forms do not show in the result.
    #[test]
    fn pure_code_agrees_with_the_model(difo in valid(PURE)) {
        let verified = verify(&difo, 0).unwrap();
        prop_assert_eq!(run(&verified, &mut machine()).ok(), model(&difo));
    }

    /// A comparison of a variable with a constant is answered as the loop would answer it: a `nop`
    /// in front keeps the shortcut from being taken.
    #[test]
    fn tests_are_answered_as_the_loop_would(
        value in constant(), against in constant(), is_tst: bool, way in 0_usize..3,
        branch in proptest::sample::select(
            &[Op::Be, Op::Bne, Op::Bg, Op::Bgu, Op::Bge, Op::Bgeu, Op::Bl, Op::Blu, Op::Ble, Op::Bleu][..]
        )
    ) {
        let load = [
            opcode::variable(Op::Ldgs, 0x500, Reg(1)), opcode::variable(Op::Ldts, 0x500, Reg(1)),
            opcode::variable(Op::Ldgs, var::ARG0, Reg(1)),
        ][way];
        let compare = if is_tst { opcode::tst(Reg(1)) } else { opcode::compare(Op::Cmp, Reg(1), Reg(2)) };
        let mut short = vec![load];
        if !is_tst {
            short.push(opcode::setx(0, Reg(2)));
        }
        short.push(compare);
        let at = u32::try_from(short.len()).unwrap();
        short.extend([
            opcode::branch(branch, at + 3), opcode::unary(Op::Mov, Reg(0), Reg(3)),
            opcode::branch(Op::Ba, at + 4), opcode::setx(1, Reg(3)), opcode::ret(Reg(3)),
        ]);
        let long: Vec<u32> = core::iter::once(opcode::bare(Op::Nop))
            .chain(short.iter().map(|word| match Instr(*word).op().map(Op::format) {
                Some(Format::Branch) => word + 1,
                _ => *word,
            }))
            .collect();
        let results: Vec<_> = [short, long].into_iter().map(|text| {
            let vars = vec![entry(0x500, Scope::Global, false), entry(0x500, Scope::Thread, false)];
            let integers = vec![against, 7];
            let difo = Difo { text, integers, strings: vec![], vars, ret: DifType::integer(8) };
            let verified = verify(&difo, 0).unwrap();
            let mut env = machine();
            env.vars.extend([((0, 0x500), value), ((1, 0x500), value)]);
            (verified.test.is_some(), run(&verified, &mut env))
        }).collect();
        prop_assert_eq!((results[0].0, results[1].0), (true, false));
        prop_assert_eq!(results[0].1, results[1].1);
    }

    /// Anything that passes the verifier runs to its end, whatever its addresses.
    #[test]
    fn verified_code_runs(difo in valid(Op::ALL)) {
        let verified = verify(&difo, 0).unwrap();
        let mut env = machine();
        env.strings.clone_from(&difo.strings);
        if let Err(fault) = run(&verified, &mut env) {
            prop_assert!(usize::try_from(fault.offset).unwrap() < difo.text.len() * 4);
        }
    }

    /// Words of any kind are refused or run.
    #[test]
    fn random_words_are_refused_or_run(
        words in proptest::collection::vec(any::<u32>(), 0..12), ret in 0_u32..8,
        damaged in valid(Op::ALL), at: u8, value: u32
    ) {
        let mut random = damaged.clone();
        random.text = words;
        random.text.push(0x2300_0000 | ret);
        let mut damaged = damaged;
        let len = damaged.text.len();
        damaged.text[usize::from(at) % len] = value;
        for difo in [random, damaged] {
            if let Ok(verified) = verify(&difo, 0) {
                let _ = run(&verified, &mut machine());
            }
        }
    }

    /// A damaged file is refused, or its program is refused, or all of it runs.
    #[test]
    fn damaged_files_are_refused_or_run(
        difo in valid(Op::ALL), damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4)
    ) {
        let action = Action {
            kind: act::DIFEXPR, difo: Some(DifoIndex(0)), ntuple: 0, arg: 0, format: None, uarg: 0,
        };
        let ecb = EcbDesc {
            probe: ProbeDesc::default(), predicate: Some(DifoIndex(0)), actions: vec![action],
            clause: 0,
        };
        let program = Program { difos: vec![difo], ecbs: vec![ecb], options: vec![] };
        let mut bytes = dof::write(&program).unwrap();
        for (at, value) in damage {
            let len = bytes.len();
            bytes[usize::from(at) % len] = value;
        }
        let Ok(verified) = dof::read(&bytes).map(|program| program.verify()) else { return Ok(()) };
        let Ok(verified) = verified else { return Ok(()) };
        let mut env = machine();
        env.strings.clone_from(&verified.strings);
        for difo in &verified.difos {
            let _ = run(difo, &mut env);
        }
    }
}

/// The longest text there is, with a branch at every other place, ends.
#[test]
fn the_longest_text_ends() {
    let mut source = String::new();
    for at in 0..30_000 {
        source += &format!("cmp %r1, %r2\nbe {}\n", at * 2 + 2);
    }
    source += "ret %r1";
    let verified = verify(&assemble(&source).unwrap(), 0).unwrap();
    assert_eq!(run(&verified, &mut machine()), Ok(0));
}
