//! `-x debuginfo=[target:]file`: a machine's types out of a file that the user names.
//!
//! A kernel without BTF or CTF has its types in a file with debugging information, if anywhere. The
//! file takes the place of whatever the machine itself published. It is read once, when the first
//! machine that it is for is known.

use std::{fs::File, io::Read as _, rc::Rc};

use dlang::{types::file::types_of_file, world::TypeFormat};
use hypercall::Os;

use crate::{
    link::TypeBlob,
    machine::{KernelTypes, Machine, Names},
    options::{Options, Resolvers},
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 30;

/// One file.
struct TypeFile {
    target: String,
    path: String,
    btf: Option<Rc<[u8]>>,
}

/// The files of a session.
#[derive(Default)]
pub struct TypeFiles(Vec<TypeFile>);

impl std::fmt::Debug for TypeFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|file| &file.path)).finish()
    }
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read types from {path}: {why}")]
pub struct TypeFileError {
    path: String,
    why: String,
}

impl TypeFiles {
    /// The files that options name.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let values = options.compiler.iter().filter(|(name, _)| name == "debuginfo");
        Self(values.filter_map(|(_, value)| value.as_deref().map(parse)).collect())
    }

    /// Gives a machine the types of the last file that is for it, if there is one.
    ///
    /// # Errors
    /// [`TypeFileError`] if that file cannot be read.
    pub fn apply(
        &mut self,
        machine: &mut Machine,
        resolvers: Resolvers,
    ) -> Result<(), TypeFileError> {
        let names = Names::new(machine.link.info());
        let is_for = |file: &&mut TypeFile| {
            file.target.is_empty() || names.match_target(&file.target, resolvers)
        };
        let Some(file) = self.0.iter_mut().rev().find(is_for) else { return Ok(()) };
        let btf = match &file.btf {
            Some(btf) => Rc::clone(btf),
            None => Rc::clone(file.btf.insert(file_types(&file.path)?.into())),
        };
        let free_bsd = Os::from_raw(machine.link.info().os) == Some(Os::FreeBsd);
        let module = if free_bsd { "kernel" } else { "vmlinux" };
        let image =
            TypeBlob { module: module.into(), format: TypeFormat::BtfAlone, bytes: btf.to_vec() };
        // Modules whose types build upon the machine's own image's cannot build upon others.
        let mut blobs = vec![image];
        let modules = machine.types.blobs.iter().filter(|blob| blob.module != module);
        blobs.extend(modules.filter(|blob| blob.format == TypeFormat::BtfAlone).cloned());
        machine.set_types(Rc::new(KernelTypes::of_btf(blobs)));
        Ok(())
    }
}

/// `[target:]file`; a target has no slash.
fn parse(value: &str) -> TypeFile {
    let (target, path) = match value.split_once(':') {
        Some((target, path)) if !target.contains('/') => (target, path),
        _ => ("", value),
    };
    TypeFile { target: target.to_owned(), path: path.to_owned(), btf: None }
}

fn file_types(path: &str) -> Result<Vec<u8>, TypeFileError> {
    let fail = |why: String| TypeFileError { path: path.to_owned(), why };
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().map_err(|error| fail(error.to_string()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(fail("it is larger than 4 GiB".to_owned()));
    }
    types_of_file(&bytes).map_err(|error| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::machines;

    const ALL: Resolvers = Resolvers { vmname: true, hostname: true, version: true };

    fn options(values: &[&str]) -> Options {
        let compiler = values.iter().map(|value| ("debuginfo".into(), Some((*value).into())));
        Options { compiler: compiler.collect(), ..Options::default() }
    }

    /// A target is what stands before a colon, unless it is a path.
    #[test]
    fn targets_are_told_from_paths() {
        let parts = |value| {
            let file = parse(value);
            (file.target, file.path)
        };
        assert_eq!(parts("/boot/vmlinux"), (String::new(), "/boot/vmlinux".into()));
        assert_eq!(parts("vm-*:/boot/vmlinux"), ("vm-*".into(), "/boot/vmlinux".into()));
        assert_eq!(parts("/a:b/vmlinux"), (String::new(), "/a:b/vmlinux".into()));
        assert_eq!(parts(":a:b"), (String::new(), "a:b".into()));
    }

    /// A file takes the place of what a machine published, and only on machines it is for.
    #[test]
    fn a_file_is_for_its_machines() {
        let dir = std::env::temp_dir().join(format!("ht-types-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("types.btf");
        std::fs::write(&path, crate::btf::tests::sample()).unwrap();
        let mut all = machines(&[("host", &[]), ("vm-web-0", &[])]);
        let mut files = TypeFiles::new(&options(&[&format!("vm-*:{}", path.display())]));
        for machine in &mut all {
            files.apply(machine, ALL).unwrap();
        }
        assert_ne!(all[0].kernel, all[1].kernel, "a world of its own");
        assert_eq!(all[0].types.blobs[0].format, TypeFormat::Btf);
        assert_eq!(all[1].types.blobs[0].format, TypeFormat::BtfAlone);
        let read = all[1].types.signatures.function("vmlinux", "vfs_read").unwrap();
        assert_eq!(read.parameters[0], "struct file *");
        std::fs::remove_dir_all(&dir).unwrap();
        let mut gone = TypeFiles::new(&options(&[&path.display().to_string()]));
        let error = gone.apply(&mut all[0], ALL).unwrap_err().to_string();
        assert!(error.starts_with("failed to read types from "), "{error}");
    }
}
