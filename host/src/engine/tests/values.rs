//! Built-in variables, globals, thread-locals, arrays and strings.

use super::*;

/// The built-ins deliver what the context and the enabling say.
#[test]
fn builtins_have_their_values() {
    let ints = [
        ("pid", 70),
        ("tid", 71),
        ("ppid", 1),
        ("gid", 100),
        ("cpu", 0),
        ("errno", -2_i64),
        ("vtimestamp", 42),
        ("id", 900),
        ("epid", 1),
        ("caller", 0x2020),
        ("stackdepth", 3),
        ("curthread", 0xffff_9000_0000_0047_u64.cast_signed()),
        ("arg9", 14),
    ];
    let texts = [
        ("vmname", "vm-web-0"),
        ("probeprov", "fbt"),
        ("probemod", "kernel"),
        ("probefunc", "vfs_read"),
        ("probename", "entry"),
    ];
    let mut b = Builder::new();
    let mut actions: Vec<Action> =
        ints.iter().map(|(name, _)| b.action(act::DIFEXPR, &trace(name))).collect();
    for (name, _) in texts {
        let text = string(&format!("ldgs {name}, %r1\nret %r1"));
        actions.push(b.action(act::DIFEXPR, &text));
    }
    b.ecb("", actions);
    let mut s = plain(b);
    s.fire(1, &Machine::new());
    let record = s.records().remove(0);
    for (at, (name, want)) in (0..).zip(ints) {
        assert_eq!(s.number(&record, at).cast_signed(), want, "{name}");
    }
    for (at, (name, want)) in (u32::try_from(ints.len()).unwrap()..).zip(texts) {
        assert_eq!(s.datum(&record, at), want.as_bytes(), "{name}");
    }
}

/// `n++` is atomic, cut to the variable's size, and yields the value before.
#[test]
fn updates_are_cut_to_the_variables_size() {
    let mut b = Builder::new();
    let text = int(&format!("{N}\nldgs arg0, %r1\nupd.add n, %r1\nldgs n, %r2\nret %r2"));
    let actions = vec![b.action(act::DIFEXPR, &text)];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    for (add, want) in [(0xffff_ffff_u64, 0xffff_ffff), (2, 1), (1 << 32, 1)] {
        ctx.args[0] = add;
        s.fire(0, &ctx);
        let record = s.records().remove(0);
        assert_eq!(s.number(&record, 0), want);
    }
}

/// Thread-locals belong to a thread of a machine; zero frees them.
#[test]
fn thread_locals_are_per_thread() {
    let mut b = Builder::new();
    let set = void(&format!("{TS}\nldgs arg0, %r1\nstts %r1, ts\nret %r1"));
    let set = b.action(act::DIFEXPR, &set);
    b.ecb(&int("ldgs arg1, %r1\nret %r1"), vec![set]);
    let get = b.action(act::DIFEXPR, &int(&format!("{TS}\nldts ts, %r1\nret %r1")));
    b.ecb("", vec![get]);
    let mut s = plain(b);
    let at = |s: &mut Session, tid, set, value| {
        let mut ctx = Machine::new();
        (ctx.tid, ctx.args[0], ctx.args[1]) = (tid, value, u64::from(set));
        s.fire(0, &ctx);
        let record = s.records().remove(0);
        s.number(&record, 0)
    };
    assert_eq!(at(&mut s, 1, true, 11), 11);
    assert_eq!(at(&mut s, 2, true, 22), 22);
    assert_eq!(at(&mut s, 1, false, 0), 11);
    assert_eq!(at(&mut s, 1, true, 0), 0);
    assert_eq!(at(&mut s, 2, false, 0), 22);
    assert_eq!(at(&mut s, 3, false, 0), 0);
}

/// Associative arrays take scalars and strings, the latter by content, wherever they lie.
#[test]
fn arrays_compare_strings_by_content() {
    let key = |from: &str| {
        format!("{A}\n{from}\nflushts\npushtr 1, %r0, %r1\nldgs uid, %r3\npushtv 0, %r0, %r3\n")
    };
    let mut b = Builder::new();
    let set = format!("{}ldgs arg0, %r2\nstgaa %r2, a\nret %r2", key("ldgs execname, %r1"));
    let set = b.action(act::DIFEXPR, &void(&set));
    let same =
        b.action(act::DIFEXPR, &int(&format!("{}ldgaa a, %r2\nret %r2", key("sets \"cat\", %r1"))));
    let other = b
        .action(act::DIFEXPR, &int(&format!("{}ldgaa a, %r2\nret %r2", key("sets \"cats\", %r1"))));
    b.ecb("", vec![set, same, other]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let record = s.records().remove(0);
    assert_eq!((s.number(&record, 1), s.number(&record, 2)), (5, 0));
    assert_eq!(s.drops(), []);
}

/// Clause-locals last from clause to clause of one firing and begin at zero in the next.
#[test]
fn clause_locals_last_one_firing() {
    let mut b = Builder::new();
    let body = format!("{L}\nldls l, %r1\nldgs arg0, %r2\nadd %r1, %r2, %r1\nstls %r1, l\nret %r1");
    for _ in 0..2 {
        let action = b.action(act::DIFEXPR, &int(&body));
        b.ecb("", vec![action]);
    }
    let mut s = plain(b);
    for _ in 0..2 {
        s.fire(0, &Machine::new());
        let values: Vec<u64> = s.records().iter().map(|r| s.number(r, 0)).collect();
        assert_eq!(values, [5, 10]);
    }
}

/// Strings from guest memory end at their NUL, even just before memory that cannot be read, and a
/// string global keeps its own copy.
#[test]
fn strings_are_copied_whole() {
    let mut b = Builder::new();
    let body =
        |tail: &str| string(&format!("{S}\nldgs arg0, %r1\nstgs %r1, s\nldgs s, %r2\n{tail}"));
    let actions = vec![b.action(act::DIFEXPR, &body("ret %r2"))];
    b.ecb("", actions);
    let mut s = plain(b);
    let mut ctx = Machine::new();
    ctx.args[0] = Machine::BASE;
    s.fire(0, &ctx);
    let record = s.records().remove(0);
    assert_eq!(s.datum(&record, 0), b"/bin/x");
    ctx.args[0] = Machine::BASE + 4090;
    s.fire(0, &ctx);
    assert_eq!(s.records().len(), 1, "an unterminated string at the end of memory is a fault");
    assert_eq!(s.drops(), [(DropKind::Error, 1)]);
    ctx.args[0] = 0;
    s.fire(0, &ctx);
    let found: Vec<Epid> = s.records().iter().map(|r| r.epid).collect();
    assert_eq!(found, [ERROR_EPID], "a null string cannot be recorded");
}

/// A string variable has its memory from the start: it reads as the empty string until NULL is
/// stored, and its address is that of real memory; `DifType::STRING` agrees on sizes.
#[test]
fn unset_strings_are_empty_and_null_is_null() {
    let mut b = Builder::new();
    let text = b.action(act::DIFEXPR, &string(&format!("{S}\nldgs s, %r1\nret %r1")));
    let null = b.action(act::DIFEXPR, &void(&format!("{S}\nstgs %r0, s\nret %r0")));
    let addr = b.action(act::DIFEXPR, &int(&format!("{S}\nldgs s, %r1\nret %r1")));
    b.ecb("", vec![text, null, addr]);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    let record = s.records().remove(0);
    assert_eq!(s.datum(&record, 0), b"");
    assert_eq!(s.number(&record, 1), 0);
    assert_eq!(s.program.difos[0].vars[0].ty, DifType::STRING);
}
