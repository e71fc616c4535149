//! Operators and conversions, by C's rules.

use dif::opcode::Op;

use super::{
    Checked, Cx, Kind, Node, fail, int_of,
    node::{Domain, Place, Relation},
};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, TypeExpr, TypeKind, UnaryOp, VarScope},
    error::ErrorTag,
    link::Wanted,
    source::Span,
    types::{Type, TypeId},
};

/// What dtrace(1) refuses as soon as it has read it, whether it is ever computed or not.
const READ: [ErrorTag; 6] = [
    ErrorTag::DivZero,
    ErrorTag::FuncIdent,
    ErrorTag::FuncUndef,
    ErrorTag::FuncIdkind,
    ErrorTag::OffsetofType,
    ErrorTag::IntOflow,
];

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
                let ty = self.want_integer(&operand, "~", ErrorTag::OpInt, span)?;
                Ok(match operand.as_const() {
                    Some(value) => Node::constant(ty, !value, span),
                    None => Node::new(ty, Kind::Complement(operand.into()), span),
                })
            }
            UnaryOp::Negate => {
                let ty = self.want_integer(&operand, "-", ErrorTag::OpArith, span)?;
                if let (Some(value), Some((size, false))) =
                    (operand.as_const(), int_of(&self.types.resolve(ty)))
                {
                    return Ok(Node::constant(ty, cut(value.wrapping_neg(), size, false), span));
                }
                let zero = Node::constant(ty, 0, span);
                Ok(fold(ty, Op::Sub, zero, operand, span))
            }
            _ => {
                self.want_integer(&operand, "+", ErrorTag::OpArith, span)?;
                Ok(operand)
            }
        }
    }

    /// The type of an operand that must be an integer.
    fn want_integer(
        &mut self,
        operand: &Node,
        op: &str,
        tag: ErrorTag,
        span: Span,
    ) -> Checked<TypeId> {
        if self.is_int(operand) {
            return Ok(operand.ty);
        }
        let name = self.words(operand.ty);
        let kind = if tag == ErrorTag::OpArith { "arithmetic" } else { "integral" };
        let message = format!("operator {op} requires an operand of {kind} type ({name})");
        fail(tag, span, message)
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
        let left = self.expr(left)?;
        self.refuse_ambiguous(op, &left, right)?;
        let right = self.expr(right)?;
        self.binary_nodes(op, left, right, span)
    }

    /// Beside a value of one of the kernel's enumerations, a name could be its enumerator or a
    /// variable.
    fn refuse_ambiguous(&mut self, op: BinaryOp, left: &Node, right: &Expr) -> Checked<()> {
        let ExprKind::Var { scope: VarScope::Global, name } = &right.kind else { return Ok(()) };
        let (name, span) = (name.name.as_str(), right.span);
        let compares = matches!(
            op,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge
        );
        let Type::Enum(body) = self.types.resolve(left.ty) else { return Ok(()) };
        let tag = body.values.iter().any(|(known, _)| **known == *name);
        if !compares || !tag || self.is_enumerator(name) {
            return Ok(());
        }
        let known = self.known_variable(VarScope::Global, name).is_some();
        if !known && !super::ident::is_builtin_name(name) {
            return Ok(());
        }
        let op = op.symbol();
        let message =
            format!("ambiguous use of operator {op}: {name} is both an enum tag and a global");
        fail(ErrorTag::IdentAmbig, span, message)
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
            _ => {
                let tag = match op {
                    BinaryOp::Mul | BinaryOp::Div => ErrorTag::OpArith,
                    _ => ErrorTag::OpInt,
                };
                self.no_zero_divisor(op, &right, span)?;
                self.want_integer(&left, op.symbol(), tag, span)?;
                self.want_integer(&right, op.symbol(), tag, span)?;
                let ty = match op {
                    BinaryOp::Shl | BinaryOp::Shr => left.ty,
                    _ => self.common(left.ty, right.ty),
                };
                // Constants are shifted as they are read, and there without sign.
                let read = op == BinaryOp::Shr
                    && self.depth == 0
                    && left.as_const().and(right.as_const()).is_some();
                let code = arithmetic(op, !read && self.is_signed(ty));
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

    /// The common type of two integers: that of more bits, the unsigned one if they have as many. D
    /// computes in 64 bits and does not widen to `int` first.
    pub(super) fn common(&mut self, left: TypeId, right: TypeId) -> TypeId {
        let (l, r) = (self.rank(left), self.rank(right));
        if l > r || (l == r && self.types.bare(left) >= self.types.bare(right)) {
            left
        } else {
            right
        }
    }

    fn rank(&mut self, ty: TypeId) -> u32 {
        match self.types.resolve(ty) {
            // An enumeration counts as an int.
            Type::Enum(_) => 32,
            other => int_of(&other).map_or(0, |(size, signed)| size * 8 + u32::from(!signed)),
        }
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

    /// How two operands compare: as strings if one is a string and both are text, as integers of
    /// their common type, else as addresses.
    fn domain(&mut self, op: &str, left: &Node, right: &Node, span: Span) -> Checked<Domain> {
        if self.is_text(left)
            && self.is_text(right)
            && (self.is_string(left) || self.is_string(right))
        {
            return Ok(Domain::Strings);
        }
        if self.is_int(left) && self.is_int(right) {
            let ty = self.common(left.ty, right.ty);
            return Ok(if self.is_signed(ty) { Domain::Signed } else { Domain::Unsigned });
        }
        let texts = self.types.is_char_array(left.ty) || self.types.is_char_array(right.ty);
        if texts && self.is_text(left) && self.is_text(right) {
            return Ok(Domain::Strings);
        }
        if self.pointers_meet(left, right).is_some() {
            // `s == NULL` compares texts too, NULL being the empty one: so a variable that was
            // never set is NULL, whether its memory is there or not.
            let string = self.is_string(left) || self.is_string(right);
            return Ok(if string { Domain::Strings } else { Domain::Unsigned });
        }
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

    /// `+` and `-`: integers, pointer and integer, pointer and pointer. A string moves as a pointer
    /// to its characters does.
    fn additive(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Checked<Node> {
        let (left, right) = (self.decay(left), self.decay(right));
        let code = if op == BinaryOp::Add { Op::Add } else { Op::Sub };
        if self.is_int(&left) && self.is_int(&right) {
            let ty = self.common(left.ty, right.ty);
            return Ok(fold(ty, code, left, right, span));
        }
        match (self.step_of(&left), self.step_of(&right)) {
            (Some(step), None) if self.is_int(&right) => {
                let ty = left.ty;
                Ok(fold(ty, code, left, scaled(right, step, span), span))
            }
            (None, Some(step)) if op == BinaryOp::Add && self.is_int(&left) => {
                let ty = right.ty;
                Ok(fold(ty, code, scaled(left, step, span), right, span))
            }
            (Some(step), Some(_))
                if op == BinaryOp::Sub && self.pointers_meet(&left, &right).is_some() =>
            {
                let bytes = fold(TypeId::LONG, Op::Sub, left, right, span);
                let by = Node::constant(TypeId::LONG, u64::from(step), span);
                let whole = |bytes| fold(TypeId::LONG, Op::Sdiv, bytes, by, span);
                Ok(if step == 1 { bytes } else { whole(bytes) })
            }
            _ => self.incompatible(op.symbol(), &left, &right, span),
        }
    }

    /// Bytes that a pointer or string moves by; `None` for others, and pointers to `void` or
    /// functions.
    fn step_of(&mut self, node: &Node) -> Option<u32> {
        match self.types.resolve(node.ty) {
            Type::String => Some(1),
            Type::Pointer { target, .. } if !self.is_void_pointer(node) => {
                self.types.note_size(target);
                Some(self.types.size(target).unwrap_or(0))
            }
            _ => None,
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
        if let Some(value) = condition.as_const().filter(|_| self.is_int(&condition)) {
            let (taken, left) = if value != 0 { (then, otherwise) } else { (otherwise, then) };
            self.refuse_as_read(left)?;
            return self.expr(taken);
        }
        let (then, otherwise) = (self.expr(then)?, self.expr(otherwise)?);
        self.want_truth(&condition, "?:", span)?;
        if self.is_dynamic(&then) || self.is_dynamic(&otherwise) {
            let message = "operator ?: operands cannot be of dynamic type";
            return fail(ErrorTag::OpDyn, span, message);
        }
        let ty = self.branch_type(&then, &otherwise, span)?;
        self.refuse_opaque(&[&then, &otherwise], "operator ?: operands cannot be", span)?;
        let kind = Kind::Conditional(condition.into(), then.into(), otherwise.into());
        Ok(Node::new(ty, kind, span))
    }

    /// What nobody will compute is refused for what dtrace(1) refuses as it reads it. An inline was
    /// read before its parameters had values.
    fn refuse_as_read(&mut self, left: &Expr) -> Checked<()> {
        if self.depth > 0 {
            return Ok(());
        }
        match self.expr(left) {
            Err(error) if READ.contains(&error.tag) => Err(error),
            _ => Ok(()),
        }
    }

    /// The type of `?:`: one that both have, integers' common type, text's `string`, or that of the
    /// more specific pointer.
    fn branch_type(&mut self, then: &Node, otherwise: &Node, span: Span) -> Checked<TypeId> {
        if self.is_int(then) && self.is_int(otherwise) {
            return Ok(self.common(then.ty, otherwise.ty));
        }
        if self.types_alike(then.ty, otherwise.ty) {
            return Ok(then.ty);
        }
        let string = self.is_string(then) || self.is_string(otherwise);
        if string && self.is_text(then) && self.is_text(otherwise) {
            return Ok(TypeId::STRING);
        }
        match self.pointers_meet(then, otherwise) {
            Some(ty) => Ok(ty),
            None => self.incompatible(":", then, otherwise, span),
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

    /// A conversion as a cast makes it: to the same type, between scalars, from an array to a
    /// pointer, of anything to `void`.
    pub(crate) fn convert(&mut self, node: Node, ty: TypeId, span: Span) -> Checked<Node> {
        let scalar = self.is_scalar(&node);
        match self.types.resolve(ty) {
            Type::Void => Ok(Node::new(ty, Kind::Recast(node.into()), span)),
            Type::Pointer { .. } if scalar || self.is_pointer(&node) => {
                let node = self.decay(node);
                Ok(Node::new(ty, Kind::Recast(node.into()), span))
            }
            other => match int_of(&other) {
                Some((size @ 1..=8, signed)) if scalar => {
                    Ok(self.narrowed(node, ty, size, signed, span))
                }
                _ if self.types_alike(ty, node.ty) => Ok(Node { ty, ..node }),
                _ => {
                    let (from, to) = (self.words(node.ty), self.words(ty));
                    let message = format!("invalid cast expression: \"{from}\" to \"{to}\"");
                    fail(ErrorTag::CastInval, span, message)
                }
            },
        }
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
        if let ExprKind::Str(text) = &operand.kind {
            let size = u64::try_from(text.len() + 1).unwrap_or(u64::MAX);
            return Ok(Node::constant(TypeId::ULONG, size, span));
        }
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

    /// `sizeof (type)`. A name that is no type's would be a variable's.
    pub(super) fn sizeof_type(&mut self, ty: &TypeExpr, span: Span) -> Checked<Node> {
        if let TypeKind::Named { name, .. } = &ty.kind
            && self.types.typedef(&name.name).is_none()
        {
            let message = format!("failed to resolve {}: Unknown variable name", name.name);
            return fail(ErrorTag::IdentUndef, ty.span, message);
        }
        let ty = self.type_expr(ty)?;
        self.sizeof(ty, span)
    }

    pub(super) fn sizeof(&mut self, ty: TypeId, span: Span) -> Checked<Node> {
        if matches!(self.types.resolve(ty), Type::String) {
            return Ok(Node::constant(TypeId::ULONG, u64::from(STRING_SIZE), span));
        }
        match self.types.size(ty).filter(|size| *size > 0) {
            Some(size) => {
                let wanted = self.types.path(ty).map(Wanted::Size);
                Ok(self.linked(TypeId::ULONG, wanted, u64::from(size), span))
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
        if self.is_text(&operand) || self.is_scalar(&operand) || self.is_pointer(&operand) {
            let operand = self.decay(operand);
            return Ok(Node::new(TypeId::STRING, Kind::Recast(operand.into()), span));
        }
        let name = self.words(operand.ty);
        let message = format!("cannot apply stringof to a value of type {name}");
        fail(ErrorTag::StringofType, span, message)
    }
}

/// `sizeof (string)`: DTrace's `string` is an array of so many characters, whatever `strsize` says.
pub(super) const STRING_SIZE: u32 = 256;

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
