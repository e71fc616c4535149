//! `hypertrace list` and `hypertrace stats`: what machines there are and what their shims count.

use std::io::{self, Write};

use consumer::{
    discover::{self, Watcher},
    link::{LinkError, MachineLink},
    machine::os_version,
};

use crate::machines::PATIENCE;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The machine cannot be asked.
    #[error("{name}: {error}")]
    Link {
        /// Its name.
        name: String,
        /// Why.
        error: LinkError,
    },
    /// Output failed.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Lists the VMs that can be traced: name, host name, system, CPUs, probes, state.
///
/// # Errors
/// If output fails; a VM that does not answer is shown as such.
pub fn list(out: &mut dyn Write) -> Result<(), StatusError> {
    let (name, host, os) = ("NAME", "HOSTNAME", "SYSTEM");
    writeln!(out, "{name:<16} {host:<16} {os:<32} {:>4} {:>8} STATE", "CPUS", "PROBES")?;
    let settled = Watcher::new(host::control::run_dir()).settle(PATIENCE);
    for mut link in settled.links {
        let info = link.info().clone();
        let probes =
            if info.ready { link.probes().map(|table| table.iter().count()) } else { Ok(0) };
        let state = match (&probes, info.ready, info.os) {
            (Err(_), ..) => "not answering",
            (_, true, _) => "ready",
            (_, false, 0) => "no guest module",
            (_, false, _) => "starting",
        };
        writeln!(
            out,
            "{:<16} {:<16} {:<32} {:>4} {:>8} {state}",
            info.vmname,
            info.hostname,
            if info.os == 0 { "-".to_owned() } else { os_version(&info) },
            info.ncpu,
            probes.unwrap_or(0),
        )?;
    }
    for name in settled.silent {
        writeln!(out, "{name:<16} {0:<16} {0:<32} {0:>4} {0:>8} not answering", "-")?;
    }
    out.flush()?;
    Ok(())
}

/// Shows what one VM's shim has counted.
///
/// # Errors
/// [`StatusError`].
pub fn stats(out: &mut dyn Write, name: &str) -> Result<(), StatusError> {
    let failed = |error| StatusError::Link { name: name.to_owned(), error };
    let mut link = discover::connect(&host::control::run_dir(), name).map_err(failed)?;
    let stats = link.stats().map_err(failed)?;
    let rows = [
        ("fires delivered", stats.fires),
        ("fires left out by the guest", stats.guest_drops),
        ("calls refused", stats.bad_calls),
        ("polls of the guest", stats.polls),
        // This connection is not a session.
        ("sessions", u64::from(stats.sessions)),
    ];
    for (what, count) in rows {
        writeln!(out, "{what:<28} {count:>16}")?;
    }
    out.flush()?;
    Ok(())
}
