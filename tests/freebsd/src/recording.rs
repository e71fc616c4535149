//! A real guest's doorbells: recorded under QEMU, made again in a stand-in bhyve.
//!
//! ```text
//!  QEMU: a Linux guest, its module, the QEMU shim, recorder.c ─▶ log: descriptors, pages touched
//!  stand-in bhyve, the bhyve shim preloaded ◀─ [`Replay`]: pages, then an exit for each descriptor
//! ```
//! The recording holds all the guest memory that a shim looked at, and nothing else: page tables,
//! probe tables, types, strings of processes. Two things a guest repeats of what it was told: the
//! cookie that HELLO's reply gave it, and the number of the last commands it carried out. Both are
//! put in as the shim that is tested has told them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hypercall::{Call, Descriptor, Poll, PollReply, Status};
use npt::{Hpa, PhysMemory};
use shim::memory::GuestRam;
use zerocopy::{FromBytes, IntoBytes};

use crate::exit::Exit;
use crate::machine::{Machine, Outcome, built};

/// Bytes of a page.
const PAGE: usize = 4096;

/// Numbers of `recorder.c`.
const KIND_DOORBELL: u32 = 1;
const KIND_PAGE: u32 = 2;

/// A doorbell, and the memory that answering it took.
#[derive(Debug)]
pub struct Doorbell {
    /// Who rang.
    pub vcpu: u32,
    /// Guest-physical addresses and bytes, the descriptor's page first.
    pub pages: Vec<(u64, Box<[u8; PAGE]>)>,
}

impl Doorbell {
    /// The descriptor as the guest filled it, and where it lies.
    ///
    /// # Errors
    /// If nobody looked at it.
    pub fn descriptor(&self) -> Result<(u64, Descriptor)> {
        let (at, bytes) = self.pages.first().context("a doorbell that nobody heard")?;
        let descriptor = Descriptor::read_from_bytes(bytes.as_slice()).ok();
        Ok((*at, descriptor.context("no page")?))
    }

    /// What is called; `None` if there is no such call.
    #[must_use]
    pub fn call(&self) -> Option<Call> {
        Call::from_raw(self.descriptor().ok()?.1.header.call)
    }
}

/// Compiles the plugin that records; returns its path.
///
/// # Errors
/// With the compiler's words.
pub fn recorder() -> Result<PathBuf> {
    let to = built()?.join(format!("freebsd-recorder-{}.so", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("standin/recorder.c");
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"];
    let output = Command::new("gcc").args(flags).arg(&to).arg(source).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(to)
}

/// Reads a log, doorbells in the order in which they were rung. One whose pages are not all there,
/// since QEMU was ended in the middle, is the last of its vCPU.
///
/// # Errors
/// If it is none.
pub fn read(log: &Path) -> Result<Vec<Doorbell>> {
    let file = File::open(log).with_context(|| log.display().to_string())?;
    let mut file = BufReader::new(file);
    let mut found: Vec<(u64, Doorbell)> = Vec::new();
    let mut head = [0; 24];
    while match file.read_exact(&mut head) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error.into()),
    } {
        let [kind, vcpu, low, high, at_low, at_high] = words(&head);
        let number = u64::from(high) << 32 | u64::from(low);
        match kind {
            KIND_DOORBELL => found.push((number, Doorbell { vcpu, pages: Vec::new() })),
            KIND_PAGE => {
                let mut page = Box::new([0; PAGE]);
                file.read_exact(page.as_mut_slice())?;
                let at = u64::from(at_high) << 32 | u64::from(at_low);
                // Another vCPU's doorbell makes the pages of this one inaccessible again: what
                // counts is how a page was at first.
                let mut back = found.iter_mut().rev();
                let doorbell = back.find(|(other, _)| *other == number);
                let (_, doorbell) = doorbell.context("a page of no doorbell")?;
                if doorbell.pages.iter().all(|(other, _)| *other != at) {
                    doorbell.pages.push((at, page));
                }
            }
            other => anyhow::bail!("a record of kind {other}"),
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, doorbell)| doorbell).collect())
}

fn words(bytes: &[u8; 24]) -> [u32; 6] {
    let mut words = [0; 6];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// A stand-in bhyve in which a recording is made again.
#[derive(Debug)]
pub struct Replay<'a> {
    machine: &'a Machine,
    ram: GuestRam,
    cookie: u64,
    acknowledge: u32,
}

impl<'a> Replay<'a> {
    /// For a machine with as much RAM, in the same places, as the guest had.
    ///
    /// # Errors
    /// If its RAM cannot be mapped.
    pub fn new(machine: &'a Machine) -> Result<Self> {
        Ok(Self { machine, ram: machine.ram()?, cookie: 0, acknowledge: 0 })
    }

    /// Makes one doorbell's memory and rings; returns the status.
    ///
    /// # Errors
    /// If the machine is gone, or bhyve's loop saw the exit.
    pub fn ring(&mut self, doorbell: &Doorbell) -> Result<u32> {
        for (at, page) in &doorbell.pages {
            self.ram.write(Hpa(*at), page.as_slice()).ok().context("a page outside RAM")?;
        }
        let (at, mut descriptor) = doorbell.descriptor()?;
        let call = doorbell.call();
        if call != Some(Call::Hello) {
            descriptor.header.cookie = self.cookie;
        }
        if call == Some(Call::Poll) {
            let poll = Poll { ack: self.acknowledge, failed: 0, drops: 0 };
            let body = descriptor.body.bytes_mut().get_mut(..size_of::<Poll>());
            body.context("no body")?.copy_from_slice(poll.as_bytes());
        }
        self.ram.write(Hpa(at), descriptor.as_bytes()).ok().context("a page outside RAM")?;
        let exit = Exit::doorbell(u32::try_from(at >> 12)?);
        let seen = self.machine.exit(doorbell.vcpu, &exit)?;
        ensure!(seen == Outcome::Handled, "bhyve sees the doorbell");
        let answered = self.answer(at)?;
        let good = answered.header.status == Status::Ok.raw();
        if good && call == Some(Call::Hello) {
            self.cookie = answered.header.cookie;
        }
        if good && call == Some(Call::Poll) {
            self.acknowledge = reply(&answered)?.seq;
        }
        Ok(answered.header.status)
    }

    /// POLLs, by this doorbell again and again, until commands came and were carried out.
    ///
    /// # Errors
    /// As [`Replay::ring`]; or if no command comes.
    pub fn poll_until_enabled(&mut self, poll: &Doorbell) -> Result<()> {
        let (at, _) = poll.descriptor()?;
        let mut commanded = false;
        for _ in 0..5_000_000 {
            let status = self.ring(poll)?;
            ensure!(status == Status::Ok.raw(), "POLL gets status {status}");
            let count = reply(&self.answer(at)?)?.count;
            if commanded && count == 0 {
                return Ok(());
            }
            commanded |= count != 0;
        }
        anyhow::bail!("nothing is enabled")
    }

    fn answer(&self, at: u64) -> Result<Descriptor> {
        let mut answered = Descriptor::ZERO;
        self.ram.read(Hpa(at), answered.as_mut_bytes()).ok().context("a page outside RAM")?;
        Ok(answered)
    }
}

fn reply(answered: &Descriptor) -> Result<PollReply> {
    PollReply::read_from_prefix(answered.body.bytes()).ok().map(|(r, _)| r).context("no reply")
}

/// How many different pages a recording has, and how many of them lie above 4 GiB.
#[must_use]
pub fn pages(doorbells: &[Doorbell]) -> (usize, usize) {
    let all = doorbells.iter().flat_map(|doorbell| doorbell.pages.iter().map(|(at, _)| *at));
    let all: BTreeSet<u64> = all.collect();
    let high = all.iter().filter(|at| **at >> 32 != 0).count();
    (all.len(), high)
}
