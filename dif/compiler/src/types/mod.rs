//! C's types, as the traced machine's kernel has them.
//!
//! [`Types`] is one table for a world: C's base types and D's own names, what the script declares,
//! and what the kernel's containers hold. A type from a container is imported when it is first
//! looked at, one level deep: `struct task_struct` brings in its members' names, and a member's
//! type only when a script goes there.
//!
//! ```text
//!  script: struct task_struct *   curthread->cred->uid.val
//!          │ tag                             │ member
//!          ▼                                 ▼
//!  Types ── TypeId ── Slot::Foreign(container, number) ──first look──▶ Slot::Known(Type)
//! ```

mod btf;
mod ctext;
pub mod ctf;
pub mod dwarf;
pub mod file;
mod import;
mod names;
mod prepare;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    rc::Rc,
};

#[cfg(test)]
pub(crate) use btf::BtfWriter as BtfBuilder;
pub use btf::{Btf, BtfError, TooLarge};
pub use ctext::parse_c_type;
pub use prepare::{Prepared, prepare, prepare_with};

use crate::{
    link::Recorder,
    world::{TypeFormat, World},
};

/// A type's place in its world's [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);

/// A type.
#[derive(Clone, Debug)]
pub enum Type {
    /// `void`
    Void,
    /// D's `string`.
    String,
    /// An integer; `char` and `bool` too.
    Int(IntType),
    /// A floating-point number: it can be traced, not computed with.
    Float {
        /// Its name.
        name: Rc<str>,
        /// Bytes.
        size: u32,
    },
    /// A pointer.
    Pointer {
        /// To what.
        target: TypeId,
        /// Its address is one of the traced process.
        user: bool,
    },
    /// An array.
    Array {
        /// Of what.
        element: TypeId,
        /// How many.
        count: u32,
    },
    /// A struct or union.
    Compound(Rc<CompoundType>),
    /// An enumeration.
    Enum(Rc<EnumType>),
    /// A struct, union or enumeration that is named and not defined.
    Forward {
        /// Whose tag it is.
        tag: Tag,
        /// The tag.
        name: Rc<str>,
    },
    /// Another name of a type.
    Typedef {
        /// The name.
        name: Rc<str>,
        /// What it names.
        target: TypeId,
    },
    /// `const`, `volatile` or `restrict`.
    Qualified {
        /// Which.
        qualifier: &'static str,
        /// Of what.
        target: TypeId,
    },
    /// What has no value in C's sense: only some functions and actions take it.
    Opaque(Opaque),
    /// A function.
    Function {
        /// What it returns.
        result: TypeId,
    },
}

/// D's types that C has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opaque {
    /// An aggregation, or what an aggregating function gives.
    Dynamic,
    /// `stack()`, `ustack()`, `jstack()`.
    Stack,
    /// `sym()`, `func()`, `mod()`.
    Symbol,
    /// `usym()`, `ufunc()`, `umod()`, `uaddr()`.
    UserSymbol,
}

/// An integer type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntType {
    /// Its name.
    pub name: Rc<str>,
    /// Bytes: 1, 2, 4, 8; 16 can be traced, not computed with.
    pub size: u32,
    /// Whether it has a sign.
    pub signed: bool,
    /// Whether it is a character: arrays of it are text.
    pub is_char: bool,
    /// If it is a bit-field's own type (before `kflag` BTF): bits, and offset in its storage.
    pub bits: Option<(u32, u32)>,
}

/// What a tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `enum`
    Enum,
}

impl Tag {
    /// The keyword.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
        }
    }
}

/// A struct or union.
#[derive(Clone, Debug)]
pub struct CompoundType {
    /// Struct or union.
    pub tag: Tag,
    /// Its tag; empty without one.
    pub name: Rc<str>,
    /// Bytes.
    pub size: u32,
    /// In order.
    pub members: Vec<Field>,
}

/// A member of a struct or union.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name; empty for an unnamed struct or union, whose members count as the outer's.
    pub name: Rc<str>,
    /// Its type.
    pub ty: TypeId,
    /// From the struct's start.
    pub bit_offset: u32,
    /// 0: not a bit-field.
    pub bit_width: u32,
}

/// An enumeration.
#[derive(Clone, Debug)]
pub struct EnumType {
    /// Its tag; empty without one.
    pub name: Rc<str>,
    /// Bytes.
    pub size: u32,
    /// Whether a value is negative.
    pub signed: bool,
    /// Names and values.
    pub values: Vec<(Rc<str>, i64)>,
}

#[derive(Clone, Debug)]
enum Slot {
    Known(Type),
    /// A container's index and the type's number there.
    Foreign(usize, u32),
}

/// Chains of typedefs and qualifiers, and structs in structs, are followed this far.
const MAX_CHAIN: u32 = 64;

/// An array of arrays of … has at most so many dimensions; scripts write at most 400.
const MAX_DIMENSIONS: u32 = 512;

/// Unnamed structs and unions within one struct, all depths together, that are searched.
const MAX_UNNAMED: u32 = 4096;

/// All types of one world.
#[derive(Debug)]
pub struct Types<'w> {
    slots: Vec<Slot>,
    containers: Vec<Container<'w>>,
    imported: HashMap<(usize, u32), TypeId>,
    pointers: HashMap<(TypeId, bool), TypeId>,
    typedefs: HashMap<Rc<str>, TypeId>,
    /// Typedefs that D or the script made, not the kernel.
    own: HashSet<Rc<str>>,
    tags: HashMap<(Tag, Rc<str>), TypeId>,
    /// Names that no container has: looking for them is a scan of everything.
    absent: HashSet<(Option<Tag>, Rc<str>)>,
    warnings: Vec<String>,
    /// Notes what is learnt here, for programs that are to be linked for other worlds.
    pub(crate) recorder: Option<Recorder>,
}

#[derive(Debug)]
struct Container<'w> {
    module: &'w str,
    /// Whether it refers to no other.
    alone: bool,
    state: State<'w>,
}

#[derive(Debug)]
enum State<'w> {
    Unread(Cow<'w, [u8]>),
    Read(Rc<Btf<'w>>),
    Refused,
}

impl<'w> Types<'w> {
    /// The types of a world. Containers are read when a name is looked for in them.
    #[must_use]
    pub fn new(world: &'w dyn World) -> Self {
        let (prepared, warnings) = prepare(&world.types());
        let container = |one: Prepared<'w>| Container {
            module: one.module,
            alone: one.format == TypeFormat::BtfAlone,
            state: State::Unread(one.bytes),
        };
        let containers = prepared.into_iter().map(container).collect();
        let mut types = Self {
            slots: Vec::new(),
            containers,
            imported: HashMap::new(),
            pointers: HashMap::new(),
            typedefs: HashMap::new(),
            own: HashSet::new(),
            tags: HashMap::new(),
            absent: HashSet::new(),
            warnings,
            recorder: None,
        };
        names::install(&mut types);
        types
    }

    /// What was found wrong with the containers, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the world published no types at all.
    #[must_use]
    pub fn is_untyped(&self) -> bool {
        self.containers.iter().all(|container| matches!(container.state, State::Refused))
    }

    /// Whether a type is a container's.
    pub(crate) fn is_foreign(&self, id: TypeId) -> bool {
        self.imported.values().any(|known| *known == id)
    }

    /// Enters a type.
    pub fn add(&mut self, ty: Type) -> TypeId {
        self.slots.push(Slot::Known(ty));
        TypeId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
    }

    /// Replaces a type: a forward declaration by its definition.
    pub(crate) fn define(&mut self, id: TypeId, ty: Type) {
        if let Some(slot) = self.slots.get_mut(id.0 as usize) {
            *slot = Slot::Known(ty);
        }
    }

    /// A type, imported if it has not been.
    pub fn get(&mut self, id: TypeId) -> Type {
        match self.slots.get(id.0 as usize) {
            Some(Slot::Known(ty)) => ty.clone(),
            Some(Slot::Foreign(container, number)) => {
                let ty = self.import(*container, *number);
                self.define(id, ty.clone());
                ty
            }
            None => Type::Void,
        }
    }

    /// A type with typedefs and qualifiers taken off.
    pub fn resolve(&mut self, id: TypeId) -> Type {
        let bare = self.bare(id);
        self.get(bare)
    }

    /// As [`Types::resolve`], the number. A chain that does not end is `void`.
    pub fn bare(&mut self, mut id: TypeId) -> TypeId {
        for _ in 0..MAX_CHAIN {
            match self.get(id) {
                Type::Typedef { target, .. } | Type::Qualified { target, .. } => id = target,
                Type::Forward { tag, name } => return self.complete(id, tag, &name),
                _ => return id,
            }
        }
        TypeId::VOID
    }

    /// The definition that a forward declaration speaks of, if there is one.
    fn complete(&mut self, id: TypeId, tag: Tag, name: &str) -> TypeId {
        match self.tag(tag, name) {
            Some(found) if !matches!(self.get(found), Type::Forward { .. }) => found,
            _ => id,
        }
    }

    /// A pointer to a type.
    pub fn pointer(&mut self, target: TypeId, user: bool) -> TypeId {
        if let Some(known) = self.pointers.get(&(target, user)) {
            return *known;
        }
        let id = self.add(Type::Pointer { target, user });
        self.pointers.insert((target, user), id);
        id
    }

    /// Bytes of a type; `None` for `void`, functions, forward declarations and sizes beyond 4 GiB.
    /// A string has 0: the session decides.
    pub fn size(&mut self, id: TypeId) -> Option<u32> {
        self.size_within(id, MAX_DIMENSIONS)
    }

    fn size_within(&mut self, id: TypeId, depth: u32) -> Option<u32> {
        Some(match self.resolve(id) {
            Type::Int(int) => int.size,
            Type::Float { size, .. } => size,
            Type::Pointer { .. } => 8,
            Type::Array { element, count } => {
                self.size_within(element, depth.checked_sub(1)?)?.checked_mul(count)?
            }
            Type::Compound(compound) => compound.size,
            Type::Enum(body) => body.size,
            Type::String => 0,
            _ => return None,
        })
    }

    /// A member by name, those of unnamed structs and unions included; the offset is from the
    /// outer's start.
    pub fn member(&mut self, compound: &CompoundType, name: &str) -> Option<Field> {
        let mut budget = MAX_UNNAMED;
        self.member_within(compound, name, &mut budget, 16)
    }

    fn member_within(
        &mut self,
        outer: &CompoundType,
        name: &str,
        budget: &mut u32,
        depth: u32,
    ) -> Option<Field> {
        if let Some(found) = outer.members.iter().find(|member| &*member.name == name) {
            return Some(found.clone());
        }
        let depth = depth.checked_sub(1)?;
        for member in outer.members.iter().filter(|member| member.name.is_empty()) {
            *budget = budget.checked_sub(1)?;
            let Type::Compound(inner) = self.resolve(member.ty) else { continue };
            if let Some(mut found) = self.member_within(&inner, name, budget, depth) {
                found.bit_offset = found.bit_offset.checked_add(member.bit_offset)?;
                return Some(found);
            }
        }
        None
    }

    /// Whether it is an array of characters.
    pub fn is_char_array(&mut self, id: TypeId) -> bool {
        match self.resolve(id) {
            Type::Array { element, .. } => self.is_char(element),
            _ => false,
        }
    }

    /// Whether it is a character type.
    pub fn is_char(&mut self, id: TypeId) -> bool {
        matches!(self.resolve(id), Type::Int(int) if int.is_char && int.size == 1)
    }
}
