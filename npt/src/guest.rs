//! The first dimension: the guest's own paging, whatever its mode.

use core::marker::PhantomData;

use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

use crate::addr::{Cr3, Gpa, Gva, Hpa, PageSize, PhysWidth};
use crate::failure::{Access, During, Failure, Reason};
use crate::geometry::{Bits32, Format, Long4, Long5, Pae, Rules, bits, pse36_reserved, x86};
use crate::memory::PhysMemory;
use crate::nested::{NestedPage, Rights, SecondDimension, Wanted};
use crate::walk::{Entries, Leaf, Remembering, Stop, Trail, Unexplained, Verdict, walk};

/// A guest's paging mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PagingMode {
    /// CR0.PG clear: linear addresses are physical, 32 bits wide.
    Off,
    /// 32-bit paging: two levels of 4-byte entries.
    Bits32,
    /// PAE: three levels, 32-bit linear addresses.
    Pae,
    /// 4-level paging, 48-bit linear addresses.
    Level4,
    /// 5-level paging (LA57), 57-bit linear addresses.
    Level5,
}

impl PagingMode {
    #[inline(always)]
    const fn is_canonical(self, gva: Gva) -> bool {
        // The bits that must all equal the sign bit, and that bit.
        let shift = match self {
            Self::Off | Self::Bits32 | Self::Pae => return gva.0 >> 32 == 0,
            Self::Level4 => 47,
            Self::Level5 => 56,
        };
        // Counted from the most negative address on, the canonical ones come first.
        gva.0.wrapping_add(1 << shift) >> (shift + 1) == 0
    }
}

/// How a guest's CPU translates: mode, root, and what the CPU holds for reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuestPaging {
    mode: PagingMode,
    root: u64,
    rules: Rules,
    /// Mode, width and features, packed: 12 bits. The rules follow from it.
    cpu: u16,
}

impl GuestPaging {
    /// 4-level paging with no-execute, large pages of every size and 52-bit physical addresses:
    /// what every 64-bit kernel runs with.
    #[must_use]
    pub const fn level4(cr3: Cr3) -> Self {
        Self::build(PagingMode::Level4, true, true, PhysWidth::MAX).with_cr3(cr3)
    }

    /// As [`GuestPaging::level4`], with five levels.
    #[must_use]
    pub const fn level5(cr3: Cr3) -> Self {
        Self::build(PagingMode::Level5, true, true, PhysWidth::MAX).with_cr3(cr3)
    }

    /// From a vCPU's control registers.
    ///
    /// With PAE, the four top entries are read from memory at each walk, where the processor keeps
    /// the copy it made when CR3 was loaded; a guest that edits them without reloading is read as
    /// if it had.
    #[must_use]
    pub const fn from_registers(
        cr0: Cr0Flags,
        cr3: Cr3,
        cr4: Cr4Flags,
        efer: EferFlags,
        width: PhysWidth,
    ) -> Self {
        let mode = if !cr0.contains(Cr0Flags::PAGING) {
            PagingMode::Off
        } else if !cr4.contains(Cr4Flags::PHYSICAL_ADDRESS_EXTENSION) {
            PagingMode::Bits32
        } else if !efer.contains(EferFlags::LONG_MODE_ACTIVE) {
            PagingMode::Pae
        } else if cr4.contains(Cr4Flags::L5_PAGING) {
            PagingMode::Level5
        } else {
            PagingMode::Level4
        };
        let large = cr4.contains(Cr4Flags::PAGE_SIZE_EXTENSION);
        let no_execute = efer.contains(EferFlags::NO_EXECUTE_ENABLE);
        Self::build(mode, no_execute, large, width).with_cr3(cr3)
    }

    /// `large` matters in 32-bit paging only: the other modes have large pages whatever CR4.PSE.
    const fn build(mode: PagingMode, no_execute: bool, large: bool, width: PhysWidth) -> Self {
        let mut rules = Rules {
            reserved: width.reserved() | if no_execute { 0 } else { x86::NO_EXECUTE },
            reserved_large: 0,
            large,
            mode_based_execute: false,
            execute_only: false,
        };
        if matches!(mode, PagingMode::Bits32) {
            rules.reserved = 0;
            rules.reserved_large = pse36_reserved(width);
        }
        let cpu = (mode as u16) << 8
            | (width.bits() as u16) << 2
            | (no_execute as u16) << 1
            | large as u16;
        Self { mode, root: 0, rules, cpu }
    }

    /// The same CPU with another root: on a fire only CR3 changes.
    #[inline]
    #[must_use]
    pub const fn with_cr3(mut self, cr3: Cr3) -> Self {
        self.root = match self.mode {
            PagingMode::Off => 0,
            PagingMode::Bits32 => cr3.0 & bits(31, 12),
            PagingMode::Pae => cr3.0 & bits(31, 5),
            PagingMode::Level4 | PagingMode::Level5 => cr3.0 & bits(51, 12),
        };
        self
    }

    /// The same CPU without 1 GiB pages (CPUID `0x8000_0001`, EDX bit 26 clear): entries that
    /// claim to map one have a reserved bit set.
    #[must_use]
    pub const fn without_gib1(mut self) -> Self {
        if matches!(self.mode, PagingMode::Level4 | PagingMode::Level5) {
            self.rules.reserved_large = x86::LARGE;
            self.cpu |= 1 << 11;
        }
        self
    }

    /// Root and CPU in one number: different for any two that may translate differently. The root
    /// is below bit 52.
    #[inline(always)]
    pub(crate) const fn identity(&self) -> u64 {
        self.root | (self.cpu as u64) << 52
    }

    /// The mode.
    #[must_use]
    pub const fn mode(&self) -> PagingMode {
        self.mode
    }

    /// Where the top table lies.
    #[must_use]
    pub const fn root(&self) -> Gpa {
        Gpa(self.root)
    }

    /// Whether the mode can form that linear address.
    #[inline]
    #[must_use]
    pub const fn is_canonical(&self, gva: Gva) -> bool {
        self.mode.is_canonical(gva)
    }
}

/// A translated address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The guest physical address.
    pub gpa: Gpa,
    /// Where its byte lies, for [`PhysMemory`].
    pub hpa: Hpa,
    /// The guest's page; `None` if the guest's paging is off.
    pub guest_page: Option<PageSize>,
    /// The nested page; `None` if the second dimension has no pages (slots).
    pub nested_page: Option<PageSize>,
    /// How many bytes from here on are translated alike: to the end of the smaller page, or of
    /// the slot. At least 1.
    pub run: u64,
    /// What both dimensions together permit.
    pub rights: Rights,
}

/// Both dimensions over one memory.
#[derive(Debug)]
pub struct Walker<'a, M: ?Sized, N: ?Sized> {
    memory: &'a M,
    nested: &'a N,
}

// By hand: deriving would ask what is only borrowed to be `Copy`.
impl<M: ?Sized, N: ?Sized> Copy for Walker<'_, M, N> {}

impl<M: ?Sized, N: ?Sized> Clone for Walker<'_, M, N> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, M: ?Sized, N: ?Sized> Walker<'a, M, N> {
    /// A walker over `nested`, over `memory`.
    #[inline]
    #[must_use]
    pub const fn new(memory: &'a M, nested: &'a N) -> Self {
        Self { memory, nested }
    }

    /// The memory.
    #[inline]
    #[must_use]
    pub const fn memory(&self) -> &'a M {
        self.memory
    }

    /// The second dimension.
    #[inline]
    #[must_use]
    pub const fn nested(&self) -> &'a N {
        self.nested
    }
}

impl<M: PhysMemory + ?Sized, N: SecondDimension> Walker<'_, M, N> {
    /// Translates one address for `access`, as a supervisor or as a `user`, showing `trail` every
    /// qword that decided it (`&mut ()` keeps none).
    ///
    /// # Errors
    /// [`Failure`]: in which dimension, at which level and why not.
    #[inline]
    pub fn translate<T: Trail>(
        &self,
        paging: &GuestPaging,
        gva: Gva,
        access: Access,
        user: bool,
        trail: &mut T,
    ) -> Result<Translation, Failure> {
        let asked = Asked { paging, gva, access, user };
        match self.by_mode::<_, Unexplained>(asked, &mut Remembering::new(trail)) {
            Ok(found) => Ok(found),
            Err(Unexplained) => self.explain(asked, trail),
        }
    }

    /// The walk again, for the reason.
    #[cold]
    fn explain<T: Trail>(&self, asked: Asked<'_>, trail: &mut T) -> Result<Translation, Failure> {
        self.by_mode::<T, Stop<Failure>>(asked, trail).map_err(|stop| match stop {
            Stop::Read(failure) => failure,
            Stop::Entry(level, reason) => Failure::guest(asked.gva, level, reason),
            Stop::Denied(level, lacking) => {
                let user = lacking & x86::USER != 0;
                let denied = Reason::Permission(asked.access);
                Failure::guest(asked.gva, level, if user { Reason::Supervisor } else { denied })
            }
        })
    }

    #[inline(always)]
    fn by_mode<T: Trail, V: GuestVerdict<M, N>>(
        &self,
        asked: Asked<'_>,
        trail: &mut T,
    ) -> Result<Translation, V> {
        let mode = asked.paging.mode;
        // The most frequent first; and each with its mode as a constant.
        match mode {
            PagingMode::Level4 => self.paged::<Long4, T, V>(PagingMode::Level4, asked, trail),
            PagingMode::Level5 => self.paged::<Long5, T, V>(PagingMode::Level5, asked, trail),
            PagingMode::Pae => self.paged::<Pae, T, V>(PagingMode::Pae, asked, trail),
            PagingMode::Bits32 => self.paged::<Bits32, T, V>(PagingMode::Bits32, asked, trail),
            PagingMode::Off => self.unpaged::<T, V>(asked, trail),
        }
    }

    fn unpaged<T: Trail, V: GuestVerdict<M, N>>(
        &self,
        asked: Asked<'_>,
        trail: &mut T,
    ) -> Result<Translation, V> {
        if !PagingMode::Off.is_canonical(asked.gva) {
            return Err(V::entry(0, Reason::NonCanonical));
        }
        let gpa = Gpa(asked.gva.0);
        // Without paging there is no user bit: every linear address is a user-mode address.
        let wanted = Wanted { access: asked.access, user: true };
        let nested = V::page(self, asked.gva, gpa, wanted, trail)?;
        Ok(join(gpa, None, Rights::all(), nested))
    }

    #[inline(always)]
    fn paged<F: Format, T: Trail, V: GuestVerdict<M, N>>(
        &self,
        mode: PagingMode,
        asked: Asked<'_>,
        trail: &mut T,
    ) -> Result<Translation, V> {
        let Asked { paging, gva, access, user } = asked;
        if !mode.is_canonical(gva) {
            return Err(V::entry(0, Reason::NonCanonical));
        }
        let required = x86::required(access, user);
        let entries = GuestEntries {
            walker: self,
            gva,
            bytes: F::ENTRY_BYTES,
            trail: &mut *trail,
            verdict: PhantomData,
        };
        let leaf = walk::<F, _>(paging.root, gva.0, &paging.rules, required, entries)?;
        let rights = rights_of(&leaf);
        let wanted = Wanted { access, user: rights.contains(Rights::USER) };
        let gpa = Gpa(leaf.address);
        let nested = V::page(self, gva, gpa, wanted, trail)?;
        Ok(join(gpa, Some(leaf.page), rights, nested))
    }
}

/// One question to the walker.
#[derive(Clone, Copy)]
struct Asked<'a> {
    paging: &'a GuestPaging,
    gva: Gva,
    access: Access,
    user: bool,
}

/// A verdict on a guest walk, and how it asks the second dimension: with or without reasons.
trait GuestVerdict<M: ?Sized, N>: Verdict + Sized {
    /// Where the page is.
    fn page<T: Trail>(
        walker: &Walker<'_, M, N>,
        gva: Gva,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, Self>;

    /// Where a table's word is. A passive reader needs read permission only, where the processor,
    /// which may set accessed bits, can need write.
    fn table<T: Trail>(
        walker: &Walker<'_, M, N>,
        gva: Gva,
        gpa: Gpa,
        level: u8,
        trail: &mut T,
    ) -> Result<Hpa, Self>;

    /// A table's word lies where there is no memory.
    fn outside(gva: Gva, gpa: Gpa, level: u8) -> Self;
}

impl<M: PhysMemory + ?Sized, N: SecondDimension> GuestVerdict<M, N> for Unexplained {
    #[inline(always)]
    fn page<T: Trail>(
        walker: &Walker<'_, M, N>,
        _gva: Gva,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, Self> {
        walker.nested.find(walker.memory, gpa, wanted, trail).ok_or(Self)
    }

    #[inline(always)]
    fn table<T: Trail>(
        walker: &Walker<'_, M, N>,
        _gva: Gva,
        gpa: Gpa,
        _level: u8,
        trail: &mut T,
    ) -> Result<Hpa, Self> {
        walker.nested.find_table(walker.memory, gpa, trail).ok_or(Self)
    }

    #[inline(always)]
    fn outside(_gva: Gva, _gpa: Gpa, _level: u8) -> Self {
        Self
    }
}

impl<M: PhysMemory + ?Sized, N: SecondDimension> GuestVerdict<M, N> for Stop<Failure> {
    fn page<T: Trail>(
        walker: &Walker<'_, M, N>,
        gva: Gva,
        gpa: Gpa,
        wanted: Wanted,
        trail: &mut T,
    ) -> Result<NestedPage, Self> {
        let found = walker.nested.resolve(walker.memory, gpa, wanted, trail);
        found.map_err(|stop| Self::Read(stop.of(gva, gpa, During::Page)))
    }

    fn table<T: Trail>(
        walker: &Walker<'_, M, N>,
        gva: Gva,
        gpa: Gpa,
        level: u8,
        trail: &mut T,
    ) -> Result<Hpa, Self> {
        let found = walker.nested.resolve(walker.memory, gpa, Wanted::TABLE, trail);
        found
            .map(|page| page.hpa)
            .map_err(|stop| Self::Read(stop.of(gva, gpa, During::Table { level })))
    }

    fn outside(gva: Gva, gpa: Gpa, level: u8) -> Self {
        Self::Read(outside(gva, gpa, During::Table { level }))
    }
}

/// The guest's tables, each of whose addresses is translated too.
struct GuestEntries<'a, 'w, M: ?Sized, N, T, V> {
    walker: &'a Walker<'w, M, N>,
    gva: Gva,
    bytes: u64,
    trail: &'a mut T,
    verdict: PhantomData<V>,
}

impl<M, N, T, V> Entries for GuestEntries<'_, '_, M, N, T, V>
where
    M: PhysMemory + ?Sized,
    N: SecondDimension,
    T: Trail,
    V: GuestVerdict<M, N>,
{
    type Error = V;

    #[inline(always)]
    fn entry(&mut self, at: u64, level: u8) -> Result<u64, V> {
        let hpa = V::table(self.walker, self.gva, Gpa(at), level, self.trail)?;
        let qword = Hpa(hpa.0 & !7);
        let Some(value) = self.walker.memory.read_u64(qword) else {
            return Err(V::outside(self.gva, Gpa(at), level));
        };
        self.trail.saw(qword, value);
        Ok(entry_of(value, at, self.bytes))
    }
}

/// The entry at `at` out of the aligned qword around it.
#[inline(always)]
pub(crate) const fn entry_of(qword: u64, at: u64, entry_bytes: u64) -> u64 {
    if entry_bytes == 8 { qword } else { (qword >> ((at & 4) * 8)) & bits(31, 0) }
}

/// The memory behind the second dimension does not hold what `gpa` was translated to.
#[cold]
pub(crate) const fn outside(gva: Gva, gpa: Gpa, during: During) -> Failure {
    crate::failure::NestedFailure { level: 0, reason: Reason::OutsideMemory }.of(gva, gpa, during)
}

/// A guest leaf's permissions.
#[inline(always)]
fn rights_of(leaf: &Leaf) -> Rights {
    let mut rights = Rights::READ;
    rights.set(Rights::WRITE, leaf.granted & x86::WRITE != 0);
    rights.set(Rights::USER, leaf.granted & x86::USER != 0);
    rights.set(Rights::EXECUTE, leaf.granted & x86::NO_EXECUTE != 0);
    rights
}

/// The two dimensions' answers as one.
#[inline(always)]
fn join(gpa: Gpa, page: Option<PageSize>, rights: Rights, nested: NestedPage) -> Translation {
    let page_end = match page {
        Some(size) => size.bytes() - gpa.offset_in(size),
        // The last byte without paging is 4 GiB's.
        None => (1 << 32) - gpa.0,
    };
    Translation {
        gpa,
        hpa: nested.hpa,
        guest_page: page,
        nested_page: nested.page,
        run: page_end.min(nested.run),
        rights: rights & (nested.rights | Rights::USER),
    }
}
