//! Messages in the language of the reader.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Transform;
use crate::Record;

/// Messages by key. A record's fields are the arguments. With the feature `fluent`, `filter::Fluent` is one.
pub trait Catalog: Send + Sync + 'static {
    /// Appends the message of a key to `out`. Returns `false` if there is no such message, or if the record lacks a field
    /// that it needs.
    fn message(&self, key: &str, record: &Record, out: &mut String) -> bool;
}

/// Replaces messages by those of a [`Catalog`], for one handler: users read their language, operators the original.
///
/// The key is the event's field `message_key`. A record without one, or with one that the catalog lacks, keeps its message;
/// [`missing`](Self::missing) counts the latter.
///
/// ```
/// use tracing_strata::{Record, filter::{Catalog, Localize}, output::Stream, prelude::*};
///
/// struct German;
///
/// impl Catalog for German {
///     fn message(&self, key: &str, record: &Record, out: &mut String) -> bool {
///         let Some(items) = record.get("items") else { return false };
///         match key {
///             "order-placed" => *out += &format!("{items} Artikel bestellt"),
///             _ => return false,
///         }
///         true
///     }
/// }
///
/// let localize = Localize::new(German);
/// let file = Stream::stderr().transform(localize.clone());
/// // tracing::info!(message_key = "order-placed", items = 3, "3 items ordered");
/// assert_eq!(localize.missing(), 0);
/// # drop(file);
/// ```
///
/// Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Localize(Arc<Inner>);

struct Inner {
    catalog: Box<dyn Catalog>,
    missing: AtomicU64,
}

impl Localize {
    /// Takes the messages from a catalog.
    pub fn new(catalog: impl Catalog) -> Self {
        Self(Arc::new(Inner { catalog: Box::new(catalog), missing: AtomicU64::new(0) }))
    }

    /// How many records kept their message because the catalog had none for their key.
    pub fn missing(&self) -> u64 {
        self.0.missing.load(Ordering::Relaxed)
    }
}

impl Transform for Localize {
    fn transform(&self, record: &mut Record) {
        let Some(key) = record.fields().get("message_key") else { return };
        let key = key.to_string();
        let mut message = String::new();
        if self.0.catalog.message(&key, record, &mut message) {
            record.set_message(&message);
        } else {
            self.0.missing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Localize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Localize").field("missing", &self.missing()).finish_non_exhaustive()
    }
}
