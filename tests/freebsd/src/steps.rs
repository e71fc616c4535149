//! A vCPU's thread, run instruction by instruction: which ones the shim adds to an exit.
//!
//! ```text
//!  bhyve's loop ─▶ shim's vm_run ─▶ libvmmapi's vm_run ┐
//!                                                      │ waits for an exit
//!       not ours ◀─ shim ◀─────────────────────────────┘
//!  └──────────────┴───────────────┘  └───── one round ─────┘
//! ```
//! A round begins where the real `vm_run` returns and ends where it is called again. Whatever the
//! thread does in between outside of bhyve's own program is the shim's, or done for it: its code,
//! libc's, the clock's. The count is exact: nothing is sampled, and nobody else's thread is in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use goblin::elf::Elf;

/// What the thread executes while nobody counts: the program of bhyve's loop.
const PROGRAM: &str = "/bhyve";

/// The real `vm_run`'s library.
const LIBRARY: &str = "/libvmmapi.so";

/// The shim's.
const SHIM: &str = "/libhypertrace_bhyve.so";

/// For requests without an argument.
const NOTHING: *mut libc::c_void = std::ptr::null_mut();

/// A thread of another process that is stepped; let go when dropped.
#[derive(Debug)]
pub struct Stepped {
    thread: libc::pid_t,
    memory: File,
    program: Range<u64>,
    vm_run: u64,
    /// Where the shim's library lies, and its file.
    shim: (u64, PathBuf),
}

impl Stepped {
    /// Stops the thread of that name wherever it is.
    ///
    /// # Errors
    /// If there is none, or it may not be stepped.
    pub fn stop(process: u32, name: &str) -> Result<Self> {
        let place = PathBuf::from(format!("/proc/{process}"));
        let thread = thread(&place, name)?;
        let maps = fs::read_to_string(place.join("maps"))?;
        let program = mapped(&maps, PROGRAM).context("no bhyve in the process")?.0;
        let (library, path) = mapped(&maps, LIBRARY).context("no libvmmapi in the process")?;
        let vm_run = library.start + symbol(&path, "vm_run")?;
        let (shim, path) = mapped(&maps, SHIM).context("no shim in the process")?;
        let memory = File::open(place.join("mem"))?;
        request(libc::PTRACE_SEIZE, thread, NOTHING).context("it cannot be traced")?;
        let stepped = Self { thread, memory, program, vm_run, shim: (shim.start, path) };
        request(libc::PTRACE_INTERRUPT, thread, NOTHING)?;
        stepped.wait()?;
        Ok(stepped)
    }

    /// Steps until so many rounds are over; of each, the addresses of what was executed.
    ///
    /// # Errors
    /// If the thread ends.
    pub fn rounds(&self, count: usize) -> Result<Vec<Vec<u64>>> {
        let mut rounds = Vec::with_capacity(count);
        // The vm_run that it waits in.
        while self.ip()? != self.vm_run {
            self.step()?;
        }
        while rounds.len() < count {
            self.leave_vm_run()?;
            let mut round = Vec::new();
            loop {
                let at = self.ip()?;
                if at == self.vm_run {
                    break;
                }
                if !self.program.contains(&at) {
                    round.push(at);
                }
                self.step()?;
            }
            rounds.push(round);
        }
        Ok(rounds)
    }

    /// Which functions each address lies in, the innermost first: inlined ones are told apart.
    ///
    /// # Errors
    /// If addr2line cannot be run.
    pub fn functions(&self, addresses: &[u64]) -> Result<BTreeMap<u64, Vec<String>>> {
        let (base, library) = &self.shim;
        let places = addresses.iter().map(|at| format!("{:#x}", at.wrapping_sub(*base)));
        let output = Command::new("addr2line")
            .args(["--functions", "--inlines", "--demangle", "--addresses", "--exe"])
            .arg(library)
            .args(places)
            .output()
            .context("cannot run addr2line")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut current = 0;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(address) = line.strip_prefix("0x") {
                current = u64::from_str_radix(address, 16)?.wrapping_add(*base);
            } else {
                // A function's name, and where it was called.
                let place = lines.next().unwrap_or_default();
                found.entry(current).or_default().push(format!("{line} {place}"));
            }
        }
        Ok(found)
    }

    /// From the real `vm_run`'s first instruction to the one that it returns to.
    fn leave_vm_run(&self) -> Result<()> {
        let entered = self.registers()?.rsp;
        let mut word = [0; 8];
        self.memory.read_exact_at(&mut word, entered)?;
        let back = u64::from_le_bytes(word);
        while self.ip()? != back {
            self.step()?;
        }
        Ok(())
    }

    fn ip(&self) -> Result<u64> {
        Ok(self.registers()?.rip)
    }

    fn registers(&self) -> Result<libc::user_regs_struct> {
        // SAFETY: integers, for which zero is a value.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        request(libc::PTRACE_GETREGS, self.thread, (&raw mut registers).cast())?;
        Ok(registers)
    }

    fn step(&self) -> Result<()> {
        request(libc::PTRACE_SINGLESTEP, self.thread, NOTHING)?;
        self.wait()
    }

    /// Waits until the thread has stopped.
    fn wait(&self) -> Result<()> {
        let mut status = 0;
        // SAFETY: a place for the status.
        let got = unsafe { libc::waitpid(self.thread, &raw mut status, libc::__WALL) };
        ensure!(got == self.thread, "waiting: {}", std::io::Error::last_os_error());
        ensure!(libc::WIFSTOPPED(status), "the thread ended: status {status:#x}");
        Ok(())
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // It may have ended.
        drop(request(libc::PTRACE_DETACH, self.thread, NOTHING));
    }
}

/// A request whose last argument is nothing, or what it fills.
fn request(what: libc::c_uint, thread: libc::pid_t, data: *mut libc::c_void) -> Result<()> {
    // SAFETY: the requests that this module makes take nothing, or fill the registers at `data`.
    let done = unsafe { libc::ptrace(what, thread, NOTHING, data) };
    if done == -1 {
        bail!("ptrace: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

/// The thread of that name.
fn thread(process: &Path, name: &str) -> Result<libc::pid_t> {
    for entry in fs::read_dir(process.join("task"))? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("comm"))?.trim_end() == name {
            return Ok(entry.file_name().to_string_lossy().parse()?);
        }
    }
    bail!("no thread {name:?}")
}

/// Where a file whose path ends so is mapped, from its first byte on, and its path.
fn mapped(maps: &str, end: &str) -> Option<(Range<u64>, PathBuf)> {
    let mut found: Option<(Range<u64>, PathBuf)> = None;
    for line in maps.lines().filter(|line| line.ends_with(end)) {
        let (range, path) = (line.split(' ').next()?, line.get(line.find('/')?..)?);
        let (start, end) = range.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        let (range, _) = found.get_or_insert_with(|| (start..end, PathBuf::from(path)));
        range.end = end;
    }
    found
}

/// A symbol's place in a library.
fn symbol(library: &Path, name: &str) -> Result<u64> {
    let bytes = fs::read(library)?;
    let elf = Elf::parse(&bytes)?;
    let found = elf.dynsyms.iter().find(|s| elf.dynstrtab.get_at(s.st_name) == Some(name));
    Ok(found.with_context(|| format!("{} has no {name}", library.display()))?.st_value)
}
