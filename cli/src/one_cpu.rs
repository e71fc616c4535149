//! `-x cpu=` for programs that are compiled already: their clauses get a predicate, or a longer one.
//!
//! ```text
//! 00: ldgs DT_VAR(cpu), %r1
//! 01: setx DT_INTEGER[n], %r2
//! 02: cmp  %r1, %r2
//! 03: be   5
//! 04: ret  %r0
//! 05: the predicate that was there, or 1
//! ```

use dif::{
    difo::{DifType, DifVar, Difo},
    env::Scope,
    number::var,
    opcode::{self, Format, Instr, Op, Reg},
    program::{DifoIndex, ProbeDesc, Program},
};

/// Instructions in front of the old predicate.
const BEFORE: u32 = 5;

/// Restricts all clauses to one CPU, but for those of probes that fire in `dtrace` itself.
///
/// # Errors
/// A predicate has no room left for it.
pub(crate) fn restrict(program: &mut Program, cpu: u32) -> Result<(), String> {
    for at in 0..program.ecbs.len() {
        let Some(ecb) = program.ecbs.get(at).filter(|ecb| !fires_here(&ecb.probe)) else {
            continue;
        };
        let old = ecb.predicate.and_then(|old| program.difos.get(usize::try_from(old.0).ok()?));
        let new = on_cpu(cpu, old.cloned().unwrap_or_else(always))
            .ok_or("a predicate is too long for -x cpu=")?;
        let index = u32::try_from(program.difos.len()).map_err(|_| "too many expressions")?;
        program.difos.push(new);
        program.ecbs.get_mut(at).into_iter().for_each(|ecb| {
            ecb.predicate = Some(DifoIndex(index));
        });
    }
    Ok(())
}

/// Whether a description is for `dtrace`'s own probes.
fn fires_here(desc: &ProbeDesc) -> bool {
    ["BEGIN", "END", "ERROR"].contains(&desc.name.as_str()) || desc.name.starts_with("tick-")
}

/// A predicate that always holds.
fn always() -> Difo {
    Difo {
        text: vec![opcode::setx(0, Reg(1)), opcode::ret(Reg(1))],
        integers: vec![1],
        strings: vec![0],
        vars: Vec::new(),
        ret: DifType::integer(4),
    }
}

/// A predicate that holds on one CPU, if the old one does.
fn on_cpu(cpu: u32, mut old: Difo) -> Option<Difo> {
    let index = u16::try_from(old.integers.len()).ok()?;
    old.integers.push(u64::from(cpu));
    let mut text = vec![
        opcode::variable(Op::Ldgs, var::CPU, Reg(1)),
        opcode::setx(index, Reg(2)),
        opcode::compare(Op::Cmp, Reg(1), Reg(2)),
        opcode::branch(Op::Be, BEFORE),
        opcode::ret(Reg::R0),
    ];
    for word in old.text {
        let instruction = Instr(word);
        text.push(match instruction.op() {
            Some(op) if op.format() == Format::Branch => {
                opcode::branch(op, instruction.label().checked_add(BEFORE)?)
            }
            _ => word,
        });
    }
    old.text = text;
    let id = u32::from(var::CPU);
    if !old.vars.iter().any(|known| known.id == id) {
        old.vars.push(DifVar {
            name: "cpu".to_owned(),
            id,
            is_array: false,
            scope: Scope::Global,
            is_read: true,
            is_written: false,
            ty: DifType::integer(4),
        });
    }
    Some(old)
}

#[cfg(test)]
mod tests {
    use dif::{asm::assemble, program::EcbDesc};

    use super::*;

    fn program(name: &str, predicate: Option<&str>) -> Program {
        let difos: Vec<Difo> = predicate.iter().map(|text| assemble(text).unwrap()).collect();
        let predicate = predicate.map(|_| DifoIndex(0));
        let probe = ProbeDesc { name: name.to_owned(), ..ProbeDesc::default() };
        let ecbs = vec![EcbDesc { probe, predicate, actions: Vec::new(), clause: 0 }];
        Program { difos, ecbs, options: Vec::new() }
    }

    /// A clause without a predicate gets one; a predicate that there is comes behind the test, its
    /// branches moved; both verify.
    #[test]
    fn clauses_are_for_one_cpu() {
        let mut plain = program("entry", None);
        restrict(&mut plain, 3).unwrap();
        plain.verify().unwrap();
        assert_eq!(plain.ecbs[0].predicate, Some(DifoIndex(0)));
        assert_eq!(plain.difos[0].integers, [1, 3]);

        let old = ".returns 0 1 0 4\n.var \"pid\" 0x116 scl glb 1 0 1 0 4\nldgs pid, %r1\ntst %r1\n\
                   bne 4\nret %r0\nret %r1\n";
        let mut longer = program("entry", Some(old));
        restrict(&mut longer, 0).unwrap();
        longer.verify().unwrap();
        let text = &longer.difos[1].text;
        assert_eq!((text.len(), Instr(text[3]).label(), Instr(text[7]).label()), (10, 5, 9));
        assert_eq!(longer.ecbs[0].predicate, Some(DifoIndex(1)));
    }

    /// What fires in `dtrace` itself does so on no particular CPU.
    #[test]
    fn own_probes_fire_in_any_case() {
        for name in ["BEGIN", "END", "ERROR", "tick-1s"] {
            let mut own = program(name, None);
            restrict(&mut own, 1).unwrap();
            assert_eq!(own, program(name, None));
        }
    }
}
