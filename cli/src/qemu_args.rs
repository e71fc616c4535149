//! `hypertrace qemu-args`: what joins a VM of the user's own to HyperTrace.
//!
//! Three things are added to a `qemu-system-x86_64` command line: guest memory that the plugin can
//! map a second time (a shared memory object), the machine's use of it, and the plugin with the
//! VM's name.

use std::path::{Path, PathBuf};

/// Arguments of `hypertrace qemu-args`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM's name: what scripts call `vmname` and match with their target.
    name: String,
    /// The VM's memory, the same as QEMU's -m (512M, 4G).
    #[arg(long, default_value = "512M")]
    memory: String,
    /// The plugin, if it does not lie beside this program.
    #[arg(long)]
    plugin: Option<PathBuf>,
    /// One argument a line instead of all on one, for scripts.
    #[arg(long)]
    lines: bool,
}

/// Why no arguments were printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A VM's name becomes a file name and a glob's subject.
    #[error(
        "bad VM name '{0}': 1 to 63 letters, digits, '.', '_' or '-', the first a letter or a digit"
    )]
    Name(String),
    /// Not a size QEMU would take.
    #[error("bad memory size '{0}': a number with suffix M or G, as QEMU's -m takes it")]
    Memory(String),
    /// No plugin.
    #[error("no plugin at {}: build it with `cargo build --release -p hypertrace-qemu`, or name it with --plugin", .0.display())]
    Plugin(PathBuf),
    /// QEMU splits option values at commas.
    #[error("the plugin's path {} has a comma or white space: QEMU would split it there", .0.display())]
    Path(PathBuf),
}

/// The arguments to add.
///
/// # Errors
/// If the name, the size or the plugin cannot be used.
pub fn arguments(args: &Args) -> Result<Vec<String>, Error> {
    if !valid_name(&args.name) {
        return Err(Error::Name(args.name.clone()));
    }
    let digits = args.memory.strip_suffix(['M', 'G', 'm', 'g']);
    if digits.is_none_or(|digits| {
        digits.parse::<u32>().is_ok_and(|n| n == 0) || digits.parse::<u32>().is_err()
    }) {
        return Err(Error::Memory(args.memory.clone()));
    }
    let plugin = args.plugin.clone().unwrap_or_else(beside_us);
    let plugin = plugin.canonicalize().map_err(|_| Error::Plugin(plugin))?;
    if plugin.to_string_lossy().contains([',', ' ', '\t', '\n']) {
        return Err(Error::Path(plugin));
    }
    Ok(vec![
        "-object".to_owned(),
        format!("memory-backend-memfd,id=htmem,size={},share=on", args.memory),
        "-machine".to_owned(),
        "memory-backend=htmem".to_owned(),
        "-plugin".to_owned(),
        format!("{},name={}", plugin.display(), args.name),
    ])
}

/// Prints the arguments as the user asked for them.
///
/// # Errors
/// As [`arguments`].
pub fn run(args: &Args) -> Result<(), Error> {
    let words = arguments(args)?;
    println!("{}", words.join(if args.lines { "\n" } else { " " }));
    Ok(())
}

fn valid_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(rest)
}

fn beside_us() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.parent().unwrap_or(Path::new("")).join("libhypertrace_qemu.so")
}

#[cfg(test)]
mod tests {
    use super::{Args, Error, arguments};

    fn args(name: &str, memory: &str) -> Args {
        Args {
            name: name.to_owned(),
            memory: memory.to_owned(),
            plugin: std::env::current_exe().ok(),
            lines: false,
        }
    }

    #[test]
    fn name_and_memory_stand_where_qemu_looks_for_them() {
        let words = arguments(&args("vm-web-0", "256M")).unwrap();
        assert!(words.contains(&"memory-backend-memfd,id=htmem,size=256M,share=on".to_owned()));
        assert!(words.last().is_some_and(|word| word.ends_with(",name=vm-web-0")));
    }

    #[test]
    fn names_that_would_leave_the_run_directory_are_refused() {
        for name in ["", "../x", "a/b", "a,b", ".hidden", "-n", "a b"] {
            assert!(matches!(arguments(&args(name, "256M")), Err(Error::Name(_))), "{name}");
        }
    }

    #[test]
    fn sizes_without_a_unit_are_refused() {
        for memory in ["", "256", "M", "0M", "1T2"] {
            assert!(matches!(arguments(&args("a", memory)), Err(Error::Memory(_))), "{memory}");
        }
    }
}
