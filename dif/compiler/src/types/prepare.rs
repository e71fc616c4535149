//! Makes one format of the containers that machines publish.
//!
//! BTF is left as it is, CTF becomes BTF. That takes time and memory in proportion to the
//! container, so whoever compiles several scripts for a machine prepares its containers once;
//! [`super::Types`] prepares what has not been.

use std::borrow::Cow;

use super::ctf::{Ctf, CtfSymbol};
use crate::world::{TypeContainer, TypeFormat};

/// A container in BTF.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// `vmlinux`/`kernel` for the kernel image.
    pub module: &'a str,
    /// [`TypeFormat::Btf`] or [`TypeFormat::BtfAlone`].
    pub format: TypeFormat,
    /// The container.
    pub bytes: Cow<'a, [u8]>,
}

/// [`prepare_with`] without symbols: CTF gives no types of functions and objects then.
#[must_use]
pub fn prepare<'a>(containers: &[TypeContainer<'a>]) -> (Vec<Prepared<'a>>, Vec<String>) {
    prepare_with(containers, &|_| Vec::new())
}

/// Makes BTF of all containers. One that cannot be read is left out, with a line that says why,
/// and so are those that refer to it. `symbols` gives a module's, which CTF counts on.
#[must_use]
pub fn prepare_with<'a>(
    containers: &[TypeContainer<'a>],
    symbols: &dyn Fn(&str) -> Vec<CtfSymbol>,
) -> (Vec<Prepared<'a>>, Vec<String>) {
    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    let image = containers.first().filter(|first| first.format == TypeFormat::Ctf);
    let image = image.and_then(|first| {
        let ctf = Ctf::parse(first.bytes).ok()?;
        ctf.is_whole().then_some((first.module, ctf))
    });
    for container in containers {
        let TypeContainer { module, format, bytes } = *container;
        if format != TypeFormat::Ctf {
            out.push(Prepared { module, format, bytes: Cow::Borrowed(bytes) });
            continue;
        }
        let read = Ctf::parse(bytes).and_then(|ctf| {
            let parent = ctf.parent();
            let of_image = image.as_ref().filter(|(name, _)| parent == Some(name));
            let btf = ctf.to_btf(of_image.map(|(_, ctf)| ctf), &symbols(module))?;
            Ok((if parent.is_some() { TypeFormat::Btf } else { TypeFormat::BtfAlone }, btf))
        });
        match read {
            Ok((format, bytes)) => out.push(Prepared { module, format, bytes: bytes.into() }),
            Err(error) => warnings.push(format!("the types of {module} cannot be read: {error}")),
        }
    }
    (out, warnings)
}
