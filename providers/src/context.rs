//! A fire of the tracer's own threads: BEGIN, END and the timed probes.

use dif::env::{Fault, FaultKind};
use host::context::{FireContext, KernelStack};

/// Who a thread of this process is. Gathered once: these do not change while it runs.
#[derive(Clone, Debug)]
pub(crate) struct OwnContext {
    /// CPU the thread is bound to, or that BEGIN and END report.
    pub(crate) cpu: u32,
    pid: u32,
    tid: u32,
    ppid: u32,
    uid: u32,
    gid: u32,
    execname: Vec<u8>,
}

impl OwnContext {
    /// The calling thread.
    pub(crate) fn of_this_thread(cpu: u32) -> Self {
        let id = |pid: nix::unistd::Pid| u32::try_from(pid.as_raw()).unwrap_or(0);
        let mut execname = std::fs::read("/proc/self/comm").unwrap_or_default();
        execname.retain(|byte| *byte != b'\n');
        Self {
            cpu,
            pid: id(nix::unistd::getpid()),
            tid: id(nix::unistd::gettid()),
            ppid: id(nix::unistd::getppid()),
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            execname,
        }
    }
}

impl FireContext for OwnContext {
    fn arg(&self, _index: usize) -> u64 {
        0
    }
    fn pid(&self) -> u32 {
        self.pid
    }
    fn tid(&self) -> u32 {
        self.tid
    }
    fn ppid(&self) -> u32 {
        self.ppid
    }
    fn uid(&self) -> u32 {
        self.uid
    }
    fn gid(&self) -> u32 {
        self.gid
    }
    fn cpu(&self) -> u32 {
        self.cpu
    }
    fn errno(&self) -> i32 {
        0
    }
    fn thread(&self) -> u64 {
        0
    }
    fn vtimestamp(&self) -> u64 {
        0
    }
    fn execname(&self) -> &[u8] {
        &self.execname
    }
    fn ip(&self) -> u64 {
        0
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(&[])
    }
    /// No kernel memory is readable from a process.
    fn read_kernel(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    /// The tracer's own memory is not traced.
    fn read_user(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    fn symbolize(&self, _addr: u64, _out: &mut [u8]) -> usize {
        0
    }
}
