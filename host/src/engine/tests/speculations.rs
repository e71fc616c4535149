//! Speculations.

use super::*;

/// A committed speculation's records come out, a discarded one's do not, and none is free while
/// one is taken.
#[test]
fn speculations_commit_and_discard() {
    let mut b = Builder::new();
    let taken = r#".var "id" 0x500 scl glb 3 0 1 0 8"#;
    let take = b.action(
        act::DIFEXPR,
        &void(&format!("{taken}\ncall speculation, %r1\nstgs %r1, id\nret %r1")),
    );
    let is = |value| {
        int(&format!(
            "ldgs arg0, %r1\nsetx {value}, %r2\nxor %r1, %r2, %r1\ntst %r1\nbe yes\nsetx 0, %r1\nret %r1\nyes:\nsetx 1, %r1\nret %r1"
        ))
    };
    let id = int(&format!("{taken}\nldgs id, %r1\nret %r1"));
    b.ecb(&is(0), vec![take]);
    let (speculate, what) = (b.action(act::SPECULATE, &id), b.action(act::DIFEXPR, &trace("arg1")));
    b.ecb(&is(1), vec![speculate, what]);
    let commit = b.action(act::COMMIT, &id);
    b.ecb(&is(2), vec![commit]);
    let discard = b.action(act::DISCARD, &id);
    b.ecb(&is(3), vec![discard]);
    let mut s = plain(b);
    let fire = |s: &Session, slot, what, arg1| {
        let mut ctx = Machine::new();
        (ctx.args[0], ctx.args[1]) = (what, arg1);
        s.fire(slot, &ctx);
    };
    let values =
        |s: &mut Session| -> Vec<u64> { s.records().iter().map(|r| s.number(r, 1)).collect() };
    // One slot: its own commit brings them at once.
    for (what, arg) in [(0, 0), (1, 10), (1, 11)] {
        fire(&s, 0, what, arg);
    }
    assert_eq!(values(&mut s), []);
    fire(&s, 0, 2, 0);
    assert_eq!(values(&mut s), [10, 11]);
    // Discarded: gone.
    for (what, arg) in [(0, 0), (1, 20), (3, 0), (2, 0)] {
        fire(&s, 0, what, arg);
    }
    assert_eq!(values(&mut s), []);
    // Two slots: the consumer collects them.
    for (slot, what, arg) in [(0, 0, 0), (0, 1, 30), (1, 1, 31), (0, 1, 32), (1, 2, 0)] {
        fire(&s, slot, what, arg);
    }
    assert_eq!(values(&mut s), []);
    fire(&s, 0, 0, 0);
    assert_eq!(s.drops(), [(DropKind::SpecBusy, 1)]);
    s.reader.clean(5000);
    assert_eq!(values(&mut s), [30, 31, 32]);
    // Free again; a second one is not.
    fire(&s, 0, 0, 0);
    fire(&s, 0, 0, 0);
    assert_eq!(s.drops(), [(DropKind::SpecUnavailable, 1)]);
}
