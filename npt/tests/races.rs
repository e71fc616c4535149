//! Guests that change their tables while they are read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use npt::{
    AddressSpace, Cr3, Direct, Ept, Eptp, GuestCache, GuestPaging, Gva, Hpa, Lookup, NestedCache,
    NoCache, PhysWidth, SecondDimension, Words,
};

const PAGES: usize = 64;
/// Frames from here on hold data, those below tables.
const FIRST_FRAME: u64 = 32;
const FRAMES: u64 = 24;
const ROUNDS: u64 = 60_000;

/// A machine whose virtual page 0 moves from frame to frame. Guest tables in pages 1 to 4, a
/// second last table in page 5; EPT in pages 8 to 11, a second last table in page 12.
struct Machine {
    words: Vec<AtomicU64>,
    /// The newest round that is mapped for sure.
    mapped: AtomicU64,
    /// The newest round that may be mapped already.
    begun: AtomicU64,
}

impl Machine {
    fn new() -> Self {
        let words = (0..PAGES * 512).map(|_| AtomicU64::new(0)).collect();
        let machine = Self { words, mapped: AtomicU64::new(0), begun: AtomicU64::new(0) };
        for page in [1, 2, 3] {
            machine.set(page << 12, ((page + 1) << 12) | 7);
        }
        for page in [8, 9, 10] {
            machine.set(page << 12, ((page + 1) << 12) | 7);
        }
        for table in [11_u64, 12] {
            for page in 0..u64::try_from(PAGES).expect("small numbers") {
                machine.set((table << 12) + page * 8, (page << 12) | 0x37);
            }
        }
        machine.map(0, false);
        machine
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[usize::try_from(at / 8).expect("small numbers")]
    }

    fn set(&self, at: u64, value: u64) {
        self.word(at).store(value, Ordering::Release);
    }

    fn frame(round: u64) -> u64 {
        FIRST_FRAME + round % FRAMES
    }

    /// Writes the round's number into its frame and moves the page there: by the last guest
    /// entry, by exchanging the last guest table, or, with `nested`, by the nested entry of a
    /// frame that stays put in the guest's eyes.
    fn map(&self, round: u64, nested: bool) {
        self.begun.store(round, Ordering::Release);
        let frame = Self::frame(round);
        for word in 0..512 {
            self.set((frame << 12) + word * 8, round);
        }
        if nested {
            let (table, other) = if round.is_multiple_of(2) { (11, 12) } else { (12, 11) };
            if round.is_multiple_of(3) {
                self.set((table << 12) + FIRST_FRAME * 8, (frame << 12) | 0x37);
                self.set(10 << 12, (table << 12) | 7);
            } else {
                self.set((other << 12) + FIRST_FRAME * 8, (frame << 12) | 0x37);
                self.set((table << 12) + FIRST_FRAME * 8, (frame << 12) | 0x37);
            }
        } else if round.is_multiple_of(3) {
            let table = 4 + (round / 3) % 2;
            self.set(table << 12, (frame << 12) | 7);
            self.set(3 << 12, (table << 12) | 7);
        } else {
            self.set(4 << 12, (frame << 12) | 7);
            self.set(5 << 12, (frame << 12) | 7);
        }
        self.mapped.store(round, Ordering::Release);
    }

    /// Reads the page over and over while another thread moves it; each read must give a round
    /// that was mapped between the beginning and the end of that read.
    fn race<N: SecondDimension + Copy, C: Lookup + Copy>(
        &self,
        second: N,
        cache: C,
        begin_fire: impl Fn(),
        nested: bool,
    ) {
        thread::scope(|scope| {
            let guest = scope.spawn(|| (1..=ROUNDS).for_each(|round| self.map(round, nested)));
            let memory = Words::new(Hpa(0), &self.words);
            let paging = GuestPaging::level4(Cr3(0x1000));
            let space = AddressSpace::new(&memory, paging, second).with_cache(cache);
            let mut newest = 0;
            while newest < ROUNDS {
                let before = self.mapped.load(Ordering::Acquire);
                begin_fire();
                let first = space.read_u64(Gva(0)).expect("always mapped");
                let again = space.read_u64(Gva(0xff8)).expect("always mapped");
                let after = self.begun.load(Ordering::Acquire);
                for got in [first, again] {
                    assert!(before <= got && got <= after, "{before} <= {got} <= {after}");
                }
                newest = before;
            }
            guest.join().expect("the guest");
        });
    }
}

#[test]
fn a_walk_sees_a_moving_page_old_or_new() {
    Machine::new().race(Direct, NoCache, || {}, false);
}

#[test]
fn a_cache_never_outlives_a_guest_that_remaps_under_load() {
    let cache = GuestCache::new();
    Machine::new().race(Direct, &cache, || cache.begin_fire(), false);
}

#[test]
fn a_cache_never_outlives_a_host_that_remaps_under_load() {
    let ept = Ept::decode(Eptp(0x8000 | 0x1e), PhysWidth::MAX).expect("an EPT pointer");
    let cache = NestedCache::new();
    Machine::new().race(ept, &cache, || cache.begin_fire(), true);
}

#[test]
fn a_cache_never_outlives_a_guest_that_remaps_behind_nested_tables() {
    let ept = Ept::decode(Eptp(0x8000 | 0x1e), PhysWidth::MAX).expect("an EPT pointer");
    let cache = NestedCache::new();
    Machine::new().race(ept, &cache, || cache.begin_fire(), false);
}

/// A guest that writes rubbish into every table while it is read gets failures or bytes of its own
/// memory; nothing else, and the reader ends.
#[test]
fn rubbish_under_a_reader_does_no_harm() {
    let machine = Machine::new();
    let ept = Ept::decode(Eptp(0x8000 | 0x1e), PhysWidth::MAX).expect("an EPT pointer");
    thread::scope(|scope| {
        let guest = scope.spawn(|| {
            let mut noise = 1_u64;
            for _ in 0..400_000 {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                let at = ((noise >> 8) % (13 << 12)) & !7;
                // Mostly entries that lead on, with a few odd bits.
                machine.set(at, ((noise >> 32) % 80) << 12 | 7 | (noise & (noise >> 24) & 0xff8));
            }
        });
        let memory = Words::new(Hpa(0), &machine.words);
        let cache = NestedCache::new();
        let mut bytes = [0; 600];
        let mut gva = 0_u64;
        while !guest.is_finished() {
            gva = gva.wrapping_add(0x0000_0040_2010_0e00) % (1 << 47);
            cache.begin_fire();
            for paging in [GuestPaging::level4(Cr3(0x1000)), GuestPaging::level5(Cr3(0x1000))] {
                let space = AddressSpace::new(&memory, paging, ept);
                let _ = space.read(Gva(gva), &mut bytes);
                let _ = space.with_cache(&cache).read_c_string(Gva(gva), &mut bytes);
                let _ = space.with_cache(&cache).write(Gva(gva), b"0123456789");
            }
        }
        guest.join().expect("the guest");
    });
}
