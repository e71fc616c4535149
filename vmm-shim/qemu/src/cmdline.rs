//! What this QEMU was started with, as far as it says where RAM lies.
//!
//! QEMU's x86 machines put RAM from address 0 up to a hole for devices, and what is left from
//! 4 GiB on. Where the hole begins:
//!
//! | machine | RAM below 4 GiB |
//! | --- | --- |
//! | `pc` | all, if less than 3.5 GiB; else 3 GiB |
//! | `q35` | all, if less than 2.75 GiB; else 2 GiB |
//! | `microvm` | at most 3 GiB |
//!
//! and never more than `max-ram-below-4g`, which for `pc` takes the place of the 3.5 GiB.

/// A machine type of which we know where its RAM lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// i440FX.
    Pc,
    /// Q35.
    Q35,
    /// The minimal machine without PCI.
    Microvm,
}

/// What the command line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    machine: Machine,
    max_below: Option<u64>,
}

/// Why the layout of RAM is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadLayout {
    /// Not one of [`Machine`].
    #[error("machine type {0:?} is not supported; pc, q35 and microvm are")]
    Machine(String),
    /// Does not read as a size.
    #[error("max-ram-below-4g={0:?} is not a size")]
    Size(String),
}

const GIB: u64 = 1 << 30;

impl Layout {
    /// Reads a command line, one argument an element.
    ///
    /// # Errors
    /// [`BadLayout`].
    pub(crate) fn read<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Self, BadLayout> {
        let mut layout = Self { machine: Machine::Pc, max_below: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if !matches!(arg, "-machine" | "--machine" | "-M" | "--M") {
                continue;
            }
            let options = args.next().unwrap_or_default();
            for (index, option) in options.split(',').enumerate() {
                match option.split_once('=') {
                    Some(("type", name)) => layout.machine = machine(name)?,
                    Some(("max-ram-below-4g", text)) => layout.max_below = Some(size(text)?),
                    None if index == 0 && !option.is_empty() => layout.machine = machine(option)?,
                    _ => {}
                }
            }
        }
        Ok(layout)
    }

    /// How many of `ram` bytes lie below 4 GiB; the rest begins at 4 GiB.
    pub(crate) fn below_4g(&self, ram: u64) -> u64 {
        let most = match (self.machine, self.max_below) {
            (Machine::Pc, limit) => {
                let limit = limit.unwrap_or(GIB * 7 / 2);
                if ram >= limit { limit.min(3 * GIB) } else { limit }
            }
            (Machine::Q35, limit) => {
                let hole = if ram >= GIB * 11 / 4 { 2 * GIB } else { GIB * 11 / 4 };
                hole.min(limit.unwrap_or(4 * GIB))
            }
            (Machine::Microvm, limit) => (3 * GIB).min(limit.unwrap_or(4 * GIB)),
        };
        ram.min(most)
    }
}

/// A machine type by QEMU's name: an alias, or a versioned name.
fn machine(name: &str) -> Result<Machine, BadLayout> {
    match name {
        "pc" => Ok(Machine::Pc),
        "q35" => Ok(Machine::Q35),
        "microvm" => Ok(Machine::Microvm),
        _ if name.starts_with("pc-q35-") => Ok(Machine::Q35),
        _ if name.starts_with("pc-i440fx-") => Ok(Machine::Pc),
        _ => Err(BadLayout::Machine(name.to_owned())),
    }
}

/// A size as QEMU's options take it: a number of bytes, or with a suffix.
fn size(text: &str) -> Result<u64, BadLayout> {
    let bad = || BadLayout::Size(text.to_owned());
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" | "b" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return Err(bad()),
    };
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None => (digits, 10),
    };
    let number = u64::from_str_radix(digits, radix).map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn below(args: &[&str], ram: u64) -> u64 {
        Layout::read(args.iter().copied()).expect("readable").below_4g(ram)
    }

    /// The table above, at its edges.
    #[test]
    fn holes_are_where_qemu_puts_them() {
        assert_eq!(below(&[], 512 * MIB), 512 * MIB);
        assert_eq!(below(&[], 3583 * MIB), 3583 * MIB);
        assert_eq!(below(&[], 3584 * MIB), 3 * GIB);
        assert_eq!(below(&["-M", "q35"], 2815 * MIB), 2815 * MIB);
        assert_eq!(below(&["-M", "q35"], 2816 * MIB), 2 * GIB);
        assert_eq!(below(&["-machine", "microvm,acpi=off"], 8 * GIB), 3 * GIB);
        assert_eq!(below(&["-machine", "pc,max-ram-below-4g=1G"], 8 * GIB), GIB);
        assert_eq!(below(&["-machine", "q35,max-ram-below-4g=0x40000000"], 8 * GIB), GIB);
    }

    /// The type may stand in any of several options, or in none.
    #[test]
    fn machine_type_is_found_in_every_spelling() {
        let q35 = [
            &["qemu", "-machine", "pc-q35-7.2,usb=off", "-machine", "memory-backend=m"][..],
            &["qemu", "-machine", "memory-backend=m", "-M", "q35"],
            &["qemu", "-machine", "usb=off,type=q35"],
        ];
        for args in q35 {
            assert_eq!(below(args, 4 * GIB), 2 * GIB, "{args:?}");
        }
        assert_eq!(below(&["qemu", "-machine", "memory-backend=m"], 4 * GIB), 3 * GIB);
    }

    /// What we do not know is refused, by name.
    #[test]
    fn unknown_machines_and_sizes_are_refused() {
        let read = |args: [&'static str; 2]| Layout::read(args);
        assert_eq!(read(["-M", "isapc"]), Err(BadLayout::Machine("isapc".into())));
        assert_eq!(
            read(["-machine", "pc,max-ram-below-4g=lots"]),
            Err(BadLayout::Size("lots".into()))
        );
    }
}
