//! The plugin in the QEMU that is installed, with a guest of 200 bytes: its calls are answered,
//! wherever QEMU puts its RAM, and nobody else's are.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use host::control::{ConsumerEnd, PROTOCOL_VERSION, Reply, Request, socket_path};

/// A guest that has not reported by then never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory that goes with its test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ht-qemu-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A QEMU that does not outlive its test.
struct Qemu {
    child: Child,
    serial: Receiver<String>,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The plugin that cargo built beside this test.
fn plugin() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let here = test.parent().expect("its directory");
    let so = here.join("libhypertrace_qemu.so");
    if so.exists() { so } else { here.parent().expect("target").join("libhypertrace_qemu.so") }
}

fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).status().expect(program);
    assert!(done.success(), "{program} {args:?}");
}

/// Assembles the guest with its descriptor at `page`.
fn guest(dir: &Path, page: u64) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/doorbell.s");
    let (object, kernel) = (dir.join("guest.o"), dir.join("guest"));
    let text = |path: &Path| path.to_str().expect("ASCII").to_owned();
    let (defined, source) = (format!("PAGE={page:#x}"), text(&source));
    run("as", &["--64", "--defsym", &defined, "-o", &text(&object), &source]);
    run("ld", &["-n", "-Ttext", "0x100000", "-o", &text(&kernel), &text(&object)]);
    // QEMU loads multiboot kernels from 32-bit files only; the code stays what it is.
    run("objcopy", &["-O", "elf32-i386", &text(&kernel)]);
    kernel
}

fn start(dir: &Path, kernel: &Path, machine: &str, size: &str) -> Qemu {
    // By no other program's hand: what is killed is QEMU itself.
    let mut child = Command::new("qemu-system-x86_64")
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio", "-net", "none"])
        .args(["-m", size, "-machine", &format!("{machine},memory-backend=htmem")])
        .args(["-object", &format!("memory-backend-memfd,id=htmem,size={size},share=on")])
        .arg("-plugin")
        .arg(format!("{},name=tiny", plugin().display()))
        .arg("-kernel")
        .arg(kernel)
        .env("HYPERTRACE_DIR", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-system-x86_64");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let (lines, serial) = channel();
    // Ends with QEMU, or when nobody listens any more.
    std::thread::spawn(move || {
        out.lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
    });
    Qemu { child, serial }
}

/// What the guest reports, and what the host then knows of it.
fn check(name: &str, machine: &str, size: &str, page: u64) {
    let dir = Dir::new(name);
    let kernel = guest(&dir.0, page);
    let qemu = start(&dir.0, &kernel, machine, size);
    let line = qemu.serial.recv_timeout(PATIENCE).expect("a line on the serial port");
    // Unheard from the lower half, HELLO and POLL answered, GOODBYE without cookie refused.
    assert_eq!(line.trim_end(), "@AAG", "{machine} {size}");
    let socket = socket_path(&dir.0, "tiny").expect("a good name");
    let consumer = ConsumerEnd::connect(&socket).expect("the control socket");
    consumer.send(&Request::Hello { version: PROTOCOL_VERSION }, None).expect("sent");
    let (reply, _) = consumer.receive().expect("an answer");
    let Reply::Machine(info) = reply else { panic!("{reply:?}") };
    assert_eq!((info.vmname.as_str(), info.hostname.as_str()), ("tiny", "okay"));
    consumer.send(&Request::Stats, None).expect("sent");
    let stats = loop {
        match consumer.receive().expect("an answer").0 {
            Reply::Stats(stats) => break stats,
            // News may come before any answer.
            Reply::MachineUp(_) => {}
            reply => panic!("{reply:?}"),
        }
    };
    assert_eq!((stats.polls, stats.bad_calls, stats.fires), (1, 1, 0));
}

/// RAM that has no hole.
#[test]
fn small_guests_are_heard() {
    check("small", "pc", "256M", 0x20_0000);
    check("small", "q35", "256M", 0x20_0000);
}

/// A descriptor above 4 GiB, where the address QEMU reports is not the guest's.
#[test]
fn guests_are_heard_above_the_hole() {
    check("high", "pc", "5G", 0x1_0020_0000);
    check("high", "q35", "5G", 0x1_0020_0000);
    check("high", "pc,max-ram-below-4g=1G", "2G", 0x1_0020_0000);
}

/// Without shared RAM QEMU does not start, and says what is missing.
#[test]
fn private_ram_is_refused_in_words() {
    let dir = Dir::new("private");
    let out = Command::new("timeout")
        .args(["60", "qemu-system-x86_64", "-display", "none", "-plugin"])
        .arg(format!("{},name=tiny", plugin().display()))
        .env("HYPERTRACE_DIR", &dir.0)
        .output()
        .expect("qemu-system-x86_64");
    assert!(!out.status.success());
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(stderr.contains("memory-backend-memfd,id=htmem"), "{stderr}");
}
