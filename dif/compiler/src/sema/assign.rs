//! Assignments: `=`, `op=`, `++`, `--`, and the keys of associative arrays.
//!
//! A variable that was never declared gets its type from the first assignment. `op=` and `++` on a
//! global integer is one indivisible instruction, so that many machines lose none; on anything else
//! it is load, operation, store.

use dif::{
    env::{AtomicOp, Scope},
    opcode::Yields,
};

use super::{Checked, Cx, Kind, Node, Variable, fail, int_of, is_by_ref, operator};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, StepOp, VarScope},
    error::ErrorTag,
    sema::node::{Key, Place},
    source::Span,
    types::{Type, TypeId},
};

impl Cx<'_, '_> {
    pub(super) fn assign(&mut self, target: &Expr, value: &Expr, span: Span) -> Checked<Node> {
        let value = self.expr(value)?;
        let (place, ty) = self.place(target, Some(&value), span)?;
        let value = self.coerce(value, ty, "=", span)?;
        Ok(Node::new(ty, Kind::Store(place, value.into()), span))
    }

    /// Where a target is, and of what type. `first` gives a new variable its type; without it a new
    /// variable is an `int64_t`.
    fn place(
        &mut self,
        target: &Expr,
        first: Option<&Node>,
        span: Span,
    ) -> Checked<(Place, TypeId)> {
        match &target.kind {
            ExprKind::Var { scope, name } => {
                let known = self.variable_place(*scope, &name.name, first, span)?;
                Ok((Place::Var(known.var), known.ty))
            }
            ExprKind::Index { base, keys } => match &base.kind {
                ExprKind::Var { scope, name } if self.is_assoc(*scope, &name.name) => {
                    let known = self.array_place(*scope, &name.name, keys, first, span)?;
                    Ok((self.element(&known, keys, span)?, known.ty))
                }
                _ => self.memory_place(target, span),
            },
            ExprKind::Symbol { name, .. } => {
                let message = format!(
                    "operator = cannot write to `{}: kernel memory is not \
                                       writable",
                    name.name
                );
                fail(ErrorTag::OpWrite, span, message)
            }
            _ => self.memory_place(target, span),
        }
    }

    /// Whether `name[…]` is an associative array's element: it is one already, or nothing yet.
    fn is_assoc(&mut self, scope: VarScope, name: &str) -> bool {
        if scope == VarScope::Global
            && (super::ident::is_builtin_name(name) || self.bound(name).is_some())
        {
            return false;
        }
        self.known_variable(scope, name).is_none_or(|known| known.keys.is_some())
    }

    fn variable_place(
        &mut self,
        scope: VarScope,
        name: &str,
        first: Option<&Node>,
        span: Span,
    ) -> Checked<Variable> {
        let fixed = super::ident::is_builtin_name(name)
            || self.definitions.inlines.contains_key(name)
            || self.bound(name).is_some();
        if scope == VarScope::Global && fixed {
            let message = format!("operator = can only be applied to a writable variable ({name})");
            return fail(ErrorTag::OpWrite, span, message);
        }
        match self.known_variable(scope, name) {
            Some(known) if known.keys.is_none() => Ok(known),
            Some(_) => {
                let message = format!("array {name} must be used with a key: {name}[…]");
                fail(ErrorTag::ArrBadref, span, message)
            }
            None => {
                let ty = Self::first_type(first);
                self.define_variable(scope, name, ty, None, span)
            }
        }
    }

    fn array_place(
        &mut self,
        scope: VarScope,
        name: &str,
        keys: &[Expr],
        first: Option<&Node>,
        span: Span,
    ) -> Checked<Variable> {
        if scope == VarScope::Clause {
            let message = format!("this->{name}[ ]: an associative array cannot be clause-local");
            return fail(ErrorTag::ArrLocal, span, message);
        }
        if let Some(known) = self.known_variable(scope, name) {
            return Ok(known);
        }
        let mut types = Vec::new();
        for key in keys {
            let node = self.expr(key)?;
            types.push(Self::first_type(Some(&node)));
        }
        let ty = Self::first_type(first);
        self.define_variable(scope, name, ty, Some(types), span)
    }

    /// The type a first value gives.
    fn first_type(first: Option<&Node>) -> TypeId {
        first.map_or(TypeId::LONG, |node| node.ty)
    }

    fn memory_place(&mut self, target: &Expr, span: Span) -> Checked<(Place, TypeId)> {
        let node = self.expr(target)?;
        match node.kind {
            Kind::Load(place @ Place::Memory(..)) => match &place {
                Place::Memory(_, access) if access.user => {
                    fail(ErrorTag::OpWrite, span, "the process's memory is not writable")
                }
                _ => Ok((place, node.ty)),
            },
            Kind::BitField { .. } => {
                fail(ErrorTag::Unsupported, span, "a bit-field cannot be assigned to yet")
            }
            Kind::Object { .. } => {
                fail(ErrorTag::Unsupported, span, "only scalars can be assigned through a pointer")
            }
            _ => {
                let message = "operator = can only be applied to an lvalue";
                fail(ErrorTag::OpLval, span, message)
            }
        }
    }

    /// An element of an associative array, its keys checked against the array's.
    pub(super) fn element(
        &mut self,
        array: &Variable,
        keys: &[Expr],
        span: Span,
    ) -> Checked<Place> {
        let types = array.keys.clone().unwrap_or_default();
        let name = &array.var.name;
        if types.len() != keys.len() {
            let message = format!(
                "{name} [ ] prototype mismatch: {} key{} passed, {} expected",
                keys.len(),
                if keys.len() == 1 { "" } else { "s" },
                types.len()
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let mut list = Vec::new();
        for (at, (key, ty)) in keys.iter().zip(types).enumerate() {
            let node = self.expr(key)?;
            let what = format!("{name} [ ] key #{}", at + 1);
            let node = self.key(node, ty, &what)?;
            let Some(dif) = self.dif_type(ty) else { continue };
            list.push(Key { node, ty: dif });
        }
        Ok(Place::Assoc(array.var.clone(), list))
    }

    /// A key's value fits the array's type: integers of any size do, for 64 bits are compared.
    fn key(&mut self, node: Node, ty: TypeId, what: &str) -> Checked<Node> {
        let wanted = self.types.resolve(ty);
        let scalar = int_of(&wanted).is_some() || matches!(wanted, Type::Pointer { .. });
        let fits = match wanted {
            Type::String => self.is_text(&node),
            _ if scalar => self.is_scalar(&node),
            _ => self.words(ty) == self.words(node.ty),
        };
        if fits {
            return Ok(node);
        }
        let (have, want) = (self.words(node.ty), self.words(ty));
        let message = format!(
            "{what} is incompatible with prototype:\n\tprototype: {want}\n\t argument: {have}"
        );
        fail(ErrorTag::ProtoArg, node.span, message)
    }

    /// A value made fit for a place of a type, or refused.
    pub(super) fn coerce(&mut self, node: Node, ty: TypeId, op: &str, span: Span) -> Checked<Node> {
        let wanted = self.types.resolve(ty);
        if matches!(wanted, Type::Array { .. }) && self.words(ty) == self.words(node.ty) {
            return Ok(node);
        }
        let null = node.as_const() == Some(0);
        match wanted {
            Type::String if self.is_text(&node) || null => {
                Ok(Node::new(ty, Kind::Recast(node.into()), span))
            }
            Type::Pointer { target, .. } => {
                let node = self.decay(node);
                if null || self.points_alike(&node, target) {
                    return Ok(Node::new(ty, Kind::Recast(node.into()), span));
                }
                self.misfit(&node, ty, op, span)
            }
            ref other => match int_of(other) {
                Some((size @ 1..=8, signed)) if self.is_int(&node) => {
                    Ok(self.narrowed(node, ty, size, signed, span))
                }
                None if null => Ok(node),
                None if self.words(ty) == self.words(node.ty) => Ok(node),
                _ => self.misfit(&node, ty, op, span),
            },
        }
    }

    fn misfit<T>(&mut self, node: &Node, ty: TypeId, op: &str, span: Span) -> Checked<T> {
        let (have, want) = (self.words(node.ty), self.words(ty));
        let message = format!("operands have incompatible types: \"{want}\" {op} \"{have}\"");
        fail(ErrorTag::OpIncompat, span, message)
    }

    /// Whether a node points to a type, or either side to `void`.
    fn points_alike(&mut self, node: &Node, wanted: TypeId) -> bool {
        let Type::Pointer { target, .. } = self.types.resolve(node.ty) else { return false };
        let (target, wanted) = (self.types.bare(target), self.types.bare(wanted));
        let void = target == TypeId::VOID || wanted == TypeId::VOID;
        let ints = (int_of(&self.types.get(target)), int_of(&self.types.get(wanted)));
        void || matches!(ints, (Some((a, _)), Some((b, _))) if a == b)
            || self.words(target) == self.words(wanted)
    }

    pub(super) fn step(
        &mut self,
        op: StepOp,
        prefix: bool,
        operand: &Expr,
        span: Span,
    ) -> Checked<Node> {
        let one = Node::constant(TypeId::INT, 1, span);
        let op = if op == StepOp::Increment { BinaryOp::Add } else { BinaryOp::Sub };
        let yields = if prefix { Yields::After } else { Yields::Before };
        self.modify_node(op, operand, one, yields, span)
    }

    pub(super) fn modify(
        &mut self,
        op: BinaryOp,
        target: &Expr,
        value: &Expr,
        span: Span,
    ) -> Checked<Node> {
        let value = self.expr(value)?;
        self.no_zero_divisor(op, &value, span)?;
        self.modify_node(op, target, value, Yields::After, span)
    }

    fn modify_node(
        &mut self,
        op: BinaryOp,
        target: &Expr,
        value: Node,
        yields: Yields,
        span: Span,
    ) -> Checked<Node> {
        let (place, ty) = self.place(target, None, span)?;
        let (operand, cut, signed) = self.operand(op, ty, value, span)?;
        if let Place::Var(var) = &place {
            let atomic = atomic_op(op, signed).filter(|atomic| {
                let needs_sign = matches!(atomic, AtomicOp::Sdiv | AtomicOp::Srem | AtomicOp::Sra);
                !(needs_sign && var.dif.size < 8)
            });
            if let (Some(op), Scope::Global, false, false) =
                (atomic, var.scope, is_by_ref(var.dif), self.classic)
            {
                let (var, operand) = (var.clone(), operand.into());
                return Ok(Node::new(ty, Kind::Update { var, op, yields, operand }, span));
            }
        }
        let op = operator::arithmetic(op, signed);
        let operand = operand.into();
        Ok(Node::new(ty, Kind::Modify { place, op, yields, operand, cut }, span))
    }

    /// The operand of `op=` on a type: bytes for a pointer, else an integer; with how the result is
    /// cut and whether the operation is signed.
    fn operand(
        &mut self,
        op: BinaryOp,
        ty: TypeId,
        value: Node,
        span: Span,
    ) -> Checked<(Node, Cut, bool)> {
        if let Type::Pointer { target, .. } = self.types.resolve(ty) {
            let step = self.types.size(target).filter(|size| *size > 0);
            return match (op, step) {
                (BinaryOp::Add | BinaryOp::Sub, Some(step)) if self.is_int(&value) => {
                    Ok((operator::scaled(value, step, span), None, false))
                }
                _ => self.misfit(&value, ty, op.symbol(), span),
            };
        }
        let Some((size @ 1..=8, signed)) = int_of(&self.types.resolve(ty)) else {
            let name = self.words(ty);
            let message =
                format!("operator {}= requires an operand of integral type ({name})", op.symbol());
            return fail(ErrorTag::OpInt, span, message);
        };
        let left = Node::constant(ty, 0, span);
        let common = match op {
            BinaryOp::Shl | BinaryOp::Shr => self.common(&left, &left, op.symbol(), span)?,
            _ => self.common(&left, &value, op.symbol(), span)?,
        };
        if !self.is_int(&value) {
            return self.misfit(&value, ty, op.symbol(), span);
        }
        let cut = (size < 8).then_some((size, signed));
        Ok((value, cut, self.is_signed(common)))
    }
}

/// How a result is cut: bytes and sign.
type Cut = Option<(u32, bool)>;

const fn atomic_op(op: BinaryOp, signed: bool) -> Option<AtomicOp> {
    Some(match (op, signed) {
        (BinaryOp::Add, _) => AtomicOp::Add,
        (BinaryOp::Sub, _) => AtomicOp::Sub,
        (BinaryOp::Mul, _) => AtomicOp::Mul,
        (BinaryOp::Div, true) => AtomicOp::Sdiv,
        (BinaryOp::Div, false) => AtomicOp::Udiv,
        (BinaryOp::Mod, true) => AtomicOp::Srem,
        (BinaryOp::Mod, false) => AtomicOp::Urem,
        (BinaryOp::BitAnd, _) => AtomicOp::And,
        (BinaryOp::BitOr, _) => AtomicOp::Or,
        (BinaryOp::BitXor, _) => AtomicOp::Xor,
        (BinaryOp::Shl, _) => AtomicOp::Shl,
        (BinaryOp::Shr, true) => AtomicOp::Sra,
        (BinaryOp::Shr, false) => AtomicOp::Srl,
        _ => return None,
    })
}
