//! The guests that the tests trace.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use xtask::paths;
use xtask::vm::guest::{Guest, GuestConfig};
use xtask::vm::image::Image;

use crate::tracer::Tracer;

/// The names of the guests that are up from the start.
pub const NAMES: [&str; 3] = ["vm-web-0", "vm-web-1", "vm-db-0"];

/// The name of the guest that some tests share, see [`Cluster::take_spare`].
pub const SPARE: &str = "vm-spare-0";

/// Three guests with a workload, and the means to boot more.
#[derive(Debug)]
pub struct Cluster {
    /// As [`NAMES`].
    pub guests: Vec<Guest>,
    /// What they booted.
    pub image: Image,
    run_dir: PathBuf,
    spare: Option<Guest>,
}

impl Cluster {
    /// Boots the three guests.
    ///
    /// # Errors
    /// If one does not come up.
    pub fn boot() -> Result<Self> {
        let run_dir = paths::vm().join("e2e");
        if run_dir.exists() {
            std::fs::remove_dir_all(&run_dir)?;
        }
        let image = Image::build()?;
        let config =
            |name: &&str| GuestConfig { run_dir: run_dir.clone(), ..GuestConfig::new(name) };
        let mut guests = NAMES
            .iter()
            .map(|name| Guest::start(&image, config(name)))
            .collect::<Result<Vec<_>>>()?;
        guests.iter_mut().try_for_each(Guest::wait_ready)?;
        Ok(Self { guests, image, run_dir, spare: None })
    }

    /// How a further guest would be started.
    #[must_use]
    pub fn config(&self, name: &str) -> GuestConfig {
        GuestConfig { run_dir: self.run_dir.clone(), ..GuestConfig::new(name) }
    }

    /// A further guest, [`SPARE`], for a test that is rough with it: booted at the first call, and
    /// again after a test that did not hand it back by [`Self::keep_spare`], because it failed.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn take_spare(&mut self) -> Result<Guest> {
        match self.spare.take() {
            Some(guest) => Ok(guest),
            None => Guest::boot(&self.image, self.config(SPARE)),
        }
    }

    /// Takes back what [`Self::take_spare`] gave, as good as it was, for the next test.
    ///
    /// # Errors
    /// If its kernel has complained meanwhile.
    pub fn keep_spare(&mut self, guest: Guest) -> Result<()> {
        ensure!(!guest.console().contains("BUG"), "{}", guest.console());
        self.spare = Some(guest);
        Ok(())
    }

    /// Where the guests' sockets are.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// A guest by name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn guest(&mut self, name: &str) -> Result<&mut Guest> {
        self.guests.iter_mut().find(|g| g.name() == name).with_context(|| format!("no {name}"))
    }

    /// Starts `dtrace` on these guests.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn dtrace(&self, arguments: &[&str]) -> Result<Tracer> {
        Tracer::start(&self.run_dir, arguments)
    }

    /// Runs one command in all guests at once and returns what each printed.
    ///
    /// # Errors
    /// If it fails in any.
    pub fn run_in_all(&mut self, line: &str) -> Result<Vec<String>> {
        thread::scope(|scope| {
            let jobs: Vec<_> =
                self.guests.iter_mut().map(|guest| scope.spawn(|| guest.run(line))).collect();
            jobs.into_iter()
                .map(|job| job.join().map_err(|_| anyhow!("a thread panicked"))?)
                .collect()
        })
    }
}
