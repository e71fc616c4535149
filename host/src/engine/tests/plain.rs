//! Clauses with a way of their own: behind a gate, of one number, with a thread-local read twice.

use super::*;

/// `arg0 > 3`, as the compiler makes it.
const GATE: &str = "ldgs arg0, %r1\nsetx 3, %r2\ncmp %r1, %r2\nbg yes\nmov %r0, %r3\nba done\n\
    yes:\nsetx 1, %r3\ndone:\nret %r3";

/// A session whose probe has one ECB, made by `actions`, behind [`GATE`]; fired with 2, 3 and 4.
fn gated(actions: impl FnOnce(&mut Builder) -> Vec<Action>) -> Session {
    let mut b = Builder::new();
    let actions = actions(&mut b);
    b.ecb(&int(GATE), actions);
    let s = plain(b);
    let mut ctx = Machine::new();
    for arg in [2, 3, 4] {
        ctx.args[0] = arg;
        s.fire(0, &ctx);
    }
    s
}

/// A gate lets the fires in of which the predicate is true, whatever is behind it.
#[test]
fn gates_let_in_what_the_predicate_is_true_of() {
    let mut empty = gated(|_| Vec::new());
    assert_eq!(empty.records().len(), 1);
    let mut record = gated(|b| vec![b.action(act::DIFEXPR, &trace("arg0"))]);
    let records = record.records();
    assert_eq!(records.iter().map(|r| record.number(r, 0)).collect::<Vec<_>>(), [4]);
    for keys in [&[][..], &[&trace("arg0")][..]] {
        let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        let mut counted = gated(|b| b.agg(agg::COUNT, &keys, "", 0));
        counted.reader.snapshot();
        let values = counted.reader.aggregations()[&1].values();
        assert_eq!(values.map(|value| value.values[0]).collect::<Vec<_>>(), [1]);
    }
}

/// One number is recorded, cut to the size of its type, with the time of its fire.
#[test]
fn a_number_is_recorded_in_its_size() {
    let mut b = Builder::new();
    let actions = vec![b.action(act::DIFEXPR, &int32("ldgs arg1, %r1\nret %r1"))];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    ctx.args[1] = 0x1_0000_0007;
    s.fire(0, &ctx);
    s.fire(0, &ctx);
    let records = s.records();
    assert!(records[0].timestamp < records[1].timestamp);
    assert!(records.iter().all(|record| s.number(record, 0) == 7 && record.bytes.len() == 24));
}

/// What a fire has found of a thread-local holds while nobody changes it: not after the clause
/// deletes it, and not for the next fire's thread.
#[test]
fn a_thread_local_is_found_again_within_its_fire_only() {
    let mut b = Builder::new();
    let read = int(&format!("{TS}\nldts ts, %r1\nret %r1"));
    let set = void(&format!("{TS}\nldgs arg0, %r1\nstts %r1, ts\nret %r1"));
    let clear = void(&format!("{TS}\nstts %r0, ts\nret %r0"));
    let actions = vec![
        b.action(act::DIFEXPR, &read),
        b.action(act::DIFEXPR, &clear),
        b.action(act::DIFEXPR, &read),
        b.action(act::DIFEXPR, &set),
        b.action(act::DIFEXPR, &read),
    ];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    for (tid, arg) in [(71, 5), (71, 6), (72, 7), (71, 8)] {
        (ctx.tid, ctx.args[0]) = (tid, arg);
        s.fire(0, &ctx);
    }
    let seen: Vec<[u64; 3]> =
        s.records().iter().map(|record| [0, 2, 4].map(|at| s.number(record, at))).collect();
    assert_eq!(seen, [[0, 0, 5], [5, 0, 6], [0, 0, 7], [6, 0, 8]]);
}

/// Strings take no more of a record than their text, wherever they stand; numbers stay where they
/// are.
#[test]
fn strings_are_packed() {
    let mut b = Builder::new();
    let name = string("ldgs execname, %r1\nret %r1");
    let path = string("ldgs arg0, %r1\nret %r1");
    let actions = vec![
        b.action(act::DIFEXPR, &name),
        b.action(act::DIFEXPR, &trace("arg1")),
        b.action(act::IMMSTACK, ""),
        b.action(act::DIFEXPR, &path),
    ];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    ctx.args[0] = Machine::BASE;
    s.fire(0, &ctx);
    let records = s.records();
    // Header, number, "cat", three lines of ten bytes, "/bin/x".
    assert_eq!(records[0].bytes.len(), 16 + 8 + 8 + 32 + 8);
    assert_eq!(s.datum(&records[0], 0), b"cat");
    assert_eq!(s.number(&records[0], 1), 6);
    assert_eq!(s.datum(&records[0], 2), b"f1010+0x1\nf2020+0x1\nf3030+0x1\n");
    assert_eq!(s.datum(&records[0], 3), b"/bin/x");
}
