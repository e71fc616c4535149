//! `dtrace`: dynamic tracing of the host and its guests.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use cli::{invocation, tracing};

fn main() -> ExitCode {
    match invocation::parse(std::env::args_os().skip(1)) {
        Ok(invocation) => ExitCode::from(tracing::main(&invocation)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.status())
        }
    }
}
