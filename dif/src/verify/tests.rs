//! One test a rule, named after its number; the first says that a good DIFO passes.

use super::*;
use crate::number::ctf;
use crate::opcode::{
    array_load, bare, binary, branch, call, compare, load, push, ret, sets, setx, store, tst,
    unary, variable,
};
use alloc::vec;

const R1: Reg = Reg(1);
const BAD: Reg = Reg(8);

fn difo(text: Vec<u32>) -> Difo {
    Difo { text, integers: vec![], strings: vec![], vars: vec![], ret: DifType::integer(8) }
}

/// The instruction, then a `ret`.
fn with(word: u32) -> Difo {
    difo(vec![word, ret(R1)])
}

fn entry(id: u32, scope: Scope, is_array: bool) -> DifVar {
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

#[track_caller]
fn refused(difo: &Difo, rule: u8) {
    assert_eq!(verify(difo, 0).map_err(|error| error.rule), Err(rule), "{difo:?}");
}

#[track_caller]
fn accepted(difo: &Difo) {
    assert_eq!(verify(difo, 0).err(), None, "{difo:?}");
}

/// Every executable opcode has a form that passes, so that no rule refuses too much.
#[test]
fn every_executable_opcode_passes() {
    for &op in Op::ALL {
        let mut difo = with(match op.format() {
            Format::Binary | Format::Copy => binary(op, R1, R1, R1),
            Format::Unary => unary(op, R1, R1),
            Format::Compare => compare(op, R1, R1),
            Format::Test => tst(R1),
            Format::Branch => branch(op, 1),
            Format::Load => load(op, R1, R1),
            Format::Store => store(op, R1, R1),
            Format::Return => ret(R1),
            Format::Bare => bare(op),
            Format::Integer => setx(0, R1),
            Format::String => sets(0, R1),
            Format::ArrayLoad => array_load(op, 0, R1, R1),
            Format::VarLoad | Format::VarStore | Format::Update => variable(op, 0x500, R1),
            Format::Call => call(subr::STRLEN, R1),
            Format::Push => push(op, kind::CTF, R1, R1),
            Format::Translator => continue,
        });
        difo.integers = vec![1];
        difo.strings = vec![0];
        let (scope, is_array) = access(op);
        difo.vars = vec![entry(0x500, scope, is_array)];
        if op != Op::Ldta {
            accepted(&difo);
        }
    }
}

/// Rule 1: the text's size.
#[test]
fn rule_01_text_size() {
    refused(&difo(vec![]), 1);
    refused(&difo(vec![ret(R1); MAX_TEXT + 1]), 1);
    accepted(&difo(vec![ret(R1); MAX_TEXT]));
}

/// Rule 2: opcodes.
#[test]
fn rule_02_opcodes() {
    for number in [0, 80, 81, 0xbf, 0xcd, 0xdd, 0xff] {
        refused(&with(number << 24), 2);
    }
}

/// Rule 3: every register field that an instruction uses.
#[test]
fn rule_03_registers() {
    for word in [
        binary(Op::Add, BAD, R1, R1),
        binary(Op::Add, R1, BAD, R1),
        binary(Op::Add, R1, R1, BAD),
        unary(Op::Mov, BAD, R1),
        compare(Op::Cmp, R1, BAD),
        tst(BAD),
        load(Op::Ldx, BAD, R1),
        store(Op::Stx, R1, BAD),
        binary(Op::Copys, R1, Reg(255), R1),
        array_load(Op::Ldga, 0, BAD, R1),
        variable(Op::Ldgs, var::PID, BAD),
        call(0, BAD),
        push(Op::Pushtr, kind::STRING, BAD, R1),
        push(Op::Pushtv, kind::CTF, R1, BAD),
    ] {
        refused(&with(word), 3);
    }
    refused(&difo(vec![ret(BAD)]), 3);
}

/// Rule 4: `%r0` stays zero.
#[test]
fn rule_04_r0_is_never_written() {
    for word in [
        binary(Op::Add, R1, R1, Reg::R0),
        unary(Op::Mov, R1, Reg::R0),
        load(Op::Ldx, R1, Reg::R0),
        store(Op::Stx, R1, Reg::R0),
        binary(Op::Copys, R1, R1, Reg::R0),
        setx(0, Reg::R0),
        sets(0, Reg::R0),
        call(0, Reg::R0),
        variable(Op::Ldgs, var::PID, Reg::R0),
        variable(Op::UpdAdd, 0x500, Reg::R0),
    ] {
        refused(&with(word), 4);
    }
}

/// Rule 5: fields without a meaning are zero, so that they can get one.
#[test]
fn rule_05_unused_fields_are_zero() {
    for word in [
        unary(Op::Mov, R1, R1) | 0x100,
        compare(Op::Cmp, R1, R1) | 1,
        tst(R1) | 0x100,
        load(Op::Ldx, R1, R1) | 0x100,
        bare(Op::Nop) | 1,
        bare(Op::Flushts) | 0x10000,
    ] {
        refused(&with(word), 5);
    }
    refused(&difo(vec![ret(R1) | 0x100]), 5);
}

/// Rule 6: code only runs forward, and inside the text.
#[test]
fn rule_06_branches_go_forward() {
    for op in [Op::Ba, Op::Be, Op::Bleu] {
        refused(&with(branch(op, 0)), 6);
        refused(&with(branch(op, 2)), 6);
        refused(&with(branch(op, 0x00ff_ffff)), 6);
        accepted(&with(branch(op, 1)));
    }
    refused(&difo(vec![bare(Op::Nop), branch(Op::Ba, 0), ret(R1)]), 6);
}

/// Rule 7: nothing runs off the end.
#[test]
fn rule_07_ends_in_ret() {
    refused(&difo(vec![ret(R1), bare(Op::Nop)]), 7);
}

/// Rule 8: integer constants are there.
#[test]
fn rule_08_integers() {
    let mut one = with(setx(0, R1));
    refused(&one, 8);
    one.integers = vec![9];
    accepted(&one);
    one.text[0] = setx(1, R1);
    refused(&one, 8);
    one.integers = vec![0; MAX_INTEGERS + 1];
    refused(&one, 8);
}

/// Rule 9: string constants are there.
#[test]
fn rule_09_strings() {
    let mut one = with(sets(0, R1));
    refused(&one, 9);
    one.strings = b"ab\0".to_vec();
    one.text[0] = sets(2, R1);
    accepted(&one);
    one.text[0] = sets(3, R1);
    refused(&one, 9);
}

/// Rule 10: a string constant ends inside its table.
#[test]
fn rule_10_string_table_ends_in_nul() {
    let mut one = with(bare(Op::Nop));
    one.strings = b"ab".to_vec();
    refused(&one, 10);
    one.strings = vec![0; MAX_STRINGS + 1];
    refused(&one, 10);
}

/// Rule 11: built-in arrays.
#[test]
fn rule_11_builtin_arrays() {
    refused(&with(array_load(Op::Ldga, 3, R1, R1)), 11);
    refused(&with(array_load(Op::Ldga, 0x80, R1, R1)), 11);
    accepted(&with(array_load(Op::Ldga, 2, R1, R1)));
}

/// Rule 12: a variable's number fits the instruction.
#[test]
fn rule_12_variable_numbers() {
    refused(&with(variable(Op::Ldgs, 0x00ff, R1)), 12);
    refused(&with(variable(Op::Ldgs, 0x04ff, R1)), 12);
    for op in [Op::Stgs, Op::Ldts, Op::Stts, Op::Ldls, Op::Stls, Op::Ldgaa, Op::Stgaa, Op::FetAdd] {
        refused(&with(variable(op, var::PID, R1)), 12);
    }
}

/// Rule 13: the variable table announces what is used, in its scope and kind.
#[test]
fn rule_13_variables_are_announced() {
    let mut one = with(variable(Op::Ldgs, 0x500, R1));
    refused(&one, 13);
    one.vars = vec![entry(0x500, Scope::Thread, false)];
    refused(&one, 13);
    one.vars = vec![entry(0x500, Scope::Global, true)];
    refused(&one, 13);
    one.text[0] = variable(Op::Ldgaa, 0x500, R1);
    accepted(&one);
    one.text[0] = variable(Op::UpdAdd, 0x501, R1);
    refused(&one, 13);
}

/// Rule 14: subroutines.
#[test]
fn rule_14_subroutines() {
    refused(&with(call(subr::MAX + 1, R1)), 14);
    refused(&with(call(0xffff, R1)), 14);
}

/// Rule 15: what can be pushed.
#[test]
fn rule_15_pushed_types() {
    refused(&with(push(Op::Pushtr, 2, R1, R1)), 15);
    refused(&with(push(Op::Pushtv, kind::STRING, R1, R1)), 15);
    accepted(&with(push(Op::Pushtr, kind::STRING, R1, R1)));
}

/// Rule 16: what is not executable.
#[test]
fn rule_16_not_executable() {
    refused(&with(variable(Op::Xlate, 0, R1)), 16);
    refused(&with(variable(Op::Xlarg, 0, R1)), 16);
    refused(&with(array_load(Op::Ldta, 0, R1, R1)), 16);
}

/// Rule 17: an update is one machine word at most.
#[test]
fn rule_17_updates_are_of_scalars() {
    let mut one = with(variable(Op::UpdAdd, 0x500, R1));
    one.vars = vec![entry(0x500, Scope::Global, false)];
    accepted(&one);
    one.vars[0].is_array = true;
    refused(&one, 17);
    one.vars[0].is_array = false;
    one.vars[0].ty = DifType::STRING;
    refused(&one, 17);
    one.vars[0].ty = DifType::integer(0);
    refused(&one, 17);
}

/// Rule 18: result types.
#[test]
fn rule_18_result_type() {
    let mut one = with(bare(Op::Nop));
    for bad in [
        DifType { kind: 2, ..DifType::STRING },
        DifType { flags: 4, ..DifType::STRING },
        DifType { flags: 0, ..DifType::STRING },
        DifType::integer(3),
        DifType::integer(16),
    ] {
        one.ret = bad;
        refused(&one, 18);
    }
    for good in [DifType::STRING, DifType::integer(0), DifType::by_ref(ctf::STRUCT, 100)] {
        one.ret = good;
        accepted(&one);
    }
}

/// Rule 19: the variable table.
#[test]
fn rule_19_variable_table() {
    let mut one = with(bare(Op::Nop));
    let big = DifType::by_ref(ctf::STRUCT, MAX_BY_REF + 1);
    for bad in [
        entry(0x1_0000, Scope::Global, false),
        entry(0x0400, Scope::Global, false),
        entry(u32::from(var::PID), Scope::Thread, false),
        entry(0x500, Scope::Local, true),
        DifVar { ty: big, ..entry(0x500, Scope::Global, false) },
        DifVar { ty: DifType::integer(7), ..entry(0x500, Scope::Global, false) },
    ] {
        one.vars = vec![bad];
        refused(&one, 19);
    }
    one.vars = vec![entry(0x500, Scope::Global, false), entry(0x500, Scope::Global, false)];
    refused(&one, 19);
    one.vars = vec![entry(0x500, Scope::Global, false), entry(0x500, Scope::Thread, false)];
    accepted(&one);
}
