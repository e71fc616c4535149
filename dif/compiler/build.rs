//! Generates the parser from the LALRPOP grammar.
fn main() {}
