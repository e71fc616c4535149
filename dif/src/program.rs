//! The program model: what the compiler makes, DOF carries and an engine loads.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use thiserror::Error;

use crate::{
    decode::VerifiedDifo,
    difo::{DifVar, Difo},
    env::Scope,
    number::{act, agg, var},
    verify::{VerifyError, verify},
};

/// A DIFO's place in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DifoIndex(pub u32);

/// An ECB's place in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EcbIndex(pub u32);

/// A probe description with the target field: globs, empty means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProbeDesc {
    /// Which machines; the fifth, leading field.
    pub target: String,
    /// Provider glob.
    pub provider: String,
    /// Module glob.
    pub module: String,
    /// Function glob.
    pub function: String,
    /// Name glob.
    pub name: String,
    /// A probe named by number; 0 if by fields.
    pub id: u32,
}

/// One action of a clause, `dof_actdesc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// `DTRACEACT_*` (or an aggregation's `DTRACEAGG_*`).
    pub kind: u16,
    /// What computes the datum; `None` where the kind needs none.
    pub difo: Option<DifoIndex>,
    /// For an aggregating action: how many preceding `DIFEXPR` actions are its key, with the
    /// variable id as the first of them, as in DOF. Otherwise 0 or the tuple length of printf.
    pub ntuple: u32,
    /// The kind's argument (`lquantize` steps, stack frames, …).
    pub arg: u64,
    /// The kind's text: a format (`printf`, `printa`), a command (`system`), a file name.
    pub format: Option<String>,
    /// The consumer's own word: statement number in the clause, so that several records make one
    /// statement.
    pub uarg: u64,
}

/// A clause on one probe description: predicate and actions (`dof_ecbdesc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcbDesc {
    /// Which probes.
    pub probe: ProbeDesc,
    /// What must be non-zero for the actions to run.
    pub predicate: Option<DifoIndex>,
    /// In order.
    pub actions: Vec<Action>,
    /// The clause's number in the script, counted from 0 (one clause with three descriptions
    /// makes three ECBs with one number).
    pub clause: u32,
}

/// A session option that the script sets with `#pragma D option`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionSetting {
    /// As in `-x name=value`.
    pub name: String,
    /// `None` for a bare name.
    pub value: Option<String>,
}

/// A compiled script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Every DIFO, referred to by index.
    pub difos: Vec<Difo>,
    /// Every ECB, in script order.
    pub ecbs: Vec<EcbDesc>,
    /// The script's own options.
    pub options: Vec<OptionSetting>,
}

/// The most DIFOs or ECBs a program may have.
pub const MAX_OBJECTS: usize = 1 << 20;

/// Why a program is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// More than [`MAX_OBJECTS`] DIFOs or ECBs.
    #[error("the program has more than {MAX_OBJECTS} expressions or clauses")]
    TooLarge,
    /// An ECB names a DIFO that is not there.
    #[error("clause {ecb} refers to expression {difo}, which the program does not have")]
    NoSuchDifo {
        /// The ECB's place.
        ecb: usize,
        /// The number it names.
        difo: u32,
    },
    /// An action of a kind that there is not.
    #[error("clause {ecb}: there is no action of kind {kind:#06x}")]
    UnknownAction {
        /// The ECB's place.
        ecb: usize,
        /// The kind.
        kind: u16,
    },
    /// An action without the expression it needs.
    #[error("clause {ecb}: action {kind:#06x} lacks its expression")]
    MissingDifo {
        /// The ECB's place.
        ecb: usize,
        /// The kind.
        kind: u16,
    },
    /// A tuple that does not consist of the recording actions before its aggregation.
    #[error("clause {ecb}: action {kind:#06x} claims a tuple of {ntuple} that does not precede it")]
    BadTuple {
        /// The ECB's place.
        ecb: usize,
        /// The kind.
        kind: u16,
        /// What it claims.
        ntuple: u32,
    },
    /// Text with a NUL inside.
    #[error("clause {ecb}: a text contains a NUL")]
    NulInText {
        /// The ECB's place.
        ecb: usize,
    },
    /// Two DIFOs take one variable for different things.
    #[error("expression {difo}: variable `{name}` has another type than elsewhere")]
    VariableMismatch {
        /// The DIFO's place.
        difo: usize,
        /// The variable's name.
        name: String,
    },
    /// String constants of all DIFOs reach 4 GiB.
    #[error("the program's string constants reach 4 GiB")]
    TooManyStrings,
    /// A DIFO breaks one of the verifier's rules.
    #[error("expression {difo}: {error}")]
    Difo {
        /// The DIFO's place.
        difo: usize,
        /// The rule.
        error: VerifyError,
    },
}

/// A program whose every DIFO has passed the verifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedProgram {
    /// The DIFOs, at the places of [`Program::difos`].
    pub difos: Vec<VerifiedDifo>,
    /// What [`crate::env::Region::Strings`] holds: all DIFOs' string constants.
    pub strings: Vec<u8>,
}

impl Program {
    /// Checks what holds the program together: indices, action kinds, tuples, and that all DIFOs
    /// agree on the variables they share.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ProgramError> {
        if self.difos.len() > MAX_OBJECTS || self.ecbs.len() > MAX_OBJECTS {
            return Err(ProgramError::TooLarge);
        }
        for (at, ecb) in self.ecbs.iter().enumerate() {
            self.check_ecb(at, ecb)?;
        }
        self.check_variables()
    }

    /// Validates the program and verifies every DIFO.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<VerifiedProgram, ProgramError> {
        self.validate()?;
        let mut verified = VerifiedProgram::default();
        for (at, difo) in self.difos.iter().enumerate() {
            let base =
                u32::try_from(verified.strings.len()).map_err(|_| ProgramError::TooManyStrings)?;
            let ready =
                verify(difo, base).map_err(|error| ProgramError::Difo { difo: at, error })?;
            verified.difos.push(ready);
            verified.strings.extend_from_slice(&difo.strings);
        }
        Ok(verified)
    }

    fn check_index(&self, ecb: usize, index: Option<DifoIndex>) -> Result<(), ProgramError> {
        let Some(DifoIndex(difo)) = index else {
            return Ok(());
        };
        let there = usize::try_from(difo).is_ok_and(|at| at < self.difos.len());
        if there { Ok(()) } else { Err(ProgramError::NoSuchDifo { ecb, difo }) }
    }

    fn check_ecb(&self, at: usize, ecb: &EcbDesc) -> Result<(), ProgramError> {
        let ProbeDesc { target, provider, module, function, name, id: _ } = &ecb.probe;
        let fields = [target, provider, module, function, name];
        let formats = ecb.actions.iter().filter_map(|action| action.format.as_ref());
        if fields.into_iter().chain(formats).any(|text| text.contains('\0')) {
            return Err(ProgramError::NulInText { ecb: at });
        }
        self.check_index(at, ecb.predicate)?;
        for (place, action) in ecb.actions.iter().enumerate() {
            self.check_index(at, action.difo)?;
            check_action(at, &ecb.actions, place, action)?;
        }
        Ok(())
    }

    /// A variable is one thing in all DIFOs: the engine keeps one cell for it.
    fn check_variables(&self) -> Result<(), ProgramError> {
        let mut known: BTreeMap<(u8, u32), &DifVar> = BTreeMap::new();
        for (at, difo) in self.difos.iter().enumerate() {
            for entry in &difo.vars {
                if entry.id < u32::from(var::OTHER_UBASE) {
                    continue;
                }
                let first = *known.entry((scope_key(entry.scope), entry.id)).or_insert(entry);
                let same = first.is_array == entry.is_array
                    && first.ty.kind == entry.ty.kind
                    && first.ty.flags == entry.ty.flags
                    && first.ty.size == entry.ty.size;
                if !same {
                    let name = entry.name.clone();
                    return Err(ProgramError::VariableMismatch { difo: at, name });
                }
            }
        }
        Ok(())
    }
}

const fn scope_key(scope: Scope) -> u8 {
    match scope {
        Scope::Global => 0,
        Scope::Thread => 1,
        Scope::Local => 2,
    }
}

/// Actions that compute nothing, or may do without an expression.
const fn needs_difo(kind: u16) -> bool {
    !matches!(
        kind,
        act::PRINTF
            | act::PRINTA
            | act::LIBACT
            | act::USTACK
            | act::JSTACK
            | act::STOP
            | act::SYSTEM
            | act::FREOPEN
            | act::STACK
            | act::IMMSTACK
            | act::BREAKPOINT
            | act::PANIC
            | agg::COUNT
    )
}

/// Actions that can be part of an aggregation's key.
const fn is_key_part(kind: u16) -> bool {
    matches!(
        kind,
        act::DIFEXPR
            | act::STACK
            | act::IMMSTACK
            | act::USTACK
            | act::JSTACK
            | act::SYM
            | act::MOD
            | act::USYM
            | act::UMOD
            | act::UADDR
    )
}

fn check_action(
    ecb: usize,
    actions: &[Action],
    place: usize,
    action: &Action,
) -> Result<(), ProgramError> {
    let kind = action.kind;
    if !act::is_known(kind) {
        return Err(ProgramError::UnknownAction { ecb, kind });
    }
    if needs_difo(kind) && action.difo.is_none() {
        return Err(ProgramError::MissingDifo { ecb, kind });
    }
    let ntuple = usize::try_from(action.ntuple).unwrap_or(usize::MAX);
    let sane = if act::is_aggregation(kind) {
        place
            .checked_sub(ntuple)
            .and_then(|first| actions.get(first..place))
            .is_some_and(|key| key.iter().all(|part| is_key_part(part.kind)))
    } else {
        ntuple <= actions.len()
    };
    if sane { Ok(()) } else { Err(ProgramError::BadTuple { ecb, kind, ntuple: action.ntuple }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        difo::DifType,
        opcode::{Op, Reg, ret, unary, variable},
    };

    fn constant() -> Difo {
        Difo {
            text: vec![unary(Op::Mov, Reg(0), Reg(1)), ret(Reg(1))],
            integers: vec![],
            strings: vec![],
            vars: vec![],
            ret: DifType::integer(8),
        }
    }

    fn action(kind: u16, difo: Option<u32>, ntuple: u32) -> Action {
        let difo = difo.map(DifoIndex);
        Action { kind, difo, ntuple, arg: 0, format: None, uarg: 0 }
    }

    fn program(actions: Vec<Action>) -> Program {
        let probe = ProbeDesc::default();
        let ecb = EcbDesc { probe, predicate: None, actions, clause: 0 };
        Program { difos: vec![constant()], ecbs: vec![ecb], options: vec![] }
    }

    /// A key, its aggregation, and a plain record pass.
    #[test]
    fn a_sane_program_is_accepted() {
        let sane = program(vec![
            action(act::DIFEXPR, Some(0), 0),
            action(act::IMMSTACK, None, 0),
            action(agg::COUNT, None, 2),
            action(act::PRINTF, None, 0),
        ]);
        assert_eq!(sane.verify().map(|program| program.difos.len()), Ok(1));
    }

    /// What a loader would otherwise index with is in range.
    #[test]
    fn dangling_indices_are_refused() {
        let mut bad = program(vec![action(act::DIFEXPR, Some(1), 0)]);
        assert_eq!(bad.validate(), Err(ProgramError::NoSuchDifo { ecb: 0, difo: 1 }));
        bad = program(vec![]);
        bad.ecbs[0].predicate = Some(DifoIndex(7));
        assert_eq!(bad.validate(), Err(ProgramError::NoSuchDifo { ecb: 0, difo: 7 }));
    }

    /// Unknown kinds, missing expressions and NULs are refused by name.
    #[test]
    fn malformed_actions_are_refused() {
        let check = |actions| program(actions).validate();
        assert_eq!(
            check(vec![action(0x0a01, Some(0), 0)]),
            Err(ProgramError::UnknownAction { ecb: 0, kind: 0x0a01 })
        );
        assert_eq!(
            check(vec![action(agg::SUM, None, 0)]),
            Err(ProgramError::MissingDifo { ecb: 0, kind: agg::SUM })
        );
        let mut nul = action(act::PRINTF, None, 0);
        nul.format = Some("a\0b".into());
        assert_eq!(check(vec![nul]), Err(ProgramError::NulInText { ecb: 0 }));
    }

    /// A tuple cannot reach before the clause or over another action's data.
    #[test]
    fn tuples_must_precede_their_aggregation() {
        for actions in [
            vec![action(agg::COUNT, None, 1)],
            vec![action(act::EXIT, Some(0), 0), action(agg::COUNT, None, 1)],
            vec![action(agg::COUNT, None, u32::MAX)],
            vec![action(act::PRINTF, None, 2)],
        ] {
            let refused = program(actions).validate();
            assert!(matches!(refused, Err(ProgramError::BadTuple { .. })), "{refused:?}");
        }
    }

    /// One cell cannot be an integer here and a string there.
    #[test]
    fn a_variable_has_one_type() {
        let mut first = constant();
        first.vars.push(DifVar {
            name: "x".into(),
            id: 0x500,
            is_array: false,
            scope: Scope::Global,
            is_read: true,
            is_written: false,
            ty: DifType::integer(8),
        });
        first.text[0] = variable(Op::Ldgs, 0x500, Reg(1));
        let mut second = first.clone();
        second.vars[0].ty = DifType::STRING;
        let bad = Program { difos: vec![first, second], ..Program::default() };
        let expected = ProgramError::VariableMismatch { difo: 1, name: "x".into() };
        assert_eq!(bad.verify(), Err(expected));
    }
}
