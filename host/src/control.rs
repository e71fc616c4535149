//! The control protocol between the consumer and a machine's shim.
//!
//! One `SOCK_SEQPACKET` connection is at most one session. Messages are postcard-encoded enums of
//! at most [`MAX_MESSAGE`] bytes; anything bigger travels beside them as a memfd.
//!
//! ```text
//!  consumer                                   shim
//!     Hello ─────────────────────────────▶
//!        ◀───────────────────────────────── Machine
//!     GetProbes, GetSymbols, GetTypes ───▶
//!        ◀───────────────────────────────── Probes, Symbols, Types (memfd)
//!     Open (arena) ──────────────────────▶
//!        ◀───────────────────────────────── Opened
//!     Load (DOF) ────────────────────────▶
//!        ◀───────────────────────────────── Loaded
//!     Enable (enablings) ────────────────▶
//!        ◀───────────────────────────────── Accepted … Enabled
//! ```
//! Both ends treat the other's bytes as foreign: sizes are bounded, descriptors that were not
//! asked for are closed, and a message that does not decode is an error, never a panic.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::fs::DirBuilderExt,
    },
    path::{Path, PathBuf},
    string::String,
    vec,
    vec::Vec,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        socket::{
            self, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
            UnixAddr,
        },
    },
    unistd::{UnlinkatFlags, unlinkat},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::ids::Enabling;

/// What [`Request::Hello`] carries; ends that differ do not talk.
pub const PROTOCOL_VERSION: u32 = 1;
/// The most bytes of one message.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The most descriptors one message carries.
pub const MAX_FDS: usize = 1;
/// The most bytes of a blob: probes, symbols, types, programs, enablings.
pub const MAX_BLOB: u64 = 1 << 30;

/// What the consumer asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The first message.
    Hello {
        /// [`PROTOCOL_VERSION`].
        version: u32,
    },
    /// The probe table.
    GetProbes,
    /// The kernel's symbols.
    GetSymbols,
    /// The kernel's C types.
    GetTypes,
    /// Opens a session; the arena comes along.
    Open {
        /// The machine's number in the session.
        machine_id: u32,
        /// The first of the slots the machine may use.
        slot_base: u32,
        /// How many slots.
        slots: u32,
    },
    /// Loads the program; DOF comes along.
    Load {
        /// Counts programs in the session.
        generation: u64,
    },
    /// Replaces the session's enablings; [`Enabling`]s come along.
    Enable {
        /// How many.
        count: u32,
    },
    /// What the shim has counted.
    Stats,
}

/// What the shim answers, or says unasked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Hello`].
    Machine(MachineInfo),
    /// To [`Request::GetProbes`], with a memfd of the guest's own entries.
    Probes {
        /// Changes with every batch the guest sends.
        generation: u64,
        /// How many entries.
        count: u32,
    },
    /// To [`Request::GetSymbols`], with a memfd of the guest's own entries.
    Symbols {
        /// How many entries.
        count: u32,
    },
    /// To [`Request::GetTypes`], with one memfd of all containers.
    Types(Vec<TypeBlob>),
    /// To [`Request::Open`].
    Opened,
    /// To [`Request::Load`].
    Loaded {
        /// How many ECBs the program has.
        ecbs: u32,
    },
    /// To any request that is not granted.
    Refused {
        /// Why, in words for the user.
        reason: String,
    },
    /// To [`Request::Enable`].
    Accepted {
        /// Names this request in [`Reply::Enabled`].
        sequence: u32,
    },
    /// Unasked: the guest has carried out the enablings.
    Enabled {
        /// From [`Reply::Accepted`].
        sequence: u32,
        /// How many probes it could not instrument.
        failed: u32,
    },
    /// To [`Request::Stats`].
    Stats(ShimStats),
    /// Unasked: a guest said HELLO.
    MachineUp(MachineInfo),
    /// Unasked: the guest is gone.
    MachineDown {
        /// Why.
        reason: String,
    },
    /// Unasked: the probe table is another one.
    ProbesChanged {
        /// As in [`Reply::Probes`].
        generation: u64,
    },
}

/// Who a machine is. All but `vmname` is what the guest says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Its name, from its monitor.
    pub vmname: String,
    /// Its host name.
    pub hostname: String,
    /// 1 Linux, 2 FreeBSD, as in the hypercall ABI; 0 not known yet.
    pub os: u16,
    /// The kernel's release (`6.1.0-56-cloud-amd64`).
    pub release: String,
    /// The kernel's long version text.
    pub kernel_version: String,
    /// The guest module's version.
    pub module_version: String,
    /// Identifies this boot.
    pub boot_id: [u8; 16],
    /// Possible CPUs, and so slots.
    pub ncpu: u32,
    /// Address of the kernel's text.
    pub kernel_base: u64,
    /// The guest said HELLO and sent its last batch of probes.
    pub ready: bool,
    /// The owner of the host allows destructive actions on it.
    pub destructive: bool,
}

/// One container in the types blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeBlob {
    /// `vmlinux`/`kernel` for the image itself.
    pub module: String,
    /// 1 BTF, 2 CTF.
    pub format: u32,
    /// Bytes.
    pub len: u64,
    /// Bytes from the blob's start.
    pub offset: u64,
}

/// What a shim counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimStats {
    /// Fires delivered to the engine.
    pub fires: u64,
    /// Fires the guest says it left out.
    pub guest_drops: u64,
    /// Descriptors that were refused.
    pub bad_calls: u64,
    /// Polls of the guest.
    pub polls: u64,
    /// Sessions open now.
    pub sessions: u32,
}

/// What can go wrong on a connection.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The system call failed.
    #[error("{what}: {errno}")]
    System {
        /// Which step.
        what: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// A file operation failed.
    #[error("{what}: {source}")]
    Io {
        /// Which step.
        what: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The other end is gone.
    #[error("the connection is closed")]
    Closed,
    /// A message is too long to send, or was longer than allowed when it arrived.
    #[error("a message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// The bytes are no message.
    #[error("a message cannot be decoded: {0}")]
    Malformed(postcard::Error),
    /// A blob is larger than [`MAX_BLOB`] or than its announcement.
    #[error("a blob has {len} bytes where {want} were expected")]
    BlobSize {
        /// What it has.
        len: u64,
        /// What was expected (at most).
        want: u64,
    },
}

fn system(what: &'static str) -> impl Fn(Errno) -> ControlError {
    move |errno| ControlError::System { what, errno }
}

fn file(what: &'static str) -> impl Fn(io::Error) -> ControlError {
    move |source| ControlError::Io { what, source }
}

/// A connection; messages of type `S` go out, of type `R` come in.
#[derive(Debug)]
pub struct Connection<S, R> {
    socket: OwnedFd,
    direction: core::marker::PhantomData<fn(S) -> R>,
}

/// The consumer's end.
pub type ConsumerEnd = Connection<Request, Reply>;
/// The shim's end.
pub type ShimEnd = Connection<Reply, Request>;

impl<S: Serialize, R: DeserializeOwned> Connection<S, R> {
    /// Wraps a connected socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, direction: core::marker::PhantomData }
    }

    /// Connects to a socket of the run directory.
    ///
    /// # Errors
    /// [`ControlError::System`].
    pub fn connect(path: &Path) -> Result<Self, ControlError> {
        let socket = seqpacket(SockFlag::SOCK_CLOEXEC)?;
        let addr = UnixAddr::new(path).map_err(system("socket path"))?;
        socket::connect(socket.as_raw_fd(), &addr).map_err(system("connect"))?;
        Ok(Self::new(socket))
    }

    /// Sends a message, with a descriptor if there is one. Never raises `SIGPIPE`.
    ///
    /// # Errors
    /// [`ControlError::TooLong`], [`ControlError::Closed`], [`ControlError::System`].
    pub fn send(&self, message: &S, fd: Option<BorrowedFd<'_>>) -> Result<(), ControlError> {
        let bytes = postcard::to_stdvec(message).map_err(ControlError::Malformed)?;
        if bytes.len() > MAX_MESSAGE {
            return Err(ControlError::TooLong);
        }
        let fds: Vec<RawFd> = fd.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let extra = if fds.is_empty() { &[][..] } else { &rights[..] };
        let data = [IoSlice::new(&bytes)];
        match socket::sendmsg::<UnixAddr>(
            self.socket.as_raw_fd(),
            &data,
            extra,
            MsgFlags::MSG_NOSIGNAL,
            None,
        ) {
            Ok(_) => Ok(()),
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(ControlError::Closed),
            Err(errno) => Err(system("send")(errno)),
        }
    }

    /// Receives the next message and the descriptor that came with it. On a non-blocking socket
    /// without a message the error is [`ControlError::System`] with `EAGAIN`.
    ///
    /// # Errors
    /// Every [`ControlError`] but [`ControlError::BlobSize`].
    pub fn receive(&self) -> Result<(R, Option<OwnedFd>), ControlError> {
        let mut bytes = vec![0_u8; MAX_MESSAGE];
        let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
        let (len, cut, fds) = {
            let mut data = [IoSliceMut::new(&mut bytes)];
            let got = socket::recvmsg::<UnixAddr>(
                self.socket.as_raw_fd(),
                &mut data,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            let got = match got {
                Err(Errno::ECONNRESET) => return Err(ControlError::Closed),
                other => other.map_err(system("receive"))?,
            };
            let fds = take_fds(&got);
            (got.bytes, got.flags.contains(MsgFlags::MSG_TRUNC), fds)
        };
        if cut {
            return Err(ControlError::TooLong);
        }
        if len == 0 {
            return Err(ControlError::Closed);
        }
        let body = bytes.get(..len).unwrap_or_default();
        let message = postcard::from_bytes(body).map_err(ControlError::Malformed)?;
        Ok((message, fds.into_iter().next()))
    }
}

impl<S, R> AsFd for Connection<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Owns every descriptor that came with a message, so that none leaks.
fn take_fds(got: &socket::RecvMsg<'_, '_, UnixAddr>) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    for extra in got.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(raw) = extra {
            for fd in raw {
                // SAFETY: the kernel has just installed this descriptor for this message, and
                // nothing else in the process knows it.
                fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    fds
}

fn seqpacket(flags: SockFlag) -> Result<OwnedFd, ControlError> {
    socket::socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(system("socket"))
}

/// A listening socket in the run directory; the file goes when it is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// The run directory: a process that has gone into a sandbox can remove the file only by way
    /// of a descriptor that it had before.
    dir: Option<OwnedFd>,
}

impl Listener {
    /// Listens at `path`. A file that a dead shim left there is replaced; one that somebody
    /// listens on is an error.
    ///
    /// # Errors
    /// [`ControlError::System`] with `EADDRINUSE` if somebody listens there, or another error.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let addr = UnixAddr::new(path).map_err(system("socket path"))?;
        let probe = seqpacket(SockFlag::SOCK_CLOEXEC)?;
        match socket::connect(probe.as_raw_fd(), &addr) {
            Ok(()) => return Err(system("bind")(Errno::EADDRINUSE)),
            Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(file("stale socket"))?,
            Err(_) => {}
        }
        let listening = seqpacket(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
        socket::bind(listening.as_raw_fd(), &addr).map_err(system("bind"))?;
        let backlog = socket::Backlog::new(16).map_err(system("listen"))?;
        socket::listen(&listening, backlog).map_err(system("listen"))?;
        let dir = path.parent().and_then(|dir| File::open(dir).ok()).map(OwnedFd::from);
        #[cfg(target_os = "freebsd")]
        {
            use crate::capsicum::{DIRECTORY, SOCKET, limit};
            limit(listening.as_fd(), SOCKET).map_err(system("cap_rights_limit"))?;
            if let Some(dir) = &dir {
                limit(dir.as_fd(), DIRECTORY).map_err(system("cap_rights_limit"))?;
            }
        }
        Ok(Self { socket: listening, path: path.to_owned(), dir })
    }

    /// Takes a waiting connection; `None` if there is none (the listener does not block).
    ///
    /// # Errors
    /// [`ControlError::System`].
    pub fn accept(&self) -> Result<Option<ShimEnd>, ControlError> {
        match socket::accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: accept4 has just made this descriptor and gave it to nobody else.
            Ok(fd) => Ok(Some(Connection::new(unsafe { OwnedFd::from_raw_fd(fd) }))),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED) => Ok(None),
            Err(errno) => Err(system("accept")(errno)),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let (Some(dir), Some(name)) = (&self.dir, self.path.file_name()) else { return };
        // Nothing is lost if it is gone already; the next shim replaces a stale one.
        let _removed = unlinkat(dir, name, UnlinkatFlags::NoRemoveDir);
    }
}

/// Where the run directory is if nothing else is said. FreeBSD has no /run.
#[cfg(not(target_os = "freebsd"))]
const RUN_DIR: &str = "/run/hypertrace";
#[cfg(target_os = "freebsd")]
const RUN_DIR: &str = "/var/run/hypertrace";

/// The run directory: `$HYPERTRACE_DIR`, else `/run/hypertrace`, on FreeBSD `/var/run/hypertrace`.
#[must_use]
pub fn run_dir() -> PathBuf {
    std::env::var_os("HYPERTRACE_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| PathBuf::from(RUN_DIR), PathBuf::from)
}

/// Makes the run directory, mode 0700, if it is not there.
///
/// # Errors
/// [`ControlError::Io`].
pub fn make_run_dir(dir: &Path) -> Result<(), ControlError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(file("making the run directory"))
}

/// Where a machine's shim listens. A name that is no plain file name gives `None`.
#[must_use]
pub fn socket_path(dir: &Path, vmname: &str) -> Option<PathBuf> {
    let plain = !vmname.is_empty()
        && !vmname.starts_with('.')
        && !vmname.contains(['/', '\0'])
        && vmname.len() <= 64;
    plain.then(|| dir.join(format!("{vmname}.sock")))
}

/// Puts bytes into a sealed memfd, for a message too big to send.
///
/// # Errors
/// [`ControlError::System`], [`ControlError::Io`].
pub fn blob(name: &str, bytes: &[u8]) -> Result<OwnedFd, ControlError> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
        .map_err(system("memfd"))?;
    let mut out = File::from(fd);
    out.write_all(bytes).map_err(file("filling a memfd"))?;
    let seals = SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_SEAL;
    fcntl(&out, FcntlArg::F_ADD_SEALS(seals)).map_err(system("sealing a memfd"))?;
    Ok(out.into())
}

/// Copies a blob out of a descriptor; at most `limit` and [`MAX_BLOB`] bytes. The copy cannot
/// change any more, whatever the sender does.
///
/// # Errors
/// [`ControlError::BlobSize`] if it is larger, [`ControlError::Io`].
pub fn read_blob(fd: OwnedFd, limit: u64) -> Result<Vec<u8>, ControlError> {
    let mut input = File::from(fd);
    let len = input.metadata().map_err(file("looking at a blob"))?.len();
    let want = limit.min(MAX_BLOB);
    if len > want {
        return Err(ControlError::BlobSize { len, want });
    }
    input.seek(SeekFrom::Start(0)).map_err(file("reading a blob"))?;
    let mut bytes = Vec::new();
    input.take(want).read_to_end(&mut bytes).map_err(file("reading a blob"))?;
    Ok(bytes)
}

/// The blob of [`Request::Enable`].
///
/// # Errors
/// As [`blob`].
pub fn enabling_blob(enablings: &[Enabling]) -> Result<OwnedFd, ControlError> {
    let bytes: Vec<u8> = enablings.iter().flat_map(|e| e.to_bytes()).collect();
    blob("hypertrace-enablings", &bytes)
}

/// Reads the blob of [`Request::Enable`] back.
///
/// # Errors
/// [`ControlError::BlobSize`] if it does not hold exactly `count` enablings.
pub fn read_enablings(fd: OwnedFd, count: u32) -> Result<Vec<Enabling>, ControlError> {
    let want = u64::from(count).saturating_mul(Enabling::SIZE as u64);
    let bytes = read_blob(fd, want)?;
    if bytes.len() as u64 != want {
        return Err(ControlError::BlobSize { len: bytes.len() as u64, want });
    }
    Ok(bytes.as_chunks().0.iter().map(Enabling::from_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Epid, ProbeId};

    fn pair() -> (ConsumerEnd, ShimEnd) {
        let (a, b) = socket::socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .unwrap();
        (Connection::new(a), Connection::new(b))
    }

    /// What is sent arrives, with the descriptor, in its own message.
    #[test]
    fn messages_and_blobs_arrive() {
        let (consumer, shim) = pair();
        let enablings = [
            Enabling { probe: ProbeId(7), ecb: 1, epid: Epid(2), id: 900 },
            Enabling { probe: ProbeId::ERROR, ecb: 0, epid: Epid(3), id: 3 },
        ];
        let fd = enabling_blob(&enablings).unwrap();
        consumer.send(&Request::Hello { version: PROTOCOL_VERSION }, None).unwrap();
        consumer.send(&Request::Enable { count: 2 }, Some(fd.as_fd())).unwrap();
        assert_eq!(shim.receive().unwrap().0, Request::Hello { version: PROTOCOL_VERSION });
        let (message, fd) = shim.receive().unwrap();
        assert_eq!(message, Request::Enable { count: 2 });
        assert_eq!(read_enablings(fd.unwrap(), 2).unwrap(), enablings);
    }

    /// A sender that announces another number of enablings than it sent is caught.
    #[test]
    fn blob_of_another_size_is_refused() {
        let entry = Enabling { probe: ProbeId(1), ecb: 0, epid: Epid(1), id: 1 };
        for count in [0, 2, u32::MAX] {
            let fd = enabling_blob(&[entry]).unwrap();
            assert!(matches!(read_enablings(fd, count), Err(ControlError::BlobSize { .. })));
        }
    }

    /// A closed connection and rubbish are errors of their own kinds.
    #[test]
    fn closed_and_malformed_are_told_apart() {
        let (consumer, shim) = pair();
        socket::send(consumer.as_fd().as_raw_fd(), &[0xff; 40], MsgFlags::empty()).unwrap();
        assert!(matches!(shim.receive(), Err(ControlError::Malformed(_))));
        drop(consumer);
        assert!(matches!(shim.receive(), Err(ControlError::Closed)));
        assert!(matches!(shim.send(&Reply::Opened, None), Err(ControlError::Closed)));
    }

    /// A machine's name cannot lead out of the run directory.
    #[test]
    fn names_stay_in_the_run_directory() {
        let dir = Path::new("/run/x");
        assert_eq!(socket_path(dir, "vm-web-0"), Some("/run/x/vm-web-0.sock".into()));
        for bad in ["", ".", "../a", "a/b", "a\0b"] {
            assert_eq!(socket_path(dir, bad), None);
        }
    }
}
