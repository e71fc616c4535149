//! The engine against a reference model.
//!
//! `script` makes up typed programs from random numbers; `reference` says what they mean, in values
//! and not in addresses, after the specification and without a look at the interpreter's code;
//! `lower` turns them into DIF; `rig` runs that through the verifier, the engine and an arena. Both
//! must record the same data, run into the same faults at the same actions, and leave the same
//! aggregations, over several firings, threads and clauses.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod lower;
mod reference;
mod rig;
mod script;

use proptest::prelude::*;

use reference::Model;
use script::{Script, Tape};

/// Runs one script on both and compares.
fn agree(noise: &[u64]) -> Result<(), TestCaseError> {
    let mut tape = Tape::new(noise);
    let script = Script::make(&mut tape);
    let firings = script::firings(&mut tape);
    let mut model = Model::default();
    for firing in &firings {
        model.fire(&script, firing);
    }
    let outcome = rig::run(&script, &firings);
    prop_assert_eq!(&outcome.events, &model.events, "{:#?}\n{:#?}", script, firings);
    prop_assert_eq!(&outcome.aggregations, &model.aggregations(), "{:#?}\n{:#?}", script, firings);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What the engine does is what the specification says.
    #[test]
    fn the_engine_does_what_the_model_does(noise in prop::collection::vec(any::<u64>(), 20..500)) {
        agree(&noise)?;
    }
}

/// The generator is no good if its scripts do little: over many, every kind of step and every kind
/// of outcome comes about.
#[test]
fn the_generator_reaches_everything() {
    let mut reached = std::collections::BTreeSet::new();
    let mut faults = std::collections::BTreeSet::new();
    let mut records = 0;
    for seed in 0_u64..400 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let noise: Vec<u64> = (0..400)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            })
            .collect();
        let mut tape = Tape::new(&noise);
        let script = Script::make(&mut tape);
        reached.extend(script.step_names());
        let mut model = Model::default();
        for firing in script::firings(&mut tape) {
            model.fire(&script, &firing);
        }
        for event in &model.events {
            match event {
                reference::Event::Fault { kind, .. } => drop(faults.insert(*kind)),
                reference::Event::Record { .. } => records += 1,
            }
        }
    }
    assert_eq!(reached.len(), script::STEP_NAMES.len(), "{reached:?}");
    // Bad address, illegal operation, division by zero.
    assert!([1, 3, 4].iter().all(|kind| faults.contains(kind)), "{faults:?}");
    assert!(records > 500, "{records}");
}
