//! The numbers of the ABI that are enumerations or flag words.

use crate::layout::{abi_enum, abi_flags};

abi_enum! {
    /// Revisions of the ABI. A revision changes when a guest built for the older one would be
    /// misunderstood; new calls and new flag bits do not make one.
    pub enum AbiVersion: u16 {
        /// The first: QEMU's doorbell, all calls up to GOODBYE.
        V1 = 1,
    }
}

impl AbiVersion {
    /// What this crate speaks.
    pub const LATEST: Self = Self::V1;
}

abi_enum! {
    /// What a descriptor asks for.
    pub enum Call: u16 {
        /// Identity of the guest; begins its life on the host.
        Hello = 1,
        /// A batch of the probe table.
        Probes = 2,
        /// A run of probes is no more (a module was unloaded).
        ProbesGone = 3,
        /// A batch of the kernel's symbols.
        Symbols = 4,
        /// Where a container of types (BTF, CTF) lies.
        Types = 5,
        /// The guest asks for commands and acknowledges the last.
        Poll = 6,
        /// A probe fired.
        Fire = 7,
        /// The guest's probes, symbols and types are let go.
        Goodbye = 8,
    }
}

abi_enum! {
    /// The host's answer, in the descriptor's `status`.
    pub enum Status: u32 {
        /// Done.
        Ok = 0,
        /// The descriptor does not begin with the magic.
        BadMagic = 1,
        /// A version the host does not speak.
        BadVersion = 2,
        /// A call the host does not know.
        BadCall = 3,
        /// `length` is more than the body holds or less than the call needs.
        BadLength = 4,
        /// A field has a value the call does not allow.
        BadArgument = 5,
        /// HELLO has to come first.
        NotReady = 6,
        /// One of the host's limits is reached.
        Limit = 7,
        /// An address in the body does not translate.
        BadAddress = 8,
        /// Try again later.
        Busy = 9,
    }
}

abi_enum! {
    /// The guest's operating system.
    pub enum Os: u16 {
        /// Linux.
        Linux = 1,
        /// FreeBSD.
        FreeBsd = 2,
    }
}

abi_enum! {
    /// What a CPU was doing when it made the call; each level has its own descriptor.
    pub enum Level: u8 {
        /// A thread's own kernel code.
        Task = 0,
        /// A softirq, or with bottom halves off.
        Softirq = 1,
        /// A hardware interrupt.
        Hardirq = 2,
        /// A non-maskable interrupt.
        Nmi = 3,
    }
}

abi_flags! {
    /// What a guest module says of itself in HELLO.
    pub struct Features: u64 {
        /// Descriptors of levels above task are used.
        LEVELS = 1,
        /// Destructive actions are permitted.
        DESTRUCTIVE = 2,
        /// HELLO's body is followed by a `Jails`.
        JAILS = 4,
    }
}

abi_flags! {
    /// What the host says in its reply to HELLO.
    pub struct HostFlags: u32 {
        /// The host's owner wants destructive actions.
        DESTRUCTIVE = 1,
    }
}

abi_flags! {
    /// Where in a table a batch stands.
    pub struct BatchFlags: u32 {
        /// Empties the table first.
        FIRST = 1,
        /// The table is complete with this batch.
        LAST = 2,
    }
}

abi_enum! {
    /// How a probe instruments.
    pub enum ProbeKind: u8 {
        /// A kernel function's entry; arguments are the function's.
        FbtEntry = 1,
        /// A kernel function's return; `arg0` is the offset of the return (0 where the guest cannot
        /// know it), `arg1` the value.
        FbtReturn = 2,
        /// A system call's entry.
        SyscallEntry = 3,
        /// A system call's return.
        SyscallReturn = 4,
        /// A static probe: a tracepoint with its raw arguments.
        Sdt = 5,
        /// Events of processes and of the scheduler.
        Proc = 6,
        /// Block input and output.
        Io = 7,
        /// A timer on every CPU.
        Profile = 8,
        /// A timer on one CPU.
        Tick = 9,
        /// Anything else.
        Other = 10,
    }
}

abi_enum! {
    /// How a container of types is written.
    pub enum TypeFormat: u32 {
        /// BPF type format.
        Btf = 1,
        /// Compact C type format, version 2 or 3.
        Ctf = 2,
    }
}

abi_flags! {
    /// What the host adds to its reply to POLL.
    pub struct PollFlags: u32 {
        /// More commands wait: poll again at once.
        MORE = 1,
    }
}

abi_enum! {
    /// What a command of a POLL reply does.
    pub enum Op: u16 {
        /// Instrument a run of probes, or change what their fires carry.
        Enable = 1,
        /// Restore a run of probes.
        Disable = 2,
        /// Restore everything.
        DisableAll = 3,
    }
}

abi_flags! {
    /// What a fire must carry, and in `present` what it does carry.
    pub struct Context: u16 {
        /// Process and thread ids, uid, gid.
        IDS = 1,
        /// The command's name.
        EXECNAME = 2,
        /// The kernel stack; how many frames stands beside it.
        KSTACK = 4,
        /// The user's registers, for a user stack.
        UREGS = 8,
        /// Nanoseconds the thread has run.
        VTIMESTAMP = 16,
        /// The guest's own guest whose vCPU is loaded on this CPU: a `Nested` behind the stack.
        NESTED = 32,
    }
}

abi_enum! {
    /// What `root` of a `Nested` is.
    pub enum NestedKind: u32 {
        /// AMD's nested page tables: the N_CR3 field of the VMCB.
        Npt = 1,
        /// Intel's extended page tables: the EPT pointer of the VMCS.
        Ept = 2,
    }
}

abi_enum! {
    /// What the host wants done after a fire (destructive actions).
    pub enum Action: u32 {
        /// Nothing.
        None = 0,
        /// Stop the current process.
        Stop = 1,
        /// Raise the signal in `arg` in the current process.
        Raise = 2,
        /// Panic.
        Panic = 3,
        /// Stop in the kernel's debugger, if it has one that listens.
        Breakpoint = 4,
        /// Spin for the nanoseconds in `arg`.
        Chill = 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The version in the crate's constant is the last one documented.
    #[test]
    fn latest_version_is_the_last_variant() {
        assert_eq!(AbiVersion::ALL.last(), Some(&AbiVersion::LATEST));
    }

    /// Numbers survive the way over the wire, and unknown ones are refused.
    #[test]
    fn raw_numbers_round_trip() {
        for call in Call::ALL {
            assert_eq!(Call::from_raw(call.raw()), Some(*call));
        }
        for status in Status::ALL {
            assert_eq!(Status::from_raw(status.raw()), Some(*status));
        }
        assert_eq!(Call::from_raw(0), None);
        assert_eq!(Call::from_raw(9), None);
        assert_eq!(ProbeKind::from_raw(0), None);
    }
}
