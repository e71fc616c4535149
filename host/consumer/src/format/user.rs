//! Addresses of user programs: `ustack()`, `usym()`, `uaddr()`, `umod()`.
//!
//! ```text
//!               libc.so.6`read+0x12
//!               sh`main
//!               0x7f0012345678          nobody knows it, or the process has gone unnoticed
//! ```

use host::ids::MachineId;

use super::{Context, Field};
use crate::link::UserFrame;

/// Names addresses of the processes of all machines.
pub trait UserSymbolizer: std::fmt::Debug {
    /// One answer an address; `None` where nothing is known.
    fn resolve(&self, machine: MachineId, pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>>;
}

/// Knows no process: all addresses stay numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProcesses;

impl UserSymbolizer for NoProcesses {
    fn resolve(&self, _: MachineId, _: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
        vec![None; addresses.len()]
    }
}

/// What of an address is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `` object`function+0xoffset ``: `uaddr()`, a frame.
    Address,
    /// `` object`function ``: `usym()`, `ufunc()`.
    Symbol,
    /// The object alone: `umod()`.
    Object,
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(u64::from_le_bytes)
}

fn text(frame: Option<&UserFrame>, address: u64, part: Part) -> String {
    match (frame, part) {
        (None, _) => format!("{address:#x}"),
        (Some(frame), Part::Object) => frame.object.clone(),
        (Some(frame), Part::Address) if frame.offset > 0 => {
            format!("{}`{}+{:#x}", frame.object, frame.symbol, frame.offset)
        }
        (Some(frame), _) => format!("{}`{}", frame.object, frame.symbol),
    }
}

/// The text of a recorded pair of process and address.
#[must_use]
pub fn name(context: &Context<'_>, pair: &[u8], part: Part) -> String {
    let mut words = words(pair);
    let (pid, address) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
    let pid = u32::try_from(pid).unwrap_or(u32::MAX);
    let frames = context.users.resolve(context.machine, pid, &[address]);
    text(frames.first().and_then(Option::as_ref), address, part)
}

/// Prints a recorded pair as `trace()` and keys show it.
pub fn print(out: &mut Vec<u8>, context: &Context<'_>, pair: &[u8], part: Part) {
    out.extend_from_slice(b"  ");
    Field::left(50).text(out, name(context, pair, part).as_bytes());
}

/// How many addresses a recorded stack has room for: what was asked for, or else what lies before
/// the `strsize` bytes of strings, the process left out.
#[must_use]
pub fn frames(record: &[u8], asked: u32, strsize: u32) -> usize {
    let size = |n| usize::try_from(n).unwrap_or(usize::MAX);
    let room = (record.len().saturating_sub(size(strsize)) / 8).saturating_sub(1);
    if asked > 0 { size(asked).min(room) } else { room }
}

/// Prints a stack: the process, then at most `frames` addresses up to the first that is 0. Strings
/// that may follow them in the record are for helpers, of which there are none here.
/// `conversion` is `%k`'s field, as for kernel stacks.
pub fn stack(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    record: &[u8],
    frames: usize,
    conversion: Option<&Field>,
) {
    let (indent, field) = match conversion {
        None => (context.stack_indent, Field::default()),
        Some(field) if field.left => (field.width, Field { width: 0, ..*field }),
        Some(field) => (0, *field),
    };
    let mut words = words(record);
    let pid = u32::try_from(words.next().unwrap_or(0)).unwrap_or(u32::MAX);
    let addresses: Vec<u64> = words.take(frames).take_while(|&pc| pc != 0).collect();
    let names = context.users.resolve(context.machine, pid, &addresses);
    out.push(b'\n');
    for (at, address) in addresses.iter().enumerate() {
        let frame = names.get(at).and_then(Option::as_ref);
        out.resize(out.len() + indent, b' ');
        field.text(out, text(frame, *address, Part::Address).as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::context;

    #[derive(Debug)]
    struct Shell;

    impl UserSymbolizer for Shell {
        fn resolve(&self, _: MachineId, pid: u32, addresses: &[u64]) -> Vec<Option<UserFrame>> {
            let frame = |address: &u64| {
                (pid == 7 && *address >= 0x1000).then(|| UserFrame {
                    object: "sh".to_owned(),
                    symbol: "main".to_owned(),
                    offset: address - 0x1000,
                })
            };
            addresses.iter().map(frame).collect()
        }
    }

    fn record(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Frames are named with their object; what is unknown stays an address; a zero ends it, and
    /// so does the number of frames, behind which strings may lie.
    #[test]
    fn user_frames_are_named() {
        let context = Context { users: &Shell, ..context() };
        let mut out = Vec::new();
        stack(&mut out, &context, &record(&[7, 0x1004, 0x10, 0x1000, 0, 9]), 5, None);
        let indent = " ".repeat(14);
        let expected = format!("\n{indent}sh`main+0x4\n{indent}0x10\n{indent}sh`main\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        let field = Field::left(2);
        stack(&mut out, &context, &record(&[8, 0x1004, 0x1008]), 1, Some(&field));
        assert_eq!(String::from_utf8(out).unwrap(), "\n  0x1004\n");
    }

    /// usym() leaves the offset out, uaddr() does not, umod() has the object alone.
    #[test]
    fn pairs_are_named() {
        let context = Context { users: &Shell, ..context() };
        let name = |part| name(&context, &record(&[7, 0x1010]), part);
        assert_eq!(name(Part::Address), "sh`main+0x10");
        assert_eq!(name(Part::Symbol), "sh`main");
        assert_eq!(name(Part::Object), "sh");
        let mut out = Vec::new();
        print(&mut out, &context, &record(&[9, 0x1010]), Part::Object);
        assert_eq!(String::from_utf8(out).unwrap(), format!("  {:50}", "0x1010"));
    }
}
