//! What `dtrace` says to a command line before, and instead of, tracing: words and status.
#![expect(clippy::unwrap_used, reason = "helpers of a test: a failure here is the test's")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

fn dtrace(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dtrace")).args(words).output().unwrap()
}

/// Standard output, standard error, status.
fn said(words: &[&str]) -> (String, String, i32) {
    let Output { stdout, stderr, status } = dtrace(words);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap())
}

/// Standard error's first line of an invocation that ends with this status and prints nothing.
fn refused(words: &[&str], status: i32) -> String {
    let (out, err, ended) = said(words);
    assert_eq!((out.as_str(), ended), ("", status), "{words:?}: {err}");
    err.lines().next().unwrap_or_default().to_owned()
}

/// Without a program there is nothing to do, but options and processes are looked at before.
#[test]
fn without_a_program() {
    assert_eq!(refused(&["-q"], 1), "dtrace: no probes specified");
    assert_eq!(refused(&["-e"], 0), "");
    assert_eq!(
        refused(&["-x", "nosuch"], 1),
        "dtrace: failed to set -x nosuch: Invalid option name"
    );
    assert_eq!(
        refused(&["-c", "/nosuch/program"], 1).split(": ").last(),
        Some("No such file or directory")
    );
    let set = |words: &[&str]| refused(words, 1);
    assert_eq!(
        set(&["-b", "-n", "BEGIN"]),
        "dtrace: failed to set -b -n: Invalid value for specified option"
    );
}

/// The version is the language's; the project's own is `hypertrace version`'s to tell.
#[test]
fn the_version() {
    assert_eq!(said(&["-V"]), ("dtrace: Sun D 1.13\n".to_owned(), String::new(), 0));
}

/// Of two that set one option, the last counts.
#[test]
fn options_are_set_in_order() {
    let program = "BEGIN { printf(\"x\"); exit(0); }";
    assert_eq!(said(&["-x", "quiet=off", "-qn", program]).0, "x\n");
    assert!(said(&["-q", "-x", "quiet=off", "-n", program]).0.contains("FUNCTION:NAME"));
}

/// Numbers of processes are read as strtol(3) reads them.
#[test]
fn processes_are_named_by_number() {
    let grab = |pid| refused(&["-p", pid, "-n", "BEGIN"], 1);
    assert_eq!(grab("12x"), "dtrace: invalid pid: 12x");
    assert_eq!(grab("-7"), "dtrace: failed to grab pid -7: No such process");
    assert_eq!(grab("0"), "dtrace: failed to grab pid 0: No such process");
}

/// Probes named by number, where that is allowed and where not.
#[test]
fn probes_are_named_by_number() {
    let words = "invalid probe specifier 3: probe identifier 3 not permitted when specifying";
    for (letter, what) in [("-P", "providers"), ("-m", "modules"), ("-f", "functions")] {
        assert_eq!(refused(&[letter, "3"], 1), format!("dtrace: {words} {what}"));
    }
    let unknown = "dtrace: invalid probe specifier 9999999: invalid probe identifier 9999999: \
                   Unknown probe identifier";
    assert_eq!(refused(&["-i", "9999999"], 1), unknown);
    assert_eq!(refused(&["-l", "-i", "9999999"], 1), unknown);
    let fields = refused(&["-n", "a:b:c:d:e:f"], 1);
    let words = "dtrace: invalid probe specifier a:b:c:d:e:f: invalid probe description \
                 \"a:b:c:d:e:f\": Overspecified probe description";
    assert!(fields.starts_with(words), "{fields}");
}

/// Programs whose probes are listed must be right; that nothing matches is no error.
#[test]
fn listed_programs_are_compiled() {
    let wrong = refused(&["-x", "errtags", "-ln", "BEGIN { trace(nosuch); }"], 1);
    assert!(wrong.contains("[D_IDENT_UNDEF]"), "{wrong}");
    let (out, err, status) = said(&["-ln", "nosuch:::x { trace(1); }", "-n", "dtrace:::END{}"]);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(err, "dtrace: failed to match nosuch:::x: No probe matches description\n");
    assert_eq!(status, 0);
}

/// A list of everything has the timed probes that FreeBSD's provider makes unasked.
#[test]
fn everything_is_listed() {
    let (out, _, status) = said(&["-l"]);
    let heading = "   ID   PROVIDER            MODULE                          FUNCTION NAME";
    assert_eq!((out.lines().next(), status), (Some(heading), 0));
    let timed: Vec<&str> = out.lines().filter(|line| line.contains(" profile ")).collect();
    assert_eq!(timed.len(), 13, "{timed:?}");
    assert!(timed.iter().any(|line| line.ends_with(" tick-5000")));
}

/// Each program must use the last argument.
#[test]
fn arguments_are_used_by_every_program() {
    let words = ["-n", "BEGIN { trace($1); }", "-n", "END { trace(1); }", "5"];
    assert_eq!(
        refused(&words, 1),
        "dtrace: invalid probe specifier END { trace(1); }: extraneous argument '5' ($1 is not \
         referenced)"
    );
}

/// A reader that has seen enough ends `dtrace` without a word, as SIGPIPE would.
#[test]
fn nobody_reads() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
    command.args(["-qx", "switchrate=1ms", "-n", "tick-1ms { printf(\"more\\n\"); }"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "more\n");
    assert_eq!((output.status.code(), &*output.stderr), (Some(141), &b""[..]));
}

/// A device that is full is named in the system's words.
#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrace"));
    command.args(["-qn", "BEGIN { exit(0); }"]).stdout(full);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text, "dtrace: failed to write to <stdout>: No space left on device\n");
    let file = refused(&["-o", "/nosuch/file", "-n", "BEGIN { exit(0); }"], 1);
    assert_eq!(
        file,
        "dtrace: failed to open output file '/nosuch/file': No such file or directory"
    );
    let object = refused(&["-e", "-o", "/nosuch/file", "-n", "BEGIN { exit(0); }"], 1);
    assert_eq!(object, file);
}

/// A command ends with the session that it was started for.
#[test]
#[cfg(target_os = "linux")]
fn a_command_does_not_outlive_tracing() {
    let (out, _, status) = said(&[
        "-qc",
        "sleep 1000",
        "-n",
        "tick-10ms { exit(0); }",
        "-n",
        "END { printf(\"%d\", $target); }",
    ]);
    assert_eq!(status, 0);
    let pid: u32 = out.trim().parse().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

/// Buffers are made smaller where memory does not suffice, and only those that are used are told of.
#[test]
fn buffers_are_lowered() {
    let run = |option: &str, program: &str| said(&["-q", "-x", option, "-n", program]);
    let (plain, feeds) = ("BEGIN { exit(0); }", "BEGIN { @ = count(); exit(0); }");
    let (_, err, status) = run("aggsize=1t", feeds);
    assert!(err.starts_with("dtrace: aggregation size lowered to ") && status == 0, "{err}");
    assert_eq!(run("aggsize=1t", plain).1, "");
    assert_eq!(run("specsize=1t", plain).1, "");
    let (_, err, status) = run("dynvarsize=1t", plain);
    assert!(err.starts_with("dtrace: dynamic variable size lowered to ") && status == 0, "{err}");
    let manual = said(&["-qx", "bufresize=manual", "-b", "1t", "-n", plain]);
    let none = "dtrace: could not enable tracing: Cannot allocate memory\n";
    assert_eq!((manual.1.as_str(), manual.2), (none, 1));
    let small = "dtrace: could not enable tracing: Enabling exceeds size of buffer\n";
    for option in ["bufsize=7", "aggsize=7"] {
        assert_eq!(run(option, feeds).1, small);
    }
    assert_eq!(run("aggsize=7", plain).1, "");
    let end = said(&["-qx", "bufpolicy=fill", "-b", "16", "-n", "BEGIN,END { printf(\"x\"); }"]);
    let text = "dtrace: could not enable tracing: END enablings exceed size of principal buffer\n";
    assert_eq!(end.1, text);
}

/// `raise()` in BEGIN sends `dtrace` itself a signal; what only guests can be asked is refused.
#[test]
fn destructive_actions_of_the_hosts_own_probes() {
    let (out, err, status) = said(&["-wqn", "BEGIN { raise(2); } END { printf(\"end\\n\"); }"]);
    assert_eq!((out.as_str(), err.as_str(), status), ("\nend\n\n", "", 0));
    let panic = refused(&["-wqn", "BEGIN { panic(); }"], 1);
    let why = "dtrace:::BEGIN: panic() cannot run: it is for guests, not for the host";
    assert_eq!(panic, format!("dtrace: could not enable tracing: {why}"));
}

/// `-S` lists objects as dtrace(1) does.
#[test]
fn the_listing_of_objects() {
    let (_, err, status) = said(&["-Sen", "BEGIN { self->y = 1; }"]);
    let (address, rest) = err.strip_prefix("\nDIFO 0x").unwrap().split_once(' ').unwrap();
    assert!(status == 0 && u64::from_str_radix(address, 16).is_ok());
    assert_eq!(
        rest,
        "returns D type (integer) (size 0)\n\
         OFF OPCODE      INSTRUCTION\n\
         00: 25000001    setx DT_INTEGER[0], %r1\t\t! 0x1\n\
         01: 2d050001    stts %r1, DT_VAR(1280)\t\t! DT_VAR(1280) = \"y\"\n\
         02: 23000001    ret  %r1\n\
         \nNAME             ID   KND SCP FLAG TYPE\n\
         y                1280 scl tls w    D type (integer) (size 4)\n"
    );
}

/// A saved program is limited to a CPU like any other.
#[test]
#[cfg(target_os = "linux")]
fn saved_programs_on_one_cpu() {
    let object = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-cpu.o");
    let object = object.to_str().unwrap();
    let program = "profile-1000 { @[cpu] = count(); } tick-300ms { exit(0); }";
    assert_eq!(said(&["-e", "-o", object, "-n", program]).2, 0);
    let (out, err, status) = said(&["-qx", "cpu=0", "-Y", object]);
    assert_eq!((status, err.as_str()), (0, ""));
    let cpus: Vec<&str> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(cpus, ["0"], "{out}");
}

/// What the preprocessor comes to, in libdtrace's words; its own go before them.
#[test]
fn the_preprocessor() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wrong = write("wrong.d", "#error no\nBEGIN { exit(0); }\n");
    let failed = format!("dtrace: failed to compile script {wrong}: ");
    let (_, err, status) = said(&["-Cs", &wrong]);
    assert_eq!(status, 1);
    assert_eq!(
        err.lines().last().unwrap(),
        format!("{failed}Preprocessor failed to process input program")
    );
    assert_eq!(
        refused(&["-x", "cpppath=/nosuch/cpp", "-Cs", &wrong], 1),
        format!("{failed}Preprocessor not found")
    );
    let version = write(
        "version.d",
        "#if __SUNW_D != 1 || __SUNW_D_VERSION < 0x01002000\n#error old\n#endif\n\
         BEGIN { printf(\"%d\", N); exit(0); }\n",
    );
    assert_eq!(said(&["-C", "-D", "N=3", "-qs", &version]).0, "3\n");
}

/// Structured output is one document whose objects say what the actions recorded; aggregations are
/// in it at the end if they are asked for.
#[test]
fn structured_output() {
    let program = r#"BEGIN { printf("%d-%s", -5, "<a>"); trace("b\377"); trace(uid + 0ull); }
        BEGIN { @counts["k", 1] = count(); @all = quantize(3); @shown = sum(4); }
        BEGIN { printa("%@d!", @shown); exit(3); }"#;
    let (out, err, status) = said(&["-x", "oformat=json", "-On", program]);
    assert_eq!(status, 3, "{err}");
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    let probes = read["dtrace"]["probes"].as_array().unwrap();
    assert_eq!(probes.len(), 3, "the clause that records nothing is none of them: {out}");
    let [first, second, last] = &probes[..] else { return };
    assert!(first["timestamp"].as_u64() > Some(1_600_000_000_000_000_000));
    assert_eq!((&first["provider"], &first["name"]), (&"dtrace".into(), &"BEGIN".into()));
    assert_eq!(first["vmname"], serde_json::Value::Null);
    let same = |value: &serde_json::Value, text: &str| {
        assert_eq!(*value, serde_json::from_str::<serde_json::Value>(text).unwrap());
    };
    same(
        &first["output"],
        r#"[{"message":"-5-<a>"},{"value":-5},{"value":"<a>"},{"value":"b\ufffd"},{"value":0}]"#,
    );
    same(
        &second["output"],
        r#"[{"message":"4!"},
            {"aggregation-data":[{"keys":[],"sum":4}],"aggregation-name":"shown"}]"#,
    );
    assert_eq!(last["name"], "AGGREGATIONS");
    same(
        &last["output"],
        r#"[{"aggregation-data":[{"keys":[{"value":"k"},{"value":1}],"count":1}],
                "aggregation-name":"counts"},
            {"aggregation-data":[{"keys":[],"buckets":[{"value":1,"count":0},
                {"value":2,"count":1},{"value":4,"count":0}]}],"aggregation-name":"all"}]"#,
    );
}

/// Every style has its document; without `-O` aggregations are left out.
#[test]
fn structured_output_has_styles() {
    let program = "BEGIN { trace(\"a&b\"); @ = count(); exit(0); }";
    let xml = said(&["--libxo", "xml", "-n", program]).0;
    assert!(xml.starts_with("<?xml version=\"1.0\"?><dtrace><probes><timestamp>"), "{xml}");
    assert!(xml.ends_with("<output><value>a&amp;b</value></output></probes></dtrace>\n"), "{xml}");
    let html = said(&["-x", "oformat=html", "-n", program]).0;
    assert!(html.contains("<div class=\"data\" data-tag=\"value\">a&amp;b</div>\n"), "{html}");
    assert!(!xml.contains("aggregation") && !html.contains("aggregation"));
    assert_eq!(
        refused(&["-x", "oformat=yaml", "-n", program], 1),
        "dtrace: failed to set -x oformat: Invalid value for specified option"
    );
}
