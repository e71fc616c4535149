//! Random scripts, typed as they are made: a register holds a number or a text, never an address,
//! so what a script means does not depend on where things lie.

/// Numbers that decide everything; past the end come zeros.
pub(crate) struct Tape<'a> {
    rest: &'a [u64],
    /// Variables and arrays of texts that the script has loaded so far, a bit each. A register that
    /// such a load fills refers to the variable, as in C, and shows what is stored there later; the
    /// model's registers do not. So nothing is stored there later in the same firing.
    loaded: u32,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(rest: &'a [u64]) -> Self {
        Self { rest, loaded: 0 }
    }

    fn loads(&mut self, number: u8, kind: Kind) {
        if kind == Kind::Text {
            self.loaded |= 1 << number;
        }
    }

    fn may_store(&self, number: u8) -> bool {
        self.loaded & 1 << number == 0
    }

    fn next(&mut self) -> u64 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What a register or variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
}

/// A register of the script's: 1 to 4. `lower` uses the others.
pub(crate) type Reg = u8;
/// The register that is always 0.
pub(crate) const ZERO: Reg = 0;
const REGS: [Reg; 4] = [1, 2, 3, 4];

/// Two-operand arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Or,
    Xor,
    And,
    Shl,
    Shr,
    Sar,
    Sub,
    Add,
    Mul,
    Sdiv,
    Udiv,
    Srem,
    Urem,
}

pub(crate) const BINARIES: [Binary; 13] = [
    Binary::Or,
    Binary::Xor,
    Binary::And,
    Binary::Shl,
    Binary::Shr,
    Binary::Sar,
    Binary::Sub,
    Binary::Add,
    Binary::Mul,
    Binary::Sdiv,
    Binary::Udiv,
    Binary::Srem,
    Binary::Urem,
];

/// Comparisons; those of texts ignore the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Unequal,
    Less { signed: bool },
    LessEqual { signed: bool },
    Greater { signed: bool },
    GreaterEqual { signed: bool },
}

const RELATIONS: [Relation; 10] = [
    Relation::Equal,
    Relation::Unequal,
    Relation::Less { signed: true },
    Relation::Less { signed: false },
    Relation::LessEqual { signed: true },
    Relation::LessEqual { signed: false },
    Relation::Greater { signed: true },
    Relation::Greater { signed: false },
    Relation::GreaterEqual { signed: true },
    Relation::GreaterEqual { signed: false },
];

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Home {
    Global,
    Thread,
    Clause,
}

/// A scalar variable: its number makes its name and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Var {
    pub(crate) home: Home,
    pub(crate) number: u8,
    pub(crate) kind: Kind,
    /// Bytes of a number.
    pub(crate) size: u32,
}

const fn var(home: Home, number: u8, kind: Kind, size: u32) -> Var {
    Var { home, number, kind, size }
}

pub(crate) const VARS: [Var; 9] = [
    var(Home::Global, 0, Kind::Number, 8),
    var(Home::Global, 1, Kind::Number, 4),
    var(Home::Global, 2, Kind::Text, 0),
    var(Home::Thread, 3, Kind::Number, 8),
    var(Home::Thread, 4, Kind::Text, 0),
    var(Home::Clause, 5, Kind::Number, 8),
    var(Home::Clause, 6, Kind::Text, 0),
    var(Home::Global, 7, Kind::Number, 1),
    var(Home::Thread, 8, Kind::Number, 8),
];

/// An associative array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Array {
    pub(crate) home: Home,
    pub(crate) number: u8,
    pub(crate) keys: &'static [Kind],
    pub(crate) kind: Kind,
}

pub(crate) const ARRAYS: [Array; 4] = [
    Array {
        home: Home::Global,
        number: 20,
        keys: &[Kind::Number, Kind::Number],
        kind: Kind::Number,
    },
    Array { home: Home::Global, number: 21, keys: &[Kind::Text, Kind::Number], kind: Kind::Text },
    Array { home: Home::Thread, number: 22, keys: &[Kind::Text], kind: Kind::Number },
    Array { home: Home::Thread, number: 23, keys: &[Kind::Number], kind: Kind::Text },
];

/// Subroutines, with what they take and give. The last `optional` arguments may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sub {
    pub(crate) name: &'static str,
    pub(crate) takes: &'static [Kind],
    pub(crate) optional: usize,
    pub(crate) gives: Kind,
}

const T: Kind = Kind::Text;
const N: Kind = Kind::Number;

const fn sub(name: &'static str, takes: &'static [Kind], optional: usize, gives: Kind) -> Sub {
    Sub { name, takes, optional, gives }
}

pub(crate) const SUBS: [Sub; 20] = [
    sub("strlen", &[T], 0, N),
    sub("strjoin", &[T, T], 0, T),
    sub("strchr", &[T, N], 0, T),
    sub("strrchr", &[T, N], 0, T),
    sub("strstr", &[T, T], 0, T),
    sub("strtok", &[T, T], 0, T),
    sub("substr", &[T, N, N], 1, T),
    sub("index", &[T, T, N], 1, N),
    sub("rindex", &[T, T, N], 1, N),
    sub("toupper", &[T], 0, T),
    sub("tolower", &[T], 0, T),
    sub("lltostr", &[N, N], 1, T),
    sub("strtoll", &[T, N], 1, N),
    sub("basename", &[T], 0, T),
    sub("dirname", &[T], 0, T),
    sub("htons", &[N], 0, N),
    sub("htonl", &[N], 0, N),
    sub("htonll", &[N], 0, N),
    sub("ntohs", &[N], 0, N),
    sub("copyinstr", &[], 0, T),
];

/// Built-in variables.
pub(crate) const BUILTINS: [(&str, Kind); 7] =
    [("pid", N), ("tid", N), ("ppid", N), ("uid", N), ("gid", N), ("cpu", N), ("execname", T)];

/// One step; `rd` is where its result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Number {
        rd: Reg,
        value: u64,
    },
    Text {
        rd: Reg,
        text: Vec<u8>,
    },
    Binary {
        op: Binary,
        a: Reg,
        b: Reg,
        rd: Reg,
    },
    Not {
        a: Reg,
        rd: Reg,
    },
    Move {
        a: Reg,
        rd: Reg,
    },
    Argument {
        index: u8,
        rd: Reg,
    },
    Builtin {
        which: usize,
        rd: Reg,
    },
    /// `rd = a relation b`
    Test {
        relation: Relation,
        a: Reg,
        b: Reg,
        texts: bool,
        rd: Reg,
    },
    /// The next `len` steps happen only if `a relation b`.
    If {
        relation: Relation,
        a: Reg,
        b: Reg,
        len: usize,
    },
    Load {
        var: Var,
        rd: Reg,
    },
    Store {
        var: Var,
        rs: Reg,
    },
    /// `var op= r`; the value before or after into `r`.
    Update {
        var: Var,
        op: Binary,
        r: Reg,
        before: bool,
    },
    Element {
        array: Array,
        keys: Vec<Reg>,
        rd: Reg,
    },
    SetElement {
        array: Array,
        keys: Vec<Reg>,
        rs: Reg,
    },
    Call {
        sub: Sub,
        args: Vec<Reg>,
        rd: Reg,
    },
    /// `strtok(NULL, separators)`
    NextToken {
        separators: Reg,
        rd: Reg,
    },
    /// Eight bytes stored in scratch, `width` of them loaded from `offset`.
    Scratch {
        rs: Reg,
        width: u8,
        signed: bool,
        offset: u8,
        rd: Reg,
    },
    /// `width` bytes loaded from the machine's memory, which ends somewhere.
    Machine {
        offset: u16,
        width: u8,
        signed: bool,
        user: bool,
        rd: Reg,
    },
}

pub(crate) const STEP_NAMES: [&str; 18] = [
    "Number",
    "Text",
    "Binary",
    "Not",
    "Move",
    "Argument",
    "Builtin",
    "Test",
    "If",
    "Load",
    "Store",
    "Update",
    "Element",
    "SetElement",
    "Call",
    "NextToken",
    "Scratch",
    "Machine",
];

/// Steps, and the register they return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expr {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: Reg,
    pub(crate) kind: Kind,
}

/// Aggregating functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Func {
    Count,
    Sum,
    Min,
    Max,
    Avg,
    Quantize,
}

const FUNCS: [Func; 6] = [Func::Count, Func::Sum, Func::Min, Func::Max, Func::Avg, Func::Quantize];

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Trace(Expr),
    Aggregate { id: u32, func: Func, keys: Vec<Expr>, value: Option<Expr> },
}

/// One clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) predicate: Option<Expr>,
    pub(crate) actions: Vec<Action>,
}

/// A script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) clauses: Vec<Clause>,
}

/// One firing: what the machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firing {
    pub(crate) args: [u64; 10],
    pub(crate) tid: u32,
}

/// A few firings, by two threads.
pub(crate) fn firings(tape: &mut Tape<'_>) -> Vec<Firing> {
    (0..tape.below(4) + 1)
        .map(|_| Firing {
            args: std::array::from_fn(|_| number(tape)),
            tid: 100 + u32::from(tape.below(2) == 1),
        })
        .collect()
}

/// Numbers where arithmetic has its corners.
fn number(tape: &mut Tape<'_>) -> u64 {
    match tape.below(8) {
        0 => tape.pick(&[0, 1, u64::MAX, i64::MAX.cast_unsigned(), i64::MIN.cast_unsigned()]),
        1 => tape.pick(&[0xff, 0x80, 0xffff_ffff, 0x8000_0000, 1 << 32, 63, 64, 65]),
        2 => tape.next(),
        3 => (tape.next() % 64).wrapping_neg(),
        _ => tape.next() % 40,
    }
}

fn text(tape: &mut Tape<'_>) -> Vec<u8> {
    const SOME: [&str; 12] = [
        "",
        "a",
        "/usr/bin/ls",
        "/usr//lib/",
        "  -42x",
        "0x1f",
        "one,two;three",
        "aaaa",
        "ab",
        "/",
        "zz top",
        "a-text-that-is-longer-than-any-string-may-be",
    ];
    match tape.below(4) {
        0 => {
            let len = tape.below(10);
            (0..len).map(|_| tape.pick(b"ab/,. 01\xe9Z")).collect()
        }
        _ => tape.pick(&SOME).as_bytes().to_vec(),
    }
}

/// Makes an expression's steps, knowing what each register holds.
struct Maker<'t, 'n> {
    tape: &'t mut Tape<'n>,
    kinds: [Option<Kind>; 5],
    steps: Vec<Step>,
    /// In the body of an `If` a register keeps its kind.
    keep: bool,
}

impl Maker<'_, '_> {
    /// A register that holds something of the kind, filled if there is none.
    fn operand(&mut self, kind: Kind) -> Reg {
        let having: Vec<Reg> =
            REGS.into_iter().filter(|r| self.kinds[usize::from(*r)] == Some(kind)).collect();
        if having.is_empty() || (!self.keep && self.tape.below(4) == 0) {
            return self.constant(kind);
        }
        self.tape.pick(&having)
    }

    fn constant(&mut self, kind: Kind) -> Reg {
        let rd = self.target(kind);
        self.steps.push(match kind {
            Kind::Number => Step::Number { rd, value: number(self.tape) },
            Kind::Text => Step::Text { rd, text: text(self.tape) },
        });
        rd
    }

    /// Where a result of the kind may go.
    fn target(&mut self, kind: Kind) -> Reg {
        let fitting: Vec<Reg> = REGS
            .into_iter()
            .filter(|r| !self.keep || self.kinds[usize::from(*r)] == Some(kind))
            .collect();
        let rd = self.tape.pick(&fitting);
        self.kinds[usize::from(rd)] = Some(kind);
        rd
    }

    /// Whether a result of the kind has a place to go.
    fn has_target(&self, kind: Kind) -> bool {
        !self.keep || self.kinds.contains(&Some(kind))
    }

    fn relation(&mut self) -> Relation {
        self.tape.pick(&RELATIONS)
    }

    fn step(&mut self) {
        let choice = self.tape.below(16);
        match choice {
            0 => drop(self.constant(Kind::Number)),
            1 if self.has_target(T) => drop(self.constant(Kind::Text)),
            2 | 3 => {
                let (a, b) = (self.operand(N), self.operand(N));
                let op = self.tape.pick(&BINARIES);
                let rd = self.target(N);
                self.steps.push(Step::Binary { op, a, b, rd });
            }
            4 => self.small(),
            5 => self.fire_data(),
            6 => self.test(),
            7 if !self.keep => self.conditional(),
            8 => self.load(),
            9 => {
                let var = self.tape.pick(&VARS);
                if self.has_target(var.kind) && self.tape.may_store(var.number) {
                    let rs = self.operand(var.kind);
                    self.steps.push(Step::Store { var, rs });
                }
            }
            10 => {
                let globals: Vec<Var> =
                    VARS.into_iter().filter(|v| v.home == Home::Global && v.kind == N).collect();
                let (var, op) = (self.tape.pick(&globals), self.tape.pick(&BINARIES));
                let (r, before) = (self.operand(N), self.tape.below(2) == 0);
                self.steps.push(Step::Update { var, op, r, before });
            }
            11 => self.element(),
            12 | 13 => self.call(),
            14 => self.memory(),
            _ if self.has_target(T) => {
                let separators = self.operand(T);
                let rd = self.target(T);
                self.steps.push(Step::NextToken { separators, rd });
            }
            _ => {}
        }
    }

    fn small(&mut self) {
        let a = self.operand(N);
        let rd = self.target(N);
        self.steps.push(match self.tape.below(2) {
            0 => Step::Not { a, rd },
            _ => Step::Move { a, rd },
        });
    }

    fn fire_data(&mut self) {
        if self.tape.below(2) == 0 {
            let index = u8::try_from(self.tape.below(10)).unwrap();
            let rd = self.target(N);
            self.steps.push(Step::Argument { index, rd });
            return;
        }
        let which = self.tape.below(BUILTINS.len());
        if self.has_target(BUILTINS[which].1) {
            let rd = self.target(BUILTINS[which].1);
            self.steps.push(Step::Builtin { which, rd });
        }
    }

    fn test(&mut self) {
        let texts = self.tape.below(2) == 0 && self.has_target(T);
        let kind = if texts { T } else { N };
        let (a, b, relation) = (self.operand(kind), self.operand(kind), self.relation());
        let rd = self.target(N);
        self.steps.push(Step::Test { relation, a, b, texts, rd });
    }

    fn conditional(&mut self) {
        let (a, b, relation) = (self.operand(N), self.operand(N), self.relation());
        let at = self.steps.len();
        self.steps.push(Step::If { relation, a, b, len: 0 });
        self.keep = true;
        for _ in 0..self.tape.below(3) + 1 {
            self.step();
        }
        self.keep = false;
        self.steps[at] = Step::If { relation, a, b, len: self.steps.len() - at - 1 };
    }

    fn load(&mut self) {
        let var = self.tape.pick(&VARS);
        if self.has_target(var.kind) {
            let rd = self.target(var.kind);
            self.tape.loads(var.number, var.kind);
            self.steps.push(Step::Load { var, rd });
        }
    }

    fn element(&mut self) {
        let array = self.tape.pick(&ARRAYS);
        if array.keys.iter().chain([&array.kind]).any(|kind| !self.has_target(*kind)) {
            return;
        }
        // The value first: filling a register must not overwrite a key.
        let rs = self.operand(array.kind);
        let keys: Vec<Reg> = array.keys.iter().map(|kind| self.operand(*kind)).collect();
        if !self.holds(&keys, array.keys) || self.kinds[usize::from(rs)] != Some(array.kind) {
            return;
        }
        if self.tape.below(2) == 0 {
            if self.tape.may_store(array.number) {
                self.steps.push(Step::SetElement { array, keys, rs });
            }
        } else {
            self.tape.loads(array.number, array.kind);
            let rd = self.target(array.kind);
            self.steps.push(Step::Element { array, keys, rd });
        }
    }

    /// Filling one operand may have taken another's register.
    fn holds(&self, regs: &[Reg], kinds: &[Kind]) -> bool {
        regs.iter().zip(kinds).all(|(r, kind)| self.kinds[usize::from(*r)] == Some(*kind))
    }

    fn call(&mut self) {
        let sub = self.tape.pick(&SUBS);
        if sub.takes.iter().chain([&sub.gives]).any(|kind| !self.has_target(*kind)) {
            return;
        }
        let count = sub.takes.len() - self.tape.below(sub.optional + 1);
        let takes = &sub.takes[..count];
        let args: Vec<Reg> = takes.iter().map(|kind| self.operand(*kind)).collect();
        if self.holds(&args, takes) {
            let rd = self.target(sub.gives);
            self.steps.push(Step::Call { sub, args, rd });
        }
    }

    fn memory(&mut self) {
        let (width, signed) = (self.tape.pick(&[1_u8, 2, 4, 8]), self.tape.below(2) == 0);
        if self.tape.below(2) == 0 {
            let rs = self.operand(N);
            let offset = u8::try_from(self.tape.below(9 - usize::from(width))).unwrap();
            let rd = self.target(N);
            self.steps.push(Step::Scratch { rs, width, signed, offset, rd });
        } else {
            let offset = u16::try_from(self.tape.below(140)).unwrap();
            let (user, rd) = (self.tape.below(2) == 0, self.target(N));
            self.steps.push(Step::Machine { offset, width, signed, user, rd });
        }
    }
}

impl Expr {
    fn make(tape: &mut Tape<'_>, longest: usize) -> Self {
        let count = tape.below(longest) + 1;
        let kind = if tape.below(3) == 0 { Kind::Text } else { Kind::Number };
        let mut maker = Maker { tape, kinds: [None; 5], steps: Vec::new(), keep: false };
        // Every register holds something from the start: 0 to 2 numbers, the others texts.
        for (rd, kind) in [(1, N), (2, N), (3, T), (4, T)] {
            maker.kinds[usize::from(rd)] = Some(kind);
            maker.steps.push(match kind {
                Kind::Number => Step::Number { rd, value: number(maker.tape) },
                Kind::Text => Step::Text { rd, text: text(maker.tape) },
            });
        }
        for _ in 0..count {
            maker.step();
        }
        let result = maker.operand(kind);
        Self { steps: maker.steps, result, kind }
    }
}

impl Script {
    /// Makes a script.
    pub(crate) fn make(tape: &mut Tape<'_>) -> Self {
        let clauses = (0..tape.below(3) + 1).map(|_| Clause::make(tape)).collect();
        Self { clauses }
    }

    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.clauses.iter().flat_map(|clause| {
            let inside = clause.actions.iter().flat_map(|action| match action {
                Action::Trace(expr) => vec![expr],
                Action::Aggregate { keys, value, .. } => keys.iter().chain(value).collect(),
            });
            clause.predicate.iter().chain(inside)
        })
    }

    /// Which kinds of steps it has.
    pub(crate) fn step_names(&self) -> Vec<String> {
        let name = |step: &Step| {
            format!("{step:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
        };
        self.exprs().flat_map(|expr| expr.steps.iter().map(name)).collect()
    }
}

impl Clause {
    fn make(tape: &mut Tape<'_>) -> Self {
        let predicate = (tape.below(4) == 0).then(|| {
            let mut expr = Expr::make(tape, 4);
            if expr.kind == T {
                expr.kind = N;
                expr.steps.push(Step::Number { rd: 1, value: 1 });
                expr.result = 1;
            }
            expr
        });
        let actions = (0..tape.below(4) + 1).map(|_| Action::make(tape)).collect();
        Self { predicate, actions }
    }
}

impl Action {
    fn make(tape: &mut Tape<'_>) -> Self {
        if tape.below(3) != 0 {
            return Self::Trace(Expr::make(tape, 14));
        }
        // An aggregation has one function, and keys of one shape, wherever it stands.
        let at = tape.below(FUNCS.len());
        let func = FUNCS[at];
        let mut keys = Vec::new();
        let wanted: &[Kind] = [&[][..], &[N], &[T], &[N, T]][at % 4];
        for kind in wanted {
            let mut expr = Expr::make(tape, 4);
            if expr.kind != *kind {
                expr.kind = *kind;
                expr.result = if *kind == T { 4 } else { 1 };
                expr.steps.push(match kind {
                    Kind::Text => Step::Text { rd: 4, text: text(tape) },
                    Kind::Number => Step::Number { rd: 1, value: number(tape) },
                });
            }
            keys.push(expr);
        }
        let value = (func != Func::Count).then(|| {
            let mut expr = Expr::make(tape, 6);
            if expr.kind == T {
                expr.kind = N;
                expr.result = 1;
                expr.steps.push(Step::Argument { index: 0, rd: 1 });
            }
            expr
        });
        Self::Aggregate { id: u32::try_from(at).unwrap() + 1, func, keys, value }
    }
}
