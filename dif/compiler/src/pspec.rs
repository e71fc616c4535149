//! Probe descriptions: `provider:module:function:name`.
//!
//! Fields are aligned to the right: the last one given is the one that the kind of specifier names
//! (`-P`: provider, …, `-n` and scripts: name), missing ones on the left match everything. With
//! `-E` there is one more field on the far left, the target. `$target`, `$1` and the like are
//! replaced inside a field after the fields were split, so that a value with a colon cannot shift
//! them.

use dif::program::ProbeDesc;

use crate::{
    error::{Error, ErrorTag},
    macros::Macros,
    source::{Span, SpecKind},
};

/// The longest provider, module or name, in bytes.
const MAX_FIELD: usize = 63;
/// The longest function, in bytes.
const MAX_FUNCTION: usize = 191;
/// The longest target, in bytes.
const MAX_TARGET: usize = 255;

/// Reads a probe description.
///
/// # Errors
/// `D_PDESC_INVAL` if it has too many fields or one that is too long, `D_MACRO_UNDEF` if a macro
/// variable in it is not defined.
pub fn parse_probe_desc(
    text: &str,
    span: Span,
    kind: SpecKind,
    with_target: bool,
    macros: &Macros,
) -> Result<ProbeDesc, Error> {
    let invalid = |why: &str| {
        let message = format!("invalid probe description \"{text}\": {why}");
        Error::new(ErrorTag::PdescInval, span, message)
    };
    let mut desc = ProbeDesc::default();
    let most = match kind {
        SpecKind::Provider => 1,
        SpecKind::Module => 2,
        SpecKind::Function => 3,
        SpecKind::Name | SpecKind::Id => 4,
    };
    for (place, field) in text.rsplit(':').enumerate() {
        // Counted from the right, where 4 is the target whatever the last field is.
        let place = place + 4 - most;
        if place > 4 {
            return Err(invalid("Overspecified probe description"));
        }
        if place == 4 && !with_target {
            return Err(invalid(
                "Overspecified probe description (a leading target: needs the option -E)",
            ));
        }
        let value = expand(field, span, macros)?;
        let (slot, limit) = match place {
            0 => (&mut desc.name, MAX_FIELD),
            1 => (&mut desc.function, MAX_FUNCTION),
            2 => (&mut desc.module, MAX_FIELD),
            3 => (&mut desc.provider, MAX_FIELD),
            _ => (&mut desc.target, MAX_TARGET),
        };
        if value.len() > limit {
            return Err(invalid(&format!("a field has more than {limit} bytes")));
        }
        *slot = value;
    }
    Ok(desc)
}

/// Replaces `$name` and `$1` in a field.
fn expand(field: &str, span: Span, macros: &Macros) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let after = after.strip_prefix('$').unwrap_or(after);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = if digits > 0 { digits } else { after.bytes().take_while(word).count() };
        let (name, tail) = after.split_at(length);
        if digits > 0 {
            let index = name.parse().unwrap_or(usize::MAX);
            out.push_str(macros.arg(index, span)?.unwrap_or_default());
        } else {
            out.push_str(&macros.named(name, span)?.to_string());
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str, kind: SpecKind, with_target: bool) -> Result<[String; 5], ErrorTag> {
        let mut macros = Macros::new().with_args(["x.d", "a:b"]);
        macros.set("target", 42);
        let desc = parse_probe_desc(text, Span::default(), kind, with_target, &macros);
        desc.map(|d| [d.target, d.provider, d.module, d.function, d.name]).map_err(|e| e.tag)
    }

    fn row(fields: [&str; 5]) -> Result<[String; 5], ErrorTag> {
        Ok(fields.map(str::to_owned))
    }

    #[test]
    fn fields_align_to_the_right() {
        let name = |text| fields(text, SpecKind::Name, false);
        assert_eq!(name("entry"), row(["", "", "", "", "entry"]));
        assert_eq!(name("read:entry"), row(["", "", "", "read", "entry"]));
        assert_eq!(name("syscall:::"), row(["", "syscall", "", "", ""]));
        assert_eq!(fields("a:b", SpecKind::Module, false), row(["", "a", "b", "", ""]));
        assert_eq!(fields("a", SpecKind::Provider, false), row(["", "a", "", "", ""]));
        assert_eq!(fields("b:f", SpecKind::Function, false), row(["", "", "b", "f", ""]));
    }

    #[test]
    fn the_target_is_the_fifth_field_from_the_right() {
        let name = |text| fields(text, SpecKind::Name, true);
        assert_eq!(name("vm-*:io:::start"), row(["vm-*", "io", "", "", "start"]));
        assert_eq!(name("syscall:::entry"), row(["", "syscall", "", "", "entry"]));
        assert_eq!(fields("vm:io", SpecKind::Provider, true), row(["vm", "io", "", "", ""]));
        assert_eq!(name("a:b:c:d:e:f"), Err(ErrorTag::PdescInval));
    }

    #[test]
    fn five_fields_without_e_are_told_about_it() {
        let text = "vm-0:io:::start";
        let macros = Macros::new();
        let error = parse_probe_desc(text, Span::default(), SpecKind::Name, false, &macros);
        let error = error.unwrap_err();
        assert_eq!(error.tag, ErrorTag::PdescInval);
        assert!(error.message.contains("-E"), "{}", error.message);
    }

    #[test]
    fn macro_variables_are_replaced_within_their_field() {
        let name = |text| fields(text, SpecKind::Name, false);
        assert_eq!(name("pid$target::f:entry"), row(["", "pid42", "", "f", "entry"]));
        assert_eq!(name("a:$1:b:c"), row(["", "a", "a:b", "b", "c"]));
        assert_eq!(name("pid$nosuch:::"), Err(ErrorTag::MacroUndef));
        assert_eq!(name("pid$:::"), Err(ErrorTag::MacroUndef));
        assert_eq!(name("x$9"), Err(ErrorTag::MacroUndef));
    }

    #[test]
    fn a_field_has_a_greatest_length() {
        let long = "x".repeat(64);
        assert_eq!(fields(&long, SpecKind::Name, false), Err(ErrorTag::PdescInval));
        assert!(fields(&format!("{long}:y"), SpecKind::Name, false).is_ok());
    }
}
