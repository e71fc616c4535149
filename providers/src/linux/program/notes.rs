//! Probes that programs declare themselves (USDT), by the notes that `sys/sdt.h` leaves in them.
//!
//! A note (owner `stapsdt`, type 3) has three addresses, of the probe's instruction, of the section
//! `.stapsdt.base` when it was linked and of a semaphore (0: none), and three strings: provider,
//! name, and where the arguments lie. The semaphore is a counter that is not 0 while somebody
//! traces; the kernel keeps it for us.

use consumer::glob;

use super::{Provided, Target, arguments, object::Function};

/// The notes' section, their owner and type.
const SECTION: &str = ".note.stapsdt";
const OWNER: &str = "stapsdt";
const TYPE: u32 = 3;
/// The section whose address tells whether the file was moved after it was linked (prelink).
const BASE: &str = ".stapsdt.base";

/// A note's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note<'a> {
    address: u64,
    base: u64,
    semaphore: u64,
    provider: &'a str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Note<'a> {
    fn parse(desc: &'a [u8]) -> Option<Self> {
        let word =
            |at: usize| Some(u64::from_le_bytes(desc.get(at..)?.first_chunk::<8>().copied()?));
        let mut texts = desc.get(24..)?.split(|byte| *byte == 0).map(std::str::from_utf8);
        let mut text = || texts.next()?.ok();
        let (provider, name, arguments) = (text()?, text()?, text()?);
        let (address, base, semaphore) = (word(0)?, word(8)?, word(16)?);
        Some(Self { address, base, semaphore, provider, name, arguments })
    }
}

/// The function that an address lies in.
fn function_at(functions: &[Function], address: u64) -> &str {
    let inside = |it: &&Function| address.checked_sub(it.address).is_some_and(|at| at < it.size);
    functions.iter().find(inside).map_or("", |found| &found.name)
}

/// Adds the probes of the provider `provider` that are asked for. D's names have dashes where C's
/// have two underscores.
pub(super) fn find(target: &Target<'_>, provider: &str, provided: &mut Provided) {
    let (elf, desc) = (&target.object.elf, target.desc);
    let Some(notes) = elf.iter_note_sections(target.object.bytes, Some(SECTION)) else { return };
    let base = elf
        .section_headers
        .iter()
        .find(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(BASE))
        .map(|section| section.sh_addr);
    let functions = target.object.functions();
    for note in notes.map_while(Result::ok) {
        if note.name != OWNER || note.n_type != TYPE {
            continue;
        }
        let Some(found) = Note::parse(note.desc) else { continue };
        let moved = base.map_or(0, |base| base.wrapping_sub(found.base));
        let address = found.address.wrapping_add(moved);
        let name = found.name.replace("__", "-");
        let function = function_at(&functions, address);
        let meant = found.provider == provider
            && glob::matches(&desc.name, &name)
            && glob::matches(&desc.function, function);
        let Some(offset) = target.object.offset(address, true).filter(|_| meant) else { continue };
        let semaphore = match found.semaphore {
            0 => None,
            at => target.object.offset(at.wrapping_add(moved), false),
        };
        let hook = target.hook(offset, false, semaphore);
        provided.push(target.probe(function, &name, hook, arguments::parse(found.arguments)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note is three addresses and three strings; one that is cut short is none.
    #[test]
    fn notes_are_read() {
        let mut desc: Vec<u8> =
            [0x1000_u64, 0x2000, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
        desc.extend_from_slice(b"shop\0order__done\0-4@%eax\0");
        let note = Note::parse(&desc).unwrap();
        assert_eq!((note.address, note.base, note.semaphore), (0x1000, 0x2000, 0));
        assert_eq!((note.provider, note.name, note.arguments), ("shop", "order__done", "-4@%eax"));
        for end in 0..24 + "shop\0order__done".len() {
            assert_eq!(Note::parse(&desc[..end]), None, "{end}");
        }
    }
}
