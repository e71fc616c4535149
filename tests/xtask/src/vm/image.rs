//! What a guest boots: Debian's cloud kernel, an initramfs of busybox and our module, and an ext4
//! disk. All of it lies under `target/vm/image/RELEASE/` and is made anew when asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{deps, kmod, paths, run};

/// Kernel modules every guest loads, in an order that satisfies their dependencies.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
    "lib/crc16.ko",
    "lib/crc/crc16.ko",
    "crypto/crc32c_generic.ko",
    "lib/libcrc32c.ko",
    "fs/mbcache.ko",
    "fs/jbd2/jbd2.ko",
    "fs/ext4/ext4.ko",
];

/// Modules that only some tests load, by hand: nested guests want KVM.
const EXTRA_MODULES: &[&str] =
    &["virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-amd.ko"];

/// A bootable image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The kernel's release, e.g. `6.1.0-56-cloud-amd64`.
    pub release: String,
    /// The compressed kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// A pristine ext4 file system; every guest gets its own copy.
    pub disk: PathBuf,
}

impl Image {
    /// Builds module, workload, initramfs and disk for Debian's cloud kernel.
    ///
    /// # Errors
    /// If a package cannot be installed or a tool fails.
    pub fn build() -> Result<Self> {
        Self::build_for(&deps::ensure()?)
    }

    /// The same for a kernel release that is installed with its modules and headers.
    ///
    /// # Errors
    /// If something of it is missing or a tool fails.
    pub fn build_for(release: &str) -> Result<Self> {
        let kernel = Path::new("/boot").join(format!("vmlinuz-{release}"));
        ensure!(kernel.exists(), "{}: install linux-image-{release}", kernel.display());
        let module = kmod::build(release)?;
        let dir = paths::vm().join("image").join(release);
        let tree = dir.join("root");
        fs::create_dir_all(&dir)?;
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        populate(&tree, release, &module)?;
        let initramfs = dir.join("initramfs.cpio");
        pack(&tree, &initramfs)?;
        let disk = dir.join("disk.ext4");
        if !disk.exists() {
            make_disk(&disk)?;
        }
        Ok(Self { release: release.to_owned(), kernel, initramfs, disk })
    }

    /// The same image with programs of this machine in it, each with the libraries that it is
    /// linked with: pairs of a program here and its path there.
    ///
    /// # Errors
    /// If a program is missing or a tool fails.
    pub fn with_programs(&self, name: &str, programs: &[(PathBuf, &str)]) -> Result<Self> {
        let dir = self.initramfs.parent().context("an initramfs in no folder")?.join(name);
        let tree = dir.join("root");
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        for (here, there) in programs {
            let target = inside(&tree, Path::new(there))?;
            install(here, &target)?;
            run::output(Command::new("strip").arg("--strip-debug").arg(&target))?;
            for library in libraries(here)? {
                install(&library, &inside(&tree, &library)?)?;
            }
        }
        let overlay = dir.join("overlay.cpio");
        pack(&tree, &overlay)?;
        // The kernel unpacks archives that follow one another, the later over the earlier.
        let mut bytes = fs::read(&self.initramfs)?;
        bytes.extend(fs::read(&overlay)?);
        let initramfs = dir.join("initramfs.cpio");
        fs::write(&initramfs, bytes)?;
        Ok(Self { initramfs, ..self.clone() })
    }
}

/// Where an absolute path lies in a tree whose folders are made as needed.
fn inside(tree: &Path, path: &Path) -> Result<PathBuf> {
    let target = tree.join(path.strip_prefix("/")?);
    fs::create_dir_all(target.parent().context("a file in no folder")?)?;
    Ok(target)
}

/// The libraries a program is linked with, the loader among them; none if it is static.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let told = Command::new("ldd").arg(program).env("LC_ALL", "C").output()?;
    let complaint = String::from_utf8_lossy(&told.stderr);
    let is_static = complaint.contains("not a dynamic executable");
    ensure!(told.status.success() || is_static, "ldd {}: {complaint}", program.display());
    let text = String::from_utf8_lossy(&told.stdout);
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(Into::into);
    Ok(text.lines().filter_map(path).collect())
}

fn pack(tree: &Path, initramfs: &Path) -> Result<()> {
    let partial = initramfs.with_extension("partial");
    let archive = "find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0 > \"$0\"";
    run::output(Command::new("sh").current_dir(tree).arg("-c").arg(archive).arg(&partial))?;
    fs::rename(partial, initramfs)?;
    Ok(())
}

fn make_disk(path: &Path) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::File::create(&partial)?.set_len(64 << 20)?;
    run::output(Command::new("/usr/sbin/mkfs.ext4").args(["-q", "-F"]).arg(&partial))?;
    fs::rename(partial, path)?;
    Ok(())
}

fn populate(tree: &Path, release: &str, module: &Path) -> Result<()> {
    for dir in ["bin", "dev", "etc", "lib/modules", "mnt", "proc", "run", "sys", "tmp", "opt/ht"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    install(Path::new("/bin/busybox"), &tree.join("bin/busybox"))?;
    symlink("busybox", tree.join("bin/sh"))?;
    compile("workload", &tree.join("bin/workload"), &["-O2"])?;
    compile("l2", &tree.join("bin/l2"), &["-O2"])?;
    // Without optimisation even a function that calls nothing has a frame.
    let frames = ["-O0", "-fno-omit-frame-pointer", "-no-pie"];
    compile("frames", &tree.join("bin/frames"), &frames)?;
    install(&guests().join("init"), &tree.join("init"))?;
    let mut order = String::new();
    for path in MODULES {
        if let Some(name) = install_module(release, path, tree)? {
            order.push_str(&name);
            order.push('\n');
        }
    }
    for path in EXTRA_MODULES {
        install_module(release, path, tree)?;
    }
    fs::write(tree.join("lib/modules/order"), order)?;
    install(module, &tree.join("lib/modules/hypertrace.ko"))?;
    fs::write(
        tree.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n",
    )?;
    fs::write(tree.join("etc/group"), "root:x:0:\nwww:x:33:\nalice:x:1000:\n")?;
    Ok(())
}

/// Sources of what runs in test guests.
fn guests() -> PathBuf {
    paths::root().join("tests/guests")
}

/// Compiles a C program of `tests/guests` statically.
///
/// # Errors
/// If the compiler fails.
pub fn compile(name: &str, to: &Path, how: &[&str]) -> Result<()> {
    let flags = ["-Wall", "-Wextra", "-Werror", "-static", "-o"];
    let source = guests().join(format!("{name}.c"));
    run::output(Command::new("gcc").args(how).args(flags).arg(to).arg(source))?;
    Ok(())
}

/// Copies a module into the tree, uncompressed; `None` if this kernel has it built in.
fn install_module(release: &str, path: &str, tree: &Path) -> Result<Option<String>> {
    let source = Path::new("/lib/modules").join(release).join("kernel").join(path);
    let name =
        source.file_name().context("a module without a name")?.to_string_lossy().into_owned();
    let target = tree.join("lib/modules").join(&name);
    let compressed = source.with_extension("ko.xz");
    if source.exists() {
        install(&source, &target)?;
    } else if compressed.exists() {
        install(&compressed, &target.with_extension("ko.xz"))?;
        run::output(Command::new("xz").arg("-df").arg(target.with_extension("ko.xz")))?;
    } else {
        return Ok(None);
    }
    Ok(Some(name))
}

fn install(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
