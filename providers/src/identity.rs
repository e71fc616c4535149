//! What a fire in this process knows: the process itself.

use dif::env::{Fault, FaultKind};
use host::context::{FireContext, KernelStack};
use nix::unistd::{Pid, getgid, getpid, getppid, getuid};

/// The identity of the thread that fires, read once: a fire makes no system call.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pid: Pid,
    tid: Pid,
    ppid: Pid,
    uid: u32,
    gid: u32,
    cpu: u32,
    execname: Vec<u8>,
}

impl Identity {
    /// The calling thread's.
    pub(crate) fn of_this_thread() -> Self {
        let name = std::env::args_os().next().map(std::path::PathBuf::from);
        let name = name.as_ref().and_then(|path| path.file_name());
        let execname = name.map_or_else(Vec::new, |name| name.as_encoded_bytes().to_vec());
        Self {
            pid: getpid(),
            tid: this_thread(),
            ppid: getppid(),
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
            cpu: nix::sched::sched_getcpu()
                .ok()
                .and_then(|cpu| u32::try_from(cpu).ok())
                .unwrap_or(0),
            execname,
        }
    }
}

fn unsigned(pid: Pid) -> u32 {
    u32::try_from(pid.as_raw()).unwrap_or(0)
}

/// The calling thread's number.
#[cfg(target_os = "linux")]
fn this_thread() -> Pid {
    nix::unistd::gettid()
}
/// Nothing safe tells a thread's number on FreeBSD; the process's stands for its one thread.
#[cfg(not(target_os = "linux"))]
fn this_thread() -> Pid {
    getpid()
}

/// Copies this process's memory out, if all of it is there.
#[cfg(target_os = "linux")]
fn read_own(pid: Pid, addr: u64, buf: &mut [u8]) -> bool {
    use nix::sys::uio::{RemoteIoVec, process_vm_readv};
    let Ok(base) = usize::try_from(addr) else { return false };
    let wanted = buf.len();
    let remote = [RemoteIoVec { base, len: wanted }];
    process_vm_readv(pid, &mut [std::io::IoSliceMut::new(buf)], &remote) == Ok(wanted)
}
/// FreeBSD has no call that reads memory and says no instead of crashing.
#[cfg(not(target_os = "linux"))]
const fn read_own(_pid: Pid, _addr: u64, _buf: &mut [u8]) -> bool {
    false
}

impl FireContext for Identity {
    fn arg(&self, _index: usize) -> u64 {
        0
    }
    fn pid(&self) -> u32 {
        unsigned(self.pid)
    }
    fn tid(&self) -> u32 {
        unsigned(self.tid)
    }
    fn ppid(&self) -> u32 {
        unsigned(self.ppid)
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
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
        time.map_or(0, |time| {
            let (seconds, rest) = (time.tv_sec().cast_unsigned(), time.tv_nsec().cast_unsigned());
            seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
        })
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
    fn read_kernel(&self, addr: u64, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::at(FaultKind::BadAddr, addr))
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::at(FaultKind::BadAddr, addr);
        if read_own(self.pid, addr, buf) { Ok(()) } else { Err(fault) }
    }
    fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize {
        let text = format!("{addr:#x}");
        let len = text.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..len), text.as_bytes().get(..len)) {
            to.copy_from_slice(from);
        }
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process's own memory can be read; a wild address is a fault, not a crash.
    #[test]
    fn own_memory_is_readable() {
        let identity = Identity::of_this_thread();
        let value = 0x1234_5678_u32;
        let mut bytes = [0; 4];
        let address = (&raw const value).addr() as u64;
        assert_eq!(identity.read_user(address, &mut bytes), Ok(()));
        assert_eq!(u32::from_ne_bytes(bytes), value);
        assert!(identity.read_user(8, &mut bytes).is_err());
        assert!(identity.read_kernel(address, &mut bytes).is_err());
    }
}
