//! What the stand-in kernel asks of this process: a console, time, threads and a way to sleep.
//!
//! `kernel-standin/host.h` declares the same for C. Everything else of a kernel is built on these
//! in C, as the kernel builds it on its machine.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{cpus, ram, trap};

/// `struct ht_boot`.
#[repr(C)]
#[derive(Debug)]
pub struct Boot {
    /// CPUs.
    pub cpus: i32,
    /// Zero.
    pub pad: i32,
    /// The kernel's page tables.
    pub kernel_root: u64,
    /// A process's page tables.
    pub user_root: u64,
    /// A page of user memory, where the kernel sees it.
    pub user_page: u64,
    /// The same, where the process sees it.
    pub user_address: u64,
    /// The heap.
    pub heap: u64,
    /// Its end.
    pub heap_end: u64,
    /// Where guest-physical 0 lies.
    pub base: u64,
    /// The first thread's kernel stack.
    pub stack: u64,
    /// Pages of it.
    pub stack_pages: u64,
    /// What CPUID says of the hypervisor.
    pub vendor: [u8; 16],
}

/// `struct ht_file`: an object that was loaded.
#[repr(C)]
#[derive(Debug)]
pub struct File {
    /// NUL-terminated.
    pub name: u64,
    /// Where it begins.
    pub base: u64,
    /// Its bytes.
    pub size: u64,
    /// `Elf64_Sym`s.
    pub symtab: u64,
    /// How many.
    pub nsym: u64,
    /// Their names.
    pub strtab: u64,
    /// Bytes of them.
    pub strcnt: u64,
    /// `struct ht_set`s: name, first, last.
    pub sets: u64,
    /// How many.
    pub nsets: u64,
    /// Types.
    pub ctf: u64,
    /// Bytes of them.
    pub ctf_size: u64,
}

/// The address of a function that the stand-in kernel may call.
#[must_use]
pub fn find(name: &str) -> Option<u64> {
    let address = match name {
        "ht_host_write" => ht_host_write as *const (),
        "ht_host_abort" => ht_host_abort as *const (),
        "ht_host_now" => ht_host_now as *const (),
        "ht_host_thread" => ht_host_thread as *const (),
        "ht_host_wait" => ht_host_wait as *const (),
        "ht_host_wake" => ht_host_wake as *const (),
        "ht_host_yield" => ht_host_yield as *const (),
        "ht_host_interrupts" => ht_host_interrupts as *const (),
        "ht_host_idle" => ht_host_idle as *const (),
        "ht_host_tick" => ht_host_tick as *const (),
        _ => return None,
    };
    Some(address.addr() as u64)
}

/// The kernel's console.
extern "C" fn ht_host_write(text: *const c_char, len: usize) {
    // SAFETY: the kernel's own buffer, of that length.
    let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    // Nobody can be told that nobody can be told.
    drop(std::io::stderr().write_all(text));
}

/// A panic of the kernel ends the process: `freebsd-guest` is the machine.
extern "C" fn ht_host_abort(why: *const c_char) -> ! {
    // SAFETY: a NUL-terminated text.
    let why = unsafe { CStr::from_ptr(why) };
    trap::panic(&why.to_string_lossy())
}

/// Nanoseconds since some moment.
extern "C" fn ht_host_now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// `ht_thread_enter` of the stand-in: calls the function on this stack, and can be left from
/// anywhere below.
type Enter = extern "C" fn(u64, u64, *mut u64);

/// A thread of the guest: `td` runs `function(argument)` on its kernel stack. Returns 0, or Linux's
/// error.
extern "C" fn ht_host_thread(
    enter: Enter,
    function: u64,
    argument: u64,
    td: u64,
    saved: *mut u64,
    stack: *mut c_void,
    size: usize,
) -> c_int {
    // The kernel's memory, which stays; `thread` frees the box.
    let saved = saved.expose_provenance();
    let work = move || enter(function, argument, std::ptr::with_exposed_provenance_mut(saved));
    thread(td, stack, size, Box::new(work))
}

/// The guest's first thread runs `work` on a stack in its RAM.
///
/// # Errors
/// If there can be no thread.
pub fn first(td: u64, stack: u64, size: usize, work: Box<dyn FnOnce() + Send>) -> Result<()> {
    let failed = thread(td, ram::pointer(stack, size)?.cast(), size, work);
    ensure!(failed == 0, "no thread: {}", std::io::Error::from_raw_os_error(failed));
    Ok(())
}

struct Start {
    td: u64,
    work: Box<dyn FnOnce() + Send>,
}

/// A thread of this process on that stack, with a CPU from its beginning to its end.
fn thread(td: u64, stack: *mut c_void, size: usize, work: Box<dyn FnOnce() + Send>) -> c_int {
    let start = Box::into_raw(Box::new(Start { td, work }));
    // SAFETY: integers and pointers, for which zero is a value; init fills it.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::pthread_attr_init(&raw mut attributes) };
    // SAFETY: memory of the guest's that is this thread's and nobody else's ever after.
    let bad = unsafe { libc::pthread_attr_setstack(&raw mut attributes, stack, size) };
    if bad != 0 {
        return bad;
    }
    let detached = libc::PTHREAD_CREATE_DETACHED;
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_setdetachstate(&raw mut attributes, detached) };
    let mut thread = 0;
    // SAFETY: `run` takes what `start` is.
    unsafe { libc::pthread_create(&raw mut thread, &raw const attributes, run, start.cast()) }
}

extern "C" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: the box that `thread` made for this thread.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    let _stack = trap::use_own_stack();
    cpus::adopt(start.td);
    cpus::acquire(None);
    (start.work)();
    cpus::release();
    std::ptr::null_mut()
}

fn bound(cpu: c_int) -> Option<usize> {
    usize::try_from(cpu).ok()
}

/// Sleeps while `*word == expected`, at most so many nanoseconds if that is not negative; without a
/// CPU meanwhile. Returns 0, or 1 if the time is over.
extern "C" fn ht_host_wait(word: *const u32, expected: u32, nanoseconds: i64, cpu: c_int) -> c_int {
    let time = u64::try_from(nanoseconds).ok().map(Duration::from_nanos);
    let time = time.map(|time| libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let timed_out = cpus::without_cpu(bound(cpu), || {
        // SAFETY: a word of the guest's memory, which stays mapped.
        let done = unsafe {
            libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, time, 0_usize, 0_u32)
        };
        done < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT)
    });
    c_int::from(timed_out)
}

/// Wakes so many that wait for this word.
extern "C" fn ht_host_wake(word: *const u32, count: c_int) {
    // SAFETY: as above.
    unsafe {
        libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count, 0_usize, 0_usize, 0_u32)
    };
}

/// Lets another thread have the CPU.
extern "C" fn ht_host_yield(cpu: c_int) {
    cpus::without_cpu(bound(cpu), std::thread::yield_now);
}

/// Sets whether the CPU takes interrupts; returns whether it did.
extern "C" fn ht_host_interrupts(on: c_int) -> c_int {
    let before = cpus::interrupts();
    cpus::set_interrupts(on != 0);
    c_int::from(before)
}

/// The work of a CPU's ticks, in nanoseconds of the clock.
#[derive(Debug, Default)]
struct Ticks {
    /// When the one that is worked on began; 0 if none is.
    began: AtomicU64,
    /// When the last was done, and how long it took.
    done: AtomicU64,
    took: AtomicU64,
}

impl Ticks {
    /// Whether a tick may come: none is worked on, and the CPU has since done something else for as
    /// long as the last one took. On a slow machine, with every function traced, a tick may take
    /// longer than the time to the next.
    fn may_come(&self) -> bool {
        let since = ht_host_now().saturating_sub(self.done.load(Ordering::Relaxed));
        self.began.load(Ordering::Relaxed) == 0 && since >= self.took.load(Ordering::Relaxed)
    }
}

static TICKS: [Ticks; 8] = [const {
    Ticks { began: AtomicU64::new(0), done: AtomicU64::new(0), took: AtomicU64::new(0) }
}; 8];

/// The kernel begins, or ends, the work of a tick.
extern "C" fn ht_host_tick(cpu: c_int, begins: c_int) {
    let Some(ticks) = bound(cpu).and_then(|cpu| TICKS.get(cpu)) else { return };
    let now = ht_host_now();
    let began = ticks.began.swap(if begins != 0 { now } else { 0 }, Ordering::Relaxed);
    if begins == 0 {
        ticks.took.store(now.saturating_sub(began), Ordering::Relaxed);
        ticks.done.store(now, Ordering::Relaxed);
    }
}

/// A CPU's idle thread: at every tick it interrupts whoever runs, or takes the interrupt itself.
extern "C" fn ht_host_idle(cpu: c_int, tick: extern "C" fn(c_int)) {
    let Some(number) = bound(cpu) else { return };
    // It holds a CPU, as every thread that begins; its own it holds only for a tick.
    cpus::release();
    loop {
        std::thread::sleep(Duration::from_millis(1));
        if TICKS.get(number).is_some_and(|ticks| !ticks.may_come()) {
            continue;
        }
        match cpus::acquire_idle(number) {
            Some(holder) => {
                let process = nix::unistd::getpid().as_raw();
                // SAFETY: a signal to a thread of this process; if it has ended, nothing happens.
                unsafe { libc::syscall(libc::SYS_tgkill, process, holder, trap::TICK) };
            }
            None => {
                tick(cpu);
                cpus::release();
            }
        }
    }
}
