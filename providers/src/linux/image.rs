//! What the running kernel says of itself: symbols, and types as BTF.

use std::{collections::HashMap, fs, io, path::Path};

use consumer::{link::TypeBlob, symbols::SymbolTable};
use dif::program::ProbeDesc;
use dlang::world::{ArgTypes, Symbol, TypeContainer, TypeFormat, World};
use hypercall::SymbolEntry;

/// Where the kernel shows its types.
const BTF: &str = "/sys/kernel/btf";

/// The kernel's functions whose names begin so, by name, from the text of `/proc/kallsyms`; those
/// whose address is hidden are left out.
#[must_use]
pub fn functions(kallsyms: &str, prefix: &str) -> HashMap<String, u64> {
    symbols(kallsyms)
        .filter(|symbol| symbol.name.starts_with(prefix))
        .filter(|symbol| symbol.kind.eq_ignore_ascii_case(&b't') || symbol.kind == b'W')
        .map(|symbol| (symbol.name.to_owned(), symbol.address))
        .collect()
}

/// Symbols of the text of `/proc/kallsyms`, without those whose address is hidden.
pub fn symbols(kallsyms: &str) -> impl Iterator<Item = SymbolEntry<'_>> {
    kallsyms.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok().filter(|at| *at != 0)?;
        let kind = *words.next()?.as_bytes().first()?;
        let name = words.next()?;
        let module = words.next().map_or("vmlinux", |word| word.trim_matches(['[', ']']));
        Some(SymbolEntry { kind, size: 0, address, name, module })
    })
}

/// The kernel's symbols as the session wants them; the text is looked at when one is asked for.
#[must_use]
pub fn symbol_table(kallsyms: String) -> SymbolTable {
    SymbolTable::later(kallsyms, |text| symbols(text).collect())
}

/// The text of `/proc/kallsyms`.
///
/// # Errors
/// It cannot be read.
pub fn kallsyms() -> io::Result<String> {
    fs::read_to_string("/proc/kallsyms")
}

/// The types of the kernel and its modules, the kernel's first.
///
/// # Errors
/// The kernel has no BTF, or it may not be read.
pub fn types() -> io::Result<Vec<TypeBlob>> {
    let blob = |module: &str| {
        let bytes = fs::read(Path::new(BTF).join(module))?;
        Ok::<_, io::Error>(TypeBlob { module: module.to_owned(), format: TypeFormat::Btf, bytes })
    };
    let mut all = vec![blob("vmlinux")?];
    let mut modules: Vec<String> = fs::read_dir(BTF)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "vmlinux")
        .collect();
    modules.sort_unstable();
    // A module may be unloaded while it is read.
    all.extend(modules.iter().filter_map(|module| blob(module).ok()));
    Ok(all)
}

/// Types without a machine around them.
#[derive(Clone, Copy, Debug)]
pub struct TypeWorld<'a>(pub &'a [TypeBlob]);

impl World for TypeWorld<'_> {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        self.0.iter().map(TypeBlob::container).collect()
    }

    fn symbol(&self, _module: Option<&str>, _name: &str) -> Option<Symbol> {
        None
    }

    fn matches(&self, _desc: &ProbeDesc) -> usize {
        0
    }

    fn arg_types(&self, _desc: &ProbeDesc) -> ArgTypes {
        ArgTypes::Untyped
    }

    fn name(&self) -> &str {
        "host"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000100 t helper
ffffffff81000200 W weak
ffffffffc0000000 t ext4_read\t[ext4]
ffffffff82000000 D jiffies
not a line
";

    #[test]
    fn symbols_have_their_modules() {
        let table = symbol_table(TEXT.to_owned());
        assert_eq!(table.len(), 5);
        assert_eq!(table.find(None, "ext4_read").unwrap().module, "ext4");
        assert_eq!(table.find(Some("vmlinux"), "jiffies").unwrap().address, 0xffff_ffff_8200_0000);
    }

    #[test]
    fn functions_are_text_only() {
        let all = functions(TEXT, "");
        assert_eq!(all.len(), 4);
        assert!(!all.contains_key("jiffies"));
        assert_eq!(functions(TEXT, "hel").into_keys().collect::<Vec<_>>(), ["helper"]);
    }
}
