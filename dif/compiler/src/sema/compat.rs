//! Which types go together: the rules that assignments, arguments, keys, comparisons and `?:` share.
//!
//! They are C's, with D's additions: a string, a `char *` and a `char []` are alike; so are stacks
//! among themselves and symbols among themselves; and the constant 0 is any pointer's null.

use super::{Cx, Node, int_of};
use crate::{
    sema::node::Kind,
    types::{Opaque, Type, TypeId},
};

/// Pointers to pointers to … are compared this deep.
const MAX_DEPTH: u32 = 32;

/// One side of a comparison of types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    ty: TypeId,
    /// The constant 0.
    zero: bool,
    /// An address of the traced process.
    user: bool,
}

impl Cx<'_, '_> {
    /// A node's side.
    fn side(&mut self, node: &Node) -> Side {
        let object = matches!(node.kind, Kind::Object { user: true, .. });
        Side {
            zero: node.as_const() == Some(0) && self.is_integer_type(node.ty),
            user: object || self.type_side(node.ty).user,
            ty: node.ty,
        }
    }

    fn type_side(&mut self, ty: TypeId) -> Side {
        let user = matches!(self.types.resolve(ty), Type::Pointer { user: true, .. });
        Side { ty, zero: false, user }
    }

    /// Whether a type is an integer's or enumeration's of any size.
    pub(crate) fn is_integer_type(&mut self, ty: TypeId) -> bool {
        int_of(&self.types.resolve(ty)).is_some()
    }

    /// Whether a node is an aggregation, or what one is made of.
    pub(crate) fn is_dynamic(&mut self, node: &Node) -> bool {
        matches!(self.types.resolve(node.ty), Type::Opaque(Opaque::Dynamic))
    }

    /// Whether a node is D's `string`.
    pub(crate) fn is_string(&mut self, node: &Node) -> bool {
        matches!(self.types.resolve(node.ty), Type::String)
    }

    /// Whether a node is a pointer or an array; a string is neither.
    pub(crate) fn is_pointer(&mut self, node: &Node) -> bool {
        matches!(self.types.resolve(node.ty), Type::Pointer { .. } | Type::Array { .. })
    }

    /// Whether a node points to `void` or to a function.
    pub(crate) fn is_void_pointer(&mut self, node: &Node) -> bool {
        match self.types.resolve(node.ty) {
            Type::Pointer { target, .. } => {
                matches!(self.types.resolve(target), Type::Void | Type::Function { .. })
            }
            _ => false,
        }
    }

    /// What a pointer, array or string leads to.
    fn pointee(&mut self, ty: TypeId) -> Option<TypeId> {
        Some(match self.types.resolve(ty) {
            Type::Pointer { target, .. } => self.types.bare(target),
            Type::Array { element, .. } => self.types.bare(element),
            Type::String => TypeId::CHAR,
            _ => return None,
        })
    }

    /// Whether two types are one but for their names and qualifiers.
    pub(crate) fn types_alike(&mut self, a: TypeId, b: TypeId) -> bool {
        self.alike_within(a, b, MAX_DEPTH)
    }

    fn alike_within(&mut self, a: TypeId, b: TypeId, depth: u32) -> bool {
        let (a, b) = (self.types.bare(a), self.types.bare(b));
        let Some(depth) = depth.checked_sub(1) else { return false };
        if a == b {
            return true;
        }
        match (self.types.get(a), self.types.get(b)) {
            (Type::Int(a), Type::Int(b)) => {
                (a.size, a.signed, a.is_char, a.bits) == (b.size, b.signed, b.is_char, b.bits)
            }
            (Type::Enum(a), Type::Enum(b)) => a.size == b.size,
            (Type::Float { size: a, .. }, Type::Float { size: b, .. }) => a == b,
            (Type::Pointer { target: a, .. }, Type::Pointer { target: b, .. }) => {
                self.alike_within(a, b, depth)
            }
            (Type::Array { element: a, count: n }, Type::Array { element: b, count: m }) => {
                n == m && self.alike_within(a, b, depth)
            }
            (Type::Compound(a), Type::Compound(b)) => {
                !a.name.is_empty() && a.tag == b.tag && a.name == b.name && a.size == b.size
            }
            (Type::Compound(known), Type::Forward { tag, name })
            | (Type::Forward { tag, name }, Type::Compound(known)) => {
                known.tag == tag && known.name == name
            }
            (Type::Forward { tag: a, name: m }, Type::Forward { tag: b, name: n }) => {
                a == b && m == n
            }
            (Type::Function { .. }, Type::Function { .. })
            | (Type::Void, Type::Void)
            | (Type::String, Type::String) => true,
            (Type::Opaque(a), Type::Opaque(b)) => a == b,
            _ => false,
        }
    }

    /// The more specific type of two pointers that go together; one of them may be the constant 0.
    pub(crate) fn pointers_meet(&mut self, left: &Node, right: &Node) -> Option<TypeId> {
        let (left, right) = (self.side(left), self.side(right));
        self.sides_meet(left, right)
    }

    fn sides_meet(&mut self, left: Side, right: Side) -> Option<TypeId> {
        let ints = (self.is_integer_type(left.ty), self.is_integer_type(right.ty));
        match ints {
            (true, true) => return None,
            (true, false) if !left.zero => return None,
            (false, true) if !right.zero => return None,
            (false, false) if left.user != right.user => return None,
            _ => {}
        }
        let (l, r) = (self.pointee(left.ty), self.pointee(right.ty));
        match ints {
            (true, _) => r.map(|_| right.ty),
            (_, true) => l.map(|_| left.ty),
            _ => {
                let (l, r) = (l?, r?);
                let void = l == TypeId::VOID || r == TypeId::VOID;
                (void || self.types_alike(l, r)).then_some(if r == TypeId::VOID {
                    left.ty
                } else {
                    right.ty
                })
            }
        }
    }

    /// Whether a value may be assigned to a place of a type, or be an argument of it.
    pub(crate) fn fits_type(&mut self, ty: TypeId, node: &Node) -> bool {
        let wanted = self.types.resolve(ty);
        if int_of(&wanted).is_some() && self.is_integer_type(node.ty) {
            return true;
        }
        if self.is_text_type(ty) && self.is_text(node) {
            return true;
        }
        match wanted {
            Type::Opaque(Opaque::Dynamic) => false,
            Type::Opaque(_) | Type::Compound(_) | Type::Function { .. } => {
                self.types_alike(ty, node.ty)
            }
            _ => {
                let (place, value) = (self.type_side(ty), self.side(node));
                self.sides_meet(place, value).is_some()
            }
        }
    }

    /// Whether a type's values can be read as strings.
    pub(crate) fn is_text_type(&mut self, ty: TypeId) -> bool {
        match self.types.resolve(ty) {
            Type::String => true,
            Type::Pointer { target, user } => !user && self.types.is_char(target),
            Type::Array { .. } => self.types.is_char_array(ty),
            _ => false,
        }
    }
}
