//! `dtrace` beside a stand-in.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::machine::built;

/// A running `dtrace -E`; killed when dropped.
#[derive(Debug)]
pub struct Trace {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Trace {
    /// Starts `dtrace -qE` with a script. It waits for its guests: they have to POLL meanwhile.
    ///
    /// # Errors
    /// If `dtrace` was not built or cannot be started.
    pub fn start(dir: &Path, script: &str) -> Result<Self> {
        let program = built()?.join("dtrace");
        ensure!(program.exists(), "{} is not built: `cargo build -p cli`", program.display());
        let script = format!("BEGIN {{ printf(\"ready\\n\"); }} {script}");
        let mut child = Command::new(program)
            .args(["-qEn", &script])
            .env("HYPERTRACE_DIR", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, output })
    }

    /// Waits until BEGIN has fired: from then on all fires are recorded.
    ///
    /// # Errors
    /// If `dtrace` ends without it.
    pub fn wait_ready(&mut self) -> Result<()> {
        self.wait_for("ready\n")
    }

    /// Waits for the next line, which is to be this one.
    ///
    /// # Errors
    /// If it is another, or `dtrace` ends.
    pub fn wait_for(&mut self, wanted: &str) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            let mut messages = String::new();
            let mut said = self.child.stderr.take().context("no standard error")?;
            said.read_to_string(&mut messages)?;
            bail!("dtrace ended: {messages}");
        }
        ensure!(line == wanted, "dtrace says {line:?}");
        Ok(())
    }

    /// Waits for its end by itself, and returns what it printed since.
    ///
    /// # Errors
    /// If it fails.
    pub fn finish(self) -> Result<String> {
        Ok(self.finish_with_messages()?.0)
    }

    /// As [`Trace::finish`], with what it said on standard error beside it: a few lines, which it
    /// need not wait to be rid of.
    ///
    /// # Errors
    /// If it fails.
    pub fn finish_with_messages(mut self) -> Result<(String, String)> {
        let (mut text, mut messages) = (String::new(), String::new());
        self.output.read_to_string(&mut text)?;
        let mut said = self.child.stderr.take().context("no standard error")?;
        said.read_to_string(&mut messages)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "dtrace ended with {status}:\n{text}{messages}");
        Ok((text, messages))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
