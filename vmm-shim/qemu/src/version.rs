//! Which version of the plugin interface the QEMU around us speaks.
//!
//! QEMU reads the word `qemu_plugin_version` right after it has loaded a plugin, and refuses one
//! that is older than its oldest interface or newer than its own. A plugin for 7.2 and for newer
//! QEMUs therefore has to know before it is asked: a constructor, which the dynamic linker runs
//! while it loads us, looks which functions the process exports and writes the word.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::api::exported;

/// The word QEMU reads. An atomic integer has the layout of an integer.
#[unsafe(no_mangle)]
pub(crate) static qemu_plugin_version: AtomicI32 = AtomicI32::new(1);

/// Functions that came with a version, the newest first.
const NEW: &[(&CStr, i32)] = &[
    (c"qemu_plugin_set_pc", 6),
    (c"qemu_plugin_write_memory_vaddr", 5),
    (c"qemu_plugin_read_memory_vaddr", 4),
    (c"qemu_plugin_register_vcpu_tb_exec_cond_cb", 3),
];

/// A function that version 2 took away.
const GONE_IN_2: &CStr = c"qemu_plugin_n_vcpus";

/// The version of whoever exports what `has` says.
fn detect(has: impl Fn(&CStr) -> bool) -> i32 {
    if has(GONE_IN_2) {
        return 1;
    }
    NEW.iter().find(|(name, _)| has(name)).map_or(2, |(_, version)| *version)
}

/// Run by the dynamic linker when the plugin is loaded.
extern "C" fn choose() {
    qemu_plugin_version.store(detect(exported), Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".init_array")]
static CHOOSE: extern "C" fn() = choose;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each QEMU is told the version it has, by what it exports.
    #[test]
    fn version_follows_the_exported_functions() {
        let with = |names: &'static [&CStr]| detect(|name| names.contains(&name));
        assert_eq!(with(&[GONE_IN_2]), 1);
        assert_eq!(with(&[]), 2);
        assert_eq!(with(&[c"qemu_plugin_register_vcpu_tb_exec_cond_cb"]), 3);
        assert_eq!(with(&[c"qemu_plugin_register_vcpu_tb_exec_cond_cb", c"qemu_plugin_set_pc"]), 6);
    }

    /// The constructor ran when this test was loaded, and found no QEMU around it.
    #[test]
    fn constructor_runs_at_load() {
        assert_eq!(qemu_plugin_version.load(Ordering::Relaxed), 2);
    }
}
