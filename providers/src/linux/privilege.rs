//! What this process may do, and what it costs if it may not.

use std::fs;

use nix::errno::Errno;

/// Numbers of capabilities (`linux/capability.h`).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// The effective capabilities, from the text of `/proc/self/status`.
fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// What is missing for programs in the kernel that read its memory; `None` if nothing is.
fn missing_capabilities(mask: u64) -> Option<String> {
    let has = |number: u32| mask >> number & 1 != 0;
    let wanted = [("CAP_BPF", CAP_BPF), ("CAP_PERFMON", CAP_PERFMON)];
    let missing: Vec<&str> =
        wanted.iter().filter(|(_, number)| !has(*number)).map(|(name, _)| *name).collect();
    (!has(CAP_SYS_ADMIN) && !missing.is_empty()).then(|| missing.join(" and "))
}

/// The lockdown in effect, from the text of `/sys/kernel/security/lockdown`
/// (`none [integrity] confidentiality`).
fn lockdown(text: &str) -> Option<&str> {
    let chosen = text.split_once('[')?.1.split_once(']')?.0;
    (chosen != "none").then_some(chosen)
}

/// Whether programs can be run in the kernel; if not, the line that says why not.
///
/// # Errors
/// What is missing, and what it costs.
pub fn check() -> Result<(), String> {
    const COST: &str = "the host's kernel is not traced";
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(missing) = missing_capabilities(effective(&status)) {
        return Err(format!("{COST}: that takes {missing}, or root"));
    }
    let text = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if lockdown(&text) == Some("confidentiality") {
        return Err(format!("{COST}: it is locked down (confidentiality)"));
    }
    match ebpf::sys::array_map("hypertrace", 4096, true) {
        Ok(_) => Ok(()),
        Err(Errno::EPERM) => Err(format!("{COST}: bpf(2) is not permitted here")),
        Err(Errno::ENOSYS) => Err(format!("{COST}: it has no bpf(2)")),
        Err(error) => Err(format!("{COST}: making a BPF map: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let (admin, perfmon, bpf) = (1 << CAP_SYS_ADMIN, 1 << CAP_PERFMON, 1 << CAP_BPF);
        assert_eq!(missing_capabilities(admin), None);
        assert_eq!(missing_capabilities(perfmon | bpf), None);
        assert_eq!(missing_capabilities(perfmon).as_deref(), Some("CAP_BPF"));
        assert_eq!(missing_capabilities(0).as_deref(), Some("CAP_BPF and CAP_PERFMON"));
    }

    #[test]
    fn capabilities_are_read_from_the_status() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001fffeffffff\n"), 0x1ff_feff_ffff);
        assert_eq!(effective("nothing"), 0);
    }

    #[test]
    fn the_lockdown_is_the_word_in_brackets() {
        assert_eq!(lockdown("[none] integrity confidentiality\n"), None);
        assert_eq!(lockdown("none integrity [confidentiality]\n"), Some("confidentiality"));
        assert_eq!(lockdown(""), None);
    }
}
