//! What a script declares: variables, inlines, translators, providers, and its pragmas.

use super::{Expr, Ident, Params, TypeExpr};
use crate::source::Span;

/// A storage class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// None written: a global variable.
    None,
    /// `auto` (`D_DECL_BADCLASS`)
    Auto,
    /// `register` (`D_DECL_BADCLASS`)
    Register,
    /// `static` (`D_DECL_BADCLASS`)
    Static,
    /// `extern`: a symbol of the kernel, or a D variable declared ahead.
    Extern,
    /// `typedef`
    Typedef,
    /// `self`
    SelfLocal,
    /// `this`
    ThisLocal,
}

/// `class type declarator, … ;`
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Its storage class.
    pub class: StorageClass,
    /// The type before the declarators: what `struct foo { … };` defines.
    pub base: TypeExpr,
    /// What is declared; may be empty.
    pub declarators: Vec<Declarator>,
    /// With the semicolon.
    pub span: Span,
}

/// One declared name.
#[derive(Clone, Debug, PartialEq)]
pub struct Declarator {
    /// The name.
    pub name: Ident,
    /// Its whole type, base included.
    pub ty: TypeExpr,
    /// Where the declarator stands.
    pub span: Span,
}

/// `inline type name = value;` The type is [`TypeKind::Assoc`] for `inline int f[int x] = …;`, and
/// its keys' names are the value's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    /// The name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeExpr,
    /// What it stands for.
    pub value: Expr,
    /// With the semicolon.
    pub span: Span,
}

/// `translator output < input name > { member = value; … };`
#[derive(Clone, Debug, PartialEq)]
pub struct Translator {
    /// The type it makes.
    pub output: TypeExpr,
    /// The type it takes.
    pub input: TypeExpr,
    /// The input's name in the members' values.
    pub name: Ident,
    /// The members it gives, in order.
    pub members: Vec<TranslatorMember>,
    /// With the semicolon.
    pub span: Span,
}

/// One member of a translator.
#[derive(Clone, Debug, PartialEq)]
pub struct TranslatorMember {
    /// The output's member.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}

/// `provider name { probe …; };`
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name.
    pub name: Ident,
    /// Its probes.
    pub probes: Vec<ProbeDecl>,
    /// With the semicolon.
    pub span: Span,
}

/// `probe name(args) : (translated args);`
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeDecl {
    /// Its name, as written (`foo__bar`).
    pub name: Ident,
    /// What the program passes.
    pub args: Params,
    /// What a script sees, if it differs.
    pub translated: Option<Params>,
    /// With the semicolon.
    pub span: Span,
}

/// A pragma. It applies where it stands: `attributes` and `binding` to an identifier declared
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pragma {
    /// What it says.
    pub kind: PragmaKind,
    /// The whole line.
    pub span: Span,
}

/// What a pragma says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PragmaKind {
    /// `#pragma D option name` or `name=value`.
    Option {
        /// The option.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// `#pragma D attributes Name/Data/Class subject…`.
    Attributes {
        /// The three stability words.
        attributes: String,
        /// An identifier; or `provider NAME args|function|module|name|provider`.
        subject: Vec<String>,
    },
    /// `#pragma D binding "1.0" name`.
    Binding {
        /// The version since which the identifier exists.
        version: String,
        /// The identifier.
        name: String,
    },
    /// `#pragma D depends_on library|module|provider name`.
    DependsOn {
        /// What kind of thing.
        class: String,
        /// Its name.
        name: String,
    },
}
