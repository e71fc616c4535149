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
