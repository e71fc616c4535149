//! Types known without a container, lookup by name, and types put into words.

use std::rc::Rc;

use super::{IntType, Opaque, Tag, Type, TypeId, Types, btf};

impl TypeId {
    /// `void`
    pub const VOID: Self = Self(0);
    /// D's `string`
    pub const STRING: Self = Self(1);
    /// `char`
    pub const CHAR: Self = Self(2);
    /// `signed char`
    pub const SCHAR: Self = Self(3);
    /// `unsigned char`
    pub const UCHAR: Self = Self(4);
    /// `short`
    pub const SHORT: Self = Self(5);
    /// `unsigned short`
    pub const USHORT: Self = Self(6);
    /// `int`
    pub const INT: Self = Self(7);
    /// `unsigned int`
    pub const UINT: Self = Self(8);
    /// `long`
    pub const LONG: Self = Self(9);
    /// `unsigned long`
    pub const ULONG: Self = Self(10);
    /// `long long`
    pub const LONGLONG: Self = Self(11);
    /// `unsigned long long`
    pub const ULONGLONG: Self = Self(12);
    /// `float`
    pub const FLOAT: Self = Self(13);
    /// `double`
    pub const DOUBLE: Self = Self(14);
    /// `long double`
    pub const LDOUBLE: Self = Self(15);
    /// An aggregation.
    pub const DYNAMIC: Self = Self(16);
    /// A stack.
    pub const STACK: Self = Self(17);
    /// A kernel symbol.
    pub const SYMBOL: Self = Self(18);
    /// A symbol of the process.
    pub const USER_SYMBOL: Self = Self(19);
}

/// C's integers in the order of their numbers from [`TypeId::CHAR`] on: name, bytes, sign.
const INTS: [(&str, u32, bool); 11] = [
    ("char", 1, true),
    ("signed char", 1, true),
    ("unsigned char", 1, false),
    ("short", 2, true),
    ("unsigned short", 2, false),
    ("int", 4, true),
    ("unsigned int", 4, false),
    ("long", 8, true),
    ("unsigned long", 8, false),
    ("long long", 8, true),
    ("unsigned long long", 8, false),
];

const FLOATS: [(&str, u32); 3] = [("float", 4), ("double", 8), ("long double", 16)];

/// Names that D knows on every machine.
const TYPEDEFS: [(&str, TypeId); 32] = [
    ("int8_t", TypeId::SCHAR),
    ("int16_t", TypeId::SHORT),
    ("int32_t", TypeId::INT),
    ("int64_t", TypeId::LONG),
    ("intptr_t", TypeId::LONG),
    ("uint8_t", TypeId::UCHAR),
    ("uint16_t", TypeId::USHORT),
    ("uint32_t", TypeId::UINT),
    ("uint64_t", TypeId::ULONG),
    ("uintptr_t", TypeId::ULONG),
    ("uchar_t", TypeId::UCHAR),
    ("ushort_t", TypeId::USHORT),
    ("uint_t", TypeId::UINT),
    ("ulong_t", TypeId::ULONG),
    ("u_char", TypeId::UCHAR),
    ("u_short", TypeId::USHORT),
    ("u_int", TypeId::UINT),
    ("u_long", TypeId::ULONG),
    ("longlong_t", TypeId::LONGLONG),
    ("u_longlong_t", TypeId::ULONGLONG),
    ("int64", TypeId::LONG),
    ("uint64", TypeId::ULONG),
    ("size_t", TypeId::ULONG),
    ("ssize_t", TypeId::LONG),
    ("ptrdiff_t", TypeId::LONG),
    ("off_t", TypeId::LONG),
    ("pid_t", TypeId::INT),
    ("id_t", TypeId::INT),
    ("uid_t", TypeId::UINT),
    ("gid_t", TypeId::UINT),
    ("hrtime_t", TypeId::LONG),
    ("caddr_t", TypeId::ULONG),
];

/// Names that FreeBSD's kernel has, and D scripts use, where the traced kernel has no such name.
const FALLBACKS: [(&str, TypeId); 20] = [
    ("boolean_t", TypeId::INT),
    ("clock_t", TypeId::INT),
    ("daddr_t", TypeId::LONG),
    ("dev_t", TypeId::ULONG),
    ("in_addr_t", TypeId::UINT),
    ("in_port_t", TypeId::USHORT),
    ("ino_t", TypeId::ULONG),
    ("ipaddr_t", TypeId::UINT),
    ("key_t", TypeId::LONG),
    ("lwpid_t", TypeId::INT),
    ("mode_t", TypeId::USHORT),
    ("nlink_t", TypeId::ULONG),
    ("processorid_t", TypeId::INT),
    ("register_t", TypeId::LONG),
    ("suseconds_t", TypeId::LONG),
    ("time_t", TypeId::LONG),
    ("u_int16_t", TypeId::USHORT),
    ("u_int32_t", TypeId::UINT),
    ("u_int64_t", TypeId::ULONG),
    ("u_int8_t", TypeId::UCHAR),
];

/// Names of [`TYPEDEFS`] that stand in for the kernel's: a script may define them anew.
const STAND_INS: [&str; 12] = [
    "u_char",
    "u_short",
    "u_int",
    "u_long",
    "longlong_t",
    "int64",
    "uint64",
    "off_t",
    "uid_t",
    "gid_t",
    "hrtime_t",
    "caddr_t",
];

/// Enters the types above; the table must be empty.
pub(super) fn install(types: &mut Types<'_>) {
    types.add(Type::Void);
    types.add(Type::String);
    for (name, size, signed) in INTS {
        let is_char = size == 1;
        types.add(Type::Int(IntType { name: name.into(), size, signed, is_char, bits: None }));
    }
    for (name, size) in FLOATS {
        types.add(Type::Float { name: name.into(), size });
    }
    for opaque in [Opaque::Dynamic, Opaque::Stack, Opaque::Symbol, Opaque::UserSymbol] {
        types.add(Type::Opaque(opaque));
    }
    for (name, target) in TYPEDEFS {
        let target = if name == "caddr_t" { types.pointer(TypeId::CHAR, false) } else { target };
        types.add_typedef(name, target);
    }
    types.own.retain(|name| !STAND_INS.contains(&&**name));
}

impl Types<'_> {
    /// Enters a typedef and returns its number.
    pub fn add_typedef(&mut self, name: &str, target: TypeId) -> TypeId {
        let name: Rc<str> = name.into();
        let id = self.add(Type::Typedef { name: Rc::clone(&name), target });
        self.own.insert(Rc::clone(&name));
        self.typedefs.insert(name, id);
        id
    }

    /// Whether D itself or the script made a typedef of that name.
    #[must_use]
    pub fn is_own_typedef(&self, name: &str) -> bool {
        self.own.contains(name)
    }

    /// Enters a struct's, union's or enumeration's tag.
    pub fn add_tag(&mut self, tag: Tag, name: &str, id: TypeId) {
        self.tags.insert((tag, name.into()), id);
    }

    /// The type a typedef names: the script's or D's own, else the kernel's. C's base types are
    /// found by their BTF names too.
    pub fn typedef(&mut self, name: &str) -> Option<TypeId> {
        if let Some(known) = self.typedefs.get(name) {
            return Some(*known);
        }
        let id = self
            .find_once(None, &[btf::kind::TYPEDEF, btf::kind::INT], name)
            .or_else(|| self.stand_in(name))?;
        self.typedefs.insert(name.into(), id);
        Some(id)
    }

    /// FreeBSD's name for a type where the kernel has none of that name.
    fn stand_in(&mut self, name: &str) -> Option<TypeId> {
        let target = match name {
            "in6_addr_t" => self.tag(Tag::Struct, "in6_addr")?,
            _ => FALLBACKS.iter().find(|(known, _)| *known == name)?.1,
        };
        Some(self.add(Type::Typedef { name: name.into(), target }))
    }

    /// The type a tag names: the script's, else the kernel's; a definition before a declaration.
    pub fn tag(&mut self, tag: Tag, name: &str) -> Option<TypeId> {
        if let Some(known) = self.tags.get(&(tag, Rc::from(name))) {
            return Some(*known);
        }
        let kinds: &[u8] = match tag {
            Tag::Struct => &[btf::kind::STRUCT],
            Tag::Union => &[btf::kind::UNION],
            Tag::Enum => &[btf::kind::ENUM, btf::kind::ENUM64],
        };
        let id = self.find_once(Some(tag), kinds, name)?;
        self.tags.insert((tag, name.into()), id);
        Some(id)
    }

    /// Looks in the containers, unless that was in vain before.
    fn find_once(&mut self, tag: Option<Tag>, kinds: &[u8], name: &str) -> Option<TypeId> {
        let key = (tag, Rc::from(name));
        if self.absent.contains(&key) {
            return None;
        }
        let found = self.find_foreign(kinds, name);
        if found.is_none() {
            self.absent.insert(key);
        }
        found
    }

    /// A type in C's words: `struct task_struct *`, `char [2][8]`, `int (*)()`.
    pub fn name(&mut self, id: TypeId) -> String {
        let lead =
            if matches!(self.get(id), Type::Pointer { user: true, .. }) { "userland " } else { "" };
        format!("{lead}{}", self.declaration(id, String::new(), 600))
    }

    /// The words for a type around a declarator (`*`, `(*)[4]`), which grows on the way in.
    fn declaration(&mut self, id: TypeId, declarator: String, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "…".into() };
        // What binds tighter than a pointer keeps its distance.
        let inner = |declarator: String| match declarator.starts_with('*') {
            true => format!("({declarator})"),
            false => declarator,
        };
        let base = match self.get(id) {
            Type::Pointer { target, .. } => {
                return self.declaration(target, format!("*{declarator}"), depth);
            }
            Type::Array { element, count } => {
                let declarator = format!("{}[{count}]", inner(declarator));
                return self.declaration(element, declarator, depth);
            }
            Type::Function { result } => {
                return self.declaration(result, format!("{}()", inner(declarator)), depth);
            }
            Type::Qualified { qualifier, target } => {
                if matches!(self.get(target), Type::Pointer { .. }) {
                    let space = if declarator.is_empty() { "" } else { " " };
                    let declarator = format!("{qualifier}{space}{declarator}");
                    return self.declaration(target, declarator, depth);
                }
                let rest = self.declaration(target, declarator, depth);
                return format!("{qualifier} {rest}");
            }
            Type::Void => "void".into(),
            Type::String => "string".into(),
            Type::Int(int) => int.name.to_string(),
            Type::Float { name, .. } | Type::Typedef { name, .. } => name.to_string(),
            Type::Compound(compound) => tagged(compound.tag, &compound.name),
            Type::Enum(body) => tagged(Tag::Enum, &body.name),
            Type::Forward { tag, name } => tagged(tag, &name),
            Type::Opaque(Opaque::Dynamic) => "aggregation".into(),
            Type::Opaque(Opaque::Stack) => "stack".into(),
            Type::Opaque(Opaque::Symbol) => "_symaddr".into(),
            Type::Opaque(Opaque::UserSymbol) => "_usymaddr".into(),
        };
        let space = if declarator.is_empty() { "" } else { " " };
        format!("{base}{space}{declarator}")
    }
}

/// Without a tag a blank is left behind the keyword, as DTrace has it.
fn tagged(tag: Tag, name: &str) -> String {
    format!("{} {name}", tag.keyword())
}
