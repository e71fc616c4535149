//! Programs at instructions of user programs.
//!
//! ```text
//!  Linux 6.10 on   one link for all places of a file (uprobe_multi)
//!  before          a perf event and a link for each place
//! ```
//! Each of the latter costs the kernel a wait for all CPUs when it goes: thousands take minutes.
//! Links of many came with 6.6, but traced only the first thread of a process until 6.10. Such a
//! link is refused as a whole if the kernel does not take one place; then it is tried by halves.

use std::{
    collections::BTreeMap,
    ffi::CString,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    sync::LazyLock,
};

use ebpf::sys::{self, Uprobes};
use nix::errno::Errno;
use perf_event::{Builder, events::Software};

use super::{
    attach::{Attached, probe_type},
    hook::Hook,
};

/// How many links are refused before the rest of a file's places is given up.
const MOST_REFUSALS: u32 = 256;

/// Whether this kernel has links of many uprobes that hold for all threads of a process.
#[must_use]
pub fn has_links() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let name = nix::sys::utsname::uname().ok();
        let release = name.map(|name| name.release().to_string_lossy().into_owned());
        release.is_some_and(|release| version(&release) >= Some((6, 10)))
    });
    *HAS
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Where in a file a uprobe goes.
#[derive(Clone, Copy, Debug)]
pub struct Instruction<'a> {
    /// The file.
    pub path: &'a Path,
    /// Bytes from its start.
    pub offset: u64,
    /// When the function that begins there returns.
    pub on_return: bool,
}

/// The bit of a uprobe's `config` at which the place of its semaphore begins
/// (`/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset`).
const SEMAPHORE: u32 = 32;

/// A program at one instruction, by a perf event that the link keeps.
/// `perf_event`'s own uprobe is no event that its builder takes, so the attributes are set here.
///
/// # Errors
/// The kernel's.
pub fn attach(
    at: &Instruction<'_>,
    pid: Option<u32>,
    semaphore: Option<u64>,
    number: u32,
    program: &OwnedFd,
) -> io::Result<OwnedFd> {
    let semaphore = u32::try_from(semaphore.unwrap_or(0))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let path = CString::new(at.path.as_os_str().as_bytes())?;
    let mut builder = Builder::new(Software::DUMMY);
    let attributes = builder.attrs_mut();
    attributes.type_ = probe_type("uprobe")?;
    attributes.config = u64::from(at.on_return) | u64::from(semaphore) << SEMAPHORE;
    attributes.kprobe_func = path.as_ptr().expose_provenance() as u64;
    attributes.probe_offset = at.offset;
    match pid.and_then(|pid| i32::try_from(pid).ok()) {
        Some(pid) => builder.observe_pid(pid).any_cpu(),
        None => builder.any_pid().one_cpu(0),
    };
    let event = builder.include_kernel().build()?;
    drop(path);
    Ok(sys::attach_perf(&event, program.as_fd(), u64::from(number))?)
}

/// What tells links apart.
type Group<'a> = (&'a Path, bool, Option<u32>);

/// A place of a link: offset, semaphore (0: none), the probe's number.
type Point = (u64, u64, u64);

/// What became of many places.
#[derive(Debug, Default)]
pub struct Many {
    /// The links.
    pub attached: Vec<Attached>,
    /// How many places the kernel refused.
    pub failed: u32,
    /// Why the first was.
    pub error: Option<Errno>,
}

/// A program at all its instructions, by a link for each file, process and side.
#[must_use]
pub fn attach_many(hooks: &[(Hook, u32)], program: &OwnedFd) -> Many {
    let mut groups: BTreeMap<Group<'_>, Vec<Point>> = BTreeMap::new();
    for (hook, number) in hooks {
        let Hook::User { path, offset, on_return, pid, semaphore } = hook else { continue };
        let point = (*offset, semaphore.unwrap_or(0), u64::from(*number));
        groups.entry((path, *on_return, *pid)).or_default().push(point);
    }
    let mut many = Many::default();
    for (group, points) in groups {
        link(group, &points, program, &mut many);
    }
    many
}

/// Links places, by halves if not together; no deeper than the number of places has bits.
fn link(group: Group<'_>, points: &[Point], program: &OwnedFd, many: &mut Many) {
    let error = match try_link(group, points, program) {
        Ok(link) => return many.attached.push(Attached::link(link)),
        Err(error) => error,
    };
    many.error.get_or_insert(error);
    if points.len() < 2 || many.failed >= MOST_REFUSALS {
        many.failed = many.failed.saturating_add(u32::try_from(points.len()).unwrap_or(u32::MAX));
        return;
    }
    let (low, high) = points.split_at(points.len() / 2);
    link(group, low, program, many);
    link(group, high, program, many);
}

fn try_link(
    (path, on_return, pid): Group<'_>,
    points: &[Point],
    program: &OwnedFd,
) -> Result<OwnedFd, Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::ENOENT)?;
    let column = |pick: fn(&Point) -> u64| points.iter().map(pick).collect::<Vec<_>>();
    let (offsets, cookies) = (column(|it| it.0), column(|it| it.2));
    let mut semaphores = column(|it| it.1);
    if semaphores.iter().all(|at| *at == 0) {
        semaphores.clear();
    }
    let at = Uprobes {
        path: &path,
        pid: pid.unwrap_or(0),
        on_return,
        offsets: &offsets,
        semaphores: &semaphores,
        cookies: &cookies,
    };
    sys::attach_uprobes(&at, program.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_the_version() {
        assert_eq!(version("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("6"), None);
    }
}
