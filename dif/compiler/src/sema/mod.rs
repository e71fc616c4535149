//! The checks: from the syntax tree to typed nodes.
//!
//! What DTrace calls *cooking*. Names are resolved against the script's variables, the built-in
//! ones, inlines and the world's enumerators and symbols; every expression gets a type by C's
//! rules; conversions become nodes of their own; what D forbids is refused with DTrace's error tag.
//!
//! ```text
//!  ast::Expr ──Cx::expr──▶ node::Node ──codegen──▶ Difo
//!               │
//!               ├ ident     names and built-in variables
//!               ├ operator  unary and binary operators, conversions
//!               ├ member    . -> [] * &
//!               ├ assign    = op= ++ --, associative arrays
//!               ├ compat    which types go together
//!               ├ call      subroutines
//!               ├ declare   types as written, declarations
//!               ├ provider  declarations of a program's own probes
//!               └ snapshot  translated structures taken as a whole
//! ```
//! Arithmetic is 64 bits wide; a type narrows a value only when it is stored, cast or recorded.

mod assign;
pub(crate) mod call;
mod compat;
mod declare;
mod ident;
mod member;
pub(crate) mod node;
mod operator;
mod provider;
pub(crate) mod registry;
mod snapshot;

use std::{collections::HashMap, rc::Rc};

use dif::{
    difo::DifType,
    number::{ctf, kind, tf},
    program::ProbeDesc,
};

use crate::{
    ast::{self, Expr, ExprKind, VarScope},
    compiled::{KeyInfo, ValueKind},
    error::{Error, ErrorTag},
    source::Span,
    types::{Type, TypeId, Types},
    world::{ArgTypes, World},
};
pub(crate) use member::bit_storage;
use node::{Access, Kind, Node, VarRef};
use registry::Registry;

/// A result of a check.
pub(crate) type Checked<T> = Result<T, Error>;

/// An error at a place, as a result.
pub(crate) fn fail<T>(tag: ErrorTag, span: Span, message: impl Into<String>) -> Checked<T> {
    Err(Error::new(tag, span, message))
}

/// A variable as this world knows it.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) ty: TypeId,
    pub(crate) var: VarRef,
    /// An associative array's keys.
    pub(crate) keys: Option<Vec<TypeId>>,
}

/// The inlines and translators of the script and its library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) inlines: HashMap<String, Rc<ast::Inline>>,
    /// By the output's type and the input's, in words.
    pub(crate) translators: HashMap<(String, String), Rc<ast::Translator>>,
}

/// Everything the checks know while they work on one world.
pub(crate) struct Cx<'c, 'w> {
    pub(crate) world: &'w dyn World,
    pub(crate) types: Types<'w>,
    pub(crate) registry: &'c mut Registry,
    pub(crate) definitions: Definitions,
    pub(crate) variables: HashMap<(VarScope, String), Variable>,
    /// The description that is worked on, and its `args[]` once a script has asked for them: a
    /// description may match many thousand probes.
    pub(crate) args: (ProbeDesc, Option<ArgTypes>),
    /// How many expressions may still be checked for this description.
    budget: u32,
    /// How deep in expressions the check is, inlines' values included.
    nesting: u32,
    /// Inlines' parameters and translators' inputs, innermost last.
    bindings: Vec<Binding>,
    depth: u32,
    /// No instructions but FreeBSD's: `++` of a global may lose one.
    pub(crate) classic: bool,
    /// Whether `$target` is defined.
    pub(crate) has_target: bool,
    compounds: HashMap<usize, (std::sync::Arc<ast::Compound>, TypeId)>,
    enums: HashMap<usize, (std::sync::Arc<ast::Enum>, TypeId)>,
    enumerators: HashMap<String, (TypeId, i64)>,
    /// Tags that D or the script has given members.
    defined_tags: std::collections::HashSet<(crate::types::Tag, String)>,
    /// The key types of aggregations, by their first use.
    pub(crate) agg_keys: HashMap<String, Vec<TypeId>>,
    /// Aggregations that were named with a key but not fed.
    pub(crate) unfed: std::collections::HashSet<String>,
    /// The probes of the providers that were declared, each with the types that scripts see.
    providers: HashMap<String, HashMap<String, Vec<String>>>,
    /// The D library's inlines.
    library: std::collections::HashSet<String>,
    /// The D library is being read.
    in_library: bool,
    /// A clause is worked on: `args[]` means something.
    pub(crate) in_clause: bool,
}

/// Inlines may use inlines, and translators translators, this deep.
const MAX_INLINE_DEPTH: u32 = 16;
/// Expressions are nested at most so deep, inlines included: checks and code generation recurse. The
/// parser's own limit is [`ast::MAX_DEPTH`].
const MAX_NESTING: u32 = 600;
/// A clause has at most so many expressions, inlines counted as often as they are used.
const MAX_EXPRESSIONS: u32 = 1_000_000;

const TOO_DEEP: &str = "the expression is nested too deeply once inlines are in it";

/// An inline's parameter or a translator's input, and what it stands for.
#[derive(Debug)]
struct Binding {
    name: String,
    node: Node,
    /// How many nodes that is: each use copies them.
    nodes: u32,
}

impl<'c, 'w> Cx<'c, 'w> {
    pub(crate) fn new(world: &'w dyn World, types: Types<'w>, registry: &'c mut Registry) -> Self {
        Self {
            world,
            types,
            registry,
            definitions: Definitions::default(),
            variables: HashMap::new(),
            args: (ProbeDesc::default(), None),
            providers: HashMap::new(),
            budget: MAX_EXPRESSIONS,
            nesting: 0,
            bindings: Vec::new(),
            depth: 0,
            classic: false,
            has_target: false,
            compounds: HashMap::new(),
            enums: HashMap::new(),
            enumerators: HashMap::new(),
            defined_tags: std::collections::HashSet::new(),
            agg_keys: HashMap::new(),
            unfed: std::collections::HashSet::new(),
            library: std::collections::HashSet::new(),
            in_library: true,
            in_clause: false,
        }
    }

    /// What is defined so far is the D library's.
    pub(crate) fn end_library(&mut self) {
        self.in_library = false;
        self.library = self.definitions.inlines.keys().cloned().collect();
    }

    /// Whether a name means something that no script defined.
    pub(crate) fn is_foreign(&self, name: &str) -> bool {
        ident::is_builtin_name(name) || call::is_function(name) || self.library.contains(name)
    }

    /// Whether D or the script has given a tag its members.
    pub(crate) fn is_own_tag(&self, name: &str) -> bool {
        let tags = [crate::types::Tag::Struct, crate::types::Tag::Union, crate::types::Tag::Enum];
        tags.iter().any(|tag| self.defined_tags.contains(&(*tag, name.to_owned())))
    }

    /// Whether the script has defined a global name.
    pub(crate) fn is_defined(&mut self, name: &str) -> bool {
        self.definitions.inlines.contains_key(name)
            || self.is_enumerator(name)
            || self.known_variable(VarScope::Global, name).is_some()
    }

    /// Begins with a clause for another description.
    pub(crate) fn begin(&mut self, desc: &ProbeDesc) {
        self.args = (desc.clone(), None);
        self.in_clause = true;
        self.budget = MAX_EXPRESSIONS;
    }

    /// Checks an expression.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Checked<Node> {
        let span = expr.span;
        self.spend(1, span)?;
        if self.nesting == MAX_NESTING {
            return fail(ErrorTag::Unknown, span, TOO_DEEP);
        }
        self.nesting += 1;
        let checked = self.expr_kind(expr);
        self.nesting -= 1;
        checked
    }

    /// Takes so many nodes from what a clause may have.
    fn spend(&mut self, nodes: u32, span: Span) -> Checked<()> {
        match self.budget.checked_sub(nodes) {
            Some(left) => self.budget = left,
            None => {
                let message = "the clause is too large once inlines are in it";
                return fail(ErrorTag::Unknown, span, message);
            }
        }
        Ok(())
    }

    fn expr_kind(&mut self, expr: &Expr) -> Checked<Node> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(literal) => int_literal(*literal, span),
            ExprKind::Str(bytes) => Ok(Node::new(TypeId::STRING, Kind::Str(bytes.clone()), span)),
            ExprKind::Var { scope, name } => self.variable(*scope, &name.name, span),
            ExprKind::Symbol { module, name } => self.symbol(module.as_deref(), &name.name, span),
            ExprKind::Agg(name) => self.aggregation(&name.name, span),
            ExprKind::Index { base, keys } => self.index(base, keys, span),
            ExprKind::Call { function, args } => self.call(function, args, span),
            ExprKind::Member { base, member, arrow } => {
                self.member(base, &member.name, *arrow, span)
            }
            ExprKind::Step { op, prefix, operand } => self.step(*op, *prefix, operand, span),
            ExprKind::Unary { op, operand } => self.unary(*op, operand, span),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, span),
            ExprKind::Assign { op: None, target, value } => self.assign(target, value, span),
            ExprKind::Assign { op: Some(op), target, value } => {
                self.modify(*op, target, value, span)
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                self.conditional(condition, then, otherwise, span)
            }
            ExprKind::Comma { left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.refuse_opaque(&[&left, &right], "operator , operands cannot be", span)?;
                Ok(Node::new(right.ty, Kind::Comma(left.into(), right.into()), span))
            }
            ExprKind::Cast { ty, operand } => self.cast(ty, operand, span),
            ExprKind::SizeofExpr(operand) => self.sizeof_expr(operand, span),
            ExprKind::SizeofType(ty) => self.sizeof_type(ty, span),
            ExprKind::Offsetof { ty, member } => self.offsetof(ty, &member.name, span),
            ExprKind::Stringof(operand) => {
                let operand = self.expr(operand)?;
                self.stringof(operand, span)
            }
            ExprKind::Xlate { .. } => {
                self.translated(expr)?;
                Ok(Node::new(TypeId::DYNAMIC, Kind::Translated, span))
            }
        }
    }

    /// An aggregation where a value is wanted: few may have it.
    fn aggregation(&mut self, name: &str, span: Span) -> Checked<Node> {
        if self.registry.aggregation(name).is_none() && !self.unfed.contains(name) {
            let message = format!("failed to resolve @{name}: Unknown variable name");
            return fail(ErrorTag::IdentUndef, span, message);
        }
        Ok(Node::new(TypeId::DYNAMIC, Kind::Uncomputable(format!("aggregation @{name}")), span))
    }

    /// Refuses aggregations and actions where only values may be.
    pub(crate) fn refuse_opaque(&mut self, nodes: &[&Node], what: &str, span: Span) -> Checked<()> {
        for node in nodes {
            if self.is_dynamic(node) {
                return fail(ErrorTag::OpDyn, span, format!("{what} of dynamic type"));
            }
        }
        if nodes.iter().any(|node| matches!(node.kind, Kind::Uncomputable(_))) {
            return fail(ErrorTag::OpAct, span, format!("{what} actions"));
        }
        Ok(())
    }

    /// An expression whose value is known when compiled.
    pub(crate) fn constant(&mut self, expr: &Expr) -> Checked<Option<i64>> {
        let node = self.expr(expr)?;
        let is_int = int_of(&self.types.resolve(node.ty)).is_some();
        Ok(self.number_of(&node).filter(|_| is_int).map(u64::cast_signed))
    }

    /// A node's value, if known when compiled. It is built into the program.
    pub(crate) fn number_of(&mut self, node: &Node) -> Option<u64> {
        match node.kind {
            Kind::Linked(mark) => self.types.built_in(mark),
            _ => node.as_const(),
        }
    }

    /// How a value of a type is kept, in a record or a variable. `None`: it cannot be.
    pub(crate) fn dif_type(&mut self, ty: TypeId) -> Option<DifType> {
        let resolved = self.types.resolve(ty);
        let size = self.types.size(ty);
        if matches!(resolved, Type::Array { .. } | Type::Compound(_)) {
            self.types.note_size(ty);
        }
        Some(match resolved {
            Type::Void | Type::Function { .. } | Type::Forward { .. } | Type::Opaque(_) => {
                return None;
            }
            Type::String => DifType::STRING,
            Type::Int(int) if int.size <= 8 => DifType::integer(int.size),
            Type::Enum(body) if body.size <= 8 => {
                DifType { kind: kind::CTF, ckind: ctf::ENUM, flags: 0, size: body.size }
            }
            Type::Pointer { .. } => DifType::POINTER,
            Type::Int(_) | Type::Enum(_) => DifType::by_ref(ctf::INTEGER, size?),
            Type::Float { .. } => DifType::by_ref(ctf::FLOAT, size?),
            Type::Array { .. } => DifType::by_ref(ctf::ARRAY, size?),
            Type::Compound(_) => DifType::by_ref(ctf::STRUCT, size?),
            Type::Typedef { .. } | Type::Qualified { .. } => return None,
        })
    }

    /// What a value of a type is to a reader of records.
    pub(crate) fn value_kind(&mut self, ty: TypeId) -> ValueKind {
        if self.types.is_char_array(ty) {
            return ValueKind::CharArray;
        }
        match self.types.resolve(ty) {
            Type::String => ValueKind::String,
            Type::Pointer { .. } => ValueKind::Pointer,
            resolved => match int_of(&resolved) {
                Some((_, signed)) => ValueKind::Integer { signed },
                None => ValueKind::Bytes,
            },
        }
    }

    /// A key's element as all worlds see it.
    pub(crate) fn key_info(&mut self, ty: TypeId, span: Span) -> Checked<KeyInfo> {
        let compound = matches!(self.types.resolve(ty), Type::Compound(_));
        match self.dif_type(ty).filter(|_| !compound) {
            Some(dif) => Ok(KeyInfo { kind: self.value_kind(ty), size: dif.size }),
            None => {
                let name = self.types.name(ty);
                fail(ErrorTag::KeyType, span, format!("a key cannot be of type {name}"))
            }
        }
    }

    /// The access that reads a scalar of a type; `None` if it does not fit a register.
    pub(crate) fn access(&mut self, ty: TypeId, user: bool) -> Option<Access> {
        match self.types.resolve(ty) {
            Type::Pointer { .. } => Some(Access { size: 8, signed: false, user }),
            other => match int_of(&other) {
                Some((size @ (1 | 2 | 4 | 8), signed)) => Some(Access { size, signed, user }),
                _ => None,
            },
        }
    }

    /// A type in words, for errors.
    pub(crate) fn words(&mut self, ty: TypeId) -> String {
        self.types.name(ty)
    }

    /// Whether a node can be read as a string: `string`, `char *`, `char []`.
    pub(crate) fn is_text(&mut self, node: &Node) -> bool {
        match self.types.resolve(node.ty) {
            Type::String => true,
            Type::Pointer { target, user } => !user && self.types.is_char(target),
            Type::Array { .. } => {
                self.types.is_char_array(node.ty)
                    && !matches!(node.kind, Kind::Object { user: true, .. })
            }
            _ => false,
        }
    }

    /// Whether a node is an integer or pointer.
    pub(crate) fn is_scalar(&mut self, node: &Node) -> bool {
        let resolved = self.types.resolve(node.ty);
        matches!(resolved, Type::Pointer { .. }) || int_of(&resolved).is_some_and(|int| int.0 <= 8)
    }

    /// Whether a node is an integer.
    pub(crate) fn is_int(&mut self, node: &Node) -> bool {
        int_of(&self.types.resolve(node.ty)).is_some_and(|int| int.0 <= 8)
    }
}

/// Bytes and sign of an integer or enumeration.
pub(crate) fn int_of(ty: &Type) -> Option<(u32, bool)> {
    match ty {
        Type::Int(int) => Some((int.size, int.signed)),
        Type::Enum(body) => Some((body.size, body.signed)),
        _ => None,
    }
}

/// The first type of C's list that holds the literal.
///
/// # Errors
/// `D_INT_OFLOW` if none does.
fn int_literal(literal: ast::IntLit, span: Span) -> Checked<Node> {
    let decimal = literal.form == ast::IntForm::Decimal;
    let candidates = [
        (TypeId::INT, u64::from(i32::MAX.cast_unsigned()), false, 0),
        (TypeId::UINT, u64::from(u32::MAX), true, 0),
        (TypeId::LONG, i64::MAX.cast_unsigned(), false, 1),
        (TypeId::ULONG, u64::MAX, true, 1),
        (TypeId::LONGLONG, i64::MAX.cast_unsigned(), false, 2),
        (TypeId::ULONGLONG, u64::MAX, true, 2),
    ];
    let fits = |&&(_, max, unsigned, longs): &&(TypeId, u64, bool, u8)| {
        let allowed = if literal.unsigned { unsigned } else { !unsigned || !decimal };
        allowed && longs >= literal.longs && literal.value <= max
    };
    match candidates.iter().find(fits) {
        Some((ty, ..)) => Ok(Node::constant(*ty, literal.bits(), span)),
        None => {
            let message = format!(
                "integer constant {:#x} cannot be represented in any built-in integral type",
                literal.value
            );
            fail(ErrorTag::IntOflow, span, message)
        }
    }
}

/// Whether a type is by reference in a register.
pub(crate) const fn is_by_ref(dif: DifType) -> bool {
    dif.flags & tf::BYREF != 0
}
