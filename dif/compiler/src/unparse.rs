//! From the syntax tree back to D.
//!
//! What `-x` debugging options and error messages show. Reading the text again gives the same tree,
//! places aside, as long as the same type names are known. Parentheses stand where they must;
//! branches of `if` always get braces.

use std::{fmt::Write as _, sync::Arc};

use crate::ast::{
    Aggregate, BaseType, BinaryOp, Block, Clause, Compound, CompoundKind, Declaration, Enum, Expr,
    ExprKind, IntForm, IntLit, Item, Member, Param, Params, PragmaKind, ProbeSpec, Program,
    Provider, Qualifiers, StepOp, Stmt, StmtKind, StorageClass, Translator, TypeExpr, TypeKind,
    UnaryOp, VarScope,
};

/// How tightly an expression binds; the higher, the tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Comma,
    Assign,
    Conditional,
    /// Infix operators, from 0 (`||`) to 10 (`*`).
    Binary(u8),
    Cast,
    Unary,
    Postfix,
}

/// A whole program.
#[must_use]
pub fn program(program: &Program) -> String {
    program.items.iter().map(|item| item_text(item) + "\n").collect()
}

/// One expression.
#[must_use]
pub fn expr(expr: &Expr) -> String {
    at(expr, Level::Comma)
}

/// A type, as a cast would name it: `struct foo *`, `int [3]`.
#[must_use]
pub fn type_name(ty: &TypeExpr) -> String {
    let (base, declarator) = declarator(ty, String::new());
    let base = specifiers(base);
    if declarator.is_empty() { base } else { format!("{base} {declarator}") }
}

fn item_text(item: &Item) -> String {
    match item {
        Item::Declaration(item) => declaration(item),
        Item::Inline(item) => {
            let (base, name) = declarator(&item.ty, item.name.name.clone());
            format!("inline {} {name} = {};", specifiers(base), at(&item.value, Level::Assign))
        }
        Item::Translator(item) => translator(item),
        Item::Provider(item) => provider(item),
        Item::Clause(item) => clause(item),
        Item::Pragma(item) => pragma(&item.kind),
    }
}

// --- Clauses and statements ----------------------------------------------------------------------

fn clause(clause: &Clause) -> String {
    let probes: Vec<_> = clause.probes.iter().map(probe).collect();
    let mut out = probes.join(",\n");
    if let Some(predicate) = &clause.predicate {
        // The blanks keep `/` and a leading `*` from being a comment.
        let _ = write!(out, "\n/ {} /", expr(predicate));
    }
    if let Some(body) = &clause.body {
        let _ = write!(out, "\n{}", block(body, 0));
    }
    out
}

fn probe(spec: &ProbeSpec) -> String {
    let desc = &spec.desc;
    if desc.id != 0 {
        return desc.id.to_string();
    }
    let fields = [&desc.provider, &desc.module, &desc.function, &desc.name];
    let fields = fields.map(String::as_str).join(":");
    if desc.target.is_empty() { fields } else { format!("{}:{fields}", desc.target) }
}

fn block(block: &Block, indent: usize) -> String {
    let tabs = "\t".repeat(indent);
    let mut out = String::from("{\n");
    for statement in &block.statements {
        let _ = writeln!(out, "{tabs}\t{}", statement_text(statement, indent + 1));
    }
    let _ = write!(out, "{tabs}}}");
    out
}

fn statement_text(statement: &Stmt, indent: usize) -> String {
    match &statement.kind {
        StmtKind::Expr(value) => format!("{};", expr(value)),
        StmtKind::Aggregate(aggregate) => aggregate_text(aggregate),
        StmtKind::If { condition, then, otherwise } => {
            let then = block(then, indent);
            let mut out = format!("if ({}) {then}", expr(condition));
            if let Some(otherwise) = otherwise {
                let _ = write!(out, " else {}", block(otherwise, indent));
            }
            out
        }
    }
}

fn aggregate_text(aggregate: &Aggregate) -> String {
    let keys = match &aggregate.keys[..] {
        [] => String::new(),
        keys => format!("[{}]", list(keys)),
    };
    let function = &aggregate.function.name;
    format!("@{}{keys} = {function}({});", aggregate.name.name, list(&aggregate.args))
}

// --- Expressions ---------------------------------------------------------------------------------

/// Expressions between commas.
fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(|expr| at(expr, Level::Assign)).collect::<Vec<_>>().join(", ")
}

/// An expression where nothing looser than `level` may stand.
fn at(expr: &Expr, level: Level) -> String {
    let text = bare(expr);
    if level_of(expr) < level { format!("({text})") } else { text }
}

fn level_of(expr: &Expr) -> Level {
    match &expr.kind {
        ExprKind::Comma { .. } => Level::Comma,
        ExprKind::Assign { .. } => Level::Assign,
        ExprKind::Conditional { .. } => Level::Conditional,
        ExprKind::Binary { op, .. } => Level::Binary(precedence(*op)),
        ExprKind::Cast { .. } => Level::Cast,
        ExprKind::Unary { .. }
        | ExprKind::SizeofExpr(_)
        | ExprKind::SizeofType(_)
        | ExprKind::Stringof(_)
        | ExprKind::Step { prefix: true, .. } => Level::Unary,
        ExprKind::Int(IntLit { negative: true, .. }) => Level::Unary,
        _ => Level::Postfix,
    }
}

fn precedence(op: BinaryOp) -> u8 {
    use BinaryOp as B;
    match op {
        B::Or => 0,
        B::Xor => 1,
        B::And => 2,
        B::BitOr => 3,
        B::BitXor => 4,
        B::BitAnd => 5,
        B::Eq | B::Ne => 6,
        B::Lt | B::Le | B::Gt | B::Ge => 7,
        B::Shl | B::Shr => 8,
        B::Add | B::Sub => 9,
        B::Mul | B::Div | B::Mod => 10,
    }
}

/// An expression without parentheses around it.
fn bare(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(lit) => integer(*lit),
        ExprKind::Str(bytes) => quoted(bytes, '"'),
        ExprKind::Var { scope, name } => match scope {
            VarScope::Global => name.name.clone(),
            VarScope::Thread => format!("self->{}", name.name),
            VarScope::Clause => format!("this->{}", name.name),
        },
        ExprKind::Symbol { module, name } => {
            format!("{}`{}", module.as_deref().unwrap_or_default(), name.name)
        }
        ExprKind::Agg(name) => format!("@{}", name.name),
        ExprKind::Index { base, keys } => format!("{}[{}]", at(base, Level::Postfix), list(keys)),
        ExprKind::Call { function, args } => {
            format!("{}({})", at(function, Level::Postfix), list(args))
        }
        ExprKind::Member { base, member, arrow } => {
            let dot = if *arrow { "->" } else { "." };
            let base = match base.kind {
                // `1.m` would start as a floating-point constant.
                ExprKind::Int(_) => format!("({})", bare(base)),
                _ => at(base, Level::Postfix),
            };
            format!("{base}{dot}{}", member.name)
        }
        ExprKind::Step { op, prefix, operand } => step(*op, *prefix, operand),
        ExprKind::Unary { op, operand } => unary(*op, operand),
        ExprKind::Binary { op, left, right } => {
            let level = precedence(*op);
            let left = at(left, Level::Binary(level));
            // The right operand of the last level must be what the next one takes.
            let right = match level {
                10 => at(right, Level::Cast),
                level => at(right, Level::Binary(level + 1)),
            };
            format!("{left} {} {right}", op.symbol())
        }
        ExprKind::Assign { op, target, value } => {
            let op = op.map_or("", BinaryOp::symbol);
            format!("{} {op}= {}", at(target, Level::Unary), at(value, Level::Assign))
        }
        ExprKind::Conditional { condition, then, otherwise } => format!(
            "{} ? {} : {}",
            at(condition, Level::Binary(0)),
            at(then, Level::Comma),
            at(otherwise, Level::Conditional)
        ),
        ExprKind::Comma { left, right } => {
            format!("{}, {}", at(left, Level::Comma), at(right, Level::Assign))
        }
        ExprKind::Cast { ty, operand } => cast(ty, operand),
        ExprKind::SizeofExpr(operand) => format!("sizeof {}", at(operand, Level::Unary)),
        ExprKind::SizeofType(ty) => format!("sizeof ({})", type_name(ty)),
        ExprKind::Offsetof { ty, member } => {
            format!("offsetof({}, {})", type_name(ty), member.name)
        }
        ExprKind::Stringof(operand) => format!("stringof {}", at(operand, Level::Unary)),
        ExprKind::Xlate { ty, operand } => {
            format!("xlate <{}>({})", type_name(ty), at(operand, Level::Comma))
        }
    }
}

fn step(op: StepOp, prefix: bool, operand: &Expr) -> String {
    let op = match op {
        StepOp::Increment => "++",
        StepOp::Decrement => "--",
    };
    if prefix {
        format!("{op}{}", at(operand, Level::Unary))
    } else {
        format!("{}{op}", at(operand, Level::Postfix))
    }
}

fn unary(op: UnaryOp, operand: &Expr) -> String {
    let operand = at(operand, Level::Cast);
    let symbol = op.symbol();
    // `- -x` is not `--x`.
    let gap = if operand.starts_with(symbol) { " " } else { "" };
    format!("{symbol}{gap}{operand}")
}

fn cast(ty: &TypeExpr, operand: &Expr) -> String {
    let mut operand = at(operand, Level::Cast);
    // `(t)-x` is a cast only if `t` is known as a type; `(t)(-x)` always is.
    if operand.starts_with(['+', '-', '*', '&']) {
        operand = format!("({operand})");
    }
    format!("({}){operand}", type_name(ty))
}

fn integer(lit: IntLit) -> String {
    let sign = if lit.negative { "-" } else { "" };
    let digits = match lit.form {
        IntForm::Decimal => lit.value.to_string(),
        IntForm::Hex => format!("{:#x}", lit.value),
        IntForm::Octal => format!("0{:o}", lit.value),
        IntForm::Char => {
            let bytes = lit.value.to_be_bytes();
            let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
            return format!("{sign}{}", quoted(&bytes[first..], '\''));
        }
    };
    let unsigned = if lit.unsigned { "u" } else { "" };
    format!("{sign}{digits}{unsigned}{}", "l".repeat(usize::from(lit.longs)))
}

/// Bytes in quotes, with escapes for all that is not plain ASCII.
pub(crate) fn quoted(bytes: &[u8], quote: char) -> String {
    let mut out = String::from(quote);
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            b'"' if quote == '"' => out.push_str("\\\""),
            // D has no escape for a single quote.
            b' '..=b'~' if char::from(byte) != quote => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push(quote);
    out
}

// --- Declarations --------------------------------------------------------------------------------

fn declaration(item: &Declaration) -> String {
    let class = match item.class {
        StorageClass::None => "",
        StorageClass::Auto => "auto ",
        StorageClass::Register => "register ",
        StorageClass::Static => "static ",
        StorageClass::Extern => "extern ",
        StorageClass::Typedef => "typedef ",
        StorageClass::SelfLocal => "self ",
        StorageClass::ThisLocal => "this ",
    };
    let names = item.declarators.iter();
    let names = names.map(|one| declarator(&one.ty, one.name.name.clone()).1);
    let names = names.collect::<Vec<_>>().join(", ");
    let gap = if names.is_empty() { "" } else { " " };
    format!("{class}{}{gap}{names};", specifiers(&item.base))
}

fn translator(item: &Translator) -> String {
    let (output, input) = (type_name(&item.output), &item.input);
    let (base, name) = declarator(input, item.name.name.clone());
    let mut out = format!("translator {output} < {} {name} > {{\n", specifiers(base));
    for member in &item.members {
        let _ = writeln!(out, "\t{} = {};", member.name.name, at(&member.value, Level::Assign));
    }
    out + "};"
}

fn provider(item: &Provider) -> String {
    let mut out = format!("provider {} {{\n", item.name.name);
    for probe in &item.probes {
        let _ = write!(out, "\tprobe {}({})", probe.name.name, params(&probe.args));
        if let Some(translated) = &probe.translated {
            let _ = write!(out, " : ({})", params(translated));
        }
        out.push_str(";\n");
    }
    out + "};"
}

/// Turns a type outside in again: what stands around `inner`, and the type before it.
fn declarator(ty: &TypeExpr, inner: String) -> (&TypeExpr, String) {
    match &ty.kind {
        TypeKind::Pointer(target) => {
            let words = qualifiers(ty.qualifiers);
            let gap = if words.is_empty() || inner.is_empty() { "" } else { " " };
            let pointer = format!("*{words}{gap}{inner}");
            let suffixed = matches!(
                target.kind,
                TypeKind::Array { .. } | TypeKind::Assoc { .. } | TypeKind::Function { .. }
            );
            let pointer = if suffixed { format!("({pointer})") } else { pointer };
            declarator(target, pointer)
        }
        TypeKind::Array { element, size } => {
            let size = size.as_ref().map(|size| at(size, Level::Conditional)).unwrap_or_default();
            declarator(element, format!("{inner}[{size}]"))
        }
        TypeKind::Assoc { element, keys } => {
            declarator(element, format!("{inner}[{}]", params(keys)))
        }
        TypeKind::Function { result, params: list } => {
            declarator(result, format!("{inner}({})", params(list)))
        }
        _ => (ty, inner),
    }
}

fn params(params: &Params) -> String {
    let mut list: Vec<_> = params.list.iter().map(param).collect();
    if params.varargs {
        list.push("...".to_owned());
    }
    list.join(", ")
}

fn param(param: &Param) -> String {
    let name = param.name.as_ref().map(|name| name.name.clone()).unwrap_or_default();
    let (base, declarator) = declarator(&param.ty, name);
    let gap = if declarator.is_empty() { "" } else { " " };
    format!("{}{gap}{declarator}", specifiers(base))
}

fn qualifiers(qualifiers: Qualifiers) -> String {
    let Qualifiers { is_const, is_volatile, is_restrict, is_userland } = qualifiers;
    let words = [
        (is_const, "const"),
        (is_volatile, "volatile"),
        (is_restrict, "restrict"),
        (is_userland, "userland"),
    ];
    let words = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word);
    words.collect::<Vec<_>>().join(" ")
}

/// A type that is not derived, with its qualifiers.
fn specifiers(ty: &TypeExpr) -> String {
    let words = qualifiers(ty.qualifiers);
    let kind = match &ty.kind {
        TypeKind::Base(base) => base_name(*base).to_owned(),
        TypeKind::String => "string".to_owned(),
        TypeKind::Named { module: None, name } => name.name.clone(),
        TypeKind::Named { module: Some(module), name } => format!("{module}`{}", name.name),
        TypeKind::Compound(body) => compound(body),
        TypeKind::Enum(body) => enumeration(body),
        TypeKind::Pointer(_)
        | TypeKind::Array { .. }
        | TypeKind::Assoc { .. }
        | TypeKind::Function { .. } => type_name(ty),
    };
    if words.is_empty() { kind } else { format!("{words} {kind}") }
}

fn base_name(base: BaseType) -> &'static str {
    match base {
        BaseType::Void => "void",
        BaseType::Char => "char",
        BaseType::SignedChar => "signed char",
        BaseType::UnsignedChar => "unsigned char",
        BaseType::Short => "short",
        BaseType::UnsignedShort => "unsigned short",
        BaseType::Int => "int",
        BaseType::UnsignedInt => "unsigned int",
        BaseType::Long => "long",
        BaseType::UnsignedLong => "unsigned long",
        BaseType::LongLong => "long long",
        BaseType::UnsignedLongLong => "unsigned long long",
        BaseType::Float => "float",
        BaseType::Double => "double",
        BaseType::LongDouble => "long double",
    }
}

fn compound(body: &Compound) -> String {
    let mut out = match body.kind {
        CompoundKind::Struct => String::from("struct"),
        CompoundKind::Union => String::from("union"),
    };
    if let Some(tag) = &body.tag {
        let _ = write!(out, " {}", tag.name);
    }
    if let Some(list) = &body.members {
        let _ = write!(out, " {{ {}}}", members(list));
    }
    out
}

/// Members, those of one declaration together: a struct that several share is written once.
fn members(list: &[Member]) -> String {
    let mut out = String::new();
    for group in list.chunk_by(|a, b| share_base(&a.ty, &b.ty)) {
        let Some(first) = group.first() else { continue };
        let (base, _) = declarator(&first.ty, String::new());
        let names: Vec<_> = group.iter().map(member).filter(|text| !text.is_empty()).collect();
        let gap = if names.is_empty() { "" } else { " " };
        let _ = write!(out, "{}{gap}{}; ", specifiers(base), names.join(", "));
    }
    out
}

fn member(member: &Member) -> String {
    let name = member.name.as_ref().map(|name| name.name.clone()).unwrap_or_default();
    let (_, declarator) = declarator(&member.ty, name);
    match &member.width {
        Some(width) => format!("{declarator}: {}", at(width, Level::Conditional)),
        None => declarator,
    }
}

/// Whether two types have one struct or enumeration under them.
fn share_base(a: &TypeExpr, b: &TypeExpr) -> bool {
    let a = declarator(a, String::new()).0;
    let b = declarator(b, String::new()).0;
    match (&a.kind, &b.kind) {
        (TypeKind::Compound(a), TypeKind::Compound(b)) => Arc::ptr_eq(a, b),
        (TypeKind::Enum(a), TypeKind::Enum(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

fn enumeration(body: &Enum) -> String {
    let mut out = String::from("enum");
    if let Some(tag) = &body.tag {
        let _ = write!(out, " {}", tag.name);
    }
    if let Some(list) = &body.enumerators {
        let list = list.iter().map(|item| match &item.value {
            Some(value) => format!("{} = {}", item.name.name, at(value, Level::Conditional)),
            None => item.name.name.clone(),
        });
        let _ = write!(out, " {{ {} }}", list.collect::<Vec<_>>().join(", "));
    }
    out
}

// --- Pragmas -------------------------------------------------------------------------------------

fn pragma(kind: &PragmaKind) -> String {
    let words = match kind {
        PragmaKind::Option { name, value: None } => vec!["option", name],
        PragmaKind::Option { name, value: Some(value) } => {
            return format!("#pragma D option {}", word(&format!("{name}={value}")));
        }
        PragmaKind::Attributes { attributes, subject } => {
            let head = ["attributes", attributes.as_str()];
            head.into_iter().chain(subject.iter().map(String::as_str)).collect()
        }
        PragmaKind::Binding { version, name } => {
            let version = quoted(version.as_bytes(), '"');
            return format!("#pragma D binding {version} {}", word(name));
        }
        PragmaKind::DependsOn { class, name } => vec!["depends_on", class, name],
    };
    let words: Vec<_> = words.into_iter().map(word).collect();
    format!("#pragma D {}", words.join(" "))
}

/// A word of a control line, in quotes if it must be.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    quoted(text.as_bytes(), '"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ast::Ident,
        macros::Macros,
        parser::{self, ParseOptions},
        source::{Origin, SourceMap, Span},
    };

    fn parsed(text: &str) -> Program {
        let mut sources = SourceMap::new();
        let id = sources.add(Origin::File("x.d".into()), text).unwrap();
        let macros = Macros::new();
        let is_type = |name: &str| name.ends_with("_t");
        let mut options = ParseOptions::new(&macros);
        options.with_target = true;
        options.allow_empty = true;
        options.is_type = &is_type;
        parser::parse(&sources, id, &options)
            .unwrap_or_else(|error| panic!("{}", error.render(&sources, id, true)))
    }

    /// A tree without its places, to compare.
    fn shape(value: &impl std::fmt::Debug) -> String {
        let text = format!("{value:?}");
        let mut parts = text.split("span: ");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || ":.".contains(c)));
        }
        out
    }

    #[track_caller]
    fn survives(text: &str) {
        let first = parsed(text);
        let again = program(&first);
        assert_eq!(shape(&first), shape(&parsed(&again)), "{again}");
    }

    #[test]
    fn declarations_survive() {
        for text in [
            "typedef struct foo { int a, *b[3]; struct { int x; } p, *q; char c : 3, : 0; union { \
             int u; }; } foo_t;",
            "enum color { RED, GREEN = 1 + 2, BLUE } c; enum color d;",
            "int x[int, string], y[3][4], *(*z)(int, char *, ...); self const char *const p;",
            "inline string name[int x] = x == 1 ? \"o\\\"ne\\n\\377\" : \"more\";",
            "translator a_t < struct s *S > { pr_x = S->x; pr_y = *(b_t *)S; };",
            "provider app { probe start(int, a_t *x); probe done(b_t) : (int); };",
            "mod`bar_t x; extern userland struct mod`s *y; unsigned long long z; void f(void);",
            "#pragma D option quiet\n#pragma D option a=\"b c\"\n#pragma D binding \"1.0\" f\n",
            "#pragma D attributes Stable/Stable/Common provider x args\nBEGIN { }",
        ] {
            survives(text);
        }
    }

    #[test]
    fn clauses_survive() {
        for text in [
            "BEGIN, vm-*:io:::start, 42 / *p / 2 / { @ = count(); @x[1, pid] = sum(arg0); }",
            "a:b:c:d { if (x) y = 1; else if (z) { } else { w++; } printf(\"%d\\n\", 1) }",
            "BEGIN { x = - -1 + -(--y) - +(+z) & & w; (a, b); f((a, b), c = d); }",
            "BEGIN { x = (foo_t)-1 + (foo_t *)(int)y + sizeof (foo_t) + sizeof ((int)z); }",
            "BEGIN { x = 'a' + '\\0' + '\\377z' + 0x1fULL + 017 + 0 + 3l; `sym; m`sym; }",
            "BEGIN { x = xlate <psinfo_t *>(p)->pr_pid + offsetof(foo_t, y) + stringof (a + b); }",
        ] {
            survives(text);
        }
    }

    fn ident(name: &str) -> Ident {
        Ident { name: name.to_owned(), span: Span::default() }
    }

    fn made(kind: ExprKind) -> Expr {
        Expr::new(kind, Span::default())
    }

    fn some_type() -> impl Strategy<Value = TypeExpr> {
        let base = prop_oneof![
            Just(TypeKind::Base(BaseType::Int)),
            Just(TypeKind::Base(BaseType::UnsignedChar)),
            Just(TypeKind::String),
            Just(TypeKind::Named { module: None, name: ident("foo_t") }),
            Just(TypeKind::Compound(Arc::new(Compound {
                kind: CompoundKind::Struct,
                tag: Some(ident("s")),
                members: None,
                span: Span::default(),
            }))),
        ];
        let leaf = (base, any::<bool>()).prop_map(|(kind, is_const)| {
            let qualifiers = Qualifiers { is_const, ..Qualifiers::default() };
            TypeExpr::new(kind, qualifiers, Span::default())
        });
        let plain = |kind| TypeExpr::new(kind, Qualifiers::default(), Span::default());
        leaf.prop_recursive(4, 6, 2, move |inner| {
            prop_oneof![
                inner.clone().prop_map(move |ty| plain(TypeKind::Pointer(Box::new(ty)))),
                // `(name [3])` reads as an element of a variable, in DTrace too.
                inner.prop_map(move |ty| match ty.kind {
                    TypeKind::Named { .. } => ty,
                    _ => {
                        let (element, size) = (Box::new(ty), Some(Box::new(number(3))));
                        plain(TypeKind::Array { element, size })
                    }
                }),
            ]
        })
    }

    fn number(value: u64) -> Expr {
        let form = IntForm::Decimal;
        made(ExprKind::Int(IntLit { value, negative: false, form, unsigned: false, longs: 0 }))
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        let scope =
            prop_oneof![Just(VarScope::Global), Just(VarScope::Thread), Just(VarScope::Clause)];
        let form = prop_oneof![Just(IntForm::Decimal), Just(IntForm::Hex), Just(IntForm::Octal)];
        prop_oneof![
            (1u64.., form, any::<bool>(), 0u8..3).prop_map(|(value, form, unsigned, longs)| {
                made(ExprKind::Int(IntLit { value, negative: false, form, unsigned, longs }))
            }),
            any::<u64>().prop_map(|value| {
                let form = IntForm::Char;
                let (negative, unsigned, longs) = (false, false, 0);
                made(ExprKind::Int(IntLit { value, negative, form, unsigned, longs }))
            }),
            any::<Vec<u8>>().prop_map(|bytes| made(ExprKind::Str(bytes))),
            (scope, "[a-z]{1,3}[0-9]")
                .prop_map(|(scope, name)| made(ExprKind::Var { scope, name: ident(&name) })),
            Just(made(ExprKind::Symbol { module: Some("m".into()), name: ident("s") })),
            Just(made(ExprKind::Agg(ident("a")))),
        ]
    }

    fn binary_op() -> impl Strategy<Value = BinaryOp> {
        use BinaryOp as B;
        prop::sample::select(vec![
            B::Mul,
            B::Div,
            B::Mod,
            B::Add,
            B::Sub,
            B::Shl,
            B::Shr,
            B::Lt,
            B::Le,
            B::Gt,
            B::Ge,
            B::Eq,
            B::Ne,
            B::BitAnd,
            B::BitXor,
            B::BitOr,
            B::And,
            B::Xor,
            B::Or,
        ])
    }

    fn unary_op() -> impl Strategy<Value = UnaryOp> {
        use UnaryOp as U;
        prop::sample::select(vec![U::Plus, U::Negate, U::BitNot, U::Not, U::Deref, U::AddrOf])
    }

    fn any_expr() -> impl Strategy<Value = Expr> {
        leaf().prop_recursive(6, 40, 3, |inner| {
            let one = || inner.clone().prop_map(Box::new);
            let some = prop::collection::vec(inner.clone(), 1..3);
            let steps = prop_oneof![Just(StepOp::Increment), Just(StepOp::Decrement)];
            prop_oneof![
                (binary_op(), one(), one()).prop_map(|(op, left, right)| made(ExprKind::Binary {
                    op,
                    left,
                    right
                })),
                (unary_op(), one()).prop_map(|(op, operand)| made(ExprKind::Unary { op, operand })),
                (steps, any::<bool>(), one()).prop_map(|(op, prefix, operand)| {
                    made(ExprKind::Step { op, prefix, operand })
                }),
                (one(), one(), one()).prop_map(|(condition, then, otherwise)| {
                    made(ExprKind::Conditional { condition, then, otherwise })
                }),
                (one(), one()).prop_map(|(left, right)| made(ExprKind::Comma { left, right })),
                (prop::option::of(Just(BinaryOp::Shl)), one(), one())
                    .prop_map(|(op, target, value)| made(ExprKind::Assign { op, target, value })),
                (one(), some.clone()).prop_map(|(base, keys)| made(ExprKind::Index { base, keys })),
                some.prop_map(|args| {
                    let scope = VarScope::Global;
                    let function = Box::new(made(ExprKind::Var { scope, name: ident("f") }));
                    made(ExprKind::Call { function, args })
                }),
                (one(), any::<bool>()).prop_map(|(base, arrow)| {
                    made(ExprKind::Member { base, member: ident("m"), arrow })
                }),
                (some_type().prop_map(Box::new), one())
                    .prop_map(|(ty, operand)| made(ExprKind::Cast { ty, operand })),
                (some_type().prop_map(Box::new), one())
                    .prop_map(|(ty, operand)| made(ExprKind::Xlate { ty, operand })),
                some_type().prop_map(|ty| made(ExprKind::SizeofType(Box::new(ty)))),
                one().prop_map(|operand| made(ExprKind::SizeofExpr(operand))),
                one().prop_map(|operand| made(ExprKind::Stringof(operand))),
            ]
        })
    }

    proptest! {
        #[test]
        fn expressions_survive(first in any_expr()) {
            let text = expr(&first);
            let mut sources = SourceMap::new();
            let id = sources.add(Origin::File("x.d".into()), text.clone()).unwrap();
            let macros = Macros::new();
            let is_type = |name: &str| name.ends_with("_t");
            let options = ParseOptions { is_type: &is_type, ..ParseOptions::new(&macros) };
            match parser::parse_expr(&sources, id, &options) {
                Ok(again) => prop_assert_eq!(shape(&first), shape(&again), "{}", text),
                Err(error) => prop_assert!(false, "{}\n{}", text, error),
            }
        }
    }
}
