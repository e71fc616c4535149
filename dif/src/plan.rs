//! What a short DIFO comes to, as a formula instead of steps.
//!
//! Most expressions of real scripts are a variable, an operation on two of them, an element of an
//! array, or one of these stored somewhere. A DIFO without branches, calls and loads from memory is
//! run once here with formulas in its registers; what is left is a [`Plan`], which a tracer can
//! evaluate without registers, a tuple stack or a loop. Anything else has no plan and is interpreted;
//! both ways give the same result, which the tests of this crate and of `host` check.
//!
//! Nothing in a plan can fault by itself; whoever evaluates it must know its variables and must not
//! take a plan with one whose reading may fail.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    decode::{Code, Decoded, R},
    env::{AtomicOp, Scope},
    interp,
};

/// The most elements of a key in a plan.
pub const MAX_KEY: usize = 4;

/// What is there without computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A constant.
    Constant(u64),
    /// A built-in variable.
    Builtin(u16),
    /// A variable of the script that is no array.
    Variable(Scope, u16),
}

/// An operation on two 64-bit values that cannot fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "DIF's own names")]
pub enum Binary {
    Or,
    Xor,
    And,
    Sll,
    Srl,
    Sra,
    Sub,
    Add,
    Mul,
}

impl Binary {
    fn of(code: Code) -> Option<Self> {
        Some(match code {
            Code::Or | Code::Or2 => Self::Or,
            Code::Xor | Code::Xor2 => Self::Xor,
            Code::And | Code::And2 => Self::And,
            Code::Sll | Code::Sll2 => Self::Sll,
            Code::Srl | Code::Srl2 => Self::Srl,
            Code::Sra | Code::Sra2 => Self::Sra,
            Code::Sub | Code::Sub2 => Self::Sub,
            Code::Add | Code::Add2 => Self::Add,
            Code::Mul | Code::Mul2 => Self::Mul,
            _ => return None,
        })
    }

    /// The result.
    #[inline]
    #[must_use]
    pub const fn apply(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::And => a & b,
            Self::Sll => interp::shift_left(a, b),
            Self::Srl => interp::shift_right(a, b),
            Self::Sra => interp::shift_right_signed(a, b),
            Self::Sub => a.wrapping_sub(b),
            Self::Add => a.wrapping_add(b),
            Self::Mul => a.wrapping_mul(b),
        }
    }
}

/// A formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A leaf.
    Leaf(Leaf),
    /// An operation on two leaves.
    Binary(Binary, Leaf, Leaf),
    /// An element of an associative array, all of its key by value.
    Element(Scope, u16, Box<[Leaf]>),
}

/// What is done with a formula's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is the DIFO's result.
    None,
    /// It is stored to a variable, and is the result.
    Store(Scope, u16),
    /// It is stored to an element, and is the result.
    StoreElement(Scope, u16, Box<[Leaf]>),
    /// It is the operand of an update of a scalar global; the result is the value after it, or
    /// before it.
    Update {
        /// The global.
        id: u16,
        /// What is done to it.
        op: AtomicOp,
        /// Whether the result is the value before.
        before: bool,
    },
}

/// A DIFO without branches, as a formula and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The formula.
    pub value: Node,
    /// How many upper bits of its value are replaced by its sign; 0 for none.
    pub extend: u8,
    /// What becomes of it.
    pub effect: Effect,
}

/// A register's content.
#[derive(Clone)]
struct Content {
    node: Node,
    /// It is the node's value shifted left by so many bits, half of a sign extension.
    shifted: u8,
    extend: u8,
}

impl Content {
    const fn leaf(leaf: Leaf) -> Self {
        Self { node: Node::Leaf(leaf), shifted: 0, extend: 0 }
    }

    /// The leaf it is, if it is one as it stands.
    const fn as_leaf(&self) -> Option<Leaf> {
        match self {
            Self { node: Node::Leaf(leaf), shifted: 0, extend: 0 } => Some(*leaf),
            _ => None,
        }
    }
}

/// Runs decoded but unfused text with formulas.
struct Walk<'a> {
    regs: [Content; 8],
    tuple: Vec<Leaf>,
    integers: &'a [u64],
}

/// Finds the plan of a verified DIFO's text.
pub(crate) fn find(text: &[Decoded], integers: &[u64]) -> Option<Plan> {
    let zero = || Content::leaf(Leaf::Constant(0));
    let mut walk = Walk { regs: core::array::from_fn(|_| zero()), tuple: Vec::new(), integers };
    let mut rest = text.iter();
    for i in rest.by_ref() {
        if i.code == Code::Ret {
            return walk.plan(i.rd, Effect::None);
        }
        if let Some(effect) = walk.effect(i)? {
            // Only the last step may have one: what follows has to be `ret` of the same register.
            let ret = rest.find(|i| !matches!(i.code, Code::Nop | Code::Flush))?;
            return if ret.code == Code::Ret && ret.rd == i.rd {
                walk.plan(i.rd, effect)
            } else {
                None
            };
        }
        walk.step(i)?;
    }
    None
}

impl Walk<'_> {
    fn get(&self, register: R) -> &Content {
        &self.regs[register as usize]
    }

    fn plan(&self, register: R, effect: Effect) -> Option<Plan> {
        let Content { node, shifted, extend } = self.get(register).clone();
        if shifted != 0 || (extend != 0 && matches!(effect, Effect::Update { .. })) {
            return None;
        }
        Some(Plan { value: node, extend, effect })
    }

    fn key(&self) -> Option<Box<[Leaf]>> {
        (self.tuple.len() <= MAX_KEY).then(|| self.tuple.clone().into_boxed_slice())
    }

    /// What the instruction does beyond registers; the outer `None` if that has no place in a plan.
    fn effect(&self, i: &Decoded) -> Option<Option<Effect>> {
        let id = id(i);
        Some(Some(match i.code {
            Code::StGlobal => Effect::Store(Scope::Global, id),
            Code::StThread => Effect::Store(Scope::Thread, id),
            Code::StLocal => Effect::Store(Scope::Local, id),
            Code::StGlobalAssoc => Effect::StoreElement(Scope::Global, id, self.key()?),
            Code::StThreadAssoc => Effect::StoreElement(Scope::Thread, id, self.key()?),
            Code::UpdateAfter | Code::UpdateBefore => {
                let [_, _, op, _] = i.imm.to_le_bytes();
                let op = AtomicOp::from_index(op)?;
                Effect::Update { id, op, before: i.code == Code::UpdateBefore }
            }
            _ => return Some(None),
        }))
    }

    /// Carries out an instruction without effect.
    fn step(&mut self, i: &Decoded) -> Option<()> {
        let variable = |scope| Content::leaf(Leaf::Variable(scope, id(i)));
        let element = |walk: &Self, scope| {
            let node = Node::Element(scope, id(i), walk.key()?);
            Some(Content { node, shifted: 0, extend: 0 })
        };
        let content = match i.code {
            Code::SetImm => Content::leaf(Leaf::Constant(i.constant())),
            Code::SetString => Content::leaf(Leaf::Constant(i.string_address())),
            Code::SetTable => {
                let value = self.integers.get(usize::try_from(i.imm).ok()?)?;
                Content::leaf(Leaf::Constant(*value))
            }
            Code::LdBuiltin => Content::leaf(Leaf::Builtin(id(i))),
            Code::LdGlobal => variable(Scope::Global),
            Code::LdThread => variable(Scope::Thread),
            Code::LdLocal => variable(Scope::Local),
            Code::LdGlobalAssoc => element(self, Scope::Global)?,
            Code::LdThreadAssoc => element(self, Scope::Thread)?,
            Code::Mov => self.get(i.r1).clone(),
            Code::Nop => return Some(()),
            Code::Flush => {
                self.tuple.clear();
                return Some(());
            }
            Code::PushValue => {
                let leaf = self.get(i.rd).as_leaf()?;
                self.tuple.push(leaf);
                return Some(());
            }
            code => self.binary(Binary::of(code)?, i)?,
        };
        self.regs[i.rd as usize] = content;
        Some(())
    }

    fn binary(&self, op: Binary, i: &Decoded) -> Option<Content> {
        let (a, b) = (self.get(i.r1), self.get(i.r2));
        let right = b.as_leaf()?;
        if let Leaf::Constant(by @ 1..=63) = right {
            let by = u8::try_from(by).ok()?;
            match op {
                Binary::Sll if a.shifted == 0 && a.extend == 0 => {
                    return Some(Content { shifted: by, ..a.clone() });
                }
                Binary::Sra if a.shifted == by => {
                    return Some(Content { shifted: 0, extend: by, ..a.clone() });
                }
                _ => {}
            }
        }
        let left = a.as_leaf()?;
        // What a register holds was read once: a variable that others write must not be read twice.
        if left == right && matches!(left, Leaf::Variable(..)) {
            return None;
        }
        Some(Content { node: Node::Binary(op, left, right), shifted: 0, extend: 0 })
    }
}

/// The low half of `imm`: a variable.
const fn id(i: &Decoded) -> u16 {
    let [low, high, ..] = i.imm.to_le_bytes();
    u16::from_le_bytes([low, high])
}
