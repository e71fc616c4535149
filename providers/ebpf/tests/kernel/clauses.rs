//! Clauses of D, construct by construct.

use crate::rig::{Rig, Traces, compile, without_bpf};

/// Fires some numbers at a script in both engines; they must agree.
#[track_caller]
fn both(text: &str, fires: &[[u64; 3]]) -> Option<Traces> {
    if without_bpf() {
        return None;
    }
    let rig = Rig::new(&compile(text));
    for [a, b, c] in fires {
        rig.fire([*a, *b, *c, 4, 5, 6, 7, 8, 9, 10]);
    }
    Some(rig.agree())
}

const SOME: &[[u64; 3]] =
    &[[1, 2, 3], [0, 7, u64::MAX], [5, 0, 1 << 63], [1, 2, 3], [u64::MAX, 63, 0x1234_5678_9abc]];

/// Address and bound of a text for `copyinstr`.
fn text(of: &'static std::ffi::CStr) -> u64 {
    of.as_ptr().expose_provenance() as u64
}

/// Arithmetic with every sign, division by what may be 0, shifts.
#[test]
fn integers() {
    let script = "BEGIN { printf(\"%d %d %d %d\", arg0 + arg1 * arg2, arg0 - arg1, arg0 & arg1 | arg2, ~arg0 ^ arg2); }
        BEGIN { trace((int64_t)arg0 / (int64_t)arg1); trace(arg0 % arg1); }
        BEGIN { trace((long)arg2 >> arg1); trace(arg2 << arg1); trace(arg0 ? arg1 : arg2); }
        BEGIN /arg0 > arg1 && (long)arg2 < 0 || !arg1/ { trace((char)arg2); trace((short)arg2); trace((int)arg2); }
        ERROR { printf(\"%d %d %d %d\", arg1, arg2, arg3, arg4); }";
    let Some(traces) = both(script, SOME) else { return };
    assert!(traces.records.len() > 10);
}

/// Globals, their updates in one step, clause-locals.
#[test]
fn variables() {
    let script = "int n; short s; unsigned char c; this int t;
        BEGIN { n++; s += arg2; c -= arg0; n *= 3; this->t = arg1; x = n; x <<= 2; s >>= 1; }
        BEGIN { trace(this->t); trace(n--); trace(--x); trace(s); trace(c); y = arg2; y /= arg1; }";
    both(script, SOME);
}

/// Every aggregating function with keys of every kind.
#[test]
fn aggregations() {
    let script = "BEGIN { @c[execname, arg0] = count(); @s[probefunc] = sum(arg2); @m = min(arg1);
        @x = max(arg1); @a[arg1] = avg(arg2); @d = stddev(arg2); @q = quantize(arg2);
        @q2[vmname] = quantize(arg1); @l = lquantize(arg1, 0, 100, 7);
        @ll = llquantize(arg1, 10, 0, 6, 20); @none[(short)arg2, \"text\"] = count(); }";
    let many: Vec<[u64; 3]> = (0..200)
        .map(|n: u64| {
            let wild = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
            [n % 7, wild >> (n % 64), wild.wrapping_neg() >> (n % 61)]
        })
        .collect();
    let Some(traces) = both(script, &many) else { return };
    assert!(traces.aggregations.len() > 100);
}

/// A key is read before what is fed is computed, though that changes what the key is made of, and
/// makes keys of its own.
#[test]
fn keys_come_before_values() {
    let script = "string s;
        BEGIN { s = probefunc; b[arg0] = arg1; self->t = arg2;
            @k[s, b[arg0], self->t] = sum(strlen(s = \"changed\") + (b[arg0] = arg2) + (self->t = 1));
            @w[s, arg0] = quantize(b[arg0] = arg1, b[arg1] = 3); trace(strlen(s)); trace(b[arg0]); }
        BEGIN { @m[b[arg0], s, b[arg1], execname] = max(self->t); self->t = 0; }";
    let Some(traces) = both(script, SOME) else { return };
    assert!(traces.aggregations.len() > 5);
}

/// Thread-locals and associative arrays: made, changed, deleted, with keys of strings.
#[test]
fn dynamic_variables() {
    let script = "BEGIN { self->a = arg0; b[arg0, execname] = arg1; c[\"key\", arg2] = arg1 + 1; c[\"key\", arg2] += 1; }
        BEGIN /self->a/ { trace(self->a); trace(b[arg0, execname]); trace(c[\"key\", arg2]); }
        BEGIN /arg0 == 1/ { self->a = 0; b[1, execname] = 0; self->s = probefunc; d[arg1] = execname; }
        BEGIN { trace(self->a); trace(b[1, execname]); printf(\"%s %s\", self->s, d[2]); self->s = 0; }
        BEGIN { self->k[arg0 % 3] = arg2; trace(self->k[0]); trace(self->k[1]); }";
    both(script, SOME);
}

/// No room for a new dynamic variable is a drop, and the old ones stay.
#[test]
fn dynamic_variables_run_out() {
    if without_bpf() {
        return;
    }
    let program = compile("BEGIN { a[arg0] = arg0; trace(a[arg0]); }");
    let rig = Rig::with(&program, &|config| config.dynvarsize = 4096);
    for n in 1..200 {
        rig.fire([n, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    let traces = rig.agree();
    assert!(traces.drops.values().sum::<u64>() > 50, "{:?}", traces.drops);
}

/// Strings: kept, compared, recorded; a program's own texts.
#[test]
fn strings() {
    let script = "string g; this string t; string never;
        BEGIN { g = execname; this->t = g; trace(g); trace(this->t); trace(never == NULL); }
        BEGIN /probefunc == \"read\" && execname != \"x\"/ { trace(strlen(g)); trace(probeprov < probename); }
        BEGIN { g = \"a longer text than before, to be cut short again\"; trace(g); g = \"\"; trace(strlen(g)); }";
    both(script, SOME);
}

/// Subroutines on strings and numbers.
#[test]
fn subroutines() {
    let script = r#"BEGIN { trace(strjoin(execname, "/x")); trace(substr("hello world", 2, 5));
            trace(substr("hello", -3)); trace(substr("hello", 1, -1)); trace(substr("hello", arg0, arg1)); }
        BEGIN { trace(index("foobarfoo", "foo")); trace(index("foobarfoo", "foo", 1)); trace(rindex("foobarfoo", "foo"));
            trace(rindex("foobarfoo", "foo", 4)); trace(index("x", "xyz")); trace(index("abc", "", arg0)); }
        BEGIN { trace(strchr("path/to", '/')); trace(strrchr("a/b/c", '/')); trace(strstr("haystack", "st"));
            trace(strstr("haystack", "nee") == NULL); }
        BEGIN { trace(basename("/usr/lib//")); trace(basename("///")); trace(basename("")); trace(basename("x"));
            trace(dirname("/usr/lib/")); trace(dirname("/usr")); trace(dirname("x")); trace(dirname("a//b")); }
        BEGIN { trace(toupper("MiXed-9z")); trace(tolower("MiXed-9Z")); }
        BEGIN { this->m = (char *)alloca(8); bcopy("ab", this->m, 2); bcopy("cd", this->m + 4, 2);
            trace(memstr(this->m, '+', 8)); trace(memstr(this->m, ' ', 1)); trace(memstr(this->m, '-', 3)); }
        BEGIN { trace(memstr(this->m, ' ', 0)); }
        BEGIN { trace(lltostr(arg2)); trace(lltostr(arg2, 16)); trace(lltostr(arg0, 8)); trace(lltostr(0, 2)); trace(lltostr(0, 16)); }
        BEGIN { trace(strtoll("  -42x")); trace(strtoll("0x1fG", 16)); trace(strtoll("zz", 36)); trace(strtoll("0x", 16)); }
        BEGIN { trace(htons(arg2)); trace(htonl(arg2)); trace(htonll(arg2)); }"#;
    both(script, SOME);
}

/// `strtok()` goes on over clauses, and ends.
#[test]
fn tokens() {
    let script = r#"BEGIN { trace(strtok("/a//bc/d", "/")); } BEGIN { trace(strtok(NULL, "/")); }
        BEGIN { this->x = strtok(NULL, "/"); trace(this->x); } BEGIN { this->y = strtok(NULL, "/"); trace(this->y == NULL); }"#;
    both(script, SOME);
}

/// The process's memory: whole, cut, and where there is none.
#[test]
fn process_memory() {
    let script = "BEGIN { trace(copyinstr(arg0)); trace(copyinstr(arg0, 5)); printf(\"%s|%s\", copyinstr(arg0), copyinstr(arg0)); }
        BEGIN { this->p = (uint32_t *)copyin(arg0, 8); trace(this->p[0]); trace(this->p[1]); }
        BEGIN { this->q = (char *)alloca(16); copyinto(arg0, 4, this->q); bcopy(this->q, this->q + 2, 6); trace(*(uint64_t *)this->q); }
        ERROR { printf(\"%d %d %x\", arg2, arg4, arg5); }";
    let at = text(c"/etc/hostname");
    both(script, &[[at, 0, 0], [8, 0, 0], [at + 4, 0, 0]]);
}

/// Speculations: committed, discarded, none free.
#[test]
fn speculations() {
    let script = "BEGIN /arg0 == 1/ { self->id = speculation(); trace(self->id); }
        BEGIN /self->id/ { speculate(self->id); printf(\"%d\", arg1); }
        BEGIN /arg0 == 2/ { commit(self->id); self->id = 0; }
        BEGIN /arg0 == 3/ { discard(self->id); self->id = 0; }
        BEGIN { speculate(0); trace(1); }";
    both(
        script,
        &[
            [1, 10, 0],
            [0, 11, 0],
            [2, 12, 0],
            [1, 13, 0],
            [3, 14, 0],
            [1, 1, 0],
            [1, 2, 0],
            [1, 3, 0],
        ],
    );
}

/// A full ring drops, counts, and goes on.
#[test]
fn a_full_ring_drops() {
    if without_bpf() {
        return;
    }
    // Without strings, whose records only the kernel's programs pack.
    let program = compile(&format!("BEGIN {{ {} }}", "trace(arg0); ".repeat(12)));
    for policy in [
        host::arena::config::BufPolicy::Switch,
        host::arena::config::BufPolicy::Fill,
        host::arena::config::BufPolicy::Ring,
    ] {
        let rig = Rig::with(&program, &|config| {
            config.bufsize = 4096;
            config.bufpolicy = policy;
        });
        for n in 0..100 {
            rig.fire([n, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        rig.agree();
    }
}

/// Strings stand behind all else in a record, and none takes more than it needs: many more records
/// fit into a ring than if each string had `strsize` bytes.
#[test]
fn strings_take_what_they_need() {
    let text = r#"BEGIN { printf("%s %d %s %s", probename, arg0, execname, strjoin("a", "b")); }"#;
    if without_bpf() {
        return;
    }
    let rig = Rig::with(&compile(text), &|config| config.bufsize = 4096);
    (0..30).for_each(|n| rig.fire([n, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(rig.agree().records.len(), 30);
}

/// `exit()` ends the session at once, with its status.
#[test]
fn exit_ends() {
    let Some(traces) = both("BEGIN { trace(1); exit(arg0 + 2); } BEGIN { trace(2); }", SOME) else {
        return;
    };
    assert_eq!(traces.records.len(), 1);
}

/// What cannot be translated is named, with its probe.
#[test]
fn refusals_name_the_construct() {
    if without_bpf() {
        return;
    }
    let program = compile("BEGIN { trace(json(\"{}\", \"x\")); }");
    let Err(error) = Rig::try_new(&program, &|_| {}) else { panic!("json() was translated") };
    let text = error.to_string();
    assert!(text.contains("json()") && text.contains("syscall::read:entry"), "{text}");
}

/// Both stacks as records and keys: the process's begins with its id, and has its own addresses.
#[test]
fn stacks() {
    if without_bpf() {
        return;
    }
    let rig =
        Rig::new(&compile("BEGIN { ustack(6); stack(4); @[ustack(6), stack(4)] = count(); }"));
    rig.fire([0; 10]);
    let [kernel, _] = rig.traces();
    let [(_, record)] = kernel.records.as_slice() else { panic!("{:?}", kernel.records) };
    let word = |at: usize| u64::from_le_bytes(record[at * 8..at * 8 + 8].try_into().unwrap());
    assert_eq!(word(0), u64::from(std::process::id()));
    assert!((1..0x0000_8000_0000_0000).contains(&word(1)), "{:#x}", word(1));
    assert_eq!(kernel.aggregations.len(), 1);
    assert_eq!(kernel.aggregations[0].2, [1]);
}
