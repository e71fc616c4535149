//! Numbers of `sys/dtrace.h` that are not opcodes: variables, subroutines, actions, types.
//!
//! Those of CADETS HyperTrace are used where it has what we have (`vmname`, `immstack`), so that
//! a reader of its traces finds them where it looks.

/// Built-in variables, `DIF_VAR_*`.
pub mod var {
    /// Highest id of a built-in or user-defined plain array.
    pub const ARRAY_MAX: u16 = 0x00ff;
    /// First id of a user-defined plain array.
    pub const ARRAY_UBASE: u16 = 0x0080;
    /// First id of a scalar or associative array.
    pub const OTHER_MIN: u16 = 0x0100;
    /// First id of the script's own scalars and associative arrays.
    pub const OTHER_UBASE: u16 = 0x0500;
    /// Last id of a scalar or associative array.
    pub const OTHER_MAX: u16 = 0xffff;

    macro_rules! variables {
        ($($(#[$doc:meta])* $constant:ident = $number:literal $name:literal,)*) => {
            $($(#[$doc])* pub const $constant: u16 = $number;)*

            /// Every built-in variable with its name in D.
            pub const NAMES: &[(u16, &str)] = &[$(($constant, $name),)*];
        };
    }

    variables! {
        /// `args[]`.
        ARGS = 0x0000 "args",
        /// `regs[]`.
        REGS = 0x0001 "regs",
        /// `uregs[]`.
        UREGS = 0x0002 "uregs",
        /// `curthread`.
        CURTHREAD = 0x0100 "curthread",
        /// `timestamp`.
        TIMESTAMP = 0x0101 "timestamp",
        /// `vtimestamp`.
        VTIMESTAMP = 0x0102 "vtimestamp",
        /// `ipl`.
        IPL = 0x0103 "ipl",
        /// `epid`.
        EPID = 0x0104 "epid",
        /// `id`.
        ID = 0x0105 "id",
        /// `arg0`.
        ARG0 = 0x0106 "arg0",
        /// `arg1`.
        ARG1 = 0x0107 "arg1",
        /// `arg2`.
        ARG2 = 0x0108 "arg2",
        /// `arg3`.
        ARG3 = 0x0109 "arg3",
        /// `arg4`.
        ARG4 = 0x010a "arg4",
        /// `arg5`.
        ARG5 = 0x010b "arg5",
        /// `arg6`.
        ARG6 = 0x010c "arg6",
        /// `arg7`.
        ARG7 = 0x010d "arg7",
        /// `arg8`.
        ARG8 = 0x010e "arg8",
        /// `arg9`.
        ARG9 = 0x010f "arg9",
        /// `stackdepth`.
        STACKDEPTH = 0x0110 "stackdepth",
        /// `caller`.
        CALLER = 0x0111 "caller",
        /// `probeprov`.
        PROBEPROV = 0x0112 "probeprov",
        /// `probemod`.
        PROBEMOD = 0x0113 "probemod",
        /// `probefunc`.
        PROBEFUNC = 0x0114 "probefunc",
        /// `probename`.
        PROBENAME = 0x0115 "probename",
        /// `pid`.
        PID = 0x0116 "pid",
        /// `tid`.
        TID = 0x0117 "tid",
        /// `execname`.
        EXECNAME = 0x0118 "execname",
        /// `zonename`.
        ZONENAME = 0x0119 "zonename",
        /// `walltimestamp`.
        WALLTIMESTAMP = 0x011a "walltimestamp",
        /// `ustackdepth`.
        USTACKDEPTH = 0x011b "ustackdepth",
        /// `ucaller`.
        UCALLER = 0x011c "ucaller",
        /// `ppid`.
        PPID = 0x011d "ppid",
        /// `uid`.
        UID = 0x011e "uid",
        /// `gid`.
        GID = 0x011f "gid",
        /// `errno`.
        ERRNO = 0x0120 "errno",
        /// `execargs`.
        EXECARGS = 0x0121 "execargs",
        /// `jid`.
        JID = 0x0122 "jid",
        /// `jailname`.
        JAILNAME = 0x0123 "jailname",
        /// `vmname`, as in CADETS HyperTrace.
        VMNAME = 0x0124 "vmname",
        /// `cpu`.
        CPU = 0x0200 "cpu",
    }

    /// The name in D of a built-in variable.
    #[must_use]
    pub fn name(id: u16) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == id).map(|(_, name)| *name)
    }

    /// The id of a built-in variable.
    #[must_use]
    pub fn by_name(wanted: &str) -> Option<u16> {
        NAMES.iter().find(|(_, name)| *name == wanted).map(|(number, _)| *number)
    }
}

/// Subroutines, `DIF_SUBR_*`, with the numbers of FreeBSD 14 and later: there is no `typeref` any more,
/// and what followed it has moved up.
pub mod subr {
    macro_rules! subroutines {
        ($($(#[$doc:meta])* $constant:ident = $number:literal $name:literal,)*) => {
            $($(#[$doc])* pub const $constant: u16 = $number;)*

            /// Every subroutine's name in D, at its number.
            pub const NAMES: &[&str] = &[$($name,)*];
        };
    }

    subroutines! {
        /// `rand()`.
        RAND = 0 "rand",
        /// `mutex_owned(m)`.
        MUTEX_OWNED = 1 "mutex_owned",
        /// `mutex_owner(m)`.
        MUTEX_OWNER = 2 "mutex_owner",
        /// `mutex_type_adaptive(m)`.
        MUTEX_TYPE_ADAPTIVE = 3 "mutex_type_adaptive",
        /// `mutex_type_spin(m)`.
        MUTEX_TYPE_SPIN = 4 "mutex_type_spin",
        /// `rw_read_held(l)`.
        RW_READ_HELD = 5 "rw_read_held",
        /// `rw_write_held(l)`.
        RW_WRITE_HELD = 6 "rw_write_held",
        /// `rw_iswriter(l)`.
        RW_ISWRITER = 7 "rw_iswriter",
        /// `copyin(address, size)`.
        COPYIN = 8 "copyin",
        /// `copyinstr(address[, max])`.
        COPYINSTR = 9 "copyinstr",
        /// `speculation()`.
        SPECULATION = 10 "speculation",
        /// `progenyof(pid)`.
        PROGENYOF = 11 "progenyof",
        /// `strlen(s)`.
        STRLEN = 12 "strlen",
        /// `copyout(from, to, size)`.
        COPYOUT = 13 "copyout",
        /// `copyoutstr(s, to, max)`.
        COPYOUTSTR = 14 "copyoutstr",
        /// `alloca(size)`.
        ALLOCA = 15 "alloca",
        /// `bcopy(from, to, size)`.
        BCOPY = 16 "bcopy",
        /// `copyinto(address, size, to)`.
        COPYINTO = 17 "copyinto",
        /// `msgdsize(m)`.
        MSGDSIZE = 18 "msgdsize",
        /// `msgsize(m)`.
        MSGSIZE = 19 "msgsize",
        /// `getmajor(dev)`.
        GETMAJOR = 20 "getmajor",
        /// `getminor(dev)`.
        GETMINOR = 21 "getminor",
        /// `ddi_pathname(d, m)`.
        DDI_PATHNAME = 22 "ddi_pathname",
        /// `strjoin(a, b)`.
        STRJOIN = 23 "strjoin",
        /// `lltostr(n[, base])`.
        LLTOSTR = 24 "lltostr",
        /// `basename(path)`.
        BASENAME = 25 "basename",
        /// `dirname(path)`.
        DIRNAME = 26 "dirname",
        /// `cleanpath(path)`.
        CLEANPATH = 27 "cleanpath",
        /// `strchr(s, c)`.
        STRCHR = 28 "strchr",
        /// `strrchr(s, c)`.
        STRRCHR = 29 "strrchr",
        /// `strstr(s, part)`.
        STRSTR = 30 "strstr",
        /// `strtok(s, separators)`.
        STRTOK = 31 "strtok",
        /// `substr(s, index[, length])`.
        SUBSTR = 32 "substr",
        /// `index(s, part[, start])`.
        INDEX = 33 "index",
        /// `rindex(s, part[, start])`.
        RINDEX = 34 "rindex",
        /// `htons(n)`.
        HTONS = 35 "htons",
        /// `htonl(n)`.
        HTONL = 36 "htonl",
        /// `htonll(n)`.
        HTONLL = 37 "htonll",
        /// `ntohs(n)`.
        NTOHS = 38 "ntohs",
        /// `ntohl(n)`.
        NTOHL = 39 "ntohl",
        /// `ntohll(n)`.
        NTOHLL = 40 "ntohll",
        /// `inet_ntop(family, address)`.
        INET_NTOP = 41 "inet_ntop",
        /// `inet_ntoa(address)`.
        INET_NTOA = 42 "inet_ntoa",
        /// `inet_ntoa6(address)`.
        INET_NTOA6 = 43 "inet_ntoa6",
        /// `toupper(s)`.
        TOUPPER = 44 "toupper",
        /// `tolower(s)`.
        TOLOWER = 45 "tolower",
        /// `memref(address, size)`.
        MEMREF = 46 "memref",
        /// `sx_shared_held(l)`.
        SX_SHARED_HELD = 47 "sx_shared_held",
        /// `sx_exclusive_held(l)`.
        SX_EXCLUSIVE_HELD = 48 "sx_exclusive_held",
        /// `sx_isexclusive(l)`.
        SX_ISEXCLUSIVE = 49 "sx_isexclusive",
        /// `memstr(address, separator, size)`.
        MEMSTR = 50 "memstr",
        /// `getf(fd)`.
        GETF = 51 "getf",
        /// `json(s, key)`.
        JSON = 52 "json",
        /// `strtoll(s[, base])`.
        STRTOLL = 53 "strtoll",
    }

    /// The highest of the classic numbers, `DIF_SUBR_MAX`.
    pub const MAX: u16 = STRTOLL;

    /// `nested_copyin(address, size)`: HyperTrace's own, as are all from 128 on, well above where
    /// others go on counting.
    pub const NESTED_COPYIN: u16 = 128;
    /// `nested_copyinstr(address[, max])`.
    pub const NESTED_COPYINSTR: u16 = 129;
    /// `uuidstr(address)`.
    pub const UUIDSTR: u16 = 130;

    /// `copyoutmbuf(mbuf, size)`: a name that the compiler knows, and no subroutine.
    pub const COPYOUTMBUF: u16 = 131;

    /// Names of HyperTrace's own, in the order of their numbers.
    const OWN_NAMES: &[&str] = &["nested_copyin", "nested_copyinstr", "uuidstr"];

    /// The name in D of a subroutine.
    #[must_use]
    pub fn name(number: u16) -> Option<&'static str> {
        let own = number.checked_sub(NESTED_COPYIN);
        let (names, at) = own.map_or((NAMES, number), |at| (OWN_NAMES, at));
        names.get(usize::from(at)).copied()
    }

    /// The number of a subroutine.
    #[must_use]
    pub fn by_name(wanted: &str) -> Option<u16> {
        let at = |names: &[&str]| names.iter().position(|name| *name == wanted);
        let number = |at: usize| u16::try_from(at).ok();
        at(NAMES).and_then(number).or_else(|| number(at(OWN_NAMES)?)?.checked_add(NESTED_COPYIN))
    }

    /// Whether there is a subroutine of that number.
    #[must_use]
    pub const fn exists(number: u16) -> bool {
        number <= MAX || matches!(number, NESTED_COPYIN | NESTED_COPYINSTR | UUIDSTR)
    }

    /// Whether it changes the traced machine (`-w` is needed).
    #[must_use]
    pub const fn is_destructive(number: u16) -> bool {
        matches!(number, COPYOUT | COPYOUTSTR)
    }
}

/// Actions, `DTRACEACT_*`.
pub mod act {
    /// No action.
    pub const NONE: u16 = 0;
    /// Record an expression's value.
    pub const DIFEXPR: u16 = 1;
    /// `exit()`.
    pub const EXIT: u16 = 2;
    /// `printf()`.
    pub const PRINTF: u16 = 3;
    /// `printa()`.
    pub const PRINTA: u16 = 4;
    /// An action the consumer carries out; `arg` says which.
    pub const LIBACT: u16 = 5;
    /// `tracemem()`.
    pub const TRACEMEM: u16 = 6;
    /// `tracemem()` with a computed size.
    pub const TRACEMEM_DYNSIZE: u16 = 7;
    /// `printm()`.
    pub const PRINTM: u16 = 8;
    /// `ustack()`.
    pub const USTACK: u16 = 0x0101;
    /// `jstack()`.
    pub const JSTACK: u16 = 0x0102;
    /// `usym()`.
    pub const USYM: u16 = 0x0103;
    /// `umod()`.
    pub const UMOD: u16 = 0x0104;
    /// `uaddr()`.
    pub const UADDR: u16 = 0x0105;
    /// `stop()`.
    pub const STOP: u16 = 0x0201;
    /// `raise()`.
    pub const RAISE: u16 = 0x0202;
    /// `system()`.
    pub const SYSTEM: u16 = 0x0203;
    /// `freopen()`.
    pub const FREOPEN: u16 = 0x0204;
    /// `stack()`.
    pub const STACK: u16 = 0x0401;
    /// `sym()`, `func()`.
    pub const SYM: u16 = 0x0402;
    /// `mod()`.
    pub const MOD: u16 = 0x0403;
    /// `immstack()`: a stack resolved when the probe fires, as in CADETS HyperTrace.
    pub const IMMSTACK: u16 = 0x0404;
    /// `breakpoint()`.
    pub const BREAKPOINT: u16 = 0x0501;
    /// `panic()`.
    pub const PANIC: u16 = 0x0502;
    /// `chill()`.
    pub const CHILL: u16 = 0x0503;
    /// `speculate()`.
    pub const SPECULATE: u16 = 0x0601;
    /// `commit()`.
    pub const COMMIT: u16 = 0x0602;
    /// `discard()`.
    pub const DISCARD: u16 = 0x0603;

    /// The class of aggregating actions, `DTRACEACT_AGGREGATION`.
    pub const AGGREGATION: u16 = 0x0700;

    const KNOWN: &[u16] = &[
        DIFEXPR,
        EXIT,
        PRINTF,
        PRINTA,
        LIBACT,
        TRACEMEM,
        TRACEMEM_DYNSIZE,
        PRINTM,
        USTACK,
        JSTACK,
        USYM,
        UMOD,
        UADDR,
        STOP,
        RAISE,
        SYSTEM,
        FREOPEN,
        STACK,
        SYM,
        MOD,
        IMMSTACK,
        BREAKPOINT,
        PANIC,
        CHILL,
        SPECULATE,
        COMMIT,
        DISCARD,
    ];

    /// `DTRACEACT_CLASS`: the action's class.
    #[must_use]
    pub const fn class(kind: u16) -> u16 {
        kind & 0xff00
    }

    /// `DTRACEACT_ISDESTRUCTIVE`: it can harm a process or the kernel (`-w` is needed).
    #[must_use]
    pub const fn is_destructive(kind: u16) -> bool {
        matches!(class(kind), 0x0200 | 0x0500)
    }

    /// `DTRACEACT_ISSPECULATIVE`.
    #[must_use]
    pub const fn is_speculative(kind: u16) -> bool {
        class(kind) == 0x0600
    }

    /// `DTRACEACT_ISAGG`.
    #[must_use]
    pub const fn is_aggregation(kind: u16) -> bool {
        class(kind) == AGGREGATION
    }

    /// `DTRACEACT_ISPRINTFLIKE`: it has a format.
    #[must_use]
    pub const fn is_printf_like(kind: u16) -> bool {
        matches!(kind, PRINTF | PRINTA | SYSTEM | FREOPEN)
    }

    /// Whether there is an action (or aggregating action) of this number.
    #[must_use]
    pub fn is_known(kind: u16) -> bool {
        KNOWN.contains(&kind) || (super::agg::COUNT..=super::agg::LLQUANTIZE).contains(&kind)
    }
}

/// Aggregating actions, `DTRACEAGG_*`.
pub mod agg {
    /// `count()`.
    pub const COUNT: u16 = 0x0701;
    /// `min()`.
    pub const MIN: u16 = 0x0702;
    /// `max()`.
    pub const MAX: u16 = 0x0703;
    /// `avg()`.
    pub const AVG: u16 = 0x0704;
    /// `sum()`.
    pub const SUM: u16 = 0x0705;
    /// `stddev()`.
    pub const STDDEV: u16 = 0x0706;
    /// `quantize()`.
    pub const QUANTIZE: u16 = 0x0707;
    /// `lquantize()`.
    pub const LQUANTIZE: u16 = 0x0708;
    /// `llquantize()`.
    pub const LLQUANTIZE: u16 = 0x0709;

    /// Buckets of `quantize()`, `DTRACE_QUANTIZE_NBUCKETS`.
    pub const QUANTIZE_BUCKETS: usize = 127;
    /// The bucket of zero, `DTRACE_QUANTIZE_ZEROBUCKET`.
    pub const QUANTIZE_ZERO_BUCKET: usize = 63;

    /// What `lquantize()` packs into its action's argument.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Lquantize {
        /// Lower bound of the first bucket.
        pub base: i32,
        /// Buckets between the bounds.
        pub levels: u16,
        /// Width of a bucket.
        pub step: u16,
    }

    impl Lquantize {
        /// The action's argument.
        #[must_use]
        pub const fn to_arg(self) -> u64 {
            let [b0, b1, b2, b3] = self.base.to_le_bytes();
            let [l0, l1] = self.levels.to_le_bytes();
            let [s0, s1] = self.step.to_le_bytes();
            u64::from_le_bytes([b0, b1, b2, b3, l0, l1, s0, s1])
        }

        /// Reads an action's argument.
        #[must_use]
        pub const fn from_arg(arg: u64) -> Self {
            let [b0, b1, b2, b3, l0, l1, s0, s1] = arg.to_le_bytes();
            Self {
                base: i32::from_le_bytes([b0, b1, b2, b3]),
                levels: u16::from_le_bytes([l0, l1]),
                step: u16::from_le_bytes([s0, s1]),
            }
        }
    }

    /// What `llquantize()` packs into its action's argument.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Llquantize {
        /// The base of the powers.
        pub factor: u16,
        /// Lowest power.
        pub low: u16,
        /// Highest power.
        pub high: u16,
        /// Steps in a power.
        pub steps: u16,
    }

    impl Llquantize {
        /// The action's argument.
        #[must_use]
        pub const fn to_arg(self) -> u64 {
            let [n0, n1] = self.steps.to_le_bytes();
            let [h0, h1] = self.high.to_le_bytes();
            let [l0, l1] = self.low.to_le_bytes();
            let [f0, f1] = self.factor.to_le_bytes();
            u64::from_le_bytes([n0, n1, h0, h1, l0, l1, f0, f1])
        }

        /// Reads an action's argument.
        #[must_use]
        pub const fn from_arg(arg: u64) -> Self {
            let [n0, n1, h0, h1, l0, l1, f0, f1] = arg.to_le_bytes();
            Self {
                factor: u16::from_le_bytes([f0, f1]),
                low: u16::from_le_bytes([l0, l1]),
                high: u16::from_le_bytes([h0, h1]),
                steps: u16::from_le_bytes([n0, n1]),
            }
        }
    }
}

/// `DIF_TYPE_*`: the kind of a value.
pub mod kind {
    /// A C type.
    pub const CTF: u8 = 0;
    /// A D string.
    pub const STRING: u8 = 1;
}

/// `DIF_TF_*`: flags of a value's type.
pub mod tf {
    /// Passed by reference.
    pub const BYREF: u8 = 1;
    /// A user address, passed by reference.
    pub const BYUREF: u8 = 2;
}

/// `CTF_K_*`: kinds of C types.
pub mod ctf {
    /// Unknown; what D strings carry.
    pub const UNKNOWN: u8 = 0;
    /// An integer.
    pub const INTEGER: u8 = 1;
    /// A floating-point number.
    pub const FLOAT: u8 = 2;
    /// A pointer.
    pub const POINTER: u8 = 3;
    /// An array.
    pub const ARRAY: u8 = 4;
    /// A function.
    pub const FUNCTION: u8 = 5;
    /// A struct.
    pub const STRUCT: u8 = 6;
    /// A union.
    pub const UNION: u8 = 7;
    /// An enum.
    pub const ENUM: u8 = 8;
    /// A forward declaration.
    pub const FORWARD: u8 = 9;
    /// A typedef.
    pub const TYPEDEF: u8 = 10;
    /// `volatile`.
    pub const VOLATILE: u8 = 11;
    /// `const`.
    pub const CONST: u8 = 12;
    /// `restrict`.
    pub const RESTRICT: u8 = 13;
}

/// `DIFV_*`: how a variable table describes a variable.
pub mod difv {
    /// An array.
    pub const KIND_ARRAY: u8 = 0;
    /// A scalar.
    pub const KIND_SCALAR: u8 = 1;
    /// Global.
    pub const SCOPE_GLOBAL: u8 = 0;
    /// Thread-local.
    pub const SCOPE_THREAD: u8 = 1;
    /// Clause-local.
    pub const SCOPE_LOCAL: u8 = 2;
    /// Read by the DIFO.
    pub const F_REF: u16 = 1;
    /// Written by the DIFO.
    pub const F_MOD: u16 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with a hole would call the wrong subroutine: names stand at their numbers.
    #[test]
    fn subroutine_names_stand_at_their_numbers() {
        assert_eq!(subr::NAMES.len(), usize::from(subr::MAX) + 1);
        assert_eq!(subr::name(subr::STRLEN), Some("strlen"));
        assert_eq!(subr::name(subr::JSON), Some("json"));
        assert_eq!(subr::by_name("strtoll"), Some(53));
        assert_eq!(subr::name(54), None);
        assert_eq!(subr::name(subr::NESTED_COPYIN), Some("nested_copyin"));
        assert_eq!(subr::by_name("nested_copyinstr"), Some(subr::NESTED_COPYINSTR));
        for number in 0..=u16::MAX {
            assert_eq!(subr::exists(number), subr::name(number).is_some(), "{number}");
        }
    }

    /// Names and ids of variables map both ways, and no id is given twice.
    #[test]
    fn variables_map_both_ways() {
        for &(id, name) in var::NAMES {
            assert_eq!(var::name(id), Some(name));
            assert_eq!(var::by_name(name), Some(id));
        }
    }

    /// The packed arguments of the linear aggregations are the fields of `sys/dtrace.h`.
    #[test]
    fn packed_arguments_have_freebsds_fields() {
        let linear = agg::Lquantize { base: -5, levels: 100, step: 7 };
        assert_eq!(linear.to_arg(), (7 << 48) | (100 << 32) | 0xffff_fffb);
        assert_eq!(agg::Lquantize::from_arg(linear.to_arg()), linear);
        let log = agg::Llquantize { factor: 10, low: 1, high: 6, steps: 20 };
        assert_eq!(log.to_arg(), (10 << 48) | (1 << 32) | (6 << 16) | 20);
        assert_eq!(agg::Llquantize::from_arg(log.to_arg()), log);
    }

    /// Classes decide what needs `-w` and what needs a tuple.
    #[test]
    fn classes_are_told_apart() {
        assert!(act::is_destructive(act::PANIC) && act::is_destructive(act::SYSTEM));
        assert!(!act::is_destructive(act::STACK));
        assert!(act::is_speculative(act::COMMIT) && act::is_aggregation(agg::SUM));
        assert!(act::is_known(act::IMMSTACK) && act::is_known(agg::LLQUANTIZE));
        assert!(!act::is_known(0) && !act::is_known(0x070a));
    }
}
