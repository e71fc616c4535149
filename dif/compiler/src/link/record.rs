//! Notes what a compilation learns from a kernel's types.

use std::collections::HashMap;

use dif::program::Program;

use super::{Check, Needs, Relocation, TypePath, Wanted, is_mark, mark};
use crate::types::{Type, TypeId, Types};

/// What has been learnt so far.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    wanted: Vec<Wanted>,
    /// What each of them is in this world.
    values: Vec<u64>,
    checks: Vec<(Option<u32>, Check)>,
    /// Checks from here on belong to the clause that is worked on.
    clause: usize,
    /// How types without a name were reached.
    paths: HashMap<TypeId, TypePath>,
    /// What cannot be said by name, in words.
    nameless: Option<String>,
}

impl Recorder {
    /// The mark that stands for a number.
    pub(crate) fn want(&mut self, wanted: Wanted, value: u64) -> u64 {
        let known = self.wanted.iter().position(|known| *known == wanted);
        let index = known.unwrap_or_else(|| {
            self.wanted.push(wanted);
            self.values.push(value);
            self.wanted.len() - 1
        });
        mark(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(crate) fn check(&mut self, check: Check) {
        let own = self.checks.get(self.clause..).unwrap_or_default();
        if !own.iter().any(|(_, known)| *known == check) {
            self.checks.push((None, check));
        }
    }

    /// Notes that something of a type without a name is needed.
    pub(crate) fn nameless(&mut self, what: String) {
        self.nameless.get_or_insert(what);
    }

    /// A clause begins: what is learnt from here on is its own.
    pub(crate) fn begin_clause(&mut self) {
        self.clause = self.checks.len();
    }

    /// The clause became these ECBs; none if it is not for this world.
    pub(crate) fn end_clause(&mut self, ecbs: std::ops::Range<usize>) {
        let own = self.checks.split_off(self.clause.min(self.checks.len()));
        for ecb in ecbs {
            let ecb = u32::try_from(ecb).ok();
            self.checks.extend(own.iter().map(|(_, check)| (ecb, check.clone())));
        }
        self.clause = self.checks.len();
    }

    /// Puts this world's numbers in the marks' places.
    ///
    /// # Errors
    /// What cannot be named, so that no other machine could be asked for it.
    pub(crate) fn finish(self, program: &mut Program) -> Result<Needs, String> {
        if let Some(what) = self.nameless {
            return Err(what);
        }
        let mut relocations = Vec::new();
        for (difo, object) in (0..).zip(&mut program.difos) {
            for (integer, value) in (0..).zip(&mut object.integers) {
                let [a, b, c, d, ..] = value.to_le_bytes();
                let wanted = u32::from_le_bytes([a, b, c, d]);
                let here = self.values.get(wanted as usize);
                if let Some(here) = here.filter(|_| is_mark(*value)) {
                    *value = *here;
                    relocations.push(Relocation { difo, integer, wanted });
                }
            }
        }
        Ok(Needs { wanted: self.wanted, relocations, checks: self.checks })
    }
}

impl Types<'_> {
    /// A kernel's type by name; `None` for what is the same everywhere: C's integers, pointers, and
    /// what D or the script defines. A type that has no name, and was not reached through one, is
    /// noted.
    pub(crate) fn path(&mut self, id: TypeId) -> Option<TypePath> {
        self.recorder.as_ref()?;
        self.path_within(id, 1, 64)
    }

    fn path_within(&mut self, id: TypeId, times: u32, depth: u32) -> Option<TypePath> {
        let depth = depth.checked_sub(1)?;
        let named = |root: String| Some(TypePath { root, steps: Vec::new(), times });
        match self.get(id) {
            Type::Qualified { target, .. } => self.path_within(target, times, depth),
            Type::Array { element, count } => {
                self.path_within(element, times.checked_mul(count)?, depth)
            }
            _ if !self.is_foreign(id) => None,
            Type::Typedef { name, .. } => named(name.to_string()),
            Type::Compound(body) if !body.name.is_empty() => named(self.name(id)),
            Type::Enum(body) if !body.name.is_empty() => named(self.name(id)),
            Type::Compound(_) | Type::Enum(_) => {
                let name = self.name(id);
                let recorder = self.recorder.as_mut()?;
                let known = recorder.paths.get(&id).cloned();
                if known.is_none() {
                    recorder.nameless(format!("a type without a name ({name})"));
                }
                known.map(|path| TypePath { times, ..path })
            }
            _ => None,
        }
    }

    /// Remembers how a member's type was reached, if it has no name of its own.
    pub(crate) fn remember(&mut self, container: &TypePath, member: &str, ty: TypeId) {
        let mut bare = ty;
        for _ in 0..64 {
            bare = self.bare(bare);
            match self.get(bare) {
                Type::Array { element: inner, .. } | Type::Pointer { target: inner, .. } => {
                    bare = inner;
                }
                _ => break,
            }
        }
        let mut path = TypePath { times: 1, ..container.clone() };
        path.steps.push(member.to_owned());
        if let Some(recorder) = &mut self.recorder {
            recorder.paths.entry(bare).or_insert(path);
        }
    }

    /// Notes that a type's size is built into the program.
    pub(crate) fn note_size(&mut self, id: TypeId) {
        if let Some(path) = self.path(id)
            && let Some(size) = self.size(id)
            && let Some(recorder) = &mut self.recorder
        {
            let times = path.times.max(1);
            recorder.check(Check::Size(TypePath { times: 1, ..path }, size / times));
        }
    }

    /// Notes what a type is to code.
    pub(crate) fn note_shape(&mut self, id: TypeId) {
        if let Some(path) = self.path(id) {
            self.note_shape_at(path, id);
        }
    }

    /// As [`Types::note_shape`], for a type that was reached by a path.
    pub(crate) fn note_shape_at(&mut self, path: TypePath, id: TypeId) {
        let shape = self.shape(id);
        if let Some(recorder) = &mut self.recorder {
            recorder.check(Check::Shape(path, shape));
        }
    }

    /// What code depends on, of a type.
    pub(crate) fn shape(&mut self, id: TypeId) -> String {
        self.shape_within(id, 8)
    }

    fn shape_within(&mut self, id: TypeId, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "deep".to_owned() };
        match self.resolve(id) {
            Type::Int(int) => {
                let sign = if int.signed { "a signed" } else { "an unsigned" };
                format!("{sign} integer of {} bytes", int.size)
            }
            Type::Enum(body) => format!("an enumeration of {} bytes", body.size),
            Type::Float { size, .. } => format!("a floating-point number of {size} bytes"),
            Type::Pointer { target, user } => {
                let space = if user { "userland " } else { "" };
                format!("a {space}pointer to {}", self.shape_within(target, depth))
            }
            Type::Array { element, .. } => {
                format!("an array of {}", self.shape_within(element, depth))
            }
            Type::Compound(body) => format!("{} {}", body.tag.keyword(), body.name),
            Type::Forward { tag, name } => format!("{} {name}", tag.keyword()),
            Type::Function { .. } => "a function".to_owned(),
            _ => self.name(id),
        }
    }

    /// Marks a number, if the program is to be linked again.
    pub(crate) fn want(&mut self, wanted: impl FnOnce() -> Wanted, value: u64) -> Option<u64> {
        Some(self.recorder.as_mut()?.want(wanted(), value))
    }

    /// The number that a mark stands for, built into the program.
    pub(crate) fn built_in(&mut self, mark: u64) -> Option<u64> {
        let recorder = self.recorder.as_mut().filter(|_| is_mark(mark))?;
        let index = usize::try_from(mark & u64::from(u32::MAX)).ok()?;
        let (wanted, value) = (recorder.wanted.get(index)?.clone(), *recorder.values.get(index)?);
        recorder.check(Check::Number(wanted, value));
        Some(value)
    }

    /// Notes something else.
    pub(crate) fn note(&mut self, check: impl FnOnce() -> Check) {
        if let Some(recorder) = &mut self.recorder {
            recorder.check(check());
        }
    }
}
