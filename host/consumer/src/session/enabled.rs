//! What every record's EPID stands for.

use std::rc::Rc;

use dif::program::EcbIndex;
use dlang::{Compiled, compiled::Statement};
use host::{
    ecb::EcbLayout,
    ids::{Epid, MachineId},
};

/// A program as it is loaded in some machines: what the compiler said of it, and where the engine
/// puts its data.
#[derive(Debug)]
pub struct LoadedProgram {
    /// The compiler's outcome.
    pub compiled: Compiled,
    /// The layout of each ECB's record.
    pub layouts: Vec<EcbLayout>,
}

/// One EPID: an ECB on a probe of a machine.
#[derive(Clone, Debug)]
pub struct EnabledProbe {
    /// On which machine.
    pub machine: MachineId,
    /// That machine's name.
    pub machine_name: Rc<str>,
    /// The probe's number as users see it.
    pub number: u32,
    /// `provider:module:function:name`, in parts.
    pub provider: Box<str>,
    /// Module.
    pub module: Box<str>,
    /// Function.
    pub function: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Its program.
    pub program: Rc<LoadedProgram>,
    /// Its ECB of that program.
    pub ecb: EcbIndex,
}

impl EnabledProbe {
    /// Its statements.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        self.program.compiled.statements_of(self.ecb)
    }

    /// Where its data lie.
    #[must_use]
    pub fn layout(&self) -> Option<&EcbLayout> {
        self.program.layouts.get(usize::try_from(self.ecb.0).ok()?)
    }

    /// The datum that an action recorded; `None` if the record is too short for it.
    #[must_use]
    pub fn datum<'r>(&self, record: &'r [u8], action: usize) -> Option<&'r [u8]> {
        self.layout()?.datum(record, u32::try_from(action).ok()?)
    }

    /// Bytes that an action's datum has when its record is not packed.
    #[must_use]
    pub fn room(&self, action: usize) -> Option<usize> {
        let action = u32::try_from(action).ok()?;
        let found = self.layout()?.records.iter().find(|it| it.action == action)?;
        usize::try_from(found.size).ok()
    }

    /// `provider:module:function:name`, for a guest with its name in front.
    #[must_use]
    pub fn description(&self) -> String {
        let target =
            if self.machine.0 == 0 { String::new() } else { format!("{}:", self.machine_name) };
        let Self { provider, module, function, name, .. } = self;
        format!("{target}{provider}:{module}:{function}:{name}")
    }
}

/// All EPIDs of a session, given out from 1 and never again.
#[derive(Debug, Default)]
pub struct Enabled {
    probes: Vec<EnabledProbe>,
}

impl Enabled {
    /// Gives out the next EPID.
    pub fn add(&mut self, probe: EnabledProbe) -> Epid {
        self.probes.push(probe);
        Epid(u32::try_from(self.probes.len()).unwrap_or(u32::MAX))
    }

    /// What an EPID stands for.
    #[must_use]
    pub fn get(&self, epid: Epid) -> Option<&EnabledProbe> {
        self.probes.get(usize::try_from(epid.0.checked_sub(1)?).ok()?)
    }

    /// How many were given out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.probes.len()
    }

    /// None yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }
}
