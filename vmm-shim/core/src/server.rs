//! The control thread: consumers' connections, their sessions, and news for them.
//!
//! ```text
//!              ┌──────────── poll(2) ────────────┐
//!   listener ──┤ new connection                  │
//!   socket   ──┤ requests ─▶ engine, guest       ├──▶ replies, or the connection's outbox
//!   eventfd  ──┤ news of the guest, acknowledged │
//!              └─────────────────────────────────┘
//! ```
//! One thread serves all connections in turn: nothing it does takes long, and no consumer can make
//! it wait, since every socket is non-blocking and a consumer that does not read is dropped once
//! its outbox is full. A connection that ends, for whatever reason, ends its session, and what it
//! had enabled is disabled with the guest's next POLL.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use host::control::{
    ControlError, Listener, PROTOCOL_VERSION, Reply, Request, ShimEnd, TypeBlob, blob,
    make_run_dir, socket_path,
};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

pub use host::control::run_dir;

use crate::plan::ProbeSet;
use crate::session::Session;
use crate::shim::Shim;

/// The most connections at a time.
const MAX_CONNECTIONS: usize = 64;

/// The most replies that wait for a consumer to read.
const MAX_OUTBOX: usize = 256;

/// The most requests of one connection before the others have their turn.
const MAX_REQUESTS: usize = 16;

/// The control thread of a shim. Dropping it ends the thread and all sessions.
#[derive(Debug)]
pub struct Server {
    shim: Arc<Shim>,
    stop: Arc<AtomicBool>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The run directory or the socket.
    #[error("control socket in {dir}: {source}")]
    Socket {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: ControlError,
    },
    /// The name makes no socket's name.
    #[error("the VM's name {0:?} makes no file name")]
    Name(String),
    /// No thread.
    #[error("control thread: {0}")]
    Thread(std::io::Error),
}

impl Server {
    /// Opens the control socket of a shim in `dir` and starts the thread that serves it. The thread
    /// takes no signal: they are the monitor's.
    ///
    /// # Errors
    /// [`ServerError`]; a socket on which another shim listens is one.
    pub fn start(shim: Arc<Shim>, dir: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Socket { dir: dir.to_owned(), source };
        make_run_dir(dir).map_err(failed)?;
        let name = shim.name().as_str();
        let path = socket_path(dir, name).ok_or_else(|| ServerError::Name(name.to_owned()))?;
        let listener = Listener::bind(&path).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut thread = Thread {
            shim: Arc::clone(&shim),
            stop: Arc::clone(&stop),
            listener,
            consumers: Vec::new(),
            sequence: 0,
            life: 0,
        };
        let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK);
        let started = thread::Builder::new().name("hypertrace".into()).spawn(move || thread.run());
        if let Ok(mask) = mask {
            // A mask that was just in force is in force again.
            let _ = mask.thread_set_mask();
        }
        let thread = Some(started.map_err(ServerError::Thread)?);
        Ok(Self { shim, stop, path, thread })
    }

    /// Where consumers connect.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.shim.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by it.
            drop(thread.join());
        }
    }
}

/// What the thread owns.
struct Thread {
    shim: Arc<Shim>,
    stop: Arc<AtomicBool>,
    listener: Listener,
    consumers: Vec<Consumer>,
    /// Numbers requests to enable.
    sequence: u32,
    /// The guest's life that the sessions belong to.
    life: u64,
}

/// An enabling that the guest has not carried out yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    sequence: u32,
    generation: u64,
    failed_before: u64,
}

/// One connection.
struct Consumer {
    end: ShimEnd,
    greeted: bool,
    session: Option<Session>,
    waiting: Vec<Waiting>,
    outbox: VecDeque<(Reply, Option<OwnedFd>)>,
    gone: bool,
}

/// An answer with the blob that belongs to it.
type Answer = (Reply, Option<OwnedFd>);

/// Why a request is not granted, for the user.
fn refused(reason: impl ToString) -> Answer {
    (Reply::Refused { reason: reason.to_string() }, None)
}

impl Thread {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            if let Err(errno) = self.wait() {
                self.shim.say(&format!("control thread: {errno}"));
                break;
            }
            self.spread_news();
            self.accept();
            for at in 0..self.consumers.len() {
                self.serve(at);
            }
            self.report_settled();
            self.sweep();
        }
        self.consumers.clear();
        self.update_wanted();
        self.sweep();
    }

    /// Waits until there is something to do.
    fn wait(&self) -> Result<(), Errno> {
        let mut fds = vec![
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.shim.waker().as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.consumers.iter().map(Consumer::interest));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        // Empty if it was not the waker: it does not block.
        let _ = self.shim.waker().read();
        Ok(())
    }

    /// Takes waiting connections.
    fn accept(&mut self) {
        while let Ok(Some(end)) = self.listener.accept() {
            if self.consumers.len() < MAX_CONNECTIONS && unblock(end.as_fd()).is_ok() {
                self.consumers.push(Consumer::new(end));
            }
        }
    }

    /// Answers what a consumer asks.
    fn serve(&mut self, at: usize) {
        if let Some(consumer) = self.consumers.get_mut(at) {
            consumer.flush();
        }
        for _ in 0..MAX_REQUESTS {
            let Some(consumer) = self.consumers.get_mut(at) else { return };
            let (request, fd) = match consumer.end.receive() {
                Ok(got) => got,
                Err(ControlError::System { errno: Errno::EAGAIN | Errno::EINTR, .. }) => return,
                Err(_) => {
                    consumer.gone = true;
                    return;
                }
            };
            // A request made after a reboot must not meet the session of the life before.
            self.spread_news();
            let answer = self.answer(at, request, fd);
            if let Some(consumer) = self.consumers.get_mut(at) {
                consumer.send(answer);
            }
        }
    }

    fn answer(&mut self, at: usize, request: Request, fd: Option<OwnedFd>) -> Answer {
        let Some(consumer) = self.consumers.get_mut(at) else { return refused("no connection") };
        match (&request, consumer.greeted) {
            (Request::Hello { .. }, _) | (_, true) => {}
            _ => return refused("say Hello first"),
        }
        match request {
            Request::Hello { version: PROTOCOL_VERSION } => {
                consumer.greeted = true;
                (Reply::Machine(self.machine()), None)
            }
            Request::Hello { version } => refused(format!(
                "protocol version {version} is not spoken here; {PROTOCOL_VERSION} is"
            )),
            Request::GetProbes => self.probes(),
            Request::GetSymbols => self.symbols(),
            Request::GetTypes => self.types(),
            Request::Open { machine_id, slot_base, slots } => {
                self.open(at, fd, (machine_id, slot_base, slots))
            }
            Request::Load { .. } => match (&mut consumer.session, fd) {
                (Some(session), Some(fd)) => match session.load(fd) {
                    Ok(ecbs) => (Reply::Loaded { ecbs }, None),
                    Err(error) => refused(error),
                },
                (None, _) => refused("there is no session"),
                (_, None) => refused("the program is missing"),
            },
            Request::Enable { count } => self.enable(at, fd, count),
            Request::Stats => (Reply::Stats(self.shim.stats()), None),
        }
    }

    /// Who the machine is, guest or not.
    fn machine(&self) -> host::control::MachineInfo {
        let mut info = self.shim.guest().info.clone();
        self.shim.name().as_str().clone_into(&mut info.vmname);
        info
    }

    fn probes(&self) -> Answer {
        let guest = self.shim.guest();
        let reply =
            Reply::Probes { generation: guest.probes_generation, count: guest.probes.count() };
        with_blob(reply, blob("hypertrace-probes", guest.probes.blob()))
    }

    fn symbols(&self) -> Answer {
        let guest = self.shim.guest();
        let reply = Reply::Symbols { count: guest.symbols.count() };
        with_blob(reply, blob("hypertrace-symbols", guest.symbols.blob()))
    }

    fn types(&self) -> Answer {
        let guest = self.shim.guest();
        let one = |c: &crate::tables::TypeContainer| TypeBlob {
            module: c.module.clone(),
            format: c.format.raw(),
            len: u64::try_from(c.at.len()).unwrap_or(0),
            offset: u64::try_from(c.at.start).unwrap_or(0),
        };
        let list = guest.types.containers().iter().map(one).collect();
        with_blob(Reply::Types(list), blob("hypertrace-types", guest.types.blob()))
    }

    fn open(&mut self, at: usize, fd: Option<OwnedFd>, place: (u32, u32, u32)) -> Answer {
        let Some(consumer) = self.consumers.get_mut(at) else { return refused("no connection") };
        if consumer.session.is_some() {
            return refused("one connection has one session, and this one has it already");
        }
        let Some(fd) = fd else { return refused("the arena is missing") };
        match Session::open(&self.shim, fd, place) {
            Ok(session) => consumer.session = Some(session),
            Err(error) => return refused(error),
        }
        self.count_sessions();
        (Reply::Opened, None)
    }

    fn enable(&mut self, at: usize, fd: Option<OwnedFd>, count: u32) -> Answer {
        let Some(consumer) = self.consumers.get_mut(at) else { return refused("no connection") };
        let Some(session) = &mut consumer.session else { return refused("there is no session") };
        let Some(fd) = fd else { return refused("the enablings are missing") };
        if let Err(error) = session.enable(fd, count) {
            return refused(error);
        }
        let failed_before = self.shim.guest().plan.failed();
        let generation = self.update_wanted();
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        if let Some(consumer) = self.consumers.get_mut(at) {
            consumer.waiting.push(Waiting { sequence, generation, failed_before });
        }
        // The answer must come before the news that it is done.
        self.shim.wake();
        (Reply::Accepted { sequence }, None)
    }

    /// Tells the guest's plan what all sessions together want. If the guest has begun a new life
    /// meanwhile nothing is: the sessions are about to end.
    fn update_wanted(&self) -> u64 {
        let wanted = crate::session::wanted(&self.shim);
        let mut guest = self.shim.guest();
        let wanted = if guest.life == self.life { wanted } else { ProbeSet::default() };
        guest.want(wanted)
    }

    /// Sends all consumers what happened to the guest, and ends sessions of a life that is over.
    fn spread_news(&mut self) {
        let (news, life, present) = {
            let mut guest = self.shim.guest();
            (std::mem::take(&mut guest.news), guest.life, guest.present)
        };
        self.life = life;
        let mut ended = false;
        for consumer in &mut self.consumers {
            let over = |s: &mut Session| !present || s.life() != life;
            if consumer.session.take_if(over).is_some() {
                consumer.waiting.clear();
                ended = true;
            }
        }
        if ended {
            self.update_wanted();
            self.count_sessions();
        }
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.greeted) {
            for reply in &news {
                consumer.send((reply.clone(), None));
            }
        }
    }

    /// Says which enablings the guest has carried out by now.
    fn report_settled(&mut self) {
        let (generation, failed) = {
            let guest = self.shim.guest();
            if !guest.plan.settled() {
                return;
            }
            (guest.plan.generation(), guest.plan.failed())
        };
        for consumer in &mut self.consumers {
            let done: Vec<_> =
                consumer.waiting.extract_if(.., |w| w.generation <= generation).collect();
            for w in done {
                let failed = u32::try_from(failed - w.failed_before.min(failed));
                let failed = failed.unwrap_or(u32::MAX);
                consumer.send((Reply::Enabled { sequence: w.sequence, failed }, None));
            }
        }
    }

    /// Lets go of connections that ended, and of what they had enabled.
    fn sweep(&mut self) {
        let before = self.consumers.len();
        let had_session = self.consumers.iter().any(|c| c.gone && c.session.is_some());
        self.consumers.retain(|consumer| !consumer.gone);
        if had_session {
            self.update_wanted();
        }
        if self.consumers.len() != before {
            self.count_sessions();
        }
    }

    fn count_sessions(&self) {
        let open = self.consumers.iter().filter(|c| c.session.is_some()).count();
        self.shim.count_sessions(u32::try_from(open).unwrap_or(u32::MAX));
    }
}

impl Consumer {
    fn new(end: ShimEnd) -> Self {
        Self {
            end,
            greeted: false,
            session: None,
            waiting: Vec::new(),
            outbox: VecDeque::new(),
            gone: false,
        }
    }

    /// What the thread waits for on this connection.
    fn interest(&self) -> PollFd<'_> {
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        PollFd::new(self.end.as_fd(), events)
    }

    /// Sends a reply, or keeps it until the consumer reads.
    fn send(&mut self, answer: Answer) {
        self.outbox.push_back(answer);
        self.flush();
        self.gone |= self.outbox.len() > MAX_OUTBOX;
    }

    /// Sends what waits, as far as the consumer reads.
    fn flush(&mut self) {
        while let Some((reply, fd)) = self.outbox.front() {
            match self.end.send(reply, fd.as_ref().map(AsFd::as_fd)) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(ControlError::System { errno: Errno::EAGAIN | Errno::EINTR, .. }) => break,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }
}

fn with_blob(reply: Reply, blob: Result<OwnedFd, ControlError>) -> Answer {
    match blob {
        Ok(fd) => (reply, Some(fd)),
        Err(error) => refused(error),
    }
}

/// Makes a socket non-blocking.
fn unblock(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}
