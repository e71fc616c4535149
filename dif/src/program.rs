//! The program model: what the compiler makes, DOF carries and an engine loads.

use alloc::{string::String, vec::Vec};

use crate::difo::Difo;

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
