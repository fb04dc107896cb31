//! What stays the same from one configuration to the next.

use std::sync::Arc;

use super::{
    handler_args::HandlerArgs,
    node::{Map, Position},
    objects::Objects,
    registry::ClassRegistry,
};
use crate::{clock::Clock, ledger::ErrorHandler};

#[derive(Clone)]
pub(super) struct Setup {
    pub(super) registry: Arc<ClassRegistry>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) error_handler: ErrorHandler,
    /// Whether every default is Python's.
    pub(super) as_python: bool,
}

impl Setup {
    pub(super) fn objects(&self) -> &Objects {
        &self.registry.objects
    }

    /// The arguments of a class, from a mapping at a path.
    pub(super) fn args<'c>(
        &'c self,
        path: impl Into<String>,
        at: Option<Position>,
        class: &str,
        map: &'c Map,
    ) -> HandlerArgs<'c> {
        HandlerArgs::new(path, at, class, map, self.objects(), self.as_python)
    }
}
