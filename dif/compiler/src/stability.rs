//! Stability attributes: how much a script may count on what it names.
//!
//! DTrace gives every interface three words: how stable its name is, how stable the meaning of its
//! data, and on which machines it is found. A program has the least of all that it uses (the D
//! guide's chapter on stability; `dtrace -v` reports it, `-x amin=` sets a limit).
//!
//! ```text
//!  provider table (of the guide, and the providers' own in FreeBSD)
//!        │ fields that a description names
//!        ▼
//!  description ─▶ Report ◀─ statements: names, types, functions; a member has its structure's
//! ```

use std::{cmp::min, collections::HashMap, fmt, str::FromStr};

use dif::program::ProbeDesc;

use crate::{
    ast::{
        Aggregate, Block, Clause, Expr, ExprKind, Inline, Pragma, PragmaKind, Stmt, StmtKind,
        TypeExpr, TypeKind, VarScope,
    },
    error::{Error, ErrorTag, Region},
    sema::{Checked, Cx},
    source::Span,
};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal $about:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $about] $variant,)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                $(if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); })*
                Err(())
            }
        }
    };
}

words! {
    /// How stable a name, or the meaning of data, is: `DTRACE_STABILITY_*`, least first.
    Stability {
        Internal "Internal" "Of DTrace itself.",
        Private "Private" "Of the system that makes it, and nobody else's.",
        Obsolete "Obsolete" "About to go.",
        External "External" "Another's.",
        Unstable "Unstable" "May change at any time.",
        Evolving "Evolving" "May change with a minor release.",
        Stable "Stable" "May change with a major release.",
        Standard "Standard" "Of a standard.",
    }
}

words! {
    /// Where an interface is found: `DTRACE_CLASS_*`, narrowest first.
    Class {
        Unknown "Unknown" "Nobody says.",
        Cpu "CPU" "On one model of processor.",
        Platform "Platform" "On one model of machine.",
        Group "Group" "On some models.",
        Isa "ISA" "On one architecture.",
        Common "Common" "Everywhere.",
    }
}

/// Name stability, data stability, dependency class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Of the name.
    pub name: Stability,
    /// Of what the data mean.
    pub data: Stability,
    /// Where it is found.
    pub class: Class,
}

impl Attributes {
    /// What D defines, and what a script defines.
    pub const STABLE: Self = Self::both(Stability::Stable, Class::Common);
    const EVOLVING: Self = Self::both(Stability::Evolving, Class::Common);
    const UNSTABLE: Self = Self::both(Stability::Unstable, Class::Common);
    const PRIVATE: Self = Self::both(Stability::Private, Class::Unknown);
    const PRIVATE_ISA: Self = Self::both(Stability::Private, Class::Isa);

    const fn both(stability: Stability, class: Class) -> Self {
        Self { name: stability, data: stability, class }
    }

    /// The least of both, word by word.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            name: min(self.name, other.name),
            data: min(self.data, other.data),
            class: min(self.class, other.class),
        }
    }

    /// Whether any word is less than another's.
    #[must_use]
    pub fn is_below(self, least: Self) -> bool {
        self.min(least) != least
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.name, self.data, self.class)
    }
}

/// `name/data/class`, in letters of either case.
impl FromStr for Attributes {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split('/').collect::<Vec<_>>()[..] {
            [name, data, class] => {
                Ok(Self { name: name.parse()?, data: data.parse()?, class: class.parse()? })
            }
            _ => Err(()),
        }
    }
}

/// The attributes of a provider's parts: `dtrace_pattr_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderAttributes {
    /// Of its name.
    pub provider: Attributes,
    /// Of its probes' modules.
    pub module: Attributes,
    /// Of its probes' functions.
    pub function: Attributes,
    /// Of its probes' names.
    pub name: Attributes,
    /// Of its probes' arguments.
    pub args: Attributes,
}

impl ProviderAttributes {
    /// Of no provider in particular.
    const NONE: Self = {
        let all = Attributes::UNSTABLE;
        Self { provider: all, module: all, function: all, name: all, args: all }
    };

    /// What a provider says of itself. `fbt`, `syscall`, `profile`, `sdt` and all that are made of it
    /// (`proc`, `io`, `sched`) say the same in FreeBSD's kernel; `dtrace` has its own row.
    #[must_use]
    pub fn of(provider: &str) -> Self {
        let (private, isa) = (Attributes::PRIVATE, Attributes::PRIVATE_ISA);
        let parts = |outer, function, args| Self {
            provider: outer,
            module: private,
            function,
            name: outer,
            args,
        };
        match provider {
            "dtrace" => parts(Attributes::STABLE, private, Attributes::STABLE),
            _ => parts(Attributes::EVOLVING, isa, isa),
        }
    }

    /// A description's: the least of the fields that it names. Without a provider's name all is
    /// unstable.
    #[must_use]
    pub fn description(&self, desc: &ProbeDesc) -> Attributes {
        let parts = if is_glob(&desc.provider) { &Self::NONE } else { self };
        let fields = [
            (&desc.module, parts.module),
            (&desc.function, parts.function),
            (&desc.name, parts.name),
        ];
        let named = fields.into_iter().filter(|(field, _)| !is_glob(field));
        named.fold(parts.provider, |least, (_, attributes)| least.min(attributes))
    }

    fn part(&mut self, name: &str) -> Option<&mut Attributes> {
        Some(match name {
            "provider" => &mut self.provider,
            "module" => &mut self.module,
            "function" => &mut self.function,
            "name" => &mut self.name,
            "args" => &mut self.args,
            _ => return None,
        })
    }
}

fn is_glob(field: &str) -> bool {
    field.is_empty() || field.contains(['*', '?', '[', '\\'])
}

/// The attributes of one probe description and of what its clause does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which description: see [`crate::Compiled::descriptions`].
    pub description: usize,
    /// The description's.
    pub probe: Attributes,
    /// Its arguments'.
    pub args: Attributes,
    /// The statements' and the predicate's.
    pub statements: Attributes,
}

/// What pragmas and inlines of a script say, and the limit.
#[derive(Debug, Default)]
pub(crate) struct Stabilities {
    /// `-x amin=`.
    pub(crate) least: Option<Attributes>,
    pragmas: HashMap<String, Attributes>,
    inlines: HashMap<String, Attributes>,
    providers: HashMap<String, ProviderAttributes>,
}

impl Stabilities {
    /// Takes in a pragma that is about attributes.
    ///
    /// # Errors
    /// `D_PRAGMA_INVAL` for a part that providers do not have.
    pub(crate) fn pragma(&mut self, pragma: &Pragma) -> Checked<()> {
        let PragmaKind::Attributes { attributes, subject } = &pragma.kind else { return Ok(()) };
        let Ok(attributes) = attributes.parse() else { return Ok(()) };
        match &subject[..] {
            [name] => drop(self.pragmas.insert(name.clone(), attributes)),
            [_, provider, part] => {
                let known = self.providers.entry(provider.clone());
                let known = known.or_insert_with(|| ProviderAttributes::of(provider));
                let Some(place) = known.part(part) else {
                    let message = format!(
                        "invalid component \"{part}\" in attribute #pragma for provider {provider}"
                    );
                    return Err(Error::new(ErrorTag::PragmaInval, pragma.span, message));
                };
                *place = attributes;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in an inline: it has its value's attributes.
    pub(crate) fn inline(&mut self, cx: &Cx<'_, '_>, inline: &Inline) {
        let walk = Walk { cx, known: self, parts: ProviderAttributes::NONE, least: None };
        // What is below the limit is said where the inline is used.
        let value = walk.expr(&inline.value).unwrap_or(Attributes::STABLE);
        self.inlines.insert(inline.name.name.clone(), value);
    }

    /// The attributes of a clause under one of its descriptions.
    ///
    /// # Errors
    /// `D_ATTR_MIN` for the first thing that is below the limit.
    pub(crate) fn clause(
        &self,
        cx: &Cx<'_, '_>,
        clause: &Clause,
        desc: &ProbeDesc,
    ) -> Checked<(ProviderAttributes, Attributes, Attributes)> {
        let (parts, probe) = self.description(cx, desc);
        let walk = Walk { cx, known: self, parts, least: self.least };
        let mut least = Attributes::STABLE;
        if let Some(body) = &clause.body {
            least = walk.block(body).map_err(|error| error.in_region(Region::ActionList))?;
        }
        if let Some(predicate) = &clause.predicate {
            let value = walk.expr(predicate);
            least = least.min(value.map_err(|error| error.in_region(Region::Predicate))?);
        }
        Ok((parts, probe, least))
    }

    fn provider(&self, name: &str) -> ProviderAttributes {
        self.providers.get(name).copied().unwrap_or_else(|| ProviderAttributes::of(name))
    }

    /// The provider's parts, if all probes of a description are one provider's, and the
    /// description's attributes.
    fn description(&self, cx: &Cx<'_, '_>, desc: &ProbeDesc) -> (ProviderAttributes, Attributes) {
        let matches = cx.world.matches(desc);
        let parts = if is_glob(&desc.provider) {
            let all = ["dtrace", "profile", "syscall", "fbt", "proc", "sched", "io", "sdt"];
            let alone = all.into_iter().find(|name| {
                let one = ProbeDesc { provider: (*name).to_owned(), ..desc.clone() };
                matches > 0 && cx.world.matches(&one) == matches
            });
            alone.map_or(ProviderAttributes::NONE, |name| self.provider(name))
        } else {
            self.provider(&desc.provider)
        };
        // Several probes by a glob where the names are meant to be relied on: not one interface.
        let fields = [
            (&desc.module, parts.module),
            (&desc.function, parts.function),
            (&desc.name, parts.name),
        ];
        let loose = |(field, part): &(&String, Attributes)| {
            is_glob(field) && part.name >= Stability::Evolving
        };
        if matches != 1 && fields.iter().any(loose) {
            return (ProviderAttributes::NONE, Attributes::UNSTABLE);
        }
        (parts, parts.description(desc))
    }
}

/// The least of several, from what D itself has.
fn all(each: impl Iterator<Item = Checked<Attributes>>) -> Checked<Attributes> {
    let mut least = Attributes::STABLE;
    for attributes in each {
        least = least.min(attributes?);
    }
    Ok(least)
}

/// One walk over a clause.
struct Walk<'a, 'c, 'w> {
    cx: &'a Cx<'c, 'w>,
    known: &'a Stabilities,
    parts: ProviderAttributes,
    least: Option<Attributes>,
}

impl Walk<'_, '_, '_> {
    fn block(&self, block: &Block) -> Checked<Attributes> {
        all(block.statements.iter().map(|statement| self.statement(statement)))
    }

    fn statement(&self, statement: &Stmt) -> Checked<Attributes> {
        match &statement.kind {
            StmtKind::Expr(value) => self.expr(value),
            StmtKind::Aggregate(Aggregate { keys, args, .. }) => {
                all(keys.iter().chain(args).map(|value| self.expr(value)))
            }
            StmtKind::If { condition, then, otherwise } => {
                let taken = self.expr(condition)?.min(self.block(then)?);
                let Some(otherwise) = otherwise else { return Ok(taken) };
                Ok(taken.min(self.block(otherwise)?))
            }
        }
    }

    /// Attributes of something, unless they are below the limit.
    fn named(
        &self,
        what: impl FnOnce() -> String,
        attributes: Attributes,
        span: Span,
    ) -> Checked<Attributes> {
        if !self.least.is_some_and(|least| attributes.is_below(least)) {
            return Ok(attributes);
        }
        let message =
            format!("attributes for {} ({attributes}) are less than predefined minimum", what());
        Err(Error::new(ErrorTag::AttrMin, span, message))
    }

    fn expr(&self, expr: &Expr) -> Checked<Attributes> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Agg(_) => Ok(Attributes::STABLE),
            ExprKind::Var { scope: VarScope::Global, name } => {
                let kind = if matches!(name.name.as_str(), "args" | "fds" | "uregs") {
                    "array"
                } else {
                    "scalar"
                };
                let what = || format!("{kind} {}", name.name);
                self.named(what, self.global(&name.name), span)
            }
            ExprKind::Var { .. } => Ok(Attributes::STABLE),
            ExprKind::Symbol { module, name } => {
                let module = module.as_deref().unwrap_or_default();
                self.named(|| format!("symbol {module}`{}", name.name), Attributes::PRIVATE, span)
            }
            ExprKind::Index { base, keys } => {
                let keys = all(keys.iter().map(|key| self.expr(key)))?;
                Ok(self.expr(base)?.min(keys))
            }
            ExprKind::Call { function, args } => {
                let args = all(args.iter().map(|arg| self.expr(arg)))?;
                let ExprKind::Var { name, .. } = &function.kind else { return Ok(args) };
                let attributes = self.function(&name.name);
                let what = || format!("function {}( )", name.name);
                Ok(self.named(what, attributes, span)?.min(args))
            }
            ExprKind::Cast { ty, operand } | ExprKind::Xlate { ty, operand } => {
                Ok(self.ty(ty)?.min(self.expr(operand)?))
            }
            ExprKind::SizeofType(ty) | ExprKind::Offsetof { ty, .. } => self.ty(ty),
            // A member is as stable as what it is a member of.
            ExprKind::Member { base: operand, .. }
            | ExprKind::Step { operand, .. }
            | ExprKind::Unary { operand, .. }
            | ExprKind::SizeofExpr(operand)
            | ExprKind::Stringof(operand) => self.expr(operand),
            ExprKind::Binary { left, right, .. }
            | ExprKind::Assign { target: left, value: right, .. }
            | ExprKind::Comma { left, right } => Ok(self.expr(left)?.min(self.expr(right)?)),
            ExprKind::Conditional { condition, then, otherwise } => {
                let branches = self.expr(then)?.min(self.expr(otherwise)?);
                Ok(self.expr(condition)?.min(branches))
            }
        }
    }

    /// A global name's: the description decides over what it gives a value.
    fn global(&self, name: &str) -> Attributes {
        let said = || {
            let known = self.known;
            known.pragmas.get(name).or_else(|| known.inlines.get(name)).copied()
        };
        match name {
            "curthread" => Attributes { data: Stability::Private, ..Attributes::STABLE },
            "probeprov" => self.parts.provider,
            "probemod" => self.parts.module,
            "probefunc" => self.parts.function,
            "probename" => self.parts.name,
            "args" => self.parts.args,
            _ if self.cx.is_foreign(name) => Attributes::STABLE,
            _ => said().unwrap_or(Attributes::STABLE),
        }
    }

    fn function(&self, name: &str) -> Attributes {
        let order = ["htonl", "htonll", "htons", "ntohl", "ntohll", "ntohs"];
        let device = ["ddi_pathname", "getmajor", "getminor"];
        let lock = ["mutex_", "rw_", "sx_"];
        let evolving = order.contains(&name)
            || device.contains(&name)
            || lock.iter().any(|start| name.starts_with(start));
        if evolving { Attributes::EVOLVING } else { Attributes::STABLE }
    }

    /// C's and D's types are stable, and the script's own; a kernel's are its own affair.
    fn ty(&self, ty: &TypeExpr) -> Checked<Attributes> {
        let (name, own) = match &ty.kind {
            TypeKind::Base(_) | TypeKind::String => return Ok(Attributes::STABLE),
            TypeKind::Pointer(inner) => return self.ty(inner),
            TypeKind::Array { element, .. } | TypeKind::Assoc { element, .. } => {
                return self.ty(element);
            }
            TypeKind::Function { result, .. } => return self.ty(result),
            TypeKind::Named { name, .. } => {
                (name.name.clone(), self.cx.types.is_own_typedef(&name.name))
            }
            TypeKind::Compound(body) => {
                let name = body.tag.as_ref().map_or("", |tag| tag.name.as_str());
                (name.to_owned(), body.members.is_some() || self.cx.is_own_tag(name))
            }
            TypeKind::Enum(body) => {
                let name = body.tag.as_ref().map_or("", |tag| tag.name.as_str());
                (name.to_owned(), body.enumerators.is_some() || self.cx.is_own_tag(name))
            }
        };
        let attributes = if own { Attributes::STABLE } else { Attributes::PRIVATE };
        self.named(|| format!("type {name}"), attributes, ty.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompileOptions, Compiler, source::Origin, world::Bare};

    fn reports(text: &str, least: Option<&str>) -> Result<Vec<(String, String)>, Error> {
        let options = CompileOptions {
            stability: true,
            least: least.map(|words| words.parse().unwrap()),
            ..CompileOptions::default()
        };
        let mut compiler = Compiler::new(options);
        compiler.add_script(Origin::File("x.d".into()), text)?;
        let compiled = compiler.compile(&Bare)?;
        let words = |report: &Report| (report.probe.to_string(), report.statements.to_string());
        Ok(compiled.stability.iter().map(words).collect())
    }

    #[track_caller]
    fn is(text: &str, probe: &str, statements: &str) {
        let expected = vec![(probe.to_owned(), statements.to_owned())];
        assert_eq!(reports(text, None).unwrap(), expected, "{text}");
    }

    /// The guide's own example, and descriptions with more and with fewer fields.
    #[test]
    fn a_description_has_the_least_of_the_fields_that_it_names() {
        let stable = "Stable/Stable/Common";
        is("dtrace:::BEGIN { }", stable, stable);
        is("profile:::tick-1s { }", "Evolving/Evolving/Common", stable);
        is("syscall:::entry { }", "Evolving/Evolving/Common", stable);
        is("syscall::read:entry { }", "Private/Private/ISA", stable);
        is("fbt:kernel:malloc:entry { }", "Private/Private/Unknown", stable);
        is("fbt::malloc:entry { }", "Private/Private/ISA", stable);
        is("*:::BEGIN { }", "Unstable/Unstable/Common", stable);
    }

    /// A statement has the least of what it names: the guide's table for variables, functions, kernel
    /// symbols and types.
    #[test]
    fn statements_have_the_least_of_what_they_name() {
        let statement = |body: &str, words: &str| {
            is(&format!("dtrace:::BEGIN {{ {body} }}"), "Stable/Stable/Common", words);
        };
        statement("x = pid + 1; trace(x);", "Stable/Stable/Common");
        statement("trace((uint64_t)curthread);", "Stable/Private/Common");
        statement("x = ntohs(1);", "Evolving/Evolving/Common");
        statement("trace(probefunc);", "Private/Private/Unknown");
        statement("if (probename == \"x\") { @[probemod] = count(); }", "Private/Private/Unknown");
        is(
            "syscall:::entry /probename == \"entry\"/ { }",
            "Evolving/Evolving/Common",
            "Evolving/Evolving/Common",
        );
    }

    /// A pragma says what an inline or a provider is worth.
    #[test]
    fn pragmas_decide() {
        let inline = "inline int two = 2; #pragma D attributes Unstable/External/CPU two\n";
        let inline = inline.replace("; #", ";\n#");
        is(
            &format!("{inline}dtrace:::BEGIN {{ trace(two); }}"),
            "Stable/Stable/Common",
            "Unstable/External/CPU",
        );
        let provider = "#pragma D attributes Obsolete/Stable/ISA provider dtrace name\n";
        is(
            &format!("{provider}dtrace:::BEGIN {{ }}"),
            "Obsolete/Stable/ISA",
            "Stable/Stable/Common",
        );
        let bad = "#pragma D attributes Stable/Stable/ISA provider dtrace nose\nBEGIN { }";
        assert_eq!(reports(bad, None).unwrap_err().tag, ErrorTag::PragmaInval);
    }

    /// What is below `amin` is named with its attributes.
    #[test]
    fn a_limit_is_kept() {
        let script = "dtrace:::BEGIN { trace((uint64_t)curthread); }";
        let error = reports(script, Some("Evolving/Evolving/Common")).unwrap_err();
        assert_eq!(error.tag, ErrorTag::AttrMin);
        assert_eq!(
            error.message,
            "attributes for scalar curthread (Stable/Private/Common) are less than predefined minimum"
        );
        assert!(reports(script, Some("stable/private/common")).is_ok());
    }
}
