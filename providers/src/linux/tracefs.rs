//! The kernel's description of its events, read without mounting anything where others see it.
//!
//! A tracefs that is mounted already is used; else one is made for this process alone: a mount
//! that is attached to no directory and goes when its descriptor is closed.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
};

use rustix::{
    fs::{Mode, OFlags, open, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// Where tracefs is usually mounted; the second is the place of old.
const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The most bytes of one file that are read.
const LONGEST: u64 = 16 << 20;

/// A tracefs.
#[derive(Debug)]
pub struct Tracefs {
    root: OwnedFd,
}

impl Tracefs {
    /// Finds one, or makes one.
    ///
    /// # Errors
    /// What kept it from being made: the kernel has none, or this process may not.
    pub fn open() -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        for place in USUAL {
            if let Ok(root) = open(place, flags, Mode::empty())
                && openat(&root, "events", flags, Mode::empty()).is_ok()
            {
                return Ok(Self { root });
            }
        }
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let none = MountAttrFlags::empty();
        Ok(Self { root: fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, none)? })
    }

    /// A file's text.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let fd = openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        File::from(fd).take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    }
}
