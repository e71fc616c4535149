//! A translated structure taken as a whole: `x = xlate <struct out> (e)`.
//!
//! Elsewhere a translation is never made, only members of it are. Here it is: in scratch memory, of
//! which `x` gets a copy. Members that the translator does not give hold anything. What the
//! statement stands for is put together as a script would write it:
//!
//! ```text
//! this->T = (struct out *)alloca(sizeof (struct out)),
//! this->T->a = xlate <struct out> (e).a, …,
//! x = *this->T
//! ```
//!
//! `T` is a name that no script can write, one for each type.

use super::{Checked, Cx, Kind, Node, fail, operator::STRING_SIZE};
use crate::{
    ast::{
        BinaryOp, Expr, ExprKind, Ident, IntLit, Qualifiers, TypeExpr, TypeKind, UnaryOp, VarScope,
    },
    error::ErrorTag,
    source::Span,
    types::Type,
};

impl Cx<'_, '_> {
    /// The assignment of a translated structure; `None` if `value` is none. A pointer to a
    /// translation cannot be kept.
    pub(super) fn assign_translated(
        &mut self,
        target: &Expr,
        value: &Expr,
        span: Span,
    ) -> Checked<Option<Node>> {
        let Some((translator, _)) = self.translated(value)? else { return Ok(None) };
        if self.is_translated_pointer(value)? {
            let message =
                "operands have incompatible types: a translated pointer cannot be assigned";
            return fail(ErrorTag::OpIncompat, span, message);
        }
        let output = &translator.output;
        let make = |kind| Expr::new(kind, span);
        let named = |name: &str| Ident { name: name.to_owned(), span };
        let kept = self.type_expr(output)?;
        let words = format!("({})", self.words(kept));
        let room = make(ExprKind::Var { scope: VarScope::Clause, name: named(&words) });
        let size = make(ExprKind::SizeofType(Box::new(output.clone())));
        let mut made = {
            let pointer = TypeKind::Pointer(Box::new(output.clone()));
            let ty = TypeExpr::new(pointer, Qualifiers::default(), span);
            let operand = Box::new(called("alloca", vec![size], span));
            let value = make(ExprKind::Cast { ty: Box::new(ty), operand });
            self.expr(&assigned(room.clone(), value, span))?
        };
        let Type::Compound(compound) = self.types.resolve(kept) else {
            return fail(
                ErrorTag::XlateSou,
                span,
                "a translator's output must be a struct or union",
            );
        };
        for member in &translator.members {
            let of = |base: &Expr, arrow| {
                let (base, member) = (Box::new(base.clone()), member.name.clone());
                make(ExprKind::Member { base, member, arrow })
            };
            let (to, from) = (of(&room, true), of(value, false));
            let ty = self.types.member(&compound, &member.name.name).map(|field| field.ty);
            let whole = match ty.map(|ty| self.types.resolve(ty)) {
                Some(Type::String) => {
                    let operand = Box::new(to);
                    let to = make(ExprKind::Unary { op: UnaryOp::AddrOf, operand });
                    let size = size_of_text(&from, span);
                    called("bcopy", vec![from, to, size], span)
                }
                Some(Type::Array { .. }) => {
                    let size = make(ExprKind::SizeofExpr(Box::new(to.clone())));
                    called("bcopy", vec![from, to, size], span)
                }
                _ => assigned(to, from, span),
            };
            let next = self.expr(&whole)?;
            made = Node::new(next.ty, Kind::Comma(made.into(), next.into()), span);
        }
        let operand = Box::new(room);
        let whole = make(ExprKind::Unary { op: UnaryOp::Deref, operand });
        let copied = self.expr(&assigned(target.clone(), whole, span))?;
        Ok(Some(Node::new(copied.ty, Kind::Comma(made.into(), copied.into()), span)))
    }
}

fn called(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    let name = Ident { name: name.to_owned(), span };
    let function = Expr::new(ExprKind::Var { scope: VarScope::Global, name }, span);
    Expr::new(ExprKind::Call { function: Box::new(function), args }, span)
}

fn assigned(target: Expr, value: Expr, span: Span) -> Expr {
    let (target, value) = (Box::new(target), Box::new(value));
    Expr::new(ExprKind::Assign { op: None, target, value }, span)
}

/// The bytes of a string with its NUL: `(strlen(s) < 255 ? strlen(s) : 255) + 1`.
fn size_of_text(text: &Expr, span: Span) -> Expr {
    let make = |kind| Box::new(Expr::new(kind, span));
    let int = |value| make(ExprKind::Int(IntLit::plain(value)));
    let most = u64::from(STRING_SIZE) - 1;
    let length = || Box::new(called("strlen", vec![text.clone()], span));
    let fits = ExprKind::Binary { op: BinaryOp::Lt, left: length(), right: int(most) };
    let (condition, then, otherwise) = (make(fits), length(), int(most));
    let left = make(ExprKind::Conditional { condition, then, otherwise });
    Expr::new(ExprKind::Binary { op: BinaryOp::Add, left, right: int(1) }, span)
}
