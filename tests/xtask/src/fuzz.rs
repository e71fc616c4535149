//! `cargo xtask fuzz`: the fuzz targets, with libFuzzer and the stable compiler.
//!
//! The targets lie in `tests/fuzz`, each for a place where foreign bytes are read.
//! The coverage instrumentation that libFuzzer is guided by is LLVM's and needs no nightly compiler,
//! only flags. What a run found worth keeping stays in `target/fuzz/corpus`, so that the next one
//! goes on from there; an input that breaks something is kept, and its path is the error.

use std::{
    fs::{self, File},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{deps, paths, run::output};

/// The package of the targets.
const PACKAGE: &str = "tests/fuzz";

/// A fuzz target.
struct Target {
    /// Its binary.
    name: &'static str,
    /// Folders with inputs to start from.
    seeds: &'static [&'static str],
}

/// Every fuzz target.
const TARGETS: &[Target] = &[
    Target { name: "dof_load", seeds: &["tests/fuzz/seeds/dof_load"] },
    Target { name: "verify_and_run", seeds: &["tests/fuzz/seeds/verify_and_run"] },
    Target {
        name: "compile",
        seeds: &["dif/compiler/tests/golden", "dif/compiler/tests/programs", "tests/golden"],
    },
    Target { name: "types", seeds: &[] },
    Target { name: "ctf", seeds: &[] },
    Target { name: "dwarf", seeds: &[] },
    Target { name: "saved", seeds: &["tests/fuzz/seeds/saved"] },
    Target { name: "walk", seeds: &[] },
    Target { name: "descriptor", seeds: &[] },
    Target { name: "guest", seeds: &[] },
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
    --cfg fuzzing";

/// How many run side by side.
const AT_ONCE: usize = 2;

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
    let targets: Vec<&Target> = TARGETS.iter().filter(|target| chosen(target.name)).collect();
    build(&targets)?;
    for target in &targets {
        match target.name {
            "types" => types_seed()?,
            "dwarf" => dwarf_seed()?,
            _ => {}
        }
    }
    for pair in targets.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let runs: Vec<_> =
                pair.iter().map(|target| scope.spawn(|| one(target, seconds))).collect();
            runs.into_iter()
                .try_for_each(|run| run.join().map_err(|_| anyhow!("a thread panicked"))?)
        })?;
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

/// Builds targets.
fn build(targets: &[&Target]) -> Result<()> {
    let manifest = paths::root().join(PACKAGE).join("Cargo.toml");
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(["build", "--quiet", "--release", "--target", PLATFORM])
        .args(targets.iter().map(|target| format!("--bin={}", target.name)))
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
        .env("RUSTFLAGS", RUSTFLAGS)
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the fuzz targets do not build");
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
