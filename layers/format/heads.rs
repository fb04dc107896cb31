//! What the records of one call site have in common, made once and copied from then on.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tracing_core::Metadata;

use super::line::Piece;
use crate::{Record, Severity, record::given_name};

/// Bounds the memory. Call sites that fall on one place with an earlier one are written part by part.
const PLACES: usize = 256;

/// Of one format; its clones share them.
#[derive(Clone, Default)]
pub(super) struct Heads(Arc<OnceLock<Box<[OnceLock<Head>]>>>);

/// What is the same in all of a call site's records, and its names.
pub(super) struct Head {
    metadata: &'static Metadata<'static>,
    /// The part of a line that the format has chosen.
    pub(super) text: Piece,
    /// Other such parts.
    more: Vec<Piece>,
    /// Whether its events have a name.
    pub(super) is_named: bool,
    /// In the order in which the values come, as the format writes them.
    pub(super) names: Vec<(&'static str, Piece)>,
}

impl Head {
    pub(super) fn new(metadata: &'static Metadata<'static>, text: Piece, name: impl Fn(&'static str) -> Piece) -> Self {
        let names = metadata.fields().iter().map(|field| field.name()).filter(|name| *name != "message");
        let is_named = given_name(metadata).is_some();
        Self { metadata, text, more: Vec::new(), is_named, names: names.map(|of| (of, name(of))).collect() }
    }

    pub(super) fn and_texts(self, more: impl Iterator<Item = Piece>) -> Self {
        Self { more: more.collect(), ..self }
    }

    /// One of the parts, by its number.
    #[inline]
    pub(super) fn text(&self, place: usize) -> Option<&Piece> {
        match place {
            0 => Some(&self.text),
            place => self.more.get(place - 1),
        }
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
        let head = places.get((address >> 4 ^ address >> 12) % PLACES)?.get_or_init(
            #[cold]
            || make(metadata),
        );
        std::ptr::eq(head.metadata, metadata).then_some(head)
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heads")
    }
}
