//! Records: which clauses make them, where their data lie, in what order, and what happens when they do not fit.

use super::*;

/// Records hold what actions computed, at the places `EcbLayout` says, in the order of time over
/// slots.
#[test]
fn records_arrive_in_order_of_time() {
    let mut b = Builder::new();
    let actions = vec![
        b.action(act::DIFEXPR, &trace("arg0")),
        b.action(act::DIFEXPR, &int32("ldgs uid, %r1\nret %r1")),
        b.action(act::DIFEXPR, &string("ldgs execname, %r1\nret %r1")),
        b.action(act::DIFEXPR, &trace("timestamp")),
    ];
    b.ecb("", actions);
    let mut s = plain(b);
    for at in 0..6_u32 {
        let mut ctx = Machine::new();
        ctx.args[0] = u64::from(at);
        s.fire(at % 2, &ctx);
    }
    let records = s.records();
    assert_eq!(records.len(), 6);
    for (at, record) in (0..).zip(&records) {
        assert_eq!(s.number(record, 0), at);
        assert_eq!(s.number(record, 1), 1000);
        assert_eq!(s.datum(record, 2), b"cat");
        assert_eq!(s.number(record, 3), record.timestamp);
    }
    assert!(records.is_sorted_by_key(|r| r.timestamp));
    assert!(s.records().is_empty());
}

/// An empty clause makes a bare record, a clause of only assignments makes none.
#[test]
fn which_clauses_make_records() {
    let mut b = Builder::new();
    b.ecb("", vec![]);
    let assign = b.action(act::DIFEXPR, &void("ldgs arg0, %r1\nret %r1"));
    b.ecb("", vec![assign]);
    let printf = b.action(act::PRINTF, "");
    b.ecb("", vec![printf]);
    let exit = b.action(act::EXIT, &int32("setx 3, %r1\nret %r1"));
    b.ecb("", vec![exit]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let found: Vec<(u32, usize)> = s.records().iter().map(|r| (r.epid.0, r.bytes.len())).collect();
    let bare = RECORD_HEADER as usize;
    assert_eq!(found, [(1, bare), (3, bare), (4, bare + 8)]);
}

/// A predicate that is zero stops its own ECB only.
#[test]
fn predicates_guard_one_ecb() {
    let mut b = Builder::new();
    b.ecb(&int("setx 0, %r1\nret %r1"), vec![]);
    b.ecb(&trace("arg0"), vec![]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    assert_eq!(s.records().iter().map(|r| r.epid.0).collect::<Vec<_>>(), [2]);
}

/// `exit()` stops everything after it, on this slot and the others, and keeps its status.
#[test]
fn exit_stops_all_slots() {
    let mut b = Builder::new();
    let exit = b.action(act::EXIT, &int32("setx 3, %r1\nret %r1"));
    b.ecb("", vec![exit]);
    b.ecb("", vec![]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    s.fire(1, &Machine::new());
    let records = s.records();
    assert_eq!(records.iter().map(|r| r.epid.0).collect::<Vec<_>>(), [1]);
    assert_eq!(s.number(&records[0], 0), 3);
    assert_eq!((s.reader.exit_status(), s.reader.activity()), (3, Activity::Draining));
}

/// Records that do not fit are counted, under each policy in its way.
#[test]
fn full_buffers_count_drops() {
    for (policy, first) in [(BufPolicy::Switch, 0), (BufPolicy::Fill, 0), (BufPolicy::Ring, 44)] {
        let mut b = Builder::new();
        let actions = vec![b.action(act::DIFEXPR, &trace("arg0"))];
        b.ecb("", actions);
        let mut s = Session::new(b, 0, |config| {
            (config.bufsize, config.bufpolicy) = (4096, policy);
        });
        let mut ctx = Machine::new();
        for at in 0..214 {
            ctx.args[0] = at;
            s.fire(0, &ctx);
        }
        let values: Vec<u64> = s.records().iter().map(|r| s.number(r, 0)).collect();
        assert!(values.len() == 170 && values.windows(2).all(|w| w[0] + 1 == w[1]), "{policy:?}");
        assert_eq!(values[0], first, "{policy:?}");
        let dropped: u64 =
            s.drops().iter().filter(|d| d.0 == DropKind::Principal).map(|d| d.1).sum();
        assert_eq!(dropped, if policy == BufPolicy::Ring { 0 } else { 44 });
    }
}
