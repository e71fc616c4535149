//! `pid$target`: functions of a program and its libraries, at their entry, their return, or at any
//! instruction.
//!
//! A uprobe replaces an instruction's first byte. One put between two instructions would change
//! what the program does, so an offset is taken only if decoding the function from its start comes
//! by there.

use consumer::glob;
use ebpf::site::Value;
use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use super::{
    Provided, Target,
    object::{Function, Object},
};
use crate::linux::standard;

/// The most instructions of one function that become probes.
const MOST_OFFSETS: usize = 4096;

/// Bytes of stack that an entry's parameters beyond the sixth are behind: the return address.
const RETURN_ADDRESS: u64 = 8;
/// `struct pt_regs::sp` as a word.
const STACK_POINTER: Value = Value::Word(19);

/// The ten arguments of an entry: six registers, then the stack's words.
fn parameters() -> Vec<Value> {
    let on_stack = (0..4_u32).map(|nth| {
        let place = STACK_POINTER.with(ebpf::site::Op::Add, RETURN_ADDRESS + u64::from(nth) * 8);
        place.user(8)
    });
    standard::PARAMETERS.into_iter().chain(on_stack).collect()
}

/// Adds the probes that are asked for.
pub(super) fn find(target: &Target<'_>, provided: &mut Provided) {
    let desc = target.desc;
    let one = !desc.function.is_empty() && !desc.function.contains(['*', '?', '[']);
    let mut functions = target.object.functions();
    if target.mapped.is_program && functions.iter().all(|one| one.name != "main") {
        functions.extend(main_function(target.object));
    }
    for function in functions.iter().filter(|it| glob::matches(&desc.function, &it.name)) {
        let Some(offset) = target.object.offset(function.address, true) else { continue };
        let is_meant = |name: &str| glob::matches(&desc.name, name);
        let mut push = |name: &str, offset, on_return, args| {
            let hook = target.hook(offset, on_return, None);
            provided.push(target.probe(&function.name, name, hook, args));
        };
        if is_meant("entry") {
            push("entry", offset, false, parameters());
        }
        if is_meant("return") {
            push("return", offset, true, vec![Value::Const(0), standard::RESULT]);
        }
        // Every instruction of many functions is not what anybody wants.
        let numbered = u64::from_str_radix(&desc.name, 16).is_ok();
        if one || numbered {
            for at in instructions(target.object, function) {
                let name = format!("{at:x}");
                if is_meant(&name) {
                    push(&name, offset + at, false, Vec::new());
                }
            }
        }
    }
}

/// Where `main` of a program without symbols begins: what its first code hands to the C library as
/// its first parameter. How long it is nobody knows.
fn main_function(object: &Object<'_>) -> Option<Function> {
    /// `_start` is about 40 bytes.
    const SIZE: u64 = 64;
    let start = Function { name: String::new(), address: object.elf.entry, size: SIZE };
    let mut decoder =
        Decoder::with_ip(64, object.code(&start)?, start.address, DecoderOptions::NONE);
    let mut first = None;
    while decoder.can_decode() {
        let it = decoder.decode();
        let is_first = matches!(it.op0_register(), Register::RDI | Register::EDI);
        match it.mnemonic() {
            Mnemonic::Lea if is_first && it.is_ip_rel_memory_operand() => {
                first = Some(it.ip_rel_memory_address());
            }
            Mnemonic::Mov if is_first && it.op1_kind() == OpKind::Immediate32 => {
                first = Some(u64::from(it.immediate32()));
            }
            Mnemonic::Mov if is_first && it.op1_kind() == OpKind::Immediate32to64 => {
                first = Some(it.immediate(1));
            }
            Mnemonic::Call => break,
            _ => {}
        }
    }
    let address = first.filter(|at| object.offset(*at, true).is_some())?;
    Some(Function { name: "main".to_owned(), address, size: 0 })
}

/// Where the instructions of a function begin, in bytes from its start; those behind one that
/// cannot be decoded are left out.
fn instructions(object: &Object<'_>, function: &Function) -> Vec<u64> {
    let code = object.code(function).unwrap_or_default();
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut starts = Vec::new();
    while decoder.can_decode() && starts.len() < MOST_OFFSETS {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            break;
        }
        starts.push(instruction.ip());
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `_start` hands to the C library is where the symbol table says that `main` is.
    #[test]
    fn main_is_found_without_its_symbol() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let object = Object::parse(&file).unwrap();
        let named = object.functions().into_iter().find(|one| one.name == "main").unwrap();
        assert_eq!(main_function(&object).map(|one| one.address), Some(named.address));
    }
}
