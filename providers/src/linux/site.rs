//! Where the host's probes lie in its kernel.
//!
//! ```text
//!  Site ── one BPF program ── Hook: a raw tracepoint, a function's entry or return, a clock, …
//!   │
//!   ├─ key: which of the site's probes fires (the system call's number), or nothing
//!   └─ SitePlan ── guard ── fires only if this is not 0
//!                ├ args ── arg0 … arg9
//!                ├ thread ─ whose fire it is, where that is not the running thread
//!                └ errno
//! ```
//! A site says *what* a probe's numbers are, as [`Value`]s over the words that the kernel passes
//! to a program there; the translator turns them into instructions and leaves out those that no
//! clause asks for. Attaching the finished program is `attach`'s business.

use host::ids::ProbeId;

/// A place in the kernel where a program can be run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A raw tracepoint, by its name (`sched_switch`): a program of type `RAW_TRACEPOINT`, whose
    /// words are the tracepoint's own arguments.
    RawTracepoint(String),
    /// The entry of a kernel function (`TRACING`, fentry): its words are the parameters.
    FunctionEntry {
        /// The function.
        function: String,
        /// Its number in the kernel's BTF.
        btf_id: u32,
    },
    /// A kernel function's return (`TRACING`, fexit): its words are the parameters, then the
    /// result.
    FunctionReturn {
        /// The function.
        function: String,
        /// Its number in the kernel's BTF.
        btf_id: u32,
    },
    /// A software clock on every CPU (`PERF_EVENT`): its words are the interrupted registers, in
    /// the order of `struct pt_regs`.
    Clock {
        /// Nanoseconds from fire to fire.
        interval: u64,
    },
    /// An instruction of a user program (`KPROBE`, as uprobe or uretprobe): its words are the
    /// registers, in the order of `struct pt_regs`.
    User {
        /// The file it lies in.
        path: std::path::PathBuf,
        /// Bytes from the file's start.
        offset: u64,
        /// When the function that begins there returns.
        on_return: bool,
        /// Of this process only.
        pid: Option<u32>,
    },
}

/// What two values make together; all are of 64 bits, comparisons give 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sum, wrapping.
    Add,
    /// Difference, wrapping.
    Sub,
    /// Product, wrapping.
    Mul,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Shift to the left by the right one's value (below 64).
    Shl,
    /// Logical shift to the right by the right one's value (below 64).
    Shr,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// At least, unsigned.
    Ge,
}

/// A number that is had from what the kernel passes to a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Always the same.
    Const(u64),
    /// A word of the program's context.
    Word(u8),
    /// The running thread's `struct task_struct`.
    Current,
    /// Kernel memory; 0 if it cannot be read.
    Load {
        /// An address …
        base: Box<Self>,
        /// … and bytes beyond it.
        offset: u32,
        /// 1, 2, 4 or 8 bytes.
        width: u8,
        /// Sign-extended, else zero-extended.
        signed: bool,
    },
    /// Two values together.
    Op(Op, Box<Self>, Box<Self>),
}

impl Value {
    /// Unsigned memory of `width` bytes at `offset` from this address.
    #[must_use]
    pub fn load(self, offset: u32, width: u8) -> Self {
        Self::Load { base: Box::new(self), offset, width, signed: false }
    }

    /// Signed memory of `width` bytes at `offset` from this address.
    #[must_use]
    pub fn load_signed(self, offset: u32, width: u8) -> Self {
        Self::Load { base: Box::new(self), offset, width, signed: true }
    }

    /// This and another.
    #[must_use]
    pub fn op(self, op: Op, other: Self) -> Self {
        Self::Op(op, Box::new(self), Box::new(other))
    }

    /// This and a constant.
    #[must_use]
    pub fn with(self, op: Op, other: u64) -> Self {
        self.op(op, Self::Const(other))
    }
}

/// One probe at its site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePlan {
    /// The host's number of the probe.
    pub probe: ProbeId,
    /// The value of the site's key at which it fires; means nothing if the site has no key.
    pub key: u64,
    /// It fires only if this is not 0.
    pub guard: Option<Value>,
    /// `arg0`, `arg1`, …; at most ten, the rest are 0.
    pub args: Vec<Value>,
    /// The `struct task_struct` whose fire it is, if not [`Value::Current`]: `pid`, `tid`,
    /// `execname`, `uid`, `curthread` and thread-locals are this thread's.
    pub thread: Value,
    /// `errno`; 0 if `None`.
    pub errno: Option<Value>,
}

/// A hook and the probes that fire there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where.
    pub hook: Hook,
    /// Chooses among the probes; without one all of them fire, in order.
    pub key: Option<Value>,
    /// The enabled probes.
    pub probes: Vec<SitePlan>,
}
