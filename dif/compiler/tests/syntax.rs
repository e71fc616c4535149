//! What the front end takes, and by which tag it refuses the rest.

use dlang::{
    ErrorTag,
    ast::{Expr, ExprKind, Item, Program, StmtKind, TypeKind},
    error::Error,
    macros::Macros,
    parser::{self, ParseOptions},
    source::{Origin, SourceMap, SpecKind},
};

/// Types that the tests' machine has.
const TYPES: &[&str] = &["foo_t", "uint32_t", "mod`bar_t"];

fn parse_as(origin: Origin, text: &[u8], five: bool) -> Result<Program, Error> {
    let mut sources = SourceMap::new();
    let id = sources.add(origin, text).expect("a small text");
    let mut macros = Macros::new().with_args(["x.d", "12", "bash", "a b", "99999999999999999999"]);
    macros.set("target", 77);
    let is_type = |name: &str| TYPES.contains(&name);
    let options =
        ParseOptions { with_target: five, is_type: &is_type, ..ParseOptions::new(&macros) };
    let parsed = parser::parse(&sources, id, &options);
    if let Err(error) = &parsed {
        // Every error can be shown.
        assert!(error.render(&sources, id, true).contains(error.tag.name()));
    }
    parsed
}

fn script(text: &str) -> Result<Program, Error> {
    parse_as(Origin::File("x.d".into()), text.as_bytes(), false)
}

#[track_caller]
fn good(text: &str) -> Program {
    script(text).unwrap_or_else(|error| panic!("{text}\n{} {error}", error.tag))
}

/// The first statement's expression of `BEGIN { text }`.
#[track_caller]
fn expr(text: &str) -> Expr {
    let program = good(&format!("BEGIN {{ {text} }}"));
    let Some(Item::Clause(clause)) = program.items.into_iter().next() else { panic!("no clause") };
    match clause.body.expect("a body").statements.remove(0).kind {
        StmtKind::Expr(expr) => expr,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_scripts_of_the_users_guide_parse() {
    let texts = [
        "vm-*:proc:::exec { printf(\"%s: user = %u, gid = %u: %s\\n\", vmname, uid, gid, \
         stringof(args[0])); }",
        "vm-*:io:::start { @[vmname, immstack()] = count(); }",
        "Linux-6*:syscall:::entry { @[vmname, execname] = count(); } tick-5s { exit(0); }",
        "vm-web-*:syscall::read:entry { self->ts = timestamp; } vm-web-*:syscall::read:return \
         /self->ts/ { @[vmname] = quantize(timestamp - self->ts); self->ts = 0; }",
        "vm-web-0:fbt::vfs_read:entry { @[stringof(curthread->comm), \
         curthread->cred->uid.val] = count(); }",
        "vm-*:proc:::exec { n++; } vm-*:proc:::exec /n % 100 == 0/ { printf(\"%d execs over all \
         guests, last on %s\", n, vmname); }",
    ];
    for text in texts {
        let origin = Origin::Specifier(SpecKind::Name);
        parse_as(origin, text.as_bytes(), true).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

#[test]
fn all_of_the_grammar_is_taken() {
    for text in [
        "int x; self int y; this string z; extern int q; unsigned long long big;",
        "typedef struct foo { int a; char b[16]; int c : 3, : 0, d : 5; struct foo *next; \
         union { int u; foo_t v; }; } foo_s; foo_s *p;",
        "enum color { RED, GREEN = 5, BLUE, }; enum color c;",
        "int table[int, string]; uint32_t keyed[foo_t, struct task *]; int plain[3][4];",
        "typedef int (*handler_t)(int, foo_t *, ...); handler_t h; int (*fp)(void); int f(int, \
         char *);",
        "typedef int one, *two, three[3]; one a; two b; three c;",
        "inline int TEN = 5 + 5; inline string name[int x] = x == 1 ? \"one\" : \"more\";",
        "translator psinfo_t < struct task_struct *T > { pr_pid = T->pid; pr_x = *(foo_t *)T; };",
        "translator a_t < b_t *B > { x = B->x; }; translator c_t < d_t D > { };",
        "provider app { probe start(int, foo_t *, bar_t x); probe done(a_t *a) : (int, a_t *); };",
        "const volatile unsigned char *const *p; mod`bar_t z;",
        "BEGIN, END, syscall::read:entry, 42 { }",
        "BEGIN /x && y/ { trace(1) } END /a / b > 3/ { ; ; exit(0); }",
        "BEGIN /(x) / (y)/ { } END /arr[1] / 2 == 0/ { }",
        "pid$target:libc:malloc:entry, a:b:$2:c { }",
        "BEGIN { if (x) y = 1; else if (z) { y = 2; } else y = 3; }",
        "BEGIN { if (a) if (b) c = 1; else d = 2; }",
        "BEGIN { if (a) { } else { b = 1 } }",
        "BEGIN { if (a) b++; trace(b) }",
        "BEGIN { @ = count(); @a = sum(1); @b[1, \"x\"] = lquantize(x, 0, 10, 1); printa(@a); }",
    ] {
        good(text);
    }
}

#[test]
fn all_operators_are_taken() {
    for text in [
        "x = a ? b : c ? d : e",
        "a = b, c += d, e -= f, g *= h, i /= j, k %= l, m &= n, o ^= p, q |= r, s <<= t, u >>= v",
        "a || b ^^ c && d | e ^ f & g == h != i < j > k <= l >= m << n >> o + p - q * r / s % t",
        "-a + +b - !c * ~d",
        "*a.b->c[1][2, 3]",
        "++a; --b; c++; d--; ++*e; (*f)++",
        "sizeof a + sizeof (int) + sizeof (a) + sizeof (foo_t) + sizeof (bar_t *)",
        "offsetof(foo_t, x) + offsetof(struct bar, y)",
        "stringof(x) == stringof x->y",
        "xlate <psinfo_t *>(curthread)->pr_pid + (xlate <foo_t>(x)).y",
        "`kernel_symbol + mod`symbol + *`ptr",
        "(foo_t *)x + (int)y + (struct s *)z + (bar_t)w + (foo_t)-1 + (char)'a'",
        "self->x + this->y + self->arr[1, \"a\"]",
        "x->string + x.self + y->int",
        "printf(\"%d\", 1); f(); g(a, (b, c))",
        "$1 + $target + $$target + $$3 + $2",
        "a / b; a / (b); a /* comment */ + b // and another\n + c",
        "'a' + '\\n' + 'abcdefgh' + 0x1fULL + 017 + 10u + 3L",
    ] {
        expr(text);
    }
}

#[test]
fn errors_have_their_tags() {
    use ErrorTag as T;
    for (text, tag) in [
        ("", T::Empty),
        ("/* nothing */", T::Empty),
        ("#pragma D option quiet\n", T::Empty),
        ("BEGIN", T::Syntax),
        ("BEGIN /1/", T::Syntax),
        ("BEGIN { ", T::Syntax),
        ("BEGIN { x = ; }", T::Syntax),
        ("BEGIN { x = 1 } }", T::Syntax),
        ("BEGIN { x = (1; }", T::Syntax),
        ("BEGIN { x = 1); }", T::Syntax),
        ("BEGIN { a[1)] = 1; }", T::Syntax),
        ("BEGIN /(1/ { }", T::Syntax),
        ("BEGIN /a[1/ { }", T::Syntax),
        ("BEGIN // { }", T::Syntax),
        ("BEGIN { x = 1 y = 2 }", T::Syntax),
        ("BEGIN { for (;;) { } }", T::Syntax),
        ("BEGIN { while (1) ; }", T::Syntax),
        ("BEGIN { x = 1.5; }", T::Syntax),
        ("BEGIN { x = 1e3; }", T::Syntax),
        ("BEGIN { x = \"open; }", T::Syntax),
        ("BEGIN { /* open }", T::Syntax),
        ("BEGIN { /* /* */ }", T::Syntax),
        ("BEGIN { self = 1; }", T::Syntax),
        ("BEGIN { int x; }", T::Syntax),
        ("BEGIN { x = #; }", T::Syntax),
        ("BEGIN { else x = 1; }", T::Syntax),
        ("BEGIN { a + b = 3; }", T::Syntax),
        ("BEGIN END { }", T::Syntax),
        ("struct s { };", T::Syntax),
        ("provider p { probe x(int) };", T::Syntax),
        ("BEGIN { x = \"open\n; }", T::StrNl),
        ("BEGIN { x = 'o\n'; }", T::ChrNl),
        ("BEGIN { x = ''; }", T::ChrNull),
        ("BEGIN { x = '123456789'; }", T::ChrOflow),
        ("BEGIN { x = 18446744073709551616; }", T::IntOflow),
        ("BEGIN { x = 0x10000000000000000; }", T::IntOflow),
        ("BEGIN { x = 09; }", T::IntDigit),
        ("BEGIN { x = $nosuch; }", T::MacroUndef),
        ("BEGIN { x = $9; }", T::MacroUndef),
        ("BEGIN { x = $$9; }", T::MacroUndef),
        ("BEGIN { x = $4; }", T::MacroOflow),
        ("pid$nosuch:::entry { }", T::MacroUndef),
        ("a:b:c:d:e { }", T::PdescInval),
        ("0 { }", T::PdescInval),
        ("BEGIN { a->b(1); }", T::FuncIdent),
        ("BEGIN { (*f)(1); }", T::FuncIdent),
        ("#if 1\nBEGIN { }\n", T::PragctlInval),
        ("#error broken\nBEGIN { }\n", T::Pragerr),
        ("#pragma D nonsense\nBEGIN { }\n", T::PragmaInval),
        ("#pragma D option\nBEGIN { }\n", T::PragmaMalform),
        ("int char x;", T::DeclCombo),
        ("long short x;", T::DeclCombo),
        ("long long long x;", T::DeclCombo),
        ("signed unsigned x;", T::DeclCombo),
        ("short char x;", T::DeclCharattr),
        ("unsigned void *x;", T::DeclVoidattr),
        ("unsigned double x;", T::DeclSignint),
        ("unsigned struct s x;", T::DeclSignint),
        ("long struct s x;", T::DeclLongint),
        ("self this int x;", T::DeclClass),
        ("self x;", T::DeclIdent),
        ("int mod`x;", T::DeclScope),
        ("struct s { int; };", T::DeclMname),
        ("int f(static int x);", T::DeclParmclass),
        ("inline extern int x = 1;", T::DeclBadclass),
    ] {
        match script(text) {
            Err(error) => assert_eq!(error.tag, tag, "{text}\n{error}"),
            Ok(program) => panic!("{text}\nshould be {tag}, but is {program:?}"),
        }
    }
}

#[test]
fn syntax_errors_are_worded_as_ever() {
    let message = |text: &str| script(text).unwrap_err().message;
    assert_eq!(message("BEGIN { x = ; }"), "syntax error near \";\"");
    assert_eq!(message("BEGIN { x = 1"), "syntax error near end of input");
    assert_eq!(message("BEGIN { ` }"), "syntax error near \"`\"");
    assert_eq!(message("BEGIN { x = 1 }; "), "syntax error near \";\"");
}

#[test]
fn a_slash_is_division_or_the_predicates_end_by_what_follows() {
    let program = good("BEGIN /a / 2/ { } END / b /\n{ x = a / b / c; }");
    assert_eq!(program.items.len(), 2);
    let program = good("BEGIN /1 //* comment */ { }");
    assert_eq!(program.items.len(), 1);
}

#[test]
fn names_are_types_where_only_types_can_be() {
    let cast = |text: &str| matches!(expr(text).kind, ExprKind::Cast { .. });
    // Told by the place, though no one knows the type.
    for text in ["(bar_t *)x", "(bar_t)x", "(bar_t)0", "(bar_t)\"s\"", "(bar_t)(x)", "(a_t)(b_t)x"]
    {
        assert!(cast(text), "{text}");
    }
    // Told by the machine's types.
    assert!(cast("(foo_t)-1") && !cast("(bar_t)-1"));
    assert!(cast("(foo_t)*x") && !cast("(bar_t)*x"));
    // Never a type: called, or compared.
    assert!(!cast("f(foo_t)") && !cast("(foo_t) == 1"));
    assert!(matches!(expr("sizeof (foo_t)").kind, ExprKind::SizeofType(_)));
    assert!(matches!(expr("sizeof (bar_t)").kind, ExprKind::SizeofExpr(_)));
}

#[test]
fn what_the_text_declares_decides_over_the_machine() {
    let last = |text: &str| {
        let Some(Item::Clause(clause)) = good(text).items.pop() else { panic!("no clause") };
        let kind = clause.body.unwrap().statements.pop().unwrap().kind;
        matches!(kind, StmtKind::Expr(Expr { kind: ExprKind::Cast { .. }, .. }))
    };
    assert!(last("typedef int mine_t; BEGIN { (mine_t)-1 }"));
    assert!(!last("int foo_t; BEGIN { (foo_t)-1 }"));
    assert!(!last("BEGIN { foo_t = 3; (foo_t)-1 }"));
    assert!(!last("inline int foo_t = 1; BEGIN { (foo_t)-1 }"));
}

#[test]
fn declarations_start_where_a_description_cannot() {
    for text in ["bar_t x;", "bar_t *x;", "bar_t*x;", "bar_t* x;", "bar_t x[int];", "foo_t*a, b;"] {
        let program = good(text);
        assert!(matches!(program.items[0], Item::Declaration(_)), "{text}");
    }
    for text in ["foo_t { }", "foo_t* { }", "foo_t, bar* { }", "int*:::x { }", "foo_t /1/ { }"] {
        assert!(matches!(good(text).items[0], Item::Clause(_)), "{text}");
    }
}

#[test]
fn declarators_turn_inside_out() {
    let program = good("char *(*f)[3]; int *g(int), h[2][3];");
    let ty = |item: usize, at: usize| match &program.items[item] {
        Item::Declaration(declaration) => &declaration.declarators[at].ty.kind,
        other => panic!("{other:?}"),
    };
    let TypeKind::Pointer(array) = ty(0, 0) else { panic!("f is a pointer") };
    let TypeKind::Array { element, .. } = &array.kind else { panic!("to an array") };
    assert!(matches!(element.kind, TypeKind::Pointer(_)));
    let TypeKind::Function { result, params } = ty(1, 0) else { panic!("g is a function") };
    assert!(matches!(result.kind, TypeKind::Pointer(_)) && params.list.len() == 1);
    let TypeKind::Array { element, size: Some(size) } = ty(1, 1) else { panic!("h is an array") };
    assert!(matches!(size.kind, ExprKind::Int(lit) if lit.value == 2));
    assert!(matches!(element.kind, TypeKind::Array { .. }));
}

#[test]
fn else_belongs_to_the_nearest_if() {
    let program = good("BEGIN { if (a) if (b) c = 1; else d = 2; }");
    let Item::Clause(clause) = &program.items[0] else { panic!("no clause") };
    let StmtKind::If { then, otherwise, .. } = &clause.body.as_ref().unwrap().statements[0].kind
    else {
        panic!("no if")
    };
    assert!(otherwise.is_none());
    assert!(matches!(&then.statements[0].kind, StmtKind::If { otherwise: Some(_), .. }));
}

#[test]
fn pragmas_stand_where_they_were_written() {
    let program =
        good("#pragma D option quiet\nBEGIN { }\n# 3 \"x\"\n#pragma D option a=b\nEND { }");
    let kinds: Vec<_> = program.items.iter().map(|i| matches!(i, Item::Pragma(_))).collect();
    assert_eq!(kinds, [true, false, true, false]);
}

#[test]
fn specifiers_of_the_command_line_may_be_bare() {
    for (kind, text) in [
        (SpecKind::Name, "BEGIN"),
        (SpecKind::Name, "BEGIN, END"),
        (SpecKind::Provider, "syscall { trace(1) }"),
        (SpecKind::Function, "mod:read /x/ { }"),
        (SpecKind::Id, "5 { trace(1) }"),
        (SpecKind::Name, "#!/usr/sbin/dtrace -n\nBEGIN"),
    ] {
        let parsed = parse_as(Origin::Specifier(kind), text.as_bytes(), false);
        assert!(matches!(parsed.unwrap().items[0], Item::Clause(_)), "{text}");
    }
}

#[test]
fn no_depth_of_nesting_overflows_the_stack() {
    let n = 100_000;
    let deep = |open: &str, middle: &str, close: &str| {
        format!("BEGIN {{ {}{middle}{}; }}", open.repeat(n), close.repeat(n))
    };
    for text in [
        deep("(", "1", ")"),
        deep("!", "1", ""),
        deep("- ", "1", ""),
        deep("", "1", "+1"),
        deep("a = ", "1", ""),
        deep("(int)", "1", ""),
        deep("a[", "1", "]"),
        deep("", "a", "[1]"),
        deep("", "a", "->b"),
        deep("a ? b : ", "c", ""),
        deep("if (a) ", "b", ""),
        deep("if (a) { ", "b", "}"),
        deep("if (a) b; else ", "c", ""),
        deep("sizeof ", "a", ""),
        deep("f(", "1", ")"),
        format!("{} x;", "int ".to_owned() + &"*".repeat(n)),
        format!("int x{};", "[1]".repeat(n)),
        format!("int {}x{};", "(".repeat(n), ")".repeat(n)),
        "struct { ".repeat(n) + "int x;",
        format!("int f{}", "(int ".repeat(n)),
    ] {
        let error = script(&text).unwrap_err();
        assert_eq!(error.tag, ErrorTag::Syntax, "{}", &text[..60]);
    }
}

#[test]
fn long_programs_are_read_in_one_go() {
    let clause = "syscall::read:entry /pid == 1/ { @[execname] = count(); x = (foo_t)y; }\n";
    let program = good(&clause.repeat(5_000));
    assert_eq!(program.items.len(), 5_000);
}
