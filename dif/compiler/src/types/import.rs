//! From a container's records to types.

use std::rc::Rc;

use super::{
    Btf, CompoundType, Container, EnumType, Field, IntType, Slot, State, Tag, Type, TypeId, Types,
    btf::{BtfMember, Record, kind, word},
};

impl<'w> Types<'w> {
    /// The first container with such a type, the image's first.
    pub(super) fn find_foreign(&mut self, kinds: &[u8], name: &str) -> Option<TypeId> {
        (0..self.containers.len()).find_map(|at| {
            let number = self.container(at)?.find(kinds, name)?;
            Some(self.foreign(at, number))
        })
    }

    /// An enumerator of the kernel's, with its enumeration.
    pub fn enumerator(&mut self, name: &str) -> Option<(TypeId, i64)> {
        (0..self.containers.len()).find_map(|at| {
            let (number, value) = self.container(at)?.find_enumerator(name)?;
            Some((self.foreign(at, number), value))
        })
    }

    /// The type of a kernel variable, in one module's container if `module` is given.
    pub fn kernel_variable(&mut self, module: Option<&str>, name: &str) -> Option<TypeId> {
        (0..self.containers.len()).find_map(|at| {
            let matches = module.is_none_or(|module| self.containers[at].module == module);
            let btf = self.container(at).filter(|_| matches)?;
            let number = btf.find(&[kind::VAR], name)?;
            let target = btf.record(number)?.size_or_type;
            Some(self.foreign(at, target))
        })
    }

    /// A container, read if it has not been. The first is the base of the others.
    fn container(&mut self, at: usize) -> Option<Rc<Btf<'w>>> {
        let Container { module, alone, state } = self.containers.get_mut(at)?;
        let bytes = match state {
            State::Read(btf) => return Some(Rc::clone(btf)),
            State::Refused => return None,
            // Whatever becomes of it, it is not read twice.
            State::Unread(bytes) => std::mem::take(bytes),
        };
        let (module, alone) = (*module, *alone);
        *state = State::Refused;
        let base = if at == 0 || alone { None } else { Some(self.container(0)?) };
        let (state, found) = match Btf::parse(bytes, base).map(Rc::new) {
            Ok(btf) => (State::Read(Rc::clone(&btf)), Some(btf)),
            Err(error) => {
                self.warnings.push(format!("the types of {module} cannot be read: {error}"));
                (State::Refused, None)
            }
        };
        self.containers[at].state = state;
        found
    }

    /// The number of a container's type; those of the image are shared by all containers.
    fn foreign(&mut self, container: usize, number: u32) -> TypeId {
        if number == 0 {
            return TypeId::VOID;
        }
        let owner = match self.container(container) {
            Some(btf) if number < btf.first_id() => 0,
            _ => container,
        };
        if let Some(known) = self.imported.get(&(owner, number)) {
            return *known;
        }
        let id = TypeId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Slot::Foreign(owner, number));
        self.imported.insert((owner, number), id);
        id
    }

    /// Reads one type; what it refers to stays unread. A number that no type has is `void`.
    pub(super) fn import(&mut self, at: usize, number: u32) -> Type {
        let Some(btf) = self.container(at) else { return Type::Void };
        let Some(record) = btf.record(number) else { return Type::Void };
        let target = record.size_or_type;
        match record.kind {
            kind::INT => import_int(&record),
            kind::FLOAT => Type::Float { name: record.name.into(), size: target },
            kind::PTR => {
                let (target, user) = self.pointee(at, &btf, target);
                Type::Pointer { target, user }
            }
            kind::ARRAY => Type::Array {
                element: self.foreign(at, word(record.tail, 0).unwrap_or(0)),
                count: word(record.tail, 8).unwrap_or(0),
            },
            kind::STRUCT => self.import_compound(at, &btf, &record, Tag::Struct),
            kind::UNION => self.import_compound(at, &btf, &record, Tag::Union),
            kind::ENUM | kind::ENUM64 => import_enum(&btf, &record),
            kind::FWD => {
                let tag = if record.flag { Tag::Union } else { Tag::Struct };
                Type::Forward { tag, name: record.name.into() }
            }
            kind::TYPEDEF => {
                Type::Typedef { name: record.name.into(), target: self.foreign(at, target) }
            }
            kind::VOLATILE => self.qualified(at, "volatile", target),
            kind::CONST => self.qualified(at, "const", target),
            kind::RESTRICT => self.qualified(at, "restrict", target),
            kind::TYPE_TAG => self.get_foreign(at, target),
            kind::FUNC_PROTO => Type::Function { result: self.foreign(at, target) },
            _ => Type::Void,
        }
    }

    /// What a pointer points to; `__user` (a type tag) makes it one of the process.
    fn pointee(&mut self, at: usize, btf: &Btf<'w>, mut target: u32) -> (TypeId, bool) {
        let mut user = false;
        for _ in 0..super::MAX_CHAIN {
            match btf.record(target) {
                Some(record) if record.kind == kind::TYPE_TAG => {
                    user |= record.name == "user";
                    target = record.size_or_type;
                }
                _ => break,
            }
        }
        (self.foreign(at, target), user)
    }

    fn get_foreign(&mut self, at: usize, number: u32) -> Type {
        let target = self.foreign(at, number);
        Type::Qualified { qualifier: "", target }
    }

    fn qualified(&mut self, at: usize, qualifier: &'static str, number: u32) -> Type {
        Type::Qualified { qualifier, target: self.foreign(at, number) }
    }

    fn import_compound(&mut self, at: usize, btf: &Btf<'w>, record: &Record<'_>, tag: Tag) -> Type {
        let members = btf.members(record);
        let members = members.iter().map(|member| self.import_member(at, btf, member)).collect();
        let (name, size) = (record.name.into(), record.size_or_type);
        Type::Compound(Rc::new(CompoundType { tag, name, size, members }))
    }

    fn import_member(&mut self, at: usize, btf: &Btf<'w>, member: &BtfMember<'_>) -> Field {
        let mut field = Field {
            name: member.name.into(),
            ty: self.foreign(at, member.ty),
            bit_offset: member.bit_offset,
            bit_width: member.bit_width,
        };
        // Before kflag, a bit-field was a member of an integer type narrower than its storage.
        if let Some(Type::Int(IntType { bits: Some((bits, offset)), .. })) =
            btf.record(member.ty).filter(|ty| ty.kind == kind::INT).map(|ty| import_int(&ty))
        {
            field.bit_width = bits;
            field.bit_offset = field.bit_offset.saturating_add(offset);
        }
        field
    }
}

fn import_int(record: &Record<'_>) -> Type {
    let data = word(record.tail, 0).unwrap_or(0);
    let (encoding, offset, bits) = ((data >> 24) & 0xf, (data >> 16) & 0xff, data & 0xff);
    let size = record.size_or_type;
    let narrow = bits != 0 && bits != size.saturating_mul(8);
    Type::Int(IntType {
        name: record.name.into(),
        size,
        signed: encoding & 1 != 0,
        is_char: size == 1 && encoding & 4 == 0,
        bits: narrow.then_some((bits, offset)),
    })
}

fn import_enum(btf: &Btf<'_>, record: &Record<'_>) -> Type {
    let values = btf.enumerators(record);
    let values: Vec<_> = values.into_iter().map(|(name, value)| (Rc::from(name), value)).collect();
    let signed = record.flag || values.iter().any(|(_, value)| *value < 0);
    let size = record.size_or_type;
    Type::Enum(Rc::new(EnumType { name: record.name.into(), size, signed, values }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testworld::TestWorld,
        types::{BtfBuilder, parse_c_type},
    };

    fn cred_world() -> TestWorld {
        let mut b = BtfBuilder::new();
        let uint = b.int("unsigned int", 4, 0);
        let character = b.int("char", 1, 1);
        let kuid = b.compound(kind::STRUCT, "", 4, &[("val", uint, 0, 0)]);
        let kuid_t = b.reference(kind::TYPEDEF, "kuid_t", kuid);
        let cred = b.compound(kind::STRUCT, "cred", 16, &[("uid", kuid_t, 64, 0)]);
        let constant = b.reference(kind::CONST, "", cred);
        let pointer = b.reference(kind::PTR, "", constant);
        let comm = b.array(character, uint, 16);
        let inner = b.compound(kind::UNION, "", 8, &[("cred", pointer, 0, 0)]);
        let members = [("", inner, 128, 0), ("comm", comm, 192, 0), ("flag", uint, 320, 3)];
        b.compound(kind::STRUCT, "task_struct", 64, &members);
        TestWorld::with_btf(b.finish().unwrap())
    }

    /// Members of unnamed unions are found in the outer struct, at the sum of the offsets.
    #[test]
    fn members_are_found_through_unnamed_unions() {
        let world = cred_world();
        let mut types = Types::new(&world);
        let task = types.tag(Tag::Struct, "task_struct").unwrap();
        let Type::Compound(task) = types.resolve(task) else { panic!("not a struct") };
        let cred = types.member(&task, "cred").unwrap();
        assert_eq!(cred.bit_offset, 128);
        assert_eq!(types.name(cred.ty), "const struct cred *");
        let comm = types.member(&task, "comm").unwrap();
        assert!(types.is_char_array(comm.ty));
        assert_eq!(types.size(comm.ty), Some(16));
        let flag = types.member(&task, "flag").unwrap();
        assert_eq!(flag.bit_width, 3);
        assert!(types.member(&task, "absent").is_none());
    }

    /// A chain that bites its tail ends as `void`, not in a loop.
    #[test]
    fn cycles_end() {
        let mut b = BtfBuilder::new();
        b.reference(kind::TYPEDEF, "a", 2);
        b.reference(kind::CONST, "", 1);
        b.array(3, 3, 2);
        let world = TestWorld::with_btf(b.finish().unwrap());
        let mut types = Types::new(&world);
        let a = types.typedef("a").unwrap();
        assert!(matches!(types.resolve(a), Type::Void));
        assert_eq!(types.size(a), None);
        let endless = types.foreign(0, 3);
        assert_eq!(types.size(endless), None);
        assert!(types.name(endless).len() < 200);
    }

    /// This machine's own kernel, where it publishes its types: real BTF is walked to its end.
    #[test]
    fn the_running_kernels_types_are_read() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        let world = TestWorld::with_btf(bytes);
        let mut types = Types::new(&world);
        let pointer = parse_c_type(&mut types, "struct task_struct *").unwrap();
        let Type::Pointer { target, .. } = types.resolve(pointer) else { panic!("no pointer") };
        let Type::Compound(task) = types.resolve(target) else { panic!("no struct") };
        let comm = types.member(&task, "comm").unwrap();
        assert_eq!(types.size(comm.ty), Some(16));
        assert!(types.warnings().is_empty());
    }
}
