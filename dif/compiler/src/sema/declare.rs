//! Types as the script writes them, and its declarations.

use std::{collections::HashSet, rc::Rc, sync::Arc};

use super::{Checked, Cx, Kind, Node, fail, operator::STRING_SIZE};
use crate::{
    ast::{
        BaseType, Compound, CompoundKind, Declaration, Declarator, Enum, Expr, ExprKind, Member,
        Params, StorageClass, TypeExpr, TypeKind, VarScope,
    },
    error::ErrorTag,
    source::Span,
    types::{CompoundType, EnumType, Field, Tag, Type, TypeId},
};

impl Cx<'_, '_> {
    /// A type as written.
    pub(crate) fn type_expr(&mut self, ty: &TypeExpr) -> Checked<TypeId> {
        match &ty.kind {
            TypeKind::Base(base) => Ok(base_type(*base)),
            TypeKind::String => Ok(TypeId::STRING),
            TypeKind::Named { name, .. } => self.types.typedef(&name.name).ok_or_else(|| {
                // To DTrace a name that is no type's is a variable's, in a place where none may be.
                let message = format!(
                    "syntax error near \"{}\": no such type on {}",
                    name.name,
                    self.world.name()
                );
                crate::error::Error::new(ErrorTag::Syntax, ty.span, message)
            }),
            TypeKind::Compound(compound) => self.compound(compound),
            TypeKind::Enum(body) => self.enumeration(body),
            TypeKind::Pointer(target) => {
                let user = target.qualifiers.is_userland || ty.qualifiers.is_userland;
                let target = self.type_expr(target)?;
                Ok(self.types.pointer(target, user))
            }
            TypeKind::Array { element, size } => self.array(element, size.as_deref(), ty.span),
            TypeKind::Assoc { .. } => fail(
                ErrorTag::DeclDynobj,
                ty.span,
                "an associative array cannot be part of another type",
            ),
            TypeKind::Function { result, .. } => {
                let result = self.type_expr(result)?;
                Ok(self.types.add(Type::Function { result }))
            }
        }
    }

    fn array(&mut self, element: &TypeExpr, size: Option<&Expr>, span: Span) -> Checked<TypeId> {
        if matches!(element.kind, TypeKind::Base(BaseType::Void)) {
            return fail(ErrorTag::DeclVoidobj, span, "cannot declare array of void");
        }
        let element = self.type_expr(element)?;
        let count = match size {
            None => 0,
            Some(size) => match self.positive(size)? {
                Some(count) => match u32::try_from(count) {
                    Ok(count) => count,
                    Err(_) => {
                        let message = "array dimension is too big";
                        return fail(ErrorTag::DeclArrbig, span, message);
                    }
                },
                None => {
                    let message = "positive integral constant expression or tuple signature \
                                   expected as array declaration subscript";
                    return fail(ErrorTag::DeclArrsub, span, message);
                }
            },
        };
        let ty = self.types.add(Type::Array { element, count });
        if size.is_some() && self.types.size(ty).is_none() {
            return fail(ErrorTag::DeclArrbig, span, "array dimension is too big");
        }
        Ok(ty)
    }

    fn compound(&mut self, compound: &Arc<Compound>) -> Checked<TypeId> {
        let at = Arc::as_ptr(compound).addr();
        if let Some((_, known)) = self.compounds.get(&at) {
            return Ok(*known);
        }
        let tag = match compound.kind {
            CompoundKind::Struct => Tag::Struct,
            CompoundKind::Union => Tag::Union,
        };
        let name = compound.tag.as_ref().map_or("", |tag| tag.name.as_str());
        let plain = name.rsplit('`').next().unwrap_or(name);
        let Some(members) = &compound.members else {
            return Ok(self.named_tag(tag, plain));
        };
        let id = self.types.add(Type::Forward { tag, name: plain.into() });
        if !plain.is_empty() {
            self.define_tag(tag, plain, compound.span)?;
            self.types.add_tag(tag, plain, id);
        }
        self.compounds.insert(at, (Arc::clone(compound), id));
        let laid_out = self.lay_out(tag, plain, members)?;
        self.types.define(id, Type::Compound(Rc::new(laid_out)));
        Ok(id)
    }

    /// A tag that nothing defines stays a forward declaration: its pointers work.
    fn named_tag(&mut self, tag: Tag, name: &str) -> TypeId {
        self.types
            .tag(tag, name)
            .unwrap_or_else(|| self.types.add(Type::Forward { tag, name: name.into() }))
    }

    /// Offsets and sizes as DTrace's libctf gives them to what a script declares: as the x86-64 ABI,
    /// but nothing stands behind the last member, and no two bit-fields share a byte.
    fn lay_out(&mut self, tag: Tag, name: &str, members: &[Member]) -> Checked<CompoundType> {
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        let (mut end, mut whole) = (0_u32, 0_u32);
        for member in members {
            let ty = self.type_expr(&member.ty)?;
            if let TypeKind::Assoc { .. } = member.ty.kind {
                let message = "cannot have dynamic member";
                return fail(ErrorTag::DeclDynobj, member.span, message);
            }
            if matches!(self.types.resolve(ty), Type::Void) {
                return fail(ErrorTag::DeclVoidobj, member.span, "cannot have void member");
            }
            if let Some(name) = &member.name
                && !names.insert(name.name.as_str())
            {
                let message = format!("failed to define member '{}': duplicate", name.name);
                return fail(ErrorTag::Unknown, member.span, message);
            }
            let (Some(size), Some(natural)) = (self.types.size(ty), self.alignment(ty, &mut 4096))
            else {
                let message = "a member is of incomplete type";
                return fail(ErrorTag::DeclIncomplete, member.span, message);
            };
            self.types.note_size(ty);
            let width = self.width(member, size)?;
            let (size, natural) = match width.map(field_size) {
                Some(size) => (size, size.max(1)),
                None if matches!(self.types.resolve(ty), Type::String) => (STRING_SIZE, 1),
                None => (size, natural),
            };
            let too_big =
                || crate::error::Error::new(ErrorTag::DeclArrbig, member.span, "struct is too big");
            let bits = width.unwrap_or(size.checked_mul(8).ok_or_else(too_big)?);
            let start = if tag == Tag::Union { 0 } else { end };
            let unit = natural.checked_mul(8).ok_or_else(too_big)?;
            let offset = start.checked_next_multiple_of(unit).ok_or_else(too_big)?;
            let name = member.name.as_ref().map_or("", |name| name.name.as_str());
            if !(name.is_empty() && width.is_some()) {
                fields.push(Field {
                    name: name.into(),
                    ty,
                    bit_offset: offset,
                    bit_width: width.unwrap_or(0),
                });
            }
            end = end.max(offset.checked_add(bits).ok_or_else(too_big)?);
            whole = whole.max((offset / 8).checked_add(size).ok_or_else(too_big)?);
        }
        let size = whole;
        Ok(CompoundType { tag, name: name.into(), size, members: fields })
    }

    fn width(&mut self, member: &Member, size: u32) -> Checked<Option<u32>> {
        let Some(width) = &member.width else { return Ok(None) };
        let bits = match (self.constant(width)?, &member.name) {
            (Some(0), None) => return Ok(Some(0)),
            (Some(bits), _) if bits > 0 => bits,
            _ => {
                let message = "positive integral constant expression expected as bit-field size";
                return fail(ErrorTag::DeclBfconst, member.span, message);
            }
        };
        let ty = self.type_expr(&member.ty)?;
        if !matches!(self.types.resolve(ty), Type::Int(_)) {
            let name = self.words(ty);
            let message = format!("invalid type for bit-field: {name}");
            return fail(ErrorTag::DeclBftype, member.span, message);
        }
        match u32::try_from(bits) {
            Ok(bits) if bits <= size.saturating_mul(8) => Ok(Some(bits)),
            _ => fail(ErrorTag::DeclBfsize, member.span, "bit-field too big for type"),
        }
    }

    /// A constant above zero.
    fn positive(&mut self, expr: &Expr) -> Checked<Option<u64>> {
        let node = self.expr(expr)?;
        let value = self.number_of(&node).filter(|_| self.is_integer_type(node.ty));
        let signed = self.is_signed(node.ty);
        Ok(value.filter(|value| *value != 0 && !(signed && value.cast_signed() < 0)))
    }

    /// Notes that the script gives a tag its members, which it may do once.
    fn define_tag(&mut self, tag: Tag, name: &str, span: Span) -> Checked<()> {
        if self.defined_tags.insert((tag, name.to_owned())) {
            return Ok(());
        }
        let message = format!("type redeclared: {} {name}", tag.keyword());
        fail(ErrorTag::DeclTypered, span, message)
    }

    /// Whether a global name means something already.
    fn is_taken(&mut self, name: &str) -> bool {
        super::ident::is_builtin_name(name)
            || super::call::is_function(name)
            || self.definitions.inlines.contains_key(name)
            || self.is_enumerator(name)
            || self.known_variable(VarScope::Global, name).is_some()
    }

    /// `None` if the type is not complete, or too large to be searched.
    fn alignment(&mut self, ty: TypeId, budget: &mut u32) -> Option<u32> {
        *budget = budget.checked_sub(1)?;
        match self.types.resolve(ty) {
            Type::Array { element, .. } => self.alignment(element, budget),
            Type::Compound(compound) => {
                let mut align = 1;
                for member in &compound.members {
                    align = align.max(match member.bit_width {
                        0 => self.alignment(member.ty, budget)?,
                        width => field_size(width),
                    });
                }
                Some(align)
            }
            _ => self.types.size(ty).map(|size| size.clamp(1, 16)),
        }
    }

    fn enumeration(&mut self, body: &Arc<Enum>) -> Checked<TypeId> {
        let at = Arc::as_ptr(body).addr();
        if let Some((_, known)) = self.enums.get(&at) {
            return Ok(*known);
        }
        let name = body.tag.as_ref().map_or("", |tag| tag.name.as_str());
        let plain = name.rsplit('`').next().unwrap_or(name);
        let Some(enumerators) = &body.enumerators else {
            return Ok(self.named_tag(Tag::Enum, plain));
        };
        if !plain.is_empty() {
            self.define_tag(Tag::Enum, plain, body.span)?;
        }
        let mut values: Vec<(Rc<str>, i64)> = Vec::new();
        let mut numbers: HashSet<Rc<str>> = HashSet::new();
        let mut next = 0_i64;
        for enumerator in enumerators {
            if let Some(value) = &enumerator.value {
                let Some(value) = self.constant(value)? else {
                    let message = format!(
                        "enumerator '{}' must be assigned to an integral constant expression",
                        enumerator.name.name
                    );
                    return fail(ErrorTag::DeclEnconst, enumerator.name.span, message);
                };
                next = value;
            }
            if i32::try_from(next).is_err() {
                let message =
                    format!("enumerator '{}' value overflows INT_MAX", enumerator.name.name);
                return fail(ErrorTag::DeclEnoflow, enumerator.name.span, message);
            }
            let name = enumerator.name.name.as_str();
            if numbers.contains(name) {
                let message = format!("failed to define enumerator '{name}': duplicate");
                return fail(ErrorTag::Unknown, enumerator.name.span, message);
            }
            if self.is_taken(name) {
                let message = format!("identifier redeclared: {name}");
                return fail(ErrorTag::DeclIdred, enumerator.name.span, message);
            }
            let name: Rc<str> = name.into();
            numbers.insert(Rc::clone(&name));
            // Those behind it may be computed from it: it counts as an int until all are there.
            self.enumerators.insert(name.to_string(), (TypeId::INT, next));
            values.push((name, next));
            next += 1;
        }
        let body_type = EnumType { name: plain.into(), size: 4, signed: true, values };
        let known = body_type.values.clone();
        let id = self.types.add(Type::Enum(Rc::new(body_type)));
        if !plain.is_empty() {
            self.types.add_tag(Tag::Enum, plain, id);
        }
        for (name, value) in known {
            self.enumerators.insert(name.to_string(), (id, value));
        }
        self.enums.insert(at, (Arc::clone(body), id));
        Ok(id)
    }

    /// A declaration: types, typedefs, variables.
    pub(crate) fn declaration(&mut self, declaration: &Declaration) -> Checked<()> {
        self.type_expr(&declaration.base)?;
        let tagged = matches!(declaration.base.kind, TypeKind::Compound(_) | TypeKind::Enum(_));
        if declaration.declarators.is_empty() && !tagged {
            return fail(ErrorTag::DeclUseless, declaration.span, "useless declaration");
        }
        for declarator in &declaration.declarators {
            self.declarator(declaration.class, declarator)?;
        }
        Ok(())
    }

    fn declarator(&mut self, class: StorageClass, declarator: &Declarator) -> Checked<()> {
        let (name, span) = (declarator.name.name.as_str(), declarator.span);
        check_params(&declarator.ty)?;
        let function = matches!(declarator.ty.kind, TypeKind::Function { .. });
        let scope = match class {
            StorageClass::Typedef => return self.declare_type(name, &declarator.ty, span),
            StorageClass::Extern => return self.declare_extern(name, &declarator.ty, span),
            StorageClass::None | StorageClass::Static if function => {
                return self.type_expr(&declarator.ty).map(|_| ());
            }
            StorageClass::None => VarScope::Global,
            StorageClass::SelfLocal => VarScope::Thread,
            StorageClass::ThisLocal => VarScope::Clause,
            StorageClass::Auto | StorageClass::Register | StorageClass::Static => {
                let message = "specified storage class not appropriate in D";
                return fail(ErrorTag::DeclBadclass, span, message);
            }
        };
        self.declare_variable(scope, name, &declarator.ty, span)
    }

    fn declare_type(&mut self, name: &str, ty: &TypeExpr, span: Span) -> Checked<()> {
        let ty = self.type_expr(ty)?;
        let what = match (self.is_taken(name), self.types.is_own_typedef(name)) {
            (true, _) => "global variable identifier",
            (_, true) => "typedef",
            _ => {
                self.types.add_typedef(name, ty);
                return Ok(());
            }
        };
        fail(ErrorTag::DeclIdred, span, format!("{what} redeclared: {name}"))
    }

    /// A symbol of the kernel's, or a variable ahead of its first use.
    fn declare_extern(&mut self, name: &str, ty: &TypeExpr, span: Span) -> Checked<()> {
        if let TypeKind::Function { .. } = ty.kind {
            return Ok(());
        }
        if self.world.symbol(None, name).is_some() {
            return self.type_expr(ty).map(|_| ());
        }
        self.declare_variable(VarScope::Global, name, ty, span)
    }

    fn declare_variable(
        &mut self,
        scope: VarScope,
        name: &str,
        ty: &TypeExpr,
        span: Span,
    ) -> Checked<()> {
        if let TypeKind::Array { size: None, .. } = ty.kind {
            let message =
                format!("array declaration requires array dimension or tuple signature: {name}");
            return fail(ErrorTag::DeclArrnull, span, message);
        }
        if scope == VarScope::Global {
            let fixed = super::ident::is_builtin_name(name)
                || super::call::is_function(name)
                || self.definitions.inlines.contains_key(name)
                || self.is_enumerator(name)
                || self.types.is_own_typedef(name);
            if fixed {
                let message = format!("identifier redeclared: {name}");
                return fail(ErrorTag::DeclIdred, span, message);
            }
        }
        let (element, keys) = match &ty.kind {
            TypeKind::Assoc { element, keys } => {
                if scope == VarScope::Clause {
                    let message = format!(
                        "this->{name}[ ]: an associative array cannot be \
                                           clause-local"
                    );
                    return fail(ErrorTag::DeclLocassc, span, message);
                }
                (self.type_expr(element)?, Some(self.key_types(keys)?))
            }
            _ => (self.type_expr(ty)?, None),
        };
        if let Some(known) = self.variables.get(&(scope, name.to_owned())).cloned() {
            let alike = match (&known.keys, &keys) {
                (None, None) => true,
                (Some(old), Some(new)) => {
                    let pairs = old.iter().zip(new);
                    let mut same = old.len() == new.len();
                    for (old, new) in pairs {
                        same &= self.types_alike(*old, *new);
                    }
                    same
                }
                _ => false,
            };
            if alike && self.types_alike(known.ty, element) {
                return Ok(());
            }
            let message = format!("identifier redeclared: {name}");
            return fail(ErrorTag::DeclIdred, span, message);
        }
        match self.types.resolve(element) {
            Type::Void => {
                let message = format!("cannot have void object: {name}");
                fail(ErrorTag::DeclVoidobj, span, message)
            }
            Type::Forward { .. } => {
                let message =
                    format!("incomplete struct/union/enum {}: {name}", self.words(element));
                fail(ErrorTag::DeclIncomplete, span, message)
            }
            _ => self.define_variable(scope, name, element, keys, span).map(|_| ()),
        }
    }

    fn key_types(&mut self, keys: &Params) -> Checked<Vec<TypeId>> {
        keys.list.iter().map(|key| self.type_expr(&key.ty)).collect()
    }
}

/// The parameters of functions and arrays that a declarator holds.
fn check_params(ty: &TypeExpr) -> Checked<()> {
    match &ty.kind {
        TypeKind::Pointer(inner) => check_params(inner),
        TypeKind::Array { element, .. } => {
            if let TypeKind::Assoc { .. } = element.kind {
                let message = "cannot declare array of associative arrays";
                return fail(ErrorTag::DeclDynobj, ty.span, message);
            }
            check_params(element)
        }
        TypeKind::Assoc { element, keys } => {
            check_prototype(keys, "array", false)?;
            check_params(element)
        }
        TypeKind::Function { result, params } => {
            check_prototype(params, "function", true)?;
            check_params(result)
        }
        _ => Ok(()),
    }
}

/// What a list of parameters may hold; functions may have `void` and `...`.
pub(crate) fn check_prototype(params: &Params, kind: &str, function: bool) -> Checked<()> {
    let is_void =
        |param: &crate::ast::Param| matches!(param.ty.kind, TypeKind::Base(BaseType::Void));
    if params.varargs && !function {
        let span = params.list.first().map_or_else(Span::default, |param| param.span);
        let message = format!("{kind} prototype may not use a variable-length argument list");
        return fail(ErrorTag::DeclProtoVarargs, span, message);
    }
    for (at, param) in params.list.iter().enumerate() {
        let number = at + 1;
        if is_void(param) && !function {
            let message = format!("{kind} prototype may not use parameter of type void: #{number}");
            return fail(ErrorTag::DeclProtoType, param.span, message);
        }
        if let TypeKind::Assoc { .. } = param.ty.kind {
            let message = format!("{kind} prototype may not use a dynamic parameter: #{number}");
            return fail(ErrorTag::DeclProtoType, param.span, message);
        }
        let Some(name) = &param.name else { continue };
        if is_void(param) {
            let message = format!("void parameter may not have a name: {}", name.name);
            return fail(ErrorTag::DeclProtoName, param.span, message);
        }
        let before = params.list.get(..at).unwrap_or_default().iter();
        if before.flat_map(|param| &param.name).any(|known| known.name == name.name) {
            let message =
                format!("parameter is already declared in {kind} prototype: {}", name.name);
            return fail(ErrorTag::DeclProtoForm, param.span, message);
        }
    }
    match params.list.iter().find(|param| is_void(param)) {
        Some(void) if params.list.len() > 1 || params.varargs => {
            fail(ErrorTag::DeclProtoVoid, void.span, "void must be sole parameter")
        }
        _ => Ok(()),
    }
}

const fn base_type(base: BaseType) -> TypeId {
    match base {
        BaseType::Void => TypeId::VOID,
        BaseType::Char => TypeId::CHAR,
        BaseType::SignedChar => TypeId::SCHAR,
        BaseType::UnsignedChar => TypeId::UCHAR,
        BaseType::Short => TypeId::SHORT,
        BaseType::UnsignedShort => TypeId::USHORT,
        BaseType::Int => TypeId::INT,
        BaseType::UnsignedInt => TypeId::UINT,
        BaseType::Long => TypeId::LONG,
        BaseType::UnsignedLong => TypeId::ULONG,
        BaseType::LongLong => TypeId::LONGLONG,
        BaseType::UnsignedLongLong => TypeId::ULONGLONG,
        BaseType::Float => TypeId::FLOAT,
        BaseType::Double => TypeId::DOUBLE,
        BaseType::LongDouble => TypeId::LDOUBLE,
    }
}

/// The bytes that a bit-field takes: as many as an integer has that it fits into.
fn field_size(width: u32) -> u32 {
    match width {
        0 => 0,
        _ => width.div_ceil(8).next_power_of_two(),
    }
}

impl Cx<'_, '_> {
    /// An inline; its value is checked when it is used.
    pub(crate) fn define_inline(&mut self, inline: &crate::ast::Inline) -> Checked<()> {
        let (name, span) = (&inline.name.name, inline.span);
        check_params(&inline.ty)?;
        let ty = match &inline.ty.kind {
            TypeKind::Assoc { element, .. } => element,
            TypeKind::Array { .. } => {
                let message = format!("inline declaration requires array tuple signature: {name}");
                return fail(ErrorTag::DeclArrnull, span, message);
            }
            _ => &inline.ty,
        };
        if self.is_taken(name) || self.types.is_own_typedef(name) {
            let message = format!("identifier redefined: {name}");
            return fail(ErrorTag::DeclIdred, span, message);
        }
        let ty = self.type_expr(ty)?;
        match self.types.resolve(ty) {
            Type::Void => {
                let message = format!("cannot declare void inline: {name}");
                return fail(ErrorTag::DeclVoidobj, span, message);
            }
            Type::Forward { .. } => {
                let message = format!("incomplete struct/union/enum {}: {name}", self.words(ty));
                return fail(ErrorTag::DeclIncomplete, span, message);
            }
            _ => {}
        }
        self.check_inline(inline)?;
        self.definitions.inlines.insert(name.clone(), Rc::new(inline.clone()));
        Ok(())
    }

    /// Computes an inline once, its parameters being anything.
    fn check_inline(&mut self, inline: &crate::ast::Inline) -> Checked<()> {
        if matches!(inline.value.kind, ExprKind::Xlate { .. }) {
            return Ok(());
        }
        let inline = Rc::new(inline.clone());
        let params = match &inline.ty.kind {
            TypeKind::Assoc { keys, .. } => keys.list.clone(),
            _ => Vec::new(),
        };
        let mut names = Vec::new();
        for param in params {
            let ty = self.type_expr(&param.ty)?;
            let value = self.stand_in(ty, inline.span);
            names.extend(param.name.map(|name| (name.name, value)));
        }
        let ty = match &inline.ty.kind {
            TypeKind::Assoc { element, .. } => element,
            _ => &inline.ty,
        };
        let ty = self.type_expr(ty)?;
        let checked = self.bind(names, inline.span, |cx| {
            let value = cx.expr(&inline.value)?;
            cx.coerce(value, ty, "=", inline.span)
        });
        self.unless_untyped(checked.map(|_| ()))
    }

    /// A value of a type for checks alone.
    fn stand_in(&mut self, ty: TypeId, span: Span) -> Node {
        let load = Node::new(TypeId::LONG, Kind::Builtin(dif::number::var::ARG0), span);
        match self.types.resolve(ty) {
            Type::Compound(_) | Type::Array { .. } => {
                Node::new(ty, Kind::Object { addr: load.into(), user: false }, span)
            }
            _ => Node::new(ty, Kind::Recast(load.into()), span),
        }
    }

    /// What is wrong with a definition is no matter on a machine whose kernel told no types: there
    /// it may be for others.
    fn unless_untyped(&self, checked: Checked<()>) -> Checked<()> {
        use ErrorTag as T;
        match checked {
            // The library's are for kernels of many kinds; what is missing is missed when used.
            Err(_) if self.in_library => Ok(()),
            Err(error)
                if self.types.is_untyped()
                    && matches!(
                        error.tag,
                        T::Syntax
                            | T::TypeMember
                            | T::OpIncomplete
                            | T::OpSou
                            | T::OpPtr
                            | T::SymNotypes
                            | T::DerefVoid
                    ) =>
            {
                Ok(())
            }
            checked => checked,
        }
    }

    /// A translator; its members' values are checked when they are used.
    pub(crate) fn define_translator(&mut self, translator: &crate::ast::Translator) -> Checked<()> {
        let output = self.type_expr(&translator.output)?;
        let input_type = self.type_expr(&translator.input)?;
        let span = translator.span;
        let Type::Compound(compound) = self.types.resolve(output) else {
            let message = "a translator's output must be a struct or union";
            return fail(ErrorTag::XlateSou, span, message);
        };
        for member in &translator.members {
            let name = &member.name;
            if self.types.member(&compound, &name.name).is_none() {
                let of = self.words(output);
                let message = format!("translator member {} is not a member of {of}", name.name);
                return fail(ErrorTag::XlateMemb, name.span, message);
            }
        }
        let output = self.words(output);
        if self.find_translator(&output, input_type).is_some() {
            let from = self.words(input_type);
            let message = format!("translator from {from} to {output} has already been declared");
            return fail(ErrorTag::XlateRedecl, span, message);
        }
        let made = self.stand_in(input_type, span);
        for member in &translator.members {
            let Some(field) = self.types.member(&compound, &member.name.name) else { continue };
            let names = vec![(translator.name.name.clone(), made.clone())];
            let checked = self.bind(names, span, |cx| {
                let value = cx.expr(&member.value)?;
                if cx.fits_type(field.ty, &value) {
                    return Ok(());
                }
                let (want, have) = (cx.words(field.ty), cx.words(value.ty));
                let message = format!(
                    "translator member {} definition uses incompatible types: \"{want}\" = \"{have}\"",
                    member.name.name
                );
                fail(ErrorTag::XlateIncompat, member.name.span, message)
            });
            self.unless_untyped(checked)?;
        }
        let key = (output, self.bare_words(input_type));
        self.definitions.translators.insert(key, Rc::new(translator.clone()));
        Ok(())
    }
}
