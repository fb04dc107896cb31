//! Handlers by name: one file each, with Python's names, keys and their order.

mod connection;
mod durability;
mod file;
mod memory;
mod net;
mod null;
mod otlp;
mod queue;
mod recorder;
mod rotating;
mod stream;
mod syslog;
mod tee;

use std::{collections::BTreeMap, sync::Arc};

pub(super) use self::queue::{LIMITS, limits};

use super::{
    Setup,
    keywords::HandlerArgs,
    node::Node,
    sieve::ConfigFilter,
    slot::{Dress, Output, Slot, Target},
};
use crate::{Error, NamedHandler};

/// A kind of handler that a configuration can name.
pub(super) struct Class {
    /// Python's dotted names and our own short one.
    pub(super) names: &'static [&'static str],
    /// Python's keys, in the order of the positional arguments, then ours.
    pub(super) keys: &'static [&'static str],
    /// What can be set on a finished one, under `.`.
    pub(super) attributes: &'static [&'static str],
    /// The key that names other handlers.
    pub(super) refers: Option<&'static str>,
    /// The key that names a filter.
    pub(super) asks: Option<&'static str>,
    /// Whether records wait in a queue for a thread that sends, unless the configuration says `direct`.
    pub(super) queued: bool,
    pub(super) make: fn(&Making<'_, '_>) -> Result<Output, Error>,
}

pub(super) fn all() -> impl Iterator<Item = &'static Class> {
    const ALL: &[&Class] = &[
        &stream::STREAM,
        &file::FILE,
        &file::WATCHED,
        &rotating::ROTATING,
        &rotating::TIMED,
        &null::NULL,
        &memory::MEMORY,
        &queue::QUEUE,
        &syslog::SYSLOG,
        &net::SOCKET,
        &net::DATAGRAM,
        #[cfg(target_os = "linux")]
        &net::JOURNAL,
        &recorder::RECORDER,
        &tee::TEE,
        &otlp::OTLP,
    ];
    ALL.iter().copied()
}

/// A handler that is being made.
pub(super) struct Making<'m, 'c> {
    pub(super) name: &'m str,
    pub(super) keywords: &'m HandlerArgs<'c>,
    /// What is set under `.`.
    pub(super) attributes: &'m HandlerArgs<'c>,
    /// Ours, under `strata`.
    pub(super) ours: &'m HandlerArgs<'c>,
    pub(super) dress: &'m Arc<Dress>,
    /// Whether a formatter was named.
    pub(super) has_formatter: bool,
    pub(super) setup: &'m Setup,
    /// The handlers that are finished.
    pub(super) finished: &'m dyn Fn(&str) -> Option<Arc<Slot>>,
    /// The filters that are declared.
    pub(super) filters: &'m BTreeMap<String, (Node, ConfigFilter)>,
    /// Whether a queue is put in front of it.
    pub(super) queued: bool,
    /// Whether another handler takes what this one fails at.
    pub(super) has_fallback: bool,
    /// Whether it takes the place of one that is the same but for a detail: then nothing is thrown away.
    pub(super) goes_on: bool,
}

/// What the class of every handler has in common.
const PLAIN: Class = Class {
    names: &[],
    keys: &[],
    attributes: &[],
    refers: None,
    asks: None,
    queued: false,
    make: |_| Ok(Output::plain(crate::output::Null)),
};

impl Making<'_, '_> {
    /// A handler as a target, on its own account. Its filters are asked.
    pub(super) fn target(&self, name: &str, with_level: bool) -> Option<NamedHandler> {
        let slot = (self.finished)(name)?;
        Some(as_target(slot, with_level))
    }
}

pub(super) fn as_target(slot: Arc<Slot>, with_level: bool) -> NamedHandler {
    NamedHandler::sharing_ledger(slot.ledger(), Target { slot, with_level })
}
