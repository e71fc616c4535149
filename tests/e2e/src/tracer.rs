//! A running `dtrace`, and what it printed.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xtask::programs;

/// How long a test waits for an event before it fails.
const LIMIT: Duration = Duration::from_secs(90);

/// What both streams have brought so far.
#[derive(Debug, Default)]
struct Streams {
    out: Vec<u8>,
    err: Vec<u8>,
    open: usize,
}

#[derive(Debug, Default)]
struct Shared {
    streams: Mutex<Streams>,
    changed: Condvar,
}

/// What a `dtrace` that has ended printed, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit status.
    pub status: ExitStatus,
}

impl Finished {
    /// Checks that it ended with status 0.
    ///
    /// # Errors
    /// If not, with everything it printed.
    pub fn success(self) -> Result<Self> {
        if !self.status.success() {
            bail!("dtrace ended with {}\n--- out\n{}--- err\n{}", self.status, self.out, self.err);
        }
        Ok(self)
    }
}

/// A running `dtrace`; killed when dropped.
#[derive(Debug)]
pub struct Tracer {
    child: Child,
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

impl Tracer {
    /// Starts the release `dtrace` with a run directory.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(run_dir: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(programs::path("dtrace"))
            .args(arguments)
            .env("HYPERTRACE_DIR", run_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start dtrace")?;
        let shared = Arc::new(Shared::default());
        lock(&shared).open = 2;
        let out = child.stdout.take().context("no standard output")?;
        let err = child.stderr.take().context("no standard error")?;
        let readers = vec![
            follow(out, &shared, |streams| &mut streams.out),
            follow(err, &shared, |streams| &mut streams.err),
        ];
        Ok(Self { child, shared, readers })
    }

    /// Waits until what was printed (standard output, standard error) satisfies `done`.
    ///
    /// # Errors
    /// If `dtrace` closes its output first, or the limit passes; with everything it printed.
    pub fn wait_for(&self, what: &str, done: impl Fn(&str, &str) -> bool) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        let mut streams = lock(&self.shared);
        loop {
            let out = String::from_utf8_lossy(&streams.out).into_owned();
            let err = String::from_utf8_lossy(&streams.err).into_owned();
            if done(&out, &err) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if streams.open == 0 || left.is_zero() {
                bail!("waiting for {what}\n--- out\n{out}--- err\n{err}");
            }
            let waited = self.shared.changed.wait_timeout(streams, left);
            streams = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until standard output contains a text.
    ///
    /// # Errors
    /// As [`Tracer::wait_for`].
    pub fn wait_out(&self, text: &str) -> Result<()> {
        self.wait_for(text, |out, _| out.contains(text))
    }

    /// Waits until both streams are closed.
    fn wait_closed(&self, limit: Duration) -> Result<()> {
        let waited =
            self.shared.changed.wait_timeout_while(lock(&self.shared), limit, |s| s.open > 0);
        let (streams, limit) = waited.unwrap_or_else(PoisonError::into_inner);
        if limit.timed_out() {
            let out = String::from_utf8_lossy(&streams.out);
            let err = String::from_utf8_lossy(&streams.err);
            bail!("dtrace does not end\n--- out\n{out}--- err\n{err}");
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Interrupts it as Ctrl-C does, and waits for its end.
    ///
    /// # Errors
    /// If it does not end.
    pub fn interrupt(self) -> Result<Finished> {
        self.signal(Signal::SIGINT)?;
        self.finish()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end within the limit.
    pub fn finish(self) -> Result<Finished> {
        self.finish_within(LIMIT)
    }

    /// As [`Tracer::finish`], with another limit.
    ///
    /// # Errors
    /// If it does not end within the limit.
    pub fn finish_within(mut self, limit: Duration) -> Result<Finished> {
        self.wait_closed(limit)?;
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            reader.join().map_err(|_| anyhow!("a reader panicked"))?;
        }
        let streams = lock(&self.shared);
        Ok(Finished {
            out: String::from_utf8_lossy(&streams.out).into_owned(),
            err: String::from_utf8_lossy(&streams.err).into_owned(),
            status,
        })
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Streams> {
    shared.streams.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(
    mut stream: impl Read + Send + 'static,
    shared: &Arc<Shared>,
    part: fn(&mut Streams) -> &mut Vec<u8>,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut block = [0_u8; 65536];
        while let Ok(count @ 1..) = stream.read(&mut block) {
            part(&mut lock(&shared)).extend(block.iter().take(count));
            shared.changed.notify_all();
        }
        lock(&shared).open -= 1;
        shared.changed.notify_all();
    })
}
