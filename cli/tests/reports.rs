//! What `dtrace` says of a script and of probes beside what they trace: `-d`, `-v`, `-lv`.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::process::{Command, Output};

fn dtrace(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dtrace")).args(words).output().unwrap()
}

fn printed(words: &[&str]) -> String {
    let output = dtrace(words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `-d` shows the clauses that `if` and `else` make, and the script runs all the same; with `-e` it
/// is only shown.
#[test]
fn the_script_without_its_sugar() {
    let script = "BEGIN { if (1 > 2) { printf(\"more\\n\"); } else { exit(0); } }";
    let first = ":::BEGIN\n{\n        ((this->%error) = 0x0);\n}\n\n";
    let decision = ":::BEGIN\n/!((this->%error))/\n{\n        ((this->%error) = 0x1);\n        \
         ((this->%condition_1) = (0x1 && (0x1 > 0x2)));\n        \
         ((this->%condition_2) = (0x1 && !((this->%condition_1))));\n        \
         ((this->%error) = 0x0);\n}\n\n";
    let branch = |condition, what| {
        format!(
            ":::BEGIN\n/(!((this->%error)) && (this->%condition_{condition}))/\n{{\n        \
             ((this->%error) = 0x1);\n        {what};\n        ((this->%error) = 0x0);\n}}\n\n"
        )
    };
    let (then, otherwise) = (branch(1, "printf(\"more\\n\")"), branch(2, "exit(0x0)"));
    let shown = format!("{first}{decision}{then}{otherwise}");
    assert_eq!(printed(&["-qden", script]), shown);
    assert_eq!(printed(&["-qdn", script]), format!("{shown}\n"));
}

/// `-v` reports the least stable of what a program uses, in the guide's own layout and for its own
/// example.
#[test]
fn the_stability_of_a_program() {
    let script = "dtrace:::BEGIN { x = (uint64_t)curthread; exit(0); }";
    let report = "\nStability attributes for description dtrace:::BEGIN :\n\
        \n\tMinimum Probe Description Attributes\n\
        \t\tIdentifier Names: Stable\n\
        \t\tData Semantics:   Stable\n\
        \t\tDependency Class: Common\n\
        \n\tMinimum Statement Attributes\n\
        \t\tIdentifier Names: Stable\n\
        \t\tData Semantics:   Private\n\
        \t\tDependency Class: Common\n";
    assert_eq!(printed(&["-qvn", script]), format!("{report}\n\n"));
    let each = "\ndtrace:::BEGIN\n\
        \n\tProbe Description Attributes\n\
        \t\tIdentifier Names: Stable\n\
        \t\tData Semantics:   Stable\n\
        \t\tDependency Class: Common\n\
        \n\tArgument Attributes\n\
        \t\tIdentifier Names: Stable\n\
        \t\tData Semantics:   Stable\n\
        \t\tDependency Class: Common\n\
        \n\tArgument Types\n\
        \t\tNone\n\n";
    assert_eq!(printed(&["-evn", script]), format!("{report}{each}"));
}

/// `-lv`: every probe has its attributes and its arguments' types below it.
#[test]
fn the_stability_of_a_probe() {
    let listed = printed(&["-lvn", "dtrace:::ERROR"]);
    let (_, probe) = listed.split_once("ERROR\n").unwrap();
    assert!(
        probe.starts_with(
            "\n\tProbe Description Attributes\n\t\tIdentifier Names: Stable\n\t\tData Semantics:   \
             Stable\n\t\tDependency Class: Common\n\n\tArgument Attributes\n"
        ),
        "{probe}"
    );
    assert!(probe.contains("\n\tArgument Types\n\t\t"), "{probe}");
}

/// A program that uses what is below `amin` does not compile, whether the limit is the command
/// line's or its own.
#[test]
fn a_limit_of_stability() {
    let refused = |words: &[&str]| {
        let output = dtrace(words);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let script = "dtrace:::BEGIN { x = (uint64_t)curthread; exit(0); }";
    let message = "in action list: attributes for scalar curthread (Stable/Private/Common) are less \
                   than predefined minimum";
    let limited = ["-xerrtags", "-xamin=evolving/evolving/common", "-n", script];
    let error = refused(&limited);
    assert!(error.contains(message) && error.contains("[D_ATTR_MIN]"), "{error}");
    let own = format!("#pragma D option amin=Evolving/Evolving/Common\n{script}");
    assert!(refused(&["-n", &own]).contains(message));
    assert!(refused(&["-xamin=high", "-n", script]).contains("Invalid value for specified option"));
    printed(&["-q", "-xamin=Stable/Private/Common", "-n", script]);
}
