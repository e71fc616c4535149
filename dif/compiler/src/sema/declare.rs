//! Types as the script writes them, and its declarations.

use std::{rc::Rc, sync::Arc};

use super::{Checked, Cx, fail};
use crate::{
    ast::{
        BaseType, Compound, CompoundKind, Declaration, Declarator, Enum, Expr, Member, Params,
        StorageClass, TypeExpr, TypeKind, VarScope,
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
                let message = format!("failed to resolve type {}: Unknown type name", name.name);
                crate::error::Error::new(ErrorTag::TypeErr, ty.span, message)
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
        let element = self.type_expr(element)?;
        let count = match size {
            None => 0,
            Some(size) => match self.constant(size)?.map(u32::try_from) {
                Some(Ok(count)) => count,
                _ => {
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

    /// Offsets as the x86-64 ABI gives them.
    fn lay_out(&mut self, tag: Tag, name: &str, members: &[Member]) -> Checked<CompoundType> {
        let mut fields = Vec::new();
        let (mut end, mut align) = (0_u32, 1_u32);
        for member in members {
            let ty = self.type_expr(&member.ty)?;
            let (Some(size), Some(natural)) = (self.types.size(ty), self.alignment(ty, &mut 4096))
            else {
                let message = "a member is of incomplete type";
                return fail(ErrorTag::DeclIncomplete, member.span, message);
            };
            let width = self.width(member, size)?;
            let too_big =
                || crate::error::Error::new(ErrorTag::DeclArrbig, member.span, "struct is too big");
            let bits = width.unwrap_or(size.checked_mul(8).ok_or_else(too_big)?);
            let start = if tag == Tag::Union { 0 } else { end };
            let offset = place_bits(start, bits, width.is_some(), natural).ok_or_else(too_big)?;
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
            align = align.max(natural);
        }
        let size = end.div_ceil(8).next_multiple_of(align);
        Ok(CompoundType { tag, name: name.into(), size, members: fields })
    }

    fn width(&mut self, member: &Member, size: u32) -> Checked<Option<u32>> {
        let Some(width) = &member.width else { return Ok(None) };
        let ty = self.type_expr(&member.ty)?;
        if super::int_of(&self.types.resolve(ty)).is_none() {
            let name = self.words(ty);
            let message = format!("a bit-field cannot be of type {name}");
            return fail(ErrorTag::DeclBftype, member.span, message);
        }
        match self.constant(width)?.map(u32::try_from) {
            Some(Ok(bits)) if bits <= size.saturating_mul(8) => Ok(Some(bits)),
            Some(_) => fail(ErrorTag::DeclBfsize, member.span, "bit-field too big for its type"),
            None => {
                let message = "positive integral constant expression expected as bit-field size";
                fail(ErrorTag::DeclBfconst, member.span, message)
            }
        }
    }

    /// `None` if the type is not complete, or too large to be searched.
    fn alignment(&mut self, ty: TypeId, budget: &mut u32) -> Option<u32> {
        *budget = budget.checked_sub(1)?;
        match self.types.resolve(ty) {
            Type::Array { element, .. } => self.alignment(element, budget),
            Type::Compound(compound) => {
                let mut align = 1;
                for member in &compound.members {
                    align = align.max(self.alignment(member.ty, budget)?);
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
        let mut values = Vec::new();
        let mut next = 0_i64;
        for enumerator in enumerators {
            if let Some(value) = &enumerator.value {
                let Some(value) = self.constant(value)? else {
                    let message = format!(
                        "enumerator '{}' must be assigned to an integral \
                                           constant expression",
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
            values.push((Rc::from(enumerator.name.name.as_str()), next));
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
        for declarator in &declaration.declarators {
            self.declarator(declaration.class, declarator)?;
        }
        Ok(())
    }

    fn declarator(&mut self, class: StorageClass, declarator: &Declarator) -> Checked<()> {
        let (name, span) = (declarator.name.name.as_str(), declarator.span);
        let scope = match class {
            StorageClass::Typedef => {
                let ty = self.type_expr(&declarator.ty)?;
                self.types.add_typedef(name, ty);
                return Ok(());
            }
            StorageClass::None | StorageClass::Extern => VarScope::Global,
            StorageClass::SelfLocal => VarScope::Thread,
            StorageClass::ThisLocal => VarScope::Clause,
            StorageClass::Auto | StorageClass::Register | StorageClass::Static => {
                let message = "storage class is not appropriate in D";
                return fail(ErrorTag::DeclBadclass, span, message);
            }
        };
        if let TypeKind::Function { .. } = declarator.ty.kind {
            return Ok(());
        }
        if class == StorageClass::Extern && self.world.symbol(None, name).is_some() {
            return Ok(());
        }
        self.declare_variable(scope, name, &declarator.ty, span)
    }

    fn declare_variable(
        &mut self,
        scope: VarScope,
        name: &str,
        ty: &TypeExpr,
        span: Span,
    ) -> Checked<()> {
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
            if self.words(known.ty) == self.words(element) && known.keys.is_some() == keys.is_some()
            {
                return Ok(());
            }
            let message = format!("identifier redeclared: {name}");
            return fail(ErrorTag::DeclIdred, span, message);
        }
        self.define_variable(scope, name, element, keys, span).map(|_| ())
    }

    fn key_types(&mut self, keys: &Params) -> Checked<Vec<TypeId>> {
        keys.list.iter().map(|key| self.type_expr(&key.ty)).collect()
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

/// The bit offset of a member after `end`: aligned, but a bit-field shares the integer before it if
/// it fits there. A bit-field of width 0 moves to the next integer.
fn place_bits(end: u32, bits: u32, is_field: bool, align: u32) -> Option<u32> {
    let unit = align.checked_mul(8)?;
    let aligned = end.checked_next_multiple_of(unit)?;
    if !is_field || bits == 0 {
        return Some(aligned);
    }
    let start = end / unit * unit;
    let fits = end.checked_add(bits)? <= start.checked_add(unit)?;
    Some(if fits { end } else { aligned })
}

impl Cx<'_, '_> {
    /// An inline; its value is checked when it is used.
    pub(crate) fn define_inline(&mut self, inline: &crate::ast::Inline) -> Checked<()> {
        let name = &inline.name.name;
        let taken = super::ident::is_builtin_name(name)
            || self.variables.contains_key(&(VarScope::Global, name.clone()));
        if taken {
            let message = format!("identifier redeclared: {name}");
            return fail(ErrorTag::DeclIdred, inline.span, message);
        }
        self.definitions.inlines.insert(name.clone(), Rc::new(inline.clone()));
        Ok(())
    }

    /// A translator; its members' values are checked when they are used.
    pub(crate) fn define_translator(&mut self, translator: &crate::ast::Translator) -> Checked<()> {
        let output = self.type_expr(&translator.output)?;
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
        let input = self.type_expr(&translator.input)?;
        let output = self.words(output);
        if self.find_translator(&output, input)?.is_some() {
            let from = self.words(input);
            let message = format!("translator from {from} to {output} has already been declared");
            return fail(ErrorTag::XlateRedecl, span, message);
        }
        self.definitions.translators.push(Rc::new(translator.clone()));
        Ok(())
    }
}
