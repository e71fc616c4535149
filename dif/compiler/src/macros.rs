//! Macro variables: `$target`, `$uid`, … and the script's arguments `$1`, `$$1`.
//!
//! They are substituted while a text is read. `$1` becomes whatever token its text looks like: an
//! integer, an identifier, or else a string; `$$1` always becomes a string. `$target` and its like
//! are integers. An argument that no one uses is an error, so uses are remembered.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    error::{Error, ErrorTag},
    source::Span,
};

/// The values of all macro variables, and which arguments were used.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    args: Vec<String>,
    named: BTreeMap<String, i64>,
    default_args: bool,
    used: RefCell<BTreeSet<usize>>,
}

impl Macros {
    /// No variables, no arguments.
    #[must_use]
    pub fn new() -> Macros {
        Macros::default()
    }

    /// Sets the script's arguments. The first is `$0`, the script's own name.
    #[must_use]
    pub fn with_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Macros {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a named variable: `uid`, `gid`, `euid`, `egid`, `pid`, `ppid`, `pgid`, `sid`,
    /// `projid`, `taskid`, `target`. The name has no `$`.
    pub fn set(&mut self, name: impl Into<String>, value: i64) {
        self.named.insert(name.into(), value);
    }

    /// With `-x defaultargs`: arguments not given are 0 or the empty string, and unused ones are
    /// no error.
    pub fn set_default_args(&mut self, on: bool) {
        self.default_args = on;
    }

    /// Whether `$target` is a process: `-c` or `-p` was given.
    #[must_use]
    pub fn has_target(&self) -> bool {
        self.named.contains_key("target")
    }

    /// The value of `$name`. `$target` is 0 if there is no target.
    ///
    /// # Errors
    /// `D_MACRO_UNDEF` if there is none.
    pub fn named(&self, name: &str, span: Span) -> Result<i64, Error> {
        let unset = (name == "target").then_some(0);
        self.named.get(name).copied().or(unset).ok_or_else(|| {
            let message = format!("macro variable ${name} is not defined");
            Error::new(ErrorTag::MacroUndef, span, message)
        })
    }

    /// The text of argument `index`, which is remembered as used; `None` if it was not given and
    /// need not be.
    ///
    /// # Errors
    /// `D_MACRO_UNDEF` if it was not given.
    pub fn arg(&self, index: usize, span: Span) -> Result<Option<&str>, Error> {
        self.used.borrow_mut().insert(index);
        match self.args.get(index) {
            Some(text) => Ok(Some(text)),
            None if self.default_args => Ok(None),
            None => {
                let message = format!("macro argument ${index} is not defined");
                Err(Error::new(ErrorTag::MacroUndef, span, message))
            }
        }
    }

    /// Another text is read: none of the arguments is used in it yet.
    pub fn begin_text(&self) {
        self.used.borrow_mut().clear();
    }

    /// Whether the text that was read last uses the last argument; it is not asked about others.
    ///
    /// # Errors
    /// `D_MACRO_UNUSED`, unless `defaultargs` is set.
    pub fn check_last_used(&self, end: Span) -> Result<(), Error> {
        let index = self.args.len().saturating_sub(1);
        match self.args.last() {
            Some(text) if index > 0 && !self.default_args => {
                let message = format!("extraneous argument '{text}' (${index} is not referenced)");
                let used = self.used.borrow().contains(&index);
                if used { Ok(()) } else { Err(Error::new(ErrorTag::MacroUnused, end, message)) }
            }
            _ => Ok(()),
        }
    }
}

/// What the text of `$1` looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArgForm<'a> {
    /// An integer with an optional sign, in C's notation.
    Int {
        /// Whether it starts with `-`.
        negative: bool,
        /// The digits with their prefix, sign left out.
        digits: &'a str,
    },
    /// A name.
    Ident(&'a str),
    /// Anything else; quotes around it left out.
    Str(&'a str),
}

/// Tells what the text of `$1` looks like.
pub(crate) fn arg_form(text: &str) -> ArgForm<'_> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_number(unsigned) {
        return ArgForm::Int { negative: text.starts_with('-'), digits: unsigned };
    }
    let mut bytes = text.bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'`';
    let starts = bytes.next().is_some_and(|byte| word(byte) && !byte.is_ascii_digit());
    if starts && bytes.all(word) {
        return ArgForm::Ident(text);
    }
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    ArgForm::Str(quoted.unwrap_or(text))
}

/// Whether all of `text` is an integer as `strtoull` with base 0 reads it.
fn is_number(text: &str) -> bool {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hex {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let octal = text.len() > 1 && text.starts_with('0');
    let highest = if octal { b'7' } else { b'9' };
    !text.is_empty() && text.bytes().all(|byte| (b'0'..=highest).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_argument_follows_its_text() {
        let int = |negative, digits| ArgForm::Int { negative, digits };
        for (text, form) in [
            ("5", int(false, "5")),
            ("-5", int(true, "5")),
            ("+0x1f", int(false, "0x1f")),
            ("017", int(false, "017")),
            ("08", ArgForm::Str("08")),
            ("5u", ArgForm::Str("5u")),
            ("-", ArgForm::Str("-")),
            ("", ArgForm::Str("")),
            ("bash", ArgForm::Ident("bash")),
            ("mod`sym", ArgForm::Ident("mod`sym")),
            ("/bin/sh", ArgForm::Str("/bin/sh")),
            ("\"quoted\"", ArgForm::Str("quoted")),
            ("\"", ArgForm::Str("\"")),
        ] {
            assert_eq!(arg_form(text), form, "{text}");
        }
    }

    #[test]
    fn an_unused_last_argument_is_named() {
        let macros = Macros::new().with_args(["x.d", "a", "b"]);
        macros.arg(1, Span::default()).unwrap();
        let error = macros.check_last_used(Span::default()).unwrap_err();
        assert_eq!(error.tag, ErrorTag::MacroUnused);
        assert_eq!(error.message, "extraneous argument 'b' ($2 is not referenced)");
        macros.begin_text();
        macros.arg(2, Span::default()).unwrap();
        assert_eq!(macros.check_last_used(Span::default()), Ok(()));
        let none = Macros::new().with_args(["x.d"]);
        assert_eq!(none.check_last_used(Span::default()), Ok(()));
    }

    #[test]
    fn default_arguments_are_never_missing_or_unused() {
        let mut macros = Macros::new().with_args(["x.d", "a"]);
        macros.set_default_args(true);
        assert_eq!(macros.arg(7, Span::default()), Ok(None));
        assert_eq!(macros.check_last_used(Span::default()), Ok(()));
    }

    #[test]
    fn an_undefined_variable_is_refused_by_name() {
        let macros = Macros::new();
        assert_eq!(macros.named("nosuch", Span::default()).unwrap_err().tag, ErrorTag::MacroUndef);
        assert_eq!(macros.named("target", Span::default()), Ok(0));
        assert_eq!(macros.arg(1, Span::default()).unwrap_err().tag, ErrorTag::MacroUndef);
    }
}
