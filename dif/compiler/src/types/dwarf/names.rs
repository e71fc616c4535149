//! Units, and where their names lie.

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugInfo, DebugInfoOffset, DebugLineStr, DebugStr,
    DebugStrOffsets, DebugStrOffsetsBase, DebuggingInformationEntry, DwAt, EndianSlice,
    LittleEndian, UnitHeader, UnitOffset, constants,
};

use super::{DwarfError, DwarfSections};

pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Die<'a> = DebuggingInformationEntry<Slice<'a>>;

/// One unit, ready to be read.
pub(super) struct Unit<'a> {
    pub(super) header: UnitHeader<Slice<'a>>,
    pub(super) abbreviations: Abbreviations,
    /// Its place in the section.
    pub(super) start: usize,
    strings: DebugStrOffsetsBase<usize>,
}

/// The sections behind the units.
pub(super) struct Sections<'a> {
    info: DebugInfo<Slice<'a>>,
    abbrev: DebugAbbrev<Slice<'a>>,
    str: DebugStr<Slice<'a>>,
    line_str: DebugLineStr<Slice<'a>>,
    str_offsets: DebugStrOffsets<Slice<'a>>,
}

impl<'a> Sections<'a> {
    pub(super) fn new(from: &DwarfSections<'a>) -> Self {
        Self {
            info: DebugInfo::new(from.info, LittleEndian),
            abbrev: DebugAbbrev::new(from.abbrev, LittleEndian),
            str: DebugStr::new(from.str, LittleEndian),
            line_str: DebugLineStr::from(EndianSlice::new(from.line_str, LittleEndian)),
            str_offsets: DebugStrOffsets::from(EndianSlice::new(from.str_offsets, LittleEndian)),
        }
    }

    /// Where every unit starts and ends.
    pub(super) fn units(&self) -> Result<Vec<(usize, usize)>, DwarfError> {
        let mut all = Vec::new();
        let mut units = self.info.units();
        while let Some(header) = units.next()? {
            let start = header.debug_info_offset().map_or(0, |offset| offset.0);
            all.push((start, start.saturating_add(header.length_including_self())));
        }
        Ok(all)
    }

    /// The unit that starts at an offset.
    pub(super) fn unit(&self, start: usize) -> Result<Unit<'a>, DwarfError> {
        let header = self.info.header_from_offset(DebugInfoOffset(start))?;
        let abbreviations = header.abbreviations(&self.abbrev)?;
        let root = header.entry(&abbreviations, header.root_offset())?;
        let strings = match root.attr_value(constants::DW_AT_str_offsets_base) {
            Some(AttributeValue::DebugStrOffsetsBase(base)) => base,
            _ => DebugStrOffsetsBase(0),
        };
        Ok(Unit { header, abbreviations, start, strings })
    }

    /// A text; empty if it is missing, or no text.
    pub(super) fn text(&self, unit: &Unit<'a>, die: &Die<'a>, name: DwAt) -> &'a str {
        let found = die.attr_value(name).and_then(|value| match value {
            AttributeValue::String(text) => Some(text),
            AttributeValue::DebugStrRef(at) => self.str.get_str(at).ok(),
            AttributeValue::DebugLineStrRef(at) => self.line_str.get_str(at).ok(),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let format = unit.header.format();
                let at = self.str_offsets.get_str_offset(format, unit.strings, index).ok()?;
                self.str.get_str(at).ok()
            }
            _ => None,
        });
        found.and_then(|text| std::str::from_utf8(text.slice()).ok()).unwrap_or("")
    }
}

impl<'a> Unit<'a> {
    /// The entry at an offset of this unit.
    pub(super) fn entry(&self, offset: usize) -> Result<Die<'a>, DwarfError> {
        Ok(self.header.entry(&self.abbreviations, UnitOffset(offset))?)
    }
}

/// A number that an attribute gives; `None` if it is missing, negative, or no constant.
pub(super) fn number(die: &Die<'_>, name: DwAt) -> Option<u64> {
    die.attr(name)?.udata_value()
}

/// As [`number`], if it fits.
pub(super) fn small(die: &Die<'_>, name: DwAt) -> Option<u32> {
    number(die, name).and_then(|value| u32::try_from(value).ok())
}

/// Whether a flag is set.
pub(super) fn flag(die: &Die<'_>, name: DwAt) -> bool {
    matches!(die.attr_value(name), Some(AttributeValue::Flag(true)))
}
