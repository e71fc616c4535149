//! The session's programs: one a kernel, or one a machine if the script asks for addresses.

use std::{collections::BTreeMap, rc::Rc};

use dif::{
    difo::Difo,
    number::act,
    program::{OptionSetting, ProbeDesc, Program},
};
use dlang::Compiled;
use host::{
    arena::config::ArenaConfig,
    ecb::EcbLayout,
    ids::{Enabling, MachineId, ProbeId},
};

use super::{
    ScriptCompiler, SessionError,
    enabled::{Enabled, EnabledProbe, LoadedProgram},
    sizes::Use,
};
use crate::{machine::Machine, options::Options, world::KernelWorld};

/// One program, before and after the arena is known.
#[derive(Debug)]
struct Entry {
    /// The machine it was first compiled for.
    name: String,
    compiled: Option<Compiled>,
    loaded: Option<(Rc<LoadedProgram>, Rc<[u8]>)>,
}

/// Bytes of a clause's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordSize {
    /// In the arena.
    pub(super) ours: u64,
    /// In a buffer of the kernel's DTrace.
    pub(super) theirs: u64,
    /// It is one of END.
    pub(super) is_end: bool,
    /// It goes into a speculation's buffer.
    pub(super) speculates: bool,
}

/// What a record takes in the kernel's DTrace: 12 bytes of header (`dtrace_rechdr`), then data in
/// order, each aligned as its size allows, and what the next record's alignment leaves free.
fn classic_size(layout: &EcbLayout) -> u64 {
    let (mut size, mut align) = (12_u64, 4_u64);
    let mut records: Vec<_> = layout.records.iter().filter(|record| record.size > 0).collect();
    records.sort_by_key(|record| record.action);
    for record in records {
        let own = 1 << record.size.trailing_zeros().min(3);
        size = size.next_multiple_of(own) + u64::from(record.size);
        align = align.max(own);
    }
    size.next_multiple_of(align)
}

/// All programs, and which machine runs which.
#[derive(Debug, Default)]
pub(super) struct Programs {
    entries: Vec<Entry>,
    by_machine: BTreeMap<MachineId, usize>,
    by_kernel: BTreeMap<u64, usize>,
}

impl Programs {
    /// Compiles for all machines.
    pub(super) fn compile(
        &mut self,
        compiler: &mut dyn ScriptCompiler,
        machines: &[Machine],
        options: &Options,
    ) -> Result<(), SessionError> {
        let mut kernels: Vec<(u64, Vec<&Machine>)> = Vec::new();
        for machine in machines {
            match kernels.iter_mut().find(|(kernel, _)| *kernel == machine.kernel) {
                Some((_, group)) => group.push(machine),
                None => kernels.push((machine.kernel, vec![machine])),
            }
        }
        for (kernel, group) in kernels {
            let world = KernelWorld::new(group.clone(), options.resolvers);
            let compiled = compiler.compile(&world).map_err(SessionError::Compile)?;
            if world.symbols_used() && group.len() > 1 {
                for machine in group {
                    self.compile_one(compiler, machine, options)?;
                }
                continue;
            }
            let shared = (!world.symbols_used()).then_some(kernel);
            let ids: Vec<MachineId> = group.iter().map(|machine| machine.id).collect();
            self.add(group.first().map_or("", |machine| machine.name()), compiled, &ids, shared);
        }
        Ok(())
    }

    /// Compiles for one machine alone, unless its kernel's program fits it.
    pub(super) fn compile_one(
        &mut self,
        compiler: &mut dyn ScriptCompiler,
        machine: &Machine,
        options: &Options,
    ) -> Result<(), SessionError> {
        let world = KernelWorld::new(vec![machine], options.resolvers);
        let compiled = compiler.compile(&world).map_err(SessionError::Compile)?;
        self.add(machine.name(), compiled, &[machine.id], None);
        Ok(())
    }

    fn add(&mut self, name: &str, compiled: Compiled, ids: &[MachineId], kernel: Option<u64>) {
        let index = self.entries.len();
        let entry = Entry { name: name.to_owned(), compiled: Some(compiled), loaded: None };
        self.entries.push(entry);
        self.by_machine.extend(ids.iter().map(|id| (*id, index)));
        self.by_kernel.extend(kernel.map(|kernel| (kernel, index)));
    }

    /// Every program with the machine it was first compiled for.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Compiled)> {
        self.entries.iter().filter_map(|entry| {
            let loaded = entry.loaded.as_ref().map(|(program, _)| &program.compiled);
            Some((entry.name.as_str(), entry.compiled.as_ref().or(loaded)?))
        })
    }

    /// The options the scripts set; they are the same in every program.
    pub(super) fn options(&self) -> Vec<OptionSetting> {
        self.all().next().map(|(_, compiled)| compiled.program.options.clone()).unwrap_or_default()
    }

    /// Whether anything in them needs `-w`.
    pub(super) fn is_destructive(&self) -> bool {
        let harms = |program: &Program| {
            let mut actions = program.ecbs.iter().flat_map(|ecb| &ecb.actions);
            actions.any(|action| act::is_destructive(action.kind))
                || program.difos.iter().any(Difo::is_destructive)
        };
        self.all().any(|(_, compiled)| harms(&compiled.program))
    }

    /// Computes where data lie and writes the DOF of every program that has none yet.
    pub(super) fn lay_out(&mut self, config: &ArenaConfig) -> Result<(), SessionError> {
        for entry in &mut self.entries {
            let Some(compiled) = entry.compiled.take() else { continue };
            let count = u32::try_from(compiled.program.ecbs.len()).unwrap_or(u32::MAX);
            let layouts: Result<Vec<_>, _> =
                (0..count).map(|ecb| EcbLayout::of(&compiled.program, ecb, config)).collect();
            let dof = dif::dof::write(&compiled.program)
                .map_err(|error| SessionError::Dof(error.to_string()))?;
            let program = LoadedProgram { compiled, layouts: layouts? };
            entry.loaded = Some((Rc::new(program), dof.into()));
        }
        Ok(())
    }

    /// What the programs need buffers for.
    pub(super) fn uses(&self) -> Use {
        let any = |wanted: &dyn Fn(u16) -> bool| {
            let mut ecbs = self.all().flat_map(|(_, compiled)| &compiled.program.ecbs);
            ecbs.any(|ecb| ecb.actions.iter().any(|action| wanted(action.kind)))
        };
        Use {
            aggregates: any(&act::is_aggregation),
            speculates: any(&|kind| kind == act::SPECULATE),
        }
    }

    /// The sizes of every laid out clause's record, if it makes one.
    pub(super) fn record_sizes(&self) -> impl Iterator<Item = RecordSize> {
        let loaded = self.entries.iter().filter_map(|entry| entry.loaded.as_ref());
        loaded.flat_map(|(program, _)| {
            let Compiled { descriptions, program: code, .. } = &program.compiled;
            let all = program.layouts.iter().zip(descriptions).zip(&code.ecbs);
            all.filter(|((layout, _), _)| layout.size > 0).map(|((layout, (_, desc)), ecb)| {
                RecordSize {
                    ours: u64::from(layout.size),
                    theirs: classic_size(layout),
                    is_end: ["", "dtrace"].contains(&&*desc.provider) && desc.name == "END",
                    speculates: ecb.actions.iter().any(|action| action.kind == act::SPECULATE),
                }
            })
        })
    }

    /// Makes a machine that came later known, if the program of its kernel fits it.
    pub(super) fn adopt(&mut self, machine: &Machine) -> bool {
        let index = self.by_kernel.get(&machine.kernel).copied();
        if let Some(index) = index {
            self.by_machine.insert(machine.id, index);
        }
        index.is_some()
    }

    /// The program of a machine, and its DOF.
    pub(super) fn of(&self, machine: MachineId) -> Option<(Rc<LoadedProgram>, Rc<[u8]>)> {
        self.entries.get(*self.by_machine.get(&machine)?)?.loaded.clone()
    }
}

/// All that is to be enabled on a machine, with fresh EPIDs.
pub(super) fn enablings(
    machine: &Machine,
    program: &Rc<LoadedProgram>,
    options: &Options,
    error_number: u32,
    enabled: &mut Enabled,
) -> Vec<Enabling> {
    let name: Rc<str> = machine.name().into();
    let mut out = Vec::new();
    for (ecb, (_, desc)) in (0_u32..).zip(&program.compiled.descriptions) {
        let probe = |number: u32, names: [&str; 4]| {
            let [provider, module, function, name_] = names;
            EnabledProbe {
                machine: machine.id,
                machine_name: Rc::clone(&name),
                number,
                provider: provider.into(),
                module: module.into(),
                function: function.into(),
                name: name_.into(),
                program: Rc::clone(program),
                ecb: dif::program::EcbIndex(ecb),
            }
        };
        if machine.matches_error(desc, options.resolvers) {
            let epid = enabled.add(probe(error_number, ["dtrace", "", "", "ERROR"]));
            out.push(Enabling { probe: ProbeId::ERROR, ecb, epid, id: error_number });
            continue;
        }
        for (local, entry) in matching(machine, desc, options) {
            let id = machine.number_of(local);
            let names = [entry.provider, entry.module, entry.function, entry.name];
            let epid = enabled.add(probe(id, names));
            out.push(Enabling { probe: ProbeId(local), ecb, epid, id });
        }
    }
    out
}

fn matching<'a>(
    machine: &'a Machine,
    desc: &'a ProbeDesc,
    options: &Options,
) -> impl Iterator<Item = (u32, hypercall::ProbeEntry<'a>)> {
    machine.matching(desc, options.resolvers)
}
