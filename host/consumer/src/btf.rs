//! Function signatures out of BTF, as C text.
//!
//! The compiler reads BTF for the types a script names. What a *probe* carries is found here: an
//! fbt probe's arguments are its function's parameters, a tracepoint's are those of the typedef
//! `btf_trace_<name>`. BTF comes from a guest: every offset and count is checked, and type chains
//! are followed for a bounded number of steps.

use std::collections::HashMap;
use std::sync::OnceLock;

use dlang::world::TypeFormat;

use crate::link::TypeBlob;

/// How many references (pointers, typedefs, qualifiers) a type may be deep.
const MAX_DEPTH: usize = 32;

const MAGIC: u16 = 0xeb9f;

const INT: u8 = 1;
const PTR: u8 = 2;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const TYPEDEF: u8 = 8;
const VOLATILE: u8 = 9;
const CONST: u8 = 10;
const RESTRICT: u8 = 11;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const FLOAT: u8 = 16;
const DECL_TAG: u8 = 17;
const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

/// A function's types as C text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Of its parameters, in order.
    pub parameters: Vec<String>,
    /// Of what it returns; `None` for `void`.
    pub result: Option<String>,
}

/// One container: where its types and strings lie.
#[derive(Debug)]
struct Container {
    bytes: Vec<u8>,
    strings: (usize, usize),
    /// String offsets and type numbers below these belong to the base container.
    base_strings: usize,
    first: u32,
    offsets: Vec<u32>,
    /// Names' offsets and types of the functions. Most scripts ask for none, and a kernel has tens of
    /// thousands: they get a table when the first is asked for.
    found: Vec<(u32, u32)>,
    functions: OnceLock<HashMap<String, u32>>,
    tracepoints: HashMap<String, u32>,
}

/// The signatures of a kernel and its modules.
#[derive(Debug, Default)]
pub struct Signatures {
    containers: HashMap<String, Container>,
    base: Option<String>,
}

impl Signatures {
    /// Reads what can be read of the containers; a malformed one is left out.
    #[must_use]
    pub fn new(blobs: &[TypeBlob]) -> Self {
        let mut all = Self::default();
        let is_image = |blob: &&TypeBlob| matches!(blob.module.as_str(), "vmlinux" | "kernel");
        let usable = |blob: &&TypeBlob| blob.format != TypeFormat::Ctf;
        if let Some(image) = blobs.iter().filter(usable).find(is_image)
            && let Some(container) = Container::parse(&image.bytes, None)
        {
            all.containers.insert(image.module.clone(), container);
            all.base = Some(image.module.clone());
        }
        for blob in blobs.iter().filter(usable).filter(|blob| !is_image(blob)) {
            let base = all.base().filter(|_| blob.format == TypeFormat::Btf);
            let container = Container::parse(&blob.bytes, base);
            all.containers.extend(container.map(|c| (blob.module.clone(), c)));
        }
        all
    }

    fn base(&self) -> Option<&Container> {
        self.containers.get(self.base.as_ref()?)
    }

    /// The containers to look in for something of a module: its own, then the image's.
    fn of(&self, module: &str) -> impl Iterator<Item = &Container> {
        let image = matches!(module, "vmlinux" | "kernel" | "");
        let own = if image { None } else { self.containers.get(module) };
        own.into_iter().chain(self.base())
    }

    /// The signature of a function of a module.
    #[must_use]
    pub fn function(&self, module: &str, name: &str) -> Option<Signature> {
        let find = |c: &Container| Some(c.signature(self.base(), c.function(self.base(), name)?));
        self.of(module).find_map(find)
    }

    /// All tracepoints, as (module, name), sorted.
    #[must_use]
    pub fn tracepoints(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> = self
            .containers
            .iter()
            .flat_map(|(module, c)| {
                c.tracepoints.keys().map(|name| (module.as_str(), name.as_str()))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// The parameters of a tracepoint, without the probe's private one.
    #[must_use]
    pub fn tracepoint(&self, module: &str, name: &str) -> Option<Vec<String>> {
        let find = |c: &Container| Some(c.signature(self.base(), *c.tracepoints.get(name)?));
        let all = self.of(module).chain(self.containers.values()).find_map(find)?;
        Some(all.parameters.into_iter().skip(1).collect())
    }
}

/// One type's head: `name_off`, `info`, `size` or `type`.
#[derive(Clone, Copy)]
struct Head {
    at: usize,
    name: u32,
    kind: u8,
    vlen: usize,
    flag: bool,
    reference: u32,
}

impl Container {
    fn parse(bytes: &[u8], base: Option<&Self>) -> Option<Self> {
        let word = |at: usize| word(bytes, at);
        if u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let header = word(4)?;
        let section = |offset: usize, length: usize| -> Option<(usize, usize)> {
            let start = usize::try_from(header.checked_add(word(offset)?)?).ok()?;
            let end = start.checked_add(usize::try_from(word(length)?).ok()?)?;
            (end <= bytes.len()).then_some((start, end))
        };
        let (types, strings) = (section(8, 12)?, section(16, 20)?);
        let base_strings = base.map_or(0, |base| base.strings.1 - base.strings.0);
        let first = base.map_or(1, Self::end);
        let mut container = Self {
            bytes: bytes.to_vec(),
            strings,
            base_strings,
            first,
            offsets: Vec::new(),
            found: Vec::new(),
            functions: OnceLock::new(),
            tracepoints: HashMap::new(),
        };
        container.index(types, base)?;
        Some(container)
    }

    /// One past the last type's number.
    fn end(&self) -> u32 {
        u32::try_from(self.offsets.len()).map_or(u32::MAX, |len| self.first.saturating_add(len))
    }

    /// Walks all types once: where each starts, and the names that are looked up later.
    fn index(&mut self, (mut at, end): (usize, usize), base: Option<&Self>) -> Option<()> {
        while at < end {
            let head = self.head_at(at)?;
            let id = self.end();
            self.offsets.push(u32::try_from(at).ok()?);
            if head.kind == FUNC {
                self.found.push((head.name, head.reference));
            }
            if head.kind == TYPEDEF
                && let Some(event) = self.string(base, head.name)?.strip_prefix("btf_trace_")
            {
                let event = event.to_owned();
                self.tracepoints.insert(event, id);
            }
            at = at.checked_add(12)?.checked_add(extra(&head)?)?;
        }
        (at == end).then_some(())
    }

    /// The type of a function.
    fn function(&self, base: Option<&Self>, name: &str) -> Option<u32> {
        let named =
            |(at, id): &(u32, u32)| self.string(base, *at).map(|name| (name.to_owned(), *id));
        let all = self.functions.get_or_init(|| self.found.iter().filter_map(named).collect());
        all.get(name).copied()
    }

    fn head_at(&self, at: usize) -> Option<Head> {
        let info = word(&self.bytes, at.checked_add(4)?)?;
        let [low, mid, _, high] = info.to_le_bytes();
        Some(Head {
            at,
            name: word(&self.bytes, at)?,
            kind: high & 0x1f,
            vlen: usize::from(u16::from_le_bytes([low, mid])),
            flag: high & 0x80 != 0,
            reference: word(&self.bytes, at.checked_add(8)?)?,
        })
    }

    /// A type and the container it is in.
    fn head<'a>(&'a self, base: Option<&'a Self>, id: u32) -> Option<(&'a Self, Head)> {
        match (id.checked_sub(self.first), base) {
            (Some(index), _) => {
                let at = *self.offsets.get(usize::try_from(index).ok()?)?;
                Some((self, self.head_at(usize::try_from(at).ok()?)?))
            }
            (None, Some(base)) => base.head(None, id),
            (None, None) => None,
        }
    }

    fn string<'a>(&'a self, base: Option<&'a Self>, offset: u32) -> Option<&'a str> {
        let offset = usize::try_from(offset).ok()?;
        match (offset.checked_sub(self.base_strings), base) {
            (Some(own), _) => {
                let text = self.bytes.get(self.strings.0..self.strings.1)?.get(own..)?;
                let end = text.iter().position(|&b| b == 0)?;
                std::str::from_utf8(text.get(..end)?).ok()
            }
            (None, Some(base)) => base.string(None, u32::try_from(offset).ok()?),
            (None, None) => None,
        }
    }

    /// The signature of a function type, or of what a typedef or pointer leads to.
    fn signature(&self, base: Option<&Self>, id: u32) -> Signature {
        self.prototype(base, id, 0).unwrap_or(Signature { parameters: Vec::new(), result: None })
    }

    fn prototype(&self, base: Option<&Self>, id: u32, depth: usize) -> Option<Signature> {
        let (owner, head) = self.head(base, id)?;
        match head.kind {
            TYPEDEF | PTR | CONST if depth < MAX_DEPTH => {
                owner.prototype(base, head.reference, depth + 1)
            }
            FUNC_PROTO => {
                let mut parameters = Vec::new();
                for index in 0..head.vlen {
                    let ty = word(&owner.bytes, head.at.checked_add(16 + index * 8)?)?;
                    if ty == 0 {
                        break; // `...`
                    }
                    parameters.push(owner.text(base, ty));
                }
                let result = (head.reference != 0).then(|| owner.text(base, head.reference));
                Some(Signature { parameters, result })
            }
            _ => None,
        }
    }

    /// A type as C text. What C text cannot say in one name (a pointer to a function, a struct
    /// without a tag) is a `void *`, or an integer of its size.
    fn text(&self, base: Option<&Self>, id: u32) -> String {
        let (mut stars, mut at, mut owner) = (0_usize, id, self);
        for _ in 0..MAX_DEPTH {
            if at == 0 {
                return pointer("void", stars);
            }
            let Some((found, head)) = owner.head(base, at) else { break };
            let name = found.string(base, head.name).unwrap_or_default();
            match head.kind {
                PTR => stars += 1,
                CONST | VOLATILE | RESTRICT | TYPE_TAG => {}
                ARRAY => {
                    // Only parameters get here, and those decay.
                    stars += 1;
                    at = word(&found.bytes, head.at + 12).unwrap_or(0);
                    owner = found;
                    continue;
                }
                INT | FLOAT | TYPEDEF if !name.is_empty() => return pointer(name, stars),
                STRUCT if !name.is_empty() => return pointer(&format!("struct {name}"), stars),
                UNION if !name.is_empty() => return pointer(&format!("union {name}"), stars),
                ENUM | ENUM64 if !name.is_empty() => {
                    return pointer(&format!("enum {name}"), stars);
                }
                FWD if head.flag => return pointer(&format!("union {name}"), stars),
                FWD => return pointer(&format!("struct {name}"), stars),
                ENUM | ENUM64 => return pointer("int", stars),
                _ => break,
            }
            at = head.reference;
            owner = found;
        }
        pointer("void", stars.max(1))
    }
}

fn pointer(name: &str, stars: usize) -> String {
    if stars == 0 { name.to_owned() } else { format!("{name} {}", "*".repeat(stars)) }
}

/// Bytes that follow a type's head.
fn extra(head: &Head) -> Option<usize> {
    Some(match head.kind {
        INT | VAR | DECL_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | DATASEC | ENUM64 => head.vlen * 12,
        ENUM | FUNC_PROTO => head.vlen * 8,
        PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// BTF with `long vfs_read(struct file *, const char *, size_t)`, `void f(int)` and the
    /// tracepoint `sched_switch(void *, bool, struct task_struct *)`.
    pub(crate) fn sample() -> Vec<u8> {
        let mut b = Builder::default();
        let int = b.add("int", INT, 0, 4, &[0x0100_0020]);
        let long = b.add("long int", INT, 0, 8, &[0x0100_0040]);
        let char = b.add("char", INT, 0, 1, &[8]);
        let size = b.add("size_t", TYPEDEF, 0, long, &[]);
        let file = b.add("file", STRUCT, 0, 8, &[]);
        let file_p = b.add("", PTR, 0, file, &[]);
        let const_char = b.add("", CONST, 0, char, &[]);
        let char_p = b.add("", PTR, 0, const_char, &[]);
        let read = b.add("", FUNC_PROTO, 3, long, &[0, file_p, 0, char_p, 0, size]);
        b.add("vfs_read", FUNC, 1, read, &[]);
        let void_f = b.add("", FUNC_PROTO, 1, 0, &[0, int]);
        b.add("f", FUNC, 0, void_f, &[]);
        let void_p = b.add("", PTR, 0, 0, &[]);
        let task = b.add("task_struct", FWD, 0, 0, &[]);
        let task_p = b.add("", PTR, 0, task, &[]);
        let event = b.add("", FUNC_PROTO, 3, 0, &[0, void_p, 0, int, 0, task_p]);
        let event_p = b.add("", PTR, 0, event, &[]);
        b.add("btf_trace_sched_switch", TYPEDEF, 0, event_p, &[]);
        b.finish()
    }

    #[derive(Default)]
    struct Builder {
        types: Vec<u8>,
        strings: Vec<u8>,
        next: u32,
    }

    impl Builder {
        fn add(&mut self, name: &str, kind: u8, vlen: u16, reference: u32, extra: &[u32]) -> u32 {
            if self.strings.is_empty() {
                self.strings.push(0);
            }
            let mut offset = 0;
            if !name.is_empty() {
                offset = u32::try_from(self.strings.len()).unwrap();
                self.strings.extend_from_slice(name.as_bytes());
                self.strings.push(0);
            }
            let info = u32::from(kind) << 24 | u32::from(vlen);
            for word in [offset, info, reference].iter().chain(extra) {
                self.types.extend_from_slice(&word.to_le_bytes());
            }
            self.next += 1;
            self.next
        }

        fn finish(self) -> Vec<u8> {
            let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
            let mut out = vec![0x9f, 0xeb, 1, 0];
            let (types, strings) = (len(&self.types), len(&self.strings));
            for word in [24, 0, types, types, strings] {
                out.extend_from_slice(&u32::to_le_bytes(word));
            }
            out.extend(self.types);
            out.extend(self.strings);
            out
        }
    }

    pub(crate) fn image(bytes: Vec<u8>) -> TypeBlob {
        TypeBlob { module: "vmlinux".into(), format: TypeFormat::Btf, bytes }
    }

    /// Parameters and results are C text that the compiler can read.
    #[test]
    fn signatures_are_c_text() {
        let all = Signatures::new(&[image(sample())]);
        let read = all.function("vmlinux", "vfs_read").unwrap();
        assert_eq!(read.parameters, ["struct file *", "char *", "size_t"]);
        assert_eq!(read.result.as_deref(), Some("long int"));
        let f = all.function("ext4", "f").unwrap();
        assert_eq!((f.parameters, f.result), (vec!["int".to_owned()], None));
        assert_eq!(all.function("vmlinux", "nosuch"), None);
    }

    /// A tracepoint's first parameter is the probe's own and left out.
    #[test]
    fn tracepoints_lose_their_private_parameter() {
        let all = Signatures::new(&[image(sample())]);
        let expected = vec!["int".to_owned(), "struct task_struct *".to_owned()];
        assert_eq!(all.tracepoint("vmlinux", "sched_switch"), Some(expected));
    }

    proptest! {
        /// Damaged BTF yields what can be read of it, never a panic.
        #[test]
        fn damaged_btf_is_survived(edits in proptest::collection::vec((0_usize..700, any::<u8>()), 1..6)) {
            let mut bytes = sample();
            for (at, value) in edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            let all = Signatures::new(&[image(bytes)]);
            let _ = (all.function("vmlinux", "vfs_read"), all.tracepoint("", "sched_switch"));
        }
    }
}
