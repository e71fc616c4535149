//! From entries to records.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use gimli::{AttributeValue, DwTag, UnitOffset, UnitType, constants as dw};

use super::{
    DwarfError, DwarfSections, MAX_TYPES,
    names::{Die, Sections, Unit, flag, number, small},
};
use crate::types::btf::{BtfWriter, kind};

/// Pointers to pointers, arrays of arrays: followed this far at once.
const MAX_DEPTH: u32 = 64;

/// What makes two types of different units one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Named { tag: u16, name: Rc<str>, size: u64, line: u64 },
    Reference { kind: u8, target: u32 },
    Array { element: u32, count: u32 },
}

/// What a number was given to and is still to be written: one record each.
#[derive(Debug)]
enum Item {
    /// An entry that becomes a record of its own.
    Die {
        unit: usize,
        offset: usize,
    },
    /// The parameters and result of a function, or of a function's type.
    Prototype {
        unit: usize,
        offset: usize,
    },
    /// A pointer, qualifier or function.
    Reference {
        kind: u8,
        name: Rc<str>,
        target: u32,
    },
    Array {
        element: u32,
        count: u32,
    },
    Variable {
        name: Rc<str>,
        target: u32,
    },
}

struct Converter<'a> {
    sections: Sections<'a>,
    /// Start and end of every unit.
    places: Vec<(usize, usize)>,
    /// The unit that was used last.
    unit: Option<Rc<Unit<'a>>>,
    out: BtfWriter,
    queue: VecDeque<Item>,
    /// The last number given out.
    last: u32,
    /// Entries of the current unit.
    by_die: HashMap<usize, u32>,
    by_key: HashMap<Key, u32>,
    /// Bytes of entries that may still be gone over: compilers' output needs a fraction of it.
    budget: usize,
}

/// Makes BTF of all types, variables and functions.
///
/// # Errors
/// [`DwarfError`].
pub fn to_btf(sections: &DwarfSections<'_>) -> Result<Vec<u8>, DwarfError> {
    let budget = sections.info.len().saturating_mul(16).saturating_add(1 << 16);
    let sections = Sections::new(sections);
    let places = sections.units()?;
    let mut converter = Converter {
        sections,
        places: places.clone(),
        unit: None,
        out: BtfWriter::new(),
        queue: VecDeque::new(),
        last: 0,
        by_die: HashMap::new(),
        by_key: HashMap::new(),
        budget,
    };
    let mut skeletons = false;
    for (start, _) in places {
        let unit = converter.unit_at(start)?;
        match unit.header.type_() {
            UnitType::Compilation | UnitType::Partial => converter.convert_unit(&unit)?,
            UnitType::Skeleton(_) => skeletons = true,
            _ => {}
        }
    }
    if converter.last == 0 && skeletons {
        return Err(DwarfError::Split);
    }
    Ok(converter.out.finish()?)
}

/// Whether an entry only says that something exists.
fn is_declaration(die: &Die<'_>) -> bool {
    flag(die, dw::DW_AT_declaration)
}

impl<'a> Converter<'a> {
    fn unit_at(&mut self, start: usize) -> Result<Rc<Unit<'a>>, DwarfError> {
        if let Some(unit) = self.unit.as_ref().filter(|unit| unit.start == start) {
            return Ok(Rc::clone(unit));
        }
        let unit = Rc::new(self.sections.unit(start)?);
        self.unit = Some(Rc::clone(&unit));
        Ok(unit)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), DwarfError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(DwarfError::TooMany)?;
        Ok(())
    }

    /// Gives everything that is to be found by name its number, then writes what is new.
    fn convert_unit(&mut self, unit: &Rc<Unit<'a>>) -> Result<(), DwarfError> {
        self.by_die.clear();
        for die in self.children(unit, unit.header.root_offset().0)? {
            self.top_level(unit, &die)?;
        }
        while let Some(item) = self.queue.pop_front() {
            self.write(item)?;
        }
        Ok(())
    }

    /// The entries directly below one.
    fn children(&mut self, unit: &Unit<'a>, offset: usize) -> Result<Vec<Die<'a>>, DwarfError> {
        let mut out = Vec::new();
        let mut cursor = unit.header.entries_at_offset(&unit.abbreviations, UnitOffset(offset))?;
        if cursor.next_dfs()?.is_none_or(|parent| !parent.has_children()) || !cursor.next_entry()? {
            return Ok(out);
        }
        while let Some(child) = cursor.current() {
            out.push(child.clone());
            if cursor.next_sibling()?.is_none() {
                break;
            }
        }
        // Entries within entries are gone over once for each that contains them.
        self.spend(cursor.offset().0.saturating_sub(offset))?;
        Ok(out)
    }

    fn top_level(&mut self, unit: &Rc<Unit<'a>>, die: &Die<'a>) -> Result<(), DwarfError> {
        match die.tag() {
            dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_typedef
            | dw::DW_TAG_base_type => drop(self.id_of_die(unit, die, MAX_DEPTH)?),
            dw::DW_TAG_subprogram if !is_declaration(die) => self.function(unit, die)?,
            dw::DW_TAG_variable if !is_declaration(die) => self.variable(unit, die)?,
            _ => {}
        }
        Ok(())
    }

    fn function(&mut self, unit: &Rc<Unit<'a>>, die: &Die<'a>) -> Result<(), DwarfError> {
        let Some(name) = self.new_name(unit, die, kind::FUNC) else { return Ok(()) };
        let prototype = Item::Prototype { unit: unit.start, offset: die.offset().0 };
        let target = self.give(prototype)?;
        self.give(Item::Reference { kind: kind::FUNC, name, target })?;
        Ok(())
    }

    fn variable(&mut self, unit: &Rc<Unit<'a>>, die: &Die<'a>) -> Result<(), DwarfError> {
        // A definition apart from its declaration leaves the name, or both, to it.
        let declared = self.referred(unit, die, dw::DW_AT_specification)?;
        let named = match &declared {
            Some((unit, declared)) => self.new_name(unit, declared, kind::VAR),
            None => self.new_name(unit, die, kind::VAR),
        };
        let Some(name) = named else { return Ok(()) };
        let target = match declared.filter(|_| !die.has_attr(dw::DW_AT_type)) {
            Some((unit, declared)) => self.type_of(&unit, &declared, MAX_DEPTH)?,
            None => self.type_of(unit, die, MAX_DEPTH)?,
        };
        self.give(Item::Variable { name, target })?;
        Ok(())
    }

    /// The name of a function or variable that has not been met before.
    fn new_name(&mut self, unit: &Unit<'a>, die: &Die<'a>, kind: u8) -> Option<Rc<str>> {
        let name: Rc<str> = self.sections.text(unit, die, dw::DW_AT_name).into();
        let key =
            Key::Named { tag: u16::from(kind) | 0x8000, name: Rc::clone(&name), size: 0, line: 0 };
        let is_new = !name.is_empty() && self.by_key.insert(key, 0).is_none();
        is_new.then_some(name)
    }

    /// Gives something the next number.
    fn give(&mut self, item: Item) -> Result<u32, DwarfError> {
        if self.last >= MAX_TYPES {
            return Err(DwarfError::TooMany);
        }
        self.last += 1;
        self.queue.push_back(item);
        Ok(self.last)
    }

    fn give_once(&mut self, key: Key, item: Item) -> Result<u32, DwarfError> {
        if let Some(known) = self.by_key.get(&key) {
            return Ok(*known);
        }
        let id = self.give(item)?;
        self.by_key.insert(key, id);
        Ok(id)
    }

    /// The entry that an attribute refers to, with its unit.
    fn referred(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        name: gimli::DwAt,
    ) -> Result<Option<(Rc<Unit<'a>>, Die<'a>)>, DwarfError> {
        let (unit, offset) = match die.attr_value(name) {
            Some(AttributeValue::UnitRef(offset)) => (Rc::clone(unit), offset.0),
            Some(AttributeValue::DebugInfoRef(at)) => {
                let after = self.places.partition_point(|(start, _)| *start <= at.0);
                let place = after.checked_sub(1).and_then(|index| self.places.get(index));
                let Some((start, _)) = place.filter(|(_, end)| at.0 < *end) else {
                    return Ok(None);
                };
                let start = *start;
                (self.unit_at(start)?, at.0 - start)
            }
            _ => return Ok(None),
        };
        self.spend(4)?;
        let die = unit.entry(offset)?;
        Ok(Some((unit, die)))
    }

    /// The number of the type that an entry has; 0, which is `void`, without one.
    fn type_of(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        depth: u32,
    ) -> Result<u32, DwarfError> {
        match self.referred(unit, die, dw::DW_AT_type)? {
            Some((unit, die)) => self.id_of_die(&unit, &die, depth),
            None => Ok(0),
        }
    }

    /// A type's number, given out now if it has none.
    fn id_of_die(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        depth: u32,
    ) -> Result<u32, DwarfError> {
        let place = unit.start.saturating_add(die.offset().0);
        if let Some(known) = self.by_die.get(&place) {
            return Ok(*known);
        }
        // A chain that does not end is void.
        let Some(depth) = depth.checked_sub(1) else { return Ok(0) };
        let own = Item::Die { unit: unit.start, offset: die.offset().0 };
        let id = match die.tag() {
            dw::DW_TAG_pointer_type
            | dw::DW_TAG_reference_type
            | dw::DW_TAG_rvalue_reference_type => self.reference(unit, die, kind::PTR, depth)?,
            dw::DW_TAG_const_type => self.reference(unit, die, kind::CONST, depth)?,
            dw::DW_TAG_volatile_type => self.reference(unit, die, kind::VOLATILE, depth)?,
            dw::DW_TAG_restrict_type => self.reference(unit, die, kind::RESTRICT, depth)?,
            dw::DW_TAG_atomic_type => self.type_of(unit, die, depth)?,
            dw::DW_TAG_array_type => self.array(unit, die, depth)?,
            dw::DW_TAG_subroutine_type => {
                self.give(Item::Prototype { unit: unit.start, offset: die.offset().0 })?
            }
            dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_typedef
            | dw::DW_TAG_base_type => match self.key_of(unit, die)? {
                Some(key) => self.give_once(key, own)?,
                None => self.give(own)?,
            },
            _ => 0,
        };
        self.by_die.insert(place, id);
        Ok(id)
    }

    fn reference(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        kind: u8,
        depth: u32,
    ) -> Result<u32, DwarfError> {
        let target = self.type_of(unit, die, depth)?;
        let item = Item::Reference { kind, name: "".into(), target };
        self.give_once(Key::Reference { kind, target }, item)
    }

    /// One record a dimension; the last one written changes fastest.
    fn array(&mut self, unit: &Rc<Unit<'a>>, die: &Die<'a>, depth: u32) -> Result<u32, DwarfError> {
        let mut id = self.type_of(unit, die, depth)?;
        let dimensions = self.children(unit, die.offset().0)?;
        let dimensions = dimensions.iter().filter(|die| die.tag() == dw::DW_TAG_subrange_type);
        for dimension in dimensions.rev() {
            let bound = || number(dimension, dw::DW_AT_upper_bound)?.checked_add(1);
            let count = number(dimension, dw::DW_AT_count).or_else(bound);
            let count = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
            let key = Key::Array { element: id, count };
            id = self.give_once(key, Item::Array { element: id, count })?;
        }
        Ok(id)
    }

    /// What makes a type with a name known in another unit; `None` without one.
    fn key_of(&mut self, unit: &Rc<Unit<'a>>, die: &Die<'a>) -> Result<Option<Key>, DwarfError> {
        let name = self.sections.text(unit, die, dw::DW_AT_name);
        if name.is_empty() {
            return Ok(None);
        }
        let own_size = number(die, dw::DW_AT_byte_size);
        let size = match own_size.filter(|_| die.tag() != dw::DW_TAG_typedef) {
            Some(size) => size,
            // A typedef's size is that of what it names, if that says so.
            None => match self.referred(unit, die, dw::DW_AT_type)? {
                Some((_, target)) => number(&target, dw::DW_AT_byte_size).unwrap_or(0),
                None => 0,
            },
        };
        // A declaration has no line of its own that matters.
        let line = if is_declaration(die) { None } else { number(die, dw::DW_AT_decl_line) };
        let line = match die.tag() {
            dw::DW_TAG_base_type => number(die, dw::DW_AT_encoding).unwrap_or(0),
            _ => line.unwrap_or(0),
        };
        Ok(Some(Key::Named { tag: die.tag().0, name: name.into(), size, line }))
    }

    /// Writes the record that is next.
    fn write(&mut self, item: Item) -> Result<(), DwarfError> {
        match item {
            Item::Reference { kind, name, target } => {
                self.out.reference(kind, &name, target);
            }
            Item::Array { element, count } => {
                self.out.array(element, 0, count);
            }
            Item::Variable { name, target } => {
                self.out.reference(kind::VAR, &name, target);
                self.out.words(&[1]);
            }
            Item::Prototype { unit, offset } => self.prototype(unit, offset)?,
            Item::Die { unit, offset } => self.own_record(unit, offset)?,
        }
        Ok(())
    }

    fn prototype(&mut self, unit: usize, offset: usize) -> Result<(), DwarfError> {
        let unit = self.unit_at(unit)?;
        let die = unit.entry(offset)?;
        let result = self.type_of(&unit, &die, MAX_DEPTH)?;
        let mut words = Vec::new();
        for child in self.children(&unit, offset)? {
            match child.tag() {
                dw::DW_TAG_formal_parameter => {
                    let name = self.sections.text(&unit, &child, dw::DW_AT_name);
                    let name = self.out.text(name);
                    words.extend([name, self.type_of(&unit, &child, MAX_DEPTH)?]);
                }
                // `...`
                dw::DW_TAG_unspecified_parameters => words.extend([0, 0]),
                _ => {}
            }
        }
        self.out.record(0, kind::FUNC_PROTO, false, words.len() / 2, result);
        self.out.words(&words);
        Ok(())
    }

    fn own_record(&mut self, unit: usize, offset: usize) -> Result<(), DwarfError> {
        let unit = self.unit_at(unit)?;
        let die = unit.entry(offset)?;
        let name = self.sections.text(&unit, &die, dw::DW_AT_name);
        let size = small(&die, dw::DW_AT_byte_size).unwrap_or(0);
        match die.tag() {
            dw::DW_TAG_base_type => self.base(&die, name, size),
            dw::DW_TAG_typedef => {
                let target = self.type_of(&unit, &die, MAX_DEPTH)?;
                self.out.reference(kind::TYPEDEF, name, target);
            }
            dw::DW_TAG_enumeration_type => self.enumeration(&unit, &die, name, size)?,
            tag if is_declaration(&die) => {
                let name = self.out.text(name);
                let is_union = tag == dw::DW_TAG_union_type;
                self.out.record(name, kind::FWD, is_union, 0, 0);
            }
            tag => self.compound(&unit, &die, name, size, tag)?,
        }
        Ok(())
    }

    fn base(&mut self, die: &Die<'_>, name: &str, size: u32) {
        let encoding = match die.attr_value(dw::DW_AT_encoding) {
            Some(AttributeValue::Encoding(encoding)) => encoding,
            _ => dw::DW_ATE_unsigned,
        };
        match encoding {
            dw::DW_ATE_float | dw::DW_ATE_complex_float | dw::DW_ATE_imaginary_float => {
                let name = self.out.text(name);
                self.out.record(name, kind::FLOAT, false, 0, size);
            }
            dw::DW_ATE_signed => drop(self.out.int(name, size, 1)),
            dw::DW_ATE_signed_char => drop(self.out.int(name, size, 3)),
            dw::DW_ATE_boolean => drop(self.out.int(name, size, 4)),
            _ => drop(self.out.int(name, size, 0)),
        }
    }

    fn enumeration(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        name: &str,
        size: u32,
    ) -> Result<(), DwarfError> {
        let mut values: Vec<(u32, i64)> = Vec::new();
        for child in self.children(unit, die.offset().0)? {
            if child.tag() == dw::DW_TAG_enumerator {
                let text = self.sections.text(unit, &child, dw::DW_AT_name);
                values.push((self.out.text(text), enumerator(&child)));
            }
        }
        let name = self.out.text(name);
        let signed = values.iter().any(|(_, value)| *value < 0);
        let narrow = |value: i64| {
            if signed { i32::try_from(value).is_ok() } else { u32::try_from(value).is_ok() }
        };
        let wide = !values.iter().all(|(_, value)| narrow(*value));
        let kind = if wide { kind::ENUM64 } else { kind::ENUM };
        self.out.record(name, kind, signed, values.len(), size);
        for (name, value) in values {
            let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
            let low = u32::from_le_bytes([a, b, c, d]);
            let words = [name, low, u32::from_le_bytes([e, f, g, h])];
            self.out.words(if wide { &words } else { &words[..2] });
        }
        Ok(())
    }

    fn compound(
        &mut self,
        unit: &Rc<Unit<'a>>,
        die: &Die<'a>,
        name: &str,
        size: u32,
        tag: DwTag,
    ) -> Result<(), DwarfError> {
        let mut members: Vec<(&str, u32, u32, u32)> = Vec::new();
        for child in self.children(unit, die.offset().0)? {
            let is_member = matches!(child.tag(), dw::DW_TAG_member | dw::DW_TAG_inheritance);
            // C++'s static members lie elsewhere.
            if !is_member || flag(&child, dw::DW_AT_external) {
                continue;
            }
            let text = self.sections.text(unit, &child, dw::DW_AT_name);
            let target = self.referred(unit, &child, dw::DW_AT_type)?;
            let storage = target.and_then(|(_, ty)| number(&ty, dw::DW_AT_byte_size));
            let Some((offset, width)) = place_of(&child, storage) else { continue };
            let ty = self.type_of(unit, &child, MAX_DEPTH)?;
            members.push((text, ty, offset, width));
        }
        let kind = if tag == dw::DW_TAG_union_type { kind::UNION } else { kind::STRUCT };
        if members.iter().all(|(_, _, offset, _)| *offset < 1 << 24) {
            self.out.compound(kind, name, size, &members);
        } else {
            self.large(kind, name, size, &members);
        }
        Ok(())
    }

    /// A struct of 2 MiB and more: BTF then has no room for bit-fields' widths, and those are left
    /// out.
    fn large(&mut self, kind: u8, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) {
        let plain = || members.iter().filter(|(_, _, _, width)| *width == 0);
        let texts: Vec<u32> = plain().map(|member| self.out.text(member.0)).collect();
        let name = self.out.text(name);
        self.out.record(name, kind, false, texts.len(), size);
        for (text, (_, ty, offset, _)) in texts.into_iter().zip(plain()) {
            self.out.words(&[text, *ty, *offset]);
        }
    }
}

/// A number that may be negative, whatever form it has.
fn signed(die: &Die<'_>, name: gimli::DwAt) -> Option<i64> {
    match die.attr(name)?.raw_value() {
        AttributeValue::Sdata(value) => Some(value),
        value => value.udata_value().map(u64::cast_signed),
    }
}

/// An enumerator's value. Compilers write values without a sign as data of the size needed, and
/// those with a sign as such.
fn enumerator(die: &Die<'_>) -> i64 {
    signed(die, dw::DW_AT_const_value).unwrap_or(0)
}

/// A member's offset from the struct's start and its width if it is a bit-field, in bits.
/// `storage`: bytes of its type. `None` if that cannot be told.
fn place_of(die: &Die<'_>, storage: Option<u64>) -> Option<(u32, u32)> {
    let bytes = member_offset(die)?;
    let width = number(die, dw::DW_AT_bit_size).unwrap_or(0);
    let offset = if let Some(offset) = number(die, dw::DW_AT_data_bit_offset) {
        offset
    } else if let Some(from_top) = signed(die, dw::DW_AT_bit_offset).filter(|_| width > 0) {
        // Before DWARF 4: counted from the storage unit's most significant bit, and negative where
        // the field reaches beyond that.
        let storage = number(die, dw::DW_AT_byte_size).or(storage)?.checked_mul(8)?;
        let within = storage.checked_sub(width)?.checked_add_signed(from_top.checked_neg()?)?;
        bytes.checked_mul(8)?.checked_add(within)?
    } else {
        bytes.checked_mul(8)?
    };
    // A width has 8 bits in BTF.
    let width = u8::try_from(width).ok()?;
    Some((u32::try_from(offset).ok()?, u32::from(width)))
}

/// Bytes from the struct's start; 0 without a location, as in unions.
fn member_offset(die: &Die<'_>) -> Option<u64> {
    match die.attr_value(dw::DW_AT_data_member_location) {
        None => Some(0),
        Some(AttributeValue::Exprloc(expression)) => {
            // DWARF 2: `DW_OP_plus_uconst n`.
            let (operation, mut rest) = expression.0.slice().split_first()?;
            if *operation != dw::DW_OP_plus_uconst.0 {
                return None;
            }
            gimli::leb128::read::unsigned(&mut gimli::EndianSlice::new(
                std::mem::take(&mut rest),
                gimli::LittleEndian,
            ))
            .ok()
        }
        Some(value) => value.udata_value(),
    }
}
