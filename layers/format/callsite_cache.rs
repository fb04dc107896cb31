//! Caches what all records of one call site have in common.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tracing_core::Metadata;

use super::line::Fragment;
use crate::{Record, Severity, record::given_name};

/// Bounds the memory. A call site whose slot is taken by another one is not cached.
const SLOTS: usize = 256;

/// The cache of one format; clones share it.
#[derive(Clone, Default)]
pub(super) struct CallsiteCache(Arc<OnceLock<Box<[OnceLock<Callsite>]>>>);

/// What is the same in all records of a call site, and the names of its fields.
pub(super) struct Callsite {
    metadata: &'static Metadata<'static>,
    /// The part of a line that the format caches.
    pub(super) text: Fragment,
    /// Further such parts.
    more: Vec<Fragment>,
    /// Whether its events have a name.
    pub(super) is_named: bool,
    /// The names of its fields, in the order of the values, and as the format writes them.
    pub(super) names: Vec<(&'static str, Fragment)>,
}

impl Callsite {
    pub(super) fn new(
        metadata: &'static Metadata<'static>,
        text: Fragment,
        name: impl Fn(&'static str) -> Fragment,
    ) -> Self {
        let names = metadata.fields().iter().map(|field| field.name()).filter(|name| *name != "message");
        let is_named = given_name(metadata).is_some();
        Self { metadata, text, more: Vec::new(), is_named, names: names.map(|of| (of, name(of))).collect() }
    }

    pub(super) fn with_more(self, more: impl Iterator<Item = Fragment>) -> Self {
        Self { more: more.collect(), ..self }
    }

    /// A cached part, by index.
    #[inline]
    pub(super) fn text(&self, index: usize) -> Option<&Fragment> {
        match index {
            0 => Some(&self.text),
            index => self.more.get(index - 1),
        }
    }
}

impl CallsiteCache {
    /// The cached call site of the record. `None` if its slot is taken, the record has another level or target, or levels
    /// were given other names.
    #[inline]
    pub(super) fn of(
        &self,
        record: &Record,
        make: impl FnOnce(&'static Metadata<'static>) -> Callsite,
    ) -> Option<&Callsite> {
        let metadata = record.call_site()?;
        if Severity::has_added_names() {
            return None;
        }
        let slots = self.0.get_or_init(|| (0..SLOTS).map(|_| OnceLock::new()).collect());
        let address = std::ptr::from_ref(metadata).addr();
        let callsite = slots.get((address >> 4 ^ address >> 12) % SLOTS)?.get_or_init(
            #[cold]
            || make(metadata),
        );
        std::ptr::eq(callsite.metadata, metadata).then_some(callsite)
    }
}

impl fmt::Debug for CallsiteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallsiteCache")
    }
}
