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
    ast::{BinaryOp, Expr, ExprKind, StepOp, UnaryOp, VarScope},
    error::{Error, ErrorTag},
    sema::node::{Key, Place},
    source::Span,
    types::{Type, TypeId},
};

/// Why a target is looked for.
#[derive(Clone, Copy)]
enum Use<'n> {
    /// `=`: a new variable gets the value's type.
    Assign(&'n Node),
    /// `++`, `--`: a new variable is an `int64_t`.
    Step,
    /// `op=`: there must be one.
    Compound,
}

impl Cx<'_, '_> {
    pub(super) fn assign(&mut self, target: &Expr, value: &Expr, span: Span) -> Checked<Node> {
        refuse_aggregation(target, value, span)?;
        if let Some(copied) = self.assign_translated(target, value, span)? {
            return Ok(copied);
        }
        let value = self.expr(value)?;
        let (place, ty) = self.target(target, Use::Assign(&value), "=", span)?;
        self.want_no_array(ty, "=", span)?;
        let value = self.coerce(value, ty, "=", span)?;
        self.want_writable(target, "=", span)?;
        let place = place.ok_or_else(|| not_a_place("=", span))?;
        Ok(Node::new(ty, Kind::Store(place, value.into()), span))
    }

    /// Where a target is, if it is a place at all, and of what type.
    fn target(
        &mut self,
        target: &Expr,
        by: Use<'_>,
        op: &str,
        span: Span,
    ) -> Checked<(Option<Place>, TypeId)> {
        match &target.kind {
            ExprKind::Var { scope, name } if !self.is_fixed(*scope, &name.name) => {
                let known = self.variable_place(*scope, &name.name, by, op, span)?;
                Ok((Some(Place::Var(known.var)), known.ty))
            }
            ExprKind::Index { base, keys } => match &base.kind {
                ExprKind::Var { scope, name } if self.is_assoc(*scope, &name.name) => {
                    let known = self.array_place(*scope, &name.name, keys, by, op, span)?;
                    Ok((Some(self.element(&known, keys, span)?), known.ty))
                }
                _ => self.memory_place(target, op, span),
            },
            _ => self.memory_place(target, op, span),
        }
    }

    /// Whether a name is one that nothing can be assigned to.
    fn is_fixed(&mut self, scope: VarScope, name: &str) -> bool {
        scope == VarScope::Global
            && (super::ident::is_builtin_name(name)
                || self.definitions.inlines.contains_key(name)
                || self.bound(name).is_some()
                || self.is_enumerator(name)
                || super::call::is_function(name))
    }

    /// Whether `name[…]` is an associative array's element: it is one already, or nothing yet.
    fn is_assoc(&mut self, scope: VarScope, name: &str) -> bool {
        if self.is_fixed(scope, name) {
            return false;
        }
        self.known_variable(scope, name).is_none_or(|known| known.keys.is_some())
    }

    fn variable_place(
        &mut self,
        scope: VarScope,
        name: &str,
        by: Use<'_>,
        op: &str,
        span: Span,
    ) -> Checked<Variable> {
        if let Some(known) = self.known_variable(scope, name) {
            return match (known.keys.is_some(), by) {
                (false, _) => Ok(known),
                (true, Use::Assign(value)) if scope != VarScope::Global => {
                    let have = self.words(value.ty);
                    let message = format!(
                        "operands have incompatible types: \"associative array\" {op} \"{have}\""
                    );
                    fail(ErrorTag::OpIncompat, span, message)
                }
                (true, Use::Step) if scope != VarScope::Global => {
                    let message = format!("operator {op} requires operand of scalar type");
                    fail(ErrorTag::OpScalar, span, message)
                }
                (true, _) => array_without_key(scope, name, span),
            };
        }
        let ty = self.new_type(scope, name, by, op, span)?;
        self.define_variable(scope, name, ty, None, span)
    }

    /// The type of a variable that comes to be here.
    fn new_type(
        &mut self,
        scope: VarScope,
        name: &str,
        by: Use<'_>,
        op: &str,
        span: Span,
    ) -> Checked<TypeId> {
        match by {
            Use::Step => Ok(TypeId::LONG),
            Use::Compound => {
                let lead = scope_words(scope);
                let message = format!("{lead}{name} has not yet been declared or assigned");
                fail(ErrorTag::VarUndef, span, message)
            }
            Use::Assign(value) => {
                self.want_no_array(value.ty, op, span)?;
                if self.fits_type(value.ty, value) {
                    if let Kind::Uncomputable(what) = &value.kind {
                        let message =
                            format!("{what} may not be called from within a D expression");
                        return fail(ErrorTag::CgExpr, span, message);
                    }
                    return Ok(value.ty);
                }
                self.misfit(value, value.ty, op, span)
            }
        }
    }

    /// Arrays and functions are not assigned.
    fn want_no_array(&mut self, ty: TypeId, op: &str, span: Span) -> Checked<()> {
        if matches!(self.types.resolve(ty), Type::Array { .. } | Type::Function { .. }) {
            let name = self.words(ty);
            let message = format!("operator {op} may not be applied to operand of type \"{name}\"");
            return fail(ErrorTag::OpArrfun, span, message);
        }
        Ok(())
    }

    fn array_place(
        &mut self,
        scope: VarScope,
        name: &str,
        keys: &[Expr],
        by: Use<'_>,
        op: &str,
        span: Span,
    ) -> Checked<Variable> {
        if let Some(known) = self.known_variable(scope, name) {
            return Ok(known);
        }
        if scope == VarScope::Clause {
            let message = format!("local variables may not be used as associative arrays: {name}");
            return fail(ErrorTag::ArrLocal, span, message);
        }
        let mut types = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let node = self.expr(key)?;
            self.want_key(&node, "array", at, key.span)?;
            types.push(node.ty);
        }
        let ty = self.new_type(scope, name, by, op, span)?;
        self.define_variable(scope, name, ty, Some(types), span)
    }

    /// Refuses what can be no key's element.
    pub(crate) fn want_key(&mut self, node: &Node, of: &str, at: usize, span: Span) -> Checked<()> {
        let void = matches!(self.types.resolve(node.ty), Type::Void);
        if void || self.is_dynamic(node) {
            let name = self.words(node.ty);
            let message =
                format!("{name} expression may not be used as {of} index: key #{}", at + 1);
            return fail(ErrorTag::KeyType, span, message);
        }
        Ok(())
    }

    fn memory_place(
        &mut self,
        target: &Expr,
        op: &str,
        span: Span,
    ) -> Checked<(Option<Place>, TypeId)> {
        let node = self.expr(target)?;
        let ty = node.ty;
        self.want_no_array(ty, op, span)?;
        let place = match node.kind {
            Kind::Load(place @ Place::Memory(..)) => Some(place),
            Kind::BitField { from, shift, width, signed } => match from.kind {
                Kind::Load(Place::Memory(addr, access)) => {
                    Some(Place::Bits { addr, access, shift, width, signed })
                }
                _ => None,
            },
            Kind::Object { .. } if matches!(self.types.resolve(ty), Type::String) => {
                let message = "a string in memory cannot be assigned: bcopy( ) to its address";
                return fail(ErrorTag::Unsupported, span, message);
            }
            Kind::Object { addr, .. } => {
                self.types.note_size(ty);
                self.types.size(ty).map(|size| Place::Object(addr, size))
            }
            _ => None,
        };
        Ok((place, ty))
    }

    /// Whether a target is an lvalue, and one that D may write.
    fn want_writable(&mut self, target: &Expr, op: &str, span: Span) -> Checked<()> {
        if !self.is_lvalue(target) {
            let message = format!("operator {op} requires modifiable lvalue as an operand");
            return fail(ErrorTag::OpLval, span, message);
        }
        if !self.is_writable(target) {
            let message = format!("operator {op} can only be applied to a writable variable");
            return fail(ErrorTag::OpWrite, span, message);
        }
        Ok(())
    }

    fn is_lvalue(&mut self, target: &Expr) -> bool {
        match &target.kind {
            ExprKind::Var { scope: VarScope::Global, name } => {
                !self.is_constant_name(&name.name) && !super::call::is_function(&name.name)
            }
            ExprKind::Var { .. }
            | ExprKind::Symbol { .. }
            | ExprKind::Index { .. }
            | ExprKind::Unary { op: UnaryOp::Deref, .. }
            | ExprKind::Member { arrow: true, .. } => true,
            ExprKind::Member { base, .. } => self.is_lvalue(base),
            _ => false,
        }
    }

    /// Whether a name stands for an integer constant.
    fn is_constant_name(&mut self, name: &str) -> bool {
        if self.is_enumerator(name) {
            return true;
        }
        let Some(inline) = self.definitions.inlines.get(name).cloned() else { return false };
        self.expr(&inline.value).is_ok_and(|node| node.as_const().is_some())
    }

    /// D writes to its own variables, and through them to what they point to.
    fn is_writable(&mut self, target: &Expr) -> bool {
        match &target.kind {
            ExprKind::Var { scope, name } => !self.is_fixed(*scope, &name.name),
            ExprKind::Index { base, .. } | ExprKind::Member { base, .. } => self.is_writable(base),
            ExprKind::Unary { op: UnaryOp::Deref, operand } => match &operand.kind {
                ExprKind::Binary { op: BinaryOp::Add, left, .. } => self.is_writable(left),
                _ => self.is_writable(operand),
            },
            ExprKind::Assign { target, .. } | ExprKind::Step { operand: target, .. } => {
                self.is_writable(target)
            }
            _ => false,
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
                "{name}[ ] prototype mismatch: {} key{} passed, {} expected",
                keys.len(),
                if keys.len() == 1 { "" } else { "s" },
                types.len()
            );
            return fail(ErrorTag::ProtoLen, span, message);
        }
        let mut list = Vec::new();
        for (at, (key, ty)) in keys.iter().zip(types).enumerate() {
            let node = self.expr(key)?;
            let what = format!("{name}[ ] key #{}", at + 1);
            let node = self.key(node, ty, &what)?;
            let Some(dif) = self.dif_type(ty) else { continue };
            list.push(Key { node, ty: dif });
        }
        Ok(Place::Assoc(array.var.clone(), list))
    }

    /// A key's value fits the array's type: integers of any size do, for 64 bits are compared.
    fn key(&mut self, node: Node, ty: TypeId, what: &str) -> Checked<Node> {
        if self.fits_type(ty, &node) {
            let text = self.is_text_type(ty) && matches!(self.types.resolve(ty), Type::String);
            return if text && !self.is_integer_type(node.ty) {
                let span = node.span;
                Ok(Node::new(ty, Kind::Recast(node.into()), span))
            } else {
                Ok(node)
            };
        }
        self.unfit_key(&node, ty, what)
    }

    /// A key's value does not fit the type that the array or inline wants there.
    pub(super) fn unfit_key<T>(&mut self, node: &Node, ty: TypeId, what: &str) -> Checked<T> {
        let (have, want) = (self.words(node.ty), self.words(ty));
        let message = format!(
            "{what} is incompatible with prototype:\n\tprototype: {want}\n\t      key: {have}"
        );
        fail(ErrorTag::ProtoArg, node.span, message)
    }

    /// A value made fit for a place of a type, or refused.
    pub(crate) fn coerce(&mut self, node: Node, ty: TypeId, op: &str, span: Span) -> Checked<Node> {
        if !self.fits_type(ty, &node) {
            return self.misfit(&node, ty, op, span);
        }
        match self.types.resolve(ty) {
            Type::Compound(_) | Type::Function { .. } | Type::Opaque(_) => Ok(node),
            ref other => match int_of(other) {
                Some((size @ 1..=8, signed)) => Ok(self.narrowed(node, ty, size, signed, span)),
                Some(_) => Ok(node),
                None => {
                    let node = self.decay(node);
                    Ok(Node::new(ty, Kind::Recast(node.into()), span))
                }
            },
        }
    }

    pub(super) fn misfit<T>(
        &mut self,
        node: &Node,
        ty: TypeId,
        op: &str,
        span: Span,
    ) -> Checked<T> {
        let (have, want) = (self.words(node.ty), self.words(ty));
        let message = format!("operands have incompatible types: \"{want}\" {op} \"{have}\"");
        fail(ErrorTag::OpIncompat, span, message)
    }

    pub(super) fn step(
        &mut self,
        op: StepOp,
        prefix: bool,
        operand: &Expr,
        span: Span,
    ) -> Checked<Node> {
        let one = Node::constant(TypeId::INT, 1, span);
        let (op, symbol) = match op {
            StepOp::Increment => (BinaryOp::Add, "++"),
            StepOp::Decrement => (BinaryOp::Sub, "--"),
        };
        let (place, ty) = self.target(operand, Use::Step, symbol, span)?;
        let probe = Node::constant(ty, 1, span);
        if !self.is_scalar(&probe) {
            let message = format!("operator {symbol} requires operand of scalar type");
            return fail(ErrorTag::OpScalar, span, message);
        }
        if self.is_void_pointer(&probe) {
            let message = format!("operator {symbol} requires an operand of known size");
            return fail(ErrorTag::OpVfptr, span, message);
        }
        self.want_writable(operand, symbol, span)?;
        let place = place.ok_or_else(|| not_a_place(symbol, span))?;
        let yields = if prefix { Yields::After } else { Yields::Before };
        self.modify_place(op, place, ty, one, yields, span)
    }

    pub(super) fn modify(
        &mut self,
        op: BinaryOp,
        target: &Expr,
        value: &Expr,
        span: Span,
    ) -> Checked<Node> {
        if names_aggregation(target) {
            let message = "an aggregation must be assigned the result of an aggregating function";
            return fail(ErrorTag::AggFunc, span, message);
        }
        let symbol = format!("{}=", op.symbol());
        let value = self.expr(value)?;
        self.no_zero_divisor(op, &value, span)?;
        let (place, ty) = self.target(target, Use::Compound, &symbol, span)?;
        self.want_operands(op, &symbol, ty, &value, span)?;
        self.want_writable(target, &symbol, span)?;
        let place = place.ok_or_else(|| not_a_place(&symbol, span))?;
        self.modify_place(op, place, ty, value, Yields::After, span)
    }

    /// The types that an `op=` takes.
    fn want_operands(
        &mut self,
        op: BinaryOp,
        symbol: &str,
        ty: TypeId,
        value: &Node,
        span: Span,
    ) -> Checked<()> {
        let left = Node::constant(ty, 1, span);
        let ints = self.is_integer_type(ty) && self.is_integer_type(value.ty);
        let refuse = |tag, kind: &str| {
            let message = format!("operator {symbol} requires operands of {kind} type");
            fail(tag, span, message)
        };
        match op {
            _ if ints => Ok(()),
            BinaryOp::Mul | BinaryOp::Div => refuse(ErrorTag::OpArith, "arithmetic"),
            BinaryOp::Add | BinaryOp::Sub => {
                if self.is_string(&left) || self.is_string(value) {
                    return self.misfit(value, ty, symbol, span);
                }
                if !self.is_pointer(&left) || self.is_void_pointer(&left) {
                    let message = format!(
                        "operator {symbol} requires left-hand scalar operand of known size"
                    );
                    return fail(ErrorTag::OpVfptr, span, message);
                }
                if !self.is_integer_type(value.ty) {
                    return self.misfit(value, ty, symbol, span);
                }
                Ok(())
            }
            _ => refuse(ErrorTag::OpInt, "integral"),
        }
    }

    fn modify_place(
        &mut self,
        op: BinaryOp,
        place: Place,
        ty: TypeId,
        value: Node,
        yields: Yields,
        span: Span,
    ) -> Checked<Node> {
        if let Place::Bits { width, signed, .. } = &place {
            let (width, signed) = (*width, *signed);
            return self.modify_bits(op, place, ty, value, yields, (width, signed), span);
        }
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

    /// `field op= value` as `field = field op value`; what was before is found by undoing a step.
    #[expect(clippy::too_many_arguments, reason = "the parts of one operator")]
    fn modify_bits(
        &mut self,
        op: BinaryOp,
        place: Place,
        ty: TypeId,
        value: Node,
        yields: Yields,
        (width, signed): (u32, bool),
        span: Span,
    ) -> Checked<Node> {
        let old = Node::new(ty, Kind::Load(place.clone()), span);
        let new = self.binary_nodes(op, old, value.clone(), span)?;
        let stored = Node::new(ty, Kind::Store(place, new.into()), span);
        if yields == Yields::After {
            return Ok(stored);
        }
        let undo = if op == BinaryOp::Add { BinaryOp::Sub } else { BinaryOp::Add };
        let before = self.binary_nodes(undo, stored, value, span)?;
        let kind = Kind::BitField { from: before.into(), shift: 0, width, signed };
        Ok(Node::new(ty, kind, span))
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
            self.types.note_size(target);
            let step = self.types.size(target).filter(|size| *size > 0);
            return match (op, step) {
                (BinaryOp::Add | BinaryOp::Sub, Some(step)) if self.is_int(&value) => {
                    Ok((operator::scaled(value, step, span), None, false))
                }
                _ => self.misfit(&value, ty, op.symbol(), span),
            };
        }
        let Some((size @ 1..=8, signed)) = int_of(&self.types.resolve(ty)) else {
            return self.misfit(&value, ty, op.symbol(), span);
        };
        if !self.is_int(&value) {
            return self.misfit(&value, ty, op.symbol(), span);
        }
        let common = match op {
            BinaryOp::Shl | BinaryOp::Shr => ty,
            _ => self.common(ty, value.ty),
        };
        let cut = (size < 8).then_some((size, signed));
        Ok((value, cut, self.is_signed(common)))
    }
}

/// `self->`, `this->`, or nothing.
pub(super) const fn scope_words(scope: VarScope) -> &'static str {
    match scope {
        VarScope::Global => "",
        VarScope::Thread => "self->",
        VarScope::Clause => "this->",
    }
}

/// An associative array where a scalar is wanted.
pub(super) fn array_without_key<T>(scope: VarScope, name: &str, span: Span) -> Checked<T> {
    if scope == VarScope::Global {
        let message = format!("associative array '{name}' may not be referenced as scalar");
        return fail(ErrorTag::IdentBadref, span, message);
    }
    let message = format!("{name}[ ] prototype mismatch: 0 keys passed");
    fail(ErrorTag::ProtoLen, span, message)
}

fn names_aggregation(target: &Expr) -> bool {
    match &target.kind {
        ExprKind::Agg(_) => true,
        ExprKind::Index { base, .. } => names_aggregation(base),
        _ => false,
    }
}

/// An aggregation is assigned to by statements alone, which do not come here. What
/// `(@a = count())` gives is no place, whatever it is assigned.
fn refuse_aggregation(target: &Expr, value: &Expr, span: Span) -> Checked<()> {
    let place = match &target.kind {
        ExprKind::Assign { target, .. } => target,
        _ => target,
    };
    if !names_aggregation(place) {
        return Ok(());
    }
    if matches!(target.kind, ExprKind::Assign { .. }) && calls_aggregating(value) {
        return Err(not_a_place("=", span));
    }
    let message = "an aggregation must be assigned the result of an aggregating function";
    fail(ErrorTag::AggFunc, span, message)
}

/// Whether an expression is `count()` or the like.
fn calls_aggregating(value: &Expr) -> bool {
    let ExprKind::Call { function, .. } = &value.kind else { return false };
    let ExprKind::Var { name, .. } = &function.kind else { return false };
    super::call::is_aggregating(&name.name)
}

fn not_a_place(op: &str, span: Span) -> Error {
    let message = format!("operator {op} requires modifiable lvalue as an operand");
    Error::new(ErrorTag::OpLval, span, message)
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
