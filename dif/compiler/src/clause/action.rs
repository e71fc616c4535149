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
    link::Check,
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
        "stack" | "immstack" | "ustack" | "jstack" => stack_action,
        "sym" | "func" | "mod" | "usym" | "ufunc" | "umod" | "uaddr" => symbol_action,
        "clear" => clear,
        "trunc" => trunc,
        "normalize" => normalize,
        "denormalize" => denormalize,
        "setopt" => setopt,
        "ftruncate" => ftruncate,
        "speculate" | "commit" | "discard" => speculation,
        "print" => trace,
        "printm" => printm,
        "stop" | "panic" | "breakpoint" => harm,
        "raise" | "chill" => measured_harm,
        _ => return None,
    })
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
        let named = match &arg.kind {
            ExprKind::Index { base, .. } => &base.kind,
            kind => kind,
        };
        let ExprKind::Agg(name) = named else {
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
            "ustack" => return self.user_stack(cx, call, act::USTACK).map(Some),
            "jstack" => return self.user_stack(cx, call, act::JSTACK).map(Some),
            "sym" | "func" => (act::SYM, ValueKind::Symbol),
            "mod" => (act::MOD, ValueKind::Module),
            "usym" | "ufunc" => (act::USYM, ValueKind::UserSymbol),
            "umod" => (act::UMOD, ValueKind::UserModule),
            "uaddr" => (act::UADDR, ValueKind::UserAddress),
            _ => return Ok(None),
        };
        cx.check_call(call.name, call.args, call.span)?;
        let node = cx.expr(&call.args[0])?;
        let difo = codegen::compile(&node, DifType::integer(8))?;
        let size = if matches!(kind, act::SYM | act::MOD) { 8 } else { 16 };
        let action = self.action(kind, Some(difo), 0);
        Ok(Some(ArgInfo { action, kind: value, size, type_name: "uintptr_t".into() }))
    }

    fn stack(&mut self, cx: &mut Cx<'_, '_>, call: &Call<'_>, kind: u16) -> Checked<ArgInfo> {
        if call.args.len() > 1 {
            let message = format!("{}( ) prototype mismatch: too many arguments", call.name);
            return fail(ErrorTag::StackProto, call.span, message);
        }
        let frames = match call.args.first() {
            None => 0,
            Some(arg) => match frame_count(cx, arg)? {
                Some(frames) => frames,
                None => {
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

    /// `ustack([frames[, strsize]])`, `jstack([frames[, strsize]])`.
    fn user_stack(&mut self, cx: &mut Cx<'_, '_>, call: &Call<'_>, kind: u16) -> Checked<ArgInfo> {
        let (mut frames, mut strsize) = (0, 0);
        if let Some(arg) = call.args.first() {
            let Some(count) = frame_count(cx, arg)? else {
                let message = "ustack( ) argument #1 must be a non-zero positive integer constant";
                return fail(ErrorTag::UstackFrames, arg.span, message);
            };
            frames = count;
        }
        if let Some(arg) = call.args.get(1) {
            let Some(Ok(size)) = cx.constant(arg)?.map(u32::try_from) else {
                let message = "ustack( ) argument #2 must be a positive integer constant";
                return fail(ErrorTag::UstackStrsize, arg.span, message);
            };
            strsize = size;
        }
        if call.args.len() > 2 {
            let message = "ustack( ) prototype mismatch: too many arguments";
            return fail(ErrorTag::UstackProto, call.span, message);
        }
        // DTRACE_USTACK_ARG
        let arg = (u64::from(strsize) << 32) | u64::from(frames);
        let action = self.action(kind, None, arg);
        let kind = ValueKind::UserStack { frames, strsize };
        Ok(ArgInfo { action, kind, size: 0, type_name: "stack".into() })
    }

    /// An action that records a node's value.
    pub(super) fn value_datum(
        &mut self,
        cx: &mut Cx<'_, '_>,
        node: &Node,
        kind: u16,
    ) -> Checked<ArgInfo> {
        let type_name = cx.words(node.ty);
        if let Kind::Translated = node.kind {
            let message = "expression cannot evaluate to result of a translator or aggregation";
            return fail(ErrorTag::CgDyn, node.span, message);
        }
        if let Kind::Uncomputable(what) = &node.kind {
            let message = format!("{what} may not be called from within a D expression");
            return fail(ErrorTag::CgExpr, node.span, message);
        }
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
        if !cx.is_scalar(&node) {
            return fail(tag, expr.span, format!("{what} must be of scalar type"));
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

/// A constant number of frames above zero.
fn frame_count(cx: &mut Cx<'_, '_>, arg: &Expr) -> Checked<Option<u32>> {
    let count = cx.constant(arg)?.and_then(|count| u32::try_from(count).ok());
    Ok(count.filter(|count| *count > 0))
}

/// A translated pointer is no value: `trace(curpsinfo)`, `print(args[0])`.
pub(super) fn refuse_translated(cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let tag = match call.name {
        "print" => ErrorTag::PrintDyn,
        "trace" => ErrorTag::TraceDyn,
        _ => return Ok(()),
    };
    let [arg] = call.args else { return Ok(()) };
    if !cx.is_translated_pointer(arg)? {
        return Ok(());
    }
    let message = format!("{}( ) may not be applied to a translated pointer", call.name);
    fail(tag, arg.span, message)
}

/// `trace(x)` and `print(x)`.
fn trace(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let [arg] = call.args else { return Ok(()) };
    let typed = call.name == "print";
    if let ExprKind::Agg(_) = arg.kind {
        let (tag, hint) = match typed {
            true => (ErrorTag::PrintAgg, " -- did you mean printa()?"),
            false => (ErrorTag::TraceAgg, ""),
        };
        let message = format!("{}( ) may not be applied to an aggregation{hint}", call.name);
        return fail(tag, arg.span, message);
    }
    let first = ecb.actions.len();
    let node = cx.expr(arg)?;
    if matches!(cx.types.resolve(node.ty), Type::Void) {
        let tag = if typed { ErrorTag::PrintVoid } else { ErrorTag::TraceVoid };
        let message = format!("{}( ) may not be applied to a void expression", call.name);
        return fail(tag, arg.span, message);
    }
    let datum = ecb.datum(cx, arg, act::DIFEXPR)?;
    let kind = match typed {
        true => {
            let shown = crate::print::describe(&mut cx.types, node.ty);
            if let Some(path) = cx.types.path(node.ty) {
                cx.types.note(|| Check::Print(path, shown.clone()));
            }
            StatementKind::Print(shown)
        }
        false => StatementKind::Trace,
    };
    ecb.finish(kind, first, vec![datum], call.span);
    Ok(())
}

/// Stacks as statements.
fn stack_action(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    special(ecb, cx, call, StatementKind::Stack)
}

/// Symbols as statements.
fn symbol_action(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    special(ecb, cx, call, StatementKind::Symbol)
}

fn special(
    ecb: &mut Ecb,
    cx: &mut Cx<'_, '_>,
    call: &Call<'_>,
    kind: StatementKind,
) -> Checked<()> {
    let first = ecb.actions.len();
    let args = ecb.special_datum(cx, call)?.into_iter().collect();
    ecb.finish(kind, first, args, call.span);
    Ok(())
}

/// The most bytes that `tracemem` and `printm` record.
const MAX_BYTES: i64 = 512 * 1024;

/// A constant number of bytes above zero.
fn byte_count(cx: &mut Cx<'_, '_>, arg: &Expr, tag: ErrorTag, what: &str) -> Checked<u32> {
    match cx.constant(arg)? {
        Some(size @ 1..=MAX_BYTES) => Ok(u32::try_from(size).unwrap_or(u32::MAX)),
        Some(size) if size > MAX_BYTES => {
            fail(tag, arg.span, format!("{what} must be at most {MAX_BYTES}"))
        }
        _ => {
            let message =
                format!("{what} must be a non-zero positive integral constant expression");
            fail(tag, arg.span, message)
        }
    }
}

fn tracemem(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let addr = cx.expr(&call.args[0])?;
    if !cx.is_pointer(&addr) && !cx.is_int(&addr) {
        let have = cx.words(addr.ty);
        let message = format!(
            "tracemem( ) argument #1 is incompatible with prototype:\n\tprototype: pointer or \
             integer\n\t argument: {have}"
        );
        return fail(ErrorTag::TracememAddr, call.span, message);
    }
    let what = "tracemem( ) argument #2";
    let size = byte_count(cx, &call.args[1], ErrorTag::TracememSize, what)?;
    if call.args.len() > 3 {
        let message = "tracemem( ) prototype mismatch: expected at most 3 args";
        return fail(ErrorTag::TracememArgs, call.span, message);
    }
    let first = ecb.actions.len();
    let mut args = Vec::new();
    if let Some(dynamic) = call.args.get(2) {
        let kind = (act::TRACEMEM_DYNSIZE, 0);
        let what = "tracemem( ) dynamic size (argument #3)";
        args.push(ecb.integer_datum(cx, dynamic, kind, ErrorTag::TracememDynsize, what)?);
    }
    let difo = codegen::compile(&addr, DifType::by_ref(ctf::ARRAY, size))?;
    let action = ecb.action(act::TRACEMEM, Some(difo), 0);
    let bytes = ArgInfo { action, kind: ValueKind::Bytes, size, type_name: cx.words(addr.ty) };
    args.insert(0, bytes);
    ecb.finish(StatementKind::TraceMem, first, args, call.span);
    Ok(())
}

/// `printm(size, memref(address, n))`.
fn printm(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let what = "printm( ) argument #1";
    let size = byte_count(cx, &call.args[0], ErrorTag::PrintmSize, what)?;
    let addr = cx.expr(&call.args[1])?;
    if !cx.is_pointer(&addr) {
        let have = cx.words(addr.ty);
        let message = format!(
            "printm( ) argument #2 is incompatible with prototype:\n\tprototype: pointer\n\t \
             argument: {have}"
        );
        return fail(ErrorTag::PrintmAddr, call.span, message);
    }
    let first = ecb.actions.len();
    let size = size + 8;
    let difo = codegen::compile(&addr, DifType::by_ref(ctf::POINTER, size))?;
    let action = ecb.action(act::PRINTM, Some(difo), 0);
    let arg = ArgInfo { action, kind: ValueKind::Bytes, size, type_name: cx.words(addr.ty) };
    ecb.finish(StatementKind::PrintMem, first, vec![arg], call.span);
    Ok(())
}

/// `stop()`, `panic()`, `breakpoint()`.
fn harm(ecb: &mut Ecb, _: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let kind = match call.name {
        "stop" => act::STOP,
        "panic" => act::PANIC,
        _ => act::BREAKPOINT,
    };
    let first = ecb.actions.len();
    ecb.action(kind, None, 0);
    ecb.finish(StatementKind::Destructive, first, Vec::new(), call.span);
    Ok(())
}

/// `raise(signal)`, `chill(nanoseconds)`.
fn measured_harm(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let kind = if call.name == "raise" { act::RAISE } else { act::CHILL };
    let first = ecb.actions.len();
    let node = cx.expr(&call.args[0])?;
    let difo = codegen::compile(&node, DifType::integer(8))?;
    ecb.action(kind, Some(difo), 0);
    ecb.finish(StatementKind::Destructive, first, Vec::new(), call.span);
    Ok(())
}

fn exit(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let node = cx.expr(&call.args[0])?;
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
    } else {
        ecb.library(which::TRUNC, 0, call.span)?;
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

/// The text of a string constant.
fn constant_text(arg: &Expr) -> Option<String> {
    match &arg.kind {
        ExprKind::Str(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// `setopt(name, value)`: constants are known to the consumer, what is computed is recorded.
fn setopt(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let first = ecb.actions.len();
    let mut known = call.args.iter().map(constant_text);
    let kind = match (known.next().flatten(), known.next()) {
        (Some(name), None) => StatementKind::Setopt { name, value: None },
        (Some(name), Some(Some(value))) => StatementKind::Setopt { name, value: Some(value) },
        _ => StatementKind::SetoptComputed,
    };
    let mut args = Vec::new();
    if kind == StatementKind::SetoptComputed {
        for arg in call.args {
            let node = cx.expr(arg)?;
            let node = cx.stringof(node, arg.span)?;
            let datum = ecb.value_datum(cx, &node, act::LIBACT)?;
            if let Some((action, _)) = ecb.actions.get_mut(datum.action) {
                action.arg = which::SETOPT;
            }
            args.push(datum);
        }
    } else {
        ecb.library(which::SETOPT, 0, call.span)?;
    }
    ecb.finish(kind, first, args, call.span);
    Ok(())
}

fn ftruncate(ecb: &mut Ecb, _: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let first = ecb.actions.len();
    ecb.library(which::FTRUNCATE, 0, call.span)?;
    ecb.finish(StatementKind::Ftruncate, first, Vec::new(), call.span);
    Ok(())
}

fn speculation(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let (kind, statement) = match call.name {
        "speculate" => (act::SPECULATE, StatementKind::Speculate),
        "commit" => (act::COMMIT, StatementKind::Commit),
        _ => (act::DISCARD, StatementKind::Discard),
    };
    let node = cx.expr(&call.args[0])?;
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
