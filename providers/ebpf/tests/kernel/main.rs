//! Programs in the running kernel, beside the interpreting engine on an arena of its own: for the
//! same D both must leave the same records, aggregations, variables and drops.
//!
//! Programs are run by `BPF_PROG_TEST_RUN` as those of a raw tracepoint, whose ten words are the
//! probe's arguments. Where the kernel has no BPF for us, the tests say so and pass.
#![expect(clippy::unwrap_used, reason = "tests panic where they fail")]

mod clauses;
mod cost;
mod golden;
mod random;
mod rig;
