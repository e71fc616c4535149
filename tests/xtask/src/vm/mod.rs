//! Real guests: images, booting, and `cargo xtask vm`.

pub mod guest;
pub mod image;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use indicatif::ProgressBar;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{paths, programs};
use guest::{Guest, GuestConfig};
use image::Image;

/// Arguments of `cargo xtask vm`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with guests.
#[derive(Subcommand)]
enum Verb {
    /// Boots guests that keep running, traceable by `target/release/dtrace -E`.
    Up {
        /// Their names, e.g. vm-web-0.
        #[arg(required = true)]
        names: Vec<String>,
        /// Memory of each in MiB.
        #[arg(long, default_value_t = 256)]
        memory: u32,
        /// A kernel release that is installed with its headers, instead of the cloud kernel's.
        #[arg(long)]
        release: Option<String>,
        /// The QEMU to run, instead of the one on the path.
        #[arg(long, default_value = "qemu-system-x86_64")]
        qemu: PathBuf,
        /// The guest permits destructive actions.
        #[arg(long)]
        destructive: bool,
    },
    /// Stops guests: all, or those named.
    Down {
        /// Their names.
        names: Vec<String>,
    },
    /// Lists the guests that run.
    List,
}

/// Carries out `cargo xtask vm`.
///
/// # Errors
/// If something cannot be built or a guest does not come up.
pub fn run(args: Args) -> Result<()> {
    match args.verb {
        Verb::Up { names, memory, release, qemu, destructive } => {
            let plain =
                GuestConfig { detached: true, memory, qemu, destructive, ..GuestConfig::new("") };
            up(&names, release.as_deref(), &plain)
        }
        Verb::Down { names } => down(&names),
        Verb::List => list(),
    }
}

fn up(names: &[String], release: Option<&str>, plain: &GuestConfig) -> Result<()> {
    let running = running()?;
    if let Some(name) = names.iter().find(|name| running.iter().any(|(other, _)| other == *name)) {
        bail!("{name} runs already: `cargo xtask vm down {name}` stops it");
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar.set_message("building");
    programs::build()?;
    let image = release.map_or_else(Image::build, Image::build_for)?;
    bar.set_message("booting");
    let start =
        |name: &String| Guest::start(&image, GuestConfig { name: name.clone(), ..plain.clone() });
    let mut guests = names.iter().map(start).collect::<Result<Vec<_>>>()?;
    for guest in &mut guests {
        guest.wait_ready()?;
        bar.println(format!("{} is up", guest.name()));
    }
    bar.finish_and_clear();
    Ok(())
}

fn down(names: &[String]) -> Result<()> {
    let running = running()?;
    if let Some(name) = names.iter().find(|name| running.iter().all(|(other, _)| other != *name)) {
        bail!("{name} does not run");
    }
    for (name, pid) in running {
        if names.is_empty() || names.contains(&name) {
            kill(pid, Signal::SIGKILL).with_context(|| format!("stopping {name}"))?;
            println!("{name} is down");
        }
    }
    Ok(())
}

fn list() -> Result<()> {
    for (name, pid) in running()? {
        println!("{name:<20} pid {pid}");
    }
    Ok(())
}

/// The guests of the run directory that are alive, by name.
fn running() -> Result<Vec<(String, Pid)>> {
    let Ok(entries) = fs::read_dir(paths::run().join("vm")) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(text) = fs::read_to_string(entry.path().join("pid")) else { continue };
        let Ok(pid) = text.trim().parse::<i32>() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A number may have been given to another process since.
        if String::from_utf8_lossy(&command).contains(&format!("\0{name}\0")) {
            found.push((name, Pid::from_raw(pid)));
        }
    }
    found.sort();
    Ok(found)
}
