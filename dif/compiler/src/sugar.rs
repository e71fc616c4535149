//! Clauses without their syntactic sugar, as `dtrace -d` shows them.
//!
//! `if` and `else` are the only sugar of D: a clause that has them becomes several, each under a
//! condition (see [`crate::clause`]). What is written here is that work itself, in the layout of
//! libdtrace's: all operands in parentheses, constants in hexadecimal, all four fields of a
//! description. The names with `%` are nothing that a script could say, so the text is for
//! reading alone.

use std::fmt::Write as _;

use crate::{
    ast::{Aggregate, Clause, Expr, ExprKind, IntForm, IntLit, ProbeSpec, Stmt, StmtKind},
    ast::{StepOp, VarScope},
    clause::split::{self, Part, Work},
    unparse::{quoted, type_name},
};

/// The condition under which all parts of a clause work.
const SOUND: &str = "!((this->%error))";

/// A clause, or the clauses that it becomes; a blank line ends each.
#[must_use]
pub fn clauses(clause: &Clause) -> String {
    let Some(parts) = split::parts(clause) else {
        let predicate = clause.predicate.as_ref().map(expr);
        let body = clause.body.as_ref().map_or(&[][..], |body| &body.statements);
        return one(&clause.probes, predicate, &body.iter().map(statement).collect::<Vec<_>>());
    };
    let mut out = one(&clause.probes, None, &[set("%error", "0x0")]);
    for part in &parts {
        out.push_str(&part_text(&clause.probes, part));
    }
    out
}

fn part_text(probes: &[ProbeSpec], part: &Part<'_>) -> String {
    let mut lines = vec![set("%error", "0x1")];
    let predicate = match (&part.work, part.under) {
        (Work::Statements(_), Some(under)) => format!("({SOUND} && {})", outcome(under)),
        _ => SOUND.to_owned(),
    };
    match &part.work {
        Work::Statements(statements) => lines.extend(statements.iter().map(|s| statement(s))),
        Work::Decide { condition, then, otherwise } => {
            let under = part.under.map_or_else(|| "0x1".to_owned(), outcome);
            let truth = format!("({under} && {})", expr(condition));
            lines.push(set(&split::name(*then), &truth));
            if let Some(otherwise) = otherwise {
                let opposite = format!("({under} && !({}))", outcome(*then));
                lines.push(set(&split::name(*otherwise), &opposite));
            }
        }
    }
    lines.push(set("%error", "0x0"));
    one(probes, Some(predicate), &lines)
}

fn one(probes: &[ProbeSpec], predicate: Option<String>, lines: &[String]) -> String {
    let probes: Vec<String> = probes.iter().map(probe).collect();
    let mut out = probes.join(",\n") + "\n";
    if let Some(predicate) = predicate {
        let _ = writeln!(out, "/{predicate}/");
    }
    out.push_str("{\n");
    for line in lines {
        let _ = writeln!(out, "        {line};");
    }
    out + "}\n\n"
}

fn probe(spec: &ProbeSpec) -> String {
    let desc = &spec.desc;
    if desc.id != 0 {
        return desc.id.to_string();
    }
    let target = if desc.target.is_empty() { "" } else { ":" };
    let (provider, module) = (&desc.provider, &desc.module);
    format!("{}{target}{provider}:{module}:{}:{}", desc.target, desc.function, desc.name)
}

fn outcome(condition: usize) -> String {
    format!("(this->{})", split::name(condition))
}

fn set(name: &str, value: &str) -> String {
    format!("((this->{name}) = {value})")
}

/// A statement without its semicolon.
fn statement(statement: &Stmt) -> String {
    match &statement.kind {
        StmtKind::Expr(value) => expr(value),
        StmtKind::Aggregate(Aggregate { name, keys, function, args }) => {
            let keys = if keys.is_empty() { String::new() } else { format!("[{}]", list(keys)) };
            format!("@{}{keys} = {}({})", name.name, function.name, list(args))
        }
        // Parts hold no `if`, and neither do clauses without parts.
        StmtKind::If { .. } => String::new(),
    }
}

fn list(all: &[Expr]) -> String {
    all.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn expr(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(lit) => integer(lit),
        ExprKind::Str(bytes) => quoted(bytes, '"'),
        ExprKind::Var { scope, name } => match scope {
            VarScope::Global => name.name.clone(),
            VarScope::Thread => format!("(self->{})", name.name),
            VarScope::Clause => format!("(this->{})", name.name),
        },
        ExprKind::Symbol { module, name } => {
            format!("{}`{}", module.as_deref().unwrap_or_default(), name.name)
        }
        ExprKind::Agg(name) => format!("@{}", name.name),
        ExprKind::Conditional { condition, then, otherwise } => {
            format!(
                "({} ? {} : {})",
                self::expr(condition),
                self::expr(then),
                self::expr(otherwise)
            )
        }
        ExprKind::Index { base, keys } => format!("({}[{}])", self::expr(base), list(keys)),
        ExprKind::Call { function, args } => format!("{}({})", self::expr(function), list(args)),
        ExprKind::Member { base, member, arrow } => {
            format!("({}{}{})", self::expr(base), if *arrow { "->" } else { "." }, member.name)
        }
        ExprKind::Offsetof { ty, member } => {
            format!("offsetof({}, {})", type_name(ty), member.name)
        }
        ExprKind::SizeofType(ty) => format!("sizeof({})", type_name(ty)),
        ExprKind::Xlate { ty, operand } => {
            format!("xlate <{}>({})", type_name(ty), self::expr(operand))
        }
        _ => operation(expr),
    }
}

/// What an operator makes.
fn operation(of: &Expr) -> String {
    match &of.kind {
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", expr(left), op.symbol(), expr(right))
        }
        ExprKind::Assign { op, target, value } => {
            let op = op.map_or("", |op| op.symbol());
            format!("({} {op}= {})", expr(target), expr(value))
        }
        ExprKind::Comma { left, right } => format!("({}, {})", expr(left), expr(right)),
        ExprKind::Unary { op, operand } => format!("{}({})", op.symbol(), expr(operand)),
        ExprKind::Step { op, prefix, operand } => {
            let op = match op {
                StepOp::Increment => "++",
                StepOp::Decrement => "--",
            };
            let operand = expr(operand);
            if *prefix { format!("{op}({operand})") } else { format!("({operand}){op}") }
        }
        ExprKind::Cast { ty, operand } => format!("(({}){})", type_name(ty), expr(operand)),
        ExprKind::SizeofExpr(operand) => format!("sizeof({})", expr(operand)),
        ExprKind::Stringof(operand) => format!("stringof({})", expr(operand)),
        _ => String::new(),
    }
}

/// A constant in hexadecimal; `u` follows one without a sign.
fn integer(lit: &IntLit) -> String {
    let fills_int = u64::from(u32::MAX) / 2 < lit.value && lit.value <= u64::from(u32::MAX);
    let plain = matches!(lit.form, IntForm::Decimal | IntForm::Char);
    let beyond = lit.value > u64::MAX / 2 || !plain && lit.longs == 0 && fills_int;
    let unsigned = lit.unsigned || beyond && !lit.negative;
    format!("{:#x}{}", lit.bits(), if unsigned { "u" } else { "" })
}

#[cfg(test)]
mod tests {
    use crate::{CompileOptions, Compiler, source::Origin};

    fn shown(text: &str) -> String {
        let mut compiler = Compiler::new(CompileOptions::default());
        compiler.add_script(Origin::File("x.d".into()), text).unwrap();
        compiler.desugared()
    }

    /// A clause without sugar is shown as it is, in libdtrace's layout.
    #[test]
    fn a_plain_clause_keeps_its_predicate() {
        assert_eq!(
            shown(
                "BEGIN, io:::start /pid == 7 && !self->x/ { x[1, \"a\"] += 0xffffffff; y++; \
                   @a[pid] = sum(-1); }"
            ),
            ":::BEGIN,\nio:::start\n/((pid == 0x7) && !((self->x)))/\n{\n        \
             ((x[0x1, \"a\"]) += 0xffffffffu);\n        (y)++;\n        @a[pid] = \
             sum(-(0x1));\n}\n\n"
        );
    }

    /// The clause's predicate is the first condition, an `else` has the opposite of its `if`'s, and
    /// what follows is under the outer condition again.
    #[test]
    fn branches_become_clauses_under_conditions() {
        let text = shown("BEGIN /p/ { if (c) { a = 1; } else { b = 1; } d = 1; }");
        let wanted = [
            ":::BEGIN\n{\n        ((this->%error) = 0x0);\n}\n",
            "((this->%condition_1) = (0x1 && p));",
            "((this->%condition_2) = ((this->%condition_1) && c));",
            "((this->%condition_3) = ((this->%condition_1) && !((this->%condition_2))));",
            "/(!((this->%error)) && (this->%condition_2))/\n{\n        ((this->%error) = 0x1);\n        \
             (a = 0x1);\n        ((this->%error) = 0x0);\n}\n",
            "/(!((this->%error)) && (this->%condition_3))/\n{\n        ((this->%error) = 0x1);\n        \
             (b = 0x1);",
            "/(!((this->%error)) && (this->%condition_1))/\n{\n        ((this->%error) = 0x1);\n        \
             (d = 0x1);",
        ];
        let mut rest = text.as_str();
        for part in wanted {
            let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in {rest}"));
            rest = &rest[at + part.len()..];
        }
    }
}
