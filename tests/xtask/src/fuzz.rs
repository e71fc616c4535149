//! `cargo xtask fuzz`: the fuzz targets, with libFuzzer and the stable compiler.
//!
//! Each target lies in the `fuzz` folder of the crate whose reading of foreign bytes it exercises.
//! The coverage instrumentation that libFuzzer is guided by is LLVM's and needs no nightly compiler,
//! only flags. What a run found worth keeping stays in `target/fuzz/corpus`, so that the next one
//! goes on from there; an input that breaks something is kept, and its path is the error.

use std::{
    fs::{self, File},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{deps, paths, run::output};

/// A fuzz target.
struct Target {
    /// The folder of its workspace.
    folder: &'static str,
    /// Its binary.
    name: &'static str,
    /// Folders with inputs to start from.
    seeds: &'static [&'static str],
}

/// Every fuzz target.
const TARGETS: &[Target] = &[
    Target { folder: "dif/fuzz", name: "dof_load", seeds: &["dif/fuzz/seeds/dof_load"] },
    Target {
        folder: "dif/fuzz",
        name: "verify_and_run",
        seeds: &["dif/fuzz/seeds/verify_and_run"],
    },
    Target {
        folder: "dif/compiler/fuzz",
        name: "compile",
        seeds: &["dif/compiler/tests/golden", "dif/compiler/tests/programs", "tests/golden"],
    },
    Target { folder: "dif/compiler/fuzz", name: "types", seeds: &[] },
    Target { folder: "dif/compiler/fuzz", name: "ctf", seeds: &[] },
    Target { folder: "dif/compiler/fuzz", name: "dwarf", seeds: &[] },
    Target {
        folder: "dif/compiler/fuzz",
        name: "saved",
        seeds: &["dif/compiler/fuzz/seeds/saved"],
    },
    Target { folder: "npt/fuzz", name: "walk", seeds: &[] },
    Target { folder: "vmm-shim/abi/fuzz", name: "descriptor", seeds: &[] },
    Target { folder: "vmm-shim/core/fuzz", name: "guest", seeds: &[] },
];

/// C whose types the target `types` asks for.
const TYPES_SOURCE: &str = "enum e { ONE = 1, LAST = -2 }; typedef enum e e_t;\n\
    struct list { struct list *next; };\n\
    struct a { int b; char c[16]; struct { unsigned d : 3; long e : 40; }; struct list list;\n\
    e_t kind; const volatile char *name; int (*call)(struct a *, e_t); } first;\n\
    union u { struct a a; double f; } second; e_t third;\n\
    int use(struct a *a, union u *u) { return a->b + u->a.d + third; }\n";

/// The platform the targets are built for. Named, so that build scripts are not instrumented.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Edge counters, their table and compared values: what libFuzzer reads.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only the target of this name.
    target: Option<String>,
}

/// Builds and runs the targets.
///
/// # Errors
/// If one cannot be built, there is no such target, or an input broke something.
pub fn run(args: &Args) -> Result<()> {
    deps::ensure()?;
    let chosen = |name: &str| args.target.as_deref().is_none_or(|only| only == name);
    if !TARGETS.iter().any(|target| chosen(target.name)) {
        let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("no such fuzz target; there are: {}", known.join(", "));
    }
    every(args.seconds, &chosen)
}

/// Runs the chosen targets for so many seconds each.
///
/// # Errors
/// As [`run`].
pub(crate) fn every(seconds: u32, chosen: &dyn Fn(&str) -> bool) -> Result<()> {
    for target in TARGETS.iter().filter(|target| chosen(target.name)) {
        build(target)?;
        match target.name {
            "types" => types_seed()?,
            "dwarf" => dwarf_seed()?,
            _ => {}
        }
        one(target, seconds)?;
    }
    Ok(())
}

/// Makes an object file with debugging information of a type of every kind.
fn dwarf_seed() -> Result<()> {
    let place = paths::target().join("fuzz");
    let folder = place.join("corpus/dwarf");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let source = place.join("types.c");
    fs::write(&source, TYPES_SOURCE)
        .with_context(|| format!("cannot write {}", source.display()))?;
    output(Command::new("gcc").args(["-g", "-c", "-o"]).arg(folder.join("kinds")).arg(&source))?;
    Ok(())
}

/// Makes a small container with a type of every kind, as a compiler and pahole make a kernel's.
fn types_seed() -> Result<()> {
    let place = paths::target().join("fuzz");
    let folder = place.join("corpus/types");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (source, object) = (place.join("types.c"), place.join("types.o"));
    let container = place.join("types.btf");
    fs::write(&source, TYPES_SOURCE)
        .with_context(|| format!("cannot write {}", source.display()))?;
    output(Command::new("gcc").args(["-g", "-c", "-o"]).arg(&object).arg(&source))?;
    let detached = format!("--btf_encode_detached={}", container.display());
    output(Command::new("pahole").arg(detached).arg(&object))?;
    let mut seed = vec![0];
    seed.extend(fs::read(&container).context("pahole wrote no container")?);
    fs::write(folder.join("kinds"), seed).context("cannot write the seed")
}

/// Builds one target, all of them into one folder, since they share libFuzzer.
fn build(target: &Target) -> Result<()> {
    let manifest = paths::root().join(target.folder).join("Cargo.toml");
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(["build", "--quiet", "--release", "--target", PLATFORM, "--bin"])
        .arg(target.name)
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
        .env("RUSTFLAGS", RUSTFLAGS)
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the fuzz target {} of {} does not build", target.name, manifest.display());
    }
    Ok(())
}

/// Runs one target. What libFuzzer prints goes into a file; how many inputs it ran is shown.
fn one(target: &Target, seconds: u32) -> Result<()> {
    let name = target.name;
    let place = paths::target().join("fuzz");
    let corpus = place.join("corpus").join(name);
    let found = place.join("found");
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = place.join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let program = place.join(PLATFORM).join("release").join(name);
    let mut command = Command::new(&program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .arg(&corpus)
        .args(target.seeds.iter().map(|seeds| paths::root().join(seeds)))
        .stderr(file);
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    if !status.success() {
        bail!(
            "the fuzz target {name} broke ({status}); the input is in {}: run `{} FILE` to see it \
             again. It said:\n{}",
            found.display(),
            program.display(),
            said.lines().filter(|line| !line.contains("# Uses:")).collect::<Vec<_>>().join("\n")
        );
    }
    let ran = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("fuzzed {name} for {seconds} s: {} inputs", ran.map_or("?", str::trim));
    Ok(())
}
