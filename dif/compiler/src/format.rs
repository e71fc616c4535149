//! Format strings of `printf`, `printa` and their like, taken apart once when compiled.
//!
//! `%[flags][width][.precision][length]conversion`. D ignores the length letters: size and sign
//! come from the argument. `%@` stands for an aggregation's value in `printa`.

use serde::{Deserialize, Serialize};

/// A format string in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// As the script wrote it, escapes resolved.
    pub text: String,
    /// In order.
    pub pieces: Vec<Piece>,
}

/// A piece of a format string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Text to print as it is.
    Literal(String),
    /// A value to print.
    Conversion(Conversion),
}

/// One `%…` of a format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// `-`: left-justified.
    pub left: bool,
    /// `+`: sign always.
    pub plus: bool,
    /// A space where a plus sign would be.
    pub space: bool,
    /// `#`: alternate form.
    pub alternate: bool,
    /// `0`: padded with zeroes.
    pub zero: bool,
    /// `'` or `,`: thousands are grouped.
    pub group: bool,
    /// `@`: in `printa`, the value of an aggregation and not an element of the key.
    pub aggregation: bool,
    /// Field width.
    pub width: Option<Count>,
    /// Precision.
    pub precision: Option<Count>,
    /// The conversion with its length letters dropped: one of `a c C d e E f g G i k o p P s S t
    /// T u wc ws x X Y y`, without `%%`, which is a literal.
    pub conversion: String,
    /// Which of the statement's `args` is printed. In `printa`: which element of the key, or,
    /// with `aggregation`, which of the aggregations (counted from 0; further ones than there are
    /// mean the last).
    pub arg: usize,
}

/// A width or precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Count {
    /// Written in the format.
    Fixed(u32),
    /// `*`: the statement's `args` element of this index.
    Arg(usize),
}
