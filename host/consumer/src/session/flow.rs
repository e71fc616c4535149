//! `flowindent`: how deep a record is.
//!
//! dtrace(1)'s rules: an entry indents what comes after it, a return takes that back; of several
//! clauses of one probe, only the first entry and the last return count.

use host::ids::{Epid, SlotId};

use super::enabled::Enabled;
use crate::format::row::Flow;

/// Columns of a level.
const STEP: usize = 2;

/// The depth after the records so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowState {
    indent: usize,
    last: Option<Epid>,
}

impl FlowState {
    /// What to show for the next record, and how deep. `next` is the one after it in its slot, if
    /// it is known.
    pub(super) fn step(
        &mut self,
        epid: Epid,
        next: Option<Epid>,
        enabled: &Enabled,
    ) -> (Flow, usize) {
        let name = |epid| enabled.get(epid).map(|probe| &*probe.name);
        let same_probe = |other: Option<Epid>| {
            let key = |epid| enabled.get(epid).map(|probe| (probe.machine, probe.number));
            other.is_some_and(|other| other != epid && key(other) == key(epid))
        };
        let flow = match Flow::of(name(epid).unwrap_or("")) {
            Flow::Entry if same_probe(self.last) => Flow::None,
            Flow::Return if same_probe(next) => Flow::None,
            flow => flow,
        };
        self.last = Some(epid);
        if flow == Flow::Return {
            self.indent = self.indent.saturating_sub(STEP);
        }
        let shown = (flow, self.indent);
        if flow == Flow::Entry {
            self.indent += STEP;
        }
        shown
    }

    /// The EPID of the next record of the same slot.
    pub(super) fn next_of(
        slot: SlotId,
        mut rest: impl Iterator<Item = (SlotId, Epid)>,
    ) -> Option<Epid> {
        rest.find(|(other, _)| *other == slot).map(|(_, epid)| epid)
    }
}
