//! The guest's RAM in this process, and the page tables that say the same of it.
//!
//! RAM is a file that bhyve's stand-in maps a second time, at guest-physical 0. Here it lies at
//! [`BASE`], below 2 GiB, since kernel code has addresses of 32 bits that are sign-extended: in a
//! kernel they are the last 2 GiB, here the first.

use anyhow::{Context as _, Result, ensure};
use std::os::fd::RawFd;

/// Where RAM begins, as the guest sees it.
pub const BASE: u64 = 0x1000_0000;

/// Bytes of RAM.
pub const SIZE: u64 = 128 << 20;

/// Where the page of user memory lies, as the guest's processes see it.
pub const USER: u64 = 0x40_0000;

/// Its place in RAM.
pub const USER_AT: u64 = 0x8_0000;

/// Objects are loaded from here on, each behind the one before; nothing is ever loaded where
/// something was before, so that what still points there faults.
const IMAGES: u64 = 1 << 20;

/// The kernel's heap, up to the end of RAM.
pub const HEAP: u64 = 24 << 20;

/// RAM that was mapped.
#[derive(Debug)]
pub struct Ram {
    next: u64,
    tables: u64,
    /// The root of the kernel's page tables, guest-physical.
    pub kernel_root: u64,
    /// The root of the page tables that a process has: the kernel's, and a page of its own.
    pub user_root: u64,
}

const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const FOR_USER: u64 = 4;
const LARGE: u64 = 1 << 7;

impl Ram {
    /// Maps the file, which is [`SIZE`] bytes long, and writes page tables into it.
    ///
    /// # Errors
    /// If the addresses are taken.
    pub fn map(file: RawFd) -> Result<Self> {
        let (base, size) = (usize::try_from(BASE)?, usize::try_from(SIZE)?);
        // SAFETY: fresh addresses: the call fails if something is there.
        let at = unsafe {
            libc::mmap(
                std::ptr::without_provenance_mut(base),
                size,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE,
                file,
                0,
            )
        };
        ensure!(
            at.addr() == base,
            "RAM cannot lie at {base:#x}: {}",
            std::io::Error::last_os_error()
        );
        let mut ram = Self { next: IMAGES, tables: 0x1000, kernel_root: 0, user_root: 0 };
        ram.kernel_root = ram.root()?;
        ram.user_root = ram.root()?;
        ram.map_page(ram.user_root, USER, USER_AT, PRESENT | WRITE | FOR_USER)?;
        Ok(ram)
    }

    /// A root that maps RAM for the kernel: by small pages where images are, by large ones above.
    fn root(&mut self) -> Result<u64> {
        let root = self.table()?;
        for gpa in (0..HEAP).step_by(4096) {
            self.map_page(root, BASE + gpa, gpa, PRESENT | WRITE)?;
        }
        for gpa in (HEAP..SIZE).step_by(2 << 20) {
            let entry = self.entry(root, BASE + gpa, 1)?;
            write(entry, gpa | PRESENT | WRITE | LARGE)?;
        }
        Ok(root)
    }

    fn map_page(&mut self, root: u64, gva: u64, gpa: u64, bits: u64) -> Result<()> {
        let entry = self.entry(root, gva, 0)?;
        write(entry, gpa | bits)
    }

    /// The guest-physical address of the entry of an address at a level, 0 the last; tables on the
    /// way are made.
    fn entry(&mut self, root: u64, gva: u64, level: u32) -> Result<u64> {
        let mut table = root;
        for above in (level + 1..4).rev() {
            let at = table + index(gva, above) * 8;
            let mut value = read(at)?;
            if value & PRESENT == 0 {
                // The bit for the user does no harm above: the last level decides.
                value = self.table()? | PRESENT | WRITE | FOR_USER;
                write(at, value)?;
            }
            table = value & !0xfff;
        }
        Ok(table + index(gva, level) * 8)
    }

    /// A fresh page for a table; a fresh file is zeros.
    fn table(&mut self) -> Result<u64> {
        let table = self.tables;
        self.tables += 4096;
        ensure!(self.tables <= USER_AT, "no room for page tables");
        Ok(table)
    }

    /// Room for an object, page-aligned, at an address that never had one.
    ///
    /// # Errors
    /// If there is none left.
    pub fn image(&mut self, bytes: u64) -> Result<u64> {
        let at = self.next;
        let end = bytes.checked_next_multiple_of(4096).and_then(|bytes| at.checked_add(bytes));
        // A page stays free between two, so that running over an end faults in neither.
        self.next = end.filter(|&end| end < HEAP - 4096).context("no room for objects")? + 4096;
        Ok(BASE + at)
    }

    /// Takes an object's memory away: whatever still runs or reads there faults.
    ///
    /// # Errors
    /// If it is no memory of ours.
    pub fn forget(&self, gva: u64, bytes: u64) -> Result<()> {
        let len = usize::try_from(bytes.next_multiple_of(4096))?;
        let at = pointer(gva, len)?;
        // SAFETY: pages of the mapping above, of which nothing in Rust has a reference.
        let failed = unsafe { libc::mprotect(at.cast(), len, libc::PROT_NONE) };
        ensure!(failed == 0, "mprotect: {}", std::io::Error::last_os_error());
        Ok(())
    }
}

/// The page of user memory, where the kernel sees it.
#[must_use]
pub const fn user_page() -> u64 {
    BASE + USER_AT
}

fn index(gva: u64, level: u32) -> u64 {
    gva >> (12 + 9 * level) & 511
}

/// A place in RAM, if all of it is there.
///
/// # Errors
/// If it is not.
pub fn pointer(gva: u64, len: usize) -> Result<*mut u8> {
    let end = gva.checked_add(len as u64).context("an address beyond all addresses")?;
    ensure!(gva >= BASE && end <= BASE + SIZE, "{gva:#x} is not in RAM");
    // The mapping is the file's, not Rust's: its addresses are all there is.
    Ok(std::ptr::with_exposed_provenance_mut(usize::try_from(gva)?))
}

/// Whether guest code may lie there.
#[must_use]
pub const fn contains(address: u64) -> bool {
    address >= BASE && address < BASE + SIZE
}

/// Copies bytes into RAM.
///
/// # Errors
/// If the place is not in RAM.
pub fn put(gva: u64, bytes: &[u8]) -> Result<()> {
    let to = pointer(gva, bytes.len())?;
    // SAFETY: within the mapping, which is writable and no Rust reference's.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    Ok(())
}

fn write(gpa: u64, value: u64) -> Result<()> {
    put(BASE + gpa, &value.to_le_bytes())
}

fn read(gpa: u64) -> Result<u64> {
    let from = pointer(BASE + gpa, 8)?;
    // SAFETY: within the mapping, and aligned: tables are.
    Ok(u64::from_le(unsafe { from.cast::<u64>().read() }))
}
