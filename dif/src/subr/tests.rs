//! Every subroutine, on strings in tracer and in machine memory.

use super::*;
use crate::mock::{KERNEL, Mock, NESTED, USER};

fn value(value: u64) -> TupleElement {
    TupleElement { value, size: 0, is_string: false }
}

fn run(env: &mut Mock, number: u16, args: &[u64]) -> Result<u64, Fault> {
    let args: Vec<_> = args.iter().map(|argument| value(*argument)).collect();
    call(env, number, &args)
}

/// Calls with the first string once a constant and once in machine memory; both must agree.
#[track_caller]
fn on_string(number: u16, text: &str, more: &[u64]) -> Option<String> {
    let mut results = Vec::new();
    for in_kernel in [false, true] {
        let mut env = Mock::new();
        let addr = if in_kernel {
            env.kernel = [text.as_bytes(), b"\0"].concat();
            KERNEL
        } else {
            env.constant(text)
        };
        let found = run(&mut env, number, &[&[addr], more].concat()).unwrap();
        results.push((found != 0).then(|| env.text(found)));
    }
    assert_eq!(results[0], results[1], "{text}");
    results.pop().flatten()
}

/// As [`on_string`] with a second string, for a number as the result; addresses come back as the
/// distance from the first string.
#[track_caller]
fn on_strings(number: u16, text: &str, part: &str, more: &[u64]) -> i64 {
    let mut results = Vec::new();
    for in_kernel in [false, true] {
        let mut env = Mock::new();
        env.constant("");
        let second = env.constant(part);
        let addr = if in_kernel {
            env.kernel = [text.as_bytes(), b"\0"].concat();
            KERNEL
        } else {
            env.constant(text)
        };
        let found = run(&mut env, number, &[&[addr, second], more].concat()).unwrap();
        assert_eq!(env.top, 0, "scratch is given back");
        let is_address = number == subr::STRSTR;
        results.push(if is_address && found != 0 {
            (found - addr).cast_signed()
        } else if is_address {
            -1
        } else {
            found.cast_signed()
        });
    }
    assert_eq!(results[0], results[1], "{text} {part}");
    results[0]
}

/// `strlen` stops at the NUL or at `strsize`, and reads up to the last byte of a page.
#[test]
fn strlen_measures() {
    let mut env = Mock::new();
    let hello = env.constant("hello");
    assert_eq!(run(&mut env, subr::STRLEN, &[hello]), Ok(5));
    env.kernel = [vec![b'x'; 4090], b"abcde\0".to_vec()].concat();
    assert_eq!(env.kernel.len(), 4096);
    assert_eq!(run(&mut env, subr::STRLEN, &[KERNEL + 4090]), Ok(5));
    assert_eq!(run(&mut env, subr::STRLEN, &[KERNEL]), Ok(256));
    env.kernel[4095] = b'f';
    let fault = run(&mut env, subr::STRLEN, &[KERNEL + 4090]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::BadAddr);
    assert_eq!(run(&mut env, subr::STRLEN, &[]).unwrap_err().kind, FaultKind::IllOp);
    assert_eq!(run(&mut env, subr::STRLEN, &[0]).unwrap_err().kind, FaultKind::BadAddr);
}

/// `strjoin` joins; what has no room is a fault.
#[test]
fn strjoin_joins() {
    let mut env = Mock::new();
    let (a, b) = (env.constant("foo/"), env.constant("bar"));
    let joined = run(&mut env, subr::STRJOIN, &[a, b]).unwrap();
    assert_eq!(env.text(joined), "foo/bar");
    assert_eq!(env.top, 8, "no more scratch is kept than the string has");
    env.strsize = 8;
    let joined = run(&mut env, subr::STRJOIN, &[a, b]).unwrap();
    assert_eq!(env.text(joined), "foo/bar");
    env.strsize = 7;
    assert_eq!(run(&mut env, subr::STRJOIN, &[a, b]).unwrap_err().kind, FaultKind::NoScratch);
    let long = env.constant(&"y".repeat(300));
    env.strsize = 700;
    let joined = run(&mut env, subr::STRJOIN, &[long, long]).unwrap();
    assert_eq!(env.text(joined), "y".repeat(600));
}

/// Searches give the address inside the searched string, wherever it lies.
#[test]
fn searches_find() {
    assert_eq!(on_strings(subr::STRSTR, "hello world", "o w", &[]), 4);
    assert_eq!(on_strings(subr::STRSTR, "hello", "", &[]), 0);
    assert_eq!(on_strings(subr::STRSTR, "hello", "hellos", &[]), -1);
    let c = u64::from(b'l');
    assert_eq!(on_string(subr::STRCHR, "hello", &[c]).as_deref(), Some("llo"));
    assert_eq!(on_string(subr::STRRCHR, "hello", &[c]).as_deref(), Some("lo"));
    assert_eq!(on_string(subr::STRCHR, "hello", &[u64::from(b'z')]), None);
    assert_eq!(on_string(subr::STRCHR, "hello", &[0]).as_deref(), Some(""));
}

/// `index` and `rindex` with and without a start.
#[test]
fn subscripts_are_found() {
    assert_eq!(on_strings(subr::INDEX, "abcabc", "bc", &[]), 1);
    assert_eq!(on_strings(subr::INDEX, "abcabc", "bc", &[2]), 4);
    assert_eq!(on_strings(subr::INDEX, "abcabc", "bc", &[5]), -1);
    assert_eq!(on_strings(subr::INDEX, "abcabc", "bc", &[u64::MAX]), 1);
    assert_eq!(on_strings(subr::INDEX, "abc", "", &[9]), 3);
    assert_eq!(on_strings(subr::INDEX, "abc", "x", &[9]), -1);
    assert_eq!(on_strings(subr::RINDEX, "abcabc", "bc", &[]), 4);
    assert_eq!(on_strings(subr::RINDEX, "abcabc", "bc", &[3]), 1);
    assert_eq!(on_strings(subr::RINDEX, "abcabc", "bc", &[0]), -1);
    assert_eq!(on_strings(subr::RINDEX, "abcabc", "bc", &[u64::MAX]), -1);
    assert_eq!(on_strings(subr::RINDEX, "abc", "", &[]), 3);
}

/// `substr` takes parts; the rules of subscripts are tested beside it.
#[test]
fn substr_takes_parts() {
    assert_eq!(on_string(subr::SUBSTR, "foobar", &[3]).as_deref(), Some("bar"));
    assert_eq!(on_string(subr::SUBSTR, "foobar", &[1, 2]).as_deref(), Some("oo"));
    let minus_two = (-2_i64).cast_unsigned();
    assert_eq!(on_string(subr::SUBSTR, "foobar", &[minus_two]).as_deref(), Some("ar"));
    assert_eq!(on_string(subr::SUBSTR, "foobar", &[9]).as_deref(), Some(""));
}

/// `strtok` walks over tokens, remembers its place, and ends.
#[test]
fn strtok_walks() {
    for in_kernel in [false, true] {
        let mut env = Mock::new();
        let separators = env.constant("/.");
        let path = "/usr//lib.so/";
        let addr = if in_kernel {
            env.kernel = [path.as_bytes(), b"\0"].concat();
            KERNEL
        } else {
            env.constant(path)
        };
        let mut tokens = Vec::new();
        let mut next = addr;
        loop {
            let token = run(&mut env, subr::STRTOK, &[next, separators]).unwrap();
            if token == 0 {
                break;
            }
            tokens.push(env.text(token));
            next = 0;
        }
        assert_eq!(tokens, ["usr", "lib", "so"]);
        assert_eq!(run(&mut env, subr::STRTOK, &[0, separators]), Ok(0));
    }
}

/// Case is mapped in a copy.
#[test]
fn case_is_mapped() {
    assert_eq!(on_string(subr::TOUPPER, "MiXed 1é", &[]).as_deref(), Some("MIXED 1é"));
    assert_eq!(on_string(subr::TOLOWER, "MiXed 1", &[]).as_deref(), Some("mixed 1"));
}

/// Numbers to text in every base.
#[test]
fn lltostr_writes_numbers() {
    let mut env = Mock::new();
    let minus = (-42_i64).cast_unsigned();
    let lowest = i64::MIN.cast_unsigned();
    for (args, expected) in [
        (vec![0], "0"),
        (vec![42], "42"),
        (vec![minus], "-42"),
        (vec![lowest], "-9223372036854775808"),
        (vec![255, 16], "0xff"),
        (vec![0, 16], "0x0"),
        (vec![8, 8], "010"),
        (vec![0, 8], "0"),
        (vec![35, 36], "z"),
        (vec![minus, 16], "0xffffffffffffffd6"),
        (vec![u64::MAX, 2], &"1".repeat(64)),
    ] {
        let text = run(&mut env, subr::LLTOSTR, &args).unwrap();
        assert_eq!(env.text(text), expected);
    }
    for base in [0, 1, 37, u64::MAX] {
        assert_eq!(run(&mut env, subr::LLTOSTR, &[1, base]).unwrap_err().kind, FaultKind::IllOp);
    }
}

/// Text to numbers; the syntax is tested beside it.
#[test]
fn strtoll_reads_numbers() {
    let mut env = Mock::new();
    let text = env.constant("-0x20");
    assert_eq!(run(&mut env, subr::STRTOLL, &[text, 16]), Ok((-32_i64).cast_unsigned()));
    assert_eq!(run(&mut env, subr::STRTOLL, &[text]), Ok(0));
    assert_eq!(run(&mut env, subr::STRTOLL, &[text, 37]).unwrap_err().kind, FaultKind::IllOp);
}

/// Paths; the rules are tested beside them.
#[test]
fn paths_are_taken_apart() {
    assert_eq!(on_string(subr::BASENAME, "/usr/bin/ls", &[]).as_deref(), Some("ls"));
    assert_eq!(on_string(subr::DIRNAME, "/usr/bin/ls", &[]).as_deref(), Some("/usr/bin"));
    assert_eq!(on_string(subr::BASENAME, "", &[]).as_deref(), Some("."));
    assert_eq!(on_string(subr::CLEANPATH, "/a/./b/../c", &[]).as_deref(), Some("/a/c"));
    assert_eq!(on_string(subr::CLEANPATH, "", &[]).as_deref(), Some(""));
}

/// Byte order.
#[test]
fn byte_order_is_swapped() {
    let mut env = Mock::new();
    for (number, input, output) in [
        (subr::HTONS, 0xffff_1234, 0x3412),
        (subr::NTOHS, 0x1234, 0x3412),
        (subr::HTONL, 0x1234_5678, 0x7856_3412),
        (subr::NTOHL, 0xff_1234_5678, 0x7856_3412),
        (subr::HTONLL, 0x0102_0304_0506_0708, 0x0807_0605_0403_0201),
        (subr::NTOHLL, 1, 1 << 56),
    ] {
        assert_eq!(run(&mut env, number, &[input]), Ok(output));
    }
}

/// Internet addresses as `inet_ntop(3)` writes them.
#[test]
fn addresses_are_written() {
    let mut env = Mock::new();
    env.kernel = vec![192, 168, 0, 1];
    let text = run(&mut env, subr::INET_NTOA, &[KERNEL]).unwrap();
    assert_eq!(env.text(text), "192.168.0.1");
    let text = run(&mut env, subr::INET_NTOP, &[2, KERNEL]).unwrap();
    assert_eq!(env.text(text), "192.168.0.1");
    assert!(run(&mut env, subr::INET_NTOP, &[3, KERNEL]).is_err());
    assert!(run(&mut env, subr::INET_NTOA6, &[KERNEL + 4090]).is_err());
    for (bytes, expected) in [
        ([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8::1"),
        ([0; 16], "::"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1], "::ffff:10.0.0.1"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4], "::1.0.0.4"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"),
        // One group of zeros is left out as well, but not at the end.
        ([0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7], "1::2:3:4:5:6:7"),
        ([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0], "1:2:3:4:5:6:7:0"),
        ([0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], "2001:0:0:1::1"),
        ([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "fe80::"),
        ([0xff; 16], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        env.kernel = bytes.to_vec();
        for args in [vec![10, KERNEL], vec![28, KERNEL]] {
            let text = run(&mut env, subr::INET_NTOP, &args).unwrap();
            assert_eq!(env.text(text), expected);
        }
    }
}

/// `inet_ntoa6()` writes an address that holds an IPv4 address as that alone.
#[test]
fn inet_ntoa6_writes_ipv4_alone() {
    let mut env = Mock::new();
    env.kernel = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
    let text = run(&mut env, subr::INET_NTOA6, &[KERNEL]).unwrap();
    assert_eq!(env.text(text), "10.0.0.1");
}

/// A `struct uuid` has its first three members in the machine's byte order.
#[test]
fn uuids_are_written() {
    let mut env = Mock::new();
    env.kernel = vec![
        0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x06, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
        0xff,
    ];
    let text = run(&mut env, subr::UUIDSTR, &[KERNEL]).unwrap();
    assert_eq!(env.text(text), "00112233-4455-0677-8899-aabbccddeeff");
    assert!(run(&mut env, subr::UUIDSTR, &[0]).is_err());
}

/// The process's memory, copied to scratch.
#[test]
fn the_process_is_read() {
    let mut env = Mock::new();
    env.user = [b"/etc/passwd\0".to_vec(), vec![7; 600]].concat();
    let to = run(&mut env, subr::COPYIN, &[USER + 12, 600]).unwrap();
    assert_eq!(env.tracer(to, 600).unwrap(), [7; 600]);
    let text = run(&mut env, subr::COPYINSTR, &[USER]).unwrap();
    assert_eq!(env.text(text), "/etc/passwd");
    let text = run(&mut env, subr::COPYINSTR, &[USER, 5]).unwrap();
    assert_eq!(env.text(text), "/etc");
    let there = run(&mut env, subr::ALLOCA, &[16]).unwrap();
    assert_eq!(run(&mut env, subr::COPYINTO, &[USER, 11, there]), Ok(0));
    assert_eq!(env.tracer(there, 11).unwrap(), b"/etc/passwd");
    assert!(run(&mut env, subr::COPYINTO, &[USER, 18, there]).is_err());
    assert!(run(&mut env, subr::COPYIN, &[USER + 4000, 600]).is_err());
    let none = run(&mut env, subr::COPYIN, &[USER, u64::MAX]).unwrap_err();
    assert_eq!(none.kind, FaultKind::NoScratch);
    assert_eq!(run(&mut env, subr::COPYIN, &[1, 0]).map(|_| ()), Ok(()));
}

/// A NUL lies behind what was taken, though what was there before was none: `stringof(copyin(…))`.
#[test]
fn what_is_taken_ends_as_a_string() {
    let mut env = Mock::new();
    env.user = b"hello, world".to_vec();
    let to = run(&mut env, subr::COPYIN, &[USER, 5]).unwrap();
    assert_eq!(env.text(to), "hello");
    let to = run(&mut env, subr::ALLOCA, &[8]).unwrap();
    run(&mut env, subr::COPYINTO, &[USER, 8, to]).unwrap();
    assert_eq!(env.text(to), "hello, w");
}

/// The machine's own guest is a memory apart from its kernel's and its processes'.
#[test]
fn the_guests_guest_is_read() {
    let mut env = Mock::new();
    env.nested = b"Linux version 6.1\0rest".to_vec();
    let text = run(&mut env, subr::NESTED_COPYINSTR, &[NESTED]).unwrap();
    assert_eq!(env.text(text), "Linux version 6.1");
    let text = run(&mut env, subr::NESTED_COPYINSTR, &[NESTED, 6]).unwrap();
    assert_eq!(env.text(text), "Linux");
    let to = run(&mut env, subr::NESTED_COPYIN, &[NESTED + 18, 4]).unwrap();
    assert_eq!(env.tracer(to, 4).unwrap(), b"rest");
    let fault = run(&mut env, subr::NESTED_COPYIN, &[KERNEL, 4]).unwrap_err();
    assert_eq!((fault.kind, fault.value), (FaultKind::BadAddr, KERNEL));
    assert!(run(&mut env, subr::COPYIN, &[NESTED, 4]).is_err());
}

/// `bcopy` moves overlapping bytes as if over a third place.
#[test]
fn bcopy_may_overlap() {
    let mut env = Mock::new();
    let start: Vec<u8> = (0..250).cycle().take(700).collect();
    let at = run(&mut env, subr::ALLOCA, &[800]).unwrap();
    for (from, to) in [(at, at + 100), (at + 100, at), (at, at)] {
        env.store(from, &start).unwrap();
        assert_eq!(run(&mut env, subr::BCOPY, &[from, to, 700]), Ok(0));
        assert_eq!(env.tracer(to, 700).unwrap(), start);
    }
    assert!(run(&mut env, subr::BCOPY, &[at, KERNEL, 4]).is_err());
}

/// `memref` and `memstr`.
#[test]
fn references_and_memstr() {
    let mut env = Mock::new();
    let to = run(&mut env, subr::MEMREF, &[5, 6]).unwrap();
    assert_eq!((env.load(to, 8), env.load(to + 8, 8)), (Ok(5), Ok(6)));
    env.kernel = b"ls\0-l\0/\0".to_vec();
    let text = run(&mut env, subr::MEMSTR, &[KERNEL, u64::from(b' '), 8]).unwrap();
    assert_eq!(env.text(text), "ls -l /");
    assert!(run(&mut env, subr::MEMSTR, &[KERNEL, 32, 0]).is_err());
}

/// `json`, end to end.
#[test]
fn json_finds_values() {
    let mut env = Mock::new();
    let text = env.constant(r#"{"a": [{"b": "deep"}]}"#);
    let (path, wrong) = (env.constant("a[0].b"), env.constant("a[1].b"));
    let found = run(&mut env, subr::JSON, &[text, path]).unwrap();
    assert_eq!(env.text(found), "deep");
    assert_eq!(run(&mut env, subr::JSON, &[text, wrong]), Ok(0));
}

/// What only the machine can do reaches the environment with its arguments.
#[test]
fn the_rest_is_the_environments() {
    let mut env = Mock::new();
    for number in [subr::RAND, subr::SPECULATION, subr::PROGENYOF, subr::GETMAJOR, subr::COPYOUT] {
        assert_eq!(run(&mut env, number, &[1, 2]), Ok(u64::from(number) + 1000));
    }
    assert_eq!(env.calls.len(), 5);
}
