//! Prints Rust bindings of bhyve's user ABI, made from one release's headers.
//!
//! ```text
//! bhyve-sys-gen INCLUDES __FreeBSD_version CLANG_INCLUDES SCRATCH > bindings.rs
//! ```
//! `INCLUDES` has `x86_64-freebsd-none` and `generic-freebsd`, as the Zig distribution lays a
//! FreeBSD's /usr/include out.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// What the checked-in files begin with.
const HEAD: &str = "// Written by `cargo xtask freebsd bindings`; not to be changed by hand.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [includes, version, clang, scratch] = words.as_slice() else {
        eprintln!("usage: bhyve-sys-gen INCLUDES __FreeBSD_version CLANG_INCLUDES SCRATCH");
        return ExitCode::FAILURE;
    };
    match bindings(Path::new(includes), version, clang, Path::new(scratch)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bhyve-sys-gen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The bindings' text. Only what `machine/vmm.h` and `machine/vmm_dev.h` themselves define, with
/// an assertion for every size, alignment and offset.
fn bindings(
    includes: &Path,
    version: &str,
    clang: &str,
    scratch: &Path,
) -> Result<String, Box<dyn Error>> {
    let system = |dir: &Path| ["-isystem".to_owned(), dir.display().to_string()];
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrapper.h");
    let bindings = bindgen::builder()
        .header(wrapper.display().to_string())
        .clang_args(["--target=x86_64-unknown-freebsd", "-nostdinc"])
        .clang_arg(format!("-D__FreeBSD_version={version}"))
        .clang_args(system(Path::new(clang)))
        .clang_args(system(&includes.join("x86_64-freebsd-none")))
        .clang_args(system(&includes.join("generic-freebsd")))
        .allowlist_file(r".*/machine/vmm(_dev)?\.h")
        // The ioctls' numbers are calls of macros; clang's own evaluation finds their values.
        .clang_macro_fallback()
        .clang_macro_fallback_build_dir(scratch)
        .layout_tests(true)
        .generate_comments(false)
        .disable_header_comment()
        .raw_line(HEAD)
        .generate()?;
    Ok(bindings.to_string())
}
