//! The firing path without an engine.

use super::*;
use crate::engine::solo;

/// A kernel's way of firing leaves what the engine's leaves: one record of each, alike but for the
/// slot and the time.
#[test]
fn solo_fires_as_the_engine_does() {
    let mut builder = Builder::new();
    let action = builder.action(act::DIFEXPR, &trace("arg1"));
    builder.ecb("", vec![action]);
    let mut session = Session::new(builder, 0, |_| {});
    let arena = session.reader.arena().map_again().unwrap();
    let place = solo::Place {
        machine: MachineId(1),
        vmname: "vm-web-0",
        slot: 2,
        names: ["fbt", "kernel", "vfs_read", "entry"],
    };
    let dof = dif::dof::write(&session.program).unwrap();
    let enabling = Enabling { probe: ProbeId(1), ecb: 0, epid: Epid(1), id: 900 };
    let config = arena.layout().config().clone();
    let mut solo = solo::Solo::new(arena.mem(), config.clone(), &place, &dof, &[enabling]).unwrap();
    session.fire(0, &Machine::new());
    assert_eq!(solo.fire(&Machine::new(), &Ticks::default()), Reaction::Nothing);
    let records = session.records();
    let values: Vec<u64> = records.iter().map(|record| session.number(record, 0)).collect();
    assert_eq!(values, [6, 6]);
    let wrong = Enabling { ecb: 1, ..enabling };
    let refused = solo::Solo::new(arena.mem(), config, &place, &dof, &[wrong]);
    assert!(matches!(refused, Err(solo::SoloError::NoEcb(1))));
}
