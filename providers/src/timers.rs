//! The threads that fire timed probes: one a host CPU, bound to it.
//!
//! Each thread owns one slot of the engine and a list of what it fires and when. `profile-N` is on
//! every thread's list, `tick-N` on the first one's. A probe that comes due while the thread was
//! kept from running fires once, not once for every interval that passed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host::engine::Engine;
use host::ids::{LocalSlot, ProbeId};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::context::OwnContext;
use crate::interval::{TimedKind, TimedProbe};

/// A timed probe that is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    /// What it fires.
    pub(crate) probe: ProbeId,
    /// Where and how often.
    pub(crate) timed: TimedProbe,
}

#[derive(Debug, Default)]
struct Plan {
    timers: Vec<Timer>,
    version: u64,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    plan: Mutex<Plan>,
    changed: Condvar,
}

/// The threads; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Timers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Timers {
    /// Starts a thread a CPU. Slot 0 is the consumer's; CPU `n` fires on slot `n + 1`.
    pub(crate) fn start(engine: &Arc<Engine>, cpus: u32) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let threads = (0..cpus)
            .map(|cpu| {
                let (engine, shared) = (Arc::clone(engine), Arc::clone(&shared));
                std::thread::Builder::new()
                    .name(format!("profile/{cpu}"))
                    .spawn(move || Worker::new(cpu, engine).run(&shared))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Replaces what fires.
    pub(crate) fn set(&self, timers: Vec<Timer>) {
        let mut plan = lock(&self.shared);
        if plan.timers != timers {
            plan.timers = timers;
            plan.version += 1;
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        lock(&self.shared).over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic there has been printed; nothing more can be done about it here.
            drop(thread.join());
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Plan> {
    shared.plan.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's own state.
struct Worker {
    cpu: u32,
    engine: Arc<Engine>,
    due: Vec<(Instant, Timer)>,
    version: u64,
}

impl Worker {
    const fn new(cpu: u32, engine: Arc<Engine>) -> Self {
        Self { cpu, engine, due: Vec::new(), version: 0 }
    }

    fn run(mut self, shared: &Shared) {
        let mut cpus = CpuSet::new();
        // Not being bound costs nothing but the meaning of `cpu`, which the kernel may withhold.
        if usize::try_from(self.cpu).is_ok_and(|cpu| cpus.set(cpu).is_ok()) {
            let _bound = sched_setaffinity(Pid::from_raw(0), &cpus);
        }
        let context = OwnContext::of_this_thread(self.cpu);
        while self.wait(shared) {
            let now = Instant::now();
            for (at, timer) in &mut self.due {
                if *at <= now {
                    self.engine.fire(LocalSlot(self.cpu + 1), timer.probe, &context);
                    *at = next(*at, timer.timed.interval, now);
                }
            }
        }
    }

    /// Sleeps until something is due or the plan has changed; `false` when all is over.
    fn wait(&mut self, shared: &Shared) -> bool {
        let mut plan = lock(shared);
        loop {
            if plan.over {
                return false;
            }
            if plan.version != self.version {
                self.adopt(&plan);
            }
            let now = Instant::now();
            let Some(first) = self.due.iter().map(|(at, _)| *at).min() else {
                plan = shared.changed.wait(plan).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if first <= now {
                return true;
            }
            let waited = shared.changed.wait_timeout(plan, first - now);
            plan = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes over a new plan; timers that were there before keep their beat.
    fn adopt(&mut self, plan: &Plan) {
        let now = Instant::now();
        let mine = |timer: &&Timer| timer.timed.kind == TimedKind::Profile || self.cpu == 0;
        let start = |timer: &Timer| {
            let running = self.due.iter().find(|(_, other)| other == timer);
            running.copied().unwrap_or((now + timer.timed.interval, *timer))
        };
        self.due = plan.timers.iter().filter(mine).map(start).collect();
        self.version = plan.version;
    }
}

/// The first beat after `now`.
fn next(at: Instant, interval: Duration, now: Instant) -> Instant {
    let planned = at + interval;
    if planned > now {
        return planned;
    }
    let late = now.duration_since(at).as_nanos() / interval.as_nanos().max(1);
    u32::try_from(late + 1).map_or(now + interval, |beats| at + interval * beats)
}

#[cfg(test)]
mod tests {
    use super::next;
    use std::time::{Duration, Instant};

    #[test]
    fn a_late_timer_keeps_its_beat_and_fires_once() {
        let at = Instant::now();
        let interval = Duration::from_millis(10);
        assert_eq!(next(at, interval, at + Duration::from_millis(1)), at + interval);
        assert_eq!(next(at, interval, at + Duration::from_millis(10)), at + interval * 2);
        assert_eq!(next(at, interval, at + Duration::from_millis(35)), at + interval * 4);
    }
}
