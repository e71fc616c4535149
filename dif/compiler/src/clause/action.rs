//! Actions: one handler each.

use dif::{
    difo::{DifType, Difo},
    number::{act, ctf},
};

use super::{Ecb, print};
use crate::{
    ast::{Expr, ExprKind, VarScope},
    codegen,
    compiled::{AggId, ArgInfo, StatementKind, ValueKind},
    error::ErrorTag,
    sema::{
        Checked, Cx, fail,
        node::{Kind, Node},
    },
    source::Span,
    types::{Type, TypeId},
};

/// An action as the script calls it.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) args: &'a [Expr],
    pub(super) span: Span,
}

type Handler = fn(&mut Ecb, &mut Cx<'_, '_>, &Call<'_>) -> Checked<()>;

/// What carries an action out; `None` if the name is not an action's.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "trace" => trace,
        "tracemem" => tracemem,
        "printf" => print::printf,
        "printa" => print::printa,
        "system" => print::system,
        "freopen" => print::freopen,
        "exit" => exit,
        "stack" | "immstack" | "sym" | "func" | "mod" => datum_action,
        "clear" => clear,
        "trunc" => trunc,
        "normalize" => normalize,
        "denormalize" => denormalize,
        "setopt" => setopt,
        "ftruncate" => ftruncate,
        "speculate" | "commit" | "discard" => speculation,
        "ustack" | "jstack" | "usym" | "ufunc" | "umod" | "uaddr" | "print" | "printm"
        | "printt" | "stop" | "raise" | "panic" | "breakpoint" | "chill" | "copyout"
        | "copyoutstr" => not_yet,
        _ => return None,
    })
}

fn not_yet(ecb: &mut Ecb, _: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    const DESTRUCTIVE: [&str; 5] = ["stop", "raise", "panic", "breakpoint", "chill"];
    if DESTRUCTIVE.contains(&call.name) {
        ecb.destroys(call)?;
    }
    let message = format!("{}( ) is not supported yet", call.name);
    fail(ErrorTag::Unsupported, call.span, message)
}

impl Call<'_> {
    /// Refuses a call with another number of arguments.
    pub(super) fn want(&self, least: usize, most: usize, tag: ErrorTag) -> Checked<()> {
        let count = self.args.len();
        if (least..=most).contains(&count) {
            return Ok(());
        }
        let wanted = match (least == most, count < least) {
            (true, _) => format!("{least}"),
            (false, true) => format!("at least {least}"),
            (false, false) => format!("at most {most}"),
        };
        let message =
            format!("{}( ) prototype mismatch: {count} args passed, {wanted} expected", self.name);
        fail(tag, self.span, message)
    }

    /// The aggregation that an argument names.
    pub(super) fn aggregation(
        &self,
        cx: &Cx<'_, '_>,
        at: usize,
        wrong: ErrorTag,
        undefined: ErrorTag,
    ) -> Checked<AggId> {
        let Some(arg) = self.args.get(at) else {
            return fail(wrong, self.span, format!("{}( ) needs an aggregation", self.name));
        };
        let ExprKind::Agg(name) = &arg.kind else {
            let message = format!(
                "{}( ) argument #{} is incompatible with prototype:\n\tprototype: aggregation",
                self.name,
                at + 1
            );
            return fail(wrong, arg.span, message);
        };
        match cx.registry.aggregation(&name.name) {
            Some(found) => Ok(found.id),
            None => fail(undefined, arg.span, format!("undefined aggregation: @{}", name.name)),
        }
    }
}

impl Ecb {
    /// Notes that a statement records data.
    pub(super) fn records(&mut self, call: &Call<'_>) -> Checked<()> {
        if self.order.commits {
            let message = format!("{}( ) may not follow commit( ) in its clause", call.name);
            return fail(ErrorTag::DrecComm, call.span, message);
        }
        self.order.records = true;
        Ok(())
    }

    /// Notes that a statement may do harm.
    pub(super) fn destroys(&self, call: &Call<'_>) -> Checked<()> {
        if self.order.speculates {
            let message = format!("{}( ) may not follow speculate( ) in its clause", call.name);
            return fail(ErrorTag::ActSpec, call.span, message);
        }
        Ok(())
    }

    /// An action that records an expression's value, as a statement's argument.
    pub(super) fn datum(
        &mut self,
        cx: &mut Cx<'_, '_>,
        expr: &Expr,
        kind: u16,
    ) -> Checked<ArgInfo> {
        if let ExprKind::Call { function, args } = &expr.kind
            && let ExprKind::Var { scope: VarScope::Global, name } = &function.kind
        {
            let call = Call { name: &name.name, args, span: expr.span };
            if let Some(found) = self.special_datum(cx, &call)? {
                return Ok(found);
            }
        }
        let node = cx.expr(expr)?;
        self.value_datum(cx, &node, kind)
    }

    /// What is recorded by an action of its own kind: stacks and symbols.
    fn special_datum(&mut self, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<Option<ArgInfo>> {
        let (kind, value) = match call.name {
            "stack" => return self.stack(cx, call, act::STACK).map(Some),
            "immstack" => return self.stack(cx, call, act::IMMSTACK).map(Some),
            "sym" | "func" => (act::SYM, ValueKind::Symbol),
            "mod" => (act::MOD, ValueKind::Module),
            "ustack" | "jstack" | "usym" | "ufunc" | "umod" | "uaddr" => {
                return not_yet(self, cx, call).map(|()| None);
            }
            _ => return Ok(None),
        };
        call.want(1, 1, ErrorTag::ProtoLen)?;
        let node = cx.expr(&call.args[0])?;
        if !cx.is_scalar(&node) {
            let message = format!("{}( ) needs an address", call.name);
            return fail(ErrorTag::ProtoArg, call.span, message);
        }
        let difo = codegen::compile(&node, DifType::integer(8))?;
        let action = self.action(kind, Some(difo), 0);
        Ok(Some(ArgInfo { action, kind: value, size: 8, type_name: "uintptr_t".into() }))
    }

    fn stack(&mut self, cx: &mut Cx<'_, '_>, call: &Call<'_>, kind: u16) -> Checked<ArgInfo> {
        call.want(0, 1, ErrorTag::StackProto)?;
        let frames = match call.args.first() {
            None => 0,
            Some(arg) => match cx.constant(arg)?.map(u32::try_from) {
                Some(Ok(frames)) if frames > 0 => frames,
                _ => {
                    let message = format!(
                        "{}( ) size must be a non-zero positive integral constant expression",
                        call.name
                    );
                    return fail(ErrorTag::StackSize, arg.span, message);
                }
            },
        };
        let action = self.action(kind, None, u64::from(frames));
        let (kind, type_name) = match kind {
            act::STACK => (ValueKind::Stack { frames }, "stack"),
            _ => (ValueKind::StackText, "string"),
        };
        Ok(ArgInfo { action, kind, size: 0, type_name: type_name.into() })
    }

    /// An action that records a node's value.
    pub(super) fn value_datum(
        &mut self,
        cx: &mut Cx<'_, '_>,
        node: &Node,
        kind: u16,
    ) -> Checked<ArgInfo> {
        let type_name = cx.words(node.ty);
        if matches!(node.kind, Kind::Object { user: true, .. }) {
            let message = format!("{type_name} lies in the process's memory: copyin( ) it first");
            return fail(ErrorTag::Unsupported, node.span, message);
        }
        let Some(ty) = cx.dif_type(node.ty) else {
            let message = format!("a value of type {type_name} cannot be recorded");
            return fail(ErrorTag::TraceVoid, node.span, message);
        };
        let difo = codegen::compile(node, ty)?;
        let action = self.action(kind, Some(difo), 0);
        Ok(ArgInfo { action, kind: cx.value_kind(node.ty), size: ty.size, type_name })
    }

    /// An action that records an integer.
    fn integer_datum(
        &mut self,
        cx: &mut Cx<'_, '_>,
        expr: &Expr,
        (kind, arg): (u16, u64),
        tag: ErrorTag,
        what: &str,
    ) -> Checked<ArgInfo> {
        let node = cx.expr(expr)?;
        if !cx.is_int(&node) {
            return fail(tag, expr.span, format!("{what} must be of integral type"));
        }
        let difo = codegen::compile(&node, DifType::integer(8))?;
        let signed = match cx.value_kind(node.ty) {
            ValueKind::Integer { signed } => signed,
            _ => true,
        };
        let action = self.action(kind, Some(difo), arg);
        let kind = ValueKind::Integer { signed };
        Ok(ArgInfo { action, kind, size: 8, type_name: cx.words(node.ty) })
    }

    /// A library action on an aggregation.
    fn library(&mut self, which: u64, value: u64, span: Span) -> Checked<()> {
        let difo = codegen::constant(value, DifType::integer(8), span)?;
        self.action(act::LIBACT, Some(difo), which);
        Ok(())
    }
}

/// `arg` of the actions that the consumer carries out.
mod which {
    pub(super) const CLEAR: u64 = 1;
    pub(super) const TRUNC: u64 = 2;
    pub(super) const NORMALIZE: u64 = 3;
    pub(super) const DENORMALIZE: u64 = 4;
    pub(super) const SETOPT: u64 = 5;
    pub(super) const FTRUNCATE: u64 = 6;
}

fn trace(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 1, ErrorTag::ProtoLen)?;
    ecb.records(call)?;
    let first = ecb.actions.len();
    let arg = ecb.datum(cx, &call.args[0], act::DIFEXPR)?;
    ecb.finish(StatementKind::Trace, first, vec![arg], call.span);
    Ok(())
}

/// `stack()` and the like as statements.
fn datum_action(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    ecb.records(call)?;
    let first = ecb.actions.len();
    let Some(arg) = ecb.special_datum(cx, call)? else {
        return not_yet(ecb, cx, call);
    };
    let kind = match call.name {
        "stack" | "immstack" => StatementKind::Stack,
        _ => StatementKind::Symbol,
    };
    ecb.finish(kind, first, vec![arg], call.span);
    Ok(())
}

/// The most bytes that `tracemem` records.
const MAX_TRACEMEM: u32 = 16 * 1024;

fn tracemem(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    if call.args.len() == 3 {
        let message = "tracemem( ) with a computed size is not supported yet";
        return fail(ErrorTag::Unsupported, call.span, message);
    }
    call.want(2, 2, ErrorTag::ProtoLen)?;
    ecb.records(call)?;
    let addr = cx.expr(&call.args[0])?;
    let pointer = matches!(cx.types.resolve(addr.ty), Type::Pointer { .. } | Type::Array { .. });
    if !pointer && !cx.is_int(&addr) {
        let message = "tracemem( ) argument #1 must be a pointer or integer";
        return fail(ErrorTag::TracememAddr, call.span, message);
    }
    let size = match cx.constant(&call.args[1])?.map(u32::try_from) {
        Some(Ok(size)) if (1..=MAX_TRACEMEM).contains(&size) => size,
        _ => {
            let message =
                format!("tracemem( ) argument #2 must be a constant between 1 and {MAX_TRACEMEM}");
            return fail(ErrorTag::TracememSize, call.span, message);
        }
    };
    let first = ecb.actions.len();
    let difo = codegen::compile(&addr, DifType::by_ref(ctf::ARRAY, size))?;
    let action = ecb.action(act::TRACEMEM, Some(difo), u64::from(size));
    let arg = ArgInfo { action, kind: ValueKind::Bytes, size, type_name: cx.words(addr.ty) };
    ecb.finish(StatementKind::TraceMem, first, vec![arg], call.span);
    Ok(())
}

fn exit(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 1, ErrorTag::ProtoLen)?;
    if ecb.order.speculates {
        let message = "exit( ) may not follow speculate( ) in its clause";
        return fail(ErrorTag::ExitSpec, call.span, message);
    }
    ecb.records(call)?;
    let node = cx.expr(&call.args[0])?;
    if !cx.is_int(&node) {
        let message = "exit( ) argument #1 is incompatible with prototype:\n\tprototype: int";
        return fail(ErrorTag::ProtoArg, call.span, message);
    }
    let first = ecb.actions.len();
    let difo = codegen::compile(&node, DifType::integer(4))?;
    let action = ecb.action(act::EXIT, Some(difo), 0);
    let kind = ValueKind::Integer { signed: true };
    let arg = ArgInfo { action, kind, size: 4, type_name: "int".into() };
    ecb.finish(StatementKind::Exit, first, vec![arg], call.span);
    Ok(())
}

fn clear(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 1, ErrorTag::ClearProto)?;
    let agg = call.aggregation(cx, 0, ErrorTag::ClearAggarg, ErrorTag::ClearAggbad)?;
    let first = ecb.actions.len();
    ecb.library(which::CLEAR, u64::from(agg.0), call.span)?;
    ecb.finish(StatementKind::Clear(agg), first, Vec::new(), call.span);
    Ok(())
}

fn trunc(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 2, ErrorTag::TruncProto)?;
    let agg = call.aggregation(cx, 0, ErrorTag::TruncAggarg, ErrorTag::TruncAggbad)?;
    let first = ecb.actions.len();
    ecb.library(which::TRUNC, u64::from(agg.0), call.span)?;
    let mut args = Vec::new();
    if let Some(count) = call.args.get(1) {
        let kind = (act::LIBACT, which::TRUNC);
        let what = "trunc( ) argument #2";
        args.push(ecb.integer_datum(cx, count, kind, ErrorTag::TruncScalar, what)?);
    }
    ecb.finish(StatementKind::Trunc(agg), first, args, call.span);
    Ok(())
}

fn normalize(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(2, 2, ErrorTag::NormalizeProto)?;
    let agg = call.aggregation(cx, 0, ErrorTag::NormalizeAggarg, ErrorTag::NormalizeAggbad)?;
    let first = ecb.actions.len();
    ecb.library(which::NORMALIZE, u64::from(agg.0), call.span)?;
    let kind = (act::LIBACT, which::NORMALIZE);
    let what = "normalize( ) argument #2";
    let arg = ecb.integer_datum(cx, &call.args[1], kind, ErrorTag::NormalizeScalar, what)?;
    ecb.finish(StatementKind::Normalize(agg), first, vec![arg], call.span);
    Ok(())
}

fn denormalize(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 1, ErrorTag::NormalizeProto)?;
    let agg = call.aggregation(cx, 0, ErrorTag::NormalizeAggarg, ErrorTag::NormalizeAggbad)?;
    let first = ecb.actions.len();
    ecb.library(which::DENORMALIZE, u64::from(agg.0), call.span)?;
    ecb.finish(StatementKind::Denormalize(agg), first, Vec::new(), call.span);
    Ok(())
}

/// A string constant among the arguments.
pub(super) fn text_arg(call: &Call<'_>, at: usize) -> Checked<Option<String>> {
    match call.args.get(at).map(|arg| (&arg.kind, arg.span)) {
        None => Ok(None),
        Some((ExprKind::Str(bytes), _)) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
        Some((_, span)) => {
            let message = format!(
                "{}( ) argument #{} is incompatible with prototype:\n\tprototype: string constant",
                call.name,
                at + 1
            );
            fail(ErrorTag::ProtoArg, span, message)
        }
    }
}

fn setopt(ecb: &mut Ecb, _: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 2, ErrorTag::ProtoLen)?;
    let name = text_arg(call, 0)?.unwrap_or_default();
    let value = text_arg(call, 1)?;
    let first = ecb.actions.len();
    ecb.library(which::SETOPT, 0, call.span)?;
    ecb.finish(StatementKind::Setopt { name, value }, first, Vec::new(), call.span);
    Ok(())
}

fn ftruncate(ecb: &mut Ecb, _: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(0, 0, ErrorTag::ProtoLen)?;
    let first = ecb.actions.len();
    ecb.library(which::FTRUNCATE, 0, call.span)?;
    ecb.finish(StatementKind::Ftruncate, first, Vec::new(), call.span);
    Ok(())
}

fn speculation(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    call.want(1, 1, ErrorTag::ProtoLen)?;
    let (kind, statement) = match call.name {
        "speculate" => (act::SPECULATE, StatementKind::Speculate),
        "commit" => (act::COMMIT, StatementKind::Commit),
        _ => (act::DISCARD, StatementKind::Discard),
    };
    let order = &mut ecb.order;
    let follows = |tag, what| {
        fail(tag, call.span, format!("{}( ) may not follow {what} in its clause", call.name))
    };
    match kind {
        act::SPECULATE if order.speculates => return follows(ErrorTag::SpecSpec, "speculate( )"),
        act::SPECULATE if order.commits => return follows(ErrorTag::SpecComm, "commit( )"),
        act::SPECULATE if order.records => {
            return follows(ErrorTag::SpecDrec, "data-recording action(s)");
        }
        act::COMMIT if order.commits => return follows(ErrorTag::CommComm, "commit( )"),
        act::COMMIT if order.records => {
            return follows(ErrorTag::CommDrec, "data-recording action(s)");
        }
        _ => {}
    }
    order.speculates |= kind == act::SPECULATE;
    order.commits |= kind == act::COMMIT;
    let node = cx.expr(&call.args[0])?;
    if !cx.is_int(&node) {
        let message = format!("{}( ) needs the integer that speculation( ) gave", call.name);
        return fail(ErrorTag::ProtoArg, call.span, message);
    }
    let first = ecb.actions.len();
    let difo = codegen::compile(&node, DifType::integer(8))?;
    ecb.action(kind, Some(difo), 0);
    ecb.finish(statement, first, Vec::new(), call.span);
    Ok(())
}

/// A constant of no meaning for an action that must record something.
pub(super) fn placeholder(span: Span) -> Checked<Difo> {
    codegen::compile(&Node::constant(TypeId::INT, 0, span), DifType::integer(4))
}
