//! The plugin's life in QEMU: installation, callbacks, end.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use shim::server::Server;
use shim::{Shim, Vcpu};

use npt::{Hpa, PhysMemory};

use crate::address::Addresses;
use crate::api::{Api, BREAKPOINT, Block};
use crate::arguments::Arguments;
use crate::ram::{self, Windows};
use crate::sys;

/// A vCPU's state, where its callbacks find it.
struct VcpuCell(UnsafeCell<Vcpu>);

// SAFETY: QEMU calls back for a vCPU on the one thread that runs it (or on the one thread that runs
// all of them), never twice at a time; `Plugin::doorbell` is the only user and does not call back
// into guest code. So no two threads are ever at one cell.
unsafe impl Sync for VcpuCell {}

/// Everything the callbacks need.
struct Plugin {
    shim: Arc<Shim>,
    vcpus: Box<[VcpuCell]>,
    id: sys::qemu_plugin_id_t,
    version: i32,
    dir: PathBuf,
    addresses: OnceLock<Addresses>,
    windows: OnceLock<Windows>,
    /// RAM could not be mapped; said once.
    complained: AtomicBool,
    server: Mutex<Option<Server>>,
}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

/// Writes a line on stderr; before there is a shim that does it with the VM's name.
fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "hypertrace: {line}"));
}

/// Runs `work` without ever unwinding into QEMU.
#[inline]
fn guarded(work: impl FnOnce(&'static Plugin)) {
    let Some(plugin) = PLUGIN.get() else { return };
    if catch_unwind(AssertUnwindSafe(|| work(plugin))).is_err() {
        // What panicked may panic again; this must not.
        drop(catch_unwind(AssertUnwindSafe(|| {
            plugin.shim.turn_off("an internal error, see above; the guest runs on untraced");
        })));
    }
}

/// QEMU's entry into the plugin.
///
/// # Safety
/// To be called by QEMU alone: `info` points to a `qemu_info_t`, `argv` to `argc` strings.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let work = || {
        // SAFETY: QEMU passes a valid block that lives as long as this call.
        let info = unsafe { info.cast::<sys::qemu_info_t>().as_ref() };
        // SAFETY: QEMU passes `argc` strings, which live as long as the plugin.
        let args = unsafe { strings(argc, argv) };
        install(id, info, &args)
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(reason)) => {
            complain(&reason);
            1
        }
        Err(_) => {
            complain("an internal error, see above");
            1
        }
    }
}

/// Copies C strings.
///
/// # Safety
/// `argv` points to `argc` NUL-terminated strings, or `argc` is 0.
unsafe fn strings(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    let count = usize::try_from(argc).unwrap_or(0);
    let mut strings = Vec::new();
    for index in 0..count {
        // SAFETY: within the array, by the caller's word.
        let place = unsafe { argv.add(index) };
        // SAFETY: as above.
        let text = unsafe { place.read() };
        // SAFETY: a NUL-terminated string, by the caller's word.
        let text = unsafe { CStr::from_ptr(text) };
        strings.push(text.to_string_lossy().into_owned());
    }
    strings
}

/// Reads what QEMU says, and asks for the callbacks. An error keeps QEMU from starting.
fn install(id: u64, info: Option<&sys::qemu_info_t>, args: &[String]) -> Result<(), String> {
    let info = info.ok_or("QEMU gave no information about itself")?;
    let args = Arguments::read(args.iter().map(String::as_str)).map_err(|e| e.to_string())?;
    // SAFETY: QEMU's own string, which lives as long as QEMU.
    let target = unsafe { CStr::from_ptr(info.target_name) };
    if !info.system_emulation || target != c"x86_64" {
        return Err("only x86_64 system emulation can be traced (qemu-system-x86_64)".into());
    }
    ram::check_arguments().map_err(|e| e.to_string())?;
    let version = info.version.cur;
    let api = Api::load(version).map_err(|e| e.to_string())?;
    let count = u32::try_from(info.system.max_vcpus).unwrap_or(0);
    let shim = Shim::new(args.name, count).map_err(|e| e.to_string())?;
    let cell = |index| shim.vcpu(index).map(|vcpu| VcpuCell(UnsafeCell::new(vcpu)));
    let plugin = Plugin {
        vcpus: (0..count).filter_map(cell).collect(),
        id,
        version,
        dir: args.dir.unwrap_or_else(shim::server::run_dir),
        addresses: OnceLock::new(),
        windows: OnceLock::new(),
        complained: AtomicBool::new(false),
        server: Mutex::new(None),
        shim,
    };
    if PLUGIN.set(plugin).is_err() {
        return Err("the plugin is loaded twice".into());
    }
    ask(api, id);
    Ok(())
}

/// Asks for the callbacks.
fn ask(api: &Api, id: sys::qemu_plugin_id_t) {
    api.on_vcpu(id, on_vcpu);
    api.on_translation(id, on_translation);
    api.on_exit(id, on_exit);
}

/// A vCPU comes: with the first one RAM is there, and QEMU has become a daemon if it was to.
unsafe extern "C" fn on_vcpu(_: usize, _: usize) {
    guarded(Plugin::start);
}

/// A block is translated.
unsafe extern "C" fn on_translation(a: usize, b: usize) {
    guarded(|plugin| {
        let Some(api) = Api::get() else { return };
        // SAFETY: these are this callback's arguments.
        let block = unsafe { Block::from_callback(api, a, b) };
        if let Some(block) = block {
            block.watch_doorbells(on_doorbell);
            if plugin.version < TRANSLATIONS_ARE_SOUND_SINCE {
                block.watch_breakpoints(on_breakpoint);
            }
        }
    });
}

/// A doorbell's store was done.
unsafe extern "C" fn on_doorbell(
    vcpu: c_uint,
    info: sys::qemu_plugin_meminfo_t,
    vaddr: u64,
    _: *mut c_void,
) {
    guarded(|plugin| plugin.doorbell(vcpu, info, vaddr));
}

/// A breakpoint of the guest's kernel is about to be executed.
unsafe extern "C" fn on_breakpoint(_: c_uint, byte: *mut c_void) {
    guarded(|plugin| plugin.breakpoint(byte.addr() as u64));
}

/// All translations and callbacks are gone.
unsafe extern "C" fn on_flushed(id: sys::qemu_plugin_id_t) {
    guarded(|_| {
        if let Some(api) = Api::get() {
            ask(api, id);
        }
    });
}

/// QEMU ends.
unsafe extern "C" fn on_exit(_: usize, _: usize) {
    guarded(Plugin::stop);
}

impl Plugin {
    /// Opens the control socket, and maps RAM if it is there already; once.
    fn start(&'static self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_some() {
            return;
        }
        match Server::start(Arc::clone(&self.shim), &self.dir) {
            Ok(started) => *server = Some(started),
            Err(error) => self.shim.turn_off(&error.to_string()),
        }
        drop(server);
        self.attach_memory();
    }

    /// Closes the control socket.
    fn stop(&self) {
        self.shim.goodbye("the VM ended");
        drop(self.server.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Maps RAM. Tried again with the next doorbell if QEMU has not allocated it yet.
    #[cold]
    fn attach_memory(&self) -> Option<&Addresses> {
        match ram::map() {
            Ok(ram) => {
                self.shim.attach_memory(ram.memory);
                let _ = self.windows.set(ram.windows);
                let addresses = Addresses::new(self.version, ram.below, ram.size);
                Some(self.addresses.get_or_init(|| addresses))
            }
            Err(error) => {
                let started = self.shim.memory().is_some();
                if !started && self.complained.swap(true, Ordering::Relaxed) {
                    self.shim.turn_off(&error.to_string());
                }
                None
            }
        }
    }

    /// A breakpoint is about to be executed whose byte QEMU has at `host`. If the guest's memory
    /// has another byte there, what runs is a translation that should be gone: all are dropped.
    /// See docs/decisions/stale-translations.md.
    #[inline]
    fn breakpoint(&self, host: u64) {
        let (Some(windows), Some(memory)) = (self.windows.get(), self.shim.memory()) else {
            return;
        };
        let Some(at) = windows.physical(host) else { return };
        let mut byte = [0];
        if memory.read(Hpa(at.0), &mut byte).is_err() || byte == [BREAKPOINT] {
            return;
        }
        if let Some(api) = Api::get() {
            api.flush(self.id, on_flushed);
        }
    }

    /// A doorbell was rung by a store to `vaddr`.
    ///
    /// # Context
    /// The firing path, on the vCPU's thread.
    #[inline]
    fn doorbell(&self, vcpu: c_uint, info: sys::qemu_plugin_meminfo_t, vaddr: u64) {
        // Only a kernel can store to its own half: a process that knows the bytes rings in vain.
        let offset = vaddr & 0xfff;
        if vaddr >> 63 == 0 || offset != DOORBELL_OFFSET {
            return;
        }
        let Some(api) = Api::get() else { return };
        let Some(address) = api.ram_address(info, vaddr) else { return };
        let Some(addresses) = self.addresses.get().or_else(|| self.attach_memory()) else { return };
        let Some(memory) = self.shim.memory() else { return };
        let Some(page) = addresses.page(memory, address, vaddr) else { return };
        let Some(cell) = usize::try_from(vcpu).ok().and_then(|at| self.vcpus.get(at)) else {
            return;
        };
        // SAFETY: see `VcpuCell`: this thread alone is at this vCPU's cell, and the reference ends
        // before the callback returns.
        let state = unsafe { &mut *cell.0.get() };
        self.shim.handle(state, page);
    }
}

/// From this version of the interface on (QEMU 9.0) no translation outlives the bytes it was made
/// from; QEMU mended that in 8.1, which has the version of 7.2.
const TRANSLATIONS_ARE_SOUND_SINCE: i32 = 2;

/// Where in its page a doorbell stores.
const DOORBELL_OFFSET: u64 = hypercall::DOORBELL_OFFSET as u64;
