//! Programs in the kernel, attached to their hooks.
//!
//! Everything hangs on descriptors of this process: when they are closed, or the process dies, the
//! kernel detaches the programs and frees them. Nothing is pinned.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use perf_event::{Builder, Counter, events::Software};

use super::{
    hook::Hook,
    uprobes::{self, Instruction},
};
use crate::cpus;

/// Where the kernel says which CPUs run.
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// A program at its hook. Dropping it detaches it.
#[derive(Debug)]
pub struct Attached {
    at: At,
}

#[derive(Debug)]
enum At {
    /// Closing the descriptor detaches; nothing is read from it.
    Link { _link: OwnedFd },
    /// A clock for each CPU that runs.
    Clocks { program: OwnedFd, interval: u64, clocks: Vec<Clock> },
}

/// A clock on a CPU.
#[derive(Debug)]
struct Clock {
    cpu: u32,
    counter: Counter,
    /// What it had counted when it was last looked at: nanoseconds that it was on.
    seen: u64,
}

impl Clock {
    /// Whether it has gone on since it was last looked at. The kernel stops a clock whose CPU goes,
    /// and does not start it when the CPU comes back.
    fn goes_on(&mut self) -> bool {
        match self.counter.read() {
            Ok(now) if now > self.seen => {
                self.seen = now;
                true
            }
            _ => false,
        }
    }
}

/// Attaches a program, to a function with its number there.
///
/// # Errors
/// The kernel's.
pub fn attach(hook: &Hook, number: u32, program: &OwnedFd) -> io::Result<Attached> {
    let at = match hook {
        Hook::Function { address, on_return } => {
            At::Link { _link: function(*address, *on_return, number, program)? }
        }
        Hook::RawTracepoint(name) => {
            At::Link { _link: ebpf::sys::attach_raw(Some(name), program.as_fd())? }
        }
        Hook::User { path, offset, on_return, pid, semaphore } => {
            let at = Instruction { path, offset: *offset, on_return: *on_return };
            At::Link { _link: uprobes::attach(&at, *pid, *semaphore, number, program)? }
        }
        Hook::Clock { interval } => {
            let at = At::Clocks {
                program: program.try_clone()?,
                interval: *interval,
                clocks: Vec::new(),
            };
            let mut attached = Attached { at };
            attached.follow_cpus()?;
            return Ok(attached);
        }
    };
    Ok(Attached { at })
}

impl Attached {
    /// What a link keeps attached.
    pub(super) const fn link(link: OwnedFd) -> Self {
        Self { at: At::Link { _link: link } }
    }

    /// Starts clocks on CPUs that have come since, and forgets those of CPUs that went.
    ///
    /// # Errors
    /// The kernel's, if a CPU that runs can have no clock.
    pub fn follow_cpus(&mut self) -> io::Result<()> {
        let At::Clocks { program, interval, clocks } = &mut self.at else { return Ok(()) };
        let online = cpus::list(&std::fs::read_to_string(ONLINE)?);
        clocks.retain_mut(|clock| online.contains(&clock.cpu) && clock.goes_on());
        for cpu in online {
            if clocks.iter().any(|clock| clock.cpu == cpu) {
                continue;
            }
            match clock(cpu, *interval, program) {
                Ok(counter) => clocks.push(Clock { cpu, counter, seen: 0 }),
                // It went while we looked.
                Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A clock on one CPU that runs the program every `interval` nanoseconds.
fn clock(cpu: u32, interval: u64, program: &OwnedFd) -> io::Result<Counter> {
    let index = usize::try_from(cpu).unwrap_or(usize::MAX);
    let mut event = Builder::new(Software::CPU_CLOCK)
        .any_pid()
        .one_cpu(index)
        .sample_period(interval)
        .include_kernel()
        .include_hv()
        .build()?;
    event.set_bpf(program.as_raw_fd())?;
    event.enable()?;
    Ok(event)
}

/// The kernel's number for a kind of probes: `uprobe`, `kprobe`.
///
/// # Errors
/// This kernel has none.
pub fn probe_type(kind: &str) -> io::Result<u32> {
    let path = format!("/sys/bus/event_source/devices/{kind}/type");
    let text = std::fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// A program at a function of the kernel. The link keeps the event: one descriptor a function.
fn function(address: u64, on_return: bool, number: u32, program: &OwnedFd) -> io::Result<OwnedFd> {
    let mut builder = Builder::new(Software::DUMMY);
    let attributes = builder.attrs_mut();
    attributes.type_ = probe_type("kprobe")?;
    attributes.config = u64::from(on_return);
    attributes.kprobe_func = 0;
    attributes.kprobe_addr = address;
    // The program runs on all CPUs: the event's own is where it would be counted.
    let event = builder.any_pid().one_cpu(0).include_kernel().build()?;
    Ok(ebpf::sys::attach_perf(&event, program.as_fd(), u64::from(number))?)
}
