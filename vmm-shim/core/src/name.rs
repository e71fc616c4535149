//! The name of a virtual machine, as its monitor gives it.
//!
//! It becomes a file name in the run directory and a word on a terminal, so little is allowed.

use std::fmt;

/// The longest name, in bytes: a socket's path has to fit into `sockaddr_un` (108 bytes).
pub const MAX_VM_NAME: usize = 48;

/// A checked name of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VmName(String);

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing was given.
    #[error("the VM's name is empty")]
    Empty,
    /// More bytes than [`MAX_VM_NAME`].
    #[error("the VM's name has {0} bytes, at most {MAX_VM_NAME} are allowed")]
    TooLong(usize),
    /// Does not begin with a letter or digit.
    #[error("the VM's name {0:?} does not begin with a letter or a digit")]
    BadStart(String),
    /// A character that has no place in it.
    #[error("the VM's name {0:?} contains {1:?}; allowed are letters, digits, '.', '_' and '-'")]
    BadChar(String, char),
    /// It is what the host itself is called.
    #[error("the VM's name \"host\" is the host's own")]
    Reserved,
}

impl VmName {
    /// Checks a name: letters, digits, `.`, `_` and `-`, beginning with a letter or digit, and not
    /// `host`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let first = name.chars().next().ok_or(BadName::Empty)?;
        if name.len() > MAX_VM_NAME {
            return Err(BadName::TooLong(name.len()));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(BadName::BadStart(name.to_owned()));
        }
        let odd = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-');
        if let Some(c) = name.chars().find(odd) {
            return Err(BadName::BadChar(name.to_owned(), c));
        }
        if name == "host" {
            return Err(BadName::Reserved);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name can leave neither the run directory nor its line on a terminal.
    #[test]
    fn names_that_could_do_harm_are_refused() {
        assert_eq!(VmName::new("vm-web-0").map(|n| n.to_string()), Ok("vm-web-0".into()));
        assert_eq!(VmName::new(""), Err(BadName::Empty));
        assert_eq!(VmName::new("../x"), Err(BadName::BadStart("../x".into())));
        assert_eq!(VmName::new("a/b"), Err(BadName::BadChar("a/b".into(), '/')));
        assert_eq!(VmName::new("a\x1b"), Err(BadName::BadChar("a\x1b".into(), '\x1b')));
        assert_eq!(VmName::new(&"x".repeat(49)), Err(BadName::TooLong(49)));
        assert_eq!(VmName::new("host"), Err(BadName::Reserved));
    }
}
