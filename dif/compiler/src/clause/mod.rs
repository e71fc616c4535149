//! From clauses to ECBs: predicates, statements, actions.
//!
//! A clause with `if` becomes several ECBs, which fire one after the other:
//!
//! ```text
//!  probe /p/ { a; if (c) { b; } d; }
//!
//!  1  /1/                       %error = 0
//!  2  /!%error/                 %error = 1; %c1 = p;            %error = 0
//!  3  /!%error && %c1/          %error = 1; a;                  %error = 0
//!  4  /!%error/                 %error = 1; %c2 = %c1 && c;     %error = 0
//!  5  /!%error && %c2/          %error = 1; b;                  %error = 0
//!  6  /!%error && %c1/          %error = 1; d;                  %error = 0
//! ```
//! The names (`%c1` is short for `%condition_1`) are clause-locals of the compiler's; `dtrace -d`
//! shows them ([`crate::sugar`]). A fault leaves `%error` set, so that it ends the
//! whole clause, as it does a clause without `if`.

mod action;
mod aggregate;
mod print;
pub(crate) mod split;

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
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    speculates: bool,
    commits: bool,
    records: bool,
}

impl Order {
    /// Takes in one more action, or says why it may not be there. `aggregates`: its statement ends
    /// in an aggregating action.
    fn add(
        &mut self,
        kind: u16,
        destructive: bool,
        void: bool,
        aggregates: bool,
    ) -> Result<(), (ErrorTag, &'static str)> {
        if aggregates && self.commits {
            return Err((ErrorTag::AggComm, "aggregating actions may not follow commit( )"));
        }
        match kind {
            act::COMMIT if self.commits => {
                Err((ErrorTag::CommComm, "commit( ) may not follow commit( )"))
            }
            act::COMMIT if self.records => {
                Err((ErrorTag::CommDrec, "commit( ) may not follow data-recording action(s)"))
            }
            act::COMMIT => {
                self.commits = true;
                Ok(())
            }
            act::SPECULATE if self.speculates => {
                Err((ErrorTag::SpecSpec, "speculate( ) may not follow speculate( )"))
            }
            act::SPECULATE if self.commits => {
                Err((ErrorTag::SpecComm, "speculate( ) may not follow commit( )"))
            }
            act::SPECULATE if self.records => {
                Err((ErrorTag::SpecDrec, "speculate( ) may not follow data-recording action(s)"))
            }
            act::SPECULATE => {
                self.speculates = true;
                Ok(())
            }
            kind if act::is_aggregation(kind) => {
                if self.speculates {
                    let why = "aggregating actions may not follow speculate( )";
                    return Err((ErrorTag::AggSpec, why));
                }
                self.records = true;
                Ok(())
            }
            _ if self.speculates && destructive => {
                Err((ErrorTag::ActSpec, "destructive actions may not follow speculate( )"))
            }
            act::EXIT if self.speculates => {
                Err((ErrorTag::ExitSpec, "exit( ) may not follow speculate( )"))
            }
            act::DISCARD => Ok(()),
            _ if destructive || void => Ok(()),
            _ if self.commits => {
                Err((ErrorTag::DrecComm, "data-recording actions may not follow commit( )"))
            }
            _ => {
                self.records |= !self.speculates;
                Ok(())
            }
        }
    }
}

/// One clause for one probe description: its ECBs.
pub(crate) fn compile(cx: &mut Cx<'_, '_>, clause: &Clause) -> Checked<Vec<Ecb>> {
    let statements = clause.body.as_ref().map_or(&[][..], |body| &body.statements);
    if let Some(parts) = split::parts(clause) {
        return split::compile(cx, &parts, clause);
    }
    // As in DTrace the actions come first; but if they name what only the predicate defines, the
    // predicate does.
    let mut ecb = Ecb::default();
    match ecb.statements(cx, statements) {
        Ok(()) => ecb.predicate = predicate_difo(cx, clause)?,
        Err(error)
            if clause.predicate.is_some()
                && matches!(error.tag, ErrorTag::IdentUndef | ErrorTag::VarUndef) =>
        {
            let predicate = predicate_difo(cx, clause)?;
            ecb = Ecb { predicate, ..Ecb::default() };
            ecb.statements(cx, statements)?;
        }
        Err(error) => return Err(error),
    }
    if ecb.statements.is_empty() {
        ecb.finish(StatementKind::Default, 0, Vec::new(), clause.span);
    }
    Ok(vec![ecb])
}

fn predicate_difo(cx: &mut Cx<'_, '_>, clause: &Clause) -> Checked<Option<Difo>> {
    let Some(predicate) = &clause.predicate else { return Ok(None) };
    let node = predicate_node(cx, predicate)?;
    codegen::compile(&node, DifType::integer(4)).map(Some)
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

    fn statements(&mut self, cx: &mut Cx<'_, '_>, statements: &[Stmt]) -> Checked<()> {
        for statement in statements {
            self.statement(cx, statement).map_err(|error| error.in_region(Region::ActionList))?;
        }
        Ok(())
    }

    fn statement(&mut self, cx: &mut Cx<'_, '_>, statement: &Stmt) -> Checked<()> {
        let first = self.actions.len();
        match &statement.kind {
            StmtKind::Expr(expr) => self.expression(cx, expr, statement.span)?,
            StmtKind::Aggregate(aggregate) => self.aggregate(cx, aggregate, statement.span)?,
            StmtKind::If { .. } => {
                return fail(ErrorTag::Unknown, statement.span, "an if statement was not split");
            }
        }
        self.check_order(first, statement.span)
    }

    /// Whether the actions from `first` on may stand behind those before them.
    fn check_order(&mut self, first: usize, span: Span) -> Checked<()> {
        let new = self.actions.get(first..).unwrap_or_default();
        let aggregates = new.iter().any(|(action, _)| act::is_aggregation(action.kind));
        for (action, difo) in new {
            let kind = action.kind;
            let harmful = difo.as_ref().is_some_and(Difo::is_destructive);
            let destructive = act::is_destructive(kind) || (kind == act::DIFEXPR && harmful);
            let void = kind == act::DIFEXPR && difo.as_ref().is_some_and(|difo| difo.ret == VOID);
            let added = self.order.add(kind, destructive, void, aggregates);
            added.map_err(|(tag, why)| Error::new(tag, span, why))?;
        }
        Ok(())
    }

    fn expression(&mut self, cx: &mut Cx<'_, '_>, expr: &Expr, span: Span) -> Checked<()> {
        match &expr.kind {
            ExprKind::Call { function, args } => {
                if let ExprKind::Var { name, .. } = &function.kind
                    && let Some(handler) = action::handler(&name.name)
                {
                    let call = action::Call { name: &name.name, args, span };
                    action::refuse_translated(cx, &call)?;
                    if !matches!(handler_checks(&name.name), Checks::Own) {
                        cx.check_call(&name.name, args, span)?;
                    }
                    return handler(self, cx, &call);
                }
            }
            // A decision that the compiler can make leaves a statement of its own.
            ExprKind::Conditional { condition, then, otherwise } => {
                if let ExprKind::Int(chosen) = &condition.kind {
                    let taken = if chosen.value != 0 { then } else { otherwise };
                    return self.expression(cx, taken, span);
                }
            }
            ExprKind::Assign { op: None, target, value } if aggregation_depth(target) > 0 => {
                return misused_aggregation(cx, target, value, span);
            }
            ExprKind::Agg(name) => {
                cx.expr(expr)?;
                return null_effect(&name.name, span);
            }
            ExprKind::Index { base, .. } => {
                if let ExprKind::Agg(name) = &base.kind {
                    return null_effect(&name.name, span);
                }
                if aggregation_depth(expr) > 1 {
                    return many_keys(span);
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

/// How an action's arguments are checked.
enum Checks {
    /// By the prototype.
    Prototype,
    /// By the action itself, which words it its own way.
    Own,
}

fn handler_checks(name: &str) -> Checks {
    match name {
        "sym" | "func" | "mod" | "usym" | "ufunc" | "umod" | "uaddr" => Checks::Own,
        _ => Checks::Prototype,
    }
}

/// 1 for `@a`, 2 for `@a[k]` and 3 for `@a[k][l]`; 0 for anything else.
fn aggregation_depth(target: &Expr) -> u32 {
    match &target.kind {
        ExprKind::Agg(_) => 1,
        ExprKind::Index { base, .. } => match aggregation_depth(base) {
            0 => 0,
            depth => depth + 1,
        },
        _ => 0,
    }
}

fn many_keys(span: Span) -> Checked<()> {
    let message = "improper attempt to reference an aggregation as a multi-dimensional array";
    fail(ErrorTag::AggMdim, span, message)
}

/// An assignment to an aggregation of what no aggregating function gives.
fn misused_aggregation(
    cx: &mut Cx<'_, '_>,
    target: &Expr,
    value: &Expr,
    span: Span,
) -> Checked<()> {
    if aggregation_depth(target) > 2 {
        return many_keys(span);
    }
    cx.expr(value)?;
    let message = "an aggregation must be assigned the result of an aggregating function";
    fail(ErrorTag::AggFunc, span, message)
}

fn null_effect(name: &str, span: Span) -> Checked<()> {
    fail(ErrorTag::AggNull, span, format!("expression has null effect: @{name}"))
}
