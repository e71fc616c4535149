//! Structured output: what records and aggregations are for programs, as FreeBSD's dtrace(1) has it
//! (`oformat`, `--libxo`; the manual's section STRUCTURED OUTPUT).
//!
//! ```text
//!  record ──▶ Value (an object) ──▶ Document ──▶ {"dtrace": {"probes": [ … ]}}
//!                                           ├──▶ <dtrace><probes>…</probes></dtrace>
//!                                           └──▶ <div class="line">…</div>
//! ```
//! A record becomes an object of its own at once, so a session may go on for as long as it likes. D
//! strings need not be UTF-8, and no format has a place for such bytes: they are shown as U+FFFD.

use dlang::compiled::{AggFunction, ValueKind};
use serde_json::{Map, Value, json};

use super::{
    Context, Datum,
    aggregate::Value as Aggregate,
    datum,
    quantize::buckets,
    user::{self, Part},
};

/// How output is structured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The language.
    pub style: Style,
    /// With line breaks and indentation.
    pub pretty: bool,
}

/// What the structure is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// RFC 8259.
    Json,
    /// XML 1.0.
    Xml,
    /// Elements of an HTML page.
    Html,
}

impl Structure {
    /// Reads what `oformat` is set to: a style, and whether it is to be pretty. `Some(None)` is
    /// text, without structure.
    #[must_use]
    pub fn parse(text: &str) -> Option<Option<Self>> {
        let (mut style, mut pretty) = (None, false);
        for word in text.split(',') {
            match word {
                "json" => style = Some(Style::Json),
                "xml" => style = Some(Style::Xml),
                "html" => style = Some(Style::Html),
                "text" | "none" => style = None,
                "pretty" => pretty = true,
                _ => return None,
            }
        }
        Some(style.map(|style| Self { style, pretty }))
    }
}

/// Text as all formats can hold it.
fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

/// What `trace()` and its like make of a datum: an object.
#[must_use]
pub fn object(context: &Context<'_>, datum: &Datum<'_>) -> Value {
    let word = || datum.words().next().unwrap_or(0);
    let pair = |part| user::name(context, datum.bytes, part);
    match datum.kind {
        ValueKind::Stack { .. } => {
            json!({ "stack-frames": datum.words().take_while(|&pc| pc != 0).map(|pc| frame(context, pc)).collect::<Vec<_>>() })
        }
        ValueKind::StackText => {
            let lines = datum.text().split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            json!({ "stack-frames": lines.map(|line| json!({ "symbol": text(line) })).collect::<Vec<_>>() })
        }
        ValueKind::UserStack { frames, strsize } => {
            let most = user::frames(datum.bytes, *frames, *strsize);
            json!({ "ustack-frames": user_frames(context, datum, most) })
        }
        ValueKind::UserSymbol => json!({ "usym": pair(Part::Symbol) }),
        ValueKind::UserModule => json!({ "umod": pair(Part::Object) }),
        ValueKind::UserAddress => json!({ "uaddr": pair(Part::Address) }),
        ValueKind::Symbol => symbol(context, word()),
        ValueKind::Module => json!({ "mod": context.module_name(word()) }),
        _ => json!({ "value": value(datum) }),
    }
}

/// A datum that is no address: a number, text, or bytes in hexadecimal.
fn value(datum: &Datum<'_>) -> Value {
    match (datum.kind, datum.unsigned()) {
        (ValueKind::String | ValueKind::CharArray, _) => text(datum.text()),
        (ValueKind::Integer { signed: true }, Some(_)) => datum.integer().into(),
        (_, Some(number)) => number.into(),
        (_, None) => {
            let digits = datum.bytes.iter().map(|byte| format!("{byte:02x}"));
            Value::String(digits.collect())
        }
    }
}

/// `sym()`: its text, and that in parts.
fn symbol(context: &Context<'_>, address: u64) -> Value {
    let name = context.symbol_name(address);
    match context.symbols.lookup(address) {
        Some(found) => json!({ "sym": name, "object": found.module, "name": found.name }),
        None => json!({ "sym": name, "offset": format!("{address:#x}") }),
    }
}

fn frame(context: &Context<'_>, address: u64) -> Value {
    let words = context.address(address);
    match context.symbols.lookup(address) {
        Some(found) => {
            let offset = format!("{:#x}", address.saturating_sub(found.start));
            json!({ "symbol": words, "module": found.module, "name": found.name, "offset": offset })
        }
        None => json!({ "symbol": words, "offset": words }),
    }
}

fn user_frames(context: &Context<'_>, datum: &Datum<'_>, most: usize) -> Vec<Value> {
    let mut words = datum.words();
    let pid = u32::try_from(words.next().unwrap_or(0)).unwrap_or(u32::MAX);
    let addresses: Vec<u64> = words.take(most).take_while(|&pc| pc != 0).collect();
    let names = context.users.resolve(context.machine, pid, &addresses);
    let object = |(at, address): (usize, &u64)| match names.get(at) {
        Some(Some(found)) => {
            let offset = format!("{:#x}", found.offset);
            let words = format!("{}`{}+{offset}", found.object, found.symbol);
            json!({ "symbol": words, "module": found.object, "name": found.symbol, "offset": offset })
        }
        _ => json!({ "symbol": format!("{address:#x}"), "offset": format!("{address:#x}") }),
    };
    addresses.iter().enumerate().map(object).collect()
}

/// A dump of memory, as `tracemem()` and `printm()` show it, under the action's name.
#[must_use]
pub fn dump(action: &str, bytes: &[u8]) -> Value {
    let mut out = Vec::new();
    datum::dump(&mut out, bytes);
    let mut object = Map::new();
    object.insert(action.to_owned(), text(out.trim_ascii()));
    Value::Object(object)
}

/// Some text under a name.
#[must_use]
pub fn named(name: &str, bytes: &[u8]) -> Value {
    let mut object = Map::new();
    object.insert(name.to_owned(), text(bytes));
    Value::Object(object)
}

/// One key of an aggregation with its value.
#[must_use]
pub fn entry(context: &Context<'_>, key: &[Datum<'_>], value: &Aggregate<'_>) -> Value {
    let keys: Vec<Value> = key.iter().map(|element| object(context, element)).collect();
    let mut entry = Map::new();
    entry.insert("keys".to_owned(), Value::Array(keys));
    match value.number() {
        Some(number) => entry.insert(function(value.function).to_owned(), number.into()),
        None => {
            let buckets = buckets(value).unwrap_or_default().into_iter();
            let object = |(label, count): (String, i64)| {
                let label = label.parse::<i64>().map_or_else(|_| label.into(), Value::from);
                json!({ "value": label, "count": count })
            };
            entry.insert("buckets".to_owned(), buckets.map(object).collect())
        }
    };
    Value::Object(entry)
}

/// An aggregation: its entries and its name.
#[must_use]
pub fn aggregation(name: &str, entries: Vec<Value>) -> Value {
    json!({ "aggregation-data": entries, "aggregation-name": name })
}

const fn function(function: AggFunction) -> &'static str {
    match function {
        AggFunction::Count => "count",
        AggFunction::Sum => "sum",
        AggFunction::Min => "min",
        AggFunction::Max => "max",
        AggFunction::Avg => "avg",
        AggFunction::Stddev => "stddev",
        AggFunction::Quantize => "quantize",
        AggFunction::Lquantize { .. } => "lquantize",
        AggFunction::Llquantize { .. } => "llquantize",
    }
}

/// The document that all objects of a session lie in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Document {
    begun: bool,
    objects: u64,
}

impl Document {
    /// Adds an object to the list of probes.
    pub fn add(&mut self, out: &mut Vec<u8>, structure: Structure, object: &Value) {
        self.begin(out, structure);
        let first = self.objects == 0;
        self.objects += 1;
        match structure.style {
            Style::Json => {
                if !first {
                    out.push(b',');
                }
                json_text(out, structure.pretty, object);
            }
            Style::Xml => element(out, "probes", object, structure.pretty.then_some(1)),
            Style::Html => {
                out.extend_from_slice(b"<div class=\"line\">\n");
                leaves(out, "output", object);
                out.extend_from_slice(b"</div>\n");
            }
        }
    }

    /// Ends it, though there was nothing.
    pub fn end(&mut self, out: &mut Vec<u8>, structure: Structure) {
        self.begin(out, structure);
        out.extend_from_slice(match (structure.style, structure.pretty) {
            (Style::Json, false) => b"]}}\n",
            (Style::Json, true) => b"\n    ]\n  }\n}\n",
            (Style::Xml, _) => b"</dtrace>\n",
            (Style::Html, _) => b"",
        });
    }

    fn begin(&mut self, out: &mut Vec<u8>, structure: Structure) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        out.extend_from_slice(match (structure.style, structure.pretty) {
            (Style::Json, false) => b"{\"dtrace\": {\"probes\": [".as_slice(),
            (Style::Json, true) => b"{\n  \"dtrace\": {\n    \"probes\": [",
            (Style::Xml, false) => b"<?xml version=\"1.0\"?><dtrace>",
            (Style::Xml, true) => b"<?xml version=\"1.0\"?>\n<dtrace>\n",
            (Style::Html, _) => b"",
        });
    }
}

fn json_text(out: &mut Vec<u8>, pretty: bool, object: &Value) {
    if pretty {
        let text = format!("{object:#}");
        out.extend(text.lines().flat_map(|line| [b"\n      ", line.as_bytes()].concat()));
    } else {
        out.extend_from_slice(object.to_string().as_bytes());
    }
}

/// An element for a value; one for each value of a list.
fn element(out: &mut Vec<u8>, name: &str, value: &Value, depth: Option<usize>) {
    let indent = "  ".repeat(depth.unwrap_or(0));
    let end = if depth.is_some() { "\n" } else { "" };
    let mut line = |text: &str| out.extend_from_slice(format!("{indent}{text}{end}").as_bytes());
    match value {
        Value::Array(values) => values.iter().for_each(|value| element(out, name, value, depth)),
        Value::Object(members) => {
            line(&format!("<{name}>"));
            for (name, value) in members {
                element(out, name, value, depth.map(|depth| depth + 1));
            }
            out.extend_from_slice(format!("{indent}</{name}>{end}").as_bytes());
        }
        leaf => match leaf_text(leaf).as_str() {
            "" => line(&format!("<{name}/>")),
            text => line(&format!("<{name}>{text}</{name}>")),
        },
    }
}

/// HTML knows no nesting here: every number and text is a `div` with its name.
fn leaves(out: &mut Vec<u8>, name: &str, value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| leaves(out, name, value)),
        Value::Object(members) => members.iter().for_each(|(name, value)| leaves(out, name, value)),
        leaf => {
            let text = leaf_text(leaf);
            let div = format!("<div class=\"data\" data-tag=\"{name}\">{text}</div>\n");
            out.extend_from_slice(div.as_bytes());
        }
    }
}

/// A number or text with the markup's characters escaped; what XML has no place for is U+FFFD.
fn leaf_text(leaf: &Value) -> String {
    let text = match leaf {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;
    use proptest::prelude::*;

    const fn structure(style: Style, pretty: bool) -> Structure {
        Structure { style, pretty }
    }

    fn document(structure: Structure, objects: &[Value]) -> String {
        let (mut document, mut out) = (Document::default(), Vec::new());
        objects.iter().for_each(|object| document.add(&mut out, structure, object));
        document.end(&mut out, structure);
        String::from_utf8(out).expect("text")
    }

    /// A session without a record is a document, too.
    #[test]
    fn an_empty_document_is_one() {
        let empty = |style, pretty| document(structure(style, pretty), &[]);
        assert_eq!(empty(Style::Json, false), "{\"dtrace\": {\"probes\": []}}\n");
        let value: Value = serde_json::from_str(&empty(Style::Json, true)).expect("JSON");
        assert_eq!(value, json!({ "dtrace": { "probes": [] } }));
        assert_eq!(empty(Style::Xml, false), "<?xml version=\"1.0\"?><dtrace></dtrace>\n");
    }

    /// Lists are repeated elements, what is empty is an element without content, and markup is
    /// escaped.
    #[test]
    fn xml_is_as_libxo_has_it() {
        let object = json!({ "module": "", "output": [{ "value": 1 }, { "value": "a<b" }] });
        assert_eq!(
            document(structure(Style::Xml, true), &[object]),
            "<?xml version=\"1.0\"?>\n<dtrace>\n  <probes>\n    <module/>\n    <output>\n      \
             <value>1</value>\n    </output>\n    <output>\n      <value>a&lt;b</value>\n    \
             </output>\n  </probes>\n</dtrace>\n"
        );
    }

    /// HTML is flat.
    #[test]
    fn html_is_a_line_of_data() {
        let object = json!({ "cpu": 0, "output": [{ "value": "x" }] });
        assert_eq!(
            document(structure(Style::Html, false), &[object]),
            "<div class=\"line\">\n<div class=\"data\" data-tag=\"cpu\">0</div>\n\
             <div class=\"data\" data-tag=\"value\">x</div>\n</div>\n"
        );
    }

    /// Addresses come with their parts.
    #[test]
    fn frames_have_parts() {
        let kind = ValueKind::Stack { frames: 2 };
        let bytes = [0x1010_u64, 5].map(u64::to_le_bytes).concat();
        let got = object(&context(), &Datum { kind: &kind, bytes: &bytes });
        assert_eq!(
            got,
            json!({ "stack-frames": [
                { "symbol": "kernel`vfs_read+0x10", "module": "kernel", "name": "vfs_read", "offset": "0x10" },
                { "symbol": "0x5", "offset": "0x5" },
            ] })
        );
    }

    /// The words of `oformat`.
    #[test]
    fn styles_are_read() {
        assert_eq!(Structure::parse("json"), Some(Some(structure(Style::Json, false))));
        assert_eq!(Structure::parse("pretty,xml"), Some(Some(structure(Style::Xml, true))));
        assert_eq!(Structure::parse("none"), Some(None));
        assert_eq!(Structure::parse("yaml"), None);
    }

    proptest! {
        /// Whatever a string holds, JSON stays JSON and gives back what it was given, and XML holds
        /// no character that it has no place for.
        #[test]
        fn no_bytes_break_a_document(bytes in prop::collection::vec(any::<u8>(), 0..40), pretty: bool) {
            let kind = ValueKind::String;
            let object = object(&context(), &Datum { kind: &kind, bytes: &bytes });
            let json = document(structure(Style::Json, pretty), &[object.clone(), object.clone()]);
            let read: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read["dtrace"]["probes"][1], &object);
            let xml = document(structure(Style::Xml, pretty), &[object]);
            let forbidden = |letter: char| letter.is_control() && !"\n\t\r".contains(letter);
            prop_assert!(!xml.contains(forbidden));
            prop_assert_eq!(xml.matches('<').count(), xml.matches('>').count());
        }
    }
}
