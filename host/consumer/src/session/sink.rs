//! Where output goes: standard output or a file, until `freopen()` says otherwise.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
};

/// A session's output.
pub struct Sink {
    base: Box<dyn Write>,
    other: Option<File>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("other", &self.other).finish_non_exhaustive()
    }
}

impl Sink {
    /// Output to a writer.
    #[must_use]
    pub fn new(base: Box<dyn Write>) -> Self {
        Self { base, other: None }
    }

    /// `freopen()`: output is appended to a file from here on; an empty name ends that.
    ///
    /// # Errors
    /// If the file cannot be opened; output then goes where it went before.
    pub fn reopen(&mut self, name: &str) -> io::Result<()> {
        self.flush()?;
        self.other = match name {
            "" => None,
            name => Some(OpenOptions::new().append(true).create(true).open(name)?),
        };
        Ok(())
    }

    /// `ftruncate()`: empties the file that output goes to. Nothing if it is no file.
    ///
    /// # Errors
    /// If the file cannot be emptied.
    pub fn truncate(&mut self) -> io::Result<()> {
        match &self.other {
            Some(file) => {
                let mut file = file;
                file.set_len(0)?;
                io::Seek::rewind(&mut file)
            }
            None => Ok(()),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.other {
            Some(file) => file.write(bytes),
            None => self.base.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.other {
            Some(file) => file.flush(),
            None => self.base.flush(),
        }
    }
}

/// `-o`: output is appended to a file.
///
/// # Errors
/// If it cannot be opened.
pub fn append_to(name: &str) -> io::Result<Box<dyn Write>> {
    let file = OpenOptions::new().append(true).create(true).open(name)?;
    Ok(Box::new(io::BufWriter::new(file)))
}
