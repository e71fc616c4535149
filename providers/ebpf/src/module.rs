//! A program under construction: its functions, made as they are needed.

use std::sync::Arc;

use crate::{
    asm::{Alu, Double, FnId, Function, If, Map, R0, R1, R8, R9, Reg, Src},
    error::Refused,
    routine::Routine,
    world::{DifoKey, Made, Run, World, field},
};

/// A program under construction.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) world: Arc<World>,
    /// The first is the program's entry.
    pub(crate) functions: Vec<Function>,
    routines: Made<Routine>,
    pub(crate) difos: Made<DifoKey>,
    pub(crate) ecbs: Made<DifoKey>,
    /// Some probe's thread is not the running one.
    pub(crate) foreign_thread: bool,
    /// The session's ERROR clauses: where their probe's constants lie, and each one's ECB and
    /// EPID.
    pub(crate) errors: Option<(u32, Vec<(u32, u32)>)>,
    /// Bytes of the constants.
    pub(crate) data: DataPlan,
}

/// Where constants lie in their map.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataPlan {
    pub(crate) strings: Run,
    pub(crate) vmname: Run,
    pub(crate) zonename: Run,
    /// All of it.
    pub(crate) size: u32,
}

impl Module {
    pub(crate) fn new(world: &Arc<World>, data: DataPlan) -> Self {
        Self {
            world: Arc::clone(world),
            functions: vec![Function::new("fire", 1)],
            routines: Made::new(),
            difos: Made::new(),
            ecbs: Made::new(),
            foreign_thread: false,
            errors: None,
            data,
        }
    }

    /// Takes a number for a function that is to be made.
    pub(crate) fn reserve(&mut self) -> FnId {
        self.functions.push(Function::new("", 0));
        FnId(self.functions.len() - 1)
    }

    pub(crate) fn fill(&mut self, id: FnId, function: Function) {
        if let Some(place) = self.functions.get_mut(id.0) {
            *place = function;
        }
    }

    /// A routine of the run-time.
    pub(crate) fn routine(&mut self, routine: Routine) -> Result<FnId, Refused> {
        if let Some(known) = self.routines.get(&routine) {
            return Ok(*known);
        }
        let id = self.reserve();
        self.routines.insert(routine, id);
        let function = routine.make(self)?;
        self.fill(id, function);
        Ok(id)
    }

    /// Calls a routine with the slot's number and further arguments, which must not be in R1 to
    /// R5 unless they are already where they belong.
    pub(crate) fn call(
        &mut self,
        f: &mut Function,
        routine: Routine,
        arguments: &[Src],
    ) -> Result<(), Refused> {
        let id = self.routine(routine)?;
        const PLACES: [Reg; 4] = [crate::asm::R2, crate::asm::R3, crate::asm::R4, crate::asm::R5];
        for (place, argument) in PLACES.into_iter().zip(arguments) {
            f.mov(place, *argument);
        }
        f.load(Double, R1, R9, field::NUMBER);
        f.call(id);
        Ok(())
    }

    /// A function's beginning: R9 becomes the slot's private memory, R1 being its number.
    pub(crate) fn enter(&self, f: &mut Function) {
        let good = f.label();
        f.branch(If::Lt, R1, self.world.cpus, good);
        f.answer(0);
        f.bind(good);
        f.mov(R0, R1);
        f.alu(Alu::Mul, R0, self.world.private.size);
        f.map(R9, Map::Private, 0);
        f.alu(Alu::Add, R9, R0);
    }

    /// As [`Module::enter`], and R8 becomes the slot's part of the arena.
    pub(crate) fn enter_arena(&self, f: &mut Function) {
        self.enter(f);
        f.mov(R0, R1);
        f.alu(Alu::Mul, R0, self.world.layout.slot.stride.cast_signed());
        f.map(R8, Map::Arena, self.world.slots_at());
        f.alu(Alu::Add, R8, R0);
    }
}

/// The address of a byte of the slot's private memory.
pub(crate) fn private(f: &mut Function, dst: Reg, at: u32) {
    f.mov(dst, R9);
    f.alu(Alu::Add, dst, at);
}

/// Stores a fault and returns 0; the value is in a register that is not R0.
pub(crate) fn fail(f: &mut Function, kind: dif::env::FaultKind, value: impl Into<Src>) {
    f.store(Double, R9, field::FAULT_VALUE, value);
    f.store(Double, R9, field::FAULT, i64::from(kind as u32) + 1);
    f.answer(0);
}
