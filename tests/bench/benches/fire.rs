//! Nanoseconds a round, by criterion.

#![expect(missing_docs, reason = "criterion's macros make a public function without a word")]

use bench::{CASES, Rig};
use criterion::{Criterion, criterion_group, criterion_main};

fn fires(c: &mut Criterion) {
    let mut group = c.benchmark_group("fire");
    for case in CASES {
        let mut rig = Rig::new(case).expect("every case compiles");
        group.bench_function(case.name, |bencher| bencher.iter(|| rig.round()));
    }
    group.finish();
}

criterion_group!(benches, fires);
criterion_main!(benches);
