//! The system calls of the running kernel.
//!
//! Numbers and names are those of the x86-64 ABI; which of them this kernel has is seen from its
//! symbols, and what they take from its event descriptions. The Linux guest module names them
//! alike: after the kernel's functions, without the `new` of `newstat` and its like.

use std::collections::HashMap;

use super::tracefs::Tracefs;

/// What every system call's function begins with on x86-64.
pub const PREFIX: &str = "__x64_sys_";

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub number: u32,
    /// Its name (`read`).
    pub name: String,
    /// The types of its arguments, comma separated; empty if they are not known.
    pub args: String,
    /// How many arguments it has; 6 if that is not known.
    pub nargs: u8,
}

/// Names under which a call's function may be known, apart from its own, and what users know it
/// by then.
fn aliases(name: &str) -> [(String, String); 2] {
    let own = match name {
        "sendfile" => "sendfile64",
        "umount2" => "umount",
        other => other,
    };
    // `newstat` is what a user knows as stat.
    [(format!("{PREFIX}new{own}"), own.to_owned()), (format!("{PREFIX}{own}"), own.to_owned())]
}

/// All calls of this kernel. `functions` has the addresses of functions by name; without any, every
/// call of the ABI is taken to exist.
#[must_use]
pub fn calls(functions: &HashMap<String, u64>, tracefs: Option<&Tracefs>) -> Vec<Call> {
    let missing = functions.get(&format!("{PREFIX}ni_syscall"));
    let has_any = functions.keys().any(|name| name.starts_with(PREFIX));
    let mut out = Vec::new();
    for call in syscalls::Sysno::iter() {
        let Ok(number) = u32::try_from(call.id()) else { continue };
        let names = aliases(call.name());
        let found = names.iter().find(|(function, _)| functions.contains_key(function));
        let (function, name) = match found {
            // The table's place is taken by the call that does nothing.
            Some((function, _)) if functions.get(function) == missing => continue,
            Some(found) => found,
            None if has_any => continue,
            None => &names[1],
        };
        let event = function.strip_prefix(PREFIX).unwrap_or(name);
        let types = tracefs.and_then(|tracefs| argument_types(tracefs, event));
        let nargs = types.as_ref().map_or(6, Vec::len);
        out.push(Call {
            number,
            name: name.clone(),
            args: types.unwrap_or_default().join(", "),
            nargs: u8::try_from(nargs).unwrap_or(6),
        });
    }
    out
}

fn argument_types(tracefs: &Tracefs, event: &str) -> Option<Vec<String>> {
    let format = tracefs.read(&format!("events/syscalls/sys_enter_{event}/format")).ok()?;
    Some(parse_format(&format))
}

/// The types of the fields after `__syscall_nr`.
fn parse_format(text: &str) -> Vec<String> {
    let fields = text.lines().filter_map(|line| line.trim().strip_prefix("field:"));
    let declared = fields.filter_map(|field| field.split(';').next());
    declared
        .skip_while(|field| !field.ends_with("__syscall_nr"))
        .skip(1)
        // Newer kernels add the text that an argument points to, which is none.
        .filter(|field| !field.starts_with("__data_loc"))
        .filter_map(|field| {
            let end = field.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
            Some(field.get(..=end)?.trim().to_owned())
        })
        .take(6)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENAT: &str = "name: sys_enter_openat
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;
\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;
\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;
\tfield:int flags;\toffset:32;\tsize:8;\tsigned:0;
\tfield:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] __filename_val;\toffset:48;\tsize:4;\tsigned:0;

print fmt: \"dfd: 0x%08lx\", ((unsigned long)(REC->dfd))
";

    #[test]
    fn argument_types_are_the_fields_after_the_number() {
        assert_eq!(parse_format(OPENAT), ["int", "const char *", "int", "umode_t"]);
        assert!(parse_format("").is_empty());
    }

    /// A call that the kernel was built without, or that has no function, is no probe.
    #[test]
    fn only_calls_that_do_something_are_listed() {
        let functions: HashMap<String, u64> = [
            ("__x64_sys_read", 1),
            ("__x64_sys_newstat", 2),
            ("__x64_sys_umount", 3),
            ("__x64_sys_bpf", 9),
            ("__x64_sys_ni_syscall", 9),
        ]
        .map(|(name, address)| (name.to_owned(), address))
        .into();
        let found: Vec<_> =
            calls(&functions, None).into_iter().map(|call| (call.number, call.name)).collect();
        let expected = [(0, "read"), (4, "stat"), (166, "umount")];
        assert_eq!(found, expected.map(|(number, name)| (number, name.to_owned())));
    }

    /// Where the kernel hides its symbols, all calls of the ABI can still be asked for.
    #[test]
    fn without_symbols_every_call_is_listed() {
        let all = calls(&HashMap::new(), None);
        assert!(all.len() > 300);
        assert!(all.iter().any(|call| call.name == "openat" && call.nargs == 6));
    }
}
