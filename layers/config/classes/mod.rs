//! Handlers by name: one file each, with Python's names, keys and their order.

mod file;
mod memory;
mod net;
mod null;
mod queue;
mod rotating;
mod stream;
mod syslog;

use std::sync::Arc;

pub(super) use self::queue::limits;

use super::{
    Setup,
    keywords::Keywords,
    slot::{Dress, Output, Slot, Target},
};
use crate::{Error, Shared};

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
        #[cfg(unix)]
        &net::JOURNAL,
    ];
    ALL.iter().copied()
}

/// A handler that is being made.
pub(super) struct Making<'m, 'c> {
    pub(super) name: &'m str,
    pub(super) keywords: &'m Keywords<'c>,
    /// What is set under `.`.
    pub(super) attributes: &'m Keywords<'c>,
    /// Ours, under `strata`.
    pub(super) ours: &'m Keywords<'c>,
    pub(super) dress: &'m Arc<Dress>,
    /// Whether a formatter was named.
    pub(super) has_formatter: bool,
    pub(super) setup: &'m Setup,
    /// The handlers that are finished.
    pub(super) finished: &'m dyn Fn(&str) -> Option<Arc<Slot>>,
    /// Whether it takes the place of one that is the same but for a detail: then nothing is thrown away.
    pub(super) goes_on: bool,
}

impl Making<'_, '_> {
    /// A handler as a target, with a ledger of its own and the trap of all. Its filters are asked.
    fn target(&self, name: &str, with_level: bool) -> Option<Shared> {
        let slot = (self.finished)(name)?;
        Some(as_target(slot, with_level, self.setup))
    }
}

pub(super) fn as_target(slot: Arc<Slot>, with_level: bool, setup: &Setup) -> Shared {
    let name = slot.name.clone();
    Shared::with_trap(name, Target { slot, with_level }, setup.trap.clone())
}
