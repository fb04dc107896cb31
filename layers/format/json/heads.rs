//! What the records of one call site have in common, made once and copied from then on.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tracing_core::Metadata;

use super::line::{Line, Piece};
use crate::{Record, Severity};

/// Bounds the memory. Call sites that fall on one place with an earlier one are written part by part.
const PLACES: usize = 256;

/// Of one format; its clones share them.
#[derive(Clone, Default)]
pub(super) struct Heads(Arc<OnceLock<Box<[OnceLock<Head>]>>>);

/// The beginning of a call site's records, and its names.
pub(super) struct Head {
    metadata: &'static Metadata<'static>,
    /// From behind the time to the beginning of the message.
    pub(super) text: Vec<u8>,
    /// In the order in which the values come, `,"name":`.
    pub(super) names: Vec<(&'static str, Piece)>,
}

impl Head {
    /// `begin` writes the text.
    #[cold]
    pub(super) fn new(metadata: &'static Metadata<'static>, begin: impl FnOnce(&mut Line<'_>, Severity, &str)) -> Self {
        let text = Piece::of(false, |line| begin(line, Severity::from(metadata.level()), metadata.target()));
        let names = metadata.fields().iter().map(|field| field.name()).filter(|name| *name != "message");
        let names = names.map(|name| (name, Piece::of(false, |line| line.key(name)))).collect();
        Self { metadata, text: text.text().to_vec(), names }
    }
}

impl Heads {
    /// The head of the record's call site, unless its level or target are others than the call site's, or levels have got
    /// other names.
    #[inline]
    pub(super) fn of(&self, record: &Record, make: impl FnOnce(&'static Metadata<'static>) -> Head) -> Option<&Head> {
        let metadata = record.call_site()?;
        if Severity::has_added_names() {
            return None;
        }
        let places = self.0.get_or_init(|| (0..PLACES).map(|_| OnceLock::new()).collect());
        let address = std::ptr::from_ref(metadata).addr();
        let head = places.get((address >> 4 ^ address >> 12) % PLACES)?.get_or_init(|| make(metadata));
        std::ptr::eq(head.metadata, metadata).then_some(head)
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heads")
    }
}
