//! Machines whose owner or kernel withholds something from `dtrace`, as near to the real thing as a
//! process can come: it has fewer capabilities, or sees other files.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use xtask::programs;

/// What a machine lacks.
#[derive(Clone, Copy, Debug)]
pub struct Restricted {
    /// In words.
    pub name: &'static str,
    /// A shell's commands that run their arguments without it.
    without: &'static str,
    /// What the line about it says.
    pub says: &'static str,
    /// The host's system calls are probes still.
    pub has_host: bool,
}

/// Everything that may be missing.
pub const ALL: [Restricted; 4] = [
    Restricted {
        name: "no capabilities",
        without: r#"exec /usr/bin/setpriv --bounding-set=-all --inh-caps=-all -- "$@""#,
        says: "that takes CAP_BPF and CAP_PERFMON",
        has_host: false,
    },
    // What the kernel says of itself; a guest that is locked down is booted elsewhere.
    Restricted {
        name: "locked down",
        without: r#"exec unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/security &&
            echo "none integrity [confidentiality]" > /sys/kernel/security/lockdown &&
            exec "$@"' sh "$@""#,
        says: "locked down (confidentiality)",
        has_host: false,
    },
    Restricted {
        name: "no types",
        without: r#"exec unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh "$@""#,
        says: "no BTF",
        has_host: true,
    },
    // Neither mounted, nor may it be.
    Restricted {
        name: "no event descriptions",
        without: r#"exec unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/tracing &&
            mount -t tmpfs none /sys/kernel/debug &&
            exec /usr/bin/setpriv --bounding-set=-all,+bpf,+perfmon,+syslog \
                --inh-caps=-all,+bpf,+perfmon,+syslog -- "$@"' sh "$@""#,
        says: "no tracefs",
        has_host: true,
    },
];

/// What a restricted `dtrace` printed: standard output, standard error, and the lines of that about
/// the host.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The lines of standard error that begin with the host's name.
    pub host: Vec<String>,
}

impl Restricted {
    /// Runs `dtrace` so.
    ///
    /// # Errors
    /// If no shell can be started.
    pub fn dtrace(&self, run_dir: &Path, arguments: &[&str]) -> Result<Said> {
        let output = Command::new("sh")
            .args(["-c", self.without, "sh"])
            .arg(programs::path("dtrace"))
            .args(arguments)
            .env("HYPERTRACE_DIR", run_dir)
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let is_about_host = |line: &&str| line.starts_with("dtrace: host:");
        let host = err.lines().filter(is_about_host).map(str::to_owned).collect();
        Ok(Said { out, err, host })
    }
}
