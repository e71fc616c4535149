//! Expressions after the checks: every node has a type, conversions are spelt out, names are
//! resolved. What code generation reads.
//!
//! A node's value is what a register holds: an integer, a pointer, or for what does not fit a
//! register (strings, structs, unions, arrays) its address.

use dif::{
    difo::{DifType, DifVar},
    env::{AtomicOp, Scope},
    number::{kind, tf},
    opcode::{Op, Yields},
};

use crate::{source::Span, types::TypeId};

/// A checked expression.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its type.
    pub(crate) ty: TypeId,
    /// What computes it.
    pub(crate) kind: Kind,
    /// Where it stands.
    pub(crate) span: Span,
}

/// How memory is read: bytes, sign, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// 1, 2, 4 or 8.
    pub(crate) size: u32,
    /// Sign-extended.
    pub(crate) signed: bool,
    /// The traced process's memory.
    pub(crate) user: bool,
}

/// A variable of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VarRef {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) id: u16,
    /// Its scope.
    pub(crate) scope: Scope,
    /// An associative array.
    pub(crate) is_array: bool,
    /// How its value is kept.
    pub(crate) dif: DifType,
    /// The value is signed and narrower than a register: extended when loaded.
    pub(crate) extend: bool,
}

impl VarRef {
    /// Its value is a structure, union or array: memory, and no string.
    pub(crate) const fn is_object(&self) -> bool {
        self.dif.flags & tf::BYREF != 0 && self.dif.kind != kind::STRING
    }

    /// The entry of a DIFO's variable table.
    #[must_use]
    pub(crate) fn entry(&self, is_read: bool, is_written: bool) -> DifVar {
        DifVar {
            name: self.name.clone(),
            id: u32::from(self.id),
            is_array: self.is_array,
            scope: self.scope,
            is_read,
            is_written,
            ty: self.dif,
        }
    }
}

/// Where a value is stored.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A variable.
    Var(VarRef),
    /// An element of an associative array.
    Assoc(VarRef, Vec<Key>),
    /// Tracer memory: scratch, or a by-reference variable's own storage.
    Memory(Box<Node>, Access),
    /// Some bits of an integer in tracer memory.
    Bits {
        /// Where the integer is.
        addr: Box<Node>,
        /// The integer.
        access: Access,
        /// The lowest bit.
        shift: u32,
        /// How many.
        width: u32,
        /// Sign-extended when read.
        signed: bool,
    },
    /// A structure in tracer memory, of so many bytes.
    Object(Box<Node>, u32),
}

/// An element of a key, or an argument of a subroutine: how it is pushed.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Its value.
    pub(crate) node: Node,
    /// How it is pushed.
    pub(crate) ty: DifType,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// As signed integers.
    Signed,
    /// As unsigned integers, or addresses.
    Unsigned,
    /// As strings.
    Strings,
}

/// What computes a node.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// An integer.
    Const(u64),
    /// A number of the kernel's types, by its mark (see [`crate::link`]): no constant to compute
    /// with.
    Linked(u64),
    /// A string.
    Str(Vec<u8>),
    /// A built-in variable.
    Builtin(u16),
    /// `args[n]` and its like.
    BuiltinArray(u8, Box<Node>),
    /// A variable of the script; an element of an array; or memory.
    Load(Place),
    /// Some bits of an integer in memory.
    BitField {
        /// The integer.
        from: Box<Node>,
        /// The lowest bit.
        shift: u32,
        /// How many.
        width: u32,
        /// Sign-extended.
        signed: bool,
    },
    /// A struct, union or array at an address.
    Object {
        /// Where.
        addr: Box<Node>,
        /// In the traced process's memory.
        user: bool,
    },
    /// An instruction with two operands.
    Binary(Op, Box<Node>, Box<Node>),
    /// `~`
    Complement(Box<Node>),
    /// A comparison: 0 or 1.
    Compare(Relation, Domain, Box<Node>, Box<Node>),
    /// `!`
    Not(Box<Node>),
    /// `&&`
    And(Box<Node>, Box<Node>),
    /// `||`
    Or(Box<Node>, Box<Node>),
    /// `^^`
    Xor(Box<Node>, Box<Node>),
    /// `?:`
    Conditional(Box<Node>, Box<Node>, Box<Node>),
    /// `,`
    Comma(Box<Node>, Box<Node>),
    /// A value cut to so many bytes, sign- or zero-extended.
    Extend {
        /// 1, 2 or 4.
        size: u32,
        /// Sign-extended.
        signed: bool,
        /// The value.
        of: Box<Node>,
    },
    /// A value seen as another type; no instruction.
    Recast(Box<Node>),
    /// An assignment; its value is what was stored.
    Store(Place, Box<Node>),
    /// `op=`, `++` and `--` of a scalar global, in one step.
    Update {
        /// Which global.
        var: VarRef,
        /// The operation.
        op: AtomicOp,
        /// Whether the value is that before or after.
        yields: Yields,
        /// The operand.
        operand: Box<Node>,
    },
    /// `op=`, `++` and `--` of anything else: load, operation, store.
    Modify {
        /// What is changed.
        place: Place,
        /// The operation.
        op: Op,
        /// Whether the value is that before or after.
        yields: Yields,
        /// The operand.
        operand: Box<Node>,
        /// The result is cut to this many bytes and sign.
        cut: Option<(u32, bool)>,
    },
    /// A subroutine.
    Call(u16, Vec<Key>),
    /// What a translator makes: only its members have values.
    Translated,
    /// An action, or an aggregation: it has a type that checks need, and no code. In words.
    Uncomputable(String),
}

impl Node {
    /// A node at a place.
    #[must_use]
    pub(crate) fn new(ty: TypeId, kind: Kind, span: Span) -> Self {
        Self { ty, kind, span }
    }

    /// An integer constant.
    #[must_use]
    pub(crate) fn constant(ty: TypeId, value: u64, span: Span) -> Self {
        Self { ty, kind: Kind::Const(value), span }
    }

    /// Its value, if known when compiled.
    #[must_use]
    pub(crate) fn as_const(&self) -> Option<u64> {
        match &self.kind {
            Kind::Const(value) => Some(*value),
            Kind::Recast(inner) => inner.as_const(),
            _ => None,
        }
    }

    /// Whether computing it uses the tuple stack, which is one for the whole DIFO.
    #[must_use]
    pub(crate) fn uses_tuple(&self) -> bool {
        let own = match &self.kind {
            Kind::Call(..) => true,
            Kind::Load(place) | Kind::Store(place, _) | Kind::Modify { place, .. } => {
                matches!(place, Place::Assoc(..))
            }
            _ => false,
        };
        let mut any = own;
        self.each_part(&mut |part| any = any || part.uses_tuple());
        any
    }

    /// How many nodes it is made of, and how many lie below one another at most, itself included.
    #[must_use]
    pub(crate) fn extent(&self) -> Extent {
        let mut extent = Extent { nodes: 1, height: 0 };
        self.each_part(&mut |part| {
            let part = part.extent();
            extent.nodes = extent.nodes.saturating_add(part.nodes);
            extent.height = extent.height.max(part.height);
        });
        extent.height += 1;
        extent
    }

    /// Shows every node that it is directly made of.
    fn each_part(&self, show: &mut dyn FnMut(&Self)) {
        match &self.kind {
            Kind::Const(_)
            | Kind::Linked(_)
            | Kind::Str(_)
            | Kind::Builtin(_)
            | Kind::Translated
            | Kind::Uncomputable(_) => {}
            Kind::Call(_, keys) => keys.iter().for_each(|key| show(&key.node)),
            Kind::Load(place) => place.each_part(show),
            Kind::BuiltinArray(_, one)
            | Kind::BitField { from: one, .. }
            | Kind::Object { addr: one, .. }
            | Kind::Complement(one)
            | Kind::Not(one)
            | Kind::Extend { of: one, .. }
            | Kind::Recast(one)
            | Kind::Update { operand: one, .. } => show(one),
            Kind::Binary(_, left, right)
            | Kind::Compare(_, _, left, right)
            | Kind::And(left, right)
            | Kind::Or(left, right)
            | Kind::Xor(left, right)
            | Kind::Comma(left, right) => [left, right].into_iter().for_each(|part| show(part)),
            Kind::Conditional(test, left, right) => {
                [test, left, right].into_iter().for_each(|part| show(part));
            }
            Kind::Store(place, value) | Kind::Modify { place, operand: value, .. } => {
                place.each_part(show);
                show(value);
            }
        }
    }
}

/// How large a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Nodes, itself included.
    pub(crate) nodes: u32,
    /// Nodes below one another.
    pub(crate) height: u32,
}

impl Place {
    /// See [`Node::each_part`].
    fn each_part(&self, show: &mut dyn FnMut(&Node)) {
        match self {
            Self::Var(_) => {}
            Self::Assoc(_, keys) => keys.iter().for_each(|key| show(&key.node)),
            Self::Memory(addr, _) | Self::Bits { addr, .. } | Self::Object(addr, _) => show(addr),
        }
    }
}
