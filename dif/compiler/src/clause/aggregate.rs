//! Aggregating statements: `@name[keys] = function(args)`.

use dif::{difo::DifType, number::act};

use super::Ecb;
use crate::{
    ast::{Aggregate, Expr},
    codegen,
    compiled::{AggFunction, ArgInfo, KeyInfo, StatementKind, ValueKind},
    error::ErrorTag,
    sema::{Checked, Cx, fail},
    source::Span,
};

impl Ecb {
    pub(super) fn aggregate(
        &mut self,
        cx: &mut Cx<'_, '_>,
        statement: &Aggregate,
        span: Span,
    ) -> Checked<()> {
        self.check_order(span)?;
        let function = function(cx, statement, span)?;
        let first = self.actions.len();
        // The id is the key's first element; its number is known once the keys are.
        self.action(act::DIFEXPR, None, 0);
        let mut args = Vec::new();
        for (at, key) in statement.keys.iter().enumerate() {
            args.push(self.key(cx, &statement.name.name, at, key)?);
        }
        let keys = args.iter().map(|arg| KeyInfo { kind: arg.kind.clone(), size: arg.size });
        let name = &statement.name.name;
        let id = cx.registry.aggregate(name, function, keys.collect(), span)?;
        let id_difo = codegen::constant(u64::from(id.0), DifType::integer(4), span)?;
        if let Some((_, difo)) = self.actions.get_mut(first) {
            *difo = Some(id_difo);
        }
        let value = self.aggregated(cx, statement, function, span)?;
        let ntuple = u32::try_from(self.actions.len() - first).unwrap_or(u32::MAX);
        let at = self.action(function.kind(), value, function.arg());
        if let Some((action, _)) = self.actions.get_mut(at) {
            action.ntuple = ntuple;
        }
        self.finish(StatementKind::Aggregate(id), first, args, span);
        Ok(())
    }

    fn check_order(&self, span: Span) -> Checked<()> {
        if self.order.commits {
            let message = "aggregating actions may not follow commit( ) in their clause";
            return fail(ErrorTag::AggComm, span, message);
        }
        if self.order.speculates {
            let message = "aggregating actions may not follow speculate( ) in their clause";
            return fail(ErrorTag::AggSpec, span, message);
        }
        Ok(())
    }

    /// One element of the key. A narrower integer than the aggregation's earlier uses had is
    /// widened; a wider one would be cut, which is refused by the registry.
    fn key(&mut self, cx: &mut Cx<'_, '_>, name: &str, at: usize, expr: &Expr) -> Checked<ArgInfo> {
        let key = self.datum(cx, expr, act::DIFEXPR)?;
        if key.type_name.starts_with("struct ") && key.kind == ValueKind::Bytes {
            let message = format!("a key cannot be of type {}", key.type_name);
            return fail(ErrorTag::KeyType, expr.span, message);
        }
        let known = cx.registry.aggregation(name).and_then(|known| known.keys.get(at)).cloned();
        let (Some(known), ValueKind::Integer { .. } | ValueKind::Pointer) = (known, &key.kind)
        else {
            return Ok(key);
        };
        let integer = matches!(known.kind, ValueKind::Integer { .. } | ValueKind::Pointer);
        if !integer || known.size < key.size {
            return Ok(key);
        }
        if let Some((_, Some(difo))) = self.actions.get_mut(key.action) {
            difo.ret = DifType { size: known.size, ..difo.ret };
        }
        Ok(ArgInfo { kind: known.kind, size: known.size, ..key })
    }

    /// The DIFO of what is aggregated.
    fn aggregated(
        &mut self,
        cx: &mut Cx<'_, '_>,
        statement: &Aggregate,
        function: AggFunction,
        span: Span,
    ) -> Checked<Option<dif::difo::Difo>> {
        let Some(arg) = statement.args.first().filter(|_| function != AggFunction::Count) else {
            return Ok(None);
        };
        let node = cx.expr(arg)?;
        if !cx.is_scalar(&node) {
            let name = cx.words(node.ty);
            let message =
                format!("{}( ) argument #1 must be of scalar type ({name})", function.name());
            return fail(ErrorTag::AggScalar, span, message);
        }
        codegen::compile(&node, DifType::integer(8)).map(Some)
    }
}

/// The function with its constant parameters.
fn function(cx: &mut Cx<'_, '_>, statement: &Aggregate, span: Span) -> Checked<AggFunction> {
    let name = statement.function.name.as_str();
    let (function, least, most) = match name {
        "count" => (AggFunction::Count, 0, 0),
        "min" => (AggFunction::Min, 1, 1),
        "max" => (AggFunction::Max, 1, 1),
        "avg" => (AggFunction::Avg, 1, 1),
        "sum" => (AggFunction::Sum, 1, 1),
        "stddev" => (AggFunction::Stddev, 1, 1),
        "quantize" => (AggFunction::Quantize, 1, 2),
        "lquantize" => (AggFunction::Lquantize { base: 0, levels: 0, step: 0 }, 3, 5),
        "llquantize" => (AggFunction::Llquantize { factor: 0, low: 0, high: 0, steps: 0 }, 5, 6),
        _ => {
            let message = format!("expected aggregating function: {name} is none");
            return fail(ErrorTag::AggFunc, statement.function.span, message);
        }
    };
    let count = statement.args.len();
    if count < least || count > most {
        let message = format!(
            "{name}( ) prototype mismatch: {count} args passed, {} expected",
            if count < least { least } else { most }
        );
        return fail(ErrorTag::ProtoLen, span, message);
    }
    let weighed = match function {
        AggFunction::Quantize => count == 2,
        AggFunction::Lquantize { .. } => count == 5,
        AggFunction::Llquantize { .. } => count == 6,
        _ => false,
    };
    if weighed {
        let message = format!("{name}( ) with a weight is not supported yet");
        return fail(ErrorTag::Unsupported, span, message);
    }
    match function {
        AggFunction::Lquantize { .. } => lquantize(cx, &statement.args),
        AggFunction::Llquantize { .. } => llquantize(cx, &statement.args),
        other => Ok(other),
    }
}

fn parameter(cx: &mut Cx<'_, '_>, arg: &Expr, what: &str, wrong_type: ErrorTag) -> Checked<i64> {
    match cx.constant(arg)? {
        Some(value) => Ok(value),
        None => {
            let message = format!("{what} must be an integer constant");
            fail(wrong_type, arg.span, message)
        }
    }
}

fn lquantize(cx: &mut Cx<'_, '_>, args: &[Expr]) -> Checked<AggFunction> {
    let base = parameter(cx, &args[1], "lquantize( ) argument #2", ErrorTag::LquantBasetype)?;
    let limit = parameter(cx, &args[2], "lquantize( ) argument #3", ErrorTag::LquantLimtype)?;
    let step = match args.get(3) {
        Some(arg) => parameter(cx, arg, "lquantize( ) argument #4", ErrorTag::LquantSteptype)?,
        None => 1,
    };
    let span = args[1].span;
    let Ok(base) = i32::try_from(base) else {
        let message = "lquantize( ) argument #2 must be a 32-bit quantity";
        return fail(ErrorTag::LquantBaseval, span, message);
    };
    let Ok(limit) = i32::try_from(limit) else {
        let message = "lquantize( ) argument #3 must be a 32-bit quantity";
        return fail(ErrorTag::LquantLimval, args[2].span, message);
    };
    if limit < base {
        let message = format!(
            "lquantize( ) base (argument #2: {base}) must be less than limit \
                               (argument #3: {limit})"
        );
        return fail(ErrorTag::LquantMismatch, span, message);
    }
    let span = args.get(3).map_or(span, |arg| arg.span);
    let Some(step) = u16::try_from(step).ok().filter(|step| *step > 0) else {
        let message = "lquantize( ) step must be between 1 and 65535";
        return fail(ErrorTag::LquantStepval, span, message);
    };
    let levels = (i64::from(limit) - i64::from(base)) / i64::from(step);
    match u16::try_from(levels) {
        Ok(0) => {
            let message = format!(
                "lquantize( ) step (argument #4: {step}) too large: at least \
                                   one quantization level required"
            );
            fail(ErrorTag::LquantSteplarge, span, message)
        }
        Ok(levels) => Ok(AggFunction::Lquantize { base, levels, step }),
        Err(_) => {
            let message = format!(
                "lquantize( ) step (argument #4: {step}) too small: number of \
                                   quantization levels must be at most 65535"
            );
            fail(ErrorTag::LquantStepsmall, span, message)
        }
    }
}

fn llquantize(cx: &mut Cx<'_, '_>, args: &[Expr]) -> Checked<AggFunction> {
    let all = [
        ("factor (argument #2)", ErrorTag::LlquantFactortype, ErrorTag::LlquantFactorval),
        ("low magnitude (argument #3)", ErrorTag::LlquantLowtype, ErrorTag::LlquantLowval),
        ("high magnitude (argument #4)", ErrorTag::LlquantHightype, ErrorTag::LlquantHighval),
        ("steps (argument #5)", ErrorTag::LlquantNsteptype, ErrorTag::LlquantNstepval),
    ];
    let mut values = [0_u16; 4];
    for ((value, arg), (what, wrong_type, wrong_value)) in
        values.iter_mut().zip(&args[1..]).zip(all)
    {
        let found = parameter(cx, arg, &format!("llquantize( ) {what}"), wrong_type)?;
        *value = match u16::try_from(found) {
            Ok(fits) => fits,
            Err(_) => {
                let message = format!("llquantize( ) {what} must be an unsigned 16-bit quantity");
                return fail(wrong_value, arg.span, message);
            }
        };
    }
    let [factor, low, high, steps] = values;
    check_llquantize(factor, low, high, steps, args[1].span)?;
    Ok(AggFunction::Llquantize { factor, low, high, steps })
}

/// The rules of `llquantize`: what would have no buckets, or buckets that are no integers.
fn check_llquantize(factor: u16, low: u16, high: u16, steps: u16, span: Span) -> Checked<()> {
    if factor < 2 {
        let message = format!("llquantize( ) factor ({factor}) must be two or more");
        return fail(ErrorTag::LlquantFactorsmall, span, message);
    }
    if low >= high {
        let message = format!(
            "llquantize( ) high magnitude ({high}) must be greater than low \
                               magnitude ({low})"
        );
        return fail(ErrorTag::LlquantMagrange, span, message);
    }
    if steps < factor {
        let message = format!(
            "llquantize( ) factor ({factor}) must be less than or equal to the \
                               number of steps per magnitude ({steps})"
        );
        return fail(ErrorTag::LlquantFactornsteps, span, message);
    }
    let whole = u64::from(factor);
    let mut power = whole;
    while power < u64::from(steps) {
        power *= whole;
    }
    let steps_wide = u64::from(steps);
    if power % steps_wide != 0 && steps_wide % whole != 0 {
        let message = format!(
            "llquantize( ) factor ({factor}) must evenly divide the number of \
                               steps per magnitude ({steps})"
        );
        return fail(ErrorTag::LlquantFactoreven, span, message);
    }
    if u64::from(factor).checked_pow(u32::from(high) + 1).is_none() {
        let message = format!(
            "llquantize( ) high magnitude ({high}) exceeds what a 64-bit \
                               quantity can hold"
        );
        return fail(ErrorTag::LlquantMagtoobig, span, message);
    }
    Ok(())
}
