//! The plugin's arguments: what stands behind its path in `-plugin`.

use std::path::PathBuf;

use shim::name::{BadName, VmName};

/// What the plugin was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `name=`: the VM's name.
    pub(crate) name: VmName,
    /// `dir=`: the run directory, if not the usual one.
    pub(crate) dir: Option<PathBuf>,
}

/// Why the arguments are refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadArguments {
    /// No name.
    #[error("the VM has no name: -plugin libhypertrace_qemu.so,name=NAME")]
    NoName,
    /// A bad one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Something we do not know.
    #[error("unknown argument {0:?}; name=NAME and dir=DIRECTORY are known")]
    Unknown(String),
}

impl Arguments {
    /// Reads `key=value` arguments.
    ///
    /// # Errors
    /// [`BadArguments`].
    pub(crate) fn read<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Self, BadArguments> {
        let (mut name, mut dir) = (None, None);
        for arg in args {
            match arg.split_once('=') {
                Some(("name", value)) => name = Some(VmName::new(value)?),
                Some(("dir", value)) => dir = Some(PathBuf::from(value)),
                _ => return Err(BadArguments::Unknown(arg.to_owned())),
            }
        }
        Ok(Self { name: name.ok_or(BadArguments::NoName)?, dir })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelt argument is an error, not a default.
    #[test]
    fn arguments_are_read_or_named() {
        let read = |args: &[&'static str]| Arguments::read(args.iter().copied());
        let good = read(&["name=vm-0", "dir=/tmp/x"]).expect("good");
        assert_eq!((good.name.as_str(), good.dir), ("vm-0", Some("/tmp/x".into())));
        assert_eq!(read(&[]), Err(BadArguments::NoName));
        assert_eq!(read(&["nam=x"]), Err(BadArguments::Unknown("nam=x".into())));
        assert!(matches!(read(&["name=a b"]), Err(BadArguments::Name(_))));
    }
}
