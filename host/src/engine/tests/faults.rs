//! Faults, and programs that are refused or say what they need.

use super::*;

/// A fault leaves its own clause only, tells what and where, and fires ERROR with it; a fault in
/// ERROR is counted and goes no further.
#[test]
fn faults_fire_error_once() {
    let mut b = Builder::new();
    let bad = b.action(act::DIFEXPR, &int("setx 0x10, %r1\nldx [%r1], %r2\nret %r2"));
    b.ecb("", vec![bad.clone()]);
    b.ecb("", vec![]);
    let args: Vec<Action> = ["arg1", "arg2", "arg3", "arg4", "arg5"]
        .iter()
        .map(|name| b.action(act::DIFEXPR, &trace(name)))
        .collect();
    b.ecb("", args);
    b.ecb("", vec![bad]);
    let mut s = Session::new(b, 2, |_| {});
    s.fire(0, &Machine::new());
    let records = s.records();
    let epids: Vec<Epid> = records.iter().map(|r| r.epid).collect();
    assert_eq!(epids, [ERROR_EPID, Epid(3), Epid(2)]);
    let error = ErrorRecord::from_record(&records[0].bytes).unwrap();
    let want =
        ErrorRecord { epid: Epid(1), action: 1, offset: 4, kind: 1, value: 0x10, why: 0x10 ^ 7 };
    assert_eq!(error, want);
    let args: Vec<u64> = (0..5).map(|at| s.number(&records[1], at)).collect();
    assert_eq!(args, [1, 1, 4, 1, 0x10]);
    assert_eq!(s.drops(), [(DropKind::DoubleError, 1), (DropKind::Error, 1)]);
}

/// What a probe's fires must carry follows from its ECBs, and ends with the session.
#[test]
fn demands_follow_the_program() {
    let mut b = Builder::new();
    let name = string("ldgs execname, %r1\nret %r1");
    let stack = Action { arg: 7, ..b.action(act::STACK, "") };
    let name = b.action(act::DIFEXPR, &name);
    b.ecb(&trace("arg0"), vec![name, stack]);
    let pid = b.action(act::DIFEXPR, &trace("pid"));
    b.ecb("", vec![pid]);
    let s = Session::new(b, 1, |_| {});
    let carry = demand::Carry::IDS | demand::Carry::EXECNAME | demand::Carry::KSTACK;
    assert_eq!(s.engine.wanted(), [(ProbeId(1), demand::Demand { carry, frames: 7 })]);
    s.engine.close(s.id);
    assert_eq!(s.engine.wanted(), []);
    assert_eq!(s.engine.sessions(), 0);
}

/// Programs that do not fit the arena, or want what they may not, are refused by name.
#[test]
fn unfitting_programs_are_refused() {
    let s = plain(Builder::new());
    let load = |b: Builder| s.engine.load(s.id, &dif::dof::write(&b.program).unwrap());
    let mut b = Builder::new();
    let action = b.action(act::DIFEXPR, &int(&format!("{N}\nldgs n, %r1\nret %r1")));
    b.ecb("", vec![action]);
    assert!(matches!(load(b), Err(EngineError::Load(LoadError::Variable { id: 0x500 }))));
    let mut b = Builder::new();
    let panic = b.action(act::PANIC, "");
    b.ecb("", vec![panic]);
    assert!(matches!(load(b), Err(EngineError::Load(LoadError::Destructive { ecb: 0 }))));
    let mut b = Builder::new();
    let chill = b.action(act::CHILL, &trace("arg0"));
    b.ecb("", vec![chill]);
    assert!(load(b).is_err());
    assert!(matches!(s.engine.load(s.id, b"rubbish"), Err(EngineError::Load(LoadError::Dof(_)))));
    let none = Enabling { probe: ProbeId(1), ecb: 9, epid: Epid(1), id: 1 };
    assert!(matches!(
        s.engine.enable(s.id, &[none], &NoNames),
        Err(EngineError::NoEcb { at: 0, ecb: 9 })
    ));
    assert!(matches!(s.engine.load(SessionId(99), b""), Err(EngineError::NoSession)));
}
