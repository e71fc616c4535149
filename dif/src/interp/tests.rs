//! Every opcode, against what `sys/dtrace.h` says it does and against a plain model.

use proptest::prelude::*;

use super::*;
use crate::{
    build::DifoBuilder,
    difo::{DifType, DifVar, Difo},
    env::{Region, TracerAddr},
    mock::{KERNEL, Mock, USER},
    number::{kind, subr as number, var},
    opcode::{self, Op, Reg, Yields},
    verify::verify,
};

const R1: Reg = Reg(1);
const R2: Reg = Reg(2);
const R3: Reg = Reg(3);

fn global(id: u32, scope: Scope, is_array: bool) -> DifVar {
    DifVar {
        name: "v".into(),
        id,
        is_array,
        scope,
        is_read: true,
        is_written: true,
        ty: DifType::integer(8),
    }
}

/// Builds, verifies and runs.
fn go(env: &mut Mock, build: impl FnOnce(&mut DifoBuilder)) -> Result<u64, DifFault> {
    let mut b = DifoBuilder::new();
    build(&mut b);
    let difo = b.finish(DifType::integer(8)).unwrap();
    let verified = verify(&difo, 0).unwrap();
    run(&verified, env)
}

/// `op` on two constants, once with the constants in registers and once fused.
fn arithmetic(op: Op, a: u64, b: u64) -> Result<u64, DifFault> {
    let plain = go(&mut Mock::new(), |code| {
        code.integer(a, R1).unwrap();
        code.integer(b, R2).unwrap();
        code.emit(opcode::bare(Op::Nop)); // keeps the pair apart
        code.emit(opcode::binary(op, R1, R2, R3));
        code.emit(opcode::ret(R3));
    });
    let fused = go(&mut Mock::new(), |code| {
        code.integer(a, R1).unwrap();
        code.integer(b, R2).unwrap();
        code.emit(opcode::binary(op, R1, R2, R3));
        code.emit(opcode::ret(R3));
    });
    assert_eq!(plain.map_err(|f| f.fault), fused.map_err(|f| f.fault));
    plain
}

fn low_half(wide: [u8; 16]) -> u64 {
    u64::from_le_bytes(wide[..8].try_into().unwrap())
}

/// What each arithmetic opcode computes, in wider integers than the machine has.
fn model(op: Op, a: u64, b: u64) -> Option<u64> {
    let (wide_a, wide_b) = (i128::from(a), i128::from(b));
    let (signed_a, signed_b) = (i128::from(a.cast_signed()), i128::from(b.cast_signed()));
    let low = |wide: i128| low_half(wide.to_le_bytes());
    let shift = b % 64;
    Some(match op {
        Op::Or => low(wide_a | wide_b),
        Op::Xor => low(wide_a ^ wide_b),
        Op::And => low(wide_a & wide_b),
        Op::Sll => low(wide_a << shift),
        Op::Srl => low(wide_a >> shift),
        Op::Sra => low(signed_a >> shift),
        Op::Sub => low(wide_a - wide_b),
        Op::Add => low(wide_a + wide_b),
        Op::Mul => low_half((u128::from(a) * u128::from(b)).to_le_bytes()),
        _ if b == 0 => return None,
        Op::Sdiv => low(signed_a / signed_b),
        Op::Udiv => low(wide_a / wide_b),
        Op::Srem => low(signed_a % signed_b),
        Op::Urem => low(wide_a % wide_b),
        _ => unreachable!("not arithmetic"),
    })
}

const ARITHMETIC: [Op; 13] = [
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
];

fn interesting() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0_u64..70),
        (0_u64..70).prop_map(u64::wrapping_neg),
        Just(i64::MIN.cast_unsigned()),
        Just(i64::MAX.cast_unsigned()),
        Just(u64::from(u32::MAX)),
        Just(0x8000_0000),
    ]
}

proptest! {
    /// Arithmetic is 64 bits wide and wraps; division by zero faults at the division.
    #[test]
    fn arithmetic_agrees_with_the_model(
        op in proptest::sample::select(&ARITHMETIC[..]), a in interesting(), b in interesting()
    ) {
        let result = arithmetic(op, a, b);
        match model(op, a, b) {
            Some(expected) => prop_assert_eq!(result, Ok(expected)),
            None => prop_assert_eq!(result.map_err(|f| f.fault.kind), Err(FaultKind::DivZero)),
        }
    }

    /// An update instruction yields what the arithmetic opcode computes, or the old value.
    #[test]
    fn updates_agree_with_arithmetic(
        at in 0_usize..13, before in interesting(), operand in interesting(), after: bool
    ) {
        let op = AtomicOp::ALL[at];
        let plain = [Op::Add, Op::Sub, Op::Mul, Op::Sdiv, Op::Udiv, Op::Srem, Op::Urem, Op::And,
            Op::Or, Op::Xor, Op::Sll, Op::Sra, Op::Srl][at];
        let yields = if after { Yields::After } else { Yields::Before };
        let mut env = Mock::new();
        env.vars.insert((0, 0x500), before);
        let result = go(&mut env, |b| {
            b.var(global(0x500, Scope::Global, false));
            b.integer(operand, R1).unwrap();
            b.emit(opcode::variable(Op::update(op, yields), 0x500, R1));
            b.emit(opcode::ret(R1));
        });
        match model(plain, before, operand) {
            Some(expected) => {
                prop_assert_eq!(result, Ok(if after { expected } else { before }));
                prop_assert_eq!(env.vars[&(0, 0x500)], expected);
            }
            None => prop_assert_eq!(result.map_err(|f| f.fault.kind), Err(FaultKind::DivZero)),
        }
    }

    /// Every branch takes the way C would, fused with its comparison or not.
    #[test]
    fn branches_agree_with_the_model(a in interesting(), b in interesting()) {
        let (sa, sb) = (a.cast_signed(), b.cast_signed());
        for (op, taken) in [
            (Op::Ba, true), (Op::Be, a == b), (Op::Bne, a != b),
            (Op::Bg, sa > sb), (Op::Bge, sa >= sb), (Op::Bl, sa < sb), (Op::Ble, sa <= sb),
            (Op::Bgu, a > b), (Op::Bgeu, a >= b), (Op::Blu, a < b), (Op::Bleu, a <= b),
        ] {
            for fused in [true, false] {
                let result = go(&mut Mock::new(), |code| {
                    let yes = code.label();
                    code.integer(a, R1).unwrap();
                    code.integer(b, R2).unwrap();
                    code.emit(opcode::compare(Op::Cmp, R1, R2));
                    if !fused {
                        code.emit(opcode::bare(Op::Nop));
                    }
                    code.branch(op, yes);
                    code.emit(opcode::ret(Reg::R0));
                    code.place(yes);
                    code.integer(1, R3).unwrap();
                    code.emit(opcode::ret(R3));
                });
                prop_assert_eq!(result, Ok(u64::from(taken)), "{:?} fused {}", op, fused);
            }
        }
    }
}

/// A fault names the instruction that faulted, in bytes: the division, not the constant.
#[test]
fn a_fault_names_its_instruction() {
    let fault = go(&mut Mock::new(), |b| {
        b.emit(opcode::bare(Op::Nop));
        b.emit(opcode::setx(0, R2));
        b.emit(opcode::binary(Op::Udiv, R1, R2, R3));
        b.emit(opcode::ret(R3));
        b.integer(5, R1).unwrap(); // gives the table its entry
        b.emit(opcode::ret(R1));
    });
    assert_eq!(fault, Ok(0));
    let fault = go(&mut Mock::new(), |b| {
        b.integer(5, R1).unwrap();
        b.emit(opcode::binary(Op::Udiv, R1, R2, R3));
        b.emit(opcode::ret(R3));
    });
    assert_eq!(fault.unwrap_err(), DifFault { fault: Fault::at(FaultKind::DivZero, 0), offset: 4 });
}

/// A fused constant still lands in its register, and a branch may land between the two.
#[test]
fn fusion_does_not_show() {
    let result = go(&mut Mock::new(), |b| {
        b.integer(40, R1).unwrap();
        b.integer(2, R2).unwrap();
        b.emit(opcode::binary(Op::Add, R1, R2, R1));
        b.emit(opcode::binary(Op::Mul, R1, R2, R1)); // uses the constant again
        b.emit(opcode::ret(R1));
    });
    assert_eq!(result, Ok(84));
    let result = go(&mut Mock::new(), |b| {
        let middle = b.label();
        b.integer(40, R1).unwrap();
        b.branch(Op::Ba, middle);
        b.integer(2, R2).unwrap();
        b.place(middle);
        b.emit(opcode::binary(Op::Add, R1, R2, R1));
        b.emit(opcode::ret(R1));
    });
    assert_eq!(result, Ok(40));
}

/// A second branch sees the same condition codes as the first.
#[test]
fn condition_codes_outlive_a_branch() {
    let result = go(&mut Mock::new(), |b| {
        let (no, yes) = (b.label(), b.label());
        b.integer(3, R1).unwrap();
        b.integer(2, R2).unwrap();
        b.emit(opcode::compare(Op::Cmp, R1, R2));
        b.branch(Op::Be, no);
        b.branch(Op::Bg, yes);
        b.place(no);
        b.emit(opcode::ret(Reg::R0));
        b.place(yes);
        b.emit(opcode::ret(R1));
    });
    assert_eq!(result, Ok(3));
}

/// `tst` tells zero from everything else, negative values included.
#[test]
fn tst_tells_zero() {
    for (value, expected) in [(0, 0), (1, 1), (u64::MAX, 1)] {
        for fused in [true, false] {
            let result = go(&mut Mock::new(), |b| {
                let zero = b.label();
                b.integer(value, R1).unwrap();
                b.emit(opcode::tst(R1));
                if !fused {
                    b.emit(opcode::bare(Op::Nop));
                }
                b.branch(Op::Be, zero);
                b.integer(1, R2).unwrap();
                b.emit(opcode::ret(R2));
                b.place(zero);
                b.emit(opcode::ret(Reg::R0));
            });
            assert_eq!(result, Ok(expected));
        }
    }
}

/// `not`, `mov`, and constants of every size.
#[test]
fn moves_and_constants() {
    for value in [0, 1, u64::MAX, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 40] {
        let result = go(&mut Mock::new(), |b| {
            b.integer(value, R1).unwrap();
            b.emit(opcode::unary(Op::Not, R1, R2));
            b.emit(opcode::unary(Op::Mov, R2, R3));
            b.emit(opcode::ret(R3));
        });
        assert_eq!(result, Ok(!value));
        let shortcut = go(&mut Mock::new(), |b| {
            b.integer(value, R1).unwrap();
            b.emit(opcode::ret(R1));
        });
        assert_eq!(shortcut, Ok(value));
    }
}

fn load_from(env: &mut Mock, op: Op, addr: u64) -> Result<u64, DifFault> {
    go(env, |b| {
        b.integer(addr, R1).unwrap();
        b.emit(opcode::load(op, R1, R2));
        b.emit(opcode::ret(R2));
    })
}

/// Loads take their width and sign, from the kernel or the process.
#[test]
fn loads_take_their_width_and_sign() {
    let mut env = Mock::new();
    env.kernel = vec![0xf1, 0xf2, 0xf3, 0xf4, 0x85, 0x86, 0x87, 0x88];
    env.user = env.kernel.clone();
    let whole = 0x8887_8685_f4f3_f2f1;
    for (kernel, granted, user, expected) in [
        (Op::Ldub, Op::Rldub, Op::Uldub, 0xf1),
        (Op::Lduh, Op::Rlduh, Op::Ulduh, 0xf2f1),
        (Op::Lduw, Op::Rlduw, Op::Ulduw, 0xf4f3_f2f1),
        (Op::Ldx, Op::Rldx, Op::Uldx, whole),
        (Op::Ldsb, Op::Rldsb, Op::Uldsb, 0xffff_ffff_ffff_fff1),
        (Op::Ldsh, Op::Rldsh, Op::Uldsh, 0xffff_ffff_ffff_f2f1),
        (Op::Ldsw, Op::Rldsw, Op::Uldsw, 0xffff_ffff_f4f3_f2f1),
    ] {
        assert_eq!(load_from(&mut env, kernel, KERNEL), Ok(expected));
        assert_eq!(load_from(&mut env, granted, KERNEL), Ok(expected));
        assert_eq!(load_from(&mut env, user, USER), Ok(expected));
        let fault = load_from(&mut env, kernel, 0x10).unwrap_err();
        assert_eq!((fault.fault.kind, fault.offset), (FaultKind::BadAddr, 4));
        assert!(load_from(&mut env, user, KERNEL).is_err());
    }
}

/// Stores write their width to scratch and nowhere else.
#[test]
fn stores_write_their_width_to_scratch() {
    for (op, expected) in [
        (Op::Stb, 0xffff_ffff_ffff_ff88),
        (Op::Sth, 0xffff_ffff_ffff_7788),
        (Op::Stw, 0xffff_ffff_5566_7788),
        (Op::Stx, 0x1122_3344_5566_7788),
    ] {
        let result = go(&mut Mock::new(), |b| {
            b.integer(8, R1).unwrap();
            b.emit(opcode::unary(Op::Allocs, R1, R1));
            b.integer(u64::MAX, R2).unwrap();
            b.emit(opcode::store(Op::Stx, R2, R1));
            b.integer(0x1122_3344_5566_7788, R2).unwrap();
            b.emit(opcode::store(op, R2, R1));
            b.emit(opcode::load(Op::Ldx, R1, R3));
            b.emit(opcode::ret(R3));
        });
        assert_eq!(result, Ok(expected));
    }
    let strings = TracerAddr { region: Region::Strings, offset: 0 }.to_raw();
    for addr in [0, KERNEL, strings] {
        let mut env = Mock::new();
        (env.kernel, env.strings) = (vec![0; 16], vec![0; 16]);
        let result = go(&mut env, |b| {
            b.integer(addr, R1).unwrap();
            b.emit(opcode::store(Op::Stb, R2, R1));
            b.emit(opcode::ret(R1));
        });
        assert_eq!(result.unwrap_err().fault.kind, FaultKind::BadAddr);
    }
}

/// `copys` copies into scratch, and refuses a target that is not all scratch before it writes.
#[test]
fn copys_copies_into_scratch() {
    let mut env = Mock::new();
    env.kernel = (0..=255).cycle().take(600).collect();
    let copy = |env: &mut Mock, from, size| {
        go(env, |b| {
            b.integer(600, R1).unwrap();
            b.emit(opcode::unary(Op::Allocs, R1, R1));
            b.integer(from, R2).unwrap();
            b.integer(size, R3).unwrap();
            b.emit(opcode::binary(Op::Copys, R2, R3, R1));
            b.emit(opcode::ret(R1));
        })
    };
    let to = copy(&mut env, KERNEL, 600).unwrap();
    assert_eq!(env.tracer(to, 600).unwrap(), env.kernel);
    // One byte more is taken than was asked for, no more than that.
    assert_eq!(copy(&mut env, KERNEL, 602).unwrap_err().fault.kind, FaultKind::BadAddr);
    assert_eq!(copy(&mut env, KERNEL, u64::MAX).unwrap_err().fault.kind, FaultKind::BadAddr);
    // The kernel's end, with scratch enough.
    assert_eq!(copy(&mut env, KERNEL + 3800, 600).unwrap_err().fault.kind, FaultKind::BadAddr);
}

/// Scratch that is not there faults.
#[test]
fn allocs_can_run_out() {
    let result = go(&mut Mock::new(), |b| {
        b.integer(1 << 40, R1).unwrap();
        b.emit(opcode::unary(Op::Allocs, R1, R1));
        b.emit(opcode::ret(R1));
    });
    assert_eq!(result.unwrap_err().fault.kind, FaultKind::NoScratch);
}

/// Variables of every scope are stored and loaded apart.
#[test]
fn scalars_of_every_scope() {
    for (store, load, scope) in [
        (Op::Stgs, Op::Ldgs, Scope::Global),
        (Op::Stts, Op::Ldts, Scope::Thread),
        (Op::Stls, Op::Ldls, Scope::Local),
    ] {
        let mut env = Mock::new();
        let result = go(&mut env, |b| {
            b.var(global(0x501, scope, false));
            b.integer(77, R1).unwrap();
            b.emit(opcode::variable(store, 0x501, R1));
            b.emit(opcode::variable(load, 0x501, R2));
            b.emit(opcode::ret(R2));
        });
        assert_eq!(result, Ok(77));
        assert_eq!(env.vars.len(), 1);
    }
}

/// Built-ins come with their number, arrays with their subscript.
#[test]
fn builtins_are_asked_for() {
    let mut env = Mock::new();
    let pid = go(&mut env, |b| {
        b.emit(opcode::variable(Op::Ldgs, var::PID, R1));
        b.emit(opcode::unary(Op::Mov, R1, R2));
        b.emit(opcode::ret(R2));
    });
    assert_eq!(pid, Ok(u64::from(var::PID) << 32));
    let args3 = go(&mut env, |b| {
        b.integer(3, R1).unwrap();
        b.emit(opcode::array_load(Op::Ldga, 0, R1, R2));
        b.emit(opcode::ret(R2));
    });
    assert_eq!(args3, Ok(3));
}

/// Keys of associative arrays: values and strings, popped and flushed.
#[test]
fn associative_arrays_have_keys() {
    for (store, load, scope) in
        [(Op::Stgaa, Op::Ldgaa, Scope::Global), (Op::Sttaa, Op::Ldtaa, Scope::Thread)]
    {
        let mut env = Mock::new();
        env.strings = b"\0key\0".to_vec();
        let result = go(&mut env, |b| {
            b.var(global(0x500, scope, true));
            let push_key = |b: &mut DifoBuilder| {
                b.integer(5, R1).unwrap();
                b.emit(opcode::push(Op::Pushtv, kind::CTF, Reg::R0, R1));
                b.string(b"key", R1).unwrap();
                b.emit(opcode::push(Op::Pushtr, kind::STRING, Reg::R0, R1));
            };
            push_key(b);
            b.emit(opcode::push(Op::Pushtv, kind::CTF, Reg::R0, R1));
            b.emit(opcode::bare(Op::Popts));
            b.integer(99, R2).unwrap();
            b.emit(opcode::variable(store, 0x500, R2));
            b.emit(opcode::bare(Op::Flushts));
            push_key(b);
            b.emit(opcode::variable(load, 0x500, R3));
            b.emit(opcode::ret(R3));
        });
        assert_eq!(result, Ok(99));
        assert_eq!(
            env.assoc.keys().next().unwrap().2,
            [vec![5, 0, 0, 0, 0, 0, 0, 0], b"key".to_vec()]
        );
    }
}

/// The ninth push overflows.
#[test]
fn the_tuple_stack_has_eight_places() {
    let push_many = |n: usize| {
        go(&mut Mock::new(), |b| {
            for _ in 0..n {
                b.emit(opcode::push(Op::Pushtv, kind::CTF, Reg::R0, R1));
            }
            b.emit(opcode::ret(R1));
        })
    };
    assert_eq!(push_many(8), Ok(0));
    let fault = push_many(9).unwrap_err();
    assert_eq!((fault.fault.kind, fault.offset), (FaultKind::TupleOverflow, 32));
}

/// `scmp` orders strings wherever they lie, and looks no further than `strsize`.
#[test]
fn scmp_orders_strings() {
    let compare = |a: &[u8], b: &[u8], strsize: usize| {
        let mut env = Mock::new();
        env.strsize = strsize;
        env.kernel = [a, b"\0"].concat();
        env.strings = [b, b"\0"].concat();
        let result = go(&mut env, |code| {
            let (less, equal) = (code.label(), code.label());
            code.integer(KERNEL, R1).unwrap();
            code.integer(TracerAddr { region: Region::Strings, offset: 0 }.to_raw(), R2).unwrap();
            code.emit(opcode::compare(Op::Scmp, R1, R2));
            code.branch(Op::Be, equal);
            code.branch(Op::Bl, less);
            code.integer(1, R3).unwrap();
            code.emit(opcode::ret(R3));
            code.place(less);
            code.integer(u64::MAX, R3).unwrap();
            code.emit(opcode::ret(R3));
            code.place(equal);
            code.emit(opcode::ret(Reg::R0));
        });
        assert_eq!(env.top, 0, "scratch is given back");
        result.unwrap().cast_signed()
    };
    assert_eq!(compare(b"abc", b"abc", 256), 0);
    assert_eq!(compare(b"abc", b"abd", 256), -1);
    assert_eq!(compare(b"abcd", b"abc", 256), 1);
    assert_eq!(compare(b"", b"a", 256), -1);
    assert_eq!(compare(b"\xff", b"a", 256), 1);
    assert_eq!(compare(b"abcX", b"abcY", 3), 0);
}

/// `call` hands over what is on the tuple stack and leaves it there.
#[test]
fn calls_get_the_tuple_stack() {
    let mut env = Mock::new();
    let result = go(&mut env, |b| {
        b.integer(7, R1).unwrap();
        b.emit(opcode::push(Op::Pushtv, kind::CTF, Reg::R0, R1));
        b.emit(opcode::call(number::PROGENYOF, R2));
        b.emit(opcode::ret(R2));
    });
    assert_eq!(result, Ok(1000 + u64::from(number::PROGENYOF)));
    assert_eq!(env.calls, [(number::PROGENYOF, vec![7])]);
}

/// The shortcuts for two-instruction DIFOs return what running them would.
#[test]
fn shapes_are_recognised() {
    let shape = |text: Vec<u32>, integers: Vec<u64>| {
        let vars = vec![global(0x500, Scope::Global, false), global(0x500, Scope::Thread, false)];
        let strings = b"\0a\0".to_vec();
        let difo = Difo { text, integers, strings, vars, ret: DifType::integer(8) };
        verify(&difo, 100).unwrap().shape()
    };
    let back = opcode::ret(R1);
    assert_eq!(shape(vec![opcode::setx(0, R1), back], vec![7]), Shape::Constant(7));
    assert_eq!(shape(vec![opcode::setx(0, R1), back], vec![1 << 60]), Shape::Constant(1 << 60));
    assert_eq!(shape(vec![opcode::unary(Op::Mov, R2, R1), back], vec![]), Shape::Constant(0));
    assert_eq!(shape(vec![back], vec![]), Shape::Constant(0));
    assert_eq!(shape(vec![back, back], vec![]), Shape::Constant(0));
    let string = TracerAddr { region: Region::Strings, offset: 101 }.to_raw();
    assert_eq!(shape(vec![opcode::sets(1, R1), back], vec![]), Shape::Constant(string));
    let load = opcode::variable(Op::Ldgs, var::TIMESTAMP, R1);
    assert_eq!(shape(vec![load, back], vec![]), Shape::Builtin(var::TIMESTAMP));
    let load = opcode::variable(Op::Ldgs, 0x500, R1);
    assert_eq!(shape(vec![load, back], vec![]), Shape::Global(0x500));
    let load = opcode::variable(Op::Ldts, 0x500, R1);
    assert_eq!(shape(vec![load, back], vec![]), Shape::Thread(0x500));
    assert_eq!(shape(vec![load, opcode::ret(R2)], vec![]), Shape::General);
}
