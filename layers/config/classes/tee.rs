//! Several handlers as one: for a memory or a fallback that hands on to more than one.

use super::{Class, Making, PLAIN};
use crate::{Error, Tee, config::slot::Output};

pub(super) const TEE: Class =
    Class { names: &["tracing_strata.Tee", "tee"], keys: &["handlers"], refers: Some("handlers"), make, ..PLAIN };

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    making.keywords.require("handlers");
    let names = making.keywords.texts("handlers").unwrap_or_default();
    if names.is_empty() && making.keywords.has("handlers") {
        making.keywords.note(making.keywords.wrong("handlers", "expected at least one handler"));
    }
    let handlers: Tee = names.iter().filter_map(|name| making.target(name, true)).collect();
    Ok(Output::plain(handlers))
}
