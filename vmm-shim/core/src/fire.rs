//! A FIRE descriptor as the tracing core sees it.
//!
//! Nothing is copied before a script asks for it: most ask for a word or two. A guest whose other
//! vCPUs write to the page meanwhile changes what its own trace says. The two things that are
//! handed out as bytes, name and stack, are copied at their first use.

use std::cell::{Cell, OnceCell};
use std::mem::offset_of;

use dif::env::{Fault, FaultKind};
use host::context::{FireContext, Jail, KernelStack};
use hypercall::{
    Behind, Descriptor, Fire, Header, Nested, Place, head_place, nested_word, place, text,
};
use npt::{AddressSpace, Cr3, Direct, Failure, GuestCache, Gva, NestedCache};
use zerocopy::IntoBytes;

use crate::memory::GuestRam;
use crate::nested::InnerGuest;
use crate::page::Page;
use crate::shim::{Machine, Vcpu};

/// Arguments of a probe.
const ARGS: usize = 10;

/// Bytes of a process's name.
const NAME: usize = 32;

/// One fire of a guest's probe.
pub(crate) struct GuestFire<'a> {
    page: Page<'a>,
    /// What was checked: stack and inner guest lie in the page as it says.
    behind: Behind,
    memory: &'a GuestRam,
    /// Becomes `deep` when a script looks beyond the descriptor's words, which few do.
    vcpu: Cell<Option<&'a mut Vcpu>>,
    deep: OnceCell<Option<Deep<'a>>>,
    name: OnceCell<[u8; NAME]>,
    /// The vCPU of the guest's own guest on this CPU, copied at its first use.
    inner: OnceCell<Option<Nested>>,
    stack: OnceCell<&'a [u8]>,
    /// The last failure of memory access.
    failure: Cell<Option<Failure>>,
}

/// What a look at the guest's memory needs, or one at what is handed out as bytes. It is small: what
/// is made in a cell is copied there.
struct Deep<'a> {
    machine: &'a Machine,
    /// The vCPU's own; `begin_fire` was called.
    cache: &'a GuestCache,
    /// For the guest's own guests; `begin_fire` is called when `inner` is filled.
    nested: &'a NestedCache,
    /// Where the stack goes; taken when it does.
    room: Cell<Option<&'a mut Descriptor>>,
}

impl<'a> GuestFire<'a> {
    /// A fire whose page passed `check_fire`.
    #[inline(always)]
    pub(crate) fn new(
        page: Page<'a>,
        behind: Behind,
        memory: &'a GuestRam,
        vcpu: &'a mut Vcpu,
    ) -> Self {
        Self {
            page,
            behind,
            memory,
            vcpu: Cell::new(Some(vcpu)),
            deep: OnceCell::new(),
            name: OnceCell::new(),
            inner: OnceCell::new(),
            stack: OnceCell::new(),
            failure: Cell::new(None),
        }
    }

    /// The machine and the vCPU's caches; `None` if the guest has just gone.
    #[inline]
    fn deep(&self) -> Option<&Deep<'a>> {
        self.deep.get_or_init(|| self.dive()).as_ref()
    }

    #[inline(never)]
    fn dive(&self) -> Option<Deep<'a>> {
        let Vcpu { page, machine, translations, nested, .. } = self.vcpu.take()?;
        let machine = machine.load().as_deref()?;
        translations.begin_fire();
        let room = Cell::new(Some(&mut **page));
        Some(Deep { machine, cache: translations, nested, room })
    }

    /// The field at a place of FIRE's body, 64 bits of it.
    #[inline(always)]
    fn get(&self, offset: usize) -> u64 {
        self.page.field(place(offset))
    }

    /// A field of 32 bits.
    #[inline(always)]
    fn get32(&self, offset: usize) -> u32 {
        low(self.get(offset))
    }

    /// The guest's CR3, as the kernel sees it.
    #[inline]
    fn cr3(&self) -> u64 {
        self.page.field(head_place(offset_of!(Header, cr3)))
    }

    /// The page tables of the current process.
    #[inline]
    fn user_cr3(&self) -> u64 {
        let user = self.get(offset_of!(Fire, user_cr3));
        if user == 0 { self.cr3() } else { user }
    }

    /// The guest's memory under these page tables.
    #[inline]
    fn space(&self, cr3: u64) -> Option<AddressSpace<'a, GuestRam, Direct, &'a GuestCache>> {
        let deep = self.deep()?;
        let paging = deep.machine.paging.with_cr3(Cr3(cr3));
        Some(AddressSpace::new(self.memory, paging, Direct).with_cache(deep.cache))
    }

    /// Copies the stack, a word at a time, into the vCPU's own memory.
    #[cold]
    fn copy_stack(&self) -> &'a [u8] {
        const FIRST: Place = place(size_of::<Fire>());
        let Some(room) = self.deep().and_then(|deep| deep.room.take()) else { return &[] };
        let frames = usize::try_from(self.behind.frames()).unwrap_or(0);
        let words = room.body.bytes_mut().as_chunks_mut().0;
        for (to, at) in words.iter_mut().take(frames).zip(FIRST.word..) {
            *to = self.page.word(at).to_le_bytes();
        }
        room.body.bytes().get(..frames * 8).unwrap_or_default()
    }

    /// The vCPU behind the stack, if `check_fire` found one there.
    #[cold]
    fn copy_inner(&self, nested: &NestedCache) -> Option<Nested> {
        if !self.behind.has_nested() {
            return None;
        }
        nested.begin_fire();
        let mut inner = Nested::ZERO;
        let words = inner.as_mut_bytes().as_chunks_mut().0;
        for (to, at) in words.iter_mut().zip(nested_word(self.behind.frames())..) {
            *to = self.page.word(at).to_le_bytes();
        }
        Some(inner)
    }

    /// The pointer at an offset of a kernel structure.
    fn pointer(&self, base: u64, offset: u32) -> Option<u64> {
        let mut word = [0; 8];
        self.read_kernel(base.checked_add(offset.into())?, &mut word).ok()?;
        Some(u64::from_le_bytes(word)).filter(|&pointer| pointer != 0)
    }

    /// What a script is told of an address that does not translate.
    #[cold]
    fn fault(&self, failure: Failure) -> Fault {
        self.failure.set(Some(failure));
        Fault::at(FaultKind::BadAddr, failure.gva.0)
    }

    fn copy_name(&self) -> [u8; NAME] {
        const FIRST: Place = place(offset_of!(Fire, execname));
        let mut name = [0; NAME];
        for (to, at) in name.as_chunks_mut().0.iter_mut().zip(FIRST.word..) {
            *to = self.page.word(at).to_le_bytes();
        }
        name
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting to the low half is the purpose")]
const fn low(word: u64) -> u32 {
    word as u32
}

/// What a script is told of any address where there is no guest, or no inner one.
#[cold]
fn gone(addr: u64) -> Fault {
    Fault::at(FaultKind::BadAddr, addr)
}

impl FireContext for GuestFire<'_> {
    #[inline]
    fn arg(&self, index: usize) -> u64 {
        if index < ARGS { self.page.word(place(offset_of!(Fire, args)).word + index) } else { 0 }
    }
    #[inline]
    fn pid(&self) -> u32 {
        self.get32(offset_of!(Fire, pid))
    }
    fn tid(&self) -> u32 {
        self.get32(offset_of!(Fire, tid))
    }
    fn ppid(&self) -> u32 {
        self.get32(offset_of!(Fire, ppid))
    }
    fn uid(&self) -> u32 {
        self.get32(offset_of!(Fire, uid))
    }
    fn gid(&self) -> u32 {
        self.get32(offset_of!(Fire, gid))
    }
    fn cpu(&self) -> u32 {
        low(self.page.field(head_place(offset_of!(Header, cpu))))
    }
    /// Along the thread's credentials; a thread that has none yet is in no jail.
    fn jail(&self) -> Option<Jail> {
        let jails = self.deep()?.machine.jails?;
        let cred = self.pointer(self.thread(), jails.thread_ucred)?;
        let prison = self.pointer(cred, jails.ucred_prison)?;
        let mut id = [0; 4];
        self.read_kernel(prison.checked_add(jails.prison_id.into())?, &mut id).ok()?;
        let name = prison.checked_add(jails.prison_name.into())?;
        Some(Jail { id: u32::from_le_bytes(id), name })
    }
    fn errno(&self) -> i32 {
        self.get32(offset_of!(Fire, errno)).cast_signed()
    }
    fn thread(&self) -> u64 {
        self.get(offset_of!(Fire, thread))
    }
    fn vtimestamp(&self) -> u64 {
        self.get(offset_of!(Fire, vtimestamp))
    }
    fn execname(&self) -> &[u8] {
        text(self.name.get_or_init(|| self.copy_name()))
    }
    fn ip(&self) -> u64 {
        self.get(offset_of!(Fire, ip))
    }
    fn kernel_stack(&self) -> KernelStack<'_> {
        KernelStack::new(self.stack.get_or_init(|| self.copy_stack()))
    }
    fn read_kernel(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        self.space(self.cr3())
            .ok_or_else(|| gone(addr))?
            .read(Gva(addr), buf)
            .map_err(|failure| self.fault(failure))
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let space = self.space(self.user_cr3()).ok_or_else(|| gone(addr))?;
        space.as_user().read(Gva(addr), buf).map_err(|failure| self.fault(failure))
    }
    /// By frame pointers: what code compiled without them called does not show.
    fn user_stack(&self, frames: &mut [u64]) -> usize {
        let ip = self.get(offset_of!(Fire, user_ip));
        let (Some(first), true) = (frames.first_mut(), ip != 0) else { return 0 };
        *first = ip;
        let Some(space) = self.space(self.user_cr3()).map(AddressSpace::as_user) else { return 1 };
        let mut fp = self.get(offset_of!(Fire, user_fp));
        let mut count = 1;
        for frame in frames.iter_mut().skip(1) {
            let mut pair = [[0; 8]; 2];
            if !fp.is_multiple_of(8) || space.read(Gva(fp), pair.as_flattened_mut()).is_err() {
                break;
            }
            let [next, back] = pair.map(u64::from_le_bytes);
            if back == 0 {
                break;
            }
            *frame = back;
            count += 1;
            // Stacks grow down, so callers' frames lie higher; anything else is no frame.
            if next <= fp {
                break;
            }
            fp = next;
        }
        count
    }
    fn write_user(&self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        if !self.deep().is_some_and(|deep| deep.machine.destructive) {
            return Err(Fault::at(FaultKind::UPriv, addr));
        }
        let space = self.space(self.user_cr3()).ok_or_else(|| gone(addr))?;
        space.as_user().write(Gva(addr), bytes).map_err(|failure| self.fault(failure))
    }
    fn read_nested(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let deep = self.deep().ok_or_else(|| gone(addr))?;
        let inner = self.inner.get_or_init(|| self.copy_inner(deep.nested)).as_ref();
        let inner = InnerGuest::new(inner.ok_or_else(|| gone(addr))?, deep.nested);
        let done = inner.read(self.memory, deep.machine.paging.mode(), Gva(addr), buf);
        done.map_err(|failure| self.fault(failure))
    }
    fn why(&self, addr: u64) -> u64 {
        let failure = self.failure.get();
        failure.filter(|failure| failure.gva.0 == addr).map_or(0, |f| f.pack())
    }
    fn symbolize(&self, addr: u64, out: &mut [u8]) -> usize {
        self.deep().map_or(0, |deep| deep.machine.symbols.symbolize(addr, out))
    }
}
