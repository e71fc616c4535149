//! The C headers of the guest modules, printed from `hypercall`'s own tables.
//!
//! They are checked in, so that a guest's owner can build the module with a C compiler and
//! nothing else; a test says when one is stale.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail};
use hypercall::layout::{CEnum, CONSTS, CStruct, ENUMS, STRUCTS};
use hypercall::standard::{LinuxHook, STANDARD, StandardProbe};

use crate::paths;

/// Arguments of `cargo xtask header`.
#[derive(clap::Args)]
pub struct Args {
    /// Only says whether the checked-in header is current.
    #[arg(long)]
    check: bool,
}

/// Writes or checks the header.
///
/// # Errors
/// If the file cannot be read or written, or is stale under `--check`.
pub fn run(args: &Args) -> Result<()> {
    for (name, text) in [("hypertrace_abi.h", generate()), ("hypertrace_probes.h", probes())] {
        let path = paths::root().join("guest-kmod/include").join(name);
        if !args.check {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            continue;
        }
        let found =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        if found != text {
            bail!("{} is stale: run `cargo xtask header`", path.display());
        }
    }
    Ok(())
}

/// The standard probes and their places, as lists for macros.
fn probes() -> String {
    let mut out = String::from(PROBES_PROLOGUE);
    out.push_str("/* X(enumerator, kind, provider, name, function, arguments, their types) */\n");
    out.push_str("#define HT_STANDARD_PROBES(X)");
    for one in STANDARD {
        let (id, kind) = (enumerator(one), if one.provider == "io" { "IO" } else { "PROC" });
        let StandardProbe { provider, name, function, nargs, args, .. } = one;
        let _ = write!(
            out,
            " \\\n\tX({id}, HT_PROBE_KIND_{kind}, \"{provider}\", \"{name}\", \"{function}\", {nargs}, \\\n\t  \"{args}\")"
        );
    }
    out.push_str("\n\n/* X(enumerator, TRACEPOINT, ENTRY, RETURN or SYSCALL_RETURN, its name), the best first */\n");
    out.push_str("#define HT_STANDARD_HOOKS(X)");
    for one in STANDARD {
        for hook in one.hooks {
            let (how, name) = match hook {
                LinuxHook::Tracepoint(name) => ("TRACEPOINT", name),
                LinuxHook::Entry(name) => ("ENTRY", name),
                LinuxHook::Return(name) => ("RETURN", name),
                LinuxHook::SyscallReturn(name) => ("SYSCALL_RETURN", name),
            };
            let _ = write!(out, " \\\n\tX({}, {how}, \"{name}\")", enumerator(one));
        }
    }
    out.push_str("\n\n#endif /* HYPERTRACE_PROBES_H */\n");
    out
}

/// `proc:::lwp-exit` as `HT_PROC_LWP_EXIT`.
fn enumerator(probe: &StandardProbe) -> String {
    format!("HT_{}_{}", probe.provider, probe.name.replace('-', "_")).to_uppercase()
}

const PROBES_PROLOGUE: &str = "/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * D's standard probes and where a Linux kernel has them.
 * Written by `cargo xtask header` from vmm-shim/abi; change it there.
 */
#ifndef HYPERTRACE_PROBES_H
#define HYPERTRACE_PROBES_H

";

/// The header's text.
fn generate() -> String {
    let mut out = String::from(PROLOGUE);
    for c in CONSTS {
        let _ = writeln!(out, "#define HT_{:<24} {:#x}u", c.name, c.value);
    }
    let bytes: Vec<String> = hypercall::DOORBELL.iter().map(|b| format!("{b:#04x}")).collect();
    let _ = writeln!(out, "/* mov [rdi + HT_DOORBELL_DISPLACEMENT], rsi */");
    let _ = writeln!(out, "#define HT_DOORBELL_BYTES \"{}\"", bytes.join(", "));
    ENUMS.iter().for_each(|e| print_enum(&mut out, e));
    STRUCTS.iter().for_each(|s| print_struct(&mut out, s));
    out.push_str("\n#endif /* HYPERTRACE_ABI_H */\n");
    out
}

const PROLOGUE: &str = "/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The hypercall descriptor and its calls.
 * Written by `cargo xtask header` from vmm-shim/abi; change it there.
 */
#ifndef HYPERTRACE_ABI_H
#define HYPERTRACE_ABI_H

#ifdef __linux__
#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/build_bug.h>
#else
#include <sys/types.h>
#include <sys/stddef.h>
#endif

";

/// An enumeration or flag word, one constant a value.
fn print_enum(out: &mut String, e: &CEnum) {
    out.push('\n');
    print_docs(out, "", e.docs);
    let _ = writeln!(out, "enum ht_{} {{", snake(e.name));
    for value in e.values {
        print_docs(out, "\t", value.docs);
        let name = format!("HT_{}_{}", snake(e.name), snake(value.name)).to_uppercase();
        let _ = writeln!(out, "\t{name} = {},", value.value);
    }
    out.push_str("};\n");
}

/// A struct, and assertions that the C compiler lays it out alike.
fn print_struct(out: &mut String, s: &CStruct) {
    let name = snake(s.name);
    out.push('\n');
    print_docs(out, "", s.docs);
    let _ = writeln!(out, "struct ht_{name} {{");
    for f in s.fields {
        print_docs(out, "\t", f.docs);
        let array = if f.elements == 0 { String::new() } else { format!("[{}]", f.elements) };
        let _ = writeln!(out, "\t{} {}{array};", f.c_type, f.name);
    }
    out.push_str("};\n");
    let _ = writeln!(out, "_Static_assert(sizeof(struct ht_{name}) == {}, \"size\");", s.size);
    for f in s.fields {
        let field = f.name;
        let _ = writeln!(
            out,
            "_Static_assert(offsetof(struct ht_{name}, {field}) == {}, \"{field}\");",
            f.offset
        );
    }
}

/// Doc lines as one comment.
fn print_docs(out: &mut String, indent: &str, docs: &[&str]) {
    let text = docs.iter().map(|d| d.trim()).collect::<Vec<_>>().join(&format!("\n{indent} * "));
    let _ = writeln!(out, "{indent}/* {text} */");
}

/// `FreeBsd` to `free_bsd`; names already in capitals are lowered.
fn snake(name: &str) -> String {
    let capitals = name.chars().all(|c| !c.is_ascii_lowercase());
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 && !capitals {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest module built from the checked-in header speaks what the host speaks.
    #[test]
    fn checked_in_header_is_current() {
        run(&Args { check: true }).expect("the header is current");
    }

    /// Names come out as C programmers write them.
    #[test]
    fn names_are_snake_case() {
        assert_eq!(snake("FreeBsd"), "free_bsd");
        assert_eq!(snake("UREGS"), "uregs");
        assert_eq!(snake("V1"), "v1");
    }
}
