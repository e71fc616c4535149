//! Nanoseconds a round, by criterion.

#![expect(missing_docs, reason = "criterion's macros make a public function without a word")]

use bench::{ARITHMETIC, CASES, LENGTH, Rig};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dif::mock::Mock;

fn fires(c: &mut Criterion) {
    let mut group = c.benchmark_group("fire");
    for case in CASES {
        let mut rig = Rig::new(case).expect("every case compiles");
        group.bench_function(case.name, |bencher| bencher.iter(|| rig.round()));
    }
    group.finish();
}

/// A thousand DIF instructions without a fire around them.
fn instructions(c: &mut Criterion) {
    let mut group = c.benchmark_group("dif");
    group.throughput(Throughput::Elements(LENGTH));
    for code in ARITHMETIC {
        let difo = code.build().expect("every case verifies");
        let mut machine = Mock::new();
        let run = |bencher: &mut criterion::Bencher<'_>| {
            bencher.iter(|| dif::interp::run(&difo, &mut machine));
        };
        group.bench_function(code.name, run);
    }
    group.finish();
}

criterion_group!(benches, fires, instructions);
criterion_main!(benches);
