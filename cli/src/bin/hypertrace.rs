//! `hypertrace`: what is around the tracing itself.
#![forbid(unsafe_code)]

use std::{error::Error, io, process::ExitCode};

use clap::{Parser, Subcommand};
use cli::{qemu_args, status};

/// Joins VMs to HyperTrace and shows those that have joined.
///
/// Tracing itself is done with `dtrace -E`. VMs are found in $HYPERTRACE_DIR, /run/hypertrace by
/// default.
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
    /// Lists the VMs that can be traced.
    List,
    /// Shows what the shim of one VM has counted.
    Stats {
        /// The VM's name, as `list` shows it.
        name: String,
    },
    /// Prints the version.
    Version,
}

fn run(verb: &Verb) -> Result<(), Box<dyn Error>> {
    match verb {
        Verb::QemuArgs(args) => Ok(qemu_args::run(args)?),
        Verb::List => Ok(status::list(&mut io::stdout().lock())?),
        Verb::Stats { name } => Ok(status::stats(&mut io::stdout().lock(), name)?),
        Verb::Version => {
            println!("hypertrace {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hypertrace: {error}");
            ExitCode::FAILURE
        }
    }
}
