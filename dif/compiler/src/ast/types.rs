//! Types as they are written: base types, pointers, arrays, functions, structs and enums.

use std::sync::Arc;

use super::{Expr, Ident};
use crate::source::Span;

/// `const`, `volatile`, `restrict`, `userland`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qualifiers {
    /// `const`
    pub is_const: bool,
    /// `volatile`
    pub is_volatile: bool,
    /// `restrict`
    pub is_restrict: bool,
    /// `userland`: the type is the traced process's, not the kernel's.
    pub is_userland: bool,
}

/// A type as written, turned from C's inside-out form into a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Its qualifiers.
    pub qualifiers: Qualifiers,
    /// Where its specifiers stand.
    pub span: Span,
    depth: u16,
}

/// C's own types, specifiers already put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaseType {
    /// `void`
    Void,
    /// `char`
    Char,
    /// `signed char`
    SignedChar,
    /// `unsigned char`
    UnsignedChar,
    /// `short`
    Short,
    /// `unsigned short`
    UnsignedShort,
    /// `int`
    Int,
    /// `unsigned int`
    UnsignedInt,
    /// `long`
    Long,
    /// `unsigned long`
    UnsignedLong,
    /// `long long`
    LongLong,
    /// `unsigned long long`
    UnsignedLongLong,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `long double`
    LongDouble,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// One of C's own.
    Base(BaseType),
    /// D's `string`.
    String,
    /// A typedef's name; with a module before a backquote (`` mod`foo_t ``).
    Named {
        /// The module, if named.
        module: Option<String>,
        /// The name.
        name: Ident,
    },
    /// `struct …` or `union …`. Shared between all declarators of one declaration: two types with
    /// the same `Arc` are one type, and need be worked on once only.
    Compound(Arc<Compound>),
    /// `enum …`. Shared as [`TypeKind::Compound`] is.
    Enum(Arc<Enum>),
    /// `*`
    Pointer(Box<TypeExpr>),
    /// `[size]`; the size is missing in `[]`.
    Array {
        /// Of what.
        element: Box<TypeExpr>,
        /// How many: a constant expression.
        size: Option<Box<Expr>>,
    },
    /// `[type, …]`: a D associative array.
    Assoc {
        /// Of what.
        element: Box<TypeExpr>,
        /// Its keys' types.
        keys: Params,
    },
    /// `(params)`: a function.
    Function {
        /// What it returns.
        result: Box<TypeExpr>,
        /// What it takes.
        params: Params,
    },
}

/// `struct` or `union`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompoundKind {
    /// `struct`
    Struct,
    /// `union`
    Union,
}

/// A struct or union, defined or named. One without a tag has members.
#[derive(Clone, Debug, PartialEq)]
pub struct Compound {
    /// Which of the two.
    pub kind: CompoundKind,
    /// Its tag; may hold a scope before a backquote (`` mod`tag ``).
    pub tag: Option<Ident>,
    /// Its members, if it is defined here.
    pub members: Option<Vec<Member>>,
    /// Where it stands.
    pub span: Span,
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name; none for an unnamed bit-field or an unnamed struct or union.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeExpr,
    /// A bit-field's width: a constant expression.
    pub width: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// An enumeration, defined or named. One without a tag has enumerators.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Its tag.
    pub tag: Option<Ident>,
    /// Its enumerators, if it is defined here.
    pub enumerators: Option<Vec<Enumerator>>,
    /// Where it stands.
    pub span: Span,
}

/// One name of an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Enumerator {
    /// The name.
    pub name: Ident,
    /// Its value: a constant expression.
    pub value: Option<Expr>,
}

/// Parameters of a function, an associative array or a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// In order. `(void)` is one of type `void`.
    pub list: Vec<Param>,
    /// `...` at the end.
    pub varargs: bool,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name, if it has one.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeExpr,
    /// Where it stands.
    pub span: Span,
}

impl TypeExpr {
    /// A type at a place.
    #[must_use]
    pub fn new(kind: TypeKind, qualifiers: Qualifiers, span: Span) -> TypeExpr {
        let depth = kind.depth_below().saturating_add(1);
        TypeExpr { kind, qualifiers, span, depth }
    }

    /// How many nodes deep the type is; at most [`MAX_DEPTH`] if the parser made it.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }
}

impl TypeKind {
    fn depth_below(&self) -> u16 {
        let width = |member: &Member| member.width.as_ref().map_or(0, Expr::depth);
        match self {
            TypeKind::Base(_) | TypeKind::String | TypeKind::Named { .. } => 0,
            TypeKind::Compound(compound) => {
                let members = compound.members.iter().flatten();
                members.map(|member| member.ty.depth.max(width(member))).max().unwrap_or(0)
            }
            TypeKind::Enum(body) => {
                let values = body.enumerators.iter().flatten().flat_map(|item| &item.value);
                values.map(Expr::depth).max().unwrap_or(0)
            }
            TypeKind::Pointer(target) => target.depth,
            TypeKind::Array { element, size } => {
                element.depth.max(size.as_ref().map_or(0, |size| size.depth()))
            }
            TypeKind::Assoc { element: result, keys: params }
            | TypeKind::Function { result, params } => result.depth.max(params.depth()),
        }
    }
}

impl Params {
    /// How many nodes deep the deepest parameter is.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.list.iter().map(|param| param.ty.depth).max().unwrap_or(0)
    }
}
