//! A loaded program: ECBs turned into steps with every offset resolved.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use dif::{
    decode::{Shape, VerifiedDifo},
    dof,
    env::Scope,
    number::{act, tf, var},
    opcode::{Instr, Op},
    program::{Action, EcbDesc, Program, ProgramError, VerifiedProgram},
};
use thiserror::Error;

use super::{
    demand::{self, Demand},
    expr::{Expr, FastAgg},
    quick::Quick,
    state::Places,
};
use crate::{
    arena::{
        agg::MAX_KEY_WORDS,
        aggfunc::AggFunc,
        config::{ArenaConfig, VarSpec},
        layout::Layout,
    },
    ecb::{AggDesc, EcbError, EcbLayout, RECORD_HEADER, RecordDesc},
    num::{high32, low32, u32_of, us},
};

/// Why a program is not loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The bytes are no DOF.
    #[error("the program cannot be read: {0}")]
    Dof(dof::ReadError),
    /// It breaks a rule of the verifier.
    #[error("the program is refused: {0}")]
    Verify(#[from] ProgramError),
    /// An ECB is senseless.
    #[error("clause {ecb}: {error}")]
    Ecb {
        /// Its place in the program.
        ecb: u32,
        /// What is wrong.
        error: EcbError,
    },
    /// A variable is not in the arena, or is another kind there.
    #[error("variable {id:#x} of the program is not in the arena, or is another kind of variable")]
    Variable {
        /// Its id.
        id: u32,
    },
    /// Destructive, but the session is not.
    #[error("clause {ecb} has a destructive action or subroutine, which the session may not use")]
    Destructive {
        /// Its place in the program.
        ecb: u32,
    },
}

/// A DIFO of the loaded program; checked when the program was loaded.
pub type DifoId = u32;

/// What one action does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Run an expression for its side effects.
    Eval(DifoId),
    /// Record a value of 1, 2, 4 or 8 bytes.
    Value {
        /// What computes it.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
        /// Bytes.
        size: u32,
    },
    /// Record a string.
    String {
        /// What computes its address.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
        /// Room, with the NUL.
        size: u32,
    },
    /// Record bytes.
    Bytes {
        /// What computes their address.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
        /// How many.
        size: u32,
        /// They are the process's.
        user: bool,
    },
    /// Record the process id and a value.
    User {
        /// What computes the value.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
    },
    /// Record a length and the bytes that a `memref()` names.
    Memref {
        /// What computes the address of the `memref()`'s two words.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
        /// Room, the length included.
        size: u32,
    },
    /// Record the process id and its program counters.
    UserStack {
        /// Bytes from the record's start.
        at: u32,
        /// How many at most.
        frames: u32,
        /// Room, the id and the text included.
        size: u32,
    },
    /// Record the kernel's program counters.
    Stack {
        /// Bytes from the record's start.
        at: u32,
        /// How many at most.
        frames: u32,
    },
    /// Record a stack as text.
    Immstack {
        /// Bytes from the record's start.
        at: u32,
        /// Room, with the NUL.
        size: u32,
        /// Lines at most.
        frames: u32,
    },
    /// End the session.
    Exit {
        /// What computes the status.
        difo: DifoId,
        /// Bytes from the record's start.
        at: u32,
    },
    /// What follows goes to a speculation.
    Speculate(DifoId),
    /// Commit or discard a speculation.
    EndSpeculation {
        /// What computes its id.
        difo: DifoId,
        /// Commit, else discard.
        commit: bool,
    },
    /// Feed an aggregation.
    Aggregate(Box<AggStep>),
    /// Ask the platform to do something.
    React {
        /// `DTRACEACT_*`.
        kind: u16,
        /// What computes its argument.
        difo: Option<DifoId>,
    },
}

/// One aggregating action with its key.
#[derive(Clone, Debug)]
pub struct AggStep {
    /// The variable's id: a constant in what our compiler makes, else an expression.
    pub varid: Result<u32, DifoId>,
    /// The key's elements.
    pub key: Vec<Step>,
    /// What is fed; 1 if there is none.
    pub value: Option<DifoId>,
    /// How often; 1 if there is none.
    pub weight: Option<DifoId>,
    /// The function.
    pub func: AggFunc,
    /// Words of its value.
    pub values: u32,
    /// The short way, if the key is one of few numbers.
    pub(crate) fast: Option<FastAgg>,
}

/// One ECB, ready to run.
#[derive(Clone, Debug)]
pub struct EcbCode {
    /// What must not be 0.
    pub predicate: Option<DifoId>,
    /// The actions' places with what they do.
    pub steps: Vec<(u32, Step)>,
    /// Bytes of the record, header included; 0: none.
    pub size: u32,
    /// What fires must carry for it.
    pub demand: Demand,
    /// It would change the machine.
    pub destructive: bool,
    /// Whether it is an empty clause: see [`EcbCode::is_bare`].
    bare: bool,
    /// The short way, if nothing in it can fault.
    pub(crate) quick: Option<Arc<Quick>>,
}

impl EcbCode {
    /// Whether it is an empty clause: it records that the probe fired, and nothing else.
    #[inline]
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.bare
    }
}

/// A verified program, bound to an arena's layout.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Its expressions.
    pub verified: VerifiedProgram,
    /// Its ECBs, at their places.
    pub ecbs: Vec<EcbCode>,
    /// Its expressions as the firing path evaluates them, at the same places.
    exprs: Vec<Expr>,
}

impl Loaded {
    /// Reads, verifies and binds a program.
    pub(crate) fn new(bytes: &[u8], layout: &Layout) -> Result<Arc<Self>, LoadError> {
        let program = dof::read(bytes).map_err(LoadError::Dof)?;
        Self::bind(&program, layout)
    }

    /// Verifies and binds a program.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn bind(program: &Program, layout: &Layout) -> Result<Arc<Self>, LoadError> {
        let verified = program.verify()?;
        check_variables(program, layout)?;
        let mut ecbs = Vec::with_capacity(program.ecbs.len());
        for (ecb, desc) in (0_u32..).zip(&program.ecbs) {
            let binder = Binder { program, verified: &verified, config: layout.config(), ecb };
            ecbs.push(binder.ecb(desc)?);
        }
        let places = Places::new(layout);
        let exprs: Vec<_> = verified.difos.iter().map(|difo| Expr::new(difo, &places)).collect();
        for (_, step) in ecbs.iter_mut().flat_map(|ecb: &mut EcbCode| &mut ecb.steps) {
            if let Step::Aggregate(agg) = step {
                agg.fast = FastAgg::new(agg, &exprs);
            }
        }
        for ecb in &mut ecbs {
            ecb.quick = Quick::new(ecb, &exprs);
        }
        Ok(Arc::new(Self { verified, ecbs, exprs }))
    }

    /// A DIFO as the firing path evaluates it.
    #[inline(always)]
    pub(crate) fn expr(&self, id: DifoId) -> Option<&Expr> {
        self.exprs.get(us(id))
    }

    #[inline]
    pub(crate) fn difo(&self, id: DifoId) -> Option<&VerifiedDifo> {
        self.verified.difos.get(us(id))
    }
}

/// Every variable of the program must lie in the arena as the program thinks it does.
fn check_variables(program: &Program, layout: &Layout) -> Result<(), LoadError> {
    let strsize = layout.config().strsize;
    for entry in program.difos.iter().flat_map(|difo| &difo.vars) {
        let Some(spec) = VarSpec::from_dif(entry, strsize) else { continue };
        if layout.var(spec.scope, spec.id).map(|place| place.spec) != Some(spec) {
            return Err(LoadError::Variable { id: entry.id });
        }
    }
    Ok(())
}

struct Binder<'a> {
    program: &'a Program,
    verified: &'a VerifiedProgram,
    config: &'a ArenaConfig,
    ecb: u32,
}

impl Binder<'_> {
    fn ecb(&self, desc: &EcbDesc) -> Result<EcbCode, LoadError> {
        let wrong = |error| LoadError::Ecb { ecb: self.ecb, error };
        let layout = EcbLayout::of(self.program, self.ecb, self.config).map_err(wrong)?;
        let destructive = self.check_destructive(desc)?;
        let mut steps = Vec::new();
        for record in &layout.records {
            if let Some(step) = self.step(desc, record) {
                steps.push((record.action, step));
            }
        }
        for agg in &layout.aggs {
            steps.push((agg.action, self.agg(desc, agg).map_err(wrong)?));
        }
        steps.sort_by_key(|(action, _)| *action);
        let predicate = desc.predicate.map(|index| index.0);
        let (size, demand) = (layout.size, self.demand(desc));
        let bare = predicate.is_none() && steps.is_empty() && size == RECORD_HEADER;
        Ok(EcbCode { predicate, steps, size, demand, destructive, bare, quick: None })
    }

    /// Whether the ECB would change the machine; an error if the session must not.
    fn check_destructive(&self, desc: &EcbDesc) -> Result<bool, LoadError> {
        let difo = |index: u32| self.verified.difos.get(us(index));
        let subroutine = self.difos_of(desc).any(|i| difo(i).is_some_and(|d| d.is_destructive()));
        // The consumer carries out system() and freopen(), and asks for itself.
        let action = desc
            .actions
            .iter()
            .any(|action| act::is_destructive(action.kind) && !act::is_printf_like(action.kind));
        if (subroutine || action) && !self.config.destructive {
            return Err(LoadError::Destructive { ecb: self.ecb });
        }
        Ok(subroutine || action)
    }

    fn difos_of<'d>(&self, desc: &'d EcbDesc) -> impl Iterator<Item = u32> + use<'d> {
        let actions = desc.actions.iter().filter_map(|action| action.difo);
        desc.predicate.into_iter().chain(actions).map(|index| index.0)
    }

    /// What a recording action does; `None` if only its presence in the record matters.
    fn step(&self, desc: &EcbDesc, record: &RecordDesc) -> Option<Step> {
        let action = desc.actions.get(us(record.action))?;
        let (at, size) = (record.offset, record.size);
        let difo = action.difo.map(|index| index.0);
        Some(match record.kind {
            act::STACK => Step::Stack { at, frames: size / 8 },
            act::USTACK | act::JSTACK => {
                let text = high32(action.arg).next_multiple_of(8);
                Step::UserStack { at, frames: (size - text) / 8 - 1, size }
            }
            act::PRINTM => Step::Memref { difo: difo?, at, size },
            act::IMMSTACK => {
                Step::Immstack { at, size, frames: (size - 1) / crate::ecb::IMMSTACK_LINE }
            }
            act::EXIT => Step::Exit { difo: difo?, at },
            act::SPECULATE => Step::Speculate(difo?),
            kind @ (act::COMMIT | act::DISCARD) => {
                Step::EndSpeculation { difo: difo?, commit: kind == act::COMMIT }
            }
            act::USYM | act::UMOD | act::UADDR => Step::User { difo: difo?, at },
            kind @ (act::STOP | act::RAISE | act::PANIC | act::BREAKPOINT | act::CHILL) => {
                Step::React { kind, difo }
            }
            _ => self.value(difo?, at, size, record.is_string),
        })
    }

    fn value(&self, difo: DifoId, at: u32, size: u32, is_string: bool) -> Step {
        let ret = self.verified.difos.get(us(difo)).map(VerifiedDifo::ret);
        let user = ret.is_some_and(|ty| ty.flags & tf::BYUREF != 0);
        match ret {
            _ if size == 0 => Step::Eval(difo),
            _ if is_string && !user => Step::String { difo, at, size },
            Some(ty) if ty.is_by_ref() => Step::Bytes { difo, at, size, user },
            _ => Step::Value { difo, at, size },
        }
    }

    fn agg(&self, desc: &EcbDesc, agg: &AggDesc) -> Result<Step, EcbError> {
        let action: &Action =
            desc.actions.get(us(agg.action)).ok_or(EcbError::NoEcb { ecb: self.ecb })?;
        let difo_of = |at: u32| desc.actions.get(us(at)).and_then(|a| a.difo).map(|i| i.0);
        let wrong = EcbError::Expression { action: agg.action, kind: agg.kind };
        let func = AggFunc::new(agg.kind, agg.arg).ok_or(wrong)?;
        let bytes: usize = agg.key.iter().map(|part| us(part.size) + 8).sum();
        if bytes / 8 > MAX_KEY_WORDS {
            return Err(EcbError::TooLarge { size: crate::num::u64_of(bytes) });
        }
        let key = agg.key.iter().filter_map(|part| self.step(desc, part)).collect();
        Ok(Step::Aggregate(Box::new(AggStep {
            varid: self.constant(difo_of(agg.varid).ok_or(wrong)?),
            key,
            value: action.difo.map(|index| index.0),
            weight: agg.weight.and_then(difo_of),
            func,
            values: func.words(),
            fast: None,
        })))
    }

    /// What an expression always returns, else the expression.
    fn constant(&self, difo: DifoId) -> Result<u32, DifoId> {
        match self.verified.difos.get(us(difo)).map(VerifiedDifo::shape) {
            Some(Shape::Constant(value)) => Ok(low32(value)),
            _ => Err(difo),
        }
    }

    /// What fires must carry for this ECB.
    fn demand(&self, desc: &EcbDesc) -> Demand {
        let mut demand = Demand::default();
        for index in self.difos_of(desc) {
            let Some(difo) = self.program.difos.get(us(index)) else { continue };
            for word in difo.text.iter().map(|word| Instr(*word)) {
                match word.op() {
                    Some(Op::Call) => demand.add(demand::of_subroutine(word.wide())),
                    Some(Op::Ldgs) => demand.add(demand::of_builtin(word.wide())),
                    Some(Op::Ldts | Op::Stts | Op::Ldtaa | Op::Sttaa) => {
                        demand.add(demand::of_builtin(var::TID));
                    }
                    _ => {}
                }
            }
            if difo.vars.iter().any(|entry| entry.scope == Scope::Thread) {
                demand.add(demand::of_builtin(var::TID));
            }
        }
        for action in &desc.actions {
            demand.add(demand::of_action(action, self.config));
        }
        demand
    }
}

/// How many ECBs a program has.
pub(crate) fn ecb_count(loaded: &Loaded) -> u32 {
    u32_of(loaded.ecbs.len())
}
