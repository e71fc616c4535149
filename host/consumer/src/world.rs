//! A kernel as the compiler sees it: the machines that run it, taken together.
//!
//! Machines with equal types are one world and are compiled for once. The one thing that may
//! still differ between them is where symbols lie (KASLR): a world remembers whether the script
//! asked for an address, and the session then compiles for each machine by itself.

use std::cell::Cell;

use dif::program::ProbeDesc;
use dlang::world::{ArgType, ArgTypes, Os, Symbol, TypeContainer, World};
use hypercall::{ProbeEntry, ProbeKind};

use crate::{btf::Signature, link::TypeBlob, machine::Machine, options::Resolvers};

/// The machines of one kernel.
#[derive(Debug)]
pub struct KernelWorld<'m> {
    name: String,
    machines: Vec<&'m Machine>,
    resolvers: Resolvers,
    symbols_used: Cell<bool>,
}

impl<'m> KernelWorld<'m> {
    /// A world of machines that run the same kernel.
    #[must_use]
    pub fn new(machines: Vec<&'m Machine>, resolvers: Resolvers) -> Self {
        let name = machines.first().map_or_else(String::new, |machine| machine.name().to_owned());
        Self { name, machines, resolvers, symbols_used: Cell::new(false) }
    }

    /// The script asked for a symbol's address, which holds on one machine only.
    #[must_use]
    pub fn symbols_used(&self) -> bool {
        self.symbols_used.get()
    }

    /// The machines.
    #[must_use]
    pub fn machines(&self) -> &[&'m Machine] {
        &self.machines
    }

    fn matching<'a>(
        &'a self,
        desc: &'a ProbeDesc,
    ) -> impl Iterator<Item = (&'m Machine, ProbeEntry<'a>)> {
        self.machines.iter().flat_map(move |machine| {
            machine.matching(desc, self.resolvers).map(move |(_, probe)| (*machine, probe))
        })
    }
}

impl World for KernelWorld<'_> {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        let blobs = self.machines.first().map_or(&[][..], |machine| &machine.types.blobs);
        blobs.iter().map(TypeBlob::container).collect()
    }

    fn symbol(&self, module: Option<&str>, name: &str) -> Option<Symbol> {
        self.symbols_used.set(true);
        self.machines.first()?.symbols.find(module, name)
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        let errors = self.machines.iter().filter(|m| m.matches_error(desc, self.resolvers)).count();
        if errors > 0 { errors } else { self.matching(desc).count() }
    }

    fn arg_types(&self, desc: &ProbeDesc) -> ArgTypes {
        let mut all = self.matching(desc).map(|(machine, probe)| arg_types(machine, &probe));
        let Some(first) = all.next() else { return ArgTypes::Untyped };
        if all.all(|other| other == first) {
            return if first.is_empty() { ArgTypes::Untyped } else { ArgTypes::Typed(first) };
        }
        ArgTypes::Differ
    }

    fn os(&self) -> Os {
        let os = self.machines.first().map_or(0, |machine| machine.link.info().os);
        match hypercall::Os::from_raw(os) {
            Some(hypercall::Os::FreeBsd) => Os::FreeBsd,
            _ => Os::Linux,
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The types of a probe's `args[]`: from the probe itself if it says so, else from its function.
#[must_use]
pub fn arg_types(machine: &Machine, probe: &ProbeEntry<'_>) -> Vec<ArgType> {
    if !probe.args.is_empty() {
        return parse_types(probe.args);
    }
    let signatures = &machine.types.signatures;
    let function = || signatures.function(probe.module, probe.function);
    let types = match probe.kind {
        ProbeKind::FbtEntry => function().map(|signature| signature.parameters),
        ProbeKind::FbtReturn => function().map(return_types),
        ProbeKind::Sdt => signatures
            .tracepoint(probe.module, probe.name)
            .or_else(|| signatures.tracepoint(probe.module, &probe.name.replace('-', "_"))),
        _ => None,
    };
    natives(types.unwrap_or_default())
}

/// `args[0]` of a return is the offset in the function, `args[1]` what is returned.
fn return_types(signature: Signature) -> Vec<String> {
    std::iter::once("int".to_owned()).chain(signature.result).collect()
}

fn natives(types: Vec<String>) -> Vec<ArgType> {
    (0..10)
        .zip(types)
        .map(|(mapping, native)| ArgType { native, translated: None, mapping })
        .collect()
}

/// `struct bio * > bufinfo_t *, int`: a type for each argument, with what a translator makes of
/// it.
fn parse_types(text: &str) -> Vec<ArgType> {
    (0..10)
        .zip(split_types(text))
        .map(|(mapping, one)| match one.split_once('>') {
            Some((native, translated)) => ArgType {
                native: native.trim().to_owned(),
                translated: Some(translated.trim().to_owned()),
                mapping,
            },
            None => ArgType { native: one.trim().to_owned(), translated: None, mapping },
        })
        .collect()
}

/// Splits at the commas that are not inside parentheses.
fn split_types(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .filter(|one| !one.trim().is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::machines;

    const ALL: Resolvers = Resolvers { vmname: true, hostname: true, version: true };

    fn desc(provider: &str, name: &str) -> ProbeDesc {
        ProbeDesc { provider: provider.into(), name: name.into(), ..ProbeDesc::default() }
    }

    fn typed(natives: &[&str]) -> ArgTypes {
        ArgTypes::Typed(super::natives(natives.iter().map(|n| (*n).to_owned()).collect()))
    }

    /// Functions give their parameters, returns the value, tracepoints their typedef's
    /// parameters, and a probe's own word counts most.
    #[test]
    fn probes_have_their_functions_types() {
        let all = machines(&[(
            "host",
            &[
                ("fbt:vmlinux:vfs_read:entry", ""),
                ("fbt:vmlinux:vfs_read:return", ""),
                ("sdt:vmlinux::sched_switch", ""),
                ("io:::start", "struct bio * > bufinfo_t *, int (*)(int, int)"),
            ],
        )]);
        let world = KernelWorld::new(all.iter().collect(), ALL);
        let expected = typed(&["struct file *", "char *", "size_t"]);
        assert_eq!(world.arg_types(&desc("fbt", "entry")), expected);
        assert_eq!(world.arg_types(&desc("fbt", "return")), typed(&["int", "long int"]));
        let expected = typed(&["int", "struct task_struct *"]);
        assert_eq!(world.arg_types(&desc("sdt", "")), expected);
        let ArgTypes::Typed(io) = world.arg_types(&desc("io", "")) else { panic!() };
        assert_eq!(
            (io[0].native.as_str(), io[0].translated.as_deref()),
            ("struct bio *", Some("bufinfo_t *"))
        );
        assert_eq!((io[1].native.as_str(), io[1].mapping), ("int (*)(int, int)", 1));
    }

    /// Probes that disagree have no typed arguments; what matches nothing has none either.
    #[test]
    fn disagreement_is_said() {
        let all = machines(&[(
            "host",
            &[("fbt:vmlinux:vfs_read:entry", ""), ("fbt:vmlinux:f:entry", ""), ("x:::y", "")],
        )]);
        let world = KernelWorld::new(all.iter().collect(), ALL);
        assert_eq!(world.arg_types(&desc("fbt", "entry")), ArgTypes::Differ);
        assert_eq!(world.arg_types(&desc("x", "y")), ArgTypes::Untyped);
        assert_eq!(world.matches(&desc("nosuch", "")), 0);
    }

    /// Asking for a symbol is remembered: its address is one machine's.
    #[test]
    fn asking_for_symbols_is_remembered() {
        let all = machines(&[("host", &[])]);
        let world = KernelWorld::new(all.iter().collect(), ALL);
        assert!(!world.symbols_used());
        assert!(world.symbol(None, "jiffies").is_none());
        assert!(world.symbols_used());
    }
}
