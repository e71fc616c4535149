//! Reads a C type from text: the argument types that machines publish with their probes.
//!
//! The text is a guest's. What is not understood is `None`, never a guess.

use super::{Tag, Type, TypeId, Types};

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 512;

/// The type that `text` names: `const char *`, `struct bio *`, `unsigned long`, `char [16]`,
/// `void (*)(int)` (any pointer to a function).
pub fn parse_c_type(types: &mut Types<'_>, text: &str) -> Option<TypeId> {
    let tokens = tokenize(text)?;
    let mut parser = Parser { types, tokens: &tokens, at: 0, user: false };
    let base = parser.specifiers()?;
    let ty = parser.declarator(base)?;
    (parser.at == tokens.len()).then_some(ty)
}

fn tokenize(text: &str) -> Option<Vec<&str>> {
    if text.len() > MAX_TEXT || !text.is_ascii() {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if "*()[],.".contains(first) {
            1
        } else {
            return None;
        };
        tokens.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    Some(tokens)
}

struct Parser<'p, 'w> {
    types: &'p mut Types<'w>,
    tokens: &'p [&'p str],
    at: usize,
    user: bool,
}

impl<'p> Parser<'p, '_> {
    fn peek(&self) -> Option<&'p str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'p str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn qualifiers(&mut self) {
        while let Some(word) = self.peek() {
            match word {
                "__user" | "userland" => self.user = true,
                "const" | "volatile" | "restrict" | "__rcu" | "__percpu" | "__iomem" => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn specifiers(&mut self) -> Option<TypeId> {
        self.qualifiers();
        let base = match self.peek()? {
            "struct" => self.tagged(Tag::Struct),
            "union" => self.tagged(Tag::Union),
            "enum" => self.tagged(Tag::Enum),
            _ => self.words(),
        }?;
        self.qualifiers();
        Some(base)
    }

    /// A tag that the kernel does not define stays a forward declaration: its pointers still work.
    fn tagged(&mut self, tag: Tag) -> Option<TypeId> {
        self.at += 1;
        let name = self.next()?;
        match self.types.tag(tag, name) {
            Some(id) => Some(id),
            None => Some(self.types.add(Type::Forward { tag, name: name.into() })),
        }
    }

    /// Base types of several words, or a typedef.
    fn words(&mut self) -> Option<TypeId> {
        let mut count = Words::default();
        while self.peek().is_some_and(|word| count.take(word)) {
            self.at += 1;
            self.qualifiers();
        }
        if count == Words::default() {
            let name = self.next()?;
            return if name == "string" { Some(TypeId::STRING) } else { self.types.typedef(name) };
        }
        count.base()
    }

    fn declarator(&mut self, mut ty: TypeId) -> Option<TypeId> {
        while self.eat("*") {
            ty = self.types.pointer(ty, self.user);
            self.qualifiers();
        }
        if self.peek() == Some("(") {
            return self.function_pointer(ty);
        }
        let mut counts = Vec::new();
        while self.eat("[") {
            let count = self.next()?;
            counts.push(if count == "]" { 0 } else { count.parse().ok()? });
            if count != "]" && !self.eat("]") {
                return None;
            }
        }
        for count in counts.into_iter().rev() {
            ty = self.types.add(Type::Array { element: ty, count });
        }
        Some(ty)
    }

    /// `(*)(…)`: parameters are skipped, parentheses counted.
    fn function_pointer(&mut self, result: TypeId) -> Option<TypeId> {
        let opens = self.eat("(") && self.eat("*");
        if !(opens && self.eat(")") && self.eat("(")) {
            return None;
        }
        let mut depth = 1_u32;
        while depth > 0 {
            match self.next()? {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
        }
        let function = self.types.add(Type::Function { result });
        Some(self.types.pointer(function, false))
    }
}

/// How often each specifier was seen.
#[derive(Default, PartialEq)]
struct Words {
    unsigned: u8,
    signed: u8,
    short: u8,
    long: u8,
    base: Option<&'static str>,
}

impl Words {
    fn take(&mut self, word: &str) -> bool {
        const BASES: [&str; 7] = ["void", "char", "int", "float", "double", "_Bool", "bool"];
        match word {
            "unsigned" => self.unsigned += 1,
            "signed" => self.signed += 1,
            "short" => self.short += 1,
            "long" if self.long < 2 => self.long += 1,
            _ => match BASES.iter().find(|base| **base == word) {
                Some(base) if self.base.is_none() => self.base = Some(base),
                _ => return false,
            },
        }
        self.unsigned < 2 && self.signed < 2 && self.short < 2
    }

    fn base(&self) -> Option<TypeId> {
        let unsigned = self.unsigned > 0;
        let pick = |signed_type, unsigned_type| if unsigned { unsigned_type } else { signed_type };
        Some(match (self.base, self.short, self.long) {
            (Some("void"), 0, 0) => TypeId::VOID,
            (Some("_Bool" | "bool"), 0, 0) => TypeId::UCHAR,
            (Some("char"), 0, 0) if self.signed > 0 => TypeId::SCHAR,
            (Some("char"), 0, 0) => pick(TypeId::CHAR, TypeId::UCHAR),
            (Some("float"), 0, 0) => TypeId::FLOAT,
            (Some("double"), 0, 0) => TypeId::DOUBLE,
            (Some("double"), 0, 1) => TypeId::LDOUBLE,
            (None | Some("int"), 0, 0) => pick(TypeId::INT, TypeId::UINT),
            (None | Some("int"), 1, 0) => pick(TypeId::SHORT, TypeId::USHORT),
            (None | Some("int"), 0, 1) => pick(TypeId::LONG, TypeId::ULONG),
            (None | Some("int"), 0, 2) => pick(TypeId::LONGLONG, TypeId::ULONGLONG),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testworld::TestWorld;

    fn named(text: &str) -> Option<String> {
        let world = TestWorld::default();
        let mut types = Types::new(&world);
        let id = parse_c_type(&mut types, text)?;
        Some(types.name(id))
    }

    /// The forms in which guests write argument types.
    #[test]
    fn argument_types_are_read() {
        assert_eq!(named("const char *").as_deref(), Some("char *"));
        assert_eq!(named("struct bio*").as_deref(), Some("struct bio *"));
        assert_eq!(named("long unsigned int").as_deref(), Some("unsigned long"));
        assert_eq!(named("char __user *").as_deref(), Some("userland char *"));
        assert_eq!(named("int [2][3]").as_deref(), Some("int [2][3]"));
        assert_eq!(named("void (*)(int, void (*)(int))").as_deref(), Some("void (*)()"));
        assert_eq!(named("uint64_t").as_deref(), Some("uint64_t"));
    }

    /// What is no type is refused.
    #[test]
    fn other_text_is_refused() {
        for text in ["", "no_such_t", "int int", "struct", "char * x", "int [", "void (*)(", "a-b"]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }

    proptest! {
        /// Any text is a type or none.
        #[test]
        fn any_text_is_survived(text in "[a-z \\*\\(\\)\\[\\]0-9,]{0,60}") {
            let _ = named(&text);
        }
    }
}
