//! `if` and `else`, as the parent module tells.

use dif::{difo::DifType, number::act};

use super::{Ecb, VOID};
use crate::{
    ast::{Block, Clause, Expr, Stmt, StmtKind, VarScope},
    codegen,
    compiled::StatementKind,
    error::Region,
    sema::{
        Checked, Cx,
        node::{Kind, Node, Place},
    },
    source::Span,
    types::TypeId,
};

/// One ECB of a clause: under which condition it works, and what it does.
pub(crate) struct Part<'a> {
    /// Number of the condition; `None`: always.
    pub(crate) under: Option<usize>,
    /// What it does.
    pub(crate) work: Work<'a>,
    span: Span,
}

/// What a part does.
pub(crate) enum Work<'a> {
    /// Statements without `if`.
    Statements(Vec<&'a Stmt>),
    /// Sets the condition `then`, and `otherwise` to its opposite, both only under the part's own.
    Decide {
        /// What is asked.
        condition: &'a Expr,
        /// The outcome's number.
        then: usize,
        /// The opposite's, if there is an `else`.
        otherwise: Option<usize>,
    },
}

/// The parts of a clause after the one that resets `%error`; `None` if it has no `if`.
pub(crate) fn parts(clause: &Clause) -> Option<Vec<Part<'_>>> {
    let statements = clause.body.as_ref().map_or(&[][..], |body| &body.statements);
    if !statements.iter().any(|statement| matches!(statement.kind, StmtKind::If { .. })) {
        return None;
    }
    let mut splitter = Splitter { parts: Vec::new(), conditions: 0 };
    let mut root = None;
    if let Some(condition) = &clause.predicate {
        let then = splitter.condition();
        let work = Work::Decide { condition, then, otherwise: None };
        splitter.parts.push(Part { under: None, work, span: condition.span });
        root = Some(then);
    }
    splitter.statements(statements, root, clause.span);
    Some(splitter.parts)
}

struct Splitter<'a> {
    parts: Vec<Part<'a>>,
    conditions: usize,
}

impl<'a> Splitter<'a> {
    fn condition(&mut self) -> usize {
        self.conditions += 1;
        self.conditions
    }

    fn statements(&mut self, statements: &'a [Stmt], under: Option<usize>, span: Span) {
        let mut run = Vec::new();
        for statement in statements {
            if let StmtKind::If { condition, then, otherwise } = &statement.kind {
                self.flush(&mut run, under, span);
                self.branch(condition, then, otherwise.as_ref(), under, statement.span);
            } else {
                run.push(statement);
            }
        }
        self.flush(&mut run, under, span);
    }

    fn flush(&mut self, run: &mut Vec<&'a Stmt>, under: Option<usize>, span: Span) {
        if !run.is_empty() {
            let work = Work::Statements(std::mem::take(run));
            self.parts.push(Part { under, work, span });
        }
    }

    fn branch(
        &mut self,
        condition: &'a Expr,
        then: &'a Block,
        otherwise: Option<&'a Block>,
        under: Option<usize>,
        span: Span,
    ) {
        let yes = self.condition();
        let no = otherwise.map(|_| self.condition());
        let work = Work::Decide { condition, then: yes, otherwise: no };
        self.parts.push(Part { under, work, span });
        self.statements(&then.statements, Some(yes), then.span);
        if let Some(block) = otherwise {
            self.statements(&block.statements, no, block.span);
        }
    }
}

/// The ECBs of a clause with `if` in it.
pub(super) fn compile(
    cx: &mut Cx<'_, '_>,
    parts: &[Part<'_>],
    clause: &Clause,
) -> Checked<Vec<Ecb>> {
    let mut first = Ecb::default();
    set_error(cx, &mut first, 0, clause.span)?;
    let mut ecbs = vec![first];
    for part in parts {
        ecbs.push(compile_part(cx, part)?);
    }
    Ok(ecbs)
}

fn compile_part(cx: &mut Cx<'_, '_>, part: &Part<'_>) -> Checked<Ecb> {
    let mut ecb = Ecb::default();
    // A decision is made even if its part's condition is false: the outcomes are then false too.
    let under = match part.work {
        Work::Statements(_) => part.under,
        Work::Decide { .. } => None,
    };
    let predicate = guard(cx, under, part.span)?;
    ecb.predicate = Some(codegen::compile(&predicate, DifType::integer(4))?);
    set_error(cx, &mut ecb, 1, part.span)?;
    match &part.work {
        Work::Statements(statements) => {
            for statement in statements {
                ecb.statement(cx, statement)
                    .map_err(|error| error.in_region(Region::ActionList))?;
            }
        }
        Work::Decide { condition, then, otherwise } => {
            decide(cx, &mut ecb, condition, part.under, (*then, *otherwise))
                .map_err(|error| error.in_region(Region::Predicate))?;
        }
    }
    set_error(cx, &mut ecb, 0, part.span)?;
    Ok(ecb)
}

/// `!%error && %condition_N`
fn guard(cx: &mut Cx<'_, '_>, under: Option<usize>, span: Span) -> Checked<Node> {
    let error = read(cx, "%error", span)?;
    let sound = Node::new(TypeId::INT, Kind::Not(error.into()), span);
    let Some(under) = under else { return Ok(sound) };
    let condition = read(cx, &name(under), span)?;
    Ok(Node::new(TypeId::INT, Kind::And(sound.into(), condition.into()), span))
}

fn decide(
    cx: &mut Cx<'_, '_>,
    ecb: &mut Ecb,
    condition: &Expr,
    under: Option<usize>,
    (then, otherwise): (usize, Option<usize>),
) -> Checked<()> {
    let span = condition.span;
    let mut truth = cx.expr(condition)?;
    cx.want_truth(&truth, "if", span)?;
    if let Some(under) = under {
        let outer = read(cx, &name(under), span)?;
        truth = Node::new(TypeId::INT, Kind::And(outer.into(), truth.into()), span);
    } else {
        let not = Node::new(TypeId::INT, Kind::Not(truth.into()), span);
        truth = Node::new(TypeId::INT, Kind::Not(not.into()), span);
    }
    write(cx, ecb, &name(then), truth, span)?;
    let Some(otherwise) = otherwise else { return Ok(()) };
    let taken = read(cx, &name(then), span)?;
    let mut not = Node::new(TypeId::INT, Kind::Not(taken.into()), span);
    if let Some(under) = under {
        let outer = read(cx, &name(under), span)?;
        not = Node::new(TypeId::INT, Kind::And(outer.into(), not.into()), span);
    }
    write(cx, ecb, &name(otherwise), not, span)
}

/// The clause-local that keeps a condition's outcome, as libdtrace calls it.
pub(crate) fn name(condition: usize) -> String {
    format!("%condition_{condition}")
}

fn hidden(cx: &mut Cx<'_, '_>, name: &str, span: Span) -> Checked<Place> {
    let known = cx.variables.get(&(VarScope::Clause, name.to_owned())).cloned();
    let variable = match known {
        Some(variable) => variable,
        None => cx.define_variable(VarScope::Clause, name, TypeId::LONG, None, span)?,
    };
    Ok(Place::Var(variable.var))
}

fn read(cx: &mut Cx<'_, '_>, name: &str, span: Span) -> Checked<Node> {
    Ok(Node::new(TypeId::LONG, Kind::Load(hidden(cx, name, span)?), span))
}

fn write(cx: &mut Cx<'_, '_>, ecb: &mut Ecb, name: &str, value: Node, span: Span) -> Checked<()> {
    let store = Kind::Store(hidden(cx, name, span)?, value.into());
    let first = ecb.actions.len();
    let difo = codegen::compile(&Node::new(TypeId::LONG, store, span), VOID)?;
    ecb.action(act::DIFEXPR, Some(difo), 0);
    ecb.finish(StatementKind::Expression, first, Vec::new(), span);
    Ok(())
}

fn set_error(cx: &mut Cx<'_, '_>, ecb: &mut Ecb, value: u64, span: Span) -> Checked<()> {
    write(cx, ecb, "%error", Node::constant(TypeId::LONG, value, span), span)
}
