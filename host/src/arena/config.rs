//! What an arena is made for: sizes, policies, variables.

use alloc::{collections::BTreeMap, vec::Vec};

use dif::{
    difo::{DifVar, Difo},
    env::Scope,
    number::var,
    opcode::{Instr, Op},
    program::Program,
};
use thiserror::Error;

use crate::num::{round_up, u32_of, u64_of};

/// What a principal buffer does when it is full: `bufpolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum BufPolicy {
    /// Drop what does not fit until the consumer has made room.
    #[default]
    Switch = 0,
    /// Drop everything from then on; the session ends.
    Fill = 1,
    /// Overwrite the oldest.
    Ring = 2,
}

impl BufPolicy {
    /// Reads the number back.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Switch),
            1 => Some(Self::Fill),
            2 => Some(Self::Ring),
            _ => None,
        }
    }
}

/// How a variable's value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarKind {
    /// By value, in 8 bytes; `var_update` cuts it to `size`.
    Scalar,
    /// By reference: `size` bytes.
    Bytes,
    /// By reference: a string of at most `size` bytes with its NUL.
    String,
}

/// A variable of the script, the same in all of a session's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarSpec {
    /// Where it lives.
    pub scope: Scope,
    /// Its id, from [`var::OTHER_UBASE`].
    pub id: u16,
    /// It is an associative array.
    pub is_array: bool,
    /// How its value, or an element's, is kept.
    pub kind: VarKind,
    /// Bytes of a value; for a string at least 1.
    pub size: u32,
}

impl VarSpec {
    /// What a DIFO's variable table says of a variable of the script; `None` for a built-in.
    #[must_use]
    pub fn from_dif(entry: &DifVar, strsize: u32) -> Option<Self> {
        let id = u16::try_from(entry.id).ok().filter(|id| *id >= var::OTHER_UBASE)?;
        let kind = if entry.ty.is_string() {
            VarKind::String
        } else if entry.ty.is_by_ref() {
            VarKind::Bytes
        } else {
            VarKind::Scalar
        };
        let size = match (kind, entry.ty.size) {
            (VarKind::String, 0) => strsize,
            (VarKind::Scalar, 0) => 8,
            (_, size) => size,
        };
        Some(Self { scope: entry.scope, id, is_array: entry.is_array, kind, size })
    }

    /// Whether its elements are dynamic variables.
    #[must_use]
    pub const fn is_dynamic(&self) -> bool {
        self.is_array || matches!(self.scope, Scope::Thread)
    }

    /// Words of 8 bytes a value takes.
    pub(crate) const fn value_words(&self) -> u32 {
        match self.kind {
            VarKind::Scalar => 1,
            VarKind::Bytes | VarKind::String => self.size.div_ceil(8),
        }
    }
}

/// Everything that decides an arena's layout. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArenaConfig {
    /// Slots: vCPUs of all machines that may join, and one for the consumer.
    pub nslots: u32,
    /// Principal buffer of a slot.
    pub bufsize: u64,
    /// What happens when it is full.
    pub bufpolicy: BufPolicy,
    /// One of a slot's two aggregation buffers.
    pub aggsize: u64,
    /// All dynamic variables.
    pub dynvarsize: u64,
    /// A string with its NUL.
    pub strsize: u32,
    /// Speculations.
    pub nspec: u32,
    /// A speculation's buffer in one slot.
    pub specsize: u64,
    /// Frames of `stack()` without an argument.
    pub stackframes: u32,
    /// Frames of `ustack()` without an argument.
    pub ustackframes: u32,
    /// Frames and string bytes of `jstack()` without arguments.
    pub jstackframes: u32,
    /// String bytes of `jstack()`.
    pub jstackstrsize: u32,
    /// Destructive actions are allowed (`-w`).
    pub destructive: bool,
    /// `walltimestamp` minus `timestamp`.
    pub wall_offset: u64,
    /// Words of 8 bytes that the longest key of a dynamic variable takes.
    pub key_words: u32,
    /// The script's variables.
    pub vars: Vec<VarSpec>,
}

impl Default for ArenaConfig {
    fn default() -> Self {
        Self {
            nslots: 1,
            bufsize: 4 << 20,
            bufpolicy: BufPolicy::Switch,
            aggsize: 4 << 20,
            dynvarsize: 1 << 20,
            strsize: 256,
            nspec: 1,
            specsize: 32 << 10,
            stackframes: 20,
            ustackframes: 20,
            jstackframes: 50,
            jstackstrsize: 512,
            destructive: false,
            wall_offset: 0,
            key_words: 8,
            vars: Vec::new(),
        }
    }
}

/// Why an arena cannot be what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A number is outside its range.
    #[error("{what} is {value}, which is not in {min}..={max}")]
    Range {
        /// Which.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// Two programs disagree about a variable.
    #[error("variable {id:#x} has different types in two programs or two of a program's objects")]
    VarConflict {
        /// Its id.
        id: u16,
    },
    /// Dynamic variables do not fit: not even one of the longest.
    #[error("dynvarsize {have} is too small: one dynamic variable takes {need} bytes")]
    DynvarTooSmall {
        /// What was asked for.
        have: u64,
        /// What one takes.
        need: u64,
    },
}

/// The most slots.
pub const MAX_SLOTS: u32 = 4096;
/// The most variables.
pub const MAX_VARS: u32 = 65_536;
/// The longest string.
pub const MAX_STRSIZE: u32 = 64 << 10;
/// The largest buffer of a slot.
pub const MAX_BUFFER: u64 = 1 << 34;
/// The smallest buffer of a slot, as in classic DTrace.
pub const MIN_BUFFER: u64 = 8;
/// The smallest memory that an aggregation buffer takes: its table's head, and no room for a key.
pub(crate) const MIN_AGGREGATION: u64 = 72;
/// Buffers from here on are whole pages.
const PAGED: u64 = 64 << 10;
/// The most speculations.
pub const MAX_SPECULATIONS: u32 = 1024;
/// The longest key of a dynamic variable, in words.
pub const MAX_KEY_WORDS: u32 = 64 << 10;

/// Words that every key starts with: its variable, machine and thread id, thread, shape.
pub const KEY_HEAD_WORDS: u32 = 4;

impl ArenaConfig {
    /// Adds the variables of a program and makes room for its keys.
    ///
    /// # Errors
    /// [`ConfigError::VarConflict`].
    pub fn add_program(&mut self, program: &Program) -> Result<(), ConfigError> {
        let mut known: BTreeMap<(u8, u16), VarSpec> =
            self.vars.iter().map(|v| ((scope_raw(v.scope), v.id), *v)).collect();
        for entry in program.difos.iter().flat_map(|difo| &difo.vars) {
            let Some(spec) = VarSpec::from_dif(entry, self.strsize) else { continue };
            match known.insert((scope_raw(spec.scope), spec.id), spec) {
                Some(other) if other != spec => {
                    return Err(ConfigError::VarConflict { id: spec.id });
                }
                _ => {}
            }
        }
        self.vars = known.into_values().collect();
        for difo in &program.difos {
            self.key_words = self.key_words.max(key_words(difo, self.strsize));
        }
        Ok(())
    }

    /// Halves the buffers until the arena takes at most `limit` bytes, as classic DTrace's
    /// `bufresize=auto` does. Returns whether anything was halved.
    pub fn fit(&mut self, limit: u64) -> bool {
        let (bufsize, aggsize, specsize) = (self.bufsize, self.aggsize, self.specsize);
        while self.slot_bytes().saturating_mul(u64::from(self.nslots)) > limit {
            let largest = self.bufsize.max(self.aggsize).max(self.specsize);
            if largest <= MIN_BUFFER {
                break;
            }
            for size in [&mut self.bufsize, &mut self.aggsize, &mut self.specsize] {
                if *size == largest {
                    *size = (*size / 2).max(MIN_BUFFER);
                }
            }
        }
        (bufsize, aggsize, specsize) != (self.bufsize, self.aggsize, self.specsize)
    }

    fn slot_bytes(&self) -> u64 {
        self.bufsize
            .saturating_add(self.aggsize.saturating_mul(2))
            .saturating_add(self.specsize.saturating_mul(u64::from(self.nspec)))
    }

    /// Rounds buffers down to whole words, as classic DTrace does, and large ones up to whole pages of
    /// 4 KiB.
    pub fn round_buffers(&mut self) {
        for size in [&mut self.bufsize, &mut self.aggsize, &mut self.specsize] {
            let whole = (*size & !7).max(MIN_BUFFER);
            *size = if whole < PAGED { whole } else { round_up(*size, 4096) };
        }
    }

    /// Bytes of one speculation's buffer in one slot, its counter included.
    #[must_use]
    pub const fn spec_bytes(&self) -> u64 {
        round_up(self.specsize, 8)
    }

    /// Checks every number's range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] for the first that is outside.
    pub fn check(&self) -> Result<(), ConfigError> {
        let buffer = |what, value| range(what, value, MIN_BUFFER, MAX_BUFFER);
        range("nslots", u64::from(self.nslots), 1, u64::from(MAX_SLOTS))?;
        buffer("bufsize", self.bufsize)?;
        buffer("aggsize", self.aggsize)?;
        buffer("specsize", self.specsize)?;
        range("dynvarsize", self.dynvarsize, 0, MAX_BUFFER)?;
        range("strsize", u64::from(self.strsize), 1, u64::from(MAX_STRSIZE))?;
        range("nspec", u64::from(self.nspec), 0, u64::from(MAX_SPECULATIONS))?;
        for (what, frames) in [
            ("stackframes", self.stackframes),
            ("ustackframes", self.ustackframes),
            ("jstackframes", self.jstackframes),
        ] {
            range(what, u64::from(frames), 0, 8192)?;
        }
        range("jstackstrsize", u64::from(self.jstackstrsize), 0, u64::from(MAX_STRSIZE))?;
        range("key length", u64::from(self.key_words), 0, u64::from(MAX_KEY_WORDS))?;
        range("number of variables", u64_of(self.vars.len()), 0, u64::from(MAX_VARS))?;
        for spec in &self.vars {
            range("size of a variable", u64::from(spec.size), 1, u64::from(MAX_STRSIZE))?;
        }
        Ok(())
    }
}

fn range(what: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::Range { what, value, min, max })
    }
}

/// A scope's number in the variable table and in keys.
#[must_use]
pub const fn scope_raw(scope: Scope) -> u8 {
    match scope {
        Scope::Global => 0,
        Scope::Thread => 1,
        Scope::Local => 2,
    }
}

/// Words that the longest key this DIFO can build takes, without [`KEY_HEAD_WORDS`]: a word a
/// scalar, a length word and the bytes for anything else. A size that is not a constant just
/// before counts as a string's; a longer key is dropped when it occurs, and counted.
fn key_words(difo: &Difo, strsize: u32) -> u32 {
    let mut constants = [None; 256];
    let (mut now, mut most) = (0_u32, 0_u32);
    for word in difo.text.iter().map(|word| Instr(*word)) {
        match word.op() {
            Some(Op::Setx) => {
                constants[usize::from(word.rd())] =
                    difo.integers.get(usize::from(word.wide())).copied();
            }
            Some(Op::Pushtv) => now = now.saturating_add(1),
            Some(Op::Pushtr) => {
                let size = constants[usize::from(word.r2())]
                    .filter(|size| *size > 0)
                    .unwrap_or_else(|| u64::from(strsize))
                    .min(u64::from(MAX_STRSIZE));
                now = now.saturating_add(1 + u32_of(crate::num::us64(size.div_ceil(8))));
            }
            Some(Op::Flushts) => now = 0,
            _ => {}
        }
        most = most.max(now);
    }
    most.min(MAX_KEY_WORDS - KEY_HEAD_WORDS)
}
