//! Probes of user programs: `pid$target`, and those that programs declare themselves (USDT).
//!
//! ```text
//!  pid1234:libc.so.6:malloc:entry      shop1234:::order-done
//!   │      │         │      └ entry, return, or an instruction's offset in hexadecimal
//!   │      │         └ a symbol of the object's          │
//!   │      └ an object mapped in the process              └ a note of .note.stapsdt
//!   └ provider and process
//! ```
//! Which there are is found when a script asks for them: the process's executable mappings say
//! which objects it has, their ELF files which functions and notes. Each becomes a uprobe of that
//! process alone. What the process loads later (dlopen) is not seen.

mod arguments;
pub mod entry;
mod functions;
mod notes;
mod object;

use std::borrow::Cow;

use consumer::glob;
use dif::program::ProbeDesc;
use ebpf::site::Value;
use hypercall::ProbeKind;

use self::object::{Mapped, Object};
use super::{
    catalog::{KernelProbe, Source},
    hook::{Hook, Place},
};

/// The most probes that one description makes; the rest is counted as not instrumented.
pub const MOST: usize = 20_000;

/// What a description made.
#[derive(Debug, Default)]
pub struct Provided {
    /// The probes.
    pub probes: Vec<KernelProbe>,
    /// How many there were beyond [`MOST`].
    pub left_out: u32,
}

/// The name and the process of a provider: `pid1234` is `pid` and 1234.
#[must_use]
pub fn split(provider: &str) -> Option<(&str, u32)> {
    let name = provider.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let pid = provider.get(name.len()..)?.parse().ok().filter(|pid| *pid > 0)?;
    let plain = !name.is_empty() && !name.contains(['*', '?', '[', '\\']);
    plain.then_some((name, pid))
}

/// The probes of a process that a description asks for; none if the process or what it asks for is
/// not there.
#[must_use]
pub fn provide(desc: &ProbeDesc) -> Provided {
    let mut provided = Provided::default();
    let Some((name, pid)) = split(&desc.provider) else { return provided };
    for mapped in object::mapped(pid).into_iter().filter(|one| one.is_called(&desc.module)) {
        let Some(file) = mapped.read() else { continue };
        let Some(object) = Object::parse(&file) else { continue };
        let target = Target { desc, pid, mapped: &mapped, object: &object };
        match name {
            "pid" => functions::find(&target, &mut provided),
            _ => notes::find(&target, name, &mut provided),
        }
    }
    provided
}

/// The object's own name, where a description calls it by another (`a.out`, `libc`).
#[must_use]
pub fn module_of(desc: &ProbeDesc) -> Option<String> {
    let (_, pid) = split(&desc.provider)?;
    if desc.module.is_empty() {
        return None;
    }
    let all = object::mapped(pid);
    let own = all.iter().any(|one| glob::matches(&desc.module, &one.name));
    let mut called = all.into_iter().filter(|one| one.is_called(&desc.module));
    called.next().filter(|_| !own).map(|one| one.name)
}

/// An object that may have what is asked for.
struct Target<'a> {
    desc: &'a ProbeDesc,
    pid: u32,
    mapped: &'a Mapped,
    object: &'a Object<'a>,
}

impl Target<'_> {
    fn hook(&self, offset: u64, on_return: bool, semaphore: Option<u64>) -> Hook {
        let path = self.mapped.path.clone();
        Hook::User { path, offset, on_return, pid: Some(self.pid), semaphore }
    }

    fn probe(&self, function: &str, name: &str, hook: Hook, args: Vec<Value>) -> KernelProbe {
        let nargs = u8::try_from(args.len()).unwrap_or(u8::MAX);
        let place =
            Place { hook, key: None, source: ebpf::site::Source { args, ..Default::default() } };
        KernelProbe {
            provider: Cow::Owned(self.desc.provider.clone()),
            module: self.mapped.name.clone(),
            function: function.to_owned(),
            name: name.to_owned(),
            args: String::new(),
            kind: ProbeKind::Other,
            nargs,
            source: Source::Places(vec![place]),
        }
    }
}

impl Provided {
    fn push(&mut self, probe: KernelProbe) {
        if self.probes.len() < MOST {
            self.probes.push(probe);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider's process is the number at its end; without one, or with a star, it is none.
    #[test]
    fn providers_name_their_process() {
        assert_eq!(split("pid12"), Some(("pid", 12)));
        assert_eq!(split("shop2go77"), Some(("shop2go", 77)));
        for none in ["pid", "pid0", "123", "pid*", "p*7", "", "pid99999999999"] {
            assert_eq!(split(none), None, "{none}");
        }
    }

    fn desc(module: &str, function: &str, name: &str) -> ProbeDesc {
        ProbeDesc {
            provider: format!("pid{}", std::process::id()),
            module: module.to_owned(),
            function: function.to_owned(),
            name: name.to_owned(),
            ..ProbeDesc::default()
        }
    }

    /// This very program's functions are found by their names, at `a.out` and at its own name, with
    /// offsets only where instructions begin.
    #[test]
    fn a_programs_functions_are_found() {
        let all = |module, name| provide(&desc(module, "main", name)).probes;
        let names = |probes: &[KernelProbe]| {
            probes.iter().map(|probe| probe.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&all("a.out", "entry")), ["entry"]);
        assert_eq!(names(&all("", "return")), ["return"]);
        assert_eq!(names(&all("", "0")), ["0"]);
        assert!(names(&all("", "zz")).is_empty());
        let every = names(&all("a.out", ""));
        assert!(every.starts_with(&["entry".into(), "return".into(), "0".into()]), "{every:?}");
        let here = all("a.out", "entry")[0].places(None);
        let Hook::User { pid, offset, .. } = &here[0].hook else { panic!() };
        assert_eq!(*pid, Some(std::process::id()));
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert!(usize::try_from(*offset).unwrap() < file.len());
        assert!(provide(&desc("no-such-object", "", "entry")).probes.is_empty());
    }

    /// Libraries are known by their name, and by what stands before `.so`.
    #[test]
    fn libraries_are_found_by_their_names() {
        let probes = provide(&desc("libc.so.6", "malloc", "entry")).probes;
        assert_eq!(probes.iter().map(|probe| &*probe.module).collect::<Vec<_>>(), ["libc.so.6"]);
        for name in ["libc", "libc.so", "libc.so*"] {
            assert_eq!(probes, provide(&desc(name, "malloc", "entry")).probes, "{name}");
        }
        let module = |name| module_of(&desc(name, "malloc", "entry"));
        assert_eq!(module("libc").as_deref(), Some("libc.so.6"));
        for name in ["libc.so.6", "libc.*", "", "lib", "no-such-object"] {
            assert_eq!(module(name), None, "{name}");
        }
        let own = std::env::current_exe().unwrap();
        assert_eq!(module("a.out").as_deref(), own.file_name().unwrap().to_str());
    }
}
