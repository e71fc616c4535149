//! Consumers on the control socket, a fake guest at the doorbell, and arenas between them: the way
//! of a record from a fire to its reader.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use dif::asm::assemble;
use dif::number::act;
use dif::program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program};
use host::arena::activity::Activity;
use host::arena::config::ArenaConfig;
use host::arena::map::ArenaMap;
use host::arena::reader::Reader;
use host::arena::ring::RawRecord;
use host::control::{
    ConsumerEnd, PROTOCOL_VERSION, Reply, Request, blob, enabling_blob, read_blob,
};
use host::ids::{Enabling, Epid, ProbeId};
use hypercall::{Context, Jails, Nested, NestedKind, Status, probe_entries};
use npt::{Hpa, PhysMemory};
use shim::server::Server;
use shim::testing::FakeGuest;
use zerocopy::IntoBytes;

const OK: u32 = Status::Ok.raw();

/// A guest with ten probes whose shim listens.
struct Vm {
    guest: FakeGuest,
    server: Option<Server>,
    dir: PathBuf,
}

impl Vm {
    fn new(name: &str) -> Self {
        Self::with_jails(name, None)
    }

    fn with_jails(name: &str, jails: Option<Jails>) -> Self {
        let mut guest = FakeGuest::new(name, 2).expect("a fake guest");
        guest.jails = jails;
        assert_eq!(guest.hello(), OK);
        let text = FakeGuest::kernel_address(0x1000);
        assert_eq!(guest.symbols(&[(text, "vfs_read"), (text + 0x100, "ksys_read")]), OK);
        assert_eq!(guest.some_probes(10), OK);
        let dir = std::env::temp_dir().join(format!("ht-core-{}-{name}", std::process::id()));
        let server = Server::start(Arc::clone(&guest.shim), &dir).expect("a control socket");
        Self { guest, server: Some(server), dir }
    }

    fn connect(&self) -> Consumer {
        let path = self.server.as_ref().expect("running").path();
        let end = ConsumerEnd::connect(path).expect("somebody listens");
        let mut consumer = Consumer { end, news: Vec::new() };
        let hello = consumer.ask(&Request::Hello { version: PROTOCOL_VERSION });
        assert!(matches!(hello, Reply::Machine(info) if info.ready));
        consumer
    }

    /// POLLs until the guest has been told everything, as its thread would.
    fn poll_until(&mut self, enabled: &[u32]) {
        for _ in 0..10_000 {
            self.guest.poll(&[]).expect("the guest is known");
            if self.guest.enabled().keys().copied().eq(enabled.iter().copied()) {
                // Once more, to acknowledge.
                self.guest.poll(&[]).expect("the guest is known");
                return;
            }
            std::thread::yield_now();
        }
        panic!("the guest was told {:?}, not {enabled:?}", self.guest.enabled().keys());
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

/// One connection.
struct Consumer {
    end: ConsumerEnd,
    news: Vec<Reply>,
}

impl Consumer {
    fn ask(&mut self, request: &Request) -> Reply {
        self.end.send(request, None).expect("sent");
        self.answer()
    }

    fn ask_with(&mut self, request: &Request, fd: impl AsFd) -> Reply {
        self.end.send(request, Some(fd.as_fd())).expect("sent");
        self.answer()
    }

    /// The next message that is no news.
    fn answer(&mut self) -> Reply {
        loop {
            match self.end.receive().expect("an answer").0 {
                news @ (Reply::MachineUp(_)
                | Reply::MachineDown { .. }
                | Reply::ProbesChanged { .. }
                | Reply::Enabled { .. }) => self.news.push(news),
                answer => return answer,
            }
        }
    }

    /// Waits for the news that an enabling is carried out; returns how many probes failed.
    fn enabled(&mut self, sequence: u32) -> u32 {
        loop {
            let news = match self.news.pop() {
                Some(news) => news,
                None => self.end.receive().expect("news").0,
            };
            match news {
                Reply::Enabled { sequence: s, failed } if s == sequence => return failed,
                _ => {}
            }
        }
    }

    /// Opens a session over a new arena and loads a program.
    fn open(&mut self, program: &Program) -> Session {
        let mut config = ArenaConfig {
            nslots: 3,
            bufsize: 64 << 10,
            aggsize: 64 << 10,
            dynvarsize: 64 << 10,
            ..ArenaConfig::default()
        };
        config.add_program(program).expect("a good program");
        let arena = ArenaMap::create(config).expect("memory");
        let open = Request::Open { machine_id: 1, slot_base: 1, slots: 2 };
        assert_eq!(self.ask_with(&open, arena.fd()), Reply::Opened);
        let dof = blob("dof", &dif::dof::write(program).expect("writable")).expect("a memfd");
        let ecbs = u32::try_from(program.ecbs.len()).expect("few");
        assert_eq!(self.ask_with(&Request::Load { generation: 1 }, dof), Reply::Loaded { ecbs });
        let reader = Reader::new(Arc::new(arena));
        assert!(reader.step(Activity::Inactive, Activity::Active));
        Session { reader }
    }

    /// Enables ECB 0 on these probes; returns the request's sequence.
    fn enable(&mut self, probes: &[u32]) -> u32 {
        let enabling = |&probe: &u32| Enabling {
            probe: ProbeId(probe),
            ecb: 0,
            epid: Epid(probe),
            id: probe + 1000,
        };
        let list: Vec<_> = probes.iter().map(enabling).collect();
        let fd = enabling_blob(&list).expect("a memfd");
        let count = u32::try_from(list.len()).expect("few");
        match self.ask_with(&Request::Enable { count }, fd) {
            Reply::Accepted { sequence } => sequence,
            other => panic!("{other:?}"),
        }
    }
}

struct Session {
    reader: Reader,
}

impl Session {
    fn records(&mut self) -> Vec<RawRecord> {
        let mut records = Vec::new();
        self.reader.drain_all(&mut |_, record| records.push(record));
        records
    }
}

/// One clause that records what the expressions give.
fn program(expressions: &[&str]) -> Program {
    let mut program = Program::default();
    let mut actions = Vec::new();
    for text in expressions {
        let difo = DifoIndex(u32::try_from(program.difos.len()).expect("few"));
        program.difos.push(assemble(text).unwrap_or_else(|e| panic!("{e}: {text}")));
        actions.push(Action {
            kind: act::DIFEXPR,
            difo: Some(difo),
            ntuple: 0,
            arg: 0,
            format: None,
            uarg: 0,
        });
    }
    let probe = ProbeDesc::default();
    program.ecbs.push(EcbDesc { probe, predicate: None, actions, clause: 0 });
    program
}

const ARG0: &str = ".returns 0 1 0 8\nldgs arg0, %r1\nret %r1\n";
const PID: &str = ".returns 0 1 0 8\nldgs pid, %r1\nret %r1\n";
/// Eight bytes of guest kernel memory at `arg1`.
const DEREF: &str = ".returns 0 1 0 8\nldgs arg1, %r1\nldx [%r1], %r1\nret %r1\n";

/// From HELLO to a record in the arena, guest memory included.
#[test]
fn a_fire_becomes_a_record() {
    let mut vm = Vm::new("vm-record");
    let mut consumer = vm.connect();
    let mut session = consumer.open(&program(&[ARG0, PID, DEREF]));
    let sequence = consumer.enable(&[3]);
    vm.poll_until(&[3]);
    assert_eq!(consumer.enabled(sequence), 0);
    let carried = vm.guest.enabled().get(&3).expect("enabled").context;
    assert_eq!(carried & Context::IDS.bits(), Context::IDS.bits(), "the script reads pid");
    let at = vm.guest.put(0x2000, b"ABCDEFGH").expect("fits");
    assert_eq!(vm.guest.fire(1, 3, &[77, at], &[]), OK);
    assert_eq!(vm.guest.fire(0, 4, &[78, at], &[]), OK, "not enabled, but no error");
    let records = session.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.epid, Epid(3));
    let data: Vec<u64> =
        record.bytes.as_chunks().0.iter().skip(2).map(|word| u64::from_le_bytes(*word)).collect();
    assert_eq!(data, [77, 42, u64::from_le_bytes(*b"ABCDEFGH")]);
}

/// A consumer that dies leaves nothing instrumented after the next POLL, and another session over
/// the same probes goes on.
#[test]
fn a_dead_consumers_probes_are_disabled() {
    let mut vm = Vm::new("vm-dead");
    let (mut first, mut second) = (vm.connect(), vm.connect());
    let program = program(&[ARG0]);
    let (_one, mut two) = (first.open(&program), second.open(&program));
    first.enable(&[1, 2, 3]);
    second.enable(&[3, 4]);
    vm.poll_until(&[1, 2, 3, 4]);
    drop(first);
    vm.poll_until(&[3, 4]);
    assert_eq!(vm.guest.fire(0, 3, &[5], &[]), OK);
    assert_eq!(two.records().len(), 1);
    drop(second);
    vm.poll_until(&[]);
}

/// Probes the guest could not instrument are reported to whoever enabled them.
#[test]
fn failures_reach_the_consumer() {
    let mut vm = Vm::new("vm-fail");
    let mut consumer = vm.connect();
    let _session = consumer.open(&program(&[ARG0]));
    let sequence = consumer.enable(&[5, 6]);
    // The enabling arrives before its answer does, so one POLL is enough.
    assert_eq!(vm.guest.poll(&[]), Ok(1));
    assert_eq!(vm.guest.poll(&[6]), Ok(0));
    assert_eq!(consumer.enabled(sequence), 1);
}

/// A reboot ends the sessions of the life before, and consumers are told.
#[test]
fn a_reboot_ends_sessions() {
    let mut vm = Vm::new("vm-boot");
    let mut consumer = vm.connect();
    let _session = consumer.open(&program(&[ARG0]));
    let sequence = consumer.enable(&[1]);
    vm.poll_until(&[1]);
    assert_eq!(consumer.enabled(sequence), 0);
    assert_eq!(vm.guest.hello(), OK);
    assert_eq!(vm.guest.some_probes(10), OK);
    assert_eq!(vm.guest.poll(&[]), Ok(0), "the new life begins with nothing enabled");
    let fd = enabling_blob(&[]).expect("a memfd");
    let answer = consumer.ask_with(&Request::Enable { count: 0 }, fd);
    assert!(matches!(answer, Reply::Refused { .. }), "{answer:?}");
    let downs = consumer.news.iter().filter(|n| matches!(n, Reply::MachineDown { .. })).count();
    let ups = consumer.news.iter().filter(|n| matches!(n, Reply::MachineUp(_))).count();
    assert_eq!((downs, ups), (1, 2));
    let _again = consumer.open(&program(&[ARG0]));
    consumer.enable(&[2]);
    vm.poll_until(&[2]);
}

/// Tables are handed out as the guest wrote them, gone probes without their names; unloading
/// disables.
#[test]
fn tables_are_handed_out() {
    let mut vm = Vm::new("vm-tables");
    let mut consumer = vm.connect();
    let _session = consumer.open(&program(&[ARG0]));
    consumer.enable(&[2, 3]);
    vm.poll_until(&[2, 3]);
    assert_eq!(vm.guest.probes_gone(3, 2), OK);
    vm.guest.poll(&[]).expect("known");
    consumer.end.send(&Request::GetProbes, None).expect("sent");
    let (count, fd) = loop {
        if let (Reply::Probes { count, .. }, fd) = consumer.end.receive().expect("an answer") {
            break (count, fd.expect("a blob"));
        }
    };
    let bytes = read_blob(fd, 1 << 20).expect("readable");
    let names: Vec<_> = probe_entries(&bytes, count).map(|e| e.expect("parses").name).collect();
    assert_eq!(names.len(), 10);
    assert_eq!(&names[..5], ["probe0", "probe1", "", "", "probe4"]);
    assert!(matches!(consumer.ask(&Request::GetSymbols), Reply::Symbols { count: 2 }));
    assert_eq!(consumer.ask(&Request::GetTypes), Reply::Types(vec![]));
}

/// Requests out of order, of another version or without what belongs to them are refused in
/// words, and the connection lives on.
#[test]
fn senseless_requests_are_refused() {
    let vm = Vm::new("vm-odd");
    let path = vm.server.as_ref().expect("running").path().to_owned();
    let end = ConsumerEnd::connect(&path).expect("somebody listens");
    let mut consumer = Consumer { end, news: Vec::new() };
    let refused = |reply: Reply| matches!(reply, Reply::Refused { .. });
    assert!(refused(consumer.ask(&Request::GetProbes)));
    assert!(refused(consumer.ask(&Request::Hello { version: PROTOCOL_VERSION + 1 })));
    let hello = consumer.ask(&Request::Hello { version: PROTOCOL_VERSION });
    assert!(matches!(hello, Reply::Machine(info) if info.hostname == "fake"));
    assert!(refused(consumer.ask(&Request::Load { generation: 0 })));
    assert!(refused(consumer.ask(&Request::Enable { count: 3 })));
    let open = Request::Open { machine_id: 1, slot_base: 1, slots: 2 };
    assert!(refused(consumer.ask(&open)));
    let rubbish = blob("arena", &[0xff; 8192]).expect("a memfd");
    assert!(refused(consumer.ask_with(&open, rubbish)));
    let _session = consumer.open(&program(&[ARG0]));
    let rubbish = blob("dof", &[0xff; 4096]).expect("a memfd");
    assert!(refused(consumer.ask_with(&Request::Load { generation: 2 }, rubbish)));
    assert!(matches!(consumer.ask(&Request::Stats), Reply::Stats(s) if s.sessions == 1));
}

/// A second shim of one name does not take the first one's socket; a dead one's is replaced.
#[test]
fn sockets_are_owned() {
    let vm = Vm::new("vm-twice");
    let other = FakeGuest::new("vm-twice", 1).expect("a fake guest");
    assert!(Server::start(Arc::clone(&other.shim), &vm.dir).is_err());
    let path = vm.server.as_ref().expect("running").path().to_owned();
    assert!(path.exists());
    drop(vm);
    assert!(!path.exists());
}

/// Eight bytes of the memory of the guest's own guest at `arg0`.
const INNER: &str = ".returns 0 1 0 8\nflushts\nldgs arg0, %r1\npushtv DT_TYPE(0), %r0, %r1\n\
                     setx 8, %r1\npushtv DT_TYPE(0), %r0, %r1\ncall nested_copyin, %r1\n\
                     ldx [%r1], %r1\nret %r1\n";

/// Where the inner guest's physical memory begins in the fake guest's.
const INNER_RAM: u64 = 0x80_0000;

/// Gives the fake guest a guest of its own: 64 pages behind nested tables, with tables that map
/// two pages at the kernel's address which are no neighbours in its memory.
fn inner_guest(vm: &Vm) -> Nested {
    let ram = vm.guest.ram();
    let set = |at: u64, value: u64| ram.write(Hpa(at), &value.to_le_bytes()).expect("in RAM");
    let nested = 0x70_0000;
    for level in 0..3 {
        set(nested + level * 0x1000, (nested + (level + 1) * 0x1000) | 7);
        set(INNER_RAM + 0x1000 * (level + 1) + if level == 0 { 256 * 8 } else { 0 }, {
            (0x1000 * (level + 2)) | 3
        });
    }
    for page in 0..64 {
        set(nested + 0x3000 + page * 8, (INNER_RAM + page * 0x1000) | 7);
    }
    set(INNER_RAM + 0x4000, 0x9003);
    set(INNER_RAM + 0x4008, 0x6003);
    set(INNER_RAM + 0x9ff8, u64::from_le_bytes(*b"inner he"));
    set(INNER_RAM + 0x6000, u64::from_le_bytes(*b"art\0\0\0\0\0"));
    Nested {
        root: nested,
        cr3: 0x1000,
        cr0: 0x8000_0001,
        cr4: 0x20,
        efer: 0xd00,
        kind: NestedKind::Npt.raw(),
        ..Nested::ZERO
    }
}

/// A fire of probe 3 with `arg0` and the vCPU of an inner guest behind its stack.
fn fire_with(vm: &mut Vm, arg0: u64, nested: &Nested) -> u32 {
    let mut d = vm.guest.fire_descriptor(3, &[arg0], &[1, 2, 3]);
    let at = usize::try_from(d.header.length).expect("small");
    d.body.bytes_mut()[at..at + 64].copy_from_slice(nested.as_bytes());
    d.body.bytes_mut()[4] |= 0x20;
    d.header.length += 64;
    vm.guest.ring(0, &d).header.status
}

/// A script reads a guest in the guest through both dimensions, over a page's end; what cannot be
/// reached is a fault with its address, and so is everything if the fire brought no such guest.
#[test]
fn a_guest_in_the_guest_is_read() {
    let mut vm = Vm::new("vm-outer");
    let nested = inner_guest(&vm);
    let mut consumer = vm.connect();
    let mut session = consumer.open(&program(&[INNER]));
    consumer.enable(&[3]);
    vm.poll_until(&[3]);
    let carried = vm.guest.enabled().get(&3).expect("enabled").context;
    assert_eq!(carried & Context::NESTED.bits(), Context::NESTED.bits());
    let base = 0xffff_8000_0000_0000;
    assert_eq!(fire_with(&mut vm, base + 0xffb, &nested), OK);
    assert_eq!(fire_with(&mut vm, base + 0xffe, &nested), OK);
    let ept = Nested { kind: NestedKind::Ept.raw(), root: 0x7f, ..nested };
    assert_eq!(fire_with(&mut vm, base, &ept), OK, "a root that no processor takes is no error");
    let beyond = Nested { root: 0xffff_f000, ..nested };
    assert_eq!(fire_with(&mut vm, base, &beyond), OK, "nor is one outside memory");
    assert_eq!(vm.guest.fire(0, 3, &[base], &[1]), OK, "nor none at all");
    let records = session.records();
    let words = |record: &RawRecord| -> Vec<u64> {
        record.bytes.as_chunks().0.iter().skip(2).map(|word| u64::from_le_bytes(*word)).collect()
    };
    let data: Vec<_> = records.iter().filter(|r| r.epid == Epid(3)).map(words).collect();
    let expected: [u64; 2] = [*b"er heart", *b"heart\0\0\0"].map(u64::from_le_bytes);
    assert_eq!(data, expected.map(|word| vec![word]));
    let faults = records.iter().filter(|r| r.epid == Epid(u32::MAX)).count();
    assert_eq!(faults, 3, "{records:?}");
    let bad = Nested { kind: 9, ..nested };
    assert_eq!(fire_with(&mut vm, base, &bad), Status::BadArgument.raw());
}

/// A number and a name of a jail, and a name that is a string of the guest's.
const JAIL: [&str; 2] = [
    ".returns 0 1 0 8\nldgs jid, %r1\nret %r1\n",
    ".returns 1 6 1 256\nldgs jailname, %r1\nret %r1\n",
];

/// A guest that says where its jails are has them read when a script asks, from the thread of the
/// fire on; one that does not, or whose thread leads nowhere, has none.
#[test]
fn jails_are_read_along_the_thread() {
    let jails = Jails { thread_ucred: 8, ucred_prison: 16, prison_id: 4, prison_name: 24 };
    let mut data = Vec::new();
    for (name, jails) in [("vm-jails", Some(jails)), ("vm-none", None)] {
        let mut vm = Vm::with_jails(name, jails);
        let mut consumer = vm.connect();
        let mut session = consumer.open(&program(&JAIL));
        consumer.enable(&[3]);
        vm.poll_until(&[3]);
        let put = |at: u64, bytes: &[u8]| vm.guest.put(at, bytes).expect("in RAM");
        let cred = put(0x200, &[0; 64]);
        let prison = put(0x300, &[0; 64]);
        put(0x304, &7_u32.to_le_bytes());
        put(0x318, b"www\0");
        put(0x210, &prison.to_le_bytes());
        put(0x108, &cred.to_le_bytes());
        assert_eq!(vm.guest.fire(0, 3, &[], &[]), OK);
        vm.guest.put(0x108, &0_u64.to_le_bytes()).expect("in RAM");
        assert_eq!(vm.guest.fire(0, 3, &[], &[]), OK);
        let records = session.records();
        let fields = |record: &RawRecord| record.bytes.get(16..28).map(<[u8]>::to_vec);
        data.extend(records.iter().map(fields));
    }
    let some =
        |id: u8, name: &[u8; 4]| Some([&[id, 0, 0, 0, 0, 0, 0, 0], name.as_slice()].concat());
    let none = some(0, b"glob");
    assert_eq!(data, [some(7, b"www\0"), none.clone(), none.clone(), none]);
}
