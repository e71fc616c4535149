//! Tests that compile D, verify the program and run it on the mock machine: values are checked
//! where a user would see them.

use dif::{
    interp,
    mock::{KERNEL, Mock, NESTED, USER},
    number::act,
    program::{Action, EcbIndex, VerifiedProgram},
};

use crate::{
    compiled::{ArgInfo, Compiled, Statement, StatementKind, ValueKind},
    compiler::{CompileOptions, Compiler},
    source::Origin,
    testworld::TestWorld,
    types::BtfBuilder,
    world::{ArgType, World},
};

fn compiled(world: &dyn World, script: &str) -> Compiled {
    let mut compiler = Compiler::new(CompileOptions::default());
    let add = compiler.add_script(Origin::File("t.d".into()), script);
    let made = add.and_then(|_| compiler.compile(world));
    made.unwrap_or_else(|error| panic!("{}", compiler.render(&error, true)))
}

fn error(world: &dyn World, script: &str) -> String {
    let mut compiler = Compiler::new(CompileOptions::default());
    let add = compiler.add_script(Origin::File("t.d".into()), script);
    match add.and_then(|_| compiler.compile(world)) {
        Ok(_) => "compiled".into(),
        Err(error) => error.tag.to_string(),
    }
}

/// Runs one DIFO. `Err` is the fault in words.
fn run(mock: &mut Mock, program: &VerifiedProgram, index: u32) -> Result<u64, String> {
    let difo = &program.difos[usize::try_from(index).unwrap()];
    interp::run(difo, mock).map_err(|fault| format!("{:?}", fault.fault.kind))
}

fn shown(mock: &mut Mock, arg: &ArgInfo, value: u64) -> String {
    let drop = 64 - 8 * arg.size.clamp(1, 8);
    match arg.kind {
        ValueKind::Integer { signed: true } => ((value << drop).cast_signed() >> drop).to_string(),
        ValueKind::Integer { signed: false } => ((value << drop) >> drop).to_string(),
        ValueKind::String | ValueKind::CharArray => mock.text(value),
        _ => format!("{value:#x}"),
    }
}

/// Fires every ECB once, in order; what is recorded comes back in words.
fn fire(mock: &mut Mock, compiled: &Compiled) -> Vec<String> {
    let program = compiled.program.verify().unwrap();
    mock.strings = program.strings.clone();
    let mut out = Vec::new();
    for (at, ecb) in compiled.program.ecbs.iter().enumerate() {
        let index = EcbIndex(u32::try_from(at).unwrap());
        let go = match ecb.predicate {
            None => Ok(1),
            Some(predicate) => run(mock, &program, predicate.0),
        };
        match go {
            Ok(0) => continue,
            Err(fault) => {
                out.push(fault);
                continue;
            }
            Ok(_) => {}
        }
        for statement in compiled.statements_of(index) {
            if let Err(fault) = execute(mock, &program, &ecb.actions, statement, &mut out) {
                out.push(fault);
                break;
            }
        }
    }
    out
}

fn execute(
    mock: &mut Mock,
    program: &VerifiedProgram,
    actions: &[Action],
    statement: &Statement,
    out: &mut Vec<String>,
) -> Result<(), String> {
    for at in statement.actions() {
        let Some(difo) = actions[at].difo else { continue };
        let value = run(mock, program, difo.0)?;
        if let Some(arg) = statement.args.iter().find(|arg| arg.action == at) {
            let text = shown(mock, arg, value);
            out.push(text);
        }
    }
    Ok(())
}

/// What a script records when every clause fires once, in a world without types.
fn traced(script: &str) -> Vec<String> {
    fire(&mut Mock::new(), &compiled(&TestWorld::default(), script))
}

/// The values of comma-separated expressions, each traced.
fn values(expressions: &[&str]) -> Vec<String> {
    let body: String = expressions.iter().map(|e| format!("trace({e}); ")).collect();
    traced(&format!("BEGIN {{ {body} }}"))
}

/// C's arithmetic on constants, folded when compiled.
#[test]
fn constants_fold_as_in_c() {
    let got = values(&[
        "1 + 2 * 3",
        "7 / 2",
        "-7 / 2",
        "7 % 3",
        "1 << 4",
        "-8 >> 1",
        "~0",
        "!5",
        "!0",
        "5 == 5",
        "-1 < 1",
        "-1 < 1u",
        "'ab'",
        "0x10 | 3",
        "6 & 3",
        "6 ^ 3",
        "1 ? 2 : 3",
        "sizeof (int)",
        "(char)300",
        "(uint8_t)300",
        "(unsigned short)-1",
        "1 && 0",
        "1 || 0",
        "1 ^^ 1",
    ]);
    let want = [
        "7", "3", "-3", "1", "16", "-4", "-1", "0", "1", "1", "1", "0", "24930", "19", "2", "5",
        "2", "4", "44", "44", "65535", "0", "1", "0",
    ];
    assert_eq!(got, want);
}

/// The same at run time: the operands come from variables.
#[test]
fn arithmetic_runs_as_in_c() {
    let got = traced(
        "BEGIN { a = 7; b = -7; u = 7u; }
         BEGIN { trace(a + b); trace(b / 2); trace(b % 4); trace(a << 2); trace(b >> 1);
                 trace(~a); trace(-a); trace(!a); trace(b < a); trace(b < u); trace(a > b);
                 trace(a && 0 * a); trace(a - 7 || b); trace(a ^^ b); trace(a ? b : a);
                 trace((a, b)); trace(a == 7 ? \"yes\" : \"no\"); trace(b <= a); trace(a != a); }",
    );
    let want = [
        "0", "-3", "-3", "28", "-4", "-8", "-7", "0", "1", "0", "1", "0", "1", "0", "-7", "-7",
        "yes", "1", "0",
    ];
    assert_eq!(got, want);
}

/// A value is narrowed when it is stored, and a signed one keeps its sign.
#[test]
fn stores_narrow() {
    let got = traced(
        "char c; unsigned char uc; int i; this short s;
         BEGIN { c = 200; uc = 456; i = 0x100000005; this->s = 40000; i -= 6;
                 trace(c); trace(uc); trace(i); trace(this->s); trace(c < 0); trace(i / 2);
                 i = -9; i /= 2; trace(i); i >>= 1; trace(i); trace(this->s + 0); }",
    );
    assert_eq!(got, ["-56", "200", "-1", "-25536", "1", "0", "-4", "-2", "-25536"]);
}

/// `++` and `op=` on global integers are one instruction each; on others load, operation, store.
#[test]
fn updates_are_indivisible_on_globals_only() {
    let script = "BEGIN { n++; trace(n++); trace(++n); n += 10; trace(n); trace(n--); n *= 3;
                          trace(n); n -= 1; n |= 1; n <<= 2; trace(n); n %= 7; trace(n);
                          self->t++; trace(self->t++); trace(++self->t); this->l = 0; this->l -= 2;
                          trace(this->l); a[\"x\", 1]++; a[\"x\", 1] += 4; trace(a[\"x\", 1]++);
                          trace(a[\"x\", 1]); trace(a[\"y\", 1]); }";
    let got = traced(script);
    let want = ["1", "3", "13", "13", "36", "140", "0", "1", "3", "-2", "5", "6", "0"];
    assert_eq!(got, want);
    let program = compiled(&TestWorld::default(), "BEGIN { n++; }").program;
    assert!(program.difos[0].text.iter().any(|word| word >> 24 >= 0xc0), "no update instruction");
    let program = compiled(&TestWorld::default(), "BEGIN { self->n++; }").program;
    assert!(program.difos[0].text.iter().all(|word| word >> 24 < 0xc0));
}

/// Strings: comparison, subroutines, nesting of calls in calls' arguments.
#[test]
fn strings_work() {
    let got = values(&[
        "strlen(\"abc\")",
        "strjoin(strjoin(\"a\", \"b\"), strjoin(\"c\", \"d\"))",
        "substr(\"hello\", 1, 3)",
        "\"abc\" < \"abd\"",
        "\"b\" == \"b\"",
        "\"b\" != \"b\"",
        "index(\"foobar\", \"bar\")",
        "strtoll(\"ff\", 16)",
        "lltostr(-5)",
        "basename(\"/a/b\")",
        "toupper(substr(\"xyz\", strlen(\"a\")))",
        "strtok(\"a,b\", \",\")",
        "strtok(NULL, \",\")",
    ]);
    let want = ["3", "abcd", "ell", "1", "1", "0", "3", "255", "-5", "b", "YZ", "a", "b"];
    assert_eq!(got, want);
}

/// A deep tree needs no more registers than its widest part; a too wide one is refused.
#[test]
fn registers_run_out_with_an_error() {
    let left = (1..40).fold("a".to_owned(), |sum, n| format!("({sum} + {n})"));
    assert_eq!(traced(&format!("BEGIN {{ a = 1; trace({left}); }}")), ["781"]);
    let right = (0..9).fold("a".to_owned(), |sum, _| format!("(a + {sum})"));
    let script = format!("BEGIN {{ a = 1; trace({right}); }}");
    assert_eq!(error(&TestWorld::default(), &script), "D_NOREG");
}

/// Variables' types come from the first assignment, and later ones must fit.
#[test]
fn first_assignment_types_a_variable() {
    let got = traced(
        "BEGIN { s = \"x\"; self->p = 5; m[1, \"k\"] = s; }
         BEGIN { trace(s); trace(self->p); trace(m[1, \"k\"]); s = 0; self->p = 0; }",
    );
    assert_eq!(got, ["x", "5", "x"]);
    let world = TestWorld::default();
    assert_eq!(error(&world, "BEGIN { s = \"x\"; s = 5; }"), "D_OP_INCOMPAT");
    assert_eq!(error(&world, "BEGIN { trace(never); }"), "D_IDENT_UNDEF");
    assert_eq!(error(&world, "BEGIN { trace(self->never); }"), "D_VAR_UNDEF");
    assert_eq!(error(&world, "BEGIN { m[1] = 1; m[1, 2] = 1; }"), "D_PROTO_LEN");
    assert_eq!(error(&world, "BEGIN { m[1] = 1; m[\"a\"] = 1; }"), "D_PROTO_ARG");
}

/// A world with Linux's `task_struct`, `cred` and a bit-field, and that memory.
fn linux() -> (TestWorld, Mock) {
    let mut b = BtfBuilder::new();
    let uint = b.int("unsigned int", 4, 0);
    let character = b.int("char", 1, 1);
    let kuid = b.compound(4, "", 4, &[("val", uint, 0, 0)]);
    let kuid_t = b.reference(8, "kuid_t", kuid);
    let cred = b.compound(4, "cred", 16, &[("uid", kuid_t, 64, 0)]);
    let constant = b.reference(10, "", cred);
    let pointer = b.reference(2, "", constant);
    let comm = b.array(character, uint, 16);
    let numbers = b.array(uint, uint, 4);
    let int = b.int("int", 4, 1);
    let members = [
        ("cred", pointer, 128, 0),
        ("comm", comm, 192, 0),
        ("low", uint, 320, 3),
        ("sign", int, 323, 4),
        ("numbers", numbers, 352, 0),
    ];
    let task = b.compound(4, "task_struct", 64, &members);
    b.variable("init_task", task);
    b.enumeration("states", &[("RUNNING", 7)]);
    let mut world = TestWorld::with_btf(b.finish().unwrap());
    world.symbols.insert("init_task".into(), KERNEL);
    world.symbols.insert("untyped".into(), KERNEL + 64);
    let argument = |native: &str, translated: Option<&str>| ArgType {
        native: native.into(),
        translated: translated.map(Into::into),
        mapping: 1,
    };
    world.args = vec![
        argument("struct task_struct *", None),
        argument("short", None),
        argument("struct task_struct *", Some("psinfo_t *")),
        argument("struct nothing *", Some("absent_t *")),
    ];
    let mut mock = Mock::new();
    mock.kernel = vec![0; 256];
    mock.kernel[16..24].copy_from_slice(&(KERNEL + 128).to_le_bytes());
    mock.kernel[24..28].copy_from_slice(b"bash");
    mock.kernel[40] = 0b0111_1101;
    mock.kernel[44..52].copy_from_slice(&[9, 0, 0, 0, 8, 0, 0, 0]);
    mock.kernel[136..140].copy_from_slice(&1000_u32.to_le_bytes());
    (world, mock)
}

fn linux_values(expressions: &[&str]) -> Vec<String> {
    let (world, mut mock) = linux();
    let body: String = expressions.iter().map(|e| format!("trace({e}); ")).collect();
    fire(&mut mock, &compiled(&world, &format!("BEGIN {{ {body} }}")))
}

/// Beside a kernel's enumeration a name must not be both its enumerator and a variable.
#[test]
fn enumerators_and_variables_are_told_apart() {
    let (world, _) = linux();
    let compared = "BEGIN { trace((enum states)7 == RUNNING); }";
    assert_eq!(error(&world, &format!("int RUNNING; {compared}")), "D_IDENT_AMBIG");
    assert_eq!(
        error(&world, "BEGIN { x = 1; } BEGIN { trace((enum states)7 == x + y); }"),
        "D_IDENT_UNDEF"
    );
    assert_eq!(linux_values(&["(enum states)7 == RUNNING"]), ["1"]);
}

/// Members, pointers, arrays, bit-fields, text in the kernel's memory, by the kernel's own types.
#[test]
fn kernel_memory_is_read_by_its_types() {
    let got = linux_values(&[
        "`init_task.cred->uid.val",
        "stringof(`init_task.comm)",
        "`init_task.comm == \"bash\"",
        "`init_task.comm",
        "`init_task.low",
        "`init_task.sign",
        "`init_task.numbers[1]",
        "*(&`init_task.numbers[0] + 1)",
        "(&`init_task)->numbers[0]",
        "&`init_task.numbers[2] - &`init_task.numbers[0]",
        "((struct task_struct *)&`init_task)->cred->uid.val + 1",
        "sizeof (struct task_struct)",
        "offsetof(struct task_struct, numbers)",
        "RUNNING",
        "*(char *)(0xffff800000000018 + 1)",
        "strlen(`init_task.comm)",
    ]);
    let want = [
        "1000", "bash", "1", "bash", "5", "-1", "8", "8", "9", "2", "1001", "64", "44", "7", "97",
        "4",
    ];
    assert_eq!(got, want);
}

/// `curthread` has the kernel's type, and so do `args[]`.
#[test]
fn arguments_have_their_native_types() {
    let (world, _) = linux();
    let script = "BEGIN { trace(stringof(curthread->comm)); trace(args[0]->cred->uid.val);
                          trace(args[1]); trace(args[2]->pr_fname); }";
    let made = compiled(&world, script);
    let kinds: Vec<_> = made.statements.iter().map(|s| s.args[0].type_name.as_str()).collect();
    assert_eq!(kinds, ["string", "unsigned int", "short", "string"]);
    made.program.verify().unwrap();
    assert_eq!(error(&world, "BEGIN { trace(args[4]); }"), "D_ARGS_IDX");
    assert_eq!(error(&world, "BEGIN { trace(args[3]->x); }"), "D_ARGS_XLATOR");
    assert_eq!(error(&world, "BEGIN { trace(args[pid]); }"), "D_PROTO_ARG");
    assert_eq!(error(&TestWorld::default(), "BEGIN { trace(args[0]); }"), "D_ARGS_IDX");
}

/// Pointers of the process are read in its own memory, never in the kernel's.
#[test]
fn user_pointers_use_user_loads() {
    let (world, mut mock) = linux();
    mock.user = vec![1, 2, 3, 4, b'o', b'k', 0];
    let script = format!(
        "BEGIN {{ trace(*(userland int *){USER:#x}); trace(copyinstr({USER:#x} + 4)); \
         trace(*(int *)copyin({USER:#x}, 4)); }}"
    );
    let got = fire(&mut mock, &compiled(&world, &script));
    assert_eq!(got, ["67305985", "ok", "67305985"]);
    let script = format!("BEGIN {{ trace(stringof((userland char *){USER:#x})); }}");
    assert_eq!(error(&world, &script), "D_STRINGOF_TYPE");
}

/// The memory of the machine's own guest is read by subroutines of its own.
#[test]
fn the_guests_guest_is_read_by_name() {
    let (world, mut mock) = linux();
    mock.nested = b"Linux\0\x2a\0\0\0".to_vec();
    let script = format!(
        "BEGIN {{ trace(nested_copyinstr({NESTED:#x})); trace(nested_copyinstr({NESTED:#x}, 3)); \
         trace(*(int *)nested_copyin({NESTED:#x} + 6, 4)); }}"
    );
    assert_eq!(fire(&mut mock, &compiled(&world, &script)), ["Linux", "Li", "42"]);
    assert_eq!(error(&world, "BEGIN { nested_copyin(1); }"), "D_PROTO_LEN");
}

/// An address that cannot be read is a fault, which ends the clause and no other.
#[test]
fn faults_end_their_clause() {
    let got = traced("BEGIN { trace(1); trace(*(int *)0); trace(2); } BEGIN { trace(3); }");
    assert_eq!(got, ["1", "BadAddr", "3"]);
}

/// The branches of `if`, nested, with a predicate before them.
#[test]
fn if_takes_one_branch() {
    let script = |a: i32, b: i32| {
        format!(
            "BEGIN {{ a = {a}; b = {b}; }}
             BEGIN /a != 9/ {{ trace(\"start\");
                if (a) {{ trace(\"a\"); if (b == 2) trace(\"b\"); else trace(\"not b\"); }}
                else if (b) {{ trace(\"else b\"); }} else {{ trace(\"none\"); }}
                trace(\"end\"); }}"
        )
    };
    let got = |a, b| traced(&script(a, b)).join(" ");
    assert_eq!(got(1, 2), "start a b end");
    assert_eq!(got(1, 3), "start a not b end");
    assert_eq!(got(0, 3), "start else b end");
    assert_eq!(got(0, 0), "start none end");
    assert_eq!(got(9, 1), "");
}

/// A fault in an `if` clause ends the whole clause, though it became several ECBs.
#[test]
fn a_fault_ends_an_if_clause() {
    let got = traced(
        "BEGIN { a = 0; }
         BEGIN { if (1) { trace(1); trace(5 / a); trace(2); } trace(3); }
         BEGIN { if (5 / a) { trace(4); } else { trace(5); } trace(6); }
         BEGIN { trace(7); }",
    );
    assert_eq!(got, ["1", "DivZero", "DivZero", "7"]);
}

/// Aggregations: the id leads the key, and the consumer learns function and key.
#[test]
fn aggregations_are_described() {
    let made = compiled(
        &TestWorld::default(),
        "BEGIN { @a[vmname, pid] = count(); @[immstack()] = quantize(arg0);
                 @l = lquantize(arg0, 0, 100, 10); }",
    );
    let [a, unnamed, l] = &made.aggregations[..] else { panic!("three expected") };
    assert_eq!((a.name.as_str(), a.id.0, a.keys.len()), ("a", 1, 2));
    assert_eq!(a.keys[0].kind, ValueKind::String);
    assert_eq!(unnamed.name, "_");
    assert_eq!(l.function.arg(), (10 << 48) | (10 << 32));
    let actions = &made.program.ecbs[0].actions;
    assert_eq!((actions[3].kind, actions[3].ntuple), (0x0701, 3));
    assert_eq!((actions[5].kind, actions[6].kind), (act::IMMSTACK, 0x0707));
    assert_eq!(made.statements[0].args.len(), 2);
    made.program.verify().unwrap();
}

/// Two worlds agree on ids; a clause that matches nothing in one still types its variables there.
#[test]
fn worlds_share_ids() {
    let mut compiler = Compiler::new(CompileOptions::default());
    let script =
        "BEGIN { x = 1; } web:::start { n++; } db:::start /n % 2 == 0/ { m = n; @[n] = sum(m); }";
    compiler.add_script(Origin::File("t.d".into()), script).unwrap();
    let web = TestWorld { absent: vec!["db".into()], ..TestWorld::default() };
    let db = TestWorld { absent: vec!["web".into()], ..TestWorld::default() };
    let first = compiler.compile(&web).unwrap();
    let second = compiler.compile(&db).unwrap();
    assert_eq!(first.program.ecbs.len(), 2);
    assert_eq!(second.descriptions.iter().map(|d| d.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(first.variables, second.variables);
    assert_eq!(second.program.ecbs[1].clause, 2);
    let id = |name: &str| second.variables.iter().find(|v| v.name == name).unwrap().id;
    assert_eq!([id("x"), id("n"), id("m")], [0x500, 0x501, 0x502]);
}

/// The statements tell the consumer which records are whose.
#[test]
fn statements_name_their_records() {
    let made = compiled(
        &TestWorld::default(),
        "BEGIN { x = 1; printf(\"%s %d %s\\n\", execname, pid, immstack()); exit(3); }
         BEGIN { } END { @a = count(); printa(\"%@d\", @a); trunc(@a, 5); clear(@a); }",
    );
    let kinds: Vec<_> = made.statements.iter().map(|s| (s.ecb.0, s.actions())).collect();
    let want =
        [(0, 0..1), (0, 1..4), (0, 4..5), (1, 0..0), (2, 0..2), (2, 2..3), (2, 3..5), (2, 5..6)];
    assert_eq!(kinds, want);
    assert_eq!(made.statements[3].kind, StatementKind::Default);
    let StatementKind::Printf(format) = &made.statements[1].kind else { panic!("no printf") };
    assert_eq!(format.conversions().count(), 3);
    assert_eq!(made.statements[1].args[2].kind, ValueKind::StackText);
    made.program.verify().unwrap();
}

/// The user's guide's scripts, against the kernel this test runs on (where it publishes types).
#[test]
fn scripts_compile_for_the_running_kernel() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
    let mut world = TestWorld::with_btf(bytes);
    world.args = vec![ArgType { native: "struct file *".into(), translated: None, mapping: 0 }];
    let script = "fbt::vfs_read:entry {
            @[stringof(curthread->comm), curthread->cred->uid.val] = count();
            @d[stringof(args[0]->f_path.dentry->d_name.name)] = sum(args[0]->f_inode->i_size);
            trace(curpsinfo->pr_ppid); trace(curthread->parent->mm->start_code);
            trace(curthread->policy); trace(((struct bio *)arg0)->bi_iter.bi_size);
        }";
    let made = compiled(&world, script);
    made.program.verify().unwrap();
    assert_eq!(made.aggregations[0].keys[1].size, 4);
    assert_eq!(made.statements[2].args[0].type_name, "pid_t");
}
