//! Any bytes as CTF (two of them say where a second container begins, which may name the first as
//! its parent): refused, or made into BTF that is read to its end.
#![no_main]

use dlang::types::{
    Btf,
    ctf::{Ctf, CtfSymbol},
};
use libfuzzer_sys::fuzz_target;

fn symbols() -> Vec<CtfSymbol> {
    let symbol = |n: u32| CtfSymbol { name: format!("s{n}"), is_function: n % 2 == 0 };
    (0..8).map(symbol).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((place, bytes)) = input.split_at_checked(2) else { return };
    let middle = usize::from(u16::from_le_bytes([place[0], place[1]]));
    let (first, second) = bytes.split_at(bytes.len().min(middle));
    let parent = Ctf::parse(first).ok();
    let base = parent.as_ref().and_then(|ctf| ctf.to_btf(None, &symbols()).ok());
    if let Some(btf) = base {
        Btf::parse(btf, None).expect("what is written can be read");
    }
    if let Ok(child) = Ctf::parse(second)
        && let Ok(btf) = child.to_btf(parent.as_ref(), &symbols())
    {
        Btf::parse(btf, None).expect("what is written can be read");
    }
});
