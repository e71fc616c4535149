//! The dispatcher: one call of a guest, from its doorbell to its answer.
//!
//! # Time of check, time of use
//! A descriptor lies in memory that the guest's other vCPUs may write meanwhile. Each word of a FIRE
//! that is checked is read once, and what was checked is what is used; the rest has no wrong value
//! and is read when a script asks for it. A FIRE of a probe that nobody wants is answered without
//! a look at anything but who calls and the probe. Any other call is copied into memory of the calling
//! vCPU's own, each byte once, and only that copy is looked at. Batches are copied whole before
//! their first entry is read.
//!
//! # The two kinds of calls
//! FIRE is the firing path: it reads the descriptor, one word that says whether the machine is
//! still the one this vCPU knows, and then is in the engine; no lock, no allocation. All other
//! calls come a few times a second at most, from a guest's own threads, and may take the lock
//! around [`Guest`].

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwapOption, Cache};
use host::control::ShimStats;
use host::engine::{BareFire, Begun, Enabled, Engine, Fire, Reaction};
use host::ids::{LocalSlot, ProbeId};
use hypercall::{
    Action, Behind, Call, Command, DOORBELL_OFFSET, Descriptor, FIRE_PROBE, FIRE_WORD, FireReply,
    Header, Hello, HelloReply, Jails, MAX_PROBES, Poll, PollFlags, PollReply, Request, Status,
    check_fire, is_plain_fire,
};
use nix::sys::eventfd::{EfdFlags, EventFd};
use npt::{
    Access, AddressSpace, Cr3, Direct, Gpa, GuestCache, GuestPaging, Gva, Hpa, NestedCache,
    PhysMemory,
};
use zerocopy::IntoBytes;

use crate::fire::GuestFire;
use crate::guest::Guest;
use crate::memory::GuestRam;
use crate::name::VmName;
use crate::page::Page;
use crate::stats::{Totals, VcpuCounters};
use crate::symbols::SymbolTable;

/// How often a guest is asked to poll, in milliseconds.
pub const POLL_INTERVAL_MS: u32 = 20;

/// The most vCPUs of one VM.
pub const MAX_VCPUS: u32 = 1024;

/// The most lines on stderr that a guest's calls can cause.
const MAX_LINES_OF_GUEST: u64 = 20;

/// The words of a descriptor that FIRE's short way knows.
const STATUS: usize = std::mem::offset_of!(Header, status) / 8;
const COOKIE: usize = std::mem::offset_of!(Header, cookie) / 8;
/// The word of FIRE's reply that holds the action; without one there is no argument.
const REPLY: usize = (size_of::<Header>() + std::mem::offset_of!(FireReply, action)) / 8;
/// Status and length of FIRE's answer.
const FIRE_DONE: u64 = (size_of::<FireReply>() as u64) << 32 | Status::Ok.raw() as u64;

/// What a fire needs to know of the machine. Replaced as a whole, never changed.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Which life of the guest this is.
    life: u64,
    /// What the guest has to show in every call after HELLO.
    cookie: u64,
    /// Everything about its page tables but the root.
    pub(crate) paging: GuestPaging,
    /// Its functions.
    pub(crate) symbols: Arc<SymbolTable>,
    /// It permits destructive actions.
    pub(crate) destructive: bool,
    /// Where its kernel keeps jails.
    pub(crate) jails: Option<Jails>,
}

type Current = Arc<ArcSwapOption<Machine>>;

/// The state of one vCPU, owned by the thread that runs it.
#[derive(Debug)]
pub struct Vcpu {
    slot: LocalSlot,
    /// The copy of the descriptor of the call that is being handled; of a FIRE the stack alone.
    pub(crate) page: Box<Descriptor>,
    pub(crate) machine: Cache<Current, Option<Arc<Machine>>>,
    pub(crate) translations: Box<GuestCache>,
    /// Those of the guest's own guests.
    pub(crate) nested: Box<NestedCache>,
    counters: Arc<VcpuCounters>,
}

/// The shim of one VM.
#[derive(Debug)]
pub struct Shim {
    name: VmName,
    engine: Engine,
    memory: OnceLock<GuestRam>,
    current: Current,
    /// The cookie of `current`, for fires; a random number that no guest was told while there is
    /// none, or when the shim is turned off.
    cookie: AtomicU64,
    guest: Mutex<Guest>,
    counters: Vec<Arc<VcpuCounters>>,
    /// Makes cookies.
    random: RandomState,
    /// Wakes the control thread.
    wake: EventFd,
    off: AtomicBool,
    polls: AtomicU64,
    sessions: AtomicU32,
    /// Counts lines that the guest caused.
    said: AtomicU64,
}

/// Why there is no shim.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The number of vCPUs is not believable.
    #[error("{0} vCPUs; 1 to {MAX_VCPUS} are supported")]
    Vcpus(u32),
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, nix::Error),
}

impl Shim {
    /// The shim of a VM with at most that many vCPUs.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn new(name: VmName, vcpus: u32) -> Result<Arc<Self>, NewError> {
        if !(1..=MAX_VCPUS).contains(&vcpus) {
            return Err(NewError::Vcpus(vcpus));
        }
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|e| NewError::System("eventfd", e))?;
        let engine = Engine::new(vcpus, name.as_str());
        let random = RandomState::new();
        Ok(Arc::new(Self {
            name,
            engine,
            memory: OnceLock::new(),
            current: Arc::new(ArcSwapOption::empty()),
            guest: Mutex::new(Guest::default()),
            counters: (0..vcpus).map(|_| Arc::default()).collect(),
            cookie: AtomicU64::new(nobodys_cookie(&random)),
            random,
            wake,
            off: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            sessions: AtomicU32::new(0),
            said: AtomicU64::new(0),
        }))
    }

    /// The VM's name.
    #[must_use]
    pub const fn name(&self) -> &VmName {
        &self.name
    }

    /// The engine that runs this VM's sessions.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Gives the shim the guest's RAM, once it is mapped. Until then no call is answered. Given a
    /// second time, the first stays.
    pub fn attach_memory(&self, memory: GuestRam) {
        drop(self.memory.set(memory));
    }

    /// The guest's RAM, if it is attached.
    #[must_use]
    pub fn memory(&self) -> Option<&GuestRam> {
        self.memory.get()
    }

    /// The state of a vCPU, for the thread that runs it; `None` beyond the number given to
    /// [`Shim::new`]. There must be one for a vCPU at a time: two would write the same counters
    /// and, worse for the script, the same slot of its arenas.
    #[must_use]
    pub fn vcpu(&self, index: u32) -> Option<Vcpu> {
        let counters = self.counters.get(usize::try_from(index).ok()?)?;
        Some(Vcpu {
            slot: LocalSlot(index),
            page: Box::new(Descriptor::ZERO),
            machine: Cache::new(Arc::clone(&self.current)),
            translations: Box::default(),
            nested: Box::default(),
            counters: Arc::clone(counters),
        })
    }

    /// Handles the call whose descriptor is the page at `page`, a multiple of 4096, and answers
    /// in it. An address that is no RAM is counted and left alone.
    ///
    /// # Context
    /// The firing path if the call is FIRE, on the vCPU's own thread. Does not panic, whatever the
    /// guest wrote.
    #[inline]
    pub fn handle(&self, vcpu: &mut Vcpu, page: Gpa) {
        let Some(memory) = self.memory.get() else { return };
        let at = Hpa(page.0);
        let Some(page) = memory.page(at) else { return self.no_page(vcpu) };
        if page.word(0) != FIRE_WORD {
            return self.call(vcpu, memory, at);
        }
        vcpu.counters.call(Call::Fire);
        if page.word(COOKIE) != self.cookie.load(Ordering::Relaxed) {
            return self.refuse_fire(vcpu, memory, at, Status::NotReady);
        }
        let word = page.word(FIRE_PROBE);
        match self.engine.enabled(probe_of(word)) {
            Some(probe) => self.fire(vcpu, page, word, probe),
            None => conclude_fire(page),
        }
    }

    /// A FIRE of a probe that someone wants; `word` is the one that names it. Here, as in what it
    /// goes on with for an empty clause, every call is the last thing done: neither needs a stack.
    #[inline(always)]
    fn fire(&self, vcpu: &mut Vcpu, page: Page<'_>, word: u64, probe: Enabled<'_>) {
        if !is_plain_fire(word, |at| page.word(at)) {
            return self.long_fire(vcpu, page);
        }
        match self.engine.begin(vcpu.slot, probe) {
            Begun::Nothing => conclude_fire(page),
            Begun::Refused => self.collide(page),
            Begun::Bare(fire) => self.bare(page, fire),
            Begun::Fire(fire) => self.run(vcpu, page, Behind::NOTHING, fire),
        }
    }

    /// A FIRE that carries more than the fixed part, or is wrong. It is read anew: what was read
    /// before is forgotten, and what is checked here is what is used.
    #[cold]
    #[inline(never)]
    fn long_fire(&self, vcpu: &mut Vcpu, page: Page<'_>) {
        let word = page.word(FIRE_PROBE);
        let Some(probe) = self.engine.enabled(probe_of(word)) else { return conclude_fire(page) };
        let behind = match check_fire(word, |at| page.word(at)) {
            Ok(behind) => behind,
            Err(status) => return self.refuse_enabled(vcpu, page, status),
        };
        match self.engine.begin(vcpu.slot, probe) {
            Begun::Nothing => conclude_fire(page),
            Begun::Refused => self.collide(page),
            Begun::Bare(fire) => self.bare(page, fire),
            Begun::Fire(fire) => self.run(vcpu, page, behind, fire),
        }
    }

    /// A fire of an empty clause.
    #[inline(never)]
    fn bare(&self, page: Page<'_>, fire: BareFire<'_>) {
        match self.engine.try_bare(fire) {
            Ok(()) => conclude_fire(page),
            Err(fire) => self.bare_slowly(page, fire),
        }
    }

    /// A fire of an empty clause that has to wait for somebody, if only for the kernel's clock.
    #[cold]
    #[inline(never)]
    fn bare_slowly(&self, page: Page<'_>, fire: BareFire<'_>) {
        self.engine.run_bare(fire);
        conclude_fire(page);
    }

    /// A fire that has something to run.
    #[inline(never)]
    fn run(&self, vcpu: &mut Vcpu, page: Page<'_>, behind: Behind, fire: Fire<'_>) {
        let Some(memory) = self.memory.get() else { return };
        match self
            .engine
            .run::<GuestFire<'_>, _>(fire, move || GuestFire::new(page, behind, memory, vcpu))
        {
            Reaction::Nothing => conclude_fire(page),
            reaction => self.react(page, reaction),
        }
    }

    /// A fire of a vCPU that is in one already.
    #[cold]
    #[inline(never)]
    fn collide(&self, page: Page<'_>) {
        self.engine.collide();
        conclude_fire(page);
    }

    /// A fire that wants something of the guest. Enabling refuses destructive clauses where none
    /// is permitted; a guest that has started anew since may permit less.
    #[cold]
    #[inline(never)]
    fn react(&self, page: Page<'_>, reaction: Reaction) {
        if self.current.load().as_ref().is_some_and(|machine| machine.destructive) {
            ask_for(page, reaction);
        } else {
            conclude_fire(page);
        }
    }

    /// A FIRE of a probe that someone wants, refused.
    #[cold]
    #[inline(never)]
    fn refuse_enabled(&self, vcpu: &Vcpu, page: Page<'_>, status: Status) {
        if !self.off.load(Ordering::Relaxed) {
            vcpu.counters.refusal(status);
            page.set(STATUS, u64::from(status.raw()));
        }
    }

    /// A FIRE that is not answered with OK: not at all, if the shim is turned off.
    #[cold]
    #[inline(never)]
    fn refuse_fire(&self, vcpu: &Vcpu, memory: &GuestRam, at: Hpa, status: Status) {
        if !self.off.load(Ordering::Relaxed) {
            refuse(memory, at, &vcpu.counters, status);
        }
    }

    /// A doorbell whose page is no RAM.
    #[cold]
    #[inline(never)]
    fn no_page(&self, vcpu: &Vcpu) {
        if !self.off.load(Ordering::Relaxed) {
            vcpu.counters.refusal(Status::BadAddress);
        }
    }

    /// Every call but FIRE: the page is copied first, and only the copy is looked at.
    #[cold]
    #[inline(never)]
    fn call(&self, vcpu: &mut Vcpu, memory: &GuestRam, at: Hpa) {
        if self.off.load(Ordering::Relaxed) {
            return;
        }
        let Vcpu { page: copy, counters, .. } = vcpu;
        let Some(head) = copy.as_mut_bytes().get_mut(..size_of::<Header>()) else { return };
        if memory.read(at, head).is_err() {
            return counters.refusal(Status::BadAddress);
        }
        let call = match copy.header.check() {
            Ok(call) => call,
            Err(status) => return refuse(memory, at, counters, status),
        };
        counters.call(call);
        if !read_rest(memory, at, copy) {
            return refuse(memory, at, counters, Status::BadAddress);
        }
        let done = copy.parse().and_then(|request| self.slow(memory, at, copy, &request));
        if let Err(status) = done {
            refuse(memory, at, counters, status);
        }
    }

    /// A call that was copied and checked.
    fn slow(
        &self,
        memory: &GuestRam,
        at: Hpa,
        copy: &Descriptor,
        request: &Request<'_>,
    ) -> Result<(), Status> {
        if let Request::Hello { hello, jails } = request {
            return self.hello(memory, at, copy.header.cr3, (hello, *jails));
        }
        let machine = self.current.load_full().ok_or(Status::NotReady)?;
        if machine.cookie != copy.header.cookie {
            return Err(Status::NotReady);
        }
        let paging = machine.paging.with_cr3(Cr3(copy.header.cr3));
        let space = AddressSpace::new(memory, paging, Direct);
        let fetch = |gva, len| fetch(&space, gva, len);
        match request {
            Request::Poll(poll) => {
                self.poll(&machine, memory, at, poll)?;
                return Ok(());
            }
            Request::Probes(b) => {
                let batch = fetch(b.gva, b.len)?;
                self.alive(&machine)?.add_probes(&batch, (b.first_id, b.count, b.flags))?;
            }
            Request::ProbesGone(g) => {
                self.alive(&machine)?.remove_probes(g.first_id, g.count)?;
            }
            Request::Symbols(b) => {
                let batch = fetch(b.gva, b.len)?;
                self.symbols(&machine, &batch, b.count, b.flags)?;
            }
            Request::Types(t) => {
                let bytes = fetch(t.gva, t.len)?;
                self.alive(&machine)?.add_types(&bytes, t)?;
            }
            Request::Goodbye => self.goodbye("the guest said GOODBYE"),
            Request::Hello { .. } | Request::Fire { .. } => return Err(Status::BadCall),
        }
        self.wake();
        answer(memory, at, &[]);
        Ok(())
    }

    /// HELLO: a new life begins.
    fn hello(
        &self,
        memory: &GuestRam,
        at: Hpa,
        cr3: u64,
        (hello, jails): (&Hello, Option<&Jails>),
    ) -> Result<(), Status> {
        let paging = match hello.paging {
            4 => GuestPaging::level4(Cr3(cr3)),
            5 => GuestPaging::level5(Cr3(cr3)),
            _ => return Err(Status::BadArgument),
        };
        // The kernel's text must be where it says: if it is not, either its page tables are not
        // what we think, or the guest's RAM is not mapped as the guest sees it.
        let space = AddressSpace::new(memory, paging, Direct);
        if let Err(failure) = space.translate(Gva(hello.kernel_base), Access::Read) {
            self.say_of_guest(&format!("HELLO refused, kernel text out of reach: {failure}"));
            return Err(Status::BadAddress);
        }
        let cookie = {
            let mut guest = self.guest();
            guest.hello(&self.name, hello);
            // Zero is what a guest has that was never told a cookie.
            let cookie = self.random.hash_one(guest.life) | 1;
            let symbols = Arc::default();
            let destructive = guest.info.destructive;
            let jails = jails.copied();
            let machine = Machine { life: guest.life, cookie, paging, symbols, destructive, jails };
            self.current.store(Some(Arc::new(machine)));
            self.tell_cookie(cookie);
            cookie
        };
        self.wake();
        let reply = HelloReply {
            poll_interval_ms: POLL_INTERVAL_MS,
            max_probes: MAX_PROBES,
            host_flags: 0,
            reserved: 0,
        };
        let place = offset(at, std::mem::offset_of!(Header, cookie));
        memory.write(place, &cookie.to_le_bytes()).map_err(|_| Status::BadAddress)?;
        answer(memory, at, reply.as_bytes());
        Ok(())
    }

    /// The guest's state, if it is still in the life the call came from.
    fn alive(&self, machine: &Machine) -> Result<MutexGuard<'_, Guest>, Status> {
        let guest = self.guest();
        if guest.present && guest.life == machine.life { Ok(guest) } else { Err(Status::NotReady) }
    }

    /// SYMBOLS: with the last batch, fires begin to see functions' names.
    fn symbols(
        &self,
        machine: &Machine,
        batch: &[u8],
        count: u32,
        flags: u32,
    ) -> Result<(), Status> {
        let mut guest = self.alive(machine)?;
        if !guest.symbols.add(batch, count, flags)? {
            return Ok(());
        }
        let table = SymbolTable::build(guest.symbols.blob(), guest.symbols.count())
            .map_err(|_| Status::BadArgument)?;
        self.current.store(Some(Arc::new(Machine {
            life: machine.life,
            cookie: machine.cookie,
            paging: machine.paging,
            symbols: Arc::new(table),
            destructive: machine.destructive,
            jails: machine.jails,
        })));
        Ok(())
    }

    /// POLL: acknowledgement in, commands out.
    fn poll(
        &self,
        machine: &Machine,
        memory: &GuestRam,
        at: Hpa,
        poll: &Poll,
    ) -> Result<(), Status> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let mut guest = self.alive(machine)?;
        guest.drops = poll.drops;
        let before = guest.plan.settled();
        guest.plan.acknowledge(poll.ack, poll.failed);
        if !before && guest.plan.settled() {
            self.wake();
        }
        let reply = guest.plan.reply();
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::MORE, reply.more);
        let head = PollReply {
            seq: reply.seq,
            count: u32::try_from(reply.commands.len()).map_err(|_| Status::Limit)?,
            flags: flags.bits(),
            interval_ms: POLL_INTERVAL_MS,
        };
        let mut body = Vec::with_capacity(size_of::<PollReply>() + size_of_val(reply.commands));
        body.extend_from_slice(head.as_bytes());
        body.extend(reply.commands.iter().flat_map(|c: &Command| c.as_bytes().iter().copied()));
        drop(guest);
        answer(memory, at, &body);
        Ok(())
    }

    /// The guest is gone.
    pub fn goodbye(&self, reason: &str) {
        {
            let mut guest = self.guest();
            self.tell_cookie(nobodys_cookie(&self.random));
            self.current.store(None);
            guest.leave(reason);
        }
        self.wake();
    }

    /// Stops answering for good: something went wrong that must not go on inside the monitor.
    pub fn turn_off(&self, reason: &str) {
        if !self.off.swap(true, Ordering::SeqCst) {
            self.cookie.store(nobodys_cookie(&self.random), Ordering::SeqCst);
            self.say(&format!("turned off: {reason}"));
        }
    }

    /// Lets fires with this cookie in, unless the shim is turned off. Called with the guest's lock
    /// held.
    fn tell_cookie(&self, cookie: u64) {
        self.cookie.store(cookie, Ordering::SeqCst);
        // `turn_off` sets its flag before it takes the cookie away: one of the two is last.
        if self.off.load(Ordering::SeqCst) {
            self.cookie.store(nobodys_cookie(&self.random), Ordering::SeqCst);
        }
    }

    /// Writes a line on stderr, which is the monitor's.
    pub fn say(&self, line: &str) {
        // Nobody can be told that nobody can be told.
        drop(writeln!(std::io::stderr(), "hypertrace: {}: {line}", self.name));
    }

    /// As [`Shim::say`], for what a guest can cause as often as it likes: said a few times.
    fn say_of_guest(&self, line: &str) {
        if self.said.fetch_add(1, Ordering::Relaxed) < MAX_LINES_OF_GUEST {
            self.say(line);
        }
    }

    /// What was counted, by kind of call and of refusal.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(self.counters.iter().map(|counters| &**counters))
    }

    /// What was counted, as the control protocol reports it.
    #[must_use]
    pub fn stats(&self) -> ShimStats {
        let totals = self.totals();
        ShimStats {
            fires: totals.calls(Call::Fire),
            // What its vCPUs' slots refused, because one was in a fire already, is lost as well.
            guest_drops: self.guest().drops.saturating_add(self.engine.collisions()),
            bad_calls: totals.refused(),
            polls: self.polls.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
        }
    }

    /// Locks the guest's state. A thread that panicked with it left it consistent enough: every
    /// change is a batch that was checked before.
    pub(crate) fn guest(&self) -> MutexGuard<'_, Guest> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the control thread look at the guest.
    pub(crate) fn wake(&self) {
        // It fails only if the counter would overflow, and then the thread is being woken.
        let _ = self.wake.write(1);
    }

    /// What [`Shim::wake`] writes to.
    pub(crate) const fn waker(&self) -> &EventFd {
        &self.wake
    }

    /// Says how many sessions are open.
    pub(crate) fn count_sessions(&self, open: u32) {
        self.sessions.store(open, Ordering::Relaxed);
    }
}

/// A cookie that no guest was told: even, unlike those, and not to be guessed.
fn nobodys_cookie(random: &RandomState) -> u64 {
    random.hash_one(u64::MAX) & !1
}

/// The probe that a FIRE's word [`FIRE_PROBE`] names.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "its low half names it")]
const fn probe_of(word: u64) -> ProbeId {
    ProbeId(word as u32)
}

/// Answers a FIRE: nothing is wanted from the guest. The status goes last.
#[inline(always)]
fn conclude_fire(page: Page<'_>) {
    page.set(REPLY, 0);
    page.set(STATUS, FIRE_DONE);
}

/// Answers a FIRE: the guest shall do something. The status goes last.
#[cold]
fn ask_for(page: Page<'_>, reaction: Reaction) {
    let (action, arg) = match reaction {
        Reaction::Stop => (Action::Stop, 0),
        Reaction::Raise(signal) => (Action::Raise, signal),
        Reaction::Breakpoint => (Action::Breakpoint, 0),
        Reaction::Panic => (Action::Panic, 0),
        Reaction::Chill(time) => (Action::Chill, time),
        _ => (Action::None, 0),
    };
    page.set(REPLY, u64::from(action.raw()));
    page.set(REPLY + 1, arg);
    page.set(STATUS, FIRE_DONE);
}

/// Copies a descriptor's body; false if it is not in RAM.
fn read_rest(memory: &GuestRam, at: Hpa, copy: &mut Descriptor) -> bool {
    const HEAD: usize = size_of::<Header>();
    let end = HEAD + usize::try_from(copy.header.length).unwrap_or(usize::MAX - HEAD);
    match copy.as_mut_bytes().get_mut(HEAD..end) {
        Some(rest) => memory.read(offset(at, HEAD), rest).is_ok(),
        None => false,
    }
}

/// Copies a batch out of guest memory. The length was checked against the ABI's limits.
fn fetch(space: &AddressSpace<'_, GuestRam>, gva: u64, len: u64) -> Result<Vec<u8>, Status> {
    let len = usize::try_from(len).map_err(|_| Status::Limit)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Status::Limit)?;
    bytes.resize(len, 0);
    space.read(Gva(gva), &mut bytes).map_err(|_| Status::BadAddress)?;
    Ok(bytes)
}

/// A field's place in a descriptor.
#[inline]
const fn offset(at: Hpa, field: usize) -> Hpa {
    Hpa(at.0.wrapping_add(field as u64))
}

/// Writes a reply, the status last.
#[inline]
fn answer(memory: &GuestRam, at: Hpa, body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap_or(0);
    conclude(memory, at, Status::Ok, length, body);
}

/// Answers with an error and counts it.
#[cold]
fn refuse(memory: &GuestRam, at: Hpa, counters: &VcpuCounters, status: Status) {
    counters.refusal(status);
    // A page without the magic is no descriptor: nothing in it is ours to write.
    if status != Status::BadMagic {
        conclude(memory, at, status, 0, &[]);
    }
}

#[inline]
fn conclude(memory: &GuestRam, at: Hpa, status: Status, length: u32, body: &[u8]) {
    let word = u64::from(length) << 32 | u64::from(status.raw());
    // The page was read a moment ago, and RAM does not go away.
    let _ = memory.write(offset(at, size_of::<Header>()), body);
    let _ = memory.write(offset(at, std::mem::offset_of!(Header, status)), &word.to_le_bytes());
}

const _: () = {
    assert!(std::mem::offset_of!(Header, length) == std::mem::offset_of!(Header, status) + 4);
    assert!(std::mem::offset_of!(Header, status) % 8 == 0);
    assert!(std::mem::offset_of!(Header, cookie) % 8 == 0);
    assert!(DOORBELL_OFFSET < size_of::<Header>());
};
