//! Provider declarations: `provider name { probe foo(int x) : (int x); };`.
//!
//! A program's own probes are declared so. The script that holds one makes no probe by it: what is
//! checked here is that the declaration is one that the program could be built with.

use std::collections::HashSet;

use super::{Checked, Cx, fail};
use crate::{
    ast::{BaseType, Param, Params, ProbeDecl, Provider, TypeKind},
    error::ErrorTag,
    source::Span,
};

/// The longest provider's or probe's name, in bytes.
const MAX_NAME: usize = 63;
/// A probe has at most so many arguments.
const MAX_ARGS: usize = 255;

impl Cx<'_, '_> {
    /// Checks a provider's declaration.
    pub(crate) fn define_provider(&mut self, provider: &Provider) -> Checked<()> {
        let mut known = HashSet::new();
        for probe in &provider.probes {
            self.check_probe(probe)?;
            let name = probe.name.name.replace("__", "-");
            if !known.insert(name.clone()) {
                let message = format!("probe redeclared: {}:{name}", provider.name.name);
                return fail(ErrorTag::ProvPrdup, probe.span, message);
            }
        }
        check_name("provider", &provider.name.name, provider.name.span)?;
        if provider.name.name.ends_with(|c: char| c.is_ascii_digit()) {
            let message = format!("provider name may not end with a digit: {}", provider.name.name);
            return fail(ErrorTag::ProvBadname, provider.name.span, message);
        }
        Ok(())
    }

    fn check_probe(&mut self, probe: &ProbeDecl) -> Checked<()> {
        check_name("probe", &probe.name.name, probe.name.span)?;
        check_params(&probe.args, "probe input")?;
        for param in &probe.args.list {
            self.type_expr(&param.ty)?;
        }
        let Some(output) = &probe.translated else { return Ok(()) };
        check_params(output, "probe output")?;
        for param in output.list.iter().filter(|param| !is_void(param)) {
            let Some(name) = &param.name else {
                let message = "parameter declaration requires a name";
                return fail(ErrorTag::DeclProtoName, param.span, message);
            };
            let input = probe
                .args
                .list
                .iter()
                .find(|input| input.name.as_ref().is_some_and(|known| known.name == name.name));
            let Some(input) = input else {
                let message =
                    format!("parameter is not declared in probe output prototype: {}", name.name);
                return fail(ErrorTag::DeclProtoForm, param.span, message);
            };
            self.check_translation(input, param)?;
        }
        Ok(())
    }

    /// What a script sees must be what the program passes, or a translator makes it.
    fn check_translation(&mut self, input: &Param, output: &Param) -> Checked<()> {
        let (from, to) = (self.type_expr(&input.ty)?, self.type_expr(&output.ty)?);
        let made = self.words(to);
        let made = made.trim_end_matches('*').trim();
        let ints = self.is_integer_type(from) && self.is_integer_type(to);
        let texts = self.is_text_type(from) && self.is_text_type(to);
        if ints || texts || self.types_alike(from, to) || self.find_translator(made, from).is_some()
        {
            return Ok(());
        }
        let (from, to) = (self.words(from), self.words(to));
        let message = format!("translator for probe argument from {from} to {to} is not defined");
        fail(ErrorTag::ProvPrxlator, output.span, message)
    }
}

fn is_void(param: &Param) -> bool {
    matches!(param.ty.kind, TypeKind::Base(BaseType::Void))
}

fn check_name(what: &str, name: &str, span: Span) -> Checked<()> {
    if name.contains('`') {
        let message = format!("{what} name may not contain scoping operator: {name}");
        return fail(ErrorTag::ProvBadname, span, message);
    }
    if name.len() > MAX_NAME {
        let message = format!("{what} name may not exceed {MAX_NAME} characters: {name}");
        return fail(ErrorTag::ProvBadname, span, message);
    }
    Ok(())
}

fn check_params(params: &Params, kind: &str) -> Checked<()> {
    if params.varargs {
        let span = params.list.first().map_or_else(Span::default, |param| param.span);
        let message = format!("{kind} prototype may not use a variable-length argument list");
        return fail(ErrorTag::DeclProtoVarargs, span, message);
    }
    super::declare::check_prototype(params, kind, true)?;
    match params.list.get(MAX_ARGS) {
        Some(beyond) => {
            let message = format!(
                "{kind} prototype exceeds {MAX_ARGS} parameters: {} used",
                params.list.len()
            );
            fail(ErrorTag::ProvPrarglen, beyond.span, message)
        }
        None => Ok(()),
    }
}
