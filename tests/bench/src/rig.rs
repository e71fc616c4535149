//! A fake guest, a compiled clause, and nothing between them but the real code.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use dif::program::ProbeDesc;
use dlang::source::Origin;
use dlang::world::Bare;
use dlang::{CompileOptions, Compiler};
use host::arena::activity::Activity;
use host::arena::config::{ArenaConfig, BufPolicy};
use host::arena::map::ArenaMap;
use host::engine::NoNames;
use host::ids::{Enabling, Epid, MachineId, ProbeId, SlotId};
use hypercall::{Descriptor, Fire, Header};
use npt::{Gpa, Hpa, PhysMemory as _};
use shim::testing::FakeGuest;
use shim::{Shim, Vcpu};

use zerocopy::IntoBytes as _;

use crate::Case;

/// The two probes, `bench:::a` and `bench:::b`.
const PROBES: [u32; 2] = [1, 2];

/// A case, ready to fire.
#[derive(Debug)]
pub struct Rig {
    guest: FakeGuest,
    shim: Arc<Shim>,
    vcpu: Vcpu,
    arena: ArenaMap,
    /// One FIRE descriptor for each value of `arg0`.
    descriptors: Vec<Descriptor>,
    turn: usize,
    pair: Option<Descriptor>,
}

impl Rig {
    /// Compiles the case's script and enables it on a fake guest.
    ///
    /// # Errors
    /// If the script does not compile or load.
    pub fn new(case: &Case) -> Result<Self> {
        let mut guest = FakeGuest::new("bench", 1)?;
        ensure!(guest.hello() == 0 && guest.some_probes(2) == 0, "the fake guest is refused");
        let arena = enable(case, &guest)?;
        let text = guest.put(0x1000, &[b'x'; 255])?;
        guest.put(0x1000 + 255, &[0])?;
        let fire = |probe, arg0| guest.fire_descriptor(probe, &[arg0, text], &[]);
        let descriptors: Vec<_> = (0..case.keys).map(|key| fire(PROBES[0], key)).collect();
        let pair = case.pair.then(|| fire(PROBES[1], 0));
        let vcpu = guest.take_vcpu().context("no vCPU")?;
        let shim = Arc::clone(&guest.shim);
        Ok(Self { guest, shim, vcpu, arena, descriptors, turn: 0, pair })
    }

    /// One round: a fire, or two if the case is a pair. The guest's part, filling the descriptor's
    /// head, is done here too: the host's answer has overwritten it.
    pub fn round(&mut self) {
        // Known to the compiler, they would be compiled into the loop.
        let handle: fn(&Shim, &mut Vcpu, Gpa) = Shim::handle;
        let (handle, page) = black_box((handle, FakeGuest::page(0)));
        self.turn = (self.turn + 1) % self.descriptors.len();
        if let Some(descriptor) = self.descriptors.get(self.turn) {
            write_head(&self.guest, descriptor);
        }
        handle(&self.shim, &mut self.vcpu, page);
        if let Some(second) = &self.pair {
            write_head(&self.guest, second);
            handle(&self.shim, &mut self.vcpu, page);
        }
    }

    /// Checks that the rounds did what they were to do, so that nothing is measured that failed.
    ///
    /// # Errors
    /// If a fire faulted or was refused.
    pub fn check(&self, rounds: u64) -> Result<()> {
        let stats = self.guest.shim.stats();
        let fires = if self.pair.is_some() { rounds * 2 } else { rounds };
        ensure!(stats.fires == fires, "{} fires instead of {fires}", stats.fires);
        let Some(slot) = self.arena.slot(1) else { bail!("no slot") };
        // The ring's writer makes room for itself; anything else that was left out is a failure.
        let lost: u64 = slot.drops.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        ensure!(lost == 0, "{lost} drops");
        Ok(())
    }
}

/// Writes what a FIRE without a stack fills.
fn write_head(guest: &FakeGuest, descriptor: &Descriptor) {
    const HEAD: usize = size_of::<Header>() + size_of::<Fire>();
    let bytes = descriptor.as_bytes().get(..HEAD).unwrap_or_default();
    guest.ram().write(Hpa(FakeGuest::page(0).0), bytes).expect("descriptors lie in RAM");
}

/// Compiles, loads and enables; the session is ACTIVE afterwards.
fn enable(case: &Case, guest: &FakeGuest) -> Result<ArenaMap> {
    let mut compiler = Compiler::new(CompileOptions::default());
    if let Err(error) = compiler.add_script(Origin::File(case.name.to_owned()), case.script) {
        bail!("{}: {}", case.name, compiler.render(&error, true));
    }
    let compiled = match compiler.compile(&Bare) {
        Ok(compiled) => compiled,
        Err(error) => bail!("{}: {}", case.name, compiler.render(&error, true)),
    };
    // Nobody reads here: an old record may be overwritten, but not while instructions are counted.
    let mut config = ArenaConfig {
        nslots: 2,
        bufsize: 16 << 20,
        bufpolicy: BufPolicy::Ring,
        ..ArenaConfig::default()
    };
    config.add_program(&compiled.program)?;
    let arena = ArenaMap::create(config)?;
    let engine = guest.shim.engine();
    let session = engine.open_mapped(arena.map_again()?, MachineId(1), SlotId(1), 1)?;
    engine.load(session, &dif::dof::write(&compiled.program)?)?;
    let enabling = |(ecb, desc): (u32, &ProbeDesc)| Enabling {
        probe: ProbeId(if desc.name == "a" { PROBES[0] } else { PROBES[1] }),
        ecb,
        epid: Epid(ecb + 1),
        id: ecb + 1,
    };
    let ecbs = compiled.program.ecbs.iter().map(|ecb| &ecb.probe);
    let enablings: Vec<Enabling> = (0..).zip(ecbs).map(enabling).collect();
    engine.enable(session, &enablings, &NoNames)?;
    let activity = &arena.header().activity;
    let started = Activity::step(activity, Activity::Inactive, Activity::Warmup)
        && Activity::step(activity, Activity::Warmup, Activity::Active);
    ensure!(started, "the session does not start");
    Ok(arena)
}
