//! `printf`, `printa`, `system`, `freopen`: formats and their arguments.

use dif::{difo::DifType, number::act};

use super::{
    Ecb,
    action::{Call, placeholder},
};
use crate::{
    ast::ExprKind,
    codegen,
    compiled::{ArgInfo, StatementKind, ValueKind},
    error::{Error, ErrorTag},
    format::Format,
    printf::{ArgClass, FormatArg, FormatError, FormatUse, check_format, parse_format},
    sema::{Checked, Cx, fail, node::Node},
    source::Span,
    types::{Opaque, Type},
};

/// What DTrace passes on for `freopen("")`; scripts may not use it.
const FREOPEN_RESTORE: &[u8] = b".";

fn parse(call: &Call<'_>) -> Checked<Format> {
    let Some(arg) = call.args.first() else {
        let message =
            format!("{}( ) prototype mismatch: 0 args passed, at least 1 expected", call.name);
        return fail(ErrorTag::ProtoLen, call.span, message);
    };
    let ExprKind::Str(text) = &arg.kind else {
        let message = format!("{}( ) format string must be a string constant", call.name);
        return fail(ErrorTag::PrintfArgFmt, arg.span, message);
    };
    if text.is_empty() && call.name != "freopen" {
        let message = format!("{}( ) format string is empty", call.name);
        return fail(ErrorTag::PrintfFmtEmpty, arg.span, message);
    }
    parse_format(text).map_err(|error| at(&error, arg.span))
}

fn at(error: &FormatError, span: Span) -> Error {
    Error::new(error.tag, span, error.message.clone())
}

/// The format and data of a `printf`-like action.
fn formatted(
    ecb: &mut Ecb,
    cx: &mut Cx<'_, '_>,
    call: &Call<'_>,
    kind: u16,
) -> Checked<(Format, Vec<ArgInfo>)> {
    let format = match call.args.first().map(|arg| &arg.kind) {
        Some(ExprKind::Str(text)) if kind == act::FREOPEN && text == FREOPEN_RESTORE => {
            let message = "freopen( ) argument #1 cannot be \".\"";
            return fail(ErrorTag::FreopenInvalid, call.span, message);
        }
        _ => parse(call)?,
    };
    let first = ecb.actions.len();
    let mut args = Vec::new();
    let mut classes = Vec::new();
    for arg in call.args.get(1..).unwrap_or_default() {
        let node = cx.expr(arg)?;
        classes.push(class_of(cx, &node));
    }
    let by =
        FormatUse { function: call.name, offset: 1, aggregation: false, target: cx.has_target };
    check_format(&format, by, &classes).map_err(|error| at(&error, call.span))?;
    for arg in call.args.get(1..).unwrap_or_default() {
        args.push(ecb.datum(cx, arg, kind)?);
    }
    if args.is_empty() {
        ecb.action(kind, Some(placeholder(call.span)?), 0);
    }
    ecb.set_format(first, &format.text);
    Ok((format, args))
}

/// What a value is to a format.
fn class_of(cx: &mut Cx<'_, '_>, node: &Node) -> FormatArg {
    let type_name = cx.words(node.ty);
    let class = match cx.types.resolve(node.ty) {
        Type::Opaque(Opaque::Stack) => ArgClass::Stack,
        Type::Opaque(Opaque::Symbol) => ArgClass::Symbol,
        Type::Opaque(Opaque::UserSymbol) => ArgClass::UserSymbol,
        Type::Opaque(Opaque::Dynamic) | Type::Void => ArgClass::Other,
        _ => {
            let (kind, size) = (cx.value_kind(node.ty), cx.types.size(node.ty).unwrap_or(0));
            return class(&kind, size, &type_name);
        }
    };
    FormatArg { class, type_name }
}

/// What a datum is to a format.
fn class(kind: &ValueKind, size: u32, type_name: &str) -> FormatArg {
    let class = match kind {
        ValueKind::Integer { .. } => ArgClass::Integer { size: u64::from(size) },
        ValueKind::Pointer => ArgClass::Pointer,
        ValueKind::String | ValueKind::CharArray | ValueKind::StackText => ArgClass::Text,
        ValueKind::Stack { .. } | ValueKind::UserStack { .. } => ArgClass::Stack,
        ValueKind::Symbol | ValueKind::Module => ArgClass::Symbol,
        ValueKind::UserSymbol | ValueKind::UserModule | ValueKind::UserAddress => {
            ArgClass::UserSymbol
        }
        ValueKind::Bytes if ["float", "double", "long double"].contains(&type_name) => {
            ArgClass::Float
        }
        ValueKind::Bytes if type_name.starts_with("wchar_t") => ArgClass::WideText,
        ValueKind::Bytes => ArgClass::Other,
    };
    FormatArg { class, type_name: type_name.to_owned() }
}

pub(super) fn printf(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let first = ecb.actions.len();
    let (format, args) = formatted(ecb, cx, call, act::PRINTF)?;
    ecb.finish(StatementKind::Printf(format), first, args, call.span);
    Ok(())
}

pub(super) fn system(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let first = ecb.actions.len();
    let (format, args) = formatted(ecb, cx, call, act::SYSTEM)?;
    ecb.finish(StatementKind::System(format), first, args, call.span);
    Ok(())
}

pub(super) fn freopen(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let first = ecb.actions.len();
    let (format, args) = formatted(ecb, cx, call, act::FREOPEN)?;
    ecb.finish(StatementKind::Freopen(format), first, args, call.span);
    Ok(())
}

pub(super) fn printa(ecb: &mut Ecb, cx: &mut Cx<'_, '_>, call: &Call<'_>) -> Checked<()> {
    let has_format = matches!(call.args.first().map(|arg| &arg.kind), Some(ExprKind::Str(_)));
    let format = if has_format { Some(parse(call)?) } else { None };
    let start = usize::from(has_format);
    if call.args.len() <= start {
        let message = "printa( ) prototype mismatch: an aggregation is expected";
        return fail(ErrorTag::PrintaProto, call.span, message);
    }
    let first = ecb.actions.len();
    let mut aggregations = Vec::new();
    for at in start..call.args.len() {
        let agg = call.aggregation(cx, at, ErrorTag::PrintaAggarg, ErrorTag::PrintaAggbad)?;
        let difo = codegen::constant(u64::from(agg.0), DifType::integer(8), call.span)?;
        ecb.action(act::PRINTA, Some(difo), 0);
        aggregations.push(agg);
    }
    same_keys(cx, call, &aggregations)?;
    if let Some(format) = &format {
        check_keys(cx, call, format, &aggregations)?;
        ecb.set_format(first, &format.text);
    }
    ecb.finish(StatementKind::Printa { format, aggregations }, first, Vec::new(), call.span);
    Ok(())
}

/// Aggregations printed together have keys of one form.
fn same_keys(
    cx: &mut Cx<'_, '_>,
    call: &Call<'_>,
    aggregations: &[crate::compiled::AggId],
) -> Checked<()> {
    let names: Vec<String> = aggregations
        .iter()
        .filter_map(|id| cx.registry.aggregations().iter().find(|known| known.id == *id))
        .map(|known| known.name.clone())
        .collect();
    let Some((first, rest)) = names.split_first() else { return Ok(()) };
    let keys = cx.agg_keys.get(first).cloned().unwrap_or_default();
    for name in rest {
        let others = cx.agg_keys.get(name).cloned().unwrap_or_default();
        let (left, right) = (keys.len(), others.len());
        if left != right {
            let plural = |count| if count == 1 { "" } else { "s" };
            let message = format!(
                "printa( ): @{first} and @{name} do not have matching key signatures: @{first} \
                 has {left} key{}, @{name} has {right} key{}",
                plural(left),
                plural(right)
            );
            return fail(ErrorTag::PrintaAggkey, call.span, message);
        }
        for (at, (left, right)) in keys.iter().zip(&others).enumerate() {
            let value = Node::constant(*right, 1, call.span);
            if !cx.fits_type(*left, &value) {
                let (left, right, at) = (cx.words(*left), cx.words(*right), at + 1);
                let message = format!(
                    "printa( ): @{name}[ ] key #{at} is incompatible with @{first}:\n{first:>9} \
                     key #{at}: {left}\n{name:>9} key #{at}: {right}"
                );
                return fail(ErrorTag::PrintaAggproto, call.span, message);
            }
        }
    }
    Ok(())
}

/// Conversions without `@` print the key's elements in turn.
fn check_keys(
    cx: &Cx<'_, '_>,
    call: &Call<'_>,
    format: &Format,
    aggregations: &[crate::compiled::AggId],
) -> Checked<()> {
    let first = aggregations.first();
    let known = cx.registry.aggregations().iter().find(|known| Some(&known.id) == first);
    let keys = known.map_or(&[][..], |known| &known.keys);
    let classes: Vec<_> =
        keys.iter().map(|key| class(&key.kind, key.size, words(&key.kind))).collect();
    let by = FormatUse { function: call.name, offset: 1, aggregation: true, target: cx.has_target };
    check_format(format, by, &classes).map_err(|error| at(&error, call.span))
}

/// A key's element in words.
fn words(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Integer { .. } => "integer",
        ValueKind::Pointer => "pointer",
        ValueKind::String | ValueKind::StackText => "string",
        ValueKind::CharArray => "char []",
        ValueKind::Bytes => "struct",
        ValueKind::Stack { .. } | ValueKind::UserStack { .. } => "stack",
        ValueKind::Symbol | ValueKind::Module => "symbol",
        ValueKind::UserSymbol | ValueKind::UserModule | ValueKind::UserAddress => "usymbol",
    }
}
