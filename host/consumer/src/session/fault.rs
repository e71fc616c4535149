//! Faults and drops in dtrace(1)'s words.

use dif::env::FaultKind;
use host::{arena::header::DropKind, engine::ErrorRecord};
use npt::{Failure, Gva};

use super::enabled::EnabledProbe;

/// The names of `DTRACEFLT_*`, by number.
const FAULTS: [&str; 10] = [
    "unknown fault",
    "invalid address",
    "invalid alignment",
    "illegal operation",
    "divide-by-zero",
    "out of scratch space",
    "invalid kernel access",
    "invalid user access",
    "tuple stack overflow",
    "bad stack",
];

/// Faults whose address is said.
const WITH_ADDRESS: [u32; 3] = [1, 2, 9];

/// The line for a fault of `probe`, without `dtrace: `. It is dtrace(1)'s, and where page tables
/// say why an address of a guest cannot be reached, that follows.
#[must_use]
pub fn error_line(error: &ErrorRecord, probe: &EnabledProbe) -> String {
    let fault = usize::try_from(error.kind).ok().and_then(|fault| FAULTS.get(fault));
    let details = if WITH_ADDRESS.contains(&error.kind) {
        format!(" (0x{:x})", error.value)
    } else {
        String::new()
    };
    let place = match error.action {
        0 => "predicate".to_owned(),
        action => format!("action #{action}"),
    };
    let offset = match error.offset {
        u32::MAX => String::new(),
        offset => format!(" at DIF offset {offset}"),
    };
    let cause = match Failure::unpack(Gva(error.value), error.why) {
        Some(failure) if error.kind == FaultKind::BadAddr as u32 => {
            format!(" ({})", failure.cause())
        }
        _ => String::new(),
    };
    format!(
        "error on enabled probe ID {} (ID {}: {}): {}{details} in {place}{offset}{cause}",
        error.epid.0,
        probe.number,
        probe.description(),
        fault.unwrap_or(&"unknown fault"),
    )
}

/// `[DTRACEDROP_…] `, if `droptags` asks for it.
#[must_use]
pub fn drop_tag(kind: DropKind, wanted: bool) -> String {
    let name = match kind {
        _ if !wanted => return String::new(),
        DropKind::Principal => "PRINCIPAL",
        DropKind::Aggregation => "AGGREGATION",
        DropKind::Dynamic => "DYNAMIC",
        DropKind::DynRinse => "DYNRINSE",
        DropKind::DynDirty => "DYNDIRTY",
        DropKind::Spec => "SPEC",
        DropKind::SpecBusy => "SPECBUSY",
        DropKind::SpecUnavailable => "SPECUNAVAIL",
        DropKind::DoubleError => "DBLERROR",
        DropKind::StackString => "STKSTROVERFLOW",
        _ => "UNKNOWN",
    };
    format!("[DTRACEDROP_{name}] ")
}

/// The line for drops that are counted by CPU. `machine` is a guest's name.
#[must_use]
pub fn cpu_drop_line(kind: DropKind, count: u64, cpu: u32, machine: Option<&str>) -> String {
    let what = if kind == DropKind::Aggregation { "aggregation " } else { "" };
    let of = machine.map_or_else(String::new, |name| format!(" of {name}"));
    format!("{count} {what}drop{} on CPU {cpu}{of}", plural(count))
}

/// The line for drops that are counted over the session; `None` for kinds that are not drops or
/// belong to a CPU.
#[must_use]
pub fn session_drop_line(kind: DropKind, count: u64) -> Option<String> {
    let (what, more) = match kind {
        DropKind::Dynamic => ("dynamic variable drop", ""),
        DropKind::DynRinse => ("dynamic variable drop", " with non-empty rinsing list"),
        DropKind::DynDirty => ("dynamic variable drop", " with non-empty dirty list"),
        DropKind::Spec => ("speculative drop", ""),
        DropKind::SpecBusy => ("failed speculation", " (available buffer(s) still busy)"),
        DropKind::SpecUnavailable => ("failed speculation", " (no speculative buffer available)"),
        DropKind::StackString => ("jstack()/ustack() string table overflow", ""),
        DropKind::DoubleError => ("error", " in ERROR probe enabling"),
        DropKind::Nested => ("drop", " of probes that fired while another did on their CPU"),
        DropKind::Principal | DropKind::Aggregation | DropKind::Error | DropKind::Filled => {
            return None;
        }
    };
    Some(format!("{count} {what}{}{more}", plural(count)))
}

const fn plural(count: u64) -> &'static str {
    if count > 1 { "s" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tags are dtrace(1)'s.
    #[test]
    fn drops_are_tagged_on_demand() {
        assert_eq!(drop_tag(DropKind::DoubleError, true), "[DTRACEDROP_DBLERROR] ");
        assert_eq!(drop_tag(DropKind::Principal, false), "");
    }

    /// Drops are reported in the words that scripts look for.
    #[test]
    fn drops_are_worded_as_dtrace_words_them() {
        let cpu = |kind, count, machine| cpu_drop_line(kind, count, 2, machine);
        assert_eq!(cpu(DropKind::Principal, 1, None), "1 drop on CPU 2");
        assert_eq!(cpu(DropKind::Aggregation, 7, None), "7 aggregation drops on CPU 2");
        assert_eq!(cpu(DropKind::Principal, 3, Some("vm-web-0")), "3 drops on CPU 2 of vm-web-0");
        let session = |kind, count| session_drop_line(kind, count).unwrap();
        assert_eq!(session(DropKind::Dynamic, 2), "2 dynamic variable drops");
        assert_eq!(
            session(DropKind::SpecUnavailable, 1),
            "1 failed speculation (no speculative buffer available)"
        );
        assert_eq!(session_drop_line(DropKind::Principal, 1), None);
    }
}
