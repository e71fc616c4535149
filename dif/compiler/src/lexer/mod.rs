//! From bytes to tokens.
//!
//! D is three languages in one text, and which one is read depends on the place:
//!
//! ```text
//!            keyword or type name              `;` outside braces
//!   ┌─────────────────────────────▶ Declaration ──────────────┐
//!   │                                                         │
//! Outer ◀─────────────────────────────────────────────────────┘
//!   │ ▲ `}` that closes the clause
//!   │ └──────────────── Body ◀── `{` ── Predicate
//!   │ `{` after descriptions ▲            ▲
//!   ├────────────────────────┘            │
//!   └── `/` after descriptions ───────────┘
//! ```
//!
//! *Outer* knows probe descriptions, in which `-`, `*`, `?` and `:` are letters. The others know C's
//! tokens. In a *Predicate*, a `/` that stands before `{`, `;`, `/` or the end closes it; any other
//! is a division.
//!
//! **Type names.** C's grammar needs to know whether a name is a type's. D makes this harder: types
//! come from kernels that differ between machines, and variables come to be by assignment. So the
//! place decides wherever it can: two names in a row start a declaration, `(name *)` and
//! `(name)operand` are casts, `xlate <name>` and `offsetof(name, …)` hold types, a name after `.`
//! or before `=` is none. Only `(name)` before `+ - * &` or alone is open, and there the script's
//! own typedefs and the caller's list of types ([`Context::is_type`]) are asked. So a script parses
//! alike for nearly all machines, and types that a machine lacks are found when names are resolved.

mod names;
pub(crate) mod text;

use crate::{
    ast::MAX_DEPTH,
    error::{Error, ErrorTag},
    lexer::text::{NumberFault, NumberShape},
    macros::{ArgForm, arg_form},
    parser::Context,
    source::{Span, offset},
    token::{Keyword, Punct, Token},
};

/// A token with its first byte and the byte after it, as LALRPOP wants it.
pub(crate) type Spanned = Result<(u32, Token, u32), Error>;

/// Which of D's languages is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Between clauses and declarations.
    Outer {
        /// Whether a probe description came before, so that `/` and `{` may follow.
        described: bool,
    },
    /// A declaration, inline, translator or provider, up to its semicolon.
    Declaration(Declares),
    /// Between `/` and `/`, and up to the `{` after it.
    Predicate,
    /// Between `{` and `}`.
    Body,
    /// An expression or a type on its own.
    Fragment,
    /// A type on its own, in which every name that may be a type's is one.
    TypeFragment,
}

/// Which kind of declaration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declares {
    /// Variables, types, inlines.
    Plain,
    /// A provider: all names in parentheses are types.
    Provider,
    /// A translator: types stand on both sides of its first `<`.
    Translator,
}

/// What a token says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nothing in particular.
    Other,
    /// `.` or `->`: a member follows.
    Selector,
    /// `struct`, `union`, `enum`: a tag follows.
    Tag,
    /// A name: a `(` after it is a call's.
    Callee,
    /// `if`, `stringof`: a `(` after it holds an expression.
    ExprHead,
    /// `offsetof`: a `(` after it holds a type.
    TypeHead,
    /// `sizeof`: a `(` after it holds either.
    Sizeof,
    /// `xlate`: a `<` after it holds a type.
    Xlate,
    /// `(`
    Open,
    /// `<`
    Less,
    /// A qualifier or storage class.
    Specifier,
    /// `{`, `;` or the text's start.
    Start,
}

/// The tokens of one text.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    context: &'a Context<'a>,
    mode: Mode,
    /// Open brackets, each with `typed` of what is outside.
    open: Vec<(Punct, bool)>,
    /// Whether a type was named in the specifiers that are being read: the next name is no type.
    typed: bool,
    /// The last token's role, and that of the one before.
    last: Role,
    before_last: Role,
    failed: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8], mode: Mode, context: &'a Context<'a>) -> Lexer<'a> {
        Lexer {
            text,
            at: 0,
            context,
            mode,
            open: Vec::new(),
            typed: false,
            last: Role::Start,
            before_last: Role::Start,
            failed: false,
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { source: self.context.source, start: offset(start), end: offset(end) }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error<T>(
        &self,
        tag: ErrorTag,
        start: usize,
        message: impl Into<String>,
    ) -> Result<T, Error> {
        Err(Error::new(tag, self.span(start, self.at.max(start + 1)), message))
    }

    /// The error for a byte that starts no token.
    fn stray<T>(&self) -> Result<T, Error> {
        let text = String::from_utf8_lossy(self.rest());
        let c = text.chars().next().unwrap_or_default();
        self.error(ErrorTag::Syntax, self.at, format!("syntax error near \"{c}\""))
    }

    /// Skips blanks, comments and control lines.
    fn skip_blank(&mut self) -> Result<(), Error> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'/', b'*', ..] => self.skip_comment()?,
                [b'/', b'/', ..] if self.line_comments() => self.skip_line(),
                [b'#', ..] if self.at_line_start() => self.control_line()?,
                _ => return Ok(()),
            }
        }
    }

    /// Whether `//` starts a comment here. It cannot where a predicate may be.
    fn line_comments(&self) -> bool {
        !matches!(self.mode, Mode::Predicate | Mode::Outer { described: true })
    }

    fn skip_comment(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.at += 2;
        loop {
            match self.rest() {
                [b'*', b'/', ..] => {
                    self.at += 2;
                    return Ok(());
                }
                [b'/', b'*', ..] => {
                    let at = self.at;
                    self.at += 2;
                    return self.error(ErrorTag::Syntax, at, "/* encountered inside a comment");
                }
                [] => {
                    self.at = start + 2;
                    let message = "end-of-file encountered before matching */";
                    return self.error(ErrorTag::Syntax, start, message);
                }
                _ => self.at += 1,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    fn at_line_start(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default();
        before.iter().rev().take_while(|&&b| b != b'\n').all(u8::is_ascii_whitespace)
    }

    fn control_line(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.skip_line();
        let line = self.text.get(start..self.at).unwrap_or_default();
        if line.starts_with(b"#!") || crate::preprocess::line_marker(line).is_some() {
            return Ok(());
        }
        if let Some(pragma) = crate::pragma::parse(line, self.span(start, self.at))? {
            self.context.pragma(pragma);
        }
        Ok(())
    }

    /// The first byte after `from` that is no blank; 0 at the end.
    fn peek_from(&self, from: usize) -> u8 {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.iter().copied().find(|byte| !is_blank(*byte)).unwrap_or(0)
    }

    fn token(&mut self) -> Result<Option<(u32, Token, u32)>, Error> {
        self.skip_blank()?;
        let start = self.at;
        if self.rest().is_empty() {
            return Ok(None);
        }
        let token = match self.mode {
            Mode::Outer { described } => self.outer_token(described)?,
            _ => self.code_token()?,
        };
        self.note(&token);
        Ok(Some((offset(start), token, offset(self.at))))
    }

    /// A token between clauses and declarations.
    fn outer_token(&mut self, described: bool) -> Result<Token, Error> {
        let rest = self.rest();
        let first = rest.first().copied().unwrap_or(0);
        if first.is_ascii_digit() {
            self.mode = Mode::Outer { described: true };
            return self.number();
        }
        let length = rest.iter().take_while(|&&byte| is_description(byte)).count();
        if length > 0 {
            return Ok(self.outer_word(rest.get(..length).unwrap_or_default()));
        }
        match (first, described) {
            (b',', _) => self.punct(1, Punct::Comma),
            (b'/', true) => {
                self.mode = Mode::Predicate;
                self.punct(1, Punct::Slash)
            }
            (b'{', true) => {
                self.mode = Mode::Body;
                self.punct(1, Punct::LBrace)
            }
            _ => self.stray(),
        }
    }

    fn punct(&mut self, length: usize, punct: Punct) -> Result<Token, Error> {
        self.at += length;
        Ok(Token::Punct(punct))
    }

    /// A run of letters of probe descriptions: a description, or the start of a declaration.
    fn outer_word(&mut self, run: &[u8]) -> Token {
        let word = run.iter().take_while(|&&byte| is_word(byte)).count();
        let (name, tail) = run.split_at(word);
        if let Some(keyword) = Keyword::find(name).filter(|keyword| keyword.starts_declaration())
            && tail.iter().all(|&byte| is_word(byte) || byte == b'*')
        {
            self.mode = Mode::Declaration(match keyword {
                Keyword::Provider => Declares::Provider,
                Keyword::Translator => Declares::Translator,
                _ => Declares::Plain,
            });
            self.at += word;
            return Token::Keyword(keyword);
        }
        if self.declares(name, tail) {
            self.mode = Mode::Declaration(Declares::Plain);
            self.at += word;
            return Token::TypeName(lossy(name));
        }
        self.mode = Mode::Outer { described: true };
        self.at += run.len();
        Token::ProbeSpec(lossy(run))
    }

    /// Whether a run that starts with `name` and goes on with `tail` starts a declaration: what
    /// follows it is a declarator, which never follows a probe description.
    fn declares(&self, name: &[u8], tail: &[u8]) -> bool {
        let starts = name.first().is_some_and(|byte| !byte.is_ascii_digit());
        let stars = tail.iter().take_while(|&&byte| byte == b'*').count();
        let glued = tail.get(stars..).unwrap_or_default();
        if !starts || !glued.iter().all(|&byte| is_word(byte)) {
            return false;
        }
        let next = self.peek_from(self.at + name.len() + tail.len());
        match (stars, glued.is_empty()) {
            (_, true) => is_word(next) || (next == b'*' && stars == 0) || next == b'(',
            (0, false) => false,
            (_, false) => {
                matches!(next, b';' | b'[' | b'(')
                    || next == b',' && self.context.is_type(&lossy(name))
            }
        }
    }

    /// A token of a declaration, predicate or clause.
    fn code_token(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        match rest {
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.number(),
            [b'"', ..] => self.string(),
            [b'\'', ..] => self.char_constant(),
            [b'@', ..] => Ok(self.aggregation()),
            [b'$', ..] => self.macro_variable(),
            [first, ..] if is_word(*first) => self.word(),
            _ => match Punct::longest(rest) {
                Some((punct, length)) => self.code_punct(punct, length),
                None => self.stray(),
            },
        }
    }

    fn number(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let (digits, suffix) = match text::number_shape(self.rest()) {
            NumberShape::Int(digits, suffix) => (digits, suffix),
            NumberShape::Float(length) => {
                self.at += length;
                let message = "floating-point constants are not permitted";
                return self.error(ErrorTag::Syntax, start, message);
            }
        };
        self.at += digits + suffix;
        let whole = lossy(self.text.get(start..self.at).unwrap_or_default());
        let (number, suffix) = whole.split_at(digits);
        match text::integer(number) {
            Ok((value, form)) => Ok(Token::Int(crate::ast::IntLit {
                value,
                negative: false,
                form,
                unsigned: suffix.contains(['u', 'U']),
                longs: u8::try_from(suffix.matches(['l', 'L']).count()).unwrap_or(2),
            })),
            Err(NumberFault::Overflow) => {
                let message = format!("constant {whole} results in integer overflow");
                self.error(ErrorTag::IntOflow, start, message)
            }
            Err(NumberFault::Digit(digit)) => {
                let message = format!("constant {whole} contains invalid digit {digit}");
                self.error(ErrorTag::IntDigit, start, message)
            }
        }
    }

    /// What stands between the quotes that come next. One that is not closed before the text ends
    /// is a stray quote; before its line ends, the error given.
    fn quoted(&mut self, quote: u8, tag: ErrorTag, message: &str) -> Result<&'a [u8], Error> {
        let rest = self.rest();
        let Some(length) = text::quoted_length(rest, quote) else {
            if !rest.contains(&b'\n') {
                return self.stray();
            }
            return self.error(tag, self.at, message);
        };
        self.at += length;
        Ok(rest.get(1..length - 1).unwrap_or_default())
    }

    fn string(&mut self) -> Result<Token, Error> {
        let message = "newline encountered in string literal";
        Ok(Token::Str(text::unescape(self.quoted(b'"', ErrorTag::StrNl, message)?)))
    }

    fn char_constant(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let message = "newline encountered in character constant";
        let inner = self.quoted(b'\'', ErrorTag::ChrNl, message)?;
        text::char_constant(inner, self.span(start, self.at)).map(Token::Int)
    }

    fn aggregation(&mut self) -> Token {
        let letters = |&&byte: &&u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name = self.rest().get(1..).unwrap_or_default();
        let digit = name.first().is_some_and(u8::is_ascii_digit);
        let length = if digit { 0 } else { name.iter().take_while(letters).count() };
        self.at += 1 + length;
        let name = name.get(..length).unwrap_or_default();
        Token::Agg(if name.is_empty() { "_".to_owned() } else { lossy(name) })
    }

    /// `$1`, `$$1`, `$name`, `$$name`.
    fn macro_variable(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let dollars = if self.rest().starts_with(b"$$") { 2 } else { 1 };
        let name = self.rest().get(dollars..).unwrap_or_default();
        let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length =
            if digits > 0 { digits } else { name.iter().take_while(|&&b| is_word(b)).count() };
        if length == 0 {
            return self.stray();
        }
        let name = lossy(name.get(..length).unwrap_or_default());
        self.at += dollars + length;
        let span = self.span(start, self.at);
        let macros = self.context.macros;
        if digits == 0 {
            let value = macros.named(&name, span)?;
            if dollars == 2 {
                return Ok(Token::Str(value.to_string().into_bytes()));
            }
            return Ok(decimal(value.unsigned_abs(), value < 0));
        }
        let arg = macros.arg(name.parse().unwrap_or(usize::MAX), span)?;
        if dollars == 2 {
            return Ok(Token::Str(text::unescape(arg.unwrap_or_default().as_bytes())));
        }
        self.argument(arg.unwrap_or("0"), start)
    }

    /// The token that the text of `$1` looks like.
    fn argument(&mut self, arg: &str, start: usize) -> Result<Token, Error> {
        match arg_form(arg) {
            ArgForm::Ident(name) => Ok(self.ident_or_type(name)),
            ArgForm::Str(text) => Ok(Token::Str(text::unescape(text.as_bytes()))),
            ArgForm::Int { negative, digits } => match text::integer(digits) {
                Ok((value, _)) => Ok(decimal(value, negative)),
                Err(_) => {
                    let name = lossy(self.text.get(start..self.at).unwrap_or_default());
                    let message =
                        format!("macro argument {name} constant {arg} results in integer overflow");
                    self.error(ErrorTag::MacroOflow, start, message)
                }
            },
        }
    }

    fn word(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let rest = self.rest();
        let length = rest.iter().take_while(|&&byte| is_word(byte)).count();
        let word = rest.get(..length).unwrap_or_default();
        self.at += length;
        if word.ends_with(b"`") {
            let message = format!("syntax error near \"{}\"", lossy(word));
            return self.error(ErrorTag::Syntax, start, message);
        }
        match Keyword::find(word) {
            Some(keyword) if self.last != Role::Selector => Ok(Token::Keyword(keyword)),
            _ => Ok(self.ident_or_type(&lossy(word))),
        }
    }

    fn code_punct(&mut self, punct: Punct, length: usize) -> Result<Token, Error> {
        let start = self.at;
        if punct == Punct::Slash && self.mode == Mode::Predicate {
            let next = self.peek_from(start + 1);
            if matches!(next, 0 | b';' | b'{' | b'/') {
                self.at += 1;
                return self.end_predicate(start);
            }
        }
        self.at += length;
        match punct {
            Punct::LBrace if self.mode == Mode::Predicate => self.mode = Mode::Body,
            Punct::RParen => self.close(start, Punct::LParen, ")")?,
            Punct::RBracket => self.close(start, Punct::LBracket, "]")?,
            Punct::RBrace => self.close(start, Punct::LBrace, "}")?,
            _ => {}
        }
        if self.open.len() > usize::from(MAX_DEPTH) {
            let message = format!("more than {MAX_DEPTH} brackets within one another");
            return self.error(ErrorTag::Syntax, start, message);
        }
        Ok(Token::Punct(punct))
    }

    fn end_predicate(&mut self, start: usize) -> Result<Token, Error> {
        let missing = match self.open.last() {
            None => return Ok(Token::EndPredicate),
            Some((Punct::LBracket, _)) => "]",
            Some(_) => ")",
        };
        let message = format!("closing {missing} expected in predicate before /");
        self.error(ErrorTag::Syntax, start, message)
    }

    /// Refuses a closing bracket that was never opened. One that does not fit the last opened is
    /// left to the grammar.
    fn close(&self, start: usize, opener: Punct, text: &str) -> Result<(), Error> {
        if self.open.iter().any(|&(punct, _)| punct == opener) {
            return Ok(());
        }
        self.error(ErrorTag::Syntax, start, format!("extra {text} in input stream"))
    }

    /// Keeps book of brackets, specifiers and modes once a token is known.
    fn note(&mut self, token: &Token) {
        let role = self.role(token);
        self.before_last = std::mem::replace(&mut self.last, role);
        match token {
            Token::TypeName(_) => self.typed = true,
            Token::Keyword(keyword) if keyword.is_type() => self.typed = true,
            Token::Ident(_) if self.before_last == Role::Tag => self.typed = true,
            Token::Punct(punct) => self.note_punct(*punct),
            _ => {}
        }
    }

    fn note_punct(&mut self, punct: Punct) {
        match punct {
            Punct::LParen | Punct::LBracket | Punct::LBrace => {
                self.open.push((punct, self.typed));
                self.typed = false;
            }
            Punct::RParen | Punct::RBracket | Punct::RBrace => self.note_close(punct),
            Punct::Semi => {
                self.typed = false;
                if self.open.is_empty() && matches!(self.mode, Mode::Declaration(_)) {
                    self.mode = Mode::Outer { described: false };
                }
            }
            Punct::Comma => {
                let inner = self.open.last().map(|&(punct, _)| punct);
                self.typed &= !matches!(inner, Some(Punct::LParen | Punct::LBracket));
            }
            Punct::Lt | Punct::Gt | Punct::Assign => self.typed = false,
            _ => {}
        }
    }

    fn note_close(&mut self, punct: Punct) {
        if let Some((_, typed)) = self.open.pop() {
            // After `struct { … }` the type is named; its declarators follow.
            self.typed = typed || punct == Punct::RBrace;
        }
        if self.open.is_empty() && punct == Punct::RBrace && self.mode == Mode::Body {
            self.mode = Mode::Outer { described: false };
            self.typed = false;
        }
    }

    fn role(&self, token: &Token) -> Role {
        use {Keyword as K, Punct as P};
        match token {
            Token::Ident(_) | Token::Agg(_) => Role::Callee,
            Token::Punct(P::Dot | P::Arrow) => Role::Selector,
            Token::Punct(P::LParen) => Role::Open,
            Token::Punct(P::Lt) => Role::Less,
            Token::Punct(P::LBrace | P::Semi | P::RBrace) => Role::Start,
            Token::Keyword(K::If | K::Stringof) => Role::ExprHead,
            Token::Keyword(K::Offsetof) => Role::TypeHead,
            Token::Keyword(K::Sizeof) => Role::Sizeof,
            Token::Keyword(K::Xlate) => Role::Xlate,
            Token::Keyword(keyword) if keyword.is_tag() => Role::Tag,
            Token::Keyword(keyword) if keyword.is_type() => Role::Other,
            Token::Keyword(keyword) if keyword.starts_declaration() => Role::Specifier,
            _ => Role::Other,
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Spanned;

    fn next(&mut self) -> Option<Spanned> {
        if self.failed {
            return None;
        }
        let token = self.token();
        self.failed = token.is_err();
        token.transpose()
    }
}

fn decimal(value: u64, negative: bool) -> Token {
    let form = crate::ast::IntForm::Decimal;
    Token::Int(crate::ast::IntLit { value, negative, form, unsigned: false, longs: 0 })
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Letters of names, backquote included.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'`'
}

/// Letters of probe descriptions.
fn is_description(byte: u8) -> bool {
    is_word(byte) || b"-$:.?*\\[]!".contains(&byte)
}
