//! Operators and conversions, by C's rules.

use dif::opcode::Op;

use super::{
    Checked, Cx, Kind, Node, fail, int_of,
    node::{Domain, Place, Relation},
};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, TypeExpr, UnaryOp},
    error::ErrorTag,
    source::Span,
    types::{Type, TypeId},
};

impl Cx<'_, '_> {
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span) -> Checked<Node> {
        match op {
            UnaryOp::AddrOf => return self.address_of(operand, span),
            UnaryOp::Deref => {
                let operand = self.expr(operand)?;
                return self.deref(operand, span);
            }
            _ => {}
        }
        let operand = self.expr(operand)?;
        match op {
            UnaryOp::Not => {
                self.want_truth(&operand, "!", span)?;
                Ok(fold_not(operand, span))
            }
            UnaryOp::BitNot => {
                let ty = self.promoted(&operand, "~", span)?;
                Ok(match operand.as_const() {
                    Some(value) => Node::constant(ty, !value, span),
                    None => Node::new(ty, Kind::Complement(operand.into()), span),
                })
            }
            UnaryOp::Negate => {
                let ty = self.promoted(&operand, "-", span)?;
                let zero = Node::constant(ty, 0, span);
                Ok(fold(ty, Op::Sub, zero, operand, span))
            }
            _ => {
                let ty = self.promoted(&operand, "+", span)?;
                Ok(Node { ty, ..operand })
            }
        }
    }

    /// The type of an integer operand after C's promotion.
    fn promoted(&mut self, operand: &Node, op: &str, span: Span) -> Checked<TypeId> {
        let resolved = self.types.resolve(operand.ty);
        self.refuse_float(&resolved, op, span)?;
        match int_of(&resolved) {
            Some((size @ 0..=8, signed)) => Ok(promote(size, signed)),
            _ => {
                let name = self.words(operand.ty);
                let (tag, wanted) = match op {
                    "*" | "/" | "-" | "+" => (ErrorTag::OpArith, "arithmetic"),
                    _ => (ErrorTag::OpInt, "integral"),
                };
                let message =
                    format!("operator {op} requires an operand of {wanted} type ({name})");
                fail(tag, span, message)
            }
        }
    }

    fn refuse_float(&self, ty: &Type, op: &str, span: Span) -> Checked<()> {
        if matches!(ty, Type::Float { .. }) {
            let message = format!("operator {op} cannot compute with floating-point values");
            return fail(ErrorTag::OpArith, span, message);
        }
        Ok(())
    }

    /// What `!`, `&&`, `?:` and predicates test.
    pub(crate) fn want_truth(&mut self, node: &Node, op: &str, span: Span) -> Checked<()> {
        if self.is_scalar(node) {
            return Ok(());
        }
        let name = self.words(node.ty);
        let message = format!("operator {op} requires an operand of scalar type ({name})");
        fail(ErrorTag::OpScalar, span, message)
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Checked<Node> {
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        self.binary_nodes(op, left, right, span)
    }

    pub(super) fn binary_nodes(
        &mut self,
        op: BinaryOp,
        left: Node,
        right: Node,
        span: Span,
    ) -> Checked<Node> {
        match op {
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => self.logical(op, left, right, span),
            BinaryOp::Eq => self.compare(Relation::Eq, "==", left, right, span),
            BinaryOp::Ne => self.compare(Relation::Ne, "!=", left, right, span),
            BinaryOp::Lt => self.compare(Relation::Lt, "<", left, right, span),
            BinaryOp::Le => self.compare(Relation::Le, "<=", left, right, span),
            BinaryOp::Gt => self.compare(Relation::Gt, ">", left, right, span),
            BinaryOp::Ge => self.compare(Relation::Ge, ">=", left, right, span),
            BinaryOp::Add | BinaryOp::Sub => self.additive(op, left, right, span),
            BinaryOp::Shl | BinaryOp::Shr => {
                let ty = self.promoted(&left, op.symbol(), span)?;
                self.promoted(&right, op.symbol(), span)?;
                let code = arithmetic(op, self.is_signed(ty));
                Ok(fold(ty, code, left, right, span))
            }
            _ => {
                let ty = self.common(&left, &right, op.symbol(), span)?;
                self.no_zero_divisor(op, &right, span)?;
                let code = arithmetic(op, self.is_signed(ty));
                Ok(fold(ty, code, left, right, span))
            }
        }
    }

    pub(super) fn no_zero_divisor(
        &mut self,
        op: BinaryOp,
        right: &Node,
        span: Span,
    ) -> Checked<()> {
        if matches!(op, BinaryOp::Div | BinaryOp::Mod) && right.as_const() == Some(0) {
            return fail(ErrorTag::DivZero, span, "expression contains division by zero");
        }
        Ok(())
    }

    pub(super) fn is_signed(&mut self, ty: TypeId) -> bool {
        int_of(&self.types.resolve(ty)).is_some_and(|int| int.1)
    }

    /// The common type of two integer operands.
    pub(super) fn common(
        &mut self,
        left: &Node,
        right: &Node,
        op: &str,
        span: Span,
    ) -> Checked<TypeId> {
        let (left, right) = (self.promoted(left, op, span)?, self.promoted(right, op, span)?);
        Ok(if rank(left) >= rank(right) { left } else { right })
    }

    fn logical(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Checked<Node> {
        self.want_truth(&left, op.symbol(), span)?;
        self.want_truth(&right, op.symbol(), span)?;
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = match op {
            BinaryOp::And => Kind::And(left, right),
            BinaryOp::Or => Kind::Or(left, right),
            _ => Kind::Xor(left, right),
        };
        Ok(Node::new(TypeId::INT, kind, span))
    }

    fn compare(
        &mut self,
        relation: Relation,
        op: &str,
        left: Node,
        right: Node,
        span: Span,
    ) -> Checked<Node> {
        let domain = self.domain(op, &left, &right, span)?;
        if let (Some(a), Some(b), true) =
            (left.as_const(), right.as_const(), domain != Domain::Strings)
        {
            let truth = holds(relation, domain == Domain::Signed, a, b);
            return Ok(Node::constant(TypeId::INT, u64::from(truth), span));
        }
        let kind = Kind::Compare(relation, domain, left.into(), right.into());
        Ok(Node::new(TypeId::INT, kind, span))
    }

    /// How two operands compare: as strings if one is a string and both are text, as addresses if
    /// one is a pointer, else as integers of their common type.
    fn domain(&mut self, op: &str, left: &Node, right: &Node, span: Span) -> Checked<Domain> {
        let resolved = (self.types.resolve(left.ty), self.types.resolve(right.ty));
        let string = |ty: &Type| matches!(ty, Type::String);
        let text_array = self.types.is_char_array(left.ty) || self.types.is_char_array(right.ty);
        if (string(&resolved.0) || string(&resolved.1) || text_array)
            && self.is_text(left)
            && self.is_text(right)
        {
            return Ok(Domain::Strings);
        }
        // strstr( ) and its like give NULL, and so does a string never set.
        let null = |node: &Node| node.as_const() == Some(0);
        if (string(&resolved.0) && null(right)) || (string(&resolved.1) && null(left)) {
            return Ok(Domain::Unsigned);
        }
        let pointer = |ty: &Type| matches!(ty, Type::Pointer { .. });
        if pointer(&resolved.0) || pointer(&resolved.1) {
            if self.is_scalar(left) && self.is_scalar(right) {
                return Ok(Domain::Unsigned);
            }
        } else if self.is_int(left) && self.is_int(right) {
            let ty = self.common(left, right, op, span)?;
            return Ok(if self.is_signed(ty) { Domain::Signed } else { Domain::Unsigned });
        }
        self.refuse_floats(left, right, op, span)?;
        self.incompatible(op, left, right, span)
    }

    pub(super) fn incompatible<T>(
        &mut self,
        op: &str,
        left: &Node,
        right: &Node,
        span: Span,
    ) -> Checked<T> {
        let (left, right) = (self.words(left.ty), self.words(right.ty));
        let message = format!("operands have incompatible types: \"{left}\" {op} \"{right}\"");
        fail(ErrorTag::OpIncompat, span, message)
    }

    /// `+` and `-`: integers, pointer and integer, pointer and pointer.
    fn additive(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Checked<Node> {
        let (left, right) = (self.decay(left), self.decay(right));
        let code = if op == BinaryOp::Add { Op::Add } else { Op::Sub };
        match (self.step_of(&left, span)?, self.step_of(&right, span)?) {
            (None, None) if self.is_int(&left) && self.is_int(&right) => {
                let ty = self.common(&left, &right, op.symbol(), span)?;
                Ok(fold(ty, code, left, right, span))
            }
            (Some(step), None) if self.is_int(&right) => {
                let ty = left.ty;
                Ok(fold(ty, code, left, scaled(right, step, span), span))
            }
            (None, Some(step)) if op == BinaryOp::Add && self.is_int(&left) => {
                let ty = right.ty;
                Ok(fold(ty, code, scaled(left, step, span), right, span))
            }
            (Some(a), Some(b)) if op == BinaryOp::Sub && a == b => {
                let bytes = fold(TypeId::LONG, Op::Sub, left, right, span);
                let step = Node::constant(TypeId::LONG, u64::from(a), span);
                Ok(if a == 1 { bytes } else { fold(TypeId::LONG, Op::Sdiv, bytes, step, span) })
            }
            _ => {
                self.refuse_floats(&left, &right, op.symbol(), span)?;
                self.incompatible(op.symbol(), &left, &right, span)
            }
        }
    }

    fn refuse_floats(&mut self, left: &Node, right: &Node, op: &str, span: Span) -> Checked<()> {
        for node in [left, right] {
            let resolved = self.types.resolve(node.ty);
            self.refuse_float(&resolved, op, span)?;
        }
        Ok(())
    }

    /// Bytes that a pointer moves by; `None` if it is no pointer.
    fn step_of(&mut self, node: &Node, span: Span) -> Checked<Option<u32>> {
        let Type::Pointer { target, .. } = self.types.resolve(node.ty) else { return Ok(None) };
        match self.types.size(target) {
            Some(size) if size > 0 => Ok(Some(size)),
            _ if matches!(self.types.resolve(target), Type::Void) => Ok(Some(1)),
            _ => fail(ErrorTag::OpVfptr, span, "pointer arithmetic needs a type of known size"),
        }
    }

    /// An array used as a value is a pointer to its first element.
    pub(super) fn decay(&mut self, node: Node) -> Node {
        match self.types.resolve(node.ty) {
            Type::Array { element, .. } => {
                let user = matches!(node.kind, Kind::Object { user: true, .. });
                let ty = self.types.pointer(element, user);
                let span = node.span;
                Node::new(ty, Kind::Recast(node.into()), span)
            }
            _ => node,
        }
    }

    pub(super) fn conditional(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        span: Span,
    ) -> Checked<Node> {
        let condition = self.expr(condition)?;
        self.want_truth(&condition, "?:", span)?;
        let (then, otherwise) = (self.expr(then)?, self.expr(otherwise)?);
        let ty = self.branch_type(&then, &otherwise, span)?;
        if let Some(value) = condition.as_const() {
            let chosen = if value != 0 { then } else { otherwise };
            return Ok(Node::new(ty, Kind::Recast(chosen.into()), span));
        }
        let kind = Kind::Conditional(condition.into(), then.into(), otherwise.into());
        Ok(Node::new(ty, kind, span))
    }

    /// The type of `?:`: text is `string`, integers their common type, else both must be one type.
    fn branch_type(&mut self, then: &Node, otherwise: &Node, span: Span) -> Checked<TypeId> {
        let resolved = (self.types.resolve(then.ty), self.types.resolve(otherwise.ty));
        let string = |ty: &Type| matches!(ty, Type::String);
        if (string(&resolved.0) || string(&resolved.1))
            && self.is_text(then)
            && self.is_text(otherwise)
        {
            return Ok(TypeId::STRING);
        }
        if self.is_int(then) && self.is_int(otherwise) {
            return self.common(then, otherwise, "?:", span);
        }
        let null = |node: &Node| node.as_const() == Some(0);
        match resolved {
            (Type::Pointer { .. }, _) if null(otherwise) => Ok(then.ty),
            (_, Type::Pointer { .. }) if null(then) => Ok(otherwise.ty),
            (Type::Pointer { .. }, Type::Pointer { .. }) => Ok(then.ty),
            _ if self.words(then.ty) == self.words(otherwise.ty) => Ok(then.ty),
            _ => self.incompatible(":", then, otherwise, span),
        }
    }

    pub(super) fn cast(&mut self, ty: &TypeExpr, operand: &Expr, span: Span) -> Checked<Node> {
        let ty = self.type_expr(ty)?;
        let operand = self.expr(operand)?;
        if matches!(self.types.resolve(ty), Type::String) {
            return self.stringof(operand, span);
        }
        self.convert(operand, ty, span)
    }

    /// A conversion as a cast makes it.
    pub(crate) fn convert(&mut self, node: Node, ty: TypeId, span: Span) -> Checked<Node> {
        let node = self.decay(node);
        match self.types.resolve(ty) {
            Type::Void => Ok(Node::new(ty, Kind::Recast(node.into()), span)),
            Type::Pointer { .. } if self.is_scalar(&node) || self.is_string(&node) => {
                Ok(Node::new(ty, Kind::Recast(node.into()), span))
            }
            other => match int_of(&other) {
                Some((size @ 1..=8, signed)) if self.is_scalar(&node) => {
                    Ok(self.narrowed(node, ty, size, signed, span))
                }
                _ => {
                    let (from, to) = (self.words(node.ty), self.words(ty));
                    let message = format!("invalid cast expression: \"{from}\" to \"{to}\"");
                    fail(ErrorTag::CastInval, span, message)
                }
            },
        }
    }

    fn is_string(&mut self, node: &Node) -> bool {
        matches!(self.types.resolve(node.ty), Type::String)
    }

    /// Cuts a value to an integer type, unless its own type or its origin says it fits.
    pub(super) fn narrowed(
        &mut self,
        node: Node,
        ty: TypeId,
        size: u32,
        signed: bool,
        span: Span,
    ) -> Node {
        if let Some(value) = node.as_const() {
            return Node::constant(ty, cut(value, size, signed), span);
        }
        if size == 8 || self.fits(&node, size, signed) {
            return Node::new(ty, Kind::Recast(node.into()), span);
        }
        Node::new(ty, Kind::Extend { size, signed, of: node.into() }, span)
    }

    /// Whether a node's value is known to be in the range of such an integer: it was loaded or cut
    /// as one.
    fn fits(&mut self, node: &Node, size: u32, signed: bool) -> bool {
        let range = match &node.kind {
            Kind::Load(Place::Memory(_, access)) => Some((access.size, access.signed)),
            Kind::Extend { size, signed, .. } => Some((*size, *signed)),
            Kind::Load(Place::Var(var) | Place::Assoc(var, _)) if !super::is_by_ref(var.dif) => {
                Some((var.dif.size, var.extend))
            }
            Kind::Compare(..) | Kind::And(..) | Kind::Or(..) | Kind::Xor(..) | Kind::Not(_) => {
                return true;
            }
            Kind::Recast(inner) => return self.fits(inner, size, signed),
            _ => None,
        };
        range.is_some_and(|(have, have_signed)| {
            (have == size && have_signed == signed) || (have < size && (signed || !have_signed))
        })
    }

    pub(super) fn sizeof_expr(&mut self, operand: &Expr, span: Span) -> Checked<Node> {
        if let ExprKind::Member { .. } = operand.kind {
            let node = self.expr(operand)?;
            if matches!(node.kind, Kind::BitField { .. }) {
                let message = "cannot apply sizeof to a bit-field";
                return fail(ErrorTag::SizeofBitfield, span, message);
            }
            return self.sizeof(node.ty, span);
        }
        let node = self.expr(operand)?;
        self.sizeof(node.ty, span)
    }

    pub(super) fn sizeof(&mut self, ty: TypeId, span: Span) -> Checked<Node> {
        match self.types.size(ty) {
            Some(size) if !matches!(self.types.resolve(ty), Type::String) => {
                Ok(Node::constant(TypeId::ULONG, u64::from(size), span))
            }
            _ => {
                let name = self.words(ty);
                let message = format!("cannot apply sizeof to a value of type {name}");
                fail(ErrorTag::SizeofType, span, message)
            }
        }
    }

    /// `stringof`: text as a string; an integer or pointer as the address of one.
    pub(crate) fn stringof(&mut self, operand: Node, span: Span) -> Checked<Node> {
        if self.is_string(&operand) {
            return Ok(operand);
        }
        let user = match self.types.resolve(operand.ty) {
            Type::Pointer { user, .. } => user,
            _ => matches!(operand.kind, Kind::Object { user: true, .. }),
        };
        if user {
            let message = "stringof cannot read the process's memory: use copyinstr( )";
            return fail(ErrorTag::StringofType, span, message);
        }
        if self.is_text(&operand) || self.is_scalar(&operand) {
            return Ok(Node::new(TypeId::STRING, Kind::Recast(operand.into()), span));
        }
        let name = self.words(operand.ty);
        let message = format!("cannot apply stringof to a value of type {name}");
        fail(ErrorTag::StringofType, span, message)
    }
}

/// C's rank: of two promoted types the higher is the common one.
const fn rank(ty: TypeId) -> u8 {
    match ty {
        TypeId::INT => 0,
        TypeId::UINT => 1,
        TypeId::LONG => 2,
        _ => 3,
    }
}

const fn promote(size: u32, signed: bool) -> TypeId {
    match (size, signed) {
        (0..=3, _) | (4, true) => TypeId::INT,
        (4, false) => TypeId::UINT,
        (_, true) => TypeId::LONG,
        (_, false) => TypeId::ULONG,
    }
}

/// The instruction of an arithmetic operator.
pub(super) const fn arithmetic(op: BinaryOp, signed: bool) -> Op {
    match (op, signed) {
        (BinaryOp::Mul, _) => Op::Mul,
        (BinaryOp::Div, true) => Op::Sdiv,
        (BinaryOp::Div, false) => Op::Udiv,
        (BinaryOp::Mod, true) => Op::Srem,
        (BinaryOp::Mod, false) => Op::Urem,
        (BinaryOp::Sub, _) => Op::Sub,
        (BinaryOp::Shl, _) => Op::Sll,
        (BinaryOp::Shr, true) => Op::Sra,
        (BinaryOp::Shr, false) => Op::Srl,
        (BinaryOp::BitAnd, _) => Op::And,
        (BinaryOp::BitXor, _) => Op::Xor,
        (BinaryOp::BitOr, _) => Op::Or,
        _ => Op::Add,
    }
}

/// What an instruction computes of constants; `None` for a division by zero.
fn compute(op: Op, a: u64, b: u64) -> Option<u64> {
    let (signed_a, signed_b) = (a.cast_signed(), b.cast_signed());
    let shift = u32::try_from(b & 63).unwrap_or(0);
    Some(match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::Sdiv if b != 0 => signed_a.wrapping_div(signed_b).cast_unsigned(),
        Op::Udiv if b != 0 => a / b,
        Op::Srem if b != 0 => signed_a.wrapping_rem(signed_b).cast_unsigned(),
        Op::Urem if b != 0 => a % b,
        Op::Sll => a << shift,
        Op::Srl => a >> shift,
        Op::Sra => (signed_a >> shift).cast_unsigned(),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        _ => return None,
    })
}

/// An operation, computed now if both operands are constants.
pub(super) fn fold(ty: TypeId, op: Op, left: Node, right: Node, span: Span) -> Node {
    let known = left.as_const().zip(right.as_const()).and_then(|(a, b)| compute(op, a, b));
    match known {
        Some(value) => Node::constant(ty, value, span),
        None => Node::new(ty, Kind::Binary(op, left.into(), right.into()), span),
    }
}

fn fold_not(operand: Node, span: Span) -> Node {
    match operand.as_const() {
        Some(value) => Node::constant(TypeId::INT, u64::from(value == 0), span),
        None => Node::new(TypeId::INT, Kind::Not(operand.into()), span),
    }
}

/// An index times an element's size.
pub(super) fn scaled(index: Node, step: u32, span: Span) -> Node {
    if step == 1 {
        return index;
    }
    let step = Node::constant(TypeId::LONG, u64::from(step), span);
    fold(TypeId::LONG, Op::Mul, index, step, span)
}

fn holds(relation: Relation, signed: bool, a: u64, b: u64) -> bool {
    let order = if signed { a.cast_signed().cmp(&b.cast_signed()) } else { a.cmp(&b) };
    match relation {
        Relation::Eq => order.is_eq(),
        Relation::Ne => order.is_ne(),
        Relation::Lt => order.is_lt(),
        Relation::Le => order.is_le(),
        Relation::Gt => order.is_gt(),
        Relation::Ge => order.is_ge(),
    }
}

/// The low bytes of a value, extended.
pub(super) fn cut(value: u64, size: u32, signed: bool) -> u64 {
    let drop = 64_u32.saturating_sub(size.saturating_mul(8));
    if drop == 0 || drop == 64 {
        return value;
    }
    let high = value << drop;
    if signed { (high.cast_signed() >> drop).cast_unsigned() } else { high >> drop }
}
