//! A fake guest: RAM, real page tables, descriptors, and no CPU.
//!
//! It does what a guest's kernel module does, so tests, fuzzers and benchmarks go in by the door a
//! real guest uses: [`Shim::handle`] with a page's guest-physical address.
//!
//! ```text
//!  guest-physical        guest-virtual (kernel half, mapped 1:1 from KERNEL on)
//!  0x0000 page tables
//!  0x8000 descriptors    KERNEL + 0x8000       one a vCPU
//!  0x1_0000 data         KERNEL + 0x1_0000     batches, strings, whatever a test puts there
//! ```
//! User space sees the data area read-only at [`USER`], through the same tables.

use std::sync::Arc;

use dif::number::act;
use dif::program::{Action, DifoIndex, EcbDesc, ProbeDesc, Program};
use host::arena::activity::Activity;
use host::arena::config::{ArenaConfig, BufPolicy};
use host::arena::map::ArenaMap;
use host::engine::NoNames;
use host::ids::{Enabling, Epid, MachineId, ProbeId, SlotId};
use hypercall::{
    AbiVersion, BatchFlags, Body, Call, Command, Descriptor, Features, Fire, Header, Hello, Jails,
    Op, Os, Poll, PollReply, ProbeEntry, ProbeHead, ProbeKind, Probes, ProbesGone,
    STATUS_UNANSWERED, SymbolEntry, Symbols, TypeFormat, Types,
};
use npt::{Gpa, Hpa, PhysMemory};
use vm_memory::{GuestAddress, GuestRegionMmap};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::memory::GuestRam;
use crate::name::VmName;
use crate::shim::{Shim, Vcpu};

/// Where the fake kernel has guest-physical address 0 mapped.
pub const KERNEL: u64 = 0xffff_8000_0000_0000;

/// Where user space has the data area mapped.
pub const USER: u64 = 0x7f00_0000_0000;

/// Where the page tables are: the value for CR3.
pub const CR3: u64 = 0x1000;

/// Bytes of RAM.
pub const RAM: usize = 16 << 20;

/// Guest-physical address of the data area.
pub const DATA: u64 = 0x1_0000;

/// The most vCPUs a fake guest has.
pub const MAX_FAKE_VCPUS: u32 = 8;

/// Guest-physical address of vCPU 0's descriptor.
const DESCRIPTORS: u64 = 0x8000;

const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USERMODE: u64 = 4;
const LARGE: u64 = 0x80;

/// The file system's idea of "too big for this fake".
#[derive(Debug, thiserror::Error)]
#[error("the fake guest: {0}")]
pub struct FakeError(String);

fn failed(what: &str) -> impl Fn() -> FakeError {
    let what = what.to_owned();
    move || FakeError(what.clone())
}

/// A guest without a CPU, and the shim of its VM.
#[derive(Debug)]
pub struct FakeGuest {
    /// What is tested.
    pub shim: Arc<Shim>,
    /// How many fires it says it left out.
    pub drops: u64,
    /// Where its HELLO says that jails are.
    pub jails: Option<Jails>,
    vcpus: Vec<Vcpu>,
    cookie: u64,
    sequence: u32,
    next_probe: u32,
    /// What POLL replies told to enable.
    enabled: std::collections::BTreeMap<u32, Command>,
    acknowledge: u32,
    door: Option<Door>,
}

/// What rings the doorbell of a guest whose shim is in another process: called with the vCPU and
/// the descriptor's page, it returns when the call is answered.
pub struct Door(Box<dyn FnMut(usize, Gpa) + Send>);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl FakeGuest {
    /// A VM with RAM and page tables, and nothing said yet.
    ///
    /// # Errors
    /// More vCPUs than [`MAX_FAKE_VCPUS`], a bad name, or no memory.
    pub fn new(name: &str, vcpus: u32) -> Result<Self, FakeError> {
        if vcpus > MAX_FAKE_VCPUS {
            return Err(FakeError(format!("{vcpus} vCPUs")));
        }
        let name = VmName::new(name).map_err(|e| FakeError(e.to_string()))?;
        let shim = Shim::new(name, vcpus).map_err(|e| FakeError(e.to_string()))?;
        let region = GuestRegionMmap::from_range(GuestAddress(0), RAM, None)
            .map_err(|e| FakeError(e.to_string()))?;
        let ram = GuestRam::new(vec![region]).map_err(|e| FakeError(e.to_string()))?;
        Self::in_ram(ram, shim, vcpus)
    }

    /// A guest in RAM that another process has mapped too, where its shim is: [`RAM`] bytes from 0
    /// on at least. The shim in this process is never called.
    ///
    /// # Errors
    /// As [`FakeGuest::new`].
    pub fn elsewhere(
        ram: GuestRam,
        vcpus: u32,
        door: impl FnMut(usize, Gpa) + Send + 'static,
    ) -> Result<Self, FakeError> {
        let name = VmName::new("elsewhere").map_err(|e| FakeError(e.to_string()))?;
        let shim = Shim::new(name, vcpus).map_err(|e| FakeError(e.to_string()))?;
        Ok(Self { door: Some(Door(Box::new(door))), ..Self::in_ram(ram, shim, vcpus)? })
    }

    fn in_ram(ram: GuestRam, shim: Arc<Shim>, vcpus: u32) -> Result<Self, FakeError> {
        build_tables(&ram).ok_or_else(failed("page tables"))?;
        shim.attach_memory(ram);
        let vcpus = (0..vcpus).filter_map(|index| shim.vcpu(index)).collect();
        Ok(Self {
            shim,
            drops: 0,
            jails: None,
            vcpus,
            cookie: 0,
            sequence: 0,
            next_probe: 1,
            enabled: std::collections::BTreeMap::new(),
            acknowledge: 0,
            door: None,
        })
    }

    /// The guest's RAM.
    ///
    /// # Panics
    /// Never: the constructor attached it.
    #[must_use]
    pub fn ram(&self) -> &GuestRam {
        self.shim.memory().expect("attached by the constructor")
    }

    /// Puts the page tables back as they were at the start.
    ///
    /// # Panics
    /// Never: the tables lie in RAM.
    pub fn rebuild_tables(&self) {
        let ram = self.ram();
        let cleared = ram.write(Hpa(CR3), &[0; 0x5000]).is_ok();
        assert!(cleared && build_tables(ram).is_some(), "the tables lie in RAM");
    }

    /// Writes into the data area and returns the kernel address.
    ///
    /// # Errors
    /// Beyond the end of RAM.
    pub fn put(&self, offset: u64, bytes: &[u8]) -> Result<u64, FakeError> {
        let at = DATA.checked_add(offset).ok_or_else(failed("address"))?;
        self.ram().write(Hpa(at), bytes).map_err(|_| FakeError("data beyond RAM".into()))?;
        Ok(KERNEL + at)
    }

    /// The kernel address of a place in the data area.
    #[must_use]
    pub const fn kernel_address(offset: u64) -> u64 {
        KERNEL + DATA + offset
    }

    /// The user address of a place in the data area.
    #[must_use]
    pub const fn user_address(offset: u64) -> u64 {
        USER + DATA + offset
    }

    /// The guest-physical address of a vCPU's descriptor.
    #[must_use]
    pub fn page(vcpu: usize) -> Gpa {
        Gpa(DESCRIPTORS + u64::try_from(vcpu).unwrap_or(0) * 4096)
    }

    /// A descriptor with a good header and this body.
    #[must_use]
    pub fn descriptor<T: IntoBytes + Immutable + ?Sized>(
        &self,
        call: Call,
        body: &T,
    ) -> Descriptor {
        let mut d = Descriptor { header: Header::ZERO, body: Body::ZERO };
        let bytes = body.as_bytes();
        if let Some(place) = d.body.bytes_mut().get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        d.header.magic = hypercall::MAGIC;
        d.header.version = AbiVersion::LATEST.raw();
        d.header.call = call.raw();
        d.header.status = STATUS_UNANSWERED;
        d.header.length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        d.header.doorbell = u64::from(call.raw()) << 32 | u64::from(self.sequence);
        d.header.cr3 = CR3;
        d.header.cookie = self.cookie;
        d
    }

    /// Makes a call with any descriptor whatever, and returns it as the host left it.
    ///
    /// # Panics
    /// If the fake guest has no such vCPU.
    pub fn ring(&mut self, vcpu: usize, descriptor: &Descriptor) -> Descriptor {
        self.write_descriptor(vcpu, descriptor);
        self.ring_again(vcpu);
        let mut answered = Descriptor::ZERO;
        self.ram()
            .read(Hpa(Self::page(vcpu).0), answered.as_mut_bytes())
            .expect("descriptors lie in RAM");
        answered
    }

    /// Writes a descriptor without making the call.
    ///
    /// # Panics
    /// If the fake guest has no such vCPU.
    pub fn write_descriptor(&self, vcpu: usize, descriptor: &Descriptor) {
        self.ram()
            .write(Hpa(Self::page(vcpu).0), descriptor.as_bytes())
            .expect("descriptors lie in RAM");
    }

    /// Makes the call that lies in a vCPU's descriptor.
    ///
    /// # Panics
    /// If the fake guest has no such vCPU.
    #[inline]
    pub fn ring_again(&mut self, vcpu: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(Door(ring)) = &mut self.door {
            return ring(vcpu, Self::page(vcpu));
        }
        let state = self.vcpus.get_mut(vcpu).expect("a vCPU of this guest");
        self.shim.handle(state, Self::page(vcpu));
    }

    /// Takes a vCPU's state, to use it on another thread; the fake guest has one less then, at
    /// the end.
    pub fn take_vcpu(&mut self) -> Option<Vcpu> {
        self.vcpus.pop()
    }

    /// A call and the status it got.
    pub fn call<T: IntoBytes + Immutable + ?Sized>(
        &mut self,
        call: Call,
        body: &T,
    ) -> (u32, Descriptor) {
        let descriptor = self.descriptor(call, body);
        let answered = self.ring(0, &descriptor);
        (answered.header.status, answered)
    }

    /// HELLO as a good guest says it; returns the status.
    pub fn hello(&mut self) -> u32 {
        let mut hello = Hello::ZERO;
        hello.os = Os::Linux.raw();
        hello.paging = 4;
        hello.ncpu = u32::try_from(self.vcpus.len()).unwrap_or(1);
        hello.kernel_base = KERNEL + DATA;
        hello.boot_id = [7; 16];
        set_text(&mut hello.hostname, "fake");
        set_text(&mut hello.release, "6.1.0-fake");
        set_text(&mut hello.kernel_version, "#1 SMP");
        set_text(&mut hello.module_version, "0.1");
        let mut body = [0; size_of::<Hello>() + size_of::<Jails>()];
        let length = if let Some(jails) = self.jails {
            hello.features |= Features::JAILS.bits();
            let (_, rest) = body.split_at_mut(size_of::<Hello>());
            rest.copy_from_slice(jails.as_bytes());
            body.len()
        } else {
            size_of::<Hello>()
        };
        let (head, _) = body.split_at_mut(size_of::<Hello>());
        head.copy_from_slice(hello.as_bytes());
        let body = body.get(..length).unwrap_or_default();
        let (status, answered) = self.call(Call::Hello, body);
        self.cookie = answered.header.cookie;
        self.next_probe = 1;
        self.enabled.clear();
        self.acknowledge = 0;
        status
    }

    /// Publishes probes as one batch; returns the status. Uses the data area from 0 on.
    pub fn probes(&mut self, probes: &[ProbeEntry<'_>], flags: BatchFlags) -> u32 {
        let mut bytes = vec![0; probes.len() * 2048];
        let mut len = 0;
        for probe in probes {
            len += bytes.get_mut(len..).and_then(|room| probe.write(room)).unwrap_or(0);
        }
        let Ok(gva) = self.put(0, bytes.get(..len).unwrap_or_default()) else { return u32::MAX };
        if flags.contains(BatchFlags::FIRST) {
            self.next_probe = 1;
        }
        let count = u32::try_from(probes.len()).unwrap_or(0);
        let (first_id, flags) = (self.next_probe, flags.bits());
        let len = u64::try_from(len).unwrap_or(0);
        let body = Probes { gva, len, count, first_id, flags, reserved: 0 };
        let (status, _) = self.call(Call::Probes, &body);
        if status == 0 {
            self.next_probe += count;
        }
        status
    }

    /// Publishes `count` probes `sdt:fake:fn:probeN`; returns the status.
    pub fn some_probes(&mut self, count: u32) -> u32 {
        let mut status = 0;
        for first in (0..count).step_by(2000) {
            let last = count.min(first + 2000);
            let names: Vec<String> = (first..last).map(|n| format!("probe{n}")).collect();
            let probes: Vec<_> = names.iter().map(|name| fake_probe(name)).collect();
            let mut flags = BatchFlags::empty();
            flags.set(BatchFlags::FIRST, first == 0);
            flags.set(BatchFlags::LAST, last == count);
            status |= self.probes(&probes, flags);
        }
        status
    }

    /// Says that probes are gone; returns the status.
    pub fn probes_gone(&mut self, first_id: u32, count: u32) -> u32 {
        self.call(Call::ProbesGone, &ProbesGone { first_id, count }).0
    }

    /// Publishes functions as one complete table; returns the status.
    pub fn symbols(&mut self, symbols: &[(u64, &str)]) -> u32 {
        let mut bytes = vec![0; symbols.len() * 600];
        let mut len = 0;
        for &(address, name) in symbols {
            let entry = SymbolEntry { kind: b'T', size: 0, address, name, module: "vmlinux" };
            len += bytes.get_mut(len..).and_then(|room| entry.write(room)).unwrap_or(0);
        }
        let Ok(gva) = self.put(0, bytes.get(..len).unwrap_or_default()) else { return u32::MAX };
        let count = u32::try_from(symbols.len()).unwrap_or(0);
        let len = u64::try_from(len).unwrap_or(0);
        self.call(Call::Symbols, &Symbols { gva, len, count, flags: 3 }).0
    }

    /// Publishes a container of BTF; returns the status.
    pub fn types(&mut self, module: &str, bytes: &[u8]) -> u32 {
        self.types_as(TypeFormat::Btf, module, bytes)
    }

    /// Publishes a container of types; returns the status.
    pub fn types_as(&mut self, format: TypeFormat, module: &str, bytes: &[u8]) -> u32 {
        let Ok(gva) = self.put(0, bytes) else { return u32::MAX };
        let mut body = Types::ZERO;
        body.gva = gva;
        body.len = u64::try_from(bytes.len()).unwrap_or(0);
        body.format = format.raw();
        set_text(&mut body.module, module);
        self.call(Call::Types, &body).0
    }

    /// POLLs once and carries the commands out, all but those for probes in `failing`; returns how
    /// many commands came, or the status if it is an error.
    ///
    /// # Errors
    /// The status.
    pub fn poll(&mut self, failing: &[u32]) -> Result<usize, u32> {
        let failed = self.enabled.keys().filter(|id| failing.contains(id)).count();
        let failed = u32::try_from(failed).unwrap_or(0);
        let (status, answered) =
            self.call(Call::Poll, &Poll { ack: self.acknowledge, failed, drops: self.drops });
        if status != 0 {
            return Err(status);
        }
        let body = answered.body.bytes();
        let (head, rest) = PollReply::ref_from_prefix(body).map_err(|_| u32::MAX)?;
        let new = head.seq != self.acknowledge;
        for bytes in rest.chunks_exact(16).take(usize::try_from(head.count).unwrap_or(0)) {
            let command = Command::read_from_bytes(bytes).map_err(|_| u32::MAX)?;
            if new {
                self.carry_out(&command);
            }
        }
        self.acknowledge = head.seq;
        Ok(usize::try_from(head.count).unwrap_or(0))
    }

    fn carry_out(&mut self, command: &Command) {
        for id in command.first_probe..command.first_probe.saturating_add(command.nprobes) {
            if command.op == Op::Enable.raw() {
                self.enabled.insert(id, *command);
            } else {
                self.enabled.remove(&id);
            }
        }
    }

    /// The probes the guest was told to instrument, each with the command that said so.
    #[must_use]
    pub const fn enabled(&self) -> &std::collections::BTreeMap<u32, Command> {
        &self.enabled
    }

    /// A fire of a probe with these arguments, by `init` in the process 42, with a stack.
    #[must_use]
    pub fn fire_descriptor(&self, probe: u32, args: &[u64], stack: &[u64]) -> Descriptor {
        let mut fire = Fire::ZERO;
        fire.probe = probe;
        fire.present = 0x1f;
        for (place, arg) in fire.args.iter_mut().zip(args) {
            *place = *arg;
        }
        fire.thread = Self::kernel_address(0x100);
        (fire.pid, fire.tid, fire.ppid) = (42, 43, 1);
        (fire.uid, fire.gid) = (1000, 100);
        fire.ip = stack.first().copied().unwrap_or(KERNEL + DATA);
        set_text(&mut fire.execname, "init");
        fire.nstack = u32::try_from(stack.len()).unwrap_or(0);
        let mut d = self.descriptor(Call::Fire, &fire);
        let words = stack.iter().flat_map(|pc| pc.to_le_bytes());
        let room = d.body.bytes_mut().get_mut(size_of::<Fire>()..).unwrap_or_default();
        room.iter_mut().zip(words).for_each(|(place, byte)| *place = byte);
        d.header.length += fire.nstack * 8;
        d
    }

    /// Fires a probe on a vCPU; returns the status.
    pub fn fire(&mut self, vcpu: usize, probe: u32, args: &[u64], stack: &[u64]) -> u32 {
        let descriptor = self.fire_descriptor(probe, args, stack);
        self.ring(vcpu, &descriptor).header.status
    }

    /// Opens a session on the probes from 1 to `probes` whose clauses look at everything a fire
    /// has and follow `arg0` and `arg1` as kernel and as user addresses. Its records are
    /// overwritten as they come.
    ///
    /// # Errors
    /// If the session does not open.
    pub fn trace_everything(&self, probes: u32) -> Result<ArenaMap, FakeError> {
        let fail = |error: &dyn std::fmt::Display| FakeError(error.to_string());
        let program = curious_program().map_err(|e| fail(&e))?;
        let mut config = ArenaConfig {
            nslots: 1 + MAX_FAKE_VCPUS,
            bufsize: 64 << 10,
            aggsize: 64 << 10,
            bufpolicy: BufPolicy::Ring,
            ..ArenaConfig::default()
        };
        config.add_program(&program).map_err(|e| fail(&e))?;
        let arena = ArenaMap::create(config).map_err(|e| fail(&e))?;
        let engine = self.shim.engine();
        let again = arena.map_again().map_err(|e| fail(&e))?;
        let session = engine
            .open_mapped(again, MachineId(1), SlotId(1), MAX_FAKE_VCPUS)
            .map_err(|e| fail(&e))?;
        engine.load_program(session, &program).map_err(|e| fail(&e))?;
        let ecbs = 0..u32::try_from(program.ecbs.len()).unwrap_or(0);
        let enablings: Vec<Enabling> = (1..=probes)
            .flat_map(|probe| ecbs.clone().map(move |ecb| (probe, ecb)))
            .map(|(probe, ecb)| Enabling {
                probe: ProbeId(probe),
                ecb,
                epid: Epid(ecb + 1),
                id: probe,
            })
            .collect();
        engine.enable(session, &enablings, &NoNames).map_err(|e| fail(&e))?;
        Activity::step(&arena.header().activity, Activity::Inactive, Activity::Active);
        Ok(arena)
    }

    /// GOODBYE; returns the status.
    pub fn goodbye(&mut self) -> u32 {
        self.call(Call::Goodbye, &[0_u8; 0]).0
    }
}

/// Clauses that use what a fire carries; one each for what may fault, so that the others go on.
fn curious_program() -> Result<Program, dif::asm::AsmError> {
    const VALUE: &str = ".returns 0 1 0 8";
    const STRING: &str = ".returns 1 6 1 256";
    let clauses: [&[(u16, u64, &str, &str)]; 6] = [
        &[
            (act::DIFEXPR, 0, VALUE, "ldgs arg9, %r1"),
            (act::DIFEXPR, 0, VALUE, "ldgs pid, %r1"),
            (act::DIFEXPR, 0, VALUE, "ldgs errno, %r1"),
            (act::DIFEXPR, 0, VALUE, "ldgs caller, %r1"),
            (act::DIFEXPR, 0, STRING, "ldgs execname, %r1"),
        ],
        &[(act::STACK, 8, "", ""), (act::IMMSTACK, 8, "", "")],
        &[(act::DIFEXPR, 0, VALUE, "ldgs arg0, %r1\nldx [%r1], %r1")],
        &[(act::DIFEXPR, 0, VALUE, "ldgs arg1, %r1\nuldx [%r1], %r1")],
        &[(act::DIFEXPR, 0, STRING, "ldgs arg0, %r1")],
        &[(act::DIFEXPR, 0, STRING, "ldgs curthread, %r1")],
    ];
    let mut program = Program::default();
    for (clause, texts) in (0..).zip(clauses) {
        let mut actions = Vec::new();
        for &(kind, arg, returns, code) in texts {
            let mut difo = None;
            if !code.is_empty() {
                difo = u32::try_from(program.difos.len()).ok().map(DifoIndex);
                let text = format!("{returns}\n{code}\nret %r1\n");
                program.difos.push(dif::asm::assemble(&text)?);
            }
            actions.push(Action { kind, difo, ntuple: 0, arg, format: None, uarg: 0 });
        }
        let probe = ProbeDesc::default();
        program.ecbs.push(EcbDesc { probe, predicate: None, actions, clause });
    }
    Ok(program)
}

/// A probe `sdt:fake:fn:name`.
#[must_use]
pub const fn fake_probe(name: &str) -> ProbeEntry<'_> {
    ProbeEntry {
        kind: ProbeKind::Sdt,
        nargs: 10,
        address: 0,
        provider: "sdt",
        module: "fake",
        function: "fn",
        name,
        args: "",
    }
}

/// Fills a NUL-terminated field.
fn set_text(field: &mut [u8], text: &str) {
    let room = field.len().saturating_sub(1);
    field.iter_mut().zip(text.bytes().take(room)).for_each(|(place, byte)| *place = byte);
}

/// Four levels of tables: all RAM in 4 KiB pages for the kernel, and its first 2 MiB for users,
/// read-only.
///
/// ```text
///  0x1000 PML4   [256] → 0x2000   [254] → 0x3000
///  0x2000 PDPT   [0]   → 0x4000 PD → 8 tables of 4 KiB pages at the end of RAM
///  0x3000 PDPT   [0]   → 0x5000 PD [0] = one page of 2 MiB
/// ```
fn build_tables(ram: &GuestRam) -> Option<()> {
    let set = |at: u64, entry: u64| ram.write(Hpa(at), &entry.to_le_bytes()).ok();
    let all = PRESENT | WRITE | USERMODE;
    set(CR3 + 256 * 8, 0x2000 | PRESENT | WRITE)?;
    set(CR3 + 254 * 8, 0x3000 | all)?;
    set(0x2000, 0x4000 | PRESENT | WRITE)?;
    set(0x3000, 0x5000 | all)?;
    set(0x5000, PRESENT | USERMODE | LARGE)?;
    let size = u64::try_from(RAM).ok()?;
    let tables = size / (2 << 20);
    let start = size - tables * 4096;
    for table in 0..tables {
        let at = start + table * 4096;
        set(0x4000 + table * 8, at | PRESENT | WRITE)?;
        for page in 0..512 {
            set(at + page * 8, ((table * 512 + page) * 4096) | PRESENT | WRITE)?;
        }
    }
    Some(())
}

const _: () = {
    // The largest entry has to fit into what `probes` reserves for one.
    assert!(size_of::<ProbeHead>() + 3 * 64 + 192 + 1024 <= 2048);
    assert!(DESCRIPTORS + MAX_FAKE_VCPUS as u64 * 4096 <= DATA);
    assert!(USER >> 39 == 254 && (KERNEL >> 39) & 511 == 256);
};
