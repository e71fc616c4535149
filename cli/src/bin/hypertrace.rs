//! `hypertrace`: what is around the tracing itself.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::qemu_args;

/// Joins VMs to HyperTrace.
#[derive(Parser)]
#[command(name = "hypertrace", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done.
#[derive(Subcommand)]
enum Verb {
    /// Prints the arguments to add to a qemu-system-x86_64 command line.
    QemuArgs(qemu_args::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::QemuArgs(args) => qemu_args::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hypertrace: {error}");
            ExitCode::FAILURE
        }
    }
}
