//! Declarations: from C's specifiers and inside-out declarators to types.
//!
//! C writes a type around the name: in `char *(*f)[3]`, `f` is a pointer to an array of three
//! pointers to `char`. The grammar collects what stands around the name in the order in which one
//! reads it aloud, from the name outwards ([`Wrap`]); [`wrap`] then builds the type from the
//! outermost inwards.

use std::sync::Arc;

use crate::{
    ast::{
        BaseType, Compound, Declaration, Declarator, Enum, Expr, Ident, Inline, MAX_DEPTH, Member,
        Param, Params, Qualifiers, StorageClass, TypeExpr, TypeKind,
    },
    error::{Error, ErrorTag},
    source::Span,
};

/// One word of a declaration's specifiers.
#[derive(Clone, Debug)]
pub(crate) enum Spec {
    Class(StorageClass),
    Word(Word),
    Const,
    Volatile,
    Restrict,
    Userland,
    /// A type that stands for itself: a typedef's name, `string`, a struct, a union, an enum.
    Type(TypeKind),
}

/// A word of C's base types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Void,
    Char,
    Int,
    Float,
    Double,
    Short,
    Long,
    Signed,
    Unsigned,
}

/// Specifiers put together.
#[derive(Clone, Debug)]
pub(crate) struct Specs {
    pub(crate) class: StorageClass,
    pub(crate) base: TypeExpr,
}

/// A step from the name outwards.
#[derive(Clone, Debug)]
pub(crate) enum Wrap {
    Pointer(Qualifiers),
    Array(Option<Box<Expr>>),
    Keys(Params),
    Function(Params),
}

/// A declarator: its name, if it has one, and the steps outwards.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) name: Option<Ident>,
    pub(crate) wraps: Vec<Wrap>,
    pub(crate) span: Span,
}

/// What specifiers add up to.
#[derive(Default)]
struct Tally {
    class: Option<StorageClass>,
    qualifiers: Qualifiers,
    own: Option<TypeKind>,
    noun: Option<Word>,
    short: bool,
    longs: u8,
    signed: bool,
    unsigned: bool,
}

/// Puts specifiers together.
///
/// # Errors
/// `D_DECL_CLASS`, `D_DECL_COMBO`, `D_DECL_IDENT`, `D_DECL_CHARATTR`, `D_DECL_VOIDATTR`,
/// `D_DECL_SIGNINT`, `D_DECL_LONGINT`.
pub(crate) fn specs(list: Vec<Spec>, span: Span) -> Result<Specs, Error> {
    let mut tally = Tally::default();
    for spec in list {
        tally.add(spec, span)?;
    }
    let class = tally.class.unwrap_or(StorageClass::None);
    let qualifiers = tally.qualifiers;
    let base = TypeExpr::new(tally.kind(span)?, qualifiers, span);
    check_depth(base.depth(), span)?;
    Ok(Specs { class, base })
}

fn combination<T>(span: Span) -> Result<T, Error> {
    Err(Error::new(ErrorTag::DeclCombo, span, "invalid type combination"))
}

impl Tally {
    fn add(&mut self, spec: Spec, span: Span) -> Result<(), Error> {
        match spec {
            Spec::Class(class) => {
                if self.class.replace(class).is_some() {
                    let message = "only one storage class allowed in declaration";
                    return Err(Error::new(ErrorTag::DeclClass, span, message));
                }
            }
            Spec::Const => self.qualifiers.is_const = true,
            Spec::Volatile => self.qualifiers.is_volatile = true,
            Spec::Restrict => self.qualifiers.is_restrict = true,
            Spec::Userland => self.qualifiers.is_userland = true,
            Spec::Type(kind) => {
                if self.own.replace(kind).is_some() {
                    return combination(span);
                }
            }
            Spec::Word(word) => return self.add_word(word, span),
        }
        Ok(())
    }

    fn add_word(&mut self, word: Word, span: Span) -> Result<(), Error> {
        let fits = match word {
            Word::Short => !std::mem::replace(&mut self.short, true),
            Word::Signed => !std::mem::replace(&mut self.signed, true),
            Word::Unsigned => !std::mem::replace(&mut self.unsigned, true),
            Word::Long => {
                self.longs += 1;
                self.longs <= 2
            }
            noun => self.noun.replace(noun).is_none(),
        };
        if fits { Ok(()) } else { combination(span) }
    }

    /// The type that the words name.
    fn kind(self, span: Span) -> Result<TypeKind, Error> {
        let attributes = self.short || self.longs > 0 || self.signed || self.unsigned;
        if (self.signed && self.unsigned) || (self.short && self.longs > 0) {
            return combination(span);
        }
        if self.own.is_some() && self.noun.is_some() {
            return combination(span);
        }
        let refuse = |tag, message: &str| {
            Err(Error::new(tag, span, format!("invalid type declaration: {message}")))
        };
        let only_integers = "signed and unsigned may only be used with integer type";
        let only_numbers = "short and long may only be used with integer or floating-point type";
        if let Some(own) = self.own {
            if self.signed || self.unsigned {
                return refuse(ErrorTag::DeclSignint, only_integers);
            }
            if self.short || self.longs > 0 {
                return refuse(ErrorTag::DeclLongint, only_numbers);
            }
            return Ok(own);
        }
        match self.noun {
            Some(Word::Void) if attributes => {
                refuse(ErrorTag::DeclVoidattr, "attributes may not be used with void type")
            }
            Some(Word::Char) if self.short || self.longs > 0 => {
                refuse(ErrorTag::DeclCharattr, "short and long may not be used with char type")
            }
            Some(Word::Float | Word::Double) if self.signed || self.unsigned => {
                refuse(ErrorTag::DeclSignint, only_integers)
            }
            Some(Word::Float) if self.short || self.longs > 0 => combination(span),
            Some(Word::Double) if self.short || self.longs > 1 => combination(span),
            None if !attributes => {
                let message = "old-style declaration or incorrect type specified";
                Err(Error::new(ErrorTag::DeclIdent, span, message))
            }
            noun => Ok(TypeKind::Base(self.base(noun))),
        }
    }

    fn base(&self, noun: Option<Word>) -> BaseType {
        use BaseType as B;
        match (noun, self.short, self.longs, self.unsigned) {
            (Some(Word::Void), ..) => B::Void,
            (Some(Word::Char), _, _, true) => B::UnsignedChar,
            (Some(Word::Char), ..) if self.signed => B::SignedChar,
            (Some(Word::Char), ..) => B::Char,
            (Some(Word::Float), ..) => B::Float,
            (Some(Word::Double), _, 0, _) => B::Double,
            (Some(Word::Double), ..) => B::LongDouble,
            (_, true, _, false) => B::Short,
            (_, true, _, true) => B::UnsignedShort,
            (_, _, 0, false) => B::Int,
            (_, _, 0, true) => B::UnsignedInt,
            (_, _, 1, false) => B::Long,
            (_, _, 1, true) => B::UnsignedLong,
            (_, _, _, false) => B::LongLong,
            (_, _, _, true) => B::UnsignedLongLong,
        }
    }
}

/// Builds the type of a declarator over its base.
///
/// # Errors
/// `D_SYNTAX` if the type is too deep.
pub(crate) fn wrap(base: &TypeExpr, wraps: Vec<Wrap>, span: Span) -> Result<TypeExpr, Error> {
    let mut ty = base.clone();
    for step in wraps.into_iter().rev() {
        let inner = Box::new(ty);
        let mut qualifiers = Qualifiers::default();
        let kind = match step {
            Wrap::Pointer(own) => {
                qualifiers = own;
                TypeKind::Pointer(inner)
            }
            Wrap::Array(size) => TypeKind::Array { element: inner, size },
            Wrap::Keys(keys) => TypeKind::Assoc { element: inner, keys },
            Wrap::Function(params) => TypeKind::Function { result: inner, params },
        };
        ty = TypeExpr::new(kind, qualifiers, base.span.to(span));
        check_depth(ty.depth(), span)?;
    }
    Ok(ty)
}

/// Refuses trees that are too deep to be walked safely.
///
/// # Errors
/// `D_SYNTAX`.
pub(crate) fn check_depth(depth: u16, span: Span) -> Result<(), Error> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    let message = format!("program is nested too deeply (more than {MAX_DEPTH} levels)");
    Err(Error::new(ErrorTag::Syntax, span, message))
}

/// The name of a declarator that must have one.
fn named(around: &Around) -> Result<Ident, Error> {
    let Some(name) = around.name.clone() else {
        let message = "old-style declaration or incorrect type specified";
        return Err(Error::new(ErrorTag::DeclIdent, around.span, message));
    };
    if name.name.contains('`') {
        let message =
            format!("D scoping operator may not be used in a declaration name ({})", name.name);
        return Err(Error::new(ErrorTag::DeclScope, name.span, message));
    }
    Ok(name)
}

/// `class type declarator, …`, without the semicolon.
///
/// # Errors
/// `D_DECL_SCOPE`, or as [`wrap`].
pub(crate) fn declaration(
    specs: Specs,
    declarators: Vec<Around>,
    span: Span,
) -> Result<Declaration, Error> {
    let Specs { class, base } = specs;
    let mut list = Vec::with_capacity(declarators.len());
    for around in declarators {
        let name = named(&around)?;
        let ty = wrap(&base, around.wraps, around.span)?;
        list.push(Declarator { name, ty, span: around.span });
    }
    Ok(Declaration { class, base, declarators: list, span })
}

/// `inline type declarator = value`.
///
/// # Errors
/// `D_DECL_BADCLASS` with a storage class, or as [`declaration`].
pub(crate) fn inline(
    specs: Specs,
    around: Around,
    value: Expr,
    span: Span,
) -> Result<Inline, Error> {
    if specs.class != StorageClass::None {
        let message = "specified storage class not appropriate in D";
        return Err(Error::new(ErrorTag::DeclBadclass, specs.base.span, message));
    }
    let name = named(&around)?;
    let ty = wrap(&specs.base, around.wraps, around.span)?;
    Ok(Inline { name, ty, value, span })
}

/// One parameter; `around` has no name if it is abstract.
///
/// # Errors
/// `D_DECL_PARMCLASS` with a storage class, or as [`wrap`].
pub(crate) fn param(specs: Specs, around: Option<Around>, span: Span) -> Result<Param, Error> {
    if !matches!(specs.class, StorageClass::None | StorageClass::Register) {
        let message = "inappropriate storage class for function or associative array parameter";
        return Err(Error::new(ErrorTag::DeclParmclass, span, message));
    }
    let (name, wraps) = around.map_or((None, Vec::new()), |around| (around.name, around.wraps));
    Ok(Param { name, ty: wrap(&specs.base, wraps, span)?, span })
}

/// The members that one line of a struct declares: `int a, b : 3, : 0;`. A struct or union without
/// declarator is an unnamed member.
///
/// # Errors
/// `D_DECL_MNAME` if a member has neither name nor members of its own, or as [`wrap`].
pub(crate) fn members(
    specs: &Specs,
    list: Vec<(Around, Option<Expr>)>,
    span: Span,
) -> Result<Vec<Member>, Error> {
    let base = &specs.base;
    if list.is_empty() {
        if !matches!(base.kind, TypeKind::Compound(_)) {
            return Err(Error::new(
                ErrorTag::DeclMname,
                span,
                "member declaration requires a name",
            ));
        }
        return Ok(vec![Member { name: None, ty: base.clone(), width: None, span }]);
    }
    let mut members = Vec::with_capacity(list.len());
    for (around, width) in list {
        let name = around.name.is_some().then(|| named(&around)).transpose()?;
        let ty = wrap(base, around.wraps, around.span)?;
        members.push(Member { name, ty, width, span: around.span });
    }
    Ok(members)
}

/// A struct or union as a specifier.
pub(crate) fn compound(compound: Compound) -> Spec {
    Spec::Type(TypeKind::Compound(Arc::new(compound)))
}

/// An enumeration as a specifier.
pub(crate) fn enumeration(body: Enum) -> Spec {
    Spec::Type(TypeKind::Enum(Arc::new(body)))
}

/// A typedef's name as a specifier.
pub(crate) fn type_name(text: &str, span: Span) -> Spec {
    let (module, name) = match text.rsplit_once('`') {
        Some((module, name)) => ((!module.is_empty()).then(|| module.to_owned()), name),
        None => (None, text),
    };
    Spec::Type(TypeKind::Named { module, name: Ident { name: name.to_owned(), span } })
}

/// Qualifiers of a pointer. The grammar lets nothing else through.
pub(crate) fn qualifiers(list: &[Spec]) -> Qualifiers {
    let mut qualifiers = Qualifiers::default();
    for spec in list {
        match spec {
            Spec::Const => qualifiers.is_const = true,
            Spec::Volatile => qualifiers.is_volatile = true,
            Spec::Restrict => qualifiers.is_restrict = true,
            Spec::Userland => qualifiers.is_userland = true,
            Spec::Class(_) | Spec::Word(_) | Spec::Type(_) => {}
        }
    }
    qualifiers
}
