//! One guest: a QEMU process with its two serial ports.
//!
//! The first port is the console; the guest is ready when its init has printed `HT-READY` there.
//! The second takes one command a line and answers with what it printed and `HT-END status`.
//! Every wait ends with the event it waits for, or at a bound with an error that shows the console.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::image::Image;
use crate::{paths, run};

/// How long a guest may take to boot on a slow machine.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// How a guest is started.
#[derive(Clone, Debug)]
pub struct GuestConfig {
    /// Its `vmname`, and its hostname.
    pub name: String,
    /// Memory in MiB.
    pub memory: u32,
    /// vCPUs.
    pub cpus: u32,
    /// Loads our module.
    pub module: bool,
    /// Starts the workload.
    pub workload: bool,
    /// Attaches the plugin; without it the guest is an ordinary VM.
    pub plugin: bool,
    /// QEMU's `-accel`.
    pub accel: String,
    /// QEMU's `-cpu`.
    pub cpu: String,
    /// The QEMU to run.
    pub qemu: PathBuf,
    /// The module permits destructive actions.
    pub destructive: bool,
    /// More arguments for QEMU.
    pub arguments: Vec<String>,
    /// More words for its kernel's command line.
    pub kernel_words: String,
    /// The run directory of its control socket.
    pub run_dir: PathBuf,
    /// Keeps running when the [`Guest`] is dropped.
    pub detached: bool,
}

impl GuestConfig {
    /// Two vCPUs, 256 MiB, module and workload.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            memory: 256,
            cpus: 2,
            module: true,
            workload: true,
            plugin: true,
            accel: "tcg,thread=multi".to_owned(),
            cpu: "max".to_owned(),
            qemu: PathBuf::from("qemu-system-x86_64"),
            destructive: false,
            arguments: Vec::new(),
            kernel_words: String::new(),
            run_dir: paths::run(),
            detached: false,
        }
    }
}

/// A running guest; killed when dropped, unless it was started detached.
#[derive(Debug)]
pub struct Guest {
    config: GuestConfig,
    dir: PathBuf,
    child: Child,
    commands: Option<UnixStream>,
}

impl Guest {
    /// Starts QEMU and returns at once; [`Guest::wait_ready`] waits for the guest.
    ///
    /// # Errors
    /// If the files cannot be made or QEMU cannot be started.
    pub fn start(image: &Image, config: GuestConfig) -> Result<Self> {
        let dir = config.run_dir.join("vm").join(&config.name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let disk = dir.join("disk.ext4");
        fs::copy(&image.disk, &disk)?;
        let errors = fs::File::create(dir.join("qemu.err"))?;
        let mut command = command_line(image, &config, &dir)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        if config.detached {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let child =
            command.spawn().with_context(|| format!("cannot start {}", config.qemu.display()))?;
        fs::write(dir.join("pid"), child.id().to_string())?;
        Ok(Self { config, dir, child, commands: None })
    }

    /// Starts a guest and waits until it is ready.
    ///
    /// # Errors
    /// As [`Guest::start`] and [`Guest::wait_ready`].
    pub fn boot(image: &Image, config: GuestConfig) -> Result<Self> {
        let mut guest = Self::start(image, config)?;
        guest.wait_ready()?;
        Ok(guest)
    }

    /// Waits until init has printed `HT-READY` and the guest takes commands.
    ///
    /// # Errors
    /// If QEMU ends, init reports a failure, or the guest is not up in three minutes.
    pub fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + BOOT_LIMIT;
        loop {
            let console = self.console();
            if let Some(line) = console.lines().find(|line| line.contains("HT-FAILED")) {
                bail!("guest {}: {line}\n{console}", self.config.name);
            }
            if console.contains("HT-READY") {
                break;
            }
            if let Some(status) = self.child.try_wait()? {
                let errors = fs::read_to_string(self.dir.join("qemu.err")).unwrap_or_default();
                bail!("guest {}: QEMU ended ({status}):\n{errors}{console}", self.config.name);
            }
            if Instant::now() > deadline {
                bail!("guest {} did not come up:\n{console}", self.config.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.commands = Some(UnixStream::connect(self.dir.join("commands.sock"))?);
        Ok(())
    }

    /// Runs a shell command in the guest and returns what it printed.
    ///
    /// # Errors
    /// If the command fails, or does not end within two minutes.
    pub fn run(&mut self, line: &str) -> Result<String> {
        let (status, text) = self.try_run(line)?;
        if status != 0 {
            bail!("guest {}: `{line}` exited {status}:\n{text}", self.config.name);
        }
        Ok(text)
    }

    /// As [`Guest::run`], with the exit status beside the text.
    ///
    /// # Errors
    /// If the guest does not answer within two minutes.
    pub fn try_run(&mut self, line: &str) -> Result<(i32, String)> {
        let name = self.config.name.clone();
        let stream = self.commands.as_mut().context("the guest is not ready")?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        writeln!(stream, "{line}")?;
        let mut answer = Vec::new();
        let mut block = [0_u8; 4096];
        loop {
            let count = stream.read(&mut block).with_context(|| format!("{name}: `{line}`"))?;
            if count == 0 {
                bail!("guest {name} went away during `{line}`");
            }
            answer.extend(block.iter().take(count));
            // Only the end is looked at each time: an answer of megabytes comes in small pieces.
            if answer.ends_with(b"\n") && ends_an_answer(&answer) {
                let text = String::from_utf8_lossy(&answer);
                if let Some((before, status)) = end_line(&text) {
                    return Ok((status, before.to_owned()));
                }
            }
        }
    }

    /// What the guest printed on its console so far.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = fs::read(self.dir.join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The guest's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// QEMU's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends QEMU with SIGKILL and waits for it.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if !self.config.detached {
            // Nothing useful can be done about a failure here: the process is gone or not ours.
            drop(self.kill());
        }
    }
}

/// Whether the last line may be the one that ends an answer.
fn ends_an_answer(answer: &[u8]) -> bool {
    let line = answer.len().saturating_sub(32);
    answer.get(line..).is_some_and(|tail| tail.windows(7).any(|word| word == b"HT-END "))
}

/// Splits an answer at its `HT-END` line, once that is complete.
fn end_line(text: &str) -> Option<(&str, i32)> {
    let at = if text.starts_with("HT-END ") { 0 } else { text.rfind("\nHT-END ")? + 1 };
    let (before, end) = text.split_at(at);
    let status = end.strip_prefix("HT-END ")?.strip_suffix('\n')?.trim();
    Some((before, status.parse().ok()?))
}

fn command_line(image: &Image, config: &GuestConfig, dir: &Path) -> Result<Command> {
    let mut command = Command::new(&config.qemu);
    let memory = format!("{}M", config.memory);
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"])
        .args(["-accel", &config.accel, "-cpu", &config.cpu, "-m", &memory])
        .args(["-smp", &config.cpus.to_string(), "-name", &config.name])
        .arg("-serial")
        .arg(format!("file:{}", dir.join("console.log").display()))
        .arg("-serial")
        .arg(format!("unix:{},server=on,wait=off", dir.join("commands.sock").display()))
        .arg("-drive")
        .arg(format!("file={},if=virtio,format=raw", dir.join("disk.ext4").display()))
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.initramfs)
        .arg("-append")
        .arg(kernel_command_line(config))
        .args(&config.arguments)
        .env("HYPERTRACE_DIR", &config.run_dir);
    if config.plugin {
        let hypertrace = paths::target().join("release/hypertrace");
        let words = run::output(Command::new(hypertrace).args([
            "qemu-args",
            &config.name,
            "--memory",
            &memory,
        ]))?;
        command.args(words.split_whitespace());
    }
    Ok(command)
}

fn kernel_command_line(config: &GuestConfig) -> String {
    let mut line = format!("console=ttyS0 quiet panic=-1 ht.name={}", config.name);
    if !config.module {
        line.push_str(" ht.module=no");
    }
    if !config.workload {
        line.push_str(" ht.workload=no");
    }
    if config.destructive {
        line.push_str(" ht.destructive=yes");
    }
    if !config.kernel_words.is_empty() {
        line.push(' ');
        line.push_str(&config.kernel_words);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::end_line;

    #[test]
    fn an_answer_ends_with_its_status_line() {
        assert_eq!(end_line("a\nb\nHT-END 3\n"), Some(("a\nb\n", 3)));
        assert_eq!(end_line("HT-END 0\n"), Some(("", 0)));
    }

    #[test]
    fn half_a_status_line_is_not_an_end() {
        assert_eq!(end_line("a\nHT-END 1"), None);
        assert_eq!(end_line("a\n"), None);
    }
}
