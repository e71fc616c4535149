//! Nanoseconds a translation, all walkers in one run.

use bench_npt::{Case, Machine};
use criterion::{Criterion, Throughput};

/// Many, since each run makes its caches anew.
const ROUNDS: u64 = 32 * 4096;

fn main() {
    let machine = Box::leak(Box::new(Machine::new()));
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("walks");
    group.throughput(Throughput::Elements(ROUNDS));
    for case in Case::ALL {
        group.bench_function(case.name(), |bencher| bencher.iter(|| machine.run(case, ROUNDS)));
    }
    group.finish();
    criterion.final_summary();
}
