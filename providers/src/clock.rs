//! The threads that fire timed probes.
//!
//! One thread fires all `tick-N`, and one a CPU all `profile-N`; each sleeps until its next probe
//! is due. A fire that comes late is not made up for: the next one keeps to the rhythm.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use host::{
    engine::Engine,
    ids::{LocalSlot, ProbeId},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    identity::Identity,
    interval::{TimedKind, TimedProbe},
    react::react,
};

/// A timed probe that is enabled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fired {
    pub(crate) id: ProbeId,
    pub(crate) probe: TimedProbe,
}

/// Tells the threads to stop.
#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Sleeps until `until`; `true` if it is time to stop.
    fn sleep(&self, until: Instant) -> bool {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if *stopped || left.is_zero() {
                return *stopped;
            }
            let waited = self.changed.wait_timeout(stopped, left);
            stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Running clock threads; dropping it stops them and waits for them.
#[derive(Debug)]
pub(crate) struct Clocks {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Clocks {
    /// Starts firing `probes`. Ticks fire on slot 0, under `serial`, which whoever else fires
    /// there takes too.
    pub(crate) fn start(
        engine: &Arc<Engine>,
        serial: &Arc<Mutex<()>>,
        probes: &[Fired],
        cpus: u32,
    ) -> Self {
        let of = |kind| -> Vec<Fired> {
            probes.iter().filter(|fired| fired.probe.kind == kind).copied().collect()
        };
        let stop = Arc::new(Stop::default());
        let mut clocks = Self { stop: Arc::clone(&stop), threads: Vec::new() };
        let (ticks, profiles) = (of(TimedKind::Tick), of(TimedKind::Profile));
        if !ticks.is_empty() {
            let (engine, serial, stop) =
                (Arc::clone(engine), Arc::clone(serial), Arc::clone(&stop));
            clocks.spawn("tick".to_owned(), move || {
                let identity = Identity::of_this_thread();
                run(&ticks, &stop, |probe| {
                    let _serial = serial.lock().unwrap_or_else(PoisonError::into_inner);
                    react(engine.fire(LocalSlot(0), probe, &identity));
                });
            });
        }
        for cpu in 0..if profiles.is_empty() { 0 } else { cpus } {
            let (engine, stop, profiles) =
                (Arc::clone(engine), Arc::clone(&stop), profiles.clone());
            clocks.spawn(format!("profile-{cpu}"), move || {
                pin(cpu);
                let identity = Identity::of_this_thread();
                run(&profiles, &stop, |probe| {
                    react(engine.fire(LocalSlot(cpu + 1), probe, &identity));
                });
            });
        }
        clocks
    }

    fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) {
        // Without the thread its probes do not fire; the system is out of threads then.
        if let Ok(thread) = std::thread::Builder::new().name(name).spawn(body) {
            self.threads.push(thread);
        }
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has stopped firing, which is all that is asked.
            drop(thread.join());
        }
    }
}

/// Binds this thread to a CPU, if the system lets it.
fn pin(cpu: u32) {
    let mut set = CpuSet::new();
    if usize::try_from(cpu).is_ok_and(|cpu| set.set(cpu).is_ok()) {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

/// Fires each probe at its rhythm until told to stop. The first fire is one interval from now.
fn run(probes: &[Fired], stop: &Stop, mut fire: impl FnMut(ProbeId)) {
    let start = Instant::now();
    let mut due: Vec<(Instant, Fired)> =
        probes.iter().map(|fired| (start + fired.probe.interval, *fired)).collect();
    loop {
        let Some(next) = due.iter().map(|(at, _)| *at).min() else { return };
        if stop.sleep(next) {
            return;
        }
        let now = Instant::now();
        for (at, fired) in &mut due {
            if *at <= now {
                fire(fired.id);
                *at = following(*at, fired.probe.interval, now);
            }
        }
    }
}

/// The first moment of a rhythm after `now`.
fn following(at: Instant, interval: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(at).as_nanos();
    let missed = late / interval.as_nanos().max(1);
    match u32::try_from(missed + 1) {
        Ok(steps) => at + interval * steps,
        Err(_) => now + interval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that was held up goes on in its rhythm and does not fire in a burst.
    #[test]
    fn missed_fires_are_not_made_up_for() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(following(start, ms(10), start), start + ms(10));
        assert_eq!(following(start, ms(10), start + ms(35)), start + ms(40));
        assert_eq!(following(start, ms(10), start + ms(40)), start + ms(50));
    }

    /// Every probe fires at its own rate until the clock is stopped.
    #[test]
    fn probes_fire_until_stopped() {
        let fast = |id, us| Fired {
            id: ProbeId(id),
            probe: TimedProbe { kind: TimedKind::Tick, interval: Duration::from_micros(us) },
        };
        let stop = Stop::default();
        let mut fired = [0_u32; 3];
        run(&[fast(1, 200), fast(2, 400)], &stop, |probe| {
            fired[usize::try_from(probe.0).unwrap()] += 1;
            if fired[1] >= 10 && fired[2] >= 5 {
                *stop.stopped.lock().unwrap() = true;
            }
        });
        assert!(fired[1] >= 10 && fired[2] >= 5);
    }
}
