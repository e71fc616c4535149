//! FIRE as the firing path reads it: no copy of the page, each word that is checked read once.
//!
//! A descriptor is 512 words of eight bytes. [`check_fire`] reads the few that say whether the call
//! is sound and hands out what it read; everything else a fire carries (arguments, identity) has
//! no wrong value and is read by [`place`] when a script asks for it, or never.

use crate::calls::{Fire, Nested};
use crate::descriptor::{BODY_SIZE, Header};
use crate::values::{AbiVersion, Call, Context, NestedKind, Status};
use crate::{MAGIC, MAX_STACK};

/// The first word of a FIRE descriptor: magic, version, call.
pub const FIRE_WORD: u64 =
    MAGIC as u64 | (AbiVersion::LATEST.raw() as u64) << 32 | (Call::Fire.raw() as u64) << 48;

/// Number of the word whose low half names a FIRE's probe.
pub const FIRE_PROBE: usize = place(core::mem::offset_of!(Fire, probe)).word;

/// Where a field lies: the word's number, and how many bits are below it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the 8-byte word in the page.
    pub word: usize,
    /// Bits of the word below the field.
    pub shift: u32,
}

/// Where in a descriptor a field of FIRE's body lies: `place(offset_of!(Fire, pid))`.
#[must_use]
pub const fn place(offset: usize) -> Place {
    in_page(size_of::<Header>() + offset)
}

/// Where in a descriptor a field of its head lies.
#[must_use]
pub const fn head_place(offset: usize) -> Place {
    in_page(offset)
}

const fn in_page(offset: usize) -> Place {
    Place { word: offset / 8, shift: low(offset as u64 % 8) * 8 }
}

/// What a sound FIRE has behind its fixed part: words of stack, and bit 31 if there is a [`Nested`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind(u32);

impl Behind {
    const NESTED: u32 = 1 << 31;

    /// Nothing, as most have.
    pub const NOTHING: Self = Self(0);

    /// Words of kernel stack behind the fixed part; they lie within the body.
    #[must_use]
    pub const fn frames(self) -> u32 {
        self.0 & !Self::NESTED
    }

    /// Whether a [`Nested`] of a known kind lies behind them, within the body.
    #[must_use]
    pub const fn has_nested(self) -> bool {
        self.0 & Self::NESTED != 0
    }
}

/// Number of the page's word where the [`Nested`] behind a stack of so many words begins.
#[must_use]
pub const fn nested_word(frames: u32) -> usize {
    (size_of::<Header>() + size_of::<Fire>()) / 8 + frames as usize
}

/// Whether a page that begins with [`FIRE_WORD`] is a FIRE with nothing behind its fixed part, sound
/// and as guests send it: no status yet. Of any other [`check_fire`] says what it is. `probe` is what
/// was read of word [`FIRE_PROBE`], and `word` reads any other of the page's 512 words.
///
/// # Context
/// The firing path; reads every word at most once.
#[inline(always)]
pub fn is_plain_fire(probe: u64, word: impl Fn(usize) -> u64) -> bool {
    const FIXED: u64 = size_of::<Fire>() as u64;
    const USUAL: u64 = FIXED << 32 | u32::MAX as u64;
    let (length, stack) = (word(LENGTH), word(STACK));
    let short = Context::all().difference(Context::NESTED);
    let strange = (probe >> 32) & !u64::from(short.bits());
    (length ^ USUAL) | strange | u64::from(low(stack)) == 0
}

const LENGTH: usize = core::mem::offset_of!(Header, status) / 8;
const STACK: usize = place(core::mem::offset_of!(Fire, nstack)).word;

/// Checks a page that begins with [`FIRE_WORD`], as [`crate::Descriptor::parse`] would; `probe` and
/// `word` are as with [`is_plain_fire`].
///
/// # Context
/// The firing path; reads every word at most once.
///
/// # Errors
/// As `parse`: [`Status::BadLength`], [`Status::BadArgument`].
pub fn check_fire(probe: u64, word: impl Fn(usize) -> u64) -> Result<Behind, Status> {
    const MOST: u64 = BODY_SIZE as u64;
    const FIXED: u64 = size_of::<Fire>() as u64;
    let (length, frames) = (word(LENGTH) >> 32, low(word(STACK)));
    // One comparison for both ends.
    if length.wrapping_sub(FIXED) > MOST - FIXED {
        return Err(Status::BadLength);
    }
    if (probe >> 32) & !u64::from(Context::all().bits()) != 0 {
        return Err(Status::BadArgument);
    }
    if frames as usize > MAX_STACK || FIXED + u64::from(frames) * 8 > length {
        return Err(Status::BadLength);
    }
    let has_nested = low(probe >> 32) & u32::from(Context::NESTED.bits()) != 0;
    if has_nested {
        check_nested(&word, frames, length)?;
        return Ok(Behind(frames | Behind::NESTED));
    }
    Ok(Behind(frames))
}

/// Whether the body holds a [`Nested`] behind the stack.
#[cold]
fn check_nested(word: &impl Fn(usize) -> u64, frames: u32, length: u64) -> Result<(), Status> {
    const KIND: usize = core::mem::offset_of!(Nested, kind) / 8;
    let end = nested_word(frames) * 8 + size_of::<Nested>();
    if length < (end - size_of::<Header>()) as u64 {
        return Err(Status::BadLength);
    }
    match NestedKind::from_raw(low(word(nested_word(frames) + KIND))) {
        Some(_) => Ok(()),
        None => Err(Status::BadArgument),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting to the low half is the purpose")]
const fn low(word: u64) -> u32 {
    word as u32
}

const _: () = {
    assert!(core::mem::offset_of!(Header, length) == core::mem::offset_of!(Header, status) + 4);
    assert!(core::mem::offset_of!(Fire, present) == core::mem::offset_of!(Fire, probe) + 4);
    assert!(core::mem::offset_of!(Nested, kind) % 8 == 0);
    assert!(core::mem::offset_of!(Fire, probe) % 8 == 0);
    assert!(core::mem::offset_of!(Fire, nstack) % 8 == 0);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Descriptor, Request};
    use proptest::prelude::*;
    use zerocopy::{FromBytes, IntoBytes};

    fn word(page: &Descriptor, at: usize) -> u64 {
        u64::read_from_bytes(&page.as_bytes()[at * 8..at * 8 + 8]).expect("eight bytes")
    }

    proptest! {
        /// The short way says of every page what the parser says.
        #[test]
        fn agrees_with_the_parser(
            length in prop_oneof![Just(232_u32), 0_u32..=4100, any::<u32>()],
            status in prop_oneof![Just(u32::MAX), any::<u32>()],
            present in prop_oneof![0_u32..70, any::<u32>()],
            frames in prop_oneof![0_u32..480, any::<u32>()],
            probe in any::<u32>(), fill in prop_oneof![0_u8..4, any::<u8>()],
            kind in 0_u8..4,
        ) {
            let mut page = Descriptor::ZERO;
            page.as_mut_bytes().fill(fill);
            page.header = Header { length, status, ..Header::ZERO };
            page.header.magic = MAGIC;
            page.header.version = AbiVersion::LATEST.raw();
            page.header.call = Call::Fire.raw();
            let mut put = |at: usize, value: u32| {
                page.body.bytes_mut()[at..at + 4].copy_from_slice(&value.to_le_bytes());
            };
            put(core::mem::offset_of!(Fire, probe), probe);
            put(core::mem::offset_of!(Fire, present), present);
            put(core::mem::offset_of!(Fire, nstack), frames);
            let kind_at = nested_word(frames.min(500)) * 8 + 40;
            if let Some(place) = page.as_mut_bytes().get_mut(kind_at..kind_at + 4) {
                place.copy_from_slice(&u32::from(kind).to_le_bytes());
            }
            prop_assert_eq!(word(&page, 0), FIRE_WORD);
            let parsed = page.parse().map(|request| match request {
                Request::Fire { fire, stack, nested } => {
                    (fire.probe, stack.len() / 8, nested.is_some())
                }
                _ => (0, 0, false),
            });
            let probe = word(&page, FIRE_PROBE);
            let short = check_fire(probe, |at| word(&page, at)).map(|h| (low(probe), h.frames() as usize, h.has_nested()));
            prop_assert_eq!(short, parsed);
        }
    }

    /// A field's place leads to the field.
    #[test]
    fn places_lead_to_fields() {
        let mut page = Descriptor::ZERO;
        let fire = Fire { tid: 0x1234, user_cr3: 77, errno: -3, ..Fire::ZERO };
        page.body.bytes_mut()[..size_of::<Fire>()].copy_from_slice(fire.as_bytes());
        page.header.cpu = 9;
        let get = |place: Place| word(&page, place.word) >> place.shift;
        assert_eq!(low(get(place(core::mem::offset_of!(Fire, tid)))), 0x1234);
        assert_eq!(get(place(core::mem::offset_of!(Fire, user_cr3))), 77);
        assert_eq!(low(get(place(core::mem::offset_of!(Fire, errno)))), (-3_i32).cast_unsigned());
        assert_eq!(low(get(head_place(core::mem::offset_of!(Header, cpu)))), 9);
    }
}
