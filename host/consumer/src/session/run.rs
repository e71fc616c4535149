//! The part of a session that runs: machines join and leave, data are read and printed.

use std::{
    cell::RefCell,
    os::fd::BorrowedFd,
    rc::Rc,
    time::{Duration, Instant},
};

use dif::program::ProbeDesc;
use dlang::compiled::{AggId, ValueKind};
use host::{
    arena::{activity::Activity, header::DropKind, key, ring::RawRecord},
    clock::{Clock, Monotonic},
    engine::{ERROR_EPID, ErrorRecord},
    ids::{MachineId, ProbeId, SlotId},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::read,
};

use super::{
    ENABLE_PATIENCE, Session, SessionError,
    fault::{cpu_drop_line, drop_tag, error_line, session_drop_line},
    flow::FlowState,
    index_of,
    lost::{self, Lost},
    printer::Record,
    processes::Processes,
    programs,
    sizes::SMALL,
};
use crate::{
    format::{Symbolizer, row::Flow, user::UserSymbolizer},
    link::{LinkEvent, MachineLink, SlotRange, UserFrame},
    machine::Machine,
    options::BufPolicy,
};

/// How often the run directory is looked at.
const WATCH: Duration = Duration::from_millis(250);

/// How long machines may take to undo what was enabled when a session ends.
const DISABLE_PATIENCE: Duration = Duration::from_secs(1);

/// The longest that the loop sleeps: `exit()` shall be seen soon.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

/// How often principal buffers are looked at between their turns, and the part of one that may be
/// full before it is read early. At full speed a CPU fills the default buffer in some ten
/// milliseconds, far less than `switchrate`.
const PEEK: Duration = Duration::from_millis(4);
const EARLY: u64 = 4;

/// How a machine takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MachineState {
    /// It has the arena and a program.
    open: bool,
    /// Enablings that it has not confirmed yet.
    pending: Option<u32>,
    /// Its monitor is gone.
    gone: bool,
    /// What it could not fire.
    lost: Lost,
}

impl MachineState {
    /// An answer is due.
    const fn is_awaited(&self) -> bool {
        !self.gone && (self.pending.is_some() || self.lost.awaited)
    }
}

/// What ends a session from outside.
#[derive(Debug, Default)]
pub struct Outside<'a> {
    /// Has a byte for every SIGINT, SIGTERM and their like, and does not block.
    pub signals: Option<BorrowedFd<'a>>,
    /// The processes of `-c` and `-p`: when all have ended, so does the session.
    pub processes: Processes,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// `exit()`, a full buffer, or the commands are over.
    Done,
    /// A signal.
    Signal,
}

/// When each periodic job is due.
struct Due {
    switch: Instant,
    aggregate: Instant,
    status: Instant,
    clean: Instant,
    watch: Instant,
}

impl Session {
    /// Lets a machine take part: slots, arena, program, enablings. A guest that fails is reported
    /// and left out.
    pub(super) fn attach(&mut self, index: usize) -> Result<(), SessionError> {
        let Some(live) = &mut self.live else { return Ok(()) };
        if live.states.len() <= index {
            live.states.resize(index + 1, MachineState::default());
        }
        let Some(machine) = self.machines.get_mut(index) else { return Ok(()) };
        let room = live.arena.layout().config().nslots.saturating_sub(live.next_slot);
        if machine.slots.count > room {
            let name = machine.name().to_owned();
            self.printer.message(&format!("{name}: no slots left for it in this session"));
            return Ok(());
        }
        machine.slots = SlotRange { base: live.next_slot, count: machine.slots.count };
        live.next_slot += machine.slots.count;
        self.enable(index)
    }

    /// Enables on a machine what the scripts match there now.
    fn enable(&mut self, index: usize) -> Result<(), SessionError> {
        let error_number = self.error_number();
        let alone = self.machines.len() == 1;
        let (Some(live), Some(machine)) = (&mut self.live, self.machines.get_mut(index)) else {
            return Ok(());
        };
        let Some((program, dof)) = self.programs.of(machine.id) else { return Ok(()) };
        let Some(state) = live.states.get_mut(index) else { return Ok(()) };
        let enablings =
            programs::enablings(machine, &program, &self.options, error_number, &mut self.enabled);
        let traced = enablings.iter().any(|enabling| enabling.probe != ProbeId::ERROR);
        if !traced && !state.open && !machine.is_host() {
            return Ok(());
        }
        let result = (|| {
            if !state.open {
                machine.link.open(&live.arena, machine.id, machine.slots)?;
                machine.link.load(1, &dof)?;
                state.open = true;
                state.lost.awaited = machine.link.ask_losses();
            }
            state.pending = machine.link.enable(&enablings)?;
            Ok(())
        })();
        match result {
            // With guests to trace, the host's kernel is one machine that is left out.
            Err(error) if machine.is_host() && alone => Err(SessionError::Host(error)),
            Err(error) => {
                let name = machine.name().to_owned();
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                self.printer.message(&format!("{name}: not traced: {first}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The number of the session's `dtrace:::ERROR`: the host's.
    fn error_number(&self) -> u32 {
        let desc = dtrace_probe("ERROR");
        let host = self.machines.first();
        let local = host.and_then(|host| host.probes.matching(&desc).next().map(|(id, _)| id));
        host.zip(local).map_or(0, |(host, local)| host.number_of(local))
    }

    /// Waits until every machine has instrumented what was enabled; says who takes too long.
    pub(super) fn wait_enabled(&mut self) {
        self.wait_pending(ENABLE_PATIENCE);
        let Some(live) = &self.live else { return };
        let late: Vec<String> = self
            .machines
            .iter()
            .zip(&live.states)
            .filter(|(_, state)| state.pending.is_some() && !state.gone)
            .map(|(machine, _)| machine.name().to_owned())
            .collect();
        for name in late {
            self.printer.message(&format!(
                "{name}: has not instrumented its probes yet; tracing starts without waiting for it"
            ));
        }
    }

    fn wait_pending(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            self.events();
            let pending = self
                .live
                .as_ref()
                .is_some_and(|live| live.states.iter().any(MachineState::is_awaited));
            let left = deadline.saturating_duration_since(Instant::now());
            if !pending || left.is_zero() {
                return;
            }
            // An error here means an interrupted wait; the deadline still holds.
            let _ = self.sleep(left.min(LONGEST_SLEEP), None);
        }
    }

    /// Traces until something ends it, prints everything, and leaves nothing enabled anywhere.
    /// Returns the status to exit with.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn run(&mut self, mut outside: Outside<'_>) -> Result<i32, SessionError> {
        self.step(Activity::Inactive, Activity::Warmup);
        self.fire("BEGIN");
        Monotonic.pass();
        if self.step(Activity::Warmup, Activity::Active) {
            self.activate(true);
        }
        for pid in outside.processes.commands() {
            // It may have ended before anything that it did is read.
            self.machines
                .iter_mut()
                .filter(|one| one.is_host())
                .for_each(|host| host.link.note_process(pid));
        }
        outside.processes.resume();
        let ending = self.main_loop(&mut outside)?;
        if ending == Ending::Signal && self.options.structure.is_none() {
            self.printer.write(b"\n")?;
        }
        self.finish()?;
        Ok(self.printer.exit_status().unwrap_or(0))
    }

    fn main_loop(&mut self, outside: &mut Outside<'_>) -> Result<Ending, SessionError> {
        let now = Instant::now();
        let mut due = Due { switch: now, aggregate: now, status: now, clean: now, watch: now };
        loop {
            self.events();
            self.periodic(&mut due)?;
            if let Some(signals) = outside.signals
                && matches!(read(signals, &mut [0]), Ok(1))
            {
                return Ok(Ending::Signal);
            }
            for said in outside.processes.ended() {
                if !self.options.quiet {
                    self.printer.message(&said);
                }
            }
            if self.is_over() || outside.processes.over() {
                return Ok(Ending::Done);
            }
            self.doze(self.next_sleep(&due), outside.signals)?;
        }
    }

    /// Sleeps until something happens, the time is over, or a buffer is to be read early.
    fn doze(&self, time: Duration, signals: Option<BorrowedFd<'_>>) -> Result<(), SessionError> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_filling() || self.sleep(left.min(PEEK), signals)? {
                return Ok(());
            }
        }
    }

    /// Whether a buffer fills so fast that it is not to wait for its turn. Whoever asked for a small
    /// one wants drops to be seen.
    fn is_filling(&self) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        if self.options.bufsize < SMALL {
            return false;
        }
        let Some(live) = &self.live else { return false };
        let limit = live.arena.layout().config().bufsize / EARLY;
        self.options.bufpolicy == BufPolicy::Switch
            && (0..live.next_slot)
                .filter_map(|slot| live.arena.slot(slot))
                .any(|slot| slot.head.load(Relaxed).saturating_sub(slot.tail.load(Relaxed)) > limit)
    }

    /// How long there is nothing to do.
    fn next_sleep(&self, due: &Due) -> Duration {
        let next = due.switch.min(due.aggregate).min(due.clean);
        next.saturating_duration_since(Instant::now())
            .clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }

    /// Does what is due.
    fn periodic(&mut self, due: &mut Due) -> Result<(), SessionError> {
        let now = Instant::now();
        let is_due = |at: &mut Instant, rate: Duration| {
            let is_due = now >= *at;
            if is_due {
                *at = now + rate.max(Duration::from_millis(1));
            }
            is_due
        };
        if let Some(live) = &mut self.live {
            live.reader.beat(Monotonic.now());
            if is_due(&mut due.clean, self.options.cleanrate) {
                live.reader.clean(Monotonic.now());
            }
        }
        if is_due(&mut due.aggregate, self.options.aggrate) {
            self.snapshot(false);
        }
        let switch = is_due(&mut due.switch, self.options.switchrate);
        if self.options.bufpolicy == BufPolicy::Switch && (switch || self.is_filling()) {
            self.drain(false)?;
            self.printer.flush()?;
        }
        if is_due(&mut due.status, self.options.statusrate) {
            self.report_drops();
            self.ask_losses();
        }
        if is_due(&mut due.watch, WATCH) {
            self.arrivals();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(live) = &self.live else { return true };
        let filled = || {
            let slots = 0..live.next_slot;
            let counter = |slot| live.arena.slot(slot)?.drops.get(DropKind::Filled.index());
            slots.filter_map(counter).any(|c| c.load(std::sync::atomic::Ordering::Relaxed) > 0)
        };
        live.reader.activity() != Activity::Active
            || (self.options.bufpolicy == BufPolicy::Fill && filled())
    }

    /// END, then everything that is left.
    fn finish(&mut self) -> Result<(), SessionError> {
        for from in [Activity::Active, Activity::Draining, Activity::Warmup] {
            self.step(from, Activity::Cooldown);
        }
        self.activate(false);
        self.wait_quiet();
        // What there is goes out of the buffers, so that END finds room; it is printed with
        // aggregations as they are after END.
        let records = self.collect(true);
        self.fire("END");
        self.step(Activity::Cooldown, Activity::Stopped);
        self.disable();
        self.snapshot(true);
        self.print_all(&records)?;
        self.drain(true)?;
        self.report_drops();
        if self.options.structure.is_none() {
            self.printer.write(b"\n")?;
        }
        let users = Links(RefCell::new(&mut self.machines));
        self.printer.remaining(&self.aggregations, &users, &self.options)?;
        self.printer.flush()?;
        Ok(())
    }

    fn wait_quiet(&self) {
        let deadline = Instant::now() + DISABLE_PATIENCE;
        while self.live.as_ref().is_some_and(|live| !live.reader.is_quiet())
            && Instant::now() < deadline
        {
            std::thread::yield_now();
        }
    }

    /// Takes everything back on every machine, and waits for them to say so.
    fn disable(&mut self) {
        let Some(live) = &mut self.live else { return };
        for (machine, state) in self.machines.iter_mut().zip(&mut live.states) {
            if state.open && !state.gone {
                // A machine that fails here is let go with its connection.
                state.pending = machine.link.enable(&[]).unwrap_or(None);
            }
        }
        self.wait_pending(DISABLE_PATIENCE);
        self.ask_losses();
        self.wait_pending(DISABLE_PATIENCE);
    }

    /// Asks machines how many fires they had to leave out.
    fn ask_losses(&mut self) {
        let Some(live) = &mut self.live else { return };
        for (machine, state) in self.machines.iter_mut().zip(&mut live.states) {
            if state.open && !state.gone && !state.is_awaited() {
                state.lost.awaited = machine.link.ask_losses();
            }
        }
    }

    fn step(&self, from: Activity, to: Activity) -> bool {
        self.live.as_ref().is_some_and(|live| live.reader.step(from, to))
    }

    fn activate(&mut self, on: bool) {
        self.machines.iter_mut().for_each(|machine| machine.link.activate(on));
    }

    /// Fires one of the host's `dtrace` probes.
    fn fire(&mut self, name: &str) {
        let desc = dtrace_probe(name);
        if let Some(host) = self.machines.first_mut() {
            let local = host.probes.matching(&desc).next().map(|(id, _)| id);
            local.into_iter().for_each(|id| host.link.fire(ProbeId(id)));
        }
    }

    /// Sleeps until something happens or the time is over; whether something has.
    fn sleep(&self, time: Duration, signals: Option<BorrowedFd<'_>>) -> Result<bool, SessionError> {
        let links = self.machines.iter().filter_map(|machine| machine.link.wait_fd());
        let waiting = self.waiting.iter().filter_map(|link| link.wait_fd());
        let fds: Vec<BorrowedFd<'_>> = links.chain(waiting).chain(signals).collect();
        let mut fds: Vec<PollFd<'_>> =
            fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(true),
            Err(errno) => Err(SessionError::Wait(errno)),
        }
    }

    /// What machines say unasked.
    fn events(&mut self) {
        for index in 0..self.machines.len() {
            while let Some(event) = self.machines.get_mut(index).and_then(|m| m.link.event()) {
                self.event(index, event);
            }
        }
        let mut ready = Vec::new();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain_mut(|link| {
            while let Some(event) = link.event() {
                if event == LinkEvent::Closed {
                    return false;
                }
            }
            true
        });
        for link in waiting {
            if link.info().ready { ready.push(link) } else { self.waiting.push(link) }
        }
        ready.into_iter().for_each(|link| self.join(link));
    }

    fn event(&mut self, index: usize, event: LinkEvent) {
        let name = self.machines.get(index).map_or(String::new(), |m| m.name().to_owned());
        let Some(live) = &mut self.live else { return };
        let Some(state) = live.states.get_mut(index) else { return };
        match event {
            LinkEvent::Enabled { sequence, failed } => {
                if state.pending.is_some_and(|pending| pending <= sequence) {
                    state.pending = None;
                }
                if failed > 0 {
                    let plural = if failed > 1 { "s" } else { "" };
                    self.printer.message(&format!(
                        "{name}: {failed} probe{plural} could not be instrumented"
                    ));
                }
            }
            LinkEvent::ProbesChanged => self.refresh(index),
            LinkEvent::Up(info) if info.ready => {
                self.printer.message(&format!("{name}: up again"));
                self.refresh(index);
            }
            LinkEvent::Up(_) => {}
            LinkEvent::Losses(total) => state.lost.answer(total),
            LinkEvent::Down(reason) => {
                state.pending = None;
                self.printer.message(&format!("{name}: the guest is gone ({reason})"));
            }
            LinkEvent::Closed if state.gone => {}
            LinkEvent::Closed => {
                *state = MachineState { gone: true, ..*state };
                if let Some(machine) = self.machines.get(index) {
                    let slots = machine.slots;
                    live.reader.retire(slots.base..slots.base + slots.count);
                }
                self.printer.message(&format!("{name}: gone; what it had traced stays"));
                if let Some(watcher) = &mut self.watcher {
                    watcher.forget(&name);
                }
            }
        }
    }

    /// A machine's probes are others now: matches and enables anew.
    fn refresh(&mut self, index: usize) {
        let Some(machine) = self.machines.get_mut(index) else { return };
        let refreshed = machine.refresh_probes(&mut self.numbers).map_err(SessionError::Host);
        if let Err(error) = refreshed.and_then(|()| self.enable(index)) {
            self.printer.message(&error.to_string());
        }
    }

    /// Looks for machines that have appeared.
    fn arrivals(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for link in watcher.arrivals() {
            let link: Box<dyn MachineLink> = Box::new(link);
            if link.info().ready { self.join(link) } else { self.waiting.push(link) }
        }
    }

    /// Takes a machine in that was not there when the session started.
    fn join(&mut self, link: Box<dyn MachineLink>) {
        let Some(live) = &mut self.live else { return };
        let id = MachineId(live.next_machine);
        live.next_machine += 1;
        let name = link.info().vmname.clone();
        let mut warnings = Vec::new();
        let fetched = Machine::fetch(id, link, &self.machines, &mut self.numbers, &mut |warning| {
            warnings.push(warning);
        });
        warnings.iter().for_each(|warning| self.printer.message(warning));
        let mut machine = match fetched {
            Ok(machine) => machine,
            Err(error) => return self.printer.message(&format!("{name}: {error}")),
        };
        if let Err(error) = self.type_files.apply(&mut machine, self.options.resolvers) {
            return self.printer.message(&format!("{name}: {error}"));
        }
        self.printer.add_machine(id, Rc::clone(&machine.symbols));
        let compiled = if self.programs.adopt(&machine) {
            Ok(())
        } else {
            self.programs.compile_one(self.compiler.as_mut(), &machine, &self.options)
        };
        self.machines.push(machine);
        let index = self.machines.len() - 1;
        let attached = compiled
            .and_then(|()| self.programs.lay_out(&self.config))
            .and_then(|()| self.attach(index));
        self.define_aggregations();
        match attached {
            Ok(()) => self.printer.message(&format!("{name}: joined")),
            Err(error) => self.printer.message(&format!("{name}: not traced: {error}")),
        }
    }

    /// Prints the records that are ready.
    fn drain(&mut self, all: bool) -> Result<(), SessionError> {
        let records = self.collect(all);
        self.print_all(&records)
    }

    /// Takes the records that are ready, or all that there are.
    fn collect(&mut self, all: bool) -> Vec<(SlotId, RawRecord)> {
        let mut records: Vec<(SlotId, RawRecord)> = Vec::new();
        let Some(live) = &mut self.live else { return records };
        let mut keep = |slot: SlotId, record: RawRecord| records.push((slot, record));
        if all {
            live.reader.drain_all(&mut keep);
        } else {
            live.reader.drain(Monotonic.settled(), &mut keep);
        }
        let corrupt = live.reader.anomalies().corrupt_rings;
        let lost = corrupt - std::mem::replace(&mut live.corrupt, corrupt);
        if lost > 0 {
            self.printer.message(&format!(
                "{lost} principal buffer(s) made no sense; the records in them are lost"
            ));
        }
        records
    }

    fn print_all(&mut self, records: &[(SlotId, RawRecord)]) -> Result<(), SessionError> {
        for (at, (slot, record)) in records.iter().enumerate() {
            let flow = if self.options.flowindent && record.epid != ERROR_EPID {
                let rest = records.iter().skip(at + 1).map(|(slot, record)| (*slot, record.epid));
                let next = FlowState::next_of(*slot, rest);
                self.flow.step(record.epid, next, &self.enabled)
            } else {
                Default::default()
            };
            self.print(*slot, record, flow)?;
        }
        Ok(())
    }

    fn print(
        &mut self,
        slot: SlotId,
        record: &RawRecord,
        flow: (Flow, usize),
    ) -> Result<(), SessionError> {
        if record.epid == ERROR_EPID {
            self.print_error(record);
            return Ok(());
        }
        let Some(probe) = self.enabled.get(record.epid) else {
            let epid = record.epid.0;
            self.printer.message(&format!("a record names enabled probe ID {epid}, which is none"));
            return Ok(());
        };
        let base =
            index_of(&self.machines, probe.machine).and_then(|index| self.machines.get(index));
        let cpu = base
            .map_or(0, |machine| machine.link.cpu_of(slot.0.saturating_sub(machine.slots.base)));
        let users = Links(RefCell::new(&mut self.machines));
        let (epid, bytes, users) = (record.epid.0, &*record.bytes, &users);
        let record = Record { probe, epid, cpu, bytes, users, flow };
        match self.printer.record(&record, &mut self.options, &mut self.aggregations) {
            Err(error @ super::printer::RecordError::Write { .. }) => Err(error.into()),
            Err(error) => {
                self.printer.message(&error.to_string());
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn print_error(&mut self, record: &RawRecord) {
        let line = ErrorRecord::from_record(&record.bytes)
            .and_then(|error| Some(error_line(&error, self.enabled.get(error.epid)?)));
        let line = line.unwrap_or_else(|| "an error record makes no sense".to_owned());
        self.printer.message(&line);
    }

    /// Takes what aggregations have gained.
    fn snapshot(&mut self, all: bool) {
        let Some(live) = &mut self.live else { return };
        if all {
            live.reader.snapshot_all();
        } else {
            live.reader.snapshot();
        }
        let varids: Vec<u32> = live.reader.aggregations().keys().copied().collect();
        let mut misfits = Vec::new();
        for varid in varids {
            let mut entries = Vec::new();
            live.reader.edit(varid, |map| entries.extend(map.drain()));
            for (words, value) in entries {
                let probe = self.enabled.get(value.epid);
                let machine = probe.map_or(MachineId(0), |probe| probe.machine);
                let symbols = index_of(&self.machines, machine)
                    .and_then(|index| self.machines.get(index))
                    .map(|machine| Rc::clone(&machine.symbols));
                let anchor = |kind: &ValueKind, address: u64| match kind {
                    ValueKind::Symbol => symbols
                        .as_ref()
                        .and_then(|symbols| symbols.lookup(address))
                        .map_or(address, |symbol| symbol.start),
                    _ => address,
                };
                let key = key::parts(&words).unwrap_or_default();
                // Keys are printed at the end, when the process may be gone.
                for pid in self.aggregations.processes(AggId(varid), &key) {
                    let found = self.machines.iter_mut().find(|known| known.id == machine);
                    found.into_iter().for_each(|found| found.link.note_process(pid));
                }
                let merged =
                    self.aggregations.merge(AggId(varid), machine, &key, &value.values, &anchor);
                misfits.extend(merged.err());
            }
        }
        misfits.iter().take(1).for_each(|error| self.printer.message(&error.to_string()));
    }

    /// Says what was lost since the last time.
    fn report_drops(&mut self) {
        let Some(live) = &mut self.live else { return };
        let mut session: Vec<(DropKind, u64)> = Vec::new();
        let mut lines = Vec::new();
        for (slot, kind, count) in live.reader.drops() {
            match kind {
                // What comes after a buffer was full is not what that policy is asked for.
                DropKind::Principal if self.options.bufpolicy == BufPolicy::Fill => {}
                DropKind::Principal | DropKind::Aggregation => {
                    let owner = self.machines.iter().find(|machine| {
                        let SlotRange { base, count } = machine.slots;
                        (base..base.saturating_add(count)).contains(&slot.0)
                    });
                    let cpu = owner
                        .map_or(slot.0, |machine| machine.link.cpu_of(slot.0 - machine.slots.base));
                    let guest = owner.filter(|machine| !machine.is_host());
                    let line = cpu_drop_line(kind, count, cpu, guest.map(Machine::name));
                    lines.push((kind, count, drop_tag(kind, self.options.droptags) + &line));
                }
                _ => match session.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, total)) => *total += count,
                    None => session.push((kind, count)),
                },
            }
        }
        let more = session.into_iter().filter_map(|(kind, count)| {
            let line = session_drop_line(kind, count)?;
            Some((kind, count, drop_tag(kind, self.options.droptags) + &line))
        });
        let states = self.machines.iter().zip(&mut live.states);
        let inside = states.filter_map(|(machine, state)| {
            let count = state.lost.news();
            let line = || lost::line(count, machine.name(), self.options.droptags);
            (count > 0).then(|| (DropKind::Principal, count, line()))
        });
        let more: Vec<_> = more.chain(inside).collect();
        for (kind, count, line) in lines.into_iter().chain(more) {
            // What cannot be written is told as words.
            let told = self
                .options
                .structure
                .is_some_and(|to| self.printer.drop_object(to, kind, count, &line).is_ok());
            if !told {
                self.printer.message(&line);
            }
        }
    }
}

/// Asks the machines' links for user symbols.
#[derive(Debug)]
struct Links<'a>(RefCell<&'a mut [Machine]>);

impl UserSymbolizer for Links<'_> {
    fn resolve(&self, machine: MachineId, pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
        let mut machines = self.0.borrow_mut();
        let found = machines.iter_mut().find(|known| known.id == machine);
        found.map_or_else(
            || vec![None; addresses.len()],
            |machine| machine.link.resolve_user(pid, addresses),
        )
    }
}

/// The host's `dtrace:::name`.
fn dtrace_probe(name: &str) -> ProbeDesc {
    ProbeDesc { provider: "dtrace".into(), name: name.into(), ..ProbeDesc::default() }
}
