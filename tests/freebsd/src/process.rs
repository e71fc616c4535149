//! A FreeBSD guest that runs: `freebsd-guest` as a child, and what a test asks of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use host::control::{ConsumerEnd, MachineInfo, PROTOCOL_VERSION, Reply, Request};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;

use crate::guest::ram;
use crate::machine::{Release, built, compile, shim_library};

/// The guest module's name.
pub const MODULE: &str = "hypertrace_guest";

/// A guest of a release; killed when dropped.
#[derive(Debug)]
pub struct Guest {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    memory: OwnedFd,
    /// Its run directory.
    pub dir: PathBuf,
    name: String,
}

/// Where `cargo xtask freebsd guest` and `freebsd standin` leave a release's objects.
fn object(release: Release, what: &str) -> Result<PathBuf> {
    let target = built()?;
    let target = target.parent().context("no target directory")?;
    let folder = if what == MODULE { "guest" } else { "standin" };
    let release = match release {
        Release::V14 => "v14",
        Release::V15 => "v15",
    };
    let path = target.join("freebsd").join(folder).join(release).join(format!("{what}.ko"));
    ensure!(path.exists(), "{} is not built: `cargo xtask freebsd check`", path.display());
    Ok(path)
}

impl Guest {
    /// Boots a machine of that name with two CPUs and these variables for `freebsd-guest`; no module
    /// is loaded.
    ///
    /// # Errors
    /// If something was not built, or it does not start.
    pub fn boot(release: Release, name: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let programs = compile(release)?;
        let unique = format!("ht-guest-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(unique);
        drop(fs::remove_dir_all(&dir));
        // Without CLOEXEC: the program inherits it.
        let memory = memfd_create("guest-ram", MFdFlags::empty())?;
        nix::unistd::ftruncate(&memory, i64::try_from(ram::SIZE)?)?;
        let preload = [shim_library()?, programs.join("libvmmapi.so")];
        let preload: Vec<_> = preload.iter().map(|path| path.to_string_lossy()).collect();
        let mut child = Command::new(built()?.join("freebsd-guest"))
            .args([name, "2"])
            .args([object(release, "kernel")?, object(release, MODULE)?])
            .args([object(release, "extra")?, object(release, "extra32")?])
            .env("HYPERTRACE_DIR", &dir)
            .env("STANDIN_MEMORY", memory.as_raw_fd().to_string())
            .env("LD_PRELOAD", preload.join(":"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("freebsd-guest")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output, memory, dir, name: name.to_owned() })
    }

    /// One command and its answer.
    fn ask(&mut self, command: &str) -> Result<u64> {
        self.tell(command)?;
        let line = self.answer()?;
        let Some(number) = line.trim_end().strip_prefix("ok ") else {
            bail!("{command}: the guest answers {line:?}");
        };
        Ok(number.parse()?)
    }

    fn tell(&mut self, command: &str) -> Result<()> {
        let input = self.input.as_mut().context("the guest was ended")?;
        writeln!(input, "{command}").with_context(|| format!("{command}: the guest is gone"))
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    /// Loads a module; returns the error that kldload would.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn load(&mut self, module: &str) -> Result<u64> {
        self.ask(&format!("load {module}"))
    }

    /// Unloads a module; returns the error that kldunload would.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn unload(&mut self, module: &str) -> Result<u64> {
        self.ask(&format!("unload {module}"))
    }

    /// Unloads a module, again as often as it is busy, as a user would.
    ///
    /// # Errors
    /// If the guest is gone, or the module refuses for another reason.
    pub fn unload_at_last(&mut self, module: &str) -> Result<()> {
        const BUSY: u64 = 16;
        loop {
            match self.unload(module)? {
                0 => return Ok(()),
                BUSY => std::thread::yield_now(),
                error => bail!("unload of {module}: error {error}"),
            }
        }
    }

    /// Calls a function of the kernel.
    ///
    /// # Errors
    /// If the guest is gone, or has no such function.
    pub fn call(&mut self, function: &str, arguments: &[u64]) -> Result<u64> {
        self.ask(&calling(function, arguments))
    }

    /// RAM comes, if `STANDIN_LATE` kept it away.
    ///
    /// # Errors
    /// If the guest is gone, or libvmmapi refuses.
    pub fn add_memory(&mut self) -> Result<()> {
        self.ask("memory").map(drop)
    }

    /// The next CPU whose fire looks at user memory ends there, in the middle of the fire.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn trap(&mut self) -> Result<()> {
        self.ask("trap").map(drop)
    }

    /// Calls a function of the kernel in which it panics; returns why.
    ///
    /// # Errors
    /// If it does not, or is gone.
    pub fn panics_in(mut self, function: &str, arguments: &[u64]) -> Result<String> {
        self.tell(&calling(function, arguments))?;
        let line = self.answer()?;
        let why = line.trim_end().strip_prefix("panic ");
        let why = why.with_context(|| format!("no panic: {line:?}"))?.to_owned();
        self.child.wait()?;
        Ok(why)
    }

    /// Stops the whole machine where it is, or lets it go on.
    ///
    /// # Errors
    /// If it is gone.
    pub fn suspend(&self, on: bool) -> Result<()> {
        let process = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        let signal = if on { Signal::SIGSTOP } else { Signal::SIGCONT };
        Ok(nix::sys::signal::kill(process, signal)?)
    }

    /// How many exits bhyve saw.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn passed(&mut self) -> Result<u64> {
        self.ask("passed")
    }

    /// Where the shim listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join(format!("{}.sock", self.name))
    }

    /// The file of its RAM.
    #[must_use]
    pub fn memory(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.memory)
    }

    /// Waits until the guest has said HELLO and announced its probes; returns who it is.
    ///
    /// # Errors
    /// If the shim does not answer.
    pub fn ready(&self) -> Result<MachineInfo> {
        wait_for(&self.socket(), |info| info.ready)
    }

    /// Waits until the guest has said GOODBYE.
    ///
    /// # Errors
    /// As [`Guest::ready`].
    pub fn gone(&self) -> Result<()> {
        wait_for(&self.socket(), |info| !info.ready).map(drop)
    }

    /// Ends the machine as bhyve ends; returns how.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn finish(mut self) -> Result<ExitStatus> {
        self.input = None;
        Ok(self.child.wait()?)
    }

    /// Kills it.
    ///
    /// # Errors
    /// If there is nothing to kill.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The command that calls a function of the kernel.
fn calling(function: &str, arguments: &[u64]) -> String {
    let arguments: String = arguments.iter().map(|n| format!(" {n}")).collect();
    format!("call {function}{arguments}")
}

/// Asks the shim who its machine is until that is as it shall be; between two questions it tells
/// us of a change.
fn wait_for(socket: &Path, enough: impl Fn(&MachineInfo) -> bool) -> Result<MachineInfo> {
    let consumer = ConsumerEnd::connect(socket)?;
    loop {
        consumer.send(&Request::Hello { version: PROTOCOL_VERSION }, None)?;
        loop {
            match consumer.receive()?.0 {
                Reply::Machine(info) if enough(&info) => return Ok(info),
                Reply::Machine(_) => {
                    consumer.receive()?;
                    break;
                }
                _ => {}
            }
        }
    }
}
