//! `printf()`, and `printa()` with a format: executing a parsed format over data.
//!
//! The compiler has checked conversions against types, so what remains is C's layout with D's
//! rules: the length letters are ignored, `%d` takes its sign from the argument, `%p` prints no
//! `0x`, and `%@…` stands for an aggregation's value.

use dlang::{
    compiled::ValueKind,
    format::{Conversion, Format, Piece},
};

use super::{
    Context, Datum, Field,
    aggregate::Value,
    escape::escape,
    stack, time,
    user::{self, Part},
};

/// What a format's conversions refer to.
pub trait Arguments {
    /// The datum of an argument; `None` if the record is too short for it.
    fn datum(&self, index: usize) -> Option<Datum<'_>>;

    /// The value of an aggregation (`%@d`); an index beyond the last means the last.
    fn aggregation(&self, index: usize) -> Option<Value<'_>>;
}

/// A conversion found no datum: the record does not hold what its program says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("argument {0} of a format is missing from its record")]
pub struct MissingArgument(pub usize);

/// Prints a format over its arguments.
///
/// # Errors
/// [`MissingArgument`]; what was printed up to there stays in `out`.
pub fn print(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    format: &Format,
    arguments: &dyn Arguments,
) -> Result<(), MissingArgument> {
    for piece in &format.pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Conversion(conversion) => convert(out, context, conversion, arguments)?,
        }
    }
    Ok(())
}

fn convert(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    conversion: &Conversion,
    arguments: &dyn Arguments,
) -> Result<(), MissingArgument> {
    let field =
        Field::new(conversion, |index| arguments.datum(index).map_or(0, |datum| datum.integer()));
    let missing = MissingArgument(conversion.arg);
    if conversion.aggregation {
        let value = arguments.aggregation(conversion.arg).ok_or(missing)?;
        aggregation(out, context, &field, &conversion.conversion, &value);
    } else {
        let datum = arguments.datum(conversion.arg).ok_or(missing)?;
        one(out, context, &field, &conversion.conversion, &datum);
    }
    Ok(())
}

/// A distribution is drawn whatever the conversion; everything else is one number.
fn aggregation(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    field: &Field,
    letter: &str,
    value: &Value<'_>,
) {
    match value.number() {
        Some(number) => {
            let kind = ValueKind::Integer { signed: true };
            let bytes = number.to_le_bytes();
            one(out, context, field, letter, &Datum { kind: &kind, bytes: &bytes });
        }
        None => value.draw(out, context),
    }
}

fn one(out: &mut Vec<u8>, context: &Context<'_>, field: &Field, letter: &str, datum: &Datum<'_>) {
    let raw = || datum.unsigned().unwrap_or(0);
    let user_name = |part| user::name(context, datum.bytes, part);
    match (datum.kind, letter) {
        (ValueKind::Stack { .. }, _) => stack::print(out, context, datum, Some(field)),
        (ValueKind::UserStack { frames, strsize }, _) => {
            let frames = user::frames(datum.bytes, *frames, *strsize);
            user::stack(out, context, datum.bytes, frames, Some(field));
        }
        (ValueKind::UserSymbol, _) => field.text(out, user_name(Part::Symbol).as_bytes()),
        (ValueKind::UserModule, _) => field.text(out, user_name(Part::Object).as_bytes()),
        (ValueKind::UserAddress, _) => field.text(out, user_name(Part::Address).as_bytes()),
        (ValueKind::StackText, "k") => stack::lines(out, context, datum.text()),
        (ValueKind::Symbol, _) => field.text(out, context.symbol_name(raw()).as_bytes()),
        (ValueKind::Module, _) => field.text(out, context.module_name(raw()).as_bytes()),
        (ValueKind::Integer { signed: true }, "d") => field.signed(out, datum.integer()),
        // %i takes its argument as signed whatever it is, %d asks it.
        (_, "i") => field.signed(out, datum.signed()),
        // The port's name is for the resolver to say; dtrace(1) prints the number as it lies.
        (_, "d" | "u" | "P") => field.unsigned(out, raw()),
        (_, "x" | "p") => field.hexadecimal(out, raw(), false),
        (_, "X") => field.hexadecimal(out, raw(), true),
        (_, "o") => field.octal(out, raw()),
        (_, "c") => field.text(out, datum.bytes.get(..1).unwrap_or_default()),
        (_, "C") => escaped(out, field, datum.bytes.get(..1).unwrap_or_default()),
        (_, "S") => escaped(out, field, datum.text()),
        (_, "a") => field.text(out, context.address(raw()).as_bytes()),
        (_, "A") => field.text(out, format!("{:#x}", raw()).as_bytes()),
        (_, "Y" | "y") => field.text(out, time::calendar(raw()).as_bytes()),
        (_, "T" | "t") => field.text(out, time::rfc822(raw()).as_bytes()),
        (_, "wc" | "ws") => field.text(out, wide(datum.bytes).as_bytes()),
        (_, "e" | "E" | "f" | "F" | "g" | "G") => real(out, field, letter, datum),
        _ => field.text(out, datum.text()),
    }
}

fn escaped(out: &mut Vec<u8>, field: &Field, bytes: &[u8]) {
    let mut text = Vec::new();
    escape(&mut text, bytes);
    field.text(out, &text);
}

/// UTF-32 up to the first zero.
fn wide(bytes: &[u8]) -> String {
    bytes
        .chunks_exact(4)
        .filter_map(|unit| unit.try_into().ok())
        .map(u32::from_le_bytes)
        .take_while(|&unit| unit != 0)
        .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn real(out: &mut Vec<u8>, field: &Field, letter: &str, datum: &Datum<'_>) {
    let value = match *datum.bytes {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => f64::from_bits(datum.unsigned().unwrap_or(0)),
    };
    let precision = field.precision.unwrap_or(6);
    let text = match letter {
        "f" | "F" => format!("{value:.precision$}"),
        "e" | "E" => exponential(value, precision),
        _ => shortest(value, precision, field.alternate),
    };
    let upper = letter.bytes().all(|b| b.is_ascii_uppercase());
    field.real(out, &if upper { text.to_uppercase() } else { text.to_lowercase() });
}

/// C's `%e`: a sign and at least two digits in the exponent.
fn exponential(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// C's `%g`: the shorter of `%e` and `%f`, without trailing zeroes unless `#` is given.
fn shortest(value: f64, precision: usize, alternate: bool) -> String {
    let text = exponential(value, precision - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let trim = |digits: &str| -> String {
        if alternate || !digits.contains('.') {
            return digits.to_owned();
        }
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match exponent.parse::<i64>().map(|e| (e, usize::try_from(precision_left(precision, e)))) {
        Ok((-4.., Ok(decimals))) => trim(&format!("{value:.decimals$}")),
        _ => format!("{}e{exponent}", trim(mantissa)),
    }
}

fn precision_left(precision: usize, exponent: i64) -> i64 {
    i64::try_from(precision).unwrap_or(i64::MAX).saturating_sub(1).saturating_sub(exponent)
}

#[cfg(test)]
mod tests {
    use dlang::{compiled::AggFunction, format::Count};

    use super::*;
    use crate::format::tests::context;

    struct Args(Vec<(ValueKind, Vec<u8>)>, Vec<(AggFunction, Vec<i64>, u64)>);

    impl Arguments for Args {
        fn datum(&self, index: usize) -> Option<Datum<'_>> {
            self.0.get(index).map(|(kind, bytes)| Datum { kind, bytes })
        }

        fn aggregation(&self, index: usize) -> Option<Value<'_>> {
            let (function, words, normal) = self.1.get(index).or(self.1.last())?;
            Some(Value { function: *function, words, normal: *normal })
        }
    }

    fn conversion(letter: &str, arg: usize) -> Conversion {
        Conversion {
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            group: false,
            aggregation: false,
            width: None,
            precision: None,
            conversion: letter.into(),
            arg,
        }
    }

    fn printed(pieces: Vec<Piece>, args: &Args) -> String {
        let mut out = Vec::new();
        let format = Format { text: String::new(), pieces };
        print(&mut out, &context(), &format, args).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn show(letter: &str, kind: ValueKind, bytes: &[u8]) -> String {
        let args = Args(vec![(kind, bytes.to_vec())], vec![]);
        printed(vec![Piece::Conversion(conversion(letter, 0))], &args)
    }

    const SIGNED: ValueKind = ValueKind::Integer { signed: true };
    const UNSIGNED: ValueKind = ValueKind::Integer { signed: false };

    /// The sign of `%d` and the size of everything come from the argument.
    #[test]
    fn sign_and_size_come_from_the_argument() {
        assert_eq!(show("d", SIGNED, &[0xff]), "-1");
        assert_eq!(show("d", UNSIGNED, &[0xff]), "255");
        assert_eq!(show("i", UNSIGNED, &[0xff]), "-1");
        assert_eq!(show("P", UNSIGNED, &[0x50, 0]), "80");
        assert_eq!(show("u", SIGNED, &[0xff, 0xff, 0xff, 0xff]), "4294967295");
        assert_eq!(show("x", SIGNED, &[0xff, 0xff]), "ffff");
        assert_eq!(show("p", ValueKind::Pointer, &0xdead_beef_u64.to_le_bytes()), "deadbeef");
    }

    /// Addresses and symbols are named, `%c` and `%C` print a byte, `%S` escapes.
    #[test]
    fn other_conversions_print_their_kind() {
        assert_eq!(show("a", UNSIGNED, &0x1010_u64.to_le_bytes()), "kernel`vfs_read+0x10");
        assert_eq!(show("a", ValueKind::Symbol, &0x1010_u64.to_le_bytes()), "kernel`vfs_read");
        assert_eq!(show("s", ValueKind::Module, &0x9010_u64.to_le_bytes()), "ext4");
        assert_eq!(show("c", SIGNED, &65_u32.to_le_bytes()), "A");
        assert_eq!(show("C", SIGNED, &10_u32.to_le_bytes()), "\\n");
        assert_eq!(show("S", ValueKind::String, b"a\tb\0c"), "a\\tb");
        assert_eq!(show("ws", ValueKind::Bytes, &[104, 0, 0, 0, 105, 0, 0, 0, 0, 0, 0, 0]), "hi");
    }

    /// Floating-point layouts are C's.
    #[test]
    fn reals_are_laid_out_as_in_c() {
        let real = |letter, value: f64| show(letter, ValueKind::Bytes, &value.to_le_bytes());
        assert_eq!(real("f", 1.5), "1.500000");
        assert_eq!(real("e", 12345.678), "1.234568e+04");
        assert_eq!(real("E", 0.00012), "1.200000E-04");
        assert_eq!(real("g", 0.0001), "0.0001");
        assert_eq!(real("g", 1e10), "1e+10");
        assert_eq!(real("g", 100_000.0), "100000");
        assert_eq!(real("f", -0.5), "-0.500000");
        assert_eq!(real("f", f64::INFINITY), "inf");
    }

    /// Width and precision may be arguments; a negative width justifies to the left.
    #[test]
    fn stars_take_arguments() {
        let star = Conversion { width: Some(Count::Arg(0)), ..conversion("d", 1) };
        let args = |width: i32| {
            let width = (SIGNED, width.to_le_bytes().to_vec());
            Args(vec![width, (SIGNED, 42_i32.to_le_bytes().to_vec())], vec![])
        };
        let pieces = || vec![Piece::Conversion(star.clone()), Piece::Literal("|".into())];
        assert_eq!(printed(pieces(), &args(5)), "   42|");
        assert_eq!(printed(pieces(), &args(-5)), "42   |");
        assert_eq!(printed(pieces(), &args(i32::MAX)).len(), super::super::MAX_WIDTH + 1);
    }

    /// `%@d` prints the aggregation's normalised value; further ones repeat the last.
    #[test]
    fn aggregations_print_their_value() {
        let of = |arg| Piece::Conversion(Conversion { aggregation: true, ..conversion("d", arg) });
        let args = Args(
            vec![],
            vec![(AggFunction::Sum, vec![-30], 10), (AggFunction::Avg, vec![4, 10], 1)],
        );
        let space = || Piece::Literal(" ".into());
        assert_eq!(printed(vec![of(0), space(), of(1), space(), of(2)], &args), "-3 2 2");
    }

    /// A record that is too short is an error, not a guess.
    #[test]
    fn a_missing_argument_is_an_error() {
        let mut out = Vec::new();
        let pieces = vec![Piece::Conversion(conversion("d", 3))];
        let format = Format { text: String::new(), pieces };
        let result = print(&mut out, &context(), &format, &Args(vec![], vec![]));
        assert_eq!(result, Err(MissingArgument(3)));
    }
}
