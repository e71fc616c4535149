//! A world for tests: types, symbols and argument types as the test says.

use std::collections::HashMap;

use dif::program::ProbeDesc;

use crate::world::{ArgType, ArgTypes, Symbol, TypeContainer, TypeFormat, World};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestWorld {
    pub(crate) btf: Option<Vec<u8>>,
    pub(crate) symbols: HashMap<String, u64>,
    pub(crate) args: Vec<ArgType>,
    /// Descriptions of these providers match nothing.
    pub(crate) absent: Vec<String>,
}

impl TestWorld {
    pub(crate) fn with_btf(bytes: Vec<u8>) -> Self {
        Self { btf: Some(bytes), ..Self::default() }
    }
}

impl World for TestWorld {
    fn types(&self) -> Vec<TypeContainer<'_>> {
        self.btf
            .iter()
            .map(|bytes| TypeContainer { module: "vmlinux", format: TypeFormat::Btf, bytes })
            .collect()
    }

    fn symbol(&self, _module: Option<&str>, name: &str) -> Option<Symbol> {
        let address = *self.symbols.get(name)?;
        Some(Symbol { address, size: 8, module: "vmlinux".into() })
    }

    fn matches(&self, desc: &ProbeDesc) -> usize {
        usize::from(!self.absent.contains(&desc.provider))
    }

    fn arg_types(&self, _desc: &ProbeDesc) -> ArgTypes {
        if self.args.is_empty() { ArgTypes::Untyped } else { ArgTypes::Typed(self.args.clone()) }
    }

    fn name(&self) -> &str {
        "test"
    }
}
