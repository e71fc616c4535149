//! Any bytes as a file with types, and as the sections of DWARF (cut at places that the first bytes
//! say): refused, or made into BTF that is read to its end.
#![no_main]

use dlang::types::{
    Btf,
    dwarf::{DwarfSections, to_btf},
    file::types_of_file,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(btf) = types_of_file(input) {
        Btf::parse(btf, None).expect("what is written can be read");
    }
    let Some((places, rest)) = input.split_at_checked(4) else { return };
    let (info, rest) = rest.split_at(rest.len().min(usize::from(places[0]) * 8));
    let (abbrev, rest) = rest.split_at(rest.len().min(usize::from(places[1]) * 8));
    let (str, rest) = rest.split_at(rest.len().min(usize::from(places[2]) * 8));
    let (line_str, str_offsets) = rest.split_at(rest.len().min(usize::from(places[3]) * 8));
    if let Ok(btf) = to_btf(&DwarfSections { info, abbrev, str, line_str, str_offsets }) {
        Btf::parse(btf, None).expect("what is written can be read");
    }
});
