//! What `print()` has to know of a type: all of it, so that a reader needs no type containers.
//!
//! The tree is what the machine's kernel, or the script, says of the type when the script is
//! compiled. It is bounded in depth and size; what is beyond is [`PrintType::Opaque`].

use serde::{Deserialize, Serialize};

use crate::types::{Tag, Type, TypeId, Types};

/// A type as `print()` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrintType {
    /// An integer.
    Integer {
        /// Its name.
        name: String,
        /// Bytes.
        size: u32,
        /// Sign-extended.
        signed: bool,
        /// It is a character.
        is_char: bool,
    },
    /// An enumeration.
    Enum {
        /// Its name, `enum` included.
        name: String,
        /// Bytes.
        size: u32,
        /// Names and values.
        values: Vec<(String, i64)>,
    },
    /// A pointer.
    Pointer {
        /// Its name.
        name: String,
        /// To a function.
        is_function: bool,
    },
    /// D's string.
    Text,
    /// A floating-point number.
    Float {
        /// Its name.
        name: String,
        /// Bytes.
        size: u32,
    },
    /// An array.
    Array {
        /// Its name.
        name: String,
        /// Of what.
        element: Box<PrintType>,
        /// Bytes of one element.
        size: u32,
        /// How many.
        count: u32,
    },
    /// A struct or union.
    Compound {
        /// Its name, `struct` or `union` included.
        name: String,
        /// Bytes.
        size: u32,
        /// In order.
        members: Vec<PrintMember>,
    },
    /// Nothing more is known: a dump.
    Opaque {
        /// Its name.
        name: String,
        /// Bytes.
        size: u32,
    },
}

impl PrintType {
    /// The type in C's words.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Text => "string",
            Self::Integer { name, .. }
            | Self::Enum { name, .. }
            | Self::Pointer { name, .. }
            | Self::Float { name, .. }
            | Self::Array { name, .. }
            | Self::Compound { name, .. }
            | Self::Opaque { name, .. } => name,
        }
    }
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintMember {
    /// Its name; empty for an unnamed struct or union.
    pub name: String,
    /// From the struct's start.
    pub bit_offset: u32,
    /// 0: not a bit-field.
    pub bit_width: u32,
    /// Its type.
    pub ty: PrintType,
}

/// Structs in structs are shown this deep.
const MAX_DEPTH: u32 = 16;
/// A tree has at most so many nodes.
const MAX_NODES: u32 = 16384;

/// Describes a type.
pub fn describe(types: &mut Types<'_>, ty: TypeId) -> PrintType {
    let mut left = MAX_NODES;
    describe_within(types, ty, MAX_DEPTH, &mut left)
}

fn describe_within(types: &mut Types<'_>, ty: TypeId, depth: u32, left: &mut u32) -> PrintType {
    let name = types.name(ty);
    let size = types.size(ty).unwrap_or(0);
    let (Some(rest), Some(depth)) = (left.checked_sub(1), depth.checked_sub(1)) else {
        return PrintType::Opaque { name, size };
    };
    *left = rest;
    match types.resolve(ty) {
        Type::Int(int) => {
            PrintType::Integer { name, size, signed: int.signed, is_char: int.is_char }
        }
        Type::Enum(body) => {
            let values = body.values.iter().map(|(name, value)| (name.to_string(), *value));
            PrintType::Enum { name, size, values: values.collect() }
        }
        Type::Pointer { target, .. } => {
            let is_function = matches!(types.resolve(target), Type::Function { .. });
            PrintType::Pointer { name, is_function }
        }
        Type::String => PrintType::Text,
        Type::Float { .. } => PrintType::Float { name, size },
        Type::Array { element, count } => {
            let size = types.size(element).unwrap_or(0);
            let element = Box::new(describe_within(types, element, depth, left));
            PrintType::Array { name, element, size, count }
        }
        Type::Compound(compound) => {
            let members = compound.members.iter().map(|member| PrintMember {
                name: member.name.to_string(),
                bit_offset: member.bit_offset,
                bit_width: member.bit_width,
                ty: describe_within(types, member.ty, depth, left),
            });
            PrintType::Compound { name, size, members: members.collect() }
        }
        Type::Forward { tag: Tag::Struct | Tag::Union | Tag::Enum, .. }
        | Type::Void
        | Type::Function { .. }
        | Type::Typedef { .. }
        | Type::Qualified { .. }
        | Type::Opaque(_) => PrintType::Opaque { name, size },
    }
}
