//! Nested page tables as a second dimension: Intel's EPT and AMD's NPT.

use core::marker::PhantomData;

use crate::addr::{Eptp, Gpa, Hpa, NestedCr3, PhysWidth};
use crate::failure::{Access, NestedFailure, Reason};
use crate::geometry::{
    Bits32, Ept4, Ept5, Format, Npt4, Npt5, Pae, Rules, bits, ept, pse36_reserved, x86,
};
use crate::guest::entry_of;
use crate::memory::PhysMemory;
use crate::nested::{NestedPage, Rights, SecondDimension, Wanted};
use crate::walk::{Entries, Leaf, Shortcut, Stop, Trail, Unexplained, Verdict, walk};

/// Intel's extended page tables.
///
/// Ignored, as a passive reader may: suppress-#VE (bit 63), sub-page permissions, paging-write and
/// verify-paging bits, the accessed and dirty bits and whether they are on. With them on, the
/// processor takes its own reads of guest tables for writes; reading needs only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ept {
    root: u64,
    five_levels: bool,
    rules: Rules,
    width: PhysWidth,
}

/// A value that no VM entry would accept as an EPT pointer (SDM volume 3, "VM-execution control
/// fields", EPTP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EptpError {
    /// Bits 2:0 are neither 0 (uncacheable) nor 6 (write-back).
    #[error("EPT pointer: memory type {0}")]
    MemoryType(u8),
    /// Bits 5:3 plus one are neither 4 nor 5 levels.
    #[error("EPT pointer: {0} levels")]
    Levels(u8),
    /// Reserved bits are set: these.
    #[error("EPT pointer: reserved bits {0:#x}")]
    Reserved(u64),
}

impl Ept {
    /// Decodes an EPT pointer for a CPU of that physical width. Bit 7 (supervisor shadow stack
    /// control) and bit 6 (accessed and dirty bits) do not concern a reader.
    ///
    /// # Errors
    /// [`EptpError`]: what a VM entry would refuse.
    pub fn decode(eptp: Eptp, width: PhysWidth) -> Result<Self, EptpError> {
        let field = |high, low| u8::try_from((eptp.0 & bits(high, low)) >> low).unwrap_or(u8::MAX);
        match field(2, 0) {
            0 | 6 => {}
            other => return Err(EptpError::MemoryType(other)),
        }
        let five_levels = match field(5, 3) {
            3 => false,
            4 => true,
            other => return Err(EptpError::Levels(other.saturating_add(1))),
        };
        let reserved = eptp.0 & (bits(11, 8) | bits(63, 52) | width.reserved());
        if reserved != 0 {
            return Err(EptpError::Reserved(reserved));
        }
        let rules = Rules {
            reserved: width.reserved(),
            reserved_large: 0,
            large: true,
            mode_based_execute: false,
            execute_only: true,
        };
        let root = eptp.0 & bits(51, 12);
        Ok(Self { root, five_levels, rules, width })
    }

    /// With "mode-based execute control for EPT" (a secondary processor-based VM-execution
    /// control): bit 10 permits execution of user-mode addresses, bit 2 of supervisor-mode ones.
    #[must_use]
    pub const fn with_mode_based_execute(mut self) -> Self {
        self.rules.mode_based_execute = true;
        self
    }

    /// For a CPU without execute-only pages (`IA32_VMX_EPT_VPID_CAP` bit 0 clear).
    #[must_use]
    pub const fn without_execute_only(mut self) -> Self {
        self.rules.execute_only = false;
        self
    }

    /// For a CPU without 1 GiB nested pages (`IA32_VMX_EPT_VPID_CAP` bit 17 clear).
    #[must_use]
    pub const fn without_gib1(mut self) -> Self {
        self.rules.reserved_large = x86::LARGE;
        self
    }

    /// The bit that permits execution of an address.
    #[inline(always)]
    const fn execute(&self, user: bool) -> u64 {
        if self.rules.mode_based_execute && user { ept::EXECUTE_USER } else { ept::EXECUTE }
    }
}

impl Ept {
    /// One walk for one kind of verdict.
    #[inline(always)]
    fn walk<M: PhysMemory + ?Sized, T: Trail, V: NestedVerdict>(
        &self,
        memory: &M,
        gpa: Gpa,
        required: u64,
        trail: &mut T,
    ) -> Result<Leaf, V> {
        let tables = Tables { root: self.root, rules: &self.rules, required, address: gpa.0 };
        if self.five_levels {
            tables.walk::<Ept5, M, T, V>(memory, trail, 57)
        } else {
            tables.walk::<Ept4, M, T, V>(memory, trail, 48)
        }
    }

    #[inline(always)]
    fn page(&self, leaf: &Leaf, user: bool) -> NestedPage {
        let mut rights = Rights::empty();
        rights.set(Rights::READ, leaf.granted & ept::READ != 0);
        rights.set(Rights::WRITE, leaf.granted & ept::WRITE != 0);
        rights.set(Rights::EXECUTE, leaf.granted & self.execute(user) != 0);
        page_of(leaf, rights)
    }
}

impl SecondDimension for Ept {
    fn find<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Option<NestedPage> {
        let required = ept::required(wanted.access, self.execute(wanted.user));
        let leaf = self.walk::<M, T, Unexplained>(memory, gpa, required, trail).ok()?;
        Some(self.page(&leaf, wanted.user))
    }

    fn find_table<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        trail: &mut T,
    ) -> Option<Hpa> {
        let leaf = self.walk::<M, T, Unexplained>(memory, gpa, ept::READ, trail).ok()?;
        Some(Hpa(leaf.address))
    }

    #[cold]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        let required = ept::required(wanted.access, self.execute(wanted.user));
        self.walk::<M, T, Stop<NestedFailure>>(memory, gpa, required, trail)
            .map(|leaf| self.page(&leaf, wanted.user))
            .map_err(|stop| explain(stop, wanted.access, 0))
    }

    #[inline]
    fn identity(&self) -> u64 {
        let features = u64::from(self.five_levels)
            | u64::from(self.rules.mode_based_execute) << 1
            | u64::from(self.rules.execute_only) << 2
            | u64::from(self.rules.reserved_large != 0) << 3;
        identity(self.root, KIND_EPT, self.width, features)
    }
}

/// The paging mode of the host whose nested tables these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NptMode {
    /// A 32-bit host without PAE.
    Bits32,
    /// A 32-bit host with PAE.
    Pae,
    /// A 64-bit host with 4-level paging.
    Level4,
    /// A 64-bit host with 5-level paging.
    Level5,
}

/// AMD's nested page tables: the host's own formats, and every access through them is a user's,
/// so user must be permitted at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Npt {
    root: u64,
    mode: NptMode,
    rules: Rules,
    width: PhysWidth,
}

impl Npt {
    /// The tables at `root` in a host with no-execute enabled and large pages of every size.
    #[must_use]
    pub const fn new(root: NestedCr3, mode: NptMode, width: PhysWidth) -> Self {
        let wide = matches!(mode, NptMode::Level4 | NptMode::Level5 | NptMode::Pae);
        let rules = Rules {
            reserved: if wide { width.reserved() } else { 0 },
            reserved_large: if wide { 0 } else { pse36_reserved(width) },
            large: true,
            mode_based_execute: false,
            execute_only: false,
        };
        let root = match mode {
            NptMode::Bits32 => root.0 & bits(31, 12),
            NptMode::Pae => root.0 & bits(31, 5),
            NptMode::Level4 | NptMode::Level5 => root.0 & bits(51, 12),
        };
        Self { root, mode, rules, width }
    }

    /// For a host that runs with EFER.NXE clear: bit 63 is reserved.
    #[must_use]
    pub const fn without_no_execute(mut self) -> Self {
        if !matches!(self.mode, NptMode::Bits32) {
            self.rules.reserved |= x86::NO_EXECUTE;
        }
        self
    }
}

impl Npt {
    /// One walk for one kind of verdict.
    #[inline(always)]
    fn walk<M: PhysMemory + ?Sized, T: Trail, V: NestedVerdict>(
        &self,
        memory: &M,
        gpa: Gpa,
        access: Access,
        trail: &mut T,
    ) -> Result<Leaf, V> {
        let required = x86::required(access, true);
        let tables = Tables { root: self.root, rules: &self.rules, required, address: gpa.0 };
        match self.mode {
            NptMode::Bits32 => tables.walk::<Bits32, M, T, V>(memory, trail, 32),
            NptMode::Pae => tables.walk::<Pae, M, T, V>(memory, trail, 32),
            NptMode::Level4 => tables.walk::<Npt4, M, T, V>(memory, trail, 48),
            NptMode::Level5 => tables.walk::<Npt5, M, T, V>(memory, trail, 57),
        }
    }

    #[inline(always)]
    fn page(leaf: &Leaf) -> NestedPage {
        let mut rights = Rights::READ;
        rights.set(Rights::WRITE, leaf.granted & x86::WRITE != 0);
        rights.set(Rights::EXECUTE, leaf.granted & x86::NO_EXECUTE != 0);
        page_of(leaf, rights)
    }
}

impl SecondDimension for Npt {
    fn find<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Option<NestedPage> {
        let leaf = self.walk::<M, T, Unexplained>(memory, gpa, wanted.access, trail).ok()?;
        Some(Self::page(&leaf))
    }

    fn find_table<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        trail: &mut T,
    ) -> Option<Hpa> {
        let leaf = self.walk::<M, T, Unexplained>(memory, gpa, Access::Read, trail).ok()?;
        Some(Hpa(leaf.address))
    }

    #[cold]
    fn resolve<M: PhysMemory + ?Sized, T: Trail>(
        &self,
        memory: &M,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, NestedFailure> {
        self.walk::<M, T, Stop<NestedFailure>>(memory, gpa, wanted.access, trail)
            .map(|leaf| Self::page(&leaf))
            .map_err(|stop| explain(stop, wanted.access, x86::USER))
    }

    fn identity(&self) -> u64 {
        let mode = match self.mode {
            NptMode::Bits32 => 0,
            NptMode::Pae => 1,
            NptMode::Level4 => 2,
            NptMode::Level5 => 3,
        };
        let no_execute = self.rules.reserved & x86::NO_EXECUTE == 0;
        identity(self.root, KIND_NPT, self.width, mode | u64::from(no_execute) << 2)
    }
}

const KIND_EPT: u64 = 1;
const KIND_NPT: u64 = 2;

/// Root (below bit 52, a multiple of 32) and CPU in one number: features are bits 3:0, the kind
/// is bits 53:52, the width above.
#[inline]
fn identity(root: u64, kind: u64, width: PhysWidth, features: u64) -> u64 {
    root | features | kind << 52 | u64::from(width.bits()) << 54
}

/// A verdict that can also take up what goes wrong in memory.
trait NestedVerdict: Verdict {
    /// No entry is at fault, or it could not be read.
    fn failed(level: u8, reason: Reason) -> Self;
}

impl NestedVerdict for Unexplained {
    #[inline(always)]
    fn failed(_level: u8, _reason: Reason) -> Self {
        Self
    }
}

impl NestedVerdict for Stop<NestedFailure> {
    fn failed(level: u8, reason: Reason) -> Self {
        Self::Read(NestedFailure { level, reason })
    }
}

/// What a stop means; `user` is the format's bit for access in user mode.
fn explain(stop: Stop<NestedFailure>, access: Access, user: u64) -> NestedFailure {
    match stop {
        Stop::Read(failure) => failure,
        Stop::Entry(level, reason) => NestedFailure { level, reason },
        Stop::Denied(level, lacking) if lacking & user != 0 => {
            NestedFailure { level, reason: Reason::Supervisor }
        }
        Stop::Denied(level, _) => NestedFailure { level, reason: Reason::Permission(access) },
    }
}

/// Nested tables lie in memory as they are.
struct NestedEntries<'a, M: ?Sized, T, V> {
    memory: &'a M,
    bytes: u64,
    trail: &'a mut T,
    verdict: PhantomData<V>,
}

impl<M: PhysMemory + ?Sized, T: Trail, V: NestedVerdict> Entries for NestedEntries<'_, M, T, V> {
    type Error = V;

    #[inline(always)]
    fn entry(&mut self, at: u64, level: u8) -> Result<u64, V> {
        let qword = Hpa(at & !7);
        let Some(value) = self.memory.read_u64(qword) else {
            return Err(V::failed(level, Reason::OutsideMemory));
        };
        self.trail.saw(qword, value);
        Ok(entry_of(value, at, self.bytes))
    }

    #[inline(always)]
    fn shortcut(&self, address: u64) -> Option<Shortcut> {
        self.trail.shortcut(address)
    }

    #[inline(always)]
    fn keep(&mut self, shortcut: Shortcut) {
        self.trail.keep(shortcut);
    }
}

/// One walk of nested tables.
struct Tables<'a> {
    root: u64,
    rules: &'a Rules,
    required: u64,
    address: u64,
}

impl Tables<'_> {
    #[inline(always)]
    fn walk<F: Format, M: PhysMemory + ?Sized, T: Trail, V: NestedVerdict>(
        &self,
        memory: &M,
        trail: &mut T,
        width: u32,
    ) -> Result<Leaf, V> {
        if self.address >> width != 0 {
            return Err(V::failed(0, Reason::TooWide));
        }
        let entries = NestedEntries { memory, bytes: F::ENTRY_BYTES, trail, verdict: PhantomData };
        walk::<F, _>(self.root, self.address, self.rules, self.required, entries)
    }
}

#[inline(always)]
fn page_of(leaf: &Leaf, rights: Rights) -> NestedPage {
    let size = leaf.page.bytes();
    let run = size - (leaf.address & (size - 1));
    NestedPage { hpa: Hpa(leaf.address), page: Some(leaf.page), run, rights }
}
