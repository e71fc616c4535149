//! `-C`: scripts through the system's preprocessor, cpp(1).

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// What tells a script who preprocesses it: dtrace(1)'s names and D's version, 1.13, in its format
/// (8 bits major, 12 minor, 12 micro); and ours.
const DEFINED: [&str; 3] = ["-D__SUNW_D=1", "-D__SUNW_D_VERSION=0x0100d000", "-D__HYPERTRACE__=1"];

/// Why a script could not be preprocessed, in libdtrace's words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CppError {
    /// There is no such program.
    #[error("Preprocessor not found")]
    NotFound,
    /// It cannot be executed.
    #[error("Failed to exec preprocessor")]
    Exec,
    /// It has said why on standard error.
    #[error("Preprocessor failed to process input program")]
    Failed,
    /// The pipes to it broke.
    #[error("Error occurred while reading from input stream")]
    Stream,
}

/// Runs a preprocessor (`cpp`, if none is named) over a script whose `#!` line, if it has one, is left
/// out.
///
/// # Errors
/// [`CppError`].
pub(crate) fn run(
    name: &str,
    text: &[u8],
    program: Option<&str>,
    arguments: &[String],
) -> Result<Vec<u8>, CppError> {
    let body = if text.starts_with(b"#!") {
        let end = text.iter().position(|&b| b == b'\n').unwrap_or(text.len());
        text.get(end..).unwrap_or_default()
    } else {
        text
    };
    let dir = Path::new(name).parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut command = Command::new(program.unwrap_or("cpp"));
    command.args(arguments).args(dir.map(|dir| format!("-I{}", dir.display())));
    command.args(DEFINED).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut cpp = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CppError::NotFound,
        _ => CppError::Exec,
    })?;
    let mut stdin = cpp.stdin.take();
    let input = body.to_vec();
    // cpp writes while it reads: feeding it from here alone could block both.
    let feeder =
        std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |to| to.write_all(&input)));
    let output = cpp.wait_with_output().map_err(|_| CppError::Stream)?;
    let fed = feeder.join().unwrap_or(Ok(()));
    if !output.status.success() {
        return Err(CppError::Failed);
    }
    fed.map(|()| output.stdout).map_err(|_| CppError::Stream)
}
