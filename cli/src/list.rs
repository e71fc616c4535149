//! `dtrace -l`.

use std::io::{self, Write};

use consumer::{
    machine::{Machine, Numbers},
    options::Resolvers,
    world,
};
use dif::program::ProbeDesc;
use dlang::stability::ProviderAttributes;
use hypercall::ProbeEntry;

use crate::{report, scripts::described};

/// What to list, and how.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Which probes; none: all.
    pub descriptions: Option<&'a [ProbeDesc]>,
    /// `-E`: the machine's name comes first.
    pub guests: bool,
    /// `-v`: the arguments' types too.
    pub verbose: bool,
    /// What targets are matched with.
    pub resolvers: Resolvers,
}

/// Timed probes that are there without having been asked for, as FreeBSD's provider has them.
const TIMED: [&str; 13] = [
    "profile-97",
    "profile-199",
    "profile-499",
    "profile-997",
    "profile-1999",
    "profile-4001",
    "profile-4999",
    "tick-1",
    "tick-10",
    "tick-100",
    "tick-500",
    "tick-1000",
    "tick-5000",
];

/// Lists probes of all machines. Returns the descriptions that match nothing.
///
/// # Errors
/// If the list cannot be written.
pub fn list(
    out: &mut dyn Write,
    listing: &Listing<'_>,
    machines: &mut [Machine],
    numbers: &mut Numbers,
) -> io::Result<Vec<String>> {
    if listing.guests {
        write!(out, "{:<16} ", "TARGET")?;
    }
    let (id, provider, module) = ("ID", "PROVIDER", "MODULE");
    writeln!(out, "{id:>5} {provider:>10} {module:>17} {:>33} NAME", "FUNCTION")?;
    let everything = [ProbeDesc::default()];
    if listing.descriptions.is_none() {
        let timed = |name: &&str| ProbeDesc { name: (*name).to_owned(), ..ProbeDesc::default() };
        for desc in TIMED.iter().map(timed) {
            for machine in machines.iter_mut().filter(|machine| machine.is_host()) {
                // A host without them lists what it has.
                let _ = machine.provide(&desc, numbers);
            }
        }
    }
    let mut unmatched = Vec::new();
    for desc in listing.descriptions.unwrap_or(&everything) {
        let mut found = false;
        for machine in machines.iter_mut() {
            // A probe that cannot be made on demand is one that does not match.
            let _ = machine.provide(desc, numbers);
            found |= list_machine(out, listing, machine, desc)?;
        }
        if !found && listing.descriptions.is_some() {
            unmatched.push(described(desc));
        }
    }
    Ok(unmatched)
}

fn list_machine(
    out: &mut dyn Write,
    listing: &Listing<'_>,
    machine: &Machine,
    desc: &ProbeDesc,
) -> io::Result<bool> {
    let mut found = false;
    for (local, probe) in machine.matching(desc, listing.resolvers) {
        found = true;
        if listing.guests {
            write!(out, "{:<16} ", machine.name())?;
        }
        let ProbeEntry { provider, module, function, name, .. } = probe;
        let id = machine.number_of(local);
        writeln!(out, "{id:5} {provider:>10} {module:>17} {function:>33} {name}")?;
        if listing.verbose {
            let parts = ProviderAttributes::of(provider);
            let text = |text: &str| text.to_owned();
            let (provider, module) = (text(provider), text(module));
            let (function, name) = (text(function), text(name));
            let desc = ProbeDesc { provider, module, function, name, ..ProbeDesc::default() };
            let types = world::arg_types(machine, &probe);
            report::probe(out, parts.description(&desc), parts.args, &types)?;
        }
    }
    Ok(found)
}
