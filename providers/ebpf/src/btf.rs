//! The type information that goes with a program: one type a function.
//!
//! A function that has a type and is global is verified by the kernel by itself, once, with
//! unknown arguments; one without would be verified anew at every call. All of ours take and
//! return 64-bit numbers. Layout: `Documentation/bpf/btf.rst`.

use crate::asm::Function;

const MAGIC: u16 = 0xeb9f;
const KIND_INT: u32 = 1;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
/// The most arguments a function of eBPF has.
const MAX_ARGUMENTS: u32 = 5;

/// Linkage of a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Linkage {
    Static = 0,
    Global = 1,
}

/// The types of some functions: the container, and each function's type number.
pub(crate) fn of_functions(functions: &[Function]) -> (Vec<u8>, Vec<u32>) {
    let mut strings = vec![0_u8];
    let mut types: Vec<u32> = Vec::new();
    let text = |strings: &mut Vec<u8>, name: &str| {
        let at = u32::try_from(strings.len()).unwrap_or(0);
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
        at
    };
    // Type 1: unsigned long long.
    let name = text(&mut strings, "u64");
    types.extend([name, KIND_INT << 24, 8, 64]);
    // Types 2 to 7: prototypes with 0 to 5 arguments.
    let argument = text(&mut strings, "a");
    for count in 0..=MAX_ARGUMENTS {
        types.extend([0, (KIND_FUNC_PROTO << 24) | count, 1]);
        for _ in 0..count {
            types.extend([argument, 1]);
        }
    }
    let mut numbers = Vec::with_capacity(functions.len());
    for (at, function) in (0_u32..).zip(functions) {
        let name = text(&mut strings, &function.name);
        // The first is the program itself: its argument is the context.
        let linkage = if at == 0 { Linkage::Static } else { Linkage::Global } as u32;
        let proto = 2 + u32::from(function.arguments).min(MAX_ARGUMENTS);
        types.extend([name, (KIND_FUNC << 24) | linkage, proto]);
        numbers.push(8 + at);
    }
    let types: Vec<u8> = types.into_iter().flat_map(u32::to_le_bytes).collect();
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut out = Vec::new();
    out.extend(MAGIC.to_le_bytes());
    out.extend([1, 0]); // version, flags
    for word in [24, 0, len(&types), len(&types), len(&strings)] {
        out.extend(word.to_le_bytes());
    }
    out.extend(types);
    out.extend(strings);
    (out, numbers)
}
