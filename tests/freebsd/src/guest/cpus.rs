//! CPUs: who may run guest code, and what `%gs` says meanwhile.
//!
//! A guest thread is a thread of this process that holds a CPU while it runs guest code. It gives
//! the CPU away where a kernel's thread would: when it sleeps, and when a tick finds it preemptible.
//! So data of a CPU are one thread's at a time, as in a kernel, and a thread may come back on
//! another CPU.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result};

/// What the stand-in kernel does for this module.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// `ht_kernel_switch(td, cpu)`: the CPU's current thread is this one; returns its `struct pcpu`.
    pub switch: extern "C" fn(u64, i32) -> u64,
    /// `ht_kernel_leave(td, cpu)`: the thread gives the CPU away.
    pub leave: extern "C" fn(u64, i32),
    /// `ht_kernel_root(td)`: CR3 while this thread runs.
    pub root: extern "C" fn(u64) -> u64,
}

struct Cpus {
    /// The Linux thread that holds it.
    holders: Mutex<Vec<Option<libc::pid_t>>>,
    freed: Condvar,
    switch: Switch,
}

static CPUS: OnceLock<Cpus> = OnceLock::new();

thread_local! {
    /// The thread's `struct thread`, 0 if it is none of the guest's.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    /// The CPU it holds, -1 if none.
    static CPU: Cell<i32> = const { Cell::new(-1) };
    /// CR3.
    static ROOT: Cell<u64> = const { Cell::new(0) };
    /// Whether its CPU takes interrupts: `cli` and `sti`.
    static INTERRUPTS: Cell<bool> = const { Cell::new(true) };
}

/// Makes that many CPUs, all free.
///
/// # Errors
/// If there are some already.
pub fn start(count: usize, switch: Switch) -> Result<()> {
    let holders = Mutex::new(vec![None; count]);
    let cpus = Cpus { holders, freed: Condvar::new(), switch };
    CPUS.set(cpus).ok().context("CPUs were made before")
}

/// The CPU that this thread holds.
#[must_use]
pub fn current() -> Option<u32> {
    u32::try_from(CPU.get()).ok()
}

/// CR3 of this thread's CPU.
#[must_use]
pub fn root() -> u64 {
    ROOT.get()
}

/// Whether this thread's CPU takes interrupts.
#[must_use]
pub fn interrupts() -> bool {
    INTERRUPTS.get()
}

/// `cli`, `sti`, and what an interrupt and `iretq` do.
pub fn set_interrupts(on: bool) {
    INTERRUPTS.set(on);
}

/// This thread is a guest's from now on.
pub fn adopt(td: u64) {
    THREAD.set(td);
}

/// Waits for a CPU, the one that it is bound to if it is, and runs on it.
pub fn acquire(bound: Option<usize>) {
    let Some(cpus) = CPUS.get() else { return };
    let mut holders = cpus.holders.lock().unwrap_or_else(PoisonError::into_inner);
    let cpu = loop {
        let free = |&at: &usize| holders.get(at).is_some_and(Option::is_none);
        let found = match bound {
            Some(at) => Some(at).filter(free),
            None => (0..holders.len()).find(free),
        };
        match found {
            Some(found) => break found,
            None => holders = cpus.freed.wait(holders).unwrap_or_else(PoisonError::into_inner),
        }
    };
    take(cpus, &mut holders, cpu);
}

/// Runs on this CPU if it is free; else returns the Linux thread that holds it.
pub fn acquire_idle(cpu: usize) -> Option<libc::pid_t> {
    let cpus = CPUS.get()?;
    let mut holders = cpus.holders.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&Some(holder)) = holders.get(cpu) {
        return Some(holder);
    }
    take(cpus, &mut holders, cpu);
    None
}

fn take(cpus: &Cpus, holders: &mut [Option<libc::pid_t>], cpu: usize) {
    // SAFETY: asks for a number.
    let me = unsafe { libc::gettid() };
    if let Some(holder) = holders.get_mut(cpu) {
        *holder = Some(me);
    }
    let number = i32::try_from(cpu).unwrap_or(0);
    CPU.set(number);
    ROOT.set((cpus.switch.root)(THREAD.get()));
    let pcpu = (cpus.switch.switch)(THREAD.get(), number);
    const ARCH_SET_GS: i32 = 0x1001;
    // SAFETY: nothing of Linux's in this process uses %gs; guest code expects its struct pcpu there.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, pcpu) };
}

/// Gives the CPU away.
pub fn release() {
    let number = CPU.replace(-1);
    let (Some(cpus), Ok(cpu)) = (CPUS.get(), usize::try_from(number)) else { return };
    (cpus.switch.leave)(THREAD.get(), number);
    let mut holders = cpus.holders.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(holder) = holders.get_mut(cpu) {
        *holder = None;
    }
    cpus.freed.notify_all();
}

/// Lets others run, as a thread does that blocks.
pub fn without_cpu<T>(bound: Option<usize>, work: impl FnOnce() -> T) -> T {
    if current().is_none() {
        return work();
    }
    release();
    let result = work();
    acquire(bound);
    result
}
