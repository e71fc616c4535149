//! A script on the host reads L2's memory at fires of L1's probes, `nested_copyinstr()`.
//!
//! L1 runs our module, which tells with each such fire whose vCPU KVM has loaded on the CPU that
//! fires. The module is loaded before KVM, and once more after it: both orders must do.

use anyhow::{Context as _, Result, ensure};
use e2e::tracer::Tracer;
use xtask::paths;
use xtask::vm::guest::{Guest, GuestConfig};
use xtask::vm::image::Image;

use crate::{Known, load_kvm};

/// How often L1 moves L2's page while it is read.
const MOVES: u64 = 300;

/// L1 with our module, and with the plugin.
fn boot() -> Result<Guest> {
    let config = GuestConfig {
        workload: false,
        cpu: "max,+svm,+npt,-la57".to_owned(),
        run_dir: paths::vm().join("nested-script"),
        ..GuestConfig::new("vm-outer")
    };
    Guest::boot(&Image::build()?, config)
}

fn dtrace(script: &str) -> Result<Tracer> {
    Tracer::start(&paths::vm().join("nested-script"), &["-x", "quiet", "-En", script])
}

/// The number in a line `probe L2 text, moved 00000017 times`.
fn moved(line: &str) -> Result<(&str, u64)> {
    let parse = || {
        let (probe, text) = line.split_once(' ')?;
        let number = text.strip_prefix("L2 text, moved ")?.strip_suffix(" times")?;
        (number.len() == 8).then_some((probe, number.parse().ok()?))
    };
    parse().with_context(|| format!("not L2's text: {line:?}"))
}

/// While L1 moves L2's page from one L1 page to another, each fire prints the page as it was before
/// or after, none goes back in time, and nothing else is ever seen.
fn check_moving(guest: &mut Guest, text: u64) -> Result<()> {
    let script = format!(
        "BEGIN {{ printf(\"ready\\n\"); }} \
         vm-outer:sdt:kvm::kvm_exit, vm-outer:fbt:kvm:kvm_fast_pio:entry \
         {{ printf(\"%s %s\\n\", probename, nested_copyinstr({text:#x})); }}"
    );
    let tracer = dtrace(&script)?;
    tracer.wait_out("ready\n")?;
    let known = Known::parse(&guest.run(&format!("l2 race {MOVES}"))?)?;
    ensure!(known.moved == MOVES, "{} moves", known.moved);
    // L2 leaves once more, with the page where it is now.
    guest.run("l2 churn 1")?;
    tracer.wait_out(&format!("entry L2 text, moved {MOVES:08} times\n"))?;
    let finished = tracer.interrupt()?.success()?;
    let (mut newest, mut seen, mut exits, mut entries) = (0, 0, 0_u64, 0_u64);
    for line in finished.out.lines().filter(|line| !line.is_empty() && *line != "ready") {
        let (probe, number) = moved(line)?;
        ensure!(number >= newest, "{number} after {newest}");
        seen += u64::from(number > newest);
        newest = number;
        *(if probe == "entry" { &mut entries } else { &mut exits }) += 1;
    }
    let faults = finished.err.lines().filter(|line| line.contains("invalid address")).count();
    eprintln!("{exits} exits and {entries} port accesses read, {seen} moves seen, {faults} faults");
    ensure!(exits > MOVES && entries > MOVES, "{exits} exits, {entries} port accesses");
    ensure!(seen > MOVES / 2, "of {MOVES} moves {seen} were seen");
    ensure!(faults == 0, "faults:\n{}", finished.err);
    Ok(())
}

/// Structures too, over the end of a page; and where no guest's vCPU is loaded, or nothing is
/// mapped, there is a fault with the address.
fn check_reach(guest: &mut Guest, known: &Known) -> Result<()> {
    let (base, large) = (known.base, known.large);
    let script = format!(
        "BEGIN {{ printf(\"ready\\n\"); }} \
         vm-outer:sdt:kvm::kvm_entry {{ \
           this->word = *(uint64_t *)nested_copyin({large:#x} + 0x100008, 8); \
           this->pair = (uint64_t *)nested_copyin({base:#x} + 0xff8, 16); \
           printf(\"%s %d %x %x %x\\n\", execname, pid, this->word, \
             this->pair[0] & 0xffff, this->pair[1] >> 48); }} \
         vm-outer:sdt:kvm::kvm_entry {{ nested_copyin({base:#x} + 0x100000000, 1); }} \
         vm-outer:syscall::ioctl:entry /execname == \"l2\"/ {{ nested_copyin({base:#x}, 1); }}"
    );
    let tracer = dtrace(&script)?;
    tracer.wait_out("ready\n")?;
    guest.run("l2 churn 3")?;
    let line = format!(" {:x} 1ff 1\n", 0xb16_u64 << 48 | 0x2_0001);
    tracer.wait_out(&line)?;
    for at in [base + (4 << 30), base] {
        let fault = format!("invalid address ({at:#x})");
        tracer.wait_for(&fault, |_, err| err.contains(&fault))?;
    }
    let finished = tracer.interrupt()?.success()?;
    ensure!(finished.out.lines().skip(1).all(|l| l.is_empty() || l.starts_with("l2 ")), "{}", {
        finished.out
    });
    Ok(())
}

#[test]
fn a_script_reads_a_guest_in_a_guest_while_its_page_moves() -> Result<()> {
    let mut guest = boot()?;
    load_kvm(&mut guest)?;
    let known = Known::parse(&guest.run("l2 start")?)?;
    check_moving(&mut guest, known.text)?;
    check_reach(&mut guest, &known)?;
    // KVM goes and comes, and then our module.
    guest.run("l2 stop")?;
    guest.run("rmmod kvm_amd && rmmod kvm")?;
    load_kvm(&mut guest)?;
    guest.run("rmmod hypertrace && insmod /lib/modules/hypertrace.ko")?;
    let known = Known::parse(&guest.run("l2 start")?)?;
    check_reach(&mut guest, &known)?;
    guest.run("l2 stop")?;
    Ok(())
}
