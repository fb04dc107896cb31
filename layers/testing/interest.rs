//! Keeps `tracing` from deciding for a capture's call sites by another thread.
//!
//! `tracing` asks about a call site once. While there is no more than one subscriber in the process, it asks that of the
//! thread which got there first: a test without a subscriber then disables the call site for all tests that run beside it.
//! With two subscribers that are never dropped, it asks all there are, and a capture always answers "perhaps".

use std::sync::OnceLock;

use tracing_core::{Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber, span};

use super::outer;

struct NeverInterested;

impl Subscriber for NeverInterested {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        outer::look_again();
        Interest::never()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// From the first capture on, for the rest of the process.
pub(super) fn ask_all_subscribers() {
    static KEPT: OnceLock<[Dispatch; 2]> = OnceLock::new();
    KEPT.get_or_init(|| [Dispatch::new(NeverInterested), Dispatch::new(NeverInterested)]);
}
