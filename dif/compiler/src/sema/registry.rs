//! Numbers of variables and aggregations, one row for all worlds.
//!
//! One arena holds the state of all machines, so a name means the same cell in every world's
//! program. The registry outlives the compilation for one world; what a second world says of a
//! name must fit what the first said.

use std::collections::{BTreeMap, HashMap};

use dif::{difo::DifType, env::Scope, number::var};

use crate::{
    ast::VarScope,
    compiled::{AggFunction, AggId, Aggregation, KeyInfo, ValueKind, Variable},
    error::{Error, ErrorTag},
    source::Span,
};

/// What all worlds agree on about a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How its value is kept.
    pub(crate) dif: DifType,
    /// What the value is: sign, pointer, text.
    pub(crate) value: ValueKind,
    /// Its C type in words, for worlds that see it read before they see it written.
    pub(crate) type_name: String,
    /// An associative array's keys.
    pub(crate) keys: Option<Vec<KeyInfo>>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: u16,
    shape: Shape,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    vars: BTreeMap<(u8, String), Entry>,
    next: [u16; 3],
    aggregations: Vec<Aggregation>,
    by_name: HashMap<String, usize>,
}

const fn row(scope: VarScope) -> (u8, usize, Scope) {
    match scope {
        VarScope::Global => (0, 0, Scope::Global),
        VarScope::Thread => (1, 1, Scope::Thread),
        VarScope::Clause => (2, 2, Scope::Local),
    }
}

impl Registry {
    /// The number of a variable, given out now if it has none.
    ///
    /// # Errors
    /// `D_ID_OFLOW` if there are too many; `D_DECL_IDRED` if another world's machines keep the
    /// name differently.
    pub(crate) fn variable(
        &mut self,
        scope: VarScope,
        name: &str,
        shape: Shape,
        span: Span,
    ) -> Result<u16, Error> {
        let (key, index, _) = row(scope);
        let key = (key, name.to_owned());
        if let Some(entry) = self.vars.get(&key) {
            let same = entry.shape.dif == shape.dif
                && entry.shape.value == shape.value
                && entry.shape.keys == shape.keys;
            return if same {
                Ok(entry.id)
            } else {
                Err(conflict(name, &entry.shape, &shape, span))
            };
        }
        let id = var::OTHER_UBASE.checked_add(self.next[index]).ok_or_else(|| {
            Error::new(ErrorTag::IdOflow, span, "cannot create identifier: limit exceeded")
        })?;
        self.next[index] += 1;
        self.vars.insert(key, Entry { id, shape });
        Ok(id)
    }

    /// What is known of a variable from any world.
    #[must_use]
    pub(crate) fn shape(&self, scope: VarScope, name: &str) -> Option<&Shape> {
        self.vars.get(&(row(scope).0, name.to_owned())).map(|entry| &entry.shape)
    }

    /// Every variable, by scope and name.
    #[must_use]
    pub(crate) fn variables(&self) -> Vec<Variable> {
        let scopes = [Scope::Global, Scope::Thread, Scope::Local];
        let variable = |((scope, name), entry): (&(u8, String), &Entry)| Variable {
            name: name.clone(),
            id: entry.id,
            scope: scopes[usize::from(*scope).min(2)],
            is_array: entry.shape.keys.is_some(),
            ty: entry.shape.dif,
            keys: entry.shape.keys.clone().unwrap_or_default(),
        };
        let mut all: Vec<Variable> = self.vars.iter().map(variable).collect();
        all.sort_by_key(|v| (scopes.iter().position(|scope| *scope == v.scope), v.id));
        all
    }

    /// Every aggregation, by number.
    #[must_use]
    pub(crate) fn aggregations(&self) -> &[Aggregation] {
        &self.aggregations
    }

    /// An aggregation by name.
    #[must_use]
    pub(crate) fn aggregation(&self, name: &str) -> Option<&Aggregation> {
        self.by_name.get(name).and_then(|at| self.aggregations.get(*at))
    }

    /// Refuses another aggregating function than an aggregation has.
    ///
    /// # Errors
    /// `D_AGG_REDEF`.
    pub(crate) fn check_function(&self, name: &str, call: &str, span: Span) -> Result<(), Error> {
        match self.aggregation(name) {
            Some(known) if known.function.name() != call => {
                let message = format!(
                    "aggregation redefined: @{name}\n\t current: @{name} = {call}( )\n\tprevious: \
                     @{name} = {}( )",
                    known.function.name()
                );
                Err(Error::new(ErrorTag::AggRedef, span, message))
            }
            _ => Ok(()),
        }
    }

    /// The number of an aggregation, given out now if it has none.
    ///
    /// # Errors
    /// `D_AGG_REDEF` and the `D_LQUANT_*` tags if it has another function, `D_PROTO_LEN` or
    /// `D_PROTO_ARG` if it has other keys.
    pub(crate) fn aggregate(
        &mut self,
        name: &str,
        function: AggFunction,
        keys: Vec<KeyInfo>,
        span: Span,
    ) -> Result<AggId, Error> {
        let at = self.by_name.get(name).copied();
        if let Some(known) = at.and_then(|at| self.aggregations.get_mut(at)) {
            same_function(name, known.function, function, span)?;
            same_keys(name, &mut known.keys, &keys, span)?;
            return Ok(known.id);
        }
        let id = AggId(u32::try_from(self.aggregations.len() + 1).unwrap_or(u32::MAX));
        self.by_name.insert(name.to_owned(), self.aggregations.len());
        self.aggregations.push(Aggregation { id, name: name.to_owned(), function, keys });
        Ok(id)
    }
}

fn conflict(name: &str, known: &Shape, new: &Shape, span: Span) -> Error {
    let message = format!(
        "variable {name} is {} here and {} on other machines: one cell cannot hold both",
        new.type_name, known.type_name
    );
    Error::new(ErrorTag::DeclIdred, span, message)
}

fn same_function(name: &str, old: AggFunction, new: AggFunction, span: Span) -> Result<(), Error> {
    if old == new {
        return Ok(());
    }
    let parameter =
        |what: &str| format!("{}( ) {what} differs from that of @{name}'s earlier use", new.name());
    let (tag, message) = match (old, new) {
        (AggFunction::Lquantize { base: a, .. }, AggFunction::Lquantize { base: b, .. })
            if a != b =>
        {
            (ErrorTag::LquantMatchbase, parameter("base (argument #1)"))
        }
        (
            AggFunction::Lquantize { step: a, levels: m, .. },
            AggFunction::Lquantize { step: b, levels: n, .. },
        ) if u32::from(a) * u32::from(m) != u32::from(b) * u32::from(n) => {
            (ErrorTag::LquantMatchlim, parameter("limit (argument #2)"))
        }
        (AggFunction::Lquantize { .. }, AggFunction::Lquantize { .. }) => {
            (ErrorTag::LquantMatchstep, parameter("step (argument #3)"))
        }
        (
            AggFunction::Llquantize { factor, low, high, .. },
            AggFunction::Llquantize { factor: f, low: l, high: h, .. },
        ) => match (factor == f, low == l, high == h) {
            (false, ..) => (ErrorTag::LlquantFactormatch, parameter("factor (argument #1)")),
            (_, false, _) => (ErrorTag::LlquantLowmatch, parameter("low magnitude (argument #2)")),
            (.., false) => (ErrorTag::LlquantHighmatch, parameter("high magnitude (argument #3)")),
            _ => {
                let what = parameter("linear steps per magnitude (argument #4)");
                (ErrorTag::LlquantNstepmatch, what)
            }
        },
        _ => (
            ErrorTag::AggRedef,
            format!("aggregation redefined: @{name} is {}( ), not {}( )", old.name(), new.name()),
        ),
    };
    Err(Error::new(tag, span, message))
}

/// Keys of another use. An element that is an integer takes the widest type of all uses; those
/// compiled before are widened when the program is complete.
fn same_keys(name: &str, old: &mut [KeyInfo], new: &[KeyInfo], span: Span) -> Result<(), Error> {
    if old.len() != new.len() {
        let message = format!(
            "@{name}[ ] prototype mismatch: {} key{} passed, {} expected",
            new.len(),
            if new.len() == 1 { "" } else { "s" },
            old.len()
        );
        return Err(Error::new(ErrorTag::ProtoLen, span, message));
    }
    for (at, (old, new)) in old.iter_mut().zip(new).enumerate() {
        if is_number(&old.kind) && is_number(&new.kind) {
            old.size = old.size.max(new.size);
        } else if old != new {
            let message = format!("@{name}[ ] key #{} is incompatible with prototype", at + 1);
            return Err(Error::new(ErrorTag::ProtoArg, span, message));
        }
    }
    Ok(())
}

/// Whether a key's element is an integer or pointer.
pub(crate) fn is_number(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::Integer { .. } | ValueKind::Pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int() -> Shape {
        Shape {
            dif: DifType::integer(8),
            value: ValueKind::Integer { signed: true },
            type_name: "int64_t".into(),
            keys: None,
        }
    }

    /// Scopes number their variables apart, and a name keeps its number in every world.
    #[test]
    fn a_name_keeps_its_number() {
        let mut registry = Registry::default();
        let mut id = |scope, name| registry.variable(scope, name, int(), Span::default()).unwrap();
        assert_eq!(id(VarScope::Global, "a"), 0x500);
        assert_eq!(id(VarScope::Global, "b"), 0x501);
        assert_eq!(id(VarScope::Thread, "a"), 0x500);
        assert_eq!(id(VarScope::Global, "a"), 0x500);
    }

    /// One cell cannot be a string on one machine and an integer on another.
    #[test]
    fn worlds_must_agree() {
        let mut registry = Registry::default();
        registry.variable(VarScope::Global, "a", int(), Span::default()).unwrap();
        let other = Shape { dif: DifType::STRING, value: ValueKind::String, ..int() };
        let error = registry.variable(VarScope::Global, "a", other, Span::default()).unwrap_err();
        assert_eq!(error.tag, ErrorTag::DeclIdred);
    }

    /// An aggregation has one function and one key, and the error names which differs.
    #[test]
    fn aggregations_keep_function_and_key() {
        let mut registry = Registry::default();
        let key = |size| vec![KeyInfo { kind: ValueKind::Integer { signed: true }, size }];
        let span = Span::default();
        let id = registry.aggregate("a", AggFunction::Count, key(4), span).unwrap();
        assert_eq!(registry.aggregate("a", AggFunction::Count, key(4), span).unwrap(), id);
        let tag = |result: Result<AggId, Error>| result.unwrap_err().tag;
        assert_eq!(
            tag(registry.aggregate("a", AggFunction::Sum, key(4), span)),
            ErrorTag::AggRedef
        );
        let none = registry.aggregate("a", AggFunction::Count, vec![], span);
        assert_eq!(tag(none), ErrorTag::ProtoLen);
        assert_eq!(registry.aggregate("a", AggFunction::Count, key(8), span).unwrap(), id);
        assert_eq!(registry.aggregations()[0].keys, key(8), "the widest use decides");
        let text = vec![KeyInfo { kind: ValueKind::String, size: 0 }];
        assert_eq!(
            tag(registry.aggregate("a", AggFunction::Count, text, span)),
            ErrorTag::ProtoArg
        );
    }
}
