//! D's standard probes, and where Linux has them: the one table that the host's kernel side and the
//! guests' module share.
//!
//! ```text
//!  STANDARD ──▶ providers: tracepoints (and functions, where the kernel has kprobes)
//!      └─ cargo xtask header ─▶ guest-kmod/include/hypertrace_probes.h ─▶ the guest module
//! ```
//! What each place passes, and what of it is the probe's, is code on either side; which places
//! there are, what a probe is called and what types its arguments have, stands here.

use crate::ProbeKind;

/// A place in a Linux kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinuxHook {
    /// A tracepoint.
    Tracepoint(&'static str),
    /// A function's entry.
    Entry(&'static str),
    /// A function's return.
    Return(&'static str),
    /// A system call's return.
    SyscallReturn(&'static str),
}
use LinuxHook::{Entry, Return, SyscallReturn, Tracepoint};

/// A probe that every DTrace has, or that D's books describe.
#[derive(Clone, Copy, Debug)]
pub struct StandardProbe {
    /// Provider.
    pub provider: &'static str,
    /// Name.
    pub name: &'static str,
    /// How it is announced.
    pub kind: ProbeKind,
    /// The kernel's function in which it is, for the probe's description.
    pub function: &'static str,
    /// How many arguments it has.
    pub nargs: u8,
    /// Their types: native, and what a translator makes of it.
    pub args: &'static str,
    /// Where it may be, the best first. Several may be needed: each tells of a part.
    pub hooks: &'static [LinuxHook],
}

const THREAD: &str = "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *";
const SIGNAL: &str = "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, int";
const QUEUED: &str = "struct task_struct * > lwpsinfo_t *, struct task_struct * > psinfo_t *, \
                      struct task_struct * > cpuinfo_t *";
const TRANSFER: &str =
    "struct bio * > bufinfo_t *, struct bio * > devinfo_t *, struct bio * > fileinfo_t *";

const FORK: LinuxHook = Tracepoint("sched_process_fork");
const NEW: LinuxHook = Tracepoint("sched_wakeup_new");
const EXIT: LinuxHook = Tracepoint("sched_process_exit");
const GENERATE: LinuxHook = Tracepoint("signal_generate");
const SWITCH: LinuxHook = Tracepoint("sched_switch");

/// All of them, by provider and name.
pub const STANDARD: &[StandardProbe] = &[
    io(
        "done",
        "bio_endio",
        &[Tracepoint("block_rq_complete"), Tracepoint("block_bio_complete"), Entry("bio_endio")],
    ),
    io("start", "submit_bio_noacct", &[Tracepoint("block_bio_queue")]),
    proc("create", "kernel_clone", 1, "struct task_struct * > psinfo_t *", &[FORK]),
    proc(
        "exec",
        "bprm_execve",
        1,
        "char *",
        &[Tracepoint("sched_prepare_exec"), Entry("bprm_execve")],
    ),
    proc(
        "exec-failure",
        "bprm_execve",
        1,
        "int",
        &[Return("bprm_execve"), SyscallReturn("execve"), SyscallReturn("execveat")],
    ),
    proc("exec-success", "exec_binprm", 1, "char *", &[Tracepoint("sched_process_exec")]),
    proc("exit", "do_exit", 1, "int", &[EXIT]),
    proc("lwp-create", "kernel_clone", 2, THREAD, &[FORK]),
    proc("lwp-exit", "do_exit", 1, "struct task_struct *", &[EXIT]),
    proc("lwp-start", "ret_from_fork", 0, "", &[NEW]),
    proc("signal-discard", "prepare_signal", 3, SIGNAL, &[GENERATE]),
    proc("signal-handle", "get_signal", 1, "int", &[Tracepoint("signal_deliver")]),
    proc("signal-send", "__send_signal_locked", 3, SIGNAL, &[GENERATE]),
    proc("start", "ret_from_fork", 0, "", &[NEW]),
    sched("dequeue", "__schedule", 3, QUEUED, &[SWITCH]),
    sched("enqueue", "ttwu_do_wakeup", 3, QUEUED, &[Tracepoint("sched_wakeup"), NEW]),
    sched("off-cpu", "__schedule", 2, THREAD, &[SWITCH]),
    sched("on-cpu", "__schedule", 0, "", &[SWITCH]),
    sched("preempt", "__schedule", 0, "", &[SWITCH]),
    sched("sleep", "__schedule", 0, "", &[SWITCH]),
    sched("wakeup", "try_to_wake_up", 2, THREAD, &[Tracepoint("sched_waking")]),
];

type Hooks = &'static [LinuxHook];

const fn io(name: &'static str, function: &'static str, hooks: Hooks) -> StandardProbe {
    let kind = ProbeKind::Io;
    StandardProbe { provider: "io", name, kind, function, nargs: 3, args: TRANSFER, hooks }
}

const fn proc(
    name: &'static str,
    function: &'static str,
    nargs: u8,
    args: &'static str,
    hooks: Hooks,
) -> StandardProbe {
    StandardProbe { provider: "proc", name, kind: ProbeKind::Proc, function, nargs, args, hooks }
}

/// The scheduler's events are what happens to processes, too.
const fn sched(
    name: &'static str,
    function: &'static str,
    nargs: u8,
    args: &'static str,
    hooks: Hooks,
) -> StandardProbe {
    StandardProbe { provider: "sched", name, kind: ProbeKind::Proc, function, nargs, args, hooks }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are unique and in order, and each probe has a place and as many arguments as types.
    #[test]
    fn the_table_is_sound() {
        let names: Vec<_> = STANDARD.iter().map(|one| (one.provider, one.name)).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        for one in STANDARD {
            let types = one.args.split(',').filter(|ty| !ty.trim().is_empty()).count();
            assert_eq!(types, usize::from(one.nargs), "{}:::{}", one.provider, one.name);
            assert!(!one.hooks.is_empty());
        }
    }
}
