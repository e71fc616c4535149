//! Feeds any bytes to everything that reads a guest: the descriptor's parser, and the readers of
//! probe and symbol batches.
#![no_main]

use hypercall::{Descriptor, PAGE_SIZE, Request, probe_entries, symbol_entries};
use libfuzzer_sys::fuzz_target;
use zerocopy::IntoBytes;

fuzz_target!(|data: &[u8]| {
    let mut descriptor = Descriptor::ZERO;
    let filled = data.len().min(PAGE_SIZE);
    descriptor.as_mut_bytes()[..filled].copy_from_slice(&data[..filled]);
    if let Ok(Request::Fire { fire, stack, nested: _ }) = descriptor.parse() {
        assert_eq!(stack.len(), fire.nstack as usize * 8);
    }
    let Some((count, batch)) = data.split_first() else { return };
    let count = u32::from(*count);
    for probe in probe_entries(batch, count).flatten() {
        let mut copy = [0; 4096];
        assert!(probe.write(&mut copy).is_some());
    }
    let _ = symbol_entries(batch, count).flatten().count();
});
