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

use std::sync::Arc;

use dif::program::ProbeDesc;

use crate::source::Span;

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

// ---------------------------------------------------------------------------------------------
// Clauses
// ---------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------
// Expressions
// ---------------------------------------------------------------------------------------------

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
                ty.depth.max(operand.depth)
            }
            ExprKind::SizeofType(ty) | ExprKind::Offsetof { ty, .. } => ty.depth,
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Types and declarations
// ---------------------------------------------------------------------------------------------

/// `const`, `volatile`, `restrict`, `userland`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qualifiers {
    /// `const`
    pub is_const: bool,
    /// `volatile`
    pub is_volatile: bool,
    /// `restrict`
    pub is_restrict: bool,
    /// `userland`: the type is the traced process's, not the kernel's.
    pub is_userland: bool,
}

/// A type as written, turned from C's inside-out form into a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Its qualifiers.
    pub qualifiers: Qualifiers,
    /// Where its specifiers stand.
    pub span: Span,
    depth: u16,
}

/// C's own types, specifiers already put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaseType {
    /// `void`
    Void,
    /// `char`
    Char,
    /// `signed char`
    SignedChar,
    /// `unsigned char`
    UnsignedChar,
    /// `short`
    Short,
    /// `unsigned short`
    UnsignedShort,
    /// `int`
    Int,
    /// `unsigned int`
    UnsignedInt,
    /// `long`
    Long,
    /// `unsigned long`
    UnsignedLong,
    /// `long long`
    LongLong,
    /// `unsigned long long`
    UnsignedLongLong,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `long double`
    LongDouble,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// One of C's own.
    Base(BaseType),
    /// D's `string`.
    String,
    /// A typedef's name; with a module before a backquote (`` mod`foo_t ``).
    Named {
        /// The module, if named.
        module: Option<String>,
        /// The name.
        name: Ident,
    },
    /// `struct …` or `union …`. Shared between all declarators of one declaration: two types with
    /// the same `Arc` are one type, and need be worked on once only.
    Compound(Arc<Compound>),
    /// `enum …`. Shared as [`TypeKind::Compound`] is.
    Enum(Arc<Enum>),
    /// `*`
    Pointer(Box<TypeExpr>),
    /// `[size]`; the size is missing in `[]`.
    Array {
        /// Of what.
        element: Box<TypeExpr>,
        /// How many: a constant expression.
        size: Option<Box<Expr>>,
    },
    /// `[type, …]`: a D associative array.
    Assoc {
        /// Of what.
        element: Box<TypeExpr>,
        /// Its keys' types.
        keys: Params,
    },
    /// `(params)`: a function.
    Function {
        /// What it returns.
        result: Box<TypeExpr>,
        /// What it takes.
        params: Params,
    },
}

/// `struct` or `union`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompoundKind {
    /// `struct`
    Struct,
    /// `union`
    Union,
}

/// A struct or union, defined or named. One without a tag has members.
#[derive(Clone, Debug, PartialEq)]
pub struct Compound {
    /// Which of the two.
    pub kind: CompoundKind,
    /// Its tag; may hold a scope before a backquote (`` mod`tag ``).
    pub tag: Option<Ident>,
    /// Its members, if it is defined here.
    pub members: Option<Vec<Member>>,
    /// Where it stands.
    pub span: Span,
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name; none for an unnamed bit-field or an unnamed struct or union.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeExpr,
    /// A bit-field's width: a constant expression.
    pub width: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// An enumeration, defined or named. One without a tag has enumerators.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Its tag.
    pub tag: Option<Ident>,
    /// Its enumerators, if it is defined here.
    pub enumerators: Option<Vec<Enumerator>>,
    /// Where it stands.
    pub span: Span,
}

/// One name of an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Enumerator {
    /// The name.
    pub name: Ident,
    /// Its value: a constant expression.
    pub value: Option<Expr>,
}

/// Parameters of a function, an associative array or a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// In order. `(void)` is one of type `void`.
    pub list: Vec<Param>,
    /// `...` at the end.
    pub varargs: bool,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name, if it has one.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeExpr,
    /// Where it stands.
    pub span: Span,
}

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

impl TypeExpr {
    /// A type at a place.
    #[must_use]
    pub fn new(kind: TypeKind, qualifiers: Qualifiers, span: Span) -> TypeExpr {
        let depth = kind.depth_below().saturating_add(1);
        TypeExpr { kind, qualifiers, span, depth }
    }

    /// How many nodes deep the type is; at most [`MAX_DEPTH`] if the parser made it.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }
}

impl TypeKind {
    fn depth_below(&self) -> u16 {
        let width = |member: &Member| member.width.as_ref().map_or(0, Expr::depth);
        match self {
            TypeKind::Base(_) | TypeKind::String | TypeKind::Named { .. } => 0,
            TypeKind::Compound(compound) => {
                let members = compound.members.iter().flatten();
                members.map(|member| member.ty.depth.max(width(member))).max().unwrap_or(0)
            }
            TypeKind::Enum(body) => {
                let values = body.enumerators.iter().flatten().flat_map(|item| &item.value);
                values.map(Expr::depth).max().unwrap_or(0)
            }
            TypeKind::Pointer(target) => target.depth,
            TypeKind::Array { element, size } => {
                element.depth.max(size.as_ref().map_or(0, |size| size.depth()))
            }
            TypeKind::Assoc { element: result, keys: params }
            | TypeKind::Function { result, params } => result.depth.max(params.depth()),
        }
    }
}

impl Params {
    /// How many nodes deep the deepest parameter is.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.list.iter().map(|param| param.ty.depth).max().unwrap_or(0)
    }
}

// ---------------------------------------------------------------------------------------------
// Pragmas
// ---------------------------------------------------------------------------------------------

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
