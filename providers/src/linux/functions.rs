//! Functions of the kernel at which probes can be put.
//!
//! Those are what ftrace lists, if tracefs says it; else every function the kernel has a symbol
//! of, of which some refuse when they are asked for. A kernel without kprobes has none.

use std::collections::{HashMap, HashSet};

use super::{attach, image, tracefs::Tracefs};

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelFunction {
    /// Its name.
    pub name: String,
    /// The module it belongs to; `vmlinux` for the image.
    pub module: String,
    /// Where it begins.
    pub address: u64,
}

/// Which functions can be probed.
#[derive(Debug, Default)]
pub struct Functions {
    all: Vec<KernelFunction>,
    by_name: HashMap<String, usize>,
}

/// Names with their modules, out of ftrace's list: `name` or `name [module]`.
fn listed(text: &str) -> HashSet<(&str, &str)> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        Some((name, words.next().map_or("vmlinux", |word| word.trim_matches(['[', ']']))))
    });
    lines.collect()
}

impl Functions {
    /// Those of the running kernel.
    #[must_use]
    pub fn discover(kallsyms: &str, tracefs: Option<&Tracefs>) -> Self {
        if attach::probe_type("kprobe").is_err() {
            return Self::default();
        }
        let list = tracefs.and_then(|tracefs| tracefs.read("available_filter_functions").ok());
        Self::new(kallsyms, list.as_deref())
    }

    /// Those of a symbol table, as far as a list (if there is one) names them.
    #[must_use]
    pub fn new(kallsyms: &str, list: Option<&str>) -> Self {
        let list = list.map(listed);
        let mut out = Self::default();
        for symbol in image::symbols(kallsyms) {
            let text = matches!(symbol.kind, b't' | b'T' | b'W' | b'w');
            // A BPF program's symbol is no function of the kernel's.
            let ours = symbol.module == "bpf";
            let known = list.as_ref().is_none_or(|l| l.contains(&(symbol.name, symbol.module)));
            if text && known && !ours {
                out.by_name.entry(symbol.name.to_owned()).or_insert(out.all.len());
                out.all.push(KernelFunction {
                    name: symbol.name.to_owned(),
                    module: symbol.module.to_owned(),
                    address: symbol.address,
                });
            }
        }
        out
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[KernelFunction] {
        &self.all
    }

    /// Where a function begins, if it can be probed.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).and_then(|at| self.all.get(*at)).map(|found| found.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "ffffffff81000000 T vfs_read
ffffffff81000100 t helper
ffffffff81000200 D jiffies
ffffffffc0000000 t ext4_read\t[ext4]
ffffffffc0000100 t bpf_prog_1_fire\t[bpf]
";

    /// Only text, no programs; with ftrace's list only what that names, module and all.
    #[test]
    fn functions_are_what_ftrace_lists() {
        let names = |functions: &Functions| {
            functions.all().iter().map(|one| one.name.clone()).collect::<Vec<_>>()
        };
        let all = Functions::new(SYMBOLS, None);
        assert_eq!(names(&all), ["vfs_read", "helper", "ext4_read"]);
        let some = Functions::new(SYMBOLS, Some("vfs_read\next4_read [ext4]\nhelper [ext4]\n"));
        assert_eq!(names(&some), ["vfs_read", "ext4_read"]);
        assert_eq!(some.address("vfs_read"), Some(0xffff_ffff_8100_0000));
        assert_eq!(some.address("helper"), None);
        assert_eq!(some.all()[1].module, "ext4");
    }
}
