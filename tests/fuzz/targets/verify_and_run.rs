//! Any words as a DIFO: refused, or run to the end. The input is a byte with the number of integer
//! constants, those, 16 bytes of strings, then the text.
#![no_main]

use dif::{
    difo::{DifType, DifVar, Difo},
    disasm,
    env::Scope,
    interp,
    mock::Mock,
    verify::verify,
};
use libfuzzer_sys::fuzz_target;

fn vars() -> Vec<DifVar> {
    let var = |id, scope, is_array| DifVar {
        name: "v".into(),
        id,
        is_array,
        scope,
        is_read: true,
        is_written: true,
        ty: DifType::integer(8),
    };
    vec![
        var(0x500, Scope::Global, false),
        var(0x500, Scope::Thread, false),
        var(0x500, Scope::Local, false),
        var(0x501, Scope::Global, true),
        var(0x501, Scope::Thread, true),
    ]
}

fn difo(bytes: &[u8]) -> Option<Difo> {
    let (count, rest) = bytes.split_first()?;
    let (integers, rest) = rest.split_at_checked(usize::from(count % 8) * 8)?;
    let (strings, text) = rest.split_at_checked(16)?;
    let mut strings = strings.to_vec();
    strings.push(0);
    let (integers, _) = integers.as_chunks::<8>();
    let (text, _) = text.as_chunks::<4>();
    Some(Difo {
        text: text.iter().map(|word| u32::from_be_bytes(*word)).collect(),
        integers: integers.iter().map(|word| u64::from_le_bytes(*word)).collect(),
        strings,
        vars: vars(),
        ret: DifType::integer(8),
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some(difo) = difo(bytes) else { return };
    let _ = disasm::listing(&difo);
    let Ok(verified) = verify(&difo, 0) else { return };
    let mut env = Mock::new();
    env.strsize = 64;
    env.strings.clone_from(&difo.strings);
    env.kernel = vec![b'k'; 4096];
    env.user = vec![b'u'; 4096];
    let _ = interp::run(&verified, &mut env);
});
