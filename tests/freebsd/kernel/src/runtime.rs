//! What Rust needs of a kernel: memory, and an end.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

unsafe extern "C" {
    /// malloc(9) of memory that is aligned as asked; it may sleep.
    fn ht_kernel_alloc(size: usize, align: usize) -> *mut u8;
    /// Its opposite.
    fn ht_kernel_free(at: *mut u8);
    /// The kernel's panic(9), with a fixed text.
    safe fn ht_kernel_panic() -> !;
}

struct Malloc;

// SAFETY: malloc(9) gives memory of its own until it is freed.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: size and alignment are a layout's.
        unsafe { ht_kernel_alloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, at: *mut u8, _layout: Layout) {
        // SAFETY: it came from `alloc`.
        unsafe { ht_kernel_free(at) }
    }
}

#[global_allocator]
static MALLOC: Malloc = Malloc;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    ht_kernel_panic()
}
