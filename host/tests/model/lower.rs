//! Scripts as DIF. Registers 5 to 7 are this module's own.

use dif::{
    build::DifoBuilder,
    difo::{DifType, DifVar},
    env::{AtomicOp, Scope},
    number::{act, agg, kind, subr, var},
    opcode::{self, Op, Reg},
    program::{Action as DifAction, DifoIndex, EcbDesc, ProbeDesc, Program},
};

use crate::{
    reference::USER_TEXT,
    rig::{KERNEL, USER},
    script::{
        Action, Array, BINARIES, BUILTINS, Binary, Clause, Expr, Func, Home, Kind, Relation,
        Script, Step, Sub, Var, ZERO,
    },
};

fn op_of(op: Binary) -> Op {
    match op {
        Binary::Or => Op::Or,
        Binary::Xor => Op::Xor,
        Binary::And => Op::And,
        Binary::Shl => Op::Sll,
        Binary::Shr => Op::Srl,
        Binary::Sar => Op::Sra,
        Binary::Sub => Op::Sub,
        Binary::Add => Op::Add,
        Binary::Mul => Op::Mul,
        Binary::Sdiv => Op::Sdiv,
        Binary::Udiv => Op::Udiv,
        Binary::Srem => Op::Srem,
        Binary::Urem => Op::Urem,
    }
}

fn update_of(op: Binary, before: bool) -> Op {
    let atomic = match op {
        Binary::Or => AtomicOp::Or,
        Binary::Xor => AtomicOp::Xor,
        Binary::And => AtomicOp::And,
        Binary::Shl => AtomicOp::Shl,
        Binary::Shr => AtomicOp::Srl,
        Binary::Sar => AtomicOp::Sra,
        Binary::Sub => AtomicOp::Sub,
        Binary::Add => AtomicOp::Add,
        Binary::Mul => AtomicOp::Mul,
        Binary::Sdiv => AtomicOp::Sdiv,
        Binary::Udiv => AtomicOp::Udiv,
        Binary::Srem => AtomicOp::Srem,
        Binary::Urem => AtomicOp::Urem,
    };
    Op::from_u8(atomic.index() + if before { 0xd0 } else { 0xc0 }).unwrap()
}

/// The branch that is taken if the relation holds.
fn branch_of(relation: Relation) -> Op {
    match relation {
        Relation::Equal => Op::Be,
        Relation::Unequal => Op::Bne,
        Relation::Less { signed: true } => Op::Bl,
        Relation::Less { signed: false } => Op::Blu,
        Relation::LessEqual { signed: true } => Op::Ble,
        Relation::LessEqual { signed: false } => Op::Bleu,
        Relation::Greater { signed: true } => Op::Bg,
        Relation::Greater { signed: false } => Op::Bgu,
        Relation::GreaterEqual { signed: true } => Op::Bge,
        Relation::GreaterEqual { signed: false } => Op::Bgeu,
    }
}

/// Texts compare to -1, 0 or 1, so only the signed branches are right.
fn text_branch_of(relation: Relation) -> Op {
    branch_of(match relation {
        Relation::Less { .. } => Relation::Less { signed: true },
        Relation::LessEqual { .. } => Relation::LessEqual { signed: true },
        Relation::Greater { .. } => Relation::Greater { signed: true },
        Relation::GreaterEqual { .. } => Relation::GreaterEqual { signed: true },
        same => same,
    })
}

fn scope_of(home: Home) -> Scope {
    match home {
        Home::Global => Scope::Global,
        Home::Thread => Scope::Thread,
        Home::Clause => Scope::Local,
    }
}

fn id_of(number: u8) -> u16 {
    var::OTHER_UBASE + u16::from(number)
}

fn type_of(kind: Kind, size: u32) -> DifType {
    match kind {
        Kind::Number => DifType::integer(size),
        Kind::Text => DifType::STRING,
    }
}

fn entry(number: u8, home: Home, is_array: bool, ty: DifType) -> DifVar {
    DifVar {
        name: format!("v{number}"),
        id: u32::from(id_of(number)),
        is_array,
        scope: scope_of(home),
        is_read: true,
        is_written: true,
        ty,
    }
}

fn load_of(width: u8, signed: bool, user: bool) -> Op {
    match (user, signed, width) {
        (false, false, 1) => Op::Ldub,
        (false, false, 2) => Op::Lduh,
        (false, false, 4) => Op::Lduw,
        (false, true, 1) => Op::Ldsb,
        (false, true, 2) => Op::Ldsh,
        (false, true, 4) => Op::Ldsw,
        (false, _, _) => Op::Ldx,
        (true, false, 1) => Op::Uldub,
        (true, false, 2) => Op::Ulduh,
        (true, false, 4) => Op::Ulduw,
        (true, true, 1) => Op::Uldsb,
        (true, true, 2) => Op::Uldsh,
        (true, true, 4) => Op::Uldsw,
        (true, _, _) => Op::Uldx,
    }
}

/// One expression in the making.
struct Lower {
    b: DifoBuilder,
}

impl Lower {
    fn scalar(&mut self, var: Var) {
        self.b.var(entry(var.number, var.home, false, type_of(var.kind, var.size)));
    }

    fn array(&mut self, array: Array) {
        self.b.var(entry(array.number, array.home, true, type_of(array.kind, 8)));
    }

    fn push(&mut self, r: u8, kind: Kind) {
        self.b.emit(match kind {
            Kind::Number => opcode::push(Op::Pushtv, kind::CTF, Reg::R0, Reg(r)),
            Kind::Text => opcode::push(Op::Pushtr, kind::STRING, Reg::R0, Reg(r)),
        });
    }

    fn call(&mut self, sub: Sub, args: &[u8], rd: u8) {
        self.b.emit(opcode::bare(Op::Flushts));
        if sub.name == "copyinstr" {
            self.b.integer(USER + u64::try_from(USER_TEXT).unwrap(), Reg(5)).unwrap();
            self.push(5, Kind::Number);
        }
        for (r, kind) in args.iter().zip(sub.takes) {
            self.push(*r, *kind);
        }
        let number = subr::by_name(sub.name).unwrap();
        self.b.emit(opcode::call(number, Reg(rd)));
    }

    /// `rd = 1` if the branch is taken after the comparison just emitted.
    fn truth(&mut self, taken: Op, rd: u8) {
        let (yes, end) = (self.b.label(), self.b.label());
        self.b.branch(taken, yes);
        self.b.emit(opcode::unary(Op::Mov, Reg::R0, Reg(rd)));
        self.b.branch(Op::Ba, end);
        self.b.place(yes);
        self.b.integer(1, Reg(rd)).unwrap();
        self.b.place(end);
    }

    fn steps(&mut self, steps: &[Step]) {
        let mut rest = steps;
        while let Some((step, tail)) = rest.split_first() {
            rest = tail;
            if let Step::If { relation, a, b, len } = step {
                let (body, after) = (self.b.label(), self.b.label());
                self.b.emit(opcode::compare(Op::Cmp, Reg(*a), Reg(*b)));
                self.b.branch(branch_of(*relation), body);
                self.b.branch(Op::Ba, after);
                self.b.place(body);
                self.steps(&tail[..*len]);
                self.b.place(after);
                rest = &tail[*len..];
            } else {
                self.step(step);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Number { rd, value } => self.b.integer(*value, Reg(*rd)).unwrap(),
            Step::Text { rd, text } => self.b.string(text, Reg(*rd)).unwrap(),
            Step::Binary { op, a, b, rd } => {
                self.b.emit(opcode::binary(op_of(*op), Reg(*a), Reg(*b), Reg(*rd)));
            }
            Step::Not { a, rd } => drop(self.b.emit(opcode::unary(Op::Not, Reg(*a), Reg(*rd)))),
            Step::Move { a, rd } => drop(self.b.emit(opcode::unary(Op::Mov, Reg(*a), Reg(*rd)))),
            Step::Argument { index, rd } => {
                let id = var::ARG0 + u16::from(*index);
                self.b.emit(opcode::variable(Op::Ldgs, id, Reg(*rd)));
            }
            Step::Builtin { which, rd } => {
                let id = match BUILTINS[*which].0 {
                    "pid" => var::PID,
                    "tid" => var::TID,
                    "ppid" => var::PPID,
                    "uid" => var::UID,
                    "gid" => var::GID,
                    "cpu" => var::CPU,
                    _ => var::EXECNAME,
                };
                self.b.emit(opcode::variable(Op::Ldgs, id, Reg(*rd)));
            }
            Step::Test { relation, a, b, texts, rd } => {
                let (compare, taken) = if *texts {
                    (Op::Scmp, text_branch_of(*relation))
                } else {
                    (Op::Cmp, branch_of(*relation))
                };
                self.b.emit(opcode::compare(compare, Reg(*a), Reg(*b)));
                self.truth(taken, *rd);
            }
            Step::If { .. } => {}
            Step::Load { .. } | Step::Store { .. } | Step::Update { .. } => self.variable(step),
            Step::Element { .. } | Step::SetElement { .. } => self.element(step),
            Step::Call { sub, args, rd } => self.call(*sub, args, *rd),
            Step::NextToken { separators, rd } => {
                self.b.emit(opcode::bare(Op::Flushts));
                self.push(ZERO, Kind::Text);
                self.push(*separators, Kind::Text);
                self.b.emit(opcode::call(subr::STRTOK, Reg(*rd)));
            }
            Step::Scratch { .. } | Step::Machine { .. } => self.memory(step),
        }
    }

    fn variable(&mut self, step: &Step) {
        match step {
            Step::Load { var, rd } => {
                self.scalar(*var);
                let op = match var.home {
                    Home::Global => Op::Ldgs,
                    Home::Thread => Op::Ldts,
                    Home::Clause => Op::Ldls,
                };
                self.b.emit(opcode::variable(op, id_of(var.number), Reg(*rd)));
            }
            Step::Store { var, rs } => {
                self.scalar(*var);
                let op = match var.home {
                    Home::Global => Op::Stgs,
                    Home::Thread => Op::Stts,
                    Home::Clause => Op::Stls,
                };
                self.b.emit(opcode::variable(op, id_of(var.number), Reg(*rs)));
            }
            Step::Update { var, op, r, before } => {
                self.scalar(*var);
                let op = update_of(*op, *before);
                self.b.emit(opcode::variable(op, id_of(var.number), Reg(*r)));
            }
            _ => {}
        }
    }

    fn element(&mut self, step: &Step) {
        let (array, keys, r, is_load) = match step {
            Step::Element { array, keys, rd } => (array, keys, *rd, true),
            Step::SetElement { array, keys, rs } => (array, keys, *rs, false),
            _ => return,
        };
        self.array(*array);
        self.b.emit(opcode::bare(Op::Flushts));
        for (key, kind) in keys.iter().zip(array.keys) {
            self.push(*key, *kind);
        }
        let op = match (array.home, is_load) {
            (Home::Global, true) => Op::Ldgaa,
            (Home::Global, false) => Op::Stgaa,
            (_, true) => Op::Ldtaa,
            (_, false) => Op::Sttaa,
        };
        self.b.emit(opcode::variable(op, id_of(array.number), Reg(r)));
    }

    fn memory(&mut self, step: &Step) {
        match step {
            Step::Scratch { rs, width, signed, offset, rd } => {
                self.b.integer(8, Reg(5)).unwrap();
                self.b.emit(opcode::unary(Op::Allocs, Reg(5), Reg(6)));
                self.b.emit(opcode::store(Op::Stx, Reg(*rs), Reg(6)));
                self.b.integer(u64::from(*offset), Reg(5)).unwrap();
                self.b.emit(opcode::binary(Op::Add, Reg(6), Reg(5), Reg(6)));
                self.b.emit(opcode::load(load_of(*width, *signed, false), Reg(6), Reg(*rd)));
            }
            Step::Machine { offset, width, signed, user, rd } => {
                let base = if *user { USER } else { KERNEL };
                self.b.integer(base + u64::from(*offset), Reg(5)).unwrap();
                self.b.emit(opcode::load(load_of(*width, *signed, *user), Reg(5), Reg(*rd)));
            }
            _ => {}
        }
    }
}

fn difo(program: &mut Program, expr: &Expr) -> DifoIndex {
    let mut lower = Lower { b: DifoBuilder::new() };
    lower.steps(&expr.steps);
    lower.b.emit(opcode::ret(Reg(expr.result)));
    program.difos.push(lower.b.finish(type_of(expr.kind, 8)).unwrap());
    DifoIndex(u32::try_from(program.difos.len() - 1).unwrap())
}

fn action(kind: u16, difo: Option<DifoIndex>, ntuple: usize) -> DifAction {
    let ntuple = u32::try_from(ntuple).unwrap();
    DifAction { kind, difo, ntuple, arg: 0, format: None, uarg: 0 }
}

fn clause(program: &mut Program, clause: &Clause) -> EcbDesc {
    let predicate = clause.predicate.as_ref().map(|expr| difo(program, expr));
    let mut actions = Vec::new();
    for each in &clause.actions {
        match each {
            Action::Trace(expr) => {
                actions.push(action(act::DIFEXPR, Some(difo(program, expr)), 0));
            }
            Action::Aggregate { id, func, keys, value } => {
                let steps = vec![Step::Number { rd: 1, value: u64::from(*id) }];
                let id = Expr { steps, result: 1, kind: Kind::Number };
                for expr in [&id].into_iter().chain(keys) {
                    actions.push(action(act::DIFEXPR, Some(difo(program, expr)), 0));
                }
                let kind = match func {
                    Func::Count => agg::COUNT,
                    Func::Sum => agg::SUM,
                    Func::Min => agg::MIN,
                    Func::Max => agg::MAX,
                    Func::Avg => agg::AVG,
                    Func::Quantize => agg::QUANTIZE,
                };
                let value = value.as_ref().map(|expr| difo(program, expr));
                actions.push(action(kind, value, keys.len() + 1));
            }
        }
    }
    EcbDesc { probe: ProbeDesc::default(), predicate, actions, clause: 0 }
}

/// The whole script.
pub(crate) fn lower(script: &Script) -> Program {
    let mut program = Program::default();
    for each in &script.clauses {
        let ecb = clause(&mut program, each);
        program.ecbs.push(ecb);
    }
    debug_assert_eq!(BINARIES.len(), AtomicOp::ALL.len());
    program
}
