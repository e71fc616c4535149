//! `json(s, key)`: a value out of a JSON text.
//!
//! The key is a path: names separated by dots, subscripts in brackets (`a.b[2].c`). Values come
//! back as they stand in the text; strings without their quotes, escapes left as they are. The
//! scanner counts brackets instead of recursing, so that no nesting can exhaust a stack, and
//! passes over each byte at most once a path element.

use super::{arg, new_substring, scratch_back};
use crate::{
    env::{Env, Fault, TupleElement},
    string::{self, Text},
};

type Range = (usize, usize);

fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// The place behind the string whose opening quote is at `at`.
fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The place behind the value that starts at `at`.
fn skip_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => skip_string(text, at),
        b'{' | b'[' => skip_nested(text, at),
        _ => {
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            let rest = text.get(at..)?;
            let len = rest.iter().position(ends).unwrap_or(rest.len());
            (len > 0).then_some(at + len)
        }
    }
}

fn skip_nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The place behind the comma that follows a value, or `None` where the container ends.
fn next_member(text: &[u8], at: usize) -> Option<usize> {
    let at = skip_blanks(text, at);
    (text.get(at) == Some(&b',')).then(|| skip_blanks(text, at + 1))
}

/// The value of `name` in the object at `at`.
fn member(text: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    if text.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = skip_blanks(text, at + 1);
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let end = skip_string(text, at)?;
        let found = text.get(at + 1..end - 1) == Some(name);
        at = skip_blanks(text, end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = skip_blanks(text, at + 1);
        if found {
            return Some(at);
        }
        at = next_member(text, skip_value(text, at)?)?;
    }
}

/// The element `subscript` of the array at `at`.
fn element(text: &[u8], at: usize, subscript: &[u8]) -> Option<usize> {
    let mut left: usize = core::str::from_utf8(subscript).ok()?.parse().ok()?;
    if text.get(at) != Some(&b'[') {
        return None;
    }
    let mut at = skip_blanks(text, at + 1);
    while left > 0 {
        at = next_member(text, skip_value(text, at)?)?;
        left -= 1;
    }
    (text.get(at) != Some(&b']')).then_some(at)
}

/// The range of the value at the path.
fn find(text: &[u8], path: &[u8]) -> Option<Range> {
    let mut at = skip_blanks(text, 0);
    let mut rest = path;
    while let Some(&first) = rest.first() {
        if first == b'[' {
            let close = rest.iter().position(|byte| *byte == b']')?;
            at = element(text, at, rest.get(1..close)?)?;
            rest = rest.get(close + 1..)?;
        } else {
            let rest_of = if first == b'.' { rest.get(1..)? } else { rest };
            let len = rest_of.iter().position(|byte| matches!(byte, b'.' | b'['));
            let len = len.unwrap_or(rest_of.len());
            at = member(text, at, rest_of.get(..len)?)?;
            rest = rest_of.get(len..)?;
        }
    }
    let end = skip_value(text, at)?;
    Some(if text.get(at) == Some(&b'"') { (at + 1, end - 1) } else { (at, end) })
}

/// `json(s, key)`: in scratch, or 0 if the text has no such value.
pub(super) fn json<E: Env + ?Sized>(env: &mut E, args: &[TupleElement]) -> Result<u64, Fault> {
    let (addr, path) = (arg(args, 0)?, arg(args, 1)?);
    let found = scratch_back(env, |env| {
        let (text, path) = (Text::fetch(env, addr)?, Text::fetch(env, path)?);
        Ok(find(text.bytes(env)?, path.bytes(env)?))
    })?;
    match found {
        Some((start, end)) => {
            new_substring(env, string::offset(addr, start), end.saturating_sub(start))
        }
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value<'a>(text: &'a str, path: &str) -> Option<&'a str> {
        find(text.as_bytes(), path.as_bytes()).map(|(start, end)| &text[start..end])
    }

    /// Names, subscripts and every kind of value.
    #[test]
    fn values_are_found_by_path() {
        let text = r#"{ "a": {"b" : [1, -2.5e3, {"c": "x\"y"}]}, "t":true, "n": null, "": 5 }"#;
        assert_eq!(value(text, "a.b[0]"), Some("1"));
        assert_eq!(value(text, "a.b[1]"), Some("-2.5e3"));
        assert_eq!(value(text, "a.b[2].c"), Some(r#"x\"y"#));
        assert_eq!(value(text, "a.b[2]"), Some(r#"{"c": "x\"y"}"#));
        assert_eq!(value(text, "t"), Some("true"));
        assert_eq!(value(text, "n"), Some("null"));
        assert_eq!(value("[[7]]", "[0][0]"), Some("7"));
    }

    /// What is not there, and what is not JSON, is not found.
    #[test]
    fn the_absent_is_absent() {
        let text = r#"{"a": [1, 2], "s": "x"}"#;
        for path in ["b", "a[2]", "a[x]", "s.t", "a.b", "[0]", "a["] {
            assert_eq!(value(text, path), None, "{path}");
        }
        for text in ["", "{", r#"{"a"#, r#"{"a":"#, "[1,", "[]", "]"] {
            assert_eq!(value(text, "a[0]"), None, "{text}");
        }
        for text in ["", "[", "[]", "{}", "]"] {
            assert_eq!(value(text, "[0]"), None, "{text}");
        }
    }

    proptest! {
        /// Hostile texts and paths never panic, and ranges lie inside the text.
        #[test]
        fn nonsense_is_survived(text in r#"[\[\]{}":,\\ab0. ]{0,60}"#, path in r"[\[\].ab019]{0,12}") {
            if let Some((start, end)) = find(text.as_bytes(), path.as_bytes()) {
                prop_assert!(start <= end && end <= text.len());
            }
        }
    }
}
