//! `cargo xtask`: builds what cargo does not, boots guests, runs what needs both.
//!
//! Each subcommand is a module of the library with an `Args` and a `run`; this file only lists them.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{bench, demo, deps, freebsd, fuzz, header, kmod, test, vm};

/// Task runner of HyperTrace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// What can be done.
#[derive(Subcommand)]
enum Task {
    /// Measures fires, case by case, beside the classic engine and the goals.
    Bench(bench::Args),
    /// Boots three guests and runs two scripts over them.
    Demo(demo::Args),
    /// Installs the Debian packages that building and testing need.
    Deps(deps::Args),
    /// Runs the fuzz targets for a bounded time.
    Fuzz(fuzz::Args),
    /// Builds and checks what is for FreeBSD.
    Freebsd(freebsd::Args),
    /// Writes the headers of guest-kmod/include from the Rust definitions.
    Header(header::Args),
    /// Builds the guest kernel module for Debian's cloud kernel.
    Kmod(kmod::Args),
    /// Runs all tests: unit, property, golden, and end-to-end on real guests.
    Test(test::Args),
    /// Boots, lists and stops guests.
    Vm(vm::Args),
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Bench(args) => bench::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Deps(args) => deps::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Freebsd(args) => freebsd::run(&args),
        Task::Header(args) => header::run(&args),
        Task::Kmod(args) => kmod::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Vm(args) => vm::run(args),
    }
}
