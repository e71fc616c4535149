//! The cases, with the classic engine's counted instructions and our goals.

/// A clause whose fire is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// A short name, also on the command line.
    pub name: &'static str,
    /// The script; `bench:::a` is fired, and `bench:::b` right after it if `pair`.
    pub script: &'static str,
    /// Two fires make one round (an entry and its return).
    pub pair: bool,
    /// How many values `arg0` takes in turn.
    pub keys: u64,
    /// Instructions of the original C engine for the same, where it was measured.
    pub classic: Option<u32>,
    /// Ours shall be below, if a goal was set.
    pub goal: Option<u32>,
}

const ONE: Case = Case { name: "", script: "", pair: false, keys: 1, classic: None, goal: None };

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "disabled", script: "bench:::b { }", classic: Some(91), goal: Some(40), ..ONE },
    Case { name: "empty", script: "bench:::a { }", classic: Some(239), goal: Some(120), ..ONE },
    Case {
        name: "trace",
        script: "bench:::a { trace(arg0); }",
        classic: Some(437),
        goal: Some(180),
        ..ONE
    },
    Case {
        name: "false",
        script: "bench:::a /arg0 == 77/ { }",
        classic: Some(509),
        goal: Some(150),
        ..ONE
    },
    Case {
        name: "count",
        script: "bench:::a { @ = count(); }",
        classic: Some(757),
        goal: Some(200),
        ..ONE
    },
    Case {
        name: "count-execname",
        script: "bench:::a { @[execname] = count(); }",
        classic: Some(1_873),
        goal: Some(500),
        ..ONE
    },
    Case {
        name: "count-256-keys",
        script: "bench:::a { @[pid, arg0] = count(); }",
        keys: 256,
        classic: Some(1_646),
        goal: Some(450),
        ..ONE
    },
    Case {
        name: "quantize",
        script: "bench:::a { @ = quantize(arg0); }",
        keys: 256,
        classic: Some(959),
        goal: Some(250),
        ..ONE
    },
    Case {
        name: "string",
        script: "bench:::a { trace(1); trace(stringof(arg1)); }",
        classic: Some(11_000),
        goal: Some(1_200),
        ..ONE
    },
    Case {
        name: "thread-local",
        script: "bench:::a { self->ts = timestamp; }",
        classic: Some(724),
        goal: Some(300),
        ..ONE
    },
    Case {
        name: "assoc-store",
        script: "bench:::a { a[pid, arg0] = 1; }",
        classic: Some(957),
        goal: Some(400),
        ..ONE
    },
    Case {
        name: "assoc-load",
        script: "bench:::b { a[pid, arg0] = 1; } bench:::a { this->x = a[pid, arg0]; }",
        classic: Some(911),
        goal: Some(400),
        ..ONE
    },
    Case { name: "global-increment", script: "bench:::a { n++; }", goal: Some(200), ..ONE },
    Case {
        name: "pair",
        script: "bench:::a { self->t = timestamp; } bench:::b /self->t/ { @ = quantize(timestamp - self->t); self->t = 0; }",
        pair: true,
        classic: Some(2_994),
        goal: Some(1_000),
        ..ONE
    },
    Case { name: "sum", script: "bench:::a { @ = sum(arg0); }", keys: 256, ..ONE },
    Case { name: "min", script: "bench:::a { @ = min(arg0); }", keys: 256, ..ONE },
    Case { name: "max", script: "bench:::a { @ = max(arg0); }", keys: 256, ..ONE },
    Case { name: "avg", script: "bench:::a { @ = avg(arg0); }", keys: 256, ..ONE },
    Case { name: "stddev", script: "bench:::a { @ = stddev(arg0); }", keys: 256, ..ONE },
    Case {
        name: "lquantize",
        script: "bench:::a { @ = lquantize(arg0, 0, 256, 16); }",
        keys: 256,
        ..ONE
    },
    Case {
        name: "llquantize",
        script: "bench:::a { @ = llquantize(arg0, 10, 0, 6, 20); }",
        keys: 256,
        ..ONE
    },
    // Eight loads of guest memory and seven additions.
    Case {
        name: "loads",
        script: "bench:::a { this->p = (int *)arg1; this->x = this->p[0] + this->p[1] + this->p[2]
            + this->p[3] + this->p[4] + this->p[5] + this->p[6] + this->p[7]; }",
        ..ONE
    },
    Case { name: "strlen", script: "bench:::a { this->x = strlen(stringof(arg1)); }", ..ONE },
    Case {
        name: "strstr",
        script: "bench:::a { this->x = strstr(stringof(arg1), \"needle\") == NULL; }",
        ..ONE
    },
];
