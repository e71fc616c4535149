//! Where a declared probe's arguments lie: the strings of its note.
//!
//! ```text
//!  -4@%eax  8@-16(%rbp)  8@(%rdi,%rcx,8)  -4@$5
//!   │ └ operand in the assembler's words
//!   └ bytes; with a minus the argument is signed
//! ```
//! What this does not know (a floating-point register, a symbol) is 0 in the script.

use ebpf::site::{Op, Value};

/// D has ten arguments.
const MOST: usize = 10;

/// The arguments of a note, in order.
pub(super) fn parse(text: &str) -> Vec<Value> {
    let parts = text.split_ascii_whitespace().take(MOST);
    parts.map(|part| argument(part).unwrap_or(Value::Const(0))).collect()
}

fn argument(text: &str) -> Option<Value> {
    let (size, operand) = text.split_once('@')?;
    let (signed, size) = match size.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, size),
    };
    let size: u8 = size.parse().ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
    if let Some(constant) = operand.strip_prefix('$') {
        return Some(Value::Const(number(constant)?.cast_unsigned()));
    }
    if let Some(name) = operand.strip_prefix('%') {
        return Some(narrowed(register(name)?, size, signed));
    }
    let place = memory(operand)?;
    Some(if signed { place.user_signed(size) } else { place.user(size) })
}

/// An address: `displacement(base,index,scale)`, of which parts may be missing.
fn memory(operand: &str) -> Option<Value> {
    let (displacement, inside) = operand.strip_suffix(')')?.split_once('(')?;
    let displacement = if displacement.is_empty() { 0 } else { number(displacement)? };
    let mut parts = inside.split(',').map(str::trim);
    let base = match parts.next()? {
        "" => Value::Const(0),
        name => register(name.strip_prefix('%')?)?,
    };
    let mut place = base.with(Op::Add, displacement.cast_unsigned());
    if let Some(index) = parts.next() {
        let scale =
            parts.next().map_or(Some(1), number).filter(|it| matches!(it, 1 | 2 | 4 | 8))?;
        let index = register(index.strip_prefix('%')?)?;
        place = place.op(Op::Add, index.with(Op::Mul, scale.cast_unsigned()));
    }
    Some(place)
}

/// A decimal or hexadecimal number with or without a sign.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    let value = value.cast_signed();
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The low `size` bytes of a value.
fn narrowed(value: Value, size: u8, signed: bool) -> Value {
    if size >= 8 {
        return value;
    }
    let bits = u32::from(size) * 8;
    let value = value.with(Op::And, (1_u64 << bits) - 1);
    if !signed {
        return value;
    }
    // Twice the sign's weight less, if it is set.
    let sign = value.clone().with(Op::And, 1 << (bits - 1)).with(Op::Shl, 1);
    value.op(Op::Sub, sign)
}

/// General registers in the order of `struct pt_regs` (x86-64), by their 64-bit names.
const REGISTERS: [(&str, u8); 17] = [
    ("r15", 0),
    ("r14", 1),
    ("r13", 2),
    ("r12", 3),
    ("rbp", 4),
    ("rbx", 5),
    ("r11", 6),
    ("r10", 7),
    ("r9", 8),
    ("r8", 9),
    ("rax", 10),
    ("rcx", 11),
    ("rdx", 12),
    ("rsi", 13),
    ("rdi", 14),
    ("rip", 16),
    ("rsp", 19),
];

/// A register by any of its names; those of its parts stand for all of it, but `ah` and its kin.
fn register(name: &str) -> Option<Value> {
    let whole = |wanted: &str| {
        let found = REGISTERS.iter().find(|(known, _)| *known == wanted);
        found.map(|(_, word)| Value::Word(*word))
    };
    if let Some(word) = whole(name) {
        return Some(word);
    }
    // r8d, r8w, r8b; eax, ax, al, ah; sil, spl.
    let numbered = name.starts_with('r').then(|| name.trim_end_matches(['d', 'w', 'b']));
    let long = name.strip_prefix('e').map(|rest| format!("r{rest}"));
    let word = || (name.len() == 2).then(|| format!("r{name}"));
    let letter =
        |end| name.strip_suffix(end).filter(|it| it.len() == 1).map(|it| format!("r{it}x"));
    let low = || name.strip_suffix('l').filter(|it| it.len() == 2).map(|it| format!("r{it}"));
    if let Some(found) = numbered.and_then(whole).or_else(|| whole(&long?)) {
        return Some(found);
    }
    if let Some(found) = letter('h').and_then(|it| whole(&it)) {
        return Some(found.with(Op::Shr, 8));
    }
    [letter('l'), low(), word()].into_iter().flatten().find_map(|it| whole(&it))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Registers under all their names.
    #[test]
    fn registers_have_many_names() {
        for name in ["rax", "eax", "ax", "al"] {
            assert_eq!(register(name), Some(Value::Word(10)), "{name}");
        }
        for name in ["r8", "r8d", "r8w", "r8b"] {
            assert_eq!(register(name), Some(Value::Word(9)), "{name}");
        }
        for name in ["rsi", "esi", "si", "sil"] {
            assert_eq!(register(name), Some(Value::Word(13)), "{name}");
        }
        assert_eq!(register("bh"), Some(Value::Word(5).with(Op::Shr, 8)));
        for name in ["xmm0", "st", "", "r16", "rl", "e"] {
            assert_eq!(register(name), None, "{name}");
        }
    }

    /// Constants, registers and memory of all sizes; what is not known is 0 and keeps its place.
    #[test]
    fn operands_are_values() {
        let all = parse("-4@$-5 8@%rdi 4@-16(%rbp) -8@(%rdi,%rcx,8) 8f@%xmm0 8@name(%rip)");
        let stack = Value::Word(4).with(Op::Add, (-16_i64).cast_unsigned()).user(4);
        let array = Value::Word(14)
            .with(Op::Add, 0)
            .op(Op::Add, Value::Word(11).with(Op::Mul, 8))
            .user_signed(8);
        let zero = Value::Const(0);
        let expected = [
            Value::Const((-5_i64).cast_unsigned()),
            Value::Word(14),
            stack,
            array,
            zero.clone(),
            zero,
        ];
        assert_eq!(all, expected);
    }

    proptest! {
        /// Whatever a file claims, there are at most ten arguments.
        #[test]
        fn nothing_panics(text in "[-0-9@$%a-z(), ]{0,80}") {
            prop_assert!(parse(&text).len() <= MOST);
        }
    }
}
