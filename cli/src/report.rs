//! What `-v` says of programs and probes, in dtrace(1)'s words and layout.

use std::io::{self, Write};

use dlang::{
    stability::Attributes,
    world::{ArgType, ArgTypes},
};

use crate::scripts::{DescriptionReport, Script, described};

/// The least stable of what a program uses.
///
/// # Errors
/// If it cannot be written.
pub fn program(
    out: &mut dyn Write,
    program: &Script,
    known: &[&DescriptionReport],
) -> io::Result<()> {
    let least = |of: fn(&DescriptionReport) -> Attributes| {
        known.iter().map(|one| of(one)).reduce(Attributes::min)
    };
    // A saved program has lost its names, and with them how stable they were.
    let (Some(probe), Some(statements)) =
        (least(|one| one.report.probe), least(|one| one.report.statements))
    else {
        return Ok(());
    };
    writeln!(out, "\nStability attributes for {} {}:", program.what, program.name)?;
    attributes(out, "Minimum Probe Description Attributes", probe)?;
    attributes(out, "Minimum Statement Attributes", statements)
}

/// One description of a program.
///
/// # Errors
/// If it cannot be written.
pub fn description(out: &mut dyn Write, one: &DescriptionReport) -> io::Result<()> {
    writeln!(out, "\n{}", described(&one.desc))?;
    let types = match &one.types {
        ArgTypes::Typed(types) => &types[..],
        ArgTypes::Untyped | ArgTypes::Differ => &[],
    };
    probe(out, one.report.probe, one.report.args, types)
}

/// Attributes and arguments of a probe.
///
/// # Errors
/// If it cannot be written.
pub fn probe(
    out: &mut dyn Write,
    description: Attributes,
    args: Attributes,
    types: &[ArgType],
) -> io::Result<()> {
    attributes(out, "Probe Description Attributes", description)?;
    attributes(out, "Argument Attributes", args)?;
    writeln!(out, "\n\tArgument Types")?;
    if types.is_empty() {
        writeln!(out, "\t\tNone")?;
    }
    for (index, ty) in types.iter().enumerate() {
        writeln!(out, "\t\targs[{index}]: {}", ty.translated.as_ref().unwrap_or(&ty.native))?;
    }
    writeln!(out)
}

fn attributes(out: &mut dyn Write, heading: &str, attributes: Attributes) -> io::Result<()> {
    let Attributes { name, data, class } = attributes;
    writeln!(out, "\n\t{heading}")?;
    writeln!(out, "\t\tIdentifier Names: {name}")?;
    writeln!(out, "\t\tData Semantics:   {data}")?;
    writeln!(out, "\t\tDependency Class: {class}")
}
