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
        let name = &statement.name.name;
        let call = statement.function.name.as_str();
        cx.check_call(call, &statement.args, span)?;
        if !crate::sema::call::is_aggregating(call) {
            let message = format!(
                "@{name} must be assigned the result of an aggregating function: {call}( ) is none"
            );
            return fail(ErrorTag::AggFunc, statement.function.span, message);
        }
        cx.registry.check_function(name, call, span)?;
        Self::check_keys(cx, statement, span)?;
        let scalar = match statement.args.first() {
            Some(arg) => cx.expr(arg).map(|node| cx.is_scalar(&node))?,
            None => true,
        };
        if !scalar {
            let message = format!("{call}( ) argument #1 must be of scalar type");
            return fail(ErrorTag::AggScalar, span, message);
        }
        let first = self.actions.len();
        // The id is the key's first element; its number is known once the keys are.
        self.action(act::DIFEXPR, None, 0);
        let mut args = Vec::new();
        for (at, key) in statement.keys.iter().enumerate() {
            args.push(self.key(cx, &statement.name.name, at, key)?);
        }
        let function = function(cx, statement)?;
        let keys = args.iter().map(|arg| KeyInfo { kind: arg.kind.clone(), size: arg.size });
        let id = cx.registry.aggregate(name, function, keys.collect(), span)?;
        let id_difo = codegen::constant(u64::from(id.0), DifType::integer(4), span)?;
        if let Some((_, difo)) = self.actions.get_mut(first) {
            *difo = Some(id_difo);
        }
        let value = aggregated(cx, statement)?;
        self.weight(cx, statement, function, span)?;
        let ntuple = u32::try_from(self.actions.len() - first).unwrap_or(u32::MAX);
        let at = self.action(function.kind(), value, function.arg());
        if let Some((action, _)) = self.actions.get_mut(at) {
            action.ntuple = ntuple;
        }
        self.finish(StatementKind::Aggregate(id), first, args, span);
        Ok(())
    }

    /// The keys against those of the aggregation's first use.
    fn check_keys(cx: &mut Cx<'_, '_>, statement: &Aggregate, span: Span) -> Checked<()> {
        let name = &statement.name.name;
        let known = cx.agg_keys.get(name).cloned();
        if let Some(known) = &known
            && known.len() != statement.keys.len()
        {
            let count = statement.keys.len();
            let message = format!(
                "@{name}[ ] prototype mismatch: {count} key{} passed, {} expected",
                if count == 1 { "" } else { "s" },
                known.len()
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let mut types = Vec::new();
        for (at, key) in statement.keys.iter().enumerate() {
            let node = cx.expr(key)?;
            match known.as_ref().and_then(|known| known.get(at)) {
                Some(ty) if !cx.fits_type(*ty, &node) => {
                    let (want, have) = (cx.words(*ty), cx.words(node.ty));
                    let message = format!(
                        "@{name}[ ] key #{} is incompatible with prototype:\n\tprototype: {want}\n\t      key: {have}",
                        at + 1
                    );
                    return fail(ErrorTag::ProtoArg, key.span, message);
                }
                Some(_) => {}
                None => cx.want_key(&node, "aggregation", at, key.span)?,
            }
            types.push(node.ty);
        }
        if known.is_none() {
            cx.agg_keys.insert(name.clone(), types);
        }
        Ok(())
    }

    /// The weight of a quantizing function: computed last of the tuple, and recorded nowhere.
    fn weight(
        &mut self,
        cx: &mut Cx<'_, '_>,
        statement: &Aggregate,
        function: AggFunction,
        span: Span,
    ) -> Checked<()> {
        let (name, most) = match function {
            AggFunction::Quantize => ("quantize", 2),
            AggFunction::Lquantize { .. } => ("lquantize", 5),
            AggFunction::Llquantize { .. } => ("llquantize", 6),
            _ => return Ok(()),
        };
        let Some(weight) = statement.args.get(most - 1) else { return Ok(()) };
        let node = cx.expr(weight)?;
        if !cx.is_scalar(&node) {
            let message =
                format!("{name}( ) increment value (argument #{most}) must be of scalar type");
            return fail(ErrorTag::ProtoArg, weight.span, message);
        }
        let count = statement.args.len();
        if count > most {
            let message = format!(
                "{name}( ) prototype mismatch: {count} args passed, at most {most} expected"
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let difo = codegen::compile(&node, super::VOID)?;
        self.action(act::DIFEXPR, Some(difo), 0);
        Ok(())
    }

    /// One element of the key. A narrower integer than the aggregation's earlier uses had is
    /// widened; a wider one would be cut, which is refused by the registry.
    fn key(&mut self, cx: &mut Cx<'_, '_>, name: &str, at: usize, expr: &Expr) -> Checked<ArgInfo> {
        let key = self.datum(cx, expr, act::DIFEXPR)?;
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
}

/// The DIFO of what is aggregated.
fn aggregated(cx: &mut Cx<'_, '_>, statement: &Aggregate) -> Checked<Option<dif::difo::Difo>> {
    let Some(arg) = statement.args.first() else { return Ok(None) };
    let node = cx.expr(arg)?;
    codegen::compile(&node, DifType::integer(8)).map(Some)
}

/// The function with its constant parameters.
fn function(cx: &mut Cx<'_, '_>, statement: &Aggregate) -> Checked<AggFunction> {
    Ok(match statement.function.name.as_str() {
        "count" => AggFunction::Count,
        "min" => AggFunction::Min,
        "max" => AggFunction::Max,
        "avg" => AggFunction::Avg,
        "sum" => AggFunction::Sum,
        "stddev" => AggFunction::Stddev,
        "lquantize" => lquantize(cx, &statement.args)?,
        "llquantize" => llquantize(cx, &statement.args)?,
        _ => AggFunction::Quantize,
    })
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
    let base = parameter(cx, &args[1], "lquantize( ) argument #1", ErrorTag::LquantBasetype)?;
    let span = args[1].span;
    let Ok(base) = i32::try_from(base) else {
        let message = "lquantize( ) argument #1 must be a 32-bit quantity";
        return fail(ErrorTag::LquantBaseval, span, message);
    };
    let limit = parameter(cx, &args[2], "lquantize( ) argument #2", ErrorTag::LquantLimtype)?;
    let Ok(limit) = i32::try_from(limit) else {
        let message = "lquantize( ) argument #2 must be a 32-bit quantity";
        return fail(ErrorTag::LquantLimval, args[2].span, message);
    };
    if limit < base {
        let message = format!(
            "lquantize( ) base (argument #1: {base}) must be less than limit \
                               (argument #2: {limit})"
        );
        return fail(ErrorTag::LquantMismatch, span, message);
    }
    let mut step = 1_u16;
    if let Some(arg) = args.get(3) {
        let given = parameter(cx, arg, "lquantize( ) argument #3", ErrorTag::LquantSteptype)?;
        if given <= 0 {
            let message = "lquantize( ) argument #3 must be a non-zero positive integer constant";
            return fail(ErrorTag::LquantSteptype, arg.span, message);
        }
        let Ok(given) = u16::try_from(given) else {
            let message = "lquantize( ) argument #3 must be a 16-bit quantity";
            return fail(ErrorTag::LquantStepval, arg.span, message);
        };
        step = given;
    }
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
    if steps_wide % whole != 0 || power % steps_wide != 0 {
        let message = format!(
            "llquantize( ) factor ({factor}) must evenly divide the number of \
                               steps per magnitude ({steps})"
        );
        return fail(ErrorTag::LlquantFactoreven, span, message);
    }
    if u64::from(factor).checked_pow(u32::from(high)).is_none() {
        let message = format!(
            "llquantize( ) high magnitude ({high}) exceeds what a 64-bit \
                               quantity can hold"
        );
        return fail(ErrorTag::LlquantMagtoobig, span, message);
    }
    Ok(())
}
