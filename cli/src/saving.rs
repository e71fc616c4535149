//! Saved programs: `-e -o` writes one, `-Y` runs it, `-y` links it for another machine.
//!
//! A program is compiled for one kernel and linked for every other at load: which kernel that is
//! matters little. It is that of the machine that has most of the probes; the host's, if none of
//! the machines there are has any.

use std::fs;

use consumer::{
    debuginfo::TypeFiles,
    machine::Machine,
    options::{Options, Resolvers},
    session::{ScriptCompiler, printer::system_words},
    world::KernelWorld,
};
use dif::program::ProbeDesc;
use dlang::{
    Compiled, World,
    saved::Saved,
    world::{ArgTypes, Os, Symbol, TypeContainer},
};

use crate::{
    invocation::Invocation,
    one_cpu,
    scripts::{Reports, Script, Scripts},
    tracing::{Failure, Program, complain, find},
};

/// A kernel on which every description matches something: its probes may be another machine's.
struct SavingWorld<'m> {
    reference: KernelWorld<'m>,
    others: Vec<KernelWorld<'m>>,
}

impl<'m> SavingWorld<'m> {
    fn new(machines: &'m [Machine], descriptions: &[ProbeDesc], resolvers: Resolvers) -> Self {
        let world = |machine| KernelWorld::new(vec![machine], resolvers);
        let mut worlds: Vec<_> = machines.iter().map(world).collect();
        let count = |world: &KernelWorld<'_>| {
            descriptions.iter().filter(|desc| world.matches(desc) > 0).count()
        };
        // The first of those with most: `max_by_key` takes the last.
        let best = (0..worlds.len()).rev().max_by_key(|at| worlds.get(*at).map(count));
        let reference = worlds.remove(best.unwrap_or(0));
        Self { reference, others: worlds }
    }
}

impl World for SavingWorld<'_> {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        self.reference.types()
    }

    fn symbol(&self, module: Option<&str>, name: &str) -> Option<Symbol> {
        self.reference.symbol(module, name)
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        self.reference.matches(desc).max(1)
    }

    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes {
        let mut all = std::iter::once(&self.reference).chain(&self.others);
        let having = all.find(|world| world.matches(desc) > 0);
        having.map_or(ArgTypes::Untyped, |world| world.arg_types(desc))
    }

    fn os(&self) -> Os {
        self.reference.os()
    }

    fn name(&self) -> &str {
        self.reference.name()
    }
}

/// The machines, with the types that `-x debuginfo` gives them and the probes that descriptions
/// ask for.
fn machines(
    invocation: &Invocation,
    options: &Options,
    descriptions: &[ProbeDesc],
) -> Result<Vec<Machine>, Failure> {
    let mut found = find(invocation)?;
    let mut files = TypeFiles::new(options);
    for machine in &mut found.machines {
        files.apply(machine, options.resolvers).map_err(|error| Failure(error.to_string()))?;
        for desc in descriptions {
            machine
                .provide(desc, &mut found.numbers)
                .map_err(|error| Failure(error.to_string()))?;
        }
    }
    Ok(found.machines)
}

fn write(saved: &Saved, invocation: &Invocation) -> Result<(), Failure> {
    let name = invocation.output.as_deref().unwrap_or_default();
    let fail = |why: String| Failure(format!("failed to save the program in {name}: {why}"));
    let bytes = saved.write().map_err(|error| fail(error.to_string()))?;
    fs::write(name, bytes).map_err(|error| {
        Failure(format!("failed to open output file '{name}': {}", system_words(&error)))
    })
}

/// `-e -o file`.
///
/// # Errors
/// The scripts do not compile, or the file cannot be written.
pub(crate) fn save(
    invocation: &Invocation,
    options: &Options,
    mut scripts: Scripts,
) -> Result<(), Failure> {
    let descriptions = scripts.descriptions().to_vec();
    let machines = machines(invocation, options, &descriptions)?;
    let world = SavingWorld::new(&machines, &descriptions, options.resolvers);
    let compiled = scripts.compile(&world).map_err(Failure)?;
    let saved = Saved { os: world.os(), with_target: invocation.guests, descriptions, compiled };
    write(&saved, invocation)
}

fn read(name: &str) -> Result<Saved, Failure> {
    let fail = |why: String| Failure(format!("failed to load program {name}: {why}"));
    let bytes = fs::read(name)
        .map_err(|error| Failure(format!("failed to open {name}: {}", system_words(&error))))?;
    Saved::read(&bytes).map_err(|error| fail(error.to_string()))
}

/// `-y file -o other`.
///
/// # Errors
/// The program does not fit the machine, or a file cannot be read or written.
pub(crate) fn relink(invocation: &Invocation, options: &Options) -> Result<(), Failure> {
    let name = invocation.saved.as_deref().unwrap_or_default();
    let saved = read(name)?;
    let machines = machines(invocation, options, &saved.descriptions)?;
    let world = SavingWorld::new(&machines, &saved.descriptions, options.resolvers);
    let linked = saved.relink(&world);
    let linked =
        linked.map_err(|error| Failure(format!("failed to link program {name}: {error}")))?;
    complain(&format!("program '{name}' linked for {}", world.name()));
    write(&linked, invocation)
}

/// A saved program, as a session wants scripts.
pub(crate) struct SavedProgram {
    name: String,
    saved: Saved,
    cpu: Option<u32>,
}

impl SavedProgram {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or was saved with `-E` and is run without, or the other way round.
    pub(crate) fn open(name: &str, guests: bool, options: &Options) -> Result<Self, Failure> {
        let saved = read(name)?;
        if saved.with_target && !guests {
            let text = format!("failed to load program {name}: it was saved with -E: run it so");
            return Err(Failure(text));
        }
        // A script's own `#pragma D option cpu` was compiled into it.
        Ok(Self { name: name.to_owned(), saved, cpu: options.cpu })
    }

    pub(crate) fn into_program(self) -> Program {
        let script = Script {
            name: self.name.clone(),
            what: "program",
            descriptions: 0..self.saved.descriptions.len(),
        };
        let zdefs = self.saved.compiled.program.options.iter().any(|option| option.name == "zdefs");
        Program {
            compiler: Box::new(self),
            scripts: vec![script],
            zdefs,
            reports: Reports::default(),
        }
    }
}

/// A description's fields, without those of leading blanks.
fn words(desc: &ProbeDesc) -> String {
    let ProbeDesc { target, provider, module, function, name, id } = desc;
    if *id != 0 {
        return id.to_string();
    }
    let all = [target, provider, module, function, name].map(String::as_str).join(":");
    if target.is_empty() { all.trim_start_matches(':').to_owned() } else { all }
}

impl ScriptCompiler for SavedProgram {
    fn descriptions(&self) -> &[ProbeDesc] {
        &self.saved.descriptions
    }

    fn compile(&mut self, world: &dyn World) -> Result<Compiled, String> {
        let other_system = world.os() != self.saved.os
            && self.saved.descriptions.iter().any(|desc| world.matches(desc) > 0)
            && !self.saved.compiled.needs.checks.is_empty();
        if other_system {
            let text = "it was compiled for another operating system's types";
            return Err(format!("failed to load program {}: {text}", self.name));
        }
        let failed = |why: String| format!("failed to load program {}: {why}", self.name);
        let mut linked = self.saved.link(world).map_err(|error| failed(error.to_string()))?;
        if let Some(cpu) = self.cpu {
            one_cpu::restrict(&mut linked.program, cpu).map_err(failed)?;
        }
        Ok(linked)
    }

    fn no_match(&self, description: usize) -> String {
        let desc = self.saved.descriptions.get(description).map(words).unwrap_or_default();
        format!(
            "failed to load program {}: probe description {desc} does not match any probes",
            self.name
        )
    }
}
