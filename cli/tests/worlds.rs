//! Machines whose kernels differ, in one script: a type's size, a member's offset and encoding are
//! each machine's own, from BTF or CTF. The guests are fakes at a real shim; `dtrace` is the real
//! one, from the socket to its output.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use hypercall::TypeFormat;
use shim::{server::Server, testing::FakeGuest};

/// A kernel's `struct task`: its bytes, and where `pid` lies, how long it is.
#[derive(Clone, Copy)]
struct Kernel {
    name: &'static str,
    format: TypeFormat,
    size: u32,
    offset: u32,
    bytes: u32,
}

const A: Kernel = Kernel { name: "vm-a", format: TypeFormat::Btf, size: 64, offset: 8, bytes: 4 };
const B: Kernel = Kernel { name: "vm-b", format: TypeFormat::Ctf, size: 128, offset: 40, bytes: 2 };
const C: Kernel = Kernel { name: "vm-c", format: TypeFormat::Ctf, size: 96, offset: 24, bytes: 4 };

/// `int` at 1, `task` at 5, `pid` at 10.
const STRINGS: &[u8] = b"\0int\0task\0pid\0";

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn text_len() -> u32 {
    u32::try_from(STRINGS.len()).unwrap()
}

impl Kernel {
    /// Its types.
    fn types(self) -> Vec<u8> {
        let Self { size, offset, bytes, .. } = self;
        let integer = (1 << 24) | (bytes * 8);
        if self.format == TypeFormat::Btf {
            let int = [1, 1 << 24, bytes, integer];
            let task = [5, (4 << 24) | 1, size, 10, 1, offset * 8];
            let types = words(&[&int[..], &task].concat());
            let len = u32::try_from(types.len()).unwrap();
            let header = [vec![0x9f, 0xeb, 1, 0], words(&[24, 0, len, len, text_len()])].concat();
            return [header, types, STRINGS.to_vec()].concat();
        }
        let (kind, root) = (|kind: u32| kind << 26, 1 << 25);
        let int = [1, kind(1) | root, bytes, integer];
        let task = [5, kind(6) | root | 1, size, 10, 1, offset * 8];
        let types = words(&[&int[..], &task].concat());
        let len = u32::try_from(types.len()).unwrap();
        let header = words(&[0, 0, 0, 0, 0, 0, len, text_len()]);
        [vec![0xf1, 0xcf, 3, 0], header, types, STRINGS.to_vec()].concat()
    }

    /// A task with that process id; everything around is no process id.
    fn task(self, pid: i64) -> Vec<u8> {
        let mut task = vec![0xee; usize::try_from(self.size).unwrap()];
        let (at, len) =
            (usize::try_from(self.offset).unwrap(), usize::try_from(self.bytes).unwrap());
        task[at..at + len].copy_from_slice(&pid.to_le_bytes()[..len]);
        task
    }
}

struct Vm {
    guest: FakeGuest,
    task: u64,
    _server: Server,
}

impl Vm {
    fn new(kernel: Kernel, pid: i64, dir: &Path) -> Self {
        let mut guest = FakeGuest::new(kernel.name, 1).unwrap();
        assert_eq!(guest.hello(), 0);
        assert_eq!(guest.types_as(kernel.format, "kernel", &kernel.types()), 0);
        assert_eq!(guest.some_probes(1), 0);
        let task = guest.put(0x2000, &kernel.task(pid)).unwrap();
        let server = Server::start(Arc::clone(&guest.shim), dir).unwrap();
        Self { guest, task, _server: server }
    }

    /// What a running guest does: asks what is wanted, and fires.
    fn live(&mut self) {
        self.guest.poll(&[]).unwrap();
        if self.guest.enabled().contains_key(&1) {
            assert_eq!(self.guest.fire(0, 1, &[self.task], &[]), 0);
        }
    }
}

struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("ht-worlds-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn dtrace(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_dtrace"))
            .current_dir(&self.0)
            .env("HYPERTRACE_DIR", &self.0)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs `dtrace` while the guests live.
    fn run(&self, args: &[&str], vms: &mut [Vm]) -> Output {
        let mut child = self.dtrace(args);
        let patience = Instant::now() + Duration::from_secs(120);
        while child.try_wait().unwrap().is_none() {
            vms.iter_mut().for_each(Vm::live);
            std::thread::yield_now();
            if Instant::now() > patience {
                child.kill().unwrap();
            }
        }
        child.wait_with_output().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Says each machine's facts once, and ends when `count` have said theirs.
fn script(targets: &str, count: usize) -> String {
    let probe = format!("{targets}:sdt:fake:fn:probe0");
    format!(
        "{probe} /!seen[vmname]/ {{ seen[vmname] = 1; n++; printf(\"%s %d %d %d\\n\", vmname, \
         ((struct task *)arg0)->pid, sizeof (struct task), sizeof (((struct task *)arg0)->pid)); }} \
         {probe} /n == {count}/ {{ exit(0); }}"
    )
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

/// One script, three kernels.
#[test]
fn types_are_each_machines_own() {
    let host = Host::new("direct");
    let mut vms =
        [Vm::new(A, 1234, &host.0), Vm::new(B, -5, &host.0), Vm::new(C, 100_000, &host.0)];
    let output = host.run(&["-qE", "-n", &script("vm-?", 3)], &mut vms);
    assert_eq!(lines(&output), ["vm-a 1234 64 4", "vm-b -5 128 2", "vm-c 100000 96 4"]);
}

/// One saved program on two kernels; on a third, where a member has other bytes, it is refused by
/// name.
#[test]
fn a_saved_program_runs_on_other_kernels() {
    let host = Host::new("saved");
    let mut vms = [Vm::new(A, 1234, &host.0)];
    let save = ["-E", "-e", "-o", "p.o", "-n", &script("vm-[ac]", 2)];
    assert!(host.run(&save, &mut vms).status.success());
    let [a] = vms;
    let mut vms = [a, Vm::new(C, 100_000, &host.0)];
    let output = host.run(&["-qE", "-Y", "p.o"], &mut vms);
    assert_eq!(lines(&output), ["vm-a 1234 64 4", "vm-c 100000 96 4"]);
    let save = ["-E", "-e", "-o", "q.o", "-n", &script("vm-[ab]", 2)];
    assert!(host.run(&save, &mut vms).status.success());
    drop(vms);
    let mut vms = [Vm::new(B, -5, &host.0)];
    let output = host.run(&["-qE", "-Y", "q.o"], &mut vms);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("struct task.pid is a signed integer of 2 bytes on vm-b"), "{said}");
}
