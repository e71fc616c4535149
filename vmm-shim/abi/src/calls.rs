//! The bodies of the calls, one struct a direction.

use crate::descriptor::BODY_SIZE;
use crate::layout::abi_struct;

abi_struct! {
    /// Body of HELLO. Strings are NUL-terminated.
    pub struct Hello[328] {
        /// An `Os`.
        pub os: u16 = 0,
        /// Levels of the page tables: 4 or 5.
        pub paging: u16 = 2,
        /// Possible CPUs.
        pub ncpu: u32 = 4,
        /// `Features`.
        pub features: u64 = 8,
        /// Address of the kernel's first byte of text, as relocated.
        pub kernel_base: u64 = 16,
        /// Changes at every boot.
        pub boot_id: [u8; 16] = 24,
        /// The guest's host name.
        pub hostname: [u8; 64] = 40,
        /// The kernel's release, as `uname -r` says.
        pub release: [u8; 64] = 104,
        /// The kernel's version, as `uname -v` says.
        pub kernel_version: [u8; 128] = 168,
        /// The guest module's version.
        pub module_version: [u8; 32] = 296,
    }
}

abi_struct! {
    /// Where a kernel with jails keeps them: it follows HELLO's body if the features say so. Offsets
    /// in bytes, so that the host finds a thread's jail in the guest's memory when a script asks.
    pub struct Jails[16] {
        /// Of the pointer to a `struct ucred` in a `struct thread`.
        pub thread_ucred: u32 = 0,
        /// Of the pointer to a `struct prison` in a `struct ucred`.
        pub ucred_prison: u32 = 4,
        /// Of the 32-bit number in a `struct prison`.
        pub prison_id: u32 = 8,
        /// Of the name, NUL-terminated, in a `struct prison`.
        pub prison_name: u32 = 12,
    }
}

abi_struct! {
    /// Reply to HELLO.
    pub struct HelloReply[16] {
        /// Milliseconds between two POLLs.
        pub poll_interval_ms: u32 = 0,
        /// How many probes the host takes.
        pub max_probes: u32 = 4,
        /// `HostFlags`.
        pub host_flags: u32 = 8,
        /// Zero.
        pub reserved: u32 = 12,
    }
}

abi_struct! {
    /// Body of PROBES: where a batch of `ProbeHead` entries lies.
    pub struct Probes[32] {
        /// Guest-virtual address of the batch.
        pub gva: u64 = 0,
        /// Its bytes.
        pub len: u64 = 8,
        /// Its entries.
        pub count: u32 = 16,
        /// Id of the first entry; the others follow without gaps.
        pub first_id: u32 = 20,
        /// `BatchFlags`.
        pub flags: u32 = 24,
        /// Zero.
        pub reserved: u32 = 28,
    }
}

abi_struct! {
    /// Body of PROBES_GONE.
    pub struct ProbesGone[8] {
        /// Id of the first probe that is gone.
        pub first_id: u32 = 0,
        /// How many.
        pub count: u32 = 4,
    }
}

abi_struct! {
    /// Body of SYMBOLS: where a batch of `SymbolHead` entries lies.
    pub struct Symbols[24] {
        /// Guest-virtual address of the batch.
        pub gva: u64 = 0,
        /// Its bytes.
        pub len: u64 = 8,
        /// Its entries.
        pub count: u32 = 16,
        /// `BatchFlags`.
        pub flags: u32 = 20,
    }
}

abi_struct! {
    /// Body of TYPES: where one container of types lies.
    pub struct Types[88] {
        /// Guest-virtual address of the container.
        pub gva: u64 = 0,
        /// Its bytes.
        pub len: u64 = 8,
        /// A `TypeFormat`.
        pub format: u32 = 16,
        /// `BatchFlags`.
        pub flags: u32 = 20,
        /// Whose types they are: `vmlinux`, `kernel` or a module's name.
        pub module: [u8; 64] = 24,
    }
}

abi_struct! {
    /// Body of POLL.
    pub struct Poll[16] {
        /// Sequence of the last reply whose commands are carried out.
        pub ack: u32 = 0,
        /// How many probes of it could not be instrumented.
        pub failed: u32 = 4,
        /// Fires the guest had to leave out, in total.
        pub drops: u64 = 8,
    }
}

abi_struct! {
    /// Reply to POLL; `count` times `Command` follow it.
    pub struct PollReply[16] {
        /// Sequence to acknowledge.
        pub seq: u32 = 0,
        /// Commands that follow.
        pub count: u32 = 4,
        /// `PollFlags`.
        pub flags: u32 = 8,
        /// Milliseconds until the next POLL.
        pub interval_ms: u32 = 12,
    }
}

abi_struct! {
    /// One command of a POLL reply.
    pub struct Command[16] {
        /// Id of the first probe.
        pub first_probe: u32 = 0,
        /// How many probes from there.
        pub nprobes: u32 = 4,
        /// An `Op`.
        pub op: u16 = 8,
        /// `Context` that the probes' fires must carry.
        pub context: u16 = 10,
        /// Stack frames wanted.
        pub arg: u32 = 12,
    }
}

/// The most commands one POLL reply holds.
pub const MAX_COMMANDS: usize = (BODY_SIZE - size_of::<PollReply>()) / size_of::<Command>();

abi_struct! {
    /// Body of FIRE; `nstack` program counters of 8 bytes follow it, innermost first, and behind
    /// them a `Nested` if `present` says so.
    pub struct Fire[232] {
        /// Id of the probe.
        pub probe: u32 = 0,
        /// `Context` that is filled.
        pub present: u32 = 4,
        /// The probe's arguments; 0 beyond what it has.
        pub args: [u64; 10] = 8,
        /// Address of the current thread's structure.
        pub thread: u64 = 88,
        /// Process id.
        pub pid: u32 = 96,
        /// Thread id.
        pub tid: u32 = 100,
        /// Parent's process id.
        pub ppid: u32 = 104,
        /// Real user id.
        pub uid: u32 = 108,
        /// Real group id.
        pub gid: u32 = 112,
        /// Error of the system call that returns, positive; else 0.
        pub errno: i32 = 116,
        /// Nanoseconds the thread has run.
        pub vtimestamp: u64 = 120,
        /// The guest's monotonic clock in nanoseconds.
        pub guest_time: u64 = 128,
        /// The command's name, NUL-terminated.
        pub execname: [u8; 32] = 136,
        /// Program counter of the probe site.
        pub ip: u64 = 168,
        /// Stack pointer there.
        pub sp: u64 = 176,
        /// Frame pointer there.
        pub fp: u64 = 184,
        /// The user's program counter.
        pub user_ip: u64 = 192,
        /// The user's stack pointer.
        pub user_sp: u64 = 200,
        /// The user's frame pointer.
        pub user_fp: u64 = 208,
        /// Page tables of the user's view; 0 if the same as `cr3`.
        pub user_cr3: u64 = 216,
        /// Program counters that follow.
        pub nstack: u32 = 224,
        /// Zero.
        pub reserved: u32 = 228,
    }
}

/// The most program counters one FIRE carries.
pub const MAX_STACK: usize = (BODY_SIZE - size_of::<Fire>()) / size_of::<u64>();

abi_struct! {
    /// A vCPU of a guest's own guest, as its hypervisor has it at the moment of a fire.
    pub struct Nested[64] {
        /// Root of the nested page tables, by `kind`.
        pub root: u64 = 0,
        /// The inner guest's CR3.
        pub cr3: u64 = 8,
        /// The inner guest's CR0.
        pub cr0: u64 = 16,
        /// The inner guest's CR4.
        pub cr4: u64 = 24,
        /// The inner guest's EFER.
        pub efer: u64 = 32,
        /// A `NestedKind`.
        pub kind: u32 = 40,
        /// Number of the vCPU in the inner guest.
        pub vcpu: u32 = 44,
        /// Process id of the inner guest's monitor.
        pub monitor: u32 = 48,
        /// Zero.
        pub reserved: u32 = 52,
        /// Zero.
        pub reserved2: u64 = 56,
    }
}

/// The most program counters a FIRE carries that carries a `Nested` too.
pub const MAX_STACK_NESTED: usize = MAX_STACK - size_of::<Nested>() / size_of::<u64>();

abi_struct! {
    /// Reply to FIRE.
    pub struct FireReply[16] {
        /// An `Action`.
        pub action: u32 = 0,
        /// Zero.
        pub reserved: u32 = 4,
        /// The action's argument.
        pub arg: u64 = 8,
    }
}

const _: () = {
    assert!(MAX_COMMANDS == 251);
    assert!(MAX_STACK == 475);
    assert!(MAX_STACK_NESTED == 467);
};
