//! Why there is no program.

use nix::errno::Errno;

use crate::asm::LinkError;

/// What cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{construct} cannot run in this kernel: {why}")]
pub struct Refused {
    /// What, as it is written in D.
    pub construct: String,
    /// Why, and what would help.
    pub why: String,
}

impl Refused {
    pub(crate) fn new(construct: impl Into<String>, why: impl Into<String>) -> Self {
        Self { construct: construct.into(), why: why.into() }
    }
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A clause cannot be translated.
    #[error("{probe}: {refused}")]
    Refused {
        /// The probe.
        probe: String,
        /// What, and why.
        refused: Refused,
    },
    /// The program does not fit the arena, or is refused by the verifier of DIF.
    #[error(transparent)]
    Load(#[from] host::engine::LoadError),
    /// The arena cannot be made or mapped.
    #[error(transparent)]
    Arena(#[from] host::arena::map::ArenaError),
    /// The translated program cannot be linked.
    #[error("{probe}: {error}")]
    Link {
        /// The probe.
        probe: String,
        /// Why.
        error: LinkError,
    },
    /// The kernel refuses a program: our fault, or a kernel that lacks something.
    #[error("{probe}: the kernel refuses the program: {errno}{}", last_line(.log))]
    Verifier {
        /// The probe.
        probe: String,
        /// Its error.
        errno: Errno,
        /// The verifier's log.
        log: String,
    },
    /// A system call failed.
    #[error("{what}: {errno}")]
    System {
        /// Which step.
        what: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// The kernel has no memory for the arena.
    #[error(
        "the kernel has no memory for the session's {} MiB: lower bufsize, aggsize or dynvarsize",
        .have >> 20
    )]
    NoMemory {
        /// The bytes it would have had.
        have: u64,
    },
    /// The arena is too large for the kernel's programs.
    #[error(
        "the arena has {have} bytes, and kernel programs can reach {MAX_ARENA}: lower bufsize, aggsize or dynvarsize"
    )]
    ArenaTooLarge {
        /// Its bytes.
        have: u64,
    },
}

/// The most bytes of an arena that programs can reach: the verifier's `BPF_MAX_VAR_OFF`.
pub const MAX_ARENA: u64 = (1 << 29) - (1 << 16);

/// The verifier's verdict: the last line that is no statistics.
fn last_line(log: &str) -> String {
    let statistics = |line: &&str| line.starts_with("processed ") || line.trim().is_empty();
    let verdict = log.lines().rev().find(|line| !statistics(line));
    verdict.map_or_else(String::new, |line| format!(": {}", line.trim()))
}
