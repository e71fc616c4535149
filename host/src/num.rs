//! The few numeric conversions the core needs, in one place.

/// An index or length held in 32 bits, as `usize`.
#[inline]
pub(crate) const fn us(value: u32) -> usize {
    value as usize
}

/// A 64-bit offset as `usize`; saturates where it does not fit, so that a bounds check fails.
#[inline]
pub(crate) const fn us64(value: u64) -> usize {
    if usize::BITS >= 64 {
        #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits in this branch")]
        let fits = value as usize;
        fits
    } else {
        usize::MAX
    }
}

/// A length as 64 bits.
#[inline]
pub(crate) const fn u64_of(value: usize) -> u64 {
    value as u64
}

/// A length as 32 bits, saturating.
#[inline]
pub(crate) const fn u32_of(value: usize) -> u32 {
    if value > u32::MAX as usize {
        u32::MAX
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let fits = value as u32;
        fits
    }
}

/// The low 32 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cutting to the low half is the purpose")]
pub(crate) const fn low32(value: u64) -> u32 {
    value as u32
}

/// The high 32 bits.
#[inline]
pub(crate) const fn high32(value: u64) -> u32 {
    low32(value >> 32)
}

/// Two halves as one word.
#[inline]
pub(crate) const fn join(high: u32, low: u32) -> u64 {
    ((high as u64) << 32) | low as u64
}

/// The low 16 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cutting to the low bits is the purpose")]
pub(crate) const fn low16(value: u64) -> u16 {
    value as u16
}

/// `value` cut to `bytes` bytes (zero-extended).
#[inline]
pub(crate) const fn cut(value: u64, bytes: u32) -> u64 {
    if bytes >= 8 { value } else { value & ((1 << (bytes * 8)) - 1) }
}

/// Rounds up to a power of two `align`; saturating.
#[inline]
pub(crate) const fn round_up(value: u64, align: u64) -> u64 {
    value.saturating_add(align - 1) & !(align - 1)
}
