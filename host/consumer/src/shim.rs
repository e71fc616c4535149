//! A VM, reached through its monitor's control socket.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use dlang::world::TypeFormat;
use host::{
    arena::map::ArenaMap,
    control::{
        self, Connection, ConsumerEnd, ControlError, MAX_BLOB, MachineInfo, PROTOCOL_VERSION,
        Reply, Request, ShimStats,
    },
    ids::{Enabling, MachineId},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{
    link::{LinkError, LinkEvent, MachineLink, SlotRange, TypeBlob},
    probes::ProbeTable,
    symbols::SymbolTable,
};

/// How long a shim may take to answer. It answers from its own memory, so this is long.
const ANSWER: Duration = Duration::from_secs(10);

/// A shim that was asked who it is. Nobody waits for its answer: one whose monitor is stopped shall
/// not hold a session up.
#[derive(Debug)]
pub struct Greeting(ShimLink);

impl Greeting {
    /// Connects to a socket of the run directory and asks who is there.
    ///
    /// # Errors
    /// [`LinkError`]; a socket that a dead monitor left is [`LinkError::Control`].
    pub fn send(path: &Path) -> Result<Self, LinkError> {
        let connection: ConsumerEnd = Connection::connect(path)?;
        connection.send(&Request::Hello { version: PROTOCOL_VERSION }, None)?;
        let info = MachineInfo::default();
        Ok(Self(ShimLink { connection, info, events: VecDeque::new(), closed: false }))
    }

    /// The link, if the answer has come.
    ///
    /// # Errors
    /// [`LinkError`] if it is none, or will not come.
    pub fn answer(&mut self) -> Result<bool, LinkError> {
        self.answer_within(Duration::ZERO)
    }

    fn answer_within(&mut self, patience: Duration) -> Result<bool, LinkError> {
        if !self.0.readable(patience)? {
            return Ok(false);
        }
        match self.0.answer("hello", |_| false, Duration::from_millis(1))? {
            (Reply::Machine(info), _) => self.0.info = sanitized(info),
            _ => return Err(LinkError::Unexpected("hello")),
        }
        Ok(true)
    }

    /// The link to a shim that has answered.
    #[must_use]
    pub fn into_link(self) -> ShimLink {
        self.0
    }

    /// Becomes readable when the answer comes.
    #[must_use]
    pub fn wait_fd(&self) -> BorrowedFd<'_> {
        self.0.connection.as_fd()
    }
}

/// A connection to one VM's shim: at most one session.
#[derive(Debug)]
pub struct ShimLink {
    connection: ConsumerEnd,
    info: MachineInfo,
    events: VecDeque<LinkEvent>,
    closed: bool,
}

impl ShimLink {
    /// Connects to a socket of the run directory and waits until it is known who is there.
    ///
    /// # Errors
    /// [`LinkError`]; a socket that a dead monitor left is [`LinkError::Control`].
    pub fn connect(path: &Path) -> Result<Self, LinkError> {
        let mut greeting = Greeting::send(path)?;
        match greeting.answer_within(ANSWER)? {
            true => Ok(greeting.into_link()),
            false => Err(LinkError::Timeout("hello")),
        }
    }

    /// What the shim has counted.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn stats(&mut self) -> Result<ShimStats, LinkError> {
        match self.ask("stats", &Request::Stats, None)? {
            (Reply::Stats(stats), _) => Ok(stats),
            _ => Err(LinkError::Unexpected("stats")),
        }
    }

    /// Sends a request and waits for its answer; what comes in between unasked is kept.
    fn ask(
        &mut self,
        what: &'static str,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<(Reply, Option<OwnedFd>), LinkError> {
        self.connection.send(request, fd)?;
        let wants_stats = *request == Request::Stats;
        self.answer(what, |reply| wants_stats && matches!(reply, Reply::Stats(_)), ANSWER)
    }

    /// Waits for an answer: what does not come unasked, or what `is_answer` says is one.
    fn answer(
        &mut self,
        what: &'static str,
        is_answer: impl Fn(&Reply) -> bool,
        patience: Duration,
    ) -> Result<(Reply, Option<OwnedFd>), LinkError> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.readable(left)? {
                return Err(LinkError::Timeout(what));
            }
            match self.connection.receive()? {
                (Reply::Refused { reason }, _) => return Err(LinkError::Refused(reason)),
                (reply, fd) if is_answer(&reply) => return Ok((reply, fd)),
                (reply, fd) => match unasked(reply) {
                    Ok(event) => self.events.push_back(event),
                    Err(reply) => return Ok((*reply, fd)),
                },
            }
        }
    }

    /// Whether something arrives in time.
    fn readable(&self, wait: Duration) -> Result<bool, LinkError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.connection.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(nix::errno::Errno::EINTR) if !left.is_zero() => {}
                Err(errno) => return Err(ControlError::System { what: "poll", errno }.into()),
            }
        }
    }

    fn blob(
        &mut self,
        what: &'static str,
        request: &Request,
    ) -> Result<(Reply, Vec<u8>), LinkError> {
        let (reply, fd) = self.ask(what, request, None)?;
        let bytes = match fd {
            Some(fd) => control::read_blob(fd, MAX_BLOB)?,
            None => Vec::new(),
        };
        Ok((reply, bytes))
    }
}

/// Sorts what the shim says unasked from answers.
fn unasked(reply: Reply) -> Result<LinkEvent, Box<Reply>> {
    Ok(match reply {
        Reply::Enabled { sequence, failed } => LinkEvent::Enabled { sequence, failed },
        Reply::MachineUp(info) => LinkEvent::Up(Box::new(sanitized(info))),
        Reply::MachineDown { reason } => LinkEvent::Down(printable(&reason)),
        Reply::ProbesChanged { .. } => LinkEvent::ProbesChanged,
        // What `ask_losses` asked for; nobody waits for it.
        Reply::Stats(stats) => LinkEvent::Losses(stats.guest_drops),
        other => return Err(Box::new(other)),
    })
}

/// What a guest says of itself goes to the user's terminal: control characters are taken out.
fn sanitized(info: MachineInfo) -> MachineInfo {
    MachineInfo {
        vmname: printable(&info.vmname),
        hostname: printable(&info.hostname),
        release: printable(&info.release),
        kernel_version: printable(&info.kernel_version),
        module_version: printable(&info.module_version),
        ..info
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(256).collect()
}

impl MachineLink for ShimLink {
    fn info(&self) -> &MachineInfo {
        &self.info
    }

    fn probes(&mut self) -> Result<ProbeTable, LinkError> {
        match self.blob("probes", &Request::GetProbes)? {
            (Reply::Probes { count, .. }, bytes) => Ok(ProbeTable::parse(bytes, count)?),
            _ => Err(LinkError::Unexpected("probes")),
        }
    }

    fn symbols(&mut self) -> Result<SymbolTable, LinkError> {
        match self.blob("symbols", &Request::GetSymbols)? {
            (Reply::Symbols { count }, bytes) => {
                SymbolTable::parse(&bytes, count).map_err(LinkError::Symbols)
            }
            _ => Err(LinkError::Unexpected("symbols")),
        }
    }

    fn types(&mut self) -> Result<Vec<TypeBlob>, LinkError> {
        let (Reply::Types(list), bytes) = self.blob("types", &Request::GetTypes)? else {
            return Err(LinkError::Unexpected("types"));
        };
        let cut = |blob: control::TypeBlob| {
            let start = usize::try_from(blob.offset).ok()?;
            let end = start.checked_add(usize::try_from(blob.len).ok()?)?;
            let format = match blob.format {
                1 => TypeFormat::Btf,
                2 => TypeFormat::Ctf,
                _ => return None,
            };
            Some(TypeBlob { module: blob.module, format, bytes: bytes.get(start..end)?.to_vec() })
        };
        Ok(list.into_iter().filter_map(cut).collect())
    }

    fn open(
        &mut self,
        arena: &ArenaMap,
        machine: MachineId,
        slots: SlotRange,
    ) -> Result<(), LinkError> {
        let request =
            Request::Open { machine_id: machine.0, slot_base: slots.base, slots: slots.count };
        match self.ask("open", &request, Some(arena.fd()))? {
            (Reply::Opened, _) => Ok(()),
            _ => Err(LinkError::Unexpected("open")),
        }
    }

    fn load(&mut self, generation: u64, dof: &[u8]) -> Result<(), LinkError> {
        let fd = control::blob("hypertrace-program", dof)?;
        match self.ask("load", &Request::Load { generation }, Some(fd.as_fd()))? {
            (Reply::Loaded { .. }, _) => Ok(()),
            _ => Err(LinkError::Unexpected("load")),
        }
    }

    fn enable(&mut self, enablings: &[Enabling]) -> Result<Option<u32>, LinkError> {
        let count = u32::try_from(enablings.len()).unwrap_or(u32::MAX);
        let fd = control::enabling_blob(enablings)?;
        match self.ask("enable", &Request::Enable { count }, Some(fd.as_fd()))? {
            (Reply::Accepted { sequence }, _) => Ok(Some(sequence)),
            _ => Err(LinkError::Unexpected("enable")),
        }
    }

    fn event(&mut self) -> Option<LinkEvent> {
        while self.events.is_empty() && !self.closed {
            match self.readable(Duration::ZERO) {
                Ok(false) => return None,
                Ok(true) => {}
                Err(_) => self.closed = true,
            }
            match self.connection.receive() {
                Ok((reply, _)) => self.events.extend(unasked(reply).ok()),
                Err(_) => self.closed = true,
            }
            if self.closed {
                self.events.push_back(LinkEvent::Closed);
            }
        }
        let event = self.events.pop_front();
        if let Some(LinkEvent::Up(info)) = &event {
            self.info = (**info).clone();
        }
        event
    }

    fn ask_losses(&mut self) -> bool {
        self.connection.send(&Request::Stats, None).is_ok()
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.closed).then(|| self.connection.as_fd())
    }
}
