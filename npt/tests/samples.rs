//! Replays page tables that a real hypervisor built, with what its own user space saw come out.
//!
//! The samples lie beside the repository (`../shared/ept`, see the README there). Where they are
//! absent the test says so and checks nothing.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use npt::{
    Access, AddressSpace, Cr3, Dimension, During, Ept, Eptp, Failure, Gpa, GuestCache, GuestPaging,
    Gva, Hpa, Lookup, Nested, NestedCache, NestedCr3, NoCache, Npt, NptMode, Outside, PageSize,
    PhysMemory, PhysWidth, Reason, SecondDimension, Wanted,
};
use serde_json::Value;
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

/// The dumped pages; everything else is not there.
struct Pages(HashMap<u64, Vec<u8>>);

impl Pages {
    fn get(&self, at: Hpa, len: usize) -> Option<&[u8]> {
        let offset = usize::try_from(at.offset_in(PageSize::Kib4)).ok()?;
        self.0.get(&at.page_start(PageSize::Kib4).0)?.get(offset..offset.checked_add(len)?)
    }
}

impl PhysMemory for Pages {
    fn read_u64(&self, at: Hpa) -> Option<u64> {
        self.get(at, 8)?.try_into().ok().map(u64::from_le_bytes)
    }
    fn read(&self, at: Hpa, into: &mut [u8]) -> Result<(), Outside> {
        into.copy_from_slice(self.get(at, into.len()).ok_or(Outside)?);
        Ok(())
    }
    fn write(&self, _at: Hpa, _from: &[u8]) -> Result<(), Outside> {
        Err(Outside)
    }
    fn writable(&self, _at: Hpa, _len: usize) -> bool {
        false
    }
}

struct Sample {
    memory: Pages,
    paging: GuestPaging,
    nested: Nested<'static>,
    cases: Vec<Value>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is text in {value}"))
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.strip_prefix("0x").expect("hexadecimal"), 16).expect("hexadecimal")
}

fn number(value: &Value, key: &str) -> u64 {
    hex(text(value, key))
}

fn byte(value: &Value, key: &str) -> u8 {
    value[key].as_u64().and_then(|n| n.try_into().ok()).expect("a small number")
}

fn load(path: &Path) -> Sample {
    let file = std::fs::File::open(path).expect("the sample opens");
    let mut plain = String::new();
    ruzstd::decoding::StreamingDecoder::new(file)
        .expect("a zstd file")
        .read_to_string(&mut plain)
        .expect("the sample decompresses");
    let top: Value = serde_json::from_str(&plain).expect("JSON");
    let pages = top["pages"].as_object().expect("pages").iter().map(|(at, page)| {
        let engine = base64::engine::general_purpose::STANDARD;
        let bytes = engine.decode(page.as_str().expect("base64")).expect("base64");
        assert_eq!(bytes.len(), 4096);
        (hex(at), bytes)
    });
    let width = PhysWidth::new(byte(&top, "maxphyaddr")).expect("a width");
    let paging = GuestPaging::from_registers(
        Cr0Flags::from_bits_retain(number(&top, "cr0")),
        Cr3(number(&top, "cr3")),
        Cr4Flags::from_bits_retain(number(&top, "cr4")),
        EferFlags::from_bits_retain(number(&top, "efer")),
        width,
    );
    let nested = match text(&top, "kind") {
        "ept" => Nested::Ept(Ept::decode(Eptp(number(&top, "eptp")), width).expect("an EPTP")),
        "npt" => {
            assert_eq!(top["nested_levels"], 4);
            Nested::Npt(Npt::new(NestedCr3(number(&top, "nested_root")), NptMode::Level4, width))
        }
        other => panic!("kind {other}"),
    };
    let cases = top["cases"].as_array().expect("cases").clone();
    Sample { memory: Pages(pages.collect()), paging, nested, cases }
}

fn page_name(page: Option<PageSize>) -> &'static str {
    match page.expect("a page") {
        PageSize::Kib4 => "4K",
        PageSize::Mib2 => "2M",
        PageSize::Mib4 => "4M",
        PageSize::Gib1 => "1G",
    }
}

fn access(case: &Value) -> Access {
    match text(case, "access") {
        "read" => Access::Read,
        "write" => Access::Write,
        "fetch" => Access::Execute,
        other => panic!("access {other}"),
    }
}

/// The failure that a case describes.
fn expected_failure(case: &Value) -> Failure {
    let gva = Gva(number(case, "gva"));
    let reason = match text(case, "reason") {
        "non-canonical" => Reason::NonCanonical,
        "not-present" => Reason::NotPresent,
        "reserved" => Reason::Reserved,
        "misconfigured" => Reason::Misconfigured,
        "write" | "nx" => Reason::Permission(access(case)),
        other => panic!("reason {other}"),
    };
    if text(case, "expect") == "guest-fault" {
        let level = if reason == Reason::NonCanonical { 0 } else { byte(case, "level") };
        return Failure { gva, dimension: Dimension::Guest, level, reason };
    }
    let during = match text(case, "during") {
        "page" => During::Page,
        "table" => During::Table { level: byte(case, "guest_level") },
        other => panic!("during {other}"),
    };
    let dimension = Dimension::Nested { gpa: Gpa(number(case, "gpa")), during };
    Failure { gva, dimension, level: byte(case, "nested_level"), reason }
}

/// The nested page in which each guest table entry lies, from the top, found by a walk of its own.
fn table_pages(sample: &Sample, gva: u64) -> Vec<&'static str> {
    let mut table = sample.paging.root().0;
    let mut pages = Vec::new();
    for level in (1..=4).rev() {
        let at = Gpa(table + ((gva >> (9 * level)) & 0xff8));
        let page = sample.nested.resolve(&sample.memory, at, Wanted::TABLE, &mut ());
        let page = page.expect("a table is mapped");
        pages.push(page_name(page.page));
        let entry = sample.memory.read_u64(page.hpa).expect("a table is in the dump");
        if level < 4 && entry & 0x80 != 0 {
            break;
        }
        table = entry & 0x000f_ffff_ffff_f000;
    }
    pages
}

fn check_ok<C: Lookup + Copy>(sample: &Sample, case: &Value, cache: C) {
    let gva = Gva(number(case, "gva"));
    let space = AddressSpace::new(&sample.memory, sample.paging, sample.nested).with_cache(cache);
    let found = space.translate(gva, access(case)).unwrap_or_else(|f| panic!("{case}: {f}"));
    assert_eq!(found.gpa, Gpa(number(case, "gpa")), "{case}");
    assert_eq!(found.hpa, Hpa(number(case, "hpa")), "{case}");
    assert_eq!(page_name(found.guest_page), text(case, "guest_page"), "{case}");
    assert_eq!(page_name(found.nested_page), text(case, "nested_page"), "{case}");
    assert_eq!(
        sample.memory.read_u64(Hpa(found.hpa.0 & !7)),
        Some(number(case, "value")),
        "{case}"
    );
    assert_eq!(space.read_u64(gva), Ok(number(case, "value")), "{case}");
    let tables = table_pages(sample, gva.0);
    let expected = case["table_nested_pages"].as_array().expect("pages");
    assert_eq!(&tables, expected, "{case}");
}

fn check<C: Lookup + Copy>(sample: &Sample, case: &Value, cache: C) {
    if text(case, "expect") == "ok" {
        return check_ok(sample, case, cache);
    }
    let space = AddressSpace::new(&sample.memory, sample.paging, sample.nested).with_cache(cache);
    let got = space.translate(Gva(number(case, "gva")), access(case));
    assert_eq!(got, Err(expected_failure(case)), "{case}");
}

/// Every case of every sample agrees: walked, and through caches that are cold, warm, checked anew,
/// and too small for the trail.
#[test]
fn real_hypervisors_tables_translate_as_their_user_space_saw() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/ept");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: no samples at {}", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".json.zst"));
    files.sort();
    assert!(!files.is_empty(), "a folder of samples without samples: {}", folder.display());
    for path in &files {
        let sample = load(path);
        assert!(!sample.cases.is_empty());
        let (cache, small) = (NestedCache::new(), GuestCache::new());
        for case in &sample.cases {
            check(&sample, case, NoCache);
            check(&sample, case, &cache);
            check(&sample, case, &small);
        }
        cache.begin_fire();
        for case in &sample.cases {
            check(&sample, case, &cache);
        }
        eprintln!("{}: {} cases agree", path.display(), sample.cases.len());
    }
}
