//! How an ECB's data lie in a record: computed alike by the engine that writes it and by the
//! consumer that reads it.
//!
//! ```text
//!  principal record               aggregation entry
//!  0   epid: u32                  key: see `arena::agg`
//!  4   size: u32 (with header)    values: `AggDesc::values` words of 8 bytes
//!  8   timestamp: u64
//!  16  data, each aligned to its size (at most 8); strings behind all others
//! ```
//! A writer may leave out what follows a string's NUL: such a *packed* record is shorter than its
//! layout, and each string begins at the first multiple of 8 behind the NUL of the one before.
//! [`EcbLayout::datum`] reads both.
//!
//! As in classic DTrace, an ECB whose actions record nothing makes no record at all, unless it has
//! no action (the default row) or nothing but a `speculate()`.

use alloc::vec::Vec;

use dif::{
    difo::DifType,
    number::{act, agg, tf},
    program::{Action, EcbDesc, Program},
};
use thiserror::Error;

use crate::{
    arena::config::{ArenaConfig, MAX_STRSIZE},
    num::{high32, low32, round_up, u32_of, us, us64},
};

/// Bytes of a record's header.
pub const RECORD_HEADER: u32 = 16;
/// The most bytes of one record.
pub const MAX_RECORD: u32 = 1 << 20;
/// Bytes of one line of `immstack()`, newline included.
pub const IMMSTACK_LINE: u32 = 64;

/// Where one action's datum lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordDesc {
    /// The action's place in its ECB.
    pub action: u32,
    /// `DTRACEACT_*`.
    pub kind: u16,
    /// Bytes from the record's start, for a key element from the key's.
    pub offset: u32,
    /// Bytes; 0 if the action records nothing.
    pub size: u32,
    /// It is a string: what follows the NUL means nothing.
    pub is_string: bool,
}

/// One aggregating action and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggDesc {
    /// The aggregating action's place in its ECB.
    pub action: u32,
    /// `DTRACEAGG_*`.
    pub kind: u16,
    /// The action's argument (bounds of `lquantize()`, …).
    pub arg: u64,
    /// Words of 8 bytes that its value takes.
    pub values: u32,
    /// The first action of the tuple: it computes the aggregation variable's id.
    pub varid: u32,
    /// The action that computes the weight (`quantize(x, weight)`): a `DIFEXPR` that records
    /// nothing, the last of the tuple.
    pub weight: Option<u32>,
    /// The key's elements: sizes and kinds; their offsets mean nothing.
    pub key: Vec<RecordDesc>,
}

/// Where everything of one ECB lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcbLayout {
    /// Bytes of a record, header included, a multiple of 8; 0 if the ECB makes none.
    pub size: u32,
    /// One for each action that is neither an aggregation nor part of a key, in order.
    pub records: Vec<RecordDesc>,
    /// The aggregating actions, in order.
    pub aggs: Vec<AggDesc>,
}

/// Why an ECB cannot be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EcbError {
    /// No such ECB.
    #[error("the program has no ECB {ecb}")]
    NoEcb {
        /// Its number.
        ecb: u32,
    },
    /// No such DIFO.
    #[error("action {action} refers to DIF object {difo}, which is not there")]
    NoDifo {
        /// The action's place.
        action: u32,
        /// The DIFO's number.
        difo: u32,
    },
    /// The kind is unknown or not supported.
    #[error("action {action} is of kind {kind:#x}, which is not supported")]
    Unsupported {
        /// The action's place.
        action: u32,
        /// Its kind.
        kind: u16,
    },
    /// An action lacks its expression, or has one of a type that it cannot have.
    #[error("action {action} of kind {kind:#x} has no expression, or one of a wrong type")]
    Expression {
        /// The action's place.
        action: u32,
        /// Its kind.
        kind: u16,
    },
    /// The tuple of an aggregation is longer than what comes before it, or empty.
    #[error("action {action} has a tuple of {ntuple}, which it cannot have")]
    Tuple {
        /// The action's place.
        action: u32,
        /// What it claims.
        ntuple: u32,
    },
    /// A kind's argument is out of range.
    #[error("action {action} of kind {kind:#x} has argument {arg:#x}, which is out of range")]
    Argument {
        /// The action's place.
        action: u32,
        /// Its kind.
        kind: u16,
        /// The argument.
        arg: u64,
    },
    /// The record is too large.
    #[error("the ECB's record has {size} bytes; {MAX_RECORD} are allowed")]
    TooLarge {
        /// What it has.
        size: u64,
    },
    /// `speculate()` after something that records.
    #[error("action {action}: speculate() comes after a data-recording action")]
    LateSpeculate {
        /// The action's place.
        action: u32,
    },
}

impl EcbLayout {
    /// Computes the layout of one ECB.
    ///
    /// # Errors
    /// [`EcbError`] for the first action that is senseless.
    pub fn of(program: &Program, ecb: u32, config: &ArenaConfig) -> Result<Self, EcbError> {
        let desc = program.ecbs.get(us(ecb)).ok_or(EcbError::NoEcb { ecb })?;
        let roles = roles(desc)?;
        let mut layout = Self { size: RECORD_HEADER, records: Vec::new(), aggs: Vec::new() };
        let mut key = Vec::new();
        for ((at, action), role) in (0_u32..).zip(&desc.actions).zip(roles) {
            match role {
                Role::Key => key.push(sized(program, config, at, action)?),
                Role::Aggregation => {
                    let key = core::mem::take(&mut key);
                    layout.aggs.push(agg_desc(program, at, action, key)?);
                }
                Role::Record => layout.push(sized(program, config, at, action)?)?,
            }
        }
        layout.place()?;
        layout.finish(desc);
        Ok(layout)
    }

    fn push(&mut self, record: RecordDesc) -> Result<(), EcbError> {
        if record.kind == act::SPECULATE && self.records.iter().any(|before| before.size > 0) {
            return Err(EcbError::LateSpeculate { action: record.action });
        }
        self.records.push(record);
        Ok(())
    }

    /// Gives every datum its place: strings come behind all others.
    fn place(&mut self) -> Result<(), EcbError> {
        let mut end = u64::from(self.size);
        for strings in [false, true] {
            for record in self.records.iter_mut().filter(|record| record.is_string == strings) {
                let align = if strings { 8 } else { align_of_record(record) };
                let at = round_up(end, align);
                let size = at + u64::from(record.size);
                if size > u64::from(MAX_RECORD) {
                    return Err(EcbError::TooLarge { size });
                }
                record.offset = u32_of(us64(at));
                if record.size > 0 {
                    end = size;
                }
            }
        }
        self.size = u32_of(us64(end));
        Ok(())
    }

    /// The datum that an action recorded, in a record of this layout that may be packed; a string
    /// may have something behind its NUL. `None` if the record is too short for it.
    #[must_use]
    pub fn datum<'r>(&self, record: &'r [u8], action: u32) -> Option<&'r [u8]> {
        let found = self.records.iter().find(|it| it.action == action)?;
        let (start, size) = (us(found.offset), us(found.size));
        if !found.is_string || record.len() >= us(self.size) {
            return record.get(start..start.checked_add(size)?);
        }
        let before = self.records.iter().filter(|it| it.is_string && it.offset < found.offset);
        let mut moved = 0;
        for string in before {
            let text = record.get(us(string.offset) - moved..)?;
            moved += us(spared(packed(text, us(string.size)), us(string.size)));
        }
        let text = record.get(start - moved..)?;
        Some(text.get(..size).unwrap_or(text))
    }

    /// The record's final size; see the module's story for when there is none.
    fn finish(&mut self, desc: &EcbDesc) {
        let silent = match desc.actions.as_slice() {
            [] => false,
            [only] if only.kind == act::SPECULATE => false,
            actions => !actions.iter().any(|action| for_consumer(action.kind)),
        };
        if self.size == RECORD_HEADER && silent {
            self.size = 0;
        }
        self.size = self.size.next_multiple_of(8);
    }
}

/// Bytes that a string of a packed record takes; `size` is the most that it may have.
fn packed(text: &[u8], size: usize) -> usize {
    let text = text.get(..size).unwrap_or(text);
    text.iter().position(|byte| *byte == 0).map_or(size, |len| len + 1).next_multiple_of(8)
}

/// Bytes that a packed record spares with a string of so many bytes, NUL included, that may have
/// `size`.
#[inline(always)]
pub(crate) const fn spared(len: usize, size: usize) -> u32 {
    u32_of(size.next_multiple_of(8).saturating_sub(len.next_multiple_of(8)))
}

/// Whether the consumer has something to do for an action even if it records no datum.
const fn for_consumer(kind: u16) -> bool {
    act::is_printf_like(kind) || kind == act::LIBACT
}

/// What part an action plays in its ECB.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Record,
    Key,
    Aggregation,
}

/// Finds each aggregating action's tuple: the `ntuple` actions before it.
fn roles(desc: &EcbDesc) -> Result<Vec<Role>, EcbError> {
    let mut roles: Vec<Role> = Vec::with_capacity(desc.actions.len());
    for (action, it) in (0_u32..).zip(&desc.actions) {
        if !act::is_aggregation(it.kind) {
            roles.push(Role::Record);
            continue;
        }
        let wrong = EcbError::Tuple { action, ntuple: it.ntuple };
        let first = action.checked_sub(it.ntuple).filter(|_| it.ntuple > 0).ok_or(wrong)?;
        for role in roles.get_mut(us(first)..).ok_or(wrong)? {
            if *role != Role::Record {
                return Err(wrong);
            }
            *role = Role::Key;
        }
        roles.push(Role::Aggregation);
    }
    Ok(roles)
}

fn align_of_record(record: &RecordDesc) -> u64 {
    match record.size {
        0 | 1 => 1,
        2 => 2,
        4 => 4,
        _ => 8,
    }
}

/// The size of one action's datum, as `dtrace_ecb_action_add` computes it.
fn sized(
    program: &Program,
    config: &ArenaConfig,
    at: u32,
    action: &Action,
) -> Result<RecordDesc, EcbError> {
    let kind = action.kind;
    let ret = return_type(program, at, action)?;
    let wrong = EcbError::Expression { action: at, kind };
    let argument = EcbError::Argument { action: at, kind, arg: action.arg };
    // A process's string is recorded as the bytes that it is.
    let is_user = ret.is_some_and(|ty| ty.flags & tf::BYUREF != 0);
    let is_string = kind == act::IMMSTACK || ret.is_some_and(|ty| ty.is_string()) && !is_user;
    let size = match kind {
        act::DIFEXPR | act::TRACEMEM | act::PRINTM => value_size(ret.ok_or(wrong)?, config),
        act::TRACEMEM_DYNSIZE => {
            ret.filter(|ty| !ty.is_by_ref()).ok_or(wrong)?;
            8
        }
        act::USTACK | act::JSTACK => {
            // DTRACE_USTACK_ARG: frames below, the size of the text above.
            let default =
                if kind == act::JSTACK { config.jstackframes } else { config.ustackframes };
            let frames = frames(u64::from(low32(action.arg)), default).ok_or(argument)?;
            (1 + u64::from(frames)) * 8 + u64::from(high32(action.arg)).next_multiple_of(8)
        }
        act::PRINTF | act::PRINTA | act::SYSTEM | act::FREOPEN | act::LIBACT => {
            ret.map_or(0, |ty| value_size(ty, config))
        }
        act::EXIT => {
            ret.filter(|ty| !ty.is_by_ref()).ok_or(wrong)?;
            4
        }
        act::STACK => u64::from(frames(action.arg, config.stackframes).ok_or(argument)?) * 8,
        act::IMMSTACK => {
            u64::from(frames(action.arg, config.stackframes).ok_or(argument)?)
                * u64::from(IMMSTACK_LINE)
                + 1
        }
        act::SYM | act::MOD => {
            ret.filter(|ty| !ty.is_by_ref() && ty.size == 8).ok_or(wrong)?;
            8
        }
        act::USYM | act::UMOD | act::UADDR => {
            ret.filter(|ty| !ty.is_by_ref() && ty.size == 8).ok_or(wrong)?;
            16
        }
        act::SPECULATE | act::COMMIT | act::DISCARD | act::RAISE | act::CHILL => {
            ret.filter(|ty| !ty.is_by_ref()).ok_or(wrong)?;
            0
        }
        act::STOP | act::BREAKPOINT | act::PANIC => 0,
        _ => return Err(EcbError::Unsupported { action: at, kind }),
    };
    if size > u64::from(MAX_RECORD) {
        return Err(EcbError::TooLarge { size });
    }
    Ok(RecordDesc { action: at, kind, offset: 0, size: u32_of(us64(size)), is_string })
}

fn value_size(ty: DifType, config: &ArenaConfig) -> u64 {
    match ty.size {
        0 if ty.is_string() => u64::from(config.strsize),
        size => u64::from(size),
    }
}

/// Frames that an action's argument (0: the session's default) asks for.
fn frames(arg: u64, default: u32) -> Option<u32> {
    match (low32(arg), high32(arg)) {
        (0, 0) => Some(default),
        (n, 0) if n <= 8192 => Some(n),
        _ => None,
    }
}

fn return_type(program: &Program, at: u32, action: &Action) -> Result<Option<DifType>, EcbError> {
    let Some(index) = action.difo else { return Ok(None) };
    let difo = program.difos.get(us(index.0));
    difo.map(|difo| Some(difo.ret)).ok_or(EcbError::NoDifo { action: at, difo: index.0 })
}

fn agg_desc(
    program: &Program,
    at: u32,
    action: &Action,
    mut key: Vec<RecordDesc>,
) -> Result<AggDesc, EcbError> {
    let kind = action.kind;
    let ret = return_type(program, at, action)?;
    let needs_value = kind != agg::COUNT;
    if needs_value && ret.is_none_or(|ty| ty.is_by_ref()) {
        return Err(EcbError::Expression { action: at, kind });
    }
    let tuple = EcbError::Tuple { action: at, ntuple: action.ntuple };
    if key.is_empty() {
        return Err(tuple);
    }
    let varid = key.remove(0);
    if varid.kind != act::DIFEXPR || varid.is_string || varid.size > 8 {
        return Err(EcbError::Expression { action: varid.action, kind: varid.kind });
    }
    if key.len() > MAX_KEY_ELEMENTS {
        return Err(tuple);
    }
    let is_weight = |last: &RecordDesc| last.kind == act::DIFEXPR && last.size == 0;
    let weight = if key.last().is_some_and(is_weight) { key.pop().map(|w| w.action) } else { None };
    if let Some(odd) =
        key.iter().find(|k| !may_be_key(k.kind) || k.size > MAX_STRSIZE || k.size == 0)
    {
        return Err(EcbError::Unsupported { action: odd.action, kind: odd.kind });
    }
    let argument = EcbError::Argument { action: at, kind, arg: action.arg };
    let values = crate::arena::aggfunc::value_words(kind, action.arg).ok_or(argument)?;
    Ok(AggDesc { action: at, kind, arg: action.arg, values, varid: varid.action, weight, key })
}

/// The most elements of an aggregation's key.
pub const MAX_KEY_ELEMENTS: usize = 32;

const fn may_be_key(kind: u16) -> bool {
    matches!(
        kind,
        act::DIFEXPR
            | act::STACK
            | act::IMMSTACK
            | act::SYM
            | act::MOD
            | act::USYM
            | act::UMOD
            | act::UADDR
            | act::USTACK
            | act::JSTACK
            | act::TRACEMEM
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of stack has its own number of frames where the script does not say one.
    #[test]
    fn stacks_have_frames_of_their_own() {
        let config = ArenaConfig {
            stackframes: 3,
            ustackframes: 5,
            jstackframes: 7,
            ..ArenaConfig::default()
        };
        let size = |kind, arg| {
            let action = Action { kind, difo: None, ntuple: 0, arg, format: None, uarg: 0 };
            sized(&Program::default(), &config, 0, &action).unwrap().size
        };
        assert_eq!((size(act::STACK, 0), size(act::STACK, 2)), (3 * 8, 2 * 8));
        // One more word for the process's number; a text's size is above the frames.
        assert_eq!((size(act::USTACK, 0), size(act::USTACK, 2)), (6 * 8, 3 * 8));
        assert_eq!((size(act::JSTACK, 0), size(act::JSTACK, 2 | (9 << 32))), (8 * 8, 3 * 8 + 16));
    }
}
