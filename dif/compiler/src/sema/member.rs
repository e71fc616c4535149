//! Members, elements, pointers, and the structures that translators make.

use std::rc::Rc;

use dif::opcode::Op;

use super::{Checked, Cx, Kind, Node, fail, ident::Argument, node::Place, operator};
use crate::{
    ast::{self, Expr, ExprKind, IntLit, TypeExpr, VarScope},
    error::ErrorTag,
    link::{Check, Wanted},
    source::Span,
    types::{CompoundType, Field, Tag, Type, TypeId},
    world::Os,
};

/// Where Linux keeps the register that DTrace gives a number: bytes into `struct pt_regs`. The first
/// nineteen numbers are the 32-bit names (`R_EDI`), the others those of `<sys/regset.h>` of illumos,
/// as in FreeBSD's D library. Segments other than CS and SS are not saved, nor is the trap's number.
const UREGS: [Option<u64>; 40] = {
    const R15: u64 = 0;
    const fn at(word: u64) -> Option<u64> {
        Some(R15 + word * 8)
    }
    [
        None,
        None,
        None,
        None,
        at(14),
        at(13),
        at(4),
        at(19),
        at(5),
        at(12),
        at(11),
        at(10),
        None,
        at(15),
        at(16),
        at(17),
        at(18),
        at(19),
        at(20),
        at(0),
        at(1),
        at(2),
        at(3),
        at(6),
        at(7),
        at(8),
        at(9),
        at(14),
        at(13),
        at(4),
        at(5),
        at(12),
        at(11),
        at(10),
        None,
        at(15),
        at(16),
        at(17),
        at(18),
        at(19),
    ]
};

impl Cx<'_, '_> {
    pub(super) fn member(
        &mut self,
        base: &Expr,
        name: &str,
        arrow: bool,
        span: Span,
    ) -> Checked<Node> {
        if let Some((translator, input)) = self.translated(base)? {
            return self.translated_member(&translator, input, name, span);
        }
        let base = self.expr(base)?;
        let base = if arrow { self.through_pointer(base, span)? } else { base };
        let Type::Compound(compound) = self.types.resolve(base.ty) else {
            let found = self.words(base.ty);
            let (op, wanted) = if arrow {
                ("->", "pointer to a struct or union")
            } else {
                (".", "struct or union")
            };
            let message = format!(
                "operator {op} cannot be applied to a value of type {found}: \
                                   it needs a {wanted}"
            );
            return fail(ErrorTag::OpSou, span, message);
        };
        let Some(field) = self.types.member(&compound, name) else {
            let of = self.words(base.ty);
            return fail(ErrorTag::TypeMember, span, format!("{name} is not a member of {of}"));
        };
        self.field(base, &compound, &field, span)
    }

    fn through_pointer(&mut self, base: Node, span: Span) -> Checked<Node> {
        let base = self.decay(base);
        if let Type::Pointer { target, user } = self.types.resolve(base.ty) {
            if let Type::Forward { .. } = self.types.resolve(target) {
                let name = self.words(target);
                let message = format!("{name} is an incomplete type on {}", self.world.name());
                return fail(ErrorTag::OpIncomplete, span, message);
            }
            let kind = Kind::Object { addr: base.into(), user };
            return Ok(Node::new(target, kind, span));
        }
        let name = self.words(base.ty);
        let message = format!(
            "operator -> cannot be applied to a value of type {name}: it needs \
                               a pointer"
        );
        fail(ErrorTag::OpPtr, span, message)
    }

    fn field(
        &mut self,
        base: Node,
        compound: &CompoundType,
        field: &Field,
        span: Span,
    ) -> Checked<Node> {
        let user = matches!(base.kind, Kind::Object { user: true, .. });
        let path = self.types.path(base.ty);
        let wanted = path.as_ref().map(|of| {
            self.types.remember(of, &field.name, field.ty);
            let mut member = of.clone();
            member.steps.push(field.name.to_string());
            self.types.note_shape_at(member, field.ty);
            Wanted::Offset { of: of.clone(), member: field.name.to_string() }
        });
        if field.bit_width == 0 {
            let addr = self.address_plus(base, field.bit_offset / 8, wanted, span);
            return self.at_address(addr, field.ty, user, span);
        }
        let Some(signed) = self.access(field.ty, user).map(|access| access.signed) else {
            let name = self.words(field.ty);
            return fail(ErrorTag::DeclBftype, span, format!("a bit-field of type {name}"));
        };
        let Some((offset, size)) = bit_storage(field, compound.size) else {
            let message = format!("bit-field {} spans more than 8 bytes", field.name);
            return fail(ErrorTag::Unsupported, span, message);
        };
        let layout = [field.bit_width, field.bit_offset - offset * 8, size];
        if let Some(of) = path {
            let member = field.name.to_string();
            self.types.note(|| Check::BitField { of, member, layout });
        }
        let addr = self.address_plus(base, offset, wanted, span);
        let access = super::Access { size, signed: false, user };
        let load = Kind::Load(Place::Memory(addr.into(), access));
        let kind = Kind::BitField {
            from: Node::new(TypeId::ULONG, load, span).into(),
            shift: field.bit_offset - offset * 8,
            width: field.bit_width,
            signed,
        };
        Ok(Node::new(field.ty, kind, span))
    }

    /// The address of an object with an offset added, which other kernels have their own of.
    fn address_plus(
        &mut self,
        base: Node,
        offset: u32,
        wanted: Option<Wanted>,
        span: Span,
    ) -> Node {
        let addr = object_address(base);
        if let Some(mark) = wanted.and_then(|want| self.types.want(|| want, u64::from(offset))) {
            let offset = Node::new(TypeId::ULONG, Kind::Linked(mark), span);
            let addr = Node::new(TypeId::ULONG, addr.kind, span);
            return operator::fold(TypeId::ULONG, Op::Add, addr, offset, span);
        }
        let offset = Node::constant(TypeId::ULONG, u64::from(offset), span);
        match (addr.kind, offset.as_const()) {
            (kind, Some(0)) => Node::new(TypeId::ULONG, kind, span),
            // Offsets of members of members add up to one.
            (Kind::Binary(Op::Add, inner, before), _) if before.as_const().is_some() => {
                let sum = operator::fold(TypeId::ULONG, Op::Add, *before, offset, span);
                operator::fold(TypeId::ULONG, Op::Add, *inner, sum, span)
            }
            (kind, _) => {
                let addr = Node::new(TypeId::ULONG, kind, span);
                operator::fold(TypeId::ULONG, Op::Add, addr, offset, span)
            }
        }
    }

    pub(super) fn deref(&mut self, operand: Node, span: Span) -> Checked<Node> {
        let operand = match self.types.resolve(operand.ty) {
            // A string is an array of characters where its address is asked for.
            Type::String => {
                let ty = self.types.pointer(TypeId::CHAR, false);
                Node::new(ty, Kind::Recast(operand.into()), span)
            }
            _ => self.decay(operand),
        };
        let Type::Pointer { target, user } = self.types.resolve(operand.ty) else {
            let name = self.words(operand.ty);
            let message = format!("cannot dereference non-pointer type {name}");
            return fail(ErrorTag::DerefNonptr, span, message);
        };
        match self.types.resolve(target) {
            Type::Void => fail(ErrorTag::DerefVoid, span, "cannot dereference pointer to void"),
            Type::Function { .. } => {
                fail(ErrorTag::DerefFunc, span, "cannot dereference pointer to function")
            }
            _ => self.at_address(operand, target, user, span),
        }
    }

    pub(super) fn address_of(&mut self, operand: &Expr, span: Span) -> Checked<Node> {
        if let ExprKind::Symbol { module, name } = &operand.kind {
            let addr = self.symbol_address(module.as_deref(), &name.name, span)?;
            let known = self.variable_type(module.as_deref(), &name.name);
            let ty = self.types.pointer(known.unwrap_or(TypeId::VOID), false);
            return Ok(Node { ty, ..addr });
        }
        let node = self.expr(operand)?;
        let target = node.ty;
        let (addr, user) = match node.kind {
            Kind::Load(Place::Memory(addr, access)) => (*addr, access.user),
            Kind::Object { addr, user } => (*addr, user),
            Kind::BitField { .. } => {
                let message = "cannot take the address of a bit-field";
                return fail(ErrorTag::AddrofBitfield, span, message);
            }
            Kind::Uncomputable(_) | Kind::Translated if target == TypeId::DYNAMIC => {
                return fail(ErrorTag::AddrofVar, span, "cannot take address of dynamic variable");
            }
            Kind::Load(_) | Kind::Builtin(_) | Kind::BuiltinArray(..) => {
                return fail(ErrorTag::AddrofVar, span, "cannot take the address of a variable");
            }
            _ => {
                let message = "unary & must be applied to an lvalue";
                return fail(ErrorTag::AddrofLval, span, message);
            }
        };
        let ty = self.types.pointer(target, user);
        Ok(Node::new(ty, Kind::Recast(addr.into()), span))
    }

    /// `base[keys]`: an argument, an associative array's element, an inline with parameters, or an
    /// element of a C array.
    pub(super) fn index(&mut self, base: &Expr, keys: &[Expr], span: Span) -> Checked<Node> {
        if let ExprKind::Var { scope, name } = &base.kind {
            if *scope == VarScope::Global && name.name == "args" {
                return match self.indexed_arg(keys, span)? {
                    Argument::Plain(node) => Ok(node),
                    Argument::Translated(..) => fail(
                        ErrorTag::OpDyn,
                        span,
                        "a translated argument is a structure: name one of its members",
                    ),
                };
            }
            if *scope == VarScope::Global && matches!(name.name.as_str(), "regs" | "uregs") {
                return self.register(name, keys, span);
            }
            if let Some(found) = self.indexed_name(*scope, &name.name, keys, span)? {
                return Ok(found);
            }
        }
        if let ExprKind::Agg(name) = &base.kind {
            if self.registry.aggregation(&name.name).is_none() {
                self.unfed.insert(name.name.clone());
            }
            return self.expr(base);
        }
        let base = self.expr(base)?;
        let mut nodes = Vec::new();
        for key in keys {
            nodes.push(self.expr(key)?);
        }
        let base = self.decay(base);
        // `a[i]` is `*(a + i)`.
        let Some(key) = nodes.first().cloned() else {
            return fail(ErrorTag::ArrBadref, span, "an index is missing");
        };
        let sum = self.binary_nodes(ast::BinaryOp::Add, base, key, span)?;
        if nodes.len() > 1 {
            let message = "a C array takes one index at a time: a[i][j]";
            return fail(ErrorTag::ArrBadref, span, message);
        }
        self.deref(sum, span)
    }

    /// `uregs[n]`: a register of the process.
    fn register(&mut self, name: &ast::Ident, keys: &[Expr], span: Span) -> Checked<Node> {
        let (name, base) = (name.name.as_str(), name.span);
        let [key] = keys else {
            let message =
                format!("{name}[ ] prototype mismatch: {} args passed, 1 expected", keys.len());
            return fail(ErrorTag::ProtoLen, span, message);
        };
        let Some(index) = self.constant(key)? else {
            let message = format!(
                "{name}[ ] argument #1 is incompatible with prototype:\n\tprototype: integer constant"
            );
            return fail(ErrorTag::ProtoArg, span, message);
        };
        if index < 0 {
            let message = format!("index {index} is out of range for array {name}");
            return fail(ErrorTag::RegsIdx, span, message);
        }
        let why = match (name, self.world.os()) {
            ("uregs", Os::Linux) if !self.types.is_untyped() => None,
            ("uregs", Os::Linux) => Some("it needs the types of the kernel"),
            ("uregs", _) => Some("curthread->td_frame has the registers there"),
            _ => Some("no fire carries the kernel's registers"),
        };
        if let Some(why) = why {
            let message = format!("{name}[ ] cannot be had on {}: {why}", self.world.name());
            return fail(ErrorTag::Unsupported, span, message);
        }
        let Some(at) = usize::try_from(index).ok().and_then(|index| *UREGS.get(index)?) else {
            let message = format!("index {index} is out of range for array {name}");
            return fail(ErrorTag::RegsIdx, span, message);
        };
        // Kernels that can be entered by FRED keep two words more above the registers.
        let fred = self.types.tag(Tag::Struct, "fred_frame").is_some();
        let array = if fred { "__uregs_fred" } else { "__uregs" };
        let at = Expr::new(ExprKind::Int(IntLit::plain(at)), span);
        self.library_array(array, at, base, span)
    }

    fn indexed_arg(&mut self, keys: &[Expr], span: Span) -> Checked<Argument> {
        let [key] = keys else {
            let message =
                format!("args[ ] prototype mismatch: {} args passed, 1 expected", keys.len());
            return fail(ErrorTag::ProtoLen, span, message);
        };
        match self.constant(key)? {
            Some(index) => self.arg(index, span),
            None => {
                let message = "args[ ] argument #1 is incompatible with prototype:\n\tprototype: \
                               integer constant";
                fail(ErrorTag::ProtoArg, span, message)
            }
        }
    }

    fn indexed_name(
        &mut self,
        scope: VarScope,
        name: &str,
        keys: &[Expr],
        span: Span,
    ) -> Checked<Option<Node>> {
        if scope == VarScope::Global
            && self.bound(name).is_none()
            && let Some(inline) = self.definitions.inlines.get(name).cloned()
            && matches!(inline.ty.kind, ast::TypeKind::Assoc { .. })
        {
            return self.inline(&inline, keys, span).map(Some);
        }
        match self.known_variable(scope, name) {
            Some(known) if known.keys.is_some() => {
                let place = self.element(&known, keys, span)?;
                Ok(Some(Node::new(known.ty, Kind::Load(place), span)))
            }
            Some(_) => Ok(None),
            None if scope == VarScope::Global
                && (super::ident::is_builtin_name(name)
                    || super::call::is_function(name)
                    || self.definitions.inlines.contains_key(name)
                    || self.find_enumerator(name).is_some()
                    || self.bound(name).is_some()) =>
            {
                Ok(None)
            }
            None if scope == VarScope::Clause => {
                let message =
                    format!("local variables may not be used as associative arrays: {name}");
                fail(ErrorTag::ArrLocal, span, message)
            }
            None => {
                for (at, key) in keys.iter().enumerate() {
                    let node = self.expr(key)?;
                    self.want_key(&node, "array", at, key.span)?;
                }
                let lead = super::assign::scope_words(scope);
                let message = format!("{lead}{name} has not yet been declared or assigned");
                fail(ErrorTag::VarUndef, span, message)
            }
        }
    }

    /// An inline's value with its parameters bound.
    pub(super) fn inline(
        &mut self,
        inline: &Rc<ast::Inline>,
        keys: &[Expr],
        span: Span,
    ) -> Checked<Node> {
        let names = self.inline_names(inline, keys, span)?;
        let ty = match &inline.ty.kind {
            ast::TypeKind::Assoc { element, .. } => element,
            _ => &inline.ty,
        };
        let ty = self.type_expr(ty)?;
        self.bind(names, span, |cx| {
            let value = cx.expr(&inline.value)?;
            match value.kind {
                Kind::Translated => Ok(value),
                _ => cx.coerce(value, ty, "inline", span),
            }
        })
    }

    /// An inline's parameters with the values that `keys` give them.
    fn inline_names(
        &mut self,
        inline: &Rc<ast::Inline>,
        keys: &[Expr],
        span: Span,
    ) -> Checked<Vec<(String, Node)>> {
        let params: &[ast::Param] = match &inline.ty.kind {
            ast::TypeKind::Assoc { keys, .. } => &keys.list,
            _ => &[],
        };
        if keys.len() != params.len() {
            let message = format!(
                "{}[ ] prototype mismatch: {} keys passed, {} expected",
                inline.name.name,
                keys.len(),
                params.len()
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let mut names = Vec::new();
        for (at, (param, key)) in params.iter().zip(keys).enumerate() {
            let value = self.expr(key)?;
            let wanted = self.type_expr(&param.ty)?;
            if !self.fits_type(wanted, &value) {
                let what = format!("{}[ ] key #{}", inline.name.name, at + 1);
                return self.unfit_key(&value, wanted, &what);
            }
            let value = self.coerce(value, wanted, "argument", span)?;
            if let Some(name) = &param.name {
                names.push((name.name.clone(), value));
            }
        }
        Ok(names)
    }

    /// The translator and input of an expression that is a translated structure (or a pointer to
    /// one): `xlate <t> (e)`, a translated `args[n]`, an inline for either.
    pub(super) fn translated(
        &mut self,
        base: &Expr,
    ) -> Checked<Option<(Rc<ast::Translator>, Node)>> {
        match &base.kind {
            ExprKind::Xlate { ty, operand } => {
                let input = self.expr(operand)?;
                let output = self.output_name(ty)?;
                match self.find_translator(&output, input.ty) {
                    Some(translator) => Ok(Some((translator, input))),
                    None => {
                        let from = self.words(input.ty);
                        let message = format!("cannot translate from \"{from}\" to \"{output}\"");
                        fail(ErrorTag::XlateNone, base.span, message)
                    }
                }
            }
            ExprKind::Index { base: array, keys } => match &array.kind {
                ExprKind::Var { scope: VarScope::Global, name } if name.name == "args" => {
                    Ok(match self.indexed_arg(keys, base.span)? {
                        Argument::Translated(translator, node) => Some((translator, node)),
                        Argument::Plain(_) => None,
                    })
                }
                // An inline with parameters: `fds[n]`.
                ExprKind::Var { scope: VarScope::Global, name } => {
                    match self.definitions.inlines.get(&name.name).cloned() {
                        Some(inline) if matches!(inline.value.kind, ExprKind::Xlate { .. }) => {
                            let names = self.inline_names(&inline, keys, base.span)?;
                            self.bind(names, base.span, |cx| cx.translated(&inline.value))
                        }
                        _ => Ok(None),
                    }
                }
                _ => Ok(None),
            },
            ExprKind::Var { scope: VarScope::Global, name } if self.bound(&name.name).is_none() => {
                match self.definitions.inlines.get(&name.name).cloned() {
                    Some(inline) => {
                        self.bind(Vec::new(), base.span, |cx| cx.translated(&inline.value))
                    }
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// Whether an expression is a translated pointer: `curpsinfo`, a translated `args[n]`.
    pub(crate) fn is_translated_pointer(&mut self, expr: &Expr) -> Checked<bool> {
        if self.translated(expr)?.is_none() {
            return Ok(false);
        }
        let value = match &expr.kind {
            ExprKind::Index { base, .. } => base,
            _ => expr,
        };
        let inline = match &value.kind {
            ExprKind::Var { scope: VarScope::Global, name } => {
                self.definitions.inlines.get(&name.name).cloned()
            }
            _ => None,
        };
        let ty = match (&value.kind, inline.as_ref().map(|inline| &inline.value.kind)) {
            (ExprKind::Xlate { ty, .. }, _) | (_, Some(ExprKind::Xlate { ty, .. })) => ty,
            // A translated argument is one.
            _ => return Ok(true),
        };
        let ty = self.type_expr(ty)?;
        Ok(matches!(self.types.resolve(ty), Type::Pointer { .. }))
    }

    /// The output type of an `xlate` in words, a pointer's target for a pointer.
    fn output_name(&mut self, ty: &TypeExpr) -> Checked<String> {
        let id = self.type_expr(ty)?;
        let target = match self.types.resolve(id) {
            Type::Pointer { target, .. } => target,
            _ => id,
        };
        Ok(self.words(target))
    }

    /// The translator from `input` to the type named `output`.
    pub(super) fn find_translator(
        &mut self,
        output: &str,
        input: TypeId,
    ) -> Option<Rc<ast::Translator>> {
        let key = (output.to_owned(), self.bare_words(input));
        self.definitions.translators.get(&key).cloned()
    }

    /// A type in words, without typedefs and qualifiers at its top and below one pointer.
    pub(super) fn bare_words(&mut self, ty: TypeId) -> String {
        let bare = self.types.bare(ty);
        match self.types.get(bare) {
            Type::Pointer { target, .. } => {
                let target = self.types.bare(target);
                format!("{} *", self.words(target))
            }
            _ => self.words(bare),
        }
    }

    fn translated_member(
        &mut self,
        translator: &Rc<ast::Translator>,
        input: Node,
        name: &str,
        span: Span,
    ) -> Checked<Node> {
        let output = self.type_expr(&translator.output)?;
        let Type::Compound(compound) = self.types.resolve(output) else {
            let message = "a translator's output must be a struct or union";
            return fail(ErrorTag::XlateSou, span, message);
        };
        let field = self.types.member(&compound, name);
        let Some(member) = translator.members.iter().find(|member| member.name.name == name) else {
            let of = self.words(output);
            let message = format!("translator does not define conversion for member: {of}.{name}");
            return fail(ErrorTag::XlateNoconv, span, message);
        };
        let Some(field) = field else {
            let of = self.words(output);
            return fail(ErrorTag::TypeMember, span, format!("{name} is not a member of {of}"));
        };
        let names = vec![(translator.name.name.clone(), input)];
        self.bind(names, span, |cx| {
            let value = cx.expr(&member.value)?;
            cx.coerce(value, field.ty, "translator member", span)
        })
    }

    pub(super) fn offsetof(&mut self, ty: &TypeExpr, name: &str, span: Span) -> Checked<Node> {
        let ty = self.type_expr(ty)?;
        let Type::Compound(compound) = self.types.resolve(ty) else {
            let message = "offsetof operand must be a struct or union type";
            return fail(ErrorTag::OffsetofType, span, message);
        };
        match self.types.member(&compound, name) {
            Some(field) if field.bit_width == 0 => {
                let wanted =
                    self.types.path(ty).map(|of| Wanted::Offset { of, member: name.into() });
                Ok(self.linked(TypeId::INT, wanted, u64::from(field.bit_offset / 8), span))
            }
            Some(_) => {
                let message = format!("cannot take the offset of bit-field {name}");
                fail(ErrorTag::OffsetofBitfield, span, message)
            }
            None => {
                let of = self.words(ty);
                let message = format!("failed to determine offset of {name}: no member of {of}");
                fail(ErrorTag::Unknown, span, message)
            }
        }
    }
}

/// The address of a by-reference value: what its register holds.
fn object_address(base: Node) -> Node {
    match base.kind {
        Kind::Object { addr, .. } => object_or_value(*addr),
        _ => base,
    }
}

fn object_or_value(addr: Node) -> Node {
    match addr.kind {
        Kind::Recast(inner) => object_or_value(*inner),
        _ => addr,
    }
}

/// The aligned integer that holds a bit-field: offset in bytes and size. It stays inside the struct.
pub(crate) fn bit_storage(field: &Field, struct_size: u32) -> Option<(u32, u32)> {
    let end = field.bit_offset.checked_add(field.bit_width)?;
    [1_u32, 2, 4, 8].into_iter().find_map(|size| {
        let offset = field.bit_offset / 8 / size * size;
        let fits = end <= (offset + size) * 8 && offset + size <= struct_size;
        fits.then_some((offset, size))
    })
}
