//! Format strings: taking them apart, and checking arguments against them.
//!
//! `%[flags][width][.precision][length]conversion`, where flags may also be `@` (the value of an
//! aggregation), `'` (thousands grouped) and `?` (as wide as a pointer in hexadecimal). The length
//! letters `h`, `l` and `L` say nothing: size and sign come from the argument. The arguments that a
//! format takes are numbered from 0 in the order in which it takes them, those for `*` included.

use crate::{
    error::ErrorTag,
    format::{Conversion, Count, Format, Piece},
};

/// The greatest width or precision that a format may name.
pub const MAX_WIDTH: u32 = 65_535;

/// The hexadecimal digits of a pointer: the width that `?` asks for.
const POINTER_DIGITS: u32 = 16;

/// A format, or its arguments, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormatError {
    /// Why.
    pub tag: ErrorTag,
    /// In words.
    pub message: String,
}

/// What a conversion takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Integer,
    /// An integer of at most four bytes.
    Char,
    Float,
    Address,
    UserAddress,
    Text,
    WideText,
    Stack,
    /// Nanoseconds: an integer of eight bytes.
    Time,
    /// An integer of two bytes in network byte order.
    Port,
}

/// Every conversion, and what it takes.
const CONVERSIONS: &[(&str, Takes)] = &[
    ("a", Takes::Address),
    ("A", Takes::UserAddress),
    ("c", Takes::Char),
    ("C", Takes::Char),
    ("d", Takes::Integer),
    ("e", Takes::Float),
    ("E", Takes::Float),
    ("f", Takes::Float),
    ("g", Takes::Float),
    ("G", Takes::Float),
    ("i", Takes::Integer),
    ("I", Takes::Text),
    ("k", Takes::Stack),
    ("o", Takes::Integer),
    ("p", Takes::Address),
    ("P", Takes::Port),
    ("s", Takes::Text),
    ("S", Takes::Text),
    ("T", Takes::Time),
    ("u", Takes::Integer),
    ("wc", Takes::Char),
    ("ws", Takes::WideText),
    ("x", Takes::Integer),
    ("X", Takes::Integer),
    ("Y", Takes::Time),
];

impl Takes {
    /// In words, for messages.
    fn prototype(self) -> &'static str {
        match self {
            Takes::Integer => "char, short, int, long, or long long",
            Takes::Char => "char, short, or int",
            Takes::Float => "float, double, or long double",
            Takes::Address => "pointer or integer",
            Takes::UserAddress => "pointer or integer (with -p/-c) or _usymaddr (without -p/-c)",
            Takes::Text => "char [] or string (or use stringof)",
            Takes::WideText => "wchar_t []",
            Takes::Stack => "stack",
            Takes::Time => "int64_t",
            Takes::Port => "uint16_t",
        }
    }

    fn accepts(self, class: ArgClass) -> bool {
        use ArgClass as C;
        match (self, class) {
            (Takes::Integer, C::Integer { .. })
            | (Takes::Float, C::Float)
            | (Takes::Address, C::Integer { .. } | C::Pointer | C::Symbol)
            | (Takes::UserAddress, C::Integer { .. } | C::Pointer | C::UserSymbol)
            | (Takes::Text, C::Text)
            | (Takes::WideText, C::WideText)
            | (Takes::Stack, C::Stack) => true,
            (Takes::Char, C::Integer { size }) => size <= 4,
            (Takes::Time, C::Integer { size }) => size == 8,
            (Takes::Port, C::Integer { size }) => size == 2,
            _ => false,
        }
    }
}

/// What an argument is, as far as formats care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgClass {
    /// An integer or enumeration.
    Integer {
        /// Its bytes.
        size: u64,
    },
    /// A pointer of any kind.
    Pointer,
    /// A floating-point number.
    Float,
    /// A string or an array of `char`.
    Text,
    /// An array of four-byte integers.
    WideText,
    /// `stack()`, `ustack()`, `jstack()`.
    Stack,
    /// `sym()`, `mod()`, `func()`.
    Symbol,
    /// `usym()`, `umod()`, `ufunc()`.
    UserSymbol,
    /// A struct, `void`, …: no conversion takes it.
    Other,
}

/// An argument for [`check_format`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatArg {
    /// What it is.
    pub class: ArgClass,
    /// Its type's name, for messages.
    pub type_name: String,
}

/// Who uses a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatUse<'a> {
    /// `printf`, `printa`, `system`, …
    pub function: &'a str,
    /// How many arguments the function has before the first that the format takes.
    pub offset: usize,
    /// `printa`: `%@` is possible, and arguments (keys) that the format does not take are none
    /// too many.
    pub aggregation: bool,
    /// `$target` is there (`-c`, `-p`): `%A` may take a mere number, as an address in it.
    pub target: bool,
}

/// Takes a format apart. Bytes that are not UTF-8 are replaced.
///
/// The empty format has no pieces; whether it may be used is for [`check_format`] to say.
///
/// # Errors
/// `D_SYNTAX` for a conversion that is not there or is malformed.
pub fn parse_format(text: impl AsRef<[u8]>) -> Result<Format, FormatError> {
    let text = String::from_utf8_lossy(text.as_ref()).into_owned();
    let mut reader = Reader { rest: &text, number: 0, args: 0, aggregations: 0 };
    let mut pieces = Vec::new();
    let mut literal = String::new();
    while let Some((before, after)) = reader.rest.split_once('%') {
        literal.push_str(before);
        reader.rest = after;
        reader.number += 1;
        if let Some(after) = after.strip_prefix('%') {
            reader.rest = after;
            literal.push('%');
            continue;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Conversion(reader.conversion()?));
    }
    literal.push_str(reader.rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Format { text, pieces })
}

/// Reads conversions, one after the other.
struct Reader<'a> {
    rest: &'a str,
    /// Number of the conversion, from 1, `%%` counted.
    number: usize,
    /// Arguments taken so far.
    args: usize,
    /// Aggregation values taken so far.
    aggregations: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, FormatError> {
        let message = format!("format conversion #{} {what}", self.number);
        Err(FormatError { tag: ErrorTag::Syntax, message })
    }

    /// What stands behind a `%`. Flags, width and precision may come in any order, as in DTrace.
    fn conversion(&mut self) -> Result<Conversion, FormatError> {
        let mut made = Conversion {
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            group: false,
            aggregation: false,
            width: None,
            precision: None,
            conversion: String::new(),
            arg: 0,
        };
        let (mut stars, mut dot, mut wide) = ([false; 2], false, false);
        loop {
            let Some(c) = self.rest.chars().next() else {
                return self.fail("name expected before end of format string");
            };
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            if c == '0' && !dot && made.width.is_none() {
                made.zero = true;
                made.left = false;
            } else if digits > 0 {
                let count = Some(Count::Fixed(self.number(digits)?));
                *(if dot { &mut made.precision } else { &mut made.width }) = count;
                continue;
            }
            match c {
                '0'..='9' => {}
                '#' => made.alternate = true,
                '+' => made.plus = true,
                ' ' => made.space = true,
                '\'' | ',' => made.group = true,
                '@' => made.aggregation = true,
                '?' => made.width = Some(Count::Fixed(POINTER_DIGITS)),
                '-' => {
                    made.left = true;
                    made.zero = false;
                }
                '.' if dot => return self.fail("has more than one '.' specified"),
                '.' => {
                    dot = true;
                    made.precision = Some(Count::Fixed(0));
                }
                '*' => {
                    let star = &mut stars[usize::from(dot)];
                    if std::mem::replace(star, true) {
                        let which = if dot { "precision" } else { "width" };
                        let what =
                            format!("has more than one '*' specified for the output {which}");
                        return self.fail(&what);
                    }
                }
                '$' => return self.fail("uses unsupported positional format (%n$)"),
                '%' => return self.fail("cannot be combined with other format flags: %%"),
                'h' | 'l' | 'L' => wide |= c == 'l',
                'w' => made.conversion.push('w'),
                other => {
                    self.rest = &self.rest[other.len_utf8()..];
                    return self.finish(made, other, stars, wide);
                }
            }
            self.rest = &self.rest[c.len_utf8()..];
        }
    }

    /// A width or precision of so many digits.
    fn number(&mut self, digits: usize) -> Result<u32, FormatError> {
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        match number.parse() {
            Ok(number) if number <= MAX_WIDTH => Ok(number),
            _ => self.fail(&format!("has a width or precision above {MAX_WIDTH}")),
        }
    }

    /// Names the conversion and numbers its arguments.
    fn finish(
        &mut self,
        mut made: Conversion,
        letter: char,
        [width, precision]: [bool; 2],
        wide: bool,
    ) -> Result<Conversion, FormatError> {
        // `%lc` and `%ls` are wide characters, as `%wc` and `%ws` are.
        if wide && matches!(letter, 'c' | 's') && made.conversion.is_empty() {
            made.conversion.push('w');
        }
        made.conversion.push(letter);
        if takes(&made.conversion).is_none() {
            return self.fail(&format!("is undefined: %{}", made.conversion));
        }
        if width {
            made.width = Some(Count::Arg(self.next_arg()));
        }
        if precision {
            made.precision = Some(Count::Arg(self.next_arg()));
        }
        if made.aggregation {
            made.arg = self.aggregations;
            self.aggregations += 1;
        } else {
            made.arg = self.next_arg();
        }
        Ok(made)
    }

    fn next_arg(&mut self) -> usize {
        self.args += 1;
        self.args - 1
    }
}

fn takes(conversion: &str) -> Option<Takes> {
    CONVERSIONS.iter().find(|(name, _)| *name == conversion).map(|&(_, takes)| takes)
}

/// Checks arguments against a format.
///
/// # Errors
/// `D_PRINTF_FMT_EMPTY` (not for `freopen`, where it undoes a redirection), `D_PRINTF_DYN_PROTO`,
/// `D_PRINTF_DYN_TYPE`, `D_PRINTF_AGG_CONV`, `D_PRINTF_ARG_PROTO`, `D_PRINTF_ARG_TYPE`,
/// `D_PRINTF_ARG_EXTRA`.
pub fn check_format(
    format: &Format,
    by: FormatUse<'_>,
    args: &[FormatArg],
) -> Result<(), FormatError> {
    if format.text.is_empty() && by.function != "freopen" {
        let message = format!("{}( ) format string is empty", by.function);
        return Err(FormatError { tag: ErrorTag::PrintfFmtEmpty, message });
    }
    let mut taken = 0;
    for (at, conversion) in format.conversions().enumerate() {
        for (count, name) in [(conversion.width, "*"), (conversion.precision, ".*")] {
            if let Some(Count::Arg(index)) = count {
                check_star(by, args.get(index), index, at + 1, name, conversion)?;
                taken = taken.max(index + 1);
            }
        }
        if conversion.aggregation {
            check_aggregation(by, at + 1, conversion)?;
        } else {
            check_value(by, args.get(conversion.arg), at + 1, conversion)?;
            taken = taken.max(conversion.arg + 1);
        }
    }
    if !by.aggregation && args.len() > taken {
        let message = format!(
            "{}( ) prototype mismatch: only {taken} arguments required by this format string",
            by.function
        );
        return Err(FormatError { tag: ErrorTag::PrintfArgExtra, message });
    }
    Ok(())
}

/// The argument of a `*`.
fn check_star(
    by: FormatUse<'_>,
    arg: Option<&FormatArg>,
    index: usize,
    number: usize,
    star: &str,
    conversion: &Conversion,
) -> Result<(), FormatError> {
    let (function, name) = (by.function, &conversion.conversion);
    let Some(arg) = arg else {
        let message = format!(
            "{function}( ) prototype mismatch: conversion #{number} (%{name}) is missing a \
             corresponding \"{star}\" argument"
        );
        return Err(FormatError { tag: ErrorTag::PrintfDynProto, message });
    };
    if matches!(arg.class, ArgClass::Integer { .. }) {
        return Ok(());
    }
    let message = format!(
        "{function}( ) argument #{} is incompatible with conversion #{number} prototype:\n\
         \tconversion: % {star} {name}\n\t prototype: int\n\t  argument: {}",
        index + by.offset + 1,
        arg.type_name
    );
    Err(FormatError { tag: ErrorTag::PrintfDynType, message })
}

/// A `%@…`: the value is an integer of eight bytes.
fn check_aggregation(
    by: FormatUse<'_>,
    number: usize,
    conversion: &Conversion,
) -> Result<(), FormatError> {
    if !by.aggregation {
        let message = format!(
            "%@ conversion requires an aggregation and is not for use with {}( )",
            by.function
        );
        return Err(FormatError { tag: ErrorTag::PrintfAggConv, message });
    }
    let value = FormatArg { class: ArgClass::Integer { size: 8 }, type_name: "int64_t".to_owned() };
    incompatible(by, "aggregating action", &value, number, conversion)
}

/// The argument of a conversion.
fn check_value(
    by: FormatUse<'_>,
    arg: Option<&FormatArg>,
    number: usize,
    conversion: &Conversion,
) -> Result<(), FormatError> {
    let Some(arg) = arg else {
        let message = format!(
            "{}( ) prototype mismatch: conversion #{number} (%{}) is missing a corresponding \
             value argument",
            by.function, conversion.conversion
        );
        return Err(FormatError { tag: ErrorTag::PrintfArgProto, message });
    };
    let name = format!("argument #{}", conversion.arg + by.offset + 1);
    incompatible(by, &name, arg, number, conversion)
}

/// Refuses a value that the conversion does not take.
fn incompatible(
    by: FormatUse<'_>,
    value: &str,
    arg: &FormatArg,
    number: usize,
    conversion: &Conversion,
) -> Result<(), FormatError> {
    let Some(takes) = takes(&conversion.conversion) else { return Ok(()) };
    let placed = takes != Takes::UserAddress || by.target || arg.class == ArgClass::UserSymbol;
    if takes.accepts(arg.class) && placed {
        return Ok(());
    }
    let message = format!(
        "{}( ) {value} is incompatible with conversion #{number} prototype:\n\
         \tconversion: %{}\n\t prototype: {}\n\t  argument: {}",
        by.function,
        conversion.conversion,
        takes.prototype(),
        arg.type_name
    );
    Err(FormatError { tag: ErrorTag::PrintfArgType, message })
}

impl Format {
    /// The conversions, in order.
    pub fn conversions(&self) -> impl Iterator<Item = &Conversion> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Conversion(conversion) => Some(conversion),
            Piece::Literal(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRINTF: FormatUse<'_> =
        FormatUse { function: "printf", offset: 1, aggregation: false, target: true };
    const PRINTA: FormatUse<'_> = FormatUse { function: "printa", aggregation: true, ..PRINTF };

    fn conversions(text: &str) -> Vec<Conversion> {
        parse_format(text).unwrap().conversions().cloned().collect()
    }

    fn arg(class: ArgClass) -> FormatArg {
        FormatArg { class, type_name: "some type".to_owned() }
    }

    fn int() -> FormatArg {
        arg(ArgClass::Integer { size: 4 })
    }

    fn checked(text: &str, by: FormatUse<'_>, args: &[FormatArg]) -> Result<(), ErrorTag> {
        check_format(&parse_format(text).unwrap(), by, args).map_err(|error| error.tag)
    }

    #[test]
    fn a_format_falls_into_literals_and_conversions() {
        let format = parse_format("a%%b%-8.3lld|%s").unwrap();
        let [Piece::Literal(a), Piece::Conversion(d), Piece::Literal(bar), Piece::Conversion(s)] =
            &format.pieces[..]
        else {
            panic!("{format:?}")
        };
        assert_eq!((a.as_str(), bar.as_str()), ("a%b", "|"));
        assert!(d.left && !d.zero && d.conversion == "d");
        assert_eq!((d.width, d.precision), (Some(Count::Fixed(8)), Some(Count::Fixed(3))));
        assert_eq!((d.arg, s.arg), (0, 1));
    }

    #[test]
    fn flags_widths_and_stars_are_read() {
        let all = conversions("%0#+ '5x %*.*d %?p %@u %.s %wc %ls %-05d");
        assert!(all[0].zero && all[0].alternate && all[0].plus && all[0].space && all[0].group);
        assert_eq!(all[0].width, Some(Count::Fixed(5)));
        assert_eq!((all[1].width, all[1].precision), (Some(Count::Arg(1)), Some(Count::Arg(2))));
        assert_eq!(all[1].arg, 3);
        assert_eq!((all[2].width, all[2].arg), (Some(Count::Fixed(16)), 4));
        assert!(all[3].aggregation && all[3].arg == 0);
        assert_eq!(all[4].precision, Some(Count::Fixed(0)));
        assert_eq!((all[5].conversion.as_str(), all[6].conversion.as_str()), ("wc", "ws"));
        assert!(all[7].zero && !all[7].left);
    }

    #[test]
    fn malformed_conversions_are_refused() {
        for text in
            ["%", "%5", "%l", "%n", "%q", "%1$d", "%5%", "%..d", "%**d", "%99999999d", "%z", "%é"]
        {
            assert_eq!(parse_format(text).unwrap_err().tag, ErrorTag::Syntax, "{text}");
        }
        assert_eq!(checked("", PRINTF, &[]), Err(ErrorTag::PrintfFmtEmpty));
        assert_eq!(checked("", FormatUse { function: "freopen", ..PRINTF }, &[]), Ok(()));
    }

    #[test]
    fn arguments_must_fit_their_conversions() {
        use ArgClass as C;
        let text = arg(C::Text);
        let args = [int(), text.clone(), arg(C::Stack), arg(C::Pointer), arg(C::Symbol)];
        assert_eq!(checked("%d %s %k %p %a", PRINTF, &args), Ok(()));
        assert_eq!(checked("%*d", PRINTF, &[int(), int()]), Ok(()));
        for (format, args, tag) in [
            ("%d", vec![], ErrorTag::PrintfArgProto),
            ("%d", vec![int(), int()], ErrorTag::PrintfArgExtra),
            ("%d", vec![text.clone()], ErrorTag::PrintfArgType),
            ("%s", vec![int()], ErrorTag::PrintfArgType),
            ("%s", vec![arg(C::Pointer)], ErrorTag::PrintfArgType),
            ("%Y", vec![int()], ErrorTag::PrintfArgType),
            ("%c", vec![arg(C::Integer { size: 8 })], ErrorTag::PrintfArgType),
            ("%d", vec![arg(C::Other)], ErrorTag::PrintfArgType),
            ("%*d", vec![], ErrorTag::PrintfDynProto),
            ("%*d", vec![text.clone(), int()], ErrorTag::PrintfDynType),
            ("%.*d", vec![int()], ErrorTag::PrintfArgProto),
            ("%@d", vec![int()], ErrorTag::PrintfAggConv),
        ] {
            assert_eq!(checked(format, PRINTF, &args), Err(tag), "{format}");
        }
    }

    #[test]
    fn printa_may_leave_keys_out_and_takes_values() {
        assert_eq!(checked("%@d %@u", PRINTA, &[int(), int()]), Ok(()));
        assert_eq!(checked("%d %@x", PRINTA, &[int(), int()]), Ok(()));
        assert_eq!(checked("%@s", PRINTA, &[]), Err(ErrorTag::PrintfArgType));
        assert_eq!(checked("%d %d", PRINTA, &[int()]), Err(ErrorTag::PrintfArgProto));
    }

    proptest! {
        #[test]
        fn no_format_panics_and_literals_survive(text in "(%[-0-9#+ '@?.*hlLw]{0,3}[a-zA-Z%]|.){0,12}") {
            if let Ok(format) = parse_format(&text) {
                prop_assert_eq!(format.text, text);
            }
        }

        #[test]
        fn text_without_percent_is_one_literal(text in "[^%]{1,40}") {
            let pieces = parse_format(&text).unwrap().pieces;
            prop_assert_eq!(pieces, vec![Piece::Literal(text)]);
        }
    }
}
