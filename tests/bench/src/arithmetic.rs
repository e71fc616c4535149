//! DIF instructions without a fire around them: what the interpreter takes for one.

use anyhow::Result;
use dif::VerifiedDifo;
use dif::build::DifoBuilder;
use dif::difo::DifType;
use dif::mock::Mock;
use dif::opcode::{self, Op, Reg};

/// Instructions of one DIFO, but for its `ret`.
pub const LENGTH: u64 = 1000;

/// What the DIFO is made of.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    /// A short name, also on the command line.
    pub name: &'static str,
    /// Every other instruction is the `setx` of the next one's operand.
    constants: bool,
    /// Every instruction depends on a branch that is not taken, so that no run is longer than one.
    branches: bool,
}

/// All of them.
pub const ARITHMETIC: &[Arithmetic] = &[
    Arithmetic { name: "dif-registers", constants: false, branches: false },
    Arithmetic { name: "dif-constants", constants: true, branches: false },
    Arithmetic { name: "dif-branches", constants: false, branches: true },
];

impl Arithmetic {
    /// The code, verified.
    ///
    /// # Errors
    /// If it does not verify.
    pub fn build(&self) -> Result<VerifiedDifo> {
        let operations = [Op::Add, Op::Xor, Op::Mul, Op::Sub, Op::Or, Op::Sll, Op::And, Op::Srl];
        let mut code = DifoBuilder::new();
        let registers = (1..6_u8).cycle().zip((2..7_u8).cycle());
        let next = code.label();
        for (operation, (a, b)) in operations.into_iter().cycle().zip(registers) {
            if code.len() as u64 >= LENGTH {
                break;
            }
            if self.constants {
                code.integer(u64::from(b) + 11, Reg(b))?;
            }
            if self.branches {
                code.branch(Op::Bne, next);
            }
            code.emit(opcode::binary(operation, Reg(a), Reg(b), Reg(a)));
        }
        code.place(next);
        code.emit(opcode::ret(Reg(1)));
        Ok(dif::verify::verify(&code.finish(DifType::integer(8))?, 0)?)
    }

    /// Runs it so many times.
    ///
    /// # Errors
    /// If it faults.
    pub fn run(&self, rounds: u64) -> Result<()> {
        let code = self.build()?;
        let mut machine = Mock::new();
        for _ in 0..rounds {
            let value = dif::interp::run(std::hint::black_box(&code), &mut machine);
            std::hint::black_box(value).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        }
        Ok(())
    }
}
