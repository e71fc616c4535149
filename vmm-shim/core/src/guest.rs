//! What is known of the guest that runs in the VM now.
//!
//! ```text
//!            HELLO               last PROBES batch
//!   absent ────────▶ introduced ──────────────────▶ ready
//!     ▲                  │ ▲                          │
//!     └──── GOODBYE ─────┘ └───── HELLO again ────────┘
//! ```
//! Every HELLO begins a new life: a reboot, another kernel, a reloaded module. Nothing of the life
//! before counts any more, its sessions' enablings neither, since probe ids mean something else now.
//! A guest that dies without GOODBYE stays as it is until the next HELLO.
//!
//! All of this is behind one lock that is never taken on the firing path.

use host::control::{MachineInfo, Reply};
use hypercall::{Features, Hello, Status, TypeFormat, text};

use crate::name::VmName;
use crate::plan::{Planner, ProbeSet};
use crate::tables::{ProbeTable, SymbolBlob, TypeBlob};

/// A guest's state, as far as calls other than FIRE and the consumers care.
#[derive(Debug, Default)]
pub(crate) struct Guest {
    /// Counts lives; 0 before the first HELLO.
    pub(crate) life: u64,
    /// Whether there is a guest.
    pub(crate) present: bool,
    /// Who it says it is.
    pub(crate) info: MachineInfo,
    /// Its probes.
    pub(crate) probes: ProbeTable,
    /// Goes up with every change of the probe table.
    pub(crate) probes_generation: u64,
    /// Its symbols.
    pub(crate) symbols: SymbolBlob,
    /// Its types.
    pub(crate) types: TypeBlob,
    /// What it shall instrument.
    pub(crate) plan: Planner,
    /// Probes that sessions want, those included that the guest does not have.
    pub(crate) wanted: ProbeSet,
    /// Counts [`Guest::want`].
    pub(crate) wanted_generation: u64,
    /// Fires the guest says it left out, in this life.
    pub(crate) drops: u64,
    /// To be told to all consumers.
    pub(crate) news: Vec<Reply>,
}

/// More news than this are not kept: a guest could say HELLO faster than consumers read.
const MAX_NEWS: usize = 64;

impl Guest {
    /// A guest introduces itself.
    pub(crate) fn hello(&mut self, name: &VmName, hello: &Hello) {
        if self.present {
            self.leave("the guest said HELLO again: it was booted or its module was loaded anew");
        }
        self.life += 1;
        self.present = true;
        self.info = MachineInfo {
            vmname: name.to_string(),
            hostname: lossy(&hello.hostname),
            os: hello.os,
            release: lossy(&hello.release),
            kernel_version: lossy(&hello.kernel_version),
            module_version: lossy(&hello.module_version),
            boot_id: hello.boot_id,
            ncpu: hello.ncpu,
            kernel_base: hello.kernel_base,
            ready: false,
            destructive: Features::from_bits_truncate(hello.features)
                .contains(Features::DESTRUCTIVE),
        };
        self.tell(Reply::MachineUp(self.info.clone()));
    }

    /// The guest is gone, or what it said is no longer true.
    pub(crate) fn leave(&mut self, reason: &str) {
        if !self.present {
            return;
        }
        let vmname = std::mem::take(&mut self.info.vmname);
        let news = std::mem::take(&mut self.news);
        *self = Self {
            life: self.life,
            probes_generation: self.probes_generation + 1,
            wanted_generation: self.wanted_generation,
            info: MachineInfo { vmname, ..MachineInfo::default() },
            news,
            ..Self::default()
        };
        self.tell(Reply::MachineDown { reason: reason.to_owned() });
    }

    /// A batch of probes came.
    ///
    /// # Errors
    /// As [`ProbeTable::add`].
    pub(crate) fn add_probes(
        &mut self,
        batch: &[u8],
        (first_id, count, flags): (u32, u32, u32),
    ) -> Result<(), Status> {
        self.probes.add(batch, first_id, count, flags)?;
        self.probes_generation += 1;
        self.plan_anew();
        if !self.probes.is_complete() {
            return Ok(());
        }
        if self.info.ready {
            self.tell(Reply::ProbesChanged { generation: self.probes_generation });
        } else {
            self.info.ready = true;
            self.tell(Reply::MachineUp(self.info.clone()));
        }
        Ok(())
    }

    /// Probes are no more.
    ///
    /// # Errors
    /// As [`ProbeTable::remove`].
    pub(crate) fn remove_probes(&mut self, first_id: u32, count: u32) -> Result<(), Status> {
        self.probes.remove(first_id, count)?;
        self.probes_generation += 1;
        self.plan.gone(first_id, count);
        self.plan_anew();
        self.tell(Reply::ProbesChanged { generation: self.probes_generation });
        Ok(())
    }

    /// A container of types came.
    ///
    /// # Errors
    /// As [`TypeBlob::add`].
    pub(crate) fn add_types(
        &mut self,
        bytes: &[u8],
        types: &hypercall::Types,
    ) -> Result<(), Status> {
        let format = TypeFormat::from_raw(types.format).ok_or(Status::BadArgument)?;
        self.types.add(bytes, &lossy(&types.module), format, types.flags)
    }

    /// Sessions want these probes from now on. Returns the generation to wait for.
    pub(crate) fn want(&mut self, wanted: ProbeSet) -> u64 {
        self.wanted_generation += 1;
        self.wanted = wanted;
        self.plan_anew();
        self.wanted_generation
    }

    /// Plans for what is wanted of what there is.
    fn plan_anew(&mut self) {
        let wanted = self.probes.present(&self.wanted);
        self.plan.want(self.wanted_generation, wanted);
    }

    /// Keeps a message for all consumers. Too many are one too few: the last ones count.
    pub(crate) fn tell(&mut self, news: Reply) {
        if self.news.len() >= MAX_NEWS {
            self.news.remove(0);
        }
        self.news.push(news);
    }
}

/// A guest's text, fit for a terminal.
fn lossy(field: &[u8]) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    String::from_utf8_lossy(text(field)).chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Carry;
    use hypercall::Context;

    fn name() -> VmName {
        VmName::new("vm").expect("good")
    }

    /// A second HELLO is a reboot: tables and enablings of the life before are gone, and
    /// consumers hear of both.
    #[test]
    fn hello_begins_a_new_life() {
        let mut guest = Guest::default();
        guest.hello(&name(), &Hello::ZERO);
        guest.add_probes(&[], (1, 0, 3)).expect("an empty table is complete");
        assert!(guest.info.ready);
        guest.want(ProbeSet::collect([(1, Carry { context: Context::IDS, frames: 0 })]));
        guest.hello(&name(), &Hello::ZERO);
        assert_eq!(guest.life, 2);
        assert!(!guest.info.ready && guest.wanted.is_empty());
        let kinds: Vec<_> = guest.news.iter().map(std::mem::discriminant).collect();
        let up = std::mem::discriminant(&Reply::MachineUp(MachineInfo::default()));
        let down = std::mem::discriminant(&Reply::MachineDown { reason: String::new() });
        assert_eq!(kinds, [up, up, down, up]);
    }

    /// News nobody fetches do not pile up.
    #[test]
    fn news_are_bounded() {
        let mut guest = Guest::default();
        for _ in 0..1000 {
            guest.hello(&name(), &Hello::ZERO);
        }
        assert!(guest.news.len() <= MAX_NEWS);
        assert!(matches!(guest.news.last(), Some(Reply::MachineUp(_))));
    }

    /// A name that would move the cursor of a terminal does not reach one.
    #[test]
    fn texts_are_cleaned() {
        assert_eq!(lossy(b"web\x1b[2J\0rest"), "web?[2J");
    }
}
