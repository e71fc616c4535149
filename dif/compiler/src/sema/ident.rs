//! Names: the script's variables, built-in variables, inlines, enumerators, kernel symbols.

use dif::{env::Scope, number::var};

use super::{
    Binding, Checked, Cx, Kind, MAX_INLINE_DEPTH, MAX_NESTING, Node, TOO_DEEP, Variable, fail,
    is_by_ref,
};
use crate::{
    ast::VarScope,
    compiled::ValueKind,
    error::ErrorTag,
    link::{Check, SavedArg, Wanted},
    sema::{
        node::{Place, VarRef},
        registry::Shape,
    },
    source::Span,
    types::{Tag, Type, TypeId, parse_c_type},
    world::{ArgType, ArgTypes},
};

/// Built-in variables by number, with their types. `curthread` and `args` are found out apart.
const BUILTINS: [(u16, TypeId); 35] = [
    (var::TIMESTAMP, TypeId::ULONG),
    (var::VTIMESTAMP, TypeId::ULONG),
    (var::WALLTIMESTAMP, TypeId::LONG),
    (var::EPID, TypeId::UINT),
    (var::ID, TypeId::UINT),
    (var::IPL, TypeId::UINT),
    (var::ARG0, TypeId::LONG),
    (var::ARG1, TypeId::LONG),
    (var::ARG2, TypeId::LONG),
    (var::ARG3, TypeId::LONG),
    (var::ARG4, TypeId::LONG),
    (var::ARG5, TypeId::LONG),
    (var::ARG6, TypeId::LONG),
    (var::ARG7, TypeId::LONG),
    (var::ARG8, TypeId::LONG),
    (var::ARG9, TypeId::LONG),
    (var::STACKDEPTH, TypeId::UINT),
    (var::USTACKDEPTH, TypeId::UINT),
    (var::CALLER, TypeId::ULONG),
    (var::UCALLER, TypeId::ULONG),
    (var::PROBEPROV, TypeId::STRING),
    (var::PROBEMOD, TypeId::STRING),
    (var::PROBEFUNC, TypeId::STRING),
    (var::PROBENAME, TypeId::STRING),
    (var::PID, TypeId::INT),
    (var::PPID, TypeId::INT),
    (var::TID, TypeId::INT),
    (var::EXECNAME, TypeId::STRING),
    (var::ZONENAME, TypeId::STRING),
    (var::UID, TypeId::UINT),
    (var::GID, TypeId::UINT),
    (var::ERRNO, TypeId::INT),
    (var::JID, TypeId::INT),
    (var::JAILNAME, TypeId::STRING),
    (var::VMNAME, TypeId::STRING),
];

impl Cx<'_, '_> {
    /// A variable's value.
    pub(super) fn variable(&mut self, scope: VarScope, name: &str, span: Span) -> Checked<Node> {
        if scope == VarScope::Global {
            if let Some(bound) = self.bound(name) {
                let (node, nodes) = (bound.node.clone(), bound.nodes);
                self.spend(nodes, span)?;
                return Ok(node);
            }
            if let Some(node) = self.builtin(name, span)? {
                return Ok(node);
            }
        }
        if let Some(known) = self.known_variable(scope, name) {
            if known.keys.is_some() {
                return super::assign::array_without_key(scope, name, span);
            }
            return Ok(self.load_variable(&known, span));
        }
        if scope == VarScope::Global {
            if let Some(inline) = self.definitions.inlines.get(name).cloned() {
                return self.inline(&inline, &[], span);
            }
            if super::call::is_function(name) {
                let message = format!("function '{name}' may not be referenced as scalar");
                return fail(ErrorTag::IdentBadref, span, message);
            }
            if let Some((ty, value)) = self.find_enumerator(name) {
                let own = self.enumerators.contains_key(name);
                let wanted = (!own).then(|| Wanted::Enumerator(name.to_owned()));
                return Ok(self.linked(ty, wanted, value.cast_unsigned(), span));
            }
        }
        undefined(scope, name, span)
    }

    pub(super) fn load_variable(&mut self, known: &Variable, span: Span) -> Node {
        let load = Kind::Load(Place::Var(known.var.clone()));
        Node::new(known.ty, load, span)
    }

    pub(super) fn bound(&self, name: &str) -> Option<&Binding> {
        self.bindings.iter().rev().find(|known| known.name == name)
    }

    /// Whether the script's enumerations have a name.
    pub(super) fn is_enumerator(&self, name: &str) -> bool {
        self.enumerators.contains_key(name)
    }

    pub(super) fn find_enumerator(&mut self, name: &str) -> Option<(TypeId, i64)> {
        match self.enumerators.get(name) {
            Some(found) => Some(*found),
            None => self.types.enumerator(name),
        }
    }

    /// A variable that this world has seen, or another world has.
    pub(super) fn known_variable(&mut self, scope: VarScope, name: &str) -> Option<Variable> {
        let key = (scope, name.to_owned());
        if let Some(known) = self.variables.get(&key) {
            return Some(known.clone());
        }
        let shape = self.registry.shape(scope, name)?.clone();
        let variable = self.variable_of_shape(scope, name, &shape)?;
        self.variables.insert(key, variable.clone());
        Some(variable)
    }

    /// A variable that only other worlds' clauses write: its type is found by its name, or else is
    /// the plain one of that size and sign.
    fn variable_of_shape(
        &mut self,
        scope: VarScope,
        name: &str,
        shape: &Shape,
    ) -> Option<Variable> {
        let ty = self.type_of_shape(shape)?;
        let keys = shape.keys.as_ref().map(|keys| {
            keys.iter().map(|key| plain_type(&key.kind, key.size)).collect::<Option<Vec<_>>>()
        });
        let keys = match keys {
            Some(keys) => Some(keys?),
            None => None,
        };
        let id = self.registry.variable(scope, name, shape.clone(), Span::default()).ok()?;
        let var = self.var_ref(scope, name, id, shape, ty);
        Some(Variable { ty, var, keys })
    }

    fn type_of_shape(&mut self, shape: &Shape) -> Option<TypeId> {
        if let Some(named) = parse_c_type(&mut self.types, &shape.type_name)
            && self.dif_type(named) == Some(shape.dif)
        {
            return Some(named);
        }
        match &shape.value {
            ValueKind::Pointer => Some(self.types.pointer(TypeId::VOID, false)),
            value => plain_type(value, shape.dif.size),
        }
    }

    fn var_ref(
        &mut self,
        scope: VarScope,
        name: &str,
        id: u16,
        shape: &Shape,
        ty: TypeId,
    ) -> VarRef {
        let signed = matches!(super::int_of(&self.types.resolve(ty)), Some((1 | 2 | 4, true)));
        VarRef {
            name: name.to_owned(),
            id,
            scope: match scope {
                VarScope::Global => Scope::Global,
                VarScope::Thread => Scope::Thread,
                VarScope::Clause => Scope::Local,
            },
            is_array: shape.keys.is_some(),
            dif: shape.dif,
            extend: signed && !is_by_ref(shape.dif),
        }
    }

    /// Gives a variable its type: by a declaration, or by the first assignment.
    pub(crate) fn define_variable(
        &mut self,
        scope: VarScope,
        name: &str,
        ty: TypeId,
        keys: Option<Vec<TypeId>>,
        span: Span,
    ) -> Checked<Variable> {
        if scope == VarScope::Global && is_builtin_name(name) {
            let message = format!("identifier redefined: {name} is a built-in variable");
            return fail(ErrorTag::DeclIdred, span, message);
        }
        let Some(dif) = self.dif_type(ty) else {
            let message = format!("{name} cannot hold a value of type {}", self.words(ty));
            return fail(ErrorTag::DeclVoidobj, span, message);
        };
        let infos = match &keys {
            Some(keys) => {
                let infos = keys.iter().map(|key| self.key_info(*key, span));
                Some(infos.collect::<Checked<Vec<_>>>()?)
            }
            None => None,
        };
        let (value, type_name) = (self.value_kind(ty), self.words(ty));
        let shape = Shape { dif, value, type_name, keys: infos };
        let id = self.registry.variable(scope, name, shape.clone(), span)?;
        let var = self.var_ref(scope, name, id, &shape, ty);
        let variable = Variable { ty, var, keys };
        self.variables.insert((scope, name.to_owned()), variable.clone());
        Ok(variable)
    }

    /// A built-in variable, if the name is one's.
    fn builtin(&mut self, name: &str, span: Span) -> Checked<Option<Node>> {
        let Some(id) = builtin_id(name) else { return Ok(None) };
        let ty = match id {
            var::ARGS | var::REGS | var::UREGS => {
                let message = format!("associative array '{name}' may not be referenced as scalar");
                return fail(ErrorTag::IdentBadref, span, message);
            }
            var::CURTHREAD => self.thread_type(),
            var::CPU => TypeId::INT,
            _ => match BUILTINS.iter().find(|(known, _)| *known == id) {
                Some((_, ty)) => *ty,
                None => {
                    let message = format!("built-in variable {name} is not supported yet");
                    return fail(ErrorTag::Unsupported, span, message);
                }
            },
        };
        Ok(Some(Node::new(ty, Kind::Builtin(id), span)))
    }

    /// `struct task_struct *` on Linux, `struct thread *` on FreeBSD, `void *` without types.
    fn thread_type(&mut self) -> TypeId {
        let linux = self.types.tag(Tag::Struct, "task_struct");
        let target = linux.or_else(|| self.types.tag(Tag::Struct, "thread"));
        self.types.pointer(target.unwrap_or(TypeId::VOID), false)
    }

    /// `` `name ``: what lies at a kernel symbol, by the kernel's own type of it.
    pub(super) fn symbol(&mut self, module: Option<&str>, name: &str, span: Span) -> Checked<Node> {
        let addr = self.symbol_address(module, name, span)?;
        let Some(ty) = self.variable_type(module, name) else {
            let message = format!(
                "no type information for symbol `{name}; write *(type *)&`{name} to say its type"
            );
            return fail(ErrorTag::SymNotypes, span, message);
        };
        self.at_address(addr, ty, false, span)
    }

    pub(super) fn symbol_address(
        &mut self,
        module: Option<&str>,
        name: &str,
        span: Span,
    ) -> Checked<Node> {
        let Some(symbol) = self.world.symbol(module, name) else {
            let module = module.unwrap_or("");
            let message = format!("failed to resolve {module}`{name}: Unknown symbol name");
            return fail(ErrorTag::IdentUndef, span, message);
        };
        let ty = self.types.pointer(TypeId::VOID, false);
        let module = module.map(str::to_owned);
        let wanted = Wanted::Symbol { module, name: name.to_owned() };
        Ok(self.linked(ty, Some(wanted), symbol.address, span))
    }

    /// The type of a kernel variable.
    pub(super) fn variable_type(&mut self, module: Option<&str>, name: &str) -> Option<TypeId> {
        let found = self.types.kernel_variable(module, name)?;
        let ty = self.words(found);
        let module = module.map(str::to_owned);
        self.types.note(|| Check::Variable { module, name: name.to_owned(), ty });
        Some(found)
    }

    /// A number that other kernels have their own of, if `wanted` says which; a constant unless the
    /// program is to be linked for them.
    pub(super) fn linked(
        &mut self,
        ty: TypeId,
        wanted: Option<Wanted>,
        value: u64,
        span: Span,
    ) -> Node {
        match wanted.and_then(|wanted| self.types.want(|| wanted, value)) {
            Some(mark) => Node::new(ty, Kind::Linked(mark), span),
            None => Node::constant(ty, value, span),
        }
    }

    /// The value of a type at an address: a load, or the address itself for what does not fit a
    /// register.
    pub(super) fn at_address(
        &mut self,
        addr: Node,
        ty: TypeId,
        user: bool,
        span: Span,
    ) -> Checked<Node> {
        self.types.note_shape(ty);
        let kind = match self.access(ty, user) {
            Some(access) => Kind::Load(Place::Memory(addr.into(), access)),
            None => match self.types.resolve(ty) {
                Type::Function { .. } | Type::Array { .. } | Type::Compound(_) => {
                    Kind::Object { addr: addr.into(), user }
                }
                Type::Int(_) | Type::Enum(_) | Type::Float { .. } => {
                    Kind::Object { addr: addr.into(), user }
                }
                Type::String if !user => Kind::Object { addr: addr.into(), user },
                Type::String => {
                    let message = "a string in the process's memory: copyinstr( ) it first";
                    return fail(ErrorTag::Unsupported, span, message);
                }
                _ => {
                    let message = format!("a value of incomplete type {}", self.words(ty));
                    return fail(ErrorTag::OpIncomplete, span, message);
                }
            },
        };
        Ok(Node::new(ty, kind, span))
    }

    /// `args[n]` with its native type, or the translator that gives its members.
    pub(super) fn arg(&mut self, index: i64, span: Span) -> Checked<Argument> {
        if !self.in_clause {
            let message = "args[ ] may not be referenced outside of a probe clause";
            return fail(ErrorTag::ArgsNone, span, message);
        }
        let world = self.world;
        let (desc, args) = &mut self.args;
        let list = match args.get_or_insert_with(|| world.arg_types(desc)) {
            ArgTypes::Typed(list) => {
                let list = list.clone();
                self.types.note(|| Check::Arguments(list.iter().map(SavedArg::from).collect()));
                list
            }
            ArgTypes::Untyped => {
                let message =
                    format!("index {index} is out of range: the probe has no typed arguments");
                return fail(ErrorTag::ArgsIdx, span, message);
            }
            ArgTypes::Differ => {
                let message = "args[ ] may not be referenced because probe description matches \
                               an unstable set of probes";
                return fail(ErrorTag::ArgsMulti, span, message);
            }
        };
        let found = usize::try_from(index).ok().and_then(|index| list.get(index));
        let Some(arg) = found else {
            let message = format!("index {index} is out of range for args[ ]");
            return fail(ErrorTag::ArgsIdx, span, message);
        };
        self.typed_arg(arg, index, span)
    }

    fn typed_arg(&mut self, arg: &ArgType, index: i64, span: Span) -> Checked<Argument> {
        let Some(native) = parse_c_type(&mut self.types, &arg.native) else {
            let message = format!("failed to resolve native type {} for args[{index}]", arg.native);
            return fail(ErrorTag::ArgsType, span, message);
        };
        let position = Node::constant(TypeId::INT, u64::from(arg.mapping), span);
        let raw = Kind::BuiltinArray(0, position.into());
        let raw = Node::new(TypeId::LONG, raw, span);
        let node = self.convert(raw, native, span)?;
        match &arg.translated {
            None => Ok(Argument::Plain(node)),
            Some(output) => self.translated_arg(node, output, index, span),
        }
    }

    fn translated_arg(
        &mut self,
        node: Node,
        output: &str,
        index: i64,
        span: Span,
    ) -> Checked<Argument> {
        let wanted = output.trim().trim_end_matches('*').trim();
        let found = self.find_translator(wanted, node.ty);
        match found {
            Some(translator) => Ok(Argument::Translated(translator, node)),
            None => {
                let native = self.words(node.ty);
                let message = format!(
                    "translator for args[{index}] from {native} to {output} is not defined; \
                     arg{index} has it untranslated"
                );
                fail(ErrorTag::ArgsXlator, span, message)
            }
        }
    }

    /// Runs `work` with names bound, for an inline's parameters or a translator's input.
    pub(super) fn bind<T>(
        &mut self,
        names: Vec<(String, Node)>,
        span: Span,
        work: impl FnOnce(&mut Self) -> Checked<T>,
    ) -> Checked<T> {
        if self.depth == MAX_INLINE_DEPTH {
            let message = "inlines or translators refer to themselves";
            return fail(ErrorTag::DeclScope, span, message);
        }
        let mut bindings = Vec::with_capacity(names.len());
        for (name, node) in names {
            // An inline of an inline of an inline is as deep as all of them together.
            let extent = node.extent();
            if extent.height > MAX_NESTING {
                return fail(ErrorTag::Unknown, span, TOO_DEEP);
            }
            bindings.push(Binding { name, node, nodes: extent.nodes });
        }
        // Names of whoever uses the inline mean nothing inside it.
        let outer = std::mem::replace(&mut self.bindings, bindings);
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        self.bindings = outer;
        result
    }
}

/// What `args[n]` is.
pub(super) enum Argument {
    Plain(Node),
    Translated(std::rc::Rc<crate::ast::Translator>, Node),
}

/// Whether a name is a built-in variable's.
pub(super) fn is_builtin_name(name: &str) -> bool {
    builtin_id(name).is_some()
}

/// The number of a built-in variable; what the D library defines is none.
fn builtin_id(name: &str) -> Option<u16> {
    var::by_name(name).filter(|id| *id != var::EXECARGS)
}

/// The plain type of that kind and size.
fn plain_type(kind: &ValueKind, size: u32) -> Option<TypeId> {
    Some(match (kind, size) {
        (ValueKind::String, _) => TypeId::STRING,
        (ValueKind::Integer { signed: true }, 1) => TypeId::CHAR,
        (ValueKind::Integer { signed: false }, 1) => TypeId::UCHAR,
        (ValueKind::Integer { signed: true }, 2) => TypeId::SHORT,
        (ValueKind::Integer { signed: false }, 2) => TypeId::USHORT,
        (ValueKind::Integer { signed: true }, 4) => TypeId::INT,
        (ValueKind::Integer { signed: false }, 4) => TypeId::UINT,
        (ValueKind::Integer { signed: true }, 8) => TypeId::LONG,
        (ValueKind::Integer { signed: false } | ValueKind::Pointer, 8) => TypeId::ULONG,
        _ => return None,
    })
}

fn undefined<T>(scope: VarScope, name: &str, span: Span) -> Checked<T> {
    match scope {
        VarScope::Global => fail(
            ErrorTag::IdentUndef,
            span,
            format!("failed to resolve {name}: Unknown variable name"),
        ),
        VarScope::Thread => fail(
            ErrorTag::VarUndef,
            span,
            format!("self->{name} has not yet been declared or assigned"),
        ),
        VarScope::Clause => fail(
            ErrorTag::VarUndef,
            span,
            format!("this->{name} has not yet been declared or assigned"),
        ),
    }
}
