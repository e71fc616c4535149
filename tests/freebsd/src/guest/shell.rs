//! The machine as a whole: boots the stand-in kernel, loads and unloads modules, calls functions.
//!
//! What a command does is done by a thread of the guest, as `kldload` is a process of its own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context as _, Result, bail};

use super::host::{self, Boot, File};
use super::kld::{self, Image};
use super::ram::{self, HEAP, Ram};
use super::{cpus, ctf, monitor, trap};

/// A function of the kernel with as many arguments as registers hold.
type Function = extern "C" fn(u64, u64, u64, u64) -> u64;

/// What the guest's thread is to call, and who hears of it.
struct Job {
    function: u64,
    arguments: [u64; 4],
}

/// A machine that has booted.
#[derive(Debug)]
pub struct Shell {
    ram: Ram,
    objects: BTreeMap<String, Vec<u8>>,
    /// The kernel's symbols, for modules and commands.
    kernel: BTreeMap<String, u64>,
    /// What is loaded: the linker's file, and its memory.
    loaded: BTreeMap<String, (u64, u64, u64)>,
    jobs: Sender<Job>,
    results: Receiver<u64>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}{:x?}", self.function, self.arguments)
    }
}

/// What CPUID says on bhyve.
pub const BHYVE: &[u8; 12] = b"bhyve bhyve ";

/// What a machine may have otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What CPUID says of the hypervisor.
    pub vendor: [u8; 12],
    /// The version of CTF in which the kernel has types, if it has some.
    pub types: Option<u8>,
}

impl Shell {
    /// Loads the first object as the kernel and boots it; the others may be loaded later.
    ///
    /// # Errors
    /// If the kernel cannot be loaded.
    pub fn boot(
        mut ram: Ram,
        vcpus: u32,
        options: &Options,
        objects: Vec<(String, Vec<u8>)>,
    ) -> Result<Self> {
        let mut objects = objects.into_iter();
        let (_, kernel) = objects.next().context("no kernel")?;
        trap::hear_stores(options.vendor != *BHYVE);
        let mut image = place(&mut ram, &kernel, &|name: &str| host::find(name))?;
        let symbols = image.globals.clone();
        let find = |name: &str| symbols.get(name).copied().with_context(|| format!("no {name}"));
        // SAFETY: a function of the stand-in kernel, of that type.
        let switch = unsafe { function(find("ht_kernel_switch")?) };
        // SAFETY: as above.
        let leave = unsafe { function(find("ht_kernel_leave")?) };
        // SAFETY: as above.
        let root = unsafe { function(find("ht_kernel_root")?) };
        cpus::start(usize::try_from(vcpus)?, cpus::Switch { switch, leave, root })?;
        trap::start(trap::Machine {
            breakpoint: find("Xbpt")?,
            page_fault: find("Xpage")?,
            timer: find("Xtimerint")?,
            vendor: options.vendor,
        })?;
        let (jobs, results) = first_thread(&mut ram, vcpus, options.vendor, &symbols)?;
        let objects = objects.collect();
        let loaded = BTreeMap::new();
        let mut shell = Self { ram, objects, kernel: symbols, loaded, jobs, results };
        if let Some(version) = options.types {
            image.ctf = ctf::kernel(version, &image.symtab, &image.strtab);
        }
        let file = shell.describe("kernel", &image)?;
        shell.call("ht_kernel_add_file", &[file])?;
        shell.call("ht_kernel_start", &[])?;
        Ok(shell)
    }

    /// Carries a command out and returns the answer's line.
    ///
    /// # Errors
    /// If it cannot be understood, or an object cannot be loaded.
    pub fn command(&mut self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["load", name] => self.load(name)?,
            ["unload", name] => self.unload(name)?,
            ["passed"] => monitor::passed(),
            ["trap"] => monitor::trap(ram::USER_AT)?,
            ["memory"] => monitor::add_memory()?,
            ["call", name, arguments @ ..] => {
                let numbers = arguments.iter().map(|word| word.parse());
                self.call(name, &numbers.collect::<Result<Vec<u64>, _>>()?)?
            }
            _ => bail!("no such command: {line}"),
        };
        Ok(format!("ok {answer}"))
    }

    fn load(&mut self, name: &str) -> Result<u64> {
        let bytes = self.objects.get(name).with_context(|| format!("no module {name}"))?;
        let kernel = &self.kernel;
        let image = place(&mut self.ram, bytes, &|name: &str| kernel.get(name).copied())?;
        let file = self.describe(&format!("{name}.ko"), &image)?;
        let file = self.call("ht_kernel_add_file", &[file])?;
        let error = self.call("ht_kernel_load", &[file])?;
        let memory = (file, image.base, image.bytes.len() as u64);
        if error == 0 {
            self.loaded.insert(name.to_owned(), memory);
        } else {
            self.ram.forget(memory.1, memory.2)?;
        }
        Ok(error)
    }

    fn unload(&mut self, name: &str) -> Result<u64> {
        let &(file, base, len) = self.loaded.get(name).with_context(|| format!("no {name}"))?;
        let error = self.call("ht_kernel_unload", &[file])?;
        if error == 0 {
            self.loaded.remove(name);
            self.ram.forget(base, len)?;
        }
        Ok(error)
    }

    /// Calls a function of the kernel on the guest's own thread.
    fn call(&self, name: &str, arguments: &[u64]) -> Result<u64> {
        let function =
            *self.kernel.get(name).with_context(|| format!("the kernel has no {name}"))?;
        let mut four = [0; 4];
        four.iter_mut().zip(arguments).for_each(|(place, argument)| *place = *argument);
        self.jobs.send(Job { function, arguments: four }).ok().context("the guest is gone")?;
        self.results.recv().context("the guest is gone")
    }

    /// Writes a `struct ht_file` and what it points to into the guest's memory.
    fn describe(&mut self, name: &str, image: &Image) -> Result<u64> {
        let ram = &mut self.ram;
        let mut put = |bytes: &[u8]| -> Result<u64> {
            let at = ram.image(bytes.len().max(1) as u64)?;
            ram::put(at, bytes)?;
            Ok(at)
        };
        let terminated = |text: &str| [text.as_bytes(), b"\0"].concat();
        let mut sets = Vec::new();
        for (set, (start, stop)) in &image.sets {
            sets.extend([put(&terminated(set))?, *start, *stop]);
        }
        let words =
            |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        let file = File {
            name: put(&terminated(name))?,
            base: image.base,
            size: image.bytes.len() as u64,
            symtab: put(&image.symtab)?,
            nsym: image.symtab.len() as u64 / 24,
            strtab: put(&image.strtab)?,
            strcnt: image.strtab.len() as u64,
            sets: put(&words(&sets))?,
            nsets: image.sets.len() as u64,
            ctf: put(&image.ctf)?,
            ctf_size: image.ctf.len() as u64,
        };
        let File { name, base, size, symtab, nsym, strtab, strcnt, sets, nsets, ctf, ctf_size } =
            file;
        put(&words(&[name, base, size, symtab, nsym, strtab, strcnt, sets, nsets, ctf, ctf_size]))
    }
}

/// Lays an object out in RAM.
fn place(ram: &mut Ram, bytes: &[u8], kernel: &dyn kld::Kernel) -> Result<Image> {
    let base = ram.image(kld::size(bytes)?)?;
    let mut image = kld::load(bytes, base, kernel)?;
    trap::patch(&mut image.bytes, base, &image.code);
    ram::put(base, &image.bytes)?;
    Ok(image)
}

/// # Safety
/// It is a function of that type.
unsafe fn function<F: Copy>(address: u64) -> F {
    const { assert!(size_of::<F>() == size_of::<u64>()) };
    let pointer = std::ptr::with_exposed_provenance::<()>(usize::try_from(address).unwrap_or(0));
    // SAFETY: by the caller's word; both are plain pointers.
    unsafe { std::mem::transmute_copy(&pointer) }
}

/// Bytes of the first thread's kernel stack.
const STACK: usize = 128 << 10;

/// Boots the kernel on the guest's first thread, which then calls what it is told to.
fn first_thread(
    ram: &mut Ram,
    vcpus: u32,
    hypervisor: [u8; 12],
    symbols: &BTreeMap<String, u64>,
) -> Result<(Sender<Job>, Receiver<u64>)> {
    let stack = ram.image(STACK as u64)?;
    let (jobs, take) = channel::<Job>();
    let (give, results) = channel();
    let mut vendor = [0; 16];
    vendor.iter_mut().zip(hypervisor).for_each(|(to, from)| *to = from);
    let boot = Boot {
        cpus: i32::try_from(vcpus)?,
        pad: 0,
        kernel_root: ram.kernel_root,
        user_root: ram.user_root,
        user_page: ram::user_page(),
        user_address: ram::USER,
        heap: ram::BASE + HEAP,
        heap_end: ram::BASE + ram::SIZE,
        base: ram::BASE,
        stack,
        stack_pages: STACK as u64 / 4096,
        vendor,
    };
    let find = |name: &str| symbols.get(name).copied().with_context(|| format!("no {name}"));
    let (start, main) = (find("ht_kernel_boot")?, find("ht_kernel_first")?);
    let work = Box::new(move || {
        // SAFETY: that function of the stand-in kernel.
        let start: extern "C" fn(*const Boot) = unsafe { function(start) };
        start(&raw const boot);
        // The boot's result says that it is done.
        let mut said = give.send(0);
        while said.is_ok() {
            let Ok(job) = cpus::without_cpu(None, || take.recv()) else { return };
            // SAFETY: a function of the kernel's; one with fewer arguments ignores the rest.
            let call: Function = unsafe { function(job.function) };
            let [a, b, c, d] = job.arguments;
            said = give.send(call(a, b, c, d));
        }
    });
    host::first(main, stack, STACK, work)?;
    results.recv().context("the kernel does not boot")?;
    Ok((jobs, results))
}
