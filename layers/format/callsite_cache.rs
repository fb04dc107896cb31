//! What the records of one call site have in common, made once and copied from then on.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tracing_core::Metadata;

use super::line::Fragment;
use crate::{Record, Severity, record::given_name};

/// Bounds the memory. Call sites that fall on one place with an earlier one are written part by part.
const SLOTS: usize = 256;

/// Of one format; its clones share them.
#[derive(Clone, Default)]
pub(super) struct CallsiteCache(Arc<OnceLock<Box<[OnceLock<Callsite>]>>>);

/// What is the same in all of a call site's records, and its names.
pub(super) struct Callsite {
    metadata: &'static Metadata<'static>,
    /// The part of a line that the format has chosen.
    pub(super) text: Fragment,
    /// Other such parts.
    more: Vec<Fragment>,
    /// Whether its events have a name.
    pub(super) is_named: bool,
    /// In the order in which the values come, as the format writes them.
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

    /// One of the parts, by its number.
    #[inline]
    pub(super) fn text(&self, place: usize) -> Option<&Fragment> {
        match place {
            0 => Some(&self.text),
            place => self.more.get(place - 1),
        }
    }
}

impl CallsiteCache {
    /// The callsite of the record's call site, unless its level or target are others than the call site's, or levels have got
    /// other names.
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
        let places = self.0.get_or_init(|| (0..SLOTS).map(|_| OnceLock::new()).collect());
        let address = std::ptr::from_ref(metadata).addr();
        let callsite = places.get((address >> 4 ^ address >> 12) % SLOTS)?.get_or_init(
            #[cold]
            || make(metadata),
        );
        std::ptr::eq(callsite.metadata, metadata).then_some(callsite)
    }
}

impl fmt::Debug for CallsiteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heads")
    }
}
