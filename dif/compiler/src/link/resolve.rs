//! Looks up in another world what a program needs.

use super::{Check, SavedArg, TypePath, Wanted};
use crate::{
    print, sema,
    types::{Field, Type, TypeId, Types, parse_c_type},
    world::{ArgTypes, World},
};

/// Why a program does not fit a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A type, member, enumerator or symbol is not there.
    #[error("{what} is not known on {world}")]
    Missing {
        /// What.
        what: String,
        /// Where.
        world: String,
    },
    /// Something is not as it was, and no number in the program can make up for it.
    #[error(
        "{what} is {here} on {world}, and was {then} where the program was compiled: compile it \
         for {world}"
    )]
    Differs {
        /// What.
        what: String,
        /// What it is.
        here: String,
        /// What it was.
        then: String,
        /// Where.
        world: String,
    },
}

/// A world that programs are linked for.
pub(crate) struct Linker<'w> {
    world: &'w dyn World,
    types: Types<'w>,
}

impl<'w> Linker<'w> {
    pub(crate) fn new(world: &'w dyn World) -> Self {
        Self { world, types: Types::new(world) }
    }

    fn missing(&self, what: impl Into<String>) -> LinkError {
        LinkError::Missing { what: what.into(), world: self.world.name().to_owned() }
    }

    fn same(&self, what: String, here: String, then: String) -> Result<(), LinkError> {
        if here == then {
            return Ok(());
        }
        Err(LinkError::Differs { what, here, then, world: self.world.name().to_owned() })
    }

    /// The type that a path names.
    fn find(&mut self, path: &TypePath) -> Result<TypeId, LinkError> {
        let found = parse_c_type(&mut self.types, &path.root);
        let mut at = found.ok_or_else(|| self.missing(&path.root))?;
        for step in &path.steps {
            at = self.field(at, step).ok_or_else(|| self.missing(path.to_string()))?.0.ty;
        }
        Ok(at)
    }

    /// A member of a struct, or of what pointers and arrays lead to; with the struct's bytes.
    fn field(&mut self, mut at: TypeId, member: &str) -> Option<(Field, u32)> {
        for _ in 0..64 {
            match self.types.resolve(at) {
                Type::Pointer { target: inner, .. } | Type::Array { element: inner, .. } => {
                    at = inner;
                }
                Type::Compound(body) => {
                    return self.types.member(&body, member).map(|field| (field, body.size));
                }
                _ => return None,
            }
        }
        None
    }

    fn member(&mut self, of: &TypePath, member: &str) -> Result<(Field, u32), LinkError> {
        let container = self.find(of)?;
        self.field(container, member).ok_or_else(|| self.missing(format!("{of}.{member}")))
    }

    /// A number's value here.
    pub(crate) fn value(&mut self, wanted: &Wanted) -> Result<u64, LinkError> {
        Ok(match wanted {
            Wanted::Offset { of, member } => {
                let (field, size) = self.member(of, member)?;
                let storage = sema::bit_storage(&field, size).filter(|_| field.bit_width > 0);
                let bytes = storage.map_or(field.bit_offset / 8, |(offset, _)| offset);
                u64::from(bytes)
            }
            Wanted::Size(path) => {
                let id = self.find(path)?;
                let size = self.types.size(id).ok_or_else(|| self.missing(path.to_string()))?;
                u64::from(size) * u64::from(path.times)
            }
            Wanted::Enumerator(name) => match self.types.enumerator(name) {
                Some((_, value)) => value.cast_unsigned(),
                None => return Err(self.missing(name)),
            },
            Wanted::Symbol { module, name } => {
                let symbol = self.world.symbol(module.as_deref(), name);
                symbol.ok_or_else(|| self.missing(format!("`{name}")))?.address
            }
        })
    }

    /// Whether something is here as it was. `arguments`: those of the probes that the clause is
    /// for.
    pub(crate) fn check(
        &mut self,
        check: &Check,
        arguments: impl FnOnce() -> ArgTypes,
    ) -> Result<(), LinkError> {
        let bytes = |size: u32| format!("{size} bytes large");
        match check {
            Check::Size(path, then) => {
                let id = self.find(path)?;
                let here = self.types.size(id).ok_or_else(|| self.missing(path.to_string()))?;
                self.same(path.to_string(), bytes(here), bytes(*then))
            }
            Check::Shape(path, then) => {
                let id = self.find(path)?;
                let here = self.types.shape(id);
                self.same(path.to_string(), here, then.clone())
            }
            Check::BitField { of, member, layout } => {
                let (field, size) = self.member(of, member)?;
                let (offset, bytes) = sema::bit_storage(&field, size).unwrap_or((0, 0));
                let here = [field.bit_width, field.bit_offset.wrapping_sub(offset * 8), bytes];
                let words = |[width, shift, bytes]: [u32; 3]| {
                    format!("{width} bits from bit {shift} of {bytes} bytes")
                };
                self.same(format!("{of}.{member}"), words(here), words(*layout))
            }
            Check::Variable { module, name, ty } => {
                let found = self.types.kernel_variable(module.as_deref(), name);
                let found = found.ok_or_else(|| self.missing(format!("the type of `{name}")))?;
                let here = self.types.name(found);
                self.same(format!("`{name}"), format!("of type {here}"), format!("of type {ty}"))
            }
            Check::Arguments(then) => {
                let here: Vec<SavedArg> = match arguments() {
                    ArgTypes::Typed(list) => list.iter().map(SavedArg::from).collect(),
                    ArgTypes::Untyped | ArgTypes::Differ => Vec::new(),
                };
                let words = |list: &[SavedArg]| {
                    let one = |arg: &SavedArg| match &arg.translated {
                        None => arg.native.clone(),
                        Some(output) => format!("{} > {output} ({})", arg.native, arg.mapping),
                    };
                    format!("({})", list.iter().map(one).collect::<Vec<_>>().join(", "))
                };
                self.same("args[]".to_owned(), words(&here), words(then))
            }
            Check::Number(wanted, then) => {
                let here = self.value(wanted)?;
                self.same(wanted.to_string(), here.to_string(), then.to_string())
            }
            Check::Print(path, then) => {
                let id = self.find(path)?;
                let here = print::describe(&mut self.types, id);
                if here == *then {
                    return Ok(());
                }
                let words = |text: &str| text.to_owned();
                self.same(path.to_string(), words("laid out differently"), words("as it was"))
            }
        }
    }
}
