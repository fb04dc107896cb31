//! What a class of handlers is, and what it gets to make one.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    config_filter::ConfigFilter,
    configured_handler::{ConfiguredHandler, Output, Target},
    formatting::Formatting,
    handler_args::HandlerArgs,
    node::Node,
};
use crate::{Error, NamedHandler, clock::Clock};

/// A class of handlers that a configuration can name.
pub(super) struct Class {
    /// Python's dotted names, then the short one.
    pub(super) names: &'static [&'static str],
    /// Python's keys in the order of the positional arguments, then the extensions.
    pub(super) keys: &'static [&'static str],
    /// What can be set on a finished handler, under `.`.
    pub(super) attributes: &'static [&'static str],
    /// The key that names other handlers.
    pub(super) targets_key: Option<&'static str>,
    /// The key that names a filter.
    pub(super) filter_key: Option<&'static str>,
    /// Whether a queue is put in front unless the configuration says `direct`.
    pub(super) queued: bool,
    /// Whether it has a format of its own where no formatter is named.
    pub(super) has_own_format: bool,
    pub(super) make: fn(&BuildContext<'_, '_>) -> Result<Output, Error>,
}

/// A class with nothing special, for `..DEFAULTS`.
pub(super) const DEFAULTS: Class = Class {
    names: &[],
    keys: &[],
    attributes: &[],
    targets_key: None,
    filter_key: None,
    queued: false,
    has_own_format: false,
    make: |_| Ok(Output::plain(crate::output::Null)),
};

/// Stands for a handler that cannot be made, after the reason was reported.
pub(super) fn placeholder() -> Output {
    Output { is_placeholder: true, ..Output::plain(crate::output::Null) }
}

/// Everything a class needs to make a handler.
pub(super) struct BuildContext<'m, 'c> {
    pub(super) name: &'m str,
    pub(super) args: &'m HandlerArgs<'c>,
    /// The arguments under `.`.
    pub(super) attributes: &'m HandlerArgs<'c>,
    /// The arguments under `strata`.
    pub(super) strata: &'m HandlerArgs<'c>,
    pub(super) formatting: &'m Arc<Formatting>,
    /// Whether a formatter was named.
    pub(super) has_formatter: bool,
    pub(super) as_python: bool,
    pub(super) clock: Option<&'m Arc<dyn Clock>>,
    /// Finds a handler that is made already.
    pub(super) find_handler: &'m dyn Fn(&str) -> Option<Arc<ConfiguredHandler>>,
    /// The declared filters.
    pub(super) filters: &'m BTreeMap<String, (Node, ConfigFilter)>,
    /// Whether a queue is put in front of it.
    pub(super) queued: bool,
    /// Whether another handler takes what this one fails at.
    pub(super) has_fallback: bool,
    /// Whether it replaces a handler that differs in a detail only: then nothing is truncated.
    pub(super) is_replacement: bool,
}

impl BuildContext<'_, '_> {
    /// A handler as a target with its own ledger. Its filters apply; its level with `respect_level`.
    pub(super) fn target(&self, name: &str, respect_level: bool) -> Option<NamedHandler> {
        Some(as_target((self.find_handler)(name)?, respect_level))
    }
}

pub(super) fn as_target(configured: Arc<ConfiguredHandler>, respect_level: bool) -> NamedHandler {
    NamedHandler::sharing_ledger(configured.ledger(), Target { configured, respect_level })
}
