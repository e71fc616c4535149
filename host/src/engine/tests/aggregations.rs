//! Aggregations.

use super::*;

/// Aggregations merge over slots; keys are the tuple's values, an immediate stack included.
#[test]
fn aggregations_merge_over_slots() {
    let mut b = Builder::new();
    let name = string("ldgs execname, %r1\nret %r1");
    let actions = b.agg(agg::COUNT, &[&name, "immstack"], "", 0);
    b.ecb("", actions);
    let mut s = plain(b);
    let mut cat = Machine::new();
    for slot in [0, 1, 0] {
        s.fire(slot, &cat);
    }
    cat.name = "ls";
    s.fire(1, &cat);
    s.reader.snapshot();
    let read = |s: &Session| {
        let mut all: Vec<(Vec<KeyPart>, u64)> = s.reader.aggregations()[&1]
            .iter()
            .map(|(key, value)| (parts(key).unwrap(), value.values[0]))
            .collect();
        all.sort();
        all
    };
    let stack = KeyPart::Bytes(b"f1010+0x1\nf2020+0x1\nf3030+0x1\n".to_vec());
    let key = |name: &str| vec![KeyPart::Bytes(name.into()), stack.clone()];
    assert_eq!(read(&s), [(key("cat"), 3), (key("ls"), 1)]);
    s.fire(0, &cat);
    s.reader.snapshot();
    assert_eq!(read(&s), [(key("cat"), 3), (key("ls"), 2)]);
    assert!(s.records().is_empty());
}

/// `quantize(x, weight)`: the weight is an expression that records nothing, last in the tuple.
#[test]
fn weights_come_last_in_the_tuple() {
    let mut b = Builder::new();
    let weight = void("ldgs arg1, %r1\nret %r1");
    let actions = b.agg(agg::QUANTIZE, &[&trace("arg2"), &weight], &trace("arg0"), 0);
    b.ecb("", actions);
    let mut s = plain(b);
    s.fire(0, &Machine::new());
    s.reader.snapshot();
    let map = &s.reader.aggregations()[&1];
    let (key, value) = map.iter().next().unwrap();
    assert_eq!(parts(key).unwrap(), [KeyPart::Scalar(7)]);
    assert_eq!(value.values[crate::arena::aggfunc::quantize_bucket(5)], 6);
    assert_eq!(value.values.iter().sum::<u64>(), 6);
}
