//! A machine of a session: its link, and what was fetched over it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use dif::program::ProbeDesc;
use dlang::world::TypeFormat;
use host::{control::MachineInfo, ids::MachineId};
use hypercall::{Os, ProbeEntry};

use crate::{
    btf::Signatures,
    glob,
    link::{LinkError, MachineLink, SlotRange, TypeBlob},
    options::Resolvers,
    probes::{ProbeTable, field_match},
    symbols::SymbolTable,
};

/// Providers whose blank target means the host alone, so that a session has one BEGIN and one
/// `tick-5s`.
const HOST_ONLY: [&str; 2] = ["dtrace", "profile"];

/// The most slots that one machine gets, whatever it says of its CPUs.
const MAX_CPUS: u32 = 1024;

/// A kernel's types, shared by all machines that run it.
#[derive(Debug)]
pub struct KernelTypes {
    /// The containers, the image's own first.
    pub blobs: Vec<TypeBlob>,
    /// What functions take and return.
    pub signatures: Signatures,
}

impl KernelTypes {
    /// Makes BTF of what is not, once for all scripts that are compiled. What cannot be read is
    /// left out and said, with the name of the machine.
    fn new(
        blobs: Vec<TypeBlob>,
        symbols: &SymbolTable,
        machine: &str,
        warn: &mut dyn FnMut(String),
    ) -> Self {
        let container = |blob: &TypeBlob| blob.format == TypeFormat::Ctf;
        let blobs = if blobs.iter().any(container) {
            prepared(&blobs, symbols, machine, warn)
        } else {
            blobs
        };
        Self::of_btf(blobs)
    }

    /// Types that are BTF already.
    pub(crate) fn of_btf(blobs: Vec<TypeBlob>) -> Self {
        Self { signatures: Signatures::new(&blobs), blobs }
    }
}

fn prepared(
    blobs: &[TypeBlob],
    symbols: &SymbolTable,
    machine: &str,
    warn: &mut dyn FnMut(String),
) -> Vec<TypeBlob> {
    let containers: Vec<_> = blobs.iter().map(TypeBlob::container).collect();
    let (prepared, warnings) =
        dlang::types::prepare_with(&containers, &|module| symbols.ctf_symbols(module));
    warnings.iter().for_each(|line| warn(format!("{machine}: {line}")));
    prepared
        .into_iter()
        .map(|one| TypeBlob {
            module: one.module.to_owned(),
            format: one.format,
            bytes: one.bytes.into_owned(),
        })
        .collect()
}

/// A machine.
pub struct Machine {
    /// Its number in the session.
    pub id: MachineId,
    /// How it is reached.
    pub link: Box<dyn MachineLink>,
    /// Its probes.
    pub probes: ProbeTable,
    /// Its kernel's symbols.
    pub symbols: Rc<SymbolTable>,
    /// Its kernel's types.
    pub types: Rc<KernelTypes>,
    /// Tells kernels apart: machines with the same value share a world.
    pub kernel: u64,
    /// Its slots in the arena.
    pub slots: SlotRange,
    numbers: Vec<NumberRange>,
    aliases: Vec<Alias>,
}

/// Another name by which descriptions may call a probe's module (`libc` for `libc.so.6`).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    provider: String,
    called: String,
    module: String,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("id", &self.id).field("name", &self.name()).finish()
    }
}

/// A run of a machine's probes and the numbers that users see.
#[derive(Clone, Copy, Debug)]
struct NumberRange {
    local: u32,
    count: u32,
    number: u32,
}

/// Gives out probe numbers: all machines' probes in one row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    used: u32,
}

/// The names a target can be matched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// From its monitor.
    pub vmname: String,
    /// What it calls itself.
    pub hostname: String,
    /// `Linux-6.1.0-56-cloud-amd64`.
    pub version: String,
}

impl Names {
    /// The names in what a machine says of itself.
    #[must_use]
    pub fn new(info: &MachineInfo) -> Self {
        Self {
            vmname: info.vmname.clone(),
            hostname: info.hostname.clone(),
            version: os_version(info),
        }
    }

    /// Whether a target (not blank) means this machine.
    #[must_use]
    pub fn match_target(&self, target: &str, resolvers: Resolvers) -> bool {
        (resolvers.vmname && glob::matches(target, &self.vmname))
            || (resolvers.hostname && glob::matches(target, &self.hostname))
            || (resolvers.version && glob::matches(target, &self.version))
    }
}

/// `Linux-6.1.0-56-cloud-amd64`, or what is known of it.
#[must_use]
pub fn os_version(info: &MachineInfo) -> String {
    let os = match Os::from_raw(info.os) {
        Some(Os::Linux) => "Linux",
        Some(Os::FreeBsd) => "FreeBSD",
        None => "unknown",
    };
    if info.release.is_empty() { os.to_owned() } else { format!("{os}-{}", info.release) }
}

impl Machine {
    /// Fetches everything a session needs of a machine. What it cannot give (no types, no
    /// symbols) is reported through `warn` and the rest still works.
    ///
    /// # Errors
    /// [`LinkError`] if it cannot even say which probes it has.
    pub fn fetch(
        id: MachineId,
        mut link: Box<dyn MachineLink>,
        known: &[Self],
        numbers: &mut Numbers,
        warn: &mut dyn FnMut(String),
    ) -> Result<Self, LinkError> {
        let probes = link.probes()?;
        let cpus = link.info().ncpu.clamp(1, MAX_CPUS);
        let name = link.info().vmname.clone();
        let symbols = link.symbols().unwrap_or_else(|error| {
            warn(format!("{name}: no symbols: {error}"));
            SymbolTable::default()
        });
        let blobs = link.types().unwrap_or_else(|error| {
            warn(format!("{name}: no types: {error}"));
            Vec::new()
        });
        let kernel = kernel_hash(&blobs, link.info());
        let types = match known.iter().find(|machine| machine.kernel == kernel) {
            Some(machine) => Rc::clone(&machine.types),
            None => Rc::new(KernelTypes::new(blobs, &symbols, &name, warn)),
        };
        let slots = SlotRange { base: 0, count: cpus };
        let symbols = Rc::new(symbols);
        let (numbers_given, aliases) = (Vec::new(), Vec::new());
        let mut machine = Self {
            id,
            link,
            probes,
            symbols,
            types,
            kernel,
            slots,
            numbers: numbers_given,
            aliases,
        };
        machine.number(numbers);
        Ok(machine)
    }

    /// Gives it other types than it published. Machines with equal ones share a world.
    pub(crate) fn set_types(&mut self, types: Rc<KernelTypes>) {
        self.kernel = kernel_hash(&types.blobs, self.link.info());
        self.types = types;
    }

    /// Its name, from its monitor.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.link.info().vmname
    }

    /// Whether it is the host.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.id.0 == 0
    }

    /// Fetches the probe table anew and numbers what has come.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn refresh_probes(&mut self, numbers: &mut Numbers) -> Result<(), LinkError> {
        self.probes = self.link.probes()?;
        self.number(numbers);
        Ok(())
    }

    /// Makes probes that exist on demand.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn provide(&mut self, desc: &ProbeDesc, numbers: &mut Numbers) -> Result<(), LinkError> {
        let known = self.alias(desc).is_some();
        if let Some(module) = self.link.module_of(desc).filter(|_| !known) {
            let (provider, called) = (desc.provider.clone(), desc.module.clone());
            self.aliases.push(Alias { provider, called, module });
        }
        if self.link.provide(desc) { self.refresh_probes(numbers) } else { Ok(()) }
    }

    /// The module that a description's stands for, if that is another name of it.
    fn alias(&self, desc: &ProbeDesc) -> Option<&str> {
        let meant = |one: &&Alias| one.provider == desc.provider && one.called == desc.module;
        self.aliases.iter().find(meant).map(|one| one.module.as_str())
    }

    /// Numbers the probes that have no number yet.
    fn number(&mut self, numbers: &mut Numbers) {
        let known = self.numbers.last().map_or(0, |range| range.local + range.count - 1);
        let count = u32::try_from(self.probes.len()).unwrap_or(u32::MAX).saturating_sub(known);
        if count > 0 {
            self.numbers.push(NumberRange { local: known + 1, count, number: numbers.used + 1 });
            numbers.used = numbers.used.saturating_add(count);
        }
    }

    /// The number users see, for one of the machine's probes.
    #[must_use]
    pub fn number_of(&self, local: u32) -> u32 {
        let offset = |range: &NumberRange| {
            let offset = local.checked_sub(range.local)?;
            (offset < range.count).then(|| range.number + offset)
        };
        self.numbers.iter().find_map(offset).unwrap_or(0)
    }

    /// The machine's probe with a number that users see.
    #[must_use]
    pub fn local_of(&self, number: u32) -> Option<u32> {
        self.numbers.iter().find_map(|range| {
            let offset = number.checked_sub(range.number)?;
            (offset < range.count).then(|| range.local + offset)
        })
    }

    /// The probes that a description means on this machine, its target included.
    pub fn matching<'a>(
        &'a self,
        desc: &'a ProbeDesc,
        resolvers: Resolvers,
    ) -> Box<dyn Iterator<Item = (u32, ProbeEntry<'a>)> + 'a> {
        if desc.id != 0 {
            let local = self.local_of(desc.id);
            let entry = local.and_then(|local| Some((local, self.probes.get(local)?)));
            return Box::new(entry.into_iter());
        }
        if !desc.target.is_empty()
            && !Names::new(self.link.info()).match_target(&desc.target, resolvers)
        {
            return Box::new(std::iter::empty());
        }
        let host_only = desc.target.is_empty() && !self.is_host();
        let alias = self.alias(desc);
        Box::new(self.probes.iter().filter(move |(_, probe)| {
            field_match(desc, alias, probe) && !(host_only && HOST_ONLY.contains(&probe.provider))
        }))
    }

    /// Whether a description means the machine's `dtrace:::ERROR`, which every engine fires
    /// itself. A blank target means the session's one ERROR, wherever a fault happens.
    #[must_use]
    pub fn matches_error(&self, desc: &ProbeDesc, resolvers: Resolvers) -> bool {
        let target = desc.target.is_empty()
            || Names::new(self.link.info()).match_target(&desc.target, resolvers);
        target
            && desc.id == 0
            && desc.name == "ERROR"
            && glob::matches(&desc.provider, "dtrace")
            && desc.module.is_empty()
            && desc.function.is_empty()
    }
}

/// Two machines with equal types run the same kernel as far as compiling goes.
fn kernel_hash(blobs: &[TypeBlob], info: &MachineInfo) -> u64 {
    let mut hasher = DefaultHasher::new();
    info.os.hash(&mut hasher);
    if blobs.is_empty() {
        info.release.hash(&mut hasher);
    }
    for blob in blobs {
        (&blob.module, blob.format).hash(&mut hasher);
        blob.bytes.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use host::{arena::map::ArenaMap, ids::Enabling};

    use super::*;
    use crate::link::LinkEvent;

    /// A machine that only has tables.
    pub(crate) struct TableLink {
        pub(crate) info: MachineInfo,
        pub(crate) probes: ProbeTable,
        pub(crate) symbols: SymbolTable,
        pub(crate) types: Vec<TypeBlob>,
    }

    impl MachineLink for TableLink {
        fn info(&self) -> &MachineInfo {
            &self.info
        }
        fn probes(&mut self) -> Result<ProbeTable, LinkError> {
            Ok(self.probes.clone())
        }
        fn symbols(&mut self) -> Result<SymbolTable, LinkError> {
            Ok(self.symbols.clone())
        }
        fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError> {
            Ok(self.types.clone())
        }
        fn open(&mut self, _: &ArenaMap, _: MachineId, _: SlotRange) -> Result<(), LinkError> {
            Err(LinkError::Refused("tables only".into()))
        }
        fn load(&mut self, _: u64, _: &[u8]) -> Result<(), LinkError> {
            Err(LinkError::Refused("tables only".into()))
        }
        fn enable(&mut self, _: &[Enabling]) -> Result<Option<u32>, LinkError> {
            Err(LinkError::Refused("tables only".into()))
        }
        fn event(&mut self) -> Option<LinkEvent> {
            None
        }
    }

    /// Machines with the given names and probes; the first is the host.
    pub(crate) fn machines(specs: &[(&str, &[(&str, &str)])]) -> Vec<Machine> {
        let mut numbers = Numbers::default();
        let mut all: Vec<Machine> = Vec::new();
        for (id, (name, probes)) in (0..).zip(specs) {
            let info = MachineInfo {
                vmname: (*name).into(),
                hostname: format!("{name}.example"),
                os: 1,
                release: "6.1.0-56".into(),
                ready: true,
                ..MachineInfo::default()
            };
            let link = TableLink {
                info,
                probes: crate::probes::tests::table(probes),
                symbols: SymbolTable::default(),
                types: vec![crate::btf::tests::image(crate::btf::tests::sample())],
            };
            let machine =
                Machine::fetch(MachineId(id), Box::new(link), &all, &mut numbers, &mut |_| {});
            all.push(machine.unwrap());
        }
        all
    }

    fn desc(target: &str, provider: &str, name: &str) -> ProbeDesc {
        ProbeDesc {
            target: target.into(),
            provider: provider.into(),
            name: name.into(),
            ..ProbeDesc::default()
        }
    }

    const ALL: Resolvers = Resolvers { vmname: true, hostname: true, version: true };

    /// A blank target is every machine, but one BEGIN and one tick; a target is a glob over the
    /// machine's names, which `resolvers` narrows.
    #[test]
    fn targets_choose_machines() {
        let probes: &[(&str, &str)] =
            &[("dtrace:::BEGIN", ""), ("profile:::tick-1s", ""), ("syscall::read:entry", "")];
        let all = machines(&[("host", probes), ("vm-web-0", probes), ("vm-db-0", probes)]);
        let count = |desc: &ProbeDesc, resolvers| -> Vec<usize> {
            all.iter().map(|machine| machine.matching(desc, resolvers).count()).collect()
        };
        assert_eq!(count(&desc("", "syscall", "entry"), ALL), [1, 1, 1]);
        assert_eq!(count(&desc("", "", "BEGIN"), ALL), [1, 0, 0]);
        assert_eq!(count(&desc("", "profile", "tick-1s"), ALL), [1, 0, 0]);
        assert_eq!(count(&desc("vm-*", "profile", "tick-1s"), ALL), [0, 1, 1]);
        assert_eq!(count(&desc("Linux-6*", "syscall", ""), ALL), [1, 1, 1]);
        let vmname = Resolvers { vmname: true, hostname: false, version: false };
        assert_eq!(count(&desc("Linux-6*", "syscall", ""), vmname), [0, 0, 0]);
        assert_eq!(count(&desc("*.example", "syscall", ""), ALL), [1, 1, 1]);
    }

    /// Probes of all machines are numbered in one row, the host's first, and found by number.
    #[test]
    fn numbers_run_over_all_machines() {
        let probes: &[(&str, &str)] = &[("a:b:c:d", ""), ("a:b:c:e", "")];
        let all = machines(&[("host", probes), ("vm", probes)]);
        let numbers: Vec<u32> =
            all.iter().flat_map(|m| [1, 2].map(|local| m.number_of(local))).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(all[1].local_of(4), Some(2));
        assert_eq!(all[0].local_of(4), None);
        let by_number = ProbeDesc { id: 4, ..ProbeDesc::default() };
        assert_eq!(all[1].matching(&by_number, ALL).next().unwrap().1.name, "e");
    }

    /// One ERROR for the session with a blank target; a target confines it.
    #[test]
    fn error_is_every_machines() {
        let all = machines(&[("host", &[]), ("vm", &[])]);
        let matched = |desc: &ProbeDesc| -> Vec<bool> {
            all.iter().map(|machine| machine.matches_error(desc, ALL)).collect()
        };
        assert_eq!(matched(&desc("", "dtrace", "ERROR")), [true, true]);
        assert_eq!(matched(&desc("vm", "", "ERROR")), [false, true]);
        assert_eq!(matched(&desc("", "dtrace", "BEGIN")), [false, false]);
    }
}
