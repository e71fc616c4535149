//! What a program is made for: where its numbers come from, and which clauses run.

use host::ids::Epid;

/// How the kernel runs a program, and so what its context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`: words are the tracepoint's own arguments.
    RawTracepoint,
    /// `BPF_PROG_TYPE_TRACING` with `BPF_TRACE_RAW_TP`: the same words, checked by type.
    BtfTracepoint {
        /// The `btf_trace_…` type of the tracepoint in the kernel's BTF.
        btf_id: u32,
    },
    /// `BPF_PROG_TYPE_TRACING` at a function's entry: words are the parameters.
    FunctionEntry {
        /// The function in the kernel's BTF.
        btf_id: u32,
    },
    /// `BPF_PROG_TYPE_TRACING` at a function's return: the parameters, then the result.
    FunctionReturn {
        /// The function in the kernel's BTF.
        btf_id: u32,
    },
    /// `BPF_PROG_TYPE_PERF_EVENT`: words are the interrupted registers, as in `struct pt_regs`.
    PerfEvent,
    /// `BPF_PROG_TYPE_KPROBE`, for kprobes and uprobes: words are the registers.
    Probe,
    /// The same with `BPF_TRACE_UPROBE_MULTI`, for many uprobes of one attachment.
    ManyUprobes,
}

/// What two values make together; all are of 64 bits, comparisons give 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Shift to the left by the right one's low six bits.
    Shl,
    /// Logical shift to the right by the right one's low six bits.
    Shr,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// At least, unsigned.
    Ge,
}

/// A number that is had from what the kernel passes to a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Always the same.
    Const(u64),
    /// A word of the program's context.
    Word(u8),
    /// The running thread's `struct task_struct`.
    Current,
    /// The number with which the program was attached ([`crate::sys::attach_perf`]).
    Cookie,
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
    /// Memory of the process; 0 if it cannot be read without waiting for it.
    UserLoad {
        /// An address.
        base: Box<Self>,
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

    /// The process's unsigned memory of `width` bytes at this address.
    #[must_use]
    pub fn user(self, width: u8) -> Self {
        Self::UserLoad { base: Box::new(self), width, signed: false }
    }

    /// The process's signed memory of `width` bytes at this address.
    #[must_use]
    pub fn user_signed(self, width: u8) -> Self {
        Self::UserLoad { base: Box::new(self), width, signed: true }
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

/// Where a probe's numbers come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// It fires only if this is not 0.
    pub guard: Option<Value>,
    /// `arg0`, `arg1`, …; at most ten, the rest are 0.
    pub args: Vec<Value>,
    /// The `struct task_struct` whose fire it is, if not the running thread: `pid`, `tid`,
    /// `execname`, `uid`, `curthread` and thread-locals are this thread's.
    pub thread: Option<Value>,
    /// `errno`; 0 if `None`.
    pub errno: Option<Value>,
}

/// A probe that fires at a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// The probe's number as users see it.
    pub id: u32,
    /// Provider, module, function, name.
    pub names: [String; 4],
    /// The program's ECBs in the order they run, with their EPIDs.
    pub ecbs: Vec<(u32, Epid)>,
    /// Its numbers.
    pub source: Source,
}

/// Which probe fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Always the same.
    One(Fired),
    /// The one whose number (below [`MAX_KEY`]) the key is; none if there is none.
    ByKey {
        /// What tells them apart: a system call's number.
        key: Value,
        /// The probes.
        probes: Vec<(u32, Fired)>,
    },
}

/// Keys of [`Select::ByKey`] are less than this.
pub const MAX_KEY: u32 = 4096;

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// How it is run.
    pub kind: Kind,
    /// What fires.
    pub select: Select,
}

/// Where things lie in the running kernel, in bytes, from its BTF. What is `None` cannot be had:
/// clauses that need it are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// `task_struct::tgid`.
    pub task_tgid: Option<u32>,
    /// `task_struct::pid`.
    pub task_pid: Option<u32>,
    /// `task_struct::comm`.
    pub task_comm: Option<u32>,
    /// `task_struct::real_parent`.
    pub task_real_parent: Option<u32>,
    /// `task_struct::se.sum_exec_runtime`.
    pub task_runtime: Option<u32>,
    /// `task_struct::real_cred`.
    pub task_cred: Option<u32>,
    /// `cred::uid`.
    pub cred_uid: Option<u32>,
    /// `cred::gid`.
    pub cred_gid: Option<u32>,
}
