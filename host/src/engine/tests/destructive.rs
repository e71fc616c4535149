//! Destructive actions.

use super::*;

/// A builder's session that may destroy.
fn destructive(builder: Builder) -> Session {
    Session::new(builder, 0, |config| config.destructive = true)
}

/// What a clause wants of the platform comes back with the fire.
#[test]
fn reactions_come_back() {
    for (kind, text, wanted) in [
        (act::STOP, String::new(), Reaction::Stop),
        (act::RAISE, trace("arg0"), Reaction::Raise(5)),
        (act::PANIC, String::new(), Reaction::Panic),
        (act::BREAKPOINT, String::new(), Reaction::Breakpoint),
        (act::CHILL, trace("arg1"), Reaction::Chill(6)),
    ] {
        let mut b = Builder::new();
        let action = b.action(kind, &text);
        b.ecb("", vec![action]);
        let s = destructive(b);
        let got = s.engine.fire(LocalSlot(0), ProbeId(1), &Machine::new());
        assert_eq!(got, wanted);
    }
}

/// A slot spins half a second in each second at most; more is an illegal operation.
#[test]
fn chill_has_a_limit() {
    let mut b = Builder::new();
    let action = b.action(act::CHILL, &trace("arg0"));
    b.ecb("", vec![action]);
    let mut s = destructive(b);
    let mut ctx = Machine::new();
    ctx.args[0] = 300_000_000;
    let fire = || s.engine.fire(LocalSlot(0), ProbeId(1), &ctx);
    assert_eq!(fire(), Reaction::Chill(300_000_000));
    assert_eq!(fire(), Reaction::Nothing);
    assert_eq!(s.drops(), [(DropKind::Error, 1)]);
}

/// `copyout()` writes its bytes, `copyoutstr()` up to the NUL.
#[test]
fn copyout_writes_user_memory() {
    for (number, size, wanted) in [("copyout", 3, "/bi"), ("copyoutstr", 99, "/bin/x\0")] {
        let mut b = Builder::new();
        let push = |value: u64| format!("setx {value:#x}, %r1\npushtv DT_TYPE(0), %r0, %r1\n");
        let args = [Machine::BASE, 0x7000, size].map(push).concat();
        let text = format!("{args}call {number}, %r1\nret %r1");
        let action = b.action(act::DIFEXPR, &void(&text));
        b.ecb("", vec![action]);
        let mut s = destructive(b);
        let ctx = Machine::new();
        s.fire(0, &ctx);
        assert_eq!(s.drops(), []);
        assert_eq!(*ctx.written.borrow(), [(0x7000, wanted.as_bytes().to_vec())]);
    }
}

/// A machine whose owner permits nothing refuses a destructive clause and no other.
#[test]
fn unpermitted_clauses_are_refused() {
    struct Strict;
    impl ProbeNames for Strict {
        fn names(&self, _: ProbeId) -> Option<[&str; 4]> {
            None
        }
        fn permits_destructive(&self) -> bool {
            false
        }
    }
    let mut b = Builder::new();
    b.ecb("", vec![]);
    let action = b.action(act::STOP, "");
    b.ecb("", vec![action]);
    let s = destructive(b);
    let enabling = |ecb| Enabling { probe: ProbeId(1), ecb, epid: Epid(ecb + 1), id: 1 };
    assert!(s.engine.enable(s.id, &[enabling(0)], &Strict).is_ok());
    assert!(matches!(
        s.engine.enable(s.id, &[enabling(0), enabling(1)], &Strict),
        Err(EngineError::NotPermitted { ecb: 1 })
    ));
}
