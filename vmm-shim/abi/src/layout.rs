//! The macros in which the ABI is written, and the tables they leave for the C header.
//!
//! A struct's fields are declared as `name: type @ offset`; the macro asserts each offset, and a
//! declaration with a hole in it does not compile, since `zerocopy::IntoBytes` refuses padding.

/// How a Rust field type is spelled in C.
pub trait CType {
    /// The scalar's name.
    const NAME: &'static str;
    /// Elements of an array, 0 for a scalar.
    const ELEMENTS: usize = 0;
}

macro_rules! c_types {
    ($($rust:ty => $c:literal),* $(,)?) => {
        $(impl CType for $rust { const NAME: &'static str = $c; })*
    };
}

c_types!(u8 => "uint8_t", u16 => "uint16_t", u32 => "uint32_t", u64 => "uint64_t", i32 => "int32_t");

impl<T: CType, const N: usize> CType for [T; N] {
    const NAME: &'static str = T::NAME;
    const ELEMENTS: usize = N;
}

/// A field of a [`CStruct`].
#[derive(Clone, Copy, Debug)]
pub struct CField {
    /// Its name.
    pub name: &'static str,
    /// Its scalar type in C.
    pub c_type: &'static str,
    /// Elements of an array, 0 for a scalar.
    pub elements: usize,
    /// Offset from the struct's start.
    pub offset: usize,
    /// What it means.
    pub docs: &'static [&'static str],
}

/// A struct of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct CStruct {
    /// Its Rust name.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// What it is for.
    pub docs: &'static [&'static str],
    /// Its fields, by offset.
    pub fields: &'static [CField],
}

/// A value of a [`CEnum`], or one bit of a flag word.
#[derive(Clone, Copy, Debug)]
pub struct CValue {
    /// Its Rust name.
    pub name: &'static str,
    /// Its number.
    pub value: u64,
    /// What it means.
    pub docs: &'static [&'static str],
}

/// An enumeration or a flag word of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct CEnum {
    /// Its Rust name.
    pub name: &'static str,
    /// What it is for.
    pub docs: &'static [&'static str],
    /// Its values.
    pub values: &'static [CValue],
}

/// A plain number of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct CConst {
    /// Its name in C, without prefix.
    pub name: &'static str,
    /// Its number.
    pub value: u64,
}

/// Defines a wire struct, asserts its offsets and size, and describes it for C.
macro_rules! abi_struct {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident [$size:literal] {
            $( $(#[doc = $fdoc:literal])* $vis:vis $field:ident : $ty:ty = $offset:literal, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable,
        )]
        #[repr(C)]
        pub struct $name {
            $( $(#[doc = $fdoc])* $vis $field: $ty, )*
        }

        const _: () = {
            assert!(core::mem::size_of::<$name>() == $size);
            $( assert!(core::mem::offset_of!($name, $field) == $offset); )*
        };

        impl $name {
            /// The struct as the C header describes it.
            pub(crate) const C: $crate::layout::CStruct = $crate::layout::CStruct {
                name: stringify!($name),
                size: $size,
                docs: &[$($doc),*],
                fields: &[$(
                    $crate::layout::CField {
                        name: stringify!($field),
                        c_type: <$ty as $crate::layout::CType>::NAME,
                        elements: <$ty as $crate::layout::CType>::ELEMENTS,
                        offset: $offset,
                        docs: &[$($fdoc),*],
                    }
                ),*],
            };

            /// All fields zero.
            pub const ZERO: Self = zerocopy::transmute!([0_u8; $size]);
        }
    };
}

/// Defines an enumeration whose numbers come from the wire, with a checked way in.
macro_rules! abi_enum {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident : $repr:ident {
            $( $(#[doc = $vdoc:literal])* $variant:ident = $value:literal, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr($repr)]
        pub enum $name {
            $( $(#[doc = $vdoc])* $variant = $value, )*
        }

        impl $name {
            /// Every value, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),*];

            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_raw(raw: $repr) -> Option<Self> {
                match raw {
                    $( $value => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Its number on the wire.
            #[must_use]
            pub const fn raw(self) -> $repr {
                match self {
                    $( Self::$variant => $value, )*
                }
            }

            /// The enumeration as the C header describes it.
            pub(crate) const C: $crate::layout::CEnum = $crate::layout::CEnum {
                name: stringify!($name),
                docs: &[$($doc),*],
                values: &[$(
                    $crate::layout::CValue {
                        name: stringify!($variant),
                        value: $value,
                        docs: &[$($vdoc),*],
                    }
                ),*],
            };
        }
    };
}

/// Defines a flag word; bits nobody defined are kept, so that a reader can refuse them.
macro_rules! abi_flags {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident : $repr:ident {
            $( $(#[doc = $vdoc:literal])* $flag:ident = $value:literal, )*
        }
    ) => {
        bitflags::bitflags! {
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
            pub struct $name: $repr {
                $( $(#[doc = $vdoc])* const $flag = $value; )*
            }
        }

        impl $name {
            /// The flag word as the C header describes it.
            pub(crate) const C: $crate::layout::CEnum = $crate::layout::CEnum {
                name: stringify!($name),
                docs: &[$($doc),*],
                values: &[$(
                    $crate::layout::CValue {
                        name: stringify!($flag),
                        value: $value,
                        docs: &[$($vdoc),*],
                    }
                ),*],
            };
        }
    };
}

pub(crate) use {abi_enum, abi_flags, abi_struct};

use crate::{calls, descriptor, entries, values};

/// Every struct of the ABI, in the order the header prints them.
pub const STRUCTS: &[CStruct] = &[
    descriptor::Header::C,
    calls::Hello::C,
    calls::Jails::C,
    calls::HelloReply::C,
    calls::Probes::C,
    calls::ProbesGone::C,
    calls::Symbols::C,
    calls::Types::C,
    calls::Poll::C,
    calls::PollReply::C,
    calls::Command::C,
    calls::Fire::C,
    calls::Nested::C,
    calls::FireReply::C,
    entries::ProbeHead::C,
    entries::SymbolHead::C,
];

/// Every enumeration and flag word of the ABI.
pub const ENUMS: &[CEnum] = &[
    values::AbiVersion::C,
    values::Call::C,
    values::Status::C,
    values::Os::C,
    values::Level::C,
    values::Features::C,
    values::HostFlags::C,
    values::BatchFlags::C,
    values::ProbeKind::C,
    values::TypeFormat::C,
    values::PollFlags::C,
    values::Op::C,
    values::Context::C,
    values::NestedKind::C,
    values::Action::C,
];

/// Every plain number of the ABI.
pub const CONSTS: &[CConst] = &[
    CConst { name: "MAGIC", value: widen(crate::MAGIC) },
    CConst { name: "STATUS_UNANSWERED", value: widen(crate::STATUS_UNANSWERED) },
    CConst { name: "DOORBELL_DISPLACEMENT", value: widen(crate::DOORBELL_DISPLACEMENT) },
    CConst { name: "DOORBELL_PORT", value: crate::DOORBELL_PORT as u64 },
    CConst { name: "PAGE_SIZE", value: count(crate::PAGE_SIZE) },
    CConst { name: "BODY_SIZE", value: count(crate::BODY_SIZE) },
    CConst { name: "MAX_STACK", value: count(crate::MAX_STACK) },
    CConst { name: "MAX_STACK_NESTED", value: count(crate::MAX_STACK_NESTED) },
    CConst { name: "MAX_COMMANDS", value: count(crate::MAX_COMMANDS) },
    CConst { name: "MAX_BATCH_BYTES", value: crate::MAX_BATCH_BYTES },
    CConst { name: "MAX_TYPES_BYTES", value: crate::MAX_TYPES_BYTES },
    CConst { name: "MAX_PROBES", value: widen(crate::MAX_PROBES) },
    CConst { name: "MAX_SYMBOLS", value: widen(crate::MAX_SYMBOLS) },
    CConst { name: "MAX_NAME", value: count(entries::MAX_NAME) },
    CConst { name: "MAX_FUNCTION", value: count(entries::MAX_FUNCTION) },
    CConst { name: "MAX_SYMBOL", value: count(entries::MAX_SYMBOL) },
    CConst { name: "MAX_TYPES", value: count(entries::MAX_TYPES) },
];

const fn widen(number: u32) -> u64 {
    number as u64
}

const fn count(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header's tables name nothing twice, or C would not compile it.
    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = STRUCTS.iter().map(|s| s.name).collect();
        names.extend(ENUMS.iter().map(|e| e.name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// Fields follow each other without holes, and fill the struct.
    #[test]
    fn fields_are_dense() {
        for s in STRUCTS {
            let mut at = 0;
            for f in s.fields {
                assert_eq!(f.offset, at, "{}.{}", s.name, f.name);
                let one = match f.c_type {
                    "uint8_t" => 1,
                    "uint16_t" => 2,
                    "uint64_t" => 8,
                    _ => 4,
                };
                at += one * f.elements.max(1);
            }
            assert_eq!(at, s.size, "{}", s.name);
        }
    }
}
