//! A machine's probes: the guest's own entries, read where they lie.
//!
//! A guest may have 100,000 probes, and most sessions look at a handful. The table therefore keeps
//! the blob and where each entry starts, and decodes an entry when it is looked at.

use dif::program::ProbeDesc;
use hypercall::{EntryError, ProbeEntry, probe_entries};

use crate::glob;

/// The most probes of one machine.
const MAX_PROBES: usize = hypercall::MAX_PROBES as usize;

/// A machine's probes, numbered from 1 as the machine numbers them.
#[derive(Clone, Debug, Default)]
pub struct ProbeTable {
    blob: Vec<u8>,
    starts: Vec<u32>,
}

/// A blob of probes cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeTableError {
    /// An entry is malformed.
    #[error("malformed probe table: {0}")]
    Entry(EntryError),
    /// There are too many.
    #[error("{0} probes are more than are allowed")]
    TooMany(usize),
}

impl ProbeTable {
    /// Takes a blob of entries and checks every one of them.
    ///
    /// # Errors
    /// [`ProbeTableError`].
    pub fn parse(blob: Vec<u8>, count: u32) -> Result<Self, ProbeTableError> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        if wanted > MAX_PROBES || u32::try_from(blob.len()).is_err() {
            return Err(ProbeTableError::TooMany(wanted));
        }
        let mut starts = Vec::with_capacity(wanted.min(blob.len() / 16));
        let mut at = 0_u32;
        for entry in probe_entries(&blob, count) {
            entry.map_err(ProbeTableError::Entry)?;
            starts.push(at);
            at += length(&blob, at);
        }
        Ok(Self { blob, starts })
    }

    /// How many, those that are gone included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// A probe by the machine's number, from 1; `None` if there is none or it is gone.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<ProbeEntry<'_>> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        let at = *self.starts.get(index)?;
        let bytes = self.blob.get(usize::try_from(at).ok()?..)?;
        let entry = bytes.get(..usize::try_from(length(&self.blob, at)).ok()?)?;
        probe_entries(entry, 1).next()?.ok().filter(|probe| !probe.provider.is_empty())
    }

    /// All probes with their numbers; those that are gone are left out.
    pub fn iter(&self) -> impl Iterator<Item = (u32, ProbeEntry<'_>)> {
        (1..).zip(&self.starts).filter_map(|(id, _)| Some((id, self.get(id)?)))
    }

    /// The probes that a description's four fields match; its target is somebody else's business.
    pub fn matching<'a>(
        &'a self,
        desc: &'a ProbeDesc,
    ) -> impl Iterator<Item = (u32, ProbeEntry<'a>)> {
        self.iter().filter(move |(_, probe)| field_match(desc, None, probe))
    }
}

/// Whether the provider, module, function and name of a description match a probe. `alias` is what
/// the description's module stands for, if it is another name of a module.
#[must_use]
pub fn field_match(desc: &ProbeDesc, alias: Option<&str>, probe: &ProbeEntry<'_>) -> bool {
    glob::matches(&desc.name, probe.name)
        && glob::matches(&desc.function, probe.function)
        && glob::matches(&desc.provider, probe.provider)
        && alias.map_or_else(|| glob::matches(&desc.module, probe.module), |it| it == probe.module)
}

fn length(blob: &[u8], at: u32) -> u32 {
    usize::try_from(at)
        .ok()
        .and_then(|at| blob.get(at..at + 2)?.try_into().ok())
        .map_or(0, |len| u32::from(u16::from_le_bytes(len)))
}

/// Appends an entry to a blob that [`ProbeTable::parse`] reads, for machines that are not guests.
/// `false` if a name is too long.
#[must_use]
pub fn append(blob: &mut Vec<u8>, probe: &ProbeEntry<'_>) -> bool {
    let mut room = [0_u8; 2048];
    let written = probe.write(&mut room).and_then(|len| room.get(..len));
    if let Some(bytes) = written {
        blob.extend_from_slice(bytes);
    }
    written.is_some()
}

#[cfg(test)]
pub(crate) mod tests {
    use hypercall::ProbeKind;
    use proptest::prelude::*;

    use super::*;

    /// A table of probes `provider:module:function:name` with argument types.
    pub(crate) fn table(probes: &[(&str, &str)]) -> ProbeTable {
        let mut blob = Vec::new();
        for (probe, args) in probes {
            let fields: Vec<&str> = probe.split(':').collect();
            let [provider, module, function, name] = fields[..] else { panic!("{probe}") };
            let kind = match (provider, name) {
                ("fbt", "entry") => ProbeKind::FbtEntry,
                ("fbt", _) => ProbeKind::FbtReturn,
                ("sdt", _) => ProbeKind::Sdt,
                _ => ProbeKind::Other,
            };
            let entry =
                ProbeEntry { kind, nargs: 2, address: 0, provider, module, function, name, args };
            assert!(append(&mut blob, &entry));
        }
        ProbeTable::parse(blob, u32::try_from(probes.len()).unwrap()).unwrap()
    }

    fn desc(text: &str) -> ProbeDesc {
        let fields: Vec<&str> = text.split(':').collect();
        let [provider, module, function, name] = fields[..] else { panic!("{text}") };
        ProbeDesc {
            provider: provider.into(),
            module: module.into(),
            function: function.into(),
            name: name.into(),
            ..ProbeDesc::default()
        }
    }

    /// Blank fields match everything, globs match whole names, numbers count from 1.
    #[test]
    fn descriptions_find_probes() {
        let table = table(&[
            ("syscall::read:entry", ""),
            ("syscall::pread64:entry", ""),
            ("fbt:vmlinux:vfs_read:entry", ""),
        ]);
        let found =
            |text: &str| -> Vec<u32> { table.matching(&desc(text)).map(|(id, _)| id).collect() };
        assert_eq!(found(":::entry"), [1, 2, 3]);
        assert_eq!(found("syscall::*read*:"), [1, 2]);
        assert_eq!(found("fbt::vfs_read:return"), [0_u32; 0]);
        assert_eq!(table.get(3).unwrap().function, "vfs_read");
        assert!(table.get(0).is_none() && table.get(4).is_none());
    }

    /// An entry without names is a probe that is gone: it keeps its number and is never found.
    #[test]
    fn probes_that_are_gone_keep_their_numbers() {
        let table = table(&[("a:b:c:d", ""), (":::", ""), ("a:b:c:e", "")]);
        assert_eq!(table.iter().map(|(id, _)| id).collect::<Vec<_>>(), [1, 3]);
    }

    proptest! {
        /// No bytes make the table panic, and what is accepted can be read back.
        #[test]
        fn any_bytes_are_a_table_or_an_error(blob: Vec<u8>, count in 0_u32..20) {
            if let Ok(table) = ProbeTable::parse(blob, count) {
                prop_assert_eq!(table.len(), usize::try_from(count).unwrap());
                let _ = table.iter().count();
            }
        }
    }
}
