//! Ways through the kernel's structures, by its own types.

use dlang::types::{Tag, Type, Types};
use ebpf::site::Value;

use super::image::TypeWorld;

/// Where members lie in this kernel's structures.
#[derive(Debug)]
pub struct Layouts<'w> {
    types: Types<'w>,
}

impl<'w> Layouts<'w> {
    /// The layouts of a kernel.
    #[must_use]
    pub fn new(world: &'w TypeWorld<'w>) -> Self {
        Self { types: Types::new(world) }
    }

    /// Bytes from a structure's start to a member, which may be a path (`thread.sp`) within it.
    pub fn offset(&mut self, structure: &str, member: &str) -> Option<u32> {
        let mut id = self.types.tag(Tag::Struct, structure)?;
        let mut offset = 0_u32;
        for name in member.split('.') {
            let Type::Compound(compound) = self.types.resolve(id) else { return None };
            let field = self.types.member(&compound, name)?;
            offset = offset.checked_add(field.bit_offset / 8)?;
            id = field.ty;
        }
        Some(offset)
    }

    /// The number at `path` from a structure that `base` points to. Pointers on the way are
    /// followed: `signal.live.counter` of a `task_struct` goes through `signal`.
    pub fn value(&mut self, base: Value, structure: &str, path: &str) -> Option<Value> {
        let mut id = self.types.tag(Tag::Struct, structure)?;
        let (mut at, mut offset) = (base, 0_u32);
        for name in path.split('.') {
            if let Type::Pointer { target, .. } = self.types.resolve(id) {
                at = at.load(offset, 8);
                (id, offset) = (target, 0);
            }
            let Type::Compound(compound) = self.types.resolve(id) else { return None };
            let field = self.types.member(&compound, name)?;
            if field.bit_width != 0 {
                return None;
            }
            offset = offset.checked_add(field.bit_offset / 8)?;
            id = field.ty;
        }
        let width = u8::try_from(self.types.size(id)?).ok()?;
        let signed = matches!(self.types.resolve(id), Type::Int(int) if int.signed);
        match width {
            1 | 2 | 4 | 8 if signed => Some(at.load_signed(offset, width)),
            1 | 2 | 4 | 8 => Some(at.load(offset, width)),
            _ => None,
        }
    }
}
