//! Telling type names from identifiers (see the module above for why the place decides).

use super::{Declares, Lexer, Mode, Role, is_blank, is_word};
use crate::token::{Punct, Token};

/// What follows a name, blanks skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A name or number: `foo x`.
    Word,
    /// Stars and then a name or number: `foo *x`.
    StarsWord,
    /// Stars and then a closing parenthesis, comma, bracket or `>`: `foo *)`.
    StarsClose,
    /// `)`
    Close,
    /// `,` or `]`
    Comma,
    /// `<`
    Less,
    /// `(`
    Paren,
    /// Anything else.
    Other,
}

impl Lexer<'_> {
    /// The token for a name that ends where the lexer stands.
    pub(super) fn ident_or_type(&self, name: &str) -> Token {
        if self.names_type(name) {
            Token::TypeName(name.to_owned())
        } else {
            Token::Ident(name.to_owned())
        }
    }

    fn names_type(&self, name: &str) -> bool {
        if matches!(self.last, Role::Selector | Role::Tag) || self.typed {
            return false;
        }
        let next = self.next();
        match self.mode {
            Mode::TypeFragment => true,
            Mode::Declaration(kind) => self.declares_type(name, next, kind),
            _ => self.expression_type(name, next),
        }
    }

    /// In a declaration.
    fn declares_type(&self, name: &str, next: Next, kind: Declares) -> bool {
        let outermost = self.open.is_empty();
        // In the parentheses or brackets of a declarator, where parameters or keys stand.
        let params = self.open.last().is_some_and(|&(punct, typed)| {
            punct != Punct::LBrace && (typed || kind == Declares::Provider)
        });
        let input = kind == Declares::Translator && outermost && self.last == Role::Less;
        let start = input || matches!(self.last, Role::Start | Role::Specifier);
        match next {
            Next::Word | Next::StarsClose => true,
            Next::StarsWord if start => true,
            Next::Paren => start,
            Next::Less => kind == Declares::Translator && outermost,
            // `(*name)` is a declarator.
            _ if params && self.follows_star(name) => false,
            Next::StarsWord | Next::Close | Next::Comma if kind == Declares::Provider => params,
            Next::StarsWord | Next::Close | Next::Comma if params => self.context.is_type(name),
            _ if params => false,
            _ => self.expression_type(name, next),
        }
    }

    /// Whether a star stands right before a name that ends where the lexer stands.
    fn follows_star(&self, name: &str) -> bool {
        let before = self.at.checked_sub(name.len()).and_then(|start| self.text.get(..start));
        before.is_some_and(|text| text.trim_ascii_end().ends_with(b"*"))
    }

    /// In an expression, where types stand in parentheses or after `xlate <` only.
    fn expression_type(&self, name: &str, next: Next) -> bool {
        match (self.last, self.before_last) {
            (Role::Less, Role::Xlate) => true,
            (Role::Open, Role::TypeHead) => true,
            (Role::Open, Role::ExprHead | Role::Callee) => false,
            (Role::Open, Role::Sizeof) => match next {
                Next::Close => self.context.is_type(name),
                next => next == Next::StarsClose,
            },
            (Role::Open, _) => match next {
                Next::StarsClose | Next::Word => true,
                Next::Close => self.is_cast(name),
                _ => false,
            },
            (Role::Specifier, before) => {
                let inner = !self.open.is_empty() || before == Role::Less;
                inner || self.mode == Mode::Fragment
            }
            _ => false,
        }
    }

    /// Whether `(name)` is a cast: by what follows the parenthesis, or if that leaves it open, by
    /// whether the name is known as a type's.
    fn is_cast(&self, name: &str) -> bool {
        let inside = self.after();
        let after = inside.get(1..).unwrap_or_default().trim_ascii_start();
        let operand = |byte: u8| is_word(byte) || b"\"'$@(~".contains(&byte);
        match after {
            [b'!', second, ..] => *second != b'=',
            [first, ..] if operand(*first) => true,
            [b'+' | b'-' | b'*' | b'&', b'=', ..] | [b'-', b'>', ..] | [b'&', b'&', ..] => false,
            [b'+' | b'-' | b'*' | b'&', ..] => self.context.is_type(name),
            _ => false,
        }
    }

    /// The text that follows, blanks skipped.
    fn after(&self) -> &[u8] {
        self.rest().trim_ascii_start()
    }

    fn next(&self) -> Next {
        let rest = self.after();
        let abstracts = |byte: u8| matches!(byte, b'*' | b'(') || is_blank(byte);
        let run = rest.iter().take_while(|&&byte| abstracts(byte)).count();
        let (run, tail) = rest.split_at(run);
        // After a star, none of these ends an expression; `(*)` is an abstract declarator.
        if run.trim_ascii_end().ends_with(b"*")
            && tail.first().is_some_and(|byte| b"),>[]".contains(byte))
        {
            return Next::StarsClose;
        }
        let stars = rest.iter().take_while(|&&byte| byte == b'*' || is_blank(byte)).count();
        let starred = rest.first() == Some(&b'*');
        match (starred, rest.get(stars).copied().unwrap_or(0)) {
            (false, byte) if is_word(byte) => Next::Word,
            (true, byte) if is_word(byte) => Next::StarsWord,
            (false, b')') => Next::Close,
            (false, b',' | b']') => Next::Comma,
            (false, b'<') => Next::Less,
            (false, b'(') => Next::Paren,
            _ => Next::Other,
        }
    }
}
