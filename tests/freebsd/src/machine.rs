//! A stand-in bhyve that runs, and what a test does to it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use bhyve_sys::vmmapi::HIGHMEM_BASE;
use bhyve_sys::{v14, v15};
use nix::sys::memfd::{MFdFlags, memfd_create};
use npt::Gpa;
use shim::memory::GuestRam;
use shim::testing::FakeGuest;
use vm_memory::{FileOffset, GuestAddress, GuestRegionMmap};

use crate::exit::{Exit, SIZE};

/// Which release's layouts the stand-ins are compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// FreeBSD 14.x.
    V14,
    /// FreeBSD 15.0.
    V15,
}

macro_rules! layout {
    ($module:ident) => {{
        use std::mem::offset_of;
        [
            ("VM_EXIT_SIZE", size_of::<$module::vm_exit>()),
            ("VM_EXIT_EXITCODE", offset_of!($module::vm_exit, exitcode)),
            ("VM_EXIT_U", offset_of!($module::vm_exit, u)),
            ("VM_INOUT_SIZE", size_of::<$module::vm_inout>()),
            ("VM_INOUT_PORT", offset_of!($module::vm_inout, port)),
            ("VM_INOUT_EAX", offset_of!($module::vm_inout, eax)),
            ("VM_RUN_SIZE", size_of::<$module::vm_run>()),
            ("VM_RUN_VM_EXIT", offset_of!($module::vm_run, vm_exit)),
        ]
    }};
}

impl Release {
    /// The sizes and offsets for the stand-ins' C.
    fn layout(self) -> String {
        let lines = match self {
            Self::V14 => layout!(v14),
            Self::V15 => layout!(v15),
        };
        lines.iter().map(|(name, value)| format!("#define {name} {value}\n")).collect()
    }
}

/// What bhyve's loop saw of an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the guest runs on.
    Handled,
    /// This.
    Passed(Exit),
}

/// How a stand-in is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose layouts.
    pub release: Release,
    /// The VM's name.
    pub name: String,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Bytes of RAM from 0 on.
    pub low: u64,
    /// Bytes of RAM from 4 GiB on.
    pub high: u64,
}

impl Config {
    /// A 15.0 with two vCPUs.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        let (low, high) = (LOW, HIGH);
        Self { release: Release::V15, name, vcpus: 2, low, high }
    }
}

/// The pipe to the program.
#[derive(Debug)]
struct Wire {
    input: Option<ChildStdin>,
    output: ChildStdout,
}

/// A running stand-in; killed when dropped.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    wire: Arc<Mutex<Wire>>,
    memory: OwnedFd,
    /// Its run directory.
    pub dir: PathBuf,
    name: String,
    vcpus: u32,
    low: u64,
    high: u64,
}

/// Bytes of RAM that FakeGuest needs below the hole.
pub const LOW: u64 = shim::testing::RAM as u64;

/// Bytes of RAM above 4 GiB.
pub const HIGH: u64 = 1 << 20;

impl Machine {
    /// Starts a stand-in: no RAM, no sandbox, no vCPU running yet.
    ///
    /// # Errors
    /// If it cannot be compiled or started.
    pub fn start(config: &Config) -> Result<Self> {
        let programs = compile(config.release)?;
        let unique = format!("ht-bhyve-{}-{}", std::process::id(), config.name);
        let dir = std::env::temp_dir().join(unique);
        drop(fs::remove_dir_all(&dir));
        // Without CLOEXEC: the program inherits it.
        let memory = memfd_create("standin-ram", MFdFlags::empty())?;
        nix::unistd::ftruncate(&memory, i64::try_from(config.low + config.high)?)?;
        let mut command = Command::new(programs.join("bhyve"));
        command
            .args([&config.name, &config.vcpus.to_string()])
            .env("HYPERTRACE_DIR", &dir)
            .env("LD_LIBRARY_PATH", &programs)
            .env("STANDIN_MEMORY", memory.as_raw_fd().to_string())
            .env("LD_PRELOAD", shim_library()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the stand-in")?;
        let wire = Wire {
            input: child.stdin.take(),
            output: child.stdout.take().context("no standard output")?,
        };
        let wire = Arc::new(Mutex::new(wire));
        let (name, vcpus) = (config.name.clone(), config.vcpus);
        let (low, high) = (config.low, config.high);
        Ok(Self { child, wire, memory, dir, name, vcpus, low, high })
    }

    /// A stand-in whose RAM is there, that is in its sandbox and runs its vCPUs.
    ///
    /// # Errors
    /// As [`Machine::start`].
    pub fn boot(config: &Config) -> Result<Self> {
        let machine = Self::start(config)?;
        machine.add_memory()?;
        machine.enter_sandbox()?;
        Ok(machine)
    }

    /// RAM comes, on both sides of the hole below 4 GiB.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn add_memory(&self) -> Result<()> {
        ask(&self.wire, b'M', self.low + self.high, self.low, &[]).map(drop)
    }

    /// A segment of device memory comes.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn add_device_memory(&self, gpa: u64, len: u64) -> Result<()> {
        ask(&self.wire, b'D', gpa, len, &[]).map(drop)
    }

    /// The sandbox closes, and vCPUs run.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn enter_sandbox(&self) -> Result<()> {
        ask(&self.wire, b'S', 0, 0, &[]).map(drop)
    }

    /// vCPUs run without a sandbox, as in a bhyve that was built without Capsicum.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn run_without_sandbox(&self) -> Result<()> {
        ask(&self.wire, b'U', 0, 0, &[]).map(drop)
    }

    /// A vCPU has this exit; returns when its thread has called `vm_run` again.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn exit(&self, vcpu: u32, exit: &Exit) -> Result<Outcome> {
        outcome(&ask(&self.wire, b'E', u64::from(vcpu), SIZE as u64, &exit.0)?)
    }

    /// A vCPU has this exit many times, and nobody looks at what comes of it.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn exits(&self, vcpu: u32, count: u64, exit: &Exit) -> Result<()> {
        ask(&self.wire, b'N', u64::from(vcpu), count, &exit.0).map(drop)
    }

    /// `vm_run` of a vCPU fails with this error; returns the `errno` that bhyve saw, 0 if none.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn fail(&self, vcpu: u32, errno: u64) -> Result<u64> {
        Ok(ask(&self.wire, b'X', u64::from(vcpu), errno, &[])?.0)
    }

    /// Whichever vCPU touches this page of guest memory next is held there.
    ///
    /// # Errors
    /// If the program is gone, or there is no such page.
    pub fn trap(&self, page: Gpa) -> Result<()> {
        ask(&self.wire, b'T', page.0, 0, &[]).map(drop)
    }

    /// A vCPU has this exit, in which it is to touch the page; returns when it is held there.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn held_exit(&self, vcpu: u32, exit: &Exit) -> Result<()> {
        ask(&self.wire, b'H', u64::from(vcpu), SIZE as u64, &exit.0).map(drop)
    }

    /// The held vCPU goes on, and is in `vm_run` again when this returns; or its thread ends where it
    /// stands.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn release(&self, vcpu: u32, ends: bool) -> Result<()> {
        ask(&self.wire, b'R', u64::from(vcpu), u64::from(ends), &[]).map(drop)
    }

    /// The guest's RAM, mapped in this process.
    ///
    /// # Errors
    /// If it cannot be mapped.
    pub fn ram(&self) -> Result<GuestRam> {
        let region = |base: u64, len: u64, offset: u64| -> Result<GuestRegionMmap> {
            let file = FileOffset::new(self.memory.try_clone()?.into(), offset);
            let (base, len) = (GuestAddress(base), usize::try_from(len)?);
            Ok(GuestRegionMmap::from_range(base, len, Some(file))?)
        };
        let high = region(HIGHMEM_BASE, self.high, self.low)?;
        Ok(GuestRam::new([region(0, self.low, 0)?, high])?)
    }

    /// A guest in this machine that makes its calls by exits.
    ///
    /// # Errors
    /// If its RAM cannot be mapped.
    ///
    /// # Panics
    /// Its doorbell does, if the machine is gone or bhyve's loop sees the exit.
    pub fn guest(&self) -> Result<FakeGuest> {
        let wire = Arc::clone(&self.wire);
        let ring = move |vcpu: usize, page: Gpa| {
            let frame = u32::try_from(page.0 >> 12).unwrap_or(u32::MAX);
            let bytes = Exit::doorbell(frame).0;
            let answer = ask(&wire, b'E', vcpu as u64, SIZE as u64, &bytes);
            let seen = answer.and_then(|answer| outcome(&answer));
            assert_eq!(seen.ok(), Some(Outcome::Handled), "the doorbell is the shim's");
        };
        Ok(FakeGuest::elsewhere(self.ram()?, self.vcpus, ring)?)
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where the shim listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join(format!("{}.sock", self.name))
    }

    /// Lets the program end as bhyve ends, and returns how.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn finish(mut self) -> Result<ExitStatus> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).input = None;
        Ok(self.child.wait()?)
    }

    /// Kills it, as a host that runs out of memory does.
    ///
    /// # Errors
    /// If there is nothing to kill.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The file of its RAM.
    #[must_use]
    pub fn memory(&self) -> std::os::fd::BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended, and its directory may never have been made.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// What the answer to `E` says.
fn outcome((number, bytes): &(u64, Vec<u8>)) -> Result<Outcome> {
    if *number == 0 {
        return Ok(Outcome::Handled);
    }
    let bytes = <[u8; SIZE]>::try_from(bytes.as_slice()).ok().context("half an exit")?;
    Ok(Outcome::Passed(Exit(bytes)))
}

/// One record to the program, and its answer.
fn ask(wire: &Mutex<Wire>, letter: u8, a: u64, b: u64, bytes: &[u8]) -> Result<(u64, Vec<u8>)> {
    let mut wire = wire.lock().unwrap_or_else(PoisonError::into_inner);
    let Wire { input: Some(input), output } = &mut *wire else { bail!("the program was ended") };
    let record = [&[letter][..], &a.to_ne_bytes(), &b.to_ne_bytes(), bytes].concat();
    input.write_all(&record).context("the stand-in is gone")?;
    let mut head = [0; 17];
    output.read_exact(&mut head).context("the stand-in does not answer")?;
    let number = |at: usize| {
        let bytes = head.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        u64::from_ne_bytes(bytes.unwrap_or_default())
    };
    ensure!(head.first() == Some(&letter), "the stand-in answers something else");
    let mut bytes = vec![0; usize::try_from(number(9))?];
    output.read_exact(&mut bytes)?;
    Ok((number(1), bytes))
}

/// Where cargo puts what it builds beside this program.
///
/// # Errors
/// If this is no program of cargo's.
pub fn built() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let dir = program.parent().context("no directory")?;
    // Tests lie in deps/, programs beside it.
    let dir =
        if dir.ends_with("deps") { dir.parent().context("no target directory")? } else { dir };
    Ok(dir.to_path_buf())
}

/// The library that is preloaded. Its first place is the one that cargo has just written.
pub(crate) fn shim_library() -> Result<PathBuf> {
    let built = built()?;
    let places = ["deps/libhypertrace_bhyve.so", "libhypertrace_bhyve.so"];
    let found = places.iter().map(|place| built.join(place)).find(|path| path.exists());
    found.context("libhypertrace_bhyve.so was not built beside this test")
}

/// Compiles the stand-ins, once for each release in this process; returns their directory.
pub(crate) fn compile(release: Release) -> Result<PathBuf> {
    static DONE: [OnceLock<Result<PathBuf, String>>; 2] = [const { OnceLock::new() }; 2];
    let done = match release {
        Release::V14 => DONE.first(),
        Release::V15 => DONE.get(1),
    };
    let made = done
        .context("a release")?
        .get_or_init(|| compile_into(release).map_err(|error| format!("{error:#}")));
    made.clone().map_err(anyhow::Error::msg)
}

fn compile_into(release: Release) -> Result<PathBuf> {
    let dir = built()?.join(format!("freebsd-standin-{release:?}-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("layout.h"), release.layout())?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("standin");
    let cc = |arguments: &[&str], source: &str, to: &str| -> Result<()> {
        let output = Command::new("gcc")
            .args(["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"])
            .arg(&dir)
            .arg("-o")
            .arg(dir.join(to))
            .arg(sources.join(source))
            .args(arguments)
            .output()
            .context("cannot run gcc")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    cc(&["-shared", "-fPIC"], "vmmapi.c", "libvmmapi.so")?;
    let search = format!("-L{}", dir.display());
    cc(&[&search, "-lvmmapi"], "bhyve.c", "bhyve")?;
    Ok(dir)
}
