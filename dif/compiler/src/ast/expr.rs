//! Expressions: what is computed, and with which operators.

use super::{Ident, TypeExpr};
use crate::source::Span;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, without parentheses around it.
    pub span: Span,
    depth: u16,
}

/// What an expression is. Parentheses leave no trace.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// An integer or character constant.
    Int(IntLit),
    /// A string constant, escapes read, without a closing NUL. Bytes, not UTF-8.
    Str(Vec<u8>),
    /// A D variable: a global (`x`, also the built-in ones, inlines, enumerators), `self->x` or
    /// `this->x`.
    Var {
        /// Whose it is.
        scope: VarScope,
        /// Its name.
        name: Ident,
    },
    /// A symbol of the kernel: `` `name `` or `` module`name ``.
    Symbol {
        /// The module, if named. May hold further backquotes (`` lm1`mod`sym ``).
        module: Option<String>,
        /// The symbol.
        name: Ident,
    },
    /// An aggregation as an argument or operand: `@name`, or `@` (named `_`).
    Agg(Ident),
    /// `base[key, …]`: an array element, an associative array's, or an aggregation's.
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// At least one.
        keys: Vec<Expr>,
    },
    /// `function(args)`: a subroutine, an action or an aggregating function.
    Call {
        /// What is called. Only an [`ExprKind::Var`] can be (`D_FUNC_IDENT`).
        function: Box<Expr>,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `base.member` or `base->member`.
    Member {
        /// The struct or union, or the pointer to it.
        base: Box<Expr>,
        /// The member.
        member: Ident,
        /// Whether `->` was written.
        arrow: bool,
    },
    /// `++x`, `x++`, `--x`, `x--`.
    Step {
        /// Up or down.
        op: StepOp,
        /// Whether the value is that after the step.
        prefix: bool,
        /// What is stepped.
        operand: Box<Expr>,
    },
    /// `op operand`.
    Unary {
        /// Which operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `left op right`.
    Binary {
        /// Which operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `target = value`, `target op= value`.
    Assign {
        /// The operator of a compound assignment, one of the arithmetic ones.
        op: Option<BinaryOp>,
        /// What is assigned.
        target: Box<Expr>,
        /// The value.
        value: Box<Expr>,
    },
    /// `condition ? then : otherwise`.
    Conditional {
        /// The condition.
        condition: Box<Expr>,
        /// The value if it is not zero.
        then: Box<Expr>,
        /// The value otherwise.
        otherwise: Box<Expr>,
    },
    /// `left, right`.
    Comma {
        /// What is computed first and thrown away.
        left: Box<Expr>,
        /// The value.
        right: Box<Expr>,
    },
    /// `(type)operand`.
    Cast {
        /// To which type.
        ty: Box<TypeExpr>,
        /// What is cast.
        operand: Box<Expr>,
    },
    /// `sizeof operand`.
    SizeofExpr(Box<Expr>),
    /// `sizeof (type)`.
    SizeofType(Box<TypeExpr>),
    /// `offsetof(type, member)`.
    Offsetof {
        /// The struct or union.
        ty: Box<TypeExpr>,
        /// Its member.
        member: Ident,
    },
    /// `stringof operand`.
    Stringof(Box<Expr>),
    /// `xlate < type > (operand)`.
    Xlate {
        /// The translator's output type (or a pointer to it).
        ty: Box<TypeExpr>,
        /// Its input.
        operand: Box<Expr>,
    },
}

/// How an integer constant was written: with the suffix it decides the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntForm {
    /// `10`, or the value of a macro variable.
    Decimal,
    /// `0x1f`.
    Hex,
    /// `017`.
    Octal,
    /// `'ab'`: up to eight characters, the last in the lowest byte; of type `int`, if it fits.
    Char,
}

/// An integer or character constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntLit {
    /// Its value without the sign.
    pub value: u64,
    /// Written with a minus: only a macro argument can be (`$1` for `-5`).
    pub negative: bool,
    /// How it was written.
    pub form: IntForm,
    /// Suffix `u`.
    pub unsigned: bool,
    /// How many `l` the suffix has: 0, 1 or 2.
    pub longs: u8,
}

impl IntLit {
    /// A decimal constant without a suffix.
    #[must_use]
    pub const fn plain(value: u64) -> Self {
        Self { value, negative: false, form: IntForm::Decimal, unsigned: false, longs: 0 }
    }

    /// The constant's 64 bits, sign applied.
    #[must_use]
    pub fn bits(&self) -> u64 {
        if self.negative { self.value.wrapping_neg() } else { self.value }
    }
}

/// Whose a D variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VarScope {
    /// The session's.
    Global,
    /// `self->`: the thread's.
    Thread,
    /// `this->`: the firing's.
    Clause,
}

/// Up or down by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOp {
    /// `++`
    Increment,
    /// `--`
    Decrement,
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+`
    Plus,
    /// `-`
    Negate,
    /// `~`
    BitNot,
    /// `!`
    Not,
    /// `*`
    Deref,
    /// `&`
    AddrOf,
}

/// An infix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `&`
    BitAnd,
    /// `^`
    BitXor,
    /// `|`
    BitOr,
    /// `&&`
    And,
    /// `^^`
    Xor,
    /// `||`
    Or,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitXor => "^",
            BinaryOp::BitOr => "|",
            BinaryOp::And => "&&",
            BinaryOp::Xor => "^^",
            BinaryOp::Or => "||",
        }
    }
}

impl UnaryOp {
    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Plus => "+",
            UnaryOp::Negate => "-",
            UnaryOp::BitNot => "~",
            UnaryOp::Not => "!",
            UnaryOp::Deref => "*",
            UnaryOp::AddrOf => "&",
        }
    }
}

impl Expr {
    /// An expression at a place.
    #[must_use]
    pub fn new(kind: ExprKind, span: Span) -> Expr {
        let depth = kind.depth_below().saturating_add(1);
        Expr { kind, span, depth }
    }

    /// How many nodes deep the expression is; at most [`MAX_DEPTH`] if the parser made it.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }
}

impl ExprKind {
    fn depth_below(&self) -> u16 {
        let deepest = |exprs: &[Expr]| exprs.iter().map(Expr::depth).max().unwrap_or(0);
        match self {
            ExprKind::Int(_)
            | ExprKind::Str(_)
            | ExprKind::Var { .. }
            | ExprKind::Symbol { .. }
            | ExprKind::Agg(_) => 0,
            ExprKind::Index { base, keys: list }
            | ExprKind::Call { function: base, args: list } => base.depth.max(deepest(list)),
            ExprKind::Member { base: expr, .. }
            | ExprKind::Step { operand: expr, .. }
            | ExprKind::Unary { operand: expr, .. }
            | ExprKind::SizeofExpr(expr)
            | ExprKind::Stringof(expr) => expr.depth,
            ExprKind::Binary { left, right, .. }
            | ExprKind::Assign { target: left, value: right, .. }
            | ExprKind::Comma { left, right } => left.depth.max(right.depth),
            ExprKind::Conditional { condition, then, otherwise } => {
                condition.depth.max(then.depth).max(otherwise.depth)
            }
            ExprKind::Cast { ty, operand } | ExprKind::Xlate { ty, operand } => {
                ty.depth().max(operand.depth)
            }
            ExprKind::SizeofType(ty) | ExprKind::Offsetof { ty, .. } => ty.depth(),
        }
    }
}
