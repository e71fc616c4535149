//! D's standard probes, and the tracepoints of Linux that they are.
//!
//! A probe may have several places: `io:::done` is told by one tracepoint for disks with request
//! queues and by another for those without. Where in a tracepoint's arguments something lies
//! differs between kernels; it is found by type. A probe whose tracepoint, parameter or structure
//! member this kernel lacks is not offered.
//!
//! Names, types and places are those of [`hypercall::standard`], which the Linux guest module has,
//! too; what of a place is the probe's is said here, and there in `guest-kmod/linux/standard.c`.

use std::time::Duration;

use consumer::btf::Signatures;
use ebpf::site::{Op, Source, Value};
use hypercall::standard::StandardProbe;

use super::{
    functions::Functions,
    hook::{Hook, Place},
    layouts::Layouts,
};

/// What the kernel says of its tracepoints and structures.
#[derive(Debug)]
pub struct Kernel<'k> {
    /// Structures.
    pub layouts: Layouts<'k>,
    /// Parameters of tracepoints.
    pub signatures: &'k Signatures,
    /// Functions that can be probed.
    pub functions: &'k Functions,
}

impl Kernel<'_> {
    /// 2 while the running thread is in a system call of the 32-bit interface, else 0.
    pub fn compat(&mut self) -> Option<Value> {
        const TS_COMPAT: u64 = 2;
        let status = self.layouts.value(Value::Current, "task_struct", "thread_info.status")?;
        Some(status.with(Op::And, TS_COMPAT))
    }

    /// The `nth` parameter (from 0) of a type that a tracepoint has.
    fn parameter(&self, tracepoint: &str, ty: &str, nth: usize) -> Option<Value> {
        let types = self.signatures.tracepoint("vmlinux", tracepoint)?;
        let of_type = types.iter().enumerate().filter(|(_, found)| *found == ty);
        let (index, _) = of_type.take(nth + 1).nth(nth)?;
        u8::try_from(index).ok().map(Value::Word)
    }

    fn task(&self, tracepoint: &str, nth: usize) -> Option<Value> {
        self.parameter(tracepoint, "struct task_struct *", nth)
    }

    fn of_task(&mut self, task: &Value, path: &str) -> Option<Value> {
        self.layouts.value(task.clone(), "task_struct", path)
    }

    /// 1 if a thread is the first of its process.
    fn leads(&mut self, task: &Value) -> Option<Value> {
        Some(self.of_task(task, "pid")?.op(Op::Eq, self.of_task(task, "tgid")?))
    }

    fn follows(&mut self, task: &Value) -> Option<Value> {
        Some(self.leads(task)?.with(Op::Eq, 0))
    }
}

/// Where a standard probe is in this kernel; `None` if this kernel does not have it.
pub fn places(probe: &StandardProbe, kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    match (probe.provider, probe.name) {
        ("io", "done") => io_done(kernel),
        ("io", "start") => io_start(kernel),
        ("proc", "create") => create(kernel),
        ("proc", "exec") => exec(kernel),
        ("proc", "exec-failure") => exec_failure(kernel),
        ("proc", "exec-success") => exec_success(kernel),
        ("proc", "exit") => exit(kernel),
        ("proc", "lwp-create") => lwp_create(kernel),
        ("proc", "lwp-exit") => lwp_exit(kernel),
        ("proc", "lwp-start") => lwp_start(kernel),
        ("proc", "signal-discard") => signal_discard(kernel),
        ("proc", "signal-handle") => signal_handle(kernel),
        ("proc", "signal-send") => signal_send(kernel),
        ("proc", "start") => start(kernel),
        ("sched", "dequeue") => dequeue(kernel),
        ("sched", "enqueue") => enqueue(kernel),
        ("sched", "off-cpu") => off_cpu(kernel),
        ("sched", "on-cpu") => on_cpu(kernel),
        ("sched", "preempt") => preempt(kernel),
        ("sched", "sleep") => sleep(kernel),
        ("sched", "wakeup") => wakeup(kernel),
        _ => None,
    }
}

const FORK: &str = "sched_process_fork";
const EXIT: &str = "sched_process_exit";
const SWITCH: &str = "sched_switch";

/// The parent's fire; the child has not run yet.
fn forked(kernel: &mut Kernel<'_>, leads: bool) -> Option<Vec<Place>> {
    let child = kernel.task(FORK, 1)?;
    let guard = if leads { kernel.leads(&child)? } else { kernel.follows(&child)? };
    let args = if leads { vec![child] } else { vec![child.clone(), child] };
    Some(vec![Place::tracepoint(FORK, args).when(guard)])
}

fn create(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    forked(kernel, true)
}

fn lwp_create(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    forked(kernel, false)
}

/// Before a new thread runs for the first time; the fire is the thread's.
fn started(kernel: &mut Kernel<'_>, leads: bool) -> Option<Vec<Place>> {
    const WAKEUP: &str = "sched_wakeup_new";
    let task = kernel.task(WAKEUP, 0)?;
    let guard = if leads { kernel.leads(&task)? } else { kernel.follows(&task)? };
    Some(vec![Place::tracepoint(WAKEUP, Vec::new()).when(guard).of_thread(task)])
}

fn start(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    started(kernel, true)
}

fn lwp_start(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    started(kernel, false)
}

/// The path of what is executed.
fn executed(kernel: &mut Kernel<'_>, tracepoint: &str) -> Option<Vec<Place>> {
    let bprm = kernel.parameter(tracepoint, "struct linux_binprm *", 0)?;
    let path = kernel.layouts.value(bprm, "linux_binprm", "filename")?;
    Some(vec![Place::tracepoint(tracepoint, vec![path])])
}

/// The last moment at which the process is still what it was, once it is sure that the file can be
/// executed.
fn exec(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    // The tracepoint came with Linux 6.11; before, the function through which all go will do.
    executed(kernel, "sched_prepare_exec").or_else(|| {
        let address = kernel.functions.address("bprm_execve")?;
        let path = kernel.layouts.value(PARAMETERS[0].clone(), "linux_binprm", "filename")?;
        Some(vec![Place::function(address, false, vec![path])])
    })
}

fn exec_success(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    executed(kernel, "sched_process_exec")
}

/// A return of execve(2) or execveat(2) is always a failure's: a success returns to another
/// program, with 0.
fn exec_failure(_: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let failed = |number| {
        let error = failure(&Value::Word(1));
        let mut place = syscall_return(number, None);
        place.source.args = vec![error.clone()];
        place.when(error.with(Op::Ne, 0))
    };
    Some(vec![failed(59), failed(322)])
}

/// Why a process ends, in the numbers of SIGCHLD's `si_code`: 1 exited, 2 killed, 3 killed with a
/// core dump.
fn exit(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    const SIGNAL_GROUP_EXIT: u64 = 4;
    let task = kernel.task(EXIT, 0)?;
    let last = kernel.of_task(&task, "signal.live.counter")?.with(Op::Eq, 0);
    let group = kernel.of_task(&task, "signal.flags")?.with(Op::And, SIGNAL_GROUP_EXIT);
    let (group, alone) = (group.clone().with(Op::Ne, 0), group.with(Op::Eq, 0));
    let code = kernel.of_task(&task, "signal.group_exit_code")?.op(Op::Mul, group);
    let code = code.op(Op::Add, kernel.of_task(&task, "exit_code")?.op(Op::Mul, alone));
    let killed = code.clone().with(Op::And, 0x7f).with(Op::Ne, 0);
    let dumped = code.with(Op::And, 0x80).with(Op::Ne, 0).op(Op::Mul, killed.clone());
    let reason = killed.op(Op::Add, dumped).with(Op::Add, 1);
    Some(vec![Place::tracepoint(EXIT, vec![reason]).when(last)])
}

fn lwp_exit(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let task = kernel.task(EXIT, 0)?;
    Some(vec![Place::tracepoint(EXIT, vec![task])])
}

fn signalled(kernel: &mut Kernel<'_>, delivered: bool) -> Option<Vec<Place>> {
    const GENERATE: &str = "signal_generate";
    let task = kernel.task(GENERATE, 0)?;
    let signal = kernel.parameter(GENERATE, "int", 0)?;
    // The last parameter says what became of it; 0: it is on its way.
    let result = kernel.parameter(GENERATE, "int", 2).or(kernel.parameter(GENERATE, "int", 1))?;
    let guard = result.with(if delivered { Op::Eq } else { Op::Ne }, 0);
    Some(vec![Place::tracepoint(GENERATE, vec![task.clone(), task, signal]).when(guard)])
}

fn signal_send(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    signalled(kernel, true)
}

fn signal_discard(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    signalled(kernel, false)
}

fn signal_handle(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    const DELIVER: &str = "signal_deliver";
    let signal = kernel.parameter(DELIVER, "int", 0)?;
    Some(vec![Place::tracepoint(DELIVER, vec![signal])])
}

/// The thread that leaves the CPU fires; its arguments are the one that comes.
fn off_cpu(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let next = kernel.task(SWITCH, 1)?;
    Some(vec![Place::tracepoint(SWITCH, vec![next.clone(), next])])
}

/// The thread that comes fires, though the kernel tells of it while the other still runs.
fn on_cpu(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let next = kernel.task(SWITCH, 1)?;
    Some(vec![Place::tracepoint(SWITCH, Vec::new()).of_thread(next)])
}

/// 1 if the thread that leaves the CPU goes on waiting for it.
fn preempted(kernel: &Kernel<'_>) -> Option<Value> {
    // `bool preempt`, of which only the lowest byte counts.
    let ty = ["bool", "_Bool"].into_iter().find_map(|ty| kernel.parameter(SWITCH, ty, 0))?;
    Some(ty.with(Op::And, 0xff).with(Op::Ne, 0))
}

/// 1 if the thread that leaves the CPU sleeps.
fn sleeps(kernel: &mut Kernel<'_>) -> Option<Value> {
    let preempted = preempted(kernel)?;
    // Newer kernels pass the state that the scheduler went by.
    let state = match kernel.parameter(SWITCH, "unsigned int", 0) {
        Some(state) => state.with(Op::And, 0xffff_ffff),
        None => {
            let previous = kernel.task(SWITCH, 0)?;
            kernel.of_task(&previous, "__state").or_else(|| kernel.of_task(&previous, "state"))?
        }
    };
    Some(state.with(Op::Ne, 0).op(Op::And, preempted.with(Op::Eq, 0)))
}

fn preempt(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let guard = preempted(kernel)?;
    Some(vec![Place::tracepoint(SWITCH, Vec::new()).when(guard)])
}

fn sleep(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let guard = sleeps(kernel)?;
    Some(vec![Place::tracepoint(SWITCH, Vec::new()).when(guard)])
}

/// A thread that sleeps has left its CPU's queue; one that moves to another queue is not told of.
fn dequeue(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let (task, guard) = (kernel.task(SWITCH, 0)?, sleeps(kernel)?);
    Some(vec![Place::tracepoint(SWITCH, vec![task.clone(), task.clone(), task]).when(guard)])
}

/// A thread that wakes, or is new, joins a CPU's queue.
fn enqueue(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    let at = |kernel: &Kernel<'_>, tracepoint| {
        let task = kernel.task(tracepoint, 0)?;
        Some(Place::tracepoint(tracepoint, vec![task.clone(), task.clone(), task]))
    };
    Some(vec![at(kernel, "sched_wakeup")?, at(kernel, "sched_wakeup_new")?])
}

/// In the context of who wakes it.
fn wakeup(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    const WAKING: &str = "sched_waking";
    let task = kernel.task(WAKING, 0)?;
    Some(vec![Place::tracepoint(WAKING, vec![task.clone(), task])])
}

/// A bio is handed to a disk's queue.
fn io_start(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    const QUEUE: &str = "block_bio_queue";
    let bio = kernel.parameter(QUEUE, "struct bio *", 0)?;
    Some(vec![Place::tracepoint(QUEUE, vec![bio; 3])])
}

/// Disks with request queues complete requests, told by their first bio: bios that were merged
/// into one request are done with it. Others complete bios.
fn io_done(kernel: &mut Kernel<'_>) -> Option<Vec<Place>> {
    const REQUEST: &str = "block_rq_complete";
    const BIO: &str = "block_bio_complete";
    let request = kernel.parameter(REQUEST, "struct request *", 0)?;
    let first = kernel.layouts.value(request, "request", "bio")?;
    let done = Place::tracepoint(REQUEST, vec![first.clone(); 3]).when(first);
    let bio = kernel.parameter(BIO, "struct bio *", 0)?;
    Some(vec![done, Place::tracepoint(BIO, vec![bio; 3])])
}

/// A system call's result as a positive error number, 0 if it is none.
#[must_use]
pub fn failure(result: &Value) -> Value {
    const LOWEST: u64 = (-4095_i64).cast_unsigned();
    let failed = result.clone().with(Op::Ge, LOWEST);
    Value::Const(0).op(Op::Sub, result.clone()).op(Op::Mul, failed)
}

/// Bytes from the start of `struct pt_regs` (x86-64) to the six arguments of a system call.
const ARGUMENTS: [u32; 6] = [112, 104, 96, 56, 72, 64];
/// … and to its number.
const NUMBER: u32 = 120;

/// A key that no 64-bit call has, if `compat` is not 0: the numbers of 32-bit calls mean other
/// calls.
fn call_key(number: Value, compat: Option<&Value>) -> Value {
    match compat {
        Some(compat) => number.op(Op::Or, compat.clone().with(Op::Shl, 31)),
        None => number,
    }
}

/// The entry of a system call. `compat` is not 0 in a 32-bit call.
#[must_use]
pub fn syscall_entry(number: u32, compat: Option<&Value>) -> Place {
    // The same for all calls: what a call does not take is whatever its register held.
    let args = ARGUMENTS.iter().map(|offset| Value::Word(0).load(*offset, 8)).collect();
    let key = Some((call_key(Value::Word(1), compat), number));
    Place { key, ..Place::tracepoint("sys_enter", args) }
}

/// The return of a system call.
#[must_use]
pub fn syscall_return(number: u32, compat: Option<&Value>) -> Place {
    let called = Value::Word(0).load(NUMBER, 8);
    let key = Some((call_key(called, compat), number));
    let result = Value::Word(1);
    let mut place = Place::tracepoint("sys_exit", vec![result.clone(), result.clone()]);
    place.source.errno = Some(failure(&result));
    Place { key, ..place }
}

/// Words of `struct pt_regs` (x86-64) with a function's parameters …
pub(super) const PARAMETERS: [Value; 6] = [
    Value::Word(14),
    Value::Word(13),
    Value::Word(12),
    Value::Word(11),
    Value::Word(9),
    Value::Word(8),
];
/// … and with what it returns.
pub(super) const RESULT: Value = Value::Word(10);

/// A function's entry: its parameters; or its return: nothing in `arg0`, for the kernel does not
/// say which of its returns it was, and what it returns in `arg1`.
#[must_use]
pub fn function(address: u64, on_return: bool) -> Place {
    let args = if on_return { vec![Value::Const(0), RESULT] } else { PARAMETERS.to_vec() };
    Place::function(address, on_return, args)
}

/// A clock on every CPU: `arg0` is where the kernel was interrupted, `arg1` where a user's program
/// was; the other is 0.
#[must_use]
pub fn clock(interval: Duration) -> Place {
    /// Words of `struct pt_regs`.
    const IP: Value = Value::Word(16);
    const CS: Value = Value::Word(17);
    let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let user = CS.with(Op::And, 3).with(Op::Ne, 0);
    let kernel = user.clone().with(Op::Eq, 0);
    let args = vec![IP.op(Op::Mul, kernel), IP.op(Op::Mul, user)];
    let source = Source { args, ..Source::default() };
    Place { hook: Hook::Clock { interval }, key: None, source }
}
