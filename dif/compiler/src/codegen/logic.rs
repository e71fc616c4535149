//! Comparisons, logical operators, `?:`: code that branches.

use dif::{
    build::Label,
    opcode::{self, Op, Reg},
};

use super::Codegen;
use crate::sema::{
    Checked,
    node::{Domain, Kind, Node, Relation},
};

impl Codegen {
    /// Branches to `label` if the node's truth is `when`, else goes on.
    pub(super) fn branch(&mut self, node: &Node, when: bool, label: Label) -> Checked<()> {
        match &node.kind {
            Kind::Const(value) => {
                if (*value != 0) == when {
                    self.builder.branch(Op::Ba, label);
                }
                Ok(())
            }
            Kind::Not(operand) => self.branch(operand, !when, label),
            Kind::Recast(inner) => self.branch(inner, when, label),
            Kind::And(left, right) => self.short(left, right, false, when, label),
            Kind::Or(left, right) => self.short(left, right, true, when, label),
            Kind::Compare(relation, domain, left, right) => {
                let a = self.value(left)?;
                let b = self.value(right)?;
                let op = if *domain == Domain::Strings { Op::Scmp } else { Op::Cmp };
                self.emit(opcode::compare(op, a, b));
                self.give(a);
                self.give(b);
                let relation = if when { *relation } else { opposite(*relation) };
                self.builder.branch(branch_op(relation, *domain), label);
                Ok(())
            }
            _ => {
                let reg = self.value(node)?;
                self.emit(opcode::tst(reg));
                self.give(reg);
                self.builder.branch(if when { Op::Bne } else { Op::Be }, label);
                Ok(())
            }
        }
    }

    /// `&&` and `||`: the left operand decides if its truth is `decides`.
    fn short(
        &mut self,
        left: &Node,
        right: &Node,
        decides: bool,
        when: bool,
        label: Label,
    ) -> Checked<()> {
        if when == decides {
            self.branch(left, when, label)?;
            return self.branch(right, when, label);
        }
        let skip = self.builder.label();
        self.branch(left, decides, skip)?;
        self.branch(right, when, label)?;
        self.builder.place(skip);
        Ok(())
    }

    /// A truth as 0 or 1.
    pub(super) fn truth(&mut self, node: &Node) -> Checked<Reg> {
        let (no, end) = (self.builder.label(), self.builder.label());
        self.branch(node, false, no)?;
        let reg = self.take(node.span)?;
        self.integer(1, reg)?;
        self.builder.branch(Op::Ba, end);
        self.builder.place(no);
        self.emit(opcode::unary(Op::Mov, Reg::R0, reg));
        self.builder.place(end);
        Ok(reg)
    }

    /// `^^`: both operands are computed.
    pub(super) fn exclusive(&mut self, left: &Node, right: &Node) -> Checked<Reg> {
        let a = self.truth(left)?;
        let b = self.truth(right)?;
        self.emit(opcode::binary(Op::Xor, a, b, a));
        self.give(b);
        Ok(a)
    }

    pub(super) fn conditional(
        &mut self,
        test: &Node,
        then: &Node,
        otherwise: &Node,
    ) -> Checked<Reg> {
        let (no, end) = (self.builder.label(), self.builder.label());
        self.branch(test, false, no)?;
        let result = self.value(then)?;
        self.builder.branch(Op::Ba, end);
        self.builder.place(no);
        // The other branch starts with the same registers free, and ends in the same one.
        self.give(result);
        let other = self.value(otherwise)?;
        if other != result {
            self.emit(opcode::unary(Op::Mov, other, result));
            self.give(other);
            self.retake(result);
        }
        self.builder.place(end);
        Ok(result)
    }
}

const fn opposite(relation: Relation) -> Relation {
    match relation {
        Relation::Eq => Relation::Ne,
        Relation::Ne => Relation::Eq,
        Relation::Lt => Relation::Ge,
        Relation::Ge => Relation::Lt,
        Relation::Gt => Relation::Le,
        Relation::Le => Relation::Gt,
    }
}

const fn branch_op(relation: Relation, domain: Domain) -> Op {
    match (relation, domain) {
        (Relation::Eq, _) => Op::Be,
        (Relation::Ne, _) => Op::Bne,
        (Relation::Lt, Domain::Unsigned) => Op::Blu,
        (Relation::Le, Domain::Unsigned) => Op::Bleu,
        (Relation::Gt, Domain::Unsigned) => Op::Bgu,
        (Relation::Ge, Domain::Unsigned) => Op::Bgeu,
        (Relation::Lt, _) => Op::Bl,
        (Relation::Le, _) => Op::Ble,
        (Relation::Gt, _) => Op::Bg,
        (Relation::Ge, _) => Op::Bge,
    }
}
