//! Destructive actions of fires in `dtrace`'s own threads: the current process is `dtrace` itself.

use std::time::{Duration, Instant};

use dif::{
    dof::ReadError,
    number::act,
    program::{EcbDesc, Program},
};
use host::engine::Reaction;
use nix::{
    sys::signal::{Signal, kill},
    unistd::getpid,
};

/// Does what a fire asks for.
pub(crate) fn react(reaction: Reaction) {
    match reaction {
        Reaction::Stop => signal(Signal::SIGSTOP),
        Reaction::Raise(number) => {
            let number =
                i32::try_from(number).ok().and_then(|number| Signal::try_from(number).ok());
            number.into_iter().for_each(signal);
        }
        Reaction::Chill(nanoseconds) => {
            // As in the kernel, the CPU is kept busy: that is what it is for.
            let end = Instant::now() + Duration::from_nanos(nanoseconds);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
        // Nothing that asks for these is enabled here.
        _ => {}
    }
}

fn signal(signal: Signal) {
    // A process may always send itself a signal.
    let _ = kill(getpid(), signal);
}

/// For each clause of a program what it asks for that no thread of ours can do.
pub(crate) fn beyond(dof: &[u8]) -> Result<Vec<Option<&'static str>>, ReadError> {
    let of = |ecb: &EcbDesc| {
        ecb.actions.iter().find_map(|action| match action.kind {
            act::PANIC => Some("panic()"),
            act::BREAKPOINT => Some("breakpoint()"),
            _ => None,
        })
    };
    let Program { ecbs, .. } = dif::dof::read(dof)?;
    Ok(ecbs.iter().map(of).collect())
}
