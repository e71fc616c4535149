//! Any bytes as DOF: refused, or read to a program that is written and read back unchanged; what
//! verifies then runs.
#![no_main]

use dif::{dof, interp, mock::Mock};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(program) = dof::read(bytes) else { return };
    if let Ok(again) = dof::write(&program) {
        assert_eq!(dof::read(&again).as_ref(), Ok(&program));
    }
    let Ok(verified) = program.verify() else { return };
    let mut env = Mock::new();
    env.strings.clone_from(&verified.strings);
    for difo in &verified.difos {
        let _ = interp::run(difo, &mut env);
    }
});
