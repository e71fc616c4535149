//! Expressions as the firing path evaluates them: a DIFO's plan with every place resolved, else
//! the interpreter.
//!
//! [`dif::plan`] says which DIFOs come to a formula; here their variables become offsets, keys and
//! fields of a fire when the program is loaded. A formula with a variable that is not a plain
//! number, or whose reading may fault, stays with the interpreter, so evaluating cannot fail.

use alloc::boxed::Box;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use dif::{
    decode::{Shape, Test, VerifiedDifo},
    env::{AtomicOp, Scope},
    interp::{self, DifFault},
    number::var,
    plan::{self, Binary, Effect, Node, Plan},
};

use super::{
    code::{AggStep, DifoId, Step},
    env::FireEnv,
    fire::count_unfed,
    state::{LastOwn, Place, Places},
};
use crate::{
    arena::{
        agg::AggTarget,
        config::{VarKind, scope_raw},
        dynvar::{DynVars, Found},
        header::DropKind,
        key::{hash_end, hash_step},
    },
    clock::Clock,
    context::FireContext,
    ids::Epid,
    num::{cut, join, u32_of, us},
};

/// A number that is there without computing.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Leaf {
    Constant(u64),
    Arg(u8),
    Pid,
    Tid,
    Timestamp,
    /// A scalar global at an offset of the arena.
    Global(usize),
    /// A scalar clause-local at an offset of the slot's.
    Local(usize),
    /// A scalar thread-local: the first word of its key.
    Own(u64),
    /// A built-in variable that every machine has and that cannot fault.
    Builtin(u16),
}

/// An element of an array of scalars: the first word of its key, whether it is thread-local, and
/// the key.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    variable: u64,
    own: bool,
    key: Box<[Leaf]>,
}

/// What becomes of a formula's value.
#[derive(Clone, Debug)]
#[repr(u8)]
enum Fate {
    Result,
    Global(usize),
    Local(usize),
    Own(u64),
    Element(Element),
    /// Adds to a global of 8 bytes, or subtracts.
    Update {
        offset: usize,
        subtract: bool,
        before: bool,
    },
}

#[derive(Clone, Debug)]
enum Value {
    Leaf(Leaf),
    Binary(Binary, Leaf, Leaf),
    Element(Element),
}

/// A formula and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    value: Value,
    extend: u8,
    fate: Fate,
}

/// A DIFO, ready to be evaluated.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Expr {
    /// A number.
    Leaf(Leaf),
    /// A number compared with a constant.
    Test(Leaf, Test),
    /// A formula.
    Formula(Box<Formula>),
    /// What only the interpreter can do.
    General,
}

/// Words of the longest key of an [`Element`]: the head, the shape, the elements.
const KEY: usize = 4 + plan::MAX_KEY;

impl Expr {
    /// Resolves a DIFO.
    pub(crate) fn new(difo: &VerifiedDifo, places: &Places) -> Self {
        Self::resolve(difo, places).unwrap_or(Self::General)
    }

    /// Whether any number that it looks at is such; what only the interpreter can do says no.
    pub(crate) fn any_leaf(&self, such: &impl Fn(&Leaf) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) | Self::Test(leaf, _) => such(leaf),
            Self::Formula(formula) => formula.any_leaf(such),
            Self::General => false,
        }
    }

    fn resolve(difo: &VerifiedDifo, places: &Places) -> Option<Self> {
        if let Shape::Constant(value) = difo.shape() {
            return Some(Self::Leaf(Leaf::Constant(value)));
        }
        if let Some(test) = difo.test() {
            return Some(Self::Test(leaf(test.leaf(), places)?, *test));
        }
        let Plan { value, extend, effect } = difo.plan()?;
        if let (Node::Leaf(it), 0, Effect::None) = (value, extend, effect) {
            return Some(Self::Leaf(leaf(*it, places)?));
        }
        let value = match value {
            Node::Leaf(it) => Value::Leaf(leaf(*it, places)?),
            Node::Binary(op, a, b) => Value::Binary(*op, leaf(*a, places)?, leaf(*b, places)?),
            Node::Element(scope, id, key) => Value::Element(element(*scope, *id, key, places)?),
        };
        let fate = fate(effect, places)?;
        Some(Self::Formula(Box::new(Formula { value, extend: *extend, fate })))
    }
}

impl Formula {
    fn any_leaf(&self, such: &impl Fn(&Leaf) -> bool) -> bool {
        let value = match &self.value {
            Value::Leaf(leaf) => such(leaf),
            Value::Binary(_, a, b) => such(a) || such(b),
            Value::Element(element) => element.key.iter().any(such),
        };
        value || matches!(&self.fate, Fate::Element(element) if element.key.iter().any(such))
    }
}

/// The first word of a dynamic variable's key.
pub(crate) fn variable_word(scope: Scope, id: u16) -> u64 {
    join(u32::from(scope_raw(scope)) + 1, u32::from(id))
}

fn leaf(it: plan::Leaf, places: &Places) -> Option<Leaf> {
    Some(match it {
        plan::Leaf::Constant(value) => Leaf::Constant(value),
        plan::Leaf::Builtin(id @ var::ARG0..=var::ARG9) => {
            Leaf::Arg(u8::try_from(id - var::ARG0).ok()?)
        }
        plan::Leaf::Builtin(var::PID) => Leaf::Pid,
        plan::Leaf::Builtin(var::TID) => Leaf::Tid,
        plan::Leaf::Builtin(var::TIMESTAMP) => Leaf::Timestamp,
        plan::Leaf::Builtin(id) => super::env::is_plain(id).then_some(Leaf::Builtin(id))?,
        plan::Leaf::Variable(scope, id) => match (scope, places.get(scope, id)) {
            (Scope::Global, Place::Scalar { offset, .. }) => Leaf::Global(offset),
            (Scope::Local, Place::Scalar { offset, .. }) => Leaf::Local(offset),
            (Scope::Thread, Place::Dynamic { kind: VarKind::Scalar, .. }) => {
                Leaf::Own(variable_word(scope, id))
            }
            _ => return None,
        },
    })
}

fn element(scope: Scope, id: u16, key: &[plan::Leaf], places: &Places) -> Option<Element> {
    let Place::Dynamic { kind: VarKind::Scalar, .. } = places.get(scope, id) else { return None };
    let key: Option<Box<[Leaf]>> = key.iter().map(|it| leaf(*it, places)).collect();
    let (variable, own) = (variable_word(scope, id), scope == Scope::Thread);
    Some(Element { variable, own, key: key.filter(|key| key.len() <= plan::MAX_KEY)? })
}

fn fate(effect: &Effect, places: &Places) -> Option<Fate> {
    Some(match effect {
        Effect::None => Fate::Result,
        Effect::Store(scope, id) => match leaf(plan::Leaf::Variable(*scope, *id), places)? {
            Leaf::Global(offset) => Fate::Global(offset),
            Leaf::Local(offset) => Fate::Local(offset),
            Leaf::Own(variable) => Fate::Own(variable),
            _ => return None,
        },
        Effect::StoreElement(scope, id, key) => Fate::Element(element(*scope, *id, key, places)?),
        Effect::Update { id, op, before } => match places.get(Scope::Global, *id) {
            Place::Scalar { offset, size: 8 } if matches!(op, AtomicOp::Add | AtomicOp::Sub) => {
                Fate::Update { offset, subtract: *op == AtomicOp::Sub, before: *before }
            }
            _ => return None,
        },
    })
}

/// A key of numbers only, under construction with its hash.
pub(crate) struct NumberKey<const N: usize> {
    words: [u64; N],
    len: usize,
    hash: u64,
}

impl<const N: usize> NumberKey<N> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { words: [0; N], len: 0, hash: 0 }
    }

    /// Adds a word; beyond `N` it is left out, which whoever made the key's plan has excluded.
    #[inline(always)]
    pub(crate) fn add(&mut self, word: u64) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
            self.len += 1;
            self.hash = hash_step(self.hash, word);
        }
    }

    /// The words and their hash, as [`crate::arena::key::hash`] has it.
    #[inline(always)]
    pub(crate) fn finish(&self) -> (&[u64], u64) {
        (self.words.get(..self.len).unwrap_or_default(), hash_end(self.hash))
    }
}

impl<C: FireContext, K: Clock> FireEnv<'_, C, K> {
    /// Evaluates a DIFO of the loaded program.
    #[inline(always)]
    pub(crate) fn eval(&mut self, difo: u32) -> Result<u64, DifFault> {
        match self.target.program.expr(difo) {
            Some(Expr::Leaf(leaf)) => Ok(self.leaf(leaf)),
            Some(Expr::Test(leaf, test)) => Ok(test.answer(self.leaf(leaf))),
            Some(expr @ Expr::Formula(_)) => Ok(self.surely_outlined(expr)),
            _ => self.interpret(difo),
        }
    }

    /// As [`Self::eval`], where a call costs less than what is spared.
    #[inline(never)]
    pub(crate) fn eval_outlined(&mut self, difo: DifoId) -> Result<u64, DifFault> {
        self.eval(difo)
    }

    /// Evaluates what is not [`Expr::General`], which comes to 0.
    #[inline(always)]
    pub(crate) fn surely(&mut self, expr: &Expr) -> u64 {
        match expr {
            Expr::Leaf(leaf) => self.leaf(leaf),
            Expr::Test(leaf, test) => test.answer(self.leaf(leaf)),
            _ => self.surely_aside(expr),
        }
    }

    /// As [`Self::surely`], where most are formulas.
    #[inline(always)]
    pub(crate) fn surely_here(&mut self, expr: &Expr) -> u64 {
        match expr {
            Expr::Formula(formula) => self.formula(formula),
            Expr::Leaf(leaf) => self.leaf(leaf),
            _ => self.surely_aside(expr),
        }
    }

    /// As [`Self::surely`], out of line.
    #[inline(always)]
    pub(crate) fn surely_aside(&mut self, expr: &Expr) -> u64 {
        self.aside(|env| env.surely_outlined(expr))
    }

    #[inline(never)]
    fn surely_outlined(&mut self, expr: &Expr) -> u64 {
        match expr {
            Expr::Leaf(leaf) => self.leaf(leaf),
            Expr::Test(leaf, test) => test.answer(self.leaf(leaf)),
            Expr::Formula(formula) => self.formula(formula),
            Expr::General => 0,
        }
    }

    /// Feeds an aggregation. The key is computed before the value and how often it is fed, which
    /// `fed` says, since computing those may store to a variable of the key.
    #[inline(always)]
    pub(crate) fn feed<E>(
        &mut self,
        fast: &FastAgg,
        fed: impl FnOnce(&mut Self) -> Result<(u64, u64), E>,
    ) -> Result<(), E> {
        let full = if fast.key.is_empty() {
            let fed = fed(self)?;
            self.view.active().feed_keyless((fast.identity, self.epid), &fast.target, fed)
        } else {
            let mut key = NumberKey::<{ 1 + MAX_NUMBERS }>::new();
            key.add(join(u32_of(fast.key.len()), 0));
            for (leaf, size) in &fast.key {
                key.add(cut(self.leaf(leaf), *size));
            }
            let fed = fed(self)?;
            let (key, hash) = key.finish();
            self.view.active().feed_as((fast.identity, self.epid), &fast.target, key, hash, fed)
        };
        if full.is_err() {
            count_unfed(self.view);
        }
        Ok(())
    }

    /// A DIFO that is no formula.
    #[inline(never)]
    fn interpret(&mut self, difo: u32) -> Result<u64, DifFault> {
        match self.target.program.difo(difo) {
            Some(difo) => interp::run(difo, self),
            None => Ok(0),
        }
    }

    #[inline(always)]
    pub(crate) fn leaf(&mut self, leaf: &Leaf) -> u64 {
        // Asked for most: before the others' table of jumps.
        if let Leaf::Arg(index) = *leaf {
            return self.arg(usize::from(index));
        }
        match *leaf {
            Leaf::Constant(value) => value,
            Leaf::Pid => u64::from(self.ctx.pid()),
            Leaf::Tid => u64::from(self.ctx.tid()),
            Leaf::Timestamp => self.time(),
            Leaf::Global(offset) => self.global(offset).map_or(0, |cell| cell.load(Relaxed)),
            Leaf::Own(variable) => self.own(variable),
            _ => self.aside(|env| env.other_leaf(leaf)),
        }
    }

    /// A thread-local number. The one that was read before in this fire needs no search.
    #[inline(always)]
    fn own(&mut self, variable: u64) -> u64 {
        let Some(vars) = self.view.dynvars.as_ref() else { return 0 };
        if let Some(found) = self.last_own(variable)
            && let Some(number) = vars.number_at(found)
        {
            return number;
        }
        let whose = (variable, self.thread_word(), self.ctx.thread());
        let (number, found) = own_number(vars, whose);
        self.state.own = LastOwn { variable, fire: self.view.slot.fires.load(Relaxed), found };
        number
    }

    /// Where this fire has found the variable, if that was the last one it looked for.
    #[inline(always)]
    fn last_own(&self, variable: u64) -> Option<Found> {
        let LastOwn { variable: last, fire, found } = self.state.own;
        (last == variable && fire == self.view.slot.fires.load(Relaxed)).then_some(found)
    }

    /// Stores a thread-local number; 0 deletes it.
    #[inline(always)]
    fn set_own(&mut self, variable: u64, value: u64) {
        let Some(vars) = self.view.dynvars.as_ref() else { return };
        if value == 0
            && let Some(found) = self.last_own(variable)
            && vars.delete_at(found)
        {
            return;
        }
        let whose = (variable, self.thread_word(), self.ctx.thread());
        if let Err(kind) = set_own_number(vars, whose, value) {
            self.view.slot.count(kind);
        }
    }

    #[inline(never)]
    fn other_leaf(&mut self, leaf: &Leaf) -> u64 {
        match *leaf {
            Leaf::Local(offset) => self.local_word(offset),
            Leaf::Builtin(id) => self.plain_builtin(id),
            _ => 0,
        }
    }

    #[inline(always)]
    fn number_of(&self, key: &[u64], hash: u64) -> u64 {
        self.view.dynvars.as_ref().map_or(0, |vars| vars.number(key, hash))
    }

    #[inline(always)]
    fn set_number(&self, key: &[u64], hash: u64, value: u64) {
        let Some(vars) = self.view.dynvars.as_ref() else { return };
        if value == 0 {
            vars.delete(key, hash);
        } else if let Err(kind) = vars.set_number(key, hash, value) {
            self.view.slot.count(kind);
        }
    }

    /// Writes an element's key, which has at most [`KEY`] words, and returns it with its hash.
    #[inline(always)]
    fn element_key<'w>(
        &mut self,
        element: &Element,
        words: &'w mut [u64; KEY],
    ) -> (&'w [u64], u64) {
        let (thread, kthread) =
            if element.own { (self.thread_word(), self.ctx.thread()) } else { (0, 0) };
        let [a, b, c, d, rest @ ..] = words;
        let head = [element.variable, thread, kthread, join(u32_of(element.key.len()), 0)];
        [*a, *b, *c, *d] = head;
        let mut hash = head.iter().fold(0, |hash, word| hash_step(hash, *word));
        let mut len = head.len();
        for (word, leaf) in rest.iter_mut().zip(&element.key) {
            *word = self.leaf(leaf);
            hash = hash_step(hash, *word);
            len += 1;
        }
        (words.get(..len).unwrap_or_default(), hash_end(hash))
    }

    #[inline(always)]
    fn formula(&mut self, formula: &Formula) -> u64 {
        let value = match &formula.value {
            Value::Leaf(leaf) => self.leaf(leaf),
            Value::Binary(op, a, b) => op.apply(self.leaf(a), self.leaf(b)),
            Value::Element(element) => self.aside(|env| env.element(element)),
        };
        let spare = formula.extend & 63;
        let value = ((value << spare).cast_signed() >> spare).cast_unsigned();
        match &formula.fate {
            Fate::Result => {}
            Fate::Global(offset) => {
                if let Some(cell) = self.global(*offset) {
                    cell.store(value, Relaxed);
                }
            }
            Fate::Local(offset) => self.aside(|env| env.put_local(*offset, value)),
            Fate::Own(variable) => self.set_own(*variable, value),
            Fate::Element(element) => self.aside(|env| env.set_element(element, value)),
            Fate::Update { offset, subtract, before } => {
                let Some(cell) = self.global(*offset) else { return 0 };
                let by = if *subtract { value.wrapping_neg() } else { value };
                let old = cell.fetch_add(by, AcqRel);
                return if *before { old } else { old.wrapping_add(by) };
            }
        }
        value
    }

    #[inline(never)]
    fn element(&mut self, element: &Element) -> u64 {
        let mut words = [0; KEY];
        let (key, hash) = self.element_key(element, &mut words);
        self.number_of(key, hash)
    }

    #[inline(never)]
    fn set_element(&mut self, element: &Element, value: u64) {
        let mut words = [0; KEY];
        let (key, hash) = self.element_key(element, &mut words);
        self.set_number(key, hash, value);
    }
}

/// The key of a thread-local scalar, and its hash.
#[inline(always)]
fn own_key((variable, thread, address): (u64, u64, u64)) -> ([u64; 4], u64) {
    let key = [variable, thread, address, 0];
    (key, hash_end(key.iter().fold(0, |hash, word| hash_step(hash, *word))))
}

/// A thread-local scalar: the first word of its key, and whose it is.
#[inline(never)]
fn own_number(vars: &DynVars<'_>, whose: (u64, u64, u64)) -> (u64, Found) {
    let (key, hash) = own_key(whose);
    vars.find_number(&key, hash)
}

/// Stores a thread-local scalar; 0 deletes it.
#[inline(never)]
fn set_own_number(vars: &DynVars<'_>, whose: (u64, u64, u64), value: u64) -> Result<(), DropKind> {
    let (key, hash) = own_key(whose);
    if value == 0 {
        vars.delete(&key, hash);
        return Ok(());
    }
    vars.set_number(&key, hash, value)
}

/// The most elements of the key of a [`FastAgg`].
pub(crate) const MAX_NUMBERS: usize = 4;

/// An aggregating action whose key is few numbers that are there without computing.
#[derive(Clone, Debug)]
pub(crate) struct FastAgg {
    /// The key's elements, each cut to its size.
    pub(crate) key: Box<[(Leaf, u32)]>,
    /// As [`crate::arena::agg::AggTable::feed`] wants it, the epid to be filled in.
    pub(crate) target: AggTarget,
    pub(crate) identity: u64,
}

impl FastAgg {
    /// Whether any element of the key is such a number.
    pub(crate) fn any_leaf(&self, such: &impl Fn(&Leaf) -> bool) -> bool {
        self.key.iter().any(|(leaf, _)| such(leaf))
    }

    pub(crate) fn new(agg: &AggStep, exprs: &[Expr]) -> Option<Self> {
        let varid = agg.varid.ok()?;
        let leaf = |difo: DifoId| match exprs.get(us(difo)) {
            Some(Expr::Leaf(leaf)) => Some(*leaf),
            _ => None,
        };
        let number = |step: &Step| match step {
            Step::Value { difo, size, .. } => Some((leaf(*difo)?, *size)),
            _ => None,
        };
        if agg.key.len() > MAX_NUMBERS {
            return None;
        }
        let key: Box<[_]> = agg.key.iter().map(number).collect::<Option<_>>()?;
        let target = AggTarget { varid, func: agg.func, values: agg.values, epid: Epid(0) };
        let identity = target.identity(1 + key.len());
        Some(Self { key, target, identity })
    }
}
