//! D's tokens.

/// A token. Names are D's own spelling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A probe description, as written.
    ProbeSpec(String),
    /// A name that is not a type's; may hold backquotes.
    Ident(String),
    /// A type's name; may hold a backquote.
    TypeName(String),
    /// `@name`, without the `@`; `_` for a lone one.
    Agg(String),
    /// An integer or character constant.
    Int(crate::ast::IntLit),
    /// A string, escapes read.
    Str(Vec<u8>),
    /// A `/` that closes a predicate.
    EndPredicate,
    /// A word that D keeps for itself.
    Keyword(Keyword),
    /// Punctuation.
    Punct(Punct),
}

/// Declares an enum with the spelling of each variant.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant,)*
        }

        impl $name {
            pub(crate) const ALL: &[(&str, $name)] = &[$(($text, $name::$variant),)*];
        }
    };
}

spelled! {
    /// D's reserved words, those without a meaning yet included.
    Keyword {
        Auto = "auto",
        Break = "break",
        Case = "case",
        Char = "char",
        Const = "const",
        Continue = "continue",
        Counter = "counter",
        Default = "default",
        Do = "do",
        Double = "double",
        Else = "else",
        Enum = "enum",
        Extern = "extern",
        Float = "float",
        For = "for",
        Goto = "goto",
        If = "if",
        Import = "import",
        Inline = "inline",
        Int = "int",
        Long = "long",
        Offsetof = "offsetof",
        Probe = "probe",
        Provider = "provider",
        Register = "register",
        Restrict = "restrict",
        Return = "return",
        SelfVar = "self",
        Short = "short",
        Signed = "signed",
        Sizeof = "sizeof",
        Static = "static",
        String = "string",
        Stringof = "stringof",
        Struct = "struct",
        Switch = "switch",
        This = "this",
        Translator = "translator",
        Typedef = "typedef",
        Union = "union",
        Unsigned = "unsigned",
        Userland = "userland",
        Void = "void",
        Volatile = "volatile",
        While = "while",
        Xlate = "xlate",
    }
}

spelled! {
    /// Punctuation, the longer spellings first where one starts with another.
    Punct {
        Ellipsis = "...",
        ShlAssign = "<<=",
        ShrAssign = ">>=",
        AddAssign = "+=",
        SubAssign = "-=",
        MulAssign = "*=",
        DivAssign = "/=",
        ModAssign = "%=",
        AndAssign = "&=",
        XorAssign = "^=",
        OrAssign = "|=",
        AndAnd = "&&",
        XorXor = "^^",
        OrOr = "||",
        EqEq = "==",
        NotEq = "!=",
        Le = "<=",
        Ge = ">=",
        Shl = "<<",
        Shr = ">>",
        Arrow = "->",
        PlusPlus = "++",
        MinusMinus = "--",
        Comma = ",",
        Semi = ";",
        Question = "?",
        Colon = ":",
        Assign = "=",
        Or = "|",
        Xor = "^",
        And = "&",
        Lt = "<",
        Gt = ">",
        Plus = "+",
        Minus = "-",
        Star = "*",
        Slash = "/",
        Percent = "%",
        Tilde = "~",
        Not = "!",
        Dot = ".",
        LParen = "(",
        RParen = ")",
        LBracket = "[",
        RBracket = "]",
        LBrace = "{",
        RBrace = "}",
    }
}

impl Keyword {
    /// The reserved word that is spelled so.
    pub(crate) fn find(word: &[u8]) -> Option<Keyword> {
        let found = Keyword::ALL.iter().find(|(text, _)| text.as_bytes() == word);
        found.map(|&(_, keyword)| keyword)
    }

    /// Whether the word is a type, or starts one.
    pub(crate) fn is_type(self) -> bool {
        use Keyword as K;
        matches!(
            self,
            K::Char
                | K::Double
                | K::Float
                | K::Int
                | K::Long
                | K::Short
                | K::Signed
                | K::String
                | K::Unsigned
                | K::Void
        )
    }

    /// Whether the word is `struct`, `union` or `enum`.
    pub(crate) fn is_tag(self) -> bool {
        matches!(self, Keyword::Struct | Keyword::Union | Keyword::Enum)
    }

    /// Whether the word may start a declaration at the outermost level.
    pub(crate) fn starts_declaration(self) -> bool {
        use Keyword as K;
        self.is_type()
            || self.is_tag()
            || matches!(
                self,
                K::Auto
                    | K::Const
                    | K::Counter
                    | K::Extern
                    | K::Import
                    | K::Inline
                    | K::Provider
                    | K::Register
                    | K::Restrict
                    | K::SelfVar
                    | K::Static
                    | K::This
                    | K::Translator
                    | K::Typedef
                    | K::Userland
                    | K::Volatile
            )
    }
}

impl Punct {
    /// The longest punctuation that `text` starts with, and its length.
    pub(crate) fn longest(text: &[u8]) -> Option<(Punct, usize)> {
        let found = Punct::ALL.iter().find(|(spelling, _)| text.starts_with(spelling.as_bytes()));
        found.map(|&(spelling, punct)| (punct, spelling.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_punctuation_is_found_as_itself() {
        for &(text, punct) in Punct::ALL {
            assert_eq!(Punct::longest(text.as_bytes()), Some((punct, text.len())), "{text}");
        }
    }

    #[test]
    fn keywords_are_found_whole() {
        assert_eq!(Keyword::find(b"self"), Some(Keyword::SelfVar));
        assert_eq!(Keyword::find(b"selfish"), None);
    }
}
