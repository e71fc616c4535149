//! Subroutines: their prototypes, and the checks of their arguments.

use dif::{difo::DifType, number::subr};

use super::{Checked, Cx, Kind, Node, fail};
use crate::{
    ast::{Expr, ExprKind, VarScope},
    error::ErrorTag,
    sema::node::Key,
    source::Span,
    types::{Type, TypeId},
};

/// What a subroutine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arg {
    /// A string, or what can be read as one.
    Text,
    /// As [`Arg::Text`], or `NULL`.
    TextOrNull,
    /// An integer.
    Int,
    /// An address: a pointer, an integer, an array.
    Address,
}

/// What a subroutine gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    Type(TypeId),
    /// `void *` into scratch.
    Scratch,
}

struct Proto {
    number: u16,
    gives: Gives,
    args: &'static [Arg],
    /// Arguments that may be left out.
    optional: usize,
}

const fn proto(number: u16, gives: TypeId, args: &'static [Arg]) -> Proto {
    Proto { number, gives: Gives::Type(gives), args, optional: 0 }
}

const fn optional(number: u16, gives: TypeId, args: &'static [Arg]) -> Proto {
    Proto { number, gives: Gives::Type(gives), args, optional: 1 }
}

use Arg::{Address, Int, Text, TextOrNull};

/// Every subroutine that machines carry out.
const PROTOS: &[Proto] = &[
    Proto { number: subr::ALLOCA, gives: Gives::Scratch, args: &[Int], optional: 0 },
    Proto { number: subr::COPYIN, gives: Gives::Scratch, args: &[Address, Int], optional: 0 },
    optional(subr::COPYINSTR, TypeId::STRING, &[Address, Int]),
    Proto {
        number: subr::NESTED_COPYIN,
        gives: Gives::Scratch,
        args: &[Address, Int],
        optional: 0,
    },
    optional(subr::NESTED_COPYINSTR, TypeId::STRING, &[Address, Int]),
    proto(subr::COPYINTO, TypeId::VOID, &[Address, Int, Address]),
    proto(subr::BCOPY, TypeId::VOID, &[Address, Address, Int]),
    proto(subr::RAND, TypeId::INT, &[]),
    proto(subr::SPECULATION, TypeId::INT, &[]),
    proto(subr::STRLEN, TypeId::ULONG, &[Text]),
    proto(subr::STRJOIN, TypeId::STRING, &[Text, Text]),
    proto(subr::STRCHR, TypeId::STRING, &[Text, Int]),
    proto(subr::STRRCHR, TypeId::STRING, &[Text, Int]),
    proto(subr::STRSTR, TypeId::STRING, &[Text, Text]),
    proto(subr::STRTOK, TypeId::STRING, &[TextOrNull, Text]),
    optional(subr::SUBSTR, TypeId::STRING, &[Text, Int, Int]),
    optional(subr::INDEX, TypeId::INT, &[Text, Text, Int]),
    optional(subr::RINDEX, TypeId::INT, &[Text, Text, Int]),
    proto(subr::TOUPPER, TypeId::STRING, &[Text]),
    proto(subr::TOLOWER, TypeId::STRING, &[Text]),
    optional(subr::LLTOSTR, TypeId::STRING, &[Int, Int]),
    optional(subr::STRTOLL, TypeId::LONG, &[Text, Int]),
    proto(subr::BASENAME, TypeId::STRING, &[Text]),
    proto(subr::DIRNAME, TypeId::STRING, &[Text]),
    proto(subr::CLEANPATH, TypeId::STRING, &[Text]),
    proto(subr::HTONS, TypeId::USHORT, &[Int]),
    proto(subr::NTOHS, TypeId::USHORT, &[Int]),
    proto(subr::HTONL, TypeId::UINT, &[Int]),
    proto(subr::NTOHL, TypeId::UINT, &[Int]),
    proto(subr::HTONLL, TypeId::ULONG, &[Int]),
    proto(subr::NTOHLL, TypeId::ULONG, &[Int]),
    proto(subr::INET_NTOP, TypeId::STRING, &[Int, Address]),
    proto(subr::INET_NTOA, TypeId::STRING, &[Address]),
    proto(subr::INET_NTOA6, TypeId::STRING, &[Address]),
    proto(subr::JSON, TypeId::STRING, &[Text, Text]),
    proto(subr::MEMSTR, TypeId::STRING, &[Address, Int, Int]),
];

/// Names of actions and aggregating functions, which no expression may call.
const ACTIONS: &[&str] = &[
    "breakpoint",
    "chill",
    "clear",
    "commit",
    "denormalize",
    "discard",
    "exit",
    "freopen",
    "ftruncate",
    "func",
    "immstack",
    "jstack",
    "mod",
    "normalize",
    "panic",
    "print",
    "printa",
    "printf",
    "printm",
    "printt",
    "raise",
    "setopt",
    "speculate",
    "stack",
    "stop",
    "sym",
    "system",
    "trace",
    "tracemem",
    "trunc",
    "uaddr",
    "ufunc",
    "umod",
    "ustack",
    "usym",
    "count",
    "min",
    "max",
    "avg",
    "sum",
    "stddev",
    "quantize",
    "lquantize",
    "llquantize",
];

impl Cx<'_, '_> {
    pub(super) fn call(&mut self, function: &Expr, args: &[Expr], span: Span) -> Checked<Node> {
        let ExprKind::Var { scope: VarScope::Global, name } = &function.kind else {
            let message = "function designator is not of function type";
            return fail(ErrorTag::FuncIdent, span, message);
        };
        let name = name.name.as_str();
        if ACTIONS.contains(&name) {
            let message =
                format!("tracing function {name}( ) may not be called from within a D expression");
            return fail(ErrorTag::CgExpr, span, message);
        }
        let number = subr::by_name(name);
        let found = number.and_then(|number| PROTOS.iter().find(|proto| proto.number == number));
        match found {
            Some(proto) => self.call_proto(proto, name, args, span),
            None if number.is_some() => {
                let message = format!("subroutine {name}( ) is not supported yet");
                fail(ErrorTag::Unsupported, span, message)
            }
            None => {
                let message = format!("undefined function name: {name}");
                fail(ErrorTag::FuncUndef, span, message)
            }
        }
    }

    fn call_proto(
        &mut self,
        proto: &Proto,
        name: &str,
        args: &[Expr],
        span: Span,
    ) -> Checked<Node> {
        let (least, most) = (proto.args.len() - proto.optional, proto.args.len());
        if args.len() < least || args.len() > most {
            let few = if args.len() < least { "at least " } else { "at most " };
            let few = if proto.optional == 0 { "" } else { few };
            let wanted = if args.len() < least { least } else { most };
            let message = format!(
                "{name}( ) prototype mismatch: {} args passed, {few}{wanted} expected",
                args.len()
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let mut keys = Vec::new();
        for (at, (arg, kind)) in args.iter().zip(proto.args).enumerate() {
            let node = self.expr(arg)?;
            keys.push(self.argument(node, *kind, name, at)?);
        }
        let ty = match proto.gives {
            Gives::Type(ty) => ty,
            Gives::Scratch => self.types.pointer(TypeId::VOID, false),
        };
        Ok(Node::new(ty, Kind::Call(proto.number, keys), span))
    }

    fn argument(&mut self, node: Node, kind: Arg, name: &str, at: usize) -> Checked<Key> {
        let node = if kind == Address { self.decay(node) } else { node };
        let (fits, ty) = match kind {
            Text => (self.is_text(&node), DifType::STRING),
            TextOrNull if node.as_const() == Some(0) => (true, DifType::integer(8)),
            TextOrNull => (self.is_text(&node), DifType::STRING),
            Int => (self.is_int(&node), DifType::integer(8)),
            Address => (self.is_scalar(&node) || self.is_text(&node), DifType::integer(8)),
        };
        if fits {
            return Ok(Key { node, ty });
        }
        let have = self.words(node.ty);
        let want = match kind {
            Text | TextOrNull => "string",
            Int => "int",
            Address => "pointer",
        };
        let hint = match self.types.resolve(node.ty) {
            Type::Pointer { user: true, .. } => " (copyinstr( ) reads the process's memory)",
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
