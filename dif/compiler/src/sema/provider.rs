//! Provider declarations: `provider name { probe foo(int x) : (int x); };`.
//!
//! A program's own probes are declared so. The script that holds one makes no probe by it: what is
//! checked here is that the declaration is one that the program could be built with.

use std::collections::{HashMap, HashSet};

use dif::program::ProbeDesc;

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
        self.redefine_provider(provider)
    }

    /// A provider that is known already, be it from the script or as one that there is, may be
    /// declared again with the probes that it has, and as they are.
    fn redefine_provider(&mut self, provider: &Provider) -> Checked<()> {
        let name = &provider.name.name;
        let mut probes = HashMap::new();
        for probe in &provider.probes {
            let seen = probe.translated.as_ref().unwrap_or(&probe.args);
            let mut types = Vec::new();
            for param in seen.list.iter().filter(|param| !is_void(param)) {
                let ty = self.type_expr(&param.ty)?;
                types.push(self.words(ty));
            }
            probes.insert(probe.name.name.replace("__", "-"), types);
        }
        let known = self.providers.get(name).cloned();
        for probe in &provider.probes {
            let (plain, span) = (probe.name.name.replace("__", "-"), probe.span);
            let full = format!("{name}:{plain}");
            let before = match &known {
                Some(known) => known.get(&plain),
                None if !self.has_provider(name) || self.has_probe(name, &plain) => continue,
                None => None,
            };
            let Some(before) = before else {
                let message = format!(
                    "provider interface mismatch: {name}\n\t current: probe {full} defined\n\t\
                     previous: probe {full} not defined"
                );
                return fail(ErrorTag::ProvIncompat, span, message);
            };
            if probes.get(&plain) != Some(before) {
                let now = probes.get(&plain).map_or_else(String::new, |types| types.join(", "));
                let message = format!(
                    "probe {full} output prototype mismatch:\n\t current: {now}\n\tprevious: {}",
                    before.join(", ")
                );
                return fail(ErrorTag::ProvIncompat, span, message);
            }
        }
        if known.is_none() {
            self.providers.insert(name.clone(), probes);
        }
        Ok(())
    }

    fn has_provider(&self, name: &str) -> bool {
        self.has_probe(name, "")
    }

    fn has_probe(&self, provider: &str, name: &str) -> bool {
        let (provider, name) = (provider.to_owned(), name.to_owned());
        self.world.matches(&ProbeDesc { provider, name, ..ProbeDesc::default() }) > 0
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
