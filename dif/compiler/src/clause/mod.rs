//! From clauses to ECBs: predicates, statements, actions.
//!
//! A clause with `if` becomes several ECBs, which fire one after the other:
//!
//! ```text
//!  probe /p/ { a; if (c) { b; } d; }
//!
//!  1  /1/                       %error = 0
//!  2  /!%error/                 %error = 1; %c0 = p;            %error = 0
//!  3  /!%error && %c0/          %error = 1; a;                  %error = 0
//!  4  /!%error/                 %error = 1; %c1 = %c0 && c;     %error = 0
//!  5  /!%error && %c1/          %error = 1; b;                  %error = 0
//!  6  /!%error && %c0/          %error = 1; d;                  %error = 0
//! ```
//! The names are clause-locals of the compiler's. A fault leaves `%error` set, so that it ends the
//! whole clause, as it does a clause without `if`.

mod action;
mod aggregate;
mod print;
mod split;

use dif::{
    difo::{DifType, Difo},
    number::act,
    program::{Action, DifoIndex, EcbDesc, EcbIndex, ProbeDesc, Program},
};

use crate::{
    ast::{Clause, Expr, ExprKind, Stmt, StmtKind},
    codegen,
    compiled::{ArgInfo, Statement, StatementKind},
    error::{Error, ErrorTag, Region},
    sema::{Checked, Cx, fail, node::Node},
    source::Span,
};

/// An ECB that is being put together, its DIFOs not yet in a program.
#[derive(Debug, Default)]
pub(crate) struct Ecb {
    predicate: Option<Difo>,
    actions: Vec<(Action, Option<Difo>)>,
    statements: Vec<Pending>,
    order: Order,
}

#[derive(Debug)]
struct Pending {
    kind: StatementKind,
    first: usize,
    count: usize,
    args: Vec<ArgInfo>,
    span: Span,
}

/// What an ECB did so far, as far as it forbids something later.
#[derive(Debug, Default)]
struct Order {
    speculates: bool,
    commits: bool,
    records: bool,
}

/// One clause for one probe description: its ECBs.
pub(crate) fn compile(cx: &mut Cx<'_, '_>, clause: &Clause) -> Checked<Vec<Ecb>> {
    let statements = clause.body.as_ref().map_or(&[][..], |body| &body.statements);
    if statements.iter().any(|statement| matches!(statement.kind, StmtKind::If { .. })) {
        return split::compile(cx, clause, statements);
    }
    let predicate = match &clause.predicate {
        Some(predicate) => Some(predicate_node(cx, predicate)?),
        None => None,
    };
    let mut ecb = Ecb::default();
    if let Some(predicate) = predicate {
        ecb.predicate = Some(codegen::compile(&predicate, DifType::integer(4))?);
    }
    for statement in statements {
        ecb.statement(cx, statement).map_err(|error| error.in_region(Region::ActionList))?;
    }
    if ecb.statements.is_empty() {
        ecb.finish(StatementKind::Default, 0, Vec::new(), clause.span);
    }
    Ok(vec![ecb])
}

fn predicate_node(cx: &mut Cx<'_, '_>, predicate: &Expr) -> Checked<Node> {
    let check = |cx: &mut Cx<'_, '_>| {
        let node = cx.expr(predicate)?;
        if cx.is_scalar(&node) {
            return Ok(node);
        }
        let name = cx.words(node.ty);
        let message = format!("predicate result must be of scalar type ({name})");
        fail(ErrorTag::PredScalar, predicate.span, message)
    };
    check(cx).map_err(|error: Error| error.in_region(Region::Predicate))
}

impl Ecb {
    /// Adds an action and returns its index.
    fn action(&mut self, kind: u16, difo: Option<Difo>, arg: u64) -> usize {
        let uarg = u64::try_from(self.statements.len()).unwrap_or(u64::MAX);
        let action = Action { kind, difo: None, ntuple: 0, arg, format: None, uarg };
        self.actions.push((action, difo));
        self.actions.len() - 1
    }

    fn set_format(&mut self, at: usize, text: &str) {
        if let Some((action, _)) = self.actions.get_mut(at) {
            action.format = Some(text.to_owned());
        }
    }

    /// Ends a statement whose actions start at `first`.
    fn finish(&mut self, kind: StatementKind, first: usize, args: Vec<ArgInfo>, span: Span) {
        let count = self.actions.len() - first;
        self.statements.push(Pending { kind, first, count, args, span });
    }

    fn statement(&mut self, cx: &mut Cx<'_, '_>, statement: &Stmt) -> Checked<()> {
        match &statement.kind {
            StmtKind::Expr(expr) => self.expression(cx, expr, statement.span),
            StmtKind::Aggregate(aggregate) => self.aggregate(cx, aggregate, statement.span),
            StmtKind::If { .. } => {
                fail(ErrorTag::Unknown, statement.span, "an if statement was not split")
            }
        }
    }

    fn expression(&mut self, cx: &mut Cx<'_, '_>, expr: &Expr, span: Span) -> Checked<()> {
        match &expr.kind {
            ExprKind::Call { function, args } => {
                if let ExprKind::Var { name, .. } = &function.kind
                    && let Some(handler) = action::handler(&name.name)
                {
                    return handler(self, cx, &action::Call { name: &name.name, args, span });
                }
            }
            ExprKind::Assign { target, .. } if names_aggregation(target) => {
                let message = "expected aggregating function after the aggregation";
                return fail(ErrorTag::AggFunc, span, message);
            }
            ExprKind::Agg(name) => return null_effect(&name.name, span),
            ExprKind::Index { base, .. } => {
                if let ExprKind::Agg(name) = &base.kind {
                    return null_effect(&name.name, span);
                }
            }
            _ => {}
        }
        let node = cx.expr(expr)?;
        self.effect(&node, span)
    }

    /// An expression computed for its effect alone.
    fn effect(&mut self, node: &Node, span: Span) -> Checked<()> {
        let first = self.actions.len();
        let difo = codegen::compile(node, VOID)?;
        self.action(act::DIFEXPR, Some(difo), 0);
        self.finish(StatementKind::Expression, first, Vec::new(), span);
        Ok(())
    }

    /// Moves the ECB into a program.
    pub(crate) fn install(
        self,
        program: &mut Program,
        statements: &mut Vec<Statement>,
        probe: &ProbeDesc,
        clause: u32,
        line: impl Fn(Span) -> u32,
    ) {
        let mut enter = |difo: Difo| {
            program.difos.push(difo);
            DifoIndex(u32::try_from(program.difos.len() - 1).unwrap_or(u32::MAX))
        };
        let predicate = self.predicate.map(&mut enter);
        let actions = self.actions.into_iter();
        let actions = actions.map(|(action, difo)| Action { difo: difo.map(&mut enter), ..action });
        let ecb = EcbDesc { probe: probe.clone(), predicate, actions: actions.collect(), clause };
        program.ecbs.push(ecb);
        let index = EcbIndex(u32::try_from(program.ecbs.len() - 1).unwrap_or(u32::MAX));
        statements.extend(self.statements.into_iter().map(|pending| Statement {
            ecb: index,
            kind: pending.kind,
            first_action: pending.first,
            nactions: pending.count,
            args: pending.args,
            line: line(pending.span),
        }));
    }
}

/// What a statement's DIFO returns that records nothing.
const VOID: DifType = DifType::integer(0);

fn names_aggregation(target: &Expr) -> bool {
    match &target.kind {
        ExprKind::Agg(_) => true,
        ExprKind::Index { base, .. } => matches!(base.kind, ExprKind::Agg(_)),
        _ => false,
    }
}

fn null_effect(name: &str, span: Span) -> Checked<()> {
    fail(ErrorTag::AggNull, span, format!("expression has null effect: @{name}"))
}
