//! How large a session's buffers are.
//!
//! dtrace(1) takes any size from 8 bytes on, and scripts count on how many records fit into a small
//! buffer. Records here have other headers than the kernel's DTrace gives them, so small buffers are
//! made as large as it takes for as many records.

use host::arena::{
    config::{self, ArenaConfig, ConfigError, MAX_BUFFER, MAX_SPECULATIONS, MIN_BUFFER},
    layout::Layout,
};

use super::{Session, SessionError, programs::RecordSize};
use crate::options::{BufPolicy, Options};

/// Slots that are kept for machines that appear while the session runs. Slots that are not used
/// cost address space only.
const SPARE_SLOTS: u32 = 256;
/// … where their memory is taken at once.
const SPARE_KERNEL_SLOTS: u32 = 16;
/// What buffers may take together where memory is taken at once.
const KERNEL_MEMORY: u64 = 384 << 20;
/// In larger buffers than this nobody counts records.
pub(super) const SMALL: u64 = 64 << 10;

/// What the programs will need buffers for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// They feed aggregations.
    pub(super) aggregates: bool,
    /// They speculate.
    pub(super) speculates: bool,
}

impl Session {
    /// Decides on the arena, and lays the programs' records out. `kernel`: its memory is taken at
    /// once.
    pub(super) fn size_arena(&mut self, kernel: bool) -> Result<(), SessionError> {
        let mut config = self.wanted(kernel)?;
        // Machines that come later may run what none has run so far.
        let later = self.watcher.is_some();
        let Use { aggregates, speculates } = self.programs.uses();
        let uses = Use { aggregates: aggregates || later, speculates: speculates || later };
        let least = |used: bool, size: u64| used && size < MIN_BUFFER;
        let Options { bufsize, aggsize, specsize, .. } = self.options;
        if bufsize < MIN_BUFFER
            || least(uses.aggregates, aggsize)
            || least(uses.speculates, specsize)
        {
            return Err(SessionError::TooSmall);
        }
        if !uses.aggregates {
            config.aggsize = MIN_BUFFER;
        }
        if !uses.speculates {
            config.specsize = MIN_BUFFER;
            config.nspec = config.nspec.min(MAX_SPECULATIONS);
        }
        self.fit(&mut config, uses, kernel)?;
        self.programs.lay_out(&config)?;
        if !later {
            self.count_records(&mut config, uses)?;
        }
        self.config = config;
        Ok(())
    }

    /// What the options ask for.
    fn wanted(&self, kernel: bool) -> Result<ArenaConfig, SessionError> {
        let options = &self.options;
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let cpus: u32 = self.machines.iter().map(|machine| machine.slots.count).sum();
        let spare = match &self.watcher {
            Some(_) if kernel => SPARE_KERNEL_SLOTS,
            Some(_) => SPARE_SLOTS,
            None => 0,
        };
        let mut config = ArenaConfig {
            nslots: cpus.saturating_add(spare).min(config::MAX_SLOTS),
            bufsize: options.bufsize,
            bufpolicy: match options.bufpolicy {
                BufPolicy::Switch => config::BufPolicy::Switch,
                BufPolicy::Fill => config::BufPolicy::Fill,
                BufPolicy::Ring => config::BufPolicy::Ring,
            },
            aggsize: options.aggsize,
            dynvarsize: options.dynvarsize,
            strsize: small(options.strsize),
            nspec: small(options.nspec),
            specsize: options.specsize,
            stackframes: small(options.stackframes),
            destructive: options.destructive,
            wall_offset: host::clock::wall_offset(),
            ustackframes: small(options.ustackframes),
            jstackframes: small(options.jstackframes),
            ..ArenaConfig::default()
        };
        for (_, compiled) in self.programs.all() {
            config.add_program(&compiled.program)?;
        }
        Ok(config)
    }

    /// Makes buffers smaller until they fit into memory, and says so, unless `bufresize` forbids it.
    fn fit(
        &mut self,
        config: &mut ArenaConfig,
        uses: Use,
        kernel: bool,
    ) -> Result<(), SessionError> {
        config.round_buffers();
        let sizes = |config: &ArenaConfig| {
            [config.bufsize, config.aggsize, config.specsize, config.dynvarsize]
        };
        let asked = sizes(config);
        let limit = if kernel { KERNEL_MEMORY } else { memory_limit() };
        while config.dynvarsize > limit.min(MAX_BUFFER) {
            config.dynvarsize /= 2;
        }
        config.fit(limit);
        // One dynamic variable there always is.
        if let Err(ConfigError::DynvarTooSmall { need, .. }) = Layout::new(config.clone()) {
            config.dynvarsize = need;
        }
        let lowered = asked.into_iter().zip(sizes(config)).map(|(asked, now)| now < asked);
        let lowered: Vec<bool> = lowered.collect();
        if self.options.manual_resize && lowered.contains(&true) {
            return Err(SessionError::Memory);
        }
        let named = [
            ("buffer", true),
            ("aggregation", uses.aggregates),
            ("speculation", uses.speculates),
            ("dynamic variable", true),
        ];
        for ((name, used), (size, lowered)) in named.iter().zip(sizes(config).iter().zip(lowered)) {
            if lowered && *used {
                self.printer.message(&format!("{name} size lowered to {}", human_size(*size)));
            }
        }
        Ok(())
    }

    /// Gives small buffers room for as many records as the kernel's DTrace gives them.
    fn count_records(&self, config: &mut ArenaConfig, uses: Use) -> Result<(), SessionError> {
        let all: Vec<RecordSize> = self.programs.record_sizes().collect();
        let needed = all.iter().map(|record| record.theirs).max().unwrap_or(0);
        let mut asked = config.bufsize;
        if uses.aggregates {
            // The kernel's works on aggregations in what is left of the principal buffer.
            asked = asked.max(needed);
        }
        if self.options.bufpolicy == BufPolicy::Fill {
            let ends = all.iter().filter(|record| record.is_end);
            // With what the alignment of such a record may take.
            let align = |size: u64| if size.is_multiple_of(8) { 8 } else { 4 };
            let reserved = ends.map(|record| record.theirs + align(record.theirs)).sum();
            asked = asked.checked_sub(reserved).ok_or(SessionError::NoRoomForEnd)?;
        }
        let of = |speculates: bool| all.iter().filter(move |one| one.speculates == speculates);
        if asked < SMALL {
            config.bufsize = room(asked, of(false));
        }
        if uses.speculates && config.specsize < SMALL {
            // The buffer begins with a word that counts its bytes.
            config.specsize = 8 + room(config.specsize, of(true));
        }
        Ok(())
    }
}

/// The bytes that hold as many records here as `asked` bytes do in the kernel's DTrace. What would
/// not fit there shall not fit here, if that can be.
fn room<'r>(asked: u64, records: impl Iterator<Item = &'r RecordSize>) -> u64 {
    let (fit, too_large): (Vec<&RecordSize>, Vec<&RecordSize>) =
        records.partition(|record| record.theirs <= asked);
    let Some(most) = fit.iter().map(|one| asked / one.theirs.max(1) * one.ours).min() else {
        return (asked & !7).max(MIN_BUFFER);
    };
    let least = fit.iter().map(|one| one.ours).max().unwrap_or(0);
    let bound = too_large.iter().map(|one| one.ours.saturating_sub(8)).min().unwrap_or(u64::MAX);
    most.min(bound).max(least)
}

/// What all slots' buffers may take together at most: they are sparse, and this much is there if
/// all of them fill up.
fn memory_limit() -> u64 {
    // Sparse memory: several times what is there may be promised.
    physical_pages().map_or(1 << 34, |pages| pages.saturating_mul(4096).saturating_mul(4))
}

/// Pages of memory in this machine, where nix can ask for them.
#[cfg(target_os = "linux")]
fn physical_pages() -> Option<u64> {
    let pages = nix::unistd::sysconf(nix::unistd::SysconfVar::_PHYS_PAGES);
    pages.ok().flatten().and_then(|pages| u64::try_from(pages).ok())
}
#[cfg(not(target_os = "linux"))]
const fn physical_pages() -> Option<u64> {
    None
}

/// `4m`, or `5000 bytes` of what is no whole number of the largest unit.
fn human_size(size: u64) -> String {
    const LETTERS: [char; 7] = [' ', 'k', 'm', 'g', 't', 'p', 'e'];
    let unit = (size.max(1).ilog2() / 10).min(6);
    let letter = LETTERS.get(usize::try_from(unit).unwrap_or(0)).unwrap_or(&' ');
    let value = size >> (10 * unit);
    if value << (10 * unit) == size { format!("{value}{letter}") } else { format!("{size} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes are said as dtrace(1) says them.
    #[test]
    fn sizes_have_letters() {
        for (size, words) in [
            (4 << 20, "4m"),
            (1536 << 10, "1572864 bytes"),
            (5000, "5000 bytes"),
            (512, "512 "),
            (16 << 30, "16g"),
        ] {
            assert_eq!(human_size(size), words);
        }
    }

    /// A buffer holds the records that the kernel's would hold: header of 12 bytes there, 16 here.
    #[test]
    fn small_buffers_hold_as_many_records() {
        let record = |theirs, ours| RecordSize { ours, theirs, is_end: false, speculates: false };
        let (number, string) = (record(16, 24), record(272, 272));
        assert_eq!(room(200, [number].iter()), 12 * 24);
        assert_eq!(room(16, [number].iter()), 24);
        assert_eq!(room(8, [number].iter()), 8);
        assert_eq!(room(256, [number, string].iter()), 264);
        assert_eq!(room(600, [number, string].iter()), 2 * 272);
        assert_eq!(room(100, [].iter()), 96);
    }
}
