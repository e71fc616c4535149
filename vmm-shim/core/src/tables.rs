//! What a guest has told of itself: probes, symbols, types, batch by batch.
//!
//! Everything here was copied out of guest memory first and is read from the copy, so the guest
//! cannot change what was checked. Limits hold over all batches; a batch that does not parse to its
//! end leaves the table as it was.

use std::ops::Range;

use hypercall::{
    BatchFlags, MAX_PROBES, MAX_SYMBOLS, ProbeEntry, ProbeHead, ProbeKind, Status, TypeFormat,
    probe_entries, symbol_entries,
};

use crate::plan::ProbeSet;

/// The most bytes of probes a guest may publish.
pub const MAX_PROBE_BYTES: usize = 96 << 20;

/// The most bytes of symbols a guest may publish.
pub const MAX_SYMBOL_BYTES: usize = 64 << 20;

/// The most bytes of types a guest may publish, all containers together.
pub const MAX_TYPE_BYTES: usize = 128 << 20;

/// The most containers of types a guest may publish.
pub const MAX_TYPE_CONTAINERS: usize = 512;

/// A guest's probes.
#[derive(Clone, Debug, Default)]
pub struct ProbeTable {
    /// Entries as the guest wrote them, each with the id that its place gives it. One that is gone
    /// keeps its place and length, with its texts blanked.
    blob: Vec<u8>,
    /// Where each entry begins.
    starts: Vec<u32>,
    /// Probes so far, and so the last one's id.
    count: u32,
    /// The probes there are.
    alive: ProbeSet,
    /// The guest said that the table is complete.
    complete: bool,
}

impl ProbeTable {
    /// Takes a batch in.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for unknown flags, a gap in the ids or entries that do not parse;
    /// [`Status::Limit`].
    pub fn add(
        &mut self,
        batch: &[u8],
        first_id: u32,
        count: u32,
        flags: u32,
    ) -> Result<(), Status> {
        let flags = BatchFlags::from_bits(flags).ok_or(Status::BadArgument)?;
        let first = flags.contains(BatchFlags::FIRST);
        let (bytes, probes) = if first { (0, 0) } else { (self.blob.len(), self.count) };
        if first_id != probes + 1 {
            return Err(Status::BadArgument);
        }
        let total = probes.checked_add(count).filter(|&n| n <= MAX_PROBES).ok_or(Status::Limit)?;
        if bytes + batch.len() > MAX_PROBE_BYTES {
            return Err(Status::Limit);
        }
        if probe_entries(batch, count).any(|entry| entry.is_err()) {
            return Err(Status::BadArgument);
        }
        if first {
            *self = Self::default();
        }
        let mut at = self.blob.len();
        self.blob.extend_from_slice(batch);
        for _ in 0..count {
            self.starts.push(u32::try_from(at).map_err(|_| Status::Limit)?);
            at += self.entry_len(at);
        }
        self.count = total;
        self.alive.extend(first_id, total + 1);
        self.complete |= flags.contains(BatchFlags::LAST);
        Ok(())
    }

    /// Marks a run of probes as gone: what is left of an entry has no names.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for ids that were never there.
    pub fn remove(&mut self, first_id: u32, count: u32) -> Result<(), Status> {
        let end = first_id.checked_add(count).ok_or(Status::BadArgument)?;
        if first_id == 0 || end - 1 > self.count {
            return Err(Status::BadArgument);
        }
        self.alive.remove(first_id, count);
        for id in first_id..end {
            let Some(at) = self.start(id) else { break };
            let len = self.entry_len(at);
            blank(self.blob.get_mut(at..at + len).unwrap_or_default());
        }
        Ok(())
    }

    /// Where a probe's entry begins.
    fn start(&self, id: u32) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.starts.get(index).and_then(|at| usize::try_from(*at).ok())
    }

    /// Bytes of the entry that begins there.
    fn entry_len(&self, at: usize) -> usize {
        let len = self.blob.get(at..).and_then(|rest| rest.first_chunk());
        len.map_or(0, |len| usize::from(u16::from_le_bytes(*len)))
    }

    /// A probe that is there.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<ProbeEntry<'_>> {
        let at = self.start(id)?;
        let entry = probe_entries(self.blob.get(at..at + self.entry_len(at))?, 1).next()?.ok()?;
        (!entry.name.is_empty()).then_some(entry)
    }

    /// Those of a set that were published and are not gone.
    #[must_use]
    pub fn present(&self, wanted: &ProbeSet) -> ProbeSet {
        wanted.within(&self.alive)
    }

    /// Every entry, gone ones included, in the order of the ids from 1.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// How many entries the blob has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether the guest said that it was the last batch.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Takes the names out of an entry.
fn blank(entry: &mut [u8]) {
    if let Some(kind) = entry.get_mut(std::mem::offset_of!(ProbeHead, kind)) {
        *kind = ProbeKind::Other.raw();
    }
    if let Some(rest) = entry.get_mut(std::mem::offset_of!(ProbeHead, nargs)..) {
        rest.fill(0);
    }
}

/// A guest's symbols, as it wrote them.
#[derive(Clone, Debug, Default)]
pub struct SymbolBlob {
    blob: Vec<u8>,
    count: u32,
}

impl SymbolBlob {
    /// Takes a batch in and says whether it was the last.
    ///
    /// # Errors
    /// As [`ProbeTable::add`].
    pub fn add(&mut self, batch: &[u8], count: u32, flags: u32) -> Result<bool, Status> {
        let flags = BatchFlags::from_bits(flags).ok_or(Status::BadArgument)?;
        let first = flags.contains(BatchFlags::FIRST);
        let (bytes, symbols) = if first { (0, 0) } else { (self.blob.len(), self.count) };
        let total =
            symbols.checked_add(count).filter(|&n| n <= MAX_SYMBOLS).ok_or(Status::Limit)?;
        if bytes + batch.len() > MAX_SYMBOL_BYTES {
            return Err(Status::Limit);
        }
        if symbol_entries(batch, count).any(|entry| entry.is_err()) {
            return Err(Status::BadArgument);
        }
        if first {
            self.blob.clear();
        }
        self.blob.extend_from_slice(batch);
        self.count = total;
        Ok(flags.contains(BatchFlags::LAST))
    }

    /// The entries.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}

/// One container of a guest's types.
#[derive(Clone, Debug)]
pub struct TypeContainer {
    /// Whose types.
    pub module: String,
    /// How they are written.
    pub format: TypeFormat,
    /// Where in [`TypeBlob::blob`] they lie.
    pub at: Range<usize>,
}

/// A guest's types, as it has them in memory. They are parsed by whoever needs them.
#[derive(Clone, Debug, Default)]
pub struct TypeBlob {
    blob: Vec<u8>,
    containers: Vec<TypeContainer>,
}

impl TypeBlob {
    /// Takes a container in; a later one of the same module takes its place in the list.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for unknown flags; [`Status::Limit`].
    pub fn add(
        &mut self,
        bytes: &[u8],
        module: &str,
        format: TypeFormat,
        flags: u32,
    ) -> Result<(), Status> {
        let flags = BatchFlags::from_bits(flags).ok_or(Status::BadArgument)?;
        if flags.contains(BatchFlags::FIRST) {
            *self = Self::default();
        }
        let start = self.blob.len();
        let end = start.checked_add(bytes.len()).filter(|&end| end <= MAX_TYPE_BYTES);
        let end = end.ok_or(Status::Limit)?;
        self.containers.retain(|c| c.module != module);
        if self.containers.len() >= MAX_TYPE_CONTAINERS {
            return Err(Status::Limit);
        }
        self.blob.extend_from_slice(bytes);
        self.containers.push(TypeContainer { module: module.to_owned(), format, at: start..end });
        Ok(())
    }

    /// All containers' bytes.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The containers, in the order they came.
    #[must_use]
    pub fn containers(&self) -> &[TypeContainer] {
        &self.containers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Carry;
    use hypercall::Context;

    fn batch(names: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0; 128 * names.len()];
        let mut at = 0;
        for name in names {
            let entry = ProbeEntry {
                kind: ProbeKind::Sdt,
                nargs: 0,
                address: 0,
                provider: "sdt",
                module: "m",
                function: "f",
                name,
                args: "",
            };
            at += entry.write(&mut bytes[at..]).expect("fits");
        }
        bytes.truncate(at);
        bytes
    }

    /// Ids have no gaps, so an entry's place is its id.
    #[test]
    fn a_gap_in_the_ids_is_refused() {
        let mut table = ProbeTable::default();
        assert_eq!(table.add(&batch(&["a"]), 2, 1, 1), Err(Status::BadArgument));
        assert_eq!(table.add(&batch(&["a", "b"]), 1, 2, 1), Ok(()));
        assert_eq!(table.add(&batch(&["c"]), 4, 1, 2), Err(Status::BadArgument));
        assert!(!table.is_complete());
        assert_eq!(table.add(&batch(&["c"]), 3, 1, 2), Ok(()));
        assert!(table.is_complete());
        assert_eq!(table.count(), 3);
    }

    /// A batch that is refused leaves no trace.
    #[test]
    fn a_bad_batch_changes_nothing() {
        let mut table = ProbeTable::default();
        table.add(&batch(&["a"]), 1, 1, 1).expect("good");
        let before = table.blob().to_vec();
        let mut bad = batch(&["b", "c"]);
        bad.pop();
        assert_eq!(table.add(&bad, 2, 2, 0), Err(Status::BadArgument));
        assert_eq!(table.add(&batch(&["b"]), 2, 1, 8), Err(Status::BadArgument));
        assert_eq!(table.blob(), before);
        assert_eq!(table.count(), 1);
    }

    /// A probe that is gone is not there, and its id is not given again.
    #[test]
    fn gone_probes_keep_their_ids() {
        let mut table = ProbeTable::default();
        table.add(&batch(&["a", "b", "c"]), 1, 3, 3).expect("good");
        assert_eq!(table.remove(2, 1), Ok(()));
        let plain = Carry { context: Context::IDS, frames: 0 };
        let all = ProbeSet::collect((1..=4).map(|id| (id, plain)));
        assert_eq!(table.present(&all), ProbeSet::collect([(1, plain), (3, plain)]));
        let names: Vec<_> =
            probe_entries(table.blob(), 3).map(|e| e.expect("parses").name).collect();
        assert_eq!(names, ["a", "", "c"]);
        assert_eq!(table.get(3).map(|e| e.name), Some("c"));
        assert_eq!((table.get(0), table.get(2), table.get(4)), (None, None, None));
        assert_eq!(table.remove(3, 2), Err(Status::BadArgument));
        assert_eq!(table.remove(u32::MAX, 2), Err(Status::BadArgument));
        assert_eq!(table.add(&batch(&["d"]), 4, 1, 0), Ok(()));
    }

    /// Types of one module replace its former ones, and the sum of all is bounded.
    #[test]
    fn types_are_bounded_and_replaced() {
        let mut types = TypeBlob::default();
        types.add(b"old", "ext4", TypeFormat::Btf, 1).expect("good");
        types.add(b"newer", "ext4", TypeFormat::Btf, 0).expect("good");
        let [only] = types.containers() else { panic!("one container expected") };
        assert_eq!(types.blob().get(only.at.clone()), Some(&b"newer"[..]));
        let most = vec![0; MAX_TYPE_BYTES];
        assert_eq!(types.add(&most, "big", TypeFormat::Btf, 0), Err(Status::Limit));
    }
}
