//! bpf(2): the few commands that are needed, with the kernel's own names (`linux/bpf.h`).
//!
//! `union bpf_attr` has a struct a command; the kernel takes any length of it and reads what is
//! missing as 0. The structs below go as far as their last field that is used.
#![expect(unsafe_code, reason = "a system call with pointers in a struct")]

use std::{
    ffi::{CStr, CString},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::errno::Errno;

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_BTF_LOAD: libc::c_int = 18;
const BPF_LINK_CREATE: libc::c_int = 28;

/// `enum bpf_attach_type`: `BPF_PERF_EVENT`.
const BPF_PERF_EVENT: u32 = 41;

const BPF_MAP_TYPE_ARRAY: u32 = 2;
/// Map flag: its values can be mapped into processes.
pub const BPF_F_MMAPABLE: u32 = 1 << 10;
/// Map flag: programs cannot write it.
const BPF_F_RDONLY_PROG: u32 = 1 << 7;

/// `enum bpf_prog_type`, those that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ProgType {
    /// `BPF_PROG_TYPE_KPROBE`.
    Kprobe = 2,
    /// `BPF_PROG_TYPE_PERF_EVENT`.
    PerfEvent = 7,
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
    RawTracepoint = 17,
    /// `BPF_PROG_TYPE_TRACING`.
    Tracing = 26,
}

/// `enum bpf_attach_type`, those that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum AttachType {
    /// No particular one.
    None = 0,
    /// `BPF_TRACE_RAW_TP`.
    TraceRawTp = 23,
    /// `BPF_TRACE_FENTRY`.
    TraceFentry = 24,
    /// `BPF_TRACE_FEXIT`.
    TraceFexit = 25,
    /// `BPF_TRACE_UPROBE_MULTI`.
    TraceUprobeMulti = 48,
}

// The kernel wants zeros behind what it knows: none of the structs may have padding of its own.
const _: () = {
    assert!(size_of::<MapCreate>() == 44);
    assert!(size_of::<BtfLoad>() == 32);
    assert!(size_of::<ProgLoad>() == 120);
    assert!(size_of::<RawTracepointOpen>() == 24);
    assert!(size_of::<TestRun>() == 80);
    assert!(size_of::<LinkCreate>() == 24);
    assert!(size_of::<UprobesCreate>() == 64);
    assert!(size_of::<NextId>() == 12);
};

/// Calls bpf(2) with a command's struct.
fn bpf<T>(command: libc::c_int, attr: &mut T) -> Result<libc::c_long, Errno> {
    let size = size_of::<T>();
    // SAFETY: `attr` is a struct laid out as `linux/bpf.h` has it for this command, it lives
    // throughout the call, and every pointer in it refers to memory that its maker borrows.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size) };
    Errno::result(result)
}

fn bpf_fd<T>(command: libc::c_int, attr: &mut T) -> Result<OwnedFd, Errno> {
    let fd = bpf(command, attr)?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address<T: ?Sized>(of: &T) -> u64 {
    std::ptr::from_ref(of).cast::<u8>().addr() as u64
}

fn length(of: &[u8]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}

fn short_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let good = name.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b'_');
    for (to, from) in out.iter_mut().take(15).zip(good) {
        *to = from;
    }
    out
}

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

/// Makes an array map of one element of `size` bytes.
///
/// # Errors
/// The kernel's: `EPERM` without CAP_BPF, `ENOMEM`, `E2BIG` from 2 GiB, …
pub fn array_map(name: &str, size: u32, mappable: bool) -> Result<OwnedFd, Errno> {
    create_map(name, size, if mappable { BPF_F_MMAPABLE } else { 0 })
}

/// Makes an array map of one element that programs can only read, and fills it.
///
/// # Errors
/// As [`array_map`].
pub fn constant_map(name: &str, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    #[repr(C)]
    struct Update {
        map_fd: u32,
        pad: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let map = create_map(name, length(bytes), BPF_F_RDONLY_PROG)?;
    let key = 0_u32;
    let mut attr = Update {
        map_fd: map.as_raw_fd().cast_unsigned(),
        pad: 0,
        key: address(&key),
        value: address(bytes),
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attr)?;
    Ok(map)
}

fn create_map(name: &str, size: u32, flags: u32) -> Result<OwnedFd, Errno> {
    let mut attr = MapCreate {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: size,
        max_entries: 1,
        map_flags: flags,
        inner_map_fd: 0,
        numa_node: 0,
        map_name: short_name(name),
    };
    bpf_fd(BPF_MAP_CREATE, &mut attr)
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    log_buf: u64,
    btf_size: u32,
    log_size: u32,
    log_level: u32,
    pad: u32,
}

/// Gives the kernel type information.
///
/// # Errors
/// The kernel's.
pub fn load_btf(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let mut attr = BtfLoad { btf: address(bytes), btf_size: length(bytes), ..BtfLoad::default() };
    bpf_fd(BPF_BTF_LOAD, &mut attr)
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    pad: u32,
}

/// A program as the kernel wants it.
#[derive(Debug)]
pub struct ProgramText<'a> {
    /// Its type.
    pub kind: ProgType,
    /// How it will be attached.
    pub attach: AttachType,
    /// What it will be attached to, for [`ProgType::Tracing`].
    pub attach_btf_id: u32,
    /// Its name in the kernel's lists.
    pub name: &'a str,
    /// Instructions of 8 bytes.
    pub code: &'a [u8],
    /// Its type information.
    pub btf: BorrowedFd<'a>,
    /// For each function where it starts and its type's number.
    pub functions: &'a [[u32; 2]],
}

/// Most bytes of the verifier's log.
const LOG: usize = 16 << 20;

/// Loads a program.
///
/// # Errors
/// The kernel's, with the verifier's log.
pub fn load_program(text: &ProgramText<'_>) -> Result<OwnedFd, (Errno, String)> {
    match try_load(text, None) {
        Ok(fd) => Ok(fd),
        Err(first) => {
            let mut log = vec![0_u8; LOG];
            // Once more, for the log; a log that is too short is an error of its own.
            match try_load(text, Some(&mut log)) {
                Ok(fd) => Ok(fd),
                Err(_) => {
                    let end = log.iter().position(|byte| *byte == 0).unwrap_or(LOG);
                    log.truncate(end);
                    Err((first, String::from_utf8_lossy(&log).into_owned()))
                }
            }
        }
    }
}

fn try_load(text: &ProgramText<'_>, log: Option<&mut Vec<u8>>) -> Result<OwnedFd, Errno> {
    let license = CString::from(c"Dual BSD/GPL");
    let mut attr = ProgLoad {
        prog_type: text.kind as u32,
        insn_cnt: length(text.code) / 8,
        insns: address(text.code),
        license: address(license.as_bytes_with_nul()),
        prog_name: short_name(text.name),
        expected_attach_type: text.attach as u32,
        prog_btf_fd: text.btf.as_raw_fd().cast_unsigned(),
        func_info_rec_size: 8,
        func_info: address(text.functions),
        func_info_cnt: u32::try_from(text.functions.len()).unwrap_or(u32::MAX),
        attach_btf_id: text.attach_btf_id,
        ..ProgLoad::default()
    };
    if let Some(log) = log {
        attr.log_level = 1;
        attr.log_size = length(log);
        attr.log_buf = log.as_mut_ptr().expose_provenance() as u64;
    }
    bpf_fd(BPF_PROG_LOAD, &mut attr)
}

#[repr(C)]
struct RawTracepointOpen {
    name: u64,
    prog_fd: u32,
    pad: u32,
    cookie: u64,
}

/// Attaches a program to a raw tracepoint by name, or (without one) to what its type says. The
/// program is detached when the descriptor is closed.
///
/// # Errors
/// The kernel's: `ENOENT` if there is no such tracepoint.
pub fn attach_raw(name: Option<&str>, program: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let name = name.map(CString::new).transpose().map_err(|_| Errno::EINVAL)?;
    let mut attr = RawTracepointOpen {
        name: name.as_ref().map_or(0, |name| address(name.as_bytes_with_nul())),
        prog_fd: program.as_raw_fd().cast_unsigned(),
        pad: 0,
        cookie: 0,
    };
    bpf_fd(BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    bpf_cookie: u64,
}

/// Attaches a program to a perf event, with a number that it can ask for. The program is detached
/// when the descriptor is closed; the event's own may be closed before.
///
/// # Errors
/// The kernel's: `EINVAL` before Linux 5.15.
pub fn attach_perf(
    event: &impl AsRawFd,
    program: BorrowedFd<'_>,
    cookie: u64,
) -> Result<OwnedFd, Errno> {
    let mut attr = LinkCreate {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        target_fd: event.as_raw_fd().cast_unsigned(),
        attach_type: BPF_PERF_EVENT,
        flags: 0,
        bpf_cookie: cookie,
    };
    bpf_fd(BPF_LINK_CREATE, &mut attr)
}

#[repr(C)]
struct UprobesCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    path: u64,
    offsets: u64,
    ref_ctr_offsets: u64,
    cookies: u64,
    cnt: u32,
    uprobe_flags: u32,
    pid: u32,
    pad: u32,
}

/// Instructions of one file.
#[derive(Clone, Copy, Debug)]
pub struct Uprobes<'a> {
    /// The file.
    pub path: &'a CStr,
    /// Of one process; 0: of all.
    pub pid: u32,
    /// When the functions that begin there return.
    pub on_return: bool,
    /// Bytes from the file's start.
    pub offsets: &'a [u64],
    /// Counters in the file that are kept above 0, in bytes from its start; 0: none. Empty, or one
    /// for each place.
    pub semaphores: &'a [u64],
    /// The numbers that the program can ask for, one for each place.
    pub cookies: &'a [u64],
}

/// Attaches a program of [`AttachType::TraceUprobeMulti`]; all places or none.
///
/// # Errors
/// The kernel's: `EINVAL` before Linux 6.6, or for slices of different lengths.
pub fn attach_uprobes(at: &Uprobes<'_>, program: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let Uprobes { path, pid, on_return, offsets, semaphores, cookies } = *at;
    let fits = semaphores.is_empty() || semaphores.len() == offsets.len();
    if !fits || cookies.len() != offsets.len() {
        return Err(Errno::EINVAL);
    }
    let mut attr = UprobesCreate {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        target_fd: 0,
        attach_type: AttachType::TraceUprobeMulti as u32,
        flags: 0,
        path: address(path.to_bytes_with_nul()),
        offsets: address(offsets),
        ref_ctr_offsets: if semaphores.is_empty() { 0 } else { address(semaphores) },
        cookies: address(cookies),
        cnt: u32::try_from(offsets.len()).map_err(|_| Errno::E2BIG)?,
        uprobe_flags: u32::from(on_return),
        pid,
        pad: 0,
    };
    bpf_fd(BPF_LINK_CREATE, &mut attr)
}

/// What the kernel numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Object {
    /// Programs (`BPF_PROG_GET_NEXT_ID`).
    Program = 11,
    /// Maps (`BPF_MAP_GET_NEXT_ID`).
    Map = 12,
    /// Type information (`BPF_BTF_GET_NEXT_ID`).
    Types = 23,
    /// Attachments (`BPF_LINK_GET_NEXT_ID`).
    Link = 31,
}

#[repr(C)]
struct NextId {
    start_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The numbers of all objects of a kind that are in the kernel now, whoever made them.
///
/// # Errors
/// The kernel's: `EPERM` without CAP_SYS_ADMIN.
pub fn objects(kind: Object) -> Result<Vec<u32>, Errno> {
    let mut found = Vec::new();
    let mut attr = NextId { start_id: 0, next_id: 0, open_flags: 0 };
    loop {
        match bpf(kind as libc::c_int, &mut attr) {
            Ok(_) => found.push(attr.next_id),
            Err(Errno::ENOENT) => return Ok(found),
            Err(error) => return Err(error),
        }
        attr.start_id = attr.next_id;
    }
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    pad: u32,
}

/// Runs a raw tracepoint's program once with the given words, on the CPU that calls; returns what
/// it returned.
///
/// # Errors
/// The kernel's.
pub fn test_run(program: BorrowedFd<'_>, words: &[u64]) -> Result<u32, Errno> {
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        ctx_size_in: u32::try_from(size_of_val(words)).unwrap_or(u32::MAX),
        ctx_in: address(words),
        ..TestRun::default()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attr)?;
    Ok(attr.retval)
}
