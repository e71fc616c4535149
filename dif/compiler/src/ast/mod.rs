//! The syntax tree of D.
//!
//! What the parser makes of a text, and all that it makes of it: macro arguments are substituted
//! (as DTrace does, while reading), type names are told from identifiers, declarators are turned
//! inside out into types, numbers and strings are read; no name is resolved and nothing has a type.
//!
//! Every node says where it stands. A tree's depth is bounded ([`MAX_DEPTH`]), so that code that
//! walks it may recurse. Expressions are built by [`Expr::new`], which keeps count.
//!
//! ```text
//! Program ─ Item ┬ Declaration ─ Declarator ─ TypeExpr
//!                ├ Inline, Translator, Provider, Pragma
//!                └ Clause ─ ProbeSpec, predicate (Expr), Stmt ─ Expr
//! ```

mod declare;
mod expr;
mod types;

use dif::program::ProbeDesc;

use crate::source::Span;

pub use declare::{
    Declaration, Declarator, Inline, Pragma, PragmaKind, ProbeDecl, Provider, StorageClass,
    Translator, TranslatorMember,
};
pub use expr::{BinaryOp, Expr, ExprKind, IntForm, IntLit, StepOp, UnaryOp, VarScope};
pub use types::{
    BaseType, Compound, CompoundKind, Enum, Enumerator, Member, Param, Params, Qualifiers,
    TypeExpr, TypeKind,
};

/// The deepest tree that the parser makes: expressions, statements, declarators and structs within
/// one another.
pub const MAX_DEPTH: u16 = 400;

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// One compiled text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// What it holds, in order.
    pub items: Vec<Item>,
}

/// A thing at the outermost level.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Variables, typedefs, structs, externs.
    Declaration(Declaration),
    /// `inline int X = 1;`
    Inline(Inline),
    /// `translator psinfo_t < struct task_struct *T > { … };`
    Translator(Translator),
    /// `provider foo { probe bar(int); };`
    Provider(Provider),
    /// `syscall:::entry /pid == $target/ { … }`
    Clause(Clause),
    /// `#pragma D option quiet`
    Pragma(Pragma),
}

impl Item {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Item::Declaration(item) => item.span,
            Item::Inline(item) => item.span,
            Item::Translator(item) => item.span,
            Item::Provider(item) => item.span,
            Item::Clause(item) => item.span,
            Item::Pragma(item) => item.span,
        }
    }
}

/// Probe descriptions with what is done when they fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Which probes; never empty.
    pub probes: Vec<ProbeSpec>,
    /// `/expr/`.
    pub predicate: Option<Expr>,
    /// `{ … }`; `None` if there are no braces (`dtrace -n BEGIN`), which traces the default row.
    pub body: Option<Block>,
    /// From the first description to the closing brace.
    pub span: Span,
}

/// One probe description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSpec {
    /// Its fields, macro variables substituted; or the probe's number.
    pub desc: ProbeDesc,
    /// Where it stands.
    pub span: Span,
}

/// Statements in braces; or one without, under `if`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// In order, empty ones left out.
    pub statements: Vec<Stmt>,
    /// With the braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Without the semicolon.
    pub span: Span,
    depth: u16,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// An expression: an assignment, an action, a function call.
    Expr(Expr),
    /// `@name[keys] = func(args)`.
    Aggregate(Aggregate),
    /// `if (condition) then else otherwise`.
    If {
        /// The condition.
        condition: Expr,
        /// What runs if it is not zero.
        then: Block,
        /// What runs otherwise.
        otherwise: Option<Block>,
    },
}

/// An aggregating statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The aggregation; `_` for a lone `@`.
    pub name: Ident,
    /// The keys; empty without brackets.
    pub keys: Vec<Expr>,
    /// The aggregating function's name.
    pub function: Ident,
    /// Its arguments.
    pub args: Vec<Expr>,
}

impl Stmt {
    /// A statement at a place.
    #[must_use]
    pub fn new(kind: StmtKind, span: Span) -> Stmt {
        let deepest = |exprs: &[Expr]| exprs.iter().map(Expr::depth).max().unwrap_or(0);
        let below = match &kind {
            StmtKind::Expr(expr) => expr.depth(),
            StmtKind::Aggregate(agg) => deepest(&agg.keys).max(deepest(&agg.args)),
            StmtKind::If { condition, then, otherwise } => {
                let otherwise = otherwise.as_ref().map_or(0, Block::depth);
                condition.depth().max(then.depth()).max(otherwise)
            }
        };
        Stmt { kind, span, depth: below.saturating_add(1) }
    }

    /// How many nodes deep the statement is.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }
}

impl Block {
    /// How many nodes deep the deepest statement is.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.statements.iter().map(Stmt::depth).max().unwrap_or(0)
    }
}
