//! Where the host's probes lie in its kernel.
//!
//! ```text
//!  Place ── Hook: a raw tracepoint, a clock, an instruction
//!   ├─ key: for hooks that many probes share (the system call's number)
//!   └─ Source: guard, args, thread, errno: values over the words that a program is given there
//!
//!  places of the enabled probes ──Sites──▶ ebpf::Site, one program each ──▶ attach
//! ```
//! What a probe's numbers are is said with [`Value`]s; the translator turns them into instructions
//! and leaves out those that no clause asks for.

use ebpf::site::{Source, Value};

/// A place in the kernel where a program can be run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A raw tracepoint, by its name (`sched_switch`): a program's words are the tracepoint's own
    /// arguments.
    RawTracepoint(String),
    /// A software clock on every CPU: a program's words are the interrupted registers, in
    /// the order of `struct pt_regs`.
    Clock {
        /// Nanoseconds from fire to fire.
        interval: u64,
    },
    /// A function of the kernel (kprobe or kretprobe): a program's words are the registers, in
    /// the order of `struct pt_regs`. Functions share a program: see [`Value::Cookie`].
    Function {
        /// Where it begins.
        address: u64,
        /// When it returns.
        on_return: bool,
    },
    /// An instruction of a user program (uprobe or uretprobe): a program's words are the
    /// registers, in the order of `struct pt_regs`. They share a program as functions do.
    User {
        /// The file it lies in.
        path: std::path::PathBuf,
        /// Bytes from the file's start.
        offset: u64,
        /// When the function that begins there returns.
        on_return: bool,
        /// Of this process only.
        pid: Option<u32>,
        /// A counter of 16 bits in the file, in bytes from its start, that the kernel keeps above 0
        /// in the process while the probe is there.
        semaphore: Option<u64>,
    },
}

/// One place where a probe fires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The hook.
    pub hook: Hook,
    /// A value of the hook's and what it must be, for hooks that many probes share.
    pub key: Option<(Value, u32)>,
    /// Guard, arguments, thread, `errno`.
    pub source: Source,
}

impl Place {
    /// A tracepoint that is one probe's.
    #[must_use]
    pub fn tracepoint(name: &str, args: Vec<Value>) -> Self {
        let hook = Hook::RawTracepoint(name.to_owned());
        Self { hook, key: None, source: Source { args, ..Source::default() } }
    }

    /// A function's entry or return that is one probe's.
    #[must_use]
    pub fn function(address: u64, on_return: bool, args: Vec<Value>) -> Self {
        let hook = Hook::Function { address, on_return };
        Self { hook, key: None, source: Source { args, ..Source::default() } }
    }

    /// Fires only if `guard` is not 0.
    #[must_use]
    pub fn when(mut self, guard: Value) -> Self {
        self.source.guard = Some(guard);
        self
    }

    /// Fires as another thread's than the running one's.
    #[must_use]
    pub fn of_thread(mut self, thread: Value) -> Self {
        self.source.thread = Some(thread);
        self
    }
}
