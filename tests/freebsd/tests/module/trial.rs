//! What every test of the module begins and ends with: a guest of either release whose module is
//! loaded, and a module that unloads and leaks nothing.

use std::ops::{Deref, DerefMut};

use freebsd_harness::machine::Release;
use freebsd_harness::process::{Guest, MODULE};
use freebsd_harness::trace::Trace;

const RELEASES: [Release; 2] = [Release::V14, Release::V15];

/// How a guest is booted for a test.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// The test's name, for the machine's.
    pub(crate) name: &'a str,
    /// For `freebsd-guest`.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Whether the kernel's environment permits destructive actions.
    pub(crate) destructive: bool,
}

impl<'a> Setup<'a> {
    pub(crate) const fn new(name: &'a str) -> Self {
        Self { name, variables: &[], destructive: false }
    }
}

/// A guest under test.
pub(crate) struct Trial {
    guest: Guest,
    name: String,
}

impl Deref for Trial {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl DerefMut for Trial {
    fn deref_mut(&mut self) -> &mut Guest {
        &mut self.guest
    }
}

/// Runs a test on a guest of each release, whose module is loaded and has announced its probes;
/// what it leaves loaded unloads, and nothing of it stays.
pub(crate) fn on_both(setup: Setup<'_>, test: impl Fn(&mut Trial)) {
    for release in RELEASES {
        let mut trial = Trial::boot(setup, release);
        trial.load_module();
        test(&mut trial);
        trial.unload_module();
    }
}

/// As [`on_both`], and the test keeps the machine: it does not outlive it.
pub(crate) fn to_the_end_on_both(setup: Setup<'_>, test: impl Fn(Trial)) {
    for release in RELEASES {
        let mut trial = Trial::boot(setup, release);
        trial.load_module();
        test(trial);
    }
}

/// As [`on_both`], without the module: the test loads it.
pub(crate) fn booted_on_both(setup: Setup<'_>, test: impl Fn(&mut Trial)) {
    for release in RELEASES {
        let mut trial = Trial::boot(setup, release);
        test(&mut trial);
        trial.unload_module();
    }
}

impl Trial {
    fn boot(setup: Setup<'_>, release: Release) -> Self {
        let name = format!("{}-{release:?}", setup.name);
        let mut guest = Guest::boot(release, &name, setup.variables).expect("boots");
        if setup.destructive {
            assert_eq!(guest.call("ht_permit", &[1]).expect("answers"), 1);
        }
        Self { guest, name }
    }

    /// Loads the module, and waits until it has announced its probes.
    pub(crate) fn load_module(&mut self) {
        assert_eq!(self.load(MODULE).expect("answers"), 0, "the module refuses to load");
        self.ready().expect("HELLO");
    }

    /// Unloads it; it leaves nothing.
    pub(crate) fn unload_module(&mut self) {
        self.unload_at_last(MODULE).expect("unloads");
        assert_eq!(self.kernel("ht_leaked", &[]), 0, "it leaks");
    }

    /// Calls a function of the kernel.
    pub(crate) fn kernel(&mut self, function: &str, arguments: &[u64]) -> u64 {
        self.guest.call(function, arguments).expect("the guest runs")
    }

    /// A script that has enabled its probes; `vm:` in it is this machine.
    pub(crate) fn script(&self, text: &str) -> Trace {
        let mut trace = self.start(text);
        trace.wait_ready().expect("BEGIN");
        trace
    }

    /// The same of probes that are about to be announced.
    pub(crate) fn script_at_last(&self, text: &str) -> Trace {
        loop {
            let mut trace = self.start(text);
            if trace.wait_ready().is_ok() {
                return trace;
            }
        }
    }

    fn start(&self, text: &str) -> Trace {
        let text = text.replace("vm:", &format!("{}:", self.name));
        Trace::start(&self.dir, &text).expect("dtrace runs")
    }

    /// What a script prints that ends while the kernel carries this function out.
    pub(crate) fn traced(&mut self, text: &str, function: &str, arguments: &[u64]) -> Vec<String> {
        let trace = self.script(text);
        self.kernel(function, arguments);
        lines(trace)
    }

    /// Ends the machine as bhyve ends; whether it ends well.
    pub(crate) fn ends_well(self) -> bool {
        self.guest.finish().expect("ends").success()
    }

    /// Lets a process work in which the kernel panics; says why.
    pub(crate) fn panics_in_work(self) -> String {
        self.guest.panics_in("ht_work", &[1, 8]).expect("panics")
    }

    /// Waits until the kernel's processes have done so much more.
    pub(crate) fn wait_for_work(&mut self, rounds: u64) {
        let before = self.kernel("ht_work_done", &[]);
        while self.kernel("ht_work_done", &[]) < before + rounds {}
    }
}

/// What a script printed, once it has ended: lines, without the blanks that align them.
pub(crate) fn lines(trace: Trace) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let output = trace.finish().expect("ends");
    output.lines().map(words).filter(|line| !line.is_empty()).collect()
}

/// Each of these lines is there.
pub(crate) fn assert_lines<S: AsRef<str>>(output: &[String], wanted: impl IntoIterator<Item = S>) {
    for line in wanted {
        let line = line.as_ref();
        assert!(output.iter().any(|it| it == line), "no line {line:?}: {output:#?}");
    }
}
