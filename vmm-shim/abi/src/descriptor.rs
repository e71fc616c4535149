//! The descriptor page, and the checks every call passes before anything is done with it.
//!
//! [`Descriptor::parse`] looks at the header and the fixed part of the body and hands out a
//! [`Request`] whose numbers are in range: enumerations known, counts within the body, batches
//! within their limits. What it cannot check is whether an address translates.
//!
//! The page belongs to the guest, which may write to it meanwhile. Whoever parses hands in a copy,
//! or memory of which it knows that each field is read once.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::calls::{Fire, Hello, Jails, Nested, Poll, Probes, ProbesGone, Symbols, Types};
use crate::layout::abi_struct;
use crate::text::{printable, text};
use crate::values::{
    AbiVersion, Call, Context, Features, Level, NestedKind, Os, Status, TypeFormat,
};
use crate::{MAGIC, MAX_BATCH_BYTES, MAX_PROBES, MAX_STACK, MAX_SYMBOLS, MAX_TYPES_BYTES};

/// Bytes of a descriptor.
pub const PAGE_SIZE: usize = 4096;

/// Bytes of a descriptor's body.
pub const BODY_SIZE: usize = PAGE_SIZE - size_of::<Header>();

abi_struct! {
    /// Head of a descriptor.
    pub struct Header[64] {
        /// `MAGIC`.
        pub magic: u32 = 0,
        /// An `AbiVersion`.
        pub version: u16 = 4,
        /// A `Call`.
        pub call: u16 = 6,
        /// Written by the host: a `Status`.
        pub status: u32 = 8,
        /// Bytes of body that the sender filled.
        pub length: u32 = 12,
        /// What the doorbell stores: `call << 32 | sequence`.
        pub doorbell: u64 = 16,
        /// The guest's number of this CPU.
        pub cpu: u32 = 24,
        /// A `Level`: tells who reads a page which of the CPU's it is.
        pub level: u8 = 28,
        /// Zero.
        pub reserved: [u8; 3] = 29,
        /// The guest's CR3 at the call.
        pub cr3: u64 = 32,
        /// Written by the host in HELLO's reply, repeated by the guest.
        pub cookie: u64 = 40,
        /// Zero.
        pub reserved2: [u8; 16] = 48,
    }
}

impl Header {
    /// Checks the head alone and says what is called.
    ///
    /// # Context
    /// On the firing path: no allocation, no loop.
    ///
    /// # Errors
    /// [`Status::BadMagic`], [`Status::BadVersion`], [`Status::BadCall`], [`Status::BadLength`] for
    /// more than a body holds or less than the call's fixed part.
    pub const fn check(&self) -> Result<Call, Status> {
        if self.magic != MAGIC {
            return Err(Status::BadMagic);
        }
        if AbiVersion::from_raw(self.version).is_none() {
            return Err(Status::BadVersion);
        }
        let Some(call) = Call::from_raw(self.call) else {
            return Err(Status::BadCall);
        };
        if self.length as usize > BODY_SIZE || (self.length as usize) < call.body_size() {
            return Err(Status::BadLength);
        }
        Ok(call)
    }

    /// The context level, which the host does not use; task for an unknown number.
    #[must_use]
    pub const fn level(&self) -> Level {
        match Level::from_raw(self.level) {
            Some(level) => level,
            None => Level::Task,
        }
    }
}

impl Call {
    /// Bytes of the fixed part of the call's body.
    #[must_use]
    pub const fn body_size(self) -> usize {
        match self {
            Self::Hello => size_of::<Hello>(),
            Self::Probes => size_of::<Probes>(),
            Self::ProbesGone => size_of::<ProbesGone>(),
            Self::Symbols => size_of::<Symbols>(),
            Self::Types => size_of::<Types>(),
            Self::Poll => size_of::<Poll>(),
            Self::Fire => size_of::<Fire>(),
            Self::Goodbye => 0,
        }
    }
}

/// A descriptor's body, aligned for every call's struct.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Body([u64; BODY_SIZE / 8]);

impl Body {
    /// All bytes zero.
    pub const ZERO: Self = Self([0; BODY_SIZE / 8]);

    /// The body's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The body's bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_bytes()
    }

    /// The struct the body begins with.
    fn head<T: FromBytes + KnownLayout + Immutable>(&self) -> Result<&T, Status> {
        match T::ref_from_prefix(self.bytes()) {
            Ok((head, _)) => Ok(head),
            Err(_) => Err(Status::BadLength),
        }
    }
}

/// A descriptor page.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Descriptor {
    /// Its head.
    pub header: Header,
    /// Its body.
    pub body: Body,
}

const _: () = {
    assert!(size_of::<Descriptor>() == PAGE_SIZE);
    assert!(core::mem::offset_of!(Descriptor, body) == 64);
    assert!(BODY_SIZE == 4032);
};

/// What a descriptor asks for, its numbers in range.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// See [`Hello`].
    Hello {
        /// The fixed part.
        hello: &'a Hello,
        /// Where the guest's kernel keeps jails, if it has any.
        jails: Option<&'a Jails>,
    },
    /// See [`Probes`].
    Probes(&'a Probes),
    /// See [`ProbesGone`].
    ProbesGone(&'a ProbesGone),
    /// See [`Symbols`].
    Symbols(&'a Symbols),
    /// See [`Types`].
    Types(&'a Types),
    /// See [`Poll`].
    Poll(&'a Poll),
    /// See [`Fire`].
    Fire {
        /// The fixed part.
        fire: &'a Fire,
        /// The kernel stack's words, unaligned little-endian, innermost first.
        stack: &'a [u8],
        /// The inner guest's vCPU, if the fire carries one.
        nested: Option<&'a Nested>,
    },
    /// No body.
    Goodbye,
}

impl Descriptor {
    /// All bytes zero.
    pub const ZERO: Self = Self { header: Header::ZERO, body: Body::ZERO };

    /// Checks a descriptor and says what it asks for.
    ///
    /// # Context
    /// On the firing path: no allocation, no loop that depends on the guest.
    ///
    /// # Errors
    /// The status to answer with: those of [`Header::check`]; [`Status::BadArgument`] for a field
    /// out of range; [`Status::BadLength`] for a stack longer than the body; [`Status::Limit`] for
    /// a batch beyond the limits.
    pub fn parse(&self) -> Result<Request<'_>, Status> {
        let call = self.header.check()?;
        let body = &self.body;
        Ok(match call {
            Call::Hello => self.parse_hello()?,
            Call::Probes => Request::Probes(checked(body.head()?, check_probes)?),
            Call::ProbesGone => Request::ProbesGone(checked(body.head()?, check_gone)?),
            Call::Symbols => Request::Symbols(checked(body.head()?, check_symbols)?),
            Call::Types => Request::Types(checked(body.head()?, check_types)?),
            Call::Poll => Request::Poll(body.head()?),
            Call::Fire => self.parse_fire()?,
            Call::Goodbye => Request::Goodbye,
        })
    }

    /// The HELLO part of [`Descriptor::parse`].
    fn parse_hello(&self) -> Result<Request<'_>, Status> {
        const END: usize = size_of::<Hello>() + size_of::<Jails>();
        let hello = checked(self.body.head()?, check_hello)?;
        if hello.features & Features::JAILS.bits() == 0 {
            return Ok(Request::Hello { hello, jails: None });
        }
        if (self.header.length as usize) < END {
            return Err(Status::BadLength);
        }
        let bytes = self.body.bytes().get(size_of::<Hello>()..END).ok_or(Status::BadLength)?;
        let jails = Jails::ref_from_bytes(bytes).map_err(|_| Status::BadLength)?;
        Ok(Request::Hello { hello, jails: Some(checked(jails, check_jails)?) })
    }

    /// The FIRE part of [`Descriptor::parse`].
    fn parse_fire(&self) -> Result<Request<'_>, Status> {
        let fire: &Fire = self.body.head()?;
        if fire.present & !u32::from(Context::all().bits()) != 0 {
            return Err(Status::BadArgument);
        }
        let frames = fire.nstack as usize;
        if frames > MAX_STACK {
            return Err(Status::BadLength);
        }
        let end = size_of::<Fire>() + frames * size_of::<u64>();
        let length = self.header.length as usize;
        if end > length {
            return Err(Status::BadLength);
        }
        let stack = self.body.bytes().get(size_of::<Fire>()..end).ok_or(Status::BadLength)?;
        let nested = if fire.present & u32::from(Context::NESTED.bits()) == 0 {
            None
        } else {
            Some(self.nested(end, length)?)
        };
        Ok(Request::Fire { fire, stack, nested })
    }

    /// The vCPU that begins at `start` of a body of `length` bytes.
    #[cold]
    fn nested(&self, start: usize, length: usize) -> Result<&Nested, Status> {
        let bytes = self.body.bytes().get(start..length).ok_or(Status::BadLength)?;
        let (nested, _) = Nested::ref_from_prefix(bytes).map_err(|_| Status::BadLength)?;
        if NestedKind::from_raw(nested.kind).is_none() {
            return Err(Status::BadArgument);
        }
        Ok(nested)
    }
}

/// The body, if the check lets it pass.
fn checked<T>(body: &T, check: fn(&T) -> Result<(), Status>) -> Result<&T, Status> {
    check(body).map(|()| body)
}

fn check_hello(hello: &Hello) -> Result<(), Status> {
    let paging = matches!(hello.paging, 4 | 5);
    if Os::from_raw(hello.os).is_none() || !paging || hello.ncpu == 0 {
        return Err(Status::BadArgument);
    }
    Ok(())
}

/// No structure of a kernel has 64 KiB, so an offset cannot lead out of what is read by it.
fn check_jails(jails: &Jails) -> Result<(), Status> {
    let Jails { thread_ucred, ucred_prison, prison_id, prison_name } = *jails;
    let all = [thread_ucred, ucred_prison, prison_id, prison_name];
    if all.iter().any(|&offset| offset > 0xffff) { Err(Status::BadArgument) } else { Ok(()) }
}

fn check_probes(batch: &Probes) -> Result<(), Status> {
    check_batch(batch.gva, batch.len, MAX_BATCH_BYTES)?;
    check_run(batch.first_id, batch.count)
}

fn check_gone(gone: &ProbesGone) -> Result<(), Status> {
    check_run(gone.first_id, gone.count)
}

fn check_symbols(batch: &Symbols) -> Result<(), Status> {
    check_batch(batch.gva, batch.len, MAX_BATCH_BYTES)?;
    if batch.count > MAX_SYMBOLS {
        return Err(Status::Limit);
    }
    Ok(())
}

fn check_types(types: &Types) -> Result<(), Status> {
    check_batch(types.gva, types.len, MAX_TYPES_BYTES)?;
    let module = printable(text(&types.module));
    if TypeFormat::from_raw(types.format).is_none() || module.is_none_or(str::is_empty) {
        return Err(Status::BadArgument);
    }
    Ok(())
}

/// A run of probe ids: from 1, within the limit, no wrap.
fn check_run(first: u32, count: u32) -> Result<(), Status> {
    if first == 0 {
        return Err(Status::BadArgument);
    }
    match first.checked_add(count) {
        Some(end) if end - 1 <= MAX_PROBES => Ok(()),
        _ => Err(Status::Limit),
    }
}

/// A batch in guest memory: within the limit, no wrap of the address space.
fn check_batch(gva: u64, len: u64, most: u64) -> Result<(), Status> {
    if len > most {
        return Err(Status::Limit);
    }
    match gva.checked_add(len) {
        Some(_) => Ok(()),
        None => Err(Status::BadAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn descriptor(call: Call) -> Descriptor {
        let mut d = Descriptor::ZERO;
        d.header.magic = MAGIC;
        d.header.version = AbiVersion::LATEST.raw();
        d.header.call = call.raw();
        d.header.length = u32::try_from(call.body_size()).expect("a body's size fits");
        d
    }

    fn with_body<T: IntoBytes + Immutable>(call: Call, body: &T) -> Descriptor {
        let mut d = descriptor(call);
        let bytes = body.as_bytes();
        d.body.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        d
    }

    /// Each fault of the head has its own answer.
    #[test]
    fn head_faults_are_told_apart() {
        let good = descriptor(Call::Goodbye);
        assert!(matches!(good.parse(), Ok(Request::Goodbye)));
        let mut d = good;
        d.header.magic = 0;
        assert_eq!(d.parse().err(), Some(Status::BadMagic));
        let mut d = good;
        d.header.version = 2;
        assert_eq!(d.parse().err(), Some(Status::BadVersion));
        let mut d = good;
        d.header.call = 99;
        assert_eq!(d.parse().err(), Some(Status::BadCall));
        let mut d = good;
        d.header.length = 4033;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        let mut d = descriptor(Call::Poll);
        d.header.length = 15;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        let mut d = good;
        d.header.level = 4;
        assert!(d.parse().is_ok(), "no level is wrong");
    }

    /// A stack is handed out only if the body says it holds it.
    #[test]
    fn stack_is_bounded_by_length() {
        let fire = Fire { nstack: 3, ..Fire::ZERO };
        let mut d = with_body(Call::Fire, &fire);
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        d.header.length = 232 + 24;
        assert!(matches!(d.parse(), Ok(Request::Fire { stack, .. }) if stack.len() == 24));
        let fire = Fire { nstack: u32::MAX, ..Fire::ZERO };
        let mut d = with_body(Call::Fire, &fire);
        d.header.length = 4032;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
    }

    /// An inner guest's vCPU is handed out only if the body holds it whole, behind the stack, and
    /// its tables are of a kind there is.
    #[test]
    fn a_nested_vcpu_lies_behind_the_stack() {
        let present = u32::from(Context::NESTED.bits());
        let fire = Fire { nstack: 2, present, ..Fire::ZERO };
        let mut d = with_body(Call::Fire, &fire);
        let nested = Nested { root: 0x1000, kind: NestedKind::Npt.raw(), ..Nested::ZERO };
        d.body.bytes_mut()[232 + 16..232 + 16 + 64].copy_from_slice(nested.as_bytes());
        d.header.length = 232 + 16 + 63;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        d.header.length += 1;
        let Ok(Request::Fire { stack, nested: Some(found), .. }) = d.parse() else {
            panic!("{:?}", d.parse())
        };
        assert_eq!((stack.len(), found.root), (16, 0x1000));
        d.body.bytes_mut()[232 + 16 + 40] = 3;
        assert_eq!(d.parse().err(), Some(Status::BadArgument));
        let full = Fire { nstack: 475, present, ..Fire::ZERO };
        let mut d = with_body(Call::Fire, &full);
        d.header.length = 4032;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
    }

    /// Jails are looked for only where HELLO says they follow, holds them, and is no nonsense.
    #[test]
    fn jails_follow_hello() {
        let mut hello = Hello { os: Os::FreeBsd.raw(), paging: 4, ncpu: 1, ..Hello::ZERO };
        let plain = with_body(Call::Hello, &hello);
        assert!(matches!(plain.parse(), Ok(Request::Hello { jails: None, .. })));
        hello.features = Features::JAILS.bits();
        let mut d = with_body(Call::Hello, &hello);
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        let jails = Jails { thread_ucred: 352, ucred_prison: 48, prison_id: 24, prison_name: 96 };
        d.body.bytes_mut()[328..344].copy_from_slice(jails.as_bytes());
        d.header.length = 343;
        assert_eq!(d.parse().err(), Some(Status::BadLength));
        d.header.length = 344;
        let Ok(Request::Hello { jails: Some(found), .. }) = d.parse() else {
            panic!("{:?}", d.parse())
        };
        assert_eq!((found.thread_ucred, found.prison_name), (352, 96));
        d.body.bytes_mut()[330] = 1;
        assert_eq!(d.parse().err(), Some(Status::BadArgument));
    }

    /// Runs and batches cannot wrap or pass the limits.
    #[test]
    fn batches_are_bounded() {
        let ok =
            Probes { gva: 0xffff_8880_0000_0000, len: 64, count: 2, first_id: 1, ..Probes::ZERO };
        assert!(with_body(Call::Probes, &ok).parse().is_ok());
        let cases = [
            (Probes { first_id: 0, ..ok }, Status::BadArgument),
            (Probes { first_id: u32::MAX, ..ok }, Status::Limit),
            (Probes { count: MAX_PROBES + 1, ..ok }, Status::Limit),
            (Probes { len: MAX_BATCH_BYTES + 1, ..ok }, Status::Limit),
            (Probes { gva: u64::MAX - 3, ..ok }, Status::BadAddress),
        ];
        for (body, status) in cases {
            assert_eq!(with_body(Call::Probes, &body).parse().err(), Some(status));
        }
    }

    /// A container without a module's name could not be looked up again.
    #[test]
    fn types_need_a_module() {
        let mut types = Types { gva: 4096, len: 10, format: 1, ..Types::ZERO };
        assert_eq!(with_body(Call::Types, &types).parse().err(), Some(Status::BadArgument));
        types.module[..7].copy_from_slice(b"vmlinux");
        assert!(with_body(Call::Types, &types).parse().is_ok());
        types.format = 7;
        assert_eq!(with_body(Call::Types, &types).parse().err(), Some(Status::BadArgument));
    }

    proptest! {
        /// No page whatever makes the parser panic, and what it lets through is in range.
        #[test]
        fn any_page_parses_or_is_refused(
            call in 0_u16..12,
            length in prop_oneof![0_u32..=4100, any::<u32>()],
            body in proptest::collection::vec(any::<u8>(), 0..400),
            fill in any::<u8>(),
        ) {
            let mut d = descriptor(Call::Goodbye);
            d.header.call = call;
            d.header.length = length;
            d.body.bytes_mut().fill(fill);
            d.body.bytes_mut()[..body.len()].copy_from_slice(&body);
            match d.parse() {
                Ok(Request::Fire { fire, stack, nested: _ }) => {
                    prop_assert_eq!(stack.len(), fire.nstack as usize * 8);
                }
                Ok(Request::Probes(p)) => prop_assert!(p.len <= MAX_BATCH_BYTES && p.first_id > 0),
                Ok(_) => prop_assert!(length as usize <= BODY_SIZE),
                Err(status) => prop_assert!(status != Status::Ok),
            }
        }
    }
}
