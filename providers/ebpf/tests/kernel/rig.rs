//! Two engines side by side.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
};

use dif::{
    env::{Fault, FaultKind},
    program::Program,
};
use dlang::{CompileOptions, Compiler, source::Origin, world::Bare};
use ebpf::{
    Host, Session,
    site::{Fired, KernelFacts, Kind, Select, Site, Source, Value},
    sys,
};
use host::{
    arena::{
        activity::Activity, config::ArenaConfig, header::DropKind, key, map::ArenaMap,
        reader::Reader, ring::RawRecord,
    },
    context::{FireContext, KernelStack},
    ecb::EcbLayout,
    engine::{ERROR_EPID, Engine, ErrorRecord, ProbeNames},
    ids::{Enabling, Epid, LocalSlot, MachineId, ProbeId, SlotId},
};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Compiles D.
pub(crate) fn compile(text: &str) -> Program {
    let mut compiler = Compiler::new(CompileOptions::default());
    let done = compiler
        .add_script(Origin::File("test.d".into()), text.as_bytes())
        .and_then(|_| compiler.compile(&Bare));
    done.unwrap_or_else(|error| panic!("{text}: {}", compiler.render(&error, true))).program
}

/// The thread that fires, as the interpreting engine asks for it.
pub(crate) struct Me {
    pub(crate) args: [u64; 10],
    name: Vec<u8>,
}

impl FireContext for Me {
    fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or(0)
    }
    fn pid(&self) -> u32 {
        std::process::id()
    }
    fn tid(&self) -> u32 {
        nix::unistd::gettid().as_raw().cast_unsigned()
    }
    fn ppid(&self) -> u32 {
        std::os::unix::process::parent_id()
    }
    fn uid(&self) -> u32 {
        nix::unistd::getuid().as_raw()
    }
    fn gid(&self) -> u32 {
        nix::unistd::getgid().as_raw()
    }
    fn cpu(&self) -> u32 {
        0
    }
    fn errno(&self) -> i32 {
        0
    }
    fn thread(&self) -> u64 {
        0
    }
    fn vtimestamp(&self) -> u64 {
        0
    }
    fn execname(&self) -> &[u8] {
        &self.name
    }
    fn ip(&self) -> u64 {
        0
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(&[])
    }
    fn read_kernel(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    /// The test's own memory is the traced process's.
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::at(FaultKind::BadAddr, addr);
        let base = usize::try_from(addr).map_err(|_| fault)?;
        let len = buf.len();
        let remote = [nix::sys::uio::RemoteIoVec { base, len }];
        let mut local = [std::io::IoSliceMut::new(buf)];
        match nix::sys::uio::process_vm_readv(Pid::this(), &mut local, &remote) {
            Ok(done) if done == len => Ok(()),
            _ => Err(fault),
        }
    }
    fn symbolize(&self, _addr: u64, _out: &mut [u8]) -> usize {
        0
    }
}

/// The probe that fires.
const NAMES: [&str; 4] = ["syscall", "", "read", "entry"];
/// Its number as users see it.
const ID: u32 = 77;

struct Names;

impl ProbeNames for Names {
    fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
        Some(if probe == ProbeId::ERROR { ["dtrace", "", "", "ERROR"] } else { NAMES })
    }
}

/// What a session left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// EPID and body of each record; of a fault, what is told.
    pub(crate) records: Vec<(u32, Vec<u8>)>,
    /// Variable, key, value.
    pub(crate) aggregations: Vec<(u32, Vec<key::KeyPart>, Vec<u64>)>,
    pub(crate) drops: BTreeMap<u8, u64>,
    /// The bytes of globals.
    pub(crate) globals: Vec<u8>,
}

/// Only one test at a time fires, from one CPU.
static TURN: Mutex<()> = Mutex::new(());

/// Both engines, with one program.
pub(crate) struct Rig {
    kernel: ArenaMap,
    session: Session,
    program: OwnedFd,
    plain: Engine,
    shadow: Arc<ArenaMap>,
    name: Vec<u8>,
    described: Program,
    _turn: MutexGuard<'static, ()>,
}

/// Whether there is no BPF here, which is said.
pub(crate) fn without_bpf() -> bool {
    match sys::array_map("probe", 8, true) {
        Ok(_) => false,
        Err(errno) => {
            eprintln!("skipped: no BPF here: {errno}");
            true
        }
    }
}

/// ECBs with their EPIDs.
type Ecbs = Vec<(u32, Epid)>;

/// ECBs of the probe that fires, and of `dtrace:::ERROR`.
fn split(program: &Program) -> (Ecbs, Ecbs) {
    let all =
        (0..).zip(&program.ecbs).map(|(at, ecb)| (ecb.probe.name == "ERROR", (at, Epid(at + 1))));
    let (errors, plain): (Vec<_>, Vec<_>) = all.partition(|(error, _)| *error);
    let strip = |list: Vec<(bool, (u32, Epid))>| list.into_iter().map(|(_, it)| it).collect();
    (strip(plain), strip(errors))
}

impl Rig {
    /// Both engines with a program; the kernel's refusal of ours is a failure.
    pub(crate) fn new(program: &Program) -> Self {
        Self::with(program, &|_| {})
    }

    /// The same with a configuration changed.
    pub(crate) fn with(program: &Program, change: &dyn Fn(&mut ArenaConfig)) -> Self {
        match Self::try_new(program, change) {
            Ok(rig) => rig,
            Err(ebpf::Error::Verifier { log, errno, .. }) => {
                let lines: Vec<&str> = log.lines().collect();
                let from = lines.len().saturating_sub(80);
                panic!("{errno}\n{}", lines.get(from..).unwrap_or_default().join("\n"));
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, with the error.
    pub(crate) fn try_new(
        program: &Program,
        change: &dyn Fn(&mut ArenaConfig),
    ) -> Result<Self, ebpf::Error> {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut cpu = CpuSet::new();
        cpu.set(0).unwrap();
        sched_setaffinity(Pid::from_raw(0), &cpu).unwrap();
        let cpus = u32::try_from(
            nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF).unwrap().unwrap(),
        )
        .unwrap();
        let mut config = ArenaConfig {
            nslots: cpus + 1,
            bufsize: 64 << 10,
            aggsize: 64 << 10,
            dynvarsize: 64 << 10,
            nspec: 2,
            specsize: 4096,
            ..ArenaConfig::default()
        };
        change(&mut config);
        config.add_program(program).unwrap();
        let kernel = ebpf::create_arena(config.clone()).unwrap();
        let shadow = ArenaMap::create(config).unwrap();
        for arena in [&kernel, &shadow] {
            Activity::step(&arena.header().activity, Activity::Inactive, Activity::Active);
        }
        let (ecbs, errors) = split(program);
        let fired = |names: [&str; 4], ecbs: &[(u32, Epid)], id| Fired {
            id,
            names: names.map(str::to_owned),
            ecbs: ecbs.to_vec(),
            source: Source { args: (0..10).map(Value::Word).collect(), ..Source::default() },
        };
        let host = Host {
            machine: MachineId(0),
            vmname: "host".into(),
            slot0: SlotId(1),
            cpus,
            facts: KernelFacts::default(),
        };
        let of_errors = fired(["dtrace", "", "", "ERROR"], &errors, 3);
        let of_errors = (!errors.is_empty()).then_some(of_errors);
        let session = Session::open(&kernel, &host, program, of_errors)?;
        let site = Site { kind: Kind::RawTracepoint, select: Select::One(fired(NAMES, &ecbs, ID)) };
        let loaded = session.program(&site)?;

        let plain = Engine::new(1, "host");
        let id =
            plain.open_mapped(shadow.map_again().unwrap(), MachineId(0), SlotId(1), 1).unwrap();
        plain.load_program(id, program).unwrap();
        let probe = |probe, id| move |&(ecb, epid): &(u32, Epid)| Enabling { probe, ecb, epid, id };
        let enablings: Vec<Enabling> = ecbs
            .iter()
            .map(probe(ProbeId(1), ID))
            .chain(errors.iter().map(probe(ProbeId::ERROR, 3)))
            .collect();
        plain.enable(id, &enablings, &Names).unwrap();
        let mut name = std::fs::read("/proc/thread-self/comm").unwrap();
        name.pop();
        Ok(Self {
            kernel,
            session,
            program: loaded,
            plain,
            shadow: Arc::new(shadow),
            name,
            described: program.clone(),
            _turn: turn,
        })
    }

    /// Fires in both engines.
    pub(crate) fn fire(&self, args: [u64; 10]) {
        let mut words = [0; 12];
        words[..10].copy_from_slice(&args);
        sys::test_run(self.program.as_fd(), &words).unwrap();
        let _ = self.plain.fire(LocalSlot(0), ProbeId(1), &Me { args, name: self.name.clone() });
    }

    /// The kernel's program.
    pub(crate) fn kernel_program(&self) -> &OwnedFd {
        &self.program
    }

    /// What the kernel's program, and what the interpreting engine left behind.
    pub(crate) fn traces(&self) -> [Traces; 2] {
        let _ = &self.session;
        let arenas = [&Arc::new(self.kernel.map_again().unwrap()), &self.shadow];
        arenas.map(|arena| traces(arena, &self.described))
    }

    /// Both must have left the same, which is returned.
    #[track_caller]
    pub(crate) fn agree(&self) -> Traces {
        let [kernel, plain] = self.traces();
        assert_eq!(kernel, plain, "left: the kernel's program, right: the interpreter");
        kernel
    }
}

/// The data of a record in the order of its layout, strings without what follows their NUL.
fn data(record: &RawRecord, program: &Program, config: &ArenaConfig) -> Vec<u8> {
    let layout = EcbLayout::of(program, record.epid.0 - 1, config).unwrap();
    let parts = layout.records.iter().map(|it| {
        let datum = layout.datum(&record.bytes, it.action).expect("a record holds its data");
        let end = datum.iter().position(|byte| it.is_string && *byte == 0);
        datum[..end.map_or(datum.len(), |end| end + 1)].to_vec()
    });
    parts.collect::<Vec<_>>().concat()
}

fn traces(arena: &Arc<ArenaMap>, program: &Program) -> Traces {
    let mut reader = Reader::new(Arc::clone(arena));
    let mut records = Vec::new();
    reader.drain_all(&mut |_, record: RawRecord| {
        let body = if record.epid == ERROR_EPID {
            format!("{:?}", ErrorRecord::from_record(&record.bytes)).into_bytes()
        } else {
            data(&record, program, arena.layout().config())
        };
        records.push((record.epid.0, body));
    });
    reader.snapshot_all();
    let mut aggregations: Vec<_> = reader
        .aggregations()
        .iter()
        .flat_map(|(id, map)| {
            map.iter().map(|(k, v)| (*id, key::parts(k).unwrap(), v.values.clone()))
        })
        .collect();
    aggregations.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut drops = BTreeMap::new();
    for (_, kind, count) in reader.drops() {
        *drops.entry(kind as u8).or_default() += count;
    }
    let globals = arena.layout().globals;
    let mut bytes = vec![0; usize::try_from(globals.len).unwrap()];
    assert!(arena.mem().read(usize::try_from(globals.offset).unwrap(), &mut bytes));
    let _ = DropKind::Error;
    Traces { records, aggregations, drops, globals: bytes }
}
