//! The numbers that name things, so that none is taken for another.

/// A machine's own probe; 0 is its `dtrace:::ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

impl ProbeId {
    /// The machine's `dtrace:::ERROR`, which its engine fires itself.
    pub const ERROR: Self = Self(0);
}

/// An enabled probe: (machine, probe, ECB), numbered by the consumer from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epid(pub u32);

/// Who fires: an index into the arena's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// Who fires, counted within one engine (a VM's vCPU number, a host CPU): a session adds its
/// slot base to get the [`SlotId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalSlot(pub u32);

/// A machine of a session, numbered by the consumer; 0 is the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u32);

/// One ECB of the loaded program on one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enabling {
    /// The machine's probe.
    pub probe: ProbeId,
    /// Which ECB of the loaded program ([`dif::program::EcbIndex`]).
    pub ecb: u32,
    /// What its records say they are.
    pub epid: Epid,
    /// The probe's number as users see it (`id`).
    pub id: u32,
}

impl Enabling {
    /// Bytes of one enabling in a control blob.
    pub const SIZE: usize = 16;

    /// Little-endian: probe, ecb, epid, id.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        for (place, word) in
            out.chunks_exact_mut(4).zip([self.probe.0, self.ecb, self.epid.0, self.id])
        {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Inverse of [`Enabling::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let word = |at: usize| {
            bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
        };
        Self { probe: ProbeId(word(0)), ecb: word(4), epid: Epid(word(8)), id: word(12) }
    }
}
