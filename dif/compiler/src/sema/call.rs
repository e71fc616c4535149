//! Functions: the prototypes of subroutines, actions and aggregating functions, and the checks of
//! their arguments.

use dif::{difo::DifType, number::subr};

use super::{Checked, Cx, Kind, Node, fail};
use crate::{
    ast::{Expr, ExprKind, Ident, VarScope},
    error::ErrorTag,
    sema::node::Key,
    source::Span,
    types::{Type, TypeId},
    world::Os,
};

/// What a function takes in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arg {
    /// `const char *`: a string, or what can be read as one, or `NULL`.
    Text,
    /// An integer; an address too is one, until a script says otherwise by a type.
    Int,
    /// `void *`.
    Pointer,
    /// An integer or pointer: an address that no process has.
    Address,
    /// Whatever there is: the function looks for itself.
    Any,
}

/// What a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A subroutine of that number, with what it gives.
    Subroutine(u16, Gives),
    /// An action, with the type that its call has.
    Action(TypeId),
    /// An aggregating function.
    Aggregating,
}

/// What a subroutine gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    Type(TypeId),
    /// `void *`, or `uintptr_t *`, into scratch.
    Scratch,
    Words,
}

struct Proto {
    name: &'static str,
    what: What,
    args: &'static [Arg],
    /// The least number of arguments.
    least: usize,
    /// Any number more.
    varargs: bool,
}

const fn routine(name: &'static str, number: u16, gives: TypeId, args: &'static [Arg]) -> Proto {
    let what = What::Subroutine(number, Gives::Type(gives));
    Proto { name, what, args, least: args.len(), varargs: false }
}

/// The last argument may be left out.
const fn optional(name: &'static str, number: u16, gives: TypeId, args: &'static [Arg]) -> Proto {
    let proto = routine(name, number, gives, args);
    Proto { least: args.len() - 1, ..proto }
}

const fn scratch(name: &'static str, number: u16, gives: Gives, args: &'static [Arg]) -> Proto {
    let what = What::Subroutine(number, gives);
    Proto { name, what, args, least: args.len(), varargs: false }
}

const fn action(name: &'static str, args: &'static [Arg]) -> Proto {
    typed_action(name, TypeId::VOID, args)
}

const fn typed_action(name: &'static str, gives: TypeId, args: &'static [Arg]) -> Proto {
    Proto { name, what: What::Action(gives), args, least: args.len(), varargs: false }
}

const fn open(proto: Proto) -> Proto {
    Proto { varargs: true, ..proto }
}

const fn aggregating(name: &'static str, args: &'static [Arg]) -> Proto {
    Proto { name, what: What::Aggregating, args, least: args.len(), varargs: false }
}

use Arg::{Address, Any, Int, Pointer, Text};

/// Every function of D, as FreeBSD's `libdtrace` declares it.
const PROTOS: &[Proto] = &[
    scratch("alloca", subr::ALLOCA, Gives::Scratch, &[Int]),
    scratch("copyin", subr::COPYIN, Gives::Scratch, &[Int, Int]),
    optional("copyinstr", subr::COPYINSTR, TypeId::STRING, &[Int, Int]),
    scratch("nested_copyin", subr::NESTED_COPYIN, Gives::Scratch, &[Address, Int]),
    optional("nested_copyinstr", subr::NESTED_COPYINSTR, TypeId::STRING, &[Address, Int]),
    routine("copyinto", subr::COPYINTO, TypeId::VOID, &[Int, Int, Pointer]),
    routine("copyout", subr::COPYOUT, TypeId::VOID, &[Pointer, Int, Int]),
    routine("copyoutstr", subr::COPYOUTSTR, TypeId::VOID, &[Text, Int, Int]),
    routine("bcopy", subr::BCOPY, TypeId::VOID, &[Pointer, Pointer, Int]),
    routine("rand", subr::RAND, TypeId::INT, &[]),
    routine("speculation", subr::SPECULATION, TypeId::INT, &[]),
    routine("progenyof", subr::PROGENYOF, TypeId::INT, &[Int]),
    routine("strlen", subr::STRLEN, TypeId::ULONG, &[Text]),
    routine("strjoin", subr::STRJOIN, TypeId::STRING, &[Text, Text]),
    routine("strchr", subr::STRCHR, TypeId::STRING, &[Text, Int]),
    routine("strrchr", subr::STRRCHR, TypeId::STRING, &[Text, Int]),
    routine("strstr", subr::STRSTR, TypeId::STRING, &[Text, Text]),
    routine("strtok", subr::STRTOK, TypeId::STRING, &[Text, Text]),
    optional("substr", subr::SUBSTR, TypeId::STRING, &[Text, Int, Int]),
    optional("index", subr::INDEX, TypeId::INT, &[Text, Text, Int]),
    optional("rindex", subr::RINDEX, TypeId::INT, &[Text, Text, Int]),
    routine("toupper", subr::TOUPPER, TypeId::STRING, &[Text]),
    routine("tolower", subr::TOLOWER, TypeId::STRING, &[Text]),
    optional("lltostr", subr::LLTOSTR, TypeId::STRING, &[Int, Int]),
    optional("strtoll", subr::STRTOLL, TypeId::LONG, &[Text, Int]),
    routine("basename", subr::BASENAME, TypeId::STRING, &[Text]),
    routine("dirname", subr::DIRNAME, TypeId::STRING, &[Text]),
    routine("cleanpath", subr::CLEANPATH, TypeId::STRING, &[Text]),
    routine("htons", subr::HTONS, TypeId::USHORT, &[Int]),
    routine("ntohs", subr::NTOHS, TypeId::USHORT, &[Int]),
    routine("htonl", subr::HTONL, TypeId::UINT, &[Int]),
    routine("ntohl", subr::NTOHL, TypeId::UINT, &[Int]),
    routine("htonll", subr::HTONLL, TypeId::ULONG, &[Int]),
    routine("ntohll", subr::NTOHLL, TypeId::ULONG, &[Int]),
    routine("inet_ntop", subr::INET_NTOP, TypeId::STRING, &[Int, Pointer]),
    routine("inet_ntoa", subr::INET_NTOA, TypeId::STRING, &[Pointer]),
    routine("inet_ntoa6", subr::INET_NTOA6, TypeId::STRING, &[Pointer]),
    routine("uuidstr", subr::UUIDSTR, TypeId::STRING, &[Pointer]),
    routine("json", subr::JSON, TypeId::STRING, &[Text, Text]),
    routine("memstr", subr::MEMSTR, TypeId::STRING, &[Pointer, Int, Int]),
    scratch("memref", subr::MEMREF, Gives::Words, &[Pointer, Int]),
    routine("getmajor", subr::GETMAJOR, TypeId::UINT, &[Int]),
    routine("getminor", subr::GETMINOR, TypeId::UINT, &[Int]),
    scratch("copyoutmbuf", subr::COPYOUTMBUF, Gives::Scratch, &[Pointer, Int]),
    scratch("getf", subr::GETF, Gives::Scratch, &[Int]),
    routine("ddi_pathname", subr::DDI_PATHNAME, TypeId::STRING, &[Pointer, Int]),
    routine("msgdsize", subr::MSGDSIZE, TypeId::ULONG, &[Pointer]),
    routine("msgsize", subr::MSGSIZE, TypeId::ULONG, &[Pointer]),
    routine("mutex_owned", subr::MUTEX_OWNED, TypeId::INT, &[Pointer]),
    scratch("mutex_owner", subr::MUTEX_OWNER, Gives::Scratch, &[Pointer]),
    routine("mutex_type_adaptive", subr::MUTEX_TYPE_ADAPTIVE, TypeId::INT, &[Pointer]),
    routine("mutex_type_spin", subr::MUTEX_TYPE_SPIN, TypeId::INT, &[Pointer]),
    routine("rw_iswriter", subr::RW_ISWRITER, TypeId::INT, &[Pointer]),
    routine("rw_read_held", subr::RW_READ_HELD, TypeId::INT, &[Pointer]),
    routine("rw_write_held", subr::RW_WRITE_HELD, TypeId::INT, &[Pointer]),
    routine("sx_exclusive_held", subr::SX_EXCLUSIVE_HELD, TypeId::INT, &[Pointer]),
    routine("sx_isexclusive", subr::SX_ISEXCLUSIVE, TypeId::INT, &[Pointer]),
    routine("sx_shared_held", subr::SX_SHARED_HELD, TypeId::INT, &[Pointer]),
    action("breakpoint", &[]),
    action("chill", &[Int]),
    open(action("clear", &[])),
    action("commit", &[Int]),
    open(action("denormalize", &[])),
    action("discard", &[Int]),
    action("exit", &[Int]),
    open(action("freopen", &[Any])),
    action("ftruncate", &[]),
    typed_action("func", TypeId::SYMBOL, &[Int]),
    open(typed_action("immstack", TypeId::STRING, &[])),
    open(typed_action("jstack", TypeId::STACK, &[])),
    typed_action("mod", TypeId::SYMBOL, &[Int]),
    open(action("normalize", &[])),
    action("panic", &[]),
    action("print", &[Any]),
    open(action("printa", &[Any])),
    open(action("printf", &[Any])),
    action("printm", &[Int, Pointer]),
    action("raise", &[Int]),
    Proto { least: 1, ..action("setopt", &[Text, Text]) },
    action("speculate", &[Int]),
    open(typed_action("stack", TypeId::STACK, &[])),
    action("stop", &[]),
    typed_action("sym", TypeId::SYMBOL, &[Int]),
    open(action("system", &[Any])),
    action("trace", &[Any]),
    open(action("tracemem", &[Any, Int])),
    open(action("trunc", &[])),
    typed_action("uaddr", TypeId::USER_SYMBOL, &[Int]),
    typed_action("ufunc", TypeId::USER_SYMBOL, &[Int]),
    typed_action("umod", TypeId::USER_SYMBOL, &[Int]),
    open(typed_action("ustack", TypeId::STACK, &[])),
    typed_action("usym", TypeId::USER_SYMBOL, &[Int]),
    aggregating("avg", &[Any]),
    aggregating("count", &[]),
    open(aggregating("llquantize", &[Any, Int, Int, Int, Int])),
    open(aggregating("lquantize", &[Any, Int, Int])),
    aggregating("max", &[Any]),
    aggregating("min", &[Any]),
    open(aggregating("quantize", &[Any])),
    aggregating("stddev", &[Any]),
    aggregating("sum", &[Any]),
];

/// Subroutines that need a kernel of which a machine has none, and why.
const ELSEWHERE: &[(u16, &str)] = &[
    (subr::MSGDSIZE, "STREAMS messages are illumos's"),
    (subr::MSGSIZE, "STREAMS messages are illumos's"),
    (
        subr::COPYOUTMBUF,
        "mbufs are FreeBSD's, and there bcopy( ) copies what an mbuf's m_data points to",
    ),
    (subr::DDI_PATHNAME, "device trees of that kind are illumos's"),
    (subr::MUTEX_OWNED, "its locks are FreeBSD's"),
    (subr::MUTEX_OWNER, "its locks are FreeBSD's"),
    (subr::MUTEX_TYPE_ADAPTIVE, "its locks are FreeBSD's"),
    (subr::MUTEX_TYPE_SPIN, "its locks are FreeBSD's"),
    (subr::RW_ISWRITER, "its locks are FreeBSD's"),
    (subr::RW_READ_HELD, "its locks are FreeBSD's"),
    (subr::RW_WRITE_HELD, "its locks are FreeBSD's"),
    (subr::SX_EXCLUSIVE_HELD, "its locks are FreeBSD's"),
    (subr::SX_ISEXCLUSIVE, "its locks are FreeBSD's"),
    (subr::SX_SHARED_HELD, "its locks are FreeBSD's"),
];

fn find(name: &str) -> Option<&'static Proto> {
    PROTOS.iter().find(|proto| proto.name == name)
}

/// Whether a name is a function's of any kind.
pub(crate) fn is_function(name: &str) -> bool {
    find(name).is_some()
}

/// Whether a name is an aggregating function's.
pub(crate) fn is_aggregating(name: &str) -> bool {
    find(name).is_some_and(|proto| proto.what == What::Aggregating)
}

impl Cx<'_, '_> {
    pub(super) fn call(&mut self, function: &Expr, args: &[Expr], span: Span) -> Checked<Node> {
        let ExprKind::Var { scope: VarScope::Global, name } = &function.kind else {
            let message = "function designator is not of function type";
            return fail(ErrorTag::FuncIdent, span, message);
        };
        let name = name.name.as_str();
        let proto = self.prototype(name, span)?;
        let keys = self.check_proto(proto, args, span)?;
        if let (What::Subroutine(subr::PROGENYOF | subr::GETF, _), [wanted]) = (&proto.what, args) {
            return self.of_library(name, function, wanted, span);
        }
        match proto.what {
            What::Subroutine(number, gives) => self.subroutine(number, gives, name, keys, span),
            What::Action(ty) => {
                let what = format!("tracing function {name}( )");
                Ok(Node::new(ty, Kind::Uncomputable(what), span))
            }
            What::Aggregating => {
                let what = format!("aggregating function {name}( )");
                Ok(Node::new(TypeId::DYNAMIC, Kind::Uncomputable(what), span))
            }
        }
    }

    /// A function by its name.
    fn prototype(&mut self, name: &str, span: Span) -> Checked<&'static Proto> {
        let known = super::ident::is_builtin_name(name)
            || self.bound(name).is_some()
            || self.definitions.inlines.contains_key(name)
            || self.known_variable(VarScope::Global, name).is_some();
        if known {
            let message = format!("'{name}' may not be referenced as a function");
            return fail(ErrorTag::FuncIdkind, span, message);
        }
        match find(name) {
            Some(proto) => Ok(proto),
            None => fail(ErrorTag::FuncUndef, span, format!("undefined function name: {name}")),
        }
    }

    /// Checks a call of any function against its prototype.
    ///
    /// # Errors
    /// `D_FUNC_UNDEF`, `D_FUNC_IDKIND`, `D_PROTO_LEN`, `D_PROTO_ARG`, or what is wrong with an
    /// argument.
    pub(crate) fn check_call(&mut self, name: &str, args: &[Expr], span: Span) -> Checked<()> {
        let proto = self.prototype(name, span)?;
        self.check_proto(proto, args, span).map(|_| ())
    }

    fn check_proto(&mut self, proto: &Proto, args: &[Expr], span: Span) -> Checked<Vec<Key>> {
        let count = args.len();
        let mut nodes = Vec::with_capacity(count);
        for arg in args {
            nodes.push(self.expr(arg)?);
        }
        let (least, most) = (proto.least, proto.args.len());
        if count < least || (count > most && !proto.varargs) {
            let lead = if least < most { "at least " } else { "" };
            let s = if count == 1 { "" } else { "s" };
            let message = format!(
                "{}( ) prototype mismatch: {count} arg{s} passed, {lead}{least} expected",
                proto.name
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let kinds = proto.args.iter().copied().chain(std::iter::repeat(Any));
        let mut keys = Vec::with_capacity(count);
        for (at, (node, kind)) in nodes.into_iter().zip(kinds).enumerate() {
            keys.push(self.argument(node, kind, proto.name, at)?);
        }
        Ok(keys)
    }

    fn subroutine(
        &mut self,
        number: u16,
        gives: Gives,
        name: &str,
        keys: Vec<Key>,
        span: Span,
    ) -> Checked<Node> {
        let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == number);
        if let Some((_, why)) = elsewhere {
            let message = format!("{name}( ) cannot be had on {}: {why}", self.world.name());
            return fail(ErrorTag::Unsupported, span, message);
        }
        if let (subr::GETMAJOR | subr::GETMINOR, [dev]) = (number, &keys[..]) {
            return self.device_number(number == subr::GETMAJOR, dev.node.clone(), span);
        }
        let ty = match gives {
            Gives::Type(ty) => ty,
            Gives::Scratch => self.types.pointer(TypeId::VOID, false),
            Gives::Words => self.types.pointer(TypeId::ULONG, false),
        };
        Ok(Node::new(ty, Kind::Call(number, keys), span))
    }

    /// A function that the library reads out of the kernel's own structures, `__name[argument]`
    /// there: `progenyof(p)` walks the tree of processes, `getf(fd)` looks into the table of files.
    fn of_library(
        &mut self,
        name: &str,
        function: &Expr,
        wanted: &Expr,
        span: Span,
    ) -> Checked<Node> {
        if self.types.is_untyped() {
            let why = "it needs the types of the kernel, which are not published there";
            let message = format!("{name}( ) cannot be had on {}: {why}", self.world.name());
            return fail(ErrorTag::Unsupported, span, message);
        }
        self.library_array(&format!("__{name}"), wanted.clone(), function.span, span)
    }

    /// An element of one of the library's own arrays.
    pub(super) fn library_array(
        &mut self,
        name: &str,
        key: Expr,
        name_span: Span,
        span: Span,
    ) -> Checked<Node> {
        let name = Ident { name: name.to_owned(), span: name_span };
        let array = Expr::new(ExprKind::Var { scope: VarScope::Global, name }, name_span);
        self.expr(&Expr::new(ExprKind::Index { base: Box::new(array), keys: vec![key] }, span))
    }

    /// The parts of a `dev_t`: a kernel's own layout of it.
    fn device_number(&mut self, major: bool, dev: Node, span: Span) -> Checked<Node> {
        use crate::ast::BinaryOp;
        if self.world.os() != Os::Linux {
            let number = if major { subr::GETMAJOR } else { subr::GETMINOR };
            let key = Key { node: dev, ty: DifType::integer(8) };
            return Ok(Node::new(TypeId::UINT, Kind::Call(number, vec![key]), span));
        }
        let node = if major {
            let by = Node::constant(TypeId::INT, 20, span);
            let dev = self.convert(dev, TypeId::UINT, span)?;
            self.binary_nodes(BinaryOp::Shr, dev, by, span)?
        } else {
            let mask = Node::constant(TypeId::UINT, 0xf_ffff, span);
            self.binary_nodes(BinaryOp::BitAnd, dev, mask, span)?
        };
        self.convert(node, TypeId::UINT, span)
    }

    fn argument(&mut self, node: Node, kind: Arg, name: &str, at: usize) -> Checked<Key> {
        let null = node.as_const() == Some(0) && self.is_integer_type(node.ty);
        let (fits, ty) = match kind {
            Any => (true, DifType::integer(8)),
            Text if null => (true, DifType::integer(8)),
            Text => (self.is_text(&node), DifType::STRING),
            Int => (self.is_int(&node), DifType::integer(8)),
            Address => (self.is_scalar(&node), DifType::integer(8)),
            Pointer => {
                let string = self.is_string(&node);
                (null || string || self.is_pointer(&node), DifType::integer(8))
            }
        };
        if fits {
            let node = if kind == Pointer { self.decay(node) } else { node };
            return Ok(Key { node, ty });
        }
        let have = self.words(node.ty);
        let want = match kind {
            Text => "const char *",
            Int | Address => "integer",
            Pointer | Any => "void *",
        };
        let hint = match (kind, self.types.resolve(node.ty)) {
            (Text, Type::Pointer { user: true, .. }) => {
                " (copyinstr( ) reads the process's memory)"
            }
            (Int, Type::Pointer { .. }) => " (cast it: (uintptr_t))",
            _ => "",
        };
        let message = format!(
            "{name}( ) argument #{} is incompatible with prototype:\n\tprototype: {want}\n\t \
             argument: {have}{hint}",
            at + 1
        );
        fail(ErrorTag::ProtoArg, node.span, message)
    }
}
