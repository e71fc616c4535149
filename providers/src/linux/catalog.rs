//! All probes of the host's kernel.
//!
//! ```text
//!  syscall   the ABI's calls that this kernel has        tracepoints sys_enter, sys_exit
//!  proc sched io                                         see `standard`
//!  sdt       every tracepoint that the BTF describes     itself
//!  fbt       functions, entry and return                 kprobes, where the kernel has them
//! ```
//! What is missing on this machine costs probes, not the rest: every such thing is one line that
//! says what is missing and what it costs.

use std::{borrow::Cow, collections::HashMap};

use consumer::{btf::Signatures, link::TypeBlob};
use ebpf::site::{KernelFacts, Value};
use hypercall::{ProbeKind, standard::STANDARD};

use super::{
    functions::{Functions, KernelFunction},
    hook::Place,
    image::TypeWorld,
    layouts::Layouts,
    standard::{self, Kernel},
    syscalls,
    tracefs::Tracefs,
};

/// The image's name in probes' module field.
const IMAGE: &str = "vmlinux";

/// Where a probe of the catalog fires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A system call's entry or return.
    Syscall {
        /// Its number.
        number: u32,
        /// The return.
        on_return: bool,
    },
    /// A tracepoint of the probe's name.
    Tracepoint,
    /// A function's entry or return.
    Function {
        /// Where it begins.
        address: u64,
        /// The return.
        on_return: bool,
    },
    /// What its provider says.
    Places(Vec<Place>),
}

/// A probe of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelProbe {
    /// Provider.
    pub provider: Cow<'static, str>,
    /// Module.
    pub module: String,
    /// Function.
    pub function: String,
    /// Name.
    pub name: String,
    /// The types of its arguments; empty if they follow from its kind.
    pub args: String,
    /// What kind of probe it is.
    pub kind: ProbeKind,
    /// How many arguments it has.
    pub nargs: u8,
    /// Where it fires.
    pub source: Source,
}

impl KernelProbe {
    /// Where it fires; `compat` as in [`Catalog::compat`].
    #[must_use]
    pub fn places(&self, compat: Option<&Value>) -> Vec<Place> {
        match &self.source {
            Source::Places(places) => places.clone(),
            Source::Tracepoint => {
                let args = (0..self.nargs).map(Value::Word).collect();
                vec![Place::tracepoint(&self.name, args)]
            }
            Source::Function { address, on_return } => {
                vec![standard::function(*address, *on_return)]
            }
            Source::Syscall { number, on_return: false } => {
                vec![standard::syscall_entry(*number, compat)]
            }
            Source::Syscall { number, on_return: true } => {
                vec![standard::syscall_return(*number, compat)]
            }
        }
    }
}

/// The kernel's probes.
#[derive(Debug, Default)]
pub struct Catalog {
    /// In the order in which they are numbered.
    pub probes: Vec<KernelProbe>,
    /// What is not 0 in a system call of the 32-bit interface, if it can be told.
    pub compat: Option<Value>,
    /// Where things lie that every program may need.
    pub facts: KernelFacts,
}

/// What the catalog is made from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The functions that carry out the kernel's system calls, and their addresses.
    pub functions: &'a HashMap<String, u64>,
    /// The kernel's types.
    pub types: &'a [TypeBlob],
    /// Its events' descriptions.
    pub tracefs: Option<&'a Tracefs>,
    /// Its functions that can be probed.
    pub probed: &'a Functions,
}

impl Catalog {
    /// Finds all probes.
    #[must_use]
    pub fn new(sources: &Sources<'_>) -> Self {
        let signatures = Signatures::new(sources.types);
        let world = TypeWorld(sources.types);
        let layouts = Layouts::new(&world);
        let mut kernel = Kernel { layouts, signatures: &signatures, functions: sources.probed };
        let mut probes = syscall_probes(sources);
        probes.extend(standard_probes(&mut kernel));
        probes.extend(tracepoint_probes(&signatures));
        probes.extend(sources.probed.all().iter().flat_map(function_probes));
        let compat = kernel.compat();
        Self { probes, compat, facts: facts(&mut kernel.layouts) }
    }
}

fn facts(layouts: &mut Layouts<'_>) -> KernelFacts {
    let mut task = |member| layouts.offset("task_struct", member);
    let facts = KernelFacts {
        task_tgid: task("tgid"),
        task_pid: task("pid"),
        task_comm: task("comm"),
        task_real_parent: task("real_parent"),
        task_runtime: task("se.sum_exec_runtime"),
        task_cred: task("real_cred"),
        ..KernelFacts::default()
    };
    KernelFacts {
        cred_uid: layouts.offset("cred", "uid"),
        cred_gid: layouts.offset("cred", "gid"),
        ..facts
    }
}

fn syscall_probes(sources: &Sources<'_>) -> Vec<KernelProbe> {
    let calls = syscalls::calls(sources.functions, sources.tracefs);
    let both = calls.into_iter().flat_map(|call| {
        let entry = KernelProbe {
            provider: Cow::Borrowed("syscall"),
            module: IMAGE.to_owned(),
            function: call.name.clone(),
            name: "entry".to_owned(),
            args: call.args,
            kind: ProbeKind::SyscallEntry,
            nargs: call.nargs,
            source: Source::Syscall { number: call.number, on_return: false },
        };
        let leave = KernelProbe {
            name: "return".to_owned(),
            args: "long, long".to_owned(),
            kind: ProbeKind::SyscallReturn,
            nargs: 2,
            source: Source::Syscall { number: call.number, on_return: true },
            ..entry.clone()
        };
        [entry, leave]
    });
    both.collect()
}

fn standard_probes(kernel: &mut Kernel<'_>) -> Vec<KernelProbe> {
    let mut probes = Vec::new();
    for one in STANDARD {
        let Some(places) = standard::places(one, kernel) else { continue };
        probes.push(KernelProbe {
            provider: Cow::Borrowed(one.provider),
            module: IMAGE.to_owned(),
            function: one.function.to_owned(),
            name: one.name.to_owned(),
            args: one.args.to_owned(),
            kind: one.kind,
            nargs: one.nargs,
            source: Source::Places(places),
        });
    }
    probes
}

fn tracepoint_probes(signatures: &Signatures) -> Vec<KernelProbe> {
    /// D has ten arguments.
    const MOST: usize = 10;
    let all = signatures.tracepoints().into_iter().map(|(module, name)| {
        let types = signatures.tracepoint(module, name).unwrap_or_default();
        KernelProbe {
            provider: Cow::Borrowed("sdt"),
            module: module.to_owned(),
            function: String::new(),
            name: name.to_owned(),
            args: String::new(),
            kind: ProbeKind::Sdt,
            nargs: u8::try_from(types.len().min(MOST)).unwrap_or(0),
            source: Source::Tracepoint,
        }
    });
    all.collect()
}

fn function_probes(function: &KernelFunction) -> [KernelProbe; 2] {
    let probe = |on_return| KernelProbe {
        provider: Cow::Borrowed("fbt"),
        module: function.module.clone(),
        function: function.name.clone(),
        name: if on_return { "return" } else { "entry" }.to_owned(),
        args: String::new(),
        kind: if on_return { ProbeKind::FbtReturn } else { ProbeKind::FbtEntry },
        nargs: if on_return { 2 } else { 6 },
        source: Source::Function { address: function.address, on_return },
    };
    [probe(false), probe(true)]
}

#[cfg(test)]
mod tests {
    use hypercall::standard::LinuxHook;

    use super::*;
    use crate::linux::{hook::Hook, image};

    /// Without types there are no tracepoints; system calls are there by their numbers.
    #[test]
    fn a_kernel_without_types_has_system_calls() {
        let functions = HashMap::new();
        let probed = Functions::default();
        let sources = Sources { functions: &functions, types: &[], tracefs: None, probed: &probed };
        let catalog = Catalog::new(&sources);
        let standard: Vec<_> =
            catalog.probes.iter().filter(|probe| probe.provider != "syscall").collect();
        assert!(standard.iter().all(|probe| probe.name == "exec-failure"), "{standard:?}");
        assert!(catalog.probes.len() > 600);
        assert!(catalog.compat.is_none());
    }

    /// On a kernel with BTF every standard probe that its tracepoints allow is found, in places
    /// that are there.
    #[test]
    fn this_kernels_probes_are_where_its_tracepoints_are() {
        let Ok(types) = image::types() else {
            println!("skipped: this kernel shows no BTF");
            return;
        };
        let functions = image::kallsyms()
            .map(|text| image::functions(&text, syscalls::PREFIX))
            .unwrap_or_default();
        let probed = Functions::default();
        let sources =
            Sources { functions: &functions, types: &types, tracefs: None, probed: &probed };
        let catalog = Catalog::new(&sources);
        let find = |provider: &str, name: &str| {
            let found = catalog.probes.iter().find(|p| p.provider == provider && p.name == name);
            found.unwrap_or_else(|| panic!("no {provider}:::{name}"))
        };
        for one in STANDARD {
            // Those of functions need kprobes, which this kernel may lack.
            let Some(probe) =
                catalog.probes.iter().find(|p| p.provider == one.provider && p.name == one.name)
            else {
                assert!(one.hooks.iter().any(|hook| matches!(hook, LinuxHook::Entry(_))));
                continue;
            };
            for place in probe.places(None) {
                let known = one.hooks.iter().any(|hook| match (hook, &place.hook) {
                    (LinuxHook::Tracepoint(name), Hook::RawTracepoint(found)) => found == name,
                    (LinuxHook::SyscallReturn(_), Hook::RawTracepoint(found)) => {
                        found == "sys_exit"
                    }
                    _ => false,
                });
                assert!(known, "{}:::{}: {:?} is not in the table", one.provider, one.name, place);
            }
        }
        for (provider, name) in [
            ("proc", "create"),
            ("proc", "exec-success"),
            ("proc", "exit"),
            ("proc", "signal-send"),
            ("sched", "on-cpu"),
            ("sched", "off-cpu"),
            ("sched", "wakeup"),
            ("io", "start"),
            ("io", "done"),
            ("sdt", "sched_switch"),
        ] {
            let probe = find(provider, name);
            for place in probe.places(catalog.compat.as_ref()) {
                let Hook::RawTracepoint(tracepoint) = place.hook else { continue };
                if !matches!(tracepoint.as_str(), "sys_enter" | "sys_exit") {
                    find("sdt", &tracepoint);
                }
            }
        }
        assert!(find("sdt", "sched_switch").nargs >= 3);
        assert!(catalog.compat.is_some());
    }
}
