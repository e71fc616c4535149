//! From enabled probes to programs.
//!
//! Places that share a hook and a key (all system calls' entries) become one program that looks
//! its probe up; every other place is a program of its own. Programs are attached in the order of
//! their first probe, and so are fires at one hook.

use ebpf::site::{Fired, Kind, MAX_KEY, Select, Site, Value};
use host::{
    engine::ProbeNames,
    ids::{Enabling, ProbeId},
};

use super::{
    hook::{Hook, Place},
    uprobes,
};

/// A program to be made, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Where it is attached, at each with a number: a function's probe is known by it.
    pub hooks: Vec<(Hook, u32)>,
    /// What it is.
    pub site: Site,
    /// The first of its probes, for messages.
    pub name: String,
}

/// How a hook's programs are run.
fn kind(hook: &Hook) -> Kind {
    match hook {
        Hook::RawTracepoint(_) => Kind::RawTracepoint,
        Hook::Clock { .. } => Kind::PerfEvent,
        Hook::User { .. } if uprobes::has_links() => Kind::ManyUprobes,
        Hook::User { .. } | Hook::Function { .. } => Kind::Probe,
    }
}

/// The enabled probes in the order of their numbers, each with its ECBs in order.
fn by_probe(enablings: &[Enabling]) -> Vec<(ProbeId, Vec<Enabling>)> {
    let mut all: Vec<(ProbeId, Vec<Enabling>)> = Vec::new();
    let mut sorted = enablings.to_vec();
    sorted.sort_by_key(|enabling| (enabling.probe, enabling.ecb));
    for enabling in sorted {
        match all.last_mut() {
            Some((probe, list)) if *probe == enabling.probe => list.push(enabling),
            _ => all.push((enabling.probe, vec![enabling])),
        }
    }
    all
}

/// What a probe fires: its ECBs and names, without its numbers.
#[must_use]
pub fn fired(enablings: &[Enabling], names: &dyn ProbeNames) -> Option<Fired> {
    let first = enablings.first()?;
    let names = names.names(first.probe)?.map(str::to_owned);
    let ecbs = enablings.iter().map(|enabling| (enabling.ecb, enabling.epid)).collect();
    Some(Fired { id: first.id, names, ecbs, ..Fired::default() })
}

/// The programs that the enabled probes need. `places` says where a probe is; one that is nowhere
/// is left out.
pub fn plan(
    enablings: &[Enabling],
    names: &dyn ProbeNames,
    mut places: impl FnMut(ProbeId) -> Vec<Place>,
) -> Vec<Planned> {
    let mut planned: Vec<Planned> = Vec::new();
    for (probe, list) in by_probe(enablings) {
        let Some(template) = fired(&list, names) else { continue };
        for place in places(probe) {
            let name = template.names.join(":");
            let fired = Fired { source: place.source, ..template.clone() };
            if let Hook::Function { .. } | Hook::User { .. } = place.hook {
                function(&mut planned, place.hook, fired, name);
                continue;
            }
            let hooks = vec![(place.hook.clone(), 0)];
            let Some((key, number)) = place.key else {
                let site = Site { kind: kind(&place.hook), select: Select::One(fired) };
                planned.push(Planned { hooks, site, name });
                continue;
            };
            let shared = planned.iter_mut().find_map(|one| room(one, &place.hook, &key, number));
            match shared {
                Some(probes) => probes.push((number, fired)),
                None => {
                    let select = Select::ByKey { key, probes: vec![(number, fired)] };
                    let site = Site { kind: kind(&place.hook), select };
                    planned.push(Planned { hooks, site, name });
                }
            }
        }
    }
    planned
}

/// Adds a function to the program of functions, which tells them apart by the numbers with which
/// it is attached; a full one is followed by another.
fn function(planned: &mut Vec<Planned>, hook: Hook, fired: Fired, name: String) {
    let kind = kind(&hook);
    let last = planned.iter_mut().rev().find_map(|one| match &mut one.site.select {
        Select::ByKey { key: Value::Cookie, probes } if one.site.kind == kind => {
            Some((&mut one.hooks, probes))
        }
        _ => None,
    });
    match last
        .map(|(hooks, probes)| (u32::try_from(probes.len()).unwrap_or(MAX_KEY), hooks, probes))
    {
        Some((number @ ..MAX_KEY, hooks, probes)) => {
            hooks.push((hook, number));
            probes.push((number, fired));
        }
        _ => {
            let select = Select::ByKey { key: Value::Cookie, probes: vec![(0, fired)] };
            let site = Site { kind, select };
            planned.push(Planned { hooks: vec![(hook, 0)], site, name });
        }
    }
}

/// A program's probes, if one with this hook and key can be added.
fn room<'p>(
    planned: &'p mut Planned,
    hook: &Hook,
    wanted: &Value,
    number: u32,
) -> Option<&'p mut Vec<(u32, Fired)>> {
    let same = planned.hooks.iter().any(|(other, _)| other == hook);
    match &mut planned.site.select {
        Select::ByKey { key, probes }
            if same && key == wanted && probes.iter().all(|(taken, _)| *taken != number) =>
        {
            Some(probes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use host::ids::Epid;

    use super::*;
    use crate::linux::standard::{syscall_entry, syscall_return};

    struct Names;

    impl ProbeNames for Names {
        fn names(&self, probe: ProbeId) -> Option<[&str; 4]> {
            (probe.0 < 100).then_some(["p", "m", "f", "n"])
        }
    }

    fn enabling(probe: u32, ecb: u32, epid: u32) -> Enabling {
        Enabling { probe: ProbeId(probe), ecb, epid: Epid(epid), id: probe + 1000 }
    }

    /// All system calls' entries are one program, their returns another, a tracepoint a third.
    #[test]
    fn probes_of_one_key_share_a_program() {
        let places = |probe: ProbeId| match probe.0 {
            5 => vec![Place::tracepoint("sched_switch", Vec::new())],
            odd if odd % 2 == 1 => vec![syscall_return(odd, None)],
            even => vec![syscall_entry(even, None)],
        };
        let all = [enabling(2, 0, 1), enabling(4, 0, 2), enabling(3, 1, 3), enabling(5, 2, 4)];
        let planned = plan(&all, &Names, places);
        let hooks: Vec<_> = planned.iter().map(|one| one.hooks[0].0.clone()).collect();
        let expected = ["sys_enter", "sys_exit", "sched_switch"];
        assert_eq!(hooks, expected.map(|name| Hook::RawTracepoint(name.to_owned())));
        let Select::ByKey { probes, .. } = &planned[0].site.select else { panic!() };
        let keys: Vec<_> = probes.iter().map(|(key, fired)| (*key, fired.id)).collect();
        assert_eq!(keys, [(2, 1002), (4, 1004)]);
        assert!(matches!(&planned[2].site.select, Select::One(fired) if fired.id == 1005));
    }

    /// A probe's clauses run in the script's order, whatever the order of the enablings.
    #[test]
    fn clauses_keep_their_order() {
        let all = [enabling(2, 7, 1), enabling(2, 3, 2)];
        let planned = plan(&all, &Names, |_| vec![Place::tracepoint("t", Vec::new())]);
        let Select::One(fired) = &planned[0].site.select else { panic!() };
        assert_eq!(fired.ecbs, [(3, Epid(2)), (7, Epid(1))]);
    }

    /// Functions share programs of at most [`MAX_KEY`] probes, each attached with its own number.
    #[test]
    fn functions_share_programs() {
        let count = MAX_KEY + 1;
        let place =
            |probe: ProbeId| vec![Place::function(u64::from(probe.0), probe.0 == 7, Vec::new())];
        struct Any;
        impl ProbeNames for Any {
            fn names(&self, _: ProbeId) -> Option<[&str; 4]> {
                Some(["fbt", "m", "f", "n"])
            }
        }
        let all: Vec<Enabling> = (1..=count).map(|n| enabling(n, 0, n)).collect();
        let planned = plan(&all, &Any, place);
        assert_eq!(planned.iter().map(|one| one.hooks.len()).collect::<Vec<_>>(), [4096, 1]);
        let first = &planned[0];
        let Select::ByKey { key: Value::Cookie, probes } = &first.site.select else { panic!() };
        assert!(first.hooks.iter().zip(probes).all(|((_, number), (key, _))| number == key));
        assert_eq!(first.hooks[6], (Hook::Function { address: 7, on_return: true }, 6));
    }

    /// Two probes at one system call's return (`proc:::exec-failure` is one) are two programs; a
    /// probe that is not known is none.
    #[test]
    fn one_key_is_one_probe() {
        let all = [enabling(1, 0, 1), enabling(2, 0, 2), enabling(100, 0, 3)];
        let planned = plan(&all, &Names, |_| vec![syscall_return(59, None)]);
        assert_eq!(planned.len(), 2);
    }
}
